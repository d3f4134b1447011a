// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/hooks.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hook_child.h"
#include "base/hook_path.h"
#include "base/parse.h"

#define PATH_OF_HOOKS "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define QUOTED 360 /* bytes of the output in an error */

static const char *const stage_names[CV_HOOK_STAGES] = {
	[CV_HOOK_PRE_BIND] = "pre-bind",
	[CV_HOOK_POST_BIND] = "post-bind",
	[CV_HOOK_PRE_RELEASE] = "pre-release",
	[CV_HOOK_POST_RELEASE] = "post-release",
};

/* What package managers and editors leave beside a file. */
static const char *const left_suffixes[] = {
	".bak",	 ".dpkg-dist", ".dpkg-new", ".dpkg-old", ".dpkg-tmp",
	".orig", ".rej",       ".rpmnew",   ".rpmorig",	 ".rpmsave",
	".swp",	 ".ucf-dist",  ".tmp",	    ".ucf-new",	 ".ucf-old",
};

const char *cv_hook_stage_name(enum cv_hook_stage stage)
{
	return stage < CV_HOOK_STAGES ? stage_names[stage] : "";
}

static const char *stage_dir(char buf[CV_PATH_MAX], enum cv_hook_stage stage)
{
	return cv_pathf(buf, CV_HOOKS_DIR "/%s.d", cv_hook_stage_name(stage));
}

static bool is_hook_name(const char *name)
{
	size_t len = strlen(name);

	if (!isalnum((unsigned char)name[0]))
		return false;
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	for (size_t i = 0; i < CV_ARRAY_SIZE(left_suffixes); i++) {
		size_t n = strlen(left_suffixes[i]);

		if (len > n && strcmp(name + len - n, left_suffixes[i]) == 0)
			return false;
	}
	return true;
}

/* Return: 1 when it is there and ours, 0 when there is none, -errno. */
static int check_dir(struct cv_sysroot *r, const char *path, struct cv_error *err)
{
	char real[CV_PATH_MAX];
	struct stat st;
	int rc = cv_hook_resolve(r, path, real, &st, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	if (!S_ISDIR(st.st_mode))
		return cv_fail_errno(err, -ENOTDIR, path, "cannot look for hooks");
	rc = cv_hook_check_owner(real, &st, err);
	return rc < 0 ? rc : 1;
}

static bool is_executable(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & 0111);
}

/* The path without links, of what is there. */
static int resolve(struct cv_sysroot *r, const char *path, char real[CV_PATH_MAX], struct stat *st,
		   struct cv_error *err)
{
	int rc = cv_hook_resolve(r, path, real, st, err);

	return rc == -ENOENT ? cv_fail_errno(err, rc, path, "cannot look at the hook") : rc;
}

/* Return: 1 for a hook, 0 for what is none, -errno. */
static int check_file(struct cv_sysroot *r, const char *dir, const char *name, struct cv_error *err)
{
	char path[CV_PATH_MAX], real[CV_PATH_MAX];
	struct stat st;
	int rc;

	if (!is_hook_name(name))
		return 0;
	rc = resolve(r, cv_pathf(path, "%s/%s", dir, name), real, &st, err);
	if (rc < 0 || !is_executable(&st))
		return rc;
	rc = cv_hook_check_owner(real, &st, err);
	return rc < 0 ? rc : 1;
}

static int fail_many(const char *dir, struct cv_error *err)
{
	cv_fail(err, -E2BIG, CV_EXIT_FAILED, "E2BIG", dir, "too many hooks");
	cv_error_wanted(err, "at most %d", CV_HOOKS_MAX);
	return -E2BIG;
}

static int choose(struct cv_sysroot *r, const char *dir, const struct cv_strv *names,
		  struct cv_strv *hooks, struct cv_error *err)
{
	for (size_t i = 0; i < names->n; i++) {
		int rc = check_file(r, dir, names->v[i], err);

		if (rc > 0)
			rc = hooks->n == CV_HOOKS_MAX ? fail_many(dir, err)
						      : cv_strv_add(hooks, names->v[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int find_all(struct cv_sysroot *r, enum cv_hook_stage stage, struct cv_strv *hooks,
		    struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char dir[CV_PATH_MAX];
	int rc = check_dir(r, stage_dir(dir, stage), err);

	if (rc <= 0)
		return rc;
	rc = cv_list(r, dir, &names);
	if (rc < 0)
		return cv_fail_errno(err, rc, dir, "cannot list the hooks");
	rc = choose(r, dir, &names, hooks, err);
	if (rc < 0)
		return rc;
	/* By byte, as run-parts(8): "10-x" comes before "9-x" here as there. */
	if (hooks->n > 1)
		qsort(hooks->v, hooks->n, sizeof(*hooks->v), compare_names);
	return 0;
}

/**
 * struct listing - what a child finds, in memory shared with it
 * @is_done: the rest is filled, also when it failed
 */
struct listing {
	struct cv_sysroot *r;
	enum cv_hook_stage stage;
	bool is_done;
	struct cv_error err;
	size_t n;
	char names[CV_HOOKS_MAX][NAME_MAX + 1];
};

static int list_in_child(void *arg)
{
	_cleanup_strv_ struct cv_strv hooks = { 0 };
	struct listing *l = arg;
	int rc = find_all(l->r, l->stage, &hooks, &l->err);

	for (; rc == 0 && l->n < hooks.n; l->n++)
		rc = cv_copy_text(l->names[l->n], sizeof(l->names[l->n]), hooks.v[l->n]);
	l->is_done = true;
	return rc;
}

static int fail_silent(const char *dir, unsigned int deadline_ms, struct cv_error *err)
{
	cv_fail(err, -ETIMEDOUT, CV_EXIT_TIMEOUT, "EHOOK_TIMEOUT", dir,
		"the hooks cannot be looked at: their file system does not answer");
	cv_error_found(err, "no answer in %u ms", deadline_ms);
	cv_error_wanted(err, "a directory, or none");
	cv_error_hint(err,
		      "findmnt -T " CV_HOOKS_DIR " names the mount; the server behind it is down?");
	return -ETIMEDOUT;
}

static int take_listing(const struct listing *l, struct cv_strv *ret)
{
	_cleanup_strv_ struct cv_strv hooks = { 0 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->n; i++)
		rc = cv_strv_add(&hooks, l->names[i]);
	if (rc < 0)
		return rc;
	*ret = hooks;
	hooks = (struct cv_strv){ 0 };
	return 0;
}

static int list_within(struct listing *l, unsigned int deadline_ms, struct cv_strv *ret,
		       struct cv_error *err)
{
	char dir[CV_PATH_MAX];
	int result = 0, rc = cv_child_run(list_in_child, l, deadline_ms, &result);

	stage_dir(dir, l->stage);
	if (rc == -ETIMEDOUT)
		return fail_silent(dir, deadline_ms, err);
	rc = rc ?: result;
	if (rc == 0)
		rc = take_listing(l, ret);
	if (rc < 0 && l->is_done && l->err.err) {
		if (err)
			*err = l->err;
		return rc;
	}
	return rc < 0 ? cv_fail_errno(err, rc, dir, "cannot list the hooks") : 0;
}

int cv_hooks_list(struct cv_sysroot *r, enum cv_hook_stage stage, unsigned int deadline_ms,
		  struct cv_strv *ret, struct cv_error *err)
{
	struct listing *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rc;

	if (l == MAP_FAILED)
		return cv_fail_errno(err, -errno, CV_HOOKS_DIR, "cannot list the hooks");
	l->r = r;
	l->stage = stage;
	rc = list_within(l, deadline_ms, ret, err);
	munmap(l, sizeof(*l));
	return rc;
}

static int make_env(const struct cv_hooks *h, struct cv_strv *ret)
{
	int rc = cv_strv_add(ret, PATH_OF_HOOKS);

	if (rc == 0)
		rc = cv_strv_add(ret, "LANG=C");
	if (rc == 0)
		rc = cv_strv_addf(ret, "CARVE_STAGE=%s", cv_hook_stage_name(h->stage));
	for (size_t i = 0; rc == 0 && i < h->env.n; i++)
		rc = cv_strv_add(ret, h->env.v[i]);
	return rc;
}

/* The last words of it: what went wrong is at the end. */
static const char *quote(const struct cv_hook_end *end)
{
	size_t len = strlen(end->output);

	if (len == 0)
		return "it said nothing";
	return end->output + (len > QUOTED ? len - QUOTED : 0);
}

static int fail_hook(const char *path, const struct cv_hook_end *end, struct cv_error *err)
{
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EHOOK", path, "the hook failed");
	if (end->signal)
		cv_error_found(err, "signal %d (%s): %s", end->signal, strsignal(end->signal),
			       quote(end));
	else
		cv_error_found(err, "exit status %d: %s", end->status, quote(end));
	cv_error_wanted(err, "exit status 0");
	cv_error_hint(err, "docs/formats/hooks.md tells how to run it by hand");
	return -EIO;
}

static int fail_late(const char *path, unsigned int deadline_ms, const struct cv_hook_end *end,
		     struct cv_error *err)
{
	cv_fail(err, -ETIMEDOUT, CV_EXIT_TIMEOUT, "EHOOK_TIMEOUT", path,
		"the hook did not end in time and was killed");
	cv_error_found(err, "%s", quote(end));
	cv_error_wanted(err, "all hooks of the stage within %u ms", deadline_ms);
	cv_error_hint(err, "what takes longer belongs into a service that the hook only asks for");
	return -ETIMEDOUT;
}

/* Where the file is on this machine; the root of a fake is nowhere. */
static int host_path(struct cv_sysroot *r, const char *path, char **ret, struct cv_error *err)
{
	const char *dir = cv_sysroot_dir(r);

	if (!dir)
		return cv_fail_errno(err, -EOPNOTSUPP, path, "hooks run on the live host only");
	if (asprintf(ret, "%s%s", cv_sysroot_is_live(r) ? "" : dir, path) < 0)
		return cv_fail_errno(err, -ENOMEM, path, "cannot run the hook");
	return 0;
}

/* Another hook may have changed it since the list was made. */
static int check_opened(int fd, const char *path, struct cv_error *err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return cv_fail_errno(err, fd < 0 ? fd : -errno, path, "cannot open the hook");
	if (!is_executable(&st))
		return cv_fail_errno(err, -EACCES, path, "the hook is no executable any more");
	return cv_hook_check_owner(path, &st, err);
}

/** struct wanted - of the process that becomes the hook */
struct wanted {
	struct cv_sysroot *r;
	const char *path;
};

static int find_hook(void *arg, char **ret_path, struct cv_error *err)
{
	const struct wanted *w = arg;
	char real[CV_PATH_MAX];
	struct stat st;
	int fd, rc = resolve(w->r, w->path, real, &st, err);

	if (rc == 0)
		rc = host_path(w->r, real, ret_path, err);
	if (rc < 0)
		return rc;
	fd = cv_open(w->r, real, O_PATH | O_NOFOLLOW, 0);
	rc = check_opened(fd, real, err);
	return rc < 0 ? rc : fd;
}

static int exec_hook(struct cv_sysroot *r, const char *path, char *const envp[], int64_t left,
		     struct cv_hook_end *end)
{
	struct cv_hook_program p = { .find = find_hook,
				     .arg = &(struct wanted){ r, path },
				     .envp = envp,
				     .deadline_ms = left > 0 ? (unsigned int)left : 0 };

	if (left > 0)
		return cv_hook_exec(&p, end);
	snprintf(end->output, sizeof(end->output), "not started: the time was used up");
	return -ETIMEDOUT;
}

static int run_one(struct cv_sysroot *r, const struct cv_hooks *h, const char *path,
		   char *const envp[], int64_t end_ms, struct cv_error *err)
{
	_cleanup_free_ struct cv_hook_end *end = calloc(1, sizeof(*end));
	int rc;

	if (!end)
		return cv_fail_errno(err, -ENOMEM, path, "cannot run the hook");
	rc = exec_hook(r, path, envp, end_ms - cv_now_ms(), end);
	if (rc == -ETIMEDOUT)
		return fail_late(path, h->deadline_ms, end, err);
	if (rc < 0)
		return cv_fail_errno(err, rc, path, "cannot run the hook");
	if (end->refused && err)
		*err = end->err;
	if (end->refused)
		return end->refused;
	return end->status == 0 ? 0 : fail_hook(path, end, err);
}

int cv_hooks_run(struct cv_sysroot *r, const struct cv_hooks *h, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 }, env = { 0 };
	int64_t end_ms = cv_now_ms() + h->deadline_ms;
	char dir[CV_PATH_MAX], path[CV_PATH_MAX];
	int rc = cv_hooks_list(r, h->stage, h->deadline_ms, &names, err);

	if (rc < 0 || names.n == 0)
		return rc;
	stage_dir(dir, h->stage);
	rc = make_env(h, &env);
	if (rc < 0)
		return cv_fail_errno(err, rc, dir, "cannot run the hooks");
	for (size_t i = 0; i < names.n; i++) {
		cv_pathf(path, "%s/%s", dir, names.v[i]);
		rc = run_one(r, h, path, env.v, end_ms, err);
		if (rc < 0)
			return rc;
	}
	return (int)names.n;
}
