// SPDX-License-Identifier: GPL-2.0-or-later
/* Roots: a directory that nothing leaves, typed access, state files, the fake. */
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
#include "base/sysroot.h"
#include "tests/fake/fake_pci.h"
#include "tests/fake/temp_root.h"

static void make_link(struct temp_root *t, const char *path, const char *target)
{
	char real[CV_PATH_MAX];

	assert_int_equal(symlink(target, cv_pathf(real, "%s%s", t->dir, path)), 0);
}

static void test_live(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *exe = NULL;
	struct temp_root *t = *state;

	assert_int_equal(cv_sysroot_open("/", &r, NULL), 0);
	assert_true(cv_sysroot_is_live(r));
	assert_string_equal(cv_sysroot_dir(r), "/");
	assert_int_equal(cv_readlink(r, "/proc/self/exe", &exe), 0);
	assert_true(cv_exists(r, "/proc/self/exe"));
	assert_false(cv_sysroot_is_live(t->root));
	assert_string_equal(cv_sysroot_dir(t->root), t->dir);
}

static void test_open_errors(void **state)
{
	struct cv_sysroot *r = NULL;
	struct cv_error e;

	assert_int_equal(cv_sysroot_open("/nonexistent", &r, &e), -ENOENT);
	assert_int_equal(e.exit, CV_EXIT_NOT_FOUND);
	assert_string_equal(e.object, "/nonexistent");
	assert_int_equal(cv_sysroot_open("/dev/null", &r, &e), -EINVAL);
	assert_string_equal(e.code, "EMANIFEST");
	assert_null(r);
}

static void test_manifest_dir(void **state)
{
	struct temp_root *t = *state;
	struct cv_sysroot *r = NULL;
	char unpacked[CV_PATH_MAX], text[8];

	temp_root_file(t, "/manifest.sysroot", "carve-sysroot 1\nf sys/x \"7\\n\"\n");
	assert_int_equal(cv_sysroot_open(t->dir, &r, NULL), 0);
	assert_int_equal(cv_read_into(r, "/sys/x", text, sizeof(text)), 0);
	assert_string_equal(text, "7");
	assert_false(cv_sysroot_is_live(r));
	snprintf(unpacked, sizeof(unpacked), "%s", cv_sysroot_dir(r));
	assert_int_equal(access(unpacked, F_OK), 0);
	cv_sysroot_close(r);
	assert_int_equal(access(unpacked, F_OK), -1);
}

static void test_confinement(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct temp_root *t = *state;
	size_t len;

	temp_root_file(t, "/etc/passwd", "inside");
	make_link(t, "/abs", "/etc/passwd");
	make_link(t, "/up", "../../../../../../etc/passwd");
	make_link(t, "/dir", "/");
	assert_int_equal(cv_read(t->root, "/abs", &text, &len), 0);
	assert_string_equal(text, "inside");
	free(TAKE_PTR(text));
	assert_int_equal(cv_read(t->root, "/up", &text, &len), 0);
	assert_string_equal(text, "inside");
	free(TAKE_PTR(text));
	assert_int_equal(cv_read(t->root, "/../../dir/dir/../etc/passwd", &text, &len), 0);
	assert_string_equal(text, "inside");
	assert_int_equal(cv_mkdir(t->root, "/dir/made", 0755), 0);
	assert_true(cv_exists(t->root, "/made"));
	assert_int_equal(cv_chown(t->root, "/abs", (uid_t)-1, (gid_t)-1, 0600), -ELOOP);
	assert_false(cv_exists(t->root, "/root"));
}

static void test_bad_paths(void **state)
{
	struct temp_root *t = *state;

	assert_int_equal(cv_mkdir(t->root, "relative", 0755), -EINVAL);
	assert_int_equal(cv_mkdir(t->root, "", 0755), -ENOENT);
	assert_int_equal(cv_mkdir(t->root, "/x/..", 0755), -EINVAL);
	assert_int_equal(cv_unlink(t->root, "/"), -EINVAL);
	assert_int_equal(cv_open(t->root, "", O_RDONLY, 0), -ENOENT);
	assert_int_equal(cv_open(t->root, "sys", O_RDONLY, 0), -EINVAL);
}

static void test_typed(void **state)
{
	struct temp_root *t = *state;
	struct cv_cpuset set;
	uint64_t u = 0;
	char buf[8];
	int i = 0;

	temp_root_file(t, "/sys/a", "0x8086\n");
	temp_root_file(t, "/sys/b", "-1\n");
	temp_root_file(t, "/sys/c", "0-3 \n");
	make_link(t, "/sys/driver", "../../bus/pci/drivers/vfio-pci");
	assert_int_equal(cv_read_hex(t->root, "/sys/a", &u), 0);
	assert_int_equal(u, 0x8086);
	assert_int_equal(cv_read_u64(t->root, "/sys/a", &u), -EINVAL);
	assert_int_equal(cv_read_int(t->root, "/sys/b", &i), 0);
	assert_int_equal(i, -1);
	assert_int_equal(cv_read_cpulist(t->root, "/sys/c", &set), 0);
	assert_int_equal(cv_cpuset_count(&set), 4);
	assert_int_equal(cv_read_into(t->root, "/sys/a", buf, 6), -ENAMETOOLONG);
	assert_int_equal(cv_readlink_base(t->root, "/sys/driver", buf, 8), -ENAMETOOLONG);
	assert_int_equal(cv_readlink_base(t->root, "/sys/a", buf, 8), -EINVAL);
	assert_int_equal(cv_read_u64(t->root, "/sys/none", &u), -ENOENT);
}

static void test_write(void **state)
{
	struct temp_root *t = *state;
	char buf[32];

	temp_root_file(t, "/sys/a", "a longer value\n");
	assert_int_equal(cv_write_str(t->root, "/sys/a", "short"), 0);
	assert_int_equal(cv_read_into(t->root, "/sys/a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "short");
	assert_int_equal(cv_write_str(t->root, "/sys/none", "x"), -ENOENT);
	assert_int_equal(cv_write_deadline(t->root, "/sys/a", "again", 5000), 0);
	assert_int_equal(cv_read_into(t->root, "/sys/a", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "again");
	assert_int_equal(cv_write_deadline(t->root, "/sys/none", "x", 5000), -ENOENT);
}

static void test_trees(void **state)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *text = NULL;
	struct temp_root *t = *state;

	assert_int_equal(cv_mkdir_p(t->root, "/run/carve/vm/", 0755), 0);
	assert_int_equal(cv_mkdir_p(t->root, "/run/carve/vm", 0755), 0);
	temp_root_file(t, "/run/carve/vm/node10", "");
	temp_root_file(t, "/run/carve/vm/node2", "");
	make_link(t, "/run/carve/out", "/keep");
	temp_root_file(t, "/keep/me", "");
	assert_int_equal(cv_list(t->root, "/run/carve/vm", &names), 0);
	text = cv_strv_join(&names, " ");
	assert_string_equal(text, "node2 node10");
	assert_int_equal(cv_rmdir(t->root, "/run/carve/vm"), -ENOTEMPTY);
	assert_int_equal(cv_remove_tree(t->root, "/run/carve"), 0);
	assert_false(cv_exists(t->root, "/run/carve"));
	assert_true(cv_exists(t->root, "/keep/me"));
	assert_int_equal(cv_remove_tree(t->root, "/run/carve"), -ENOENT);
}

#define DEPTH 3000

static void make_deep(const struct temp_root *t, const char *path)
{
	char real[CV_PATH_MAX];
	int fd = open(cv_pathf(real, "%s%s", t->dir, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "deep", 0700), 0);
		next = openat(fd, "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
}

/* What a hostile owner of a part of the tree can make of it. */
static void test_remove_hostile(void **state)
{
	struct temp_root *t = *state;

	temp_root_file(t, "/keep/me", "");
	temp_root_file(t, "/vm/vmm/.removed-0/x", "");
	temp_root_file(t, "/vm/vmm/.removed-1", "");
	temp_root_file(t, "/vm/vmm/a/b/c/d", "");
	make_link(t, "/vm/vmm/dir", "../../keep");
	make_link(t, "/vm/vmm/a/b/up", "../../../../keep");
	make_link(t, "/vm/vmm/a/abs", "/keep");
	make_link(t, "/link", "keep");
	make_deep(t, "/vm/vmm");
	make_deep(t, "/vm/vmm/a");
	assert_int_equal(cv_remove_tree(t->root, "/vm"), 0);
	assert_false(cv_exists(t->root, "/vm"));
	assert_int_equal(cv_remove_tree(t->root, "/link"), 0);
	assert_int_equal(cv_remove_tree(t->root, "/keep/me"), 0);
	assert_true(cv_exists(t->root, "/keep"));
	assert_int_equal(cv_remove_tree(t->root, "/"), -EINVAL);
}

static void test_remove_fake(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct fake *f;

	assert_int_equal(fake_new(&f, &r), 0);
	fake_file(f, "/keep/me", "");
	fake_file(f, "/vm/a/b", "");
	fake_link(f, "/vm/link", "/keep");
	assert_int_equal(cv_remove_tree(r, "/vm"), 0);
	assert_false(cv_exists(r, "/vm"));
	assert_true(cv_exists(r, "/keep/me"));
}

static void test_replace(void **state)
{
	struct temp_root *t = *state;
	struct stat st;
	char buf[32];

	assert_int_equal(cv_replace_file(t->root, "/etc/x", "1", 0600), -ENOENT);
	temp_root_file(t, "/etc/x", "old");
	assert_int_equal(cv_replace_file(t->root, "/etc/x", "new\n", 0640), 0);
	assert_int_equal(cv_read_into(t->root, "/etc/x", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "new");
	assert_int_equal(cv_stat(t->root, "/etc/x", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_false(cv_exists(t->root, "/etc/x.tmp"));
}

/* Whatever fails, the file is either the old or the new one. */
static void test_replace_sweep(void **state)
{
	for (unsigned int n = 1;; n++) {
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
		struct fake *f;
		int rc;

		assert_int_equal(fake_new(&f, &r), 0);
		fake_file(f, "/etc/x", "old");
		fake_fail_change(f, n, -ENOSPC);
		rc = cv_replace_file(r, "/etc/x", "new", 0644);
		assert_string_equal(fake_text(f, "/etc/x"), rc ? "old" : "new");
		assert_null(fake_text(f, "/etc/x.tmp"));
		if (!rc)
			break;
		assert_int_equal(rc, -ENOSPC);
		assert_true(n < 20);
	}
}

static void test_pathf(void **state)
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX + 1];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_string_equal(cv_pathf(path, "/sys/%d", 7), "/sys/7");
	assert_string_equal(cv_pathf(path, "/%s", text), "");
}

static void test_fake_faults(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct fake *f;

	assert_int_equal(fake_new(&f, &r), 0);
	assert_null(cv_sysroot_dir(r));
	assert_false(cv_sysroot_is_live(r));
	fake_file(f, "/sys/a", "1");
	fake_fail_write(f, 2, -EBUSY);
	assert_int_equal(cv_write_str(r, "/sys/a", "2"), 0);
	assert_int_equal(cv_write_str(r, "/sys/a", "3"), -EBUSY);
	assert_int_equal(cv_write_str(r, "/sys/a", "4"), 0);
	assert_int_equal(cv_write_deadline(r, "/sys/a", "5", 5000), 0);
	assert_string_equal(fake_text(f, "/sys/a"), "5");
	fake_block(f, "/sys/a");
	assert_int_equal(cv_write_deadline(r, "/sys/a", "6", 100), -ETIMEDOUT);
	assert_string_equal(fake_text(f, "/sys/a"), "5");
	assert_int_equal(fake_writes(f), 5);
}

static void fake_nic(struct fake *f)
{
	static const struct fake_pci pf = {
		.bdf = "0000:01:00.0",
		.bus = "pci0000:00/0000:00:01.0",
		.ids = "0x8086 0x10c9 0x020000",
		.driver = "igb",
		.group = 3,
		.node = 1,
	};
	static const struct fake_sriov sriov = {
		.total = 7,
		.offset = 128,
		.stride = 2,
		.vf_ids = "0x8086 0x10ca 0x020000",
		.vf_driver = "igbvf",
		.first_group = 20,
	};

	fake_pci_install(f);
	fake_pci_driver(f, "igb");
	fake_pci_driver(f, "igbvf");
	fake_pci_driver(f, "vfio-pci");
	fake_pci_device(f, &pf);
	fake_pci_sriov(f, pf.bdf, &sriov);
}

#define NIC "/sys/bus/pci/devices/0000:01:00.0"
#define VF "/sys/bus/pci/devices/0000:01:10.2"

static void test_fake_sriov(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;
	struct fake *f;
	char buf[64];

	assert_int_equal(fake_new(&f, &r), 0);
	fake_nic(f);
	/* how often a driver was probed is counted, and never goes back */
	before = fake_dump(f, "/.fake/probes");
	assert_int_equal(cv_readlink_base(r, NIC "/driver", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "igb");
	assert_int_equal(cv_write_str(r, NIC "/sriov_numvfs", "8"), -ERANGE);
	assert_int_equal(cv_write_deadline(r, NIC "/sriov_numvfs", "7", 5000), 0);
	assert_int_equal(cv_write_str(r, NIC "/sriov_numvfs", "3"), -EBUSY);
	assert_int_equal(cv_readlink_base(r, NIC "/virtfn1", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "0000:01:10.2");
	assert_int_equal(cv_read_into(r, NIC "/virtfn1/vendor", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "0x8086");
	assert_string_equal(fake_pci_bound(f, "0000:01:10.2", buf), "igbvf");
	assert_int_equal(cv_readlink_base(r, VF "/iommu_group", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "21");
	assert_int_equal(cv_readlink_base(r, VF "/physfn", buf, sizeof(buf)), 0);
	assert_string_equal(buf, "0000:01:00.0");
	assert_int_equal(cv_write_str(r, NIC "/sriov_numvfs", "0"), 0);
	after = fake_dump(f, "/.fake/probes");
	assert_string_equal(before, after);
}

static void test_fake_override(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct fake *f;
	char buf[64];

	assert_int_equal(fake_new(&f, &r), 0);
	fake_nic(f);
	assert_int_equal(cv_write_str(r, NIC "/sriov_drivers_autoprobe", "0"), 0);
	assert_int_equal(cv_write_str(r, NIC "/sriov_numvfs", "2"), 0);
	assert_string_equal(fake_pci_bound(f, "0000:01:10.2", buf), "");
	assert_int_equal(cv_write_str(r, "/sys/bus/pci/drivers/igbvf/bind", "0000:01:10.2"),
			 -ENODEV);
	assert_int_equal(cv_write_str(r, VF "/driver_override", "vfio-pci"), 0);
	assert_int_equal(cv_write_str(r, "/sys/bus/pci/drivers_probe", "0000:01:10.2"), 0);
	assert_string_equal(fake_pci_bound(f, "0000:01:10.2", buf), "vfio-pci");
	assert_true(cv_exists(r, "/dev/vfio/21"));
	assert_true(cv_exists(r, VF "/driver/unbind"));
	assert_int_equal(cv_write_str(r, VF "/driver/unbind", "0000:01:10.2"), 0);
	assert_false(cv_exists(r, VF "/driver"));
	assert_false(cv_exists(r, "/dev/vfio/21"));
	assert_int_equal(cv_write_str(r, VF "/driver_override", "\n"), 0);
	assert_string_equal(fake_text(f, VF "/driver_override"), "(null)");
	assert_int_equal(cv_write_str(r, "/sys/bus/pci/drivers_probe", "0000:09:00.0"), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_live, temp_root_setup, temp_root_teardown),
		cmocka_unit_test(test_open_errors),
		cmocka_unit_test_setup_teardown(test_manifest_dir, temp_root_setup,
						temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_confinement, temp_root_setup,
						temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_bad_paths, temp_root_setup,
						temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_typed, temp_root_setup, temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_write, temp_root_setup, temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_trees, temp_root_setup, temp_root_teardown),
		cmocka_unit_test_setup_teardown(test_remove_hostile, temp_root_setup,
						temp_root_teardown),
		cmocka_unit_test(test_remove_fake),
		cmocka_unit_test_setup_teardown(test_replace, temp_root_setup, temp_root_teardown),
		cmocka_unit_test(test_replace_sweep),
		cmocka_unit_test(test_pathf),
		cmocka_unit_test(test_fake_faults),
		cmocka_unit_test(test_fake_sriov),
		cmocka_unit_test(test_fake_override),
	};

	return cmocka_run_group_tests_name("sysroot", tests, NULL, NULL);
}
