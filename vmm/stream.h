/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines over a unix socket, every wait with a deadline: what QMP and the guest agent speak. */
#ifndef CARVE_VMM_STREAM_H
#define CARVE_VMM_STREAM_H

#include <stddef.h>
#include <stdint.h>

/** vmm_clock_end() - the moment @ms from now, in milliseconds of CLOCK_MONOTONIC. */
uint64_t vmm_clock_end(unsigned int ms);
/** vmm_clock_left() - milliseconds until @end, 0 once it passed; fits poll(2). */
int vmm_clock_left(uint64_t end);

/**
 * struct vmm_stream - embedded; VMM_STREAM_INIT before the first use
 * @fd:      owned
 * @max:     longest line in bytes
 * @buf:     received and not handed out yet; @len bytes of @size
 * @scanned: bytes of @buf known to hold no newline
 */
struct vmm_stream {
	int fd;
	size_t max;
	char *buf;
	size_t len, size, scanned;
};

#define VMM_STREAM_INIT  \
	{                \
		.fd = -1 \
	}

void vmm_stream_done(struct vmm_stream *s);

/**
 * vmm_stream_connect() - connect to a unix socket, retrying until @end while it does not exist yet
 * or refuses
 * @max: longest line that is accepted, bytes
 * Return: 0; -ENOENT or -ECONNREFUSED when it still was so at @end; -ENAMETOOLONG; -errno.
 */
int vmm_stream_connect(struct vmm_stream *s, const char *path, size_t max, uint64_t end);
/** vmm_stream_send() - all of @text. Return: 0, -ETIMEDOUT, -EPIPE (peer closed), -errno. */
int vmm_stream_send(struct vmm_stream *s, const char *text, size_t len, uint64_t end);
/**
 * vmm_stream_line() - the next line without its CR and LF; owned by the caller
 *
 * A line that was received in part when @end passed is kept for the next call.
 * Return: 0, -ETIMEDOUT, -EPIPE (peer closed), -EMSGSIZE (longer than max), -EPROTO (holds a NUL
 * byte), -EINTR (a signal handler ran), -errno.
 */
int vmm_stream_line(struct vmm_stream *s, uint64_t end, char **ret);

#endif
