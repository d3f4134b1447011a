// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/links.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/vhost.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "sriov/tap.h"
#include "tools/apply.h"
#include "tools/link_peers.h"
#include "tools/vm.h"
#include "vmm/spawn.h"

#define LOOK_MS 5000

/** struct look - one thing that the user of the VM must be able to do: try() says whether */
struct look {
	int (*try)(const struct look *l);
	const char *path;
	bool is_udp;
	uint16_t port;
	uid_t uid;
	gid_t gid;
	gid_t groups[VMM_GROUPS_MAX];
	size_t n_groups;
};

/** struct check - of one plan */
struct check {
	struct cmd *c;
	const struct plan *p;
	struct look look;
};

/* ---- in the child ---- */

static int run_look(void *arg)
{
	const struct look *l = arg;

	if (setgroups(l->n_groups, l->groups) < 0 || setgid(l->gid) < 0 || setuid(l->uid) < 0)
		return -errno;
	return l->try(l);
}

/* Opened, listed and entered; what lies in it is the guest's and the user's affair. */
static int try_directory(const struct look *l)
{
	_cleanup_close_ int fd = open(l->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || faccessat(AT_FDCWD, l->path, R_OK | X_OK, 0) < 0)
		return -errno;
	return 0;
}

static int try_socket(const struct look *l)
{
	struct stat st;

	if (stat(l->path, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return access(l->path, R_OK | W_OK) < 0 ? -errno : 0;
}

static int bind_one(int family, const struct look *l)
{
	int type = l->is_udp ? SOCK_DGRAM : SOCK_STREAM, one = 1;
	_cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(l->port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(l->port) };

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : -errno;
	if (family == AF_INET)
		return bind(fd, (struct sockaddr *)&four, sizeof(four)) < 0 ? -errno : 0;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&six, sizeof(six)) < 0)
		return -errno;
	return 0;
}

static int try_port(const struct look *l)
{
	int r = bind_one(AF_INET, l);

	return r ?: bind_one(AF_INET6, l);
}

static int look_as_user(struct check *k)
{
	int result = 0, r = cv_child_run(run_look, &k->look, LOOK_MS, &result);

	return r < 0 ? r : result;
}

/* ---- networks ---- */

static int check_tap(struct check *k, const struct plan_net *n)
{
	struct cv_step_env env = { k->c->root, k->p->name, APPLY_DEADLINE_MS, NULL };

	for (size_t i = 0; i < k->p->n_steps; i++) {
		const struct cv_step *s = &k->p->steps[i];
		struct sr_tap t;
		int r;

		if (strcmp(s->kind, "tap") != 0 || strcmp(s->object, n->tap) != 0)
			continue;
		r = sr_tap_parse(s->object, s->value, &t, &k->c->err);
		return r ?: sr_tap_check(&env, &t, &k->c->err);
	}
	return cv_fail(&k->c->err, -EINVAL, CV_EXIT_FAILED, "NO_TAP_STEP", n->tap,
		       "no step of the plan makes the interface of network %s", n->id);
}

static int check_forward(struct check *k, const struct plan_forward *f)
{
	struct cv_error *err = &k->c->err;
	char object[24];
	int r;

	k->look.try = try_port;
	k->look.is_udp = f->is_udp;
	k->look.port = f->host;
	r = look_as_user(k);
	if (r == 0)
		return 0;
	snprintf(object, sizeof(object), "%u/%s", f->host, f->is_udp ? "udp" : "tcp");
	cv_fail_errno(err, r, object, "user %s cannot listen on the port that leads into the guest",
		      k->p->user);
	if (r == -EADDRINUSE) {
		err->exit = CV_EXIT_BUSY;
		cv_error_hint(err,
			      "ss -lnp tells who has it; take another port: forward: in the spec");
	} else {
		cv_error_hint(err, "ports below 1024 are root's: take another one, or sysctl "
				   "net.ipv4.ip_unprivileged_port_start");
	}
	return r;
}

static int check_passt(struct check *k, const struct plan_net *n)
{
	const char *program;
	int r = 0;

	for (size_t i = 0; i < n->n_forwards && r == 0; i++)
		r = check_forward(k, &n->forwards[i]);
	return r ?: link_find_passt(&program, &k->c->err);
}

static int check_socket(struct check *k, const char *path, const char *server)
{
	int r;

	k->look.try = try_socket;
	k->look.path = path;
	r = look_as_user(k);
	if (r == 0)
		return 0;
	cv_fail_errno(&k->c->err, r, path, "user %s cannot use the socket of the %s", k->p->user,
		      server);
	cv_error_wanted(&k->c->err, "a unix socket on which a vhost-user back end listens");
	cv_error_hint(&k->c->err, "start the %s first; check the owner of its socket", server);
	return r;
}

static int check_net(struct check *k, const struct plan_net *n)
{
	switch (n->kind) {
	case PLAN_NET_PASST:
		return check_passt(k, n);
	case PLAN_NET_VHOST_USER:
		return check_socket(k, n->to, "switch");
	default:
		return check_tap(k, n);
	}
}

/* ---- disks that another program serves ---- */

static int fail_served(struct check *k, const struct plan_disk *d, const char *guest)
{
	struct cv_error *err = &k->c->err;

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "DISK_BUSY", d->path, "the disk is in use");
	cv_error_found(err, "guest %s has it", guest);
	cv_error_wanted(err, "a socket, and a disk, of its own for each guest");
	cv_error_hint(err, "let the program that serves it make another one");
	return -EBUSY;
}

static int check_served_of_vms(struct check *k, const struct plan_disk *d)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = vm_list(k->c, &names);

	for (size_t i = 0; i < names.n && r == 0; i++) {
		_cleanup_vm_ struct vm vm = { 0 };

		if (strcmp(names.v[i], k->p->name) == 0)
			continue;
		r = vm_read(k->c, names.v[i], &vm);
		for (size_t n = 0; n < vm.plan.n_disks && r == 0; n++)
			if (vm.plan.disks[n].is_vhost_user &&
			    strcmp(vm.plan.disks[n].path, d->path) == 0)
				r = fail_served(k, d, vm.name);
	}
	return r;
}

static int check_disk(struct check *k, const struct plan_disk *d)
{
	int r = d->is_vhost_user ? check_socket(k, d->path, "program that serves the disk") : 0;

	return d->is_vhost_user && r == 0 ? check_served_of_vms(k, d) : r;
}

/* ---- shares ---- */

static int fail_share(struct check *k, const struct plan_share *s, int r)
{
	cv_fail_errno(&k->c->err, r, s->path, "user %s cannot read the directory that is shared",
		      k->p->user);
	cv_error_wanted(&k->c->err, "a directory that user %s may list", k->p->user);
	cv_error_hint(&k->c->err, "check the path and the permissions of every directory above it");
	return r;
}

static int check_share(struct check *k, const struct plan_share *s)
{
	const char *program;
	int r;

	k->look.try = try_directory;
	k->look.path = s->path;
	r = look_as_user(k);
	return r < 0 ? fail_share(k, s, r) : link_find_virtiofsd(&program, &k->c->err);
}

/* ---- vsock ---- */

static int fail_cid(struct check *k, const char *user)
{
	struct cv_error *err = &k->c->err;

	cv_fail(err, -EADDRINUSE, CV_EXIT_BUSY, "CID_BUSY", k->p->name,
		"the guest's vsock address %u is taken", k->p->vsock_cid);
	cv_error_found(err, "%s has it", user);
	cv_error_wanted(err, "a CID that no other guest of the host has");
	cv_error_hint(err, "another number, or auto: vsock: in the spec");
	return -EADDRINUSE;
}

static int check_cid_of_vms(struct check *k)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = vm_list(k->c, &names);

	for (size_t i = 0; i < names.n && r == 0; i++) {
		_cleanup_vm_ struct vm vm = { 0 };

		if (strcmp(names.v[i], k->p->name) == 0)
			continue;
		r = vm_read(k->c, names.v[i], &vm);
		if (r == 0 && vm.plan.vsock_cid == k->p->vsock_cid)
			r = fail_cid(k, vm.name);
	}
	return r;
}

/* Taken and given back: the kernel knows those of all VMMs. Its module may not be loaded yet. */
static int check_cid_of_host(struct check *k)
{
	_cleanup_close_ int fd = cv_open(k->c->root, "/dev/vhost-vsock", O_RDWR | O_CLOEXEC, 0);
	uint64_t cid = k->p->vsock_cid;

	if (fd < 0 || ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid) == 0 || errno != EADDRINUSE)
		return 0;
	return fail_cid(k, "a VMM that Carve did not start");
}

int links_check(struct cmd *c, const struct plan *p, uid_t uid, gid_t gid)
{
	struct check k = { .c = c, .p = p, .look = { .uid = uid, .gid = gid } };
	int r = vmm_groups(uid, gid, k.look.groups, &k.look.n_groups);

	if (r < 0)
		return cv_fail_errno(&c->err, r, p->user, "cannot find the groups of the user");
	for (size_t i = 0; i < p->n_disks && r == 0; i++)
		r = check_disk(&k, &p->disks[i]);
	for (size_t i = 0; i < p->n_nets && r == 0; i++)
		r = check_net(&k, &p->nets[i]);
	for (size_t i = 0; i < p->n_shares && r == 0; i++)
		r = check_share(&k, &p->shares[i]);
	if (r == 0 && p->vsock_cid)
		r = check_cid_of_vms(&k);
	if (r == 0 && p->vsock_cid)
		r = check_cid_of_host(&k);
	return r;
}
