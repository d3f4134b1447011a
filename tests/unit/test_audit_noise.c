// SPDX-License-Identifier: GPL-2.0-or-later
/* What disturbs guests: each check passes on a quiet host, and speaks when its fact is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "audit_cases.h"
#include "base/cleanup.h"
#include "inventory_builder.h"

#define NOISE inv->host.noise

AUDIT_CHANGE(has_ksm, inv->host.ksm_run = true)
AUDIT_CHANGE(has_balancing, inv->host.numa_balancing = true)
AUDIT_CHANGE(has_thp, inv->host.thp_always = true)
AUDIT_CHANGE(slow_governor, audit_text(inv->host.governor, "powersave"))
AUDIT_CHANGE(no_nohz, inv->host.nohz_full = (struct cv_cpuset){ 0 })
AUDIT_CHANGE(no_rcu, inv->host.nohz_full = inv->host.rcu_nocbs = (struct cv_cpuset){ 0 })
AUDIT_CHANGE(half_core, inv->cpus[4].core = inv->cpus[5].core)
AUDIT_CHANGE(work_everywhere, NOISE.workqueue = inv->host.online)
AUDIT_CHANGE(irqs_everywhere, NOISE.irq_default = inv->host.online)
AUDIT_CHANGE(irq_on_guest, inv->cpus[2].irqs = 3)
AUDIT_CHANGE(balanced, NOISE.irqbalance = true)
AUDIT_CHANGE(deep_sleep, NOISE.idle_latency_us = 133; audit_text(NOISE.idle_deepest, "C6"))
AUDIT_CHANGE(deep_intel, deep_sleep(inv); audit_text(NOISE.idle_driver, "intel_idle"))
AUDIT_CHANGE(defrag, audit_text(NOISE.thp_defrag, "always"))
AUDIT_CHANGE(nx_pages, audit_text(NOISE.nx_huge_pages, "Y"))
AUDIT_CHANGE(clock_sync, audit_text(NOISE.kvmclock_sync, "Y"))
AUDIT_CHANGE(pause_exits, NOISE.ple_gap = 3000)
AUDIT_CHANGE(is_intel, audit_text(inv->host.cpu_vendor, "GenuineIntel"))
AUDIT_CHANGE(pause_exits_intel, pause_exits(inv); is_intel(inv))
AUDIT_CHANGE(no_avic, audit_text(NOISE.apicv, "N"))
AUDIT_CHANGE(no_apicv, no_avic(inv); is_intel(inv))
AUDIT_CHANGE(reclaims, NOISE.zone_reclaim_mode = 1)
AUDIT_CHANGE(counts_often, NOISE.stat_interval = 1)
AUDIT_CHANGE(watchdog, NOISE.nmi_watchdog = 1)
AUDIT_CHANGE(migrates, NOISE.timer_migration = 1)
AUDIT_CHANGE(compacts, NOISE.compaction_proactiveness = 20)
AUDIT_CHANGE(swaps, NOISE.swappiness = 60)
AUDIT_CHANGE(polls_on_sibling, NOISE.halt_poll_ns = 200000; inv->host.smt_active = true)
AUDIT_CHANGE(polls, NOISE.halt_poll_ns = 200000)
AUDIT_CHANGE(hpet, audit_text(NOISE.clocksource, "hpet"))
AUDIT_CHANGE(unmitigated, audit_text(NOISE.mitigations, "off"))
AUDIT_CHANGE(unmounted, inv->host.resctrl.is_mounted = false)
AUDIT_CHANGE(no_resctrl, inv->host.resctrl = (struct inv_resctrl){ 0 })
AUDIT_CHANGE(hybrid, inv->cpus[6].kind = inv->cpus[7].kind = 1)

static const struct audit_case cases[] = {
	{ "ksm", "", AUDIT_WARN, "run: 1", has_ksm, AUDIT_WRITE, "2" },
	{ "numa-balancing", "", AUDIT_WARN, "numa_balancing: 1", has_balancing, AUDIT_WRITE, "0" },
	{ "thp", "", AUDIT_WARN, "enabled: always", has_thp, AUDIT_WRITE, "madvise" },
	{ "governor", "", AUDIT_WARN, "powersave", slow_governor, AUDIT_CMDLINE,
	  "default_governor=performance" },
	{ "nohz-full", "", AUDIT_WARN, "0 CPUs", no_nohz, AUDIT_CMDLINE, "nohz_full=1-3,5-7" },
	{ "rcu-nocbs", "", AUDIT_WARN, "0 CPUs", no_rcu, AUDIT_CMDLINE, "rcu_nocbs=1-3,5-7" },
	{ "isolation", "", AUDIT_WARN, "isolated: 1-3,5-7", half_core, AUDIT_NO_CHANGE, NULL },
	{ "workqueue-mask", "", AUDIT_WARN, "CPUs 0-7", work_everywhere, AUDIT_WRITE, "11" },
	{ "irq-default", "", AUDIT_WARN, "CPUs 0-7", irqs_everywhere, AUDIT_WRITE, "11" },
	{ "host-irqs", "", AUDIT_WARN, "17 interrupts, 1 CPUs set aside", irq_on_guest,
	  AUDIT_NO_CHANGE, NULL },
	{ "irqbalance", "", AUDIT_WARN, "runs", balanced, AUDIT_SERVICE, "irqbalance.service" },
	{ "c-states", "", AUDIT_WARN, "C6 with 133 us", deep_sleep, AUDIT_CMDLINE,
	  "processor.max_cstate=1" },
	{ "c-states", "", AUDIT_WARN, "intel_idle", deep_intel, AUDIT_CMDLINE,
	  "intel_idle.max_cstate=1" },
	{ "thp-defrag", "", AUDIT_WARN, "defrag: always", defrag, AUDIT_WRITE, "madvise" },
	{ "nx-huge-pages", "", AUDIT_WARN, "nx_huge_pages: Y", nx_pages, AUDIT_MODULE,
	  "options kvm nx_huge_pages=off" },
	{ "kvmclock-sync", "", AUDIT_WARN, "periodic_sync: Y", clock_sync, AUDIT_MODULE,
	  "kvmclock_periodic_sync=0" },
	{ "pause-exits", "", AUDIT_WARN, "kvm_amd/parameters/pause_filter_count: 3000", pause_exits,
	  AUDIT_MODULE, "options kvm_amd" },
	{ "pause-exits", "", AUDIT_WARN, "kvm_intel/parameters/ple_gap: 3000", pause_exits_intel,
	  AUDIT_MODULE, "options kvm_intel ple_gap=0" },
	{ "apicv", "", AUDIT_WARN, "kvm_amd/parameters/avic: N", no_avic, AUDIT_MODULE, "avic=1" },
	{ "apicv", "", AUDIT_WARN, "kvm_intel/parameters/enable_apicv: N", no_apicv, AUDIT_MODULE,
	  "enable_apicv=1" },
	{ "zone-reclaim", "", AUDIT_WARN, "zone_reclaim_mode: 1", reclaims, AUDIT_WRITE, "0" },
	{ "stat-interval", "", AUDIT_WARN, "stat_interval: 1", counts_often, AUDIT_WRITE, "10" },
	{ "nmi-watchdog", "", AUDIT_WARN, "nmi_watchdog: 1", watchdog, AUDIT_WRITE, "0" },
	{ "timer-migration", "", AUDIT_WARN, "timer_migration: 1", migrates, AUDIT_WRITE, "0" },
	{ "compaction", "", AUDIT_WARN, "proactiveness: 20", compacts, AUDIT_WRITE, "0" },
	{ "swappiness", "", AUDIT_WARN, "swappiness: 60", swaps, AUDIT_WRITE, "10" },
	{ "halt-poll", "", AUDIT_WARN, "halt_poll_ns: 200000", polls_on_sibling, AUDIT_WRITE, "0" },
	{ "halt-poll", "", AUDIT_PASS, "halt_poll_ns: 200000", polls, AUDIT_NO_CHANGE, NULL },
	{ "clocksource", "", AUDIT_WARN, "hpet", hpet, AUDIT_NO_CHANGE, NULL },
	{ "mitigations", "", AUDIT_PASS, "mitigations=off", unmitigated, AUDIT_NO_CHANGE, NULL },
	{ "resctrl", "", AUDIT_WARN, "not mounted", unmounted, AUDIT_NO_CHANGE, NULL },
	{ "resctrl", "", AUDIT_PASS, "L3 allocation no", no_resctrl, AUDIT_NO_CHANGE, NULL },
	{ "cpu-kinds", "", AUDIT_PASS, "6 of kind 0, 2 of kind 1", hybrid, AUDIT_NO_CHANGE, NULL },
};

static void test_cases(void **state)
{
	audit_check_cases(cases, CV_ARRAY_SIZE(cases), AUDIT_ISOLATE);
}

/* A host that was not asked about noise, or shows nothing of it, is not judged on it. */
static void test_not_read(void **state)
{
	static const char *const left_out[] = { "swappiness", "workqueue-mask", "irqbalance",
						"c-states",   "host-irqs",	"dma-entries" };
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	inv.host.noise.is_read = false;
	assert_int_equal(audit_run(&inv, AUDIT_ISOLATE, &a), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(left_out); i++)
		assert_null(audit_find(&a, left_out[i], ""));
	assert_null(audit_find(&a, "fragmentation", "node0"));
	assert_non_null(audit_find(&a, "ksm", ""));
	audit_done(&a);
	inventory_done(&inv);
}

static void test_unknown_values(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	inv.host.noise.swappiness = inv.host.noise.halt_poll_ns = -1;
	inv.host.noise.clocksource[0] = inv.host.noise.apicv[0] = '\0';
	inv.host.noise.workqueue = (struct cv_cpuset){ 0 };
	assert_int_equal(audit_run(&inv, AUDIT_ISOLATE, &a), 0);
	assert_null(audit_find(&a, "swappiness", ""));
	assert_null(audit_find(&a, "halt-poll", ""));
	assert_null(audit_find(&a, "clocksource", ""));
	assert_null(audit_find(&a, "apicv", ""));
	assert_null(audit_find(&a, "workqueue-mask", ""));
	audit_done(&a);
	inventory_done(&inv);
}

/* The kernel writes masks in words of 32 CPUs, from the highest. */
static void test_wide_mask(void **state)
{
	const struct audit_finding *f;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	cv_cpuset_add(&inv.host.online, 64);
	inv.host.noise.workqueue = inv.host.online;
	assert_int_equal(audit_run(&inv, AUDIT_ISOLATE, &a), 0);
	f = audit_find(&a, "workqueue-mask", "");
	assert_non_null(f);
	assert_string_equal(f->change.value, "1,00000000,00000011");
	audit_done(&a);
	inventory_done(&inv);
}

/* Without cores set aside the masks of the whole host are no fault. */
static void test_nothing_set_aside(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	inv.host.isolated = inv.host.nohz_full = (struct cv_cpuset){ 0 };
	work_everywhere(&inv);
	irq_on_guest(&inv);
	assert_int_equal(audit_run(&inv, AUDIT_ISOLATE, &a), 0);
	assert_int_equal(audit_find(&a, "workqueue-mask", "")->verdict, AUDIT_PASS);
	assert_int_equal(audit_find(&a, "host-irqs", "")->verdict, AUDIT_PASS);
	audit_done(&a);
	inventory_done(&inv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_not_read),
		cmocka_unit_test(test_unknown_values),
		cmocka_unit_test(test_wide_mask),
		cmocka_unit_test(test_nothing_set_aside),
	};

	return cmocka_run_group_tests_name("audit_noise", tests, NULL, NULL);
}
