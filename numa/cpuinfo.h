/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor as /proc/cpuinfo describes it. */
#ifndef CARVE_NUMA_CPUINFO_H
#define CARVE_NUMA_CPUINFO_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_cpuinfo_read() - vendor, model, address bits and what the flags say, of the first CPU
 *
 * The file is read no further than that CPU: the kernel works on each line of it. What is not there
 * is unknown; "cat_l3" and "mba" of the flags go to @host->resctrl.
 */
void nu_cpuinfo_read(struct cv_sysroot *root, struct inv_host *host);

#endif
