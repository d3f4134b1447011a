/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who does something on this node, and in which boot: in every lease, journal and quarantine entry. */
#ifndef CARVE_BASE_OWNER_H
#define CARVE_BASE_OWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/sysroot.h"

#define CV_BOOT_ID_MAX 40

/**
 * struct cv_owner - a plain value
 * @uid:     numeric user
 * @user:    user name, "" if unknown
 * @job:     batch job id, "" outside a job
 * @boot_id: /proc/sys/kernel/random/boot_id
 */
struct cv_owner {
	uid_t uid;
	char user[64];
	char job[64];
	char boot_id[CV_BOOT_ID_MAX];
};

/** cv_boot_id_read() - id of the running boot. Return: 0, -errno. */
int cv_boot_id_read(struct cv_sysroot *r, char ret[CV_BOOT_ID_MAX], struct cv_error *err);
/** cv_owner_read() - fill @ret for @uid and @job (NULL: none) on the running boot. */
int cv_owner_read(struct cv_sysroot *r, uid_t uid, const char *job, struct cv_owner *ret,
		  struct cv_error *err);
struct json_t *cv_owner_json(const struct cv_owner *o);
/** cv_owner_from_json() - Return: 0, -EINVAL. */
int cv_owner_from_json(const struct json_t *j, struct cv_owner *ret);

/**
 * struct cv_proc - a process, recognised again after its pid was reused
 * @start: start time in clock ticks since boot (/proc/PID/stat field 22)
 */
struct cv_proc {
	pid_t pid;
	uint64_t start;
};
/** cv_proc_read() - Return: 0, -ESRCH. */
int cv_proc_read(struct cv_sysroot *r, pid_t pid, struct cv_proc *ret);
/** cv_proc_is_alive() - true only for the same process (not a zombie). */
int cv_proc_is_alive(struct cv_sysroot *r, const struct cv_proc *p);

#endif
