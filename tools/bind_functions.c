// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/bind_functions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/vf_policy.h"
#include "tools/device.h"

/* ---- the command line ---- */

static int read_count(struct cmd *c, const char *arg, const char *text, unsigned int *ret)
{
	uint64_t count;

	if (strcmp(text, "all") == 0) {
		*ret = BIND_ALL;
		return 0;
	}
	if (cv_parse_u64(text, &count) == 0 && count > 0 && count <= UINT16_MAX) {
		*ret = (unsigned int)count;
		return 0;
	}
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_COUNT", arg, "not a number of VFs");
	cv_error_found(&c->err, "%s", text[0] ? text : "nothing after =");
	cv_error_wanted(&c->err, "1 or more, or all: 0000:81:00.0=4");
	cv_error_hint(&c->err, "carve vf list shows how many VFs each PF offers");
	return -EINVAL;
}

int bind_arg_read(struct cmd *c, const char *text, struct bind_arg *ret)
{
	const char *eq = strchr(text, '=');
	struct bind_arg arg = { .is_pf = eq };
	char pf[CV_BDF_MAX];
	int r = 0;

	if (!eq)
		r = device_address(c, text, &arg.bdf);
	else if (snprintf(pf, sizeof(pf), "%.*s", (int)(eq - text), text) >= (int)sizeof(pf))
		r = device_address(c, text, &arg.bdf);
	else
		r = device_address(c, pf, &arg.bdf);
	if (r == 0 && eq)
		r = read_count(c, text, eq + 1, &arg.count);
	if (r == 0)
		*ret = arg;
	return r;
}

static int fail_twice(struct cmd *c, struct cv_bdf bdf)
{
	char text[CV_BDF_MAX];

	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "GIVEN_TWICE", cv_format_bdf(bdf, text),
		"the device is named twice");
	cv_error_hint(&c->err, "leave it out once");
	return -EINVAL;
}

int bind_args_add(struct cmd *c, struct bind_args *args, const struct bind_arg *arg)
{
	for (size_t i = 0; i < args->n; i++)
		if (cv_bdf_cmp(args->v[i].bdf, arg->bdf) == 0)
			return fail_twice(c, arg->bdf);
	args->v[args->n++] = *arg;
	return 0;
}

/* ---- on this host ---- */

void bind_functions_done(struct bind_functions *f)
{
	free(f->v);
	*f = (struct bind_functions){ 0 };
}

static int add_function(struct cmd *c, struct bind_functions *list, const struct plan_function *f)
{
	struct plan_function *grown;

	for (size_t i = 0; i < list->n; i++)
		if (cv_bdf_cmp(list->v[i].bdf, f->bdf) == 0)
			return fail_twice(c, f->bdf);
	grown = reallocarray(list->v, list->n + 1, sizeof(*grown));
	if (!grown)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot list the devices");
	list->v = grown;
	list->v[list->n++] = *f;
	return 0;
}

static int find_vf(const struct inventory *inv, int pf, unsigned int index)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].pf == pf && inv->devs[i].vf_index == (int)index)
			return (int)i;
	return -1;
}

static int fail_vf(struct cmd *c, const struct inv_dev *pf, unsigned int index)
{
	char bdf[CV_BDF_MAX];

	cv_fail(&c->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_VF", cv_format_bdf(pf->bdf, bdf),
		"the address of its VF %u is not known", index);
	cv_error_found(&c->err, "%u VFs, First VF Offset %u, VF Stride %u", pf->sriov.num,
		       pf->sriov.offset, pf->sriov.stride);
	cv_error_wanted(&c->err, "a VF that is there, or offset and stride to tell where it comes");
	cv_error_hint(&c->err, "carve vf create %s makes them; then name them by address", bdf);
	return -ENODEV;
}

static int add_vf(struct cmd *c, const struct inventory *inv, const struct vf_target *t,
		  unsigned int index, struct bind_functions *list)
{
	const struct inv_dev *pf = &inv->devs[t->dev];
	struct plan_function f = { .dev = -1, .pf = t->dev, .vf_index = (int)index };

	if (t->now == 0 && inv_vf_bdf(pf, index, &f.bdf) < 0)
		return fail_vf(c, pf, index);
	if (t->now > 0) {
		f.dev = find_vf(inv, t->dev, index);
		if (f.dev < 0)
			return fail_vf(c, pf, index);
		f.bdf = inv->devs[f.dev].bdf;
	}
	return add_function(c, list, &f);
}

static int fail_fewer(struct cmd *c, const struct inv_dev *pf, unsigned int wanted, bool may_come)
{
	char bdf[CV_BDF_MAX];

	cv_fail(&c->err, -EBUSY, CV_EXIT_PRECONDITION, "FEWER_VFS", cv_format_bdf(pf->bdf, bdf),
		may_come ? "the PF has VFs, but fewer: their number only changes through 0"
			 : "the PF has no such VFs");
	cv_error_found(&c->err, "%u VFs", pf->sriov.num);
	cv_error_wanted(&c->err, may_come ? "%u VFs, or none yet" : "%u VFs", wanted);
	cv_error_hint(&c->err,
		      may_come ? "carve vf create %s %u, when nobody uses those there are"
			       : "carve device list --vfs shows what %s has (%u were named)",
		      bdf, wanted);
	return -EBUSY;
}

/* The first VFs of a PF; its count stays, or grows from none to what is wanted. */
static int add_vfs(struct cmd *c, const struct inventory *inv, const struct bind_arg *arg,
		   bool may_come, struct bind_functions *list)
{
	struct vf_policy p = { .has_pf = true, .pf = arg->bdf, .count = (int)arg->count };
	_cleanup_free_ struct vf_target *t = NULL;
	unsigned int n;
	int r;

	vf_settings_none(&p.settings);
	if (arg->count == BIND_ALL)
		p.count = -1;
	r = vf_policy_targets(inv, &p, 1, &t, &c->err);
	if (r < 0)
		return r;
	n = arg->count == BIND_ALL && !may_come ? t->now : t->wanted;
	if ((t->now > 0 || !may_come) && t->now < n && n <= inv->devs[t->dev].sriov.total)
		return fail_fewer(c, &inv->devs[t->dev], n, may_come);
	if (t->now >= n)
		t->wanted = t->now;
	r = vf_target_check(inv, t, &c->err);
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = add_vf(c, inv, t, i, list);
	return r;
}

int bind_functions(struct cmd *c, const struct inventory *inv, const struct bind_args *args,
		   bool may_come, struct bind_functions *ret)
{
	_cleanup_functions_ struct bind_functions list = { 0 };
	int r = 0;

	for (size_t i = 0; i < args->n && r == 0; i++) {
		struct plan_function f;

		if (args->v[i].is_pf) {
			r = add_vfs(c, inv, &args->v[i], may_come, &list);
			continue;
		}
		r = plan_find_function(inv, args->v[i].bdf, &f, &c->err);
		r = r ?: add_function(c, &list, &f);
	}
	if (r < 0)
		return r;
	*ret = list;
	list = (struct bind_functions){ 0 };
	return 0;
}

int bind_inventory(struct cmd *c, unsigned int depth, const struct bind_args *args,
		   struct inventory *ret)
{
	struct spec_device devices[CMD_MAX_ARGS] = { 0 };
	struct spec spec = { .devices = devices, .n_devices = args->n };

	for (size_t i = 0; i < args->n; i++)
		devices[i] = (struct spec_device){
			.select = args->v[i].is_pf ? SPEC_BY_VF : SPEC_BY_BDF,
			.bdf = args->v[i].bdf,
			.pf = args->v[i].bdf,
			.has_pf = args->v[i].is_pf,
		};
	return cmd_inventory(c, depth, &spec, 1, ret);
}
