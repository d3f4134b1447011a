// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest as hwloc sees it, in the XML of hwloc 2 (hwloc_topology_set_xml(), lstopo -i).
 *
 * Objects nest by their CPUs: vCPUs are split by package, die, L3, core; each part is an object. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/projections.h"
#include "plan/xml.h"

#define CLASS_BRIDGE 0x0604
#define GROUP_KIND_MEMORY 1001 /* hwloc: a group that is there because of a NUMA node */

enum level { LEVEL_PACKAGE, LEVEL_DIE, LEVEL_L3, LEVEL_CORE, LEVEL_PU, N_LEVELS };

/**
 * struct tree - what is written, and where it stands
 * @group_level: level before which a NUMA node is narrower than the object above: a group there
 * @node_done:   the node's object is written
 */
struct tree {
	const struct plan *p;
	struct xml *x;
	size_t n_objects;
	enum level group_level;
	bool node_done[PLAN_MAX_NODES];
	bool has_failed;
};

/* Part of the vCPUs: vCPU numbers, ascending. */
struct part {
	const int *vcpus;
	size_t n;
};

/* ---- attributes ---- */

static char *bitmap(const struct cv_cpuset *set)
{
	size_t top = CV_CPU_MAX / 32, size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	while (top > 1 && (uint32_t)(set->bits[(top - 1) / 2] >> ((top - 1) % 2 * 32)) == 0)
		top--;
	for (size_t w = top; w-- > 0;)
		fprintf(out, "0x%08" PRIx32 "%s", (uint32_t)(set->bits[w / 2] >> (w % 2 * 32)),
			w ? "," : "");
	fclose(out);
	return text;
}

static void put_set(struct tree *t, const char *name, const struct cv_cpuset *set)
{
	_cleanup_free_ char *text = bitmap(set);

	if (text)
		xml_attr(t->x, name, "%s", text);
	else
		t->has_failed = true;
}

static void open_object(struct tree *t, const char *type)
{
	xml_open(t->x, "object");
	xml_attr(t->x, "type", "%s", type);
}

static void put_index(struct tree *t)
{
	xml_attr(t->x, "gp_index", "%zu", ++t->n_objects);
}

static void put_sets(struct tree *t, const struct cv_cpuset *cpus, const struct cv_cpuset *nodes,
		     bool is_machine)
{
	put_set(t, "cpuset", cpus);
	put_set(t, "complete_cpuset", cpus);
	if (is_machine)
		put_set(t, "allowed_cpuset", cpus);
	put_set(t, "nodeset", nodes);
	put_set(t, "complete_nodeset", nodes);
	if (is_machine)
		put_set(t, "allowed_nodeset", nodes);
	put_index(t);
}

static void put_part_sets(struct tree *t, struct part s)
{
	struct cv_cpuset cpus = { 0 }, nodes = { 0 };

	for (size_t i = 0; i < s.n; i++) {
		cv_cpuset_add(&cpus, s.vcpus[i]);
		cv_cpuset_add(&nodes, t->p->vcpus[s.vcpus[i]].guest_node);
	}
	put_sets(t, &cpus, &nodes, false);
}

/* ---- PCI ---- */

/* Is @b a bridge on the way up from @from, or @from itself? */
static bool is_above(const struct plan *p, int b, int from)
{
	while (from >= 0 && from != b)
		from = p->bridges[from].parent;
	return from == b;
}

/* The highest bus below a bridge. */
static unsigned int last_bus(const struct plan *p, int bridge)
{
	unsigned int last = p->bridges[bridge].bus;

	for (size_t i = 0; i < p->n_bridges; i++)
		if (is_above(p, bridge, (int)i) && p->bridges[i].bus > last)
			last = p->bridges[i].bus;
	for (size_t i = 0; i < p->n_devices; i++)
		if (is_above(p, bridge, p->devices[i].bridge) && p->devices[i].guest.bus > last)
			last = p->devices[i].guest.bus;
	return last;
}

/* GB/s as hwloc counts: 8b/10b up to 5 GT/s, 128b/130b from 8 GT/s (PCIe Base 6.0 section 4.2). */
static void put_link(struct tree *t, unsigned int speed, unsigned int width)
{
	/* 0.1 GT/s per lane are 100000 millionths of a Gbit/s before the coding */
	uint64_t bits = (uint64_t)speed * 100000 * width;
	uint64_t micro = (speed < 80 ? bits * 8 / 10 : bits * 128 / 130) / 8;

	xml_attr(t->x, "pci_link_speed", "%" PRIu64 ".%06" PRIu64, micro / 1000000,
		 micro % 1000000);
}

static void put_device(struct tree *t, const struct plan_device *d)
{
	char bdf[CV_BDF_MAX];

	open_object(t, "PCIDev");
	put_index(t);
	xml_attr(t->x, "pci_busid", "%s", cv_format_bdf(d->guest, bdf));
	xml_attr(t->x, "pci_type", "%04x [%04x:%04x] [0000:0000] 00", d->class >> 8, d->vendor,
		 d->device);
	put_link(t, d->link_speed, d->link_width);
	xml_open(t->x, "info");
	xml_attr(t->x, "name", "CarveDevice");
	xml_attr(t->x, "value", "%s", d->id);
	xml_close(t->x);
	xml_close(t->x);
}

static void put_bridge(struct tree *t, int bridge, unsigned int depth)
{
	const struct plan *p = t->p;
	const struct plan_bridge *b = &p->bridges[bridge];
	char bdf[CV_BDF_MAX];

	open_object(t, "Bridge");
	put_index(t);
	xml_attr(t->x, "bridge_type", "%d-1", b->parent < 0 ? 0 : 1);
	xml_attr(t->x, "depth", "%u", depth);
	xml_attr(t->x, "bridge_pci", "%04x:[%02x-%02x]", b->bdf.domain, b->bus,
		 last_bus(p, bridge));
	if (b->parent >= 0) {
		xml_attr(t->x, "pci_busid", "%s", cv_format_bdf(b->bdf, bdf));
		xml_attr(t->x, "pci_type", "%04x [0000:0000] [0000:0000] 00", CLASS_BRIDGE);
		put_link(t, b->link_speed, b->link_width);
	}
	for (size_t i = 0; i < p->n_devices; i++)
		if (p->devices[i].bridge == bridge)
			put_device(t, &p->devices[i]);
	for (size_t i = 0; i < p->n_bridges; i++)
		if (p->bridges[i].parent == bridge)
			put_bridge(t, (int)i, depth + 1);
	xml_close(t->x);
}

/* ---- nodes ---- */

static void put_node(struct tree *t, size_t node)
{
	const struct plan_node *n = &t->p->nodes[node];
	struct cv_cpuset self = { 0 };

	cv_cpuset_add(&self, (int)node);
	t->node_done[node] = true;
	open_object(t, "NUMANode");
	xml_attr(t->x, "os_index", "%zu", node);
	put_sets(t, &n->vcpus, &self, false);
	xml_attr(t->x, "local_memory", "%" PRIu64, n->memory);
	xml_close(t->x);
}

/* The node whose vCPUs are just those of @s; -1: none. */
static int node_of(const struct tree *t, struct part s)
{
	int node = t->p->vcpus[s.vcpus[0]].guest_node;

	for (size_t i = 1; i < s.n; i++)
		if (t->p->vcpus[s.vcpus[i]].guest_node != node)
			return -1;
	return cv_cpuset_count(&t->p->nodes[node].vcpus) == (int)s.n ? node : -1;
}

/* Memory comes first in an object. Return: the node written, -1: none. */
static int put_memory(struct tree *t, struct part s)
{
	int node = node_of(t, s);

	if (node < 0 || t->node_done[node])
		return -1;
	put_node(t, (size_t)node);
	return node;
}

/* A host bridge hangs, after all CPUs, on the object that has the memory of its node. */
static void put_host_bridges(struct tree *t, int node)
{
	for (size_t i = 0; node >= 0 && i < t->p->n_bridges; i++)
		if (t->p->bridges[i].parent < 0 && t->p->bridges[i].guest_node == node)
			put_bridge(t, (int)i, 0);
}

/* ---- CPUs ---- */

static int key(const struct plan_vcpu *v, enum level level)
{
	switch (level) {
	case LEVEL_PACKAGE:
		return v->package;
	case LEVEL_DIE:
		return v->die;
	case LEVEL_L3:
		return v->l3;
	case LEVEL_CORE:
		return v->core;
	default:
		return v->thread;
	}
}

static void put_cache(struct tree *t, struct part s, const char *type, int depth, uint64_t size)
{
	open_object(t, type);
	put_part_sets(t, s);
	xml_attr(t->x, "cache_size", "%" PRIu64, size);
	xml_attr(t->x, "depth", "%d", depth);
	xml_attr(t->x, "cache_linesize", "64");
	xml_attr(t->x, "cache_associativity", "0");
	xml_attr(t->x, "cache_type", "%d", depth == 1); /* 1: data, 0: unified */
}

static void open_named(struct tree *t, struct part s, const char *type, int os_index)
{
	open_object(t, type);
	xml_attr(t->x, "os_index", "%d", os_index);
	put_part_sets(t, s);
}

/* Return: elements that were opened. A core has caches of its own where their size is known. */
static int open_level(struct tree *t, struct part s, enum level level)
{
	const struct plan *p = t->p;
	const struct plan_vcpu *v = &p->vcpus[s.vcpus[0]];
	int n = 1;

	switch (level) {
	case LEVEL_PACKAGE:
		open_named(t, s, "Package", v->package);
		return n;
	case LEVEL_DIE:
		if (p->dies <= 1)
			return 0;
		open_named(t, s, "Die", v->die);
		return n;
	case LEVEL_L3:
		if (v->l3 < 0)
			return 0;
		put_cache(t, s, "L3Cache", 3, p->caches.l3);
		return n;
	case LEVEL_CORE:
		if (p->caches.l2 && ++n)
			put_cache(t, s, "L2Cache", 2, p->caches.l2);
		if (p->caches.l1d && ++n)
			put_cache(t, s, "L1Cache", 1, p->caches.l1d);
		open_named(t, s, "Core", v->core);
		return n;
	default:
		open_named(t, s, "PU", s.vcpus[0]);
		return n;
	}
}

static void put_levels(struct tree *t, struct part s, enum level level);

static void put_part(struct tree *t, struct part s, enum level level)
{
	int opened = open_level(t, s, level);
	int node = opened && level < LEVEL_CORE ? put_memory(t, s) : -1;

	if (level + 1 < N_LEVELS)
		put_levels(t, s, level + 1);
	put_host_bridges(t, node);
	while (opened-- > 0)
		xml_close(t->x);
}

static void put_group(struct tree *t, struct part s, enum level level)
{
	int node = node_of(t, s);

	if (node >= 0 && t->node_done[node]) {
		put_levels(t, s, level);
		return;
	}
	open_object(t, "Group");
	put_part_sets(t, s);
	xml_attr(t->x, "kind", "%d", GROUP_KIND_MEMORY);
	xml_attr(t->x, "subkind", "0");
	node = put_memory(t, s);
	put_levels(t, s, level);
	put_host_bridges(t, node);
	xml_close(t->x);
}

static int split_key(const struct tree *t, int vcpu, enum level level, bool by_node)
{
	const struct plan_vcpu *v = &t->p->vcpus[vcpu];

	return by_node ? v->guest_node : key(v, level);
}

/* Calls @put for each part of @s that has one key, in order of first appearance. */
static void split(struct tree *t, struct part s, enum level level, bool by_node,
		  void (*put)(struct tree *t, struct part s, enum level level))
{
	_cleanup_free_ int *mine = calloc(s.n + 1, sizeof(int));
	_cleanup_free_ bool *done = calloc(s.n + 1, sizeof(bool));

	if (!mine || !done) {
		t->has_failed = true;
		return;
	}
	for (size_t first = 0; first < s.n; first++) {
		struct part part = { mine, 0 };

		if (done[first])
			continue;
		for (size_t i = first; i < s.n; i++) {
			if (done[i] || split_key(t, s.vcpus[i], level, by_node) !=
					       split_key(t, s.vcpus[first], level, by_node))
				continue;
			done[i] = true;
			mine[part.n++] = s.vcpus[i];
		}
		put(t, part, level);
	}
}

static void put_levels(struct tree *t, struct part s, enum level level)
{
	if (level == t->group_level && node_of(t, s) < 0)
		split(t, s, level, true, put_group);
	else
		split(t, s, level, false, put_part);
}

/* The first level at which vCPUs of one node are in different objects. */
static enum level first_below_nodes(const struct plan *p)
{
	for (enum level l = LEVEL_PACKAGE; l < LEVEL_CORE; l++)
		for (size_t i = 1; i < p->n_vcpus; i++)
			if (p->vcpus[i].guest_node == p->vcpus[i - 1].guest_node &&
			    key(&p->vcpus[i], l) != key(&p->vcpus[i - 1], l))
				return l;
	return LEVEL_CORE;
}

/* ---- the machine ---- */

static void put_all_cpus(struct tree *t)
{
	_cleanup_free_ int *all = calloc(t->p->n_vcpus + 1, sizeof(int));
	struct part s = { all, t->p->n_vcpus };
	int node = -1;

	if (!all) {
		t->has_failed = true;
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		all[i] = (int)i;
	if (t->p->packages > 1 && s.n)
		node = put_memory(t, s);
	for (size_t i = 0; i < t->p->n_nodes; i++)
		if (cv_cpuset_is_empty(&t->p->nodes[i].vcpus))
			put_node(t, i);
	if (s.n)
		put_levels(t, s, LEVEL_PACKAGE);
	put_host_bridges(t, node);
	for (size_t i = 0; i < t->p->n_nodes; i++)
		if (cv_cpuset_is_empty(&t->p->nodes[i].vcpus))
			put_host_bridges(t, (int)i);
}

static void put_machine(struct tree *t)
{
	struct cv_cpuset cpus = { 0 }, nodes = { 0 };

	for (size_t i = 0; i < t->p->n_vcpus; i++)
		cv_cpuset_add(&cpus, (int)i);
	for (size_t i = 0; i < t->p->n_nodes; i++)
		cv_cpuset_add(&nodes, (int)i);
	open_object(t, "Machine");
	xml_attr(t->x, "os_index", "0");
	put_sets(t, &cpus, &nodes, true);
	xml_open(t->x, "info");
	xml_attr(t->x, "name", "HostName");
	xml_attr(t->x, "value", "%s", t->p->name);
	xml_close(t->x);
	put_all_cpus(t);
	xml_close(t->x);
}

/* hwloc takes the length of the text with it. */
static void put_numbers(struct xml *x, const char *name, const char *text)
{
	xml_open(x, name);
	xml_attr(x, "length", "%zu", strlen(text));
	xml_text(x, "%s", text);
	xml_close(x);
}

static void put_distances(struct xml *x, const struct plan *p)
{
	char ids[PLAN_MAX_NODES * 4 + 1] = "", values[PLAN_MAX_NODES * PLAN_MAX_NODES * 5 + 1] = "";
	size_t id_at = 0, at = 0;

	if (p->n_nodes < 2)
		return;
	for (size_t i = 0; i < p->n_nodes; i++) {
		id_at += (size_t)snprintf(ids + id_at, sizeof(ids) - id_at, "%zu ", i);
		for (size_t j = 0; j < p->n_nodes; j++)
			at += (size_t)snprintf(values + at, sizeof(values) - at, "%d ",
					       p->nodes[i].distances[j]);
	}
	xml_open(x, "distances2");
	xml_attr(x, "type", "NUMANode");
	xml_attr(x, "nbobjs", "%zu", p->n_nodes);
	xml_attr(x, "kind", "5"); /* from the operating system, latencies */
	xml_attr(x, "name", "NUMALatency");
	xml_attr(x, "indexing", "os");
	put_numbers(x, "indexes", ids);
	put_numbers(x, "u64values", values);
	xml_close(x);
}

char *plan_hwloc_xml(const struct plan *p)
{
	struct tree t = { .p = p, .x = xml_new("topology", "hwloc2.dtd") };

	if (!t.x)
		return NULL;
	t.group_level = first_below_nodes(p);
	xml_open(t.x, "topology");
	xml_attr(t.x, "version", "2.0");
	put_machine(&t);
	put_distances(t.x, p);
	_cleanup_free_ char *text = xml_finish(t.x);
	return t.has_failed ? NULL : TAKE_PTR(text);
}
