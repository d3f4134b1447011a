// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/holders.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "sriov/function.h"

#define MAX_PATHS 64 /* controllers of one NVMe subsystem */

void sr_mark(struct inventory *inv, int dev, enum inv_holder_kind kind, const char *fmt, ...)
{
	struct inv_dev *d = &inv->devs[dev];
	va_list args;

	if (d->holder_kind != INV_HOLDER_NONE)
		return;
	d->holder_kind = kind;
	va_start(args, fmt);
	vsnprintf(d->holder, sizeof(d->holder), fmt, args);
	va_end(args);
}

static size_t add_dev(const struct inventory *inv, const char *path, int *ret, size_t n, size_t max)
{
	struct cv_bdf bdf;
	int dev;

	if (n >= max || sr_last_bdf(path, &bdf) < 0)
		return n;
	dev = inv_find_dev(inv, bdf);
	if (dev >= 0)
		ret[n++] = dev;
	return n;
}

/* With native multipath a namespace belongs to its subsystem, which links to its controllers. */
static size_t subsystem_devs(struct cv_sysroot *root, const struct inventory *inv, const char *name,
			     int *ret, size_t max)
{
	_cleanup_strv_ struct cv_strv entries = { 0 };
	char path[CV_PATH_MAX];
	size_t n = 0;

	cv_pathf(path, "/sys/class/nvme-subsystem/%s", name);
	if (cv_list(root, path, &entries) < 0)
		return 0;
	for (size_t i = 0; i < entries.n; i++) {
		_cleanup_free_ char *target = NULL;

		if (strncmp(entries.v[i], "nvme", 4) != 0)
			continue;
		cv_pathf(path, "/sys/class/nvme-subsystem/%s/%s", name, entries.v[i]);
		if (cv_readlink(root, path, &target) == 0)
			n = add_dev(inv, target, ret, n, max);
	}
	return n;
}

size_t sr_devs_of_path(struct cv_sysroot *root, const struct inventory *inv, const char *path,
		       int *ret, size_t max)
{
	static const char marker[] = "/nvme-subsystem/";
	const char *at = strstr(path, marker);
	char name[INV_TEXT];
	size_t len;

	if (!at)
		return add_dev(inv, path, ret, 0, max);
	at += strlen(marker);
	len = strcspn(at, "/");
	if (len == 0 || len >= sizeof(name))
		return 0;
	memcpy(name, at, len);
	name[len] = '\0';
	return subsystem_devs(root, inv, name, ret, max);
}

void sr_mark_path(struct cv_sysroot *root, struct inventory *inv, const char *path,
		  enum inv_holder_kind kind, const char *text)
{
	int devs[MAX_PATHS];
	size_t n = sr_devs_of_path(root, inv, path, devs, MAX_PATHS);

	for (size_t i = 0; i < n; i++)
		sr_mark(inv, devs[i], kind, "%s", text);
}

bool sr_take_line(const char **text, char *buf, size_t size)
{
	size_t len, kept;

	if (!*text || !**text)
		return false;
	len = strcspn(*text, "\n");
	kept = len < size ? len : size - 1;
	memcpy(buf, *text, kept);
	buf[kept] = '\0';
	*text += len + ((*text)[len] == '\n');
	return true;
}

bool sr_is_handover_driver(const char *driver)
{
	return strstr(driver, "vfio") || strstr(driver, "uio") || strcmp(driver, "pci-stub") == 0 ||
	       strcmp(driver, "pciback") == 0;
}

static void unmark_leased(struct cv_sysroot *root, const char *name, const struct inventory *inv,
			  bool *is_leased)
{
	struct cv_lease lease = { 0 };

	if (cv_lease_read(root, name, &lease, NULL) < 0)
		return;
	for (size_t i = 0; i < lease.n_devices; i++) {
		int dev = inv_find_dev(inv, lease.devices[i]);

		if (dev >= 0)
			is_leased[dev] = true;
	}
	cv_lease_done(&lease);
}

static void mark_foreign(struct cv_sysroot *root, struct inventory *inv)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ bool *is_leased = calloc(inv->n_devs + 1, sizeof(*is_leased));

	if (!is_leased)
		return;
	if (cv_lease_list(root, &names, NULL) == 0) {
		for (size_t i = 0; i < names.n; i++)
			unmark_leased(root, names.v[i], inv, is_leased);
	}
	for (size_t i = 0; i < inv->n_devs; i++) {
		if (!is_leased[i] && sr_is_handover_driver(inv->devs[i].driver))
			sr_mark(inv, (int)i, INV_HOLDER_FOREIGN,
				"bound to %s by somebody else: no lease of carve holds it",
				inv->devs[i].driver);
	}
}

void sr_holders_read(struct cv_sysroot *root, struct inventory *inv)
{
	sr_holders_disks(root, inv);
	sr_holders_netdevs(root, inv);
	sr_holders_processes(root, inv);
	mark_foreign(root, inv);
}
