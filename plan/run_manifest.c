// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/run_manifest.h"

#include <string.h>

#include "base/cleanup.h"
#include "plan/inventory_json.h"

int run_manifest_anchor(const struct inventory *inv, const struct plan_device *d)
{
	int dev = inv_find_dev(inv, d->is_vf ? d->pf : d->host);

	return dev >= 0 || !d->is_vf ? dev : inv_find_dev(inv, d->host);
}

/* ---- the host ---- */

/* The inventory's own words for the host, without its devices. */
static json_t *host_facts(const struct inventory *inv)
{
	const struct inventory host_only = { .host = inv->host };
	_cleanup_json_ json_t *topo = inventory_json(&host_only);
	json_t *host = json_object_get(topo, "host");

	if (!host)
		return NULL;
	/* of the process that reads it, not of the host */
	json_object_del(host, "memlock_limit");
	return json_incref(host);
}

static json_t *host_json(const struct run_manifest *m)
{
	_cleanup_json_ json_t *host = host_facts(m->inv);

	if (!host || json_object_set(host, "firmware", m->firmware) < 0 ||
	    json_object_set_new(host, "microcode", cv_json_string(m->microcode)) < 0 ||
	    json_object_set(host, "mitigations", m->mitigations) < 0 ||
	    json_object_set(host, "drivers", m->drivers) < 0)
		return NULL;
	return TAKE_PTR(host);
}

/* ---- devices and the ports above them ---- */

/* Members of a function as the inventory tells them. */
static json_t *members_of(const struct inventory *inv, int dev, const char *const *names)
{
	_cleanup_json_ json_t *all = inv_dev_json(inv, (size_t)dev);
	_cleanup_json_ json_t *j = json_object();

	for (; *names; names++) {
		json_t *value = json_object_get(all, *names);

		if (!value || json_object_set(j, *names, value) < 0)
			return NULL;
	}
	return TAKE_PTR(j);
}

static json_t *above_json(const struct inventory *inv, int dev)
{
	_cleanup_json_ json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (int up = inv->devs[dev].parent; up >= 0; up = inv->devs[up].parent)
		if (json_array_append_new(list,
					  json_string(cv_format_bdf(inv->devs[up].bdf, bdf))) < 0)
			return NULL;
	return TAKE_PTR(list);
}

/* Link, driver and ports are those of the PF for a VF: a VF has none of its own. */
static json_t *device_json(const struct inventory *inv, const struct plan_device *d)
{
	static const char *const members[] = { "root",	 "group",  "driver", "link",
					       "serial", "acs",	   "ats",    "ats_enabled",
					       "vendor", "device", NULL };
	int dev = run_manifest_anchor(inv, d);
	_cleanup_json_ json_t *j = dev < 0 ? json_object() : members_of(inv, dev, members);
	char host[CV_BDF_MAX], of[CV_BDF_MAX] = "";

	if (dev >= 0)
		cv_format_bdf(inv->devs[dev].bdf, of);
	if (!j || json_object_set_new(j, "bdf", json_string(cv_format_bdf(d->host, host))) < 0 ||
	    json_object_set_new(j, "read_of", json_string(of)) < 0 ||
	    json_object_set_new(j, "above", dev < 0 ? json_array() : above_json(inv, dev)) < 0)
		return NULL;
	return TAKE_PTR(j);
}

static json_t *devices_json(const struct run_manifest *m)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < m->plan->n_devices; i++)
		if (json_array_append_new(list, device_json(m->inv, &m->plan->devices[i])) < 0)
			return NULL;
	return TAKE_PTR(list);
}

static bool is_above_one(const struct run_manifest *m, int port)
{
	for (size_t i = 0; i < m->plan->n_devices; i++) {
		int up = run_manifest_anchor(m->inv, &m->plan->devices[i]);

		while (up >= 0 && up != port)
			up = m->inv->devs[up].parent;
		if (up == port && inv_is_bridge(&m->inv->devs[port]))
			return true;
	}
	return false;
}

/* Each once, in the order of their addresses. */
static json_t *ports_json(const struct run_manifest *m)
{
	static const char *const members[] = { "bdf",	  "port",     "vendor", "device", "acs",
					       "acs_cap", "acs_ctrl", "link",	NULL };
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < m->inv->n_devs; i++)
		if (is_above_one(m, (int)i) &&
		    json_array_append_new(list, members_of(m->inv, (int)i, members)) < 0)
			return NULL;
	return TAKE_PTR(list);
}

/* ---- all of it ---- */

json_t *run_manifest_json(const struct run_manifest *m)
{
	return json_pack("{s:i,s:I,s:s,s:{s:s,s:s},s:{s:s,s:o},s:{s:s},s:o,s:o,s:o,s:O*,s:o}",
			 RUN_MANIFEST_MARKER, RUN_MANIFEST_VERSION, "time", (json_int_t)m->time,
			 "name", m->plan->name, "carve", "version", m->version, "build", m->build,
			 "vmm", "backend", m->plan->backend, "version",
			 cv_json_string(m->vmm_version), "hypervisor", "path", m->hypervisor,
			 "host", host_json(m), "devices", devices_json(m), "ports", ports_json(m),
			 "timings", m->timings, "plan", plan_json(m->plan));
}
