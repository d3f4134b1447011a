// SPDX-License-Identifier: GPL-2.0-or-later
/* Limits of the planner: what guests of one run share of caches, sets of nodes that are too many to look
 * at, regions that rule out one device and not another, lists that stay short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"

#define N_GUESTS 8

struct bench {
	struct inventory inv;
	struct site site;
	struct spec specs[N_GUESTS];
	struct plan plans[N_GUESTS];
	struct cv_error err;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	b->site = ib_site();
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < N_GUESTS; i++) {
		plan_done(&b->plans[i]);
		spec_done(&b->specs[i]);
	}
	inventory_done(&b->inv);
	site_done(&b->site);
	free(b);
	return 0;
}

static int make(struct bench *b, size_t n)
{
	b->err = (struct cv_error){ 0 };
	for (size_t i = 0; i < n; i++)
		plan_done(&b->plans[i]);
	return plan_make(&b->inv, &b->site, b->specs, n, NULL, b->plans, &b->err);
}

static void make_ok(struct bench *b, size_t n)
{
	if (make(b, n) < 0)
		fail_msg("%s: %s (%s)", b->err.object, b->err.what, b->err.found);
}

static void assert_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static const struct plan_reason *find_rejected(const struct plan *p, const char *object)
{
	for (size_t i = 0; i < p->n_rejected; i++)
		if (strcmp(p->rejected[i].object, object) == 0)
			return &p->rejected[i];
	return NULL;
}

/* ---- devices ---- */

/* It has the class code of a display, and comes first. */
static void a_bmc_is_no_gpu(void **state)
{
	static const uint16_t vendors[] = { 0x1a03, 0x102b };
	struct bench *b = *state;

	ib_machine(&b->inv, 1, 4, 1);
	ib_add_port(&b->inv, "0000:01:00.0", NULL, 0, 1, INV_PORT_ROOT);
	ib_add_function(&b->inv, "0000:02:00.0", "0000:01:00.0", 0, 2, 0x030000);
	ib_add_port(&b->inv, "0000:03:00.0", NULL, 0, 3, INV_PORT_ROOT);
	ib_add_function(&b->inv, "0000:04:00.0", "0000:03:00.0", 0, 4, 0x030000)->vendor = 0x10de;
	for (size_t i = 0; i < CV_ARRAY_SIZE(vendors); i++) {
		ib_dev(&b->inv, "0000:02:00.0")->vendor = vendors[i];
		b->specs[0] = ib_spec("a", 1, IB_2M, IB_2M);
		ib_want_class(&b->specs[0], "gpu");
		make_ok(b, 1);
		assert_int_equal(b->plans[0].devices[0].host.bus, 4);
		ib_want_class(&b->specs[0], "gpu");
		assert_int_equal(make(b, 1), -ENODEV);
		assert_string_equal(b->err.code, "NO_FREE_DEVICE");
		spec_done(&b->specs[0]);
		b->specs[0] = ib_spec("a", 1, IB_2M, IB_2M);
		ib_want_bdf(&b->specs[0], "0000:02:00.0"); /* who names it gets it */
		make_ok(b, 1);
		spec_done(&b->specs[0]);
	}
}

static void two_gpus(struct bench *b, const char *vendor)
{
	ib_machine(&b->inv, 1, 4, 1);
	snprintf(b->inv.host.cpu_vendor, sizeof(b->inv.host.cpu_vendor), "%s", vendor);
	b->inv.nodes[0].obtainable = 64 * IB_1G;
	ib_add_port(&b->inv, "0000:01:00.0", NULL, 0, 1, INV_PORT_ROOT);
	ib_add_function(&b->inv, "0000:02:00.0", "0000:01:00.0", 0, 2, 0x030000);
	ib_add_port(&b->inv, "0000:03:00.0", NULL, 0, 3, INV_PORT_ROOT);
	ib_add_function(&b->inv, "0000:04:00.0", "0000:03:00.0", 0, 4, 0x030000);
	b->inv.groups = calloc(1, sizeof(*b->inv.groups));
	assert_non_null(b->inv.groups);
	b->inv.n_groups = 1;
	b->inv.groups[0] = (struct inv_group){ .id = 2, .n_regions = 1 };
}

/* Of two functions that are alike otherwise the first does not leave the addresses that memory needs. */
static void another_device_is_chosen_for_its_regions(void **state)
{
	static const struct {
		const char *vendor;
		uint64_t start, memory, page;
		uint8_t bus, alone; /* alone: the first function serves */
	} rows[] = {
		{ "GenuineIntel", 0x3e2e0000, 2 * IB_1G, IB_1G, 4, false },
		{ "GenuineIntel", 0x3e2e0000, 2 * IB_1G, IB_2M, 2, true },
		{ "GenuineIntel", 0x180000000, 8 * IB_1G, IB_2M, 4, false },
		{ "GenuineIntel", 0x180000000, 4 * IB_1G, IB_2M, 2, true },
		{ "AuthenticAMD", 0x3e2e0000, 2 * IB_1G, IB_1G, 4, false },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		two_gpus(b, rows[i].vendor);
		b->inv.groups[0].regions[0] = (struct inv_region){ rows[i].start,
								   rows[i].start + 0xffff,
								   "direct" };
		b->specs[0] = ib_spec("a", 1, rows[i].memory, rows[i].page);
		ib_want_class(&b->specs[0], "gpu");
		make_ok(b, 1);
		assert_int_equal(b->plans[0].devices[0].host.bus, rows[i].bus);
		spec_done(&b->specs[0]);
		b->specs[0] = ib_spec("a", 1, rows[i].memory, rows[i].page);
		ib_want_bdf(&b->specs[0], "0000:02:00.0");
		assert_int_equal(make(b, 1), rows[i].alone ? 0 : -ENOSPC);
		if (!rows[i].alone)
			assert_string_equal(b->err.code, "IOVA_RESERVED");
		spec_done(&b->specs[0]);
		inventory_done(&b->inv);
	}
}

/* Of guests that ask for the same class, the one with little memory takes what the other cannot use. */
static void regions_are_judged_for_each_guest(void **state)
{
	struct bench *b = *state;

	two_gpus(b, "GenuineIntel");
	b->inv.groups[0].regions[0] = (struct inv_region){ 0x180000000, 0x18000ffff, "direct" };
	for (int i = 0; i < 2; i++) {
		b->specs[i] = ib_spec(i ? "b" : "a", 1, i ? 8 * IB_1G : IB_1G, IB_2M);
		ib_want_class(&b->specs[i], "gpu");
	}
	make_ok(b, 2);
	assert_int_equal(b->plans[0].devices[0].host.bus, 2);
	assert_int_equal(b->plans[1].devices[0].host.bus, 4);
}

/* ---- nodes ---- */

/* 16 nodes at the same distance: 1,820 sets of 4, and each guest needs one that no other touches. */
static void guests_side_by_side_on_many_nodes(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct bench *b = *state;

	ib_machine(&b->inv, 16, 4, 1);
	for (size_t i = 0; i < CV_ARRAY_SIZE(names); i++)
		b->specs[i] = ib_spec(names[i], 12, 4 * IB_1G, IB_2M);
	make_ok(b, 4);
	for (size_t i = 0; i < CV_ARRAY_SIZE(names); i++) {
		assert_int_equal(b->plans[i].n_nodes, 4);
		for (size_t k = 0; k < i; k++)
			assert_false(cv_cpuset_intersects(&b->plans[i].host_cpus,
							  &b->plans[k].host_cpus));
	}
}

/* Of 12,870 sets of 8 nodes not all were looked at: a refusal does not claim that none would do. */
static void what_was_not_looked_at_is_told(void **state)
{
	struct bench *b = *state;

	ib_machine(&b->inv, 16, 4, 1);
	b->specs[0] = ib_spec("a", 16 * 3, 4 * IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 8, 8 * IB_2M, IB_2M);
	assert_int_equal(make(b, 2), -ENOSPC);
	assert_string_equal(b->err.code, "DOES_NOT_FIT");
	assert_part(b->err.found, "search ended after");
	b->specs[0].cpus = 16 * 4; /* there is one set of 16 */
	assert_int_equal(make(b, 1), -ENOSPC);
	assert_null(strstr(b->err.found, "search ended"));
}

static void cores_that_are_not_free_are_counted(void **state)
{
	struct bench *b = *state;
	const struct plan_reason *others;

	ib_machine(&b->inv, 1, 400, 1);
	for (int cpu = 1; cpu < 390; cpu++)
		cv_cpuset_add(&b->inv.host.isolated, cpu);
	struct cv_lease *l = ib_lease(&b->inv, "x", "u", "");
	for (int cpu = 1; cpu < 390; cpu++)
		cv_cpuset_add(&l->cpus, cpu);
	b->specs[0] = ib_spec("a", 1, IB_2M, IB_2M);
	make_ok(b, 1);
	assert_non_null(find_rejected(&b->plans[0], "core 0"));
	others = find_rejected(&b->plans[0], "other cores");
	assert_non_null(others);
	assert_string_equal(others->text, "and 326 more that are not free");
	assert_true(b->plans[0].n_rejected <= 2 * 65);
}

static void memory_is_bounded(void **state)
{
	struct bench *b = *state;

	ib_machine(&b->inv, 1, 4, 1);
	b->inv.nodes[0].obtainable = UINT64_MAX;
	b->specs[0] = ib_spec("a", 1, UINT64_MAX / IB_1G * IB_1G, IB_1G);
	assert_int_equal(make(b, 1), -EINVAL);
	assert_string_equal(b->err.code, "BAD_SIZE");
	assert_part(b->err.wanted, "1024T");
}

/* ---- caches ---- */

/* Two L3s of four cores on one node; @ways for each of @n guests of @cores. */
static int ask_ways(struct bench *b, size_t n, unsigned int cores, unsigned int ways)
{
	static const char *const names[] = { "a", "b", "c" };

	ib_machine(&b->inv, 1, 8, 1);
	b->inv.host.resctrl = (struct inv_resctrl){ .is_mounted = true,
						    .has_l3 = true,
						    .l3_mask = 0xfff,
						    .l3_min_bits = 1,
						    .l3_closids = 16 };
	for (size_t i = 0; i < n; i++) {
		b->specs[i] = ib_spec(names[i], cores, IB_2M, IB_2M);
		b->specs[i].l3_ways = ways;
	}
	return make(b, n);
}

static void ways_of_guests_add_up(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask_ways(b, 3, 1, 7), -ENOSPC);
	assert_string_equal(b->err.code, "TOO_MANY_WAYS");
	assert_part(b->err.found, "14 ways");
	assert_part(b->err.wanted, "at most 11 of 12");
	for (size_t i = 0; i < 3; i++)
		b->specs[i].l3_ways = 5; /* two of them beside each other */
	make_ok(b, 3);
}

/* One L3 would do for the cores of both, and not for their ways. */
static void guests_go_where_ways_are_left(void **state)
{
	struct bench *b = *state;

	if (ask_ways(b, 2, 1, 7) < 0)
		fail_msg("%s: %s (%s)", b->err.object, b->err.what, b->err.found);
	assert_int_equal(b->plans[0].l3_ways, 7);
	assert_int_not_equal(cv_cpuset_next(&b->plans[0].host_cpus, -1) / 4,
			     cv_cpuset_next(&b->plans[1].host_cpus, -1) / 4);
}

static void classes_of_service_are_counted(void **state)
{
	struct bench *b = *state;

	assert_int_equal(ask_ways(b, 2, 1, 2), 0);
	b->inv.host.resctrl.l3_closids = 2;
	assert_int_equal(make(b, 2), -ENOSPC);
	assert_string_equal(b->err.code, "NO_CLOSID");
	assert_part(b->err.found, "num_closids 2");
	assert_int_equal(make(b, 1), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_bmc_is_no_gpu),
		TEST(another_device_is_chosen_for_its_regions),
		TEST(regions_are_judged_for_each_guest),
		TEST(guests_side_by_side_on_many_nodes),
		TEST(what_was_not_looked_at_is_told),
		TEST(cores_that_are_not_free_are_counted),
		TEST(memory_is_bounded),
		TEST(ways_of_guests_add_up),
		TEST(guests_go_where_ways_are_left),
		TEST(classes_of_service_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
