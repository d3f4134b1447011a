/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One PCI function as sysfs describes it. */
#ifndef CARVE_SRIOV_DEVICE_H
#define CARVE_SRIOV_DEVICE_H

#include "base/sysroot.h"
#include "plan/inventory.h"
#include "sriov/pci.h"

/* What is missing or makes no sense becomes "unknown" (-1, 0, ""). What waits for the lock of the
 * function (driver_override, sriov_numvfs) is not read here: see sriov/locked.h. */

/** sr_device_vendor() - vendor and device id, where config space does not tell them: VFs. */
void sr_device_vendor(struct cv_sysroot *root, struct inv_dev *d);
/** sr_device_ids() - the same with the class, where config space cannot be read. */
void sr_device_ids(struct cv_sysroot *root, struct inv_dev *d);
/**
 * sr_device_sriov() - VFs of a PF, where its capabilities cannot be read; how many there are only for
 * one in quarantine
 */
void sr_device_sriov(struct cv_sysroot *root, struct inv_dev *d);
/** sr_device_count_vfs() - how many VFs there are, by the links of a PF that cannot be asked. */
void sr_device_count_vfs(struct cv_sysroot *root, struct inv_dev *d);

/**
 * sr_device_link() - link of a function, by its attributes; the kernel asks the device for them
 * @bdf: or a path below it: "0000:41:10.0/physfn"
 */
void sr_device_link(struct cv_sysroot *root, const char *bdf, struct inv_link *l);

/**
 * sr_device_read() - driver, NUMA node, BARs, reset methods, interface; the function is not shallow
 * any more
 * @c:       of @d: what config space told is not read again
 * @pf:      of a VF: what it shares with its PF (NUMA node, BARs) is taken from there when it is
 *           known; else NULL
 * @is_plan: leave out what no plan depends on: of a bridge all but its NUMA node
 */
void sr_device_read(struct cv_sysroot *root, const struct sr_config *c, const struct inv_dev *pf,
		    bool is_plan, struct inv_dev *d);

#endif
