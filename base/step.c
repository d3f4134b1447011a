// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/step.h"
#include "base/step_batch.h"
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

/**
 * struct run - one cv_steps_apply()
 * @priors, @results: one for each step: what record and apply gave
 */
struct run {
	const struct cv_step_env *env;
	const struct cv_step_table *table;
	struct cv_journal *journal;
	const struct cv_step_progress *progress;
	const struct cv_step *steps;
	json_t **priors;
	int *results;
	size_t n_begun;
	size_t n_settled;
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

/* Through the journal, up to where the change may be made. *@ret_begun tells whether there is something
 * to undo. */
static int begin_step(const struct cv_step_env *env, const struct cv_step_ops *ops,
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
	if (ops->scope != CV_SCOPE_SHARED)
		return 0;
	rc = cv_shared_add(env->root, ops->kind, step->object, step->value, *ret_prior, env->vm,
			   err);
	return rc < 0 ? rc : 0;
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

/* The @len steps from @first on, which are of one kind. */
static int apply_batch(struct run *run, size_t first, size_t len, struct cv_error *err)
{
	const struct cv_step *steps = &run->steps[first];
	const struct cv_step_ops *ops = cv_step_find(run->table, steps[0].kind);
	int64_t start = cv_now_ms();
	int rc = 0;

	for (size_t i = 0; !rc && i < len; i++) {
		bool is_begun = false;

		report(run->progress, &steps[i], 0, 0);
		rc = begin_step(run->env, ops, run->journal, &steps[i], &run->priors[first + i],
				&is_begun, err);
		run->n_begun += is_begun;
	}
	if (!rc)
		rc = cv_batch_apply(run->env, ops, steps, &run->priors[first], len,
				    &run->results[first], err);
	for (size_t i = 0; !rc && i < len; i++) {
		rc = cv_journal_done(run->journal, steps[i].seq);
		if (rc)
			return cv_fail_errno(err, rc, steps[i].object, "cannot write the journal");
		report(run->progress, &steps[i], 1, (unsigned int)(cv_now_ms() - start));
	}
	return rc;
}

/* What the steps before @end set off. */
static void settle(struct run *run, size_t end)
{
	for (; run->n_settled < end; run->n_settled++) {
		const struct cv_step *s = &run->steps[run->n_settled];
		const struct cv_step_ops *ops = cv_step_find(run->table, s->kind);

		if (run->results[run->n_settled] > 0 && ops->settle)
			ops->settle(run->env, s->object, run->priors[run->n_settled]);
	}
}

static int apply_all(struct run *run, size_t n, struct cv_error *err)
{
	int rc = check_kinds(run->table, run->steps, n, err);
	size_t len;

	for (size_t i = 0; !rc && i < n; i += len) {
		const struct cv_step_ops *ops = cv_step_find(run->table, run->steps[i].kind);

		if (ops->needs_rest)
			settle(run, i);
		len = cv_batch_len(run->env, ops, &run->steps[i], n - i);
		rc = apply_batch(run, i, len, err);
	}
	if (!rc)
		settle(run, n);
	return rc;
}

int cv_steps_apply(const struct cv_step_env *env, const struct cv_step_table *table,
		   struct cv_journal *journal, const struct cv_step *steps, size_t n,
		   const struct cv_step_progress *progress, struct cv_error *err)
{
	_cleanup_free_ json_t **priors = calloc(n ? n : 1, sizeof(*priors));
	_cleanup_free_ int *results = calloc(n ? n : 1, sizeof(*results));
	struct run run = { env, table, journal, progress, steps, priors, results, 0, 0 };
	int rc;

	if (!priors || !results)
		return cv_fail_errno(err, -ENOMEM, env->vm, "cannot apply the steps");
	rc = apply_all(&run, n, err);
	if (rc && undo_steps(env, table, journal, steps, priors, run.n_begun))
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
