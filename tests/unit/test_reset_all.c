// SPDX-License-Identifier: GPL-2.0-or-later
/* Many functions of a fake host reset together: at once, and never two of them through one bridge. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sriov/set_aside.h"
#include "tests/unit/reset_host.h"

/* ---- each for itself ---- */

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

	give_to_vfio(h, DISK, "nvme");
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 1, &result, &h->err), 0);
	assert_int_equal(result.rung, SR_RUNG_BUS);
	assert_string_equal(fake_text(h->fake, REAL_DISK "/reset_method"), "flr pm bus");
}

/* ---- through one bridge ---- */

#define OVERLAPS "/.fake/overlaps"

/* Who chooses the bus while another one still has it chosen resets it at the same time. */
static int watch_methods(struct fake *f, const char *path, const char *text, void *ctx)
{
	const char *other = strstr(path, PF) ? REAL_NIC_MATE : REAL_PF;
	char method[CV_PATH_MAX];

	if (strcmp(text, "bus") != 0)
		return 0;
	if (strcmp(fake_text(f, cv_pathf(method, "%s/reset_method", other)), "bus") == 0)
		fake_file(f, OVERLAPS, "1");
	usleep(30000);
	return 0;
}

/* A reset of the bus by the NIC is the end of its mate. */
static int kill_mate(struct fake *f, const char *path, const char *text, void *ctx)
{
	if (strcmp(fake_text(f, REAL_PF "/reset_method"), "bus") != 0)
		return -EIO;
	fake_faults_strike(f, NIC_MATE, FAKE_DEAD);
	return 1;
}

static int make_watched(void **state)
{
	static const struct fake_hook hook = { .pattern = "/sys/devices/*/0000:41:*/reset_method",
					       .write = watch_methods };
	int r = reset_host_make_watched(state, &hook);

	reset_host_add_mate(*state);
	return r;
}

static int make_deadly(void **state)
{
	static const struct fake_hook hook = { .pattern = REAL_PF "/reset", .write = kill_mate };
	int r = reset_host_make_watched(state, &hook);

	reset_host_add_mate(*state);
	return r;
}
#define with_watch(test) cmocka_unit_test_setup_teardown(test, make_watched, sriov_host_drop)
#define with_death(test) cmocka_unit_test_setup_teardown(test, make_deadly, sriov_host_drop)

static const char *const two[] = { PF, NIC_MATE };

static void one_bridge_is_reset_once_at_a_time(void **state)
{
	struct host *h = *state;
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_BUS), LADDER(SR_RUNG_BUS) };
	struct sr_reset_result results[2];

	/* each tries itself: the first fails, and is no reset of its mate */
	fake_faults_set(h->fake, PF, "bus", FAKE_FAILS);
	fake_faults_set(h->fake, NIC_MATE, "bus", FAKE_FAILS);
	h->env.deadline_ms = 1500;
	assert_int_equal(sr_reset_all(&h->env, two, ladders, 2, results, &h->err), -EIO);
	assert_null(fake_text(h->fake, OVERLAPS));
	assert_string_equal(fake_text(h->fake, REAL_PF "/reset_method"), "flr bus");
	assert_string_equal(fake_text(h->fake, REAL_NIC_MATE "/reset_method"), "flr bus");
}

/* One reset of the bus is one of both: the second is proved, and not done again. */
static void neighbour_has_the_reset_as_well(void **state)
{
	struct host *h = *state;
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_BUS), LADDER(SR_RUNG_BUS) };
	struct sr_reset_result results[2];

	fake_faults_set(h->fake, NIC_MATE, "bus", FAKE_DEAD); /* would be seen */
	assert_int_equal(sr_reset_all(&h->env, two, ladders, 2, results, &h->err), 0);
	assert_int_equal(results[0].rung, SR_RUNG_BUS);
	assert_int_equal(results[1].rung, SR_RUNG_BUS);
	assert_int_equal(results[1].error, 0);
}

/* It was reset by its own method and answered; then the bus was reset for the other one. */
static void neighbour_is_proved_again(void **state)
{
	struct host *h = *state;
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_FLR, SR_RUNG_BUS),
					     LADDER(SR_RUNG_FLR) };
	struct sr_reset_result results[2];

	h->env.deadline_ms = 1500;
	assert_int_equal(sr_reset_all(&h->env, two, ladders, 2, results, &h->err), -EIO);
	assert_int_equal(results[0].error, 0);
	assert_int_equal(results[1].error, -EIO);
	assert_string_equal(h->err.object, NIC_MATE);
	assert_quarantined(h, NIC_MATE, "after a reset (bus)", "0xffffffff");
	assert_false(sr_is_set_aside(h->root, PF));
}

/* ... and is helped by what its own ladder has beyond. */
static void neighbour_goes_on_with_its_ladder(void **state)
{
	struct host *h = *state;
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_FLR, SR_RUNG_BUS),
					     LADDER(SR_RUNG_FLR, SR_RUNG_REMOVE) };
	struct sr_reset_result results[2];

	h->env.deadline_ms = 1500;
	assert_int_equal(sr_reset_all(&h->env, two, ladders, 2, results, &h->err), 0);
	assert_int_equal(results[1].error, 0);
	assert_int_equal(results[1].rung, SR_RUNG_REMOVE);
	assert_driver(h, NIC_MATE, "igb");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_faults(many_go_at_once),
		with_faults(what_is_not_tried_is_not_told_as_reset),
		with_faults(one_that_hangs_is_alone),
		with_faults(each_has_its_own_refusal),
		with_faults(ladder_does_what_vfio_does_not),
		with_watch(one_bridge_is_reset_once_at_a_time),
		with_watch(neighbour_has_the_reset_as_well),
		with_death(neighbour_is_proved_again),
		with_death(neighbour_goes_on_with_its_ladder),
	};

	return cmocka_run_group_tests_name("reset_all", tests, NULL, NULL);
}
