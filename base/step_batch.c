// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/step_batch.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/child.h"
#include "base/cleanup.h"

/* Each is two processes while it writes. */
#define BATCH_MAX 32

/* A step makes several writes, each with a deadline of its own; this one is for a step that hangs
 * elsewhere. */
#define BACKSTOP_DEADLINES 16

/** struct job - one step in its child; in memory that is shared with the parent */
struct job {
	const struct cv_step_env *env;
	const struct cv_step_ops *ops;
	const struct cv_step *step;
	const json_t *prior;
	struct cv_error err;
};

static bool is_apart(const struct cv_step_ops *ops, const struct cv_step *steps, size_t n,
		     const char *object)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(steps[i].object, object) == 0 ||
		    (ops->is_apart && !ops->is_apart(steps[i].object, object)))
			return false;
	return true;
}

size_t cv_batch_len(const struct cv_step_env *env, const struct cv_step_ops *ops,
		    const struct cv_step *steps, size_t n)
{
	size_t len = 1;

	if (n < 2 || !ops->at_once || !ops->at_once(env, steps[0].object))
		return 1;
	while (len < n && len < BATCH_MAX && strcmp(steps[len].kind, ops->kind) == 0 &&
	       is_apart(ops, steps, len, steps[len].object) && ops->at_once(env, steps[len].object))
		len++;
	return len;
}

static int run_job(void *arg)
{
	struct job *j = arg;

	return j->ops->apply(j->env, j->step->object, j->step->value, j->prior, &j->err);
}

/* The first error, also that of a child which came to no end of its own. */
static int conclude(const struct job *jobs, const int *results, size_t n, struct cv_error *err)
{
	for (size_t i = 0; i < n; i++) {
		if (results[i] >= 0)
			continue;
		if (!jobs[i].err.code[0])
			return cv_fail_errno(err, results[i], jobs[i].step->object,
					     "the step %s did not come to an end",
					     jobs[i].ops->kind);
		if (err)
			*err = jobs[i].err;
		return results[i];
	}
	return 0;
}

static int run_jobs(const struct cv_step_env *env, struct job *jobs, size_t n, int *ret_results,
		    struct cv_error *err)
{
	void *args[BATCH_MAX];
	int r;

	for (size_t i = 0; i < n; i++)
		args[i] = &jobs[i];
	r = cv_workers_run(run_job, args, n, env->deadline_ms * BACKSTOP_DEADLINES, ret_results);
	if (r < 0)
		return cv_fail_errno(err, r, jobs[0].step->object, "cannot make the changes");
	return conclude(jobs, ret_results, n, err);
}

int cv_batch_apply(const struct cv_step_env *env, const struct cv_step_ops *ops,
		   const struct cv_step *steps, json_t *const *priors, size_t n, int *ret_results,
		   struct cv_error *err)
{
	struct job *jobs;
	int r;

	if (n == 1) {
		ret_results[0] = ops->apply(env, steps[0].object, steps[0].value, priors[0], err);
		return ret_results[0] < 0 ? ret_results[0] : 0;
	}
	jobs = mmap(NULL, n * sizeof(*jobs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	if (jobs == MAP_FAILED)
		return cv_fail_errno(err, -errno, steps[0].object, "cannot make the changes");
	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct job){
			.env = env, .ops = ops, .step = &steps[i], .prior = priors[i]
		};
	r = run_jobs(env, jobs, n, ret_results, err);
	munmap(jobs, n * sizeof(*jobs));
	return r;
}
