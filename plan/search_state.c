// SPDX-License-Identifier: GPL-2.0-or-later
/* Around the search for nodes: what each node can give and gave, which nodes and guests are alike. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/search.h"

/* ---- what a node can give ---- */

static bool has_room(const struct search *x, const struct search_node *n, size_t size,
		     uint64_t pages)
{
	uint64_t added = 0;

	if (x->relax & SEARCH_ANY_PAGES)
		return true;
	if (!n->has_pool[size])
		return false;
	for (size_t i = 0; i < x->n_sizes; i++) {
		uint64_t all = n->pages[i] + (i == size ? pages : 0);

		added += all > n->free[i] ? (all - n->free[i]) * x->sizes[i] : 0;
	}
	return added <= n->room;
}

static bool has_cores(const struct search *x, unsigned int node, int kind, unsigned int cores)
{
	const struct search_node *n = &x->nodes[node];
	const struct place_node *place = &x->p->nodes[node];

	if (x->relax & SEARCH_ANY_CORES)
		return true;
	if (n->n_cores + cores > place->n_free)
		return false;
	return kind == PLACE_ANY_KIND || n->cores[kind] + cores <= place->free[kind];
}

bool search_fits(const struct search *x, const struct search_guest *g,
		 const struct search_option *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (!has_cores(x, o->nodes[i], o->kind, o->cores[i]) ||
		    !has_room(x, &x->nodes[o->nodes[i]], g->size, o->pages[i]))
			return false;
	return true;
}

void search_take(struct search *x, unsigned int guest, const struct search_option *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct search_node *n = &x->nodes[o->nodes[i]];

		n->n_cores += o->cores[i];
		if (o->kind != PLACE_ANY_KIND)
			n->cores[o->kind] += o->cores[i];
		n->pages[x->guests[guest].size] += o->pages[i];
	}
	if (x->a)
		search_tables(x, guest, o);
}

void search_give_back(struct search *x, unsigned int guest, const struct search_option *o)
{
	for (size_t i = 0; i < o->n; i++) {
		struct search_node *n = &x->nodes[o->nodes[i]];

		n->n_cores -= o->cores[i];
		if (o->kind != PLACE_ANY_KIND)
			n->cores[o->kind] -= o->cores[i];
		n->pages[x->guests[guest].size] -= o->pages[i];
	}
}

void search_tables(struct search *x, unsigned int guest, const struct search_option *o)
{
	const struct inventory *inv = x->p->inv;
	unsigned int *to = x->distances + guest * inv->n_nodes;

	x->want[guest] = o->want;
	if (!x->a->guests[guest].n)
		return;
	for (size_t n = 0; n < inv->n_nodes; n++) {
		to[n] = PLACE_NO_DISTANCE;
		for (size_t i = 0; i < o->n; i++)
			if ((unsigned int)inv->nodes[n].distances[o->nodes[i]] < to[n])
				to[n] = (unsigned int)inv->nodes[n].distances[o->nodes[i]];
	}
}

void search_pack(struct search *x, struct place_choice *ret_choices, struct search_cost_sum *ret)
{
	struct place_packing packing = { 0 };
	size_t n = 0;

	for (unsigned int g = 0; g < x->n; g++) {
		const struct search_option *o = x->picked[g] < 0
							? NULL
							: &x->guests[g].options[x->picked[g]];
		int *to = ret_choices ? ret_choices[g].cores : NULL;

		for (size_t i = 0; o && i < o->n; i++) {
			x->shares[n++] = (struct place_share){
				.node = o->nodes[i],
				.cores = o->cores[i],
				.kind = o->kind,
				.guest = g,
				.ways = x->specs[g].l3_ways,
				.ret = to,
			};
			to = to ? to + o->cores[i] : NULL;
		}
	}
	if (!(x->relax & SEARCH_ANY_CORES))
		place_pack(x->p, x->shares, n, &packing);
	ret->of[COST_NOISY] = packing.noisy;
	ret->of[COST_L3S] = packing.l3s;
	ret->of[COST_LEFT_L3] = packing.left_l3;
	ret->of[COST_LEFT_NODE] = packing.left_node;
}

/* ---- the start ---- */

static void find_sizes(struct search *x)
{
	for (size_t i = 0; i < x->n; i++) {
		size_t k = 0;

		while (k < x->n_sizes && x->sizes[k] != x->specs[i].page_size)
			k++;
		if (k == x->n_sizes && k < SEARCH_PAGE_SIZES)
			x->sizes[x->n_sizes++] = x->specs[i].page_size;
	}
}

static void fill_nodes(struct search *x)
{
	for (size_t n = 0; n < x->p->inv->n_nodes; n++) {
		uint64_t have = x->p->inv->nodes[n].obtainable;
		uint64_t kept = PLACE_MEM_MARGIN + x->p->mem_taken[n].added;

		x->nodes[n].room = have > kept ? have - kept : 0;
		x->nodes[n].like = (unsigned int)n;
		for (size_t i = 0; i < x->n_sizes; i++) {
			struct place_pages pages = place_free_pages(x->p, (int)n, x->sizes[i]);

			x->nodes[n].free[i] = pages.free;
			x->nodes[n].has_pool[i] = pages.has_pool;
		}
	}
}

static bool is_far_from_devices(const struct search *x, size_t node)
{
	for (size_t i = 0; x->a && i < x->a->n_lists; i++)
		if (x->a->lists[i].nodes[node])
			return false;
	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; k < x->specs[i].n_nodes; k++)
			if (x->specs[i].nodes[k] == x->p->inv->nodes[node].id)
				return false;
	return true;
}

static bool same_distances(const struct inventory *inv, size_t a, size_t b)
{
	const int *x = inv->nodes[a].distances, *y = inv->nodes[b].distances;

	if (x[a] != y[b] || x[b] != y[a])
		return false;
	for (size_t i = 0; i < inv->n_nodes; i++)
		if (i != a && i != b &&
		    (x[i] != y[i] || inv->nodes[i].distances[a] != inv->nodes[i].distances[b]))
			return false;
	return true;
}

static bool same_cores(const struct place *p, size_t a, size_t b)
{
	const struct place_node *x = &p->nodes[a], *y = &p->nodes[b];

	if (x->n_l3s != y->n_l3s)
		return false;
	for (size_t i = 0; i < x->n_l3s; i++)
		if (memcmp(p->l3s[x->l3s + i].free, p->l3s[y->l3s + i].free,
			   sizeof(p->l3s[0].free)) != 0)
			return false;
	return true;
}

/* Nodes that can be exchanged without any difference: of those only one order needs a look. */
static void find_alike(struct search *x)
{
	size_t n_nodes = x->p->inv->n_nodes;

	for (size_t n = 1; n < n_nodes && n_nodes <= 64; n++)
		for (size_t low = 0; low < n; low++) {
			const struct search_node *a = &x->nodes[low], *b = &x->nodes[n];

			if (a->like != low || a->room != b->room ||
			    memcmp(a->free, b->free, sizeof(a->free)) != 0 ||
			    memcmp(a->has_pool, b->has_pool, sizeof(a->has_pool)) != 0 ||
			    !is_far_from_devices(x, low) || !is_far_from_devices(x, n) ||
			    !same_cores(x->p, low, n) || !same_distances(x->p->inv, low, n))
				continue;
			x->nodes[n].like = (unsigned int)low;
			break;
		}
}

static bool same_device(const struct spec_device *a, const struct spec_device *b)
{
	return a->select == b->select && a->has_pf == b->has_pf && a->p2p == b->p2p &&
	       a->accept == b->accept && cv_bdf_cmp(a->bdf, b->bdf) == 0 &&
	       cv_bdf_cmp(a->pf, b->pf) == 0 && strcmp(a->class, b->class) == 0 &&
	       strcmp(a->near, b->near) == 0 && strcmp(a->id, b->id) == 0 &&
	       (a->has_mac || a->vlan) == (b->has_mac || b->vlan);
}

static bool same_spec(const struct spec *a, const struct spec *b)
{
	if (a->cpus != b->cpus || a->memory != b->memory || a->page_size != b->page_size ||
	    a->split != b->split || a->n_nodes != b->n_nodes || a->n_devices != b->n_devices ||
	    a->l3_ways != b->l3_ways ||
	    memcmp(a->nodes, b->nodes, a->n_nodes * sizeof(a->nodes[0])) != 0)
		return false;
	for (size_t i = 0; i < a->n_devices; i++)
		if (!same_device(&a->devices[i], &b->devices[i]))
			return false;
	return true;
}

static int allocate(struct search *x)
{
	size_t n = x->n + 1, n_nodes = x->p->inv->n_nodes + 1;
	size_t n_entries = x->a ? x->a->n_entries + 1 : 1;

	x->guests = calloc(n, sizeof(*x->guests));
	x->nodes = calloc(n_nodes, sizeof(*x->nodes));
	x->picked = malloc(n * sizeof(*x->picked));
	x->best = calloc(n, sizeof(*x->best));
	x->best_devs = calloc(n_entries, sizeof(*x->best_devs));
	x->any_devs = calloc(n_entries, sizeof(*x->any_devs));
	x->rest = calloc(n, sizeof(*x->rest));
	x->shares = calloc(n * PLAN_MAX_NODES, sizeof(*x->shares));
	x->order = calloc(n, sizeof(*x->order));
	x->distance = calloc(n, sizeof(*x->distance));
	x->distances = calloc(n * n_nodes, sizeof(*x->distances));
	x->home = calloc(n, sizeof(*x->home));
	x->want = calloc(n, sizeof(*x->want));
	return x->guests && x->nodes && x->picked && x->best && x->best_devs && x->any_devs &&
			       x->rest && x->shares && x->order && x->distance && x->distances &&
			       x->home && x->want
		       ? 0
		       : -ENOMEM;
}

static int fill_guests(struct search *x)
{
	int r = 0;

	for (unsigned int i = 0; i < x->n && r == 0; i++) {
		struct search_guest *g = &x->guests[i];

		g->s = &x->specs[i];
		g->same_as = i > 0 && same_spec(g->s, &x->specs[i - 1]) ? (int)i - 1 : -1;
		x->picked[i] = -1;
		x->order[i] = i;
		x->distance[i] = x->distances + i * x->p->inv->n_nodes;
		r = search_prepare_guest(x, g);
		x->home[i] = g->home;
	}
	return r;
}

static size_t count_devices(const struct search *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		n += x->specs[i].n_devices;
	return n;
}

int search_init(struct search *x, const struct place *p, const struct spec *specs, size_t n,
		unsigned int relax)
{
	int r = 0;

	*x = (struct search){ .p = p, .specs = specs, .n = n, .relax = relax };
	if (count_devices(x) && !(relax & SEARCH_ANY_DEVICES)) {
		x->a = calloc(1, sizeof(*x->a));
		r = x->a ? assign_init(x->a, p, specs, n) : -ENOMEM;
	}
	if (r == 0)
		r = allocate(x);
	if (r == 0) {
		find_sizes(x);
		fill_nodes(x);
		find_alike(x);
		r = fill_guests(x);
	}
	if (r < 0)
		search_done(x);
	return r;
}

void search_done(struct search *x)
{
	for (size_t i = 0; x->guests && i < x->n; i++) {
		free(x->guests[i].options);
		free(x->guests[i].near);
		free(x->guests[i].home);
		free(x->guests[i].wants);
	}
	if (x->a)
		assign_done(x->a);
	free(x->a);
	free(x->guests);
	free(x->nodes);
	free(x->picked);
	free(x->best);
	free(x->best_devs);
	free(x->any_devs);
	free(x->rest);
	free(x->shares);
	free(x->order);
	free(x->distance);
	free(x->distances);
	free(x->home);
	free(x->want);
	*x = (struct search){ 0 };
}
