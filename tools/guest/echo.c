// SPDX-License-Identifier: GPL-2.0-or-later
/* tcp-echo and vsock-echo: a stream with the other side, which sends back what comes; either side may be
 * the one that connects. Every byte is compared where the question was asked. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/vm_sockets.h>

#include "tools/guest/guest.h"

#define BYTES_MAX (64ULL << 20)
#define CHUNK 65536
#define RETRY_MS 200
#define TIMEOUT_MS 30000

/**
 * struct stream - where it leads
 * @address: of the peer, or with @is_server the own one
 */
struct stream {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_vm vm;
	} address;
	socklen_t length;
	bool is_server;
	uint64_t bytes, seed, deadline_us;
};

/* ---- arguments ---- */

static int read_common(const json_t *test, struct stream *s, uint64_t *port,
		       struct guest_result *result)
{
	const char *role = json_string_value(json_object_get(test, "role"));
	uint64_t timeout_ms;

	if (role && strcmp(role, "client") != 0 && strcmp(role, "server") != 0)
		return guest_fail(result, -EINVAL, "role must be client or server");
	s->is_server = role && role[0] == 's';
	if (guest_arg_uint(test, "port", 0, UINT32_MAX, port) < 0 || !*port)
		return guest_fail(result, -EINVAL, "port must be a number above 0");
	if (guest_arg_uint(test, "bytes", 1048576, BYTES_MAX, &s->bytes) < 0 || !s->bytes ||
	    s->bytes % 8)
		return guest_fail(result, -EINVAL, "bytes must be a multiple of 8, up to 64 MiB");
	if (guest_arg_uint(test, "seed", 0, UINT32_MAX, &s->seed) < 0 ||
	    guest_arg_uint(test, "timeout_ms", TIMEOUT_MS, 600000, &timeout_ms) < 0)
		return guest_fail(result, -EINVAL, "seed or timeout_ms is no number");
	s->deadline_us = guest_now_us() + timeout_ms * 1000;
	return 0;
}

static int read_tcp(const json_t *test, struct stream *s, struct guest_result *result)
{
	const char *peer = json_string_value(json_object_get(test, "peer"));
	uint64_t port = 0;
	int ret = read_common(test, s, &port, result);

	if (ret < 0)
		return ret;
	s->address.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	s->length = sizeof(s->address.in);
	if (port > UINT16_MAX ||
	    (!s->is_server && (!peer || inet_pton(AF_INET, peer, &s->address.in.sin_addr) != 1)))
		return guest_fail(result, -EINVAL,
				  "peer must be an IPv4 address, port below 65536");
	return 0;
}

static int read_vsock(const json_t *test, struct stream *s, struct guest_result *result)
{
	uint64_t port = 0;
	int ret = read_common(test, s, &port, result);

	if (ret < 0)
		return ret;
	s->address.vm = (struct sockaddr_vm){
		.svm_family = AF_VSOCK,
		.svm_port = port,
		.svm_cid = s->is_server ? VMADDR_CID_ANY : VMADDR_CID_HOST,
	};
	s->length = sizeof(s->address.vm);
	return 0;
}

/* ---- the stream ---- */

static int left_ms(const struct stream *s)
{
	uint64_t now = guest_now_us();

	return now < s->deadline_us ? (int)((s->deadline_us - now) / 1000 + 1) : 0;
}

static int try_connect(const struct stream *s)
{
	_cleanup_close_ int fd = socket(s->address.any.sa_family,
					SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0, taken;

	if (fd < 0)
		return -errno;
	if (connect(fd, &s->address.any, s->length) < 0 && errno != EINPROGRESS)
		return -errno;
	if (poll(&p, 1, left_ms(s)) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
		return error ? -error : -errno;
	taken = fd;
	fd = -1;
	return taken;
}

/* The other side may not be there yet. */
static int connect_in_time(const struct stream *s)
{
	int fd = try_connect(s);

	while (fd < 0 && left_ms(s) > 0) {
		guest_sleep_ms(RETRY_MS);
		fd = try_connect(s);
	}
	return fd;
}

static int accept_in_time(const struct stream *s)
{
	_cleanup_close_ int fd = socket(s->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);
	int one = 1, ret;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &s->address.any, s->length) < 0 || listen(fd, 1) < 0)
		return -errno;
	if (poll(&p, 1, left_ms(s)) <= 0)
		return -ETIMEDOUT;
	ret = accept4(fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return ret < 0 ? -errno : ret;
}

/** struct flow - both directions of a client, @sent and @got bytes of the pattern */
struct flow {
	const struct stream *s;
	int fd;
	uint64_t sent, got;
};

/* Each 8-byte little-endian word is its byte offset plus the seed. */
static uint8_t pattern_at(const struct stream *s, uint64_t offset)
{
	return ((offset & ~7ULL) + s->seed) >> (offset & 7) * 8;
}

static int send_some(struct flow *f)
{
	static uint8_t chunk[CHUNK];
	uint64_t left = f->s->bytes - f->sent;
	size_t want = left < sizeof(chunk) ? left : sizeof(chunk);
	ssize_t n;

	for (size_t i = 0; i < want; i++)
		chunk[i] = pattern_at(f->s, f->sent + i);
	n = send(f->fd, chunk, want, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	f->sent += n;
	return 0;
}

static int receive_some(struct flow *f)
{
	static uint8_t chunk[CHUNK];
	ssize_t n = recv(f->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	for (ssize_t i = 0; i < n; i++)
		if (f->got + i >= f->sent || chunk[i] != pattern_at(f->s, f->got + i))
			return -EILSEQ;
	f->got += n;
	return 0;
}

static int exchange(struct flow *f)
{
	int ret = 0;

	while (ret == 0 && f->got < f->s->bytes) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };

		if (f->sent < f->s->bytes)
			p.events |= POLLOUT;
		if (poll(&p, 1, left_ms(f->s)) <= 0)
			return -ETIMEDOUT;
		if (p.revents & POLLOUT)
			ret = send_some(f);
		if (ret == 0 && p.revents & (POLLIN | POLLHUP | POLLERR))
			ret = receive_some(f);
	}
	return ret;
}

/* Sends back what comes until the other side ends. */
static int serve(struct flow *f)
{
	static uint8_t chunk[CHUNK];

	for (;;) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };
		ssize_t n, done = 0;

		if (poll(&p, 1, left_ms(f->s)) <= 0)
			return -ETIMEDOUT;
		n = recv(f->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n <= 0)
			return n == 0 ? 0 : -errno;
		f->got += n;
		while (done < n) {
			ssize_t m = send(f->fd, chunk + done, n - done,
					 MSG_NOSIGNAL | MSG_DONTWAIT);

			p.events = POLLOUT;
			if (m < 0 && (errno != EAGAIN || poll(&p, 1, left_ms(f->s)) <= 0))
				return -errno;
			done += m > 0 ? m : 0;
		}
		f->sent += done;
	}
}

static int fail_exchange(const struct flow *f, int ret, struct guest_result *result)
{
	if (ret == -EILSEQ)
		return guest_fail(result, -EBADMSG,
				  "byte %" PRIu64 " or one behind it came back "
				  "different",
				  f->got);
	return guest_fail(result, ret, "%" PRIu64 " bytes sent, %" PRIu64 " received", f->sent,
			  f->got);
}

static int talk(const struct stream *s, struct guest_result *result)
{
	_cleanup_close_ int fd = s->is_server ? accept_in_time(s) : connect_in_time(s);
	struct flow f = { .s = s, .fd = fd };
	int ret;

	if (fd < 0)
		return guest_fail(result, fd, s->is_server ? "nobody connected" : "cannot connect");
	ret = s->is_server ? serve(&f) : exchange(&f);
	json_object_set_new(result->json, "sent", json_integer(f.sent));
	json_object_set_new(result->json, "received", json_integer(f.got));
	if (ret < 0)
		return fail_exchange(&f, ret, result);
	if (f.got == 0)
		return guest_fail(result, -EBADMSG, "the other side sent nothing");
	return guest_say(result, "%" PRIu64 " bytes came back as they were sent", f.got);
}

int guest_test_tcp_echo(const struct guest *g, const json_t *test, struct guest_result *result)
{
	const char *bdf = json_string_value(json_object_get(test, "bdf"));
	const char *address = json_string_value(json_object_get(test, "address"));
	bool is_kept = json_is_true(json_object_get(test, "keep")), was_up;
	char name[IFNAMSIZ];
	struct stream s;
	int ret;

	ret = read_tcp(test, &s, result);
	if (ret < 0)
		return ret;
	ret = guest_net_wait(g, bdf, s.deadline_us, name, sizeof(name), &was_up, result);
	if (ret < 0)
		return ret;
	json_object_set_new(result->json, "net", json_string(name));
	ret = guest_net_address(name, address);
	if (ret < 0)
		return guest_fail(result, ret, "cannot give %s its address", name);
	ret = talk(&s, result);
	if (!was_up && !is_kept)
		(void)guest_net_down(name);
	return ret;
}

int guest_test_vsock_echo(const struct guest *g, const json_t *test, struct guest_result *result)
{
	struct stream s;
	int ret;

	(void)g;
	ret = read_vsock(test, &s, result);
	return ret < 0 ? ret : talk(&s, result);
}
