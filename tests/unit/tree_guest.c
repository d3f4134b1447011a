// SPDX-License-Identifier: GPL-2.0-or-later
#include "tree_guest.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "vmm/core/layout.h"

static const struct plan_bridge bridges[TG_BRIDGES] = {
	[TG_PXB0] = { .id = "pxb0", .kind = PLAN_HOST_BRIDGE, .parent = -1, .bus = 0x20 },
	[TG_RP0] = { .id = "rp0",
		     .kind = PLAN_ROOT_PORT,
		     .parent = TG_PXB0,
		     .bus = 0x21,
		     .bdf = { 0, 0x20, 1, 0 },
		     .link_speed = 320,
		     .link_width = 16 },
	[TG_UP0] = { .id = "up0",
		     .kind = PLAN_SWITCH_UP,
		     .parent = TG_RP0,
		     .bus = 0x22,
		     .bdf = { 0, 0x21, 0, 0 },
		     .link_speed = 160,
		     .link_width = 8 },
	[TG_DN0] = { .id = "dn0",
		     .kind = PLAN_SWITCH_DOWN,
		     .parent = TG_UP0,
		     .bus = 0x23,
		     .bdf = { 0, 0x22, 0, 0 },
		     .link_speed = 25,
		     .link_width = 1 },
	[TG_DN1] = { .id = "dn1",
		     .kind = PLAN_SWITCH_DOWN,
		     .parent = TG_UP0,
		     .bus = 0x24,
		     .bdf = { 0, 0x22, 1, 0 } },
	[TG_PXB1] = { .id = "pxb1",
		      .kind = PLAN_HOST_BRIDGE,
		      .parent = -1,
		      .guest_node = 1,
		      .bus = 0x25 },
	[TG_RP1] = { .id = "rp1",
		     .kind = PLAN_ROOT_PORT,
		     .parent = TG_PXB1,
		     .guest_node = 1,
		     .bus = 0x26,
		     .bdf = { 0, 0x25, 3, 0 } },
};

static const struct plan_range ranges[] = {
	{ PLAN_RAM, 0, TG_LOW_RAM_END, 0, "node 0" },
	{ PLAN_MMIO32, TG_LOW_RAM_END, 0x2ee00000, -1, "32-bit devices" },
	{ PLAN_RESERVED, 0xfee00000, 0x100000, -1, "msi" },
	{ PLAN_RAM, TG_HIGH_RAM, TG_HIGH_RAM_END - TG_HIGH_RAM, 1, "node 1" },
	{ PLAN_MMIO64, TG_WINDOW0, TG_WINDOW_SIZE, 0, "BARs of node 0" },
	{ PLAN_MMIO64, TG_WINDOW1, TG_WINDOW_SIZE, 1, "BARs of node 1" },
	{ PLAN_RESERVED, PLAN_AMD_HOLE_START, PLAN_AMD_HOLE_END - PLAN_AMD_HOLE_START, -1,
	  "AMD HyperTransport" },
};

static const struct {
	const char *name;
	int bridge;
	struct cv_bdf bdf;
	struct {
		enum vmm_bar_kind kind;
		uint64_t size;
	} bars[VMM_PCI_BARS];
} devices[TG_DEVICES] = {
	[TG_VIRTIO] = { "virtio", -1, { 0, 0, 1, 0 }, { { VMM_BAR_64, 0x4000 } } },
	[TG_GPU] = { "gpu",
		     TG_DN0,
		     { 0, 0x23, 0, 0 },
		     { { VMM_BAR_32, 16 << 20 },
		       { VMM_BAR_64_PREF, 32ULL << 30 },
		       { 0 },
		       { VMM_BAR_64_PREF, 32 << 20 } } },
	[TG_NIC] = { "nic",
		     TG_DN1,
		     { 0, 0x24, 0, 0 },
		     { { VMM_BAR_64, 0x4000 }, { 0 }, { VMM_BAR_64_PREF, 1 << 20 } } },
	[TG_NVME] = { "nvme", TG_RP1, { 0, 0x26, 0, 0 }, { { VMM_BAR_64, 0x4000 } } },
};

/* ---- devices ---- */

static int bar_map(void *ctx, unsigned int bar, uint64_t address)
{
	struct tg_device *d = ctx;

	if (d->refuse)
		return d->refuse;
	d->is_wrong |= d->mapped[bar] != 0 || address == 0;
	d->mapped[bar] = address;
	d->n_maps++;
	return 0;
}

static void bar_unmap(void *ctx, unsigned int bar, uint64_t address)
{
	struct tg_device *d = ctx;

	d->is_wrong |= d->mapped[bar] != address;
	d->mapped[bar] = 0;
	d->n_unmaps++;
}

static void bar_access(void *ctx, unsigned int bar, uint64_t offset, void *data, unsigned int len,
		       bool is_write)
{
	struct tg_device *d = ctx;

	d->last_bar = bar;
	d->last_offset = offset;
	if (!is_write)
		memset(data, (int)(0xb0 + bar), len);
}

static void config_write(void *ctx, uint16_t offset, unsigned int len, uint32_t value)
{
	struct tg_device *d = ctx;

	d->n_writes++;
}

static void reset(void *ctx)
{
	struct tg_device *d = ctx;

	d->n_resets++;
}

static const struct vmm_pci_ops ops = {
	.config_write = config_write,
	.bar_access = bar_access,
	.bar_map = bar_map,
	.bar_unmap = bar_unmap,
	.reset = reset,
};

static int add_device(struct tree_guest *g, enum tg_which which)
{
	struct vmm_pci_function *f = &g->devices[which].f;
	int r = 0;

	vmm_pci_init_function(f, devices[which].name, 0x1234, (uint16_t)(0x1000 + which),
			      0x02000000);
	f->bdf = devices[which].bdf;
	f->bridge = devices[which].bridge;
	f->ops = &ops;
	f->ctx = &g->devices[which];
	for (unsigned int i = 0; i < VMM_PCI_BARS && r == 0; i++)
		if (devices[which].bars[i].kind)
			r = vmm_pci_set_bar(f, i, devices[which].bars[i].kind,
					    devices[which].bars[i].size);
	return r ?: vmm_pci_add(g->pci, f, &g->err);
}

/* ---- the guest ---- */

int tg_init(struct tree_guest *g)
{
	int r;

	memset(g, 0, sizeof(*g));
	memcpy(g->bridges, bridges, sizeof(bridges));
	memcpy(g->ranges, ranges, sizeof(ranges));
	g->plan.bridges = g->bridges;
	g->plan.n_bridges = TG_BRIDGES;
	g->plan.ranges = g->ranges;
	g->plan.n_ranges = sizeof(ranges) / sizeof(ranges[0]);
	g->plan.n_nodes = 2;
	r = vmm_bus_init(&g->mmio);
	r = r ?: vmm_bus_init(&g->pio);
	r = r ?: vmm_pci_new(&g->plan, &g->mmio, &g->pio, &g->pci, &g->err);
	for (enum tg_which i = 0; i < TG_DEVICES && r == 0; i++)
		r = add_device(g, i);
	return r;
}

void tg_done(struct tree_guest *g)
{
	vmm_pci_free(g->pci);
	vmm_bus_done(&g->mmio);
	vmm_bus_done(&g->pio);
}

static uint64_t ecam(unsigned int bus, unsigned int dev, unsigned int fn, unsigned int offset)
{
	return VMM_ECAM + ((uint64_t)bus << 20 | dev << 15 | fn << 12 | offset);
}

uint32_t tg_read(struct tree_guest *g, unsigned int bus, unsigned int dev, unsigned int fn,
		 unsigned int offset, unsigned int len)
{
	uint32_t value = 0;

	vmm_bus_access(&g->mmio, ecam(bus, dev, fn, offset), &value, len, false);
	return value;
}

void tg_write(struct tree_guest *g, unsigned int bus, unsigned int dev, unsigned int fn,
	      unsigned int offset, unsigned int len, uint32_t value)
{
	vmm_bus_access(&g->mmio, ecam(bus, dev, fn, offset), &value, len, true);
}

uint32_t tg_get(struct tree_guest *g, enum tg_which which, unsigned int offset, unsigned int len)
{
	return tg_read(g, devices[which].bdf.bus, devices[which].bdf.dev, 0, offset, len);
}

void tg_put(struct tree_guest *g, enum tg_which which, unsigned int offset, unsigned int len,
	    uint32_t value)
{
	tg_write(g, devices[which].bdf.bus, devices[which].bdf.dev, 0, offset, len, value);
}
