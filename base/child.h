/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work that may block for ever, done in a child process with a deadline. */
#ifndef CARVE_BASE_CHILD_H
#define CARVE_BASE_CHILD_H

#include <stddef.h>

/**
 * cv_child_run() - run @fn(@arg) in a forked child and wait for at most @deadline_ms
 * @fn: returns 0..255 or -1..-255 (an -errno); runs in the child only, must not use stdio
 *
 * The child dies with its caller (PR_SET_PDEATHSIG): nothing changes the host behind a recovery.
 * On expiry the child gets SIGKILL and is not waited for: a child in uninterruptible sleep stays
 * behind, the caller goes on. A child that died of a signal is -EIO.
 *
 * Return: 0 and *@ret_result on completion, -ETIMEDOUT, or -errno of fork.
 */
int cv_child_run(int (*fn)(void *arg), void *arg, unsigned int deadline_ms, int *ret_result);

/**
 * cv_children_run() - the same for @n jobs at once, which share one deadline
 * @args:        one per child
 * @ret_results: one per child: what @fn returned, or what cv_child_run() would have
 *
 * Return: 0, -ENOMEM, -errno when there is no memory to share; then no child ran.
 */
int cv_children_run(int (*fn)(void *arg), void *const *args, size_t n, unsigned int deadline_ms,
		    int *ret_results);

/**
 * cv_workers_run() - cv_children_run() for jobs that block in children of their own only
 *
 * They hold the locks that the caller holds: who gets a lock after a caller that was killed finds none
 * of them at work any more.
 */
int cv_workers_run(int (*fn)(void *arg), void *const *args, size_t n, unsigned int deadline_ms,
		   int *ret_results);

/**
 * cv_child_drop_locks() - close what this process has a flock() on; for who was forked
 *
 * A flock() is shared with every child that inherited its descriptor: a child stuck in the kernel would
 * keep the node locked after its parent is gone.
 */
void cv_child_drop_locks(void);

#endif
