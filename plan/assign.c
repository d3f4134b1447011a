// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices for the entries of several guests: branch and bound, each conflict looked up in O(1). */
#include "plan/assign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/distance.h"

/* ---- conflicts ---- */

static bool is_free(const struct assign *a, const struct assign_entry *e, unsigned int cand)
{
	const struct assign_cand *c = &a->cands[cand];

	if (a->used[cand] >= c->capacity)
		return false;
	if (c->dev >= 0 && a->pf_vfs[c->dev])
		return false; /* VFs of it were promised */
	if (c->pf >= 0 && a->dev_used[c->pf])
		return false;
	if (c->pf_slot >= 0 && a->slot_whole[c->pf_slot])
		return false; /* its PF goes to a guest with the rest of a group */
	if (c->slot < 0)
		return true;
	if (a->slot_n[c->slot] && a->slot_guest[c->slot] != e->guest)
		return false;
	return !e->takes_group || !a->slot_vfs[c->slot];
}

static void put(struct assign *a, unsigned int entry, unsigned int cand)
{
	const struct assign_cand *c = &a->cands[cand];
	const struct assign_entry *e = &a->entries[entry];

	a->chosen[entry] = (int)cand;
	a->used[cand]++;
	if (c->dev >= 0)
		a->dev_used[c->dev]++;
	if (c->pf >= 0)
		a->pf_vfs[c->pf]++;
	if (c->pf_slot >= 0)
		a->slot_vfs[c->pf_slot]++;
	if (c->slot < 0)
		return;
	a->slot_n[c->slot]++;
	a->slot_guest[c->slot] = e->guest;
	a->slot_whole[c->slot] += e->takes_group;
}

static void take_back(struct assign *a, unsigned int entry)
{
	unsigned int cand = (unsigned int)a->chosen[entry];
	const struct assign_cand *c = &a->cands[cand];

	a->chosen[entry] = -1;
	a->used[cand]--;
	if (c->dev >= 0)
		a->dev_used[c->dev]--;
	if (c->pf >= 0)
		a->pf_vfs[c->pf]--;
	if (c->pf_slot >= 0)
		a->slot_vfs[c->pf_slot]--;
	if (c->slot < 0)
		return;
	a->slot_n[c->slot]--;
	a->slot_whole[c->slot] -= a->entries[entry].takes_group;
}

void assign_commit(struct assign *a, unsigned int guest)
{
	const struct assign_guest *g = &a->guests[guest];

	for (size_t i = g->first; i < g->first + g->n; i++)
		put(a, (unsigned int)i, (unsigned int)a->best[i]);
}

void assign_release(struct assign *a, unsigned int guest)
{
	const struct assign_guest *g = &a->guests[guest];

	for (size_t i = g->first; i < g->first + g->n; i++)
		if (a->chosen[i] >= 0)
			take_back(a, (unsigned int)i);
}

/* ---- hops ---- */

unsigned int assign_hops(struct assign *a, unsigned int x, unsigned int y)
{
	uint16_t *memo = a->hops ? &a->hops[x * a->n_cands + y] : NULL;
	unsigned int n;

	if (x == y)
		return 0;
	if (memo && *memo)
		return *memo - 1U;
	n = place_hops(a->p->inv, a->cands[x].anchor, a->cands[y].anchor);
	if (memo)
		*memo = (uint16_t)(n + 1);
	return n;
}

bool assign_is_path(const struct assign *a, unsigned int x, unsigned int y)
{
	return inv_distance(a->p->inv, a->cands[x].anchor, a->cands[y].anchor) <= INV_PXB;
}

static unsigned int nearest(struct assign *a, unsigned int cand, const struct assign_list *l)
{
	unsigned int best = UINT32_MAX;

	for (size_t i = 0; i < l->n; i++) {
		unsigned int other = l->cands[i];

		if (other == cand && a->cands[cand].capacity == 1)
			continue;
		unsigned int n = assign_hops(a, cand, other);
		best = n < best ? n : best;
	}
	return best == UINT32_MAX ? 0 : best;
}

static unsigned int *measure_ahead(struct assign *a, unsigned int x, unsigned int y)
{
	unsigned int *hops = calloc(a->n_cands + 1, sizeof(*hops));
	const struct assign_list *l = &a->lists[x];
	unsigned int least = UINT32_MAX;

	if (!hops)
		return NULL;
	for (size_t i = 0; i < l->n; i++) {
		unsigned int n = nearest(a, l->cands[i], &a->lists[y]);

		hops[l->cands[i]] = n;
		least = n < least ? n : least;
	}
	hops[a->n_cands] = least == UINT32_MAX ? 0 : least;
	return hops;
}

/* For each candidate of list @x the hops to the nearest one of list @y; its least one at the end. */
static const unsigned int *look_ahead(struct assign *a, unsigned int x, unsigned int y)
{
	unsigned int **seen = &a->seen[x * a->n_lists + y];

	if (!*seen)
		*seen = measure_ahead(a, x, y);
	return *seen;
}

static unsigned int pair_least(struct assign *a, const struct assign_pair *pair)
{
	const unsigned int *seen = look_ahead(a, a->entries[pair->a].list,
					      a->entries[pair->b].list);

	return seen ? seen[a->n_cands] : 0;
}

/* ---- the search ---- */

/** struct key - what a candidate costs where it is offered; @ahead: hops to those that will follow it */
struct key {
	uint64_t apart, ahead, distance;
	unsigned int cand;
};

struct solve {
	struct assign *a;
	const struct assign_query *q;
	size_t n;
	struct assign_cost below;
	bool found;
};

static bool costs_less(struct assign_cost a, struct assign_cost b)
{
	return a.hops != b.hops ? a.hops < b.hops : a.distance < b.distance;
}

static int compare(const struct key *x, const struct key *y)
{
	if (x->apart != y->apart)
		return x->apart < y->apart ? -1 : 1;
	if (x->ahead != y->ahead)
		return x->ahead < y->ahead ? -1 : 1;
	if (x->distance != y->distance)
		return x->distance < y->distance ? -1 : 1;
	return 0;
}

static unsigned int distance_of(const struct solve *x, unsigned int guest,
				const struct assign_cand *c)
{
	if (!x->q->distance)
		return 0;
	return c->at < 0 ? PLACE_NO_DISTANCE : x->q->distance[guest][c->at];
}

static struct key key_of(struct solve *x, unsigned int entry, unsigned int cand)
{
	struct assign *a = x->a;
	const struct assign_entry *e = &a->entries[entry];
	const struct assign_guest *g = &a->guests[e->guest];
	struct key k = { .cand = cand, .distance = distance_of(x, e->guest, &a->cands[cand]) };

	for (size_t i = g->pairs; i < g->pairs + g->n_pairs; i++) {
		const struct assign_pair *pair = &a->pairs[i];
		unsigned int other = pair->a == entry ? pair->b : pair->a;

		if (pair->a != entry && pair->b != entry)
			continue;
		if (a->chosen[other] >= 0) {
			k.apart += assign_hops(a, cand, (unsigned int)a->chosen[other]);
		} else {
			const unsigned int *seen = look_ahead(a, e->list, a->entries[other].list);

			k.ahead += seen ? seen[cand] : 0;
		}
	}
	return k;
}

static size_t home_slot(const struct solve *x, const struct assign_entry *e, unsigned int cand)
{
	int at = x->a->cands[cand].at;

	return at < 0 ? x->a->p->inv->n_nodes : (size_t)x->q->home[e->guest][at];
}

static unsigned int *home_count(const struct solve *x, const struct assign_entry *e,
				unsigned int cand)
{
	return &x->a->home_n[e->guest * (x->a->p->inv->n_nodes + 1) + home_slot(x, e, cand)];
}

static bool has_home(const struct solve *x, unsigned int guest)
{
	return x->q->want && x->q->want[guest];
}

/* Of two entries that ask for the same the later one has the later candidate: the rest is symmetric. */
static bool is_after_twin(const struct solve *x, const struct assign_entry *e, unsigned int cand)
{
	int twin = e->twin >= 0 ? x->a->chosen[e->twin] : -1;

	if (twin < 0)
		return true;
	unsigned int d = distance_of(x, e->guest, &x->a->cands[cand]);
	unsigned int t = distance_of(x, e->guest, &x->a->cands[twin]);
	return d != t ? d > t : cand >= (unsigned int)twin;
}

static bool may_have(const struct solve *x, unsigned int entry, unsigned int cand)
{
	const struct assign_entry *e = &x->a->entries[entry];

	if (!is_free(x->a, e, cand) || !is_after_twin(x, e, cand))
		return false;
	return !has_home(x, e->guest) ||
	       *home_count(x, e, cand) < x->q->want[e->guest][home_slot(x, e, cand)];
}

/* The best candidate that comes after @last in order. */
static bool next_key(struct solve *x, unsigned int entry, const struct key *last, struct key *ret)
{
	const struct assign_list *l = &x->a->lists[x->a->entries[entry].list];
	bool found = false;

	for (size_t i = 0; i < l->n; i++) {
		if (!may_have(x, entry, l->cands[i]))
			continue;
		struct key k = key_of(x, entry, l->cands[i]);
		int order = last ? compare(&k, last) : 1;

		if (order < 0 || (order == 0 && k.cand <= last->cand))
			continue;
		order = found ? compare(&k, ret) : -1;
		if (order < 0 || (order == 0 && k.cand < ret->cand))
			*ret = k;
		found = true;
	}
	return found;
}

/* Entries with p2p: that have no partner yet can only get one from those still to come. */
static bool p2p_can_be(const struct solve *x, unsigned int guest)
{
	const struct assign *a = x->a;
	const struct assign_guest *g = &a->guests[guest];
	size_t lonely = 0, open = 0;

	if (!g->has_p2p || x->q->no_p2p)
		return true;
	for (size_t i = g->first; i < g->first + g->n; i++) {
		bool has_path = false;

		if (!a->entries[i].want->p2p)
			continue;
		open += a->chosen[i] < 0;
		for (size_t k = g->first; a->chosen[i] >= 0 && k < g->first + g->n; k++)
			has_path |= k != i && a->entries[k].want->p2p && a->chosen[k] >= 0 &&
				    assign_is_path(a, (unsigned int)a->chosen[i],
						   (unsigned int)a->chosen[k]);
		lonely += a->chosen[i] >= 0 && !has_path;
	}
	return lonely <= open;
}

static bool is_hopeless(const struct solve *x, size_t depth, struct assign_cost so_far)
{
	const struct assign_cost *rest = &x->a->rest[depth];

	so_far.hops += rest->hops;
	so_far.distance += rest->distance;
	return !costs_less(so_far, x->below);
}

static void keep(struct solve *x, struct assign_cost cost)
{
	for (size_t i = 0; i < x->n; i++)
		x->a->best[x->a->order[i]] = x->a->chosen[x->a->order[i]];
	x->below = cost;
	x->found = true;
}

static bool descend(struct solve *x, size_t depth, struct assign_cost so_far);

static bool try_one(struct solve *x, size_t depth, struct assign_cost so_far, const struct key *k)
{
	unsigned int entry = x->a->order[depth];
	const struct assign_entry *e = &x->a->entries[entry];
	unsigned int *home = has_home(x, e->guest) ? home_count(x, e, k->cand) : NULL;
	bool ends = false;

	so_far.hops += k->apart;
	so_far.distance += k->distance;
	if (is_hopeless(x, depth + 1, so_far))
		return false;
	put(x->a, entry, k->cand);
	if (home)
		(*home)++;
	if (!e->want->p2p || p2p_can_be(x, e->guest))
		ends = descend(x, depth + 1, so_far);
	if (home)
		(*home)--;
	take_back(x->a, entry);
	return ends;
}

static bool has_partner_to_come(const struct solve *x, unsigned int entry)
{
	const struct assign *a = x->a;
	const struct assign_guest *g = &a->guests[a->entries[entry].guest];

	for (size_t i = g->pairs; i < g->pairs + g->n_pairs; i++)
		if ((a->pairs[i].a == entry && a->chosen[a->pairs[i].b] < 0) ||
		    (a->pairs[i].b == entry && a->chosen[a->pairs[i].a] < 0))
			return true;
	return false;
}

/* Neither @k nor one that comes after it in order is better: it is at least as far apart, and at least
 * as distant, unless it comes later for those that will follow. */
static bool is_end(const struct solve *x, size_t depth, struct assign_cost so_far,
		   const struct key *k)
{
	const struct assign_cost *rest = x->a->rest;
	bool any_distance = has_partner_to_come(x, x->a->order[depth]);

	so_far.hops += k->apart;
	so_far.distance += any_distance ? rest[depth].distance - rest[depth + 1].distance
					: k->distance;
	return is_hopeless(x, depth + 1, so_far);
}

/* Return: true when the search is over. */
static bool descend(struct solve *x, size_t depth, struct assign_cost so_far)
{
	struct key k, last;
	bool any = false;

	if (depth == x->n) {
		keep(x, so_far);
		return x->q->is_first;
	}
	for (; next_key(x, x->a->order[depth], any ? &last : NULL, &k); last = k, any = true) {
		bool is_same = any && x->a->cands[last.cand].like == x->a->cands[k.cand].like;

		if (++*x->q->steps > x->q->limit)
			return true;
		if (is_end(x, depth, so_far, &k))
			return false;
		if (!is_same && try_one(x, depth, so_far, &k))
			return true;
	}
	return false;
}

/* ---- what is still to come at least ---- */

static uint64_t least_distance(const struct solve *x, const struct assign_entry *e)
{
	const struct assign_list *l = &x->a->lists[e->list];
	size_t n = x->a->p->inv->n_nodes;
	uint64_t best = l->nodes[n] ? PLACE_NO_DISTANCE : UINT64_MAX;

	if (!x->q->distance)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (l->nodes[i] && x->q->distance[e->guest][i] < best)
			best = x->q->distance[e->guest][i];
	return best == UINT64_MAX ? 0 : best;
}

/* Each pair is charged where the later one of its entries is chosen. */
static uint64_t least_hops(const struct solve *x, size_t depth)
{
	struct assign *a = x->a;
	unsigned int entry = a->order[depth];
	const struct assign_guest *g = &a->guests[a->entries[entry].guest];
	uint64_t sum = 0;

	for (size_t i = g->pairs; i < g->pairs + g->n_pairs; i++) {
		const struct assign_pair *pair = &a->pairs[i];
		unsigned int other = pair->a == entry ? pair->b : pair->a;

		if ((pair->a == entry || pair->b == entry) && a->depth[other] < depth)
			sum += pair_least(a, pair);
	}
	return sum;
}

static void foresee(struct solve *x)
{
	struct assign *a = x->a;

	for (size_t i = 0; i < x->n; i++)
		a->depth[a->order[i]] = (unsigned int)i;
	a->rest[x->n] = (struct assign_cost){ 0, 0 };
	for (size_t i = x->n; i-- > 0;) {
		const struct assign_entry *e = &a->entries[a->order[i]];

		a->rest[i].hops = a->rest[i + 1].hops + least_hops(x, i);
		a->rest[i].distance = a->rest[i + 1].distance + least_distance(x, e);
	}
}

/* Those with the fewest candidates first, where any solution will do. */
static void order_by_choice(struct solve *x)
{
	struct assign *a = x->a;

	for (size_t i = 1; i < x->n; i++) {
		unsigned int e = a->order[i];
		size_t k = i;

		for (; k > 0 && a->lists[a->entries[a->order[k - 1]].list].n >
					a->lists[a->entries[e].list].n;
		     k--)
			a->order[k] = a->order[k - 1];
		a->order[k] = e;
	}
}

bool assign_solve(struct assign *a, const struct assign_query *q, struct assign_cost *ret)
{
	struct solve x = { .a = a, .q = q, .below = q->below };

	for (size_t i = 0; i < q->n; i++) {
		const struct assign_guest *g = &a->guests[q->guests[i]];

		for (size_t k = 0; k < g->n; k++)
			a->order[x.n++] = a->rank[g->first + k];
	}
	if (q->is_first)
		order_by_choice(&x);
	foresee(&x);
	if (!is_hopeless(&x, 0, (struct assign_cost){ 0, 0 }))
		descend(&x, 0, (struct assign_cost){ 0, 0 });
	if (x.found)
		*ret = x.below;
	return x.found;
}
