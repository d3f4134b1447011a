// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>

#include "base/cleanup.h"

#define KERNEL_ENOTSUPP 524 /* never meant for user space, but some drivers return it */

CV_DEFINE_CLEANUP(struct nl_sock *, nl_socket_free)

int sr_nl_errno(int nle)
{
	switch (-nle) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OBJ_NOTFOUND:
	case NLE_NODEV:
		return -ENODEV;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_BUSY:
		return -EBUSY;
	default:
		return -EIO;
	}
}

int sr_nl_open(struct nl_sock **ret)
{
	_cleanup_(nl_socket_freep) struct nl_sock *sock = nl_socket_alloc();
	int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		return sr_nl_errno(r);
	*ret = TAKE_PTR(sock);
	return 0;
}

/* The errno itself, before libnl folds it into a number of its own. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	*(int *)arg = e->error == -KERNEL_ENOTSUPP ? -EOPNOTSUPP : e->error;
	return NL_STOP;
}

int sr_nl_request(struct nl_sock *sock, struct nl_msg *msg)
{
	int refused = 0, r;
	struct nl_cb *cb = nl_socket_get_cb(sock); /* a reference of our own */

	nl_cb_err(cb, NL_CB_CUSTOM, on_error, &refused);
	r = nl_send_auto(sock, msg);
	if (r >= 0)
		r = nl_wait_for_ack(sock);
	nl_cb_put(cb);
	if (refused != 0)
		return refused;
	return r < 0 ? sr_nl_errno(r) : 0;
}
