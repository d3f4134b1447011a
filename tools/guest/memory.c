// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the guest has memory: what its firmware told the kernel. */
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define IOMEM_MAX (256 * 1024)

/* "00100000-3fffffff : System RAM", not indented: the parts of a range are. NULL for another line. */
static json_t *ram_object(const char *line)
{
	char start_text[24], end_text[24];
	uint64_t start, end;
	int used = 0;

	if (sscanf(line, "%23[0-9a-f]-%23[0-9a-f] : %n", start_text, end_text, &used) != 2 ||
	    strcmp(line + used, "System RAM") != 0)
		return NULL;
	if (guest_parse_uint(start_text, 16, &start) < 0 ||
	    guest_parse_uint(end_text, 16, &end) < 0 || end <= start)
		return NULL;
	return json_pack("{sI sI}", "start", (json_int_t)start, "size",
			 (json_int_t)(end - start + 1));
}

json_t *guest_ram(const struct guest *g)
{
	_cleanup_free_ char *text = malloc(IOMEM_MAX);
	json_t *ranges = json_array();
	char *rest, *line;

	if (!text || guest_read_text(g, text, IOMEM_MAX, "proc/iomem") < 0)
		return ranges;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *range = ram_object(line);

		if (range)
			json_array_append_new(ranges, range);
	}
	return ranges;
}
