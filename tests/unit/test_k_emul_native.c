// SPDX-License-Identifier: GPL-2.0-or-later
/* The instruction emulator against the CPU this runs on: the same bytes on the same values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "emul_guest.h"

#define DATA 0x8000 /* in RAM */
#define DATA_SIZE 512
#define TRIES 150

#define ARITHMETIC (EMUL_CF | EMUL_PF | EMUL_AF | EMUL_ZF | EMUL_SF | EMUL_OF)
#define LOGIC (ARITHMETIC & ~EMUL_AF)
#define BITS (EMUL_CF | EMUL_ZF)
#define BYTE 1
#define IMM8 2
#define IMM 4
#define OFFSET 8 /* RCX is a bit offset */

/** struct cpu - the registers both run with; native_call() knows the order */
struct cpu {
	uint64_t rax, rcx, rdx, rbx, rsi, rdi, flags;
};

/* Load @cpu, call @code, store @cpu. */
void native_call(struct cpu *cpu, void *code);

__asm__(".text\n"
	".globl native_call\n"
	".type native_call, @function\n"
	"native_call:\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	mov %rdi, %r12\n"
	"	mov %rsi, %r13\n"
	"	push 48(%r12)\n"
	"	mov 0(%r12), %rax\n"
	"	mov 8(%r12), %rcx\n"
	"	mov 16(%r12), %rdx\n"
	"	mov 24(%r12), %rbx\n"
	"	mov 32(%r12), %rsi\n"
	"	mov 40(%r12), %rdi\n"
	"	popf\n"
	"	call *%r13\n"
	"	pushf\n"
	"	mov %rax, 0(%r12)\n"
	"	mov %rcx, 8(%r12)\n"
	"	mov %rdx, 16(%r12)\n"
	"	mov %rbx, 24(%r12)\n"
	"	mov %rsi, 32(%r12)\n"
	"	mov %rdi, 40(%r12)\n"
	"	pop 48(%r12)\n"
	"	cld\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	ret\n"
	".size native_call, . - native_call\n");

/**
 * struct operation - an opcode with ModRM
 * @flags: of RFLAGS, that it defines
 * @group: ModRM.reg, or -1: RCX
 * @traits: BYTE, IMM8, IMM, OFFSET
 */
struct operation {
	uint8_t code[2];
	uint8_t n;
	int group;
	unsigned int traits;
	uint64_t flags;
};

#define ALU_ROWS(at, flags)                                                              \
	{ { (at) }, 1, -1, BYTE, flags }, { { (at) + 1 }, 1, -1, 0, flags },             \
		{ { (at) + 2 }, 1, -1, BYTE, flags }, { { (at) + 3 }, 1, -1, 0, flags }, \
		{ { 0x80 }, 1, (at) / 8, BYTE | IMM8, flags },                           \
		{ { 0x81 }, 1, (at) / 8, IMM, flags },                                   \
	{                                                                                \
		{ 0x83 }, 1, (at) / 8, IMM8, flags                                       \
	}

static const struct operation operations[] = {
	ALU_ROWS(0x00, ARITHMETIC),
	ALU_ROWS(0x08, LOGIC),
	ALU_ROWS(0x10, ARITHMETIC),
	ALU_ROWS(0x18, ARITHMETIC),
	ALU_ROWS(0x20, LOGIC),
	ALU_ROWS(0x28, ARITHMETIC),
	ALU_ROWS(0x30, LOGIC),
	ALU_ROWS(0x38, ARITHMETIC),
	{ { 0x63 }, 1, -1, 0, ARITHMETIC },
	{ { 0x84 }, 1, -1, BYTE, LOGIC },
	{ { 0x85 }, 1, -1, 0, LOGIC },
	{ { 0x86 }, 1, -1, BYTE, ARITHMETIC },
	{ { 0x87 }, 1, -1, 0, ARITHMETIC },
	{ { 0x88 }, 1, -1, BYTE, ARITHMETIC },
	{ { 0x89 }, 1, -1, 0, ARITHMETIC },
	{ { 0x8a }, 1, -1, BYTE, ARITHMETIC },
	{ { 0x8b }, 1, -1, 0, ARITHMETIC },
	{ { 0xc6 }, 1, 0, BYTE | IMM8, ARITHMETIC },
	{ { 0xc7 }, 1, 0, IMM, ARITHMETIC },
	{ { 0xf6 }, 1, 0, BYTE | IMM8, LOGIC },
	{ { 0xf7 }, 1, 0, IMM, LOGIC },
	{ { 0xf6 }, 1, 2, BYTE, ARITHMETIC },
	{ { 0xf7 }, 1, 2, 0, ARITHMETIC },
	{ { 0xf6 }, 1, 3, BYTE, ARITHMETIC },
	{ { 0xf7 }, 1, 3, 0, ARITHMETIC },
	{ { 0xfe }, 1, 0, BYTE, ARITHMETIC },
	{ { 0xfe }, 1, 1, BYTE, ARITHMETIC },
	{ { 0xff }, 1, 0, 0, ARITHMETIC },
	{ { 0xff }, 1, 1, 0, ARITHMETIC },
	{ { 0x0f, 0xa3 }, 2, -1, OFFSET, BITS },
	{ { 0x0f, 0xab }, 2, -1, OFFSET, BITS },
	{ { 0x0f, 0xb3 }, 2, -1, OFFSET, BITS },
	{ { 0x0f, 0xbb }, 2, -1, OFFSET, BITS },
	{ { 0x0f, 0xba }, 2, 4, IMM8, BITS },
	{ { 0x0f, 0xba }, 2, 5, IMM8, BITS },
	{ { 0x0f, 0xba }, 2, 6, IMM8, BITS },
	{ { 0x0f, 0xba }, 2, 7, IMM8, BITS },
	{ { 0x0f, 0xb0 }, 2, -1, BYTE, ARITHMETIC },
	{ { 0x0f, 0xb1 }, 2, -1, 0, ARITHMETIC },
	{ { 0x0f, 0xb6 }, 2, -1, 0, ARITHMETIC },
	{ { 0x0f, 0xb7 }, 2, -1, 0, ARITHMETIC },
	{ { 0x0f, 0xbe }, 2, -1, 0, ARITHMETIC },
	{ { 0x0f, 0xbf }, 2, -1, 0, ARITHMETIC },
	{ { 0x0f, 0xc0 }, 2, -1, BYTE, ARITHMETIC },
	{ { 0x0f, 0xc1 }, 2, -1, 0, ARITHMETIC },
};

static struct emul_guest g;
static uint8_t *native_code;

static uint64_t random_bits(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Often where results overflow, or are equal */
static uint64_t random_value(void)
{
	static const uint64_t edges[] = { 0,	      1,	  ~0ULL,	 0x7f,
					  0x80,	      0x7fff,	  0x8000,	 0x7fffffff,
					  0x80000000, 1ULL << 63, ~(1ULL << 63), 0x0f,
					  0x10 };

	return random_bits() % 3 ? edges[random_bits() % ARRAY_SIZE(edges)] : random_bits();
}

static void random_cpu(struct cpu *cpu, unsigned int traits)
{
	cpu->rax = random_value();
	cpu->rcx = traits & OFFSET ? random_bits() % 1024 - 512 : random_value();
	cpu->rdx = random_value();
	cpu->rbx = random_value();
	cpu->rsi = cpu->rdi = (uintptr_t)g.ram + DATA + DATA_SIZE / 2;
	cpu->flags = 0x202 | (random_bits() & ARITHMETIC);
	for (unsigned int i = 0; i < DATA_SIZE; i += 8) {
		uint64_t value = random_value();

		memcpy(g.ram + DATA + i, &value, sizeof(value));
	}
}

static void set_code(const uint8_t *code, unsigned int n)
{
	memcpy(g.ram + EMUL_GUEST_CODE, code, n);
	memcpy(native_code, code, n);
	native_code[n] = 0xc3; /* RET */
}

static void emulate(struct cpu *cpu, unsigned int n)
{
	uint64_t rip = (uintptr_t)g.ram + EMUL_GUEST_CODE;
	enum emul_result r = EMUL_REPEAT;

	memcpy(g.c.reg, &(uint64_t[]){ cpu->rax, cpu->rcx, cpu->rdx, cpu->rbx }, 32);
	g.c.reg[EMUL_RSI] = cpu->rsi;
	g.c.reg[EMUL_RDI] = cpu->rdi;
	g.c.rflags = cpu->flags;
	g.c.rip = rip;
	carve_emul_start(&g.c, NULL, 0);
	while (r == EMUL_REPEAT) {
		assert_int_equal(g.c.rip, rip);
		r = carve_emul_run(&g.c);
	}
	assert_int_equal(r, EMUL_DONE);
	assert_int_equal(g.c.rip, rip + n);
	*cpu = (struct cpu){ g.c.reg[0],	g.c.reg[1],	   g.c.reg[2], g.c.reg[3],
			     g.c.reg[EMUL_RSI], g.c.reg[EMUL_RDI], g.c.rflags };
}

static void compare(const struct cpu *start, const uint8_t *code, unsigned int n, uint64_t flags)
{
	uint8_t before[DATA_SIZE], after[DATA_SIZE];
	struct cpu want = *start, got = *start;

	set_code(code, n);
	memcpy(before, g.ram + DATA, DATA_SIZE);
	native_call(&want, native_code);
	memcpy(after, g.ram + DATA, DATA_SIZE);
	memcpy(g.ram + DATA, before, DATA_SIZE);
	emulate(&got, n);
	got.flags = (got.flags & flags) | (want.flags & ~flags);
	if (memcmp(&got, &want, sizeof(want)) != 0)
		print_error("code %02x %02x %02x %02x %02x\n", code[0], code[1], code[2], code[3],
			    code[4]);
	assert_memory_equal(&got, &want, sizeof(want));
	assert_memory_equal(g.ram + DATA, after, DATA_SIZE);
}

/* @modrm without its reg field; @prefix 0: none */
static void try_operation(const struct operation *o, uint8_t prefix, uint8_t modrm)
{
	uint8_t code[16] = { 0 };
	struct cpu cpu;
	unsigned int n = 0;
	uint64_t imm = random_value();

	if (prefix)
		code[n++] = prefix;
	memcpy(code + n, o->code, o->n);
	n += o->n;
	code[n++] = modrm | (uint8_t)((o->group < 0 ? EMUL_RCX : o->group) << 3);
	memcpy(code + n, &imm, sizeof(imm));
	if (o->traits & IMM8)
		n += 1;
	else if (o->traits & IMM)
		n += prefix == 0x66 ? 2 : 4;
	random_cpu(&cpu, o->traits);
	compare(&cpu, code, n, o->flags);
}

static void test_operations(void **state)
{
	static const uint8_t prefixes[] = { 0, 0x66, 0x48 };
	/* [rdi], rbx, and the byte that is DH without REX */
	static const uint8_t places[] = { 0x07, 0xc3, 0xc6 };

	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		for (size_t p = 0; p < 3; p++)
			for (size_t m = 0; m < 3; m++)
				for (unsigned int n = 0; n < TRIES; n++)
					try_operation(&operations[i], prefixes[p], places[m]);
}

static void try_string(uint8_t opcode, uint8_t repeat, uint8_t prefix)
{
	uint8_t code[16] = { 0 };
	struct cpu cpu;
	unsigned int n = 0;

	if (repeat)
		code[n++] = repeat;
	if (prefix)
		code[n++] = prefix;
	code[n++] = opcode;
	random_cpu(&cpu, 0);
	cpu.rax = random_bits() % 2;
	cpu.rcx = random_bits() % 12;
	cpu.rdi += random_bits() % 64;
	if (random_bits() % 2)
		cpu.flags |= EMUL_DF;
	memset(g.ram + DATA, 0, DATA_SIZE);
	g.ram[DATA + random_bits() % DATA_SIZE] = 1;
	for (unsigned int i = 0; i < 32; i++)
		g.ram[DATA + DATA_SIZE / 2 - 64 + random_bits() % 128] ^= 1;
	compare(&cpu, code, n, ARITHMETIC | EMUL_DF);
}

static void test_strings(void **state)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xa6, 0xa7, 0xaa,
					   0xab, 0xac, 0xad, 0xae, 0xaf };
	static const uint8_t repeats[] = { 0, 0xf2, 0xf3 }, prefixes[] = { 0, 0x66, 0x48 };

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		for (size_t r = 0; r < 3; r++)
			for (size_t p = 0; p < 3; p++)
				for (unsigned int n = 0; n < TRIES; n++)
					try_string(opcodes[i], repeats[r], prefixes[p]);
}

/* Linear and guest-physical addresses are those of this process. */
static int setup(void **state)
{
	native_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (native_code == MAP_FAILED)
		return -1;
	emul_guest_init(&g, EMUL_LONG);
	g.ram_at = (uintptr_t)g.ram;
	return 0;
}

static int teardown(void **state)
{
	return munmap(native_code, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_strings),
	};

	return cmocka_run_group_tests_name("k_emul_native", tests, setup, teardown);
}
