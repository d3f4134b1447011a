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
 * The process leads its own session, works in "/", has umask 077, default signals (but SIGXFSZ is
 * ignored, for vmm_cap_files()), an empty signal mask, stdin from /dev/null, no core dumps, no capabilities, PR_SET_NO_NEW_PRIVS and an environment of PATH and LANG.
 * When the caller dies before @enter returned, the child ends without executing anything.
 * The caller is its parent: it becomes a zombie if it ends first.
 *
 * Context: a process of one thread.
 * Return: 0; -EPERM for root as the user, or no right to switch; the return value of @enter; -errno of
 * what failed in the child, named in @err. On failure no child is left.
 */
int vmm_spawn(const struct vmm_spawn *s, pid_t *ret_pid, struct cv_error *err);

#define VMM_GROUPS_MAX 256

/**
 * vmm_groups() - the supplementary groups that a VMM of this user gets
 *
 * By the user database; a uid that it does not know, or cannot look up, has only its group.
 * Return: 0; -E2BIG for more than VMM_GROUPS_MAX; -ENOMEM.
 */
int vmm_groups(uid_t uid, gid_t gid, gid_t ret_groups[VMM_GROUPS_MAX], size_t *ret_n);

/**
 * vmm_cap_files() - no file that the VMM writes grows beyond @bytes from now on (RLIMIT_FSIZE)
 * @pid: started by vmm_spawn() and not waited for
 *
 * What the guest says on its console goes to a file, and would fill the file system. A write beyond
 * the limit fails in the VMM with EFBIG. The limit also holds for ftruncate(2) of memory files: only
 * after the VMM has made the guest's memory, but before the guest runs.
 * Return: 0, -ESRCH, -EPERM.
 */
int vmm_cap_files(pid_t pid, uint64_t bytes);

#endif
