/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings at addresses that large pages fit. */
#ifndef CARVE_VMM_MAP_H
#define CARVE_VMM_MAP_H

#include <stdint.h>

/**
 * vmm_map_aligned() - @size bytes of @fd from @offset on, read and write, shared, @shift bytes after a
 * multiple of @align
 * @align: a power of two; @size, @shift: whole pages
 * Return: as mmap(2): MAP_FAILED with errno.
 */
void *vmm_map_aligned(int fd, uint64_t offset, uint64_t size, uint64_t align, uint64_t shift);

#endif
