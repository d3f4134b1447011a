// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instructions that stop for a device and go on: each kind of exit, pages, repeated strings, locks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emul_steps.h"

/* Read, then write; nothing has changed until both are answered. */
static void test_read_write(void **state)
{
	start(EMUL_LONG, "48 01 0b"); /* add [rbx], rcx */
	assert_reads(REG(3), 8, 0xfffffffffffdff00);
	assert_writes(REG(3), 8, 0);
	assert_false(g.c.io.is_locked);
	assert_int_equal(g.c.rflags, 2);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.rflags, 2 | EMUL_ZF | EMUL_CF | EMUL_PF);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE + 3);
	assert_ends(EMUL_UNSUPPORTED); /* it is over */

	start(EMUL_LONG, "87 0b"); /* xchg [rbx], ecx: locked without being told */
	assert_reads(REG(3), 4, 0x12345678);
	assert_true(g.c.io.is_locked);
	assert_writes(REG(3), 4, REG(1));
	assert_int_equal(g.c.reg[EMUL_RCX], REG(1));
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RCX], 0x12345678);
	/* one that was left alone begins anew */
	carve_emul_start(&g.c, NULL, 0);
	g.c.rip = EMUL_GUEST_CODE;
	assert_reads(REG(3), 4, 0);
	carve_emul_start(&g.c, NULL, 0);
	assert_reads(REG(3), 4, 7);
	assert_writes(REG(3), 4, 0x12345678);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RCX], 7);
}

static void test_compare_exchange(void **state)
{
	start(EMUL_LONG, "f0 0f b1 0b"); /* lock cmpxchg [rbx], ecx */
	assert_reads(REG(3), 4, REG(0));
	assert_writes(REG(3), 4, REG(1));
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RAX], REG(0));
	assert_true(g.c.rflags & EMUL_ZF);
	start(EMUL_LONG, "f0 0f b1 0b");
	assert_reads(REG(3), 4, 5);
	assert_writes(REG(3), 4, 5); /* what was there */
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RAX], 5);
	assert_false(g.c.rflags & EMUL_ZF);
	assert_int_equal(g.c.rflags & EMUL_CF, 0);
}

/* More than a device takes at once, and memory on one side of a page boundary alone */
static void test_split(void **state)
{
	start(EMUL_LONG, "48 89 0b");
	g.c.reg[EMUL_RBX] = 0x20ffd;
	g.c.reg[EMUL_RCX] = 0x8877665544332211;
	assert_writes(0x20ffd, 3, 0x332211);
	assert_writes(0x21000, 5, 0x8877665544);
	assert_ends(EMUL_DONE);

	start(EMUL_LONG, "48 8b 0b");
	g.c.reg[EMUL_RBX] = 0xfffd;
	memcpy(g.ram + 0xfffd, "\x11\x22\x33", 3);
	assert_reads(0x10000, 5, 0xff8877665544);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RCX], 0x8877665544332211);

	start(EMUL_LONG, "48 89 0b");
	g.c.reg[EMUL_RBX] = 0xfffd;
	g.c.reg[EMUL_RCX] = 0x8877665544332211;
	assert_writes(0x10000, 5, 0x8877665544);
	assert_memory_equal(g.ram + 0xfffd, "\x11\x22\x33", 3);
	assert_ends(EMUL_DONE);
}

/* One address named on the exit is half of what these need. */
static void test_split_named(void **state)
{
	static const char *const codes[] = { "48 89 0b", "48 01 0b" };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		start(EMUL_LONG, codes[i]);
		g.c.reg[EMUL_RBX] = 0x20ffd;
		g.c.cause = (struct emul_cause){ .has_gpa = true,
						 .is_write = true,
						 .gpa = 0x20ffd };
		assert_ends(EMUL_IO);
		assert_int_equal(g.c.io.len, 3);
		assert_ends(EMUL_IO);
		assert_int_equal(g.c.io.addr, 0x21000);
		assert_int_equal(g.c.io.len, 5);
	}
}

static void test_xmm(void **state)
{
	static const char *const moves[] = { "0f 11 0b",    "0f 29 0b",	   "66 0f 7f 0b",
					     "f3 0f 7f 0b", "66 0f e7 0b", "0f 2b 0b" };

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		start(EMUL_LONG, moves[i]);
		memcpy(g.xmm[1], "0123456789abcdef", 16);
		assert_writes(REG(3), 8, 0x3736353433323130);
		assert_writes(REG(3) + 8, 8, 0x6665646362613938);
		assert_ends(EMUL_DONE);
	}
	start(EMUL_LONG, "44 0f 10 3b");
	assert_reads(REG(3), 8, 0x3736353433323130);
	assert_reads(REG(3) + 8, 8, 0x6665646362613938);
	assert_memory_equal(g.xmm[15], "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_ends(EMUL_DONE);
	assert_memory_equal(g.xmm[15], "0123456789abcdef", 16);
	/* aligned ones, and what the CPU's state allows */
	start(EMUL_LONG, "0f 28 4b 08");
	assert_raises(EMUL_GP, 0);
	start(EMUL_LONG, "f3 0f 6f 4b 08");
	assert_ends(EMUL_IO);
	start(EMUL_LONG, "0f 11 0b");
	g.c.paging.cr0 |= BIT(3);
	assert_raises(EMUL_NM, 0);
	g.c.paging.cr4 = 0;
	assert_raises(EMUL_UD, 0);
	start(EMUL_LONG, "0f 11 0b");
	g.c.ops = NULL;
	assert_ends(EMUL_UNSUPPORTED);
}

/* One element at a time, RIP at the instruction in between */
static void test_rep(void **state)
{
	start(EMUL_LONG, "f3 66 ab"); /* rep stosw */
	g.c.reg[EMUL_RCX] = 3;
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
		assert_int_equal(g.c.reg[EMUL_RCX], 3 - i);
		assert_writes(REG(7) + 2 * i, 2, 0);
		assert_int_equal(g.c.reg[EMUL_RCX], 3 - i);
		assert_ends(i < 2 ? EMUL_REPEAT : EMUL_DONE);
	}
	assert_int_equal(g.c.reg[EMUL_RCX], 0);
	assert_int_equal(g.c.reg[EMUL_RDI], REG(7) + 6);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE + 3);
	/* with nothing to do it does nothing */
	g.c.rip = EMUL_GUEST_CODE;
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RDI], REG(7) + 6);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE + 3);
}

/* From the registers of an element that is complete the rest can be done by somebody else. */
static void test_rep_restart(void **state)
{
	start(EMUL_LONG, "f3 48 a5"); /* rep movsq */
	g.c.rflags |= EMUL_DF | EMUL_RF;
	g.c.reg[EMUL_RCX] = 2;
	g.c.reg[EMUL_RDI] = 0x2008;
	assert_reads(REG(6), 8, 0x1122334455667788);
	assert_ends(EMUL_REPEAT);
	assert_int_equal(ram(0x2008), 0x1122334455667788);
	assert_int_equal(g.c.reg[EMUL_RSI], REG(6) - 8);
	assert_int_equal(g.c.reg[EMUL_RDI], 0x2000);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
	assert_true(g.c.rflags & EMUL_RF);
	carve_emul_start(&g.c, NULL, 0);
	assert_reads(REG(6) - 8, 8, 7);
	assert_ends(EMUL_DONE);
	assert_int_equal(ram(0x2000), 7);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE + 3);
	assert_false(g.c.rflags & EMUL_RF);
}

/* A fault of a later element leaves what earlier ones did. */
static void test_rep_fault(void **state)
{
	start(EMUL_PROT32, "f3 aa");
	g.seg[EMUL_SEG_ES].limit = 0x2001;
	g.c.reg[EMUL_RCX] = 5;
	g.c.reg[EMUL_RDI] = 0x2000;
	g.c.reg[EMUL_RAX] = 0x55;
	assert_ends(EMUL_REPEAT);
	assert_ends(EMUL_REPEAT);
	assert_raises(EMUL_GP, 0);
	assert_int_equal(g.c.reg[EMUL_RCX], 3);
	assert_int_equal(g.c.reg[EMUL_RDI], 0x2002);
	assert_int_equal(ram(0x2000), 0x5555);
}

static void test_rep_compare(void **state)
{
	start(EMUL_LONG, "f2 ae"); /* repne scasb */
	g.c.reg[EMUL_RCX] = 9;
	g.c.reg[EMUL_RAX] = 3;
	for (unsigned int i = 1; i < 4; i++) {
		assert_reads(REG(7) + i - 1, 1, i);
		assert_ends(i < 3 ? EMUL_REPEAT : EMUL_DONE);
	}
	assert_int_equal(g.c.reg[EMUL_RCX], 6);
	assert_true(g.c.rflags & EMUL_ZF);
	start(EMUL_LONG, "f3 a7"); /* repe cmpsd: [rsi] - [rdi] */
	g.c.reg[EMUL_RCX] = 9;
	assert_reads(REG(7), 4, 5);
	assert_reads(REG(6), 4, 5);
	assert_ends(EMUL_REPEAT);
	assert_reads(REG(7) + 4, 4, 5);
	assert_reads(REG(6) + 4, 4, 4);
	assert_ends(EMUL_DONE);
	assert_true(g.c.rflags & EMUL_CF);
	assert_int_equal(g.c.reg[EMUL_RCX], 7);
}

/* Counters and pointers are as wide as addresses. */
static void test_string_width(void **state)
{
	start(EMUL_LONG, "67 f3 aa");
	g.c.reg[EMUL_RCX] = 0xffffffff00000002;
	g.c.reg[EMUL_RDI] = 0x1ffffffff;
	assert_writes(0xffffffff, 1, 0);
	assert_ends(EMUL_REPEAT);
	assert_int_equal(g.c.reg[EMUL_RCX], 1);
	assert_int_equal(g.c.reg[EMUL_RDI], 0);
	start(EMUL_REAL, "f3 ac"); /* rep lodsb */
	g.c.reg[EMUL_RCX] = 0x10001;
	g.c.reg[EMUL_RSI] = 0xcffff;
	assert_reads(0x3ffff, 1, 0x42);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RCX], 0x10000);
	assert_int_equal(g.c.reg[EMUL_RSI], 0xc0000);
	assert_int_equal(g.c.reg[EMUL_RAX], 0x20042);
}

static void test_ports(void **state)
{
	start(EMUL_LONG, "f3 6d"); /* rep insd */
	g.c.reg[EMUL_RCX] = 2;
	g.c.reg[EMUL_RDX] = 0xffff03f8;
	g.c.reg[EMUL_RDI] = 0x2000;
	assert_reads(0x3f8, 4, 0x11223344);
	assert_true(g.c.io.is_port);
	assert_ends(EMUL_REPEAT);
	assert_reads(0x3f8, 4, 0x55667788);
	assert_ends(EMUL_DONE);
	assert_int_equal(ram(0x2000), 0x5566778811223344);
	assert_int_equal(g.c.reg[EMUL_RDI], 0x2008);
	assert_int_equal(g.c.reg[EMUL_RSI], REG(6));

	start(EMUL_PROT32, "64 6e"); /* outsb fs:[esi] */
	assert_reads(0x40000 + REG(6), 1, 0x99);
	assert_false(g.c.io.is_port);
	assert_writes(0x200, 1, 0x99);
	assert_true(g.c.io.is_port);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RSI], REG(6) + 1);

	/* a fault at the destination comes before the port is touched */
	start(EMUL_PROT32, "6c");
	g.seg[EMUL_SEG_ES].attrib = 0x91;
	assert_raises(EMUL_GP, 0);
}

/* Who may do I/O: by IOPL, or since the CPU has just said so of this very access */
static void test_port_rights(void **state)
{
	start(EMUL_LONG, "6e");
	g.c.cpl = 3;
	g.c.reg[EMUL_RSI] = 0x2000;
	assert_ends(EMUL_RETRY);
	g.c.rflags |= EMUL_IOPL;
	assert_writes(0x200, 1, 0);
	g.c.rflags &= ~EMUL_IOPL;
	g.c.cause = (struct emul_cause){ .has_port = true, .port = 0x200, .port_len = 1 };
	carve_emul_start(&g.c, NULL, 0);
	assert_writes(0x200, 1, 0);
	g.c.cause.port = 0x201;
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_RETRY);
	g.c.cause.port = 0x200;
	g.c.cause.port_len = 2;
	assert_ends(EMUL_RETRY);
	/* IOPL says nothing in virtual-8086 mode */
	start(EMUL_VM86, "6c");
	g.c.rflags |= EMUL_IOPL;
	g.c.reg[EMUL_RDI] = 0x2000;
	assert_ends(EMUL_RETRY);
	start(EMUL_REAL, "6c");
	assert_ends(EMUL_IO);
}

static void test_stack(void **state)
{
	start(EMUL_LONG, "ff 33"); /* push [rbx] */
	g.c.reg[EMUL_RSP] = 0x2010;
	assert_reads(REG(3), 8, 0x1122334455667788);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RSP], 0x2008);
	assert_int_equal(ram(0x2008), 0x1122334455667788);
	start(EMUL_LONG, "66 ff 33");
	g.c.reg[EMUL_RSP] = 0x2010;
	assert_reads(REG(3), 2, 0x1234);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RSP], 0x200e);
	start(EMUL_LONG, "8f 84 24 00 00 01 00"); /* pop [rsp + 10000h]: of the new RSP */
	g.c.reg[EMUL_RSP] = 0x2008;
	set_ram(0x2008, 0x55);
	assert_writes(0x12010, 8, 0x55);
	assert_int_equal(g.c.reg[EMUL_RSP], 0x2008);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RSP], 0x2010);
	start(EMUL_REAL, "8f 07"); /* pop [bx] */
	g.seg[EMUL_SEG_SS].base = 0;
	g.c.reg[EMUL_RSP] = 0x12fffe;
	set_ram(0xfffe - 6, 0x4321000000000000);
	assert_writes(0x30300, 2, 0x4321);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.c.reg[EMUL_RSP], 0x120000);
}

/* Memory after all: one step where it is locked, and not forced where it has changed */
static void test_locked_memory(void **state)
{
	start(EMUL_LONG, "f0 ff 03"); /* lock inc [rbx] */
	g.c.reg[EMUL_RBX] = 0x2000;
	set_ram(0x2000, 41);
	g.races = 1;
	assert_ends(EMUL_RETRY);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
	assert_int_equal(g.c.rflags, 2);
	assert_int_equal(ram(0x2000), 40);
	carve_emul_start(&g.c, NULL, 0);
	assert_ends(EMUL_DONE);
	assert_int_equal(ram(0x2000), 41);
	assert_int_equal(g.swaps, 1);
	/* misaligned: a plain write */
	start(EMUL_LONG, "f0 ff 03");
	g.c.reg[EMUL_RBX] = 0x2001;
	assert_ends(EMUL_DONE);
	assert_int_equal(g.swaps, 0);
	assert_int_equal(ram(0x2001), 1);
	/* memory from the write on: what a device was asked for is not asked for again */
	start(EMUL_LONG, "f0 ff 03");
	assert_reads(REG(3), 4, 41);
	assert_writes(REG(3), 4, 42);
	carve_emul_start(&g.c, NULL, 0);
	assert_reads(REG(3), 4, 41);
	g.ram_at = REG(3);
	assert_ends(EMUL_DONE);
	assert_int_equal(g.ram[0], 42);
	/* ROM: reads are answered by it, writes go out */
	start(EMUL_LONG, "f0 ff 03");
	g.c.reg[EMUL_RBX] = 0x2000;
	g.rom = 0x3000;
	assert_writes(0x2000, 4, 1);
	assert_ends(EMUL_DONE);
	assert_int_equal(ram(0x2000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_write),  cmocka_unit_test(test_compare_exchange),
		cmocka_unit_test(test_split),	    cmocka_unit_test(test_split_named),
		cmocka_unit_test(test_xmm),	    cmocka_unit_test(test_rep),
		cmocka_unit_test(test_rep_restart), cmocka_unit_test(test_rep_fault),
		cmocka_unit_test(test_rep_compare), cmocka_unit_test(test_string_width),
		cmocka_unit_test(test_ports),	    cmocka_unit_test(test_port_rights),
		cmocka_unit_test(test_stack),	    cmocka_unit_test(test_locked_memory),
	};

	return cmocka_run_group_tests_name("k_emul_io", tests, NULL, NULL);
}
