/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VMM backend is: it turns a finished plan and open file descriptors into a paused VM that
 * speaks QMP. Everything after that (pins, cont, stop, status) is the same for all backends. */
#ifndef CARVE_VMM_BACKEND_H
#define CARVE_VMM_BACKEND_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "plan/plan.h"

/**
 * struct vmm_launch_devices - descriptors of devices that the launcher opened; a backend that opens them
 * itself gets none
 * @container: VFIO container, -1 none
 * @fds:       by index of plan->devices
 */
struct vmm_launch_devices {
	int container;
	const int *fds;
	size_t n;
};

/**
 * struct vmm_launch - what the launcher hands over; borrowed for the call
 * @plan:       finished plan, its devices bound and its pages there
 * @vm_dir:     absolute; qmp.sock, carve.sock, console.sock, guest.sock, vmm.log are made there
 * @hypervisor_fd: opened hypervisor device (/dev/kvm, /dev/carve), inherited by the VMM
 * @devices:    inherited, too
 * @links:      inherited, too: networks, shares, vsock (plan/plan.h)
 * @cgroup_fd:  the VMM is born inside this cgroup (clone3 CLONE_INTO_CGROUP)
 * @uid, @gid:  user the VMM runs as; never 0
 * @memlock:    RLIMIT_MEMLOCK in bytes for VFIO's pinning (UINT64_MAX: unlimited)
 * @enter:      called in the parent when the child exists and before it executes the VMM, so that it
 *              starts on the housekeeping cores
 */
struct vmm_launch {
	const struct plan *plan;
	const char *vm_dir;
	int hypervisor_fd;
	struct vmm_launch_devices devices;
	const struct plan_link *links;
	size_t n_links;
	int cgroup_fd;
	uid_t uid;
	gid_t gid;
	uint64_t memlock;
	int (*enter)(void *ctx, pid_t child, struct cv_error *err);
	void *enter_ctx;
};

/**
 * struct vmm_backend_ops - one backend
 * @name:   "qemu", "native"
 * @probe:  is it there and usable: -ENOENT with a hint how to get it; *@ret_version heap string
 * @start:  start the VMM, paused before the first guest instruction, in its own session, no
 *          descriptors beyond those named, PR_SET_NO_NEW_PRIVS, no capabilities; returns once the
 *          process was started. Its stdout and stderr go to VM_DIR/vmm.log.
 * @dials_vhost_user: it connects to the vhost-user back end of a network itself, by path; a back end may
 *          serve one connection alone, so nobody else does
 *
 * Guarantees: after start() the sockets VM_DIR/qmp.sock (for the user) and VM_DIR/carve.sock (for
 * Carve; a monitor serves one client at a time) appear, or the process ends with its reason in vmm.log.
 */
struct vmm_backend_ops {
	const char *name;
	int (*probe)(char **ret_version, struct cv_error *err);
	int (*start)(const struct vmm_launch *l, pid_t *ret_pid, struct cv_error *err);
	bool dials_vhost_user;
};

/** vmm_backend_at() - Return: the ops of number @i, from 0, or NULL after the last. */
const struct vmm_backend_ops *vmm_backend_at(size_t i);
/** vmm_backend_find() - Return: ops, or NULL for an unknown name. */
const struct vmm_backend_ops *vmm_backend_find(const char *name);
/**
 * vmm_backend_spawn() - what start() ends with: the program, as @l wants it, with VM_DIR/vmm.log
 * @keep_fds: @n descriptors that it inherits
 * Return: 0, -ELOOP (the log is something else), -errno.
 */
int vmm_backend_spawn(const struct vmm_launch *l, const struct cv_strv *argv, const int *keep_fds,
		      size_t n, pid_t *ret_pid, struct cv_error *err);
/**
 * vmm_backend_log() - a log below VM_DIR, of the VM's user; what lies there already is added to
 * Return: 0, -ELOOP (it is something else), -errno.
 */
int vmm_backend_log(const char *vm_dir, const char *file, uid_t uid, gid_t gid, int *ret_fd,
		    struct cv_error *err);
/** vmm_log_tail() - last lines of VM_DIR/vmm.log for an error message; heap string, never NULL. */
char *vmm_log_tail(const char *vm_dir, size_t max_bytes);

/**
 * vmm_read_tail() - the end of a file that the VMM wrote
 * @dir:       the VM's directory of the user, in which anything may lie
 * @file:      name in it
 * @max_bytes: at most that much is read, from the first whole line on
 *
 * NUL bytes become '?'; nothing else is changed: it may hold control characters.
 * Return: a heap string owned by the caller; NULL when there is no such file, when it is no plain
 * file (a link, a FIFO, a file with another name), or when out of memory.
 */
char *vmm_read_tail(const char *dir, const char *file, size_t max_bytes);

extern const struct vmm_backend_ops vmm_backend_qemu;
extern const struct vmm_backend_ops vmm_backend_native;

#endif
