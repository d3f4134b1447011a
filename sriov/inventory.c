// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/inventory.h"

#include <errno.h>

#include "base/cleanup.h"
#include "sriov/depth.h"
#include "sriov/device.h"
#include "sriov/function.h"
#include "sriov/holders.h"
#include "sriov/iommu.h"
#include "sriov/iommu_groups.h"
#include "sriov/locked.h"
#include "sriov/reset.h"
#include "sriov/scan.h"
#include "sriov/tree.h"

static void read_deep(struct cv_sysroot *root, struct sr_pci *pci, bool is_plan, const bool *deep,
		      struct sr_config *configs, struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		struct inv_dev *d = &inv->devs[i];

		if (!deep[i])
			continue;
		if (configs[i].is_foreseen)
			sr_scan_foreseen(root, pci, d, &configs[i]);
		sr_device_read(root, &configs[i], d->pf >= 0 ? &inv->devs[d->pf] : NULL, is_plan,
			       d);
		sr_reset_limit(d);
	}
}

static int read_groups(struct cv_sysroot *root, bool is_plan, struct inventory *inv,
		       struct cv_error *err)
{
	int r = inv_index_groups(inv);

	if (r < 0)
		return cv_fail_errno(err, r, SR_DEVICES, "cannot sort the IOMMU groups");
	return sr_groups_read(root, is_plan, inv, err);
}

static void read_names(struct sr_pci *pci, struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		struct inv_dev *d = &inv->devs[i];

		sr_pci_name(pci, d->vendor, d->device, d->name, sizeof(d->name));
	}
}

static int read_functions(struct cv_sysroot *root, struct sr_pci *pci, const struct sr_depth *depth,
			  struct inventory *inv, struct cv_error *err)
{
	_cleanup_free_ struct sr_config *configs = NULL;
	_cleanup_free_ bool *deep = NULL;
	int r = sr_scan(root, pci, inv, &configs, err);

	if (r < 0 || inv->n_devs == 0)
		return r;
	r = sr_locked_read(root, configs, depth->is_wanted, inv, err);
	if (r == 0)
		r = sr_tree_link(root, configs, inv, err);
	if (r == 0)
		r = sr_depth_choose(root, depth, inv, &deep, err);
	if (r < 0)
		return r;
	read_deep(root, pci, depth->is_wanted, deep, configs, inv);
	if (depth->names)
		read_names(pci, inv);
	if (depth->holders)
		sr_holders_read(root, inv);
	return read_groups(root, depth->is_wanted, inv, err);
}

int sr_inventory_read(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv,
		      struct cv_error *err)
{
	_cleanup_(sr_pci_closep) struct sr_pci *pci = NULL;
	int r = sr_pci_open(&pci);

	if (r < 0)
		return cv_fail_errno(err, r, SR_DEVICES, "cannot read the PCI functions");
	inv->devs = NULL;
	inv->groups = NULL;
	inv->by_group = NULL;
	inv->n_devs = inv->n_groups = inv->n_by_group = 0;
	sr_iommu_read(root, &inv->host);
	return read_functions(root, pci, depth, inv, err);
}
