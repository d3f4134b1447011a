// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtio-serial channel: one JSON request per line in, one JSON report per line out. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define PORT_NAME "org.carve.guest"
#define PORT_DIR "sys/class/virtio-ports"
#define IDLE_MS 50
#define WRITE_MS 10000

/* What has arrived of a line; is_overlong: more came than a line may have, dropped up to its end. */
struct line {
	char *text;
	size_t used;
	bool is_overlong;
};

static int open_port(const struct guest *g)
{
	_cleanup_names_ struct guest_names names = {};
	char name[64];

	(void)guest_list(g, &names, "vport", PORT_DIR);
	for (size_t i = 0; i < names.count; i++)
		if (guest_read_text(g, name, sizeof(name), PORT_DIR "/%s/name", names.names[i]) >=
			    0 &&
		    strcmp(name, PORT_NAME) == 0)
			return guest_open(g, O_RDWR | O_NONBLOCK, "dev/%s", names.names[i]);
	return -ENODEV;
}

static int wait_port(const struct guest *g)
{
	int fd;

	while ((fd = open_port(g)) < 0)
		guest_sleep_ms(IDLE_MS);
	return fd;
}

/* Waits until the port takes data; a host that hung up or does not read ends the attempt. */
static int wait_writable(int fd, uint64_t deadline_us)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	while (guest_now_us() < deadline_us) {
		if (poll(&poll_fd, 1, IDLE_MS) < 0 && errno != EINTR)
			return -errno;
		if (poll_fd.revents & POLLHUP)
			return -EPIPE;
		if (poll_fd.revents & POLLOUT)
			return 0;
	}
	return -ETIMEDOUT;
}

static int write_all(int fd, const char *data, size_t length)
{
	uint64_t deadline_us = guest_now_us() + WRITE_MS * 1000ULL;

	while (length) {
		ssize_t n;
		int ret = wait_writable(fd, deadline_us);

		if (ret < 0)
			return ret;
		n = write(fd, data, length);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			length -= n;
			deadline_us = guest_now_us() + WRITE_MS * 1000ULL;
		}
	}
	return 0;
}

static int answer(const struct guest *g, int fd, const char *text, size_t length)
{
	_cleanup_free_ char *report = guest_answer(g, text, length);
	int ret;

	if (!report)
		return -ENOMEM;
	ret = write_all(fd, report, strlen(report));
	return ret < 0 ? ret : write_all(fd, "\n", 1);
}

/* The end of a line has come. A report that cannot be delivered is not kept: the host asks again. */
static void end_line(const struct guest *g, int fd, struct line *line,
		     void (*answered)(const struct guest *g))
{
	int ret = 0;

	if (line->is_overlong)
		ret = answer(g, fd, NULL, 0);
	else if (line->used)
		ret = answer(g, fd, line->text, line->used);
	if (ret == 0 && (line->used || line->is_overlong))
		answered(g);
	line->used = 0;
	line->is_overlong = false;
}

static void take_bytes(const struct guest *g, int fd, struct line *line, const char *data,
		       size_t length, void (*answered)(const struct guest *g))
{
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n')
			end_line(g, fd, line, answered);
		else if (line->used == GUEST_LINE_MAX)
			line->is_overlong = true;
		else
			line->text[line->used++] = data[i];
	}
}

/* A read of 0 or POLLHUP: nobody is connected on the host side. */
static int serve_once(const struct guest *g, int fd, struct line *line,
		      void (*answered)(const struct guest *g))
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char data[4096];
	ssize_t n = 0;

	if (poll(&poll_fd, 1, -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (poll_fd.revents & POLLIN)
		n = read(fd, data, sizeof(data));
	if (n > 0) {
		take_bytes(g, fd, line, data, n, answered);
		return 0;
	}
	if (n == 0 || (poll_fd.revents & POLLHUP)) {
		line->used = 0;
		line->is_overlong = false;
	}
	guest_sleep_ms(IDLE_MS);
	return poll_fd.revents & (POLLNVAL | POLLERR) ? -ENODEV : 0;
}

int guest_serve(const struct guest *g, void (*ready)(void), void (*answered)(const struct guest *g))
{
	_cleanup_free_ char *text = malloc(GUEST_LINE_MAX);
	_cleanup_close_ int fd = wait_port(g);
	struct line line = { .text = text };
	int ret;

	if (!text)
		return -ENOMEM;
	ready();
	do
		ret = serve_once(g, fd, &line, answered);
	while (ret == 0);
	return ret;
}
