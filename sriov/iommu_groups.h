/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IOMMU groups: who is in them, and what they ask of the memory map. */
#ifndef CARVE_SRIOV_IOMMU_GROUPS_H
#define CARVE_SRIOV_IOMMU_GROUPS_H

#include <stdbool.h>

#include "base/sysroot.h"
#include "plan/inventory.h"

/** sr_group_link() - group of one function, by its own link. */
void sr_group_link(struct cv_sysroot *root, struct inv_dev *d);

/**
 * sr_group_members() - group of every member of the group that @dev is in
 * @dev:  its group is known
 * @mark: one per function: set where a member is
 *
 * Return: false when the list is not there or does not name @dev: then it says nothing about the
 * others either.
 */
bool sr_group_members(struct cv_sysroot *root, struct inventory *inv, int dev, bool *mark);

/**
 * sr_groups_read() - inv->groups: the groups of functions that are not shallow
 * @is_plan: leave out what no plan depends on: groups that have nothing but bridges, and the domain;
 *           the regions of a VF alone in its group are those of the first VF of the same PF (they come
 *           from the IOMMU, and from tables of the firmware, which knows no VFs)
 * Return: 0, -ENOMEM with @err filled.
 */
int sr_groups_read(struct cv_sysroot *root, bool is_plan, struct inventory *inv,
		   struct cv_error *err);

/** sr_parse_regions() - "START END TYPE" lines of reserved_regions; what is none is left out */
void sr_parse_regions(const char *text, struct inv_group *g);

#endif
