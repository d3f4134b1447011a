// SPDX-License-Identifier: GPL-2.0-or-later
/* Which rungs there are for which function: names, what is known of models, who stands behind the same
 * bridge. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sriov/reset.h"

static void rungs_have_names(void **state)
{
	for (int i = 0; i < SR_RUNGS; i++) {
		enum sr_rung rung;

		assert_int_equal(sr_rung_parse(sr_rung_name((enum sr_rung)i), &rung), 0);
		assert_int_equal(rung, i);
	}
	assert_int_equal(sr_rung_parse("cxl_bus", &(enum sr_rung){ 0 }), -EINVAL);
}

static void rules_know_their_models(void **state)
{
	static const struct {
		uint16_t vendor, device;
		int pf;
		const char *source;
	} rows[] = {
		{ 0x1002, 0x74a1, -1, "MxGPU-Virtualization/issues/25" },
		{ 0x1002, 0x75a3, -1, "MxGPU-Virtualization/issues/25" },
		{ 0x1002, 0x75a3, 0, NULL }, /* its VFs survive */
		{ 0x1002, 0x731f, -1, "vendor-reset" },
		{ 0x10de, 0x2c05, -1, "open-gpu-kernel-modules/issues/853" },
		{ 0x10de, 0x2342, -1, "quirk_nvidia_no_bus_reset" },
		{ 0x10de, 0x2381, -1, NULL },
		{ 0x1022, 0x149c, -1, "quirk_no_flr" },
		{ 0x8086, 0x10c9, -1, NULL },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		const struct inv_dev d = { .vendor = rows[i].vendor,
					   .device = rows[i].device,
					   .pf = rows[i].pf,
					   .vf_index = rows[i].pf };
		const struct sr_reset_rule *rule = sr_reset_rule_find(&d);

		assert_true(!rule == !rows[i].source);
		if (!rule)
			continue;
		assert_non_null(strstr(rule->source, rows[i].source));
		assert_true(rule->why[0] && rule->refused);
	}
}

/* A port with a GPU of two functions behind it; a NIC with VFs on the root bus. */
enum { BRIDGE, GPU, AUDIO, NIC, VF, N_DEVS };

static void make_inventory(struct inventory *inv, struct inv_dev devs[N_DEVS])
{
	static const uint32_t classes[N_DEVS] = { 0x060400, 0x030200, 0x040300, 0x020000,
						  0x020000 };

	for (int i = 0; i < N_DEVS; i++) {
		devs[i] = (struct inv_dev){ .bdf = { .bus = (uint8_t)i, .fn = i == AUDIO },
					    .class = classes[i],
					    .parent = -1,
					    .pf = -1,
					    .vf_index = -1,
					    .vendor = 0x1234 };
		snprintf(devs[i].reset_methods, sizeof(devs[i].reset_methods), "flr bus");
	}
	devs[BRIDGE].port = INV_PORT_ROOT;
	devs[GPU].parent = devs[AUDIO].parent = BRIDGE;
	devs[VF].pf = NIC;
	devs[VF].vf_index = 0;
	devs[NIC].sriov.total = 8;
	devs[NIC].sriov.num = 1;
	*inv = (struct inventory){ .devs = devs, .n_devs = N_DEVS };
}

static void assert_ladder(const struct sr_ladder *l, const char *rungs)
{
	char text[128] = "";

	for (size_t i = 0; i < l->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 sr_rung_name(l->rungs[i]));
	assert_string_equal(text, rungs);
}

static void ladder_spares_the_neighbours(void **state)
{
	static const int both[] = { GPU, AUDIO }, vf[] = { VF };
	struct inv_dev devs[N_DEVS];
	struct inventory inv;
	struct sr_ladder l;

	make_inventory(&inv, devs);
	sr_ladder_make(&inv, GPU, both, 1, &l);
	assert_ladder(&l, "flr remove");
	assert_string_equal(
		l.left_out,
		"bus: 0000:02:00.1 behind the same bridge would be reset as well, and is not named");
	sr_ladder_make(&inv, GPU, both, 2, &l);
	assert_ladder(&l, "flr bus slot remove");
	assert_string_equal(l.left_out, "");
	sr_ladder_make(&inv, VF, NULL, 0, &l);
	assert_ladder(&l, "flr");
	sr_ladder_make(&inv, BRIDGE, both, 2, &l);
	assert_ladder(&l, "");
	sr_ladder_make(&inv, NIC, NULL, 0, &l);
	assert_ladder(&l, "");
	assert_non_null(strstr(l.left_out, "0000:04:00.0"));
	sr_ladder_make(&inv, NIC, vf, 1, &l);
	assert_ladder(&l, "flr"); /* no bridge, and VFs forbid remove */
	devs[NIC].sriov.num = 0;
	devs[VF].pf = -1;
	sr_ladder_make(&inv, NIC, NULL, 0, &l);
	assert_ladder(&l, "flr remove");
	devs[NIC].reset_methods[0] = '\0';
	sr_ladder_make(&inv, NIC, NULL, 0, &l);
	assert_ladder(&l, "remove");
}

static void ladder_obeys_the_rules(void **state)
{
	static const int both[] = { GPU, AUDIO };
	struct inv_dev devs[N_DEVS];
	struct inventory inv;
	struct sr_ladder l;

	make_inventory(&inv, devs);
	devs[GPU].vendor = 0x1002;
	devs[GPU].device = 0x74a1;
	sr_ladder_make(&inv, GPU, both, 2, &l);
	assert_ladder(&l, "");
	assert_non_null(l.refused_by);
	devs[GPU].device = 0x687f;
	snprintf(devs[GPU].reset_methods, sizeof(devs[GPU].reset_methods),
		 "device_specific flr bus cxl_bus");
	sr_ladder_make(&inv, GPU, both, 2, &l);
	assert_ladder(&l, "device_specific");
	assert_non_null(l.refused_by);
	devs[GPU].vendor = 0x10de;
	devs[GPU].device = 0x2b85;
	sr_ladder_make(&inv, GPU, both, 2, &l);
	assert_ladder(&l, "device_specific bus slot remove");
}

/* A neighbour that is ours, but would not survive. */
static void ladder_knows_who_dies_beside_it(void **state)
{
	static const int both[] = { GPU, AUDIO };
	struct inv_dev devs[N_DEVS];
	struct inventory inv;
	struct sr_ladder l;

	make_inventory(&inv, devs);
	devs[GPU].vendor = 0x1002;
	devs[GPU].device = 0x74a1;
	sr_ladder_make(&inv, AUDIO, both, 2, &l);
	assert_ladder(&l, "flr remove");
	assert_string_equal(l.left_out,
			    "bus: 0000:01:00.0 behind the same bridge does not survive it");
}

static void rules_limit_what_vfio_does(void **state)
{
	static const struct {
		uint16_t vendor, device;
		int pf;
		const char *offered, *allowed; /* NULL: all */
		const char *source;	       /* refused */
	} rows[] = {
		{ 0x8086, 0x10c9, -1, "flr bus", NULL, NULL },
		{ 0x1002, 0x74a1, -1, "flr bus", NULL, "MxGPU-Virtualization/issues/25" },
		{ 0x1002, 0x74a1, -1, "", NULL, "MxGPU-Virtualization/issues/25" },
		{ 0x1002, 0x74a1, 0, "flr", NULL, NULL }, /* its VFs survive */
		{ 0x1002, 0x687f, -1, "device_specific flr bus", "device_specific", NULL },
		{ 0x1002, 0x687f, -1, "pm bus", NULL, "vendor-reset" },
		{ 0x10de, 0x2342, -1, "flr bus", "flr", NULL },
		{ 0x10de, 0x2342, -1, "flr", NULL, NULL },
		{ 0x10de, 0x2342, -1, "bus", NULL, "quirk_nvidia_no_bus_reset" },
		{ 0x1022, 0x149c, -1, "flr", "", NULL }, /* by its bus at most */
		{ 0x1022, 0x149c, -1, "flr af_flr pm bus", "pm bus", NULL },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct inv_dev d = { .vendor = rows[i].vendor,
				     .device = rows[i].device,
				     .pf = rows[i].pf,
				     .vf_index = rows[i].pf };

		snprintf(d.reset_methods, sizeof(d.reset_methods), "%s", rows[i].offered);
		sr_reset_limit(&d);
		assert_int_equal(d.is_reset_limited, rows[i].allowed != NULL);
		if (rows[i].allowed)
			assert_string_equal(d.reset_allowed, rows[i].allowed);
		assert_int_equal(d.reset_source != NULL, rows[i].source != NULL);
		if (rows[i].source)
			assert_non_null(strstr(d.reset_source, rows[i].source));
		assert_int_equal(d.reset_why != NULL, rows[i].source != NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rungs_have_names),
		cmocka_unit_test(rules_know_their_models),
		cmocka_unit_test(ladder_spares_the_neighbours),
		cmocka_unit_test(ladder_obeys_the_rules),
		cmocka_unit_test(ladder_knows_who_dies_beside_it),
		cmocka_unit_test(rules_limit_what_vfio_does),
	};

	return cmocka_run_group_tests_name("reset_rules", tests, NULL, NULL);
}
