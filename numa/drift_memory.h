/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages of a running guest on the nodes of its plan. Not a public header of numa/. */
#ifndef CARVE_NUMA_DRIFT_MEMORY_H
#define CARVE_NUMA_DRIFT_MEMORY_H

#include "numa/drift.h"

/** nu_drift_add() - one more, to be filled; NULL when out of memory. */
struct nu_drift *nu_drift_add(struct nu_drifts *d, enum nu_drift_kind kind);

/**
 * nu_drift_memory() - huge pages that are on another node than planned, or bound to none
 *
 * From /proc/PID/numa_maps (numa(7)): mappings of a memfd in huge pages are the guest's memory.
 * Return: 0, also when the caller may not read it; -ENOMEM.
 */
int nu_drift_memory(struct cv_sysroot *root, const struct nu_running *vm, struct nu_drifts *out);

#endif
