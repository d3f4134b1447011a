// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines over a unix socket, every wait with a deadline. */
#include "vmm/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define RETRY_MS 20
#define FIRST_SIZE 4096
/* A peer that never stops sending ends the wait this long after the deadline. */
#define FLOOD_MS 500

uint64_t vmm_clock_end(unsigned int ms)
{
	return (uint64_t)cv_now_ms() + ms;
}

int vmm_clock_left(uint64_t end)
{
	uint64_t now = (uint64_t)cv_now_ms();

	if (now >= end)
		return 0;
	return end - now > INT_MAX ? INT_MAX : (int)(end - now);
}

void vmm_stream_done(struct vmm_stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->buf);
	*s = (struct vmm_stream)VMM_STREAM_INIT;
}

static int connect_once(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* EAGAIN: the backlog of the listening socket is full. */
static int is_not_yet(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -EAGAIN;
}

int vmm_stream_connect(struct vmm_stream *s, const char *path, size_t max, uint64_t end)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int left, fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	for (;;) {
		left = vmm_clock_left(end);
		fd = connect_once(&addr);
		if (fd >= 0 || !is_not_yet(fd) || left == 0)
			break;
		poll(NULL, 0, left < RETRY_MS ? left : RETRY_MS);
	}
	if (fd < 0)
		return fd;
	vmm_stream_done(s);
	s->fd = fd;
	s->max = max;
	return 0;
}

/* Return: 0 when ready, also for an error that the next call on the socket reports. */
static int wait_ready(int fd, short events, uint64_t end)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, vmm_clock_left(end));

	if (n < 0)
		return -errno;
	return n == 0 ? -ETIMEDOUT : 0;
}

/* Waits through signals: half a line must not stay behind. */
static int wait_writable(int fd, uint64_t end)
{
	int r;

	do
		r = wait_ready(fd, POLLOUT, end);
	while (r == -EINTR);
	return r;
}

int vmm_stream_send(struct vmm_stream *s, const char *text, size_t len, uint64_t end)
{
	while (len > 0) {
		ssize_t n = send(s->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = n < 0 ? -errno : 0;

		if (r == -ECONNRESET)
			return -EPIPE;
		if (r == -EAGAIN)
			r = wait_writable(s->fd, end);
		if (r < 0 && r != -EINTR)
			return r;
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int make_room(struct vmm_stream *s)
{
	size_t limit = s->max + 2; /* CR and LF */
	size_t size = s->size ? s->size * 2 : FIRST_SIZE;
	char *buf;

	if (s->len < s->size)
		return 0;
	if (s->size >= limit)
		return -EMSGSIZE;
	if (size > limit)
		size = limit;
	buf = realloc(s->buf, size);
	if (!buf)
		return -ENOMEM;
	s->buf = buf;
	s->size = size;
	return 0;
}

static int fill(struct vmm_stream *s, uint64_t end)
{
	ssize_t n;
	int r = make_room(s);

	if (r < 0)
		return r;
	if ((uint64_t)cv_now_ms() > end + FLOOD_MS)
		return -ETIMEDOUT;
	r = wait_ready(s->fd, POLLIN, end);
	if (r < 0)
		return r;
	n = recv(s->fd, s->buf + s->len, s->size - s->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	if (n == 0)
		return -EPIPE;
	s->len += (size_t)n;
	return 0;
}

/* Hands out the first @len bytes, and drops them with the newline that follows them. */
static int take_line(struct vmm_stream *s, size_t len, char **ret)
{
	_cleanup_free_ char *line = NULL;
	size_t text = len;

	if (text > 0 && s->buf[text - 1] == '\r')
		text--;
	line = malloc(text + 1);
	if (!line)
		return -ENOMEM;
	memcpy(line, s->buf, text);
	line[text] = '\0';
	s->len -= len + 1;
	s->scanned = 0;
	memmove(s->buf, s->buf + len + 1, s->len);
	if (strlen(line) != text)
		return -EPROTO;
	*ret = TAKE_PTR(line);
	return 0;
}

int vmm_stream_line(struct vmm_stream *s, uint64_t end, char **ret)
{
	for (;;) {
		const char *nl = NULL;
		int r;

		if (s->len > s->scanned)
			nl = memchr(s->buf + s->scanned, '\n', s->len - s->scanned);
		if (nl)
			return take_line(s, (size_t)(nl - s->buf), ret);
		s->scanned = s->len;
		r = fill(s, end);
		if (r < 0)
			return r;
	}
}
