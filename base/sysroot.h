/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All access to /sys, /proc, /dev, /run/carve, /etc/carve and /var/lib/carve: the real host, a
 * snapshot directory, or a behavioural fake. */
#ifndef CARVE_BASE_SYSROOT_H
#define CARVE_BASE_SYSROOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/cpulist.h"
#include "base/error.h"
#include "base/strv.h"

struct cv_sysroot;

/**
 * struct cv_sysroot_ops - what a root can do; every path is absolute ("/sys/...") and is resolved
 * inside the root, never outside (openat2 RESOLVE_IN_ROOT for directories)
 *
 * @read:     whole file; *@ret is a heap buffer with a terminating NUL that is not counted
 * @write:    one write(2) of @len bytes, no O_CREAT; a short write is -EIO
 * @readlink: text of the link, not resolved
 * @list:     names in a directory without "." and "..", naturally sorted
 * @stat:     like stat(2), follows links inside the root; @nofollow like lstat(2)
 * @open:     like openat(2) with O_CLOEXEC added; needs a real file descriptor
 * @mkdir:    one directory; -EEXIST if there
 * @rmdir:    one empty directory
 * @unlink:   one file
 * @rename:   atomic rename
 * @chown:    owner and mode of a device node (uid or gid -1: keep, mode (mode_t)-1: keep)
 * @close:    release @ctx
 *
 * Guarantees: 0 or a positive count on success, -errno otherwise; no op prints.
 */
struct cv_sysroot_ops {
	int (*read)(void *ctx, const char *path, char **ret, size_t *ret_len);
	int (*write)(void *ctx, const char *path, const void *data, size_t len);
	int (*readlink)(void *ctx, const char *path, char **ret);
	int (*list)(void *ctx, const char *path, struct cv_strv *ret);
	int (*stat)(void *ctx, const char *path, bool nofollow, struct stat *ret);
	int (*open)(void *ctx, const char *path, int flags, mode_t mode);
	int (*mkdir)(void *ctx, const char *path, mode_t mode);
	int (*rmdir)(void *ctx, const char *path);
	int (*unlink)(void *ctx, const char *path);
	int (*rename)(void *ctx, const char *from, const char *to);
	int (*chown)(void *ctx, const char *path, uid_t uid, gid_t gid, mode_t mode);
	void (*close)(void *ctx);
};

/**
 * cv_sysroot_open() - the host ("/") or a directory, or a text manifest
 * @path: "/" for the live host; a directory that holds a tree; a directory that holds
 *        "manifest.sysroot", or a *.sysroot file: unpacked into a private temporary directory that
 *        cv_sysroot_close() removes
 * Return: 0, or -errno with @err filled (names the path, line and column of a bad manifest).
 */
int cv_sysroot_open(const char *path, struct cv_sysroot **ret, struct cv_error *err);
/** cv_sysroot_new() - a root with injected ops; @ctx is consumed on success. Return: 0, -ENOMEM. */
int cv_sysroot_new(const struct cv_sysroot_ops *ops, void *ctx, struct cv_sysroot **ret);
void cv_sysroot_close(struct cv_sysroot *r);
static inline void cv_sysroot_closep(struct cv_sysroot **r)
{
	if (*r)
		cv_sysroot_close(*r);
}

/** cv_sysroot_is_live() - true for the real host: only then may anything be changed. */
bool cv_sysroot_is_live(const struct cv_sysroot *r);
/** cv_sysroot_dir() - directory of the tree for libpci and hwloc, "/" when live, NULL for a fake. */
const char *cv_sysroot_dir(const struct cv_sysroot *r);

/* Thin typed access. Each returns 0 or -errno; @ret is written only on success. */
int cv_read(struct cv_sysroot *r, const char *path, char **ret, size_t *ret_len);
/** cv_read_str() - text without the trailing newline and blanks. */
int cv_read_str(struct cv_sysroot *r, const char *path, char **ret);
/** cv_read_into() - like cv_read_str() into a fixed buffer; -ENAMETOOLONG if it does not fit. */
int cv_read_into(struct cv_sysroot *r, const char *path, char *buf, size_t size);
int cv_read_u64(struct cv_sysroot *r, const char *path, uint64_t *ret);
int cv_read_hex(struct cv_sysroot *r, const char *path, uint64_t *ret);
int cv_read_int(struct cv_sysroot *r, const char *path, int *ret);
int cv_read_cpulist(struct cv_sysroot *r, const char *path, struct cv_cpuset *ret);
int cv_readlink(struct cv_sysroot *r, const char *path, char **ret);
/** cv_readlink_base() - last component of the link's text ("vfio-pci" of .../driver). */
int cv_readlink_base(struct cv_sysroot *r, const char *path, char *buf, size_t size);
int cv_list(struct cv_sysroot *r, const char *path, struct cv_strv *ret);
bool cv_exists(struct cv_sysroot *r, const char *path);
int cv_stat(struct cv_sysroot *r, const char *path, struct stat *ret);
int cv_open(struct cv_sysroot *r, const char *path, int flags, mode_t mode);
int cv_write_str(struct cv_sysroot *r, const char *path, const char *value);
int cv_mkdir(struct cv_sysroot *r, const char *path, mode_t mode);
/** cv_mkdir_p() - all missing components. */
int cv_mkdir_p(struct cv_sysroot *r, const char *path, mode_t mode);
int cv_rmdir(struct cv_sysroot *r, const char *path);
int cv_unlink(struct cv_sysroot *r, const char *path);
int cv_chown(struct cv_sysroot *r, const char *path, uid_t uid, gid_t gid, mode_t mode);
/**
 * cv_remove_tree() - a directory of ours with everything below (state directories only)
 *
 * Parts of it may belong to another user who changes them meanwhile: no link in it is followed.
 * Return: 0, -ENOENT, or -errno of the first thing that could not be removed.
 */
int cv_remove_tree(struct cv_sysroot *r, const char *path);

/**
 * cv_replace_file() - write @text to PATH.tmp, fsync, rename over PATH, fsync the directory
 * Return: 0 or -errno; the old file stays whole on failure.
 */
int cv_replace_file(struct cv_sysroot *r, const char *path, const char *text, mode_t mode);

/**
 * cv_write_deadline() - cv_write_str() in a child process, for writes that can block for ever
 * @deadline_ms: milliseconds until -ETIMEDOUT; the blocked child is left behind, never waited for
 * Return: 0 or -errno of the write, -ETIMEDOUT.
 */
int cv_write_deadline(struct cv_sysroot *r, const char *path, const char *value,
		      unsigned int deadline_ms);

/** cv_pathf() - a formatted path in a caller's buffer; overlong paths become "" (then -ENOENT). */
#define CV_PATH_MAX 512
const char *cv_pathf(char buf[CV_PATH_MAX], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
