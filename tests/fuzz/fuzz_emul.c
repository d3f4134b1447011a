// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile guest: any bytes as code, any state of the CPU, page tables with noise in them, devices
 * that answer anything. Each step ends, keeps to memory and to 15 bytes, and changes nothing unless
 * it completes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/emul_guest.h"

#define PAGE 4096
#define STEPS 40
#define CALLS_MAX 2000 /* of memory in one step: all walks with all their restarts */
#define TABLES 0x8000
#define CODE_BYTES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** struct input - what is left of it; zeros follow */
struct input {
	const uint8_t *data;
	size_t size;
};

static struct emul_guest g, before, after;
static struct emul_memo memos[EMUL_MEMOS];
static const struct guest_memory_ops *ram_ops;
static unsigned int calls;

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void judge_access(u64 gpa, unsigned int len)
{
	need(len >= 1 && len <= 16 && gpa % PAGE + len <= PAGE);
	need(++calls <= CALLS_MAX);
}

static int read_judged(void *vm, u64 gpa, void *data, unsigned int len)
{
	judge_access(gpa, len);
	return ram_ops->read(vm, gpa, data, len);
}

static int write_judged(void *vm, u64 gpa, const void *data, unsigned int len)
{
	judge_access(gpa, len);
	return ram_ops->write(vm, gpa, data, len);
}

static int swap_judged(void *vm, u64 gpa, u64 old, u64 replacement, unsigned int len)
{
	judge_access(gpa, len);
	need(len == 1 || len == 2 || len == 4 || len == 8);
	return ram_ops->cmpxchg(vm, gpa, old, replacement, len);
}

static const struct guest_memory_ops judged_ops = { read_judged, write_judged, swap_judged };

static uint64_t take(struct input *in, size_t n)
{
	uint64_t value = 0;

	if (n > in->size)
		n = in->size;
	memcpy(&value, in->data, n);
	in->data += n;
	in->size -= n;
	return value;
}

static void put_entry(struct input *in, unsigned int at, uint64_t entry, bool is_wide)
{
	if (in->size && take(in, 1) % 8 == 0)
		entry ^= take(in, 8);
	memcpy(g.ram + at, &entry, is_wide ? 8 : 4);
}

/*
 * The first 256 pages at their own address, in as many levels as the mode may have; noise here and
 * there
 */
static void build_tables(struct input *in, bool is_wide)
{
	unsigned int size = is_wide ? 8 : 4;

	for (unsigned int level = 0; level < 4; level++)
		put_entry(in, TABLES + level * PAGE, (TABLES + (level + 1) * PAGE) | 7, is_wide);
	for (uint64_t page = 0; page < 256; page++) {
		uint64_t entry = page * PAGE | 7;

		memcpy(g.ram + TABLES + 4 * PAGE + page * size, &entry, size);
	}
	for (unsigned int i = 0; i < 4; i++)
		put_entry(in, TABLES + 4 * PAGE + (unsigned int)(take(in, 1) * size), i, is_wide);
}

/* The top table, so that the last level is the one at TABLES + 4 pages */
static void choose_root(uint64_t cr4)
{
	bool is_long = g.c.paging.efer & WALK_EFER_LMA;
	unsigned int levels = is_long ? (cr4 & WALK_CR4_LA57 ? 5 : 4)
				      : (cr4 & WALK_CR4_PAE ? 3 : 2);

	g.c.paging.cr3 = TABLES + (5 - levels) * PAGE;
	if (levels == 3)
		g.ram[TABLES + 2 * PAGE] &= (uint8_t)~6;
}

static void set_paging(struct input *in, uint8_t options)
{
	struct walk_paging *p = &g.c.paging;

	p->cr4 = take(in, 4);
	p->pkru = options & 4 ? 0x55555555 : 0;
	p->phys_bits = options & 8 ? 36 : 48;
	p->has_1g = options & 16;
	if (p->efer & WALK_EFER_LMA)
		p->cr4 |= WALK_CR4_PAE;
	if (!(options & 1) || !(p->cr0 & WALK_CR0_PE))
		return;
	p->cr0 |= WALK_CR0_PG | (options & 2 ? WALK_CR0_WP : 0);
	build_tables(in, p->cr4 & WALK_CR4_PAE);
	choose_root(p->cr4);
}

static void set_registers(struct input *in)
{
	for (unsigned int i = 0; i < 16; i++) {
		uint64_t how = take(in, 1), low = take(in, 1);

		if (how % 4 == 1)
			g.c.reg[i] = 0x4000 + low;
		else if (how % 4 == 2)
			g.c.reg[i] = low * 16 + 0xff8;
		else if (how % 4 == 3)
			g.c.reg[i] = take(in, 8);
	}
}

static void set_segments(struct input *in)
{
	for (unsigned int i = 0; i < 6; i++) {
		uint64_t how = take(in, 1);

		if (i == EMUL_SEG_CS || how < 128)
			continue;
		g.seg[i].attrib ^= (uint16_t)(how & 0xf);
		g.seg[i].limit = (uint32_t)take(in, 4);
		g.seg[i].base = take(in, 8);
	}
}

static void set_guest(struct input *in)
{
	uint8_t mode = (uint8_t)take(in, 1) % 5, options = (uint8_t)take(in, 1);
	uint8_t code[CODE_BYTES];

	emul_guest_init(&g, mode);
	g.races = options & 32 ? ~0U : 0;
	ram_ops = g.c.paging.ops;
	g.c.paging.ops = &judged_ops;
	g.c.rflags |= take(in, 4) & ~(uint64_t)EMUL_VM;
	if (mode != EMUL_REAL && mode != EMUL_VM86)
		g.c.cpl = take(in, 1) & 3;
	g.c.rip = take(in, 1) % 2 ? PAGE - 5 : EMUL_GUEST_CODE;
	for (unsigned int i = 0; i < CODE_BYTES; i++)
		code[i] = (uint8_t)take(in, 1);
	memcpy(g.ram + g.c.rip, code, CODE_BYTES);
	set_paging(in, options);
	set_registers(in);
	set_segments(in);
	g.c.cause.has_gpa = options & 64;
	g.c.cause.is_write = options & 128;
	g.c.cause.gpa = 0xfee00000 + take(in, 1) % 8 * 0x80;
}

static void answer(struct input *in)
{
	const struct emul_io *io = &g.c.io;
	uint64_t value = take(in, 8);

	need(io->len >= 1 && io->len <= 8);
	if (io->is_port)
		need(io->addr <= 0xffff && io->len <= 4);
	else
		need(io->addr % PAGE + io->len <= PAGE);
	if (!io->is_write)
		memcpy(g.c.io.data, &value, io->len);
}

static void judge_end(enum emul_result r, uint64_t rip)
{
	uint64_t next = rip + g.c.insn.len;

	need(g.c.insn.len <= EMUL_INSN_MAX && g.c.insn.fetched <= EMUL_INSN_MAX);
	if (r == EMUL_DONE)
		need(g.c.rip == (g.c.mode == EMUL_LONG ? next : next & 0xffffffff));
	else
		need(g.c.rip == rip);
	if (r == EMUL_EXCEPTION)
		need(g.c.fault.vector == EMUL_UD || g.c.fault.vector == EMUL_NM ||
		     (g.c.fault.vector >= EMUL_SS && g.c.fault.vector <= EMUL_PAGE_FAULT));
}

/* Up to the end of an instruction, or of one element of it */
static enum emul_result step(struct input *in)
{
	uint64_t reg[16], rip = g.c.rip, rflags = g.c.rflags;
	unsigned int asked = 0;
	enum emul_result r;

	memcpy(reg, g.c.reg, sizeof(reg));
	calls = 0;
	for (r = carve_emul_run(&g.c); r == EMUL_IO; r = carve_emul_run(&g.c)) {
		need(++asked <= 8);
		need(memcmp(reg, g.c.reg, sizeof(reg)) == 0 && g.c.rflags == rflags);
		answer(in);
		calls = 0;
	}
	judge_end(r, rip);
	if (r != EMUL_DONE && r != EMUL_REPEAT)
		need(memcmp(reg, g.c.reg, sizeof(reg)) == 0 && g.c.rflags == rflags);
	if (r == EMUL_REPEAT)
		need(reg[EMUL_RCX] != g.c.reg[EMUL_RCX]);
	return r;
}

static void judge_same(enum emul_result first, enum emul_result second)
{
	need(first == second);
	need(memcmp(g.c.reg, after.c.reg, sizeof(g.c.reg)) == 0);
	need(g.c.rip == after.c.rip && g.c.rflags == after.c.rflags);
	need(memcmp(g.xmm, after.xmm, sizeof(g.xmm)) == 0);
	if (!(g.c.paging.cr0 & WALK_CR0_PG)) /* with it, tables may be marked or not */
		need(memcmp(g.ram, after.ram, sizeof(g.ram)) == 0);
}

/*
 * Again from the start, told what the first access without memory was; then with what was
 * remembered
 */
static void repeat_told(const struct input *in, enum emul_result want)
{
	struct emul_cause cause = { .has_gpa = !g.c.io.is_port,
				    .is_write = g.c.io.is_write,
				    .gpa = g.c.io.addr };

	after = g;
	memset(memos, 0, sizeof(memos));
	for (unsigned int i = 0; i < 3; i++) {
		struct input same = *in;

		g = before;
		g.c.memo = memos;
		g.c.cause = cause;
		carve_emul_start(&g.c, NULL, 0);
		judge_same(want, step(&same));
	}
}

static bool is_mmio_alone(void)
{
	return g.c.io.len && g.c.dst.kind != g.c.src.kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size }, same;
	struct emul_cause cause;
	enum emul_result r;

	set_guest(&in);
	cause = g.c.cause;
	g.c.cause = (struct emul_cause){ 0 };
	before = g;
	same = in;
	carve_emul_start(&g.c, NULL, 0);
	r = step(&same);
	if ((r == EMUL_DONE || r == EMUL_REPEAT) && !g.races && is_mmio_alone())
		repeat_told(&in, r);
	g = before;
	g.c.cause = cause;
	carve_emul_start(&g.c, NULL, 0);
	for (unsigned int i = 0; i < STEPS; i++) {
		r = step(&in);
		if (r == EMUL_DONE)
			carve_emul_start(&g.c, NULL, 0);
		else if (r != EMUL_REPEAT)
			break;
	}
	return 0;
}
