// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/control/server_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READ_SIZE 4096
#define FIRST_SIZE 4096

/* ---- output ---- */

static void watch_for(struct vmm_client *c)
{
	uint32_t events = (c->is_ended ? 0U : (uint32_t)EPOLLIN) |
			  (c->out_len ? (uint32_t)EPOLLOUT : 0U);

	if (c->is_ended && c->out_len == 0)
		c->is_gone = true;
	if (c->is_gone || events == c->watch.events)
		return;
	if (vmm_loop_change(c->loop, &c->watch, events) < 0)
		c->is_gone = true;
}

/* Return: bytes the kernel took. */
static size_t send_some(struct vmm_client *c, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(c->watch.fd, text + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			c->is_gone = c->is_gone || errno != EAGAIN;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

static int grow(struct vmm_client *c, size_t need)
{
	size_t size = c->out_size ? c->out_size : FIRST_SIZE;
	char *grown;

	while (size < need)
		size *= 2;
	if (size == c->out_size)
		return 0;
	grown = realloc(c->out, size);
	if (!grown)
		return -ENOMEM;
	c->out = grown;
	c->out_size = size;
	return 0;
}

static void keep(struct vmm_client *c, const char *text, size_t len)
{
	if (len == 0 || c->is_gone)
		return;
	if (len > VMM_CLIENT_OUTPUT - c->out_len || grow(c, c->out_len + len) < 0) {
		c->is_gone = true;
		return;
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
}

void vmm_client_send(struct vmm_client *c, const char *text, size_t len)
{
	size_t done = 0;

	if (c->is_gone)
		return;
	if (c->out_len == 0)
		done = send_some(c, text, len);
	keep(c, text + done, len - done);
	watch_for(c);
}

static void flush(struct vmm_client *c)
{
	size_t done = send_some(c, c->out, c->out_len);

	c->out_len -= done;
	memmove(c->out, c->out + done, c->out_len);
	if (c->out_len == 0) {
		free(TAKE_PTR(c->out));
		c->out_size = 0;
	}
	watch_for(c);
}

/* ---- input: where a message ends ---- */

static void start_anew(struct vmm_client *c)
{
	c->len = 0;
	c->depth = 0;
	c->is_in_string = false;
	c->is_escaped = false;
}

static void hand_over(struct vmm_client *c)
{
	c->text[c->len] = '\0';
	c->ops->message(c->ctx, c, c->text, c->len);
	start_anew(c);
}

/* A string of JSON holds no newline: garbage ends there. */
static bool ends_in_string(struct vmm_client *c, char byte)
{
	if (c->is_escaped)
		c->is_escaped = false;
	else if (byte == '\\')
		c->is_escaped = true;
	else if (byte == '"')
		c->is_in_string = false;
	return byte == '\n';
}

/* Objects may have newlines and need none behind them, as QEMU has it. */
static bool is_end(struct vmm_client *c, char byte)
{
	if (c->is_in_string)
		return ends_in_string(c, byte);
	switch (byte) {
	case '"':
		c->is_in_string = true;
		return false;
	case '{':
	case '[':
		c->depth++;
		return false;
	case '}':
	case ']':
		if (c->depth > 0)
			c->depth--;
		return c->depth == 0;
	default:
		return byte == '\n' && c->depth == 0;
	}
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static void take_byte(struct vmm_client *c, char byte)
{
	if (c->is_skipping) {
		c->is_skipping = byte != '\n';
		return;
	}
	if (c->len == 0 && is_blank(byte))
		return;
	if (c->len == VMM_CLIENT_INPUT) {
		c->ops->message(c->ctx, c, NULL, 0);
		start_anew(c);
		c->is_skipping = byte != '\n';
		return;
	}
	c->text[c->len++] = byte;
	if (is_end(c, byte))
		hand_over(c);
}

/* One read for each turn: nobody keeps the others from theirs. */
static void receive(struct vmm_client *c)
{
	char buf[READ_SIZE];
	ssize_t n = recv(c->watch.fd, buf, sizeof(buf), 0);

	if (n < 0) {
		c->is_gone = errno != EAGAIN && errno != EINTR;
		return;
	}
	c->is_ended = n == 0;
	for (ssize_t i = 0; i < n && !c->is_gone; i++)
		take_byte(c, buf[i]);
	watch_for(c);
}

static void ready(void *ctx, uint32_t events)
{
	struct vmm_client *c = ctx;
	const struct vmm_client_ops *ops = c->ops;
	void *server = c->ctx;

	if (!c->is_gone && c->out_len && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
		flush(c);
	if (!c->is_gone && !c->is_ended && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		receive(c);
	ops->turn(server);
}

/* ---- the connection ---- */

int vmm_client_new(struct vmm_loop *loop, int fd, const struct vmm_client_ops *ops, void *ctx,
		   struct vmm_client **ret)
{
	_cleanup_free_ struct vmm_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->ops = ops;
	c->ctx = ctx;
	c->watch = (struct vmm_watch){ .fd = fd, .events = EPOLLIN, .ready = ready, .ctx = c };
	r = vmm_loop_add(loop, &c->watch);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

void vmm_client_free(struct vmm_client *c)
{
	vmm_loop_remove(c->loop, &c->watch);
	close(c->watch.fd);
	free(c->out);
	free(c);
}
