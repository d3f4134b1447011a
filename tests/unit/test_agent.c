// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking a guest that listens late, twice, or never; and the console relay. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/agent.h"
#include "vmm/console.h"

#define REQUEST "{\"id\":7,\"ask\":\"report\"}"
#define ANSWER "{\"id\":7,\"nodes\":2}"
#define LONG_MS 10000

/**
 * struct guest - how the other side behaves
 * @n_dropped:     requests that are read and not answered
 * @n_closed:      connections that are closed after the first request
 * @answer:        text sent to a request that is answered
 * @is_gone_after: stop listening after the closed connections
 */
struct guest {
	unsigned int n_dropped;
	unsigned int n_closed;
	const char *answer;
	int is_gone_after;
	int listen_fd;
	char dir[32];
	char path[64];
	unsigned int n_asked;
	pthread_t thread;
};

static int read_request(struct guest *g, int fd)
{
	char c;
	size_t n = 0;

	while (recv(fd, &c, 1, 0) == 1) {
		n++;
		if (c == '\n') {
			g->n_asked++;
			return n == strlen(REQUEST) + 1;
		}
	}
	return 0;
}

static void converse(struct guest *g, int fd)
{
	while (read_request(g, fd)) {
		if (g->n_closed > 0) {
			g->n_closed--;
			return;
		}
		if (g->n_dropped > 0)
			g->n_dropped--;
		else if (g->answer)
			send(fd, g->answer, strlen(g->answer), MSG_NOSIGNAL);
	}
}

static void *serve(void *arg)
{
	struct guest *g = arg;
	int fd;

	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	while ((fd = accept4(g->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		converse(g, fd);
		if (g->is_gone_after && g->n_closed == 0)
			shutdown(g->listen_fd, SHUT_RDWR);
		close(fd);
	}
	return NULL;
}

static void guest_start(struct guest *g)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(g->dir, sizeof(g->dir), "/tmp/test-agent-XXXXXX");
	assert_non_null(mkdtemp(g->dir));
	snprintf(g->path, sizeof(g->path), "%s/guest.sock", g->dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", g->path);
	g->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(g->listen_fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(g->listen_fd, 4), 0);
	assert_int_equal(pthread_create(&g->thread, NULL, serve, g), 0);
}

static void guest_stop(struct guest *g)
{
	shutdown(g->listen_fd, SHUT_RDWR);
	pthread_join(g->thread, NULL);
	close(g->listen_fd);
	unlink(g->path);
	rmdir(g->dir);
}

/* Asks; the answer must be ANSWER when @wanted is 0. */
static void check(struct guest *g, unsigned int ms, int wanted)
{
	struct cv_error err = { 0 };
	_cleanup_free_ char *line = NULL;
	int r;

	guest_start(g);
	r = vmm_agent_request(g->path, REQUEST, ms, &line, &err);
	guest_stop(g);
	if (r != wanted)
		fail_msg("%d: %s: %s", r, err.what, err.found);
	if (wanted == 0)
		assert_string_equal(line, ANSWER);
	else
		assert_null(line);
}

static void test_answer(void **state)
{
	struct guest g = { .answer = ANSWER "\n" };

	check(&g, LONG_MS, 0);
	assert_int_equal(g.n_asked, 1);
}

static void test_dropped(void **state)
{
	struct guest g = { .answer = ANSWER "\n", .n_dropped = 1 };

	check(&g, LONG_MS, 0);
	assert_int_equal(g.n_asked, 2);
}

static void test_reconnect(void **state)
{
	struct guest g = { .answer = ANSWER "\r\n", .n_closed = 2 };

	check(&g, LONG_MS, 0);
	assert_int_equal(g.n_asked, 3);
}

static void test_other_answers(void **state)
{
	struct guest g = { .answer = "odes\":2}\n\n[]\n{\"id\":6}\n" ANSWER "\n" };

	check(&g, LONG_MS, 0);
}

static void test_silence(void **state)
{
	struct guest g = { 0 };

	check(&g, 300, -ETIMEDOUT);
}

static void test_half_answer(void **state)
{
	struct guest g = { .answer = "{\"id\":7" };

	check(&g, 300, -ETIMEDOUT);
}

static void test_long_answer(void **state)
{
	struct guest g = { 0 };
	char *answer = malloc((1 << 20) + 64);

	assert_non_null(answer);
	memset(answer, ' ', (1 << 20) + 63);
	answer[(1 << 20) + 63] = '\0';
	g.answer = answer;
	check(&g, LONG_MS, -EMSGSIZE);
	free(answer);
}

static void test_gone(void **state)
{
	struct guest g = { .n_closed = 1, .is_gone_after = 1 };

	check(&g, LONG_MS, -EPIPE);
}

static void test_nobody(void **state)
{
	char *line = NULL;

	assert_int_equal(vmm_agent_request("/tmp/test-agent.nobody", REQUEST, 100, &line, NULL),
			 -ETIMEDOUT);
	assert_int_equal(vmm_agent_request("/tmp/test-agent.nobody", "{", 100, &line, NULL),
			 -EINVAL);
	assert_int_equal(vmm_agent_request("/tmp/test-agent.nobody", "{}\n{}", 100, &line, NULL),
			 -EINVAL);
	assert_null(line);
}

/* A console: [0] is the relay's end, [1] the other. */
struct ends {
	int sock[2], in[2], out[2];
};

static void ends_open(struct ends *e)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->sock), 0);
	assert_int_equal(pipe2(e->in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(e->out, O_CLOEXEC), 0);
}

static void ends_close(struct ends *e)
{
	for (int i = 0; i < 2; i++) {
		if (e->sock[i] >= 0)
			close(e->sock[i]);
		if (e->in[i] >= 0)
			close(e->in[i]);
		close(e->out[i]);
	}
}

static void test_escape(void **state)
{
	struct ends e;
	char buf[32] = "";

	ends_open(&e);
	assert_int_equal(write(e.sock[1], "login: ", 7), 7);
	assert_int_equal(write(e.in[1], "ro\0ot\x1dgone", 10), 10);
	assert_int_equal(vmm_console_attach(e.sock[0], e.in[0], e.out[1], VMM_CONSOLE_ESCAPE), 0);
	assert_int_equal(read(e.out[0], buf, sizeof(buf)), 7);
	assert_memory_equal(buf, "login: ", 7);
	assert_int_equal(recv(e.sock[1], buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "ro\0ot", 5);
	ends_close(&e);
}

static void test_console_ends(void **state)
{
	struct ends e;
	char buf[32] = "";

	ends_open(&e);
	assert_int_equal(write(e.sock[1], "bye", 3), 3);
	close(e.sock[1]);
	e.sock[1] = -1;
	assert_int_equal(vmm_console_attach(e.sock[0], e.in[0], e.out[1], VMM_CONSOLE_ESCAPE), 1);
	assert_int_equal(read(e.out[0], buf, sizeof(buf)), 3);
	ends_close(&e);
}

static void *drain(void *arg)
{
	char buf[4096];
	size_t total = 0;
	ssize_t n;

	poll(NULL, 0, 50);
	while ((n = recv(*(int *)arg, buf, sizeof(buf), 0)) > 0)
		total += (size_t)n;
	return (void *)total;
}

/* What comes from a pipe reaches a slow guest whole. */
static void test_input_ends(void **state)
{
	struct ends e;
	pthread_t reader;
	void *total;
	char block[4096];
	int small = 4096;

	ends_open(&e);
	setsockopt(e.sock[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(pthread_create(&reader, NULL, drain, &e.sock[1]), 0);
	memset(block, 'a', sizeof(block));
	for (int i = 0; i < 15; i++)
		assert_int_equal(write(e.in[1], block, sizeof(block)), sizeof(block));
	close(e.in[1]);
	e.in[1] = -1;
	assert_int_equal(vmm_console_attach(e.sock[0], e.in[0], e.out[1], -1), 0);
	close(e.sock[0]);
	e.sock[0] = -1;
	pthread_join(reader, &total);
	assert_int_equal((size_t)total, 15 * sizeof(block));
	ends_close(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),	     cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_reconnect),    cmocka_unit_test(test_other_answers),
		cmocka_unit_test(test_silence),	     cmocka_unit_test(test_half_answer),
		cmocka_unit_test(test_long_answer),  cmocka_unit_test(test_gone),
		cmocka_unit_test(test_nobody),	     cmocka_unit_test(test_escape),
		cmocka_unit_test(test_console_ends), cmocka_unit_test(test_input_ends),
	};

	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
