// SPDX-License-Identifier: GPL-2.0-or-later
/* The text manifest: what is refused and where, unpacking, capturing, and back again. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/manifest.h"
#include "tests/fake/fake_pci.h"
#include "tests/fake/temp_root.h"

#define HEAD "carve-sysroot 1\n"

static int unpack(struct temp_root *t, const char *text, struct cv_error *err)
{
	_cleanup_close_ int dirfd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *exact = NULL;
	size_t len = strlen(text);

	/* Without a NUL behind it: reading too far is seen by ASan. */
	exact = malloc(len ? len : 1);
	memcpy(exact, text, len);
	return cv_manifest_unpack(exact, len, "m", dirfd, err);
}

static void test_unpack(void **state)
{
	_cleanup_free_ char *dump = NULL;
	_cleanup_free_ char *text = NULL;
	struct temp_root *t = *state;
	struct stat st;
	size_t len;

	assert_int_equal(unpack(t,
				HEAD "# comment\n\n"
				     "l sys/bus/dev ../../devices/d\n"
				     "l sys/abs /devices\n"
				     "f sys/text \"a\\n\\t\\\"\\\\\\x01\xc3\xa4\"\n"
				     "f sys/a\\x20b \"\"\n"
				     "b devices/d/config 00ff10\n"
				     "b devices/d/none \n"
				     "d devices/e\n"
				     "n dev/vfio/12 c 0600 0 0",
				NULL),
			 0);
	assert_int_equal(cv_read(t->root, "/sys/text", &text, &len), 0);
	assert_string_equal(text, "a\n\t\"\\\x01\xc3\xa4");
	free(TAKE_PTR(text));
	assert_int_equal(cv_read(t->root, "/sys/bus/dev/config", &text, &len), 0);
	assert_int_equal(len, 3);
	assert_memory_equal(text, "\0\xff\x10", 3);
	assert_true(cv_exists(t->root, "/sys/abs/d/none"));
	assert_true(cv_exists(t->root, "/sys/a b"));
	assert_int_equal(cv_stat(t->root, "/devices/e", &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(cv_stat(t->root, "/dev/vfio/12", &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *where;
	} cases[] = {
		{ "", "m:1:1" },
		{ "carve-sysroot", "m:1:1" },
		{ "carve-sysroot \n", "m:1:1" },
		{ "carve-sysroot x\n", "m:1:1" },
		{ "carve-sysroot 0\n", "m:1:1" },
		{ "carve-sysroot 1 \n", "m:1:1" },
		{ HEAD "x sys/a\n", "m:2:1" },
		{ HEAD "d\n", "m:2:1" },
		{ HEAD "d  a\n", "m:2:3" },
		{ HEAD "d sys/a \n", "m:2:8" },
		{ HEAD "\n#\nd /sys\n", "m:4:3" },
		{ HEAD "d sys/../etc\n", "m:2:3" },
		{ HEAD "d ..\n", "m:2:3" },
		{ HEAD "d sys/./a\n", "m:2:3" },
		{ HEAD "d sys//a\n", "m:2:3" },
		{ HEAD "d sys/\n", "m:2:3" },
		{ HEAD "d sys/\\x2e\\x2e/a\n", "m:2:3" },
		{ HEAD "d sys/\\x00\n", "m:2:7" },
		{ HEAD "d sys/\\q\n", "m:2:7" },
		{ HEAD "f sys/a\n", "m:2:8" },
		{ HEAD "f sys/a x\n", "m:2:9" },
		{ HEAD "f sys/a \"x\n", "m:2:11" },
		{ HEAD "f sys/a \"x\\\"\n", "m:2:13" },
		{ HEAD "f sys/a \"\\x1\"\n", "m:2:10" },
		{ HEAD "f sys/a \"x\" \n", "m:2:12" },
		{ HEAD "f sys/a \"\t\"\n", "m:2:10" },
		{ HEAD "b sys/a 0\n", "m:2:9" },
		{ HEAD "b sys/a 00FF\n", "m:2:11" },
		{ HEAD "l sys/a\n", "m:2:8" },
		{ HEAD "l sys/a \n", "m:2:9" },
		{ HEAD "l sys/a b c\n", "m:2:10" },
		{ HEAD "n dev/a x 0600 0 0\n", "m:2:9" },
		{ HEAD "n dev/a c 0680 0 0\n", "m:2:11" },
		{ HEAD "n dev/a c 0600 0\n", "m:2:17" },
		{ HEAD "d a\nf b \"\"\nd a\n", NULL },
		{ HEAD "f a \"\"\nd a/b\n", "m:3:1" },
		{ HEAD "l a /tmp\nf a/b \"\"\n", "m:3:1" },
		{ HEAD "l a /tmp\nd a.b\nf a/b/c \"\"\n", "m:4:1" },
		{ HEAD "n a c 0600 0 0\nd a/b\n", "m:3:1" },
	};
	struct temp_root *t = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_strv_ struct cv_strv names = { 0 };
		struct cv_error e = { 0 };

		assert_int_equal(unpack(t, cases[i].text, &e), -EINVAL);
		assert_int_equal(e.exit, CV_EXIT_USAGE);
		if (cases[i].where)
			assert_string_equal(e.object, cases[i].where);
		/* Nothing is made of a manifest with an error anywhere. */
		assert_int_equal(cv_list(t->root, "/", &names), 0);
		assert_int_equal(names.n, 0);
	}
}

static void test_newer(void **state)
{
	struct cv_error e;

	assert_int_equal(unpack(*state, "carve-sysroot 2\nz new\n", &e), -EPROTONOSUPPORT);
	assert_string_equal(e.code, "EVERSION");
	assert_string_equal(e.found, "carve-sysroot version 2");
	assert_int_equal(unpack(*state, "carve-sysroot 10\n", &e), -EPROTONOSUPPORT);
}

/* A link that is already there must not lead anything out of the directory. */
static void test_unpack_through_link(void **state)
{
	char path[CV_PATH_MAX];
	struct temp_root *t = *state;
	struct cv_error e;

	assert_int_equal(symlink("/tmp", cv_pathf(path, "%s/out", t->dir)), 0);
	assert_true(unpack(t, HEAD "f out/carve-escaped \"\"\n", &e) < 0);
	assert_int_equal(access("/tmp/carve-escaped", F_OK), -1);
	assert_true(unpack(t, HEAD "f out \"\"\n", &e) < 0);
}

static char *capture(struct cv_sysroot *r, const struct cv_capture *what, size_t n, int *ret_count)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	*ret_count = cv_manifest_capture(r, what, n, f, NULL);
	fclose(f);
	return text;
}

static void test_capture(void **state)
{
	static const struct cv_capture what[] = {
		{ "/sys/bus/pci/devices/*/vendor", 0 },
		{ "/sys/bus/pci/devices/*", 0 },
		{ "/sys/node", 1 },
		{ "/sys/none/*/x", 3 },
	};
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *text = NULL;
	struct fake *f;
	int count;

	assert_int_equal(fake_new(&f, &r), 0);
	fake_file(f, "/sys/devices/d1/vendor", "0x8086");
	fake_file(f, "/sys/devices/d1/device", "0x10c9");
	fake_file(f, "/sys/devices/d2/vendor", "\x01");
	fake_link(f, "/sys/bus/pci/devices/a", "../../../devices/d1");
	fake_link(f, "/sys/bus/pci/devices/b", "/sys/devices/d2");
	fake_file(f, "/sys/node/node0/cpulist", "0-3");
	fake_file(f, "/sys/node/online", "0");
	fake_link(f, "/sys/node/loop", "../node");
	text = capture(r, what, CV_ARRAY_SIZE(what), &count);
	assert_int_equal(count, 8);
	assert_string_equal(text, HEAD "l sys/bus/pci/devices/a ../../../devices/d1\n"
				       "l sys/bus/pci/devices/b /sys/devices/d2\n"
				       "f sys/devices/d1/vendor \"0x8086\\n\"\n"
				       "b sys/devices/d2/vendor 010a\n"
				       "d sys/node\n"
				       "l sys/node/loop ../node\n"
				       "d sys/node/node0\n"
				       "f sys/node/online \"0\\n\"\n");
}

/* Captured, unpacked and captured again: the same text. */
static void test_round_trip(void **state)
{
	static const struct cv_capture what[] = { { "/sys", 20 }, { "/dev", 20 } };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *first = NULL;
	_cleanup_free_ char *second = NULL;
	struct temp_root *t = *state;
	struct fake *f;
	int count;

	assert_int_equal(fake_new(&f, &r), 0);
	fake_pci_install(f);
	fake_pci_driver(f, "igb");
	fake_pci_device(f, &(struct fake_pci){ .bdf = "0000:01:00.0",
					       .bus = "pci0000:00",
					       .ids = "0x8086 0x10c9 0x020000",
					       .driver = "igb",
					       .group = 1 });
	fake_file(f, "/sys/odd name \"\\", "tab\there \xff");
	first = capture(r, what, CV_ARRAY_SIZE(what), &count);
	assert_true(count > 10);
	assert_int_equal(unpack(t, first, NULL), 0);
	second = capture(t->root, what, CV_ARRAY_SIZE(what), &count);
	assert_string_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_unpack, temp_root_setup, temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_refused, temp_root_setup, temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_newer, temp_root_setup, temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_unpack_through_link, temp_root_setup,
						temp_root_teardown),
		cmocka_unit_test(test_capture),
		cmocka_unit_test_setup_teardown(test_round_trip, temp_root_setup,
						temp_root_teardown),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
