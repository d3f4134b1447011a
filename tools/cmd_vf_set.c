// SPDX-License-Identifier: GPL-2.0-or-later
/* carve vf set: settings of one VF, by the operator. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/strv.h"
#include "sriov/nvme.h"
#include "sriov/vf_net.h"
#include "tools/cmd_vf.h"
#include "tools/vf_change.h"

#define MAX_RESOURCES 65535

/** struct wish - what carve vf set asks for; @p: as of a policy for the one VF; @namespaces: NULL none */
struct wish {
	struct vf_policy p;
	const char *namespaces;
	struct cv_bdf vf;
	bool has_vf; /* by its own address, else by @p.pf and @index */
	uint64_t index;
};

static int parse_vf(struct cmd *c, const char *arg, struct wish *w)
{
	const char *slash = strchr(arg, '/');
	char pf[CV_BDF_MAX] = "";

	w->has_vf = !slash;
	if (slash && (size_t)(slash - arg) < sizeof(pf))
		snprintf(pf, sizeof(pf), "%.*s", (int)(slash - arg), arg);
	if (slash ? cv_parse_bdf(pf, &w->p.pf) == 0 && cv_parse_u64(slash + 1, &w->index) == 0
		  : cv_parse_bdf(arg, &w->vf) == 0)
		return 0;
	cmd_vf_fail_argument(c, arg, "not a VF",
			     "its address 0000:81:10.0, or PF/INDEX: 0000:81:00.0/0");
	cv_error_hint(&c->err, "carve vf list shows the VFs");
	return -EINVAL;
}

static int parse_resource(struct cmd *c, const char *key, const char *value, unsigned int min,
			  unsigned int *ret)
{
	uint64_t n;

	if (cv_parse_u64(value, &n) == 0 && n >= min && n <= MAX_RESOURCES) {
		*ret = (unsigned int)n;
		return 0;
	}
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "VF_SETTING", key, "%s has a bad value", key);
	cv_error_found(&c->err, "%s", value[0] ? value : "nothing");
	cv_error_wanted(&c->err, "%u to %d", min, MAX_RESOURCES);
	return -EINVAL;
}

static int parse_setting(struct cmd *c, const char *key, const char *value, struct wish *w)
{
	int r;

	if (strcmp(key, "queues") == 0)
		return parse_resource(c, key, value, 2, &w->p.queues);
	if (strcmp(key, "interrupts") == 0)
		return parse_resource(c, key, value, 1, &w->p.interrupts);
	if (strcmp(key, "namespaces") == 0) {
		w->namespaces = value;
		return 0;
	}
	r = vf_settings_set(&w->p.settings, key, value, &c->err);
	if (r < 0)
		cv_error_hint(&c->err, "carve(1) describes the settings; of NVMe VFs these are "
				       "queues, interrupts and namespaces");
	return r;
}

static int parse_argument(struct cmd *c, const char *arg, struct cv_strv *seen, struct wish *w)
{
	const char *equals = strchr(arg, '=');
	char key[32] = "";

	if (!equals || (size_t)(equals - arg) >= sizeof(key))
		return cmd_vf_fail_argument(c, arg, "not a setting", "KEY=VALUE, such as vlan=100");
	snprintf(key, sizeof(key), "%.*s", (int)(equals - arg), arg);
	if (cv_strv_has(seen, key))
		return cmd_vf_fail_argument(c, arg, "the setting is given twice",
					    "each setting once");
	if (cv_strv_add(seen, key) < 0)
		return cv_fail_errno(&c->err, -ENOMEM, key, "cannot read the settings");
	return parse_setting(c, key, equals + 1, w);
}

/* Value of a step "vf-nvme", heap; NULL: no memory. */
static char *nvme_text(const struct wish *w)
{
	char *text = NULL;
	int r = asprintf(&text, "vq=%u vi=%u%s%s", w->p.queues, w->p.interrupts,
			 w->namespaces ? " ns=" : "", w->namespaces ? w->namespaces : "");

	return r < 0 ? NULL : text;
}

static int check_nvme(struct cmd *c, const struct wish *w)
{
	_cleanup_free_ char *text = NULL;
	struct sr_nvme_wish ignored;

	if (!w->p.queues && !w->p.interrupts && !w->namespaces)
		return 0;
	if (!w->p.queues || !w->p.interrupts)
		return cmd_vf_fail_argument(
			c, c->args[1], "settings of an NVMe VF go together",
			"queues and interrupts: queues=2 interrupts=1 at least");
	text = nvme_text(w);
	if (text && sr_nvme_parse_wish(text, &ignored) == 0)
		return 0;
	return cmd_vf_fail_argument(c, w->namespaces ? w->namespaces : c->args[1],
				    "not a list of namespaces", "their numbers: 1,2");
}

static int parse_settings(struct cmd *c, struct wish *w)
{
	_cleanup_strv_ struct cv_strv seen = { 0 };
	int r = 0;

	for (size_t i = 1; i < c->n_args && r == 0; i++)
		r = parse_argument(c, c->args[i], &seen, w);
	return r < 0 ? r : check_nvme(c, w);
}

static int fail_no_vf(struct cmd *c, const struct inventory *inv, int pf)
{
	cv_fail(&c->err, -ENODEV, CV_EXIT_NOT_FOUND, "ENOVF", c->args[0], "there is no such VF");
	if (pf >= 0)
		cv_error_found(&c->err, "a PF with %u VFs, numbered from 0",
			       inv->devs[pf].sriov.num);
	cv_error_hint(&c->err, "carve vf list shows the VFs; carve vf create makes some");
	return -ENODEV;
}

static int fail_not_vf(struct cmd *c, const struct inv_dev *d)
{
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NOT_A_VF", c->args[0], "the function is no VF");
	cv_error_found(&c->err, "%s", d->sriov.total ? "a PF" : inv_class_name(d));
	cv_error_wanted(&c->err, "a VF: its own address, or PF/INDEX");
	cv_error_hint(&c->err, "carve vf list shows the VFs");
	return -EINVAL;
}

/* Names the PF and the number of a VF that was given by its address. */
static int find_vf(struct cmd *c, const struct inventory *inv, struct wish *w)
{
	int dev = w->has_vf ? inv_find_dev(inv, w->vf) : -1;

	if (!w->has_vf)
		return 0;
	if (dev < 0)
		return fail_no_vf(c, inv, -1);
	if (inv->devs[dev].pf < 0)
		return fail_not_vf(c, &inv->devs[dev]);
	w->p.pf = inv->devs[inv->devs[dev].pf].bdf;
	w->index = (uint64_t)inv->devs[dev].vf_index;
	return 0;
}

static int find_function(const struct inventory *inv, int pf, uint64_t index)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].pf == pf && inv->devs[i].vf_index == (int)index)
			return (int)i;
	return -1;
}

static int fail_leased(struct cmd *c, const struct inv_dev *d, const struct cv_lease *l)
{
	char bdf[CV_BDF_MAX];

	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", c->args[0],
		"the VF is leased: its settings belong to who has it");
	cv_error_found(&c->err, "lease of %s, user %s%s%s", l->name, l->owner.user,
		       l->owner.job[0] ? ", job " : "", l->owner.job);
	cv_error_wanted(&c->err, "a VF that nobody has");
	cv_error_hint(&c->err, "wait until it is given back: %s %s",
		      cv_lease_is_vm(l) ? "carve stop" : "carve device release",
		      cv_lease_is_vm(l) ? l->name : cv_format_bdf(d->bdf, bdf));
	return -EBUSY;
}

/* A change of the PF that was cut off: what carve recover does with the VF would undo this one. */
static int fail_unfinished(struct cmd *c, const struct cv_lease *l)
{
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", c->args[0],
		"an earlier change of the VF or its PF was not finished");
	cv_error_found(&c->err, "lease of %s, user %s", l->name, l->owner.user);
	cv_error_wanted(&c->err, "a VF that nobody has, of a PF that nobody changes");
	cv_error_hint(&c->err, "carve recover %s undoes what it left", l->name);
	return -EBUSY;
}

static int fail_used(struct cmd *c, const struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", c->args[0], "the VF is in use");
	cv_error_found(&c->err, "%s", d->holder);
	cv_error_wanted(&c->err, "a VF that nobody uses");
	cv_error_hint(&c->err, "end that use first; carve device holders %s names all of it",
		      cv_format_bdf(d->bdf, bdf));
	return -EBUSY;
}

/* Without a lease the VF may be libvirt's or SPDK's; an NVMe VF goes offline for its settings. */
static int check_free(struct cmd *c, const struct inventory *inv, int vf, const struct wish *w)
{
	const struct inv_dev *d = &inv->devs[vf];
	const struct cv_lease *own = inv_device_lease(inv, d->bdf);
	const struct cv_lease *l = own ?: inv_device_lease(inv, inv->devs[d->pf].bdf);

	if (l && !cv_lease_is_vm(l) && (!own || strncmp(l->name, "vf-", 3) == 0))
		return fail_unfinished(c, l);
	if (own)
		return fail_leased(c, d, own);
	if (w->p.queues > 0 ? vf_is_held(inv, vf) : vf_is_taken(inv, vf))
		return fail_used(c, d);
	return 0;
}

/* The rules of a policy for the PF apply, its count stays. Return: index of the VF's function. */
static int resolve_vf(struct cmd *c, const struct inventory *inv, struct wish *w)
{
	_cleanup_free_ struct vf_target *t = NULL;
	int r = find_vf(c, inv, w), pf, vf;

	if (r < 0)
		return r;
	pf = inv_find_dev(inv, w->p.pf);
	if (pf >= 0)
		w->p.count = (int)inv->devs[pf].sriov.num;
	r = vf_policy_resolve(inv, &w->p, 1, &t, &c->err);
	if (r < 0)
		return r;
	vf = w->index < inv->devs[pf].sriov.num ? find_function(inv, pf, w->index) : -1;
	if (vf < 0)
		return fail_no_vf(c, inv, pf);
	r = check_free(c, inv, vf, w);
	return r < 0 ? r : vf;
}

/* Together with what stays as it is: a highest rate below the lowest one that holds. */
static int check_whole(struct cmd *c, const struct inv_dev *pf, const struct wish *w)
{
	_cleanup_free_ struct sr_vf_net *vfs = NULL;
	struct vf_settings whole = w->p.settings, now;
	int n = vf_reports(c, pf, &vfs);

	for (int i = 0; i < n; i++) {
		if (vfs[i].index != w->index)
			continue;
		sr_vf_net_settings(&vfs[i], &now);
		vf_settings_over(&now, &whole);
	}
	return vf_settings_check(&whole, c->args[0], &c->err);
}

/* The one step as a list, owned by the caller. */
static int make_step(struct cmd *c, const struct wish *w, struct cv_step_list *ret)
{
	bool is_nvme = w->p.queues > 0;
	_cleanup_free_ char *value = is_nvme ? nvme_text(w) : vf_settings_text(&w->p.settings);
	char pf[CV_BDF_MAX], object[CV_BDF_MAX + 12];

	snprintf(object, sizeof(object), "%s/%u", cv_format_bdf(w->p.pf, pf),
		 (unsigned int)w->index);
	if (value && cv_step_list_add(ret, is_nvme ? "vf-nvme" : "vf-net", object, value,
				      "asked for by the operator") == 0)
		return 0;
	return cv_fail_errno(&c->err, -ENOMEM, c->args[0], "cannot make the step");
}

static int print_set(struct cmd *c, const struct wish *w, bool is_changed)
{
	char pf[CV_BDF_MAX];

	cv_format_bdf(w->p.pf, pf);
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:s,s:i,s:b}", "carve_vf", VF_JSON_VERSION,
						   "pf", pf, "index", (int)w->index, "changed",
						   is_changed));
	cmd_print(is_changed ? "%s/%d: set\n" : "%s/%d: as wanted, nothing to change\n", pf,
		  (int)w->index);
	return 0;
}

static int set_vf(struct cmd *c, const struct inventory *inv, int vf, const struct wish *w)
{
	_cleanup_step_list_ struct cv_step_list s = { 0 };
	char title[64];
	int r = check_whole(c, &inv->devs[inv->devs[vf].pf], w);

	if (r == 0)
		r = make_step(c, w, &s);
	if (r < 0)
		return r;
	vf_steps_drop_done(c, inv, &s);
	if (s.n == 0) {
		r = vf_change_check(c, inv, vf);
		return r < 0 ? r : print_set(c, w, false);
	}
	snprintf(title, sizeof(title), "vf set %s", s.v->object);
	r = vf_change_make(c, inv, vf, title, &s);
	return r < 0 || c->dry_run ? r : print_set(c, w, true);
}

static int run_set(struct cmd *c)
{
	_cleanup_vf_host_ struct vf_host h = { .lock = -1 };
	struct wish w = { .p = { .has_pf = true } };
	int r = parse_vf(c, c->args[0], &w);

	vf_settings_none(&w.p.settings);
	if (r == 0)
		r = parse_settings(c, &w);
	if (r == 0)
		r = vf_settings_check(&w.p.settings, c->args[0], &c->err);
	if (r == 0)
		r = vf_host_open(c, true, &h);
	if (r == 0)
		r = resolve_vf(c, &h.inv, &w);
	return r < 0 ? r : set_vf(c, &h.inv, r, &w);
}

const struct cmd_verb cmd_vf_set = {
	.name = "set",
	.args = "VF KEY=VALUE...",
	.summary = "settings of one VF: mac, vlan, trust, rates and more; queues of an NVMe VF",
	.min_args = 2,
	.max_args = CMD_MAX_ARGS,
	.complete = "",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = cmd_vf_change_options,
	.run = run_set,
};
