/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A change of devices by the operator, outside of any VM: a list of steps with a journal. What is held
 * (carve device bind) stays until it is released; what is set (carve vf) is left once it is complete.
 * Either way a start that is killed is found and undone by carve recover. */
#ifndef CARVE_TOOLS_OPERATION_H
#define CARVE_TOOLS_OPERATION_H

#include "base/bdf.h"
#include "base/lease.h"
#include "base/owner.h"
#include "base/step.h"
#include "plan/inventory.h"
#include "tools/cmd.h"

/**
 * struct operation - one change; of a held one CV_OPERATION_DIR/NAME has the journal and who did it
 * (docs/formats/operation.md)
 * @name:    "dev-0000-81-10.0" without the dot: "dev-0000-81-10-0"; "vf-0000-81-00-0"; also the name
 *           of its lease
 * @title:   for messages: "bind 0000:81:10.0"
 * @devices: @n_devices functions it leases, and keeps leased when @is_held
 * @pages:   @n_pages huge pages that its lease holds beside them
 * @work:    done with @ctx after the steps, NULL nothing: what the steps only keep the way back of. When it
 *           fails they are undone
 * @is_held: the journal stays, operation_release() undoes it
 * @user:    who may open what is bound: "" root
 */
struct operation {
	char name[64];
	const char *title;
	const struct cv_bdf *devices;
	size_t n_devices;
	const struct cv_lease_pages *pages;
	size_t n_pages;
	const struct cv_step *steps;
	size_t n_steps;
	int (*work)(struct cmd *c, void *ctx);
	void *ctx;
	bool is_held;
	const char *user;
};

/** enum operation_rest - what is on disk of an operation */
enum operation_rest {
	OPERATION_UNFINISHED, /* a start or release that did not finish: to be undone */
	OPERATION_HELD,	      /* complete, stays until it is released */
	OPERATION_COMPLETE,   /* complete and not held: only its files are left */
};

/** operation_path() - path of a file of the operation ("" for its directory). Return: @buf. */
const char *operation_path(char buf[CV_PATH_MAX], const char *name, const char *file);
/** operation_rest() - Context: an operation of this name is there. */
enum operation_rest operation_rest(struct cmd *c, const char *name);
/**
 * operation_undo() - undo all of it, whatever is left; drop lease and files
 * Context: the node lock is held.
 * Return: 0, -errno with exit CV_EXIT_PARTIAL (the journal stays).
 */
int operation_undo(struct cmd *c, const char *name);
/** operation_finish() - of one that is OPERATION_COMPLETE: drop lease and files, its changes stay.
 * Context: the node lock is held. */
int operation_finish(struct cmd *c, const char *name);

/** operation_name() - "@prefix-DDDD-BB-DD-F" in @buf. Return: @buf. */
const char *operation_name(char buf[64], const char *prefix, struct cv_bdf bdf);
/**
 * operation_run() - lease, journal, steps; --dry-run prints the steps and changes nothing
 * Context: takes the node lock; progress is printed as carve run does.
 * Return: 0 or -errno; after a failure everything is as before, or the exit is CV_EXIT_PARTIAL.
 */
int operation_run(struct cmd *c, const struct site *site, const struct operation *op);
/** operation_run_locked() - the same for who holds the node lock since before the steps were made. */
int operation_run_locked(struct cmd *c, const struct operation *op);
/** operation_release() - undo a held one, drop its lease. Return: 0, -ENOENT. */
int operation_release(struct cmd *c, const struct site *site, const char *name);
/** operation_release_locked() - the same for who holds the node lock since before it looked. */
int operation_release_locked(struct cmd *c, const char *name);
/**
 * operation_names() - of all that are on disk, sorted; held and unfinished
 * Return: 0, -errno.
 */
int operation_names(struct cmd *c, struct cv_strv *ret);
/**
 * operation_refuse_unfinished() - is there one whose name begins with @prefix ("reset-")?
 * Return: 0; -EBUSY: one was cut off, and has to be recovered before its devices change hands.
 */
int operation_refuse_unfinished(struct cmd *c, const char *prefix);
/** operation_is_held() - complete and held (not a leftover for carve recover) */
bool operation_is_held(struct cmd *c, const char *name);

#endif
