// SPDX-License-Identifier: GPL-2.0-or-later
/* Which format it is, and what all formats need: initrd and command line. */
#include "vmm/boot/loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define WANTED "a bzImage (protocol 2.12 or newer, 64-bit), a 64-bit ELF, or a multiboot image"

/** struct format - the first whose is() is true boots it */
struct format {
	bool (*is)(const struct vmm_boot *b);
	int (*boot)(struct vmm_boot *b, struct vmm_entry *ret);
};

static const struct format formats[] = {
	{ vmm_boot_is_multiboot, vmm_boot_multiboot },
	{ vmm_boot_is_bzimage, vmm_boot_bzimage },
	{ vmm_boot_is_elf64, vmm_boot_elf64 },
};

/* ---- what is no kernel ---- */

static const struct {
	const char *name;
	uint8_t len;
	uint8_t bytes[6];
} known[] = {
	{ "an ELF file for something else than x86-64", 4, { 0x7f, 'E', 'L', 'F' } },
	{ "a file compressed by gzip", 2, { 0x1f, 0x8b } },
	{ "a file compressed by xz", 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
	{ "a file compressed by zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
	{ "a disk image (qcow2)", 4, { 'Q', 'F', 'I', 0xfb } },
	{ "a cpio archive", 5, { '0', '7', '0', '7', '0' } },
	{ "a script", 2, { '#', '!' } },
	{ "a program without a Linux boot header (PE)", 2, { 'M', 'Z' } },
};

static int unknown_format(const struct vmm_boot *b)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(known); i++)
		if (b->n_head >= known[i].len && memcmp(b->head, known[i].bytes, known[i].len) == 0)
			return vmm_boot_bad(b, WANTED, "%s", known[i].name);
	if (b->n_head < 4)
		return vmm_boot_bad(b, WANTED, "a file of %zu bytes", b->n_head);
	return vmm_boot_bad(b, WANTED, "a file that begins with %02x %02x %02x %02x", b->head[0],
			    b->head[1], b->head[2], b->head[3]);
}

/* ---- initrd ---- */

static uint64_t page_below(uint64_t end, uint64_t size)
{
	return end < size ? 0 : (end - size) / VMM_BOOT_PAGE * VMM_BOOT_PAGE;
}

static uint64_t place_low(const struct vmm_boot *b, uint64_t size, uint64_t limit)
{
	uint64_t floor = b->kernel_end > VMM_BOOT_1M ? b->kernel_end : VMM_BOOT_1M;
	uint64_t at = page_below(limit < b->low_end ? limit : b->low_end, size);

	return at >= floor ? at : 0;
}

/* The end of the last piece of RAM that has room. */
static uint64_t place_high(const struct vmm_boot *b, uint64_t size)
{
	const struct vmm_memory *m = b->in->memory;

	for (size_t i = m->n; i-- > 0 && m->rams[i].gpa >= VMM_BOOT_4G;) {
		uint64_t at = page_below(m->rams[i].gpa + m->rams[i].size, size);

		if (m->rams[i].size >= size && at >= m->rams[i].gpa)
			return at;
	}
	return 0;
}

int vmm_boot_put_initrd(struct vmm_boot *b, uint64_t limit, bool can_be_above)
{
	const char *name = b->in->initrd_name;
	uint64_t size, at;
	int r;

	if (b->in->initrd_fd < 0)
		return 0;
	r = vmm_boot_file_size(b, b->in->initrd_fd, name, &size);
	if (r < 0)
		return r;
	if (size == 0)
		return cv_fail(b->err, -EINVAL, CV_EXIT_USAGE, "BAD_INITRD", name, "it is empty");
	at = place_low(b, size, limit);
	if (at == 0 && can_be_above)
		at = place_high(b, size);
	if (at == 0)
		return vmm_boot_no_room(b, name, size, limit < b->low_end ? limit : b->low_end);
	r = vmm_boot_copy(b, b->in->initrd_fd, name, 0, at, size);
	if (r < 0)
		return r;
	b->initrd = at;
	b->initrd_size = size;
	return 0;
}

/* ---- command line ---- */

int vmm_boot_put_cmdline(const struct vmm_boot *b, const char *program, uint64_t max)
{
	_cleanup_free_ char *text = NULL;
	int len = asprintf(&text, "%s%s%s", program ? program : "",
			   program && b->in->cmdline[0] ? " " : "", b->in->cmdline);

	if (len < 0) {
		text = NULL;
		return cv_fail_errno(b->err, -ENOMEM, "command line", "cannot make it");
	}
	if (max > VMM_CMDLINE_MAX - 1)
		max = VMM_CMDLINE_MAX - 1;
	if ((uint64_t)len <= max)
		return vmm_boot_write(b, VMM_CMDLINE, text, (size_t)len + 1);
	cv_fail(b->err, -EINVAL, CV_EXIT_USAGE, "CMDLINE_LENGTH", "command line",
		"longer than %s takes", b->in->kernel_name);
	cv_error_found(b->err, "%d bytes", len);
	cv_error_wanted(b->err, "at most %llu", (unsigned long long)max);
	cv_error_hint(b->err, "shorten cmdline in the spec");
	return -EINVAL;
}

/* ---- loading ---- */

static uint64_t end_of_low(const struct vmm_memory *m)
{
	uint64_t end = 0;

	for (size_t i = 0; i < m->n && m->rams[i].gpa == end; i++)
		end += m->rams[i].size;
	return end < VMM_LOW_END ? end : VMM_LOW_END;
}

static int open_image(struct vmm_boot *b)
{
	int r = vmm_boot_file_size(b, b->in->kernel_fd, b->in->kernel_name, &b->size);

	if (r < 0)
		return r;
	b->low_end = end_of_low(b->in->memory);
	if (b->low_end <= VMM_BOOT_1M)
		return vmm_boot_no_room(b, b->in->kernel_name, b->size, b->low_end);
	b->n_head = b->size < sizeof(b->head) ? (size_t)b->size : sizeof(b->head);
	return vmm_boot_read(b, 0, b->head, b->n_head, "header");
}

int vmm_load(const struct vmm_boot_input *in, struct vmm_entry *ret, struct cv_error *err)
{
	struct vmm_boot b = { .in = in, .err = err };
	struct vmm_entry entry = { 0 };
	int r = open_image(&b);

	if (r < 0)
		return r;
	for (size_t i = 0; i < CV_ARRAY_SIZE(formats); i++) {
		if (!formats[i].is(&b))
			continue;
		r = formats[i].boot(&b, &entry);
		if (r == 0)
			*ret = entry;
		return r;
	}
	return unknown_format(&b);
}
