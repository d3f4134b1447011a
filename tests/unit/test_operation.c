// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes of devices outside of any VM: whatever fails, is killed or comes at the same time, the host is
 * as it was or as it was asked for. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "tests/fake/temp_root.h"
#include "tests/unit/sriov_host.h"
#include "tools/device_steps.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define N_RACERS 32
#define N_DEVICES 8
#define MAX_CHANGES 400

const struct cmd_verb *const cmd_verbs[] = { NULL };
static const struct cmd_verb verb = { .name = "test" };
static const struct site site = { .lock_wait_s = 50 };

static struct cmd cmd_on(struct cv_sysroot *root)
{
	/* with JSON there is no progress on stderr */
	return (struct cmd){ .verb = &verb, .root = root, .sysroot = "/", .json = true };
}

/* What a verb prints is no line of this test's report. */
static int run_quietly(struct cmd *c, int (*run)(struct cmd *c))
{
	int saved = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC), r;

	fflush(stdout);
	assert_true(saved >= 0 && null >= 0 && dup2(null, STDOUT_FILENO) >= 0);
	r = run(c);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	close(null);
	return r;
}

static void recover(struct cv_sysroot *root)
{
	struct cmd c = cmd_on(root);

	assert_int_equal(run_quietly(&c, cmd_recover.run), 0);
}

/* ---- binding on a fake host ---- */

/** struct bind - a disk and the function that shares its group */
struct bind {
	struct cmd c;
	struct inventory inv;
	struct cv_bdf devices[2];
	struct cv_step_list steps;
	struct operation op;
};

static void make_bind(struct host *h, struct bind *b)
{
	static const char *const names[] = { DISK, MATE };
	struct device_take take[2] = { 0 };
	const struct device_wish wish = { .inv = &b->inv, .take = take, .n = 2, .user = "" };

	*b = (struct bind){ .c = cmd_on(h->root) };
	read_inventory(h, &b->inv);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(cv_parse_bdf(names[i], &b->devices[i]), 0);
		assert_int_equal(plan_find_function(&b->inv, b->devices[i], &take[i].f, NULL), 0);
		snprintf(take[i].driver, sizeof(take[i].driver), "vfio-pci");
	}
	assert_int_equal(device_steps(&wish, &b->steps), 0);
	b->op = (struct operation){ .title = "bind",
				    .devices = b->devices,
				    .n_devices = 2,
				    .steps = b->steps.v,
				    .n_steps = b->steps.n,
				    .is_held = true,
				    .user = "" };
	operation_name(b->op.name, "dev", b->devices[0]);
}

static void drop_bind(struct bind *b)
{
	cv_step_list_done(&b->steps);
	inventory_done(&b->inv);
}

/* The first lock leaves files that stay. */
static char *start_state(struct host *h)
{
	struct cmd c = cmd_on(h->root);
	int lock = -1;

	assert_int_equal(vm_lock(&c, &site, &lock), 0);
	close(lock);
	return fake_dump(h->fake, "/.fake");
}

static void bind_is_held_and_released(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = start_state(h);
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_(cv_lease_done) struct cv_lease lease = { 0 };
	struct bind b;

	make_bind(h, &b);
	assert_string_equal(b.op.name, "dev-0000-42-00-0");
	assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
	assert_driver(h, DISK, "vfio-pci");
	assert_driver(h, MATE, "vfio-pci");
	assert_true(operation_is_held(&b.c, b.op.name));
	assert_int_equal(operation_names(&b.c, &names), 0);
	assert_int_equal(names.n, 1);
	assert_int_equal(cv_lease_read(h->root, b.op.name, &lease, NULL), 0);
	assert_int_equal(lease.n_devices, 2);
	assert_false(cv_lease_is_vm(&lease));
	/* a second time is refused, and carve recover leaves it alone */
	assert_int_equal(operation_run(&b.c, &site, &b.op), -EEXIST);
	assert_int_equal(b.c.err.exit, CV_EXIT_BUSY);
	recover(h->root);
	assert_driver(h, DISK, "vfio-pci");
	assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
	assert_state(h, before);
	assert_int_equal(operation_release(&b.c, &site, b.op.name), -ENOENT);
	drop_bind(&b);
}

static void bind_that_fails_anywhere_leaves_nothing(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = start_state(h);
	unsigned int n = 1, failures = 0;
	int r = -1;

	for (; r < 0 && n < MAX_CHANGES; n++) {
		unsigned int changes = fake_changes(h->fake);
		struct bind b;

		make_bind(h, &b);
		fake_fail_change(h->fake, n, -EIO);
		r = operation_run(&b.c, &site, &b.op);
		fake_fail_change(h->fake, 0, 0);
		failures += r < 0;
		if (r == 0 && fake_changes(h->fake) - changes >= n)
			r = -EAGAIN; /* it got over that one: go on */
		if (operation_is_held(&b.c, b.op.name))
			assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
		recover(h->root);
		assert_state(h, before);
		drop_bind(&b);
	}
	assert_int_equal(r, 0);
	assert_true(failures > 20);
}

/* Without the health steps: those wait as long as they may for a driver that cannot come. */
static void make_plain_bind(struct host *h, struct bind *b)
{
	make_bind(h, b);
	while (b->op.n_steps && strcmp(b->op.steps[0].kind, "bind") != 0) {
		b->op.steps++;
		b->op.n_steps--;
	}
	assert_int_equal(b->op.n_steps, 4); /* two functions, their group, hooks */
}

static void release_that_fails_anywhere_is_recovered(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = start_state(h);
	unsigned int n = 1, failures = 0;
	int r = -1;

	for (; r < 0 && n < MAX_CHANGES; n++) {
		struct bind b;

		make_plain_bind(h, &b);
		assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
		unsigned int changes = fake_changes(h->fake);
		fake_fail_change(h->fake, n, -EIO);
		r = operation_release(&b.c, &site, b.op.name);
		fake_fail_change(h->fake, 0, 0);
		failures += r < 0;
		if (r == 0 && fake_changes(h->fake) - changes >= n)
			r = -EAGAIN;
		recover(h->root);
		/* it failed before anything was undone */
		if (operation_is_held(&b.c, b.op.name))
			assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
		assert_state(h, before);
		drop_bind(&b);
	}
	assert_int_equal(r, 0);
	assert_true(failures > 20);
}

static void bind_of_a_leased_device_is_refused(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = NULL;
	struct cv_lease l = { .name = "vm1", .since = 1 };
	struct bind b;

	make_bind(h, &b);
	cv_cpuset_add(&l.cpus, 4);
	l.devices = &b.devices[1];
	l.n_devices = 1;
	assert_int_equal(cv_lease_write(h->root, &l, NULL), 0);
	before = start_state(h);
	assert_int_equal(operation_run(&b.c, &site, &b.op), -EBUSY);
	assert_non_null(strstr(b.c.err.what, "vm1"));
	assert_state(h, before);
	drop_bind(&b);
}

static void an_earlier_boot_is_dropped(void **state)
{
	struct host *h = *state;
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct bind b;

	make_bind(h, &b);
	assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
	fake_file(h->fake, "/proc/sys/kernel/random/boot_id",
		  "22222222-2222-3333-4444-555555555555");
	assert_int_equal(operation_names(&b.c, &names), 0);
	assert_int_equal(names.n, 0);
	recover(h->root);
	assert_false(cv_exists(h->root, CV_OPERATION_DIR "/dev-0000-42-00-0"));
	assert_false(cv_exists(h->root, CV_LEASE_DIR "/dev-0000-42-00-0.json"));
	drop_bind(&b);
}

/* ---- changes for good, killed anywhere ---- */

static const struct cv_step dir_steps[] = {
	{ 1, "attr", "/sys/a", "1", "" },
	{ 2, "attr-shared", "/sys/b", "2", "" },
	{ 3, "attr", "/sys/c", "3", "" },
};

static void make_dir(struct temp_root *t)
{
	struct cmd c;
	int lock = -1;

	temp_root_file(t, "/proc/sys/kernel/random/boot_id", "b1\n");
	temp_root_file(t, "/sys/a", "old");
	temp_root_file(t, "/sys/b", "old");
	temp_root_file(t, "/sys/c", "old");
	c = cmd_on(t->root);
	assert_int_equal(vm_lock(&c, &site, &lock), 0);
	close(lock);
}

static struct operation dir_operation(bool is_held, const struct cv_bdf *device)
{
	struct operation op = { .title = "set",
				.devices = device,
				.n_devices = 1,
				.steps = dir_steps,
				.n_steps = CV_ARRAY_SIZE(dir_steps),
				.is_held = is_held,
				.user = "" };

	operation_name(op.name, "vf", *device);
	return op;
}

static void a_change_for_good_leaves_only_itself(void **state)
{
	struct temp_root *t = *state;
	const struct cv_bdf device = { .bus = 1 };
	const struct operation op = dir_operation(false, &device);
	_cleanup_strv_ struct cv_strv shared = { 0 }, leases = { 0 }, names = { 0 };
	char now[16];
	struct cmd c;

	make_dir(t);
	c = cmd_on(t->root);
	assert_int_equal(operation_run(&c, &site, &op), 0);
	assert_int_equal(cv_read_into(t->root, "/sys/b", now, sizeof(now)), 0);
	assert_string_equal(now, "2");
	assert_int_equal(cv_list(t->root, CV_SHARED_DIR, &shared), 0);
	assert_int_equal(shared.n, 0);
	assert_int_equal(cv_lease_list(t->root, &leases, NULL), 0);
	assert_int_equal(leases.n, 0);
	assert_int_equal(operation_names(&c, &names), 0);
	assert_int_equal(names.n, 0);
}

/* The change is made, only its notes are left: nobody may take that for a change that failed. */
static void notes_that_stay_are_told(void **state)
{
	const struct cv_bdf device = { .bus = 1 };
	const struct operation op = dir_operation(false, &device);
	unsigned int left = 0;
	struct host *h = *state;
	int r = -1;

	for (unsigned int n = 1; r < 0 && n < MAX_CHANGES; n++) {
		struct cmd c = cmd_on(h->root);

		fake_file(h->fake, "/sys/a", "old");
		fake_file(h->fake, "/sys/b", "old");
		fake_file(h->fake, "/sys/c", "old");
		fake_fail_change(h->fake, n, -EIO);
		r = operation_run(&c, &site, &op);
		fake_fail_change(h->fake, 0, 0);
		if (r < 0 && cv_exists(h->root, CV_OPERATION_DIR "/vf-0000-01-00-0") &&
		    operation_rest(&c, op.name) == OPERATION_COMPLETE) {
			assert_int_equal(c.err.exit, CV_EXIT_PARTIAL);
			assert_non_null(strstr(c.err.hint, "carve recover vf-0000-01-00-0"));
			left++;
		}
		recover(h->root);
	}
	assert_true(left > 0);
}

/** struct killing - what is killed, and at which change */
struct killing {
	const struct operation *op;
	bool in_release;
	unsigned int n;
	bool after;
};

/* In a child, which is killed. Return: was it? */
static bool run_killed(struct temp_root *t, const struct killing *k)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct cmd c = cmd_on(temp_root_killer(t, getpid(), k->n, k->after));
		int r = k->in_release ? operation_release(&c, &site, k->op->name)
				      : operation_run(&c, &site, k->op);

		_exit(r < 0 ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return true;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

static void assert_whole(struct temp_root *t, const char *before)
{
	_cleanup_free_ char *now = temp_root_dump(t, CV_LOCK_FILE);
	char a[16], b[16], c[16];

	if (strcmp(now, before) == 0)
		return;
	/* made for good: all of it, and nothing besides */
	assert_int_equal(cv_read_into(t->root, "/sys/a", a, sizeof(a)), 0);
	assert_int_equal(cv_read_into(t->root, "/sys/b", b, sizeof(b)), 0);
	assert_int_equal(cv_read_into(t->root, "/sys/c", c, sizeof(c)), 0);
	assert_true(strcmp(a, "1") == 0 && strcmp(b, "2") == 0 && strcmp(c, "3") == 0);
	assert_null(strstr(now, CV_OPERATION_DIR "/vf"));
	assert_null(strstr(now, CV_SHARED_DIR "/attr"));
	assert_null(strstr(now, CV_LEASE_DIR "/vf"));
}

static void killed_at(struct temp_root *t, const struct killing *k, bool *ret_is_killed)
{
	_cleanup_free_ char *before = NULL;
	struct cmd c;

	make_dir(t);
	before = temp_root_dump(t, CV_LOCK_FILE);
	c = cmd_on(t->root);
	if (k->in_release)
		assert_int_equal(operation_run(&c, &site, k->op), 0);
	*ret_is_killed = run_killed(t, k);
	recover(t->root);
	if (k->op->is_held && operation_is_held(&c, k->op->name))
		assert_int_equal(operation_release(&c, &site, k->op->name), 0);
	assert_whole(t, before);
}

static void killed_at_each_change(bool is_held, bool in_release, bool after)
{
	const struct cv_bdf device = { .bus = 1 };
	const struct operation op = dir_operation(is_held, &device);
	bool is_killed = true;

	for (unsigned int n = 1; is_killed; n++) {
		const struct killing k = { &op, in_release, n, after };
		struct temp_root t = { 0 };

		assert_true(n < MAX_CHANGES);
		temp_root_init(&t);
		killed_at(&t, &k, &is_killed);
		temp_root_done(&t);
		assert_true(is_killed || n > 10);
	}
}

static void killed_held_ones_are_undone(void **state)
{
	killed_at_each_change(true, false, false);
	killed_at_each_change(true, false, true);
}

static void killed_releases_are_finished(void **state)
{
	killed_at_each_change(true, true, false);
	killed_at_each_change(true, true, true);
}

static void killed_changes_for_good_are_whole_or_undone(void **state)
{
	killed_at_each_change(false, false, false);
	killed_at_each_change(false, false, true);
}

/* ---- many at once ---- */

static const char *device_file(char buf[32], unsigned int device)
{
	snprintf(buf, 32, "/sys/device%u", device);
	return buf;
}

/* Racer @i wants devices i and i + 1, round about: each device is wanted by eight of them. */
static int race(struct cv_sysroot *root, unsigned int i)
{
	struct cv_bdf devices[2] = { { .bus = (uint8_t)(i % N_DEVICES) },
				     { .bus = (uint8_t)((i + 1) % N_DEVICES) } };
	char files[2][32], value[8];
	struct cv_step steps[2];
	struct cmd c = cmd_on(root);
	struct operation op = { .title = "race",
				.devices = devices,
				.n_devices = 2,
				.steps = steps,
				.n_steps = 2,
				.is_held = true,
				.user = "" };

	snprintf(value, sizeof(value), "%u", i);
	for (unsigned int k = 0; k < 2; k++)
		steps[k] = (struct cv_step){ k + 1, "attr", device_file(files[k], devices[k].bus),
					     value, "" };
	/* half of them are named after what they want second: names do not decide */
	operation_name(op.name, "dev", devices[i % 2]);
	int r = operation_run(&c, &site, &op);
	if (r == -EBUSY || r == -EEXIST)
		return 1;
	return r == 0 ? 0 : 2;
}

/* Each device of a lease carries the same number, and is in no other lease. */
static void assert_no_double_grant(struct cv_sysroot *root, const struct cv_strv *leases)
{
	bool is_taken[N_DEVICES] = { false };

	for (size_t i = 0; i < leases->n; i++) {
		_cleanup_(cv_lease_done) struct cv_lease l = { 0 };
		char file[32], first[16], second[16];

		assert_int_equal(cv_lease_read(root, leases->v[i], &l, NULL), 0);
		assert_int_equal(l.n_devices, 2);
		for (size_t k = 0; k < 2; k++) {
			assert_false(is_taken[l.devices[k].bus]);
			is_taken[l.devices[k].bus] = true;
		}
		assert_int_equal(cv_read_into(root, device_file(file, l.devices[0].bus), first,
					      sizeof(first)),
				 0);
		assert_int_equal(cv_read_into(root, device_file(file, l.devices[1].bus), second,
					      sizeof(second)),
				 0);
		assert_string_equal(first, second);
	}
}

static void racers_get_each_device_once(void **state)
{
	struct temp_root *t = *state;
	_cleanup_strv_ struct cv_strv leases = { 0 };
	_cleanup_free_ char *before = NULL, *after = NULL;
	pid_t pids[N_RACERS];
	size_t granted = 0;
	char file[32];
	struct cmd c;

	make_dir(t);
	for (unsigned int i = 0; i < N_DEVICES; i++)
		temp_root_file(t, device_file(file, i), "free");
	before = temp_root_dump(t, CV_LOCK_FILE);
	for (unsigned int i = 0; i < N_RACERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(race(t->root, i));
	}
	for (size_t i = 0; i < N_RACERS; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
		granted += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(cv_lease_list(t->root, &leases, NULL), 0);
	assert_int_equal(leases.n, granted);
	assert_in_range(granted, 3, N_DEVICES / 2);
	assert_no_double_grant(t->root, &leases);
	c = cmd_on(t->root);
	for (size_t i = 0; i < leases.n; i++)
		assert_int_equal(operation_release(&c, &site, leases.v[i]), 0);
	after = temp_root_dump(t, CV_LOCK_FILE);
	assert_string_equal(after, before);
}

#define with_dir(test) cmocka_unit_test_setup_teardown(test, temp_root_setup, temp_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(bind_is_held_and_released),
		with_host(bind_that_fails_anywhere_leaves_nothing),
		with_host(release_that_fails_anywhere_is_recovered),
		with_host(bind_of_a_leased_device_is_refused),
		with_host(an_earlier_boot_is_dropped),
		with_dir(a_change_for_good_leaves_only_itself),
		with_host(notes_that_stay_are_told),
		cmocka_unit_test(killed_held_ones_are_undone),
		cmocka_unit_test(killed_releases_are_finished),
		cmocka_unit_test(killed_changes_for_good_are_whole_or_undone),
		with_dir(racers_get_each_device_once),
	};

	return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
