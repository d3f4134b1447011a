// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guest sees of CPUs and memory: its nodes, packages, dies, L3s, cores and threads. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "plan/placement.h"

#define MAX_REJECTED 64 /* cores told per guest */

static unsigned int threads_of(const struct place_choice *c, const struct place *p,
			       const struct spec *s, bool *ret_mixed)
{
	unsigned int n = 0;

	*ret_mixed = false;
	for (size_t i = 0; i < c->n_cores; i++) {
		unsigned int t = (unsigned int)cv_cpuset_count(&p->cores[c->cores[i]].threads);

		if (n && t != n)
			*ret_mixed = true;
		if (!n || t < n)
			n = t;
	}
	return s->smt == SPEC_SMT_ONE_PER_CORE ? 1 : n;
}

/* Position of @value in a list of seen host ids, appended when new: guest ids count up from 0. */
static int seen(int *ids, int *n, int value)
{
	for (int i = 0; i < *n; i++)
		if (ids[i] == value)
			return i;
	ids[*n] = value;
	return (*n)++;
}

static void fill_vcpus(struct plan *plan, const struct place *p, const struct place_choice *c,
		       unsigned int threads)
{
	size_t v = 0, node = 0, end = c->node_cores[0];

	for (size_t i = 0; i < c->n_cores; i++) {
		const struct place_core *core = &p->cores[c->cores[i]];
		int cpu = -1;

		while (i >= end && node + 1 < c->n_nodes)
			end += c->node_cores[++node];
		cv_cpuset_or(&plan->host_cpus, &core->threads);
		for (unsigned int t = 0; t < threads; t++) {
			cpu = cv_cpuset_next(&core->threads, cpu);
			plan->vcpus[v++] = (struct plan_vcpu){
				.host_cpu = cpu,
				.guest_node = (int)node,
				.package = core->package,
				.core = (int)i,
				.thread = (int)t,
				.l3 = core->l3,
			};
		}
	}
}

/* Host package and L3 numbers become guest numbers in order of appearance. An L3 that spans nodes of
 * the host (sub-NUMA clusters) becomes one of each guest node: Linux refuses an L3 across nodes. */
static int renumber(struct plan *plan)
{
	_cleanup_free_ int *packages = calloc(plan->n_vcpus + 1, sizeof(int));
	_cleanup_free_ int *l3s = calloc(plan->n_vcpus + 1, sizeof(int));
	int n_packages = 0, n_l3s = 0;

	if (!packages || !l3s)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_vcpus; i++) {
		struct plan_vcpu *v = &plan->vcpus[i];

		v->package = seen(packages, &n_packages, v->package);
		v->l3 = seen(l3s, &n_l3s, (v->l3 + 1) * PLAN_MAX_NODES + v->guest_node);
	}
	plan->packages = n_packages;
	plan->dies = n_l3s;
	return 0;
}

/* @n parts of equal size, one after the other? */
static bool is_regular(const struct plan *plan, int n, int (*part)(const struct plan_vcpu *v))
{
	size_t each = n > 0 ? plan->n_vcpus / (size_t)n : 0;

	if (!each || plan->n_vcpus % (size_t)n)
		return false;
	for (size_t i = 0; i < plan->n_vcpus; i++)
		if (part(&plan->vcpus[i]) != (int)(i / each))
			return false;
	return true;
}

static int package_of(const struct plan_vcpu *v)
{
	return v->package;
}

static int l3_of(const struct plan_vcpu *v)
{
	return v->l3;
}

static unsigned int common_divisor(const struct place_choice *c)
{
	unsigned int a = 0;

	for (size_t i = 0; i < c->n_nodes; i++) {
		unsigned int b = c->node_cores[i];

		while (b) {
			unsigned int rest = a % b;

			a = b;
			b = rest;
		}
	}
	return a ? a : 1;
}

/* The largest groups of equal size that do not cross guest nodes. */
static int regroup_l3s(struct plan *plan, const struct place_choice *c, unsigned int threads)
{
	unsigned int cores = common_divisor(c);

	plan->dies = (int)(c->n_cores / cores);
	for (size_t i = 0; i < plan->n_vcpus; i++)
		plan->vcpus[i].l3 = (int)(i / threads / cores);
	return plan_add_reason(plan, "guest topology",
			       "the chosen cores share L3s unevenly, no regular topology is like "
			       "it: shown to the guest as %d L3(s) of %u core(s), none of them "
			       "across nodes",
			       plan->dies, cores);
}

/* Packages of unequal size: one package of each node when those are equal, else a single one. */
static void regroup_packages(struct plan *plan)
{
	bool by_node = (int)plan->n_nodes == plan->dies;

	plan->packages = by_node ? plan->dies : 1;
	for (size_t i = 0; i < plan->n_vcpus; i++)
		plan->vcpus[i].package = by_node ? plan->vcpus[i].l3 : 0;
}

/* What QEMU and CPUID can express: equal packages of equal L3s of equal cores (-smp, one die of each
 * L3). The host's own shape where it is like that. */
static int shape(struct plan *plan, const struct place_choice *c, unsigned int threads)
{
	int r = 0;

	if (!is_regular(plan, plan->dies, l3_of))
		r = regroup_l3s(plan, c, threads);
	if (!is_regular(plan, plan->packages, package_of) || plan->dies % plan->packages)
		regroup_packages(plan);
	plan->threads = (int)threads;
	plan->cores = (int)c->n_cores / plan->dies;
	plan->dies /= plan->packages;
	for (size_t i = 0; i < plan->n_vcpus; i++)
		plan->vcpus[i].die = plan->vcpus[i].l3 % plan->dies;
	return r;
}

static void fill_nodes(struct plan *plan, const struct place *p, const struct spec *s,
		       const struct place_choice *c)
{
	plan->n_nodes = c->n_nodes;
	for (size_t i = 0; i < c->n_nodes; i++) {
		const struct inv_node *host = &p->inv->nodes[c->nodes[i]];
		struct plan_node *n = &plan->nodes[i];

		n->host_node = host->id;
		n->page_size = s->page_size;
		n->pages = c->node_pages[i];
		n->memory = n->pages * n->page_size;
		for (size_t j = 0; j < c->n_nodes; j++)
			n->distances[j] = host->distances[c->nodes[j]];
	}
	for (size_t v = 0; v < plan->n_vcpus; v++)
		cv_cpuset_add(&plan->nodes[plan->vcpus[v].guest_node].vcpus, (int)v);
}

static bool is_on_nodes(const struct place_choice *c, int node)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i] == node)
			return true;
	return false;
}

/* The VMM's own threads: housekeeping cores of the guest's nodes, each of which keeps some. */
static int fill_vmm_cpus(struct plan *plan, const struct place *p, const struct place_choice *c,
			 struct cv_error *err)
{
	for (size_t i = 0; i < p->n_cores; i++)
		if (p->cores[i].is_housekeeping && is_on_nodes(c, p->cores[i].node))
			cv_cpuset_or(&plan->vmm_cpus, &p->cores[i].threads);
	if (!cv_cpuset_is_empty(&plan->vmm_cpus))
		return 0;
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "NO_HOUSEKEEPING", plan->name,
		"no core is left for the host and the VMM's own threads");
	cv_error_found(err, "0 housekeeping cores");
	cv_error_wanted(err, "at least one housekeeping core");
	cv_error_hint(err, "node: {housekeeping_cores: 1} in " CV_ETC_DIR "/carve.yaml");
	return -ENOSPC;
}

/* The first of those on the chosen nodes that were not free; the rest is counted. */
static int reject_cores(struct plan *plan, const struct place *p, const struct place_choice *c)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < p->n_cores && r == 0; i++) {
		char object[32];

		if (!is_on_nodes(c, p->cores[i].node) || !p->cores[i].why[0] || n++ >= MAX_REJECTED)
			continue;
		snprintf(object, sizeof(object), "core %zu", i);
		r = plan_add_rejected(plan, object, "%s", p->cores[i].why);
	}
	if (r == 0 && n > MAX_REJECTED)
		r = plan_add_rejected(plan, "other cores", "and %zu more that are not free",
				      n - MAX_REJECTED);
	return r;
}

static int explain_cores(struct plan *plan, const struct place *p, const struct place_choice *c)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&plan->host_cpus);
	_cleanup_free_ char *vmm = cv_format_cpulist(&plan->vmm_cpus);
	int r = plan_add_reason(plan, "cpus", "%s: whole cores, fewest L3s first",
				cpus ? cpus : "?");

	if (r == 0)
		r = plan_add_reason(plan, "vmm threads", "%s: housekeeping cores of the same nodes",
				    vmm ? vmm : "?");
	return r == 0 ? reject_cores(plan, p, c) : r;
}

static void fill_cpu(struct plan *plan, const struct inv_host *host)
{
	plan->cpu_family = host->cpu_family;
	plan->cpu_model = host->cpu_model_id;
	plan->caches = (struct plan_caches){
		.l1d = host->caches.l1d,
		.l1i = host->caches.l1i,
		.l2 = host->caches.l2,
		.l3 = host->caches.l3,
	};
}

int plan_set_topology(struct plan *plan, const struct place *p, const struct spec *s,
		      const struct place_choice *c, struct cv_error *err)
{
	bool mixed;
	unsigned int threads = threads_of(c, p, s, &mixed);

	plan->n_vcpus = c->n_cores * threads;
	plan->vcpus = calloc(plan->n_vcpus + 1, sizeof(*plan->vcpus));
	if (!plan->vcpus)
		return -ENOMEM;
	fill_cpu(plan, &p->inv->host);
	fill_vcpus(plan, p, c, threads);
	fill_nodes(plan, p, s, c);
	int r = renumber(plan);
	if (r == 0)
		r = shape(plan, c, threads);
	if (r == 0 && mixed)
		r = plan_add_reason(plan, "smt", "cores with different numbers of threads: %u used",
				    threads);
	if (r == 0)
		r = fill_vmm_cpus(plan, p, c, err);
	return r == 0 ? explain_cores(plan, p, c) : r;
}
