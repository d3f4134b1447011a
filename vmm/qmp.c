// SPDX-License-Identifier: GPL-2.0-or-later
/* The QMP client: ids tell a late answer of a command that was given up from the one awaited. */
#include "vmm/qmp.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/stream.h"

#define MESSAGE_MAX (4U << 20)
#define EVENTS_MAX 256
#define ROUND_MS 200 /* between two looks at a VMM that starts */

/**
 * struct vmm_qmp - one connection
 * @path:    for errors
 * @events:  arrived and not waited for yet, oldest first, at most EVENTS_MAX
 * @last_id: id of the newest command
 */
struct vmm_qmp {
	struct vmm_stream stream;
	char *path;
	json_t *events;
	json_int_t last_id;
};

void vmm_qmp_close(struct vmm_qmp *q)
{
	vmm_stream_done(&q->stream);
	json_decref(q->events);
	free(q->path);
	free(q);
}

static int qmp_new(const char *path, struct vmm_qmp **ret)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->stream = (struct vmm_stream)VMM_STREAM_INIT;
	q->path = strdup(path);
	q->events = json_array();
	if (!q->path || !q->events)
		return -ENOMEM;
	*ret = TAKE_PTR(q);
	return 0;
}

/* What a failed exchange means for the VM. @what: "the greeting", a command, an event */
static int exchange_failed(const struct vmm_qmp *q, int r, const char *what, struct cv_error *err)
{
	switch (r) {
	case -ETIMEDOUT:
		return cv_fail(err, r, CV_EXIT_TIMEOUT, "QMP_TIMEOUT", q->path,
			       "the VMM did not send %s in time", what);
	case -EPIPE:
		return cv_fail(err, r, CV_EXIT_GUEST, "VMM_ENDED", q->path,
			       "the VMM closed its control socket before %s", what);
	case -EPROTO:
	case -EMSGSIZE:
		return cv_fail(err, -EPROTO, CV_EXIT_GUEST, "QMP_PROTOCOL", q->path,
			       "what came instead of %s is not QMP", what);
	default:
		return cv_fail_errno(err, r, q->path, "cannot wait for %s", what);
	}
}

/* The next message, an object. */
static int read_message(struct vmm_qmp *q, uint64_t end, json_t **ret)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_json_ json_t *j = NULL;
	int r;

	do {
		free(TAKE_PTR(line));
		r = vmm_stream_line(&q->stream, end, &line);
		if (r < 0)
			return r;
	} while (line[0] == '\0');
	if (cv_json_parse(line, q->path, &j, NULL) < 0 || !json_is_object(j))
		return -EPROTO;
	*ret = TAKE_PTR(j);
	return 0;
}

static int keep_event(struct vmm_qmp *q, json_t *event)
{
	if (json_array_size(q->events) >= EVENTS_MAX)
		json_array_remove(q->events, 0);
	return json_array_append(q->events, event) < 0 ? -ENOMEM : 0;
}

static bool is_event(const json_t *message)
{
	return json_is_string(json_object_get(message, "event"));
}

static bool is_answer(const json_t *message)
{
	return json_object_get(message, "return") ||
	       json_is_object(json_object_get(message, "error"));
}

/* An error without id belongs to the newest command: the server could not read it. */
static bool is_answer_to(const json_t *message, json_int_t id)
{
	const json_t *j = json_object_get(message, "id");

	return j ? json_is_integer(j) && json_integer_value(j) == id
		 : json_object_get(message, "error") != NULL;
}

static int read_answer(struct vmm_qmp *q, json_int_t id, uint64_t end, json_t **ret)
{
	for (;;) {
		_cleanup_json_ json_t *m = NULL;
		int r = read_message(q, end, &m);

		if (r < 0)
			return r;
		if (is_event(m)) {
			r = keep_event(q, m);
			if (r < 0)
				return r;
			continue;
		}
		if (!is_answer(m))
			return -EPROTO;
		if (!is_answer_to(m, id))
			continue;
		*ret = TAKE_PTR(m);
		return 0;
	}
}

static int send_command(struct vmm_qmp *q, const char *command, json_t *arguments, uint64_t end)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL, *line = NULL;
	size_t len;

	j = json_pack("{s:s, s:I, s:O*}", "execute", command, "id", ++q->last_id, "arguments",
		      arguments);
	text = j ? cv_json_line(j) : NULL;
	if (!text)
		return -ENOMEM;
	len = strlen(text);
	line = malloc(len + 2);
	if (!line)
		return -ENOMEM;
	memcpy(line, text, len);
	memcpy(line + len, "\n", 2);
	return vmm_stream_send(&q->stream, line, len + 1, end);
}

static int answer_failed(const struct vmm_qmp *q, const char *command, const json_t *error,
			 struct cv_error *err)
{
	cv_fail(err, -EREMOTEIO, CV_EXIT_GUEST, "QMP_ERROR", q->path, "the VMM refused %s",
		command);
	cv_error_found(err, "%s: %s", cv_json_str(error, "class", "no class"),
		       cv_json_str(error, "desc", "no description"));
	return -EREMOTEIO;
}

static int run_command(struct vmm_qmp *q, const char *command, json_t *arguments, uint64_t end,
		       json_t **ret, struct cv_error *err)
{
	_cleanup_json_ json_t *answer = NULL;
	const json_t *error;
	int r;

	r = send_command(q, command, arguments, end);
	if (r >= 0)
		r = read_answer(q, q->last_id, end, &answer);
	if (r < 0)
		return exchange_failed(q, r, command, err);
	error = json_object_get(answer, "error");
	if (error)
		return answer_failed(q, command, error, err);
	if (ret)
		*ret = json_incref(json_object_get(answer, "return"));
	return 0;
}

/**
 * struct opening - the start of a connection
 * @check:      NULL when nobody watches the VMM
 * @is_stopped: by @check, which filled the error
 */
struct opening {
	unsigned int deadline_ms;
	uint64_t end;
	int (*check)(void *ctx, struct cv_error *err);
	void *ctx;
	bool is_stopped;
};

static bool is_not_yet(int r)
{
	return r == -ENOENT || r == -ECONNREFUSED || r == -EAGAIN;
}

static uint64_t round_end(const struct opening *o)
{
	uint64_t end = vmm_clock_end(ROUND_MS);

	return o->check && end < o->end ? end : o->end;
}

/* Repeats @wait until it ends or the time is over; it can be called again after -ETIMEDOUT. */
static int wait_in_rounds(struct vmm_qmp *q, struct opening *o,
			  int (*wait)(struct vmm_qmp *q, uint64_t end), struct cv_error *err)
{
	int r;

	do {
		r = wait(q, round_end(o));
		if ((r != -ETIMEDOUT && !is_not_yet(r)) || vmm_clock_left(o->end) == 0)
			return r;
		r = o->check ? o->check(o->ctx, err) : 0;
	} while (r >= 0);
	o->is_stopped = true;
	return r;
}

static int wait_listening(struct vmm_qmp *q, uint64_t end)
{
	return vmm_stream_connect(&q->stream, q->path, MESSAGE_MAX, end);
}

static int wait_greeting(struct vmm_qmp *q, uint64_t end)
{
	_cleanup_json_ json_t *m = NULL;
	int r = read_message(q, end, &m);

	if (r < 0)
		return r;
	return json_is_object(json_object_get(m, "QMP")) ? 0 : -EPROTO;
}

/* QEMU greets from a thread of its own; it answers once all devices are there. */
static int wait_agreed(struct vmm_qmp *q, uint64_t end)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = read_answer(q, q->last_id, end, &answer);

	if (r < 0)
		return r;
	return json_object_get(answer, "error") ? -EREMOTEIO : 0;
}

static int connect_failed(const char *path, int r, unsigned int deadline_ms, struct cv_error *err)
{
	if (!is_not_yet(r))
		return cv_fail_errno(err, r, path, "cannot connect to the VMM");
	cv_fail(err, -ETIMEDOUT, CV_EXIT_TIMEOUT, "QMP_TIMEOUT", path,
		"no VMM listened within %u ms", deadline_ms);
	cv_error_found(err, "%s", strerror(-r));
	return -ETIMEDOUT;
}

static int negotiate(struct vmm_qmp *q, struct opening *o, struct cv_error *err)
{
	int r = send_command(q, "qmp_capabilities", NULL, o->end);

	if (r >= 0)
		r = wait_in_rounds(q, o, wait_agreed, err);
	if (r == -EREMOTEIO && !o->is_stopped)
		return answer_failed(q, "qmp_capabilities", NULL, err);
	return r < 0 && !o->is_stopped ? exchange_failed(q, r, "qmp_capabilities", err) : r;
}

static int open_watched(struct vmm_qmp *q, struct opening *o, struct cv_error *err)
{
	int r = wait_in_rounds(q, o, wait_listening, err);

	if (r < 0)
		return o->is_stopped ? r : connect_failed(q->path, r, o->deadline_ms, err);
	r = wait_in_rounds(q, o, wait_greeting, err);
	if (r < 0)
		return o->is_stopped ? r : exchange_failed(q, r, "the greeting", err);
	return negotiate(q, o, err);
}

int vmm_qmp_open_watched(const char *path, unsigned int deadline_ms,
			 int (*check)(void *ctx, struct cv_error *err), void *ctx,
			 struct vmm_qmp **ret, struct cv_error *err)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *q = NULL;
	struct opening o = {
		.deadline_ms = deadline_ms,
		.end = vmm_clock_end(deadline_ms),
		.check = check,
		.ctx = ctx,
	};
	int r;

	r = qmp_new(path, &q);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot connect to the VMM");
	r = open_watched(q, &o, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(q);
	return 0;
}

int vmm_qmp_open(const char *path, unsigned int deadline_ms, struct vmm_qmp **ret,
		 struct cv_error *err)
{
	return vmm_qmp_open_watched(path, deadline_ms, NULL, NULL, ret, err);
}

int vmm_qmp_command(struct vmm_qmp *q, const char *command, struct json_t *arguments,
		    unsigned int deadline_ms, struct json_t **ret, struct cv_error *err)
{
	return run_command(q, command, arguments, vmm_clock_end(deadline_ms), ret, err);
}

/* Drops the oldest kept event of that name. */
static bool take_event(struct vmm_qmp *q, const char *event)
{
	size_t i;
	json_t *j;

	json_array_foreach(q->events, i, j) {
		if (strcmp(cv_json_str(j, "event", ""), event) == 0) {
			json_array_remove(q->events, i);
			return true;
		}
	}
	return false;
}

int vmm_qmp_wait_event(struct vmm_qmp *q, const char *event, unsigned int deadline_ms,
		       struct cv_error *err)
{
	uint64_t end = vmm_clock_end(deadline_ms);

	while (!take_event(q, event)) {
		_cleanup_json_ json_t *m = NULL;
		int r = read_message(q, end, &m);

		if (r >= 0 && is_event(m))
			r = keep_event(q, m);
		else if (r >= 0 && !is_answer(m))
			r = -EPROTO;
		if (r < 0)
			return exchange_failed(q, r, event, err);
	}
	return 0;
}

/* Fills @tids by vCPU number: each of 0..n-1 exactly once. */
static int tids_from_json(const json_t *cpus, size_t n, pid_t *tids)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *j = json_array_get(cpus, i);
		int64_t cpu = cv_json_int(j, "cpu-index", -1);
		int64_t tid = cv_json_int(j, "thread-id", -1);

		if (cpu < 0 || (uint64_t)cpu >= n || tid <= 0 || tid > INT_MAX || tids[cpu] != 0)
			return -EPROTO;
		tids[cpu] = (pid_t)tid;
	}
	return 0;
}

int vmm_qmp_vcpu_tids(struct vmm_qmp *q, unsigned int deadline_ms, pid_t **ret,
		      struct cv_error *err)
{
	_cleanup_json_ json_t *cpus = NULL;
	_cleanup_free_ pid_t *tids = NULL;
	size_t n;
	int r;

	r = vmm_qmp_command(q, "query-cpus-fast", NULL, deadline_ms, &cpus, err);
	if (r < 0)
		return r;
	n = json_array_size(cpus);
	if (n == 0 || n > INT_MAX)
		return exchange_failed(q, -EPROTO, "the list of vCPUs", err);
	tids = calloc(n, sizeof(*tids));
	if (!tids)
		return cv_fail_errno(err, -ENOMEM, q->path, "cannot list the vCPUs");
	r = tids_from_json(cpus, n, tids);
	if (r < 0)
		return exchange_failed(q, r, "the list of vCPUs", err);
	*ret = TAKE_PTR(tids);
	return (int)n;
}
