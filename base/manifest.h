/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text manifest: a captured sysfs/procfs tree, one entry per line (docs/formats/sysroot.md). */
#ifndef CARVE_BASE_MANIFEST_H
#define CARVE_BASE_MANIFEST_H

#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/sysroot.h"

/*
 * carve-sysroot 1
 * # comment
 * d sys/devices
 * f sys/x/y "text with \n \" \\ and \xNN escapes"
 * b sys/x/config 0a0b0c...            (bytes in hex)
 * l sys/bus/pci/devices/0000:00:00.0 ../../../devices/pci0000:00/0000:00:00.0
 * n dev/vfio/12 c 0600 0 0            (device node: type, mode, uid, gid; unpacked as an empty file)
 * Parents are implied. Entries are sorted by path. No entry may leave the root (".." in a path, an
 * entry below a link) or appear twice.
 */

/** cv_manifest_unpack() - make the tree below @dirfd. Return: 0, -EINVAL with file:line:col, ... */
int cv_manifest_unpack(const char *text, size_t len, const char *origin, int dirfd,
		       struct cv_error *err);

/**
 * struct cv_capture - what to capture of a host: one pattern per path
 * @path: path with '*' in components as in a shell; a directory named here is captured with its plain
 *        files only when @depth > 0
 * @depth: levels of directories below the path to descend (0: just this file or link)
 */
struct cv_capture {
	const char *path;
	unsigned int depth;
};

/**
 * cv_manifest_capture() - write the manifest of the named paths of @root to @out
 *
 * Unreadable files are left out (a manifest of an unprivileged user holds 64 bytes of config space);
 * files over 64 KiB are cut. Deterministic: sorted by path.
 * Return: number of entries, or -errno.
 */
int cv_manifest_capture(struct cv_sysroot *root, const struct cv_capture *what, size_t n, FILE *out,
			struct cv_error *err);

#endif
