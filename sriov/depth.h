/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which functions are read in depth: those that a plan can touch. */
#ifndef CARVE_SRIOV_DEPTH_H
#define CARVE_SRIOV_DEPTH_H

#include "sriov/inventory.h"

/**
 * sr_depth_choose() - group of the functions that matter, and who they are
 * @inv:      as sr_tree_link() left it
 * @ret_deep: one per function, owned by the caller: those that sr_depth wants, with their PFs, VFs,
 *            group members and the bridges above; all without is_wanted
 *
 * Return: 0, -ENOMEM with @err filled.
 */
int sr_depth_choose(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv,
		    bool **ret_deep, struct cv_error *err);

#endif
