// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/map.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reserved with what the alignment may cost; the rest is given back. */
void *vmm_map_aligned(int fd, uint64_t offset, uint64_t size, uint64_t align, uint64_t shift)
{
	uint64_t reserved = size + align + shift;
	uint8_t *base, *at;
	void *placed;

	if (align <= (uint64_t)sysconf(_SC_PAGESIZE) && shift == 0)
		return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	base = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return MAP_FAILED;
	at = (uint8_t *)((((uintptr_t)base + align - 1) & ~(uintptr_t)(align - 1)) + shift);
	placed = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset);
	if (placed == MAP_FAILED) {
		int r = errno;

		munmap(base, reserved);
		errno = r;
		return MAP_FAILED;
	}
	if (at > base)
		munmap(base, (size_t)(at - base));
	if (at + size < base + reserved)
		munmap(at + size, (size_t)(base + reserved - (at + size)));
	return placed;
}
