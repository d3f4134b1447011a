// SPDX-License-Identifier: GPL-2.0-or-later
/* CPUs and NUMA nodes as sysfs shows them (Documentation/admin-guide/cputopology.rst). */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/fake/machine_model.h"

#define CPU "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"
#define KIB(bytes) ((unsigned long long)((bytes) >> 10))

/** enum share - what two CPUs can have in common */
enum share { SHARE_CORE, SHARE_L2, SHARE_L3, SHARE_DIE, SHARE_PACKAGE };

static bool shares(const struct machine_cpu *a, const struct machine_cpu *b, enum share what)
{
	switch (what) {
	case SHARE_CORE:
		return a->core == b->core;
	case SHARE_L2:
		return a->l2 == b->l2;
	case SHARE_L3:
		return a->l3 == b->l3;
	case SHARE_DIE:
		return a->package == b->package && a->die == b->die;
	default:
		return a->package == b->package;
	}
}

static struct cv_cpuset sharers(const struct machine *m, int cpu, enum share what)
{
	struct cv_cpuset set = { 0 };

	for (int i = 0; i < m->n_cpus; i++)
		if (shares(&m->cpus[cpu], &m->cpus[i], what))
			cv_cpuset_add(&set, i);
	return set;
}

/* Both spellings: "core_cpus" as a map, "core_cpus_list" as a list */
static void put_set(const struct machine *m, struct machine_out *o, int cpu, const char *name,
		    const struct cv_cpuset *set)
{
	machine_put_mask(o, set, m->n_cpus, CPU "/cpu%d/topology/%s", cpu, name);
	machine_put_list(o, set, CPU "/cpu%d/topology/%s_list", cpu, name);
}

static void put_topology(const struct machine *m, struct machine_out *o, int i)
{
	const struct machine_cpu *c = &m->cpus[i];
	const struct cv_cpuset core = sharers(m, i, SHARE_CORE), l2 = sharers(m, i, SHARE_L2),
			       die = sharers(m, i, SHARE_DIE),
			       package = sharers(m, i, SHARE_PACKAGE);

	put_set(m, o, i, "core_cpus", &core);
	put_set(m, o, i, "thread_siblings", &core);
	put_set(m, o, i, "package_cpus", &package);
	put_set(m, o, i, "core_siblings", &package);
	put_set(m, o, i, "cluster_cpus", &l2);
	machine_put_int(o, c->core_id, CPU "/cpu%d/topology/core_id", i);
	machine_put_int(o, c->package, CPU "/cpu%d/topology/physical_package_id", i);
	machine_put_int(o, c->l2, CPU "/cpu%d/topology/cluster_id", i);
	if (m->host.arch != MACHINE_X86)
		return;
	put_set(m, o, i, "die_cpus", &die);
	machine_put_int(o, c->die, CPU "/cpu%d/topology/die_id", i);
}

/** struct cache - one of a CPU's */
struct cache {
	int level, id;
	const char *type;
	uint64_t size;
	unsigned int ways;
	enum share share;
};

static void put_cache(const struct machine *m, struct machine_out *o, int cpu, int index,
		      const struct cache *c)
{
	const struct cv_cpuset set = sharers(m, cpu, c->share);
	char dir[64];

	snprintf(dir, sizeof(dir), CPU "/cpu%d/cache/index%d", cpu, index);
	machine_put_int(o, 64, "%s/coherency_line_size", dir);
	machine_put_int(o, c->id, "%s/id", dir);
	machine_put_int(o, c->level, "%s/level", dir);
	machine_put_int(o, (long long)(c->size / 64 / c->ways), "%s/number_of_sets", dir);
	machine_put_int(o, 1, "%s/physical_line_partition", dir);
	machine_put_list(o, &set, "%s/shared_cpu_list", dir);
	machine_put_mask(o, &set, m->n_cpus, "%s/shared_cpu_map", dir);
	machine_put_int(o, c->ways, "%s/ways_of_associativity", dir);
	char text[40];

	snprintf(text, sizeof(text), "%lluK\n", KIB(c->size));
	machine_put(o, text, "%s/size", dir);
	snprintf(text, sizeof(text), "%s\n", c->type);
	machine_put(o, text, "%s/type", dir);
}

static void put_caches(const struct machine *m, struct machine_out *o, int i)
{
	const struct machine_cpu *c = &m->cpus[i];
	const struct cache caches[] = {
		{ 1, c->core, "Data", c->l1d, 8, SHARE_CORE },
		{ 1, c->core, "Instruction", c->l1i, 8, SHARE_CORE },
		{ 2, c->l2, "Unified", c->l2_size, 8, SHARE_L2 },
		{ 3, c->l3, "Unified", c->l3_size, 16, SHARE_L3 },
	};

	for (int k = 0, index = 0; k < (int)CV_ARRAY_SIZE(caches); k++)
		if (caches[k].size > 0 && caches[k].id >= 0)
			put_cache(m, o, i, index++, &caches[k]);
}

static void put_frequency(const struct machine *m, struct machine_out *o, int i)
{
	static const int max_khz[MACHINE_KINDS] = { 5600000, 4300000, 2500000 };
	char text[MACHINE_TEXT + 2];

	snprintf(text, sizeof(text), "%s\n", m->host.governor);
	machine_put(o, text, CPU "/cpu%d/cpufreq/scaling_governor", i);
	machine_put_int(o, max_khz[m->cpus[i].kind], CPU "/cpu%d/cpufreq/cpuinfo_max_freq", i);
}

/* Hybrid x86: the kernel has one PMU per kind of core; it shows no cpu_capacity there. */
static void put_kinds(const struct machine *m, struct machine_out *o)
{
	static const char *const names[MACHINE_KINDS] = { "cpu_core", "cpu_atom", "cpu_lowpower" };
	struct cv_cpuset kinds[CV_ARRAY_SIZE(names)] = { 0 };

	for (int i = 0; i < m->n_cpus; i++)
		cv_cpuset_add(&kinds[m->cpus[i].kind], i);
	if (cv_cpuset_is_empty(&kinds[1]))
		return;
	for (size_t k = 0; k < CV_ARRAY_SIZE(names); k++)
		if (!cv_cpuset_is_empty(&kinds[k]))
			machine_put_list(o, &kinds[k], "sys/devices/%s/cpus", names[k]);
}

static void put_line(struct machine_out *o, const char *text, const char *path)
{
	char line[MACHINE_TEXT + 2];

	snprintf(line, sizeof(line), "%s\n", text);
	machine_put(o, line, "%s", path);
}

static bool has_siblings(const struct machine *m)
{
	for (int i = 0; i < m->n_cpus; i++)
		if (m->cpus[i].has_siblings)
			return true;
	return false;
}

static void put_idle(struct machine_out *o)
{
	static const struct {
		const char *name;
		int latency;
	} states[] = { { "POLL", 0 }, { "C1", 1 }, { "C2", 100 } };

	put_line(o, "acpi_idle", CPU "/cpuidle/current_driver");
	for (int i = 0; i < (int)CV_ARRAY_SIZE(states); i++) {
		char path[64];

		snprintf(path, sizeof(path), CPU "/cpu0/cpuidle/state%d/name", i);
		put_line(o, states[i].name, path);
		machine_put_int(o, states[i].latency, CPU "/cpu0/cpuidle/state%d/latency", i);
		machine_put_int(o, 0, CPU "/cpu0/cpuidle/state%d/disable", i);
	}
}

void machine_write_cpus(const struct machine *m, struct machine_out *o)
{
	const struct cv_cpuset all = machine_all_cpus(m);

	machine_put_list(o, &all, CPU "/online");
	machine_put_list(o, &all, CPU "/possible");
	machine_put_list(o, &all, CPU "/present");
	put_line(o, m->host.isolated, CPU "/isolated");
	put_line(o, m->host.nohz_full[0] ? m->host.nohz_full : "  (null)", CPU "/nohz_full");
	machine_put_int(o, has_siblings(m), CPU "/smt/active");
	put_line(o, has_siblings(m) ? "on" : "notsupported", CPU "/smt/control");
	put_idle(o);
	for (int i = 0; i < m->n_cpus; i++) {
		put_topology(m, o, i);
		put_caches(m, o, i);
		put_frequency(m, o, i);
		if (i > 0)
			machine_put_int(o, 1, CPU "/cpu%d/online", i);
	}
	put_kinds(m, o);
}

/* nodes */

static void put_pool(struct machine_out *o, int node, unsigned long long kib,
		     const struct machine_pool *p)
{
	char dir[96];

	snprintf(dir, sizeof(dir), NODE "/node%d/hugepages/hugepages-%llukB", node, kib);
	machine_put_int(o, (long long)p->total, "%s/nr_hugepages", dir);
	machine_put_int(o, (long long)p->free, "%s/free_hugepages", dir);
	machine_put_int(o, (long long)p->surplus, "%s/surplus_hugepages", dir);
}

static void put_meminfo(const struct machine *m, struct machine_out *o, int id)
{
	const struct machine_node *n = &m->nodes[id];
	/* Half of what is neither free nor in a pool is cache that the kernel can drop. */
	uint64_t pools = (n->small.total << 21) + (n->large.total << 30);
	uint64_t used = n->memory - n->free, cache = used > pools ? (used - pools) / 2 : 0;
	const struct {
		const char *field, *unit;
		unsigned long long value;
	} lines[] = {
		{ "MemTotal", " kB", KIB(n->memory) },
		{ "MemFree", " kB", KIB(n->free) },
		{ "MemUsed", " kB", KIB(used) },
		{ "FilePages", " kB", KIB(cache) },
		{ "AnonPages", " kB", KIB(cache) },
		{ "Shmem", " kB", 0 },
		{ "SReclaimable", " kB", 0 },
		{ "HugePages_Total", "", n->small.total },
		{ "HugePages_Free", "", n->small.free },
		{ "HugePages_Surp", "", n->small.surplus },
	};
	char text[1024], *p = text;

	for (size_t i = 0; i < CV_ARRAY_SIZE(lines); i++)
		p += sprintf(p, "Node %d %s: %llu%s\n", id, lines[i].field, lines[i].value,
			     lines[i].unit);
	machine_put(o, text, NODE "/node%d/meminfo", id);
}

static void put_distances(const struct machine *m, struct machine_out *o, int id)
{
	char text[MACHINE_MAX_NODES * 4 + 2], *p = text;

	for (int i = 0; i < MACHINE_MAX_NODES; i++)
		if (m->nodes[i].is_there)
			p += sprintf(p, "%s%d", p > text ? " " : "", m->nodes[id].distances[i]);
	sprintf(p, "\n");
	machine_put(o, text, NODE "/node%d/distance", id);
}

static void put_node(const struct machine *m, struct machine_out *o, int id)
{
	const struct machine_node *n = &m->nodes[id];

	machine_put_list(o, &n->cpus, NODE "/node%d/cpulist", id);
	machine_put_mask(o, &n->cpus, m->n_cpus, NODE "/node%d/cpumap", id);
	put_meminfo(m, o, id);
	put_distances(m, o, id);
	/* Linux has pools on nodes with memory only. */
	if (n->memory == 0)
		return;
	put_pool(o, id, 2048, &n->small);
	put_pool(o, id, 1048576, &n->large);
}

void machine_write_nodes(const struct machine *m, struct machine_out *o)
{
	struct cv_cpuset all = { 0 }, with_cpus = { 0 }, with_memory = { 0 };

	for (int i = 0; i < MACHINE_MAX_NODES; i++) {
		if (!m->nodes[i].is_there)
			continue;
		put_node(m, o, i);
		cv_cpuset_add(&all, i);
		if (!cv_cpuset_is_empty(&m->nodes[i].cpus))
			cv_cpuset_add(&with_cpus, i);
		if (m->nodes[i].memory > 0)
			cv_cpuset_add(&with_memory, i);
	}
	machine_put_list(o, &all, NODE "/online");
	machine_put_list(o, &all, NODE "/possible");
	machine_put_list(o, &with_cpus, NODE "/has_cpu");
	machine_put_list(o, &with_memory, NODE "/has_memory");
	machine_put_list(o, &with_memory, NODE "/has_normal_memory");
}
