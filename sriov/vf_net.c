// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/vf_net.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/sriov.h>
#include <stdio.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"

#define MAX_VFS 4096 /* of one interface */
#define LIST_MS 10000

CV_DEFINE_CLEANUP(struct nl_sock *, nl_socket_free)
CV_DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)
CV_DEFINE_CLEANUP(struct nl_cache *, nl_cache_free)
CV_DEFINE_CLEANUP(struct nl_addr *, nl_addr_put)
CV_DEFINE_CLEANUP(struct rtnl_link *, rtnl_link_put)
CV_DEFINE_CLEANUP(struct rtnl_link_vf *, rtnl_link_vf_put)

/* libnl has error numbers of its own. */
static int errno_of(int nle)
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

static int open_socket(struct nl_sock **ret)
{
	_cleanup_(nl_socket_freep) struct nl_sock *sock = nl_socket_alloc();
	int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		return errno_of(r);
	*ret = TAKE_PTR(sock);
	return 0;
}

static int open_link(const char *ifname, struct nl_sock **ret_sock, struct rtnl_link **ret_link)
{
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	int r = open_socket(&sock);

	if (r < 0)
		return r;
	/* libnl asks for the VFs as well (RTEXT_FILTER_VF). */
	r = rtnl_link_get_kernel(sock, 0, ifname, ret_link);
	if (r < 0)
		return errno_of(r);
	*ret_sock = TAKE_PTR(sock);
	return 0;
}

static int flag_of(struct rtnl_link_vf *vf, int (*get)(struct rtnl_link_vf *, uint32_t *))
{
	uint32_t value;

	return get(vf, &value) < 0 || value > INT32_MAX ? -1 : (int)value;
}

static void read_address(struct rtnl_link_vf *vf, struct sr_vf_net *ret)
{
	struct nl_addr *addr = NULL; /* borrowed */
	uint8_t mac[6] = { 0 };

	if (rtnl_link_vf_get_addr(vf, &addr) == 0 && nl_addr_get_len(addr) >= sizeof(mac))
		memcpy(mac, nl_addr_get_binary_addr(addr), sizeof(mac));
	cv_format_mac(mac, ret->mac);
}

static void read_vlan(struct rtnl_link_vf *vf, struct sr_vf_net *ret)
{
	nl_vf_vlans_t *vlans = NULL;

	if (rtnl_link_vf_get_vlans(vf, &vlans) < 0)
		return;
	if (vlans->size > 0) {
		ret->vlan = (int)vlans->vlans[0].vf_vlan;
		ret->qos = (int)vlans->vlans[0].vf_vlan_qos;
	}
	rtnl_link_vf_vlan_put(vlans);
}

static void read_vf(struct rtnl_link_vf *vf, unsigned int index, struct sr_vf_net *ret)
{
	struct nl_vf_rate rate;

	*ret = (struct sr_vf_net){ .index = index };
	read_address(vf, ret);
	read_vlan(vf, ret);
	ret->trust = flag_of(vf, rtnl_link_vf_get_trust);
	ret->spoofchk = flag_of(vf, rtnl_link_vf_get_spoofchk);
	ret->linkstate = flag_of(vf, rtnl_link_vf_get_linkstate);
	if (rtnl_link_vf_get_rate(vf, &rate) < 0)
		return;
	ret->max_rate = rate.api == RTNL_LINK_VF_RATE_API_NEW ? rate.max_tx_rate : rate.rate;
	ret->min_rate = rate.api == RTNL_LINK_VF_RATE_API_NEW ? rate.min_tx_rate : 0;
}

/** struct listing - VFs of an interface, as the child finds them */
struct listing {
	const char *ifname;
	int n;
	struct sr_vf_net vfs[MAX_VFS];
};

static int run_listing(void *data)
{
	struct listing *l = data;
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = NULL;
	uint32_t total = 0;
	int r = open_link(l->ifname, &sock, &link);

	if (r < 0)
		return r;
	if (rtnl_link_get_num_vf(link, &total) < 0)
		total = 0;
	if (total > MAX_VFS)
		return -E2BIG;
	for (uint32_t i = 0; i < total; i++) {
		_cleanup_(rtnl_link_vf_putp) struct rtnl_link_vf *vf = rtnl_link_vf_get(link, i);

		if (vf)
			read_vf(vf, i, &l->vfs[l->n++]);
	}
	return 0;
}

static int list_vfs(const char *ifname, unsigned int deadline_ms, struct listing **ret,
		    struct cv_error *err)
{
	_cleanup_free_ struct listing *l = calloc(1, sizeof(*l));
	int r = -ENOMEM;

	if (l) {
		l->ifname = ifname;
		r = sr_child_fill(run_listing, l, sizeof(*l), deadline_ms);
	}
	if (r < 0)
		return cv_fail_errno(err, r, ifname, "cannot read the VFs of the interface");
	*ret = TAKE_PTR(l);
	return 0;
}

int sr_vf_net_list(const char *ifname, struct sr_vf_net **ret, struct cv_error *err)
{
	_cleanup_free_ struct listing *l = NULL;
	struct sr_vf_net *list;
	int r = list_vfs(ifname, LIST_MS, &l, err);

	if (r < 0)
		return r;
	list = calloc((size_t)l->n + 1, sizeof(*list));
	if (!list)
		return cv_fail_errno(err, -ENOMEM, ifname, "cannot read the VFs of the interface");
	memcpy(list, l->vfs, (size_t)l->n * sizeof(*list));
	*ret = list;
	return l->n;
}

int sr_vf_net_get(const char *ifname, unsigned int index, unsigned int deadline_ms,
		  struct sr_vf_net *ret, struct cv_error *err)
{
	_cleanup_free_ struct listing *l = NULL;
	int r = list_vfs(ifname, deadline_ms, &l, err);

	if (r < 0)
		return r;
	for (int i = 0; i < l->n; i++) {
		if (l->vfs[i].index == index) {
			*ret = l->vfs[i];
			return 0;
		}
	}
	return cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENOVF", ifname,
		       "the interface has no VF %u (%d VFs)", index, l->n);
}

static int run_addressed(void *data)
{
	struct sr_links *links = data;
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	_cleanup_(nl_cache_freep) struct nl_cache *cache = NULL;
	int r = open_socket(&sock);

	if (r < 0)
		return r;
	r = rtnl_addr_alloc_cache(sock, &cache);
	if (r < 0)
		return errno_of(r);
	for (struct nl_object *o = nl_cache_get_first(cache); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)o;

		if (rtnl_addr_get_family(addr) != AF_INET)
			continue;
		if (links->n == SR_MAX_LINKS)
			return -E2BIG;
		links->index[links->n++] = rtnl_addr_get_ifindex(addr);
	}
	return 0;
}

int sr_links_addressed(unsigned int deadline_ms, struct sr_links *ret)
{
	struct sr_links links = { 0 };
	int r = sr_child_fill(run_addressed, &links, sizeof(links), deadline_ms);

	if (r == 0)
		*ret = links;
	return r;
}

/**
 * struct change - one attribute of one VF
 * @mac:  NULL: the VLAN is meant
 */
struct change {
	const char *ifname;
	unsigned int index;
	const uint8_t *mac;
	int vlan, qos;
};

static int fill_change(const struct change *c, struct rtnl_link_vf *vf)
{
	_cleanup_(nl_addr_putp) struct nl_addr *addr = NULL;
	nl_vf_vlans_t *vlans = NULL;

	rtnl_link_vf_set_index(vf, c->index);
	if (c->mac) {
		addr = nl_addr_build(AF_LLC, c->mac, 6);
		if (!addr)
			return -ENOMEM;
		rtnl_link_vf_set_addr(vf, addr);
		return 0;
	}
	if (rtnl_link_vf_vlan_alloc(&vlans, 1) < 0)
		return -ENOMEM;
	vlans->vlans[0].vf_vlan = (uint32_t)c->vlan;
	vlans->vlans[0].vf_vlan_qos = (uint32_t)c->qos;
	vlans->vlans[0].vf_vlan_proto = ETH_P_8021Q;
	rtnl_link_vf_set_vlans(vf, vlans);
	rtnl_link_vf_vlan_put(vlans);
	return 0;
}

/* The errno itself, before libnl folds it into a number of its own. */
static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	*(int *)arg = e->error;
	return NL_STOP;
}

static int send_request(struct nl_sock *sock, struct nl_msg *msg)
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
	return r < 0 ? errno_of(r) : 0;
}

static int make_change(void *arg)
{
	const struct change *c = arg;
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	_cleanup_(rtnl_link_putp) struct rtnl_link *link = NULL, *wanted = rtnl_link_alloc();
	_cleanup_(rtnl_link_vf_putp) struct rtnl_link_vf *vf = rtnl_link_vf_alloc();
	_cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
	int r = wanted && vf ? open_link(c->ifname, &sock, &link) : -ENOMEM;

	if (r == 0)
		r = fill_change(c, vf);
	if (r < 0)
		return r;
	r = rtnl_link_vf_add(wanted, vf);
	if (r == 0)
		r = rtnl_link_build_change_request(link, wanted, 0, &msg);
	return r < 0 ? errno_of(r) : send_request(sock, msg);
}

static int run_change(struct change *c, unsigned int deadline_ms)
{
	int result = 0;
	int r = cv_child_run(make_change, c, deadline_ms, &result);

	return r < 0 ? r : result;
}

int sr_vf_net_set_mac(const char *ifname, unsigned int index, const uint8_t mac[6],
		      unsigned int deadline_ms)
{
	struct change c = { .ifname = ifname, .index = index, .mac = mac };

	return run_change(&c, deadline_ms);
}

int sr_vf_net_set_vlan(const char *ifname, unsigned int index, int vlan, int qos,
		       unsigned int deadline_ms)
{
	struct change c = { .ifname = ifname, .index = index, .vlan = vlan, .qos = qos };

	return run_change(&c, deadline_ms);
}
