/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One PCI function as sysfs describes it. */
#ifndef CARVE_SRIOV_DEVICE_H
#define CARVE_SRIOV_DEVICE_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * sr_device_read() - ids, driver, group, node, BARs, link, reset methods, SR-IOV and netdev of d->bdf
 * What is missing or makes no sense becomes "unknown" (-1, 0, ""); relations to other functions
 * (parent, pf, vf_index) are left at -1. Where d->is_quarantined is set, what waits for the lock of the
 * device (driver_override, sriov_numvfs) is not read.
 */
void sr_device_read(struct cv_sysroot *root, struct inv_dev *d);

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
