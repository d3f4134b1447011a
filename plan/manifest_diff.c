// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/manifest_diff.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define ID_MEMBERS 2

/** struct identity - what tells elements of the arrays of a name apart; the first row that fits counts */
struct identity {
	const char *array;
	const char *members[ID_MEMBERS];
};

static const struct identity identities[] = {
	{ "bridges", { "id" } },
	{ "devices", { "bdf" } },
	{ "devices", { "host" } },
	{ "disks", { "id" } },
	{ "net", { "id" } },
	{ "shares", { "id" } },
	{ "nodes", { "node" } },
	{ "ports", { "bdf" } },
	{ "ranges", { "kind", "start" } },
	{ "vcpus", { "vcpu" } },
	{ "steps", { "kind", "object" } },
};

/* Paths that are not compared, "[" stands for any element. */
static const char *const left_out[] = {
	"time",	   "reasons",	   "rejected",	    "steps[.seq",
	"timings", "plan.reasons", "plan.rejected", "plan.steps[.seq",
};

/* Does @path fit @pattern, elements of arrays not looked at? */
static bool is_like(const char *path, const char *pattern)
{
	while (*path && *path == *pattern) {
		if (*path == '[') {
			path = strchr(path, ']');
			if (!path)
				return false;
		}
		path++;
		pattern++;
	}
	return !*path && !*pattern;
}

static bool is_left_out(const char *path)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(left_out); i++)
		if (is_like(path, left_out[i]))
			return true;
	return false;
}

/* ---- one difference ---- */

static json_t *copy_or_nothing(const json_t *value)
{
	return value ? json_incref((json_t *)value) : NULL;
}

static int add(json_t *list, const char *path, const json_t *a, const json_t *b)
{
	json_t *d = json_pack("{s:s,s:o*,s:o*}", "path", path, "old", copy_or_nothing(a), "new",
			      copy_or_nothing(b));

	return json_array_append_new(list, d) < 0 ? -ENOMEM : 0;
}

static int compare(json_t *list, const char *path, const json_t *a, const json_t *b);

/* ---- objects ---- */

static int compare_member(json_t *list, const char *path, const char *key, const json_t *a,
			  const json_t *b)
{
	_cleanup_free_ char *below = NULL;

	if (asprintf(&below, "%s%s%s", path, path[0] ? "." : "", key) < 0)
		return -ENOMEM;
	return is_left_out(below) ? 0 : compare(list, below, a, b);
}

static int compare_objects(json_t *list, const char *path, json_t *a, json_t *b)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach(a, key, value) {
		r = compare_member(list, path, key, value, json_object_get(b, key));
		if (r < 0)
			return r;
	}
	json_object_foreach(b, key, value) {
		if (!json_object_get(a, key))
			r = compare_member(list, path, key, NULL, value);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- arrays ---- */

/* One member as it stands in a path; "" where there is none. */
static char *member_text(const json_t *element, const char *member)
{
	const json_t *value = json_object_get(element, member);

	if (json_is_string(value))
		return strdup(json_string_value(value));
	return value && json_is_integer(value) ? cv_json_line(value) : strdup("");
}

/* Return: "0000:81:00.0", "bind 0000:81:00.0"; "" when the element is no such thing; NULL no memory. */
static char *id_text(const json_t *element, const struct identity *id)
{
	_cleanup_free_ char *first = member_text(element, id->members[0]);
	_cleanup_free_ char *second = id->members[1] ? member_text(element, id->members[1]) : NULL;
	char *text;

	if (!first || (id->members[1] && !second))
		return NULL;
	if (!first[0] || !second)
		return TAKE_PTR(first);
	return asprintf(&text, "%s %s", first, second) < 0 ? NULL : text;
}

/* Return: the elements by their identity; NULL when some have none, or one has it twice. */
static json_t *by_identity(const json_t *array, const struct identity *id)
{
	_cleanup_json_ json_t *map = json_object();
	const json_t *element;
	size_t i;

	json_array_foreach((json_t *)array, i, element) {
		_cleanup_free_ char *text = id_text(element, id);

		if (!text || !text[0] || json_object_get(map, text) ||
		    json_object_set(map, text, (json_t *)element) < 0)
			return NULL;
	}
	return TAKE_PTR(map);
}

static int compare_maps(json_t *list, const char *path, json_t *a, json_t *b)
{
	const char *key;
	json_t *value;
	int r = 0;

	json_object_foreach(a, key, value) {
		_cleanup_free_ char *below = NULL;

		if (asprintf(&below, "%s[%s]", path, key) < 0)
			return -ENOMEM;
		r = compare(list, below, value, json_object_get(b, key));
		if (r < 0)
			return r;
	}
	json_object_foreach(b, key, value) {
		_cleanup_free_ char *below = NULL;

		if (json_object_get(a, key))
			continue;
		if (asprintf(&below, "%s[%s]", path, key) < 0)
			return -ENOMEM;
		r = add(list, below, NULL, value);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_name(const char *path, const char *array)
{
	const char *dot = strrchr(path, '.');

	return strcmp(dot ? dot + 1 : path, array) == 0;
}

/* Arrays without identities, such as distances, are one value. */
static int compare_arrays(json_t *list, const char *path, const json_t *a, const json_t *b)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(identities); i++) {
		_cleanup_json_ json_t *old = NULL, *new = NULL;

		if (!has_name(path, identities[i].array))
			continue;
		old = by_identity(a, &identities[i]);
		new = by_identity(b, &identities[i]);
		if (old && new)
			return compare_maps(list, path, old, new);
	}
	return add(list, path, a, b);
}

/* ---- any value ---- */

static int compare(json_t *list, const char *path, const json_t *a, const json_t *b)
{
	if (a && b && json_equal(a, b))
		return 0;
	if (json_is_object(a) && json_is_object(b))
		return compare_objects(list, path, (json_t *)a, (json_t *)b);
	if (json_is_array(a) && json_is_array(b))
		return compare_arrays(list, path, a, b);
	return add(list, path, a, b);
}

int manifest_diff(const json_t *a, const json_t *b, json_t **ret)
{
	_cleanup_json_ json_t *list = json_array();
	int r = list ? compare(list, "", a, b) : -ENOMEM;

	if (r == 0)
		*ret = TAKE_PTR(list);
	return r;
}

/* ---- for people ---- */

/* Can it stand on a line without quotes, and be told from what is not there? */
static bool is_plain(const char *text)
{
	if (!text[0] || text[0] == '(')
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

char *manifest_diff_text(const json_t *value)
{
	if (!value)
		return strdup("(not there)");
	if (json_is_string(value) && is_plain(json_string_value(value)))
		return strdup(json_string_value(value));
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}
