/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How PCI functions hang together: bridges, root buses, VFs and their PFs. */
#ifndef CARVE_SRIOV_TREE_H
#define CARVE_SRIOV_TREE_H

#include "base/sysroot.h"
#include "plan/inventory.h"
#include "sriov/pci.h"

/**
 * sr_tree_link() - root, parent, pf and vf_index of every function, and the ids of VFs
 * @configs: as sr_scan() gave them
 *
 * One link is read for each bus. Whatever a snapshot claims, every chain of parents ends.
 * Return: 0, -ENOMEM with @err filled.
 */
int sr_tree_link(struct cv_sysroot *root, const struct sr_config *configs, struct inventory *inv,
		 struct cv_error *err);

/**
 * sr_parse_chain() - where a function hangs, from the target of its link in /sys/bus/pci/devices
 * @ret_root:   host bridge, "pci0000:40", "" when the path shows none; 16 bytes
 * @ret_parent: address of the upstream bridge
 * @ret_depth:  bridges above the function on its root
 * Return: 1 with a parent, 0 on a root bus.
 */
int sr_parse_chain(const char *target, char ret_root[16], struct cv_bdf *ret_parent,
		   unsigned int *ret_depth);

#endif
