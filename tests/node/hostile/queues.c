// SPDX-License-Identifier: GPL-2.0-or-later
/* Virtqueues: a driver that sets devices up as it should, or nearly, and then fills the rings with what no
 * driver would. All CPUs use the same rings, at the same time. */
#include "tests/node/hostile/hostile.h"

#define STATUS 20
#define QUEUE_SELECT 22
#define QUEUE_SIZE 24
#define QUEUE_VECTOR 26
#define QUEUE_ENABLE 28
#define QUEUE_DESC 32
#define RING_BYTES 0x8000U
#define RINGS (ARENA_BYTES / 2 / RING_BYTES)
#define AVAIL 0x4000U
#define USED 0x6000U
#define NEXT 1
#define WRITE 2
#define INDIRECT 4
#define RAM_END 0x20000000ULL

struct descriptor {
	uint64_t at;
	uint32_t len;
	uint16_t flags, next;
};

struct request {
	uint32_t type, reserved;
	uint64_t sector;
};

uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));

/* Rings in the first half, one for each queue of each function; buffers in the other. */
static uint8_t *ring_of(const struct function *f, unsigned int queue)
{
	return arena + ((size_t)(f - functions) * 4 + queue) % RINGS * RING_BYTES;
}

static uint64_t random_buffer(struct cpu *c)
{
	switch (below(c, 8)) {
	case 0:
		return odd_value(c);
	case 1:
		return RAM_END - below(c, 64);
	case 2:
		return ECAM + below(c, 0x1000);
	}
	return (uintptr_t)arena + ARENA_BYTES / 2 + below(c, ARENA_BYTES / 2 - 4096);
}

static uint32_t random_length(struct cpu *c)
{
	switch (below(c, 6)) {
	case 0:
		return (uint32_t)odd_value(c);
	case 1:
		return below(c, 32);
	}
	return 512 * below(c, 9);
}

static struct descriptor random_descriptor(struct cpu *c)
{
	struct descriptor d = {
		.at = random_buffer(c),
		.len = random_length(c),
		.flags = (uint16_t)(below(c, 4) | (once_in(c, 16) ? INDIRECT : 0)),
		.next = (uint16_t)below(c, once_in(c, 16) ? 65536 : 256),
	};

	if (once_in(c, 32))
		d.flags = (uint16_t)next(c);
	if (d.flags & INDIRECT && !once_in(c, 4))
		d.len = 16 * below(c, 300);
	return d;
}

static void fill_table(struct cpu *c, void *table, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct descriptor d = random_descriptor(c);

		__builtin_memcpy((uint8_t *)table + 16ULL * i, &d, sizeof(d));
	}
}

/* A request of a disk as it should be: header, data, status. */
static void put_request(struct cpu *c, uint8_t *table, unsigned int at)
{
	uint8_t *header = arena + ARENA_BYTES / 2 + 4096ULL * below(c, 16);
	struct request r = { below(c, 15), 0, once_in(c, 8) ? odd_value(c) : below(c, 4096) };
	struct descriptor d[3] = {
		{ (uintptr_t)header, sizeof(r), NEXT, (uint16_t)(at + 1) },
		{ random_buffer(c), random_length(c), (uint16_t)(NEXT | (r.type == 0 ? WRITE : 0)),
		  (uint16_t)(at + 2) },
		{ (uintptr_t)header + 64, 1, WRITE, 0 },
	};

	__builtin_memcpy(header, &r, sizeof(r));
	__builtin_memcpy(table + 16ULL * at, d, sizeof(d));
}

static uint64_t common_of(const struct function *f, unsigned int at)
{
	return bar_address(f, f->common.bar) + f->common.offset + at;
}

static void set_queue(struct cpu *c, const struct function *f, unsigned int queue)
{
	uint64_t ring = (uintptr_t)ring_of(f, queue);
	bool is_good = !once_in(c, 8);
	uint64_t parts[3] = { ring, ring + AVAIL, ring + USED };

	mem_write(common_of(f, QUEUE_SELECT), 2, is_good ? queue : below(c, 65536));
	mem_write(common_of(f, QUEUE_SIZE), 2, once_in(c, 8) ? odd_value(c) : 1ULL << below(c, 9));
	mem_write(common_of(f, QUEUE_VECTOR), 2, below(c, 4));
	for (unsigned int i = 0; i < 3; i++) {
		if (!is_good && once_in(c, 2))
			parts[i] = random_buffer(c);
		mem_write(common_of(f, QUEUE_DESC + 8 * i), 4, parts[i]);
		mem_write(common_of(f, QUEUE_DESC + 8 * i + 4), 4, parts[i] >> 32);
	}
	mem_write(common_of(f, QUEUE_ENABLE), 2, 1);
}

static void take_features(struct cpu *c, const struct function *f)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t offered;

		mem_write(common_of(f, 0), 4, i);
		offered = (uint32_t)mem_read(common_of(f, 4), 4);
		if (once_in(c, 2))
			offered &= (uint32_t)next(c) | i;
		mem_write(common_of(f, 8), 4, i);
		mem_write(common_of(f, 12), 4, once_in(c, 16) ? next(c) : offered);
	}
}

static void set_up(struct cpu *c, const struct function *f)
{
	config_write(f->at, 4, 2, f->command);
	mem_write(common_of(f, STATUS), 1, 0);
	mem_write(common_of(f, STATUS), 1, 3); /* acknowledge, driver */
	take_features(c, f);
	mem_write(common_of(f, STATUS), 1, 11); /* features ok */
	for (unsigned int i = 0; i < 4; i++)
		set_queue(c, f, i);
	mem_write(common_of(f, STATUS), 1, 15); /* driver ok */
}

static void kick(struct cpu *c, const struct function *f, unsigned int queue)
{
	uint64_t notify = bar_address(f, f->notify.bar) + f->notify.offset;

	mem_write(notify + (once_in(c, 8) ? below(c, 4096) : 4 * queue), 2, queue);
}

/* Entries of the available ring lead anywhere; its index goes on by some, or jumps. */
static void make_available(struct cpu *c, uint8_t *ring)
{
	volatile uint16_t *avail = (volatile uint16_t *)(void *)(ring + AVAIL);

	for (unsigned int i = 0; i < 8; i++)
		avail[2 + below(c, 256)] = (uint16_t)below(c, once_in(c, 16) ? 65536 : 256);
	avail[0] = (uint16_t)below(c, 2);
	avail[1] = (uint16_t)(avail[1] + (once_in(c, 16) ? next(c) : below(c, 4)));
}

static void use(struct cpu *c, const struct function *f, unsigned int queue)
{
	uint8_t *ring = ring_of(f, queue);

	if (once_in(c, 4))
		fill_table(c, ring, 256);
	else
		fill_table(c, ring + 16ULL * below(c, 248), 8);
	if (f->is_disk)
		put_request(c, ring, below(c, 250));
	if (once_in(c, 8)) /* what indirect descriptors lead to */
		fill_table(c, arena + ARENA_BYTES / 2 + 16ULL * below(c, 1024), 300);
	make_available(c, ring);
	kick(c, f, queue);
}

void do_queue(struct cpu *c)
{
	const struct function *f;

	if (n_functions == 0)
		return;
	f = &functions[below(c, n_functions)];
	/* moved over the guest's own memory: not there */
	if (!f->is_virtio || common_of(f, 0) < RAM_END)
		return;
	if (once_in(c, 4))
		set_up(c, f);
	else if (once_in(c, 16))
		mem_write(common_of(f, below(c, 56)), 1U << below(c, 4), odd_value(c));
	for (unsigned int i = below(c, 8); i > 0; i--)
		use(c, f, below(c, 4));
	if (once_in(c, 16)) /* while requests are under way */
		mem_write(common_of(f, STATUS), 1, 0);
}
