/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the VMM gives up once everything is made: a guest that takes over a thread finds no file, no
 * process and no socket that the VMM does not hold already.
 *
 * Each thread enters by itself, after it was made and before the first guest instruction. A system call
 * that its role does not need ends the process, with a line in the log. A device model that needs a new
 * one adds it, for the role that makes it, to the tables of sandbox_seccomp.c.
 */
#ifndef CARVE_VMM_SANDBOX_H
#define CARVE_VMM_SANDBOX_H

#include <stdbool.h>

#include "base/error.h"

/** enum vmm_role - what a thread is for */
enum vmm_role {
	VMM_ROLE_MAIN, /* the event loop: control, consoles, reset, the end */
	VMM_ROLE_VCPU, /* KVM_RUN and what the guest's accesses lead to */
	VMM_ROLE_DISK, /* reads and writes of one disk image */
	VMM_ROLES,
};

struct vmm_sandbox;

/**
 * vmm_sandbox_new() - make the filters and find out what the kernel has
 * @is_on: false: threads that enter stay as they are, and the log says so
 * A kernel without Landlock is a line in the log; one without seccomp filters is refused.
 * Context: before threads are made: they share one heap from then on. SIGSYS is the sandbox's.
 * Return: 0; -EOPNOTSUPP with @err NO_SECCOMP; -errno.
 */
int vmm_sandbox_new(bool is_on, struct vmm_sandbox **ret, struct cv_error *err);
/** vmm_sandbox_free() - NULL is allowed. Threads that entered stay inside. */
void vmm_sandbox_free(struct vmm_sandbox *s);

/**
 * vmm_sandbox_enter() - lock the calling thread in, for ever
 *
 * No capabilities, no new privileges, no file system (Landlock, kernel Documentation/userspace-api/
 * landlock.rst), and only the system calls of @role (seccomp_filter.rst there): no open, socket, execve,
 * fork or ptrace, nothing executable mapped, ioctls by request number.
 * @s: NULL: there is none (unit tests)
 * Return: 0, -errno.
 */
int vmm_sandbox_enter(const struct vmm_sandbox *s, enum vmm_role role, struct cv_error *err);
/** vmm_sandbox_enter_or_end() - for a thread that nobody asks: if it cannot, the process ends. */
void vmm_sandbox_enter_or_end(const struct vmm_sandbox *s, enum vmm_role role);

#endif
