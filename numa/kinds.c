// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/kinds.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define CPU_DIR "/sys/devices/system/cpu"

/* Fastest first. */
static const char *const kind_lists[] = {
	"/sys/devices/cpu_core/cpus",
	"/sys/devices/cpu_atom/cpus",
	"/sys/devices/cpu_lowpower/cpus",
};

static bool read_lists(struct cv_sysroot *root, struct inventory *inv)
{
	int kind = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(kind_lists); i++) {
		struct cv_cpuset set;

		if (cv_read_cpulist(root, kind_lists[i], &set) < 0 ||
		    !cv_cpuset_intersects(&set, &inv->host.online))
			continue;
		for (size_t k = 0; k < inv->n_cpus; k++)
			if (cv_cpuset_has(&set, inv->cpus[k].id))
				inv->cpus[k].kind = kind;
		kind++;
	}
	return kind > 0;
}

/*
 * One file per core: siblings are equal.
 * @capacities: by core
 * Return: false where the kernel knows no capacities.
 */
static bool read_capacities(struct cv_sysroot *root, const struct inventory *inv, int *capacities)
{
	for (size_t i = 0; i < inv->n_cpus; i++) {
		const struct inv_cpu *cpu = &inv->cpus[i];
		char path[CV_PATH_MAX];

		if (cpu->thread == 0 &&
		    cv_read_int(root, cv_pathf(path, CPU_DIR "/cpu%d/cpu_capacity", cpu->id),
				&capacities[cpu->core]) < 0)
			return false;
	}
	return true;
}

static int descending(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x < y) - (x > y);
}

/* Return: number of different values, which *@values holds first, the highest at its start. */
static size_t distinct(int *values, size_t n)
{
	size_t kept = 0;

	qsort(values, n, sizeof(*values), descending);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || values[i] != values[kept - 1])
			values[kept++] = values[i];
	return kept;
}

static int rank(const int *values, size_t n, int value)
{
	for (size_t i = 0; i < n; i++)
		if (values[i] == value)
			return (int)i;
	return 0;
}

int nu_kinds_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	_cleanup_free_ int *capacities = calloc(inv->n_cpus, sizeof(*capacities));
	_cleanup_free_ int *values = calloc(inv->n_cpus, sizeof(*values));
	size_t n;

	if (!capacities || !values)
		return cv_fail_errno(err, -ENOMEM, CPU_DIR, "cannot read the kinds of cores");
	if (read_lists(root, inv) || !read_capacities(root, inv, capacities))
		return 0;
	for (size_t i = 0; i < inv->n_cpus; i++)
		values[i] = capacities[inv->cpus[i].core];
	n = distinct(values, inv->n_cpus);
	for (size_t i = 0; i < inv->n_cpus; i++)
		inv->cpus[i].kind = rank(values, n, capacities[inv->cpus[i].core]);
	return 0;
}
