// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels of each format, as small images made here: where their parts, the initrd, the command line and
 * the boot data lie, how they are entered; and images that lie. */
#include <asm/bootparam.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "boot_cases.h"
#include "vmm/core/layout.h"

static int setup(void **state)
{
	static struct boot_guest g;

	boot_guest_init(&g);
	*state = &g;
	return 0;
}

static int teardown(void **state)
{
	boot_guest_done(*state);
	return 0;
}

static uint64_t word(const struct boot_guest *g, uint64_t gpa, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, boot_guest_at(g, gpa, len), len);
	return value;
}

static void assert_initrd(const struct boot_guest *g, uint64_t at, uint64_t size)
{
	assert_memory_equal(boot_guest_at(g, at, 4), "FRST", 4);
	assert_memory_equal(boot_guest_at(g, at + size - 4, 4), "LAST", 4);
}

/* ---- bzImage ---- */

static void test_bzimage(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	const struct boot_params *bp;

	boot_bzimage(image);
	boot_guest_initrd(g, 3 * 4096 + 1);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(g->entry.mode, VMM_MODE_LONG);
	assert_int_equal(g->entry.rip, 0x1000200);
	assert_int_equal(g->entry.rsi, VMM_ZERO_PAGE);
	assert_string_equal(g->entry.protocol, "bzImage");
	assert_memory_equal(boot_guest_at(g, 0x1000000, BOOT_BZ_CODE),
			    image + 512 * (1 + BOOT_BZ_SETUP), BOOT_BZ_CODE);
	bp = boot_guest_at(g, VMM_ZERO_PAGE, sizeof(*bp));
	assert_int_equal(bp->sentinel, 0);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->hdr.version, 0x20f);
	assert_int_equal(bp->hdr.cmd_line_ptr, VMM_CMDLINE);
	assert_int_equal(bp->ext_cmd_line_ptr, 0);
	assert_string_equal(boot_guest_at(g, VMM_CMDLINE, 13), "console=hvc0");
	assert_int_equal(bp->hdr.ramdisk_image, BOOT_LOW - 4 * 4096);
	assert_int_equal(bp->hdr.ramdisk_size, 3 * 4096 + 1);
	assert_int_equal(bp->ext_ramdisk_image, 0);
	assert_initrd(g, BOOT_LOW - 4 * 4096, 3 * 4096 + 1);
	assert_int_equal(bp->acpi_rsdp_addr, 0xa0000);
}

static void assert_e820(const struct boot_params *bp, size_t i, uint64_t start, uint64_t end,
			uint32_t type)
{
	assert_true(i < bp->e820_entries);
	assert_true(bp->e820_table[i].addr == start);
	assert_true(bp->e820_table[i].size == end - start);
	assert_int_equal(bp->e820_table[i].type, type);
}

static void test_e820(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	const struct boot_params *bp;

	boot_bzimage(image);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	bp = boot_guest_at(g, VMM_ZERO_PAGE, sizeof(*bp));
	assert_int_equal(bp->e820_entries, 6);
	assert_e820(bp, 0, 0, VMM_LOW_RESERVED, 1);
	assert_e820(bp, 1, VMM_LOW_RESERVED, BOOT_MIB, 2);
	assert_e820(bp, 2, BOOT_MIB, BOOT_LOW / 2, 1);
	assert_e820(bp, 3, BOOT_LOW / 2, BOOT_LOW, 1);
	assert_e820(bp, 4, VMM_ECAM, VMM_ECAM + VMM_ECAM_SIZE, 2);
	assert_e820(bp, 5, BOOT_HIGH_AT, BOOT_HIGH_AT + BOOT_HIGH, 1);
	assert_int_equal(bp->hdr.ramdisk_image, 0);
	assert_int_equal(bp->hdr.ramdisk_size, 0);
}

/* Walks the tables as a processor does. */
static uint64_t translate(const struct boot_guest *g, uint64_t at)
{
	uint64_t pdpt = word(g, g->entry.cr3 + (at >> 39 & 511) * 8, 8);
	uint64_t pd = word(g, (pdpt & ~0xfffULL) + (at >> 30 & 511) * 8, 8);
	uint64_t leaf = word(g, (pd & ~0xfffULL) + (at >> 21 & 511) * 8, 8);

	assert_true((pdpt & 3) == 3 && (pd & 0x83) == 3 && (leaf & 0x83) == 0x83);
	return (leaf & ~0x1fffffULL) + (at & 0x1fffff);
}

static void test_long_mode(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];

	boot_bzimage(image);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(g->entry.cr3, VMM_PAGE_TABLES);
	assert_true(translate(g, 0) == 0);
	assert_true(translate(g, 0x1000200) == 0x1000200);
	assert_true(translate(g, 0x7fedcba9) == 0x7fedcba9);
	assert_true(translate(g, 0xffffffff) == 0xffffffff);
	assert_int_equal(g->entry.gdt, VMM_GDT);
	assert_int_equal(g->entry.gdt_limit, 31);
	assert_true(word(g, VMM_GDT, 8) == 0);
	assert_true(word(g, VMM_GDT + 0x10, 8) == 0x00af9b000000ffff);
	assert_true(word(g, VMM_GDT + 0x18, 8) == 0x00cf93000000ffff);
}

static void test_bzimage_address(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	struct setup_header *h = boot_bzimage(image);

	h->pref_address = 0x1400000;
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(g->entry.rip, 0x1400200);
	h->pref_address = 0x10000000000; /* not there: where it fits instead */
	h->kernel_alignment = 0x2000000;
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(g->entry.rip, 0x2000200);
	h->relocatable_kernel = 0;
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "8M needed");
	h->pref_address = 0x40000000;
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "8M needed");
	h->pref_address = 0x8000; /* where the page tables are */
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "0x8000");
	h->pref_address = UINT64_MAX - 5;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "0xfffffffffffffffa");
}

static void test_bzimage_refusals(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	struct setup_header *h = boot_bzimage(image);

	h->xloadflags = 0;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "32-bit bzImage");
	h = boot_bzimage(image);
	h->version = 0x20b;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "protocol 2.11");
	h = boot_bzimage(image);
	h->loadflags = 0;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "zImage");
	h = boot_bzimage(image);
	h->kernel_alignment = 3;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "kernel_alignment 0x3");
	h = boot_bzimage(image);
	h->syssize = 0xffffffff;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "68719476720");
	h->syssize = 0x20;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "512");
	h = boot_bzimage(image);
	boot_guest_refuses(g, image, sizeof(image) - 16, -ENOEXEC, "BAD_KERNEL", "4080 bytes");
	boot_guest_refuses(g, image, 1024, -ENOEXEC, "BAD_KERNEL", "0 bytes");
	h->setup_sects = 255;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "0 bytes");
	h = boot_bzimage(image);
	h->init_size = 0xffffffff;
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "needed");
}

/* A header that ends early or late brings nothing of its neighbours into the zero page. */
static void test_bzimage_header_end(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	struct setup_header *h = boot_bzimage(image);
	const struct boot_params *bp;

	h->jump = 0xffeb;
	memset(image + 0x26c, 0xee, 0x290 - 0x26c + 64);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	bp = boot_guest_at(g, VMM_ZERO_PAGE, sizeof(*bp));
	assert_int_equal(bp->edd_mbr_sig_buffer[0], 0);
	h->jump = 0x3eeb; /* up to 0x240: xloadflags and cmdline_size are in, pref_address is not */
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(bp->hdr.pref_address, 0);
	assert_int_equal(g->entry.rip, VMM_KERNEL + 0x200);
	h->jump = 0x08eb;
	boot_guest_refuses(g, image, sizeof(image), -ENOEXEC, "BAD_KERNEL", "");
}

/* ---- initrd and command line ---- */

static void test_initrd_limit(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	struct setup_header *h = boot_bzimage(image);
	const struct boot_params *bp = boot_guest_at(g, VMM_ZERO_PAGE, sizeof(*bp));

	h->initrd_addr_max = 0x27fffff;
	boot_guest_initrd(g, BOOT_MIB);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(bp->hdr.ramdisk_image, 0x2700000);
	assert_initrd(g, 0x2700000, BOOT_MIB);
	/* across two pieces of RAM */
	h->initrd_addr_max = 0x20fffff;
	h->pref_address = 0x400000;
	boot_guest_initrd(g, 4 * BOOT_MIB);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(bp->hdr.ramdisk_image, 0x1d00000);
	assert_initrd(g, 0x1d00000, 4 * BOOT_MIB);
	/* up to the kernel, and no further */
	h->initrd_addr_max = 0xffffff;
	boot_guest_initrd(g, 4 * BOOT_MIB);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(bp->hdr.ramdisk_image, 0xc00000);
	h->xloadflags = XLF_KERNEL_64;
	boot_guest_initrd(g, 4 * BOOT_MIB + 1);
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "4194305 needed");
	assert_string_equal(g->err.object, "/boot/initrd");
}

static void test_initrd_above(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	struct setup_header *h = boot_bzimage(image);
	const struct boot_params *bp = boot_guest_at(g, VMM_ZERO_PAGE, sizeof(*bp));

	h->initrd_addr_max = 0x1ffffff;
	boot_guest_initrd(g, 10 * BOOT_MIB);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_int_equal(bp->ext_ramdisk_image, 1);
	assert_int_equal(bp->hdr.ramdisk_image, BOOT_HIGH - 10 * BOOT_MIB);
	assert_int_equal(bp->ext_ramdisk_size, 0);
	assert_initrd(g, BOOT_HIGH_AT + BOOT_HIGH - 10 * BOOT_MIB, 10 * BOOT_MIB);
	boot_guest_initrd(g, 17 * BOOT_MIB);
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "17M needed");
	h->xloadflags = XLF_KERNEL_64;
	boot_guest_initrd(g, 10 * BOOT_MIB);
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "10M needed");
}

static void test_initrd_refusals(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	int fds[2];

	boot_bzimage(image);
	boot_guest_initrd(g, 1ULL << 40);
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "1T needed");
	boot_guest_initrd(g, 0);
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), -EINVAL);
	assert_string_equal(g->err.code, "BAD_INITRD");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	cv_cleanup_close(&g->in.initrd_fd);
	g->in.initrd_fd = fds[0];
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), -EINVAL);
	assert_string_equal(g->err.code, "NOT_A_FILE");
	close(fds[1]);
}

static void test_cmdline(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	struct setup_header *h = boot_bzimage(image);
	char text[VMM_CMDLINE_MAX + 2];

	memset(text, 'a', sizeof(text));
	text[2047] = '\0';
	g->in.cmdline = text;
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_string_equal(boot_guest_at(g, VMM_CMDLINE, 2048), text);
	text[2047] = 'a';
	text[2048] = '\0';
	boot_guest_refuses(g, image, sizeof(image), -EINVAL, "CMDLINE_LENGTH", "2048 bytes");
	h->cmdline_size = 0xffffffff;
	text[2048] = 'a';
	text[VMM_CMDLINE_MAX] = '\0';
	boot_guest_refuses(g, image, sizeof(image), -EINVAL, "CMDLINE_LENGTH", "65536 bytes");
	text[VMM_CMDLINE_MAX - 1] = '\0';
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	g->in.cmdline = "";
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	assert_string_equal(boot_guest_at(g, VMM_CMDLINE, 1), "");
}

/* ---- ELF ---- */

static void test_elf64(void **state)
{
	struct boot_guest *g = *state;
	struct boot_elf64 e;
	const struct boot_params *bp = boot_guest_at(g, VMM_ZERO_PAGE, sizeof(*bp));

	boot_elf64(&e);
	e.nhdr.n_type = 17;
	memset(boot_guest_at(g, BOOT_ELF_DATA, 0x10000), 0xaa, 0x10000);
	boot_guest_initrd(g, 4096);
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_int_equal(g->entry.mode, VMM_MODE_LONG);
	assert_int_equal(g->entry.rip, BOOT_ELF_TEXT + 0x10);
	assert_int_equal(g->entry.rsi, VMM_ZERO_PAGE);
	assert_string_equal(g->entry.protocol, "ELF 64-bit");
	assert_memory_equal(boot_guest_at(g, BOOT_ELF_TEXT, 256), e.text, 256);
	assert_int_equal(word(g, BOOT_ELF_DATA, 8), 0x90909090);
	assert_int_equal(word(g, BOOT_ELF_DATA + 0xfff8, 8), 0);
	assert_int_equal(bp->hdr.boot_flag, 0xaa55);
	assert_int_equal(bp->hdr.type_of_loader, 0xff);
	assert_int_equal(bp->hdr.ramdisk_image, BOOT_LOW - 4096);
	assert_int_equal(bp->e820_entries, 6);
	/* an entry that is a virtual address */
	e.ehdr.e_entry = 0xffffffff81000040;
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_int_equal(g->entry.rip, BOOT_ELF_TEXT + 0x40);
}

static int image_fd(const void *image, size_t len)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, len), len);
	return fd;
}

/* All is checked, and entered at the same place; large parts come when they are asked for. */
static void test_later(void **state)
{
	struct boot_guest *g = *state;
	_cleanup_close_ int fd = -1;
	struct vmm_load_later later = { 0 };
	struct boot_elf64 e;

	boot_elf64(&e);
	e.nhdr.n_type = 17;
	fd = image_fd(&e, sizeof(e));
	memset(boot_guest_at(g, BOOT_ELF_TEXT, 256), 0xaa, 256);
	memset(boot_guest_at(g, BOOT_ELF_DATA, 0x10000), 0xaa, 0x10000);
	boot_guest_initrd(g, 4096);
	g->in.kernel_fd = fd;
	g->in.later = &later;
	assert_int_equal(vmm_load(&g->in, &g->entry, &g->err), 0);
	assert_int_equal(g->entry.rip, BOOT_ELF_TEXT + 0x10);
	assert_int_equal(word(g, BOOT_ELF_TEXT, 1), 0xaa);
	assert_int_equal(word(g, BOOT_LOW - 4096, 4), 0);
	assert_int_equal(vmm_load_rest(&g->memory, &later, &g->err), 0);
	assert_memory_equal(boot_guest_at(g, BOOT_ELF_TEXT, 256), e.text, 256);
	assert_int_equal(word(g, BOOT_ELF_DATA, 8), 0x90909090);
	assert_int_equal(word(g, BOOT_ELF_DATA + 0xfff8, 8), 0);
	assert_memory_equal(boot_guest_at(g, BOOT_LOW - 4096, 4), "FRST", 4);
	/* a file that is changed meanwhile is told, and names itself */
	assert_int_equal(ftruncate(fd, 64), 0);
	assert_int_equal(vmm_load_rest(&g->memory, &later, &g->err), -EIO);
	assert_string_equal(g->err.code, "FILE_CHANGED");
	assert_string_equal(g->err.object, "/boot/kernel");
	g->in.later = NULL;
	g->in.kernel_fd = -1;
}

static void test_elf64_refusals(void **state)
{
	struct boot_guest *g = *state;
	struct boot_elf64 e;

	boot_elf64(&e);
	e.phdrs[1].p_paddr = 0x9000;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "0x9000");
	e.phdrs[1].p_paddr = 0xa0000;
	e.phdrs[1].p_memsz = 16;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "0xa0000");
	e.phdrs[1].p_paddr = 0xffff0; /* ends at 1 MiB */
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "0xffff0");
	e.phdrs[1].p_paddr = 0x50000; /* free */
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	e.phdrs[1].p_paddr = UINT64_MAX - 8;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "0xfffffffffffffff7");
	boot_elf64(&e);
	e.phdrs[1].p_memsz = UINT64_MAX;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "0xffffffffffffffff");
	e.phdrs[1].p_memsz = BOOT_LOW;
	boot_guest_refuses(g, &e, sizeof(e), -EFBIG, "NO_ROOM", "64M needed");
	e.phdrs[1].p_memsz = 3;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "4 bytes that has 3");
	boot_elf64(&e);
	e.phdrs[0].p_offset = UINT64_MAX - 10;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "ends before its segment");
	boot_elf64(&e);
	boot_guest_refuses(g, &e, sizeof(e) - 1, -ENOEXEC, "BAD_KERNEL", "ends before its segment");
	boot_guest_refuses(g, &e, 100, -ENOEXEC, "BAD_KERNEL", "ends before its program headers");
	boot_guest_refuses(g, &e, 60, -ENOEXEC, "BAD_KERNEL", "ends before its ELF header");
	e.ehdr.e_phoff = UINT64_MAX;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "program headers");
}

static void test_elf64_headers(void **state)
{
	struct boot_guest *g = *state;
	struct boot_elf64 e;

	boot_elf64(&e);
	e.ehdr.e_phnum = 0xffff;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "65535 program headers");
	e.ehdr.e_phnum = 0;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "0 program headers");
	boot_elf64(&e);
	e.ehdr.e_phentsize = 32;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "headers of 32 bytes");
	boot_elf64(&e);
	e.ehdr.e_type = ET_REL;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "type 1");
	boot_elf64(&e);
	e.ehdr.e_machine = EM_AARCH64;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "something else than x86-64");
	boot_elf64(&e);
	e.name[0] = 'Y';
	e.ehdr.e_entry = 0x2000000;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "entry at 0x2000000");
	e.ehdr.e_phnum = 3;
	e.phdrs[0].p_type = e.phdrs[1].p_type = PT_NULL;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "entry at 0x2000000");
}

/* ---- PVH ---- */

static void test_pvh(void **state)
{
	struct boot_guest *g = *state;
	struct boot_elf64 e;
	uint64_t map;

	boot_elf64(&e);
	e.ehdr.e_entry = 0;
	boot_guest_initrd(g, 5000);
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_int_equal(g->entry.mode, VMM_MODE_PROTECTED);
	assert_int_equal(g->entry.rip, BOOT_ELF_TEXT + 0x20);
	assert_int_equal(g->entry.rbx, VMM_START_INFO);
	assert_string_equal(g->entry.protocol, "ELF (PVH)");
	assert_true(word(g, VMM_GDT + 0x10, 8) == 0x00cf9b000000ffff);
	assert_int_equal(word(g, VMM_START_INFO, 4), 0x336ec578);
	assert_int_equal(word(g, VMM_START_INFO + 4, 4), 1);
	assert_int_equal(word(g, VMM_START_INFO + 12, 4), 1);
	assert_int_equal(word(g, word(g, VMM_START_INFO + 16, 8), 8), BOOT_LOW - 8192);
	assert_int_equal(word(g, word(g, VMM_START_INFO + 16, 8) + 8, 8), 5000);
	assert_initrd(g, BOOT_LOW - 8192, 5000);
	assert_int_equal(word(g, VMM_START_INFO + 24, 8), VMM_CMDLINE);
	assert_int_equal(word(g, VMM_START_INFO + 32, 8), 0xa0000);
	map = word(g, VMM_START_INFO + 40, 8);
	assert_int_equal(word(g, VMM_START_INFO + 48, 4), 6);
	assert_int_equal(word(g, map + 24, 8), VMM_LOW_RESERVED);
	assert_int_equal(word(g, map + 24 + 8, 8), BOOT_MIB - VMM_LOW_RESERVED);
	assert_int_equal(word(g, map + 24 + 16, 4), 2);
	assert_true(word(g, map + 5 * 24, 8) == BOOT_HIGH_AT);
}

static void test_pvh_notes(void **state)
{
	struct boot_guest *g = *state;
	struct boot_elf64 e;

	boot_elf64(&e);
	e.nhdr.n_descsz = 4;
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_string_equal(g->entry.protocol, "ELF (PVH)");
	e.nhdr.n_descsz = 0xffffffff;
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_string_equal(g->entry.protocol, "ELF 64-bit");
	boot_elf64(&e);
	e.nhdr.n_namesz = 0xfffffffe;
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_string_equal(g->entry.protocol, "ELF 64-bit");
	boot_elf64(&e);
	e.phdrs[2].p_filesz = 8;
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_string_equal(g->entry.protocol, "ELF 64-bit");
	boot_elf64(&e);
	e.phdrs[2].p_filesz = UINT64_MAX;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "ends before its notes");
	boot_elf64(&e);
	e.entry = 0x100000000 + BOOT_ELF_TEXT;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "PVH entry at 0x101000000");
	e.entry = 0x2000000;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "PVH entry at 0x2000000");
}

/* ---- multiboot ---- */

static void test_multiboot_elf(void **state)
{
	struct boot_guest *g = *state;
	struct boot_elf32 e;
	uint64_t mods, map;

	boot_elf32(&e);
	boot_guest_initrd(g, 100);
	assert_int_equal(boot_guest_load(g, &e, sizeof(e)), 0);
	assert_int_equal(g->entry.mode, VMM_MODE_PROTECTED);
	assert_int_equal(g->entry.rip, BOOT_ELF32_TEXT + 4);
	assert_int_equal(g->entry.rax, 0x2badb002);
	assert_int_equal(g->entry.rbx, VMM_START_INFO);
	assert_string_equal(g->entry.protocol, "multiboot");
	assert_memory_equal(boot_guest_at(g, BOOT_ELF32_TEXT, 256), e.text, 256);
	assert_int_equal(word(g, VMM_START_INFO, 4), 0x24d);
	assert_int_equal(word(g, VMM_START_INFO + 4, 4), VMM_LOW_RESERVED / 1024);
	assert_int_equal(word(g, VMM_START_INFO + 8, 4), 63 * 1024);
	assert_string_equal(boot_guest_at(g, word(g, VMM_START_INFO + 16, 4), 32),
			    "/boot/kernel console=hvc0");
	assert_int_equal(word(g, VMM_START_INFO + 20, 4), 1);
	mods = word(g, VMM_START_INFO + 24, 4);
	assert_int_equal(word(g, mods, 4), BOOT_LOW - 4096);
	assert_int_equal(word(g, mods + 4, 4), BOOT_LOW - 4096 + 100);
	assert_string_equal(boot_guest_at(g, word(g, mods + 8, 4), 16), "/boot/initrd");
	assert_int_equal(word(g, VMM_START_INFO + 44, 4), 6 * 24);
	map = word(g, VMM_START_INFO + 48, 4);
	assert_int_equal(word(g, map, 4), 20);
	assert_true(word(g, map + 5 * 24 + 4, 8) == BOOT_HIGH_AT);
	assert_true(word(g, map + 5 * 24 + 12, 8) == BOOT_HIGH);
	assert_int_equal(word(g, map + 5 * 24 + 20, 4), 1);
	assert_string_equal(boot_guest_at(g, word(g, VMM_START_INFO + 64, 4), 16), "carve-vmm");
}

/* A flat file: @header at offset 64 says where it goes. */
static void make_flat(uint8_t file[1024], const uint32_t header[8])
{
	for (size_t i = 0; i < 1024; i++)
		file[i] = (uint8_t)(i / 4);
	memcpy(file + 64, header, 32);
}

static void test_multiboot_addresses(void **state)
{
	struct boot_guest *g = *state;
	uint32_t h[8] = { 0x1badb002, 0x10003, 0U - 0x1badb002U - 0x10003U, 0x200020, 0x200000, 0,
			  0,	      0x200100 };
	uint8_t file[1024];

	g->in.cmdline = "";
	make_flat(file, h);
	assert_int_equal(boot_guest_load(g, file, sizeof(file)), 0);
	assert_int_equal(g->entry.rip, 0x200100);
	assert_memory_equal(boot_guest_at(g, 0x200000, 992), file + 32, 992);
	assert_string_equal(boot_guest_at(g, VMM_CMDLINE, 16), "/boot/kernel");
	h[5] = 0x200080;
	h[6] = 0x201000;
	make_flat(file, h);
	memset(boot_guest_at(g, 0x200000, 0x1000), 0xff, 0x1000);
	assert_int_equal(boot_guest_load(g, file, sizeof(file)), 0);
	assert_memory_equal(boot_guest_at(g, 0x200000, 0x80), file + 32, 0x80);
	assert_int_equal(word(g, 0x200080, 8), 0);
	assert_int_equal(word(g, 0x200ff8, 8), 0);
	assert_int_equal(word(g, 0x201000, 1), 0);
}

static void test_multiboot_refusals(void **state)
{
	static const struct {
		uint32_t header, load, load_end, bss_end, entry;
		int r;
		const char *code, *found;
	} cases[] = {
		{ 0x200020, 0x200040, 0, 0, 0x200100, -ENOEXEC, "BAD_KERNEL", "header 0x200020" },
		{ 0x200080, 0x200000, 0, 0, 0x200100, -ENOEXEC, "BAD_KERNEL", "header 0x200080" },
		{ 0x200020, 0x200000, 0x200020, 0, 0x200100, -ENOEXEC, "BAD_KERNEL", "0x200020" },
		{ 0x200020, 0x200000, 0x200400, 0, 0x200100, -ENOEXEC, "BAD_KERNEL",
		  "ends before" },
		{ 0x200020, 0x200000, 0x200080, 0x20007f, 0x200100, -ENOEXEC, "BAD_KERNEL", "bss" },
		{ 0x200020, 0x200000, 0, 0xffffffff, 0x200100, -EFBIG, "NO_ROOM", "needed" },
		{ 0x7020, 0x7000, 0, 0, 0x7100, -ENOEXEC, "BAD_KERNEL", "0x7000" },
		{ 0x200020, 0x200000, 0, 0, 0xc0000000, -ENOEXEC, "BAD_KERNEL", "0xc0000000" },
		{ 0xfffffff0, 0xffffffd0, 0, 0, 0xffffffe0, -EFBIG, "NO_ROOM", "992 needed" },
	};
	struct boot_guest *g = *state;
	uint8_t file[1024];

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		uint32_t h[8] = { 0x1badb002,	    0x10000,	   0U - 0x1badb002U - 0x10000U,
				  cases[i].header,  cases[i].load, cases[i].load_end,
				  cases[i].bss_end, cases[i].entry };

		make_flat(file, h);
		boot_guest_refuses(g, file, sizeof(file), cases[i].r, cases[i].code,
				   cases[i].found);
	}
}

static void test_multiboot_kinds(void **state)
{
	struct boot_guest *g = *state;
	uint32_t h[8] = { 0x1badb002, 4, 0U - 0x1badb002U - 4 };
	uint8_t file[1024], late[8192 + 512] = { 0 };
	struct boot_elf32 e;

	make_flat(file, h);
	boot_guest_refuses(g, file, sizeof(file), -ENOEXEC, "BAD_KERNEL", "features 0x4");
	h[1] = 0;
	h[2] = 0U - 0x1badb002U;
	make_flat(file, h);
	boot_guest_refuses(g, file, sizeof(file), -ENOEXEC, "BAD_KERNEL", "another kind");
	h[2]++;
	make_flat(file, h);
	boot_guest_refuses(g, file, sizeof(file), -ENOEXEC, "BAD_KERNEL", "begins with");
	/* a header behind the first 8 KiB is none */
	h[2]--;
	memcpy(late + 8192, h, sizeof(h));
	boot_guest_refuses(g, late, sizeof(late), -ENOEXEC, "BAD_KERNEL", "begins with");
	memcpy(late + 8192 - 8, h, sizeof(h));
	boot_guest_refuses(g, late, sizeof(late), -ENOEXEC, "BAD_KERNEL", "begins with");
	boot_elf32(&e);
	e.header[0] = 0;
	boot_guest_refuses(g, &e, sizeof(e), -ENOEXEC, "BAD_KERNEL", "ELF file for something else");
	boot_elf32(&e);
	e.phdr.p_memsz = 0xffffffff;
	boot_guest_refuses(g, &e, sizeof(e), -EFBIG, "NO_ROOM", "needed");
}

/* ---- what is no kernel ---- */

static void test_not_a_kernel(void **state)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0 };
	struct boot_guest *g = *state;
	int fds[2];

	boot_guest_refuses(g, "", 0, -ENOEXEC, "BAD_KERNEL", "0 bytes");
	boot_guest_refuses(g, "MZ", 2, -ENOEXEC, "BAD_KERNEL", "PE");
	boot_guest_refuses(g, "#!/bin/sh\n", 10, -ENOEXEC, "BAD_KERNEL", "script");
	boot_guest_refuses(g, gzip, sizeof(gzip), -ENOEXEC, "BAD_KERNEL", "gzip");
	boot_guest_refuses(g, "hello", 5, -ENOEXEC, "BAD_KERNEL", "68 65 6c 6c");
	assert_string_equal(g->err.object, "/boot/kernel");
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	g->in.kernel_fd = fds[0];
	assert_int_equal(vmm_load(&g->in, &g->entry, &g->err), -EINVAL);
	assert_string_equal(g->err.code, "NOT_A_FILE");
	close(fds[0]);
	close(fds[1]);
	g->in.kernel_fd = -1;
	assert_int_equal(vmm_load(&g->in, &g->entry, NULL), -EBADF);
}

static void test_little_memory(void **state)
{
	struct boot_guest *g = *state;
	uint8_t image[BOOT_BZ_SIZE];
	uint64_t size = g->rams[0].size;

	boot_bzimage(image);
	g->rams[0].size = BOOT_MIB;
	g->memory.n = 1;
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "needed");
	g->memory.n = 0;
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "needed");
	g->memory.n = 1;
	g->rams[0].size = 20 * BOOT_MIB;
	boot_guest_refuses(g, image, sizeof(image), -EFBIG, "NO_ROOM", "8M needed");
	g->rams[0].size = 24 * BOOT_MIB;
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	g->rams[0].size = size;
}

static void test_many_pieces(void **state)
{
	struct boot_guest *g = *state;
	struct plan_range ranges[200] = { 0 };
	uint8_t image[BOOT_BZ_SIZE];

	boot_bzimage(image);
	for (size_t i = 0; i < CV_ARRAY_SIZE(ranges); i++)
		ranges[i] = (struct plan_range){ PLAN_RAM, BOOT_HIGH_AT + i * BOOT_MIB, BOOT_MIB, 0,
						 "" };
	g->plan.ranges = ranges;
	g->plan.n_ranges = 126;
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), 0);
	g->plan.n_ranges = 127;
	assert_int_equal(boot_guest_load(g, image, sizeof(image)), -E2BIG);
	assert_string_equal(g->err.code, "MEMORY_MAP");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_bzimage),
		CASE(test_e820),
		CASE(test_long_mode),
		CASE(test_bzimage_address),
		CASE(test_bzimage_refusals),
		CASE(test_bzimage_header_end),
		CASE(test_initrd_limit),
		CASE(test_initrd_above),
		CASE(test_initrd_refusals),
		CASE(test_cmdline),
		CASE(test_elf64),
		CASE(test_later),
		CASE(test_elf64_refusals),
		CASE(test_elf64_headers),
		CASE(test_pvh),
		CASE(test_pvh_notes),
		CASE(test_multiboot_elf),
		CASE(test_multiboot_addresses),
		CASE(test_multiboot_refusals),
		CASE(test_multiboot_kinds),
		CASE(test_not_a_kernel),
		CASE(test_little_memory),
		CASE(test_many_pieces),
	};

	return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
