// SPDX-License-Identifier: GPL-2.0-or-later
/* Source: ACPI 6.5 section 6.4 (resource data types). */
#include "vmm/boot/aml.h"

#define TAG_IO 0x47	   /* small, 7 bytes */
#define TAG_MEMORY32 0x86  /* fixed */
#define TAG_INTERRUPT 0x89 /* extended */
#define TAG_DWORD_SPACE 0x87
#define TAG_WORD_SPACE 0x88
#define TAG_QWORD_SPACE 0x8a

#define IO_DECODE_16 1
#define MEMORY_WRITABLE 1
#define INTERRUPT_CONSUMER 0x01
#define INTERRUPT_EDGE 0x02

/* Address spaces: producers, minimum and maximum fixed, positive decode. */
#define SPACE_MEMORY 0
#define SPACE_IO 1
#define SPACE_BUS 2
#define SPACE_FIXED 0x0c
#define SPACE_IO_ENTIRE 0x03	/* ISA and other addresses */
#define SPACE_MEMORY_FLAGS 0x01 /* read-write, not cached */

void aml_io(struct vmm_bytes *b, uint16_t start, uint8_t len)
{
	bytes_put8(b, TAG_IO);
	bytes_put8(b, IO_DECODE_16);
	bytes_put16(b, start);
	bytes_put16(b, start);
	bytes_put8(b, 1);
	bytes_put8(b, len);
}

void aml_edge_interrupt(struct vmm_bytes *b, uint32_t gsi)
{
	bytes_put8(b, TAG_INTERRUPT);
	bytes_put16(b, 6);
	bytes_put8(b, INTERRUPT_CONSUMER | INTERRUPT_EDGE);
	bytes_put8(b, 1);
	bytes_put32(b, gsi);
}

void aml_memory32(struct vmm_bytes *b, uint32_t start, uint32_t len)
{
	bytes_put8(b, TAG_MEMORY32);
	bytes_put16(b, 9);
	bytes_put8(b, MEMORY_WRITABLE);
	bytes_put32(b, start);
	bytes_put32(b, len);
}

/* Granularity, minimum, maximum, translation and length, each of the descriptor's width. */
static void address_space(struct vmm_bytes *b, uint8_t tag, size_t width, uint8_t type,
			  uint8_t flags, uint64_t start, uint64_t len)
{
	const uint64_t fields[] = { 0, start, start + len - 1, 0, len };

	bytes_put8(b, tag);
	bytes_put16(b, (uint16_t)(3 + 5 * width));
	bytes_put8(b, type);
	bytes_put8(b, SPACE_FIXED);
	bytes_put8(b, flags);
	for (size_t i = 0; i < 5; i++)
		bytes_put_le(b, fields[i], width);
}

void aml_bus_window(struct vmm_bytes *b, uint8_t first, uint8_t last)
{
	address_space(b, TAG_WORD_SPACE, 2, SPACE_BUS, 0, first, (uint64_t)last - first + 1);
}

void aml_io_window(struct vmm_bytes *b, uint16_t start, uint16_t len)
{
	address_space(b, TAG_WORD_SPACE, 2, SPACE_IO, SPACE_IO_ENTIRE, start, len);
}

void aml_memory_window(struct vmm_bytes *b, const struct vmm_window *w, bool is_64bit)
{
	address_space(b, is_64bit ? TAG_QWORD_SPACE : TAG_DWORD_SPACE, is_64bit ? 8 : 4,
		      SPACE_MEMORY, SPACE_MEMORY_FLAGS, w->start, w->size);
}
