// SPDX-License-Identifier: GPL-2.0-or-later
/* The networks and the vsock of a guest: what they are called on the host, where the guest finds them, and
 * that no two guests have one address. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/name_hash.h"
#include "plan/placement.h"

#define DEFAULT_QUEUES_MAX 4 /* pairs: more need more VMM threads than a guest has for them */
#define NET_MAC_FIRST 0x52   /* locally administered, of one station; VFs have others */
/* CIDs made of names: above those that people give by hand, and positive as a 32-bit number. */
#define CID_FIRST 0x10000u
#define CID_LAST 0x7fffffffu

_Static_assert(SPEC_MAX_NETS == PLAN_MAX_NETS, "each network of a spec has a place in the plan");
_Static_assert(PLAN_MAX_NETS <= 8, "each network has a function of the slot");
_Static_assert(SPEC_MAX_FORWARDS == PLAN_MAX_FORWARDS, "each port of a spec has a place");
_Static_assert(SPEC_NET_QUEUES_MAX == PLAN_NET_QUEUES_MAX, "queues of specs fit into plans");
_Static_assert((int)SPEC_NET_BRIDGE == (int)PLAN_NET_BRIDGE &&
		       (int)SPEC_NET_OVS == (int)PLAN_NET_OVS &&
		       (int)SPEC_NET_PASST == (int)PLAN_NET_PASST &&
		       (int)SPEC_NET_VHOST_USER == (int)PLAN_NET_VHOST_USER,
	       "kinds of specs are kinds of plans");

bool plan_net_has_tap(const struct plan_net *n)
{
	return n->kind == PLAN_NET_BRIDGE || n->kind == PLAN_NET_OVS;
}

/* The name of an interface has 15 characters: too short for that of a guest. */
void plan_tap_name(const char *vm, size_t index, char ret[16])
{
	uint64_t h = name_hash(vm);

	snprintf(ret, 16, "cv%08x-%u", (unsigned int)(uint32_t)(h ^ h >> 32),
		 (unsigned int)index % 10);
}

static uint32_t cid_of(const char *vm)
{
	return CID_FIRST + (uint32_t)(name_hash(vm) % (CID_LAST - CID_FIRST + 1));
}

/* A switch serves one pair unless it was told otherwise. */
static unsigned int queues_of(const struct plan *plan, const struct spec_net *from)
{
	if (from->kind == SPEC_NET_PASST)
		return 1;
	if (from->queues)
		return from->queues;
	if (from->kind == SPEC_NET_VHOST_USER)
		return 1;
	return plan->n_vcpus < DEFAULT_QUEUES_MAX ? (unsigned int)plan->n_vcpus
						  : DEFAULT_QUEUES_MAX;
}

static void set_forwards(struct plan_net *n, const struct spec_net *from)
{
	for (size_t i = 0; i < from->n_forwards && i < PLAN_MAX_FORWARDS; i++) {
		const struct spec_forward *f = &from->forwards[i];

		n->forwards[i] = (struct plan_forward){ f->is_udp, f->host, f->guest };
		n->n_forwards = i + 1;
	}
}

static int set_net(struct plan *plan, const struct spec_net *from, size_t i)
{
	struct plan_net *n = &plan->nets[i];

	n->to = strdup(from->to ? from->to : "");
	if (!n->to)
		return -ENOMEM;
	plan->n_nets = i + 1;
	snprintf(n->id, sizeof(n->id), "%s", from->id);
	n->kind = (enum plan_net_kind)from->kind;
	if (plan_net_has_tap(n))
		plan_tap_name(plan->name, i, n->tap);
	if (from->has_mac)
		cv_format_mac(from->mac, n->mac);
	else
		name_mac(NET_MAC_FIRST, plan->name, n->id, n->mac);
	n->vlan = from->vlan;
	n->mtu = from->mtu;
	n->queues = queues_of(plan, from);
	set_forwards(n, from);
	n->guest = (struct cv_bdf){ .dev = PLAN_NET_SLOT, .fn = (uint8_t)i };
	return 0;
}

int plan_set_nets(struct plan *plan, const struct spec *s)
{
	int r = 0;

	for (size_t i = 0; i < s->n_nets && i < PLAN_MAX_NETS && r == 0; i++)
		r = set_net(plan, &s->nets[i], i);
	if (s->has_vsock)
		plan->vsock_cid = s->vsock_cid ? s->vsock_cid : cid_of(plan->name);
	return r;
}

/* ---- guests of one run ---- */

/** struct pair - two guests, or one with itself: its networks are compared with those before them */
struct pair {
	const struct plan *a, *b;
	struct cv_error *err;
};

static int fail_pair(const struct pair *p, const char *code, const char *object, const char *what,
		     const char *hint)
{
	cv_fail(p->err, -EBUSY, CV_EXIT_BUSY, code, object, "%s", what);
	if (p->a == p->b)
		cv_error_found(p->err, "two networks of guest %s", p->a->name);
	else
		cv_error_found(p->err, "guests %s and %s", p->a->name, p->b->name);
	cv_error_wanted(p->err, "each has its own");
	cv_error_hint(p->err, "%s", hint);
	return -EBUSY;
}

static int fail_port(const struct pair *p, const struct plan_forward *f)
{
	char object[16];

	snprintf(object, sizeof(object), "%s:%u", f->is_udp ? "udp" : "tcp", f->host);
	return fail_pair(p, "PORT_SHARED", object, "a port of the host would lead to two places",
			 "change forward: of one of them");
}

static int check_forwards(const struct pair *p, const struct plan_net *x, const struct plan_net *y)
{
	for (size_t i = 0; i < x->n_forwards; i++) {
		for (size_t k = 0; k < y->n_forwards; k++) {
			const struct plan_forward *f = &x->forwards[i], *g = &y->forwards[k];

			if (f->is_udp == g->is_udp && f->host == g->host)
				return fail_port(p, f);
		}
	}
	return 0;
}

static int check_two(const struct pair *p, const struct plan_net *x, const struct plan_net *y)
{
	if (strcmp(x->mac, y->mac) == 0)
		return fail_pair(p, "MAC_SHARED", x->mac, "two networks would have one MAC address",
				 "give one of them another mac:");
	if (x->tap[0] && strcmp(x->tap, y->tap) == 0)
		return fail_pair(p, "TAP_SHARED", x->tap,
				 "two networks would have one interface of the host: it is made of "
				 "the guest's name",
				 "rename one of the guests");
	if (x->kind == PLAN_NET_VHOST_USER && y->kind == x->kind && strcmp(x->to, y->to) == 0)
		return fail_pair(p, "SOCKET_SHARED", x->to, "a socket serves one interface",
				 "change vhost_user: of one of them");
	return check_forwards(p, x, y);
}

static int check_pair(const struct pair *p)
{
	int r = 0;

	for (size_t i = 0; i < p->b->n_nets && r == 0; i++)
		for (size_t k = 0; k < (p->a == p->b ? i : p->a->n_nets) && r == 0; k++)
			r = check_two(p, &p->a->nets[k], &p->b->nets[i]);
	return r;
}

static int check_vsock(const struct pair *p)
{
	char cid[16];

	if (p->a == p->b || !p->a->vsock_cid || p->a->vsock_cid != p->b->vsock_cid)
		return 0;
	snprintf(cid, sizeof(cid), "%u", p->a->vsock_cid);
	return fail_pair(p, "CID_SHARED", cid, "two guests would have one vsock address (CID)",
			 "give one of them another number: vsock: 3 or above");
}

int plan_check_nets(const struct plan *plans, size_t n, struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		for (size_t k = 0; k <= i && r == 0; k++) {
			struct pair p = { &plans[k], &plans[i], err };

			r = check_pair(&p);
			if (r == 0)
				r = check_vsock(&p);
		}
	}
	return r;
}
