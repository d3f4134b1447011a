/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the arguments of carve device bind and release name: functions, and the first VFs of a PF. */
#ifndef CARVE_TOOLS_BIND_FUNCTIONS_H
#define CARVE_TOOLS_BIND_FUNCTIONS_H

#include "plan/device_check.h"
#include "tools/cmd.h"

#define BIND_ALL 0 /* PF=all */

/** struct bind_arg - BDF, or with @is_pf the first @count VFs of it (PF=N) */
struct bind_arg {
	struct cv_bdf bdf;
	bool is_pf;
	unsigned int count;
};

/** struct bind_args - in their order on the command line */
struct bind_args {
	struct bind_arg v[CMD_MAX_ARGS];
	size_t n;
};

/** bind_arg_read() - one argument. Return: 0, -EINVAL. */
int bind_arg_read(struct cmd *c, const char *text, struct bind_arg *ret);
/** bind_args_add() - Return: 0, -EINVAL: given twice. */
int bind_args_add(struct cmd *c, struct bind_args *args, const struct bind_arg *arg);

/** struct bind_functions - each once; @v heap */
struct bind_functions {
	struct plan_function *v;
	size_t n;
};
void bind_functions_done(struct bind_functions *f);
#define _cleanup_functions_ __attribute__((cleanup(bind_functions_done)))

/**
 * bind_functions() - what the arguments mean on this host
 * @may_come: of a PF without VFs they are those that it will have; false: only what is there counts
 * Return: 0; -ENODEV no such function, -EINVAL no PF or named twice, -ERANGE more than the PF offers,
 * -EBUSY a PF that has fewer, but some; all with c->err.
 */
int bind_functions(struct cmd *c, const struct inventory *inv, const struct bind_args *args,
		   bool may_come, struct bind_functions *ret);

/** bind_inventory() - of the arguments in depth, of other functions in outline. Return: 0, -errno. */
int bind_inventory(struct cmd *c, unsigned int depth, const struct bind_args *args,
		   struct inventory *ret);

#endif
