// SPDX-License-Identifier: GPL-2.0-or-later
/* What is free when planning starts: each core with the reason why not, counted by node and L3. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/cache.h"
#include "plan/placement.h"

#define OUR_CGROUP "/carve" /* partitions below it are those of leases */

static size_t count_cores(const struct inventory *inv)
{
	int max = -1;

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].core > max)
			max = inv->cpus[i].core;
	return (size_t)(max + 1);
}

static int clamp_kind(int kind)
{
	if (kind < 0)
		return 0;
	return kind < PLACE_MAX_KINDS ? kind : PLACE_MAX_KINDS - 1;
}

static void fill_core(struct place_core *core, const struct inv_cpu *cpu, int node)
{
	bool is_quiet = cpu->is_isolated || cpu->is_nohz_full;

	core->is_quiet = core->node == INT32_MIN ? is_quiet : core->is_quiet && is_quiet;
	core->node = node;
	core->l3 = cpu->l3;
	core->package = cpu->package;
	core->kind = clamp_kind(cpu->kind);
	cv_cpuset_add(&core->threads, cpu->id);
}

static void fill_cores(struct place *p)
{
	int id = -1, node = -1; /* CPUs of one node are neighbours mostly */

	for (size_t i = 0; i < p->n_cores; i++)
		p->cores[i].node = INT32_MIN;
	for (size_t i = 0; i < p->inv->n_cpus; i++) {
		const struct inv_cpu *cpu = &p->inv->cpus[i];

		if (cpu->core < 0)
			continue;
		if (cpu->node != id)
			node = inv_find_node(p->inv, cpu->node);
		id = cpu->node;
		fill_core(&p->cores[cpu->core], cpu, node);
	}
	for (size_t i = 0; i < p->n_cores; i++)
		if (p->cores[i].node < 0)
			p->cores[i].node = -1;
}

static void mark(struct place_core *core, const char *why, const char *who)
{
	if (!core->why[0])
		snprintf(core->why, sizeof(core->why), "%s%s", why, who);
}

/* Every core that has a thread in @cpus, or, with @is_inside false, one outside. */
static void mark_cpus(struct place *p, const struct cv_cpuset *cpus, bool is_inside,
		      const char *why, const char *who)
{
	for (size_t i = 0; i < p->inv->n_cpus; i++) {
		const struct inv_cpu *cpu = &p->inv->cpus[i];

		if (cpu->core >= 0 && cv_cpuset_has(cpus, cpu->id) == is_inside)
			mark(&p->cores[cpu->core], why, who);
	}
}

static bool is_foreign(const struct inv_partition *part)
{
	size_t len = strlen(OUR_CGROUP);

	if (strcmp(part->path, "/") == 0)
		return false; /* the root has what nobody else has */
	return strncmp(part->path, OUR_CGROUP, len) != 0 ||
	       (part->path[len] && part->path[len] != '/');
}

static void mark_unusable(struct place *p)
{
	const struct inventory *inv = p->inv;

	for (size_t i = 0; i < p->n_cores; i++)
		if (p->cores[i].node < 0)
			mark(&p->cores[i], "on no NUMA node", "");
	if (p->allow && p->allow->has_cpus)
		mark_cpus(p, &p->allow->cpus, false, "outside the allowance", "");
	for (size_t i = 0; i < inv->n_leases; i++)
		mark_cpus(p, &inv->leases[i].cpus, true, "leased by ", inv->leases[i].name);
	for (size_t i = 0; i < inv->n_partitions; i++)
		if (is_foreign(&inv->partitions[i]))
			mark_cpus(p, &inv->partitions[i].cpus, true, "in the cpuset partition of ",
				  inv->partitions[i].path);
}

/* ---- the index by node and L3 ---- */

static int by_place(const void *a, const void *b, void *cores)
{
	int x = *(const int *)a, y = *(const int *)b;
	const struct place_core *c = (struct place_core *)cores + x;
	const struct place_core *d = (struct place_core *)cores + y;

	if (c->node != d->node)
		return c->node < d->node ? -1 : 1;
	if (c->l3 != d->l3)
		return c->l3 < d->l3 ? -1 : 1;
	return x < y ? -1 : x > y;
}

static bool starts_l3(const struct place *p, size_t i)
{
	const struct place_core *c = &p->cores[p->by_l3[i]];
	const struct place_core *before = i ? &p->cores[p->by_l3[i - 1]] : NULL;

	return !before || before->node != c->node || before->l3 != c->l3;
}

static void index_l3(struct place *p, size_t first)
{
	const struct place_core *c = &p->cores[p->by_l3[first]];
	struct place_node *node = &p->nodes[c->node];

	if (node->n_l3s++ == 0)
		node->l3s = p->n_l3s;
	node->has_cores = true;
	p->l3s[p->n_l3s++] = (struct place_l3){ .node = c->node, .l3 = c->l3, .cores = first };
}

static void index_cores(struct place *p)
{
	size_t skip = 0;

	for (size_t i = 0; i < p->n_cores; i++)
		p->by_l3[i] = (int)i;
	qsort_r(p->by_l3, p->n_cores, sizeof(*p->by_l3), by_place, p->cores);
	while (skip < p->n_cores && p->cores[p->by_l3[skip]].node < 0)
		skip++;
	for (size_t i = skip; i < p->n_cores; i++) {
		if (starts_l3(p, i))
			index_l3(p, i);
		p->l3s[p->n_l3s - 1].n_cores++;
	}
}

/* The lowest usable cores of each node stay with the host, those first that are not quiet. A core that a
 * guest holds is not usable: the VMM's threads of another one must not run there. */
static unsigned int keep_cores(struct place *p, const struct place_node *node, bool is_quiet,
			       unsigned int left)
{
	int lowest;

	for (; left > 0; left--) {
		lowest = -1;
		for (size_t l = node->l3s; l < node->l3s + node->n_l3s; l++)
			for (size_t i = 0; i < p->l3s[l].n_cores; i++) {
				int core = p->by_l3[p->l3s[l].cores + i];

				if (!p->cores[core].why[0] && p->cores[core].is_quiet == is_quiet &&
				    (lowest < 0 || core < lowest))
					lowest = core;
			}
		if (lowest < 0)
			return left;
		p->cores[lowest].is_housekeeping = true;
		mark(&p->cores[lowest], "kept for the host (housekeeping)", "");
	}
	return 0;
}

static void count_free(struct place *p)
{
	for (size_t l = 0; l < p->n_l3s; l++) {
		struct place_l3 *l3 = &p->l3s[l];
		struct place_node *node = &p->nodes[l3->node];

		for (size_t i = 0; i < l3->n_cores; i++) {
			const struct place_core *c = &p->cores[p->by_l3[l3->cores + i]];

			if (c->kind >= (int)p->n_kinds)
				p->n_kinds = (unsigned int)c->kind + 1;
			if (c->why[0])
				continue;
			p->has_quiet |= c->is_quiet;
			l3->free[c->kind][c->is_quiet]++;
			node->free[c->kind]++;
			node->n_free++;
		}
	}
}

static int allocate(struct place *p)
{
	p->cores = calloc(p->n_cores + 1, sizeof(*p->cores));
	p->by_l3 = calloc(p->n_cores + 1, sizeof(*p->by_l3));
	p->l3s = calloc(p->n_cores + 1, sizeof(*p->l3s));
	p->scratch = calloc(p->n_cores + 1, sizeof(*p->scratch));
	p->nodes = calloc(p->inv->n_nodes + 1, sizeof(*p->nodes));
	p->mem_taken = calloc(p->inv->n_nodes + 1, sizeof(*p->mem_taken));
	return p->cores && p->by_l3 && p->l3s && p->scratch && p->nodes && p->mem_taken ? 0
											: -ENOMEM;
}

int place_init(struct place *p, const struct inventory *inv, const struct site *site,
	       const struct plan_allowance *allow)
{
	memset(p, 0, sizeof(*p));
	p->inv = inv;
	p->site = site;
	p->allow = allow;
	p->n_cores = count_cores(inv);
	p->n_kinds = 1;
	p->max_ways = plan_max_ways(&inv->host.resctrl);
	int r = allocate(p);
	if (r == 0)
		r = place_init_devices(p);
	if (r < 0) {
		place_done(p);
		return r;
	}
	fill_cores(p);
	mark_unusable(p);
	index_cores(p);
	for (size_t n = 0; n < inv->n_nodes; n++)
		keep_cores(p, &p->nodes[n], true,
			   keep_cores(p, &p->nodes[n], false, site->housekeeping));
	count_free(p);
	return 0;
}

void place_done(struct place *p)
{
	free(p->cores);
	free(p->by_l3);
	free(p->l3s);
	free(p->scratch);
	free(p->nodes);
	free(p->mem_taken);
	free(p->dev_taken);
	free(p->by_group);
	free(p->group_at);
	free(p->by_pf);
	free(p->vf_at);
	free(p->vfs);
	memset(p, 0, sizeof(*p));
}

void place_choice_done(struct place_choice *c)
{
	free(c->cores);
	free(c->devs);
	memset(c, 0, sizeof(*c));
}
