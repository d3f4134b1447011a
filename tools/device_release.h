/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving back what several operations hold: each by itself, and told what became of it. */
#ifndef CARVE_TOOLS_DEVICE_RELEASE_H
#define CARVE_TOOLS_DEVICE_RELEASE_H

#include "base/bdf.h"
#include "base/strv.h"
#include "plan/inventory.h"
#include "tools/cmd.h"

/**
 * struct device_release - all borrowed
 * @inv:     from before: its leases tell which operation has which function
 * @devices: @n_devices functions that this is about
 * @names:   the operations to undo, each once
 */
struct device_release {
	const struct inventory *inv;
	const struct cv_bdf *devices;
	size_t n_devices;
	const struct cv_strv *names;
};

/**
 * device_release_each() - undo all operations; one that cannot be undone does not keep the others
 *
 * Prints what became of each function, as JSON also when one failed.
 * Context: the node lock is held.
 * Return: 0; the first error, with exit CV_EXIT_PARTIAL when another operation was undone.
 */
int device_release_each(struct cmd *c, const struct device_release *x);

#endif
