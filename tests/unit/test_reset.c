// SPDX-License-Identifier: GPL-2.0-or-later
/* Resets of functions of a fake host: what happens on each rung. */
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
#include "tests/unit/reset_host.h"

/* ---- which methods ---- */

static void methods_are_set_and_put_back(void **state)
{
	static const char *const values[] = { "flr", "", "flr pm bus" };
	_cleanup_json_ json_t *gone = NULL;
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(values); i++) {
		_cleanup_json_ json_t *prior = NULL;
		unsigned int writes = fake_writes(h->fake);

		assert_int_equal(step_begin(h, &sr_step_reset_method, DISK, values[i], &prior), 0);
		assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), values[i]);
		assert_int_equal(step_end(h, &sr_step_reset_method, DISK, values[i], prior), 0);
		assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), "flr pm bus");
		/* as it is already: nothing is written */
		assert_int_equal(fake_writes(h->fake) - writes, i < 2 ? 2 : 0);
	}
	/* gone is put back */
	gone = json_pack("{ss}", "methods", "flr");
	assert_int_equal(step_end(h, &sr_step_reset_method, "0000:77:00.0", "flr", gone), 0);
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

	h->env.deadline_ms = 1500;
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

	h->env.deadline_ms = 1500;
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

	h->env.deadline_ms = 1500;
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
	unsigned int probes;

	give_to_vfio(h, PF, "igb");
	probes = fake_pci_probes(h->fake, PF);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), 0);
	assert_driver(h, PF, "vfio-pci");
	assert_string_equal(fake_text(h->fake, REAL_PF "/driver_override"), "vfio-pci");
	assert_int_equal(fake_pci_probes(h->fake, PF), probes);
	assert_string_equal(fake_text(h->fake, "/sys/bus/pci/drivers_autoprobe"), "1");
}

/* It would be the host driver's for a moment: before Linux 6.19 nothing keeps that from it. */
static void remove_is_left_out_where_a_driver_would_come(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;
	unsigned int writes;

	fake_file(h->fake, "/proc/sys/kernel/osrelease", "6.12.48+deb13-amd64");
	give_to_vfio(h, PF, "igb");
	writes = fake_writes(h->fake);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), -ENOTTY);
	assert_non_null(strstr(h->err.found, "would take it on its way back (before Linux 6.19)"));
	assert_int_equal(fake_writes(h->fake), writes);
	assert_false(sr_is_set_aside(h->root, PF));
	/* known before anything is tried */
	struct sr_ladder trimmed = LADDER(SR_RUNG_FLR, SR_RUNG_REMOVE),
			 none = LADDER(SR_RUNG_REMOVE);
	sr_ladder_trim(&h->env, PF, &trimmed);
	assert_int_equal(trimmed.n, 1);
	assert_int_equal(sr_ladder_check(PF, &trimmed, &h->err), 0);
	sr_ladder_trim(&h->env, PF, &none);
	assert_int_equal(none.n, 0);
	assert_int_equal(sr_ladder_check(PF, &none, &h->err), -ENOTTY);
	assert_non_null(strstr(h->err.found, "remove: " PF " is VFIO's, and "));
	/* what the host has anyway, it may have again */
	assert_int_equal(sr_reset(&h->env, DISK, &l, &result, &h->err), 0);
	assert_driver(h, DISK, "nvme");
}

/* What had no driver gets none. */
static void remove_gives_no_driver_to_what_had_none(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;
	unsigned int probes = fake_pci_probes(h->fake, PF);

	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/igb/unbind", PF), 0);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), 0);
	assert_driver(h, PF, "");
	assert_int_equal(fake_pci_probes(h->fake, PF), probes);
}

/* The attribute is new with the function: a choice of the admin is not. */
static void remove_keeps_the_choice_of_methods(void **state)
{
	struct host *h = *state;
	const struct sr_ladder l = LADDER(SR_RUNG_REMOVE);
	struct sr_reset_result result;

	assert_int_equal(cv_write_str(h->root, DEV PF "/reset_method", "bus"), 0);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), 0);
	assert_string_equal(fake_text(h->fake, REAL_PF "/reset_method"), "bus");
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
	fake_faults_set(h->fake, PF, "rescan", FAKE_GONE);
	assert_int_equal(sr_reset(&h->env, PF, &l, &result, &h->err), -EIO);
	assert_quarantined(h, PF, "gone from the bus after a reset (slot)", "no such entry");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_faults(methods_are_set_and_put_back),
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
		with_faults(remove_is_left_out_where_a_driver_would_come),
		with_faults(remove_gives_no_driver_to_what_had_none),
		with_faults(remove_keeps_the_choice_of_methods),
		with_faults(function_that_stays_away_is_set_aside),
		with_faults(remove_that_blocks_ends_in_time),
		with_faults(slot_without_power_revives),
	};

	return cmocka_run_group_tests_name("reset", tests, NULL, NULL);
}
