/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the vhost-user front end (QEMU docs/interop/vhost-user): the connection, its
 * messages, memory and rings. Not a public header of vmm/dev. */
#ifndef CARVE_VMM_VHOST_USER_H
#define CARVE_VMM_VHOST_USER_H

#include <linux/vhost_types.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/dev/vhost.h"

#define VHOST_USER_ANSWER_MS 5000
#define VHOST_USER_REGIONS_MAX 8 /* that every back end takes */
#define VHOST_USER_QUEUES_MAX 0x8000
#define VHOST_USER_FDS_MAX VHOST_USER_REGIONS_MAX

/* Of the header's flags. */
#define VHOST_USER_VERSION 0x1U
#define VHOST_USER_VERSION_MASK 0x3U
#define VHOST_USER_IS_REPLY 0x4U
#define VHOST_USER_NEED_REPLY 0x8U

#define VHOST_USER_F_PROTOCOL (1ULL << 30) /* among the virtio features */
/* Protocol features. */
#define VHOST_USER_P_MQ (1ULL << 0)
#define VHOST_USER_P_REPLY_ACK (1ULL << 3)
#define VHOST_USER_P_CONFIG (1ULL << 9)

#define VHOST_USER_CONFIG_MAX 256 /* bytes of a device's configuration */

enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_GET_CONFIG = 24,
};

/** struct vhost_user_header - of each message; @size: bytes that follow it */
struct vhost_user_header {
	uint32_t request, flags, size;
};

/** struct vhost_user_region - @user: of the piece in the VMM; @offset: in its descriptor */
struct vhost_user_region {
	uint64_t guest, size, user, offset;
};

struct vhost_user_memory {
	uint32_t n, padding;
	struct vhost_user_region regions[VHOST_USER_REGIONS_MAX];
};

/** struct vhost_user_config - a part of the device's configuration: @size bytes at @offset */
struct vhost_user_config {
	uint32_t offset, size, flags;
	uint8_t data[VHOST_USER_CONFIG_MAX];
};

/**
 * struct vhost_user - one connection; constant once it is made, but the last members
 * @has_protocol: rings are enabled one by one
 * @has_ack:      each message is answered
 * @memory:       that the back end knows, NULL
 * @until_ms:     CLOCK_MONOTONIC: answers of this call come before
 * @broken:       0, or why nothing is said any more: -errno
 */
struct vhost_user {
	struct vmm_vhost h;
	struct vmm_loop *loop;
	struct vmm_watch watch;
	bool is_watched;
	void (*gone)(void *ctx);
	void *ctx;
	unsigned int answer_ms;
	bool has_protocol, has_ack, has_mq, has_config;
	const struct vmm_memory *memory;
	uint64_t until_ms;
	atomic_int broken;
};

/** vhost_user_new() - as vmm_vhost_user_new(), with @answer_ms for the answers of each call */
int vhost_user_new(const char *name, int fd, unsigned int answer_ms, struct vmm_loop *loop,
		   void (*gone)(void *ctx), void *ctx, struct vmm_vhost **ret,
		   struct cv_error *err);

/**
 * struct vhost_user_out - a message to the back end
 * @fds: sent with it; borrowed
 */
struct vhost_user_out {
	enum vhost_user_request request;
	const void *data;
	uint32_t size;
	const int *fds;
	unsigned int n_fds;
};

/** vhost_user_begin() - the time of a call begins: all its messages share it. */
void vhost_user_begin(struct vhost_user *u);
/**
 * vhost_user_tell() - a message that has no answer of its own; when the back end can, it says that it has
 * done it
 * Return: 0; -EREMOTEIO: the back end refuses; else the connection is over: -ETIMEDOUT, -ECONNRESET (it hung up),
 * -EPROTO (what it answered breaks the rules), -errno.
 */
int vhost_user_tell(struct vhost_user *u, const struct vhost_user_out *out);
/** vhost_user_ask() - @len bytes are answered, neither more nor less. Return: as vhost_user_tell(). */
int vhost_user_ask(struct vhost_user *u, const struct vhost_user_out *out, void *ret, uint32_t len);

/** vhost_user_end() - @request went wrong: nothing is said any more. Return: @r. */
int vhost_user_end(struct vhost_user *u, enum vhost_user_request request, int r);

/** vhost_user_set_memory(), ... - of the ops */
int vhost_user_set_memory(struct vmm_vhost *h, const struct vmm_memory *m);
int vhost_user_set_ring(struct vmm_vhost *h, unsigned int ring, const struct vmm_virtio_ring *r);
int vhost_user_stop_ring(struct vmm_vhost *h, unsigned int ring, uint16_t *ret_next);

#endif
