// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/link_peers.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "numa/binding.h"
#include "tools/vm.h"
#include "vmm/backend/backend.h"
#include "vmm/spawn.h"

#define LOG_MAX_BYTES (1ULL << 20)
#define CONNECT_MS 5000

/* ---- descriptors out of a child ---- */

/** struct fetch - @socket: the child's end */
struct fetch {
	int (*open)(void *arg);
	void *arg;
	int socket;
};

/* With one byte, as some data has to go with it (unix(7), SCM_RIGHTS). */
static void prepare(struct msghdr *msg, struct iovec *iov, char *byte, char *control, size_t size)
{
	*iov = (struct iovec){ .iov_base = byte, .iov_len = 1 };
	*msg = (struct msghdr){
		.msg_iov = iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = size
	};
}

static int send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 }, byte = 'f';
	struct msghdr msg;
	struct iovec iov;
	struct cmsghdr *c;

	prepare(&msg, &iov, &byte, control, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(socket, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 }, byte;
	struct msghdr msg;
	struct iovec iov;
	const struct cmsghdr *c;
	int fd;

	prepare(&msg, &iov, &byte, control, sizeof(control));
	if (recvmsg(socket, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int run_fetch(void *arg)
{
	const struct fetch *f = arg;
	_cleanup_close_ int fd = f->open(f->arg);

	return fd < 0 ? fd : send_fd(f->socket, fd);
}

int link_fetch(int (*open)(void *arg), void *arg, unsigned int deadline_ms)
{
	struct fetch f = { .open = open, .arg = arg };
	_cleanup_close_ int mine = -1, theirs = -1;
	int pair[2], result = 0, r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	mine = pair[0];
	f.socket = theirs = pair[1];
	r = cv_child_run(run_fetch, &f, deadline_ms, &result);
	r = r < 0 ? r : result;
	return r < 0 ? r : receive_fd(mine);
}

/* ---- programs ---- */

static int find_program(const char *const *paths, size_t n, const char **ret)
{
	for (size_t i = 0; i < n; i++) {
		if (access(paths[i], X_OK) == 0) {
			*ret = paths[i];
			return 0;
		}
	}
	return -ENOENT;
}

int link_find_passt(const char **ret, struct cv_error *err)
{
	static const char *const paths[] = { "/usr/local/bin/passt", "/usr/bin/passt" };

	if (find_program(paths, CV_ARRAY_SIZE(paths), ret) == 0)
		return 0;
	cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "NO_PASST", "passt", "passt is not installed");
	cv_error_wanted(err, "%s", paths[1]);
	cv_error_hint(err, "apt-get install passt, or a bridge: bridge: in the spec");
	return -ENOENT;
}

int link_find_virtiofsd(const char **ret, struct cv_error *err)
{
	static const char *const paths[] = {
		"/usr/local/libexec/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd",
		"/usr/local/bin/virtiofsd",	"/usr/bin/virtiofsd",
	};

	if (find_program(paths, CV_ARRAY_SIZE(paths), ret) == 0)
		return 0;
	cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "NO_VIRTIOFSD", "virtiofsd",
		"virtiofsd is not installed: nobody can serve the shares");
	cv_error_wanted(err, "%s", paths[1]);
	cv_error_hint(err, "apt-get install virtiofsd (Debian 13 or later)");
	return -ENOENT;
}

static int add_forward(const struct plan_forward *f, struct cv_strv *a)
{
	int r = cv_strv_add(a, f->is_udp ? "-u" : "-t");

	return r ?: cv_strv_addf(a, "%u:%u", f->host, f->guest);
}

/* In the foreground, so that it stays in its cgroup's sight; it ends when the VMM does. */
int link_passt_argv(const char *program, const struct plan_net *n, int fd, struct cv_strv *ret)
{
	static const char *const options[] = { "--foreground", "--stderr", "--quiet", "--fd" };
	int r = cv_strv_add(ret, program);

	for (size_t i = 0; i < CV_ARRAY_SIZE(options) && r == 0; i++)
		r = cv_strv_add(ret, options[i]);
	r = r ?: cv_strv_addf(ret, "%d", fd);
	for (size_t i = 0; i < n->n_forwards && r == 0; i++)
		r = add_forward(&n->forwards[i], ret);
	return r;
}

/* It is the user's already, without a capability: a sandbox of its own would need privileges. */
int link_share_argv(const char *program, const struct plan_share *s, int fd, struct cv_strv *ret)
{
	int r = cv_strv_add(ret, program);

	r = r ?: cv_strv_addf(ret, "--fd=%d", fd);
	r = r ?: cv_strv_addf(ret, "--shared-dir=%s", s->path);
	r = r ?: cv_strv_add(ret, "--sandbox=none");
	r = r ?: cv_strv_add(ret, "--log-level=warn");
	if (r == 0 && s->is_readonly)
		r = cv_strv_add(ret, "--readonly");
	return r;
}

static int enter(void *ctx, pid_t child, struct cv_error *err)
{
	const struct link_env *e = ctx;

	return nu_cgroup_enter_vmm(e->step->root, e->step->vm, child, err);
}

/* @fd: the one descriptor that it gets */
static int start(const struct link_env *e, const char *id, const struct cv_strv *argv, int fd,
		 pid_t *ret, struct cv_error *err)
{
	_cleanup_close_ int log_fd = -1;
	char log[48];
	struct vmm_spawn s = {
		.argv = (const char *const *)argv->v,
		.keep_fds = &fd,
		.n_keep_fds = 1,
		.cgroup_fd = e->cgroup_fd,
		.uid = e->uid,
		.gid = e->gid,
		.enter = enter,
		.enter_ctx = (void *)e,
	};
	int r;

	snprintf(log, sizeof(log), "%s.log", id);
	r = vmm_backend_log(e->dir, log, e->uid, e->gid, &log_fd, err);
	s.log_fd = log_fd;
	return r ?: vmm_spawn(&s, ret, err);
}

int link_passt(const struct link_env *e, const struct plan_net *n, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv argv = { 0 };
	_cleanup_close_ int mine = -1, theirs = -1;
	const char *program = NULL;
	char id[48];
	int pair[2], r = link_find_passt(&program, err);
	pid_t pid = 0;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return cv_fail_errno(err, -errno, n->id, "cannot make a socket for passt");
	mine = pair[0];
	theirs = pair[1];
	if (link_passt_argv(program, n, theirs, &argv) < 0)
		return cv_fail_errno(err, -ENOMEM, n->id, "cannot start passt");
	snprintf(id, sizeof(id), "passt-%s", n->id);
	r = start(e, id, &argv, theirs, &pid, err);
	if (r == 0)
		(void)vmm_cap_files(pid, LOG_MAX_BYTES);
	return r < 0 ? r : TAKE_FD(mine);
}

/* ---- sockets ---- */

static int fill_address(const char *path, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

static int connect_to(const struct sockaddr_un *a)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* Nobody else sees the socket: it lies where only root may look, and goes before the first byte. */
static int listen_once(const char *path, int *ret_listener, int *ret_connected)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;
	int r = fd < 0 ? -errno : fill_address(path, &a);

	if (r < 0)
		return r;
	(void)unlink(path);
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	r = chmod(path, 0600) < 0 || listen(fd, 1) < 0 ? -errno : connect_to(&a);
	(void)unlink(path);
	if (r < 0)
		return r;
	*ret_connected = r;
	*ret_listener = TAKE_FD(fd);
	return 0;
}

int link_share(const struct link_env *e, const struct plan_share *s, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv argv = { 0 };
	_cleanup_close_ int listener = -1, connected = -1;
	char path[CV_PATH_MAX], file[32], id[48];
	const char *program = NULL;
	int r = link_find_virtiofsd(&program, err);
	pid_t pid = 0;

	if (r < 0)
		return r;
	snprintf(file, sizeof(file), "%s.sock", s->id);
	r = listen_once(vm_path(path, e->step->vm, file), &listener, &connected);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot make a socket for virtiofsd");
	if (link_share_argv(program, s, listener, &argv) < 0)
		return cv_fail_errno(err, -ENOMEM, s->id, "cannot start virtiofsd");
	snprintf(id, sizeof(id), "virtiofsd-%s", s->id);
	r = start(e, id, &argv, listener, &pid, err);
	return r < 0 ? r : TAKE_FD(connected);
}

/** struct dial - a connection as the user of the VM */
struct dial {
	struct sockaddr_un address;
	uid_t uid;
	gid_t gid;
	gid_t groups[VMM_GROUPS_MAX];
	size_t n_groups;
};

static int dial(void *arg)
{
	const struct dial *d = arg;

	if (setgroups(d->n_groups, d->groups) < 0 || setgid(d->gid) < 0 || setuid(d->uid) < 0)
		return -errno;
	return connect_to(&d->address);
}

int link_socket(const struct link_env *e, const char *path, struct cv_error *err)
{
	struct dial d = { .uid = e->uid, .gid = e->gid };
	int r = fill_address(path, &d.address);

	r = r ?: vmm_groups(d.uid, d.gid, d.groups, &d.n_groups);
	r = r < 0 ? r : link_fetch(dial, &d, CONNECT_MS);
	if (r >= 0)
		return r;
	cv_fail_errno(err, r, path, "user %s cannot connect to the socket", e->plan->user);
	cv_error_wanted(err, "a vhost-user back end that listens there");
	cv_error_hint(err, r == -ECONNREFUSED
				   ? "start the program that serves there first"
				   : "check the path, and that the user may write to the "
				     "socket");
	return r;
}
