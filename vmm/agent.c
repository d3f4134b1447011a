// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking the checker inside the guest, which may not listen yet. */
#include "vmm/agent.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/stream.h"

#define ANSWER_MAX (1U << 20)
#define REPEAT_MS 2000
#define RECONNECT_MS 100

/**
 * struct request - one request on its way
 * @line:         with its newline
 * @id:           of the request, NULL if it has none; borrowed from @json
 * @end:          when to give up
 * @was_there:    the VMM accepted a connection once
 * @was_answered: by something, which was ignored
 */
struct request {
	const char *path;
	char *line;
	json_t *json;
	const json_t *id;
	uint64_t end;
	struct vmm_stream stream;
	bool was_there;
	bool was_answered;
};

static void request_done(struct request *q)
{
	vmm_stream_done(&q->stream);
	json_decref(q->json);
	free(q->line);
}

static int request_init(struct request *q, const char *line)
{
	size_t len = strlen(line);
	int r;

	if (strchr(line, '\n'))
		return -EINVAL;
	r = cv_json_parse(line, "request", &q->json, NULL);
	if (r < 0)
		return r;
	if (!json_is_object(q->json))
		return -EINVAL;
	q->id = json_object_get(q->json, "id");
	q->line = malloc(len + 2);
	if (!q->line)
		return -ENOMEM;
	memcpy(q->line, line, len);
	memcpy(q->line + len, "\n", 2);
	return 0;
}

/* A VMM that listened and does not any more has ended: no reason to wait for it. */
static int reconnect(struct request *q)
{
	uint64_t end = q->was_there ? vmm_clock_end(0) : q->end;
	int r = vmm_stream_connect(&q->stream, q->path, ANSWER_MAX, end);

	if (r >= 0)
		q->was_there = true;
	else if (r == -ENOENT || r == -ECONNREFUSED)
		r = q->was_there ? -EPIPE : -ETIMEDOUT;
	return r;
}

/* True when the VMM took all that was sent: into the guest, or to drop it. Sending more before would
 * only make the guest answer more often. */
static bool is_taken(const struct vmm_stream *s)
{
	int queued = 0;

	return ioctl(s->fd, SIOCOUTQ, &queued) < 0 || queued == 0;
}

static bool is_answer(struct request *q, const char *line)
{
	_cleanup_json_ json_t *j = NULL;
	const json_t *id;

	if (cv_json_parse(line, "answer", &j, NULL) < 0 || !json_is_object(j))
		return false;
	id = json_object_get(j, "id");
	return !q->id || !id || json_equal(q->id, id);
}

/* Lines until the answer, or until it is time to send again. */
static int read_answer(struct request *q, char **ret)
{
	uint64_t end = vmm_clock_end(REPEAT_MS);

	if (end > q->end)
		end = q->end;
	for (;;) {
		_cleanup_free_ char *line = NULL;
		int r = vmm_stream_line(&q->stream, end, &line);

		if (r >= 0 && is_answer(q, line)) {
			*ret = TAKE_PTR(line);
			return 0;
		}
		if (r < 0 && r != -EPROTO)
			return r;
		q->was_answered = true;
	}
}

/* One connection: -EPIPE when it was closed. */
static int converse(struct request *q, char **ret)
{
	size_t len = strlen(q->line);
	int r;

	do {
		r = 0;
		if (is_taken(&q->stream))
			r = vmm_stream_send(&q->stream, q->line, len, q->end);
		if (r >= 0)
			r = read_answer(q, ret);
	} while (r == -ETIMEDOUT && vmm_clock_left(q->end) > 0);
	return r;
}

static int ask(struct request *q, char **ret)
{
	int r;

	for (;;) {
		r = reconnect(q);
		if (r < 0)
			return r;
		r = converse(q, ret);
		if (r != -EPIPE)
			return r;
		if (vmm_clock_left(q->end) == 0)
			return -ETIMEDOUT;
		poll(NULL, 0, RECONNECT_MS);
	}
}

static int request_failed(const struct request *q, int r, unsigned int deadline_ms,
			  struct cv_error *err)
{
	switch (r) {
	case -EPIPE:
		return cv_fail(err, r, CV_EXIT_GUEST, "VMM_ENDED", q->path,
			       "the VMM ended before the guest answered");
	case -EMSGSIZE:
		return cv_fail(err, r, CV_EXIT_GUEST, "GUEST_ANSWER", q->path,
			       "the guest's answer is longer than %u bytes", ANSWER_MAX);
	case -ETIMEDOUT:
		break;
	default:
		return cv_fail_errno(err, r, q->path, "cannot ask the guest");
	}
	cv_fail(err, r, CV_EXIT_TIMEOUT, "GUEST_SILENT", q->path,
		"the guest did not answer within %u ms", deadline_ms);
	cv_error_found(err, "%s",
		       q->was_answered ? "lines that are no answer to this request"
		       : q->was_there  ? "silence"
				       : "no VMM that listens");
	cv_error_hint(err, "look at the guest's console: does carve-guest run in it?");
	return r;
}

int vmm_agent_request(const char *socket_path, const char *request_line, unsigned int deadline_ms,
		      char **ret_line, struct cv_error *err)
{
	_cleanup_(request_done) struct request q = {
		.path = socket_path,
		.end = vmm_clock_end(deadline_ms),
		.stream = VMM_STREAM_INIT,
	};
	int r;

	r = request_init(&q, request_line);
	if (r < 0)
		return cv_fail_errno(err, r, socket_path, "the request is no JSON line");
	r = ask(&q, ret_line);
	return r < 0 ? request_failed(&q, r, deadline_ms, err) : 0;
}
