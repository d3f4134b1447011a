/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfs: list of a site file. */
#ifndef CARVE_PLAN_SITE_VFS_H
#define CARVE_PLAN_SITE_VFS_H

#include <stddef.h>

#include "plan/source.h"
#include "plan/spec_yaml.h"
#include "plan/vf_policy.h"

/**
 * site_read_vfs() - the list of @raw, in its order
 * @ret: heap, NULL for an empty list
 * Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */
int site_read_vfs(const struct source *s, const struct raw_site *raw, struct vf_policy **ret,
		  size_t *ret_n);

#endif
