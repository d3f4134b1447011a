/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the host's IOMMU does and what VFIO is there, each read by its effect. */
#ifndef CARVE_SRIOV_IOMMU_H
#define CARVE_SRIOV_IOMMU_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/** sr_iommu_read() - the IOMMU and VFIO facts of @h; the other members stay as they are. */
void sr_iommu_read(struct cv_sysroot *root, struct inv_host *h);

#endif
