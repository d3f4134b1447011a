// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/dirroot.h"
#include "base/manifest.h"
#include "base/parse.h"
#include "base/sysroot.h"

#define MANIFEST_NAME "manifest.sysroot"
#define MANIFEST_MAX (64UL << 20)

/* Where a manifest is unpacked: memory first, thousands of small files take a disk seconds. */
static const char *const temporary_dirs[] = { "/dev/shm", "/tmp" };

/**
 * struct cv_sysroot - a root
 * @dir:          where the tree is, NULL for injected ops
 * @is_live:      the host itself
 * @is_temporary: @dir was unpacked from a manifest and goes away with the root
 */
struct cv_sysroot {
	const struct cv_sysroot_ops *ops;
	void *ctx;
	char *dir;
	bool is_live;
	bool is_temporary;
};

int cv_sysroot_new(const struct cv_sysroot_ops *ops, void *ctx, struct cv_sysroot **ret)
{
	struct cv_sysroot *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->ops = ops;
	r->ctx = ctx;
	*ret = r;
	return 0;
}

static void remove_below(struct cv_sysroot *r, const char *path)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(r, path, &names))
		return;
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_free_ char *child = NULL;

		if (asprintf(&child, "%s/%s", path, names.v[i]) >= 0)
			cv_remove_tree(r, child);
	}
}

void cv_sysroot_close(struct cv_sysroot *r)
{
	if (r->is_temporary) {
		remove_below(r, "");
		rmdir(r->dir);
	}
	if (r->ops->close)
		r->ops->close(r->ctx);
	free(r->dir);
	free(r);
}

/* Opens a directory as a root; @dir is consumed on success. */
static int open_dir(char *dir, bool is_live, struct cv_sysroot **ret)
{
	_cleanup_close_ int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct cv_sysroot *r;
	void *ctx;
	int rc;

	if (fd < 0)
		return -errno;
	rc = cv_dirroot_new(fd, is_live, &ctx);
	if (rc)
		return rc;
	fd = -1;
	rc = cv_sysroot_new(&cv_dirroot_ops, ctx, &r);
	if (rc) {
		cv_dirroot_ops.close(ctx);
		return rc;
	}
	r->dir = dir;
	r->is_live = is_live;
	*ret = r;
	return 0;
}

static int open_tree(const char *path, bool is_live, struct cv_sysroot **ret, struct cv_error *err)
{
	_cleanup_free_ char *dir = realpath(path, NULL);
	int rc = dir ? open_dir(dir, is_live, ret) : -errno;

	if (rc)
		return cv_fail_errno(err, rc, path, "cannot open the system root");
	TAKE_PTR(dir);
	return 0;
}

static int new_temporary(const char *parent, struct cv_sysroot **ret)
{
	_cleanup_free_ char *dir = NULL;
	int rc;

	if (asprintf(&dir, "%s/carve-sysroot-XXXXXX", parent) < 0)
		return -ENOMEM;
	if (!mkdtemp(dir))
		return -errno;
	rc = open_dir(dir, false, ret);
	if (rc) {
		rmdir(dir);
		return rc;
	}
	TAKE_PTR(dir);
	(*ret)->is_temporary = true;
	return 0;
}

static int unpack_in(const char *parent, const char *text, size_t len, const char *origin,
		     struct cv_sysroot **ret, struct cv_error *err)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_close_ int dirfd = -1;
	int rc;

	rc = new_temporary(parent, &r);
	if (rc)
		return cv_fail_errno(err, rc, parent, "cannot make a directory for the manifest");
	dirfd = cv_open(r, "/", O_RDONLY | O_DIRECTORY, 0);
	if (dirfd < 0)
		return cv_fail_errno(err, dirfd, r->dir, "cannot open the unpacked manifest");
	rc = cv_manifest_unpack(text, len, origin, dirfd, err);
	if (rc)
		return rc;
	*ret = TAKE_PTR(r);
	return 0;
}

/* @fd is the manifest file. */
static int open_manifest(int fd, const char *origin, struct cv_sysroot **ret, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int rc = cv_read_fd(fd, MANIFEST_MAX, &text, &len);

	if (rc)
		return cv_fail_errno(err, rc, origin, "cannot read the manifest");
	for (size_t i = 0; i < CV_ARRAY_SIZE(temporary_dirs); i++) {
		rc = unpack_in(temporary_dirs[i], text, len, origin, ret, err);
		if (rc == 0 || rc == -EINVAL)
			break; /* what is wrong with the text is wrong everywhere */
	}
	return rc;
}

int cv_sysroot_open(const char *path, struct cv_sysroot **ret, struct cv_error *err)
{
	bool is_live = !strcmp(path, "/");
	_cleanup_free_ char *inner = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (is_live)
		return open_tree(path, true, ret, err);
	if (stat(path, &st) < 0)
		return cv_fail_errno(err, -errno, path, "cannot open the system root");
	if (S_ISDIR(st.st_mode)) {
		if (asprintf(&inner, "%s/%s", path, MANIFEST_NAME) < 0)
			return cv_fail_errno(err, -ENOMEM, path, "cannot open the system root");
		if (access(inner, F_OK))
			return open_tree(path, false, ret, err);
		path = inner;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cv_fail_errno(err, -errno, path, "cannot open the manifest");
	return open_manifest(fd, path, ret, err);
}

bool cv_sysroot_is_live(const struct cv_sysroot *r)
{
	return r->is_live;
}

const char *cv_sysroot_dir(const struct cv_sysroot *r)
{
	return r->dir;
}

int cv_read(struct cv_sysroot *r, const char *path, char **ret, size_t *ret_len)
{
	return r->ops->read(r->ctx, path, ret, ret_len);
}

int cv_read_str(struct cv_sysroot *r, const char *path, char **ret)
{
	size_t len;
	int rc = cv_read(r, path, ret, &len);

	if (rc < 0)
		return rc;
	while (len && isspace((unsigned char)(*ret)[len - 1]))
		(*ret)[--len] = '\0';
	return 0;
}

int cv_read_into(struct cv_sysroot *r, const char *path, char *buf, size_t size)
{
	_cleanup_free_ char *text = NULL;
	int rc = cv_read_str(r, path, &text);

	return rc ? rc : cv_copy_text(buf, size, text);
}

int cv_read_u64(struct cv_sysroot *r, const char *path, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int rc = cv_read_str(r, path, &text);

	return rc ? rc : cv_parse_u64(text, ret);
}

int cv_read_hex(struct cv_sysroot *r, const char *path, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int rc = cv_read_str(r, path, &text);

	return rc ? rc : cv_parse_hex(text, ret);
}

int cv_read_int(struct cv_sysroot *r, const char *path, int *ret)
{
	_cleanup_free_ char *text = NULL;
	int rc = cv_read_str(r, path, &text);

	return rc ? rc : cv_parse_int(text, ret);
}

int cv_read_cpulist(struct cv_sysroot *r, const char *path, struct cv_cpuset *ret)
{
	_cleanup_free_ char *text = NULL;
	int rc = cv_read_str(r, path, &text);

	return rc ? rc : cv_parse_cpulist(text, ret);
}

int cv_readlink(struct cv_sysroot *r, const char *path, char **ret)
{
	return r->ops->readlink(r->ctx, path, ret);
}

int cv_readlink_base(struct cv_sysroot *r, const char *path, char *buf, size_t size)
{
	_cleanup_free_ char *target = NULL;
	const char *slash;
	int rc = cv_readlink(r, path, &target);

	if (rc)
		return rc;
	slash = strrchr(target, '/');
	return cv_copy_text(buf, size, slash ? slash + 1 : target);
}

int cv_list(struct cv_sysroot *r, const char *path, struct cv_strv *ret)
{
	return r->ops->list(r->ctx, *path ? path : "/", ret);
}

bool cv_exists(struct cv_sysroot *r, const char *path)
{
	struct stat st;

	return !cv_stat(r, path, &st);
}

int cv_stat(struct cv_sysroot *r, const char *path, struct stat *ret)
{
	return r->ops->stat(r->ctx, path, false, ret);
}

int cv_open(struct cv_sysroot *r, const char *path, int flags, mode_t mode)
{
	return r->ops->open(r->ctx, path, flags, mode);
}

int cv_write_str(struct cv_sysroot *r, const char *path, const char *value)
{
	return r->ops->write(r->ctx, path, value, strlen(value));
}

int cv_mkdir(struct cv_sysroot *r, const char *path, mode_t mode)
{
	return r->ops->mkdir(r->ctx, path, mode);
}

int cv_mkdir_p(struct cv_sysroot *r, const char *path, mode_t mode)
{
	_cleanup_free_ char *part = strdup(path);
	char *end = part;

	if (!part)
		return -ENOMEM;
	for (end += strspn(end, "/"); *end; end += strspn(end, "/")) {
		char saved;
		int rc;

		end += strcspn(end, "/");
		saved = *end;
		*end = '\0';
		rc = cv_mkdir(r, part, mode);
		if (rc && rc != -EEXIST)
			return rc;
		*end = saved;
	}
	return 0;
}

int cv_rmdir(struct cv_sysroot *r, const char *path)
{
	return r->ops->rmdir(r->ctx, path);
}

int cv_unlink(struct cv_sysroot *r, const char *path)
{
	return r->ops->unlink(r->ctx, path);
}

int cv_chown(struct cv_sysroot *r, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	return r->ops->chown(r->ctx, path, uid, gid, mode);
}

int cv_remove_tree(struct cv_sysroot *r, const char *path)
{
	struct stat st;
	int rc;

	if (r->dir)
		return cv_dirroot_remove_tree(r->ctx, path);
	rc = r->ops->stat(r->ctx, path, true, &st);
	if (rc)
		return rc;
	if (!S_ISDIR(st.st_mode))
		return cv_unlink(r, path);
	/* What cannot be removed shows up as -ENOTEMPTY here. */
	remove_below(r, path);
	return cv_rmdir(r, path);
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_durably(struct cv_sysroot *r, const char *path, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = cv_open(r, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode);
	int rc;

	if (fd < 0)
		return fd;
	if (fchmod(fd, mode) < 0)
		return -errno;
	rc = write_all(fd, text, strlen(text));
	if (rc)
		return rc;
	return fsync(fd) < 0 ? -errno : 0;
}

static int sync_parent(struct cv_sysroot *r, const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int fd = -1;
	char *slash;

	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	if (!slash)
		return -EINVAL;
	slash[1] = '\0';
	fd = cv_open(r, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

int cv_replace_file(struct cv_sysroot *r, const char *path, const char *text, mode_t mode)
{
	_cleanup_free_ char *tmp = NULL;
	int rc;

	if (asprintf(&tmp, "%s.tmp", path) < 0)
		return -ENOMEM;
	rc = write_durably(r, tmp, text, mode);
	if (!rc)
		rc = r->ops->rename(r->ctx, tmp, path);
	if (rc) {
		cv_unlink(r, tmp);
		return rc;
	}
	return sync_parent(r, path);
}

struct write_job {
	struct cv_sysroot *root;
	const char *path;
	const char *value;
};

static int run_write(void *arg)
{
	const struct write_job *job = arg;

	return cv_write_str(job->root, job->path, job->value);
}

int cv_write_deadline(struct cv_sysroot *r, const char *path, const char *value,
		      unsigned int deadline_ms)
{
	struct write_job job = { .root = r, .path = path, .value = value };
	int result;
	int rc = cv_child_run(run_write, &job, deadline_ms, &result);

	return rc ? rc : result;
}

const char *cv_pathf(char buf[CV_PATH_MAX], const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(buf, CV_PATH_MAX, fmt, ap);
	va_end(ap);
	if (len < 0 || len >= CV_PATH_MAX)
		buf[0] = '\0';
	return buf;
}
