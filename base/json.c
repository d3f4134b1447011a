// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"

int cv_json_parse(const char *text, const char *origin, json_t **ret, struct cv_error *err)
{
	char where[256];
	json_error_t je;
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &je);

	if (j) {
		*ret = j;
		return 0;
	}
	snprintf(where, sizeof(where), "%s:%d:%d", origin, je.line, je.column);
	return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EJSON", where, "not valid JSON: %s", je.text);
}

int cv_json_version(const json_t *j, const char *marker, int max, const char *origin,
		    struct cv_error *err)
{
	const json_t *version = json_object_get(j, marker);

	if (!json_is_integer(version) || json_integer_value(version) < 1) {
		cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EFORMAT", origin, "not this kind of file");
		cv_error_wanted(err, "a JSON object with \"%s\": 1..%d", marker, max);
		return -EINVAL;
	}
	if (json_integer_value(version) <= max)
		return 0;
	cv_fail(err, -EPROTONOSUPPORT, CV_EXIT_USAGE, "EVERSION", origin,
		"written by a newer carve");
	cv_error_found(err, "%s version %lld", marker, (long long)json_integer_value(version));
	cv_error_wanted(err, "version %d or older", max);
	cv_error_hint(err, "use a carve that knows %s version %lld", marker,
		      (long long)json_integer_value(version));
	return -EPROTONOSUPPORT;
}

char *cv_json_text(const json_t *j)
{
	_cleanup_free_ char *body = json_dumps(j, JSON_INDENT(2) | JSON_ENCODE_ANY);
	char *text;

	if (!body || asprintf(&text, "%s\n", body) < 0)
		return NULL;
	return text;
}

char *cv_json_line(const json_t *j)
{
	return json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
}

json_t *cv_json_string(const char *s)
{
	_cleanup_free_ char *copy = NULL;
	json_t *j = json_string(s);

	if (j)
		return j;
	copy = strdup(s);
	if (!copy)
		return NULL;
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(copy);
}

const char *cv_json_str(const json_t *j, const char *key, const char *dflt)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : dflt;
}

int cv_json_copy(const json_t *j, const char *key, char *dst, size_t size)
{
	const char *s = cv_json_str(j, key, NULL);

	return !s || cv_copy_text(dst, size, s) ? -EINVAL : 0;
}

int64_t cv_json_int(const json_t *j, const char *key, int64_t dflt)
{
	const json_t *v = json_object_get(j, key);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : dflt;
}

int cv_json_bool(const json_t *j, const char *key, int dflt)
{
	const json_t *v = json_object_get(j, key);

	return json_is_boolean(v) ? json_is_true(v) : dflt;
}
