/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tree of small files in a temporary directory: what numa/ is tested on. */
#ifndef CARVE_TESTS_UNIT_NUMA_TREE_H
#define CARVE_TESTS_UNIT_NUMA_TREE_H

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/sysroot.h"

#define TREE_NODE "/sys/devices/system/node"
#define TREE_CPU "/sys/devices/system/cpu"

/** struct tree - @dir: the directory that holds it */
struct tree {
	char dir[64];
};

static inline int tree_make(struct tree *t)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/carve-test-numa-XXXXXX");
	return mkdtemp(t->dir) ? 0 : -1;
}

static inline int tree_remove_one(const char *path, const struct stat *st, int type,
				  struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline const char *tree_path(const struct tree *t, const char *path, char buf[PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s%s", t->dir, path);
	return buf;
}

static inline void tree_remove(const struct tree *t, const char *path)
{
	char buf[PATH_MAX];

	nftw(tree_path(t, path, buf), tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the file with the directories above it, or gives it new content. */
static inline void tree_put(const struct tree *t, const char *path, const char *text)
{
	_cleanup_fclose_ FILE *file = NULL;
	char buf[PATH_MAX];

	tree_path(t, path, buf);
	for (char *p = strchr(buf + strlen(t->dir) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	file = fopen(buf, "we");
	assert_non_null(file);
	fputs(text, file);
}

static inline __attribute__((format(printf, 3, 4))) void
tree_putf(const struct tree *t, const char *text, const char *fmt, ...)
{
	char path[CV_PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	tree_put(t, path, text);
}

#endif
