// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/boot/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 4096

void vmm_bytes_done(struct vmm_bytes *b)
{
	free(b->data);
	*b = (struct vmm_bytes){ 0 };
}

static bool has_room(struct vmm_bytes *b, size_t len)
{
	size_t size = b->size ? b->size : FIRST_SIZE;
	uint8_t *data;

	if (b->error)
		return false;
	while (size - b->len < len)
		size *= 2;
	if (size == b->size)
		return true;
	data = realloc(b->data, size);
	if (!data) {
		b->error = -ENOMEM;
		return false;
	}
	b->data = data;
	b->size = size;
	return true;
}

void bytes_insert(struct vmm_bytes *b, size_t at, const void *data, size_t len)
{
	if (!len || !has_room(b, len))
		return;
	memmove(b->data + at + len, b->data + at, b->len - at);
	memcpy(b->data + at, data, len);
	b->len += len;
}

void bytes_put(struct vmm_bytes *b, const void *data, size_t len)
{
	bytes_insert(b, b->len, data, len);
}

static void to_le(uint8_t *to, uint64_t v, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(v >> 8 * i);
}

void bytes_put_le(struct vmm_bytes *b, uint64_t v, size_t len)
{
	uint8_t le[8];

	to_le(le, v, len);
	bytes_put(b, le, len);
}

void bytes_put_zeros(struct vmm_bytes *b, size_t n)
{
	if (!has_room(b, n))
		return;
	memset(b->data + b->len, 0, n);
	b->len += n;
}

void bytes_align(struct vmm_bytes *b, size_t to)
{
	bytes_put_zeros(b, (to - b->len % to) % to);
}

void bytes_set_le(struct vmm_bytes *b, size_t at, uint64_t v, size_t len)
{
	if (!b->error)
		to_le(b->data + at, v, len);
}

void bytes_set_checksum(struct vmm_bytes *b, size_t start, size_t len, size_t at)
{
	uint8_t sum = 0;

	if (b->error)
		return;
	b->data[at] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + b->data[start + i]);
	b->data[at] = (uint8_t)-sum;
}
