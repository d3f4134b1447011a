// SPDX-License-Identifier: GPL-2.0-or-later
/* The audit over inventories made here: each check passes, and speaks when its fact is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/audit.h"

/* A node on which everything is right: two NUMA nodes, a root port, and a PF below it. */
struct machine {
	struct inv_node nodes[2];
	struct inv_dev devs[3];
	struct inventory inv;
};

enum { PORT, NIC, DISK };

static void make_host(struct inv_host *h)
{
	*h = (struct inv_host){
		.iommu = INV_IOMMU_INTEL,
		.n_iommu_groups = 12,
		.iommu_domain = "DMA-FQ",
		.has_intremap = true,
		.has_kvm = true,
		.has_virt = true,
		.has_npt = true,
		.has_vfio_container = true,
		.has_vfio_pci = true,
		.has_iommufd = true,
		.has_cgroup2 = true,
		.has_cpuset = true,
		.has_cpuset_exclusive = true,
		.governor = "performance",
		.memlock_limit = UINT64_MAX,
	};
	cv_cpuset_add(&h->nohz_full, 2);
}

static void make_node(struct inv_node *n, int id)
{
	*n = (struct inv_node){ .id = id, .mem_total = 4ULL << 30, .n_pools = 1 };
	n->pools[0] = (struct inv_pool){ .page_size = 2 << 20, .total = 8, .free = 4 };
}

static void make_devices(struct inv_dev devs[3])
{
	devs[PORT] = (struct inv_dev){
		.bdf = { .bus = 0, .dev = 1 },
		.parent = -1,
		.class = 0x060400,
		.port = INV_PORT_ROOT,
		.driver = "pcieport",
		.group = 1,
		.pf = -1,
		.link = { 160, 16, 160, 16 },
		.has_acs = true,
		.acs_ctrl = 0x1d,
	};
	devs[NIC] = (struct inv_dev){
		.bdf = { .bus = 1 },
		.parent = PORT,
		.class = 0x020000,
		.driver = "igb",
		.group = 2,
		.link = { 160, 16, 160, 16 },
		.reset_methods = "flr bus",
		.sriov = { .total = 7, .offset = 128, .stride = 2 },
		.pf = -1,
	};
	devs[DISK] = devs[NIC];
	devs[DISK].bdf.bus = 2;
	devs[DISK].class = 0x010802;
	devs[DISK].group = 3;
	devs[DISK].node = 1;
}

static struct inventory *make_machine(struct machine *m)
{
	make_host(&m->inv.host);
	make_node(&m->nodes[0], 0);
	make_node(&m->nodes[1], 1);
	make_devices(m->devs);
	m->inv.nodes = m->nodes;
	m->inv.n_nodes = 2;
	m->inv.devs = m->devs;
	m->inv.n_devs = 3;
	return &m->inv;
}

static const struct audit_finding *find(const struct audit *a, const char *check,
					const char *object)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->findings[i].check, check) && !strcmp(a->findings[i].object, object))
			return &a->findings[i];
	return NULL;
}

static void test_all_good(void **state)
{
	struct machine m = { 0 };
	struct audit a = { 0 };

	assert_int_equal(audit_run(make_machine(&m), AUDIT_ISOLATE, &a), 0);
	for (size_t i = 0; i < a.n; i++) {
		if (a.findings[i].verdict != AUDIT_PASS)
			fail_msg("%s: %s", a.findings[i].check, a.findings[i].evidence);
		assert_true(a.findings[i].evidence[0] && a.findings[i].effect[0]);
		assert_string_equal(a.findings[i].fix, "");
	}
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	assert_non_null(find(&a, "device", "0000:01:00.0"));
	assert_null(find(&a, "device", "0000:00:01.0"));
	audit_done(&a);
}

/* struct change - one fact changed, and the one finding that must say so */
struct change {
	const char *check;
	const char *object;
	enum audit_verdict verdict;
	const char *evidence; /* part of it */
	void (*change)(struct inventory *inv);
};

#define CHANGE(name, statement)                 \
	static void name(struct inventory *inv) \
	{                                       \
		statement;                      \
	}

CHANGE(no_virt, inv->host.has_virt = false)
CHANGE(no_npt, inv->host.has_npt = false)
CHANGE(no_kvm, inv->host.has_kvm = false)
CHANGE(no_iommu, inv->host.n_iommu_groups = 0)
CHANGE(no_intremap, inv->host.has_intremap = false)
CHANGE(is_unsafe, inv->host.unsafe_interrupts = true)
CHANGE(no_container, inv->host.has_vfio_container = false)
CHANGE(no_vfio, inv->host.has_vfio_container = inv->host.has_vfio_pci = false)
CHANGE(no_iommufd, inv->host.has_iommufd = false)
CHANGE(no_cgroup2, inv->host.has_cgroup2 = false)
CHANGE(no_cpuset, inv->host.has_cpuset = false)
CHANGE(no_exclusive, inv->host.has_cpuset_exclusive = false)
CHANGE(few_memlock, inv->host.memlock_limit = 8 << 20)
CHANGE(no_pages, inv->nodes[1].pools[0].free = 0)
CHANGE(no_pools, inv->nodes[0].n_pools = 0)
CHANGE(no_memory, inv->nodes[1].mem_total = 0)
CHANGE(has_ksm, inv->host.ksm_run = true)
CHANGE(has_balancing, inv->host.numa_balancing = true)
CHANGE(has_thp, inv->host.thp_always = true)
CHANGE(slow_governor, memcpy(inv->host.governor, "powersave", 10))
CHANGE(no_nohz, cv_cpuset_del(&inv->host.nohz_full, 2))
CHANGE(shared_group, inv->devs[DISK].group = 2)
CHANGE(port_in_group, inv->devs[PORT].group = 2; inv->devs[PORT].has_acs = false)
CHANGE(no_acs, inv->devs[PORT].has_acs = false)
CHANGE(acs_off, inv->devs[PORT].acs_ctrl = 0)
CHANGE(no_node, inv->devs[NIC].node = -1)
CHANGE(no_reset, inv->devs[NIC].reset_methods[0] = '\0')
CHANGE(narrow, inv->devs[NIC].link.width = 4)
CHANGE(slow, inv->devs[NIC].link.speed = 25)
CHANGE(unreadable, inv->devs[DISK].is_unreadable = true)
CHANGE(quarantined, inv->devs[DISK].is_quarantined = true;
       memcpy(inv->devs[DISK].quarantine, "reset hung", 11))

static const struct change changes[] = {
	{ "virt", "", AUDIT_FAIL, "/proc/cpuinfo", no_virt },
	{ "npt", "", AUDIT_WARN, "/proc/cpuinfo", no_npt },
	{ "kvm", "", AUDIT_FAIL, "/dev/kvm", no_kvm },
	{ "iommu", "", AUDIT_FAIL, "0 groups", no_iommu },
	{ "intremap", "", AUDIT_WARN, "not in effect", no_intremap },
	{ "unsafe-interrupts", "", AUDIT_WARN, "allow_unsafe_interrupts: Y", is_unsafe },
	{ "vfio-container", "", AUDIT_WARN, "/dev/vfio/vfio", no_container },
	{ "vfio-pci", "", AUDIT_FAIL, "not loaded", no_vfio },
	{ "vfio-container", "", AUDIT_FAIL, "/dev/vfio/vfio", no_vfio },
	{ "iommufd", "", AUDIT_WARN, "/dev/iommu", no_iommufd },
	{ "cgroup2", "", AUDIT_FAIL, "/sys/fs/cgroup", no_cgroup2 },
	{ "cpuset", "", AUDIT_FAIL, "cgroup.controllers", no_cpuset },
	{ "cpuset-exclusive", "", AUDIT_FAIL, "Linux before 6.7", no_exclusive },
	{ "memlock", "", AUDIT_WARN, "8M", few_memlock },
	{ "hugepages", "node1", AUDIT_WARN, "0 of 8 x 2M free", no_pages },
	{ "hugepages", "node0", AUDIT_WARN, "none", no_pools },
	{ "node-memory", "node1", AUDIT_WARN, "0 of 0 MiB", no_memory },
	{ "ksm", "", AUDIT_WARN, "run: 1", has_ksm },
	{ "numa-balancing", "", AUDIT_WARN, "numa_balancing: 1", has_balancing },
	{ "thp", "", AUDIT_WARN, "enabled: always", has_thp },
	{ "governor", "", AUDIT_WARN, "powersave", slow_governor },
	{ "nohz-full", "", AUDIT_WARN, "0 CPUs", no_nohz },
	{ "device-group", "0000:01:00.0", AUDIT_WARN, "shared with 0000:02:00.0", shared_group },
	{ "device-group", "0000:01:00.0", AUDIT_WARN, "VFs would share", port_in_group },
	{ "device-acs", "0000:01:00.0", AUDIT_WARN, "0000:00:01.0: no ACS", no_acs },
	{ "device-acs", "0000:02:00.0", AUDIT_WARN, "ACS control 0x00", acs_off },
	{ "device-node", "0000:01:00.0", AUDIT_WARN, "numa_node: -1", no_node },
	{ "device-reset", "0000:01:00.0", AUDIT_WARN, "reset_method: none", no_reset },
	{ "device-link", "0000:01:00.0", AUDIT_WARN, "16.0 GT/s x4 of 16.0 GT/s x16", narrow },
	{ "device-link", "0000:01:00.0", AUDIT_WARN, "2.5 GT/s x16", slow },
	{ "device-config", "0000:02:00.0", AUDIT_FAIL, "all ones", unreadable },
	{ "device-quarantine", "0000:02:00.0", AUDIT_FAIL, "0000:02:00.0.json: reset hung",
	  quarantined },
};

static void check_change(const struct change *c)
{
	const struct audit_finding *f;
	struct machine m = { 0 };
	struct audit a = { 0 };

	make_machine(&m);
	c->change(&m.inv);
	assert_int_equal(audit_run(&m.inv, AUDIT_ISOLATE, &a), 0);
	f = find(&a, c->check, c->object);
	if (!f)
		fail_msg("%s says nothing about \"%s\"", c->check, c->object);
	if (!strstr(f->evidence, c->evidence))
		fail_msg("%s: \"%s\" is not in \"%s\"", c->check, c->evidence, f->evidence);
	assert_int_equal(f->verdict, c->verdict);
	assert_int_equal(audit_worst(&a), c->verdict);
	assert_true(f->effect[0] && f->fix[0]);
	audit_done(&a);
}

static void test_each_change(void **state)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(changes); i++)
		check_change(&changes[i]);
}

/* What is no fault: a slower slot, no NUMA node on a host with one, VFs and other classes. */
static void test_quiet(void **state)
{
	struct machine m = { 0 };
	struct audit a = { 0 };

	make_machine(&m);
	m.inv.n_nodes = 1;
	m.devs[NIC].node = -1;
	m.devs[PORT].link.max_width = 4;
	m.devs[NIC].link.width = 4;
	m.devs[DISK].pf = NIC;
	m.devs[DISK].is_unreadable = true;
	m.inv.host.governor[0] = '\0';
	assert_int_equal(audit_run(&m.inv, AUDIT_ISOLATE, &a), 0);
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	assert_null(find(&a, "device", "0000:02:00.0"));
	audit_done(&a);
}

/* A VF is silent, its quarantine is not. */
static void test_quarantined_vf(void **state)
{
	struct machine m = { 0 };
	struct audit a = { 0 };

	quarantined(make_machine(&m));
	m.devs[DISK].pf = NIC;
	m.devs[DISK].reset_methods[0] = '\0';
	assert_int_equal(audit_run(&m.inv, AUDIT_ISOLATE, &a), 0);
	assert_non_null(find(&a, "device-quarantine", "0000:02:00.0"));
	assert_null(find(&a, "device-reset", "0000:02:00.0"));
	audit_done(&a);
}

static void test_empty(void **state)
{
	struct inventory inv = { 0 };
	struct audit a = { 0 };

	assert_int_equal(audit_run(&inv, AUDIT_ISOLATE, &a), 0);
	assert_int_equal(audit_worst(&a), AUDIT_FAIL);
	audit_done(&a);
}

/* The format's golden file; CARVE_GOLDEN_UPDATE=1 writes it. */
static void test_golden(void **state)
{
	static const char path[] = CARVE_SOURCE_DIR "/tests/golden/audit/findings.json";
	_cleanup_json_ json_t *j = NULL, *want = NULL;
	struct machine m = { 0 };
	struct audit a = { 0 };

	make_machine(&m);
	no_kvm(&m.inv);
	port_in_group(&m.inv);
	assert_int_equal(audit_run(&m.inv, AUDIT_ISOLATE, &a), 0);
	j = audit_json(&a);
	audit_done(&a);
	assert_non_null(j);
	if (getenv("CARVE_GOLDEN_UPDATE"))
		assert_int_equal(json_dump_file(j, path, JSON_INDENT(2)), 0);
	want = json_load_file(path, 0, NULL);
	assert_non_null(want);
	assert_true(json_equal(j, want));
}

static void test_json(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct machine m = { 0 };
	struct audit a = { 0 };
	json_t *summary, *first;

	make_machine(&m);
	no_kvm(&m.inv);
	no_npt(&m.inv);
	quarantined(&m.inv);
	m.devs[DISK].quarantine[0] = '\xff'; /* no UTF-8 */
	assert_int_equal(audit_run(&m.inv, AUDIT_ISOLATE, &a), 0);
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
	audit_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_good), cmocka_unit_test(test_each_change),
		cmocka_unit_test(test_quiet),	 cmocka_unit_test(test_quarantined_vf),
		cmocka_unit_test(test_empty),	 cmocka_unit_test(test_json),
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
