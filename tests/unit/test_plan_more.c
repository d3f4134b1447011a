// SPDX-License-Identifier: GPL-2.0-or-later
/* More cores, pages, memory, functions or nodes never make less possible: small random hosts that grow
 * after their guests were placed. CARVE_PROPERTY_ROUNDS asks for another number of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "plan_judge.h"

#define ROUNDS 6000

static int plan_it(struct random_round *x, struct cv_error *err)
{
	*err = (struct cv_error){ 0 };
	return plan_make(&x->inv, &x->site, x->specs, x->n, NULL, x->plans, err);
}

static void more_never_makes_less_possible(void **state)
{
	unsigned int rounds = random_rounds(ROUNDS), n_placed = 0;

	(void)state;
	random_seed(0xbe5466cf34e90c6cULL);
	for (unsigned int i = 0; i < rounds; i++) {
		struct random_round x;
		struct cv_error err;

		random_small_init(&x);
		bool was_placed = plan_it(&x, &err) == 0;
		for (int k = 0; k < 3 && was_placed; k++) {
			const char *what = random_growth(&x);

			for (size_t g = 0; g < x.n; g++)
				plan_done(&x.plans[g]);
			if (plan_it(&x, &err) < 0)
				fail_msg("round %u: with %s more: %s: %s (%s)", i, what, err.object,
					 err.what, err.found);
			judge_plans(&x);
			n_placed++;
			if (strcmp(what, "a function") == 0)
				break; /* there is one address for it */
		}
		random_round_done(&x);
	}
	assert_true(n_placed > rounds / 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_never_makes_less_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
