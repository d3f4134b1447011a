// SPDX-License-Identifier: GPL-2.0-or-later
/* The journal: golden file, torn lines, damage, versions, the crash that is asked for. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "base/json.h"
#include "tests/fake/fake_sysroot.h"
#include "tests/fake/golden.h"
#include "tests/fake/temp_root.h"

#define PATH "/run/carve/vm/vm1/journal"
#define HEAD                                                                            \
	"{\"carve_journal\":1,\"name\":\"vm1\",\"owner\":{\"uid\":0,\"user\":\"root\"," \
	"\"job\":\"\",\"boot_id\":\"b\"},\"time\":0}\n"
#define BEGIN(seq)                                                                   \
	"{\"seq\":" #seq ",\"event\":\"begin\",\"kind\":\"attr\",\"scope\":\"own\"," \
	"\"object\":\"/sys/a\",\"value\":\"1\",\"prior\":{\"value\":\"0\"}}\n"

static const struct cv_owner owner = { .uid = 1000,
				       .user = "alice",
				       .job = "4711",
				       .boot_id = "f4b5c5a0-0000-4000-8000-0123456789ab" };

static int setup(void **state)
{
	static struct temp_root t;

	temp_root_init(&t);
	cv_mkdir_p(t.root, "/run/carve/vm/vm1", 0755);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	temp_root_done(*state);
	return 0;
}

static void write_example(struct cv_journal *j)
{
	_cleanup_json_ json_t *prior = json_pack("{s:s}", "value", "0");

	assert_int_equal(cv_journal_begin(j, 1, "numvfs", "shared", "0000:01:00.0", "7", prior), 0);
	assert_int_equal(cv_journal_done(j, 1), 0);
	assert_int_equal(cv_journal_begin(j, 2, "attr", "own", "/sys/a", "1", NULL), 0);
	assert_int_equal(cv_journal_reverted(j, 2), 0);
}

/* The time of the header is the only thing that is not the same each time. */
static char *without_time(const char *text)
{
	const char *time = strstr(text, "\"time\":");
	char *fixed;

	assert_non_null(time);
	time += strlen("\"time\":");
	assert_true(asprintf(&fixed, "%.*s0%s", (int)(time - text), text,
			     time + strspn(time, "0123456789")) > 0);
	return fixed;
}

static void test_golden(void **state)
{
	_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *fixed = NULL;
	struct temp_root *t = *state;
	struct cv_error e;
	size_t len;

	assert_int_equal(cv_journal_create(t->root, PATH, "vm1", &owner, &j, NULL), 0);
	write_example(j);
	assert_int_equal(cv_read(t->root, PATH, &text, &len), 0);
	fixed = without_time(text);
	golden_check("journal.jsonl", fixed);
	cv_journal_closep(&j);
	j = NULL;
	assert_int_equal(cv_journal_create(t->root, PATH, "vm1", &owner, &j, &e), -EEXIST);
}

static void test_read(void **state)
{
	_cleanup_(cv_journal_data_done) struct cv_journal_data d = { 0 };
	_cleanup_free_ char *text = golden_read("journal.jsonl");
	struct temp_root *t = *state;

	temp_root_file(t, PATH, text);
	assert_int_equal(cv_journal_read(t->root, PATH, &d, NULL), 0);
	assert_string_equal(d.name, "vm1");
	assert_string_equal(d.owner.user, "alice");
	assert_string_equal(d.owner.job, "4711");
	assert_string_equal(d.owner.boot_id, owner.boot_id);
	assert_int_equal(d.owner.uid, 1000);
	assert_int_equal(d.n, 2);
	assert_int_equal(d.records[0].seq, 1);
	assert_string_equal(d.records[0].kind, "numvfs");
	assert_string_equal(d.records[0].scope, "shared");
	assert_string_equal(d.records[0].object, "0000:01:00.0");
	assert_string_equal(d.records[0].value, "7");
	assert_string_equal(cv_json_str(d.records[0].prior, "value", ""), "0");
	assert_true(d.records[0].is_done && !d.records[0].is_reverted);
	assert_true(!d.records[1].is_done && d.records[1].is_reverted);
	assert_null(d.records[1].prior);
}

static void test_newer(void **state)
{
	_cleanup_(cv_journal_data_done) struct cv_journal_data d = { 0 };
	_cleanup_free_ char *text = golden_next_version("journal.jsonl", "carve_journal");
	struct temp_root *t = *state;
	struct cv_error e;

	temp_root_file(t, PATH, text);
	assert_int_equal(cv_journal_read(t->root, PATH, &d, &e), -EPROTONOSUPPORT);
	assert_string_equal(e.code, "EVERSION");
}

/* Cut anywhere, a journal stays readable and can be gone on with. */
static void test_torn(void **state)
{
	_cleanup_free_ char *text = golden_read("journal.jsonl");
	struct temp_root *t = *state;
	size_t len = strlen(text);

	for (size_t cut = 0; cut <= len; cut++) {
		_cleanup_(cv_journal_data_done) struct cv_journal_data d = { 0 };
		_cleanup_(cv_journal_data_done) struct cv_journal_data again = { 0 };
		_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
		_cleanup_free_ char *part = strndup(text, cut);

		temp_root_file(t, PATH, part);
		assert_int_equal(cv_journal_read(t->root, PATH, &d, NULL), 0);
		if (!d.n)
			continue;
		assert_int_equal(cv_journal_open(t->root, PATH, &j, NULL), 0);
		assert_int_equal(cv_journal_reverted(j, 1), 0);
		assert_int_equal(cv_journal_read(t->root, PATH, &again, NULL), 0);
		assert_int_equal(again.n, d.n);
		assert_true(again.records[0].is_reverted);
	}
}

static void test_damaged(void **state)
{
	static const struct {
		const char *text;
		const char *where;
	} cases[] = {
		{ "hello\n", PATH ":1" },
		{ "{}\n", PATH ":1" },
		{ "{\"carve_journal\":1}\n", PATH ":1" },
		{ HEAD "x\n", PATH ":2" },
		{ HEAD "[]\n", PATH ":2" },
		{ HEAD "{\"seq\":1,\"event\":\"done\"}\n", PATH ":2" },
		{ HEAD BEGIN(1) BEGIN(1), PATH ":3" },
		{ HEAD BEGIN(-1), PATH ":2" },
		{ HEAD BEGIN(4294967296), PATH ":2" },
		{ HEAD BEGIN(1) "{\"seq\":1,\"event\":\"undone\"}\n", PATH ":3" },
		{ HEAD "{\"seq\":1,\"event\":\"begin\",\"kind\":\"attr\"}\n", PATH ":2" },
		{ HEAD "\n" BEGIN(1), PATH ":2" },
	};
	struct temp_root *t = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		struct cv_journal_data d = { 0 };
		struct cv_error e = { 0 };

		temp_root_file(t, PATH, cases[i].text);
		assert_int_equal(cv_journal_read(t->root, PATH, &d, &e), -EINVAL);
		assert_string_equal(e.object, cases[i].where);
	}
	cv_unlink(t->root, PATH);
	assert_int_equal(cv_journal_read(t->root, PATH, &(struct cv_journal_data){ 0 }, NULL),
			 -ENOENT);
}

static void test_create_sweep(void **state)
{
	for (unsigned int n = 1; n <= 2; n++) {
		_cleanup_(cv_journal_closep) struct cv_journal *j = NULL;
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
		struct fake *f;
		int rc;

		assert_int_equal(fake_new(&f, &r), 0);
		fake_dir(f, "/run/carve/vm/vm1");
		fake_fail_change(f, n, -ENOSPC);
		rc = cv_journal_create(r, PATH, "vm1", &owner, &j, NULL);
		assert_int_equal(rc, n == 1 ? -ENOSPC : 0);
		assert_true(cv_exists(r, PATH) == !rc);
	}
}

static void test_crash(void **state)
{
	struct temp_root *t = *state;

	for (unsigned int n = 1; n <= 4; n++) {
		_cleanup_free_ char *text = NULL;
		size_t len, lines = 0;
		int status = 0;
		pid_t pid;

		cv_unlink(t->root, PATH);
		pid = fork();
		assert_true(pid >= 0);
		if (!pid) {
			struct cv_journal *j;

			if (cv_journal_create(t->root, PATH, "vm1", &owner, &j, NULL))
				_exit(1);
			cv_journal_crash_at(j, n);
			write_example(j);
			_exit(2);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_int_equal(cv_read(t->root, PATH, &text, &len), 0);
		for (const char *p = text; (p = strchr(p, '\n')); p++)
			lines++;
		assert_int_equal(lines, n + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test(test_create_sweep),
		cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
