// SPDX-License-Identifier: GPL-2.0-or-later
/* The QEMU backend: finds the program, and starts it with the command line that the plan makes. */
#include "vmm/backend/backend.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/strv.h"
#include "base/sysroot.h"

#define VERSION_MIN 9
#define VERSION_DEADLINE_MS 10000
#define VERSION_TEXT_MAX 512

/* Where distributions put it, and under which names. */
static const char *const programs[] = {
	"/usr/local/bin/qemu-system-x86_64",
	"/usr/bin/qemu-system-x86_64",
	"/usr/libexec/qemu-kvm",
};

static int find_program(const char **ret, struct cv_error *err)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(programs); i++) {
		if (access(programs[i], X_OK) == 0) {
			*ret = programs[i];
			return 0;
		}
	}
	cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "NO_QEMU", "qemu-system-x86_64",
		"QEMU is not installed");
	cv_error_wanted(err, "QEMU %d or newer", VERSION_MIN);
	cv_error_hint(err, "apt-get install qemu-system-x86 (on Debian 12: with -t "
			   "bookworm-backports)");
	return -ENOENT;
}

/* Ends with its parent, which the deadline kills. */
static void execute_version(const char *program, int out_fd)
{
	const char *argv[] = { program, "-version", NULL };
	const char *env[] = { "LANG=C", NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(out_fd, STDOUT_FILENO) >= 0)
		execve(program, (char *const *)argv, (char *const *)env);
	_exit(127);
}

struct version_run {
	const char *program;
	int out_fd;
};

static int run_version(void *arg)
{
	const struct version_run *v = arg;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		execute_version(v->program, v->out_fd);
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* What "-version" says, in a file that exists in memory only: nobody has to drain it. */
static int read_version(const char *program, char text[VERSION_TEXT_MAX])
{
	_cleanup_close_ int fd = memfd_create("version", MFD_CLOEXEC);
	struct version_run v = { .program = program, .out_fd = fd };
	ssize_t n;
	int r, result = 0;

	if (fd < 0)
		return -errno;
	r = cv_child_run(run_version, &v, VERSION_DEADLINE_MS, &result);
	if (r < 0 || result != 0)
		return r < 0 ? r : -EIO;
	n = pread(fd, text, VERSION_TEXT_MAX - 1, 0);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return 0;
}

/* "QEMU emulator version 10.0.2 (Debian ...)": 10 and "10.0.2" */
static int parse_version(const char *text, uint64_t *ret_major, char **ret_version)
{
	const char *start = strstr(text, "version ");
	_cleanup_free_ char *version = NULL, *major = NULL;
	int r;

	if (!start)
		return -EINVAL;
	start += strlen("version ");
	version = strndup(start, strspn(start, "0123456789."));
	major = strndup(start, strspn(start, "0123456789"));
	if (!version || !major)
		return -ENOMEM;
	r = cv_parse_u64(major, ret_major);
	if (r < 0)
		return r;
	*ret_version = TAKE_PTR(version);
	return 0;
}

static int qemu_probe(char **ret_version, struct cv_error *err)
{
	char text[VERSION_TEXT_MAX] = "";
	_cleanup_free_ char *version = NULL;
	const char *program;
	uint64_t major;
	int r;

	r = find_program(&program, err);
	if (r < 0)
		return r;
	r = read_version(program, text);
	if (r >= 0)
		r = parse_version(text, &major, &version);
	if (r < 0)
		return cv_fail_errno(err, r, program, "cannot find out the version of QEMU");
	if (major < VERSION_MIN) {
		cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "OLD_QEMU", program, "QEMU is too old");
		cv_error_found(err, "%s", version);
		cv_error_wanted(err, "%d or newer", VERSION_MIN);
		cv_error_hint(err, "on Debian 12: apt-get install -t bookworm-backports "
				   "qemu-system-x86");
		return -ENOENT;
	}
	*ret_version = TAKE_PTR(version);
	return 0;
}

/* What QEMU inherits. Return: the number written to @fds, which has room for all. */
static size_t gather_fds(const struct vmm_launch *l, int *fds)
{
	size_t n = 0;

	if (l->hypervisor_fd >= 0)
		fds[n++] = l->hypervisor_fd;
	for (size_t i = 0; i < l->n_links; i++)
		for (size_t k = 0; k < l->links[i].n; k++)
			fds[n++] = l->links[i].fds[k];
	return n;
}

static int qemu_start(const struct vmm_launch *l, pid_t *ret_pid, struct cv_error *err)
{
	struct plan_qemu q = {
		.vm_dir = l->vm_dir,
		.kvm_fd = l->hypervisor_fd,
		.links = l->links,
		.n_links = l->n_links,
	};
	_cleanup_free_ int *fds = calloc(1 + l->n_links * PLAN_LINK_FDS_MAX, sizeof(*fds));
	_cleanup_strv_ struct cv_strv argv = { 0 };
	int r = find_program(&q.binary, err);

	if (r < 0)
		return r;
	r = fds ? plan_qemu_argv(l->plan, &q, &argv) : -ENOMEM;
	if (r < 0)
		return cv_fail_errno(err, r, l->plan->name, "cannot make the command line of QEMU");
	return vmm_backend_spawn(l, &argv, fds, gather_fds(l, fds), ret_pid, err);
}

const struct vmm_backend_ops vmm_backend_qemu = {
	.name = "qemu",
	.probe = qemu_probe,
	.start = qemu_start,
	.dials_vhost_user = true,
};
