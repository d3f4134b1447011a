// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's PCIe tree as a guest finds it, and BARs that it moves, well or badly. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tree_guest.h"
#include "vmm/core/layout.h"

#define ONES 0xffffffffU
#define BAR(n) (PCI_BASE_ADDRESS_0 + 4 * (n))
#define EXP 0x40 /* of a port */

static int setup_raw(void **state)
{
	static struct tree_guest g;

	assert_int_equal(tg_init(&g), 0);
	*state = &g;
	return 0;
}

static int setup(void **state)
{
	struct tree_guest *g;

	setup_raw(state);
	g = *state;
	assert_int_equal(vmm_pci_assign(g->pci, &g->err), 0);
	return 0;
}

static int teardown(void **state)
{
	struct tree_guest *g = *state;

	for (enum tg_which i = 0; i < TG_DEVICES; i++)
		assert_false(g->devices[i].is_wrong);
	tg_done(g);
	return 0;
}

static void decode(struct tree_guest *g, enum tg_which which, bool is_on)
{
	tg_put(g, which, PCI_COMMAND, 2, is_on ? PCI_COMMAND_MEMORY : 0);
}

static uint64_t address(struct tree_guest *g, enum tg_which which, unsigned int bar)
{
	return (tg_get(g, which, BAR(bar), 4) & ~15U) | (uint64_t)tg_get(g, which, BAR(bar + 1), 4)
								<< 32;
}

static void move64(struct tree_guest *g, enum tg_which which, unsigned int bar, uint64_t to)
{
	tg_put(g, which, BAR(bar), 4, (uint32_t)to);
	tg_put(g, which, BAR(bar + 1), 4, (uint32_t)(to >> 32));
}

/* ---- who is there ---- */

static void test_enumeration(void **state)
{
	struct tree_guest *g = *state;

	assert_int_equal(tg_read(g, 0, 0, 0, PCI_CLASS_REVISION, 4) >> 8, 0x060000);
	assert_int_equal(tg_read(g, 0, 1, 0, 0, 4), 0x10001234);
	assert_int_equal(tg_read(g, 0x23, 0, 0, 0, 4), 0x10011234);
	assert_int_equal(tg_read(g, 0x26, 0, 0, 2, 2), 0x1003);
	assert_int_equal(tg_read(g, 0x26, 0, 0, 3, 1), 0x10);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_CLASS_REVISION, 4) >> 8, 0x060400);
	assert_int_equal(tg_read(g, 0x20, 0, 0, 0, 4), ONES);
	assert_int_equal(tg_read(g, 0x20, 1, 1, 0, 4), ONES);
	assert_int_equal(tg_read(g, 0x23, 1, 0, 0, 4), ONES);
	assert_int_equal(tg_read(g, 0x24, 0, 0, 0, 4), 0x10021234);
	assert_int_equal(tg_read(g, 1, 0, 0, 0, 4), ONES);
	assert_int_equal(tg_read(g, 0xff, 31, 7, 0xffc, 4), ONES);
}

static void test_port_header(void **state)
{
	struct tree_guest *g = *state;

	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_HEADER_TYPE, 1), 1);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_PRIMARY_BUS, 4), 0x00242120);
	assert_int_equal(tg_read(g, 0x21, 0, 0, PCI_PRIMARY_BUS, 4), 0x00242221);
	assert_int_equal(tg_read(g, 0x22, 1, 0, PCI_PRIMARY_BUS, 4), 0x00242422);
	tg_write(g, 0x20, 1, 0, PCI_IO_BASE, 2, 0xe0f0);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_IO_BASE, 2), 0);
	tg_write(g, 0x20, 1, 0, PCI_BASE_ADDRESS_0, 4, ONES);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_BASE_ADDRESS_0, 4), 0);
	tg_write(g, 0x20, 1, 0, PCI_MEMORY_BASE, 4, ONES);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_MEMORY_BASE, 4), 0xfff0fff0);
	tg_write(g, 0x20, 1, 0, PCI_PREF_MEMORY_BASE, 4, ONES);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_PREF_MEMORY_BASE, 4), 0xfff1fff1);
	tg_write(g, 0x20, 1, 0, 0, 4, 0);
	assert_int_equal(tg_read(g, 0x20, 1, 0, 0, 4), 0x000c1b36);
	tg_write(g, 0x20, 1, 0, PCI_COMMAND, 2, 0xffff);
	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_COMMAND, 2), 0x0546);
}

static void test_port_express(void **state)
{
	struct tree_guest *g = *state;

	assert_int_equal(tg_read(g, 0x20, 1, 0, PCI_CAPABILITY_LIST, 1), EXP);
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP, 4), 0x00420010);
	assert_int_equal(tg_read(g, 0x21, 0, 0, EXP + PCI_EXP_FLAGS, 2), 0x52);
	assert_int_equal(tg_read(g, 0x22, 0, 0, EXP + PCI_EXP_FLAGS, 2), 0x62);
	/* 32 GT/s x16, up */
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP + PCI_EXP_LNKCAP, 4) & 0xffffff, 0x500105);
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP + PCI_EXP_LNKSTA, 2), 0x3105);
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP + PCI_EXP_LNKCAP2, 4), 0x3e);
	/* 16 GT/s x8, an upstream port does not say whether its link is up */
	assert_int_equal(tg_read(g, 0x21, 0, 0, EXP + PCI_EXP_LNKCAP, 4) & 0xffffff, 0x400084);
	assert_int_equal(tg_read(g, 0x21, 0, 0, EXP + PCI_EXP_LNKSTA, 2), 0x1084);
	assert_int_equal(tg_read(g, 0x22, 0, 0, EXP + PCI_EXP_LNKSTA, 2), 0x3011);
	/* unknown on the host */
	assert_int_equal(tg_read(g, 0x25, 3, 0, EXP + PCI_EXP_LNKSTA, 2), 0x3104);
	tg_write(g, 0x20, 1, 0, EXP + PCI_EXP_LNKCTL, 2, 0xffff);
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP + PCI_EXP_LNKCTL, 2), 0x00d3);
	tg_write(g, 0x20, 1, 0, EXP + PCI_EXP_DEVCTL, 2, 0xffff);
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP + PCI_EXP_DEVCTL, 2), 0x79ff);
	tg_write(g, 0x20, 1, 0, EXP + PCI_EXP_SLTCAP, 4, ONES);
	assert_int_equal(tg_read(g, 0x20, 1, 0, EXP + PCI_EXP_SLTCAP, 4), 0);
}

static void test_renumbering(void **state)
{
	struct tree_guest *g = *state;

	/* the two devices below the switch change their buses */
	tg_write(g, 0x20, 1, 0, PCI_SUBORDINATE_BUS, 1, 0x23);
	assert_int_equal(tg_read(g, 0x24, 0, 0, 0, 4), ONES);
	tg_write(g, 0x20, 1, 0, PCI_SUBORDINATE_BUS, 1, 0x24);
	tg_write(g, 0x22, 1, 0, PCI_SECONDARY_BUS, 2, 0x2323);
	tg_write(g, 0x22, 0, 0, PCI_SECONDARY_BUS, 2, 0x2424);
	assert_int_equal(tg_read(g, 0x24, 0, 0, 2, 2), 0x1001);
	assert_int_equal(tg_read(g, 0x23, 0, 0, 2, 2), 0x1002);
	tg_write(g, 0x22, 0, 0, PCI_SECONDARY_BUS, 2, 0);
	assert_int_equal(tg_read(g, 0x24, 0, 0, 0, 4), ONES);
	/* buses of another host bridge are out of reach */
	tg_write(g, 0x20, 1, 0, PCI_SUBORDINATE_BUS, 1, 0xff);
	tg_write(g, 0x21, 0, 0, PCI_SUBORDINATE_BUS, 1, 0xff);
	tg_write(g, 0x22, 0, 0, PCI_SECONDARY_BUS, 2, 0x2626);
	assert_int_equal(tg_read(g, 0x26, 0, 0, 2, 2), 0x1003);
}

static void test_port_access(void **state)
{
	struct tree_guest *g = *state;
	uint32_t at = 0x80000000 | 0x23 << 16 | PCI_VENDOR_ID, value = 0;
	uint16_t half = 0;

	vmm_bus_access(&g->pio, 0xcf8, &at, 4, true);
	vmm_bus_access(&g->pio, 0xcf8, &value, 4, false);
	assert_int_equal(value, at);
	vmm_bus_access(&g->pio, 0xcfc, &value, 4, false);
	assert_int_equal(value, 0x10011234);
	vmm_bus_access(&g->pio, 0xcfe, &half, 2, false);
	assert_int_equal(half, 0x1001);
	half = 0x0123; /* narrow writes are no address */
	vmm_bus_access(&g->pio, 0xcf8, &half, 2, true);
	vmm_bus_access(&g->pio, 0xcf8, &value, 4, false);
	assert_int_equal(value, at);
	at &= 0x7fffffff;
	vmm_bus_access(&g->pio, 0xcf8, &at, 4, true);
	vmm_bus_access(&g->pio, 0xcfc, &value, 4, false);
	assert_int_equal(value, ONES);
}

static void test_access_sizes(void **state)
{
	struct tree_guest *g = *state;
	const struct cv_bdf bdf = { 0, 0x23, 0, 0 };
	uint64_t wide = 0;
	uint32_t value = 0;

	vmm_pci_access(g->pci, bdf, 0, &wide, 8, false);
	assert_int_equal(wide & ONES, 0x10011234);
	vmm_pci_access(g->pci, bdf, 1, &value, 4, false); /* across a register */
	assert_int_equal(value, 0x00100112);
	vmm_pci_access(g->pci, bdf, 4094, &value, 4, false);
	assert_int_equal(value, ONES);
	g->devices[TG_GPU].n_writes = 0;
	wide = 0;
	vmm_pci_access(g->pci, bdf, BAR(0), &wide, 8, true);
	assert_int_equal(g->devices[TG_GPU].n_writes, 2);
	tg_put(g, TG_GPU, PCI_STATUS, 2, 0xffff);
	assert_int_equal(tg_get(g, TG_GPU, PCI_STATUS, 2), 0);
}

/* ---- BARs ---- */

static void test_sizing(void **state)
{
	struct tree_guest *g = *state;

	tg_put(g, TG_GPU, BAR(0), 4, ONES);
	assert_int_equal(tg_get(g, TG_GPU, BAR(0), 4), 0xff000000);
	move64(g, TG_GPU, 1, UINT64_MAX);
	assert_int_equal(tg_get(g, TG_GPU, BAR(1), 4), 0x0000000c);
	assert_int_equal(tg_get(g, TG_GPU, BAR(2), 4), 0xfffffff8);
	tg_put(g, TG_GPU, BAR(5), 4, ONES);
	assert_int_equal(tg_get(g, TG_GPU, BAR(5), 4), 0);
	tg_put(g, TG_GPU, PCI_ROM_ADDRESS, 4, ONES);
	assert_int_equal(tg_get(g, TG_GPU, PCI_ROM_ADDRESS, 4), 0);
	assert_int_equal(g->devices[TG_GPU].n_maps, 0);
	decode(g, TG_NIC, true); /* sized while it decodes: away, and there again */
	uint64_t was = address(g, TG_NIC, 0);

	move64(g, TG_NIC, 0, UINT64_MAX);
	assert_int_equal(g->devices[TG_NIC].mapped[0], 0);
	move64(g, TG_NIC, 0, was);
	assert_int_equal(g->devices[TG_NIC].mapped[0], was);
}

static void test_decode(void **state)
{
	struct tree_guest *g = *state;
	struct tg_device *d = &g->devices[TG_NIC];
	uint64_t at = address(g, TG_NIC, 0);
	uint32_t value = 0;

	assert_false(vmm_bus_access(&g->mmio, at, &value, 4, false));
	decode(g, TG_NIC, true);
	assert_int_equal(d->mapped[0], at);
	assert_int_equal(d->mapped[2], address(g, TG_NIC, 2));
	assert_true(vmm_bus_access(&g->mmio, d->mapped[2] + 0x234, &value, 4, false));
	assert_int_equal(value, 0xb2b2b2b2);
	assert_int_equal(d->last_offset, 0x234);
	decode(g, TG_NIC, true);
	assert_int_equal(d->n_maps, 2);
	decode(g, TG_NIC, false);
	assert_int_equal(d->n_unmaps, 2);
	assert_false(vmm_bus_access(&g->mmio, at, &value, 4, false));
}

static void test_move(void **state)
{
	struct tree_guest *g = *state;
	struct tg_device *d = &g->devices[TG_NIC];
	uint64_t was = address(g, TG_NIC, 0);
	uint32_t value = 0;

	decode(g, TG_NIC, true);
	move64(g, TG_NIC, 0, TG_WINDOW1 + 0x100000);
	assert_int_equal(d->mapped[0], TG_WINDOW1 + 0x100000);
	assert_false(vmm_bus_access(&g->mmio, was, &value, 4, false));
	assert_true(vmm_bus_access(&g->mmio, TG_WINDOW1 + 0x100000, &value, 4, false));
	assert_int_equal(d->mapped[2], address(g, TG_NIC, 2));
}

/* Where something else is it stays away; the rest of the device answers. */
static void test_bad_places(void **state)
{
	struct tree_guest *g = *state;
	struct tg_device *d = &g->devices[TG_NIC];
	const uint64_t bad[] = {
		0,
		0x4000,
		TG_LOW_RAM_END - 0x4000,
		TG_HIGH_RAM,
		TG_HIGH_RAM_END - 0x4000,
		VMM_ECAM,
		VMM_ECAM + VMM_ECAM_SIZE - 0x4000,
		VMM_IOAPIC,
		VMM_LAPIC,
		VMM_IDENTITY_MAP / 0x4000 * 0x4000,
		PLAN_AMD_HOLE_START,
		1ULL << 52,
		UINT64_MAX - 0x3fff,
	};

	decode(g, TG_NIC, true);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		move64(g, TG_NIC, 0, bad[i]);
		assert_int_equal(d->mapped[0], 0);
		assert_int_equal(address(g, TG_NIC, 0), bad[i]);
		assert_int_not_equal(d->mapped[2], 0);
	}
	move64(g, TG_NIC, 0, TG_LOW_RAM_END);
	assert_int_equal(d->mapped[0], TG_LOW_RAM_END);
}

/* Two at one place: who was there stays; when it goes, the other one is there. */
static void test_collision(void **state)
{
	struct tree_guest *g = *state;
	uint64_t there = address(g, TG_NVME, 0), mine = address(g, TG_NIC, 0);

	decode(g, TG_NVME, true);
	decode(g, TG_NIC, true);
	move64(g, TG_NIC, 0, there);
	assert_int_equal(g->devices[TG_NVME].mapped[0], there);
	assert_int_equal(g->devices[TG_NIC].mapped[0], 0);
	move64(g, TG_NVME, 0, mine);
	assert_int_equal(g->devices[TG_NVME].mapped[0], mine);
	assert_int_equal(g->devices[TG_NIC].mapped[0], there);
	decode(g, TG_NVME, false);
	decode(g, TG_NIC, false);
	assert_int_equal(g->devices[TG_NIC].mapped[0], 0);
	assert_int_equal(g->mmio.n, 1); /* ECAM alone */
}

static void test_map_fails(void **state)
{
	struct tree_guest *g = *state;

	g->devices[TG_NIC].refuse = -ENOSPC;
	decode(g, TG_NIC, true);
	assert_int_equal(g->mmio.n, 1);
	assert_false(g->devices[TG_NIC].f.bars[0].is_mapped);
	g->devices[TG_NIC].refuse = 0;
	decode(g, TG_NIC, false);
	decode(g, TG_NIC, true);
	assert_int_equal(g->devices[TG_NIC].n_maps, 2);
}

/* ---- several vCPUs ---- */

#define SWAPS 1000

struct mover {
	struct tree_guest *g;
	enum tg_which which;
	uint64_t places[2];
	pthread_t thread;
};

/* Decoding all the time: each is at times where the other one is. */
static void *move_about(void *arg)
{
	struct mover *m = arg;
	uint32_t value;

	for (unsigned int i = 0; i < SWAPS; i++) {
		tg_put(m->g, m->which, BAR(0), 4, (uint32_t)m->places[i % 2]);
		vmm_bus_access(&m->g->mmio, m->places[i % 2], &value, 4, false);
		tg_put(m->g, m->which, PCI_COMMAND, 2, i % 8 ? PCI_COMMAND_MEMORY : 0);
	}
	tg_put(m->g, m->which, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	return NULL;
}

static void test_threads(void **state)
{
	struct tree_guest *g = *state;
	const uint64_t a = address(g, TG_NIC, 0), b = address(g, TG_NVME, 0);
	struct mover movers[] = { { g, TG_NIC, { a, b } }, { g, TG_NVME, { a, b } } };
	unsigned int n = 0;

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&movers[i].thread, NULL, move_about, &movers[i]),
				 0);
	for (size_t i = 0; i < 2; i++)
		pthread_join(movers[i].thread, NULL);
	/* both end at the same place: one of them is there */
	assert_int_equal(address(g, TG_NIC, 0), b);
	assert_int_equal(address(g, TG_NVME, 0), b);
	n += g->devices[TG_NIC].mapped[0] == b;
	n += g->devices[TG_NVME].mapped[0] == b;
	assert_int_equal(n, 1);
}

/* ---- reset, INTx, adding ---- */

static void test_reset(void **state)
{
	struct tree_guest *g = *state;
	uint64_t at = address(g, TG_NIC, 0);

	decode(g, TG_NIC, true);
	move64(g, TG_NIC, 0, TG_WINDOW1);
	tg_write(g, 0x22, 1, 0, PCI_SECONDARY_BUS, 2, 0x2323);
	vmm_pci_reset(g->pci);
	assert_int_equal(g->devices[TG_NIC].n_resets, 1);
	assert_int_equal(g->devices[TG_VIRTIO].n_resets, 1);
	assert_int_equal(g->devices[TG_NIC].mapped[0], 0);
	assert_int_equal(tg_get(g, TG_NIC, PCI_COMMAND, 2), 0);
	assert_int_equal(address(g, TG_NIC, 0), at);
	assert_int_equal(vmm_pci_assign(g->pci, &g->err), 0);
	assert_int_equal(address(g, TG_NIC, 0), at);
}

static void test_bus_reset(void **state)
{
	struct tree_guest *g = *state;

	decode(g, TG_NIC, true);
	tg_write(g, 0x20, 1, 0, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
	tg_write(g, 0x20, 1, 0, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
	tg_write(g, 0x20, 1, 0, PCI_BRIDGE_CONTROL, 2, 0);
	assert_int_equal(g->devices[TG_NIC].n_resets, 1);
	assert_int_equal(g->devices[TG_GPU].n_resets, 1);
	assert_int_equal(g->devices[TG_NVME].n_resets, 0);
	assert_int_equal(g->devices[TG_NIC].mapped[0], 0);
	tg_write(g, 0x22, 1, 0, PCI_BRIDGE_CONTROL, 2, PCI_BRIDGE_CTL_BUS_RESET);
	assert_int_equal(g->devices[TG_NIC].n_resets, 2);
	assert_int_equal(g->devices[TG_GPU].n_resets, 1);
}

static void test_intx(void **state)
{
	struct tree_guest *g = *state;

	assert_int_equal(vmm_pci_intx_gsi(g->pci, &g->devices[TG_VIRTIO].f, 1), 17);
	assert_int_equal(vmm_pci_intx_gsi(g->pci, &g->devices[TG_VIRTIO].f, 4), 20);
	assert_int_equal(vmm_pci_intx_gsi(g->pci, &g->devices[TG_GPU].f, 1), 17);
	/* slot 1 of the switch turns the pin by one */
	assert_int_equal(vmm_pci_intx_gsi(g->pci, &g->devices[TG_NIC].f, 1), 18);
	assert_int_equal(vmm_pci_intx_gsi(g->pci, &g->devices[TG_NIC].f, 4), 17);
	assert_int_equal(vmm_pci_intx_gsi(g->pci, &g->devices[TG_NVME].f, 2), 20);
}

static void test_add(void **state)
{
	struct tree_guest *g = *state;
	struct vmm_pci_function f;

	vmm_pci_init_function(&f, "late", 1, 2, 3);
	f.bdf = (struct cv_bdf){ 0, 0, 1, 0 };
	assert_int_equal(vmm_pci_add(g->pci, &f, &g->err), -EEXIST);
	assert_string_equal(g->err.code, "ADDRESS_TAKEN");
	f.bdf.bus = 1;
	assert_int_equal(vmm_pci_add(g->pci, &f, &g->err), -EINVAL);
	f.bdf = (struct cv_bdf){ 0, 0x23, 0, 0 };
	f.bridge = TG_BRIDGES;
	assert_int_equal(vmm_pci_add(g->pci, &f, &g->err), -EINVAL);
	f.bdf = (struct cv_bdf){ 0, 0, 1, 3 };
	f.bridge = -1;
	assert_int_equal(vmm_pci_add(g->pci, &f, &g->err), 0);
	assert_int_equal(tg_read(g, 0, 1, 0, PCI_HEADER_TYPE, 1), 0x80);
	assert_int_equal(tg_read(g, 0, 1, 3, PCI_HEADER_TYPE, 1), 0x80);
}

static void test_function(void **state)
{
	struct vmm_pci_function f;

	vmm_pci_init_function(&f, "f", 1, 2, 3);
	assert_int_equal(vmm_pci_set_bar(&f, 0, VMM_BAR_32, 2048), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 0, VMM_BAR_32, 0x3000), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 0, VMM_BAR_32, 1ULL << 32), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 5, VMM_BAR_64, 0x1000), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 6, VMM_BAR_32, 0x1000), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 0, VMM_BAR_UPPER, 0x1000), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 1, VMM_BAR_64, 0x1000), 0);
	assert_int_equal(vmm_pci_set_bar(&f, 2, VMM_BAR_32, 0x1000), -EINVAL);
	assert_int_equal(vmm_pci_set_bar(&f, 0, VMM_BAR_64, 0x1000), -EINVAL);
	assert_int_equal(vmm_pci_add_cap(&f, 9, "abc", 5), 0x40);
	assert_int_equal(vmm_pci_add_cap(&f, 5, NULL, 0x80), 0x48);
	assert_memory_equal(&f.config[0x40],
			    "\x09\x48"
			    "abc",
			    5);
	assert_int_equal(f.config[PCI_CAPABILITY_LIST], 0x40);
	assert_int_equal(vmm_pci_add_cap(&f, 5, NULL, 0x3c), -ENOSPC);
	assert_int_equal(vmm_pci_add_cap(&f, 5, NULL, 0x38), 0xc8);
	assert_int_equal(f.config[0x49], 0xc8);
	assert_int_equal(f.config[0xc9], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_enumeration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_express, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renumbering, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_access, setup, teardown),
		cmocka_unit_test_setup_teardown(test_access_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_move, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_collision, setup, teardown),
		cmocka_unit_test_setup_teardown(test_map_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bus_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_intx, setup, teardown),
		cmocka_unit_test_setup_teardown(test_add, setup_raw, teardown),
		cmocka_unit_test(test_function),
	};

	return cmocka_run_group_tests_name("vmm_pci", tests, NULL, NULL);
}
