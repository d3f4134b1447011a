// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"

/* How long a killed child may take to become a zombie that is reaped on the spot. */
#define REAP_MS 50

/* One page shared with the child: a pipe would be one more descriptor a stuck child keeps open. */
struct outcome {
	bool is_set;
	int result;
};

/** struct mapping - shared memory for the outcomes of @n children */
struct mapping {
	struct outcome *outcomes;
	size_t n;
};

static int map(size_t n, struct mapping *ret)
{
	void *page = mmap(NULL, n * sizeof(*ret->outcomes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	*ret = (struct mapping){ .outcomes = page, .n = n };
	return 0;
}

static void unmap(struct mapping *m)
{
	if (m->outcomes)
		munmap(m->outcomes, m->n * sizeof(*m->outcomes));
}

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A stuck child must not hold the other end of the caller's pipes. */
static void detach_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static bool has_lock(int fd)
{
	char path[48];
	char text[512];
	_cleanup_close_ int info = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return false;
	len = read(info, text, sizeof(text) - 1);
	if (len < 0)
		return false;
	text[len] = '\0';
	return strstr(text, "\nlock:");
}

void cv_child_drop_locks(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t fd;

	if (!dir)
		return;
	for (const struct dirent *e; (e = readdir(dir));)
		if (!cv_parse_u64(e->d_name, &fd) && (int)fd != dirfd(dir) && has_lock((int)fd))
			close((int)fd);
	closedir(dir);
}

/*
 * A child that outlives a killed parent would go on changing the host while somebody else already
 * undoes what the parent did.
 */
static void die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
}

/** struct task - what a child does; @keeps_locks: those of its parent are its as well */
struct task {
	int (*fn)(void *arg);
	bool keeps_locks;
};

static void __attribute__((noreturn))
run_child(const struct task *task, void *arg, pid_t parent, struct outcome *outcome)
{
	die_with(parent);
	reset_signals();
	detach_stdio();
	if (!task->keeps_locks)
		cv_child_drop_locks();
	outcome->result = task->fn(arg);
	outcome->is_set = true;
	_exit(0);
}

/* Return: 0 when the process behind @pidfd ended, -ETIMEDOUT. */
static int wait_end(int pidfd, unsigned int ms)
{
	int64_t end = cv_now_ms() + ms;
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		int64_t left = end - cv_now_ms();
		int n = poll(&p, 1, left < 0 ? 0 : (int)(left > 60000 ? 60000 : left));

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (left <= 0)
			return -ETIMEDOUT;
	}
}

static void reap(int pidfd, int options)
{
	siginfo_t info;

	while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | options) < 0 && errno == EINTR)
		;
}

static int abandon(int pidfd)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	if (!wait_end(pidfd, REAP_MS))
		reap(pidfd, WNOHANG);
	return -ETIMEDOUT;
}

/* Return: a pidfd, -errno. */
static int start(const struct task *task, void *arg, struct outcome *outcome)
{
	pid_t parent = getpid();
	pid_t pid = fork();
	int pidfd;

	if (pid < 0)
		return -errno;
	if (!pid)
		run_child(task, arg, parent, outcome);
	/* The pid cannot be reused before it is waited for. */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		int rc = -errno;

		kill(pid, SIGKILL);
		return rc;
	}
	return pidfd;
}

static int finish(int pidfd, const struct outcome *outcome, unsigned int ms, int *ret_result)
{
	int rc = wait_end(pidfd, ms);

	if (rc)
		return abandon(pidfd);
	reap(pidfd, 0);
	if (!outcome->is_set)
		return -EIO;
	*ret_result = outcome->result;
	return 0;
}

int cv_child_run(int (*fn)(void *arg), void *arg, unsigned int deadline_ms, int *ret_result)
{
	const struct task task = { .fn = fn };
	_cleanup_(unmap) struct mapping m = { 0 };
	_cleanup_close_ int pidfd = -1;
	int rc = map(1, &m);

	if (rc)
		return rc;
	pidfd = start(&task, arg, m.outcomes);
	return pidfd < 0 ? pidfd : finish(pidfd, m.outcomes, deadline_ms, ret_result);
}

static int run_all(const struct task *task, void *const *args, size_t n, unsigned int deadline_ms,
		   int *ret_results)
{
	_cleanup_(unmap) struct mapping m = { 0 };
	_cleanup_free_ int *pidfds = calloc(n + 1, sizeof(*pidfds));
	int64_t end = cv_now_ms() + deadline_ms;
	int rc = pidfds ? map(n ? n : 1, &m) : -ENOMEM;

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		pidfds[i] = start(task, args[i], &m.outcomes[i]);
	for (size_t i = 0; i < n; i++) {
		int64_t left = end - cv_now_ms();

		rc = pidfds[i];
		if (rc >= 0) {
			rc = finish(pidfds[i], &m.outcomes[i], left > 0 ? (unsigned int)left : 0,
				    &ret_results[i]);
			close(pidfds[i]);
		}
		if (rc < 0)
			ret_results[i] = rc;
	}
	return 0;
}

int cv_children_run(int (*fn)(void *arg), void *const *args, size_t n, unsigned int deadline_ms,
		    int *ret_results)
{
	const struct task task = { .fn = fn };

	return run_all(&task, args, n, deadline_ms, ret_results);
}

int cv_workers_run(int (*fn)(void *arg), void *const *args, size_t n, unsigned int deadline_ms,
		   int *ret_results)
{
	const struct task task = { .fn = fn, .keeps_locks = true };

	return run_all(&task, args, n, deadline_ms, ret_results);
}
