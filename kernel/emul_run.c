// SPDX-License-Identifier: GPL-2.0-only
/* The steps of one instruction. Whatever can fail comes before the first access with an effect. */
#include "emul_parts.h"

#define CS_L BIT(9)
#define CS_D BIT(10)

/* In the order they are gone through; one that waits for an answer is entered again. */
enum phase {
	PHASE_DECODE,
	PHASE_PLAIN, /* instead of all that follow */
	PHASE_OPERANDS,
	PHASE_READ_SRC,
	PHASE_READ_DST,
	PHASE_WRITE,
	PHASE_END,
};

/* What steps return besides 0 and errors */
#define WAITS 1
#define SKIPS 2 /* a repeated instruction with nothing to do */

static enum emul_mode mode_of(const struct emul_ctx *c)
{
	u16 cs = c->seg[EMUL_SEG_CS].attrib;

	if (!(c->paging.cr0 & WALK_CR0_PE))
		return EMUL_REAL;
	if (c->paging.efer & WALK_EFER_LMA) {
		if (cs & CS_L)
			return EMUL_LONG;
	} else if (c->rflags & EMUL_VM) {
		return EMUL_VM86;
	}
	return cs & CS_D ? EMUL_PROT32 : EMUL_PROT16;
}

void carve_emul_start(struct emul_ctx *c, const u8 *bytes, unsigned int n)
{
	c->insn = (struct emul_insn){ .fetched = 0 };
	c->mode = (u8)mode_of(c);
	c->phase = PHASE_DECODE;
	c->is_waiting = false;
	c->is_given = bytes && n <= EMUL_INSN_MAX;
	if (!c->is_given)
		return;
	memcpy(c->insn.bytes, bytes, n);
	c->insn.fetched = (u8)n;
}

static bool is_repeated(const struct emul_ctx *c)
{
	return (c->insn.flags & ROW_STRING) && (c->insn.has_rep || c->insn.has_repne);
}

static bool has_elements(const struct emul_ctx *c)
{
	return !is_repeated(c) || carve_emul_read_reg(c, EMUL_RCX, c->insn.addr_size, false);
}

/* How many bytes go in one access: what is left in this page, and no more than a device takes. */
static unsigned int part(const struct emul_operand *o, bool is_io, u64 *ret_at)
{
	bool is_second = o->done >= o->first;
	unsigned int n = (is_second ? o->len : o->first) - o->done;

	*ret_at = is_second ? o->gpa[1] + o->done - o->first : o->gpa[0] + o->done;
	return is_io && n > EMUL_IO_MAX ? EMUL_IO_MAX : n;
}

static int ask(struct emul_ctx *c, struct emul_operand *o, bool is_write)
{
	struct emul_io *io = &c->io;

	io->is_port = o->kind == KIND_PORT;
	io->is_write = is_write;
	io->is_locked = c->insn.has_lock;
	io->len = (u8)part(o, true, &io->addr);
	memset(io->data, 0, sizeof(io->data));
	if (is_write)
		memcpy(io->data, o->b + o->done, io->len);
	o->was_io = true;
	c->is_waiting = true;
	return WAITS;
}

static void take_answer(struct emul_ctx *c, struct emul_operand *o, bool is_write)
{
	unsigned int n = c->io.len;

	if (!is_write)
		memcpy(o->b + o->done, c->io.data, n);
	o->done += (u8)n;
	c->is_waiting = false;
}

static int read_operand(struct emul_ctx *c, struct emul_operand *o)
{
	unsigned int n;
	u64 at;

	if (!o->is_read || o->kind == KIND_NONE)
		return 0;
	if (c->is_waiting)
		take_answer(c, o, false);
	while (o->done < o->len) {
		n = part(o, false, &at);
		if (o->kind == KIND_PORT ||
		    c->paging.ops->read(c->paging.vm, at, o->b + o->done, n))
			return ask(c, o, false);
		o->done += (u8)n;
	}
	return 0;
}

/*
 * LOCK on memory is one step where the CPU would do it within a cache line. Others are written as
 * they come: a misaligned locked access of the host itself could be trapped as a split lock.
 */
static bool is_swapped(const struct emul_ctx *c, const struct emul_operand *o)
{
	return c->insn.has_lock && o->is_read && !o->was_io && o->len <= 8 &&
	       o->linear % o->len == 0;
}

static int write_part(struct emul_ctx *c, struct emul_operand *o, u64 at, unsigned int n)
{
	const struct walk_paging *p = &c->paging;

	if (is_swapped(c, o))
		return p->ops->cmpxchg(p->vm, at, c->old, o->v[0], n);
	return p->ops->write(p->vm, at, o->b + o->done, n);
}

static int write_operand(struct emul_ctx *c, struct emul_operand *o)
{
	unsigned int n;
	u64 at;
	int r;

	if (!o->is_write || (o->kind != KIND_MEMORY && o->kind != KIND_PORT))
		return 0;
	if (c->is_waiting)
		take_answer(c, o, true);
	while (o->done < o->len) {
		n = part(o, false, &at);
		r = o->kind == KIND_PORT ? -ENXIO : write_part(c, o, at, n);
		if (r == -EAGAIN && is_swapped(c, o))
			return r;
		if (r)
			return ask(c, o, true);
		o->done += (u8)n;
	}
	return 0;
}

static void step_register(struct emul_ctx *c, unsigned int reg, unsigned int size, s64 by)
{
	carve_emul_write_reg(c, reg, size, false, c->reg[reg] + (u64)by);
}

static void step_string(struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	s64 by = c->rflags & EMUL_DF ? -(s64)i->op_size : i->op_size;
	bool has_si = i->form == FORM_DI_SI || i->form == FORM_ACC_SI || i->form == FORM_SI_DI ||
		      i->form == FORM_PORT_SI;
	bool has_di = i->form != FORM_ACC_SI && i->form != FORM_PORT_SI;

	if (has_si)
		step_register(c, EMUL_RSI, i->addr_size, by);
	if (has_di)
		step_register(c, EMUL_RDI, i->addr_size, by);
	if (is_repeated(c))
		step_register(c, EMUL_RCX, i->addr_size, -1);
}

static void commit_registers(struct emul_ctx *c)
{
	const struct emul_insn *i = &c->insn;
	const struct emul_operand *d = &c->dst;
	bool is_unequal = i->op == OP_CMPXCHG && !(c->flags & EMUL_ZF);

	if (i->op == OP_XCHG || i->op == OP_XADD)
		carve_emul_write_reg(c, c->src.reg, c->src.len, c->src.is_high, c->old);
	if (is_unequal)
		carve_emul_write_reg(c, EMUL_RAX, d->len, false, c->old);
	if (i->form == FORM_PUSH_RM)
		step_register(c, EMUL_RSP, i->stack_size, -(s64)i->op_size);
	if (i->form == FORM_RM_POP)
		step_register(c, EMUL_RSP, i->stack_size, i->op_size);
	if (d->kind == KIND_REG && d->is_write && !is_unequal)
		carve_emul_write_reg(c, d->reg, d->len, d->is_high, d->v[0]);
	if (d->kind == KIND_XMM)
		c->ops->write_xmm(c->paging.vm, d->reg, d->b);
	if (i->flags & ROW_STRING)
		step_string(c);
}

/* Whether a repeated string instruction has elements left: AMD APM vol. 3, 1.2.6 */
static bool goes_on(const struct emul_ctx *c)
{
	if (!is_repeated(c) || !carve_emul_read_reg(c, EMUL_RCX, c->insn.addr_size, false))
		return false;
	if (c->insn.op != OP_CMP)
		return true;
	return !!(c->rflags & EMUL_ZF) == c->insn.has_rep;
}

static void advance(struct emul_ctx *c)
{
	c->rip += c->insn.len;
	if (c->mode != EMUL_LONG)
		c->rip &= 0xffffffff;
	c->rflags &= ~EMUL_RF;
}

static void commit(struct emul_ctx *c)
{
	commit_registers(c);
	c->rflags = c->flags;
	c->cause.has_gpa = false;
}

static int decode(struct emul_ctx *c)
{
	int r;

	if (carve_emul_recall(c))
		return 0;
	carve_emul_forget(c);
	r = carve_emul_decode(c);
	if (r == 0)
		carve_emul_remember(c);
	return r;
}

/* Until everything is known and nothing has happened */
static int prepare(struct emul_ctx *c)
{
	int r;

	c->phase = PHASE_OPERANDS;
	if (!has_elements(c))
		return SKIPS;
	r = carve_emul_operands(c);
	if (r)
		return r;
	c->phase = PHASE_READ_SRC;
	return 0;
}

static int read_operands(struct emul_ctx *c)
{
	int r;

	if (c->phase == PHASE_READ_SRC) {
		r = read_operand(c, &c->src);
		if (r)
			return r;
		c->phase = PHASE_READ_DST;
	}
	r = read_operand(c, &c->dst);
	if (r)
		return r;
	carve_emul_execute(c);
	c->dst.done = 0;
	c->phase = PHASE_WRITE;
	return 0;
}

static int run(struct emul_ctx *c)
{
	int r = c->phase > PHASE_WRITE ? -EOPNOTSUPP : 0;

	if (c->phase <= PHASE_OPERANDS)
		r = prepare(c);
	if (!r && c->phase <= PHASE_READ_DST)
		r = read_operands(c);
	if (!r)
		r = write_operand(c, &c->dst);
	if (!r)
		commit(c);
	return r;
}

static int run_plain(struct emul_ctx *c)
{
	if (c->phase == PHASE_DECODE) {
		enum emul_plain plain = carve_emul_begin_plain(c);

		if (plain == EMUL_NOT_PLAIN)
			return run(c);
		c->phase = PHASE_PLAIN;
		if (plain == EMUL_PLAIN_IO)
			return WAITS;
	}
	carve_emul_end_plain(c);
	return 0;
}

static enum emul_result result_of(int r)
{
	switch (r) {
	case WAITS:
		return EMUL_IO;
	case -EFAULT:
		return EMUL_EXCEPTION;
	case -EAGAIN:
		return EMUL_RETRY;
	default:
		return EMUL_UNSUPPORTED;
	}
}

enum emul_result carve_emul_run(struct emul_ctx *c)
{
	int r = c->phase == PHASE_DECODE ? decode(c) : 0;

	if (!r)
		r = c->phase <= PHASE_PLAIN ? run_plain(c) : run(c);
	if (r && r != SKIPS)
		return result_of(r);
	if (!r && goes_on(c)) {
		c->phase = PHASE_OPERANDS;
		return EMUL_REPEAT;
	}
	c->phase = PHASE_END;
	advance(c);
	return EMUL_DONE;
}
