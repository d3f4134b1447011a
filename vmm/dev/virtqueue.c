// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/dev/virtqueue.h"

#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/cleanup.h"

/* Sizes of the parts of a split virtqueue (Virtio 1.2 section 2.7): with the event index after them. */
#define DESC_BYTES(n) (16ULL * (n))
#define AVAIL_BYTES(n) (6ULL + 2ULL * (n))
#define USED_BYTES(n) (6ULL + 8ULL * (n))

/* Members of the rings, which the guest changes while they are read: each is read once. */
static uint16_t load16(const void *at, size_t offset)
{
	return __atomic_load_n((const uint16_t *)(const void *)((const uint8_t *)at + offset),
			       __ATOMIC_ACQUIRE);
}

static void store16(void *at, size_t offset, uint16_t value)
{
	__atomic_store_n((uint16_t *)(void *)((uint8_t *)at + offset), value, __ATOMIC_RELEASE);
}

static size_t avail_event_at(const struct vmm_queue *q)
{
	return 4 + 8 * (size_t)q->size;
}

static size_t used_event_at(const struct vmm_queue *q)
{
	return 4 + 2 * (size_t)q->size;
}

int vmm_queue_enable(struct vmm_queue *q)
{
	uint16_t n = q->size;

	if (n == 0 || n > VMM_QUEUE_SIZE_MAX || n & (n - 1) || q->desc & 15 || q->avail & 1 ||
	    q->used & 3)
		return -EINVAL;
	q->desc_at = vmm_memory_at(q->memory, q->desc, DESC_BYTES(n));
	q->avail_at = vmm_memory_at(q->memory, q->avail, AVAIL_BYTES(n));
	q->used_at = vmm_memory_at(q->memory, q->used, USED_BYTES(n));
	if (!q->desc_at || !q->avail_at || !q->used_at)
		return -EFAULT;
	q->is_enabled = true;
	return 0;
}

void vmm_queue_reset(struct vmm_queue *q)
{
	const struct vmm_memory *memory = q->memory;

	*q = (struct vmm_queue){ .memory = memory };
}

/* ---- requests ---- */

/** struct walk - through the descriptors of one request */
struct walk {
	const struct vmm_queue *q;
	struct vmm_chain *c;
	const uint8_t *table; /* indirect ones are aligned to nothing */
	uint32_t n;	      /* descriptors in @table */
	unsigned int left;    /* descriptors it may still have: a loop ends there */
	bool is_indirect;
};

static int add_piece(struct vmm_chain *c, void *host, uint64_t len, bool is_in)
{
	unsigned int at = c->n_out + c->n_in;

	if (at == VMM_CHAIN_MAX)
		return -EPROTO;
	c->iov[at] = (struct iovec){ host, len };
	c->n_out += !is_in;
	c->n_in += is_in;
	c->out_len += is_in ? 0 : len;
	c->in_len += is_in ? len : 0;
	return 0;
}

/* Memory of two nodes that follow each other is one to the guest: a buffer may lie across. */
static int add_split(struct walk *w, uint64_t addr, uint64_t len, bool is_in)
{
	const struct vmm_memory *m = w->q->memory;
	int r = 0;

	for (size_t i = 0; i < m->n && len > 0 && r == 0; i++) {
		const struct vmm_ram *ram = &m->rams[i];
		uint64_t there;

		if (addr < ram->gpa || addr - ram->gpa >= ram->size)
			continue;
		there = ram->size - (addr - ram->gpa);
		if (there > len)
			there = len;
		r = add_piece(w->c, ram->host + (addr - ram->gpa), there, is_in);
		addr += there;
		len -= there;
	}
	return r < 0 || len > 0 ? -EPROTO : 0;
}

static int add_buffer(struct walk *w, const struct vring_desc *d)
{
	bool is_in = d->flags & VRING_DESC_F_WRITE;
	void *host;

	if (!is_in && w->c->n_in)
		return -EPROTO;
	if (d->len == 0)
		return 0;
	host = vmm_memory_at(w->q->memory, d->addr, d->len);
	return host ? add_piece(w->c, host, d->len, is_in) : add_split(w, d->addr, d->len, is_in);
}

static int walk_table(struct walk *w, uint32_t index);

static int walk_indirect(struct walk *w, const struct vring_desc *d)
{
	struct walk inner = { .q = w->q, .c = w->c, .left = VMM_CHAIN_MAX, .is_indirect = true };

	if (w->is_indirect || d->len == 0 || d->len % sizeof(*d) ||
	    d->len / sizeof(*d) > VMM_CHAIN_MAX || d->flags & VRING_DESC_F_NEXT)
		return -EPROTO;
	inner.n = d->len / sizeof(*d);
	inner.table = vmm_memory_at(w->q->memory, d->addr, d->len);
	return inner.table ? walk_table(&inner, 0) : -EPROTO;
}

static int walk_table(struct walk *w, uint32_t index)
{
	for (;;) {
		struct vring_desc d;
		int r;

		if (index >= w->n || w->left == 0)
			return -EPROTO;
		w->left--;
		/* a copy: what was checked is what is used */
		memcpy(&d, w->table + index * sizeof(d), sizeof(d));
		__asm__ volatile("" ::: "memory");
		r = d.flags & VRING_DESC_F_INDIRECT ? walk_indirect(w, &d) : add_buffer(w, &d);
		if (r < 0 || !(d.flags & VRING_DESC_F_NEXT))
			return r;
		index = d.next;
	}
}

int vmm_queue_pop(struct vmm_queue *q, struct vmm_chain *ret)
{
	struct walk w = { .q = q, .c = ret, .table = q->desc_at, .n = q->size, .left = q->size };
	uint16_t index, there;
	int r;

	if (!q->is_enabled)
		return 0;
	index = load16(q->avail_at, 2);
	there = (uint16_t)(index - q->next_avail);
	if (there == 0)
		return 0;
	if (there > q->size)
		return -EPROTO;
	ret->n_out = ret->n_in = 0;
	ret->out_len = ret->in_len = 0;
	ret->head = load16(q->avail_at, 4 + 2 * (size_t)(q->next_avail & (q->size - 1)));
	r = walk_table(&w, ret->head);
	if (r < 0)
		return r;
	q->next_avail++;
	return 1;
}

void vmm_queue_unpop(struct vmm_queue *q)
{
	q->next_avail--;
}

void vmm_queue_push_all(struct vmm_queue *q, const struct vmm_written *all, unsigned int n)
{
	if (!q->is_enabled)
		return;
	for (unsigned int i = 0; i < n; i++) {
		const struct vring_used_elem e = { .id = all[i].head, .len = all[i].len };
		size_t at = q->next_used++ & (q->size - 1);

		memcpy((uint8_t *)q->used_at + 4 + 8 * at, &e, sizeof(e));
	}
	store16(q->used_at, 2, q->next_used);
}

void vmm_queue_push(struct vmm_queue *q, uint16_t head, uint32_t written)
{
	vmm_queue_push_all(q, &(struct vmm_written){ head, written }, 1);
}

/* ---- who tells whom (Virtio 1.2 sections 2.7.7 and 2.7.10) ---- */

bool vmm_queue_wants_irq(struct vmm_queue *q)
{
	uint16_t event, old = q->signalled, now = q->next_used;

	if (!q->is_enabled || old == now)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	q->signalled = now;
	if (!q->has_event_idx)
		return !(load16(q->avail_at, 0) & VRING_AVAIL_F_NO_INTERRUPT);
	event = load16(q->avail_at, used_event_at(q));
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

bool vmm_queue_want_kick(struct vmm_queue *q, bool wanted)
{
	if (!q->is_enabled)
		return false;
	if (q->has_event_idx) {
		/* an index that was passed long ago is never reached */
		store16(q->used_at, avail_event_at(q),
			wanted ? q->next_avail : (uint16_t)(q->next_avail - 1));
	} else {
		store16(q->used_at, 0, wanted ? 0 : VRING_USED_F_NO_NOTIFY);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(q->avail_at, 2) != q->next_avail;
}

/* ---- buffers ---- */

static size_t copy(const struct iovec *iov, unsigned int n, uint64_t offset, uint8_t *data,
		   size_t len, bool is_write)
{
	size_t done = 0;

	for (unsigned int i = 0; i < n && done < len; i++) {
		size_t there;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		there = iov[i].iov_len - offset;
		if (there > len - done)
			there = len - done;
		uint8_t *host = (uint8_t *)iov[i].iov_base + offset;
		memcpy(is_write ? host : data + done, is_write ? data + done : host, there);
		done += there;
		offset = 0;
	}
	return done;
}

size_t vmm_chain_read(const struct vmm_chain *c, uint64_t offset, void *data, size_t len)
{
	return copy(c->iov, c->n_out, offset, data, len, false);
}

size_t vmm_chain_write(const struct vmm_chain *c, uint64_t offset, const void *data, size_t len)
{
	return copy(c->iov + c->n_out, c->n_in, offset, (uint8_t *)(uintptr_t)data, len, true);
}
