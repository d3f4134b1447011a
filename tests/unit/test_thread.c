// SPDX-License-Identifier: GPL-2.0-or-later
/* The scheduling policy of a thread, on threads of this process. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "numa/thread.h"
#include "tests/fake/fake_sysroot.h"

static pid_t self(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void assert_policy(struct cv_sysroot *root, int policy, int priority)
{
	struct nu_thread t;

	assert_int_equal(nu_thread_read(root, self(), &t), 0);
	assert_int_equal(t.policy, policy);
	assert_int_equal(t.priority, priority);
	assert_int_equal(sched_getscheduler(self()), policy);
}

static void test_set(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	struct cv_error err = { 0 };

	assert_int_equal(cv_sysroot_open("/", &root, &err), 0);
	int r = nu_thread_set_policy(root, self(), 1, &err);
	if (r == -EPERM) {
		assert_string_equal(err.code, "EPERM_RT");
		assert_non_null(strstr(err.wanted, "RLIMIT_RTPRIO of at least 1"));
		skip(); /* this machine gives no real-time policy to its users */
	}
	assert_int_equal(r, 0);
	assert_policy(root, SCHED_FIFO, 1);
	assert_int_equal(nu_thread_set_policy(root, self(), 98, &err), 0);
	assert_policy(root, SCHED_FIFO, 98);
	assert_int_equal(nu_thread_set_policy(root, self(), 0, &err), 0);
	assert_policy(root, SCHED_OTHER, 0);
}

/* One that is not real-time stays what it is: batch or idle. */
static void test_normal_stays(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	const struct sched_param none = { 0 };
	struct cv_error err = { 0 };

	assert_int_equal(cv_sysroot_open("/", &root, &err), 0);
	assert_int_equal(sched_setscheduler(self(), SCHED_BATCH, &none), 0);
	assert_int_equal(nu_thread_set_policy(root, self(), 0, &err), 0);
	assert_policy(root, SCHED_BATCH, 0);
	assert_int_equal(sched_setscheduler(self(), SCHED_OTHER, &none), 0);
}

/* No fault of the kernel is needed: a /proc that tells of another policy. */
static void test_not_taken(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	struct sched_param none = { 0 };
	struct cv_error err = { 0 };
	struct fake *f;
	char path[64];

	assert_int_equal(fake_new(&f, &root), 0);
	snprintf(path, sizeof(path), "/proc/%d/status", self());
	fake_file(f, path, "Name:\tx\nCpus_allowed_list:\t0\n");
	snprintf(path, sizeof(path), "/proc/%d/stat", self());
	fake_file(
		f, path,
		"1 (x) R 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5 2");
	int r = nu_thread_set_policy(root, self(), 1, &err);
	sched_setscheduler(self(), SCHED_OTHER, &none);
	if (r == -EPERM)
		skip();
	assert_int_equal(r, -EBUSY);
	assert_string_equal(err.code, "EBUSY_POLICY");
	assert_string_equal(err.found, "RR 5");
	assert_string_equal(err.wanted, "FIFO 1");
}

/* A user without the right to it: the kernel's own refusal. */
static void test_refused(void **state)
{
	const struct rlimit none = { 0, 0 };
	struct cv_error err = { 0 };
	int status = 0;
	pid_t child;

	if (geteuid() != 0)
		skip(); /* test_set may have seen it */
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (setrlimit(RLIMIT_RTPRIO, &none) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		_exit(nu_thread_set_policy(NULL, self(), 1, &err) == -EPERM &&
				      strcmp(err.code, "EPERM_RT") == 0 &&
				      strcmp(err.found, "uid 65534, RLIMIT_RTPRIO 0") == 0 &&
				      err.exit == CV_EXIT_PERMISSION && err.hint[0]
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_gone(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	struct cv_error err = { 0 };

	assert_int_equal(cv_sysroot_open("/", &root, &err), 0);
	/* above the largest pid there can be (PID_MAX_LIMIT, 4194304) */
	assert_int_equal(nu_thread_set_policy(root, 4194305, 1, &err), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),	  cmocka_unit_test(test_normal_stays),
		cmocka_unit_test(test_not_taken), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
