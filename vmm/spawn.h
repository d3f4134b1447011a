/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a VMM process: in its cgroup, as its user, with nothing of the caller's. */
#ifndef CARVE_VMM_SPAWN_H
#define CARVE_VMM_SPAWN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/**
 * struct vmm_spawn - what to start; borrowed for the call
 * @argv:      NULL-terminated, @argv[0] an absolute path
 * @log_fd:    becomes stdout and stderr
 * @keep_fds:  stay open in the VMM under the same number, each above 2
 * @cgroup_fd: the child is born in this cgroup v2 (CLONE_INTO_CGROUP), -1: in the caller's
 * @uid, @gid: user it runs as, with the supplementary groups that the user database names. A caller
 *             who is not root cannot switch: @uid must be its own, or 0 for "as myself"
 * @memlock:   RLIMIT_MEMLOCK in bytes, UINT64_MAX: unlimited, 0: as it is
 * @enter:     called in the parent while the child waits; a failure ends the child. May be NULL
 */
struct vmm_spawn {
	const char *const *argv;
	int log_fd;
	const int *keep_fds;
	size_t n_keep_fds;
	int cgroup_fd;
	uid_t uid;
	gid_t gid;
	uint64_t memlock;
	int (*enter)(void *ctx, pid_t child, struct cv_error *err);
	void *enter_ctx;
};

/**
 * vmm_spawn() - start the process and wait until it executes @argv[0]
 *
 * The process leads its own session, works in "/", has umask 077, default signals, stdin from
 * /dev/null, no core dumps, no capabilities, PR_SET_NO_NEW_PRIVS and an environment of PATH and LANG.
 * When the caller dies before @enter returned, the child ends without executing anything.
 * The caller is its parent: it becomes a zombie if it ends first.
 *
 * Context: a process of one thread.
 * Return: 0; -EPERM for root as the user, or no right to switch; the return value of @enter; -errno of
 * what failed in the child, named in @err. On failure no child is left.
 */
int vmm_spawn(const struct vmm_spawn *s, pid_t *ret_pid, struct cv_error *err);

#endif
