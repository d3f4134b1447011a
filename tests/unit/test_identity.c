// SPDX-License-Identifier: GPL-2.0-or-later
/* Who a function is: serial numbers of config space and vital product data, and the driver that passes
 * its model through. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/pci.h"
#include "sriov/reserve.h"
#include "tests/fake/temp_root.h"

#define BDF "0000:41:00.0"
#define DIR "/sys/bus/pci/devices/" BDF
#define RELEASE "6.12.0-test"
#define MODALIAS "pci:v000015B3d0000101Esv000015B3sd00000023bc02sc00i00"

static void put_bytes(struct temp_root *t, const char *name, const void *bytes, size_t len)
{
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX];

	assert_int_equal(cv_mkdir_p(t->root, DIR, 0755), 0);
	cv_pathf(path, DIR "/%s", name);
	fd = cv_open(t->root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
}

static void assert_serial(struct temp_root *t, const char *wanted)
{
	char serial[64] = "?";

	sr_serial(t->root, BDF, 10000, serial, sizeof(serial));
	assert_string_equal(serial, wanted);
}

/* A function with a Device Serial Number capability at 0x100. */
static void put_dsn(struct temp_root *t, uint32_t low, uint32_t high)
{
	uint8_t config[SR_CONFIG_SIZE] = {
		0xb3,	       0x15,	      0x1e,	     0x10,	     [0x06] = 0x10,
		[0x34] = 0x40, [0x40] = 0x10, [0x42] = 0x02, [0x100] = 0x03, [0x102] = 0x01
	};

	for (int i = 0; i < 4; i++) {
		config[0x104 + i] = (uint8_t)(low >> 8 * i);
		config[0x108 + i] = (uint8_t)(high >> 8 * i);
	}
	put_bytes(t, "config", config, sizeof(config));
}

/* Resources as cards have them: a name, then read-only fields, writable ones, the end. */
static size_t make_vpd(uint8_t *vpd, const char *fields, size_t len)
{
	static const uint8_t name[] = { 0x82, 0x04, 0x00, 'C', 'A', 'R', 'D' };
	static const uint8_t rest[] = { 0x91, 0x03, 0x00, 'R', 'W', 0x00, 0x78 };
	size_t n = sizeof(name);

	memcpy(vpd, name, n);
	vpd[n++] = 0x90;
	vpd[n++] = (uint8_t)len;
	vpd[n++] = (uint8_t)(len >> 8);
	memcpy(vpd + n, fields, len);
	n += len;
	memcpy(vpd + n, rest, sizeof(rest));
	return n + sizeof(rest);
}

static void put_fields(struct temp_root *t, const char *fields, size_t len)
{
	uint8_t vpd[1024];

	put_bytes(t, "vpd", vpd, make_vpd(vpd, fields, len));
}

#define FIELDS(text) text, sizeof(text) - 1

static void config_space_comes_first(void **state)
{
	struct temp_root *t = *state;

	assert_serial(t, "");
	put_fields(t, FIELDS("PN\x03"
			     "ABC"
			     "SN\x07"
			     "MT2117X"));
	assert_serial(t, "MT2117X");
	put_dsn(t, 0xff6a4e10, 0x94d703ff);
	assert_serial(t, "94d703ffff6a4e10");
	put_dsn(t, 0, 0);
	assert_serial(t, "MT2117X");
	put_dsn(t, 0xffffffff, 0xffffffff);
	assert_serial(t, "MT2117X");
}

static void fields_of_vital_product_data(void **state)
{
	struct temp_root *t = *state;

	put_fields(t, FIELDS("SN\x0a"
			     "AB 12     "
			     "RV\x01\x00"));
	assert_serial(t, "AB 12");
	put_fields(t, FIELDS("SN\x04"
			     "A\"\xff"
			     "B"));
	assert_serial(t, "A??B");
	put_fields(t, FIELDS("SN\x06"
			     "AB\0\0\0\0"));
	assert_serial(t, "AB");
	put_fields(t, FIELDS("SN\x00"
			     "PN\x01"
			     "A"));
	assert_serial(t, "");
	put_fields(t, FIELDS("PN\x03"
			     "SN\x09"
			     "V0\x01"
			     "A"));
	assert_serial(t, "");
}

static void damaged_data_tells_nothing(void **state)
{
	static const uint8_t loops[] = { 0x00, 0x00, 0x00, 0x00 };
	struct temp_root *t = *state;
	uint8_t vpd[1024], noise[512];
	size_t len;
	uint32_t x = 2463534242U;

	put_fields(t, FIELDS("SN\x20"
			     "A")); /* longer than its resource */
	assert_serial(t, "");
	len = make_vpd(vpd, FIELDS("PN\x03"
				   "ABC"
				   "SN\x07"
				   "MT2117X"));
	for (size_t i = 0; i < 7 + 3 + 6 + 3 + 7; i++) {
		put_bytes(t, "vpd", vpd, i);
		assert_serial(t, "");
	}
	put_bytes(t, "vpd", vpd, len);
	assert_serial(t, "MT2117X");
	put_bytes(t, "vpd", loops, sizeof(loops));
	assert_serial(t, "");
	for (int run = 0; run < 50; run++) {
		char serial[8] = "";

		for (size_t i = 0; i < sizeof(noise); i++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			noise[i] = (uint8_t)(x >> 8);
		}
		noise[0] = 0x90;
		put_bytes(t, "vpd", noise, sizeof(noise));
		sr_serial(t->root, BDF, 10000, serial, sizeof(serial));
		assert_true(strlen(serial) < sizeof(serial));
	}
}

/** struct stuck - a root whose file never answers */
struct stuck {
	struct cv_sysroot *root;
};

static int stuck_open(void *ctx, const char *path, int flags, mode_t mode)
{
	const struct stuck *s = ctx;

	while (strstr(path, "/vpd"))
		pause();
	return cv_open(s->root, path, flags, mode);
}

static int stuck_readlink(void *ctx, const char *path, char **ret)
{
	return -ENOENT;
}

static void device_that_never_answers_is_unknown(void **state)
{
	static const struct cv_sysroot_ops ops = { .open = stuck_open, .readlink = stuck_readlink };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	struct temp_root *t = *state;
	struct stuck s = { t->root };
	int64_t began = cv_now_ms();
	char serial[64] = "?";

	assert_int_equal(cv_sysroot_new(&ops, &s, &root), 0);
	sr_serial(root, BDF, 300, serial, sizeof(serial));
	assert_string_equal(serial, "");
	assert_true(cv_now_ms() - began < 5000);
	/* what answers is not asked for more */
	put_dsn(t, 0x00000001, 0x00000002);
	sr_serial(root, BDF, 10000, serial, sizeof(serial));
	assert_string_equal(serial, "0000000200000001");
}

static void assert_vfio_driver(struct temp_root *t, const char *wanted)
{
	char driver[64] = "";

	assert_int_equal(sr_vfio_driver(t->root, BDF, driver, sizeof(driver), NULL), 0);
	assert_string_equal(driver, wanted);
}

static void variant_driver_is_found_by_its_alias(void **state)
{
	struct temp_root *t = *state;

	temp_root_file(t, DIR "/modalias", MODALIAS "\n");
	assert_vfio_driver(t, "vfio-pci");
	temp_root_file(t, "/proc/sys/kernel/osrelease", RELEASE "\n");
	assert_vfio_driver(t, "vfio-pci");
	temp_root_file(t, "/lib/modules/" RELEASE "/modules.dep", "");
	temp_root_file(t, "/etc/modprobe.d/a.conf",
		       "alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n"
		       "alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n");
	assert_vfio_driver(t, "mlx5_vfio_pci");
	/* another model */
	temp_root_file(t, DIR "/modalias",
		       "pci:v00008086d000010CAsv00008086sd0000A03Cbc02sc00i00\n");
	assert_vfio_driver(t, "vfio-pci");
	/* the host driver of this model is nobody's business here */
	temp_root_file(t, "/etc/modprobe.d/b.conf",
		       "alias pci:v00008086d000010CAsv*sd*bc*sc*i* igb\n");
	assert_vfio_driver(t, "vfio-pci");
}

static void names_of_drivers_are_not_those_of_modules(void **state)
{
	struct temp_root *t = *state;

	temp_root_file(t, DIR "/modalias", MODALIAS "\n");
	temp_root_file(t, "/proc/sys/kernel/osrelease", RELEASE "\n");
	temp_root_file(t, "/etc/modprobe.d/a.conf",
		       "alias vfio_pci:v000015B3d*sv*sd*bc*sc*i* xe_vfio_pci\n");
	assert_vfio_driver(t, "xe-vfio-pci");
	temp_root_file(t, "/sys/module/xe_vfio_pci/drivers/pci:as-it-calls-itself", "");
	assert_vfio_driver(t, "as-it-calls-itself");
	temp_root_file(t, "/etc/modprobe.d/b.conf", "blacklist xe_vfio_pci\n");
	assert_vfio_driver(t, "vfio-pci");
}

static void no_function_no_driver(void **state)
{
	struct temp_root *t = *state;
	struct cv_error err = { 0 };
	char driver[64] = "";

	assert_int_equal(sr_vfio_driver(t->root, BDF, driver, sizeof(driver), &err), -ENODEV);
	assert_string_equal(err.object, BDF);
}

#define with_root(test) cmocka_unit_test_setup_teardown(test, temp_root_setup, temp_root_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_root(config_space_comes_first),
		with_root(fields_of_vital_product_data),
		with_root(damaged_data_tells_nothing),
		with_root(device_that_never_answers_is_unknown),
		with_root(variant_driver_is_found_by_its_alias),
		with_root(names_of_drivers_are_not_those_of_modules),
		with_root(no_function_no_driver),
	};

	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
