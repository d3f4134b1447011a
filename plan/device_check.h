/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The planner's rules about devices and pages, for what is taken from the host without a guest. */
#ifndef CARVE_PLAN_DEVICE_CHECK_H
#define CARVE_PLAN_DEVICE_CHECK_H

#include <stddef.h>

#include "plan/inventory.h"
#include "plan/spec.h"

/**
 * struct plan_function - one function to take
 * @bdf:      of a VF to come the address that it will have
 * @dev:      index in the inventory; -1: a VF that comes with the others of its PF
 * @pf:       of a VF: index of its PF, else -1
 * @vf_index: of a VF: number below its PF, else -1
 */
struct plan_function {
	struct cv_bdf bdf;
	int dev;
	int pf;
	int vf_index;
};

/** plan_find_function() - one that is there. Return: 0, -ENODEV with @err filled. */
int plan_find_function(const struct inventory *inv, struct cv_bdf bdf, struct plan_function *ret,
		       struct cv_error *err);

/**
 * plan_check_functions() - may these functions be taken from the host, all of them together?
 *
 * They do not stand in each other's way in an IOMMU group. What matters to a guest alone (a way to
 * reset, interrupt remapping) is not asked for.
 * @inv: with holders and leases
 * Return: 0; -errno of the rule with @err filled: object, found, wanted and what to do.
 */
int plan_check_functions(const struct inventory *inv, const struct site *site,
			 const struct plan_function *functions, size_t n, struct cv_error *err);

/**
 * plan_check_pages() - can these huge pages be had now, from the pools or made anew?
 * @pages: each pool once
 * Return: 0; -ENODEV no such node, -ENOENT a size that the node has not, -ENOMEM too few, with @err
 * filled.
 */
int plan_check_pages(const struct inventory *inv, const struct site *site,
		     const struct cv_lease_pages *pages, size_t n, struct cv_error *err);

#endif
