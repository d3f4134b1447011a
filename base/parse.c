// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * Reads the digits at the start of @s. A number that does not fit is read to its end, so that
 * "not a number" wins over "too large".
 */
static int parse_digits(const char *s, unsigned int base, uint64_t *ret, const char **ret_end)
{
	bool is_over = false;
	uint64_t value = 0;
	const char *p = s;

	for (int d; (d = digit_of(*p)) >= 0 && (unsigned int)d < base; p++) {
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)d, &value))
			is_over = true;
	}
	if (p == s)
		return -EINVAL;
	*ret = value;
	*ret_end = p;
	return is_over ? -ERANGE : 0;
}

static int parse_whole(const char *s, unsigned int base, uint64_t *ret)
{
	const char *end;
	uint64_t value;
	int rc = parse_digits(s, base, &value, &end);

	if (rc == -EINVAL || *end)
		return -EINVAL;
	if (rc)
		return rc;
	*ret = value;
	return 0;
}

int cv_parse_u64(const char *s, uint64_t *ret)
{
	return parse_whole(s, 10, ret);
}

int cv_parse_hex(const char *s, uint64_t *ret)
{
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		s += 2;
	return parse_whole(s, 16, ret);
}

int cv_parse_int(const char *s, int *ret)
{
	bool is_negative = *s == '-';
	uint64_t value;
	int rc = parse_whole(s + is_negative, 10, &value);

	if (rc)
		return rc;
	if (value > (uint64_t)INT_MAX + is_negative)
		return -ERANGE;
	*ret = is_negative ? (int)-(int64_t)value : (int)value;
	return 0;
}

int cv_parse_bool(const char *s, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "1", true },	  { "y", true },   { "Y", true },    { "yes", true },
		{ "true", true }, { "on", true },  { "0", false },   { "n", false },
		{ "N", false },	  { "no", false }, { "off", false }, { "false", false },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(words); i++) {
		if (!strcmp(s, words[i].word)) {
			*ret = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

static const char size_units[] = "KMGTP";

/* "" or a unit, optionally with "B" or "iB" behind it. */
static int parse_unit(const char *s, unsigned int *ret_shift)
{
	const char *unit;

	if (!*s) {
		*ret_shift = 0;
		return 0;
	}
	unit = strchr(size_units, *s);
	if (!unit || (s[1] && strcmp(s + 1, "B") && strcmp(s + 1, "iB")))
		return -EINVAL;
	*ret_shift = 10 * (unsigned int)(unit - size_units + 1);
	return 0;
}

int cv_parse_size(const char *s, uint64_t *ret_bytes)
{
	unsigned int shift;
	const char *end;
	uint64_t value;
	int rc = parse_digits(s, 10, &value, &end);

	if (rc == -EINVAL || parse_unit(end, &shift))
		return -EINVAL;
	if (rc || value > UINT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

int cv_copy_text(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src);

	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(dst, src, len + 1);
	return 0;
}

int cv_parse_mac(const char *s, uint8_t ret[6])
{
	uint8_t mac[6];

	if (strlen(s) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		int high = digit_of(s[3 * i]);
		int low = digit_of(s[3 * i + 1]);

		if (high < 0 || low < 0 || s[3 * i + 2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

const char *cv_format_size(uint64_t bytes, char buf[CV_SIZE_MAX])
{
	char unit[2] = "";

	for (const char *u = size_units; *u && bytes && !(bytes & 1023); u++) {
		bytes >>= 10;
		unit[0] = *u;
	}
	snprintf(buf, CV_SIZE_MAX, "%" PRIu64 "%s", bytes, unit);
	return buf;
}

const char *cv_format_mac(const uint8_t mac[6], char buf[CV_MAC_MAX])
{
	snprintf(buf, CV_MAC_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return buf;
}
