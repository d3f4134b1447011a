// SPDX-License-Identifier: GPL-2.0-or-later
/* The comparison of manifests and plans: what is told, what is not, and as which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/manifest_diff.h"

static json_t *parse(const char *text)
{
	struct cv_error err = { 0 };
	json_t *j = NULL;

	if (cv_json_parse(text, "text", &j, &err) < 0)
		fail_msg("%s: %s", err.what, text);
	return j;
}

/* The lines as carve diff prints them, in one text. */
static void told(const char *a, const char *b, char *buf, size_t size)
{
	_cleanup_json_ json_t *old = parse(a), *new = parse(b), *list = NULL;
	const json_t *d;
	size_t i, len = 0;

	buf[0] = '\0';
	assert_int_equal(manifest_diff(old, new, &list), 0);
	json_array_foreach(list, i, d) {
		_cleanup_free_ char *x = manifest_diff_text(json_object_get(d, "old"));
		_cleanup_free_ char *y = manifest_diff_text(json_object_get(d, "new"));

		len += (size_t)snprintf(buf + len, size - len, "%s: %s -> %s\n",
					cv_json_str(d, "path", "?"), x, y);
		assert_in_range(len, 0, size - 1);
	}
}

static void differs(const char *a, const char *b, const char *lines)
{
	char buf[1024];

	told(a, b, buf, sizeof(buf));
	assert_string_equal(buf, lines);
}

static void test_same(void **state)
{
	differs("{}", "{}", "");
	differs("{\"a\": {\"b\": [1, 2]}}", "{\"a\": {\"b\": [1, 2]}}", "");
	/* the order of members means nothing */
	differs("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1}", "");
}

static void test_values(void **state)
{
	differs("{\"host\": {\"kernel\": \"6.1\", \"smt\": true}}",
		"{\"host\": {\"kernel\": \"6.12\", \"smt\": false}}",
		"host.kernel: 6.1 -> 6.12\nhost.smt: true -> false\n");
	differs("{\"a\": 1}", "{\"a\": \"1\"}", "a: 1 -> 1\n");
	differs("{\"a\": null}", "{\"a\": 0}", "a: null -> 0\n");
	/* one line whatever the parts are */
	differs("{\"a\": {\"b\": 1}}", "{\"a\": [1, \"x\"]}", "a: {\"b\":1} -> [1,\"x\"]\n");
}

static void test_not_there(void **state)
{
	differs("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"c\": 3}",
		"a: 1 -> (not there)\nc: (not there) -> 3\n");
	/* null is something */
	differs("{\"a\": null}", "{}", "a: null -> (not there)\n");
	/* what is empty, or looks like the words for nothing, is told apart */
	differs("{\"a\": \"\"}", "{\"a\": \"(not there)\"}", "a: \"\" -> \"(not there)\"\n");
}

/* A text of a file must not steer the terminal. */
static void test_control_characters(void **state)
{
	differs("{\"a\": \"x\\u001b[2J\"}", "{\"a\": \"x\\ny\"}",
		"a: \"x\\u001B[2J\" -> \"x\\ny\"\n");
}

static void test_devices_by_address(void **state)
{
	/* another place in the array is no difference */
	differs("{\"devices\": [{\"bdf\": \"0000:81:00.0\", \"w\": 8}, {\"bdf\": \"0000:21:00.0\", \"w\": 4}]}",
		"{\"devices\": [{\"bdf\": \"0000:21:00.0\", \"w\": 4}, {\"bdf\": \"0000:81:00.0\", \"w\": 8}]}",
		"");
	differs("{\"devices\": [{\"bdf\": \"0000:81:00.0\", \"w\": 8}]}",
		"{\"devices\": [{\"bdf\": \"0000:21:00.0\"}, {\"bdf\": \"0000:81:00.0\", \"w\": 4}]}",
		"devices[0000:81:00.0].w: 8 -> 4\n"
		"devices[0000:21:00.0]: (not there) -> {\"bdf\":\"0000:21:00.0\"}\n");
	/* those of a plan have two addresses: the host's tells them apart */
	differs("{\"plan\": {\"devices\": [{\"host\": \"a\", \"guest\": \"b\"}]}}",
		"{\"plan\": {\"devices\": [{\"host\": \"a\", \"guest\": \"c\"}]}}",
		"plan.devices[a].guest: b -> c\n");
}

static void test_other_identities(void **state)
{
	differs("{\"vcpus\": [{\"vcpu\": 0, \"host_cpu\": 4}, {\"vcpu\": 1, \"host_cpu\": 5}]}",
		"{\"vcpus\": [{\"vcpu\": 1, \"host_cpu\": 6}, {\"vcpu\": 0, \"host_cpu\": 4}]}",
		"vcpus[1].host_cpu: 5 -> 6\n");
	differs("{\"memory_map\": {\"ranges\": [{\"kind\": \"ram\", \"start\": 0, \"size\": 1}]}}",
		"{\"memory_map\": {\"ranges\": [{\"kind\": \"ram\", \"start\": 0, \"size\": 2}]}}",
		"memory_map.ranges[ram 0].size: 1 -> 2\n");
	/* a step before it moves its number, which says nothing */
	differs("{\"steps\": [{\"seq\": 1, \"kind\": \"bind\", \"object\": \"a\", \"value\": \"x\"}]}",
		"{\"steps\": [{\"seq\": 2, \"kind\": \"bind\", \"object\": \"a\", \"value\": \"y\"}]}",
		"steps[bind a].value: x -> y\n");
}

/* Elements that cannot be told apart are compared as a whole, none is lost. */
static void test_without_identity(void **state)
{
	differs("{\"distances\": [10, 21]}", "{\"distances\": [10, 32]}",
		"distances: [10,21] -> [10,32]\n");
	differs("{\"devices\": [{\"bdf\": \"a\"}, {\"bdf\": \"a\"}]}", "{\"devices\": []}",
		"devices: [{\"bdf\":\"a\"},{\"bdf\":\"a\"}] -> []\n");
	differs("{\"vcpus\": [1]}", "{\"vcpus\": [2]}", "vcpus: [1] -> [2]\n");
	differs("{\"nodes\": [{\"node\": \"\"}]}", "{\"nodes\": []}",
		"nodes: [{\"node\":\"\"}] -> []\n");
}

static void test_left_out(void **state)
{
	differs("{\"time\": 1, \"timings\": [1], \"plan\": {\"reasons\": [1], \"rejected\": [], \"name\": \"x\"}}",
		"{\"time\": 2, \"plan\": {\"reasons\": [], \"rejected\": [1], \"name\": \"y\"}}",
		"plan.name: x -> y\n");
	/* only these, not what has such a name elsewhere */
	differs("{\"host\": {\"time\": 1}}", "{\"host\": {\"time\": 2}}", "host.time: 1 -> 2\n");
	differs("{\"timed\": 1}", "{\"timed\": 2}", "timed: 1 -> 2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_devices_by_address),
		cmocka_unit_test(test_other_identities),
		cmocka_unit_test(test_without_identity),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
