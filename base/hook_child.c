// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hook_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* How long a killed hook may take to become a zombie that is reaped on the spot. */
#define REAP_MS 50
#define NOT_EXECUTED 127

/** struct tail - the last bytes of a stream */
struct tail {
	char data[CV_HOOK_OUTPUT_MAX];
	size_t len;
};

static void tail_add(struct tail *t, const char *data, size_t len)
{
	size_t keep = len < sizeof(t->data) ? sizeof(t->data) - len : 0;

	if (len > sizeof(t->data)) {
		data += len - sizeof(t->data);
		len = sizeof(t->data);
	}
	if (keep < t->len)
		memmove(t->data, t->data + t->len - keep, keep);
	else
		keep = t->len;
	memcpy(t->data + keep, data, len);
	t->len = keep + len;
}

/* As one line, no byte becomes more than two. */
static void tail_format(const struct tail *t, char out[2 * CV_HOOK_OUTPUT_MAX])
{
	bool is_break = false;
	size_t n = 0;

	for (size_t i = 0; i < t->len; i++) {
		char c = t->data[i];

		if (c == '\n')
			is_break = true;
		if (c < ' ' || c > '~' || (c == ' ' && (n == 0 || is_break)))
			continue;
		if (is_break && n > 0) {
			out[n++] = ';';
			out[n++] = ' ';
		}
		is_break = false;
		out[n++] = c;
	}
	out[n] = '\0';
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

/* Return: 0, -errno. */
static int set_stdio(int out)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	/* @out may be one of the three that are replaced. */
	out = fcntl(out, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (out < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		return -errno;
	if (null <= STDERR_FILENO)
		null = -1;
	return 0;
}

/* At once, not when the program is found: a path that hangs must not keep the locks of the caller.
 * Return: @fd, now the only one besides stdio, -errno. */
static int keep_only(int fd)
{
	const int kept = STDERR_FILENO + 1;

	if (fd != kept && dup3(fd, kept, O_CLOEXEC) < 0)
		return -errno;
	return syscall(SYS_close_range, kept + 1, ~0U, 0) < 0 ? -errno : kept;
}

/* Return: @fd, -errno. */
static int set_descriptors(int fd, int out)
{
	int r;

	/* not one of those that stdio becomes */
	fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		return -errno;
	r = set_stdio(out);
	return r < 0 ? r : keep_only(fd);
}

static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

static bool is_same(int fd, const char *path)
{
	struct stat opened, there;

	return fstat(fd, &opened) == 0 && stat(path, &there) == 0 &&
	       opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

/*
 * By its descriptor: nothing can be put in its place. The kernel has no such file for the interpreter of
 * a script, as the descriptor is closed by then (ENOENT); that one gets the path.
 */
static void execute(int fd, const char *path, char *const envp[])
{
	char *const argv[] = { (char *)(uintptr_t)path, NULL };

	syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	if (errno != ENOENT)
		return;
	if (is_same(fd, path))
		execve(path, argv, envp);
	else
		errno = ESTALE;
}

static void __attribute__((noreturn))
run_child(int fd, const char *path, char *const envp[], int out, pid_t parent)
{
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(NOT_EXECUTED);
	reset_signals();
	umask(022);
	fd = set_descriptors(fd, out);
	if (fd < 0 || chdir("/") < 0)
		_exit(NOT_EXECUTED);
	execute(fd, path, envp);
	say("cannot be executed: ");
	say(strerror(errno));
	_exit(NOT_EXECUTED);
}

/* Return: false at the end of the stream. */
static bool read_some(int fd, struct tail *t)
{
	char buf[1024];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		tail_add(t, buf, (size_t)n);
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/*
 * Until the process ends: who inherited its stderr and lives on is not waited for.
 * Return: 0, -ETIMEDOUT, -errno.
 */
static int follow(int pidfd, int out, unsigned int deadline_ms, struct tail *t)
{
	int64_t end = cv_now_ms() + deadline_ms;
	struct pollfd p[] = { { .fd = pidfd, .events = POLLIN }, { .fd = out, .events = POLLIN } };

	while (!p[0].revents) {
		int64_t left = end - cv_now_ms();

		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(p, 2, left > 60000 ? 60000 : (int)left) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents && !read_some(out, t))
			p[1].fd = -1; /* poll() passes it over */
	}
	return 0;
}

/* What was written before the end and not read yet. */
static void drain(int out, struct tail *t)
{
	struct pollfd p = { .fd = out, .events = POLLIN };

	for (int i = 0; i < 128 && poll(&p, 1, 0) > 0 && read_some(out, t); i++)
		;
}

static void reap(int pidfd, int options, siginfo_t *info)
{
	while (waitid(P_PIDFD, (id_t)pidfd, info, WEXITED | options) < 0 && errno == EINTR)
		;
}

/* The group has the number of a process that is not reaped yet: it is nobody else's. */
static void end_group(pid_t pid, int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	siginfo_t info;

	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	if (poll(&p, 1, REAP_MS) > 0)
		reap(pidfd, WNOHANG, &info);
}

static int wait_end(pid_t pid, int pidfd, int out, unsigned int deadline_ms,
		    struct cv_hook_end *ret)
{
	struct tail t = { .len = 0 };
	siginfo_t info = { 0 };
	int r = follow(pidfd, out, deadline_ms, &t);

	if (r < 0)
		end_group(pid, pidfd);
	else
		reap(pidfd, 0, &info);
	drain(out, &t);
	tail_format(&t, ret->output);
	if (r < 0)
		return r;
	ret->status = info.si_code == CLD_EXITED ? info.si_status : -1;
	ret->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
	return 0;
}

int cv_hook_exec(int fd, const char *path, char *const envp[], unsigned int deadline_ms,
		 struct cv_hook_end *ret)
{
	_cleanup_close_ int in = -1, out = -1, pidfd = -1;
	pid_t parent = getpid(), pid;
	int ends[2], r;

	*ret = (struct cv_hook_end){ .status = -1 };
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	out = ends[0];
	in = ends[1];
	if (fcntl(out, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(fd, path, envp, in, parent);
	setpgid(pid, pid); /* whoever of the two comes first */
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		r = -errno;
		kill(-pid, SIGKILL);
		return r;
	}
	close(TAKE_FD(in));
	return wait_end(pid, pidfd, out, deadline_ms, ret);
}
