// SPDX-License-Identifier: GPL-2.0-or-later
/* What a step "tap" asks for, and whether it can be had. */
#include "sriov/tap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define CLASS_NET "/sys/class/net"
#define MTU_MIN 68
#define MTU_MAX 65521
#define QUEUES_MAX 16
#define VLAN_MAX 4094

/* ---- the text of a step ---- */

static bool is_name(const char *s, size_t size)
{
	size_t len = strlen(s);

	return len > 0 && len < size && !strpbrk(s, "/ \t\n:") && strcmp(s, ".") != 0 &&
	       strcmp(s, "..") != 0;
}

static int copy_name(char *to, size_t size, const char *from)
{
	if (!is_name(from, size))
		return -EINVAL;
	snprintf(to, size, "%s", from);
	return 0;
}

static int read_number(const char *text, uint64_t max, unsigned int *ret)
{
	uint64_t n;

	if (cv_parse_u64(text, &n) < 0 || n > max)
		return -EINVAL;
	*ret = (unsigned int)n;
	return 0;
}

static int read_word(struct sr_tap *t, const char *key, const char *text)
{
	unsigned int vlan = 0;
	int r;

	if (strcmp(key, "user") == 0)
		return copy_name(t->user, sizeof(t->user), text);
	if (strcmp(key, "bridge") == 0 || strcmp(key, "ovs") == 0) {
		t->is_ovs = key[0] == 'o';
		return copy_name(t->bridge, sizeof(t->bridge), text);
	}
	if (strcmp(key, "mtu") == 0)
		return read_number(text, MTU_MAX, &t->mtu);
	if (strcmp(key, "queues") == 0)
		return read_number(text, QUEUES_MAX, &t->queues);
	if (strcmp(key, "vlan") != 0)
		return -EINVAL;
	r = read_number(text, VLAN_MAX, &vlan);
	t->vlan = (int)vlan;
	return r;
}

static bool is_whole(const struct sr_tap *t)
{
	return t->user[0] && t->bridge[0] && t->queues > 0 && (t->mtu == 0 || t->mtu >= MTU_MIN) &&
	       (t->is_ovs || t->vlan == 0);
}

static int read_words(char *text, struct sr_tap *t)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(w, '=');

		if (!eq)
			return -EINVAL;
		*eq = '\0';
		if (read_word(t, w, eq + 1) < 0)
			return -EINVAL;
	}
	return is_whole(t) ? 0 : -EINVAL;
}

int sr_tap_parse(const char *object, const char *value, struct sr_tap *ret, struct cv_error *err)
{
	_cleanup_free_ char *text = strdup(value);
	struct sr_tap t = { .queues = 0 };

	if (!text)
		return cv_fail_errno(err, -ENOMEM, object, "cannot read what is wanted of it");
	if (copy_name(t.name, sizeof(t.name), object) < 0 || read_words(text, &t) < 0) {
		cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_TAP", object,
			"this is no interface that can be made");
		cv_error_found(err, "%s", value);
		cv_error_wanted(err, "user=USER bridge=NAME|ovs=NAME vlan=N mtu=N queues=N");
		return -EINVAL;
	}
	*ret = t;
	return 0;
}

const char *sr_tap_mark(char buf[SR_TAP_MARK_MAX], const char *vm)
{
	snprintf(buf, SR_TAP_MARK_MAX, "carve:%s", vm);
	return buf;
}

/* ---- what is there ---- */

int sr_net_read(struct cv_sysroot *root, const char *ifname, const char *attribute, char *buf,
		size_t size)
{
	char path[CV_PATH_MAX];

	return cv_read_into(root, cv_pathf(path, CLASS_NET "/%s/%s", ifname, attribute), buf, size);
}

bool sr_net_exists(struct cv_sysroot *root, const char *ifname)
{
	char path[CV_PATH_MAX];

	return cv_exists(root, cv_pathf(path, CLASS_NET "/%s", ifname));
}

static int fail_bridge(const struct sr_tap *t, const char *found, const char *hint,
		       struct cv_error *err)
{
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "NO_BRIDGE", t->bridge,
		"the network of the guest leads to a bridge that is not there");
	cv_error_found(err, "%s", found);
	cv_error_wanted(err, "a Linux bridge of this name");
	cv_error_hint(err, "%s", hint);
	return -ENODEV;
}

static int check_bridge(const struct cv_step_env *env, const struct sr_tap *t, struct cv_error *err)
{
	char path[CV_PATH_MAX];

	if (cv_exists(env->root, cv_pathf(path, CLASS_NET "/%s/bridge", t->bridge)))
		return 0;
	if (!sr_net_exists(env->root, t->bridge))
		return fail_bridge(t, "no such interface",
				   "ip link add NAME type bridge makes one; for a bridge of Open "
				   "vSwitch write ovs: in the spec",
				   err);
	return fail_bridge(t, "an interface that is no bridge",
			   "name the bridge that it is a port of; for a bridge of Open vSwitch "
			   "write ovs: in the spec",
			   err);
}

static int fail_taken(const struct cv_step_env *env, const struct sr_tap *t, const char *found,
		      struct cv_error *err)
{
	cv_fail(err, -EEXIST, CV_EXIT_BUSY, "TAP_EXISTS", t->name,
		"an interface with the name that the guest's shall have is there already");
	cv_error_found(err, "%s", found);
	cv_error_wanted(err, "none");
	cv_error_hint(err,
		      "ip link show %s; one that a guest left behind goes with: ip link del %s",
		      t->name, t->name);
	return -EEXIST;
}

static int check_name(const struct cv_step_env *env, const struct sr_tap *t, struct cv_error *err)
{
	char alias[128] = "", found[192];

	if (!sr_net_exists(env->root, t->name))
		return 0;
	(void)sr_net_read(env->root, t->name, "ifalias", alias, sizeof(alias));
	snprintf(found, sizeof(found), "an interface, alias \"%s\"", alias);
	return fail_taken(env, t, found, err);
}

/* A port whose interface is gone survives a reboot in the switch's database: of the same guest it is as good
 * as none. */
static int check_port(const struct cv_step_env *env, const struct sr_tap *t, struct cv_error *err)
{
	char owner[64], found[192];
	int r = sr_ovs_check_bridge(t->bridge, env->deadline_ms, err);

	r = r ?: sr_ovs_owner(t->name, env->deadline_ms, owner, err);
	if (r < 0 || !owner[0] || strcmp(owner, env->vm) == 0)
		return r;
	snprintf(found, sizeof(found), "a port of Open vSwitch, of %s",
		 owner[0] == '?' ? "somebody else" : owner);
	return fail_taken(env, t, found, err);
}

int sr_tap_check(const struct cv_step_env *env, const struct sr_tap *t, struct cv_error *err)
{
	int r = check_name(env, t, err);

	if (r < 0 || !t->is_ovs)
		return r ?: check_bridge(env, t, err);
	if (!cv_sysroot_is_live(env->root))
		return cv_fail_errno(err, -EOPNOTSUPP, t->bridge,
				     "Open vSwitch is asked on the live host only");
	return check_port(env, t, err);
}
