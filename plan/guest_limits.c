// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/guest_limits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "plan/plan.h"

#define PER_SECOND_MAX 1000000000ULL
#define PPM 1000000U /* all of the time */
#define DECIMALS 4   /* of a percentage: one more would be less than a millionth */

const char *const plan_limit_words[PLAN_LIMITS] = {
	[PLAN_LIMIT_EXITS] = "exits_per_second",
	[PLAN_LIMIT_OFF_CORE] = "off_core",
	[PLAN_LIMIT_LEAF] = "page_leaf",
	[PLAN_LIMIT_IRQS] = "irqs_per_second",
};

/* In a plan each number names its unit. */
static const char *const members[PLAN_LIMITS] = {
	[PLAN_LIMIT_EXITS] = "exits_per_second",
	[PLAN_LIMIT_OFF_CORE] = "off_core_ppm",
	[PLAN_LIMIT_LEAF] = "page_leaf",
	[PLAN_LIMIT_IRQS] = "irqs_per_second",
};

static const uint64_t leaves[] = { 4096, 2U << 20, 1U << 30 };

static bool is_leaf(uint64_t bytes)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(leaves); i++)
		if (leaves[i] == bytes)
			return true;
	return false;
}

static bool is_in_range(enum plan_limit which, uint64_t value)
{
	switch (which) {
	case PLAN_LIMIT_OFF_CORE:
		return value <= PPM;
	case PLAN_LIMIT_LEAF:
		return is_leaf(value);
	default:
		return value <= PER_SECOND_MAX;
	}
}

/* "0.1", "0.1%", "0.1 %" in millionths */
static int parse_percent(const char *text, uint64_t *ret)
{
	uint64_t ppm = 0;
	size_t i = 0, digits = 0;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	for (; isdigit((unsigned char)text[i]) && ppm <= PPM; i++)
		ppm = ppm * 10 + (uint64_t)(text[i] - '0');
	if (text[i] == '.')
		for (i++; isdigit((unsigned char)text[i]) && digits <= DECIMALS; i++, digits++)
			ppm = ppm * 10 + (uint64_t)(text[i] - '0');
	if (digits > DECIMALS || text[i - 1] == '.')
		return -EINVAL;
	for (; digits < DECIMALS; digits++)
		ppm *= 10;
	if (text[i] == ' ' && text[i + 1] == '%')
		i++;
	if (text[i] == '%')
		i++;
	if (text[i])
		return -EINVAL;
	*ret = ppm;
	return 0;
}

int plan_limit_parse(enum plan_limit which, const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	int r;

	if (which == PLAN_LIMIT_OFF_CORE)
		r = parse_percent(text, &value);
	else if (which == PLAN_LIMIT_LEAF)
		r = cv_parse_size(text, &value);
	else
		r = cv_parse_u64(text, &value);
	if (r < 0 || !is_in_range(which, value))
		return -EINVAL;
	*ret = value;
	return 0;
}

const char *plan_limit_wanted(enum plan_limit which)
{
	switch (which) {
	case PLAN_LIMIT_OFF_CORE:
		return "a percentage, 0 to 100, with up to 4 decimals: 0.1%";
	case PLAN_LIMIT_LEAF:
		return "4K, 2M or 1G";
	default:
		return "a whole number, 0 to 1000000000";
	}
}

/* Decimals that are 0 are left out. */
static void format_percent(uint64_t ppm, char buf[PLAN_LIMIT_TEXT])
{
	char *end = buf + snprintf(buf, PLAN_LIMIT_TEXT, "%llu.%04u",
				   (unsigned long long)(ppm / 10000), (unsigned int)(ppm % 10000));

	while (end[-1] == '0')
		end--;
	if (end[-1] == '.')
		end--;
	memcpy(end, " %", 3);
}

const char *plan_limit_format(enum plan_limit which, uint64_t value, char buf[PLAN_LIMIT_TEXT])
{
	char size[CV_SIZE_MAX];

	if (which == PLAN_LIMIT_OFF_CORE)
		format_percent(value, buf);
	else if (which == PLAN_LIMIT_LEAF)
		snprintf(buf, PLAN_LIMIT_TEXT, "%s", cv_format_size(value, size));
	else
		snprintf(buf, PLAN_LIMIT_TEXT, "%llu/s", (unsigned long long)value);
	return buf;
}

static uint64_t smallest_page(const struct plan *p)
{
	uint64_t least = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		if (!least || p->nodes[i].page_size < least)
			least = p->nodes[i].page_size;
	return least ? least : leaves[0];
}

uint64_t plan_limit_value(const struct plan *p, const struct plan_limits *l, enum plan_limit which)
{
	if (l->is_given[which])
		return l->value[which];
	switch (which) {
	case PLAN_LIMIT_EXITS:
		return 1000;
	case PLAN_LIMIT_OFF_CORE:
		return PPM / 1000;
	case PLAN_LIMIT_LEAF:
		return smallest_page(p);
	default:
		return 300;
	}
}

json_t *plan_limits_json(const struct plan_limits *l)
{
	json_t *j = NULL;

	for (size_t i = 0; i < PLAN_LIMITS; i++) {
		if (!l->is_given[i])
			continue;
		if (!j)
			j = json_object();
		json_object_set_new(j, members[i], json_integer((json_int_t)l->value[i]));
	}
	return j;
}

static int find_member(const char *key)
{
	for (size_t i = 0; i < PLAN_LIMITS; i++)
		if (strcmp(members[i], key) == 0)
			return (int)i;
	return -1;
}

int plan_limits_from_json(const json_t *j, struct plan_limits *ret)
{
	struct plan_limits l = { 0 };
	const json_t *value;
	const char *key;

	if (j && !json_is_object(j))
		return -EINVAL;
	json_object_foreach((json_t *)j, key, value) {
		int i = find_member(key);

		if (i < 0 || !json_is_integer(value) || json_integer_value(value) < 0 ||
		    !is_in_range((enum plan_limit)i, (uint64_t)json_integer_value(value)))
			return -EINVAL;
		l.is_given[i] = true;
		l.value[i] = (uint64_t)json_integer_value(value);
	}
	*ret = l;
	return 0;
}
