// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bdf.h"
#include "base/parse.h"

/* Exactly @len hexadecimal digits. */
static int parse_field(const char *s, size_t len, uint64_t *ret)
{
	char digits[9];

	if (!len || len >= sizeof(digits) || strspn(s, "0123456789abcdefABCDEF") != len)
		return -EINVAL;
	memcpy(digits, s, len);
	digits[len] = '\0';
	return cv_parse_hex(digits, ret);
}

/* The domain is optional: it is there when a second colon is. Moves *@s behind it. */
static int parse_domain(const char **s, uint64_t *ret)
{
	const char *colon = strchr(*s, ':');
	size_t len;

	if (!colon)
		return -EINVAL;
	*ret = 0;
	if (!strchr(colon + 1, ':'))
		return 0;
	len = (size_t)(colon - *s);
	if (len < 4 || parse_field(*s, len, ret))
		return -EINVAL;
	*s = colon + 1;
	return 0;
}

int cv_parse_bdf(const char *s, struct cv_bdf *ret)
{
	uint64_t domain, bus, dev, fn;

	/* "BB:DD.F" has fixed places once the domain is gone. */
	if (parse_domain(&s, &domain) || strlen(s) != 7 || s[2] != ':' || s[5] != '.')
		return -EINVAL;
	if (parse_field(s, 2, &bus) || parse_field(s + 3, 2, &dev) || parse_field(s + 6, 1, &fn))
		return -EINVAL;
	if (dev > 0x1f || fn > 7)
		return -ERANGE;
	*ret = (struct cv_bdf){
		.domain = (uint32_t)domain,
		.bus = (uint8_t)bus,
		.dev = (uint8_t)dev,
		.fn = (uint8_t)fn,
	};
	return 0;
}

const char *cv_format_bdf(struct cv_bdf b, char buf[CV_BDF_MAX])
{
	snprintf(buf, CV_BDF_MAX, "%04x:%02x:%02x.%x", b.domain, b.bus, b.dev & 0x1f, b.fn & 7);
	return buf;
}

static unsigned int routing_id(struct cv_bdf b)
{
	return (unsigned int)b.bus << 8 | (b.dev & 0x1fU) << 3 | (b.fn & 7U);
}

int cv_bdf_cmp(struct cv_bdf a, struct cv_bdf b)
{
	if (a.domain != b.domain)
		return a.domain < b.domain ? -1 : 1;
	return (int)routing_id(a) - (int)routing_id(b);
}

struct cv_bdf cv_bdf_add(struct cv_bdf b, unsigned int n)
{
	unsigned int id = (routing_id(b) + n) & 0xffff;

	b.bus = (uint8_t)(id >> 8);
	b.dev = id >> 3 & 0x1f;
	b.fn = id & 7;
	return b;
}
