/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An exhaustive judge of small placements: tries everything, and shares no code with the planner. */
#ifndef CARVE_TESTS_BRUTE_FORCE_H
#define CARVE_TESTS_BRUTE_FORCE_H

#include "plan/inventory.h"
#include "plan/spec.h"

#define BRUTE_MAX_NODES 5
#define BRUTE_MAX_GUESTS 4
#define BRUTE_MAX_ENTRIES 6

/** struct brute_answer - the least of what counts, each given those before it are least */
struct brute_answer {
	bool is_feasible;
	uint64_t nodes;	   /* once per guest */
	uint64_t hops;	   /* between devices that near: ties together */
	uint64_t distance; /* SLIT, from each device to the nearest node of its guest */
};

/** brute_force() - hosts without hybrid cores, of at most BRUTE_MAX_NODES; small specs. */
void brute_force(const struct inventory *inv, const struct site *site, const struct spec *specs,
		 size_t n, struct brute_answer *ret);
/** brute_compare() - <0: @a is better. */
int brute_compare(const struct brute_answer *a, const struct brute_answer *b);
/** brute_hops() - bridges that separate two functions, as the planner counts them. */
unsigned int brute_hops(const struct inventory *inv, int a, int b);

#endif
