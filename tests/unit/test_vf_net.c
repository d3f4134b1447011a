// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings of network VFs: what the kernel tells, what has to be asked of it, where nothing may be. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/vf_net.h"
#include "tests/unit/sriov_host.h"

#define B(request) SR_VF_BIT(SR_VF_##request)

/* A VF as igb tells of it: no GUIDs. */
static const struct sr_vf_net quiet = {
	.index = 3,
	.mac = "02:ca:00:00:00:03",
	.trust = 0,
	.spoofchk = 1,
	.linkstate = IFLA_VF_LINK_STATE_AUTO,
	.vlan_proto = ETH_P_8021Q,
};

static unsigned int lay(const char *text, struct sr_vf_net *vf)
{
	struct vf_settings s;

	assert_int_equal(vf_settings_parse(text, &s, NULL), 0);
	return sr_vf_net_lay(&s, vf);
}

/* Each setting is one request, two values of one request go together, what is so is not sent. */
static void wish_becomes_requests(void **state)
{
	static const struct {
		const char *text;
		unsigned int asked, differ;
	} rows[] = {
		{ "", 0, 0 },
		{ "mac=02:ca:00:00:00:03", B(MAC), 0 },
		{ "mac=02:ca:00:00:00:04", B(MAC), B(MAC) },
		{ "vlan=100", B(VLAN), B(VLAN) },
		{ "vlan=100 qos=3", B(VLAN), B(VLAN) },
		{ "vlan=0", B(VLAN), 0 },
		{ "min_rate=10", B(RATE), B(RATE) },
		{ "min_rate=0 max_rate=0", B(RATE), 0 },
		{ "max_rate=1000", B(RATE), B(RATE) },
		{ "spoofchk=on trust=on", B(SPOOFCHK) | B(TRUST), B(TRUST) },
		{ "spoofchk=off", B(SPOOFCHK), B(SPOOFCHK) },
		{ "link=auto", B(LINK), 0 },
		{ "link=on", B(LINK), B(LINK) },
		{ "node_guid=00:11:22:33:44:55:66:77", B(NODE_GUID), B(NODE_GUID) },
		{ "port_guid=00:11:22:33:44:55:66:77", B(PORT_GUID), B(PORT_GUID) },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct sr_vf_net vf = quiet;

		assert_int_equal(lay(rows[i].text, &vf), rows[i].asked);
		assert_int_equal(sr_vf_net_differ(&quiet, &vf), rows[i].differ);
	}
}

static void wish_keeps_what_it_does_not_name(void **state)
{
	struct sr_vf_net vf = quiet;

	vf.vlan = 7;
	vf.qos = 5;
	vf.vlan_proto = ETH_P_8021AD;
	vf.max_rate = 1000;
	lay("vlan=9 min_rate=100 link=off", &vf);
	assert_int_equal(vf.vlan, 9);
	assert_int_equal(vf.qos, 5);
	assert_int_equal(vf.vlan_proto, ETH_P_8021Q);
	assert_int_equal(vf.min_rate, 100);
	assert_int_equal(vf.max_rate, 1000);
	assert_int_equal(vf.linkstate, IFLA_VF_LINK_STATE_DISABLE);
	assert_string_equal(vf.mac, quiet.mac);
	lay("vlan=0", &vf);
	assert_int_equal(vf.qos, 0);
}

/* What a driver does not report could not be brought back. */
static void unreported_is_known(void **state)
{
	struct sr_vf_net vf = quiet;

	assert_int_equal(sr_vf_net_reported(&vf),
			 SR_VF_INSISTED | B(SPOOFCHK) | B(TRUST) | B(LINK));
	vf.trust = vf.spoofchk = -1;
	assert_int_equal(sr_vf_net_reported(&vf), SR_VF_INSISTED | B(LINK));
	vf.has_guids = true;
	assert_int_equal(sr_vf_net_reported(&vf),
			 SR_VF_INSISTED | B(LINK) | B(NODE_GUID) | B(PORT_GUID));
	for (unsigned int i = 0; i < SR_VF_REQUESTS; i++)
		assert_true(sr_vf_request_name(i)[0]);
}

static void note_brings_everything_back(void **state)
{
	struct sr_vf_net before = quiet, vf;
	_cleanup_json_ json_t *j = NULL;

	before.vlan = 12;
	before.qos = 1;
	before.vlan_proto = ETH_P_8021AD;
	before.min_rate = 5;
	before.max_rate = 4000000000U;
	before.has_guids = true;
	before.port_guid = 0xfedcba9876543210;
	j = sr_vf_net_json(&before);
	assert_non_null(j);
	vf = before;
	lay("mac=02:00:00:00:00:99 vlan=5 qos=2 trust=on spoofchk=off link=on min_rate=1 max_rate=2 "
	    "node_guid=00:11:22:33:44:55:66:77 port_guid=00:11:22:33:44:55:66:77",
	    &vf);
	assert_int_equal(sr_vf_net_differ(&before, &vf), SR_VF_BIT(SR_VF_REQUESTS) - 1);
	assert_int_equal(sr_vf_net_from_json(j, &vf), SR_VF_BIT(SR_VF_REQUESTS) - 1);
	assert_int_equal(sr_vf_net_differ(&before, &vf), 0);
}

/* Switches that were not reported are not asked back, nor what an older note does not know of. */
static void note_may_know_less(void **state)
{
	struct sr_vf_net mute = quiet, vf = quiet;
	_cleanup_json_ json_t *j = NULL,
			      *old = json_pack("{ss si si}", "mac", quiet.mac, "vlan", 4, "qos", 2);

	mute.trust = mute.spoofchk = mute.linkstate = -1;
	j = sr_vf_net_json(&mute);
	assert_int_equal(sr_vf_net_from_json(j, &vf), SR_VF_INSISTED);
	assert_int_equal(sr_vf_net_differ(&quiet, &vf), 0);
	assert_int_equal(sr_vf_net_from_json(old, &vf), B(MAC) | B(VLAN));
	assert_int_equal(vf.vlan, 4);
	assert_int_equal(vf.qos, 2);
	assert_int_equal(sr_vf_net_from_json(NULL, &vf), 0);
}

static void report_becomes_settings(void **state)
{
	struct sr_vf_net vf = quiet;
	struct vf_settings s;

	sr_vf_net_settings(&vf, &s);
	assert_true(s.has_mac);
	assert_int_equal(s.trust, VF_OFF);
	assert_int_equal(s.spoofchk, VF_ON);
	assert_int_equal(s.link, VF_AUTO);
	snprintf(vf.mac, sizeof(vf.mac), "00:00:00:00:00:00");
	vf.trust = -1;
	vf.linkstate = IFLA_VF_LINK_STATE_DISABLE;
	sr_vf_net_settings(&vf, &s);
	assert_false(s.has_mac);
	assert_int_equal(s.trust, VF_KEEP);
	assert_int_equal(s.link, VF_OFF);
}

/** struct told - what a kernel says of a VF; -1: the attribute is left out */
struct told {
	unsigned int index;
	int spoofchk, trust;
	bool has_guids;
};

static void put_flag(struct nl_msg *msg, int type, unsigned int index, int value)
{
	struct ifla_vf_trust t = { index, (uint32_t)value };

	assert_int_equal(nla_put(msg, type, sizeof(t), &t), 0);
}

static void put_guids(struct nl_msg *msg, unsigned int index)
{
	struct ifla_vf_guid g = { .vf = index, .guid = 0x1122334455667788 };

	assert_int_equal(nla_put(msg, IFLA_VF_IB_NODE_GUID, sizeof(g), &g), 0);
	g.guid = 0;
	assert_int_equal(nla_put(msg, IFLA_VF_IB_PORT_GUID, sizeof(g), &g), 0);
}

static void put_vf(struct nl_msg *msg, const struct told *t)
{
	struct nlattr *info = nla_nest_start(msg, IFLA_VF_INFO), *list;
	struct ifla_vf_mac mac = { .vf = t->index, .mac = { 2, 0xca, 0, 0, 0, 9 } };
	struct ifla_vf_vlan vlan = { t->index, 100, 3 };
	struct ifla_vf_vlan_info vlan_info = { t->index, 100, 3, htons(ETH_P_8021AD) };
	struct ifla_vf_rate rate = { t->index, 10, 1000 };

	assert_int_equal(nla_put(msg, IFLA_VF_MAC, sizeof(mac), &mac), 0);
	assert_int_equal(nla_put(msg, IFLA_VF_VLAN, sizeof(vlan), &vlan), 0);
	assert_int_equal(nla_put(msg, IFLA_VF_RATE, sizeof(rate), &rate), 0);
	put_flag(msg, IFLA_VF_SPOOFCHK, t->index, t->spoofchk);
	put_flag(msg, IFLA_VF_LINK_STATE, t->index, IFLA_VF_LINK_STATE_ENABLE);
	put_flag(msg, IFLA_VF_TRUST, t->index, t->trust);
	list = nla_nest_start(msg, IFLA_VF_VLAN_LIST);
	assert_int_equal(nla_put(msg, IFLA_VF_VLAN_INFO, sizeof(vlan_info), &vlan_info), 0);
	nla_nest_end(msg, list);
	if (t->has_guids)
		put_guids(msg, t->index);
	nla_nest_end(msg, info);
}

static void kernel_is_understood(void **state)
{
	static const struct told rows[] = { { 0, 1, 0, false }, { 5, -1, -1, true } };
	struct nl_msg *msg = nlmsg_alloc();
	struct sr_vf_net vfs[2];
	struct nlattr *list;

	list = nla_nest_start(msg, IFLA_VFINFO_LIST);
	put_vf(msg, &rows[0]);
	put_vf(msg, &rows[1]);
	nla_nest_end(msg, list);
	assert_int_equal(sr_vf_net_parse(nla_data(list), (size_t)nla_len(list), vfs, 2), 2);
	assert_int_equal(vfs[0].index, 0);
	assert_string_equal(vfs[0].mac, "02:ca:00:00:00:09");
	assert_int_equal(vfs[0].vlan, 100);
	assert_int_equal(vfs[0].qos, 3);
	assert_int_equal(vfs[0].vlan_proto, ETH_P_8021AD);
	assert_int_equal(vfs[0].min_rate, 10);
	assert_int_equal(vfs[0].max_rate, 1000);
	assert_int_equal(vfs[0].spoofchk, 1);
	assert_int_equal(vfs[0].trust, 0);
	assert_int_equal(vfs[0].linkstate, IFLA_VF_LINK_STATE_ENABLE);
	assert_false(vfs[0].has_guids);
	assert_int_equal(vfs[1].index, 5);
	assert_int_equal(vfs[1].spoofchk, -1);
	assert_int_equal(vfs[1].trust, -1);
	assert_true(vfs[1].has_guids);
	assert_true(vfs[1].node_guid == 0x1122334455667788);
	assert_true(vfs[1].port_guid == 0);
	/* more than there is room for, and a list that is cut anywhere */
	assert_int_equal(sr_vf_net_parse(nla_data(list), (size_t)nla_len(list), vfs, 1), -EINVAL);
	for (int len = 0; len < nla_len(list); len++) {
		_cleanup_free_ char *cut = malloc((size_t)len + 1);

		memcpy(cut, nla_data(list), (size_t)len);
		assert_true(sr_vf_net_parse(cut, (size_t)len, vfs, 2) <= 1);
	}
	nlmsg_free(msg);
}

static void add_netdev(struct host *h, const char *name, const char *id, const char *port)
{
	char path[CV_PATH_MAX];

	fake_file(h->fake, cv_pathf(path, "/sys/class/net/%s/phys_switch_id", name), id);
	fake_file(h->fake, cv_pathf(path, "/sys/class/net/%s/phys_port_name", name), port);
}

/* ice has a switch id in legacy mode as well: only representors of VFs tell. */
static void switchdev_is_told_by_representors(void **state)
{
	struct host *h = *state;
	char ifname[64];

	assert_int_equal(sr_vf_net_netdev(h->root, PF, ifname), -ENODEV);
	fake_dir(h->fake, REAL_PF "/net/eth5");
	add_netdev(h, "eth5", "0123456789ab", "p0");
	assert_int_equal(sr_vf_net_netdev(h->root, PF, ifname), 0);
	assert_string_equal(ifname, "eth5");
	assert_false(sr_vf_net_is_switchdev(h->root, PF));
	add_netdev(h, "eth6", "0123456789ab", "p1");
	add_netdev(h, "eth7", "0123456789ab", "pf0");
	add_netdev(h, "eth8", "0123456789ab", "pf0sf1");
	add_netdev(h, "eth9", "ffffffffffff", "pf0vf1");
	assert_false(sr_vf_net_is_switchdev(h->root, PF));
	add_netdev(h, "eth10", "0123456789ab", "c1pf0vf1");
	assert_true(sr_vf_net_is_switchdev(h->root, PF));
}

/* Some drivers hang their representors on the PF itself. */
static void representors_are_no_netdev_of_the_pf(void **state)
{
	struct host *h = *state;
	char ifname[64];

	fake_dir(h->fake, REAL_PF "/net/eth0");
	fake_dir(h->fake, REAL_PF "/net/eth1");
	add_netdev(h, "eth0", "0123456789ab", "pf0vf0");
	add_netdev(h, "eth1", "0123456789ab", "p0");
	assert_int_equal(sr_vf_net_netdev(h->root, PF, ifname), 0);
	assert_string_equal(ifname, "eth1");
	assert_true(sr_vf_net_is_switchdev(h->root, PF));
}

static void switchdev_gets_no_legacy_calls(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	_cleanup_strv_ struct cv_strv notes = { 0 };

	fake_dir(h->fake, REAL_PF "/net/eth1");
	add_netdev(h, "eth1", "0123456789ab", "p0");
	add_netdev(h, "eth2", "0123456789ab", "pf0vf0");
	assert_int_equal(step_begin(h, &sr_step_vf_net, PF "/0", "vlan=5", &prior), -EOPNOTSUPP);
	assert_string_equal(h->err.code, "SWITCHDEV");
	assert_non_null(strstr(h->err.hint, "devlink"));
	assert_int_equal(sr_vf_net_notes(&h->env, PF "/0", "trust=on", &notes, &h->err),
			 -EOPNOTSUPP);
	assert_int_equal(notes.n, 0);
	/* Without an interface there is nothing to ask. */
	fake_remove(h->fake, REAL_PF "/net");
	assert_int_equal(step_begin(h, &sr_step_vf_net, PF "/0", "vlan=5", &prior), -ENODEV);
	assert_string_equal(h->err.code, "ENONETDEV");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wish_becomes_requests),
		cmocka_unit_test(wish_keeps_what_it_does_not_name),
		cmocka_unit_test(unreported_is_known),
		cmocka_unit_test(note_brings_everything_back),
		cmocka_unit_test(note_may_know_less),
		cmocka_unit_test(report_becomes_settings),
		cmocka_unit_test(kernel_is_understood),
		with_host(switchdev_is_told_by_representors),
		with_host(representors_are_no_netdev_of_the_pf),
		with_host(switchdev_gets_no_legacy_calls),
	};

	return cmocka_run_group_tests_name("vf_net", tests, NULL, NULL);
}
