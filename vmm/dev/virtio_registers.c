// SPDX-License-Identifier: GPL-2.0-or-later
/* The registers of a virtio device (Virtio 1.2 section 4.1.4): a table of them, and what they do. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/dev/virtio_pci.h"

#define NO_VECTOR 0xffff

static uint64_t offered(const struct vmm_virtio *v)
{
	return v->ops->features | 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
	       1ULL << VIRTIO_RING_F_INDIRECT_DESC;
}

static struct vmm_queue *selected(struct vmm_virtio *v)
{
	uint16_t n = v->state->queue_select;

	return n < v->n_queues ? &v->queues[n] : NULL;
}

/* ---- status ---- */

void vmm_virtio_reset(struct vmm_virtio *v)
{
	struct vmm_virtio_state *s = v->state;

	/* while the model waits the lock is free: nothing new is handed to it */
	s->is_active = false;
	if (v->ops->reset)
		v->ops->reset(v);
	s->is_active = false;
	v->status = 0;
	v->features = 0;
	s->feature_select = s->driver_feature_select = 0;
	s->queue_select = 0;
	s->config_vector = NO_VECTOR;
	for (unsigned int i = 0; i < VMM_VIRTIO_QUEUES_MAX; i++) {
		vmm_queue_reset(&v->queues[i]);
		v->queues[i].memory = v->env.memory;
		v->queues[i].size = (uint16_t)v->ops->queue_size;
		v->vectors[i] = NO_VECTOR;
	}
}

/* Kicks from before are not lost: each queue is looked at. */
static void activate(struct vmm_virtio *v)
{
	int r = v->ops->activate ? v->ops->activate(v) : 0;

	if (r < 0) {
		vmm_virtio_broken(v, strerror(-r));
		return;
	}
	v->state->is_active = true;
	for (unsigned int i = 0; i < v->n_queues; i++)
		if (v->queues[i].is_enabled)
			vmm_virtio_kick(v, i);
}

/* Features that were not offered, or a driver of the time before Virtio 1, are not accepted. */
static bool are_features_ok(const struct vmm_virtio *v)
{
	return !(v->features & ~offered(v)) && v->features & 1ULL << VIRTIO_F_VERSION_1;
}

/* Bits are only added (section 2.1.1), and it runs with features that both sides agreed on. */
static void write_status(struct vmm_virtio *v, uint8_t value)
{
	uint8_t added = value & (uint8_t)~v->status;

	if (value == 0) {
		vmm_virtio_reset(v);
		return;
	}
	added &= (uint8_t)~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (added & VIRTIO_CONFIG_S_FEATURES_OK && !are_features_ok(v))
		added &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	v->status |= added;
	if (!(added & VIRTIO_CONFIG_S_DRIVER_OK) || v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	if (v->status & VIRTIO_CONFIG_S_FEATURES_OK)
		activate(v);
	else
		vmm_virtio_broken(v, "its driver starts without agreed features");
}

static void write_features(struct vmm_virtio *v, uint32_t value)
{
	uint32_t part = v->state->driver_feature_select;

	if (part > 1 || v->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	v->features &= part ? 0xffffffffULL : 0xffffffffULL << 32;
	v->features |= (uint64_t)value << (32 * part);
}

static void enable_queue(struct vmm_virtio *v, struct vmm_queue *q)
{
	int r;

	if (q->is_enabled)
		return;
	q->has_event_idx = v->features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
	r = vmm_queue_enable(q);
	if (r < 0)
		vmm_virtio_broken(v, "a queue whose rings are not in memory");
}

/* ---- common configuration ---- */

static uint64_t read_common(struct vmm_virtio *v, uint32_t offset)
{
	struct vmm_virtio_state *s = v->state;
	const struct vmm_queue *q = selected(v);

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return s->feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return s->feature_select > 1 ? 0
					     : (uint32_t)(offered(v) >> (32 * s->feature_select));
	case VIRTIO_PCI_COMMON_GFSELECT:
		return s->driver_feature_select;
	case VIRTIO_PCI_COMMON_GF:
		return s->driver_feature_select > 1
			       ? 0
			       : (uint32_t)(v->features >> (32 * s->driver_feature_select));
	case VIRTIO_PCI_COMMON_MSIX:
		return s->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return v->n_queues;
	case VIRTIO_PCI_COMMON_STATUS:
		return v->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return s->generation;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return s->queue_select;
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return q ? q->size : 0;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return q ? v->vectors[s->queue_select] : NO_VECTOR;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return q && q->is_enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return s->queue_select;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return q ? (uint32_t)q->desc : 0;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return q ? q->desc >> 32 : 0;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return q ? (uint32_t)q->avail : 0;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return q ? q->avail >> 32 : 0;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return q ? (uint32_t)q->used : 0;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return q ? q->used >> 32 : 0;
	}
	return 0;
}

static void set_half(uint64_t *at, bool is_high, uint32_t value)
{
	*at = is_high ? (*at & 0xffffffffULL) | (uint64_t)value << 32
		      : (*at & 0xffffffffULL << 32) | value;
}

static uint16_t valid_vector(const struct vmm_virtio *v, uint16_t vector)
{
	return vector <= v->n_queues ? vector : NO_VECTOR;
}

/* An enabled queue stays where it is until a reset. */
static void write_queue(struct vmm_virtio *v, uint32_t offset, uint32_t value)
{
	struct vmm_queue *q = selected(v);

	if (!q)
		return;
	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		v->vectors[v->state->queue_select] = valid_vector(v, (uint16_t)value);
		vmm_virtio_vector_changed(v, v->state->queue_select);
		return;
	}
	if (q->is_enabled)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		q->size = (uint16_t)(value <= v->ops->queue_size ? value : 0);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1)
			enable_queue(v, q);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_half(&q->desc, offset == VIRTIO_PCI_COMMON_Q_DESCHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_half(&q->avail, offset == VIRTIO_PCI_COMMON_Q_AVAILHI, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_half(&q->used, offset == VIRTIO_PCI_COMMON_Q_USEDHI, value);
		break;
	}
}

static void write_common(struct vmm_virtio *v, uint32_t offset, uint32_t value)
{
	struct vmm_virtio_state *s = v->state;

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		s->feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		s->driver_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		write_features(v, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		s->config_vector = valid_vector(v, (uint16_t)value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		write_status(v, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		s->queue_select = (uint16_t)value;
		break;
	default:
		write_queue(v, offset, value);
	}
}

/* A driver may write a 64-bit address at once. */
static void access_common(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len,
			  bool is_write)
{
	uint64_t value = 0;

	if (len == 8) {
		access_common(v, offset, data, 4, is_write);
		access_common(v, offset + 4, (uint8_t *)data + 4, 4, is_write);
		return;
	}
	if (is_write) {
		memcpy(&value, data, len);
		write_common(v, offset, (uint32_t)value);
		return;
	}
	value = read_common(v, offset);
	memcpy(data, &value, len);
}

/* ---- all of it ---- */

/* MSI-X is always there: the register only reads as 0. */
static void access_isr(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len,
		       bool is_write)
{
	if (!is_write)
		memset(data, 0, len);
}

static void access_device(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len,
			  bool is_write)
{
	if (offset >= v->ops->config_size || len > v->ops->config_size - offset) {
		if (!is_write)
			memset(data, 0, len);
	} else if (is_write && v->ops->config_write) {
		v->ops->config_write(v, offset, data, len);
	} else if (!is_write && v->ops->config_read) {
		v->ops->config_read(v, offset, data, len);
	}
}

/* Only when no doorbell of the kernel's answers, such as while the guest moves the BAR. */
static void access_notify(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len,
			  bool is_write)
{
	unsigned int queue = offset / VIRTIO_NOTIFY_STEP;

	if (!is_write)
		memset(data, 0, len);
	else if (queue < v->n_queues)
		vmm_virtio_kick(v, queue);
}

static const struct part {
	uint32_t start;
	void (*access)(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len,
		       bool is_write);
} parts[] = {
	{ VIRTIO_AT_COMMON, access_common },
	{ VIRTIO_AT_ISR, access_isr },
	{ VIRTIO_AT_DEVICE, access_device },
	{ VIRTIO_AT_NOTIFY, access_notify },
};

void vmm_virtio_register(struct vmm_virtio *v, uint64_t offset, void *data, unsigned int len,
			 bool is_write)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(parts); i++)
		if (offset >= parts[i].start && offset - parts[i].start < VIRTIO_PART_SIZE)
			parts[i].access(v, (uint32_t)(offset - parts[i].start), data, len,
					is_write);
}
