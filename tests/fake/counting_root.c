// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "tests/fake/counting_root.h"

static struct cv_sysroot *count(void *ctx, const char *path)
{
	struct counting_root *c = ctx;

	if (!c->about || strstr(path, c->about)) {
		c->calls++;
		snprintf(c->last, sizeof(c->last), "%s", path);
	}
	return c->inner;
}

static int count_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	return cv_read(count(ctx, path), path, ret, ret_len);
}

static int count_readlink(void *ctx, const char *path, char **ret)
{
	return cv_readlink(count(ctx, path), path, ret);
}

static int count_list(void *ctx, const char *path, struct cv_strv *ret)
{
	return cv_list(count(ctx, path), path, ret);
}

static int count_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	return cv_stat(count(ctx, path), path, ret);
}

static int count_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return cv_open(count(ctx, path), path, flags, mode);
}

static void count_close(void *ctx)
{
}

static const struct cv_sysroot_ops counting_ops = {
	.read = count_read,
	.readlink = count_readlink,
	.list = count_list,
	.stat = count_stat,
	.open = count_open,
	.close = count_close,
};

int counting_root_new(struct counting_root *c, struct cv_sysroot **ret)
{
	return cv_sysroot_new(&counting_ops, c, ret);
}
