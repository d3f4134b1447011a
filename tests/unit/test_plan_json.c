// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan as JSON: golden files, there and back again, and every damage refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tests/fake/golden.h"
#include "guest_builder.h"
#include "plan_cases.h"

static json_t *json_of(const struct plan *p)
{
	json_t *j = plan_json(p);

	assert_non_null(j);
	return j;
}

/* One of plan_cases or of guest_cases. */
static json_t *case_json(const char *name)
{
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct gb b;

		if (strcmp(guest_cases[i], name) != 0)
			continue;
		guest_case(name, &b);
		json_t *j = json_of(&b.plan);
		gb_done(&b);
		return j;
	}
	_cleanup_plan_ struct plan p = { 0 };
	plan_case(name, &p);
	return json_of(&p);
}

static void golden_of(const char *name)
{
	_cleanup_json_ json_t *j = case_json(name);
	_cleanup_free_ char *text = cv_json_text(j);
	char file[64];

	snprintf(file, sizeof(file), "plan/%s.json", name);
	golden_check(file, text);
}

/* Of the made plans those that are not long. */
static void golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++)
		golden_of(plan_cases[i]);
	golden_of("switch");
	golden_of("nested-switches");
}

static void back_again(const char *name)
{
	_cleanup_json_ json_t *first = case_json(name);
	_cleanup_free_ char *text = cv_json_text(first);
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_json_ json_t *parsed = NULL;
	struct cv_error err = { 0 };

	assert_int_equal(cv_json_parse(text, "plan.json", &parsed, &err), 0);
	if (plan_from_json(parsed, "plan.json", &p, &err) < 0)
		fail_msg("%s: %s", name, err.found);
	_cleanup_json_ json_t *second = plan_json(&p);
	_cleanup_free_ char *again = cv_json_text(second);
	assert_string_equal(again, text);
}

static void there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++)
		back_again(plan_cases[i]);
	for (size_t i = 0; i < n_guest_cases; i++)
		back_again(guest_cases[i]);
}

static int read_plan(const json_t *j, struct cv_error *err)
{
	_cleanup_plan_ struct plan p = { 0 };

	*err = (struct cv_error){ 0 };
	return plan_from_json(j, "plan.json", &p, err);
}

static void newer_version_is_refused(void **state)
{
	_cleanup_json_ json_t *j = case_json("smt");
	struct cv_error err;

	(void)state;
	json_object_set_new(j, "carve_plan", json_integer(PLAN_VERSION + 1));
	assert_int_equal(read_plan(j, &err), -EPROTONOSUPPORT);
	json_object_del(j, "carve_plan");
	assert_int_equal(read_plan(j, &err), -EINVAL);
}

/* Members that a plan can do without: the MAC of what is no NIC, the host's port of what stands for none,
 * the priority of what is not real-time. */
static bool is_optional(const char *key)
{
	return strcmp(key, "mac") == 0 || strcmp(key, "host_port") == 0 ||
	       strcmp(key, "rt_priority") == 0 || strcmp(key, "disks") == 0 ||
	       strcmp(key, "net") == 0 || strcmp(key, "shares") == 0 ||
	       strcmp(key, "vsock_cid") == 0;
}

static void check_damaged(const json_t *root, const char *key, const char *how)
{
	struct cv_error err;
	int r = read_plan(root, &err);

	if (r != -EINVAL || strcmp(err.object, "plan.json") || !err.what[0])
		fail_msg("\"%s\" %s: %d, %s", key, how, r, err.code);
}

static unsigned int sweep(json_t *root, json_t *at);

/* Takes one member away and puts it back, then does the same inside it. */
static unsigned int sweep_member(json_t *root, json_t *at, const char *key)
{
	json_t *value = json_incref(json_object_get(at, key));
	unsigned int n = 1;

	if (!is_optional(key)) {
		json_object_del(at, key);
		check_damaged(root, key, "missing");
	}
	json_object_set_new(at, key, json_null());
	check_damaged(root, key, "null");
	json_object_set_new(at, key, json_real(1.5));
	check_damaged(root, key, "a fraction");
	if (json_is_integer(value)) {
		json_object_set_new(at, key, json_integer(INT64_MAX));
		if (strcmp(key, "carve_plan") != 0)
			check_damaged(root, key, "huge");
		json_object_set_new(at, key, json_integer(INT64_MIN));
		check_damaged(root, key, "negative");
	}
	json_object_set(at, key, value);
	n += sweep(root, value);
	json_decref(value);
	return n;
}

static unsigned int sweep(json_t *root, json_t *at)
{
	unsigned int n = 0;

	if (json_is_object(at)) {
		_cleanup_json_ json_t *keys = json_copy(at);
		const char *key;
		json_t *value;

		json_object_foreach(keys, key, value)
			n += sweep_member(root, at, key);
	}
	for (size_t i = 0; json_is_array(at) && i < json_array_size(at); i++) {
		json_t *value = json_incref(json_array_get(at, i));

		json_array_set_new(at, i, json_null());
		check_damaged(root, "array element", "null");
		json_array_set(at, i, value);
		n += 1 + sweep(root, value);
		json_decref(value);
	}
	return n;
}

static void each_damage_is_refused(void **state)
{
	static const char *const names[] = { "two-nodes", "switch", "networks" };

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(names); i++) {
		_cleanup_json_ json_t *j = case_json(names[i]);
		struct cv_error err;

		assert_int_equal(read_plan(j, &err), 0);
		assert_true(sweep(j, j) > 200);
		assert_int_equal(read_plan(j, &err), 0);
	}
}

/* Parts that are well formed each, and do not agree. */
static void contradictions_are_refused(void **state)
{
	static const struct {
		const char *array, *key, *text;
		int number;
	} changes[] = {
		{ NULL, "host_cpus", "1", 0 },	   { NULL, "vmm_cpus", "1", 0 },
		{ NULL, "name", "../etc", 0 },	   { "vcpus", "host_cpu", NULL, 99 },
		{ "vcpus", "node", NULL, 1 },	   { "nodes", "vcpus", "0-3", 0 },
		{ "nodes", "pages", NULL, 7 },	   { "devices", "bridge", NULL, 0 },
		{ "devices", "bridge", NULL, 99 }, { "devices", "node", NULL, 2 },
		{ "devices", "vlan", NULL, 4095 }, { "devices", "vf", NULL, 0 },
		{ "devices", "guest", "what", 0 }, { "bridges", "parent", NULL, 0 },
		{ "steps", "seq", NULL, 2 },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(changes); i++) {
		_cleanup_json_ json_t *j = case_json("two-nodes");
		json_t *at = changes[i].array
				     ? json_array_get(json_object_get(j, changes[i].array), 0)
				     : j;

		json_object_set_new(at, changes[i].key,
				    changes[i].text ? json_string(changes[i].text)
						    : json_integer(changes[i].number));
		check_damaged(j, changes[i].key, "changed");
	}
}

/* The tree and the map, changed at one place; "switch" has pxb0 rp0, pxb1 rp1 up0 dn0 dn1 dn2. */
static const struct {
	const char *array;
	size_t index;
	const char *key, *text;
	int64_t number;
} contradictions[] = {
	{ "bridges", 0, "kind", "root-port", 0 },
	{ "bridges", 1, "kind", "switch-down", 0 },
	{ "bridges", 1, "parent", NULL, -1 },
	{ "bridges", 1, "guest", "0000:21:01.0", 0 },
	{ "bridges", 1, "node", NULL, 1 },
	{ "bridges", 3, "bus", NULL, 0x21 },
	{ "bridges", 4, "kind", "switch-down", 0 },
	{ "bridges", 4, "parent", NULL, 2 },
	{ "bridges", 5, "kind", "switch-up", 0 },
	{ "bridges", 6, "guest", "0000:24:00.0", 0 },
	{ "devices", 0, "bridge", NULL, 3 },
	{ "devices", 0, "bridge", NULL, 4 },
	{ "devices", 0, "bridge", NULL, 6 },
	{ "devices", 0, "guest", "0000:25:01.0", 0 },
	{ "devices", 0, "node", NULL, 0 },
	{ "devices", 0, "clique", NULL, 16 },
	{ "devices", 0, "class_code", "1000000", 0 },
	{ "ranges", 0, "size", NULL, 4096 },
	{ "ranges", 0, "start", NULL, 4096 },
	{ "ranges", 0, "kind", "mmio32", 0 },
	{ "ranges", 0, "node", NULL, -1 },
	{ "ranges", 1, "node", NULL, 1 },
	{ "map", 0, "low_limit", NULL, 0x40000000 },
	{ "map", 0, "phys_bits", NULL, 32 },
	{ "map", 0, "phys_bits_limit", NULL, 36 },
	{ "map", 0, "memlock", NULL, 1 << 30 },
};

static void contradictions_of_tree_and_map_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(contradictions); i++) {
		_cleanup_json_ json_t *j = case_json("switch");
		json_t *map = json_object_get(j, "memory_map"), *at = map;
		const char *array = contradictions[i].array;
		char what[64];

		if (strcmp(array, "ranges") == 0)
			at = json_array_get(json_object_get(map, array), contradictions[i].index);
		else if (strcmp(array, "map") != 0)
			at = json_array_get(json_object_get(j, array), contradictions[i].index);
		assert_non_null(json_object_get(at, contradictions[i].key));
		json_object_set_new(at, contradictions[i].key,
				    contradictions[i].text
					    ? json_string(contradictions[i].text)
					    : json_integer(contradictions[i].number));
		snprintf(what, sizeof(what), "%s of %s %zu", contradictions[i].key, array,
			 contradictions[i].index);
		check_damaged(j, what, "changed");
	}
}

static void contradictions_of_networks_are_refused(void **state)
{
	/* networks: a disk that is served, lan on a bridge, net1 on ovs, net2 on passt, net3 on vhost-user */
	static const struct {
		const char *array;
		size_t index;
		const char *key, *text;
		int64_t number;
	} rows[] = {
		{ "disks", 0, "serial", "root", 0 },
		{ "disks", 0, "path", "spdk.sock", 0 },
		{ "net", 0, "id", "a=b", 0 },
		{ "net", 0, "id", "net1", 0 },
		{ "net", 0, "kind", "passt", 0 },
		{ "net", 0, "to", "a/b", 0 },
		{ "net", 0, "to", "", 0 },
		{ "net", 0, "tap", "eth0", 0 },
		{ "net", 0, "guest", "0000:00:1c.1", 0 },
		{ "net", 0, "mac", "01:00:00:00:00:01", 0 },
		{ "net", 0, "mac", "52:54:00:12:34:56", 0 },
		{ "net", 0, "vlan", NULL, 5 },
		{ "net", 0, "queues", NULL, 17 },
		{ "net", 1, "vlan", NULL, 4095 },
		{ "net", 1, "mtu", NULL, 65522 },
		{ "net", 2, "to", "br0", 0 },
		{ "net", 2, "tap", "cv00000000-2", 0 },
		{ "net", 2, "queues", NULL, 2 },
		{ "net", 2, "mtu", NULL, 1500 },
		{ "net", 3, "to", "run/guest.sock", 0 },
		{ "shares", 0, "id", "share1", 0 },
		{ "shares", 0, "path", "data", 0 },
		{ "shares", 0, "tag", "a,b", 0 },
		{ "shares", 0, "tag", "software", 0 },
		{ "shares", 1, "guest", "0000:00:1d.0", 0 },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *j = case_json("networks");
		json_t *at = json_array_get(json_object_get(j, rows[i].array), rows[i].index);

		assert_non_null(json_object_get(at, rows[i].key));
		json_object_set_new(at, rows[i].key,
				    rows[i].text ? json_string(rows[i].text)
						 : json_integer(rows[i].number));
		check_damaged(j, rows[i].key, "changed");
	}
}

static void vsock_is_optional_and_in_range(void **state)
{
	static const json_int_t bad[] = { -1, 0, 2, 0xffffffff };
	_cleanup_json_ json_t *j = case_json("networks");
	_cleanup_plan_ struct plan p = { 0 };
	struct cv_error err;

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		json_object_set_new(j, "vsock_cid", json_integer(bad[i]));
		check_damaged(j, "vsock_cid", "out of range");
	}
	json_object_del(j, "vsock_cid");
	assert_int_equal(plan_from_json(j, "plan.json", &p, &err), 0);
	assert_int_equal(p.vsock_cid, 0);
}

static void rt_priority_is_optional_and_in_range(void **state)
{
	static const int bad[] = { -1, 0, 99 };
	_cleanup_json_ json_t *j = case_json("smt");
	_cleanup_plan_ struct plan p = { 0 };
	struct cv_error err;

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(j, "rt_priority")), 2);
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		json_object_set_new(j, "rt_priority", json_integer(bad[i]));
		check_damaged(j, "rt_priority", "out of range");
	}
	json_object_del(j, "rt_priority");
	assert_int_equal(plan_from_json(j, "plan.json", &p, &err), 0);
	assert_int_equal(p.rt_priority, 0);
}

/* Host texts may be no UTF-8: the plan is written all the same. */
static void any_bytes_in_reasons(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	plan_case("smt", &p);
	p.reasons[0].text[0] = (char)0xff;
	_cleanup_json_ json_t *j = plan_json(&p);
	assert_non_null(j);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(newer_version_is_refused),
		cmocka_unit_test(each_damage_is_refused),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(contradictions_of_tree_and_map_are_refused),
		cmocka_unit_test(contradictions_of_networks_are_refused),
		cmocka_unit_test(vsock_is_optional_and_in_range),
		cmocka_unit_test(rt_priority_is_optional_and_in_range),
		cmocka_unit_test(any_bytes_in_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
