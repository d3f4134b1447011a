// SPDX-License-Identifier: GPL-2.0-or-later
/* The parent's side of starting a VMM: who it runs as, the birth, the go, and the child's report. */
#include "vmm/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/spawn_child.h"
#include "vmm/stream.h"

#define EXEC_DEADLINE_MS 10000
#define REAP_DEADLINE_MS 2000
#define PASSWD_SIZE 16384

static int check_user(const struct vmm_spawn *s, struct cv_error *err)
{
	uid_t me = geteuid();

	if (me != 0 && s->uid != 0 && s->uid != me) {
		cv_fail(err, -EPERM, CV_EXIT_PERMISSION, "VMM_USER", NULL,
			"only root can start a VMM as another user");
		cv_error_found(err, "uid %u", me);
		cv_error_wanted(err, "uid %u or 0", s->uid);
		return -EPERM;
	}
	if (me == 0 && (s->uid == 0 || s->gid == 0)) {
		cv_fail(err, -EPERM, CV_EXIT_PERMISSION, "VMM_USER", NULL,
			"a VMM never runs as root");
		cv_error_found(err, "uid %u, gid %u", s->uid, s->gid);
		cv_error_hint(err, "name the user that the guest belongs to");
		return -EPERM;
	}
	return 0;
}

static int check_fds(const struct vmm_spawn *s, struct cv_error *err)
{
	for (size_t i = 0; i < s->n_keep_fds; i++)
		if (s->keep_fds[i] <= STDERR_FILENO)
			return cv_fail(err, -EBADF, CV_EXIT_FAILED, "VMM_FDS", s->argv[0],
				       "descriptor %d cannot be handed to the VMM: it is needed "
				       "for stdin, stdout and stderr",
				       s->keep_fds[i]);
	return 0;
}

int vmm_groups(uid_t uid, gid_t gid, gid_t ret_groups[VMM_GROUPS_MAX], size_t *ret_n)
{
	_cleanup_free_ char *buf = malloc(PASSWD_SIZE);
	struct passwd pw, *found = NULL;
	int n = VMM_GROUPS_MAX;

	if (!buf)
		return -ENOMEM;
	ret_groups[0] = gid;
	*ret_n = 1;
	if (getpwuid_r(uid, &pw, buf, PASSWD_SIZE, &found) != 0 || !found)
		return 0;
	if (getgrouplist(pw.pw_name, gid, ret_groups, &n) < 0)
		return -E2BIG;
	*ret_n = (size_t)n;
	return 0;
}

int vmm_cap_files(pid_t pid, uint64_t bytes)
{
	struct rlimit l = { .rlim_cur = bytes, .rlim_max = bytes };

	return prlimit(pid, RLIMIT_FSIZE, &l, NULL) < 0 ? -errno : 0;
}

/* The child moves 0, 1 and 2 about: what it needs until then lies above, also when the caller had
 * closed some of them. */
static int above_stdio(int *fd)
{
	int high;

	if (*fd > STDERR_FILENO)
		return 0;
	high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high < 0)
		return -errno;
	close(*fd);
	*fd = high;
	return 0;
}

static int open_null(int *ret)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = above_stdio(&fd);
	if (r < 0)
		return r;
	*ret = TAKE_FD(fd);
	return 0;
}

static int open_pair(int ret[2])
{
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = above_stdio(&pair[0]);
	if (r >= 0)
		r = above_stdio(&pair[1]);
	if (r < 0) {
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	memcpy(ret, pair, sizeof(pair));
	return 0;
}

/* Like fork(), into a cgroup. */
static pid_t clone_into(int cgroup_fd)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

/* Signals are blocked meanwhile, so that no handler of the caller runs in the child. */
static pid_t give_birth(const struct spawn_child *c)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	if (c->spawn->cgroup_fd >= 0) {
		pid = clone_into(c->spawn->cgroup_fd);
	} else {
		pid = fork();
		if (pid < 0)
			pid = -errno;
	}
	if (pid == 0)
		spawn_child_main(c);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* Ends a child that must not go on. One that is stuck in the kernel is left behind. */
static void end_child(pid_t pid)
{
	uint64_t end = vmm_clock_end(REAP_DEADLINE_MS);

	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, WNOHANG) == 0 && vmm_clock_left(end) > 0)
		poll(NULL, 0, 1);
}

static int report_failed(const struct vmm_spawn *s, const struct spawn_report *report,
			 struct cv_error *err)
{
	const char *what = spawn_step_name(report->step);

	if (report->err >= 0)
		return cv_fail_errno(err, -EIO, s->argv[0], "cannot start the VMM");
	cv_fail_errno(err, report->err, s->argv[0], "cannot start the VMM: cannot %s", what);
	if (report->step == SPAWN_STEP_LIMITS && report->err == -EPERM)
		cv_error_hint(err, "raise the user's memlock limit, or run as root with "
				   "CAP_SYS_RESOURCE");
	return report->err;
}

/* Lets the child go. Its end of the socket closes when it executes the VMM; before that it can only
 * say what failed. */
static int let_go(const struct vmm_spawn *s, int fd, struct cv_error *err)
{
	struct spawn_report report = { 0 };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t end = vmm_clock_end(EXEC_DEADLINE_MS);
	ssize_t n;
	int ready;

	if (send(fd, "g", 1, MSG_NOSIGNAL) != 1)
		return cv_fail_errno(err, -ECHILD, s->argv[0], "the new process ended early");
	do
		ready = poll(&p, 1, vmm_clock_left(end));
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return cv_fail_errno(err, -ETIMEDOUT, s->argv[0], "cannot start the VMM");
	n = recv(fd, &report, sizeof(report), MSG_DONTWAIT);
	if (n == 0)
		return 0;
	if (n != sizeof(report))
		report.err = 0;
	return report_failed(s, &report, err);
}

static int run_child(struct spawn_child *c, pid_t *ret_pid, struct cv_error *err)
{
	const struct vmm_spawn *s = c->spawn;
	_cleanup_close_ int mine = c->pair[0];
	pid_t pid = give_birth(c);
	int r;

	close(c->pair[1]);
	if (pid < 0)
		return cv_fail_errno(err, pid, s->argv[0], "cannot make a process for the VMM");
	r = s->enter ? s->enter(s->enter_ctx, pid, err) : 0;
	if (r >= 0)
		r = let_go(s, mine, err);
	if (r < 0) {
		end_child(pid);
		return r;
	}
	*ret_pid = pid;
	return 0;
}

int vmm_spawn(const struct vmm_spawn *s, pid_t *ret_pid, struct cv_error *err)
{
	struct spawn_child c = { .spawn = s, .is_switching = geteuid() == 0 };
	_cleanup_close_ int null_fd = -1, log_fd = -1;
	int r;

	r = check_user(s, err);
	if (r >= 0)
		r = check_fds(s, err);
	if (r < 0)
		return r;
	r = vmm_groups(s->uid, s->gid, c.groups, &c.n_groups);
	if (r < 0)
		return cv_fail_errno(err, r, s->argv[0], "cannot find the groups of uid %u",
				     s->uid);
	log_fd = fcntl(s->log_fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	r = log_fd < 0 ? -errno : open_null(&null_fd);
	if (r >= 0)
		r = open_pair(c.pair);
	if (r < 0)
		return cv_fail_errno(err, r, s->argv[0],
				     "cannot prepare the descriptors of the VMM");
	c.log_fd = log_fd;
	c.null_fd = null_fd;
	return run_child(&c, ret_pid, err);
}
