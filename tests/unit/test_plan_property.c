// SPDX-License-Identifier: GPL-2.0-or-later
/* Random specs, leases and nodes, with a fixed seed: whatever the planner answers holds what it
 * promises. The judge here counts for itself and shares no code with the planner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"

#define ROUNDS 2500
#define MAX_SPECS 4
#define MARGIN (256ULL << 20)

static uint64_t seed;

static unsigned int below(unsigned int n)
{
	seed ^= seed << 13; /* xorshift64 */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)((seed >> 16) % n);
}

struct round {
	struct inventory inv;
	struct site site;
	struct spec specs[MAX_SPECS];
	struct plan plans[MAX_SPECS];
	size_t n;
};

static void random_inventory(struct inventory *inv)
{
	switch (below(4)) {
	case 0:
		ib_epyc(inv);
		break;
	case 1:
		ib_cpuless(inv);
		break;
	default:
		ib_emulated(inv, below(2));
		if (below(2))
			ib_make_vfs(inv, IB_IGB1, 1 + below(7), below(2) ? "igbvf" : "");
		break;
	}
	for (size_t i = 0; i < inv->n_nodes; i++) {
		inv->nodes[i].obtainable = below(4) * IB_1G;
		for (int k = 0; k < 2; k++)
			inv->nodes[i].pools[k].free = below(
				(unsigned int)inv->nodes[i].pools[k].total + 1);
	}
}

static void random_lease(struct inventory *inv)
{
	struct cv_lease *l = ib_lease(inv, "old", "ann", "");

	for (unsigned int i = below(4); i > 0; i--) {
		int core = inv->cpus[below((unsigned int)inv->n_cpus)].core;

		for (size_t c = 0; c < inv->n_cpus; c++)
			if (inv->cpus[c].core == core)
				cv_cpuset_add(&l->cpus, inv->cpus[c].id);
	}
	if (below(2))
		ib_lease_device(l, inv_find_dev(inv, ib_bdf("0000:81:10.0")) >= 0 ? "0000:81:10.0"
										  : IB_EDU);
	if (below(2))
		ib_lease_pages(l, (int)below((unsigned int)inv->n_nodes), IB_2M, below(256));
}

static void random_device(struct spec *s)
{
	static const char *const bdfs[] = { IB_EDU, IB_EDU_ROOT, IB_IGB0, IB_SW_IVSHMEM, IB_NVME };

	switch (below(5)) {
	case 0:
		ib_want_bdf(s, bdfs[below(CV_ARRAY_SIZE(bdfs))])->accept = below(8);
		break;
	case 1:
		ib_want_vf(s, below(2) ? IB_IGB0 : IB_IGB1);
		break;
	case 2:
		ib_want_class(s, below(2) ? "net" : "gpu");
		break;
	default:
		ib_want_vf_class(s, below(3) ? "net" : "nvme");
		break;
	}
	if (s->n_devices > 1 && below(2))
		snprintf(s->devices[s->n_devices - 1].near, sizeof(s->devices[0].near), "dev0");
}

static void random_spec(struct spec *s, unsigned int index, size_t n_nodes)
{
	uint64_t page = below(3) ? IB_2M : IB_1G;
	uint64_t pages = 1 + below(page == IB_2M ? 1024 : 4);
	char name[8];

	snprintf(name, sizeof(name), "vm%u", index);
	*s = ib_spec(name, 1 + below(6), pages * page, page);
	s->smt = below(2) ? SPEC_SMT_SIBLINGS : SPEC_SMT_ONE_PER_CORE;
	for (unsigned int i = below(4); i > 0 && below(2); i--)
		random_device(s);
	if (below(5) == 0) {
		s->nodes[s->n_nodes++] = (int)below((unsigned int)n_nodes);
		if (below(2))
			s->nodes[s->n_nodes++] = (s->nodes[0] + 1) % (int)n_nodes;
	}
}

static void round_init(struct round *x)
{
	*x = (struct round){ .site = ib_site(), .n = 1 + below(MAX_SPECS) };
	random_inventory(&x->inv);
	x->site.housekeeping = 1 + below(2);
	if (below(3) == 0)
		random_lease(&x->inv);
	for (size_t i = 0; i < x->n; i++)
		random_spec(&x->specs[i], (unsigned int)i, x->inv.n_nodes);
}

static void round_done(struct round *x)
{
	inventory_done(&x->inv);
	site_done(&x->site);
	for (size_t i = 0; i < x->n; i++) {
		spec_done(&x->specs[i]);
		plan_done(&x->plans[i]);
	}
}

/* ---- the judge ---- */

static bool is_leased(const struct inventory *inv, int cpu)
{
	for (size_t i = 0; i < inv->n_leases; i++)
		if (cv_cpuset_has(&inv->leases[i].cpus, cpu))
			return true;
	return false;
}

/* CPUs given away, over all plans: none twice, none leased, none of the VMMs' own. */
static void judge_cpus(const struct round *x, struct cv_cpuset *ret_given)
{
	struct cv_cpuset given = { 0 }, vmm = { 0 };

	for (size_t i = 0; i < x->n; i++) {
		const struct plan *p = &x->plans[i];

		assert_false(cv_cpuset_intersects(&given, &p->host_cpus));
		cv_cpuset_or(&given, &p->host_cpus);
		cv_cpuset_or(&vmm, &p->vmm_cpus);
		assert_false(cv_cpuset_is_empty(&p->vmm_cpus));
		for (size_t v = 0; v < p->n_vcpus; v++)
			assert_true(cv_cpuset_has(&p->host_cpus, p->vcpus[v].host_cpu));
	}
	assert_false(cv_cpuset_intersects(&given, &vmm));
	CV_CPUSET_FOREACH(cpu, &given)
	assert_false(is_leased(&x->inv, cpu));
	*ret_given = given;
}

static void judge_siblings_and_housekeeping(const struct round *x, const struct cv_cpuset *given)
{
	const struct inventory *inv = &x->inv;
	unsigned int kept[64] = { 0 }, free_first[64] = { 0 };

	for (size_t i = 0; i < inv->n_cpus; i++) {
		const struct inv_cpu *c = &inv->cpus[i];

		for (size_t k = 0; k < i; k++)
			if (inv->cpus[k].core == c->core)
				assert_int_equal(cv_cpuset_has(given, inv->cpus[k].id),
						 cv_cpuset_has(given, c->id));
		if (c->thread == 0 && !is_leased(inv, c->id)) {
			kept[c->node] += !cv_cpuset_has(given, c->id);
			free_first[c->node]++;
		}
	}
	for (size_t n = 0; n < inv->n_nodes; n++)
		assert_true(kept[n] >= x->site.housekeeping || kept[n] == free_first[n]);
}

static uint64_t node_bytes(const struct round *x, int node, uint64_t page_size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; k < x->plans[i].n_nodes; k++)
			if (x->plans[i].nodes[k].host_node == node &&
			    x->plans[i].nodes[k].page_size == page_size)
				sum += x->plans[i].nodes[k].memory;
	return sum;
}

static uint64_t pool_bytes(const struct inventory *inv, const struct inv_node *n, int pool)
{
	uint64_t size = n->pools[pool].page_size, leased = 0, total = n->pools[pool].total;

	for (size_t i = 0; i < inv->n_leases; i++)
		for (size_t k = 0; k < inv->leases[i].n_pages; k++)
			if (inv->leases[i].pages[k].node == n->id &&
			    inv->leases[i].pages[k].page_size == size)
				leased += inv->leases[i].pages[k].pages;
	total = total > leased ? total - leased : 0;
	return (n->pools[pool].free < total ? n->pools[pool].free : total) * size;
}

static void judge_memory(const struct round *x)
{
	for (size_t i = 0; i < x->inv.n_nodes; i++) {
		const struct inv_node *n = &x->inv.nodes[i];
		uint64_t added = 0;

		for (int k = 0; k < 2; k++) {
			uint64_t used = node_bytes(x, n->id, n->pools[k].page_size);
			uint64_t have = pool_bytes(&x->inv, n, k);

			added += used > have ? used - have : 0;
		}
		assert_true(added == 0 || added + MARGIN <= n->obtainable);
	}
}

static void judge_pair(const struct plan_device *a, const struct plan_device *b)
{
	assert_int_not_equal(cv_bdf_cmp(a->host, b->host), 0);
	if (a->is_vf)
		assert_int_not_equal(cv_bdf_cmp(a->pf, b->host), 0);
	if (b->is_vf)
		assert_int_not_equal(cv_bdf_cmp(b->pf, a->host), 0);
}

static void judge_devices(const struct round *x)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct plan *p = &x->plans[i];

		assert_int_equal(p->n_devices, x->specs[i].n_devices);
		for (size_t d = 0; d < p->n_devices; d++) {
			assert_null(inv_device_lease(&x->inv, p->devices[d].host));
			for (size_t k = 0; k <= i; k++)
				for (size_t e = 0; e < (k == i ? d : x->plans[k].n_devices); e++)
					judge_pair(&p->devices[d], &x->plans[k].devices[e]);
		}
	}
}

/* Each guest as asked: cores, memory, nodes; and its topology adds up. */
static void judge_plan(const struct round *x, size_t i)
{
	const struct plan *p = &x->plans[i];
	const struct spec *s = &x->specs[i];
	uint64_t memory = 0;

	assert_int_equal(p->packages * p->dies * p->cores * p->threads, p->n_vcpus);
	assert_int_equal(p->n_vcpus, s->cpus * (unsigned int)p->threads);
	for (size_t k = 0; k < p->n_nodes; k++) {
		memory += p->nodes[k].memory;
		assert_int_equal(p->nodes[k].pages * p->nodes[k].page_size, p->nodes[k].memory);
		assert_int_equal(cv_cpuset_count(&p->nodes[k].vcpus), p->n_vcpus / p->n_nodes);
		if (s->n_nodes)
			assert_int_equal(p->nodes[k].host_node, s->nodes[k]);
	}
	assert_int_equal(memory, s->memory);
	for (size_t v = 0; v < p->n_vcpus; v++) {
		int host = p->nodes[p->vcpus[v].guest_node].host_node;
		int cpu = inv_find_cpu(&x->inv, p->vcpus[v].host_cpu);

		assert_int_equal(x->inv.cpus[cpu].node, host);
	}
}

/* Nothing was planned before: is there a node with enough of everything? */
static bool fits_one_node(const struct round *x, const struct spec *s)
{
	for (size_t n = 0; n < x->inv.n_nodes; n++) {
		const struct inv_node *node = &x->inv.nodes[n];
		uint64_t room = node->obtainable > MARGIN ? node->obtainable - MARGIN : 0;
		unsigned int cores = 0;

		for (size_t i = 0; i < x->inv.n_cpus; i++)
			cores += x->inv.cpus[i].node == node->id && x->inv.cpus[i].thread == 0 &&
				 !is_leased(&x->inv, x->inv.cpus[i].id);
		room -= room % s->page_size;
		room += pool_bytes(&x->inv, node, s->page_size == IB_1G);
		if (cores >= s->cpus + x->site.housekeeping && room >= s->memory)
			return true;
	}
	return false;
}

static void every_answer_holds(void **state)
{
	unsigned int n_planned = 0, n_no_space = 0, n_refused = 0;

	(void)state;
	seed = 0x243f6a8885a308d3ULL;
	for (int i = 0; i < ROUNDS; i++) {
		struct cv_error err = { 0 };
		struct cv_cpuset given;
		struct round x;

		round_init(&x);
		int r = plan_make(&x.inv, &x.site, x.specs, x.n, NULL, x.plans, &err);
		if (r == 0) {
			n_planned++;
			judge_cpus(&x, &given);
			judge_siblings_and_housekeeping(&x, &given);
			judge_memory(&x);
			judge_devices(&x);
			for (size_t k = 0; k < x.n; k++)
				judge_plan(&x, k);
		} else {
			assert_int_equal(err.err, r);
			assert_true(err.code[0] && err.object[0] && err.what[0] && err.hint[0]);
			n_no_space += r == -ENOSPC;
			n_refused += r != -ENOSPC;
			if (r == -ENOSPC && x.n == 1 && x.specs[0].n_nodes == 0)
				assert_false(fits_one_node(&x, &x.specs[0]));
		}
		round_done(&x);
	}
	/* the mix is such that each kind of answer is well covered */
	assert_true(n_planned > ROUNDS / 10 && n_no_space > ROUNDS / 10 && n_refused > ROUNDS / 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
