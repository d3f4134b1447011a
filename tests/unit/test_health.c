// SPDX-License-Identifier: GPL-2.0-or-later
/* The look at a function: what is read, what does not answer, and what the machine lacks for it. */
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
#include "base/quarantine.h"
#include "sriov/health.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/unit/health_host.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_disk(read_sees_it_all),
		with_disk(read_looks_into_memory),
		with_disk(read_takes_the_link_of_the_pf),
		with_disk(one_that_is_silent_is_refused_in_time),
		with_disk(machine_that_lacks_something_gives_nothing_away),
		with_disk(machine_that_lacks_something_judges_nobody),
		with_disk(sign_that_cannot_be_read_is_no_verdict),
		with_disk(lack_that_passes_is_not_told),
		with_disk(config_that_cannot_be_read_is_a_verdict),
	};

	return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
