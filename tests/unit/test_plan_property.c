// SPDX-License-Identifier: GPL-2.0-or-later
/* Random specs, leases and nodes, with a fixed seed: whatever the planner answers holds what it
 * promises (plan_judge.h). CARVE_PROPERTY_ROUNDS asks for another number of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "plan_judge.h"

#define ROUNDS 8000
#define MARGIN (256ULL << 20)

/* Nothing was planned before: is there a node with enough of everything? */
static bool fits_one_node(const struct random_round *x, const struct spec *s)
{
	const struct inventory *inv = &x->inv;

	for (size_t n = 0; n < inv->n_nodes && !inv->n_leases && !inv->n_partitions; n++) {
		const struct inv_node *node = &inv->nodes[n];
		uint64_t room = node->obtainable > MARGIN ? node->obtainable - MARGIN : 0;
		unsigned int cores = 0;

		for (size_t i = 0; i < inv->n_cpus; i++)
			cores += inv->cpus[i].node == node->id && inv->cpus[i].thread == 0;
		room -= room % s->page_size;
		room += inv_find_pool(node, s->page_size)->free * s->page_size;
		if (cores >= s->cpus + x->site.housekeeping && room >= s->memory)
			return true;
	}
	return false;
}

static void every_answer_holds(void **state)
{
	unsigned int n_planned = 0, n_no_space = 0, n_refused = 0, rounds = random_rounds(ROUNDS);

	(void)state;
	random_seed(0x243f6a8885a308d3ULL);
	for (unsigned int i = 0; i < rounds; i++) {
		struct cv_error err = { 0 };
		struct random_round x;

		random_round_init(&x);
		int r = plan_make(&x.inv, &x.site, x.specs, x.n, NULL, x.plans, &err);
		if (r == 0) {
			n_planned++;
			judge_plans(&x);
			if (i % 4 == 0)
				judge_same_bytes(&x);
		} else {
			judge_error(&err, r);
			n_no_space += r == -ENOSPC;
			n_refused += r != -ENOSPC;
			if (r == -ENOSPC && x.n == 1 && !x.specs[0].n_nodes &&
			    x.specs[0].split == SPEC_SPLIT_EVEN)
				assert_false(fits_one_node(&x, &x.specs[0]));
		}
		random_round_done(&x);
	}
	/* the mix is such that each kind of answer is well covered */
	assert_true(n_planned > rounds / 10 && n_no_space > rounds / 10 && n_refused > rounds / 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
