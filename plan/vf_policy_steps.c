// SPDX-License-Identifier: GPL-2.0-or-later
/* From what VFs there are to those that are wanted, as steps (sriov/steps.h, base/step.h). */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "plan/vf_policy.h"

static int add_autoprobe(const struct inv_dev *pf, bool is_on, struct cv_step_list *s)
{
	char bdf[CV_BDF_MAX], path[96];

	if (pf->sriov.autoprobe == is_on)
		return 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_drivers_autoprobe",
		 cv_format_bdf(pf->bdf, bdf));
	return cv_step_list_add(s, "attr", path, is_on ? "1" : "0", "%s",
				is_on ? "host drivers may take new VFs"
				      : "no host driver shall touch new VFs");
}

static int add_count(const struct inv_dev *pf, const struct vf_target *t, struct cv_step_list *s)
{
	char bdf[CV_BDF_MAX], value[32];

	cv_format_bdf(pf->bdf, bdf);
	snprintf(value, sizeof(value), "%u%s", t->wanted, t->now ? " replace" : "");
	return cv_step_list_add(s, "numvfs-set", bdf, value, "%s has %u VFs, %u are wanted", bdf,
				t->now, t->wanted);
}

/*
 * Without VFs, what becomes of new ones is said last: should the VFs come back because a later step
 * fails, they find what held when they were made.
 */
static int add_creation(const struct inv_dev *pf, const struct vf_target *t, struct cv_step_list *s)
{
	bool is_last = t->wanted == 0;
	int r = 0;

	if (is_last && t->now == 0)
		return 0;
	if (!is_last)
		r = add_autoprobe(pf, t->policy->autoprobe, s);
	if (r == 0 && t->now != t->wanted)
		r = add_count(pf, t, s);
	return r == 0 && is_last ? add_autoprobe(pf, t->policy->autoprobe, s) : r;
}

static int find_vf(const struct inventory *inv, int pf, unsigned int index)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].pf == pf && inv->devs[i].vf_index == (int)index)
			return (int)i;
	return -1;
}

/*
 * What a guest works with is its own until it is given back, with or without a lease; an NVMe VF goes
 * offline for its settings, whoever uses it.
 */
static bool is_left_alone(const struct inventory *inv, const struct vf_target *t,
			  unsigned int index)
{
	int vf = find_vf(inv, t->dev, index);

	if (vf < 0)
		return false;
	return t->policy->queues > 0 ? vf_is_held(inv, vf) : vf_is_taken(inv, vf);
}

static int add_settings(const struct inv_dev *pf, const struct vf_policy *p, unsigned int index,
			const char *net, struct cv_step_list *s)
{
	char bdf[CV_BDF_MAX], object[40], value[48];
	int r = 0;

	snprintf(object, sizeof(object), "%s/%u", cv_format_bdf(pf->bdf, bdf), index);
	if (net[0])
		r = cv_step_list_add(s, "vf-net", object, net, "settings of VF %u", index);
	if (r < 0 || p->queues == 0)
		return r;
	snprintf(value, sizeof(value), "vq=%u vi=%u", p->queues, p->interrupts);
	return cv_step_list_add(s, "vf-nvme", object, value, "queues and interrupts of VF %u",
				index);
}

static int add_target(const struct inventory *inv, const struct vf_target *t,
		      struct cv_step_list *s)
{
	_cleanup_free_ char *net = vf_settings_text(&t->policy->settings);
	const struct inv_dev *pf = &inv->devs[t->dev];
	int r = net ? add_creation(pf, t, s) : -ENOMEM;

	for (unsigned int i = 0; i < t->wanted && r == 0; i++)
		if (!is_left_alone(inv, t, i))
			r = add_settings(pf, t->policy, i, net, s);
	return r;
}

int vf_policy_steps(const struct inventory *inv, const struct vf_target *targets, size_t n,
		    struct cv_step_list *ret, struct cv_error *err)
{
	_cleanup_step_list_ struct cv_step_list s = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_target(inv, &targets[i], &s);
	if (r < 0)
		return cv_fail_errno(err, r, NULL, "cannot make the steps");
	*ret = s;
	s = (struct cv_step_list){ 0 };
	return 0;
}
