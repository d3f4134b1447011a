// SPDX-License-Identifier: GPL-2.0-or-later
/* The comparison of two host states: what is not reported here is not noticed after a release. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tools/hoststate.h"

/** struct sample - one object of each kind, as it is and as it might be afterwards */
struct sample {
	const char *object;
	const char *before;
	const char *now;
	bool is_fleeting; /* may be there or not: only its value is compared */
};

static const struct sample samples[] = {
	{ "pci/0000:81:00.0/driver", "igb", "vfio-pci" },
	{ "pci/0000:81:00.0/driver_override", "", "vfio-pci" },
	{ "pci/0000:81:00.0/numvfs", "0", "7" },
	{ "pci/0000:81:00.0/autoprobe", "1", "0" },
	{ "pci/0000:81:00.0/irq/0", "0-7", "0-3", true },
	{ "cgroup/user.slice/cpuset.cpus", "", "0-3", true },
	{ "pci/0000:81:00.0/net/eth1/flags", "0x1003", "0x1002" },
	{ "pci/0000:81:00.0/net/eth1/operstate", "up", "down" },
	{ "pci/0000:81:00.0/vf/0", "mac 02:00:00:00:00:01 vlan 0", "mac 02:00:00:00:00:01 vlan 9" },
	{ "pci/0000:81:00.0/vf/1", "mac 02:00:00:00:00:02 vlan 0", "mac 02:00:00:00:00:03 vlan 0" },
	{ "pci/0000:82:00.0/nvme/0", "offline vq 0 vi 0", "online vq 2 vi 1" },
	{ "irq/default", "ff", "0f" },
	{ "irq/4:ttyS0", "0-7", "0" },
	{ "node1/hugepages-2048kB/nr", "64", "63" },
	{ "node1/hugepages-1048576kB/surplus", "0", "1" },
	{ "cgroup/cgroup.subtree_control", "cpu memory", "cpuset cpu memory" },
	{ "cgroup/cpuset.cpus.isolated", "", "5-6" },
	{ "cgroup/carve/cgroup.type", "domain", "domain threaded" },
	{ "cgroup/carve/cpuset.cpus", "", "0-7" },
	{ "cgroup/carve/vm1/cpuset.cpus.exclusive", "", "5-6" },
	{ "cgroup/carve/vm1/vcpu/cpuset.cpus.partition", "member", "isolated" },
	{ "dev/vfio/12", "0600 0:0", "0600 1000:0" },
	{ "dev/kvm", "0660 0:104", "0666 0:104" },
	{ "module/vfio_pci", "loaded", "unloaded" },
	{ "run/carve/leases/vm1.json", "{ \"name\": \"vm1\" }", "{ \"name\": \"vm2\" }" },
	{ "run/carve/vm/vm1", "directory", "file" },
	{ "run/carve/shared/x", "{}", "{ \"holders\": [] }" },
};

static json_t *make_state(void)
{
	json_t *j = json_pack("{s:i,s:{}}", "carve_hoststate", HOSTSTATE_VERSION, "values");

	assert_non_null(j);
	for (size_t i = 0; i < CV_ARRAY_SIZE(samples); i++)
		assert_int_equal(json_object_set_new(json_object_get(j, "values"),
						     samples[i].object,
						     json_string(samples[i].before)),
				 0);
	return j;
}

static void expect_one(const json_t *before, const json_t *now, const char *object,
		       const char *old_value, const char *new_value)
{
	_cleanup_json_ json_t *list = hoststate_compare(before, now);
	const json_t *d = json_array_get(list, 0);

	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(cv_json_str(d, "object", ""), object);
	assert_string_equal(cv_json_str(d, "before", "(none)"), old_value);
	assert_string_equal(cv_json_str(d, "now", "(none)"), new_value);
}

static void expect_none(const json_t *before, const json_t *now)
{
	_cleanup_json_ json_t *list = hoststate_compare(before, now);

	assert_non_null(list);
	assert_int_equal(json_array_size(list), 0);
}

static void test_identical(void **state)
{
	_cleanup_json_ json_t *before = make_state(), *now = make_state();

	expect_none(before, now);
}

static void test_changed(void **state)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(samples); i++) {
		_cleanup_json_ json_t *before = make_state(), *now = make_state();
		const struct sample *s = &samples[i];

		json_object_set_new(json_object_get(now, "values"), s->object, json_string(s->now));
		expect_one(before, now, s->object, s->before, s->now);
		expect_one(now, before, s->object, s->now, s->before);
	}
}

static void test_gone_and_new(void **state)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(samples); i++) {
		_cleanup_json_ json_t *before = make_state(), *now = make_state();
		const struct sample *s = &samples[i];

		json_object_del(json_object_get(now, "values"), s->object);
		if (s->is_fleeting) {
			expect_none(before, now);
			expect_none(now, before);
			continue;
		}
		expect_one(before, now, s->object, s->before, "(none)");
		expect_one(now, before, s->object, "(none)", s->before);
	}
}

/* Saved and read back it is the same state, in whatever order it was written. */
static void test_saved(void **state)
{
	_cleanup_json_ json_t *before = make_state(), *saved = NULL, *list = NULL;
	_cleanup_free_ char *text = json_dumps(before, JSON_SORT_KEYS);

	assert_int_equal(hoststate_parse(text, "before.json", &saved, NULL), 0);
	list = hoststate_compare(before, saved);
	assert_int_equal(json_array_size(list), 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "", -EINVAL },
		{ "[]", -EINVAL },
		{ "{}", -EINVAL },
		{ "{\"carve_topo\":1}", -EINVAL },
		{ "{\"carve_hoststate\":1}", -EINVAL },
		{ "{\"carve_hoststate\":1,\"values\":[]}", -EINVAL },
		{ "{\"carve_hoststate\":1,\"values\":{\"dev/kvm\":7}}", -EINVAL },
		{ "{\"carve_hoststate\":1,\"values\":{\"a\":\"1\",\"a\":\"2\"}}", -EINVAL },
		{ "{\"carve_hoststate\":2,\"values\":{}}", -EPROTONOSUPPORT },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		struct cv_error err = { 0 };
		json_t *j = NULL;

		assert_int_equal(hoststate_parse(bad[i].text, "x.json", &j, &err), bad[i].error);
		assert_null(j);
		assert_true(err.code[0] && strstr(err.object, "x.json"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identical),    cmocka_unit_test(test_changed),
		cmocka_unit_test(test_gone_and_new), cmocka_unit_test(test_saved),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("hoststate", tests, NULL, NULL);
}
