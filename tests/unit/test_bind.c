// SPDX-License-Identifier: GPL-2.0-or-later
/* Which driver has a function, and who may open its group, on a fake host. */
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
#include "base/json.h"
#include "base/quarantine.h"
#include "base/step.h"
#include "sriov/function.h"
#include "sriov/steps.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"

static void bind_goes_there_and_back(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &prior), 0);
	assert_driver(h, DISK, "vfio-pci");
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "vfio-pci");
	assert_string_equal(cv_json_str(prior, "driver", ""), "nvme");
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_driver(h, DISK, "nvme");
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "(null)");
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
}

static void bind_brings_back_override_and_nothing(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *mate = NULL;

	assert_int_equal(step_begin(h, &sr_step_bind, MATE, "vfio-pci", &mate), 0);
	assert_int_equal(step_end(h, &sr_step_bind, MATE, "vfio-pci", mate), 0);
	assert_driver(h, MATE, "");
	assert_int_equal(cv_write_str(h->root, DEV DISK "/driver_override", "nvme"), 0);
	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &prior), 0);
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "nvme");
	assert_driver(h, DISK, "nvme");
}

/* A VF on its host driver whose PF had autoprobe turned off meanwhile. */
static void bind_gives_vf_back_without_autoprobe(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *vfs = NULL, *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &vfs), 0);
	assert_driver(h, VF1, "igbvf");
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_drivers_autoprobe", "0"), 0);
	assert_int_equal(step_begin(h, &sr_step_bind, VF1, "vfio-pci", &prior), 0);
	assert_int_equal(step_end(h, &sr_step_bind, VF1, "vfio-pci", prior), 0);
	assert_driver(h, VF1, "igbvf");
	assert_string_equal(fake_text(h->fake, DEV VF1 "/driver_override"), "(null)");
}

static void bind_that_hangs_is_quarantined(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	struct cv_quarantine q;
	struct cv_bdf bdf;

	h->env.deadline_ms = 1000; /* the writes before the one that hangs need their time */
	fake_block(h->fake, "/sys/bus/pci/drivers/nvme/unbind");
	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &prior), -ETIMEDOUT);
	assert_non_null(strstr(h->err.hint, "quarantine"));
	assert_int_equal(cv_parse_bdf(DISK, &bdf), 0);
	assert_int_equal(cv_quarantine_read(h->root, bdf, &q, NULL), 0);
	assert_non_null(strstr(q.reason, "unbind from nvme"));
	fake_block(h->fake, NULL);
	h->env.deadline_ms = 10000;
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "(null)");
	assert_driver(h, DISK, "nvme");
}

/* The unbind of a killed run ends only when driver_override is written. */
static int end_unbind(struct fake *f, const char *path, const char *text, void *ctx)
{
	if (fake_text(f, "/.fake/ended"))
		return 0;
	fake_file(f, "/.fake/ended", "");
	return cv_write_str(ctx, "/sys/bus/pci/drivers/nvme/unbind", DISK);
}

static void bind_sees_a_late_unbind(void **state)
{
	struct host *h = *state;
	const struct fake_hook late = { REAL_DISK "/late", end_unbind, h->root };
	_cleanup_json_ json_t *prior = NULL;

	fake_hook(h->fake, &late);
	assert_int_equal(sr_step_bind.record(&h->env, DISK, "vfio-pci", &prior, &h->err), 0);
	fake_remove(h->fake, REAL_DISK "/driver_override");
	fake_file(h->fake, REAL_DISK "/late", "vfio-pci");
	fake_link(h->fake, REAL_DISK "/driver_override", "late");
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_non_null(fake_text(h->fake, "/.fake/ended"));
	assert_driver(h, DISK, "nvme");
}

static void bind_refuses_unknown_driver(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "no-such", &prior), -ENOENT);
	assert_string_equal(h->err.code, "ENODRIVER");
	assert_driver(h, DISK, "nvme");
}

static void group_needs_all_members(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *bound = NULL, *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_bind, MATE, "vfio-pci", &bound), 0);
	assert_int_equal(step_begin(h, &sr_step_group_owner, MATE, "1000", &prior), -EPERM);
	assert_string_equal(h->err.found, DISK " (nvme)");
	assert_int_equal(step_end(h, &sr_step_group_owner, MATE, "1000", prior), 0);
}

static void group_owner_changes_and_returns(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *bound = NULL, *prior = NULL;
	struct stat before, st;

	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &bound), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/3", &before), 0);
	assert_int_equal(step_begin(h, &sr_step_group_owner, DISK, "1000", &prior), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/3", &st), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(step_end(h, &sr_step_group_owner, DISK, "1000", prior), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/3", &st), 0);
	assert_int_equal(st.st_uid, before.st_uid);
	assert_int_equal(st.st_mode, before.st_mode);
	/* The node went with the binding: nothing is left to give back. */
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", bound), 0);
	assert_int_equal(step_end(h, &sr_step_group_owner, DISK, "1000", prior), 0);
}

static void group_node_must_come(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	h->env.deadline_ms = 30;
	assert_int_equal(step_begin(h, &sr_step_group_owner, DISK, "1000", &prior), -ENOENT);
	assert_true(h->err.hint[0]);
}

/* Every change of the sequence fails once: the host must be as before each time. */
static void every_failure_is_undone(void **state)
{
	static const struct cv_step_ops *const ops[] = { &sr_step_numvfs, &sr_step_bind,
							 &sr_step_group_owner };
	static const struct cv_step steps[] = {
		{ 1, "numvfs", PF, "7", "" },
		{ 2, "bind", VF1, "vfio-pci", "" },
		{ 3, "bind", DISK, "vfio-pci", "" },
		{ 4, "group-owner", VF1, "1000", "" },
	};
	const struct cv_step_table table = { ops, CV_ARRAY_SIZE(ops) };
	struct host *h = *state;
	_cleanup_free_ char *before = fake_dump_host(h->fake);
	bool is_done = false;

	for (unsigned int n = 1; n < 200 && !is_done; n++) {
		_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
		_cleanup_free_ char *after = NULL;
		struct cv_owner owner = { 0 };
		char path[64];

		snprintf(path, sizeof(path), "/run/carve/journal%u", n);
		if (cv_journal_create(h->root, path, "vm1", &owner, &journal, NULL) == -EROFS)
			skip(); /* this fake gives no descriptors */
		fake_fail_change(h->fake, n, -EIO);
		is_done = cv_steps_apply(&h->env, &table, journal, steps, CV_ARRAY_SIZE(steps),
					 NULL, NULL) == 0;
		fake_fail_change(h->fake, 0, 0);
		assert_true(cv_steps_revert(&h->env, &table, path, NULL) >= 0);
		after = fake_dump_host(h->fake);
		assert_string_equal(after, before);
	}
	assert_true(is_done);
}

static int fill(void *data)
{
	*(int *)data += 1;
	return 7;
}

static int fill_and_hang(void *data)
{
	*(int *)data += 1;
	pause();
	return 0;
}

static void children_fill_or_time_out(void **state)
{
	struct host *h = *state;
	char text[4];
	int data = 41;

	assert_int_equal(sr_child_fill(fill, &data, sizeof(data), 10000), 7);
	assert_int_equal(data, 42);
	assert_int_equal(sr_child_fill(fill_and_hang, &data, sizeof(data), 50), -ETIMEDOUT);
	assert_int_equal(data, 42);
	assert_int_equal(
		sr_read_deadline(h->root, DEV PF "/sriov_totalvfs", text, sizeof(text), 10000), 0);
	assert_string_equal(text, "7");
	assert_int_equal(sr_read_deadline(h->root, DEV PF "/vendor", text, sizeof(text), 10000),
			 -ENAMETOOLONG);
	assert_int_equal(sr_read_deadline(h->root, DEV PF "/none", text, sizeof(text), 10000),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(bind_goes_there_and_back),
		with_host(bind_brings_back_override_and_nothing),
		with_host(bind_gives_vf_back_without_autoprobe),
		with_host(bind_that_hangs_is_quarantined),
		with_host(bind_sees_a_late_unbind),
		with_host(bind_refuses_unknown_driver),
		with_host(group_needs_all_members),
		with_host(group_owner_changes_and_returns),
		with_host(group_node_must_come),
		with_host(every_failure_is_undone),
		with_host(children_fill_or_time_out),
	};

	return cmocka_run_group_tests_name("bind", tests, NULL, NULL);
}
