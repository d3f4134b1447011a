// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fake/temp_root.h"

void temp_root_init(struct temp_root *t)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/carve-test-XXXXXX");
	if (!mkdtemp(t->dir) || cv_sysroot_open(t->dir, &t->root, NULL))
		abort();
}

static void remove_all(struct cv_sysroot *r)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(r, "/", &names))
		return;
	for (size_t i = 0; i < names.n; i++)
		cv_remove_tree(r, cv_pathf(path, "/%s", names.v[i]));
}

void temp_root_done(struct temp_root *t)
{
	if (!t->root)
		return;
	remove_all(t->root);
	cv_sysroot_close(t->root);
	rmdir(t->dir);
	*t = (struct temp_root){ 0 };
}

int temp_root_setup(void **state)
{
	static struct temp_root t;

	temp_root_init(&t);
	*state = &t;
	return 0;
}

int temp_root_teardown(void **state)
{
	temp_root_done(*state);
	return 0;
}

void temp_root_file(struct temp_root *t, const char *path, const char *text)
{
	_cleanup_free_ char *dir = strdup(path);

	*strrchr(dir, '/') = '\0';
	if (cv_mkdir_p(t->root, dir, 0755) || cv_replace_file(t->root, path, text, 0644))
		abort();
}

static void dump_dir(struct cv_sysroot *r, const char *dir, const char *skip, struct cv_strv *lines)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(r, dir, &names))
		return;
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_free_ char *text = NULL;
		char path[CV_PATH_MAX];

		cv_pathf(path, "%s/%s", dir, names.v[i]);
		if (strstr(path, ".tmp") || (skip && !strcmp(path, skip)))
			continue;
		if (cv_read_str(r, path, &text))
			dump_dir(r, path, skip, lines);
		cv_strv_addf(lines, "%s %s", path, text ? text : "");
	}
}

char *temp_root_dump(struct temp_root *t, const char *skip)
{
	_cleanup_strv_ struct cv_strv lines = { 0 };

	dump_dir(t->root, "", skip, &lines);
	return cv_strv_join(&lines, "\n");
}

/* @n counts in memory shared with the children that write with a deadline; @ms: 0, who kills ends */
struct killer {
	struct cv_sysroot *inner;
	const char *dir;
	pid_t victim;
	unsigned int *n;
	unsigned int at;
	bool after;
	unsigned int ms;
};

static void strike(const struct killer *k)
{
	kill(k->victim, SIGKILL);
	if (k->ms == 0)
		_exit(1);
	usleep(k->ms * 1000);
}

/* Return: the number of the change. */
static unsigned int before_change(const struct killer *k)
{
	unsigned int n = __atomic_add_fetch(k->n, 1, __ATOMIC_RELAXED);

	if (n == k->at && !k->after)
		strike(k);
	else if (k->ms > 0 && k->at > 0 && n > k->at)
		usleep(k->ms * 1000);
	return n;
}

static int after_change(const struct killer *k, unsigned int n, int rc)
{
	if (n == k->at && k->after)
		strike(k);
	return rc;
}

static int op_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	return cv_read(((struct killer *)ctx)->inner, path, ret, ret_len);
}

static int op_write(void *ctx, const char *path, const void *data, size_t len)
{
	const struct killer *k = ctx;
	_cleanup_free_ char *text = strndup(data, len);
	unsigned int n = before_change(k);

	return after_change(k, n, cv_write_str(k->inner, path, text));
}

static int op_readlink(void *ctx, const char *path, char **ret)
{
	return cv_readlink(((struct killer *)ctx)->inner, path, ret);
}

static int op_list(void *ctx, const char *path, struct cv_strv *ret)
{
	return cv_list(((struct killer *)ctx)->inner, path, ret);
}

static int op_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	return cv_stat(((struct killer *)ctx)->inner, path, ret);
}

static int op_open(void *ctx, const char *path, int flags, mode_t mode)
{
	const struct killer *k = ctx;
	unsigned int n;

	if (!(flags & O_CREAT))
		return cv_open(k->inner, path, flags, mode);
	n = before_change(k);
	return after_change(k, n, cv_open(k->inner, path, flags, mode));
}

static int op_mkdir(void *ctx, const char *path, mode_t mode)
{
	const struct killer *k = ctx;
	unsigned int n = before_change(k);

	return after_change(k, n, cv_mkdir(k->inner, path, mode));
}

static int op_rmdir(void *ctx, const char *path)
{
	const struct killer *k = ctx;
	unsigned int n = before_change(k);

	return after_change(k, n, cv_rmdir(k->inner, path));
}

static int op_unlink(void *ctx, const char *path)
{
	const struct killer *k = ctx;
	unsigned int n = before_change(k);

	return after_change(k, n, cv_unlink(k->inner, path));
}

static int op_rename(void *ctx, const char *from, const char *to)
{
	const struct killer *k = ctx;
	char old[CV_PATH_MAX], new[CV_PATH_MAX];
	unsigned int n = before_change(k);

	cv_pathf(old, "%s%s", k->dir, from);
	cv_pathf(new, "%s%s", k->dir, to);
	return after_change(k, n, rename(old, new) < 0 ? -errno : 0);
}

static void op_close(void *ctx)
{
	struct killer *k = ctx;

	munmap(k->n, sizeof(*k->n));
	free(k);
}

static const struct cv_sysroot_ops killer_ops = {
	.read = op_read,
	.write = op_write,
	.readlink = op_readlink,
	.list = op_list,
	.stat = op_stat,
	.open = op_open,
	.mkdir = op_mkdir,
	.rmdir = op_rmdir,
	.unlink = op_unlink,
	.rename = op_rename,
	.close = op_close,
};

struct cv_sysroot *temp_root_killer(struct temp_root *t, pid_t victim, unsigned int n, bool after)
{
	return temp_root_slow_killer(t, victim, n, after, 0);
}

struct cv_sysroot *temp_root_slow_killer(struct temp_root *t, pid_t victim, unsigned int n,
					 bool after, unsigned int ms)
{
	struct killer *k = calloc(1, sizeof(*k));
	struct cv_sysroot *r;
	void *page = mmap(NULL, sizeof(*k->n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);

	if (!k || page == MAP_FAILED || cv_sysroot_new(&killer_ops, k, &r))
		abort();
	*k = (struct killer){ .inner = t->root,
			      .dir = t->dir,
			      .victim = victim,
			      .n = page,
			      .at = n,
			      .after = after,
			      .ms = ms };
	return r;
}
