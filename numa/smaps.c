// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/smaps.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

/** struct mapping - one, while it is read; sizes in bytes, 0 not read yet */
struct mapping {
	bool is_guest;
	uint64_t size, leaf;
};

/* "7f12a0000000-7f12c0000000 rw-s 00000000 00:01 3077 /memfd:ram0 (deleted)": no other line begins so */
static bool is_head(const char *line)
{
	size_t start = strspn(line, "0123456789abcdef");
	size_t end = start && line[start] == '-' ? strspn(line + start + 1, "0123456789abcdef") : 0;

	return end && line[start + 1 + end] == ' ';
}

/* "MMUPageSize:        2048 kB". Return: 1 it was @key, 0 not, -EINVAL. */
static int read_kb(const char *line, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);
	char number[24];
	uint64_t kb;

	if (strncmp(line, key, len) != 0 || line[len] != ':')
		return 0;
	line += len + 1;
	line += strspn(line, " \t");
	len = strspn(line, "0123456789");
	if (!len || len >= sizeof(number) || strcmp(line + len, " kB") != 0)
		return -EINVAL;
	memcpy(number, line, len);
	number[len] = '\0';
	if (cv_parse_u64(number, &kb) < 0 || kb > UINT64_MAX >> 10)
		return -EINVAL;
	*ret = kb << 10;
	return 1;
}

static int end_mapping(const struct mapping *m, uint64_t sums[CERTIFY_LEAVES])
{
	size_t i = CERTIFY_LEAVES;

	if (!m->is_guest)
		return 0;
	if (!m->size || m->leaf < certify_leaf_bytes[0])
		return -EINVAL;
	while (certify_leaf_bytes[i - 1] > m->leaf)
		i--;
	sums[i - 1] += m->size;
	return 0;
}

static int read_line(const char *line, struct mapping *m, uint64_t sums[CERTIFY_LEAVES])
{
	int r;

	if (is_head(line)) {
		r = end_mapping(m, sums);
		*m = (struct mapping){ .is_guest = strstr(line, " /memfd:") != NULL };
		return r;
	}
	r = read_kb(line, "Size", &m->size);
	return r ? r : read_kb(line, "MMUPageSize", &m->leaf);
}

int nu_smaps_parse(const char *text, uint64_t ret[CERTIFY_LEAVES])
{
	_cleanup_free_ char *copy = strdup(text);
	uint64_t sums[CERTIFY_LEAVES] = { 0 }, all = 0;
	struct mapping m = { .is_guest = false };
	char *rest = copy, *line;
	int r = copy ? 0 : -ENOMEM;

	if (r == 0 && text[0] && !is_head(text))
		return -EINVAL;
	while (r >= 0 && (line = strsep(&rest, "\n")))
		r = read_line(line, &m, sums);
	if (r >= 0)
		r = end_mapping(&m, sums);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CERTIFY_LEAVES; i++)
		all += sums[i];
	if (!all)
		return -ENODATA;
	memcpy(ret, sums, sizeof(sums));
	return 0;
}

int nu_smaps_read(struct cv_sysroot *root, pid_t pid, uint64_t ret[CERTIFY_LEAVES])
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	int r = cv_read_str(root, cv_pathf(path, "/proc/%d/smaps", pid), &text);

	return r ?: nu_smaps_parse(text, ret);
}
