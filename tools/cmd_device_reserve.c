// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device reserve: devices that belong to VMs from boot on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "base/table.h"
#include "sriov/reserve.h"
#include "tools/device.h"
#include "tools/vm.h"

#define SERIAL_MS 5000

/* ---- what there is ---- */

static const char *state_text(const struct sr_reserved_state *s)
{
	if (!s->is_present)
		return "absent";
	if (!s->is_same)
		return "another card";
	return s->is_bound ? "bound" : "not bound";
}

static json_t *entry_json(const struct sr_reserved *e, const struct sr_reserved_state *s)
{
	char bdf[CV_BDF_MAX];

	return json_pack("{s:s,s:i,s:i,s:s,s:s,s:s,s:b,s:b,s:b,s:s}", "bdf",
			 cv_format_bdf(e->bdf, bdf), "vendor", (int)e->vendor, "device",
			 (int)e->device, "serial", e->serial, "driver", e->driver, "state",
			 state_text(s), "present", s->is_present, "same", s->is_same, "bound",
			 s->is_bound, "now", s->driver);
}

static const struct cv_column columns[] = {
	{ .name = "DEVICE" }, { .name = "IDS" },   { .name = "SERIAL" },
	{ .name = "DRIVER" }, { .name = "STATE" }, { .name = "NOW" },
};

static int add_row(struct cv_table *t, const struct sr_reserved *e,
		   const struct sr_reserved_state *s)
{
	char bdf[CV_BDF_MAX], ids[16];

	snprintf(ids, sizeof(ids), "%04x:%04x", e->vendor, e->device);
	return cv_table_add(t, -1,
			    (const char *[]){ cv_format_bdf(e->bdf, bdf), ids, e->serial, e->driver,
					      state_text(s), s->driver[0] ? s->driver : "-" });
}

static int print_table(struct cmd *c, struct cv_table *t, size_t n)
{
	_cleanup_free_ char *text = n ? cv_table_text(t, true, 0) : strdup("nothing is reserved");

	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the reservations");
	cmd_print("%s\n", text);
	return 0;
}

static int print_list(struct cmd *c, const struct sr_reserved_list *l)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_json_ json_t *list = json_array();
	int r = cv_table_new(columns, CV_ARRAY_SIZE(columns), &t);

	if (r < 0)
		return cv_fail_errno(&c->err, r, NULL, "cannot print the reservations");
	for (size_t i = 0; i < l->n && r >= 0; i++) {
		struct sr_reserved_state s;

		r = sr_reserved_look(c->root, &l->v[i], &s, &c->err);
		if (r < 0)
			return r;
		json_array_append_new(list, entry_json(&l->v[i], &s));
		r = add_row(t, &l->v[i], &s);
	}
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:O}", "carve_device_reserve", 1,
						   "devices", list));
	return print_table(c, t, l->n);
}

/* ---- changing it ---- */

static struct sr_reserved *find_entry(const struct sr_reserved_list *l, struct cv_bdf bdf)
{
	for (size_t i = 0; i < l->n; i++)
		if (cv_bdf_cmp(l->v[i].bdf, bdf) == 0)
			return &l->v[i];
	return NULL;
}

/* What the host cannot do without would be missing at the next boot. */
static int refuse_needed(struct cmd *c, const char *bdf, const struct inv_dev *d)
{
	if (d->group < 0) {
		cv_fail(&c->err, -EPERM, CV_EXIT_PRECONDITION, "NO_GROUP", bdf,
			"the device is in no IOMMU group: VFIO cannot have it");
		cv_error_hint(&c->err, "carve audit tells what the IOMMU lacks");
		return -EPERM;
	}
	if (d->holder_kind != INV_HOLDER_MOUNT && d->holder_kind != INV_HOLDER_NETDEV)
		return 0;
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", bdf,
		"the host uses the device: it would miss it from the next boot on");
	cv_error_found(&c->err, "%s", d->holder);
	cv_error_wanted(&c->err, "a device the host does without");
	cv_error_hint(&c->err, "unmount it, or take the interface down, first");
	return -EBUSY;
}

static int fill_entry(struct cmd *c, const struct inventory *inv, struct cv_bdf bdf,
		      struct sr_reserved *e)
{
	char text[CV_BDF_MAX];
	int dev = -1, r = device_find(c, inv, bdf, &dev);

	if (r < 0)
		return r;
	const struct inv_dev *d = &inv->devs[dev];
	r = device_refuse_bridge(c, d);
	r = r ?: refuse_needed(c, cv_format_bdf(bdf, text), d);
	if (r < 0)
		return r;
	*e = (struct sr_reserved){ .bdf = bdf, .vendor = d->vendor, .device = d->device };
	sr_serial(c->root, text, SERIAL_MS, e->serial, sizeof(e->serial));
	return sr_vfio_driver(c->root, text, e->driver, sizeof(e->driver), &c->err);
}

/* One that is there already is noted anew: it may be another card by now. */
static int add_entries(struct cmd *c, const struct device_args *args, struct sr_reserved_list *l)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct sr_reserved *grown = reallocarray(l->v, l->n + args->n + 1, sizeof(*grown));
	int r;

	if (!grown)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot reserve");
	l->v = grown;
	r = cmd_inventory(c, CMD_HOLDERS | CMD_NAMES, NULL, 0, &inv);
	for (size_t i = 0; i < args->n && r == 0; i++) {
		struct sr_reserved *e = find_entry(l, args->v[i]);

		r = fill_entry(c, &inv, args->v[i], e ? e : &l->v[l->n]);
		if (r == 0 && !e)
			l->n++;
	}
	return r;
}

static int remove_entries(struct cmd *c, const struct device_args *args, struct sr_reserved_list *l)
{
	for (size_t i = 0; i < args->n; i++) {
		struct sr_reserved *e = find_entry(l, args->v[i]);
		char bdf[CV_BDF_MAX];

		if (!e) {
			cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NOT_RESERVED",
				cv_format_bdf(args->v[i], bdf), "the device is not reserved");
			cv_error_hint(&c->err, "carve device reserve --list shows what is");
			return -ENOENT;
		}
		*e = l->v[--l->n];
	}
	return 0;
}

static int change_list(struct cmd *c, const struct site *site, const struct device_args *args)
{
	_cleanup_reserved_ struct sr_reserved_list l = { 0 };
	_cleanup_close_ int lock = -1;
	bool is_removal = cmd_flag(c, "remove");
	int r = c->dry_run ? 0 : vm_lock(c, site, &lock);

	r = r ?: sr_reserved_read(c->root, &l, &c->err);
	if (r == 0)
		r = is_removal ? remove_entries(c, args, &l) : add_entries(c, args, &l);
	if (r == 0 && !c->dry_run)
		r = sr_reserved_write(c->root, &l, &c->err);
	if (r < 0)
		return r;
	if (!c->json)
		cmd_note(c,
			 is_removal ? "from the next boot on the host has %s again"
				    : "from the next boot on no host driver gets %s; "
				      "carve device bind takes it now",
			 args->n > 1 ? "them" : "it");
	return print_list(c, &l);
}

/* ---- at boot ---- */

static json_t *outcome_json(const struct sr_reserved_outcome *o)
{
	char bdf[CV_BDF_MAX];

	return json_pack("{s:s,s:s,s:o}", "bdf", cv_format_bdf(o->bdf, bdf), "result",
			 sr_reserved_result_name(o->result), "text", cv_json_string(o->text));
}

static int print_outcomes(struct cmd *c, const struct sr_reserved_outcome *o, size_t n)
{
	_cleanup_json_ json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, outcome_json(&o[i]));
		if (!c->json)
			cmd_print("%s: %s%s%s\n", cv_format_bdf(o[i].bdf, bdf),
				  sr_reserved_result_name(o[i].result), o[i].text[0] ? ", " : "",
				  o[i].text);
	}
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:O}", "carve_device_reserve", 1,
						   "applied", list));
	return 0;
}

/* Early at boot: /var may not be there yet, and nothing else of carve runs. */
static int lock_early(struct cmd *c, int *ret)
{
	int r = cv_mkdir_p(c->root, CV_RUN_DIR, 0755);

	if (r < 0)
		return cv_fail_errno(&c->err, r, CV_RUN_DIR, "cannot make a state directory");
	return cv_state_lock(c->root, DEVICE_DEADLINE_MS, ret, &c->err);
}

static int apply(struct cmd *c)
{
	_cleanup_reserved_ struct sr_reserved_list l = { 0 };
	_cleanup_free_ struct sr_reserved_outcome *outcomes = NULL;
	_cleanup_close_ int lock = -1;
	struct cv_step_env env = { .root = c->root,
				   .vm = "carve device reserve",
				   .deadline_ms = DEVICE_DEADLINE_MS };
	int r = c->dry_run ? 0 : lock_early(c, &lock), printed;

	r = r ?: sr_reserved_read(c->root, &l, &c->err);
	if (r < 0 || c->dry_run)
		return r < 0 ? r : print_list(c, &l);
	outcomes = calloc(l.n + 1, sizeof(*outcomes));
	if (!outcomes)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot bind reserved devices");
	r = sr_reserved_apply(&env, &l, outcomes, &c->err);
	printed = print_outcomes(c, outcomes, l.n);
	return r < 0 ? r : printed;
}

static int show_list(struct cmd *c)
{
	_cleanup_reserved_ struct sr_reserved_list l = { 0 };
	int r = sr_reserved_read(c->root, &l, &c->err);

	return r < 0 ? r : print_list(c, &l);
}

/* Without a device only --list and --apply make sense, and with one neither of them does. */
static int check_usage(struct cmd *c)
{
	bool is_list = cmd_flag(c, "list"), is_apply = cmd_flag(c, "apply");
	bool is_removal = cmd_flag(c, "remove");

	if (is_list + is_apply + is_removal <= 1 && (c->n_args > 0) == !(is_list || is_apply))
		return 0;
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "WHAT_TO_RESERVE", "reserve",
		"either devices, with --remove or without, or --list, or --apply");
	cv_error_hint(&c->err, "carve help device reserve");
	return -EINVAL;
}

static int run_reserve(struct cmd *c)
{
	_cleanup_args_ struct device_args args = { 0 };
	_cleanup_site_ struct site site = { 0 };
	int r = check_usage(c);

	r = r ?: device_args(c, &args);
	if (r == 0 && cmd_flag(c, "list"))
		return show_list(c);
	r = r ?: cmd_require(c, CMD_NEED_LIVE | CMD_NEED_ROOT);
	if (r == 0 && cmd_flag(c, "apply"))
		return apply(c);
	r = r ?: cmd_site(c, &site);
	return r ?: change_list(c, &site, &args);
}

static const struct cmd_option options[] = {
	{ "list", NULL, "what is reserved, and is it as it was noted", false },
	{ "remove", NULL, "give the devices back to the host, from the next boot on", false },
	{ "apply", NULL, "bind what is reserved and has no driver yet (at boot)", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb device_reserve = {
	.name = "reserve",
	.args = "[BDF...]",
	.summary = "keep devices from every host driver, from the next boot on",
	.max_args = CMD_MAX_ARGS,
	.complete = "device",
	.options = options,
	.run = run_reserve,
};
