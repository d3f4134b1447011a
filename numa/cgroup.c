// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/cgroup.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "numa/deadline.h"

const char *nu_cgroup_path(char buf[CV_PATH_MAX], const char *dir, const char *file)
{
	return cv_pathf(buf, "%s/%s", dir, file);
}

bool nu_cgroup_has(struct cv_sysroot *root, const char *dir, const char *file, const char *word)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	char *save = NULL;

	if (cv_read_str(root, nu_cgroup_path(path, dir, file), &text) < 0)
		return false;
	for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

int nu_cgroup_write(const struct cv_step_env *env, const char *dir, const char *file,
		    const char *value, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r;

	r = cv_write_deadline(env->root, nu_cgroup_path(path, dir, file), value, env->deadline_ms);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot write '%.*s'", (int)strcspn(value, "\n"),
				     value);
	return 0;
}

int nu_cgroup_read_list(struct cv_sysroot *root, const char *dir, const char *file,
			struct cv_cpuset *ret)
{
	char path[CV_PATH_MAX];

	return cv_read_cpulist(root, nu_cgroup_path(path, dir, file), ret);
}

int nu_cgroup_set_list(const struct cv_step_env *env, const char *dir, const char *file,
		       const struct cv_cpuset *set, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	struct cv_cpuset now;

	if (nu_cgroup_read_list(env->root, dir, file, &now) == 0 && cv_cpuset_equal(&now, set))
		return 0;
	text = cv_format_cpulist(set);
	if (!text)
		return cv_fail_errno(err, -ENOMEM, dir, "cannot format a CPU list");
	/* an empty write(2) never reaches the kernel: the empty list is a newline */
	return nu_cgroup_write(env, dir, file, *text ? text : "\n", err);
}

int nu_cgroup_make(const struct cv_step_env *env, const char *dir, struct cv_error *err)
{
	int r = cv_mkdir(env->root, dir, 0755);

	if (r < 0 && r != -EEXIST)
		return cv_fail_errno(err, r, dir, "cannot make the cgroup");
	return 0;
}

int nu_cgroup_make_threaded(const struct cv_step_env *env, const char *dir, struct cv_error *err)
{
	int r = nu_cgroup_make(env, dir, err);

	if (r < 0 || nu_cgroup_has(env->root, dir, "cgroup.type", "threaded"))
		return r;
	return nu_cgroup_write(env, dir, "cgroup.type", "threaded", err);
}

int nu_cgroup_enable_cpuset(const struct cv_step_env *env, const char *dir, struct cv_error *err)
{
	if (nu_cgroup_has(env->root, dir, "cgroup.subtree_control", "cpuset"))
		return 0;
	return nu_cgroup_write(env, dir, "cgroup.subtree_control", "+cpuset", err);
}

/* Return: 1 when a process lives in @dir or below, 0 when none does or @dir is gone, -errno. */
static int is_populated(struct cv_sysroot *root, const char *dir)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	int r;

	r = cv_read_str(root, nu_cgroup_path(path, dir, "cgroup.events"), &text);
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	return strstr(text, "populated 1") ? 1 : 0;
}

int nu_cgroup_kill(const struct cv_step_env *env, const char *dir, struct cv_error *err)
{
	struct nu_deadline d = nu_deadline_start(env->deadline_ms);
	int r = is_populated(env->root, dir);

	if (r > 0) {
		r = nu_cgroup_write(env, dir, "cgroup.kill", "1", err);
		if (r < 0 && r != -ENOENT && r != -ENODEV)
			return r;
		do {
			r = is_populated(env->root, dir);
		} while (r > 0 && nu_deadline_wait(&d));
	}
	if (r < 0)
		return cv_fail_errno(err, r, dir, "cannot see whether processes are left");
	if (r == 0)
		return 0;
	cv_fail(err, -ETIMEDOUT, CV_EXIT_TIMEOUT, "ETIMEDOUT_KILL", dir,
		"processes are left after SIGKILL and %u ms", env->deadline_ms);
	cv_error_hint(err,
		      "see their pids in %s/cgroup.procs and where they hang in "
		      "/proc/PID/stack, then run carve recover",
		      dir);
	return -ETIMEDOUT;
}

int nu_cgroup_remove(const struct cv_step_env *env, const char *dir, struct cv_error *err)
{
	struct nu_deadline d = nu_deadline_start(env->deadline_ms);
	int r;

	do {
		r = cv_rmdir(env->root, dir);
	} while (r == -EBUSY && nu_deadline_wait(&d));
	if (r < 0 && r != -ENOENT)
		return cv_fail_errno(err, r, dir, "cannot remove the cgroup");
	return 0;
}
