// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's physical address space: RAM around what the host reserves, and windows for BARs. */
#include "plan/memory_map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define LOW_MIN (256ULL << 20)	   /* RAM below 4 GiB that firmware, kernel and initrd need */
#define MEMLOCK_SLACK (1ULL << 30) /* the VMM's own buffers */
#define AMD_HOLE_BITS 40U	   /* it ends at 2^40 */
#define LEGACY_SECTIONS 16	   /* QEMU maps RAM below 1 MiB in pieces (PAM registers) */
#define MAPS_PER_DEVICE INV_MAX_BARS

/* QEMU: pc_q35_init(), pc_memory_init() and pc_max_used_gpa() of hw/i386 (7.1 and later); 32-bit BARs
 * after SeaBIOS's ECAM, up to the I/O APIC. Native: vmm/core/layout.h. */
static const struct map_backend backends[] = {
	{ "qemu", 0xb0000000, 0x80000000, 0xb0000000, 0xc0000000, 0xfec00000, MAP_HOLE64_DEFAULT,
	  true, true, true },
	{ "native", 0xc0000000, 0xc0000000, 0xc0000000, 0xc0000000, 0xe0000000, 0, true, false,
	  false },
};

/* ---- sizes ---- */

static const struct map_backend *find_backend(const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(backends); i++)
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	return &backends[0];
}

bool plan_vmm_opens_groups(const char *backend)
{
	return find_backend(backend)->opens_groups;
}

static uint64_t low_default(const struct map_backend *b, uint64_t total)
{
	return total >= b->many ? b->low_many : b->low_few;
}

uint64_t map_low_default(uint64_t total)
{
	return low_default(&backends[0], total);
}

/* ---- what is reserved ---- */

static int add_region(struct map *m, struct map_region r)
{
	struct map_region *grown = reallocarray(m->regions, m->n_regions + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	m->regions = grown;
	grown[m->n_regions++] = r;
	return 0;
}

static int warn_relaxable(struct map *m, const struct inv_region *r, int group)
{
	return plan_add_reason(m->plan, "memory map",
			       "IOMMU group %d maps 0x%llx-0x%llx for firmware while the host uses "
			       "the device (direct-relaxable): not kept free",
			       group, (unsigned long long)r->start, (unsigned long long)r->end);
}

static int add_group(struct map *m, int dev)
{
	const struct inv_group *g = inv_find_group(m->p->inv, m->p->inv->devs[dev].group);
	int r = 0;

	for (size_t i = 0; g && i < g->n_regions && i < INV_MAX_REGIONS && r == 0; i++) {
		const struct inv_region *from = &g->regions[i];
		uint64_t end = from->end < MAP_ADDRESS_MAX ? from->end + 1 : MAP_ADDRESS_MAX;

		if (strcmp(from->type, "direct-relaxable") == 0)
			r = warn_relaxable(m, from, g->id);
		else if (from->start < end)
			r = add_region(m, (struct map_region){ from->start, end, from->type, g->id,
							       dev });
	}
	return r;
}

static int by_start(const void *a, const void *b)
{
	const struct map_region *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Overlapping ones become one, named as the first. */
static void merge_regions(struct map *m)
{
	size_t n = 0;

	if (m->n_regions == 0)
		return;
	qsort(m->regions, m->n_regions, sizeof(*m->regions), by_start);
	for (size_t i = 1; i < m->n_regions; i++) {
		struct map_region *last = &m->regions[n];

		if (m->regions[i].start >= last->end)
			m->regions[++n] = m->regions[i];
		else if (m->regions[i].end > last->end)
			last->end = m->regions[i].end;
	}
	m->n_regions = n + 1;
}

static bool is_amd(const struct map *m)
{
	return strcmp(m->p->inv->host.cpu_vendor, "AuthenticAMD") == 0;
}

/* A group stands once, however many of its functions are taken; a VF to come has its PF's regions. */
static int collect_regions(struct map *m)
{
	int r = 0;

	if (is_amd(m))
		r = add_region(m, (struct map_region){ PLAN_AMD_HOLE_START, PLAN_AMD_HOLE_END,
						       "AMD HyperTransport", -1, -1 });
	for (size_t i = 0; i < m->c->n_devs && r == 0; i++) {
		const struct place_dev *d = &m->c->devs[i];
		int dev = d->dev >= 0 ? d->dev : d->pf;
		bool again = false;

		for (size_t k = 0; k < i; k++) {
			int other = m->c->devs[k].dev >= 0 ? m->c->devs[k].dev : m->c->devs[k].pf;

			again |= m->p->inv->devs[other].group == m->p->inv->devs[dev].group;
		}
		r = again ? 0 : add_group(m, dev);
	}
	merge_regions(m);
	return r;
}

const struct map_region *map_find_overlap(const struct map *m, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < m->n_regions; i++)
		if (m->regions[i].start < end && start < m->regions[i].end)
			return &m->regions[i];
	return NULL;
}

/** struct refusal - which memory lies where a region is, and what to do */
struct refusal {
	const char *wanted, *hint;
};

static const struct refusal low_refusal = {
	"at least 256M of memory below it, in whole pages",
	"use smaller pages (page_size: 2M), or give the guest another device",
};

static const struct refusal high_refusal = {
	"no reserved addresses among the memory above 4G",
	"give the guest less memory, or another device",
};

static int refuse_region(const struct inventory *inv, const char *name, const struct map_region *r,
			 const struct refusal *why, struct cv_error *err)
{
	char bdf[CV_BDF_MAX] = "the host";

	if (r->dev >= 0)
		cv_format_bdf(inv->devs[r->dev].bdf, bdf);
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "IOVA_RESERVED", name,
		"guest memory would lie where the IOMMU of %s reserves addresses", bdf);
	cv_error_found(err, "%s region 0x%llx-0x%llx of IOMMU group %d", r->type,
		       (unsigned long long)r->start, (unsigned long long)r->end - 1, r->group);
	cv_error_wanted(err, "%s", why->wanted);
	cv_error_hint(err, "%s", why->hint);
	return -ENOSPC;
}

/* ---- RAM ---- */

int map_add_range(struct map *m, enum plan_range_kind kind, uint64_t start, uint64_t end,
		  int guest_node, const char *why)
{
	struct plan *plan = m->plan;
	struct plan_range *grown;

	if (start >= end)
		return 0;
	grown = reallocarray(plan->ranges, plan->n_ranges + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	plan->ranges = grown;
	grown[plan->n_ranges] = (struct plan_range){ kind, start, end - start, guest_node, "" };
	snprintf(grown[plan->n_ranges].why, sizeof(grown->why), "%s", why);
	plan->n_ranges++;
	return 0;
}

/* RAM below 4 GiB ends before the first reserved region, in whole pages. */
static int set_low_limit(struct map *m)
{
	uint64_t page = m->plan->nodes[0].page_size, limit = low_default(m->vmm, m->total);
	const struct map_region *r = map_find_overlap(m, 0, m->total < limit ? m->total : limit);

	if (r) {
		limit = r->start / page * page;
		if (limit < LOW_MIN)
			return refuse_region(m->p->inv, m->plan->name, r, &low_refusal, m->err);
		int e = plan_add_reason(m->plan, "memory map",
					"memory below 4G ends at 0x%llx: group %d reserves "
					"0x%llx-0x%llx (%s)",
					(unsigned long long)limit, r->group,
					(unsigned long long)r->start,
					(unsigned long long)r->end - 1, r->type);
		if (e < 0)
			return e;
	}
	m->plan->low_limit = limit;
	m->below = m->total < limit ? m->total : limit;
	return 0;
}

/* The nodes follow each other; one that crosses the end of low memory goes on above 4 GiB. */
static int add_ram(struct map *m)
{
	uint64_t at = 0;
	int r = 0;

	for (size_t i = 0; i < m->plan->n_nodes && r == 0; i++) {
		uint64_t end = at + m->plan->nodes[i].memory;
		uint64_t low_end = end < m->below ? end : m->below;
		uint64_t high_at = at > m->below ? at : m->below;
		char why[32];

		snprintf(why, sizeof(why), "node %zu", i);
		r = map_add_range(m, PLAN_RAM, at, low_end, (int)i, why);
		if (r == 0 && end > m->below)
			r = map_add_range(m, PLAN_RAM, m->high + high_at - m->below,
					  m->high + end - m->below, (int)i, why);
		at = end;
	}
	return r;
}

static int check_high_ram(struct map *m)
{
	const struct map_region *r = map_find_overlap(m, m->high, map_ram_end(m));

	if (!r)
		return 0;
	return refuse_region(m->p->inv, m->plan->name, r, &high_refusal, m->err);
}

static int add_reserved(struct map *m)
{
	int r = 0;

	for (size_t i = 0; i < m->n_regions && r == 0; i++)
		r = map_add_range(m, PLAN_RESERVED, m->regions[i].start, m->regions[i].end, -1,
				  m->regions[i].type);
	return r;
}

static int check_dma_entries(struct map *m)
{
	int limit = m->p->inv->host.noise.dma_entry_limit;
	size_t need = LEGACY_SECTIONS + m->plan->n_devices * MAPS_PER_DEVICE;

	for (size_t i = 0; i < m->plan->n_ranges; i++)
		need += m->plan->ranges[i].kind == PLAN_RAM;
	if (limit <= 0 || m->plan->n_devices == 0 || need <= (size_t)limit)
		return 0;
	cv_fail(m->err, -ENOSPC, CV_EXIT_PRECONDITION, "DMA_ENTRY_LIMIT", m->plan->name,
		"the guest needs more DMA mappings than VFIO allows");
	cv_error_found(m->err, "dma_entry_limit %d", limit);
	cv_error_wanted(m->err, "at least %zu", need);
	cv_error_hint(m->err, "options vfio_iommu_type1 dma_entry_limit=65535 in /etc/modprobe.d");
	return -ENOSPC;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	return a < MAP_MEMLOCK_MAX - b ? a + b : MAP_MEMLOCK_MAX;
}

/* All of the memory is pinned once for the VMM's one container; BARs are mapped there for peers. */
static void set_memlock(struct map *m)
{
	m->plan->memlock = m->total + MEMLOCK_SLACK;
	for (size_t i = 0; i < m->plan->n_devices; i++)
		m->plan->memlock = add_capped(m->plan->memlock, m->plan->devices[i].mmio32 +
									m->plan->devices[i].mmio64);
}

/* ---- all of it ---- */

static int compare_ranges(const void *a, const void *b)
{
	const struct plan_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* The VMM moves what lies above 4 GiB to 1 TiB, rather than leaving a hole in it. */
static int set_high(struct map *m)
{
	uint64_t end;
	int r = map_add_windows(m, false, &end);

	if (r < 0 || !m->vmm->amd_moves || !is_amd(m) || end <= PLAN_AMD_HOLE_START)
		return r;
	m->high = PLAN_AMD_HOLE_END;
	return plan_add_reason(m->plan, "memory map",
			       "memory above 4G and 64-bit BARs begin at 1T: they would reach the "
			       "HyperTransport range of AMD hosts at 0x%llx",
			       (unsigned long long)PLAN_AMD_HOLE_START);
}

/* SeaBIOS puts the windows at the top of the address space (pci_bios_map_devices(), 1.16.1 and later).
 * With 40 bits that is the HyperTransport range: then the guest is shown one bit less. */
static int limit_bits(struct map *m)
{
	unsigned int have = m->p->inv->host.phys_bits;

	if (!m->vmm->fills_top || !is_amd(m) || (have && have != AMD_HOLE_BITS) ||
	    m->plan->phys_bits >= AMD_HOLE_BITS)
		return 0;
	m->plan->phys_bits_limit = AMD_HOLE_BITS - 1;
	return plan_add_reason(m->plan, "memory map",
			       "shown to the guest with %u address bits: with %u, firmware would "
			       "put BARs into the HyperTransport range of AMD hosts",
			       AMD_HOLE_BITS - 1, AMD_HOLE_BITS);
}

static int lay_out(struct map *m)
{
	uint64_t end;
	int r = set_high(m);

	r = r ?: check_high_ram(m);
	r = r ?: add_ram(m);
	r = r ?: add_reserved(m);
	r = r ?: map_add_mmio32(m);
	r = r ?: map_add_windows(m, true, &end);
	if (r < 0)
		return r;
	qsort(m->plan->ranges, m->plan->n_ranges, sizeof(*m->plan->ranges), compare_ranges);
	m->plan->phys_bits = map_bits(end);
	return limit_bits(m);
}

int plan_set_memory_map(struct plan *plan, const struct place *p, const struct place_choice *c,
			struct cv_error *err)
{
	struct map m = { .plan = plan, .p = p, .c = c, .high = PLAN_4G, .err = err };

	m.vmm = find_backend(plan->backend);
	for (size_t i = 0; i < plan->n_nodes; i++)
		m.total += plan->nodes[i].memory;
	int r = collect_regions(&m);
	r = r ?: set_low_limit(&m);
	r = r ?: lay_out(&m);
	r = r ?: map_check_space(&m);
	r = r ?: check_dma_entries(&m);
	set_memlock(&m);
	free(m.regions);
	return r;
}

/* ---- one device alone, before it is chosen ---- */

/* RAM below 4 GiB that a region leaves: others can only make it less, and move more above 4 GiB. */
static uint64_t low_beside(const struct inv_region *r, uint64_t low, uint64_t page)
{
	return r->start < low ? r->start / page * page : low;
}

int place_check_regions(const struct place *p, const struct spec *s, int dev, struct cv_error *err)
{
	const struct inv_group *g = inv_find_group(p->inv, p->inv->devs[dev].group);
	const struct map_backend *vmm = find_backend(s->backend[0] ? s->backend : p->site->backend);
	bool may_move = vmm->amd_moves && strcmp(p->inv->host.cpu_vendor, "AuthenticAMD") == 0;
	uint64_t top = low_default(vmm, s->memory);
	uint64_t low = s->memory < top ? s->memory : top;

	for (size_t i = 0; g && i < g->n_regions && i < INV_MAX_REGIONS; i++) {
		const struct inv_region *r = &g->regions[i];
		uint64_t below = low_beside(r, low, s->page_size);
		uint64_t end = PLAN_4G + s->memory - below;
		struct map_region told = { r->start, r->end + 1, r->type, g->id, dev };

		if (strcmp(r->type, "direct-relaxable") == 0)
			continue;
		if (below < low && below < LOW_MIN)
			return refuse_region(p->inv, s->name, &told, &low_refusal, err);
		if (!may_move && low < s->memory && r->start < end && r->end >= PLAN_4G)
			return refuse_region(p->inv, s->name, &told, &high_refusal, err);
	}
	return 0;
}
