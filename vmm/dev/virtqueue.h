/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split virtqueues (Virtio 1.2 section 2.7) in guest memory. Every index, address and length comes from
 * the guest and is checked; nothing of it is read twice. */
#ifndef CARVE_VMM_VIRTQUEUE_H
#define CARVE_VMM_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/core/memory.h"

#define VMM_QUEUE_SIZE_MAX 256
#define VMM_CHAIN_MAX 256 /* buffers of one request, indirect ones included */

/** struct vmm_queue - one virtqueue; zeroed: not enabled */
struct vmm_queue {
	const struct vmm_memory *memory;
	uint16_t size; /* a power of two, set by the guest up to VMM_QUEUE_SIZE_MAX */
	uint64_t desc, avail, used;
	bool is_enabled, has_event_idx;
	uint16_t next_avail, next_used;
	uint16_t signalled; /* used index at the last interrupt */
	/* resolved when it was enabled */
	const void *desc_at;
	void *avail_at, *used_at;
};

/** struct vmm_chain - one request: what the device reads, then what it writes; no empty buffers */
struct vmm_chain {
	uint16_t head;
	struct iovec iov[VMM_CHAIN_MAX];
	unsigned int n_out, n_in; /* readable by the device first */
	uint64_t out_len, in_len; /* bytes */
};

/** vmm_queue_enable() - resolve the rings. Return: 0, -EFAULT (not in RAM), -EINVAL (size, alignment). */
int vmm_queue_enable(struct vmm_queue *q);
/**
 * vmm_queue_pop() - the next request of the guest
 * Return: 1; 0: none; -EPROTO: the guest broke the rules (loop, index out of range, address that is no
 * RAM, write before read): the device must stop the queue and set DEVICE_NEEDS_RESET.
 */
int vmm_queue_pop(struct vmm_queue *q, struct vmm_chain *ret);
/** vmm_queue_unpop() - the request popped last, and not pushed, is the next one again. */
void vmm_queue_unpop(struct vmm_queue *q);
/** vmm_queue_push() - @written bytes went into the request's writable part. */
void vmm_queue_push(struct vmm_queue *q, uint16_t head, uint32_t written);
/** struct vmm_written - one request that is done: @head of its chain, @len bytes written to it */
struct vmm_written {
	uint32_t head, len;
};
/** vmm_queue_push_all() - as vmm_queue_push(), of @n: the guest sees none or all of them. */
void vmm_queue_push_all(struct vmm_queue *q, const struct vmm_written *all, unsigned int n);
/** vmm_queue_wants_irq() - after pushes: must the guest be told? (VIRTIO_F_EVENT_IDX, flags) */
bool vmm_queue_wants_irq(struct vmm_queue *q);
/** vmm_queue_want_kick() - the guest shall (not) tell about new requests. Return: true when there are
 * requests already. */
bool vmm_queue_want_kick(struct vmm_queue *q, bool wanted);
void vmm_queue_reset(struct vmm_queue *q);

/** vmm_chain_read() - copy from the readable part at @offset. Return: bytes copied. */
size_t vmm_chain_read(const struct vmm_chain *c, uint64_t offset, void *data, size_t len);
/** vmm_chain_write() - copy to the writable part at @offset. Return: bytes copied. */
size_t vmm_chain_write(const struct vmm_chain *c, uint64_t offset, const void *data, size_t len);

#endif
