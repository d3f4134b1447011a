/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills the PCI part of the inventory (libpci for capabilities and names, sysfs for the rest). */
#ifndef CARVE_SRIOV_INVENTORY_H
#define CARVE_SRIOV_INVENTORY_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * struct sr_depth - how much is read; zero: every function in depth, no holders, no names
 * @holders:   also look for holders (reads /proc of every process: only where it decides)
 * @names:     also look up names (reads pci.ids)
 * @is_wanted: NULL: every function in depth. Otherwise those for which it returns true (it sees a
 *             function of which address, tree and what config space tells were read), the bridges
 *             above them, their PFs and VFs, and all members of their IOMMU groups; the others stay
 *             is_shallow. A plan needs no more, and a node has a thousand functions: the group of a
 *             shallow one may be -1, never that of a function read in depth. Nor does it need
 *             driver_override, the domain of a group, and driver, BARs and reset of a bridge.
 */
struct sr_depth {
	bool holders;
	bool names;
	bool (*is_wanted)(const struct inv_dev *d, void *ctx);
	void *ctx;
};

/**
 * sr_inventory_read() - all PCI functions with parent, group, node, BARs, link, ACS, SR-IOV, driver,
 * holder and quarantine
 * @inv: only devs, groups and the IOMMU facts of host are written
 * A function that a probe or unbind blocks hangs no reader: see sriov/locked.h.
 * Return: 0 or -errno with @err filled. A host without PCI is 0 devices.
 */
int sr_inventory_read(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv,
		      struct cv_error *err);

#endif
