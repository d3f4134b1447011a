// SPDX-License-Identifier: GPL-2.0-or-later
/* A reset that is killed, or fails, at any of its changes: the step "reset" brings the host back. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/unit/reset_host.h"

#define MAX_CHANGES 60

/* ---- a root that kills ---- */

/** struct killer - over the fake: ends @victim at its @at-th write, before or @after it is made */
struct killer {
	struct cv_sysroot *inner;
	pid_t victim;
	unsigned int *n;
	unsigned int at;
	bool after;
};

static int op_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	return cv_read(((struct killer *)ctx)->inner, path, ret, ret_len);
}

static void die(const struct killer *k)
{
	kill(k->victim, SIGKILL);
	_exit(1);
}

static int op_write(void *ctx, const char *path, const void *data, size_t len)
{
	const struct killer *k = ctx;
	_cleanup_free_ char *text = strndup(data, len);
	unsigned int n = ++*k->n;
	int r;

	if (n == k->at && !k->after)
		die(k);
	r = cv_write_str(k->inner, path, text);
	if (n == k->at)
		die(k);
	return r;
}

static int op_readlink(void *ctx, const char *path, char **ret)
{
	return cv_readlink(((struct killer *)ctx)->inner, path, ret);
}

static int op_list(void *ctx, const char *path, struct cv_strv *ret)
{
	return cv_list(((struct killer *)ctx)->inner, path, ret);
}

static int op_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	return cv_stat(((struct killer *)ctx)->inner, path, ret);
}

static int op_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return cv_open(((struct killer *)ctx)->inner, path, flags, mode);
}

static int op_chown(void *ctx, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	const struct killer *k = ctx;
	unsigned int n = ++*k->n;
	int r;

	if (n == k->at && !k->after)
		die(k);
	r = cv_chown(k->inner, path, uid, gid, mode);
	if (n == k->at)
		die(k);
	return r;
}

static const struct cv_sysroot_ops killer_ops = {
	.read = op_read,
	.write = op_write,
	.readlink = op_readlink,
	.list = op_list,
	.stat = op_stat,
	.open = op_open,
	.chown = op_chown,
};

/* ---- resets with a way back ---- */

/* What the fake does not make again when a function is found again is not there from the beginning. */
static int make(void **state)
{
	int r = reset_host_make(state);
	struct host *h = *state;

	fake_pci_remove(h->fake, PF);
	fake_pci_remove(h->fake, DISK);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/rescan", "1"), 0);
	assert_driver(h, PF, "igb");
	return r;
}
#define with_way_back(test) cmocka_unit_test_setup_teardown(test, make, sriov_host_drop)

/** struct change - functions that are reset together */
struct change {
	size_t n;
	const char *bdfs[2];
	const char *values[2]; /* of their steps */
	struct sr_ladder ladders[2];
	json_t *priors[2];
};

static void record(struct host *h, struct change *x)
{
	for (size_t i = 0; i < x->n; i++)
		assert_int_equal(sr_step_reset.record(&h->env, x->bdfs[i], x->values[i],
						      &x->priors[i], &h->err),
				 0);
}

static void revert(struct host *h, struct change *x)
{
	for (size_t i = x->n; i; i--)
		assert_int_equal(step_end(h, &sr_step_reset, x->bdfs[i - 1], x->values[i - 1],
					  x->priors[i - 1]),
				 0);
}

static void drop(struct change *x)
{
	for (size_t i = 0; i < x->n; i++)
		json_decref(x->priors[i]);
}

/* In a child, which is killed at the @n-th write. Return: was it? */
static bool run_killed(struct host *h, const struct change *x, unsigned int n, bool after)
{
	unsigned int *count = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_ptr_not_equal(count, MAP_FAILED);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct killer k = { h->root, getpid(), count, n, after };
		struct cv_step_env env = h->env;
		struct sr_reset_result results[2];

		if (cv_sysroot_new(&killer_ops, &k, &env.root) < 0)
			_exit(2);
		_exit(sr_reset_all(&env, x->bdfs, x->ladders, x->n, results, NULL) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	munmap(count, sizeof(*count));
	if (WIFSIGNALED(status))
		return true;
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void assert_host(struct host *h, const char *before, unsigned int n)
{
	_cleanup_free_ char *now = fake_dump_host(h->fake);
	size_t same = 0;

	while (now[same] && now[same] == before[same])
		same++;
	while (same && now[same - 1] != '\n')
		same--;
	if (strcmp(now, before) != 0)
		fail_msg("killed at %u: now: %.300s\nbefore: %.300s", n, now + same, before + same);
}

static void killed_anywhere(struct host *h, struct change *x, unsigned int least)
{
	_cleanup_free_ char *before = fake_dump_host(h->fake);

	for (int after = 0; after < 2; after++) {
		unsigned int n = 1;

		for (bool is_killed = true; is_killed && n < MAX_CHANGES; n++) {
			record(h, x);
			is_killed = run_killed(h, x, n, after);
			revert(h, x);
			assert_host(h, before, n);
			/* once more: nothing is left to do, and nothing is done */
			revert(h, x);
			assert_host(h, before, n);
			drop(x);
		}
		assert_true(n > least && n < MAX_CHANGES);
	}
	assert_false(sr_is_set_aside(h->root, PF));
	assert_false(sr_is_set_aside(h->root, DISK));
}

static void killed_in_flr(void **state)
{
	struct host *h = *state;
	struct change x = { .n = 2,
			    .bdfs = { DISK, PF },
			    .values = { "flr", "flr" },
			    .ladders = { LADDER(SR_RUNG_FLR), LADDER(SR_RUNG_FLR) } };

	/* each: choose the method, reset, put it back */
	killed_anywhere(h, &x, 6);
}

static void killed_off_the_bus(void **state)
{
	struct host *h = *state;
	struct change x = { .n = 2,
			    .bdfs = { DISK, PF },
			    .values = { "remove", "remove" },
			    .ladders = { LADDER(SR_RUNG_REMOVE), LADDER(SR_RUNG_REMOVE) } };

	give_to_vfio(h, PF, "igb");
	/* each: autoprobe, remove, rescan, driver_override, probe, autoprobe */
	killed_anywhere(h, &x, 12);
}

static void killed_without_power(void **state)
{
	struct host *h = *state;
	struct change x = {
		.n = 1, .bdfs = { PF }, .values = { "slot" }, .ladders = { LADDER(SR_RUNG_SLOT) }
	};

	fake_faults_slot(h->fake, "3", PF);
	killed_anywhere(h, &x, 6);
}

/* The whole device goes with the slot: its other function comes back as it was, too. */
static void killed_without_power_for_two(void **state)
{
	static const struct fake_pci mate = {
		"0000:41:00.1", "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 9, 0
	};
	struct host *h = *state;
	struct change x = {
		.n = 1, .bdfs = { PF }, .values = { "slot" }, .ladders = { LADDER(SR_RUNG_SLOT) }
	};

	fake_faults_slot(h->fake, "3", PF);
	fake_faults_add(h->fake, &mate, "flr bus");
	give_to_vfio(h, "0000:41:00.1", "igb");
	killed_anywhere(h, &x, 8);
	assert_driver(h, "0000:41:00.1", "vfio-pci");
}

/* A function of VFIO is never a host driver's, whatever is killed. */
static void no_driver_comes_in_between(void **state)
{
	struct host *h = *state;
	struct change x = { .n = 1,
			    .bdfs = { PF },
			    .values = { "remove" },
			    .ladders = { LADDER(SR_RUNG_REMOVE) } };
	unsigned int probes;

	give_to_vfio(h, PF, "igb");
	probes = fake_pci_probes(h->fake, PF);
	killed_anywhere(h, &x, 6);
	assert_int_equal(fake_pci_probes(h->fake, PF), probes);
	assert_string_equal(fake_text(h->fake, "/sys/bus/pci/drivers_autoprobe"), "1");
}

static void assert_held(struct host *h, const char *node)
{
	struct stat st;

	assert_int_equal(cv_stat(h->root, node, &st), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(st.st_gid, 36);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_string_equal(fake_text(h->fake, REAL_PF "/d3cold_allowed"), "0");
}

/* Who has it is still who may open it, and it still does not sleep: both are new with the function. */
static void holder_keeps_what_he_had_set(void **state)
{
	struct host *h = *state;
	struct change x = { .n = 1,
			    .bdfs = { PF },
			    .values = { "remove" },
			    .ladders = { LADDER(SR_RUNG_REMOVE) } };

	give_to_vfio(h, PF, "igb");
	assert_int_equal(cv_chown(h->root, "/dev/vfio/2", 1000, 36, 0660), 0);
	assert_int_equal(cv_write_str(h->root, DEV PF "/d3cold_allowed", "0"), 0);
	/* autoprobe, remove, rescan, driver_override, probe, d3cold_allowed, owner, autoprobe */
	killed_anywhere(h, &x, 8);
	assert_held(h, "/dev/vfio/2");
}

/* The group is another one when the function is found again. */
static int give_another_group(struct fake *f, const char *path, const char *text, void *ctx)
{
	static const struct fake_pci moved = {
		PF, "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 7, 0
	};

	fake_pci_device(f, &moved);
	fake_file(f, REAL_PF "/d3cold_allowed", "1");
	fake_file(f, REAL_PF "/reset_method", "flr bus");
	return 1;
}

static int make_moving(void **state)
{
	static const struct fake_hook hook = { .pattern = "/sys/devices/*/rescan",
					       .write = give_another_group };

	return reset_host_make_watched(state, &hook);
}

static void owner_follows_the_group(void **state)
{
	_cleanup_json_ json_t *prior = NULL;
	struct host *h = *state;

	give_to_vfio(h, PF, "igb");
	assert_int_equal(cv_chown(h->root, "/dev/vfio/2", 1000, 36, 0660), 0);
	assert_int_equal(cv_write_str(h->root, DEV PF "/d3cold_allowed", "0"), 0);
	assert_int_equal(step_begin(h, &sr_step_reset, PF, "remove", &prior), 0);
	fake_pci_remove(h->fake, PF);
	assert_false(cv_exists(h->root, "/dev/vfio/2"));
	assert_int_equal(step_end(h, &sr_step_reset, PF, "remove", prior), 0);
	assert_driver(h, PF, "vfio-pci");
	assert_held(h, "/dev/vfio/7");
}

/* A reset that does not take the function off the bus leaves its owner to who changes him meanwhile. */
static void owner_is_left_alone_by_other_resets(void **state)
{
	_cleanup_json_ json_t *prior = NULL;
	struct host *h = *state;
	struct stat st;

	give_to_vfio(h, PF, "igb");
	assert_int_equal(step_begin(h, &sr_step_reset, PF, "flr bus", &prior), 0);
	assert_int_equal(cv_chown(h->root, "/dev/vfio/2", 1000, 36, 0660), 0);
	assert_int_equal(step_end(h, &sr_step_reset, PF, "flr bus", prior), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/2", &st), 0);
	assert_int_equal(st.st_uid, 1000);
}

/* ---- an undo that cannot ---- */

static void what_stays_away_is_set_aside(void **state)
{
	_cleanup_json_ json_t *prior = NULL;
	_cleanup_strv_ struct cv_strv notes = { 0 };
	struct host *h = *state;

	h->env.deadline_ms = 1500;
	assert_int_equal(step_begin(h, &sr_step_reset, PF, "flr remove", &prior), 0);
	fake_faults_set(h->fake, PF, "rescan", FAKE_GONE);
	fake_pci_remove(h->fake, PF);
	assert_int_equal(step_end(h, &sr_step_reset, PF, "flr remove", prior), 0);
	assert_quarantined(h, PF, "gone from the bus after a reset that was not finished",
			   "no such entry");
	assert_int_equal(sr_notes_take(h->root, h->env.vm, &notes), 0);
	assert_int_equal(notes.n, 1);
	assert_string_equal(fake_text(h->fake, "/sys/bus/pci/drivers_autoprobe"), "1");
}

/* What hangs is the device that is being removed, not the one that asks. */
static void rescan_that_hangs_sets_the_missing_aside(void **state)
{
	static const struct fake_pci mate = {
		"0000:41:00.1", "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 9, 0
	};
	_cleanup_json_ json_t *prior = NULL;
	struct host *h = *state;

	h->env.deadline_ms = 500;
	fake_faults_slot(h->fake, "3", PF);
	fake_faults_add(h->fake, &mate, "flr bus");
	assert_int_equal(step_begin(h, &sr_step_reset, PF, "slot", &prior), 0);
	fake_block(h->fake, "/sys/devices/pci0000:40/" PORT "/rescan");
	/* nobody is missing: nobody is set aside */
	assert_int_equal(step_end(h, &sr_step_reset, PF, "slot", prior), -ETIMEDOUT);
	assert_int_equal(h->err.exit, CV_EXIT_TIMEOUT);
	assert_non_null(strstr(h->err.found, "rescan still blocked"));
	assert_false(sr_is_set_aside(h->root, PF));
	assert_false(sr_is_set_aside(h->root, mate.bdf));
	fake_pci_remove(h->fake, mate.bdf);
	assert_int_equal(step_end(h, &sr_step_reset, PF, "slot", prior), -ETIMEDOUT);
	assert_string_equal(h->err.object, mate.bdf);
	assert_false(sr_is_set_aside(h->root, PF));
	assert_quarantined(h, mate.bdf, "finding it again did not finish within 500 ms", "/rescan");
	assert_string_equal(fake_text(h->fake, "/sys/bus/pci/drivers_autoprobe"), "1");
}

/* Their PF has fewer VFs now: nobody brings them back, and nobody is to wait for them. */
static void vfs_gone_in_order_are_not_awaited(void **state)
{
	_cleanup_json_ json_t *prior = NULL;
	struct host *h = *state;
	int64_t start = cv_now_ms();

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	assert_int_equal(step_begin(h, &sr_step_reset, VF1, "flr", &prior), 0);
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "0"), 0);
	assert_int_equal(step_end(h, &sr_step_reset, VF1, "flr", prior), 0);
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "1"), 0);
	assert_int_equal(step_end(h, &sr_step_reset, VF1, "flr", prior), 0);
	assert_true(cv_now_ms() - start < h->env.deadline_ms / 2);
	assert_false(sr_is_set_aside(h->root, VF1));
	/* one that its PF still has is missing */
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "0"), 0);
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	h->env.deadline_ms = 300;
	fake_pci_remove(h->fake, VF1);
	assert_int_equal(step_end(h, &sr_step_reset, VF1, "flr", prior), 0);
	assert_quarantined(h, VF1, "gone from the bus", "no such entry");
}

static void undo_that_fails_is_repeated(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = fake_dump_host(h->fake);
	unsigned int failures = 0;
	int r = -1;

	for (unsigned int n = 1; r < 0 && n < MAX_CHANGES; n++) {
		_cleanup_json_ json_t *prior = NULL;
		unsigned int writes;

		assert_int_equal(step_begin(h, &sr_step_reset, PF, "remove", &prior), 0);
		assert_int_equal(cv_write_str(h->root, DEV PF "/remove", "1"), 0);
		writes = fake_writes(h->fake);
		fake_fail_write(h->fake, n, -EIO);
		r = step_end(h, &sr_step_reset, PF, "remove", prior);
		fake_fail_write(h->fake, 0, 0);
		failures += r < 0;
		if (r == 0 && fake_writes(h->fake) - writes >= n)
			r = -EAGAIN;
		assert_int_equal(step_end(h, &sr_step_reset, PF, "remove", prior), 0);
		assert_host(h, before, n);
	}
	assert_int_equal(r, 0);
	assert_true(failures >= 3);
}

static void journal_of_another_kind_is_refused(void **state)
{
	_cleanup_json_ json_t *empty = json_object(), *odd = NULL;
	struct host *h = *state;

	odd = json_pack("{s[{ssssss}]ssssss}", "functions", "bdf", "x", "driver", "", "override",
			"", "rescan", "", "power", "", "autoprobe", "");
	assert_non_null(odd);
	assert_int_equal(step_end(h, &sr_step_reset, PF, "remove", empty), -EINVAL);
	assert_int_equal(step_end(h, &sr_step_reset, PF, "remove", odd), -EINVAL);
	assert_int_equal(step_end(h, &sr_step_reset, PF, "remove", NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_way_back(killed_in_flr),
		with_way_back(killed_off_the_bus),
		with_way_back(killed_without_power),
		with_way_back(killed_without_power_for_two),
		with_way_back(no_driver_comes_in_between),
		with_way_back(holder_keeps_what_he_had_set),
		cmocka_unit_test_setup_teardown(owner_follows_the_group, make_moving,
						sriov_host_drop),
		with_way_back(owner_is_left_alone_by_other_resets),
		with_way_back(what_stays_away_is_set_aside),
		with_way_back(rescan_that_hangs_sets_the_missing_aside),
		with_faults(vfs_gone_in_order_are_not_awaited),
		with_way_back(undo_that_fails_is_repeated),
		with_way_back(journal_of_another_kind_is_refused),
	};

	return cmocka_run_group_tests_name("reset_undo", tests, NULL, NULL);
}
