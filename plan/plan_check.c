// SPDX-License-Identifier: GPL-2.0-or-later
/* Do the parts of a plan agree with each other? For plans that come from a file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/guest_tables.h"
#include "plan/spec_share.h"
#include "plan/value.h"

static int check_vcpus(const struct plan *p)
{
	struct cv_cpuset seen[PLAN_MAX_NODES] = { 0 };
	int64_t product = (int64_t)p->packages * p->dies * p->cores;

	if (product > CV_CPU_MAX || product * p->threads != (int64_t)p->n_vcpus)
		return -EINVAL;
	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i];

		if ((size_t)v->guest_node >= p->n_nodes ||
		    !cv_cpuset_has(&p->host_cpus, v->host_cpu))
			return -EINVAL;
		cv_cpuset_add(&seen[v->guest_node], (int)i);
	}
	for (size_t i = 0; i < p->n_nodes; i++)
		if (!cv_cpuset_equal(&seen[i], &p->nodes[i].vcpus))
			return -EINVAL;
	return cv_cpuset_intersects(&p->host_cpus, &p->vmm_cpus) ? -EINVAL : 0;
}

/* A port is below what a port of its kind can be below, on its bus, and on its node. */
static int check_port(const struct plan *p, const struct plan_bridge *b)
{
	static const bool may[PLAN_PORTS][PLAN_PORTS] = {
		[PLAN_ROOT_PORT] = { [PLAN_HOST_BRIDGE] = true },
		[PLAN_SWITCH_UP] = { [PLAN_ROOT_PORT] = true, [PLAN_SWITCH_DOWN] = true },
		[PLAN_SWITCH_DOWN] = { [PLAN_SWITCH_UP] = true },
	};
	const struct plan_bridge *parent;

	if (b->kind == PLAN_HOST_BRIDGE || b->parent < 0)
		return b->kind == PLAN_HOST_BRIDGE && b->parent < 0 ? 0 : -EINVAL;
	parent = &p->bridges[b->parent];
	return may[b->kind][parent->kind] && b->bdf.domain == 0 && b->bdf.bus == parent->bus &&
			       b->guest_node == parent->guest_node
		       ? 0
		       : -EINVAL;
}

/* No bus number and no address twice. */
static int check_bridges(const struct plan *p)
{
	for (size_t i = 0; i < p->n_bridges; i++) {
		if (check_port(p, &p->bridges[i]) < 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (p->bridges[i].bus == p->bridges[k].bus ||
			    (p->bridges[i].parent >= 0 && p->bridges[k].parent >= 0 &&
			     cv_bdf_cmp(p->bridges[i].bdf, p->bridges[k].bdf) == 0))
				return -EINVAL;
	}
	return 0;
}

/* Each device alone behind a port that devices can be behind. */
static int check_devices(const struct plan *p)
{
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		const struct plan_bridge *b = &p->bridges[d->bridge];
		struct cv_bdf here = { 0, b->bus, 0, 0 };

		if ((b->kind != PLAN_ROOT_PORT && b->kind != PLAN_SWITCH_DOWN) ||
		    cv_bdf_cmp(d->guest, here) != 0 || d->guest_node != b->guest_node)
			return -EINVAL;
		for (size_t k = 0; k < p->n_bridges; k++)
			if (p->bridges[k].parent == d->bridge)
				return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (p->devices[k].bridge == d->bridge)
				return -EINVAL;
	}
	return 0;
}

/* Each disk is what its place in the list makes it. */
static int check_disks(const struct plan *p)
{
	for (size_t i = 0; i < p->n_disks; i++) {
		const struct plan_disk *d = &p->disks[i];
		struct cv_bdf here = { .dev = (uint8_t)plan_disk_slot(i) };
		char id[32];

		snprintf(id, sizeof(id), "disk%zu", i);
		if (d->is_vhost_user && (d->is_readonly || d->has_discard || d->serial[0]))
			return -EINVAL;
		if (d->path[0] != '/' || strcmp(d->id, id) != 0 ||
		    cv_bdf_cmp(d->guest, here) != 0 || (d->is_readonly && d->has_discard))
			return -EINVAL;
	}
	return 0;
}

static bool leads_somewhere(const struct plan_net *n)
{
	if (plan_net_has_tap(n))
		return value_is_interface(n->to);
	return n->kind == PLAN_NET_PASST ? !n->to[0] : n->to[0] == '/';
}

/* Only what networks of its kind have (carve-spec(5)). */
static bool fits_kind(const struct plan_net *n)
{
	bool is_passt = n->kind == PLAN_NET_PASST;

	return (!n->vlan || n->kind == PLAN_NET_OVS) && (!n->mtu || plan_net_has_tap(n)) &&
	       (n->queues == 1 || !is_passt) && (n->n_forwards == 0 || is_passt);
}

/* Each network is what its place in the list makes it, and has its own id. */
static int check_nets(const struct plan *p)
{
	for (size_t i = 0; i < p->n_nets; i++) {
		const struct plan_net *n = &p->nets[i];
		struct cv_bdf here = { .dev = PLAN_NET_SLOT, .fn = (uint8_t)i };
		char tap[16] = "";
		uint8_t mac[6];

		if (plan_net_has_tap(n))
			plan_tap_name(p->name, i, tap);
		if (!value_is_id(n->id) || strcmp(n->tap, tap) != 0 || !leads_somewhere(n) ||
		    !fits_kind(n) || cv_bdf_cmp(n->guest, here) != 0 ||
		    cv_parse_mac(n->mac, mac) < 0 || (mac[0] & 1))
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (strcmp(p->nets[k].id, n->id) == 0)
				return -EINVAL;
	}
	return plan_check_nets(p, 1, NULL) < 0 ? -EINVAL : 0;
}

static int check_shares(const struct plan *p)
{
	for (size_t i = 0; i < p->n_shares; i++) {
		const struct plan_share *d = &p->shares[i];
		struct cv_bdf here = { .dev = PLAN_SHARE_SLOT, .fn = (uint8_t)i };
		char id[32];

		snprintf(id, sizeof(id), "share%zu", i);
		if (d->path[0] != '/' || strcmp(d->id, id) != 0 || !spec_tag_is_valid(d->tag) ||
		    cv_bdf_cmp(d->guest, here) != 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++)
			if (strcmp(p->shares[k].tag, d->tag) == 0)
				return -EINVAL;
	}
	return 0;
}

/* Ranges ascend, lie within the address bits, and RAM is the nodes' memory. */
static int check_memory(const struct plan *p)
{
	uint64_t end = 0, sum[PLAN_MAX_NODES] = { 0 }, total = 0;

	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];
		bool has_node = r->kind == PLAN_RAM || r->kind == PLAN_MMIO64;

		if (r->start < end || has_node != (r->guest_node >= 0))
			return -EINVAL;
		end = r->start + r->size; /* both below 2^63 */
		if ((r->kind == PLAN_RAM || r->kind == PLAN_MMIO64) && map_bits(end) > p->phys_bits)
			return -EINVAL;
		if (r->kind != PLAN_RAM)
			continue;
		if (r->start < PLAN_4G && end > p->low_limit)
			return -EINVAL;
		sum[r->guest_node] += r->size;
	}
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (sum[i] != p->nodes[i].memory)
			return -EINVAL;
		total += sum[i];
	}
	if (p->phys_bits_limit && p->phys_bits_limit < p->phys_bits)
		return -EINVAL;
	return p->memlock < total ? -EINVAL : 0;
}

static const struct {
	const char *name;
	int (*check)(const struct plan *p);
} rules[] = {
	{ "vcpus and nodes", check_vcpus },
	{ "bridges and their parents", check_bridges },
	{ "devices and bridges", check_devices },
	{ "disks", check_disks },
	{ "net", check_nets },
	{ "shares", check_shares },
	{ "memory_map and nodes", check_memory },
};

const char *plan_contradiction(const struct plan *p)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(rules); i++)
		if (rules[i].check(p) < 0)
			return rules[i].name;
	return NULL;
}
