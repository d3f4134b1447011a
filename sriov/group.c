// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "group-owner": who may open the VFIO group of a function. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/steps.h"

static const char *group_path(char buf[CV_PATH_MAX], int group)
{
	return cv_pathf(buf, "/dev/vfio/%d", group);
}

/* The node comes with the first function of the group that binds, a moment later. */
static int await_node(const struct cv_step_env *env, const char *bdf, int group, struct stat *ret,
		      struct cv_error *err)
{
	int64_t end = cv_now_ms() + env->deadline_ms;
	char path[CV_PATH_MAX];
	int r = cv_stat(env->root, group_path(path, group), ret);

	while (r == -ENOENT && cv_now_ms() < end) {
		sr_pause();
		r = cv_stat(env->root, path, ret);
	}
	if (r < 0) {
		cv_fail_errno(err, r, path, "the VFIO group of %s did not appear", bdf);
		cv_error_hint(err, "see dmesg; the function must be bound to vfio-pci");
	}
	return r;
}

static int find_group(const struct cv_step_env *env, const char *bdf, int *ret,
		      struct cv_error *err)
{
	int r = sr_require(env->root, bdf, err);

	if (r < 0)
		return r;
	*ret = sr_group(env->root, bdf);
	if (*ret >= 0)
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "ENOIOMMU", bdf,
		"the function is in no IOMMU group");
	cv_error_hint(err, "turn the IOMMU on: firmware, and intel_iommu=on on Intel");
	return -ENODEV;
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	struct stat st;
	int group, r = find_group(env, object, &group, err);

	if (r == 0)
		r = await_node(env, object, group, &st, err);
	if (r < 0)
		return r;
	*ret_prior = json_pack("{si sI sI si}", "group", group, "uid", (json_int_t)st.st_uid, "gid",
			       (json_int_t)st.st_gid, "mode", (int)(st.st_mode & 07777));
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the owner");
}

/* Whether VFIO refuses a group for this member: one that a host driver drives. */
static bool is_in_the_way(struct cv_sysroot *root, const char *bdf, char *driver, size_t size)
{
	char path[CV_PATH_MAX];
	uint64_t class;

	if (sr_driver(root, bdf, driver, size) < 0 || !driver[0] || strstr(driver, "vfio") ||
	    strcmp(driver, "pci-stub") == 0)
		return false;
	/* Bridges forward only. */
	return cv_read_hex(root, sr_path(path, bdf, "class"), &class) < 0 ||
	       (class >> 8 != 0x0604 && class >> 8 != 0x0600);
}

static int check_viable(const struct cv_step_env *env, const char *bdf, int group,
			struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv members = { 0 }, bad = { 0 };
	_cleanup_free_ char *list = NULL;
	char path[CV_PATH_MAX], driver[64];
	int r;

	cv_pathf(path, "/sys/kernel/iommu_groups/%d/devices", group);
	r = cv_list(env->root, path, &members);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot list the members of the IOMMU group");
	for (size_t i = 0; i < members.n; i++) {
		if (is_in_the_way(env->root, members.v[i], driver, sizeof(driver)))
			cv_strv_addf(&bad, "%s (%s)", members.v[i], driver);
	}
	if (bad.n == 0)
		return 0;
	list = cv_strv_join(&bad, ", ");
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "EGROUP", bdf,
		"IOMMU group %d is shared with functions the host uses", group);
	cv_error_found(err, "%s", list ? list : "");
	cv_error_wanted(err, "every other function of the group on vfio-pci or without driver");
	cv_error_hint(err, "take a function that is alone in its group, or the whole group");
	return -EPERM;
}

int sr_parse_user(const char *object, const char *value, uid_t *ret, struct cv_error *err)
{
	struct passwd entry, *found = NULL;
	char buf[4096];
	uint64_t uid;

	if (cv_parse_u64(value, &uid) == 0 && uid < UINT32_MAX) {
		*ret = (uid_t)uid;
		return 0;
	}
	if (getpwnam_r(value, &entry, buf, sizeof(buf), &found) != 0 || !found)
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "ENOUSER", object, "no user %s", value);
	*ret = found->pw_uid;
	return 0;
}

static int set_owner(const struct cv_step_env *env, const char *bdf, int group, uid_t uid,
		     struct cv_error *err)
{
	char path[CV_PATH_MAX];
	struct stat st;
	int r = await_node(env, bdf, group, &st, err);

	if (r < 0 || st.st_uid == uid)
		return r;
	r = cv_chown(env->root, group_path(path, group), uid, (gid_t)-1, (mode_t)-1);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot give the VFIO group to uid %u", uid);
	if (cv_stat(env->root, path, &st) < 0 || st.st_uid != uid)
		return cv_fail(err, -EIO, CV_EXIT_FAILED, "EIO", path,
			       "the owner of the VFIO group did not change");
	return 0;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	int group, r = find_group(env, object, &group, err);
	uid_t uid = 0;

	if (r == 0)
		r = sr_parse_user(object, value, &uid, err);
	if (r == 0)
		r = check_viable(env, object, group, err);
	return r < 0 ? r : set_owner(env, object, group, uid, err);
}

/* A node that is gone, or belongs to neither the one nor the other, is a new one: not ours. */
static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	int group = (int)cv_json_int(prior, "group", -1), r;
	int64_t uid = cv_json_int(prior, "uid", -1);
	char path[CV_PATH_MAX];
	struct stat st;
	uid_t given;

	r = sr_parse_user(object, value, &given, err);
	if (r < 0)
		return r;
	if (group < 0 || uid < 0 || cv_stat(env->root, group_path(path, group), &st) < 0 ||
	    st.st_uid != given)
		return 0;
	r = cv_chown(env->root, path, (uid_t)uid, (gid_t)cv_json_int(prior, "gid", 0),
		     (mode_t)cv_json_int(prior, "mode", 0600));
	return r < 0 ? cv_fail_errno(err, r, path, "cannot give the VFIO group back") : 0;
}

const struct cv_step_ops sr_step_group_owner = {
	.kind = "group-owner",
	.scope = CV_SCOPE_OWN,
	.undo = "give /dev/vfio/GROUP back to the owner and mode it had",
	.record = record,
	.apply = apply,
	.revert = revert,
};
