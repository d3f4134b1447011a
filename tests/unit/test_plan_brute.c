// SPDX-License-Identifier: GPL-2.0-or-later
/* Small random hosts, judged by trying everything: what can be placed is placed, and none of what counts
 * most could be less. CARVE_PROPERTY_ROUNDS asks for another number of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "brute_force.h"
#include "plan_judge.h"

#define ROUNDS 12000

static int plan_it(struct random_round *x, struct cv_error *err)
{
	*err = (struct cv_error){ 0 };
	return plan_make(&x->inv, &x->site, x->specs, x->n, NULL, x->plans, err);
}

static int device_of(const struct random_round *x, size_t guest, size_t i)
{
	const struct plan_device *d = &x->plans[guest].devices[i];

	return inv_find_dev(&x->inv, d->is_vf ? d->pf : d->host);
}

static uint64_t hops_of(const struct random_round *x, size_t guest)
{
	const struct spec *s = &x->specs[guest];
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n_devices; i++)
		for (size_t k = 0; k < s->n_devices; k++)
			if (s->devices[i].near[0] &&
			    strcmp(s->devices[i].near, s->devices[k].id) == 0)
				sum += brute_hops(&x->inv, device_of(x, guest, i),
						  device_of(x, guest, k));
	return sum;
}

static uint64_t distance_of(const struct random_round *x, const struct plan *p, int node)
{
	int from = inv_find_node(&x->inv, node);
	uint64_t best = 1000;

	for (size_t i = 0; i < p->n_nodes && from >= 0; i++) {
		int to = inv_find_node(&x->inv, p->nodes[i].host_node);
		uint64_t d = (uint64_t)x->inv.nodes[from].distances[to];

		best = d < best ? d : best;
	}
	return best;
}

static struct brute_answer answer_of(const struct random_round *x)
{
	struct brute_answer a = { .is_feasible = true };

	for (size_t g = 0; g < x->n; g++) {
		const struct plan *p = &x->plans[g];

		a.nodes += p->n_nodes;
		a.hops += hops_of(x, g);
		for (size_t i = 0; i < p->n_devices; i++)
			a.distance += distance_of(x, p, p->devices[i].host_node);
	}
	return a;
}

static void compare(const struct random_round *x, unsigned int round)
{
	struct brute_answer found = answer_of(x), best;

	brute_force(&x->inv, &x->site, x->specs, x->n, &best);
	if (!best.is_feasible)
		fail_msg("round %u: placed what cannot be placed", round);
	if (brute_compare(&best, &found) != 0)
		fail_msg("round %u: nodes %llu, hops %llu, distance %llu; best is %llu, %llu, %llu",
			 round, (unsigned long long)found.nodes, (unsigned long long)found.hops,
			 (unsigned long long)found.distance, (unsigned long long)best.nodes,
			 (unsigned long long)best.hops, (unsigned long long)best.distance);
}

/* Return: was there a placement? */
static bool one_round(struct random_round *x, unsigned int round)
{
	struct brute_answer best;
	struct cv_error err;
	int r = plan_it(x, &err);

	if (r == 0) {
		judge_plans(x);
		compare(x, round);
		return true;
	}
	judge_error(&err, r);
	brute_force(&x->inv, &x->site, x->specs, x->n, &best);
	if (best.is_feasible)
		fail_msg("round %u: refused (%s: %s; %s), but it can be placed", round, err.object,
			 err.what, err.found);
	return false;
}

static void nothing_better_is_missed(void **state)
{
	unsigned int n_placed = 0, rounds = random_rounds(ROUNDS);

	(void)state;
	random_seed(0x452821e638d01377ULL);
	for (unsigned int i = 0; i < rounds; i++) {
		struct random_round x;

		random_small_init(&x);
		n_placed += one_round(&x, i);
		random_round_done(&x);
	}
	assert_true(n_placed > rounds / 8 && n_placed < rounds - rounds / 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_better_is_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
