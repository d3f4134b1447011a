/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts of the host that are not PCI: kernel, CPU model, virtualisation, cgroups, tuning. */
#ifndef CARVE_NUMA_HOST_H
#define CARVE_NUMA_HOST_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_host_read() - fill @host, except its online CPUs, its caches and the IOMMU and VFIO facts
 * @is_noise: also @host->noise
 *
 * A fact whose file is missing stays at its zero value; memlock_limit 0 means unknown (a snapshot
 * does not hold /proc/self). Text that does not fit is cut.
 */
void nu_host_read(struct cv_sysroot *root, bool is_noise, struct inv_host *host);

#endif
