// SPDX-License-Identifier: GPL-2.0-or-later
/* Disks of guests: what plans say of them, and what is refused of files and block devices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fake/fake_sysroot.h"
#include "tests/unit/inventory_builder.h"
#include "tests/unit/plan_cases.h"
#include "tools/disks.h"

#define NOBODY 65534

const struct cmd_verb *const cmd_verbs[] = { NULL };

/* ---- plans ---- */

static void slots(void **state)
{
	(void)state;
	for (size_t i = 0; i < PLAN_MAX_DISKS; i++) {
		unsigned int slot = plan_disk_slot(i);

		assert_true(slot > 3 && slot < 31);
		/* expanders of 16 guest nodes under QEMU */
		assert_false(slot >= 8 && slot < 8 + PLAN_MAX_NODES);
		assert_true(i == 0 || slot > plan_disk_slot(i - 1));
	}
	assert_true(plan_disk_is_device("/dev/sdb"));
	assert_false(plan_disk_is_device("/dev/shm/disk.img"));
	assert_false(plan_disk_is_device("/devices/disk.img"));
}

static void text(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	plan_case("two-nodes", &p);
	_cleanup_free_ char *said = plan_text(&p, NULL, false);
	assert_non_null(strstr(said, "disk0"));
	assert_non_null(strstr(said, "/srv/images/wide,root.img"));
	assert_non_null(strstr(said, "0000:00:04.0"));
	assert_non_null(strstr(said, "read-write, discard"));
	assert_true(plan_writes_files(&p));
	p.disks[0].is_readonly = true;
	assert_false(plan_writes_files(&p));
}

/* Two guests of one run on one path. Return: of plan_make(). */
static int plan_pair(bool first_reads, bool second_reads, struct cv_error *err)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_site_ struct site site = ib_site();
	struct spec specs[2] = { ib_spec("a", 1, IB_1G, IB_2M), ib_spec("b", 1, IB_1G, IB_2M) };
	struct plan plans[2];

	ib_emulated(&inv, false);
	ib_want_disk(&specs[0], "/srv/own.img");
	ib_want_disk(&specs[0], "/srv/shared.img")->is_readonly = first_reads;
	ib_want_disk(&specs[1], "/srv/shared.img")->is_readonly = second_reads;
	int r = plan_make(&inv, &site, specs, 2, NULL, plans, err);
	for (size_t i = 0; i < 2; i++) {
		plan_done(&plans[i]);
		spec_done(&specs[i]);
	}
	return r;
}

static void shared_between_guests(void **state)
{
	struct cv_error err = { 0 };

	(void)state;
	assert_int_equal(plan_pair(true, true, &err), 0);
	assert_int_equal(plan_pair(true, false, &err), -EBUSY);
	assert_string_equal(err.code, "DISK_SHARED");
	assert_string_equal(err.object, "/srv/shared.img");
	assert_int_equal(plan_pair(false, false, &err), -EBUSY);
}

/* ---- block devices of the host ---- */

#define DISK "/sys/dev/block/8:16"

static struct fake *make_host(struct cv_sysroot **ret)
{
	struct fake *f = NULL;

	assert_int_equal(fake_new(&f, ret), 0);
	fake_file(f, DISK "/uevent", "MAJOR=8\nMINOR=16\nDEVNAME=sdb\nDEVTYPE=disk");
	fake_file(f, DISK "/dev", "8:16");
	fake_dir(f, DISK "/holders");
	fake_file(f, DISK "/sdb1/uevent", "MAJOR=8\nMINOR=17\nDEVNAME=sdb1");
	fake_file(f, DISK "/sdb1/dev", "8:17");
	fake_file(f, DISK "/sdb1/partition", "1");
	fake_dir(f, DISK "/sdb1/holders");
	fake_file(f, "/proc/1/mountinfo", "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n");
	fake_file(f, "/proc/swaps", "Filename Type Size Used Priority\n");
	return f;
}

static void expect_user(struct cv_sysroot *root, const char *wanted)
{
	char user[512] = "";

	assert_int_equal(disk_find_user(root, makedev(8, 16), user, sizeof(user)), wanted[0] != 0);
	assert_string_equal(user, wanted);
}

static void users_on_host(void **state)
{
	struct cv_sysroot *root = NULL;
	struct fake *f = make_host(&root);

	(void)state;
	expect_user(root, "");
	fake_dir(f, DISK "/sdb1/holders/dm-0");
	expect_user(root, "/dev/sdb1 is used by /dev/dm-0");
	fake_file(f, "/proc/swaps", "Filename Type Size\n/dev/sdb1 partition 1024\n");
	expect_user(root, "/dev/sdb1 is swap space");
	fake_file(f, "/proc/1/mountinfo", "20 1 0:40 / /scratch rw - btrfs /dev/sdb1 rw\n");
	expect_user(root, "/dev/sdb1 mounted on /scratch");
	fake_file(f, "/proc/1/mountinfo", "20 1 8:16 / /data rw - ext4 /dev/root rw\n");
	expect_user(root, "/dev/sdb mounted on /data");
	cv_sysroot_close(root);
}

/* ---- files ---- */

/** struct folder - files that a user may open; c.root is a host without VMs */
struct folder {
	char dir[32], path[64];
	struct cmd c;
};

static void make_folder(struct folder *x)
{
	memset(x, 0, sizeof(*x));
	snprintf(x->dir, sizeof(x->dir), "/tmp/carve-disks-XXXXXX");
	assert_non_null(mkdtemp(x->dir));
	assert_int_equal(chmod(x->dir, 0755), 0);
	snprintf(x->path, sizeof(x->path), "%s/disk.img", x->dir);
	make_host(&x->c.root);
}

static void drop_folder(struct folder *x)
{
	unlink(x->path);
	rmdir(x->dir);
	cv_sysroot_close(x->c.root);
}

static void make_file(const struct folder *x, const char *start, off_t size, mode_t mode)
{
	_cleanup_close_ int fd = -1;

	unlink(x->path);
	fd = open(x->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, start, strlen(start)), strlen(start));
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static int check_file(struct folder *x, bool is_readonly)
{
	struct plan p = { .n_disks = 1, .user = "nobody" };

	p.disks[0].path = x->path;
	p.disks[0].is_readonly = is_readonly;
	x->c.err = (struct cv_error){ 0 };
	return disks_check(&x->c, &p, NOBODY, NOBODY);
}

static void files(void **state)
{
	struct folder x;

	(void)state;
	if (geteuid() != 0)
		skip(); /* files are opened as another user */
	make_folder(&x);
	assert_int_equal(check_file(&x, false), -ENOENT);
	assert_non_null(strstr(x.c.err.hint, "truncate"));
	make_file(&x, "", 1 << 20, 0600);
	assert_int_equal(check_file(&x, true), -EACCES);
	assert_int_equal(x.c.err.exit, CV_EXIT_PERMISSION);
	make_file(&x, "", 1 << 20, 0644);
	assert_int_equal(check_file(&x, true), 0);
	assert_int_equal(check_file(&x, false), -EACCES);
	make_file(&x, "", 1 << 20, 0666);
	assert_int_equal(check_file(&x, false), 0);
	make_file(&x, "QFI\xfb", 1 << 20, 0666);
	assert_int_equal(check_file(&x, false), -EINVAL);
	assert_non_null(strstr(x.c.err.hint, "qemu-img convert"));
	make_file(&x, "", 1000, 0666);
	assert_int_equal(check_file(&x, false), -EINVAL);
	assert_string_equal(x.c.err.found, "1000 bytes");
	make_file(&x, "", 0, 0666);
	assert_int_equal(check_file(&x, false), -EINVAL);
	unlink(x.path);
	assert_int_equal(mkfifo(x.path, 0666), 0);
	assert_int_equal(check_file(&x, true), -EINVAL);
	assert_string_equal(x.c.err.code, "BAD_DISK");
	drop_folder(&x);
}

/* One file under two names is one disk. */
static void one_file_twice(void **state)
{
	struct plan p = { .n_disks = 2, .user = "nobody" };
	struct folder x;
	char other[80];

	(void)state;
	if (geteuid() != 0)
		skip();
	make_folder(&x);
	make_file(&x, "", 1 << 20, 0666);
	snprintf(other, sizeof(other), "%s/link.img", x.dir);
	assert_int_equal(symlink(x.path, other), 0);
	p.disks[0].path = x.path;
	p.disks[1].path = other;
	p.disks[1].is_readonly = true;
	assert_int_equal(disks_check(&x.c, &p, NOBODY, NOBODY), -EBUSY);
	assert_string_equal(x.c.err.code, "DISK_BUSY");
	p.disks[0].is_readonly = true;
	assert_int_equal(disks_check(&x.c, &p, NOBODY, NOBODY), 0);
	unlink(other);
	drop_folder(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots),
		cmocka_unit_test(text),
		cmocka_unit_test(shared_between_guests),
		cmocka_unit_test(users_on_host),
		cmocka_unit_test(files),
		cmocka_unit_test(one_file_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
