// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/json_members.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/parse.h"

int member_int(const json_t *j, const char *key, int64_t min, int64_t max, int *ret)
{
	const json_t *v = json_object_get(j, key);

	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max)
		return -EINVAL;
	*ret = (int)json_integer_value(v);
	return 0;
}

int member_u64(const json_t *j, const char *key, uint64_t *ret)
{
	const json_t *v = json_object_get(j, key);

	if (!json_is_integer(v) || json_integer_value(v) < 1)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int member_size(const json_t *j, const char *key, int64_t max, uint64_t *ret)
{
	const json_t *v = json_object_get(j, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(v);
	return 0;
}

int member_word(const json_t *j, const char *key, const char *const *words, int n, int *ret)
{
	const char *s = cv_json_str(j, key, "");

	for (int i = 0; i < n; i++) {
		if (strcmp(s, words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

int member_bool(const json_t *j, const char *key, bool *ret)
{
	const json_t *v = json_object_get(j, key);

	if (!json_is_boolean(v))
		return -EINVAL;
	*ret = json_is_true(v);
	return 0;
}

int member_list(const json_t *j, const char *key, struct cv_cpuset *ret)
{
	const char *s = cv_json_str(j, key, NULL);

	return s ? cv_parse_cpulist(s, ret) : -EINVAL;
}

int member_bdf(const json_t *j, const char *key, struct cv_bdf *ret)
{
	const char *s = cv_json_str(j, key, NULL);

	return s ? cv_parse_bdf(s, ret) : -EINVAL;
}

int member_text(const json_t *j, const char *key, char *buf, size_t size)
{
	const char *s = cv_json_str(j, key, NULL);

	return s && (size_t)snprintf(buf, size, "%s", s) < size ? 0 : -EINVAL;
}

int member_copy(const json_t *j, const char *key, char **ret)
{
	const char *s = cv_json_str(j, key, NULL);

	if (!s)
		return -EINVAL;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

int member_hex(const json_t *j, const char *key, uint64_t max, uint64_t *ret)
{
	int r = cv_parse_hex(cv_json_str(j, key, ""), ret);

	return r < 0 || *ret > max ? -EINVAL : 0;
}

int member_array(const json_t *j, const char *key, size_t element, size_t max, const json_t **ret,
		 void **ret_elements, size_t *ret_n)
{
	const json_t *a = json_object_get(j, key);
	size_t n = json_array_size(a);

	if (!json_is_array(a) || n > max)
		return -EINVAL;
	*ret_elements = calloc(n + 1, element);
	if (!*ret_elements)
		return -ENOMEM;
	*ret = a;
	*ret_n = n;
	return 0;
}
