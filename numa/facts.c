// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/facts.h"

#include <string.h>

#include "base/cleanup.h"

void nu_copy_text(char *buf, size_t size, const char *text, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(buf, text, len);
	buf[len] = '\0';
}

static void read_text(struct cv_sysroot *root, const struct nu_fact *f, char *buf)
{
	_cleanup_free_ char *text = NULL;

	if (cv_read_str(root, f->path, &text) == 0)
		nu_copy_text(buf, f->size, text, strlen(text));
}

static void read_number(struct cv_sysroot *root, const struct nu_fact *f, void *member)
{
	int n;

	if (cv_read_int(root, f->path, &n) == 0)
		memcpy(member, &n, sizeof(n));
}

void nu_facts_read(struct cv_sysroot *root, const struct nu_fact *facts, size_t n, void *base)
{
	for (size_t i = 0; i < n; i++) {
		char *member = (char *)base + facts[i].offset;

		if (facts[i].size > 0)
			read_text(root, &facts[i], member);
		else
			read_number(root, &facts[i], member);
	}
}

ptrdiff_t nu_boot_value(const char *cmdline, const char *key, const char **ret)
{
	ptrdiff_t found = -1;
	size_t n = strlen(key);

	for (const char *word = cmdline; *word;) {
		size_t len;

		word += strspn(word, " \t\n");
		len = strcspn(word, " \t\n");
		if (len >= n && memcmp(word, key, n) == 0) {
			*ret = word + n;
			found = (ptrdiff_t)(len - n);
		}
		word += len;
	}
	return found;
}
