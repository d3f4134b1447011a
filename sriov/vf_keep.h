/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VFs have that goes with them when they are taken away: driver, settings, resources. */
#ifndef CARVE_SRIOV_VF_KEEP_H
#define CARVE_SRIOV_VF_KEEP_H

#include "base/step.h"

/** sr_vfs_record() - add "vfs" (the first @count VFs of @pf) to @prior. Return: 0, -errno. */
int sr_vfs_record(const struct cv_step_env *env, const char *pf, unsigned int count,
		  struct json_t *prior, struct cv_error *err);
/**
 * sr_vfs_restore() - bring that back on VFs of the same numbers; writes only what differs
 * Return: 0 (also when nothing was recorded), or the first -errno after trying all.
 */
int sr_vfs_restore(const struct cv_step_env *env, const char *pf, const struct json_t *prior,
		   struct cv_error *err);

#endif
