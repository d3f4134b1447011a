// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "base/json.h"

#define MARKER "carve_journal"

static void record_done(struct cv_record *rec)
{
	free(rec->kind);
	free(rec->scope);
	free(rec->object);
	free(rec->value);
	json_decref(rec->prior);
}

void cv_journal_data_done(struct cv_journal_data *d)
{
	for (size_t i = 0; i < d->n; i++)
		record_done(&d->records[i]);
	free(d->records);
	*d = (struct cv_journal_data){ 0 };
}

static int fail_damaged(struct cv_error *err, const char *origin, const char *what)
{
	cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EJOURNAL", origin, "damaged journal: %s", what);
	cv_error_hint(err, "keep the file and undo by hand what it names");
	return -EINVAL;
}

static struct cv_record *find_record(const struct cv_journal_data *d, int64_t seq)
{
	for (size_t i = d->n; i; i--)
		if (d->records[i - 1].seq == seq)
			return &d->records[i - 1];
	return NULL;
}

static int copy_string(const json_t *line, const char *key, char **ret)
{
	const char *s = cv_json_str(line, key, NULL);

	if (!s)
		return -EINVAL;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

static int fill_record(struct cv_record *rec, const json_t *line)
{
	int rc = copy_string(line, "kind", &rec->kind);

	if (!rc)
		rc = copy_string(line, "scope", &rec->scope);
	if (!rc)
		rc = copy_string(line, "object", &rec->object);
	if (!rc)
		rc = copy_string(line, "value", &rec->value);
	if (rc)
		return rc;
	rec->prior = json_incref(json_object_get(line, "prior"));
	if (json_is_null(rec->prior))
		rec->prior = NULL;
	if (strcmp(rec->scope, "own") && strcmp(rec->scope, "shared"))
		return -EINVAL;
	return rec->prior && !json_is_object(rec->prior) ? -EINVAL : 0;
}

static int read_begin(struct cv_journal_data *d, int64_t seq, const json_t *line)
{
	struct cv_record rec = { .seq = (unsigned int)seq };
	struct cv_record *grown;
	int rc;

	if (find_record(d, seq))
		return -EINVAL;
	rc = fill_record(&rec, line);
	if (rc) {
		record_done(&rec);
		return rc;
	}
	grown = reallocarray(d->records, d->n + 1, sizeof(*grown));
	if (!grown) {
		record_done(&rec);
		return -ENOMEM;
	}
	d->records = grown;
	d->records[d->n++] = rec;
	return 0;
}

static int read_event(struct cv_journal_data *d, const json_t *line)
{
	const char *event = cv_json_str(line, "event", "");
	int64_t seq = cv_json_int(line, "seq", -1);
	struct cv_record *rec;

	if (seq < 0 || seq > UINT_MAX)
		return -EINVAL;
	if (!strcmp(event, "begin"))
		return read_begin(d, seq, line);
	rec = find_record(d, seq);
	if (!rec)
		return -EINVAL;
	if (!strcmp(event, "done"))
		rec->is_done = 1;
	else if (!strcmp(event, "reverted"))
		rec->is_reverted = 1;
	else
		return -EINVAL;
	return 0;
}

static int read_header(struct cv_journal_data *d, const json_t *line, const char *origin,
		       struct cv_error *err)
{
	int rc = cv_json_version(line, MARKER, CV_JOURNAL_VERSION, origin, err);

	if (rc)
		return rc;
	if (cv_json_copy(line, "name", d->name, sizeof(d->name)))
		return fail_damaged(err, origin, "no name in its first line");
	if (cv_owner_from_json(json_object_get(line, "owner"), &d->owner))
		return fail_damaged(err, origin, "no owner in its first line");
	return 0;
}

static int read_line(struct cv_journal_data *d, const char *text, const char *path,
		     unsigned int number, struct cv_error *err)
{
	_cleanup_json_ json_t *line = NULL;
	char origin[CV_PATH_MAX + 16];
	int rc;

	snprintf(origin, sizeof(origin), "%s:%u", path, number);
	if (cv_json_parse(text, origin, &line, NULL))
		return fail_damaged(err, origin, "this line is no JSON");
	if (number == 1)
		return read_header(d, line, origin, err);
	rc = read_event(d, line);
	if (rc == -EINVAL)
		return fail_damaged(err, origin, "this line makes no sense here");
	return rc ? cv_fail_errno(err, rc, origin, "cannot read the journal") : 0;
}

int cv_journal_read(struct cv_sysroot *r, const char *path, struct cv_journal_data *ret,
		    struct cv_error *err)
{
	_cleanup_(cv_journal_data_done) struct cv_journal_data d = { 0 };
	_cleanup_free_ char *text = NULL;
	unsigned int number = 0;
	size_t len;
	int rc = cv_read(r, path, &text, &len);

	if (rc)
		return cv_fail_errno(err, rc, path, "cannot read the journal");
	if (strlen(text) != len)
		return fail_damaged(err, path, "it holds zero bytes");
	/* A tail without newline is a line whose write never returned: nothing followed from it. */
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		rc = read_line(&d, line, path, ++number, err);
		if (rc)
			return rc;
	}
	*ret = d;
	d = (struct cv_journal_data){ 0 };
	return 0;
}
