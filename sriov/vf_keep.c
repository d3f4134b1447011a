// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/vf_keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/steps.h"
#include "sriov/vf_net.h"

#define OBJECT_MAX (CV_BDF_MAX + 12)

/* What a step of its kind would note; nothing where the VF has no such thing. */
static int note(const struct cv_step_env *env, const struct cv_step_ops *ops, const char *object,
		json_t *vf, struct cv_error *err)
{
	struct cv_error why = { 0 };
	json_t *prior = NULL;
	int r = ops->record(env, object, "", &prior, &why);

	if (r == -ENODEV || r == -EOPNOTSUPP || r == -ENOENT)
		return 0;
	if (r < 0 && err)
		*err = why;
	if (r == 0 && prior && json_object_set_new(vf, ops->kind, prior) < 0)
		return cv_fail_errno(err, -ENOMEM, object, "cannot note the VF");
	return r;
}

static bool has(struct cv_sysroot *root, const char *pf, const char *name)
{
	char path[CV_PATH_MAX];

	return cv_exists(root, sr_path(path, pf, name));
}

static int record_vf(const struct cv_step_env *env, const char *pf, unsigned int index, json_t *vf,
		     struct cv_error *err)
{
	char bdf[CV_BDF_MAX], object[OBJECT_MAX];
	int r;

	if (sr_vf_of(env->root, pf, index, bdf) < 0)
		return 0;
	snprintf(object, sizeof(object), "%s/%u", pf, index);
	r = note(env, &sr_step_bind, bdf, vf, err);
	if (r == 0 && has(env->root, pf, "net"))
		r = note(env, &sr_step_vf_net, object, vf, err);
	if (r == 0 && has(env->root, pf, "nvme"))
		r = note(env, &sr_step_vf_nvme, object, vf, err);
	return r;
}

int sr_vfs_record(const struct cv_step_env *env, const char *pf, unsigned int count, json_t *prior,
		  struct cv_error *err)
{
	_cleanup_json_ json_t *vfs = json_array();

	for (unsigned int i = 0; i < count; i++) {
		json_t *vf = json_object(); /* of the array from here on */
		int r;

		if (json_array_append_new(vfs, vf) < 0)
			return cv_fail_errno(err, -ENOMEM, pf, "cannot note its VFs");
		r = record_vf(env, pf, i, vf, err);
		if (r < 0)
			return r;
	}
	if (json_object_set(prior, "vfs", vfs) < 0)
		return cv_fail_errno(err, -ENOMEM, pf, "cannot note its VFs");
	return 0;
}

/* The driver that probing chose is not the one there was: it is ours to take off. */
static int restore_driver(const struct cv_step_env *env, const char *bdf, const json_t *prior,
			  struct cv_error *err)
{
	char now[64];

	if (!prior || sr_driver(env->root, bdf, now, sizeof(now)) < 0)
		return 0;
	return sr_step_bind.revert(env, bdf, now, prior, err);
}

/* As when they are made: settings first, a driver looks at them when it binds. It comes back behind
 * settings that did not, too. */
static int restore_vf(const struct cv_step_env *env, const char *pf, unsigned int index,
		      const json_t *vf, struct cv_error *err)
{
	const json_t *net = json_object_get(vf, sr_step_vf_net.kind);
	const json_t *nvme = json_object_get(vf, sr_step_vf_nvme.kind);
	char bdf[CV_BDF_MAX], object[OBJECT_MAX];
	int r = sr_vf_of(env->root, pf, index, bdf), driver;

	if (r < 0)
		return cv_fail_errno(err, r, pf, "VF %u did not come back", index);
	snprintf(object, sizeof(object), "%s/%u", pf, index);
	if (net)
		r = sr_vf_net_bring_back(env, object, net, err);
	if (r == 0 && nvme)
		r = sr_step_vf_nvme.revert(env, object, "", nvme, err);
	driver = restore_driver(env, bdf, json_object_get(vf, sr_step_bind.kind),
				r < 0 ? NULL : err);
	return r < 0 ? r : driver;
}

int sr_vfs_restore(const struct cv_step_env *env, const char *pf, const json_t *prior,
		   struct cv_error *err)
{
	const json_t *vfs = json_object_get(prior, "vfs");
	int first = 0;

	for (size_t i = 0; i < json_array_size(vfs); i++) {
		int r = restore_vf(env, pf, (unsigned int)i, json_array_get(vfs, i),
				   first ? NULL : err);

		if (r < 0 && !first)
			first = r;
	}
	return first;
}
