// SPDX-License-Identifier: GPL-2.0-or-later
/* The walk through a guest's page tables: each mode, page size, right and fault. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/walk.h"

#define RAM 0x10000
#define P 1ULL
#define W 2ULL
#define U 4ULL
#define A 0x20ULL
#define D 0x40ULL
#define PS 0x80ULL
#define G 0x100ULL
#define NX (1ULL << 63)
#define ALL (P | W | U)
#define USED (ALL | A)

#define LONG (WALK_EFER_LMA | WALK_EFER_NXE)
#define PAGED (WALK_CR0_PE | WALK_CR0_PG | WALK_CR0_WP)

/**
 * struct memory - small RAM at 0
 * @changes: so often somebody else is faster than a compare-exchange
 * @is_rom: nothing can be written
 */
struct memory {
	uint8_t ram[RAM];
	unsigned int reads, swaps, changes;
	bool is_rom;
};

static int read_ram(void *vm, u64 gpa, void *data, unsigned int len)
{
	struct memory *m = vm;

	m->reads++;
	if (gpa >= RAM || len > RAM - gpa)
		return -ENXIO;
	memcpy(data, m->ram + gpa, len);
	return 0;
}

static int swap_ram(void *vm, u64 gpa, u64 old, u64 replacement, unsigned int len)
{
	struct memory *m = vm;

	assert_true(gpa + len <= RAM);
	if (m->is_rom)
		return -EROFS;
	if (m->changes) {
		m->changes--;
		m->ram[gpa + 1] ^= 2; /* one of the bits that are free to software */
	}
	if (memcmp(m->ram + gpa, &old, len) != 0)
		return -EAGAIN;
	m->swaps++;
	memcpy(m->ram + gpa, &replacement, len);
	return 0;
}

static const struct guest_memory_ops ops = { .read = read_ram, .cmpxchg = swap_ram };

static struct memory mem;

static void put(unsigned int table, unsigned int index, uint64_t entry, unsigned int size)
{
	memcpy(mem.ram + table + index * size, &entry, size);
}

static uint64_t get(unsigned int table, unsigned int index, unsigned int size)
{
	uint64_t entry = 0;

	memcpy(&entry, mem.ram + table + index * size, size);
	return entry;
}

static struct walk_paging paging(uint64_t cr4, uint64_t efer)
{
	memset(&mem, 0, sizeof(mem));
	return (struct walk_paging){
		.ops = &ops,
		.vm = &mem,
		.cr0 = PAGED,
		.cr3 = 0x1000,
		.cr4 = cr4,
		.efer = efer,
		.phys_bits = 40,
		.has_1g = true,
	};
}

static void assert_gpa(const struct walk_paging *p, uint64_t linear, uint32_t access, uint64_t want)
{
	u64 gpa = 0;
	u32 error = 0;

	assert_int_equal(carve_walk(p, linear, access, &gpa, &error), 0);
	assert_int_equal(gpa, want);
}

static void assert_fault(const struct walk_paging *p, uint64_t linear, uint32_t access,
			 uint32_t want)
{
	u64 gpa = 7;
	u32 error = ~0U;

	assert_int_equal(carve_walk(p, linear, access, &gpa, &error), -EFAULT);
	assert_int_equal(error, want);
	assert_int_equal(gpa, 7);
}

static void test_no_paging(void **state)
{
	struct walk_paging p = paging(0, 0);

	p.cr0 = WALK_CR0_PE;
	assert_gpa(&p, 0x12345678, WALK_WRITE | WALK_USER, 0x12345678);
	assert_gpa(&p, 0x112345678, 0, 0x12345678);
	assert_int_equal(mem.reads, 0);
}

static void test_32_bit(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PSE, 0);

	p.cr3 = 0x1018; /* PWT and PCD are no part of the address */
	put(0x1000, 1, 0x2000 | ALL, 4);
	put(0x2000, 3, 0xabcde000 | ALL, 4);
	assert_gpa(&p, 0x403123, WALK_WRITE | WALK_USER, 0xabcde123);
	assert_gpa(&p, 0x100403123, 0, 0xabcde123);
	assert_int_equal(mem.reads, 4);
	assert_fault(&p, 0x404000, 0, 0);
	assert_fault(&p, 0x800000, WALK_WRITE | WALK_USER, WALK_PF_W | WALK_PF_U);
	/* without NX the code tells no fetch */
	assert_fault(&p, 0x800000, WALK_FETCH, 0);
	/* bits of the second directory entry that PAE would reserve */
	put(0x1000, 3, 0x80000000 | 0x2000 | ALL, 4);
	assert_int_equal(carve_walk(&p, 0xc00000, 0, &(u64){ 0 }, &(u32){ 0 }), -ENXIO);
}

/* 4M pages, and the 36 (or 40) bits of PSE-36 */
static void test_4m(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PSE, 0);

	put(0x1000, 2, 0x40000000 | 0xab << 13 | PS | ALL, 4);
	assert_gpa(&p, 0xa34567, 0, 0xab40234567);
	p.phys_bits = 36;
	assert_fault(&p, 0xa34567, WALK_USER, WALK_PF_P | WALK_PF_U | WALK_PF_RSV);
	put(0x1000, 2, 0x40000000 | 0xb << 13 | PS | ALL, 4);
	assert_gpa(&p, 0xa34567, 0, 0xb40234567);
	put(0x1000, 2, 0x40000000 | BIT(21) | PS | ALL, 4);
	assert_fault(&p, 0xa34567, 0, WALK_PF_P | WALK_PF_RSV);
	/* without PSE it is a table like any other */
	p.cr4 = 0;
	put(0x1000, 2, 0x2000 | PS | ALL, 4);
	put(0x2000, 0x234, 0x7000 | ALL, 4);
	assert_gpa(&p, 0xa34567, 0, 0x7567);
}

static void test_pae(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE, WALK_EFER_NXE);

	p.cr3 = 0x1020; /* the four pointers are aligned to 32 bytes alone */
	put(0x1020, 3, 0x2000 | P, 8);
	put(0x2000, 1, 0x3000 | ALL, 8);
	put(0x2000, 2, 0xab40200000 | PS | ALL | NX, 8);
	put(0x3000, 5, 0xab00007000 | ALL, 8);
	assert_gpa(&p, 0xc0205678, WALK_USER | WALK_WRITE, 0xab00007678);
	assert_gpa(&p, 0xc0545678, WALK_USER | WALK_WRITE, 0xab40345678);
	assert_fault(&p, 0xc0545678, WALK_FETCH, WALK_PF_P | WALK_PF_ID);
	assert_fault(&p, 0x80000000, WALK_FETCH, WALK_PF_ID);
	/* a pointer has no rights and no accessed bit */
	assert_int_equal(get(0x1020, 3, 8), 0x2000 | P);
	assert_int_equal(get(0x2000, 1, 8), 0x3000 | USED);
	put(0x1020, 3, 0x2000 | P | W, 8);
	assert_fault(&p, 0xc0205678, 0, WALK_PF_P | WALK_PF_RSV);
	put(0x1020, 3, 0x2000 | P, 8);
	put(0x3000, 5, BIT(52) | 0x7000 | ALL, 8);
	assert_fault(&p, 0xc0205678, 0, WALK_PF_P | WALK_PF_RSV);
}

/* A page of each size under the table at 0x1000 */
static void long_tables(void)
{
	put(0x1000, 256, 0x2000 | ALL, 8); /* addresses from ffff8000_00000000 */
	put(0x2000, 1, 0x3000 | ALL, 8);
	put(0x2000, 2, 0xab40000000 | PS | ALL | 0x1000, 8); /* PAT of a large page */
	put(0x3000, 4, 0x4000 | ALL, 8);
	put(0x3000, 5, 0xab40600000 | PS | ALL, 8);
	put(0x4000, 6, 0xab00009000 | ALL | PS, 8); /* PAT of a small one */
}

#define AT_4K 0xffff800040806123
#define AT_2M 0xffff800040bff123
#define AT_1G 0xffff8000bffff123

static void test_4_level(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE, LONG);

	long_tables();
	assert_gpa(&p, AT_4K, WALK_USER | WALK_WRITE, 0xab00009123);
	assert_gpa(&p, AT_2M, WALK_USER | WALK_WRITE, 0xab407ff123);
	assert_gpa(&p, AT_1G, WALK_USER | WALK_WRITE, 0xab7ffff123);
	assert_fault(&p, AT_4K + 0x1000, 0, 0);
	assert_fault(&p, 0, WALK_FETCH | WALK_USER, WALK_PF_ID | WALK_PF_U);
	p.cr3 |= 0x123; /* a PCID */
	assert_gpa(&p, AT_4K, 0, 0xab00009123);
	p.has_1g = false;
	assert_fault(&p, AT_1G, 0, WALK_PF_P | WALK_PF_RSV);
}

static void test_5_level(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE | WALK_CR4_LA57, LONG);
	u64 gpa;
	u32 error;

	long_tables();
	p.cr3 = 0x5000;
	put(0x5000, 511, 0x1000 | ALL, 8);
	put(0x5000, 257, 0x1000 | ALL, 8);
	assert_gpa(&p, AT_4K, WALK_USER, 0xab00009123);
	assert_gpa(&p, 0xff01800040806123, WALK_USER, 0xab00009123);
	assert_int_equal(carve_walk(&p, 0xfe01800040806123, 0, &gpa, &error), -ERANGE);
	p.cr4 &= ~WALK_CR4_LA57;
	assert_int_equal(carve_walk(&p, 0xff01800040806123, 0, &gpa, &error), -ERANGE);
	assert_int_equal(carve_walk(&p, 0x0000800040806123, 0, &gpa, &error), -ERANGE);
	assert_true(carve_walk_is_canonical(&p, 0xffff800000000000));
	assert_true(carve_walk_is_canonical(&p, 0x00007fffffffffff));
}

/* One bit at a time, where it is reserved: table, index, bit */
static void test_reserved(void **state)
{
	static const struct {
		unsigned int table, index, bit;
		uint64_t linear;
	} bad[] = {
		{ 0x1000, 256, 7, AT_4K },  { 0x1000, 256, 8, AT_4K }, { 0x1000, 256, 40, AT_4K },
		{ 0x1000, 256, 51, AT_4K }, { 0x2000, 1, 8, AT_4K },   { 0x2000, 1, 45, AT_4K },
		{ 0x2000, 2, 13, AT_1G },   { 0x2000, 2, 29, AT_1G },  { 0x2000, 2, 40, AT_1G },
		{ 0x3000, 5, 13, AT_2M },   { 0x3000, 5, 20, AT_2M },  { 0x3000, 4, 50, AT_4K },
		{ 0x4000, 6, 40, AT_4K },   { 0x4000, 6, 51, AT_4K },
	};
	struct walk_paging p = paging(WALK_CR4_PAE, LONG);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		long_tables();
		put(bad[i].table, bad[i].index,
		    get(bad[i].table, bad[i].index, 8) | BIT(bad[i].bit), 8);
		assert_fault(&p, bad[i].linear, WALK_USER, WALK_PF_P | WALK_PF_RSV | WALK_PF_U);
	}
	/* free to software, all of them */
	long_tables();
	put(0x4000, 6, get(0x4000, 6, 8) | BIT(9) | BIT(10) | BIT(11) | BIT(52) | BIT(62), 8);
	assert_gpa(&p, AT_4K, 0, 0xab00009123);
	/* NX is reserved as long as it is not enabled */
	put(0x3000, 4, get(0x3000, 4, 8) | NX, 8);
	assert_gpa(&p, AT_4K, 0, 0xab00009123);
	p.efer = WALK_EFER_LMA;
	assert_fault(&p, AT_4K, 0, WALK_PF_P | WALK_PF_RSV);
}

/**
 * struct right - access to a page whose upper level and leaf have these bits, with these CR0 and
 * CR4
 */
struct right {
	uint64_t upper, leaf;
	uint64_t cr0, cr4;
	uint32_t access;
	int error; /* or -1 */
};

static const struct right rights[] = {
	{ ALL, ALL, PAGED, 0, WALK_USER | WALK_WRITE, -1 },
	/* every level must allow */
	{ P | W, ALL, PAGED, 0, WALK_USER, WALK_PF_P | WALK_PF_U },
	{ ALL, P | W, PAGED, 0, WALK_USER, WALK_PF_P | WALK_PF_U },
	{ P | U, ALL, PAGED, 0, WALK_USER | WALK_WRITE, WALK_PF_P | WALK_PF_U | WALK_PF_W },
	{ ALL, P | U, PAGED, 0, WALK_USER | WALK_WRITE, WALK_PF_P | WALK_PF_U | WALK_PF_W },
	{ ALL, P | U, PAGED, 0, WALK_USER, -1 },
	/* a supervisor writes read-only pages unless WP forbids; a user never does */
	{ ALL, P, PAGED, 0, WALK_WRITE, WALK_PF_P | WALK_PF_W },
	{ ALL, P, PAGED & ~WALK_CR0_WP, 0, WALK_WRITE, -1 },
	{ P | U, ALL, PAGED & ~WALK_CR0_WP, 0, WALK_WRITE | WALK_USER,
	  WALK_PF_P | WALK_PF_U | WALK_PF_W },
	/* NX of any level */
	{ ALL | NX, ALL, PAGED, 0, WALK_FETCH, WALK_PF_P | WALK_PF_ID },
	{ ALL, ALL | NX, PAGED, 0, WALK_FETCH | WALK_USER, WALK_PF_P | WALK_PF_ID | WALK_PF_U },
	{ ALL, ALL | NX, PAGED, 0, WALK_WRITE, -1 },
	/* SMEP: user pages are not for a supervisor to run */
	{ ALL, ALL, PAGED, 0, WALK_FETCH, -1 },
	{ ALL, ALL, PAGED, WALK_CR4_SMEP, WALK_FETCH, WALK_PF_P | WALK_PF_ID },
	{ ALL, P | W, PAGED, WALK_CR4_SMEP, WALK_FETCH, -1 },
	{ ALL, ALL, PAGED, WALK_CR4_SMEP, WALK_FETCH | WALK_USER, -1 },
	{ ALL, ALL, PAGED, WALK_CR4_SMEP, 0, -1 },
	/* SMAP: nor to touch, unless it says so */
	{ ALL, ALL, PAGED, WALK_CR4_SMAP, 0, WALK_PF_P },
	{ ALL, ALL, PAGED, WALK_CR4_SMAP, WALK_WRITE, WALK_PF_P | WALK_PF_W },
	{ ALL, ALL, PAGED, WALK_CR4_SMAP, WALK_AC, -1 },
	{ ALL, P | W, PAGED, WALK_CR4_SMAP, WALK_WRITE, -1 },
	{ ALL, ALL, PAGED, WALK_CR4_SMAP, WALK_USER, -1 },
	{ ALL, ALL, PAGED, WALK_CR4_SMAP, WALK_FETCH, -1 },
};

static void test_rights(void **state)
{
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		const struct right *r = &rights[i];
		struct walk_paging p = paging(WALK_CR4_PAE | r->cr4, LONG);

		p.cr0 = r->cr0;
		long_tables();
		put(0x2000, 1, 0x3000 | r->upper, 8);
		put(0x4000, 6, 0x9000 | r->leaf, 8);
		if (r->error < 0)
			assert_gpa(&p, AT_4K, r->access, 0x9123);
		else
			assert_fault(&p, AT_4K, r->access, (uint32_t)r->error);
		/* nothing is marked by an access that is refused */
		assert_int_equal(!!mem.swaps, r->error < 0);
	}
}

static void test_keys(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE | WALK_CR4_PKE, LONG);
	const uint32_t wp = WALK_PF_P | WALK_PF_PK | WALK_PF_W;

	long_tables();
	put(0x4000, 6, 5ULL << 59 | 0x9000 | ALL, 8);
	p.pkru = ~(3U << 10);
	assert_gpa(&p, AT_4K, WALK_USER | WALK_WRITE, 0x9123);
	p.pkru = 1U << 11; /* no writes with key 5 */
	assert_gpa(&p, AT_4K, WALK_USER, 0x9123);
	assert_fault(&p, AT_4K, WALK_USER | WALK_WRITE, wp | WALK_PF_U);
	assert_fault(&p, AT_4K, WALK_WRITE, wp);
	p.cr0 &= ~WALK_CR0_WP;
	assert_gpa(&p, AT_4K, WALK_WRITE, 0x9123);
	p.pkru = 1U << 10; /* no access */
	assert_fault(&p, AT_4K, 0, WALK_PF_P | WALK_PF_PK);
	assert_gpa(&p, AT_4K, WALK_FETCH | WALK_USER, 0x9123);
	p.cr4 &= ~WALK_CR4_PKE;
	assert_gpa(&p, AT_4K, 0, 0x9123);
}

static void test_marks(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE, LONG);

	long_tables();
	assert_gpa(&p, AT_4K, WALK_PEEK | WALK_WRITE, 0xab00009123);
	assert_int_equal(mem.swaps, 0);
	assert_gpa(&p, AT_4K, 0, 0xab00009123);
	assert_int_equal(mem.swaps, 4);
	assert_int_equal(get(0x1000, 256, 8), 0x2000 | USED);
	assert_int_equal(get(0x2000, 1, 8), 0x3000 | USED);
	assert_int_equal(get(0x3000, 4, 8), 0x4000 | USED);
	assert_int_equal(get(0x4000, 6, 8), 0xab00009000 | USED | PS);
	assert_gpa(&p, AT_4K, WALK_WRITE, 0xab00009123);
	assert_int_equal(mem.swaps, 5);
	assert_int_equal(get(0x4000, 6, 8), 0xab00009000 | USED | D | PS);
	assert_gpa(&p, AT_4K, WALK_WRITE, 0xab00009123);
	assert_int_equal(mem.swaps, 5);
	assert_gpa(&p, AT_2M, WALK_WRITE, 0xab407ff123);
	assert_int_equal(get(0x3000, 5, 8), 0xab40600000 | USED | D | PS);
}

/* Tables that change in between are looked at again, but not for ever. */
static void test_races(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE, LONG);
	u64 gpa;
	u32 error;

	long_tables();
	mem.changes = 3;
	assert_gpa(&p, AT_4K, 0, 0xab00009123);
	assert_int_equal(mem.changes, 0);
	memset(mem.ram, 0, sizeof(mem.ram));
	long_tables();
	mem.changes = ~0U;
	assert_int_equal(carve_walk(&p, AT_4K, 0, &gpa, &error), -EAGAIN);
}

static void test_rom(void **state)
{
	struct walk_paging p = paging(WALK_CR4_PAE, LONG);
	u64 gpa;
	u32 error;

	long_tables();
	mem.is_rom = true;
	assert_gpa(&p, AT_4K, WALK_WRITE, 0xab00009123);
	assert_int_equal(get(0x4000, 6, 8), 0xab00009000 | ALL | PS);
	put(0x3000, 4, 0x40000 | ALL, 8);
	assert_int_equal(carve_walk(&p, AT_4K, 0, &gpa, &error), -ENXIO);
	p.cr3 = 0xfffffff000;
	assert_int_equal(carve_walk(&p, AT_4K, 0, &gpa, &error), -ENXIO);
}

/*
 * A walk is the same as long as its own entries are; what lies below a large page is none of them.
 */
static void test_trace(void **state)
{
	static const unsigned int entries[][2] = {
		{ 0x1000, 256 }, { 0x2000, 1 }, { 0x3000, 4 }, { 0x4000, 6 }
	};
	struct walk_paging p = paging(WALK_CR4_PAE, LONG);
	struct walk_trace t;
	u32 error;

	long_tables();
	assert_gpa(&p, AT_4K, 0, 0xab00009123);
	assert_int_equal(carve_walk_trace(&p, AT_4K, 0, &t, &error), 0);
	assert_int_equal(t.gpa, 0xab00009123);
	assert_int_equal(t.levels, 4);
	assert_int_equal(t.leaf, 1);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		uint64_t entry = get(entries[i][0], entries[i][1], 8);

		assert_true(carve_walk_is_same(&p, &t));
		put(entries[i][0], entries[i][1], entry ^ W, 8);
		assert_false(carve_walk_is_same(&p, &t));
		put(entries[i][0], entries[i][1], entry, 8);
	}
	assert_gpa(&p, AT_2M, 0, 0xab407ff123);
	assert_int_equal(carve_walk_trace(&p, AT_2M, 0, &t, &error), 0);
	assert_int_equal(t.leaf, 2);
	put(0x4000, 6, 0, 8);
	assert_true(carve_walk_is_same(&p, &t));
	t.at[3] = RAM; /* no memory any more */
	assert_false(carve_walk_is_same(&p, &t));
	p.cr0 = WALK_CR0_PE;
	assert_int_equal(carve_walk_trace(&p, 0x123, 0, &t, &error), 0);
	assert_int_equal(t.levels, 0);
	assert_true(carve_walk_is_same(&p, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_paging), cmocka_unit_test(test_32_bit),
		cmocka_unit_test(test_4m),	  cmocka_unit_test(test_pae),
		cmocka_unit_test(test_4_level),	  cmocka_unit_test(test_5_level),
		cmocka_unit_test(test_reserved),  cmocka_unit_test(test_rights),
		cmocka_unit_test(test_keys),	  cmocka_unit_test(test_marks),
		cmocka_unit_test(test_races),	  cmocka_unit_test(test_rom),
		cmocka_unit_test(test_trace),
	};

	return cmocka_run_group_tests_name("k_walk", tests, NULL, NULL);
}
