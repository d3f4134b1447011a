// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages of the nodes, and what a guest takes of everything. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

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

static void take_memory(struct place *p, int node, uint64_t pages, uint64_t page_size)
{
	const struct inv_node *n = &p->inv->nodes[node];
	uint64_t free = place_free_pages(p, node, page_size).free;
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

static struct place_l3 *find_l3(struct place *p, const struct place_core *core)
{
	const struct place_node *node = &p->nodes[core->node];

	for (size_t l = node->l3s; l < node->l3s + node->n_l3s; l++)
		if (p->l3s[l].l3 == core->l3)
			return &p->l3s[l];
	return NULL;
}

static void take_core(struct place *p, struct place_core *core, const char *name)
{
	struct place_node *node = &p->nodes[core->node];

	find_l3(p, core)->free[core->kind][core->is_quiet]--;
	node->free[core->kind]--;
	node->n_free--;
	snprintf(core->why, sizeof(core->why), "given to %s", name);
}

int place_take(struct place *p, const struct spec *s, const struct place_choice *c)
{
	struct place_vf *vfs = reallocarray(p->vfs, p->n_vfs + c->n_devs + 1, sizeof(*vfs));

	if (!vfs)
		return -ENOMEM;
	p->vfs = vfs;
	for (size_t i = 0; i < c->n_cores; i++)
		take_core(p, &p->cores[c->cores[i]], s->name);
	for (size_t i = 0; i < c->n_nodes; i++)
		take_memory(p, c->nodes[i], c->node_pages[i], s->page_size);
	for (size_t i = 0; i < c->n_devs; i++) {
		if (c->devs[i].dev >= 0)
			take_device(p, &s->devices[i], c->devs[i].dev);
		if (c->devs[i].pf >= 0)
			p->vfs[p->n_vfs++] = (struct place_vf){ c->devs[i].pf,
								c->devs[i].vf_index };
	}
	return 0;
}
