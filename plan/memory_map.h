/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the making of a memory map: RAM and reserved regions, and the windows for BARs. Not a public
 * header of plan/. */
#ifndef CARVE_PLAN_MEMORY_MAP_H
#define CARVE_PLAN_MEMORY_MAP_H

#include "plan/guest_tables.h"

#define MAP_ADDRESS_MAX (1ULL << 57)  /* nothing of a guest lies above (5-level paging) */
#define MAP_PORT_RESERVE (2ULL << 20) /* a port's own BAR, and what firmware keeps for hot-plug */

/**
 * struct map_backend - where a VMM puts things; one row of each
 * @low_many:    RAM below 4 GiB ends here when the guest has @many bytes or more
 * @low_few:     ... and here when it has less
 * @mmio32, @mmio32_end: where BARs below 4 GiB lie
 * @hole64:      64-bit PCI hole that is there even without large BARs
 * @amd_moves:   on AMD hosts all that lies above 4 GiB moves to 1 TiB, when it would reach the
 *               HyperTransport range
 * @opens_groups: plan_vmm_opens_groups()
 * @fills_top:   its firmware puts BARs at the top of the address space, wherever the plan would have them
 */
struct map_backend {
	const char *name;
	uint64_t many, low_many, low_few;
	uint64_t mmio32, mmio32_end;
	uint64_t hole64;
	bool amd_moves, fills_top, opens_groups;
};

/** struct map_region - what a device's group reserves; @dev is the inventory index, -1: the platform */
struct map_region {
	uint64_t start, end; /* @end is the first byte after it */
	const char *type;
	int group, dev;
};

/**
 * struct map - while a map is made
 * @high:  start of RAM above 4 GiB
 * @below: bytes of RAM below 4 GiB
 */
struct map {
	struct plan *plan;
	const struct place *p;
	const struct place_choice *c;
	const struct map_backend *vmm;
	struct map_region *regions;
	size_t n_regions;
	uint64_t total, below, high;
	struct cv_error *err;
};

/** map_align_up() - @to need not be a power of two. */
static inline uint64_t map_align_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

/** map_ram_end() - the first address after RAM above 4 GiB; where that would begin without any. */
static inline uint64_t map_ram_end(const struct map *m)
{
	return m->high + m->total - m->below;
}

/** map_find_overlap() - the first reserved region in [@start, @end), or NULL. */
const struct map_region *map_find_overlap(const struct map *m, uint64_t start, uint64_t end);

/** map_add_range() - to the plan; nothing when it is empty. Return: 0, -ENOMEM. */
int map_add_range(struct map *m, enum plan_range_kind kind, uint64_t start, uint64_t end,
		  int guest_node, const char *why);

/**
 * map_add_windows() - a window for 64-bit BARs of each guest node with such, above RAM
 * @is_final: false: only look how far they reach
 * @ret_end:  the first address that nothing of the guest needs
 */
int map_add_windows(struct map *m, bool is_final, uint64_t *ret_end);

/** map_add_mmio32() - the rest below 4 GiB, between what is reserved. */
int map_add_mmio32(struct map *m);

/** map_check_space() - do the CPU's address bits, and 32-bit space, suffice? Return: 0, -ENOSPC. */
int map_check_space(struct map *m);

#endif
