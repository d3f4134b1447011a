// SPDX-License-Identifier: GPL-2.0-or-later
/* How the processes of a hook end: at the deadline, with who runs it, and where its files do not answer. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tests/unit/hook_site.h"

/* Each notes itself: in the hook's group, in a session of its own, and there without a parent. */
#define FAMILY                                                                   \
	"sleep 60 & echo $! >$OUT/child\n"                                       \
	"setsid sleep 60 & echo $! >$OUT/session\n"                              \
	"(setsid sh -c 'echo $$ >$OUT/orphan; trap \"\" TERM; sleep 60; :' &)\n" \
	"while [ ! -s $OUT/orphan ]; do sleep 0.01; done\n"                      \
	"echo $PPID >$OUT/keeper; echo $$ >$OUT/hook\n"

static const char *const family[] = { "hook", "child", "session", "orphan" };

static pid_t read_pid(struct site *s, const char *name)
{
	char path[CV_PATH_MAX];
	int pid;

	assert_int_equal(cv_read_int(s->t.root, cv_pathf(path, "/out/%s", name), &pid), 0);
	return pid;
}

/* Gone, or a zombie that its new parent has not reaped yet. */
static bool is_dead(pid_t pid)
{
	_cleanup_close_ int fd = -1;
	char path[64], buf[512] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return true;
	return strstr(buf, ") Z") || strstr(buf, ") X");
}

static bool dies(pid_t pid)
{
	for (int i = 0; i < 200 && !is_dead(pid); i++)
		usleep(10000);
	return is_dead(pid);
}

static void a_late_hook_dies_with_its_children(void **state)
{
	struct site *s = *state;
	int64_t began = cv_now_ms();

	s->h.deadline_ms = 1500;
	add_hook(s, "10-a", "echo waiting for the fabric >&2\n" FAMILY "wait");
	add_hook(s, "20-b", "touch $OUT/b");
	assert_int_equal(run(s), -ETIMEDOUT);
	assert_true(cv_now_ms() - began < 5000);
	assert_string_equal(s->err.code, "EHOOK_TIMEOUT");
	assert_string_equal(s->err.found, "waiting for the fabric");
	for (size_t i = 0; i < CV_ARRAY_SIZE(family); i++)
		assert_true(is_dead(read_pid(s, family[i])));
	assert_false(has_out(s, "b"));
}

static void the_deadline_is_that_of_the_stage(void **state)
{
	struct site *s = *state;

	s->h.deadline_ms = 1500;
	add_hook(s, "10-a", "sleep 1; touch $OUT/a");
	add_hook(s, "20-b", "sleep 1; touch $OUT/b");
	assert_int_equal(run(s), -ETIMEDOUT);
	assert_true(has_out(s, "a"));
	assert_false(has_out(s, "b"));
	s->h.deadline_ms = 0;
	assert_int_equal(run(s), -ETIMEDOUT);
	assert_string_equal(s->err.code, "EHOOK_TIMEOUT");
}

/* It keeps the other end of the pipe open. */
static void what_it_leaves_behind_is_not_waited_for(void **state)
{
	struct site *s = *state;
	int64_t began = cv_now_ms();

	add_hook(s, "10-a", "sleep 60 & echo $! >$OUT/child");
	assert_int_equal(run(s), 1);
	assert_true(cv_now_ms() - began < 10000);
	assert_false(is_dead(read_pid(s, "child")));
	kill(read_pid(s, "child"), SIGKILL);
}

/* ---- with who runs it ---- */

static void __attribute__((noreturn)) run_victim(struct site *s)
{
	int fd = cv_open(s->t.root, "/out/lock", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) < 0)
		_exit(2);
	run(s);
	_exit(0);
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static pid_t start_victim(struct site *s)
{
	int64_t end = cv_now_ms() + 15000;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		run_victim(s);
	while (!has_out(s, "hook")) {
		assert_true(cv_now_ms() < end);
		pause_a_little();
	}
	pause_a_little(); /* it is made before it has its text */
	return pid;
}

/* Who waits for the lock of a caller that was killed gets it when all are gone, and that is soon. */
static void await_lock(struct site *s)
{
	_cleanup_close_ int fd = cv_open(s->t.root, "/out/lock", O_RDWR, 0);
	int64_t end = cv_now_ms() + 5000;

	assert_true(fd >= 0);
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		assert_true(cv_now_ms() < end);
		pause_a_little();
	}
}

static void all_die_with_a_runner_that_is_killed(void **state)
{
	struct site *s = *state;
	int status = 0;
	pid_t pid;

	add_hook(s, "10-a", FAMILY "trap '' TERM HUP; wait; sleep 60");
	pid = start_victim(s);
	for (size_t i = 0; i < CV_ARRAY_SIZE(family); i++)
		assert_false(is_dead(read_pid(s, family[i])));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	await_lock(s);
	for (size_t i = 0; i < CV_ARRAY_SIZE(family); i++)
		assert_true(is_dead(read_pid(s, family[i])));
	assert_int_equal(kill(-read_pid(s, "hook"), 0), -1);
	assert_int_equal(errno, ESRCH);
	assert_true(dies(read_pid(s, "keeper")));
}

/* The signal that a terminal sends to the group of the runner is not for them. */
static void a_signal_to_its_group_is_not_for_the_hook(void **state)
{
	struct site *s = *state;
	int status = 0;
	pid_t pid;

	add_hook(s, "10-a", "echo $$ >$OUT/hook; while [ ! -e $OUT/go ]; do sleep 0.01; done");
	pid = start_victim(s);
	assert_int_not_equal(getpgid(read_pid(s, "hook")), getpgid(pid));
	assert_int_not_equal(getpgid(read_pid(s, "hook")), getpgrp());
	temp_root_file(&s->t, "/out/go", "");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(dies(read_pid(s, "hook")));
}

static void without_its_keeper_it_dies_as_well(void **state)
{
	struct site *s = *state;

	add_hook(s, "10-a", "echo $$ >$OUT/hook; kill -9 $PPID; sleep 60");
	assert_int_equal(run(s), -EIO);
	assert_string_equal(s->err.object, PRE_BIND "/10-a");
	assert_true(dies(read_pid(s, "hook")));
}

/* ---- files that do not answer ---- */

/** struct silent - a root that does not answer from its @at-th look on; @n is shared with children */
struct silent {
	struct cv_sysroot *inner;
	pid_t test;
	unsigned int *n;
	unsigned int at;
};

/* As a dead server does it: SIGKILL only. */
static struct cv_sysroot *ask(void *ctx)
{
	const struct silent *x = ctx;

	if (__atomic_add_fetch(x->n, 1, __ATOMIC_RELAXED) < x->at)
		return x->inner;
	assert_int_not_equal(getpid(), x->test);
	while (true)
		pause();
}

static int silent_readlink(void *ctx, const char *path, char **ret)
{
	return cv_readlink(ask(ctx), path, ret);
}

static int silent_list(void *ctx, const char *path, struct cv_strv *ret)
{
	return cv_list(ask(ctx), path, ret);
}

static int silent_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	return cv_stat(ask(ctx), path, ret);
}

static int silent_open(void *ctx, const char *path, int flags, mode_t mode)
{
	return cv_open(ask(ctx), path, flags, mode);
}

static void silent_close(void *ctx)
{
}

static const struct cv_sysroot_ops silent_ops = {
	.readlink = silent_readlink,
	.list = silent_list,
	.stat = silent_stat,
	.open = silent_open,
	.close = silent_close,
};

/* Return: what the run of @s in a root that is silent from the @at-th look on came to. */
static int run_silent(struct site *s, unsigned int at)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	unsigned int n = 0;
	struct silent x = { .inner = s->t.root, .test = getpid(), .at = at };
	int64_t began = cv_now_ms();
	int r;

	x.n = mmap(NULL, sizeof(n), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(x.n != MAP_FAILED);
	assert_int_equal(cv_sysroot_new(&silent_ops, &x, &root), 0);
	s->err = (struct cv_error){ 0 };
	r = cv_hooks_run(root, &s->h, &s->err);
	assert_true(cv_now_ms() - began < 5000);
	munmap(x.n, sizeof(n));
	return r;
}

/* Whichever look it is: the directories of the list, those on the way to the hook, the hook. */
static void who_does_not_answer_holds_nobody(void **state)
{
	struct site *s = *state;
	unsigned int n_list = 0, at = 1;
	int r;

	add_hook(s, "10-a", "touch $OUT/a");
	s->h.deadline_ms = 250;
	for (; (r = run_silent(s, at)) == -ETIMEDOUT; at++) {
		assert_string_equal(s->err.code, "EHOOK_TIMEOUT");
		assert_int_equal(s->err.exit, CV_EXIT_TIMEOUT);
		n_list += strcmp(s->err.object, PRE_BIND) == 0;
	}
	/* a root that is nowhere on this machine runs none: it went through */
	assert_int_equal(r, -EOPNOTSUPP);
	assert_true(n_list >= 10);
	assert_true(at - 1 > n_list + 5);
	assert_false(has_out(s, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_site(a_late_hook_dies_with_its_children),
		with_site(the_deadline_is_that_of_the_stage),
		with_site(what_it_leaves_behind_is_not_waited_for),
		with_site(all_die_with_a_runner_that_is_killed),
		with_site(a_signal_to_its_group_is_not_for_the_hook),
		with_site(without_its_keeper_it_dies_as_well),
		with_site(who_does_not_answer_holds_nobody),
	};

	return cmocka_run_group_tests_name("hook_end", tests, NULL, NULL);
}
