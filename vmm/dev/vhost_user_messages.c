// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages of the vhost-user protocol: a header, its payload and descriptors go out, what is answered is
 * checked byte for byte. A connection on which something went wrong is not used again: nobody knows what
 * the next answer belongs to. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "base/cleanup.h"
#include "vmm/dev/vhost_user.h"

static const char *const request_names[] = {
	[VHOST_USER_GET_FEATURES] = "GET_FEATURES",
	[VHOST_USER_SET_FEATURES] = "SET_FEATURES",
	[VHOST_USER_SET_OWNER] = "SET_OWNER",
	[VHOST_USER_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[VHOST_USER_SET_VRING_NUM] = "SET_VRING_NUM",
	[VHOST_USER_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VHOST_USER_SET_VRING_BASE] = "SET_VRING_BASE",
	[VHOST_USER_GET_VRING_BASE] = "GET_VRING_BASE",
	[VHOST_USER_SET_VRING_KICK] = "SET_VRING_KICK",
	[VHOST_USER_SET_VRING_CALL] = "SET_VRING_CALL",
	[VHOST_USER_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[VHOST_USER_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[VHOST_USER_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[VHOST_USER_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[VHOST_USER_GET_CONFIG] = "GET_CONFIG",
};

/* ---- time ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void vhost_user_begin(struct vhost_user *u)
{
	u->until_ms = now_ms() + u->answer_ms;
}

/* A signal for the thread is no reason to give up. */
static int wait_for(const struct vhost_user *u, short events)
{
	struct pollfd p = { .fd = u->h.fd, .events = events };
	int n;

	do {
		uint64_t now = now_ms();

		n = poll(&p, 1, now < u->until_ms ? (int)(u->until_ms - now) : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* ---- out ---- */

static void put_fds(struct msghdr *m, void *control, const struct vhost_user_out *out)
{
	struct cmsghdr *c;

	if (out->n_fds == 0)
		return;
	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(out->n_fds * sizeof(int));
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(out->n_fds * sizeof(int));
	memcpy(CMSG_DATA(c), out->fds, out->n_fds * sizeof(int));
}

/* Messages are smaller than what the kernel splits: all of one goes, or nothing. */
static int send_once(const struct vhost_user *u, struct msghdr *m, size_t len)
{
	ssize_t n = sendmsg(u->h.fd, m, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EPIPE ? -ECONNRESET : -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int send_message(const struct vhost_user *u, const struct vhost_user_out *out,
			bool need_reply)
{
	struct vhost_user_header h = {
		.request = out->request,
		.flags = VHOST_USER_VERSION | (need_reply ? VHOST_USER_NEED_REPLY : 0),
		.size = out->size,
	};
	struct iovec parts[] = { { &h, sizeof(h) }, { (void *)out->data, out->size } };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(VHOST_USER_FDS_MAX * sizeof(int))] = "";
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = CV_ARRAY_SIZE(parts) };
	int r;

	put_fds(&m, control, out);
	do {
		r = wait_for(u, POLLOUT);
		r = r ?: send_once(u, &m, sizeof(h) + out->size);
	} while (r == -EAGAIN || r == -EINTR);
	return r;
}

/* ---- in ---- */

/* Descriptors that nobody asked for. Return: how many came. */
static unsigned int close_fds(struct msghdr *m)
{
	unsigned int count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			close(fd);
			count++;
		}
	}
	return count;
}

/* Return: bytes, 0: none yet, -errno. */
static ssize_t receive_some(const struct vhost_user *u, void *data, size_t len)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(VHOST_USER_FDS_MAX * sizeof(int))];
	struct iovec part = { data, len };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(u->h.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (close_fds(&m) > 0 || m.msg_flags & MSG_CTRUNC) {
		vmm_log("%s: the back end sent descriptors that nobody asked for", u->h.name);
		return -EPROTO;
	}
	return n > 0 ? n : -ECONNRESET;
}

static int receive(const struct vhost_user *u, void *data, size_t len)
{
	size_t at = 0;

	while (at < len) {
		int r = wait_for(u, POLLIN);
		ssize_t n = r < 0 ? r : receive_some(u, (char *)data + at, len - at);

		if (n < 0)
			return (int)n;
		at += (size_t)n;
	}
	return 0;
}

static int check_header(const struct vhost_user *u, const struct vhost_user_header *h,
			enum vhost_user_request request, uint32_t len)
{
	const uint32_t flags = VHOST_USER_VERSION | VHOST_USER_IS_REPLY;
	const uint32_t mask = VHOST_USER_VERSION_MASK | VHOST_USER_IS_REPLY;

	if (h->request == request && (h->flags & mask) == flags && h->size == len)
		return 0;
	vmm_log("%s: the back end answered request %u, flags 0x%x, %u bytes; wanted: request %u, "
		"flags 0x%x, %u bytes",
		u->h.name, h->request, h->flags, h->size, request, flags, len);
	return -EPROTO;
}

static int receive_answer(const struct vhost_user *u, enum vhost_user_request request, void *ret,
			  uint32_t len)
{
	struct vhost_user_header h;
	int r = receive(u, &h, sizeof(h));

	r = r ?: check_header(u, &h, request, len);
	return r ?: receive(u, ret, len);
}

/* ---- both ---- */

/* The loop sees the end of the socket, and tells the device. */
int vhost_user_end(struct vhost_user *u, enum vhost_user_request request, int r)
{
	int before = 0;

	if (atomic_compare_exchange_strong(&u->broken, &before, r)) {
		vmm_log("%s: the connection to the back end is over: %s: %s", u->h.name,
			request_names[request], strerror(-r));
		(void)shutdown(u->h.fd, SHUT_RDWR);
	}
	return r;
}

int vhost_user_ask(struct vhost_user *u, const struct vhost_user_out *out, void *ret, uint32_t len)
{
	int r = atomic_load(&u->broken);

	if (r < 0)
		return r;
	r = send_message(u, out, false);
	r = r ?: receive_answer(u, out->request, ret, len);
	return r < 0 ? vhost_user_end(u, out->request, r) : 0;
}

int vhost_user_tell(struct vhost_user *u, const struct vhost_user_out *out)
{
	uint64_t refused = 0;
	int r = atomic_load(&u->broken);

	if (r < 0)
		return r;
	r = send_message(u, out, u->has_ack);
	if (r == 0 && u->has_ack)
		r = receive_answer(u, out->request, &refused, sizeof(refused));
	if (r < 0)
		return vhost_user_end(u, out->request, r);
	if (!refused)
		return 0;
	vmm_log_of(&u->h.log, "%s: the back end refuses %s: %llu", u->h.name,
		   request_names[out->request], (unsigned long long)refused);
	return -EREMOTEIO;
}
