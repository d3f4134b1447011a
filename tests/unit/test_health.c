// SPDX-License-Identifier: GPL-2.0-or-later
/* Is a function as good as it was: the look, the judgement, and the step that sets one aside. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/quarantine.h"
#include "base/state.h"
#include "sriov/health.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/fake/fake_faults.h"
#include "tests/unit/sriov_host.h"

#define REAL_VF1 "/sys/devices/pci0000:40/" PORT "/" VF1

static const struct fake_pci disk = { DISK, "pci0000:40", "0x144d 0xa808 0x010802", "nvme", 3, 0 };

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

static int make(void **state)
{
	const struct host *h;
	int r = sriov_host_make(state);

	h = *state;
	fake_faults_install(h->fake);
	fake_faults_add(h->fake, &disk, "flr bus");
	fake_file(h->fake, REAL_DISK "/nvme/nvme0/state", "live");
	return r;
}
#define with_disk(test) cmocka_unit_test_setup_teardown(test, make, sriov_host_drop)

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

/* ---- the look ---- */

static void read_sees_it_all(void **state)
{
	struct host *h = *state;
	struct sr_health now;

	fake_faults_strike(h->fake, DISK, FAKE_ERRORS);
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_true(now.is_present && !now.is_vf);
	assert_int_equal(now.header, 0xa808144d);
	assert_int_equal(now.link_speed, 160);
	assert_int_equal(now.link_width, 16);
	assert_int_equal(now.link_width_max, 16);
	assert_int_equal(now.aer_correctable, 0);
	assert_int_equal(now.aer_nonfatal, 0);
	assert_int_equal(now.aer_fatal, 1);
	assert_int_equal(now.class, 0x010802);
	assert_string_equal(now.driver, "nvme");
	assert_int_equal(now.memory, -1); /* its driver works with it */
	assert_int_equal(sr_health_read(h->root, "0000:77:00.0", 10000, &now), 0);
	assert_false(now.is_present);
}

/* Only where it is safe: NVMe, decoding memory, awake, with no driver that works. */
static void read_looks_into_memory(void **state)
{
	struct host *h = *state;
	struct sr_health now;

	fake_file(h->fake, REAL_DISK "/resource0", "\xff\x07\x01\x14");
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_int_equal(now.memory, -1);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/nvme/unbind", DISK), 0);
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_int_equal(now.memory, 0x140107ff);
	fake_file(h->fake, REAL_DISK "/power_state", "D3hot");
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_int_equal(now.memory, -1);
	fake_file(h->fake, REAL_DISK "/power_state", "D0");
	fake_file(h->fake, REAL_DISK "/resource0", "\xff\xff\xff\xff");
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_int_equal(now.memory, UINT32_MAX);
	/* An empty BAR ends the child with a bus error. */
	fake_remove(h->fake, REAL_DISK "/resource0");
	fake_file(h->fake, "/.fake/empty", "");
	fake_link(h->fake, REAL_DISK "/resource0", "/.fake/empty");
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_int_equal(now.memory, UINT32_MAX);
	/* nor who is a child with a deadline itself */
	assert_int_equal(sr_health_read(h->root, DISK, 0, &now), 0);
	assert_int_equal(now.memory, UINT32_MAX);
	fake_file(h->fake, REAL_DISK "/class", "0x020000");
	assert_int_equal(sr_health_read(h->root, DISK, 10000, &now), 0);
	assert_int_equal(now.memory, -1);
}

static void make_vf(struct host *h, json_t **prior)
{
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", prior), 0);
	fake_file(h->fake, REAL_VF1 "/config", "\xff\xff\xff\xff\x06\x04\x11\x28");
	fake_file(h->fake, REAL_PF "/current_link_speed", "5.0 GT/s PCIe");
	fake_file(h->fake, REAL_PF "/current_link_width", "4");
}

static void read_takes_the_link_of_the_pf(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	struct sr_health now;

	make_vf(h, &prior);
	assert_int_equal(sr_health_read(h->root, VF1, 10000, &now), 0);
	assert_true(now.is_vf);
	assert_int_equal(now.header, UINT32_MAX);
	assert_int_equal(now.command, 0x28110406);
	assert_int_equal(now.link_speed, 50);
	assert_int_equal(now.link_width, 4);
}

/* A function that is there and does not answer. */
static int hang(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	while (strstr(path, "current_link_speed"))
		pause();
	return cv_read(ctx, path, ret, ret_len);
}

static int pass_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	return cv_stat(ctx, path, ret);
}

static int pass_readlink(void *ctx, const char *path, char **ret)
{
	return cv_readlink(ctx, path, ret);
}

static int pass_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return cv_open(ctx, path, flags, mode);
}

static int pass_mkdir(void *ctx, const char *path, mode_t mode)
{
	return cv_mkdir(ctx, path, mode);
}

static void pass_close(void *ctx)
{
}

static int pass_rename(void *ctx, const char *from, const char *to)
{
	_cleanup_free_ char *text = NULL;
	int r = cv_read_str(ctx, from, &text);

	/* good enough for one small file */
	return r < 0 ? r : cv_replace_file(ctx, to, text, 0644);
}

static const struct cv_sysroot_ops hanging_ops = {
	.read = hang,
	.stat = pass_stat,
	.readlink = pass_readlink,
	.open = pass_open,
	.mkdir = pass_mkdir,
	.rename = pass_rename,
	.close = pass_close,
};

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

static void one_that_is_silent_is_refused_in_time(void **state)
{
	struct host *h = *state;
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *silent = NULL;
	_cleanup_json_ json_t *prior = NULL;
	struct sr_health now;
	int64_t start;

	assert_int_equal(cv_sysroot_new(&hanging_ops, h->root, &silent), 0);
	assert_int_equal(sr_health_read(silent, DISK, 100, &now), -ETIMEDOUT);
	h->env.root = silent;
	h->env.deadline_ms = 100;
	start = cv_now_ms();
	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), -EIO);
	assert_true(cv_now_ms() - start < 5000);
	assert_string_equal(h->err.code, "EHEALTH");
	assert_quarantined(h, DISK, "did not return", "no answer within 100 ms");
}

/* ---- what the machine lacks ---- */

/**
 * struct trouble - of the machine, or of the device, for the next @times calls
 * @path: that its paths contain
 * @is_killed: the child that reads is, as the OOM killer does it
 */
struct trouble {
	struct cv_sysroot *root;
	const char *path;
	int error;
	unsigned int times;
	bool is_killed;
};

static int get_into(struct trouble *t, const char *path)
{
	if (t->times == 0 || !strstr(path, t->path))
		return 0;
	t->times--;
	return t->error;
}

static int lacking_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	struct trouble *t = ctx;

	if (t->is_killed && strstr(path, "current_link_speed"))
		kill(getpid(), SIGKILL);
	return get_into(t, path) ?: cv_read(t->root, path, ret, ret_len);
}

static int lacking_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	struct trouble *t = ctx;

	return get_into(t, path) ?: cv_stat(t->root, path, ret);
}

static int lacking_readlink(void *ctx, const char *path, char **ret)
{
	struct trouble *t = ctx;

	return get_into(t, path) ?: cv_readlink(t->root, path, ret);
}

static int lacking_list(void *ctx, const char *path, struct cv_strv *ret)
{
	struct trouble *t = ctx;

	return get_into(t, path) ?: cv_list(t->root, path, ret);
}

/* An error of the device is one of the read: that of a directory is good enough. */
static int lacking_open(void *ctx, const char *path, int flags, mode_t mode)
{
	struct trouble *t = ctx;
	int r = get_into(t, path);

	if (r == -EIO)
		return open("/", O_RDONLY | O_CLOEXEC);
	return r ?: cv_open(t->root, path, flags, mode);
}

static int lacking_mkdir(void *ctx, const char *path, mode_t mode)
{
	return cv_mkdir(((struct trouble *)ctx)->root, path, mode);
}

static int lacking_rename(void *ctx, const char *from, const char *to)
{
	return pass_rename(((struct trouble *)ctx)->root, from, to);
}

static int lacking_unlink(void *ctx, const char *path)
{
	return cv_unlink(((struct trouble *)ctx)->root, path);
}

static const struct cv_sysroot_ops lacking_ops = {
	.read = lacking_read,
	.stat = lacking_stat,
	.readlink = lacking_readlink,
	.list = lacking_list,
	.open = lacking_open,
	.mkdir = lacking_mkdir,
	.rename = lacking_rename,
	.unlink = lacking_unlink,
	.close = pass_close,
};

static struct cv_sysroot *lacking(struct host *h, struct trouble *t)
{
	struct cv_sysroot *root = NULL;

	t->root = h->root;
	assert_int_equal(cv_sysroot_new(&lacking_ops, t, &root), 0);
	h->env.root = root;
	return root;
}

/* Each of them once made the function look gone, dead or another one. */
static const struct trouble troubles[] = {
	{ .path = DISK "/config", .error = -EMFILE },
	{ .path = DISK "/config", .error = -ENFILE },
	{ .path = DEV DISK, .error = -EMFILE },
	{ .path = DISK "/physfn", .error = -ENOMEM },
	{ .path = DISK "/class", .error = -ENOMEM },
	{ .path = DISK "/driver", .error = -ENFILE },
	{ .path = DISK "/resource0", .error = -EMFILE },
	{ .path = "none of them", .is_killed = true },
};

static void unbind_disk(struct host *h)
{
	fake_file(h->fake, REAL_DISK "/resource0", "\xff\x07\x01\x14");
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/nvme/unbind", DISK), 0);
}

static void machine_that_lacks_something_gives_nothing_away(void **state)
{
	struct host *h = *state;

	unbind_disk(h);
	for (size_t i = 0; i < CV_ARRAY_SIZE(troubles); i++) {
		struct trouble t = troubles[i];
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = lacking(h, &t);
		_cleanup_json_ json_t *prior = NULL;
		int wanted = t.is_killed ? -ECHILD : t.error;

		t.times = UINT32_MAX;
		assert_int_equal(step_begin(h, &sr_step_health, DISK, "", &prior), wanted);
		assert_string_equal(h->err.code, "EHEALTH_UNREAD");
		assert_int_equal(h->err.exit, CV_EXIT_PRECONDITION);
		assert_non_null(strstr(h->err.hint, "try again"));
		assert_string_equal(h->err.found,
				    t.is_killed ? "the process that looks at it was killed"
						: strerror(-wanted));
		assert_false(sr_is_set_aside(h->root, DISK));
	}
}

static void machine_that_lacks_something_judges_nobody(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	unbind_disk(h);
	assert_int_equal(step_begin(h, &sr_step_health, DISK, "", &prior), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(troubles); i++) {
		_cleanup_strv_ struct cv_strv notes = { 0 };
		struct trouble t = troubles[i];
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = lacking(h, &t);

		t.times = UINT32_MAX;
		assert_int_equal(step_end(h, &sr_step_health, DISK, "", prior), 0);
		assert_false(sr_is_set_aside(h->root, DISK));
		assert_int_equal(sr_notes_take(h->root, "vm1", &notes), 0);
		assert_int_equal(notes.n, 1);
		assert_non_null(strstr(notes.v[0], DISK ": its health could not be checked: "));
	}
}

/* What its driver shows cannot be listed: that is no driver that failed. */
static void sign_that_cannot_be_read_is_no_verdict(void **state)
{
	struct host *h = *state;
	struct trouble t = { .path = DISK "/nvme", .error = -EMFILE };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	root = lacking(h, &t);
	t.times = UINT32_MAX;
	h->env.deadline_ms = 200;
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
	assert_false(sr_is_set_aside(h->root, DISK));
}

static void lack_that_passes_is_not_told(void **state)
{
	struct host *h = *state;
	struct trouble t = { .path = DISK "/config", .error = -EMFILE, .times = 1 };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = lacking(h, &t);
	struct sr_health now;

	assert_int_equal(sr_health_read(root, DISK, 10000, &now), 0);
	assert_int_equal(t.times, 0);
	assert_int_equal(now.header, 0xa808144d);
}

/* An error of the device itself stays one. */
static void config_that_cannot_be_read_is_a_verdict(void **state)
{
	struct host *h = *state;
	struct trouble t = { .path = DISK "/config", .error = -EIO };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	_cleanup_json_ json_t *prior = NULL, *none = NULL;
	struct cv_bdf bdf;

	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &prior), 0);
	root = lacking(h, &t);
	t.times = UINT32_MAX;
	assert_int_equal(step_begin(h, &sr_step_health, DISK, "nvme", &none), -EIO);
	assert_string_equal(h->err.code, "EHEALTH");
	assert_quarantined(h, DISK, "cannot be read", "config: Input/output error");
	assert_int_equal(cv_parse_bdf(DISK, &bdf), 0);
	assert_int_equal(cv_quarantine_clear(h->root, bdf, NULL), 0);
	assert_int_equal(step_end(h, &sr_step_health, DISK, "nvme", prior), 0);
	assert_quarantined(h, DISK, "cannot be read", "config: Input/output error");
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

		fake_faults_add(h->fake, &disk, "flr bus");
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
		with_disk(read_sees_it_all),
		with_disk(read_looks_into_memory),
		with_disk(read_takes_the_link_of_the_pf),
		with_disk(one_that_is_silent_is_refused_in_time),
		with_disk(machine_that_lacks_something_gives_nothing_away),
		with_disk(machine_that_lacks_something_judges_nobody),
		with_disk(sign_that_cannot_be_read_is_no_verdict),
		with_disk(lack_that_passes_is_not_told),
		with_disk(config_that_cannot_be_read_is_a_verdict),
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

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
