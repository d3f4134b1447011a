/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where Carve keeps its state, and the lock that orders everything that changes the node. */
#ifndef CARVE_BASE_STATE_H
#define CARVE_BASE_STATE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/strv.h"
#include "base/sysroot.h"

#define CV_RUN_DIR "/run/carve"
#define CV_VM_DIR CV_RUN_DIR "/vm"
#define CV_OPERATION_DIR CV_RUN_DIR "/operations" /* changes of devices outside of any VM */
#define CV_LEASE_DIR CV_RUN_DIR "/leases"
#define CV_SHARED_DIR CV_RUN_DIR "/shared"
#define CV_LOCK_FILE CV_RUN_DIR "/lock"
#define CV_BOOT_FILE CV_RUN_DIR "/boot_id" /* the boot that everything in CV_RUN_DIR is of */
#define CV_ETC_DIR "/etc/carve"
#define CV_VAR_DIR "/var/lib/carve"
#define CV_QUARANTINE_DIR CV_VAR_DIR "/quarantine"

/** cv_state_prepare() - make the directories of /run/carve and /var/lib/carve (0755). */
int cv_state_prepare(struct cv_sysroot *r, struct cv_error *err);

/**
 * cv_state_lock() - take the node lock (flock on CV_LOCK_FILE, 0600), waiting at most @wait_ms
 * Return: 0 and an fd that holds the lock until closed; -EBUSY with the holder's pid in @err.
 */
int cv_state_lock(struct cv_sysroot *r, unsigned int wait_ms, int *ret_fd, struct cv_error *err);

/**
 * cv_state_is_stale() - is CV_RUN_DIR of an earlier boot, in a /run that was kept?
 *
 * What it says then means nothing any more: the host changes it tells of went with that boot.
 * Context: for readers without the lock; who holds it calls cv_state_drop_stale().
 */
bool cv_state_is_stale(struct cv_sysroot *r);
/** cv_state_names() - every VM and operation that has a directory or a lease, sorted, stale or not. */
int cv_state_names(struct cv_sysroot *r, struct cv_strv *ret, struct cv_error *err);
/**
 * cv_state_drop_stale() - remove VMs, operations, leases and shared changes of an earlier boot, note
 * this boot
 * @ret_dropped: names of VMs and operations, empty when there was nothing; quarantine is kept
 * Context: the node lock is held, nothing was read before.
 * Return: 0, -errno: what is left is still stale, the next call goes on.
 */
int cv_state_drop_stale(struct cv_sysroot *r, struct cv_strv *ret_dropped, struct cv_error *err);

/**
 * cv_state_sweep() - remove what killed writers left behind: NAME.tmp of cv_replace_file() beside leases,
 * shared changes, ledgers and quarantine
 * Context: the node lock is held: nobody writes there. Return: 0, -errno.
 */
int cv_state_sweep(struct cv_sysroot *r, struct cv_error *err);

/**
 * cv_name_is_valid() - VM names: [a-z0-9][a-z0-9_-]{0,62}, never a path
 *
 * No dot: a VM's cgroup lies beside the interface files of its parent ("cpu.stat", "cgroup.procs").
 */
int cv_name_is_valid(const char *name);

#endif
