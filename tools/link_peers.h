/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs on the other side of a network or a share: passt(1), virtiofsd, or one that somebody else
 * started and that listens on a socket. */
#ifndef CARVE_TOOLS_LINK_PEERS_H
#define CARVE_TOOLS_LINK_PEERS_H

#include "tools/launch_links.h"

/** link_find_passt() - its path, static. Return: 0, -ENOENT with @err filled. */
int link_find_passt(const char **ret, struct cv_error *err);
/** link_find_virtiofsd() - the same */
int link_find_virtiofsd(const char **ret, struct cv_error *err);

/** link_passt_argv() - the command line; @fd: its end of the socket. Pure. Return: 0, -ENOMEM. */
int link_passt_argv(const char *program, const struct plan_net *n, int fd, struct cv_strv *ret);
/** link_share_argv() - the same for virtiofsd; @fd: a socket that listens. Pure. */
int link_share_argv(const char *program, const struct plan_share *s, int fd, struct cv_strv *ret);

/** link_passt() - start passt. Return: the VMM's end of its socket, -errno. */
int link_passt(const struct link_env *e, const struct plan_net *n, struct cv_error *err);
/** link_share() - start virtiofsd. Return: a socket that is connected with it, -errno. */
int link_share(const struct link_env *e, const struct plan_share *s, struct cv_error *err);
/** link_socket() - connect to the socket @path as the VM's user. Return: fd, -errno. */
int link_socket(const struct link_env *e, const char *path, struct cv_error *err);

/**
 * link_fetch() - open something in a child with a deadline, and bring the descriptor here
 * @open: returns a descriptor or -errno
 * Return: fd, -ETIMEDOUT, -errno.
 */
int link_fetch(int (*open)(void *arg), void *arg, unsigned int deadline_ms);

#endif
