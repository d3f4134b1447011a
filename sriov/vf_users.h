/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who would lose a VF when the VFs of a PF are taken away. */
#ifndef CARVE_SRIOV_VF_USERS_H
#define CARVE_SRIOV_VF_USERS_H

#include "base/step.h"

/**
 * sr_vfs_check_unused() - nobody works with one of the first @count VFs of @pf
 *
 * Looks for leases of others than env->vm, open VFIO groups (taking the VF away would block until the
 * user ends) and uses by the host itself.
 * Return: 0, -EBUSY with @err naming VF and holder, -errno.
 */
int sr_vfs_check_unused(const struct cv_step_env *env, const char *pf, unsigned int count,
			struct cv_error *err);
/**
 * sr_vf_check_closed() - nobody has the VF open through VFIO: its settings and resources are its user's
 * @object: "PF/INDEX"
 * Return: 0 (also when there is no such VF), -EBUSY with @err naming the holder, -EINVAL.
 */
int sr_vf_check_closed(const struct cv_step_env *env, const char *object, struct cv_error *err);
/**
 * sr_vfs_check_free() - the same, and nobody wants them either: no VM shares the count, no VF is bound to
 * a driver that hands it on
 */
int sr_vfs_check_free(const struct cv_step_env *env, const char *pf, unsigned int count,
		      struct cv_error *err);

#endif
