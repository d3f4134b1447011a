// SPDX-License-Identifier: GPL-2.0-or-later
/* Greedy placements: one guest after the other, each where it is best. The search starts from there. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/search.h"

#define GUEST_STEPS 3000 /* devices of one guest on one set of nodes */
#define IMPROVE_ROUNDS 3

static struct search_cost_sum greedy_cost(struct search *x, unsigned int guest, size_t option,
					  struct assign_cost devices)
{
	const struct search_option *o = &x->guests[guest].options[option];
	struct search_cost_sum cost = { .of = { [COST_MIXED] = o->kind == PLACE_ANY_KIND,
						[COST_NODES] = o->n,
						[COST_HOPS] = devices.hops,
						[COST_DISTANCE] = devices.distance,
						[COST_SPREAD] = o->spread,
						[COST_SLOW] = o->slow } };

	x->picked[guest] = (int)option;
	search_pack(x, NULL, &cost);
	x->picked[guest] = -1;
	return cost;
}

static bool solve_devices(struct search *x, unsigned int guest, struct assign_cost below,
			  struct assign_cost *ret)
{
	uint64_t steps = 0;
	struct assign_query q = { .guests = &guest,
				  .n = 1,
				  .distance = x->distance,
				  .home = x->home,
				  .want = x->want,
				  .below = below,
				  .no_p2p = x->relax & SEARCH_ANY_PATH,
				  .steps = &steps,
				  .limit = GUEST_STEPS };

	*ret = (struct assign_cost){ 0, 0 };
	return !x->a || !x->guests[guest].s->n_devices || assign_solve(x->a, &q, ret);
}

static void keep_devices(struct search *x, unsigned int guest, int *devs)
{
	const struct assign_guest *g = x->a ? &x->a->guests[guest] : NULL;

	if (g)
		memcpy(devs + g->first, x->a->best + g->first, g->n * sizeof(*devs));
}

static void use_devices(struct search *x, unsigned int guest, const int *devs)
{
	const struct assign_guest *g = x->a ? &x->a->guests[guest] : NULL;

	if (!g)
		return;
	memcpy(x->a->best + g->first, devs + g->first, g->n * sizeof(*devs));
	assign_commit(x->a, guest);
}

/* The best option beside all guests that have a place. Return: its number or -1. */
static int best_option(struct search *x, unsigned int guest, int *devs, struct search_cost_sum *ret)
{
	const struct search_guest *g = &x->guests[guest];
	int best = -1;

	for (size_t i = 0; i < g->n_options; i++) {
		const struct search_option *o = &g->options[i];
		struct assign_cost below = { UINT64_MAX, UINT64_MAX }, devices;
		bool is_as_few = best >= 0 && (o->kind == PLACE_ANY_KIND) == ret->of[COST_MIXED] &&
				 o->n == ret->of[COST_NODES];

		if (best >= 0 && !is_as_few)
			break; /* they are sorted: more nodes from here on */
		if (!search_fits(x, g, o))
			continue;
		if (is_as_few)
			below = (struct assign_cost){ ret->of[COST_HOPS],
						      ret->of[COST_DISTANCE] + 1 };
		if (x->a)
			search_tables(x, guest, o);
		if (!solve_devices(x, guest, below, &devices))
			continue;
		struct search_cost_sum cost = greedy_cost(x, guest, i, devices);
		if (best >= 0 && search_compare(&cost, ret) >= 0)
			continue;
		best = (int)i;
		*ret = cost;
		keep_devices(x, guest, devs);
	}
	return best;
}

static void settle(struct search *x, unsigned int guest, int option, const int *devs)
{
	x->picked[guest] = option;
	search_take(x, guest, &x->guests[guest].options[option]);
	use_devices(x, guest, devs);
}

static void unsettle(struct search *x, unsigned int guest)
{
	search_give_back(x, guest, &x->guests[guest].options[x->picked[guest]]);
	if (x->a)
		assign_release(x->a, guest);
	x->picked[guest] = -1;
}

static void unsettle_all(struct search *x)
{
	for (unsigned int i = 0; i < x->n; i++)
		if (x->picked[i] >= 0)
			unsettle(x, i);
}

/* What separates devices is summed over the guests; what the packing costs is there only once. */
static void add_guest(struct search_cost_sum *sum, const struct search_cost_sum *one)
{
	for (size_t i = 0; i < COST_N; i++)
		sum->of[i] = i < COST_NOISY ? sum->of[i] + one->of[i] : one->of[i];
}

bool search_greedy(struct search *x)
{
	struct search_cost_sum sum = { 0 };

	for (size_t i = 0; i < x->n; i++) {
		unsigned int guest = x->order[i];
		struct search_cost_sum cost = { 0 };
		int option = best_option(x, guest, x->best_devs, &cost);

		if (option < 0) {
			unsettle_all(x);
			return false;
		}
		settle(x, guest, option, x->best_devs);
		add_guest(&sum, &cost);
	}
	memcpy(x->best, x->picked, x->n * sizeof(*x->best));
	x->best_cost = sum;
	x->found = true;
	unsettle_all(x);
	return true;
}

static struct search_cost_sum cost_without(struct search *x, unsigned int guest,
					   const struct search_cost_sum *all)
{
	const struct search_option *o = &x->guests[guest].options[x->best[guest]];
	struct search_cost_sum sum = *all;
	const struct assign_guest *g = x->a ? &x->a->guests[guest] : NULL;

	sum.of[COST_MIXED] -= o->kind == PLACE_ANY_KIND;
	sum.of[COST_NODES] -= o->n;
	sum.of[COST_SPREAD] -= o->spread;
	sum.of[COST_SLOW] -= o->slow;
	if (!g)
		return sum;
	search_tables(x, guest, o);
	for (size_t i = g->first; i < g->first + g->n; i++) {
		int at = x->a->cands[x->best_devs[i]].at;

		sum.of[COST_DISTANCE] -= at < 0 ? PLACE_NO_DISTANCE : x->distance[guest][at];
	}
	for (size_t i = g->pairs; i < g->pairs + g->n_pairs; i++)
		sum.of[COST_HOPS] -= assign_hops(x->a, (unsigned int)x->best_devs[x->a->pairs[i].a],
						 (unsigned int)x->best_devs[x->a->pairs[i].b]);
	return sum;
}

/* Return: true when the guest has a better place now. */
static bool place_anew(struct search *x, unsigned int guest)
{
	size_t n = x->a ? x->a->n_entries : 0;
	_cleanup_free_ int *devs = calloc(n + 1, sizeof(*devs));
	struct search_cost_sum sum = cost_without(x, guest, &x->best_cost), cost = { 0 };
	int option;

	if (!devs)
		return false;
	unsettle(x, guest);
	option = best_option(x, guest, devs, &cost);
	add_guest(&sum, &cost);
	if (option < 0 || search_compare(&sum, &x->best_cost) >= 0) {
		settle(x, guest, x->best[guest], x->best_devs);
		return false;
	}
	settle(x, guest, option, devs);
	x->best[guest] = option;
	x->best_cost = sum;
	if (x->a)
		memcpy(x->best_devs + x->a->guests[guest].first, devs + x->a->guests[guest].first,
		       x->a->guests[guest].n * sizeof(*devs));
	return true;
}

static bool is_costed(const struct search *x)
{
	return x->best_cost.of[COST_DISTANCE] < UINT64_MAX / 8;
}

void search_improve(struct search *x)
{
	bool any = is_costed(x);

	for (unsigned int i = 0; i < x->n && any; i++)
		settle(x, i, x->best[i], x->best_devs);
	for (int round = 0; round < IMPROVE_ROUNDS && any; round++) {
		any = false;
		for (unsigned int i = 0; i < x->n; i++)
			any |= place_anew(x, i);
	}
	unsettle_all(x);
}
