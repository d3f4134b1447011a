/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the tables of the guest: what its PCIe tree and its memory map share. Not a public header of
 * plan/. */
#ifndef CARVE_PLAN_GUEST_TABLES_H
#define CARVE_PLAN_GUEST_TABLES_H

#include "plan/placement.h"

#define PLAN_4G 0x100000000ULL
#define MAP_MEMLOCK_MAX (1ULL << 62) /* JSON numbers end at 2^63 */
#define PLAN_MAX_BUSES 255 /* bus 0 is the VMM's own; PCIe Base 6.0 section 7.5.1.3.3: 8 bits */

/** struct map_demand - address space below one port: sums in bytes, and its largest BAR */
struct map_demand {
	uint64_t mmio32, mmio64;
	uint64_t largest64;
};

/** map_demand_of() - what the BARs of a chosen function need; those of a VF to come from its PF. */
struct map_demand map_demand_of(const struct inventory *inv, const struct place_dev *dev);

/** map_bits() - address bits needed for addresses up to and without @end. */
unsigned int map_bits(uint64_t end);

/**
 * map_low_default() - where QEMU's q35 ends RAM below 4 GiB when nothing lowers it
 * @total: bytes of RAM of the guest
 */
uint64_t map_low_default(uint64_t total);

/** map_hole64_start() - where QEMU's 64-bit PCI hole begins: 1 GiB after RAM, at 4 GiB or higher. */
uint64_t map_hole64_start(const struct plan *p);

#define MAP_HOLE64_DEFAULT (32ULL << 30) /* q35-pcihost.pci-hole64-size */

/**
 * plan_set_memory_map() - ranges, low_limit, phys_bits and memlock of a plan with nodes and devices
 * Return: 0; -ENOSPC with @err IOVA_RESERVED, MMIO_WINDOW or DMA_ENTRY_LIMIT; -ENOMEM.
 */
int plan_set_memory_map(struct plan *plan, const struct place *p, const struct place_choice *c,
			struct cv_error *err);

/** plan_contradiction() - Return: NULL, or the parts of a plan that do not agree with each other. */
const char *plan_contradiction(const struct plan *p);

#endif
