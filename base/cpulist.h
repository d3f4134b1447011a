/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of CPU or NUMA node numbers and their kernel list format ("0-3,8"). */
#ifndef CARVE_BASE_CPULIST_H
#define CARVE_BASE_CPULIST_H

#include <stdbool.h>
#include <stdint.h>

#define CV_CPU_MAX 4096

/** struct cv_cpuset - a plain value; all zero is the empty set */
struct cv_cpuset {
	uint64_t bits[CV_CPU_MAX / 64];
};

/** cv_cpuset_add() - no effect outside 0..CV_CPU_MAX-1. */
void cv_cpuset_add(struct cv_cpuset *s, int cpu);
void cv_cpuset_del(struct cv_cpuset *s, int cpu);
bool cv_cpuset_has(const struct cv_cpuset *s, int cpu);
/** cv_cpuset_or(), _and(), _andnot() - @s becomes @s op @o. */
void cv_cpuset_or(struct cv_cpuset *s, const struct cv_cpuset *o);
void cv_cpuset_and(struct cv_cpuset *s, const struct cv_cpuset *o);
void cv_cpuset_andnot(struct cv_cpuset *s, const struct cv_cpuset *o);
int cv_cpuset_count(const struct cv_cpuset *s);
bool cv_cpuset_is_empty(const struct cv_cpuset *s);
bool cv_cpuset_equal(const struct cv_cpuset *a, const struct cv_cpuset *b);
bool cv_cpuset_intersects(const struct cv_cpuset *a, const struct cv_cpuset *b);
/** cv_cpuset_next() - the next member after @cpu (-1 to start). Return: member or -1. */
int cv_cpuset_next(const struct cv_cpuset *s, int cpu);

#define CV_CPUSET_FOREACH(cpu, s) \
	for (int cpu = cv_cpuset_next((s), -1); cpu >= 0; cpu = cv_cpuset_next((s), cpu))

/**
 * cv_parse_cpulist() - kernel list format (Documentation/core-api/... "0-3,8,10-11"); "" is empty
 * Return: 0, -EINVAL (not a list), -ERANGE (number over CV_CPU_MAX-1 or range reversed).
 */
int cv_parse_cpulist(const char *s, struct cv_cpuset *ret);

/** cv_format_cpulist() - kernel list format. Return: heap string owned by the caller, or NULL. */
char *cv_format_cpulist(const struct cv_cpuset *s);

#endif
