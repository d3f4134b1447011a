// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/name_hash.h"

#include <stdio.h>

uint64_t name_hash(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
	return h;
}

void name_mac(uint8_t first, const char *vm, const char *id, char ret[CV_MAC_MAX])
{
	char text[128];

	snprintf(text, sizeof(text), "%s/%s", vm, id);
	uint64_t h = name_hash(text);
	uint8_t bytes[6] = { first,
			     (uint8_t)(h >> 32),
			     (uint8_t)(h >> 24),
			     (uint8_t)(h >> 16),
			     (uint8_t)(h >> 8),
			     (uint8_t)h };
	cv_format_mac(bytes, ret);
}
