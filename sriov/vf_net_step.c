// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "vf-net": settings of a network VF. */
#include <errno.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/steps.h"
#include "sriov/vf_net.h"
#include "sriov/vf_users.h"

/**
 * struct target - a VF and what shall become of it
 * @now:         as its PF reports it
 * @wanted:      as it shall be, all of it
 * @asked:       requests that somebody asked for
 * @unsupported: of these, what the driver refused for good
 * @goes_on:     behind a request that fails
 */
struct target {
	const char *object;
	char ifname[64];
	struct sr_vf_net now, wanted;
	unsigned int asked, unsupported;
	bool goes_on;
};

static int parse_settings(const char *object, const char *value, struct vf_settings *ret,
			  struct cv_error *err)
{
	int r = vf_settings_parse(value, ret, err);

	if (r < 0 && err)
		snprintf(err->object, sizeof(err->object), "%s", object);
	return r;
}

static int fail_netdev(struct cv_error *err, const char *pf)
{
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "ENONETDEV", pf,
		"the PF has no network interface here");
	cv_error_hint(err, "its driver makes one; it may have been moved to another namespace");
	return -ENODEV;
}

static int fail_switchdev(struct cv_error *err, const char *object, const char *pf)
{
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "SWITCHDEV", object,
		"the PF is in switchdev mode: its VFs are set through their representors");
	cv_error_found(err, "eswitch mode switchdev of %s", pf);
	cv_error_wanted(err, "eswitch mode legacy");
	cv_error_hint(err,
		      "leave these settings to who manages the switch, or: devlink dev "
		      "eswitch set pci/%s mode legacy",
		      pf);
	return -EOPNOTSUPP;
}

static int find_vf(const struct cv_step_env *env, const char *object, struct target *t,
		   struct cv_error *err)
{
	char pf[CV_BDF_MAX];
	unsigned int index;
	int r = sr_split_vf(object, pf, &index, err);

	if (r < 0)
		return r;
	*t = (struct target){ .object = object };
	if (sr_vf_net_netdev(env->root, pf, t->ifname) < 0)
		return fail_netdev(err, pf);
	if (sr_vf_net_is_switchdev(env->root, pf))
		return fail_switchdev(err, object, pf);
	if (!cv_sysroot_is_live(env->root))
		return cv_fail_errno(err, -EOPNOTSUPP, object,
				     "VF settings are read from the live host only");
	r = sr_vf_net_get(t->ifname, index, env->deadline_ms, &t->now, err);
	t->wanted = t->now;
	return r;
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	struct target t;
	int r = find_vf(env, object, &t, err);

	if (r < 0)
		return r;
	*ret_prior = sr_vf_net_json(&t.now);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the settings");
}

/* A request as a person would write it. */
static void describe(const struct sr_vf_net *vf, enum sr_vf_request request, char *buf, size_t size)
{
	static const char *const links[] = { "auto", "on", "off" };

	switch (request) {
	case SR_VF_MAC:
		snprintf(buf, size, "mac=%s", vf->mac);
		break;
	case SR_VF_VLAN:
		snprintf(buf, size, "vlan=%d qos=%d%s", vf->vlan, vf->qos,
			 vf->vlan_proto == ETH_P_8021AD ? " (802.1ad)" : "");
		break;
	case SR_VF_RATE:
		snprintf(buf, size, "min_rate=%u max_rate=%u", vf->min_rate, vf->max_rate);
		break;
	case SR_VF_SPOOFCHK:
		snprintf(buf, size, "spoofchk=%s", vf->spoofchk ? "on" : "off");
		break;
	case SR_VF_TRUST:
		snprintf(buf, size, "trust=%s", vf->trust ? "on" : "off");
		break;
	case SR_VF_LINK:
		snprintf(buf, size, "link=%s",
			 vf->linkstate >= 0 && vf->linkstate <= 2 ? links[vf->linkstate] : "?");
		break;
	case SR_VF_NODE_GUID:
		snprintf(buf, size, "node_guid=%016llx", (unsigned long long)vf->node_guid);
		break;
	default:
		snprintf(buf, size, "port_guid=%016llx", (unsigned long long)vf->port_guid);
		break;
	}
}

static int fail_send(struct cv_error *err, int r, const struct target *t,
		     enum sr_vf_request request)
{
	const char *name = sr_vf_request_name(request);
	char text[80];

	if (r == -EOPNOTSUPP) {
		cv_fail(err, r, CV_EXIT_PRECONDITION, "ENOFEATURE", t->object,
			"the PF's driver cannot set the %s of a VF", name);
		cv_error_hint(err, "leave the %s out of the spec, or take another NIC", name);
	} else {
		cv_fail_errno(err, r, t->object, "cannot set the %s of the VF", name);
		if (r == -EINVAL && request == SR_VF_RATE)
			cv_error_hint(err,
				      "some drivers need the link of %s up, allow at most its "
				      "speed, or know no lowest rate",
				      t->ifname);
	}
	describe(&t->now, request, text, sizeof(text));
	if (r == -EOPNOTSUPP)
		cv_error_found(err, "%s", text);
	describe(&t->wanted, request, text, sizeof(text));
	cv_error_wanted(err, "%s", text);
	return r;
}

/* What is asked for, differs, and could be brought back: a value that nobody reports could not. */
static unsigned int to_send(const struct target *t)
{
	return t->asked & sr_vf_net_differ(&t->now, &t->wanted) & sr_vf_net_reported(&t->now);
}

/* A request that hangs is the last one: those behind it would wait for the same lock. */
static int send_all(const struct cv_step_env *env, struct target *t, struct cv_error *err)
{
	unsigned int mask = to_send(t);
	int first = 0;

	for (unsigned int i = 0; i < SR_VF_REQUESTS; i++) {
		int r;

		if (!(mask & SR_VF_BIT(i)))
			continue;
		r = sr_vf_net_send(t->ifname, i, &t->wanted, env->deadline_ms);
		if (r == -EOPNOTSUPP && !(SR_VF_BIT(i) & SR_VF_INSISTED))
			t->unsupported |= SR_VF_BIT(i);
		else if (r < 0 && first == 0)
			first = fail_send(err, r, t, i);
		if (r == -ETIMEDOUT || (first < 0 && !t->goes_on))
			break;
	}
	return first;
}

static int verify(const struct cv_step_env *env, const struct target *t, struct cv_error *err)
{
	unsigned int mask = t->asked & ~t->unsupported & sr_vf_net_reported(&t->now);
	char text[80];
	struct target after;
	int r = find_vf(env, t->object, &after, err);

	if (r < 0)
		return r;
	mask &= sr_vf_net_differ(&after.now, &t->wanted);
	for (unsigned int i = 0; i < SR_VF_REQUESTS; i++) {
		if (!(mask & SR_VF_BIT(i)))
			continue;
		cv_fail(err, -EIO, CV_EXIT_FAILED, "EIO", t->object, "the VF did not take its %s",
			sr_vf_request_name(i));
		describe(&after.now, i, text, sizeof(text));
		cv_error_found(err, "%s", text);
		describe(&t->wanted, i, text, sizeof(text));
		cv_error_wanted(err, "%s", text);
		cv_error_hint(err, "see dmesg: the driver said yes, but reports another value");
		return -EIO;
	}
	return 0;
}

static int change(const struct cv_step_env *env, struct target *t, struct cv_error *err)
{
	int r;

	if (to_send(t) == 0)
		return 0;
	r = send_all(env, t, err);
	return r < 0 ? r : verify(env, t, err);
}

/* One value alone may be right, but not with what is there already. */
static int check_whole(const struct target *t, struct cv_error *err)
{
	struct vf_settings whole;

	if (!(t->asked & (SR_VF_BIT(SR_VF_VLAN) | SR_VF_BIT(SR_VF_RATE))))
		return 0;
	sr_vf_net_settings(&t->wanted, &whole);
	return vf_settings_check(&whole, t->object, err);
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	struct vf_settings s;
	struct target t;
	int r = parse_settings(object, value, &s, err);

	if (r == 0)
		r = find_vf(env, object, &t, err);
	if (r < 0)
		return r;
	t.asked = sr_vf_net_lay(&s, &t.wanted);
	r = check_whole(&t, err);
	return r < 0 ? r : change(env, &t, err);
}

/* @mask: what to bring back. An unknown address is restored as it was reported: all zero. */
static int bring_back(const struct cv_step_env *env, const char *object, const json_t *prior,
		      unsigned int mask, struct cv_error *err)
{
	struct target t;
	int r = find_vf(env, object, &t, err);

	if (r == -ENODEV) /* the PF, its interface or the VF is gone: so are the settings */
		return 0;
	if (r < 0)
		return r;
	t.asked = sr_vf_net_from_json(prior, &t.wanted) & mask;
	t.goes_on = true;
	return change(env, &t, err);
}

int sr_vf_net_bring_back(const struct cv_step_env *env, const char *object, const json_t *prior,
			 struct cv_error *err)
{
	return bring_back(env, object, prior, ~0U, err);
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	struct sr_vf_net ignored = { 0 };
	struct vf_settings s;
	int r = parse_settings(object, value, &s, err);

	if (r == 0)
		r = sr_vf_check_closed(env, object, err);
	return r < 0 ? r : bring_back(env, object, prior, sr_vf_net_lay(&s, &ignored), err);
}

int sr_vf_net_notes(const struct cv_step_env *env, const char *object, const char *value,
		    struct cv_strv *ret, struct cv_error *err)
{
	struct vf_settings s;
	struct target t;
	unsigned int missing;
	int r = parse_settings(object, value, &s, err);

	if (r == 0)
		r = find_vf(env, object, &t, err);
	if (r < 0)
		return r;
	t.asked = sr_vf_net_lay(&s, &t.wanted);
	missing = t.asked & sr_vf_net_differ(&t.now, &t.wanted) & ~SR_VF_INSISTED;
	for (unsigned int i = 0; i < SR_VF_REQUESTS && r == 0; i++) {
		char text[80];

		if (!(missing & SR_VF_BIT(i)))
			continue;
		describe(&t.wanted, i, text, sizeof(text));
		r = cv_strv_addf(ret, "%s: left alone, the driver of %s does not %s the %s of a VF",
				 text, t.ifname,
				 sr_vf_net_reported(&t.now) & SR_VF_BIT(i) ? "set" : "report",
				 sr_vf_request_name(i));
	}
	return r < 0 ? cv_fail_errno(err, r, object, "cannot note what is not supported") : 0;
}

const struct cv_step_ops sr_step_vf_net = {
	.kind = "vf-net",
	.scope = CV_SCOPE_OWN,
	.undo = "set the VF's settings back to what the PF reported before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
