// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device bind --reset: devices are bound and reset, or neither, whoever fails or ends in between. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "tests/fake/temp_root.h"
#include "tests/unit/reset_host.h"
#include "tools/device.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define MAX_CHANGES 400
#define OPERATION CV_OPERATION_DIR "/dev-0000-41-00-0"
#define SEEN "/.fake/seen"

const struct cmd_verb *const cmd_verbs[] = { NULL };
static const struct cmd_verb verb = { .name = "test" };
static const struct site site = { .lock_wait_s = 50 };

/* What a verb prints is no line of this test's report. */
static int run_quietly(struct cmd *c)
{
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC), r;

	fflush(stdout);
	assert_true(saved >= 0 && null >= 0 && dup2(null, STDOUT_FILENO) >= 0);
	r = c->verb->run(c);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	close(null);
	return r;
}

static int recover(struct cv_sysroot *root)
{
	struct cmd c = { .verb = &cmd_recover, .root = root, .sysroot = "/", .json = true };

	return run_quietly(&c);
}

/* ---- the verb on a fake host ---- */

static struct cmd bind_of(struct host *h)
{
	struct cmd c = { .verb = &device_bind, .root = h->root, .sysroot = "/", .json = true };

	c.args[c.n_args++] = PF;
	for (size_t i = 0; device_bind.options[i].name; i++)
		if (strcmp(device_bind.options[i].name, "reset") == 0)
			c.values[i] = "";
	return c;
}

/* While it is reset, nothing is bound yet for who comes after a kill. */
static int look_at_operation(struct fake *f, const char *path, const char *text, void *ctx)
{
	const char *now = fake_text(f, OPERATION "/operation.json");

	if (strstr(path, PF))
		fake_file(f, SEEN, now ? now : "no operation");
	return strcmp(fake_text(f, "/.fake/answer"), "fails") == 0 ? -EIO : 1;
}

static int make(void **state)
{
	static const struct fake_hook hook = { .pattern = "/sys/devices/*/reset",
					       .write = look_at_operation };
	int r = reset_host_make_watched(state, &hook);
	struct host *h = *state;

	fake_file(h->fake, "/.fake/answer", "works");
	fake_file(h->fake, "/proc/interrupts", " 24: 0 IR-PCI-MSI 0-edge pcie");
	fake_file(h->fake, "/sys/devices/system/cpu/online", "0");
	fake_file(h->fake, "/sys/devices/system/cpu/cpu0/topology/physical_package_id", "0");
	fake_file(h->fake, "/sys/devices/system/cpu/cpu0/topology/core_id", "0");
	fake_file(h->fake, "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0");
	fake_file(h->fake, "/sys/devices/system/node/online", "0");
	fake_file(h->fake, "/sys/devices/system/node/node0/cpulist", "0");
	fake_file(h->fake, "/sys/devices/system/node/node0/distance", "10");
	fake_file(h->fake, "/sys/devices/system/node/node0/meminfo",
		  "Node 0 MemTotal: 8388608 kB\nNode 0 MemFree: 4194304 kB");
	return r;
}
#define with_verb(test) cmocka_unit_test_setup_teardown(test, make, sriov_host_drop)

/* The first lock leaves files that stay. */
static char *start_state(struct host *h)
{
	assert_int_equal(recover(h->root), 0);
	return fake_dump(h->fake, "/.fake");
}

static void bound_when_it_is_reset(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = start_state(h);
	struct cmd c = bind_of(h);

	assert_int_equal(run_quietly(&c), 0);
	assert_driver(h, PF, "vfio-pci");
	assert_non_null(strstr(fake_text(h->fake, SEEN), "\"complete\": false"));
	assert_true(operation_is_held(&c, "dev-0000-41-00-0"));
	assert_int_equal(operation_release(&c, &site, "dev-0000-41-00-0"), 0);
	assert_state(h, before);
}

static void nothing_is_bound_without_its_reset(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = NULL;
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cmd c = bind_of(h);

	/* where igb would take it on its way back, it is not taken off the bus */
	fake_file(h->fake, "/proc/sys/kernel/osrelease", "6.12.48+deb13-amd64");
	fake_file(h->fake, "/.fake/answer", "fails");
	before = start_state(h);
	assert_int_equal(run_quietly(&c), -EIO);
	assert_string_equal(c.err.code, "ERESET");
	assert_driver(h, PF, "igb");
	assert_int_equal(operation_names(&c, &names), 0);
	assert_int_equal(names.n, 0);
	/* but it is set aside */
	assert_quarantined(h, PF, "no reset worked", "flr: Input/output error");
	fake_remove(h->fake, CV_QUARANTINE_DIR "/" PF ".json");
	assert_state(h, before);
}

/* ---- killed anywhere ---- */

static const struct cv_step bind_steps[] = {
	{ 1, "attr", "/sys/a", "1", "" },
	{ 2, "attr-shared", "/sys/b", "2", "" },
};
static const struct cv_step reset_steps[] = { { 1, "attr", "/sys/c", "3", "" } };

/* As the reset is: a change of its own, of devices that the bind has leased. */
static int reset_inside(struct cmd *c, void *ctx)
{
	const struct operation op = { .name = "reset-0000-01-00-0",
				      .title = "reset",
				      .steps = reset_steps,
				      .n_steps = CV_ARRAY_SIZE(reset_steps),
				      .user = "" };

	return operation_run_locked(c, &op);
}

static struct cmd cmd_on(struct cv_sysroot *root)
{
	return (struct cmd){ .verb = &verb, .root = root, .sysroot = "/", .json = true };
}

static void make_root(struct temp_root *t)
{
	temp_root_file(t, "/proc/sys/kernel/random/boot_id", "b1\n");
	temp_root_file(t, "/sys/a", "old");
	temp_root_file(t, "/sys/b", "old");
	temp_root_file(t, "/sys/c", "old");
	assert_int_equal(recover(t->root), 0);
}

/* In a child, which is killed at its @n-th change. Return: was it? */
static bool run_killed(struct temp_root *t, unsigned int n, bool after)
{
	const struct cv_bdf device = { .bus = 1 };
	struct operation op = { .title = "bind",
				.devices = &device,
				.n_devices = 1,
				.steps = bind_steps,
				.n_steps = CV_ARRAY_SIZE(bind_steps),
				.work = reset_inside,
				.is_held = true,
				.user = "" };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct cmd c = cmd_on(temp_root_killer(t, getpid(), n, after));

		operation_name(op.name, "dev", device);
		_exit(operation_run(&c, &site, &op) < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return true;
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static bool kill_and_recover(unsigned int n, bool after)
{
	struct temp_root t = { 0 };
	bool is_killed;
	char now[8];

	temp_root_init(&t);
	make_root(&t);
	is_killed = run_killed(&t, n, after);
	assert_int_equal(recover(t.root), 0);
	/* whole, or as before: what the reset did stays with a bind that was complete */
	struct cmd c = cmd_on(t.root);
	bool is_held = operation_is_held(&c, "dev-0000-01-00-0");
	assert_int_equal(cv_read_into(t.root, "/sys/a", now, sizeof(now)), 0);
	assert_string_equal(now, is_held ? "1" : "old");
	assert_int_equal(cv_read_into(t.root, "/sys/c", now, sizeof(now)), 0);
	assert_true(!is_held || strcmp(now, "3") == 0);
	assert_false(cv_exists(t.root, CV_OPERATION_DIR "/reset-0000-01-00-0"));
	temp_root_done(&t);
	assert_true(is_killed || is_held);
	return is_killed;
}

static void killed_anywhere_it_is_bound_and_reset_or_neither(void **state)
{
	for (int after = 0; after < 2; after++) {
		unsigned int n = 1;

		while (kill_and_recover(n, after))
			assert_true(++n < MAX_CHANGES);
		assert_true(n > 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_verb(bound_when_it_is_reset),
		with_verb(nothing_is_bound_without_its_reset),
		cmocka_unit_test(killed_anywhere_it_is_bound_and_reset_or_neither),
	};

	return cmocka_run_group_tests_name("reset_bind", tests, NULL, NULL);
}
