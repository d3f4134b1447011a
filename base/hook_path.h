/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a path of the hooks ends, and that nobody but root can make it end elsewhere. */
#ifndef CARVE_BASE_HOOK_PATH_H
#define CARVE_BASE_HOOK_PATH_H

#include <sys/stat.h>

#include "base/error.h"
#include "base/sysroot.h"

/**
 * cv_hook_check_owner() - what root runs, only root may write; an unprivileged caller runs its own as well
 * @path: that @st is of, for @err
 * Return: 0, -EPERM with @err filled.
 */
int cv_hook_check_owner(const char *path, const struct stat *st, struct cv_error *err);

/**
 * cv_hook_resolve() - follow every link of @path inside the root
 * @ret:    the path without links; NULL: not wanted
 * @ret_st: of what it ends at, which is not judged
 *
 * Each directory on the way, those of links too, belongs to root and is writable by nobody else; a
 * sticky one that others write to does not pass. From the root down, so that behind a directory that
 * passed only root can change what comes next.
 * Return: 0; -ENOENT (@err untouched) when nothing of that name is there, also below a link to a
 * directory that is; -EPERM; -ENOLINK a link leads to nothing; -ELOOP; -errno; all with @err filled.
 */
int cv_hook_resolve(struct cv_sysroot *r, const char *path, char ret[CV_PATH_MAX],
		    struct stat *ret_st, struct cv_error *err);

#endif
