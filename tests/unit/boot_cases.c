// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot_cases.h"

#include <asm/bootparam.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* ---- the guest ---- */

static void map_piece(struct vmm_ram *ram, uint64_t gpa, uint64_t size)
{
	ram->host = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(ram->host, MAP_FAILED);
	ram->gpa = gpa;
	ram->size = size;
	ram->fd = -1;
}

void boot_guest_init(struct boot_guest *g)
{
	*g = (struct boot_guest){ 0 };
	map_piece(&g->rams[0], 0, BOOT_LOW / 2);
	map_piece(&g->rams[1], BOOT_LOW / 2, BOOT_LOW / 2);
	map_piece(&g->rams[2], BOOT_HIGH_AT, BOOT_HIGH);
	g->memory.rams = g->rams;
	g->memory.n = CV_ARRAY_SIZE(g->rams);
	for (size_t i = 0; i < CV_ARRAY_SIZE(g->rams); i++)
		g->ranges[i] = (struct plan_range){ PLAN_RAM, g->rams[i].gpa, g->rams[i].size, 0,
						    "" };
	g->ranges[3] = (struct plan_range){ PLAN_MMIO64, 0x200000000, BOOT_MIB, 0, "" };
	g->plan.ranges = g->ranges;
	g->plan.n_ranges = CV_ARRAY_SIZE(g->ranges);
	g->in = (struct vmm_boot_input){
		.memory = &g->memory,
		.plan = &g->plan,
		.kernel_fd = -1,
		.initrd_fd = -1,
		.kernel_name = "/boot/kernel",
		.initrd_name = "/boot/initrd",
		.cmdline = "console=hvc0",
		.rsdp = 0xa0000,
	};
}

void boot_guest_done(struct boot_guest *g)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(g->rams); i++)
		munmap(g->rams[i].host, g->rams[i].size);
	cv_cleanup_close(&g->in.initrd_fd);
}

void *boot_guest_at(const struct boot_guest *g, uint64_t gpa, uint64_t len)
{
	void *at = vmm_memory_at(&g->memory, gpa, len);

	assert_non_null(at);
	return at;
}

int boot_guest_load(struct boot_guest *g, const void *kernel, size_t len)
{
	_cleanup_close_ int fd = memfd_create("kernel", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, kernel, len), len);
	g->in.kernel_fd = fd;
	g->err = (struct cv_error){ 0 };
	return vmm_load(&g->in, &g->entry, &g->err);
}

void boot_guest_initrd(struct boot_guest *g, uint64_t size)
{
	cv_cleanup_close(&g->in.initrd_fd);
	g->in.initrd_fd = memfd_create("initrd", MFD_CLOEXEC);
	assert_true(g->in.initrd_fd >= 0);
	assert_int_equal(ftruncate(g->in.initrd_fd, (off_t)size), 0);
	if (size < 8)
		return;
	assert_int_equal(pwrite(g->in.initrd_fd, "FRST", 4, 0), 4);
	assert_int_equal(pwrite(g->in.initrd_fd, "LAST", 4, (off_t)size - 4), 4);
}

void boot_guest_refuses(struct boot_guest *g, const void *kernel, size_t len, int r,
			const char *code, const char *found)
{
	assert_int_equal(boot_guest_load(g, kernel, len), r);
	assert_int_equal(g->err.err, r);
	assert_string_equal(g->err.code, code);
	assert_true(g->err.object[0] && g->err.what[0] && g->err.wanted[0] && g->err.hint[0]);
	if (!strstr(g->err.found, found))
		fail_msg("\"%s\" is not in what was found: %s", found, g->err.found);
}

/* ---- images ---- */

struct setup_header *boot_bzimage(uint8_t image[BOOT_BZ_SIZE])
{
	struct setup_header *h = (struct setup_header *)(image + 0x1f1);

	memset(image, 0, BOOT_BZ_SIZE);
	*h = (struct setup_header){
		.setup_sects = BOOT_BZ_SETUP,
		.syssize = BOOT_BZ_CODE / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb, /* the header ends at 0x26c */
		.header = 0x53726448,
		.version = 0x20f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 2047,
		.pref_address = 0x1000000,
		.init_size = 0x800000,
	};
	for (size_t i = 0; i < BOOT_BZ_CODE; i++)
		image[512 * (1 + BOOT_BZ_SETUP) + i] = (uint8_t)i;
	return h;
}

void boot_elf64(struct boot_elf64 *e)
{
	*e = (struct boot_elf64){
		.ehdr = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = BOOT_ELF_TEXT + 0x10,
			.e_phoff = offsetof(struct boot_elf64, phdrs),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 3,
		},
		.phdrs = {
			{ .p_type = PT_LOAD, .p_offset = offsetof(struct boot_elf64, text),
			  .p_vaddr = 0xffffffff81000000, .p_paddr = BOOT_ELF_TEXT,
			  .p_filesz = sizeof(e->text), .p_memsz = sizeof(e->text) },
			{ .p_type = PT_LOAD, .p_offset = offsetof(struct boot_elf64, text),
			  .p_vaddr = 0xffffffff81200000, .p_paddr = BOOT_ELF_DATA, .p_filesz = 4,
			  .p_memsz = 0x10000 },
			{ .p_type = PT_NOTE, .p_offset = offsetof(struct boot_elf64, nhdr),
			  .p_filesz = sizeof(Elf64_Nhdr) + 4 + 8, .p_align = 4 },
		},
		.nhdr = { .n_namesz = 4, .n_descsz = 8, .n_type = 18 },
		.name = "Xen",
		.entry = BOOT_ELF_TEXT + 0x20,
	};
	memset(e->text, 0x90, sizeof(e->text));
}

void boot_elf32(struct boot_elf32 *e)
{
	*e = (struct boot_elf32){
		.ehdr = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = BOOT_ELF32_TEXT + 4,
			.e_phoff = offsetof(struct boot_elf32, phdr),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1,
		},
		.phdr = { .p_type = PT_LOAD, .p_offset = offsetof(struct boot_elf32, text),
			  .p_vaddr = BOOT_ELF32_TEXT, .p_paddr = BOOT_ELF32_TEXT,
			  .p_filesz = sizeof(e->text), .p_memsz = 0x8000 },
		.header = { 0x1badb002, 0, 0U - 0x1badb002U },
	};
	memset(e->text, 0xf4, sizeof(e->text));
}
