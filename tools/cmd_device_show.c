// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device show: everything about one function. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/quarantine.h"
#include "plan/inventory_json.h"
#include "sriov/health.h"
#include "sriov/holders.h"
#include "sriov/reserve.h"
#include "sriov/reset.h"
#include "tools/device.h"
#include "tools/device_facts.h"

#define LOOK_MS 5000

/** struct look - all that is shown; @has_health: the function was looked at in time */
struct look {
	const struct inventory *inv;
	int dev;
	char bdf[CV_BDF_MAX];
	struct sr_holder_list holders;
	struct sr_health health;
	struct sr_verdict verdict;
	bool has_health;
	struct sr_ladder ladder;
	struct device_irqs irqs;
	struct device_log log;
	struct cv_quarantine quarantine;
	bool is_quarantined;
	char serial[64];
};

static const struct inv_dev *dev_of(const struct look *l)
{
	return &l->inv->devs[l->dev];
}

static int take_look(struct cmd *c, struct inventory *inv, struct look *l)
{
	const struct inv_dev *d = dev_of(l);
	int r = sr_holders_all(c->root, inv, l->dev, &l->holders);

	if (r < 0)
		return cv_fail_errno(&c->err, r, l->bdf, "cannot look for holders");
	r = cv_quarantine_read(c->root, d->bdf, &l->quarantine, &c->err);
	if (r < 0 && r != -ENOENT)
		return r;
	l->is_quarantined = r == 0;
	l->has_health = sr_health_read(c->root, l->bdf, LOOK_MS, &l->health) == 0;
	if (l->has_health)
		sr_health_judge(NULL, &l->health, NULL, &l->verdict);
	sr_serial(c->root, l->bdf, LOOK_MS, l->serial, sizeof(l->serial));
	sr_ladder_make(inv, l->dev, &l->dev, 1, &l->ladder);
	device_irqs_read(c->root, l->bdf, &l->irqs);
	device_log_read(c->root, d->bdf, &l->log);
	return 0;
}

/* ---- JSON ---- */

static json_t *members_json(const struct look *l)
{
	const struct inv_dev *d = dev_of(l);
	json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; list && d->group >= 0 && i < l->inv->n_devs; i++) {
		const struct inv_dev *m = &l->inv->devs[i];

		if (m->group == d->group)
			json_array_append_new(list, json_pack("{s:s,s:s,s:o}", "bdf",
							      cv_format_bdf(m->bdf, bdf),
							      "class_name", inv_class_name(m),
							      "driver", cv_json_string(m->driver)));
	}
	return list;
}

static json_t *checked_json(const struct look *l)
{
	const struct sr_verdict *v = &l->verdict;

	if (!l->has_health)
		return json_null();
	return json_pack("{s:b,s:o,s:o,s:o,s:o,s:o}", "healthy", v->is_healthy, "failed",
			 v->is_healthy ? json_null() : json_string(sr_check_name(v->failed)),
			 "reason", cv_json_string(v->reason), "evidence",
			 cv_json_string(v->evidence), "note", cv_json_string(v->note), "seen",
			 sr_health_json(&l->health));
}

static json_t *quarantine_json(const struct look *l)
{
	const struct cv_quarantine *q = &l->quarantine;

	if (!l->is_quarantined)
		return json_null();
	return json_pack("{s:o,s:o,s:I,s:o}", "reason", cv_json_string(q->reason), "evidence",
			 cv_json_string(q->evidence), "since", (json_int_t)q->since, "owner",
			 cv_owner_json(&q->owner));
}

static json_t *lease_json(const struct look *l)
{
	const struct cv_lease *lease = inv_device_lease(l->inv, dev_of(l)->bdf);

	if (!lease)
		return json_null();
	return json_pack("{s:s,s:b,s:o,s:I,s:o}", "name", lease->name, "vm", cv_lease_is_vm(lease),
			 "owner", cv_owner_json(&lease->owner), "since", (json_int_t)lease->since,
			 "devices", device_bdf_json(lease->devices, lease->n_devices));
}

static json_t *resets_json(const struct look *l)
{
	const struct sr_reset_rule *rule = l->ladder.refused_by;
	json_t *rungs = json_array();

	for (size_t i = 0; rungs && i < l->ladder.n; i++)
		json_array_append_new(rungs, json_string(sr_rung_name(l->ladder.rungs[i])));
	return json_pack("{s:o,s:o,s:o,s:o}", "rungs", rungs, "left_out",
			 cv_json_string(l->ladder.left_out), "why",
			 rule ? json_string(rule->why) : json_null(), "source",
			 rule ? json_string(rule->source) : json_null());
}

static json_t *look_json(const struct look *l)
{
	json_t *j = device_json(l->inv, l->dev);
	json_t *more = json_pack("{s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "carve_device_show",
				 1, "serial", cv_json_string(l->serial), "members", members_json(l),
				 "holders", device_holders_json(&l->holders), "lease",
				 lease_json(l), "quarantine", quarantine_json(l), "checked",
				 checked_json(l), "reset", resets_json(l), "interrupts",
				 device_irqs_json(&l->irqs), "kernel_log",
				 device_log_json(&l->log));

	if (j && more && json_object_update(j, more) == 0) {
		json_decref(more);
		return j;
	}
	json_decref(j);
	json_decref(more);
	return NULL;
}

/* ---- text ---- */

static void __attribute__((format(printf, 2, 3))) line(const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cmd_print("%-12s %s\n", name, text);
}

static void print_identity(const struct look *l)
{
	const struct inv_dev *d = dev_of(l);
	char pf[CV_BDF_MAX];

	line("device", "%s, %s%s%s", l->bdf, inv_class_name(d), d->name[0] ? ", " : "", d->name);
	line("ids", "%04x:%04x, subsystem %04x:%04x", d->vendor, d->device, d->subvendor,
	     d->subdevice);
	if (l->serial[0])
		line("serial", "%s", l->serial);
	if (d->pf >= 0)
		line("function", "VF %d of %s", d->vf_index,
		     cv_format_bdf(l->inv->devs[d->pf].bdf, pf));
	if (d->sriov.total)
		line("function", "PF, %u of %u VFs", d->sriov.num, d->sriov.total);
	line("driver", "%s%s%s", d->driver[0] ? d->driver : "none",
	     d->driver_override[0] ? ", driver_override " : "", d->driver_override);
	if (d->netdev[0])
		line("interface", "%s, %s", d->netdev, d->net_up ? "up" : "down");
}

static void print_members(const struct look *l)
{
	const struct inv_dev *d = dev_of(l);
	size_t n = 0;

	if (d->group < 0) {
		line("group", "none: no IOMMU translates for it");
		return;
	}
	line("group", "%d", d->group);
	for (size_t i = 0; i < l->inv->n_devs; i++) {
		const struct inv_dev *m = &l->inv->devs[i];
		char bdf[CV_BDF_MAX];

		if (m->group != d->group || (int)i == l->dev)
			continue;
		line(n++ ? "" : "  with", "%s, %s, %s", cv_format_bdf(m->bdf, bdf),
		     inv_class_name(m), m->driver[0] ? m->driver : "no driver");
	}
}

static void print_place(const struct look *l)
{
	const struct inv_link *k = &dev_of(l)->link;
	int node = dev_of(l)->node;

	print_members(l);
	if (node >= 0)
		line("node", "%d", node);
	else
		line("node", "unknown: the firmware names none");
	if (k->width || k->max_width)
		line("link", "%u.%u GT/s x%u, of %u.%u GT/s x%u", k->speed / 10, k->speed % 10,
		     k->width, k->max_speed / 10, k->max_speed % 10, k->max_width);
}

static void print_resets(const struct look *l)
{
	const struct sr_ladder *ladder = &l->ladder;
	char text[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < ladder->n && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
					 sr_rung_name(ladder->rungs[i]));
	line("reset", "%s", text[0] ? text : "no method");
	if (ladder->left_out[0])
		line("", "left out: %s", ladder->left_out);
	if (ladder->refused_by)
		line("", "%s (%s)", ladder->refused_by->why, ladder->refused_by->source);
}

static void print_errors(const struct look *l)
{
	const struct device_log *log = &l->log;

	if (l->has_health && l->health.aer_fatal >= 0)
		line("AER", "%lld fatal, %lld nonfatal, %lld correctable",
		     (long long)l->health.aer_fatal, (long long)l->health.aer_nonfatal,
		     (long long)l->health.aer_correctable);
	if (!log->is_read)
		return;
	line("kernel log", "%u IOMMU faults, %u AER reports, %u Xids", log->faults, log->aer,
	     log->xids);
	if (log->last[0])
		line("", "%s", log->last);
}

static void print_irqs(const struct look *l)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&l->irqs.cpus);

	if (l->irqs.n)
		line("interrupts", "%u on CPUs %s, %llu delivered", l->irqs.n, cpus ? cpus : "?",
		     (unsigned long long)l->irqs.count);
	else
		line("interrupts", "none");
}

static void print_owner(const struct look *l)
{
	const struct cv_lease *lease = inv_device_lease(l->inv, dev_of(l)->bdf);

	if (!lease)
		line("lease", "none");
	else
		line("lease", "%s%s, user %s%s%s", cv_lease_is_vm(lease) ? "VM " : "", lease->name,
		     lease->owner.user, lease->owner.job[0] ? ", job " : "", lease->owner.job);
	for (size_t i = 0; i < l->holders.n; i++)
		line(i ? "" : "held by", "%s", l->holders.v[i].text);
}

static void print_health(const struct look *l)
{
	const struct sr_verdict *v = &l->verdict;

	if (dev_of(l)->is_silent)
		line("health", "%s", dev_of(l)->quarantine);
	else if (!l->has_health)
		line("health", "it does not answer in time");
	else if (v->is_healthy)
		line("health", "ok%s%s", v->note[0] ? ": " : "", v->note);
	else
		line("health", "%s: %s (%s)", sr_check_name(v->failed), v->reason, v->evidence);
	if (!l->is_quarantined)
		return;
	line("quarantine", "%s", l->quarantine.reason);
	line("", "%s", l->quarantine.evidence);
}

static void print_text(const struct look *l)
{
	print_identity(l);
	print_place(l);
	print_owner(l);
	print_health(l);
	print_resets(l);
	print_errors(l);
	print_irqs(l);
}

static int run_show(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_args_ struct device_args args = { 0 };
	struct look l = { .inv = &inv };
	int r = device_args(c, &args);

	r = r ?: cmd_inventory(c, CMD_NAMES, NULL, 0, &inv);
	r = r ?: device_find(c, &inv, args.v[0], &l.dev);
	if (r < 0)
		return r;
	cv_format_bdf(args.v[0], l.bdf);
	r = take_look(c, &inv, &l);
	if (r == 0 && c->json)
		r = cmd_print_json(c, look_json(&l));
	else if (r == 0)
		print_text(&l);
	sr_holder_list_done(&l.holders);
	return r;
}

const struct cmd_verb device_show = {
	.name = "show",
	.args = "BDF",
	.summary = "one device: driver, group, link, reset, errors, interrupts, lease, quarantine",
	.min_args = 1,
	.max_args = 1,
	.complete = "device",
	.run = run_show,
};
