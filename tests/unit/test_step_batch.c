// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps that are made at once: all of them, or none. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/state.h"
#include "base/step.h"
#include "base/step_batch.h"
#include "tests/fake/temp_root.h"

#define JOURNAL CV_VM_DIR "/vm1.journal"
#define N_STEPS CV_ARRAY_SIZE(steps)

static const struct cv_owner owner = { .user = "root", .boot_id = "b" };

/* Three at once, one by itself, two at once, one that waits for what the others set off. */
static const struct cv_step steps[] = {
	{ 1, "many", "/sys/a", "1", "" }, { 2, "many", "/sys/b", "2", "" },
	{ 3, "many", "/sys/c", "3", "" }, { 4, "attr", "/sys/d", "4", "" },
	{ 5, "many", "/sys/e", "5", "" }, { 6, "many", "/sys/f", "6", "" },
	{ 7, "late", "/sys/g", "7", "" },
};

static bool always(const struct cv_step_env *env, const char *object)
{
	return true;
}

static int apply_many(const struct cv_step_env *env, const char *object, const char *value,
		      const struct json_t *prior, struct cv_error *err)
{
	int r = cv_step_attr.apply(env, object, value, prior, err);

	return r < 0 ? r : 1;
}

/* Leaves the order of what was settled in a file. */
static void note_settled(const struct cv_step_env *env, const char *object,
			 const struct json_t *prior)
{
	_cleanup_free_ char *before = NULL;
	char text[256];

	assert_int_equal(cv_read_str(env->root, "/sys/settled", &before), 0);
	snprintf(text, sizeof(text), "%s%s;", before, object);
	assert_int_equal(cv_write_str(env->root, "/sys/settled", text), 0);
}

/** struct kinds - "attr", "many" as it with at_once, "late" as it with needs_rest */
struct kinds {
	struct cv_step_ops many, late;
	const struct cv_step_ops *ops[3];
	struct cv_step_table table;
};

static void make_kinds(struct kinds *k)
{
	k->many = k->late = cv_step_attr;
	k->many.kind = "many";
	k->many.apply = apply_many;
	k->many.at_once = always;
	k->late.kind = "late";
	k->late.needs_rest = true;
	k->ops[0] = &cv_step_attr;
	k->ops[1] = &k->many;
	k->ops[2] = &k->late;
	k->table = (struct cv_step_table){ k->ops, CV_ARRAY_SIZE(k->ops) };
}

static void make_root(struct temp_root *t)
{
	char path[CV_PATH_MAX];

	temp_root_init(t);
	assert_int_equal(cv_state_prepare(t->root, NULL), 0);
	for (size_t i = 0; i < N_STEPS; i++)
		temp_root_file(t, cv_pathf(path, "%s", steps[i].object), "same");
	temp_root_file(t, "/sys/settled", "");
}

static int apply(struct cv_sysroot *r, const struct kinds *k, unsigned int line,
		 struct cv_error *err)
{
	const struct cv_step_env env = { .root = r, .vm = "vm1", .deadline_ms = 5000 };
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
	int rc = cv_journal_create(r, JOURNAL, "vm1", &owner, &j, err);

	if (rc)
		return rc;
	cv_journal_crash_at(j, line);
	return cv_steps_apply(&env, &k->table, j, steps, N_STEPS, NULL, err);
}

static int revert(struct cv_sysroot *r, const struct kinds *k)
{
	const struct cv_step_env env = { .root = r, .vm = "vm1", .deadline_ms = 5000 };

	return cv_steps_revert(&env, &k->table, JOURNAL, NULL);
}

static void assert_value(struct cv_sysroot *r, const char *path, const char *value)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(cv_read_str(r, path, &text), 0);
	assert_string_equal(text, value);
}

static void all_are_made_and_undone(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct temp_root t = { 0 };
	struct kinds k;

	make_kinds(&k);
	make_root(&t);
	before = temp_root_dump(&t, CV_VM_DIR);
	assert_int_equal(apply(t.root, &k, 0, NULL), 0);
	for (size_t i = 0; i < N_STEPS; i++)
		assert_value(t.root, steps[i].object, steps[i].value);
	assert_int_equal(revert(t.root, &k), N_STEPS);
	after = temp_root_dump(&t, CV_VM_DIR);
	assert_string_equal(before, after);
	temp_root_done(&t);
}

static void what_was_set_off_settles(void **state)
{
	struct temp_root t = { 0 };
	struct kinds k;

	make_kinds(&k);
	k.many.settle = note_settled;
	k.late.settle = note_settled; /* its apply sets nothing off */
	make_root(&t);
	k.late.apply = k.many.apply;
	assert_int_equal(apply(t.root, &k, 0, NULL), 0);
	assert_value(t.root, "/sys/settled", "/sys/a;/sys/b;/sys/c;/sys/e;/sys/f;/sys/g;");
	temp_root_done(&t);
	k.late.apply = cv_step_attr.apply;
	make_root(&t);
	assert_int_equal(apply(t.root, &k, 0, NULL), 0);
	assert_value(t.root, "/sys/settled", "/sys/a;/sys/b;/sys/c;/sys/e;/sys/f;");
	temp_root_done(&t);
}

static int apply_late(const struct cv_step_env *env, const char *object, const char *value,
		      const struct json_t *prior, struct cv_error *err)
{
	assert_value(env->root, "/sys/settled", "/sys/a;/sys/b;/sys/c;/sys/e;/sys/f;");
	return cv_step_attr.apply(env, object, value, prior, err);
}

static void it_settles_before_who_needs_rest(void **state)
{
	struct temp_root t = { 0 };
	struct kinds k;

	make_kinds(&k);
	k.many.settle = note_settled;
	k.late.apply = apply_late;
	make_root(&t);
	assert_int_equal(apply(t.root, &k, 0, NULL), 0);
	assert_value(t.root, "/sys/g", "7");
	temp_root_done(&t);
}

/* Ends well only when all of the first batch are under way at the same time. */
static int apply_when_three(const struct cv_step_env *env, const char *object, const char *value,
			    const struct json_t *prior, struct cv_error *err)
{
	int64_t end = cv_now_ms() + 5000;
	int r = cv_step_attr.apply(env, object, value, prior, err);

	for (size_t i = 0; r == 0 && i < 3; i++) {
		_cleanup_free_ char *text = NULL;

		while (cv_read_str(env->root, steps[i].object, &text) == 0 &&
		       strcmp(text, steps[i].value) != 0) {
			if (cv_now_ms() > end)
				return cv_fail(err, -ETIMEDOUT, CV_EXIT_TIMEOUT, "EALONE", object,
					       "the others did not begin");
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
			free(TAKE_PTR(text));
		}
	}
	return r;
}

static void they_are_made_at_once(void **state)
{
	struct temp_root t = { 0 };
	struct kinds k;

	make_kinds(&k);
	k.many.apply = apply_when_three;
	make_root(&t);
	assert_int_equal(apply(t.root, &k, 0, NULL), 0);
	temp_root_done(&t);
}

/* The object that fails is in a file: children know it, too. */
static int apply_or_fail(const struct cv_step_env *env, const char *object, const char *value,
			 const struct json_t *prior, struct cv_error *err)
{
	_cleanup_free_ char *bad = NULL;
	int r = cv_step_attr.apply(env, object, value, prior, err);

	if (r < 0 || cv_read_str(env->root, "/sys/settled", &bad) < 0 || strcmp(bad, object) != 0)
		return r;
	return cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "EFULL", object, "no room");
}

static int apply_or_die(const struct cv_step_env *env, const char *object, const char *value,
			const struct json_t *prior, struct cv_error *err)
{
	if (strcmp(object, "/sys/b") == 0)
		kill(getpid(), SIGKILL);
	return cv_step_attr.apply(env, object, value, prior, err);
}

static void one_that_fails_undoes_all(void **state)
{
	for (size_t i = 0; i < N_STEPS; i++) {
		_cleanup_free_ char *before = NULL, *after = NULL;
		struct temp_root t = { 0 };
		struct cv_error err = { 0 };
		struct kinds k;

		make_kinds(&k);
		k.many.apply = k.late.apply = apply_or_fail;
		make_root(&t);
		temp_root_file(&t, "/sys/settled", steps[i].object);
		before = temp_root_dump(&t, CV_VM_DIR);
		if (strcmp(steps[i].kind, "attr") != 0) {
			assert_int_equal(apply(t.root, &k, 0, &err), -ENOSPC);
			assert_string_equal(err.object, steps[i].object);
			assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
			after = temp_root_dump(&t, CV_VM_DIR);
			assert_string_equal(before, after);
		}
		temp_root_done(&t);
	}
}

static void one_that_dies_undoes_all(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct temp_root t = { 0 };
	struct cv_error err = { 0 };
	struct kinds k;

	make_kinds(&k);
	k.many.apply = apply_or_die;
	make_root(&t);
	before = temp_root_dump(&t, CV_VM_DIR);
	assert_int_equal(apply(t.root, &k, 0, &err), -EIO);
	assert_string_equal(err.object, "/sys/b");
	assert_non_null(strstr(err.what, "many"));
	after = temp_root_dump(&t, CV_VM_DIR);
	assert_string_equal(before, after);
	temp_root_done(&t);
}

static bool is_of_another(const char *object, const char *other)
{
	return object[strlen("/sys/")] != other[strlen("/sys/")];
}

/* Those of a kind whose objects are not apart are a batch no more. */
static void who_is_not_apart_waits(void **state)
{
	static const struct cv_step pairs[] = {
		{ 1, "many", "/sys/a0", "1", "" }, { 2, "many", "/sys/b0", "1", "" },
		{ 3, "many", "/sys/a1", "1", "" }, { 4, "many", "/sys/b1", "1", "" },
		{ 5, "many", "/sys/b2", "1", "" },
	};
	struct kinds k;

	make_kinds(&k);
	assert_int_equal(cv_batch_len(NULL, &k.many, pairs, 5), 5);
	k.many.is_apart = is_of_another;
	assert_int_equal(cv_batch_len(NULL, &k.many, pairs, 5), 2);
	assert_int_equal(cv_batch_len(NULL, &k.many, pairs + 2, 3), 2);
	assert_int_equal(cv_batch_len(NULL, &k.many, pairs + 3, 2), 1);
}

/* A second change of one object is made behind the first. */
static void one_object_is_changed_in_order(void **state)
{
	static const struct cv_step twice[] = {
		{ 1, "many", "/sys/a", "1", "" },
		{ 2, "many", "/sys/a", "2", "" },
		{ 3, "many", "/sys/b", "3", "" },
	};
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
	struct cv_step_env env = { .vm = "vm1", .deadline_ms = 5000 };
	struct temp_root t = { 0 };
	struct kinds k;

	make_kinds(&k);
	make_root(&t);
	env.root = t.root;
	assert_int_equal(cv_journal_create(t.root, JOURNAL, "vm1", &owner, &j, NULL), 0);
	assert_int_equal(cv_steps_apply(&env, &k.table, j, twice, 3, NULL, NULL), 0);
	assert_value(t.root, "/sys/a", "2");
	assert_int_equal(revert(t.root, &k), 3);
	assert_value(t.root, "/sys/a", "same");
	temp_root_done(&t);
}

/* ---- killed ---- */

/* Longer than a recovery takes: what writes that late writes behind it. */
#define STRAGGLER_MS 700

/** struct death - after a line of the journal, or before or after a change, which stops there */
struct death {
	unsigned int line;
	unsigned int change;
	bool after;
};

/* With the lock of the node, as every verb that changes it. */
static void __attribute__((noreturn))
run_victim(struct temp_root *t, const struct death *d, const struct kinds *k)
{
	struct cv_sysroot *root = temp_root_slow_killer(t, getpid(), d->change, d->after,
							STRAGGLER_MS);
	int lock = -1;

	if (cv_state_lock(t->root, 0, &lock, NULL) < 0)
		_exit(3);
	_exit(apply(root, k, d->line, NULL) < 0 ? 2 : 0);
}

/* As carve recover: as soon as the lock is to be had, whoever is still there then. */
static void recover(struct temp_root *t, const struct kinds *k)
{
	_cleanup_close_ int lock = -1;

	assert_int_equal(cv_state_lock(t->root, 20000, &lock, NULL), 0);
	if (cv_exists(t->root, JOURNAL))
		assert_true(revert(t->root, k) >= 0);
	assert_int_equal(ftruncate(lock, 0), 0); /* who held it is no part of the host */
}

/* The other end of the pipe is open as long as the victim or a process of his is there. */
static void await_all(const int *ends)
{
	char byte;

	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

/* Return: whether it was killed (false: it went through). */
static bool crash_and_recover(const struct death *d)
{
	_cleanup_free_ char *before = NULL, *after = NULL, *late = NULL;
	struct temp_root t = { 0 };
	struct kinds k;
	int ends[2], status = 0;
	pid_t pid;

	make_kinds(&k);
	make_root(&t);
	temp_root_file(&t, CV_LOCK_FILE, "");
	before = temp_root_dump(&t, CV_VM_DIR);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_victim(&t, d, &k);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	recover(&t, &k);
	after = temp_root_dump(&t, CV_VM_DIR);
	assert_string_equal(before, after);
	await_all(ends);
	late = temp_root_dump(&t, CV_VM_DIR);
	assert_string_equal(before, late);
	temp_root_done(&t);
	return WIFSIGNALED(status);
}

static void killed_at_each_line(void **state)
{
	struct death d = { .line = 1 };

	while (crash_and_recover(&d))
		d.line++;
	assert_int_equal(d.line - 1, 2 * N_STEPS);
}

static void killed_at_each_change(void **state)
{
	for (int after = 0; after < 2; after++) {
		struct death d = { .change = 1, .after = after };

		while (crash_and_recover(&d))
			d.change++;
		/* the journal, and a write for each */
		assert_int_equal(d.change - 1, 1 + N_STEPS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_are_made_and_undone),
		cmocka_unit_test(what_was_set_off_settles),
		cmocka_unit_test(it_settles_before_who_needs_rest),
		cmocka_unit_test(they_are_made_at_once),
		cmocka_unit_test(one_that_fails_undoes_all),
		cmocka_unit_test(one_that_dies_undoes_all),
		cmocka_unit_test(who_is_not_apart_waits),
		cmocka_unit_test(one_object_is_changed_in_order),
		cmocka_unit_test(killed_at_each_line),
		cmocka_unit_test(killed_at_each_change),
	};

	return cmocka_run_group_tests_name("step_batch", tests, NULL, NULL);
}
