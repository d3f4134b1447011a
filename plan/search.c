// SPDX-License-Identifier: GPL-2.0-or-later
/* Branch and bound over the nodes of all guests. Whether devices can be had does not depend on the nodes,
 * nor the other way round: the two searches meet only in what a placement costs. */
#include "plan/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define FIND_STEPS 400000    /* to find any placement */
#define SMALL_STEPS 400000   /* to find the best: few guests on few nodes, where all is looked at */
#define IMPROVE_STEPS 120000 /* to find a better one on larger hosts, less for many guests */
#define LEAF_STEPS 8	     /* packing the cores of a whole placement takes that much longer */

int search_compare(const struct search_cost_sum *a, const struct search_cost_sum *b)
{
	for (size_t i = 0; i < COST_N; i++)
		if (a->of[i] != b->of[i])
			return a->of[i] < b->of[i] ? -1 : 1;
	return 0;
}

static void add_cost(struct search_cost_sum *sum, const struct search_cost_sum *more)
{
	for (size_t i = 0; i < COST_N; i++)
		sum->of[i] += more->of[i];
}

static struct search_cost_sum option_cost(const struct search_option *o)
{
	return (struct search_cost_sum){ .of = { [COST_MIXED] = o->kind == PLACE_ANY_KIND,
						 [COST_NODES] = o->n,
						 [COST_DISTANCE] = o->distance,
						 [COST_SPREAD] = o->spread,
						 [COST_SLOW] = o->slow } };
}

/* ---- the branch ---- */

static const struct search_option *picked(const struct search *x, unsigned int guest)
{
	return &x->guests[guest].options[x->picked[guest]];
}

static bool is_untouched(const struct search_node *n)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < SEARCH_PAGE_SIZES; i++)
		pages |= n->pages[i];
	return n->n_cores == 0 && pages == 0;
}

static bool has_node(const struct search_option *o, unsigned int node)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->nodes[i] == node)
			return true;
	return false;
}

/* With a lower node, which cannot be told from one of the option's, it would be the same again. */
static bool is_repeated(const struct search *x, const struct search_option *o)
{
	for (size_t i = 0; i < o->n; i++) {
		unsigned int node = o->nodes[i];

		for (unsigned int low = x->nodes[node].like; low < node; low++)
			if (x->nodes[low].like == x->nodes[node].like && !has_node(o, low) &&
			    is_untouched(&x->nodes[low]) && is_untouched(&x->nodes[node]))
				return true;
	}
	return false;
}

static bool is_hopeless(const struct search *x, const struct search_cost_sum *so_far,
			unsigned int next)
{
	struct search_cost_sum least = *so_far;

	if (!x->found)
		return false;
	add_cost(&least, &x->rest[next]);
	least.of[COST_HOPS] += x->least_hops;
	return search_compare(&least, &x->best_cost) >= 0;
}

static void keep(struct search *x, const struct search_cost_sum *cost, const int *devs)
{
	memcpy(x->best, x->picked, x->n * sizeof(*x->best));
	if (x->a && devs)
		memcpy(x->best_devs, devs, x->a->n_entries * sizeof(*devs));
	x->best_cost = *cost;
	x->found = true;
}

/* Devices for a placement of all guests. @cost: everything else; its distance is the least possible. */
static void judge(struct search *x, struct search_cost_sum cost)
{
	struct assign_cost devices = { 0, 0 };
	bool is_tie_of_use;

	if (!x->a) {
		if (!x->found || search_compare(&cost, &x->best_cost) < 0)
			keep(x, &cost, NULL);
		return;
	}
	struct assign_query q = { .guests = x->order,
				  .n = x->n,
				  .distance = x->distance,
				  .home = x->home,
				  .want = x->want,
				  .below = { UINT64_MAX, UINT64_MAX },
				  .no_p2p = x->relax & SEARCH_ANY_PATH,
				  .steps = &x->steps,
				  .limit = x->limit };
	if (x->found && cost.of[COST_MIXED] == x->best_cost.of[COST_MIXED] &&
	    cost.of[COST_NODES] == x->best_cost.of[COST_NODES]) {
		q.below = (struct assign_cost){ x->best_cost.of[COST_HOPS],
						x->best_cost.of[COST_DISTANCE] };
		cost.of[COST_HOPS] = q.below.hops;
		cost.of[COST_DISTANCE] = q.below.distance;
		is_tie_of_use = search_compare(&cost, &x->best_cost) < 0;
		q.below.distance += is_tie_of_use;
	}
	if (!assign_solve(x->a, &q, &devices))
		return;
	cost.of[COST_HOPS] = devices.hops;
	cost.of[COST_DISTANCE] = devices.distance;
	keep(x, &cost, x->a->best);
}

static void leaf(struct search *x, const struct search_cost_sum *so_far)
{
	struct search_cost_sum cost = *so_far;

	x->steps += LEAF_STEPS;
	search_pack(x, NULL, &cost);
	if (is_hopeless(x, &cost, (unsigned int)x->n))
		return;
	judge(x, cost);
}

static bool descend(struct search *x, unsigned int guest, const struct search_cost_sum *so_far,
		    bool is_first)
{
	struct search_guest *g = &x->guests[guest];

	if (guest == x->n) {
		leaf(x, so_far);
		return x->found && is_first;
	}
	for (size_t i = g->same_as >= 0 ? (size_t)x->picked[g->same_as] : 0; i < g->n_options;
	     i++) {
		const struct search_option *o = &g->options[i];
		struct search_cost_sum cost = option_cost(o);

		if (++x->steps > x->limit)
			return true;
		add_cost(&cost, so_far);
		if (is_hopeless(x, &cost, guest + 1))
			return false; /* those after it cost more */
		if (is_repeated(x, o) || !search_fits(x, g, o))
			continue;
		x->picked[guest] = (int)i;
		search_take(x, guest, o);
		bool ends = descend(x, guest + 1, &cost, is_first);
		search_give_back(x, guest, o);
		x->picked[guest] = -1;
		if (ends)
			return true;
	}
	return false;
}

/* ---- what is still to come at least ---- */

static void foresee(struct search *x)
{
	x->rest[x->n] = (struct search_cost_sum){ 0 };
	for (size_t i = x->n; i-- > 0;) {
		const struct search_guest *g = &x->guests[i];
		struct search_cost_sum least = { 0 };

		for (size_t k = 0; k < g->n_options; k++) {
			struct search_cost_sum cost = option_cost(&g->options[k]);

			for (size_t c = 0; c < COST_N; c++)
				if (k == 0 || cost.of[c] < least.of[c])
					least.of[c] = cost.of[c];
		}
		x->rest[i] = x->rest[i + 1];
		add_cost(&x->rest[i], &least);
	}
}

static int make_options(struct search *x, bool is_full, bool *ret_all)
{
	x->has_wants = false;
	*ret_all = true;
	for (size_t i = 0; i < x->n; i++) {
		struct search_guest *g = &x->guests[i];
		int r = search_make_options(x, g, is_full);

		if (r == 0 && !is_full && !g->n_options)
			r = search_make_options(x, g, true); /* of several kinds, if nothing else */
		if (r < 0)
			return r;
		*ret_all &= g->n_options > 0;
		x->has_wants |= g->n_options && g->options[0].want;
	}
	return 0;
}

/* ---- the order of events ---- */

/* Any choice of devices, with the fewest hops: no placement has fewer. */
static bool look_at_devices(struct search *x)
{
	uint64_t steps = 0;
	struct assign_cost cost;
	struct assign_query q = { .guests = x->order,
				  .n = x->n,
				  .below = { UINT64_MAX, UINT64_MAX },
				  .no_p2p = x->relax & SEARCH_ANY_PATH,
				  .steps = &steps,
				  .limit = IMPROVE_STEPS,
				  .is_first = true };

	if (!x->a)
		return true;
	if (!assign_could_serve(x->a, x->order, x->n))
		return false;
	q.limit = FIND_STEPS;
	if (!assign_solve(x->a, &q, &cost)) {
		x->is_ended = steps > q.limit;
		x->steps += steps;
		return false;
	}
	memcpy(x->any_devs, x->a->best, x->a->n_entries * sizeof(*x->any_devs));
	if (!x->a->tree_matters)
		return true;
	q.is_first = false;
	q.limit = steps + IMPROVE_STEPS / 4;
	q.below = (struct assign_cost){ cost.hops, 0 };
	if (assign_solve(x->a, &q, &cost))
		memcpy(x->any_devs, x->a->best, x->a->n_entries * sizeof(*x->any_devs));
	x->least_hops = steps > q.limit ? 0 : cost.hops;
	return true;
}

static uint64_t improve_steps(const struct search *x)
{
	if (x->n <= 4 && x->p->inv->n_nodes <= 4)
		return SMALL_STEPS;
	return x->n <= 4 ? IMPROVE_STEPS : IMPROVE_STEPS / x->n;
}

static uint64_t any_hops(struct search *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < x->a->n_pairs; i++)
		sum += assign_hops(x->a, (unsigned int)x->any_devs[x->a->pairs[i].a],
				   (unsigned int)x->any_devs[x->a->pairs[i].b]);
	return sum;
}

/* The nodes that were found together with the devices that were found: neither asks for the other. */
static void join_any(struct search *x)
{
	struct search_cost_sum cost = { 0 };

	for (unsigned int i = 0; i < x->n; i++) {
		struct search_cost_sum one = option_cost(picked(x, i));

		add_cost(&cost, &one);
	}
	search_pack(x, NULL, &cost);
	if (x->a) {
		cost.of[COST_HOPS] = any_hops(x);
		cost.of[COST_DISTANCE] = UINT64_MAX / 4; /* not known: whatever is, is better */
	}
	keep(x, &cost, x->any_devs);
}

/* Nodes alone, without a look at what they cost. Return: false when there is no placement. */
static bool find_nodes(struct search *x, unsigned int guest)
{
	struct search_guest *g = &x->guests[guest];

	if (guest == x->n) {
		join_any(x);
		return true;
	}
	for (size_t i = g->same_as >= 0 ? (size_t)x->picked[g->same_as] : 0; i < g->n_options;
	     i++) {
		const struct search_option *o = &g->options[i];
		bool is_done = false;

		if (++x->steps > x->limit)
			return false;
		if (is_repeated(x, o) || !search_fits(x, g, o))
			continue;
		x->picked[guest] = (int)i;
		search_take(x, guest, o);
		is_done = find_nodes(x, guest + 1);
		search_give_back(x, guest, o);
		x->picked[guest] = -1;
		if (is_done)
			return true;
	}
	return false;
}

static void find_any(struct search *x, bool is_first)
{
	struct search_cost_sum none = { 0 };

	x->limit = x->steps + FIND_STEPS;
	if (x->has_wants)
		descend(x, 0, &none, is_first);
	else
		find_nodes(x, 0);
	if (!x->found && x->steps > x->limit)
		x->is_ended = true;
}

/* Up to the distances nothing is less than what each guest costs at least. */
static bool is_nearest(const struct search *x)
{
	struct search_cost_sum least = x->rest[0];

	for (size_t i = 0; i < x->n; i++)
		if (x->guests[i].is_limited && x->specs[i].n_devices)
			return false; /* other nodes may be nearer to its devices */
	least.of[COST_HOPS] += x->least_hops;
	return memcmp(least.of, x->best_cost.of, (COST_DISTANCE + 1) * sizeof(least.of[0])) == 0;
}

static void search_options(struct search *x, bool is_first)
{
	struct search_cost_sum none = { 0 };

	foresee(x);
	if (!search_greedy(x))
		find_any(x, is_first);
	if (!x->found || is_first)
		return;
	if (x->n > 1)
		search_improve(x);
	x->limit = x->steps + improve_steps(x);
	descend(x, 0, &none, false);
	x->is_ended = x->steps > x->limit;
	for (size_t i = 0; i < x->n; i++)
		x->is_ended |= x->guests[i].is_limited;
	x->is_nearest = is_nearest(x);
}

int search_run(struct search *x, bool is_first)
{
	bool all;
	int r;

	x->found = x->is_ended = false;
	if (!look_at_devices(x))
		return 0;
	r = make_options(x, false, &all);
	if (r == 0 && all)
		search_options(x, is_first);
	if (r < 0 || x->found)
		return r;
	r = make_options(x, true, &all);
	if (r == 0 && all)
		search_options(x, is_first);
	for (size_t i = 0; i < x->n && !x->found; i++)
		x->is_ended |= x->guests[i].is_limited; /* a set that was not looked at may do */
	return r;
}

/* ---- the outcome ---- */

static int fill_nodes(const struct search *x, unsigned int guest, struct place_choice *c)
{
	const struct search_option *o = &x->guests[guest].options[x->best[guest]];

	*c = (struct place_choice){ .n_nodes = o->n, .spread = o->spread };
	for (size_t i = 0; i < o->n; i++) {
		c->nodes[i] = o->nodes[i];
		c->node_cores[i] = o->cores[i];
		c->node_pages[i] = o->pages[i];
		c->n_cores += o->cores[i];
	}
	c->is_mixed = o->kind == PLACE_ANY_KIND;
	c->cores = calloc(c->n_cores + 1, sizeof(*c->cores));
	return c->cores ? 0 : -ENOMEM;
}

int search_choices(struct search *x, struct place_choice *choices)
{
	struct search_cost_sum cost = { 0 };
	int r = 0;

	for (unsigned int i = 0; i < x->n && r == 0; i++)
		r = fill_nodes(x, i, &choices[i]);
	if (r < 0)
		return r;
	memcpy(x->picked, x->best, x->n * sizeof(*x->picked));
	search_pack(x, choices, &cost);
	if (!x->a)
		return 0;
	memcpy(x->a->chosen, x->best_devs, x->a->n_entries * sizeof(*x->best_devs));
	r = assign_fill(x->a, choices);
	for (size_t i = 0; i < x->n && r == 0; i++)
		for (size_t k = 0; k < choices[i].n_devs; k++)
			choices[i].distance += place_distance(x->p, &choices[i],
							      choices[i].devs[k].node);
	return r;
}
