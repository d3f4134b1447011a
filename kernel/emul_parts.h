/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the instruction emulator share among themselves. */
#ifndef CARVE_KERNEL_EMUL_PARTS_H
#define CARVE_KERNEL_EMUL_PARTS_H

#include "emul.h"

/*
 * What is done with the values. String instructions and the stack are moves and comparisons with
 * operands in special places. The first eight stand in the order of ModRM.reg of opcodes 80-83.
 */
enum emul_op {
	OP_ADD,
	OP_OR,
	OP_ADC,
	OP_SBB,
	OP_AND,
	OP_SUB,
	OP_XOR,
	OP_CMP,
	OP_MOV,
	OP_MOVSX,
	OP_MOV_XMM,
	OP_TEST,
	OP_NOT,
	OP_NEG,
	OP_INC,
	OP_DEC,
	OP_XCHG,
	OP_XADD,
	OP_CMPXCHG,
	OP_BT,
	OP_BTS,
	OP_BTR,
	OP_BTC,
};

/* Where the operands are, the first one first; ACC is the accumulator, SI and DI memory at them. */
enum emul_form {
	FORM_NONE, /* no instruction known here */
	FORM_RM,
	FORM_RM_REG,
	FORM_REG_RM,
	FORM_RM_IMM,
	FORM_RM_XMM,
	FORM_XMM_RM,
	FORM_ACC_OFFSET,
	FORM_OFFSET_ACC,
	FORM_PUSH_RM,
	FORM_RM_POP,
	FORM_DI_ACC,
	FORM_DI_SI,
	FORM_ACC_SI,
	FORM_SI_DI,
	FORM_ACC_DI,
	FORM_DI_PORT,
	FORM_PORT_SI,
};

/** struct emul_row - an opcode: enum emul_op, enum emul_form, ROW_* */
struct emul_row {
	u8 op, form;
	u16 flags;
};

#define ROW_MODRM BIT(0)
#define ROW_BYTE BIT(1)	    /* operands of one byte */
#define ROW_IMM8 BIT(2)	    /* an immediate byte, sign-extended */
#define ROW_IMM BIT(3)	    /* an immediate of the operand's size, at most 4 bytes, sign-extended */
#define ROW_SRC8 BIT(4)	    /* the source has one byte, */
#define ROW_SRC16 BIT(5)    /* two, */
#define ROW_SRC32 BIT(6)    /* or four, if the operand has as many */
#define ROW_LOCK BIT(7)	    /* LOCK is allowed where the first operand is memory */
#define ROW_STACK BIT(8)    /* 64 bits by default in 64-bit mode */
#define ROW_STRING BIT(9)   /* REP counts */
#define ROW_LONG BIT(10)    /* in 64-bit mode only */
#define ROW_PLAIN BIT(11)   /* neither 66 nor F2 nor F3 changes it into something else */
#define ROW_66 BIT(12)	    /* exists with 66, */
#define ROW_F3 BIT(13)	    /* with F3 */
#define ROW_ALIGNED BIT(14) /* to its size; not with F3 */
#define ROW_MEMORY BIT(15)  /* has no register form */

enum emul_kind { KIND_NONE, KIND_REG, KIND_XMM, KIND_IMM, KIND_MEMORY, KIND_PORT };

static inline u64 emul_mask(unsigned int size)
{
	return size >= 8 ? ~0ULL : (1ULL << (8 * size)) - 1;
}

static inline s64 emul_sign_extend(u64 value, unsigned int size)
{
	unsigned int unused = size >= 8 ? 0 : 64 - 8 * size;

	return (s64)(value << unused) >> unused;
}

/**
 * carve_emul_row - what an opcode of one byte, or of two with @is_0f, means; NULL: not known here
 */
const struct emul_row *carve_emul_row(bool is_0f, u8 opcode);

/** carve_emul_group - the same where ModRM.reg has a say in it; @row itself where it has none */
const struct emul_row *carve_emul_group(const struct emul_row *row, u8 reg);

/**
 * carve_emul_decode - fetch one instruction at c->rip and fill c->insn
 *
 * Return: 0; -EFAULT: c->fault is to be raised; -EOPNOTSUPP: not known here; -EAGAIN: try again.
 */
int carve_emul_decode(struct emul_ctx *c);

/**
 * carve_emul_fetch - get more bytes into c->insn, up to the end of a page; returns as
 * carve_emul_decode()
 */
int carve_emul_fetch(struct emul_ctx *c);

/**
 * carve_emul_memo - where the instruction at c->rip is remembered, if it is; c->memo is not NULL
 */
struct emul_memo *carve_emul_memo(const struct emul_ctx *c);

/** carve_emul_recall - fill c->insn without decoding; returns whether that could be done */
bool carve_emul_recall(struct emul_ctx *c);

/** carve_emul_forget - before carve_emul_decode(), which fetches over what was remembered */
void carve_emul_forget(struct emul_ctx *c);

/** carve_emul_remember - c->insn, after carve_emul_decode() */
void carve_emul_remember(struct emul_ctx *c);

/** carve_emul_raise - note an exception with error code 0 (if it has one); returns -EFAULT */
int carve_emul_raise(struct emul_ctx *c, u8 vector);

/**
 * carve_emul_linear - linear address of @len bytes at @offset in segment @seg
 *
 * Return: 0; -EFAULT: c->fault is to be raised (limit, type, presence, canonical form).
 */
int carve_emul_linear(struct emul_ctx *c, unsigned int seg, u64 offset, unsigned int len,
		      u32 access, u64 *ret_linear);

/** carve_emul_translate - the pages of a memory operand; returns as carve_emul_decode() */
int carve_emul_translate(struct emul_ctx *c, struct emul_operand *o);

/** carve_emul_address - effective address of the memory operand of c->insn */
u64 carve_emul_address(const struct emul_ctx *c);

/**
 * enum emul_plain - what came of a move: nothing, c->io is to be answered, or c->io has the answer
 */
enum emul_plain { EMUL_NOT_PLAIN, EMUL_PLAIN_IO, EMUL_PLAIN_DONE };

/**
 * carve_emul_begin_plain - carry out c->insn up to its one access, if it is a move to or from
 * c->cause.gpa
 */
enum emul_plain carve_emul_begin_plain(struct emul_ctx *c);

/** carve_emul_end_plain - the rest of it but for RIP, with the answer in c->io */
void carve_emul_end_plain(struct emul_ctx *c);

/** carve_emul_operands - find c->dst and c->src, with all checks; returns as carve_emul_decode() */
int carve_emul_operands(struct emul_ctx *c);

/** carve_emul_read_reg - low @size bytes of a register; @is_high: bits 15:8 */
u64 carve_emul_read_reg(const struct emul_ctx *c, unsigned int reg, unsigned int size,
			bool is_high);

/**
 * carve_emul_write_reg - set them; 4 bytes clear the upper half, as AMD APM vol. 1, 3.1.2 has it
 */
void carve_emul_write_reg(struct emul_ctx *c, unsigned int reg, unsigned int size, bool is_high,
			  u64 value);

/**
 * carve_emul_execute - c->dst and c->flags from c->dst, c->src and c->rflags; c->old is what c->dst
 * was
 */
void carve_emul_execute(struct emul_ctx *c);

#endif
