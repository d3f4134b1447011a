/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first look at every PCI function: one read of its config space, and little else. */
#ifndef CARVE_SRIOV_SCAN_H
#define CARVE_SRIOV_SCAN_H

#include "base/sysroot.h"
#include "plan/inventory.h"
#include "sriov/pci.h"

/**
 * sr_scan() - the functions of the host in BDF order, each with what its config space tells
 * @inv:         devs; all is_shallow, relations, group and NUMA node are -1; quarantine is marked; what
 *               waits for the lock of a function is left to sr_locked_read()
 * @ret_configs: one per function, owned by the caller
 *
 * Files of sysfs are read only where config space cannot be, or is cut short. A VF that the capability
 * of its PF foresees is linked and has its PF's class; nothing of its own is read. The ids of VFs stay
 * unset: sr_tree_link() sets them.
 * Return: 0 or -errno with @err filled. A host without PCI is 0 devices.
 */
int sr_scan(struct cv_sysroot *root, struct sr_pci *pci, struct inventory *inv,
	    struct sr_config **ret_configs, struct cv_error *err);

/**
 * sr_scan_foreseen() - reads what sr_scan() spared: config space of a VF that is foreseen
 * One that turns out to be no VF is one of its own from then on.
 */
void sr_scan_foreseen(struct cv_sysroot *root, struct sr_pci *pci, struct inv_dev *d,
		      struct sr_config *c);

#endif
