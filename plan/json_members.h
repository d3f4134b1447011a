/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of the JSON object of a plan, strictly: there, of the type, in range. */
#ifndef CARVE_PLAN_JSON_MEMBERS_H
#define CARVE_PLAN_JSON_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/cpulist.h"

struct json_t;

/* All: member @key of object @j (NULL: it has none). Return: 0; -EINVAL: missing, or not that; -ENOMEM. */

int member_int(const struct json_t *j, const char *key, int64_t min, int64_t max, int *ret);
/** member_u64() - 1 and above. */
int member_u64(const struct json_t *j, const char *key, uint64_t *ret);
/** member_size() - 0 to @max. */
int member_size(const struct json_t *j, const char *key, int64_t max, uint64_t *ret);
/** member_word() - one of @n words; @ret is its index. */
int member_word(const struct json_t *j, const char *key, const char *const *words, int n, int *ret);
int member_bool(const struct json_t *j, const char *key, bool *ret);
/** member_list() - a CPU list. */
int member_list(const struct json_t *j, const char *key, struct cv_cpuset *ret);
int member_bdf(const struct json_t *j, const char *key, struct cv_bdf *ret);
/** member_text() - a string that fits. */
int member_text(const struct json_t *j, const char *key, char *buf, size_t size);
/** member_copy() - a string on the heap. */
int member_copy(const struct json_t *j, const char *key, char **ret);
int member_hex(const struct json_t *j, const char *key, uint64_t max, uint64_t *ret);
/**
 * member_array() - an array of at most @max elements, with zeroed memory for them
 * @element: size of one
 */
int member_array(const struct json_t *j, const char *key, size_t element, size_t max,
		 const struct json_t **ret, void **ret_elements, size_t *ret_n);

#endif
