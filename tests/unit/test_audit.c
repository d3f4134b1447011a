// SPDX-License-Identifier: GPL-2.0-or-later
/* The audit of the node itself, its JSON, and the plan of changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "audit_cases.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "inventory_builder.h"
#include "tests/fake/golden.h"

static void judge(struct inventory *inv, enum audit_intent intent, struct audit *ret)
{
	assert_int_equal(audit_run(inv, intent, ret), 0);
}

static void test_all_good(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	judge(&inv, AUDIT_ISOLATE, &a);
	for (size_t i = 0; i < a.n; i++) {
		if (a.findings[i].verdict != AUDIT_PASS)
			fail_msg("%s: %s", a.findings[i].check, a.findings[i].evidence);
		assert_true(a.findings[i].evidence[0] && a.findings[i].effect[0]);
		assert_string_equal(a.findings[i].fix, "");
		assert_int_equal(a.findings[i].change.how, AUDIT_NO_CHANGE);
	}
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	assert_non_null(audit_find(&a, "device", AC_NIC));
	assert_null(audit_find(&a, "device", AC_PORT));
	audit_done(&a);
	inventory_done(&inv);
}

AUDIT_CHANGE(no_virt, inv->host.has_virt = false)
AUDIT_CHANGE(no_npt, inv->host.has_npt = false)
AUDIT_CHANGE(no_kvm, inv->host.has_kvm = false)
AUDIT_CHANGE(no_iommu, inv->host.n_iommu_groups = 0)
AUDIT_CHANGE(no_vtd, no_iommu(inv); audit_text(inv->host.cpu_vendor, "GenuineIntel"))
AUDIT_CHANGE(no_intremap, inv->host.has_intremap = false)
AUDIT_CHANGE(is_unsafe, inv->host.unsafe_interrupts = true)
AUDIT_CHANGE(passthrough, audit_text(inv->host.iommu_domain, "identity"))
AUDIT_CHANGE(override, audit_text(inv->host.cmdline, "quiet pcie_acs_override=downstream"))
AUDIT_CHANGE(no_container, inv->host.has_vfio_container = false)
AUDIT_CHANGE(no_vfio, inv->host.has_vfio_container = inv->host.has_vfio_pci = false)
AUDIT_CHANGE(no_iommufd, inv->host.has_iommufd = false)
AUDIT_CHANGE(no_cgroup2, inv->host.has_cgroup2 = false)
AUDIT_CHANGE(no_cpuset, inv->host.has_cpuset = false)
AUDIT_CHANGE(no_exclusive, inv->host.has_cpuset_exclusive = false)
AUDIT_CHANGE(few_memlock, inv->host.memlock_limit = 8 << 20)
AUDIT_CHANGE(few_mappings, inv->host.noise.dma_entry_limit = 512)
AUDIT_CHANGE(no_pages, inv->nodes[1].pools[0].free = inv->nodes[1].pools[1].free = 0)
AUDIT_CHANGE(no_pools, inv->nodes[0].n_pools = 0)
AUDIT_CHANGE(fragmented, inv->nodes[1].free_blocks = 64 << 20)
AUDIT_CHANGE(no_memory, inv->nodes[1].mem_total = 0; no_pages(inv))
AUDIT_CHANGE(no_cpus, inv->nodes[1].cpus = (struct cv_cpuset){ 0 }; no_pages(inv))

static const struct audit_case cases[] = {
	{ "virt", "", AUDIT_FAIL, "/proc/cpuinfo", no_virt, AUDIT_FIRMWARE, "SVM" },
	{ "npt", "", AUDIT_WARN, "/proc/cpuinfo", no_npt, AUDIT_FIRMWARE, "NPT" },
	{ "kvm", "", AUDIT_FAIL, "/dev/kvm", no_kvm, AUDIT_NO_CHANGE, NULL },
	{ "iommu", "", AUDIT_FAIL, "0 groups", no_iommu, AUDIT_FIRMWARE, "AMD-Vi" },
	{ "iommu", "", AUDIT_FAIL, "0 groups", no_vtd, AUDIT_CMDLINE, "intel_iommu=on" },
	{ "intremap", "", AUDIT_WARN, "not in effect", no_intremap, AUDIT_FIRMWARE, "x2APIC" },
	{ "unsafe-interrupts", "", AUDIT_WARN, "allow_unsafe_interrupts: Y", is_unsafe,
	  AUDIT_MODULE, "allow_unsafe_interrupts=0" },
	{ "iommu-domain", "", AUDIT_WARN, "1 are identity", passthrough, AUDIT_CMDLINE,
	  "iommu.passthrough=0" },
	{ "acs-override", "", AUDIT_WARN, "pcie_acs_override", override, AUDIT_NO_CHANGE, NULL },
	{ "vfio-container", "", AUDIT_WARN, "/dev/vfio/vfio", no_container, AUDIT_NO_CHANGE, NULL },
	{ "vfio-pci", "", AUDIT_FAIL, "not loaded", no_vfio, AUDIT_NO_CHANGE, NULL },
	{ "vfio-container", "", AUDIT_FAIL, "/dev/vfio/vfio", no_vfio, AUDIT_NO_CHANGE, NULL },
	{ "iommufd", "", AUDIT_WARN, "/dev/iommu", no_iommufd, AUDIT_NO_CHANGE, NULL },
	{ "cgroup2", "", AUDIT_FAIL, "/sys/fs/cgroup", no_cgroup2, AUDIT_CMDLINE, "unified" },
	{ "cpuset", "", AUDIT_FAIL, "cgroup.controllers", no_cpuset, AUDIT_NO_CHANGE, NULL },
	{ "cpuset-exclusive", "", AUDIT_FAIL, "Linux before 6.7", no_exclusive, AUDIT_NO_CHANGE,
	  NULL },
	{ "memlock", "", AUDIT_WARN, "8M", few_memlock, AUDIT_NO_CHANGE, NULL },
	{ "dma-entries", "", AUDIT_WARN, "dma_entry_limit: 512", few_mappings, AUDIT_MODULE,
	  "dma_entry_limit=65535" },
	{ "hugepages", "node1", AUDIT_WARN, "0 of 256 x 2M free", no_pages, AUDIT_NO_CHANGE, NULL },
	{ "hugepages", "node0", AUDIT_WARN, "none", no_pools, AUDIT_NO_CHANGE, NULL },
	{ "fragmentation", "node1", AUDIT_WARN, "64 of 3072 MiB", fragmented, AUDIT_WRITE, "1" },
	{ "node-memory", "node1", AUDIT_PASS, "of 0 MiB", no_memory, AUDIT_NO_CHANGE, NULL },
	{ "hugepages", "node1", AUDIT_PASS, "0 of 256", no_memory, AUDIT_NO_CHANGE, NULL },
	{ "node-memory", "node1", AUDIT_PASS, "of 6144 MiB", no_cpus, AUDIT_NO_CHANGE, NULL },
};

static void test_cases(void **state)
{
	audit_check_cases(cases, CV_ARRAY_SIZE(cases), AUDIT_ISOLATE);
}

/* Row D1: words on the command line neither help nor harm. */
static void test_iommu_by_effect(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	audit_text(inv.host.cmdline, "quiet");
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_int_equal(audit_find(&a, "iommu", "")->verdict, AUDIT_PASS);
	audit_done(&a);

	audit_text(inv.host.cmdline, "amd_iommu=on intel_iommu=on");
	no_iommu(&inv);
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_int_equal(audit_find(&a, "iommu", "")->verdict, AUDIT_FAIL);
	assert_null(audit_find(&a, "iommu-domain", ""));
	audit_done(&a);
	inventory_done(&inv);
}

/* CPU flags of x86 are not asked of Arm; /dev/kvm is. */
static void test_arm(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	no_virt(&inv);
	no_npt(&inv);
	inv.host.iommu = INV_IOMMU_ARM;
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_null(audit_find(&a, "virt", ""));
	assert_null(audit_find(&a, "npt", ""));
	assert_int_equal(audit_find(&a, "kvm", "")->verdict, AUDIT_PASS);
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	audit_done(&a);
	inventory_done(&inv);
}

/* The type of each group counts where it was read, not that of the first one. */
static void test_identity_groups(void **state)
{
	const struct audit_finding *f;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	inv.groups = calloc(3, sizeof(*inv.groups));
	assert_non_null(inv.groups);
	inv.n_groups = 3;
	audit_text(inv.groups[1].domain, "identity");
	audit_text(inv.groups[2].domain, "identity");
	judge(&inv, AUDIT_ISOLATE, &a);
	f = audit_find(&a, "iommu-domain", "");
	assert_int_equal(f->verdict, AUDIT_WARN);
	assert_non_null(strstr(f->evidence, "2 are identity"));
	audit_done(&a);
	inventory_done(&inv);
}

static void test_empty(void **state)
{
	struct inventory inv = { 0 };
	struct audit a = { 0 };

	judge(&inv, AUDIT_ISOLATE, &a);
	assert_int_equal(audit_worst(&a), AUDIT_FAIL);
	audit_done(&a);
	judge(&inv, AUDIT_P2P, &a);
	assert_int_equal(audit_worst(&a), AUDIT_FAIL);
	audit_done(&a);
}

/* ---- what is printed ---- */

static void break_some(struct inventory *inv)
{
	audit_machine(inv);
	no_kvm(inv);
	is_unsafe(inv);
	fragmented(inv);
	inv->host.ksm_run = inv->host.noise.irqbalance = true;
	no_intremap(inv);
	inv->host.nohz_full = inv->host.rcu_nocbs = (struct cv_cpuset){ 0 };
	ib_dev(inv, AC_PORT)->acs_ctrl = 0x1c;
	ib_dev(inv, AC_DOWN_GPU)->acs_ctrl = 0x11;
}

static void test_golden(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	struct inventory inv;
	struct audit a = { 0 };

	break_some(&inv);
	judge(&inv, AUDIT_ISOLATE, &a);
	j = audit_json(&a);
	assert_non_null(j);
	text = cv_json_text(j);
	assert_non_null(text);
	golden_check("audit/findings.json", text);
	audit_done(&a);
	inventory_done(&inv);
}

static void check_plan(enum audit_intent intent, const char *golden)
{
	_cleanup_free_ char *text = NULL;
	struct inventory inv;
	struct audit a = { 0 };

	break_some(&inv);
	judge(&inv, intent, &a);
	text = audit_fix_plan(&a);
	assert_non_null(text);
	golden_check(golden, text);
	audit_done(&a);
	inventory_done(&inv);
}

/* The ports share one word, each with its own flags. */
static void test_fix_plan(void **state)
{
	check_plan(AUDIT_ISOLATE, "audit/fix-plan-isolate.txt");
	check_plan(AUDIT_P2P, "audit/fix-plan-p2p.txt");
}

static void test_no_fix_plan(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	judge(&inv, AUDIT_ISOLATE, &a);
	text = audit_fix_plan(&a);
	assert_non_null(text);
	assert_string_equal(text, "");
	audit_done(&a);
	inventory_done(&inv);
}

/* The plan is pasted into shells: a value of somebody's snapshot stays in its comment. */
static void test_hostile_value(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	audit_text(inv.host.noise.thp_defrag, "always");
	audit_text(inv.host.governor, "x\nreboot");
	judge(&inv, AUDIT_ISOLATE, &a);
	for (size_t i = 0; i < a.n; i++)
		if (!strcmp(a.findings[i].check, "governor"))
			a.findings[i].change.how = AUDIT_WRITE;
	text = audit_fix_plan(&a);
	assert_non_null(text);
	assert_null(strstr(text, "\nreboot"));
	assert_non_null(strstr(text, "x?reboot"));
	audit_done(&a);
	inventory_done(&inv);
}

static void test_json(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct inventory inv;
	struct audit a = { 0 };
	json_t *summary, *first;

	audit_machine(&inv);
	no_kvm(&inv);
	no_npt(&inv);
	ib_dev(&inv, AC_NVME)->is_quarantined = true;
	ib_dev(&inv, AC_NVME)->quarantine[0] = '\xff'; /* no UTF-8 */
	judge(&inv, AUDIT_ISOLATE, &a);
	j = audit_json(&a);
	assert_non_null(j);
	assert_int_equal(cv_json_int(j, "carve_audit", 0), 1);
	summary = json_object_get(j, "summary");
	assert_int_equal(cv_json_int(summary, "fail", -1), 2);
	assert_int_equal(cv_json_int(summary, "warn", -1), 1);
	assert_int_equal(cv_json_int(summary, "pass", -1), (int)a.n - 3);
	assert_int_equal(json_array_size(json_object_get(j, "findings")), a.n);
	first = json_array_get(json_object_get(j, "findings"), 0);
	assert_string_equal(cv_json_str(first, "check", ""), "virt");
	assert_string_equal(cv_json_str(first, "verdict", ""), "pass");
	assert_true(json_is_null(json_object_get(first, "change")));
	audit_done(&a);
	inventory_done(&inv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_good),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_iommu_by_effect),
		cmocka_unit_test(test_identity_groups),
		cmocka_unit_test(test_arm),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_fix_plan),
		cmocka_unit_test(test_no_fix_plan),
		cmocka_unit_test(test_hostile_value),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
