// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "health": nothing is changed; a function that comes back worse than it went is set aside. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/health.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"

/* What a driver that came up shows below its function; the first that is there is awaited again. */
static const struct {
	const char *dir;   /* "net": an interface, "nvme": a controller */
	const char *state; /* attribute of the entry, NULL: being there is enough */
	const char *up;	   /* what it then says */
	const char *what;
} signs[] = {
	{ "net", NULL, NULL, "network interface" },
	{ "nvme", "state", "live", "NVMe controller" },
};

/* Return: 1, 0, -errno: this machine could not look. */
static int is_up(struct cv_sysroot *root, const char *bdf, size_t sign)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char dir[CV_PATH_MAX], path[CV_PATH_MAX], text[32];
	int r = cv_list(root, sr_path(dir, bdf, signs[sign].dir), &names);

	if (r < 0)
		return sr_health_is_answer(r) ? 0 : r;
	if (names.n == 0 || !signs[sign].state)
		return names.n > 0;
	cv_pathf(path, "%s/%s/%s", dir, names.v[0], signs[sign].state);
	r = cv_read_into(root, path, text, sizeof(text));
	if (r < 0)
		return sr_health_is_answer(r) ? 0 : r;
	return strcmp(text, signs[sign].up) == 0;
}

/* Index of the sign the function shows now, or of the one called @name; -1 none. */
static int find_sign(struct cv_sysroot *root, const char *bdf, const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(signs); i++)
		if (name ? strcmp(signs[i].dir, name) == 0 : is_up(root, bdf, i) > 0)
			return (int)i;
	return -1;
}

static int set_aside(const struct cv_step_env *env, const char *bdf, const struct sr_verdict *v,
		     struct cv_error *err)
{
	char evidence[CV_PATH_MAX + sizeof(v->evidence)];

	snprintf(evidence, sizeof(evidence), SR_DEVICES "/%s %s", bdf, v->evidence);
	return sr_set_aside(env, bdf, v->reason, evidence, err);
}

static void verdict_of_silence(struct sr_verdict *v, int r, unsigned int deadline_ms)
{
	*v = (struct sr_verdict){ .failed = SR_CHECK_CONFIG };
	if (r == -ETIMEDOUT)
		snprintf(v->reason, sizeof(v->reason), "a read of the function did not return");
	else
		snprintf(v->reason, sizeof(v->reason), "the function cannot be read");
	if (r == -ETIMEDOUT)
		snprintf(v->evidence, sizeof(v->evidence), "config: no answer within %u ms",
			 deadline_ms);
	else
		snprintf(v->evidence, sizeof(v->evidence), "config: %s", strerror(-r));
}

/* ---- before it is given away ---- */

static int refuse(const struct cv_step_env *env, const char *bdf, const struct sr_verdict *v,
		  struct cv_error *err)
{
	int q = set_aside(env, bdf, v, NULL);

	cv_fail(err, -EIO, CV_EXIT_PRECONDITION, "EHEALTH", bdf,
		"the function is not given away: %s", v->reason);
	cv_error_found(err, "%s", v->evidence);
	cv_error_wanted(err, "a function that answers");
	cv_error_hint(err, "it %s; see dmesg, try carve device reset %s",
		      q < 0 ? "could NOT be put into quarantine" : "is in quarantine now", bdf);
	return -EIO;
}

/* Not the fault of the function: nothing is said of it, and it stays where it is. */
static int fail_unread(const char *bdf, int r, struct cv_error *err)
{
	cv_fail(err, r, CV_EXIT_PRECONDITION, "EHEALTH_UNREAD", bdf,
		"the function is not given away: its health could not be checked");
	cv_error_found(err, "%s", sr_health_cause(r));
	cv_error_wanted(err, "a process, memory and descriptors for a look at it");
	cv_error_hint(err, "the machine lacks something, not the device: try again");
	return r;
}

static int fail_read(const struct cv_step_env *env, const char *bdf, int r, struct cv_error *err)
{
	struct sr_verdict v;

	if (!sr_health_is_answer(r))
		return fail_unread(bdf, r, err);
	verdict_of_silence(&v, r, env->deadline_ms);
	return refuse(env, bdf, &v, err);
}

/* "" of what is no VF */
static int read_pf(const struct cv_step_env *env, const char *bdf, bool is_vf, char *pf,
		   struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r;

	pf[0] = '\0';
	if (!is_vf)
		return 0;
	r = cv_readlink_base(env->root, sr_path(path, bdf, "physfn"), pf, CV_BDF_MAX);
	return r < 0 ? fail_unread(bdf, r, err) : 0;
}

static json_t *prior_json(const struct cv_step_env *env, const char *bdf, const char *pf,
			  const struct sr_health *h)
{
	_cleanup_json_ json_t *j = sr_health_json(h);
	int sign = find_sign(env->root, bdf, NULL);

	if (!j || json_object_set_new(j, "up", json_string(sign < 0 ? "" : signs[sign].dir)) < 0 ||
	    json_object_set_new(j, "pf", json_string(pf)) < 0)
		return NULL;
	return TAKE_PTR(j);
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	char pf[CV_BDF_MAX];
	struct sr_health h;
	int r = sr_health_read(env->root, object, env->deadline_ms, &h);

	if (r < 0)
		return fail_read(env, object, r, err);
	if (!h.is_present)
		return sr_require(env->root, object, err) ?: fail_unread(object, -EAGAIN, err);
	r = read_pf(env, object, h.is_vf, pf, err);
	if (r < 0)
		return r;
	*ret_prior = prior_json(env, object, pf, &h);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the health");
}

static int read_prior(const char *bdf, const json_t *prior, struct sr_health *ret,
		      struct cv_error *err)
{
	int r = sr_health_from_json(prior, ret);

	return r < 0 ? cv_fail(err, r, CV_EXIT_FAILED, "EINVAL", bdf,
			       "the journal does not tell how the function was before")
		     : 0;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	struct sr_health before;
	struct sr_verdict v;
	int r = read_prior(object, prior, &before, err);

	if (r < 0)
		return r;
	sr_health_judge(NULL, &before, NULL, &v);
	if (!v.is_healthy)
		return refuse(env, object, &v, err);
	if (v.note[0])
		(void)sr_note_add(env->root, env->vm, "%s: %s", object, v.note);
	return 0;
}

/* ---- when it is back ---- */

/** struct comeback - what is waited for; @sign: -1 nothing but the driver */
struct comeback {
	const struct cv_step_env *env;
	const char *bdf, *driver;
	const struct sr_health *before;
	int sign;
};

static void verdict_of_sign(const struct comeback *c, struct sr_verdict *v)
{
	v->is_healthy = false;
	v->failed = SR_CHECK_DRIVER;
	snprintf(v->reason, sizeof(v->reason), "%s took the function, but no %s came up", c->driver,
		 signs[c->sign].what);
	snprintf(v->evidence, sizeof(v->evidence), "%s: none%s within %u ms, one before",
		 signs[c->sign].dir, signs[c->sign].state ? " is live" : "", c->env->deadline_ms);
}

static int await_sign(const struct comeback *c, int64_t end, struct sr_verdict *v)
{
	int up;

	if (c->sign < 0 || !c->driver || !v->is_healthy)
		return 0;
	while ((up = is_up(c->env->root, c->bdf, (size_t)c->sign)) <= 0) {
		if (cv_now_ms() >= end && up < 0)
			return up;
		if (cv_now_ms() >= end) {
			verdict_of_sign(c, v);
			return 0;
		}
		sr_pause();
	}
	/* The driver worked on it meanwhile: what that broke shows now. */
	return sr_health_await(c->env->root, c->bdf, c->env->deadline_ms, c->before, c->driver, v);
}

/* Return: 0 with a verdict; -errno: this machine could not look. */
static int await_return(const struct comeback *c, struct sr_verdict *v)
{
	int64_t end = cv_now_ms() + c->env->deadline_ms;
	int r = sr_health_await(c->env->root, c->bdf, c->env->deadline_ms, c->before, c->driver, v);

	if (r == 0)
		r = await_sign(c, end, v);
	if (r < 0 && !sr_health_is_answer(r))
		return r;
	if (r < 0)
		verdict_of_silence(v, r, c->env->deadline_ms);
	return 0;
}

/* The undo of "bind" did not go through: this one is to be repeated after it. */
static int check_is_back(const struct cv_step_env *env, const char *bdf, const char *driver,
			 struct cv_error *err)
{
	char now[64];

	if (sr_driver(env->root, bdf, now, sizeof(now)) < 0 || !now[0] ||
	    (driver[0] ? strcmp(now, driver) == 0 : !strstr(now, "vfio")))
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_DRIVER", bdf,
		"the function is not back yet, its health cannot be told");
	cv_error_found(err, "bound to %s", now);
	cv_error_wanted(err, "%s%s", driver[0] ? "bound to " : "not bound", driver);
	cv_error_hint(err, "end who uses it, then run carve recover");
	return -EBUSY;
}

/* A VF that was taken away in order, by whoever, says nothing of the device: its PF is there, without. */
static bool is_vf_taken_away(const struct cv_step_env *env, const char *bdf, const json_t *prior)
{
	const char *pf = cv_json_str(prior, "pf", "");

	return cv_json_bool(prior, "vf", 0) && pf[0] && !sr_exists(env->root, bdf) &&
	       sr_exists(env->root, pf);
}

static int conclude(const struct cv_step_env *env, const char *bdf, const struct sr_verdict *v,
		    struct cv_error *err)
{
	int r;

	if (v->is_healthy) {
		if (v->note[0])
			(void)sr_note_add(env->root, env->vm, "%s: %s", bdf, v->note);
		return 0;
	}
	r = set_aside(env, bdf, v, err);
	if (r < 0)
		return r;
	(void)sr_note_add(env->root, env->vm, "%s is in quarantine now: %s (%s)", bdf, v->reason,
			  v->evidence);
	return 0;
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	struct comeback c = { .env = env, .bdf = object, .driver = value[0] ? value : NULL };
	struct sr_health before;
	struct sr_verdict v;
	int r = read_prior(object, prior, &before, err);

	if (r < 0)
		return r;
	/* Set aside by what went wrong earlier; one that hangs would only be waited for again. */
	if (sr_is_set_aside(env->root, object)) {
		(void)sr_note_add(env->root, env->vm, "%s is in quarantine", object);
		return 0;
	}
	if (is_vf_taken_away(env, object, prior)) {
		(void)sr_note_add(env->root, env->vm, "%s: the VF was taken away meanwhile",
				  object);
		return 0;
	}
	r = check_is_back(env, object, value, err);
	if (r < 0)
		return r;
	c.before = &before;
	c.sign = find_sign(env->root, object, cv_json_str(prior, "up", ""));
	r = await_return(&c, &v);
	if (r == 0)
		return conclude(env, object, &v, err);
	/* The release goes on, and nobody is judged by what this machine lacks. */
	(void)sr_note_add(env->root, env->vm, "%s: its health could not be checked: %s", object,
			  sr_health_cause(r));
	return 0;
}

const struct cv_step_ops sr_step_health = {
	.kind = "health",
	.scope = CV_SCOPE_OWN,
	.undo = "look whether the function is as good as before; if not, it is put into quarantine",
	.record = record,
	.apply = apply,
	.revert = revert,
};
