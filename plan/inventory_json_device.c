// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/inventory.h"
#include "plan/inventory_json.h"

static const char *port_name(enum inv_port port)
{
	static const char *const names[] = {
		[INV_PORT_ENDPOINT] = "endpoint",
		[INV_PORT_ROOT_ENDPOINT] = "root-endpoint",
		[INV_PORT_ROOT] = "root-port",
		[INV_PORT_UPSTREAM] = "upstream",
		[INV_PORT_DOWNSTREAM] = "downstream",
		[INV_PORT_BRIDGE] = "bridge",
		[INV_PORT_CONVENTIONAL] = "conventional",
	};

	return names[port];
}

const char *inv_holder_name(enum inv_holder_kind kind)
{
	static const char *const names[] = {
		[INV_HOLDER_NONE] = "none",	  [INV_HOLDER_MOUNT] = "mount",
		[INV_HOLDER_NETDEV] = "netdev",	  [INV_HOLDER_PROCESS] = "process",
		[INV_HOLDER_FOREIGN] = "foreign",
	};

	return names[kind];
}

static json_t *bdf_or_null(const struct inventory *inv, int dev)
{
	char buf[CV_BDF_MAX];

	if (dev < 0 || (size_t)dev >= inv->n_devs)
		return json_null();
	return json_string(cv_format_bdf(inv->devs[dev].bdf, buf));
}

static json_t *bar_json(int i, const struct inv_bar *b)
{
	return json_pack("{si sI sI sI sb sb sb}", "bar", i, "size", (json_int_t)b->size, "address",
			 (json_int_t)b->address, "resizable", (json_int_t)b->resizable, "64bit",
			 b->is_64bit, "prefetchable", b->is_prefetchable, "io", b->is_io);
}

static json_t *bars_json(const struct inv_bar *bars)
{
	_cleanup_json_ json_t *list = json_array();

	for (int i = 0; list && i < INV_MAX_BARS; i++) {
		if (bars[i].size && json_array_append_new(list, bar_json(i, &bars[i])))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *link_json(const struct inv_link *l)
{
	if (l->width == 0 && l->max_width == 0)
		return json_null();
	return json_pack("{si si si si}", "speed", (int)l->speed, "width", (int)l->width,
			 "max_speed", (int)l->max_speed, "max_width", (int)l->max_width);
}

static json_t *sriov_json(const struct inv_sriov *s)
{
	if (s->total == 0)
		return json_null();
	return json_pack("{si si si si si sb so}", "total", (int)s->total, "num", (int)s->num,
			 "offset", (int)s->offset, "stride", (int)s->stride, "vf_device",
			 (int)s->vf_device, "autoprobe", s->autoprobe, "vf_bars",
			 bars_json(s->vf_bars));
}

static json_t *netdev_json(const struct inv_dev *d)
{
	if (!d->netdev[0])
		return json_null();
	return json_pack("{so sb sb}", "name", cv_json_string(d->netdev), "up", d->net_up,
			 "carrier", d->net_carrier);
}

static json_t *identity_json(const struct inventory *inv, const struct inv_dev *d)
{
	char buf[CV_BDF_MAX];

	return json_pack("{ss so ss ss so si si si si si so}", "bdf", cv_format_bdf(d->bdf, buf),
			 "parent", bdf_or_null(inv, d->parent), "root", d->root, "class_name",
			 inv_class_name(d), "name", cv_json_string(d->name), "class", (int)d->class,
			 "vendor", (int)d->vendor, "device", (int)d->device, "subvendor",
			 (int)d->subvendor, "subdevice", (int)d->subdevice, "serial",
			 cv_json_string(d->serial));
}

static json_t *place_json(const struct inventory *inv, const struct inv_dev *d)
{
	return json_pack("{ss so so so so so so so so so}", "port", port_name(d->port), "node",
			 inv_json_number(d->node), "group", inv_json_number(d->group), "driver",
			 cv_json_string(d->driver), "driver_override",
			 cv_json_string(d->driver_override), "pf", bdf_or_null(inv, d->pf),
			 "vf_index", inv_json_number(d->vf_index), "sriov", sriov_json(&d->sriov),
			 "link", link_json(&d->link), "netdev", netdev_json(d));
}

static json_t *state_json(const struct inv_dev *d)
{
	return json_pack("{so so si si sb sb sb sb sb sb sb ss so so}", "bars", bars_json(d->bars),
			 "reset_methods", cv_json_string(d->reset_methods), "acs_cap",
			 (int)d->acs_cap, "acs_ctrl", (int)d->acs_ctrl, "acs", d->has_acs, "ats",
			 d->has_ats, "ats_enabled", d->ats_enabled, "pasid", d->has_pasid,
			 "pasid_enabled", d->pasid_enabled, "multifunction", d->is_multifunction,
			 "unreadable", d->is_unreadable, "holder_kind",
			 inv_holder_name(d->holder_kind), "holder", cv_json_string(d->holder),
			 "quarantine",
			 d->is_quarantined ? cv_json_string(d->quarantine) : json_null());
}

json_t *inv_dev_json(const struct inventory *inv, size_t i)
{
	const struct inv_dev *d = &inv->devs[i];
	_cleanup_json_ json_t *j = identity_json(inv, d);
	_cleanup_json_ json_t *place = place_json(inv, d);
	_cleanup_json_ json_t *state = state_json(d);

	if (!j || !place || !state || json_object_update(j, place) || json_object_update(j, state))
		return NULL;
	if (json_object_set_new(j, "lease", json_null()))
		return NULL;
	const struct cv_lease *lease = inv_device_lease(inv, d->bdf);
	if (lease && json_object_set_new(j, "lease", cv_json_string(lease->name)))
		return NULL;
	return TAKE_PTR(j);
}
