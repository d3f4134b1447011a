// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk on a file: what it reads and writes, what it refuses, files that change under it, resets while
 * requests are in flight. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "virtio_guest.h"
#include "vm_calls.h"
#include "vmm/dev/devices.h"

#define SLOT 2
#define SECTORS 256
#define SIZE (SECTORS * 512ULL)
#define HEADER VG_DATA
#define STATUS_AT (VG_DATA + 0x1000)
#define RANGES (VG_DATA + 0x2000)
#define DATA (VG_PIECE - 0x800) /* across the pieces */
#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define FLUSH (1ULL << VIRTIO_BLK_F_FLUSH)

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vmm_vblk *b;
	int fd; /* of the test: the file behind the disk */
	uint32_t used_len;
};

static struct fixture x;

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	x.fd = memfd_create("disk", MFD_CLOEXEC);
	assert_true(x.fd >= 0);
	assert_int_equal(ftruncate(x.fd, SIZE), 0);
	return 0;
}

static int teardown(void **state)
{
	if (x.b)
		vmm_vblk_free(x.b);
	vg_done(&x.g);
	close(x.fd);
	return 0;
}

/* ---- the driver ---- */

static void start(uint64_t features, unsigned int n_queues)
{
	assert_true(vg_negotiate(&x.g, V1 | features));
	for (unsigned int i = 0; i < n_queues; i++)
		vg_make_queue(&x.g, i, 64, (uint16_t)(i + 1));
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void add_disk(struct vmm_disk disk)
{
	disk.id = "root";
	disk.fd = dup(x.fd);
	assert_int_equal(vmm_vblk_new(&x.g.env, SLOT, &disk, &x.b, &x.g.err), 0);
	vg_probe(&x.g, SLOT);
}

static void start_disk(struct vmm_disk disk)
{
	add_disk(disk);
	start(vg_features(&x.g) & ~(1ULL << VIRTIO_RING_F_EVENT_IDX), disk.n_queues ?: 1);
}

static void pause_a_little(void)
{
	const struct timespec t = { .tv_nsec = 200000 };

	nanosleep(&t, NULL);
}

static uint32_t wait_used(unsigned int queue)
{
	struct vring_used_elem e = { 0 };
	bool is_there = false;

	for (unsigned int i = 0; i < 25000 && !is_there; i++) {
		vg_run(&x.g);
		is_there = vg_used(&x.g, queue, &e);
		if (!is_there)
			pause_a_little();
	}
	assert_true(is_there);
	x.used_len = e.len;
	return e.id;
}

static uint8_t status(void)
{
	uint8_t s;

	vg_get(&x.g, STATUS_AT, &s, 1);
	return s;
}

static void put_header(uint64_t at, uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr h = { .type = type, .sector = sector };
	const uint8_t none = 0xee;

	vg_put(&x.g, at, &h, sizeof(h));
	vg_put(&x.g, STATUS_AT, &none, 1);
}

/* Return: the status; data of @len bytes at @at, readable or written by the device. */
static uint8_t ask(uint32_t type, uint64_t sector, uint64_t at, uint32_t len, bool is_in)
{
	const struct vring_desc d[] = {
		{ HEADER, 16, 0, 0 },
		{ at, len, is_in ? VRING_DESC_F_WRITE : 0, 0 },
		{ STATUS_AT, 1, VRING_DESC_F_WRITE, 0 },
	};

	put_header(HEADER, type, sector);
	vg_add(&x.g, 0, d, 3);
	vg_kick(&x.g, 0);
	wait_used(0);
	return status();
}

static uint8_t ask_range(uint32_t type, uint64_t sector, uint32_t n, uint32_t flags)
{
	const struct virtio_blk_discard_write_zeroes d = { sector, n, flags };

	vg_put(&x.g, RANGES, &d, sizeof(d));
	return ask(type, 0, RANGES, sizeof(d), false);
}

static void fill(uint8_t *data, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 31 + seed + (i >> 8));
}

static uint64_t config(size_t offset, unsigned int len)
{
	return vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, (unsigned int)offset, len);
}

#define CONFIG(field)                                     \
	config(offsetof(struct virtio_blk_config, field), \
	       sizeof(((struct virtio_blk_config *)0)->field))

/* ---- what it says of itself ---- */

static void test_config(void **state)
{
	add_disk((struct vmm_disk){ .has_discard = true, .n_queues = 4 });
	assert_int_equal(vg_features(&x.g) & 0xffffff,
			 1U << VIRTIO_BLK_F_SEG_MAX | 1U << VIRTIO_BLK_F_BLK_SIZE |
				 1U << VIRTIO_BLK_F_FLUSH | 1U << VIRTIO_BLK_F_TOPOLOGY |
				 1U << VIRTIO_BLK_F_DISCARD | 1U << VIRTIO_BLK_F_WRITE_ZEROES |
				 1U << VIRTIO_BLK_F_MQ);
	assert_int_equal(CONFIG(capacity), SECTORS);
	assert_int_equal(CONFIG(blk_size), 512);
	assert_int_equal(CONFIG(seg_max), 126);
	assert_int_equal(CONFIG(num_queues), 4);
	assert_int_not_equal(CONFIG(max_discard_sectors), 0);
	assert_int_not_equal(CONFIG(max_write_zeroes_seg), 0);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_NUMQ, 2), 4);
}

static void test_readonly(void **state)
{
	uint8_t data[512];

	start_disk((struct vmm_disk){ .is_readonly = true, .has_discard = true });
	assert_int_equal(vg_features(&x.g) & 1ULL << VIRTIO_BLK_F_DISCARD, 0);
	assert_int_not_equal(vg_features(&x.g) & 1ULL << VIRTIO_BLK_F_RO, 0);
	fill(data, 512, 1);
	vg_put(&x.g, DATA, data, 512);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, DATA, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask_range(VIRTIO_BLK_T_DISCARD, 0, 1, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, DATA, 512, true), VIRTIO_BLK_S_OK);
	vg_get(&x.g, DATA, data, 512);
	assert_int_equal(data[0] | data[511], 0);
}

static void test_unusable(void **state)
{
	struct vmm_disk disk = { .id = "root" };
	struct vmm_vblk *b;

	disk.fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(vmm_vblk_new(&x.g.env, SLOT, &disk, &b, &x.g.err), -ENOTBLK);
	assert_string_equal(x.g.err.object, "root");
	x.g.err = (struct cv_error){ 0 };
	disk.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(vmm_vblk_new(&x.g.env, SLOT, &disk, &b, &x.g.err), -EROFS);
	x.g.err = (struct cv_error){ 0 };
	assert_int_equal(ftruncate(x.fd, 511), 0);
	disk.fd = dup(x.fd);
	assert_int_equal(vmm_vblk_new(&x.g.env, SLOT, &disk, &b, &x.g.err), -EINVAL);
	x.g.err = (struct cv_error){ 0 };
}

/* ---- what it does ---- */

static void test_write_and_read(void **state)
{
	uint8_t data[4096], back[4096];

	start_disk((struct vmm_disk){ 0 });
	fill(data, sizeof(data), 5);
	vg_put(&x.g, DATA, data, sizeof(data));
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 8, DATA, 4096, false), VIRTIO_BLK_S_OK);
	assert_int_equal(x.used_len, 1);
	assert_int_equal(pread(x.fd, back, sizeof(back), 4096), sizeof(back));
	assert_memory_equal(back, data, sizeof(back));
	memset(back, 0, sizeof(back));
	vg_put(&x.g, DATA, back, sizeof(back));
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 8, DATA, 4096, true), VIRTIO_BLK_S_OK);
	assert_int_equal(x.used_len, 4097);
	vg_get(&x.g, DATA, back, sizeof(back));
	assert_memory_equal(back, data, sizeof(back));
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, DATA, 0, false), VIRTIO_BLK_S_OK);
}

/* Section 2.7.4.1: where a buffer ends has no meaning: header, data and status as one, or in crumbs. */
static void test_any_layout(void **state)
{
	const struct vring_desc whole[] = { { HEADER, 16 + 512, 0, 0 },
					    { STATUS_AT, 1, VRING_DESC_F_WRITE, 0 } };
	const struct vring_desc crumbs[] = {
		{ HEADER, 3, 0, 0 },
		{ HEADER + 3, 13, 0, 0 },
		{ DATA, 511, VRING_DESC_F_WRITE, 0 },
		{ STATUS_AT - 1, 2, VRING_DESC_F_WRITE, 0 },
	};
	uint8_t data[512], back[512];

	start_disk((struct vmm_disk){ 0 });
	fill(data, sizeof(data), 9);
	put_header(HEADER, VIRTIO_BLK_T_OUT, 3);
	vg_put(&x.g, HEADER + 16, data, sizeof(data));
	vg_add(&x.g, 0, whole, 2);
	vg_kick(&x.g, 0);
	wait_used(0);
	assert_int_equal(status(), VIRTIO_BLK_S_OK);
	put_header(HEADER, VIRTIO_BLK_T_IN, 3);
	vg_add(&x.g, 0, crumbs, 4);
	vg_kick(&x.g, 0);
	wait_used(0);
	assert_int_equal(status(), VIRTIO_BLK_S_OK);
	vg_get(&x.g, DATA, back, 511);
	vg_get(&x.g, STATUS_AT - 1, back + 511, 1);
	assert_memory_equal(back, data, sizeof(data));
}

static void test_id(void **state)
{
	char id[21] = { 0 };

	start_disk((struct vmm_disk){ .serial = "0123456789abcdefghijKLM" });
	assert_int_equal(ask(VIRTIO_BLK_T_GET_ID, 0, DATA, 20, true), VIRTIO_BLK_S_OK);
	assert_int_equal(x.used_len, 21);
	vg_get(&x.g, DATA, id, 20);
	assert_string_equal(id, "0123456789abcdefghij");
	assert_int_equal(ask(77, 0, DATA, 512, true), VIRTIO_BLK_S_UNSUPP);
}

/* Never beyond the end, which is where the guest was told that it is. */
static void test_bounds(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
		uint8_t status;
	} cases[] = {
		{ SECTORS - 1, 512, VIRTIO_BLK_S_OK },
		{ SECTORS, 0, VIRTIO_BLK_S_OK },
		{ SECTORS - 1, 1024, VIRTIO_BLK_S_IOERR },
		{ SECTORS, 512, VIRTIO_BLK_S_IOERR },
		{ UINT64_MAX, 512, VIRTIO_BLK_S_IOERR },
		{ UINT64_MAX / 512 + 1, 512, VIRTIO_BLK_S_IOERR },
		{ 1ULL << 55, 512, VIRTIO_BLK_S_IOERR },
		{ 0, 100, VIRTIO_BLK_S_IOERR },
	};
	struct stat st;

	start_disk((struct vmm_disk){ .has_discard = true });
	assert_int_equal(ftruncate(x.fd, 2 * SIZE), 0); /* longer than it was */
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		assert_int_equal(ask(VIRTIO_BLK_T_IN, cases[i].sector, DATA, cases[i].len, true),
				 cases[i].status);
		assert_int_equal(ask(VIRTIO_BLK_T_OUT, cases[i].sector, DATA, cases[i].len, false),
				 cases[i].status);
	}
	assert_int_equal(ask_range(VIRTIO_BLK_T_DISCARD, SECTORS - 1, 2, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask_range(VIRTIO_BLK_T_WRITE_ZEROES, UINT64_MAX, 2, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(fstat(x.fd, &st), 0);
	assert_int_equal(st.st_size, 2 * SIZE);
}

static void expect_zero(uint64_t sector, bool is_zero)
{
	uint8_t data[512];

	assert_int_equal(pread(x.fd, data, 512, (off_t)sector * 512), 512);
	assert_int_equal(data[0] == 0 && data[511] == 0, is_zero);
}

static void test_discard_and_zeroes(void **state)
{
	uint8_t data[8192];

	start_disk((struct vmm_disk){ .has_discard = true });
	memset(data, 0xff, sizeof(data));
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pwrite(x.fd, data, 8192, i * 8192), 8192);
	assert_int_equal(ask_range(VIRTIO_BLK_T_DISCARD, 8, 8, 0), VIRTIO_BLK_S_OK);
	expect_zero(7, false);
	expect_zero(8, true);
	expect_zero(15, true);
	expect_zero(16, false);
	/* memfd cannot zero a range at once: it is written */
	assert_int_equal(ask_range(VIRTIO_BLK_T_WRITE_ZEROES, 17, 2, 0), VIRTIO_BLK_S_OK);
	expect_zero(16, false);
	expect_zero(17, true);
	expect_zero(18, true);
	expect_zero(19, false);
	assert_int_equal(ask_range(VIRTIO_BLK_T_WRITE_ZEROES, 24, 8,
				   VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP),
			 VIRTIO_BLK_S_OK);
	expect_zero(24, true);
	assert_int_equal(ask_range(VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 2), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask_range(VIRTIO_BLK_T_DISCARD, 0, 1, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 0, RANGES, 15, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 0, RANGES, 65 * 16, false), VIRTIO_BLK_S_IOERR);
	expect_zero(0, false);
}

/* ---- the file changes ---- */

static void test_cut_file(void **state)
{
	struct stat st;

	start_disk((struct vmm_disk){ .has_discard = true });
	assert_int_equal(ftruncate(x.fd, SIZE / 2), 0);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, SECTORS / 2, DATA, 512, true), VIRTIO_BLK_S_IOERR);
	assert_int_equal(x.used_len, 1);
	assert_int_equal(ask(VIRTIO_BLK_T_IN, SECTORS / 2 - 1, DATA, 1024, true),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, SECTORS / 2, DATA, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask_range(VIRTIO_BLK_T_WRITE_ZEROES, SECTORS / 2, 1, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(fstat(x.fd, &st), 0);
	assert_int_equal(st.st_size, SIZE / 2); /* not made longer again */
	assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, DATA, 512, true), VIRTIO_BLK_S_OK);
}

/* As a disk that is full: the limit of a file's size is one, too. */
static void test_no_room(void **state)
{
	struct rlimit old, limit;

	start_disk((struct vmm_disk){ 0 });
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = (struct rlimit){ SIZE / 2, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, SECTORS / 2, DATA, 512, false), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, DATA, 512, false), VIRTIO_BLK_S_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

/* ---- a plan's disks ---- */

static char image[] = "/tmp/carve-disk-XXXXXX";

static void make_image(void)
{
	_cleanup_close_ int fd = -1;

	memcpy(image + sizeof(image) - 7, "XXXXXX", 6);
	fd = mkostemp(image, O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
}

static int make_disks(bool is_readonly, struct vmm_disks **ret)
{
	struct plan p = { .n_vcpus = 1, .n_disks = 1 };

	p.disks[0] = (struct plan_disk){ .id = "disk0", .path = image, .serial = "one" };
	p.disks[0].is_readonly = is_readonly;
	p.disks[0].guest.dev = (uint8_t)plan_disk_slot(0);
	x.g.err = (struct cv_error){ 0 };
	return vmm_disks_new(&x.g.env, &p, NULL, 0, ret, &x.g.err);
}

/* A slot is never given back: the next disk has another machine. */
static void drop_disks(void **state, struct vmm_disks *disks)
{
	vmm_disks_free(disks);
	teardown(state);
	setup(state);
}

/* What another program locks, as QEMU does: a byte of the file. Return: its descriptor, -errno. */
static int lock_byte(int flags, short type, off_t at)
{
	struct flock l = { .l_type = type, .l_start = at, .l_len = 1 };
	int fd = open(image, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return fd;
	close(fd);
	return -EAGAIN;
}

static void test_locked_by_another(void **state)
{
	static const struct {
		off_t byte; /* 101: writes, 201: suffers nobody who writes */
		bool is_readonly;
		int result;
	} cases[] = {
		{ 100, false, -EBUSY }, { 101, false, -EBUSY }, { 201, false, -EBUSY },
		{ 100, true, 0 },	{ 101, true, -EBUSY },	{ 201, true, 0 },
	};

	make_image();
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_close_ int fd = lock_byte(O_RDWR, F_RDLCK, cases[i].byte);
		struct vmm_disks *disks = NULL;

		assert_true(fd >= 0);
		assert_int_equal(make_disks(cases[i].is_readonly, &disks), cases[i].result);
		if (disks)
			drop_disks(state, disks);
		else
			assert_string_equal(x.g.err.code, "DISK_BUSY");
	}
	unlink(image);
}

static void test_locks_others_out(void **state)
{
	struct vmm_disks *disks = NULL;

	make_image();
	assert_int_equal(make_disks(false, &disks), 0);
	assert_int_equal(lock_byte(O_RDWR, F_RDLCK, 101), -EAGAIN);
	assert_int_equal(lock_byte(O_RDONLY, F_RDLCK, 100), -EAGAIN);
	drop_disks(state, disks);
	assert_int_equal(make_disks(true, &disks), 0);
	assert_int_equal(lock_byte(O_RDWR, F_WRLCK, 201), -EAGAIN);
	drop_disks(state, disks);
	unlink(image);
	assert_int_equal(make_disks(true, &disks), -ENOENT);
	assert_int_equal(mkfifo(image, 0600), 0);
	assert_int_equal(make_disks(true, &disks), -ENOTBLK);
	unlink(image);
}

/* ---- bad requests ---- */

static void test_short_header(void **state)
{
	const struct vring_desc d[] = { { HEADER, 15, 0, 0 },
					{ STATUS_AT, 1, VRING_DESC_F_WRITE, 0 } };

	start_disk((struct vmm_disk){ 0 });
	put_header(HEADER, VIRTIO_BLK_T_FLUSH, 0);
	vg_add(&x.g, 0, d, 2);
	vg_kick(&x.g, 0);
	wait_used(0);
	assert_int_equal(status(), VIRTIO_BLK_S_IOERR);
}

static void wait_broken(void)
{
	for (unsigned int i = 0; i < 25000; i++) {
		vg_run(&x.g);
		if (vg_read(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1) &
		    VIRTIO_CONFIG_S_NEEDS_RESET)
			return;
		pause_a_little();
	}
	fail_msg("the device does not say that it needs a reset");
}

static void test_no_status(void **state)
{
	const struct vring_desc d = { HEADER, 16, 0, 0 };

	start_disk((struct vmm_disk){ 0 });
	put_header(HEADER, VIRTIO_BLK_T_FLUSH, 0);
	vg_add(&x.g, 0, &d, 1);
	vg_kick(&x.g, 0);
	wait_broken();
	start(FLUSH, 1);
	assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, DATA, 0, false), VIRTIO_BLK_S_OK);
	vg_publish(&x.g, 0, 1000);
	vg_kick(&x.g, 0);
	wait_broken();
}

/* ---- many at once ---- */

#define MANY 20
#define ROUNDS 30

static void add_read(unsigned int queue, unsigned int i)
{
	uint64_t at = VG_PIECE + 0x1000 + ((uint64_t)queue * MANY + i) * 0x1000;
	const struct vring_desc d[] = {
		{ at, 16, 0, 0 },
		{ at + 16, 512, VRING_DESC_F_WRITE, 0 },
		{ at + 16 + 512, 1, VRING_DESC_F_WRITE, 0 },
	};

	put_header(at, VIRTIO_BLK_T_IN, i);
	vg_add(&x.g, queue, d, 3);
}

static void check_read(unsigned int queue, unsigned int i)
{
	uint64_t at = VG_PIECE + 0x1000 + ((uint64_t)queue * MANY + i) * 0x1000;
	uint8_t data[513];

	vg_get(&x.g, at + 16, data, 513);
	assert_int_equal(data[512], VIRTIO_BLK_S_OK);
	assert_int_equal(data[0], i + 1);
	assert_int_equal(data[511], i + 1);
}

static void number_sectors(void)
{
	uint8_t data[512];

	for (unsigned int i = 0; i < MANY; i++) {
		memset(data, (int)i + 1, sizeof(data));
		assert_int_equal(pwrite(x.fd, data, 512, i * 512), 512);
	}
}

static void test_many(void **state)
{
	number_sectors();
	for (unsigned int event = 0; event < 2; event++) {
		if (!x.b)
			add_disk((struct vmm_disk){ .n_queues = 3 });
		start(FLUSH | event * (1ULL << VIRTIO_RING_F_EVENT_IDX), 3);
		for (unsigned int round = 0; round < ROUNDS; round++) {
			for (unsigned int i = 0; i < 3 * MANY; i++) {
				add_read(i % 3, i / 3);
				vg_kick(&x.g, i % 3);
			}
			for (unsigned int i = 0; i < 3 * MANY; i++)
				wait_used(i % 3);
			for (unsigned int i = 0; i < 3 * MANY; i++)
				check_read(i % 3, i / 3);
		}
	}
}

/* When the status reads 0 nobody writes to the guest's memory any more. */
static void test_reset_in_flight(void **state)
{
	static uint8_t after[VG_PIECE], later[VG_PIECE];

	number_sectors();
	add_disk((struct vmm_disk){ .n_queues = 2 });
	for (unsigned int round = 0; round < ROUNDS; round++) {
		start(FLUSH, 2);
		for (unsigned int i = 0; i < 2 * MANY; i++)
			add_read(i % 2, i / 2);
		vg_kick(&x.g, 0);
		vg_kick(&x.g, 1);
		vg_run(&x.g);
		vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
		vg_get(&x.g, VG_PIECE, after, sizeof(after));
		pause_a_little();
		vg_get(&x.g, VG_PIECE, later, sizeof(later));
		assert_memory_equal(after, later, sizeof(after));
	}
}

static void test_freed_in_flight(void **state)
{
	number_sectors();
	for (unsigned int round = 0; round < 2; round++) {
		add_disk((struct vmm_disk){ .n_queues = 2 });
		start(0, 2);
		for (unsigned int i = 0; i < MANY; i++)
			add_read(0, i);
		vg_kick(&x.g, 0);
		vg_run(&x.g);
		vmm_vblk_free(x.b);
		x.b = NULL;
		teardown(state);
		setup(state);
	}
}

/* ---- several vCPUs ---- */

static void *run_loop(void *ctx)
{
	assert_int_equal(vmm_loop_run(x.g.loop), 0);
	return NULL;
}

/* Registers through configuration space, its MSI-X control, doorbells: what takes every lock. */
static void *hammer(void *ctx)
{
	const bool *is_over = ctx;
	unsigned int at = x.g.parts[VIRTIO_PCI_CAP_PCI_CFG].at, msix = 0x40;

	while (vg_config_read(&x.g, msix, 1) != PCI_CAP_ID_MSIX)
		msix += 4;
	vg_config_write(&x.g, at + 12, 4, 4);
	for (unsigned int i = 0; !__atomic_load_n(is_over, __ATOMIC_RELAXED); i++) {
		vg_write(&x.g, VIRTIO_PCI_CAP_NOTIFY_CFG, 4 * (i % 2), 2, 0);
		vg_config_write(&x.g, at + 8, 4, i % 0x7ffc);
		vg_config_read(&x.g, at + 16, 4);
		vg_config_write(&x.g, msix + PCI_MSIX_FLAGS, 2, i % 4 ? PCI_MSIX_FLAGS_ENABLE : 0);
	}
	return NULL;
}

static void test_two_vcpus(void **state)
{
	pthread_t loop, other;
	bool is_over = false;

	number_sectors();
	add_disk((struct vmm_disk){ .n_queues = 2 });
	vg_enable_msix(&x.g, 3);
	assert_int_equal(pthread_create(&loop, NULL, run_loop, NULL), 0);
	assert_int_equal(pthread_create(&other, NULL, hammer, &is_over), 0);
	for (unsigned int round = 0; round < 10 * ROUNDS; round++) {
		start(FLUSH, 2);
		for (unsigned int i = 0; i < 2 * MANY; i++) {
			add_read(i % 2, i / 2);
			vg_write(&x.g, VIRTIO_PCI_CAP_NOTIFY_CFG, 4 * (i % 2), 2, 0);
		}
		if (round % 8 == 0)
			pause_a_little();
		vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
		assert_int_equal(
			vg_read(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1), 0);
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	pthread_join(other, NULL);
	vmm_loop_stop(x.g.loop, 0);
	pthread_join(loop, NULL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_config),
		CASE(test_readonly),
		CASE(test_unusable),
		CASE(test_write_and_read),
		CASE(test_any_layout),
		CASE(test_id),
		CASE(test_bounds),
		CASE(test_discard_and_zeroes),
		CASE(test_cut_file),
		CASE(test_no_room),
		CASE(test_locked_by_another),
		CASE(test_locks_others_out),
		CASE(test_short_header),
		CASE(test_no_status),
		CASE(test_many),
		CASE(test_reset_in_flight),
		CASE(test_freed_in_flight),
		CASE(test_two_vcpus),
	};

	signal(SIGXFSZ, SIG_DFL);
	return cmocka_run_group_tests_name("virtio_blk", tests, NULL, NULL);
}
