// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/qemu_virtio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

char *qemu_escaped(const char *s)
{
	char *out = malloc(2 * strlen(s) + 1), *o = out;

	for (; out && *s; s++) {
		if (*s == ',')
			*o++ = ',';
		*o++ = *s;
	}
	if (out)
		*o = '\0';
	return out;
}

/* ---- what the launcher opened ---- */

/* NULL: nothing; QEMU opens it by name. */
static const struct plan_link *find_link(const struct plan_qemu *q, const char *id, size_t n)
{
	const struct plan_link *l = plan_find_link(q->links, q->n_links, id);

	return l && l->n >= n ? l : NULL;
}

/* @n numbers of descriptors as QEMU lists them: "a:b". */
static const char *list_fds(const int *fds, size_t n, char buf[PLAN_NET_QUEUES_MAX * 12])
{
	size_t len = 0;

	for (size_t i = 0; i < n && i < PLAN_NET_QUEUES_MAX; i++)
		len += (size_t)snprintf(buf + len, PLAN_NET_QUEUES_MAX * 12 - len, "%s%d",
					i ? ":" : "", fds[i]);
	return buf;
}

/* The client of a socket: connected already, or connected by QEMU. */
static int socket_client(const struct plan_link *l, const char *id, const char *path,
			 struct cv_strv *a)
{
	_cleanup_free_ char *name = qemu_escaped(path);
	int r = name ? cv_strv_add(a, "-chardev") : -ENOMEM;

	if (l)
		return r ?: cv_strv_addf(a, "socket,id=%s,fd=%d", id, l->fds[0]);
	return r ?: cv_strv_addf(a, "socket,id=%s,path=%s", id, name);
}

/* ---- disks ---- */

/* What it can do, its size too, QEMU asks who serves it. */
static int served_disk(const struct plan_disk *d, const struct plan_qemu *q, struct cv_strv *a)
{
	char id[32];
	int r;

	snprintf(id, sizeof(id), "char-%s", d->id);
	r = socket_client(find_link(q, d->id, 1), id, d->path, a);
	r = r ?: cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a,
				       "vhost-user-blk-pci,id=blk-%s,chardev=%s,num-queues=1,"
				       "bus=pcie.0,addr=0x%x,disable-legacy=on",
				       d->id, id, d->guest.dev);
}

/* A node of QEMU's block layer with the function that shows it. The page cache of the host is used, as by
 * carve-vmm; QEMU's lock keeps other programs that lock, carve-vmm among them, off the image. */
static int disk(const struct plan_disk *d, const struct plan_qemu *q, struct cv_strv *a)
{
	_cleanup_free_ char *path = qemu_escaped(d->path);
	char serial[PLAN_DISK_SERIAL + 16] = "";
	int r;

	if (d->is_vhost_user)
		return served_disk(d, q, a);
	r = path ? cv_strv_add(a, "-blockdev") : -ENOMEM;

	if (d->serial[0])
		snprintf(serial, sizeof(serial), ",serial=%s", d->serial);
	r = r
		    ?: cv_strv_addf(
			       a,
			       "driver=raw,node-name=%s,read-only=%s,discard=%s,file.driver=%s,"
			       "file.filename=%s,file.aio=threads,file.locking=on",
			       d->id, d->is_readonly ? "on" : "off",
			       d->has_discard ? "unmap" : "ignore",
			       plan_disk_is_device(d->path) ? "host_device" : "file", path);
	r = r ?: cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a,
				       "virtio-blk-pci,id=blk-%s,drive=%s,bus=pcie.0,addr=0x%x,"
				       "disable-legacy=on,discard=%s%s",
				       d->id, d->id, d->guest.dev, d->has_discard ? "on" : "off",
				       serial);
}

/* Where it is; function 0 says that there are more. */
static const char *place(struct cv_bdf guest, size_t count, char buf[80])
{
	snprintf(buf, 80, "bus=pcie.0,addr=0x%x.0x%x%s", guest.dev, guest.fn,
		 guest.fn == 0 && count > 1 ? ",multifunction=on" : "");
	return buf;
}

/* ---- networks ---- */

static int tap(const struct plan_net *n, const struct plan_link *l, struct cv_strv *a)
{
	char fds[PLAN_NET_QUEUES_MAX * 12], vhost[PLAN_NET_QUEUES_MAX * 12];
	int r = cv_strv_add(a, "-netdev");

	if (l)
		return r
			       ?: cv_strv_addf(a, "tap,id=net-%s,fds=%s,vhost=on,vhostfds=%s",
					       n->id, list_fds(l->fds, n->queues, fds),
					       list_fds(l->fds + n->queues, n->queues, vhost));
	r = r
		    ?: cv_strv_addf(a,
				    "tap,id=net-%s,ifname=%s,script=no,downscript=no,vhost=on,"
				    "queues=%u",
				    n->id, n->tap, n->queues);
	return r;
}

/* QEMU frames as passt does on such a socket: the length of each in 4 bytes before it. By hand: passt
 * --socket VM_DIR/passt-ID.sock, with the forwarded ports. */
static int passt(const struct plan_net *n, const struct plan_link *l, const char *vm_dir,
		 struct cv_strv *a)
{
	_cleanup_free_ char *dir = qemu_escaped(vm_dir);
	int r = dir ? cv_strv_add(a, "-netdev") : -ENOMEM;

	if (l)
		return r
			       ?: cv_strv_addf(
					  a, "stream,id=net-%s,server=off,addr.type=fd,addr.str=%d",
					  n->id, l->fds[0]);
	return r
		       ?: cv_strv_addf(a,
				       "stream,id=net-%s,server=off,addr.type=unix,"
				       "addr.path=%s/passt-%s.sock",
				       n->id, dir, n->id);
}

/* Always by path: QEMU takes no descriptor here (net/vhost-user.c asks for a socket that passes
 * descriptors, and chardev/char-socket.c says that of those with a path alone). */
static int vhost_user(const struct plan_net *n, struct cv_strv *a)
{
	char id[48];

	snprintf(id, sizeof(id), "char-%s", n->id);
	int r = socket_client(NULL, id, n->to, a);
	r = r ?: cv_strv_add(a, "-netdev");
	return r
		       ?: cv_strv_addf(a, "vhost-user,id=net-%s,chardev=%s,queues=%u", n->id, id,
				       n->queues);
}

static int net_backend(const struct plan_net *n, const struct plan_qemu *q, struct cv_strv *a)
{
	switch (n->kind) {
	case PLAN_NET_PASST:
		return passt(n, find_link(q, n->id, 1), q->vm_dir, a);
	case PLAN_NET_VHOST_USER:
		return vhost_user(n, a);
	case PLAN_NET_BRIDGE:
	case PLAN_NET_OVS:
		break;
	}
	return tap(n, find_link(q, n->id, 2 * (size_t)n->queues), a);
}

/* A vector for each queue, for changes of the configuration and for the control queue. No option ROM:
 * nothing is booted from there. */
static int net(const struct plan *p, const struct plan_net *n, const struct plan_qemu *q,
	       struct cv_strv *a)
{
	char where[80], queues[48] = "", mtu[24] = "";
	int r = net_backend(n, q, a);

	if (n->queues > 1)
		snprintf(queues, sizeof(queues), ",mq=on,vectors=%u", 2 * n->queues + 2);
	if (n->mtu)
		snprintf(mtu, sizeof(mtu), ",host_mtu=%u", n->mtu);
	r = r ?: cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a,
				       "virtio-net-pci,id=nic-%s,netdev=net-%s,mac=%s,%s,"
				       "disable-legacy=on,romfile=%s%s",
				       n->id, n->id, n->mac, place(n->guest, p->n_nets, where),
				       queues, mtu);
}

/* ---- shares and vsock ---- */

/* By hand: virtiofsd --socket-path VM_DIR/ID.sock --shared-dir PATH. */
static int share(const struct plan *p, const struct plan_share *d, const struct plan_qemu *q,
		 struct cv_strv *a)
{
	_cleanup_free_ char *path = NULL;
	char where[80];

	if (asprintf(&path, "%s/%s.sock", q->vm_dir, d->id) < 0)
		return -ENOMEM;
	int r = socket_client(find_link(q, d->id, 1), d->id, path, a);
	r = r ?: cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a, "vhost-user-fs-pci,id=fs-%s,chardev=%s,tag=%s,%s", d->id,
				       d->id, d->tag, place(d->guest, p->n_shares, where));
}

static int vsock(const struct plan *p, const struct plan_qemu *q, struct cv_strv *a)
{
	const struct plan_link *l = find_link(q, PLAN_VSOCK_ID, 1);
	char fd[24] = "";

	if (!p->vsock_cid)
		return 0;
	if (l)
		snprintf(fd, sizeof(fd), ",vhostfd=%d", l->fds[0]);
	int r = cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a,
				       "vhost-vsock-pci,id=vsock,guest-cid=%u,bus=pcie.0,"
				       "addr=0x%x%s",
				       p->vsock_cid, PLAN_VSOCK_SLOT, fd);
}

int qemu_virtio(const struct plan *p, const struct plan_qemu *q, struct cv_strv *a)
{
	int r = 0;

	for (size_t i = 0; i < p->n_disks && r == 0; i++)
		r = disk(&p->disks[i], q, a);
	for (size_t i = 0; i < p->n_nets && r == 0; i++)
		r = net(p, &p->nets[i], q, a);
	for (size_t i = 0; i < p->n_shares && r == 0; i++)
		r = share(p, &p->shares[i], q, a);
	return r ?: vsock(p, q, a);
}
