// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/vf_users.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/step_shared.h"
#include "sriov/function.h"
#include "sriov/holders.h"
#include "sriov/steps.h"

/** struct vfs - the VFs of a PF; done with vfs_done() */
struct vfs {
	const char *pf;
	struct inv_dev *devs; /* in BDF order */
	size_t n;
};

static void vfs_done(struct vfs *v)
{
	free(v->devs);
}

static int compare_devs(const void *a, const void *b)
{
	return cv_bdf_cmp(((const struct inv_dev *)a)->bdf, ((const struct inv_dev *)b)->bdf);
}

/* As far as holders are found by it. */
static int vfs_read(struct cv_sysroot *root, const char *pf, unsigned int count, struct vfs *ret,
		    struct cv_error *err)
{
	*ret = (struct vfs){ .pf = pf, .devs = calloc(count + 1, sizeof(*ret->devs)) };
	if (!ret->devs)
		return cv_fail_errno(err, -ENOMEM, pf, "cannot look for users of the VFs");
	for (unsigned int i = 0; i < count; i++) {
		struct inv_dev *d = &ret->devs[ret->n];
		char vf[CV_BDF_MAX];

		if (sr_vf_of(root, pf, i, vf) < 0 || cv_parse_bdf(vf, &d->bdf) < 0 ||
		    sr_driver(root, vf, d->driver, sizeof(d->driver)) < 0)
			continue;
		d->group = sr_group(root, vf);
		d->node = d->pf = d->parent = -1;
		ret->n++;
	}
	qsort(ret->devs, ret->n, sizeof(*ret->devs), compare_devs);
	return 0;
}

/* How its holder gives it back; a change of VFs holds nothing when it is finished. */
static void hint_lease(struct cv_error *err, const char *vf, const struct cv_lease *l)
{
	if (cv_lease_is_vm(l))
		cv_error_hint(err, "stop that VM first: carve stop %s", l->name);
	else if (strncmp(l->name, "dev-", 4) == 0)
		cv_error_hint(err, "give it back first: carve device release %s", vf);
	else
		cv_error_hint(err, "it is under way, or was cut off: carve recover %s", l->name);
}

static int fail_lease(struct cv_error *err, const struct vfs *v, struct cv_bdf vf,
		      const struct cv_lease *l)
{
	char bdf[CV_BDF_MAX];

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", cv_format_bdf(vf, bdf),
		"the VFs of %s cannot be taken away: one is leased", v->pf);
	cv_error_found(err, "%s %s of user %s, %s%s", cv_lease_is_vm(l) ? "VM" : "operation",
		       l->name, l->owner.user[0] ? l->owner.user : "unknown",
		       l->owner.job[0] ? "job " : "no job", l->owner.job);
	cv_error_wanted(err, "no VF of it leased");
	hint_lease(err, bdf, l);
	return -EBUSY;
}

static int check_lease(const struct cv_step_env *env, const struct vfs *v, const char *name,
		       struct cv_error *err)
{
	_cleanup_(cv_lease_done) struct cv_lease l = { 0 };
	int r = cv_lease_read(env->root, name, &l, err);

	for (size_t i = 0; r == 0 && i < l.n_devices; i++)
		for (size_t k = 0; k < v->n; k++)
			if (cv_bdf_cmp(l.devices[i], v->devs[k].bdf) == 0)
				return fail_lease(err, v, l.devices[i], &l);
	return r;
}

/* A lease that cannot be read could hold any of them: that is an error too. */
static int check_leases(const struct cv_step_env *env, const struct vfs *v, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = cv_lease_list(env->root, &names, err);

	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (!env->vm || strcmp(names.v[i], env->vm) != 0)
			r = check_lease(env, v, names.v[i], err);
	return r;
}

/* Taking away a VF whose group is open would block until its user ends. */
static int check_groups(const struct cv_step_env *env, const struct vfs *v, struct cv_error *err)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct inv_dev *d = &v->devs[i];
		char bdf[CV_BDF_MAX], who[64];

		if (!strstr(d->driver, "vfio") ||
		    !sr_group_user(env->root, d->group, who, sizeof(who)))
			continue;
		cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", cv_format_bdf(d->bdf, bdf),
			"the VFs of %s cannot be taken away: one is in use", v->pf);
		cv_error_found(err, "%s", who);
		cv_error_hint(
			err,
			"end that process, then try again, or carve recover after a failed stop");
		return -EBUSY;
	}
	return 0;
}

static int fail_held(struct cv_error *err, const struct vfs *v, const struct inv_dev *vf)
{
	char bdf[CV_BDF_MAX];

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", cv_format_bdf(vf->bdf, bdf),
		"the VFs of %s cannot be taken away: the host uses one", v->pf);
	cv_error_found(err, "%s", vf->holder);
	cv_error_hint(err, "end that use, then try again, or carve recover after a failed stop");
	return -EBUSY;
}

/* Without a driver nobody can use it. @is_any: one that is bound to a driver which hands it on counts
 * as used. */
static bool may_be_held(const struct inv_dev *vf, bool is_any)
{
	return vf->driver[0] && (is_any || !strstr(vf->driver, "vfio"));
}

/* A VF that the host uses itself (somebody bound it to its driver) would be pulled away. */
static int check_holders(const struct cv_step_env *env, const struct vfs *v, bool is_any,
			 struct cv_error *err)
{
	struct inventory inv = { .devs = v->devs, .n_devs = v->n };
	bool is_any_bound = false;

	for (size_t i = 0; i < v->n; i++)
		is_any_bound |= may_be_held(&v->devs[i], is_any);
	if (!is_any_bound)
		return 0;
	sr_holders_read(env->root, &inv);
	for (size_t i = 0; i < v->n; i++)
		if (v->devs[i].holder_kind != INV_HOLDER_NONE && may_be_held(&v->devs[i], is_any))
			return fail_held(err, v, &v->devs[i]);
	return 0;
}

static int check_users(const struct cv_step_env *env, const struct vfs *v, bool is_any,
		       struct cv_error *err)
{
	int r = check_leases(env, v, err);

	if (r == 0)
		r = check_groups(env, v, err);
	return r < 0 ? r : check_holders(env, v, is_any, err);
}

int sr_vfs_check_unused(const struct cv_step_env *env, const char *pf, unsigned int count,
			struct cv_error *err)
{
	_cleanup_(vfs_done) struct vfs v = { 0 };
	int r = vfs_read(env->root, pf, count, &v, err);

	return r < 0 ? r : check_users(env, &v, false, err);
}

int sr_vf_check_closed(const struct cv_step_env *env, const char *object, struct cv_error *err)
{
	char pf[CV_BDF_MAX], vf[CV_BDF_MAX], driver[64], who[64];
	unsigned int index;
	int r = sr_split_vf(object, pf, &index, err);

	if (r < 0)
		return r;
	if (sr_vf_of(env->root, pf, index, vf) < 0 ||
	    sr_driver(env->root, vf, driver, sizeof(driver)) < 0 || !strstr(driver, "vfio") ||
	    !sr_group_user(env->root, sr_group(env->root, vf), who, sizeof(who)))
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", vf,
		"the VF keeps its settings: its group is open");
	cv_error_found(err, "%s", who);
	cv_error_wanted(err, "a VF that nobody has open");
	cv_error_hint(err, "end that process, then run carve recover");
	return -EBUSY;
}

/* VMs and operations that came to the VFs there are have noted that they need them. */
static int check_shared(const struct cv_step_env *env, const char *pf, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	_cleanup_free_ char *names = NULL;
	int r = cv_shared_read(env->root, sr_step_numvfs.kind, pf, &s, err);

	if (r == -ENOENT) {
		if (err)
			*err = (struct cv_error){ 0 };
		return 0;
	}
	if (r < 0)
		return r;
	names = cv_strv_join(&s.holders, ", ");
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_SHARED", pf,
		"the VFs cannot be taken away: others need them");
	cv_error_found(err, "%s VFs for %s", s.value, names ? names : "?");
	cv_error_hint(err, "stop these first (carve stop, carve device release)");
	return -EBUSY;
}

int sr_vfs_check_free(const struct cv_step_env *env, const char *pf, unsigned int count,
		      struct cv_error *err)
{
	_cleanup_(vfs_done) struct vfs v = { 0 };
	int r = vfs_read(env->root, pf, count, &v, err);

	if (r == 0)
		r = check_users(env, &v, true, err);
	return r < 0 ? r : check_shared(env, pf, err);
}
