/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cache and memory bandwidth allocation can do here. */
#ifndef CARVE_NUMA_RESCTRL_INFO_H
#define CARVE_NUMA_RESCTRL_INFO_H

#include "base/sysroot.h"
#include "plan/inventory.h"

#define NU_RESCTRL_MOUNT "/sys/fs/resctrl"

/**
 * nu_resctrl_info_read() - @ret from the info folder of a mounted resctrl
 *
 * Not mounted: what the CPU's flags said stays. Mounted with CDP (code and data apart) there is no
 * L3 resource that a schemata line could name: has_l3 is false. Where bandwidth is not in percent
 * (AMD, a mount with mba_MBps) a share cannot be said: has_mb is false.
 */
void nu_resctrl_info_read(struct cv_sysroot *root, struct inv_resctrl *ret);

#endif
