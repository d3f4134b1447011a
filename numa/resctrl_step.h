/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A share of L3 ways and memory bandwidth for a guest. */
#ifndef CARVE_NUMA_RESCTRL_STEP_H
#define CARVE_NUMA_RESCTRL_STEP_H

#include "base/step.h"
#include "numa/resctrl_info.h"

#define NU_RESCTRL_GROUP NU_RESCTRL_MOUNT "/carve-"

/*
 * Kind "resctrl", own scope; object NU_RESCTRL_GROUP NAME, value "cpus=2-3 l3=4 mb=50": a group for these
 * CPUs with 4 ways of each of their L3s, which no other group has, and half of the memory bandwidth
 * at most; 0: as for all. CPUs, not threads: what else runs there falls under it as well, and threads
 * that come later need no entry.
 *
 * The default group gives the ways up while any guest has them: its masks before the first one are
 * shared changes of kind "resctrl-default", one per cache.
 */
extern const struct cv_step_ops nu_step_resctrl;

#endif
