// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows for BARs in the guest's address space, and whether they fit the CPU's address bits. */
#include "plan/memory_map.h"

#include <errno.h>
#include <stdio.h>

#include "base/parse.h"

#define MAX_BITS 57 /* of MAP_ADDRESS_MAX */
#define GIB (1ULL << 30)

unsigned int map_bits(uint64_t end)
{
	unsigned int bits = 32;

	while (bits < 64 && end > 1ULL << bits)
		bits++;
	return bits;
}

uint64_t map_hole64_start(const struct plan *p)
{
	uint64_t end = PLAN_4G;

	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_RAM && p->ranges[i].start >= PLAN_4G)
			end = p->ranges[i].start + p->ranges[i].size;
	return map_align_up(end, GIB);
}

static bool has_bars(const struct inv_bar *bars)
{
	for (size_t i = 0; i < INV_MAX_BARS; i++)
		if (bars[i].size)
			return true;
	return false;
}

/* A bridge forwards 64-bit addresses in its prefetchable window alone (PCI-to-PCI Bridge 1.2 section
 * 3.2.5.9): everything else behind a port needs an address below 4 GiB. */
struct map_demand map_demand_of(const struct inventory *inv, const struct place_dev *dev)
{
	const struct inv_bar *bars = dev->dev >= 0 ? inv->devs[dev->dev].bars : NULL;
	struct map_demand d = { 0 };

	if (dev->pf >= 0 && (!bars || !has_bars(bars)))
		bars = inv->devs[dev->pf].sriov.vf_bars;
	for (size_t i = 0; bars && i < INV_MAX_BARS; i++) {
		uint64_t size = bars[i].size < MAP_ADDRESS_MAX ? bars[i].size : MAP_ADDRESS_MAX;

		if (bars[i].is_io || !size)
			continue;
		if (bars[i].is_64bit && bars[i].is_prefetchable) {
			d.mmio64 += size;
			d.largest64 = size > d.largest64 ? size : d.largest64;
		} else {
			d.mmio32 += size;
		}
	}
	return d;
}

/* ---- windows ---- */

/* Window of one host bridge: each port's part is a multiple of its largest BAR, there is as much
 * again for what the guest's kernel places otherwise, and the whole is a power of two. */
static uint64_t window_of(const struct map *m, int guest_node, uint64_t *ret_largest)
{
	uint64_t sum = 0, size = GIB;

	*ret_largest = GIB;
	for (size_t i = 0; i < m->c->n_devs; i++) {
		struct map_demand d = map_demand_of(m->p->inv, &m->c->devs[i]);

		if (m->plan->devices[i].guest_node != guest_node || !d.mmio64)
			continue;
		if (sum < MAP_ADDRESS_MAX)
			sum += map_align_up(d.mmio64, d.largest64) + MAP_PORT_RESERVE;
		if (d.largest64 > *ret_largest)
			*ret_largest = d.largest64;
	}
	if (!sum)
		return 0;
	while (size < 2 * sum && size < MAP_ADDRESS_MAX)
		size <<= 1;
	return size;
}

/* @ret_end: the first address that nothing of the guest needs. */
int map_add_windows(struct map *m, bool is_final, uint64_t *ret_end)
{
	uint64_t at = map_align_up(map_ram_end(m) > PLAN_4G ? map_ram_end(m) : PLAN_4G, GIB),
		 largest;
	uint64_t end = at + m->vmm->hole64;
	int r = 0;

	for (size_t i = 0; i < m->plan->n_nodes && r == 0; i++) {
		uint64_t size = window_of(m, (int)i, &largest);
		const struct map_region *hit;
		char why[48];

		if (!size)
			continue;
		at = map_align_up(at, largest);
		while ((hit = map_find_overlap(m, at, at + size)))
			at = map_align_up(hit->end, largest);
		snprintf(why, sizeof(why), "BARs of node %zu", i);
		if (is_final)
			r = map_add_range(m, PLAN_MMIO64, at, at + size, (int)i, why);
		at += size;
		end = at > end ? at : end;
	}
	*ret_end = end;
	return r;
}

/* The rest below 4 GiB, between what is reserved. */
int map_add_mmio32(struct map *m)
{
	uint64_t at = m->below;
	int r = 0;

	for (size_t i = 0; i < m->n_regions && r == 0 && m->regions[i].start < PLAN_4G; i++) {
		if (m->regions[i].end <= at)
			continue;
		r = map_add_range(m, PLAN_MMIO32, at, m->regions[i].start, -1, "32-bit devices");
		at = m->regions[i].end;
	}
	return r < 0 ? r : map_add_range(m, PLAN_MMIO32, at, PLAN_4G, -1, "32-bit devices");
}

/* ---- does it fit? ---- */

static int check_phys_bits(struct map *m)
{
	unsigned int known = m->p->inv->host.phys_bits, need = m->plan->phys_bits;
	unsigned int have = known && known < MAX_BITS ? known : MAX_BITS;

	if (need <= have)
		return 0;
	cv_fail(m->err, -ENOSPC, CV_EXIT_PRECONDITION, "MMIO_WINDOW", m->plan->name,
		"memory and BARs of the guest need more physical address bits than the CPU has");
	cv_error_found(m->err, "%u bits needed", need);
	cv_error_wanted(m->err, "at most %u bits", have);
	cv_error_hint(m->err, "give the guest fewer devices with large BARs, or less memory; a "
			      "resizable BAR can be made smaller");
	return -ENOSPC;
}

static int check_mmio32(struct map *m)
{
	uint64_t need = 0, room = m->vmm->mmio32_end - m->vmm->mmio32;
	char want[CV_SIZE_MAX], have[CV_SIZE_MAX];

	for (size_t i = 0; i < m->plan->n_devices; i++)
		need += m->plan->devices[i].mmio32 + MAP_PORT_RESERVE / 2;
	if (need <= room)
		return 0;
	cv_fail(m->err, -ENOSPC, CV_EXIT_PRECONDITION, "MMIO_WINDOW", m->plan->name,
		"the BARs that need addresses below 4G do not fit there");
	cv_error_found(m->err, "%s needed", cv_format_size(need, want));
	cv_error_wanted(m->err, "at most %s", cv_format_size(room, have));
	cv_error_hint(m->err, "give the guest fewer devices");
	return -ENOSPC;
}

int map_check_space(struct map *m)
{
	int r = check_phys_bits(m);

	return r ?: check_mmio32(m);
}
