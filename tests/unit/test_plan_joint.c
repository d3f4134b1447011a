// SPDX-License-Identifier: GPL-2.0-or-later
/* Several guests together, shares by devices, kinds of cores, quiet cores, peer to peer: what the planner
 * chooses where a guest alone, or one after the other, would be placed otherwise. */
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

#define N_GUESTS 16

struct bench {
	struct inventory inv;
	struct site site;
	struct spec specs[N_GUESTS];
	struct plan plans[N_GUESTS];
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

	for (size_t i = 0; i < N_GUESTS; i++) {
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
	return plan_make(&b->inv, &b->site, b->specs, n, NULL, b->plans, &b->err);
}

static void make_ok(struct bench *b, size_t n)
{
	if (make(b, n) < 0)
		fail_msg("%s: %s (%s)", b->err.object, b->err.what, b->err.found);
}

static void assert_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void assert_reason(const struct plan *p, const char *object, const char *part)
{
	for (size_t i = 0; i < p->n_reasons; i++)
		if (strcmp(p->reasons[i].object, object) == 0 && strstr(p->reasons[i].text, part))
			return;
	fail_msg("no reason \"%s: %s\"", object, part);
}

static void assert_rejected(const struct plan *p, const char *object, const char *part)
{
	for (size_t i = 0; i < p->n_rejected; i++)
		if (strcmp(p->rejected[i].object, object) == 0 && strstr(p->rejected[i].text, part))
			return;
	fail_msg("nothing rejected as \"%s: %s\"", object, part);
}

static void assert_host(const struct plan *p, size_t device, const char *bdf)
{
	char text[CV_BDF_MAX];

	assert_string_equal(cv_format_bdf(p->devices[device].host, text), bdf);
}

static void assert_list(const struct cv_cpuset *set, const char *want)
{
	_cleanup_free_ char *text = cv_format_cpulist(set);

	assert_string_equal(text, want);
}

/* ---- several guests ---- */

/* The first could be anywhere, the second on node 0 only. */
static void a_guest_makes_way(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 3, IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 2, IB_1G, IB_2M);
	b->specs[1].n_nodes = 1;
	make_ok(b, 2);
	assert_int_equal(b->plans[0].nodes[0].host_node, 1);
	assert_int_equal(b->plans[1].nodes[0].host_node, 0);
}

/* The first would be content with any GPU, the second names one. */
static void a_device_is_left_to_who_names_it(void **state)
{
	struct bench *b = *state;

	ib_epyc(&b->inv);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_class(&b->specs[0], "gpu");
	b->specs[1] = ib_spec("b", 2, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[1], "0000:21:00.0");
	make_ok(b, 2);
	assert_host(&b->plans[0], 0, "0000:61:00.0");
	assert_int_equal(b->plans[0].nodes[0].host_node, 3);
	assert_int_equal(b->plans[1].nodes[0].host_node, 1);
}

/* A PF for one guest and VFs for another: there are two PFs, and one order of choice finds it. */
static void a_pf_and_vfs_of_the_other(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	ib_want_vf_class(&b->specs[0], "net");
	b->specs[1] = ib_spec("b", 2, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[1], IB_IGB0);
	make_ok(b, 2);
	assert_int_equal(cv_bdf_cmp(b->plans[0].devices[0].pf, ib_bdf(IB_IGB1)), 0);
}

static void one_group_one_guest(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	/* left on vfio-pci: no blocker of a group, and still one group */
	snprintf(ib_dev(&b->inv, IB_SW_NVME)->driver, INV_TEXT, "vfio-pci");
	snprintf(ib_dev(&b->inv, IB_SW_IVSHMEM)->driver, INV_TEXT, "vfio-pci");
	b->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[0], IB_SW_NVME);
	b->specs[1] = ib_spec("b", 1, IB_1G, IB_2M);
	ib_want_bdf(&b->specs[1], IB_SW_IVSHMEM);
	assert_int_equal(make(b, 2), -EBUSY);
	assert_string_equal(b->err.code, "EBUSY_GROUP");
	assert_string_equal(b->err.object, IB_SW_IVSHMEM);
	assert_part(b->err.found, IB_SW_NVME);
	ib_lease_device(ib_lease(&b->inv, "old", "ann", ""), IB_SW_NVME);
	spec_done(&b->specs[0]);
	b->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	assert_int_equal(make(b, 2), -EBUSY);
	assert_part(b->err.found, "lease of VM old");
}

static void who_has_the_rest_is_said(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	for (int i = 0; i < 3; i++) {
		char name[8] = { 'v', 'm', (char)('0' + i), '\0' };

		b->specs[i] = ib_spec(name, i == 2 ? 4 : 1, IB_2M, IB_2M);
		b->specs[i].nodes[0] = 1;
		b->specs[i].n_nodes = 1;
	}
	b->specs[2].cpus = 2;
	assert_int_equal(make(b, 3), -ENOSPC);
	assert_string_equal(b->err.object, "vm2");
	assert_string_equal(b->err.found,
			    "node 1 has 1 free cores, 2 needed; vm0 and vm1 take 2 of 3");
	assert_part(b->err.what, "beside the guests planned with it");
	/* alone it does not fit either: the others are no part of it */
	b->specs[2].cpus = 4;
	assert_int_equal(make(b, 3), -ENOSPC);
	assert_string_equal(b->err.found, "node 1 has 3 free cores, 4 needed");
}

/* Node 0 lacks cores only: pages there, of which there are enough, are no fact. */
static void facts_that_do_not_matter_are_left_out(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	b->inv.nodes[1].obtainable = 0;
	b->inv.nodes[1].pools[1].free = 0;
	b->specs[0] = ib_spec("a", 5, 2 * IB_1G, IB_1G);
	assert_int_equal(make(b, 1), -ENOSPC);
	assert_string_equal(b->err.found, "node 0 has 3 free cores, 5 needed");
}

static void sixteen_guests_on_a_large_host(void **state)
{
	struct bench *b = *state;
	bool used[16] = { false };

	ib_large(&b->inv);
	for (int i = 0; i < N_GUESTS; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%d", i);
		b->specs[i] = ib_spec(name, 12, 32 * IB_1G, IB_1G);
		for (int k = 0; k < 2; k++)
			ib_want_class(&b->specs[i], "gpu");
		for (int k = 0; k < 2; k++)
			snprintf(ib_want_vf_class(&b->specs[i], "net")->near, 32, "dev%d", k);
	}
	make_ok(b, N_GUESTS);
	assert_reason(&b->plans[0], "search", "none has fewer nodes or is nearer to the devices");
	for (int i = 0; i < N_GUESTS; i++) {
		const struct plan *p = &b->plans[i];

		assert_int_equal(p->n_nodes, 1);
		assert_false(used[p->nodes[0].host_node]);
		used[p->nodes[0].host_node] = true;
		for (size_t k = 0; k < p->n_devices; k++)
			assert_int_equal(p->devices[k].host_node, p->nodes[0].host_node);
		assert_true(p->n_rejected <= 64 + 1 + 32); /* the planner's, and cores */
	}
}

/* ---- split: devices ---- */

static void want_split(struct bench *b, unsigned int cpus, uint64_t pages)
{
	b->specs[0] = ib_spec("a", cpus, pages * IB_2M, IB_2M);
	b->specs[0].split = SPEC_SPLIT_DEVICES;
}

static void shares_follow_the_devices(void **state)
{
	struct bench *b = *state;
	const struct plan *p = &b->plans[0];

	ib_emulated(&b->inv, false);
	want_split(b, 4, 100);
	ib_want_vf(&b->specs[0], IB_IGB0);
	for (int i = 0; i < 2; i++)
		ib_want_vf(&b->specs[0], IB_IGB1);
	make_ok(b, 1);
	assert_int_equal(p->n_nodes, 2);
	/* 4 / 3: 1.33 and 2.67; 100 / 3: 33.3 and 66.7 */
	assert_list(&p->host_cpus, "1,5-7");
	assert_int_equal(p->nodes[0].pages, 33);
	assert_int_equal(p->nodes[1].pages, 67);
	assert_reason(p, "split", "node 1 gives 3 cores and 67 pages");
}

static void each_node_has_at_least_one(void **state)
{
	struct bench *b = *state;
	const struct plan *p = &b->plans[0];

	ib_emulated(&b->inv, false);
	want_split(b, 2, 2);
	ib_want_vf(&b->specs[0], IB_IGB0);
	for (int i = 0; i < 5; i++)
		ib_want_vf(&b->specs[0], IB_IGB1);
	make_ok(b, 1);
	assert_int_equal(p->nodes[0].pages, 1);
	assert_int_equal(p->nodes[1].pages, 1);
	b->specs[0].cpus = 1;
	assert_int_equal(make(b, 1), -ENOSPC);
	assert_part(b->err.found, "no choice of devices leads to shares");
}

/* A free choice of devices goes where the shares fit: fewest nodes first. */
static void devices_are_chosen_for_the_shares(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	want_split(b, 3, 10);
	for (int i = 0; i < 2; i++)
		ib_want_vf_class(&b->specs[0], "net");
	b->inv.nodes[0].pools[0].free = b->inv.nodes[0].obtainable = 0;
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_nodes, 1);
	assert_int_equal(b->plans[0].nodes[0].host_node, 1);
	b->specs[0].cpus = 6; /* more than node 1 has, and node 0 has no page */
	assert_int_equal(make(b, 1), -ENOSPC);
}

static void without_devices_it_is_even(void **state)
{
	struct bench *b = *state;

	ib_emulated(&b->inv, false);
	want_split(b, 6, 10);
	make_ok(b, 1);
	assert_int_equal(b->plans[0].n_nodes, 2);
	assert_int_equal(b->plans[0].nodes[0].pages, 5);
}

/* ---- cores ---- */

static void make_hybrid(struct inventory *inv, int first_slow)
{
	for (size_t i = 0; i < inv->n_cpus; i++)
		inv->cpus[i].kind = inv->cpus[i].core % 6 >= first_slow;
}

static void kinds_are_not_mixed(void **state)
{
	struct bench *b = *state;

	ib_machine(&b->inv, 1, 6, 1);
	make_hybrid(&b->inv, 3);
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
	b->specs[1] = ib_spec("b", 3, IB_1G, IB_2M);
	make_ok(b, 2);
	assert_list(&b->plans[0].host_cpus, "1-2"); /* core 0 is kept; 3 to 5 are slower */
	assert_list(&b->plans[1].host_cpus, "3-5");
	b->specs[0].cpus = 4;
	make_ok(b, 1);
	assert_reason(&b->plans[0], "cores", "of several kinds");
	assert_list(&b->plans[0].host_cpus, "1-2,4-5"); /* two of each L3 */
}

static void quiet_cores_are_for_guests(void **state)
{
	struct bench *b = *state;

	ib_machine(&b->inv, 1, 6, 1);
	for (int i = 0; i < 4; i++)
		b->inv.cpus[i].is_nohz_full = b->inv.cpus[i].is_isolated = true;
	b->specs[0] = ib_spec("a", 3, IB_1G, IB_2M);
	make_ok(b, 1);
	assert_list(&b->plans[0].host_cpus, "0-2");
	assert_list(&b->plans[0].vmm_cpus, "4"); /* the lowest of those that are not quiet */
	b->specs[0].cpus = 5;
	make_ok(b, 1);
	assert_list(&b->plans[0].host_cpus, "0-3,5");
	b->specs[0].cpus = 6;
	assert_int_equal(make(b, 1), -ENOSPC);
	b->specs[0].cpus = 1;
	b->site.housekeeping = 3;
	make_ok(b, 1); /* too few others: the lowest quiet one is kept, too */
	assert_list(&b->plans[0].vmm_cpus, "0,4-5");
}

static void partitions_of_others_are_left_alone(void **state)
{
	struct bench *b = *state;

	ib_machine(&b->inv, 1, 6, 1);
	b->inv.partitions = calloc(2, sizeof(*b->inv.partitions));
	b->inv.n_partitions = 2;
	snprintf(b->inv.partitions[0].path, sizeof(b->inv.partitions[0].path), "/carve/old");
	cv_cpuset_add(&b->inv.partitions[0].cpus, 2);
	snprintf(b->inv.partitions[1].path, sizeof(b->inv.partitions[1].path), "/carved/rt");
	cv_cpuset_add(&b->inv.partitions[1].cpus, 1);
	b->specs[0] = ib_spec("a", 4, IB_1G, IB_2M);
	make_ok(b, 1);
	assert_list(&b->plans[0].host_cpus, "2-5");
	assert_rejected(&b->plans[0], "core 1", "in the cpuset partition of /carved/rt");
	b->specs[0].cpus = 5;
	assert_int_equal(make(b, 1), -ENOSPC);
}

static void l3s_not_taken_are_told(void **state)
{
	struct bench *b = *state;

	ib_epyc(&b->inv);
	b->specs[0] = ib_spec("a", 4, IB_1G, IB_2M);
	make_ok(b, 1);
	assert_rejected(&b->plans[0], "L3 0", "3 free cores, 4 needed");
	assert_rejected(&b->plans[0], "node 1", "fits as well");
}

/* ---- peer to peer ---- */

/* A switch with two GPUs, and a third below another root port. */
static void make_switch(struct bench *b)
{
	static const char *const gpus[] = { "0000:03:00.0", "0000:04:00.0", "0000:11:00.0" };
	static const char *const ports[] = { "0000:02:00.0", "0000:02:01.0", "0000:10:00.0" };

	ib_machine(&b->inv, 1, 8, 1);
	ib_add_port(&b->inv, "0000:00:01.0", NULL, 0, 1, INV_PORT_ROOT);
	ib_add_port(&b->inv, "0000:01:00.0", "0000:00:01.0", 0, 2, INV_PORT_UPSTREAM);
	ib_add_port(&b->inv, ports[0], "0000:01:00.0", 0, 3, INV_PORT_DOWNSTREAM);
	ib_add_port(&b->inv, ports[1], "0000:01:00.0", 0, 4, INV_PORT_DOWNSTREAM);
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			ib_add_port(&b->inv, ports[i], NULL, 0, 5, INV_PORT_ROOT);
		ib_add_function(&b->inv, gpus[i], ports[i], 0, 10 + i, 0x030200);
	}
	b->specs[0] = ib_spec("a", 2, IB_1G, IB_2M);
}

static void cliques_follow_the_switches(void **state)
{
	struct bench *b = *state;

	make_switch(b);
	for (int i = 0; i < 2; i++)
		ib_want_class(&b->specs[0], "gpu")->p2p = true;
	ib_want_class(&b->specs[0], "gpu");
	make_ok(b, 1);
	assert_host(&b->plans[0], 0, "0000:03:00.0");
	assert_host(&b->plans[0], 1, "0000:04:00.0");
	assert_int_equal(b->plans[0].devices[0].clique, 0);
	assert_int_equal(b->plans[0].devices[1].clique, 0);
	assert_int_equal(b->plans[0].devices[2].clique, -1);
}

/* The third GPU is as near and would be taken without p2p. */
static void p2p_decides_between_devices(void **state)
{
	struct bench *b = *state;

	make_switch(b);
	ib_want_bdf(&b->specs[0], "0000:04:00.0")->p2p = true;
	ib_want_class(&b->specs[0], "gpu")->p2p = true;
	b->specs[1] = ib_spec("b", 2, IB_1G, IB_2M);
	ib_want_class(&b->specs[1], "gpu");
	make_ok(b, 2);
	assert_host(&b->plans[0], 1, "0000:03:00.0");
	assert_host(&b->plans[1], 0, "0000:11:00.0");
}

static void p2p_without_a_path_is_refused(void **state)
{
	struct bench *b = *state;

	make_switch(b);
	ib_want_bdf(&b->specs[0], "0000:04:00.0")->p2p = true;
	ib_want_bdf(&b->specs[0], "0000:11:00.0")->p2p = true;
	assert_int_equal(make(b, 1), -EPERM);
	assert_string_equal(b->err.code, "NO_P2P_PATH");
	assert_string_equal(b->err.found, "PHB between 0000:04:00.0 and 0000:11:00.0");
	assert_part(b->err.wanted, "a common switch");
	b->specs[0].n_devices = 1;
	assert_int_equal(make(b, 1), -EPERM);
	assert_part(b->err.found, "the only entry with p2p: true");
}

/* ---- contradictions ---- */

static void contradictions_name_the_object(void **state)
{
	struct bench *b = *state;
	struct spec *s = &b->specs[0];

	ib_cpuless(&b->inv);
	*s = ib_spec("a", 1, IB_1G, IB_2M);
	s->nodes[0] = 2;
	s->n_nodes = 1;
	assert_int_equal(make(b, 1), -EINVAL);
	assert_string_equal(b->err.code, "NODE_WITHOUT_CPUS");
	assert_part(b->err.found, "node 2");
	s->nodes[0] = s->nodes[1] = 1;
	s->n_nodes = 2;
	assert_int_equal(make(b, 1), -EINVAL);
	assert_string_equal(b->err.code, "NODE_TWICE");
	s->n_nodes = 0;
	for (int i = 0; i < 3; i++)
		snprintf(ib_want_vf_class(s, "net")->near, 32, "dev%d", (i + 1) % 3);
	assert_int_equal(make(b, 1), -EINVAL);
	assert_string_equal(b->err.code, "NEAR_CYCLE");
	assert_string_equal(b->err.object, "dev0");
	s->n_devices = 0;
	for (int i = 0; i < 2; i++)
		ib_want_bdf(s, IB_EDU);
	assert_int_equal(make(b, 1), -EINVAL);
	assert_string_equal(b->err.code, "DEVICE_TWICE");
	assert_string_equal(b->err.object, IB_EDU);
	assert_part(b->err.found, "dev1");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_guest_makes_way),
		TEST(a_device_is_left_to_who_names_it),
		TEST(a_pf_and_vfs_of_the_other),
		TEST(one_group_one_guest),
		TEST(who_has_the_rest_is_said),
		TEST(facts_that_do_not_matter_are_left_out),
		TEST(sixteen_guests_on_a_large_host),
		TEST(shares_follow_the_devices),
		TEST(each_node_has_at_least_one),
		TEST(devices_are_chosen_for_the_shares),
		TEST(without_devices_it_is_even),
		TEST(kinds_are_not_mixed),
		TEST(quiet_cores_are_for_guests),
		TEST(partitions_of_others_are_left_alone),
		TEST(l3s_not_taken_are_told),
		TEST(cliques_follow_the_switches),
		TEST(p2p_decides_between_devices),
		TEST(p2p_without_a_path_is_refused),
		TEST(contradictions_name_the_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
