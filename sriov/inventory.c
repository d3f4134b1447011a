// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/inventory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/device.h"
#include "sriov/function.h"
#include "sriov/holders.h"
#include "sriov/iommu.h"
#include "sriov/pci.h"

#define MAX_DEVS 65536

static int compare_devs(const void *a, const void *b)
{
	return cv_bdf_cmp(((const struct inv_dev *)a)->bdf, ((const struct inv_dev *)b)->bdf);
}

/* Two names can spell one address ("00:1f.2"); the array holds each once. */
static size_t drop_doubles(struct inv_dev *devs, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || cv_bdf_cmp(devs[kept - 1].bdf, devs[i].bdf) != 0)
			devs[kept++] = devs[i];
	}
	return kept;
}

static int list_devs(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = cv_list(root, SR_DEVICES, &names);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return cv_fail_errno(err, r, SR_DEVICES, "cannot list the PCI functions");
	if (names.n > MAX_DEVS)
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EINVAL", SR_DEVICES,
			       "more than %d PCI functions", MAX_DEVS);
	inv->devs = calloc(names.n + 1, sizeof(*inv->devs));
	if (!inv->devs)
		return cv_fail_errno(err, -ENOMEM, SR_DEVICES, "cannot list the PCI functions");
	for (size_t i = 0; i < names.n; i++) {
		if (cv_parse_bdf(names.v[i], &inv->devs[inv->n_devs].bdf) == 0)
			inv->n_devs++;
	}
	qsort(inv->devs, inv->n_devs, sizeof(*inv->devs), compare_devs);
	inv->n_devs = drop_doubles(inv->devs, inv->n_devs);
	return 0;
}

static void read_config(struct sr_pci *pci, struct inv_dev *d)
{
	struct sr_config c;

	sr_pci_config(pci, d->bdf, &c);
	sr_pci_name(pci, d->vendor, d->device, d->name, sizeof(d->name));
	d->is_unreadable = c.is_dead;
	d->is_multifunction = c.is_multifunction;
	if (c.is_readable && !c.is_dead)
		d->port = c.port;
	d->has_acs = c.has_acs;
	d->acs_ctrl = c.acs_ctrl;
	d->has_ats = c.has_ats;
	snprintf(d->serial, sizeof(d->serial), "%s", c.serial);
	if (d->sriov.total > 0 && d->sriov.offset == 0) {
		d->sriov.offset = c.vf_offset;
		d->sriov.stride = c.vf_stride;
	}
}

/* Without config space the class still tells a bridge from the rest. */
static enum inv_port port_of_class(const struct inv_dev *d)
{
	return d->class >> 8 == 0x0604 ? INV_PORT_BRIDGE : INV_PORT_ENDPOINT;
}

static void read_quarantine(struct cv_sysroot *root, struct inv_dev *d)
{
	struct cv_quarantine q;
	int r = cv_quarantine_read(root, d->bdf, &q, NULL);

	if (r == -ENOENT)
		return;
	d->is_quarantined = true;
	if (r == 0)
		snprintf(d->quarantine, sizeof(d->quarantine), "%.159s", q.reason);
	else
		snprintf(d->quarantine, sizeof(d->quarantine),
			 "the quarantine entry cannot be read: %s", strerror(-r));
}

static void read_devs(struct cv_sysroot *root, struct inventory *inv)
{
	_cleanup_(sr_pci_closep) struct sr_pci *pci = NULL;

	if (sr_pci_open(root, &pci) < 0)
		pci = NULL;
	for (size_t i = 0; i < inv->n_devs; i++) {
		struct inv_dev *d = &inv->devs[i];

		read_quarantine(root, d);
		sr_device_read(root, d);
		d->port = port_of_class(d);
		if (pci)
			read_config(pci, d);
	}
}

/*
 * A parent is taken only when it hangs exactly one level higher on the same root: whatever a snapshot
 * claims, the chain of parents then ends.
 */
static void link_parents(struct cv_sysroot *root, struct inventory *inv, unsigned int *depths,
			 int *parents)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		struct inv_dev *d = &inv->devs[i];
		_cleanup_free_ char *target = NULL;
		char path[CV_PATH_MAX], bdf[CV_BDF_MAX];
		struct cv_bdf parent;

		parents[i] = -1;
		cv_pathf(path, SR_DEVICES "/%s", cv_format_bdf(d->bdf, bdf));
		if (cv_readlink(root, path, &target) == 0 &&
		    sr_parse_chain(target, d->root, &parent, &depths[i]) > 0)
			parents[i] = inv_find_dev(inv, parent);
	}
	for (size_t i = 0; i < inv->n_devs; i++) {
		int up = parents[i];

		if (up >= 0 && depths[up] + 1 == depths[i] &&
		    strcmp(inv->devs[up].root, inv->devs[i].root) == 0)
			inv->devs[i].parent = up;
	}
}

static int read_parents(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	_cleanup_free_ unsigned int *depths = calloc(inv->n_devs + 1, sizeof(*depths));
	_cleanup_free_ int *parents = calloc(inv->n_devs + 1, sizeof(*parents));

	if (!depths || !parents)
		return cv_fail_errno(err, -ENOMEM, SR_DEVICES, "cannot build the PCI tree");
	link_parents(root, inv, depths, parents);
	return 0;
}

/* A VF belongs to the PF that counts it among its own: physfn and virtfnN have to agree. */
static void link_vfs(struct cv_sysroot *root, struct inventory *inv, int pf)
{
	char path[CV_PATH_MAX], pf_name[CV_BDF_MAX], vf_name[CV_BDF_MAX], back[CV_BDF_MAX];
	struct cv_bdf bdf;

	cv_format_bdf(inv->devs[pf].bdf, pf_name);
	for (unsigned int i = 0; i < inv->devs[pf].sriov.num; i++) {
		int vf;

		if (sr_vf_of(root, pf_name, i, vf_name) < 0 || cv_parse_bdf(vf_name, &bdf) < 0)
			continue;
		vf = inv_find_dev(inv, bdf);
		if (vf < 0 || vf == pf || inv->devs[vf].sriov.total > 0 ||
		    cv_readlink_base(root, sr_path(path, vf_name, "physfn"), back, sizeof(back)) <
			    0 ||
		    strcmp(back, pf_name) != 0)
			continue;
		inv->devs[vf].pf = pf;
		inv->devs[vf].vf_index = (int)i;
	}
}

int sr_inventory_read(struct cv_sysroot *root, const struct sr_depth *depth, struct inventory *inv,
		      struct cv_error *err)
{
	int r;

	inv->devs = NULL;
	inv->n_devs = 0;
	sr_iommu_read(root, &inv->host);
	r = list_devs(root, inv, err);
	if (r < 0)
		return r;
	if (inv->n_devs == 0)
		return 0;
	read_devs(root, inv);
	r = read_parents(root, inv, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < inv->n_devs; i++) {
		if (inv->devs[i].sriov.total > 0)
			link_vfs(root, inv, (int)i);
	}
	if (depth->holders)
		sr_holders_read(root, inv);
	return 0;
}
