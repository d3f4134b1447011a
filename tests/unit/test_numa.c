// SPDX-License-Identifier: GPL-2.0-or-later
/* The inventory of snapshots, whole and damaged, and of this machine. */
#include <errno.h>

#include "tests/unit/numa_tree.h"

#include "numa/binding.h"
#include "numa/inventory.h"
#include "numa/memory.h"

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

/* the inventory */

/* CPU n: package n/4, core n/2; one L2 per core, one L3 per package; node 2 has memory only */
static void fill_cpu(const struct tree *t, int n)
{
	int package = n / 4, core = n / 2;
	char text[32];

	snprintf(text, sizeof(text), "%d\n", package);
	tree_putf(t, text, TREE_CPU "/cpu%d/topology/physical_package_id", n);
	snprintf(text, sizeof(text), "%d-%d\n", core * 2, core * 2 + 1);
	tree_putf(t, text, TREE_CPU "/cpu%d/topology/core_cpus_list", n);
	tree_putf(t, text, TREE_CPU "/cpu%d/cache/index2/shared_cpu_list", n);
	snprintf(text, sizeof(text), "%d-%d\n", package * 4, package * 4 + 3);
	tree_putf(t, text, TREE_CPU "/cpu%d/topology/package_cpus_list", n);
	tree_putf(t, text, TREE_CPU "/cpu%d/topology/die_cpus_list", n);
	tree_putf(t, "0\n", TREE_CPU "/cpu%d/topology/die_id", n);
	tree_putf(t, text, TREE_CPU "/cpu%d/cache/index3/shared_cpu_list", n);
	tree_putf(t, "1\n", TREE_CPU "/cpu%d/cache/index0/level", n);
	tree_putf(t, "Data\n", TREE_CPU "/cpu%d/cache/index0/type", n);
	tree_putf(t, "32K\n", TREE_CPU "/cpu%d/cache/index0/size", n);
	tree_putf(t, "1\n", TREE_CPU "/cpu%d/cache/index1/level", n);
	tree_putf(t, "Instruction\n", TREE_CPU "/cpu%d/cache/index1/type", n);
	tree_putf(t, "64K\n", TREE_CPU "/cpu%d/cache/index1/size", n);
	for (int level = 2; level <= 3; level++) {
		snprintf(text, sizeof(text), "%d\n", level);
		tree_putf(t, text, TREE_CPU "/cpu%d/cache/index%d/level", n, level);
		tree_putf(t, "Unified\n", TREE_CPU "/cpu%d/cache/index%d/type", n, level);
		tree_putf(t, "1024K\n", TREE_CPU "/cpu%d/cache/index%d/size", n, level);
	}
}

static void fill_node(const struct tree *t, int n, const char *cpus, const char *distance)
{
	tree_putf(t, cpus, TREE_NODE "/node%d/cpulist", n);
	tree_putf(t, distance, TREE_NODE "/node%d/distance", n);
	tree_putf(t, "Node 0 MemTotal:    4096 kB\nNode 0 MemFree:     1024 kB\n",
		  TREE_NODE "/node%d/meminfo", n);
	tree_putf(t, "3\n", TREE_NODE "/node%d/hugepages/hugepages-1048576kB/nr_hugepages", n);
	tree_putf(t, "1\n", TREE_NODE "/node%d/hugepages/hugepages-1048576kB/free_hugepages", n);
	tree_putf(t, "0\n", TREE_NODE "/node%d/hugepages/hugepages-1048576kB/surplus_hugepages", n);
	tree_putf(t, "9\n", TREE_NODE "/node%d/hugepages/hugepages-2048kB/nr_hugepages", n);
	tree_putf(t, "8\n", TREE_NODE "/node%d/hugepages/hugepages-2048kB/free_hugepages", n);
	tree_putf(t, "2\n", TREE_NODE "/node%d/hugepages/hugepages-2048kB/surplus_hugepages", n);
}

static void fill_host(const struct tree *t)
{
	tree_put(t, "/proc/cpuinfo",
		 "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: EPYC 1\n"
		 "flags\t\t: fpu svm npt\n\nprocessor\t: 1\nvendor_id\t: X\n");
	tree_put(t, "/proc/sys/kernel/osrelease", "6.12.1\n");
	tree_put(t, "/proc/sys/kernel/numa_balancing", "1\n");
	tree_put(t, "/proc/self/limits", "Max locked memory         65536   unlimited    bytes\n");
	tree_put(t, "/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
	tree_put(t, "/dev/kvm", "");
	tree_put(t, NU_CGROUP_MOUNT "/cgroup.controllers", "cpuset cpu memory\n");
	tree_put(t, TREE_CPU "/isolated", "\n");
	tree_put(t, TREE_CPU "/nohz_full", "(null)\n");
	tree_put(t, NU_CGROUP_MOUNT "/cpuset.cpus.isolated", "6-7\n");
}

static void fill_snapshot(const struct tree *t)
{
	tree_put(t, TREE_CPU "/online", "0-7\n");
	tree_put(t, TREE_NODE "/online", "0-2\n");
	for (int i = 0; i < 8; i++)
		fill_cpu(t, i);
	fill_node(t, 0, "0-3\n", "10 21 31\n");
	fill_node(t, 1, "4-7\n", "21 10 31\n");
	fill_node(t, 2, "\n", "31 31 10\n");
	fill_host(t);
}

static int read_inventory(struct tree *t, struct inventory *ret, struct cv_error *err)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;

	assert_int_equal(cv_sysroot_open(t->dir, &r, NULL), 0);
	return nu_inventory_read(r, &(struct nu_depth){ 0 }, ret, err);
}

static void test_inventory_cpus(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;

	fill_snapshot(t);
	assert_int_equal(read_inventory(t, &inv, NULL), 0);
	assert_int_equal(inv.n_cpus, 8);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(inv.cpus[i].id, i);
		assert_int_equal(inv.cpus[i].node, i / 4);
		assert_int_equal(inv.cpus[i].package, i / 4);
		assert_int_equal(inv.cpus[i].die, 0);
		assert_int_equal(inv.cpus[i].kind, 0);
		assert_int_equal(inv.cpus[i].irqs, -1);
		assert_int_equal(inv.cpus[i].l3, i / 4);
		assert_int_equal(inv.cpus[i].core, i / 2);
		assert_int_equal(inv.cpus[i].l2, i / 2);
		assert_int_equal(inv.cpus[i].thread, i % 2);
		assert_int_equal(inv.cpus[i].is_isolated, i >= 6);
		assert_false(inv.cpus[i].is_nohz_full);
		assert_false(inv.cpus[i].is_rcu_nocbs);
	}
	assert_int_equal(inv.host.caches.l1d, 32 << 10);
	assert_int_equal(inv.host.caches.l1i, 64 << 10);
	assert_int_equal(inv.host.caches.l2, 1 << 20);
	assert_int_equal(inv.host.caches.l3, 1 << 20);
}

static void test_inventory_nodes(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;

	fill_snapshot(t);
	assert_int_equal(read_inventory(t, &inv, NULL), 0);
	assert_int_equal(inv.n_nodes, 3);
	assert_int_equal(inv.nodes[1].distances[0], 21);
	assert_int_equal(inv.nodes[2].distances[2], 10);
	assert_int_equal(cv_cpuset_count(&inv.nodes[1].cpus), 4);
	assert_true(cv_cpuset_is_empty(&inv.nodes[2].cpus));
	assert_int_equal(inv.nodes[0].mem_total, 4096 * 1024);
	assert_int_equal(inv.nodes[0].mem_free, 1024 * 1024);
	assert_int_equal(inv.nodes[0].obtainable, 1024 * 1024);
	assert_int_equal(inv.nodes[0].n_pools, 2);
	assert_int_equal(inv.nodes[0].pools[0].page_size, 2 << 20);
	assert_int_equal(inv.nodes[0].pools[0].surplus, 2);
	assert_int_equal(inv.nodes[0].pools[1].page_size, 1 << 30);
	assert_int_equal(inv.nodes[0].pools[1].total, 3);
	assert_int_equal(inv.nodes[0].pools[1].free, 1);
}

static void test_obtainable(void **state)
{
	static const struct {
		const char *text;
		uint64_t kib;
	} cases[] = {
		{ "", 0 },
		{ "Node 0 MemFree: 7 kB\nNode 0 FilePages: 20 kB\nNode 0 Shmem: 5 kB\n"
		  "Node 0 KReclaimable: 900 kB\nNode 0 SReclaimable: 100 kB\n"
		  "Node 0 ShmemHugePages: 50 kB\nNode 0 FileHugePages: 60 kB\n",
		  122 },
		{ "MemFree: 7 kB\nFilePages: 5 kB\nShmem: 9 kB\n", 7 }, /* read in between */
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++)
		assert_int_equal(nu_meminfo_obtainable(cases[i].text), cases[i].kib * 1024);
	assert_true(nu_meminfo_obtainable("MemFree: 18014398509481983 kB\n"
					  "FilePages: 18014398509481983 kB\n") == UINT64_MAX);
}

/* By its effect, in kernels of older numbers too; else by the release. */
static void test_cpuset_exclusive(void **state)
{
	static const struct {
		const char *release;
		bool has_file;
		bool wanted;
	} cases[] = {
		{ "6.6.99", false, false },
		{ "6.7.0-rc1+x", false, true },
		{ "6.12.1", false, true },
		{ "7.0-amd64", false, true },
		{ "5.14.0-500.el9", true, true },
		{ "5.15.0", false, false },
		{ "", false, false },
		{ "x.y", false, false },
		{ "6", false, false },
	};
	struct tree *t = *state;

	fill_snapshot(t);
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_inventory_ struct inventory inv = { 0 };

		tree_put(t, "/proc/sys/kernel/osrelease", cases[i].release);
		tree_remove(t, NU_CGROUP_MOUNT "/cpuset.cpus.isolated");
		if (cases[i].has_file)
			tree_put(t, NU_CGROUP_MOUNT "/cpuset.cpus.isolated", "\n");
		assert_int_equal(read_inventory(t, &inv, NULL), 0);
		if (inv.host.has_cpuset_exclusive != cases[i].wanted)
			fail_msg("'%s': %d", cases[i].release, !cases[i].wanted);
	}
}

static void test_inventory_host(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_host *h = &inv.host;
	struct tree *t = *state;

	fill_snapshot(t);
	assert_int_equal(read_inventory(t, &inv, NULL), 0);
	assert_string_equal(h->kernel, "6.12.1");
	assert_string_equal(h->cpu_vendor, "AuthenticAMD");
	assert_string_equal(h->cpu_model, "EPYC 1");
	assert_true(h->has_virt && h->has_npt && h->has_kvm && h->has_cgroup2 && h->has_cpuset);
	assert_true(h->numa_balancing && h->thp_always && !h->ksm_run && !h->smt_active);
	assert_true(h->memlock_limit == UINT64_MAX);
	assert_int_equal(cv_cpuset_count(&h->online), 8);
	assert_int_equal(cv_cpuset_count(&h->isolated), 2);
	assert_true(cv_cpuset_is_empty(&h->nohz_full));
	assert_string_equal(h->governor, "");
}

/** struct damage - one file of the snapshot that somebody changed; text NULL: removed */
struct damage {
	const char *path;
	const char *text;
	int wanted;
};

static void test_inventory_hostile(void **state)
{
	static const struct damage damages[] = {
		{ TREE_CPU "/online", NULL, -ENOENT },
		{ TREE_CPU "/online", "", -EINVAL },
		{ TREE_CPU "/online", "0-99999999999", -ERANGE },
		{ TREE_CPU "/online", "0-8", -EINVAL }, /* CPU 8 has no topology */
		{ TREE_NODE "/online", NULL, -ENOENT },
		{ TREE_NODE "/online", "0-1023", -EINVAL },
		{ TREE_NODE "/node1/cpulist", "x", -EINVAL },
		{ TREE_NODE "/node1/meminfo", NULL, -ENOENT },
		{ TREE_NODE "/node1/meminfo", "Node 1 MemTotal: 99999999999999999999999 kB",
		  -EINVAL },
		{ TREE_NODE "/node1/meminfo", "Node 1 MemTotal: 18446744073709551615 kB", -EINVAL },
		{ TREE_NODE "/node1/distance", "10 20", -EINVAL },
		{ TREE_NODE "/node1/distance", "10 20 30 40", -EINVAL },
		{ TREE_NODE "/node1/distance", "10 20 -1", -EINVAL },
		{ TREE_NODE "/node1/distance", "21 10 99999999999", -EINVAL },
		{ TREE_NODE "/node1/distance", NULL, 0 },
		{ TREE_NODE "/node1/hugepages/hugepages-2048kB/nr_hugepages", "-1", -EINVAL },
		{ TREE_NODE "/node1/hugepages/hugepages-2048kB/free_hugepages", NULL, -ENOENT },
		{ TREE_NODE "/node1/hugepages/hugepages-xkB", "", 0 },
		{ "/proc/cpuinfo", "flags", 0 },
		{ "/proc/self/limits", "Max locked memory", 0 },
		{ TREE_CPU "/cpu3/topology/physical_package_id", "99999999999", 0 },
		{ TREE_CPU "/cpu3/topology/core_cpus_list", "0-95", 0 }, /* read of CPU 2 */
		{ TREE_CPU "/cpu2/topology/core_cpus_list", "0-95", -EINVAL },
		{ TREE_CPU "/cpu2/topology/core_cpus_list", "3", -EINVAL },
		{ TREE_CPU "/cpu2/topology/core_cpus_list", "", -EINVAL },
		{ TREE_CPU "/cpu2/topology/core_cpus_list", "2,", -EINVAL },
		{ TREE_CPU "/cpu2/topology/core_cpus_list", "2-99999", -ERANGE },
		{ TREE_CPU "/cpu0/topology/package_cpus_list", "zz", 0 },
		{ TREE_CPU "/cpu0/topology/package_cpus_list", "7", 0 },
		{ TREE_CPU "/cpu0/cache/index3/shared_cpu_list", "zz", 0 },
		{ TREE_CPU "/cpu0/cache/index3/shared_cpu_list", "99", 0 },
		{ TREE_CPU "/cpu0/cache/index2/level", "99999999999", 0 },
	};
	struct tree *t = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(damages); i++) {
		_cleanup_inventory_ struct inventory inv = { 0 };
		const struct damage *d = &damages[i];
		struct cv_error err = { 0 };
		int r;

		fill_snapshot(t);
		tree_remove(t, d->path);
		if (d->text)
			tree_put(t, d->path, d->text);
		r = read_inventory(t, &inv, &err);
		if (r != d->wanted)
			fail_msg("%s = '%s': %d, not %d (%s)", d->path,
				 d->text ? d->text : "(none)", r, d->wanted, err.what);
		if (r == -ENOENT || r == -ERANGE)
			assert_memory_equal(err.object, d->path, strlen(err.object));
		tree_remove(t, d->path);
	}
}

static void test_inventory_without_numa(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct tree *t = *state;

	fill_snapshot(t);
	tree_remove(t, TREE_NODE);
	tree_put(t, "/proc/meminfo", "MemTotal: 4096 kB\nMemFree: 1024 kB\n");
	assert_int_equal(read_inventory(t, &inv, NULL), 0);
	assert_int_equal(inv.n_nodes, 1);
	assert_int_equal(inv.nodes[0].mem_total, 4096 * 1024);
	assert_int_equal(inv.nodes[0].distances[0], 10);
	assert_int_equal(inv.cpus[7].node, 0);
}

static void test_inventory_of_this_machine(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct cv_error err = { 0 };

	(void)state;
	assert_int_equal(cv_sysroot_open("/", &r, NULL), 0);
	if (nu_inventory_read(r, &(struct nu_depth){ 0 }, &inv, &err) < 0)
		fail_msg("%s: %s", err.object, err.what);
	assert_int_equal(inv.n_cpus, cv_cpuset_count(&inv.host.online));
	assert_true(inv.n_nodes > 0);
	for (size_t i = 0; i < inv.n_cpus; i++)
		assert_true(inv.cpus[i].core >= 0 && inv.cpus[i].core < (int)inv.n_cpus);
}

#define TREE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(test_inventory_cpus),
		TREE_TEST(test_inventory_nodes),
		cmocka_unit_test(test_obtainable),
		TREE_TEST(test_cpuset_exclusive),
		TREE_TEST(test_inventory_host),
		TREE_TEST(test_inventory_hostile),
		TREE_TEST(test_inventory_without_numa),
		cmocka_unit_test(test_inventory_of_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
