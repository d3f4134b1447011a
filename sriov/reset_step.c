// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "reset": nothing is made by it, everything comes back. While functions are reset, many at once,
 * the journal has where they stood. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/reset.h"
#include "sriov/reset_origin.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"

/* ---- in the journal ---- */

static json_t *places_json(const struct sr_origin *o)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < o->n; i++) {
		const struct sr_place *p = &o->places[i];
		json_t *j = json_pack("{ssssss}", "bdf", p->bdf, "driver", p->driver, "override",
				      p->override);

		if (j && p->has_methods)
			json_object_set_new(j, "reset_method", json_string(p->methods));
		if (j && p->pf[0])
			json_object_set_new(j, "pf", json_string(p->pf));
		if (j)
			(void)sr_held_add_json(&p->held, j);
		json_array_append_new(list, j);
	}
	return list;
}

json_t *sr_origin_json(const struct sr_origin *o)
{
	return json_pack("{sossssss}", "functions", places_json(o), "rescan", o->rescan, "power",
			 o->power, "autoprobe", o->autoprobe);
}

static int parse_place(const json_t *j, struct sr_place *ret)
{
	struct cv_bdf bdf;
	int r = cv_json_copy(j, "bdf", ret->bdf, sizeof(ret->bdf));

	if (r == 0)
		r = cv_parse_bdf(ret->bdf, &bdf);
	if (r == 0)
		r = cv_json_copy(j, "driver", ret->driver, sizeof(ret->driver));
	if (r == 0)
		r = cv_json_copy(j, "override", ret->override, sizeof(ret->override));
	ret->has_methods = json_object_get(j, "reset_method");
	if (r == 0 && ret->has_methods)
		r = cv_json_copy(j, "reset_method", ret->methods, sizeof(ret->methods));
	if (r == 0 && json_object_get(j, "pf"))
		r = cv_json_copy(j, "pf", ret->pf, sizeof(ret->pf));
	if (r == 0 && ret->pf[0])
		r = cv_parse_bdf(ret->pf, &bdf);
	if (r == 0)
		r = sr_held_from_json(j, &ret->held);
	return r < 0 ? -EINVAL : 0;
}

int sr_origin_from_json(const json_t *j, struct sr_origin *ret)
{
	const json_t *list = json_object_get(j, "functions");
	struct sr_origin o = { .n = json_array_size(list) };
	int r = o.n > 0 && o.n <= SR_ORIGIN_MAX ? 0 : -EINVAL;

	for (size_t i = 0; r == 0 && i < o.n; i++)
		r = parse_place(json_array_get(list, i), &o.places[i]);
	if (r == 0)
		r = cv_json_copy(j, "rescan", o.rescan, sizeof(o.rescan));
	if (r == 0)
		r = cv_json_copy(j, "power", o.power, sizeof(o.power));
	if (r == 0)
		r = cv_json_copy(j, "autoprobe", o.autoprobe, sizeof(o.autoprobe));
	if (r == 0)
		*ret = o;
	return r;
}

/* ---- the step ---- */

static bool has_rung(const char *value, enum sr_rung wanted)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", value);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		if (strcmp(word, sr_rung_name(wanted)) == 0)
			return true;
	return false;
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	struct sr_origin o;
	int r = sr_require(env->root, object, err);

	if (r < 0)
		return r;
	r = sr_origin_read(env, object, has_rung(value, SR_RUNG_SLOT), &o);
	if (r < 0)
		return cv_fail_errno(err, r, object, "cannot read how the function stands");
	/* what no rung of its touches is left to who changes it meanwhile */
	if (!has_rung(value, SR_RUNG_SLOT))
		o.power[0] = '\0';
	if (!has_rung(value, SR_RUNG_SLOT) && !has_rung(value, SR_RUNG_REMOVE)) {
		o.autoprobe[0] = '\0';
		for (size_t i = 0; i < o.n; i++)
			o.places[i].held = (struct sr_held){ 0 };
	}
	*ret_prior = sr_origin_json(&o);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note how it stands");
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	return sr_require(env->root, object, err);
}

/* The kernel is inside a reset or a probe of it: what is in quarantine for that needs a boot, and a boot
 * brings all of this back. */
static bool is_stuck(const struct cv_step_env *env, const char *bdf)
{
	char text[64];

	return sr_exists(env->root, bdf) && sr_is_set_aside(env->root, bdf) &&
	       sr_override(env->root, bdf, env->deadline_ms, text, sizeof(text)) == -ETIMEDOUT;
}

/* Gone counts as undone; it is not given out again before somebody had a look. */
static int give_up(const struct cv_step_env *env, const struct sr_origin *o,
		   const struct cv_error *why)
{
	for (size_t i = 0; i < o->n; i++) {
		const char *bdf = o->places[i].bdf;

		if (sr_exists(env->root, bdf))
			continue;
		(void)sr_set_aside(env, bdf, why->what, why->found, NULL);
		(void)sr_note_add(env->root, env->vm, "%s: %s; it is in quarantine now", bdf,
				  why->what);
	}
	return 0;
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	struct cv_error why = { 0 };
	struct sr_origin o;
	int r = sr_origin_from_json(prior, &o);

	if (r < 0)
		return cv_fail(err, r, CV_EXIT_FAILED, "EINVAL", object,
			       "the journal does not tell how the function stood");
	sr_origin_drop_gone(env, &o);
	for (size_t i = 0; i < o.n; i++)
		if (is_stuck(env, o.places[i].bdf))
			return sr_origin_unhush(env, &o, err);
	if (o.n == 0)
		return sr_origin_unhush(env, &o, err);
	if (o.autoprobe[0])
		r = sr_origin_settle(env, &o, &why);
	if (r == 0)
		r = sr_origin_return(env, &o, "a reset that was not finished", &why);
	else
		(void)sr_origin_unhush(env, &o, NULL);
	if (r == -ENODEV)
		return give_up(env, &o, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

const struct cv_step_ops sr_step_reset = {
	.kind = "reset",
	.scope = CV_SCOPE_OWN,
	.undo = "on the bus, with the driver, driver_override and reset_method it had before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
