/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the driver of a PF disturbs when VFs come and go: many drivers restart the whole function, so
 * its link drops for a moment and its interrupts are made anew with the default affinity. */
#ifndef CARVE_SRIOV_PF_SIDE_H
#define CARVE_SRIOV_PF_SIDE_H

#include <stdbool.h>

#include "base/step.h"

/**
 * sr_pf_record() - add "carrier" (interfaces that have a link now) and "irqs" (affinity lists by number
 * of the vector) to @prior
 * Return: 0, -ENOMEM.
 */
int sr_pf_record(struct cv_sysroot *root, const char *pf, struct json_t *prior);

/**
 * sr_pf_restore_irqs() - give the vectors their affinity again, as soon as they are made anew
 * Best effort: what a vector refuses (managed by its driver) is left to the comparison of the host state.
 */
void sr_pf_restore_irqs(struct cv_sysroot *root, const char *pf, const struct json_t *prior);

/** sr_pf_has_links() - whether @prior names links that have to come back. */
bool sr_pf_has_links(const struct json_t *prior);

/**
 * sr_pf_await_links() - wait until they are back; for at most env->deadline_ms
 * One that stays down is left to the comparison of the host state.
 */
void sr_pf_await_links(const struct cv_step_env *env, const char *pf, const struct json_t *prior);

#endif
