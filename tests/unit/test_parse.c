// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers, sizes, addresses, CPU lists and string lists. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bdf.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/parse.h"
#include "base/strv.h"

static void test_u64(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999x", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		uint64_t value = 4711;

		assert_int_equal(cv_parse_u64(cases[i].text, &value), cases[i].rc);
		assert_int_equal(value, cases[i].rc ? 4711 : cases[i].value);
	}
}

static void test_hex(void **state)
{
	uint64_t value = 0;

	assert_int_equal(cv_parse_hex("0x10c9", &value), 0);
	assert_int_equal(value, 0x10c9);
	assert_int_equal(cv_parse_hex("FFffFFffFFffFFff", &value), 0);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(cv_parse_hex("10000000000000000", &value), -ERANGE);
	assert_int_equal(cv_parse_hex("0x", &value), -EINVAL);
	assert_int_equal(cv_parse_hex("0x0x1", &value), -EINVAL);
	assert_int_equal(cv_parse_hex("12g", &value), -EINVAL);
}

static void test_int(void **state)
{
	int value = 0;

	assert_int_equal(cv_parse_int("-2147483648", &value), 0);
	assert_int_equal(value, INT_MIN);
	assert_int_equal(cv_parse_int("2147483647", &value), 0);
	assert_int_equal(value, INT_MAX);
	assert_int_equal(cv_parse_int("2147483648", &value), -ERANGE);
	assert_int_equal(cv_parse_int("-2147483649", &value), -ERANGE);
	assert_int_equal(cv_parse_int("-", &value), -EINVAL);
	assert_int_equal(cv_parse_int("--1", &value), -EINVAL);
}

static void test_bool(void **state)
{
	bool value = false;

	assert_int_equal(cv_parse_bool("Y", &value), 0);
	assert_true(value);
	assert_int_equal(cv_parse_bool("off", &value), 0);
	assert_false(value);
	assert_int_equal(cv_parse_bool("Yes", &value), -EINVAL);
	assert_int_equal(cv_parse_bool("", &value), -EINVAL);
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} cases[] = {
		{ "4096", 0, 4096 },
		{ "512K", 0, 512 << 10 },
		{ "1GiB", 0, 1 << 30 },
		{ "2MB", 0, 2 << 20 },
		{ "16383P", 0, UINT64_C(16383) << 50 },
		{ "16384P", -ERANGE, 0 },
		{ "1.5T", -EINVAL, 0 },
		{ "1G ", -EINVAL, 0 },
		{ "1g", -EINVAL, 0 },
		{ "G", -EINVAL, 0 },
		{ "1Gi", -EINVAL, 0 },
		{ "1GiBx", -EINVAL, 0 },
		{ "4096B", -EINVAL, 0 },
		{ "-1G", -EINVAL, 0 },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		uint64_t value = 0;

		assert_int_equal(cv_parse_size(cases[i].text, &value), cases[i].rc);
		assert_int_equal(value, cases[i].value);
	}
}

static void test_format_size(void **state)
{
	char buf[CV_SIZE_MAX];

	assert_string_equal(cv_format_size(0, buf), "0");
	assert_string_equal(cv_format_size(4095, buf), "4095");
	assert_string_equal(cv_format_size(UINT64_C(1536) << 20, buf), "1536M");
	assert_string_equal(cv_format_size(UINT64_C(1) << 60, buf), "1024P");
	assert_string_equal(cv_format_size(UINT64_MAX, buf), "18446744073709551615");
}

static void test_mac(void **state)
{
	uint8_t mac[6];
	char buf[CV_MAC_MAX];

	assert_int_equal(cv_parse_mac("02:00:5E:10:0a:ff", mac), 0);
	assert_string_equal(cv_format_mac(mac, buf), "02:00:5e:10:0a:ff");
	assert_int_equal(cv_parse_mac("02:00:5e:10:0a", mac), -EINVAL);
	assert_int_equal(cv_parse_mac("02:00:5e:10:0a:f", mac), -EINVAL);
	assert_int_equal(cv_parse_mac("02:00:5e:10:0a:ff:", mac), -EINVAL);
	assert_int_equal(cv_parse_mac("02-00-5e-10-0a-ff", mac), -EINVAL);
}

static void test_bdf(void **state)
{
	struct cv_bdf b;
	char buf[CV_BDF_MAX];

	assert_int_equal(cv_parse_bdf("65:00.0", &b), 0);
	assert_string_equal(cv_format_bdf(b, buf), "0000:65:00.0");
	assert_int_equal(cv_parse_bdf("10000:e1:1f.7", &b), 0);
	assert_string_equal(cv_format_bdf(b, buf), "10000:e1:1f.7");
	assert_int_equal(cv_parse_bdf("ffffffff:ff:1f.7", &b), 0);
	assert_string_equal(cv_format_bdf(b, buf), "ffffffff:ff:1f.7");
	assert_int_equal(cv_parse_bdf("0000:65:20.0", &b), -ERANGE);
	assert_int_equal(cv_parse_bdf("0000:65:00.8", &b), -ERANGE);
}

static void test_bdf_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"65",
		"65:00",
		"65:00.",
		"0000:65:00",
		"5:00.0",
		"0000:65:0.0",
		"0000:65:00.0 ",
		" 65:00.0",
		"0000:65:00.00",
		"000:65:00.0",
		"0000:65:00:0",
		"123456789:65:00.0",
		"0000:6g:00.0",
		"::.",
		"0x00:65:00.0",
		"0000:0000:65:00.0",
	};
	struct cv_bdf b;

	for (size_t i = 0; i < CV_ARRAY_SIZE(texts); i++)
		assert_int_equal(cv_parse_bdf(texts[i], &b), -EINVAL);
}

static void test_bdf_order(void **state)
{
	const struct cv_bdf pf = { .domain = 0, .bus = 0x01, .dev = 0, .fn = 0 };
	struct cv_bdf vf = cv_bdf_add(pf, 128);
	char buf[CV_BDF_MAX];

	assert_string_equal(cv_format_bdf(vf, buf), "0000:01:10.0");
	assert_string_equal(cv_format_bdf(cv_bdf_add(pf, 256 + 9), buf), "0000:02:01.1");
	assert_string_equal(cv_format_bdf(cv_bdf_add(pf, 0xff00), buf), "0000:00:00.0");
	assert_true(cv_bdf_cmp(pf, vf) < 0);
	assert_true(cv_bdf_cmp(vf, pf) > 0);
	assert_int_equal(cv_bdf_cmp(pf, pf), 0);
	assert_true(cv_bdf_cmp((struct cv_bdf){ .domain = 1 }, vf) > 0);
}

static void test_cpulist(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *formatted;
	} cases[] = {
		{ "", 0, "" },
		{ "0-3,8,10-11", 0, "0-3,8,10-11" },
		{ "3,2,1", 0, "1-3" },
		{ "63-64,127,128", 0, "63-64,127-128" },
		{ "4095", 0, "4095" },
		{ "4096", -ERANGE, NULL },
		{ "99999999999", -ERANGE, NULL },
		{ "3-1", -ERANGE, NULL },
		{ "0,", -EINVAL, NULL },
		{ ",0", -EINVAL, NULL },
		{ "0--1", -EINVAL, NULL },
		{ "0-", -EINVAL, NULL },
		{ "0 1", -EINVAL, NULL },
		{ "0-3:1/2", -EINVAL, NULL },
		{ "4096,x", -EINVAL, NULL },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;
		struct cv_cpuset set;

		assert_int_equal(cv_parse_cpulist(cases[i].text, &set), cases[i].rc);
		if (cases[i].rc)
			continue;
		text = cv_format_cpulist(&set);
		assert_string_equal(text, cases[i].formatted);
	}
}

static void test_cpuset(void **state)
{
	struct cv_cpuset a, b, c;
	int sum = 0;

	assert_int_equal(cv_parse_cpulist("0-7,64", &a), 0);
	assert_int_equal(cv_parse_cpulist("4-9", &b), 0);
	assert_true(cv_cpuset_intersects(&a, &b));
	c = a;
	cv_cpuset_and(&c, &b);
	assert_int_equal(cv_cpuset_count(&c), 4);
	c = a;
	cv_cpuset_andnot(&c, &b);
	assert_false(cv_cpuset_intersects(&c, &b));
	cv_cpuset_or(&c, &b);
	assert_int_equal(cv_cpuset_count(&c), 11);
	cv_cpuset_del(&c, 64);
	cv_cpuset_add(&c, -1);
	cv_cpuset_add(&c, CV_CPU_MAX);
	assert_false(cv_cpuset_has(&c, 64));
	assert_false(cv_cpuset_has(&c, CV_CPU_MAX));
	CV_CPUSET_FOREACH(cpu, &c)
	sum += cpu;
	assert_int_equal(sum, 45);
	assert_false(cv_cpuset_equal(&a, &c));
	assert_true(cv_cpuset_is_empty(&(struct cv_cpuset){ 0 }));
}

static void test_strv(void **state)
{
	static const char *const names[] = { "node10",	     "0000:1a:00.0", "node2",	    "cpu",
					     "0000:02:00.0", "node02",	     "0000:10:00.0" };
	_cleanup_strv_ struct cv_strv l = { 0 };
	_cleanup_free_ char *empty = cv_strv_join(&l, ",");
	_cleanup_free_ char *text = NULL;

	assert_string_equal(empty, "");
	for (size_t i = 0; i < CV_ARRAY_SIZE(names); i++)
		assert_int_equal(cv_strv_add(&l, names[i]), 0);
	assert_int_equal(cv_strv_addf(&l, "cpu%d", 7), 0);
	cv_strv_sort(&l);
	text = cv_strv_join(&l, " ");
	assert_string_equal(text, "0000:02:00.0 0000:10:00.0 0000:1a:00.0 cpu cpu7 node02 node2 "
				  "node10");
	assert_true(cv_strv_has(&l, "cpu7"));
	assert_false(cv_strv_has(&l, "cpu8"));
	assert_null(l.v[l.n]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),	    cmocka_unit_test(test_hex),
		cmocka_unit_test(test_int),	    cmocka_unit_test(test_bool),
		cmocka_unit_test(test_size),	    cmocka_unit_test(test_format_size),
		cmocka_unit_test(test_mac),	    cmocka_unit_test(test_bdf),
		cmocka_unit_test(test_bdf_refused), cmocka_unit_test(test_bdf_order),
		cmocka_unit_test(test_cpulist),	    cmocka_unit_test(test_cpuset),
		cmocka_unit_test(test_strv),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
