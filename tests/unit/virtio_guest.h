/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest with a virtio driver: a tree with bus 0 alone, memory in two pieces, registers by way of ECAM
 * and BAR 0, queues in memory. What must work for a test to mean anything aborts when it does not. */
#ifndef CARVE_TESTS_VIRTIO_GUEST_H
#define CARVE_TESTS_VIRTIO_GUEST_H

#include <linux/virtio_ring.h>

#include "plan/plan.h"
#include "vmm/core/bus.h"
#include "vmm/core/vm_call.h"
#include "vmm/dev/virtio.h"

#define VG_PIECE 0x80000ULL /* of RAM; two of them, one after the other, apart in the VMM */
#define VG_RAM (2 * VG_PIECE)
#define VG_DATA 0x60000ULL /* below it: the queues */
#define VG_QUEUES 18
#define VG_NO_VECTOR 0xffff

/** struct vg_queue - the driver's side */
struct vg_queue {
	uint64_t desc, avail, used;
	uint16_t size, next_desc, next_avail, seen_used;
};

/** struct vg_part - one part of the registers, by its capability */
struct vg_part {
	uint32_t bar, offset, length, more;
	uint8_t at; /* of the capability */
};

struct virtio_guest {
	struct plan plan;
	struct plan_range range;
	struct vmm_bus mmio, pio;
	struct vmm_pci *pci;
	struct vmm_irqs *irqs;
	struct vmm_loop *loop;
	struct vmm_memory memory;
	struct vmm_ram rams[2];
	struct vmm_virtio_env env;
	struct cv_error err;
	unsigned int slot;
	uint64_t bar;
	struct vg_part parts[6]; /* by cfg_type */
	struct vg_queue queues[VG_QUEUES];
};

/** vg_init() - before devices are added with &g->env; @vm: the VM's descriptor of the test. */
void vg_init(struct virtio_guest *g, const struct vmm_vm_call *vm);
/** vg_done() - after the devices were freed. */
void vg_done(struct virtio_guest *g);
/** vg_probe() - BARs get addresses, the device at @slot decodes, its capabilities are read. */
void vg_probe(struct virtio_guest *g, unsigned int slot);

/* ---- registers ---- */
uint32_t vg_config_read(struct virtio_guest *g, unsigned int offset, unsigned int len);
void vg_config_write(struct virtio_guest *g, unsigned int offset, unsigned int len, uint32_t value);
/** vg_read(), vg_write() - @offset in the part of capability type @part (VIRTIO_PCI_CAP_*) */
uint64_t vg_read(struct virtio_guest *g, unsigned int part, unsigned int offset, unsigned int len);
void vg_write(struct virtio_guest *g, unsigned int part, unsigned int offset, unsigned int len,
	      uint64_t value);
/** vg_features() - what is offered, all 64 bits. */
uint64_t vg_features(struct virtio_guest *g);
/** vg_negotiate() - reset, acknowledge, take @features. Return: did FEATURES_OK stay? */
bool vg_negotiate(struct virtio_guest *g, uint64_t features);
/** vg_make_queue() - rings at @index's place, vector @vector, enabled. */
void vg_make_queue(struct virtio_guest *g, unsigned int index, uint16_t size, uint16_t vector);
/** vg_enable_msix() - all vectors unmasked. */
void vg_enable_msix(struct virtio_guest *g, unsigned int n);
/** vg_ready() - DRIVER_OK. Return: the status after it. */
uint8_t vg_ready(struct virtio_guest *g);

/* ---- memory and queues ---- */
/** vg_put(), vg_get() - of the guest's memory, across the pieces. */
void vg_put(struct virtio_guest *g, uint64_t at, const void *data, size_t len);
void vg_get(struct virtio_guest *g, uint64_t at, void *data, size_t len);
/** vg_desc() - write one descriptor of a table at @table. */
void vg_desc(struct virtio_guest *g, uint64_t table, unsigned int index, uint64_t addr,
	     uint32_t len, uint16_t flags, uint16_t next);
/** vg_add() - a chain of @n buffers, flags VRING_DESC_F_WRITE or 0, made available. Return: its head. */
uint16_t vg_add(struct virtio_guest *g, unsigned int queue, const struct vring_desc *buffers,
		unsigned int n);
/** vg_publish() - make @head available. */
void vg_publish(struct virtio_guest *g, unsigned int queue, uint16_t head);
void vg_kick(struct virtio_guest *g, unsigned int queue);
/** vg_used() - the next one that the device gave back. Return: false: none. */
bool vg_used(struct virtio_guest *g, unsigned int queue, struct vring_used_elem *ret);
/** vg_set_used_event() - interrupt when the used index passes @index. */
void vg_set_used_event(struct virtio_guest *g, unsigned int queue, uint16_t index);
uint16_t vg_avail_event(struct virtio_guest *g, unsigned int queue);
uint16_t vg_used_flags(struct virtio_guest *g, unsigned int queue);

/** vg_run() - the loop, until it has nothing to do any more. */
void vg_run(struct virtio_guest *g);

#endif
