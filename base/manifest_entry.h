/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of a text manifest: its syntax, both ways (docs/formats/sysroot.md). */
#ifndef CARVE_BASE_MANIFEST_ENTRY_H
#define CARVE_BASE_MANIFEST_ENTRY_H

#include <stddef.h>
#include <stdio.h>

/**
 * struct cv_manifest_entry - one entry
 * @path:     owned, without leading slash
 * @line:     where it starts in the text
 * @data:     encoded contents or link target in the text, checked to be well-formed
 * @data_len: its length
 * @kind:     d, f, b, l or n
 */
struct cv_manifest_entry {
	char *path;
	const char *line;
	const char *data;
	size_t data_len;
	char kind;
};

struct cv_manifest {
	const char *text; /* borrowed, not NUL-terminated */
	size_t len;
	const char *origin;
	struct cv_manifest_entry *entries;
	size_t n;
};

/**
 * cv_manifest_entry_parse() - the line from *@at to @end
 * @at:       moved to the place of the error
 * @ret:      path, kind and data are filled; path may be set on failure as well
 * @ret_what: what is wrong, set for -EINVAL
 * Return: 0, -EINVAL, -ENOMEM.
 */
int cv_manifest_entry_parse(const char **at, const char *end, struct cv_manifest_entry *ret,
			    const char **ret_what);

/** cv_manifest_entry_data() - decoded data, NUL-terminated, owned by the caller. */
int cv_manifest_entry_data(const struct cv_manifest_entry *e, char **ret, size_t *ret_len);

/** cv_manifest_path_cmp() - order of entries: a directory, all below it, then what follows. */
int cv_manifest_path_cmp(const char *a, const char *b);

/* Writers of one line each; @path without leading slash. */
void cv_manifest_write_dir(FILE *out, const char *path);
/** cv_manifest_write_file() - as text when it is plain ASCII, in hex otherwise. */
void cv_manifest_write_file(FILE *out, const char *path, const char *data, size_t len);
void cv_manifest_write_link(FILE *out, const char *path, const char *target);
void cv_manifest_write_node(FILE *out, const char *path, char type, unsigned int mode,
			    unsigned int uid, unsigned int gid);

#endif
