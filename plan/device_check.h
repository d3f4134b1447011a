/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The planner's rules about devices, for functions that are taken from the host without a guest. */
#ifndef CARVE_PLAN_DEVICE_CHECK_H
#define CARVE_PLAN_DEVICE_CHECK_H

#include <stddef.h>

#include "plan/inventory.h"
#include "plan/spec.h"

/**
 * plan_check_devices() - may these functions be taken from the host, all of them together?
 *
 * Functions of @bdfs do not stand in each other's way in an IOMMU group. What matters to a guest alone
 * (a way to reset, interrupt remapping) is not asked for.
 * @inv: with holders and leases
 * Return: 0; -ENODEV no such function; -errno of the rule with @err filled: object, found, wanted and
 * what to do.
 */
int plan_check_devices(const struct inventory *inv, const struct site *site,
		       const struct cv_bdf *bdfs, size_t n, struct cv_error *err);

#endif
