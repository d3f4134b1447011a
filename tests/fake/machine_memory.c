// SPDX-License-Identifier: GPL-2.0-or-later
/* A manifest as a root that is never unpacked: sixty thousand files take a disk a minute. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/manifest_entry.h"
#include "tests/fake/machine.h"

#define MAX_HOPS 40

/** struct memory_root - @m.entries are sorted, with all directories */
struct memory_root {
	struct cv_manifest m;
	char *text;
};

static int by_path(const void *a, const void *b)
{
	return cv_manifest_path_cmp(((const struct cv_manifest_entry *)a)->path,
				    ((const struct cv_manifest_entry *)b)->path);
}

static const struct cv_manifest_entry *find(const struct memory_root *r, const char *path)
{
	size_t low = 0, high = r->m.n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = cv_manifest_path_cmp(r->m.entries[mid].path, path);

		if (order == 0)
			return &r->m.entries[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* paths */

/* Appends one component of a path to @buf, or takes one away for "..". */
static int step(char buf[CV_PATH_MAX], const char *part, size_t len)
{
	size_t used = strlen(buf);
	char *slash;

	if (len == 0 || (len == 1 && *part == '.'))
		return 0;
	if (len == 2 && strncmp(part, "..", 2) == 0) {
		slash = strrchr(buf, '/');
		*(slash ? slash : buf) = '\0';
		return 0;
	}
	if (used + len + 2 > CV_PATH_MAX)
		return -ENAMETOOLONG;
	if (used)
		buf[used++] = '/';
	memcpy(buf + used, part, len);
	buf[used + len] = '\0';
	return 0;
}

static void to_parent(char *buf)
{
	char *slash = strrchr(buf, '/');

	*(slash ? slash : buf) = '\0';
}

static int resolve(const struct memory_root *r, const char *path, bool nofollow,
		   char buf[CV_PATH_MAX], int *hops);

/* @buf names a link: it becomes what the link leads to, as seen from its directory. */
static int follow(const struct memory_root *r, const struct cv_manifest_entry *e,
		  char buf[CV_PATH_MAX], int *hops)
{
	_cleanup_free_ char *target = NULL;
	size_t len;
	int rc = cv_manifest_entry_data(e, &target, &len);

	if (rc < 0)
		return rc;
	if (++*hops > MAX_HOPS)
		return -ELOOP;
	to_parent(buf);
	if (*target == '/')
		buf[0] = '\0';
	return resolve(r, target, false, buf, hops);
}

/* Walks @path on from the directory in @buf. Return: 0 with the place in @buf, or -errno. */
static int resolve(const struct memory_root *r, const char *path, bool nofollow,
		   char buf[CV_PATH_MAX], int *hops)
{
	int rc = 0;

	while (rc == 0 && *path) {
		size_t len = strcspn(path, "/");
		const struct cv_manifest_entry *e;

		rc = step(buf, path, len);
		path += len + strspn(path + len, "/");
		if (rc < 0 || len == 0 || !buf[0])
			continue;
		e = find(r, buf);
		if (!e)
			return -ENOENT;
		if (e->kind == 'l' && (*path || !nofollow))
			rc = follow(r, e, buf, hops);
		else if (e->kind != 'd' && *path)
			return -ENOTDIR;
	}
	return rc;
}

static int lookup(const struct memory_root *r, const char *path, bool nofollow,
		  char buf[CV_PATH_MAX], const struct cv_manifest_entry **ret)
{
	static const struct cv_manifest_entry top = { .kind = 'd' };
	int hops = 0, rc;

	buf[0] = '\0';
	rc = resolve(r, path, nofollow, buf, &hops);
	if (rc < 0)
		return rc;
	*ret = buf[0] ? find(r, buf) : &top;
	return *ret ? 0 : -ENOENT;
}

/* ops */

static int memory_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	const struct cv_manifest_entry *e;
	char buf[CV_PATH_MAX];
	int rc = lookup(ctx, path, false, buf, &e);

	if (rc < 0)
		return rc;
	if (e->kind == 'd')
		return -EISDIR;
	if (e->kind != 'n')
		return cv_manifest_entry_data(e, ret, ret_len);
	*ret = calloc(1, 1);
	*ret_len = 0;
	return *ret ? 0 : -ENOMEM;
}

static int memory_readlink(void *ctx, const char *path, char **ret)
{
	const struct cv_manifest_entry *e;
	char buf[CV_PATH_MAX];
	size_t len;
	int rc = lookup(ctx, path, true, buf, &e);

	if (rc < 0)
		return rc;
	return e->kind == 'l' ? cv_manifest_entry_data(e, ret, &len) : -EINVAL;
}

static int memory_list(void *ctx, const char *path, struct cv_strv *ret)
{
	const struct memory_root *r = ctx;
	const struct cv_manifest_entry *e;
	char buf[CV_PATH_MAX];
	int rc = lookup(r, path, false, buf, &e);
	size_t len = strlen(buf), i;

	if (rc < 0)
		return rc;
	if (e->kind != 'd')
		return -ENOTDIR;
	i = len ? (size_t)(e - r->m.entries) + 1 : 0;
	for (; rc == 0 && i < r->m.n; i++) {
		const char *below = r->m.entries[i].path;

		if (len && (strncmp(below, buf, len) != 0 || below[len] != '/'))
			break;
		below += len ? len + 1 : 0;
		if (!strchr(below, '/'))
			rc = cv_strv_add(ret, below);
	}
	cv_strv_sort(ret);
	return rc;
}

static int memory_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	const struct cv_manifest_entry *e;
	char buf[CV_PATH_MAX];
	int rc = lookup(ctx, path, nofollow, buf, &e);

	if (rc < 0)
		return rc;
	*ret = (struct stat){ .st_mode = e->kind == 'd'	  ? S_IFDIR | 0755
					 : e->kind == 'l' ? S_IFLNK | 0777
							  : S_IFREG | 0644 };
	return 0;
}

/* A copy in a file of its own: for those who read a part of it only. */
static int memory_open(void *ctx, const char *path, int flags, mode_t mode)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	size_t len;
	int rc = (flags & O_ACCMODE) == O_RDONLY ? memory_read(ctx, path, &data, &len) : -EROFS;

	if (rc < 0)
		return rc;
	fd = memfd_create("machine", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pwrite(fd, data, len, 0) != (ssize_t)len)
		return -EIO;
	return TAKE_FD(fd);
}

static void memory_close(void *ctx)
{
	struct memory_root *r = ctx;

	for (size_t i = 0; i < r->m.n; i++)
		free(r->m.entries[i].path);
	free(r->m.entries);
	free(r->text);
	free(r);
}

static const struct cv_sysroot_ops memory_ops = {
	.read = memory_read,
	.readlink = memory_readlink,
	.list = memory_list,
	.stat = memory_stat,
	.open = memory_open,
	.close = memory_close,
};

/* reading */

static int add(struct cv_manifest *m, struct cv_manifest_entry *e)
{
	struct cv_manifest_entry *grown;

	if ((m->n & (m->n - 1)) == 0) {
		grown = reallocarray(m->entries, m->n ? m->n * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->entries = grown;
	}
	m->entries[m->n++] = *e;
	return 0;
}

static int add_lines(struct memory_root *r, size_t len)
{
	const char *end = r->text + len, *line = strchr(r->text, '\n'), *what;

	while (line && ++line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line)), *at = line;
		struct cv_manifest_entry e = { .line = line };
		int rc = 0;

		stop = stop ? stop : end;
		if (stop > line && *line != '#') {
			rc = cv_manifest_entry_parse(&at, stop, &e, &what);
			if (rc == 0)
				rc = add(&r->m, &e);
			if (rc < 0)
				free(e.path);
		}
		if (rc < 0)
			return rc;
		line = stop < end ? stop : NULL;
	}
	return 0;
}

static int add_dir(struct memory_root *r, const char *path, size_t len)
{
	struct cv_manifest_entry e = { .kind = 'd', .path = strndup(path, len) };
	int rc = e.path ? add(&r->m, &e) : -ENOMEM;

	if (rc < 0)
		free(e.path);
	return rc;
}

/* The part of @path that it shares with @before: its directories are there already. */
static size_t shared(const char *path, const char *before)
{
	size_t len = 0;

	for (size_t i = 0; path[i] && path[i] == before[i]; i++)
		if (path[i] == '/')
			len = i + 1;
	return len;
}

/* Directories that the lines only imply; those that are there twice are dropped afterwards. */
static int add_dirs(struct memory_root *r)
{
	const char *before = "";
	size_t n = r->m.n;

	for (size_t i = 0; i < n; i++) {
		const char *path = r->m.entries[i].path;
		const char *slash = strchr(path + shared(path, before), '/');

		for (; slash; slash = strchr(slash + 1, '/')) {
			int rc = add_dir(r, path, (size_t)(slash - path));

			if (rc < 0)
				return rc;
		}
		before = path;
	}
	return 0;
}

static void sort_and_drop_doubles(struct cv_manifest *m)
{
	size_t kept = 0;

	qsort(m->entries, m->n, sizeof(*m->entries), by_path);
	for (size_t i = 0; i < m->n; i++) {
		if (kept && strcmp(m->entries[kept - 1].path, m->entries[i].path) == 0)
			free(m->entries[i].path);
		else
			m->entries[kept++] = m->entries[i];
	}
	m->n = kept;
}

int machine_open_memory(const char *text, size_t len, struct cv_sysroot **ret)
{
	struct memory_root *r = calloc(1, sizeof(*r));
	int rc = r ? 0 : -ENOMEM;

	if (rc < 0)
		return rc;
	r->text = strndup(text, len);
	rc = r->text ? add_lines(r, strlen(r->text)) : -ENOMEM;
	if (rc == 0 && r->m.n) {
		qsort(r->m.entries, r->m.n, sizeof(*r->m.entries), by_path);
		rc = add_dirs(r);
		sort_and_drop_doubles(&r->m);
	}
	if (rc == 0)
		rc = cv_sysroot_new(&memory_ops, r, ret);
	if (rc < 0)
		memory_close(r);
	return rc;
}
