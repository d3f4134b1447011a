// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cpulist.h"

#define WORDS (CV_CPU_MAX / 64)

static uint64_t bit_of(int cpu)
{
	return UINT64_C(1) << (cpu % 64);
}

static bool is_cpu(int cpu)
{
	return cpu >= 0 && cpu < CV_CPU_MAX;
}

void cv_cpuset_add(struct cv_cpuset *s, int cpu)
{
	if (is_cpu(cpu))
		s->bits[cpu / 64] |= bit_of(cpu);
}

void cv_cpuset_del(struct cv_cpuset *s, int cpu)
{
	if (is_cpu(cpu))
		s->bits[cpu / 64] &= ~bit_of(cpu);
}

bool cv_cpuset_has(const struct cv_cpuset *s, int cpu)
{
	return is_cpu(cpu) && s->bits[cpu / 64] & bit_of(cpu);
}

void cv_cpuset_or(struct cv_cpuset *s, const struct cv_cpuset *o)
{
	for (int i = 0; i < WORDS; i++)
		s->bits[i] |= o->bits[i];
}

void cv_cpuset_and(struct cv_cpuset *s, const struct cv_cpuset *o)
{
	for (int i = 0; i < WORDS; i++)
		s->bits[i] &= o->bits[i];
}

void cv_cpuset_andnot(struct cv_cpuset *s, const struct cv_cpuset *o)
{
	for (int i = 0; i < WORDS; i++)
		s->bits[i] &= ~o->bits[i];
}

int cv_cpuset_count(const struct cv_cpuset *s)
{
	int count = 0;

	for (int i = 0; i < WORDS; i++)
		count += __builtin_popcountll(s->bits[i]);
	return count;
}

bool cv_cpuset_is_empty(const struct cv_cpuset *s)
{
	return cv_cpuset_next(s, -1) < 0;
}

bool cv_cpuset_equal(const struct cv_cpuset *a, const struct cv_cpuset *b)
{
	return !memcmp(a->bits, b->bits, sizeof(a->bits));
}

bool cv_cpuset_intersects(const struct cv_cpuset *a, const struct cv_cpuset *b)
{
	for (int i = 0; i < WORDS; i++)
		if (a->bits[i] & b->bits[i])
			return true;
	return false;
}

int cv_cpuset_next(const struct cv_cpuset *s, int cpu)
{
	int next = cpu < 0 ? 0 : cpu + 1;

	while (next < CV_CPU_MAX) {
		uint64_t rest = s->bits[next / 64] >> (next % 64);

		if (rest)
			return next + __builtin_ctzll(rest);
		next = (next / 64 + 1) * 64;
	}
	return -1;
}

/* Reads digits; a number over CV_CPU_MAX stays over it. Return: -EINVAL without a digit. */
static int parse_cpu(const char **s, int *ret)
{
	const char *p = *s;
	int value = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (value <= CV_CPU_MAX)
			value = value * 10 + (*p - '0');
	if (p == *s)
		return -EINVAL;
	*s = p;
	*ret = value;
	return 0;
}

/* "N" or "N-M"; *@is_over is set when the numbers are out of order or too large. */
static int parse_range(const char **s, struct cv_cpuset *set, bool *is_over)
{
	int first, last, rc;

	rc = parse_cpu(s, &first);
	if (rc)
		return rc;
	last = first;
	if (**s == '-') {
		(*s)++;
		rc = parse_cpu(s, &last);
		if (rc)
			return rc;
	}
	if (last >= CV_CPU_MAX || first > last) {
		*is_over = true;
		return 0;
	}
	for (int cpu = first; cpu <= last; cpu++)
		cv_cpuset_add(set, cpu);
	return 0;
}

int cv_parse_cpulist(const char *s, struct cv_cpuset *ret)
{
	struct cv_cpuset set = { 0 };
	bool is_over = false;

	while (*s) {
		int rc = parse_range(&s, &set, &is_over);

		if (rc)
			return rc;
		if (!*s)
			break;
		if (*s != ',' || !s[1])
			return -EINVAL;
		s++;
	}
	if (is_over)
		return -ERANGE;
	*ret = set;
	return 0;
}

static int last_of_range(const struct cv_cpuset *s, int first)
{
	while (cv_cpuset_has(s, first + 1))
		first++;
	return first;
}

char *cv_format_cpulist(const struct cv_cpuset *s)
{
	_cleanup_free_ char *text = NULL;
	const char *comma = "";
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool is_broken;

	if (!f)
		return NULL;
	for (int first = cv_cpuset_next(s, -1), last; first >= 0; first = cv_cpuset_next(s, last)) {
		last = last_of_range(s, first);
		fprintf(f, first == last ? "%s%d" : "%s%d-%d", comma, first, last);
		comma = ",";
	}
	is_broken = ferror(f);
	if (fclose(f) || is_broken)
		return NULL;
	return TAKE_PTR(text);
}
