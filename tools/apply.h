/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A list of steps, made through a journal with progress on stderr, whole or not at all: what starting a
 * VM and changing a device have in common. */
#ifndef CARVE_TOOLS_APPLY_H
#define CARVE_TOOLS_APPLY_H

#include <signal.h>

#include "base/owner.h"
#include "base/step.h"
#include "tools/cmd.h"

#define APPLY_DEADLINE_MS 20000 /* one blocking write */

/**
 * struct apply - what is made for whom; all borrowed
 * @name:    the VM or operation
 * @journal: path of its journal, which is not there yet
 * @launch:  for the launch step, NULL without one
 * @timings: JSON array that gets {step, object, ms} for each step; NULL: not wanted
 * @after:   called after each step's line, NULL: nothing more to tell
 */
struct apply {
	const char *name;
	const char *journal;
	const struct cv_owner *owner;
	const struct cv_step *steps;
	size_t n_steps;
	void *launch;
	json_t *timings;
	void (*after)(void *ctx, const struct cv_step *step);
	void *ctx;
};

/**
 * apply_steps() - create the journal, make every step
 *
 * The hidden option --crash-at of the verb ends the process after so many journal lines.
 * Context: the node lock is held.
 * Return: 0; -errno: what was begun is undone (exit CV_EXIT_PARTIAL: not all of it).
 */
int apply_steps(struct cmd *c, const struct apply *a);
/** apply_undo() - undo what a journal says was begun; @name: for the hint. Return: 0, -errno with exit
 * CV_EXIT_PARTIAL; the journal stays. */
int apply_undo(struct cmd *c, const char *name, const char *journal);
/**
 * apply_give_up() - after the failure @r: release what is left, keep the first error to tell
 * @release: undoes and removes everything of @name
 * Return: @r.
 */
int apply_give_up(struct cmd *c, int r, const char *name,
		  int (*release)(struct cmd *c, const char *name));

/**
 * struct held_signals - signals that wait until a change is finished or undone
 * @set: those that somebody ignores (nohup) are not among them
 * @old: the mask before
 */
struct held_signals {
	sigset_t set;
	sigset_t old;
};

/** apply_hold_signals() - block SIGINT, SIGTERM and SIGHUP */
void apply_hold_signals(struct held_signals *h);
/** apply_let_signals_go() - @drop: one that waits must not end this process before it has told its
 * error */
void apply_let_signals_go(const struct held_signals *h, bool drop);

#endif
