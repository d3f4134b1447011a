// SPDX-License-Identifier: GPL-2.0-or-later
/* Many functions of a fake host reset together: at once, and never two of them through one bridge. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/reset_climb.h"
#include "sriov/set_aside.h"
#include "tests/unit/reset_host.h"

#define PROCESSES "/.fake/processes"

/* VFs of PF, as it makes them. */
static const struct fake_pci vfs[] = {
	{ "0000:41:10.0", "pci0000:40/" PORT, "0x8086 0x10ca 0x020000", "igbvf", 20, 0 },
	{ VF1, "pci0000:40/" PORT, "0x8086 0x10ca 0x020000", "igbvf", 21, 0 },
	{ "0000:41:10.4", "pci0000:40/" PORT, "0x8086 0x10ca 0x020000", "igbvf", 22, 0 },
};

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

#define SLOT_MATE "0000:41:00.1"

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

static int make_slot(void **state)
{
	static const struct fake_pci neighbour = {
		SLOT_MATE, "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 4, 0
	};
	int r = reset_host_make(state);
	struct host *h = *state;

	fake_faults_add(h->fake, &neighbour, "flr bus");
	fake_faults_slot(h->fake, "3", PF);
	return r;
}

static int make_deadly(void **state)
{
	static const struct fake_hook hook = { .pattern = REAL_PF "/reset", .write = kill_mate };
	int r = reset_host_make_watched(state, &hook);

	reset_host_add_mate(*state);
	return r;
}
#define with_slot(test) cmocka_unit_test_setup_teardown(test, make_slot, sriov_host_drop)
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

/* The slot of both loses its power once: the second is proved, and each driver comes back once. */
static void one_slot_is_reset_once(void **state)
{
	static const char *const bdfs[] = { PF, SLOT_MATE };
	struct host *h = *state;
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_SLOT), LADDER(SR_RUNG_SLOT) };
	unsigned int probes[] = { fake_pci_probes(h->fake, PF),
				  fake_pci_probes(h->fake, SLOT_MATE) };
	struct sr_reset_result results[2];

	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 2, results, &h->err), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(results[i].error, 0);
		assert_int_equal(results[i].rung, SR_RUNG_SLOT);
		assert_driver(h, bdfs[i], "igb");
		assert_int_equal(fake_pci_probes(h->fake, bdfs[i]), probes[i] + 1);
	}
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

/* ---- how many at once ---- */

static void chunks_follow_the_limit(void **state)
{
	assert_int_equal(sr_reset_chunk(0), 1);
	assert_int_equal(sr_reset_chunk(64), 1);
	assert_int_equal(sr_reset_chunk(76), 2);
	/* 250 VFs with container, group and device each do not fit */
	assert_in_range(sr_reset_chunk(1024), 100, 250);
	assert_true(sr_reset_chunk(RLIM_INFINITY) > 100000);
}

/* Which processes write to the attributes of a reset. */
static int note_process(struct fake *f, const char *path, const char *text, void *ctx)
{
	char note[CV_PATH_MAX], *slash;

	cv_pathf(note, PROCESSES "/%s", strstr(path, PORT) ? strstr(path, PORT) : path);
	slash = strrchr(note, '/');
	*slash = '\0';
	snprintf(slash, sizeof(note) - (size_t)(slash - note), "/%d", getpid());
	fake_file(f, note, "1");
	return 0;
}

static int make_noted(void **state)
{
	static const struct fake_hook hook = { .pattern = "/sys/devices/*/reset*",
					       .write = note_process };
	int r = reset_host_make_watched(state, &hook);
	struct host *h = *state;

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(vfs); i++)
		fake_faults_add(h->fake, &vfs[i], "pm flr");
	reset_host_add_mate(h);
	return r;
}
#define with_notes(test) cmocka_unit_test_setup_teardown(test, make_noted, sriov_host_drop)

/* Return: how many wrote to those of @bdf, with their numbers in @ret. */
static size_t processes_of(struct host *h, const char *bdf, struct cv_strv *ret)
{
	char path[CV_PATH_MAX];

	cv_pathf(path, PROCESSES "/" PORT "/%s", bdf);
	assert_int_equal(cv_list(h->root, path, ret), 0);
	return ret->n;
}

static bool share_process(struct host *h, const char *one, const char *other)
{
	_cleanup_strv_ struct cv_strv a = { 0 }, b = { 0 };

	/* the method chosen, the reset, the method put back: no process in between */
	assert_int_equal(processes_of(h, one, &a), 1);
	assert_int_equal(processes_of(h, other, &b), 1);
	return strcmp(a.v[0], b.v[0]) == 0;
}

static void reset_two(struct host *h, const char *one, const char *other)
{
	const char *const bdfs[] = { one, other };
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_FLR), LADDER(SR_RUNG_FLR) };
	struct sr_reset_result results[2];

	fake_remove(h->fake, PROCESSES);
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 2, results, &h->err), 0);
	assert_int_equal(results[0].error, 0);
	assert_int_equal(results[1].error, 0);
}

static void more_than_fit_are_reset_later(void **state)
{
	struct rlimit old, low;
	struct host *h = *state;

	reset_two(h, VF1, NIC_MATE);
	assert_true(share_process(h, VF1, NIC_MATE));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 70;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	reset_two(h, VF1, NIC_MATE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_false(share_process(h, VF1, NIC_MATE));
}

/* They wait for each other in the kernel: who waits is not late. */
static void vfs_of_one_pf_go_one_by_one(void **state)
{
	struct host *h = *state;

	reset_two(h, vfs[0].bdf, vfs[1].bdf);
	assert_false(share_process(h, vfs[0].bdf, vfs[1].bdf));
}

static int reset_slowly(struct fake *f, const char *path, const char *text, void *ctx)
{
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 300000000L }, NULL);
	return 0;
}

static int make_slow(void **state)
{
	static const struct fake_hook hook = { .pattern = "/sys/devices/*/0000:41:10.*/reset",
					       .write = reset_slowly };
	int r = reset_host_make_watched(state, &hook);
	struct host *h = *state;

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(vfs); i++)
		fake_faults_add(h->fake, &vfs[i], "flr");
	return r;
}
#define with_slow(test) cmocka_unit_test_setup_teardown(test, make_slow, sriov_host_drop)

static const struct sr_ladder three_flr[] = { { .n = 1, .rungs = { SR_RUNG_FLR } },
					      { .n = 1, .rungs = { SR_RUNG_FLR } },
					      { .n = 1, .rungs = { SR_RUNG_FLR } } };

/* Together they take longer than one of them may. */
static void each_has_a_deadline_of_its_own(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { vfs[0].bdf, vfs[1].bdf, vfs[2].bdf };
	struct sr_reset_result results[3];

	h->env.deadline_ms = 1500;
	assert_int_equal(sr_reset_all(&h->env, bdfs, three_flr, 3, results, &h->err), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(results[i].error, 0);
		assert_in_range(results[i].ms, 1300, 3000);
	}
}

/* Its siblings would only wait behind it: they are not tried, and not blamed. */
static void siblings_of_one_that_hangs_are_spared(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { vfs[0].bdf, vfs[1].bdf, PF, vfs[2].bdf };
	const struct sr_ladder ladders[] = { three_flr[0], three_flr[0], three_flr[0],
					     three_flr[0] };
	struct sr_reset_result results[4];
	int64_t start = cv_now_ms();

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(vfs); i++)
		fake_faults_add(h->fake, &vfs[i], "flr");
	h->env.deadline_ms = 500;
	fake_faults_set(h->fake, vfs[0].bdf, "flr", FAKE_BLOCKS);
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 4, results, &h->err), -ETIMEDOUT);
	assert_true(cv_now_ms() - start < 6000);
	assert_int_equal(results[0].error, -ETIMEDOUT);
	assert_int_equal(results[1].error, -ECANCELED);
	assert_int_equal(results[2].error, 0);
	assert_int_equal(results[3].error, -ECANCELED);
	assert_non_null(strstr(results[3].text, vfs[0].bdf));
	assert_true(sr_is_set_aside(h->root, vfs[0].bdf));
	assert_false(sr_is_set_aside(h->root, vfs[1].bdf));
	assert_false(sr_is_set_aside(h->root, vfs[2].bdf));
}

/* All of the bus wait for one that is being removed. */
static void who_hangs_off_the_bus_is_alone(void **state)
{
	struct host *h = *state;
	const char *const bdfs[] = { PF, DISK };
	const struct sr_ladder ladders[] = { LADDER(SR_RUNG_REMOVE), LADDER(SR_RUNG_REMOVE) };
	struct sr_reset_result results[2];

	h->env.deadline_ms = 500;
	fake_faults_set(h->fake, PF, "remove", FAKE_BLOCKS);
	fake_faults_set(h->fake, DISK, "remove", FAKE_BLOCKS);
	assert_int_equal(sr_reset_all(&h->env, bdfs, ladders, 2, results, &h->err), -ETIMEDOUT);
	assert_int_equal(results[0].error, -ETIMEDOUT);
	assert_int_equal(results[1].error, -ECANCELED);
	assert_non_null(strstr(results[1].text, "that of " PF " did not return"));
	assert_true(sr_is_set_aside(h->root, PF));
	assert_false(sr_is_set_aside(h->root, DISK));
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
		with_slot(one_slot_is_reset_once),
		with_watch(neighbour_has_the_reset_as_well),
		with_death(neighbour_is_proved_again),
		with_death(neighbour_goes_on_with_its_ladder),
		cmocka_unit_test(chunks_follow_the_limit),
		with_notes(more_than_fit_are_reset_later),
		with_notes(vfs_of_one_pf_go_one_by_one),
		with_slow(each_has_a_deadline_of_its_own),
		with_faults(siblings_of_one_that_hangs_are_spared),
		with_faults(who_hangs_off_the_bus_is_alone),
	};

	return cmocka_run_group_tests_name("reset_all", tests, NULL, NULL);
}
