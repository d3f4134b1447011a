/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a reset: one rung, all rungs of a function, many functions. They set nothing aside and
 * tell nobody: they run in children as well. */
#ifndef CARVE_SRIOV_RESET_CLIMB_H
#define CARVE_SRIOV_RESET_CLIMB_H

#include "sriov/health.h"
#include "sriov/reset.h"

/**
 * struct sr_climb - what happened on the way up; plain memory
 * @reason:   why the function has to be set aside, "" it has not to be
 * @evidence: path and value
 */
struct sr_climb {
	const struct cv_step_env *env;
	const char *bdf;
	struct sr_reset_result result;
	char reason[160];
	char evidence[256];
};

/** sr_climb() - rung after rung until the function answers; fills @c. */
void sr_climb(struct sr_climb *c, const struct sr_ladder *ladder);
/** sr_climb_prepare() - an empty result. Return: 0, -EINVAL. */
int sr_climb_prepare(struct sr_climb *c, const struct cv_step_env *env, const char *bdf);
/** sr_climb_conclude() - sets the function aside where it has to be. Return: c->result.error. */
int sr_climb_conclude(const struct sr_climb *c, const struct sr_ladder *ladder,
		      struct cv_error *err);
/** sr_climb_failed() - keep what a rung said. */
void sr_climb_failed(struct sr_climb *c, enum sr_rung rung, const char *what);

/** sr_climb_write() - cv_write_deadline() of env; a write that hangs is noted in @c. */
int sr_climb_write(struct sr_climb *c, const char *path, const char *value);
/**
 * sr_climb_prove() - does the function answer, as well as before?
 * @before: NULL: it did not answer before either
 * Return: 0, -EIO with the reason in @c, -ETIMEDOUT.
 */
int sr_climb_prove(struct sr_climb *c, const struct sr_health *before);

/** sr_replug_slot(), sr_replug_remove() - the rungs that take the function off the bus.
 * Return: 0, -ENOTTY (no such way here), -ETIMEDOUT, -errno. */
int sr_replug_slot(struct sr_climb *c);
int sr_replug_remove(struct sr_climb *c);

#endif
