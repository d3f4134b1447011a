/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing tables into a growing buffer, little endian. After -ENOMEM nothing more is written: the error
 * is looked at once, at the end. */
#ifndef CARVE_VMM_BYTES_H
#define CARVE_VMM_BYTES_H

#include "vmm/boot/acpi.h"

void bytes_put(struct vmm_bytes *b, const void *data, size_t len);
/** bytes_put_le() - the low @len bytes of @v, @len up to 8. */
void bytes_put_le(struct vmm_bytes *b, uint64_t v, size_t len);
void bytes_put_zeros(struct vmm_bytes *b, size_t n);
/** bytes_align() - zeros up to the next multiple of @to. */
void bytes_align(struct vmm_bytes *b, size_t to);
/** bytes_insert() - before offset @at. */
void bytes_insert(struct vmm_bytes *b, size_t at, const void *data, size_t len);
/** bytes_set_le() - overwrite @len bytes at @at, which were written before. */
void bytes_set_le(struct vmm_bytes *b, size_t at, uint64_t v, size_t len);
/** bytes_set_checksum() - at @at, so that @len bytes from @start add up to 0. */
void bytes_set_checksum(struct vmm_bytes *b, size_t start, size_t len, size_t at);

static inline void bytes_put8(struct vmm_bytes *b, uint8_t v)
{
	bytes_put_le(b, v, 1);
}

static inline void bytes_put16(struct vmm_bytes *b, uint16_t v)
{
	bytes_put_le(b, v, 2);
}

static inline void bytes_put32(struct vmm_bytes *b, uint32_t v)
{
	bytes_put_le(b, v, 4);
}

static inline void bytes_put64(struct vmm_bytes *b, uint64_t v)
{
	bytes_put_le(b, v, 8);
}

#endif
