// SPDX-License-Identifier: GPL-2.0-or-later
/* The drawing of host and guests: each core, device and page size is where it belongs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"
#include "plan/draw.h"
#include "plan/projections.h"
#include "tests/fake/golden.h"

static void make_plans(const struct inventory *inv, struct spec *specs, size_t n, struct plan *ret)
{
	_cleanup_site_ struct site site = ib_site();
	struct cv_error err = { 0 };

	if (plan_make(inv, &site, specs, n, NULL, ret, &err) < 0)
		fail_msg("%s: %s (%s)", err.object, err.what, err.found);
	for (size_t i = 0; i < n; i++)
		spec_done(&specs[i]);
}

static void drawn(const char *name, const struct inventory *inv, const struct plan *plans, size_t n)
{
	_cleanup_free_ char *text = plan_draw(inv, plans, n, PLAN_DRAW_TEXT, 0);
	_cleanup_free_ char *svg = plan_draw(inv, plans, n, PLAN_DRAW_SVG, 0);
	char path[96];

	assert_non_null(text);
	assert_non_null(svg);
	snprintf(path, sizeof(path), "projections/%s.txt", name);
	golden_check(path, text);
	snprintf(path, sizeof(path), "projections/%s.svg", name);
	golden_check(path, svg);
}

/* Two guests, a lease, a device in use and one in quarantine. */
static void emulated(struct inventory *inv, struct plan plans[2])
{
	struct spec specs[2] = { ib_spec("left", 1, IB_1G, IB_2M),
				 ib_spec("right", 2, IB_1G, IB_1G) };

	ib_emulated(inv, true);
	struct cv_lease *l = ib_lease(inv, "old", "u", "");
	cv_cpuset_add(&l->cpus, 2);
	cv_cpuset_add(&l->cpus, 10);
	struct inv_dev *nvme = ib_dev(inv, IB_NVME);
	nvme->holder_kind = INV_HOLDER_MOUNT;
	snprintf(nvme->holder, sizeof(nvme->holder), "/dev/nvme0n1 mounted on /scratch");
	ib_dev(inv, IB_SW_NVME)->is_quarantined = true;
	ib_want_vf(&specs[0], IB_IGB0);
	ib_want_bdf(&specs[1], IB_IGB1);
	ib_want_bdf(&specs[1], IB_EDU_ROOT)->accept = SPEC_ACCEPT_NO_RESET;
	make_plans(inv, specs, 2, plans);
}

static void golden(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 }, epyc = { 0 };
	struct plan plans[2] = { 0 };

	(void)state;
	emulated(&inv, plans);
	drawn("draw-emulated", &inv, plans, 2);
	plan_done(&plans[0]);
	plan_done(&plans[1]);
	struct spec s = ib_spec("epyc", 6, 4 * IB_1G, IB_1G);
	ib_epyc(&epyc);
	ib_want_class(&s, "gpu");
	make_plans(&epyc, &s, 1, plans);
	drawn("draw-epyc", &epyc, plans, 1);
	plan_done(&plans[0]);
}

/* Every core once, of the owner that the plans and leases say. */
static void cores_have_their_owner(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct plan plans[2] = { 0 };
	struct cv_cpuset seen = { 0 };
	struct draw d;

	(void)state;
	emulated(&inv, plans);
	assert_int_equal(draw_make(&d, &inv, plans, 2), 0);
	assert_int_equal(d.n_cores, 8);
	for (size_t i = 0; i < d.n_cores; i++) {
		const struct draw_core *c = &d.cores[i];

		assert_false(cv_cpuset_intersects(&seen, &c->cpus));
		cv_cpuset_or(&seen, &c->cpus);
		assert_int_equal(cv_cpuset_intersects(&c->cpus, &plans[0].host_cpus),
				 c->owner == DRAW_GUEST);
		assert_int_equal(cv_cpuset_intersects(&c->cpus, &plans[1].host_cpus),
				 c->owner == DRAW_GUEST + 1);
		assert_int_equal(cv_cpuset_has(&c->cpus, 2), c->owner == DRAW_LEASED);
	}
	assert_true(cv_cpuset_equal(&seen, &inv.host.online));
	draw_done(&d);
	plan_done(&plans[0]);
	plan_done(&plans[1]);
}

static void devices_have_their_owner(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct plan plans[2] = { 0 };
	size_t given = 0, switches = 0;
	struct draw d;

	(void)state;
	emulated(&inv, plans);
	assert_int_equal(draw_make(&d, &inv, plans, 2), 0);
	for (size_t i = 0; i < d.n_lines; i++) {
		given += d.lines[i].owner >= DRAW_GUEST;
		switches += d.lines[i].is_switch;
		if (strncmp(d.lines[i].text, IB_EDU_ROOT, 12) == 0)
			assert_int_equal(d.lines[i].node, -1);
		if (strncmp(d.lines[i].text, IB_SW_NVME, 12) == 0)
			assert_int_equal(d.lines[i].depth, 1);
	}
	assert_int_equal(given, plans[0].n_devices + plans[1].n_devices);
	assert_int_equal(switches, 1);
	draw_done(&d);
	plan_done(&plans[0]);
	plan_done(&plans[1]);
}

/* A node of 56 cores in one L3 fits a terminal: no line is wider than asked. */
static void large_nodes_fit_the_width(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_plan_ struct plan p = { 0 };
	struct spec s = ib_spec("wide", 20, 4 * IB_1G, IB_1G);

	(void)state;
	ib_epyc(&inv);
	for (size_t i = 0; i < inv.n_cpus; i++)
		inv.cpus[i].node = inv.cpus[i].l3 = 0;
	inv.nodes[0].cpus = inv.host.online;
	for (int i = 1; i < 4; i++)
		inv.nodes[i].cpus = (struct cv_cpuset){ 0 };
	make_plans(&inv, &s, 1, &p);
	for (unsigned int width = 60; width <= 120; width += 20) {
		_cleanup_free_ char *text = plan_draw(&inv, &p, 1, PLAN_DRAW_TEXT, width);
		char *save = NULL;

		assert_non_null(text);
		for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
			if (strlen(l) > width)
				fail_msg("wider than %u: %s", width, l);
	}
}

static void marks_of_many_guests(void **state)
{
	(void)state;
	assert_int_equal(draw_mark(DRAW_FREE), '.');
	assert_int_equal(draw_mark(DRAW_HOUSEKEEPING), 'h');
	assert_int_equal(draw_mark(DRAW_LEASED), '-');
	assert_int_equal(draw_mark(DRAW_GUEST), 'A');
	assert_int_equal(draw_mark(DRAW_GUEST + 25), 'Z');
	assert_int_equal(draw_mark(DRAW_GUEST + 26), '+');
	assert_int_equal(draw_mark(DRAW_GUEST + 900), '+');
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(cores_have_their_owner),
		cmocka_unit_test(devices_have_their_owner),
		cmocka_unit_test(large_nodes_fit_the_width),
		cmocka_unit_test(marks_of_many_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
