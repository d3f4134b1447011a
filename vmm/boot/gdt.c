// SPDX-License-Identifier: GPL-2.0-or-later
/* Segments and page tables for the first instruction (Intel SDM volume 3, sections 3.4.5 and 4.5). */
#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define CODE_64 0x00af9b000000ffffULL
#define CODE_32 0x00cf9b000000ffffULL
#define DATA 0x00cf93000000ffffULL

#define PRESENT_WRITABLE 0x3ULL
#define LARGE 0x80ULL
#define ENTRIES 512
#define GIBS 4
#define LEAF_SIZE (2ULL << 20)

/** struct tables - at VMM_PAGE_TABLES: the first 4 GiB by pages of 2M */
struct tables {
	uint64_t pml4[ENTRIES], pdpt[ENTRIES], pd[GIBS][ENTRIES];
};
_Static_assert(VMM_PAGE_TABLES + sizeof(struct tables) <= 0x10000, "as in layout.h");

static int put_gdt(const struct vmm_boot *b, uint64_t code, struct vmm_entry *ret)
{
	const uint64_t gdt[] = { 0, 0, code, DATA };

	ret->gdt = VMM_GDT;
	ret->gdt_limit = sizeof(gdt) - 1;
	return vmm_boot_write(b, VMM_GDT, gdt, sizeof(gdt));
}

static int put_page_tables(const struct vmm_boot *b)
{
	struct tables t = { .pml4 = { 0 } };
	const uint64_t at = VMM_PAGE_TABLES;

	t.pml4[0] = (at + offsetof(struct tables, pdpt)) | PRESENT_WRITABLE;
	for (size_t i = 0; i < GIBS; i++)
		t.pdpt[i] = (at + offsetof(struct tables, pd) + i * sizeof(t.pd[0])) |
			    PRESENT_WRITABLE;
	for (size_t i = 0; i < (size_t)GIBS * ENTRIES; i++)
		t.pd[i / ENTRIES][i % ENTRIES] = i * LEAF_SIZE | LARGE | PRESENT_WRITABLE;
	return vmm_boot_write(b, at, &t, sizeof(t));
}

int vmm_boot_enter_long(const struct vmm_boot *b, uint64_t rip, const char *protocol,
			struct vmm_entry *ret)
{
	int r = put_page_tables(b);

	if (r < 0)
		return r;
	ret->mode = VMM_MODE_LONG;
	ret->rip = rip;
	ret->rsi = VMM_ZERO_PAGE;
	ret->cr3 = VMM_PAGE_TABLES;
	ret->protocol = protocol;
	return put_gdt(b, CODE_64, ret);
}

int vmm_boot_enter_flat(const struct vmm_boot *b, uint64_t rip, const char *protocol,
			struct vmm_entry *ret)
{
	ret->mode = VMM_MODE_PROTECTED;
	ret->rip = rip;
	ret->protocol = protocol;
	return put_gdt(b, CODE_32, ret);
}
