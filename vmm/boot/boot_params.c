// SPDX-License-Identifier: GPL-2.0-or-later
/* The zero page of Linux (Documentation/arch/x86/zero-page.rst). */
#include <asm/bootparam.h>

#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define LOADER_UNKNOWN 0xff
#define MAGIC 0x53726448 /* "HdrS" */

/* A vmlinux has no header of its own: what its C code looks at. */
static const struct setup_header made_up = {
	.boot_flag = 0xaa55,
	.header = MAGIC,
	.version = 0x20f,
	.loadflags = LOADED_HIGH,
	.kernel_alignment = 0x200000,
	.cmdline_size = VMM_BOOT_LINUX_CMDLINE,
};

static int fill_memory(const struct vmm_boot *b, struct boot_params *bp)
{
	struct vmm_boot_region regions[VMM_BOOT_REGIONS];
	size_t n;
	int r = vmm_boot_regions(b, regions, &n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		bp->e820_table[i] = (struct boot_e820_entry){ regions[i].start, regions[i].size,
							      regions[i].type };
	bp->e820_entries = (uint8_t)n;
	return 0;
}

int vmm_boot_put_zero_page(const struct vmm_boot *b, const struct setup_header *header)
{
	struct boot_params bp = { .hdr = header ? *header : made_up };
	int r = fill_memory(b, &bp);

	if (r < 0)
		return r;
	bp.hdr.type_of_loader = LOADER_UNKNOWN;
	bp.hdr.setup_data = 0;
	bp.hdr.cmd_line_ptr = (uint32_t)VMM_CMDLINE;
	bp.hdr.ramdisk_image = (uint32_t)b->initrd;
	bp.hdr.ramdisk_size = (uint32_t)b->initrd_size;
	bp.ext_ramdisk_image = (uint32_t)(b->initrd >> 32);
	bp.ext_ramdisk_size = (uint32_t)(b->initrd_size >> 32);
	bp.acpi_rsdp_addr = b->in->rsdp;
	return vmm_boot_write(b, VMM_ZERO_PAGE, &bp, sizeof(bp));
}
