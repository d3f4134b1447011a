// SPDX-License-Identifier: GPL-2.0-or-later
/* carve vf list: PFs, their VFs, who has these and what they are set to. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/table.h"
#include "tools/cmd_vf.h"
#include "tools/vf_change.h"

enum {
	COLUMN_ADDRESS,
	COLUMN_VF,
	COLUMN_PROBED,
	COLUMN_DRIVER,
	COLUMN_GROUP,
	COLUMN_NODE,
	COLUMN_LEASE,
	COLUMN_MAC,
	COLUMN_VLAN,
	COLUMN_TRUST,
	COLUMN_RATE,
	COLUMN_NOTE,
	N_COLUMNS,
};

static const struct cv_column columns[N_COLUMNS] = {
	[COLUMN_ADDRESS] = { .name = "ADDRESS", .tree = true },
	[COLUMN_VF] = { .name = "VF", .right = true },
	[COLUMN_PROBED] = { .name = "AUTOPROBE" },
	[COLUMN_DRIVER] = { .name = "DRIVER" },
	[COLUMN_GROUP] = { .name = "GROUP", .right = true },
	[COLUMN_NODE] = { .name = "NODE", .right = true },
	[COLUMN_LEASE] = { .name = "LEASE" },
	[COLUMN_MAC] = { .name = "MAC" },
	[COLUMN_VLAN] = { .name = "VLAN", .right = true },
	[COLUMN_TRUST] = { .name = "TRUST" },
	[COLUMN_RATE] = { .name = "MBIT/S", .right = true },
	[COLUMN_NOTE] = { .name = "NOTE" },
};

/** struct listing - @reports: of the VFs of the PF that is being listed */
struct listing {
	struct cmd *c;
	const struct inventory *inv;
	struct sr_vf_net *reports;
	int n_reports;
	struct cv_table *table;
	json_t *pfs;
};

static void listing_done(struct listing *l)
{
	free(l->reports);
	cv_table_freep(&l->table);
	json_decref(l->pfs);
}

static const struct sr_vf_net *find_report(const struct listing *l, int index)
{
	for (int i = 0; i < l->n_reports; i++)
		if ((int)l->reports[i].index == index)
			return &l->reports[i];
	return NULL;
}

/* ---- table ---- */

/** struct texts - cells that are made, not found */
struct texts {
	char address[CV_BDF_MAX], vf[24], group[12], node[12], vlan[32], rate[32], note[256];
};

static void format_number(int number, char buf[12])
{
	if (number >= 0)
		snprintf(buf, 12, "%d", number);
}

static void fill_common(const struct listing *l, const struct inv_dev *d, struct texts *t,
			const char *cells[N_COLUMNS])
{
	const struct cv_lease *lease = inv_device_lease(l->inv, d->bdf);

	format_number(d->group, t->group);
	format_number(d->node, t->node);
	cells[COLUMN_ADDRESS] = cv_format_bdf(d->bdf, t->address);
	cells[COLUMN_VF] = t->vf;
	cells[COLUMN_DRIVER] = d->driver[0] ? d->driver : "-";
	cells[COLUMN_GROUP] = t->group;
	cells[COLUMN_NODE] = t->node;
	cells[COLUMN_LEASE] = lease ? lease->name : NULL;
	cells[COLUMN_NOTE] = t->note;
	if (d->is_quarantined)
		snprintf(t->note, sizeof(t->note), "%s%s",
			 d->is_silent ? "" : "quarantine: ", d->quarantine);
	else if (d->holder_kind != INV_HOLDER_NONE)
		snprintf(t->note, sizeof(t->note), "%s", d->holder);
}

static void fill_report(const struct sr_vf_net *vf, struct texts *t, const char *cells[N_COLUMNS])
{
	cells[COLUMN_MAC] = vf->mac;
	if (vf->vlan > 0 && vf->qos > 0)
		snprintf(t->vlan, sizeof(t->vlan), "%d qos %d", vf->vlan, vf->qos);
	else if (vf->vlan > 0)
		snprintf(t->vlan, sizeof(t->vlan), "%d", vf->vlan);
	cells[COLUMN_VLAN] = t->vlan;
	cells[COLUMN_TRUST] = vf->trust < 0 ? NULL : vf->trust ? "on" : "off";
	if (vf->min_rate)
		snprintf(t->rate, sizeof(t->rate), "%u-", vf->min_rate);
	if (vf->max_rate)
		snprintf(t->rate + strlen(t->rate), sizeof(t->rate) - strlen(t->rate), "%u",
			 vf->max_rate);
	cells[COLUMN_RATE] = t->rate;
}

static int add_vf_row(const struct listing *l, int parent, const struct inv_dev *d)
{
	const struct sr_vf_net *report = find_report(l, d->vf_index);
	const char *cells[N_COLUMNS] = { NULL };
	struct texts t = { 0 };

	format_number(d->vf_index, t.vf);
	fill_common(l, d, &t, cells);
	if (report)
		fill_report(report, &t, cells);
	return cv_table_add(l->table, parent, cells);
}

static int add_pf_row(const struct listing *l, const struct inv_dev *d)
{
	const char *cells[N_COLUMNS] = { NULL };
	struct texts t = { 0 };

	snprintf(t.vf, sizeof(t.vf), "%u of %u", d->sriov.num, d->sriov.total);
	cells[COLUMN_PROBED] = d->sriov.autoprobe ? "on" : "off";
	fill_common(l, d, &t, cells);
	if (!t.note[0])
		snprintf(t.note, sizeof(t.note), "%s%s", d->netdev,
			 d->is_switchdev ? ", switchdev" : "");
	return cv_table_add(l->table, -1, cells);
}

/* ---- JSON ---- */

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *number_or_null(int number)
{
	return number < 0 ? json_null() : json_integer(number);
}

static json_t *switch_json(int reported)
{
	return reported < 0 ? json_null() : json_boolean(reported);
}

static json_t *guid_json(const struct sr_vf_net *vf, uint64_t guid)
{
	return vf->has_guids ? json_sprintf("%016" PRIx64, guid) : json_null();
}

/* What can be set, each as the PF reports it; null: nobody could be asked. */
static json_t *settings_json(const struct sr_vf_net *vf)
{
	static const char *const links[] = { "auto", "on", "off" };

	if (!vf)
		return json_null();
	return json_pack("{s:s,s:i,s:i,s:o,s:o,s:o,s:I,s:I,s:o,s:o}", "mac", vf->mac, "vlan",
			 vf->vlan, "qos", vf->qos, "trust", switch_json(vf->trust), "spoofchk",
			 switch_json(vf->spoofchk), "link",
			 vf->linkstate < 0 || vf->linkstate > 2 ? json_null()
								: json_string(links[vf->linkstate]),
			 "min_rate", (json_int_t)vf->min_rate, "max_rate", (json_int_t)vf->max_rate,
			 "node_guid", guid_json(vf, vf->node_guid), "port_guid",
			 guid_json(vf, vf->port_guid));
}

static json_t *function_json(const struct listing *l, const struct inv_dev *d)
{
	const struct cv_lease *lease = inv_device_lease(l->inv, d->bdf);
	char bdf[CV_BDF_MAX];

	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "bdf", cv_format_bdf(d->bdf, bdf),
			 "driver", text_or_null(d->driver), "group", number_or_null(d->group),
			 "node", number_or_null(d->node), "lease",
			 text_or_null(lease ? lease->name : NULL), "holder",
			 text_or_null(d->holder_kind == INV_HOLDER_NONE ? NULL : d->holder),
			 "quarantine", text_or_null(d->is_quarantined ? d->quarantine : NULL));
}

static json_t *vf_json(const struct listing *l, const struct inv_dev *d)
{
	json_t *j = function_json(l, d);

	if (j &&
	    (json_object_set_new(j, "index", json_integer(d->vf_index)) < 0 ||
	     json_object_set_new(j, "settings", settings_json(find_report(l, d->vf_index))) < 0)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static json_t *pf_json(const struct listing *l, const struct inv_dev *d, json_t *vfs)
{
	_cleanup_json_ json_t *more = json_pack("{s:i,s:i,s:b,s:b,s:o,s:o}", "total",
						(int)d->sriov.total, "count", (int)d->sriov.num,
						"autoprobe", d->sriov.autoprobe, "switchdev",
						d->is_switchdev, "netdev", text_or_null(d->netdev),
						"vfs", vfs);
	json_t *j = function_json(l, d);

	if (j && (!more || json_object_update(j, more) < 0)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

/* ---- both ---- */

static int add_pf(struct listing *l, int pf)
{
	const struct inv_dev *d = &l->inv->devs[pf];
	json_t *vfs = json_array();
	int row = add_pf_row(l, d), r = row;

	free(l->reports);
	l->reports = NULL;
	l->n_reports = vf_reports(l->c, d, &l->reports);
	for (size_t i = 0; i < l->inv->n_devs && r >= 0; i++) {
		if (l->inv->devs[i].pf != pf)
			continue;
		r = add_vf_row(l, row, &l->inv->devs[i]);
		json_array_append_new(vfs, vf_json(l, &l->inv->devs[i]));
	}
	json_array_append_new(l->pfs, pf_json(l, d, vfs));
	return r < 0 ? cv_fail_errno(&l->c->err, r, NULL, "cannot list the VFs") : 0;
}

static int add_named(struct listing *l, const char *arg)
{
	struct vf_policy p = { .has_pf = true };
	_cleanup_free_ struct vf_target *t = NULL;
	int dev, r = cmd_vf_parse_pf(l->c, arg, &p.pf);

	vf_settings_none(&p.settings);
	if (r < 0)
		return r;
	dev = inv_find_dev(l->inv, p.pf);
	if (dev >= 0)
		p.count = (int)l->inv->devs[dev].sriov.num;
	r = vf_policy_targets(l->inv, &p, 1, &t, &l->c->err);
	if (r >= 0 && l->inv->devs[dev].sriov.total == 0)
		r = vf_target_check(l->inv, t, &l->c->err);
	return r < 0 ? r : add_pf(l, dev);
}

static int add_all(struct listing *l)
{
	int r = 0;

	for (size_t i = 0; i < l->inv->n_devs && r == 0; i++)
		if (l->inv->devs[i].sriov.total > 0)
			r = add_pf(l, (int)i);
	return r;
}

static int print_listing(struct cmd *c, const struct listing *l)
{
	_cleanup_free_ char *text = NULL;

	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:O}", "carve_vf_list", VF_JSON_VERSION,
						   "pfs", l->pfs));
	if (json_array_size(l->pfs) == 0) {
		cmd_print("no function of this host has SR-IOV\n");
		return 0;
	}
	text = cv_table_text(l->table, true, 0);
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the VFs");
	cmd_print("%s\n", text);
	return 0;
}

static int run_list(struct cmd *c)
{
	_cleanup_vf_host_ struct vf_host h = { .lock = -1 };
	_cleanup_(listing_done) struct listing l = { .c = c, .pfs = json_array() };
	int r = vf_host_open(c, false, &h);

	l.inv = &h.inv;
	if (r == 0 && (!l.pfs || cv_table_new(columns, N_COLUMNS, &l.table) < 0))
		r = cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot list the VFs");
	for (size_t i = 0; i < c->n_args && r == 0; i++)
		r = add_named(&l, c->args[i]);
	if (r == 0 && c->n_args == 0)
		r = add_all(&l);
	return r < 0 ? r : print_listing(c, &l);
}

const struct cmd_verb cmd_vf_list = {
	.name = "list",
	.args = "[PF...]",
	.summary = "PFs and their VFs: who has them, and what they are set to",
	.max_args = CMD_MAX_ARGS,
	.complete = "",
	.run = run_list,
};
