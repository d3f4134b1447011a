// SPDX-License-Identifier: GPL-2.0-or-later
/* Ports of Open vSwitch, through ovs-vsctl(8): it is executed, with a deadline of its own and one of ours. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/tap.h"

#define OUTPUT_MAX 512
#define NOT_EXECUTED 127
#define NO_SUCH_BRIDGE 2 /* exit status of br-exists */
#define ARGS_MAX 24

static const char *const programs[] = {
	"/usr/bin/ovs-vsctl",
	"/usr/local/bin/ovs-vsctl",
	"/usr/sbin/ovs-vsctl",
};

/** struct call - one execution; @out_fd: what it says, in memory */
struct call {
	const char *program;
	const char *const *argv;
	int out_fd;
};

static int find_program(const char **ret, struct cv_error *err)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(programs); i++) {
		if (access(programs[i], X_OK) == 0) {
			*ret = programs[i];
			return 0;
		}
	}
	cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "NO_OVS", "ovs-vsctl",
		"Open vSwitch is not installed");
	cv_error_wanted(err, "%s", programs[0]);
	cv_error_hint(err,
		      "apt-get install openvswitch-switch, or a Linux bridge: bridge: in the spec");
	return -ENOENT;
}

/* Ends with its parent, which the deadline kills. */
static void __attribute__((noreturn)) execute(const struct call *c)
{
	static const char *const env[] = { "LANG=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(c->out_fd, STDOUT_FILENO) >= 0 && dup2(c->out_fd, STDERR_FILENO) >= 0)
		execve(c->program, (char *const *)c->argv, (char *const *)env);
	_exit(NOT_EXECUTED);
}

static int run_call(void *arg)
{
	const struct call *c = arg;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		execute(c);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static void read_output(int fd, char *out)
{
	ssize_t n = pread(fd, out, OUTPUT_MAX - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' '))
		out[--n] = '\0';
}

/* @args: ends with NULL. Return: exit status, -ENOENT with @err filled, -errno. */
static int vsctl(const char *const *args, unsigned int deadline_ms, char out[OUTPUT_MAX],
		 struct cv_error *err)
{
	const char *argv[ARGS_MAX] = { "ovs-vsctl", "--timeout=5" };
	_cleanup_close_ int fd = memfd_create("ovs-vsctl", MFD_CLOEXEC);
	struct call c = { .argv = argv, .out_fd = fd };
	int result = 0, r = find_program(&c.program, err);

	if (r < 0)
		return r;
	for (size_t i = 0; args[i] && i + 3 < ARGS_MAX; i++)
		argv[i + 2] = args[i];
	r = fd < 0 ? -errno : cv_child_run(run_call, &c, deadline_ms, &result);
	if (r < 0 || result < 0)
		return cv_fail_errno(err, r < 0 ? r : result, c.program, "cannot ask Open vSwitch");
	read_output(fd, out);
	return result;
}

static int fail_answer(const char *object, const char *what, const char *said, struct cv_error *err)
{
	cv_fail(err, -EIO, CV_EXIT_FAILED, "OVS", object, "%s", what);
	cv_error_found(err, "ovs-vsctl: %s", said[0] ? said : "nothing said");
	cv_error_hint(err, "are ovsdb-server and ovs-vswitchd running? ovs-vsctl show; "
			   "systemctl status openvswitch-switch");
	return -EIO;
}

int sr_ovs_check_bridge(const char *bridge, unsigned int deadline_ms, struct cv_error *err)
{
	const char *args[] = { "br-exists", bridge, NULL };
	char said[OUTPUT_MAX];
	int r = vsctl(args, deadline_ms, said, err);

	if (r <= 0)
		return r;
	if (r != NO_SUCH_BRIDGE)
		return fail_answer(bridge, "Open vSwitch does not answer", said, err);
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "NO_BRIDGE", bridge,
		"Open vSwitch has no such bridge");
	cv_error_hint(err,
		      "ovs-vsctl list-br names them, ovs-vsctl add-br %s makes it; for a "
		      "bridge of the kernel write bridge: in the spec",
		      bridge);
	return -ENODEV;
}

/* Text that is no plain word is printed in quotes. */
static void unquote(char *s)
{
	size_t len = strlen(s);

	if (len < 2 || s[0] != '"' || s[len - 1] != '"')
		return;
	s[len - 1] = '\0';
	memmove(s, s + 1, len - 1);
}

/* Two lines: the name, and the mark, or an empty one. */
int sr_ovs_owner(const char *port, unsigned int deadline_ms, char ret[64], struct cv_error *err)
{
	const char *args[] = { "--if-exists", "get", "Interface",	   port,
			       "name",	      "--",  "--if-exists",	   "get",
			       "Interface",   port,  "external_ids:carve", NULL };
	char said[OUTPUT_MAX], *second;
	int r = vsctl(args, deadline_ms, said, err);

	if (r < 0)
		return r;
	if (r > 0)
		return fail_answer(port, "cannot find out whose the port is", said, err);
	second = strchr(said, '\n');
	if (second) {
		unquote(++second);
		snprintf(ret, 64, "%.63s", second);
	} else {
		snprintf(ret, 64, "%s", said[0] ? "?" : "");
	}
	return 0;
}

/* Above zero: the switch forwards through it. */
static int check_works(const char *port, unsigned int deadline_ms, struct cv_error *err)
{
	const char *args[] = { "get", "Interface", port, "ofport", "error", NULL };
	char said[OUTPUT_MAX], *rest;
	uint64_t number = 0;
	int r = vsctl(args, deadline_ms, said, err);

	if (r < 0)
		return r;
	rest = strchr(said, '\n');
	if (rest)
		*rest++ = '\0';
	if (r == 0 && cv_parse_u64(said, &number) == 0 && number > 0)
		return 0;
	return fail_answer(port, "Open vSwitch cannot use the port", rest ?: said, err);
}

/* One transaction; a port that the same guest left there before a reboot is replaced. */
int sr_ovs_add(const struct sr_tap *t, const char *vm, unsigned int deadline_ms,
	       struct cv_error *err)
{
	char tag[16], owner[96], said[OUTPUT_MAX];
	const char *args[ARGS_MAX] = { "--if-exists", "del-port", t->name, "--",
				       "add-port",    t->bridge,  t->name };
	size_t n = 7;
	int r;

	snprintf(tag, sizeof(tag), "tag=%d", t->vlan);
	snprintf(owner, sizeof(owner), "external_ids:carve=\"%s\"", vm);
	if (t->vlan)
		args[n++] = tag;
	args[n++] = "--";
	args[n++] = "set";
	args[n++] = "Interface";
	args[n++] = t->name;
	args[n++] = owner;
	r = vsctl(args, deadline_ms, said, err);
	if (r < 0)
		return r;
	if (r > 0)
		return fail_answer(t->name, "cannot make the interface a port of the bridge", said,
				   err);
	return check_works(t->name, deadline_ms, err);
}

int sr_ovs_remove(const char *port, const char *vm, unsigned int deadline_ms, struct cv_error *err)
{
	const char *args[] = { "--if-exists", "del-port", port, NULL };
	char owner[64], said[OUTPUT_MAX];
	int r = sr_ovs_owner(port, deadline_ms, owner, err);

	if (r < 0 || strcmp(owner, vm) != 0)
		return r;
	r = vsctl(args, deadline_ms, said, err);
	return r > 0 ? fail_answer(port, "cannot take the port away", said, err) : r;
}
