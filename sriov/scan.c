// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "sriov/device.h"
#include "sriov/function.h"

#define MAX_DEVS 65536
#define ENTRY_SUFFIX ".json"

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

static void add_devs(const struct cv_strv *names, struct inventory *inv)
{
	for (size_t i = 0; i < names->n; i++) {
		struct cv_bdf bdf;

		if (cv_parse_bdf(names->v[i], &bdf) < 0)
			continue;
		inv->devs[inv->n_devs++] = (struct inv_dev){
			.bdf = bdf,
			.parent = -1,
			.group = -1,
			.node = -1,
			.pf = -1,
			.vf_index = -1,
			.is_shallow = true,
		};
	}
	qsort(inv->devs, inv->n_devs, sizeof(*inv->devs), compare_devs);
	inv->n_devs = drop_doubles(inv->devs, inv->n_devs);
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
	add_devs(&names, inv);
	return 0;
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

/* Index of the function that a quarantine entry ("0000:41:00.0.json") is about, -1. */
static int dev_of_entry(const struct inventory *inv, const char *name)
{
	size_t len = strlen(name), suffix = strlen(ENTRY_SUFFIX);
	char text[CV_BDF_MAX];
	struct cv_bdf bdf;

	if (len <= suffix || len - suffix >= sizeof(text) ||
	    strcmp(name + len - suffix, ENTRY_SUFFIX) != 0)
		return -1;
	memcpy(text, name, len - suffix);
	text[len - suffix] = '\0';
	return cv_parse_bdf(text, &bdf) < 0 ? -1 : inv_find_dev(inv, bdf);
}

/* Few functions are in quarantine, mostly none: what the directory names is read. Where it cannot be
 * listed each function is asked for, so that none is taken for free by mistake. */
static void read_quarantines(struct cv_sysroot *root, struct inventory *inv)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = cv_list(root, CV_QUARANTINE_DIR, &names);

	if (r == -ENOENT)
		return;
	for (size_t i = 0; i < names.n; i++) {
		int dev = dev_of_entry(inv, names.v[i]);

		if (dev >= 0)
			read_quarantine(root, &inv->devs[dev]);
	}
	for (size_t i = 0; r < 0 && i < inv->n_devs; i++)
		read_quarantine(root, &inv->devs[i]);
}

/* One read: the kernel gives as much as the caller may see. */
static size_t read_bytes(struct cv_sysroot *root, const char *bdf, uint8_t *bytes)
{
	char path[CV_PATH_MAX];
	/* O_NONBLOCK: a FIFO in somebody's directory must not block the reader. */
	_cleanup_close_ int fd = cv_open(root, sr_path(path, bdf, "config"), O_RDONLY | O_NONBLOCK,
					 0);
	ssize_t n = fd < 0 ? 0 : pread(fd, bytes, SR_CONFIG_SIZE, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* Without capabilities the class still tells a bridge from the rest. */
static enum inv_port port_of_class(const struct inv_dev *d)
{
	return d->class >> 8 == 0x0604 ? INV_PORT_BRIDGE : INV_PORT_ENDPOINT;
}

static void scan_dev(struct cv_sysroot *root, struct sr_pci *pci, struct inv_dev *d,
		     struct sr_config *c)
{
	uint8_t bytes[SR_CONFIG_SIZE + SR_CONFIG_SLACK] = { 0 };
	char bdf[CV_BDF_MAX];

	cv_format_bdf(d->bdf, bdf);
	sr_pci_decode(pci, bytes, read_bytes(root, bdf, bytes), d, c);
	if (c->depth == SR_CONFIG_FULL)
		return;
	if (c->depth == SR_CONFIG_NONE)
		sr_device_ids(root, d);
	d->port = port_of_class(d);
	sr_device_sriov(root, d);
}

/*
 * The kernel adds VFs where the capability of their PF says and nowhere else (SR-IOV 1.1 section
 * 2.1.2), with the class of the PF (section 3.4.1.6): of a thousand VFs most need no read at all.
 */
static void foresee_vfs(struct inventory *inv, struct sr_config *configs, size_t pf)
{
	const struct inv_dev *d = &inv->devs[pf];

	for (unsigned int i = 0; configs[pf].depth == SR_CONFIG_FULL && i < d->sriov.num; i++) {
		struct cv_bdf bdf;
		int vf = inv_vf_bdf(d, i, &bdf) < 0 ? -1 : inv_find_dev(inv, bdf);

		/* not there, or not what a kernel shows: the rest is read like any other */
		if (vf <= (int)pf || configs[vf].is_foreseen)
			return;
		configs[vf] = (struct sr_config){ .is_vf = true, .is_foreseen = true };
		inv->devs[vf].pf = (int)pf;
		inv->devs[vf].vf_index = (int)i;
		inv->devs[vf].class = d->class;
	}
}

void sr_scan_foreseen(struct cv_sysroot *root, struct sr_pci *pci, struct inv_dev *d,
		      struct sr_config *c)
{
	scan_dev(root, pci, d, c);
	if (c->is_vf || c->depth == SR_CONFIG_NONE)
		return;
	d->pf = d->vf_index = -1;
}

int sr_scan(struct cv_sysroot *root, struct sr_pci *pci, struct inventory *inv,
	    struct sr_config **ret_configs, struct cv_error *err)
{
	struct sr_config *configs;
	int r = list_devs(root, inv, err);

	if (r < 0)
		return r;
	configs = calloc(inv->n_devs + 1, sizeof(*configs));
	if (!configs)
		return cv_fail_errno(err, -ENOMEM, SR_DEVICES, "cannot read the PCI functions");
	if (inv->n_devs > 0)
		read_quarantines(root, inv);
	for (size_t i = 0; i < inv->n_devs; i++) {
		if (configs[i].is_foreseen)
			continue;
		scan_dev(root, pci, &inv->devs[i], &configs[i]);
		foresee_vfs(inv, configs, i);
	}
	*ret_configs = configs;
	return 0;
}
