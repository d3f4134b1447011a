// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/irq_step.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "numa/cputext.h"
#include "numa/irq.h"

/** struct scene - all that a change of the interrupts looks at */
struct scene {
	struct cv_sysroot *root;
	struct nu_irq_ledger ledger;
	struct nu_irqs irqs;
	struct nu_irq_policy now; /* of those that are holders when it is done */
};

static void scene_done(struct scene *s)
{
	nu_irqs_done(&s->irqs);
	nu_irq_ledger_done(&s->ledger);
}

static int scene_read(struct cv_sysroot *root, struct scene *ret, struct cv_error *err)
{
	int r;

	*ret = (struct scene){ .root = root };
	r = nu_irq_ledger_read(root, &ret->ledger, err);
	return r ?: nu_irqs_read(root, &ret->irqs, err);
}

static int bad_value(struct cv_error *err, const char *object, const char *value)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EINVAL_STEP", object, "malformed interrupt step");
	cv_error_found(err, "%s", value);
	cv_error_wanted(err, "\"off=LIST on=LIST\" without a CPU in common, on " NU_IRQ_DIR);
	return -EINVAL;
}

/* ---- where things were ---- */

/* New interrupts get the default, less the guests' CPUs; @p: the policy under which this one was made. */
static bool is_made_by_default(struct cv_sysroot *root, const struct nu_irq_ledger *l,
			       const struct nu_irq_policy *p, const struct nu_irq *irq,
			       struct cv_cpuset *ret_before)
{
	struct cv_cpuset before, reduced;

	if (!nu_irq_default_before(l, &before))
		return false;
	nu_irq_allowed(root, p, -1, &before, &reduced);
	if (cv_cpuset_equal(&before, &reduced) || !cv_cpuset_equal(&irq->cpus, &reduced))
		return false;
	*ret_before = before;
	return true;
}

/*
 * Adds to @irqs where interrupts were that are not known yet. @past: the policy up to now. One that is
 * to stay, but looks as if it had been made by the default under @s->now, is noted too: the revert
 * must not take it for a new one.
 */
static int remember(const struct scene *s, const struct nu_irq_policy *past, json_t *irqs)
{
	struct cv_cpuset before;
	int r = 0;

	for (size_t i = 0; i < s->irqs.n && r == 0; i++) {
		const struct nu_irq *irq = &s->irqs.v[i];

		if (irq->is_guest || nu_irq_before(&s->ledger, irq->key, &before))
			continue;
		if (json_object_size(s->ledger.holders) &&
		    is_made_by_default(s->root, &s->ledger, past, irq, &before))
			r = cv_cpuset_intersects(&irq->cpus, &s->now.off)
				    ? nu_irq_remember(irqs, irq->key, &before)
				    : 0;
		else if (cv_cpuset_intersects(&irq->cpus, &s->now.off) ||
			 is_made_by_default(s->root, &s->ledger, &s->now, irq, &before))
			r = nu_irq_remember(irqs, irq->key, &irq->cpus);
	}
	return r;
}

static int irq_record(const struct cv_step_env *env, const char *object, const char *value,
		      json_t **ret_prior, struct cv_error *err)
{
	_cleanup_(scene_done) struct scene s = { 0 };
	_cleanup_json_ json_t *irqs = json_object();
	_cleanup_free_ char *dflt = NULL;
	struct nu_irq_policy past;
	struct cv_cpuset off, on;
	int r = scene_read(env->root, &s, err);

	if (strcmp(object, NU_IRQ_DIR) != 0 || nu_irq_value(value, &off, &on) < 0)
		return bad_value(err, object, value);
	r = r ?: nu_irq_policy(env->root, &s.ledger, NULL, &past, err);
	if (r < 0)
		return r;
	s.now = past;
	cv_cpuset_or(&s.now.off, &off);
	cv_cpuset_or(&s.now.on, &on);
	cv_cpuset_andnot(&s.now.on, &s.now.off);
	if (json_is_null(s.ledger.dflt) && cv_read_str(env->root, NU_IRQ_DEFAULT, &dflt) == 0) {
		json_decref(s.ledger.dflt);
		s.ledger.dflt = json_string(dflt);
	}
	r = irqs ? remember(&s, &past, irqs) : -ENOMEM;
	*ret_prior = r == 0 ? json_pack("{s:O,s:O}", "default", s.ledger.dflt, "irqs", irqs) : NULL;
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot record the interrupts");
}

/* ---- the moves ---- */

/* The mask for new interrupts is the kernel's own text when it is as it was. */
static int move_default(const struct scene *s, struct cv_error *err)
{
	_cleanup_free_ char *now = NULL, *mask = NULL;
	struct cv_cpuset before, current, wanted;
	const char *text;
	int r;

	if (!nu_irq_default_before(&s->ledger, &before) ||
	    cv_read_str(s->root, NU_IRQ_DEFAULT, &now) < 0 || nu_parse_cpumask(now, &current) < 0)
		return 0;
	nu_irq_allowed(s->root, &s->now, -1, &before, &wanted);
	if (cv_cpuset_equal(&wanted, &current))
		return 0;
	mask = nu_mask_format(&wanted);
	text = cv_cpuset_equal(&wanted, &before) ? json_string_value(s->ledger.dflt) : mask;
	r = text ? cv_write_str(s->root, NU_IRQ_DEFAULT, text) : -ENOMEM;
	return r < 0 ? cv_fail_errno(err, r, NU_IRQ_DEFAULT, "cannot write '%s'", text ? text : "")
		     : 0;
}

static bool is_default_astray(const struct scene *s)
{
	_cleanup_free_ char *now = NULL;
	struct cv_cpuset current;

	return cv_read_str(s->root, NU_IRQ_DEFAULT, &now) == 0 &&
	       nu_parse_cpumask(now, &current) == 0 && cv_cpuset_intersects(&current, &s->now.off);
}

bool nu_irq_is_astray(struct cv_sysroot *root, const struct nu_irq_ledger *l,
		      const struct nu_irq_policy *p, const struct nu_irq *irq,
		      struct cv_cpuset *ret_wanted)
{
	struct cv_cpuset before, wanted;

	if (irq->is_guest || !cv_cpuset_intersects(&irq->cpus, &p->off) ||
	    json_object_get(l->managed, irq->key))
		return false;
	if (!nu_irq_before(l, irq->key, &before))
		before = irq->cpus;
	nu_irq_allowed(root, p, irq->node, &before, &wanted);
	if (ret_wanted)
		*ret_wanted = wanted;
	return !cv_cpuset_equal(&wanted, &irq->cpus);
}

/* Moves all that is astray; the ledger learns which ones the kernel does not let go. */
static int move_all(const struct scene *s, struct cv_error *err)
{
	struct cv_cpuset wanted;
	int moved = 0, r = is_default_astray(s) ? move_default(s, err) : 0;

	for (size_t i = 0; i < s->irqs.n && r >= 0; i++) {
		const struct nu_irq *irq = &s->irqs.v[i];

		if (!nu_irq_is_astray(s->root, &s->ledger, &s->now, irq, &wanted))
			continue;
		r = nu_irq_move(s->root, irq, &wanted, err);
		moved += r == 0;
		if (r == 1 && json_object_set_new(s->ledger.managed, irq->key,
						  cv_json_string(irq->actions)) < 0)
			r = cv_fail_errno(err, -ENOMEM, irq->key, "cannot note an interrupt");
	}
	return r < 0 ? r : moved;
}

/* Write-ahead: where they were is on disk before the first one moves. */
static int move_noted(struct scene *s, struct cv_error *err)
{
	size_t n_managed = json_object_size(s->ledger.managed);
	int r = nu_irq_policy(s->root, &s->ledger, NULL, &s->now, err);
	int moved;

	r = r ?: nu_irq_ledger_write(s->root, &s->ledger, err);
	if (r < 0)
		return r;
	moved = move_all(s, err);
	if (moved >= 0 && json_object_size(s->ledger.managed) != n_managed)
		r = nu_irq_ledger_write(s->root, &s->ledger, err);
	return r < 0 ? r : moved;
}

static int irq_apply(const struct cv_step_env *env, const char *object, const char *value,
		     const json_t *prior, struct cv_error *err)
{
	_cleanup_(scene_done) struct scene s = { 0 };
	json_t *dflt = json_object_get(prior, "default");
	json_t *irqs = json_object_get(prior, "irqs");
	int r = scene_read(env->root, &s, err);

	if (r < 0)
		return r;
	if (json_object_set_new(s.ledger.holders, env->vm, json_string(value)) < 0 ||
	    json_object_update_missing(s.ledger.irqs, irqs) < 0)
		return cv_fail_errno(err, -ENOMEM, object, "cannot note the interrupts");
	if (json_is_null(s.ledger.dflt) && dflt) {
		json_decref(s.ledger.dflt);
		s.ledger.dflt = json_incref(dflt);
	}
	r = move_noted(&s, err);
	return r < 0 ? r : 0;
}

int nu_irqs_keep_off(struct cv_sysroot *root, struct cv_error *err)
{
	_cleanup_(scene_done) struct scene s = { 0 };
	int r = scene_read(root, &s, err);

	if (r < 0 || json_object_size(s.ledger.holders) == 0)
		return r;
	r = nu_irq_policy(root, &s.ledger, NULL, &s.now, err);
	if (r == 0 && remember(&s, &s.now, s.ledger.irqs) < 0)
		r = cv_fail_errno(err, -ENOMEM, NU_IRQ_DIR, "cannot note the interrupts");
	return r ?: move_noted(&s, err);
}

/* ---- the way back ---- */

/* Where an interrupt belongs once @past has become @s->now; false: it is nobody's change. */
static bool belongs(const struct scene *s, const struct nu_irq_policy *past,
		    const struct nu_irq *irq, struct cv_cpuset *ret)
{
	struct cv_cpuset before;
	int node = irq->node;

	if (irq->is_guest)
		return false;
	if (!nu_irq_before(&s->ledger, irq->key, &before)) {
		if (!is_made_by_default(s->root, &s->ledger, past, irq, &before))
			return false;
		node = -1;
	}
	nu_irq_allowed(s->root, &s->now, node, &before, ret);
	return true;
}

static int give_back(const struct scene *s, const struct nu_irq_policy *past, struct cv_error *err)
{
	struct cv_cpuset wanted;
	int first = move_default(s, err);

	for (size_t i = 0; i < s->irqs.n; i++) {
		const struct nu_irq *irq = &s->irqs.v[i];
		int r = 0;

		if (belongs(s, past, irq, &wanted))
			r = nu_irq_move(s->root, irq, &wanted, first ? NULL : err);
		if (r < 0 && !first)
			first = r;
	}
	return first;
}

/* What the remaining guests do not touch needs no memory, unless it looks like a new one. */
static void forget(struct scene *s)
{
	struct cv_cpuset before, ignored;

	for (size_t i = 0; i < s->irqs.n; i++) {
		struct nu_irq irq = s->irqs.v[i];

		if (!nu_irq_before(&s->ledger, irq.key, &before) ||
		    cv_cpuset_intersects(&before, &s->now.off))
			continue;
		irq.cpus = before;
		if (!is_made_by_default(s->root, &s->ledger, &s->now, &irq, &ignored))
			json_object_del(s->ledger.irqs, irq.key);
	}
}

static int irq_revert(const struct cv_step_env *env, const char *object, const char *value,
		      const json_t *prior, struct cv_error *err)
{
	_cleanup_(scene_done) struct scene s = { 0 };
	struct nu_irq_policy past;
	int r = scene_read(env->root, &s, err);

	/* begun, but not noted: nothing was moved */
	if (r < 0 || !json_object_get(s.ledger.holders, env->vm))
		return r;
	r = nu_irq_policy(env->root, &s.ledger, NULL, &past, err);
	r = r ?: nu_irq_policy(env->root, &s.ledger, env->vm, &s.now, err);
	r = r ?: give_back(&s, &past, err);
	if (r < 0)
		return r;
	json_object_del(s.ledger.holders, env->vm);
	forget(&s);
	return nu_irq_ledger_write(env->root, &s.ledger, err);
}

const struct cv_step_ops nu_step_irq_affinity = {
	.kind = "irq-affinity",
	.scope = CV_SCOPE_OWN,
	.undo = "interrupts may be delivered to these CPUs again, each as before",
	.record = irq_record,
	.apply = irq_apply,
	.revert = irq_revert,
};
