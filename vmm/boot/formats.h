/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the loaders of the image formats share. Everything read from an image is hostile: each address
 * and size goes through vmm_boot_read() and vmm_boot_place(), which check it. */
#ifndef CARVE_VMM_FORMATS_H
#define CARVE_VMM_FORMATS_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/boot/loader.h"

#define VMM_BOOT_4G 0x100000000ULL
#define VMM_BOOT_1M 0x100000ULL
#define VMM_BOOT_PAGE 4096ULL
#define VMM_BOOT_HEAD 8192 /* a multiboot header lies within (Multiboot 0.6.96 section 3.1) */
#define VMM_BOOT_LINUX_CMDLINE 2047 /* COMMAND_LINE_SIZE of Linux on x86, without the NUL */
#define VMM_BOOT_REGIONS 128	    /* E820_MAX_ENTRIES_ZEROPAGE */
#define VMM_BOOT_SEGMENTS 64

/**
 * struct vmm_boot - one image on its way into the guest
 * @size:         bytes of the kernel's file
 * @head:         its first @n_head bytes
 * @low_end:      RAM from 0 in one piece ends here
 * @kernel_end:   end of what was placed, 0 nothing yet
 * @initrd:       where it was put, 0 none
 */
struct vmm_boot {
	const struct vmm_boot_input *in;
	struct cv_error *err;
	uint64_t size;
	uint8_t head[VMM_BOOT_HEAD];
	size_t n_head;
	uint64_t low_end, kernel_end;
	uint64_t initrd, initrd_size;
};

/* ---- image.c: reading, placing, errors ---- */

/** vmm_boot_bad() - BAD_KERNEL: what it is, what is wanted. Return: -ENOEXEC. */
int vmm_boot_bad(const struct vmm_boot *b, const char *wanted, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** vmm_boot_no_room() - NO_ROOM for @size bytes below @limit. Return: -EFBIG. */
int vmm_boot_no_room(const struct vmm_boot *b, const char *object, uint64_t size, uint64_t limit);
/** vmm_boot_file_size() - of a file or block device. Return: 0, -EINVAL (something else), -errno. */
int vmm_boot_file_size(const struct vmm_boot *b, int fd, const char *name, uint64_t *ret);
/** vmm_boot_read() - @len bytes of the kernel at @offset. Return: 0, -ENOEXEC (ends before), -errno. */
int vmm_boot_read(const struct vmm_boot *b, uint64_t offset, void *buf, size_t len,
		  const char *what);
/** vmm_boot_copy() - from a file into RAM, which has room. Return: 0, -EIO (file ends), -errno. */
int vmm_boot_copy(const struct vmm_boot *b, int fd, const char *name, uint64_t offset, uint64_t gpa,
		  uint64_t len);
/** vmm_boot_fits() - may a part of a kernel lie at [@gpa, @gpa + @size)? */
bool vmm_boot_fits(const struct vmm_boot *b, uint64_t gpa, uint64_t size);
/**
 * vmm_boot_place() - @filesz bytes of the kernel at @offset to @gpa, zeros up to @memsz
 * Return: 0; -ENOEXEC: the file ends before, or memory the kernel must not use; -EFBIG: no room.
 */
int vmm_boot_place(struct vmm_boot *b, const Elf64_Phdr *part, const char *what);
/** vmm_boot_write() - what the VMM makes itself, into the first MiB. Return: 0, -errno. */
int vmm_boot_write(const struct vmm_boot *b, uint64_t gpa, const void *data, size_t len);
/**
 * vmm_boot_put_initrd() - as high as it may lie, page aligned, behind the kernel
 * @limit:         first address that it must not reach
 * @can_be_above:  above 4 GiB when it does not fit below
 */
int vmm_boot_put_initrd(struct vmm_boot *b, uint64_t limit, bool can_be_above);
/**
 * vmm_boot_put_cmdline() - to VMM_CMDLINE
 * @program: first word, NULL none
 * @max:     longest one the kernel takes, without NUL
 */
int vmm_boot_put_cmdline(const struct vmm_boot *b, const char *program, uint64_t max);

/* ---- elf.c ---- */

/** struct vmm_boot_elf - 32-bit headers are widened; @entry as in the file */
struct vmm_boot_elf {
	uint64_t entry;
	Elf64_Phdr parts[VMM_BOOT_SEGMENTS];
	size_t n;
};

bool vmm_boot_is_elf(const struct vmm_boot *b, uint8_t class);
int vmm_boot_read_elf(const struct vmm_boot *b, struct vmm_boot_elf *ret);
/** vmm_boot_elf_entry() - make the entry physical. Return: 0, -ENOEXEC (not within what is loaded). */
int vmm_boot_elf_entry(const struct vmm_boot *b, struct vmm_boot_elf *elf);
int vmm_boot_place_elf(struct vmm_boot *b, const struct vmm_boot_elf *elf);
/** vmm_boot_is_in_elf() - is physical address @gpa within what is loaded? */
bool vmm_boot_is_in_elf(const struct vmm_boot_elf *elf, uint64_t gpa);
/** vmm_boot_find_note() - Return: 1 and the number in the note, 0 none, -errno. */
int vmm_boot_find_note(const struct vmm_boot *b, const struct vmm_boot_elf *elf, const char *name,
		       uint32_t type, uint64_t *ret);

/* ---- one function per format: place all of it and say how to enter ---- */

bool vmm_boot_is_bzimage(const struct vmm_boot *b);
int vmm_boot_bzimage(struct vmm_boot *b, struct vmm_entry *ret);
bool vmm_boot_is_multiboot(const struct vmm_boot *b);
int vmm_boot_multiboot(struct vmm_boot *b, struct vmm_entry *ret);
bool vmm_boot_is_elf64(const struct vmm_boot *b);
int vmm_boot_elf64(struct vmm_boot *b, struct vmm_entry *ret);
int vmm_boot_pvh(struct vmm_boot *b, uint64_t entry, struct vmm_entry *ret);

/* ---- e820.c, boot_params.c, gdt.c ---- */

/** struct vmm_boot_region - @type as in e820: 1 RAM, 2 reserved */
struct vmm_boot_region {
	uint64_t start, size;
	uint32_t type;
};

/** vmm_boot_regions() - the memory map, ascending. Return: 0, -E2BIG with the error filled. */
int vmm_boot_regions(const struct vmm_boot *b, struct vmm_boot_region ret[VMM_BOOT_REGIONS],
		     size_t *ret_n);

struct setup_header;
/** vmm_boot_put_zero_page() - Linux boot parameters. @header: of the image; NULL: made up. */
int vmm_boot_put_zero_page(const struct vmm_boot *b, const struct setup_header *header);
/** vmm_boot_enter_long() - identity page tables and GDT, and registers for 64-bit Linux. */
int vmm_boot_enter_long(const struct vmm_boot *b, uint64_t rip, const char *protocol,
			struct vmm_entry *ret);
/** vmm_boot_enter_flat() - GDT and registers for 32-bit code without paging. */
int vmm_boot_enter_flat(const struct vmm_boot *b, uint64_t rip, const char *protocol,
			struct vmm_entry *ret);

#endif
