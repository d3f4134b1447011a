// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes to the QMP server: each answer is a line of JSON, and it ends when its client does. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/control/server.h"

#define AGREE "{\"execute\": \"qmp_capabilities\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** struct peer - the client: sends @data, reads all there is, stops the loop when the server hung up */
struct peer {
	struct vmm_loop *loop;
	struct vmm_server *server;
	struct vmm_watch watch;
	struct sockaddr_un addr;
	socklen_t addr_len;
	const uint8_t *data;
	size_t size;
	char *text;
	size_t len;
};

static struct peer peer;

/* ---- the machine: every command does something ---- */

static const char *get_status(void *ctx)
{
	return "running";
}

static void tell(void *ctx)
{
	vmm_server_event(peer.server, "STOP", json_object());
}

static int go_on(void *ctx, struct cv_error *err)
{
	tell(ctx);
	return 0;
}

static size_t get_tids(void *ctx, const pid_t **ret)
{
	static const pid_t tids[] = { 1, 2 };

	*ret = tids;
	return CV_ARRAY_SIZE(tids);
}

static json_t *get_stats(void *ctx)
{
	return NULL;
}

static const struct vmm_control_ops ops = {
	.status = get_status,
	.cont = go_on,
	.stop = tell,
	.quit = tell,
	.reset = tell,
	.powerdown = tell,
	.vcpu_tids = get_tids,
	.stats = get_stats,
};

/* An address without a name in a file system. */
static void start(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	peer.addr.sun_family = AF_UNIX;
	peer.addr_len = sizeof(peer.addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&peer.addr, sizeof(sa_family_t)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&peer.addr, &peer.addr_len) < 0 ||
	    listen(fd, 4) < 0 || vmm_loop_new(&peer.loop) < 0 ||
	    vmm_server_new(peer.loop, "fuzz", &fd, 1, &ops, NULL, &peer.server, NULL) < 0)
		abort();
}

/* ---- the client ---- */

static void receive(void)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(peer.watch.fd, buf, sizeof(buf), 0)) > 0) {
		peer.text = realloc(peer.text, peer.len + (size_t)n + 1);
		if (!peer.text)
			abort();
		memcpy(peer.text + peer.len, buf, (size_t)n);
		peer.len += (size_t)n;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		vmm_loop_stop(peer.loop, 0);
}

static void deliver(void)
{
	ssize_t n = send(peer.watch.fd, peer.data, peer.size, MSG_NOSIGNAL);

	if (n > 0) {
		peer.data += n;
		peer.size -= (size_t)n;
	}
	if (peer.size > 0)
		return;
	shutdown(peer.watch.fd, SHUT_WR);
	vmm_loop_change(peer.loop, &peer.watch, EPOLLIN);
}

static void ready(void *ctx, uint32_t events)
{
	if (events & EPOLLOUT)
		deliver();
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive();
}

/* A greeting at least; each line whole. */
static void check_lines(void)
{
	size_t at = 0;

	while (at < peer.len) {
		_cleanup_json_ json_t *j = NULL;
		char *end = memchr(peer.text + at, '\n', peer.len - at);

		if (!end)
			abort();
		*end = '\0';
		if (cv_json_parse(peer.text + at, "answer", &j, NULL) < 0 || !json_is_object(j))
			abort();
		at = (size_t)(end - peer.text) + 1;
	}
	if (at == 0)
		abort();
}

/* Inputs that begin with an odd byte agree on capabilities first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = -1;

	if (!peer.loop)
		start();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&peer.addr, peer.addr_len) < 0 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		abort();
	if (size > 0 && data[0] & 1 &&
	    send(fd, AGREE, strlen(AGREE), MSG_NOSIGNAL) != (ssize_t)strlen(AGREE))
		abort();
	peer.watch = (struct vmm_watch){ fd, EPOLLIN | EPOLLOUT, ready, NULL };
	peer.data = data;
	peer.size = size;
	if (vmm_loop_add(peer.loop, &peer.watch) < 0)
		abort();
	vmm_loop_run(peer.loop);
	vmm_loop_remove(peer.loop, &peer.watch);
	check_lines();
	free(TAKE_PTR(peer.text));
	peer.len = 0;
	return 0;
}
