// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "vf-net": MAC and VLAN of a network VF. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/steps.h"
#include "sriov/vf_net.h"

#define MAX_VLAN 4094

/** struct wish - what a step asks for; parts that are not asked for stay as they are */
struct wish {
	bool has_mac, has_vlan;
	uint8_t mac[6];
	int vlan, qos;
};

static int parse_part(char *part, struct wish *w)
{
	char *value = strchr(part, '=');

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (strcmp(part, "mac") == 0) {
		w->has_mac = *value != '\0';
		return w->has_mac ? cv_parse_mac(value, w->mac) : 0;
	}
	if (strcmp(part, "vlan") != 0 || cv_parse_int(value, &w->vlan) < 0 || w->vlan < 0 ||
	    w->vlan > MAX_VLAN)
		return -EINVAL;
	w->has_vlan = true;
	return 0;
}

/* "mac=aa:bb:cc:dd:ee:ff vlan=100", either part alone as well */
static int parse_wish(const char *object, const char *value, struct wish *ret, struct cv_error *err)
{
	_cleanup_free_ char *copy = strdup(value);
	struct wish w = { 0 };
	char *save = NULL;

	for (char *part = copy ? strtok_r(copy, " ", &save) : NULL; part;
	     part = strtok_r(NULL, " ", &save)) {
		if (parse_part(part, &w) < 0)
			return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object,
				       "not VF settings: %s", value);
	}
	*ret = w;
	return 0;
}

/* Name of the PF's interface. Return: 0, -ENODEV when it has none in this namespace. */
static int pf_netdev(const struct cv_step_env *env, const char *pf, char *buf, size_t size,
		     struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_list(env->root, sr_path(path, pf, "net"), &names);

	if (r == 0 && names.n > 0 && strlen(names.v[0]) < size) {
		snprintf(buf, size, "%s", names.v[0]);
		return 0;
	}
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "ENONETDEV", pf,
		"the PF has no network interface here");
	cv_error_hint(err, "its driver makes one; it may have been moved to another namespace");
	return -ENODEV;
}

static int find_vf(const struct cv_step_env *env, const char *object, char ifname[64],
		   struct sr_vf_net *ret, struct cv_error *err)
{
	char pf[CV_BDF_MAX];
	unsigned int index;
	int r = sr_split_vf(object, pf, &index, err);

	if (r == 0)
		r = pf_netdev(env, pf, ifname, 64, err);
	if (r < 0)
		return r;
	if (!cv_sysroot_is_live(env->root))
		return cv_fail_errno(err, -EOPNOTSUPP, object,
				     "VF settings are read from the live host only");
	return sr_vf_net_get(ifname, index, env->deadline_ms, ret, err);
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	struct sr_vf_net vf;
	char ifname[64];
	int r = find_vf(env, object, ifname, &vf, err);

	if (r < 0)
		return r;
	*ret_prior = json_pack("{ss si si}", "mac", vf.mac, "vlan", vf.vlan, "qos", vf.qos);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the settings");
}

static int fail_set(struct cv_error *err, int r, const char *object, const char *what,
		    const char *wanted)
{
	if (r == -EOPNOTSUPP) {
		cv_fail(err, r, CV_EXIT_PRECONDITION, "ENOFEATURE", object,
			"the PF's driver cannot set the %s of a VF", what);
		cv_error_hint(err, "leave the %s out of the spec, or take another NIC", what);
	} else {
		cv_fail_errno(err, r, object, "cannot set the %s of the VF", what);
	}
	cv_error_wanted(err, "%s", wanted);
	return r;
}

static bool has_mac(const struct sr_vf_net *vf, const struct wish *w)
{
	uint8_t mac[6];

	return cv_parse_mac(vf->mac, mac) == 0 && memcmp(mac, w->mac, sizeof(mac)) == 0;
}

static bool has_vlan(const struct sr_vf_net *vf, const struct wish *w)
{
	return vf->vlan == w->vlan && vf->qos == w->qos;
}

/* Only what differs is written. */
static int change(const struct cv_step_env *env, const char *object, const char *ifname,
		  const struct sr_vf_net *vf, const struct wish *w, struct cv_error *err)
{
	char text[CV_MAC_MAX];
	int r = 0;

	if (w->has_mac && !has_mac(vf, w)) {
		r = sr_vf_net_set_mac(ifname, vf->index, w->mac, env->deadline_ms);
		if (r < 0)
			return fail_set(err, r, object, "MAC address", cv_format_mac(w->mac, text));
	}
	if (w->has_vlan && !has_vlan(vf, w)) {
		r = sr_vf_net_set_vlan(ifname, vf->index, w->vlan, w->qos, env->deadline_ms);
		snprintf(text, sizeof(text), "%d", w->vlan);
		if (r < 0)
			return fail_set(err, r, object, "VLAN", text);
	}
	return r;
}

static int verify(const struct cv_step_env *env, const char *object, const struct wish *w,
		  struct cv_error *err)
{
	char ifname[64], mac[CV_MAC_MAX];
	struct sr_vf_net vf;
	int r = find_vf(env, object, ifname, &vf, err);

	if (r < 0)
		return r;
	if ((!w->has_mac || has_mac(&vf, w)) && (!w->has_vlan || has_vlan(&vf, w)))
		return 0;
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EIO", object, "the VF did not take its settings");
	cv_error_found(err, "mac %s vlan %d qos %d", vf.mac, vf.vlan, vf.qos);
	cv_error_wanted(err, "mac %s vlan %d qos %d",
			w->has_mac ? cv_format_mac(w->mac, mac) : "any", w->vlan, w->qos);
	return -EIO;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	struct sr_vf_net vf;
	struct wish w;
	char ifname[64];
	int r = parse_wish(object, value, &w, err);

	if (r == 0)
		r = find_vf(env, object, ifname, &vf, err);
	if (r == 0)
		r = change(env, object, ifname, &vf, &w, err);
	return r < 0 ? r : verify(env, object, &w, err);
}

/* An unknown address is restored as it was reported: all zero. */
static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	struct wish asked, before = { 0 };
	struct sr_vf_net vf;
	char ifname[64];
	int r = parse_wish(object, value, &asked, err);

	if (r < 0)
		return r;
	before.has_mac = asked.has_mac &&
			 cv_parse_mac(cv_json_str(prior, "mac", ""), before.mac) == 0;
	before.has_vlan = asked.has_vlan && json_object_get(prior, "vlan");
	before.vlan = (int)cv_json_int(prior, "vlan", 0);
	before.qos = (int)cv_json_int(prior, "qos", 0);
	r = find_vf(env, object, ifname, &vf, err);
	if (r == -ENODEV) /* the PF, its interface or the VF is gone: so are the settings */
		return 0;
	return r < 0 ? r : change(env, object, ifname, &vf, &before, err);
}

const struct cv_step_ops sr_step_vf_net = {
	.kind = "vf-net",
	.scope = CV_SCOPE_OWN,
	.undo = "set MAC and VLAN of the VF back to what the PF reported before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
