// SPDX-License-Identifier: GPL-2.0-or-later
/* ELF images: program headers of both classes, notes, and the 64-bit entry of Linux (vmlinux). */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/boot/formats.h"

#define NOTES_MAX 65536U
#define PVH_NOTE 18 /* XEN_ELFNOTE_PHYS32_ENTRY (Xen public/elfnote.h) */
#define INITRD_MAX 0x7fffffffULL

bool vmm_boot_is_elf(const struct vmm_boot *b, uint8_t class)
{
	uint16_t machine = class == ELFCLASS64 ? EM_X86_64 : EM_386;
	const uint8_t *h = b->head;

	/* both classes have the type at 16, the machine at 18 */
	return b->n_head >= sizeof(Elf32_Ehdr) && memcmp(h, ELFMAG, SELFMAG) == 0 &&
	       h[EI_CLASS] == class && h[EI_DATA] == ELFDATA2LSB && (h[18] | h[19] << 8) == machine;
}

/* ---- headers ---- */

static int read_header(const struct vmm_boot *b, Elf64_Ehdr *ret)
{
	Elf32_Ehdr narrow;
	int r;

	if (b->head[EI_CLASS] == ELFCLASS64)
		return vmm_boot_read(b, 0, ret, sizeof(*ret), "ELF header");
	r = vmm_boot_read(b, 0, &narrow, sizeof(narrow), "ELF header");
	if (r < 0)
		return r;
	*ret = (Elf64_Ehdr){
		.e_type = narrow.e_type,
		.e_entry = narrow.e_entry,
		.e_phoff = narrow.e_phoff,
		.e_phentsize = narrow.e_phentsize,
		.e_phnum = narrow.e_phnum,
	};
	return 0;
}

static int check_header(const struct vmm_boot *b, const Elf64_Ehdr *h)
{
	size_t size = b->head[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
		return vmm_boot_bad(b, "an executable ELF", "an ELF file of type %u", h->e_type);
	if (h->e_phnum == 0 || h->e_phnum > VMM_BOOT_SEGMENTS)
		return vmm_boot_bad(b, "1 to 64 program headers", "%u program headers", h->e_phnum);
	if (h->e_phentsize != size)
		return vmm_boot_bad(b, "those of its class", "program headers of %u bytes",
				    h->e_phentsize);
	return 0;
}

static int read_wide(const struct vmm_boot *b, uint64_t offset, struct vmm_boot_elf *ret)
{
	return vmm_boot_read(b, offset, ret->parts, ret->n * sizeof(ret->parts[0]),
			     "program headers");
}

static int read_narrow(const struct vmm_boot *b, uint64_t offset, struct vmm_boot_elf *ret)
{
	Elf32_Phdr parts[VMM_BOOT_SEGMENTS];
	int r = vmm_boot_read(b, offset, parts, ret->n * sizeof(parts[0]), "program headers");

	for (size_t i = 0; i < ret->n && r == 0; i++)
		ret->parts[i] = (Elf64_Phdr){
			.p_type = parts[i].p_type,
			.p_offset = parts[i].p_offset,
			.p_vaddr = parts[i].p_vaddr,
			.p_paddr = parts[i].p_paddr,
			.p_filesz = parts[i].p_filesz,
			.p_memsz = parts[i].p_memsz,
		};
	return r;
}

static bool is_in(uint64_t at, uint64_t start, uint64_t size)
{
	return at >= start && at - start < size;
}

bool vmm_boot_is_in_elf(const struct vmm_boot_elf *elf, uint64_t gpa)
{
	for (size_t i = 0; i < elf->n; i++)
		if (elf->parts[i].p_type == PT_LOAD &&
		    is_in(gpa, elf->parts[i].p_paddr, elf->parts[i].p_memsz))
			return true;
	return false;
}

/* Kernels name a physical address, or a virtual one of the part it lies in. */
int vmm_boot_elf_entry(const struct vmm_boot *b, struct vmm_boot_elf *elf)
{
	if (vmm_boot_is_in_elf(elf, elf->entry))
		return 0;
	for (size_t i = 0; i < elf->n; i++) {
		const Elf64_Phdr *p = &elf->parts[i];

		if (p->p_type == PT_LOAD && is_in(elf->entry, p->p_vaddr, p->p_memsz)) {
			elf->entry = elf->entry - p->p_vaddr + p->p_paddr;
			return 0;
		}
	}
	return vmm_boot_bad(b, "an entry within what is loaded",
			    "an ELF file with its entry at 0x%llx", (unsigned long long)elf->entry);
}

int vmm_boot_read_elf(const struct vmm_boot *b, struct vmm_boot_elf *ret)
{
	Elf64_Ehdr h;
	int r = read_header(b, &h);

	if (r < 0)
		return r;
	r = check_header(b, &h);
	if (r < 0)
		return r;
	ret->entry = h.e_entry;
	ret->n = h.e_phnum;
	return b->head[EI_CLASS] == ELFCLASS64 ? read_wide(b, h.e_phoff, ret)
					       : read_narrow(b, h.e_phoff, ret);
}

int vmm_boot_place_elf(struct vmm_boot *b, const struct vmm_boot_elf *elf)
{
	int r = 0;

	for (size_t i = 0; i < elf->n && r == 0; i++)
		if (elf->parts[i].p_type == PT_LOAD && elf->parts[i].p_memsz > 0)
			r = vmm_boot_place(b, &elf->parts[i], "segment");
	return r;
}

/* ---- notes ---- */

/** struct note - one in a buffer; @end: where the next one begins, within the buffer or at its end */
struct note {
	Elf64_Nhdr h;
	const uint8_t *name, *desc;
	size_t end;
};

static size_t round_up(uint64_t n, uint64_t align)
{
	return (size_t)((n + align - 1) / align * align);
}

/* Names and contents are at most 4 GiB each: sums of 64 bits do not overflow. */
static bool parse_note(const uint8_t *buf, size_t len, size_t at, uint64_t align, struct note *ret)
{
	size_t name = at + sizeof(ret->h), desc;

	if (len - at < sizeof(ret->h))
		return false;
	memcpy(&ret->h, buf + at, sizeof(ret->h));
	desc = round_up(name + (uint64_t)ret->h.n_namesz, align);
	if (desc > len || len - desc < ret->h.n_descsz)
		return false;
	ret->name = buf + name;
	ret->desc = buf + desc;
	ret->end = round_up(desc + (uint64_t)ret->h.n_descsz, align);
	if (ret->end > len)
		ret->end = len;
	return true;
}

static bool is_note(const struct note *n, const char *name, uint32_t type)
{
	return n->h.n_type == type && n->h.n_namesz == strlen(name) + 1 &&
	       memcmp(n->name, name, n->h.n_namesz) == 0 &&
	       (n->h.n_descsz == 4 || n->h.n_descsz == 8);
}

static int find_in_part(const struct vmm_boot *b, const Elf64_Phdr *p, const char *name,
			uint32_t type, uint64_t *ret)
{
	size_t len = p->p_filesz < NOTES_MAX ? (size_t)p->p_filesz : NOTES_MAX;
	_cleanup_free_ uint8_t *buf = malloc(len + 1);
	struct note n;
	int r;

	if (!buf)
		return cv_fail_errno(b->err, -ENOMEM, b->in->kernel_name, "cannot read its notes");
	r = vmm_boot_read(b, p->p_offset, buf, len, "notes");
	if (r < 0)
		return r;
	for (size_t at = 0; parse_note(buf, len, at, p->p_align == 8 ? 8 : 4, &n); at = n.end) {
		if (!is_note(&n, name, type))
			continue;
		*ret = 0;
		memcpy(ret, n.desc, n.h.n_descsz);
		return 1;
	}
	return 0;
}

int vmm_boot_find_note(const struct vmm_boot *b, const struct vmm_boot_elf *elf, const char *name,
		       uint32_t type, uint64_t *ret)
{
	int r = 0;

	for (size_t i = 0; i < elf->n && r == 0; i++)
		if (elf->parts[i].p_type == PT_NOTE)
			r = find_in_part(b, &elf->parts[i], name, type, ret);
	return r;
}

/* ---- 64-bit kernels ---- */

bool vmm_boot_is_elf64(const struct vmm_boot *b)
{
	return vmm_boot_is_elf(b, ELFCLASS64);
}

/* startup_64 of Linux: as behind a bzImage's decompressor, with the zero page in rsi. */
static int boot_linux(struct vmm_boot *b, uint64_t entry, struct vmm_entry *ret)
{
	int r = vmm_boot_put_initrd(b, INITRD_MAX + 1, true);

	if (r < 0)
		return r;
	r = vmm_boot_put_cmdline(b, NULL, VMM_BOOT_LINUX_CMDLINE);
	if (r < 0)
		return r;
	r = vmm_boot_put_zero_page(b, NULL);
	return r < 0 ? r : vmm_boot_enter_long(b, entry, "ELF 64-bit", ret);
}

/* Which entry there is: @ret_is_pvh, and where. */
static int find_entry(const struct vmm_boot *b, struct vmm_boot_elf *elf, bool *ret_is_pvh)
{
	uint64_t pvh = 0;
	int r = vmm_boot_find_note(b, elf, "Xen", PVH_NOTE, &pvh);

	if (r < 0)
		return r;
	*ret_is_pvh = r;
	if (!r)
		return vmm_boot_elf_entry(b, elf);
	if (pvh >= VMM_BOOT_4G || !vmm_boot_is_in_elf(elf, pvh))
		return vmm_boot_bad(b, "a PVH entry within what is loaded",
				    "its PVH entry at 0x%llx", (unsigned long long)pvh);
	elf->entry = pvh;
	return 0;
}

int vmm_boot_elf64(struct vmm_boot *b, struct vmm_entry *ret)
{
	struct vmm_boot_elf elf;
	bool is_pvh = false;
	int r = vmm_boot_read_elf(b, &elf);

	if (r < 0)
		return r;
	r = find_entry(b, &elf, &is_pvh);
	if (r < 0)
		return r;
	r = vmm_boot_place_elf(b, &elf);
	if (r < 0)
		return r;
	return is_pvh ? vmm_boot_pvh(b, elf.entry, ret) : boot_linux(b, elf.entry, ret);
}
