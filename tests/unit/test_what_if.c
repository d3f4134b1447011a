// SPDX-License-Identifier: GPL-2.0-or-later
/* What-if: each key changes the one fact it names, and nothing is changed by what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory_builder.h"
#include "plan/what_if.h"

struct fixture {
	struct inventory inv;
	struct site site;
	struct spec specs[2];
	struct what_if w;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	ib_emulated(&f->inv, false);
	f->site = ib_site();
	f->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	f->specs[1] = ib_spec("b", 2, IB_1G, IB_2M);
	f->w = (struct what_if){ &f->inv, &f->site, f->specs, 2 };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	inventory_done(&f->inv);
	site_done(&f->site);
	spec_done(&f->specs[0]);
	spec_done(&f->specs[1]);
	free(f);
	return 0;
}

static void apply(struct fixture *f, const char *text)
{
	struct cv_error err = { 0 };

	if (plan_what_if(text, &f->w, &err) < 0)
		fail_msg("%s: %s (%s)", text, err.what, err.wanted);
}

static void specs_change(void **state)
{
	struct fixture *f = *state;

	apply(f, "cpus=5");
	apply(f, "memory=3G");
	apply(f, "page_size=1G");
	apply(f, "smt=one-per-core");
	apply(f, "nodes=0,1");
	apply(f, "split=devices");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(f->specs[i].cpus, 5);
		assert_int_equal(f->specs[i].memory, 3 * IB_1G);
		assert_int_equal(f->specs[i].page_size, IB_1G);
		assert_int_equal(f->specs[i].smt, SPEC_SMT_ONE_PER_CORE);
		assert_int_equal(f->specs[i].split, SPEC_SPLIT_DEVICES);
		assert_int_equal(f->specs[i].n_nodes, 2);
		assert_int_equal(f->specs[i].nodes[1], 1);
	}
	apply(f, "nodes=any");
	assert_int_equal(f->specs[0].n_nodes, 0);
	apply(f, "housekeeping=3");
	assert_int_equal(f->site.housekeeping, 3);
}

static void nodes_change(void **state)
{
	struct fixture *f = *state;
	struct inv_node *n = &f->inv.nodes[1];

	apply(f, "node.1.pages.1G=1");
	apply(f, "node.1.pages.2M=999");
	apply(f, "node.1.obtainable=7G");
	assert_int_equal(inv_find_pool(n, IB_1G)->free, 1);
	assert_int_equal(inv_find_pool(n, IB_1G)->total, 2);
	assert_int_equal(inv_find_pool(n, IB_2M)->free, 999);
	assert_int_equal(inv_find_pool(n, IB_2M)->total, 999);
	assert_int_equal(n->obtainable, 7 * IB_1G);
	assert_int_equal(inv_find_pool(&f->inv.nodes[0], IB_2M)->free, 256);
	n->n_pools = 0;
	apply(f, "node.1.pages.1G=4");
	assert_int_equal(inv_find_pool(n, IB_1G)->free, 4);
}

static void devices_change(void **state)
{
	struct fixture *f = *state;
	struct inv_dev *d = ib_dev(&f->inv, IB_IGB1);

	d->holder_kind = INV_HOLDER_NETDEV;
	snprintf(d->holder, sizeof(d->holder), "eth1 is up");
	apply(f, "device." IB_IGB1 ".node=0");
	apply(f, "device." IB_IGB1 ".driver=vfio-pci");
	apply(f, "device." IB_IGB1 ".holder=none");
	assert_int_equal(d->node, 0);
	assert_string_equal(d->driver, "vfio-pci");
	assert_int_equal(d->holder_kind, INV_HOLDER_NONE);
	assert_string_equal(d->holder, "");
	apply(f, "device.81:00.0.node=-1");
	apply(f, "device.81:00.0.driver=none");
	assert_int_equal(d->node, -1);
	assert_string_equal(d->driver, "");
	assert_int_equal(ib_dev(&f->inv, IB_IGB0)->node, 0);
	assert_string_equal(ib_dev(&f->inv, IB_IGB0)->driver, "igb");
}

static void host_changes(void **state)
{
	struct fixture *f = *state;

	ib_dev(&f->inv, IB_NVME)->is_quarantined = true;
	apply(f, "intremap=off");
	apply(f, "quarantine=none");
	assert_false(f->inv.host.has_intremap);
	assert_false(ib_dev(&f->inv, IB_NVME)->is_quarantined);
	apply(f, "intremap=on");
	assert_true(f->inv.host.has_intremap);
}

static void add_leases(struct inventory *inv)
{
	struct cv_lease *l = ib_lease(inv, "x.1", "u", "");

	cv_cpuset_add(&l->cpus, 1);
	ib_lease_pages(l, 0, IB_2M, 100);
	ib_lease_device(l, IB_IGB0);
	ib_lease(inv, "y", "u", "");
	inv->nodes[0].pools[0].free = 56;
}

/* A lease that ends gives its pages back; its name may have dots. */
static void leases_end(void **state)
{
	struct fixture *f = *state;

	add_leases(&f->inv);
	apply(f, "lease.x.1=none");
	assert_int_equal(f->inv.n_leases, 1);
	assert_string_equal(f->inv.leases[0].name, "y");
	assert_int_equal(f->inv.nodes[0].pools[0].free, 156);
	assert_null(inv_device_lease(&f->inv, ib_bdf(IB_IGB0)));
	apply(f, "leases=none");
	assert_int_equal(f->inv.n_leases, 0);
}

/* Free is what a guest can have, beside the pages of leases. */
static void leased_pages_are_not_free(void **state)
{
	struct fixture *f = *state;
	const struct inv_pool *pool = inv_find_pool(&f->inv.nodes[1], IB_1G);

	ib_lease_pages(ib_lease(&f->inv, "x", "u", ""), 1, IB_1G, 2);
	apply(f, "node.1.pages.1G=2");
	assert_int_equal(pool->free, 2);
	assert_int_equal(pool->total, 4);
}

/* The values refused, and what the error wants instead. */
static void bad_values_are_refused(void **state)
{
	static const struct {
		const char *text, *code, *wanted;
	} rows[] = {
		{ "cpus=0", "BAD_WHAT_IF", "1 to" },
		{ "cpus=lots", "BAD_WHAT_IF", "1 to" },
		{ "cpus", "NO_VALUE", "KEY=VALUE" },
		{ "memory=1.5G", "BAD_WHAT_IF", "16G" },
		{ "memory=2048T", "BAD_WHAT_IF", "1024T" },
		{ "memory=0", "BAD_WHAT_IF", "16G" },
		{ "page_size=4K", "BAD_WHAT_IF", "2M or 1G" },
		{ "smt=off", "BAD_WHAT_IF", "one-per-core" },
		{ "nodes=", "BAD_WHAT_IF", "0-3" },
		{ "nodes=0-16", "BAD_WHAT_IF", "16 nodes" },
		{ "split=odd", "BAD_WHAT_IF", "devices" },
		{ "housekeeping=0", "BAD_WHAT_IF", "1 to 1024" },
		{ "leases=all", "BAD_WHAT_IF", "none" },
		{ "lease.nobody=none", "BAD_WHAT_IF", "carve list" },
		{ "quarantine=all", "BAD_WHAT_IF", "none" },
		{ "intremap=maybe", "BAD_WHAT_IF", "on or off" },
		{ "node.7.obtainable=1G", "BAD_WHAT_IF", "carve topo" },
		{ "node.1.obtainable=x", "BAD_WHAT_IF", "16G" },
		{ "node.1.pages.4K=1", "BAD_WHAT_IF", "2M" },
		{ "node.1.pages.2M=-1", "BAD_WHAT_IF", "free pages" },
		{ "node.-1.pages.2M=1", "BAD_WHAT_IF", "carve topo" },
		{ "device.99:00.0.node=0", "BAD_WHAT_IF", "carve topo" },
		{ "device.81:00.0.node=9", "BAD_WHAT_IF", "or -1" },
		{ "device.81:00.0.holder=me", "BAD_WHAT_IF", "none" },
		{ "cpu=4", "UNKNOWN_KEY", "page_size" },
		{ "", "UNKNOWN_KEY", "cpus" },
		{ "=", "UNKNOWN_KEY", "cpus" },
		{ "node.1=4", "UNKNOWN_KEY", "node.N.pages.SIZE" },
		{ "node..pages.2M=4", "UNKNOWN_KEY", "node.N.pages.SIZE" },
		{ "node.pages.2M=4", "UNKNOWN_KEY", "node.N.pages.SIZE" },
		{ "device.81:00.0=4", "UNKNOWN_KEY", "device.BDF" },
		{ "device.node=0", "UNKNOWN_KEY", "device.BDF" },
		{ "cpus.x=4", "UNKNOWN_KEY", "cpus" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cv_error err = { 0 };

		print_message("# %s\n", rows[i].text);
		assert_int_equal(plan_what_if(rows[i].text, &f->w, &err), -EINVAL);
		assert_string_equal(err.code, rows[i].code);
		assert_string_equal(err.object, rows[i].text);
		assert_non_null(strstr(err.wanted, rows[i].wanted));
		assert_true(err.hint[0]);
	}
	assert_int_equal(f->specs[0].cpus, 1);
	assert_int_equal(f->specs[0].memory, IB_1G);
	assert_int_equal(f->inv.nodes[1].pools[0].free, 256);
}

/* The point of it: what does not fit, fits with one fact changed. */
static void a_plan_follows(void **state)
{
	struct fixture *f = *state;
	struct cv_error err = { 0 };
	struct plan plans[2];

	apply(f, "cpus=5");
	assert_int_equal(plan_make(&f->inv, &f->site, f->specs, 2, NULL, plans, &err), -ENOSPC);
	apply(f, "cpus=2");
	apply(f, "nodes=1");
	assert_int_equal(plan_make(&f->inv, &f->site, f->specs, 1, NULL, plans, &err), 0);
	assert_int_equal(plans[0].nodes[0].host_node, 1);
	plan_done(&plans[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(specs_change),	      TEST(nodes_change),   TEST(devices_change),
		TEST(host_changes),	      TEST(leases_end),	    TEST(leased_pages_are_not_free),
		TEST(bad_values_are_refused), TEST(a_plan_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
