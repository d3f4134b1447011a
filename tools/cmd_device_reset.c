// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device reset and clear: a device that shall be good again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quarantine.h"
#include "sriov/function.h"
#include "sriov/health.h"
#include "sriov/reset.h"
#include "tools/device.h"
#include "tools/device_reset.h"
#include "tools/operation.h"
#include "tools/vm.h"

/* ---- reset ---- */

/** struct resetting - one carve device reset; arrays by argument */
struct resetting {
	struct cmd *c;
	struct device_args args;
	struct inventory inv;
	enum sr_rung rung; /* of --rung, SR_RUNGS: all */
	int devs[CMD_MAX_ARGS];
	char bdfs[CMD_MAX_ARGS][CV_BDF_MAX];
	const char *names[CMD_MAX_ARGS];
	struct sr_ladder ladders[CMD_MAX_ARGS];
	struct sr_reset_result results[CMD_MAX_ARGS];
};

static int read_rung(struct resetting *x)
{
	const char *name = cmd_value(x->c, "rung");

	x->rung = SR_RUNGS;
	/* the option's own list of words was checked already */
	return name && sr_rung_parse(name, &x->rung) < 0 ? -EINVAL : 0;
}

static int refuse_leased(struct cmd *c, const char *bdf, const struct cv_lease *l)
{
	if (!l || !cv_lease_is_vm(l))
		return 0;
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", bdf,
		"the device is a VM's: a reset would pull it away");
	cv_error_found(&c->err, "lease of VM %s, user %s", l->name, l->owner.user);
	cv_error_hint(&c->err, "stop it first: carve stop %s", l->name);
	return -EBUSY;
}

static int refuse_used(struct cmd *c, const char *bdf, const struct inv_dev *d)
{
	if (d->holder_kind != INV_HOLDER_NONE) {
		cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", bdf,
			"the device is in use on the host");
		cv_error_found(&c->err, "%s", d->holder);
		cv_error_wanted(&c->err, "a device nobody uses");
		cv_error_hint(&c->err, "carve device holders %s names all of them", bdf);
		return -EBUSY;
	}
	if (d->sriov.num == 0)
		return 0;
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_VFS", bdf,
		"the function is a PF with VFs: a reset would remove them");
	cv_error_found(&c->err, "%u VFs", d->sriov.num);
	cv_error_wanted(&c->err, "a PF without VFs");
	cv_error_hint(&c->err, "carve vf destroy %s removes them", bdf);
	return -EBUSY;
}

static int check_one(struct resetting *x, size_t i)
{
	struct cmd *c = x->c;
	int r = device_find(c, &x->inv, x->args.v[i], &x->devs[i]);

	if (r < 0)
		return r;
	const struct inv_dev *d = &x->inv.devs[x->devs[i]];
	x->names[i] = cv_format_bdf(d->bdf, x->bdfs[i]);
	r = device_refuse_bridge(c, d);
	r = r ?: refuse_leased(c, x->names[i], inv_device_lease(&x->inv, d->bdf));
	return r ?: refuse_used(c, x->names[i], d);
}

static int print_ladders(struct resetting *x)
{
	json_t *list = json_array();

	for (size_t i = 0; i < x->args.n; i++) {
		const struct sr_ladder *l = &x->ladders[i];
		json_t *rungs = json_array();

		if (!x->c->json)
			cmd_print("%s: would try", x->names[i]);
		for (size_t k = 0; k < l->n; k++) {
			json_array_append_new(rungs, json_string(sr_rung_name(l->rungs[k])));
			if (!x->c->json)
				cmd_print("%s %s", k ? "," : "", sr_rung_name(l->rungs[k]));
		}
		if (!x->c->json)
			cmd_print("%s%s\n", l->left_out[0] ? "; left out: " : "", l->left_out);
		json_array_append_new(list,
				      json_pack("{s:s,s:o,s:o}", "bdf", x->names[i], "rungs", rungs,
						"left_out", cv_json_string(l->left_out)));
	}
	if (x->c->json)
		return cmd_print_json(x->c, json_pack("{s:i,s:o}", "carve_device_reset", 1,
						      "devices", list));
	json_decref(list);
	return 0;
}

static void print_result(const char *bdf, const struct sr_reset_result *r)
{
	if (r->error == -ECANCELED)
		cmd_print("%s: not reset\n", bdf);
	else
		cmd_print("%s: %s by %s, %u ms%s%s\n", bdf, r->error == 0 ? "reset" : "not reset",
			  sr_rung_name(r->rung), r->ms, r->text[0] ? "; " : "", r->text);
}

/* Printed also when one failed: the others are done. */
static int print_results(struct resetting *x)
{
	if (x->c->json)
		return cmd_print_json(x->c,
				      json_pack("{s:i,s:o}", "carve_device_reset", 1, "devices",
						device_reset_json(x->results, x->args.n)));
	for (size_t i = 0; i < x->args.n; i++)
		print_result(x->names[i], &x->results[i]);
	return 0;
}

static int reset_all(struct resetting *x)
{
	int r = device_reset_all(x->c, &x->inv, x->devs, x->args.n, x->rung, x->results), printed;
	bool is_tried = r == 0;

	for (size_t i = 0; i < x->args.n; i++)
		is_tried |= x->results[i].error != -ECANCELED;
	printed = is_tried ? print_results(x) : 0;
	return r < 0 ? r : printed;
}

static int show_ladders(struct resetting *x)
{
	int r = device_reset_ladders(x->c, &x->inv, x->devs, x->args.n, x->rung, x->ladders);

	return r < 0 ? r : print_ladders(x);
}

static int reset_locked(struct resetting *x, const struct site *site)
{
	_cleanup_close_ int lock = -1;
	struct cmd *c = x->c;
	int r = c->dry_run ? 0 : vm_lock(c, site, &lock);

	r = r ?: operation_refuse_unfinished(c, "reset-");
	r = r ?: cmd_inventory(c, CMD_HOLDERS, NULL, 0, &x->inv);
	for (size_t i = 0; i < x->args.n && r == 0; i++)
		r = check_one(x, i);
	if (r < 0)
		return r;
	return c->dry_run ? show_ladders(x) : reset_all(x);
}

static int run_reset(struct cmd *c)
{
	_cleanup_site_ struct site site = { 0 };
	_cleanup_free_ struct resetting *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot reset");
	x->c = c;
	r = device_args(c, &x->args);
	r = r ?: read_rung(x);
	r = r ?: cmd_site(c, &site);
	r = r ?: reset_locked(x, &site);
	device_args_done(&x->args);
	inventory_done(&x->inv);
	return r;
}

static const struct cmd_option reset_options[] = {
	{ "rung", "NAME", "only this way, instead of one after the other", false, false,
	  "device_specific acpi flr af_flr pm bus slot remove" },
	{ "crash-at", "N", "end by SIGKILL after journal line N (fault injection)", true },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb device_reset = {
	.name = "reset",
	.args = "BDF...",
	.summary = "reset devices that nobody uses, all at once, each until it answers",
	.min_args = 1,
	.max_args = CMD_MAX_ARGS,
	.complete = "device",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = reset_options,
	.run = run_reset,
};

/* ---- clear ---- */

static int read_quarantine(struct cmd *c, struct cv_bdf bdf, const char *text,
			   struct cv_quarantine *ret)
{
	int r = cv_quarantine_read(c->root, bdf, ret, &c->err);

	if (r == 0 || (r != -ENOENT && !cmd_flag(c, "force")))
		return r;
	if (r != -ENOENT) {
		*ret = (struct cv_quarantine){ .reason = "an entry that cannot be read" };
		return 0;
	}
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NOT_QUARANTINED", text,
		"the device is not in quarantine");
	cv_error_hint(&c->err, "carve device list shows the health of all devices");
	return -ENOENT;
}

/* Return: 0 with a verdict; -errno: this machine could not look. */
static int check_health(struct cmd *c, const char *bdf, struct sr_verdict *ret)
{
	struct sr_health now;
	int r = sr_health_read(c->root, bdf, DEVICE_DEADLINE_MS, &now);

	if (r == 0) {
		sr_health_judge(NULL, &now, NULL, ret);
		return 0;
	}
	if (!sr_health_is_answer(r)) {
		cv_fail(&c->err, r, CV_EXIT_PRECONDITION, "EHEALTH_UNREAD", bdf,
			"the health of the device could not be read");
		cv_error_found(&c->err, "%s", sr_health_cause(r));
		cv_error_hint(&c->err, "try again; --force clears it as it is");
		return r;
	}
	*ret = (struct sr_verdict){ .failed = SR_CHECK_CONFIG };
	snprintf(ret->reason, sizeof(ret->reason), "it does not answer");
	snprintf(ret->evidence, sizeof(ret->evidence), "%s", strerror(-r));
	return 0;
}

/* Whoever asks for it: while the kernel is inside a reset or a probe, nobody can use the function. */
static int refuse_stuck(struct cmd *c, const char *bdf)
{
	char override[64];

	if (sr_override(c->root, bdf, DEVICE_DEADLINE_MS, override, sizeof(override)) != -ETIMEDOUT)
		return 0;
	cv_fail(&c->err, -ETIMEDOUT, CV_EXIT_PRECONDITION, "STUCK", bdf,
		"the kernel still holds the device");
	cv_error_found(&c->err, "a read of driver_override did not return within %u ms",
		       DEVICE_DEADLINE_MS);
	cv_error_wanted(&c->err, "a device that the kernel is done with");
	cv_error_hint(&c->err, "reboot the node: nothing else ends a write that hangs");
	return -ETIMEDOUT;
}

static int refuse_unhealthy(struct cmd *c, const char *bdf, const struct sr_verdict *v)
{
	cv_fail(&c->err, -EIO, CV_EXIT_PRECONDITION, "UNHEALTHY", bdf,
		"the device is not healthy: %s", v->reason);
	cv_error_found(&c->err, "%s: %s", sr_check_name(v->failed), v->evidence);
	cv_error_wanted(&c->err, "a device that passes every check");
	cv_error_hint(&c->err,
		      "carve device reset %s, or power-cycle it; --force clears it as it is", bdf);
	return -EIO;
}

static int report_clear(struct cmd *c, const char *bdf, const struct cv_quarantine *q,
			const struct sr_verdict *v)
{
	if (c->json)
		return cmd_print_json(
			c, json_pack("{s:i,s:s,s:b,s:b,s:o,s:o,s:o}", "carve_device_clear", 1,
				     "bdf", bdf, "cleared", !c->dry_run, "healthy", v->is_healthy,
				     "reason", cv_json_string(q->reason), "evidence",
				     cv_json_string(q->evidence), "found",
				     cv_json_string(v->is_healthy ? v->note : v->reason)));
	cmd_print("%s was in quarantine: %s\n  %s\n", bdf, q->reason, q->evidence);
	cmd_print("%s: %s, %s\n", bdf, v->is_healthy ? "healthy now" : "still not healthy",
		  c->dry_run ? "would be cleared" : "cleared");
	return 0;
}

static int clear_locked(struct cmd *c, struct cv_bdf bdf, const struct site *site)
{
	_cleanup_close_ int lock = -1;
	struct cv_quarantine q;
	struct sr_verdict v = { 0 };
	char text[CV_BDF_MAX];
	int r = c->dry_run ? 0 : vm_lock(c, site, &lock);

	r = r ?: read_quarantine(c, bdf, cv_format_bdf(bdf, text), &q);
	r = r ?: refuse_stuck(c, text);
	if (r < 0)
		return r;
	r = check_health(c, text, &v);
	if (r < 0 && !cmd_flag(c, "force"))
		return r;
	if (!v.is_healthy && !cmd_flag(c, "force"))
		return refuse_unhealthy(c, text, &v);
	r = c->dry_run ? 0 : cv_quarantine_clear(c->root, bdf, &c->err);
	return r < 0 ? r : report_clear(c, text, &q, &v);
}

static int run_clear(struct cmd *c)
{
	_cleanup_args_ struct device_args args = { 0 };
	_cleanup_site_ struct site site = { 0 };
	int r = device_args(c, &args);

	r = r ?: cmd_site(c, &site);
	return r ?: clear_locked(c, args.v[0], &site);
}

static const struct cmd_option clear_options[] = {
	{ "force", NULL, "clear it although it is not healthy", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb device_clear = {
	.name = "clear",
	.args = "BDF",
	.summary = "take a device out of quarantine, after a look at its health",
	.min_args = 1,
	.max_args = 1,
	.complete = "device",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = clear_options,
	.run = run_clear,
};
