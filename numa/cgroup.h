/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories and files of cgroup v2: made, set, emptied and removed. Knows nothing of VMs. */
#ifndef CARVE_NUMA_CGROUP_H
#define CARVE_NUMA_CGROUP_H

#include <stdbool.h>

#include "base/cpulist.h"
#include "base/step.h"

/** nu_cgroup_path() - path of @file in the cgroup @dir. Return: @buf. */
const char *nu_cgroup_path(char buf[CV_PATH_MAX], const char *dir, const char *file);
/** nu_cgroup_has() - is @word among the blank-separated words of a file? false if unreadable. */
bool nu_cgroup_has(struct cv_sysroot *root, const char *dir, const char *file, const char *word);
/** nu_cgroup_write() - write one file within env->deadline_ms. Return: 0 or -errno, @err filled. */
int nu_cgroup_write(const struct cv_step_env *env, const char *dir, const char *file,
		    const char *value, struct cv_error *err);
/** nu_cgroup_read_list() - a CPU list file. Return: 0, -ENOENT, -ENOTDIR, -errno. */
int nu_cgroup_read_list(struct cv_sysroot *root, const char *dir, const char *file,
			struct cv_cpuset *ret);
/** nu_cgroup_set_list() - write a CPU list file unless it holds @set already. */
int nu_cgroup_set_list(const struct cv_step_env *env, const char *dir, const char *file,
		       const struct cv_cpuset *set, struct cv_error *err);
/** nu_cgroup_make() - mkdir; one that is there already is as good. */
int nu_cgroup_make(const struct cv_step_env *env, const char *dir, struct cv_error *err);
/** nu_cgroup_make_threaded() - mkdir and cgroup.type = threaded. */
int nu_cgroup_make_threaded(const struct cv_step_env *env, const char *dir, struct cv_error *err);
/** nu_cgroup_enable_cpuset() - cpuset controller for the children of @dir, unless it is on. */
int nu_cgroup_enable_cpuset(const struct cv_step_env *env, const char *dir, struct cv_error *err);
/**
 * nu_cgroup_kill() - SIGKILL to every process in @dir and below, then wait until all are gone
 * Return: 0, also when @dir is not there; -ETIMEDOUT after env->deadline_ms (a process sits in the
 * kernel); -errno.
 */
int nu_cgroup_kill(const struct cv_step_env *env, const char *dir, struct cv_error *err);
/** nu_cgroup_remove() - rmdir, tried again until env->deadline_ms while busy; absent is fine. */
int nu_cgroup_remove(const struct cv_step_env *env, const char *dir, struct cv_error *err);

#endif
