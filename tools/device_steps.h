/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steps that take functions from the host for VFIO, without a guest. */
#ifndef CARVE_TOOLS_DEVICE_STEPS_H
#define CARVE_TOOLS_DEVICE_STEPS_H

#include "base/step_list.h"
#include "plan/inventory.h"

/** struct device_take - one function: index in the inventory, and the driver it gets */
struct device_take {
	int dev;
	char driver[INV_TEXT];
};

/**
 * device_steps() - in the order in which they depend on each other, so that the way back is right:
 * modules, health, hooks, power state, drivers, owners of the groups, hooks
 * @root: to see which functions have the attribute d3cold_allowed
 * @user: of the groups, "" root
 * Return: 0, -ENOMEM.
 */
int device_steps(struct cv_sysroot *root, const struct inventory *inv,
		 const struct device_take *take, size_t n, const char *user,
		 struct cv_step_list *ret);

#endif
