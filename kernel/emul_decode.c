// SPDX-License-Identifier: GPL-2.0-only
/* The bytes of an instruction, taken apart: AMD APM vol. 3, 1.1-1.7. */
#include "emul_parts.h"

#define REX_W BIT(3)
#define REX_R BIT(2)
#define REX_X BIT(1)
#define REX_B BIT(0)

static int next_byte(struct emul_ctx *c, u8 *ret)
{
	struct emul_insn *i = &c->insn;
	int r;

	if (i->len == i->fetched) {
		r = carve_emul_fetch(c);
		if (r < 0)
			return r;
	}
	*ret = i->bytes[i->len++];
	return 0;
}

/* @size bytes, the lowest first, sign-extended */
static int next_value(struct emul_ctx *c, unsigned int size, s64 *ret)
{
	u64 value = 0;
	u8 byte;
	int r;

	for (unsigned int n = 0; n < size; n++) {
		r = next_byte(c, &byte);
		if (r < 0)
			return r;
		value |= (u64)byte << (8 * n);
	}
	*ret = emul_sign_extend(value, size);
	return 0;
}

/* ES, CS, SS and DS change nothing in 64-bit mode: AMD APM vol. 3, 1.2.4. */
static void note_segment(struct emul_ctx *c, u8 seg)
{
	if (c->mode != EMUL_LONG || seg >= EMUL_SEG_FS)
		c->insn.seg = seg;
}

static bool is_prefix(struct emul_ctx *c, u8 byte, bool *ret_67)
{
	struct emul_insn *i = &c->insn;

	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		note_segment(c, (byte >> 3) & 3);
		break;
	case 0x64:
	case 0x65:
		note_segment(c, byte - 0x60);
		break;
	case 0x66:
		i->has_66 = true;
		break;
	case 0x67:
		*ret_67 = true;
		break;
	case 0xf0:
		i->has_lock = true;
		break;
	case 0xf2:
	case 0xf3:
		i->has_rep = byte == 0xf3;
		i->has_repne = byte == 0xf2;
		break;
	default:
		return false;
	}
	return true;
}

static void choose_addr_size(struct emul_ctx *c, bool has_67)
{
	if (c->mode == EMUL_LONG)
		c->insn.addr_size = has_67 ? 4 : 8;
	else
		c->insn.addr_size = (c->mode == EMUL_PROT32) == has_67 ? 2 : 4;
}

/* All prefixes, and the first byte of the opcode. A REX counts only right before that (1.2.7). */
static int decode_prefixes(struct emul_ctx *c, u8 *ret_opcode)
{
	bool has_67 = false;
	u8 byte;
	int r;

	for (;;) {
		r = next_byte(c, &byte);
		if (r < 0)
			return r;
		if (c->mode == EMUL_LONG && (byte & 0xf0) == 0x40)
			c->insn.rex = byte;
		else if (is_prefix(c, byte, &has_67))
			c->insn.rex = 0;
		else
			break;
	}
	choose_addr_size(c, has_67);
	*ret_opcode = byte;
	return 0;
}

/** struct base_index - registers of an address with 16 bits: AMD APM vol. 3, table A-33 */
struct base_index {
	u8 base, index, seg;
};

static const struct base_index modrm16[8] = {
	{ EMUL_RBX, EMUL_RSI, EMUL_SEG_DS },	{ EMUL_RBX, EMUL_RDI, EMUL_SEG_DS },
	{ EMUL_RBP, EMUL_RSI, EMUL_SEG_SS },	{ EMUL_RBP, EMUL_RDI, EMUL_SEG_SS },
	{ EMUL_RSI, EMUL_NO_REG, EMUL_SEG_DS }, { EMUL_RDI, EMUL_NO_REG, EMUL_SEG_DS },
	{ EMUL_RBP, EMUL_NO_REG, EMUL_SEG_SS }, { EMUL_RBX, EMUL_NO_REG, EMUL_SEG_DS },
};

static void default_segment(struct emul_insn *i, u8 seg)
{
	if (i->seg == EMUL_NO_REG)
		i->seg = seg;
}

static int decode_address16(struct emul_ctx *c, u8 mod, u8 rm)
{
	struct emul_insn *i = &c->insn;

	if (mod == 0 && rm == 6) {
		default_segment(i, EMUL_SEG_DS);
		return next_value(c, 2, &i->disp);
	}
	i->base = modrm16[rm].base;
	i->index = modrm16[rm].index;
	default_segment(i, modrm16[rm].seg);
	return mod == 0 ? 0 : next_value(c, mod, &i->disp);
}

/* Returns whether there is a displacement despite mod 0. */
static int decode_sib(struct emul_ctx *c, u8 mod, bool *ret_disp32)
{
	struct emul_insn *i = &c->insn;
	u8 sib;
	int r = next_byte(c, &sib);

	if (r < 0)
		return r;
	i->scale = sib >> 6;
	i->index = ((sib >> 3) & 7) | (i->rex & REX_X ? 8 : 0);
	if (i->index == EMUL_RSP)
		i->index = EMUL_NO_REG;
	*ret_disp32 = mod == 0 && (sib & 7) == EMUL_RBP;
	if (!*ret_disp32)
		i->base = (sib & 7) | (i->rex & REX_B ? 8 : 0);
	return 0;
}

static int decode_address(struct emul_ctx *c, u8 mod, u8 rm)
{
	struct emul_insn *i = &c->insn;
	bool disp32 = mod == 0 && rm == EMUL_RBP;
	int r = 0;

	if (rm == EMUL_RSP) {
		r = decode_sib(c, mod, &disp32);
	} else if (disp32) {
		i->is_rip_relative = c->mode == EMUL_LONG;
	} else {
		i->base = rm | (i->rex & REX_B ? 8 : 0);
	}
	if (r < 0)
		return r;
	default_segment(i, i->base == EMUL_RSP || i->base == EMUL_RBP ? EMUL_SEG_SS : EMUL_SEG_DS);
	if (disp32 || mod == 2)
		return next_value(c, 4, &i->disp);
	return mod == 1 ? next_value(c, 1, &i->disp) : 0;
}

static int decode_modrm(struct emul_ctx *c)
{
	struct emul_insn *i = &c->insn;
	int r = next_byte(c, &i->modrm);
	u8 mod = i->modrm >> 6, rm = i->modrm & 7;

	if (r < 0)
		return r;
	i->reg = ((i->modrm >> 3) & 7) | (i->rex & REX_R ? 8 : 0);
	if (mod == 3) {
		i->rm = rm | (i->rex & REX_B ? 8 : 0);
		return 0;
	}
	i->is_mem = true;
	return i->addr_size == 2 ? decode_address16(c, mod, rm) : decode_address(c, mod, rm);
}

static u8 word_size(const struct emul_ctx *c)
{
	if (c->insn.rex & REX_W)
		return 8;
	return (c->mode == EMUL_LONG || c->mode == EMUL_PROT32) == c->insn.has_66 ? 2 : 4;
}

static bool is_io(const struct emul_row *row)
{
	return row->form == FORM_DI_PORT || row->form == FORM_PORT_SI;
}

static void choose_sizes(struct emul_ctx *c, const struct emul_row *row)
{
	struct emul_insn *i = &c->insn;
	u8 size = word_size(c);

	if (row->op == OP_MOV_XMM)
		size = 16;
	else if (row->flags & ROW_BYTE)
		size = 1;
	else if ((row->flags & ROW_STACK) && c->mode == EMUL_LONG)
		size = i->has_66 && !(i->rex & REX_W) ? 2 : 8;
	else if (is_io(row) && size == 8)
		size = 4;
	i->op_size = i->src_size = size;
	if (row->flags & ROW_SRC8)
		i->src_size = 1;
	else if (row->flags & ROW_SRC16)
		i->src_size = 2;
	else if ((row->flags & ROW_SRC32) && size > 4)
		i->src_size = 4;
	if (c->mode == EMUL_LONG)
		i->stack_size = 8;
	else
		i->stack_size = c->seg[EMUL_SEG_SS].attrib & BIT(10) ? 4 : 2;
}

/* Whether the prefixes make this opcode something else. */
static bool is_other(const struct emul_insn *i, const struct emul_row *row)
{
	u16 wanted = row->flags & (ROW_PLAIN | ROW_66 | ROW_F3);

	if (!wanted)
		return false;
	if (i->has_repne)
		return true;
	if (i->has_rep)
		return !(wanted & ROW_F3);
	return !(wanted & (i->has_66 ? ROW_66 : ROW_PLAIN));
}

static int decode_opcode(struct emul_ctx *c, u8 opcode, const struct emul_row **ret_row)
{
	bool is_0f = opcode == 0x0f;
	const struct emul_row *row;
	int r;

	if (is_0f) {
		r = next_byte(c, &opcode);
		if (r < 0)
			return r;
	}
	row = carve_emul_row(is_0f, opcode);
	if (!row || ((row->flags & ROW_LONG) && c->mode != EMUL_LONG) || is_other(&c->insn, row))
		return -EOPNOTSUPP;
	if (row->flags & ROW_MODRM) {
		r = decode_modrm(c);
		if (r < 0)
			return r;
	}
	row = carve_emul_group(row, c->insn.reg);
	if (!row)
		return -EOPNOTSUPP;
	*ret_row = row;
	return 0;
}

static int decode_immediate(struct emul_ctx *c, const struct emul_row *row)
{
	struct emul_insn *i = &c->insn;
	s64 value = 0;
	int r = 0;

	if (row->form == FORM_ACC_OFFSET || row->form == FORM_OFFSET_ACC) {
		i->is_mem = true;
		return next_value(c, i->addr_size, &i->disp);
	}
	if (row->flags & ROW_IMM8)
		r = next_value(c, 1, &value);
	else if (row->flags & ROW_IMM)
		r = next_value(c, i->op_size < 4 ? i->op_size : 4, &value);
	i->imm = (u64)value;
	return r;
}

/* AMD APM vol. 3, 1.2.5; XCHG with memory has it always. */
static int check_lock(struct emul_ctx *c, const struct emul_row *row)
{
	struct emul_insn *i = &c->insn;

	if (i->has_lock && !(i->is_mem && (row->flags & ROW_LOCK)))
		return carve_emul_raise(c, EMUL_UD);
	if (row->op == OP_XCHG && i->is_mem)
		i->has_lock = true;
	return 0;
}

int carve_emul_decode(struct emul_ctx *c)
{
	struct emul_insn *i = &c->insn;
	const struct emul_row *row = NULL;
	u8 opcode;
	int r;

	i->seg = i->base = i->index = EMUL_NO_REG;
	r = decode_prefixes(c, &opcode);
	if (r < 0)
		return r;
	r = decode_opcode(c, opcode, &row);
	if (r < 0)
		return r;
	choose_sizes(c, row);
	r = decode_immediate(c, row);
	if (r < 0)
		return r;
	default_segment(i, EMUL_SEG_DS);
	i->op = row->op;
	i->form = row->form;
	i->flags = row->flags;
	if ((row->flags & ROW_MEMORY) && !i->is_mem)
		return carve_emul_raise(c, EMUL_UD);
	return check_lock(c, row);
}
