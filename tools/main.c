// SPDX-License-Identifier: GPL-2.0-or-later
/* carve: entry point. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cmd.h"

const struct cmd_verb *const cmd_verbs[] = {
	&cmd_topo,     &cmd_audit,   &cmd_plan,	     &cmd_run,	    &cmd_list,	  &cmd_show,
	&cmd_verify,   &cmd_drift,   &cmd_console,   &cmd_stop,	    &cmd_recover, &cmd_state,
	&cmd_snapshot, &cmd_version, &cmd_help_verb, &cmd_complete, NULL,
};

static int check_needs(struct cmd *c)
{
	if ((c->verb->needs & CMD_NEED_LIVE) && !c->dry_run && !cv_sysroot_is_live(c->root)) {
		cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NOT_LIVE", c->sysroot,
			"carve %s works on the real host only", c->verb->name);
		cv_error_hint(&c->err, "leave --sysroot out");
		return -EINVAL;
	}
	if (!(c->verb->needs & CMD_NEED_ROOT) || c->dry_run || geteuid() == 0)
		return 0;
	cv_fail(&c->err, -EPERM, CV_EXIT_PERMISSION, "NOT_ROOT", c->verb->name,
		"carve %s changes the node and needs root", c->verb->name);
	cv_error_found(&c->err, "uid %u", (unsigned int)geteuid());
	cv_error_wanted(&c->err, "uid 0 (CAP_SYS_ADMIN, CAP_NET_ADMIN)");
	cv_error_hint(&c->err, "sudo carve %s; carve plan and --dry-run work without root",
		      c->verb->name);
	return -EPERM;
}

static int run_verb(struct cmd *c)
{
	int r = cv_sysroot_open(c->sysroot, &c->root, &c->err);

	if (r == 0)
		r = check_needs(c);
	/* The VMM's user and readers must get through /run/carve whatever root's umask is. What other
	 * verbs write is the caller's own. */
	if (r == 0 && (c->verb->needs & CMD_NEED_ROOT))
		umask(022);
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
