// SPDX-License-Identifier: GPL-2.0-or-later
/* carve: entry point. */
#include <signal.h>

#include "tools/cmd.h"

const struct cmd_verb *const cmd_verbs[] = {
	&cmd_topo,    &cmd_audit,     &cmd_plan,     &cmd_run,	   &cmd_list,	 &cmd_show,
	&cmd_verify,  &cmd_certify,   &cmd_drift,    &cmd_console, &cmd_stop,	 &cmd_device,
	&cmd_vf,      &cmd_recover,   &cmd_state,    &cmd_diff,	   &cmd_metrics, &cmd_snapshot,
	&cmd_version, &cmd_help_verb, &cmd_complete, NULL,
};

static int run_verb(struct cmd *c)
{
	int r = cv_sysroot_open(c->sysroot, &c->root, &c->err);

	if (r == 0)
		r = cmd_require(c, c->verb->needs);
	if (r == 0)
		r = c->verb->run(c);
	cv_sysroot_closep(&c->root);
	return r;
}

int main(int argc, char **argv)
{
	struct cmd c = { 0 };
	int r = cmd_parse(argc, argv, &c);

	signal(SIGPIPE, SIG_IGN);
	if (r == 0)
		r = run_verb(&c);
	return r < 0 ? cmd_print_error(&c) : r;
}
