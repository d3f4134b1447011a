// SPDX-License-Identifier: GPL-2.0-or-later
/* Which PFs the policy is about, and what of it is refused before anything is written. */
#include "plan/vf_policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/** struct rule_ctx - @d is the function of @t, @bdf its address */
struct rule_ctx {
	const struct inventory *inv;
	const struct vf_target *t;
	const struct inv_dev *d;
	char bdf[CV_BDF_MAX];
};

static bool is_changed(const struct rule_ctx *x)
{
	return x->t->now != x->t->wanted;
}

static int rule_bridge(const struct rule_ctx *x, struct cv_error *err)
{
	if (!inv_is_bridge(x->d) && x->d->class >> 16 != 0x06)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NOT_A_PF", x->bdf, "a bridge has no VFs");
	cv_error_found(err, "%s", x->d->name[0] ? x->d->name : "PCI bridge");
	cv_error_wanted(err, "a PF: a function with SR-IOV");
	cv_error_hint(err, "carve vf list shows the PFs");
	return -EINVAL;
}

static int fail_is_vf(const struct rule_ctx *x, struct cv_error *err)
{
	char pf[CV_BDF_MAX] = "its PF";

	if ((size_t)x->d->pf < x->inv->n_devs)
		cv_format_bdf(x->inv->devs[x->d->pf].bdf, pf);
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NOT_A_PF", x->bdf,
		"the function is a VF itself: only PFs have VFs");
	cv_error_found(err, "VF %d of %s", x->d->vf_index, pf);
	cv_error_wanted(err, "a PF");
	cv_error_hint(err, "name %s", pf);
	return -EINVAL;
}

static int rule_pf(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->d->pf >= 0)
		return fail_is_vf(x, err);
	if (x->d->sriov.total > 0)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NOT_A_PF", x->bdf, "the function has no SR-IOV");
	cv_error_found(err, "%s without SR-IOV", inv_class_name(x->d));
	cv_error_wanted(err, "a PF: a function with SR-IOV");
	cv_error_hint(err, "carve vf list shows the PFs; SR-IOV may be off in the firmware of the "
			   "device or of the host");
	return -EINVAL;
}

static int rule_total(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->t->wanted <= x->d->sriov.total)
		return 0;
	cv_fail(err, -ERANGE, CV_EXIT_USAGE, "TOO_MANY_VFS", x->bdf,
		"the device does not offer that many VFs");
	cv_error_found(err, "%u VFs wanted", x->t->wanted);
	cv_error_wanted(err, "at most %u", x->d->sriov.total);
	cv_error_hint(err, "more may be set in the firmware of the device (for some: mlxconfig "
			   "NUM_OF_VFS)");
	return -ERANGE;
}

/* VFs that no IOMMU translates for are of no use to a guest. */
static int rule_iommu(const struct rule_ctx *x, struct cv_error *err)
{
	if (x->t->wanted == 0 || x->d->group >= 0)
		return 0;
	cv_fail(err, -ENXIO, CV_EXIT_PRECONDITION, "NO_IOMMU", x->bdf,
		"VFs of the device cannot be isolated: no IOMMU translates for it");
	cv_error_found(err, "a device in no IOMMU group");
	cv_error_wanted(err, "an IOMMU group");
	cv_error_hint(err, "enable VT-d or AMD-Vi in the firmware, on Intel boot with "
			   "intel_iommu=on; carve audit shows the effect");
	return -ENXIO;
}

static bool is_set(const struct vf_settings *s)
{
	struct vf_settings none;

	vf_settings_none(&none);
	return !vf_settings_match(s, &none);
}

/* There VFs are set through representors and devlink; the old calls do harm. */
static int rule_switchdev(const struct rule_ctx *x, struct cv_error *err)
{
	if (!x->d->is_switchdev || (!is_changed(x) && !is_set(&x->t->policy->settings)))
		return 0;
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "SWITCHDEV", x->bdf,
		"the PF is in switchdev mode: its VFs are managed by who runs the switch");
	cv_error_found(err, "%s has a switch id", x->d->netdev);
	cv_error_wanted(err, "eswitch mode legacy");
	cv_error_hint(err, "devlink dev eswitch set pci/%s mode legacy", x->bdf);
	return -EOPNOTSUPP;
}

static int fail_class(const struct rule_ctx *x, const char *keys, const char *wanted,
		      struct cv_error *err)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "VF_CLASS", x->bdf, "VFs of this device have no %s",
		keys);
	cv_error_found(err, "a device of class %s", inv_class_name(x->d));
	cv_error_wanted(err, "%s", wanted);
	return -EINVAL;
}

static bool is_network(const struct inv_dev *d)
{
	const char *class = inv_class_name(d);

	return strcmp(class, "net") == 0 || strcmp(class, "ib") == 0;
}

static int rule_class(const struct rule_ctx *x, struct cv_error *err)
{
	const struct vf_policy *p = x->t->policy;

	if (is_set(&p->settings) && !is_network(x->d))
		return fail_class(x, "network settings", "a network device", err);
	if (p->queues > 0 && strcmp(inv_class_name(x->d), "nvme") != 0)
		return fail_class(x, "queues to assign", "an NVMe device", err);
	return 0;
}

static int fail_silent(const struct rule_ctx *x, struct cv_error *err)
{
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "SILENT", x->bdf, "the PF does not answer");
	cv_error_found(err, "%s", x->d->quarantine);
	cv_error_wanted(err, "a PF that answers");
	cv_error_hint(err, "see dmesg for a probe or unbind that hangs; it usually needs a reboot");
	return -EPERM;
}

static int rule_healthy(const struct rule_ctx *x, struct cv_error *err)
{
	if (!x->d->is_quarantined || !is_changed(x))
		return 0;
	if (x->d->is_silent)
		return fail_silent(x, err);
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "QUARANTINED", x->bdf,
		"the PF is in quarantine");
	cv_error_found(err, "%s", x->d->quarantine);
	cv_error_wanted(err, "a PF that is not in quarantine");
	cv_error_hint(err, "check the device, then carve device clear %s", x->bdf);
	return -EPERM;
}

/* Only the driver of a PF makes its VFs. */
static int rule_driver(const struct rule_ctx *x, struct cv_error *err)
{
	const char *driver = x->d->driver;

	if (!is_changed(x) || (driver[0] && strcmp(driver, "vfio-pci") != 0))
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "PF_NO_DRIVER", x->bdf,
		"VFs cannot be made: the PF has no host driver");
	cv_error_found(err, "%s", driver[0] ? driver : "no driver");
	cv_error_wanted(err, "the host driver of the PF, bound");
	cv_error_hint(err, "bind the PF to its host driver");
	return -ENODEV;
}

static void found_holder(const struct inventory *inv, const struct inv_dev *vf,
			 struct cv_error *err)
{
	const struct cv_lease *l = inv_device_lease(inv, vf->bdf);
	char bdf[CV_BDF_MAX];

	cv_format_bdf(vf->bdf, bdf);
	if (!l)
		cv_error_found(err, "VF %d, %s: %s", vf->vf_index, bdf, vf->holder);
	else
		cv_error_found(err, "VF %d, %s: leased by %s, user %s%s%s", vf->vf_index, bdf,
			       l->name, l->owner.user, l->owner.job[0] ? ", job " : "",
			       l->owner.job);
}

static int rule_held(const struct rule_ctx *x, struct cv_error *err)
{
	if (!is_changed(x) || x->t->held < 0)
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_VFS", x->bdf,
		"another number of VFs would pull one from who uses it: the count only changes "
		"through 0");
	found_holder(x->inv, &x->inv->devs[x->t->held], err);
	cv_error_wanted(err, "%u VFs, none of them in use", x->t->wanted);
	cv_error_hint(err, "end that use first: carve stop, carve device release, or the holder's "
			   "own way");
	return -EBUSY;
}

static int rule_settings(const struct rule_ctx *x, struct cv_error *err)
{
	return vf_settings_check(&x->t->policy->settings, x->bdf, err);
}

static int (*const rules[])(const struct rule_ctx *x, struct cv_error *err) = {
	rule_bridge, rule_pf,	rule_total,	rule_settings, rule_class,
	rule_iommu,  rule_held, rule_switchdev, rule_healthy,  rule_driver,
};

int vf_target_check(const struct inventory *inv, const struct vf_target *t, struct cv_error *err)
{
	struct rule_ctx x = { .inv = inv, .t = t, .d = &inv->devs[t->dev] };

	cv_format_bdf(x.d->bdf, x.bdf);
	for (size_t i = 0; i < CV_ARRAY_SIZE(rules); i++) {
		int r = rules[i](&x, err);

		if (r < 0)
			return r;
	}
	return 0;
}

bool vf_is_held(const struct inventory *inv, int dev)
{
	const struct inv_dev *d = &inv->devs[dev];

	return d->holder_kind != INV_HOLDER_NONE || inv_device_lease(inv, d->bdf);
}

bool vf_is_taken(const struct inventory *inv, int dev)
{
	const struct inv_dev *d = &inv->devs[dev];

	return d->holder_kind == INV_HOLDER_PROCESS || d->holder_kind == INV_HOLDER_FOREIGN ||
	       inv_device_lease(inv, d->bdf);
}

static int find_held(const struct inventory *inv, int pf)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].pf == pf && vf_is_held(inv, (int)i))
			return (int)i;
	return -1;
}

/* VFs may have the ids of their PF (NVMe), and so may functions whose SR-IOV is off. */
static bool has_ids(const struct vf_policy *p, const struct inv_dev *d)
{
	if (d->pf >= 0 || d->sriov.total == 0)
		return false;
	return !p->has_pf && p->vendor == d->vendor && p->device == d->device;
}

/* An address is more exact than ids; of two as exact ones the first counts. */
static const struct vf_policy *find_entry(const struct vf_policy *entries, size_t n,
					  const struct inv_dev *d)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i].has_pf && cv_bdf_cmp(entries[i].pf, d->bdf) == 0)
			return &entries[i];
	for (size_t i = 0; i < n; i++)
		if (has_ids(&entries[i], d))
			return &entries[i];
	return NULL;
}

static void fill_target(const struct inventory *inv, int dev, const struct vf_policy *p,
			struct vf_target *ret)
{
	const struct inv_sriov *s = &inv->devs[dev].sriov;

	*ret = (struct vf_target){
		.dev = dev,
		.now = s->num,
		.wanted = p->count < 0 ? s->total : (unsigned int)p->count,
		.held = find_held(inv, dev),
		.policy = p,
	};
}

static int check_addresses(const struct inventory *inv, const struct vf_policy *entries, size_t n,
			   struct cv_error *err)
{
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < n; i++) {
		if (!entries[i].has_pf || inv_find_dev(inv, entries[i].pf) >= 0)
			continue;
		cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENODEV",
			cv_format_bdf(entries[i].pf, bdf), "there is no such function");
		cv_error_wanted(err, "a PF of this host");
		cv_error_hint(err, "carve vf list shows the PFs");
		return -ENODEV;
	}
	return 0;
}

int vf_policy_targets(const struct inventory *inv, const struct vf_policy *entries, size_t n,
		      struct vf_target **ret, struct cv_error *err)
{
	_cleanup_free_ struct vf_target *list = calloc(inv->n_devs + 1, sizeof(*list));
	int n_targets = 0;
	int r = list ? check_addresses(inv, entries, n, err)
		     : cv_fail_errno(err, -ENOMEM, NULL, "cannot look for PFs");

	for (size_t i = 0; r == 0 && i < inv->n_devs; i++) {
		const struct vf_policy *p = find_entry(entries, n, &inv->devs[i]);

		if (p)
			fill_target(inv, (int)i, p, &list[n_targets++]);
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(list);
	return n_targets;
}

int vf_policy_resolve(const struct inventory *inv, const struct vf_policy *entries, size_t n,
		      struct vf_target **ret, struct cv_error *err)
{
	_cleanup_free_ struct vf_target *list = NULL;
	int n_targets = vf_policy_targets(inv, entries, n, &list, err);

	for (int i = 0; i < n_targets; i++) {
		int r = vf_target_check(inv, &list[i], err);

		if (r < 0)
			return r;
	}
	if (n_targets >= 0)
		*ret = TAKE_PTR(list);
	return n_targets;
}
