/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes between a device of the guest and one client at a time on a unix socket, with a log. */
#ifndef CARVE_VMM_CHANNEL_H
#define CARVE_VMM_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/core/loop.h"

#define VMM_CHANNEL_MAX 65536 /* bytes that wait for a client that does not read */

/**
 * struct vmm_channel_ops - the device's side; all in the loop's thread
 * @room:  bytes that the guest can take now
 * @input: @len of them came, at most as many as @room said
 * @open:  a client came (true) or went
 * @writable: what vmm_channel_write() did not take has room now, or nobody wants it any more
 * All but @room and @input may be NULL. Context: the channel is not locked.
 */
struct vmm_channel_ops {
	size_t (*room)(void *ctx);
	void (*input)(void *ctx, const uint8_t *data, size_t len);
	void (*open)(void *ctx, bool is_open);
	void (*writable)(void *ctx);
};

struct vmm_channel;

/** vmm_channel_new() - @listen_fd, @log_fd: owned by it, also when it fails; -1: none.
 * Return: 0, -errno. */
int vmm_channel_new(struct vmm_loop *loop, int listen_fd, int log_fd,
		    const struct vmm_channel_ops *ops, void *ctx, struct vmm_channel **ret);
void vmm_channel_free(struct vmm_channel *c);
/**
 * vmm_channel_write() - from the guest; the loop's thread does the writing, unless it is far behind
 * Context: any thread. Return: bytes taken: all, or fewer when a client does not read and @may_wait;
 * else what does not fit is dropped. Without a client all is taken, for the log.
 */
size_t vmm_channel_write(struct vmm_channel *c, const uint8_t *data, size_t len, bool may_wait);
/** vmm_channel_has_room() - the guest can take input again. Context: any thread. */
void vmm_channel_has_room(struct vmm_channel *c);
bool vmm_channel_is_open(struct vmm_channel *c);

#endif
