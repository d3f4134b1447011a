// SPDX-License-Identifier: GPL-2.0-or-later
/* The judgement on a function, and what becomes of it: given away, given back, or set aside. */
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
#include "base/lease.h"
#include "base/quarantine.h"
#include "sriov/health.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/unit/health_host.h"

static const struct sr_health good = {
	.is_present = true,
	.header = 0xa808144d,
	.command = 0x28110406,
	.link_speed = 160,
	.link_width = 16,
	.link_speed_max = 160,
	.link_width_max = 16,
	.memory = -1,
	.driver = "nvme",
	.class = 0x010802,
};

/* ---- the judgement ---- */

static void judge_names_what_is_worse(void **state)
{
	static const struct {
		struct sr_health now;
		const char *driver;
		enum sr_check failed;
		const char *reason, *evidence;
	} rows[] = {
		{ { .is_present = false }, NULL, SR_CHECK_PRESENT, "gone", "was there before" },
		{ { .is_present = true, .header = UINT32_MAX, .command = UINT32_MAX },
		  NULL,
		  SR_CHECK_CONFIG,
		  "all ones",
		  "0xffffffff, 0xa808144d before" },
		{ { .is_present = true, .header = 0xffff0001 },
		  NULL,
		  SR_CHECK_CONFIG,
		  "never became ready",
		  "0xffff0001" },
		{ { .is_present = true, .header = 0xa809144d },
		  NULL,
		  SR_CHECK_CONFIG,
		  "another device",
		  "0xa809144d, 0xa808144d before" },
		{ { .is_present = true, .is_vf = true, .header = UINT32_MAX, .command = UINT32_MAX },
		  NULL,
		  SR_CHECK_CONFIG,
		  "all ones",
		  "offset 4: 0xffffffff" },
		{ { .is_present = true, .header = -1, .memory = UINT32_MAX },
		  NULL,
		  SR_CHECK_MEMORY,
		  "BAR 0",
		  "resource0" },
		{ { .is_present = true, .header = -1, .link_speed = 160, .link_width = 4 },
		  NULL,
		  SR_CHECK_LINK,
		  "narrower",
		  "current_link_width: 4, 16 before" },
		{ { .is_present = true, .header = -1, .link_speed = 25, .link_width = 16 },
		  NULL,
		  SR_CHECK_LINK,
		  "slower",
		  "2.5 GT/s, 16.0 GT/s before" },
		{ { .is_present = true, .header = -1, .aer_fatal = 2 },
		  NULL,
		  SR_CHECK_AER,
		  "uncorrectable",
		  "aer_dev_fatal: 2, 0 before" },
		{ { .is_present = true, .header = -1, .aer_nonfatal = 1 },
		  NULL,
		  SR_CHECK_AER,
		  "uncorrectable",
		  "aer_dev_nonfatal: 1, 0 before" },
		{ { .is_present = true, .header = -1 },
		  "nvme",
		  SR_CHECK_DRIVER,
		  "nvme did not take",
		  "driver: none, nvme before" },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct sr_verdict v;

		sr_health_judge(&good, &rows[i].now, rows[i].driver, &v);
		assert_false(v.is_healthy);
		assert_int_equal(v.failed, rows[i].failed);
		assert_non_null(strstr(v.reason, rows[i].reason));
		assert_non_null(strstr(v.evidence, rows[i].evidence));
	}
}

static void judge_notes_what_is_no_fault(void **state)
{
	struct sr_health now = good, gpu = good, restarted = good;
	struct sr_verdict v;

	now.aer_correctable = 12;
	sr_health_judge(&good, &now, "nvme", &v);
	assert_true(v.is_healthy);
	assert_string_equal(v.note, "12 correctable errors more");
	gpu.class = 0x030200;
	gpu.link_speed = 25;
	sr_health_judge(&good, &gpu, NULL, &v);
	assert_true(v.is_healthy);
	assert_non_null(strstr(v.note, "rests at 2.5 GT/s, 16.0 before"));
	gpu.link_width = 8;
	sr_health_judge(&good, &gpu, NULL, &v);
	assert_false(v.is_healthy);
	sr_health_judge(NULL, &gpu, NULL, &v);
	assert_true(v.is_healthy);
	assert_non_null(strstr(v.note, "8 of 16 lanes"));
	/* A function that was found again counts from nothing. */
	now = good;
	now.aer_fatal = 3;
	sr_health_judge(&now, &restarted, NULL, &v);
	assert_true(v.is_healthy);
}

/* A VF reads all ones where its ids would be. */
static void judge_knows_vfs(void **state)
{
	struct sr_health vf = good;
	struct sr_verdict v;

	vf.is_vf = true;
	vf.header = UINT32_MAX;
	sr_health_judge(NULL, &vf, NULL, &v);
	assert_true(v.is_healthy);
	assert_string_equal(sr_check_name(SR_CHECK_AER), "aer");
}

static void json_round_trip(void **state)
{
	static const char *const members[] = { "header",  "link_width", "aer_fatal",
					       "present", "driver",	"class" };
	struct sr_health h = good, back;
	_cleanup_json_ json_t *j = NULL;

	h.memory = UINT32_MAX;
	h.aer_fatal = INT64_MAX;
	j = sr_health_json(&h);
	assert_non_null(j);
	memset(&back, 0xa5, sizeof(back));
	assert_int_equal(sr_health_from_json(j, &back), 0);
	assert_int_equal(back.header, h.header);
	assert_int_equal(back.command, h.command);
	assert_true(back.is_present && !back.is_vf);
	assert_int_equal(back.link_width, 16);
	assert_int_equal(back.link_speed_max, 160);
	assert_int_equal(back.memory, h.memory);
	assert_true(back.aer_fatal == INT64_MAX);
	assert_int_equal(back.class, h.class);
	assert_string_equal(back.driver, "nvme");
	for (size_t i = 0; i < CV_ARRAY_SIZE(members); i++) {
		_cleanup_json_ json_t *less = json_deep_copy(j);

		json_object_del(less, members[i]);
		assert_int_equal(sr_health_from_json(less, &back), -EINVAL);
	}
	json_object_set_new(j, "header", json_integer(0x100000000));
	assert_int_equal(sr_health_from_json(j, &back), -EINVAL);
	json_object_set_new(j, "header", json_integer(-2));
	assert_int_equal(sr_health_from_json(j, &back), -EINVAL);
	assert_int_equal(sr_health_from_json(NULL, &back), -EINVAL);
}

/* ---- the step ---- */

static bool is_quarantined(struct host *h, const char *bdf)
{
	return sr_is_set_aside(h->root, bdf);
}

static void take_notes(struct host *h, char *buf, size_t size)
{
	_cleanup_strv_ struct cv_strv notes = { 0 };
	_cleanup_free_ char *text = NULL;

	assert_int_equal(sr_notes_take(h->root, "vm1", &notes), 0);
	text = cv_strv_join(&notes, "; ");
	snprintf(buf, size, "%s", text);
}

static void healthy_one_goes_and_comes(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *health = NULL, *bound = NULL;
	char notes[256];
	unsigned int changes;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &health), 0);
	assert_string_equal(cv_json_str(health, "up", ""), "nvme");
	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &bound), 0);
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", bound), 0);
	changes = fake_changes(h->fake);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", health), 0);
	assert_int_equal(fake_changes(h->fake), changes);
	assert_false(is_quarantined(h, DISK));
	take_notes(h, notes, sizeof(notes));
	assert_string_equal(notes, "");
}

static void worse_ones_are_set_aside(void **state)
{
	static const struct {
		enum fake_fault fault;
		const char *reason, *evidence;
	} rows[] = {
		{ FAKE_DEAD, "config space reads all ones", "0xffffffff, 0xa808144d before" },
		{ FAKE_NARROW, "the link came back narrower", "current_link_width: 4, 16 before" },
		{ FAKE_ERRORS, "uncorrectable PCIe errors", "aer_dev_fatal: 1, 0 before" },
	};
	struct host *h = *state;

	h->env.deadline_ms = 300;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *prior = NULL;
		char notes[512];
		struct cv_bdf bdf;
		int64_t start;

		fake_faults_add(h->fake, &health_disk, "flr bus");
		assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
		fake_faults_strike(h->fake, DISK, rows[i].fault);
		start = cv_now_ms();
		assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
		assert_true(cv_now_ms() - start < 5000);
		assert_quarantined(h, DISK, rows[i].reason, rows[i].evidence);
		assert_quarantined(h, DISK, "VM vm1", DEV DISK);
		take_notes(h, notes, sizeof(notes));
		assert_non_null(strstr(notes, DISK " is in quarantine now"));
		assert_non_null(strstr(notes, rows[i].reason));
		take_notes(h, notes, sizeof(notes));
		assert_string_equal(notes, "");
		assert_int_equal(cv_parse_bdf(DISK, &bdf), 0);
		assert_int_equal(cv_quarantine_clear(h->root, bdf, NULL), 0);
	}
}

static void unhealthy_one_is_not_given_away(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	fake_faults_strike(h->fake, DISK, FAKE_DEAD);
	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), -EIO);
	assert_int_equal(h->err.exit, CV_EXIT_PRECONDITION);
	assert_non_null(strstr(h->err.found, "0xffffffff"));
	assert_non_null(strstr(h->err.hint, "in quarantine"));
	assert_quarantined(h, DISK, "all ones", "config offset 0");
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
}

static void quarantine_names_the_owner_of_the_lease(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	const struct cv_lease lease = { .name = "vm1",
					.owner = { .uid = 1000, .user = "alice", .job = "4711" } };
	struct cv_quarantine q;
	struct cv_bdf bdf;

	h->env.deadline_ms = 200;
	assert_int_equal(cv_lease_write(h->root, &lease, NULL), 0);
	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	fake_faults_strike(h->fake, DISK, FAKE_NARROW);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
	assert_int_equal(cv_parse_bdf(DISK, &bdf), 0);
	assert_int_equal(cv_quarantine_read(h->root, bdf, &q, NULL), 0);
	assert_string_equal(q.owner.user, "alice");
	assert_string_equal(q.owner.job, "4711");
}

/* The first cause tells most, and one that hangs is not waited for twice. */
static void one_that_is_set_aside_stays_as_it_is(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	assert_int_equal(sr_set_aside(&h->env, DISK, "unbind hangs", "write of x", NULL), 0);
	fake_faults_strike(h->fake, DISK, FAKE_DEAD);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
	assert_quarantined(h, DISK, "unbind hangs", "write of x");
}

static void driver_that_does_not_come_up_is_noticed(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	h->env.deadline_ms = 200;
	fake_file(h->fake, REAL_DISK "/nvme/nvme0/state", "connecting");
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
	assert_quarantined(h, DISK, "no NVMe controller came up", "none is live within 200 ms");
}

static void driver_that_refuses_is_noticed(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	h->env.deadline_ms = 200;
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/nvme/unbind", DISK), 0);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
	assert_quarantined(h, DISK, "nvme did not take the function again", "driver: none");
}

/* Its interface is made a moment after the driver took it. */
static void interface_is_awaited(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	pid_t pid;

	fake_dir(h->fake, REAL_PF "/net/eth0");
	assert_int_equal(step_begin(h, &sr_step_health, PF, "igb", &prior), 0);
	assert_string_equal(cv_json_str(prior, "up", ""), "net");
	fake_remove(h->fake, REAL_PF "/net/eth0");
	pid = fork();
	if (pid == 0) {
		usleep(200 * 1000);
		fake_dir(h->fake, REAL_PF "/net/eth1");
		_exit(0);
	}
	assert_int_equal(step_end(h, &sr_step_health, PF, "igb", prior), 0);
	assert_false(is_quarantined(h, PF));
}

/* The undo of "bind" is to come first: nothing is said of a function that is not back. */
static void undo_waits_for_the_driver(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *bound = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &bound), 0);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), -EBUSY);
	assert_string_equal(h->err.found, "bound to vfio-pci");
	assert_false(is_quarantined(h, DISK));
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", bound), 0);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
}

/* One that had no driver: not told of while it is still with VFIO, whoever else has it is fine. */
static void undo_waits_for_vfio(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *bound = NULL;

	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/nvme/unbind", DISK), 0);
	assert_int_equal(step_begin(h, &sr_step_health, DISK, "", &prior), 0);
	assert_int_equal(step_begin(h, &sr_step_bind, DISK, "vfio-pci", &bound), 0);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "", prior), -EBUSY);
	assert_string_equal(h->err.wanted, "not bound");
	assert_int_equal(step_end(h, &sr_step_bind, DISK, "vfio-pci", bound), 0);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "", prior), 0);
	assert_false(is_quarantined(h, DISK));
}

static void vf_is_looked_at_before_it_goes(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *vfs = NULL, *prior = NULL;

	make_vf(h, &vfs);
	assert_int_equal(step_begin(h, &sr_step_health, VF1, "", &prior), 0);
	assert_string_equal(cv_json_str(prior, "pf", ""), PF);
	assert_int_equal(step_end(h, &sr_step_health, VF1, "", prior), 0);
	assert_false(is_quarantined(h, VF1));
	/* taken away by somebody else: no word about the device */
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", vfs), 0);
	assert_int_equal(step_end(h, &sr_step_health, VF1, "", prior), 0);
	assert_false(is_quarantined(h, VF1));
}

static void vf_that_is_dead_is_set_aside(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *vfs = NULL, *prior = NULL;

	make_vf(h, &vfs);
	h->env.deadline_ms = 200;
	assert_int_equal(step_begin(h, &sr_step_health, VF1, "", &prior), 0);
	fake_file(h->fake, REAL_VF1 "/config", "\xff\xff\xff\xff\xff\xff\xff\xff");
	assert_int_equal(step_end(h, &sr_step_health, VF1, "", prior), 0);
	assert_quarantined(h, VF1, "all ones", "config offset 4: 0xffffffff, 0x28110406 before");
}

static void function_that_is_gone_is_set_aside(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "", &prior), 0);
	h->env.deadline_ms = 200;
	fake_pci_remove(h->fake, DISK);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "", prior), 0);
	assert_quarantined(h, DISK, "gone from the bus", "was there before");
}

/* Quarantine that cannot be written must not pass for a clean release. */
static void undo_fails_when_nothing_can_be_kept(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	h->env.deadline_ms = 200;
	fake_faults_strike(h->fake, DISK, FAKE_DEAD);
	fake_fail_change(h->fake, 1, -ENOSPC);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), -ENOSPC);
	assert_true(h->err.what[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judge_names_what_is_worse),
		cmocka_unit_test(judge_notes_what_is_no_fault),
		cmocka_unit_test(judge_knows_vfs),
		cmocka_unit_test(json_round_trip),
		with_disk(healthy_one_goes_and_comes),
		with_disk(worse_ones_are_set_aside),
		with_disk(unhealthy_one_is_not_given_away),
		with_disk(quarantine_names_the_owner_of_the_lease),
		with_disk(one_that_is_set_aside_stays_as_it_is),
		with_disk(driver_that_does_not_come_up_is_noticed),
		with_disk(driver_that_refuses_is_noticed),
		with_disk(interface_is_awaited),
		with_disk(undo_waits_for_the_driver),
		with_disk(undo_waits_for_vfio),
		with_disk(vf_is_looked_at_before_it_goes),
		with_disk(vf_that_is_dead_is_set_aside),
		with_disk(function_that_is_gone_is_set_aside),
		with_disk(undo_fails_when_nothing_can_be_kept),
	};

	return cmocka_run_group_tests_name("health_judge", tests, NULL, NULL);
}
