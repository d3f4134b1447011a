/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who keeps a process and all that it starts together, and ends them with the one it works for. */
#ifndef CARVE_BASE_HOOK_KEEPER_H
#define CARVE_BASE_HOOK_KEEPER_H

#include <stdbool.h>

/* How long the locks of the caller are kept for what was killed and is not gone yet. */
#define CV_KEEPER_END_MS 2000

/**
 * struct cv_kept - how the process ended, in memory that keeper and caller share
 * @is_set:  it ended by itself: @code and @status are those of its siginfo_t
 * @is_late: it got SIGKILL at the deadline
 * @err:     -errno, it was not started
 */
struct cv_kept {
	bool is_set;
	bool is_late;
	int code;
	int status;
	int err;
};

/**
 * cv_keeper_start() - a process between the caller and the one that runs @fn
 * @fn:   in a process group of its own, dies with the keeper; does not return
 * @kept: zeroed, MAP_SHARED
 *
 * The keeper ends with the process, and leaves alone what that one left running. At the deadline, and
 * when the caller ends (also by SIGKILL), it kills the process with all its descendants, those with
 * another process group or session as well: each becomes the keeper's child when its parent ends. Only
 * what somebody else starts for it (a service manager) is out of reach.
 *
 * It holds the descriptors of the caller, so the locks, while it does that: who gets a lock after a caller
 * that was killed finds none at work any more. After CV_KEEPER_END_MS it lets them go and goes on for
 * what will not die.
 * Return: a pidfd that is readable when the keeper is through, -errno.
 */
int cv_keeper_start(void (*fn)(void *arg), void *arg, unsigned int deadline_ms,
		    struct cv_kept *kept);

#endif
