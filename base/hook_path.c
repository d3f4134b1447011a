// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hook_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINKS_MAX 40 /* as the kernel's own walk */

/**
 * struct walk - a path that is being followed
 * @path:    as it is given, for messages
 * @done:    what was passed, without links; "" is the root
 * @rest:    what is still to come
 * @own:     length of the part of @path at its end; what is before that a link said
 * @is_own:  the last name taken was of @path
 * @st:      of @done
 */
struct walk {
	struct cv_sysroot *r;
	const char *path;
	char done[CV_PATH_MAX];
	char rest[CV_PATH_MAX];
	size_t own;
	bool is_own;
	unsigned int links;
	struct stat st;
};

int cv_hook_check_owner(const char *path, const struct stat *st, struct cv_error *err)
{
	if ((st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & 022))
		return 0;
	cv_fail(err, -EPERM, CV_EXIT_PERMISSION, "EHOOK_OWNER", path,
		"others than root can change what would be run");
	cv_error_found(err, "owner %u, mode %04o", st->st_uid, st->st_mode & 07777);
	cv_error_wanted(err, "owner 0, not writable by group or others");
	cv_error_hint(err, "look at what is in it, then: chown root:root %s; chmod go-w %s", path,
		      path);
	return -EPERM;
}

/* Nothing of that name in a directory that a link leads to is as good as in any other. */
static int fail_walk(const struct walk *w, int r, struct cv_error *err)
{
	if (r == -ENOENT && w->is_own)
		return r;
	if (r == -ENOENT)
		r = -ENOLINK;
	cv_fail_errno(err, r, w->path, "cannot look for hooks");
	if (r == -ENOLINK) {
		cv_error_found(err, "a link that leads to nothing: %s", w->done);
		cv_error_hint(err, "mount or make what it leads to, or remove the link");
	}
	return r;
}

/* The next name into @name. Return: false at the end. */
static bool take_name(struct walk *w, char name[CV_PATH_MAX])
{
	const char *from = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(from, "/");

	memcpy(name, from, len);
	name[len] = '\0';
	memmove(w->rest, from + len, strlen(from + len) + 1);
	w->is_own = strlen(w->rest) < w->own;
	if (w->is_own)
		w->own = strlen(w->rest);
	return len > 0;
}

static void go_up(struct walk *w)
{
	char *slash = strrchr(w->done, '/');

	if (slash)
		*slash = '\0';
}

/* @w->done is the link: what it says takes its place. */
static int follow(struct walk *w, const char *text)
{
	char rest[CV_PATH_MAX];
	int n = snprintf(rest, sizeof(rest), "%s/%s", text, w->rest);

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (n < 0 || (size_t)n >= sizeof(rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, (size_t)n + 1);
	if (text[0] == '/')
		w->done[0] = '\0';
	else
		go_up(w);
	return 0;
}

static int step_into(struct walk *w, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t len = strlen(w->done);
	int r;

	if (len + strlen(name) + 2 > sizeof(w->done))
		return -ENAMETOOLONG;
	w->done[len] = '/';
	memcpy(w->done + len + 1, name, strlen(name) + 1);
	r = cv_readlink(w->r, w->done, &text);
	if (r == 0)
		return follow(w, text);
	return r == -EINVAL ? 0 : r;
}

/* Where the walk stands now: a directory has to be root's before a name in it counts. */
static int look(struct walk *w, bool is_last, struct cv_error *err)
{
	const char *here = w->done[0] ? w->done : "/";
	int r = cv_stat(w->r, here, &w->st);

	if (r < 0)
		return fail_walk(w, r, err);
	if (is_last)
		return 0;
	if (!S_ISDIR(w->st.st_mode))
		return fail_walk(w, -ENOTDIR, err);
	return cv_hook_check_owner(here, &w->st, err);
}

static int go(struct walk *w, const char *name)
{
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") != 0)
		return step_into(w, name);
	go_up(w);
	return 0;
}

static int walk(struct walk *w, struct cv_error *err)
{
	char name[CV_PATH_MAX];
	int r = look(w, false, err);

	while (r == 0 && take_name(w, name)) {
		r = go(w, name);
		if (r < 0)
			return fail_walk(w, r, err);
		r = look(w, w->rest[strspn(w->rest, "/")] == '\0', err);
	}
	return r;
}

int cv_hook_resolve(struct cv_sysroot *r, const char *path, char ret[CV_PATH_MAX],
		    struct stat *ret_st, struct cv_error *err)
{
	struct walk w = { .r = r, .path = path, .is_own = true };
	int rc;

	if (strlen(path) >= sizeof(w.rest))
		return fail_walk(&w, -ENAMETOOLONG, err);
	memcpy(w.rest, path, strlen(path) + 1);
	w.own = strlen(path);
	rc = walk(&w, err);
	if (rc < 0)
		return rc;
	*ret_st = w.st;
	if (ret)
		snprintf(ret, CV_PATH_MAX, "%s", w.done[0] ? w.done : "/");
	return 0;
}
