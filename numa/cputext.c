// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/cputext.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

#define GROUP_BITS 32
#define GROUP_DIGITS 8

/* The @len digits at @s are the group of the CPUs from @first on. */
static int parse_group(const char *s, size_t len, int first, struct cv_cpuset *set)
{
	char digits[GROUP_DIGITS + 1];
	uint64_t bits;
	int r;

	if (len == 0 || len > GROUP_DIGITS || strspn(s, "0123456789abcdefABCDEF") < len)
		return -EINVAL;
	memcpy(digits, s, len);
	digits[len] = '\0';
	r = cv_parse_hex(digits, &bits);
	if (r < 0)
		return r;
	for (int i = 0; bits != 0; i++, bits >>= 1) {
		if ((bits & 1) == 0)
			continue;
		if (first + i >= CV_CPU_MAX)
			return -ERANGE;
		cv_cpuset_add(set, first + i);
	}
	return 0;
}

int nu_parse_cpumask(const char *s, struct cv_cpuset *ret)
{
	struct cv_cpuset set = { 0 };
	const char *end = s + strlen(s);

	for (int first = 0;; first += GROUP_BITS) {
		const char *group = end;
		int r;

		while (group > s && group[-1] != ',')
			group--;
		if (first > CV_CPU_MAX)
			first = CV_CPU_MAX; /* zeros are allowed there */
		r = parse_group(group, (size_t)(end - group), first, &set);
		if (r < 0)
			return r;
		if (group == s)
			break;
		end = group - 1;
	}
	*ret = set;
	return 0;
}

/** struct region - "FIRST-LAST:USED/GROUP" */
struct region {
	int first, last;
	int used, group;
};

static bool skip_char(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int parse_number(const char **s, int last, int *ret)
{
	const char *p = *s;
	int n = 0;

	if (skip_char(s, 'N')) {
		*ret = last;
		return 0;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		n = n < CV_CPU_MAX ? n * 10 + (*p - '0') : n;
	if (p == *s)
		return -EINVAL;
	*s = p;
	*ret = n;
	return 0;
}

static int parse_range(const char **s, int last, struct region *ret)
{
	int r;

	if (strncmp(*s, "all", 3) == 0) {
		*s += 3;
		ret->first = 0;
		ret->last = last;
		return 0;
	}
	r = parse_number(s, last, &ret->first);
	if (r < 0)
		return r;
	ret->last = ret->first;
	return skip_char(s, '-') ? parse_number(s, last, &ret->last) : 0;
}

static int parse_region(const char **s, int last, struct region *ret)
{
	struct region g = { .used = 1, .group = 1 };
	int r = parse_range(s, last, &g);

	if (r == 0 && skip_char(s, ':')) {
		r = parse_number(s, last, &g.used);
		if (r == 0)
			r = skip_char(s, '/') ? parse_number(s, last, &g.group) : -EINVAL;
	}
	if (r < 0)
		return r;
	if (g.group == 0 || g.used > g.group)
		return -EINVAL;
	if (g.first > g.last || g.last >= CV_CPU_MAX)
		return -ERANGE;
	*ret = g;
	return 0;
}

int nu_parse_boot_cpulist(const char *s, int last, struct cv_cpuset *ret)
{
	struct cv_cpuset set = { 0 };

	while (*s) {
		struct region g;
		int r = parse_region(&s, last, &g);

		if (r < 0)
			return r;
		for (int cpu = g.first; cpu <= g.last; cpu++)
			if ((cpu - g.first) % g.group < g.used)
				cv_cpuset_add(&set, cpu);
		if (*s && (!skip_char(&s, ',') || !*s))
			return -EINVAL;
	}
	*ret = set;
	return 0;
}
