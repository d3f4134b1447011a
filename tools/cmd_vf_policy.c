// SPDX-License-Identifier: GPL-2.0-or-later
/* carve vf policy: the vfs: list of the site file against the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "tools/cmd_vf.h"
#include "tools/vf_change.h"

static const char *bdf_of(const struct vf_host *h, const struct vf_target *t, char *buf)
{
	return cv_format_bdf(h->inv.devs[t->dev].bdf, buf);
}

/* ---- show ---- */

/** struct view - one PF: what is left to do, or why that cannot be done */
struct view {
	struct cv_step_list steps;
	struct cv_error refused;
};

static int look_at(struct cmd *c, const struct vf_host *h, const struct vf_target *t,
		   struct view *ret)
{
	if (vf_target_check(&h->inv, t, &ret->refused) < 0)
		return 0;
	return vf_steps_make(c, &h->inv, t, 1, &ret->steps);
}

static json_t *steps_json(const struct cv_step_list *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->n; i++)
		json_array_append_new(list,
				      json_pack("{s:s,s:s,s:s}", "kind", s->v[i].kind, "object",
						s->v[i].object, "value", s->v[i].value));
	return list;
}

static json_t *view_json(const struct vf_host *h, const struct vf_target *t, const struct view *v)
{
	json_t *refused = v->refused.err ? cv_error_json(&v->refused) : json_null();
	char bdf[CV_BDF_MAX];

	return json_pack("{s:s,s:i,s:i,s:b,s:o,s:o}", "pf", bdf_of(h, t, bdf), "count", (int)t->now,
			 "wanted", (int)t->wanted, "applied", !v->refused.err && v->steps.n == 0,
			 "steps", steps_json(&v->steps), "refused", refused);
}

static const struct cv_column columns[] = {
	{ .name = "PF", .tree = true },
	{ .name = "VFS", .right = true },
	{ .name = "WANTED", .right = true },
	{ .name = "STATE" },
};

static int add_view(struct cv_table *t, const struct vf_host *h, const struct vf_target *target,
		    const struct view *v)
{
	char bdf[CV_BDF_MAX], now[12], wanted[12],
		state[sizeof(v->refused.what) + 16] = "as wanted";
	int row;

	snprintf(now, sizeof(now), "%u", target->now);
	snprintf(wanted, sizeof(wanted), "%u", target->wanted);
	if (v->refused.err)
		snprintf(state, sizeof(state), "refused: %s", v->refused.what);
	else if (v->steps.n > 0)
		snprintf(state, sizeof(state), "differs");
	row = cv_table_add(t, -1, (const char *[]){ bdf_of(h, target, bdf), now, wanted, state });
	for (size_t i = 0; i < v->steps.n && row >= 0; i++) {
		const struct cv_step *s = &v->steps.v[i];
		char what[sizeof(state)];
		int r;

		snprintf(what, sizeof(what), "%s: %s", s->value, s->why);
		r = cv_table_add(t, row, (const char *[]){ s->object, NULL, NULL, what });
		row = r < 0 ? r : row;
	}
	return row < 0 ? row : 0;
}

/** struct show - what is printed at the end */
struct show {
	struct cv_table *table;
	json_t *list;
	bool differs;
};

static void show_done(struct show *s)
{
	cv_table_freep(&s->table);
	json_decref(s->list);
}

static int show_target(struct cmd *c, const struct vf_host *h, const struct vf_target *t,
		       struct show *s)
{
	struct view v = { 0 };
	int r = look_at(c, h, t, &v);

	if (r == 0) {
		s->differs |= v.refused.err || v.steps.n > 0;
		r = add_view(s->table, h, t, &v);
		json_array_append_new(s->list, view_json(h, t, &v));
	}
	cv_step_list_done(&v.steps);
	return r;
}

static int print_show(struct cmd *c, const struct vf_host *h, const struct show *s)
{
	_cleanup_free_ char *text = NULL;
	int r = 0;

	if (c->json) {
		r = cmd_print_json(c, json_pack("{s:i,s:b,s:O}", "carve_vf_policy", VF_JSON_VERSION,
						"applied", !s->differs, "pfs", s->list));
		return r < 0 ? r : s->differs;
	}
	if (json_array_size(s->list) == 0) {
		cmd_print(h->site.n_vfs ? "no PF here that the policy is about\n"
					: "no policy: the site file has no vfs:\n");
		return 0;
	}
	text = cv_table_text(s->table, true, 0);
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the policy");
	cmd_print("%s\n", text);
	return s->differs;
}

static int run_show(struct cmd *c)
{
	_cleanup_vf_host_ struct vf_host h = { .lock = -1 };
	_cleanup_free_ struct vf_target *targets = NULL;
	_cleanup_(show_done) struct show s = { .list = json_array() };
	int n = vf_host_open(c, false, &h);
	int r = n;

	if (n == 0)
		n = vf_policy_targets(&h.inv, h.site.vfs, h.site.n_vfs, &targets, &c->err);
	if (n < 0)
		return n;
	if (!s.list || cv_table_new(columns, CV_ARRAY_SIZE(columns), &s.table) < 0)
		r = -ENOMEM;
	for (int i = 0; i < n && r == 0; i++)
		r = show_target(c, &h, &targets[i], &s);
	if (r < 0)
		return c->err.err ? r : cv_fail_errno(&c->err, r, NULL, "cannot show the policy");
	r = print_show(c, &h, &s);
	return r <= 0 ? r : CV_EXIT_FAILED;
}

/* ---- apply ---- */

static int run_apply(struct cmd *c)
{
	_cleanup_vf_host_ struct vf_host h = { .lock = -1 };
	_cleanup_free_ struct vf_target *targets = NULL;
	int n = vf_host_open(c, true, &h);

	if (n == 0)
		n = vf_policy_resolve(&h.inv, h.site.vfs, h.site.n_vfs, &targets, &c->err);
	return n < 0 ? n : vf_policy_apply(c, &h, targets, (size_t)n);
}

static const struct cmd_verb policy_apply = {
	.name = "apply",
	.args = "",
	.summary = "bring the PFs of this host to the site's policy; writes only what differs",
	.complete = "",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = cmd_vf_change_options,
	.run = run_apply,
};

static const struct cmd_verb policy_show = {
	.name = "show",
	.args = "",
	.summary = "what differs between the site's policy and this host (exit code 1: something)",
	.complete = "",
	.run = run_show,
};

static const struct cmd_verb *const verbs[] = { &policy_show, &policy_apply, NULL };

const struct cmd_verb cmd_vf_policy = {
	.name = "policy",
	.args = "VERB",
	.summary = "the vfs: list of /etc/carve/carve.yaml: show, apply",
	.complete = "",
	.verbs = verbs,
};
