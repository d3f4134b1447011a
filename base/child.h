/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Work that may block for ever, done in a child process with a deadline. */
#ifndef CARVE_BASE_CHILD_H
#define CARVE_BASE_CHILD_H

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

#endif
