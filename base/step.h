/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A step: one change of the host with its undo. A run executes an ordered list of steps through a
 * journal; this is the contract between the plan (which names them) and the folders that know how. */
#ifndef CARVE_BASE_STEP_H
#define CARVE_BASE_STEP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/journal.h"
#include "base/sysroot.h"

/**
 * enum cv_scope - whose a change is
 * @CV_SCOPE_OWN:    this VM's alone: the prior value comes back when the VM releases it
 * @CV_SCOPE_SHARED: several VMs may need it (VF count of a PF, a module, a cgroup): the prior value is
 *                   kept in CV_SHARED_DIR with the list of holders; the last holder restores it
 */
enum cv_scope { CV_SCOPE_OWN, CV_SCOPE_SHARED };

/** struct cv_step - strings are owned by whoever owns the list (the plan) */
struct cv_step {
	unsigned int seq;
	const char *kind;   /* name of the ops: "attr", "numvfs", "bind", ... */
	const char *object; /* path, BDF, node, cgroup */
	const char *value;  /* wanted */
	const char *why;    /* one sentence */
};

/** struct cv_step_env - what every op may need; borrowed for the call */
struct cv_step_env {
	struct cv_sysroot *root;
	const char *vm;		  /* VM name */
	unsigned int deadline_ms; /* for writes that can block */
	void *launch;		  /* for the launch step only: what tools/ handed in */
};

/**
 * struct cv_step_ops - one kind of step
 * @kind:   name
 * @scope:  own or shared
 * @undo:   what revert does, one sentence, printed by carve plan
 * @record: read everything that @revert needs to bring back; no change is made. *@ret_prior is a new
 *          JSON object. May be NULL (nothing to record).
 * @apply:  make the change and verify that it took. When the host already is as wanted, write nothing.
 *          Return: 0, 1: @settle has something to wait for, -errno.
 * @revert: bring @prior back. Called for steps that were begun, whether or not apply finished or even
 *          started: must find out and be idempotent. What is gone (device, cgroup) counts as reverted.
 * @settle: wait for what the change set off and what ends by itself (a link that comes back). Best
 *          effort, at most env->deadline_ms. Called when the steps behind it are made, at the latest
 *          before one that @needs_rest. NULL: nothing.
 * @at_once: whether the step may be applied together with those of its kind next to it (other
 *          objects), each in a child process: apply then changes the host alone, no memory, and each
 *          record has been called before. NULL: never.
 * @is_apart: whether two of these objects may be changed together. NULL: all may.
 * @needs_rest: what earlier steps set off has settled before this one is applied
 *
 * Guarantees: nothing blocks longer than env->deadline_ms per write; -errno with @err filled on
 * failure; object and value are exactly those of the step (journal and plan keep them as text).
 */
struct cv_step_ops {
	const char *kind;
	enum cv_scope scope;
	const char *undo;
	int (*record)(const struct cv_step_env *env, const char *object, const char *value,
		      struct json_t **ret_prior, struct cv_error *err);
	int (*apply)(const struct cv_step_env *env, const char *object, const char *value,
		     const struct json_t *prior, struct cv_error *err);
	int (*revert)(const struct cv_step_env *env, const char *object, const char *value,
		      const struct json_t *prior, struct cv_error *err);
	void (*settle)(const struct cv_step_env *env, const char *object,
		       const struct json_t *prior);
	bool (*at_once)(const struct cv_step_env *env, const char *object);
	bool (*is_apart)(const char *object, const char *other);
	bool needs_rest;
};

/** struct cv_step_table - ops of all folders, gathered by tools/ */
struct cv_step_table {
	const struct cv_step_ops *const *ops;
	size_t n;
};

/* The kind base/ itself offers: "attr" (a sysfs attribute set to a value, own scope). */
extern const struct cv_step_ops cv_step_attr;
/* "attr-shared": the same, kept as long as any VM needs it. */
extern const struct cv_step_ops cv_step_attr_shared;

/** cv_step_find() - Return: the ops of @kind, or NULL. */
const struct cv_step_ops *cv_step_find(const struct cv_step_table *t, const char *kind);

/**
 * typedef-free progress callback: called before (@done 0) and after (@done 1) each step
 */
struct cv_step_progress {
	void (*step)(void *ctx, const struct cv_step *s, int done, unsigned int ms);
	void *ctx;
};

/**
 * cv_steps_apply() - journal, make and verify each step in order
 *
 * Steps that may be made at once are all journalled before the first of them is made.
 * On the first failure everything begun so far is reverted in reverse order, and the first error is
 * returned; if the undo failed as well, exit becomes CV_EXIT_PARTIAL and the hint names carve recover.
 * Context: the node lock is held.
 * Return: 0 or -errno.
 */
int cv_steps_apply(const struct cv_step_env *env, const struct cv_step_table *table,
		   struct cv_journal *journal, const struct cv_step *steps, size_t n,
		   const struct cv_step_progress *progress, struct cv_error *err);

/**
 * cv_steps_revert() - undo what a journal says was begun and not reverted, last first
 *
 * Goes on after a failing step; the first error is returned at the end.
 * Context: the node lock is held.
 * Return: number of steps reverted, or -errno.
 */
int cv_steps_revert(const struct cv_step_env *env, const struct cv_step_table *table,
		    const char *journal_path, struct cv_error *err);

#endif
