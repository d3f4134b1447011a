/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills the PCI part of the inventory (libpci for capabilities and names, sysfs for the rest). */
#ifndef CARVE_SRIOV_INVENTORY_H
#define CARVE_SRIOV_INVENTORY_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * sr_inventory_read() - all PCI functions with parent, group, node, BARs, link, ACS, SR-IOV, driver,
 * holder and quarantine
 * @with_holders: also look for holders (reads /proc of every process: only where it decides)
 * @inv: only devs, n_devs and the IOMMU facts of host are written
 * Return: 0 or -errno with @err filled. A host without PCI is 0 devices.
 */
int sr_inventory_read(struct cv_sysroot *root, bool with_holders, struct inventory *inv,
		      struct cv_error *err);

#endif
