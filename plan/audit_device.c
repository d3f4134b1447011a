// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "plan/audit_checks.h"

/* Source validation, request and completion redirection, upstream forwarding (PCIe Base 6.0 section
 * 7.7.11.3): the controls that keep functions below a port apart. */
#define ACS_APART 0x1d

#define MAX_NAMED 4

/** struct device_check - @find fills the texts of @f. Return: true when there is something to say. */
struct device_check {
	const char *check;
	enum audit_verdict verdict;
	bool (*find)(const struct inventory *inv, int dev, struct audit_finding *f);
};

static void name_members(const struct inventory *inv, const int *members, size_t n, char *buf,
			 size_t size)
{
	size_t shown = n < MAX_NAMED ? n : MAX_NAMED, len = 0;
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < shown && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? ", " : "",
					cv_format_bdf(inv->devs[members[i]].bdf, bdf));
	if (n > shown && len < size)
		snprintf(buf + len, size - len, " and %zu more", n - shown);
}

static bool find_group(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	size_t n = inv_group_blockers(inv, dev, false, NULL, 0);
	bool is_vf = !n && d->sriov.total;
	int members[MAX_NAMED];
	char names[128] = "";

	n = inv_group_blockers(inv, dev, is_vf, members, MAX_NAMED);
	if (!n)
		return false;
	name_members(inv, members, n, names, sizeof(names));
	audit_evidence(f, "/sys/kernel/iommu_groups/%d: %s %s", d->group,
		       is_vf ? "VFs would share it with" : "shared with", names);
	audit_effect(f, "refused unless the whole group goes to the guest or its spec has "
			"accept: [shared-group]");
	audit_fix(f, "move the card to a slot below its own root port, or turn on ACS in the "
		     "firmware");
	return true;
}

/* A host with one node has nothing to be near to. */
static bool find_no_node(const struct inventory *inv, int dev, struct audit_finding *f)
{
	char bdf[CV_BDF_MAX];

	if (inv->devs[dev].node >= 0 || inv->n_nodes < 2)
		return false;
	audit_evidence(f, "/sys/bus/pci/devices/%s/numa_node: -1",
		       cv_format_bdf(inv->devs[dev].bdf, bdf));
	audit_effect(f, "cores and memory cannot be placed near it");
	audit_fix(f, "update the firmware; or write the node of its socket to that file at boot");
	return true;
}

static bool find_no_reset(const struct inventory *inv, int dev, struct audit_finding *f)
{
	char bdf[CV_BDF_MAX];

	if (inv->devs[dev].reset_methods[0])
		return false;
	audit_evidence(f, "/sys/bus/pci/devices/%s/reset_method: none",
		       cv_format_bdf(inv->devs[dev].bdf, bdf));
	audit_effect(f, "what one guest leaves in it reaches the next; refused unless its spec has "
			"accept: [no-reset]");
	audit_fix(f, "give its VFs instead, or use a device with function level reset");
	return true;
}

static unsigned int lower(unsigned int own, unsigned int upstream)
{
	return upstream && upstream < own ? upstream : own;
}

/* Measured against what both ends of the link can do: a slower slot is no fault of the link. */
static bool find_slow_link(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	const struct inv_link none = { 0 };
	const struct inv_link *up = d->parent >= 0 ? &inv->devs[d->parent].link : &none;
	unsigned int speed = lower(d->link.max_speed, up->max_speed);
	unsigned int width = lower(d->link.max_width, up->max_width);

	if (!d->link.speed || !d->link.width)
		return false;
	if (d->link.speed >= speed && d->link.width >= width)
		return false;
	audit_evidence(f, "link at %u.%u GT/s x%u of %u.%u GT/s x%u", d->link.speed / 10,
		       d->link.speed % 10, d->link.width, speed / 10, speed % 10, width);
	audit_effect(f, "it moves less data than it could%s",
		     d->link.width >= width ? "; may be power saving while idle" : "");
	audit_fix(f, "%s",
		  d->link.width >= width ? "look again under load, then at the slot"
					 : "seat the card again, look at slot and riser");
	return true;
}

static bool lacks_acs(const struct inv_dev *d)
{
	if (d->port != INV_PORT_ROOT && d->port != INV_PORT_DOWNSTREAM)
		return false;
	return !d->has_acs || !(d->acs_ctrl & ACS_APART);
}

static bool find_no_acs(const struct inventory *inv, int dev, struct audit_finding *f)
{
	int up = inv->devs[dev].parent;
	const struct inv_dev *port;
	char bdf[CV_BDF_MAX];

	for (size_t hops = 0; up >= 0 && hops < inv->n_devs && !lacks_acs(&inv->devs[up]); hops++)
		up = inv->devs[up].parent;
	if (up < 0 || !lacks_acs(&inv->devs[up]))
		return false;
	port = &inv->devs[up];
	if (port->has_acs)
		audit_evidence(f, "port %s: ACS control 0x%02x", cv_format_bdf(port->bdf, bdf),
			       port->acs_ctrl);
	else
		audit_evidence(f, "port %s: no ACS capability", cv_format_bdf(port->bdf, bdf));
	audit_effect(f, "functions below this port can reach each other past the IOMMU");
	audit_fix(f, "%s",
		  port->has_acs ? "turn on ACS in the firmware"
				: "move the card to a slot below its own root port");
	return true;
}

static bool find_unreadable(const struct inventory *inv, int dev, struct audit_finding *f)
{
	char bdf[CV_BDF_MAX];

	if (!inv->devs[dev].is_unreadable)
		return false;
	audit_evidence(f, "/sys/bus/pci/devices/%s/config: reads all ones",
		       cv_format_bdf(inv->devs[dev].bdf, bdf));
	audit_effect(f, "the device does not answer; it cannot be given to a guest");
	audit_fix(f, "reset it, or remove and rescan it; power the node off and on if it stays");
	return true;
}

static bool find_quarantine(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	char bdf[CV_BDF_MAX];

	if (!d->is_quarantined)
		return false;
	audit_evidence(f, CV_QUARANTINE_DIR "/%s.json: %s", cv_format_bdf(d->bdf, bdf),
		       d->quarantine);
	audit_effect(f, "it is not given to a guest");
	audit_fix(f, "find the cause, prove the device healthy, then remove that file");
	return true;
}

static const struct device_check checks[] = {
	{ "device-config", AUDIT_FAIL, find_unreadable },
	{ "device-quarantine", AUDIT_FAIL, find_quarantine },
	{ "device-group", AUDIT_WARN, find_group },
	{ "device-acs", AUDIT_WARN, find_no_acs },
	{ "device-node", AUDIT_WARN, find_no_node },
	{ "device-reset", AUDIT_WARN, find_no_reset },
	{ "device-link", AUDIT_WARN, find_slow_link },
};

static bool is_of_interest(const struct inv_dev *d)
{
	static const char *const words[] = { "gpu", "net", "nvme" };

	if (d->is_quarantined)
		return true;
	if (d->pf >= 0 || inv_is_bridge(d))
		return false;
	for (size_t i = 0; i < CV_ARRAY_SIZE(words); i++)
		if (!strcmp(inv_class_name(d), words[i]))
			return true;
	return d->sriov.total > 0;
}

static int add_pass(const struct inv_dev *d, const char *object, struct audit *a)
{
	struct audit_finding *f = audit_add(a, "device", AUDIT_PASS, object);

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s, driver %s, group %d, node %d, reset %s, %u VFs possible",
		       inv_class_name(d), d->driver[0] ? d->driver : "none", d->group, d->node,
		       d->reset_methods, d->sriov.total);
	audit_effect(f, "it%s can be given to a guest", d->sriov.total ? " or its VFs" : "");
	return 0;
}

static int check_device(const struct inventory *inv, int dev, struct audit *a)
{
	size_t before = a->n;
	char bdf[CV_BDF_MAX];

	cv_format_bdf(inv->devs[dev].bdf, bdf);
	for (size_t i = 0; i < CV_ARRAY_SIZE(checks); i++) {
		struct audit_finding found = { .check = checks[i].check };
		struct audit_finding *f;

		/* What holds for a PF holds for its VFs; the quarantine is each one's own. */
		if (inv->devs[dev].pf >= 0 && checks[i].find != find_quarantine)
			continue;
		if (!checks[i].find(inv, dev, &found))
			continue;
		f = audit_add(a, found.check, checks[i].verdict, bdf);
		if (!f)
			return -ENOMEM;
		found.verdict = f->verdict;
		memcpy(found.object, f->object, sizeof(found.object));
		*f = found;
	}
	return a->n == before ? add_pass(&inv->devs[dev], bdf, a) : 0;
}

int audit_devices(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		int rc;

		if (!is_of_interest(&inv->devs[i]))
			continue;
		rc = check_device(inv, (int)i, a);
		if (rc)
			return rc;
	}
	return 0;
}
