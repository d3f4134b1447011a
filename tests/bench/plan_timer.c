// SPDX-License-Identifier: GPL-2.0-or-later
/* Times plan_make() on an inventory that is in memory already:
 *   plan-timer TREE ROUNDS SPEC...
 * prints "TOTAL_NS CPUS NODES FUNCTIONS": the median of ROUNDS, each planning all specs together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/inventory.h"
#include "plan/plan.h"
#include "plan/spec.h"
#include "sriov/inventory.h"

#define MAX_SPECS 64
#define MAX_ROUNDS 1000
#define SPEC_BYTES 65536

static int fail(const char *what, const struct cv_error *err)
{
	fprintf(stderr, "plan-timer: %s: %s: %s (%s)\n", what, err->object, err->what, err->found);
	return EXIT_FAILURE;
}

static int read_spec(const char *path, struct spec *ret, struct cv_error *err)
{
	static char text[SPEC_BYTES];
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (!f)
		return cv_fail_errno(err, -errno, path, "cannot open");
	return spec_parse(text, fread(text, 1, sizeof(text), f), path, ret, err);
}

static int read_inventory(const char *tree, struct inventory *inv, struct cv_error *err)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	int r = cv_sysroot_open(tree, &root, err);

	r = r ?: nu_inventory_read(root, &(struct nu_depth){ 0 }, inv, err);
	return r ?: sr_inventory_read(root, &(struct sr_depth){ 0 }, inv, err);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int plan_once(const struct inventory *inv, const struct site *site, const struct spec *specs,
		     size_t n, uint64_t *ret_ns, struct cv_error *err)
{
	struct plan plans[MAX_SPECS];
	uint64_t start = now_ns();
	int r = plan_make(inv, site, specs, n, NULL, plans, err);

	*ret_ns = now_ns() - start;
	for (size_t i = 0; i < n && r == 0; i++)
		plan_done(&plans[i]);
	return r;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static struct spec specs[MAX_SPECS];
	static uint64_t ns[MAX_ROUNDS];
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_site_ struct site site = { 0 };
	struct cv_error err = { 0 };
	size_t n = argc > 3 ? (size_t)argc - 3 : 0;
	uint64_t rounds = 0;

	if (n == 0 || n > MAX_SPECS || cv_parse_u64(argv[2], &rounds) < 0 || rounds == 0 ||
	    rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: plan-timer TREE ROUNDS SPEC...\n");
		return 2;
	}
	site_default(&site);
	for (size_t i = 0; i < n; i++)
		if (read_spec(argv[3 + i], &specs[i], &err) < 0)
			return fail("spec", &err);
	if (read_inventory(argv[1], &inv, &err) < 0)
		return fail("inventory", &err);
	for (uint64_t i = 0; i < rounds; i++)
		if (plan_once(&inv, &site, specs, n, &ns[i], &err) < 0)
			return fail("plan", &err);
	qsort(ns, rounds, sizeof(ns[0]), by_value);
	printf("%llu %zu %zu %zu\n", (unsigned long long)ns[rounds / 2], inv.n_cpus, inv.n_nodes,
	       inv.n_devs);
	for (size_t i = 0; i < n; i++)
		spec_done(&specs[i]);
	return EXIT_SUCCESS;
}
