/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a reset: one rung, all rungs of a function, many functions. They set nothing aside but for
 * a write that hangs, and tell nobody: they run in children as well. */
#ifndef CARVE_SRIOV_RESET_CLIMB_H
#define CARVE_SRIOV_RESET_CLIMB_H

#include "sriov/health.h"
#include "sriov/reset.h"

/**
 * struct sr_climb - what happened on the way up; plain memory
 * @reason:   why the function has to be set aside, "" it has not to be
 * @evidence: path and value
 * @last_reason, @last_evidence: those of the ways before, while one is tried
 * @before:   as it was when it was looked at first; without @has_before it did not answer
 * @is_child: in a process with a deadline of its own: what may block is done in place, and noted in
 *            @reason and @evidence as long as it does
 */
struct sr_climb {
	const struct cv_step_env *env;
	const char *bdf;
	struct sr_reset_result result;
	char reason[160];
	char evidence[256];
	char last_reason[160];
	char last_evidence[256];
	struct sr_health before;
	bool is_looked_at, has_before;
	bool is_child;
};

/** sr_climb_prepare() - an empty result. Return: 0, -EINVAL. */
int sr_climb_prepare(struct sr_climb *c, const struct cv_step_env *env, const char *bdf);
/** sr_climb_look() - before anything is tried, once: see @before. */
void sr_climb_look(struct sr_climb *c);
/**
 * sr_climb_rung() - one way, and the proof that the function answers after it; fills @c
 * Return: 0, -ENOTTY (no such way here), -ETIMEDOUT (nothing may be tried behind it), -errno.
 */
int sr_climb_rung(struct sr_climb *c, enum sr_rung rung);
/** sr_climb_try() - the way alone, without a look before or a proof after. Return: as sr_climb_rung(). */
int sr_climb_try(struct sr_climb *c, enum sr_rung rung);
/** sr_climb_took() - a try of c->result.rung came to @r: proves the function, notes the outcome. Return:
 * as sr_climb_rung(). */
int sr_climb_took(struct sr_climb *c, int r);
/** sr_climb_conclude() - sets the function aside where it has to be. Return: c->result.error. */
int sr_climb_conclude(struct sr_climb *c, const struct sr_ladder *ladder, struct cv_error *err);

/** sr_climb_write() - cv_write_deadline() of env; a write that hangs is noted in @c. */
int sr_climb_write(struct sr_climb *c, const char *path, const char *value);
/** sr_climb_restore() - reset_method as it was: best effort, in place where @c is in a child. */
void sr_climb_restore(struct sr_climb *c, const char *path, const char *saved);
/** sr_climb_hangs() - note what may hang; "" of both with sr_climb_goes_on(). */
void __attribute__((format(printf, 2, 3))) sr_climb_hangs(struct sr_climb *c, const char *fmt, ...);
void sr_climb_goes_on(struct sr_climb *c);
/**
 * sr_climb_prove() - does the function answer, as well as before?
 * Return: 0, -EIO with the reason in @c, -ETIMEDOUT, -errno: this machine could not look.
 */
int sr_climb_prove(struct sr_climb *c);

/**
 * sr_reset_chunk() - pure: how many functions are reset at once by one process
 * @limit: descriptors it may have (RLIMIT_NOFILE)
 * Return: 1 or more.
 */
size_t sr_reset_chunk(uint64_t limit);

/**
 * sr_reset_by_vfio() - a function bound to vfio-pci, by VFIO_DEVICE_RESET
 * @methods: that may be used, as reset_method wants them: opening the device resets it as well
 * Return: 0, -EBUSY: somebody has its group, -errno. Not proved yet.
 */
int sr_reset_by_vfio(struct sr_climb *c, const char *methods);

/** sr_replug_slot(), sr_replug_remove() - the rungs that take the function off the bus.
 * Return: 0, -ENOTTY (no such way here), -ETIMEDOUT, -errno. */
int sr_replug_slot(struct sr_climb *c);
int sr_replug_remove(struct sr_climb *c);

#endif
