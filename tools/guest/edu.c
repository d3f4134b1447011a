// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * edu-dma: a DMA round trip with QEMU's edu device, driven from user space.
 *
 * Register facts: QEMU docs/specs/edu.rst. The device masks a DMA address it cannot reach instead of
 * refusing it, so a page outside its mask would overwrite memory of somebody else: the page is chosen
 * below 256 MiB (the default mask of 28 bits) where one can be had soon, else below 4 GiB.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "tools/guest/guest.h"

#define PCI_DIR "sys/bus/pci/devices"
#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define EDU_BAR_SIZE (1024 * 1024)
#define EDU_ID 0x00
#define EDU_LIVENESS 0x04
#define EDU_DMA_SOURCE 0x80
#define EDU_DMA_TARGET 0x88
#define EDU_DMA_COUNT 0x90
#define EDU_DMA_COMMAND 0x98
#define EDU_DMA_START 0x1
#define EDU_DMA_FROM_DEVICE 0x2
#define EDU_BUFFER 0x40000
#define EDU_BUFFER_SIZE 4096

#define DMA_WAIT_MS 10000
#define DEFAULT_MASK_BITS 28
#define WIDEST_MASK_BITS 32

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 0x2
#define PCI_COMMAND_MASTER 0x4

#define PAGE_SIZE 4096
#define SEARCH_STEP (2 * 1024 * 1024)
#define SEARCH_US 1000000
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_PFN ((1ULL << 55) - 1)

/* What was changed to reach the device; edu_done() puts it back. */
struct edu {
	const struct guest *g;
	const char *bdf;
	volatile uint8_t *bar;
	int config_fd;
	uint16_t old_command;
	bool is_enabled_by_us, has_old_command;
};

struct dma_page {
	void *map;
	size_t map_size;
	uint8_t *data;
	uint64_t phys;
};

static uint32_t reg_read(const struct edu *edu, size_t offset)
{
	return *(volatile uint32_t *)(edu->bar + offset);
}

static void reg_write(struct edu *edu, size_t offset, uint32_t value)
{
	*(volatile uint32_t *)(edu->bar + offset) = value;
}

static int set_enabled(const struct edu *edu, const char *value)
{
	_cleanup_close_ int fd = guest_open(edu->g, O_WRONLY, PCI_DIR "/%s/enable", edu->bdf);

	if (fd < 0)
		return fd;
	return write(fd, value, 1) == 1 ? 0 : -errno;
}

static void edu_done(struct edu *edu)
{
	if (edu->bar)
		munmap((void *)edu->bar, EDU_BAR_SIZE);
	if (edu->has_old_command)
		(void)!pwrite(edu->config_fd, &edu->old_command, 2, PCI_COMMAND);
	if (edu->config_fd >= 0)
		close(edu->config_fd);
	if (edu->is_enabled_by_us)
		(void)set_enabled(edu, "0");
}

static void page_done(struct dma_page *page)
{
	if (page->map)
		munmap(page->map, page->map_size);
	page->map = NULL;
}

static int check_identity(const struct edu *edu)
{
	char text[32];
	uint64_t vendor, device;
	int ret;

	ret = guest_read_text(edu->g, text, sizeof(text), PCI_DIR "/%s/vendor", edu->bdf);
	if (ret < 0)
		return ret;
	ret = guest_parse_uint(text, 16, &vendor);
	if (ret < 0)
		return ret;
	ret = guest_read_text(edu->g, text, sizeof(text), PCI_DIR "/%s/device", edu->bdf);
	if (ret < 0)
		return ret;
	ret = guest_parse_uint(text, 16, &device);
	if (ret < 0)
		return ret;
	return vendor == EDU_VENDOR && device == EDU_DEVICE ? 0 : -ENODEV;
}

static int enable(struct edu *edu)
{
	long long count = 0;
	uint16_t command;
	int ret;

	(void)guest_read_int(edu->g, &count, PCI_DIR "/%s/enable", edu->bdf);
	if (count == 0) {
		ret = set_enabled(edu, "1");
		if (ret < 0)
			return ret;
		edu->is_enabled_by_us = true;
	}
	edu->config_fd = guest_open(edu->g, O_RDWR, PCI_DIR "/%s/config", edu->bdf);
	if (edu->config_fd < 0)
		return edu->config_fd;
	if (pread(edu->config_fd, &edu->old_command, 2, PCI_COMMAND) != 2)
		return -EIO;
	edu->has_old_command = true;
	command = edu->old_command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	return pwrite(edu->config_fd, &command, 2, PCI_COMMAND) == 2 ? 0 : -EIO;
}

static int map_registers(struct edu *edu)
{
	_cleanup_close_ int fd = guest_open(edu->g, O_RDWR, PCI_DIR "/%s/resource0", edu->bdf);
	void *bar;

	if (fd < 0)
		return fd;
	bar = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		return -errno;
	edu->bar = bar;
	return 0;
}

/* Physical address of a page that is present; needs CAP_SYS_ADMIN (else the kernel shows 0). */
static int physical_address(int pagemap, const void *page, uint64_t *ret_phys)
{
	uint64_t entry;

	if (pread(pagemap, &entry, sizeof(entry), (uintptr_t)page / PAGE_SIZE * sizeof(entry)) !=
	    sizeof(entry))
		return -EIO;
	if (!(entry & PAGEMAP_PRESENT))
		return -EFAULT;
	if (!(entry & PAGEMAP_PFN))
		return -EPERM;
	*ret_phys = (entry & PAGEMAP_PFN) * PAGE_SIZE;
	return 0;
}

/* Nearly all of what is available, in whole steps: how much memory the search may touch. */
static size_t search_size(const struct guest *g)
{
	char text[GUEST_TEXT_MAX], digits[24];
	uint64_t kib = 0;
	const char *at;

	if (guest_read_text(g, text, sizeof(text), "proc/meminfo") > 0 &&
	    (at = strstr(text, "MemAvailable:"))) {
		at += strcspn(at, "0123456789");
		snprintf(digits, sizeof(digits), "%.*s", (int)strspn(at, "0123456789"), at);
		(void)guest_parse_uint(digits, 10, &kib);
	}
	return (kib * 1024 / 16 * 15 / SEARCH_STEP + 1) * SEARCH_STEP;
}

/*
 * Touches one page per step (a whole transparent huge page where the kernel gives one) until one lies
 * where the device surely reaches it. The lowest so far is good enough when the time is over.
 */
static int search_page(int pagemap, uint8_t *map, size_t size, uint64_t wanted, uint64_t limit,
		       struct dma_page *page)
{
	uint64_t end_us = guest_now_us() + SEARCH_US, phys;

	page->phys = UINT64_MAX;
	for (size_t at = 0; at < size; at += SEARCH_STEP) {
		int ret;

		map[at] = 1;
		ret = physical_address(pagemap, map + at, &phys);
		if (ret < 0)
			return ret;
		if (phys < page->phys) {
			page->phys = phys;
			page->data = map + at;
		}
		if (page->phys + PAGE_SIZE <= wanted ||
		    (page->phys + PAGE_SIZE <= limit && guest_now_us() > end_us))
			break;
	}
	return page->phys + PAGE_SIZE <= limit ? 0 : -ERANGE;
}

/* Gives back everything but the step that holds the page. */
static void keep_step(struct dma_page *page)
{
	uint8_t *start = page->map, *end = start + page->map_size;
	uint8_t *step_end = page->data + SEARCH_STEP;

	if (page->data > start)
		munmap(start, page->data - start);
	if (step_end < end)
		munmap(step_end, end - step_end);
	page->map = page->data;
	page->map_size = SEARCH_STEP;
}

static int get_page(const struct guest *g, int pagemap, uint64_t mask_bits, struct dma_page *page)
{
	uint64_t limit = 1ULL << (mask_bits ? mask_bits : WIDEST_MASK_BITS);
	uint64_t wanted = mask_bits ? limit : 1ULL << DEFAULT_MASK_BITS;
	size_t size = search_size(g) + SEARCH_STEP;
	unsigned long node_0 = 1;
	uint8_t *start;
	int ret;

	page->map = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (page->map == MAP_FAILED) {
		page->map = NULL;
		return -ENOMEM;
	}
	page->map_size = size;
	(void)madvise(page->map, size, MADV_HUGEPAGE);
	/* Memory below 4 GiB is on node 0, and the kernel gives it out last. */
	(void)syscall(SYS_mbind, page->map, size, MPOL_PREFERRED, &node_0, sizeof(node_0) * 8, 0);
	start = (uint8_t *)(((uintptr_t)page->map + SEARCH_STEP - 1) / SEARCH_STEP * SEARCH_STEP);
	ret = search_page(pagemap, start, size - SEARCH_STEP, wanted, limit, page);
	if (ret < 0)
		return ret;
	keep_step(page);
	return mlock(page->data, PAGE_SIZE) < 0 ? -errno : 0;
}

static int transfer(struct edu *edu, uint32_t source, uint32_t target, uint32_t bytes,
		    uint32_t direction)
{
	uint64_t deadline = guest_now_us() + DMA_WAIT_MS * 1000ULL;

	reg_write(edu, EDU_DMA_SOURCE, source);
	reg_write(edu, EDU_DMA_TARGET, target);
	reg_write(edu, EDU_DMA_COUNT, bytes);
	__sync_synchronize();
	reg_write(edu, EDU_DMA_COMMAND, EDU_DMA_START | direction);
	while (reg_read(edu, EDU_DMA_COMMAND) & EDU_DMA_START) {
		if (guest_now_us() >= deadline)
			return -ETIMEDOUT;
		guest_sleep_ms(1);
	}
	__sync_synchronize();
	return 0;
}

static int check_liveness(struct edu *edu, struct guest_result *result)
{
	uint32_t id = reg_read(edu, EDU_ID), pattern = guest_now_us(), answer;
	char text[16];

	snprintf(text, sizeof(text), "%08x", id);
	json_object_set_new(result->json, "identification", json_string(text));
	if ((id & 0xff) != 0xed)
		return guest_fail(result, -EBADMSG, "the identification register of %s reads %08x",
				  edu->bdf, id);
	reg_write(edu, EDU_LIVENESS, pattern);
	answer = reg_read(edu, EDU_LIVENESS);
	if (answer != ~pattern)
		return guest_fail(result, -EBADMSG,
				  "the liveness register of %s gave %08x for %08x", edu->bdf,
				  answer, pattern);
	return 0;
}

static int round_trip(struct edu *edu, int pagemap, struct dma_page *page, size_t bytes,
		      struct guest_result *result)
{
	uint8_t sent[EDU_BUFFER_SIZE];
	size_t mismatches = 0;
	uint64_t phys;
	int ret;

	if (getrandom(sent, bytes, 0) != (ssize_t)bytes)
		return guest_fail(result, -EIO, "no random bytes");
	memcpy(page->data, sent, bytes);
	ret = transfer(edu, page->phys, EDU_BUFFER, bytes, 0);
	if (ret < 0)
		return guest_fail(result, ret, "DMA from memory to %s did not end", edu->bdf);
	memset(page->data, 0, bytes);
	ret = transfer(edu, EDU_BUFFER, page->phys, bytes, EDU_DMA_FROM_DEVICE);
	if (ret < 0)
		return guest_fail(result, ret, "DMA from %s to memory did not end", edu->bdf);
	ret = physical_address(pagemap, page->data, &phys);
	if (ret < 0 || phys != page->phys)
		return guest_fail(result, -EAGAIN, "the kernel moved the page during the transfer");
	for (size_t i = 0; i < bytes; i++)
		mismatches += page->data[i] != sent[i];
	json_object_set_new(result->json, "bytes", json_integer(bytes));
	json_object_set_new(result->json, "mismatches", json_integer(mismatches));
	if (mismatches)
		return guest_fail(result, -EBADMSG, "%zu of %zu bytes came back wrong from %s",
				  mismatches, bytes, edu->bdf);
	return guest_say(result, "%zu bytes went to %s and came back the same", bytes, edu->bdf);
}

static int test_enabled(struct edu *edu, size_t bytes, uint64_t mask_bits,
			struct guest_result *result)
{
	_cleanup_close_ int pagemap = guest_open(edu->g, O_RDONLY, "proc/self/pagemap");
	_cleanup_(page_done) struct dma_page page = {};
	char address[24];
	int ret;

	if (pagemap < 0)
		return guest_fail(result, pagemap, "cannot learn physical addresses");
	ret = check_liveness(edu, result);
	if (ret < 0)
		return ret;
	ret = get_page(edu->g, pagemap, mask_bits, &page);
	if (ret < 0)
		return guest_fail(result, ret, "found no page of memory that %s can reach",
				  edu->bdf);
	snprintf(address, sizeof(address), "%" PRIx64, page.phys);
	json_object_set_new(result->json, "address", json_string(address));
	return round_trip(edu, pagemap, &page, bytes, result);
}

int guest_test_edu(const struct guest *g, const json_t *test, struct guest_result *result)
{
	_cleanup_(edu_done) struct edu edu = {
		.g = g,
		.bdf = json_string_value(json_object_get(test, "bdf")),
		.config_fd = -1,
	};
	uint64_t bytes, mask_bits;
	int ret;

	if (guest_arg_uint(test, "bytes", EDU_BUFFER_SIZE, EDU_BUFFER_SIZE, &bytes) < 0 || !bytes)
		return guest_fail(result, -EINVAL, "bytes must be 1 to %d", EDU_BUFFER_SIZE);
	if (guest_arg_uint(test, "dma_bits", 0, WIDEST_MASK_BITS, &mask_bits) < 0 ||
	    (mask_bits && mask_bits < 24))
		return guest_fail(result, -EINVAL, "dma_bits must be 24 to %d", WIDEST_MASK_BITS);
	ret = check_identity(&edu);
	if (ret < 0)
		return guest_fail(result, ret, "%s is not an edu device", edu.bdf);
	ret = enable(&edu);
	if (ret < 0)
		return guest_fail(result, ret, "cannot enable %s", edu.bdf);
	ret = map_registers(&edu);
	if (ret < 0)
		return guest_fail(result, ret, "cannot map the registers of %s", edu.bdf);
	return test_enabled(&edu, bytes, mask_bits, result);
}
