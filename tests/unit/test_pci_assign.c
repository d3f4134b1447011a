// SPDX-License-Identifier: GPL-2.0-or-later
/* First addresses: everything aligned, in its window, apart from each other; or said why not. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tree_guest.h"
#include "vmm/core/layout.h"
#include "vmm/dev/pci_assign.h"

#define MIB (1ULL << 20)
#define GIB (1ULL << 30)
#define ROUNDS 2000

/* ---- judged by what must hold ---- */

static bool is_in(struct vmm_window inner, struct vmm_window outer)
{
	return inner.start >= outer.start && inner.start + inner.size <= outer.start + outer.size;
}

static bool is_apart(struct vmm_window a, struct vmm_window b)
{
	return a.start + a.size <= b.start || b.start + b.size <= a.start;
}

/* All that lies on one bus: BARs, then windows of the ports. */
static size_t on_bus(const struct vmm_assign *a, int node, int space, struct vmm_window *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_bars; i++)
		if (a->bars[i].node == node && (int)a->bars[i].space == space)
			ret[n++] = (struct vmm_window){ a->bars[i].address, a->bars[i].size };
	for (size_t i = 0; i < a->n_nodes; i++)
		if (a->nodes[i].parent == node && a->nodes[i].window[space].size)
			ret[n++] = a->nodes[i].window[space];
	return n;
}

static void judge_bus(const struct vmm_assign *a, int node, int space)
{
	struct vmm_window items[256];
	size_t n = on_bus(a, node, space, items);

	for (size_t i = 0; i < n; i++) {
		assert_true(is_in(items[i], a->nodes[node].window[space]));
		for (size_t k = 0; k < i; k++)
			assert_true(is_apart(items[i], items[k]));
	}
}

static void judge(const struct vmm_assign *a, struct vmm_window low)
{
	for (size_t i = 0; i < a->n_bars; i++)
		assert_int_equal(a->bars[i].address % a->bars[i].size, 0);
	for (size_t i = 0; i < a->n_nodes; i++) {
		const struct vmm_assign_node *k = &a->nodes[i];

		for (int s = 0; s < VMM_SPACES; s++) {
			assert_int_equal(k->window[s].start % MIB, 0);
			assert_int_equal(k->window[s].size % MIB, 0);
			judge_bus(a, (int)i, s);
		}
		if (k->parent >= 0 || !k->window[VMM_LOW].size)
			continue;
		assert_true(is_in(k->window[VMM_LOW], low));
		for (size_t j = 0; j < i; j++)
			if (a->nodes[j].parent < 0)
				assert_true(
					is_apart(k->window[VMM_LOW], a->nodes[j].window[VMM_LOW]));
	}
}

static void random_tree(struct vmm_assign *a)
{
	a->n_nodes = 1 + (size_t)rand() % 12;
	a->n_bars = (size_t)rand() % 40;
	for (size_t i = 0; i < a->n_nodes; i++) {
		a->nodes[i] = (struct vmm_assign_node){
			.parent = i == 0 || rand() % 4 == 0 ? -1 : rand() % (int)i,
		};
		if (a->nodes[i].parent < 0 && i > 0)
			a->nodes[i].window[VMM_HIGH] = (struct vmm_window){ (1ULL << 40) * i + GIB,
									    512 * GIB };
	}
	for (size_t i = 0; i < a->n_bars; i++) {
		int node = rand() % (int)a->n_nodes, root = node;

		while (a->nodes[root].parent >= 0)
			root = a->nodes[root].parent;
		a->bars[i] = (struct vmm_assign_bar){ .node = node };
		if (a->nodes[root].window[VMM_HIGH].size && rand() % 2)
			a->bars[i].space = VMM_HIGH;
		a->bars[i].size = 4096ULL << rand() % (a->bars[i].space == VMM_HIGH ? 24 : 15);
	}
}

static void test_random(void **state)
{
	const struct vmm_window low = { VMM_MMIO32_START, VMM_MMIO32_END - VMM_MMIO32_START };
	struct vmm_assign_node nodes[12];
	struct vmm_assign_bar bars[40];
	struct vmm_assign a = { .nodes = nodes, .bars = bars };
	unsigned int n_fit = 0;
	size_t root;

	srand(1);
	for (int i = 0; i < ROUNDS; i++) {
		random_tree(&a);
		assert_int_equal(vmm_assign_run(&a, low), 0);
		if (vmm_assign_find_excess(&a, low, &root) >= 0)
			continue;
		judge(&a, low);
		n_fit++;
	}
	assert_true(n_fit > ROUNDS / 4);
}

/* ---- by hand ---- */

static void test_shares(void **state)
{
	const struct vmm_window low = { 0xc0000000, 512 * MIB };
	struct vmm_assign_node nodes[] = { { .parent = -1 }, { .parent = -1 }, { .parent = 1 } };
	struct vmm_assign_bar bars[] = {
		{ 0, VMM_LOW, 16384, 0 },
		{ 2, VMM_LOW, 64 * MIB, 0 },
		{ 2, VMM_LOW, 4096, 0 },
	};
	struct vmm_assign a = { nodes, 3, bars, 3 };
	size_t root;

	assert_int_equal(vmm_assign_run(&a, low), 0);
	assert_int_equal(vmm_assign_find_excess(&a, low, &root), -ENOENT);
	/* 1 MiB and 65 MiB needed: the rest goes by 1 to 65 */
	assert_int_equal(nodes[0].window[VMM_LOW].start, 0xc0000000);
	assert_int_equal(nodes[0].window[VMM_LOW].size, 6 * MIB);
	assert_int_equal(bars[0].address, 0xc0000000);
	assert_int_equal(nodes[1].window[VMM_LOW].start, 0xc4000000);
	assert_true(nodes[1].window[VMM_LOW].size > 400 * MIB);
	assert_int_equal(nodes[2].window[VMM_LOW].start, 0xc4000000);
	assert_int_equal(nodes[2].window[VMM_LOW].size, 65 * MIB);
	assert_int_equal(bars[1].address, 0xc4000000);
	assert_int_equal(bars[2].address, 0xc8000000);
	judge(&a, low);
}

/* A tree that needs all there is, and then a page more. */
static void test_exact(void **state)
{
	const struct vmm_window low = { 0xc0000000, 512 * MIB };
	struct vmm_assign_node nodes[] = { { .parent = -1 } };
	struct vmm_assign_bar bars[] = {
		{ 0, VMM_LOW, 256 * MIB, 0 },
		{ 0, VMM_LOW, 256 * MIB, 0 },
		{ 0, VMM_LOW, 4096, 0 },
	};
	struct vmm_assign a = { nodes, 1, bars, 2 };
	size_t root = 7;

	assert_int_equal(vmm_assign_run(&a, low), 0);
	assert_int_equal(vmm_assign_find_excess(&a, low, &root), -ENOENT);
	a.n_bars = 3;
	assert_int_equal(vmm_assign_run(&a, low), 0);
	assert_int_equal(vmm_assign_find_excess(&a, low, &root), 2);
	assert_int_equal(root, 0);
}

/* ---- into registers ---- */

static int setup(void **state)
{
	static struct tree_guest g;

	assert_int_equal(tg_init(&g), 0);
	*state = &g;
	return 0;
}

static int teardown(void **state)
{
	tg_done(*state);
	return 0;
}

static void test_registers(void **state)
{
	struct tree_guest *g = *state;
	const struct vmm_root *roots;

	assert_int_equal(vmm_pci_assign(g->pci, &g->err), 0);
	assert_int_equal(vmm_pci_roots(g->pci, &roots), 3);
	assert_int_equal(roots[0].guest_node, -1);
	assert_int_equal(roots[0].bus_end, 0);
	assert_int_equal(roots[0].mmio32.start, VMM_MMIO32_START);
	assert_int_equal(roots[0].mmio64.size, 0);
	assert_int_equal(roots[1].uid, 1);
	assert_int_equal(roots[1].bus, 0x20);
	assert_int_equal(roots[1].bus_end, 0x24);
	assert_int_equal(roots[1].mmio64.start, TG_WINDOW0);
	assert_int_equal(roots[1].mmio64.size, TG_WINDOW_SIZE);
	assert_int_equal(roots[2].guest_node, 1);
	assert_int_equal(roots[2].bus_end, 0x26);
	/* virtio's 64-bit BAR lies below 4 GiB, the GPU's large one at the window's start */
	assert_int_equal(tg_get(g, TG_VIRTIO, PCI_BASE_ADDRESS_1, 4), 0);
	assert_int_equal(tg_get(g, TG_VIRTIO, PCI_BASE_ADDRESS_0, 4), VMM_MMIO32_START | 4);
	assert_int_equal(tg_get(g, TG_GPU, PCI_BASE_ADDRESS_1, 4), 0xc);
	assert_int_equal(tg_get(g, TG_GPU, PCI_BASE_ADDRESS_2, 4), TG_WINDOW0 >> 32);
	assert_int_equal(tg_get(g, TG_GPU, PCI_COMMAND, 2), 0);
	assert_int_equal(tg_read(g, 0x22, 0, 0, PCI_COMMAND, 2), PCI_COMMAND_MEMORY);
	/* 32 GiB + 32 MiB of the GPU; the NIC's 1 MiB follows */
	assert_int_equal(tg_read(g, 0x22, 0, 0, PCI_PREF_MEMORY_BASE, 4), 0x01f10001);
	assert_int_equal(tg_read(g, 0x22, 0, 0, PCI_PREF_BASE_UPPER32, 4), 0x80);
	assert_int_equal(tg_read(g, 0x22, 0, 0, PCI_PREF_LIMIT_UPPER32, 4), 0x88);
	assert_int_equal(tg_read(g, 0x22, 1, 0, PCI_PREF_MEMORY_BASE, 4), 0x02010201);
	/* the NVMe disk has nothing that is prefetchable: closed */
	assert_int_equal(tg_read(g, 0x25, 3, 0, PCI_PREF_MEMORY_BASE, 4), 0x0001fff1);
}

static void assert_room(struct tree_guest *g, const char *device)
{
	assert_int_equal(vmm_pci_assign(g->pci, &g->err), -ENOSPC);
	assert_string_equal(g->err.code, "BAR_ROOM");
	assert_string_equal(g->err.object, device);
	assert_non_null(strstr(g->err.what, "BAR "));
	assert_string_not_equal(g->err.found, "");
	assert_string_not_equal(g->err.wanted, "");
	assert_string_not_equal(g->err.hint, "");
}

static void test_no_room(void **state)
{
	struct tree_guest *g = *state;

	g->ranges[4].size = 16 * GIB; /* the GPU wants 32 */
	assert_room(g, "gpu");
	assert_string_equal(g->err.found, "16G in the window of its NUMA node");
	g->ranges[4].size = TG_WINDOW_SIZE;
	g->ranges[1].kind = PLAN_RESERVED; /* all below 4 GiB */
	assert_room(g, "virtio");
	g->ranges[1].kind = PLAN_MMIO32;
	assert_int_equal(vmm_pci_assign(g->pci, &g->err), 0);
}

/* Reserved addresses within the 32-bit window: the larger side is used. */
static void test_reserved_hole(void **state)
{
	struct tree_guest *g = *state;
	const struct vmm_root *roots;

	g->ranges[2].start = 0xc4000000;
	assert_int_equal(vmm_pci_assign(g->pci, &g->err), 0);
	vmm_pci_roots(g->pci, &roots);
	assert_int_equal(roots[0].mmio32.start, 0xc4100000);
}

/* Without a window of its own everything of a node lies below 4 GiB. */
static void test_no_high_window(void **state)
{
	struct tree_guest *g = *state;

	g->devices[TG_GPU].f.bars[1].size = 64 * MIB;
	g->ranges[4].kind = PLAN_MMIO32;
	assert_int_equal(vmm_pci_assign(g->pci, &g->err), 0);
	assert_int_equal(tg_get(g, TG_GPU, PCI_BASE_ADDRESS_2, 4), 0);
	assert_true(tg_get(g, TG_GPU, PCI_BASE_ADDRESS_1, 4) > VMM_MMIO32_START);
	assert_int_equal(tg_read(g, 0x22, 0, 0, PCI_PREF_MEMORY_BASE, 4), 0x0001fff1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_exact),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserved_hole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_high_window, setup, teardown),
	};

	return cmocka_run_group_tests_name("pci_assign", tests, NULL, NULL);
}
