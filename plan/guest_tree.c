// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guest sees of PCI: its devices, and a PCIe tree with the switches of the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "plan/guest_tables.h"
#include "plan/name_hash.h"

#define VF_MAC_FIRST 0x02 /* locally administered, of one station */

/* ---- devices ---- */

static int guest_node_of(const struct plan *plan, const struct place *p, int host_node)
{
	int from = host_node < 0 ? -1 : inv_find_node(p->inv, host_node);
	int best = 0, best_distance = INT32_MAX;

	for (size_t i = 0; from >= 0 && i < plan->n_nodes; i++) {
		int to = inv_find_node(p->inv, plan->nodes[i].host_node);
		int d = p->inv->nodes[from].distances[to];

		if (d < best_distance) {
			best = (int)i;
			best_distance = d;
		}
	}
	return best;
}

/* Width as it is, speed as it can be: an idle link runs slower until it is used. */
static unsigned int link_speed(const struct inv_link *l)
{
	return l->max_speed ? l->max_speed : l->speed;
}

static unsigned int link_width(const struct inv_link *l)
{
	return l->width ? l->width : l->max_width;
}

/* The link of a VF is that of its PF (SR-IOV 1.1 section 3.5.6). */
static void fill_bus(const struct inventory *inv, const struct place_dev *dev,
		     struct plan_device *d)
{
	const struct inv_link *l = &inv->devs[dev->pf >= 0 ? dev->pf : dev->dev].link;
	struct map_demand need = map_demand_of(inv, dev);

	d->mmio32 = need.mmio32;
	d->mmio64 = need.mmio64;
	d->link_speed = link_speed(l);
	d->link_width = link_width(l);
}

static void fill_device(struct plan *plan, const struct place *p, const struct spec_device *want,
			const struct place_dev *dev, struct plan_device *d)
{
	const struct inv_dev *host = &p->inv->devs[dev->dev >= 0 ? dev->dev : dev->pf];

	snprintf(d->id, sizeof(d->id), "%s", want->id);
	d->host = dev->bdf;
	d->host_node = dev->node;
	d->guest_node = guest_node_of(plan, p, dev->node);
	d->is_vf = dev->pf >= 0;
	d->is_new = dev->dev < 0;
	d->vf_index = dev->vf_index;
	d->vendor = host->vendor;
	d->device = d->is_new ? host->sriov.vf_device : host->device;
	d->class = host->class;
	d->clique = dev->clique;
	d->vlan = want->vlan;
	d->accept = want->accept;
	snprintf(d->class_name, sizeof(d->class_name), "%s", inv_class_name(host));
	if (!d->is_new)
		snprintf(d->driver, sizeof(d->driver), "%s", host->driver);
	if (d->is_vf)
		d->pf = p->inv->devs[dev->pf].bdf;
	fill_bus(p->inv, dev, d);
	if (want->has_mac)
		cv_format_mac(want->mac, d->mac);
	else if (d->is_vf && strcmp(d->class_name, "net") == 0)
		name_mac(VF_MAC_FIRST, plan->name, want->id, d->mac);
}

static int explain_device(struct plan *plan, const struct place *p, const struct plan_device *d)
{
	char bdf[CV_BDF_MAX], pf[CV_BDF_MAX];
	const struct plan_node *node = &plan->nodes[d->guest_node];
	int from = inv_find_node(p->inv, d->host_node), to = inv_find_node(p->inv, node->host_node);

	cv_format_bdf(d->host, bdf);
	if (d->host_node < 0)
		return plan_add_reason(plan, bdf,
				       "for %s; its NUMA node is unknown (-1): placed on "
				       "guest node 0",
				       d->id);
	if (d->is_vf)
		return plan_add_reason(plan, bdf,
				       "for %s: VF %d of %s, node %d, distance %d to the cores",
				       d->id, d->vf_index, cv_format_bdf(d->pf, pf), d->host_node,
				       from < 0 ? -1 : p->inv->nodes[from].distances[to]);
	return plan_add_reason(plan, bdf, "for %s: node %d, distance %d to the cores", d->id,
			       d->host_node, from < 0 ? -1 : p->inv->nodes[from].distances[to]);
}

/* ---- the PCIe tree ---- */

#define FIRST_BUS 0x20	/* of the first host bridge, while all buses fit above it */
#define MAX_LEVELS 8	/* switches above each other */
#define MAX_PORTS_UP 64 /* ports that are looked at above a function */
#define ROOT_SLOTS 31	/* of a host bridge: slot 0 is used only when functions are */
#define SWITCH_SLOTS 32

/** struct level - one switch of the host above a function: inventory indices, -1 none */
struct level {
	int up, down;
};

/** struct above - ports of the host above a function; levels from the root down */
struct above {
	int root;
	struct level levels[MAX_LEVELS];
	size_t n;
};

struct tree {
	struct plan *plan;
	const struct inventory *inv;
	const struct place_choice *c;
	unsigned int n_kind[PLAN_SWITCH_DOWN + 1];
};

static void add_above(struct above *a, const struct inventory *inv, int port)
{
	struct level *last = a->n ? &a->levels[a->n - 1] : NULL;

	if (inv->devs[port].port == INV_PORT_ROOT)
		a->root = port;
	else if (inv->devs[port].port == INV_PORT_UPSTREAM && a->n < MAX_LEVELS &&
		 (!last || last->down >= 0))
		a->levels[a->n++] = (struct level){ port, -1 };
	else if (inv->devs[port].port == INV_PORT_DOWNSTREAM && last && last->down < 0)
		last->down = port;
}

/* A VF is where its PF is. Other bridges than ports are transparent: the guest has none of them. */
static void look_above(const struct inventory *inv, const struct place_dev *dev, struct above *ret)
{
	int chain[MAX_PORTS_UP];
	size_t n = 0;

	*ret = (struct above){ .root = -1 };
	for (int i = inv->devs[dev->pf >= 0 ? dev->pf : dev->dev].parent;
	     i >= 0 && n < MAX_PORTS_UP; i = inv->devs[i].parent)
		chain[n++] = i;
	while (n > 0)
		add_above(ret, inv, chain[--n]);
}

static int add_bridge(struct tree *t, enum plan_port kind, int parent, int guest_node, int host)
{
	static const char *const names[] = { "pxb", "rp", "up", "dn" };
	int index = (int)t->plan->n_bridges++;
	struct plan_bridge *b = &t->plan->bridges[index];

	*b = (struct plan_bridge){ .kind = kind, .parent = parent, .guest_node = guest_node };
	snprintf(b->id, sizeof(b->id), "%s%u", names[kind],
		 kind == PLAN_HOST_BRIDGE ? (unsigned int)guest_node : t->n_kind[kind]++);
	if (host >= 0) {
		b->has_host = true;
		b->host = t->inv->devs[host].bdf;
		b->link_speed = link_speed(&t->inv->devs[host].link);
		b->link_width = link_width(&t->inv->devs[host].link);
	}
	return index;
}

/* The guest's copy of a switch, by the address of its upstream port. */
static int find_switch(const struct tree *t, int guest_node, int up)
{
	for (size_t i = 0; i < t->plan->n_bridges; i++) {
		const struct plan_bridge *b = &t->plan->bridges[i];

		if (b->kind == PLAN_SWITCH_UP && b->guest_node == guest_node && b->has_host &&
		    cv_bdf_cmp(b->host, t->inv->devs[up].bdf) == 0)
			return (int)i;
	}
	return -1;
}

/* A port of its own for device @i, below copies of the switches that are above it on the host. */
static void add_device(struct tree *t, int pxb, size_t i)
{
	struct plan_device *d = &t->plan->devices[i];
	int node = d->guest_node, at = -1, port = -1;
	struct above a;

	look_above(t->inv, &t->c->devs[i], &a);
	port = a.root;
	for (size_t l = 0; l < a.n; l++) {
		int up = find_switch(t, node, a.levels[l].up);

		if (up < 0) {
			up = l == 0 ? add_bridge(t, PLAN_ROOT_PORT, pxb, node, port)
				    : add_bridge(t, PLAN_SWITCH_DOWN, at, node, port);
			up = add_bridge(t, PLAN_SWITCH_UP, up, node, a.levels[l].up);
		}
		at = up;
		port = a.levels[l].down;
	}
	d->bridge = at < 0 ? add_bridge(t, PLAN_ROOT_PORT, pxb, node, port)
			   : add_bridge(t, PLAN_SWITCH_DOWN, at, node, port);
}

static unsigned int count_children(const struct plan *p, int bridge)
{
	unsigned int n = 0;

	for (size_t i = 0; i < p->n_bridges; i++)
		n += p->bridges[i].parent == bridge;
	return n;
}

/* Firmware numbers depth first, in slot order: each port takes the next bus, then those below it do
 * (SeaBIOS pci_bios_init_bus_rec(), PCI Firmware 3.3 section 3.5). Return: the last bus given. */
static unsigned int number_buses(struct plan *p, int bridge, unsigned int bus)
{
	struct plan_bridge *b = &p->bridges[bridge];
	unsigned int slots = b->kind == PLAN_HOST_BRIDGE ? ROOT_SLOTS : SWITCH_SLOTS;
	unsigned int per_slot = count_children(p, bridge) > slots ? 8 : 1, k = 0, last = bus;
	unsigned int first = b->kind == PLAN_HOST_BRIDGE && per_slot == 1 ? 1 : 0;

	b->bus = (uint8_t)bus;
	for (size_t i = (size_t)bridge + 1; i < p->n_bridges; i++) {
		if (p->bridges[i].parent != bridge)
			continue;
		p->bridges[i].bdf = (struct cv_bdf){ 0, (uint8_t)bus,
						     (uint8_t)(first + k / per_slot),
						     (uint8_t)(k % per_slot) };
		last = number_buses(p, (int)i, last + 1);
		k++;
	}
	return last;
}

/* Each bridge takes one bus number: a host bridge its root bus, a port the bus below it. */
static int number_all(struct plan *plan, struct cv_error *err)
{
	unsigned int bus = plan->n_bridges <= 0x100 - FIRST_BUS
				   ? FIRST_BUS
				   : 0x100 - (unsigned int)plan->n_bridges;

	if (plan->n_bridges > PLAN_MAX_BUSES) {
		cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "TOO_MANY_DEVICES", plan->name,
			"the guest's PCIe tree needs more bus numbers than there are");
		cv_error_found(err, "%zu bus numbers for %zu devices, their ports and %zu nodes",
			       plan->n_bridges, plan->n_devices, plan->n_nodes);
		cv_error_wanted(err, "at most %d", PLAN_MAX_BUSES);
		cv_error_hint(err, "give the guest fewer devices");
		return -ENOSPC;
	}
	for (size_t i = 0; i < plan->n_bridges; i++)
		if (plan->bridges[i].kind == PLAN_HOST_BRIDGE)
			bus = number_buses(plan, (int)i, bus) + 1;
	for (size_t i = 0; i < plan->n_devices; i++)
		plan->devices[i].guest = (struct cv_bdf){
			0, plan->bridges[plan->devices[i].bridge].bus, 0, 0
		};
	return 0;
}

/* One host bridge for each guest node that has devices; the first device of a node brings it. */
static int make_tree(struct plan *plan, const struct place *p, const struct place_choice *c,
		     struct cv_error *err)
{
	struct tree t = { plan, p->inv, c, { 0 } };

	plan->bridges = calloc(plan->n_nodes + plan->n_devices * 2 * (MAX_LEVELS + 1) + 1,
			       sizeof(*plan->bridges));
	if (!plan->bridges)
		return -ENOMEM;
	for (size_t n = 0; n < plan->n_nodes; n++) {
		int pxb = -1;

		for (size_t i = 0; i < plan->n_devices; i++) {
			if (plan->devices[i].guest_node != (int)n)
				continue;
			if (pxb < 0)
				pxb = add_bridge(&t, PLAN_HOST_BRIDGE, -1, (int)n, -1);
			add_device(&t, pxb, i);
		}
	}
	return number_all(plan, err);
}

int plan_set_devices(struct plan *plan, const struct place *p, const struct spec *s,
		     const struct place_choice *c, struct cv_error *err)
{
	plan->devices = calloc(c->n_devs + 1, sizeof(*plan->devices));
	if (!plan->devices)
		return -ENOMEM;
	plan->n_devices = c->n_devs;
	for (size_t i = 0; i < c->n_devs; i++) {
		fill_device(plan, p, &s->devices[i], &c->devs[i], &plan->devices[i]);
		int r = explain_device(plan, p, &plan->devices[i]);
		if (r < 0)
			return r;
	}
	int r = make_tree(plan, p, c, err);
	return r == 0 ? plan_set_memory_map(plan, p, c, err) : r;
}
