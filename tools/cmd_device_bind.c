// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device bind: devices for VFIO without a guest, for DPDK or SPDK. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/reserve.h"
#include "tools/bind_functions.h"
#include "tools/bind_pages.h"
#include "tools/device.h"
#include "tools/device_reset.h"
#include "tools/device_steps.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define DRIVER_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/**
 * struct binding - one carve device bind
 * @take, @bdfs: @functions.n
 * @resets:      the same, NULL without --reset
 */
struct binding {
	struct cmd *c;
	struct bind_args args;
	struct bind_pages pages;
	struct site site;
	struct inventory inv;
	struct bind_functions functions;
	struct device_take *take;
	struct cv_bdf *bdfs;
	struct sr_reset_result *resets;
	struct cv_step_list steps;
	const char *driver; /* of --driver, "auto" */
	const char *user;
	char name[64];
	char title[64];
};

/* ---- the command line ---- */

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

static int read_arguments(struct binding *b)
{
	struct cmd *c = b->c;
	int r = 0;

	for (size_t i = 0; i < c->n_args && r == 0; i++) {
		struct bind_arg arg;

		r = bind_arg_read(c, c->args[i], &arg);
		r = r ?: bind_args_add(c, &b->args, &arg);
	}
	r = r ?: read_driver(b);
	r = r ?: read_user(b);
	return r ?: bind_pages_read(c, &b->pages);
}

/* ---- before anything is changed ---- */

static int choose_driver(struct binding *b, struct device_take *t)
{
	char bdf[CV_BDF_MAX];

	if (strcmp(b->driver, "auto") != 0)
		snprintf(t->driver, sizeof(t->driver), "%.63s", b->driver);
	else if (t->f.dev < 0)
		sr_vfio_driver_of_vf(b->c->root, &b->inv.devs[t->f.pf], t->driver,
				     sizeof(t->driver));
	else
		return sr_vfio_driver(b->c->root, cv_format_bdf(t->f.bdf, bdf), t->driver,
				      sizeof(t->driver), &b->c->err);
	return 0;
}

static int choose_drivers(struct binding *b)
{
	size_t n = b->functions.n;
	int r = 0;

	b->take = calloc(n + 1, sizeof(*b->take));
	b->bdfs = calloc(n + 1, sizeof(*b->bdfs));
	if (!b->take || !b->bdfs)
		return cv_fail_errno(&b->c->err, -ENOMEM, NULL, "cannot choose drivers");
	for (size_t i = 0; i < n && r == 0; i++) {
		b->take[i].f = b->functions.v[i];
		b->bdfs[i] = b->functions.v[i].bdf;
		r = choose_driver(b, &b->take[i]);
	}
	return r;
}

static int check(struct binding *b)
{
	struct cmd *c = b->c;
	int r = bind_inventory(c, CMD_HOLDERS, &b->args, &b->inv);

	r = r ?: bind_functions(c, &b->inv, &b->args, true, &b->functions);
	r = r ?: plan_check_functions(&b->inv, &b->site, b->functions.v, b->functions.n, &c->err);
	if (r == 0 && b->pages.n)
		r = plan_check_pages(&b->inv, &b->site, b->pages.v, b->pages.n, &c->err);
	return r ?: choose_drivers(b);
}

static int make_steps(struct binding *b)
{
	const struct device_wish wish = {
		.inv = &b->inv,
		.take = b->take,
		.n = b->functions.n,
		.pages = b->pages.v,
		.n_pages = b->pages.n,
		.user = b->user,
	};
	char bdf[CV_BDF_MAX];
	size_t used;
	int r;

	cv_format_bdf(b->bdfs[0], bdf);
	operation_name(b->name, "dev", b->bdfs[0]);
	used = (size_t)snprintf(b->title, sizeof(b->title), "bind %s", bdf);
	if (wish.n > 1)
		snprintf(b->title + used, sizeof(b->title) - used, " and %zu more", wish.n - 1);
	r = device_steps(&wish, &b->steps);
	return r < 0 ? cv_fail_errno(&b->c->err, r, bdf, "cannot make the steps") : 0;
}

/* ---- the reset ---- */

/* What has just come is in no inventory yet. */
static int find_again(struct binding *b, struct inventory *inv, int *devs)
{
	int r = bind_inventory(b->c, 0, &b->args, inv);

	for (size_t i = 0; i < b->functions.n && r == 0; i++)
		r = device_find(b->c, inv, b->bdfs[i], &devs[i]);
	return r;
}

/* A device that is in no known state is of no use: without its reset nothing is bound. */
static int reset_bound(struct cmd *c, void *ctx)
{
	struct binding *b = ctx;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_free_ int *devs = calloc(b->functions.n + 1, sizeof(*devs));
	int r;

	b->resets = calloc(b->functions.n + 1, sizeof(*b->resets));
	if (!devs || !b->resets)
		return cv_fail_errno(&c->err, -ENOMEM, b->name, "cannot reset the devices");
	r = find_again(b, &inv, devs);
	return r ?: device_reset_all(c, &inv, devs, b->functions.n, SR_RUNGS, b->resets);
}

/* ---- after ---- */

static json_t *bound_json(const struct binding *b)
{
	json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; list && i < b->functions.n; i++) {
		const struct device_take *t = &b->take[i];

		cv_format_bdf(t->f.bdf, bdf);
		json_array_append_new(
			list, json_pack("{s:s,s:s,s:s,s:i}", "bdf", bdf, "driver", t->driver,
					"before", t->f.dev < 0 ? "" : b->inv.devs[t->f.dev].driver,
					"group", sr_group(b->c->root, bdf)));
	}
	return list;
}

static json_t *pages_json(const struct binding *b)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < b->pages.n; i++) {
		const struct cv_lease_pages *p = &b->pages.v[i];

		json_array_append_new(list, json_pack("{s:i,s:I,s:I}", "node", p->node, "page_size",
						      (json_int_t)p->page_size, "pages",
						      (json_int_t)p->pages));
	}
	return list;
}

static int report_json(const struct binding *b)
{
	json_t *j = json_pack("{s:i,s:s,s:s,s:o,s:o}", "carve_device_bind", 1, "operation", b->name,
			      "user", b->user, "devices", bound_json(b), "pages", pages_json(b));

	if (j && b->resets)
		json_object_set_new(j, "resets", device_reset_json(b->resets, b->functions.n));
	return cmd_print_json(b->c, j);
}

static int report(const struct binding *b)
{
	char bdf[CV_BDF_MAX];

	if (b->c->json)
		return report_json(b);
	for (size_t i = 0; i < b->functions.n; i++) {
		cv_format_bdf(b->bdfs[i], bdf);
		cmd_print("%s: bound to %s, /dev/vfio/%d%s%s\n", bdf, b->take[i].driver,
			  sr_group(b->c->root, bdf), b->resets ? ", reset by " : "",
			  b->resets ? sr_rung_name(b->resets[i].rung) : "");
	}
	if (b->functions.n > 1)
		cmd_note(b->c, "carve device release %s gives them back", b->name);
	return 0;
}

/* ---- bind ---- */

/* The reset is part of the change: who is killed in it has not bound anything yet. */
static int bind_locked(struct binding *b)
{
	struct operation op = {
		.title = b->title,
		.devices = b->bdfs,
		.n_devices = b->functions.n,
		.pages = b->pages.v,
		.n_pages = b->pages.n,
		.steps = b->steps.v,
		.n_steps = b->steps.n,
		.work = cmd_flag(b->c, "reset") ? reset_bound : NULL,
		.ctx = b,
		.is_held = true,
		.user = b->user,
	};

	snprintf(op.name, sizeof(op.name), "%s", b->name);
	return operation_run_locked(b->c, &op);
}

/* The lock is held from before the host is looked at: what is free then is free when it is taken. */
static int bind_all(struct binding *b)
{
	_cleanup_close_ int lock = -1;
	struct cmd *c = b->c;
	int r = c->dry_run ? 0 : vm_lock(c, &b->site, &lock);

	r = r ?: check(b);
	r = r ?: make_steps(b);
	r = r ?: bind_locked(b);
	return r < 0 || c->dry_run ? r : report(b);
}

static void binding_done(struct binding *b)
{
	free(b->take);
	free(b->bdfs);
	free(b->resets);
	bind_functions_done(&b->functions);
	cv_step_list_done(&b->steps);
	inventory_done(&b->inv);
	site_done(&b->site);
}

static int run_bind(struct cmd *c)
{
	struct binding b = { .c = c };
	int r = read_arguments(&b);

	r = r ?: cmd_site(c, &b.site);
	r = r ?: bind_all(&b);
	binding_done(&b);
	return r;
}

static const struct cmd_option bind_options[] = {
	{ "driver", "NAME",
	  "auto (the default): the variant driver for the device, else vfio-pci; or its name",
	  false },
	{ "user", "USER", "who may open the devices, default root", false },
	{ "pages", "NODE:SIZE=COUNT",
	  "huge pages for who works with them (0:2M=512); may be repeated", .repeats = true },
	{ "reset", NULL, "reset all of them at once when they are bound; all or none", false },
	{ "crash-at", "N", "end by SIGKILL after journal line N (fault injection)", true },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb device_bind = {
	.name = "bind",
	.args = "BDF|PF=N...",
	.summary = "take devices, or the first VFs of a PF, for VFIO, all or none, until released",
	.min_args = 1,
	.max_args = CMD_MAX_ARGS,
	.complete = "device",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = bind_options,
	.run = run_bind,
};
