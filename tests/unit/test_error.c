// SPDX-License-Identifier: GPL-2.0-or-later
/* The error context and JSON. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"
#include "base/table.h"

static void test_fail(void **state)
{
	struct cv_error e;

	assert_int_equal(cv_fail(NULL, -EBUSY, CV_EXIT_BUSY, "X", NULL, "no one asks"), -EBUSY);
	assert_int_equal(cv_fail(&e, 0, CV_EXIT_FAILED, "X", NULL, "no errno"), -EIO);
	assert_int_equal(cv_fail(&e, 5, CV_EXIT_FAILED, "X", NULL, "positive"), -EIO);
	assert_int_equal(cv_fail(&e, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", "0000:01:00.0",
				 "held by %s", "vm1"),
			 -EBUSY);
	assert_int_equal(e.err, -EBUSY);
	assert_int_equal(e.exit, CV_EXIT_BUSY);
	assert_string_equal(e.code, "EBUSY_HOLDER");
	assert_string_equal(e.what, "held by vm1");
	assert_string_equal(e.found, "");
}

static void test_fail_of_itself(void **state)
{
	struct cv_error e;

	cv_fail(&e, -EIO, CV_EXIT_FAILED, "EIO", "disk", "broken");
	cv_error_found(&e, "one");
	cv_error_found(&e, "%s and two", e.found);
	assert_string_equal(e.found, "one and two");
	cv_fail(&e, e.err, CV_EXIT_FAILED, e.code, e.object, "outer: %s", e.what);
	assert_string_equal(e.what, "outer: broken");
	assert_string_equal(e.object, "disk");
	assert_string_equal(e.code, "EIO");
}

static void test_fail_errno(void **state)
{
	static const struct {
		int err;
		enum cv_exit exit;
		const char *code;
	} cases[] = {
		{ -EACCES, CV_EXIT_PERMISSION, "EACCES" },
		{ -EPERM, CV_EXIT_PERMISSION, "EPERM" },
		{ -ENOENT, CV_EXIT_NOT_FOUND, "ENOENT" },
		{ -EBUSY, CV_EXIT_BUSY, "EBUSY" },
		{ -ETIMEDOUT, CV_EXIT_TIMEOUT, "ETIMEDOUT" },
		{ -EIO, CV_EXIT_FAILED, "EIO" },
		{ -9999, CV_EXIT_FAILED, "EUNKNOWN" },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		struct cv_error e;

		assert_int_equal(cv_fail_errno(&e, cases[i].err, "/x", "failed"), cases[i].err);
		assert_int_equal(e.exit, cases[i].exit);
		assert_string_equal(e.code, cases[i].code);
	}
}

static void test_overlong(void **state)
{
	char text[2000];
	struct cv_error e;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cv_fail(&e, -EIO, CV_EXIT_FAILED, text, text, "%s", text);
	cv_error_wanted(&e, "%s", text);
	assert_int_equal(strlen(e.code), sizeof(e.code) - 1);
	assert_int_equal(strlen(e.object), sizeof(e.object) - 1);
	assert_int_equal(strlen(e.what), sizeof(e.what) - 1);
	assert_int_equal(strlen(e.wanted), sizeof(e.wanted) - 1);
}

static void test_format(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct cv_error e;

	cv_fail(&e, -EBUSY, CV_EXIT_BUSY, "EBUSY", "vm1", "it runs");
	cv_error_wanted(&e, "stopped");
	cv_error_hint(&e, "carve stop vm1");
	text = cv_error_format(&e);
	assert_string_equal(text, "vm1: it runs\n  wanted: stopped\n  hint:   carve stop vm1");
}

static void test_json(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	struct cv_error e;

	cv_fail(&e, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", "vm\xff", "it runs");
	j = cv_error_json(&e);
	text = cv_json_line(j);
	assert_string_equal(text, "{\"error\":{\"code\":\"EBUSY_HOLDER\",\"errno\":\"EBUSY\","
				  "\"object\":\"vm?\",\"msg\":\"it runs\",\"found\":\"\","
				  "\"wanted\":\"\",\"hint\":\"\"}}");
}

static void test_json_parse(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct cv_error e;

	assert_int_equal(cv_json_parse("{\"a\": 1,\n \"a\": 2}", "f.json", &j, &e), -EINVAL);
	assert_int_equal(e.exit, CV_EXIT_USAGE);
	assert_non_null(strstr(e.object, "f.json:2:"));
	assert_null(j);
	assert_int_equal(cv_json_parse("{\"a\":1,\"s\":\"x\",\"b\":true}", "f", &j, &e), 0);
	assert_int_equal(cv_json_int(j, "a", 7), 1);
	assert_int_equal(cv_json_int(j, "s", 7), 7);
	assert_int_equal(cv_json_int(j, "none", 7), 7);
	assert_string_equal(cv_json_str(j, "s", "d"), "x");
	assert_string_equal(cv_json_str(j, "a", "d"), "d");
	assert_int_equal(cv_json_bool(j, "b", 0), 1);
	assert_int_equal(cv_json_bool(j, "a", 0), 0);
}

static void test_json_version(void **state)
{
	_cleanup_json_ json_t *j = json_pack("{s:i}", "carve_plan", 3);
	struct cv_error e;

	assert_int_equal(cv_json_version(j, "carve_plan", 3, "f", &e), 0);
	assert_int_equal(cv_json_version(j, "carve_plan", 2, "f", &e), -EPROTONOSUPPORT);
	assert_string_equal(e.code, "EVERSION");
	assert_non_null(strstr(e.found, "version 3"));
	assert_int_equal(cv_json_version(j, "carve_lease", 1, "f", &e), -EINVAL);
}

static void test_table(void **state)
{
	static const struct cv_column columns[] = { { .name = "NAME", .tree = true },
						    { .name = "CPUS", .right = true } };
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_free_ char *text = NULL;
	int parent;

	assert_int_equal(cv_table_new(columns, 2, &t), 0);
	parent = cv_table_add(t, -1, (const char *const[]){ "node", "8" });
	assert_int_equal(parent, 0);
	assert_int_equal(cv_table_add(t, parent, (const char *const[]){ "core", NULL }), 1);
	assert_int_equal(cv_table_add(t, parent, (const char *const[]){ "more", "12" }), 2);
	text = cv_table_text(t, true, 80);
	assert_string_equal(text, "NAME   CPUS\nnode      8\n|-core\n`-more   12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail),	   cmocka_unit_test(test_fail_of_itself),
		cmocka_unit_test(test_fail_errno), cmocka_unit_test(test_overlong),
		cmocka_unit_test(test_format),	   cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_parse), cmocka_unit_test(test_json_version),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
