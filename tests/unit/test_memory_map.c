// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the guest's memory and BARs lie: around what the host reserves, and within its address bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "guest_builder.h"

#define GB_4G (4 * GB_1G)

static const struct gb_shape intel = { "GenuineIntel", 2, 16, 1, 16, 0, 46 };
static const struct gb_shape amd = { "AuthenticAMD", 2, 16, 1, 16, 0, 48 };

/* Whatever the map: it ascends, RAM is the nodes' memory, and nothing of the guest is where it must not. */
static void judge(const struct plan *p)
{
	uint64_t end = 0, ram = 0, memory = 0;

	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];

		assert_true(r->size > 0 && r->start >= end);
		end = r->start + r->size;
		if (r->kind == PLAN_RAM)
			ram += r->size;
		if (r->kind == PLAN_RAM && r->start < GB_4G)
			assert_true(end <= p->low_limit);
		if (r->kind == PLAN_MMIO64)
			assert_true(r->start >= GB_4G && !(r->size & (r->size - 1)));
		if (r->kind == PLAN_RAM || r->kind == PLAN_MMIO64)
			assert_true(end - 1 <= (UINT64_MAX >> (64 - p->phys_bits)));
		if (r->kind != PLAN_RESERVED && strcmp(p->cpu_vendor, "AuthenticAMD") == 0)
			assert_true(end <= PLAN_AMD_HOLE_START || r->start >= PLAN_AMD_HOLE_END);
	}
	for (size_t i = 0; i < p->n_nodes; i++)
		memory += p->nodes[i].memory;
	assert_true(ram == memory);
	assert_true(p->memlock >= memory);
}

/* "ram 0+80000000 n0": kind, start and size in hexadecimal, node. Only the kinds in @kinds. */
static char *map_text(const struct plan *p, const char *kinds, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];
		size_t used = strlen(text);

		if (strstr(kinds, plan_range_words[r->kind]))
			snprintf(text + used, size - used, "%s%s %llx+%llx n%d", used ? ", " : "",
				 plan_range_words[r->kind], (unsigned long long)r->start,
				 (unsigned long long)r->size, r->guest_node);
	}
	return text;
}

static void assert_map(const struct plan *p, const char *kinds, const char *wanted)
{
	char text[512];

	assert_string_equal(map_text(p, kinds, text, sizeof(text)), wanted);
}

static bool says(const struct plan *p, const char *text)
{
	for (size_t i = 0; i < p->n_reasons; i++)
		if (strcmp(p->reasons[i].object, "memory map") == 0 &&
		    strstr(p->reasons[i].text, text))
			return true;
	return false;
}

/* A function of IOMMU group 2 below a root port, taken by the guest. */
static struct inv_dev *one_device(struct gb *b, const struct gb_shape *shape)
{
	gb_init(b, shape);
	gb_dev(b, "0000:10:00.0", "", 0, INV_PORT_ROOT);
	return gb_dev(b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_ENDPOINT);
}

static void refused(struct gb *b, const char *code, const char *found, const char *wanted)
{
	assert_int_equal(gb_plan(b), -ENOSPC);
	assert_string_equal(b->err.code, code);
	assert_int_equal(b->err.exit, CV_EXIT_PRECONDITION);
	if (!strstr(b->err.found, found) || !strstr(b->err.wanted, wanted))
		fail_msg("%s: found \"%s\", wanted \"%s\"", code, b->err.found, b->err.wanted);
	assert_true(b->err.hint[0] && b->err.what[0]);
	gb_done(b);
}

/* ---- RAM ---- */

/* As QEMU 10.0 prints with "info mtree -f" for these sizes. */
static void ram_is_split_as_qemu_does(void **state)
{
	static const struct {
		uint64_t pages[2];
		uint64_t low;
		const char *ram;
	} rows[] = {
		{ { 1024, 0 }, 0xb0000000, "ram 0+80000000 n0" },
		{ { 1407, 0 }, 0xb0000000, "ram 0+afe00000 n0" },
		{ { 1408, 0 }, 0x80000000, "ram 0+80000000 n0, ram 100000000+30000000 n0" },
		{ { 512, 512 }, 0xb0000000, "ram 0+40000000 n0, ram 40000000+40000000 n1" },
		{ { 512, 1536 },
		  0x80000000,
		  "ram 0+40000000 n0, ram 40000000+40000000 n1, ram 100000000+80000000 n1" },
		{ { 1536, 512 },
		  0x80000000,
		  "ram 0+80000000 n0, ram 100000000+40000000 n0, ram 140000000+40000000 n1" },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct gb b;

		gb_init(&b, &intel);
		for (int n = 0; n < 2 && rows[i].pages[n]; n++)
			gb_take(&b, n, 2, rows[i].pages[n], GB_2M);
		assert_int_equal(gb_plan(&b), 0);
		judge(&b.plan);
		assert_int_equal(b.plan.low_limit, rows[i].low);
		assert_map(&b.plan, "ram", rows[i].ram);
		gb_done(&b);
	}
}

/* Row T7: 1.2 TiB on AMD goes on at 1 TiB, all that lies above 4 GiB, as QEMU 7.1 and later do it. */
static void memory_avoids_the_amd_hole(void **state)
{
	static const struct {
		const struct gb_shape *shape;
		uint64_t gib;
		const char *ram;
		unsigned int bits;
	} rows[] = {
		{ &amd, 1229, "ram 0+80000000 n0, ram 10000000000+132c0000000 n0", 42 },
		{ &intel, 1229, "ram 0+80000000 n0, ram 100000000+132c0000000 n0", 41 },
		/* with the hole for BARs it reaches 0xfd00000000 exactly, and then by one */
		{ &amd, 978, "ram 0+80000000 n0, ram 100000000+f400000000 n0", 40 },
		{ &amd, 979, "ram 0+80000000 n0, ram 10000000000+f440000000 n0", 41 },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct gb b;

		gb_init(&b, rows[i].shape);
		gb_take(&b, 0, 2, rows[i].gib, GB_1G);
		assert_int_equal(gb_plan(&b), 0);
		judge(&b.plan);
		assert_map(&b.plan, "ram", rows[i].ram);
		assert_int_equal(b.plan.phys_bits, rows[i].bits);
		gb_done(&b);
	}
}

/* ---- reserved ---- */

static void reserved_regions_are_listed(void **state)
{
	struct gb b;

	(void)state;
	one_device(&b, &amd);
	gb_region(&b, 2, 0xfee00000, 0xfeefffff, "msi");
	gb_region(&b, 2, 0xfd00000000, 0xffffffffff, "reserved");
	gb_region(&b, 9, 0x1000000, 0x1ffffff, "direct"); /* of a device that stays with the host */
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	assert_int_equal(gb_plan(&b), 0);
	judge(&b.plan);
	assert_map(&b.plan, "ram reserved mmio32",
		   "ram 0+40000000 n0, mmio32 40000000+bee00000 n-1, reserved fee00000+100000 n-1, "
		   "mmio32 fef00000+1100000 n-1, reserved fd00000000+300000000 n-1");
	assert_int_equal(b.plan.low_limit, 0xb0000000);
	gb_done(&b);
}

/* RAM below 4 GiB ends before it, in whole pages. */
static void low_memory_ends_before_a_region(void **state)
{
	static const struct {
		uint64_t page, pages, start;
		uint64_t limit;
		const char *ram;
	} rows[] = {
		{ GB_2M, 1024, 0x3e2e0000, 0x3e200000,
		  "ram 0+3e200000 n0, ram 100000000+41e00000 n0" },
		{ GB_1G, 4, 0x5e2e0000, 0x40000000,
		  "ram 0+40000000 n0, ram 100000000+c0000000 n0" },
		/* the guest ends before it */
		{ GB_2M, 256, 0x3e2e0000, 0xb0000000, "ram 0+20000000 n0" },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct gb b;

		one_device(&b, &intel);
		gb_region(&b, 2, rows[i].start, rows[i].start + 0xffff, "direct");
		gb_take(&b, 0, 2, rows[i].pages, rows[i].page);
		gb_take_dev(&b, "0000:11:00.0");
		assert_int_equal(gb_plan(&b), 0);
		judge(&b.plan);
		assert_int_equal(b.plan.low_limit, rows[i].limit);
		assert_map(&b.plan, "ram", rows[i].ram);
		assert_int_equal(says(&b.plan, "memory below 4G ends"),
				 rows[i].limit != 0xb0000000);
		gb_done(&b);
	}
}

static void a_region_in_the_way_is_refused(void **state)
{
	struct gb b;

	(void)state;
	one_device(&b, &intel); /* too low: with pages of 1 GiB nothing is left below it */
	gb_region(&b, 2, 0x3e2e0000, 0x3e2effff, "direct");
	gb_take(&b, 0, 2, 2, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	refused(&b, "IOVA_RESERVED", "direct region 0x3e2e0000-0x3e2effff of IOMMU group 2",
		"at least 256M");

	one_device(&b, &intel); /* in the midst of high memory */
	gb_region(&b, 2, 0x180000000, 0x1800fffff, "reserved");
	gb_take(&b, 0, 2, 8, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	refused(&b, "IOVA_RESERVED", "reserved region 0x180000000-0x1800fffff of IOMMU group 2",
		"above 4G");
}

static void relaxable_regions_are_only_told(void **state)
{
	struct gb b;

	(void)state;
	one_device(&b, &intel);
	gb_region(&b, 2, 0x1000000, 0x1ffffff, "direct-relaxable");
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	assert_int_equal(gb_plan(&b), 0);
	judge(&b.plan);
	assert_map(&b.plan, "ram reserved", "ram 0+40000000 n0");
	assert_true(says(&b.plan, "group 2 maps 0x1000000-0x1ffffff"));
	gb_done(&b);
}

/* A VF to come has the group of its PF; two VFs do not tell it twice. */
static void vfs_have_the_regions_of_their_pf(void **state)
{
	struct gb b;
	unsigned int told = 0;

	(void)state;
	one_device(&b, &intel)->sriov = (struct inv_sriov){ 8, 0, 1, 1, 0x101e, true };
	gb_region(&b, 2, 0x1000000, 0x1ffffff, "direct-relaxable");
	gb_region(&b, 2, 0xfee00000, 0xfeefffff, "msi");
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_vf(&b, "0000:11:00.0", 0);
	gb_take_vf(&b, "0000:11:00.0", 1);
	assert_int_equal(gb_plan(&b), 0);
	assert_map(&b.plan, "reserved", "reserved fee00000+100000 n-1");
	for (size_t i = 0; i < b.plan.n_reasons; i++)
		told += strstr(b.plan.reasons[i].text, "relaxable") != NULL;
	assert_int_equal(told, 1);
	gb_done(&b);
}

/* ---- windows ---- */

/* @n GPUs on root ports of node 0. */
static int gpus(struct gb *b, const struct gb_shape *shape, unsigned int bits, int n, uint64_t bar)
{
	char port[16], gpu[16];

	gb_init(b, shape);
	b->inv.host.phys_bits = bits;
	for (int i = 0; i < n; i++) {
		snprintf(port, sizeof(port), "0000:%02x:00.0", 0x10 + 2 * i);
		snprintf(gpu, sizeof(gpu), "0000:%02x:00.0", 0x11 + 2 * i);
		gb_dev(b, port, "", 0, INV_PORT_ROOT);
		gb_gpu(b, gpu, port, 0, bar);
	}
	gb_take(b, 0, 2, 64, GB_1G);
	for (int i = 0; i < n; i++) {
		snprintf(gpu, sizeof(gpu), "0000:%02x:00.0", 0x11 + 2 * i);
		gb_take_dev(b, gpu);
	}
	return gb_plan(b);
}

/* Rows D7 and T8: large BARs have their window without anybody's action, or are refused. */
static void windows_hold_large_bars(void **state)
{
	static const struct {
		const struct gb_shape *shape;
		unsigned int host_bits;
		int n;
		uint64_t bar, window;
		unsigned int bits;
	} rows[] = {
		{ &intel, 46, 8, 512 * GB_1G, 16 * GB_1T, 45 },
		{ &intel, 0, 8, 512 * GB_1G, 16 * GB_1T, 45 },
		{ &amd, 48, 8, 512 * GB_1G, 16 * GB_1T, 45 },
		{ &intel, 46, 8, 128 * GB_1G, 4 * GB_1T, 43 },
		{ &intel, 46, 1, 256 << 20, GB_1G, 37 },
		{ &intel, 46, 8, 4 * GB_1T, 0, 0 },
		{ &intel, 39, 8, 512 * GB_1G, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct gb b;
		int r = gpus(&b, rows[i].shape, rows[i].host_bits, rows[i].n, rows[i].bar);
		uint64_t window = 0;

		for (size_t k = 0; k < b.plan.n_ranges; k++)
			if (b.plan.ranges[k].kind == PLAN_MMIO64)
				window = b.plan.ranges[k].size;
		if (!rows[i].window) {
			assert_int_equal(r, -ENOSPC);
			assert_string_equal(b.err.code, "MMIO_WINDOW");
			assert_non_null(strstr(b.err.found, "bits needed"));
			assert_non_null(strstr(b.err.wanted, "at most"));
		} else if (r < 0 || window != rows[i].window || b.plan.phys_bits != rows[i].bits) {
			fail_msg("row %zu: %d, window 0x%llx, %u bits", i, r,
				 (unsigned long long)window, b.plan.phys_bits);
		} else {
			judge(&b.plan);
			assert_true(b.plan.memlock > (uint64_t)rows[i].n * rows[i].bar);
		}
		gb_done(&b);
	}
}

static void a_window_is_beside_what_is_reserved(void **state)
{
	struct gb b;

	(void)state;
	one_device(&b, &intel)->bars[0] = (struct inv_bar){ .size = 2 * GB_1G,
							    .is_64bit = true,
							    .is_prefetchable = true };
	gb_region(&b, 2, 0x100000000, 0x17fffffff, "reserved");
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	assert_int_equal(gb_plan(&b), 0);
	judge(&b.plan);
	assert_map(&b.plan, "mmio64 reserved",
		   "reserved 100000000+80000000 n-1, mmio64 180000000+200000000 n0");
	gb_done(&b);
}

/* A port forwards no 64-bit address outside its prefetchable window. */
static void what_needs_low_addresses_is_counted(void **state)
{
	struct gb b;
	struct inv_dev *d;

	(void)state;
	d = one_device(&b, &intel);
	d->bars[0] = (struct inv_bar){ .size = 1 << 20, .is_64bit = true };
	d->bars[2] = (struct inv_bar){ .size = 256, .is_io = true };
	d->bars[3] = (struct inv_bar){ .size = 4 << 20 };
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	assert_int_equal(gb_plan(&b), 0);
	assert_int_equal(b.plan.devices[0].mmio32, 5 << 20);
	assert_int_equal(b.plan.devices[0].mmio64, 0);
	assert_map(&b.plan, "mmio64", "");
	gb_done(&b);

	one_device(&b, &intel)->bars[0] = (struct inv_bar){ .size = 2 * GB_1G };
	gb_take(&b, 0, 2, 1, GB_1G);
	gb_take_dev(&b, "0000:11:00.0");
	refused(&b, "MMIO_WINDOW", "needed", "at most");
}

/* Numbers of a broken snapshot are no crash. */
static void huge_bars_are_refused(void **state)
{
	struct gb b;

	(void)state;
	assert_int_equal(gpus(&b, &intel, 0, 4, UINT64_MAX), -ENOSPC);
	assert_string_equal(b.err.code, "MMIO_WINDOW");
	gb_done(&b);
}

/* ---- limits of VFIO ---- */

/* Row M8. */
static void dma_entries_are_counted_when_known(void **state)
{
	static const int limits[] = { -1, 0, 64, 20 };

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(limits); i++) {
		struct gb b;

		one_device(&b, &intel);
		b.inv.host.noise.dma_entry_limit = limits[i];
		gb_take(&b, 0, 2, 4, GB_1G);
		gb_take_dev(&b, "0000:11:00.0");
		if (limits[i] == 20) {
			refused(&b, "DMA_ENTRY_LIMIT", "dma_entry_limit 20", "at least 24");
			continue;
		}
		assert_int_equal(gb_plan(&b), 0);
		gb_done(&b);
	}
}

/* Row M7: RAM once, BARs for peers, and a reserve. */
static void memlock_covers_memory_and_bars(void **state)
{
	struct gb b;

	(void)state;
	assert_int_equal(gpus(&b, &intel, 46, 2, 32 * GB_1G), 0);
	assert_int_equal(b.plan.memlock, (64 + 2 * 32 + 1) * GB_1G + 2 * (16 << 20));
	gb_done(&b);
}

static void cases_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct gb b;

		guest_case(guest_cases[i], &b);
		judge(&b.plan);
		gb_done(&b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ram_is_split_as_qemu_does),
		cmocka_unit_test(memory_avoids_the_amd_hole),
		cmocka_unit_test(reserved_regions_are_listed),
		cmocka_unit_test(low_memory_ends_before_a_region),
		cmocka_unit_test(a_region_in_the_way_is_refused),
		cmocka_unit_test(relaxable_regions_are_only_told),
		cmocka_unit_test(vfs_have_the_regions_of_their_pf),
		cmocka_unit_test(windows_hold_large_bars),
		cmocka_unit_test(a_window_is_beside_what_is_reserved),
		cmocka_unit_test(what_needs_low_addresses_is_counted),
		cmocka_unit_test(huge_bars_are_refused),
		cmocka_unit_test(dma_entries_are_counted_when_known),
		cmocka_unit_test(memlock_covers_memory_and_bars),
		cmocka_unit_test(cases_are_sound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
