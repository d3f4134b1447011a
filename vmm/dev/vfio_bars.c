// SPDX-License-Identifier: GPL-2.0-or-later
/* BARs of a passed-through function: mapped into the guest, but for the pages of the MSI-X table. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/core/map.h"
#include "vmm/dev/vfio_parts.h"

#define PAGE 4096ULL
#define HUGE_MOST (1ULL << 30)

/* ---- what is mapped ---- */

static void add_area(struct pass_bar *b, uint64_t start, uint64_t end)
{
	start = (start + PAGE - 1) & ~(PAGE - 1);
	end &= ~(PAGE - 1);
	if (start < end && b->n_areas < PASS_AREAS_MAX)
		b->areas[b->n_areas++] = (struct pass_area){ start, end - start, NULL, -1 };
}

/* [@start, @end) without the table's pages. */
static void add_around_table(struct vmm_vfio_device *v, unsigned int bar, uint64_t start,
			     uint64_t end)
{
	struct pass_bar *b = &v->bars[bar];
	uint64_t table, after;

	if (!v->has_msix || v->msix.table_bar != bar) {
		add_area(b, start, end);
		return;
	}
	table = v->msix.table_offset & ~(PAGE - 1);
	after = (v->msix.table_offset + v->msix.n * 16ULL + PAGE - 1) & ~(PAGE - 1);
	add_area(b, start, end < table ? end : table);
	add_area(b, start > after ? start : after, end);
}

static void find_areas(struct vmm_vfio_device *v, unsigned int bar)
{
	const struct vx_region *r = &v->vx.regions[bar];

	if (!r->can_mmap)
		return;
	if (r->n_areas == 0)
		add_around_table(v, bar, 0, r->size);
	for (size_t i = 0; i < r->n_areas; i++)
		add_around_table(v, bar, r->areas[i].offset, r->areas[i].offset + r->areas[i].size);
}

/* The kernel maps by large pages what is equally aligned here and in the BAR: the offset in the BAR
 * stands for its address, which is a multiple of its size (PCIe Base 6.0 section 7.5.1.2.1). */
static void *map_area(struct vmm_vfio_device *v, unsigned int bar, const struct pass_area *a)
{
	uint64_t align = a->size < HUGE_MOST ? a->size : HUGE_MOST;
	void *at;

	while (align & (align - 1))
		align &= align - 1;
	at = vmm_map_aligned(v->vx.fd, v->vx.regions[bar].offset + a->offset, a->size, align,
			     a->offset & (align - 1));
	return at == MAP_FAILED ? NULL : at;
}

/* What cannot be mapped is trapped: slower, and right. */
static void map_areas(struct vmm_vfio_device *v, unsigned int bar)
{
	struct pass_bar *b = &v->bars[bar];

	for (size_t i = 0; i < b->n_areas; i++) {
		b->areas[i].host = map_area(v, bar, &b->areas[i]);
		if (!b->areas[i].host)
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

void vmm_pass_bars_done(struct vmm_vfio_device *v)
{
	for (unsigned int bar = 0; bar < VMM_PCI_BARS; bar++) {
		for (size_t i = 0; i < v->bars[bar].n_areas; i++) {
			struct pass_area *a = &v->bars[bar].areas[i];

			if (a->slot >= 0)
				vmm_slots_remove(v->env.slots, a->slot);
			if (a->host)
				munmap(a->host, a->size);
		}
		v->bars[bar].n_areas = 0;
	}
}

/* ---- the guest places them ---- */

static void map_for_peers(struct vmm_vfio_device *v, const struct pass_area *a, uint64_t address)
{
	struct cv_error err = { 0 };

	if (v->env.is_p2p && v->env.space &&
	    vx_space_map(v->env.space, address, a->host, a->size, true, &err) < 0)
		vmm_log("%s: peers cannot reach its BAR at 0x%llx: %s", v->name,
			(unsigned long long)address, err.what);
}

static void unmap_for_peers(struct vmm_vfio_device *v, const struct pass_area *a, uint64_t address)
{
	if (v->env.is_p2p && v->env.space)
		(void)vx_space_unmap(v->env.space, address, a->size, NULL);
}

int vmm_pass_bar_map(struct vmm_vfio_device *v, unsigned int bar, uint64_t address)
{
	struct pass_bar *b = &v->bars[bar];

	for (size_t i = 0; i < b->n_areas; i++) {
		struct pass_area *a = &b->areas[i];

		if (!a->host)
			continue;
		a->slot = vmm_slots_add(v->env.slots, address + a->offset, a->host, a->size, false);
		if (a->slot < 0) {
			vmm_log("%s: BAR %u is trapped: %s", v->name, bar, strerror(-a->slot));
			a->slot = -1;
			continue;
		}
		map_for_peers(v, a, address + a->offset);
	}
	return 0;
}

void vmm_pass_bar_unmap(struct vmm_vfio_device *v, unsigned int bar, uint64_t address)
{
	struct pass_bar *b = &v->bars[bar];

	for (size_t i = 0; i < b->n_areas; i++) {
		struct pass_area *a = &b->areas[i];

		if (a->slot < 0)
			continue;
		unmap_for_peers(v, a, address + a->offset);
		vmm_slots_remove(v->env.slots, a->slot);
		a->slot = -1;
	}
}

void vmm_pass_bar_access(struct vmm_vfio_device *v, unsigned int bar, uint64_t offset, void *data,
			 unsigned int len, bool is_write)
{
	if (v->has_msix && vmm_msix_access(&v->msix, bar, offset, data, len, is_write))
		return;
	if (is_write)
		(void)vx_region_write(&v->vx, bar, offset, data, len);
	else if (vx_region_read(&v->vx, bar, offset, data, len) < 0)
		memset(data, 0xff, len);
}
