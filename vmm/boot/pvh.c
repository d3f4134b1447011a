// SPDX-License-Identifier: GPL-2.0-or-later
/* PVH: 32-bit entry, a start info in ebx (Xen docs/misc/pvh.pandoc, public/arch-x86/hvm/start_info.h). */
#include <string.h>

#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define MAGIC 0x336ec578
#define VERSION 1

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp, memmap;
	uint32_t memmap_entries, reserved;
};

struct module {
	uint64_t address, size, cmdline, reserved;
};

struct memory_entry {
	uint64_t address, size;
	uint32_t type, reserved;
};

/** struct page - all of it, at VMM_START_INFO */
struct page {
	struct start_info info;
	struct module initrd;
	struct memory_entry memory[VMM_BOOT_REGIONS];
};
_Static_assert(sizeof(struct start_info) == 56, "as in the header of Xen");
_Static_assert(sizeof(struct memory_entry) == 24, "as in the header of Xen");
_Static_assert(VMM_START_INFO + sizeof(struct page) <= VMM_ZERO_PAGE, "one page");

static int fill_memory(const struct vmm_boot *b, struct page *page)
{
	struct vmm_boot_region regions[VMM_BOOT_REGIONS];
	size_t n;
	int r = vmm_boot_regions(b, regions, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		page->memory[i] = (struct memory_entry){ regions[i].start, regions[i].size,
							 regions[i].type, 0 };
	page->info.memmap = VMM_START_INFO + offsetof(struct page, memory);
	page->info.memmap_entries = (uint32_t)n;
	return 0;
}

static int put_info(const struct vmm_boot *b)
{
	struct page page = {
		.info = {
			.magic = MAGIC,
			.version = VERSION,
			.cmdline = VMM_CMDLINE,
			.rsdp = b->in->rsdp,
		},
	};
	int r = fill_memory(b, &page);

	if (r < 0)
		return r;
	if (b->initrd) {
		page.info.nr_modules = 1;
		page.info.modules = VMM_START_INFO + offsetof(struct page, initrd);
		page.initrd = (struct module){ .address = b->initrd, .size = b->initrd_size };
	}
	return vmm_boot_write(b, VMM_START_INFO, &page, sizeof(page));
}

int vmm_boot_pvh(struct vmm_boot *b, uint64_t entry, struct vmm_entry *ret)
{
	int r = vmm_boot_put_initrd(b, VMM_LOW_END, false);

	if (r < 0)
		return r;
	r = vmm_boot_put_cmdline(b, NULL, VMM_BOOT_LINUX_CMDLINE);
	if (r < 0)
		return r;
	r = put_info(b);
	if (r < 0)
		return r;
	r = vmm_boot_enter_flat(b, entry, "ELF (PVH)", ret);
	ret->rbx = VMM_START_INFO;
	return r;
}
