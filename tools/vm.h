/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM on disk: CV_VM_DIR/NAME with its plan, journal, timings and process, and its state.
 *
 * CV_VM_DIR/NAME belongs to root; the VMM's own files (sockets, logs) live in CV_VM_DIR/NAME/vmm, which
 * belongs to the VM's user: what root reads back (journal, plan) can never be written by that user. */
#ifndef CARVE_TOOLS_VM_H
#define CARVE_TOOLS_VM_H

#include "base/owner.h"
#include "plan/plan.h"
#include "tools/cmd.h"
#include "vmm/qmp.h"

enum vm_state {
	VM_RUNNING,
	VM_PAUSED,
	VM_SILENT,  /* the process is there, QMP does not answer */
	VM_EXITED,  /* the VMM ended; its resources are still taken */
	VM_PARTIAL, /* a start or release that did not finish */
};

const char *vm_state_name(enum vm_state s);

/** struct vm - one VM as found on disk */
struct vm {
	char name[64];
	struct plan plan;
	struct cv_owner owner;
	struct cv_proc proc; /* pid 0: never started */
	bool is_launched;    /* the launch step is in the journal as done */
	int64_t since;
};

void vm_done(struct vm *vm);
#define _cleanup_vm_ __attribute__((cleanup(vm_done)))

/** vm_path() - path of a file of the VM ("" for its directory). Return: @buf. */
const char *vm_path(char buf[CV_PATH_MAX], const char *name, const char *file);

/** vm_create() - directory, vmm/ owned by @uid:@gid, plan.json. Return: 0, -EEXIST with hint. */
int vm_create(struct cmd *c, const struct plan *plan, uid_t uid, gid_t gid);
/** vm_write_proc() - remember the VMM's process. */
int vm_write_proc(struct cv_sysroot *root, const char *name, pid_t pid, struct cv_error *err);
/** vm_fail_missing() - there is no such VM. Return: -ENOENT. */
int vm_fail_missing(struct cmd *c, const char *name);
/** vm_read() - Return: 0, -ENOENT (no such VM, with hint), -EINVAL. */
int vm_read(struct cmd *c, const char *name, struct vm *ret);
/** vm_list() - names of all VM directories of this boot, sorted. */
int vm_list(struct cmd *c, struct cv_strv *ret);
/** vm_state() - asks the process and, where the caller may, QMP. */
enum vm_state vm_state(struct cmd *c, const struct vm *vm);
/** vm_open_qmp() - QMP connection of a VM. */
int vm_open_qmp(struct cmd *c, const char *name, struct vmm_qmp **ret);

/**
 * vm_release() - revert the journal, remove lease and directory
 * Context: the node lock is held.
 * Return: 0, -errno with exit CV_EXIT_PARTIAL when something could not be undone (the journal stays).
 */
int vm_release(struct cmd *c, const char *name);

/**
 * vm_lock() - the node lock, waiting as the site says; what an earlier boot left is dropped
 *
 * Nothing read before it may be trusted.
 */
int vm_lock(struct cmd *c, const struct site *site, int *ret_fd);
/** vm_lock_dropping() - the same; the caller tells which VMs were of an earlier boot. */
int vm_lock_dropping(struct cmd *c, const struct site *site, int *ret_fd,
		     struct cv_strv *ret_dropped);

#endif
