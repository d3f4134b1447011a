// SPDX-License-Identifier: GPL-2.0-or-later
/* Multiboot 1 (GNU Multiboot Specification 0.6.96): small 32-bit test programs. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define MAGIC 0x1badb002U
#define LOADED 0x2badb002U	/* in eax */
#define FLAG_ADDRESSES 0x10000U /* the header says where it is loaded */
#define FLAG_REQUIRED \
	0xfffcU /* what must be understood, beyond page-aligned modules and memory size */

#define INFO_MEMORY 0x1U
#define INFO_CMDLINE 0x4U
#define INFO_MODULES 0x8U
#define INFO_MMAP 0x40U
#define INFO_LOADER 0x200U

struct header {
	uint32_t magic, flags, checksum;
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

struct info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};

struct module {
	uint32_t start, end, string, reserved;
};

struct memory_entry {
	uint32_t size; /* of what follows */
	uint64_t address, length;
	uint32_t type;
} __attribute__((packed));

/** struct page - all of it, at VMM_START_INFO */
struct page {
	struct info info;
	struct module initrd;
	char initrd_name[256];
	char loader_name[16];
	struct memory_entry memory[VMM_BOOT_REGIONS];
};
_Static_assert(VMM_START_INFO + sizeof(struct page) <= VMM_ZERO_PAGE, "one page");

#define ADDRESS_OF(member) ((uint32_t)(VMM_START_INFO + offsetof(struct page, member)))

/* ---- recognising it ---- */

/* The header without addresses has 12 bytes. Return: its offset, -1. */
static int find_header(const struct vmm_boot *b, struct header *ret)
{
	for (size_t at = 0; at + 12 <= b->n_head; at += 4) {
		size_t left = b->n_head - at;

		*ret = (struct header){ 0 };
		memcpy(ret, b->head + at, left < sizeof(*ret) ? left : sizeof(*ret));
		if (ret->magic == MAGIC && ret->magic + ret->flags + ret->checksum == 0)
			return (int)at;
	}
	return -1;
}

/* A 64-bit ELF that also has the header is left to the other loaders. */
bool vmm_boot_is_multiboot(const struct vmm_boot *b)
{
	struct header h;

	if (find_header(b, &h) < 0)
		return false;
	return (h.flags & FLAG_ADDRESSES) || !vmm_boot_is_elf(b, ELFCLASS64);
}

/* ---- placing it ---- */

static int bad_addresses(const struct vmm_boot *b, const struct header *h)
{
	return vmm_boot_bad(b, "load <= header < load end <= bss end",
			    "multiboot addresses: header 0x%x, load 0x%x-0x%x, bss to 0x%x",
			    h->header_addr, h->load_addr, h->load_end_addr, h->bss_end_addr);
}

/* Section 3.1.3: the text begins as far before the header as load_addr is below header_addr. */
static int place_by_header(struct vmm_boot *b, const struct header *h, uint32_t at)
{
	uint32_t before = h->header_addr - h->load_addr;
	Elf64_Phdr part = { .p_paddr = h->load_addr };

	if (h->header_addr < h->load_addr || before > at)
		return bad_addresses(b, h);
	part.p_offset = at - before;
	part.p_filesz = b->size - part.p_offset;
	if (h->load_end_addr) {
		if (h->load_end_addr <= h->header_addr)
			return bad_addresses(b, h);
		part.p_filesz = h->load_end_addr - h->load_addr;
	}
	part.p_memsz = part.p_filesz;
	if (h->bss_end_addr) {
		if (h->bss_end_addr < h->load_addr + part.p_filesz)
			return bad_addresses(b, h);
		part.p_memsz = h->bss_end_addr - h->load_addr;
	}
	return vmm_boot_place(b, &part, "multiboot text");
}

static int place_elf(struct vmm_boot *b, uint64_t *ret_entry)
{
	struct vmm_boot_elf elf;
	int r;

	if (!vmm_boot_is_elf(b, ELFCLASS32))
		return vmm_boot_bad(b, "a 32-bit ELF for i386, or addresses in the header",
				    "a multiboot header in a file of another kind");
	r = vmm_boot_read_elf(b, &elf);
	if (r < 0)
		return r;
	r = vmm_boot_elf_entry(b, &elf);
	if (r < 0)
		return r;
	*ret_entry = elf.entry;
	return vmm_boot_place_elf(b, &elf);
}

static int place(struct vmm_boot *b, uint64_t *ret_entry)
{
	struct header h;
	int at = find_header(b, &h);

	if (h.flags & FLAG_REQUIRED)
		return vmm_boot_bad(b, "none but page-aligned modules and memory size (0x3)",
				    "multiboot features 0x%x", h.flags & 0xffffU);
	*ret_entry = h.entry_addr;
	return h.flags & FLAG_ADDRESSES ? place_by_header(b, &h, (uint32_t)at)
					: place_elf(b, ret_entry);
}

/* ---- what it is told ---- */

static int fill_memory(const struct vmm_boot *b, struct page *page)
{
	struct vmm_boot_region regions[VMM_BOOT_REGIONS];
	size_t n;
	int r = vmm_boot_regions(b, regions, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		page->memory[i] = (struct memory_entry){ sizeof(struct memory_entry) - 4,
							 regions[i].start, regions[i].size,
							 regions[i].type };
	page->info.flags |= INFO_MMAP | INFO_MEMORY;
	page->info.mmap_addr = ADDRESS_OF(memory);
	page->info.mmap_length = (uint32_t)(n * sizeof(struct memory_entry));
	page->info.mem_lower = (uint32_t)(VMM_LOW_RESERVED / 1024);
	page->info.mem_upper = (uint32_t)((b->low_end - VMM_BOOT_1M) / 1024);
	return 0;
}

static void fill_initrd(const struct vmm_boot *b, struct page *page)
{
	if (!b->initrd)
		return;
	snprintf(page->initrd_name, sizeof(page->initrd_name), "%s", b->in->initrd_name);
	page->info.flags |= INFO_MODULES;
	page->info.mods_count = 1;
	page->info.mods_addr = ADDRESS_OF(initrd);
	page->initrd = (struct module){ (uint32_t)b->initrd, (uint32_t)(b->initrd + b->initrd_size),
					ADDRESS_OF(initrd_name), 0 };
}

static int put_info(const struct vmm_boot *b)
{
	struct page page = {
		.info = {
			.flags = INFO_CMDLINE | INFO_LOADER,
			.cmdline = VMM_CMDLINE,
			.loader_name = ADDRESS_OF(loader_name),
		},
		.loader_name = "carve-vmm",
	};
	int r = fill_memory(b, &page);

	if (r < 0)
		return r;
	fill_initrd(b, &page);
	return vmm_boot_write(b, VMM_START_INFO, &page, sizeof(page));
}

/* Programs read their arguments from the second word on: the first is the image's name. */
int vmm_boot_multiboot(struct vmm_boot *b, struct vmm_entry *ret)
{
	uint64_t entry = 0;
	int r = place(b, &entry);

	if (r < 0)
		return r;
	if (!vmm_boot_fits(b, entry, 1))
		return vmm_boot_bad(b, "an entry in the kernel's memory", "its entry at 0x%llx",
				    (unsigned long long)entry);
	r = vmm_boot_put_initrd(b, VMM_LOW_END, false);
	if (r < 0)
		return r;
	r = vmm_boot_put_cmdline(b, b->in->kernel_name, VMM_CMDLINE_MAX - 1);
	if (r < 0)
		return r;
	r = put_info(b);
	if (r < 0)
		return r;
	r = vmm_boot_enter_flat(b, entry, "multiboot", ret);
	ret->rax = LOADED;
	ret->rbx = VMM_START_INFO;
	return r;
}
