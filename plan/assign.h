/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the planner: a function for each devices: entry of all guests, so that none lacks one and the
 * sum of what separates them is least. Not a public header of plan/. */
#ifndef CARVE_PLAN_ASSIGN_H
#define CARVE_PLAN_ASSIGN_H

#include "plan/placement.h"

/**
 * struct assign_cand - a function, or the VFs of a PF that are all alike
 * @dev:      inventory index; VFs alike: -1
 * @pf:       inventory index of the PF, -1 not a VF
 * @at:       inventory index of its node, -1 unknown
 * @slot:     its IOMMU group as a dense number, when it has other members; else -1
 * @pf_slot:  VFs to come: the group of the PF
 * @capacity: how many entries can have one
 * @like:     equal for functions that stand in for each other in every respect
 */
struct assign_cand {
	int dev;
	int pf;
	int anchor;
	int at;
	int slot, pf_slot;
	bool is_future;
	unsigned int capacity;
	unsigned int like;
};

/** struct assign_list - the candidates of entries that ask for the same, judged once */
struct assign_list {
	const struct spec *s;
	const struct spec_device *want;
	unsigned int *cands;
	size_t n;
	bool *nodes; /* per inventory node, and one for unknown: there is a candidate */
};

/**
 * struct assign_entry - @twin: an entry before it that asks for the same in every respect, -1 none
 */
struct assign_entry {
	unsigned int guest, index;
	const struct spec_device *want;
	unsigned int list;
	int twin;
	bool takes_group;
};

/** struct assign_pair - two entries (numbers over all guests) that near: ties together */
struct assign_pair {
	unsigned int a, b;
};

/** struct assign_cost - the first counts more */
struct assign_cost {
	uint64_t hops, distance;
};

/** struct assign_guest - its entries are [first, first + n), its pairs [pairs, pairs + n_pairs) */
struct assign_guest {
	size_t first, n;
	size_t pairs, n_pairs;
	bool has_p2p;
};

/**
 * struct assign - candidates and what is taken of them
 * @entries:   of all guests, in the order of the specs
 * @rank:      entry numbers, each guest's in the order in which to choose
 * @chosen:    per entry: the candidate it has now, -1 none
 * @best:      per entry: of the last assign_solve() that found something
 * @dev_cand, @pf_pool: per inventory device: its candidate, that of its VFs, -1
 */
struct assign {
	const struct place *p;
	const struct spec *specs;
	size_t n_guests;
	struct assign_guest *guests;
	struct assign_entry *entries;
	size_t n_entries;
	unsigned int *rank;
	struct assign_pair *pairs;
	size_t n_pairs;
	struct assign_list *lists;
	size_t n_lists;
	struct assign_cand *cands;
	size_t n_cands;
	int *dev_cand, *pf_pool;
	bool tree_matters; /* near: or p2p: is asked for */
	bool has_accepts;
	unsigned int *
		*seen;	/* per two lists: for each candidate of the first the hops to the second */
	uint16_t *hops; /* per two candidates, + 1; 0 not known yet */
	int *chosen, *best;
	unsigned int *used, *dev_used, *pf_vfs, *slot_n, *slot_guest, *slot_whole, *slot_vfs;
	unsigned int *order, *depth, *home_n;
	struct assign_cost *rest; /* per depth of the search: what is still to come at least */
};

/** assign_init() - candidates of all entries; an entry may have none. Return: 0, -ENOMEM. */
int assign_init(struct assign *a, const struct place *p, const struct spec *specs, size_t n);
void assign_done(struct assign *a);
/** assign_read_candidates() - the part of it that judges functions. */
int assign_read_candidates(struct assign *a);
/** assign_pool_vf() - the next VF after @from that can serve from a pool; its number or -1. */
int assign_pool_vf(const struct assign *a, const struct assign_cand *pool, int from, int *ret_dev);

/**
 * struct assign_query - what to solve
 * @guests:   to be given devices, in this order; those of other guests stay
 * @distance: per guest: SLIT distance of each inventory node to the guest; NULL: no matter
 * @home, @want: per guest: which node each inventory node counts as, and how many devices each of them
 *            shall have (one more for those on no node); NULL: any number
 * @below:    only what costs less is of use
 * @is_first: anything will do: the first found is taken
 * @no_p2p:   leave out what p2p: asks for
 * @steps:    counted up; the search ends at @limit
 */
struct assign_query {
	const unsigned int *guests;
	size_t n;
	const unsigned int *const *distance;
	const int *const *home;
	const uint16_t *const *want;
	struct assign_cost below;
	bool is_first;
	bool no_p2p;
	uint64_t *steps;
	uint64_t limit;
};

/**
 * assign_solve() - the best devices for some guests, beside what others have
 * Return: true with a->best and @ret set; false: none, or none found before the limit.
 */
bool assign_solve(struct assign *a, const struct assign_query *q, struct assign_cost *ret);
/** assign_could_serve() - false: there are too few functions whatever is chosen. */
bool assign_could_serve(struct assign *a, const unsigned int *guests, size_t n);

/** assign_commit() - a guest has a->best from now on; assign_release() - and has not. */
void assign_commit(struct assign *a, unsigned int guest);
void assign_release(struct assign *a, unsigned int guest);
/** assign_hops() - bridges between two candidates. */
unsigned int assign_hops(struct assign *a, unsigned int x, unsigned int y);
/** assign_is_path() - can two candidates reach each other below one switch? */
bool assign_is_path(const struct assign *a, unsigned int x, unsigned int y);
/** assign_fill() - c->devs of every guest from a->chosen. Return: 0, -ENOMEM. */
int assign_fill(const struct assign *a, struct place_choice *choices);

#endif
