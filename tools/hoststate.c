// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/hoststate.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

#define MARKER "carve_hoststate"

static int bad(struct cv_error *err, const char *origin, const char *key)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_HOSTSTATE", origin, "not a saved host state");
	cv_error_found(err, "\"%s\" is missing or of the wrong type", key);
	cv_error_wanted(err, "the output of carve state --json");
	return -EINVAL;
}

int hoststate_parse(const char *text, const char *origin, json_t **ret, struct cv_error *err)
{
	_cleanup_json_ json_t *j = NULL;
	const char *key;
	json_t *value;
	int r = cv_json_parse(text, origin, &j, err);

	if (r == 0)
		r = cv_json_version(j, MARKER, HOSTSTATE_VERSION, origin, err);
	if (r < 0)
		return r;
	if (!json_is_object(json_object_get(j, "values")))
		return bad(err, origin, "values");
	json_object_foreach(json_object_get(j, "values"), key, value) {
		if (!json_is_string(value))
			return bad(err, origin, key);
	}
	*ret = TAKE_PTR(j);
	return 0;
}

static json_t *or_null(json_t *value)
{
	return value ? json_incref(value) : json_null();
}

static int add_difference(json_t *list, const char *object, json_t *before, json_t *now)
{
	return json_array_append_new(list, json_pack("{s:s,s:o,s:o}", "object", object, "before",
						     or_null(before), "now", or_null(now)));
}

/* Comes and goes without anybody changing the host: a vector exists while its interface is up, other
 * people's cgroups while their sessions last. Compared only where both readings have it. */
static bool is_fleeting(const char *key)
{
	if (fnmatch("pci/*/irq/*", key, 0) == 0)
		return true;
	return fnmatch("cgroup/*/*", key, 0) == 0 && strncmp(key, "cgroup/carve/", 13) != 0;
}

static int add_changed(json_t *list, json_t *before, const json_t *now)
{
	const char *key;
	json_t *value;

	json_object_foreach(before, key, value) {
		json_t *other = json_object_get(now, key);

		if (!other && is_fleeting(key))
			continue;
		if (!(other && json_equal(value, other)) && add_difference(list, key, value, other))
			return -ENOMEM;
	}
	return 0;
}

static int add_new(json_t *list, const json_t *before, json_t *now)
{
	const char *key;
	json_t *value;

	json_object_foreach(now, key, value) {
		if (!json_object_get(before, key) && !is_fleeting(key) &&
		    add_difference(list, key, NULL, value))
			return -ENOMEM;
	}
	return 0;
}

json_t *hoststate_compare(const json_t *before, const json_t *now)
{
	json_t *old_values = json_object_get(before, "values");
	json_t *new_values = json_object_get(now, "values");
	_cleanup_json_ json_t *list = json_array();

	if (!list || add_changed(list, old_values, new_values) < 0 ||
	    add_new(list, old_values, new_values) < 0)
		return NULL;
	return TAKE_PTR(list);
}
