// SPDX-License-Identifier: GPL-2.0-or-later
/* The relay between a person and a guest's console: raw bytes, and one byte that ends it. */
#include "vmm/console.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/stream.h"

#define CHUNK 4096
#define CONNECT_MS 1000

/**
 * struct relay - one attached console
 * @pending:  typed and not taken by the guest yet
 * @is_over:  nothing more comes from @in_fd
 */
struct relay {
	int sock_fd, in_fd, out_fd;
	int escape;
	bool is_terminal;
	bool is_over;
	char pending[CHUNK];
	size_t n_pending;
};

int vmm_console_open(const char *path, int *ret_fd, struct cv_error *err)
{
	struct vmm_stream s = VMM_STREAM_INIT;
	int r = vmm_stream_connect(&s, path, CHUNK, vmm_clock_end(CONNECT_MS));

	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot reach the console");
	*ret_fd = s.fd;
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			if (poll(&p, 1, -1) < 0)
				return -errno;
			continue;
		}
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Guest to person. Return: 1 when the console was closed. */
static int relay_output(struct relay *c)
{
	char buf[CHUNK];
	ssize_t n = recv(c->sock_fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return 1;
	return n < 0 ? -errno : write_all(c->out_fd, buf, (size_t)n);
}

/* A terminal is always read, for the escape byte; a file or pipe only when there is room. */
static bool is_reading(const struct relay *c)
{
	return !c->is_over && (c->is_terminal || c->n_pending < sizeof(c->pending));
}

/* Person to buffer. */
static int read_input(struct relay *c)
{
	char buf[CHUNK];
	size_t room = sizeof(c->pending) - c->n_pending;
	ssize_t n = read(c->in_fd, buf, c->is_terminal ? sizeof(buf) : room);
	const char *escape = NULL;
	size_t len;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	len = (size_t)n;
	if (c->escape >= 0)
		escape = memchr(buf, c->escape, len);
	if (escape)
		len = (size_t)(escape - buf);
	if (escape || n == 0)
		c->is_over = true;
	if (escape) /* whoever typed it does not wait for the guest */
		c->is_terminal = true;
	if (len > room)
		len = room;
	memcpy(c->pending + c->n_pending, buf, len);
	c->n_pending += len;
	return 0;
}

/* Buffer to guest. Return: 1 when the console was closed. */
static int send_pending(struct relay *c)
{
	ssize_t n = send(c->sock_fd, c->pending, c->n_pending, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
		return 1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->n_pending -= (size_t)n;
	memmove(c->pending, c->pending + n, c->n_pending);
	return 0;
}

static int relay_once(struct relay *c)
{
	struct pollfd p[] = {
		{ .fd = c->sock_fd, .events = POLLIN | (c->n_pending > 0 ? POLLOUT : 0) },
		{ .fd = is_reading(c) ? c->in_fd : -1, .events = POLLIN },
	};
	int r = 0;

	if (poll(p, CV_ARRAY_SIZE(p), -1) < 0)
		return -errno;
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
		r = relay_output(c);
	if (r == 0 && p[1].revents)
		r = read_input(c);
	if (r == 0 && c->n_pending > 0)
		r = send_pending(c);
	return r;
}

int vmm_console_attach(int sock_fd, int in_fd, int out_fd, int escape)
{
	struct relay c = {
		.sock_fd = sock_fd,
		.in_fd = in_fd,
		.out_fd = out_fd,
		.escape = escape,
		.is_terminal = isatty(in_fd) == 1,
	};
	int r;

	do
		r = relay_once(&c);
	while (r == 0 && !(c.is_over && (c.is_terminal || c.n_pending == 0)));
	return r;
}
