// SPDX-License-Identifier: GPL-2.0-or-later
#include "audit_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "inventory_builder.h"

#define ACS_ON 0x1d
#define ACS_ALL 0x7f

static void make_cpus_quiet(struct inventory *inv)
{
	struct inv_host *h = &inv->host;

	for (size_t i = 0; i < inv->n_cpus; i++) {
		struct inv_cpu *c = &inv->cpus[i];

		c->is_nohz_full = c->is_rcu_nocbs = c->is_isolated = i % 4 != 0;
		if (!c->is_isolated) {
			c->irqs = 7;
			cv_cpuset_add(&h->noise.workqueue, c->id);
			cv_cpuset_add(&h->noise.irq_default, c->id);
			continue;
		}
		cv_cpuset_add(&h->nohz_full, c->id);
		cv_cpuset_add(&h->rcu_nocbs, c->id);
		cv_cpuset_add(&h->isolated, c->id);
	}
}

static void make_noise(struct inv_noise *n)
{
	*n = (struct inv_noise){
		.is_read = true,
		.idle_driver = "acpi_idle",
		.idle_deepest = "C1",
		.idle_latency_us = 1,
		.thp_defrag = "madvise",
		.nx_huge_pages = "N",
		.apicv = "Y",
		.kvmclock_sync = "N",
		.dma_entry_limit = 65535,
		.stat_interval = 10,
		.clocksource = "tsc",
	};
}

static void make_host_good(struct inv_host *h)
{
	h->has_iommufd = true;
	h->phys_bits = 46;
	h->resctrl = (struct inv_resctrl){ .is_mounted = true, .has_l3 = true };
	audit_text(h->governor, "performance");
	make_noise(&h->noise);
}

static void make_endpoint(struct inventory *inv, const char *bdf, uint32_t class, int group)
{
	struct inv_dev *d = ib_dev(inv, bdf);

	d->class = class;
	d->group = group;
	d->sriov = (struct inv_sriov){ 0 };
	for (int i = 0; i < INV_MAX_BARS; i++)
		d->bars[i] = (struct inv_bar){ 0 };
	d->bars[0] = (struct inv_bar){ .size = 16 << 20, .address = 0xe0000000 };
	d->link = (struct inv_link){ 160, 16, 160, 16 };
	d->has_ats = true;
}

static void make_port(struct inventory *inv, const char *bdf, int group)
{
	struct inv_dev *d = ib_dev(inv, bdf);

	d->group = group;
	d->has_acs = true;
	d->acs_cap = ACS_ALL;
	d->acs_ctrl = ACS_ON;
	d->link = (struct inv_link){ 160, 16, 160, 16 };
}

static void make_devices_good(struct inventory *inv)
{
	make_port(inv, AC_PORT, 2);
	make_port(inv, AC_ROOT, 10);
	make_port(inv, AC_DOWN_GPU, 12);
	make_port(inv, AC_DOWN_NIC, 13);
	make_endpoint(inv, AC_GPU, 0x030200, 14);
	make_endpoint(inv, AC_SW_NIC, 0x020000, 15);
	ib_dev(inv, AC_NIC)->link = (struct inv_link){ 160, 16, 160, 16 };
}

void audit_machine(struct inventory *inv)
{
	ib_emulated(inv, false);
	make_host_good(&inv->host);
	make_cpus_quiet(inv);
	for (size_t i = 0; i < inv->n_nodes; i++)
		inv->nodes[i].free_blocks = inv->nodes[i].mem_free;
	make_devices_good(inv);
}

const struct audit_finding *audit_find(const struct audit *a, const char *check, const char *object)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->findings[i].check, check) && !strcmp(a->findings[i].object, object))
			return &a->findings[i];
	return NULL;
}

static void check_change(const struct audit_case *c, const struct audit_finding *f)
{
	assert_int_equal(f->change.how, c->how);
	if (c->value && !strstr(f->change.value, c->value))
		fail_msg("%s: \"%s\" is not in \"%s\"", c->check, c->value, f->change.value);
	if (f->change.how == AUDIT_WRITE)
		assert_int_equal(f->change.path[0], '/');
}

/* Without the change nothing of the kind is said: the check fails for its own fact only. */
static void check_before(const struct audit_case *c, enum audit_intent intent)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	assert_int_equal(audit_run(&inv, intent, &a), 0);
	for (size_t i = 0; i < a.n; i++)
		if (!strcmp(a.findings[i].check, c->check) && a.findings[i].verdict == c->verdict &&
		    c->verdict != AUDIT_PASS && intent == AUDIT_ISOLATE)
			fail_msg("%s: says so before the change: %s", c->check,
				 a.findings[i].evidence);
	audit_done(&a);
	inventory_done(&inv);
}

static void check_case(const struct audit_case *c, enum audit_intent intent)
{
	const struct audit_finding *f;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	c->change(&inv);
	assert_int_equal(audit_run(&inv, intent, &a), 0);
	f = audit_find(&a, c->check, c->object);
	if (!f)
		fail_msg("%s says nothing about \"%s\"", c->check, c->object);
	if (!strstr(f->evidence, c->evidence))
		fail_msg("%s: \"%s\" is not in \"%s\"", c->check, c->evidence, f->evidence);
	if (f->verdict != c->verdict)
		fail_msg("%s: %s: %s", c->check, audit_verdict_name(f->verdict), f->evidence);
	if (f->verdict != AUDIT_PASS)
		assert_true(f->effect[0] && f->fix[0]);
	else
		assert_string_equal(f->fix, "");
	check_change(c, f);
	audit_done(&a);
	inventory_done(&inv);
}

void audit_check_cases(const struct audit_case *cases, size_t n, enum audit_intent intent)
{
	for (size_t i = 0; i < n; i++) {
		check_before(&cases[i], intent);
		check_case(&cases[i], intent);
	}
}
