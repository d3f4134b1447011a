// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/value.h"

#define SIZE_2M (UINT64_C(2) << 20)
#define SIZE_1G (UINT64_C(1) << 30)
#define ID_MAX 31

int value_refuse(const struct source *s, const char *path, const char *text, const char *wanted)
{
	char shortened[SOURCE_SHORT_MAX];

	source_fail(s, source_find(s, path), SOURCE_VALUE, "%s has a bad value", path);
	cv_error_found(s->err, "%s", text[0] ? source_shorten(text, shortened) : "nothing");
	cv_error_wanted(s->err, "%s", wanted);
	return -EINVAL;
}

int value_number(const struct source *s, const char *path, const char *text, uint64_t min,
		 uint64_t max, const char *unit, unsigned int *ret)
{
	char wanted[96];
	uint64_t value;

	if (!text)
		return 0;
	if (!cv_parse_u64(text, &value) && value >= min && value <= max) {
		*ret = (unsigned int)value;
		return 0;
	}
	snprintf(wanted, sizeof(wanted), "a whole number of %s, %llu to %llu", unit,
		 (unsigned long long)min, (unsigned long long)max);
	return value_refuse(s, path, text, wanted);
}

int value_size(const struct source *s, const char *path, const char *text, uint64_t *ret)
{
	if (!text || !cv_parse_size(text, ret))
		return 0;
	return value_refuse(s, path, text, "a whole number with a unit: 512M, 16G, 1T");
}

int value_page_size(const struct source *s, const char *path, const char *text, uint64_t *ret)
{
	uint64_t value;

	if (!text)
		return 0;
	if (cv_parse_size(text, &value) || (value != SIZE_2M && value != SIZE_1G))
		return value_refuse(s, path, text, "2M or 1G");
	*ret = value;
	return 0;
}

int value_bool(const struct source *s, const char *path, const char *text, bool *ret)
{
	if (!text || !cv_parse_bool(text, ret))
		return 0;
	return value_refuse(s, path, text, "true or false");
}

int value_bdf(const struct source *s, const char *path, const char *text, struct cv_bdf *ret)
{
	if (!text || !cv_parse_bdf(text, ret))
		return 0;
	value_refuse(s, path, text, "a PCI address: \"0000:65:00.0\"");
	cv_error_hint(s->err, "carve topo lists the addresses of this node");
	return -EINVAL;
}

int value_mac(const struct source *s, const char *path, const char *text, uint8_t ret[6])
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (!text)
		return 0;
	if (cv_parse_mac(text, mac))
		return value_refuse(s, path, text, "a MAC address: \"02:00:00:00:00:01\"");
	if (mac[0] & 1)
		return value_refuse(s, path, text, "the address of one station, not multicast");
	if (!memcmp(mac, zero, sizeof(zero)))
		return value_refuse(s, path, text, "an address that is not all zero");
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

int value_vlan(const struct source *s, const char *path, const char *text, int *ret)
{
	unsigned int vlan = 0;
	int rc;

	if (!text)
		return 0;
	rc = value_number(s, path, text, 1, 4094, "a VLAN", &vlan);
	if (rc)
		cv_error_wanted(s->err, "a VLAN number, 1 to 4094");
	else
		*ret = (int)vlan;
	return rc;
}

bool value_is_id(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(text);

	return len > 0 && len <= ID_MAX && strspn(text, allowed) == len && !strchr("._-", text[0]);
}

bool value_is_interface(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < IF_NAMESIZE && strcspn(text, "/: \t\n\v\f\r") == len &&
	       strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

int value_id(const struct source *s, const char *path, const char *text, char *ret, size_t size)
{
	if (!text)
		return 0;
	if (!value_is_id(text))
		return value_refuse(s, path, text,
				    "up to 31 of a-z 0-9 . _ -, a letter or digit first");
	snprintf(ret, size, "%s", text);
	return 0;
}

static int copy_fitting(const struct source *s, const char *path, const char *text, char *ret,
			size_t size)
{
	char wanted[32];

	if (strlen(text) < size) {
		memcpy(ret, text, strlen(text) + 1);
		return 0;
	}
	snprintf(wanted, sizeof(wanted), "at most %zu characters", size - 1);
	return value_refuse(s, path, text, wanted);
}

int value_user(const struct source *s, const char *path, const char *text, char *ret, size_t size)
{
	if (!text)
		return 0;
	if (!text[0] || strpbrk(text, " :/"))
		return value_refuse(s, path, text, "a user name");
	return copy_fitting(s, path, text, ret, size);
}

int value_text(const char *text, char **ret)
{
	char *copy;

	if (!text)
		return 0;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

int value_path(const struct source *s, const char *path, const char *text, char **ret)
{
	if (text && !text[0])
		return value_refuse(s, path, text, "the path of a file");
	return value_text(text, ret);
}

static const char *join_words(const char *const *words, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; words[i] && len < size; i++) {
		const char *separator = !i ? "" : words[i + 1] ? ", " : " or ";

		len += (size_t)snprintf(buf + len, size - len, "%s%s", separator, words[i]);
	}
	return buf;
}

int value_word(const struct source *s, const char *path, const char *text, const char *const *words,
	       unsigned int *ret)
{
	const char *nearest;
	char wanted[200];

	if (!text)
		return 0;
	for (unsigned int i = 0; words[i]; i++) {
		if (!strcmp(words[i], text)) {
			*ret = i;
			return 0;
		}
	}
	value_refuse(s, path, text, join_words(words, wanted, sizeof(wanted)));
	nearest = value_nearest(text, words);
	if (nearest)
		cv_error_hint(s->err, "did you mean %s?", nearest);
	return -EINVAL;
}

int value_backend(const struct source *s, const char *path, const char *text, char *ret,
		  size_t size)
{
	static const char *const words[] = { "native", "qemu", NULL };
	unsigned int index = 0;
	int rc;

	if (!text)
		return 0;
	rc = value_word(s, path, text, words, &index);
	return rc ? rc : copy_fitting(s, path, words[index], ret, size);
}

int value_hypervisor(const struct source *s, const char *path, const char *text, char *ret,
		     size_t size)
{
	static const char *const words[] = { "auto", "kvm", "carve", NULL };
	unsigned int index = 0;
	int rc;

	if (!text)
		return 0;
	if (text[0] == '/')
		return copy_fitting(s, path, text, ret, size);
	rc = value_word(s, path, text, words, &index);
	if (rc)
		cv_error_wanted(s->err, "auto, kvm, carve or the path of a device (/dev/...)");
	return rc ? rc : copy_fitting(s, path, text, ret, size);
}

int value_version(const struct source *s, unsigned int max)
{
	int node = source_member(s, 0, "version");
	const char *text = node < 0 ? NULL : s->nodes[node].text;
	uint64_t version;
	char wanted[16];

	if (!text)
		return 0;
	snprintf(wanted, sizeof(wanted), "%u", max);
	if (cv_parse_u64(text, &version) || !version)
		return value_refuse(s, "version", text, wanted);
	if (version <= max)
		return 0;
	source_fail(s, node, SOURCE_VERSION, "the file is written for a newer carve");
	cv_error_found(s->err, "version %llu", (unsigned long long)version);
	cv_error_wanted(s->err, "version %u or older", max);
	cv_error_hint(s->err, "use a carve that knows version %llu", (unsigned long long)version);
	if (s->err)
		s->err->err = -EPROTONOSUPPORT;
	return -EPROTONOSUPPORT;
}

#define NEAR_MAX 32

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Number of characters to add, remove or replace to make @a into @b (Levenshtein). */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[NEAR_MAX + 1], len = strlen(b);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len; j++) {
			size_t up = row[j];

			row[j] = min3(up + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = up;
		}
	}
	return row[len];
}

const char *value_nearest(const char *text, const char *const *words)
{
	size_t best = strlen(text) < 3 ? 2 : 3; /* one edit in a short word, two in a longer one */
	const char *nearest = NULL;

	if (strlen(text) > NEAR_MAX)
		return NULL;
	for (; *words; words++) {
		size_t distance = strlen(*words) > NEAR_MAX ? best : edit_distance(text, *words);

		if (distance < best && distance < strlen(*words)) {
			best = distance;
			nearest = *words;
		}
	}
	return nearest;
}
