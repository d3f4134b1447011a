/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every set of plans of one run holds; the judge counts for itself and shares no code with the
 * planner. Each function fails the running test. */
#ifndef CARVE_TESTS_PLAN_JUDGE_H
#define CARVE_TESTS_PLAN_JUDGE_H

#include "plan_random.h"

/** judge_plans() - nothing given twice, nothing that was not free, each guest as asked. */
void judge_plans(const struct random_round *x);
/** judge_error() - an error is complete. */
void judge_error(const struct cv_error *err, int r);
/** judge_same_bytes() - the same question again has the same bytes for an answer. */
void judge_same_bytes(const struct random_round *x);

#endif
