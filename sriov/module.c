// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "module": a kernel module with what it needs (libkmod). */
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/steps.h"

CV_DEFINE_CLEANUP(struct kmod_ctx *, kmod_unref)
CV_DEFINE_CLEANUP(struct kmod_module *, kmod_module_unref)
CV_DEFINE_CLEANUP(struct kmod_list *, kmod_module_unref_list)

#define MAX_DEPTH 8 /* of dependencies */

static void no_log(void *data, int priority, const char *file, int line, const char *fn,
		   const char *format, va_list args)
{
}

static int open_kmod(struct kmod_ctx **ret)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);

	if (!ctx)
		return -ENOMEM;
	kmod_set_log_fn(ctx, no_log, NULL);
	*ret = ctx;
	return 0;
}

/* The name under /sys/module has underscores. */
static const char *module_path(char buf[CV_PATH_MAX], const char *name, const char *entry)
{
	cv_pathf(buf, "/sys/module/%s%s", name, entry);
	for (char *p = buf + strlen("/sys/module/"); *p && *p != '/'; p++) {
		if (*p == '-')
			*p = '_';
	}
	return buf;
}

/* A built-in driver need not have a directory under /sys/module. */
static bool is_loaded(struct cv_sysroot *root, const char *name)
{
	char path[CV_PATH_MAX];

	return cv_exists(root, module_path(path, name, "")) ||
	       cv_exists(root, cv_pathf(path, SR_DRIVERS "/%s", name));
}

static void collect(struct cv_sysroot *root, struct kmod_module *mod, unsigned int depth,
		    struct cv_strv *absent);

static void collect_list(struct cv_sysroot *root, const struct kmod_list *list, unsigned int depth,
			 struct cv_strv *absent)
{
	const struct kmod_list *entry;

	kmod_list_foreach(entry, list) {
		_cleanup_(kmod_module_unrefp) struct kmod_module *mod = kmod_module_get_module(
			entry);

		if (mod)
			collect(root, mod, depth, absent);
	}
}

/* The module and all that comes with it, as far as it is not loaded yet. */
static void collect(struct cv_sysroot *root, struct kmod_module *mod, unsigned int depth,
		    struct cv_strv *absent)
{
	const char *name = kmod_module_get_name(mod);
	struct kmod_list *pre = NULL, *post = NULL, *needs;

	if (depth > MAX_DEPTH || cv_strv_has(absent, name))
		return;
	if (!is_loaded(root, name) && cv_strv_add(absent, name) < 0)
		return;
	needs = kmod_module_get_dependencies(mod);
	collect_list(root, needs, depth + 1, absent);
	kmod_module_unref_list(needs);
	if (kmod_module_get_softdeps(mod, &pre, &post) < 0)
		return;
	collect_list(root, pre, depth + 1, absent);
	collect_list(root, post, depth + 1, absent);
	kmod_module_unref_list(pre);
	kmod_module_unref_list(post);
}

static int find_absent(struct cv_sysroot *root, const char *name, struct cv_strv *absent,
		       struct cv_error *err)
{
	_cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
	_cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
	int r = cv_sysroot_is_live(root) ? open_kmod(&ctx) : -EOPNOTSUPP;

	if (r < 0)
		return cv_fail_errno(err, r, name, "cannot look for the module");
	r = kmod_module_new_from_lookup(ctx, name, &list);
	if (r < 0 || !list) {
		cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "ENOMODULE", name,
			"the running kernel has no such module");
		cv_error_wanted(err, "%s under /lib/modules of the running kernel", name);
		cv_error_hint(err, "install the kernel package that belongs to the running kernel");
		return -ENOENT;
	}
	collect_list(root, list, 0, absent);
	return 0;
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv absent = { 0 };
	_cleanup_json_ json_t *list = json_array();
	int r = is_loaded(env->root, object) ? 0 : find_absent(env->root, object, &absent, err);

	if (r < 0)
		return r;
	for (size_t i = 0; list && i < absent.n; i++) {
		if (json_array_append_new(list, json_string(absent.v[i])))
			return cv_fail_errno(err, -ENOMEM, object, "cannot note the modules");
	}
	*ret_prior = json_pack("{sO}", "absent", list);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the modules");
}

static int insert(void *arg)
{
	_cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
	_cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
	struct kmod_list *entry;
	int r = open_kmod(&ctx);

	if (r < 0)
		return r;
	r = kmod_module_new_from_lookup(ctx, arg, &list);
	if (r < 0)
		return r;
	kmod_list_foreach(entry, list) {
		_cleanup_(kmod_module_unrefp) struct kmod_module *mod = kmod_module_get_module(
			entry);

		r = kmod_module_probe_insert_module(mod, 0, NULL, NULL, NULL, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	_cleanup_free_ char *name = strdup(object);
	int result = 0, r;

	if (is_loaded(env->root, object))
		return 0;
	if (!cv_sysroot_is_live(env->root))
		return cv_fail_errno(err, -EOPNOTSUPP, object,
				     "modules load on the live host only");
	r = name ? cv_child_run(insert, name, env->deadline_ms, &result) : -ENOMEM;
	if (r == 0)
		r = result;
	if (r < 0)
		return cv_fail_errno(err, r, object, "cannot load the module");
	if (!is_loaded(env->root, object))
		return cv_fail(err, -EIO, CV_EXIT_FAILED, "EIO", object,
			       "the module was loaded but is not there");
	return 0;
}

static int remove_one(void *arg)
{
	_cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
	_cleanup_(kmod_module_unrefp) struct kmod_module *mod = NULL;
	int r = open_kmod(&ctx);

	if (r == 0)
		r = kmod_module_new_from_name(ctx, arg, &mod);
	/* O_NONBLOCK: fail, do not wait, when it is in use. */
	return r < 0 ? r : kmod_module_remove_module(mod, O_NONBLOCK);
}

/* Unloading a PCI driver takes every function away from it: none may be bound by then. */
static bool has_functions(struct cv_sysroot *root, const char *name)
{
	_cleanup_strv_ struct cv_strv entries = { 0 };
	char path[CV_PATH_MAX], link[CV_PATH_MAX], driver[64];
	struct cv_bdf bdf;

	module_path(path, name, "/drivers");
	if (cv_list(root, path, &entries) < 0)
		return false;
	for (size_t i = 0; i < entries.n; i++) {
		_cleanup_strv_ struct cv_strv bound = { 0 };

		if (strncmp(entries.v[i], "pci:", 4) != 0)
			continue;
		snprintf(driver, sizeof(driver), "%.63s", entries.v[i] + 4);
		if (cv_list(root, cv_pathf(link, SR_DRIVERS "/%s", driver), &bound) < 0)
			continue;
		for (size_t k = 0; k < bound.n; k++) {
			if (cv_parse_bdf(bound.v[k], &bdf) == 0)
				return true;
		}
	}
	return false;
}

static bool may_remove(struct cv_sysroot *root, const char *name)
{
	char path[CV_PATH_MAX];
	uint64_t users;

	if (cv_read_u64(root, module_path(path, name, "/refcnt"), &users) < 0 || users > 0)
		return false;
	return !has_functions(root, name);
}

/* One round over the list. Return: how many went, or -errno. */
static int remove_round(const struct cv_step_env *env, const json_t *absent, struct cv_error *err)
{
	int gone = 0;

	for (size_t i = 0; i < json_array_size(absent); i++) {
		const char *text = json_string_value(json_array_get(absent, i));
		_cleanup_free_ char *name = text ? strdup(text) : NULL;
		int result = 0, r;

		if (!name || !may_remove(env->root, name))
			continue;
		r = cv_child_run(remove_one, name, env->deadline_ms, &result);
		if (r == 0)
			r = result;
		/* Taken by someone since we looked, or gone already. */
		if (r == -EAGAIN || r == -EBUSY || r == -ENOENT)
			continue;
		if (r < 0)
			return cv_fail_errno(err, r, name, "cannot unload the module");
		gone++;
	}
	return gone;
}

/* What somebody else uses by now stays: it is theirs. */
static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	const json_t *absent = json_object_get(prior, "absent");
	int r = 1;

	if (json_array_size(absent) == 0 || !cv_sysroot_is_live(env->root))
		return 0;
	while (r > 0)
		r = remove_round(env, absent, err);
	return r;
}

const struct cv_step_ops sr_step_module = {
	.kind = "module",
	.scope = CV_SCOPE_SHARED,
	.undo = "unload what was not loaded before, unless somebody else uses it by then",
	.record = record,
	.apply = apply,
	.revert = revert,
};
