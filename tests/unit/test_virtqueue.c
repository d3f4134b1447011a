// SPDX-License-Identifier: GPL-2.0-or-later
/* Rings as a guest writes them, right and wrong: what comes out lies in its memory, or nothing does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/virtio_ring.h>

#include "vmm/dev/virtqueue.h"

#define PIECE 0x10000ULL
#define BASE 0x10000ULL /* of the first piece; the second one follows, a third is far away */
#define FAR 0x100000ULL
#define DESC BASE
#define AVAIL (BASE + 0x1000)
#define USED (BASE + 0x2000)
#define TABLE (BASE + 0x4000)
#define DATA (BASE + 0x8000)
#define SIZE 8

struct fixture {
	struct vmm_ram rams[3];
	struct vmm_memory memory;
	struct vmm_queue q;
	struct vmm_chain c;
	uint16_t avail;
};

static int setup(void **state)
{
	static struct fixture x;
	const uint64_t starts[] = { BASE, BASE + PIECE, FAR };

	memset(&x, 0, sizeof(x));
	for (unsigned int i = 0; i < 3; i++)
		x.rams[i] = (struct vmm_ram){ starts[i], PIECE, calloc(1, PIECE), 0, -1, 0 };
	x.memory = (struct vmm_memory){ .rams = x.rams, .n = 3 };
	x.q = (struct vmm_queue){
		.memory = &x.memory, .size = SIZE, .desc = DESC, .avail = AVAIL, .used = USED
	};
	assert_int_equal(vmm_queue_enable(&x.q), 0);
	*state = &x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	for (unsigned int i = 0; i < 3; i++)
		free(x->rams[i].host);
	return 0;
}

static void put(struct fixture *x, uint64_t at, const void *data, size_t len)
{
	assert_int_equal(vmm_memory_write(&x->memory, at, data, len), 0);
}

static void put16(struct fixture *x, uint64_t at, uint16_t value)
{
	put(x, at, &value, sizeof(value));
}

static uint16_t get16(struct fixture *x, uint64_t at)
{
	uint16_t value;

	assert_int_equal(vmm_memory_read(&x->memory, at, &value, sizeof(value)), 0);
	return value;
}

static void desc(struct fixture *x, uint64_t table, unsigned int i, uint64_t addr, uint32_t len,
		 uint16_t flags, uint16_t next)
{
	const struct vring_desc d = { addr, len, flags, next };

	put(x, table + 16ULL * i, &d, sizeof(d));
}

static void publish(struct fixture *x, uint16_t head)
{
	put16(x, AVAIL + 4 + 2ULL * (x->avail % SIZE), head);
	put16(x, AVAIL + 2, ++x->avail);
}

static int pop(struct fixture *x, uint16_t head)
{
	publish(x, head);
	return vmm_queue_pop(&x->q, &x->c);
}

/* ---- enabling ---- */

static void test_enable(void **state)
{
	struct fixture *x = *state;
	static const struct {
		uint16_t size;
		uint64_t desc, avail, used;
		int r;
	} cases[] = {
		{ 256, DESC, AVAIL, USED, 0 },
		{ 1, DESC, AVAIL, USED, 0 },
		{ 0, DESC, AVAIL, USED, -EINVAL },
		{ 6, DESC, AVAIL, USED, -EINVAL },
		{ 512, DESC, AVAIL, USED, -EINVAL },
		{ 8, DESC + 8, AVAIL, USED, -EINVAL },
		{ 8, DESC, AVAIL + 1, USED, -EINVAL },
		{ 8, DESC, AVAIL, USED + 2, -EINVAL },
		{ 8, BASE - 16, AVAIL, USED, -EFAULT },
		{ 8, DESC, FAR + PIECE - 20, USED, -EFAULT },
		{ 8, DESC, FAR + PIECE - 22, USED, 0 },
		{ 8, DESC, AVAIL, FAR + PIECE - 68, -EFAULT },
		{ 8, UINT64_MAX - 15, AVAIL, USED, -EFAULT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vmm_queue q = { .memory = &x->memory,
				       .size = cases[i].size,
				       .desc = cases[i].desc,
				       .avail = cases[i].avail,
				       .used = cases[i].used };

		assert_int_equal(vmm_queue_enable(&q), cases[i].r);
		assert_int_equal(q.is_enabled, cases[i].r == 0);
	}
}

/* ---- requests ---- */

static void test_chain(void **state)
{
	struct fixture *x = *state;
	char text[16] = { 0 };

	desc(x, DESC, 3, DATA, 4, VRING_DESC_F_NEXT, 7);
	desc(x, DESC, 7, DATA + 100, 5, VRING_DESC_F_NEXT, 0);
	desc(x, DESC, 0, DATA + 200, 6, VRING_DESC_F_WRITE, 0);
	put(x, DATA, "abcd", 4);
	put(x, DATA + 100, "efghi", 5);
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), 0);
	assert_int_equal(pop(x, 3), 1);
	assert_int_equal(x->c.head, 3);
	assert_int_equal(x->c.n_out, 2);
	assert_int_equal(x->c.n_in, 1);
	assert_int_equal(x->c.out_len, 9);
	assert_int_equal(x->c.in_len, 6);
	assert_int_equal(vmm_chain_read(&x->c, 2, text, 5), 5);
	assert_string_equal(text, "cdefg");
	assert_int_equal(vmm_chain_read(&x->c, 8, text, 16), 1);
	assert_int_equal(vmm_chain_read(&x->c, 9, text, 16), 0);
	assert_int_equal(vmm_chain_write(&x->c, 4, "wxyz", 4), 2);
	assert_int_equal(vmm_memory_read(&x->memory, DATA + 204, text, 2), 0);
	assert_memory_equal(text, "wx", 2);
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), 0);
}

static void test_indirect(void **state)
{
	struct fixture *x = *state;

	/* after a direct one, in a table that is aligned to nothing */
	desc(x, DESC, 0, DATA, 16, VRING_DESC_F_NEXT, 1);
	desc(x, DESC, 1, TABLE + 3, 3 * 16, VRING_DESC_F_INDIRECT, 0);
	desc(x, TABLE + 3, 0, DATA + 16, 16, VRING_DESC_F_NEXT, 2);
	desc(x, TABLE + 3, 2, DATA + 32, 16, VRING_DESC_F_WRITE, 0);
	assert_int_equal(pop(x, 0), 1);
	assert_int_equal(x->c.n_out, 2);
	assert_int_equal(x->c.n_in, 1);
}

/* The first piece ends where the second one starts: to the guest that is one. */
static void test_across_pieces(void **state)
{
	struct fixture *x = *state;
	char text[9] = { 0 };

	desc(x, DESC, 0, BASE + PIECE - 4, 8, 0, 0);
	put(x, BASE + PIECE - 4, "abcdefgh", 8);
	assert_int_equal(pop(x, 0), 1);
	assert_int_equal(x->c.n_out, 2);
	assert_int_equal(x->c.out_len, 8);
	assert_int_equal(vmm_chain_read(&x->c, 0, text, 8), 8);
	assert_string_equal(text, "abcdefgh");
	desc(x, DESC, 1, BASE + 2 * PIECE - 4, 8, 0, 0);
	assert_int_equal(pop(x, 1), -EPROTO);
}

static void test_empty_buffers(void **state)
{
	struct fixture *x = *state;

	desc(x, DESC, 0, 0, 0, VRING_DESC_F_NEXT, 1);
	desc(x, DESC, 1, DATA, 1, 0, 0);
	assert_int_equal(pop(x, 0), 1);
	assert_int_equal(x->c.n_out, 1);
	assert_int_equal(x->c.out_len, 1);
}

static void test_full_indirect(void **state)
{
	struct fixture *x = *state;

	for (unsigned int i = 0; i < VMM_CHAIN_MAX; i++)
		desc(x, TABLE, i, DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE,
		     (uint16_t)(i + 1));
	desc(x, TABLE, VMM_CHAIN_MAX - 1, DATA, 1, VRING_DESC_F_WRITE, 0);
	desc(x, DESC, 0, TABLE, VMM_CHAIN_MAX * 16, VRING_DESC_F_INDIRECT, 0);
	assert_int_equal(pop(x, 0), 1);
	assert_int_equal(x->c.n_in, VMM_CHAIN_MAX);
	desc(x, DESC, 1, DATA, 1, VRING_DESC_F_NEXT, 2);
	desc(x, DESC, 2, TABLE, VMM_CHAIN_MAX * 16, VRING_DESC_F_INDIRECT, 0);
	assert_int_equal(pop(x, 1), -EPROTO);
}

/* Each breaks one rule of section 2.7.5. */
static void test_rules(void **state)
{
	static const struct {
		struct vring_desc d[2], t[2];
		uint16_t head;
	} cases[] = {
		{ .head = SIZE },
		{ .d = { { DATA, 1, VRING_DESC_F_NEXT, SIZE } } },
		{ .d = { { DATA, 1, VRING_DESC_F_NEXT, 0 } } },
		{ .d = { { DATA, 1, VRING_DESC_F_NEXT, 1 }, { DATA, 1, VRING_DESC_F_NEXT, 0 } } },
		{ .d = { { DATA, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1 }, { DATA, 1 } } },
		{ .d = { { BASE - 1, 1 } } },
		{ .d = { { FAR + PIECE - 1, 2 } } },
		{ .d = { { UINT64_MAX, 2 } } },
		{ .d = { { DATA, UINT32_MAX } } },
		{ .d = { { TABLE, 0, VRING_DESC_F_INDIRECT } } },
		{ .d = { { TABLE, 24, VRING_DESC_F_INDIRECT } } },
		{ .d = { { TABLE, 257 * 16, VRING_DESC_F_INDIRECT } } },
		{ .d = { { FAR + PIECE - 16, 32, VRING_DESC_F_INDIRECT } } },
		{ .d = { { TABLE, 32, VRING_DESC_F_INDIRECT | VRING_DESC_F_NEXT, 1 },
			 { DATA, 1 } } },
		{ .d = { { TABLE, 32, VRING_DESC_F_INDIRECT } },
		  .t = { { TABLE, 32, VRING_DESC_F_INDIRECT } } },
		{ .d = { { TABLE, 32, VRING_DESC_F_INDIRECT } },
		  .t = { { DATA, 1, VRING_DESC_F_NEXT, 2 } } },
		{ .d = { { TABLE, 32, VRING_DESC_F_INDIRECT } },
		  .t = { { DATA, 1, VRING_DESC_F_NEXT, 1 }, { DATA, 1, VRING_DESC_F_NEXT, 0 } } },
	};
	struct fixture *x = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t before = x->q.next_avail;

		put(x, DESC, cases[i].d, sizeof(cases[i].d));
		put(x, TABLE, cases[i].t, sizeof(cases[i].t));
		assert_int_equal(pop(x, cases[i].head), -EPROTO);
		assert_int_equal(x->q.next_avail, before);
		x->q.next_avail++; /* the next case has its own entry */
	}
}

static void test_index_runs_away(void **state)
{
	struct fixture *x = *state;

	desc(x, DESC, 0, DATA, 1, 0, 0);
	put16(x, AVAIL + 2, SIZE);
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), 1);
	put16(x, AVAIL + 2, SIZE + 2);
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), -EPROTO);
	put16(x, AVAIL + 2, 0); /* back: 65535 ahead */
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), -EPROTO);
}

static void test_wraps(void **state)
{
	struct fixture *x = *state;

	x->q.next_avail = x->q.next_used = x->q.signalled = x->avail = UINT16_MAX;
	put16(x, AVAIL + 2, UINT16_MAX);
	put16(x, USED + 2, UINT16_MAX);
	for (unsigned int i = 0; i < 3; i++) {
		desc(x, DESC, i, DATA, 1, 0, 0);
		assert_int_equal(pop(x, (uint16_t)i), 1);
		vmm_queue_push(&x->q, x->c.head, 10 + i);
	}
	assert_int_equal(get16(x, USED + 2), 2);
	assert_int_equal(get16(x, USED + 4 + 8 * 7), 0);
	assert_int_equal(get16(x, USED + 4 + 8 * 7 + 4), 10);
	assert_int_equal(get16(x, USED + 4), 1);
	assert_int_equal(get16(x, USED + 4 + 8), 2);
	assert_int_equal(get16(x, USED + 4 + 8 + 4), 12);
}

static void test_unpop(void **state)
{
	struct fixture *x = *state;

	desc(x, DESC, 2, DATA, 1, 0, 0);
	assert_int_equal(pop(x, 2), 1);
	vmm_queue_unpop(&x->q);
	x->c.head = 0;
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), 1);
	assert_int_equal(x->c.head, 2);
}

/* ---- who tells whom ---- */

static void push(struct fixture *x, unsigned int n)
{
	while (n-- > 0)
		vmm_queue_push(&x->q, 0, 0);
}

static void test_irq_by_flag(void **state)
{
	struct fixture *x = *state;

	assert_false(vmm_queue_wants_irq(&x->q));
	push(x, 1);
	assert_true(vmm_queue_wants_irq(&x->q));
	assert_false(vmm_queue_wants_irq(&x->q)); /* told already */
	put16(x, AVAIL, VRING_AVAIL_F_NO_INTERRUPT);
	push(x, 1);
	assert_false(vmm_queue_wants_irq(&x->q));
}

static void test_irq_by_event(void **state)
{
	struct fixture *x = *state;
	const uint64_t event = AVAIL + 4 + 2 * SIZE;

	x->q.has_event_idx = true;
	put16(x, AVAIL, VRING_AVAIL_F_NO_INTERRUPT); /* has no meaning then */
	put16(x, event, 2);
	push(x, 2);
	assert_false(vmm_queue_wants_irq(&x->q));
	push(x, 1);
	assert_true(vmm_queue_wants_irq(&x->q));
	push(x, 3);
	assert_false(vmm_queue_wants_irq(&x->q));
	put16(x, event, 7);
	push(x, 4); /* 6 to 10: passes 7 on its way */
	assert_true(vmm_queue_wants_irq(&x->q));
	x->q.next_used = x->q.signalled = UINT16_MAX;
	put16(x, event, UINT16_MAX);
	push(x, 1);
	assert_true(vmm_queue_wants_irq(&x->q));
}

static void test_kicks(void **state)
{
	struct fixture *x = *state;
	const uint64_t event = USED + 4 + 8 * SIZE;

	assert_false(vmm_queue_want_kick(&x->q, false));
	assert_int_equal(get16(x, USED), VRING_USED_F_NO_NOTIFY);
	publish(x, 0);
	assert_true(vmm_queue_want_kick(&x->q, true));
	assert_int_equal(get16(x, USED), 0);
	x->q.has_event_idx = true;
	x->q.next_avail = 5;
	assert_true(vmm_queue_want_kick(&x->q, true));
	assert_int_equal(get16(x, event), 5);
	vmm_queue_want_kick(&x->q, false);
	assert_int_equal(get16(x, event), 4);
}

static void test_disabled(void **state)
{
	struct fixture *x = *state;

	publish(x, 0);
	vmm_queue_reset(&x->q);
	assert_int_equal(vmm_queue_pop(&x->q, &x->c), 0);
	vmm_queue_push(&x->q, 0, 1);
	assert_false(vmm_queue_wants_irq(&x->q));
	assert_false(vmm_queue_want_kick(&x->q, true));
	assert_int_equal(get16(x, USED + 2), 0);
	assert_ptr_equal(x->q.memory, &x->memory);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_enable),	  CASE(test_chain),	      CASE(test_indirect),
		CASE(test_across_pieces), CASE(test_empty_buffers),   CASE(test_full_indirect),
		CASE(test_rules),	  CASE(test_index_runs_away), CASE(test_wraps),
		CASE(test_unpop),	  CASE(test_irq_by_flag),     CASE(test_irq_by_event),
		CASE(test_kicks),	  CASE(test_disabled),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
