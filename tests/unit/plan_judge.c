// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan_judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

#define MARGIN (256ULL << 20)

/* Leased, or in a partition that is not ours. */
static bool is_leased(const struct inventory *inv, int cpu)
{
	for (size_t i = 0; i < inv->n_leases; i++)
		if (cv_cpuset_has(&inv->leases[i].cpus, cpu))
			return true;
	for (size_t i = 0; i < inv->n_partitions; i++)
		if (strncmp(inv->partitions[i].path, "/carve", 6) != 0 &&
		    cv_cpuset_has(&inv->partitions[i].cpus, cpu))
			return true;
	return false;
}

/* CPUs given away, over all plans: none twice, none leased, none of the VMMs' own. */
static void judge_cpus(const struct random_round *x, struct cv_cpuset *ret_given)
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

/* Whole cores: a sibling of one that is leased cannot be given either. */
static bool core_is_free(const struct inventory *inv, int core)
{
	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].core == core && is_leased(inv, inv->cpus[i].id))
			return false;
	return true;
}

static void judge_siblings(const struct random_round *x, const struct cv_cpuset *given)
{
	const struct inventory *inv = &x->inv;
	_cleanup_free_ int *core = calloc(inv->n_cpus + 1, sizeof(*core));

	assert_non_null(core); /* 0: not seen, 1: kept, 2: given */
	for (size_t i = 0; i < inv->n_cpus; i++) {
		int *of = &core[inv->cpus[i].core], is = 1 + cv_cpuset_has(given, inv->cpus[i].id);

		if (*of)
			assert_int_equal(*of, is);
		*of = is;
	}
}

static void judge_housekeeping(const struct random_round *x, const struct cv_cpuset *given)
{
	const struct inventory *inv = &x->inv;

	for (size_t n = 0; n < inv->n_nodes; n++) {
		unsigned int kept = 0, could = 0;

		for (size_t i = 0; i < inv->n_cpus; i++) {
			const struct inv_cpu *c = &inv->cpus[i];

			if (c->node != inv->nodes[n].id || c->thread != 0 ||
			    !core_is_free(inv, c->core))
				continue;
			kept += !cv_cpuset_has(given, c->id);
			could++;
		}
		assert_true(kept >= x->site.housekeeping || kept == could);
	}
}

static uint64_t node_bytes(const struct random_round *x, int node, uint64_t page_size)
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

static void judge_memory(const struct random_round *x)
{
	for (size_t i = 0; i < x->inv.n_nodes; i++) {
		const struct inv_node *n = &x->inv.nodes[i];
		uint64_t added = 0;

		for (int k = 0; k < (int)n->n_pools; k++) {
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

/* A group has one owner: VFIO does not know more. */
static void judge_groups(const struct random_round *x, size_t a, size_t b)
{
	for (size_t i = 0; i < x->plans[a].n_devices; i++)
		for (size_t k = 0; k < x->plans[b].n_devices; k++) {
			int d = inv_find_dev(&x->inv, x->plans[a].devices[i].host);
			int e = inv_find_dev(&x->inv, x->plans[b].devices[k].host);

			if (d >= 0 && e >= 0)
				assert_int_not_equal(x->inv.devs[d].group, x->inv.devs[e].group);
		}
}

static void judge_devices(const struct random_round *x)
{
	for (size_t i = 0; i < x->n; i++) {
		const struct plan *p = &x->plans[i];

		assert_int_equal(p->n_devices, x->specs[i].n_devices);
		for (size_t k = 0; k < i; k++)
			judge_groups(x, k, i);
		for (size_t d = 0; d < p->n_devices; d++) {
			assert_null(inv_device_lease(&x->inv, p->devices[d].host));
			for (size_t k = 0; k <= i; k++)
				for (size_t e = 0; e < (k == i ? d : x->plans[k].n_devices); e++)
					judge_pair(&p->devices[d], &x->plans[k].devices[e]);
		}
	}
}

static void judge_node(const struct random_round *x, const struct plan *p, const struct spec *s,
		       size_t k)
{
	const struct plan_node *n = &p->nodes[k];
	size_t cores = 0;

	assert_int_equal(n->pages * n->page_size, n->memory);
	for (size_t v = 0; v < p->n_vcpus; v++)
		if (p->vcpus[v].guest_node == (int)k) {
			int cpu = inv_find_cpu(&x->inv, p->vcpus[v].host_cpu);

			assert_true(cv_cpuset_has(&n->vcpus, (int)v));
			assert_int_equal(x->inv.cpus[cpu].node, n->host_node);
			cores++;
		}
	assert_int_equal(cv_cpuset_count(&n->vcpus), cores);
	assert_true(cores > 0 && n->pages > 0);
	if (s->split == SPEC_SPLIT_EVEN || s->n_devices == 0)
		assert_int_equal(cores, p->n_vcpus / p->n_nodes);
	if (s->n_nodes)
		assert_int_equal(n->host_node, s->nodes[k]);
}

static bool says_mixed(const struct plan *p)
{
	for (size_t i = 0; i < p->n_reasons; i++)
		if (strcmp(p->reasons[i].object, "cores") == 0 &&
		    strstr(p->reasons[i].text, "several kinds"))
			return true;
	return false;
}

static void judge_kinds(const struct random_round *x, const struct plan *p)
{
	int kind = -1;
	bool mixed = false;

	CV_CPUSET_FOREACH(cpu, &p->host_cpus)
	{
		int is = x->inv.cpus[inv_find_cpu(&x->inv, cpu)].kind;

		mixed |= kind >= 0 && is != kind;
		kind = is;
	}
	assert_true(!mixed || says_mixed(p));
}

static void judge_ranges(const struct plan *p)
{
	for (size_t i = 0; i < p->n_ranges; i++) {
		assert_true(p->ranges[i].size > 0);
		if (i > 0)
			assert_true(p->ranges[i - 1].start + p->ranges[i - 1].size <=
				    p->ranges[i].start);
	}
}

/* Each guest as asked: cores, memory, nodes; and its topology adds up. */
static void judge_plan(const struct random_round *x, size_t i)
{
	const struct plan *p = &x->plans[i];
	const struct spec *s = &x->specs[i];
	uint64_t memory = 0;

	assert_int_equal(p->packages * p->dies * p->cores * p->threads, p->n_vcpus);
	assert_int_equal(p->n_vcpus, s->cpus * (unsigned int)p->threads);
	for (size_t k = 0; k < p->n_nodes; k++) {
		memory += p->nodes[k].memory;
		judge_node(x, p, s, k);
		for (size_t l = 0; l < k; l++)
			assert_int_not_equal(p->nodes[k].host_node, p->nodes[l].host_node);
	}
	assert_int_equal(memory, s->memory);
	judge_kinds(x, p);
	judge_ranges(p);
}

void judge_plans(const struct random_round *x)
{
	struct cv_cpuset given;

	judge_cpus(x, &given);
	judge_siblings(x, &given);
	judge_housekeeping(x, &given);
	judge_memory(x);
	judge_devices(x);
	for (size_t k = 0; k < x->n; k++)
		judge_plan(x, k);
}

void judge_error(const struct cv_error *err, int r)
{
	assert_int_equal(err->err, r);
	if (!err->code[0] || !err->object[0] || !err->what[0] || !err->found[0] ||
	    !err->wanted[0] || !err->hint[0])
		fail_msg("%s: %s: %s (%s; %s; %s)", err->code, err->object, err->what, err->found,
			 err->wanted, err->hint);
}

void judge_same_bytes(const struct random_round *x)
{
	struct plan again[RANDOM_SPECS];
	struct cv_error err = { 0 };

	assert_int_equal(plan_make(&x->inv, &x->site, x->specs, x->n, NULL, again, &err), 0);
	for (size_t i = 0; i < x->n; i++) {
		_cleanup_json_ json_t *a = plan_json(&x->plans[i]), *b = plan_json(&again[i]);
		_cleanup_free_ char *text = cv_json_text(a), *other = cv_json_text(b);

		assert_true(text && other);
		assert_string_equal(text, other);
		plan_done(&again[i]);
	}
}
