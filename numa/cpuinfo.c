// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/cpuinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/facts.h"

/* Of one CPU; the flags of today take 2 KiB. */
#define RECORD_MAX (16U << 10)

/* Reads until an empty line, the end or RECORD_MAX. Return: heap string or NULL. */
static char *read_record(struct cv_sysroot *root)
{
	_cleanup_close_ int fd = cv_open(root, "/proc/cpuinfo", O_RDONLY | O_NONBLOCK, 0);
	_cleanup_free_ char *text = malloc(RECORD_MAX);
	size_t len = 0;

	if (fd < 0 || !text)
		return NULL;
	while (len < RECORD_MAX - 1) {
		ssize_t n = read(fd, text + len, RECORD_MAX - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "\n\n"))
			break;
	}
	text[len] = '\0';
	return TAKE_PTR(text);
}

/* The value of the first "key : value" line, without the newline. Return: its length, 0 if none. */
static size_t find_line(const char *text, const char *key, const char **ret)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *p;

		line += *line == '\n';
		if (strncmp(line, key, n) != 0)
			continue;
		p = line + n + strspn(line + n, " \t");
		if (*p != ':')
			continue;
		p += 1 + strspn(p + 1, " \t");
		*ret = p;
		return strcspn(p, "\n");
	}
	return 0;
}

static void copy_line(const char *text, const char *key, char *buf, size_t size)
{
	const char *v;
	size_t len = find_line(text, key, &v);

	if (len > 0)
		nu_copy_text(buf, size, v, len);
}

static int number_of_line(const char *text, const char *key)
{
	char word[12] = "";
	int n;

	copy_line(text, key, word, sizeof(word));
	return cv_parse_int(word, &n) == 0 ? n : -1;
}

/* "address sizes	: 48 bits physical, 48 bits virtual" */
static unsigned int physical_bits(const char *text)
{
	char line[64] = "";
	unsigned int bits = 0;

	copy_line(text, "address sizes", line, sizeof(line));
	if (sscanf(line, "%3u bits physical", &bits) != 1 || bits > 64)
		return 0;
	return bits;
}

/* Is @word one of the blank-separated words of the @len bytes at @text? */
static bool has_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	for (const char *end = text + len; text < end;) {
		size_t blanks = strspn(text, " \t"), w;

		if (blanks >= (size_t)(end - text))
			return false;
		text += blanks;
		w = strcspn(text, " \t\n");
		if (w == n && memcmp(text, word, n) == 0)
			return true;
		text += w;
	}
	return false;
}

static void read_flags(const char *text, struct inv_host *host)
{
	const char *v;
	size_t len = find_line(text, "flags", &v);

	if (len == 0)
		return;
	host->has_virt = has_word(v, len, "svm") || has_word(v, len, "vmx");
	host->has_npt = has_word(v, len, "npt") || has_word(v, len, "ept");
	host->resctrl.has_l3 = has_word(v, len, "cat_l3");
	host->resctrl.has_mb = has_word(v, len, "mba");
}

void nu_cpuinfo_read(struct cv_sysroot *root, struct inv_host *host)
{
	_cleanup_free_ char *text = read_record(root);

	host->cpu_family = host->cpu_model_id = -1;
	if (!text)
		return;
	copy_line(text, "vendor_id", host->cpu_vendor, sizeof(host->cpu_vendor));
	copy_line(text, "model name", host->cpu_model, sizeof(host->cpu_model));
	host->cpu_family = number_of_line(text, "cpu family");
	host->cpu_model_id = number_of_line(text, "model");
	host->phys_bits = physical_bits(text);
	read_flags(text, host);
}
