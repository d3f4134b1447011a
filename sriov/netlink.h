/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A route netlink socket and a request on it, with the errno of the kernel. Whoever asks is in a child: the
 * kernel's network lock may be held for ever. */
#ifndef CARVE_SRIOV_NETLINK_H
#define CARVE_SRIOV_NETLINK_H

struct nl_sock;
struct nl_msg;

/** sr_nl_open() - a connected socket, to be freed by the caller. Return: 0, -errno. */
int sr_nl_open(struct nl_sock **ret);
/** sr_nl_errno() - libnl has error numbers of its own. Return: -errno. */
int sr_nl_errno(int nle);
/**
 * sr_nl_request() - send and take one message: the answer, or the acknowledgement
 * Return: 0, -errno as the kernel said it.
 */
int sr_nl_request(struct nl_sock *sock, struct nl_msg *msg);

#endif
