// SPDX-License-Identifier: GPL-2.0-or-later
/* A hostile guest and its PCIe tree: any configuration accesses, BAR moves, bridge registers, MSI-X
 * tables. After each, what is mapped is what may be and has to be. */
#include <linux/pci_regs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/tree_guest.h"
#include "vmm/core/layout.h"
#include "vmm/core/vm_call.h"
#include "vmm/dev/msix.h"

#define VECTORS 16
#define MSIX_BAR 2
#define PBA 0x800

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* ---- what must hold ---- */

struct place {
	uint64_t start, size;
};

static bool is_overlap(struct place a, struct place b)
{
	return a.start < b.start + b.size && b.start < a.start + a.size;
}

static bool is_forbidden(const struct tree_guest *g, struct place at)
{
	static const struct place fixed[] = {
		{ VMM_ECAM, VMM_ECAM_SIZE },
		{ VMM_IOAPIC, (1ULL << 32) - VMM_IOAPIC },
	};

	if (at.start == 0 || at.start >= 1ULL << 52 || at.size > (1ULL << 52) - at.start)
		return true;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (is_overlap(at, fixed[i]))
			return true;
	for (size_t i = 0; i < g->plan.n_ranges; i++) {
		const struct plan_range *r = &g->plan.ranges[i];

		if ((r->kind == PLAN_RAM || r->kind == PLAN_RESERVED) &&
		    is_overlap(at, (struct place){ r->start, r->size }))
			return true;
	}
	return false;
}

static struct place registers_of(const struct vmm_pci_function *f, unsigned int bar)
{
	uint32_t words[2] = { 0, 0 };

	memcpy(words, &f->config[PCI_BASE_ADDRESS_0 + 4 * bar],
	       f->bars[bar].kind == VMM_BAR_32 ? 4 : 8);
	return (struct place){ (words[0] & ~15U) | (uint64_t)words[1] << 32, f->bars[bar].size };
}

/** struct seen - all BARs of all devices */
struct seen {
	struct place at[TG_DEVICES * VMM_PCI_BARS];
	bool is_mapped[TG_DEVICES * VMM_PCI_BARS], is_wanted[TG_DEVICES * VMM_PCI_BARS];
	size_t n, n_mapped;
};

static void look(const struct tree_guest *g, struct seen *s)
{
	for (size_t i = 0; i < TG_DEVICES * VMM_PCI_BARS; i++) {
		const struct tg_device *d = &g->devices[i / VMM_PCI_BARS];
		unsigned int bar = i % VMM_PCI_BARS;

		need(!d->is_wrong);
		need(d->f.bars[bar].is_mapped == (d->mapped[bar] != 0));
		if (!d->f.bars[bar].size)
			continue;
		s->at[s->n] = registers_of(&d->f, bar);
		s->is_mapped[s->n] = d->mapped[bar] != 0;
		s->is_wanted[s->n] = d->f.config[PCI_COMMAND] & PCI_COMMAND_MEMORY &&
				     !is_forbidden(g, s->at[s->n]);
		s->n_mapped += s->is_mapped[s->n];
		need(!s->is_mapped[s->n] ||
		     (s->is_wanted[s->n] && s->at[s->n].start == d->mapped[bar]));
		s->n++;
	}
}

/* Mapped ones are apart; one that is not mapped and could be meets one that is. */
static void judge(const struct tree_guest *g)
{
	struct seen s = { 0 };

	look(g, &s);
	need(g->mmio.n == 1 + s.n_mapped);
	for (size_t i = 0; i < s.n; i++) {
		bool meets = false;

		for (size_t k = 0; k < s.n; k++)
			meets |= k != i && s.is_mapped[k] && is_overlap(s.at[i], s.at[k]);
		need(!s.is_mapped[i] || !meets);
		need(s.is_mapped[i] || !s.is_wanted[i] || meets);
	}
}

/* ---- what the guest does ---- */

struct guest {
	struct tree_guest tree;
	struct vmm_irqs *irqs;
	struct vmm_msix msix;
	const uint8_t *data;
	size_t size;
};

static uint64_t take(struct guest *g, size_t len)
{
	uint64_t value = 0;

	len = len < g->size ? len : g->size;
	memcpy(&value, g->data, len);
	g->data += len;
	g->size -= len;
	return value;
}

static unsigned int take_len(struct guest *g)
{
	return 1U << take(g, 1) % 4;
}

/* Mostly buses and slots that are there. */
static uint64_t take_ecam(struct guest *g)
{
	uint64_t bus = take(g, 1), slot = take(g, 1), offset = take(g, 2);

	if (bus & 0x80)
		bus = bus % 2 ? 0 : 0x20 + (bus >> 1) % 8;
	if (slot & 0x80)
		slot = (slot & 3) << 3;
	if (!(offset & 0x8000))
		offset &= 0xff;
	return VMM_ECAM + (bus << 20 | slot << 12 | (offset & 0xfff));
}

/* The device's own write handler does this. */
static void msix_written(struct guest *g)
{
	struct vmm_pci_function *f = &g->tree.devices[TG_NIC].f;

	pthread_mutex_lock(&f->lock);
	vmm_msix_config_written(&g->msix, g->msix.cap, 4);
	pthread_mutex_unlock(&f->lock);
}

static void do_config(struct guest *g, bool is_write)
{
	uint64_t at = take_ecam(g), value;
	unsigned int len = take_len(g);

	value = is_write ? take(g, len) : 0;
	vmm_bus_access(&g->tree.mmio, at, &value, len, is_write);
	msix_written(g);
}

static void do_ports(struct guest *g)
{
	uint8_t what = (uint8_t)take(g, 1);
	unsigned int len = 1U << what % 3;
	uint64_t value = take(g, len);

	vmm_bus_access(&g->tree.pio, 0xcf8 + (what >> 4 & 7), &value, len, what & 8);
	msix_written(g);
}

/* A BAR of some device to somewhere, decoding or not: what a driver of the guest would do. */
static void do_move(struct guest *g)
{
	static const uint64_t places[] = { 0,	       VMM_MMIO32_START,    VMM_ECAM,
					   TG_WINDOW0, TG_HIGH_RAM_END - 1, TG_WINDOW1,
					   UINT64_MAX, TG_LOW_RAM_END - 1 };
	uint8_t what = (uint8_t)take(g, 1);
	uint64_t to = places[take(g, 1) % 8] + (take(g, 2) << 12);
	unsigned int bar = (what >> 3) % 5;

	tg_put(&g->tree, what % TG_DEVICES, PCI_COMMAND, 1, what >> 6 ? PCI_COMMAND_MEMORY : 0);
	tg_put(&g->tree, what % TG_DEVICES, PCI_BASE_ADDRESS_0 + 4 * bar, 4, (uint32_t)to);
	tg_put(&g->tree, what % TG_DEVICES, PCI_BASE_ADDRESS_1 + 4 * bar, 4, (uint32_t)(to >> 32));
}

static void do_table(struct guest *g)
{
	uint64_t offset = take(g, 2) & 0xfff, value;
	unsigned int len = take_len(g);
	bool is_write = take(g, 1) & 1;

	value = is_write ? take(g, len) : 0;
	vmm_msix_access(&g->msix, MSIX_BAR, offset, &value, len, is_write);
	vmm_msix_raise(&g->msix, (unsigned int)take(g, 1));
	need(vmm_irq_count(g->irqs) <= VECTORS);
}

static void do_reset(struct guest *g)
{
	vmm_pci_reset(g->tree.pci);
	vmm_msix_reset(&g->msix);
	need(vmm_irq_count(g->irqs) == 0);
}

static void act(struct guest *g)
{
	switch (take(g, 1) % 8) {
	case 0:
	case 1:
	case 2:
		return do_config(g, true);
	case 3:
		return do_config(g, false);
	case 4:
		return do_ports(g);
	case 5:
		return do_move(g);
	case 6:
		return do_table(g);
	case 7:
		return do_reset(g);
	}
}

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct vmm_vm_call vm = { .fd = -1, .call = answer };
	static struct guest g;

	g = (struct guest){ .data = data, .size = size };
	need(tg_init(&g.tree) == 0);
	need(vmm_irqs_new_on(&vm, 256, &g.irqs) == 0);
	need(vmm_msix_init(&g.msix, &g.tree.devices[TG_NIC].f, g.irqs, VECTORS, MSIX_BAR, 0,
			   MSIX_BAR, PBA, 0) == 0);
	need(vmm_pci_assign(g.tree.pci, &g.tree.err) == 0);
	while (g.size > 0) {
		act(&g);
		judge(&g.tree);
	}
	vmm_msix_done(&g.msix);
	vmm_irqs_free(g.irqs);
	tg_done(&g.tree);
	return 0;
}
