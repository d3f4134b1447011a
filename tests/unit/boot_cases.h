/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory and small images for tests of the boot loader. */
#ifndef CARVE_TESTS_UNIT_BOOT_CASES_H
#define CARVE_TESTS_UNIT_BOOT_CASES_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/boot/loader.h"

#define BOOT_MIB (1ULL << 20)
#define BOOT_LOW (64 * BOOT_MIB)    /* RAM from 0, in two pieces of 32 MiB */
#define BOOT_HIGH_AT 0x100000000ULL /* and 16 MiB at 4 GiB */
#define BOOT_HIGH (16 * BOOT_MIB)

/** struct boot_guest - memory whose pieces lie apart in the host, and the plan that says the same */
struct boot_guest {
	struct vmm_ram rams[3];
	struct vmm_memory memory;
	struct plan_range ranges[4];
	struct plan plan;
	struct vmm_boot_input in;
	struct vmm_entry entry;
	struct cv_error err;
};

void boot_guest_init(struct boot_guest *g);
void boot_guest_done(struct boot_guest *g);
/** boot_guest_at() - fails the test when it is not RAM. */
void *boot_guest_at(const struct boot_guest *g, uint64_t gpa, uint64_t len);
/** boot_guest_load() - @kernel in a memfd; the descriptor is closed again. */
int boot_guest_load(struct boot_guest *g, const void *kernel, size_t len);
/** boot_guest_initrd() - of @size bytes, sparse, with a mark at both ends. */
void boot_guest_initrd(struct boot_guest *g, uint64_t size);
/** boot_guest_refuses() - that image is refused with this errno and code, all texts filled. */
void boot_guest_refuses(struct boot_guest *g, const void *kernel, size_t len, int r,
			const char *code, const char *found);

#define BOOT_BZ_SETUP 2 /* sectors behind the first */
#define BOOT_BZ_CODE 4096
#define BOOT_BZ_SIZE (512 * (1 + BOOT_BZ_SETUP) + BOOT_BZ_CODE)

struct setup_header;
/** boot_bzimage() - BOOT_BZ_SIZE bytes that begin a good bzImage; every byte of code is its offset. */
struct setup_header *boot_bzimage(uint8_t image[BOOT_BZ_SIZE]);

/** struct boot_elf64 - a good one: text and data loaded at 16 MiB, a note */
struct boot_elf64 {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdrs[3];
	Elf64_Nhdr nhdr;
	char name[4];
	uint64_t entry;
	uint8_t text[256];
} __attribute__((packed));
#define BOOT_ELF_TEXT 0x1000000ULL
#define BOOT_ELF_DATA 0x1200000ULL
void boot_elf64(struct boot_elf64 *e);

/** struct boot_elf32 - a multiboot header and a text at 4 MiB */
struct boot_elf32 {
	Elf32_Ehdr ehdr;
	Elf32_Phdr phdr;
	uint32_t header[8];
	uint8_t text[256];
} __attribute__((packed));
#define BOOT_ELF32_TEXT 0x400000U
void boot_elf32(struct boot_elf32 *e);

#endif
