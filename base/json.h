/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON values (libjansson): the cleanup attribute, strict readers with an error context, output. */
#ifndef CARVE_BASE_JSON_H
#define CARVE_BASE_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

static inline void cv_json_decrefp(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ __attribute__((cleanup(cv_json_decrefp)))

/**
 * cv_json_parse() - text to value; duplicate keys are refused
 * @origin: named in errors ("FILE:line:column")
 * Return: 0 and a new reference, -EINVAL with @err filled.
 */
int cv_json_parse(const char *text, const char *origin, json_t **ret, struct cv_error *err);

/**
 * cv_json_version() - check the format marker {"carve_xxx": N, ...}
 * Return: 0; -EINVAL not this format; -EPROTONOSUPPORT newer than @max (says which carve is needed).
 */
int cv_json_version(const json_t *j, const char *marker, int max, const char *origin,
		    struct cv_error *err);

/** cv_json_text() - sorted as inserted, indent 2, trailing newline. Return: heap string or NULL. */
char *cv_json_text(const json_t *j);
/** cv_json_line() - one line, no newline. Return: heap string or NULL. */
char *cv_json_line(const json_t *j);

/** cv_json_string() - text of the host, which may be no UTF-8: such text gets '?' for each byte over
 * 127. Return: a new reference, or NULL. */
json_t *cv_json_string(const char *s);

/* Members of an object by name, with a default when absent; wrong type counts as absent. */
const char *cv_json_str(const json_t *j, const char *key, const char *dflt);
/** cv_json_copy() - a string member into a buffer. Return: 0, -EINVAL (absent or too long). */
int cv_json_copy(const json_t *j, const char *key, char *dst, size_t size);
int64_t cv_json_int(const json_t *j, const char *key, int64_t dflt);
int cv_json_bool(const json_t *j, const char *key, int dflt);

#endif
