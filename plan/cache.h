/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's share of L3 ways and memory bandwidth. Not a public header of plan/. */
#ifndef CARVE_PLAN_CACHE_H
#define CARVE_PLAN_CACHE_H

#include "plan/placement.h"

/** plan_max_ways() - of an L3, that all guests together can have: the fewest possible stay with the host */
unsigned int plan_max_ways(const struct inv_resctrl *r);

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

/**
 * plan_check_caches() - do the guests of one run find their ways and classes of service together?
 *
 * Guests that run already are not counted: what they have is known when the step is made.
 * Context: after plan_set_cache() of all @n plans.
 * Return: 0; -ENOSPC (NO_CLOSID, TOO_MANY_WAYS: of the guests that share an L3); -ENOMEM.
 */
int plan_check_caches(const struct inventory *inv, const struct plan *plans, size_t n,
		      struct cv_error *err);

#endif
