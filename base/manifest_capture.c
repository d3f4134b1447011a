// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/manifest.h"
#include "base/manifest_entry.h"

#define FILE_MAX_LEN (64UL << 10)
#define LINKS_MAX 40

/*
 * Paths are walked component by component and a link is recorded where it is met, then left for
 * its target: what is recorded never lies below a link.
 */
struct capture {
	struct cv_sysroot *root;
	struct cv_strv paths; /* real paths met, with leading slash, in any order and repeated */
	unsigned int n_links; /* followed on the way to the present one */
};

static int walk(struct capture *c, const char *real, const char *rest, unsigned int depth);
static int walk_name(struct capture *c, const char *real, const char *name, const char *rest,
		     unsigned int depth);

static char *join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strndup(path, slash ? (size_t)(slash - path) : 0);
}

/* Everything in a directory, @depth levels deep; links are recorded, not followed. */
static int descend(struct capture *c, const char *dir, unsigned int depth)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int rc;

	if (!depth || cv_list(c->root, dir, &names))
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_free_ char *path = join(dir, names.v[i]);
		_cleanup_free_ char *target = NULL;

		if (!path)
			return -ENOMEM;
		rc = cv_strv_add(&c->paths, path);
		if (!rc && cv_readlink(c->root, path, &target))
			rc = descend(c, path, depth - 1);
		if (rc)
			return rc;
	}
	return 0;
}

/* Goes on at the target of a link that lies in @dir. */
static int follow(struct capture *c, const char *dir, const char *target, const char *rest,
		  unsigned int depth)
{
	_cleanup_free_ char *path = join(target, rest);
	int rc;

	if (!path)
		return -ENOMEM;
	if (c->n_links >= LINKS_MAX)
		return 0;
	c->n_links++;
	rc = walk(c, target[0] == '/' ? "" : dir, path, depth);
	c->n_links--;
	return rc;
}

static int walk_all(struct capture *c, const char *real, const char *pattern, const char *rest,
		    unsigned int depth)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int rc = 0;

	if (cv_list(c->root, real, &names))
		return 0;
	for (size_t i = 0; !rc && i < names.n; i++) {
		/* as a name: one that holds a '*' is no pattern again */
		if (fnmatch(pattern, names.v[i], 0) == 0)
			rc = walk_name(c, real, names.v[i], rest, depth);
	}
	return rc;
}

/* One component named @name in @real, then @rest. */
static int walk_name(struct capture *c, const char *real, const char *name, const char *rest,
		     unsigned int depth)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *target = NULL;
	struct stat st;
	int rc;

	if (!strcmp(name, "..")) {
		path = parent_of(real);
		return path ? walk(c, path, rest, depth) : -ENOMEM;
	}
	path = join(real, name);
	if (!path)
		return -ENOMEM;
	if (!cv_readlink(c->root, path, &target)) {
		rc = cv_strv_add(&c->paths, path);
		/* The last link itself is wanted, and what it leads to only with a depth. A target is
		 * a name, never a pattern. */
		return rc || (!*rest && !depth) || strchr(target, '*')
			       ? rc
			       : follow(c, real, target, rest, depth);
	}
	return cv_stat(c->root, path, &st) ? 0 : walk(c, path, rest, depth);
}

/* @real is a real path ("" for the root), @rest what of the pattern is left. */
static int walk(struct capture *c, const char *real, const char *rest, unsigned int depth)
{
	char name[NAME_MAX + 1];
	size_t len;
	int rc;

	rest += strspn(rest, "/");
	len = strcspn(rest, "/");
	if (!len) {
		rc = *real ? cv_strv_add(&c->paths, real) : 0;
		return rc ? rc : descend(c, real, depth);
	}
	if (len > NAME_MAX)
		return 0;
	memcpy(name, rest, len);
	name[len] = '\0';
	rest += len;
	rest += strspn(rest, "/");
	if (!strcmp(name, "."))
		return walk(c, real, rest, depth);
	if (strchr(name, '*'))
		return walk_all(c, real, name, rest, depth);
	return walk_name(c, real, name, rest, depth);
}

static int compare_paths(const void *a, const void *b)
{
	return cv_manifest_path_cmp(*(char *const *)a, *(char *const *)b);
}

static int write_file(struct capture *c, const char *path, FILE *out)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (cv_read(c->root, path, &data, &len))
		return 0;
	cv_manifest_write_file(out, path + 1, data, len < FILE_MAX_LEN ? len : FILE_MAX_LEN);
	return 1;
}

/* Return: number of entries written, 0 or 1. */
static int write_entry(struct capture *c, const char *path, FILE *out)
{
	_cleanup_free_ char *target = NULL;
	struct stat st;

	if (!cv_readlink(c->root, path, &target)) {
		cv_manifest_write_link(out, path + 1, target);
		return 1;
	}
	if (cv_stat(c->root, path, &st))
		return 0;
	if (S_ISREG(st.st_mode))
		return write_file(c, path, out);
	if (S_ISDIR(st.st_mode))
		cv_manifest_write_dir(out, path + 1);
	else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		cv_manifest_write_node(out, path + 1, S_ISCHR(st.st_mode) ? 'c' : 'b', st.st_mode,
				       st.st_uid, st.st_gid);
	else
		return 0;
	return 1;
}

static int write_paths(struct capture *c, FILE *out)
{
	int written = 0;

	if (c->paths.n)
		qsort(c->paths.v, c->paths.n, sizeof(*c->paths.v), compare_paths);
	fputs("carve-sysroot 1\n", out);
	for (size_t i = 0; i < c->paths.n; i++)
		if (!i || strcmp(c->paths.v[i], c->paths.v[i - 1]))
			written += write_entry(c, c->paths.v[i], out);
	return fflush(out) || ferror(out) ? -EIO : written;
}

static void capture_done(struct capture *c)
{
	cv_strv_done(&c->paths);
}

int cv_manifest_capture(struct cv_sysroot *root, const struct cv_capture *what, size_t n, FILE *out,
			struct cv_error *err)
{
	_cleanup_(capture_done) struct capture c = { .root = root };
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = walk(&c, "", what[i].path, what[i].depth);
		if (rc)
			return cv_fail_errno(err, rc, what[i].path, "cannot capture");
	}
	rc = write_paths(&c, out);
	return rc < 0 ? cv_fail_errno(err, rc, NULL, "cannot write the manifest") : rc;
}
