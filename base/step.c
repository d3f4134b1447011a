// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/step.h"
#include "base/step_shared.h"

/* Indexed by enum cv_scope; the words of the journal. */
static const char *const scope_names[] = {
	[CV_SCOPE_OWN] = "own",
	[CV_SCOPE_SHARED] = "shared",
};

/* What an undo needs to know of a step that was begun; all borrowed. */
struct undo {
	const struct cv_step_ops *ops;
	enum cv_scope scope;
	unsigned int seq;
	const char *object;
	const char *value;
	const json_t *prior;
};

const struct cv_step_ops *cv_step_find(const struct cv_step_table *t, const char *kind)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->ops[i]->kind, kind))
			return t->ops[i];
	return NULL;
}

static int revert_shared(const struct cv_step_env *env, const struct undo *u, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	int rc = cv_shared_read(env->root, u->ops->kind, u->object, &s, err);

	/* Begun but not entered: nothing was applied for this VM, or its undo went through. */
	if (rc == -ENOENT || (!rc && !cv_strv_has(&s.holders, env->vm)))
		return 0;
	if (rc)
		return rc;
	/* The file goes last: a crash in between leaves an undo that can be repeated. */
	if (s.holders.n == 1)
		rc = u->ops->revert(env, u->object, s.value, s.prior, err);
	return rc ? rc : cv_shared_leave(env->root, u->ops->kind, u->object, env->vm, err);
}

static int revert_step(const struct cv_step_env *env, struct cv_journal *journal,
		       const struct undo *u, struct cv_error *err)
{
	int rc = u->scope == CV_SCOPE_SHARED
			 ? revert_shared(env, u, err)
			 : u->ops->revert(env, u->object, u->value, u->prior, err);

	if (rc < 0)
		return rc;
	rc = cv_journal_reverted(journal, u->seq);
	return rc ? cv_fail_errno(err, rc, u->object, "cannot note the undo in the journal") : 0;
}

/* The prior value: of a shared change that which the first holder found. */
static int record_prior(const struct cv_step_env *env, const struct cv_step_ops *ops,
			const struct cv_step *step, json_t **ret, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	int rc;

	*ret = NULL;
	if (ops->scope == CV_SCOPE_SHARED) {
		rc = cv_shared_read(env->root, ops->kind, step->object, &s, err);
		if (!rc)
			*ret = json_incref(s.prior);
		if (rc != -ENOENT)
			return rc;
	}
	rc = ops->record ? ops->record(env, step->object, step->value, ret, err) : 0;
	return rc < 0 ? rc : 0;
}

static int make_change(const struct cv_step_env *env, const struct cv_step_ops *ops,
		       const struct cv_step *step, const json_t *prior, struct cv_error *err)
{
	int rc = 0;

	if (ops->scope == CV_SCOPE_SHARED)
		rc = cv_shared_add(env->root, ops->kind, step->object, step->value, prior, env->vm,
				   err);
	if (!rc)
		rc = ops->apply(env, step->object, step->value, prior, err);
	return rc < 0 ? rc : 0;
}

/* One step through the journal. *@ret_begun tells whether there is something to undo. */
static int apply_step(const struct cv_step_env *env, const struct cv_step_ops *ops,
		      struct cv_journal *journal, const struct cv_step *step, json_t **ret_prior,
		      bool *ret_begun, struct cv_error *err)
{
	int rc = record_prior(env, ops, step, ret_prior, err);

	if (rc)
		return rc;
	rc = cv_journal_begin(journal, step->seq, ops->kind, scope_names[ops->scope], step->object,
			      step->value, *ret_prior);
	if (rc)
		return cv_fail_errno(err, rc, step->object, "cannot write the journal");
	*ret_begun = true;
	rc = make_change(env, ops, step, *ret_prior, err);
	if (rc)
		return rc;
	rc = cv_journal_done(journal, step->seq);
	return rc ? cv_fail_errno(err, rc, step->object, "cannot write the journal") : 0;
}

static void report(const struct cv_step_progress *p, const struct cv_step *s, int done,
		   unsigned int ms)
{
	if (p && p->step)
		p->step(p->ctx, s, done, ms);
}

/* Every kind must be known before the first change is made. */
static int check_kinds(const struct cv_step_table *table, const struct cv_step *steps, size_t n,
		       struct cv_error *err)
{
	for (size_t i = 0; i < n; i++)
		if (!cv_step_find(table, steps[i].kind))
			return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EKIND", steps[i].object,
				       "unknown kind of step: %s", steps[i].kind);
	return 0;
}

/* Undoes the first @n steps, last first. Return: 0, or the first error of an undo. */
static int undo_steps(const struct cv_step_env *env, const struct cv_step_table *table,
		      struct cv_journal *journal, const struct cv_step *steps,
		      json_t *const *priors, size_t n)
{
	int first = 0;

	for (size_t i = n; i; i--) {
		const struct cv_step *s = &steps[i - 1];
		const struct cv_step_ops *ops = cv_step_find(table, s->kind);
		const struct undo u = {
			.ops = ops,
			.scope = ops->scope,
			.seq = s->seq,
			.object = s->object,
			.value = s->value,
			.prior = priors[i - 1],
		};
		int rc = revert_step(env, journal, &u, NULL);

		if (rc && !first)
			first = rc;
	}
	return first;
}

static void mark_partial(const struct cv_step_env *env, struct cv_error *err)
{
	if (!err)
		return;
	err->exit = CV_EXIT_PARTIAL;
	cv_error_hint(err, "not everything could be undone: run carve recover (VM %s)", env->vm);
}

int cv_steps_apply(const struct cv_step_env *env, const struct cv_step_table *table,
		   struct cv_journal *journal, const struct cv_step *steps, size_t n,
		   const struct cv_step_progress *progress, struct cv_error *err)
{
	_cleanup_free_ json_t **priors = calloc(n ? n : 1, sizeof(*priors));
	size_t n_begun = 0;
	int rc;

	if (!priors)
		return cv_fail_errno(err, -ENOMEM, env->vm, "cannot apply the steps");
	rc = check_kinds(table, steps, n, err);
	for (size_t i = 0; !rc && i < n; i++) {
		int64_t start = cv_now_ms();
		bool is_begun = false;

		report(progress, &steps[i], 0, 0);
		rc = apply_step(env, cv_step_find(table, steps[i].kind), journal, &steps[i],
				&priors[i], &is_begun, err);
		n_begun += is_begun;
		if (!rc)
			report(progress, &steps[i], 1, (unsigned int)(cv_now_ms() - start));
	}
	if (rc && undo_steps(env, table, journal, steps, priors, n_begun))
		mark_partial(env, err);
	for (size_t i = 0; i < n; i++)
		json_decref(priors[i]);
	return rc;
}

static int revert_record(const struct cv_step_env *env, const struct cv_step_table *table,
			 struct cv_journal *journal, const struct cv_record *rec,
			 struct cv_error *err)
{
	const struct undo u = {
		.ops = cv_step_find(table, rec->kind),
		.scope = strcmp(rec->scope, "shared") ? CV_SCOPE_OWN : CV_SCOPE_SHARED,
		.seq = rec->seq,
		.object = rec->object,
		.value = rec->value,
		.prior = rec->prior,
	};

	if (!u.ops)
		return cv_fail(err, -EOPNOTSUPP, CV_EXIT_PARTIAL, "EKIND", rec->object,
			       "this carve cannot undo a step of kind %s", rec->kind);
	return revert_step(env, journal, &u, err);
}

/* Return: number of steps reverted, or the first error, with *@err filled by it. */
static int revert_records(const struct cv_step_env *env, const struct cv_step_table *table,
			  struct cv_journal *journal, const struct cv_journal_data *data,
			  struct cv_error *err)
{
	int n_reverted = 0;
	int first = 0;

	for (size_t i = data->n; i; i--) {
		const struct cv_record *rec = &data->records[i - 1];
		int rc;

		if (rec->is_reverted)
			continue;
		rc = revert_record(env, table, journal, rec, first ? NULL : err);
		if (rc && !first)
			first = rc;
		n_reverted += !rc;
	}
	return first ? first : n_reverted;
}

int cv_steps_revert(const struct cv_step_env *env, const struct cv_step_table *table,
		    const char *journal_path, struct cv_error *err)
{
	_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
	_cleanup_(cv_journal_data_done) struct cv_journal_data data = { 0 };
	struct cv_step_env named = *env;
	int rc;

	rc = cv_journal_read(env->root, journal_path, &data, err);
	if (!rc && !data.n)
		return 0;
	if (!rc)
		rc = cv_journal_open(env->root, journal_path, &journal, err);
	if (rc)
		return rc;
	if (!named.vm)
		named.vm = data.name;
	rc = revert_records(&named, table, journal, &data, err);
	if (rc < 0)
		mark_partial(&named, err);
	return rc;
}
