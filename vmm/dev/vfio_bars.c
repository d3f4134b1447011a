// SPDX-License-Identifier: GPL-2.0-or-later
/* BARs of a passed-through function: mapped into the guest, but for the pages of the MSI-X table. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/core/map.h"
#include "vmm/core/memory_lost.h"
#include "vmm/dev/vfio_parts.h"

#define PAGE 4096ULL
#define HUGE_LEAST (2ULL << 20) /* leaves of page tables (AMD64 APM vol. 2 section 5.3) */
#define HUGE_MOST (1ULL << 30)

/* ---- what is mapped ---- */

static void add_area(struct pass_bar *b, uint64_t start, uint64_t end)
{
	start = (start + PAGE - 1) & ~(PAGE - 1);
	end &= ~(PAGE - 1);
	if (start < end && b->n_areas < PASS_AREAS_MAX)
		b->areas[b->n_areas++] = (struct pass_area){
			.offset = start,
			.size = end - start,
			.slot = -1,
		};
}

/** struct hole - whole pages, [@start, @end) */
struct hole {
	uint64_t start, end;
};

static struct hole hole_of(bool is_here, uint64_t offset, uint64_t size)
{
	if (!is_here)
		return (struct hole){ UINT64_MAX, 0 };
	return (struct hole){ offset & ~(PAGE - 1), (offset + size + PAGE - 1) & ~(PAGE - 1) };
}

/* Before the first hole, between them, after the second; holes may be the same page. */
void vmm_pass_bar_pieces(const struct vmm_msix *msix, unsigned int bar, uint64_t start,
			 uint64_t end, struct pass_bar *b)
{
	struct hole holes[2] = {
		hole_of(msix && msix->table_bar == bar, msix ? msix->table_offset : 0,
			msix ? msix->n * 16ULL : 0),
		hole_of(msix && msix->pba_bar == bar, msix ? msix->pba_offset : 0,
			msix ? (msix->n + 63) / 64 * 8ULL : 0),
	};
	bool is_turned = holes[1].start < holes[0].start;

	for (size_t i = 0; i < 2; i++) {
		const struct hole *h = &holes[is_turned ? 1 - i : i];

		if (h->start >= end || h->end <= start)
			continue;
		add_area(b, start, h->start);
		start = h->end;
	}
	if (start < end)
		add_area(b, start, end);
}

static void find_areas(struct vmm_vfio_device *v, unsigned int bar)
{
	const struct vx_region *r = &v->vx.regions[bar];
	const struct vmm_msix *msix = v->has_msix ? &v->msix : NULL;

	if (!r->can_mmap)
		return;
	if (r->n_areas == 0)
		vmm_pass_bar_pieces(msix, bar, 0, r->size, &v->bars[bar]);
	for (size_t i = 0; i < r->n_areas; i++)
		vmm_pass_bar_pieces(msix, bar, r->areas[i].offset,
				    r->areas[i].offset + r->areas[i].size, &v->bars[bar]);
}

/* The kernel maps by large pages what is equally aligned here and in the BAR: the offset in the BAR
 * stands for its address, which is a multiple of its size (PCIe Base 6.0 section 7.5.1.2.1). */
static void *map_area(struct vmm_vfio_device *v, unsigned int bar, const struct pass_area *a)
{
	uint64_t align = a->size < HUGE_LEAST ? 1 : a->size < HUGE_MOST ? a->size : HUGE_MOST;
	void *at;

	while (align & (align - 1))
		align &= align - 1;
	at = vmm_map_aligned(v->vx.fd, v->vx.regions[bar].offset + a->offset, a->size, align,
			     a->offset & (align - 1));
	return at == MAP_FAILED ? NULL : at;
}

static void name_area(const struct vmm_vfio_device *v, unsigned int bar, const struct pass_area *a)
{
	char name[96];

	snprintf(name, sizeof(name), "%s BAR %u from 0x%llx", v->name, bar,
		 (unsigned long long)a->offset);
	vmm_lost_name(a->host, a->size, name);
}

/* What cannot be mapped is trapped: slower, and right. */
static void map_areas(struct vmm_vfio_device *v, unsigned int bar)
{
	struct pass_bar *b = &v->bars[bar];

	for (size_t i = 0; i < b->n_areas; i++) {
		b->areas[i].host = map_area(v, bar, &b->areas[i]);
		if (b->areas[i].host)
			name_area(v, bar, &b->areas[i]);
		else
			vmm_log("%s: BAR %u cannot be mapped (%s): trapped", v->name, bar,
				strerror(errno));
	}
}

static enum vmm_bar_kind kind_of(const uint8_t *physical, unsigned int bar)
{
	uint8_t low = physical[PCI_BASE_ADDRESS_0 + 4 * bar];

	if (low & PCI_BASE_ADDRESS_SPACE_IO)
		return VMM_BAR_NONE;
	if ((low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) != PCI_BASE_ADDRESS_MEM_TYPE_64)
		return VMM_BAR_32;
	return low & PCI_BASE_ADDRESS_MEM_PREFETCH ? VMM_BAR_64_PREF : VMM_BAR_64;
}

static uint64_t rounded(uint64_t size)
{
	uint64_t power = PAGE;

	while (power < size && power < 1ULL << 62)
		power <<= 1;
	return power;
}

int vmm_pass_bars_init(struct vmm_vfio_device *v, struct cv_error *err)
{
	uint8_t physical[64];
	int r = vx_region_read(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX, 0, physical, sizeof(physical));

	for (unsigned int bar = 0; bar < VMM_PCI_BARS && r == 0; bar++) {
		enum vmm_bar_kind kind = kind_of(physical, bar);

		v->bars[bar].region_size = v->vx.regions[bar].size;
		if (kind == VMM_BAR_NONE || v->vx.regions[bar].size == 0)
			continue;
		r = vmm_pci_set_bar(&v->function, bar, kind, rounded(v->vx.regions[bar].size));
		if (kind != VMM_BAR_32)
			bar++; /* the upper half has no region */
	}
	return r < 0 ? cv_fail_errno(err, r, v->name, "its BARs cannot be shown to a guest") : 0;
}

/* After the interrupts are known: the table's pages stay out. */
void vmm_pass_bars_open(struct vmm_vfio_device *v)
{
	for (unsigned int bar = 0; bar < VMM_PCI_BARS; bar++) {
		if (v->function.bars[bar].size == 0)
			continue;
		find_areas(v, bar);
		map_areas(v, bar);
	}
}

static void close_area(struct pass_area *a)
{
	if (!a->host)
		return;
	vmm_lost_forget(a->host);
	munmap(a->host, a->size);
	a->host = NULL;
}

void vmm_pass_bars_done(struct vmm_vfio_device *v)
{
	for (unsigned int bar = 0; bar < VMM_PCI_BARS; bar++) {
		vmm_pass_bar_unmap(v, bar, v->bars[bar].address);
		for (size_t i = 0; i < v->bars[bar].n_areas; i++)
			close_area(&v->bars[bar].areas[i]);
		v->bars[bar].n_areas = 0;
	}
}

/* ---- the guest places them ---- */

static void map_for_peers(struct vmm_vfio_device *v, struct pass_area *a, uint64_t address)
{
	struct cv_error err = { 0 };

	if (!v->env.is_p2p || !v->env.space)
		return;
	a->is_for_peers = vx_space_map(v->env.space, address, a->host, a->size, true, &err) == 0;
	if (!a->is_for_peers)
		vmm_log_of(&v->log, "%s: peers cannot reach its BAR at 0x%llx: %s", v->name,
			   (unsigned long long)address, err.what);
}

static void unmap_for_peers(struct vmm_vfio_device *v, struct pass_area *a, uint64_t address)
{
	struct cv_error err = { 0 };

	if (!a->is_for_peers)
		return;
	a->is_for_peers = false;
	if (vx_space_unmap(v->env.space, address, a->size, &err) < 0)
		vmm_log_of(&v->log, "%s: peers still reach 0x%llx: %s", v->name,
			   (unsigned long long)address, err.what);
}

static void show_area(struct vmm_vfio_device *v, unsigned int bar, struct pass_area *a)
{
	uint64_t address = v->bars[bar].address + a->offset;
	int slot;

	if (!a->host || a->slot >= 0)
		return;
	slot = vmm_slots_add(v->env.slots, address, a->host, a->size, false);
	if (slot < 0) {
		vmm_log_of(&v->log, "%s: BAR %u is trapped: %s", v->name, bar, strerror(-slot));
		return;
	}
	a->slot = slot;
	map_for_peers(v, a, address);
}

static void hide_area(struct vmm_vfio_device *v, unsigned int bar, struct pass_area *a)
{
	if (a->slot < 0)
		return;
	unmap_for_peers(v, a, v->bars[bar].address + a->offset);
	vmm_slots_remove(v->env.slots, a->slot);
	a->slot = -1;
}

static void show_bar(struct vmm_vfio_device *v, unsigned int bar, bool is_shown)
{
	struct pass_bar *b = &v->bars[bar];

	for (size_t i = 0; b->is_placed && i < b->n_areas; i++) {
		if (is_shown)
			show_area(v, bar, &b->areas[i]);
		else
			hide_area(v, bar, &b->areas[i]);
	}
}

int vmm_pass_bar_map(struct vmm_vfio_device *v, unsigned int bar, uint64_t address)
{
	v->bars[bar].address = address;
	v->bars[bar].is_placed = true;
	if (!v->is_asleep)
		show_bar(v, bar, true);
	return 0;
}

void vmm_pass_bar_unmap(struct vmm_vfio_device *v, unsigned int bar, uint64_t address)
{
	show_bar(v, bar, false);
	v->bars[bar].is_placed = false;
}

void vmm_pass_bars_sleep(struct vmm_vfio_device *v, bool is_asleep)
{
	if (v->is_asleep == is_asleep)
		return;
	v->is_asleep = is_asleep;
	for (unsigned int bar = 0; bar < VMM_PCI_BARS; bar++)
		show_bar(v, bar, !is_asleep);
}

void vmm_pass_bar_access(struct vmm_vfio_device *v, unsigned int bar, uint64_t offset, void *data,
			 unsigned int len, bool is_write)
{
	if (!v->is_gone && v->has_msix &&
	    vmm_msix_access(&v->msix, bar, offset, data, len, is_write))
		return;
	if (is_write)
		(void)vx_region_write(&v->vx, bar, offset, data, len);
	else if (vx_region_read(&v->vx, bar, offset, data, len) < 0)
		memset(data, 0xff, len);
}
