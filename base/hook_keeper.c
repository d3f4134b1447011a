// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hook_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"

#define PAUSE_MAX_MS 100

/**
 * struct keeper - in the keeper's own process
 * @caller: pidfd of who it works for
 * @kept:   the process, a child that is not reaped before it is through
 */
struct keeper {
	void (*fn)(void *arg);
	void *arg;
	int64_t end_ms;
	int caller;
	pid_t pid;
	int pidfd;
	struct cv_kept *kept;
};

/* Not with a terminal's group, nor with a name that somebody ends by name. */
static void stand_apart(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	setpgid(0, 0);
	prctl(PR_SET_NAME, "hook-keeper");
}

/* The other end of the caller's pipes is not held. */
static void let_stdio_go(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; null >= 0 && i <= STDERR_FILENO; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
}

static int start_process(struct keeper *k)
{
	pid_t me = getpid();

	k->pid = fork();
	if (k->pid < 0)
		return -errno;
	if (k->pid == 0) {
		setpgid(0, 0);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == me)
			k->fn(k->arg);
		_exit(1);
	}
	setpgid(k->pid, k->pid); /* whoever of the two comes first */
	k->pidfd = (int)syscall(SYS_pidfd_open, k->pid, 0);
	return k->pidfd < 0 ? -errno : 0;
}

/* Return: 0 when the process ended, -ETIMEDOUT, -EOWNERDEAD when the caller did. */
static int await(const struct keeper *k)
{
	struct pollfd p[] = { { .fd = k->caller, .events = POLLIN },
			      { .fd = k->pidfd, .events = POLLIN } };

	while (!p[0].revents && !p[1].revents) {
		int64_t left = k->end_ms - cv_now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(p, 2, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
			return -errno;
	}
	return p[0].revents ? -EOWNERDEAD : 0;
}

static void note_end(const struct keeper *k)
{
	siginfo_t info = { 0 };

	if (waitid(P_PIDFD, (id_t)k->pidfd, &info, WEXITED) < 0)
		return;
	k->kept->code = info.si_code;
	k->kept->status = info.si_status;
	k->kept->is_set = true;
}

/* Each number is followed by a blank: the last one may be cut off, and comes next time. They are all
 * children that were not reaped, so nobody else's numbers. */
static void kill_children(void)
{
	_cleanup_close_ int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	char list[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, list, sizeof(list) - 1);
	int pid;

	list[n > 0 ? n : 0] = '\0';
	for (char *at = list, *blank; (blank = strchr(at, ' ')); at = blank + 1) {
		*blank = '\0';
		if (cv_parse_int(at, &pid) == 0 && pid > 1)
			kill(pid, SIGKILL);
	}
}

/* Return: are there more? */
static bool reap_children(void)
{
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0)
			return false;
		if (info.si_pid == 0)
			return true;
	}
}

static void sleep_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L },
		  NULL);
}

/* Whose parent ends becomes a child of this subreaper: when there is none left, all are gone. */
static void end_all(const struct keeper *k)
{
	int64_t end = cv_now_ms() + CV_KEEPER_END_MS;
	unsigned int pause_ms = 1;

	kill(-k->pid, SIGKILL);
	for (;;) {
		kill_children();
		if (!reap_children())
			return;
		sleep_ms(pause_ms);
		if (cv_now_ms() >= end)
			syscall(SYS_close_range, 0, ~0U, 0);
		pause_ms = pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms * 2;
	}
}

/* Return: -errno when nothing was started, else what await() did. */
static int keep(struct keeper *k, pid_t caller)
{
	k->caller = (int)syscall(SYS_pidfd_open, caller, 0);
	if (k->caller < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return k->kept->err = -errno;
	if (getppid() != caller)
		return k->kept->err = -EOWNERDEAD;
	k->kept->err = start_process(k);
	let_stdio_go();
	return k->kept->err ?: await(k);
}

static void __attribute__((noreturn)) run_keeper(struct keeper *k, pid_t caller)
{
	stand_apart();
	int r = keep(k, caller);
	if (r == 0) {
		note_end(k);
	} else if (k->pid > 0) {
		k->kept->is_late = r == -ETIMEDOUT;
		end_all(k);
	}
	_exit(0);
}

int cv_keeper_start(void (*fn)(void *arg), void *arg, unsigned int deadline_ms,
		    struct cv_kept *kept)
{
	struct keeper k = {
		.fn = fn, .arg = arg, .end_ms = cv_now_ms() + deadline_ms, .kept = kept
	};
	pid_t caller = getpid(), pid = fork();
	int pidfd;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_keeper(&k, caller);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		pidfd = -errno;
		kill(pid, SIGKILL); /* takes the process with it */
	}
	return pidfd;
}
