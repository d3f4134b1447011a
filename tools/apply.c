// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/apply.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "base/parse.h"
#include "sriov/set_aside.h"

/** struct progress - ctx of one run of apply_steps() */
struct progress {
	struct cmd *c;
	const struct apply *a;
};

static void tell(void *ctx, const struct cv_step *step, int done, unsigned int ms)
{
	const struct progress *p = ctx;

	if (!done)
		return;
	if (p->a->timings)
		json_array_append_new(p->a->timings,
				      json_pack("{s:s,s:s,s:I}", "step", step->kind, "object",
						step->object, "ms", (json_int_t)ms));
	cmd_note(p->c, "  %2u/%zu %-12s %-62s %6u ms", step->seq, p->a->n_steps, step->kind,
		 step->object, ms);
	if (p->a->after)
		p->a->after(p->a->ctx, step);
}

static int open_journal(struct cmd *c, const struct apply *a, struct cv_journal **ret)
{
	const char *crash = cmd_value(c, "crash-at");
	uint64_t n = 0;
	int r = 0;

	if (crash && cv_parse_u64(crash, &n) < 0)
		return cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_NUMBER", crash,
			       "not a journal line");
	r = cv_journal_create(c->root, a->journal, a->name, a->owner, ret, &c->err);
	if (r == 0)
		cv_journal_crash_at(*ret, (unsigned int)n);
	return r;
}

/* What steps had to say to the user, who is asked for nothing. */
static void tell_notes(struct cmd *c, const char *name)
{
	_cleanup_strv_ struct cv_strv notes = { 0 };

	if (sr_notes_take(c->root, name, &notes) < 0)
		return;
	for (size_t i = 0; i < notes.n; i++)
		cmd_note(c, "%s", notes.v[i]);
}

int apply_steps(struct cmd *c, const struct apply *a)
{
	_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
	struct cv_step_env env = { c->root, a->name, APPLY_DEADLINE_MS, a->launch };
	struct progress p = { c, a };
	struct cv_step_progress report = { tell, &p };
	int r = open_journal(c, a, &journal);

	if (r < 0)
		return r;
	r = cv_steps_apply(&env, &cmd_steps, journal, a->steps, a->n_steps, &report, &c->err);
	tell_notes(c, a->name);
	return r;
}

int apply_undo(struct cmd *c, const char *name, const char *journal)
{
	struct cv_step_env env = { .root = c->root, .vm = name, .deadline_ms = APPLY_DEADLINE_MS };
	int r;

	if (!cv_exists(c->root, journal))
		return 0;
	r = cv_steps_revert(&env, &cmd_steps, journal, &c->err);
	tell_notes(c, name);
	if (r >= 0)
		return 0;
	c->err.exit = CV_EXIT_PARTIAL;
	cv_error_hint(&c->err, "the journal is kept: mend the cause, then carve recover %s", name);
	return r;
}

/* The first error is the one to tell; a failed clean-up only changes its exit code and hint. */
int apply_give_up(struct cmd *c, int r, const char *name,
		  int (*release)(struct cmd *c, const char *name))
{
	struct cv_error first = c->err;

	if (first.exit == CV_EXIT_PARTIAL)
		return r;
	if (release(c, name) < 0) {
		first.exit = CV_EXIT_PARTIAL;
		cv_error_hint(&first, "not everything could be undone (%.200s): carve recover",
			      c->err.what);
	}
	c->err = first;
	return r;
}

void apply_hold_signals(struct held_signals *h)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	sigemptyset(&h->set);
	for (size_t i = 0; i < CV_ARRAY_SIZE(signals); i++) {
		struct sigaction now;

		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&h->set, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &h->set, &h->old);
}

void apply_let_signals_go(const struct held_signals *h, bool drop)
{
	static const struct timespec zero;

	while (drop && sigtimedwait(&h->set, NULL, &zero) > 0)
		;
	sigprocmask(SIG_SETMASK, &h->old, NULL);
}
