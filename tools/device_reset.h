/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resetting functions for carve device reset, and for carve device bind --reset. */
#ifndef CARVE_TOOLS_DEVICE_RESET_H
#define CARVE_TOOLS_DEVICE_RESET_H

#include "plan/inventory.h"
#include "sriov/reset.h"
#include "tools/cmd.h"

/**
 * device_reset_all() - reset functions at once, as a change with a journal: whatever is killed in it,
 * carve recover brings the functions back on the bus, with driver and reset_method as they were
 * @devs:    @n indices in @inv, functions that nobody uses
 * @rung:    only this way; SR_RUNGS: one after the other
 * @results: @n, filled also when some failed
 * Context: the node lock is held.
 * Return: 0, or the first error with exit.
 */
int device_reset_all(struct cmd *c, const struct inventory *inv, const int *devs, size_t n,
		     enum sr_rung rung, struct sr_reset_result *results);

/**
 * device_reset_ladders() - the ways there are for each of them, when all are reset together
 * @rung: only this way; SR_RUNGS: all
 * @ret:  @n
 * Return: 0, -ENOTTY with exit: one of them cannot be reset, or not this way; -EPERM: none of its resets
 * is survived.
 */
int device_reset_ladders(struct cmd *c, const struct inventory *inv, const int *devs, size_t n,
			 enum sr_rung rung, struct sr_ladder *ret);

/** device_reset_json() - results as carve device reset --json lists them. Return: new reference, NULL. */
json_t *device_reset_json(const struct sr_reset_result *results, size_t n);

#endif
