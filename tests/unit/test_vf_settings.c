// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings of network VFs: every key, what is refused, and text that means the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/vf_policy.h"

#define ALL                                                                                 \
	"mac=02:00:00:00:00:01 vlan=100 qos=3 trust=on spoofchk=off link=auto min_rate=50 " \
	"max_rate=1000 node_guid=00:11:22:33:44:55:66:77 port_guid=00:00:00:00:00:00:00:01"

static void test_nothing(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct vf_settings s;

	vf_settings_none(&s);
	text = vf_settings_text(&s);
	assert_string_equal(text, "");
	assert_int_equal(vf_settings_parse("", &s, NULL), 0);
	assert_false(s.has_mac);
	assert_int_equal(s.vlan, -1);
	assert_int_equal(s.link, VF_KEEP);
	assert_int_equal(s.max_rate, -1);
}

static void test_all_keys(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct vf_settings s;

	assert_int_equal(vf_settings_parse(ALL, &s, NULL), 0);
	assert_true(s.has_mac);
	assert_int_equal(s.mac[0], 2);
	assert_int_equal(s.mac[5], 1);
	assert_int_equal(s.vlan, 100);
	assert_int_equal(s.qos, 3);
	assert_int_equal(s.trust, VF_ON);
	assert_int_equal(s.spoofchk, VF_OFF);
	assert_int_equal(s.link, VF_AUTO);
	assert_int_equal(s.min_rate, 50);
	assert_int_equal(s.max_rate, 1000);
	assert_true(s.node_guid == 0x0011223344556677);
	assert_true(s.port_guid == 1);
	text = vf_settings_text(&s);
	assert_string_equal(text, ALL);
}

/* A plan that asks for no address says so with an empty one. */
static void test_plan_value(void **state)
{
	struct vf_settings s;

	assert_int_equal(vf_settings_parse("mac= vlan=0", &s, NULL), 0);
	assert_false(s.has_mac);
	assert_int_equal(s.vlan, 0);
}

static void test_bounds(void **state)
{
	struct vf_settings s;

	assert_int_equal(vf_settings_parse("vlan=4094 qos=7", &s, NULL), 0);
	assert_int_equal(vf_settings_parse("vlan=0", &s, NULL), 0);
	assert_int_equal(vf_settings_parse("max_rate=4294967295", &s, NULL), 0);
	assert_true(s.max_rate == UINT32_MAX);
	assert_int_equal(vf_settings_parse("min_rate=500 max_rate=0", &s, NULL), 0);
	assert_int_equal(vf_settings_parse("min_rate=500 max_rate=500", &s, NULL), 0);
}

/* struct refusal - a value, and what its error says was found */
static const struct {
	const char *key, *value;
} bad_values[] = {
	{ "mac", "01:00:00:00:00:01" }, /* multicast */
	{ "mac", "ff:ff:ff:ff:ff:ff" },
	{ "mac", "00:00:00:00:00:00" },
	{ "mac", "02:00:00:00:00" },
	{ "vlan", "5000" },
	{ "vlan", "4095" },
	{ "vlan", "-1" },
	{ "vlan", "" },
	{ "qos", "8" },
	{ "trust", "auto" },
	{ "spoofchk", "2" },
	{ "link", "up" },
	{ "min_rate", "1.5" },
	{ "max_rate", "4294967296" },
	{ "max_rate", "10 " },
	{ "node_guid", "00:00:00:00:00:00:00:00" },
	{ "node_guid", "00:11:22:33:44:55:66" },
	{ "port_guid", "00:11:22:33:44:55:66:7g" },
	{ "port_guid", "00:11:22:33:44:55:66-77" },
	{ "port_guid", "0011:22:33:44:55:66:777" },
};

static void test_bad_values(void **state)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad_values); i++) {
		const char *value = bad_values[i].value;
		struct vf_settings s, none;
		struct cv_error err = { 0 };

		vf_settings_none(&s);
		vf_settings_none(&none);
		if (vf_settings_set(&s, bad_values[i].key, value, &err) != -EINVAL)
			fail_msg("%s=%s is taken", bad_values[i].key, value);
		assert_int_equal(err.exit, CV_EXIT_USAGE);
		assert_string_equal(err.object, bad_values[i].key);
		assert_string_equal(err.found, value[0] ? value : "nothing");
		assert_true(err.wanted[0] != '\0');
		assert_true(vf_settings_match(&s, &none)); /* nothing was set */
	}
}

static void refused(const char *text, const char *code)
{
	struct cv_error err = { 0 };
	struct vf_settings s = { .vlan = 7 };

	if (vf_settings_parse(text, &s, &err) != -EINVAL)
		fail_msg("%s is taken", text);
	assert_string_equal(err.code, code);
	assert_true(err.found[0] || strstr(err.what, "twice"));
	assert_int_equal(s.vlan, 7);
}

static void test_bad_text(void **state)
{
	refused("vlan", "VF_SETTING");
	refused("colour=red", "VF_SETTING");
	refused("vlan=1 vlan=2", "VF_SETTING");
	refused("min_rate=500 max_rate=100", "VF_RATE");
	refused("qos=3", "VF_QOS");
	refused("vlan=0 qos=3", "VF_QOS");
}

/* A highest rate below the lowest one that is in force already. */
static void test_rate_below_minimum(void **state)
{
	struct vf_settings wanted, now;
	struct cv_error err = { 0 };

	assert_int_equal(vf_settings_parse("min_rate=500", &now, NULL), 0);
	assert_int_equal(vf_settings_parse("max_rate=100", &wanted, NULL), 0);
	vf_settings_over(&now, &wanted);
	assert_int_equal(vf_settings_check(&wanted, "0000:81:00.0/3", &err), -EINVAL);
	assert_string_equal(err.object, "0000:81:00.0/3");
	assert_non_null(strstr(err.found, "100"));
	assert_non_null(strstr(err.wanted, "500"));
	assert_true(err.hint[0] != '\0');
}

static void test_over(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct vf_settings s, now;

	assert_int_equal(vf_settings_parse(ALL, &now, NULL), 0);
	vf_settings_none(&s);
	vf_settings_over(&now, &s);
	text = vf_settings_text(&s);
	assert_string_equal(text, ALL);

	/* without a VLAN there is no priority either */
	assert_int_equal(vf_settings_parse("vlan=0", &s, NULL), 0);
	vf_settings_over(&now, &s);
	assert_int_equal(s.qos, 0);
	assert_int_equal(vf_settings_check(&s, "vf", NULL), 0);
}

static void test_match(void **state)
{
	struct vf_settings all, some, none;

	vf_settings_none(&none);
	assert_int_equal(vf_settings_parse(ALL, &all, NULL), 0);
	assert_int_equal(vf_settings_parse("vlan=100 trust=on", &some, NULL), 0);
	assert_true(vf_settings_match(&none, &all));
	assert_true(vf_settings_match(&some, &all));
	assert_false(vf_settings_match(&all, &some)); /* not reported is not as wanted */
	assert_int_equal(vf_settings_parse("vlan=101 trust=on", &some, NULL), 0);
	assert_false(vf_settings_match(&some, &all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_plan_value),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_rate_below_minimum),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
