/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Virtio over PCI, modern only (Virtio 1.2 section 4.1): what device models share. */
#ifndef CARVE_VMM_VIRTIO_H
#define CARVE_VMM_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmm/core/loop.h"
#include "vmm/core/memory.h"
#include "vmm/dev/msix.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/virtqueue.h"

#define VMM_VIRTIO_QUEUES_MAX 64

struct vmm_sandbox;
struct vmm_virtio;

/**
 * struct vmm_virtio_ops - one device type; all are called with the device locked
 * @id:            virtio device id (Virtio 1.2 section 5)
 * @class_rev:     PCI class and revision
 * @features:      offered beside VIRTIO_F_VERSION_1, EVENT_IDX, INDIRECT_DESC
 * @config_read, @config_write: the device's own configuration
 * @activate:      the driver is ready (DRIVER_OK) with v->features; queues are enabled
 * @queue_ready:   the guest kicked queue @queue, or made it ready. Context: the loop's thread
 * @reset:         stop: after it nothing of the device touches guest memory; may vmm_virtio_wait().
 *                 Also called when the device never was active
 */
struct vmm_virtio_ops {
	const char *name;
	uint16_t id;
	uint32_t class_rev;
	uint64_t features;
	unsigned int n_queues, queue_size;
	size_t config_size;
	void (*config_read)(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len);
	void (*config_write)(struct vmm_virtio *v, uint32_t offset, const void *data,
			     unsigned int len);
	int (*activate)(struct vmm_virtio *v);
	void (*queue_ready)(struct vmm_virtio *v, unsigned int queue);
	void (*reset)(struct vmm_virtio *v);
};

/** struct vmm_virtio_env - what every device gets; borrowed for the device's life */
struct vmm_virtio_env {
	struct vmm_pci *pci;
	struct vmm_irqs *irqs;
	struct vmm_memory *memory;
	struct vmm_loop *loop;
	int vm_fd;			   /* ioeventfds for the queues' doorbells */
	const struct vmm_sandbox *sandbox; /* threads of a device enter it; NULL: none */
};

/** struct vmm_virtio - embedded in the device model */
struct vmm_virtio {
	const struct vmm_virtio_ops *ops;
	struct vmm_virtio_env env;
	struct vmm_pci_function function;
	struct vmm_msix msix;
	uint64_t features; /* that the driver took */
	uint8_t status;
	struct vmm_queue queues[VMM_VIRTIO_QUEUES_MAX];
	uint16_t vectors[VMM_VIRTIO_QUEUES_MAX];
	struct vmm_virtio_state *state; /* vmm/dev/virtio_pci's own */
	unsigned int n_queues;
};

/**
 * vmm_virtio_add() - make it a function of bus 0, @at slot and function: capabilities, BAR 0 with common, notify, ISR
 * and device configuration and the MSI-X table, doorbells as ioeventfds while the BAR is mapped
 * @n_queues: at most ops->n_queues
 */
int vmm_virtio_add(struct vmm_virtio *v, const struct vmm_virtio_ops *ops,
		   const struct vmm_virtio_env *env, struct cv_bdf at, unsigned int n_queues,
		   struct cv_error *err);
/** vmm_slot() - function 0 of slot @slot of bus 0 */
static inline struct cv_bdf vmm_slot(unsigned int slot)
{
	return (struct cv_bdf){ .dev = (uint8_t)slot };
}
/** vmm_virtio_done() - Context: no vCPU runs. */
void vmm_virtio_done(struct vmm_virtio *v);
/** vmm_virtio_lock() - as every member of the ops is called: for a thread of the device's own. */
void vmm_virtio_lock(struct vmm_virtio *v);
void vmm_virtio_unlock(struct vmm_virtio *v);
/** vmm_virtio_notify() - used buffers were put into @queue: interrupt if the guest wants one. */
void vmm_virtio_notify(struct vmm_virtio *v, unsigned int queue);
/** vmm_virtio_config_changed() - tell the guest to look at the configuration again. */
void vmm_virtio_config_changed(struct vmm_virtio *v);
/**
 * vmm_virtio_serve() - what waits in @queue goes to @serve, one after the other; then interrupt
 * At most as many as the ring has at once: what is left has its turn after others in the loop.
 * @serve: bytes written to the request; -EAGAIN: not now, it comes first with the next call, kicks are
 *         not asked for until then
 */
void vmm_virtio_serve(struct vmm_virtio *v, unsigned int queue,
		      int (*serve)(struct vmm_virtio *v, unsigned int queue,
				   const struct vmm_chain *c));
/** vmm_virtio_kick() - as the guest does: queue_ready is called soon, in the loop's thread. */
void vmm_virtio_kick(struct vmm_virtio *v, unsigned int queue);
/** vmm_virtio_wait() - until @cond is signalled; the lock is free meanwhile. */
void vmm_virtio_wait(struct vmm_virtio *v, pthread_cond_t *cond);
/** vmm_virtio_broken() - the guest broke the rules: DEVICE_NEEDS_RESET, queues are stopped; logged. */
void vmm_virtio_broken(struct vmm_virtio *v, const char *why);

/* ---- queues that somebody else serves: the kernel (vhost) or another process (vhost-user) ---- */

/**
 * struct vmm_virtio_ring - one queue as the other side must know it
 * @desc, @avail, @used: guest physical
 * @next:    index of the next request in the available ring
 * @kick_fd: eventfd that the guest's doorbell signals; borrowed
 * @call_fd: eventfd by which the other side interrupts the guest: the hypervisor takes it straight to
 *           the vector; while that is masked it keeps what comes; borrowed
 */
struct vmm_virtio_ring {
	uint64_t desc, avail, used;
	uint16_t size, next;
	int kick_fd, call_fd;
};

/**
 * vmm_virtio_hand_over() - from now on the other side serves @queue; a kick that came before is not lost
 * Context: from activate. Return: 0; -EINVAL: the driver did not enable it; -errno.
 */
int vmm_virtio_hand_over(struct vmm_virtio *v, unsigned int queue, struct vmm_virtio_ring *ret);
/** vmm_virtio_take_back() - the other side has stopped before request @next. Context: from reset. */
void vmm_virtio_take_back(struct vmm_virtio *v, unsigned int queue, uint16_t next);

#endif
