// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"

const char *const plan_cases[] = { "one-node-one-vf", "two-nodes", "smt",
				   "intel",	      "epyc",	   "networks" };
const size_t n_plan_cases = CV_ARRAY_SIZE(plan_cases);

/* The demo: a NIC VF and an NVMe VF on one node. */
static void one_node(struct inventory *inv, struct spec *s)
{
	ib_emulated(inv, false);
	*s = ib_spec("demo", 2, IB_1G, IB_2M);
	ib_want_vf(s, IB_IGB1)->vlan = 100;
}

static void two_nodes(struct inventory *inv, struct spec *s)
{
	ib_emulated(inv, false);
	*s = ib_spec("wide", 4, 2 * IB_1G, IB_1G);
	s->nodes[1] = 1;
	s->n_nodes = 2;
	ib_want_vf(s, IB_IGB0);
	ib_want_vf_class(s, "nvme");
	ib_want_bdf(s, IB_EDU_ROOT)->accept = SPEC_ACCEPT_NO_RESET;
	snprintf(ib_want_disk(s, "/srv/images/wide,root.img")->serial, SPEC_DISK_SERIAL, "root");
	s->disks[0].has_discard = true;
	ib_want_disk(s, "/dev/vg0/data")->is_readonly = true;
}

static void smt(struct inventory *inv, struct spec *s)
{
	ib_emulated(inv, true);
	*s = ib_spec("smt", 3, IB_1G, IB_2M);
	s->rt_priority = 2;
}

static void intel(struct inventory *inv, struct spec *s)
{
	one_node(inv, s);
	snprintf(inv->host.cpu_vendor, sizeof(inv->host.cpu_vendor), "GenuineIntel");
	snprintf(s->name, sizeof(s->name), "intel");
}

static void epyc(struct inventory *inv, struct spec *s)
{
	ib_epyc(inv);
	*s = ib_spec("epyc", 6, 4 * IB_1G, IB_1G);
	ib_want_class(s, "gpu");
	snprintf(ib_want_vf_class(s, "net")->near, sizeof(s->devices[1].near), "dev0");
}

/* A disk that another program serves, one network of each kind, with what each can have, and paths that QEMU has to be told with care. */
static void networks(struct inventory *inv, struct spec *s)
{
	struct spec_net *n;

	ib_emulated(inv, false);
	*s = ib_spec("networks", 2, IB_1G, IB_2M);
	ib_want_disk(s, "/run/spdk/vhost,0")->is_vhost_user = true;
	snprintf(ib_want_net(s, SPEC_NET_BRIDGE, "br0")->id, sizeof(s->nets->id), "lan");
	n = ib_want_net(s, SPEC_NET_OVS, "ovs-int");
	n->has_mac = true;
	memcpy(n->mac, (uint8_t[]){ 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, sizeof(n->mac));
	n->vlan = 100;
	n->mtu = 9000;
	n->queues = 1;
	n = ib_want_net(s, SPEC_NET_PASST, "");
	n->forwards[0] = (struct spec_forward){ .host = 2222, .guest = 22 };
	n->forwards[1] = (struct spec_forward){ .is_udp = true, .host = 5353, .guest = 53 };
	n->n_forwards = 2;
	ib_want_net(s, SPEC_NET_VHOST_USER, "/run/ovs,dpdk/guest.sock")->queues = 3;
	ib_want_share(s, "/scratch/project", "project");
	ib_want_share(s, "/srv/software,2025", "software")->is_readonly = true;
	s->has_vsock = true;
}

void plan_case(const char *name, struct plan *ret)
{
	static void (*const makers[])(struct inventory * inv,
				      struct spec * s) = { one_node, two_nodes, smt,
							   intel,    epyc,	networks };
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_site_ struct site site = ib_site();
	_cleanup_spec_ struct spec spec = { 0 };
	struct cv_error err = { 0 };

	for (size_t i = 0; i < n_plan_cases; i++)
		if (strcmp(plan_cases[i], name) == 0)
			makers[i](&inv, &spec);
	if (plan_make(&inv, &site, &spec, 1, NULL, ret, &err) < 0)
		fail_msg("%s: %s (%s)", name, err.what, err.found);
}
