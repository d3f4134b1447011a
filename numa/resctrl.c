// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/resctrl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

/* "id=value" at @p, up to ';' or the end of the line. */
static int parse_entry(const char *p, size_t len, bool is_hex, int *ret_id, uint64_t *ret_value)
{
	char text[64], *sign, *value;
	int r;

	if (len >= sizeof(text))
		return -EINVAL;
	memcpy(text, p, len);
	text[len] = '\0';
	sign = strchr(text, '=');
	if (!sign)
		return -EINVAL;
	*sign = '\0';
	value = sign + 1 + strspn(sign + 1, " "); /* the kernel pads percentages */
	r = cv_parse_int(text, ret_id);
	if (r < 0)
		return r;
	return is_hex ? cv_parse_hex(value, ret_value) : cv_parse_u64(value, ret_value);
}

static int find_in_line(const char *p, bool is_hex, int domain, uint64_t *ret)
{
	for (size_t len; *p && *p != '\n'; p += len + (p[len] == ';')) {
		uint64_t value;
		int id, r;

		len = strcspn(p, ";\n");
		r = parse_entry(p, len, is_hex, &id, &value);
		if (r < 0)
			return r;
		if (id != domain)
			continue;
		*ret = value;
		return 0;
	}
	return -ENOENT;
}

/* Its entries, NULL without such a line. */
static const char *find_line(const char *text, const char *resource)
{
	size_t len = strlen(resource);

	for (const char *line = text; *line; line += *line == '\n') {
		line += strspn(line, " ");
		if (strncmp(line, resource, len) == 0 && line[len] == ':')
			return line + len + 1;
		line += strcspn(line, "\n");
	}
	return NULL;
}

int nu_schemata_find(const char *text, const char *resource, int domain, uint64_t *ret)
{
	const char *line = find_line(text, resource);

	return line ? find_in_line(line, strcmp(resource, "MB") != 0, domain, ret) : -ENOENT;
}

bool nu_schemata_is_percent(const char *text)
{
	const char *p = find_line(text, "MB");

	for (size_t len; p && *p && *p != '\n'; p += len + (p[len] == ';')) {
		uint64_t value;
		int id;

		len = strcspn(p, ";\n");
		if (parse_entry(p, len, false, &id, &value) == 0 && value > 100)
			return false;
	}
	return true;
}

uint64_t nu_longest_run(uint64_t mask)
{
	uint64_t best = 0, run = 0;

	for (int bit = 0; bit < 64; bit++) {
		run = mask >> bit & 1 ? run | 1ULL << bit : 0;
		if (__builtin_popcountll(run) >= __builtin_popcountll(best))
			best = run;
	}
	return best;
}

/* Lower is better. */
static int cost(const struct nu_ways *w, uint64_t mask)
{
	int kept = __builtin_popcountll(nu_longest_run(w->dflt & ~w->used & ~mask));

	return 64 * __builtin_popcountll(mask & w->hardware) - kept;
}

static bool is_possible(const struct nu_ways *w, uint64_t mask)
{
	uint64_t kept = nu_longest_run(w->dflt & ~w->used & ~mask);

	return (mask & w->full) == mask && !(mask & w->used) && kept &&
	       (unsigned int)__builtin_popcountll(kept) >= w->min_bits;
}

int nu_ways_choose(const struct nu_ways *w, unsigned int n, uint64_t *ret)
{
	uint64_t best = 0;

	if (n == 0 || n >= 64 || n < w->min_bits)
		return -ENOSPC;
	for (unsigned int shift = 0; shift + n <= 64; shift++) {
		uint64_t mask = ((1ULL << n) - 1) << shift;

		if (is_possible(w, mask) && (!best || cost(w, mask) < cost(w, best)))
			best = mask;
	}
	if (!best)
		return -ENOSPC;
	*ret = best;
	return 0;
}
