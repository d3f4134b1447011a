// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nearly all that a driver does with its device: one MOV between a register and the address that
 * the CPU has named on the exit. It has checked the access and walked the tables, so nothing of
 * that is done again.
 */
#include "emul_parts.h"

#define PAGE 4096U

static bool is_write(const struct emul_insn *i)
{
	return i->form != FORM_REG_RM;
}

static bool is_plain(const struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	bool is_move = i->form == FORM_RM_REG || i->form == FORM_REG_RM || i->form == FORM_RM_IMM;

	return i->op == OP_MOV && is_move && i->is_mem && c->mode == EMUL_LONG &&
	       c->cause.has_gpa && c->cause.is_write == is_write(i);
}

/* Whether the operand is what was named; not if the code has changed since. */
static bool is_named(const struct emul_ctx *c, unsigned int len)
{
	u64 linear = carve_emul_address(c);

	if (c->insn.seg >= EMUL_SEG_FS)
		linear += c->seg[c->insn.seg].base;
	return (linear ^ c->cause.gpa) % PAGE == 0 && linear % PAGE + len <= PAGE;
}

static bool is_high(const struct emul_insn *i)
{
	return i->op_size == 1 && !i->rex && i->reg >= 4;
}

static u64 value_to_write(const struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;

	if (i->form == FORM_RM_IMM)
		return i->imm & emul_mask(i->op_size);
	return carve_emul_read_reg(c, i->reg - (is_high(i) ? 4 : 0), i->op_size, is_high(i));
}

void carve_emul_end_plain(struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	u64 value;

	if (!is_write(i)) {
		memcpy(&value, c->io.data, sizeof(value));
		carve_emul_write_reg(c, i->reg - (is_high(i) ? 4 : 0), i->op_size, is_high(i),
				     value & emul_mask(i->src_size));
	}
	c->cause.has_gpa = false;
}

enum emul_plain carve_emul_begin_plain(struct emul_ctx *c)
{
	const struct walk_paging *p = &c->paging;
	const struct emul_insn *i = &c->insn;
	struct emul_io *io = &c->io;
	u64 value = 0;
	int r;

	if (!is_plain(c) || !is_named(c, i->src_size))
		return EMUL_NOT_PLAIN;
	io->is_port = io->is_locked = false;
	io->is_write = is_write(i);
	io->len = i->src_size;
	io->addr = c->cause.gpa;
	if (io->is_write)
		value = value_to_write(c);
	memcpy(io->data, &value, sizeof(value));
	r = io->is_write ? p->ops->write(p->vm, io->addr, io->data, io->len)
			 : p->ops->read(p->vm, io->addr, io->data, io->len);
	return r ? EMUL_PLAIN_IO : EMUL_PLAIN_DONE;
}
