// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/topo_tree.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/parse.h"

static const struct cv_column columns[TOPO_N_COLUMNS] = {
	[TOPO_OBJECT] = { .name = "OBJECT", .tree = true },
	[TOPO_NODE] = { .name = "NODE", .right = true },
	[TOPO_GROUP] = { .name = "GROUP", .right = true },
	[TOPO_DRIVER] = { .name = "DRIVER" },
	[TOPO_VFS] = { .name = "VFS", .right = true },
	[TOPO_BARS] = { .name = "BARS" },
	[TOPO_LINK] = { .name = "LINK" },
	[TOPO_ACCESS] = { .name = "ACCESS" },
	[TOPO_INFO] = { .name = "INFO" },
};

/**
 * struct tree - state while rows are added
 * @is_shown: per inventory node: its memory and devices have their rows
 */
struct tree {
	const struct inventory *inv;
	unsigned int parts;
	struct cv_table *table;
	bool *is_shown;
};

/**
 * struct level - one level of the CPU side
 * @key: what CPUs of one row have in common; -1: there is no such level for this CPU
 * @add: adds the row for @cpus (indices of inv->cpus). Return: the row or -ENOMEM.
 */
struct level {
	int (*key)(const struct inv_cpu *c);
	int (*add)(struct tree *t, int key, const struct cv_cpuset *cpus, int parent);
};

const char *topo_size(uint64_t bytes, char buf[TOPO_SIZE_MAX])
{
	static const char units[] = "BKMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && units[unit + 1]; unit++)
		value /= 1024;
	snprintf(buf, TOPO_SIZE_MAX, "%.*f%c", unit == 0 || value >= 100 ? 0 : 1, value,
		 units[unit]);
	return buf;
}

static int add_row(struct tree *t, int parent, const char *object, int node, const char *info)
{
	const char *cells[TOPO_N_COLUMNS] = { [TOPO_OBJECT] = object, [TOPO_INFO] = info };
	char number[16];

	if (node >= 0) {
		snprintf(number, sizeof(number), "%d", node);
		cells[TOPO_NODE] = number;
	}
	return cv_table_add(t->table, parent, cells);
}

static int package_key(const struct inv_cpu *c)
{
	return c->package;
}

static int add_package(struct tree *t, int key, const struct cv_cpuset *cpus, int parent)
{
	char object[32];

	snprintf(object, sizeof(object), "package %d", key);
	return add_row(t, parent, object, -1, NULL);
}

static int node_key(const struct inv_cpu *c)
{
	return c->node;
}

static char *node_info(const struct inv_node *node)
{
	_cleanup_strv_ struct cv_strv parts = { 0 };
	char total[TOPO_SIZE_MAX], free_mem[TOPO_SIZE_MAX], size[CV_SIZE_MAX];

	if (cv_cpuset_is_empty(&node->cpus) && cv_strv_add(&parts, "no CPUs") < 0)
		return NULL;
	if (node->mem_total == 0)
		return cv_strv_add(&parts, "no memory") < 0 ? NULL : cv_strv_join(&parts, "; ");
	if (cv_strv_addf(&parts, "%s memory, %s free", topo_size(node->mem_total, total),
			 topo_size(node->mem_free, free_mem)) < 0)
		return NULL;
	for (size_t i = 0; i < node->n_pools; i++) {
		const struct inv_pool *p = &node->pools[i];

		if (cv_strv_addf(&parts, "%s pages: %llu free of %llu",
				 cv_format_size(p->page_size, size), (unsigned long long)p->free,
				 (unsigned long long)p->total) < 0)
			return NULL;
	}
	return cv_strv_join(&parts, "; ");
}

/* A node that spans packages has a row in each, and its memory only in the first. */
static int add_node(struct tree *t, int key, const struct cv_cpuset *cpus, int parent)
{
	_cleanup_free_ char *info = NULL;
	int node = inv_find_node(t->inv, key);
	char object[32];

	snprintf(object, sizeof(object), "node %d", key);
	if (node < 0 || t->is_shown[node])
		return add_row(t, parent, object, key, NULL);
	info = node_info(&t->inv->nodes[node]);
	return info ? add_row(t, parent, object, key, info) : -ENOMEM;
}

static int l3_key(const struct inv_cpu *c)
{
	return c->l3;
}

static int add_l3(struct tree *t, int key, const struct cv_cpuset *cpus, int parent)
{
	char object[32];

	snprintf(object, sizeof(object), "L3 %d", key);
	return add_row(t, parent, object, -1, NULL);
}

static int core_key(const struct inv_cpu *c)
{
	return c->core;
}

static const char *cpus_lease(const struct inventory *inv, const struct cv_cpuset *ids)
{
	for (size_t i = 0; i < inv->n_leases; i++)
		if (cv_cpuset_intersects(&inv->leases[i].cpus, ids))
			return inv->leases[i].name;
	return NULL;
}

static int add_core(struct tree *t, int key, const struct cv_cpuset *cpus, int parent)
{
	const struct inv_cpu *first = &t->inv->cpus[cv_cpuset_next(cpus, -1)];
	_cleanup_free_ char *list = NULL;
	struct cv_cpuset ids = { 0 };
	char object[128], info[160], kind[24] = "";
	const char *lease;

	CV_CPUSET_FOREACH(i, cpus)
	cv_cpuset_add(&ids, t->inv->cpus[i].id);
	list = cv_format_cpulist(&ids);
	if (!list)
		return -ENOMEM;
	lease = cpus_lease(t->inv, &ids);
	snprintf(object, sizeof(object), "core %d: CPU %s", key, list);
	if (first->kind > 0)
		snprintf(kind, sizeof(kind), " kind %d", first->kind);
	snprintf(info, sizeof(info), "%s%s%s%s%s", lease ? "lease " : "", lease ? lease : "", kind,
		 first->is_isolated ? " isolated" : "", first->is_nohz_full ? " nohz_full" : "");
	return add_row(t, parent, object, first->node, info[0] == ' ' ? info + 1 : info);
}

static const struct level levels[] = {
	{ package_key, add_package },
	{ node_key, add_node },
	{ l3_key, add_l3 },
	{ core_key, add_core },
};

/* Takes the CPUs that share the first one's key out of @rest. Return: that key. */
static int take_group(const struct tree *t, const struct level *l, struct cv_cpuset *rest,
		      struct cv_cpuset *ret)
{
	int key = l->key(&t->inv->cpus[cv_cpuset_next(rest, -1)]);

	*ret = (struct cv_cpuset){ 0 };
	CV_CPUSET_FOREACH(i, rest)
	{
		if (l->key(&t->inv->cpus[i]) == key)
			cv_cpuset_add(ret, i);
	}
	cv_cpuset_andnot(rest, ret);
	return key;
}

/* The devices of a node follow its cores. */
static int add_node_devices(struct tree *t, int key, int row)
{
	int node = inv_find_node(t->inv, key);

	if (node < 0 || t->is_shown[node])
		return 0;
	t->is_shown[node] = true;
	return t->parts & TOPO_DEVICES ? topo_add_bus(t->table, t->inv, key, row) : 0;
}

static int add_level(struct tree *t, size_t depth, const struct cv_cpuset *cpus, int parent)
{
	const struct level *l = &levels[depth];
	struct cv_cpuset rest = *cpus, group;
	int r = 0;

	while (r >= 0 && !cv_cpuset_is_empty(&rest)) {
		int key = take_group(t, l, &rest, &group);
		int row = key < 0 ? parent : l->add(t, key, &group, parent);

		r = key >= 0 && row < 0 ? row : 0;
		if (r == 0 && depth + 1 < CV_ARRAY_SIZE(levels))
			r = add_level(t, depth + 1, &group, row);
		if (r == 0 && l->key == node_key)
			r = add_node_devices(t, key, row);
	}
	return r;
}

static int add_cpus(struct tree *t)
{
	struct cv_cpuset all = { 0 };

	for (size_t i = 0; i < t->inv->n_cpus; i++)
		cv_cpuset_add(&all, (int)i);
	return add_level(t, 0, &all, -1);
}

/* Nodes without CPUs: memory alone, or all of them when CPUs are not asked for. */
static int add_other_nodes(struct tree *t)
{
	for (size_t i = 0; i < t->inv->n_nodes; i++) {
		int row, id = t->inv->nodes[i].id;

		if (t->is_shown[i])
			continue;
		row = t->parts & TOPO_CPUS ? add_node(t, id, NULL, -1) : -1;
		if (t->parts & TOPO_CPUS && row < 0)
			return row;
		row = add_node_devices(t, id, row);
		if (row < 0)
			return row;
	}
	return 0;
}

static bool has_homeless(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].parent < 0 && inv_find_node(inv, inv->devs[i].node) < 0)
			return true;
	return false;
}

static int add_homeless(struct tree *t)
{
	int row;

	if (!(t->parts & TOPO_DEVICES) || !has_homeless(t->inv))
		return 0;
	row = add_row(t, -1, "node unknown", -1, "the firmware does not say where these are");
	return row < 0 ? row : topo_add_bus(t->table, t->inv, -1, row);
}

int topo_tree(const struct inventory *inv, unsigned int parts, struct cv_table **ret)
{
	_cleanup_free_ bool *is_shown = calloc(inv->n_nodes + 1, sizeof(*is_shown));
	_cleanup_(cv_table_freep) struct cv_table *table = NULL;
	struct tree t = { .inv = inv, .parts = parts, .is_shown = is_shown };
	int r;

	if (!is_shown || cv_table_new(columns, TOPO_N_COLUMNS, &table) < 0)
		return -ENOMEM;
	t.table = table;
	r = parts & TOPO_CPUS ? add_cpus(&t) : 0;
	if (r == 0)
		r = add_other_nodes(&t);
	if (r == 0)
		r = add_homeless(&t);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(table);
	return 0;
}
