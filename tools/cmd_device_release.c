// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device release: what carve device bind took goes back as it was. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "tools/bind_functions.h"
#include "tools/device.h"
#include "tools/device_release.h"
#include "tools/operation.h"
#include "tools/vm.h"

/**
 * struct releasing - one carve device release
 * @args:     what was named by address
 * @given:    operations that were named themselves
 * @devices:  all functions that this is about
 * @names:    the operations to undo, each once
 */
struct releasing {
	struct cmd *c;
	struct bind_args args;
	struct cv_strv given;
	struct inventory inv;
	struct cv_bdf *devices;
	size_t n_devices;
	struct cv_strv names;
};

static void releasing_done(struct releasing *x)
{
	free(x->devices);
	cv_strv_done(&x->given);
	cv_strv_done(&x->names);
	inventory_done(&x->inv);
}

/* ---- what cannot be given back ---- */

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
static int refuse_change(struct cmd *c, const char *name, const char *object)
{
	enum operation_rest rest = operation_rest(c, name);

	if (rest == OPERATION_HELD ||
	    (rest == OPERATION_UNFINISHED && strncmp(name, "dev-", 4) == 0))
		return 0;
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "NOT_HELD", object,
		"the device is part of a change that was not finished");
	cv_error_found(&c->err, "%s", name);
	cv_error_wanted(&c->err, "a device that was bound by carve device bind");
	cv_error_hint(&c->err, "carve recover %s", name);
	return -EBUSY;
}

/* The lease of the operation that holds the device. */
static int find_lease(struct releasing *x, const struct plan_function *f,
		      const struct cv_lease **ret)
{
	char path[CV_PATH_MAX], bdf[CV_BDF_MAX];
	struct cmd *c = x->c;
	int r;

	*ret = inv_device_lease(&x->inv, f->bdf);
	if (!*ret || !cv_exists(c->root, operation_path(path, (*ret)->name, "")))
		return fail_not_held(c, &x->inv, &x->inv.devs[f->dev]);
	r = refuse_change(c, (*ret)->name, cv_format_bdf(f->bdf, bdf));
	return r ?: refuse_open(c, &x->inv.devs[f->dev]);
}

static bool is_given(const struct releasing *x, struct cv_bdf bdf)
{
	for (size_t i = 0; i < x->n_devices; i++)
		if (cv_bdf_cmp(x->devices[i], bdf) == 0)
			return true;
	return false;
}

/* What was bound together is undone together: all of it must be meant. */
static int check_whole(struct releasing *x, const struct cv_lease *l)
{
	_cleanup_strv_ struct cv_strv all = { 0 };
	_cleanup_free_ char *text = NULL;
	bool is_whole = true;
	char bdf[CV_BDF_MAX];
	struct cmd *c = x->c;

	for (size_t i = 0; i < l->n_devices; i++) {
		is_whole &= is_given(x, l->devices[i]);
		cv_strv_add(&all, cv_format_bdf(l->devices[i], bdf));
	}
	if (is_whole)
		return 0;
	text = cv_strv_join(&all, " ");
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BOUND_TOGETHER", l->name,
		"these devices were bound together, and go back together");
	cv_error_found(&c->err, "only some of them named");
	cv_error_wanted(&c->err, "%s", text ? text : "all of them");
	cv_error_hint(&c->err, "carve device release %s",
		      l->n_devices > 2 || !text ? l->name : text);
	return -EINVAL;
}

/* ---- what is given back ---- */

static int add_device(struct releasing *x, struct cv_bdf bdf)
{
	struct cv_bdf *grown = reallocarray(x->devices, x->n_devices + 1, sizeof(*grown));

	if (!grown)
		return cv_fail_errno(&x->c->err, -ENOMEM, NULL, "cannot list the devices");
	x->devices = grown;
	x->devices[x->n_devices++] = bdf;
	return 0;
}

static int add_operation(struct releasing *x, const char *name)
{
	if (cv_strv_has(&x->names, name) || cv_strv_add(&x->names, name) == 0)
		return 0;
	return cv_fail_errno(&x->c->err, -ENOMEM, name, "cannot list what to release");
}

static int read_arguments(struct releasing *x)
{
	struct cmd *c = x->c;
	int r = 0;

	for (size_t i = 0; i < c->n_args && r == 0; i++) {
		struct bind_arg arg;

		if (strncmp(c->args[i], "dev-", 4) == 0 && cv_name_is_valid(c->args[i])) {
			r = cv_strv_add(&x->given, c->args[i]);
			continue;
		}
		r = bind_arg_read(c, c->args[i], &arg);
		r = r ?: bind_args_add(c, &x->args, &arg);
	}
	return r == -ENOMEM ? cv_fail_errno(&c->err, r, NULL, "cannot read the arguments") : r;
}

static int fail_no_operation(struct cmd *c, const char *name)
{
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NOT_HELD", name,
		"carve holds nothing under this name");
	cv_error_hint(&c->err, "carve device list shows which devices are held, and by whom");
	return -ENOENT;
}

/* Functions of its lease that are not there (any more) are in nobody's way. */
static int add_lease(struct releasing *x, const struct cv_lease *l)
{
	int r = 0;

	for (size_t i = 0; i < l->n_devices && r == 0; i++) {
		int dev = inv_find_dev(&x->inv, l->devices[i]);

		r = dev < 0 ? 0 : refuse_open(x->c, &x->inv.devs[dev]);
		if (r == 0 && !is_given(x, l->devices[i]))
			r = add_device(x, l->devices[i]);
	}
	return r;
}

static int find_named(struct releasing *x, const char *name)
{
	char path[CV_PATH_MAX];
	int r;

	if (!cv_exists(x->c->root, operation_path(path, name, "")))
		return fail_no_operation(x->c, name);
	r = refuse_change(x->c, name, name);
	for (size_t i = 0; i < x->inv.n_leases && r == 0; i++)
		if (strcmp(x->inv.leases[i].name, name) == 0)
			r = add_lease(x, &x->inv.leases[i]);
	return r ?: add_operation(x, name);
}

static int find_addressed(struct releasing *x)
{
	_cleanup_functions_ struct bind_functions f = { 0 };
	int r = bind_functions(x->c, &x->inv, &x->args, false, &f);

	for (size_t i = 0; i < f.n && r == 0; i++)
		r = is_given(x, f.v[i].bdf) ? 0 : add_device(x, f.v[i].bdf);
	for (size_t i = 0; i < f.n && r == 0; i++) {
		const struct cv_lease *l = NULL;

		r = find_lease(x, &f.v[i], &l);
		r = r ?: check_whole(x, l);
		r = r ?: add_operation(x, l->name);
	}
	return r;
}

static int find_operations(struct releasing *x)
{
	int r = cmd_inventory(x->c, CMD_HOLDERS, NULL, 0, &x->inv);

	for (size_t i = 0; i < x->given.n && r == 0; i++)
		r = find_named(x, x->given.v[i]);
	return r ?: find_addressed(x);
}

static int print_dry_run(struct cmd *c, const struct cv_strv *names)
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

/* All VFs of a PF that has none. */
static int fail_nothing(struct releasing *x)
{
	cv_fail(&x->c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NOT_HELD", x->c->args[0],
		"carve holds nothing of it");
	cv_error_hint(&x->c->err, "carve device list shows which devices are held");
	return -ENOENT;
}

/* Who has a device open, and what holds it, stays so until it is released. */
static int release_all(struct releasing *x, const struct site *site)
{
	_cleanup_close_ int lock = -1;
	struct cmd *c = x->c;
	int r = c->dry_run ? 0 : vm_lock(c, site, &lock);

	r = r ?: operation_refuse_unfinished(c, "reset-");
	r = r ?: find_operations(x);
	if (r == 0 && x->names.n == 0)
		r = fail_nothing(x);
	if (r == 0 && c->dry_run)
		return print_dry_run(c, &x->names);
	if (r < 0)
		return r;
	return device_release_each(c, &(struct device_release){ &x->inv, x->devices, x->n_devices,
								&x->names });
}

static int run_release(struct cmd *c)
{
	_cleanup_(releasing_done) struct releasing x = { .c = c };
	_cleanup_site_ struct site site = { 0 };
	int r = read_arguments(&x);

	r = r ?: cmd_site(c, &site);
	return r ?: release_all(&x, &site);
}

const struct cmd_verb device_release = {
	.name = "release",
	.args = "BDF|PF=N|NAME...",
	.summary = "give devices of carve device bind back, as they were",
	.min_args = 1,
	.max_args = CMD_MAX_ARGS,
	.complete = "device",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.run = run_release,
};
