// SPDX-License-Identifier: GPL-2.0-or-later
/* carve vf create and destroy: VFs of one PF, by the operator. */
#include "tools/cmd_vf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/step_shared.h"
#include "tools/vf_change.h"

int cmd_vf_fail_argument(struct cmd *c, const char *arg, const char *what, const char *wanted)
{
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_ARGUMENT", arg, "%s", what);
	cv_error_found(&c->err, "%s", arg);
	cv_error_wanted(&c->err, "%s", wanted);
	return -EINVAL;
}

int cmd_vf_parse_pf(struct cmd *c, const char *arg, struct cv_bdf *ret)
{
	if (cv_parse_bdf(arg, ret) == 0)
		return 0;
	cmd_vf_fail_argument(c, arg, "not the address of a function", "a PF: 0000:81:00.0");
	cv_error_hint(&c->err, "carve vf list shows the PFs");
	return -EINVAL;
}

/* ---- create and destroy ---- */

/* VFs that a VM made are its own: they go with the last VM that needs them, whoever asks again. */
static void note_borrowed(struct cmd *c, const struct inv_dev *pf)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	_cleanup_free_ char *holders = NULL;
	char bdf[CV_BDF_MAX];

	cv_format_bdf(pf->bdf, bdf);
	if (cv_shared_read(c->root, "numvfs", bdf, &s, NULL) < 0 ||
	    cv_json_int(s.prior, "num", 0) == (json_int_t)pf->sriov.num)
		return;
	holders = cv_strv_join(&s.holders, ", ");
	cmd_note(c, "%s: its VFs were made for %s and go when that ends; run this again then", bdf,
		 holders ? holders : "a VM");
}

static int print_count(struct cmd *c, const struct vf_target *t, struct cv_bdf pf, bool is_changed)
{
	char bdf[CV_BDF_MAX];

	cv_format_bdf(pf, bdf);
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:s,s:i,s:b}", "carve_vf", VF_JSON_VERSION,
						   "pf", bdf, "count", (int)t->wanted, "changed",
						   is_changed));
	cmd_print(is_changed ? "%s: %u VFs\n" : "%s: %u VFs, nothing to change\n", bdf, t->wanted);
	return 0;
}

/* Brings one PF to @p. */
static int change_pf(struct cmd *c, const struct vf_policy *p, const char *verb)
{
	_cleanup_vf_host_ struct vf_host h = { .lock = -1 };
	_cleanup_step_list_ struct cv_step_list s = { 0 };
	_cleanup_free_ struct vf_target *t = NULL;
	char title[64], bdf[CV_BDF_MAX];
	int r = vf_host_open(c, true, &h);

	if (r == 0)
		r = vf_policy_resolve(&h.inv, p, 1, &t, &c->err);
	if (r >= 0)
		r = vf_steps_make(c, &h.inv, t, 1, &s);
	if (r < 0)
		return r;
	if (s.n == 0) {
		r = vf_change_check(c, &h.inv, t->dev);
		if (r < 0)
			return r;
		note_borrowed(c, &h.inv.devs[t->dev]);
		return print_count(c, t, p->pf, false);
	}
	snprintf(title, sizeof(title), "vf %s %s", verb, cv_format_bdf(p->pf, bdf));
	r = vf_change_make(c, &h.inv, t->dev, title, &s);
	return r < 0 || c->dry_run ? r : print_count(c, t, p->pf, true);
}

static int parse_count(struct cmd *c, const char *arg, int *ret)
{
	uint64_t count;

	if (strcmp(arg, "all") == 0) {
		*ret = -1;
		return 0;
	}
	if (cv_parse_u64(arg, &count) == 0 && count > 0 && count <= UINT16_MAX) {
		*ret = (int)count;
		return 0;
	}
	cmd_vf_fail_argument(c, arg, "not a number of VFs", "1 or more, or all");
	cv_error_hint(&c->err, "carve vf destroy takes VFs away");
	return -EINVAL;
}

static int run_create(struct cmd *c)
{
	struct vf_policy p = { .has_pf = true, .autoprobe = cmd_flag(c, "driver-autoprobe") };
	int r = cmd_vf_parse_pf(c, c->args[0], &p.pf);

	vf_settings_none(&p.settings);
	if (r == 0)
		r = parse_count(c, c->args[1], &p.count);
	return r < 0 ? r : change_pf(c, &p, "create");
}

/* Without VFs a PF is as its driver left it: new ones would be probed. */
static int run_destroy(struct cmd *c)
{
	struct vf_policy p = { .has_pf = true, .autoprobe = true };
	int r = cmd_vf_parse_pf(c, c->args[0], &p.pf);

	vf_settings_none(&p.settings);
	return r < 0 ? r : change_pf(c, &p, "destroy");
}

static const struct cmd_option create_options[] = {
	{ "driver-autoprobe", NULL, "host drivers may take the new VFs; they do not without it",
	  false },
	CMD_VF_CRASH_AT,
	{ NULL, NULL, NULL, false },
};

const struct cmd_option cmd_vf_change_options[] = {
	CMD_VF_CRASH_AT,
	{ NULL, NULL, NULL, false },
};

static const struct cmd_verb vf_create = {
	.name = "create",
	.args = "PF COUNT",
	.summary = "bring a PF to so many VFs (or all it has); writes nothing when it has them",
	.min_args = 2,
	.max_args = 2,
	.complete = "",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = create_options,
	.run = run_create,
};

static const struct cmd_verb vf_destroy = {
	.name = "destroy",
	.args = "PF",
	.summary = "take all VFs of a PF away; refused while one is leased or in use",
	.min_args = 1,
	.max_args = 1,
	.complete = "",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = cmd_vf_change_options,
	.run = run_destroy,
};

static const struct cmd_verb *const verbs[] = {
	&cmd_vf_list, &vf_create, &cmd_vf_set, &vf_destroy, &cmd_vf_policy, NULL,
};

const struct cmd_verb cmd_vf = {
	.name = "vf",
	.args = "VERB",
	.summary = "VFs: how many a PF has, what they are set to, and the site's policy for both",
	.complete = "",
	.verbs = verbs,
};
