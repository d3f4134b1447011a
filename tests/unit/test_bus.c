// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges of a bus: who answers, what overlaps, and ranges that move while others use them. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/core/bus.h"

/** struct device - remembers its last access; runs @within in it */
struct device {
	uint64_t offset, value;
	unsigned int calls, len;
	bool is_write;
	void (*within)(struct device *d);
	struct vmm_bus *bus;
	uint64_t start, to;
	int result;
};

static void device_access(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	struct device *d = ctx;

	d->calls++;
	d->offset = offset;
	d->len = len;
	d->is_write = is_write;
	if (is_write)
		memcpy(&d->value, data, len);
	else if (d->value)
		memcpy(data, &d->value, len);
	if (d->within)
		d->within(d);
}

static int add(struct vmm_bus *b, struct device *d, uint64_t start, uint64_t size)
{
	return vmm_bus_add(b, &(struct vmm_range){ "device", start, size, device_access, d });
}

static uint64_t read_bus(struct vmm_bus *b, uint64_t addr, unsigned int len, bool *ret_owned)
{
	uint64_t value = 0;

	*ret_owned = vmm_bus_access(b, addr, &value, len, false);
	return value;
}

static void test_access(void **state)
{
	struct device d = { .value = 0x1122334455667788 };
	struct vmm_bus b;
	uint64_t value = 0xabcd;
	bool owned;

	assert_int_equal(vmm_bus_init(&b), 0);
	assert_int_equal(add(&b, &d, 0x1000, 16), 0);
	assert_true(read_bus(&b, 0x1008, 8, &owned) == 0x1122334455667788);
	assert_true(owned);
	assert_int_equal(d.offset, 8);
	assert_int_equal(d.len, 8);
	assert_false(d.is_write);
	assert_true(read_bus(&b, 0x100f, 1, &owned) == 0x88);
	assert_true(vmm_bus_access(&b, 0x1000, &value, 2, true));
	assert_true(d.is_write);
	assert_int_equal(d.value & 0xffff, 0xabcd);
	assert_int_equal(d.offset, 0);
	vmm_bus_done(&b);
}

/* What a device leaves alone reads as ones; so does what nobody owns, or only a part of. */
static void test_ones(void **state)
{
	struct device d = { 0 };
	struct vmm_bus b;
	uint64_t value = 7;
	bool owned;

	assert_int_equal(vmm_bus_init(&b), 0);
	assert_int_equal(add(&b, &d, 0x1000, 6), 0);
	assert_true(read_bus(&b, 0x1000, 4, &owned) == 0xffffffff);
	assert_true(owned);
	assert_int_equal(d.calls, 1);
	assert_true(read_bus(&b, 0x1003, 4, &owned) == 0xffffffff);
	assert_false(owned);
	assert_true(read_bus(&b, 0xfff, 2, &owned) == 0xffff);
	assert_false(owned);
	assert_true(read_bus(&b, 0x1006, 1, &owned) == 0xff);
	assert_false(owned);
	assert_true(read_bus(&b, 0x1000, 3, &owned) == 0xffffff);
	assert_false(owned);
	assert_false(vmm_bus_access(&b, 0x1004, &value, 4, true));
	assert_int_equal(d.calls, 1);
	assert_int_equal(value, 7);
	vmm_bus_done(&b);
}

static void test_refusals(void **state)
{
	struct device d = { 0 };
	struct vmm_bus b;
	bool owned;

	assert_int_equal(vmm_bus_init(&b), 0);
	assert_int_equal(add(&b, &d, 0x1000, 0), -EINVAL);
	assert_int_equal(add(&b, &d, UINT64_MAX, 2), -EINVAL);
	assert_int_equal(add(&b, &d, UINT64_MAX - 7, 8), 0);
	assert_true(read_bus(&b, UINT64_MAX - 3, 4, &owned) == 0xffffffff && owned);
	read_bus(&b, UINT64_MAX - 3, 8, &owned);
	assert_false(owned);
	assert_int_equal(add(&b, &d, 0x2000, 0x100), 0);
	assert_int_equal(add(&b, &d, 0x1000, 0x1000), 0);
	assert_int_equal(add(&b, &d, 0x20ff, 1), -EEXIST);
	assert_int_equal(add(&b, &d, 0x1fff, 1), -EEXIST);
	assert_int_equal(add(&b, &d, 0xfff, 2), -EEXIST);
	assert_int_equal(add(&b, &d, 0, 0x10000), -EEXIST);
	assert_int_equal(add(&b, &d, 0, UINT64_MAX), -EEXIST);
	assert_int_equal(add(&b, &d, 0x2100, 1), 0);
	assert_int_equal(vmm_bus_remove(&b, 0x1001), -ENOENT);
	assert_int_equal(vmm_bus_remove(&b, 0x1000), 0);
	assert_int_equal(vmm_bus_remove(&b, 0x1000), -ENOENT);
	assert_int_equal(vmm_bus_detach(&b, 0x2000), 0);
	assert_int_equal(vmm_bus_detach(&b, 0x2000), -ENOENT);
	read_bus(&b, 0x2000, 1, &owned);
	assert_false(owned);
	vmm_bus_done(&b);
}

static void test_move(void **state)
{
	struct device a = { .value = 1 }, c = { .value = 2 };
	struct vmm_bus b;
	bool owned;

	assert_int_equal(vmm_bus_init(&b), 0);
	assert_int_equal(add(&b, &a, 0x1000, 0x1000), 0);
	assert_int_equal(add(&b, &c, 0x4000, 0x1000), 0);
	assert_int_equal(vmm_bus_move(&b, 0x1000, 0x3800), -EEXIST);
	assert_int_equal(vmm_bus_move(&b, 0x1000, UINT64_MAX), -EINVAL);
	assert_int_equal(vmm_bus_move(&b, 0x2000, 0), -ENOENT);
	assert_true(read_bus(&b, 0x1004, 4, &owned) == 1);
	assert_int_equal(vmm_bus_move(&b, 0x1000, 0x1800), 0);
	assert_true(read_bus(&b, 0x1804, 4, &owned) == 1);
	assert_int_equal(a.offset, 4);
	read_bus(&b, 0x1004, 4, &owned);
	assert_false(owned);
	assert_int_equal(vmm_bus_move(&b, 0x1800, 0x5000), 0);
	assert_true(read_bus(&b, 0x5000, 4, &owned) == 1);
	assert_true(read_bus(&b, 0x4000, 4, &owned) == 2);
	vmm_bus_done(&b);
}

/* ---- from within an access ---- */

static void remove_within(struct device *d)
{
	d->result = vmm_bus_remove(d->bus, d->start);
}

static void move_within(struct device *d)
{
	d->result = vmm_bus_move(d->bus, d->start, d->to);
}

static void read_then_remove(struct device *d)
{
	uint8_t byte;

	vmm_bus_access(d->bus, d->to, &byte, 1, false);
	d->result = vmm_bus_remove(d->bus, d->start);
}

static void test_within(void **state)
{
	struct device a = { .within = move_within, .start = 0x2000, .to = 0x3000, .result = 1 };
	struct device c = { 0 };
	struct vmm_bus b;
	bool owned;

	assert_int_equal(vmm_bus_init(&b), 0);
	a.bus = &b;
	assert_int_equal(add(&b, &a, 0x1000, 16), 0);
	assert_int_equal(add(&b, &c, 0x2000, 16), 0);
	read_bus(&b, 0x1000, 4, &owned);
	assert_int_equal(a.result, 0);
	read_bus(&b, 0x3000, 4, &owned);
	assert_true(owned);
	a.within = remove_within;
	a.start = 0x3000;
	read_bus(&b, 0x1000, 4, &owned);
	assert_int_equal(a.result, 0);
	read_bus(&b, 0x3000, 4, &owned);
	assert_false(owned);
	vmm_bus_done(&b);
}

/* A range that takes itself away, alone and below another one that it was called from. */
static void test_within_itself(void **state)
{
	struct device a = { .within = remove_within, .start = 0x1000, .result = 1 };
	struct device outer = { .within = read_then_remove, .start = 0x2000, .to = 0x1000 };
	struct vmm_bus b;
	bool owned;

	assert_int_equal(vmm_bus_init(&b), 0);
	a.bus = outer.bus = &b;
	assert_int_equal(add(&b, &a, 0x1000, 16), 0);
	assert_int_equal(add(&b, &outer, 0x2000, 16), 0);
	outer.result = 1;
	read_bus(&b, 0x2000, 4, &owned);
	assert_true(owned);
	assert_int_equal(a.result, 0);
	assert_int_equal(outer.result, 0);
	assert_int_equal(b.n, 0);
	vmm_bus_done(&b);
}

/* ---- threads ---- */

/** struct slow - an access that lasts until it is let go; @is_dead: the owner thinks nobody is in it */
struct slow {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_inside, may_leave, is_dead, was_late;
	struct vmm_bus *bus;
};

static void slow_access(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	struct slow *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->is_inside = true;
	pthread_cond_broadcast(&s->changed);
	while (!s->may_leave)
		pthread_cond_wait(&s->changed, &s->lock);
	s->was_late = s->is_dead;
	pthread_mutex_unlock(&s->lock);
}

static void *slow_reader(void *arg)
{
	struct slow *s = arg;
	uint32_t value;

	vmm_bus_access(s->bus, 0x1000, &value, 4, false);
	return NULL;
}

static void *slow_remover(void *arg)
{
	struct slow *s = arg;

	vmm_bus_remove(s->bus, 0x1000);
	pthread_mutex_lock(&s->lock);
	s->is_dead = true;
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static bool is_dead(struct slow *s)
{
	bool dead;

	pthread_mutex_lock(&s->lock);
	dead = s->is_dead;
	pthread_mutex_unlock(&s->lock);
	return dead;
}

static void wait_inside(struct slow *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->is_inside)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void let_go(struct slow *s)
{
	pthread_mutex_lock(&s->lock);
	s->may_leave = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void slow_start(struct slow *s, struct vmm_bus *b, pthread_t *ret_reader)
{
	*s = (struct slow){ .lock = PTHREAD_MUTEX_INITIALIZER,
			    .changed = PTHREAD_COND_INITIALIZER,
			    .bus = b };
	assert_int_equal(vmm_bus_init(b), 0);
	assert_int_equal(vmm_bus_add(b, &(struct vmm_range){ "slow", 0x1000, 16, slow_access, s }),
			 0);
	assert_int_equal(pthread_create(ret_reader, NULL, slow_reader, s), 0);
	wait_inside(s);
}

static void test_remove_waits(void **state)
{
	struct device other = { .value = 3 };
	struct vmm_bus b;
	struct slow s;
	pthread_t reader, remover;
	bool owned;

	slow_start(&s, &b, &reader);
	assert_int_equal(add(&b, &other, 0x2000, 16), 0);
	assert_int_equal(pthread_create(&remover, NULL, slow_remover, &s), 0);
	poll(NULL, 0, 100);
	assert_false(is_dead(&s));
	/* nobody else is kept waiting */
	read_bus(&b, 0x1000, 4, &owned);
	assert_false(owned);
	assert_true(read_bus(&b, 0x2000, 4, &owned) == 3);
	assert_int_equal(vmm_bus_move(&b, 0x2000, 0x1000), 0);
	let_go(&s);
	pthread_join(reader, NULL);
	pthread_join(remover, NULL);
	assert_true(s.is_dead);
	assert_false(s.was_late);
	vmm_bus_done(&b);
}

static void test_detach_does_not_wait(void **state)
{
	struct vmm_bus b;
	struct slow s;
	pthread_t reader;

	slow_start(&s, &b, &reader);
	assert_int_equal(vmm_bus_detach(&b, 0x1000), 0);
	assert_int_equal(vmm_bus_detach(&b, 0x1000), -ENOENT);
	let_go(&s);
	pthread_join(reader, NULL);
	vmm_bus_done(&b);
}

/* BARs move through registers on the same bus, from several vCPUs, while others poll them. */
#define ROUNDS 3000
#define MOVERS 3
#define READERS 3

struct mover {
	struct vmm_bus *bus;
	uint64_t base, at;
	pthread_mutex_t lock;
	unsigned int alive; /* 1 while its range may be called */
	unsigned int wrong;
	bool is_over;
};

static void bar_access(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	struct mover *m = ctx;

	if (!__atomic_load_n(&m->alive, __ATOMIC_SEQ_CST) || offset >= 0x1000)
		__atomic_add_fetch(&m->wrong, 1, __ATOMIC_SEQ_CST);
}

/* 0: move; 1: take away, wait, and put back */
static void register_access(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	struct mover *m = ctx;
	uint64_t to;

	pthread_mutex_lock(&m->lock);
	to = m->base + (m->at == m->base ? 0x10000 : 0);
	if (offset == 0) {
		m->wrong += vmm_bus_move(m->bus, m->at, to) != 0;
	} else {
		m->wrong += vmm_bus_remove(m->bus, m->at) != 0;
		__atomic_store_n(&m->alive, 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&m->alive, 1, __ATOMIC_SEQ_CST);
		m->wrong += vmm_bus_add(m->bus, &(struct vmm_range){ "bar", to, 0x1000, bar_access,
								     m }) != 0;
	}
	m->at = to;
	pthread_mutex_unlock(&m->lock);
}

static void *move_loop(void *arg)
{
	struct mover *m = arg;
	uint8_t byte = 0;

	for (unsigned int i = 0; i < ROUNDS; i++)
		vmm_bus_access(m->bus, m->base - 0x1000 + (i & 1), &byte, 1, true);
	return NULL;
}

static void *read_loop(void *arg)
{
	struct mover *movers = arg;
	uint32_t value;

	for (unsigned int i = 0; !__atomic_load_n(&movers[0].is_over, __ATOMIC_SEQ_CST); i++)
		vmm_bus_access(movers[0].bus,
			       movers[i % MOVERS].base + (i & 1 ? 0x10000 : 0) + (i & 0xffc),
			       &value, 4, false);
	return NULL;
}

static void test_threads(void **state)
{
	struct mover movers[MOVERS] = { 0 };
	pthread_t move[MOVERS], read[READERS];
	struct vmm_bus b;

	assert_int_equal(vmm_bus_init(&b), 0);
	for (unsigned int i = 0; i < MOVERS; i++) {
		struct mover *m = &movers[i];

		*m = (struct mover){ .bus = &b, .base = 0x100000 * (i + 1), .alive = 1 };
		m->at = m->base;
		pthread_mutex_init(&m->lock, NULL);
		assert_int_equal(vmm_bus_add(&b, &(struct vmm_range){ "bar", m->base, 0x1000,
								      bar_access, m }),
				 0);
		assert_int_equal(vmm_bus_add(&b, &(struct vmm_range){ "register", m->base - 0x1000,
								      16, register_access, m }),
				 0);
	}
	for (unsigned int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&read[i], NULL, read_loop, movers), 0);
	for (unsigned int i = 0; i < MOVERS; i++)
		assert_int_equal(pthread_create(&move[i], NULL, move_loop, &movers[i]), 0);
	for (unsigned int i = 0; i < MOVERS; i++)
		pthread_join(move[i], NULL);
	__atomic_store_n(&movers[0].is_over, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < READERS; i++)
		pthread_join(read[i], NULL);
	for (unsigned int i = 0; i < MOVERS; i++)
		assert_int_equal(movers[i].wrong, 0);
	assert_int_equal(b.n, MOVERS * 2);
	vmm_bus_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access),	     cmocka_unit_test(test_ones),
		cmocka_unit_test(test_refusals),     cmocka_unit_test(test_move),
		cmocka_unit_test(test_within),	     cmocka_unit_test(test_within_itself),
		cmocka_unit_test(test_remove_waits), cmocka_unit_test(test_detach_does_not_wait),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
