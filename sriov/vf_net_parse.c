// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel tells of VFs in an interface's IFLA_VFINFO_LIST (linux/if_link.h). libnl knows no
 * GUIDs of VFs, and nobody else's parser says whether a driver reported a value at all. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <string.h>

#include "base/parse.h"
#include "sriov/vf_net.h"

/* A driver that does not report a switch leaves all ones. */
static int flag_of(const struct nlattr *a)
{
	struct ifla_vf_trust t; /* as ifla_vf_spoofchk and ifla_vf_link_state: number, value */

	if (!a || nla_len(a) < (int)sizeof(t))
		return -1;
	memcpy(&t, nla_data(a), sizeof(t));
	return t.setting > INT32_MAX ? -1 : (int)t.setting;
}

static void parse_mac(const struct nlattr *a, struct sr_vf_net *vf)
{
	struct ifla_vf_mac m = { 0 };

	if (a && nla_len(a) >= (int)sizeof(m))
		memcpy(&m, nla_data(a), sizeof(m));
	cv_format_mac(m.mac, vf->mac);
}

static void parse_vlan(struct nlattr *const *t, struct sr_vf_net *vf)
{
	struct ifla_vf_vlan v;
	struct ifla_vf_vlan_info info;
	struct nlattr *first = t[IFLA_VF_VLAN_LIST] ? nla_data(t[IFLA_VF_VLAN_LIST]) : NULL;

	if (t[IFLA_VF_VLAN] && nla_len(t[IFLA_VF_VLAN]) >= (int)sizeof(v)) {
		memcpy(&v, nla_data(t[IFLA_VF_VLAN]), sizeof(v));
		vf->vlan = (int)(v.vlan & 0xffff);
		vf->qos = (int)(v.qos & 0xff);
	}
	if (!first || !nla_ok(first, nla_len(t[IFLA_VF_VLAN_LIST])) ||
	    nla_type(first) != IFLA_VF_VLAN_INFO || nla_len(first) < (int)sizeof(info))
		return;
	memcpy(&info, nla_data(first), sizeof(info));
	vf->vlan_proto = ntohs(info.vlan_proto);
}

static void parse_rates(struct nlattr *const *t, struct sr_vf_net *vf)
{
	struct ifla_vf_rate r;

	if (!t[IFLA_VF_RATE] || nla_len(t[IFLA_VF_RATE]) < (int)sizeof(r))
		return;
	memcpy(&r, nla_data(t[IFLA_VF_RATE]), sizeof(r));
	vf->min_rate = r.min_tx_rate;
	vf->max_rate = r.max_tx_rate;
}

static bool parse_guid(const struct nlattr *a, uint64_t *ret)
{
	struct ifla_vf_guid g;

	if (!a || nla_len(a) < (int)sizeof(g))
		return false;
	memcpy(&g, nla_data(a), sizeof(g));
	*ret = g.guid;
	return true;
}

/* Every attribute begins with the number of the VF. */
static bool parse_index(struct nlattr *const *t, unsigned int *ret)
{
	uint32_t index;

	if (!t[IFLA_VF_MAC] || nla_len(t[IFLA_VF_MAC]) < (int)sizeof(index))
		return false;
	memcpy(&index, nla_data(t[IFLA_VF_MAC]), sizeof(index));
	*ret = index;
	return true;
}

static int parse_vf(struct nlattr *info, struct sr_vf_net *ret)
{
	struct nlattr *t[IFLA_VF_MAX + 1];
	struct sr_vf_net vf = { 0 };

	if (nla_parse_nested(t, IFLA_VF_MAX, info, NULL) < 0 || !parse_index(t, &vf.index))
		return -EINVAL;
	parse_mac(t[IFLA_VF_MAC], &vf);
	parse_vlan(t, &vf);
	parse_rates(t, &vf);
	vf.trust = flag_of(t[IFLA_VF_TRUST]);
	vf.spoofchk = flag_of(t[IFLA_VF_SPOOFCHK]);
	vf.linkstate = flag_of(t[IFLA_VF_LINK_STATE]);
	vf.has_guids = parse_guid(t[IFLA_VF_IB_NODE_GUID], &vf.node_guid) &&
		       parse_guid(t[IFLA_VF_IB_PORT_GUID], &vf.port_guid);
	*ret = vf;
	return 0;
}

int sr_vf_net_parse(const void *list, size_t len, struct sr_vf_net *ret, size_t max)
{
	int rest = (int)len;
	size_t n = 0;

	/* libnl takes no const, and writes nothing. */
	for (struct nlattr *a = (struct nlattr *)(uintptr_t)list; nla_ok(a, rest);
	     a = nla_next(a, &rest)) {
		if (nla_type(a) != IFLA_VF_INFO)
			continue;
		if (n == max || parse_vf(a, &ret[n]) < 0)
			return -EINVAL;
		n++;
	}
	return (int)n;
}
