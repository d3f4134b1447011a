// SPDX-License-Identifier: GPL-2.0-or-later
/* The QMP server: our own client against it, and clients that say nonsense, go away, or never read. */
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
#include "base/json.h"
#include "vmm/control/server.h"
#include "vmm/qmp.h"
#include "vmm/stream.h"

#define WAIT_MS 10000
#define AGREE "{\"execute\": \"qmp_capabilities\"}\n"

/** struct machine - a VM in name only, and the thread that serves it */
struct machine {
	struct vmm_loop *loop;
	struct vmm_server *server;
	const char *status;
	unsigned int resets, powerdowns, quits;
	bool has_stats, is_broken;
	pid_t tids[3];
	char dir[32], path[64];
	pthread_t thread;
};

/* ---- the machine ---- */

static const char *machine_status(void *ctx)
{
	return ((struct machine *)ctx)->status;
}

static int machine_cont(void *ctx, struct cv_error *err)
{
	struct machine *m = ctx;

	if (m->is_broken)
		return cv_fail(err, -ENOMEM, CV_EXIT_FAILED, "NO_PAGES", "guest",
			       "no pages are left");
	m->status = "running";
	vmm_server_event(m->server, "RESUME", NULL);
	return 0;
}

static void machine_stop(void *ctx)
{
	struct machine *m = ctx;

	m->status = "paused";
	vmm_server_event(m->server, "STOP", NULL);
}

static void machine_quit(void *ctx)
{
	struct machine *m = ctx;

	m->quits++;
	vmm_server_event(m->server, "SHUTDOWN",
			 json_pack("{s:b, s:s}", "guest", 0, "reason", "host-qmp-quit"));
}

static void machine_reset(void *ctx)
{
	((struct machine *)ctx)->resets++;
}

static void machine_powerdown(void *ctx)
{
	((struct machine *)ctx)->powerdowns++;
}

static size_t machine_tids(void *ctx, const pid_t **ret)
{
	struct machine *m = ctx;

	*ret = m->tids;
	return CV_ARRAY_SIZE(m->tids);
}

static json_t *machine_stats(void *ctx)
{
	return ((struct machine *)ctx)->has_stats ? json_pack("{s:i}", "exits", 7) : NULL;
}

static const struct vmm_control_ops ops = {
	.status = machine_status,
	.cont = machine_cont,
	.stop = machine_stop,
	.quit = machine_quit,
	.reset = machine_reset,
	.powerdown = machine_powerdown,
	.vcpu_tids = machine_tids,
	.stats = machine_stats,
};

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void *serve(void *arg)
{
	return (void *)(intptr_t)vmm_loop_run(arg);
}

static int setup(void **state)
{
	static struct machine m;
	int fd;

	m = (struct machine){ .status = "prelaunch", .has_stats = true, .tids = { 11, 12, 13 } };
	snprintf(m.dir, sizeof(m.dir), "/tmp/test-qmp-server-XXXXXX");
	assert_non_null(mkdtemp(m.dir));
	snprintf(m.path, sizeof(m.path), "%s/qmp.sock", m.dir);
	fd = listen_at(m.path);
	assert_int_equal(vmm_loop_new(&m.loop), 0);
	assert_int_equal(vmm_server_new(m.loop, "vm1", &fd, 1, &ops, &m, &m.server, NULL), 0);
	assert_int_equal(pthread_create(&m.thread, NULL, serve, m.loop), 0);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	vmm_loop_stop(m->loop, 0);
	pthread_join(m->thread, NULL);
	vmm_server_free(m->server);
	vmm_loop_free(m->loop);
	unlink(m->path);
	rmdir(m->dir);
	return 0;
}

/* ---- with our client ---- */

static struct vmm_qmp *open_client(const struct machine *m)
{
	struct vmm_qmp *q = NULL;

	assert_int_equal(vmm_qmp_open(m->path, WAIT_MS, &q, NULL), 0);
	return q;
}

static json_t *command(struct vmm_qmp *q, const char *name)
{
	struct cv_error err = { 0 };
	json_t *ret = NULL;

	if (vmm_qmp_command(q, name, NULL, WAIT_MS, &ret, &err) < 0)
		fail_msg("%s: %s: %s", name, err.what, err.found);
	return ret;
}

static void assert_status(struct vmm_qmp *q, const char *status, bool is_running)
{
	_cleanup_json_ json_t *j = command(q, "query-status");

	assert_string_equal(cv_json_str(j, "status", ""), status);
	assert_int_equal(cv_json_bool(j, "running", -1), is_running);
}

static void test_client(void **state)
{
	struct machine *m = *state;
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = open_client(m);
	_cleanup_free_ pid_t *tids = NULL;

	assert_status(q, "prelaunch", false);
	json_decref(command(q, "cont"));
	assert_status(q, "running", true);
	assert_int_equal(vmm_qmp_wait_event(q, "RESUME", WAIT_MS, NULL), 0);
	json_decref(command(q, "stop"));
	assert_status(q, "paused", false);
	assert_int_equal(vmm_qmp_wait_event(q, "STOP", WAIT_MS, NULL), 0);
	assert_int_equal(vmm_qmp_vcpu_tids(q, WAIT_MS, &tids, NULL), 3);
	assert_int_equal(tids[0], 11);
	assert_int_equal(tids[2], 13);
	json_decref(command(q, "system_reset"));
	json_decref(command(q, "system_powerdown"));
	json_decref(command(q, "quit"));
	assert_int_equal(vmm_qmp_wait_event(q, "SHUTDOWN", WAIT_MS, NULL), 0);
	assert_int_equal(m->resets, 1);
	assert_int_equal(m->powerdowns, 1);
	assert_int_equal(m->quits, 1);
}

/* A guest that cannot be started is no success for who asked for it. */
static void test_cont_fails(void **state)
{
	struct machine *m = *state;
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = open_client(m);
	struct cv_error err = { 0 };

	m->is_broken = true;
	assert_int_equal(vmm_qmp_command(q, "cont", NULL, WAIT_MS, NULL, &err), -EREMOTEIO);
	assert_non_null(strstr(err.found, "no pages are left"));
	assert_status(q, "prelaunch", false);
}

static void test_queries(void **state)
{
	struct machine *m = *state;
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = open_client(m);
	_cleanup_json_ json_t *name = command(q, "query-name");
	_cleanup_json_ json_t *version = command(q, "query-version");
	_cleanup_json_ json_t *cpus = command(q, "query-cpus-fast");
	_cleanup_json_ json_t *stats = command(q, "query-carve-stats");
	_cleanup_json_ json_t *list = command(q, "query-commands");

	assert_string_equal(cv_json_str(name, "name", ""), "vm1");
	assert_non_null(strstr(cv_json_str(version, "package", ""), "carve-vmm "));
	assert_true(json_is_integer(json_object_get(json_object_get(version, "qemu"), "major")));
	assert_string_equal(cv_json_str(json_array_get(cpus, 1), "target", ""), "x86_64");
	assert_int_equal(cv_json_int(stats, "exits", 0), 7);
	assert_int_equal(json_array_size(list), 12);
	for (size_t i = 0; i < json_array_size(list); i++)
		assert_non_null(
			strchr("cqs", cv_json_str(json_array_get(list, i), "name", "?")[0]));
}

static void assert_refused(struct vmm_qmp *q, const char *name, json_t *arguments,
			   const char *class, const char *desc)
{
	struct cv_error err = { 0 };
	char found[256];

	assert_int_equal(vmm_qmp_command(q, name, arguments, WAIT_MS, NULL, &err), -EREMOTEIO);
	snprintf(found, sizeof(found), "%s: %s", class, desc);
	assert_string_equal(err.found, found);
	json_decref(arguments);
}

static void test_refusals(void **state)
{
	struct machine *m = *state;
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = open_client(m);

	assert_refused(q, "device_add", NULL, "CommandNotFound",
		       "The command device_add has not been found");
	assert_refused(q, "qmp_capabilities", NULL, "CommandNotFound",
		       "Capabilities negotiation is already complete, command ignored");
	assert_refused(q, "stop", json_pack("{s:b}", "now", 1), "GenericError",
		       "Parameter 'now' is unexpected");
	m->has_stats = false;
	assert_refused(q, "query-carve-stats", NULL, "GenericError", "There are no statistics");
	assert_string_equal(m->status, "prelaunch");
}

static void test_many_clients(void **state)
{
	struct machine *m = *state;
	struct vmm_qmp *q[8];

	for (size_t i = 0; i < CV_ARRAY_SIZE(q); i++)
		q[i] = open_client(m);
	json_decref(command(q[3], "cont"));
	for (size_t i = 0; i < CV_ARRAY_SIZE(q); i++) {
		assert_int_equal(vmm_qmp_wait_event(q[i], "RESUME", WAIT_MS, NULL), 0);
		assert_status(q[i], "running", true);
		if (i % 2)
			vmm_qmp_close(TAKE_PTR(q[i]));
	}
	json_decref(command(q[0], "stop"));
	assert_int_equal(vmm_qmp_wait_event(q[6], "STOP", WAIT_MS, NULL), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(q); i += 2)
		vmm_qmp_close(q[i]);
}

/* ---- byte by byte ---- */

static struct vmm_stream connect_raw(const struct machine *m)
{
	struct vmm_stream s = VMM_STREAM_INIT;

	assert_int_equal(vmm_stream_connect(&s, m->path, 4U << 20, vmm_clock_end(WAIT_MS)), 0);
	return s;
}

static json_t *receive(struct vmm_stream *s)
{
	_cleanup_free_ char *line = NULL;
	json_t *j = NULL;

	assert_int_equal(vmm_stream_line(s, vmm_clock_end(WAIT_MS), &line), 0);
	assert_int_equal(cv_json_parse(line, "answer", &j, NULL), 0);
	return j;
}

static void say(struct vmm_stream *s, const char *text, size_t len)
{
	assert_int_equal(vmm_stream_send(s, text, len, vmm_clock_end(WAIT_MS)), 0);
}

static struct vmm_stream connect_agreed(const struct machine *m)
{
	struct vmm_stream s = connect_raw(m);

	json_decref(receive(&s));
	say(&s, AGREE, strlen(AGREE));
	json_decref(receive(&s));
	return s;
}

static void assert_says(struct vmm_stream *s, const char *text, const char *class, const char *desc)
{
	_cleanup_json_ json_t *j = NULL;
	const json_t *error;

	say(s, text, strlen(text));
	j = receive(s);
	error = json_object_get(j, "error");
	assert_string_equal(cv_json_str(error, "class", ""), class);
	if (!strstr(cv_json_str(error, "desc", ""), desc))
		fail_msg("%s: \"%s\" is not in: %s", text, desc, cv_json_str(error, "desc", ""));
}

static void assert_alive(struct vmm_stream *s)
{
	static const char text[] = "{\"execute\": \"query-name\", \"id\": [1, \"x\"]}";
	_cleanup_json_ json_t *j = NULL;
	const json_t *id;

	say(s, text, strlen(text));
	j = receive(s);
	assert_string_equal(cv_json_str(json_object_get(j, "return"), "name", ""), "vm1");
	id = json_object_get(j, "id");
	assert_int_equal(json_integer_value(json_array_get(id, 0)), 1);
	assert_string_equal(json_string_value(json_array_get(id, 1)), "x");
}

static void test_negotiation(void **state)
{
	struct vmm_stream s = connect_raw(*state);
	_cleanup_json_ json_t *greeting = receive(&s);
	const json_t *qmp = json_object_get(greeting, "QMP");

	assert_true(json_is_array(json_object_get(qmp, "capabilities")));
	assert_non_null(
		strstr(cv_json_str(json_object_get(qmp, "version"), "package", ""), "carve-vmm"));
	assert_says(&s, "{\"execute\": \"query-name\"}\r\n", "CommandNotFound",
		    "Expecting capabilities negotiation with 'qmp_capabilities'");
	assert_says(&s,
		    "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": [\"oob\"]}}",
		    "GenericError", "Capability 'oob' not available");
	assert_says(&s, "{\"execute\": \"qmp_capabilities\", \"arguments\": {\"enable\": 3}}",
		    "GenericError", "enable");
	say(&s, AGREE, strlen(AGREE));
	json_decref(receive(&s));
	assert_alive(&s);
	vmm_stream_done(&s);
}

static void test_nonsense(void **state)
{
	struct vmm_stream s = connect_agreed(*state);

	assert_says(&s, "hello\n", "GenericError", "JSON parse error");
	assert_says(&s, "{\"execute\": \n \"query-name\" ]", "GenericError", "JSON parse error");
	assert_says(&s, "{\"execute\": \"query\n", "GenericError", "JSON parse error");
	assert_says(&s, "}\n", "GenericError", "JSON parse error");
	assert_says(&s, "[]", "GenericError", "must be a JSON object");
	assert_says(&s, "{}", "GenericError", "lacks member 'execute'");
	assert_says(&s, "{\"execute\": 5}", "GenericError", "'execute' must be a string");
	assert_says(&s, "{\"execute\": \"stop\", \"arguments\": []}", "GenericError",
		    "'arguments' must be an object");
	assert_says(&s, "{\"exec-oob\": \"stop\"}", "GenericError", "'exec-oob' is unexpected");
	assert_says(&s, "{\"execute\": \"stop\", \"execute\": \"cont\"}", "GenericError",
		    "duplicate");
	assert_says(&s, "{\"execute\": \"\xff\"}", "GenericError", "JSON parse error");
	say(&s, "{\"a\": \0 1}", 10);
	json_decref(receive(&s));
	assert_alive(&s);
	vmm_stream_done(&s);
}

/* Objects over several lines, several on one, in pieces, with braces in strings. */
static void test_framing(void **state)
{
	static const char text[] = "{\n\"execute\":\r\n\"query-name\"\n,\"id\":\"}{\\\"\\\\\"}"
				   "{\"execute\":\"query-status\"} \n\n\t{\"execute\":\"stop\"}";
	struct vmm_stream s = connect_agreed(*state);

	for (size_t i = 0; i < strlen(text); i++) {
		say(&s, text + i, 1);
		if (i % 8 == 0)
			poll(NULL, 0, 1);
	}
	for (int i = 0; i < 3; i++) {
		_cleanup_json_ json_t *j = receive(&s);

		if (i == 0)
			assert_string_equal(cv_json_str(j, "id", ""), "}{\"\\");
		assert_null(json_object_get(j, "error"));
	}
	vmm_stream_done(&s);
}

static void test_long_message(void **state)
{
	struct vmm_stream s = connect_agreed(*state);
	size_t len = 300000;
	_cleanup_free_ char *text = malloc(len + 1);

	assert_non_null(text);
	memset(text, '[', len);
	text[len - 1] = '\n';
	text[len] = '\0';
	assert_says(&s, text, "GenericError", "longer than 65536");
	assert_alive(&s);
	/* as long as may be: nested deeper than the parser goes, or a string */
	text[65536] = '\0';
	memset(text, '[', 32768);
	memset(text + 32768, ']', 32768);
	assert_says(&s, text, "GenericError", "JSON parse error");
	memset(text, 'x', 65536);
	memcpy(text, "{\"id\":\"", 7);
	memcpy(text + 65534, "\"}", 2);
	assert_says(&s, text, "GenericError", "lacks member");
	assert_alive(&s);
	vmm_stream_done(&s);
}

/* A client that closes its side gets what it asked for, then the end. */
static void test_half_close(void **state)
{
	static const char text[] = AGREE "{\"execute\": \"query-status\"}";
	struct vmm_stream s = connect_raw(*state);
	char *line = NULL;

	say(&s, text, strlen(text));
	shutdown(s.fd, SHUT_WR);
	for (int i = 0; i < 3; i++)
		json_decref(receive(&s));
	assert_int_equal(vmm_stream_line(&s, vmm_clock_end(WAIT_MS), &line), -EPIPE);
	vmm_stream_done(&s);
}

/* ---- clients that never read ---- */

static bool is_cut_off(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/* Commands without end, no answer read: cut off; others are served all the time. */
static void test_never_reads(void **state)
{
	static const char text[] = "{\"execute\": \"query-commands\"}";
	struct machine *m = *state;
	struct vmm_stream s = connect_agreed(m), other = connect_agreed(m);
	uint64_t end = vmm_clock_end(WAIT_MS);

	assert_int_equal(fcntl(s.fd, F_SETFL, O_NONBLOCK), 0);
	for (unsigned int i = 0; !is_cut_off(s.fd) && vmm_clock_left(end) > 0; i++) {
		if (send(s.fd, text, strlen(text), MSG_NOSIGNAL) < 0)
			poll(NULL, 0, 1);
		if (i % 1000 == 0)
			assert_alive(&other);
	}
	assert_true(is_cut_off(s.fd));
	assert_alive(&other);
	vmm_stream_done(&s);
	vmm_stream_done(&other);
}

/** struct burst - @n events, sent in the loop's thread; @sent posted then */
struct burst {
	struct machine *m;
	unsigned int n;
	bool is_sent;
};

static void send_burst(void *ctx)
{
	struct burst *b = ctx;

	for (unsigned int i = 0; i < b->n; i++)
		vmm_server_event(b->m->server, "RESET", json_pack("{s:i}", "number", (int)i));
	__atomic_store_n(&b->is_sent, true, __ATOMIC_SEQ_CST);
}

static void run_burst(struct machine *m, unsigned int n)
{
	struct burst b = { .m = m, .n = n };

	assert_int_equal(vmm_loop_defer(m->loop, send_burst, &b), 0);
	while (!__atomic_load_n(&b.is_sent, __ATOMIC_SEQ_CST))
		poll(NULL, 0, 1);
}

/* Events are kept for who is slow, in order and whole; who did not negotiate gets none. */
static void test_slow_reader(void **state)
{
	struct machine *m = *state;
	struct vmm_stream s = connect_agreed(m), silent = connect_raw(m);

	run_burst(m, 5000);
	for (int i = 0; i < 5000; i++) {
		_cleanup_json_ json_t *j = receive(&s);

		assert_string_equal(cv_json_str(j, "event", ""), "RESET");
		assert_int_equal(cv_json_int(json_object_get(j, "data"), "number", -1), i);
		assert_true(cv_json_int(json_object_get(j, "timestamp"), "seconds", 0) >
			    1000000000);
		assert_in_range(cv_json_int(json_object_get(j, "timestamp"), "microseconds", -1), 0,
				999999);
	}
	assert_alive(&s);
	json_decref(receive(&silent));
	assert_says(&silent, "{}", "GenericError", "lacks member");
	vmm_stream_done(&s);
	vmm_stream_done(&silent);
}

static void test_events_never_read(void **state)
{
	struct machine *m = *state;
	struct vmm_stream s = connect_agreed(m), other;

	run_burst(m, 50000);
	assert_true(is_cut_off(s.fd));
	other = connect_agreed(m);
	assert_alive(&other);
	vmm_stream_done(&s);
	vmm_stream_done(&other);
}

/* More clients than it takes: turned away, room again when others leave. */
static void test_too_many(void **state)
{
	struct machine *m = *state;
	struct vmm_stream s[32], extra;
	char *line = NULL;

	for (size_t i = 0; i < CV_ARRAY_SIZE(s); i++)
		s[i] = connect_agreed(m);
	extra = connect_raw(m);
	assert_int_equal(vmm_stream_line(&extra, vmm_clock_end(WAIT_MS), &line), -EPIPE);
	vmm_stream_done(&extra);
	vmm_stream_done(&s[7]);
	assert_alive(&s[8]);
	s[7] = connect_agreed(m);
	for (size_t i = 0; i < CV_ARRAY_SIZE(s); i++) {
		assert_alive(&s[i]);
		vmm_stream_done(&s[i]);
	}
}

/* A descriptor that cannot be listened on is told. */
static void test_bad_listener(void **state)
{
	struct machine *m = *state;
	struct cv_error err = { 0 };
	struct vmm_server *server;
	int fd = -1;

	assert_int_equal(vmm_server_new(m->loop, "vm2", &fd, 1, &ops, m, &server, &err), -EBADF);
	assert_string_equal(err.object, "vm2");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_client),
		CASE(test_queries),
		CASE(test_refusals),
		CASE(test_cont_fails),
		CASE(test_many_clients),
		CASE(test_negotiation),
		CASE(test_nonsense),
		CASE(test_framing),
		CASE(test_long_message),
		CASE(test_half_close),
		CASE(test_never_reads),
		CASE(test_slow_reader),
		CASE(test_events_never_read),
		CASE(test_too_many),
		CASE(test_bad_listener),
	};

	return cmocka_run_group_tests_name("qmp_server", tests, NULL, NULL);
}
