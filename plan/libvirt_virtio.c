// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/libvirt_virtio.h"

#include <stdio.h>

#include "plan/placement.h"

static void put_target(struct xml *x, const struct plan_disk *d, size_t index)
{
	xml_open(x, "target");
	xml_attr(x, "dev", "vd%c", (int)('a' + index));
	xml_attr(x, "bus", "virtio");
	xml_close(x);
	if (d->is_readonly) {
		xml_open(x, "readonly");
		xml_close(x);
	}
	if (d->serial[0])
		xml_leaf(x, "serial", "%s", d->serial);
	libvirt_put_address(x, 0, d->guest, false);
}

static void put_served_disk(struct xml *x, const struct plan_disk *d, size_t index)
{
	xml_open(x, "disk");
	xml_attr(x, "type", "vhostuser");
	xml_attr(x, "device", "disk");
	xml_open(x, "driver");
	xml_attr(x, "name", "qemu");
	xml_attr(x, "type", "raw");
	xml_close(x);
	xml_open(x, "source");
	xml_attr(x, "type", "unix");
	xml_attr(x, "path", "%s", d->path);
	xml_close(x);
	put_target(x, d, index);
	xml_close(x);
}

static void put_disk(struct xml *x, const struct plan_disk *d, size_t index)
{
	bool is_device = plan_disk_is_device(d->path);

	if (d->is_vhost_user)
		return put_served_disk(x, d, index);
	xml_open(x, "disk");
	xml_attr(x, "type", is_device ? "block" : "file");
	xml_attr(x, "device", "disk");
	xml_open(x, "driver");
	xml_attr(x, "name", "qemu");
	xml_attr(x, "type", "raw");
	xml_attr(x, "io", "threads");
	xml_attr(x, "discard", d->has_discard ? "unmap" : "ignore");
	xml_close(x);
	xml_open(x, "source");
	xml_attr(x, is_device ? "dev" : "file", "%s", d->path);
	xml_close(x);
	put_target(x, d, index);
	xml_close(x);
}

/* ---- networks ---- */

/* Where it leads. libvirt makes the interface of a bridge, under the name that Carve gives it, too. */
static void put_source(struct xml *x, const struct plan_net *n)
{
	xml_open(x, "source");
	if (n->kind == PLAN_NET_VHOST_USER) {
		xml_attr(x, "type", "unix");
		xml_attr(x, "path", "%s", n->to);
		xml_attr(x, "mode", "client");
	} else {
		xml_attr(x, "bridge", "%s", n->to);
	}
	xml_close(x);
}

static void put_ovs(struct xml *x, const struct plan_net *n)
{
	xml_flag(x, "virtualport", "type", "openvswitch");
	if (!n->vlan)
		return;
	xml_open(x, "vlan");
	xml_open(x, "tag");
	xml_attr(x, "id", "%d", n->vlan);
	xml_close(x);
	xml_close(x);
}

static void put_forwards(struct xml *x, const struct plan_net *n)
{
	for (size_t i = 0; i < n->n_forwards; i++) {
		const struct plan_forward *f = &n->forwards[i];

		xml_open(x, "portForward");
		xml_attr(x, "proto", "%s", f->is_udp ? "udp" : "tcp");
		xml_open(x, "range");
		xml_attr(x, "start", "%u", f->host);
		xml_attr(x, "to", "%u", f->guest);
		xml_close(x);
		xml_close(x);
	}
}

static void put_queues(struct xml *x, const struct plan_net *n)
{
	if (n->queues == 1 && !plan_net_has_tap(n))
		return;
	xml_open(x, "driver");
	if (plan_net_has_tap(n))
		xml_attr(x, "name", "vhost");
	if (n->queues > 1)
		xml_attr(x, "queues", "%u", n->queues);
	xml_close(x);
}

static void put_net(struct xml *x, const struct plan *p, const struct plan_net *n)
{
	static const char *const types[] = {
		[PLAN_NET_BRIDGE] = "bridge",
		[PLAN_NET_OVS] = "bridge",
		[PLAN_NET_PASST] = "user",
		[PLAN_NET_VHOST_USER] = "vhostuser",
	};
	char mtu[12];

	xml_open(x, "interface");
	xml_attr(x, "type", "%s", types[n->kind]);
	if (n->kind == PLAN_NET_PASST)
		xml_flag(x, "backend", "type", "passt");
	else
		put_source(x, n);
	xml_flag(x, "mac", "address", n->mac);
	if (n->kind == PLAN_NET_OVS)
		put_ovs(x, n);
	if (n->tap[0])
		xml_flag(x, "target", "dev", n->tap);
	put_forwards(x, n);
	xml_flag(x, "model", "type", "virtio");
	put_queues(x, n);
	snprintf(mtu, sizeof(mtu), "%u", n->mtu);
	if (n->mtu)
		xml_flag(x, "mtu", "size", mtu);
	xml_flag(x, "rom", "enabled", "no");
	libvirt_put_address(x, 0, n->guest, n->guest.fn == 0 && p->n_nets > 1);
	xml_close(x);
}

/* ---- shares and vsock ---- */

static void put_share(struct xml *x, const struct plan *p, const struct plan_share *d)
{
	xml_open(x, "filesystem");
	xml_attr(x, "type", "mount");
	xml_attr(x, "accessmode", "passthrough");
	xml_flag(x, "driver", "type", "virtiofs");
	xml_flag(x, "source", "dir", d->path);
	xml_flag(x, "target", "dir", d->tag);
	if (d->is_readonly) {
		xml_open(x, "readonly");
		xml_close(x);
	}
	libvirt_put_address(x, 0, d->guest, d->guest.fn == 0 && p->n_shares > 1);
	xml_close(x);
}

static void put_vsock(struct xml *x, const struct plan *p)
{
	if (!p->vsock_cid)
		return;
	xml_open(x, "vsock");
	xml_attr(x, "model", "virtio");
	xml_open(x, "cid");
	xml_attr(x, "auto", "no");
	xml_attr(x, "address", "%u", p->vsock_cid);
	xml_close(x);
	libvirt_put_address(x, 0, (struct cv_bdf){ .dev = PLAN_VSOCK_SLOT }, false);
	xml_close(x);
}

void libvirt_put_virtio(struct xml *x, const struct plan *p)
{
	for (size_t i = 0; i < p->n_disks; i++)
		put_disk(x, &p->disks[i], i);
	for (size_t i = 0; i < p->n_nets; i++)
		put_net(x, p, &p->nets[i]);
	for (size_t i = 0; i < p->n_shares; i++)
		put_share(x, p, &p->shares[i]);
	put_vsock(x, p);
}
