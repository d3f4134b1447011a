/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which lines of a file a snapshot holds: what carve reads, nothing that names the site's users. */
#ifndef CARVE_TOOLS_CAPTURE_LINES_H
#define CARVE_TOOLS_CAPTURE_LINES_H

#include <stddef.h>

/**
 * capture_lines() - drops the other lines of a file, in place
 * @text: all of the file at @path, @len bytes and a NUL
 * Return: length that is left; @len where the whole file is captured.
 */
size_t capture_lines(const char *path, char *text, size_t len);

#endif
