// SPDX-License-Identifier: GPL-2.0-or-later
/* carve plan: where guests would be placed, what would be changed, and why. Changes nothing. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/plan.h"
#include "plan/what_if.h"
#include "tools/cmd.h"
#include "tools/plan_output.h"

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

static int suppose(struct cmd *c, struct inventory *inv, struct site *site, struct spec *specs)
{
	struct what_if w = { .inv = inv, .site = site, .specs = specs, .n_specs = c->n_args };
	const char *text;
	int r = 0;

	for (size_t i = 0; r == 0 && (text = cmd_value_at(c, "what-if", i)); i++)
		r = plan_what_if(text, &w, &c->err);
	return r;
}

/* A drawing shows all devices; a plan needs those that it may give. */
static int read_inventory(struct cmd *c, const struct spec *specs, struct inventory *ret)
{
	if (cmd_flag(c, "draw"))
		return cmd_inventory(c, CMD_HOLDERS | CMD_NAMES, NULL, 0, ret);
	return cmd_inventory(c, CMD_HOLDERS, specs, c->n_args, ret);
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
	r = r ?: plan_output_check(c, specs);
	r = r ?: cmd_site(c, &site);
	r = r ?: read_inventory(c, specs, &inv);
	r = r ?: suppose(c, &inv, &site, specs);
	if (r == 0)
		plan_output_suppose(c, specs);
	r = r ?: plan_make(&inv, &site, specs, c->n_args, &allow, plans, &c->err);
	if (r == 0) {
		r = plan_output(c, &inv, plans);
		for (size_t i = 0; i < c->n_args; i++)
			plan_done(&plans[i]);
	}
	cmd_specs_free(specs, c->n_args);
	return r;
}

static const struct cmd_option options[] = {
	{ "explain", NULL, "also the rejected candidates, and why", false },
	{ .name = "what-if",
	  .arg = "KEY=VALUE",
	  .help = "plan as if this were so; may be repeated (keys: carve(1))",
	  .repeats = true },
	{ .name = "from",
	  .arg = "PATH",
	  .help = "plan for another host: a directory or a snapshot, as --sysroot",
	  .same_as = "sysroot" },
	{ "hwloc-xml", "FILE", "CPUs and memory of a file that lstopo --of xml wrote", false },
	{ .name = "format", .arg = "NAME", .help = "print " PLAN_FORMATS, .words = PLAN_FORMATS },
	{ "guest", "NAME", "print this guest's part only", false },
	{ .name = "draw",
	  .arg = "FORM",
	  .help = "draw host and guests: " PLAN_DRAWINGS,
	  .words = PLAN_DRAWINGS },
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
