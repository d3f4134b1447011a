// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/dirroot.h"

#define READ_MAX (16UL << 20)
/* First buffer: one page of the kernel and the terminating NUL. */
#define READ_FIRST 4097
/* A file of sysfs gives all it has at once; one made of records (cgroup.procs) may stop a record
 * short of a page. So a read of at most this much that did not fill its buffer was the last one. */
#define READ_WHOLE 2048
#define LIST_BUFFER (32UL << 10)
/* openat2() gives up with EAGAIN when a rename races with ".."; this often it may. */
#define RESOLVE_TRIES 32
/* Directories of one tree that are moved up before their removal; only malice makes so many. */
#define MOVED_MAX (1U << 20)

struct dirroot {
	int dirfd;
	bool is_host;
};

int cv_dirroot_new(int dirfd, bool is_host, void **ret_ctx)
{
	struct dirroot *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct dirroot){ .dirfd = dirfd, .is_host = is_host };
	*ret_ctx = d;
	return 0;
}

static void dir_close(void *ctx)
{
	struct dirroot *d = ctx;

	close(d->dirfd);
	free(d);
}

static int open_path(const struct dirroot *d, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned int)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode & 07777 : 0,
		.resolve = d->is_host ? 0 : RESOLVE_IN_ROOT,
	};

	if (!*path)
		return -ENOENT;
	if (*path != '/')
		return -EINVAL;
	path += strspn(path, "/");
	for (int i = 0; i < RESOLVE_TRIES; i++) {
		long fd = syscall(SYS_openat2, d->dirfd, *path ? path : ".", &how, sizeof(how));

		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
	}
	return -EAGAIN;
}

static ssize_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* @is_whole: a short read ends the file. */
static int read_all(int fd, size_t max, bool is_whole, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *buf = NULL;
	size_t size = 0, len = 0;
	ssize_t n;

	do {
		if (size - len < 2) {
			char *grown = realloc(buf, size ? size * 2 : READ_FIRST);

			if (!grown)
				return -ENOMEM;
			size = size ? size * 2 : READ_FIRST;
			buf = grown;
		}
		n = read_some(fd, buf + len, size - len - 1);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
	} while (n && !(is_whole && n <= READ_WHOLE && len + 1 < size));
	buf[len] = '\0';
	*ret = TAKE_PTR(buf);
	*ret_len = len;
	return 0;
}

int cv_read_fd(int fd, size_t max, char **ret, size_t *ret_len)
{
	return read_all(fd, max, false, ret, ret_len);
}

static int dir_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	const struct dirroot *d = ctx;
	/* A FIFO in somebody's directory must not block the reader. */
	_cleanup_close_ int fd = open_path(d, path, O_RDONLY | (d->is_host ? 0 : O_NONBLOCK), 0);

	return fd < 0 ? fd : read_all(fd, READ_MAX, !strncmp(path, "/sys/", 5), ret, ret_len);
}

static int dir_write(void *ctx, const char *path, const void *data, size_t len)
{
	const struct dirroot *d = ctx;
	/* O_TRUNC means nothing to sysfs; in a plain directory it makes the value the whole file. */
	_cleanup_close_ int fd = open_path(d, path,
					   O_WRONLY | O_TRUNC | (d->is_host ? 0 : O_NONBLOCK), 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, data, len);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int dir_readlink(void *ctx, const char *path, char **ret)
{
	_cleanup_close_ int fd = open_path(ctx, path, O_PATH | O_NOFOLLOW, 0);
	char target[PATH_MAX];
	ssize_t len;
	char *copy;

	if (fd < 0)
		return fd;
	len = readlinkat(fd, "", target, sizeof(target));
	if (len < 0)
		return errno == ENOENT ? -EINVAL : -errno; /* what is open is no link */
	copy = strndup(target, (size_t)len);
	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int add_names(const char *buf, size_t len, struct cv_strv *names)
{
	const struct dirent64 *e;
	int rc = 0;

	for (size_t at = 0; at < len && !rc; at += e->d_reclen) {
		e = (const void *)(buf + at);
		if (!is_dots(e->d_name))
			rc = cv_strv_add(names, e->d_name);
	}
	return rc;
}

/* @opened is a directory, consumed, or -errno. */
static int list_fd(int opened, struct cv_strv *ret)
{
	_cleanup_close_ int fd = opened;
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *buf = NULL;
	ssize_t n;

	if (fd < 0)
		return fd;
	buf = malloc(LIST_BUFFER);
	if (!buf)
		return -ENOMEM;
	while ((n = getdents64(fd, buf, LIST_BUFFER)) > 0) {
		int rc = add_names(buf, (size_t)n, &names);

		if (rc)
			return rc;
	}
	if (n < 0)
		return -errno;
	cv_strv_sort(&names);
	*ret = names;
	names = (struct cv_strv){ 0 };
	return 0;
}

static int dir_list(void *ctx, const char *path, struct cv_strv *ret)
{
	return list_fd(open_path(ctx, path, O_RDONLY | O_DIRECTORY, 0), ret);
}

static int dir_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	_cleanup_close_ int fd = open_path(ctx, path, O_PATH | (nofollow ? O_NOFOLLOW : 0), 0);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = st;
	return 0;
}

static int dir_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return open_path(ctx, path, flags, mode);
}

/* Return: descriptor of the directory that holds the last component, which *@ret_name points to. */
static int open_parent(const struct dirroot *d, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	int len, fd;

	if (!slash)
		return *path ? -EINVAL : -ENOENT;
	if (!slash[1] || !strcmp(slash + 1, ".") || !strcmp(slash + 1, ".."))
		return -EINVAL;
	len = snprintf(parent, sizeof(parent), "%.*s/", (int)(slash - path), path);
	if (len >= (int)sizeof(parent))
		return -ENAMETOOLONG;
	fd = open_path(d, parent, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		*ret_name = slash + 1;
	return fd;
}

static int dir_mkdir(void *ctx, const char *path, mode_t mode)
{
	const char *name;
	_cleanup_close_ int fd = open_parent(ctx, path, &name);

	if (fd < 0)
		return fd;
	return mkdirat(fd, name, mode) < 0 ? -errno : 0;
}

static int remove_entry(const struct dirroot *d, const char *path, int flags)
{
	const char *name;
	_cleanup_close_ int fd = open_parent(d, path, &name);

	if (fd < 0)
		return fd;
	return unlinkat(fd, name, flags) < 0 ? -errno : 0;
}

static int dir_rmdir(void *ctx, const char *path)
{
	return remove_entry(ctx, path, AT_REMOVEDIR);
}

static int dir_unlink(void *ctx, const char *path)
{
	return remove_entry(ctx, path, 0);
}

static int dir_rename(void *ctx, const char *from, const char *to)
{
	const char *old_name, *new_name;
	_cleanup_close_ int old_fd = open_parent(ctx, from, &old_name);
	_cleanup_close_ int new_fd = open_parent(ctx, to, &new_name);

	if (old_fd < 0)
		return old_fd;
	if (new_fd < 0)
		return new_fd;
	return renameat(old_fd, old_name, new_fd, new_name) < 0 ? -errno : 0;
}

static int dir_chown(void *ctx, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	const char *name;
	_cleanup_close_ int fd = open_parent(ctx, path, &name);
	struct stat st;

	if (fd < 0)
		return fd;
	/* fchmodat() follows links whatever its flags say: refuse one. */
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (mode != (mode_t)-1 && fchmodat(fd, name, mode & 07777, 0) < 0)
		return -errno;
	return 0;
}

const struct cv_sysroot_ops cv_dirroot_ops = {
	.read = dir_read,
	.write = dir_write,
	.readlink = dir_readlink,
	.list = dir_list,
	.stat = dir_stat,
	.open = dir_open,
	.mkdir = dir_mkdir,
	.rmdir = dir_rmdir,
	.unlink = dir_unlink,
	.rename = dir_rename,
	.chown = dir_chown,
	.close = dir_close,
};

/* ---- removal of trees ---- */

/* A directory right below @dirfd (or "."), never one that a link or a mount leads to. */
static int open_below(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Another user's directory becomes ours, so that nothing is added while it is emptied. */
static int seal(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid == geteuid())
		return 0;
	return fchown(fd, geteuid(), (gid_t)-1) < 0 || fchmod(fd, 0700) < 0 ? -errno : 0;
}

/* Return: 0, -ENOTEMPTY for a directory that is not, -errno. */
static int remove_one(int dirfd, const char *name)
{
	if (!unlinkat(dirfd, name, 0))
		return 0;
	if (errno != EISDIR)
		return -errno;
	return unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int move_up(int dirfd, const char *name, int top, unsigned int *moved)
{
	while (*moved < MOVED_MAX) {
		char to[32];

		snprintf(to, sizeof(to), ".removed-%u", (*moved)++);
		if (!renameat(dirfd, name, top, to))
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR)
			return -errno;
	}
	return -ELOOP;
}

/* Removes one level of the directory @name of @top: what is not empty in it moves up to @top. */
static int remove_level(int top, const char *name, unsigned int *moved)
{
	_cleanup_close_ int fd = open_below(top, name);
	_cleanup_strv_ struct cv_strv names = { 0 };
	int first = fd < 0 ? fd : seal(fd);

	if (!first)
		first = list_fd(open_below(fd, "."), &names);
	for (size_t i = 0; i < names.n; i++) {
		int rc = remove_one(fd, names.v[i]);

		if (rc == -ENOTEMPTY)
			rc = move_up(fd, names.v[i], top, moved);
		if (rc && rc != -ENOENT && !first)
			first = rc;
	}
	if (first)
		return first;
	return unlinkat(top, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* Level by level, with two descriptors at a time however deep the tree is. */
static int empty_dir(int top)
{
	unsigned int moved = 0;
	unsigned int before;
	int first = seal(top);

	do {
		_cleanup_strv_ struct cv_strv names = { 0 };

		before = moved;
		if (!first)
			first = list_fd(open_below(top, "."), &names);
		for (size_t i = 0; i < names.n; i++) {
			int rc = remove_one(top, names.v[i]);

			if (rc == -ENOTEMPTY)
				rc = remove_level(top, names.v[i], &moved);
			if (rc && rc != -ENOENT && !first)
				first = rc;
		}
	} while (moved != before && !first);
	return first;
}

int cv_dirroot_remove_tree(void *ctx, const char *path)
{
	const char *name;
	_cleanup_close_ int parent = open_parent(ctx, path, &name);
	_cleanup_close_ int fd = -1;
	int rc = parent < 0 ? parent : remove_one(parent, name);

	if (rc != -ENOTEMPTY)
		return rc;
	fd = open_below(parent, name);
	rc = fd < 0 ? fd : empty_dir(fd);
	if (rc)
		return rc;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}
