// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "hooks": the site's own steps before and after functions are taken and given back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hooks.h"
#include "base/json.h"
#include "base/lease.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"

/* What a site does takes longer than a write of ours: a stage has this many times its deadline. */
#define DEADLINES 3

/** struct stages - of one object */
struct stages {
	const char *object;
	enum cv_hook_stage in, out;
};

static const struct stages stages[] = {
	{ "bind", CV_HOOK_PRE_BIND, CV_HOOK_POST_RELEASE },
	{ "ready", CV_HOOK_POST_BIND, CV_HOOK_PRE_RELEASE },
};

static const struct stages *find_stages(const char *object, struct cv_error *err)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(stages); i++)
		if (strcmp(stages[i].object, object) == 0)
			return &stages[i];
	cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object, "no such place for hooks");
	cv_error_wanted(err, "bind or ready");
	return NULL;
}

/* Hooks of the way out that may not run end the start: at the release they would set all aside. */
static int check_way_out(const struct cv_step_env *env, const struct stages *s,
			 struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	return cv_hooks_list(env->root, s->out, env->deadline_ms, &names, err);
}

/* On the way out the lease may be gone: who it is for is noted on the way in. */
static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	_cleanup_(cv_lease_done) struct cv_lease lease = { 0 };
	const struct stages *s = find_stages(object, err);
	int r = s ? check_way_out(env, s, err) : -EINVAL;

	if (r < 0)
		return r;
	if (!env->vm || cv_lease_read(env->root, env->vm, &lease, NULL) < 0)
		lease = (struct cv_lease){ 0 };
	*ret_prior = json_pack("{so so}", "user", cv_json_string(lease.owner.user), "job",
			       cv_json_string(lease.owner.job));
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the owner");
}

static int add_owner(struct cv_strv *list, const char *name, const char *value)
{
	return value[0] ? cv_strv_addf(list, "%s=%s", name, value) : 0;
}

static int fill_env(const struct cv_step_env *env, const char *devices, const json_t *prior,
		    struct cv_strv *ret)
{
	int r = cv_strv_addf(ret, "CARVE_VM=%s", env->vm ? env->vm : "");

	if (r == 0)
		r = cv_strv_addf(ret, "CARVE_DEVICES=%s", devices);
	if (r == 0)
		r = add_owner(ret, "CARVE_USER", cv_json_str(prior, "user", ""));
	if (r == 0)
		r = add_owner(ret, "CARVE_JOB", cv_json_str(prior, "job", ""));
	return r;
}

static int run_stage(const struct cv_step_env *env, enum cv_hook_stage stage, const char *devices,
		     const json_t *prior, struct cv_error *err)
{
	struct cv_hooks h = { .stage = stage, .deadline_ms = env->deadline_ms * DEADLINES };
	int r = fill_env(env, devices, prior, &h.env);

	if (r < 0)
		cv_fail_errno(err, r, cv_hook_stage_name(stage), "cannot run the hooks");
	else
		r = cv_hooks_run(env->root, &h, err);
	cv_strv_done(&h.env);
	return r < 0 ? r : 0;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	const struct stages *s = find_stages(object, err);

	return s ? run_stage(env, s->in, value, prior, err) : -EINVAL;
}

/* Nobody knows in which state a hook that failed left what it cleans up: none is given out again. */
static int set_aside(const struct cv_step_env *env, const char *devices, const char *stage,
		     const struct cv_error *why, struct cv_error *err)
{
	_cleanup_free_ char *list = strdup(devices);
	char reason[160], evidence[256], *save = NULL;
	int first = list ? 0 : cv_fail_errno(err, -ENOMEM, devices, "cannot set them aside");

	snprintf(reason, sizeof(reason), "%s hook: %.130s", stage, why->what);
	snprintf(evidence, sizeof(evidence), "%.100s: %.150s", why->object, why->found);
	for (char *name = list ? strtok_r(list, " ", &save) : NULL; name;
	     name = strtok_r(NULL, " ", &save)) {
		int r = sr_set_aside(env, name, reason, evidence, err);

		if (first == 0)
			first = r;
	}
	return first;
}

/* The release goes on behind a hook that fails: what it holds must come back. */
static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	const struct stages *s = find_stages(object, err);
	struct cv_error why = { 0 };

	if (!s)
		return -EINVAL;
	if (run_stage(env, s->out, value, prior, &why) == 0)
		return 0;
	if (env->vm)
		(void)sr_note_add(env->root, env->vm, "%s: %s (%s); %s in quarantine", why.object,
				  why.what, why.found, value);
	return set_aside(env, value, cv_hook_stage_name(s->out), &why, err);
}

const struct cv_step_ops sr_step_hooks = {
	.kind = "hooks",
	.scope = CV_SCOPE_OWN,
	.undo = "run the hooks of the way out: pre-release, post-release",
	.record = record,
	.apply = apply,
	.revert = revert,
	.needs_rest = true,
};
