// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "reset-method": by which methods the kernel may reset a function, for models that do not survive
 * all of them. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/steps.h"

#define METHODS_MAX 64

static int read_methods(const struct cv_step_env *env, const char *bdf, char buf[METHODS_MAX])
{
	char path[CV_PATH_MAX];

	return cv_read_into(env->root, sr_path(path, bdf, "reset_method"), buf, METHODS_MAX);
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	char now[METHODS_MAX];
	int r = sr_require(env->root, object, err);

	if (r < 0)
		return r;
	r = read_methods(env, object, now);
	if (r < 0)
		return cv_fail_errno(err, r, object, "cannot read reset_method");
	*ret_prior = json_pack("{ss}", "methods", now);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note reset_method");
}

static int fail_other(struct cv_error *err, const char *bdf, const char *now, const char *wanted)
{
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EVERIFY", bdf, "reset_method is not as it was set");
	cv_error_found(err, "%s", now);
	cv_error_wanted(err, "%s", wanted);
	cv_error_hint(err, "see dmesg; somebody else may set it as well");
	return -EIO;
}

/* A write of nothing would be none: the kernel takes a lone newline for no method. */
static int set(const struct cv_step_env *env, const char *bdf, const char *methods,
	       struct cv_error *err)
{
	char path[CV_PATH_MAX], now[METHODS_MAX];
	int r = read_methods(env, bdf, now);

	if (r == 0 && strcmp(now, methods) == 0)
		return 0;
	r = sr_write(env, bdf, sr_path(path, bdf, "reset_method"), methods[0] ? methods : "\n",
		     "setting reset_method", err);
	if (r == -ETIMEDOUT)
		return r;
	if (r < 0)
		return cv_fail_errno(err, r, bdf, "cannot set reset_method to \"%s\"", methods);
	r = read_methods(env, bdf, now);
	if (r < 0)
		return cv_fail_errno(err, r, bdf, "cannot read reset_method");
	return strcmp(now, methods) == 0 ? 0 : fail_other(err, bdf, now, methods);
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	return set(env, object, value, err);
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	const char *methods = cv_json_str(prior, "methods", NULL);

	if (!methods)
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object,
			       "the journal does not tell which reset methods there were");
	return sr_exists(env->root, object) ? set(env, object, methods, err) : 0;
}

const struct cv_step_ops sr_step_reset_method = {
	.kind = "reset-method",
	.scope = CV_SCOPE_OWN,
	.undo = "the methods that were allowed before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
