// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio_guest.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/layout.h"

#define ROUNDS 6 /* of the loop: what one handler sets off, the next one does */
#define QUEUE_BYTES 0x4000ULL

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* ---- the machine ---- */

static void add_ram(struct virtio_guest *g)
{
	for (unsigned int i = 0; i < 2; i++) {
		g->rams[i] = (struct vmm_ram){
			.gpa = i * VG_PIECE,
			.size = VG_PIECE,
			.host = calloc(1, VG_PIECE),
			.guest_node = (int)i,
			.fd = -1,
		};
		need(g->rams[i].host);
	}
	g->memory = (struct vmm_memory){ .rams = g->rams, .n = 2 };
}

void vg_init(struct virtio_guest *g, const struct vmm_vm_call *vm)
{
	memset(g, 0, sizeof(*g));
	add_ram(g);
	g->range = (struct plan_range){ PLAN_RAM, 0, VG_RAM, 0, "RAM" };
	g->plan.ranges = &g->range;
	g->plan.n_ranges = 1;
	g->plan.n_nodes = 1;
	need(vmm_bus_init(&g->mmio) == 0 && vmm_bus_init(&g->pio) == 0);
	need(vmm_loop_new(&g->loop) == 0);
	need(vmm_irqs_new_on(vm, 256, &g->irqs) == 0);
	need(vmm_pci_new(&g->plan, &g->mmio, &g->pio, &g->pci, &g->err) == 0);
	g->env = (struct vmm_virtio_env){
		.pci = g->pci,
		.irqs = g->irqs,
		.memory = &g->memory,
		.loop = g->loop,
		.vm_fd = -1,
	};
}

void vg_done(struct virtio_guest *g)
{
	vmm_pci_free(g->pci);
	vmm_irqs_free(g->irqs);
	vmm_loop_free(g->loop);
	vmm_bus_done(&g->mmio);
	vmm_bus_done(&g->pio);
	free(g->rams[0].host);
	free(g->rams[1].host);
}

/* ---- registers ---- */

static uint64_t ecam(const struct virtio_guest *g, unsigned int offset)
{
	return VMM_ECAM + ((uint64_t)g->slot << 15 | offset);
}

uint32_t vg_config_read(struct virtio_guest *g, unsigned int offset, unsigned int len)
{
	uint32_t value = 0;

	vmm_bus_access(&g->mmio, ecam(g, offset), &value, len, false);
	return value;
}

void vg_config_write(struct virtio_guest *g, unsigned int offset, unsigned int len, uint32_t value)
{
	vmm_bus_access(&g->mmio, ecam(g, offset), &value, len, true);
}

uint64_t vg_read(struct virtio_guest *g, unsigned int part, unsigned int offset, unsigned int len)
{
	uint64_t value = 0;

	vmm_bus_access(&g->mmio, g->bar + g->parts[part].offset + offset, &value, len, false);
	return value;
}

void vg_write(struct virtio_guest *g, unsigned int part, unsigned int offset, unsigned int len,
	      uint64_t value)
{
	vmm_bus_access(&g->mmio, g->bar + g->parts[part].offset + offset, &value, len, true);
}

static uint64_t common(struct virtio_guest *g, unsigned int offset, unsigned int len)
{
	return vg_read(g, VIRTIO_PCI_CAP_COMMON_CFG, offset, len);
}

static void set_common(struct virtio_guest *g, unsigned int offset, unsigned int len,
		       uint64_t value)
{
	vg_write(g, VIRTIO_PCI_CAP_COMMON_CFG, offset, len, value);
}

static void read_cap(struct virtio_guest *g, uint8_t at)
{
	unsigned int type = vg_config_read(g, at + 3U, 1);

	need(type >= VIRTIO_PCI_CAP_COMMON_CFG && type <= VIRTIO_PCI_CAP_PCI_CFG);
	g->parts[type] = (struct vg_part){
		.bar = vg_config_read(g, at + 4U, 1),
		.offset = vg_config_read(g, at + 8U, 4),
		.length = vg_config_read(g, at + 12U, 4),
		.more = vg_config_read(g, at + 16U, 4),
		.at = at,
	};
}

void vg_probe(struct virtio_guest *g, unsigned int slot)
{
	g->slot = slot;
	need(vmm_pci_assign(g->pci, &g->err) == 0);
	vg_config_write(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	g->bar = vg_config_read(g, PCI_BASE_ADDRESS_0, 4) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;
	for (uint8_t at = (uint8_t)vg_config_read(g, PCI_CAPABILITY_LIST, 1); at;
	     at = (uint8_t)vg_config_read(g, at + 1U, 1))
		if (vg_config_read(g, at, 1) == PCI_CAP_ID_VNDR)
			read_cap(g, at);
}

uint64_t vg_features(struct virtio_guest *g)
{
	uint64_t features = 0;

	for (unsigned int i = 0; i < 2; i++) {
		set_common(g, VIRTIO_PCI_COMMON_DFSELECT, 4, i);
		features |= common(g, VIRTIO_PCI_COMMON_DF, 4) << (32 * i);
	}
	return features;
}

bool vg_negotiate(struct virtio_guest *g, uint64_t features)
{
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	set_common(g, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	need(common(g, VIRTIO_PCI_COMMON_STATUS, 1) == 0);
	set_common(g, VIRTIO_PCI_COMMON_STATUS, 1, status);
	for (unsigned int i = 0; i < 2; i++) {
		set_common(g, VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		set_common(g, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> (32 * i)));
	}
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	set_common(g, VIRTIO_PCI_COMMON_STATUS, 1, status);
	return common(g, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void clear_rings(struct virtio_guest *g, const struct vg_queue *q)
{
	uint8_t zeroes[QUEUE_BYTES] = { 0 };

	vg_put(g, q->desc, zeroes, sizeof(zeroes));
}

void vg_make_queue(struct virtio_guest *g, unsigned int index, uint16_t size, uint16_t vector)
{
	struct vg_queue *q = &g->queues[index];
	uint64_t at = 0x1000 + index * QUEUE_BYTES;

	*q = (struct vg_queue){ .desc = at, .avail = at + 0x1000, .used = at + 0x2000 };
	q->size = size;
	clear_rings(g, q);
	set_common(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	set_common(g, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	set_common(g, VIRTIO_PCI_COMMON_Q_DESCLO, 8, q->desc);
	set_common(g, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, (uint32_t)q->avail);
	set_common(g, VIRTIO_PCI_COMMON_Q_AVAILHI, 4, (uint32_t)(q->avail >> 32));
	set_common(g, VIRTIO_PCI_COMMON_Q_USEDLO, 8, q->used);
	set_common(g, VIRTIO_PCI_COMMON_Q_MSIX, 2, vector);
	set_common(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

void vg_enable_msix(struct virtio_guest *g, unsigned int n)
{
	uint8_t at = (uint8_t)vg_config_read(g, PCI_CAPABILITY_LIST, 1);
	uint64_t table;

	while (at && vg_config_read(g, at, 1) != PCI_CAP_ID_MSIX)
		at = (uint8_t)vg_config_read(g, at + 1U, 1);
	need(at);
	table = g->bar + (vg_config_read(g, at + PCI_MSIX_TABLE, 4) & ~7U);
	vg_config_write(g, at + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned int i = 0; i < n; i++) {
		uint64_t address = 0xfee00000, rest = 0x30 + i;

		vmm_bus_access(&g->mmio, table + 16 * i, &address, 8, true);
		vmm_bus_access(&g->mmio, table + 16 * i + 8, &rest, 8, true);
	}
}

uint8_t vg_ready(struct virtio_guest *g)
{
	uint64_t status = common(g, VIRTIO_PCI_COMMON_STATUS, 1);

	set_common(g, VIRTIO_PCI_COMMON_STATUS, 1, status | VIRTIO_CONFIG_S_DRIVER_OK);
	return (uint8_t)common(g, VIRTIO_PCI_COMMON_STATUS, 1);
}

/* ---- memory and queues ---- */

void vg_put(struct virtio_guest *g, uint64_t at, const void *data, size_t len)
{
	need(vmm_memory_write(&g->memory, at, data, len) == 0);
}

void vg_get(struct virtio_guest *g, uint64_t at, void *data, size_t len)
{
	need(vmm_memory_read(&g->memory, at, data, len) == 0);
}

static uint16_t get16(struct virtio_guest *g, uint64_t at)
{
	return __atomic_load_n((uint16_t *)vmm_memory_at(&g->memory, at, 2), __ATOMIC_ACQUIRE);
}

static void put16(struct virtio_guest *g, uint64_t at, uint16_t value)
{
	__atomic_store_n((uint16_t *)vmm_memory_at(&g->memory, at, 2), value, __ATOMIC_RELEASE);
}

void vg_desc(struct virtio_guest *g, uint64_t table, unsigned int index, uint64_t addr,
	     uint32_t len, uint16_t flags, uint16_t next)
{
	const struct vring_desc d = { addr, len, flags, next };

	vg_put(g, table + 16ULL * index, &d, sizeof(d));
}

void vg_publish(struct virtio_guest *g, unsigned int queue, uint16_t head)
{
	struct vg_queue *q = &g->queues[queue];

	put16(g, q->avail + 4 + 2ULL * (q->next_avail % q->size), head);
	put16(g, q->avail + 2, ++q->next_avail);
}

uint16_t vg_add(struct virtio_guest *g, unsigned int queue, const struct vring_desc *buffers,
		unsigned int n)
{
	struct vg_queue *q = &g->queues[queue];
	uint16_t head = q->next_desc;

	for (unsigned int i = 0; i < n; i++) {
		uint16_t next = (uint16_t)((q->next_desc + 1) % q->size);
		bool is_last = i + 1 == n;

		vg_desc(g, q->desc, q->next_desc, buffers[i].addr, buffers[i].len,
			buffers[i].flags | (is_last ? 0 : VRING_DESC_F_NEXT), is_last ? 0 : next);
		q->next_desc = next;
	}
	vg_publish(g, queue, head);
	return head;
}

void vg_kick(struct virtio_guest *g, unsigned int queue)
{
	uint64_t offset;

	vg_write(g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	offset = common(g, VIRTIO_PCI_COMMON_Q_NOFF, 2) * g->parts[VIRTIO_PCI_CAP_NOTIFY_CFG].more;
	vg_write(g, VIRTIO_PCI_CAP_NOTIFY_CFG, (unsigned int)offset, 2, queue);
}

bool vg_used(struct virtio_guest *g, unsigned int queue, struct vring_used_elem *ret)
{
	struct vg_queue *q = &g->queues[queue];

	if (get16(g, q->used + 2) == q->seen_used)
		return false;
	vg_get(g, q->used + 4 + 8ULL * (q->seen_used % q->size), ret, sizeof(*ret));
	q->seen_used++;
	return true;
}

void vg_set_used_event(struct virtio_guest *g, unsigned int queue, uint16_t index)
{
	put16(g, g->queues[queue].avail + 4 + 2ULL * g->queues[queue].size, index);
}

uint16_t vg_avail_event(struct virtio_guest *g, unsigned int queue)
{
	return get16(g, g->queues[queue].used + 4 + 8ULL * g->queues[queue].size);
}

uint16_t vg_used_flags(struct virtio_guest *g, unsigned int queue)
{
	return get16(g, g->queues[queue].used);
}

/* ---- the loop ---- */

static void stop(void *ctx)
{
	vmm_loop_stop(ctx, 0);
}

void vg_run(struct virtio_guest *g)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		need(vmm_loop_defer(g->loop, stop, g->loop) == 0);
		need(vmm_loop_run(g->loop) == 0);
	}
}
