// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/holders.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "sriov/function.h"
#include "sriov/reserve.h"

#define MAX_PATHS 64 /* controllers of one NVMe subsystem */

void sr_holder_list_done(struct sr_holder_list *l)
{
	free(l->v);
	*l = (struct sr_holder_list){ 0 };
}

static int append(struct sr_holder_list *l, const struct sr_holder *use)
{
	struct sr_holder *grown = reallocarray(l->v, l->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	l->v = grown;
	l->v[l->n++] = *use;
	return 0;
}

/* A process has some nodes open several times. */
static bool is_listed(const struct sr_holder_list *l, const struct sr_holder *use)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i].text, use->text) == 0)
			return true;
	}
	return false;
}

void sr_mark(struct sr_marks *m, int dev, const struct sr_holder *use)
{
	struct inv_dev *d = &m->inv->devs[dev];

	if (m->all && dev == m->dev && m->error == 0 && !is_listed(m->all, use))
		m->error = append(m->all, use);
	if (d->holder_kind != INV_HOLDER_NONE)
		return;
	d->holder_kind = use->kind;
	snprintf(d->holder, sizeof(d->holder), "%.*s", (int)sizeof(d->holder) - 1, use->text);
}

void sr_markf(struct sr_marks *m, int dev, enum inv_holder_kind kind, const char *path,
	      const char *fmt, ...)
{
	struct sr_holder use = { .kind = kind };
	va_list args;

	snprintf(use.path, sizeof(use.path), "%s", path);
	va_start(args, fmt);
	vsnprintf(use.text, sizeof(use.text), fmt, args);
	va_end(args);
	sr_mark(m, dev, &use);
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

void sr_mark_path(struct cv_sysroot *root, struct sr_marks *m, const char *path,
		  const struct sr_holder *use)
{
	int devs[MAX_PATHS];
	size_t n = sr_devs_of_path(root, m->inv, path, devs, MAX_PATHS);

	for (size_t i = 0; i < n; i++)
		sr_mark(m, devs[i], use);
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

/* Bound at boot because it is reserved: carve's doing as well. */
static void unmark_reserved(struct cv_sysroot *root, const struct inventory *inv, bool *is_ours)
{
	_cleanup_reserved_ struct sr_reserved_list l = { 0 };

	if (sr_reserved_read(root, &l, NULL) < 0)
		return;
	for (size_t i = 0; i < l.n; i++) {
		int dev = inv_find_dev(inv, l.v[i].bdf);

		if (dev >= 0 && inv->devs[dev].vendor == l.v[i].vendor &&
		    inv->devs[dev].device == l.v[i].device &&
		    strcmp(inv->devs[dev].driver, l.v[i].driver) == 0)
			is_ours[dev] = true;
	}
}

static void mark_foreign(struct cv_sysroot *root, struct sr_marks *m)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct inventory *inv = m->inv;
	_cleanup_free_ bool *is_ours = calloc(inv->n_devs + 1, sizeof(*is_ours));

	if (!is_ours)
		return;
	unmark_reserved(root, inv, is_ours);
	if (cv_lease_list(root, &names, NULL) == 0) {
		for (size_t i = 0; i < names.n; i++)
			unmark_leased(root, names.v[i], inv, is_ours);
	}
	for (size_t i = 0; i < inv->n_devs; i++) {
		if (!is_ours[i] && sr_is_handover_driver(inv->devs[i].driver))
			sr_markf(m, (int)i, INV_HOLDER_FOREIGN, "",
				 "bound to %s by somebody else: no lease of carve holds it",
				 inv->devs[i].driver);
	}
}

static void mark_all(struct cv_sysroot *root, struct sr_marks *m)
{
	sr_holders_disks(root, m);
	sr_holders_netdevs(root, m);
	sr_holders_processes(root, m);
	mark_foreign(root, m);
}

void sr_holders_read(struct cv_sysroot *root, struct inventory *inv)
{
	struct sr_marks m = { .inv = inv, .dev = -1 };

	mark_all(root, &m);
}

int sr_holders_all(struct cv_sysroot *root, struct inventory *inv, int dev,
		   struct sr_holder_list *ret)
{
	_cleanup_holders_ struct sr_holder_list all = { 0 };
	struct sr_marks m = { .inv = inv, .dev = dev, .all = &all };

	mark_all(root, &m);
	if (m.error < 0)
		return m.error;
	*ret = all;
	all = (struct sr_holder_list){ 0 };
	return 0;
}
