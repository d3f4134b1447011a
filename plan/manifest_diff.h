/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between two run manifests, or two plans: pure, on JSON values. */
#ifndef CARVE_PLAN_MANIFEST_DIFF_H
#define CARVE_PLAN_MANIFEST_DIFF_H

#include "base/json.h"

/**
 * manifest_diff() - compare two manifests or two plans
 *
 * Elements of arrays are matched by what they are (a device by its address, a vCPU by its number), not
 * by their place in the array. Left out is what differs always, or only explains: the time of the
 * start, the reasons of the plan, the numbers of its steps.
 * @ret: a new reference: an array of {"path", "old", "new"} in the order of @a, then what only @b has;
 *       "old" or "new" is absent where there is nothing
 * Return: 0, -ENOMEM.
 */
int manifest_diff(const json_t *a, const json_t *b, json_t **ret);

/** manifest_diff_text() - "old" or "new" of a difference on one line. Return: heap string or NULL. */
char *manifest_diff_text(const json_t *value);

#endif
