// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device bind and release: devices for VFIO without a guest, for DPDK or SPDK. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quarantine.h"
#include "plan/device_check.h"
#include "sriov/reserve.h"
#include "tools/device.h"
#include "tools/device_steps.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define DRIVER_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* ---- bind ---- */

/** struct binding - one carve device bind */
struct binding {
	struct cmd *c;
	struct device_args args;
	struct site site;
	struct inventory inv;
	struct device_take *take;
	struct cv_step_list steps;
	const char *driver; /* of --driver, "auto" */
	const char *user;
	char name[64];
	char title[64];
};

/* Others give no isolation at all: a process could write to all memory through the device. */
static int read_driver(struct binding *b)
{
	const char *driver = cmd_value(b->c, "driver");

	b->driver = driver ? driver : "auto";
	if (strcmp(b->driver, "auto") == 0 ||
	    (strstr(b->driver, "vfio") && strspn(b->driver, DRIVER_CHARS) == strlen(b->driver) &&
	     strlen(b->driver) < INV_TEXT))
		return 0;
	cv_fail(&b->c->err, -EINVAL, CV_EXIT_USAGE, "BAD_DRIVER", b->driver,
		"this is no driver that isolates the device");
	cv_error_wanted(&b->c->err, "auto, vfio-pci, or a variant of it such as mlx5_vfio_pci");
	return -EINVAL;
}

static int read_user(struct binding *b)
{
	const char *user = cmd_value(b->c, "user");
	struct passwd entry, *pw = NULL;
	char buf[4096];

	b->user = user ? user : "";
	if (!user || (getpwnam_r(user, &entry, buf, sizeof(buf), &pw) == 0 && pw))
		return 0;
	cv_fail(&b->c->err, -ENOENT, CV_EXIT_USAGE, "NO_USER", user, "there is no such user");
	cv_error_hint(&b->c->err, "name the user that shall open the devices");
	return -ENOENT;
}

static int choose_drivers(struct binding *b)
{
	int r = 0;

	b->take = calloc(b->args.n + 1, sizeof(*b->take));
	if (!b->take)
		return cv_fail_errno(&b->c->err, -ENOMEM, NULL, "cannot choose drivers");
	for (size_t i = 0; i < b->args.n && r == 0; i++) {
		struct device_take *t = &b->take[i];
		char bdf[CV_BDF_MAX];

		t->dev = inv_find_dev(&b->inv, b->args.v[i]);
		cv_format_bdf(b->args.v[i], bdf);
		if (strcmp(b->driver, "auto") == 0)
			r = sr_vfio_driver(b->c->root, bdf, t->driver, sizeof(t->driver),
					   &b->c->err);
		else
			snprintf(t->driver, sizeof(t->driver), "%.63s", b->driver);
	}
	return r;
}

static int prepare(struct binding *b)
{
	struct cmd *c = b->c;
	char bdf[CV_BDF_MAX];
	int r = cmd_inventory(c, CMD_HOLDERS | CMD_NAMES, NULL, 0, &b->inv);

	r = r ?: plan_check_devices(&b->inv, &b->site, b->args.v, b->args.n, &c->err);
	r = r ?: choose_drivers(b);
	if (r < 0)
		return r;
	cv_format_bdf(b->args.v[0], bdf);
	operation_name(b->name, "dev", b->args.v[0]);
	snprintf(b->title, sizeof(b->title), b->args.n > 1 ? "bind %s and %zu more" : "bind %s",
		 bdf, b->args.n - 1);
	r = device_steps(c->root, &b->inv, b->take, b->args.n, b->user, &b->steps);
	return r < 0 ? cv_fail_errno(&c->err, r, bdf, "cannot make the steps") : 0;
}

static json_t *bound_json(const struct binding *b)
{
	json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; list && i < b->args.n; i++) {
		const struct inv_dev *d = &b->inv.devs[b->take[i].dev];

		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:i}", "bdf",
						      cv_format_bdf(b->args.v[i], bdf), "driver",
						      b->take[i].driver, "before", d->driver,
						      "group", d->group));
	}
	return list;
}

static int report(const struct binding *b)
{
	char bdf[CV_BDF_MAX];

	if (b->c->json)
		return cmd_print_json(b->c, json_pack("{s:i,s:s,s:s,s:o}", "carve_device_bind", 1,
						      "operation", b->name, "user", b->user,
						      "devices", bound_json(b)));
	for (size_t i = 0; i < b->args.n; i++)
		cmd_print("%s: bound to %s, /dev/vfio/%d\n", cv_format_bdf(b->args.v[i], bdf),
			  b->take[i].driver, b->inv.devs[b->take[i].dev].group);
	return 0;
}

/* The lock is held from before the host is looked at: what is free then is free when it is taken. */
static int bind_all(struct binding *b)
{
	_cleanup_close_ int lock = -1;
	struct cmd *c = b->c;
	int r = c->dry_run ? 0 : vm_lock(c, &b->site, &lock);

	r = r ?: prepare(b);
	if (r < 0)
		return r;
	struct operation op = {
		.title = b->title,
		.devices = b->args.v,
		.n_devices = b->args.n,
		.steps = b->steps.v,
		.n_steps = b->steps.n,
		.is_held = true,
		.user = b->user,
	};
	snprintf(op.name, sizeof(op.name), "%s", b->name);
	r = operation_run_locked(c, &op);
	return r < 0 || c->dry_run ? r : report(b);
}

static int run_bind(struct cmd *c)
{
	struct binding b = { .c = c };
	int r = device_args(c, &b.args);

	r = r ?: read_driver(&b);
	r = r ?: read_user(&b);
	r = r ?: cmd_site(c, &b.site);
	r = r ?: bind_all(&b);
	device_args_done(&b.args);
	free(b.take);
	cv_step_list_done(&b.steps);
	inventory_done(&b.inv);
	site_done(&b.site);
	return r;
}

static const struct cmd_option bind_options[] = {
	{ "driver", "NAME",
	  "auto (the default): the variant driver for the device, else vfio-pci; or its name",
	  false },
	{ "user", "USER", "who may open the devices, default root", false },
	{ "crash-at", "N", "end by SIGKILL after journal line N (fault injection)", true },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb device_bind = {
	.name = "bind",
	.args = "BDF...",
	.summary = "take devices from the host for VFIO, all or none, until they are released",
	.min_args = 1,
	.max_args = CMD_MAX_ARGS,
	.complete = "device",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = bind_options,
	.run = run_bind,
};

/* ---- release ---- */

static int fail_foreign(struct cmd *c, const char *bdf, const char *driver)
{
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "NOT_OURS", bdf,
		"the device was not bound by carve device bind");
	cv_error_found(&c->err, "driver %s, no lease", driver);
	cv_error_wanted(&c->err, "a device that carve holds");
	cv_error_hint(&c->err,
		      "give it back with what bound it (driverctl, dpdk-devbind, or carve device "
		      "reserve --remove for the next boot)");
	return -EBUSY;
}

static int fail_not_held(struct cmd *c, const struct inventory *inv, const struct inv_dev *d)
{
	const struct cv_lease *l = inv_device_lease(inv, d->bdf);
	char bdf[CV_BDF_MAX];

	cv_format_bdf(d->bdf, bdf);
	if (l) {
		cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", bdf, "the device is a VM's");
		cv_error_found(&c->err, "lease of VM %s, user %s", l->name, l->owner.user);
		cv_error_hint(&c->err, "carve stop %s gives it back", l->name);
		return -EBUSY;
	}
	if (strstr(d->driver, "vfio") || strstr(d->driver, "uio"))
		return fail_foreign(c, bdf, d->driver);
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NOT_HELD", bdf, "carve does not hold it");
	cv_error_found(&c->err, "%s", d->driver[0] ? d->driver : "no driver");
	cv_error_hint(&c->err, "carve device list shows which devices are held");
	return -ENOENT;
}

/* The kernel takes no function back from a group that is open: better nothing is undone than half. */
static int refuse_open(struct cmd *c, const struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	if (d->holder_kind != INV_HOLDER_PROCESS)
		return 0;
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", cv_format_bdf(d->bdf, bdf),
		"the device is in use");
	cv_error_found(&c->err, "%s", d->holder);
	cv_error_wanted(&c->err, "a device nobody uses");
	cv_error_hint(&c->err, "end that process first; carve device holders %s names all of them",
		      bdf);
	return -EBUSY;
}

/* What carve device bind left: held, or cut off. A change of VFs is not given back, it is recovered. */
static int refuse_change(struct cmd *c, const struct cv_lease *l, struct cv_bdf bdf)
{
	enum operation_rest rest = operation_rest(c, l->name);
	char text[CV_BDF_MAX];

	if (rest == OPERATION_HELD ||
	    (rest == OPERATION_UNFINISHED && strncmp(l->name, "dev-", 4) == 0))
		return 0;
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "NOT_HELD", cv_format_bdf(bdf, text),
		"the device is part of a change that was not finished");
	cv_error_found(&c->err, "%s", l->name);
	cv_error_wanted(&c->err, "a device that was bound by carve device bind");
	cv_error_hint(&c->err, "carve recover %s", l->name);
	return -EBUSY;
}

/* The lease of the operation that holds the device. */
static int find_lease(struct cmd *c, const struct inventory *inv, struct cv_bdf bdf,
		      const struct cv_lease **ret)
{
	int dev = -1, r = device_find(c, inv, bdf, &dev);
	char path[CV_PATH_MAX];

	if (r < 0)
		return r;
	*ret = inv_device_lease(inv, bdf);
	if (!*ret || !cv_exists(c->root, operation_path(path, (*ret)->name, "")))
		return fail_not_held(c, inv, &inv->devs[dev]);
	r = refuse_change(c, *ret, bdf);
	return r ?: refuse_open(c, &inv->devs[dev]);
}

static bool is_given(const struct device_args *args, struct cv_bdf bdf)
{
	for (size_t i = 0; i < args->n; i++)
		if (cv_bdf_cmp(args->v[i], bdf) == 0)
			return true;
	return false;
}

/* What was bound together is undone together: all of it must be meant. */
static int check_whole(struct cmd *c, const struct cv_lease *l, const struct device_args *args)
{
	_cleanup_strv_ struct cv_strv all = { 0 };
	_cleanup_free_ char *text = NULL;
	bool is_whole = true;
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < l->n_devices; i++) {
		is_whole &= is_given(args, l->devices[i]);
		cv_strv_add(&all, cv_format_bdf(l->devices[i], bdf));
	}
	if (is_whole)
		return 0;
	text = cv_strv_join(&all, " ");
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BOUND_TOGETHER", l->name,
		"these devices were bound together, and go back together");
	cv_error_found(&c->err, "only some of them named");
	cv_error_wanted(&c->err, "%s", text ? text : "all of them");
	cv_error_hint(&c->err, "carve device release %s", text ? text : "...");
	return -EINVAL;
}

/* The operations to release, each once. */
static int find_operations(struct cmd *c, const struct device_args *args, struct cv_strv *ret)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	int r = cmd_inventory(c, CMD_HOLDERS, NULL, 0, &inv);

	for (size_t i = 0; i < args->n && r == 0; i++) {
		const struct cv_lease *l = NULL;

		r = find_lease(c, &inv, args->v[i], &l);
		r = r ?: check_whole(c, l, args);
		if (r == 0 && !cv_strv_has(ret, l->name))
			r = cv_strv_add(ret, l->name);
	}
	return r;
}

/* A release that went through may still have found a device that is not well. */
static bool is_quarantined(struct cmd *c, struct cv_bdf bdf)
{
	struct cv_quarantine q;

	return cv_quarantine_read(c->root, bdf, &q, NULL) != -ENOENT;
}

static int report_release(struct cmd *c, const struct device_args *args)
{
	json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < args->n; i++) {
		bool is_bad = is_quarantined(c, args->v[i]);

		cv_format_bdf(args->v[i], bdf);
		json_array_append_new(list,
				      json_pack("{s:s,s:b}", "bdf", bdf, "quarantined", is_bad));
		if (!c->json)
			cmd_print("%s: given back%s\n", bdf,
				  is_bad ? ", in quarantine: carve device show tells why" : "");
	}
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:o}", "carve_device_release", 1,
						   "devices", list));
	json_decref(list);
	return 0;
}

static int print_dry_release(struct cmd *c, const struct cv_strv *names)
{
	json_t *list = json_array();

	for (size_t i = 0; i < names->n; i++) {
		json_array_append_new(list, json_string(names->v[i]));
		if (!c->json)
			cmd_print("would undo %s\n", names->v[i]);
	}
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:o}", "carve_device_release", 1,
						   "operations", list));
	json_decref(list);
	return 0;
}

/* Who has a device open, and what holds it, stays so until it is released. */
static int release_all(struct cmd *c, const struct device_args *args, const struct site *site)
{
	_cleanup_close_ int lock = -1;
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = c->dry_run ? 0 : vm_lock(c, site, &lock);

	r = r ?: find_operations(c, args, &names);
	if (r == 0 && c->dry_run)
		return print_dry_release(c, &names);
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = operation_release_locked(c, names.v[i]);
	return r < 0 ? r : report_release(c, args);
}

static int run_release(struct cmd *c)
{
	_cleanup_args_ struct device_args args = { 0 };
	_cleanup_site_ struct site site = { 0 };
	int r = device_args(c, &args);

	r = r ?: cmd_site(c, &site);
	return r ?: release_all(c, &args, &site);
}

const struct cmd_verb device_release = {
	.name = "release",
	.args = "BDF...",
	.summary = "give devices of carve device bind back, as they were",
	.min_args = 1,
	.max_args = CMD_MAX_ARGS,
	.complete = "device",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.run = run_release,
};
