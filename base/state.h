/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where Carve keeps its state, and the lock that orders everything that changes the node. */
#ifndef CARVE_BASE_STATE_H
#define CARVE_BASE_STATE_H

#include "base/error.h"
#include "base/sysroot.h"

#define CV_RUN_DIR "/run/carve"
#define CV_VM_DIR CV_RUN_DIR "/vm"
#define CV_LEASE_DIR CV_RUN_DIR "/leases"
#define CV_SHARED_DIR CV_RUN_DIR "/shared"
#define CV_LOCK_FILE CV_RUN_DIR "/lock"
#define CV_ETC_DIR "/etc/carve"
#define CV_VAR_DIR "/var/lib/carve"
#define CV_QUARANTINE_DIR CV_VAR_DIR "/quarantine"

/** cv_state_prepare() - make the directories of /run/carve and /var/lib/carve (0755). */
int cv_state_prepare(struct cv_sysroot *r, struct cv_error *err);

/**
 * cv_state_lock() - take the node lock (flock on CV_LOCK_FILE), waiting at most @wait_ms
 * Return: 0 and an fd that holds the lock until closed; -EBUSY with the holder's pid in @err.
 */
int cv_state_lock(struct cv_sysroot *r, unsigned int wait_ms, int *ret_fd, struct cv_error *err);

/** cv_name_is_valid() - VM names: [a-z0-9][a-z0-9._-]{0,62}, never a path. */
int cv_name_is_valid(const char *name);

#endif
