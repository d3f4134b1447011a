/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random hosts, sites and specs, the same for the same seed. */
#ifndef CARVE_TESTS_PLAN_RANDOM_H
#define CARVE_TESTS_PLAN_RANDOM_H

#include "plan/inventory.h"
#include "plan/plan.h"
#include "plan/spec.h"

#define RANDOM_SPECS 4

/** struct random_round - one question to the planner, and its answer */
struct random_round {
	struct inventory inv;
	struct site site;
	struct spec specs[RANDOM_SPECS];
	struct plan plans[RANDOM_SPECS];
	size_t n;
};

/** random_seed() - start again; random_below() - 0 to @n - 1. */
void random_seed(uint64_t seed);
unsigned int random_below(unsigned int n);
/** random_rounds() - @n, or what CARVE_PROPERTY_ROUNDS asks for in its place. */
unsigned int random_rounds(unsigned int n);

/** random_round_init() - on one of the hosts of inventory_builder.h. */
void random_round_init(struct random_round *x);
/** random_small_init() - on a small host made up of anything: what brute_force() can judge. */
void random_small_init(struct random_round *x);
/** random_specs_for() - specs for x->inv that could be meant for it. */
void random_specs_for(struct random_round *x);
/** random_growth() - one more of something: a core, pages, memory, a function, a node. Return: what. */
const char *random_growth(struct random_round *x);
void random_round_done(struct random_round *x);

#endif
