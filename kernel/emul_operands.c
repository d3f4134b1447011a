// SPDX-License-Identifier: GPL-2.0-only
/* Where the operands of a decoded instruction are. */
#include "emul_parts.h"

#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR4_OSFXSR BIT(9)

enum place {
	PLACE_NONE,
	PLACE_RM,
	PLACE_REG,
	PLACE_XMM,
	PLACE_ACC,
	PLACE_IMM,
	PLACE_OFFSET,
	PLACE_SI,
	PLACE_DI,
	PLACE_PORT,
	PLACE_PUSH,
	PLACE_POP,
};

static const struct {
	u8 dst, src;
} places[] = {
	[FORM_RM] = { PLACE_RM, PLACE_NONE },
	[FORM_RM_REG] = { PLACE_RM, PLACE_REG },
	[FORM_REG_RM] = { PLACE_REG, PLACE_RM },
	[FORM_RM_IMM] = { PLACE_RM, PLACE_IMM },
	[FORM_RM_XMM] = { PLACE_RM, PLACE_XMM },
	[FORM_XMM_RM] = { PLACE_XMM, PLACE_RM },
	[FORM_ACC_OFFSET] = { PLACE_ACC, PLACE_OFFSET },
	[FORM_OFFSET_ACC] = { PLACE_OFFSET, PLACE_ACC },
	[FORM_PUSH_RM] = { PLACE_PUSH, PLACE_RM },
	[FORM_RM_POP] = { PLACE_RM, PLACE_POP },
	[FORM_DI_ACC] = { PLACE_DI, PLACE_ACC },
	[FORM_DI_SI] = { PLACE_DI, PLACE_SI },
	[FORM_ACC_SI] = { PLACE_ACC, PLACE_SI },
	[FORM_SI_DI] = { PLACE_SI, PLACE_DI },
	[FORM_ACC_DI] = { PLACE_ACC, PLACE_DI },
	[FORM_DI_PORT] = { PLACE_DI, PLACE_PORT },
	[FORM_PORT_SI] = { PLACE_PORT, PLACE_SI },
};

u64 carve_emul_read_reg(const struct emul_ctx *c, unsigned int reg, unsigned int size, bool is_high)
{
	return (c->reg[reg] >> (is_high ? 8 : 0)) & emul_mask(size);
}

void carve_emul_write_reg(struct emul_ctx *c, unsigned int reg, unsigned int size, bool is_high,
			  u64 value)
{
	unsigned int shift = is_high ? 8 : 0;
	u64 mask = size == 4 ? ~0ULL : emul_mask(size) << shift;

	c->reg[reg] = (c->reg[reg] & ~mask) | (((value & emul_mask(size)) << shift) & mask);
}

static u64 reg_of_address(const struct emul_ctx *c, u8 reg)
{
	return reg == EMUL_NO_REG ? 0 : c->reg[reg];
}

/* A bit number in a register counts, with its sign, from the operand: AMD APM vol. 3, BT. */
static u64 bit_offset(const struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	s64 bit;

	if (i->form != FORM_RM_REG || i->op < OP_BT || i->op > OP_BTC)
		return 0;
	bit = emul_sign_extend(c->reg[i->reg], i->op_size);
	return (u64)((bit >> 3) & ~(s64)(i->op_size - 1));
}

/* AMD APM vol. 3, 1.7.1 on RIP; POP counts RSP after its own increment. */
u64 carve_emul_address(const struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	u64 address = (u64)i->disp + bit_offset(c);

	if (i->is_rip_relative)
		address += c->rip + i->len;
	address += reg_of_address(c, i->base) + (reg_of_address(c, i->index) << i->scale);
	if (i->form == FORM_RM_POP && i->base == EMUL_RSP)
		address += i->op_size;
	return address & emul_mask(i->addr_size);
}

static void find_reg(const struct emul_ctx *c, struct emul_operand *o, u8 reg)
{
	o->kind = KIND_REG;
	o->is_high = o->len == 1 && !c->insn.rex && reg >= 4;
	o->reg = o->is_high ? reg - 4 : reg;
	o->v[0] = carve_emul_read_reg(c, o->reg, o->len, o->is_high);
	o->done = o->len;
}

static int find_xmm(const struct emul_ctx *c, struct emul_operand *o, u8 reg)
{
	o->kind = KIND_XMM;
	o->reg = reg;
	o->done = o->len;
	if (!c->ops || !c->ops->read_xmm)
		return -EOPNOTSUPP;
	if (o->is_read)
		c->ops->read_xmm(c->paging.vm, reg, o->b);
	return 0;
}

static int find_memory(struct emul_ctx *c, struct emul_operand *o, u8 seg, u64 offset)
{
	int r = carve_emul_linear(c, seg, offset, o->len, o->is_write ? WALK_WRITE : 0, &o->linear);

	o->kind = KIND_MEMORY;
	if (r < 0)
		return r;
	if ((c->insn.flags & ROW_ALIGNED) && !c->insn.has_rep && o->linear % o->len != 0)
		return carve_emul_raise(c, EMUL_GP);
	return 0;
}

/*
 * INS and OUTS with the right to do I/O: by IOPL, or since the CPU itself came here with just that
 * access. Who has neither has changed the code since the exit; the CPU is to judge that
 * again (AMD APM vol. 2, 12.2.4; vol. 3, INS).
 */
static int find_port(struct emul_ctx *c, struct emul_operand *o)
{
	const struct emul_cause *cause = &c->cause;
	u16 port = (u16)c->reg[EMUL_RDX];
	u8 iopl = (u8)((c->rflags & EMUL_IOPL) >> 12);
	bool is_checked = cause->has_port && cause->port == port && cause->port_len == o->len;

	o->kind = KIND_PORT;
	o->gpa[0] = port;
	o->first = o->len;
	if (c->mode == EMUL_REAL || is_checked || (c->mode != EMUL_VM86 && c->cpl <= iopl))
		return 0;
	return -EAGAIN;
}

static u64 pushed(const struct emul_ctx *c)
{
	return (c->reg[EMUL_RSP] - c->insn.op_size) & emul_mask(c->insn.stack_size);
}

static int find(struct emul_ctx *c, struct emul_operand *o, u8 place)
{
	const struct emul_insn *i = &c->insn;

	switch (place) {
	case PLACE_RM:
		if (i->is_mem)
			return find_memory(c, o, i->seg, carve_emul_address(c));
		if (i->op == OP_MOV_XMM)
			return find_xmm(c, o, i->rm);
		find_reg(c, o, i->rm);
		return 0;
	case PLACE_REG:
		find_reg(c, o, i->reg);
		return 0;
	case PLACE_XMM:
		return find_xmm(c, o, i->reg);
	case PLACE_ACC:
		find_reg(c, o, EMUL_RAX);
		return 0;
	case PLACE_IMM:
		o->kind = KIND_IMM;
		o->v[0] = i->imm & emul_mask(o->len);
		o->done = o->len;
		return 0;
	case PLACE_OFFSET:
		return find_memory(c, o, i->seg, (u64)i->disp & emul_mask(i->addr_size));
	case PLACE_SI:
		return find_memory(c, o, i->seg, c->reg[EMUL_RSI] & emul_mask(i->addr_size));
	case PLACE_DI:
		return find_memory(c, o, EMUL_SEG_ES, c->reg[EMUL_RDI] & emul_mask(i->addr_size));
	case PLACE_PORT:
		return find_port(c, o);
	case PLACE_PUSH:
		return find_memory(c, o, EMUL_SEG_SS, pushed(c));
	case PLACE_POP:
		return find_memory(c, o, EMUL_SEG_SS, c->reg[EMUL_RSP] & emul_mask(i->stack_size));
	default:
		return 0;
	}
}

/* AMD APM vol. 4, 1.2.1: what 16-byte moves need. */
static int check_sse(struct emul_ctx *c)
{
	if ((c->paging.cr0 & CR0_EM) || !(c->paging.cr4 & CR4_OSFXSR))
		return carve_emul_raise(c, EMUL_UD);
	return c->paging.cr0 & CR0_TS ? carve_emul_raise(c, EMUL_NM) : 0;
}

static bool is_old_needed(u8 op)
{
	return op != OP_MOV && op != OP_MOVSX && op != OP_MOV_XMM;
}

static bool is_result_kept(u8 op)
{
	return op != OP_CMP && op != OP_TEST && op != OP_BT;
}

static int translate(struct emul_ctx *c, struct emul_operand *o)
{
	return o->kind == KIND_MEMORY ? carve_emul_translate(c, o) : 0;
}

int carve_emul_operands(struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	int r = i->op == OP_MOV_XMM ? check_sse(c) : 0;

	if (r < 0)
		return r;
	c->src = (struct emul_operand){ .len = i->src_size, .is_read = true };
	c->dst = (struct emul_operand){ .len = i->op_size,
					.is_read = is_old_needed(i->op),
					.is_write = is_result_kept(i->op) };
	r = find(c, &c->src, places[i->form].src);
	if (r < 0)
		return r;
	r = find(c, &c->dst, places[i->form].dst);
	if (r < 0)
		return r;
	r = translate(c, &c->src);
	return r < 0 ? r : translate(c, &c->dst);
}
