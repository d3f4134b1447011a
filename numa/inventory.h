/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills the CPU, memory and host part of the inventory (sysfs, or an hwloc XML file). */
#ifndef CARVE_NUMA_INVENTORY_H
#define CARVE_NUMA_INVENTORY_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * struct nu_depth - how much is read
 * @noise:     also what only the audit judges (struct inv_noise, irqs of CPUs, free_blocks)
 * @hwloc_xml: path of an hwloc XML file (lstopo --of xml): CPUs, caches and nodes come from it and
 *             not from the root, pools of huge pages are as large as it says and free; NULL: sysfs
 */
struct nu_depth {
	bool noise;
	const char *hwloc_xml;
};

/**
 * nu_inventory_read() - host facts, CPUs, NUMA nodes with distances and huge page pools
 * The CPU side is read from sysfs directly: hwloc takes ten times as long on large machines. Both agree
 * on every fixture (tests/unit/test_topology.c).
 * @inv:  zeroed or partly filled; only host, cpus, nodes and partitions are written
 * Return: 0 or -errno with @err filled.
 */
int nu_inventory_read(struct cv_sysroot *root, const struct nu_depth *depth, struct inventory *inv,
		      struct cv_error *err);

#endif
