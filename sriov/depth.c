// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/depth.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/iommu_groups.h"

/* System calls of a function's link, and of that with the list of its group. */
#define LINK_CALLS 3
#define LIST_CALLS 7

static void link_all_groups(struct cv_sysroot *root, struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].group < 0)
			sr_group_link(root, &inv->devs[i]);
}

/* The PF of a wanted VF, and the VFs of a wanted PF; not the other VFs of the PF of a wanted VF. */
static void mark_wanted(const struct sr_depth *depth, const struct inventory *inv, bool *deep,
			bool *wanted)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		deep[i] = wanted[i] = depth->is_wanted(&inv->devs[i], depth->ctx);
	for (size_t i = 0; i < inv->n_devs; i++) {
		int pf = inv->devs[i].pf;

		if (pf < 0)
			continue;
		deep[pf] |= wanted[i];
		deep[i] |= wanted[pf];
	}
}

static size_t count(const bool *marks, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += marks[i];
	return sum;
}

/* Members of the groups of few functions, by the list that each group has. Return: false when one has
 * none that can be believed. */
static bool list_mates(struct cv_sysroot *root, struct inventory *inv, const bool *chosen,
		       bool *deep)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		struct inv_dev *d = &inv->devs[i];

		if (!chosen[i] || d->group >= 0)
			continue;
		sr_group_link(root, d);
		if (d->group >= 0 && !sr_group_members(root, inv, (int)i, deep))
			return false;
	}
	return true;
}

static int compare_ints(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return x < y ? -1 : x > y;
}

/* Members of the groups of many functions: every function names its own. */
static int link_mates(struct cv_sysroot *root, struct inventory *inv, const bool *chosen,
		      bool *deep)
{
	_cleanup_free_ int *groups = calloc(inv->n_devs + 1, sizeof(*groups));
	size_t n = 0;

	if (!groups)
		return -ENOMEM;
	link_all_groups(root, inv);
	for (size_t i = 0; i < inv->n_devs; i++)
		if (chosen[i] && inv->devs[i].group >= 0)
			groups[n++] = inv->devs[i].group;
	qsort(groups, n, sizeof(*groups), compare_ints);
	for (size_t i = 0; i < inv->n_devs; i++)
		if (bsearch(&inv->devs[i].group, groups, n, sizeof(*groups), compare_ints))
			deep[i] = true;
	return 0;
}

static int mark_mates(struct cv_sysroot *root, struct inventory *inv, bool *deep, bool *chosen)
{
	memcpy(chosen, deep, inv->n_devs * sizeof(*chosen));
	if (count(chosen, inv->n_devs) * LIST_CALLS < inv->n_devs * LINK_CALLS &&
	    list_mates(root, inv, chosen, deep))
		return 0;
	return link_mates(root, inv, chosen, deep);
}

/* Bridges count for distance and for the group of a VF to come: their own link is enough. */
static void mark_bridges(struct cv_sysroot *root, struct inventory *inv, bool *deep)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		int up = deep[i] ? inv->devs[i].parent : -1;

		while (up >= 0 && !deep[up]) {
			deep[up] = true;
			if (inv->devs[up].group < 0)
				sr_group_link(root, &inv->devs[up]);
			up = inv->devs[up].parent;
		}
	}
}

static int choose(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv,
		  bool *deep)
{
	_cleanup_free_ bool *marks = calloc(inv->n_devs + 1, sizeof(*marks));
	int r;

	if (!marks)
		return -ENOMEM;
	mark_wanted(depth, inv, deep, marks);
	r = mark_mates(root, inv, deep, marks);
	if (r == 0)
		mark_bridges(root, inv, deep);
	return r;
}

int sr_depth_choose(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv,
		    bool **ret_deep, struct cv_error *err)
{
	_cleanup_free_ bool *deep = calloc(inv->n_devs + 1, sizeof(*deep));
	int r = deep ? 0 : -ENOMEM;

	if (r == 0 && depth->is_wanted) {
		r = choose(root, depth, inv, deep);
	} else if (r == 0) {
		memset(deep, true, inv->n_devs * sizeof(*deep));
		link_all_groups(root, inv);
	}
	if (r < 0)
		return cv_fail_errno(err, r, SR_DEVICES, "cannot choose the PCI functions to read");
	*ret_deep = TAKE_PTR(deep);
	return 0;
}
