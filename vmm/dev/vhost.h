/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other side of a virtio device whose queues the VMM does not serve itself: the kernel (/dev/vhost-net,
 * /dev/vhost-vsock; linux/vhost.h) or another process (vhost-user protocol). */
#ifndef CARVE_VMM_VHOST_H
#define CARVE_VMM_VHOST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmm/core/log.h"
#include "vmm/core/memory.h"
#include "vmm/dev/virtio.h"

struct vmm_vhost;

/**
 * struct vmm_vhost_ops - one kind of other side; all may be called by any thread with the device locked
 *
 * Each returns 0 or -errno and is done after seconds at most: -ETIMEDOUT, and what follows fails at once.
 * @features:   VIRTIO_F_* it offers
 * @set_memory: the guest's RAM, once before the first ring
 * @set_ring:   size, base, addresses, call and kick: the ring is served from then on
 * @stop_ring:  it is not served any more; @ret_next: index of the next request that is to be served
 */
struct vmm_vhost_ops {
	int (*features)(struct vmm_vhost *h, uint64_t *ret);
	int (*set_features)(struct vmm_vhost *h, uint64_t features);
	int (*set_memory)(struct vmm_vhost *h, const struct vmm_memory *m);
	int (*set_ring)(struct vmm_vhost *h, unsigned int ring, const struct vmm_virtio_ring *r);
	int (*stop_ring)(struct vmm_vhost *h, unsigned int ring, uint16_t *ret_next);
	void (*free)(struct vmm_vhost *h);
};

/**
 * struct vmm_vhost - embedded as the first member of each kind
 * @name: of the device, for messages
 * @fd:   owned
 * @running, @log: vmm/dev/vhost's own; zeroed at first. A bit of each ring that is served
 */
struct vmm_vhost {
	const struct vmm_vhost_ops *ops;
	char name[32];
	int fd;
	uint64_t running;
	struct vmm_log_budget log;
};

/** vmm_vhost_kernel_new() - @fd of /dev/vhost-*, owned also when it fails; VHOST_SET_OWNER is done here */
int vmm_vhost_kernel_new(const char *name, int fd, struct vmm_vhost **ret, struct cv_error *err);

/**
 * vmm_vhost_user_new() - @fd: connected socket of a back end, owned also when it fails
 * @loop:   @gone is called in its thread when the back end hangs up
 * Protocol features are agreed here. Context: before threads enter the sandbox.
 */
int vmm_vhost_user_new(const char *name, int fd, struct vmm_loop *loop, void (*gone)(void *ctx),
		       void *ctx, struct vmm_vhost **ret, struct cv_error *err);
/**
 * vmm_vhost_user_queues() - how many queues the back end has at most, as its device counts (of a network:
 * pairs)
 * Return: count, 1 when it does not tell; -EPROTO: none, or more than there can be; -errno.
 */
int vmm_vhost_user_queues(struct vmm_vhost *h);

/**
 * vmm_vhost_user_config() - the first @size bytes of the device's configuration (Virtio 1.2 section 4.1.4.6),
 * as the back end has it
 * Return: 0; -EOPNOTSUPP: it tells none; -EPROTO: it answers another question; -errno.
 */
int vmm_vhost_user_config(struct vmm_vhost *h, void *ret, uint32_t size);

/** vmm_vhost_needs() - Return: 0; -EOPNOTSUPP with @err NO_FEATURE: @h does not offer all of @features */
int vmm_vhost_needs(struct vmm_vhost *h, uint64_t features, uint64_t *ret_offered,
		    struct cv_error *err);

/** vmm_vhost_free() - NULL is allowed; after vmm_vhost_stop() */
void vmm_vhost_free(struct vmm_vhost *h);

/**
 * vmm_vhost_start() - hand @n queues of @v from @first on over: its rings 0..@n-1
 * Context: from activate; queues that the driver did not enable are left out.
 * Return: 0; -errno: nothing is served, the reason is in the log.
 */
int vmm_vhost_start(struct vmm_vhost *h, struct vmm_virtio *v, unsigned int first, unsigned int n,
		    uint64_t features);
/** vmm_vhost_stop() - take them back. Context: from reset; also when it never was started. */
void vmm_vhost_stop(struct vmm_vhost *h, struct vmm_virtio *v, unsigned int first, unsigned int n);

#endif
