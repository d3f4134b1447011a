/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP on a unix socket (QEMU docs/interop/qmp-spec.rst): the subset that clients of Carve use. Several
 * clients at once; one that does not read is cut off. */
#ifndef CARVE_VMM_SERVER_H
#define CARVE_VMM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "vmm/core/loop.h"

struct json_t;
struct vmm_server;

/**
 * struct vmm_control_ops - what the machine can be asked; all in the loop's thread
 * @cont:    0, -errno with @err: the guest cannot run, and the VMM ends
 * @status:  "prelaunch", "running", "paused", "shutdown", "internal-error"
 * @stats:   a new reference: for query-carve-stats
 */
struct vmm_control_ops {
	const char *(*status)(void *ctx);
	int (*cont)(void *ctx, struct cv_error *err);
	void (*stop)(void *ctx);
	void (*quit)(void *ctx);
	void (*reset)(void *ctx);
	void (*powerdown)(void *ctx);
	size_t (*vcpu_tids)(void *ctx, const pid_t **ret);
	struct json_t *(*stats)(void *ctx);
};

/**
 * vmm_server_new() - serve QMP on @listen_fds (owned, also when it fails)
 * Commands: qmp_capabilities, query-version, query-commands, query-name, query-status,
 * query-cpus-fast, query-carve-stats, stop, cont, system_reset, system_powerdown, quit. Everything else
 * is CommandNotFound. Input over 64 KiB without newline, or that is no JSON, is answered and dropped.
 * At most 32 clients, others are turned away; one that leaves 1 MiB unread is cut off.
 * Context: this and all below: the loop's thread, or while nobody runs the loop. An op may call
 * vmm_server_event(), not vmm_server_free().
 */
int vmm_server_new(struct vmm_loop *loop, const char *vm_name, const int *listen_fds, size_t n,
		   const struct vmm_control_ops *ops, void *ctx, struct vmm_server **ret,
		   struct cv_error *err);
void vmm_server_free(struct vmm_server *s);
/** vmm_server_event() - tell all clients: "STOP", "RESUME", "SHUTDOWN", "RESET"; @data consumed. */
void vmm_server_event(struct vmm_server *s, const char *event, struct json_t *data);

#endif
