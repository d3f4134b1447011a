// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guest is shown of CPUs and memory: the host's shape where CPUID can say it, and otherwise the
 * largest equal groups that stay on one node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "guest_builder.h"

/* Whatever the shape: ids count up, levels nest, nothing of an L3 is on two nodes. */
static void judge(const struct plan *p)
{
	size_t per_l3 = (size_t)(p->cores * p->threads);

	assert_int_equal(p->packages * p->dies * p->cores * p->threads, p->n_vcpus);
	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i], *first = &p->vcpus[i / per_l3 * per_l3];

		assert_int_equal(v->thread, i % (size_t)p->threads);
		assert_int_equal(v->core, i / (size_t)p->threads);
		assert_int_equal(v->l3, i / per_l3);
		assert_int_equal(v->die, v->l3 % p->dies);
		assert_int_equal(v->package, v->l3 / p->dies);
		assert_int_equal(v->guest_node, first->guest_node);
		assert_true(cv_cpuset_has(&p->nodes[v->guest_node].vcpus, (int)i));
		assert_true(cv_cpuset_has(&p->host_cpus, v->host_cpu));
	}
	assert_false(cv_cpuset_intersects(&p->host_cpus, &p->vmm_cpus));
}

static bool says(const struct plan *p, const char *object, const char *text)
{
	for (size_t i = 0; i < p->n_reasons; i++)
		if (strcmp(p->reasons[i].object, object) == 0 && strstr(p->reasons[i].text, text))
			return true;
	return false;
}

/**
 * struct row - cores taken of each node, 0 ends; and what the guest shall be shown
 * @host:   the machine
 * @reason: a regular topology like the host's was not there
 */
struct row {
	struct gb_shape host;
	unsigned int cores[4];
	enum spec_smt smt;
	int packages, dies, n_cores, threads;
	bool reason;
};

static const struct row rows[] = {
	/* whole L3s of one package, and of two */
	{ { "AuthenticAMD", 2, 32, 2, 8 }, { 16 }, SPEC_SMT_SIBLINGS, 1, 2, 8, 2, false },
	{ { "AuthenticAMD", 2, 32, 2, 8 }, { 16, 16 }, SPEC_SMT_SIBLINGS, 2, 2, 8, 2, false },
	{ { "AuthenticAMD", 2, 32, 2, 8 }, { 16, 16 }, SPEC_SMT_ONE_PER_CORE, 2, 2, 8, 1, false },
	/* four nodes in one package (NPS4) */
	{ { "AuthenticAMD", 4, 8, 1, 4, 4 }, { 4, 4, 4 }, SPEC_SMT_SIBLINGS, 1, 3, 4, 1, false },
	/* part of an L3 on each node: still equal */
	{ { "GenuineIntel", 2, 16, 2, 16 }, { 5, 5 }, SPEC_SMT_SIBLINGS, 2, 1, 5, 2, false },
	/* 3 + 4 + 3 cores of three L3s */
	{ { "AuthenticAMD", 1, 16, 1, 4 }, { 10 }, SPEC_SMT_SIBLINGS, 1, 1, 10, 1, true },
	/* uneven nodes: groups of the common divisor; packages of unequal size become one */
	{ { "GenuineIntel", 2, 16, 1, 16 }, { 6, 4 }, SPEC_SMT_SIBLINGS, 1, 5, 2, 1, true },
	{ { "GenuineIntel", 2, 16, 2, 16 }, { 5, 3 }, SPEC_SMT_SIBLINGS, 1, 8, 1, 2, true },
	{ { "GenuineIntel", 3, 16, 1, 16 }, { 9, 6, 3 }, SPEC_SMT_SIBLINGS, 1, 6, 3, 1, true },
	/* uneven nodes whose L3s are equal all the same */
	{ { "AuthenticAMD", 2, 32, 1, 8 }, { 16, 8 }, SPEC_SMT_SIBLINGS, 1, 3, 8, 1, false },
	/* an L3 across two nodes (sub-NUMA clusters without a cache of their own) */
	{ { "GenuineIntel", 2, 8, 1, 16, 2 }, { 4, 4 }, SPEC_SMT_SIBLINGS, 1, 2, 4, 1, false },
	{ { "GenuineIntel", 2, 8, 1, 16, 2 }, { 6, 3 }, SPEC_SMT_SIBLINGS, 1, 3, 3, 1, true },
};

static void each_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct gb b;

		gb_init(&b, &r->host);
		b.spec.smt = r->smt;
		for (int n = 0; n < 4 && r->cores[n]; n++)
			gb_take(&b, n, r->cores[n], 1, GB_1G);
		assert_int_equal(gb_plan(&b), 0);
		judge(&b.plan);
		if (b.plan.packages != r->packages || b.plan.dies != r->dies ||
		    b.plan.cores != r->n_cores || b.plan.threads != r->threads)
			fail_msg("row %zu: %d packages, %d dies, %d cores, %d threads", i,
				 b.plan.packages, b.plan.dies, b.plan.cores, b.plan.threads);
		if (says(&b.plan, "guest topology", "unevenly") != r->reason)
			fail_msg("row %zu: reason %s", i, r->reason ? "missing" : "unexpected");
		gb_done(&b);
	}
}

static void nodes_have_their_own_share(void **state)
{
	static const struct gb_shape host = { "GenuineIntel", 3, 16, 2, 16 };
	struct gb b;

	(void)state;
	gb_init(&b, &host);
	gb_take(&b, 2, 6, 12, GB_1G);
	gb_take(&b, 0, 2, 4, GB_1G);
	assert_int_equal(gb_plan(&b), 0);
	assert_int_equal(b.plan.n_nodes, 2);
	assert_int_equal(b.plan.nodes[0].host_node, 2);
	assert_int_equal(b.plan.nodes[0].memory, 12 * GB_1G);
	assert_int_equal(b.plan.nodes[0].pages, 12);
	assert_int_equal(b.plan.nodes[1].memory, 4 * GB_1G);
	assert_int_equal(cv_cpuset_count(&b.plan.nodes[0].vcpus), 12);
	assert_int_equal(cv_cpuset_count(&b.plan.nodes[1].vcpus), 4);
	assert_int_equal(b.plan.nodes[0].distances[1], 22);
	gb_done(&b);
}

static void the_host_cpu_is_named(void **state)
{
	static const struct gb_shape host = { "AuthenticAMD", 1, 8, 1, 8 };
	struct gb b;

	(void)state;
	gb_init(&b, &host);
	gb_take(&b, 0, 2, 1, GB_1G);
	assert_int_equal(gb_plan(&b), 0);
	assert_int_equal(b.plan.cpu_family, 25);
	assert_int_equal(b.plan.cpu_model, 17);
	assert_int_equal(b.plan.caches.l1d, 32 << 10);
	assert_int_equal(b.plan.caches.l2, 1 << 20);
	assert_int_equal(b.plan.caches.l3, 32 << 20);
	gb_done(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_shape),
		cmocka_unit_test(nodes_have_their_own_share),
		cmocka_unit_test(the_host_cpu_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
