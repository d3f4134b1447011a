/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's share of L3 ways and memory bandwidth. Not a public header of plan/. */
#ifndef CARVE_PLAN_CACHE_H
#define CARVE_PLAN_CACHE_H

#include "plan/placement.h"

/**
 * plan_set_cache() - can the host give what cache: of a spec asks for?
 *
 * Which ways it will be is settled when the step is made: they depend on the groups that are there then.
 * A bandwidth between two steps of the host is rounded down.
 * Context: after plan_set_topology().
 * Return: 0 with l3_ways, memory_bandwidth and a reason in @plan; -EOPNOTSUPP (NO_RESCTRL: not mounted, or
 * the CPU has none), -ENOSPC (NO_CLOSID), -ERANGE (BAD_WAYS, BAD_BANDWIDTH); -ENOMEM.
 */
int plan_set_cache(struct plan *plan, const struct place *p, const struct spec *s,
		   struct cv_error *err);

#endif
