// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a kernel: loaded into a small guest, or refused with all of an error's text. The first
 * byte chooses how much memory there is and how large the initrd is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/boot/loader.h"
#include "vmm/core/layout.h"

#define MIB (1ULL << 20)
#define LOW (40 * MIB)
#define HIGH_AT 0x100000000ULL
#define HIGH (8 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Pages before and behind each piece cannot be touched. */
static uint8_t *map_guarded(uint64_t size)
{
	uint8_t *at = mmap(NULL, size + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + 4096, size, PROT_READ | PROT_WRITE) < 0)
		abort();
	return at + 4096;
}

static int make_file(const void *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}

static struct vmm_ram rams[3];
static struct plan_range ranges[3];

static void make_guest(void)
{
	const uint64_t starts[] = { 0, LOW / 2, HIGH_AT }, sizes[] = { LOW / 2, LOW / 2, HIGH };

	for (size_t i = 0; i < CV_ARRAY_SIZE(rams); i++) {
		rams[i] = (struct vmm_ram){
			.gpa = starts[i], .size = sizes[i], .host = map_guarded(sizes[i]), .fd = -1
		};
		ranges[i] = (struct plan_range){ .kind = PLAN_RAM,
						 .start = starts[i],
						 .size = sizes[i] };
	}
}

/* Guest memory is given back: an input cannot make the next one slow. */
static void forget_guest(void)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(rams); i++)
		madvise(rams[i].host, rams[i].size, MADV_DONTNEED);
}

static void check(const struct vmm_boot_input *in, int r, const struct vmm_entry *entry,
		  const struct cv_error *err)
{
	if (r < 0 && (err->err != r || !err->what[0] || !err->object[0]))
		abort();
	if (r == 0 && (!entry->protocol || !vmm_memory_at(in->memory, entry->rip, 1)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_memory memory = { .rams = rams, .n = CV_ARRAY_SIZE(rams) };
	struct plan plan = { .ranges = ranges, .n_ranges = CV_ARRAY_SIZE(ranges) };
	struct vmm_boot_input in = {
		.memory = &memory,
		.plan = &plan,
		.initrd_fd = -1,
		.kernel_name = "kernel",
		.initrd_name = "initrd",
		.cmdline = "console=hvc0",
		.rsdp = VMM_ACPI,
	};
	_cleanup_close_ int kernel = -1, initrd = -1;
	struct cv_error err = { 0 };
	struct vmm_entry entry = { 0 };

	if (size == 0)
		return 0;
	if (!rams[0].host)
		make_guest();
	kernel = make_file(data + 1, size - 1);
	in.kernel_fd = kernel;
	memory.n = 1 + data[0] % 3;
	if (data[0] & 0x80) {
		initrd = make_file(data, size);
		if (ftruncate(initrd, (off_t)((data[0] & 0x7fULL) * MIB)) < 0)
			abort();
		in.initrd_fd = initrd;
	}
	check(&in, vmm_load(&in, &entry, &err), &entry, &err);
	forget_guest();
	return 0;
}
