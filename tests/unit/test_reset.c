// SPDX-License-Identifier: GPL-2.0-or-later
/* Resets of functions of a fake host: which rungs there are, and what happens on each of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/quarantine.h"
#include "sriov/reset.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/fake/fake_faults.h"
#include "tests/unit/sriov_host.h"

static const struct fake_pci disk = { DISK, "pci0000:40", "0x144d 0xa808 0x010802", "nvme", 3, 0 };
/* behind the port, so that it has a bridge */
static const struct fake_pci nic = { PF, "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 2, 0 };

static int make(void **state)
{
	const struct host *h;
	int r = sriov_host_make(state);

	h = *state;
	fake_faults_install(h->fake);
	fake_file(h->fake, "/sys/devices/pci0000:40/" PORT "/rescan", "");
	fake_faults_add(h->fake, &disk, "flr pm bus");
	fake_faults_add(h->fake, &nic, "flr bus");
	return r;
}
#define with_faults(test) cmocka_unit_test_setup_teardown(test, make, sriov_host_drop)

static struct sr_ladder ladder_of(const enum sr_rung *rungs, size_t n)
{
	struct sr_ladder l = { .n = n };

	memcpy(l.rungs, rungs, n * sizeof(*rungs));
	return l;
}
#define LADDER(...)                                      \
	ladder_of((const enum sr_rung[]){ __VA_ARGS__ }, \
		  sizeof((const enum sr_rung[]){ __VA_ARGS__ }) / sizeof(enum sr_rung))

static void assert_quarantined(struct host *h, const char *bdf, const char *reason,
			       const char *evidence)
{
	struct cv_quarantine q;
	struct cv_bdf b;

	assert_int_equal(cv_parse_bdf(bdf, &b), 0);
	assert_int_equal(cv_quarantine_read(h->root, b, &q, NULL), 0);
	assert_non_null(strstr(q.reason, reason));
	assert_non_null(strstr(q.evidence, evidence));
}

/* ---- names, rules, ladder ---- */

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
	assert_string_equal(l.left_out, "bus: 0000:02:00.1 behind the same bridge is in use");
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

/* ---- rung after rung ---- */

static void first_rung_does(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_BUS);
	struct sr_reset_result result;

	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), 0);
	assert_int_equal(result.rung, SR_RUNG_FLR);
	assert_int_equal(result.error, 0);
	assert_string_equal(result.text, "");
	assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), "flr pm bus");
	assert_false(sr_is_set_aside(h->root, DISK));
}

static void bus_does_what_flr_does_not(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_PM, SR_RUNG_BUS);
	struct sr_reset_result result;

	fake_faults_set(h->fake, DISK, "flr", FAKE_FAILS);
	fake_faults_set(h->fake, DISK, "pm", FAKE_REFUSES);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), 0);
	assert_int_equal(result.rung, SR_RUNG_BUS);
	assert_non_null(strstr(result.text, "flr: Input/output error; pm: "));
	assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), "flr pm bus");
	assert_false(sr_is_set_aside(h->root, DISK));
}

/* Dead after the first, alive after the next. */
static void next_rung_revives(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_BUS);
	struct sr_reset_result result;

	h->env.deadline_ms = 300;
	fake_faults_set(h->fake, DISK, "flr", FAKE_DEAD);
	fake_faults_set(h->fake, DISK, "bus", FAKE_REVIVES);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), 0);
	assert_int_equal(result.rung, SR_RUNG_BUS);
	assert_non_null(strstr(result.text, "all ones"));
	assert_false(sr_is_set_aside(h->root, DISK));
}

static void device_that_reads_ones_is_set_aside(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR);
	struct sr_reset_result result;

	h->env.deadline_ms = 300;
	fake_faults_set(h->fake, DISK, "flr", FAKE_DEAD);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -EIO);
	assert_int_equal(result.error, -EIO);
	assert_string_equal(h->err.code, "ERESET");
	assert_non_null(strstr(h->err.what, "config space reads all ones"));
	assert_non_null(strstr(h->err.hint, "in quarantine now"));
	assert_quarantined(h, DISK, "after a reset (flr)", "0xffffffff, 0xa808144d before");
}

static void link_that_came_back_narrow_is_set_aside(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_BUS);
	struct sr_reset_result result;

	h->env.deadline_ms = 300;
	fake_faults_set(h->fake, DISK, "bus", FAKE_NARROW);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -EIO);
	assert_quarantined(h, DISK, "narrower", "current_link_width: 4, 16 before");
	assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), "flr pm bus");
}

static void reset_that_blocks_ends_in_time(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_BUS);
	struct sr_reset_result result;
	int64_t start = cv_now_ms();

	h->env.deadline_ms = 500;
	fake_faults_set(h->fake, DISK, "flr", FAKE_BLOCKS);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -ETIMEDOUT);
	assert_true(cv_now_ms() - start < 5000);
	assert_int_equal(h->err.exit, CV_EXIT_TIMEOUT);
	assert_int_equal(result.rung, SR_RUNG_FLR); /* nothing is tried behind it */
	assert_quarantined(h, DISK, "reset (flr) did not finish within 500 ms",
			   "write of \"1\" to " DEV DISK "/reset");
}

static void all_that_fails_is_set_aside(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_BUS);
	struct sr_reset_result result;

	fake_faults_set(h->fake, DISK, "flr", FAKE_FAILS);
	fake_faults_set(h->fake, DISK, "bus", FAKE_FAILS);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -EIO);
	assert_quarantined(h, DISK, "no reset worked", "flr: Input/output error; bus: ");
}

static void refusals_touch_nothing(void **state)
{
	static const struct sr_reset_rule fatal = { .vendor = 0x1002,
						    .device = 0x74a1,
						    .why = "it dies",
						    .source = "https://example.org/25" };
	struct host *h = *state;
	struct sr_ladder l = { .refused_by = &fatal };
	struct sr_reset_result result;
	unsigned int writes = fake_writes(h->fake);

	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -EPERM);
	assert_string_equal(h->err.code, "ERESET_FATAL");
	assert_non_null(strstr(h->err.what, "it dies"));
	assert_string_equal(h->err.hint, "https://example.org/25");
	l = (struct sr_ladder){ .left_out = "bus: 0000:42:00.1 behind the same bridge is in use" };
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -ENOTTY);
	assert_non_null(strstr(h->err.found, "0000:42:00.1"));
	assert_int_equal(sr_reset(&h->env, "0000:77:00.0", &l, &result, &h->err), -ENODEV);
	assert_int_equal(sr_reset(&h->env, "x", &l, &result, &h->err), -EINVAL);
	assert_int_equal(fake_writes(h->fake), writes);
	assert_false(sr_is_set_aside(h->root, DISK));
}

/* A rung that the kernel does not have after all is no failed reset. */
static void no_way_is_no_failure(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_SLOT);
	struct sr_reset_result result;

	fake_faults_set(h->fake, DISK, "flr", FAKE_REFUSES);
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), -ENOTTY);
	assert_string_equal(h->err.code, "ENORESET");
	assert_false(sr_is_set_aside(h->root, DISK));
}

/* ---- off the bus and back ---- */

static void remove_finds_it_again(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;

	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), 0);
	assert_driver(h, PF, "igb");
	assert_string_equal(fake_text(h->fake, REAL_PF "/driver_override"), "(null)");
	/* and on a root bus, where all buses are scanned */
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), 0);
	assert_driver(h, DISK, "nvme");
}

/* The host's driver takes what is found again: it goes back to whom it had. */
static void remove_gives_the_driver_back(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;

	assert_int_equal(cv_write_str(h->root, DEV PF "/driver_override", "vfio-pci"), 0);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/igb/unbind", PF), 0);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers_probe", PF), 0);
	assert_driver(h, PF, "vfio-pci");
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), 0);
	assert_driver(h, PF, "vfio-pci");
	assert_string_equal(fake_text(h->fake, REAL_PF "/driver_override"), "vfio-pci");
}

static void function_that_stays_away_is_set_aside(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;
	int64_t start = cv_now_ms();

	h->env.deadline_ms = 500;
	fake_faults_set(h->fake, PF, "rescan", FAKE_GONE);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), -EIO);
	assert_true(cv_now_ms() - start < 8000);
	assert_non_null(strstr(h->err.what, "gone from the bus"));
	assert_quarantined(h, PF, "gone from the bus after a reset (remove)", "no such entry");
}

static void remove_that_blocks_ends_in_time(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;

	h->env.deadline_ms = 500;
	fake_faults_set(h->fake, PF, "remove", FAKE_BLOCKS);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), -ETIMEDOUT);
	assert_quarantined(h, PF, "reset (remove) did not finish", DEV PF "/remove");
}

static void slot_without_power_revives(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_FLR, SR_RUNG_SLOT);
	struct sr_reset_result result;

	h->env.deadline_ms = 1000;
	fake_faults_slot(h->fake, "3", PF);
	fake_faults_set(h->fake, PF, "flr", FAKE_DEAD);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), 0);
	assert_int_equal(result.rung, SR_RUNG_SLOT);
	assert_driver(h, PF, "igb");
	assert_string_equal(fake_text(h->fake, "/sys/bus/pci/slots/3/power"), "1");
	fake_faults_set(h->fake, PF, "slot", FAKE_GONE);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), -EIO);
	assert_quarantined(h, PF, "gone from the bus after a reset (slot)", "no such entry");
}

/* ---- many at once ---- */

static void many_go_at_once(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { DISK, PF };
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_FLR, SR_RUNG_BUS),
					     LADDER(SR_RUNG_FLR) };
	struct sr_reset_result results[2];

	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 2, results, &h->err), 0);
	assert_int_equal(results[0].error, 0);
	assert_int_equal(results[1].error, 0);
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 0, results, &h->err), 0);
}

static void what_is_not_tried_is_not_told_as_reset(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { DISK, "0000:77:00.0", PF };
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_FLR), LADDER(SR_RUNG_FLR),
					     LADDER(SR_RUNG_FLR) };
	struct sr_reset_result results[3] = { 0 };

	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 3, results, &h->err), -ENODEV);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(results[i].error, -ECANCELED);
	assert_int_equal(results[2].bdf.bus, 0x41);
}

/* One that hangs does not keep the others, nor take their result. */
static void one_that_hangs_is_alone(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { DISK, PF };
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_FLR, SR_RUNG_BUS),
					     LADDER(SR_RUNG_FLR) };
	struct sr_reset_result results[2];
	int64_t start = cv_now_ms();

	h->env.deadline_ms = 1000;
	fake_faults_set(h->fake, DISK, "flr", FAKE_BLOCKS);
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 2, results, &h->err), -ETIMEDOUT);
	assert_true(cv_now_ms() - start < 8000);
	assert_int_equal(results[0].error, -ETIMEDOUT);
	assert_int_equal(results[1].error, 0);
	assert_int_equal(results[1].rung, SR_RUNG_FLR);
	assert_string_equal(h->err.object, DISK);
	assert_quarantined(h, DISK, "did not finish", "/reset");
	assert_false(sr_is_set_aside(h->root, PF));
}

static void each_has_its_own_refusal(void **state)
{
	static const struct sr_reset_rule fatal = { .why = "it dies", .source = "https://x" };
	struct host *h = *state;
	const char *const bdfs[] = { DISK, PF };
	const struct sr_ladder ladders[] = { { .refused_by = &fatal }, { .n = 0 } };
	struct sr_reset_result results[2];

	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 2, results, &h->err), -EPERM);
	assert_int_equal(results[0].error, -EPERM);
	assert_int_equal(results[1].error, -ENOTTY);
	assert_string_equal(h->err.object, DISK);
}

/* Without a way into VFIO the attribute does: this fake has no container. */
static void ladder_does_what_vfio_does_not(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { DISK };
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_BUS) };
	struct sr_reset_result result;

	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/nvme/unbind", DISK), 0);
	assert_int_equal(cv_write_str(h->root, DEV DISK "/driver_override", "vfio-pci"), 0);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers_probe", DISK), 0);
	assert_driver(h, DISK, "vfio-pci");
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 1, &result, &h->err), 0);
	assert_int_equal(result.rung, SR_RUNG_BUS);
	assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), "flr pm bus");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rungs_have_names),
		cmocka_unit_test(rules_know_their_models),
		cmocka_unit_test(ladder_spares_the_neighbours),
		cmocka_unit_test(ladder_obeys_the_rules),
		with_faults(first_rung_does),
		with_faults(bus_does_what_flr_does_not),
		with_faults(next_rung_revives),
		with_faults(device_that_reads_ones_is_set_aside),
		with_faults(link_that_came_back_narrow_is_set_aside),
		with_faults(reset_that_blocks_ends_in_time),
		with_faults(all_that_fails_is_set_aside),
		with_faults(refusals_touch_nothing),
		with_faults(no_way_is_no_failure),
		with_faults(remove_finds_it_again),
		with_faults(remove_gives_the_driver_back),
		with_faults(function_that_stays_away_is_set_aside),
		with_faults(remove_that_blocks_ends_in_time),
		with_faults(slot_without_power_revives),
		with_faults(many_go_at_once),
		with_faults(what_is_not_tried_is_not_told_as_reset),
		with_faults(one_that_hangs_is_alone),
		with_faults(each_has_its_own_refusal),
		with_faults(ladder_does_what_vfio_does_not),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
