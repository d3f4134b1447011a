// SPDX-License-Identifier: GPL-2.0-or-later
/* The inventory of every fixture: counts, tree, distances, and what each machine is there for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/distance.h"
#include "plan/inventory.h"
#include "tests/fake/golden.h"
#include "tests/fake/machine.h"

#define CLASS_GPU 0x030200
#define CLASS_IB 0x020700
#define GIB(n) ((uint64_t)(n) << 30)

/* ---- counting ---- */

static bool has_class(const struct inv_dev *d, const char *name)
{
	return d->pf < 0 && strcmp(inv_class_name(d), name) == 0;
}

static void count_devs(const struct inventory *inv, struct machine_counts *c)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];

		c->functions++;
		c->vfs += d->pf >= 0;
		c->bridges += inv_is_bridge(d);
		c->gpus += has_class(d, "gpu");
		c->nics += has_class(d, "net") || has_class(d, "ib");
		c->nvmes += has_class(d, "nvme");
		if (d->group >= c->groups)
			c->groups = d->group + 1;
	}
}

/* Numbers of one kind run from 0 without a gap: the highest tells how many there are. */
static void at_least(int *count, int number)
{
	if (number >= *count)
		*count = number + 1;
}

static struct machine_counts count(const struct inventory *inv)
{
	struct machine_counts c = { .nodes = (int)inv->n_nodes, .cpus = (int)inv->n_cpus };

	for (size_t i = 0; i < inv->n_cpus; i++) {
		at_least(&c.packages, inv->cpus[i].package);
		at_least(&c.cores, inv->cpus[i].core);
		at_least(&c.l3s, inv->cpus[i].l3);
	}
	count_devs(inv, &c);
	return c;
}

static void expect(const char *name, const char *what, int wanted, int found)
{
	if (wanted != -1 && wanted != found)
		fail_msg("%s: %d %s, the description says %d", name, found, what, wanted);
}

static void check_counts(const char *name, const struct machine_counts *wanted,
			 const struct machine_counts *found)
{
	expect(name, "packages", wanted->packages, found->packages);
	expect(name, "nodes", wanted->nodes, found->nodes);
	expect(name, "L3s", wanted->l3s, found->l3s);
	expect(name, "cores", wanted->cores, found->cores);
	expect(name, "CPUs", wanted->cpus, found->cpus);
	expect(name, "functions", wanted->functions, found->functions);
	expect(name, "VFs", wanted->vfs, found->vfs);
	expect(name, "bridges", wanted->bridges, found->bridges);
	expect(name, "GPUs", wanted->gpus, found->gpus);
	expect(name, "NICs", wanted->nics, found->nics);
	expect(name, "NVMe disks", wanted->nvmes, found->nvmes);
	expect(name, "IOMMU groups", wanted->groups, found->groups);
}

/* ---- what holds of every inventory ---- */

static void check_parent(const struct inventory *inv, const struct inv_dev *d)
{
	const struct inv_dev *up;

	assert_true(d->parent >= -1 && d->parent < (int)inv->n_devs);
	if (d->parent < 0)
		return;
	up = &inv->devs[d->parent];
	assert_true(inv_is_bridge(up));
	assert_string_equal(up->root, d->root);
	assert_true(up->bdf.domain == d->bdf.domain);
	assert_true(up->bdf.bus < d->bdf.bus);
}

static void check_vf(const struct inventory *inv, const struct inv_dev *d)
{
	struct cv_bdf bdf;

	assert_true(d->pf >= -1 && d->pf < (int)inv->n_devs);
	if (d->pf < 0)
		return;
	assert_true(inv->devs[d->pf].sriov.total > 0);
	assert_int_equal(inv_vf_bdf(&inv->devs[d->pf], (unsigned int)d->vf_index, &bdf), 0);
	assert_int_equal(cv_bdf_cmp(bdf, d->bdf), 0);
}

static void check_devs(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];

		assert_true(i == 0 || cv_bdf_cmp(inv->devs[i - 1].bdf, d->bdf) < 0);
		assert_true(d->node >= -1);
		check_parent(inv, d);
		check_vf(inv, d);
	}
}

static void check_cpus(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_cpus; i++) {
		const struct inv_cpu *c = &inv->cpus[i];
		int node = inv_find_node(inv, c->node);

		assert_true(i == 0 || inv->cpus[i - 1].id < c->id);
		assert_true(c->core >= 0 && c->core < (int)inv->n_cpus);
		assert_true(c->node == -1 || cv_cpuset_has(&inv->nodes[node].cpus, c->id));
	}
}

static void check_nodes(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_nodes; i++) {
		const struct inv_node *n = &inv->nodes[i];

		assert_true(i == 0 || inv->nodes[i - 1].id < n->id);
		assert_int_equal(n->distances[i], 10);
		assert_true(n->mem_free <= n->mem_total);
		for (size_t k = 0; k < n->n_pools; k++)
			assert_true(n->pools[k].free <= n->pools[k].total);
	}
}

static void check_inventory(const struct inventory *inv)
{
	check_cpus(inv);
	check_nodes(inv);
	check_devs(inv);
}

static void test_all_fixtures(void **state)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	size_t captured = 0;

	assert_int_equal(machine_names(&names), 0);
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_inventory_ struct inventory inv = { 0 };
		_cleanup_free_ char *text = NULL;
		struct machine_counts wanted, found;
		size_t len;

		captured += machine_is_captured(names.v[i]);
		machine_inventory(names.v[i], &inv);
		found = count(&inv);
		assert_int_equal(machine_manifest(names.v[i], &text, &len, &wanted, NULL), 0);
		check_counts(names.v[i], &wanted, &found);
		check_inventory(&inv);
	}
	assert_true(captured >= 4);
	assert_true(names.n - captured >= 9);
}

/* ---- distances ---- */

/* The index of the @n-th function of @class in address order */
static int nth(const struct inventory *inv, uint32_t class, int n)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].class == class && inv->devs[i].pf < 0 && n-- == 0)
			return (int)i;
	return -1;
}

/* "GPU3", "NIC0": the number is the rank among its kind */
static int by_label(const struct inventory *inv, const char *label)
{
	char digits[8];
	int n = 0;

	snprintf(digits, sizeof(digits), "%s", label + 3);
	for (const char *p = digits; *p; p++)
		n = n * 10 + *p - '0';
	return nth(inv, strncmp(label, "GPU", 3) == 0 ? CLASS_GPU : CLASS_IB, n);
}

#define MAX_COLUMNS 32

/* Cells of one tab-separated line, cut in place. Return: how many. */
static size_t cells(char *line, char *ret[MAX_COLUMNS])
{
	size_t n = 0;

	for (char *p = line; p && n < MAX_COLUMNS; n++) {
		char *tab = strchr(p, '\t');

		if (tab)
			*tab++ = '\0';
		ret[n] = p;
		p = tab;
	}
	return n;
}

static size_t compare_row(const struct inventory *inv, char *const *header, char *const *row,
			  size_t n)
{
	int a = by_label(inv, row[0]);
	size_t compared = 0;

	for (size_t i = 1; i < n; i++) {
		int b = by_label(inv, header[i]);

		assert_true(a >= 0 && b >= 0);
		if (strncmp(row[i], "NV", 2) == 0)
			continue;
		if (strcmp(row[i], inv_distance_name(inv_distance(inv, a, b))) != 0)
			fail_msg("%s-%s is %s, published is %s", row[0], header[i],
				 inv_distance_name(inv_distance(inv, a, b)), row[i]);
		compared++;
	}
	return compared;
}

/* Return: how many cells of the published matrix were compared. */
static size_t compare_matrix(const char *name, const char *golden)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_free_ char *text = golden_read(golden);
	char *header[MAX_COLUMNS], *row[MAX_COLUMNS], *save = NULL;
	size_t n = 0, compared = 0;

	machine_inventory(name, &inv);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		if (n == 0)
			n = cells(line, header);
		else if (cells(line, row) == n)
			compared += compare_row(&inv, header, row, n);
		else
			fail_msg("%s: row %s is not as long as the header", golden, row[0]);
	}
	return compared;
}

static void test_distance_dgx_a100(void **state)
{
	/* 20 functions with each other, less NVLink between 8 GPUs */
	assert_int_equal(compare_matrix("dgx-a100", "distance-dgx-a100.txt"), 20 * 20 - 8 * 7);
}

static void test_distance_dgx_h100(void **state)
{
	assert_int_equal(compare_matrix("dgx-h100", "distance-dgx-h100.txt"), 16 * 16 - 8 * 7);
}

/* ---- what single machines are there for ---- */

static void test_unknown_nodes(void **state)
{
	_cleanup_inventory_ struct inventory epyc = { 0 }, grace = { 0 };

	machine_inventory("epyc-2s-nonode", &epyc);
	for (size_t i = 0; i < epyc.n_devs; i++)
		assert_int_equal(epyc.devs[i].node, -1);
	machine_inventory("grace-nonode", &grace);
	assert_int_equal(grace.devs[nth(&grace, CLASS_GPU, 0)].node, -1);
	assert_int_equal(grace.devs[nth(&grace, CLASS_IB, 1)].node, 1);
	assert_int_equal(inv_distance(&grace, nth(&grace, CLASS_GPU, 0), nth(&grace, CLASS_IB, 0)),
			 INV_SYS);
}

static void test_nodes_without_cpus(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };

	machine_inventory("grace-gh200", &inv);
	assert_int_equal(inv.n_nodes, 9);
	assert_int_equal(cv_cpuset_count(&inv.nodes[0].cpus), 72);
	assert_true(cv_cpuset_is_empty(&inv.nodes[1].cpus));
	assert_true(inv.nodes[1].mem_total == GIB(96));
	assert_int_equal(inv.nodes[1].n_pools, 2);
	assert_int_equal(inv.nodes[0].distances[1], 80);
	assert_true(cv_cpuset_is_empty(&inv.nodes[8].cpus));
	assert_true(inv.nodes[8].mem_total == 0);
	assert_int_equal(inv.devs[nth(&inv, CLASS_GPU, 0)].bdf.domain, 9);
}

static void test_node_without_memory(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };

	machine_inventory("xeon-2s-memless", &inv);
	assert_int_equal(cv_cpuset_count(&inv.nodes[1].cpus), 20);
	assert_true(inv.nodes[1].mem_total == 0);
	assert_int_equal(inv.nodes[1].n_pools, 0);
	assert_int_equal(inv_find_pool(&inv.nodes[0], GIB(1))->free, 96);
}

static void test_hybrid(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	int small = 0;

	machine_inventory("hybrid-1s", &inv);
	for (size_t i = 0; i < inv.n_cpus; i++)
		small += inv.cpus[i].kind == 1;
	assert_int_equal(small, 16);
	assert_int_equal(inv.cpus[1].core, 0);
	assert_int_equal(inv.cpus[1].thread, 1);
	assert_int_equal(inv.cpus[16].kind, 1);
	assert_int_equal(inv.cpus[16].l2, inv.cpus[19].l2);
	assert_int_not_equal(inv.cpus[19].l2, inv.cpus[20].l2);
}

static void test_l3_over_two_nodes(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };

	machine_inventory("xeon-2s-snc2", &inv);
	assert_int_equal(inv.cpus[0].node, 0);
	assert_int_equal(inv.cpus[16].node, 1);
	assert_int_equal(inv.cpus[0].l3, inv.cpus[16].l3);
	assert_int_equal(inv.cpus[64].core, 0);
	assert_int_equal(inv.nodes[0].distances[1], 12);
	assert_int_equal(inv.nodes[0].distances[2], 21);
	assert_int_equal(inv_find_pool(&inv.nodes[0], 2 << 20)->surplus, 8);
}

static void test_epyc(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_dev *slow;
	struct cv_bdf bdf;

	machine_inventory("epyc-2s-nps4", &inv);
	assert_int_equal(inv.cpus[128].core, 0);
	assert_int_equal(inv.cpus[128].thread, 1);
	assert_int_equal(inv.cpus[8].l3, 1);
	assert_int_equal(cv_parse_bdf("0000:41:00.0", &bdf), 0);
	slow = &inv.devs[inv_find_dev(&inv, bdf)];
	assert_int_equal(slow->link.width, 8);
	assert_int_equal(slow->link.max_width, 16);
	assert_int_equal(slow->link.speed, 160);
	assert_int_equal(inv.devs[slow->parent].link.width, 8);
	assert_int_equal(slow->node, 1);
}

static void test_gpu(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_dev *gpu, *down;

	machine_inventory("dgx-h100", &inv);
	gpu = &inv.devs[nth(&inv, CLASS_GPU, 0)];
	down = &inv.devs[gpu->parent];
	assert_true(gpu->bars[2].size == GIB(128));
	assert_true(gpu->bars[2].is_64bit && gpu->bars[2].is_prefetchable);
	assert_true(gpu->bars[2].resizable & 1 << 17); /* 2^(20 + 17) is what it has */
	assert_true(gpu->has_ats && !gpu->has_pasid);
	assert_string_equal(gpu->reset_methods, "flr bus");
	assert_string_equal(gpu->driver, "nvidia");
	assert_int_equal(down->port, INV_PORT_DOWNSTREAM);
	assert_true(down->has_acs);
	assert_int_equal(down->acs_ctrl, 0);
	assert_int_equal(gpu->group, down->group);
}

static void test_vfs(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_dev *pf, *vf;
	struct cv_bdf bdf;

	machine_inventory("large-2s-16n", &inv);
	pf = &inv.devs[nth(&inv, CLASS_IB, 0)];
	assert_int_equal(pf->sriov.num, 16);
	assert_true(pf->sriov.vf_bars[0].size == 1 << 20);
	assert_int_equal(inv_vf_bdf(pf, 15, &bdf), 0);
	vf = &inv.devs[inv_find_dev(&inv, bdf)];
	assert_int_equal(vf->vf_index, 15);
	assert_int_equal(vf->device, 0x101e);
	assert_false(vf->is_unreadable);
	assert_int_not_equal(vf->group, pf->group);
}

static void test_reserved_regions(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	const struct inv_group *group;

	machine_inventory("desktop-1s", &inv);
	group = inv_find_group(&inv, 0);
	assert_non_null(group);
	assert_int_equal(group->n_regions, 2);
	assert_true(group->regions[1].start == 0xfd00000000 &&
		    group->regions[1].end == 0xffffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fixtures),
		cmocka_unit_test(test_distance_dgx_a100),
		cmocka_unit_test(test_distance_dgx_h100),
		cmocka_unit_test(test_unknown_nodes),
		cmocka_unit_test(test_nodes_without_cpus),
		cmocka_unit_test(test_node_without_memory),
		cmocka_unit_test(test_hybrid),
		cmocka_unit_test(test_l3_over_two_nodes),
		cmocka_unit_test(test_epyc),
		cmocka_unit_test(test_gpu),
		cmocka_unit_test(test_vfs),
		cmocka_unit_test(test_reserved_regions),
	};

	return cmocka_run_group_tests_name("machines", tests, NULL, NULL);
}
