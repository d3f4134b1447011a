// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames carried by the VMM itself, over a stream socket (passt): the event loop takes them from the
 * queues and gives them to it. It never waits: what the guest has no buffer for stays in the socket, what
 * the socket does not take stays in the queue. Without a driver frames are dropped. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "vmm/dev/virtio_net.h"

#define TO_GUEST 0
#define FROM_GUEST 1
#define PREFIX sizeof(uint32_t)
#define FRAME_MIN 14 /* an Ethernet header */
#define FRAME_MAX 65535
#define BUFFER (2 * (PREFIX + FRAME_MAX))

/** struct put - a frame on its way into buffers: @n of them hold @at bytes of it; the header is in the first */
struct put {
	struct vmm_chain first, next;
	struct vmm_written all[VMM_QUEUE_SIZE_MAX];
	unsigned int n;
	size_t at;
};

/**
 * struct stream - used in the loop's thread, but for reset
 * @is_active:  a driver takes frames
 * @is_held:    the first frame of @in waits for a buffer
 * @is_stalled: the guest's next frame waits for room in @out
 * @in, @out:   [at, len) of each waits; @in begins with a prefix
 */
struct stream {
	struct vnet *n;
	struct vmm_loop *loop;
	struct vmm_watch watch;
	bool is_up, is_active, is_held, is_stalled;
	size_t in_at, in_len, out_at, out_len;
	struct put put;
	uint8_t in[BUFFER], out[BUFFER];
};

/* ---- the socket; the device is locked ---- */

/* What is on its way is dropped. */
static void hang_up(struct stream *s, const char *why)
{
	if (!s->is_up)
		return;
	vmm_loop_suspend(s->loop, &s->watch);
	s->is_up = s->is_held = s->is_stalled = false;
	s->in_at = s->in_len = s->out_at = s->out_len = 0;
	vmm_log_of(&s->n->log, "%s: no link any more: %s", s->n->id, why);
	vnet_set_link(s->n, false);
}

static void update_watch(struct stream *s)
{
	uint32_t events = (s->is_held ? 0 : (uint32_t)EPOLLIN) |
			  (s->out_at < s->out_len ? (uint32_t)EPOLLOUT : 0);

	if (s->is_up && events != s->watch.events &&
	    vmm_loop_change(s->loop, &s->watch, events) < 0)
		vmm_log_of(&s->n->log, "%s: the socket cannot be watched", s->n->id);
}

static void compact(uint8_t *data, size_t *at, size_t *len)
{
	memmove(data, data + *at, *len - *at);
	*len -= *at;
	*at = 0;
}

static void flush(struct stream *s)
{
	ssize_t n = 1;

	while (s->is_up && n > 0 && s->out_at < s->out_len) {
		n = send(s->watch.fd, s->out + s->out_at, s->out_len - s->out_at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			s->out_at += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			hang_up(s, strerror(errno));
	}
	compact(s->out, &s->out_at, &s->out_len);
}

/* ---- from the guest ---- */

static bool has_room(struct stream *s, size_t len)
{
	if (BUFFER - s->out_len < PREFIX + len)
		flush(s);
	return BUFFER - s->out_len >= PREFIX + len;
}

/* What is no frame, or has nowhere to go, is dropped. */
static int take_frame(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *c)
{
	struct stream *s = ((struct vnet *)(void *)((char *)v - offsetof(struct vnet, v)))->side;
	size_t len = c->out_len > VNET_HEADER ? c->out_len - VNET_HEADER : 0;
	uint32_t prefix = htonl((uint32_t)len);

	if (len < FRAME_MIN || len > FRAME_MAX)
		return 0;
	if (s->is_up && !has_room(s, len)) {
		s->is_stalled = true;
		return -EAGAIN;
	}
	if (!s->is_up)
		return 0;
	memcpy(s->out + s->out_len, &prefix, PREFIX);
	vmm_chain_read(c, VNET_HEADER, s->out + s->out_len + PREFIX, len);
	s->out_len += PREFIX + len;
	return 0;
}

static void take_frames(struct stream *s)
{
	s->is_stalled = false;
	vmm_virtio_serve(&s->n->v, FROM_GUEST, take_frame);
	flush(s);
}

/* ---- to the guest ---- */

/* Return: 1: given; 0: no buffer; -EPROTO. */
static int pop_buffer(struct vmm_queue *q, struct vmm_chain *c)
{
	int r = vmm_queue_pop(q, c);

	if (r == 0 && vmm_queue_want_kick(q, true))
		r = vmm_queue_pop(q, c);
	return r;
}

/* Into the buffer that was popped last. Return: 1; 0: it has no place for the header. */
static int put_part(struct put *p, const uint8_t *frame, size_t len)
{
	const struct vmm_chain *c = p->n == 0 ? &p->first : &p->next;
	size_t skip = p->n == 0 ? VNET_HEADER : 0, part;

	if (c->in_len < skip)
		return 0;
	part = vmm_chain_write(c, skip, frame + p->at, len - p->at);
	p->at += part;
	p->all[p->n++] = (struct vmm_written){ c->head, (uint32_t)(skip + part) };
	return 1;
}

/* Without VIRTIO_NET_F_MRG_RXBUF into one buffer (section 5.1.6.3.2). Return: as give_frame(). */
static int put_frame(struct stream *s, struct put *p, const uint8_t *frame, size_t len)
{
	struct vmm_queue *q = &s->n->v.queues[TO_GUEST];
	unsigned int most = vnet_has(s->n, VIRTIO_NET_F_MRG_RXBUF) ? q->size : 1;
	int r = 1;

	p->n = 0;
	p->at = 0;
	while (r == 1 && p->at < len && p->n < most) {
		r = pop_buffer(q, p->n == 0 ? &p->first : &p->next);
		if (r == 1 && !put_part(p, frame, len)) {
			vmm_queue_unpop(q);
			return 1;
		}
	}
	return r;
}

/*
 * What the guest could not take with all its buffers is dropped; the buffers are for the next.
 * Return: 1: given, or dropped; 0: it waits for buffers; -EPROTO.
 */
static int give_frame(struct stream *s, const uint8_t *frame, size_t len)
{
	struct virtio_net_hdr_v1 h = { 0 };
	struct vmm_queue *q = &s->n->v.queues[TO_GUEST];
	struct put *p = &s->put;
	int r;

	if (!s->is_active || !q->is_enabled || len < FRAME_MIN)
		return 1;
	r = put_frame(s, p, frame, len);
	if (r == 1 && p->at == len) {
		h.num_buffers = (uint16_t)p->n;
		vmm_chain_write(&p->first, 0, &h, sizeof(h));
		vmm_queue_push_all(q, p->all, p->n);
		return 1;
	}
	for (unsigned int i = 0; i < p->n; i++)
		vmm_queue_unpop(q);
	return r;
}

/* Return: bytes of the frame at the start of what waits; 0: not all of it is there; -EPROTO. */
static int next_frame(const struct stream *s)
{
	size_t there = s->in_len - s->in_at;
	uint32_t len;

	if (there < PREFIX)
		return 0;
	memcpy(&len, s->in + s->in_at, PREFIX);
	len = ntohl(len);
	if (len == 0 || len > FRAME_MAX)
		return -EPROTO;
	return there < PREFIX + len ? 0 : (int)len;
}

static void give_frames(struct stream *s)
{
	int len, r = 1;

	while (r != 0 && (len = next_frame(s)) > 0) {
		r = give_frame(s, s->in + s->in_at + PREFIX, (size_t)len);
		if (r == 1)
			s->in_at += PREFIX + (size_t)len;
		else if (r < 0) /* and takes no more frames */
			vmm_virtio_broken(&s->n->v, "a buffer that breaks the rules");
	}
	s->is_held = r == 0;
	compact(s->in, &s->in_at, &s->in_len);
	if (r != 0 && len < 0)
		hang_up(s, "the other side sends no frames");
	vmm_virtio_notify(&s->n->v, TO_GUEST);
}

static void receive(struct stream *s)
{
	ssize_t n = recv(s->watch.fd, s->in + s->in_len, BUFFER - s->in_len, MSG_DONTWAIT);

	if (n > 0) {
		s->in_len += (size_t)n;
		give_frames(s);
	} else if (n == 0) {
		hang_up(s, "the other side hung up");
	} else if (errno != EAGAIN && errno != EINTR) {
		hang_up(s, strerror(errno));
	}
}

/* ---- events ---- */

static void on_socket(void *ctx, uint32_t events)
{
	struct stream *s = ctx;

	vmm_virtio_lock(&s->n->v);
	if (s->is_up && events & EPOLLIN && !s->is_held)
		receive(s);
	if (s->is_up && events & EPOLLOUT) {
		flush(s);
		if (s->is_stalled)
			take_frames(s);
	}
	if (events & (EPOLLHUP | EPOLLERR) && (s->is_held || !(events & EPOLLIN)))
		hang_up(s, "the other side hung up");
	update_watch(s);
	vmm_virtio_unlock(&s->n->v);
}

static void queue_ready(struct vnet *n, unsigned int queue)
{
	struct stream *s = n->side;

	if (queue == FROM_GUEST)
		take_frames(s);
	else if (s->is_held)
		give_frames(s);
	update_watch(s);
}

static int activate(struct vnet *n)
{
	struct stream *s = n->side;

	s->is_active = true;
	return 0;
}

/* What is half sent, or half received, is finished: else nothing after it is a frame. */
static void reset(struct vnet *n)
{
	struct stream *s = n->side;

	s->is_active = s->is_stalled = false;
	if (s->is_held)
		give_frames(s);
	update_watch(s);
}

static void free_stream(struct vnet *n)
{
	struct stream *s = n->side;

	if (s->is_up)
		vmm_loop_remove(s->loop, &s->watch);
	close(s->watch.fd);
	free(s);
}

static const struct vnet_ops ops = {
	.activate = activate,
	.queue_ready = queue_ready,
	.reset = reset,
	.free = free_stream,
};

int vnet_stream_new(struct vnet *n, struct vmm_loop *loop, int fd, struct cv_error *err)
{
	struct stream *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		close(fd);
		return cv_fail_errno(err, -ENOMEM, n->id, "cannot make it");
	}
	s->n = n;
	s->loop = loop;
	s->watch = (struct vmm_watch){ fd, EPOLLIN, on_socket, s };
	n->side = s;
	n->side_ops = &ops;
	n->pairs = 1;
	n->features = 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	r = vmm_loop_add(loop, &s->watch);
	s->is_up = r == 0;
	return r < 0 ? cv_fail_errno(err, r, n->id, "the socket cannot be watched") : 0;
}
