/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A few finished plans, by name: what the golden files of plan/ show. */
#ifndef CARVE_TESTS_PLAN_CASES_H
#define CARVE_TESTS_PLAN_CASES_H

#include "plan/plan.h"

extern const char *const plan_cases[];
extern const size_t n_plan_cases;

/** plan_case() - make one of plan_cases; release with plan_done(). */
void plan_case(const char *name, struct plan *ret);

#endif
