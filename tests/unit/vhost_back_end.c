// SPDX-License-Identifier: GPL-2.0-or-later
#include "vhost_back_end.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MANY_FDS 40

/** struct message - one as it came */
struct message {
	struct vhost_user_header h;
	union {
		uint64_t u64;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct vhost_user_memory memory;
		struct vhost_user_config config;
	} p;
	int fds[VHOST_USER_FDS_MAX];
	size_t n_fds;
};

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* ---- the socket ---- */

static void take_fds(struct message *m, struct msghdr *h)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	if (!c)
		return;
	m->n_fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	need(m->n_fds <= VHOST_USER_FDS_MAX);
	memcpy(m->fds, CMSG_DATA(c), m->n_fds * sizeof(int));
}

static bool receive(int fd, struct message *m)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(m->fds))];
	struct iovec part = { &m->h, sizeof(m->h) };
	struct msghdr h = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	memset(m, 0, sizeof(*m));
	if (recvmsg(fd, &h, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(m->h))
		return false;
	take_fds(m, &h);
	need(m->h.size <= sizeof(m->p));
	return m->h.size == 0 || recv(fd, &m->p, m->h.size, MSG_WAITALL) == (ssize_t)m->h.size;
}

static void send_all(int fd, const void *data, size_t len)
{
	(void)send(fd, data, len, MSG_NOSIGNAL);
}

static void send_with_fds(int fd, const void *data, size_t len, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MANY_FDS * sizeof(int))] = "";
	struct iovec part = { (void *)data, len };
	struct msghdr h = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(fd), &fd, sizeof(fd));
	need(sendmsg(fd, &h, MSG_NOSIGNAL) == (ssize_t)len);
}

void vb_hang_up(struct vb_back_end *b)
{
	(void)shutdown(b->fd, SHUT_RDWR);
}

/* ---- answers ---- */

static void answer_wrongly(struct vb_back_end *b, struct vhost_user_header h, enum vb_fault fault)
{
	switch (fault) {
	case VB_SHORT:
		h.size = 4;
		break;
	case VB_HUGE:
		h.size = UINT32_MAX;
		break;
	case VB_OTHER:
		h.request++;
		break;
	case VB_NO_REPLY:
		h.flags = VHOST_USER_VERSION;
		break;
	case VB_VERSION:
		h.flags = VHOST_USER_IS_REPLY | 2;
		break;
	case VB_FD:
	case VB_MANY_FDS:
		return send_with_fds(b->fd, &h, sizeof(h), fault == VB_FD ? 1 : MANY_FDS);
	case VB_HALF:
		return send_all(b->fd, &h, sizeof(h) / 2);
	case VB_HANG_UP:
		return vb_hang_up(b);
	default: /* VB_SILENT */
		return;
	}
	send_all(b->fd, &h, sizeof(h));
	send_all(b->fd, &(uint64_t){ 0 }, 8);
}

static void answer(struct vb_back_end *b, const struct message *m, const void *data, uint32_t len)
{
	struct vhost_user_header h = { m->h.request, VHOST_USER_VERSION | VHOST_USER_IS_REPLY,
				       len };
	uint64_t no = 22;

	if (b->fault == VB_REFUSE && b->fault_at == m->h.request)
		data = &no;
	else if (b->fault != VB_NONE && b->fault_at == m->h.request)
		return answer_wrongly(b, h, b->fault);
	send_all(b->fd, &h, sizeof(h));
	send_all(b->fd, data, len);
}

/* ---- requests ---- */

static void keep_memory(struct vb_back_end *b, const struct message *m)
{
	b->memory = m->p.memory;
	for (size_t i = 0; i < b->n_memory_fds; i++)
		close(b->memory_fds[i]);
	memcpy(b->memory_fds, m->fds, sizeof(m->fds));
	b->n_memory_fds = m->n_fds;
}

static void keep_fd(const struct message *m, int *fd)
{
	need(m->n_fds == 1);
	cv_cleanup_close(fd);
	*fd = m->fds[0];
}

/* Those that are told a ring. */
static void keep_ring(struct vb_back_end *b, const struct message *m)
{
	struct vb_ring *r = &b->rings[m->p.state.index % VB_RINGS];

	switch (m->h.request) {
	case VHOST_USER_SET_VRING_NUM:
		r->num = m->p.state.num;
		break;
	case VHOST_USER_SET_VRING_BASE:
		r->base = m->p.state.num;
		break;
	case VHOST_USER_SET_VRING_ENABLE:
		r->enable = m->p.state.num;
		break;
	case VHOST_USER_SET_VRING_ADDR:
		r->addr = m->p.addr;
		break;
	case VHOST_USER_SET_VRING_KICK:
		keep_fd(m, &r->kick);
		break;
	case VHOST_USER_SET_VRING_CALL:
		keep_fd(m, &r->call);
		break;
	default:
		break;
	}
}

static void keep(struct vb_back_end *b, const struct message *m)
{
	if (m->h.request == VHOST_USER_SET_FEATURES)
		b->set_features = m->p.u64;
	else if (m->h.request == VHOST_USER_SET_PROTOCOL_FEATURES)
		b->set_protocol = m->p.u64;
	else if (m->h.request == VHOST_USER_SET_MEM_TABLE)
		keep_memory(b, m);
	else
		keep_ring(b, m);
	if (m->h.flags & VHOST_USER_NEED_REPLY)
		answer(b, m, &(uint64_t){ 0 }, 8);
}

static void answer_config(struct vb_back_end *b, const struct message *m)
{
	struct vhost_user_config c = m->p.config;

	need(c.offset + c.size <= sizeof(b->config));
	memcpy(c.data, b->config + c.offset, c.size);
	answer(b, m, &c, m->h.size);
}

static void serve(struct vb_back_end *b, const struct message *m)
{
	struct vhost_vring_state s = { m->p.state.index + b->stop_index, b->stop_num };

	switch (m->h.request) {
	case VHOST_USER_GET_FEATURES:
		return answer(b, m, &b->features, 8);
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return answer(b, m, &b->protocol, 8);
	case VHOST_USER_GET_QUEUE_NUM:
		return answer(b, m, &b->queues, 8);
	case VHOST_USER_GET_VRING_BASE:
		return answer(b, m, &s, sizeof(s));
	case VHOST_USER_GET_CONFIG:
		return answer_config(b, m);
	default:
		return keep(b, m);
	}
}

static void *run(void *ctx)
{
	struct vb_back_end *b = ctx;
	struct message m;

	while (receive(b->fd, &m)) {
		need(b->n_requests < VB_REQUESTS && (m.h.flags & 3) == VHOST_USER_VERSION);
		b->requests[b->n_requests++] = m.h.request;
		serve(b, &m);
	}
	return NULL;
}

int vb_start(struct vb_back_end *b)
{
	int fds[2];

	for (size_t i = 0; i < VB_RINGS; i++)
		b->rings[i].kick = b->rings[i].call = -1;
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	b->fd = fds[1];
	need(pthread_create(&b->thread, NULL, run, b) == 0);
	return fds[0];
}

void vb_join(struct vb_back_end *b)
{
	pthread_join(b->thread, NULL);
	close(b->fd);
	for (size_t i = 0; i < b->n_memory_fds; i++)
		close(b->memory_fds[i]);
	for (size_t i = 0; i < VB_RINGS; i++) {
		cv_cleanup_close(&b->rings[i].kick);
		cv_cleanup_close(&b->rings[i].call);
	}
}
