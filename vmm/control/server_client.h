/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection of the QMP server: what arrives is cut into messages, what cannot be sent at once waits
 * up to a limit. All in the loop's thread. */
#ifndef CARVE_VMM_SERVER_CLIENT_H
#define CARVE_VMM_SERVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/core/loop.h"

#define VMM_CLIENT_INPUT 65536		/* longest message, bytes */
#define VMM_CLIENT_OUTPUT (1024 * 1024) /* more than that unread: cut off */

/**
 * struct vmm_client - made by vmm_client_new(), embedded in nothing
 * @is_negotiated: the server's: capabilities were agreed
 * @is_gone:       to be freed by the server
 * @text, @len:    the message that arrives
 * @out:           not sent yet, @out_len bytes of @out_size
 * @is_ended:      the peer sends nothing more; what waits is still sent
 */
struct vmm_client {
	struct vmm_client *next;
	bool is_negotiated, is_gone;
	/* server_client.c's own */
	struct vmm_loop *loop;
	struct vmm_watch watch;
	const struct vmm_client_ops *ops;
	void *ctx;
	bool is_ended, is_in_string, is_escaped, is_skipping;
	unsigned int depth;
	char *out;
	size_t out_len, out_size;
	size_t len;
	char text[VMM_CLIENT_INPUT + 1];
};

/**
 * struct vmm_client_ops - what the server is told
 * @message: @text is ended by NUL; NULL: it was too long and is dropped
 * @turn:    the client had its turn: those that are gone may be freed now, this one too
 */
struct vmm_client_ops {
	void (*message)(void *ctx, struct vmm_client *c, const char *text, size_t len);
	void (*turn)(void *ctx);
};

/** vmm_client_new() - @fd: a connected stream, non-blocking, consumed on success. Return: 0, -errno. */
int vmm_client_new(struct vmm_loop *loop, int fd, const struct vmm_client_ops *ops, void *ctx,
		   struct vmm_client **ret);
void vmm_client_free(struct vmm_client *c);
/** vmm_client_send() - now, or later as the peer reads; sets is_gone when that fails. */
void vmm_client_send(struct vmm_client *c, const char *text, size_t len);

#endif
