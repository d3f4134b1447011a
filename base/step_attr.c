// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/step.h"
#include "base/step_shared.h"

/*
 * The value of an attribute as one writes it: of "[always] madvise never" the choice in brackets,
 * of an unset string ("(null)") nothing.
 */
static int read_value(struct cv_sysroot *r, const char *path, char **ret)
{
	char *open, *close, *text;
	int rc = cv_read_str(r, path, &text);

	if (rc)
		return rc;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close && (open == text || open[-1] == ' ') && (!close[1] || close[1] == ' ')) {
		*close = '\0';
		memmove(text, open + 1, (size_t)(close - open));
	}
	if (!strcmp(text, "(null)"))
		text[0] = '\0';
	*ret = text;
	return 0;
}

/* A write of no bytes changes nothing: an empty value is written as an empty line. */
static int write_value(const struct cv_step_env *env, const char *path, const char *value,
		       struct cv_error *err)
{
	int rc = cv_write_deadline(env->root, path, *value ? value : "\n", env->deadline_ms);

	if (!rc)
		return 0;
	cv_fail_errno(err, rc, path, "cannot write \"%s\"", value);
	if (rc == -ETIMEDOUT)
		cv_error_hint(err, "the kernel did not come back within %u ms: see dmesg",
			      env->deadline_ms);
	return rc;
}

static int check_value(const struct cv_step_env *env, const char *path, const char *value,
		       struct cv_error *err)
{
	_cleanup_free_ char *now = NULL;
	int rc = read_value(env->root, path, &now);

	if (rc)
		return cv_fail_errno(err, rc, path, "cannot read it back");
	if (!strcmp(now, value))
		return 0;
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EREADBACK", path, "the write did not take");
	cv_error_found(err, "%s", now);
	cv_error_wanted(err, "%s", value);
	return -EIO;
}

static int set_value(const struct cv_step_env *env, const char *path, const char *value,
		     struct cv_error *err)
{
	_cleanup_free_ char *now = NULL;
	int rc = read_value(env->root, path, &now);

	if (rc)
		return cv_fail_errno(err, rc, path, "cannot read");
	if (!strcmp(now, value))
		return 0;
	rc = write_value(env, path, value, err);
	return rc ? rc : check_value(env, path, value, err);
}

static int attr_record(const struct cv_step_env *env, const char *object, const char *value,
		       json_t **ret_prior, struct cv_error *err)
{
	_cleanup_free_ char *now = NULL;
	json_t *prior;
	int rc = read_value(env->root, object, &now);

	if (rc)
		return cv_fail_errno(err, rc, object, "cannot read");
	prior = json_pack("{s:s}", "value", now);
	if (!prior)
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EVALUE", object,
			       "it holds no text, its value cannot be kept");
	*ret_prior = prior;
	return 0;
}

static int attr_apply(const struct cv_step_env *env, const char *object, const char *value,
		      const json_t *prior, struct cv_error *err)
{
	return set_value(env, object, value, err);
}

static int attr_revert(const struct cv_step_env *env, const char *object, const char *value,
		       const json_t *prior, struct cv_error *err)
{
	const char *old = cv_json_str(prior, "value", NULL);
	int rc;

	if (!old)
		return cv_fail(err, -EINVAL, CV_EXIT_PARTIAL, "EPRIOR", object,
			       "no prior value was recorded");
	/* Its device, group or module is gone, and the value with it. */
	if (!cv_exists(env->root, object))
		return 0;
	rc = set_value(env, object, old, err);
	return rc == -ENOENT || rc == -ENODEV ? 0 : rc;
}

/* What others rely on is not changed under them. */
static int attr_shared_apply(const struct cv_step_env *env, const char *object, const char *value,
			     const json_t *prior, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	_cleanup_free_ char *holders = NULL;
	int rc = cv_shared_read(env->root, cv_step_attr_shared.kind, object, &s, err);

	if (rc && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT || s.holders.n < 2 || !strcmp(s.value, value))
		return set_value(env, object, value, err);
	holders = cv_strv_join(&s.holders, ", ");
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_SHARED", object,
		"other VMs need another value of it");
	cv_error_found(err, "%s, for %s", s.value, holders ? holders : "others");
	cv_error_wanted(err, "%s", value);
	cv_error_hint(err, "stop them first, or ask for the same value");
	return -EBUSY;
}

const struct cv_step_ops cv_step_attr = {
	.kind = "attr",
	.scope = CV_SCOPE_OWN,
	.undo = "write the old value",
	.record = attr_record,
	.apply = attr_apply,
	.revert = attr_revert,
};

const struct cv_step_ops cv_step_attr_shared = {
	.kind = "attr-shared",
	.scope = CV_SCOPE_SHARED,
	.undo = "write the old value when no other VM needs it",
	.record = attr_record,
	.apply = attr_shared_apply,
	.revert = attr_revert,
};
