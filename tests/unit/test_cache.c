// SPDX-License-Identifier: GPL-2.0-or-later
/* What a spec may ask for of caches and memory bandwidth. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/cache.h"
#include "tests/unit/inventory_builder.h"

static const struct inv_resctrl xeon = { .is_mounted = true,
					 .has_l3 = true,
					 .has_mb = true,
					 .l3_mask = 0xfff,
					 .l3_min_bits = 1,
					 .l3_closids = 16,
					 .mb_min = 10,
					 .mb_step = 10 };

struct ask {
	unsigned int ways, bandwidth;
};

/* On the emulated node with this resctrl; @ret is to be released. */
static int ask(const struct inv_resctrl *host, struct ask want, struct plan *ret,
	       struct cv_error *err)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_spec_ struct spec s = ib_spec("a", 1, IB_1G, IB_2M);
	_cleanup_site_ struct site site = ib_site();
	struct place p;
	int r;

	ib_emulated(&inv, false);
	inv.host.resctrl = *host;
	inv.host.caches.l3 = 12 << 20;
	s.l3_ways = want.ways;
	s.memory_bandwidth = want.bandwidth;
	*ret = (struct plan){ .name = "a" };
	assert_int_equal(place_init(&p, &inv, &site, NULL), 0);
	r = plan_set_cache(ret, &p, &s, err);
	place_done(&p);
	return r;
}

static void test_nothing_asked(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct inv_resctrl none = { 0 };

	assert_int_equal(ask(&none, (struct ask){ 0, 0 }, &p, NULL), 0);
	assert_int_equal(p.l3_ways + p.memory_bandwidth + p.n_reasons, 0);
}

static void test_ways(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	assert_int_equal(ask(&xeon, (struct ask){ 4, 0 }, &p, NULL), 0);
	assert_int_equal(p.l3_ways, 4);
	assert_int_equal(p.memory_bandwidth, 0);
	assert_string_equal(p.reasons[0].text, "4 of 12 ways of each of its L3s (4M) for it alone");
}

static void test_bandwidth_is_rounded_down(void **state)
{
	static const struct {
		unsigned int asked, given;
	} cases[] = { { 50, 50 }, { 59, 50 }, { 10, 10 }, { 19, 10 }, { 100, 100 } };

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_plan_ struct plan p = { 0 };

		assert_int_equal(ask(&xeon, (struct ask){ 0, cases[i].asked }, &p, NULL), 0);
		assert_int_equal(p.memory_bandwidth, cases[i].given);
		assert_int_equal(p.n_reasons, cases[i].asked != cases[i].given);
	}
}

static void test_refusals(void **state)
{
	static const struct {
		bool is_mounted, has_l3, has_mb;
		unsigned int closids;
		struct ask want;
		int r;
		const char *code, *found;
	} cases[] = {
		{ false, true, true, 16, { 4, 0 }, -EOPNOTSUPP, "NO_RESCTRL", "not mounted" },
		{ false, false, false, 0, { 0, 50 }, -EOPNOTSUPP, "NO_RESCTRL", "neither cat_l3" },
		{ true, false, true, 16, { 4, 0 }, -EOPNOTSUPP, "NO_RESCTRL", "L3" },
		{ true, true, false, 16, { 4, 50 }, -EOPNOTSUPP, "NO_RESCTRL", "bandwidth" },
		{ true, true, true, 1, { 4, 0 }, -ENOSPC, "NO_CLOSID", "num_closids 1" },
		{ true, true, true, 16, { 12, 0 }, -ERANGE, "BAD_WAYS", "12 ways" },
		{ true, true, true, 16, { 40, 0 }, -ERANGE, "BAD_WAYS", "12 ways" },
		{ true, true, true, 16, { 4, 5 }, -ERANGE, "BAD_BANDWIDTH", "5 %" },
		{ true, true, true, 16, { 0, 101 }, -ERANGE, "BAD_BANDWIDTH", "101 %" },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_plan_ struct plan p = { 0 };
		struct inv_resctrl host = xeon;
		struct cv_error err = { 0 };

		host.is_mounted = cases[i].is_mounted;
		host.has_l3 = cases[i].has_l3;
		host.has_mb = cases[i].has_mb;
		host.l3_closids = cases[i].closids;
		assert_int_equal(ask(&host, cases[i].want, &p, &err), cases[i].r);
		assert_string_equal(err.code, cases[i].code);
		assert_non_null(strstr(err.found, cases[i].found));
		assert_true(err.wanted[0] && err.hint[0]);
		assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
		assert_int_equal(p.l3_ways + p.memory_bandwidth, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_bandwidth_is_rounded_down),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
