// SPDX-License-Identifier: GPL-2.0-or-later
/* The 64-bit Linux boot protocol (Documentation/arch/x86/boot.rst). */
#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define SECTOR 512ULL
#define HEADER_AT 0x1f1
#define HEADER_END 0x290    /* the zero page has something else there */
#define LENGTH_AT 0x201	    /* of the header, counted from 0x202 */
#define MAGIC 0x53726448    /* "HdrS" */
#define VERSION_XLOAD 0x20c /* has xloadflags */
#define ENTRY_64 0x200
#define INITRD_MAX 0x37ffffffULL /* when the header says nothing */

#define WANTED "a bzImage of boot protocol 2.12 or newer with a 64-bit entry"

/* Fields beyond the header's own end stay 0. */
static void read_header(const struct vmm_boot *b, struct setup_header *ret)
{
	size_t end = 0x202U + b->head[LENGTH_AT];

	if (end > HEADER_END)
		end = HEADER_END;
	if (end > HEADER_AT + sizeof(*ret))
		end = HEADER_AT + sizeof(*ret);
	*ret = (struct setup_header){ 0 };
	memcpy(ret, b->head + HEADER_AT, end - HEADER_AT);
}

bool vmm_boot_is_bzimage(const struct vmm_boot *b)
{
	struct setup_header h;

	if (b->n_head < HEADER_END)
		return false;
	read_header(b, &h);
	return h.boot_flag == 0xaa55 && h.header == MAGIC;
}

static int check_header(const struct vmm_boot *b, const struct setup_header *h)
{
	if (h->version < VERSION_XLOAD)
		return vmm_boot_bad(b, WANTED, "boot protocol %u.%02u", h->version >> 8,
				    h->version & 0xffU);
	if (!(h->xloadflags & XLF_KERNEL_64))
		return vmm_boot_bad(b, WANTED, "a 32-bit bzImage (xloadflags 0x%x)", h->xloadflags);
	if (!(h->loadflags & LOADED_HIGH))
		return vmm_boot_bad(b, WANTED, "a zImage (loadflags 0x%x)", h->loadflags);
	if (h->relocatable_kernel &&
	    (h->kernel_alignment == 0 || (h->kernel_alignment & (h->kernel_alignment - 1))))
		return vmm_boot_bad(b, "an alignment that is a power of two",
				    "kernel_alignment 0x%x", h->kernel_alignment);
	return 0;
}

/* The 64-bit code: behind the real-mode code, as many paragraphs as the header says. */
static int find_code(const struct vmm_boot *b, const struct setup_header *h, Elf64_Phdr *ret)
{
	uint64_t start = ((h->setup_sects ? h->setup_sects : 4) + 1) * SECTOR;
	uint64_t said = (uint64_t)h->syssize * 16, there = b->size > start ? b->size - start : 0;

	if (said <= ENTRY_64 || there + 15 < said)
		return vmm_boot_bad(b, "all of the code that the header names",
				    "%llu bytes of 64-bit code, the header says %llu",
				    (unsigned long long)there, (unsigned long long)said);
	ret->p_offset = start;
	ret->p_filesz = said < there ? said : there;
	ret->p_memsz = h->init_size > ret->p_filesz ? h->init_size : ret->p_filesz;
	return 0;
}

static uint64_t align_up(uint64_t at, uint64_t alignment)
{
	return (at + alignment - 1) & ~(alignment - 1);
}

/* Where it was built for; a relocatable one goes elsewhere when that is not free. */
static uint64_t choose_address(const struct vmm_boot *b, const struct setup_header *h,
			       uint64_t size)
{
	uint64_t at = h->pref_address ? h->pref_address : VMM_KERNEL;

	if (vmm_boot_fits(b, at, size) || !h->relocatable_kernel)
		return at;
	return align_up(VMM_KERNEL, h->kernel_alignment);
}

static int put_data(struct vmm_boot *b, const struct setup_header *h)
{
	uint64_t limit = (h->initrd_addr_max ? h->initrd_addr_max : INITRD_MAX) + 1ULL;
	int r = vmm_boot_put_initrd(b, limit, h->xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G);

	if (r < 0)
		return r;
	r = vmm_boot_put_cmdline(b, NULL, h->cmdline_size);
	return r < 0 ? r : vmm_boot_put_zero_page(b, h);
}

int vmm_boot_bzimage(struct vmm_boot *b, struct vmm_entry *ret)
{
	struct setup_header h;
	Elf64_Phdr code = { 0 };
	int r;

	read_header(b, &h);
	r = check_header(b, &h);
	if (r < 0)
		return r;
	r = find_code(b, &h, &code);
	if (r < 0)
		return r;
	code.p_paddr = choose_address(b, &h, code.p_memsz);
	r = vmm_boot_place(b, &code, "64-bit code");
	if (r < 0)
		return r;
	r = put_data(b, &h);
	return r < 0 ? r : vmm_boot_enter_long(b, code.p_paddr + ENTRY_64, "bzImage", ret);
}
