// SPDX-License-Identifier: GPL-2.0-or-later
/* What a verb needs of the host and of its caller before it may run. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cmd.h"

static int fail_not_live(struct cmd *c, const char *name)
{
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NOT_LIVE", c->sysroot,
		"carve %s works on the real host only", name);
	cv_error_hint(&c->err, "leave --sysroot out");
	return -EINVAL;
}

static int fail_not_root(struct cmd *c, const char *name)
{
	cv_fail(&c->err, -EPERM, CV_EXIT_PERMISSION, "NOT_ROOT", name,
		"carve %s changes the node and needs root", name);
	cv_error_found(&c->err, "uid %u", (unsigned int)geteuid());
	cv_error_wanted(&c->err, "uid 0 (CAP_SYS_ADMIN, CAP_NET_ADMIN)");
	cv_error_hint(&c->err, "sudo carve %s; carve plan and --dry-run work without root", name);
	return -EPERM;
}

int cmd_require(struct cmd *c, unsigned int needs)
{
	char name[CMD_NAME_MAX];

	cmd_verb_name(c->verb, name);
	if ((needs & CMD_NEED_LIVE) && !c->dry_run && !cv_sysroot_is_live(c->root))
		return fail_not_live(c, name);
	if ((needs & CMD_NEED_ROOT) && !c->dry_run && geteuid() != 0)
		return fail_not_root(c, name);
	/* The VMM's user and readers must get through /run/carve whatever root's umask is. What other
	 * verbs write is the caller's own. */
	if (needs & CMD_NEED_ROOT)
		umask(022);
	return 0;
}
