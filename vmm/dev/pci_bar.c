// SPDX-License-Identifier: GPL-2.0-or-later
/* BARs follow their registers. One that lies on something else stays unmapped; it is tried again when
 * another one has gone. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "vmm/core/layout.h"
#include "vmm/core/log.h"
#include "vmm/dev/pci_tree.h"

#define ADDRESS_BITS 52
#define FOUR_GIB (1ULL << 32)

/* No plan says these: interrupt controllers, and what KVM keeps below 4 GiB. */
static const struct vmm_window fixed[] = {
	{ VMM_ECAM, VMM_ECAM_SIZE },
	{ VMM_IOAPIC, FOUR_GIB - VMM_IOAPIC },
};

static bool is_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* ---- what is taken ---- */

/* What else lies at [@address, @address + @size); NULL: nothing. */
static const char *what_is_at(const struct vmm_pci *pci, uint64_t address, uint64_t size)
{
	if (address >> ADDRESS_BITS || size > (1ULL << ADDRESS_BITS) - address)
		return "the end of the address space";
	for (size_t i = 0; i < CV_ARRAY_SIZE(fixed); i++)
		if (is_overlap(address, size, fixed[i].start, fixed[i].size))
			return "the platform's registers";
	for (size_t i = 0; i < pci->plan->n_ranges; i++) {
		const struct plan_range *r = &pci->plan->ranges[i];

		if ((r->kind == PLAN_RAM || r->kind == PLAN_RESERVED) &&
		    is_overlap(address, size, r->start, r->size))
			return r->kind == PLAN_RAM ? "memory" : "reserved addresses";
	}
	return NULL;
}

static int claim_locked(struct vmm_pci *pci, uint64_t address, uint64_t size)
{
	struct vmm_window *grown;

	for (size_t i = 0; i < pci->n_maps; i++)
		if (is_overlap(address, size, pci->maps[i].start, pci->maps[i].size))
			return -EEXIST;
	grown = reallocarray(pci->maps, pci->n_maps + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pci->maps = grown;
	grown[pci->n_maps++] = (struct vmm_window){ address, size };
	return 0;
}

static int claim(struct vmm_pci *pci, uint64_t address, uint64_t size)
{
	int r;

	pthread_mutex_lock(&pci->map_lock);
	r = claim_locked(pci, address, size);
	pthread_mutex_unlock(&pci->map_lock);
	return r;
}

static void disclaim(struct vmm_pci *pci, uint64_t address)
{
	pthread_mutex_lock(&pci->map_lock);
	for (size_t i = 0; i < pci->n_maps; i++) {
		if (pci->maps[i].start != address)
			continue;
		pci->maps[i] = pci->maps[--pci->n_maps];
		break;
	}
	pthread_mutex_unlock(&pci->map_lock);
}

/* ---- mapping ---- */

static void bar_accessed(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	const struct vmm_pci_bar *b = ctx;
	struct vmm_pci_function *f = b->place->f;

	f->ops->bar_access(f->ctx, b->bar, offset, data, len, is_write);
}

static bool is_trapped(const struct vmm_pci_function *f)
{
	return f->ops && f->ops->bar_access;
}

static int add_range(struct vmm_pci_function *f, unsigned int bar, uint64_t address)
{
	const struct vmm_range range = {
		.name = f->name,
		.start = address,
		.size = f->bars[bar].size,
		.access = bar_accessed,
		.ctx = &f->place->bars[bar],
	};

	return is_trapped(f) ? vmm_bus_add(f->pci->mmio, &range) : 0;
}

static int map_at(struct vmm_pci_function *f, unsigned int bar, uint64_t address)
{
	int r = add_range(f, bar, address);

	if (r < 0)
		return r;
	if (f->ops && f->ops->bar_map)
		r = f->ops->bar_map(f->ctx, bar, address);
	if (r < 0 && is_trapped(f))
		vmm_bus_detach(f->pci->mmio, address);
	return r;
}

static uint64_t registers_of(const struct vmm_pci_function *f, unsigned int bar)
{
	uint16_t at = (uint16_t)(PCI_BASE_ADDRESS_0 + 4 * bar);
	uint64_t address = vmm_config_get(f, at, 4) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;

	if (f->bars[bar].kind != VMM_BAR_32)
		address |= (uint64_t)vmm_config_get(f, at + 4, 4) << 32;
	return address;
}

/* A guest that asks for the size has written ones; with decoding on that is an address, too. */
static bool is_sizing(const struct vmm_pci_function *f, unsigned int bar, uint64_t address)
{
	uint32_t low = (uint32_t) ~(f->bars[bar].size - 1), high = (uint32_t)(address >> 32);

	return high == UINT32_MAX || (high == 0 && (uint32_t)address == low);
}

static void tell(struct vmm_pci_function *f, unsigned int bar, uint64_t address, const char *what)
{
	char bdf[CV_BDF_MAX];

	if (f->place->bars[bar].is_told || is_sizing(f, bar, address))
		return;
	f->place->bars[bar].is_told = true;
	vmm_log("%s %s: the guest put BAR %u at 0x%llx, where it meets %s: not mapped", f->name,
		cv_format_bdf(f->bdf, bdf), bar, (unsigned long long)address, what);
}

static void map_bar(struct vmm_pci_function *f, unsigned int bar, uint64_t address)
{
	const char *what = what_is_at(f->pci, address, f->bars[bar].size);
	int r;

	if (what)
		return tell(f, bar, address, what);
	if (claim(f->pci, address, f->bars[bar].size) < 0)
		return tell(f, bar, address, "another BAR");
	r = map_at(f, bar, address);
	if (r < 0) {
		disclaim(f->pci, address);
		return tell(f, bar, address, r == -EEXIST ? "another device" : "a failure");
	}
	f->bars[bar].address = address;
	f->bars[bar].is_mapped = true;
}

static void unmap_bar(struct vmm_pci_function *f, unsigned int bar)
{
	uint64_t address = f->bars[bar].address;

	if (f->ops && f->ops->bar_unmap)
		f->ops->bar_unmap(f->ctx, bar, address);
	if (is_trapped(f))
		vmm_bus_detach(f->pci->mmio, address);
	disclaim(f->pci, address);
	f->bars[bar].is_mapped = false;
	__atomic_store_n(&f->pci->is_freed, true, __ATOMIC_RELEASE);
}

static bool is_decoding(const struct vmm_pci_function *f)
{
	return f->config[PCI_COMMAND] & PCI_COMMAND_MEMORY;
}

void vmm_bars_unmap_stale(struct vmm_pci_function *f)
{
	for (unsigned int i = 0; i < VMM_PCI_BARS; i++)
		if (f->bars[i].is_mapped &&
		    (!is_decoding(f) || registers_of(f, i) != f->bars[i].address))
			unmap_bar(f, i);
}

/* Address 0 is that of a BAR that has none. */
void vmm_bars_map(struct vmm_pci_function *f)
{
	for (unsigned int i = 0; is_decoding(f) && i < VMM_PCI_BARS; i++) {
		uint64_t address;

		if (f->bars[i].is_mapped || f->bars[i].size == 0)
			continue;
		address = registers_of(f, i);
		if (address)
			map_bar(f, i, address);
	}
}

void vmm_bars_unmap(struct vmm_pci_function *f)
{
	for (unsigned int i = 0; i < VMM_PCI_BARS; i++)
		if (f->bars[i].is_mapped)
			unmap_bar(f, i);
}

void vmm_bar_put_address(struct vmm_pci_function *f, unsigned int bar, uint64_t address)
{
	uint16_t at = (uint16_t)(PCI_BASE_ADDRESS_0 + 4 * bar);
	uint32_t flags = vmm_config_get(f, at, 4) & ~(uint32_t)PCI_BASE_ADDRESS_MEM_MASK;

	vmm_config_put(f, at, 4, (uint32_t)address | flags);
	if (f->bars[bar].kind != VMM_BAR_32)
		vmm_config_put(f, at + 4, 4, (uint32_t)(address >> 32));
	f->bars[bar].address = address;
}
