// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/vf_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/rtnetlink.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <stdio.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/netlink.h"

#define MAX_VFS 4096 /* of one interface */
#define LIST_MS 10000

CV_DEFINE_CLEANUP(struct nl_sock *, nl_socket_free)
CV_DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)
CV_DEFINE_CLEANUP(struct nl_cache *, nl_cache_free)

/* A request about the interface of this name; NULL: no memory. */
static struct nl_msg *new_message(int type, const char *ifname)
{
	_cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_simple(type, 0);
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };

	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(msg, IFLA_IFNAME, ifname) < 0)
		return NULL;
	return TAKE_PTR(msg);
}

/** struct listing - VFs of an interface, as the child finds them; @n: their number or -errno */
struct listing {
	const char *ifname;
	int n;
	struct sr_vf_net vfs[MAX_VFS];
};

static int on_link(struct nl_msg *msg, void *arg)
{
	struct listing *l = arg;
	struct nlattr *list = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct ifinfomsg),
					      IFLA_VFINFO_LIST);

	l->n = list ? sr_vf_net_parse(nla_data(list), (size_t)nla_len(list), l->vfs, MAX_VFS) : 0;
	return NL_OK;
}

/* Without the counters of each VF: an attribute ends at 64 KiB, and so would the list. */
static int run_listing(void *data)
{
	struct listing *l = data;
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	_cleanup_(nlmsg_freep) struct nl_msg *msg = new_message(RTM_GETLINK, l->ifname);
	int r = sr_nl_open(&sock);

	if (r < 0)
		return r;
	if (!msg || nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS) < 0)
		return -ENOMEM;
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_link, l);
	r = sr_nl_request(sock, msg);
	return r < 0 || l->n >= 0 ? r : l->n;
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
	int r = sr_nl_open(&sock);

	if (r < 0)
		return r;
	r = rtnl_addr_alloc_cache(sock, &cache);
	if (r < 0)
		return sr_nl_errno(r);
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

/** struct change - one request about one VF */
struct change {
	const char *ifname;
	enum sr_vf_request request;
	const struct sr_vf_net *vf;
};

static int put_mac(struct nl_msg *msg, const struct sr_vf_net *vf)
{
	struct ifla_vf_mac m = { .vf = vf->index };

	if (cv_parse_mac(vf->mac, m.mac) < 0)
		return -EINVAL;
	return nla_put(msg, IFLA_VF_MAC, sizeof(m), &m);
}

/* A service VLAN (802.1ad) goes into the list that knows of protocols. */
static int put_vlan(struct nl_msg *msg, const struct sr_vf_net *vf)
{
	struct ifla_vf_vlan v = { vf->index, (uint32_t)vf->vlan, (uint32_t)vf->qos };
	struct ifla_vf_vlan_info info = { v.vf, v.vlan, v.qos, htons(vf->vlan_proto) };
	struct nlattr *list;
	int r;

	if (vf->vlan == 0 || vf->vlan_proto != ETH_P_8021AD)
		return nla_put(msg, IFLA_VF_VLAN, sizeof(v), &v);
	list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
	r = list ? nla_put(msg, IFLA_VF_VLAN_INFO, sizeof(info), &info) : -NLE_NOMEM;
	if (r == 0)
		nla_nest_end(msg, list);
	return r;
}

static int put_rate(struct nl_msg *msg, const struct sr_vf_net *vf)
{
	struct ifla_vf_rate r = { vf->index, vf->min_rate, vf->max_rate };

	return nla_put(msg, IFLA_VF_RATE, sizeof(r), &r);
}

static int put_flag(struct nl_msg *msg, int type, unsigned int index, int value)
{
	struct ifla_vf_trust t = { index, (uint32_t)value }; /* as the other two */

	return nla_put(msg, type, sizeof(t), &t);
}

static int put_guid(struct nl_msg *msg, int type, unsigned int index, uint64_t guid)
{
	struct ifla_vf_guid g = { .vf = index, .guid = guid };

	return nla_put(msg, type, sizeof(g), &g);
}

static int put_value(struct nl_msg *msg, enum sr_vf_request request, const struct sr_vf_net *vf)
{
	switch (request) {
	case SR_VF_MAC:
		return put_mac(msg, vf);
	case SR_VF_VLAN:
		return put_vlan(msg, vf);
	case SR_VF_RATE:
		return put_rate(msg, vf);
	case SR_VF_SPOOFCHK:
		return put_flag(msg, IFLA_VF_SPOOFCHK, vf->index, vf->spoofchk);
	case SR_VF_TRUST:
		return put_flag(msg, IFLA_VF_TRUST, vf->index, vf->trust);
	case SR_VF_LINK:
		return put_flag(msg, IFLA_VF_LINK_STATE, vf->index, vf->linkstate);
	case SR_VF_NODE_GUID:
		return put_guid(msg, IFLA_VF_IB_NODE_GUID, vf->index, vf->node_guid);
	case SR_VF_PORT_GUID:
		return put_guid(msg, IFLA_VF_IB_PORT_GUID, vf->index, vf->port_guid);
	default:
		return -EINVAL;
	}
}

static int put_vf(struct nl_msg *msg, enum sr_vf_request request, const struct sr_vf_net *vf)
{
	struct nlattr *list = nla_nest_start(msg, IFLA_VFINFO_LIST);
	struct nlattr *info = list ? nla_nest_start(msg, IFLA_VF_INFO) : NULL;

	if (!info || put_value(msg, request, vf) < 0)
		return -EINVAL;
	nla_nest_end(msg, info);
	nla_nest_end(msg, list);
	return 0;
}

static int make_change(void *arg)
{
	const struct change *c = arg;
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	_cleanup_(nlmsg_freep) struct nl_msg *msg = new_message(RTM_SETLINK, c->ifname);
	int r = sr_nl_open(&sock);

	if (r == 0)
		r = msg ? put_vf(msg, c->request, c->vf) : -ENOMEM;
	return r < 0 ? r : sr_nl_request(sock, msg);
}

int sr_vf_net_send(const char *ifname, enum sr_vf_request request, const struct sr_vf_net *vf,
		   unsigned int deadline_ms)
{
	struct change c = { .ifname = ifname, .request = request, .vf = vf };
	int result = 0;
	int r = cv_child_run(make_change, &c, deadline_ms, &result);

	return r < 0 ? r : result;
}
