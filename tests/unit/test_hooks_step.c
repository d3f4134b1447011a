// SPDX-License-Identifier: GPL-2.0-or-later
/* Hooks as steps: through a journal on the way in, quarantine on the way out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/hooks.h"
#include "base/journal.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/quarantine.h"
#include "base/state.h"
#include "base/step.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/fake/temp_root.h"

#define DEVICES "0000:41:10.0 0000:41:10.2"
#define JOURNAL CV_VM_DIR "/vm1/journal"

static const struct cv_step steps[] = {
	{ 1, "hooks", "bind", DEVICES, "the site's own steps before binding" },
	{ 2, "attr", "/sys/knob", "1", "something between" },
	{ 3, "hooks", "ready", DEVICES, "the site's own steps after binding" },
};

static const struct cv_step_ops *const ops[] = { &cv_step_attr, &sr_step_hooks };
static const struct cv_step_table table = { ops, CV_ARRAY_SIZE(ops) };

/** struct site - a root with a hook in each stage that writes its stage and the knob to /out/log */
struct site {
	struct temp_root t;
	struct cv_step_env env;
	struct cv_error err;
};

static void add_hook(struct site *s, const char *stage, const char *body)
{
	char path[CV_PATH_MAX], file[CV_PATH_MAX], text[1024];

	snprintf(text, sizeof(text),
		 "#!/bin/sh\necho \"$CARVE_STAGE $(cat %s/sys/knob)\" >>%s/out/log\n%s\n", s->t.dir,
		 s->t.dir, body);
	temp_root_file(&s->t, cv_pathf(path, CV_HOOKS_DIR "/%s.d/50-site", stage), text);
	assert_int_equal(chmod(cv_pathf(file, "%.60s%.400s", s->t.dir, path), 0755), 0);
}

static int make_site(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	temp_root_init(&s->t);
	temp_root_file(&s->t, "/sys/knob", "0");
	temp_root_file(&s->t, "/out/log", "");
	temp_root_file(&s->t, "/proc/sys/kernel/random/boot_id",
		       "11111111-2222-3333-4444-555555555555\n");
	assert_int_equal(cv_state_prepare(s->t.root, NULL), 0);
	assert_int_equal(cv_mkdir_p(s->t.root, CV_VM_DIR "/vm1", 0755), 0);
	for (int i = 0; i < CV_HOOK_STAGES; i++)
		add_hook(s, cv_hook_stage_name((enum cv_hook_stage)i), "");
	s->env = (struct cv_step_env){ .root = s->t.root, .vm = "vm1", .deadline_ms = 5000 };
	*state = s;
	return 0;
}

static int drop_site(void **state)
{
	struct site *s = *state;

	temp_root_done(&s->t);
	free(s);
	return 0;
}

static int go_in(struct site *s)
{
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;

	struct cv_owner owner;

	s->err = (struct cv_error){ 0 };
	assert_int_equal(cv_owner_read(s->t.root, 0, NULL, &owner, &s->err), 0);
	assert_int_equal(cv_journal_create(s->t.root, JOURNAL, "vm1", &owner, &j, &s->err), 0);
	return cv_steps_apply(&s->env, &table, j, steps, CV_ARRAY_SIZE(steps), NULL, &s->err);
}

static int go_out(struct site *s)
{
	s->err = (struct cv_error){ 0 };
	return cv_steps_revert(&s->env, &table, JOURNAL, &s->err);
}

static void assert_text(struct site *s, const char *path, const char *wanted)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(cv_read_str(s->t.root, path, &text), 0);
	assert_string_equal(text, wanted);
}

static bool is_quarantined(struct site *s, const char *bdf, struct cv_quarantine *ret)
{
	struct cv_bdf b;

	assert_int_equal(cv_parse_bdf(bdf, &b), 0);
	return cv_quarantine_read(s->t.root, b, ret, NULL) == 0;
}

static void stages_are_around_the_change(void **state)
{
	struct site *s = *state;
	struct cv_quarantine q;

	assert_int_equal(go_in(s), 0);
	assert_text(s, "/out/log", "pre-bind 0\npost-bind 1");
	assert_int_equal(go_out(s), 3);
	assert_text(s, "/out/log", "pre-bind 0\npost-bind 1\npre-release 1\npost-release 0");
	assert_text(s, "/sys/knob", "0");
	assert_false(is_quarantined(s, "0000:41:10.0", &q));
}

static void assert_env(struct site *s, const char *stage)
{
	char wanted[512];

	snprintf(wanted, sizeof(wanted),
		 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\n"
		 "CARVE_STAGE=%s\nCARVE_VM=vm1\nCARVE_DEVICES=" DEVICES "\n"
		 "CARVE_USER=ada\nCARVE_JOB=4711",
		 stage);
	assert_text(s, "/out/env", wanted);
}

/* On the way out the lease may be gone. */
static void hooks_know_whom_they_work_for(void **state)
{
	struct cv_lease lease = { .name = "vm1", .since = 1 };
	struct site *s = *state;
	char body[256];

	assert_int_equal(cv_owner_read(s->t.root, 0, "4711", &lease.owner, NULL), 0);
	snprintf(lease.owner.user, sizeof(lease.owner.user), "ada");
	assert_int_equal(cv_lease_write(s->t.root, &lease, NULL), 0);
	snprintf(body, sizeof(body), "tr '\\0' '\\n' </proc/$$/environ >%s/out/env", s->t.dir);
	add_hook(s, "post-bind", body);
	add_hook(s, "post-release", body);
	assert_int_equal(go_in(s), 0);
	assert_env(s, "post-bind");
	assert_int_equal(cv_lease_remove(s->t.root, "vm1", NULL), 0);
	assert_int_equal(go_out(s), 3);
	assert_env(s, "post-release");
}

static void failure_on_the_way_in_undoes_all(void **state)
{
	struct site *s = *state;
	struct cv_quarantine q;

	add_hook(s, "post-bind", "echo no partition >&2; exit 2");
	assert_int_equal(go_in(s), -EIO);
	assert_string_equal(s->err.code, "EHOOK");
	assert_string_equal(s->err.object, CV_HOOKS_DIR "/post-bind.d/50-site");
	assert_string_equal(s->err.found, "exit status 2: no partition");
	assert_text(s, "/sys/knob", "0");
	assert_text(s, "/out/log", "pre-bind 0\npost-bind 1\npre-release 1\npost-release 0");
	assert_false(is_quarantined(s, "0000:41:10.0", &q));
	assert_int_equal(go_out(s), 0);
}

static void failure_on_the_way_out_sets_aside(void **state)
{
	static const char *const all[] = { "0000:41:10.0", "0000:41:10.2" };
	_cleanup_strv_ struct cv_strv notes = { 0 };
	struct site *s = *state;
	struct cv_quarantine q = { 0 };

	assert_int_equal(go_in(s), 0);
	add_hook(s, "pre-release", "echo cannot scrub >&2; exit 1");
	assert_int_equal(go_out(s), 3);
	assert_text(s, "/sys/knob", "0");
	assert_text(s, "/out/log", "pre-bind 0\npost-bind 1\npre-release 1\npost-release 0");
	for (size_t i = 0; i < CV_ARRAY_SIZE(all); i++) {
		assert_true(is_quarantined(s, all[i], &q));
		assert_string_equal(q.reason, "pre-release hook: the hook failed (VM vm1)");
		assert_string_equal(q.evidence, CV_HOOKS_DIR "/pre-release.d/50-site: "
							     "exit status 1: cannot scrub");
	}
	assert_int_equal(sr_notes_take(s->t.root, "vm1", &notes), 0);
	assert_int_equal(notes.n, 1);
	assert_non_null(strstr(notes.v[0], "cannot scrub"));
}

static void late_hook_on_the_way_out_is_bounded(void **state)
{
	struct site *s = *state;
	struct cv_quarantine q;

	assert_int_equal(go_in(s), 0);
	add_hook(s, "post-release", "sleep 60");
	s->env.deadline_ms = 1000;
	assert_int_equal(go_out(s), 3);
	assert_true(is_quarantined(s, "0000:41:10.2", &q));
	assert_non_null(strstr(q.reason, "did not end in time"));
}

static void hooks_that_may_not_run_set_aside(void **state)
{
	struct site *s = *state;
	struct cv_quarantine q;
	char file[CV_PATH_MAX];

	assert_int_equal(go_in(s), 0);
	cv_pathf(file, "%s" CV_HOOKS_DIR "/post-release.d", s->t.dir);
	assert_int_equal(chmod(file, 0777), 0);
	assert_int_equal(go_out(s), 3);
	assert_true(is_quarantined(s, "0000:41:10.0", &q));
	assert_non_null(strstr(q.evidence, "mode 0777"));
}

/* Known on the way in: nothing is changed then, and nothing set aside. */
static void way_out_that_may_not_run_ends_the_start(void **state)
{
	static const char *const out[] = { "pre-release", "post-release" };
	struct site *s = *state;
	struct cv_quarantine q;
	char file[CV_PATH_MAX];

	for (size_t i = 0; i < CV_ARRAY_SIZE(out); i++) {
		cv_pathf(file, "%s" CV_HOOKS_DIR "/%s.d/50-site", s->t.dir, out[i]);
		assert_int_equal(chmod(file, 0777), 0);
		assert_int_equal(go_in(s), -EPERM);
		assert_string_equal(s->err.code, "EHOOK_OWNER");
		assert_int_equal(chmod(file, 0755), 0);
		assert_text(s, "/sys/knob", "0");
		assert_false(is_quarantined(s, "0000:41:10.0", &q));
		assert_int_equal(cv_unlink(s->t.root, JOURNAL), 0);
	}
	assert_text(s, "/out/log", "pre-bind 0\npost-release 0");
}

static void other_places_are_refused(void **state)
{
	struct site *s = *state;
	json_t *prior = NULL;

	assert_int_equal(sr_step_hooks.record(&s->env, "launch", DEVICES, &prior, &s->err),
			 -EINVAL);
	assert_string_equal(s->err.wanted, "bind or ready");
}

#define with_site(test) cmocka_unit_test_setup_teardown(test, make_site, drop_site)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_site(stages_are_around_the_change),
		with_site(hooks_know_whom_they_work_for),
		with_site(failure_on_the_way_in_undoes_all),
		with_site(failure_on_the_way_out_sets_aside),
		with_site(late_hook_on_the_way_out_is_bounded),
		with_site(hooks_that_may_not_run_set_aside),
		with_site(way_out_that_may_not_run_ends_the_start),
		with_site(other_places_are_refused),
	};

	return cmocka_run_group_tests_name("hooks_step", tests, NULL, NULL);
}
