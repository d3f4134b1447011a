// SPDX-License-Identifier: GPL-2.0-or-later
/* carve plan: where guests would be placed, what would be changed, and why. Changes nothing. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/plan.h"
#include "tools/cmd.h"

static int read_allowance(struct cmd *c, struct plan_allowance *ret)
{
	const char *cpus = cmd_value(c, "cpus"), *memory = cmd_value(c, "memory");

	if (cpus && cv_parse_cpulist(cpus, &ret->cpus) < 0) {
		cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_CPULIST", cpus, "not a list of CPUs");
		cv_error_wanted(&c->err, "a list such as 0-3,8");
		return -EINVAL;
	}
	if (memory && cv_parse_size(memory, &ret->memory) < 0) {
		cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_SIZE", memory, "not a size");
		cv_error_wanted(&c->err, "a size such as 16G");
		return -EINVAL;
	}
	ret->has_cpus = cpus != NULL;
	return 0;
}

/* The undo of a step is known to those who make the change, not to the planner. */
static json_t *plan_json_with_undo(const struct plan *p)
{
	json_t *j = plan_json(p), *step;
	size_t i;

	json_array_foreach(json_object_get(j, "steps"), i, step) {
		const struct cv_step_ops *ops = cv_step_find(&cmd_steps,
							     cv_json_str(step, "kind", ""));

		if (ops)
			json_object_set_new(step, "undo", json_string(ops->undo));
	}
	return j;
}

static int print_plans(struct cmd *c, const struct plan *plans, size_t n)
{
	json_t *a = c->json ? json_array() : NULL;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = NULL;

		if (c->json) {
			json_array_append_new(a, plan_json_with_undo(&plans[i]));
			continue;
		}
		text = plan_text(&plans[i], &cmd_steps, cmd_flag(c, "explain"));
		if (!text)
			return cv_fail_errno(&c->err, -ENOMEM, plans[i].name,
					     "cannot print the plan");
		cmd_print("%s%s", i ? "\n" : "", text);
	}
	if (!c->json)
		return 0;
	if (n > 1)
		return cmd_print_json(c, json_pack("{s:i,s:o}", "carve_plans", 1, "plans", a));
	json_t *one = json_incref(json_array_get(a, 0));
	json_decref(a);
	return cmd_print_json(c, one);
}

static int run(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_site_ struct site site = { 0 };
	struct plan_allowance allow = { 0 };
	struct spec *specs = NULL;
	struct plan plans[CMD_MAX_ARGS] = { 0 };
	int r = read_allowance(c, &allow);

	r = r ?: cmd_specs(c, &specs);
	r = r ?: cmd_site(c, &site);
	r = r ?: cmd_inventory(c, CMD_HOLDERS, specs, c->n_args, &inv);
	r = r ?: plan_make(&inv, &site, specs, c->n_args, &allow, plans, &c->err);
	if (r == 0) {
		r = print_plans(c, plans, c->n_args);
		for (size_t i = 0; i < c->n_args; i++)
			plan_done(&plans[i]);
	}
	cmd_specs_free(specs, c->n_args);
	return r;
}

static const struct cmd_option options[] = {
	{ "explain", NULL, "also the rejected candidates, and why", false },
	{ "cpus", "LIST", "use at most these CPUs, such as a job's", false },
	{ "memory", "SIZE", "use at most this much memory", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_plan = {
	.name = "plan",
	.args = "SPEC...",
	.summary = "where guests would be placed, every host write with its undo, and why",
	.min_args = 1,
	.max_args = CMD_MAX_ARGS,
	.complete = "file",
	.options = options,
	.run = run,
};
