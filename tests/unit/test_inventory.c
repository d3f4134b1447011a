// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/inventory.h"

static struct cv_bdf bdf(const char *s)
{
	struct cv_bdf b;

	assert_int_equal(cv_parse_bdf(s, &b), 0);
	return b;
}

/* Node 1: a root port with a NIC on it, and a switch without ACS with an NVMe and a GPU below. */
enum { RP0, NIC, RP1, UP, DOWN0, DOWN1, NVME, GPU, N_DEVS };

static void make_tree(struct inv_dev devs[N_DEVS])
{
	static const struct {
		const char *bdf;
		int parent, group;
		enum inv_port port;
		uint32_t class;
		const char *driver;
	} rows[N_DEVS] = {
		[RP0] = { "0000:40:00.0", -1, 1, INV_PORT_ROOT, 0x060400, "pcieport" },
		[NIC] = { "0000:41:00.0", RP0, 2, INV_PORT_ENDPOINT, 0x020000, "igb" },
		[RP1] = { "0000:42:00.0", -1, 3, INV_PORT_ROOT, 0x060400, "pcieport" },
		[UP] = { "0000:43:00.0", RP1, 4, INV_PORT_UPSTREAM, 0x060400, "pcieport" },
		[DOWN0] = { "0000:44:00.0", UP, 5, INV_PORT_DOWNSTREAM, 0x060400, "pcieport" },
		[DOWN1] = { "0000:44:01.0", UP, 5, INV_PORT_DOWNSTREAM, 0x060400, "pcieport" },
		[NVME] = { "0000:45:00.0", DOWN0, 5, INV_PORT_ENDPOINT, 0x010802, "nvme" },
		[GPU] = { "0000:46:00.0", DOWN1, 5, INV_PORT_ENDPOINT, 0x030200, "" },
	};

	for (int i = 0; i < N_DEVS; i++) {
		devs[i] = (struct inv_dev){
			.bdf = bdf(rows[i].bdf),
			.parent = rows[i].parent,
			.group = rows[i].group,
			.port = rows[i].port,
			.class = rows[i].class,
			.node = 1,
			.pf = -1,
			.vf_index = -1,
		};
		strcpy(devs[i].driver, rows[i].driver);
	}
	devs[RP0].has_acs = devs[RP1].has_acs = true;
	devs[RP0].acs_ctrl = devs[RP1].acs_ctrl = 0x1d;
	devs[NIC].sriov = (struct inv_sriov){ .total = 7, .offset = 128, .stride = 2 };
}

static void finds(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct inventory inv = { .devs = devs, .n_devs = N_DEVS };

	make_tree(devs);
	for (int i = 0; i < N_DEVS; i++)
		assert_int_equal(inv_find_dev(&inv, devs[i].bdf), i);
	assert_int_equal(inv_find_dev(&inv, bdf("0000:00:00.0")), -1);
	assert_int_equal(inv_find_dev(&inv, bdf("0001:46:00.0")), -1);
	assert_int_equal(inv_find_cpu(&inv, 0), -1);
	assert_int_equal(inv_find_node(&inv, 0), -1);
}

static void tells_bridges_and_classes(void **state)
{
	struct inv_dev devs[N_DEVS], d = { .class = 0xff0000 };

	make_tree(devs);
	assert_true(inv_is_bridge(&devs[RP0]));
	assert_true(inv_is_bridge(&devs[DOWN0]));
	assert_false(inv_is_bridge(&devs[GPU]));
	assert_string_equal(inv_class_name(&devs[NIC]), "net");
	assert_string_equal(inv_class_name(&devs[NVME]), "nvme");
	assert_string_equal(inv_class_name(&devs[GPU]), "gpu");
	assert_string_equal(inv_class_name(&devs[UP]), "bridge");
	assert_string_equal(inv_class_name(&d), "other");
	d.class = 0x010601;
	assert_string_equal(inv_class_name(&d), "storage");
}

static void predicts_vf_addresses(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct cv_bdf b;
	char buf[CV_BDF_MAX];

	make_tree(devs);
	assert_int_equal(inv_vf_bdf(&devs[NIC], 0, &b), 0);
	assert_string_equal(cv_format_bdf(b, buf), "0000:41:10.0");
	assert_int_equal(inv_vf_bdf(&devs[NIC], 6, &b), 0);
	assert_string_equal(cv_format_bdf(b, buf), "0000:41:11.4");
	assert_int_equal(inv_vf_bdf(&devs[NIC], 7, &b), -ERANGE);
	assert_int_equal(inv_vf_bdf(&devs[GPU], 0, &b), -ERANGE);
	devs[NIC].sriov.offset = 0;
	assert_int_equal(inv_vf_bdf(&devs[NIC], 0, &b), -ERANGE);
	devs[NIC].sriov.offset = 256;
	devs[NIC].sriov.stride = 0;
	assert_int_equal(inv_vf_bdf(&devs[NIC], 0, &b), 0);
	assert_string_equal(cv_format_bdf(b, buf), "0000:42:00.0");
	assert_int_equal(inv_vf_bdf(&devs[NIC], 1, &b), -ERANGE);
}

static void names_group_blockers(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct inventory inv = { .devs = devs, .n_devs = N_DEVS };
	int found[2];

	make_tree(devs);
	assert_int_equal(inv_group_blockers(&inv, NIC, false, found, 2), 0);
	/* Unbound counts as well; bridges do not. */
	assert_int_equal(inv_group_blockers(&inv, NVME, false, found, 2), 1);
	assert_int_equal(found[0], GPU);
	assert_int_equal(inv_group_blockers(&inv, GPU, false, found, 2), 1);
	assert_int_equal(found[0], NVME);
	strcpy(devs[GPU].driver, "vfio-pci");
	assert_int_equal(inv_group_blockers(&inv, NVME, false, found, 2), 0);
	assert_int_equal(inv_group_blockers(&inv, -1, false, found, 2), 0);
	assert_int_equal(inv_group_blockers(&inv, N_DEVS, false, found, 2), 0);
}

static void predicts_group_of_new_vf(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct inventory inv = { .devs = devs, .n_devs = N_DEVS };
	int found[2] = { -1, -1 };

	make_tree(devs);
	assert_int_equal(inv_group_blockers(&inv, NIC, true, found, 2), 0);
	/* Below the switch the PF itself and its neighbour come along; only @max are written. */
	assert_int_equal(inv_group_blockers(&inv, NVME, true, found, 1), 2);
	assert_int_equal(found[0], NVME);
	assert_int_equal(found[1], -1);
	/* Where a port's own group is unknown, ACS decides. */
	devs[RP0].group = -1;
	assert_int_equal(inv_group_blockers(&inv, NIC, true, found, 2), 0);
	devs[RP0].acs_ctrl = 0;
	assert_int_equal(inv_group_blockers(&inv, NIC, true, found, 2), 1);
	/* No IOMMU, no group. */
	devs[NIC].group = -1;
	assert_int_equal(inv_group_blockers(&inv, NIC, true, found, 2), 0);
}

/* The index changes what it costs, never what comes out. */
static void index_gives_the_same_blockers(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct inventory plain = { .devs = devs, .n_devs = N_DEVS }, fast = plain;

	make_tree(devs);
	devs[NIC].group = -1;
	assert_int_equal(inv_index_groups(&fast), 0);
	assert_int_equal(fast.n_by_group, N_DEVS - 1);
	for (int dev = -1; dev <= N_DEVS; dev++) {
		for (int is_future = 0; is_future < 2; is_future++) {
			int a[N_DEVS] = { 0 }, b[N_DEVS] = { 0 };

			assert_int_equal(inv_group_blockers(&plain, dev, is_future, a, N_DEVS),
					 inv_group_blockers(&fast, dev, is_future, b, N_DEVS));
			assert_memory_equal(a, b, sizeof(a));
		}
	}
	devs[GPU].group = 7;
	assert_int_equal(inv_index_groups(&fast), 0);
	assert_int_equal(inv_group_blockers(&fast, NVME, false, NULL, 0), 0);
	free(fast.by_group);
}

static void finds_groups(void **state)
{
	struct inv_group groups[] = { { .id = 0 }, { .id = 3 }, { .id = 4 }, { .id = 900 } };
	struct inventory inv = { .groups = groups, .n_groups = 4 };

	for (size_t i = 0; i < inv.n_groups; i++)
		assert_ptr_equal(inv_find_group(&inv, groups[i].id), &groups[i]);
	assert_null(inv_find_group(&inv, -1));
	assert_null(inv_find_group(&inv, 2));
	assert_null(inv_find_group(&inv, 901));
	inv.n_groups = 0;
	assert_null(inv_find_group(&inv, 0));
}

static void survives_a_loop(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct inventory inv = { .devs = devs, .n_devs = N_DEVS };
	int found[2];

	make_tree(devs);
	devs[RP0].parent = NIC;
	devs[UP].parent = 1000;
	assert_int_equal(inv_group_blockers(&inv, NIC, true, found, 2), 1);
	assert_int_equal(inv_group_blockers(&inv, NVME, true, found, 2), 2);
}

static void finds_leases(void **state)
{
	struct cv_bdf held[] = { bdf("0000:41:00.0") };
	struct cv_lease lease = { .name = "vm1", .devices = held, .n_devices = 1 };
	struct inventory inv = { .leases = &lease, .n_leases = 1 };

	assert_ptr_equal(inv_device_lease(&inv, bdf("0000:41:00.0")), &lease);
	assert_null(inv_device_lease(&inv, bdf("0000:41:00.1")));
}

static void writes_json(void **state)
{
	struct inv_dev devs[N_DEVS];
	struct inventory inv = { .devs = devs, .n_devs = N_DEVS };
	int distances[] = { 10 };
	struct inv_node node = { .id = 0, .distances = distances, .n_pools = 1 };
	struct inv_cpu cpu = { .id = 3, .l3 = -1 };
	_cleanup_json_ json_t *j = NULL;
	const json_t *nic;

	make_tree(devs);
	inv.nodes = &node;
	inv.n_nodes = 1;
	inv.cpus = &cpu;
	inv.n_cpus = 1;
	strcpy(devs[NIC].name, "bad \xff byte");
	j = inventory_json(&inv);
	assert_non_null(j);
	assert_int_equal(cv_json_int(j, "carve_topo", 0), 1);
	nic = json_array_get(json_object_get(j, "devices"), NIC);
	assert_string_equal(cv_json_str(nic, "bdf", ""), "0000:41:00.0");
	assert_string_equal(cv_json_str(nic, "parent", ""), "0000:40:00.0");
	assert_string_equal(cv_json_str(nic, "name", ""), "bad ? byte");
	assert_true(json_is_null(json_object_get(nic, "lease")));
	assert_true(
		json_is_null(json_object_get(json_array_get(json_object_get(j, "cpus"), 0), "l3")));
	assert_int_equal(json_array_size(json_object_get(j, "nodes")), 1);
}

static void releases_empty(void **state)
{
	struct inventory inv = { 0 };

	inventory_done(&inv);
	inventory_done(&inv);
	assert_int_equal(inv.n_devs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(tells_bridges_and_classes),
		cmocka_unit_test(predicts_vf_addresses),
		cmocka_unit_test(names_group_blockers),
		cmocka_unit_test(predicts_group_of_new_vf),
		cmocka_unit_test(index_gives_the_same_blockers),
		cmocka_unit_test(finds_groups),
		cmocka_unit_test(survives_a_loop),
		cmocka_unit_test(finds_leases),
		cmocka_unit_test(writes_json),
		cmocka_unit_test(releases_empty),
	};

	return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
