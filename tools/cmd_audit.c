// SPDX-License-Identifier: GPL-2.0-or-later
/* carve audit: is this host fit to give devices to guests, and if not, what to do about it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/table.h"
#include "plan/audit.h"
#include "tools/cmd.h"

static const struct cmd_option options[] = {
	{ "problems", NULL, "leave out what is as it should be", false },
	{ .name = "intent",
	  .arg = "WHAT",
	  .help = "what ACS shall be good for: isolate (default) or p2p",
	  .words = "isolate p2p" },
	{ "fix-plan", NULL, "print the changes that would mend it; makes none", false },
	{ NULL, NULL, NULL, false },
};

enum { COLUMN_VERDICT, COLUMN_CHECK, COLUMN_OBJECT, COLUMN_EVIDENCE, N_COLUMNS };

static const struct cv_column columns[N_COLUMNS] = {
	[COLUMN_VERDICT] = { .name = "VERDICT" },
	[COLUMN_CHECK] = { .name = "CHECK" },
	[COLUMN_OBJECT] = { .name = "OBJECT" },
	[COLUMN_EVIDENCE] = { .name = "EVIDENCE, EFFECT, FIX" },
};

static int add_line(struct cv_table *t, const char *mark, const char *text)
{
	const char *cells[N_COLUMNS] = { NULL };
	char line[320];
	int r;

	if (!text[0])
		return 0;
	snprintf(line, sizeof(line), "%s %s", mark, text);
	cells[COLUMN_EVIDENCE] = line;
	r = cv_table_add(t, -1, cells);
	return r < 0 ? r : 0;
}

/* A finding that is no pass says in lines of its own what follows and what to do. */
static int add_finding(struct cv_table *t, const struct audit_finding *f)
{
	const char *cells[N_COLUMNS] = {
		[COLUMN_VERDICT] = audit_verdict_name(f->verdict),
		[COLUMN_CHECK] = f->check,
		[COLUMN_OBJECT] = f->object[0] ? f->object : "host",
		[COLUMN_EVIDENCE] = f->evidence,
	};
	int r = cv_table_add(t, -1, cells);

	if (r < 0 || f->verdict == AUDIT_PASS)
		return r < 0 ? r : 0;
	r = add_line(t, " so:", f->effect);
	return r < 0 ? r : add_line(t, " fix:", f->fix);
}

static void print_summary(const struct audit *a)
{
	unsigned int counts[AUDIT_FAIL + 1] = { 0 };

	for (size_t i = 0; i < a->n; i++)
		counts[a->findings[i].verdict]++;
	cmd_print("\n%u pass, %u warn, %u fail\n", counts[AUDIT_PASS], counts[AUDIT_WARN],
		  counts[AUDIT_FAIL]);
}

static int print_table(struct cmd *c, const struct audit *a)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_free_ char *text = NULL;
	bool problems = cmd_flag(c, "problems");
	int r = cv_table_new(columns, N_COLUMNS, &t);

	for (size_t i = 0; i < a->n && r == 0; i++)
		if (!problems || a->findings[i].verdict != AUDIT_PASS)
			r = add_finding(t, &a->findings[i]);
	if (r == 0)
		text = cv_table_text(t, true, 0);
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the audit");
	cmd_print("%s\n", text);
	print_summary(a);
	return 0;
}

/* The option takes no other word. */
static enum audit_intent intent_of(const struct cmd *c)
{
	const char *word = cmd_value(c, "intent");

	return word && strcmp(word, "p2p") == 0 ? AUDIT_P2P : AUDIT_ISOLATE;
}

static int print_fix_plan(struct cmd *c, const struct audit *a)
{
	_cleanup_free_ char *text = audit_fix_plan(a);

	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the changes");
	cmd_print("%s", text[0] ? text : "# nothing to change\n");
	return 0;
}

static int run_audit(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_(audit_done) struct audit a = { 0 };
	int r = cmd_inventory(c, CMD_NAMES | CMD_NOISE, NULL, 0, &inv);

	if (r < 0)
		return r;
	r = audit_run(&inv, intent_of(c), &a);
	if (r < 0)
		return cv_fail_errno(&c->err, r, NULL, "cannot audit the host");
	if (c->json)
		r = cmd_print_json(c, audit_json(&a));
	else
		r = cmd_flag(c, "fix-plan") ? print_fix_plan(c, &a) : print_table(c, &a);
	if (r < 0)
		return r;
	return audit_worst(&a) == AUDIT_FAIL ? CV_EXIT_FAILED : CV_EXIT_OK;
}

const struct cmd_verb cmd_audit = {
	.name = "audit",
	.args = "",
	.summary = "is this host fit for guests with devices; what to do about it (exit code 1: no)",
	.complete = "",
	.options = options,
	.run = run_audit,
};
