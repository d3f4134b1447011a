// SPDX-License-Identifier: GPL-2.0-or-later
/* Listening sockets and who is connected. */
#include "vmm/control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/control/server_client.h"
#include "vmm/control/server_command.h"

#define CLIENTS_MAX 32

/**
 * struct vmm_server - all in the loop's thread
 * @spare_fd: given up for a moment to turn a client away when there are no descriptors left
 * @depth:    > 0: within a call that goes through @clients; none is freed
 */
struct vmm_server {
	struct vmm_loop *loop;
	char *name;
	struct vmm_command_env env;
	struct vmm_watch *listeners;
	size_t n_listeners;
	int spare_fd;
	struct vmm_client *clients;
	size_t n_clients;
	unsigned int depth;
};

/* ---- clients ---- */

/* @line: NULL when memory is out: a client must not wait for what never comes. */
static void send_line(struct vmm_client *c, const char *line)
{
	if (line)
		vmm_client_send(c, line, strlen(line));
	else
		c->is_gone = true;
}

static char *make_line(const json_t *j)
{
	_cleanup_free_ char *text = j ? cv_json_line(j) : NULL;
	char *line;

	if (!text || asprintf(&line, "%s\r\n", text) < 0)
		return NULL;
	return line;
}

static void send_json(struct vmm_client *c, const json_t *j)
{
	_cleanup_free_ char *line = make_line(j);

	send_line(c, line);
}

static void drop_gone(struct vmm_server *s)
{
	struct vmm_client **at = &s->clients;

	if (s->depth > 0)
		return;
	while (*at) {
		struct vmm_client *c = *at;

		if (!c->is_gone) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		s->n_clients--;
		vmm_client_free(c);
	}
}

static void on_message(void *ctx, struct vmm_client *c, const char *text, size_t len)
{
	struct vmm_server *s = ctx;
	_cleanup_json_ json_t *answer = NULL;

	s->depth++;
	answer = vmm_command_answer(&s->env, &c->is_negotiated, text, len);
	send_json(c, answer);
	s->depth--;
}

static void on_turn(void *ctx)
{
	drop_gone(ctx);
}

static const struct vmm_client_ops client_ops = { .message = on_message, .turn = on_turn };

/* ---- listening ---- */

static int add_client(struct vmm_server *s, int fd)
{
	_cleanup_json_ json_t *greeting = NULL;
	struct vmm_client *c;
	int r;

	if (s->n_clients >= CLIENTS_MAX)
		return -EBUSY;
	r = vmm_client_new(s->loop, fd, &client_ops, s, &c);
	if (r < 0)
		return r;
	c->next = s->clients;
	s->clients = c;
	s->n_clients++;
	greeting = vmm_command_greeting();
	send_json(c, greeting);
	drop_gone(s);
	return 0;
}

/* Otherwise the loop would be told of the same client for ever. */
static void turn_away(struct vmm_server *s, int listen_fd)
{
	int fd;

	close(s->spare_fd);
	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	s->spare_fd = eventfd(0, EFD_CLOEXEC);
}

static void on_connect(struct vmm_server *s, int listen_fd)
{
	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	_cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && s->spare_fd >= 0)
		turn_away(s, listen_fd);
	if (fd >= 0 && add_client(s, fd) == 0)
		TAKE_FD(fd);
}

/* Which of them is ready is not told: each is asked, none blocks. */
static void on_listener(void *ctx, uint32_t events)
{
	struct vmm_server *s = ctx;

	for (size_t i = 0; i < s->n_listeners; i++)
		on_connect(s, s->listeners[i].fd);
}

static int add_listener(struct vmm_server *s, struct vmm_watch *w)
{
	int flags = fcntl(w->fd, F_GETFL);

	if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(w->fd, F_SETFL, flags | O_NONBLOCK) < 0))
		return -errno;
	w->events = EPOLLIN;
	w->ready = on_listener;
	w->ctx = s;
	return vmm_loop_add(s->loop, w);
}

/* ---- the server ---- */

void vmm_server_free(struct vmm_server *s)
{
	while (s->clients) {
		struct vmm_client *c = s->clients;

		s->clients = c->next;
		vmm_client_free(c);
	}
	for (size_t i = 0; i < s->n_listeners; i++) {
		vmm_loop_remove(s->loop, &s->listeners[i]);
		close(s->listeners[i].fd);
	}
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	free(s->listeners);
	free(s->name);
	free(s);
}

/* Owns @fds when it succeeds. */
static struct vmm_server *new_server(const char *vm_name, const int *fds, size_t n)
{
	struct vmm_server *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->name = strdup(vm_name);
	s->listeners = calloc(n ? n : 1, sizeof(*s->listeners));
	if (!s->name || !s->listeners) {
		free(s->name);
		free(s->listeners);
		free(s);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		s->listeners[i].fd = fds[i];
	s->n_listeners = n;
	s->spare_fd = eventfd(0, EFD_CLOEXEC);
	return s;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

int vmm_server_new(struct vmm_loop *loop, const char *vm_name, const int *listen_fds, size_t n,
		   const struct vmm_control_ops *ops, void *ctx, struct vmm_server **ret,
		   struct cv_error *err)
{
	struct vmm_server *s = new_server(vm_name, listen_fds, n);
	int r = s ? 0 : -ENOMEM;

	if (!s) {
		close_all(listen_fds, n);
		return cv_fail_errno(err, r, vm_name, "cannot make its control socket");
	}
	s->loop = loop;
	s->env = (struct vmm_command_env){ .vm_name = s->name, .ops = ops, .ctx = ctx };
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_listener(s, &s->listeners[i]);
	if (r < 0) {
		vmm_server_free(s);
		return cv_fail_errno(err, r, vm_name, "cannot serve its control socket");
	}
	*ret = s;
	return 0;
}

/* ---- events ---- */

/* @data: consumed. */
static json_t *make_event(const char *name, json_t *data)
{
	struct timespec now;
	json_t *j;

	clock_gettime(CLOCK_REALTIME, &now);
	j = json_pack("{s:{s:I, s:I}, s:s, s:o*}", "timestamp", "seconds", (json_int_t)now.tv_sec,
		      "microseconds", (json_int_t)(now.tv_nsec / 1000), "event", name, "data",
		      data);
	return j;
}

void vmm_server_event(struct vmm_server *s, const char *event, struct json_t *data)
{
	_cleanup_json_ json_t *j = make_event(event, data);
	_cleanup_free_ char *line = make_line(j);

	s->depth++;
	for (struct vmm_client *c = s->clients; c; c = c->next)
		if (c->is_negotiated && !c->is_gone)
			send_line(c, line);
	s->depth--;
	drop_gone(s);
}
