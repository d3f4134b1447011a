// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hook_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hook_keeper.h"

#define SLACK_MS 500 /* for the keeper itself */
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

/** struct shared - with the processes of the hook; @refused: -errno and @err, nothing was executed */
struct shared {
	struct cv_kept kept;
	int refused;
	struct cv_error err;
};

/** struct job - of the process that becomes the hook; @out: its stderr */
struct job {
	const struct cv_hook_program *program;
	struct shared *shared;
	int out;
};

/* Its path may hang here: nobody else's locks and pipes do with it. */
static void become(void *arg)
{
	const struct job *job = arg;
	const struct cv_hook_program *p = job->program;
	char *path = NULL;
	int fd;

	reset_signals();
	umask(022);
	cv_child_drop_locks();
	fd = p->find(p->arg, &path, &job->shared->err);
	if (fd < 0) {
		job->shared->refused = fd;
		_exit(NOT_EXECUTED);
	}
	fd = set_descriptors(fd, job->out);
	if (fd < 0 || chdir("/") < 0)
		_exit(NOT_EXECUTED);
	execute(fd, path, p->envp);
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
 * Until the keeper ends: who inherited the hook's stderr and lives on is not waited for.
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

static int wait_end(int pidfd, int out, unsigned int deadline_ms, const struct shared *s,
		    struct cv_hook_end *ret)
{
	struct tail t = { .len = 0 };
	siginfo_t info;
	int r = follow(pidfd, out, deadline_ms + CV_KEEPER_END_MS + SLACK_MS, &t);

	if (r == 0)
		waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	drain(out, &t);
	tail_format(&t, ret->output);
	if (r < 0 || s->kept.is_late)
		return r ?: -ETIMEDOUT;
	if (!s->kept.is_set)
		return s->kept.err ?: -EIO;
	ret->refused = s->refused;
	ret->err = s->err;
	ret->status = s->kept.code == CLD_EXITED ? s->kept.status : -1;
	ret->signal = s->kept.code == CLD_EXITED ? 0 : s->kept.status;
	return 0;
}

/* Return: 0 with both ends, -errno. */
static int make_pipe(int *ret_out, int *ret_in)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_out = ends[0];
	*ret_in = ends[1];
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int run_kept(const struct cv_hook_program *p, struct shared *s, struct cv_hook_end *ret)
{
	_cleanup_close_ int in = -1, out = -1, pidfd = -1;
	int r = make_pipe(&out, &in);

	if (r < 0)
		return r;
	pidfd = cv_keeper_start(become, &(struct job){ p, s, in }, p->deadline_ms, &s->kept);
	if (pidfd < 0)
		return pidfd;
	close(TAKE_FD(in));
	return wait_end(pidfd, out, p->deadline_ms, s, ret);
}

int cv_hook_exec(const struct cv_hook_program *p, struct cv_hook_end *ret)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int r;

	*ret = (struct cv_hook_end){ .status = -1 };
	if (s == MAP_FAILED)
		return -errno;
	r = run_kept(p, s, ret);
	munmap(s, sizeof(*s));
	return r;
}
