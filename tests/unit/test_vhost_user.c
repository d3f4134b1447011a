// SPDX-License-Identifier: GPL-2.0-or-later
/* The vhost-user front end against back ends that answer properly, wrongly, late, and never. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost_back_end.h"

#define PIECE 0x10000ULL
#define ANSWER_MS 300
#define VERSION_1 (1ULL << 32)
#define ALL_PROTOCOL UINT64_MAX

struct fixture {
	struct vb_back_end b;
	struct vmm_loop *loop;
	struct vmm_vhost *h;
	struct vmm_ram rams[VHOST_USER_REGIONS_MAX + 1];
	struct vmm_memory memory;
	struct cv_error err;
	unsigned int gone;
	bool has_back_end;
};

static struct fixture x;

static void on_gone(void *ctx)
{
	x.gone++;
	assert_ptr_equal(ctx, &x);
}

/* Two pieces of one descriptor, the second one at an offset, with a hole between them. */
static void make_memory(void)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	uint8_t *at;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 2 * PIECE), 0);
	at = mmap(NULL, 2 * PIECE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	x.rams[0] = (struct vmm_ram){ 0, PIECE, at, 0, fd, 0 };
	x.rams[1] = (struct vmm_ram){ 0x100000, PIECE, at + PIECE, 0, fd, PIECE };
	x.memory = (struct vmm_memory){ .rams = x.rams, .n = 2 };
}

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	x.b.features = VERSION_1 | VHOST_USER_F_PROTOCOL;
	x.b.protocol = ALL_PROTOCOL;
	x.b.queues = 2;
	make_memory();
	return vmm_loop_new(&x.loop);
}

static int teardown(void **state)
{
	if (x.h)
		x.h->ops->free(x.h);
	if (x.has_back_end)
		vb_join(&x.b);
	munmap(x.rams[0].host, 2 * PIECE);
	close(x.rams[0].fd);
	vmm_loop_free(x.loop);
	return 0;
}

static int connect_back_end(void)
{
	int fd = vb_start(&x.b);

	x.has_back_end = true;
	return vhost_user_new("share0", fd, ANSWER_MS, x.loop, on_gone, &x, &x.h, &x.err);
}

static void connect_well(void)
{
	assert_int_equal(connect_back_end(), 0);
}

static void stop_loop(void *ctx)
{
	vmm_loop_stop(x.loop, 0);
}

static void run_loop(void)
{
	assert_int_equal(vmm_loop_defer(x.loop, stop_loop, NULL), 0);
	assert_int_equal(vmm_loop_run(x.loop), 0);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* After any answer: what was told before it has come. */
static void settle(void)
{
	uint64_t features;

	assert_int_equal(x.h->ops->features(x.h, &features), 0);
}

static const struct vmm_virtio_ring *ring_of(int kick, int call)
{
	static struct vmm_virtio_ring r;

	r = (struct vmm_virtio_ring){ .desc = 0x1000,
				      .avail = 0x100400,
				      .used = 0x108000,
				      .size = 64,
				      .next = 9,
				      .kick_fd = kick,
				      .call_fd = call };
	return &r;
}

/* ---- what is agreed ---- */

static void test_agreed(void **state)
{
	static const uint32_t wanted[] = { VHOST_USER_GET_FEATURES,
					   VHOST_USER_GET_PROTOCOL_FEATURES,
					   VHOST_USER_SET_PROTOCOL_FEATURES, VHOST_USER_SET_OWNER };
	uint64_t features = 0;

	x.b.features |= 1ULL << 5;
	connect_well();
	assert_int_equal(x.b.n_requests, 4);
	assert_memory_equal(x.b.requests, wanted, sizeof(wanted));
	assert_int_equal(x.b.set_protocol,
			 VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG);
	assert_int_equal(x.h->ops->features(x.h, &features), 0);
	assert_int_equal(features, VERSION_1 | 1ULL << 5);
	assert_int_equal(x.h->ops->set_features(x.h, VERSION_1), 0);
	assert_int_equal(x.b.set_features, VERSION_1 | VHOST_USER_F_PROTOCOL);
	assert_int_equal(vmm_vhost_user_queues(x.h), 2);
}

static void test_old_back_end(void **state)
{
	int kick = eventfd(0, EFD_CLOEXEC), call = eventfd(0, EFD_CLOEXEC);

	x.b.features = VERSION_1;
	connect_well();
	assert_int_equal(x.h->ops->set_features(x.h, VERSION_1), 0);
	assert_int_equal(vmm_vhost_user_queues(x.h), 1);
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), 0);
	assert_int_equal(x.h->ops->set_ring(x.h, 0, ring_of(kick, call)), 0);
	settle();
	assert_int_equal(x.b.set_features, VERSION_1);
	for (size_t i = 0; i < x.b.n_requests; i++) {
		assert_int_not_equal(x.b.requests[i], VHOST_USER_SET_VRING_ENABLE);
		assert_int_not_equal(x.b.requests[i], VHOST_USER_GET_PROTOCOL_FEATURES);
	}
	close(kick);
	close(call);
}

static void test_queues_out_of_range(void **state)
{
	connect_well();
	x.b.queues = 0;
	assert_int_equal(vmm_vhost_user_queues(x.h), -EPROTO);
	x.b.queues = 1ULL << 32 | 1;
	assert_int_equal(vmm_vhost_user_queues(x.h), -EPROTO);
}

/* ---- memory and rings ---- */

/* What the back end writes through its own descriptor is in the guest's memory. */
static void test_memory(void **state)
{
	connect_well();
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), 0);
	assert_int_equal(x.b.memory.n, 2);
	assert_int_equal(x.b.n_memory_fds, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct vhost_user_region *r = &x.b.memory.regions[i];

		assert_int_equal(r->guest, x.rams[i].gpa);
		assert_int_equal(r->size, PIECE);
		assert_int_equal(r->user, (uintptr_t)x.rams[i].host);
		assert_int_equal(r->offset, i * PIECE);
		assert_int_equal(pwrite(x.b.memory_fds[i], "carve", 5, (off_t)(r->offset + 77)), 5);
		assert_memory_equal(x.rams[i].host + 77, "carve", 5);
	}
}

static void test_too_many_pieces(void **state)
{
	connect_well();
	for (size_t i = 2; i < VHOST_USER_REGIONS_MAX + 1; i++)
		x.rams[i] = x.rams[1];
	x.memory.n = VHOST_USER_REGIONS_MAX + 1;
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), -E2BIG);
	assert_int_equal(x.b.memory.n, 0);
	x.memory.n = VHOST_USER_REGIONS_MAX;
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), 0);
	assert_int_equal(x.b.n_memory_fds, VHOST_USER_REGIONS_MAX);
}

static void test_ring(void **state)
{
	int kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	    call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const struct vb_ring *r = &x.b.rings[1];
	uint64_t n = 0;

	connect_well();
	assert_int_equal(x.h->ops->set_ring(x.h, 1, ring_of(kick, call)), -EINVAL);
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), 0);
	assert_int_equal(x.h->ops->set_ring(x.h, 1, ring_of(kick, call)), 0);
	assert_int_equal(r->num, 64);
	assert_int_equal(r->base, 9);
	assert_int_equal(r->enable, 1);
	assert_int_equal(r->addr.desc_user_addr, (uintptr_t)x.rams[0].host + 0x1000);
	assert_int_equal(r->addr.avail_user_addr, (uintptr_t)x.rams[1].host + 0x400);
	assert_int_equal(r->addr.used_user_addr, (uintptr_t)x.rams[1].host + 0x8000);
	assert_int_equal(write(kick, &(uint64_t){ 3 }, 8), 8);
	assert_int_equal(read(r->kick, &n, 8), 8);
	assert_int_equal(n, 3);
	assert_int_equal(write(r->call, &(uint64_t){ 4 }, 8), 8);
	assert_int_equal(read(call, &n, 8), 8);
	assert_int_equal(n, 4);
	close(kick);
	close(call);
}

static void test_ring_outside_of_memory(void **state)
{
	struct vmm_virtio_ring r = *ring_of(x.rams[0].fd, x.rams[0].fd);

	connect_well();
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), 0);
	r.used = 0x110000 - 64 * 8; /* the last entries, and what follows them, are outside */
	assert_int_equal(x.h->ops->set_ring(x.h, 0, &r), -EFAULT);
	assert_int_equal(x.b.rings[0].kick, -1);
}

static void test_stopped(void **state)
{
	uint16_t next = 0;

	x.b.stop_num = 0xfffe;
	connect_well();
	assert_int_equal(x.h->ops->stop_ring(x.h, 1, &next), 0);
	assert_int_equal(next, 0xfffe);
}

static void test_stopped_elsewhere(void **state)
{
	uint16_t next = 7;

	x.b.stop_num = 0x10000;
	connect_well();
	assert_int_equal(x.h->ops->stop_ring(x.h, 1, &next), -EPROTO);
	assert_int_equal(x.h->ops->stop_ring(x.h, 1, &next), -EPROTO);
	assert_int_equal(next, 7);
}

static void test_stopped_another(void **state)
{
	uint16_t next = 7;

	x.b.stop_index = 1;
	connect_well();
	assert_int_equal(x.h->ops->stop_ring(x.h, 1, &next), -EPROTO);
	assert_int_equal(next, 7);
}

/* ---- answers that are none ---- */

static const struct {
	enum vb_fault fault;
	int wanted;
} faults[] = {
	{ VB_SHORT, -EPROTO },	     { VB_HUGE, -EPROTO },    { VB_OTHER, -EPROTO },
	{ VB_NO_REPLY, -EPROTO },    { VB_VERSION, -EPROTO }, { VB_FD, -EPROTO },
	{ VB_MANY_FDS, -EPROTO },    { VB_HALF, -ETIMEDOUT }, { VB_SILENT, -ETIMEDOUT },
	{ VB_HANG_UP, -ECONNRESET },
};

#define N_FAULTS (sizeof(faults) / sizeof(faults[0]))

static void again(void)
{
	void *state = NULL;

	teardown(&state);
	assert_int_equal(setup(&state), 0);
}

/* At each message of the beginning: nothing is made, nothing is left open. */
static void test_wrong_from_the_start(void **state)
{
	static const uint32_t at[] = { VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES,
				       VHOST_USER_SET_OWNER };

	for (size_t i = 0; i < N_FAULTS * 3; i++) {
		unsigned int before = open_fds();

		x.b.fault = faults[i / 3].fault;
		x.b.fault_at = at[i % 3];
		assert_int_equal(connect_back_end(), faults[i / 3].wanted);
		assert_null(x.h);
		assert_string_equal(x.err.object, "share0");
		vb_join(&x.b);
		x.has_back_end = false;
		assert_int_equal(open_fds(), before);
		again();
	}
}

/* Later: the connection is over, each call fails at once, the device is told, once. */
static void judge_end(int wanted)
{
	uint64_t start = now_ms(), features;
	uint16_t next;

	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(x.h->ops->features(x.h, &features), wanted);
		assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), wanted);
		assert_int_equal(x.h->ops->stop_ring(x.h, 0, &next), wanted);
	}
	assert_true(now_ms() - start < ANSWER_MS);
	assert_int_equal(x.gone, 0);
	run_loop();
	run_loop();
	assert_int_equal(x.gone, 1);
}

static void test_wrong_later(void **state)
{
	for (size_t i = 0; i < N_FAULTS; i++) {
		uint64_t start;
		uint16_t next;

		connect_well();
		x.b.fault = faults[i].fault;
		x.b.fault_at = VHOST_USER_GET_VRING_BASE;
		start = now_ms();
		assert_int_equal(x.h->ops->stop_ring(x.h, 0, &next), faults[i].wanted);
		assert_true(now_ms() - start < 10 * ANSWER_MS);
		if (faults[i].wanted == -ETIMEDOUT)
			assert_true(now_ms() - start + 1 >= ANSWER_MS);
		judge_end(faults[i].wanted);
		again();
	}
}

static void test_wrong_acknowledgement(void **state)
{
	for (size_t i = 0; i < N_FAULTS; i++) {
		connect_well();
		x.b.fault = faults[i].fault;
		x.b.fault_at = VHOST_USER_SET_MEM_TABLE;
		assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), faults[i].wanted);
		judge_end(faults[i].wanted);
		again();
	}
}

static void test_refused(void **state)
{
	connect_well();
	x.b.fault = VB_REFUSE;
	x.b.fault_at = VHOST_USER_SET_MEM_TABLE;
	assert_int_equal(x.h->ops->set_memory(x.h, &x.memory), -EREMOTEIO);
	assert_int_equal(x.h->ops->set_ring(x.h, 0, ring_of(0, 0)), -EINVAL);
	settle();
	run_loop();
	assert_int_equal(x.gone, 0);
}

/* While nobody asks anything. */
static void test_hang_up(void **state)
{
	uint64_t features;

	connect_well();
	run_loop();
	assert_int_equal(x.gone, 0);
	vb_hang_up(&x.b);
	run_loop();
	assert_int_equal(x.gone, 1);
	assert_int_equal(x.h->ops->features(x.h, &features), -ECONNRESET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_agreed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_back_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues_out_of_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ring_outside_of_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_from_the_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_acknowledgement, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
	};

	return cmocka_run_group_tests_name("vhost_user", tests, NULL, NULL);
}
