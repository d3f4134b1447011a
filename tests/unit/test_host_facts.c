// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts that decide little alone: isolation, kinds of cores, noise, partitions, resctrl. */
#include <errno.h>

#include "tests/unit/numa_tree.h"

#include "numa/binding.h"
#include "numa/cputext.h"
#include "numa/facts.h"
#include "numa/inventory.h"
#include "numa/partition.h"
#include "numa/resctrl_info.h"

#define RESCTRL NU_RESCTRL_MOUNT "/info"
#define KVM "/sys/module/kvm/parameters/"

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	*state = t;
	return t ? tree_make(t) : -1;
}

static int teardown(void **state)
{
	tree_remove(*state, "");
	free(*state);
	return 0;
}

/* Four CPUs that share nothing, on one node */
static void put_host(const struct tree *t)
{
	tree_put(t, TREE_CPU "/online", "0-3\n");
	tree_put(t, TREE_CPU "/possible", "0-7\n");
	for (int i = 0; i < 4; i++) {
		char list[16];

		snprintf(list, sizeof(list), "%d\n", i);
		tree_putf(t, list, TREE_CPU "/cpu%d/topology/core_cpus_list", i);
	}
	tree_put(t, TREE_NODE "/online", "0\n");
	tree_put(t, TREE_NODE "/node0/cpulist", "0-3\n");
	tree_put(t, TREE_NODE "/node0/meminfo",
		 "Node 0 MemTotal: 4096 kB\nNode 0 MemFree: 1024 kB\n");
	tree_put(t, TREE_NODE "/node0/distance", "10\n");
}

static void read_host(const struct tree *t, bool noise, struct inventory *ret)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct cv_error err = { 0 };

	assert_int_equal(cv_sysroot_open(t->dir, &r, NULL), 0);
	if (nu_inventory_read(r, &(struct nu_depth){ .noise = noise }, ret, &err) < 0)
		fail_msg("%s: %s", err.object, err.what);
}

static void assert_set(const struct cv_cpuset *set, const char *list)
{
	_cleanup_free_ char *text = cv_format_cpulist(set);

	assert_string_equal(text, list);
}

/* ---- formats ---- */

/** struct text_case - a text, and the set or the errno it gives */
struct text_case {
	const char *text;
	int r;
	const char *list;
};

static void test_cpumask(void **state)
{
	static const struct text_case cases[] = {
		{ "0", 0, "" },
		{ "f", 0, "0-3" },
		{ "ff,ffffffff", 0, "0-39" },
		{ "80000000", 0, "31" },
		{ "1,00000000,00000000", 0, "64" },
		{ "00000000,F0", 0, "4-7" },
		{ "", -EINVAL, NULL },
		{ ",", -EINVAL, NULL },
		{ "ff,", -EINVAL, NULL },
		{ ",ff", -EINVAL, NULL },
		{ "0x1", -EINVAL, NULL },
		{ "g", -EINVAL, NULL },
		{ "-1", -EINVAL, NULL },
		{ "123456789", -EINVAL, NULL },
		{ "f f", -EINVAL, NULL },
	};
	char wide[9 * (CV_CPU_MAX / 32 + 2)] = "1";
	struct cv_cpuset set;

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		int r = nu_parse_cpumask(cases[i].text, &set);

		if (r != cases[i].r)
			fail_msg("'%s': %d", cases[i].text, r);
		if (r == 0)
			assert_set(&set, cases[i].list);
	}
	for (int i = 0; i < CV_CPU_MAX / 32; i++)
		strcat(wide, ",00000000");
	assert_int_equal(nu_parse_cpumask(wide, &set), -ERANGE);
	wide[0] = '0';
	assert_int_equal(nu_parse_cpumask(wide, &set), 0);
	assert_true(cv_cpuset_is_empty(&set));
}

static void test_boot_cpulist(void **state)
{
	static const struct text_case cases[] = {
		{ "", 0, "" },
		{ "all", 0, "0-9" },
		{ "2-N", 0, "2-9" },
		{ "N", 0, "9" },
		{ "1,3-4", 0, "1,3-4" },
		{ "0-9:2/4", 0, "0-1,4-5,8-9" },
		{ "all:1/5", 0, "0,5" },
		{ "1-3:0/2", 0, "" },
		{ "4-2", -ERANGE, NULL },
		{ "99999999999999999999", -ERANGE, NULL },
		{ "1-", -EINVAL, NULL },
		{ "1,", -EINVAL, NULL },
		{ ",1", -EINVAL, NULL },
		{ "x", -EINVAL, NULL },
		{ "0-9:2", -EINVAL, NULL },
		{ "0-9:2/0", -EINVAL, NULL },
		{ "0-9:5/4", -EINVAL, NULL },
		{ "alles", -EINVAL, NULL },
	};
	struct cv_cpuset set;

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		int r = nu_parse_boot_cpulist(cases[i].text, 9, &set);

		if (r != cases[i].r)
			fail_msg("'%s': %d", cases[i].text, r);
		if (r == 0)
			assert_set(&set, cases[i].list);
	}
}

static void test_boot_value(void **state)
{
	const char *line = "quiet rcu_nocbs=1 xrcu_nocbs=9 rcu_nocbs=2-3 rcu_nocbs_poll\n", *v;

	(void)state;
	assert_int_equal(nu_boot_value(line, "rcu_nocbs=", &v), 3);
	assert_memory_equal(v, "2-3", 3);
	assert_int_equal(nu_boot_value(line, "nohz_full=", &v), -1);
	assert_int_equal(nu_boot_value("", "a=", &v), -1);
	assert_int_equal(nu_boot_value("a=", "a=", &v), 0);
}

/* ---- CPUs ---- */

static void test_isolation(void **state)
{
	static const struct {
		const char *cmdline, *nohz_full, *rcu;
	} cases[] = {
		{ "quiet", "(null)\n", "" },
		{ "rcu_nocbs=2-N", "(null)\n", "2-7" },
		{ "rcu_nocbs", "\n", "" },
		{ "rcu_nocbs=all", "\n", "0-7" },
		{ "rcu_nocbs=junk", "1\n", "1" },
		{ "nohz_full=1-2 rcu_nocbs=3", "1-2\n", "1-3" }, /* implied */
	};
	struct tree *t = *state;

	put_host(t);
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_inventory_ struct inventory inv = { 0 };

		tree_put(t, "/proc/cmdline", cases[i].cmdline);
		tree_put(t, TREE_CPU "/nohz_full", cases[i].nohz_full);
		read_host(t, false, &inv);
		assert_set(&inv.host.rcu_nocbs, cases[i].rcu);
		for (size_t k = 0; k < inv.n_cpus; k++) {
			assert_int_equal(inv.cpus[k].is_rcu_nocbs,
					 cv_cpuset_has(&inv.host.rcu_nocbs, inv.cpus[k].id));
			assert_int_equal(inv.cpus[k].is_nohz_full,
					 cv_cpuset_has(&inv.host.nohz_full, inv.cpus[k].id));
		}
	}
}

static void assert_kinds(const struct tree *t, int a, int b, int c, int d)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const int wanted[] = { a, b, c, d };

	read_host(t, false, &inv);
	for (size_t i = 0; i < 4; i++)
		if (inv.cpus[i].kind != wanted[i])
			fail_msg("CPU %zu: kind %d, not %d", i, inv.cpus[i].kind, wanted[i]);
}

static void test_kinds(void **state)
{
	struct tree *t = *state;

	put_host(t);
	assert_kinds(t, 0, 0, 0, 0);
	tree_put(t, TREE_CPU "/cpu0/cpu_capacity", "446\n");
	tree_put(t, TREE_CPU "/cpu1/cpu_capacity", "446\n");
	tree_put(t, TREE_CPU "/cpu2/cpu_capacity", "871\n");
	assert_kinds(t, 0, 0, 0, 0); /* CPU 3 says nothing */
	tree_put(t, TREE_CPU "/cpu3/cpu_capacity", "1024\n");
	assert_kinds(t, 2, 2, 1, 0);
	tree_put(t, "/sys/devices/cpu_atom/cpus", "2-3\n");
	tree_put(t, "/sys/devices/cpu_core/cpus", "0-1\n");
	assert_kinds(t, 0, 0, 1, 1);
	tree_put(t, "/sys/devices/cpu_lowpower/cpus", "3\n");
	tree_put(t, "/sys/devices/cpu_atom/cpus", "2\n");
	assert_kinds(t, 0, 0, 1, 2);
	tree_put(t, "/sys/devices/cpu_core/cpus", "junk\n");
	assert_kinds(t, 0, 0, 0, 1);
}

/* An E-core without the L3 that its neighbours have, and a kind whose first CPU lacks one */
static void test_uneven_caches(void **state)
{
	static const int l3[] = { 0, 0, -1, 1 };
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;

	put_host(t);
	tree_put(t, "/sys/devices/cpu_core/cpus", "0-1\n");
	tree_put(t, "/sys/devices/cpu_atom/cpus", "2-3\n");
	for (int cpu = 0; cpu < 4; cpu++) {
		tree_putf(t, "2\n", TREE_CPU "/cpu%d/cache/index0/level", cpu);
		tree_putf(t, cpu < 2 ? "0-1\n" : "2-3\n",
			  TREE_CPU "/cpu%d/cache/index0/shared_cpu_list", cpu);
		if (cpu == 2)
			continue;
		tree_putf(t, "3\n", TREE_CPU "/cpu%d/cache/index1/level", cpu);
		tree_putf(t, cpu < 2 ? "0-1\n" : "3\n",
			  TREE_CPU "/cpu%d/cache/index1/shared_cpu_list", cpu);
	}
	read_host(t, false, &inv);
	for (int cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(inv.cpus[cpu].l2, cpu / 2);
		assert_int_equal(inv.cpus[cpu].l3, l3[cpu]);
	}
}

/* Names of older kernels, and a machine that numbers neither packages nor dies */
static void test_old_topology(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;

	put_host(t);
	for (int cpu = 0; cpu < 4; cpu++) {
		char path[64];

		snprintf(path, sizeof(path), TREE_CPU "/cpu%d/topology/core_cpus_list", cpu);
		tree_remove(t, path);
		tree_putf(t, cpu < 2 ? "0-1\n" : "2-3\n",
			  TREE_CPU "/cpu%d/topology/thread_siblings_list", cpu);
		tree_putf(t, "0-3\n", TREE_CPU "/cpu%d/topology/core_siblings_list", cpu);
		tree_putf(t, "-1\n", TREE_CPU "/cpu%d/topology/physical_package_id", cpu);
	}
	read_host(t, false, &inv);
	for (int cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(inv.cpus[cpu].core, cpu / 2);
		assert_int_equal(inv.cpus[cpu].thread, cpu % 2);
		assert_int_equal(inv.cpus[cpu].package, -1);
		assert_int_equal(inv.cpus[cpu].die, -1);
		assert_int_equal(inv.cpus[cpu].l3, -1);
	}
}

static void test_cpuinfo(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 }, arm = { 0 };
	const struct inv_host *h = &inv.host;
	struct tree *t = *state;

	put_host(t);
	tree_put(t, "/proc/cpuinfo",
		 "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
		 "model name\t: Xeon\nflags\t\t: fpu cat_l3 mba vmx xept ept\n"
		 "address sizes\t: 46 bits physical, 57 bits virtual\n\n"
		 "processor\t: 1\ncpu family\t: 7\n");
	read_host(t, false, &inv);
	assert_int_equal(h->cpu_family, 6);
	assert_int_equal(h->cpu_model_id, 143);
	assert_string_equal(h->cpu_model, "Xeon");
	assert_int_equal(h->phys_bits, 46);
	assert_true(h->has_virt && h->has_npt);
	assert_true(h->resctrl.has_l3 && h->resctrl.has_mb && !h->resctrl.is_mounted);
	tree_put(t, "/proc/cpuinfo",
		 "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd4f\nmodel\t: x\n"
		 "cpu family\t: 99999999999\naddress sizes\t: 999 bits physical\n");
	read_host(t, false, &arm);
	assert_int_equal(arm.host.cpu_family, -1);
	assert_int_equal(arm.host.cpu_model_id, -1);
	assert_int_equal(arm.host.phys_bits, 0);
	assert_string_equal(arm.host.cpu_vendor, "");
	assert_false(arm.host.has_virt);
}

/* ---- partitions ---- */

static void put_cgroup(const struct tree *t, const char *path, const char *state, const char *cpus)
{
	tree_putf(t, state, NU_CGROUP_MOUNT "%s/cpuset.cpus.partition", path);
	tree_putf(t, cpus, NU_CGROUP_MOUNT "%s/cpuset.cpus.effective", path);
}

static void test_partitions(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;
	char deep[2 * NU_PARTITION_DEPTH + 3] = "";

	put_host(t);
	tree_put(t, NU_CGROUP_MOUNT "/cgroup.controllers", "cpuset cpu\n");
	put_cgroup(t, "/carve", "root\n", "1-2\n");
	put_cgroup(t, "/carve/vm0", "isolated\n", "3\n");
	put_cgroup(t, "/carve/vm1", "isolated invalid (Parent is not a partition root)\n", "0\n");
	put_cgroup(t, "/batch.slice", "member\n", "0-3\n");
	put_cgroup(t, "/batch.slice/job", "root\n", "junk\n");
	put_cgroup(t, "/batch.slice/job2", "root\n", "0\n");
	/* without the controller there is nothing to find below */
	tree_put(t, NU_CGROUP_MOUNT "/plain/x/cpuset.cpus.partition", "root\n");
	for (int i = 0; i <= NU_PARTITION_DEPTH; i++) {
		strcat(deep, "/d");
		put_cgroup(t, deep, i < NU_PARTITION_DEPTH - 1 ? "member\n" : "root\n", "1\n");
	}
	read_host(t, false, &inv);
	assert_int_equal(inv.n_partitions, 4);
	assert_string_equal(inv.partitions[0].path, "/batch.slice/job2");
	assert_string_equal(inv.partitions[1].path, "/carve");
	assert_false(inv.partitions[1].is_isolated);
	assert_set(&inv.partitions[1].cpus, "1-2");
	assert_string_equal(inv.partitions[2].path, "/carve/vm0");
	assert_true(inv.partitions[2].is_isolated);
	assert_int_equal(strlen(inv.partitions[3].path), 2 * NU_PARTITION_DEPTH);
	assert_set(&inv.host.isolated, "3");
	assert_true(inv.cpus[3].is_isolated);
	assert_false(inv.cpus[0].is_isolated);
}

/* ---- noise ---- */

static void put_noise(const struct tree *t)
{
	put_host(t);
	tree_put(t, "/proc/cmdline", "quiet mitigations=auto,nosmt\n");
	tree_put(t, "/sys/devices/virtual/workqueue/cpumask", "00000000,00000003\n");
	tree_put(t, "/proc/irq/default_smp_affinity", "f\n");
	tree_put(t, "/proc/irq/0/effective_affinity_list", "0\n");
	tree_put(t, "/proc/irq/24/effective_affinity_list", "2\n");
	tree_put(t, "/proc/irq/25/effective_affinity_list", "2-3\n");
	tree_put(t, "/sys/kernel/irq/25/actions", "ahci,vfio-intx(0000:81:00.0)\n");
	tree_put(t, "/proc/irq/26/effective_affinity_list", "\n");
	tree_put(t, "/proc/irq/27/effective_affinity_list", "junk\n");
	tree_put(t, "/proc/irq/28/effective_affinity_list", "3\n");
	tree_put(t, "/sys/kernel/irq/28/actions", "vfio-msix[0](0000:81:00.0)\n");
	tree_put(t, "/proc/77/comm", "irqbalance\n");
	tree_put(t, TREE_CPU "/cpuidle/current_driver", "acpi_idle\n");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "POLL\n", "C1\n", "C2\n" };
		static const char *const latencies[] = { "0\n", "1\n", "400\n" };

		tree_putf(t, names[i], TREE_CPU "/cpu0/cpuidle/state%d/name", i);
		tree_putf(t, latencies[i], TREE_CPU "/cpu0/cpuidle/state%d/latency", i);
		tree_putf(t, i == 2 ? "1\n" : "0\n", TREE_CPU "/cpu0/cpuidle/state%d/disable", i);
	}
	tree_put(t, "/sys/kernel/mm/transparent_hugepage/defrag",
		 "always defer defer+madvise [madvise] never\n");
	tree_put(t, KVM "nx_huge_pages", "N\n");
	tree_put(t, KVM "halt_poll_ns", "200000\n");
	tree_put(t, KVM "kvmclock_periodic_sync", "Y\n");
	tree_put(t, "/sys/module/kvm_amd/parameters/pause_filter_count", "3000\n");
	tree_put(t, "/sys/module/kvm_amd/parameters/avic", "N\n");
	tree_put(t, "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit", "65535\n");
	tree_put(t, "/proc/sys/vm/stat_interval", "1\n");
	tree_put(t, "/proc/sys/vm/swappiness", "x\n");
	tree_put(t, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
}

static void test_noise(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_noise *n = &inv.host.noise;
	struct tree *t = *state;

	put_noise(t);
	read_host(t, true, &inv);
	assert_true(n->is_read && n->irqbalance);
	assert_set(&n->workqueue, "0-1");
	assert_set(&n->irq_default, "0-3");
	assert_string_equal(n->idle_driver, "acpi_idle");
	assert_string_equal(n->idle_deepest, "C1");
	assert_int_equal(n->idle_latency_us, 1);
	assert_string_equal(n->thp_defrag, "madvise");
	assert_string_equal(n->nx_huge_pages, "N");
	assert_int_equal(n->halt_poll_ns, 200000);
	assert_string_equal(n->kvmclock_sync, "Y");
	assert_int_equal(n->ple_gap, 3000);
	assert_string_equal(n->apicv, "N");
	assert_int_equal(n->dma_entry_limit, 65535);
	assert_int_equal(n->stat_interval, 1);
	assert_int_equal(n->swappiness, -1);
	assert_int_equal(n->zone_reclaim_mode, -1);
	assert_string_equal(n->clocksource, "tsc");
	assert_string_equal(n->mitigations, "auto,nosmt");
	assert_int_equal(inv.cpus[0].irqs, 1);
	assert_int_equal(inv.cpus[1].irqs, 0);
	assert_int_equal(inv.cpus[2].irqs, 2);
	assert_int_equal(inv.cpus[3].irqs, 1);
}

static void test_noise_unknown(void **state)
{
	_cleanup_inventory_ struct inventory quiet = { 0 }, bare = { 0 };
	struct tree *t = *state;

	put_noise(t);
	read_host(t, false, &quiet);
	assert_false(quiet.host.noise.is_read);
	assert_int_equal(quiet.cpus[2].irqs, -1);
	tree_remove(t, "/proc");
	tree_remove(t, "/sys/module");
	tree_remove(t, "/sys/devices/system/cpu/cpu0/cpuidle");
	read_host(t, true, &bare);
	assert_true(bare.host.noise.is_read);
	assert_false(bare.host.noise.irqbalance);
	assert_int_equal(bare.host.noise.idle_latency_us, -1);
	assert_int_equal(bare.host.noise.halt_poll_ns, -1);
	assert_string_equal(bare.host.noise.nx_huge_pages, "");
	assert_int_equal(bare.cpus[2].irqs, -1);
}

static void test_free_blocks(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "Node 0, zone      DMA 0 0 0 0 0 0 0 0 0 1 2\n"
		  "Node 0, zone    DMA32 9 9 9 9 9 9 9 9 9 3 1\n"
		  "Node 0, zone   Normal 1 1 1 1 1 1 1 1 1 0 2\n"
		  "Node 1, zone   Normal 1 1 1 1 1 1 1 1 1 9 9\n",
		  (3ULL << 21) + (3ULL << 22) },
		{ "Node 0, zone Normal 5\n", 0 },
		{ "Node 0, zone Normal\n", INV_UNKNOWN },
		{ "Node 0, zone Normal 1 2 x\n", INV_UNKNOWN },
		{ "Node 0, zone Normal 0 0 0 0 0 0 0 0 0 18446744073709551615\n", INV_UNKNOWN },
		{ "Node 99999, zone Normal 0 0 0 0 0 0 0 0 0 1\n", INV_UNKNOWN },
		{ "Page block order: 9\n", INV_UNKNOWN },
		{ "", INV_UNKNOWN },
	};
	struct tree *t = *state;

	put_host(t);
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_inventory_ struct inventory inv = { 0 }, quiet = { 0 };

		tree_put(t, "/proc/buddyinfo", cases[i].text);
		read_host(t, true, &inv);
		if (inv.nodes[0].free_blocks != cases[i].bytes)
			fail_msg("case %zu: %llu", i, (unsigned long long)inv.nodes[0].free_blocks);
		read_host(t, false, &quiet);
		assert_true(quiet.nodes[0].free_blocks == INV_UNKNOWN);
	}
}

/* The orders of kernels with large pages mean other sizes. */
static void test_free_blocks_large_pages(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;

	put_host(t);
	tree_put(t, "/proc/buddyinfo", "Node 0, zone Normal 0 0 0 0 0 0 0 0 0 1\n");
	tree_put(t, TREE_NODE "/node0/hugepages/hugepages-524288kB/nr_hugepages", "0\n");
	tree_put(t, TREE_NODE "/node0/hugepages/hugepages-524288kB/free_hugepages", "0\n");
	read_host(t, true, &inv);
	assert_true(inv.nodes[0].free_blocks == INV_UNKNOWN);
}

/* ---- resctrl ---- */

static void test_resctrl(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 }, amd = { 0 }, cdp = { 0 };
	const struct inv_resctrl *r = &inv.host.resctrl;
	struct tree *t = *state;

	put_host(t);
	tree_put(t, "/proc/cpuinfo", "processor : 0\nflags : cat_l3\n");
	tree_put(t, RESCTRL "/L3/cbm_mask", "fffff\n");
	tree_put(t, RESCTRL "/L3/min_cbm_bits", "2\n");
	tree_put(t, RESCTRL "/L3/num_closids", "16\n");
	tree_put(t, RESCTRL "/MB/min_bandwidth", "10\n");
	tree_put(t, RESCTRL "/MB/bandwidth_gran", "junk\n");
	read_host(t, false, &inv);
	assert_true(r->is_mounted && r->has_l3 && r->has_mb);
	assert_int_equal(r->l3_mask, 0xfffff);
	assert_int_equal(r->l3_min_bits, 2);
	assert_int_equal(r->l3_closids, 16);
	assert_int_equal(r->mb_min, 10);
	assert_int_equal(r->mb_step, 0);
	tree_put(t, NU_RESCTRL_MOUNT "/schemata", "    L3:0=ffff\n    MB:0=2048\n");
	read_host(t, false, &amd);
	assert_true(amd.host.resctrl.has_l3);
	assert_false(amd.host.resctrl.has_mb);
	tree_remove(t, RESCTRL);
	tree_put(t, RESCTRL "/L3CODE/cbm_mask", "fffff\n");
	read_host(t, false, &cdp);
	assert_true(cdp.host.resctrl.is_mounted);
	assert_false(cdp.host.resctrl.has_l3 || cdp.host.resctrl.has_mb);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpumask),
		cmocka_unit_test(test_boot_cpulist),
		cmocka_unit_test(test_boot_value),
		TREE_TEST(test_isolation),
		TREE_TEST(test_kinds),
		TREE_TEST(test_uneven_caches),
		TREE_TEST(test_old_topology),
		TREE_TEST(test_cpuinfo),
		TREE_TEST(test_partitions),
		TREE_TEST(test_noise),
		TREE_TEST(test_noise_unknown),
		TREE_TEST(test_free_blocks),
		TREE_TEST(test_free_blocks_large_pages),
		TREE_TEST(test_resctrl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
