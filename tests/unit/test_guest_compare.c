// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest report against the plan: a report made from the plan is equal; one thing changed in it is
 * one difference, with what was found and what was planned. */
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
#include "guest_builder.h"
#include "plan_cases.h"

/* ---- a report that equals a plan ---- */

static json_t *list_of(const struct plan *p, const struct plan_vcpu *like, bool by_l3)
{
	struct cv_cpuset set = { 0 };

	for (size_t i = 0; i < p->n_vcpus; i++)
		if (by_l3 ? p->vcpus[i].l3 == like->l3 : p->vcpus[i].core == like->core)
			cv_cpuset_add(&set, (int)i);
	_cleanup_free_ char *text = cv_format_cpulist(&set);
	return json_string(text);
}

static json_t *cpus_of(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i];

		json_array_append_new(a, json_pack("{si,si,si,si,si,so,si,so}", "cpu", (int)i,
						   "package", v->package, "die", v->die, "core",
						   v->core, "node", v->guest_node, "threads",
						   list_of(p, v, false), "l3", v->l3, "l3_cpus",
						   list_of(p, v, true)));
	}
	return a;
}

static json_t *nodes_of(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_nodes; i++) {
		_cleanup_free_ char *cpus = cv_format_cpulist(&p->nodes[i].vcpus);
		json_t *d = json_array();

		for (size_t k = 0; k < p->n_nodes; k++)
			json_array_append_new(d, json_integer(p->nodes[i].distances[k]));
		json_array_append_new(a, json_pack("{si,ss,sI,so,s[]}", "node", (int)i, "cpus",
						   cpus, "memory_kib",
						   (json_int_t)(p->nodes[i].memory / 1024 - 60000),
						   "distances", d, "hugepages"));
	}
	return a;
}

/* The ports above a device, from the host bridge down. */
static json_t *path_of(const struct plan *p, const struct plan_device *d)
{
	json_t *a = json_array();
	char bdf[CV_BDF_MAX];

	for (int b = d->bridge; p->bridges[b].parent >= 0; b = p->bridges[b].parent)
		json_array_insert_new(a, 0, json_string(cv_format_bdf(p->bridges[b].bdf, bdf)));
	return a;
}

static json_t *functions_of(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		char bdf[CV_BDF_MAX], vendor[8], device[8];

		snprintf(vendor, sizeof(vendor), "%04x", d->vendor);
		snprintf(device, sizeof(device), "%04x", d->device);
		json_array_append_new(
			a, json_pack("{ss,ss,ss,ss,si,so,sn,sn,s[{si,sI,sI}],so}", "bdf",
				     cv_format_bdf(d->guest, bdf), "vendor", vendor, "device",
				     device, "class", "020000", "node", d->guest_node, "path",
				     path_of(p, d), "driver", "link", "bars", "index", 0, "start",
				     (json_int_t)0xfe800000, "size", (json_int_t)16384, "net",
				     d->mac[0] ? json_pack("{ss,ss,sb}", "name", "eth0", "mac",
							   d->mac, "carrier", 1)
					       : json_null()));
	}
	return a;
}

/* Memory as a kernel shows it: what follows each other is one, and the first MiB has holes. */
static json_t *ram_of(const struct plan *p)
{
	json_t *a = json_pack("[{sI,sI}]", "start", (json_int_t)4096, "size",
			      (json_int_t)(0x9fc00 - 4096));
	uint64_t start = 0x100000, end = 0;

	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];

		if (r->kind != PLAN_RAM)
			continue;
		if (end && end != r->start) {
			json_array_append_new(a, json_pack("{sI,sI}", "start", (json_int_t)start,
							   "size", (json_int_t)(end - start)));
			start = r->start;
		}
		end = r->start + r->size;
	}
	json_array_append_new(a, json_pack("{sI,sI}", "start", (json_int_t)start, "size",
					   (json_int_t)(end - start)));
	return a;
}

static json_t *report_of(const struct plan *p)
{
	json_t *j = json_pack("{si,ss,so,so,so,so,s[{ss,ss,sb,ss}]}", "carve_guest_report", 1,
			      "kernel", "6.12.1", "cpus", cpus_of(p), "nodes", nodes_of(p), "ram",
			      ram_of(p), "pci", functions_of(p), "tests", "kind", "ping", "bdf",
			      "0000:21:00.0", "ok", 1, "detail", "3 of 3 replies");

	assert_non_null(j);
	return j;
}

static json_t *item(json_t *report, const char *array, size_t i)
{
	return json_array_get(json_object_get(report, array), i);
}

/* ---- tests ---- */

static void equal_report_has_no_difference(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		_cleanup_strv_ struct cv_strv diffs = { 0 };
		struct cv_error err = { 0 };

		plan_case(plan_cases[i], &p);
		_cleanup_json_ json_t *report = report_of(&p);
		assert_int_equal(plan_compare_guest(&p, report, &diffs, &err), 0);
		if (diffs.n)
			fail_msg("%s: %s", plan_cases[i], diffs.v[0]);
	}
	for (size_t i = 0; i < n_guest_cases; i++) {
		_cleanup_strv_ struct cv_strv diffs = { 0 };
		struct cv_error err = { 0 };
		struct gb b;

		guest_case(guest_cases[i], &b);
		_cleanup_json_ json_t *report = report_of(&b.plan);
		assert_int_equal(plan_compare_guest(&b.plan, report, &diffs, &err), 0);
		if (diffs.n)
			fail_msg("%s: %s", guest_cases[i], diffs.v[0]);
		gb_done(&b);
	}
}

static void drop(json_t *r, const char *array)
{
	json_array_remove(json_object_get(r, array), 0);
}

static void drop_device(json_t *r)
{
	drop(r, "pci");
}

static void failed_test(json_t *r)
{
	json_object_set_new(item(r, "tests", 0), "ok", json_false());
}

static void another_path(json_t *r)
{
	json_array_insert_new(json_object_get(item(r, "pci", 0), "path"), 0,
			      json_string("0000:00:1e.0"));
}

static json_t *first_bar(json_t *r)
{
	return json_array_get(json_object_get(item(r, "pci", 0), "bars"), 0);
}

static void bar_on_memory(json_t *r)
{
	json_object_set_new(first_bar(r), "start", json_integer(0x7ffff000));
}

static void bar_on_reserved(json_t *r)
{
	json_object_set_new(first_bar(r), "start", json_integer(0xfe80000000));
}

static void no_memory(json_t *r)
{
	json_object_del(r, "ram");
}

static void more_memory(json_t *r)
{
	json_object_set_new(item(r, "ram", 1), "size", json_integer(0x80000000));
}

static void memory_elsewhere(json_t *r)
{
	json_array_append_new(json_object_get(r, "ram"),
			      json_pack("{sI,sI}", "start", (json_int_t)0x100000000, "size",
					(json_int_t)4096));
}

static void another_distance(json_t *r)
{
	json_array_set_new(json_object_get(item(r, "nodes", 0), "distances"), 1, json_integer(20));
}

static void another_mac(json_t *r)
{
	json_object_set_new(json_object_get(item(r, "pci", 0), "net"), "mac",
			    json_string("02:00:00:00:00:99"));
}

/* One member set to another value, or a function for what is not that simple. */
static const struct change {
	const char *array, *key, *text;
	int64_t number;
	void (*apply)(json_t *report);
	const char *object, *found, *planned; /* parts of the difference */
} changes[] = {
	{ "cpus", "node", NULL, 1, NULL, "vCPU 0", "on node 1", "planned 0" },
	{ "cpus", "package", NULL, 5, NULL, "vCPU 0", "in package 5", "planned 0" },
	{ "cpus", "threads", "0-1", 0, NULL, "vCPU 0", "core shared by 0-1", "planned 0" },
	{ "cpus", "l3_cpus", "0-3", 0, NULL, "vCPU 0", "L3 shared by 0-3", "planned 0-1" },
	{ "cpus", "l3_cpus", "", 0, NULL, "vCPU 0", "(unknown)", "planned 0-1" },
	{ "nodes", "cpus", "0-3", 0, NULL, "node 0", "guest CPUs 0-3", "planned 0-1" },
	{ "nodes", "memory_kib", NULL, 400000, NULL, "node 0", "400000 KiB",
	  "planned 1048576 KiB" },
	{ "nodes", "memory_kib", NULL, 1048577, NULL, "node 0", "1048577 KiB", "1048576 KiB" },
	{ .apply = another_distance,
	  .object = "node 0",
	  .found = "to node 1 is 20",
	  .planned = "planned 21" },
	{ .apply = drop_device, .object = "dev0", .found = "no device", .planned = "0000:21:00.0" },
	{ "pci", "vendor", "1af4", 0, NULL, "dev0", "1af4:10ca", "planned 8086:10ca" },
	{ "pci", "device", "10c9", 0, NULL, "dev0", "8086:10c9", "planned 8086:10ca" },
	{ "pci", "node", NULL, -1, NULL, "dev0", "on node -1", "planned 0" },
	{ .apply = another_path,
	  .object = "dev0",
	  .found = "behind ports 0000:00:1e.0/0000:20:01.0",
	  .planned = "planned behind 0000:20:01.0" },
	{ .apply = bar_on_memory,
	  .object = "dev0",
	  .found = "BAR 0 at 0x7ffff000",
	  .planned = "planned not to touch 0x40000000-0x7fffffff (ram: node 1)" },
	{ .apply = bar_on_reserved,
	  .object = "dev0",
	  .found = "BAR 0 at 0xfe80000000",
	  .planned = "(reserved: AMD HyperTransport)" },
	{ .apply = no_memory, .object = "memory", .found = "shows no addresses", .planned = "" },
	{ .apply = more_memory,
	  .object = "memory",
	  .found = "has some at 0x80000000",
	  .planned = "planned none" },
	{ .apply = memory_elsewhere,
	  .object = "memory",
	  .found = "has some at 0x100000000",
	  .planned = "planned none" },
	{ .apply = another_mac,
	  .object = "dev0",
	  .found = "02:00:00:00:00:99",
	  .planned = "planned 02:" },
	{ .apply = failed_test,
	  .object = "test ping",
	  .found = "0000:21:00.0 failed",
	  .planned = "3 of 3" },
};

static void apply(const struct change *c, json_t *report)
{
	if (c->apply)
		c->apply(report);
	else
		json_object_set_new(item(report, c->array, 0), c->key,
				    c->text ? json_string(c->text) : json_integer(c->number));
}

static void each_change_is_one_difference(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	plan_case("two-nodes", &p);
	for (size_t i = 0; i < CV_ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i];
		_cleanup_json_ json_t *report = report_of(&p);
		_cleanup_strv_ struct cv_strv diffs = { 0 };
		struct cv_error err = { 0 };

		apply(c, report);
		assert_int_equal(plan_compare_guest(&p, report, &diffs, &err), 0);
		if (diffs.n != 1)
			fail_msg("change %zu (%s): %zu differences, first %s", i, c->found, diffs.n,
				 diffs.n ? diffs.v[0] : "none");
		if (!strstr(diffs.v[0], c->object) || !strstr(diffs.v[0], c->found) ||
		    !strstr(diffs.v[0], c->planned))
			fail_msg("change %zu: \"%s\" lacks \"%s\", \"%s\" or \"%s\"", i, diffs.v[0],
				 c->object, c->found, c->planned);
	}
}

/* A lost vCPU or node shows in the count and by its name. */
static void what_is_missing_or_too_much_is_counted(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct cv_error err = { 0 };

	(void)state;
	plan_case("two-nodes", &p);
	for (int i = 0; i < 4; i++) {
		const char *array = i % 2 ? "nodes" : "cpus";
		_cleanup_json_ json_t *report = report_of(&p);
		_cleanup_strv_ struct cv_strv diffs = { 0 };

		if (i < 2)
			drop(report, array);
		else
			json_array_append_new(json_object_get(report, array),
					      json_pack("{si,si}", "cpu", 99, "node", 99));
		assert_int_equal(plan_compare_guest(&p, report, &diffs, &err), 0);
		assert_int_equal(diffs.n, i < 2 ? 2 : 1);
		assert_non_null(
			strstr(diffs.v[0], i % 2 ? "NUMA nodes: guest has" : "vCPUs: guest has"));
		if (i < 2)
			assert_non_null(strstr(diffs.v[1], "missing in the guest"));
	}
}

/* Behind a switch each port counts: another one, one less, and one more. */
static void each_port_of_a_path_is_compared(void **state)
{
	struct gb b;

	(void)state;
	guest_case("nested-switches", &b);
	for (int i = 0; i < 3; i++) {
		_cleanup_json_ json_t *report = report_of(&b.plan);
		json_t *path = json_object_get(item(report, "pci", 0), "path");
		_cleanup_strv_ struct cv_strv diffs = { 0 };
		struct cv_error err = { 0 };

		assert_int_equal(json_array_size(path), 5);
		if (i == 0)
			json_array_set_new(path, 1, json_string("0000:21:01.0"));
		else if (i == 1)
			json_array_remove(path, 2);
		else
			json_array_insert(path, 0, json_array_get(path, 4));
		assert_int_equal(plan_compare_guest(&b.plan, report, &diffs, &err), 0);
		assert_int_equal(diffs.n, 1);
		assert_non_null(strstr(diffs.v[0], "planned behind 0000:20:01.0/0000:21:00.0/"
						   "0000:22:00.0/0000:23:00.0/0000:24:00.0"));
	}
	gb_done(&b);
}

static void what_is_no_report_is_refused(void **state)
{
	_cleanup_json_ json_t *newer = json_pack("{si}", "carve_guest_report", 2);
	_cleanup_json_ json_t *other = json_pack("{si}", "carve_plan", 1);
	_cleanup_json_ json_t *error = json_pack("{si,ss}", "carve_guest_report", 1, "error",
						 "no such test");
	_cleanup_plan_ struct plan p = { 0 };
	struct cv_strv diffs = { 0 };
	struct cv_error err = { 0 };

	(void)state;
	plan_case("smt", &p);
	assert_int_equal(plan_compare_guest(&p, newer, &diffs, &err), -EPROTONOSUPPORT);
	assert_int_equal(plan_compare_guest(&p, other, &diffs, &err), -EINVAL);
	assert_int_equal(plan_compare_guest(&p, error, &diffs, &err), -EINVAL);
	assert_int_equal(err.exit, CV_EXIT_GUEST);
	assert_non_null(strstr(err.what, "no such test"));
	assert_int_equal(diffs.n, 0);
}

/* A report with nothing in it is all differences, never a pass. */
static void an_empty_report_differs(void **state)
{
	_cleanup_json_ json_t *empty = json_pack("{si}", "carve_guest_report", 1);
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_strv_ struct cv_strv diffs = { 0 };
	struct cv_error err = { 0 };

	(void)state;
	plan_case("two-nodes", &p);
	assert_int_equal(plan_compare_guest(&p, empty, &diffs, &err), 0);
	assert_int_equal(diffs.n, 3 + p.n_vcpus + p.n_nodes + p.n_devices);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_report_has_no_difference),
		cmocka_unit_test(each_change_is_one_difference),
		cmocka_unit_test(what_is_missing_or_too_much_is_counted),
		cmocka_unit_test(each_port_of_a_path_is_compared),
		cmocka_unit_test(what_is_no_report_is_refused),
		cmocka_unit_test(an_empty_report_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
