// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes of images into guest memory, with every offset and size checked. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

/* The first MiB belongs to the VMM but for this part. */
#define FREE_START (VMM_CMDLINE + VMM_CMDLINE_MAX)
#define FREE_END VMM_LOW_RESERVED

/* ---- errors ---- */

int vmm_boot_bad(const struct vmm_boot *b, const char *wanted, const char *fmt, ...)
{
	char found[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	cv_fail(b->err, -ENOEXEC, CV_EXIT_USAGE, "BAD_KERNEL", b->in->kernel_name,
		"not a kernel that can be booted");
	cv_error_found(b->err, "%s", found);
	cv_error_wanted(b->err, "%s", wanted);
	cv_error_hint(b->err,
		      "name a bzImage or vmlinux for x86-64 as kernel, or use backend: qemu");
	return -ENOEXEC;
}

int vmm_boot_no_room(const struct vmm_boot *b, const char *object, uint64_t size, uint64_t limit)
{
	char text[CV_SIZE_MAX];

	cv_fail(b->err, -EFBIG, CV_EXIT_PRECONDITION, "NO_ROOM", object,
		"does not fit into the guest's memory");
	cv_error_found(b->err, "%s needed", cv_format_size(size, text));
	cv_error_wanted(b->err, "at most what is free between 0x%llx and 0x%llx",
			(unsigned long long)(b->kernel_end ? b->kernel_end : VMM_BOOT_1M),
			(unsigned long long)limit);
	cv_error_hint(b->err, "give the guest more memory, or make it smaller");
	return -EFBIG;
}

static int truncated(const struct vmm_boot *b, const char *what, uint64_t offset, uint64_t len)
{
	char wanted[128];

	snprintf(wanted, sizeof(wanted), "%llu bytes at offset %llu for %s",
		 (unsigned long long)len, (unsigned long long)offset, what);
	return vmm_boot_bad(b, wanted, "a file of %llu bytes that ends before its %s",
			    (unsigned long long)b->size, what);
}

/* ---- reading ---- */

int vmm_boot_file_size(const struct vmm_boot *b, int fd, const char *name, uint64_t *ret)
{
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return cv_fail_errno(b->err, -errno, name, "cannot read it");
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		cv_fail(b->err, -EINVAL, CV_EXIT_USAGE, "NOT_A_FILE", name, "cannot read it");
		cv_error_found(b->err, "file type 0%o", st.st_mode & S_IFMT);
		cv_error_wanted(b->err, "a regular file or a block device");
		return -EINVAL;
	}
	end = lseek(fd, 0, SEEK_END);
	if (end < 0)
		return cv_fail_errno(b->err, -errno, name, "cannot find its size");
	*ret = (uint64_t)end;
	return 0;
}

/* Return: bytes read, fewer than @len only at the end of the file. */
static ssize_t read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)done;
}

int vmm_boot_read(const struct vmm_boot *b, uint64_t offset, void *buf, size_t len,
		  const char *what)
{
	ssize_t n;

	if (offset > b->size || b->size - offset < len)
		return truncated(b, what, offset, len);
	n = read_at(b->in->kernel_fd, buf, len, offset);
	if (n < 0)
		return cv_fail_errno(b->err, (int)n, b->in->kernel_name, "cannot read its %s",
				     what);
	return (size_t)n < len ? truncated(b, what, offset, len) : 0;
}

/* ---- guest memory ---- */

/* Where @gpa is in the VMM, and how much follows it there; at most @len. */
static uint8_t *find_ram(const struct vmm_memory *m, uint64_t gpa, uint64_t len, uint64_t *ret_len)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct vmm_ram *ram = &m->rams[i];

		if (gpa < ram->gpa || gpa - ram->gpa >= ram->size)
			continue;
		*ret_len = ram->size - (gpa - ram->gpa);
		if (*ret_len > len)
			*ret_len = len;
		return ram->host + (gpa - ram->gpa);
	}
	return NULL;
}

/* What is no memory is told by who writes there. */
static int make_ready(const struct vmm_memory *m, uint64_t gpa, uint64_t len, struct cv_error *err)
{
	int r = vmm_memory_ready(m, gpa, len);

	if (r == 0 || r == -EFAULT)
		return 0;
	cv_fail_errno(err, r, "guest memory", "the host has no page for it");
	cv_error_found(err, "none for guest address 0x%llx", (unsigned long long)gpa);
	cv_error_hint(err, "free huge pages on that host node, or a higher limit of the cgroup");
	return r;
}

static int file_shrank(const char *name, struct cv_error *err)
{
	return cv_fail(err, -EIO, CV_EXIT_FAILED, "FILE_CHANGED", name,
		       "it became shorter while it was read");
}

static int copy_in(const struct vmm_memory *m, const struct vmm_load_piece *p, struct cv_error *err)
{
	for (uint64_t done = 0, piece = 0; done < p->len; done += piece) {
		uint8_t *host = find_ram(m, p->gpa + done, p->len - done, &piece);
		ssize_t n = host ? read_at(p->fd, host, piece, p->offset + done) : -EFAULT;

		if (n < 0)
			return cv_fail_errno(err, (int)n, p->name, "cannot read it");
		if ((uint64_t)n < piece)
			return file_shrank(p->name, err);
	}
	return 0;
}

static void fill_zeros(const struct vmm_memory *m, const struct vmm_load_piece *p)
{
	for (uint64_t done = 0, piece = 0; done < p->len; done += piece) {
		uint8_t *host = find_ram(m, p->gpa + done, p->len - done, &piece);

		if (!host)
			return;
		memset(host, 0, piece);
	}
}

static int put(const struct vmm_memory *m, const struct vmm_load_piece *p, struct cv_error *err)
{
	int r = make_ready(m, p->gpa, p->len, err);

	if (r == 0 && p->fd >= 0)
		r = copy_in(m, p, err);
	else if (r == 0)
		fill_zeros(m, p);
	return r;
}

static int put_or_note(const struct vmm_boot *b, const struct vmm_load_piece *p)
{
	struct vmm_load_later *later = b->in->later;

	if (!later)
		return put(b->in->memory, p, b->err);
	if (later->n == VMM_LOAD_PIECES_MAX)
		return cv_fail_errno(b->err, -E2BIG, p->name, "it has more than %d parts",
				     VMM_LOAD_PIECES_MAX);
	later->pieces[later->n++] = *p;
	return 0;
}

int vmm_boot_copy(const struct vmm_boot *b, int fd, const char *name, uint64_t offset, uint64_t gpa,
		  uint64_t len)
{
	return put_or_note(b, &(struct vmm_load_piece){ fd, name, offset, gpa, len });
}

int vmm_load_rest(const struct vmm_memory *m, const struct vmm_load_later *later,
		  struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; i < later->n && r == 0; i++)
		r = put(m, &later->pieces[i], err);
	return r;
}

int vmm_boot_write(const struct vmm_boot *b, uint64_t gpa, const void *data, size_t len)
{
	int r = make_ready(b->in->memory, gpa, len, b->err);

	if (r < 0)
		return r;
	r = vmm_memory_write(b->in->memory, gpa, data, len);
	if (r < 0)
		return cv_fail_errno(b->err, r, b->in->kernel_name,
				     "no guest memory at 0x%llx for boot data",
				     (unsigned long long)gpa);
	return 0;
}

/* ---- parts of a kernel ---- */

static bool is_within(uint64_t gpa, uint64_t size, uint64_t start, uint64_t end)
{
	return gpa >= start && gpa <= end && end - gpa >= size;
}

bool vmm_boot_fits(const struct vmm_boot *b, uint64_t gpa, uint64_t size)
{
	return is_within(gpa, size, VMM_BOOT_1M, b->low_end) ||
	       is_within(gpa, size, FREE_START, FREE_END);
}

static int misplaced(const struct vmm_boot *b, const Elf64_Phdr *part, const char *what)
{
	char wanted[128];

	if (part->p_paddr >= VMM_BOOT_1M && part->p_memsz <= UINT64_MAX - part->p_paddr)
		return vmm_boot_no_room(b, b->in->kernel_name, part->p_memsz, b->low_end);
	snprintf(wanted, sizeof(wanted), "addresses from 0x%llx to 0x%llx",
		 (unsigned long long)VMM_BOOT_1M, (unsigned long long)b->low_end);
	return vmm_boot_bad(b, wanted, "%s of 0x%llx bytes for 0x%llx, which is not the kernel's",
			    what, (unsigned long long)part->p_memsz,
			    (unsigned long long)part->p_paddr);
}

int vmm_boot_place(struct vmm_boot *b, const Elf64_Phdr *part, const char *what)
{
	uint64_t gpa = part->p_paddr;
	int r;

	if (part->p_filesz > part->p_memsz)
		return vmm_boot_bad(b, "sizes in memory not below sizes in the file",
				    "%s of %llu bytes that has %llu in memory", what,
				    (unsigned long long)part->p_filesz,
				    (unsigned long long)part->p_memsz);
	if (!vmm_boot_fits(b, gpa, part->p_memsz))
		return misplaced(b, part, what);
	if (part->p_offset > b->size || b->size - part->p_offset < part->p_filesz)
		return truncated(b, what, part->p_offset, part->p_filesz);
	r = vmm_boot_copy(b, b->in->kernel_fd, b->in->kernel_name, part->p_offset, gpa,
			  part->p_filesz);
	if (r < 0)
		return r;
	r = put_or_note(b,
			&(struct vmm_load_piece){ -1, b->in->kernel_name, 0, gpa + part->p_filesz,
						  part->p_memsz - part->p_filesz });
	if (r < 0)
		return r;
	if (gpa + part->p_memsz > b->kernel_end)
		b->kernel_end = gpa + part->p_memsz;
	return 0;
}
