/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A QMP client (QEMU docs/interop/qmp-spec.rst): one command at a time, every wait with a deadline. */
#ifndef CARVE_VMM_QMP_H
#define CARVE_VMM_QMP_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct json_t;
struct vmm_qmp;

/**
 * vmm_qmp_open() - connect to a unix socket (retrying until @deadline_ms while it does not exist yet or
 * refuses), read the greeting, negotiate capabilities
 * Return: 0, -ETIMEDOUT, -EPROTO (not QMP), -errno.
 */
int vmm_qmp_open(const char *path, unsigned int deadline_ms, struct vmm_qmp **ret,
		 struct cv_error *err);
/**
 * vmm_qmp_open_watched() - vmm_qmp_open() for a VMM that may take minutes to start
 * @check: called every 200 ms of the wait; what it returns below 0 ends it, with @err filled by it
 * @ctx:   its first argument
 */
int vmm_qmp_open_watched(const char *path, unsigned int deadline_ms,
			 int (*check)(void *ctx, struct cv_error *err), void *ctx,
			 struct vmm_qmp **ret, struct cv_error *err);
void vmm_qmp_close(struct vmm_qmp *q);
static inline void vmm_qmp_closep(struct vmm_qmp **q)
{
	if (*q)
		vmm_qmp_close(*q);
}

/**
 * vmm_qmp_command() - run one command
 * @arguments: borrowed, may be NULL
 * @ret:       the "return" value, a new reference; may be NULL
 *
 * Events that arrive meanwhile are kept for vmm_qmp_wait_event(). A QMP error is -EREMOTEIO with class
 * and description in @err; a peer that closes is -EPIPE.
 */
int vmm_qmp_command(struct vmm_qmp *q, const char *command, struct json_t *arguments,
		    unsigned int deadline_ms, struct json_t **ret, struct cv_error *err);
/** vmm_qmp_wait_event() - Return: 0 when @event arrived, -ETIMEDOUT, -EPIPE (VMM ended). */
int vmm_qmp_wait_event(struct vmm_qmp *q, const char *event, unsigned int deadline_ms,
		       struct cv_error *err);

/** vmm_qmp_vcpu_tids() - thread ids by vCPU number (query-cpus-fast). Return: count, -errno. */
int vmm_qmp_vcpu_tids(struct vmm_qmp *q, unsigned int deadline_ms, pid_t **ret,
		      struct cv_error *err);

#endif
