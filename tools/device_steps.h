/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps that take functions from the host for VFIO, without a guest. */
#ifndef CARVE_TOOLS_DEVICE_STEPS_H
#define CARVE_TOOLS_DEVICE_STEPS_H

#include "base/lease.h"
#include "base/step_list.h"
#include "plan/device_check.h"
#include "plan/inventory.h"

/** struct device_take - one function, and the driver it gets */
struct device_take {
	struct plan_function f;
	char driver[INV_TEXT];
};

/**
 * struct device_wish - what is taken for whom; all borrowed
 * @take:  of a PF without VFs the ones to come are its first, and all of them are here
 * @pages: huge pages that come with them, each pool once
 * @user:  of the groups, "" root
 */
struct device_wish {
	const struct inventory *inv;
	const struct device_take *take;
	size_t n;
	const struct cv_lease_pages *pages;
	size_t n_pages;
	const char *user;
};

/**
 * device_steps() - in the order in which they depend on each other, so that the way back is right:
 * modules, VFs, pages, health, hooks, power state, reset methods, drivers, owners of the groups, hooks
 *
 * VFs that are there are held by the count of their PF as it is: whoever made them leaves them to the
 * last one that works with them.
 * Return: 0, -ENOMEM.
 */
int device_steps(const struct device_wish *w, struct cv_step_list *ret);

#endif
