/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host as a snapshot shows it: only what Carve reads, and nothing that is nobody's business. */
#ifndef CARVE_TOOLS_CAPTURE_VIEW_H
#define CARVE_TOOLS_CAPTURE_VIEW_H

#include "base/error.h"
#include "base/sysroot.h"

/**
 * capture_view_open() - a read-only view of @host
 * @host: borrowed; must outlive the view
 *
 * Directories list only names that matter (of /proc: processes that hold a device node), long tables
 * are cut down to the lines that are looked at, /proc/self is a directory. All other paths are
 * @host's own.
 * Return: 0, -ENOMEM.
 */
int capture_view_open(struct cv_sysroot *host, struct cv_sysroot **ret, struct cv_error *err);

#endif
