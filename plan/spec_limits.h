/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limits: mapping of a spec. */
#ifndef CARVE_PLAN_SPEC_LIMITS_H
#define CARVE_PLAN_SPEC_LIMITS_H

#include "plan/guest_limits.h"
#include "plan/source.h"
#include "plan/spec_yaml.h"

/**
 * spec_read_limits() - what is given of limits:
 * @raw: NULL: none
 * Return: 0, -EINVAL with the source's error filled.
 */
int spec_read_limits(const struct source *s, const struct raw_limits *raw, struct plan_limits *ret);

#endif
