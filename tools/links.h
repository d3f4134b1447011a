/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Served disks, networks, shares and vsock of a guest, looked at before anything is changed for it. */
#ifndef CARVE_TOOLS_LINKS_H
#define CARVE_TOOLS_LINKS_H

#include <sys/types.h>

#include "plan/plan.h"
#include "tools/cmd.h"

/**
 * links_check() - are the bridges there, sockets and directories open to the user of the VM, ports of the
 * host and the CID free, the programs that serve them installed?
 *
 * What the user must be able to do is tried as the user, in a child.
 * Context: the node lock is held. Return: 0; -errno with @c->err filled.
 */
int links_check(struct cmd *c, const struct plan *p, uid_t uid, gid_t gid);

#endif
