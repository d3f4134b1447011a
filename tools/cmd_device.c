// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device: PCI functions of this host by hand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/inventory_json.h"
#include "tools/device.h"

void device_args_done(struct device_args *a)
{
	free(a->v);
	*a = (struct device_args){ 0 };
}

static int fail_address(struct cmd *c, const char *arg)
{
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_ADDRESS", arg, "this is no PCI address");
	cv_error_wanted(&c->err, "an address such as 0000:81:10.0 or 81:10.0");
	cv_error_hint(&c->err, "carve device list shows the functions of this host");
	return -EINVAL;
}

int device_address(struct cmd *c, const char *arg, struct cv_bdf *ret)
{
	return cv_parse_bdf(arg, ret) < 0 ? fail_address(c, arg) : 0;
}

static bool is_among(const struct device_args *a, struct cv_bdf bdf)
{
	for (size_t i = 0; i < a->n; i++)
		if (cv_bdf_cmp(a->v[i], bdf) == 0)
			return true;
	return false;
}

int device_args(struct cmd *c, struct device_args *ret)
{
	_cleanup_args_ struct device_args a = { .v = calloc(c->n_args + 1, sizeof(*a.v)) };

	if (!a.v)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot read the arguments");
	for (; a.n < c->n_args; a.n++) {
		struct cv_bdf bdf;
		int r = device_address(c, c->args[a.n], &bdf);

		if (r < 0)
			return r;
		if (is_among(&a, bdf))
			return cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "GIVEN_TWICE", c->args[a.n],
				       "the device is named twice");
		a.v[a.n] = bdf;
	}
	*ret = a;
	a = (struct device_args){ 0 };
	return 0;
}

int device_find(struct cmd *c, const struct inventory *inv, struct cv_bdf bdf, int *ret)
{
	char text[CV_BDF_MAX];
	int dev = inv_find_dev(inv, bdf);

	if (dev < 0) {
		cv_fail(&c->err, -ENODEV, CV_EXIT_NOT_FOUND, "ENODEV", cv_format_bdf(bdf, text),
			"there is no such PCI function");
		cv_error_hint(&c->err, "carve device list shows the functions of this host");
		return -ENODEV;
	}
	*ret = dev;
	return 0;
}

bool device_is_bridge(const struct inv_dev *d)
{
	return inv_is_bridge(d) || d->class >> 16 == 0x06;
}

int device_refuse_bridge(struct cmd *c, const struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	if (!device_is_bridge(d))
		return 0;
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NOT_AN_ENDPOINT", cv_format_bdf(d->bdf, bdf),
		"this is a bridge: what is behind it would go with it");
	cv_error_found(&c->err, "%s", d->name[0] ? d->name : "PCI bridge");
	cv_error_wanted(&c->err, "an endpoint function");
	cv_error_hint(&c->err, "carve topo shows the functions behind it");
	return -EINVAL;
}

const char *device_health(const struct inv_dev *d)
{
	if (d->is_silent)
		return "no answer";
	if (d->is_quarantined)
		return "quarantined";
	return d->is_unreadable ? "unreadable" : "ok";
}

const char *device_use(const struct inventory *inv, const struct inv_dev *d,
		       char buf[DEVICE_USE_MAX])
{
	const struct cv_lease *l = inv_device_lease(inv, d->bdf);

	if (l && cv_lease_is_vm(l))
		snprintf(buf, DEVICE_USE_MAX, "VM %s of %s", l->name, l->owner.user);
	else if (l)
		snprintf(buf, DEVICE_USE_MAX, "held for %s", l->owner.user);
	else
		snprintf(buf, DEVICE_USE_MAX, "%s", d->holder);
	return buf;
}

json_t *device_json(const struct inventory *inv, int dev)
{
	const struct inv_dev *d = &inv->devs[dev];
	const struct cv_lease *l = inv_device_lease(inv, d->bdf);
	json_t *j = inv_dev_json(inv, (size_t)dev);

	if (j && json_object_set_new(j, "health", json_string(device_health(d))) == 0 &&
	    json_object_set_new(j, "lease_of_vm", json_boolean(l && cv_lease_is_vm(l))) == 0 &&
	    json_object_set_new(j, "lease_user", l ? cv_json_string(l->owner.user) : json_null()) ==
		    0)
		return j;
	json_decref(j);
	return NULL;
}

json_t *device_bdf_json(const struct cv_bdf *bdfs, size_t n)
{
	json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, json_string(cv_format_bdf(bdfs[i], bdf)));
	return list;
}

static const struct cmd_verb *const device_verbs[] = {
	&device_list,	   &device_show,  &device_holders,
	&device_group,	   &device_bind,  &device_release,
	&device_reset,	   &device_clear, &device_reserve,
	&device_udev_name, NULL,
};

const struct cmd_verb cmd_device = {
	.name = "device",
	.args = "VERB",
	.summary = "PCI devices by hand: list, show, bind, release, reset, quarantine, reserve",
	.complete = "",
	.verbs = device_verbs,
};
