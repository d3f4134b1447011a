// SPDX-License-Identifier: GPL-2.0-or-later
/* The QMP client against a server that says anything at all. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/qmp.h"

#define DEADLINE_MS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One input at a time: @data is borrowed from the connection's start until @done is posted. */
struct server {
	char dir[32];
	char path[64];
	int listen_fd;
	const uint8_t *data;
	size_t size;
	sem_t done;
};

static struct server *server;

/* All of the input, then the end, whatever the client says. */
static void *serve(void *arg)
{
	struct server *s = arg;
	char sink[4096];
	int fd;

	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	while ((fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		send(fd, s->data, s->size, MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
		while (recv(fd, sink, sizeof(sink), 0) > 0)
			;
		close(fd);
		sem_post(&s->done);
	}
	return NULL;
}

static void server_remove(void)
{
	unlink(server->path);
	rmdir(server->dir);
}

static void server_start(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	pthread_t thread;

	server = calloc(1, sizeof(*server));
	if (!server || sem_init(&server->done, 0, 0) < 0)
		abort();
	snprintf(server->dir, sizeof(server->dir), "/tmp/fuzz-qmp-XXXXXX");
	if (!mkdtemp(server->dir))
		abort();
	snprintf(server->path, sizeof(server->path), "%s/sock", server->dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", server->path);
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(server->listen_fd, 4) < 0 || pthread_create(&thread, NULL, serve, server) != 0)
		abort();
	atexit(server_remove);
}

static void talk(void)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = NULL;
	_cleanup_free_ pid_t *tids = NULL;
	_cleanup_json_ json_t *ret = NULL;
	struct cv_error err = { 0 };

	if (vmm_qmp_open(server->path, DEADLINE_MS, &q, &err) < 0)
		return;
	vmm_qmp_vcpu_tids(q, DEADLINE_MS, &tids, &err);
	vmm_qmp_command(q, "query-status", NULL, DEADLINE_MS, &ret, &err);
	vmm_qmp_wait_event(q, "SHUTDOWN", DEADLINE_MS, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!server)
		server_start();
	server->data = data;
	server->size = size;
	talk();
	/* the fuzzer's alarm interrupts; @data must outlive the server's send */
	while (sem_wait(&server->done) < 0 && errno == EINTR)
		;
	return 0;
}
