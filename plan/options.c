// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways to place one guest: sets of nodes with the share of each, by what they cost at least. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/search.h"

#define MAX_SETS 512 /* of one size, and vectors of device numbers: large machines have millions */

/* ---- one option ---- */

static uint64_t spread_of(const struct inventory *inv, const struct search_option *o)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < o->n; i++)
		for (size_t k = 0; k < o->n; k++)
			if (i != k)
				sum += (uint64_t)inv->nodes[o->nodes[i]].distances[o->nodes[k]];
	return sum;
}

static uint64_t distance_of(const struct search *x, const struct search_guest *g,
			    const struct search_option *o)
{
	size_t n_nodes = x->p->inv->n_nodes;
	uint64_t sum = 0;

	for (size_t e = 0; g->near && e < g->s->n_devices; e++) {
		unsigned int best = UINT32_MAX;

		for (size_t i = 0; i < o->n; i++)
			if (g->near[e * n_nodes + o->nodes[i]] < best)
				best = g->near[e * n_nodes + o->nodes[i]];
		sum += best;
	}
	return sum;
}

static int grow(struct search_guest *g)
{
	size_t max = g->max_options ? 2 * g->max_options : 32;
	struct search_option *grown = reallocarray(g->options, max, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	g->options = grown;
	g->max_options = max;
	return 0;
}

static int add_kind(struct search *x, struct search_guest *g, struct search_option *o, int kind)
{
	o->kind = kind;
	o->slow = 0;
	for (size_t i = 0; i < o->n && kind > 0; i++)
		o->slow += (uint64_t)kind * o->cores[i];
	if (!search_fits(x, g, o))
		return 0;
	if (g->n_options == g->max_options && grow(g) < 0)
		return -ENOMEM;
	o->seq = (unsigned int)g->n_options;
	g->options[g->n_options++] = *o;
	return 0;
}

/* Once for each kind of core, and once for all kinds together where there are several. */
static int add_option(struct search *x, struct search_guest *g, struct search_option *o,
		      bool is_full)
{
	int r = 0;

	o->spread = spread_of(x->p->inv, o);
	o->distance = distance_of(x, g, o);
	for (int kind = 0; kind < (int)x->p->n_kinds && r == 0; kind++)
		r = add_kind(x, g, o, kind);
	if (r == 0 && is_full && x->p->n_kinds > 1)
		r = add_kind(x, g, o, PLACE_ANY_KIND);
	return r;
}

/* ---- even shares ---- */

static bool divides(const struct spec *s, size_t nodes)
{
	return s->cpus % nodes == 0 && s->memory / s->page_size % nodes == 0;
}

static struct search_option even_option(const struct spec *s, const int *nodes, size_t n,
					const uint16_t *want)
{
	struct search_option o = { .n = (unsigned int)n, .want = want };

	for (size_t i = 0; i < n; i++) {
		o.nodes[i] = (uint16_t)nodes[i];
		o.cores[i] = s->cpus / (unsigned int)n;
		o.pages[i] = s->memory / s->page_size / n;
	}
	return o;
}

/**
 * struct sets - sets of one size out of the nodes that have the share free
 * @left: how many may still be looked at
 */
struct sets {
	struct search *x;
	struct search_guest *g;
	const uint16_t *want;
	bool is_full;
	int *fit;
	size_t n_fit;
	size_t size;
	size_t left;
	int set[PLAN_MAX_NODES];
};

static int add_set(struct sets *t)
{
	struct search_option o = even_option(t->g->s, t->set, t->size, t->want);

	return add_option(t->x, t->g, &o, t->is_full);
}

static int all_sets(struct sets *t, size_t from, size_t have)
{
	int r = 0;

	if (have == t->size) {
		if (t->left == 0)
			return 0;
		t->left--;
		return add_set(t);
	}
	for (size_t i = from; i + (t->size - have) <= t->n_fit && t->left && r == 0; i++) {
		t->set[have] = t->fit[i];
		r = all_sets(t, i + 1, have + 1);
	}
	return r;
}

static bool is_in(const int *set, size_t n, int node)
{
	for (size_t i = 0; i < n; i++)
		if (set[i] == node)
			return true;
	return false;
}

static uint64_t added_spread(const struct sets *t, size_t have, int node)
{
	const struct inventory *inv = t->x->p->inv;
	uint64_t sum = 0;

	for (size_t i = 0; i < have; i++)
		sum += (uint64_t)inv->nodes[node].distances[t->set[i]] +
		       (uint64_t)inv->nodes[t->set[i]].distances[node];
	return sum;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/*
 * Too many sets to look at all of them: around each node those nearest to it. Of those that are as near
 * the ones that follow it come first: sets around nodes far from each other have none in common, so that
 * several guests find room side by side.
 */
static int near_sets(struct sets *t)
{
	int r = 0;

	for (size_t first = 0; first < t->n_fit && r == 0; first++) {
		t->set[0] = t->fit[first];
		for (size_t have = 1; have < t->size; have++) {
			uint64_t least = UINT64_MAX;

			for (size_t k = 1; k < t->n_fit; k++) {
				size_t i = (first + k) % t->n_fit;
				uint64_t d = is_in(t->set, have, t->fit[i])
						     ? UINT64_MAX
						     : added_spread(t, have, t->fit[i]);

				if (d < least) {
					least = d;
					t->set[have] = t->fit[i];
				}
			}
		}
		qsort(t->set, t->size, sizeof(t->set[0]), by_number);
		r = add_set(t);
	}
	return r;
}

static bool is_many(size_t n, size_t size)
{
	uint64_t sets = 1;

	for (size_t i = 1; i <= size; i++) {
		sets = sets * (n - size + i) / i;
		if (sets > MAX_SETS)
			return true;
	}
	return false;
}

static int sets_of_size(struct sets *t)
{
	int r = 0;

	t->n_fit = 0;
	for (int i = 0; i < (int)t->x->p->inv->n_nodes; i++) {
		struct search_option o = even_option(t->g->s, &i, 1, NULL);

		o.cores[0] = t->g->s->cpus / (unsigned int)t->size;
		o.pages[0] = t->g->s->memory / t->g->s->page_size / t->size;
		o.kind = PLACE_ANY_KIND;
		if (search_fits(t->x, t->g, &o))
			t->fit[t->n_fit++] = i;
	}
	if (t->n_fit < t->size)
		return 0;
	t->left = MAX_SETS;
	if (is_many(t->n_fit, t->size)) {
		t->g->is_limited = true;
		r = near_sets(t);
		t->left = MAX_SETS / 8;
	}
	return r < 0 ? r : all_sets(t, 0, 0);
}

static int named_set(struct sets *t)
{
	const struct spec *s = t->g->s;

	for (size_t i = 0; i < s->n_nodes; i++)
		t->set[i] = inv_find_node(t->x->p->inv, s->nodes[i]);
	t->size = s->n_nodes;
	return divides(s, t->size) ? add_set(t) : 0;
}

static int even_options(struct search *x, struct search_guest *g, bool is_full,
			const uint16_t *want)
{
	_cleanup_free_ int *fit = calloc(x->p->inv->n_nodes + 1, sizeof(*fit));
	struct sets t = { .x = x, .g = g, .want = want, .is_full = is_full, .fit = fit };
	size_t before = g->n_options;

	if (!fit)
		return -ENOMEM;
	if (g->s->n_nodes)
		return named_set(&t);
	for (t.size = 1; t.size <= x->p->inv->n_nodes && t.size <= PLAN_MAX_NODES; t.size++) {
		int r = divides(g->s, t.size) ? sets_of_size(&t) : 0;

		if (r < 0)
			return r;
		if (g->n_options > before && !is_full)
			return 0;
	}
	return 0;
}

/* ---- split: devices ---- */

/* Largest remainder, and at least one each. Return: false when there are fewer than @n. */
static bool divide(uint64_t total, const uint16_t *weights, size_t n, uint64_t *ret)
{
	uint64_t sum = 0, left = total;
	bool had[PLAN_MAX_NODES] = { false };

	for (size_t i = 0; i < n; i++)
		sum += weights[i];
	if (total < n || sum == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		ret[i] = total / sum * weights[i] + total % sum * weights[i] / sum;
		left -= ret[i];
	}
	for (; left > 0; left--) {
		size_t best = n;

		for (size_t i = 0; i < n; i++)
			if (!had[i] && (best == n || total % sum * weights[i] % sum >
							     total % sum * weights[best] % sum))
				best = i;
		had[best] = true;
		ret[best]++;
	}
	for (size_t i = 0; i < n; i++) {
		size_t most = 0;

		for (size_t k = 1; k < n; k++)
			most = ret[k] > ret[most] ? k : most;
		if (ret[i] == 0) {
			ret[most]--;
			ret[i]++;
		}
	}
	return true;
}

static int add_split(struct search *x, struct search_guest *g, const uint16_t *want, bool is_full)
{
	struct search_option o = { .want = want };
	uint16_t weights[PLAN_MAX_NODES];
	uint64_t cores[PLAN_MAX_NODES];

	for (size_t i = 0; i < (g->s->n_nodes ? g->s->n_nodes : x->p->inv->n_nodes); i++) {
		int node = g->s->n_nodes ? inv_find_node(x->p->inv, g->s->nodes[i]) : (int)i;

		if (!g->s->n_nodes && !want[node])
			continue;
		if (o.n == PLAN_MAX_NODES)
			return 0;
		weights[o.n] = want[node];
		o.nodes[o.n++] = (uint16_t)node;
	}
	if (want[x->p->inv->n_nodes] == g->s->n_devices)
		return even_options(x, g, is_full, want); /* the node of none is known */
	if (!divide(g->s->cpus, weights, o.n, cores) ||
	    !divide(g->s->memory / g->s->page_size, weights, o.n, o.pages))
		return 0;
	for (size_t i = 0; i < o.n; i++)
		o.cores[i] = (unsigned int)cores[i];
	return add_option(x, g, &o, is_full);
}

static bool is_known(const uint16_t *wants, size_t n, size_t width, const uint16_t *want)
{
	for (size_t i = 0; i < n; i++)
		if (memcmp(wants + i * width, want, width * sizeof(*want)) == 0)
			return true;
	return false;
}

/* All numbers of devices per home that the candidates of the first entries allow, then of one more. */
static size_t extend(const struct search *x, const struct search_guest *g, size_t entry,
		     const uint16_t *from, size_t n, uint16_t *to)
{
	size_t nodes = x->p->inv->n_nodes, width = nodes + 1, n_to = 0;
	const struct assign_guest *ag = &x->a->guests[g - x->guests];
	const struct assign_list *l = &x->a->lists[x->a->entries[ag->first + entry].list];

	for (size_t i = 0; i < n; i++)
		for (size_t node = 0; node <= nodes && n_to < MAX_SETS; node++) {
			size_t home = node == nodes ? nodes : (size_t)g->home[node];
			uint16_t *want = to + n_to * width;

			if (!l->nodes[node])
				continue;
			memcpy(want, from + i * width, width * sizeof(*want));
			want[home]++;
			n_to += !is_known(to, n_to, width, want);
		}
	return n_to;
}

static int split_options(struct search *x, struct search_guest *g, bool is_full)
{
	size_t width = x->p->inv->n_nodes + 1, n = 1;
	uint16_t *from = calloc((MAX_SETS + 1) * width, sizeof(*from));
	uint16_t *to = calloc((MAX_SETS + 1) * width, sizeof(*to));
	int r = from && to ? 0 : -ENOMEM;

	for (size_t e = 0; e < g->s->n_devices && r == 0; e++) {
		uint16_t *last = from;

		n = extend(x, g, e, from, n, to);
		g->is_limited |= n == MAX_SETS;
		from = to;
		to = last;
	}
	free(to);
	free(g->wants);
	g->wants = from;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_split(x, g, from + i * width, is_full);
	return r;
}

/* ---- all of them ---- */

static int by_cost(const void *a, const void *b)
{
	const struct search_option *x = a, *y = b;
	uint64_t costs[][2] = {
		{ x->kind == PLACE_ANY_KIND, y->kind == PLACE_ANY_KIND },
		{ x->n, y->n },
		{ x->distance, y->distance },
		{ x->spread, y->spread },
		{ x->slow, y->slow },
		{ x->seq, y->seq },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(costs); i++)
		if (costs[i][0] != costs[i][1])
			return costs[i][0] < costs[i][1] ? -1 : 1;
	return 0;
}

static bool is_split(const struct search *x, const struct spec *s)
{
	return s->split == SPEC_SPLIT_DEVICES && s->n_devices &&
	       !(x->relax & (SEARCH_ANY_DEVICES | SEARCH_ANY_SHARES));
}

int search_make_options(struct search *x, struct search_guest *g, bool is_full)
{
	int r;

	g->n_options = 0;
	g->is_limited = false;
	if (g->size >= SEARCH_PAGE_SIZES)
		return 0;
	r = is_split(x, g->s) ? split_options(x, g, is_full) : even_options(x, g, is_full, NULL);
	if (g->n_options)
		qsort(g->options, g->n_options, sizeof(*g->options), by_cost);
	return r;
}

/* Devices of a node without cores count for the nearest one that has some, or that the spec names. */
static int find_home(const struct search *x, const struct spec *s, size_t node)
{
	const struct inventory *inv = x->p->inv;
	int best = -1;

	for (size_t i = 0; i < (s->n_nodes ? s->n_nodes : inv->n_nodes); i++) {
		int to = s->n_nodes ? inv_find_node(inv, s->nodes[i]) : (int)i;
		const int *d = inv->nodes[node].distances;

		if (!s->n_nodes && !x->p->nodes[to].has_cores)
			continue;
		if (best < 0 || d[to] < d[best] || (d[to] == d[best] && to == (int)node))
			best = to;
	}
	return best < 0 ? 0 : best;
}

static unsigned int nearest(const struct search *x, const struct assign_list *l, size_t to)
{
	const struct inventory *inv = x->p->inv;
	unsigned int best = l->n ? PLACE_NO_DISTANCE : 0;

	for (size_t i = 0; i < inv->n_nodes; i++)
		if (l->nodes[i] && (unsigned int)inv->nodes[i].distances[to] < best)
			best = (unsigned int)inv->nodes[i].distances[to];
	return best;
}

int search_prepare_guest(struct search *x, struct search_guest *g)
{
	const struct assign_guest *ag = x->a ? &x->a->guests[g - x->guests] : NULL;
	size_t n_nodes = x->p->inv->n_nodes;

	for (g->size = 0; g->size < x->n_sizes; g->size++)
		if (x->sizes[g->size] == g->s->page_size)
			break;
	if (!ag || !g->s->n_devices)
		return 0;
	g->near = calloc(g->s->n_devices * n_nodes + 1, sizeof(*g->near));
	g->home = calloc(n_nodes + 1, sizeof(*g->home));
	if (!g->near || !g->home)
		return -ENOMEM;
	for (size_t e = 0; e < g->s->n_devices; e++)
		for (size_t n = 0; n < n_nodes; n++)
			g->near[e * n_nodes + n] = nearest(
				x, &x->a->lists[x->a->entries[ag->first + e].list], n);
	for (size_t n = 0; n < n_nodes; n++)
		g->home[n] = find_home(x, g->s, n);
	return 0;
}
