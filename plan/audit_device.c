// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices one by one: what keeps each from being given to a guest, or from being fast there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "plan/audit_checks.h"

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
	audit_effect(f, "it is not given to a guest");
	if (d->is_silent) {
		audit_evidence(f, "/sys/bus/pci/devices/%s: %s", cv_format_bdf(d->bdf, bdf),
			       d->quarantine);
		audit_fix(f, "see dmesg for a probe or unbind that hangs; it usually needs a "
			     "reboot");
		return true;
	}
	audit_evidence(f, CV_QUARANTINE_DIR "/%s.json: %s", cv_format_bdf(d->bdf, bdf),
		       d->quarantine);
	audit_fix(f, "find the cause, prove the device healthy, then remove that file");
	return true;
}

static const struct audit_fact facts[] = {
	{ "device-config", AUDIT_FAIL, find_unreadable },
	{ "device-quarantine", AUDIT_FAIL, find_quarantine },
	{ "device-group", AUDIT_WARN, audit_find_group },
	{ "device-bars", AUDIT_FAIL, audit_find_unplaced_bar },
	{ "device-vf-bars", AUDIT_WARN, audit_find_unplaced_vf_bar },
	{ "device-rebar", AUDIT_WARN, audit_find_small_bar },
	{ "device-window", AUDIT_FAIL, audit_find_no_window },
	{ "device-node", AUDIT_WARN, find_no_node },
	{ "device-reset", AUDIT_WARN, find_no_reset },
	{ "device-link", AUDIT_WARN, audit_find_slow_link },
};

bool audit_is_candidate(const struct inv_dev *d)
{
	static const char *const words[] = { "gpu", "accel", "net", "ib", "nvme" };

	if (d->pf >= 0 || inv_is_bridge(d) || inv_is_bmc_display(d))
		return false;
	for (size_t i = 0; i < CV_ARRAY_SIZE(words); i++)
		if (!strcmp(inv_class_name(d), words[i]))
			return true;
	return d->sriov.total > 0;
}

static int add_pass(const struct inventory *inv, int dev, const char *object, struct audit *a)
{
	const struct inv_dev *d = &inv->devs[dev];
	char unit[96] = "", group[16] = "none", node[16] = "none";
	struct audit_finding *f = audit_add(a, "device", AUDIT_PASS, object);

	if (!f)
		return -ENOMEM;
	if (d->group >= 0)
		snprintf(group, sizeof(group), "%d", d->group);
	if (d->node >= 0)
		snprintf(node, sizeof(node), "%d", d->node);
	audit_evidence(f, "%s, driver %s, group %s, node %s, reset %s, %u VFs possible",
		       inv_class_name(d), d->driver[0] ? d->driver : "none", group, node,
		       d->reset_methods, d->sriov.total);
	if (audit_unit(inv, dev, unit, sizeof(unit)) > 0)
		audit_effect(f, "it can be given to a guest, as one unit with %s", unit);
	else
		audit_effect(f, "it%s can be given to a guest",
			     d->sriov.total ? " or its VFs" : "");
	return 0;
}

static int check_device(const struct inventory *inv, int dev, struct audit *a)
{
	size_t before = a->n;
	char bdf[CV_BDF_MAX];

	cv_format_bdf(inv->devs[dev].bdf, bdf);
	for (size_t i = 0; i < CV_ARRAY_SIZE(facts); i++) {
		struct audit_finding found = { .check = facts[i].check,
					       .verdict = facts[i].verdict };
		struct audit_finding *f;

		/* What holds for a PF holds for its VFs; the quarantine is each one's own. */
		if (inv->devs[dev].pf >= 0 && facts[i].find != find_quarantine)
			continue;
		if (!facts[i].find(inv, dev, &found))
			continue;
		f = audit_add(a, found.check, found.verdict, bdf);
		if (!f)
			return -ENOMEM;
		memcpy(found.object, f->object, sizeof(found.object));
		*f = found;
	}
	return a->n == before ? add_pass(inv, dev, bdf, a) : 0;
}

int audit_devices(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];
		int rc;

		if (!d->is_quarantined && !audit_is_candidate(d))
			continue;
		rc = check_device(inv, (int)i, a);
		if (rc)
			return rc;
	}
	return 0;
}
