// SPDX-License-Identifier: GPL-2.0-or-later
/* Distances of PCI functions: each class of "nvidia-smi topo -m" on a tree made for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"
#include "plan/distance.h"

/* Two host bridges on node 0, one on node 1, one nobody knows of; a switch, and a switch below it. */
enum {
	ROOT0, /* root port of the first host bridge */
	UP,    /* switch */
	DOWN0, /* its ports */
	DOWN1,
	DOWN2,
	UP2, /* a switch below it */
	DOWN20,
	DOWN21,
	GPU0, /* below DOWN0 */
	GPU0_AUDIO,
	NIC0, /* below DOWN1 */
	NIC0_VF,
	NIC0_VF1,
	GPU1,  /* below DOWN20 */
	NIC1,  /* below DOWN21 */
	ROOT1, /* another root port of the first host bridge */
	NIC2,
	NIC3,  /* second host bridge of node 0, right on its bus */
	NIC4,  /* node 1 */
	LOST,  /* node unknown, host bridge of its own */
	LOST2, /* the same host bridge */
	LOST3, /* another one */
	N_DEVS,
};

struct place {
	int parent;
	enum inv_port port;
	uint8_t bus, dev, fn;
	int node;
	const char *root;
};

#define FIRST "pci0000:00"

static const struct place places[N_DEVS] = {
	[ROOT0] = { -1, INV_PORT_ROOT, 0, 1, 0, 0, FIRST },
	[UP] = { ROOT0, INV_PORT_UPSTREAM, 1, 0, 0, 0, FIRST },
	[DOWN0] = { UP, INV_PORT_DOWNSTREAM, 2, 0, 0, 0, FIRST },
	[DOWN1] = { UP, INV_PORT_DOWNSTREAM, 2, 1, 0, 0, FIRST },
	[DOWN2] = { UP, INV_PORT_DOWNSTREAM, 2, 2, 0, 0, FIRST },
	[UP2] = { DOWN2, INV_PORT_UPSTREAM, 5, 0, 0, 0, FIRST },
	[DOWN20] = { UP2, INV_PORT_DOWNSTREAM, 6, 0, 0, 0, FIRST },
	[DOWN21] = { UP2, INV_PORT_DOWNSTREAM, 6, 1, 0, 0, FIRST },
	[GPU0] = { DOWN0, INV_PORT_ENDPOINT, 3, 0, 0, 0, FIRST },
	[GPU0_AUDIO] = { DOWN0, INV_PORT_ENDPOINT, 3, 0, 1, 0, FIRST },
	[NIC0] = { DOWN1, INV_PORT_ENDPOINT, 4, 0, 0, 0, FIRST },
	[NIC0_VF] = { DOWN1, INV_PORT_ENDPOINT, 4, 16, 0, 0, FIRST },
	[NIC0_VF1] = { DOWN1, INV_PORT_ENDPOINT, 4, 16, 1, 0, FIRST },
	[GPU1] = { DOWN20, INV_PORT_ENDPOINT, 7, 0, 0, 0, FIRST },
	[NIC1] = { DOWN21, INV_PORT_ENDPOINT, 8, 0, 0, 0, FIRST },
	[ROOT1] = { -1, INV_PORT_ROOT, 0, 2, 0, 0, FIRST },
	[NIC2] = { ROOT1, INV_PORT_ENDPOINT, 9, 0, 0, 0, FIRST },
	[NIC3] = { -1, INV_PORT_ROOT_ENDPOINT, 0x20, 0, 0, 0, "pci0000:20" },
	[NIC4] = { -1, INV_PORT_ENDPOINT, 0x40, 0, 0, 1, "pci0000:40" },
	[LOST] = { -1, INV_PORT_ENDPOINT, 0x60, 0, 0, -1, "pci0000:60" },
	[LOST2] = { -1, INV_PORT_ENDPOINT, 0x60, 1, 0, -1, "pci0000:60" },
	[LOST3] = { -1, INV_PORT_ENDPOINT, 0x80, 0, 0, -1, "pci0000:80" },
};

static void make_tree(struct inventory *inv)
{
	*inv = (struct inventory){ .n_devs = N_DEVS };
	inv->devs = calloc(N_DEVS, sizeof(*inv->devs));
	assert_non_null(inv->devs);
	for (int i = 0; i < N_DEVS; i++) {
		const struct place *p = &places[i];

		inv->devs[i] = (struct inv_dev){
			.bdf = { .bus = p->bus, .dev = p->dev, .fn = p->fn },
			.parent = p->parent,
			.port = p->port,
			.node = p->node,
			.pf = -1,
			.vf_index = -1,
		};
		snprintf(inv->devs[i].root, sizeof(inv->devs[i].root), "%s", p->root);
	}
	inv->devs[NIC0_VF].pf = inv->devs[NIC0_VF1].pf = NIC0;
}

static const struct {
	int a, b;
	enum inv_distance wanted;
	const char *why;
} pairs[] = {
	{ GPU0, GPU0, INV_SELF, "the same function" },
	{ GPU0, GPU0_AUDIO, INV_PIX, "two functions of one card" },
	{ GPU0, NIC0, INV_PIX, "one switch" },
	{ GPU1, NIC1, INV_PIX, "the switch below the switch" },
	{ NIC0, NIC0_VF, INV_PIX, "a VF and its PF" },
	{ NIC0_VF, NIC0_VF1, INV_PIX, "two VFs of one PF" },
	{ GPU0, NIC0_VF, INV_PIX, "a VF is where its PF is" },
	{ GPU0, GPU1, INV_PXB, "two switches" },
	{ NIC0_VF, NIC1, INV_PXB, "two switches, a VF" },
	{ GPU0, NIC2, INV_PHB, "two root ports of one host bridge" },
	{ LOST, LOST2, INV_PHB, "one host bridge, whatever its node" },
	{ GPU0, NIC3, INV_NODE, "two host bridges of one node" },
	{ NIC2, NIC3, INV_NODE, "two host bridges of one node" },
	{ GPU0, NIC4, INV_SYS, "two nodes" },
	{ GPU0, LOST, INV_SYS, "-1 is not node 0" },
	{ LOST, LOST3, INV_SYS, "-1 is not the same node as -1" },
};

static void test_classes(void **state)
{
	struct inventory inv;

	make_tree(&inv);
	for (size_t i = 0; i < CV_ARRAY_SIZE(pairs); i++) {
		enum inv_distance there = inv_distance(&inv, pairs[i].a, pairs[i].b);
		enum inv_distance back = inv_distance(&inv, pairs[i].b, pairs[i].a);

		if (there != pairs[i].wanted || back != there)
			fail_msg("%s: %s and %s, not %s", pairs[i].why, inv_distance_name(there),
				 inv_distance_name(back), inv_distance_name(pairs[i].wanted));
	}
	inventory_done(&inv);
}

static void test_common_port(void **state)
{
	struct inventory inv;

	make_tree(&inv);
	assert_int_equal(inv_common_port(&inv, GPU0, NIC0), UP);
	assert_int_equal(inv_common_port(&inv, GPU0, NIC0_VF), UP);
	assert_int_equal(inv_common_port(&inv, GPU0, GPU0_AUDIO), DOWN0);
	assert_int_equal(inv_common_port(&inv, GPU1, NIC1), UP2);
	assert_int_equal(inv_common_port(&inv, GPU0, NIC1), UP);
	assert_int_equal(inv_common_port(&inv, GPU0, NIC2), -1);
	assert_int_equal(inv_common_port(&inv, GPU0, NIC4), -1);
	inventory_done(&inv);
}

/* Bridges in a circle, as a broken snapshot may have them: an answer, not a hang. */
static void test_loop(void **state)
{
	struct inventory inv;

	make_tree(&inv);
	inv.devs[ROOT0].parent = DOWN2;
	for (int a = 0; a < N_DEVS; a++)
		for (int b = 0; b < N_DEVS; b++)
			assert_true(inv_distance(&inv, a, b) <= INV_SYS);
	inventory_done(&inv);
}

static void test_names(void **state)
{
	assert_string_equal(inv_distance_name(INV_SELF), "X");
	assert_string_equal(inv_distance_name(INV_PIX), "PIX");
	assert_string_equal(inv_distance_name(INV_PXB), "PXB");
	assert_string_equal(inv_distance_name(INV_PHB), "PHB");
	assert_string_equal(inv_distance_name(INV_NODE), "NODE");
	assert_string_equal(inv_distance_name(INV_SYS), "SYS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_common_port),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("distance", tests, NULL, NULL);
}
