/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the planner: which nodes each guest of a run gets, judged over all guests together. Not a
 * public header of plan/. */
#ifndef CARVE_PLAN_SEARCH_H
#define CARVE_PLAN_SEARCH_H

#include "plan/assign.h"

#define SEARCH_PAGE_SIZES 4

/** enum search_cost - what is compared, the first counts most */
enum search_cost {
	COST_MIXED,    /* guests with cores of several kinds */
	COST_NODES,    /* nodes, once per guest */
	COST_HOPS,     /* between devices that near: ties together */
	COST_DISTANCE, /* SLIT, from each device to the nearest node of its guest */
	COST_SPREAD,   /* SLIT, between the nodes of each guest */
	COST_SLOW,     /* cores of slower kinds, times the kind */
	COST_NOISY,    /* the rest: struct place_packing */
	COST_L3S,
	COST_LEFT_L3,
	COST_LEFT_NODE,
	COST_N,
};

/** struct search_cost_sum - lexicographic */
struct search_cost_sum {
	uint64_t of[COST_N];
};

/**
 * struct search_option - nodes for one guest, with the share of each
 * @kind:     of all its cores, or PLACE_ANY_KIND
 * @distance: of its devices, at least
 * @want:     split: devices: how many of them each home has (struct assign_query); else NULL
 */
struct search_option {
	uint16_t nodes[PLAN_MAX_NODES];
	unsigned int cores[PLAN_MAX_NODES];
	uint64_t pages[PLAN_MAX_NODES];
	unsigned int n;
	unsigned int seq;
	int kind;
	uint64_t distance, spread, slow;
	const uint16_t *want;
};

/**
 * struct search_guest - @near: per entry and node: distance to the nearest candidate
 * @home:       split: devices: the node that devices of each node count for, -1 none
 * @wants:      heap of the options' @want
 * @same_as:    an earlier guest that asks for the same, -1 none
 * @is_limited: not every set of nodes is among the options
 */
struct search_guest {
	const struct spec *s;
	unsigned int size;
	struct search_option *options;
	size_t n_options, max_options;
	unsigned int *near;
	int *home;
	uint16_t *wants;
	int same_as;
	bool is_limited;
};

/** struct search_node - what a node can give, and what the guests that have a place take of it */
struct search_node {
	uint64_t free[SEARCH_PAGE_SIZES];
	bool has_pool[SEARCH_PAGE_SIZES];
	uint64_t room; /* bytes that can be added to pools */
	unsigned int cores[PLACE_MAX_KINDS], n_cores;
	uint64_t pages[SEARCH_PAGE_SIZES];
	unsigned int like; /* the lowest node that it cannot be told from */
};

/** enum search_relax - what is taken to be there in any number; bits */
enum search_relax {
	SEARCH_ANY_CORES = 1,
	SEARCH_ANY_PAGES = 2,
	SEARCH_ANY_DEVICES = 4,
	SEARCH_ANY_PATH = 8,	/* p2p: asks for nothing */
	SEARCH_ANY_SHARES = 16, /* split: devices is even */
};

/**
 * struct search - @picked: option of each guest while searching, -1 none; @best: of the best placement
 * @best_devs:  candidates of all entries in it
 * @any_devs:   those of some choice, from the first look at the devices
 * @least_hops: no choice of devices has fewer
 * @is_ended:   a limit ended the search: there may be a better placement, or, where none was found, one
 * @is_nearest: nodes, hops and distances of the best placement are proved to be the least
 * @rest:       per guest: what it and those after it cost at least
 */
struct search {
	const struct place *p;
	const struct spec *specs;
	size_t n;
	unsigned int relax;
	struct assign *a;
	struct search_guest *guests;
	struct search_node *nodes;
	uint64_t sizes[SEARCH_PAGE_SIZES];
	size_t n_sizes;
	int *picked, *best, *best_devs, *any_devs;
	struct search_cost_sum best_cost;
	bool found, has_wants;
	uint64_t least_hops;
	struct search_cost_sum *rest;
	struct place_share *shares;
	unsigned int *order;
	const unsigned int **distance;
	unsigned int *distances;
	const int **home;
	const uint16_t **want;
	uint64_t steps, limit;
	bool is_ended, is_nearest;
};

/** search_init() - @relax: enum search_relax. Return: 0, -ENOMEM. */
int search_init(struct search *x, const struct place *p, const struct spec *specs, size_t n,
		unsigned int relax);
void search_done(struct search *x);

/**
 * search_run() - the best placement of all guests
 * @is_first: whether there is one is all that matters
 * Return: 0 with x->found told; -ENOMEM.
 */
int search_run(struct search *x, bool is_first);
/** search_choices() - nodes, shares, cores and devices of the best placement. Return: 0, -ENOMEM. */
int search_choices(struct search *x, struct place_choice *choices);

/**
 * search_make_options() - the ways to place one guest alone
 * @is_full: also those on more nodes than are needed, and those with cores of several kinds
 * Return: 0, -ENOMEM.
 */
int search_make_options(struct search *x, struct search_guest *g, bool is_full);
/** search_prepare_guest() - what does not depend on the options. */
int search_prepare_guest(struct search *x, struct search_guest *g);
/** search_fits() - has every node of an option what it asks for, beside what was taken? */
bool search_fits(const struct search *x, const struct search_guest *g,
		 const struct search_option *o);
/** search_take(), search_give_back() - of the nodes. */
void search_take(struct search *x, unsigned int guest, const struct search_option *o);
void search_give_back(struct search *x, unsigned int guest, const struct search_option *o);
/** search_pack() - what the cores of all picked guests cost; @ret: receives the cores too, else NULL. */
void search_pack(struct search *x, struct place_choice *ret_choices, struct search_cost_sum *ret);
/** search_tables() - make a guest's distances, homes and wants those of an option. */
void search_tables(struct search *x, unsigned int guest, const struct search_option *o);

/** search_greedy() - one guest after the other in x->order. Return: true with x->best set. */
bool search_greedy(struct search *x);
/** search_improve() - places each guest anew as long as that is of use. */
void search_improve(struct search *x);

/** search_compare() - <0, 0, >0. */
int search_compare(const struct search_cost_sum *a, const struct search_cost_sum *b);

#endif
