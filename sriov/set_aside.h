/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A function that must not be given out again, and what the user is told about one that came back. */
#ifndef CARVE_SRIOV_SET_ASIDE_H
#define CARVE_SRIOV_SET_ASIDE_H

#include "base/step.h"
#include "base/strv.h"

/**
 * sr_set_aside() - put a function into quarantine, in the name of whoever has the lease of env->vm
 * @reason:   "the link came back narrower"; who was at work, " (VM vm1)" or " (operation dev-0000-41-10-0)",
 *            is added
 * @evidence: path and value
 *
 * The entry of a function that is in quarantine already stays as it is: the first cause tells most.
 * Return: 0, -EINVAL, -errno with @err filled.
 */
int sr_set_aside(const struct cv_step_env *env, const char *bdf, const char *reason,
		 const char *evidence, struct cv_error *err);
/** sr_is_set_aside() - the function has an entry in quarantine, readable or not. */
bool sr_is_set_aside(struct cv_sysroot *root, const char *bdf);

/**
 * sr_note_add() - keep a sentence for the user, whom a step cannot talk to, in the file of a VM
 * Context: the node lock is held.
 * Return: 0, -ENOMEM, -errno.
 */
int sr_note_add(struct cv_sysroot *root, const char *vm, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/**
 * sr_notes_take() - the sentences that were kept for a VM; they are told once
 * Return: 0, also without any; -errno.
 */
int sr_notes_take(struct cv_sysroot *root, const char *vm, struct cv_strv *ret);

#endif
