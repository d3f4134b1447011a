// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings of a network VF as plain values: what leads from one state to another. */
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"
#include "sriov/vf_net.h"

#define GUID_TEXT_MAX 20

const char *sr_vf_request_name(enum sr_vf_request request)
{
	static const char *const names[] = {
		[SR_VF_MAC] = "MAC address",	 [SR_VF_VLAN] = "VLAN",
		[SR_VF_RATE] = "rates",		 [SR_VF_SPOOFCHK] = "spoof check",
		[SR_VF_TRUST] = "trust",	 [SR_VF_LINK] = "link state",
		[SR_VF_NODE_GUID] = "node GUID", [SR_VF_PORT_GUID] = "port GUID",
	};

	return names[request];
}

unsigned int sr_vf_net_reported(const struct sr_vf_net *vf)
{
	unsigned int mask = SR_VF_INSISTED;

	if (vf->spoofchk >= 0)
		mask |= SR_VF_BIT(SR_VF_SPOOFCHK);
	if (vf->trust >= 0)
		mask |= SR_VF_BIT(SR_VF_TRUST);
	if (vf->linkstate >= 0)
		mask |= SR_VF_BIT(SR_VF_LINK);
	if (vf->has_guids)
		mask |= SR_VF_BIT(SR_VF_NODE_GUID) | SR_VF_BIT(SR_VF_PORT_GUID);
	return mask;
}

/* Without a VLAN neither priority nor protocol mean anything. */
static bool is_other_vlan(const struct sr_vf_net *a, const struct sr_vf_net *b)
{
	if (a->vlan != b->vlan || a->qos != b->qos)
		return true;
	return a->vlan != 0 && a->vlan_proto != b->vlan_proto && a->vlan_proto != 0 &&
	       b->vlan_proto != 0;
}

unsigned int sr_vf_net_differ(const struct sr_vf_net *a, const struct sr_vf_net *b)
{
	const bool differs[] = {
		[SR_VF_MAC] = strcmp(a->mac, b->mac) != 0,
		[SR_VF_VLAN] = is_other_vlan(a, b),
		[SR_VF_RATE] = a->min_rate != b->min_rate || a->max_rate != b->max_rate,
		[SR_VF_SPOOFCHK] = a->spoofchk != b->spoofchk,
		[SR_VF_TRUST] = a->trust != b->trust,
		[SR_VF_LINK] = a->linkstate != b->linkstate,
		[SR_VF_NODE_GUID] = a->node_guid != b->node_guid,
		[SR_VF_PORT_GUID] = a->port_guid != b->port_guid,
	};
	unsigned int mask = 0;

	for (unsigned int i = 0; i < SR_VF_REQUESTS; i++)
		mask |= differs[i] ? SR_VF_BIT(i) : 0;
	return mask;
}

static unsigned int lay_vlan(const struct vf_settings *s, struct sr_vf_net *vf)
{
	if (s->vlan < 0 && s->qos < 0)
		return 0;
	if (s->vlan >= 0) {
		vf->vlan = s->vlan;
		vf->vlan_proto = ETH_P_8021Q;
	}
	if (s->qos >= 0)
		vf->qos = s->qos;
	else if (vf->vlan == 0)
		vf->qos = 0;
	return SR_VF_BIT(SR_VF_VLAN);
}

static unsigned int lay_rates(const struct vf_settings *s, struct sr_vf_net *vf)
{
	if (s->min_rate < 0 && s->max_rate < 0)
		return 0;
	if (s->min_rate >= 0)
		vf->min_rate = (unsigned int)s->min_rate;
	if (s->max_rate >= 0)
		vf->max_rate = (unsigned int)s->max_rate;
	return SR_VF_BIT(SR_VF_RATE);
}

static unsigned int lay_switch(enum vf_switch wanted, enum sr_vf_request request, int *value)
{
	if (wanted == VF_KEEP)
		return 0;
	*value = wanted == VF_ON;
	return SR_VF_BIT(request);
}

static unsigned int lay_link(const struct vf_settings *s, struct sr_vf_net *vf)
{
	static const int states[] = {
		[VF_OFF] = IFLA_VF_LINK_STATE_DISABLE,
		[VF_ON] = IFLA_VF_LINK_STATE_ENABLE,
		[VF_AUTO] = IFLA_VF_LINK_STATE_AUTO,
	};

	if (s->link == VF_KEEP)
		return 0;
	vf->linkstate = states[s->link];
	return SR_VF_BIT(SR_VF_LINK);
}

static unsigned int lay_guid(uint64_t wanted, enum sr_vf_request request, uint64_t *guid)
{
	if (wanted == 0)
		return 0;
	*guid = wanted;
	return SR_VF_BIT(request);
}

unsigned int sr_vf_net_lay(const struct vf_settings *s, struct sr_vf_net *vf)
{
	unsigned int mask = lay_vlan(s, vf) | lay_rates(s, vf) | lay_link(s, vf) |
			    lay_switch(s->spoofchk, SR_VF_SPOOFCHK, &vf->spoofchk) |
			    lay_switch(s->trust, SR_VF_TRUST, &vf->trust) |
			    lay_guid(s->node_guid, SR_VF_NODE_GUID, &vf->node_guid) |
			    lay_guid(s->port_guid, SR_VF_PORT_GUID, &vf->port_guid);

	if (!s->has_mac)
		return mask;
	cv_format_mac(s->mac, vf->mac);
	return mask | SR_VF_BIT(SR_VF_MAC);
}

static enum vf_switch switch_of(int value)
{
	if (value < 0)
		return VF_KEEP;
	return value ? VF_ON : VF_OFF;
}

static enum vf_switch link_of(int state)
{
	switch (state) {
	case IFLA_VF_LINK_STATE_AUTO:
		return VF_AUTO;
	case IFLA_VF_LINK_STATE_ENABLE:
		return VF_ON;
	case IFLA_VF_LINK_STATE_DISABLE:
		return VF_OFF;
	default:
		return VF_KEEP;
	}
}

void sr_vf_net_settings(const struct sr_vf_net *vf, struct vf_settings *ret)
{
	static const uint8_t none[6];

	vf_settings_none(ret);
	ret->has_mac = cv_parse_mac(vf->mac, ret->mac) == 0 &&
		       memcmp(ret->mac, none, sizeof(none)) != 0;
	ret->vlan = vf->vlan;
	ret->qos = vf->qos;
	ret->trust = switch_of(vf->trust);
	ret->spoofchk = switch_of(vf->spoofchk);
	ret->link = link_of(vf->linkstate);
	ret->min_rate = vf->min_rate;
	ret->max_rate = vf->max_rate;
	ret->node_guid = vf->node_guid;
	ret->port_guid = vf->port_guid;
}

static int add_guid(json_t *j, const char *key, uint64_t guid)
{
	char text[GUID_TEXT_MAX];

	snprintf(text, sizeof(text), "%" PRIx64, guid);
	return json_object_set_new(j, key, json_string(text));
}

json_t *sr_vf_net_json(const struct sr_vf_net *vf)
{
	json_t *j = json_pack("{ss si si si si si si sI sI}", "mac", vf->mac, "vlan", vf->vlan,
			      "qos", vf->qos, "proto", (int)vf->vlan_proto, "trust", vf->trust,
			      "spoofchk", vf->spoofchk, "link", vf->linkstate, "min_rate",
			      (json_int_t)vf->min_rate, "max_rate", (json_int_t)vf->max_rate);

	if (!j || !vf->has_guids)
		return j;
	if (add_guid(j, "node_guid", vf->node_guid) == 0 &&
	    add_guid(j, "port_guid", vf->port_guid) == 0)
		return j;
	json_decref(j);
	return NULL;
}

/* A number that was noted. Return: its request, or 0. */
static unsigned int take_int(const json_t *j, const char *key, enum sr_vf_request request, int *ret)
{
	int64_t value = cv_json_int(j, key, -1);

	if (value < 0 || value > INT32_MAX)
		return 0;
	*ret = (int)value;
	return SR_VF_BIT(request);
}

static unsigned int take_guid(const json_t *j, const char *key, enum sr_vf_request request,
			      uint64_t *ret)
{
	return cv_parse_hex(cv_json_str(j, key, ""), ret) == 0 ? SR_VF_BIT(request) : 0;
}

static unsigned int take_mac(const json_t *j, struct sr_vf_net *vf)
{
	uint8_t mac[6];

	if (cv_parse_mac(cv_json_str(j, "mac", ""), mac) < 0)
		return 0;
	cv_format_mac(mac, vf->mac);
	return SR_VF_BIT(SR_VF_MAC);
}

static unsigned int take_vlan(const json_t *j, struct sr_vf_net *vf)
{
	unsigned int mask = take_int(j, "vlan", SR_VF_VLAN, &vf->vlan);

	if (mask == 0)
		return 0;
	vf->qos = (int)cv_json_int(j, "qos", 0);
	vf->vlan_proto = (uint16_t)cv_json_int(j, "proto", ETH_P_8021Q);
	return mask;
}

static unsigned int take_rates(const json_t *j, struct sr_vf_net *vf)
{
	int64_t min = cv_json_int(j, "min_rate", -1), max = cv_json_int(j, "max_rate", -1);

	if (min < 0 || max < 0 || min > UINT32_MAX || max > UINT32_MAX)
		return 0;
	vf->min_rate = (unsigned int)min;
	vf->max_rate = (unsigned int)max;
	return SR_VF_BIT(SR_VF_RATE);
}

unsigned int sr_vf_net_from_json(const json_t *j, struct sr_vf_net *vf)
{
	return take_mac(j, vf) | take_vlan(j, vf) | take_rates(j, vf) |
	       take_int(j, "spoofchk", SR_VF_SPOOFCHK, &vf->spoofchk) |
	       take_int(j, "trust", SR_VF_TRUST, &vf->trust) |
	       take_int(j, "link", SR_VF_LINK, &vf->linkstate) |
	       take_guid(j, "node_guid", SR_VF_NODE_GUID, &vf->node_guid) |
	       take_guid(j, "port_guid", SR_VF_PORT_GUID, &vf->port_guid);
}
