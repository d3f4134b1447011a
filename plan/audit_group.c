// SPDX-License-Identifier: GPL-2.0-or-later
/* IOMMU groups of devices: who else would go to the guest. */
#include <stdio.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

#define MAX_NAMED 4

/** struct members - what shares a group, by @n and the first few indices */
struct members {
	int devs[MAX_NAMED];
	size_t n;
};

static void add_member(struct members *m, int dev)
{
	if (m->n < MAX_NAMED)
		m->devs[m->n] = dev;
	m->n++;
}

static void name_members(const struct inventory *inv, const struct members *m, char *buf,
			 size_t size)
{
	size_t shown = m->n < MAX_NAMED ? m->n : MAX_NAMED, len = 0;
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < shown && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					cv_format_bdf(inv->devs[m->devs[i]].bdf, bdf));
	if (m->n > shown && len < size)
		snprintf(buf + len, size - len, " and %zu more", m->n - shown);
}

/* Functions that a card brings along: sound and USB of a GPU. They do nothing of their own on a host. */
static bool is_companion(const struct inv_dev *d, const struct inv_dev *other)
{
	uint32_t sub = other->class >> 8;

	return d->bdf.domain == other->bdf.domain && d->bdf.bus == other->bdf.bus &&
	       d->bdf.dev == other->bdf.dev && (sub == 0x0403 || sub == 0x0c03 || sub == 0x0c80);
}

/* The others of a group: companions of @dev, or all that are none. */
static void find_members(const struct inventory *inv, int dev, bool is_unit, struct members *ret)
{
	size_t n = inv_group_blockers(inv, dev, false, NULL, 0);
	_cleanup_free_ int *all = calloc(n + 1, sizeof(*all));

	*ret = (struct members){ 0 };
	if (!all)
		return;
	inv_group_blockers(inv, dev, false, all, n);
	for (size_t i = 0; i < n; i++)
		if (is_companion(&inv->devs[dev], &inv->devs[all[i]]) == is_unit)
			add_member(ret, all[i]);
}

size_t audit_unit(const struct inventory *inv, int dev, char *buf, size_t size)
{
	struct members m;

	find_members(inv, dev, true, &m);
	name_members(inv, &m, buf, size);
	return m.n;
}

static void find_future(const struct inventory *inv, int dev, struct members *ret)
{
	int devs[MAX_NAMED];
	size_t n = inv_group_blockers(inv, dev, true, devs, MAX_NAMED);

	*ret = (struct members){ .n = n };
	for (size_t i = 0; i < n && i < MAX_NAMED; i++)
		ret->devs[i] = devs[i];
}

bool audit_find_group(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	bool is_vf = false;
	struct members m;
	char names[128] = "";

	find_members(inv, dev, false, &m);
	if (m.n == 0 && d->sriov.total) {
		is_vf = true;
		find_future(inv, dev, &m);
	}
	if (m.n == 0)
		return false;
	name_members(inv, &m, names, sizeof(names));
	audit_evidence(f, "/sys/kernel/iommu_groups/%d: %s %s", d->group,
		       is_vf ? "VFs would share it with" : "shared with", names);
	audit_effect(f, "refused unless the whole group goes to the guest or its spec has "
			"accept: [shared-group]");
	audit_fix(f, "move the card to a slot below its own root port, or turn on ACS in the "
		     "firmware");
	return true;
}
