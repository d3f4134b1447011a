// SPDX-License-Identifier: GPL-2.0-or-later
/* The QMP client against a server that follows a script: order, splits, errors, silence, garbage. */
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/qmp.h"

#define GREETING "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 10}}, \"capabilities\": []}}\r\n"
#define EVENT(name) "{\"timestamp\": {\"seconds\": 1}, \"event\": \"" name "\"}\r\n"
#define SHORT_MS 200
#define LONG_MS 5000

/* One step of the server's script: the first that is set. */
struct act {
	const char *say;    /* "%d" in it: id of the newest command */
	const char *expect; /* a command line arrives and holds this */
	unsigned int sleep_ms;
	unsigned int split; /* with say: this many bytes at a time */
	size_t flood;	    /* this many bytes without a newline */
};

#define OPEN                                                   \
	{ .say = GREETING }, { .expect = "qmp_capabilities" }, \
	{                                                      \
		.say = "{\"return\": {}, \"id\": %d}\r\n"      \
	}

struct server {
	const struct act *acts;
	size_t n;
	int listen_fd;
	unsigned int late_ms;
	char dir[32];
	char path[64];
	pthread_t thread;
	int id;
	const char *missed; /* the expectation that was not met */
};

static void pause_ms(unsigned int ms)
{
	poll(NULL, 0, (int)ms);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void say(struct server *s, int fd, const struct act *a)
{
	char text[4096];
	size_t len, piece;
	const char *id = strstr(a->say, "%d");

	if (id)
		snprintf(text, sizeof(text), "%.*s%d%s", (int)(id - a->say), a->say, s->id, id + 2);
	else
		snprintf(text, sizeof(text), "%s", a->say);
	len = strlen(text);
	for (size_t i = 0; i < len; i += piece) {
		piece = a->split && a->split < len - i ? a->split : len - i;
		if (send(fd, text + i, piece, MSG_NOSIGNAL) < 0)
			return;
		if (a->split)
			pause_ms(1);
	}
}

static void expect(struct server *s, int fd, const struct act *a)
{
	char line[4096];
	size_t len = 0;
	const char *id;

	while (len < sizeof(line) - 1 && recv(fd, line + len, 1, 0) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	if (!strstr(line, a->expect))
		s->missed = a->expect;
	id = strstr(line, "\"id\":");
	s->id = id ? (int)strtol(id + 5, NULL, 10) : -1;
}

static void flood(int fd, size_t n)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	for (size_t sent = 0; sent < n; sent += sizeof(block))
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) < 0)
			return;
}

static void act(struct server *s, int fd, const struct act *a)
{
	if (a->say)
		say(s, fd, a);
	else if (a->expect)
		expect(s, fd, a);
	else if (a->sleep_ms)
		pause_ms(a->sleep_ms);
	else
		flood(fd, a->flood);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	pause_ms(s->late_ms);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", s->path);
	if (bind(s->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(s->listen_fd, 1) < 0)
		return NULL;
	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	for (size_t i = 0; i < s->n; i++)
		act(s, fd, &s->acts[i]);
	close(fd);
	return NULL;
}

static void server_start(struct server *s)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/test-qmp-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/qmp.sock", s->dir);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->listen_fd >= 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->listen_fd);
	unlink(s->path);
	rmdir(s->dir);
	if (s->missed)
		fail_msg("the server did not get \"%s\"", s->missed);
}

#define SERVER(name, ...)                                 \
	static const struct act acts[] = { __VA_ARGS__ }; \
	struct server name = { .acts = acts, .n = CV_ARRAY_SIZE(acts) }

static struct vmm_qmp *open_ok(struct server *s)
{
	struct vmm_qmp *q = NULL;
	struct cv_error err = { 0 };

	server_start(s);
	if (vmm_qmp_open(s->path, LONG_MS, &q, &err) < 0)
		fail_msg("%s: %s", err.what, err.found);
	return q;
}

static void check_open_fails(struct server *s, unsigned int ms, int wanted)
{
	struct vmm_qmp *q = NULL;
	struct cv_error err = { 0 };
	uint64_t start = now_ms();

	server_start(s);
	assert_int_equal(vmm_qmp_open(s->path, ms, &q, &err), wanted);
	assert_null(q);
	assert_int_equal(err.err, wanted);
	assert_true(now_ms() - start < ms + 2000);
	server_stop(s);
}

static void test_command(void **state)
{
	SERVER(s, OPEN, { .expect = "\"arguments\":{\"a\":1}" },
	       { .say = "{\"return\": {\"status\": \"paused\"}, \"id\": %d}\n" });
	struct vmm_qmp *q = open_ok(&s);
	_cleanup_json_ json_t *args = json_pack("{s:i}", "a", 1), *ret = NULL;

	assert_int_equal(vmm_qmp_command(q, "query-status", args, LONG_MS, &ret, NULL), 0);
	assert_string_equal(cv_json_str(ret, "status", ""), "paused");
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_late_listener(void **state)
{
	SERVER(s, OPEN);

	s.late_ms = 150;
	vmm_qmp_close(open_ok(&s));
	server_stop(&s);
}

static void test_no_listener(void **state)
{
	struct vmm_qmp *q = NULL;
	struct cv_error err = { 0 };
	uint64_t start = now_ms();

	assert_int_equal(vmm_qmp_open("/tmp/test-qmp.nobody", SHORT_MS, &q, &err), -ETIMEDOUT);
	assert_int_equal(err.exit, CV_EXIT_TIMEOUT);
	assert_true(now_ms() - start >= SHORT_MS && now_ms() - start < SHORT_MS + 2000);
}

/* Ends the wait at the @last-th look. */
struct watch {
	unsigned int n, last;
};

static int look(void *ctx, struct cv_error *err)
{
	struct watch *w = ctx;

	return ++w->n < w->last ? 0 : cv_fail(err, -ECHILD, CV_EXIT_GUEST, "TEST", NULL, "gone");
}

static void check_watched(const char *path)
{
	struct watch w = { .last = 2 };
	struct vmm_qmp *q = NULL;
	struct cv_error err = { 0 };
	uint64_t start = now_ms();

	assert_int_equal(vmm_qmp_open_watched(path, LONG_MS, look, &w, &q, &err), -ECHILD);
	assert_string_equal(err.code, "TEST");
	assert_null(q);
	assert_int_equal(w.n, 2);
	assert_true(now_ms() - start < 3000);
}

static void test_watched_no_listener(void **state)
{
	check_watched("/tmp/test-qmp.nobody");
}

static void test_watched_silence(void **state)
{
	SERVER(s, { .sleep_ms = 1000 });

	server_start(&s);
	check_watched(s.path);
	server_stop(&s);
}

static void test_watched_slow_start(void **state)
{
	SERVER(s, { .sleep_ms = 500 }, { .say = GREETING, .split = 9 },
	       { .expect = "qmp_capabilities" }, { .sleep_ms = 500 },
	       { .say = "{\"return\": {}, \"id\": %d}\r\n" });
	struct watch w = { .last = 100 };
	struct vmm_qmp *q = NULL;

	server_start(&s);
	assert_int_equal(vmm_qmp_open_watched(s.path, LONG_MS, look, &w, &q, NULL), 0);
	assert_true(w.n >= 3);
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_long_path(void **state)
{
	char path[200];
	struct vmm_qmp *q = NULL;

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(vmm_qmp_open(path, SHORT_MS, &q, NULL), -ENAMETOOLONG);
}

static void test_events(void **state)
{
	SERVER(s, OPEN, { .expect = "\"cont\"" }, { .say = EVENT("FIRST") EVENT("RESUME") },
	       { .say = "{\"return\": {}, \"id\": %d}\r\n" EVENT("AFTER") }, { .sleep_ms = 100 },
	       { .say = EVENT("SHUTDOWN") });
	struct vmm_qmp *q = open_ok(&s);

	assert_int_equal(vmm_qmp_command(q, "cont", NULL, LONG_MS, NULL, NULL), 0);
	assert_int_equal(vmm_qmp_wait_event(q, "RESUME", 0, NULL), 0);
	assert_int_equal(vmm_qmp_wait_event(q, "SHUTDOWN", LONG_MS, NULL), 0);
	assert_int_equal(vmm_qmp_wait_event(q, "AFTER", 0, NULL), 0);
	assert_int_equal(vmm_qmp_wait_event(q, "FIRST", 0, NULL), 0);
	assert_int_equal(vmm_qmp_wait_event(q, "FIRST", LONG_MS, NULL), -EPIPE);
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_error(void **state)
{
	SERVER(s, OPEN, { .expect = "nonsense" },
	       { .say = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no such command\"},"
			" \"id\": %d}\r\n" },
	       { .expect = "query-name" }, { .say = "{\"return\": 7, \"id\": %d}\r\n" },
	       { .expect = "torn" }, { .say = "{\"error\": {\"class\": \"GenericError\"}}\r\n" });
	struct vmm_qmp *q = open_ok(&s);
	struct cv_error err = { 0 };

	assert_int_equal(vmm_qmp_command(q, "nonsense", NULL, LONG_MS, NULL, &err), -EREMOTEIO);
	assert_string_equal(err.found, "CommandNotFound: no such command");
	assert_int_equal(vmm_qmp_command(q, "query-name", NULL, LONG_MS, NULL, &err), 0);
	assert_int_equal(vmm_qmp_command(q, "torn", NULL, LONG_MS, NULL, &err), -EREMOTEIO);
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_split_reads(void **state)
{
	SERVER(s, { .say = GREETING, .split = 1 }, { .expect = "qmp_capabilities" },
	       { .say = "{\"return\": {}, \"id\": %d}\r\n", .split = 3 }, { .expect = "a" },
	       { .say = EVENT("E") "{\"return\": {\"text\": \"\xc3\xa9\"}, \"id\": %d}\r\n",
		 .split = 2 });
	struct vmm_qmp *q = open_ok(&s);
	_cleanup_json_ json_t *ret = NULL;

	assert_int_equal(vmm_qmp_command(q, "a", NULL, LONG_MS, &ret, NULL), 0);
	assert_string_equal(cv_json_str(ret, "text", ""), "\xc3\xa9");
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_silence(void **state)
{
	SERVER(s, OPEN, { .expect = "slow" }, { .sleep_ms = 600 },
	       { .say = "{\"return\": \"late\", \"id\": %d}\r\n" }, { .expect = "next" },
	       { .say = "{\"return\": \"right\", \"id\": %d}\r\n" });
	struct vmm_qmp *q = open_ok(&s);
	struct cv_error err = { 0 };
	_cleanup_json_ json_t *ret = NULL;
	uint64_t start = now_ms();

	assert_int_equal(vmm_qmp_command(q, "slow", NULL, SHORT_MS, NULL, &err), -ETIMEDOUT);
	assert_int_equal(err.exit, CV_EXIT_TIMEOUT);
	assert_true(now_ms() - start >= SHORT_MS && now_ms() - start < 500);
	assert_int_equal(vmm_qmp_wait_event(q, "NEVER", 1, NULL), -ETIMEDOUT);
	/* the late answer belongs to the command that was given up */
	assert_int_equal(vmm_qmp_command(q, "next", NULL, LONG_MS, &ret, NULL), 0);
	assert_string_equal(json_string_value(ret), "right");
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_silent_greeting(void **state)
{
	SERVER(s, { .sleep_ms = 500 });

	check_open_fails(&s, SHORT_MS, -ETIMEDOUT);
}

static void test_dribble(void **state)
{
	/* bytes keep coming, a line never ends: the deadline counts from the start */
	SERVER(s, { .say = "{\"QMP\": {", .split = 1 }, { .sleep_ms = 150 }, { .say = " " },
	       { .sleep_ms = 150 }, { .say = " " }, { .sleep_ms = 150 }, { .say = " " });

	check_open_fails(&s, SHORT_MS, -ETIMEDOUT);
}

static void test_not_qmp(void **state)
{
	static const char *const greetings[] = {
		"SSH-2.0-OpenSSH_9.2\r\n", "{}\r\n",	     "[1]\r\n",	   "{\"QMP\": 1}\r\n",
		"{\"return\": {}}\n",	   "{\"QMP\": {}\n", "\xff\xfe\n",
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(greetings); i++) {
		struct act a = { .say = greetings[i] };
		struct server s = { .acts = &a, .n = 1 };

		check_open_fails(&s, LONG_MS, -EPROTO);
	}
}

static void test_garbage_answer(void **state)
{
	SERVER(s, OPEN, { .expect = "a" }, { .say = "{\"neither\": 1}\r\n" }, { .expect = "b" },
	       { .say = "}}}\r\n" });
	struct vmm_qmp *q = open_ok(&s);
	struct cv_error err = { 0 };

	assert_int_equal(vmm_qmp_command(q, "a", NULL, LONG_MS, NULL, &err), -EPROTO);
	assert_int_equal(err.exit, CV_EXIT_GUEST);
	assert_int_equal(vmm_qmp_command(q, "b", NULL, LONG_MS, NULL, &err), -EPROTO);
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_endless_line(void **state)
{
	SERVER(s, { .flood = 5 << 20 });

	check_open_fails(&s, LONG_MS, -EPROTO);
}

static void test_close(void **state)
{
	SERVER(s, OPEN, { .expect = "quit" }, { .say = "{\"return\": {}, \"id\"" });
	struct vmm_qmp *q = open_ok(&s);
	struct cv_error err = { 0 };

	assert_int_equal(vmm_qmp_command(q, "quit", NULL, LONG_MS, NULL, &err), -EPIPE);
	assert_int_equal(err.exit, CV_EXIT_GUEST);
	assert_int_equal(vmm_qmp_command(q, "quit", NULL, LONG_MS, NULL, &err), -EPIPE);
	vmm_qmp_close(q);
	server_stop(&s);
}

static void test_close_first(void **state)
{
	SERVER(s, { .say = "{\"QMP\"" });

	check_open_fails(&s, LONG_MS, -EPIPE);
}

static void test_vcpus(void **state)
{
	SERVER(s, OPEN, { .expect = "query-cpus-fast" },
	       { .say = "{\"return\": [{\"cpu-index\": 1, \"thread-id\": 22},"
			" {\"cpu-index\": 0, \"thread-id\": 11}], \"id\": %d}\r\n" },
	       { .expect = "query-cpus-fast" },
	       { .say = "{\"return\": [{\"cpu-index\": 0, \"thread-id\": 22},"
			" {\"cpu-index\": 0, \"thread-id\": 11}], \"id\": %d}\r\n" },
	       { .expect = "query-cpus-fast" }, { .say = "{\"return\": {}, \"id\": %d}\r\n" });
	struct vmm_qmp *q = open_ok(&s);
	_cleanup_free_ pid_t *tids = NULL;
	pid_t *none = NULL;

	assert_int_equal(vmm_qmp_vcpu_tids(q, LONG_MS, &tids, NULL), 2);
	assert_int_equal(tids[0], 11);
	assert_int_equal(tids[1], 22);
	assert_int_equal(vmm_qmp_vcpu_tids(q, LONG_MS, &none, NULL), -EPROTO);
	assert_int_equal(vmm_qmp_vcpu_tids(q, LONG_MS, &none, NULL), -EPROTO);
	assert_null(none);
	vmm_qmp_close(q);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_late_listener),
		cmocka_unit_test(test_no_listener),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_split_reads),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_silent_greeting),
		cmocka_unit_test(test_dribble),
		cmocka_unit_test(test_not_qmp),
		cmocka_unit_test(test_garbage_answer),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_close_first),
		cmocka_unit_test(test_vcpus),
		cmocka_unit_test(test_watched_no_listener),
		cmocka_unit_test(test_watched_silence),
		cmocka_unit_test(test_watched_slow_start),
	};

	return cmocka_run_group_tests_name("qmp", tests, NULL, NULL);
}
