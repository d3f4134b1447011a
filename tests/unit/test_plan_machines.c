// SPDX-License-Identifier: GPL-2.0-or-later
/* Random specs on every machine of tests/machines and tests/sysroots: whatever the planner answers holds
 * what it promises. CARVE_PROPERTY_ROUNDS asks for another number of rounds per machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inventory_builder.h"
#include "plan_judge.h"
#include "tests/fake/machine.h"

#define ROUNDS 150
#define MIN_MACHINES 12

/* The machine stays: only what the round made is released. */
static void release(struct random_round *x)
{
	for (size_t i = 0; i < x->n; i++) {
		spec_done(&x->specs[i]);
		plan_done(&x->plans[i]);
	}
}

static bool one_round(struct random_round *x, bool is_repeated)
{
	struct cv_error err = { 0 };
	int r;

	random_specs_for(x);
	r = plan_make(&x->inv, &x->site, x->specs, x->n, NULL, x->plans, &err);
	if (r == 0) {
		judge_plans(x);
		if (is_repeated)
			judge_same_bytes(x);
	} else {
		judge_error(&err, r);
	}
	release(x);
	return r == 0;
}

static unsigned int one_machine(const char *name, unsigned int rounds)
{
	struct random_round x = { .site = ib_site() };
	unsigned int n_planned = 0;

	machine_inventory(name, &x.inv);
	for (unsigned int i = 0; i < rounds; i++)
		n_planned += one_round(&x, i % 8 == 0);
	x.n = 0;
	random_round_done(&x);
	return n_planned;
}

static void every_answer_holds(void **state)
{
	unsigned int n_planned = 0, rounds = random_rounds(ROUNDS);
	_cleanup_strv_ struct cv_strv names = { 0 };

	(void)state;
	assert_int_equal(machine_names(&names), 0);
	assert_true(names.n >= MIN_MACHINES);
	for (size_t i = 0; i < names.n; i++) {
		random_seed(0x13198a2e03707344ULL + i);
		n_planned += one_machine(names.v[i], rounds);
	}
	assert_true(n_planned > rounds * names.n / 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
