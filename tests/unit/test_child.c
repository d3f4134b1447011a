// SPDX-License-Identifier: GPL-2.0-or-later
/* Work in a child with a deadline. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"

static int give(void *arg)
{
	return *(int *)arg;
}

static int die(void *arg)
{
	raise(SIGKILL);
	return 0;
}

static int leave(void *arg)
{
	_exit(0);
}

static int hang(void *arg)
{
	while (true)
		pause();
	return 0;
}

static void test_result(void **state)
{
	static const int values[] = { 0, 1, 255, -1, -EBUSY, -255 };

	for (size_t i = 0; i < CV_ARRAY_SIZE(values); i++) {
		int value = values[i];
		int result = 4711;

		assert_int_equal(cv_child_run(give, &value, 5000, &result), 0);
		assert_int_equal(result, values[i]);
	}
	/* Nothing is left to wait for. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_death(void **state)
{
	int result = 4711;

	assert_int_equal(cv_child_run(die, NULL, 5000, &result), -EIO);
	assert_int_equal(cv_child_run(leave, NULL, 5000, &result), -EIO);
	assert_int_equal(result, 4711);
}

static void test_deadline(void **state)
{
	struct timespec a, b;
	int result = 4711;

	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(cv_child_run(hang, NULL, 100, &result), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 3000);
	assert_int_equal(result, 4711);
}

/* What the child reports from inside. */
static int is_blocked(void *arg)
{
	sigset_t now;

	sigprocmask(SIG_SETMASK, NULL, &now);
	return sigismember(&now, SIGTERM);
}

static void test_signals(void **state)
{
	sigset_t set, old;
	int result = 4711;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	assert_int_equal(cv_child_run(is_blocked, NULL, 5000, &result), 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(result, 0);
}

static int is_open(void *arg)
{
	return fcntl(*(int *)arg, F_GETFD) >= 0;
}

/* A child left behind must not hold the node lock. */
static void test_lock_is_not_inherited(void **state)
{
	_cleanup_close_ int locked = memfd_create("locked", MFD_CLOEXEC);
	_cleanup_close_ int plain = memfd_create("plain", MFD_CLOEXEC);
	int result = 4711;

	assert_true(locked >= 0 && plain >= 0);
	assert_int_equal(flock(locked, LOCK_EX), 0);
	assert_int_equal(cv_child_run(is_open, &locked, 5000, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(cv_child_run(is_open, &plain, 5000, &result), 0);
	assert_int_equal(result, 1);
	assert_int_equal(fcntl(locked, F_GETFD), FD_CLOEXEC);
}

/* Workers are gone before anybody else has the lock. */
static void test_workers_keep_locks(void **state)
{
	_cleanup_close_ int locked = memfd_create("locked", MFD_CLOEXEC);
	void *const args[] = { &locked, &locked };
	int results[2] = { 4711, 4711 };

	assert_true(locked >= 0);
	assert_int_equal(flock(locked, LOCK_EX), 0);
	assert_int_equal(cv_workers_run(is_open, args, 2, 5000, results), 0);
	assert_int_equal(results[0], 1);
	assert_int_equal(results[1], 1);
	assert_int_equal(cv_children_run(is_open, args, 2, 5000, results), 0);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], 0);
}

struct job {
	int (*fn)(void *arg);
	void *arg;
};

static int run_job(void *arg)
{
	const struct job *job = arg;

	return job->fn(job->arg);
}

/* Children share the deadline: one that hangs costs the others nothing. */
static void test_many(void **state)
{
	int seven = 7, busy = -EBUSY, results[4];
	struct job jobs[] = { { give, &seven }, { hang, NULL }, { die, NULL }, { give, &busy } };
	void *args[4];

	for (size_t i = 0; i < CV_ARRAY_SIZE(jobs); i++)
		args[i] = &jobs[i];
	assert_int_equal(cv_children_run(run_job, args, 4, 1000, results), 0);
	assert_int_equal(results[0], 7);
	assert_int_equal(results[1], -ETIMEDOUT);
	assert_int_equal(results[2], -EIO);
	assert_int_equal(results[3], -EBUSY);
	assert_int_equal(cv_children_run(run_job, args, 0, 1000, results), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_death),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_lock_is_not_inherited),
		cmocka_unit_test(test_workers_keep_locks),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("child", tests, NULL, NULL);
}
