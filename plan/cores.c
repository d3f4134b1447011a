// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPU and memory side of placement: which cores and pages of a node are free, which to pick. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

static size_t count_cores(const struct inventory *inv)
{
	int max = -1;

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].core > max)
			max = inv->cpus[i].core;
	return (size_t)(max + 1);
}

static void fill_cores(struct place *p)
{
	for (size_t i = 0; i < p->n_cores; i++)
		p->cores[i].node = -1;
	for (size_t i = 0; i < p->inv->n_cpus; i++) {
		const struct inv_cpu *cpu = &p->inv->cpus[i];

		if (cpu->core < 0)
			continue;
		struct place_core *core = &p->cores[cpu->core];
		core->node = inv_find_node(p->inv, cpu->node);
		core->l3 = cpu->l3;
		core->package = cpu->package;
		cv_cpuset_add(&core->threads, cpu->id);
	}
}

static bool is_allowed(const struct place *p, const struct place_core *core)
{
	struct cv_cpuset outside = core->threads;

	if (!p->allow || !p->allow->has_cpus)
		return true;
	cv_cpuset_andnot(&outside, &p->allow->cpus);
	return cv_cpuset_is_empty(&outside);
}

static void mark_unusable(struct place *p)
{
	for (size_t i = 0; i < p->n_cores; i++) {
		struct place_core *core = &p->cores[i];

		if (core->node < 0)
			snprintf(core->why, sizeof(core->why), "on no NUMA node");
		else if (!is_allowed(p, core))
			snprintf(core->why, sizeof(core->why), "outside the allowance");
	}
}

static void mark_leased(struct place *p)
{
	for (size_t l = 0; l < p->inv->n_leases; l++)
		for (size_t i = 0; i < p->n_cores; i++)
			if (!p->cores[i].why[0] &&
			    cv_cpuset_intersects(&p->cores[i].threads, &p->inv->leases[l].cpus))
				snprintf(p->cores[i].why, sizeof(p->cores[i].why), "leased by %s",
					 p->inv->leases[l].name);
}

/* The lowest usable cores of each node stay with the host. A core that a guest holds is not usable:
 * the VMM's threads of another one must not run there. */
static void mark_housekeeping(struct place *p)
{
	for (size_t n = 0; n < p->inv->n_nodes; n++) {
		unsigned int left = p->site->housekeeping;

		for (size_t i = 0; i < p->n_cores && left > 0; i++) {
			struct place_core *core = &p->cores[i];

			if (core->node != (int)n || core->why[0])
				continue;
			core->is_housekeeping = true;
			snprintf(core->why, sizeof(core->why), "kept for the host (housekeeping)");
			left--;
		}
	}
}

int place_init(struct place *p, const struct inventory *inv, const struct site *site,
	       const struct plan_allowance *allow)
{
	memset(p, 0, sizeof(*p));
	p->inv = inv;
	p->site = site;
	p->allow = allow;
	p->n_cores = count_cores(inv);
	p->cores = calloc(p->n_cores + 1, sizeof(*p->cores));
	p->mem_taken = calloc(inv->n_nodes + 1, sizeof(*p->mem_taken));
	p->dev_taken = calloc(inv->n_devs + 1, sizeof(*p->dev_taken));
	if (!p->cores || !p->mem_taken || !p->dev_taken) {
		place_done(p);
		return -ENOMEM;
	}
	fill_cores(p);
	mark_unusable(p);
	mark_leased(p);
	mark_housekeeping(p);
	return 0;
}

void place_done(struct place *p)
{
	free(p->cores);
	free(p->mem_taken);
	free(p->dev_taken);
	free(p->vfs);
	memset(p, 0, sizeof(*p));
}

void place_choice_done(struct place_choice *c)
{
	free(c->cores);
	free(c->devs);
	memset(c, 0, sizeof(*c));
}

unsigned int place_free_cores(const struct place *p, int node)
{
	unsigned int n = 0;

	for (size_t i = 0; i < p->n_cores; i++)
		n += p->cores[i].node == node && !p->cores[i].why[0];
	return n;
}

static uint64_t leased_pages(const struct place *p, int node_id, uint64_t page_size)
{
	uint64_t sum = 0;

	for (size_t l = 0; l < p->inv->n_leases; l++) {
		const struct cv_lease *lease = &p->inv->leases[l];

		for (size_t i = 0; i < lease->n_pages; i++)
			if (lease->pages[i].node == node_id &&
			    lease->pages[i].page_size == page_size)
				sum += lease->pages[i].pages;
	}
	return sum;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Pages of a lease count whether its guest has touched them or not (numa/hugepages.h). */
struct place_pages place_free_pages(const struct place *p, int node, uint64_t page_size)
{
	const struct inv_node *n = &p->inv->nodes[node];
	const struct inv_pool *pool = inv_find_pool(n, page_size);
	const struct place_memory *taken = &p->mem_taken[node];

	if (!pool)
		return (struct place_pages){ 0 };
	uint64_t free = pool->free, unleased = less(pool->total, leased_pages(p, n->id, page_size));
	if (free > unleased)
		free = unleased;
	return (struct place_pages){
		.has_pool = true,
		.free = less(free, taken->pool_pages[pool - n->pools]),
		.room = less(n->obtainable, PLACE_MEM_MARGIN + taken->added) / page_size,
	};
}

static bool is_free_in(const struct place *p, size_t core, int node, int l3)
{
	const struct place_core *c = &p->cores[core];

	return c->node == node && c->l3 == l3 && !c->why[0];
}

static unsigned int free_in_l3(const struct place *p, int node, int l3)
{
	unsigned int n = 0;

	for (size_t i = 0; i < p->n_cores; i++)
		n += is_free_in(p, i, node, l3);
	return n;
}

/* The L3 that holds @want with least left over; when none does, the one with most free cores. */
static int best_l3(const struct place *p, int node, unsigned int want, const struct cv_cpuset *used,
		   int *ret)
{
	unsigned int best_free = 0;
	bool found = false;

	for (size_t i = 0; i < p->n_cores; i++) {
		int l3 = p->cores[i].l3;

		if (!is_free_in(p, i, node, l3) || cv_cpuset_has(used, l3 + 1))
			continue;
		unsigned int n = free_in_l3(p, node, l3);
		bool fits = n >= want, best_fits = best_free >= want;
		if (!found || (fits && (!best_fits || n < best_free)) ||
		    (!fits && !best_fits && n > best_free)) {
			best_free = n;
			*ret = l3;
			found = true;
		}
	}
	return found ? 0 : -ENOSPC;
}

/*
 * Takes up to @each cores of one L3 after the other until there are @n.
 * Return: number of L3s used; -ENOSPC, also when an L3 has fewer than @each and @is_even asks for all.
 */
static int pick_by_l3(const struct place *p, int node, unsigned int n, unsigned int each,
		      bool is_even, int *ret)
{
	struct cv_cpuset used = { 0 }; /* L3 numbers + 1, so that "no L3" is 0 */
	unsigned int got = 0;
	int n_l3s = 0;

	for (; got < n; n_l3s++) {
		unsigned int here = 0, want = n - got < each ? n - got : each;
		int l3 = -1;

		if (best_l3(p, node, want, &used, &l3) < 0)
			return -ENOSPC;
		cv_cpuset_add(&used, l3 + 1);
		for (size_t i = 0; i < p->n_cores && here < want; i++) {
			if (is_free_in(p, i, node, l3)) {
				ret[got++] = (int)i;
				here++;
			}
		}
		if (is_even && here < each)
			return -ENOSPC;
	}
	return n_l3s;
}

int place_pick_cores(const struct place *p, int node, unsigned int n, int *ret)
{
	int fewest = pick_by_l3(p, node, n, n, false, ret);

	if (fewest < 0)
		return fewest;
	for (unsigned int k = (unsigned int)fewest; k <= (unsigned int)fewest + 1 && k > 1; k++)
		if (n % k == 0 && pick_by_l3(p, node, n, n / k, true, ret) >= 0)
			return 0;
	return pick_by_l3(p, node, n, n, false, ret) < 0 ? -ENOSPC : 0;
}

static void take_memory(struct place *p, int node, uint64_t bytes, uint64_t page_size)
{
	const struct inv_node *n = &p->inv->nodes[node];
	uint64_t pages = bytes / page_size, free = place_free_pages(p, node, page_size).free;
	uint64_t from_pool = pages < free ? pages : free;
	size_t pool = (size_t)(inv_find_pool(n, page_size) - n->pools);

	p->mem_taken[node].pool_pages[pool] += from_pool;
	p->mem_taken[node].added += (pages - from_pool) * page_size;
}

/* The rest of a group that was accepted as shared goes with the device. */
static void take_device(struct place *p, const struct spec_device *want, int dev)
{
	int members[PLACE_GROUP_MAX];
	size_t n = 0;

	p->dev_taken[dev] = true;
	if (want->accept & SPEC_ACCEPT_SHARED_GROUP)
		n = inv_group_blockers(p->inv, dev, false, members, PLACE_GROUP_MAX);
	for (size_t i = 0; i < n && i < PLACE_GROUP_MAX; i++)
		p->dev_taken[members[i]] = true;
}

int place_take(struct place *p, const struct spec *s, const struct place_choice *c)
{
	struct place_vf *vfs = reallocarray(p->vfs, p->n_vfs + c->n_devs + 1, sizeof(*vfs));

	if (!vfs)
		return -ENOMEM;
	p->vfs = vfs;
	for (size_t i = 0; i < c->n_cores; i++)
		snprintf(p->cores[c->cores[i]].why, sizeof(p->cores[0].why), "given to %s",
			 s->name);
	for (size_t i = 0; i < c->n_nodes; i++)
		take_memory(p, c->nodes[i], s->memory / c->n_nodes, s->page_size);
	p->mem_given += s->memory;
	for (size_t i = 0; i < c->n_devs; i++) {
		if (c->devs[i].dev >= 0)
			take_device(p, &s->devices[i], c->devs[i].dev);
		if (c->devs[i].pf >= 0)
			p->vfs[p->n_vfs++] = (struct place_vf){ c->devs[i].pf,
								c->devs[i].vf_index };
	}
	return 0;
}
