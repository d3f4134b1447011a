/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps of one kind that are made at the same time. */
#ifndef CARVE_BASE_STEP_BATCH_H
#define CARVE_BASE_STEP_BATCH_H

#include "base/json.h"
#include "base/step.h"

/** cv_batch_len() - how many of the @n steps, from the first on, may be made at once: 1 or more. */
size_t cv_batch_len(const struct cv_step_env *env, const struct cv_step_ops *ops,
		    const struct cv_step *steps, size_t n);

/**
 * cv_batch_apply() - ops->apply of each, at the same time where there is more than one
 * @priors:      one for each
 * @ret_results: one for each: what apply returned
 * Return: 0, or the first -errno after all have ended, with @err of that one.
 */
int cv_batch_apply(const struct cv_step_env *env, const struct cv_step_ops *ops,
		   const struct cv_step *steps, json_t *const *priors, size_t n, int *ret_results,
		   struct cv_error *err);

#endif
