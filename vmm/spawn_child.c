// SPDX-License-Identifier: GPL-2.0-or-later
/* The child's side of starting a VMM. It was born by clone3(2), so libc does not know about it: only
 * plain system calls and libcap-ng here, no stdio, no name services. */
#include "vmm/spawn_child.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define EXIT_NOT_STARTED 127

/* Ignored signals would stay ignored in the VMM. By the system call: libc refuses to touch those it
 * uses itself, and whoever started carve may have ignored them. SIGKILL and SIGSTOP say EINVAL.
 * SIGXFSZ alone is ignored: a log that reached its limit must not end the VMM. */
static int reset_signals(const struct spawn_child *c)
{
	/* the kernel's struct sigaction: handler, flags, restorer, mask; all zero is SIG_DFL */
	const unsigned long dfl[4] = { 0 };
	const unsigned long ign[4] = { (unsigned long)SIG_IGN };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, sig == SIGXFSZ ? ign : dfl, NULL,
			sizeof(unsigned long));
	sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

static int start_session(const struct spawn_child *c)
{
	if (setsid() < 0 || chdir("/") < 0)
		return -errno;
	umask(077);
	return 0;
}

static int redirect_stdio(const struct spawn_child *c)
{
	if (dup2(c->null_fd, STDIN_FILENO) < 0 || dup2(c->log_fd, STDOUT_FILENO) < 0 ||
	    dup2(c->log_fd, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

static int set_limit(int resource, rlim_t value)
{
	struct rlimit l = { .rlim_cur = value, .rlim_max = value };

	return setrlimit(resource, &l) < 0 ? -errno : 0;
}

/* While still privileged: the memlock limit is usually raised. */
static int set_limits(const struct spawn_child *c)
{
	uint64_t memlock = c->spawn->memlock;
	int r = set_limit(RLIMIT_CORE, 0);

	if (r < 0 || memlock == 0)
		return r;
	return set_limit(RLIMIT_MEMLOCK, memlock == UINT64_MAX ? RLIM_INFINITY : memlock);
}

/* Needs CAP_SETPCAP, which goes with the user. */
static int drop_bounding(const struct spawn_child *c)
{
	if (!c->is_switching)
		return 0;
	capng_clear(CAPNG_SELECT_BOUNDS);
	return capng_apply(CAPNG_SELECT_BOUNDS) < 0 ? -EPERM : 0;
}

/* libc's wrappers would look for the other threads of the parent. */
static int switch_user(const struct spawn_child *c)
{
	const struct vmm_spawn *s = c->spawn;

	if (!c->is_switching)
		return 0;
	if (syscall(SYS_setgroups, c->n_groups, c->groups) < 0 ||
	    syscall(SYS_setresgid, s->gid, s->gid, s->gid) < 0 ||
	    syscall(SYS_setresuid, s->uid, s->uid, s->uid) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(const struct spawn_child *c)
{
	capng_clear(CAPNG_SELECT_CAPS);
	capng_clear(CAPNG_SELECT_AMBIENT);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0 || capng_apply(CAPNG_SELECT_AMBIENT) < 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* Everything closes with execve(2), the report socket included, except what is kept. */
static int keep_descriptors(const struct spawn_child *c)
{
	const struct vmm_spawn *s = c->spawn;

	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	for (size_t i = 0; i < s->n_keep_fds; i++)
		if (fcntl(s->keep_fds[i], F_SETFD, 0) < 0)
			return -errno;
	return 0;
}

static int execute(const struct spawn_child *c)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C.UTF-8",
		NULL,
	};
	const char *const *argv = c->spawn->argv;

	execve(argv[0], (char *const *)argv, (char *const *)env);
	return -errno;
}

static const struct {
	const char *name;
	int (*run)(const struct spawn_child *c);
} steps[SPAWN_STEPS] = {
	[SPAWN_STEP_SIGNALS] = { "reset the signals", reset_signals },
	[SPAWN_STEP_SESSION] = { "start a session", start_session },
	[SPAWN_STEP_STDIO] = { "redirect stdin, stdout and stderr", redirect_stdio },
	[SPAWN_STEP_LIMITS] = { "set the limit of locked memory", set_limits },
	[SPAWN_STEP_BOUNDING] = { "drop the capability bounding set", drop_bounding },
	[SPAWN_STEP_USER] = { "switch to the user", switch_user },
	[SPAWN_STEP_CAPABILITIES] = { "drop the capabilities", drop_capabilities },
	[SPAWN_STEP_DESCRIPTORS] = { "hand over the descriptors", keep_descriptors },
	[SPAWN_STEP_EXECUTE] = { "execute the program", execute },
};

const char *spawn_step_name(int step)
{
	return step >= 0 && step < SPAWN_STEPS ? steps[step].name : "do what is needed";
}

/* False when the parent is gone, or closed its end because the VMM shall not start. */
static bool wait_for_go(int fd)
{
	char go;

	return recv(fd, &go, 1, 0) == 1;
}

void spawn_child_main(const struct spawn_child *c)
{
	struct spawn_report report = { 0 };

	close(c->pair[0]);
	if (!wait_for_go(c->pair[1]))
		_exit(EXIT_NOT_STARTED);
	for (int i = 0; i < SPAWN_STEPS && report.err == 0; i++) {
		report.step = i;
		report.err = steps[i].run(c);
	}
	send(c->pair[1], &report, sizeof(report), MSG_NOSIGNAL);
	_exit(EXIT_NOT_STARTED);
}
