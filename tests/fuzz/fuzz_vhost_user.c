// SPDX-License-Identifier: GPL-2.0-or-later
/* A hostile vhost-user back end: all it ever answers is there before it is asked, then it hangs up.
 * Whatever it is, calls end with an error of the list, and once one has ended the connection all do. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/dev/vhost_user.h"

#define CALLS 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

/** struct input - what is left of it */
struct input {
	const uint8_t *data;
	size_t size;
};

static uint64_t take(struct input *in, size_t len)
{
	uint64_t value = 0;

	len = len < in->size ? len : in->size;
	memcpy(&value, in->data, len);
	in->data += len;
	in->size -= len;
	return value;
}

/* ---- the back end ---- */

static void put(int fd, const void *data, size_t len, bool has_fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))] = "";
	struct iovec part = { (void *)data, len };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *c = (struct cmsghdr *)(void *)control;

	if (has_fd) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	(void)sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Mostly proper: without it few answers get past the first check. */
static void put_answer(int fd, struct input *in)
{
	struct vhost_user_header h = { .flags = VHOST_USER_VERSION | VHOST_USER_IS_REPLY,
				       .size = 8 };
	uint8_t how = (uint8_t)take(in, 1);
	uint64_t value;

	h.request = (uint32_t)take(in, 1);
	if (how & 1)
		h.flags = (uint32_t)take(in, 4);
	if (how & 2)
		h.size = (uint32_t)take(in, 4);
	value = take(in, how & 4 ? 8 : 1);
	if (how & 8)
		value |= VHOST_USER_F_PROTOCOL;
	put(fd, &h, how & 16 ? how % sizeof(h) + 1 : sizeof(h), how & 32);
	put(fd, &value, sizeof(value), how & 64);
}

static void fill(int fd, struct input *in)
{
	size_t answers = take(in, 1) % 32;

	for (size_t i = 0; i < answers && in->size > 0; i++)
		put_answer(fd, in);
	if (in->size > 0)
		put(fd, in->data, in->size, false);
	(void)shutdown(fd, SHUT_WR);
}

/* ---- the front end ---- */

static bool is_over(int r)
{
	return r == -EPROTO || r == -ECONNRESET || r == -ETIMEDOUT;
}

static int call(struct vmm_vhost *h, unsigned int which, const struct vmm_memory *m)
{
	const struct vmm_virtio_ring ring = {
		.size = 8, .avail = 0x100, .used = 0x200, .kick_fd = h->fd, .call_fd = h->fd
	};
	uint64_t features = 0;
	uint8_t config[VHOST_USER_CONFIG_MAX];
	uint16_t next;
	int r;

	switch (which) {
	case 0:
		r = h->ops->features(h, &features);
		need(r < 0 || !(features & VHOST_USER_F_PROTOCOL));
		return r;
	case 1:
		return h->ops->set_features(h, 1);
	case 2:
		return h->ops->set_memory(h, m);
	case 3:
		return h->ops->set_ring(h, 1, &ring);
	case 4:
		return h->ops->stop_ring(h, 1, &next);
	case 5:
		r = vmm_vhost_user_config(h, config, sizeof(config));
		return r == -EOPNOTSUPP ? -EINVAL : r;
	default:
		r = vmm_vhost_user_queues(h);
		need(r < 0 || (r >= 1 && r <= VHOST_USER_QUEUES_MAX));
		return r;
	}
}

static void use(struct vmm_vhost *h, uint32_t calls, const struct vmm_memory *m)
{
	const struct vhost_user *u = (const struct vhost_user *)(const void *)h;

	for (unsigned int i = 0; i < CALLS; i++, calls >>= 3) {
		int before = atomic_load(&u->broken), r = call(h, calls & 7, m);

		need(r >= 0 || is_over(r) || r == -EREMOTEIO || r == -EINVAL);
		need(before == 0 || r == before || r == -EINVAL || (!u->has_mq && r == 1));
	}
}

static unsigned int gone;

static void on_gone(void *ctx)
{
	gone++;
}

static void stop(void *ctx)
{
	vmm_loop_stop(ctx, 0);
}

/* Descriptors that came with answers are closed: the next one has the number that the first one had. */
static int next_fd(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), number = fd;

	close(fd);
	return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t bytes[0x1000];
	static struct vmm_ram ram = { 0, sizeof(bytes), bytes, 0, STDERR_FILENO, 0 };
	const struct vmm_memory memory = { .rams = &ram, .n = 1 };
	struct input in = { data, size };
	uint32_t calls = (uint32_t)take(&in, 3);
	struct vmm_vhost *h = NULL;
	struct vmm_loop *loop;
	int fds[2], before = next_fd();

	gone = 0;
	need(vmm_loop_new(&loop) == 0);
	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	fill(fds[1], &in);
	if (vhost_user_new("fuzz", fds[0], 1000, loop, on_gone, NULL, &h, NULL) == 0) {
		use(h, calls, &memory);
		need(vmm_loop_defer(loop, stop, loop) == 0 && vmm_loop_run(loop) == 0);
		need(gone == 1);
		h->ops->free(h);
	}
	close(fds[1]);
	vmm_loop_free(loop);
	need(next_fd() == before);
	return 0;
}
