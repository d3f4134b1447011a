/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between a network interface and who carries its frames. Not a public header of vmm/dev. */
#ifndef CARVE_VMM_VIRTIO_NET_H
#define CARVE_VMM_VIRTIO_NET_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "base/error.h"
#include "plan/plan.h"
#include "vmm/core/log.h"
#include "vmm/dev/vhost.h"
#include "vmm/dev/virtio.h"

#define VNET_HEADER sizeof(struct virtio_net_hdr_v1)

/* What the other side must have for what the transport offers by itself. */
#define VNET_NEEDED                                                         \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)

/* Packets larger than frames, and checksums that are computed later or never. */
#define VNET_OFFLOADS                                                        \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_GUEST_CSUM |       \
	 1ULL << VIRTIO_NET_F_GUEST_TSO4 | 1ULL << VIRTIO_NET_F_GUEST_TSO6 | \
	 1ULL << VIRTIO_NET_F_GUEST_ECN | 1ULL << VIRTIO_NET_F_HOST_TSO4 |   \
	 1ULL << VIRTIO_NET_F_HOST_TSO6 | 1ULL << VIRTIO_NET_F_HOST_ECN)

struct vnet;

/**
 * struct vnet_ops - who carries the frames; all are called with the device locked
 * @activate:    the guest uses one pair
 * @set_pairs:   it uses the first @pairs, 1 to n->pairs; NULL: there is one
 * @queue_ready: as of vmm_virtio_ops; NULL: frames do not pass by the VMM
 * @reset:       nothing touches the guest's memory after it; also when it never was active
 * @free:        Context: after the last reset
 */
struct vnet_ops {
	int (*activate)(struct vnet *n);
	int (*set_pairs)(struct vnet *n, unsigned int pairs);
	void (*queue_ready)(struct vnet *n, unsigned int queue);
	void (*reset)(struct vnet *n);
	void (*free)(struct vnet *n);
};

/**
 * struct vnet - one interface: pair I has queues 2I (to the guest) and 2I+1 (from it), the control queue
 * is behind the last of those that the driver knows of
 * @side:     of who carries the frames
 * @features: that it has: VIRTIO_NET_F_*
 * @pairs:    that it has
 */
struct vnet {
	struct vmm_virtio v;
	struct vmm_virtio_ops ops;
	const struct vnet_ops *side_ops;
	void *side;
	uint64_t features;
	unsigned int pairs;
	char id[32];
	struct virtio_net_config config;
	struct vmm_log_budget log;
};

/** vnet_new() - @link->fds are owned by it, also when it fails */
int vnet_new(const struct vmm_virtio_env *env, const struct plan_net *net,
	     const struct plan_link *link, struct vnet **ret, struct cv_error *err);
void vnet_free(struct vnet *n);
/** vnet_add() - make it a function, once id and who carries the frames are set */
int vnet_add(struct vnet *n, const struct vmm_virtio_env *env, const struct plan_net *net,
	     struct cv_error *err);

/** vnet_set_link() - up or down: the guest is told when it changes. Context: locked. */
void vnet_set_link(struct vnet *n, bool is_up);
/** vnet_has() - did the driver take @feature (VIRTIO_NET_F_*)? */
bool vnet_has(const struct vnet *n, unsigned int feature);

/*
 * Who carries the frames: each sets side, side_ops, features and pairs of @n, of which id is filled; and
 * owns @fds from then on, also when it fails: vnet_free() gives back what there is.
 */

/** vnet_tap_new() - @fds: a tap for each of @pairs, then as many of /dev/vhost-net */
int vnet_tap_new(struct vnet *n, const int *fds, unsigned int pairs, struct cv_error *err);
/** vnet_stream_new() - @fd: a stream socket of frames, each after its length (4 bytes, big endian) */
int vnet_stream_new(struct vnet *n, struct vmm_loop *loop, int fd, struct cv_error *err);
/** vnet_user_new() - @fd: a vhost-user back end; less pairs than @pairs when it has no more */
int vnet_user_new(struct vnet *n, struct vmm_loop *loop, int fd, unsigned int pairs,
		  struct cv_error *err);

#endif
