/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest that runs is judged by (carve certify): the limits of its spec, and the built-in ones. */
#ifndef CARVE_PLAN_LIMITS_H
#define CARVE_PLAN_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

struct json_t;
struct plan;

enum plan_limit {
	PLAN_LIMIT_EXITS,    /* exits of a vCPU per second, at most */
	PLAN_LIMIT_OFF_CORE, /* time that a vCPU waited for its core, millionths, at most */
	PLAN_LIMIT_LEAF,     /* leaf of the page tables that map its memory, bytes, at least */
	PLAN_LIMIT_IRQS,     /* interrupts of the host on the core of a vCPU per second, at most */
	PLAN_LIMITS,
};

/** plan_limit_words - keys of limits: in a spec: "exits_per_second" "off_core" "page_leaf"
 * "irqs_per_second" */
extern const char *const plan_limit_words[PLAN_LIMITS];

/** struct plan_limits - a plain value; @value counts where it @is_given */
struct plan_limits {
	bool is_given[PLAN_LIMITS];
	uint64_t value[PLAN_LIMITS];
};

/**
 * plan_limit_parse() - "1000", "0.1%", "2M"
 * Return: 0, -EINVAL: it is not what plan_limit_wanted() says.
 */
int plan_limit_parse(enum plan_limit which, const char *text, uint64_t *ret);
/** plan_limit_wanted() - for messages: "a whole number, 0 to 1000000000". */
const char *plan_limit_wanted(enum plan_limit which);

#define PLAN_LIMIT_TEXT 32
/** plan_limit_format() - "1000/s", "0.1 %", "2M". Return: @buf. */
const char *plan_limit_format(enum plan_limit which, uint64_t value, char buf[PLAN_LIMIT_TEXT]);

/**
 * plan_limit_value() - the limit of @l, or the built-in one: 1000 exits and 300 interrupts per second,
 * 0.1 % off the core, the smallest page size of @p's memory
 */
uint64_t plan_limit_value(const struct plan *p, const struct plan_limits *l, enum plan_limit which);

/** plan_limits_json() - those that are given; NULL none, or memory is out. */
struct json_t *plan_limits_json(const struct plan_limits *l);
/** plan_limits_from_json() - @j NULL: none. Return: 0, -EINVAL. */
int plan_limits_from_json(const struct json_t *j, struct plan_limits *ret);

#endif
