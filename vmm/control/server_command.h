/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the QMP server: a message in, its answer out. */
#ifndef CARVE_VMM_SERVER_COMMAND_H
#define CARVE_VMM_SERVER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/control/server.h"

struct json_t;

/** struct vmm_command_env - borrowed */
struct vmm_command_env {
	const char *vm_name;
	const struct vmm_control_ops *ops;
	void *ctx;
};

/** vmm_command_greeting() - a new reference, NULL out of memory. */
struct json_t *vmm_command_greeting(void);
/**
 * vmm_command_answer() - run what @text asks for
 * @text:          ended by NUL; NULL: the message was too long
 * @is_negotiated: of the connection; set by qmp_capabilities
 * Return: {"return"} or {"error"}, with the "id" of the message; a new reference; NULL out of memory.
 */
struct json_t *vmm_command_answer(const struct vmm_command_env *env, bool *is_negotiated,
				  const char *text, size_t len);

#endif
