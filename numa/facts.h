/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of small files whose content goes into a struct as it is. */
#ifndef CARVE_NUMA_FACTS_H
#define CARVE_NUMA_FACTS_H

#include <stddef.h>

#include "base/sysroot.h"

/** struct nu_fact - one file; @size: of a text member, 0: the member is an int */
struct nu_fact {
	const char *path;
	size_t offset;
	size_t size;
};

#define NU_TEXT(path, type, member)                                       \
	{                                                                 \
		path, offsetof(type, member), sizeof(((type *)0)->member) \
	}
#define NU_NUMBER(path, type, member)           \
	{                                       \
		path, offsetof(type, member), 0 \
	}

/**
 * nu_facts_read() - all of @facts into the struct at @base
 *
 * What is missing or is no number leaves its member as it is; text that does not fit is cut.
 */
void nu_facts_read(struct cv_sysroot *root, const struct nu_fact *facts, size_t n, void *base);

/** nu_copy_text() - the @len bytes at @text as a string in @buf, cut where they do not fit. */
void nu_copy_text(char *buf, size_t size, const char *text, size_t len);

/**
 * nu_boot_value() - value of the last word "KEY=VALUE" of a kernel command line
 * @key: with the '='
 * Return: its length, with *@ret in @cmdline; -1 when there is none.
 */
ptrdiff_t nu_boot_value(const char *cmdline, const char *key, const char **ret);

#endif
