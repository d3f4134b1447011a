// SPDX-License-Identifier: GPL-2.0-or-later
/* Cache ways and memory bandwidth of guests, on a resctrl that refuses what the kernel refuses. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/state.h"
#include "numa/resctrl.h"
#include "numa/resctrl_step.h"
#include "tests/fake/fake_sysroot.h"

#define RC NU_RESCTRL_MOUNT
#define FULL 0xfffU
#define CLOSIDS 4 /* with the default group */

struct host {
	struct fake *fake;
	struct cv_sysroot *root;
	json_t *prior[3]; /* of the VMs "a", "b", "c" */
};

/* ---- the kernel's part ---- */

static int refuse(struct fake *f, const char *why)
{
	fake_file(f, RC "/info/last_cmd_status", why);
	return -EINVAL;
}

/* cbm_validate(): adjacent bits, at least two of them, no others than the cache has */
static const char *judge(uint64_t mask)
{
	if (mask & ~(uint64_t)FULL)
		return "Mask out of range";
	if (mask == 0 || nu_longest_run(mask) != mask)
		return "The mask has non-consecutive 1-bits";
	return __builtin_popcountll(mask) < 2 ? "Need at least 2 bits in the mask" : NULL;
}

/* "L3:0=f" of a schemata: one domain of one resource, the others stay. */
static int write_schemata(struct fake *f, const char *path, const char *text, void *ctx)
{
	uint64_t l3[2], mb[2], value;
	const char *now = fake_text(f, path);
	bool is_l3 = strncmp(text, "L3:", 3) == 0;
	const char *why = NULL;

	for (int d = 0; d < 2; d++)
		if (nu_schemata_find(now, "L3", d, &l3[d]) ||
		    nu_schemata_find(now, "MB", d, &mb[d]))
			return -EIO;
	for (int d = 0; d < 2; d++) {
		if (nu_schemata_find(text, is_l3 ? "L3" : "MB", d, &value) < 0)
			continue;
		why = is_l3			  ? judge(value)
		      : value < 10 || value > 100 ? "MB value out of range"
						  : NULL;
		(is_l3 ? l3 : mb)[d] = is_l3 ? value : (value + 9) / 10 * 10;
	}
	if (why)
		return refuse(f, why);
	fake_filef(f, path, "    MB:0=%3d;1=%3d\n    L3:0=%03x;1=%03x", (int)mb[0], (int)mb[1],
		   (unsigned int)l3[0], (unsigned int)l3[1]);
	return 1;
}

static unsigned int count_groups(struct cv_sysroot *root)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	unsigned int n = 1;

	assert_int_equal(cv_list(root, RC, &names), 0);
	for (size_t i = 0; i < names.n; i++)
		n += cv_exists(root, cv_pathf(path, RC "/%s/schemata", names.v[i]));
	return n;
}

static int fill_group(struct fake *f, const char *path, void *ctx)
{
	const struct host *h = ctx;
	char file[160];

	if (count_groups(h->root) >= CLOSIDS)
		return -ENOSPC;
	snprintf(file, sizeof(file), "%s/schemata", path);
	fake_file(f, file, "    MB:0=100;1=100\n    L3:0=fff;1=fff");
	snprintf(file, sizeof(file), "%s/cpus_list", path);
	fake_file(f, file, "");
	return 0;
}

static void put_host(struct host *h)
{
	char path[80];

	for (int cpu = 0; cpu < 8; cpu++) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cache/index3/id", cpu);
		fake_filef(h->fake, path, "%d", cpu / 4);
	}
	fake_file(h->fake, RC "/info/L3/cbm_mask", "fff");
	fake_file(h->fake, RC "/info/L3/min_cbm_bits", "2");
	fake_file(h->fake, RC "/info/L3/num_closids", "4");
	fake_file(h->fake, RC "/info/L3/shareable_bits", "0");
	fake_file(h->fake, RC "/info/MB/min_bandwidth", "10");
	fake_file(h->fake, RC "/info/MB/bandwidth_gran", "10");
	fake_file(h->fake, RC "/info/last_cmd_status", "ok");
	fake_file(h->fake, RC "/schemata", "    MB:0=100;1=100\n    L3:0=fff;1=fff");
	fake_file(h->fake, RC "/cpus_list", "0-7");
	fake_dir(h->fake, CV_SHARED_DIR);
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	const struct fake_hook hooks[] = {
		{ .pattern = RC "/*schemata", .write = write_schemata },
		{ .pattern = RC "/carve-*", .made = fill_group, .ctx = h },
	};

	if (!h || fake_new(&h->fake, &h->root) < 0)
		return -1;
	for (size_t i = 0; i < CV_ARRAY_SIZE(hooks); i++)
		fake_hook(h->fake, &hooks[i]);
	put_host(h);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(h->prior); i++)
		json_decref(h->prior[i]);
	cv_sysroot_close(h->root);
	free(h);
	return 0;
}

/* ---- a run ---- */

static int start(struct host *h, char vm, const char *value, struct cv_error *err)
{
	char name[2] = { vm, '\0' }, object[64];
	struct cv_step_env env = { .root = h->root, .vm = name, .deadline_ms = 1000 };
	json_t **prior = &h->prior[vm - 'a'];
	int r;

	snprintf(object, sizeof(object), NU_RESCTRL_GROUP "%s", name);
	json_decref(*prior);
	*prior = NULL;
	r = nu_step_resctrl.record(&env, object, value, prior, err);
	return r ?: nu_step_resctrl.apply(&env, object, value, *prior, err);
}

static int stop(struct host *h, char vm)
{
	char name[2] = { vm, '\0' }, object[64];
	struct cv_step_env env = { .root = h->root, .vm = name, .deadline_ms = 1000 };

	snprintf(object, sizeof(object), NU_RESCTRL_GROUP "%s", name);
	return nu_step_resctrl.revert(&env, object, "cpus=2 l3=0 mb=0", h->prior[vm - 'a'], NULL);
}

static void assert_value(struct host *h, const char *group, const char *resource, int domain,
			 uint64_t wanted)
{
	char path[96];
	uint64_t value;

	snprintf(path, sizeof(path), RC "/%s/schemata", group);
	assert_int_equal(nu_schemata_find(fake_text(h->fake, path), resource, domain, &value), 0);
	assert_int_equal(value, wanted);
}

static void assert_same(struct host *h, const char *before)
{
	_cleanup_free_ char *after = fake_dump(h->fake, RC "/info/last_cmd_status");

	assert_string_equal(before, after);
}

static char *dump(struct host *h)
{
	return fake_dump(h->fake, RC "/info/last_cmd_status");
}

/* ---- pure parts ---- */

static void test_schemata(void **state)
{
	static const char text[] = "    MB:0= 20;1=100\n    L3:0=7ff;1=3\nL3X:0=1";
	uint64_t v;

	assert_int_equal(nu_schemata_find("MB:0=20;1=100\nL3:0=7ff;10=3", "L3", 10, &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(nu_schemata_find(text, "L3", 0, &v), 0);
	assert_int_equal(v, 0x7ff);
	assert_int_equal(nu_schemata_find(text, "MB", 1, &v), 0);
	assert_int_equal(v, 100);
	assert_int_equal(nu_schemata_find(text, "MB", 0, &v), 0);
	assert_int_equal(v, 20);
	assert_int_equal(nu_schemata_find(text, "L3", 2, &v), -ENOENT);
	assert_int_equal(nu_schemata_find(text, "L2", 0, &v), -ENOENT);
	assert_int_equal(nu_schemata_find("L3:zero", "L3", 0, &v), -EINVAL);
	assert_int_equal(nu_schemata_find("", "L3", 0, &v), -ENOENT);
}

/* AMD's eighths of GB/s, and MB/s of mba_MBps, are not shares. */
static void test_percent(void **state)
{
	assert_true(nu_schemata_is_percent("    MB:0= 20;1=100\n    L3:0=7ff;1=fff"));
	assert_true(nu_schemata_is_percent("L3:0=7ff"));
	assert_true(nu_schemata_is_percent("MB:"));
	assert_false(nu_schemata_is_percent("MB:0=2048;1=2048\nL3:0=ffff;1=ffff"));
	assert_false(nu_schemata_is_percent("L3:0=f\nMB:0=100;1=4294967295"));
}

static void test_longest_run(void **state)
{
	assert_int_equal(nu_longest_run(0), 0);
	assert_int_equal(nu_longest_run(0xff), 0xff);
	assert_int_equal(nu_longest_run(0x3c3), 0x3c0);
	assert_int_equal(nu_longest_run(0x71), 0x70);
	assert_int_equal(nu_longest_run(UINT64_MAX), UINT64_MAX);
}

static void test_ways(void **state)
{
	static const struct {
		struct nu_ways w;
		unsigned int n;
		uint64_t wanted; /* 0: none */
	} cases[] = {
		{ { 0xfff, 0, 0, 0xfff, 1 }, 4, 0xf },
		{ { 0xfff, 0xf, 0, 0xfff, 1 }, 4, 0xf0 },
		{ { 0xfff, 0xff0, 0, 0xfff, 1 }, 4, 0 },     /* nothing would be left */
		{ { 0xfff, 0xfe0, 0, 0xfff, 1 }, 4, 0xf },   /* one bit is */
		{ { 0xfff, 0xfe0, 0, 0xfff, 2 }, 4, 0 },     /* but two are needed */
		{ { 0xfff, 0, 0x003, 0xfff, 1 }, 4, 0xf00 }, /* devices fill the low ones */
		{ { 0xfff, 0x0f0, 0, 0xfff, 1 }, 3, 0x7 },
		{ { 0xfff, 0, 0, 0xfff, 2 }, 1, 0 },
		{ { 0xfff, 0, 0, 0xfff, 1 }, 12, 0 },
		{ { 0xfff, 0, 0, 0xfff, 1 }, 11, 0x7ff },
		{ { 0xfff, 0, 0, 0xfff, 1 }, 64, 0 },
	};
	uint64_t mask;

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		int r = nu_ways_choose(&cases[i].w, cases[i].n, &mask);

		assert_int_equal(r, cases[i].wanted ? 0 : -ENOSPC);
		if (cases[i].wanted)
			assert_int_equal(mask, cases[i].wanted);
	}
}

/* ---- the step ---- */

static void test_one(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = dump(h);

	assert_int_equal(start(h, 'a', "cpus=2-3 l3=4 mb=50", NULL), 0);
	assert_value(h, "carve-a", "L3", 0, 0xf);
	assert_value(h, "carve-a", "L3", 1, 0xfff); /* its CPUs are not there */
	assert_value(h, "carve-a", "MB", 0, 50);
	assert_value(h, "carve-a", "MB", 1, 100);
	assert_value(h, ".", "L3", 0, 0xff0);
	assert_value(h, ".", "L3", 1, 0xfff);
	assert_string_equal(fake_text(h->fake, RC "/carve-a/cpus_list"), "2-3");
	assert_int_equal(stop(h, 'a'), 0);
	assert_same(h, before);
	assert_int_equal(stop(h, 'a'), 0);
	assert_same(h, before);
}

/* Over two caches, and bandwidth alone. */
static void test_two_caches(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = dump(h);

	assert_int_equal(start(h, 'a', "cpus=3-4 l3=2 mb=0", NULL), 0);
	assert_value(h, "carve-a", "L3", 0, 0x3);
	assert_value(h, "carve-a", "L3", 1, 0x3);
	assert_int_equal(start(h, 'b', "cpus=5 l3=0 mb=20", NULL), 0);
	assert_value(h, "carve-b", "L3", 1, 0xfff);
	assert_value(h, "carve-b", "MB", 1, 20);
	assert_int_equal(stop(h, 'b'), 0);
	assert_int_equal(stop(h, 'a'), 0);
	assert_same(h, before);
}

/* A small letter stops the guest of that name, a capital one starts it. */
static int act(struct host *h, char what)
{
	static const char *const values[] = { "cpus=0 l3=3 mb=0", "cpus=1 l3=4 mb=30",
					      "cpus=2-3 l3=2 mb=0" };

	char name = (char)tolower(what);

	if (what == name)
		return stop(h, name);
	return start(h, name, values[name - 'a'], NULL);
}

/* Guests share a cache; they come and go in any order. */
static void test_orders(void **state)
{
	static const char *const orders[] = {
		"ABCabc", "ABCcba", "ABCbac", "ABaCbc", "AaBb", "BAab"
	};
	struct host *h = *state;
	_cleanup_free_ char *before = dump(h);

	for (size_t i = 0; i < CV_ARRAY_SIZE(orders); i++) {
		for (const char *p = orders[i]; *p; p++)
			assert_int_equal(act(h, *p), 0);
		assert_same(h, before);
	}
}

static void test_default_keeps_longest(void **state)
{
	struct host *h = *state;

	assert_int_equal(start(h, 'a', "cpus=0 l3=3 mb=0", NULL), 0);
	assert_int_equal(start(h, 'b', "cpus=1 l3=4 mb=0", NULL), 0);
	assert_value(h, ".", "L3", 0, 0xf80);
	assert_int_equal(stop(h, 'a'), 0);
	assert_value(h, ".", "L3", 0, 0xf80); /* 0-2 are free, but not adjacent */
	assert_int_equal(start(h, 'c', "cpus=2 l3=3 mb=0", NULL), 0);
	assert_value(h, "carve-c", "L3", 0, 0x7);
}

static void assert_refused(struct host *h, const char *value, int r, const char *code)
{
	_cleanup_free_ char *before = dump(h);
	struct cv_error err = { 0 };

	assert_int_equal(start(h, 'a', value, &err), r);
	if (code)
		assert_string_equal(err.code, code);
	assert_true(err.object[0] && err.hint[0]);
	assert_int_equal(stop(h, 'a'), 0);
	assert_same(h, before);
}

static void test_refusals(void **state)
{
	struct host *h = *state;

	assert_refused(h, "cpus=2 l3=11 mb=0", -ENOSPC, "NO_WAYS"); /* two stay with the host */
	assert_refused(h, "cpus=2 l3=1 mb=0", -ENOSPC, "NO_WAYS");
	fake_remove(h->fake, RC "/info/MB");
	assert_refused(h, "cpus=2 l3=0 mb=50", -EOPNOTSUPP, "NO_RESCTRL");
	fake_remove(h->fake, RC "/info/L3");
	assert_refused(h, "cpus=2 l3=2 mb=0", -EOPNOTSUPP, "NO_RESCTRL");
	fake_remove(h->fake, RC "/info");
	assert_refused(h, "cpus=2 l3=2 mb=0", -EOPNOTSUPP, "NO_RESCTRL");
}

static void test_not_percent(void **state)
{
	struct host *h = *state;

	fake_file(h->fake, RC "/schemata", "    MB:0=2048;1=2048\n    L3:0=fff;1=fff");
	assert_refused(h, "cpus=2 l3=0 mb=50", -EOPNOTSUPP, "NO_RESCTRL");
	assert_int_equal(start(h, 'a', "cpus=2 l3=4 mb=0", NULL), 0);
}

/* A group of the guest's name that is not the guest's: the undo would remove it. */
static void test_name_is_taken(void **state)
{
	struct cv_error err = { 0 };
	struct host *h = *state;

	fake_file(h->fake, RC "/carve-a/schemata", "MB:0=100;1=100\nL3:0=fff;1=fff");
	fake_file(h->fake, RC "/carve-a/cpus_list", "");
	assert_int_equal(start(h, 'a', "cpus=2 l3=0 mb=50", &err), -EBUSY);
	assert_string_equal(err.code, "EBUSY_RESCTRL");
	assert_null(h->prior[0]);
}

static void test_damaged_record(void **state)
{
	struct cv_error err = { 0 };
	struct host *h = *state;

	fake_file(
		h->fake, CV_SHARED_DIR "/resctrl-default%3D0.json",
		"{\"carve_shared\":1,\"kind\":\"resctrl-default\",\"object\":\"0\",\"value\":\"\","
		"\"prior\":{\"mask\":\"x\"},\"holders\":[\"b\"]}");
	assert_int_equal(start(h, 'a', "cpus=2 l3=4 mb=0", &err), -EINVAL);
	assert_true(err.what[0] && err.found[0]);
}

static int drop(struct fake *f, const char *path, const char *text, void *ctx)
{
	return 1;
}

static void test_cpus_do_not_take(void **state)
{
	const struct fake_hook hook = { .pattern = RC "/carve-a/cpus_list", .write = drop };
	struct cv_error err = { 0 };
	struct host *h = *state;

	fake_hook(h->fake, &hook);
	assert_int_equal(start(h, 'a', "cpus=2 l3=0 mb=50", &err), -EIO);
	assert_string_equal(err.code, "EREADBACK");
	assert_int_equal(stop(h, 'a'), 0);
}

static void test_no_closid(void **state)
{
	struct host *h = *state;

	fake_file(h->fake, RC "/x/schemata", "L3:0=fff;1=fff");
	fake_file(h->fake, RC "/y/schemata", "L3:0=fff;1=fff");
	fake_file(h->fake, RC "/z/schemata", "L3:0=fff;1=fff");
	assert_refused(h, "cpus=2 l3=0 mb=50", -ENOSPC, "ENOSPC");
}

/* Groups that an admin made: their ways are not taken, nor their CPUs. */
static void test_others(void **state)
{
	struct host *h = *state;

	fake_file(h->fake, RC "/batch/schemata", "MB:0=100;1=100\nL3:0=03f;1=fff");
	fake_file(h->fake, RC "/batch/cpus_list", "6-7");
	assert_int_equal(start(h, 'b', "cpus=2 l3=4 mb=0", NULL), 0);
	assert_value(h, "carve-b", "L3", 0, 0x3c0);
	assert_refused(h, "cpus=3,6 l3=0 mb=10", -EBUSY, "EBUSY_RESCTRL");
}

/* The kernel's own words reach the user. */
static void test_kernel_refuses(void **state)
{
	struct host *h = *state;
	struct cv_error err = { 0 };

	assert_int_equal(start(h, 'a', "cpus=2 l3=0 mb=5", &err), -EINVAL);
	assert_string_equal(err.found, "MB value out of range");
	assert_int_equal(stop(h, 'a'), 0);
}

/* Every change fails once, while it is applied and while it is undone. */
static void test_sweep(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = dump(h);
	unsigned int n = 0, failures = 0;
	int r;

	do {
		fake_fail_change(h->fake, ++n, -EIO);
		r = start(h, 'a', "cpus=3-4 l3=4 mb=50", NULL);
		fake_fail_change(h->fake, 0, 0);
		failures += r < 0;
		assert_int_equal(stop(h, 'a'), 0);
		assert_same(h, before);
	} while (r < 0 && n < 99);
	assert_int_equal(r, 0);
	assert_true(failures > 8);
	for (n = 1, failures = 0; n < 12; n++) {
		assert_int_equal(start(h, 'a', "cpus=3-4 l3=4 mb=50", NULL), 0);
		fake_fail_change(h->fake, n, -EIO);
		failures += stop(h, 'a') < 0;
		fake_fail_change(h->fake, 0, 0);
		assert_int_equal(stop(h, 'a'), 0);
		assert_same(h, before);
	}
	assert_true(failures > 3);
}

/* Somebody unmounted it meanwhile: with it went all that was divided. */
static void test_unmounted(void **state)
{
	struct host *h = *state;

	static const char kept[] = CV_SHARED_DIR "/resctrl-default%3D0.json";

	assert_int_equal(start(h, 'a', "cpus=2 l3=4 mb=0", NULL), 0);
	assert_true(cv_exists(h->root, kept));
	fake_remove(h->fake, RC);
	fake_dir(h->fake, RC);
	assert_int_equal(stop(h, 'a'), 0);
	assert_false(cv_exists(h->root, kept));
}

static void test_bad_values(void **state)
{
	static const char *const bad[] = { "",
					   "cpus=2",
					   "cpus= l3=1 mb=0",
					   "cpus=2 l3= mb=0",
					   "cpus=2 l3=x mb=0",
					   "cpus=2 l3=1 mb=",
					   "cpus=2 l3=1 mb=5 ",
					   "cpus=2 l3=99999999999999999999999 mb=0" };
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_int_equal(start(h, 'a', bad[i], NULL), -EINVAL);
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemata),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_longest_run),
		cmocka_unit_test(test_ways),
		HOST_TEST(test_one),
		HOST_TEST(test_two_caches),
		HOST_TEST(test_orders),
		HOST_TEST(test_default_keeps_longest),
		HOST_TEST(test_refusals),
		HOST_TEST(test_not_percent),
		HOST_TEST(test_name_is_taken),
		HOST_TEST(test_damaged_record),
		HOST_TEST(test_cpus_do_not_take),
		HOST_TEST(test_no_closid),
		HOST_TEST(test_others),
		HOST_TEST(test_kernel_refuses),
		HOST_TEST(test_sweep),
		HOST_TEST(test_unmounted),
		HOST_TEST(test_bad_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
