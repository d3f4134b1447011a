// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/dev/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define INPUT_AT_ONCE 4096
#define LOG_AT_ONCE 4096
#define LOG_BYTES_MAX (16ULL << 20) /* the launcher's limit is higher when disks are files */

/** struct vmm_channel - @client.fd is changed by the loop's thread, with @lock held */
struct vmm_channel {
	struct vmm_loop *loop;
	const struct vmm_channel_ops *ops;
	void *ctx;
	struct vmm_watch listener, client; /* fd -1: not there */
	int log_fd;
	pthread_mutex_t lock;
	/* guarded by @lock */
	uint8_t *out; /* a ring of VMM_CHANNEL_MAX, from @out_at */
	size_t out_at, out_len;
	uint8_t log[LOG_AT_ONCE]; /* not written yet */
	size_t log_len;
	uint64_t log_bytes; /* in the file */
	bool is_flush_deferred, is_room_deferred;
	bool is_short; /* somebody waits for room in @out */
};

/* ---- the log ---- */

static void flush_log_locked(struct vmm_channel *c)
{
	size_t at = 0;

	while (c->log_fd >= 0 && at < c->log_len && c->log_bytes < LOG_BYTES_MAX) {
		ssize_t n = write(c->log_fd, c->log + at, c->log_len - at);

		/* a full disk, or the launcher's limit, costs the log and not the guest */
		if (n <= 0)
			break;
		at += (size_t)n;
		c->log_bytes += (uint64_t)n;
	}
	c->log_len = 0;
}

static void log_locked(struct vmm_channel *c, const uint8_t *data, size_t len)
{
	while (c->log_fd >= 0 && len > 0) {
		size_t room = LOG_AT_ONCE - c->log_len, n = len < room ? len : room;

		memcpy(c->log + c->log_len, data, n);
		c->log_len += n;
		data += n;
		len -= n;
		if (c->log_len == LOG_AT_ONCE)
			flush_log_locked(c);
	}
}

/* ---- to the client ---- */

static size_t queue_locked(struct vmm_channel *c, const uint8_t *data, size_t len)
{
	size_t room = VMM_CHANNEL_MAX - c->out_len, n = len < room ? len : room;

	for (size_t i = 0; i < n; i++)
		c->out[(c->out_at + c->out_len + i) % VMM_CHANNEL_MAX] = data[i];
	c->out_len += n;
	return n;
}

/* Return: false when the client is gone. */
static bool send_locked(struct vmm_channel *c)
{
	while (c->out_len > 0) {
		size_t part = VMM_CHANNEL_MAX - c->out_at;
		ssize_t n;

		if (part > c->out_len)
			part = c->out_len;
		n = send(c->client.fd, c->out + c->out_at, part, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_at = (c->out_at + (size_t)n) % VMM_CHANNEL_MAX;
		c->out_len -= (size_t)n;
	}
	return true;
}

static void update_events(struct vmm_channel *c)
{
	bool has_room = c->ops->room(c->ctx) > 0;
	uint32_t events = has_room ? EPOLLIN : 0;

	pthread_mutex_lock(&c->lock);
	if (c->out_len > 0)
		events |= EPOLLOUT;
	pthread_mutex_unlock(&c->lock);
	if (c->client.fd >= 0 && c->client.events != events)
		vmm_loop_change(c->loop, &c->client, events);
}

static void tell_writable(struct vmm_channel *c, size_t limit)
{
	bool is_wanted;

	pthread_mutex_lock(&c->lock);
	is_wanted = c->is_short && c->out_len <= limit;
	if (is_wanted)
		c->is_short = false;
	pthread_mutex_unlock(&c->lock);
	if (is_wanted && c->ops->writable)
		c->ops->writable(c->ctx);
}

/* Return: false when the client is gone. */
static bool flush(struct vmm_channel *c)
{
	bool is_there;

	pthread_mutex_lock(&c->lock);
	is_there = send_locked(c);
	pthread_mutex_unlock(&c->lock);
	if (!is_there)
		return false;
	tell_writable(c, VMM_CHANNEL_MAX / 2);
	update_events(c);
	return true;
}

/* ---- from the client ---- */

static void set_client(struct vmm_channel *c, int fd)
{
	pthread_mutex_lock(&c->lock);
	c->client = (struct vmm_watch){ fd, EPOLLIN, c->client.ready, c };
	c->out_at = c->out_len = 0;
	pthread_mutex_unlock(&c->lock);
}

static void drop_client(struct vmm_channel *c)
{
	int fd = c->client.fd;

	vmm_loop_remove(c->loop, &c->client);
	set_client(c, -1);
	close(fd);
	if (c->ops->open)
		c->ops->open(c->ctx, false);
	tell_writable(c, VMM_CHANNEL_MAX);
	vmm_loop_change(c->loop, &c->listener, EPOLLIN);
}

/* Return: false when the client is gone. */
static bool take_input(struct vmm_channel *c)
{
	uint8_t data[INPUT_AT_ONCE];
	size_t room = c->ops->room(c->ctx);
	ssize_t n;

	if (room == 0)
		return true;
	n = recv(c->client.fd, data, room < sizeof(data) ? room : sizeof(data), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	if (n > 0)
		c->ops->input(c->ctx, data, (size_t)n);
	return true;
}

/* What it wrote before it went is taken as far as the guest can: nothing tells when the rest would fit. */
static void take_rest(struct vmm_channel *c)
{
	while (c->ops->room(c->ctx) > 0 && take_input(c))
		continue;
}

static void on_client(void *ctx, uint32_t events)
{
	struct vmm_channel *c = ctx;
	bool is_gone = events & (EPOLLERR | EPOLLHUP);

	if (c->client.fd < 0)
		return;
	if (events & EPOLLHUP)
		take_rest(c);
	if (is_gone || (events & EPOLLIN && !take_input(c)) || !flush(c))
		drop_client(c);
}

/* Who comes second waits in the queue of the socket until the first one goes. */
static void on_connect(void *ctx, uint32_t events)
{
	struct vmm_channel *c = ctx;
	int fd;

	if (c->client.fd >= 0)
		return;
	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	set_client(c, fd);
	if (vmm_loop_add(c->loop, &c->client) < 0) {
		set_client(c, -1);
		close(fd);
		return;
	}
	vmm_loop_change(c->loop, &c->listener, 0);
	if (c->ops->open)
		c->ops->open(c->ctx, true);
}

/* ---- the device's calls ---- */

static void deferred_flush(void *ctx)
{
	struct vmm_channel *c = ctx;

	pthread_mutex_lock(&c->lock);
	c->is_flush_deferred = false;
	flush_log_locked(c);
	pthread_mutex_unlock(&c->lock);
	if (c->client.fd >= 0 && !flush(c))
		drop_client(c);
}

static void deferred_room(void *ctx)
{
	struct vmm_channel *c = ctx;

	pthread_mutex_lock(&c->lock);
	c->is_room_deferred = false;
	pthread_mutex_unlock(&c->lock);
	update_events(c);
}

/* One at a time; without memory for it the next one tries again. */
static void defer_locked(struct vmm_channel *c, bool *is_deferred, void (*fn)(void *ctx))
{
	if (!*is_deferred)
		*is_deferred = vmm_loop_defer(c->loop, fn, c) == 0;
}

size_t vmm_channel_write(struct vmm_channel *c, const uint8_t *data, size_t len, bool may_wait)
{
	size_t n = len;

	pthread_mutex_lock(&c->lock);
	if (c->client.fd >= 0)
		n = queue_locked(c, data, len);
	if (may_wait)
		c->is_short |= n < len;
	else
		n = len;
	log_locked(c, data, n);
	if (c->client.fd >= 0 || c->log_len > 0)
		defer_locked(c, &c->is_flush_deferred, deferred_flush);
	pthread_mutex_unlock(&c->lock);
	return n;
}

void vmm_channel_has_room(struct vmm_channel *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->client.fd >= 0)
		defer_locked(c, &c->is_room_deferred, deferred_room);
	pthread_mutex_unlock(&c->lock);
}

bool vmm_channel_is_open(struct vmm_channel *c)
{
	bool is;

	pthread_mutex_lock(&c->lock);
	is = c->client.fd >= 0;
	pthread_mutex_unlock(&c->lock);
	return is;
}

/* ---- making it ---- */

static struct vmm_channel *make_channel(struct vmm_loop *loop, const struct vmm_channel_ops *ops,
					void *ctx)
{
	struct vmm_channel *c = calloc(1, sizeof(*c));

	if (c)
		c->out = malloc(VMM_CHANNEL_MAX);
	if (!c || !c->out) {
		free(c);
		return NULL;
	}
	c->loop = loop;
	c->ops = ops;
	c->ctx = ctx;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

int vmm_channel_new(struct vmm_loop *loop, int listen_fd, int log_fd,
		    const struct vmm_channel_ops *ops, void *ctx, struct vmm_channel **ret)
{
	_cleanup_close_ int listener = listen_fd, log = log_fd;
	struct vmm_channel *c = make_channel(loop, ops, ctx);
	int r = 0;

	if (!c)
		return -ENOMEM;
	c->log_fd = TAKE_FD(log);
	c->client = (struct vmm_watch){ -1, 0, on_client, c };
	c->listener = (struct vmm_watch){ -1, EPOLLIN, on_connect, c };
	if (listener >= 0) {
		c->listener.fd = listener;
		r = vmm_loop_add(loop, &c->listener);
	}
	if (r < 0) {
		c->listener.fd = -1;
		vmm_channel_free(c);
		return r;
	}
	TAKE_FD(listener);
	*ret = c;
	return 0;
}

static void close_watch(struct vmm_channel *c, struct vmm_watch *w)
{
	if (w->fd < 0)
		return;
	vmm_loop_remove(c->loop, w);
	close(w->fd);
}

void vmm_channel_free(struct vmm_channel *c)
{
	close_watch(c, &c->client);
	close_watch(c, &c->listener);
	flush_log_locked(c);
	if (c->log_fd >= 0)
		close(c->log_fd);
	pthread_mutex_destroy(&c->lock);
	free(c->out);
	free(c);
}
