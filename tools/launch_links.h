/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Networks, shares and vsock of a guest: the descriptors that its VMM gets, and the programs on their other
 * side, which run as the VM's user in the VM's cgroup and end with it. */
#ifndef CARVE_TOOLS_LAUNCH_LINKS_H
#define CARVE_TOOLS_LAUNCH_LINKS_H

#include <stddef.h>
#include <sys/types.h>

#include "base/step.h"
#include "plan/plan.h"

/**
 * struct link_env - what opening needs; borrowed
 * @dir:       VM_DIR/vmm, the user's: logs of programs go there
 * @cgroup_fd: of the VM: programs are born there
 */
struct link_env {
	const struct cv_step_env *step;
	const struct plan *plan;
	const char *dir;
	int cgroup_fd;
	uid_t uid;
	gid_t gid;
};

/** struct launch_links - one of each network, share and vsock of the plan, in this order */
struct launch_links {
	struct plan_link v[PLAN_LINKS_MAX];
	size_t n;
};

/**
 * launch_links_open() - all of them, as plan/plan.h says of struct plan_link
 * Context: the plan's steps are made. Return: 0, -errno with @err filled: nothing is open; programs that were
 * started are in the VM's cgroup.
 */
int launch_links_open(const struct link_env *e, struct launch_links *ret, struct cv_error *err);
/** launch_links_done() - close them; the VMM has its own by then. */
void launch_links_done(struct launch_links *l);

/**
 * launch_links_said() - the end of the log of a program on the other side, for an error message
 * Return: heap string with the name of the log before it; NULL when none has said anything.
 */
char *launch_links_said(const struct plan *p, const char *dir, size_t max_bytes);

#endif
