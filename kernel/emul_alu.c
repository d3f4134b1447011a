// SPDX-License-Identifier: GPL-2.0-only
/* Results and flags: AMD APM vol. 3, the page of each instruction, and appendix E. */
#include "emul_parts.h"

#define ARITHMETIC (EMUL_CF | EMUL_PF | EMUL_AF | EMUL_ZF | EMUL_SF | EMUL_OF)

static u64 sign_of(unsigned int size)
{
	return 1ULL << (8 * size - 1);
}

/* Even parity of the lowest byte */
static bool has_parity(u64 value)
{
	unsigned int folded = (unsigned int)(value ^ value >> 4) & 15;

	return !((0x6996 >> folded) & 1);
}

static u64 result_flags(u64 result, unsigned int size)
{
	u64 flags = 0;

	if (!result)
		flags |= EMUL_ZF;
	if (result & sign_of(size))
		flags |= EMUL_SF;
	if (has_parity(result))
		flags |= EMUL_PF;
	return flags;
}

static void set_flags(struct emul_ctx *c, u64 which, u64 flags)
{
	c->flags = (c->flags & ~which) | (flags & which);
}

static u64 add(struct emul_ctx *c, u64 a, u64 b, bool carry)
{
	unsigned int size = c->dst.len;
	u64 result = (a + b + carry) & emul_mask(size);
	u64 flags = result_flags(result, size);

	if (result < a || (carry && result == a))
		flags |= EMUL_CF;
	if ((a ^ result) & (b ^ result) & sign_of(size))
		flags |= EMUL_OF;
	flags |= (a ^ b ^ result) & EMUL_AF;
	set_flags(c, ARITHMETIC, flags);
	return result;
}

static u64 subtract(struct emul_ctx *c, u64 a, u64 b, bool borrow)
{
	unsigned int size = c->dst.len;
	u64 result = (a - b - borrow) & emul_mask(size);
	u64 flags = result_flags(result, size);

	if (a < b || (borrow && a == b))
		flags |= EMUL_CF;
	if ((a ^ b) & (a ^ result) & sign_of(size))
		flags |= EMUL_OF;
	flags |= (a ^ b ^ result) & EMUL_AF;
	set_flags(c, ARITHMETIC, flags);
	return result;
}

/* AF is undefined; CPUs clear it. */
static u64 logic(struct emul_ctx *c, u64 result)
{
	set_flags(c, ARITHMETIC, result_flags(result, c->dst.len));
	return result;
}

/* INC and DEC leave CF alone. */
static u64 keep_carry(struct emul_ctx *c, u64 result)
{
	set_flags(c, EMUL_CF, c->rflags);
	return result;
}

static u64 arithmetic(struct emul_ctx *c, u64 a, u64 b)
{
	bool carry = c->rflags & EMUL_CF;

	switch (c->insn.op) {
	case OP_ADD:
	case OP_XADD:
		return add(c, a, b, false);
	case OP_ADC:
		return add(c, a, b, carry);
	case OP_SBB:
		return subtract(c, a, b, carry);
	case OP_OR:
		return logic(c, a | b);
	case OP_AND:
	case OP_TEST:
		return logic(c, a & b);
	case OP_XOR:
		return logic(c, a ^ b);
	case OP_NEG:
		return subtract(c, 0, a, false);
	case OP_INC:
		return keep_carry(c, add(c, a, 1, false));
	case OP_DEC:
		return keep_carry(c, subtract(c, a, 1, false));
	default: /* OP_SUB, OP_CMP */
		return subtract(c, a, b, false);
	}
}

static u64 test_bit_of(struct emul_ctx *c, u64 a, u64 b)
{
	u64 bit = 1ULL << (b & (8 * c->dst.len - 1));

	set_flags(c, EMUL_CF, a & bit ? EMUL_CF : 0);
	switch (c->insn.op) {
	case OP_BTS:
		return a | bit;
	case OP_BTR:
		return a & ~bit;
	case OP_BTC:
		return a ^ bit;
	default:
		return a;
	}
}

/* Where they differ the old value is written back: memory is always written to. */
static u64 compare_exchange(struct emul_ctx *c, u64 a, u64 b)
{
	subtract(c, carve_emul_read_reg(c, EMUL_RAX, c->dst.len, false), a, false);
	return c->flags & EMUL_ZF ? b : a;
}

static u64 result_of(struct emul_ctx *c, u64 a, u64 b)
{
	switch (c->insn.op) {
	case OP_MOV:
	case OP_XCHG:
		return b;
	case OP_MOVSX:
		return (u64)emul_sign_extend(b, c->src.len) & emul_mask(c->dst.len);
	case OP_NOT:
		return ~a & emul_mask(c->dst.len);
	case OP_CMPXCHG:
		return compare_exchange(c, a, b);
	case OP_BT:
	case OP_BTS:
	case OP_BTR:
	case OP_BTC:
		return test_bit_of(c, a, b);
	default:
		return arithmetic(c, a, b);
	}
}

void carve_emul_execute(struct emul_ctx *c)
{
	c->old = c->dst.v[0];
	c->flags = c->rflags;
	if (c->insn.op == OP_MOV_XMM)
		memcpy(c->dst.b, c->src.b, sizeof(c->dst.b));
	else
		c->dst.v[0] = result_of(c, c->dst.v[0], c->src.v[0]);
}
