// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "tap": the host's end of a virtual network interface of a guest. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "sriov/tap.h"

/* Netlink and tun know the host only, never a captured machine. */
static int require_live(const struct cv_step_env *env, const char *object, struct cv_error *err)
{
	if (cv_sysroot_is_live(env->root))
		return 0;
	return cv_fail_errno(err, -EOPNOTSUPP, object,
			     "network interfaces are made on the live host only");
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	char mark[SR_TAP_MARK_MAX];
	struct sr_tap t;
	int r = sr_tap_parse(object, value, &t, err);

	r = r ?: sr_tap_check(env, &t, err);
	r = r ?: require_live(env, object, err);
	if (r < 0)
		return r;
	*ret_prior = json_pack("{ss}", "mark", sr_tap_mark(mark, env->vm));
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the interface");
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	struct sr_tap t;
	uid_t uid;
	int r = sr_tap_parse(object, value, &t, err);

	r = r ?: require_live(env, object, err);
	r = r ?: sr_parse_user(object, t.user, &uid, err);
	r = r ?: sr_tap_make(env, &t, uid, err);
	return r ?: sr_tap_verify(env, &t, uid, err);
}

/* Somebody took the name after ours was gone: his stays. */
static int leave_alone(const struct cv_step_env *env, const char *object, const char *alias)
{
	(void)sr_note_add(env->root, env->vm,
			  "%s: left alone: it is not the interface that was made for %s (alias "
			  "\"%s\")",
			  object, env->vm, alias);
	return 0;
}

static int delete_interface(const struct cv_step_env *env, const char *object, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int index, r;

	r = cv_read_int(env->root, cv_pathf(path, "/sys/class/net/%s/ifindex", object), &index);
	if (r == -ENOENT)
		return 0;
	r = r ?: require_live(env, object, err);
	r = r ?: sr_tap_delete(index, env->deadline_ms);
	if (r == 0 || r == -ENODEV)
		return 0;
	cv_fail_errno(err, r, object, "cannot delete the interface");
	cv_error_hint(err, "ip link del %s; then carve recover", object);
	return r;
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	const char *mark = cv_json_str(prior, "mark", "");
	char alias[128] = "";
	struct sr_tap t;
	int r = sr_tap_parse(object, value, &t, err);

	if (r == 0 && t.is_ovs && cv_sysroot_is_live(env->root))
		r = sr_ovs_remove(object, env->vm, env->deadline_ms, err);
	if (r < 0 || !sr_net_exists(env->root, object))
		return r;
	(void)sr_net_read(env->root, object, "ifalias", alias, sizeof(alias));
	if (strcmp(alias, mark) != 0)
		return leave_alone(env, object, alias);
	return delete_interface(env, object, err);
}

const struct cv_step_ops sr_step_tap = {
	.kind = "tap",
	.scope = CV_SCOPE_OWN,
	.undo = "taken out of its bridge and deleted",
	.record = record,
	.apply = apply,
	.revert = revert,
};
