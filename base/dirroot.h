/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root that is a directory of this machine ("/" included): the ops behind cv_sysroot_open(). */
#ifndef CARVE_BASE_DIRROOT_H
#define CARVE_BASE_DIRROOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sysroot.h"

extern const struct cv_sysroot_ops cv_dirroot_ops;

/**
 * cv_dirroot_new() - context of cv_dirroot_ops
 * @dirfd:   O_PATH descriptor of the root, consumed on success
 * @is_host: "/" itself: paths need no confinement, and magic links of /proc work
 * Return: 0, -ENOMEM.
 */
int cv_dirroot_new(int dirfd, bool is_host, void **ret_ctx);

/**
 * cv_dirroot_remove_tree() - what cv_remove_tree() does in such a root, by descriptors: no link is
 * followed, no mount is crossed, and no depth is too much, even where another user owns a directory
 * @ctx: of cv_dirroot_new()
 * Return: 0, -ENOENT, -ELOOP when a tree does not end, -errno.
 */
int cv_dirroot_remove_tree(void *ctx, const char *path);

/**
 * cv_read_fd() - all of an open file, whatever size it claims; NUL-terminated, not counted
 * Return: 0, -EFBIG when it holds more than @max bytes, -errno.
 */
int cv_read_fd(int fd, size_t max, char **ret, size_t *ret_len);

#endif
