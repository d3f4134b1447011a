/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "What if": one fact of the inventory, the site or the specs changed before planning. */
#ifndef CARVE_PLAN_WHAT_IF_H
#define CARVE_PLAN_WHAT_IF_H

#include "base/error.h"
#include "plan/inventory.h"
#include "plan/spec.h"

/** struct what_if - what may be changed; nothing of it is the host's */
struct what_if {
	struct inventory *inv;
	struct site *site;
	struct spec *specs;
	size_t n_specs;
};

/**
 * plan_what_if() - apply "KEY=VALUE"
 *
 * Keys of all specs: cpus, memory, page_size, smt, nodes (list), split; of the site: housekeeping; of
 * the inventory: leases=none, quarantine=none, lease.NAME=none, node.N.pages.SIZE=FREE (free pages of a
 * pool), node.N.obtainable=SIZE, device.BDF.node=N, device.BDF.driver=NAME, device.BDF.holder=none,
 * intremap=on|off.
 * Return: 0; -EINVAL with @err: object the text, found, wanted (the keys), hint.
 */
int plan_what_if(const char *text, struct what_if *w, struct cv_error *err);

#endif
