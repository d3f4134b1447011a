// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner over inventories made here: what it chooses, what it leaves alone, and that it says the
 * same twice. Refusals are in test_plan_refusals.c, random specs in test_plan_property.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "inventory_builder.h"

struct bench {
	struct inventory inv;
	struct site site;
	struct spec specs[3];
	struct plan plans[3];
	struct plan_allowance allow;
	struct cv_error err;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	b->site = ib_site();
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < 3; i++) {
		plan_done(&b->plans[i]);
		spec_done(&b->specs[i]);
	}
	inventory_done(&b->inv);
	site_done(&b->site);
	free(b);
	return 0;
}

static int make(struct bench *b, size_t n)
{
	b->err = (struct cv_error){ 0 };
	for (size_t i = 0; i < n; i++)
		plan_done(&b->plans[i]);
	return plan_make(&b->inv, &b->site, b->specs, n, &b->allow, b->plans, &b->err);
}

static void make_ok(struct bench *b, size_t n)
{
	if (make(b, n) < 0)
		fail_msg("%s: %s (%s)", b->err.object, b->err.what, b->err.found);
}

static void assert_list(const struct cv_cpuset *set, const char *want)
{
	_cleanup_free_ char *text = cv_format_cpulist(set);

	assert_string_equal(text, want);
}

static bool has_reason(const struct plan_reason *r, size_t n, const char *object, const char *part)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(r[i].object, object) == 0 && strstr(r[i].text, part))
			return true;
	return false;
}

static bool has_step(const struct plan *p, const char *kind, const char *object, const char *value)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (strcmp(p->steps[i].kind, kind) == 0 &&
		    strcmp(p->steps[i].object, object) == 0 &&
		    strcmp(p->steps[i].value, value) == 0)
			return true;
	return false;
}

static size_t count_steps(const struct plan *p, const char *kind)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n += strcmp(p->steps[i].kind, kind) == 0;
	return n;
}

static void whole_cores_keep_siblings(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, true);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_vcpus, 4);
	assert_list(&b->plans[0].host_cpus, "1-2,9-10");
	assert_list(&b->plans[0].vmm_cpus, "0,8");
	for (int i = 0; i < 4; i++) {
		const struct plan_vcpu *v = &b->plans[0].vcpus[i];

		assert_int_equal(v->host_cpu, 1 + i / 2 + 8 * (i % 2));
		assert_int_equal(v->core, i / 2);
		assert_int_equal(v->thread, i % 2);
	}
	assert_int_equal(b->plans[0].threads, 2);
	assert_int_equal(b->plans[0].cores, 2);
}

static void one_per_core_idles_siblings(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, true);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	b->specs[0].smt = SPEC_SMT_ONE_PER_CORE;
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_vcpus, 2);
	assert_list(&b->plans[0].host_cpus, "1-2,9-10");
	assert_int_equal(b->plans[0].threads, 1);
}

static void housekeeping_is_kept(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 3, IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 3, IB_1G, IB_2M);
	make_ok(b, 2);
	assert_list(&b->plans[0].host_cpus, "1-3");
	assert_list(&b->plans[1].host_cpus, "5-7");
	assert_true(
		has_reason(b->plans[0].rejected, b->plans[0].n_rejected, "core 0", "housekeeping"));
	b->site.housekeeping = 2;
	assert_int_equal(make(b, 2), -ENOSPC);
}

/* Where a guest holds the first core, another one is kept for the VMMs' threads. */
/* A core of each node of the guest stays with the host, whose threads the vCPUs would not let run. */
static void realtime_leaves_a_core_of_each_node(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 6, 2 * IB_1G, IB_2M);
	b->specs[0].rt_priority = 7;
	make_ok(b, 1);
	assert_int_equal(b->plans[0].rt_priority, 7);
	assert_list(&b->plans[0].host_cpus, "1-3,5-7");
	assert_list(&b->plans[0].vmm_cpus, "0,4");
	assert_true(has_reason(b->plans[0].reasons, b->plans[0].n_reasons, "real time",
			       "SCHED_FIFO 7"));
	assert_true(has_reason(b->plans[0].reasons, b->plans[0].n_reasons, "real time",
			       "kernel.sched_rt_runtime_us"));
}

static void housekeeping_is_never_leased(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	cv_cpuset_add(&ib_lease(&b->inv, "old", "ann", "")->cpus, 0);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	b->specs[0].nodes[0] = 0;
	b->specs[0].n_nodes = 1;
	make_ok(b, 1);
	assert_list(&b->plans[0].host_cpus, "2-3");
	assert_list(&b->plans[0].vmm_cpus, "1");
}

static void memory_sits_with_the_cores(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, 2 * IB_1G, IB_1G);
	b->inv.nodes[0].pools[1].free = 0;
	b->inv.nodes[0].obtainable = 0;
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_nodes, 1);
	assert_int_equal(b->plans[0].nodes[0].host_node, 1);
	assert_int_equal(b->plans[0].nodes[0].pages, 2);
	assert_true(has_step(&b->plans[0], "hugepages", "node1/1G", "2"));
	for (size_t i = 0; i < b->plans[0].n_vcpus; i++)
		assert_true(cv_cpuset_has(&b->inv.nodes[1].cpus, b->plans[0].vcpus[i].host_cpu));
}

/* Page cache in the way is no shortage: what counts is what the kernel could give. */
static void cached_files_are_room(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	for (int n = 0; n < 2; n++) {
		b->inv.nodes[n].mem_free = 0;
		b->inv.nodes[n].obtainable = (256ULL << 20) + IB_1G;
	}
	b->specs[0] = ib_spec("a", 2, 3 * IB_1G, IB_1G);
	make_ok(b, 1);
	assert_true(has_step(&b->plans[0], "hugepages", "node0/1G", "3"));
	for (int n = 0; n < 2; n++)
		b->inv.nodes[n].obtainable--;
	b->specs[0].n_nodes = 1;
	assert_int_equal(make(b, 1), -ENOSPC);
	assert_string_equal(b->err.found,
			    "node 0 has 2 free 1G pages and room for 0 more, 3 needed");
}

static void leases_are_respected(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	ib_make_vfs(&b->inv, IB_IGB1, 7, "");
	struct cv_lease *l = ib_lease(&b->inv, "old", "ann", "42");
	cv_cpuset_add(&l->cpus, 5);
	ib_lease_device(l, "0000:81:10.0");
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_vf(&b->specs[0], IB_IGB1);
	make_ok(b, 1);
	assert_list(&b->plans[0].host_cpus, "6-7");
	assert_int_equal(b->plans[0].devices[0].vf_index, 1);
	assert_false(b->plans[0].devices[0].is_new);
	assert_true(has_reason(b->plans[0].rejected, b->plans[0].n_rejected, "0000:81:10.0",
			       "lease of VM old, user ann, job 42"));
	assert_true(has_reason(b->plans[0].rejected, b->plans[0].n_rejected, "core 5",
			       "leased by old"));
}

/* Pages of a lease are promised even while its guest has not touched them. */
static void leased_pages_are_not_free(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	for (int n = 0; n < 2; n++)
		b->inv.nodes[n].obtainable = 0;
	b->specs[0] = ib_spec("a", 1, 2 * IB_1G, IB_1G);
	ib_lease_pages(ib_lease(&b->inv, "old", "ann", ""), 0, IB_1G, 1);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].nodes[0].host_node, 1);
	ib_lease_pages(&b->inv.leases[0], 1, IB_1G, 1);
	assert_int_equal(make(b, 1), -ENOSPC);
	assert_non_null(strstr(b->err.found, "node 0 has 1 free 1G pages and room for 0 more, 2 "
					     "needed; node 1 has 1 free 1G pages"));
}

static void devices_choose_the_node(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_EDU);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].nodes[0].host_node, 1);
	assert_true(has_reason(b->plans[0].reasons, b->plans[0].n_reasons, "node 1",
			       "nearest to the devices"));
	assert_true(has_reason(b->plans[0].rejected, b->plans[0].n_rejected, "node 0", "farther"));
}

static void vf_of_a_class_is_near(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	b->specs[0].nodes[0] = 1;
	b->specs[0].n_nodes = 1;
	ib_want_vf_class(&b->specs[0], "net");
	make_ok(b, 1);
	const struct plan_device *d = &b->plans[0].devices[0];
	assert_int_equal(cv_bdf_cmp(d->pf, ib_bdf(IB_IGB1)), 0);
	assert_int_equal(cv_bdf_cmp(d->host, ib_bdf("0000:81:10.0")), 0);
	assert_true(d->is_new && d->is_vf);
	assert_int_equal(d->device, 0x10ca);
	assert_true(has_step(&b->plans[0], "numvfs", IB_IGB1, "7"));
}

static void near_is_honoured(void **state)
{
	struct bench *b = *state;
	struct spec *s = &b->specs[0];

	ib_epyc(&b->inv);
	*s = ib_spec("a", 4, IB_1G, IB_2M);
	s->nodes[0] = 0;
	s->n_nodes = 1;
	snprintf(ib_want_class(s, "gpu")->near, sizeof(s->devices[0].near), "dev1");
	snprintf(ib_want_vf_class(s, "net")->near, sizeof(s->devices[1].near), "dev2");
	ib_want_bdf(s, "0000:61:00.0");
	b->inv.devs[inv_find_dev(&b->inv, ib_bdf("0000:61:00.0"))].class = 0x120000;
	make_ok(b, 1);
	/* dev1 follows dev2 to node 3, although all nodes are equally far from node 0 */
	assert_int_equal(cv_bdf_cmp(b->plans[0].devices[1].pf, ib_bdf("0000:63:00.0")), 0);
	assert_int_equal(cv_bdf_cmp(b->plans[0].devices[0].host, ib_bdf("0000:21:00.0")), 0);
}

/* near: works from both sides: the free choice follows the fixed one. */
static void near_works_backwards(void **state)
{
	struct bench *b = *state;
	struct spec *s = &b->specs[0];

	ib_epyc(&b->inv);
	*s = ib_spec("a", 4, IB_1G, IB_2M);
	ib_want_class(s, "gpu");
	snprintf(ib_want_vf(s, "0000:63:00.0")->near, sizeof(s->devices[1].near), "dev0");
	make_ok(b, 1);
	assert_int_equal(cv_bdf_cmp(b->plans[0].devices[0].host, ib_bdf("0000:61:00.0")), 0);
	assert_int_equal(b->plans[0].nodes[0].host_node, 3);
	assert_true(
		has_reason(b->plans[0].rejected, b->plans[0].n_rejected, "0000:21:00.0", "near:"));
}

/* The first choice already looks at what its follower can have: the only free NVMe is on node 1. */
static void near_is_foreseen(void **state)
{
	struct bench *b = *state;
	struct spec *s = &b->specs[0];

	ib_emulated(&b->inv, false);
	*s = ib_spec("a", 4, IB_1G, IB_2M);
	s->nodes[1] = 1;
	s->n_nodes = 2;
	ib_want_vf_class(s, "net");
	snprintf(ib_want_vf_class(s, "nvme")->near, sizeof(s->devices[1].near), "dev0");
	make_ok(b, 1);
	assert_int_equal(cv_bdf_cmp(b->plans[0].devices[0].pf, ib_bdf(IB_IGB1)), 0);
	assert_int_equal(cv_bdf_cmp(b->plans[0].devices[1].pf, ib_bdf(IB_NVME)), 0);
}

static void named_nodes_are_even(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 4, IB_1G, IB_2M);
	b->specs[0].nodes[0] = 1;
	b->specs[0].nodes[1] = 0;
	b->specs[0].n_nodes = 2;
	make_ok(b, 1);
	const struct plan *p = &b->plans[0];
	assert_int_equal(p->n_nodes, 2);
	assert_int_equal(p->nodes[0].host_node, 1);
	assert_int_equal(p->nodes[0].memory, p->nodes[1].memory);
	assert_int_equal(p->nodes[0].memory, IB_1G / 2);
	assert_list(&p->nodes[0].vcpus, "0-1");
	assert_list(&p->nodes[1].vcpus, "2-3");
	assert_list(&p->host_cpus, "1-2,5-6");
	assert_int_equal(p->nodes[0].distances[0], 10);
	assert_int_equal(p->nodes[0].distances[1], 21);
	assert_int_equal(p->packages, 2);
}

static void two_nodes_when_one_is_too_small(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 6, 2 * IB_1G, IB_2M);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_nodes, 2);
	assert_list(&b->plans[0].host_cpus, "1-3,5-7");
	assert_true(has_reason(b->plans[0].reasons, b->plans[0].n_reasons, "nodes",
			       "node 0 has 3 free cores, 6 needed"));
}

/* Of equal pairs of nodes, the one with the shorter distance between them. */
static void nodes_of_a_set_are_close(void **state)
{
	struct bench *b = *state;

	ib_epyc(&b->inv);
	b->inv.nodes[1].distances[2] = b->inv.nodes[2].distances[1] = 11;
	b->specs[0] = ib_spec("a", 12, 4 * IB_1G, IB_1G);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].nodes[0].host_node, 1);
	assert_int_equal(b->plans[0].nodes[1].host_node, 2);
}

static void one_l3_first(void **state)
{
	struct bench *b = *state;

	ib_epyc(&b->inv);
	b->specs[0] = ib_spec("a", 4, IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 3, IB_1G, IB_2M);
	make_ok(b, 2);
	/* core 0 is kept: the second L3 of node 0 is whole, the first has three left */
	assert_list(&b->plans[0].host_cpus, "4-7,36-39");
	assert_list(&b->plans[1].host_cpus, "1-3,33-35");
	assert_int_equal(b->plans[0].dies, 1);
}

static void even_over_l3s(void **state)
{
	struct bench *b = *state;

	ib_epyc(&b->inv);
	b->specs[0] = ib_spec("a", 6, IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 7, IB_1G, IB_2M);
	make_ok(b, 2);
	const struct plan *p = &b->plans[0];
	assert_list(&p->host_cpus, "1-6,33-38");
	assert_int_equal(p->dies, 2);
	assert_int_equal(p->cores, 3);
	assert_int_equal(p->vcpus[0].l3, 0);
	assert_int_equal(p->vcpus[11].l3, 1);
	/* 4 + 3 cannot be shown as it is: one L3, and the plan says so */
	assert_int_equal(b->plans[1].dies, 1);
	assert_int_equal(b->plans[1].cores, 7);
	assert_true(has_reason(b->plans[1].reasons, b->plans[1].n_reasons, "guest topology",
			       "unevenly"));
}

static void a_node_without_cpus_is_no_place(void **state)
{
	struct bench *b = *state;

	ib_cpuless(&b->inv);
	b->specs[0] = ib_spec("a", 3, IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 3, IB_1G, IB_2M);
	make_ok(b, 2);
	b->specs[2] = ib_spec("c", 1, IB_1G, IB_2M);
	assert_int_equal(make(b, 3), -ENOSPC);
	assert_non_null(strstr(b->err.found, "node 2 has 0 free cores, 1 needed"));
}

static void specs_do_not_overlap(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	for (int i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		b->specs[i] = ib_spec(name, 1, IB_1G, IB_1G);
		ib_want_vf(&b->specs[i], IB_IGB1);
		ib_want_vf(&b->specs[i], IB_IGB1);
	}
	make_ok(b, 3);
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 2; k++)
			assert_int_equal(b->plans[i].devices[k].vf_index, 2 * i + k);
		for (int k = 0; k < i; k++)
			assert_false(cv_cpuset_intersects(&b->plans[i].host_cpus,
							  &b->plans[k].host_cpus));
	}
}

/* 2M pages that one guest takes are no 1G pages that another one lacks. */
static void page_sizes_are_counted_apart(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	for (int n = 0; n < 2; n++)
		b->inv.nodes[n].obtainable = 0;
	b->specs[0] = ib_spec("a", 1, 512ULL << 20, IB_2M);
	b->specs[1] = ib_spec("b", 1, 2 * IB_1G, IB_1G);
	for (int i = 0; i < 2; i++)
		b->specs[i].n_nodes = 1;
	make_ok(b, 2);
	b->specs[2] = ib_spec("c", 1, IB_2M, IB_2M);
	b->specs[2].n_nodes = 1;
	assert_int_equal(make(b, 3), -ENOSPC);
	assert_string_equal(b->err.found,
			    "node 0 has 0 free 2M pages and room for 0 more, 1 needed; "
			    "a takes 256 of 256");
}

/* A PF with many VFs: one count that is enough for every plan of the run. */
static void vf_count_covers_all_plans(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	ib_dev(&b->inv, IB_IGB0)->sriov.total = 32;
	for (int i = 0; i < 2; i++) {
		b->specs[i] = ib_spec(i ? "b" : "a", 1, IB_1G, IB_2M);
		for (int k = 0; k < (i ? 3 : 6); k++)
			ib_want_vf(&b->specs[i], IB_IGB0);
	}
	make_ok(b, 2);
	assert_true(has_step(&b->plans[0], "numvfs", IB_IGB0, "9"));
	assert_true(has_step(&b->plans[1], "numvfs", IB_IGB0, "9"));
	assert_int_equal(count_steps(&b->plans[0], "numvfs"), 1);
	assert_int_equal(count_steps(&b->plans[0], "vf-net"), 6);
}

static void shared_group_is_taken_whole(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_SW_IVSHMEM)->accept = SPEC_ACCEPT_SHARED_GROUP;
	ib_want_bdf(&b->specs[0], IB_SW_NVME)->accept = SPEC_ACCEPT_SHARED_GROUP;
	make_ok(b, 1);
	assert_int_equal(count_steps(&b->plans[0], "bind"), 2);
	b->specs[1] = ib_spec("b", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[1], IB_SW_NVME)->accept = SPEC_ACCEPT_SHARED_GROUP;
	b->specs[0].n_devices = 1; /* the mate is not named, and taken all the same */
	assert_int_equal(make(b, 2), -EBUSY);
	assert_string_equal(b->err.object, IB_SW_NVME);
}

/* What goes with a device is looked at, told to the site's hooks and bound as the device itself, once. */
static void group_mate_is_treated_as_its_device(void **state)
{
	static const char both[] = IB_SW_NVME " " IB_SW_IVSHMEM;
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_SW_NVME)->accept = SPEC_ACCEPT_SHARED_GROUP;
	make_ok(b, 1);
	const struct plan *p = &b->plans[0];
	assert_int_equal(count_steps(p, "health"), 2);
	assert_true(has_step(p, "health", IB_SW_NVME, "nvme"));
	assert_true(has_step(p, "health", IB_SW_IVSHMEM, ""));
	assert_true(has_step(p, "hooks", "bind", both));
	assert_true(has_step(p, "hooks", "ready", both));
	assert_int_equal(count_steps(p, "bind"), 2);
	assert_true(has_step(p, "bind", IB_SW_IVSHMEM, "vfio-pci"));
	assert_int_equal(count_steps(p, "group-owner"), 1);
}

/* A GPU and its audio function: who names all members by address has nobody to share with. */
static void a_group_named_in_full_is_not_shared(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_SW_IVSHMEM);
	ib_want_bdf(&b->specs[0], IB_SW_NVME);
	make_ok(b, 1);
	assert_int_equal(count_steps(&b->plans[0], "bind"), 2);
	assert_int_equal(count_steps(&b->plans[0], "group-owner"), 2);
	/* split over two guests it is shared */
	b->specs[0].n_devices = 1;
	b->specs[1] = ib_spec("b", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[1], IB_SW_NVME);
	assert_int_equal(make(b, 2), -EPERM);
	assert_string_equal(b->err.code, "SHARED_GROUP");
	/* a member found by its class is not named */
	ib_want_class(&b->specs[0], "nvme");
	assert_int_equal(make(b, 1), -EPERM);
	assert_string_equal(b->err.object, IB_SW_IVSHMEM);
}

static void unknown_nodes_are_said(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_EDU_ROOT)->accept = SPEC_ACCEPT_NO_RESET;
	make_ok(b, 1);
	assert_true(has_reason(b->plans[0].reasons, b->plans[0].n_reasons, "node 0",
			       "node unknown of every device"));
	ib_want_bdf(&b->specs[0], IB_EDU);
	make_ok(b, 1);
	assert_true(has_reason(b->plans[0].reasons, b->plans[0].n_reasons, "node 1",
			       "summed distance 10, without 1 of them (node unknown)"));
}

static void allowance_limits_cpus_and_memory(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, true);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	b->allow.has_cpus = true;
	assert_int_equal(cv_parse_cpulist("4-7,12-14", &b->allow.cpus), 0);
	make_ok(b, 1);
	/* CPU 15 is outside: so is its core; core 4 is the job's own housekeeping core */
	assert_list(&b->plans[0].host_cpus, "5-6,13-14");
	assert_list(&b->plans[0].vmm_cpus, "4,12");
	b->allow.memory = IB_1G;
	make_ok(b, 1);
	b->specs[0].cpus = 1;
	b->specs[1] = ib_spec("b", 1, IB_2M, IB_2M);
	assert_int_equal(make(b, 2), -ENOSPC);
	assert_string_equal(b->err.code, "OVER_ALLOWANCE");
	assert_string_equal(b->err.found, "1026M with the guests planned before it");
	assert_string_equal(b->err.wanted, "at most 1G");
}

static void same_input_same_bytes(void **state)
{
	struct bench *b = *state;
	_cleanup_free_ char *texts[2] = { NULL, NULL };

	ib_emulated(&b->inv, true);
	b->specs[0] = ib_spec("a", 4, IB_1G, IB_2M);
	ib_want_vf_class(&b->specs[0], "net");
	ib_want_vf_class(&b->specs[0], "nvme");
	for (int i = 0; i < 2; i++) {
		make_ok(b, 1);
		_cleanup_json_ json_t *j = plan_json(&b->plans[0]);

		texts[i] = cv_json_text(j);
		assert_non_null(texts[i]);
	}
	assert_string_equal(texts[0], texts[1]);
	free(texts[1]);
	texts[1] = NULL;
}

static void steps_are_in_order(void **state)
{
	static const char *const kinds[] = { "irq-affinity", "module", "attr-shared",
					     "numvfs",	     "vf-net", "hugepages",
					     "health",	     "hooks",  "bind",
					     "group-owner",  "hooks",  "cgroup-root",
					     "cgroup-vm",    "launch" };
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_vf(&b->specs[0], IB_IGB0)->vlan = 100;
	make_ok(b, 1);
	const struct plan *p = &b->plans[0];
	assert_int_equal(p->n_steps, CV_ARRAY_SIZE(kinds));
	for (size_t i = 0; i < p->n_steps; i++) {
		assert_string_equal(p->steps[i].kind, kinds[i]);
		assert_int_equal(p->steps[i].seq, i + 1);
	}
	assert_non_null(strstr(p->steps[4].value, "vlan=100"));
	/* a VF that is still to be made comes back to no driver */
	assert_true(has_step(p, "health", "0000:21:10.0", ""));
	assert_true(has_step(p, "hooks", "bind", "0000:21:10.0"));
	assert_true(has_step(p, "hooks", "ready", "0000:21:10.0"));
	assert_true(has_step(p, "group-owner", "0000:21:10.0", "carve"));
	assert_true(has_step(p, "cgroup-vm", "/sys/fs/cgroup/carve/a", "vcpu=1-2 vmm=0"));
}

/* Counts that follow each other are set at the same time, and none before its host drivers are kept off. */
static void counts_follow_each_other(void **state)
{
	struct bench *b = *state;
	unsigned int first;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_vf(&b->specs[0], IB_IGB0);
	ib_want_vf(&b->specs[0], IB_IGB1);
	make_ok(b, 1);
	const struct plan *p = &b->plans[0];
	for (first = 0; strcmp(p->steps[first].kind, "attr-shared") != 0;)
		first++;
	assert_true(first + 4 < p->n_steps);
	assert_string_equal(p->steps[first + 1].kind, "attr-shared");
	assert_string_equal(p->steps[first + 2].kind, "numvfs");
	assert_string_equal(p->steps[first + 3].kind, "numvfs");
	assert_non_null(strstr(p->steps[first].object, p->steps[first + 2].object));
	assert_non_null(strstr(p->steps[first + 1].object, p->steps[first + 3].object));
}

/* The native VMM gets its devices opened, and RAM up to where the next GiB is no RAM. */
static void native_backend_opens_no_group(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, 4 * IB_1G, IB_2M);
	snprintf(b->specs[0].backend, sizeof(b->specs[0].backend), "native");
	ib_want_vf(&b->specs[0], IB_IGB0);
	make_ok(b, 1);
	const struct plan *p = &b->plans[0];
	assert_int_equal(count_steps(p, "bind"), 1);
	assert_int_equal(count_steps(p, "group-owner"), 0);
	assert_int_equal(p->low_limit, 3 * IB_1G);
	assert_int_equal(p->phys_bits_limit, 0);
}

/* A whole function has a driver to come back to, and is kept awake. */
static void whole_function_is_kept_awake(void **state)
{
	static const char path[] = "/sys/bus/pci/devices/0000:21:00.0/d3cold_allowed";
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	ib_dev(&b->inv, IB_IGB0)->has_d3cold = true;
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_IGB0);
	make_ok(b, 1);
	assert_true(
		has_step(&b->plans[0], "health", "0000:21:00.0", ib_dev(&b->inv, IB_IGB0)->driver));
	assert_true(has_step(&b->plans[0], "attr", path, "0"));
}

/* Many nodes and a guest that fits nowhere: an answer at once. */
static void large_machines_are_answered(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	for (int i = 0; i < 2; i++)
		free(b->inv.nodes[i].distances);
	free(b->inv.nodes);
	b->inv.n_nodes = 40;
	b->inv.nodes = calloc(40, sizeof(*b->inv.nodes));
	free(b->inv.cpus);
	b->inv.n_cpus = 80;
	b->inv.cpus = calloc(80, sizeof(*b->inv.cpus));
	for (int i = 0; i < 40; i++) {
		struct inv_node *n = &b->inv.nodes[i];

		*n = (struct inv_node){ .id = i, .n_pools = 1, .pools = { { IB_2M, 64, 64, 0 } } };
		n->distances = calloc(40, sizeof(int));
		for (int k = 0; k < 40; k++)
			n->distances[k] = i == k ? 10 : 20;
	}
	for (int i = 0; i < 80; i++)
		b->inv.cpus[i] = (struct inv_cpu){ .id = i, .core = i, .node = i / 2, .l3 = i / 2 };
	b->specs[0] = ib_spec("a", 16, 16 * IB_2M, IB_2M);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_nodes, 16);
	b->specs[0].cpus = 32;
	assert_int_equal(make(b, 1), -ENOSPC);
}

static void text_names_what_matters(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_vf(&b->specs[0], IB_IGB0);
	make_ok(b, 1);
	_cleanup_free_ char *text = plan_text(&b->plans[0], NULL, true);
	assert_non_null(text);
	static const char *const parts[] = { "guest a: 2 vCPUs on host CPUs 1-2",
					     "512 x 2M",
					     "VF 0 of 0000:21:00.0, new",
					     "numvfs",
					     "why not:",
					     "core 0" };
	for (size_t i = 0; i < CV_ARRAY_SIZE(parts); i++)
		if (!strstr(text, parts[i]))
			fail_msg("no \"%s\" in:\n%s", parts[i], text);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(whole_cores_keep_siblings),
		TEST(one_per_core_idles_siblings),
		TEST(housekeeping_is_kept),
		TEST(realtime_leaves_a_core_of_each_node),
		TEST(housekeeping_is_never_leased),
		TEST(memory_sits_with_the_cores),
		TEST(cached_files_are_room),
		TEST(leases_are_respected),
		TEST(leased_pages_are_not_free),
		TEST(devices_choose_the_node),
		TEST(vf_of_a_class_is_near),
		TEST(near_is_honoured),
		TEST(near_works_backwards),
		TEST(near_is_foreseen),
		TEST(named_nodes_are_even),
		TEST(two_nodes_when_one_is_too_small),
		TEST(nodes_of_a_set_are_close),
		TEST(one_l3_first),
		TEST(even_over_l3s),
		TEST(a_node_without_cpus_is_no_place),
		TEST(specs_do_not_overlap),
		TEST(page_sizes_are_counted_apart),
		TEST(vf_count_covers_all_plans),
		TEST(shared_group_is_taken_whole),
		TEST(group_mate_is_treated_as_its_device),
		TEST(a_group_named_in_full_is_not_shared),
		TEST(unknown_nodes_are_said),
		TEST(allowance_limits_cpus_and_memory),
		TEST(same_input_same_bytes),
		TEST(steps_are_in_order),
		TEST(counts_follow_each_other),
		TEST(native_backend_opens_no_group),
		TEST(whole_function_is_kept_awake),
		TEST(large_machines_are_answered),
		TEST(text_names_what_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
