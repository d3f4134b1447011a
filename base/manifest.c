// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/manifest.h"
#include "base/manifest_entry.h"

#define SIZE_MAX_TOTAL (64UL << 20)
#define ENTRIES_MAX (1UL << 20)

static int fail_at(const struct cv_manifest *m, const char *at, const char *what,
		   struct cv_error *err)
{
	unsigned int line = 1;
	const char *start = m->text;
	char where[256];

	for (const char *p = m->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			start = p + 1;
		}
	}
	snprintf(where, sizeof(where), "%.200s:%u:%zu", m->origin, line, (size_t)(at - start) + 1);
	return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EMANIFEST", where, "%s", what);
}

static void manifest_done(struct cv_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->entries[i].path);
	free(m->entries);
}

static int add_entry(struct cv_manifest *m, struct cv_manifest_entry *e)
{
	struct cv_manifest_entry *grown;

	if (!(m->n & (m->n - 1))) {
		grown = reallocarray(m->entries, m->n ? m->n * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		m->entries = grown;
	}
	m->entries[m->n++] = *e;
	return 0;
}

static int parse_line(struct cv_manifest *m, const char *line, const char *end,
		      struct cv_error *err)
{
	struct cv_manifest_entry e = { .line = line };
	const char *what = NULL;
	const char *at = line;
	int rc;

	if (line == end || *line == '#')
		return 0;
	if (m->n >= ENTRIES_MAX)
		return fail_at(m, line, "too many entries", err);
	rc = cv_manifest_entry_parse(&at, end, &e, &what);
	if (!rc)
		rc = add_entry(m, &e);
	if (rc)
		free(e.path);
	if (rc == -EINVAL)
		return fail_at(m, at, what, err);
	return rc ? cv_fail_errno(err, rc, m->origin, "cannot read the manifest") : 0;
}

static const char *line_end(const char *p, const char *end)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	return nl ? nl : end;
}

static bool is_number(const char *p, const char *end)
{
	if (p >= end || *p == '0')
		return false;
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p == end;
}

/* The first line. Return: 0, -EINVAL, -EPROTONOSUPPORT. */
static int check_header(const struct cv_manifest *m, struct cv_error *err)
{
	static const char word[] = "carve-sysroot ";
	const size_t word_len = sizeof(word) - 1;
	const char *end = line_end(m->text, m->text + m->len);
	size_t len = (size_t)(end - m->text);
	const char *version = m->text + word_len;

	if (len <= word_len || memcmp(m->text, word, word_len) || !is_number(version, end))
		return fail_at(m, m->text,
			       "not a manifest: the first line must be \"carve-sysroot 1\"", err);
	if (end - version == 1 && *version == '1')
		return 0;
	cv_fail(err, -EPROTONOSUPPORT, CV_EXIT_USAGE, "EVERSION", m->origin,
		"manifest written by a newer carve");
	cv_error_found(err, "carve-sysroot version %.*s", (int)(end - version), version);
	cv_error_wanted(err, "version 1");
	cv_error_hint(err, "use a carve that knows this version");
	return -EPROTONOSUPPORT;
}

static int parse_lines(struct cv_manifest *m, struct cv_error *err)
{
	const char *stop = m->text + m->len;
	const char *end = line_end(m->text, stop);
	int rc = check_header(m, err);

	while (!rc && end < stop) {
		const char *line = end + 1;

		end = line_end(line, stop);
		rc = parse_line(m, line, end, err);
	}
	return rc;
}

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return !strncmp(path, above, len) && path[len] == '/';
}

static int compare_entries(const void *a, const void *b)
{
	return cv_manifest_path_cmp(((const struct cv_manifest_entry *)a)->path,
				    ((const struct cv_manifest_entry *)b)->path);
}

/*
 * In this order everything below an entry follows it at once, so that the last entry that is no
 * directory is the only one that can be above the next.
 */
static int check_tree(struct cv_manifest *m, struct cv_error *err)
{
	const struct cv_manifest_entry *leaf = NULL;

	if (m->n)
		qsort(m->entries, m->n, sizeof(*m->entries), compare_entries);
	for (size_t i = 0; i < m->n; i++) {
		const struct cv_manifest_entry *e = &m->entries[i];

		if (i && !strcmp(e->path, e[-1].path))
			return fail_at(m, e->line, "this path appears twice", err);
		if (leaf && is_below(e->path, leaf->path))
			return fail_at(m, e->line,
				       leaf->kind == 'l' ? "this path is below a link"
							 : "this path is below a file",
				       err);
		if (e->kind != 'd')
			leaf = e;
	}
	return 0;
}

static int open_beneath(int dirfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? 0644 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Makes the missing directories of @path, component by component. Return: fd of the last one. */
static int make_dirs(int dirfd, const char *path)
{
	_cleanup_close_ int fd = open_beneath(dirfd, ".", O_PATH | O_DIRECTORY);
	char name[NAME_MAX + 1];

	while (fd >= 0 && *path) {
		size_t len = strcspn(path, "/");
		int next;

		memcpy(name, path, len);
		name[len] = '\0';
		if (mkdirat(fd, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		next = open_beneath(fd, name, O_PATH | O_DIRECTORY);
		close(fd);
		fd = next;
		path += len + (path[len] == '/');
	}
	return TAKE_FD(fd);
}

/* The directory that holds @path; entries come sorted, so it is usually that of the one before. */
struct parent {
	char path[PATH_MAX];
	int fd;
};

static void parent_done(struct parent *p)
{
	if (p->fd >= 0)
		close(p->fd);
}

static int enter_parent(struct parent *p, int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*ret_name = slash ? slash + 1 : path;
	if (p->fd >= 0 && strlen(p->path) == len && !memcmp(p->path, path, len))
		return 0;
	parent_done(p);
	memcpy(p->path, path, len);
	p->path[len] = '\0';
	p->fd = make_dirs(dirfd, p->path);
	return p->fd < 0 ? p->fd : 0;
}

static int make_dir(int dirfd, const char *path)
{
	_cleanup_close_ int fd = make_dirs(dirfd, path);

	return fd < 0 ? fd : 0;
}

static int make_file(int dirfd, const char *name, const struct cv_manifest_entry *e)
{
	_cleanup_close_ int fd = open_beneath(dirfd, name, O_WRONLY | O_CREAT | O_EXCL);
	_cleanup_free_ char *data = NULL;
	size_t len, done = 0;
	int rc;

	if (fd < 0)
		return fd;
	if (e->kind == 'n')
		return 0;
	rc = cv_manifest_entry_data(e, &data, &len);
	while (!rc && done < len) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return rc;
}

static int make_link(int dirfd, const char *name, const struct cv_manifest_entry *e)
{
	_cleanup_free_ char *target = NULL;
	size_t len;
	int rc = cv_manifest_entry_data(e, &target, &len);

	if (rc)
		return rc;
	return symlinkat(target, dirfd, name) < 0 ? -errno : 0;
}

static int make_entry(struct parent *p, int dirfd, const struct cv_manifest_entry *e)
{
	const char *name;
	int rc = enter_parent(p, dirfd, e->path, &name);

	if (rc)
		return rc;
	return e->kind == 'l' ? make_link(p->fd, name, e) : make_file(p->fd, name, e);
}

static int make_entries(const struct cv_manifest *m, int dirfd, bool links, struct cv_error *err)
{
	_cleanup_(parent_done) struct parent parent = { .fd = -1 };

	for (size_t i = 0; i < m->n; i++) {
		const struct cv_manifest_entry *e = &m->entries[i];
		int rc;

		if ((e->kind == 'l') != links)
			continue;
		rc = e->kind == 'd' ? make_dir(dirfd, e->path) : make_entry(&parent, dirfd, e);
		if (rc)
			return cv_fail_errno(err, rc, e->path, "cannot unpack %s", m->origin);
	}
	return 0;
}

int cv_manifest_unpack(const char *text, size_t len, const char *origin, int dirfd,
		       struct cv_error *err)
{
	_cleanup_(manifest_done) struct cv_manifest m = { .text = text,
							  .len = len,
							  .origin = origin };
	int rc;

	if (len > SIZE_MAX_TOTAL)
		return cv_fail(err, -EFBIG, CV_EXIT_USAGE, "EMANIFEST", origin,
			       "the manifest is over 64 MiB");
	rc = parse_lines(&m, err);
	if (!rc)
		rc = check_tree(&m, err);
	/* Links last: nothing is ever created through one. */
	if (!rc)
		rc = make_entries(&m, dirfd, false, err);
	if (!rc)
		rc = make_entries(&m, dirfd, true, err);
	return rc;
}
