// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps: every way to fail or to be killed ends, after the undo, where it began. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "base/step.h"
#include "tests/fake/fake_pci.h"
#include "tests/fake/temp_root.h"

#define JOURNAL(vm) CV_VM_DIR "/" vm ".journal"
#define PF "/sys/bus/pci/devices/0000:01:00.0"
#define VF "/sys/bus/pci/devices/0000:01:10.0"

static const struct cv_step_ops *const all_ops[] = { &cv_step_attr, &cv_step_attr_shared };
static const struct cv_step_table table = { .ops = all_ops, .n = CV_ARRAY_SIZE(all_ops) };
static const struct cv_owner owner = { .user = "root", .boot_id = "b" };

/* Six changes of a fake node: an attribute may have side effects (VFs appear and go). */
static const struct cv_step node_steps[] = {
	{ 1, "attr", PF "/sriov_drivers_autoprobe", "0", "VFs are not for the host" },
	{ 2, "attr-shared", PF "/sriov_numvfs", "2", "two VFs" },
	{ 3, "attr", VF "/driver_override", "vfio-pci", "for the VM" },
	{ 4, "attr", "/sys/kernel/mm/thp", "never", "huge pages come from the pool" },
	{ 5, "attr-shared", "/sys/module/kvm/parameters/halt_poll_ns", "0", "quiet" },
	{ 6, "attr", "/sys/pages/nr_hugepages", "512", "memory" },
};

/* The same as plain files, for a directory. */
static const struct cv_step dir_steps[] = {
	{ 1, "attr", "/sys/a", "1", "" },	 { 2, "attr-shared", "/sys/b", "2", "" },
	{ 3, "attr", "/sys/c", "3", "" },	 { 4, "attr", "/sys/d", "4", "" },
	{ 5, "attr-shared", "/sys/e", "5", "" }, { 6, "attr", "/sys/f", "same", "" },
};

/* Reads as "always [madvise] never"; a word that is none of them is swallowed. */
static int write_thp(struct fake *f, const char *path, const char *text, void *ctx)
{
	static const char *const words[] = { "always", "madvise", "never" };
	_cleanup_strv_ struct cv_strv line = { 0 };
	_cleanup_free_ char *joined = NULL;

	for (size_t i = 0; i < CV_ARRAY_SIZE(words); i++)
		cv_strv_addf(&line, strcmp(words[i], text) ? "%s" : "[%s]", words[i]);
	joined = cv_strv_join(&line, " ");
	fake_file(f, path, joined);
	return 1;
}

static void make_node(struct fake **ret, struct cv_sysroot **ret_root)
{
	static const struct fake_pci pf = {
		.bdf = "0000:01:00.0",
		.bus = "pci0000:00",
		.ids = "0x8086 0x10c9 0x020000",
		.driver = "igb",
		.group = 1,
	};
	static const struct fake_sriov sriov = { .total = 7,
						 .offset = 128,
						 .stride = 2,
						 .vf_ids = "0x8086 0x10ca 0x020000",
						 .vf_driver = "igbvf",
						 .first_group = 10 };
	static const struct fake_hook thp = { .pattern = "/sys/kernel/mm/thp", .write = write_thp };
	struct fake *f;

	assert_int_equal(fake_new(&f, ret_root), 0);
	assert_int_equal(cv_state_prepare(*ret_root, NULL), 0);
	fake_pci_install(f);
	fake_pci_driver(f, "igb");
	fake_pci_device(f, &pf);
	fake_pci_sriov(f, pf.bdf, &sriov);
	fake_hook(f, &thp);
	fake_file(f, "/sys/kernel/mm/thp", "always [madvise] never");
	fake_file(f, "/sys/module/kvm/parameters/halt_poll_ns", "200000");
	fake_file(f, "/sys/pages/nr_hugepages", "16");
	*ret = f;
}

static int apply(struct cv_sysroot *r, const char *vm, const char *journal,
		 const struct cv_step *steps, size_t n, struct cv_error *err)
{
	const struct cv_step_env env = { .root = r, .vm = vm, .deadline_ms = 5000 };
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
	int rc = cv_journal_create(r, journal, vm, &owner, &j, err);

	return rc ? rc : cv_steps_apply(&env, &table, j, steps, n, NULL, err);
}

static int revert(struct cv_sysroot *r, const char *journal, struct cv_error *err)
{
	const struct cv_step_env env = { .root = r, .deadline_ms = 5000 };

	return cv_steps_revert(&env, &table, journal, err);
}

static void assert_no_shared(struct cv_sysroot *r)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	assert_int_equal(cv_list(r, CV_SHARED_DIR, &names), 0);
	for (size_t i = 0; i < names.n; i++)
		assert_non_null(strstr(names.v[i], ".tmp"));
}

static void assert_node_is(struct fake *f, struct cv_sysroot *r, const char *before)
{
	_cleanup_free_ char *after = fake_dump(f, CV_RUN_DIR);

	assert_string_equal(before, after);
	assert_no_shared(r);
}

static void test_apply_and_revert(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *before = NULL;
	struct fake *f;
	unsigned int writes;

	make_node(&f, &r);
	before = fake_dump(f, CV_RUN_DIR);
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), node_steps, 6, NULL), 0);
	assert_string_equal(fake_text(f, "/sys/kernel/mm/thp"), "always madvise [never]");
	assert_string_equal(fake_text(f, VF "/driver_override"), "vfio-pci");
	assert_string_equal(fake_text(f, "/sys/pages/nr_hugepages"), "512");
	assert_int_equal(revert(r, JOURNAL("vm1"), NULL), 6);
	assert_node_is(f, r, before);
	/* Again: nothing is left to do. */
	writes = fake_writes(f);
	assert_int_equal(revert(r, JOURNAL("vm1"), NULL), 0);
	assert_int_equal(fake_writes(f), writes);
}

/* What is as wanted is not written. */
static void test_no_op(void **state)
{
	static const struct cv_step step = { 1, "attr", "/sys/kernel/mm/thp", "madvise", "" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct fake *f;

	make_node(&f, &r);
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), &step, 1, NULL), 0);
	assert_int_equal(revert(r, JOURNAL("vm1"), NULL), 1);
	assert_int_equal(fake_writes(f), 0);
}

/* Return: how often something could fail. */
static unsigned int sweep(void (*arm)(struct fake *f, unsigned int n, int err))
{
	for (unsigned int n = 1;; n++) {
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
		_cleanup_free_ char *before = NULL;
		struct cv_error e = { 0 };
		struct fake *f;
		int rc;

		make_node(&f, &r);
		before = fake_dump(f, CV_RUN_DIR);
		arm(f, n, -EIO);
		rc = apply(r, "vm1", JOURNAL("vm1"), node_steps, 6, &e);
		arm(f, 0, 0);
		if (!rc)
			return n - 1;
		assert_int_equal(rc, -EIO);
		assert_int_equal(e.exit, CV_EXIT_FAILED);
		assert_node_is(f, r, before);
		assert_true(n < 100);
	}
}

static void test_fail_each_write(void **state)
{
	assert_int_equal(sweep(fake_fail_write), 6);
}

static void test_fail_each_change(void **state)
{
	assert_true(sweep(fake_fail_change) > 6);
}

static int refuse(struct fake *f, const char *path, const char *text, void *ctx)
{
	return strcmp(text, "512") && fake_text(f, "/refuse") ? -EIO : 0;
}

/* An undo that fails does not stop the others, and can be repeated. */
static void test_partial(void **state)
{
	static const struct fake_hook hook = { .pattern = "/sys/pages/nr_hugepages",
					       .write = refuse };
	static const struct cv_step fails = { 7, "attr", "/sys/none", "1", "" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *before = NULL;
	struct cv_step steps[7];
	struct cv_error e = { 0 };
	struct fake *f;

	make_node(&f, &r);
	before = fake_dump(f, CV_RUN_DIR);
	fake_hook(f, &hook);
	fake_file(f, "/refuse", "");
	memcpy(steps, node_steps, sizeof(node_steps));
	steps[6] = fails;
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), steps, 7, &e), -ENOENT);
	assert_int_equal(e.exit, CV_EXIT_PARTIAL);
	assert_string_equal(e.object, "/sys/none");
	assert_non_null(strstr(e.hint, "carve recover"));
	assert_string_equal(fake_text(f, "/sys/pages/nr_hugepages"), "512");
	assert_string_equal(fake_text(f, PF "/sriov_numvfs"), "0");
	assert_int_equal(revert(r, JOURNAL("vm1"), &e), -EIO);
	assert_int_equal(e.exit, CV_EXIT_PARTIAL);
	fake_remove(f, "/refuse");
	assert_int_equal(revert(r, JOURNAL("vm1"), &e), 1);
	assert_node_is(f, r, before);
}

static void test_readback(void **state)
{
	static const struct cv_step step = { 1, "attr", "/sys/kernel/mm/thp", "sometimes", "" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct cv_error e = { 0 };
	struct fake *f;

	make_node(&f, &r);
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), &step, 1, &e), -EIO);
	assert_string_equal(e.code, "EREADBACK");
	assert_string_equal(e.wanted, "sometimes");
	assert_string_equal(fake_text(f, "/sys/kernel/mm/thp"), "always [madvise] never");
}

static void test_blocked_write(void **state)
{
	const struct cv_step_env env = { .vm = "vm1", .deadline_ms = 100 };
	struct cv_step_env here = env;
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *before = NULL;
	struct cv_error e = { 0 };
	struct fake *f;

	make_node(&f, &r);
	before = fake_dump(f, CV_RUN_DIR);
	here.root = r;
	fake_block(f, "/sys/pages/nr_hugepages");
	assert_int_equal(cv_journal_create(r, JOURNAL("vm1"), "vm1", &owner, &j, NULL), 0);
	assert_int_equal(cv_steps_apply(&here, &table, j, node_steps, 6, NULL, &e), -ETIMEDOUT);
	assert_int_equal(e.exit, CV_EXIT_TIMEOUT);
	assert_string_equal(e.object, "/sys/pages/nr_hugepages");
	assert_node_is(f, r, before);
}

static void test_gone(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct fake *f;

	make_node(&f, &r);
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), node_steps, 6, NULL), 0);
	fake_remove(f, "/sys/pages");
	fake_remove(f, "/sys/module");
	assert_int_equal(revert(r, JOURNAL("vm1"), NULL), 6);
	assert_no_shared(r);
}

static void test_unknown_kind(void **state)
{
	static const struct cv_step steps[] = { { 1, "attr", "/sys/pages/nr_hugepages", "1", "" },
						{ 2, "magic", "x", "y", "" } };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct cv_error e = { 0 };
	struct fake *f;

	make_node(&f, &r);
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), steps, 2, &e), -EINVAL);
	assert_string_equal(e.code, "EKIND");
	assert_int_equal(fake_writes(f), 0);
	assert_null(cv_step_find(&table, "magic"));
}

/* The last holder restores, whoever that is. */
static void test_shared(void **state)
{
	static const struct cv_step step = { 1, "attr-shared", PF "/sriov_numvfs", "2", "" };
	static const struct cv_step other = { 1, "attr-shared", PF "/sriov_numvfs", "4", "" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *before = NULL;
	struct cv_error e = { 0 };
	struct fake *f;

	make_node(&f, &r);
	before = fake_dump(f, CV_RUN_DIR);
	assert_int_equal(apply(r, "vm1", JOURNAL("vm1"), &step, 1, NULL), 0);
	assert_int_equal(apply(r, "vm2", JOURNAL("vm2"), &step, 1, NULL), 0);
	assert_int_equal(apply(r, "vm3", JOURNAL("vm3"), &other, 1, &e), -EBUSY);
	assert_string_equal(e.code, "EBUSY_SHARED");
	assert_non_null(strstr(e.found, "vm1, vm2"));
	assert_int_equal(revert(r, JOURNAL("vm1"), NULL), 1);
	assert_string_equal(fake_text(f, PF "/sriov_numvfs"), "2");
	assert_int_equal(revert(r, JOURNAL("vm1"), NULL), 0);
	assert_int_equal(revert(r, JOURNAL("vm2"), NULL), 1);
	assert_node_is(f, r, before);
	assert_int_equal(revert(r, JOURNAL("vm3"), NULL), 0);
}

struct seen {
	unsigned int n_before;
	unsigned int n_after;
};

static void see(void *ctx, const struct cv_step *s, int done, unsigned int ms)
{
	struct seen *seen = ctx;

	assert_true(ms < 5000);
	seen->n_before += !done;
	seen->n_after += done;
}

static void test_progress(void **state)
{
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct seen seen = { 0 };
	const struct cv_step_progress progress = { .step = see, .ctx = &seen };
	struct cv_step_env env = { .vm = "vm1", .deadline_ms = 5000 };
	struct fake *f;

	make_node(&f, &r);
	env.root = r;
	fake_fail_write(f, 4, -EIO);
	assert_int_equal(cv_journal_create(r, JOURNAL("vm1"), "vm1", &owner, &j, NULL), 0);
	assert_int_equal(cv_steps_apply(&env, &table, j, node_steps, 6, &progress, NULL), -EIO);
	assert_int_equal(seen.n_before, 4);
	assert_int_equal(seen.n_after, 3);
}

static void make_dir_root(struct temp_root *t)
{
	char path[CV_PATH_MAX];

	temp_root_init(t);
	assert_int_equal(cv_state_prepare(t->root, NULL), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(dir_steps); i++)
		temp_root_file(t, cv_pathf(path, "%s", dir_steps[i].object), "same");
}

/* Applies, then reverts, and is killed at one point of it. */
static void __attribute__((noreturn)) run_victim(struct cv_sysroot *r, unsigned int line)
{
	const struct cv_step_env env = { .root = r, .vm = "vm1", .deadline_ms = 5000 };
	struct cv_journal *j;

	if (cv_journal_create(r, JOURNAL("vm1"), "vm1", &owner, &j, NULL))
		_exit(1);
	cv_journal_crash_at(j, line);
	if (cv_steps_apply(&env, &table, j, dir_steps, CV_ARRAY_SIZE(dir_steps), NULL, NULL))
		_exit(2);
	_exit(cv_steps_revert(&env, &table, JOURNAL("vm1"), NULL) < 0 ? 3 : 0);
}

/* How to kill: after a line of the journal, or before or after a change. */
struct death {
	unsigned int line;
	unsigned int change;
	bool after;
};

/* Return: whether it was killed (false: it went through). */
static bool crash_and_recover(const struct death *d)
{
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;
	struct temp_root t = { 0 };
	int status = 0;
	pid_t pid;

	make_dir_root(&t);
	before = temp_root_dump(&t, CV_VM_DIR);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_victim(temp_root_killer(&t, getpid(), d->change, d->after), d->line);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	/* Killed before there was a journal: nothing was begun. */
	if (cv_exists(t.root, JOURNAL("vm1")))
		assert_true(revert(t.root, JOURNAL("vm1"), NULL) >= 0);
	after = temp_root_dump(&t, CV_VM_DIR);
	assert_string_equal(before, after);
	temp_root_done(&t);
	return WIFSIGNALED(status);
}

static void test_crash_at_each_line(void **state)
{
	struct death d = { .line = 1 };

	while (crash_and_recover(&d))
		d.line++;
	assert_int_equal(d.line - 1, 12);
}

static void test_crash_at_each_change(void **state)
{
	for (int after = 0; after < 2; after++) {
		struct death d = { .change = 1, .after = after };

		while (crash_and_recover(&d))
			d.change++;
		/* The journal, 5 writes and 2 files replaced; 5 writes and 2 files removed. */
		assert_int_equal(d.change - 1, 1 + (5 + 2 * 2) + (5 + 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply_and_revert),
		cmocka_unit_test(test_no_op),
		cmocka_unit_test(test_fail_each_write),
		cmocka_unit_test(test_fail_each_change),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_readback),
		cmocka_unit_test(test_blocked_write),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_unknown_kind),
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_crash_at_each_line),
		cmocka_unit_test(test_crash_at_each_change),
	};

	return cmocka_run_group_tests_name("step", tests, NULL, NULL);
}
