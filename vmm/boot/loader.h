/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting a kernel into the guest's memory and telling how its first vCPU begins. Reads descriptors and
 * writes guest memory; knows nothing of KVM. */
#ifndef CARVE_VMM_LOADER_H
#define CARVE_VMM_LOADER_H

#include <stdint.h>

#include "base/error.h"
#include "vmm/core/memory.h"

/** enum vmm_mode - processor mode at the first instruction */
enum vmm_mode {
	VMM_MODE_LONG,	    /* 64-bit, identity-mapped (Linux Documentation/arch/x86/boot.rst) */
	VMM_MODE_PROTECTED, /* 32-bit, flat, no paging (PVH, multiboot) */
};

/** struct vmm_entry - how vCPU 0 begins */
struct vmm_entry {
	enum vmm_mode mode;
	uint64_t rip;
	uint64_t rax, rbx,
		rsi;  /* multiboot: magic, info; PVH: rbx start info; Linux: rsi zero page */
	uint64_t cr3; /* VMM_MODE_LONG */
	uint64_t gdt; /* address of the GDT: null, code (0x10), data (0x18) */
	uint16_t gdt_limit;
	const char *protocol; /* "bzImage", "ELF (PVH)", "ELF 64-bit", "multiboot" */
};

#define VMM_LOAD_PIECES_MAX 64

/**
 * struct vmm_load_later - what is checked and still has to be put into memory, in this order
 * @fd: of kernel or initrd, as in the vmm_boot_input; -1: zeros
 */
struct vmm_load_later {
	struct vmm_load_piece {
		int fd;
		const char *name;
		uint64_t offset, gpa, len; /* bytes */
	} pieces[VMM_LOAD_PIECES_MAX];
	size_t n;
};

/**
 * struct vmm_boot_input - what to boot; borrowed
 * @kernel_fd: readable, seekable; @kernel_name for messages
 * @initrd_fd: -1 none
 * @cmdline:   "" none
 * @rsdp:      guest address of the ACPI RSDP, 0 none
 * @later:     large parts are only noted there, for vmm_load_rest(); NULL: all is loaded at once
 */
struct vmm_boot_input {
	const struct vmm_memory *memory;
	const struct plan *plan;
	int kernel_fd, initrd_fd;
	const char *kernel_name, *initrd_name;
	const char *cmdline;
	uint64_t rsdp;
	struct vmm_load_later *later;
};

/**
 * vmm_load() - recognise the image (multiboot header, bzImage 2.12 or newer with a 64-bit entry, ELF
 * with a PVH note, ELF 64-bit), load it with initrd, command line, boot parameters, memory map, GDT and
 * page tables
 * Return: 0; -ENOEXEC with @err BAD_KERNEL (what it is, what is wanted); -EFBIG with NO_ROOM (initrd or
 * kernel larger than memory: found, wanted); -EINVAL; -errno.
 */
int vmm_load(const struct vmm_boot_input *in, struct vmm_entry *ret, struct cv_error *err);
/**
 * vmm_load_rest() - put what vmm_load() noted into memory
 * Context: other threads may fill the memory meanwhile.
 * Return: 0, -EIO (a file became shorter), -ENOMEM (no page), -errno.
 */
int vmm_load_rest(const struct vmm_memory *m, const struct vmm_load_later *later,
		  struct cv_error *err);

#endif
