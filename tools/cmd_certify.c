// SPDX-License-Identifier: GPL-2.0-or-later
/* carve certify: evidence that a guest runs as if it had the machine to itself. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "tools/certify_look.h"

#define DURATION_S 10
#define DURATION_MAX_S 3600

/**
 * struct certify - one invocation
 * @limits: what --limit says, then those of the plan
 */
struct certify {
	struct cmd *c;
	struct vm vm;
	struct plan_limits limits;
	unsigned int seconds;
	struct look before, after;
	struct certify_vcpu *vcpus;
	struct certify_found found;
	struct certify_rows rows;
};

/* ---- the command line ---- */

static int read_duration(struct certify *x)
{
	int r = cmd_seconds(x->c, "duration", DURATION_S, &x->seconds);

	if (r < 0 || (x->seconds && x->seconds <= DURATION_MAX_S))
		return r;
	cv_fail(&x->c->err, -EINVAL, CV_EXIT_USAGE, "BAD_DURATION", "--duration",
		"a guest is looked at for a while");
	cv_error_found(&x->c->err, "%u s", x->seconds);
	cv_error_wanted(&x->c->err, "1 to %d", DURATION_MAX_S);
	return -EINVAL;
}

static int bad_limit(struct certify *x, const char *text, const char *wanted)
{
	cv_fail(&x->c->err, -EINVAL, CV_EXIT_USAGE, "BAD_LIMIT", text, "this is no limit");
	cv_error_wanted(&x->c->err, "%s", wanted);
	cv_error_hint(&x->c->err, "limits: of carve-spec(5) has the keys");
	return -EINVAL;
}

/* "exits_per_second=500" */
static int read_limit(struct certify *x, const char *text)
{
	size_t len = strcspn(text, "=");

	for (int i = 0; text[len] && i < PLAN_LIMITS; i++) {
		if (strlen(plan_limit_words[i]) != len ||
		    strncmp(plan_limit_words[i], text, len) != 0)
			continue;
		x->limits.is_given[i] = true;
		return plan_limit_parse((enum plan_limit)i, text + len + 1, &x->limits.value[i]) < 0
			       ? bad_limit(x, text, plan_limit_wanted((enum plan_limit)i))
			       : 0;
	}
	return bad_limit(x, text,
			 "exits_per_second=N, off_core=PERCENT, page_leaf=SIZE, irqs_per_second=N");
}

static int read_limits(struct certify *x)
{
	const char *text;
	int r = 0;

	for (size_t i = 0; r == 0 && (text = cmd_value_at(x->c, "limit", i)); i++)
		r = read_limit(x, text);
	return r;
}

/* What the command line says goes before. */
static void add_limits(struct certify *x, const struct plan_limits *planned)
{
	for (size_t i = 0; i < PLAN_LIMITS; i++) {
		if (x->limits.is_given[i])
			continue;
		x->limits.is_given[i] = planned->is_given[i];
		x->limits.value[i] = planned->value[i];
	}
}

/* ---- looking ---- */

static int fail_not_running(struct certify *x, const char *found)
{
	cv_fail(&x->c->err, -ESRCH, CV_EXIT_NOT_FOUND, "NOT_RUNNING", x->vm.name,
		"the guest is not running");
	cv_error_found(&x->c->err, "%s", found);
	cv_error_wanted(&x->c->err, "a guest that runs for all of the time");
	cv_error_hint(&x->c->err, "carve list shows its state");
	return -ESRCH;
}

static int take(struct certify *x, bool memory, struct look *ret)
{
	char socket[CV_PATH_MAX];
	int r;

	if (!cv_sysroot_is_live(x->c->root))
		return fail_not_running(x, "the files of another host");
	if (!x->vm.is_launched || !cv_proc_is_alive(x->c->root, &x->vm.proc))
		return fail_not_running(x, "no process");
	r = look_take(x->c, &x->vm, vm_path(socket, x->vm.name, "vmm/carve.sock"), memory, ret);
	if (r < 0)
		return r;
	return ret->is_answered && !ret->answer.is_running ? fail_not_running(x, "paused") : 0;
}

static int look(struct certify *x)
{
	int r = take(x, false, &x->before);

	if (r < 0)
		return r;
	poll(NULL, 0, (int)x->seconds * 1000);
	r = take(x, true, &x->after);
	if (r < 0)
		return r;
	x->vcpus = calloc(x->vm.plan.n_vcpus + 1, sizeof(*x->vcpus));
	if (!x->vcpus)
		return cv_fail_errno(&x->c->err, -ENOMEM, x->vm.name, "cannot judge the guest");
	look_between(&x->vm.plan, &x->before, &x->after, x->vcpus, &x->found);
	r = certify_judge(&x->vm.plan, &x->limits, &x->found, &x->rows);
	return r < 0 ? cv_fail_errno(&x->c->err, r, x->vm.name, "cannot judge the guest") : 0;
}

/* ---- telling ---- */

enum column { WHAT, OBJECT, MEASURED, LIMIT, FROM, VERDICT, NOTE, N_COLUMNS };

static const struct cv_column columns[N_COLUMNS] = {
	[WHAT] = { .name = "WHAT" },
	[OBJECT] = { .name = "OBJECT" },
	[MEASURED] = { .name = "MEASURED", .right = true },
	[LIMIT] = { .name = "LIMIT", .right = true },
	[FROM] = { .name = "FROM" },
	[VERDICT] = { .name = "VERDICT" },
	[NOTE] = { .name = "NOTE" },
};

static int add_row(struct cv_table *t, const struct certify_row *row)
{
	char measured[PLAN_LIMIT_TEXT] = "-", limit[PLAN_LIMIT_TEXT];

	if (row->is_known)
		plan_limit_format(row->what, row->measured, measured);
	const char *cells[N_COLUMNS] = {
		[WHAT] = plan_limit_words[row->what],
		[OBJECT] = row->object,
		[MEASURED] = measured,
		[LIMIT] = plan_limit_format(row->what, row->limit, limit),
		[FROM] = row->is_given ? "given" : "default",
		[VERDICT] = certify_verdict_words[row->verdict],
		[NOTE] = row->note,
	};
	return cv_table_add(t, -1, cells);
}

static int print_table(struct certify *x)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_free_ char *text = NULL;
	int r = cv_table_new(columns, N_COLUMNS, &t);

	for (size_t i = 0; r >= 0 && i < x->rows.n; i++)
		r = add_row(t, &x->rows.v[i]);
	if (r >= 0)
		text = cv_table_text(t, true, 0);
	if (!text)
		return cv_fail_errno(&x->c->err, -ENOMEM, x->vm.name, "cannot make the table");
	cmd_print("%s\n", text);
	return 0;
}

static int print_json(struct certify *x)
{
	json_t *j = certify_report(&x->vm.plan, &x->found, &x->rows);
	const json_t *dma = json_object_get(x->after.answer.stats, "dma");

	if (!j)
		return cmd_print_json(x->c, NULL);
	json_object_set_new(j, "exits", look_exits_json(&x->before, &x->after));
	json_object_set_new(j, "vectors", look_vectors_json(&x->vm.plan, &x->before, &x->after));
	if (dma)
		json_object_set_new(j, "dma_mapped_bytes",
				    json_integer(cv_json_int(dma, "bytes", 0)));
	return cmd_print_json(x->c, j);
}

static size_t count(const struct certify_rows *rows, enum certify_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		n += rows->v[i].verdict == verdict;
	return n;
}

static int conclude(struct certify *x)
{
	const struct certify_row *bad = certify_failure(&x->rows);
	size_t unknown = count(&x->rows, CERTIFY_UNKNOWN);
	char text[PLAN_LIMIT_TEXT];

	if (!bad) {
		if (!x->c->json)
			cmd_print("%s: certified: %zu of %zu figures within their limits, %zu "
				  "not known\n",
				  x->vm.name, count(&x->rows, CERTIFY_PASS), x->rows.n, unknown);
		return 0;
	}
	cv_fail(&x->c->err, -EPROTO, CV_EXIT_GUEST, "NOT_CERTIFIED", x->vm.name,
		"%zu of %zu figures are not within their limits; the first: %s of %s",
		count(&x->rows, CERTIFY_FAIL), x->rows.n, plan_limit_words[bad->what], bad->object);
	cv_error_found(&x->c->err, "%s",
		       bad->is_known ? plan_limit_format(bad->what, bad->measured, text)
				     : bad->note);
	cv_error_wanted(&x->c->err, "%s %s", bad->what == PLAN_LIMIT_LEAF ? "at least" : "at most",
			plan_limit_format(bad->what, bad->limit, text));
	cv_error_hint(&x->c->err, "carve drift %s and carve audit tell what is in its way",
		      x->vm.name);
	return -EPROTO;
}

static int run(struct cmd *c)
{
	struct certify x = { .c = c };
	int r = read_duration(&x);

	r = r ?: read_limits(&x);
	r = r ?: vm_read(c, c->args[0], &x.vm);
	if (r == 0)
		add_limits(&x, &x.vm.plan.limits);
	r = r ?: look(&x);
	if (r == 0)
		r = c->json ? print_json(&x) : print_table(&x);
	r = r ?: conclude(&x);
	look_done(&x.before);
	look_done(&x.after);
	certify_rows_done(&x.rows);
	free(x.vcpus);
	vm_done(&x.vm);
	return r;
}

static const struct cmd_option options[] = {
	{ "duration", "SEC", "how long to look, default 10", false },
	{ "limit", "KEY=VALUE", "judge by this instead of the spec's limit (may be repeated)",
	  false, .repeats = true },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_certify = {
	.name = "certify",
	.args = "NAME",
	.summary = "judge exits, time off the core, page sizes and interrupts of a running guest",
	.min_args = 1,
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE,
	.options = options,
	.run = run,
};
