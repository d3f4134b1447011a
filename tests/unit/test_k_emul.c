// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instructions at addresses without memory: how long they are, what they ask for, what they leave
 * behind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "emul_guest.h"

#define ANSWER 0x8877665544332291ULL
#define REG EMUL_GUEST_REG
#define LOW(n) (0x100ULL * (n)) /* of register n in 16 bits */
#define DS 0x30000ULL
#define SS 0x20000ULL
#define ES 0x00000ULL
#define FS 0x40000ULL
#define GS 0x50000ULL
#define NONE 16

/**
 * struct access - an instruction, and the one access it makes
 * @data: written; of a read ANSWER is the result
 * @reg: that is changed by it, to @value; or NONE
 */
struct access {
	enum emul_mode mode;
	const char *code;
	uint64_t addr;
	unsigned int len;
	bool is_write;
	uint64_t data;
	unsigned int reg;
	uint64_t value;
};

#define WRITES(mode, code, addr, len, data)                       \
	{                                                         \
		EMUL_##mode, code, addr, len, true, data, NONE, 0 \
	}
#define READS(mode, code, addr, len, reg, value)                   \
	{                                                          \
		EMUL_##mode, code, addr, len, false, 0, reg, value \
	}

static const struct access accesses[] = {
	/* 64-bit mode: sizes */
	WRITES(LONG, "88 0b", REG(3), 1, 0x00),
	WRITES(LONG, "88 2b", REG(3), 1, 0x01),	   /* CH */
	WRITES(LONG, "40 88 2b", REG(3), 1, 0x00), /* BPL */
	WRITES(LONG, "66 89 0b", REG(3), 2, 0x0100),
	WRITES(LONG, "89 0b", REG(3), 4, REG(1)),
	WRITES(LONG, "48 89 0b", REG(3), 8, REG(1)),
	WRITES(LONG, "66 48 89 0b", REG(3), 8, REG(1)),
	WRITES(LONG, "48 66 89 0b", REG(3), 2, 0x0100), /* this REX does not count */
	WRITES(LONG, "4c 89 0b", REG(3), 8, REG(9)),
	WRITES(LONG, "41 89 0b", REG(11), 4, REG(1)),
	READS(LONG, "8a 0b", REG(3), 1, 1, 0x20191),
	READS(LONG, "8a 2b", REG(3), 1, 1, 0x29100), /* CH */
	READS(LONG, "8a 23", REG(3), 1, 0, 0x29100), /* AH */
	READS(LONG, "66 8b 0b", REG(3), 2, 1, 0x22291),
	READS(LONG, "8b 0b", REG(3), 4, 1, 0x44332291),
	READS(LONG, "4c 8b 3b", REG(3), 8, 15, ANSWER),
	/* addresses */
	READS(LONG, "8b 4b 80", REG(3) - 0x80, 4, 1, 0x44332291),
	READS(LONG, "8b 8b 00 00 00 80", REG(3) - 0x80000000, 4, 1, 0x44332291),
	READS(LONG, "8b 0d 00 00 10 00", 0x100106, 4, 1, 0x44332291),
	READS(LONG, "81 3d 00 00 10 00 01 02 03 04", 0x10010a, 4, NONE, 0),
	READS(LONG, "67 8b 0d 00 00 10 00", 0x100107, 4, 1, 0x44332291),
	READS(LONG, "8b 0c 4b", REG(3) + 2 * REG(1), 4, 1, 0x44332291),
	READS(LONG, "42 8b 0c e3", REG(3) + 8 * REG(12), 4, 1, 0x44332291),
	READS(LONG, "8b 0c 24", REG(4), 4, 1, 0x44332291),
	READS(LONG, "8b 0c 25 00 00 30 00", 0x300000, 4, 1, 0x44332291),
	READS(LONG, "41 8b 4d 10", REG(13) + 0x10, 4, 1, 0x44332291),
	READS(LONG, "41 8b 4c 24 10", REG(12) + 0x10, 4, 1, 0x44332291),
	READS(LONG, "8b 4c 65 10", REG(5) + 0x10, 4, 1, 0x44332291),		  /* no index */
	READS(LONG, "8b 0c 2d 00 00 10 00", REG(5) + 0x100000, 4, 1, 0x44332291), /* no base */
	READS(LONG, "65 8b 0b", GS + REG(3), 4, 1, 0x44332291),
	READS(LONG, "64 36 8b 0b", FS + REG(3), 4, 1, 0x44332291), /* SS does not count */
	READS(LONG, "67 8b 8b 00 00 ff ff", REG(3) - 0x10000, 4, 1, 0x44332291),
	READS(LONG, "a1 88 77 66 55 44 33 00 00", 0x334455667788, 4, 0, 0x44332291),
	WRITES(LONG, "48 a3 88 77 66 55 44 33 00 00", 0x334455667788, 8, REG(0)),
	WRITES(LONG, "67 a2 88 77 66 55", 0x55667788, 1, 0),
	/* immediates, extensions, MOVNTI */
	WRITES(LONG, "c6 03 fe", REG(3), 1, 0xfe),
	WRITES(LONG, "66 c7 03 fe ff", REG(3), 2, 0xfffe),
	WRITES(LONG, "c7 03 fe ff ff ff", REG(3), 4, 0xfffffffe),
	WRITES(LONG, "48 c7 03 fe ff ff ff", REG(3), 8, 0xfffffffffffffffe),
	READS(LONG, "0f b6 0b", REG(3), 1, 1, 0x91),
	READS(LONG, "48 0f b7 0b", REG(3), 2, 1, 0x2291),
	READS(LONG, "66 0f b6 0b", REG(3), 1, 1, 0x20091),
	READS(LONG, "0f be 0b", REG(3), 1, 1, 0xffffff91),
	READS(LONG, "48 0f be 0b", REG(3), 1, 1, 0xffffffffffffff91),
	READS(LONG, "48 0f bf 0b", REG(3), 2, 1, 0x2291),
	READS(LONG, "48 63 0b", REG(3), 4, 1, 0x44332291),
	WRITES(LONG, "0f c3 0b", REG(3), 4, REG(1)),
	WRITES(LONG, "48 0f c3 0b", REG(3), 8, REG(1)),
	/* what is compared and not kept */
	READS(LONG, "84 0b", REG(3), 1, 1, REG(1)),
	READS(LONG, "f7 03 00 00 00 80", REG(3), 4, NONE, 0),
	READS(LONG, "f6 0b 80", REG(3), 1, NONE, 0),
	READS(LONG, "48 83 3b ff", REG(3), 8, NONE, 0),
	READS(LONG, "0f ba 23 05", REG(3), 4, NONE, 0),
	READS(LONG, "0f a3 0b", REG(3) + 0x20100 / 8, 4, NONE, 0),
	READS(LONG, "66 0f a3 0b", REG(3) + 0x100 / 8, 2, NONE, 0),
	READS(LONG, "03 0b", REG(3), 4, 1, 0x44332291 + REG(1)),
	/* 32-bit mode */
	WRITES(PROT32, "88 2b", DS + REG(3), 1, 0x01),
	WRITES(PROT32, "89 0b", DS + REG(3), 4, REG(1)),
	WRITES(PROT32, "66 89 0b", DS + REG(3), 2, 0x0100),
	READS(PROT32, "8b 4d 04", SS + REG(5) + 4, 4, 1, 0x44332291),
	READS(PROT32, "8b 0c 24", SS + REG(4), 4, 1, 0x44332291),
	READS(PROT32, "8b 0c 2b", DS + REG(3) + REG(5), 4, 1, 0x44332291), /* base, not index */
	READS(PROT32, "8b 0d 00 00 10 00", DS + 0x100000, 4, 1, 0x44332291),
	READS(PROT32, "65 8b 0d 00 00 10 00", GS + 0x100000, 4, 1, 0x44332291),
	READS(PROT32, "67 8b 0e 00 10", DS + 0x1000, 4, 1, 0x44332291),
	READS(PROT32, "a0 00 00 10 00", DS + 0x100000, 1, 0, 0x20091),
	WRITES(PROT32, "67 a3 00 10", DS + 0x1000, 4, REG(0)),
	WRITES(PROT32, "c7 05 00 00 10 00 78 56 34 12", DS + 0x100000, 4, 0x12345678),
	/* 16 bits, all eight addresses */
	READS(REAL, "8b 08", DS + LOW(3) + LOW(6), 2, 1, 0x22291),
	READS(REAL, "8b 09", DS + LOW(3) + LOW(7), 2, 1, 0x22291),
	READS(REAL, "8b 0a", SS + LOW(5) + LOW(6), 2, 1, 0x22291),
	READS(REAL, "8b 0b", SS + LOW(5) + LOW(7), 2, 1, 0x22291),
	READS(REAL, "8b 0c", DS + LOW(6), 2, 1, 0x22291),
	READS(REAL, "8b 0d", DS + LOW(7), 2, 1, 0x22291),
	READS(REAL, "8b 0e 34 12", DS + 0x1234, 2, 1, 0x22291),
	READS(REAL, "8b 0f", DS + LOW(3), 2, 1, 0x22291),
	READS(REAL, "8b 4e fe", SS + LOW(5) - 2, 2, 1, 0x22291),
	READS(REAL, "8b 8f 00 f0", DS + LOW(3) + 0xf000, 2, 1, 0x22291),
	READS(REAL, "66 8b 0f", DS + LOW(3), 4, 1, 0x44332291),
	READS(REAL, "67 8b 88 00 00 fe ff", DS + LOW(0), 2, 1, 0x22291),
	READS(VM86, "36 8a 2f", SS + LOW(3), 1, 1, 0x29100),
	WRITES(PROT16, "26 c7 07 34 12", 0x0, 0, 0), /* ES is RAM */
	WRITES(PROT16, "2e 64 c7 07 34 12", FS + LOW(3), 2, 0x1234),
	WRITES(PROT16, "66 67 c7 84 4b 00 00 fa ff 78 56 34 12", DS + 3 * 0x20000 + 0x500 - 0x60000,
	       4, 0x12345678),
};

static void check_request(const struct emul_guest *g, const struct access *a)
{
	uint64_t data = 0;

	memcpy(&data, g->c.io.data, 8);
	assert_false(g->c.io.is_port);
	assert_int_equal(g->c.io.addr, a->addr);
	assert_int_equal(g->c.io.len, a->len);
	assert_int_equal(g->c.io.is_write, a->is_write);
	assert_int_equal(data, a->data);
}

static void answer(struct emul_guest *g, uint64_t value)
{
	memcpy(g->c.io.data, &value, sizeof(value));
}

static void check_registers(const struct emul_guest *g, unsigned int changed, uint64_t value)
{
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(g->c.reg[i], i == changed ? value : REG(i));
}

static void try_access(const struct access *a, const struct emul_cause *cause)
{
	static struct emul_guest g;
	unsigned int n;

	emul_guest_init(&g, a->mode);
	g.c.cause = *cause;
	n = emul_guest_code(&g, a->code);
	if (a->len) {
		assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
		check_request(&g, a);
		check_registers(&g, NONE, 0);
		assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
		answer(&g, ANSWER);
	}
	assert_int_equal(carve_emul_run(&g.c), EMUL_DONE);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE + n);
	assert_int_equal(g.c.insn.len, n);
	check_registers(&g, a->reg, a->value);
}

/* Whether the CPU has named the address or not makes no difference. */
static void test_accesses(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		const struct access *a = &accesses[i];
		struct emul_cause named = { .has_gpa = true,
					    .is_write = a->is_write,
					    .gpa = a->addr };

		try_access(a, &(struct emul_cause){ 0 });
		try_access(a, &named);
		named.is_write = !a->is_write;
		try_access(a, &named);
		named.is_write = a->is_write;
		named.gpa += 0x108;
		try_access(a, &named);
	}
}

/* Instructions cut by the end of a page, of the segment, or by the longest an instruction may be */
static void test_fetch(void **state)
{
	static struct emul_guest g;

	emul_guest_init(&g, EMUL_LONG);
	g.c.rip = 0x1ffd;
	assert_int_equal(emul_guest_code(&g, "c7 03 78 56 34 12"), 6);
	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
	assert_int_equal(g.reads, 2);
	assert_int_equal(g.c.io.data[3], 0x12);
	/* the CPU gave them all, or only those of the first page */
	g.reads = 0;
	carve_emul_start(&g.c, (const uint8_t *)"\xc7\x03\x78\x56\x34\x12", 6);
	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
	assert_int_equal(g.reads, 0);
	carve_emul_start(&g.c, (const uint8_t *)"\xc7\x03\x78", 3);
	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
	assert_int_equal(g.reads, 1);
	assert_int_equal(g.c.insn.len, 6);
	/* 15 bytes are right, 16 are not */
	emul_guest_code(&g, "66 66 66 66 66 66 66 66 66 66 66 66 66 89 0b");
	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
	emul_guest_code(&g, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 89 0b");
	assert_int_equal(carve_emul_run(&g.c), EMUL_EXCEPTION);
	assert_int_equal(g.c.fault.vector, EMUL_GP);
	assert_true(g.c.fault.has_error);
	/* code in what is no memory */
	g.c.rip = EMUL_GUEST_RAM;
	carve_emul_start(&g.c, NULL, 0);
	assert_int_equal(carve_emul_run(&g.c), EMUL_UNSUPPORTED);
	/* the segment ends in the instruction */
	emul_guest_init(&g, EMUL_PROT32);
	g.seg[EMUL_SEG_CS].limit = 0x104;
	emul_guest_code(&g, "c7 03 78 56 34 12");
	assert_int_equal(carve_emul_run(&g.c), EMUL_EXCEPTION);
	assert_int_equal(g.c.fault.vector, EMUL_GP);
	assert_int_equal(g.c.insn.fetched, 5);
	g.seg[EMUL_SEG_CS].limit = 0x105;
	carve_emul_start(&g.c, NULL, 0);
	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
}

/* Not known here, or not allowed at all */
static void test_refused(void **state)
{
	static const struct {
		enum emul_mode mode;
		const char *code;
		enum emul_result result;
	} cases[] = {
		{ EMUL_LONG, "c5 f8 10 03", EMUL_UNSUPPORTED },	      /* VEX */
		{ EMUL_LONG, "62 f1 7c 48 10 03", EMUL_UNSUPPORTED }, /* EVEX */
		{ EMUL_LONG, "f3 0f 10 03", EMUL_UNSUPPORTED },	      /* MOVSS */
		{ EMUL_LONG, "0f 6f 03", EMUL_UNSUPPORTED },	      /* MMX */
		{ EMUL_LONG, "66 0f c3 0b", EMUL_UNSUPPORTED },
		{ EMUL_PROT32, "63 0b", EMUL_UNSUPPORTED },    /* ARPL */
		{ EMUL_PROT32, "48 89 0b", EMUL_UNSUPPORTED }, /* DEC EAX */
		{ EMUL_LONG, "ff 13", EMUL_UNSUPPORTED },      /* CALL */
		{ EMUL_LONG, "f7 33", EMUL_UNSUPPORTED },      /* DIV */
		{ EMUL_LONG, "8f 0b", EMUL_UNSUPPORTED },      /* XOP */
		{ EMUL_LONG, "c7 0b", EMUL_UNSUPPORTED },
		{ EMUL_LONG, "f4", EMUL_UNSUPPORTED },
		{ EMUL_LONG, "f0 89 0b", EMUL_EXCEPTION }, /* LOCK MOV */
		{ EMUL_LONG, "f0 39 0b", EMUL_EXCEPTION }, /* LOCK CMP */
		{ EMUL_LONG, "f0 03 0b", EMUL_EXCEPTION }, /* LOCK ADD to a register */
		{ EMUL_LONG, "f0 01 cb", EMUL_EXCEPTION },
		{ EMUL_LONG, "f0 0f a3 0b", EMUL_EXCEPTION }, /* LOCK BT */
		{ EMUL_LONG, "0f c3 cb", EMUL_EXCEPTION },    /* MOVNTI to a register */
		{ EMUL_LONG, "f0 01 0b", EMUL_IO },
		{ EMUL_LONG, "f0 0f c1 0b", EMUL_IO },
	};
	static struct emul_guest g;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		emul_guest_init(&g, cases[i].mode);
		emul_guest_code(&g, cases[i].code);
		assert_int_equal(carve_emul_run(&g.c), cases[i].result);
		if (cases[i].result == EMUL_EXCEPTION) {
			assert_int_equal(g.c.fault.vector, EMUL_UD);
			assert_false(g.c.fault.has_error);
		}
		check_registers(&g, NONE, 0);
		assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
	}
}

/** struct segment_case - an access of 4 bytes in DS or SS with these attributes */
struct segment_case {
	enum emul_mode mode;
	const char *code;
	uint16_t attrib;
	uint32_t limit;
	uint64_t rbx; /* or RSP */
	int vector;   /* or 0 */
};

#define READ_DS "8b 0b"
#define WRITE_DS "89 0b"
#define READ_SS "8b 0c 24"
#define DATA 0xc93
#define DOWN 0xc97

static const struct segment_case segment_cases[] = {
	{ EMUL_PROT32, READ_DS, DATA, 0xffff, 0xfffc, 0 },
	{ EMUL_PROT32, READ_DS, DATA, 0xffff, 0xfffd, EMUL_GP },
	{ EMUL_PROT32, READ_SS, DATA, 0xffff, 0xfffc, 0 },
	{ EMUL_PROT32, READ_SS, DATA, 0xffff, 0xfffd, EMUL_SS },
	{ EMUL_PROT32, READ_DS, DATA, 0xffffffff, 0xfffffffc, 0 },
	{ EMUL_PROT32, READ_DS, DATA, 0xffffffff, 0xfffffffd, EMUL_GP },
	{ EMUL_PROT32, READ_DS, DOWN, 0xffff, 0xffff, EMUL_GP },
	{ EMUL_PROT32, READ_DS, DOWN, 0xffff, 0x10000, 0 },
	{ EMUL_PROT32, READ_DS, DOWN & ~0x400, 0xfff, 0xfffc, 0 },
	{ EMUL_PROT32, READ_DS, DOWN & ~0x400, 0xfff, 0xfffd, EMUL_GP },
	{ EMUL_PROT32, WRITE_DS, 0xc91, 0xffffffff, 0x1000, EMUL_GP }, /* read-only */
	{ EMUL_PROT32, READ_DS, 0xc91, 0xffffffff, 0x1000, 0 },
	{ EMUL_PROT32, READ_DS, 0xc99, 0xffffffff, 0x1000, EMUL_GP }, /* execute-only */
	{ EMUL_PROT32, READ_DS, 0xc9b, 0xffffffff, 0x1000, 0 },
	{ EMUL_PROT32, WRITE_DS, 0xc9b, 0xffffffff, 0x1000, EMUL_GP },
	{ EMUL_PROT32, READ_DS, 0xc13, 0xffffffff, 0x1000, EMUL_GP }, /* not present */
	{ EMUL_REAL, "66 67 89 0b", 0x9b, 0xffff, 0xfffc, 0 },	      /* types mean nothing */
	{ EMUL_REAL, "66 67 89 0b", 0x93, 0xffff, 0xfffd, EMUL_GP },
	{ EMUL_LONG, READ_DS, 0, 0, 0x7ffffffffffc, 0 }, /* limits neither */
	{ EMUL_LONG, READ_DS, 0, 0, 0x7ffffffffffd, EMUL_GP },
	{ EMUL_LONG, READ_DS, 0, 0, 0xffff7fffffffffff, EMUL_GP },
	{ EMUL_LONG, READ_SS, 0, 0, 0x800000000000, EMUL_SS },
	{ EMUL_LONG, READ_SS, 0, 0, 0xffff800000000000, 0 },
};

static void test_segments(void **state)
{
	static struct emul_guest g;

	for (size_t i = 0; i < ARRAY_SIZE(segment_cases); i++) {
		const struct segment_case *s = &segment_cases[i];
		enum emul_result want = s->vector ? EMUL_EXCEPTION : EMUL_IO;

		emul_guest_init(&g, s->mode);
		g.seg[EMUL_SEG_DS].attrib = g.seg[EMUL_SEG_SS].attrib = s->attrib;
		g.seg[EMUL_SEG_DS].limit = g.seg[EMUL_SEG_SS].limit = s->limit;
		g.c.reg[EMUL_RBX] = g.c.reg[EMUL_RSP] = s->rbx;
		emul_guest_code(&g, s->code);
		assert_int_equal(carve_emul_run(&g.c), want);
		if (!s->vector)
			continue;
		assert_int_equal(g.c.fault.vector, s->vector);
		assert_int_equal(g.c.fault.error, 0);
		assert_int_equal(g.c.fault.has_error, s->mode != EMUL_REAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accesses),
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_segments),
	};

	return cmocka_run_group_tests_name("k_emul", tests, NULL, NULL);
}
