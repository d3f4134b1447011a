// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's PCIe tree: the switches of the host, a port for each device, and the bus numbers that
 * firmware will give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "guest_builder.h"

static const struct gb_shape host = { "GenuineIntel", 2, 16, 1, 16, 0, 46 };

/* ---- the whole path of a device, as text ---- */

static void add(char *text, size_t size, const char *more)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? " " : "", more);
}

/* "pxb1 rp0@40:01.0(80:01.0) ... 43:00.0": each port with its guest and host address. */
static const char *path_of(const struct plan *p, size_t device, char *text, size_t size)
{
	int chain[16], n = 0;
	char part[80], bdf[CV_BDF_MAX], from[CV_BDF_MAX];

	text[0] = '\0';
	for (int b = p->devices[device].bridge; b >= 0 && n < 16; b = p->bridges[b].parent)
		chain[n++] = b;
	while (n-- > 0) {
		const struct plan_bridge *b = &p->bridges[chain[n]];

		snprintf(part, sizeof(part), "%s", b->id);
		if (b->parent >= 0)
			snprintf(part, sizeof(part), "%s@%s(%s)", b->id,
				 cv_format_bdf(b->bdf, bdf) + 5,
				 b->has_host ? cv_format_bdf(b->host, from) + 5 : "-");
		add(text, size, part);
	}
	add(text, size, cv_format_bdf(p->devices[device].guest, bdf) + 5);
	return text;
}

static void assert_path(const struct plan *p, size_t device, const char *wanted)
{
	char text[256];

	assert_string_equal(path_of(p, device, text, sizeof(text)), wanted);
}

/* ---- as firmware does it ---- */

/* Bus numbers as SeaBIOS gives them: each bridge in order of slot and function, depth first. */
static unsigned int scan(const struct plan *p, int bridge, unsigned int bus)
{
	unsigned int last = bus;

	assert_int_equal(p->bridges[bridge].bus, bus);
	for (unsigned int fn = 0; fn < 256; fn++) {
		for (size_t i = 0; i < p->n_bridges; i++) {
			const struct plan_bridge *b = &p->bridges[i];

			if (b->parent != bridge || b->bdf.dev * 8u + b->bdf.fn != fn)
				continue;
			assert_int_equal(b->bdf.bus, bus);
			last = scan(p, (int)i, last + 1);
		}
	}
	return last;
}

static void judge(const struct plan *p)
{
	bool is_used[256] = { false };
	unsigned int last = 0;

	for (size_t i = 0; i < p->n_bridges; i++) {
		const struct plan_bridge *b = &p->bridges[i];

		assert_true(b->parent < (int)i);
		assert_true(b->bus > 0 && !is_used[b->bus]);
		is_used[b->bus] = true;
		if (b->kind == PLAN_HOST_BRIDGE) {
			assert_true(b->bus > last);
			last = scan(p, (int)i, b->bus);
		}
	}
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];

		assert_int_equal(d->guest.bus, p->bridges[d->bridge].bus);
		assert_int_equal(d->guest_node, p->bridges[d->bridge].guest_node);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(d->bridge, p->devices[k].bridge);
	}
}

/* ---- tests ---- */

static void cases_are_as_firmware_numbers_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct gb b;

		guest_case(guest_cases[i], &b);
		judge(&b.plan);
		gb_done(&b);
	}
}

/* A GPU and VFs of a NIC of one host switch; the disk of the other node has a root port alone. */
static void one_switch(void **state)
{
	struct gb b;

	(void)state;
	guest_case("switch", &b);
	assert_path(&b.plan, 0,
		    "pxb1 rp1@22:01.0(80:01.0) up0@23:00.0(81:00.0) dn0@24:00.0(82:00.0) 25:00.0");
	assert_path(&b.plan, 1,
		    "pxb1 rp1@22:01.0(80:01.0) up0@23:00.0(81:00.0) dn1@24:01.0(82:01.0) 26:00.0");
	assert_path(&b.plan, 2,
		    "pxb1 rp1@22:01.0(80:01.0) up0@23:00.0(81:00.0) dn2@24:02.0(82:01.0) 27:00.0");
	assert_path(&b.plan, 3, "pxb0 rp0@20:01.0(10:00.0) 21:00.0");
	gb_done(&b);
}

static void nested_switches(void **state)
{
	struct gb b;

	(void)state;
	guest_case("nested-switches", &b);
	assert_path(&b.plan, 0,
		    "pxb0 rp0@20:01.0(10:00.0) up0@21:00.0(11:00.0) dn0@22:00.0(12:00.0) "
		    "up1@23:00.0(13:00.0) dn1@24:00.0(14:00.0) 25:00.0");
	assert_path(&b.plan, 1,
		    "pxb0 rp0@20:01.0(10:00.0) up0@21:00.0(11:00.0) dn2@22:01.0(12:01.0) 27:00.0");
	assert_path(&b.plan, 2,
		    "pxb0 rp0@20:01.0(10:00.0) up0@21:00.0(11:00.0) dn0@22:00.0(12:00.0) "
		    "up1@23:00.0(13:00.0) dn3@24:01.0(14:01.0) 26:00.0");
	gb_done(&b);
}

/* What a snapshot can hold, and no machine: ports that do not pair, and a device among the ports. */
static void odd_trees(void **state)
{
	struct gb b;

	(void)state;
	gb_init(&b, &host);
	gb_dev(&b, "0000:00:02.0", "", 0, INV_PORT_ROOT_ENDPOINT);
	gb_dev(&b, "0000:10:00.0", "", 0, INV_PORT_DOWNSTREAM);
	gb_dev(&b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_ENDPOINT);
	gb_dev(&b, "0000:20:00.0", "", 0, INV_PORT_ROOT);
	gb_dev(&b, "0000:21:00.0", "0000:20:00.0", 0, INV_PORT_UPSTREAM);
	gb_dev(&b, "0000:22:00.0", "0000:21:00.0", 0, INV_PORT_UPSTREAM);
	gb_dev(&b, "0000:22:05.0", "0000:21:00.0", 0, INV_PORT_ENDPOINT);
	gb_dev(&b, "0000:23:00.0", "0000:22:00.0", 0, INV_PORT_BRIDGE);
	gb_dev(&b, "0000:24:00.0", "0000:23:00.0", 0, INV_PORT_CONVENTIONAL);
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:00:02.0");
	gb_take_dev(&b, "0000:11:00.0");
	gb_take_dev(&b, "0000:22:05.0");
	gb_take_dev(&b, "0000:24:00.0");
	assert_int_equal(gb_plan(&b), 0);
	judge(&b.plan);
	assert_path(&b.plan, 0, "pxb0 rp0@20:01.0(-) 21:00.0");
	assert_path(&b.plan, 1, "pxb0 rp1@20:02.0(-) 22:00.0");
	assert_path(&b.plan, 2,
		    "pxb0 rp2@20:03.0(20:00.0) up0@23:00.0(21:00.0) dn0@24:00.0(-) 25:00.0");
	assert_path(&b.plan, 3,
		    "pxb0 rp2@20:03.0(20:00.0) up0@23:00.0(21:00.0) dn1@24:01.0(-) 26:00.0");
	gb_done(&b);
}

/* A hostile snapshot: two ports above each other. */
static void a_loop_ends(void **state)
{
	struct gb b;

	(void)state;
	gb_init(&b, &host);
	gb_dev(&b, "0000:10:00.0", "", 0, INV_PORT_UPSTREAM);
	gb_dev(&b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_DOWNSTREAM);
	gb_dev(&b, "0000:12:00.0", "0000:11:00.0", 0, INV_PORT_ENDPOINT);
	b.inv.devs[0].parent = 1;
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:12:00.0");
	assert_int_equal(gb_plan(&b), 0);
	judge(&b.plan);
	gb_done(&b);
}

/* @n VFs of one NIC, each with a port of its own. */
static int many_vfs(struct gb *b, int n)
{
	gb_init(b, &host);
	gb_dev(b, "0000:10:00.0", "", 0, INV_PORT_ROOT);
	gb_dev(b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_ENDPOINT)->sriov = (struct inv_sriov){
		512, 0, 1, 1, 0x101e, true
	};
	gb_take(b, 0, 2, 1, GB_1G);
	for (int i = 0; i < n; i++)
		gb_take_vf(b, "0000:11:00.0", i);
	return gb_plan(b);
}

/* 31 slots, then functions of slots; bus numbers end at 255. */
static void as_many_devices_as_bus_numbers(void **state)
{
	static const struct {
		int n, r;
		unsigned int bus, fn;
	} counts[] = {
		{ 31, 0, 0x20, 0 },	{ 32, 0, 0x20, 7 },	{ 223, 0, 0x20, 6 },
		{ 224, 0, 0x1f, 7 },	{ 248, 0, 0x07, 7 },	{ 254, 0, 0x01, 5 },
		{ 255, -ENOSPC, 0, 0 }, { 300, -ENOSPC, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(counts); i++) {
		struct gb b;
		int r = many_vfs(&b, counts[i].n);

		if (r != counts[i].r)
			fail_msg("%d devices: %d, %s", counts[i].n, r, b.err.what);
		if (r == 0) {
			judge(&b.plan);
			assert_int_equal(b.plan.bridges[0].bus, counts[i].bus);
			assert_int_equal(b.plan.bridges[b.plan.n_bridges - 1].bdf.fn, counts[i].fn);
		} else {
			assert_string_equal(b.err.code, "TOO_MANY_DEVICES");
			assert_non_null(strstr(b.err.found, "bus numbers"));
		}
		gb_done(&b);
	}
}

static void devices_say_what_they_need(void **state)
{
	struct gb b;

	(void)state;
	guest_case("switch", &b);
	const struct plan_device *gpu = &b.plan.devices[0], *vf = &b.plan.devices[1];
	assert_int_equal(gpu->class, 0x030200);
	assert_int_equal(gpu->mmio32, 16 << 20);
	assert_int_equal(gpu->mmio64, 64 * GB_1G);
	assert_int_equal(gpu->clique, 0);
	/* the speed that the link can have, the width that it has */
	assert_int_equal(gpu->link_speed, 320);
	assert_int_equal(gpu->link_width, 16);
	assert_int_equal(vf->class, 0x020000);
	assert_int_equal(vf->mmio64, 1 << 20);
	assert_int_equal(vf->clique, -1);
	assert_int_equal(vf->link_speed, 320);
	gb_done(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cases_are_as_firmware_numbers_them),
		cmocka_unit_test(one_switch),
		cmocka_unit_test(nested_switches),
		cmocka_unit_test(odd_trees),
		cmocka_unit_test(a_loop_ends),
		cmocka_unit_test(as_many_devices_as_bus_numbers),
		cmocka_unit_test(devices_say_what_they_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
