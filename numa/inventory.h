/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills the CPU, memory and host part of the inventory (hwloc for the CPU side). */
#ifndef CARVE_NUMA_INVENTORY_H
#define CARVE_NUMA_INVENTORY_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_inventory_read() - host facts, CPUs, NUMA nodes with distances and huge page pools
 * @root: the host or a snapshot; for a snapshot hwloc is pointed at cv_sysroot_dir() by the caller
 *        (HWLOC_FSROOT, set by tools/ before the first call)
 * @inv:  zeroed or partly filled; only host, cpus and nodes are written
 * Return: 0 or -errno with @err filled.
 */
int nu_inventory_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

#endif
