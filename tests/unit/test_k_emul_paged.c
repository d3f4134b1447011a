// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The instruction emulator behind page tables: faults, what the CPU has told already, what is
 * remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emul_steps.h"

/*
 * Tables at 8000h map 2000h-3fffh to themselves, writable; the code at 0, read-only; and 4000h to
 * @gpa.
 */
static void use_paging(uint64_t gpa)
{
	g.c.paging.cr0 |= WALK_CR0_PG | WALK_CR0_WP;
	g.c.paging.cr4 |= WALK_CR4_PAE;
	g.c.paging.cr3 = 0x8000;
	set_ram(0x8000, 0x9007);
	set_ram(0x9000, 0xa007);
	set_ram(0xa000, 0xb007);
	set_ram(0xb000, 0x5);
	set_ram(0xb010, 0x2007);
	set_ram(0xb018, 0x3007);
	set_ram(0xb020, gpa | 7);
}

static void test_page_faults(void **state)
{
	start(EMUL_LONG, "48 89 0b");
	use_paging(0xfee00000);
	g.c.reg[EMUL_RBX] = 0x4ffc;
	assert_raises(EMUL_PAGE_FAULT, WALK_PF_W); /* the second page */
	assert_int_equal(g.c.fault.cr2, 0x5000);
	assert_int_equal(ram(0xb020) & 0x20, 0x20);
	g.c.reg[EMUL_RBX] = 0x4ff8;
	assert_writes(0xfee00ff8, 8, REG(1));
	g.c.reg[EMUL_RBX] = 0xffe;
	carve_emul_start(&g.c, NULL, 0);
	assert_raises(EMUL_PAGE_FAULT, WALK_PF_P | WALK_PF_W);
	assert_int_equal(g.c.fault.cr2, 0xffe);
	/* two pages that are not neighbours */
	g.c.reg[EMUL_RBX] = 0x3ffc;
	carve_emul_start(&g.c, NULL, 0);
	assert_writes(0xfee00000, 4, 0);
	assert_int_equal((uint32_t)ram(0x3ffc), REG(1));
	assert_ends(EMUL_DONE);
	/* the code itself, for a user */
	g.c.cpl = 3;
	g.c.rip = 0x1800;
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_EXCEPTION);
	assert_int_equal(g.c.fault.error, WALK_PF_U | WALK_PF_ID);
	assert_int_equal(g.c.fault.cr2, 0x1800);
	/* its tables lie nowhere */
	g.c.paging.cr3 = 0x20000;
	assert_ends(EMUL_UNSUPPORTED);
}

/* What the CPU said of the address saves the walk, for the access it can only have meant. */
static void test_cause(void **state)
{
	start(EMUL_LONG, "48 89 0b");
	use_paging(0xfee00000);
	g.c.reg[EMUL_RBX] = 0x4010;
	g.c.cause = (struct emul_cause){ .has_gpa = true, .is_write = true, .gpa = 0xfed00010 };
	assert_writes(0xfed00010, 8, REG(1));
	/* a read does not give the right to write, nor another place in the page */
	carve_emul_start(&g.c, NULL, 0);
	g.c.cause.is_write = false;
	assert_writes(0xfee00010, 8, REG(1));
	carve_emul_start(&g.c, NULL, 0);
	g.c.cause.is_write = true;
	g.c.cause.gpa = 0xfed00018;
	assert_writes(0xfee00010, 8, REG(1));
	/* it is memory by now */
	start(EMUL_LONG, "48 89 0b");
	g.c.reg[EMUL_RBX] = 0x2ff8;
	g.c.cause = (struct emul_cause){ .has_gpa = true, .is_write = true, .gpa = 0x2ff8 };
	assert_ends(EMUL_DONE);
	assert_int_equal(ram(0x2ff8), REG(1));
	start(EMUL_LONG, "0f b7 4b 01");
	g.c.reg[EMUL_RBX] = 0x2000;
	set_ram(0x2001, 0xabcdef);
	g.c.cause = (struct emul_cause){ .has_gpa = true, .gpa = 0x2001 };
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RCX], 0xcdef);
	/* either of two operands can have been meant */
	start(EMUL_LONG, "f3 48 a5");
	use_paging(0xfee00000);
	g.c.reg[EMUL_RCX] = 2;
	g.c.reg[EMUL_RSI] = 0x2000;
	g.c.reg[EMUL_RDI] = 0x4000;
	g.c.cause = (struct emul_cause){ .has_gpa = true, .is_write = true, .gpa = 0xfee00000 };
	set_ram(0x2000, 0x77);
	assert_writes(0xfee00000, 8, 0x77);
	/* only the first element was */
	start(EMUL_LONG, "f3 ab");
	use_paging(0xfee00000);
	g.c.reg[EMUL_RCX] = 0x1001;
	g.c.reg[EMUL_RDI] = 0x4000;
	g.c.cause = (struct emul_cause){ .has_gpa = true, .is_write = true, .gpa = 0xfed00000 };
	assert_writes(0xfed00000, 4, REG(0));
	assert_ends(EMUL_REPEAT);
	assert_writes(0xfee00004, 4, REG(0));
}

static struct emul_memo memos[EMUL_MEMOS];

static void use_memos(const char *code)
{
	start(EMUL_LONG, code);
	use_paging(0xfee00000);
	memset(memos, 0, sizeof(memos));
	g.c.memo = memos;
	g.c.reg[EMUL_RBX] = 0x4000;
}

/* The instruction at 100h once more: what is asked for, and how often memory was read for it */
static uint64_t again(unsigned int *ret_reads)
{
	uint64_t data;

	g.reads = 0;
	g.c.rip = EMUL_GUEST_CODE;
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_IO);
	memcpy(&data, g.c.io.data, sizeof(data));
	*ret_reads = g.reads;
	assert_ends(EMUL_DONE);
	return data;
}

/* What is remembered is used as long as the code, its tables and the CPU are the same. */
static void test_memo(void **state)
{
	unsigned int reads;

	use_memos("c7 03 01 00 00 00");
	assert_int_equal(again(&reads), 1);
	assert_int_equal(again(&reads), 1); /* the first time has marked the tables */
	assert_true(memos[0].is_valid);
	memos[0].insn.imm = 5; /* this shows that it is used */
	assert_int_equal(again(&reads), 5);
	g.ram[EMUL_GUEST_CODE + 2] = 2;
	assert_int_equal(again(&reads), 2);
	memos[0].insn.imm = 5;
	assert_int_equal(again(&reads), 5);
	/* the same code elsewhere, through another page */
	memcpy(g.ram + 0x3100, "\xc7\x03\x03\x00\x00\x00", 6);
	set_ram(0xb000, 0x3025);
	assert_int_equal(again(&reads), 3);
	memos[0].insn.imm = 5;
	g.c.paging.cr4 |= WALK_CR4_SMEP;
	set_ram(0xb000, 0x3021);
	assert_int_equal(again(&reads), 3);
	/* a user may not have it; the supervisor's is gone by then */
	g.c.cpl = 3;
	g.c.rip = EMUL_GUEST_CODE;
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_EXCEPTION);
	assert_int_equal(g.c.fault.error, WALK_PF_P | WALK_PF_U | WALK_PF_ID);
	assert_false(memos[0].is_valid);
	/* what the CPU has handed over is believed, and not remembered */
	carve_emul_start(&g.c, (const uint8_t *)"\xc7\x03\x07\x00\x00\x00", 6);
	assert_writes(0xfee00000, 4, 7);
	assert_false(memos[0].is_valid);
}

static void test_memo_limits(void **state)
{
	unsigned int reads;

	/* the last byte of a long one counts */
	use_memos("48 c7 83 00 00 00 00 01 00 00 00");
	assert_int_equal(again(&reads), 1);
	assert_int_equal(again(&reads), 1);
	g.ram[EMUL_GUEST_CODE + 10] = 0x10;
	assert_int_equal(again(&reads), 0x10000001);
	/* a page of the user: may be run until SMEP says no */
	g.c.paging.cr4 |= WALK_CR4_SMEP;
	g.c.rip = EMUL_GUEST_CODE;
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_EXCEPTION);
	assert_int_equal(g.c.fault.error, WALK_PF_P | WALK_PF_ID);
	/* in two pages, which need not stay neighbours */
	use_memos("90");
	g.c.rip = 0x2ffd;
	emul_guest_code(&g, "c7 03 01 00 00 00");
	assert_writes(0xfee00000, 4, 1);
	assert_ends(EMUL_DONE);
	for (unsigned int i = 0; i < EMUL_MEMOS; i++)
		assert_false(memos[i].is_valid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_faults),
		cmocka_unit_test(test_cause),
		cmocka_unit_test(test_memo),
		cmocka_unit_test(test_memo_limits),
	};

	return cmocka_run_group_tests_name("k_emul_paged", tests, NULL, NULL);
}
