// SPDX-License-Identifier: GPL-2.0-or-later
/* What the holder of a function had set where a new one has the kernel's default: who may open its VFIO
 * group, and whether it may sleep deeply. Both are new with a function that is found again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/reset_origin.h"

#define D3COLD "d3cold_allowed"
#define NODE_MS 1000 /* the node of a group comes a moment after the driver, or never */

/* ---- as it stands ---- */

static const char *node_path(struct cv_sysroot *root, const char *bdf, char buf[CV_PATH_MAX])
{
	int group = sr_group(root, bdf);

	return group < 0 ? NULL : cv_pathf(buf, "/dev/vfio/%d", group);
}

void sr_held_read(struct cv_sysroot *root, const char *bdf, struct sr_held *ret)
{
	char path[CV_PATH_MAX];
	const char *node = node_path(root, bdf, path);
	struct sr_held h = { 0 };
	struct stat st;

	if (node && cv_stat(root, node, &st) == 0) {
		h.has_node = true;
		h.uid = st.st_uid;
		h.gid = st.st_gid;
		h.mode = st.st_mode & 07777;
	}
	if (cv_read_into(root, sr_path(path, bdf, D3COLD), h.d3cold, sizeof(h.d3cold)) < 0)
		h.d3cold[0] = '\0';
	*ret = h;
}

/* ---- in the journal ---- */

int sr_held_add_json(const struct sr_held *h, json_t *place)
{
	int r = 0;

	if (h->d3cold[0])
		r = json_object_set_new(place, D3COLD, json_string(h->d3cold));
	if (r == 0 && h->has_node)
		r = json_object_set_new(place, "node",
					json_pack("{sIsIsi}", "uid", (json_int_t)h->uid, "gid",
						  (json_int_t)h->gid, "mode", (int)h->mode));
	return r < 0 ? -ENOMEM : 0;
}

/* Return: a number from 0 to @most, -1. */
static int64_t number(const json_t *j, const char *name, int64_t most)
{
	int64_t n = cv_json_int(j, name, -1);

	return n <= most ? n : -1;
}

int sr_held_from_json(const json_t *place, struct sr_held *ret)
{
	const json_t *node = json_object_get(place, "node");
	int64_t uid = number(node, "uid", UINT32_MAX), gid = number(node, "gid", UINT32_MAX);
	int64_t mode = number(node, "mode", 07777);
	struct sr_held h = { .has_node = node };

	if (json_object_get(place, D3COLD) &&
	    cv_json_copy(place, D3COLD, h.d3cold, sizeof(h.d3cold)) < 0)
		return -EINVAL;
	if (node && (uid < 0 || gid < 0 || mode < 0))
		return -EINVAL;
	if (node) {
		h.uid = (uid_t)uid;
		h.gid = (gid_t)gid;
		h.mode = (mode_t)mode;
	}
	*ret = h;
	return 0;
}

/* ---- as it was ---- */

static int put_d3cold_back(const struct cv_step_env *env, const char *bdf, const struct sr_held *h,
			   struct cv_error *err)
{
	char path[CV_PATH_MAX], now[sizeof(h->d3cold)];
	int r;

	sr_path(path, bdf, D3COLD);
	if (!h->d3cold[0] || cv_read_into(env->root, path, now, sizeof(now)) < 0 ||
	    strcmp(now, h->d3cold) == 0)
		return 0;
	r = sr_write(env, bdf, path, h->d3cold, "setting " D3COLD, err);
	if (r == 0 || r == -ETIMEDOUT)
		return r;
	cv_fail_errno(err, r, bdf, "cannot set " D3COLD " as it was");
	cv_error_found(err, "%s", now);
	cv_error_wanted(err, "%s", h->d3cold);
	cv_error_hint(err, "write %s to %s", h->d3cold, path);
	return r;
}

static int await_node(const struct cv_step_env *env, const char *path, struct stat *ret)
{
	int64_t end = cv_now_ms() + (env->deadline_ms < NODE_MS ? env->deadline_ms : NODE_MS);
	int r = cv_stat(env->root, path, ret);

	while (r == -ENOENT && cv_now_ms() < end) {
		sr_pause();
		r = cv_stat(env->root, path, ret);
	}
	return r;
}

/* The group may have another number now: it is that of the function as it was found. */
static int put_owner_back(const struct cv_step_env *env, const char *bdf, const struct sr_held *h,
			  struct cv_error *err)
{
	char path[CV_PATH_MAX];
	struct stat st = { 0 };
	int r;

	if (!h->has_node || !node_path(env->root, bdf, path))
		return 0;
	r = await_node(env, path, &st);
	/* its driver is not VFIO's any more */
	if (r == -ENOENT)
		return 0;
	if (r == 0 && st.st_uid == h->uid && st.st_gid == h->gid && (st.st_mode & 07777) == h->mode)
		return 0;
	if (r == 0)
		r = cv_chown(env->root, path, h->uid, h->gid, h->mode);
	if (r == 0)
		return 0;
	cv_fail_errno(err, r, bdf, "cannot give its VFIO group back to who had it");
	cv_error_found(err, "%s: %s", path, strerror(-r));
	cv_error_wanted(err, "uid %u, gid %u, mode %o", h->uid, h->gid, h->mode);
	cv_error_hint(err, "see dmesg; chown %u:%u %s gives it back", h->uid, h->gid, path);
	return r;
}

int sr_held_put_back(const struct cv_step_env *env, const char *bdf, const struct sr_held *h,
		     struct cv_error *err)
{
	int r = put_d3cold_back(env, bdf, h, err);

	return r ?: put_owner_back(env, bdf, h, err);
}
