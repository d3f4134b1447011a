// SPDX-License-Identifier: GPL-2.0-or-later
/* The PCI inventory with config space: who is read in depth, what each function costs, new facts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sriov/inventory.h"
#include "sriov/iommu_groups.h"
#include "tests/fake/counting_root.h"

#define PORT0 "pci0000:40/0000:40:00.0"
#define PORT1 "pci0000:40/0000:40:01.0"
#define PORT2 "pci0000:40/0000:40:02.0"
#define NIC PORT0 "/0000:41:00.0"
#define GPU PORT2 "/0000:43:00.0"

/* BDF order, as in the inventory */
enum { P0, P1, P2, PF, USB, VF0, VF1, OTHER, GPU0, GPU0_AUDIO, IDLE0, IDLE1, N_FUNCTIONS };

static const struct function {
	const char *dir; /* below /sys/devices */
	uint32_t class;
	uint16_t device; /* 0xffff: a VF */
	uint8_t type;	 /* PCIe type register */
	int group;
} functions[N_FUNCTIONS] = {
	[P0] = { PORT0, 0x060400, 0x000c, 0x42, 1 },
	[P1] = { PORT1, 0x060400, 0x000c, 0x42, 3 },
	[P2] = { PORT2, 0x060400, 0x000c, 0x42, 5 },
	[PF] = { NIC, 0x020000, 0x10c9, 0x02, 2 },
	[USB] = { PORT0 "/0000:41:00.1", 0x0c0330, 0x0001, 0x02, 20 },
	[VF0] = { PORT0 "/0000:41:10.0", 0x020000, 0xffff, 0x02, 20 },
	[VF1] = { PORT0 "/0000:41:10.2", 0x020000, 0xffff, 0x02, 21 },
	[OTHER] = { PORT1 "/0000:42:00.0", 0x020000, 0x1572, 0x02, 4 },
	[GPU0] = { GPU, 0x030200, 0x2330, 0x02, 6 },
	[GPU0_AUDIO] = { PORT2 "/0000:43:00.1", 0x040300, 0x2331, 0x02, 6 },
	[IDLE0] = { "pci0000:40/0000:44:00.0", 0x088000, 0x0002, 0x92, 7 },
	[IDLE1] = { "pci0000:40/0000:44:00.1", 0x088000, 0x0002, 0x92, 8 },
};

/** struct shape - how the machine of a test differs */
struct shape {
	size_t config_bytes;
	bool lists_members; /* /sys/kernel/iommu_groups/N/devices */
	const char *extra;  /* lines of the manifest */
};

static void put16(uint8_t *bytes, unsigned int at, unsigned int value)
{
	bytes[at] = value & 0xff;
	bytes[at + 1] = value >> 8 & 0xff;
}

static void make_bytes(const struct function *fn, uint8_t bytes[4096])
{
	bool is_vf = fn->device == 0xffff;

	memset(bytes, 0, 4096);
	put16(bytes, 0x00, is_vf ? 0xffff : 0x8086);
	put16(bytes, 0x02, fn->device);
	bytes[0x06] = 0x10;
	bytes[0x09] = fn->class & 0xff;
	put16(bytes, 0x0a, fn->class >> 8);
	bytes[0x0e] = fn->class >> 8 == 0x0604;
	bytes[0x34] = 0x40;
	bytes[0x40] = 0x10;
	put16(bytes, 0x42, fn->type);
	if (fn != &functions[PF])
		return;
	put16(bytes, 0x100, 0x10);
	put16(bytes, 0x102, 1);
	put16(bytes, 0x108, 1);
	put16(bytes, 0x10e, 4);
	put16(bytes, 0x110, 2);
	put16(bytes, 0x114, 0x80);
	put16(bytes, 0x116, 2);
	put16(bytes, 0x11a, 0x10ca);
}

static const char *name_of(const struct function *fn)
{
	return strrchr(fn->dir, '/') + 1;
}

static void write_function(FILE *f, const struct function *fn, const struct shape *shape)
{
	uint8_t bytes[4096];
	const char *name = name_of(fn);

	make_bytes(fn, bytes);
	fprintf(f, "l sys/bus/pci/devices/%s ../../../devices/%s\n", name, fn->dir);
	fprintf(f, "l sys/devices/%s/iommu_group ../../../../kernel/iommu_groups/%d\n", fn->dir,
		fn->group);
	fprintf(f, "f sys/devices/%s/numa_node \"1\\n\"\n", fn->dir);
	fprintf(f, "f sys/devices/%s/vendor \"0x8086\\n\"\n", fn->dir);
	fprintf(f, "f sys/devices/%s/device \"0x%04x\\n\"\n", fn->dir,
		fn->device == 0xffff ? 0x10ca : fn->device);
	fprintf(f, "f sys/devices/%s/class \"0x%06x\\n\"\n", fn->dir, fn->class);
	if (shape->lists_members)
		fprintf(f, "l sys/kernel/iommu_groups/%d/devices/%s ../../../../devices/%s\n",
			fn->group, name, fn->dir);
	if (shape->config_bytes == 0)
		return;
	fprintf(f, "b sys/devices/%s/config ", fn->dir);
	for (size_t i = 0; i < shape->config_bytes; i++)
		fprintf(f, "%02x", bytes[i]);
	fputc('\n', f);
}

static struct cv_sysroot *open_machine(const struct shape *shape)
{
	char name[] = "/tmp/carve-test-XXXXXX.sysroot";
	FILE *f = fdopen(mkstemps(name, 8), "w");
	struct cv_sysroot *root = NULL;
	struct cv_error err = { 0 };

	fputs("carve-sysroot 1\n", f);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		write_function(f, &functions[i], shape);
	fputs("f sys/kernel/iommu_groups/20/type \"DMA-FQ\\n\"\n", f);
	fputs(shape->extra ? shape->extra : "", f);
	fclose(f);
	(void)cv_sysroot_open(name, &root, &err);
	unlink(name);
	assert_string_equal(err.what, "");
	assert_non_null(root);
	return root;
}

static void read_with(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv)
{
	struct cv_error err = { 0 };

	assert_int_equal(sr_inventory_read(root, depth, inv, &err), 0);
	assert_int_equal(inv->n_devs, N_FUNCTIONS);
}

static bool is_one_of(const struct inv_dev *d, void *ctx)
{
	for (const char *const *name = ctx; *name; name++) {
		struct cv_bdf bdf;

		assert_int_equal(cv_parse_bdf(*name, &bdf), 0);
		if (cv_bdf_cmp(d->bdf, bdf) == 0)
			return true;
	}
	return false;
}

static const char *const only_pf[] = { "0000:41:00.0", NULL };
static const char *const only_vf0[] = { "0000:41:10.0", NULL };
static const char *const only_gpu[] = { "0000:43:00.0", NULL };
static const char *const nothing[] = { NULL };

static void assert_deep(const struct inventory *inv, unsigned int wanted)
{
	for (unsigned int i = 0; i < N_FUNCTIONS; i++)
		if (inv->devs[i].is_shallow == (wanted >> i & 1))
			fail_msg("%s is %s", name_of(&functions[i]),
				 inv->devs[i].is_shallow ? "shallow" : "deep");
}

#define BIT(x) (1U << (x))

/* The same with the lists of members, without, and where a list does not name its own function. */
static void depth_follows_the_relations(void **state)
{
	static const struct {
		const char *const *names;
		unsigned int deep;
	} rows[] = {
		{ only_gpu, BIT(GPU0) | BIT(GPU0_AUDIO) | BIT(P2) },
		{ only_pf, BIT(PF) | BIT(VF0) | BIT(VF1) | BIT(USB) | BIT(P0) },
		{ only_vf0, BIT(VF0) | BIT(PF) | BIT(USB) | BIT(P0) },
		{ nothing, 0 },
	};
	static const struct shape shapes[] = {
		{ 4096, true, NULL },
		{ 4096, false, NULL },
		{ 4096, false,
		  "d sys/kernel/iommu_groups/6/devices\n"
		  "d sys/kernel/iommu_groups/20/devices\n" },
	};

	for (size_t s = 0; s < CV_ARRAY_SIZE(shapes); s++) {
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(&shapes[s]);

		for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
			_cleanup_inventory_ struct inventory inv = { 0 };
			struct sr_depth depth = { .is_wanted = is_one_of,
						  .ctx = (void *)rows[i].names };

			read_with(root, &depth, &inv);
			assert_deep(&inv, rows[i].deep);
		}
	}
}

static void shallow_functions_have_what_config_space_tells(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(
		&(struct shape){ 4096, true, NULL });
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct sr_depth depth = { .is_wanted = is_one_of, .ctx = (void *)only_gpu };
	const struct inv_dev *d;

	read_with(root, &depth, &inv);
	d = &inv.devs[OTHER];
	assert_true(d->is_shallow);
	assert_int_equal(d->device, 0x1572);
	assert_int_equal(d->class, 0x020000);
	assert_int_equal(d->parent, P1);
	assert_int_equal(d->node, -1);
	assert_string_equal(d->root, "pci0000:40");
	assert_int_equal(inv.devs[PF].sriov.total, 4);
	assert_int_equal(inv.devs[VF1].pf, PF);
	assert_int_equal(inv.devs[VF1].vendor, 0x8086);
	assert_int_equal(inv.devs[VF1].device, 0x10ca);
	assert_int_equal(inv.devs[GPU0].node, 1);
	assert_int_equal(inv.devs[GPU0].group, 6);
	assert_int_equal(inv.devs[GPU0_AUDIO].group, 6);
	assert_int_equal(inv.devs[P2].group, 5);
}

static void everything_is_deep_unless_asked(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(
		&(struct shape){ 4096, true, NULL });
	_cleanup_inventory_ struct inventory inv = { 0 };

	read_with(root, &(struct sr_depth){ 0 }, &inv);
	assert_deep(&inv, BIT(N_FUNCTIONS) - 1);
	assert_int_equal(inv.n_groups, 10);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		assert_int_equal(inv.devs[i].group, functions[i].group);
	for (size_t i = 1; i < inv.n_groups; i++)
		assert_true(inv.groups[i - 1].id < inv.groups[i].id);
	assert_string_equal(inv_find_group(&inv, 20)->domain, "DMA-FQ");
	assert_null(inv_find_group(&inv, 9));
}

static void a_shallow_function_costs_little(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *inner = open_machine(
		&(struct shape){ 4096, true, NULL });
	struct sr_depth depth = { .is_wanted = is_one_of, .ctx = (void *)only_gpu };

	for (size_t i = 0; i < N_FUNCTIONS; i++) {
		_cleanup_inventory_ struct inventory inv = { 0 };
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
		struct counting_root count = { .inner = inner, .about = name_of(&functions[i]) };

		assert_int_equal(counting_root_new(&count, &root), 0);
		read_with(root, &depth, &inv);
		if (inv.devs[i].is_shallow && count.calls > 3)
			fail_msg("%s: %u calls, last %s", count.about, count.calls, count.last);
		if (i == GPU0)
			assert_true(count.calls > 3);
	}
}

/* What somebody without CAP_SYS_ADMIN sees, and where nothing can be read: sysfs tells instead. */
static void short_config_falls_back_to_files(void **state)
{
	static const size_t sizes[] = { 0, 1, 64 };

	for (size_t i = 0; i < CV_ARRAY_SIZE(sizes); i++) {
		struct shape shape = { sizes[i], true,
				       "f sys/devices/" NIC "/sriov_totalvfs \"4\\n\"\n"
				       "f sys/devices/" NIC "/sriov_numvfs \"2\\n\"\n"
				       "f sys/devices/" NIC "/subsystem_device \"0x0042\\n\"\n"
				       "f sys/devices/" NIC
				       "/max_link_speed \"16.0 GT/s PCIe\\n\"\n"
				       "f sys/devices/" NIC "/max_link_width \"16\\n\"\n"
				       "l sys/devices/" NIC "/virtfn1 ../0000:41:10.2\n"
				       "l sys/devices/" PORT0
				       "/0000:41:10.2/physfn ../0000:41:00.0\n" };
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(&shape);
		_cleanup_inventory_ struct inventory inv = { 0 };

		read_with(root, &(struct sr_depth){ 0 }, &inv);
		assert_int_equal(inv.devs[PF].device, 0x10c9);
		assert_int_equal(inv.devs[PF].subdevice, 0x0042);
		assert_int_equal(inv.devs[PF].sriov.num, 2);
		assert_int_equal(inv.devs[PF].link.max_speed, 160);
		assert_int_equal(inv.devs[PF].link.max_width, 16);
		assert_int_equal(inv.devs[VF1].pf, PF);
		assert_int_equal(inv.devs[VF1].vf_index, 1);
		assert_int_equal(inv.devs[VF1].device, 0x10ca);
		assert_int_equal(inv.devs[VF0].pf, -1); /* no link says so */
		assert_int_equal(inv.devs[VF0].device, 0x10ca);
		assert_int_equal(inv.devs[P0].port, INV_PORT_BRIDGE);
		assert_int_equal(inv.devs[VF0].parent, P0);
	}
}

#define NOTHING "0x0000000000000000 0x0000000000000000 0x0000000000000000\\n"

static void bars_have_addresses_and_vfs_their_part(void **state)
{
	struct shape shape = {
		4096, true,
		"f sys/devices/" NIC "/sriov_totalvfs \"3\\n\"\n"
		"f sys/devices/" NIC "/resource \""
		"0x00000000fe000000 0x00000000fe01ffff 0x0000000000040200\\n"
		"0x000000000000e000 0x000000000000e01f 0x0000000000040101\\n"
		"0x0000000000000000 0x0000000000003fff 0x0000000020040200\\n" /* no room found */
		NOTHING NOTHING NOTHING NOTHING
		"0x0000380000000000 0x000038000000ffff 0x000000000014220c\\n" NOTHING NOTHING
			NOTHING NOTHING NOTHING "\"\n"
		"f sys/devices/" GPU "/resource \"0x0000400000000000 0x0000401fffffffff 0x14220c\\n"
		"garbage\\n0x1 0x2\\n\"\n"
	};
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(&shape);
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_dev *d;

	read_with(root, &(struct sr_depth){ 0 }, &inv);
	d = &inv.devs[PF];
	assert_true(d->bars[0].address == 0xfe000000 && d->bars[0].size == 0x20000);
	assert_true(d->bars[1].is_io && d->bars[1].address == 0xe000);
	assert_true(d->bars[2].size == 0x4000 && d->bars[2].address == 0);
	/* 4 VFs in the capability, of which the driver allows 3: the kernel makes room for 4 */
	assert_int_equal(d->sriov.total, 3);
	assert_true(d->sriov.vf_bars[0].size == 0x4000);
	assert_true(d->sriov.vf_bars[0].is_64bit && d->sriov.vf_bars[0].is_prefetchable);
	assert_true(d->sriov.vf_bars[1].size == 0);
	assert_true(inv.devs[VF0].bars[0].address == 0x380000000000);
	assert_true(inv.devs[VF1].bars[0].address == 0x380000004000);
	assert_true(inv.devs[VF1].bars[0].size == 0x4000);
	assert_true(inv.devs[GPU0].bars[0].address == 0x400000000000);
	assert_true(inv.devs[GPU0].bars[0].size == 0x2000000000);
	assert_true(inv.devs[GPU0].bars[1].size == 0);
}

static void groups_are_those_of_deep_functions(void **state)
{
	struct shape shape = { 4096, true,
			       "f sys/kernel/iommu_groups/6/reserved_regions \""
			       "0x00000000000a0000 0x00000000000fffff direct-relaxable\\n"
			       "0x00000000fee00000 0x00000000feefffff msi\\n\"\n" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(&shape);
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct sr_depth depth = { .is_wanted = is_one_of, .ctx = (void *)only_gpu };
	const struct inv_group *g;

	read_with(root, &depth, &inv);
	assert_int_equal(inv.n_groups, 1); /* not that of the bridge above */
	g = inv_find_group(&inv, 6);
	assert_non_null(g);
	assert_int_equal(g->n_regions, 2);
	assert_true(g->regions[0].start == 0xa0000 && g->regions[0].end == 0xfffff);
	assert_string_equal(g->regions[0].type, "direct-relaxable");
	assert_string_equal(g->regions[1].type, "msi");
}

static void garbage_is_no_region(void **state)
{
	struct inv_group g = { .n_regions = 5 };

	sr_parse_regions("", &g);
	assert_int_equal(g.n_regions, 0);
	sr_parse_regions("\n\n0x1\nx y z\n0x2 0x1 msi\n0x10 0x1f\n-1 5 direct\n"
			 "0x10000000000000000 0x10000000000000001 msi\n",
			 &g);
	assert_int_equal(g.n_regions, 0);
	sr_parse_regions("0x0 0xffffffffffffffff a-type-that-is-much-longer-than-any-there-is\n",
			 &g);
	assert_int_equal(g.n_regions, 1);
	assert_int_equal(strlen(g.regions[0].type), sizeof(g.regions[0].type) - 1);
}

/* None of a list that is too long may be used for memory. */
static void many_regions_are_all_covered(void **state)
{
	struct inv_group g = { 0 };

	sr_parse_regions("0x00 0x0f direct\n0x10 0x1f direct\n0x20 0x2f direct\n0x30 0x3f direct\n"
			 "0x40 0x4f direct\n0x50 0x5f direct\n0x60 0x6f direct\n0x90 0x9f direct\n"
			 "0x80 0x8f direct\n0xf000 0xffff msi\n",
			 &g);
	assert_int_equal(g.n_regions, INV_MAX_REGIONS);
	assert_true(g.regions[INV_MAX_REGIONS - 1].start == 0x80);
	assert_true(g.regions[INV_MAX_REGIONS - 1].end == 0xffff);
}

/* A quarantine entry is found by its name; one that is damaged counts as well. */
static void quarantine_is_found_by_name(void **state)
{
	struct shape shape = { 4096, true,
			       "f var/lib/carve/quarantine/0000:43:00.0.json \"{}\"\n"
			       "f var/lib/carve/quarantine/0000:99:00.0.json \"{}\"\n"
			       "f var/lib/carve/quarantine/README \"x\"\n" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = open_machine(&shape);
	_cleanup_inventory_ struct inventory inv = { 0 };

	read_with(root, &(struct sr_depth){ 0 }, &inv);
	for (size_t i = 0; i < N_FUNCTIONS; i++)
		assert_int_equal(inv.devs[i].is_quarantined, i == GPU0);
	assert_non_null(strstr(inv.devs[GPU0].quarantine, "cannot be read"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth_follows_the_relations),
		cmocka_unit_test(shallow_functions_have_what_config_space_tells),
		cmocka_unit_test(everything_is_deep_unless_asked),
		cmocka_unit_test(a_shallow_function_costs_little),
		cmocka_unit_test(short_config_falls_back_to_files),
		cmocka_unit_test(bars_have_addresses_and_vfs_their_part),
		cmocka_unit_test(groups_are_those_of_deep_functions),
		cmocka_unit_test(garbage_is_no_region),
		cmocka_unit_test(many_regions_are_all_covered),
		cmocka_unit_test(quarantine_is_found_by_name),
	};

	return cmocka_run_group_tests_name("pci_depth", tests, NULL, NULL);
}
