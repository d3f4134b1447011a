// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/launch_links.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sriov/tap.h"
#include "tools/link_peers.h"
#include "vmm/backend/backend.h"

#define TUN "/dev/net/tun"
#define VHOST_NET "/dev/vhost-net"
#define VHOST_VSOCK "/dev/vhost-vsock"

static void close_link(struct plan_link *l)
{
	for (size_t i = 0; i < l->n; i++)
		close(l->fds[i]);
	l->n = 0;
}

void launch_links_done(struct launch_links *l)
{
	for (size_t i = 0; i < l->n; i++)
		close_link(&l->v[i]);
	l->n = 0;
}

/* The VMM's user may not be able to open it: the launcher does. */
static int open_device(const struct link_env *e, const char *path, const char *module,
		       struct cv_error *err)
{
	int fd = cv_open(e->step->root, path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

	if (fd >= 0)
		return fd;
	cv_fail_errno(err, fd, path, "cannot open the device");
	if (fd == -ENOENT || fd == -ENODEV)
		cv_error_hint(err, "modprobe %s", module);
	return fd;
}

/* ---- bridge, ovs ---- */

/** struct queue - of the interface that the step made */
struct queue {
	struct cv_sysroot *root;
	const struct plan_net *n;
};

static int open_queue(void *arg)
{
	const struct queue *q = arg;
	_cleanup_close_ int fd = cv_open(q->root, TUN, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
	int r = fd < 0 ? fd : sr_tap_open(fd, q->n->tap, q->n->queues);

	return r < 0 ? r : TAKE_FD(fd);
}

static int add_queue(const struct link_env *e, const struct plan_net *n, struct plan_link *l,
		     struct cv_error *err)
{
	struct queue q = { e->step->root, n };
	int fd = link_fetch(open_queue, &q, e->step->deadline_ms);

	if (fd < 0)
		return cv_fail_errno(err, fd, n->tap, "cannot open a queue of the interface");
	l->fds[l->n++] = fd;
	return 0;
}

/* All of the tap, then all of vhost-net: one of each for a queue pair. */
static int open_tap(const struct link_env *e, const struct plan_net *n, struct plan_link *l,
		    struct cv_error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < n->queues && r == 0; i++)
		r = add_queue(e, n, l, err);
	for (unsigned int i = 0; i < n->queues && r == 0; i++) {
		int fd = open_device(e, VHOST_NET, "vhost_net", err);

		if (fd < 0)
			r = fd;
		else
			l->fds[l->n++] = fd;
	}
	return r;
}

static int open_net(const struct link_env *e, const struct plan_net *n, struct plan_link *l,
		    struct cv_error *err)
{
	const struct vmm_backend_ops *backend = vmm_backend_find(e->plan->backend);
	int fd;

	if (n->kind == PLAN_NET_BRIDGE || n->kind == PLAN_NET_OVS)
		return open_tap(e, n, l, err);
	if (n->kind == PLAN_NET_VHOST_USER && backend && backend->dials_vhost_user)
		return 0;
	fd = n->kind == PLAN_NET_PASST ? link_passt(e, n, err) : link_socket(e, n->to, err);
	if (fd < 0)
		return fd;
	l->fds[l->n++] = fd;
	return 0;
}

/* ---- all ---- */

static struct plan_link *next_link(struct launch_links *all, const char *id)
{
	struct plan_link *l = &all->v[all->n++];

	*l = (struct plan_link){ .id = id };
	return l;
}

static int open_disks(const struct link_env *e, struct launch_links *all, struct cv_error *err)
{
	for (size_t i = 0; i < e->plan->n_disks; i++) {
		const struct plan_disk *d = &e->plan->disks[i];
		struct plan_link *l;
		int fd;

		if (!d->is_vhost_user)
			continue;
		l = next_link(all, d->id);
		fd = link_socket(e, d->path, err);
		if (fd < 0)
			return fd;
		l->fds[l->n++] = fd;
	}
	return 0;
}

static int open_shares(const struct link_env *e, struct launch_links *all, struct cv_error *err)
{
	for (size_t i = 0; i < e->plan->n_shares; i++) {
		const struct plan_share *s = &e->plan->shares[i];
		struct plan_link *l = next_link(all, s->id);
		int fd = link_share(e, s, err);

		if (fd < 0)
			return fd;
		l->fds[l->n++] = fd;
	}
	return 0;
}

static int open_vsock(const struct link_env *e, struct launch_links *all, struct cv_error *err)
{
	struct plan_link *l;
	int fd;

	if (!e->plan->vsock_cid)
		return 0;
	l = next_link(all, PLAN_VSOCK_ID);
	fd = open_device(e, VHOST_VSOCK, "vhost_vsock", err);
	if (fd < 0)
		return fd;
	l->fds[l->n++] = fd;
	return 0;
}

int launch_links_open(const struct link_env *e, struct launch_links *ret, struct cv_error *err)
{
	struct launch_links all = { .n = 0 };
	int r = open_disks(e, &all, err);

	for (size_t i = 0; i < e->plan->n_nets && r == 0; i++) {
		const struct plan_net *n = &e->plan->nets[i];

		r = open_net(e, n, next_link(&all, n->id), err);
	}
	r = r ?: open_shares(e, &all, err);
	r = r ?: open_vsock(e, &all, err);
	if (r < 0) {
		launch_links_done(&all);
		return r;
	}
	*ret = all;
	return 0;
}

/* ---- what went wrong ---- */

static char *said_in(const char *dir, const char *log, size_t max_bytes)
{
	_cleanup_free_ char *tail = vmm_read_tail(dir, log, max_bytes);
	char *text = NULL;

	for (char *p = tail; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
	if (!tail || !tail[0] || asprintf(&text, "%s: %s", log, tail) < 0)
		return NULL;
	return text;
}

char *launch_links_said(const struct plan *p, const char *dir, size_t max_bytes)
{
	char log[64], *text = NULL;

	for (size_t i = 0; i < p->n_nets && !text; i++) {
		snprintf(log, sizeof(log), "passt-%s.log", p->nets[i].id);
		text = said_in(dir, log, max_bytes);
	}
	for (size_t i = 0; i < p->n_shares && !text; i++) {
		snprintf(log, sizeof(log), "virtiofsd-%s.log", p->shares[i].id);
		text = said_in(dir, log, max_bytes);
	}
	return text;
}
