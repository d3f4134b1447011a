// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/partition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/binding.h"

/* Cgroups of a node that runs many containers are some thousands. */
#define CGROUPS_MAX 65536

/** struct walk - state; @n_seen: cgroups looked at */
struct walk {
	struct cv_sysroot *root;
	struct inventory *inv;
	unsigned int n_seen;
};

static int walk_below(struct walk *w, const char *path, unsigned int depth);

static const char *attr_path(char buf[CV_PATH_MAX], const char *path, const char *attr)
{
	return cv_pathf(buf, NU_CGROUP_MOUNT "%s/%s", path, attr);
}

static int add(struct inventory *inv, const struct inv_partition *p)
{
	struct inv_partition *grown;

	grown = reallocarray(inv->partitions, inv->n_partitions + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	inv->partitions = grown;
	inv->partitions[inv->n_partitions++] = *p;
	return 0;
}

/* "member", "root", "isolated", "root invalid (...)": the kernel's words */
static int add_partition(struct walk *w, const char *path, const char *state)
{
	struct inv_partition p = { .is_isolated = strcmp(state, "isolated") == 0 };
	char file[CV_PATH_MAX];

	if (!p.is_isolated && strcmp(state, "root") != 0)
		return 0;
	if (cv_read_cpulist(w->root, attr_path(file, path, "cpuset.cpus.effective"), &p.cpus) < 0)
		return 0;
	return cv_copy_text(p.path, sizeof(p.path), path) < 0 ? 0 : add(w->inv, &p);
}

/* Directories of cgroups count those in them as links; other file systems may say 1. */
static bool is_leaf(struct walk *w, const char *path)
{
	char dir[CV_PATH_MAX];
	struct stat st;

	return cv_stat(w->root, cv_pathf(dir, NU_CGROUP_MOUNT "%s", path), &st) < 0 ||
	       st.st_nlink == 2;
}

/* @path may be a file: then there is nothing below it. */
static int visit(struct walk *w, const char *path, unsigned int depth)
{
	_cleanup_free_ char *state = NULL;
	char file[CV_PATH_MAX];
	int r;

	if (cv_read_str(w->root, attr_path(file, path, "cpuset.cpus.partition"), &state) < 0)
		return 0;
	if (w->n_seen++ == CGROUPS_MAX)
		return 0;
	r = add_partition(w, path, state);
	if (r < 0 || depth == 0 || is_leaf(w, path))
		return r;
	return walk_below(w, path, depth);
}

/* @path: "" for the root cgroup. */
static int walk_below(struct walk *w, const char *path, unsigned int depth)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char buf[CV_PATH_MAX];
	int r = 0;

	if (cv_list(w->root, cv_pathf(buf, NU_CGROUP_MOUNT "%s", path), &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n && r == 0 && w->n_seen < CGROUPS_MAX; i++) {
		cv_pathf(buf, "%s/%s", path, names.v[i]);
		if (buf[0] != '\0')
			r = visit(w, buf, depth - 1);
	}
	return r;
}

static int by_path(const void *a, const void *b)
{
	const struct inv_partition *x = a, *y = b;

	return strcmp(x->path, y->path);
}

int nu_partitions_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	struct walk w = { .root = root, .inv = inv };
	int r = 0;

	if (inv->host.has_cgroup2 && inv->host.has_cpuset)
		r = walk_below(&w, "", NU_PARTITION_DEPTH);
	if (r < 0)
		return cv_fail_errno(err, r, NU_CGROUP_MOUNT, "cannot store the partitions");
	if (inv->n_partitions > 1)
		qsort(inv->partitions, inv->n_partitions, sizeof(*inv->partitions), by_path);
	return 0;
}
