// SPDX-License-Identifier: GPL-2.0-only
/* Opcodes known here: AMD APM vol. 3, appendix A.1. */
#include "emul_parts.h"

#define M ROW_MODRM
#define B ROW_BYTE

/* The four encodings of an arithmetic operation that can have memory and no immediate */
#define ALU(at, name, may_lock)                                     \
	[(at) + 0] = { name, FORM_RM_REG, M | B | (may_lock) },     \
		[(at) + 1] = { name, FORM_RM_REG, M | (may_lock) }, \
		[(at) + 2] = { name, FORM_REG_RM, M | B }, [(at) + 3] = { name, FORM_REG_RM, M }

/* Rows with this form are an index into groups[] in .op. */
#define FORM_GROUP 0xff

enum group {
	GROUP_1_BYTE,
	GROUP_1,
	GROUP_1_IMM8,
	GROUP_1A,
	GROUP_3_BYTE,
	GROUP_3,
	GROUP_4,
	GROUP_5,
	GROUP_8,
	GROUP_11_BYTE,
	GROUP_11
};

static const struct emul_row one_byte[256] = {
	ALU(0x00, OP_ADD, ROW_LOCK),
	ALU(0x08, OP_OR, ROW_LOCK),
	ALU(0x10, OP_ADC, ROW_LOCK),
	ALU(0x18, OP_SBB, ROW_LOCK),
	ALU(0x20, OP_AND, ROW_LOCK),
	ALU(0x28, OP_SUB, ROW_LOCK),
	ALU(0x30, OP_XOR, ROW_LOCK),
	ALU(0x38, OP_CMP, 0),
	[0x63] = { OP_MOVSX, FORM_REG_RM, M | ROW_SRC32 | ROW_LONG },
	[0x6c] = { OP_MOV, FORM_DI_PORT, B | ROW_STRING },
	[0x6d] = { OP_MOV, FORM_DI_PORT, ROW_STRING },
	[0x6e] = { OP_MOV, FORM_PORT_SI, B | ROW_STRING },
	[0x6f] = { OP_MOV, FORM_PORT_SI, ROW_STRING },
	[0x80] = { GROUP_1_BYTE, FORM_GROUP, M },
	[0x81] = { GROUP_1, FORM_GROUP, M },
	[0x83] = { GROUP_1_IMM8, FORM_GROUP, M },
	[0x84] = { OP_TEST, FORM_RM_REG, M | B },
	[0x85] = { OP_TEST, FORM_RM_REG, M },
	[0x86] = { OP_XCHG, FORM_RM_REG, M | B | ROW_LOCK },
	[0x87] = { OP_XCHG, FORM_RM_REG, M | ROW_LOCK },
	[0x88] = { OP_MOV, FORM_RM_REG, M | B },
	[0x89] = { OP_MOV, FORM_RM_REG, M },
	[0x8a] = { OP_MOV, FORM_REG_RM, M | B },
	[0x8b] = { OP_MOV, FORM_REG_RM, M },
	[0x8f] = { GROUP_1A, FORM_GROUP, M },
	[0xa0] = { OP_MOV, FORM_ACC_OFFSET, B },
	[0xa1] = { OP_MOV, FORM_ACC_OFFSET, 0 },
	[0xa2] = { OP_MOV, FORM_OFFSET_ACC, B },
	[0xa3] = { OP_MOV, FORM_OFFSET_ACC, 0 },
	[0xa4] = { OP_MOV, FORM_DI_SI, B | ROW_STRING },
	[0xa5] = { OP_MOV, FORM_DI_SI, ROW_STRING },
	[0xa6] = { OP_CMP, FORM_SI_DI, B | ROW_STRING },
	[0xa7] = { OP_CMP, FORM_SI_DI, ROW_STRING },
	[0xaa] = { OP_MOV, FORM_DI_ACC, B | ROW_STRING },
	[0xab] = { OP_MOV, FORM_DI_ACC, ROW_STRING },
	[0xac] = { OP_MOV, FORM_ACC_SI, B | ROW_STRING },
	[0xad] = { OP_MOV, FORM_ACC_SI, ROW_STRING },
	[0xae] = { OP_CMP, FORM_ACC_DI, B | ROW_STRING },
	[0xaf] = { OP_CMP, FORM_ACC_DI, ROW_STRING },
	[0xc6] = { GROUP_11_BYTE, FORM_GROUP, M },
	[0xc7] = { GROUP_11, FORM_GROUP, M },
	[0xf6] = { GROUP_3_BYTE, FORM_GROUP, M },
	[0xf7] = { GROUP_3, FORM_GROUP, M },
	[0xfe] = { GROUP_4, FORM_GROUP, M },
	[0xff] = { GROUP_5, FORM_GROUP, M },
};

static const struct emul_row two_bytes[256] = {
	[0x10] = { OP_MOV_XMM, FORM_XMM_RM, M | ROW_PLAIN | ROW_66 },
	[0x11] = { OP_MOV_XMM, FORM_RM_XMM, M | ROW_PLAIN | ROW_66 },
	[0x28] = { OP_MOV_XMM, FORM_XMM_RM, M | ROW_PLAIN | ROW_66 | ROW_ALIGNED },
	[0x29] = { OP_MOV_XMM, FORM_RM_XMM, M | ROW_PLAIN | ROW_66 | ROW_ALIGNED },
	[0x2b] = { OP_MOV_XMM, FORM_RM_XMM, M | ROW_PLAIN | ROW_66 | ROW_ALIGNED | ROW_MEMORY },
	[0x6f] = { OP_MOV_XMM, FORM_XMM_RM, M | ROW_66 | ROW_F3 | ROW_ALIGNED },
	[0x7f] = { OP_MOV_XMM, FORM_RM_XMM, M | ROW_66 | ROW_F3 | ROW_ALIGNED },
	[0xa3] = { OP_BT, FORM_RM_REG, M },
	[0xab] = { OP_BTS, FORM_RM_REG, M | ROW_LOCK },
	[0xb0] = { OP_CMPXCHG, FORM_RM_REG, M | B | ROW_LOCK },
	[0xb1] = { OP_CMPXCHG, FORM_RM_REG, M | ROW_LOCK },
	[0xb3] = { OP_BTR, FORM_RM_REG, M | ROW_LOCK },
	[0xb6] = { OP_MOV, FORM_REG_RM, M | ROW_SRC8 },
	[0xb7] = { OP_MOV, FORM_REG_RM, M | ROW_SRC16 },
	[0xba] = { GROUP_8, FORM_GROUP, M },
	[0xbb] = { OP_BTC, FORM_RM_REG, M | ROW_LOCK },
	[0xbe] = { OP_MOVSX, FORM_REG_RM, M | ROW_SRC8 },
	[0xbf] = { OP_MOVSX, FORM_REG_RM, M | ROW_SRC16 },
	[0xc0] = { OP_XADD, FORM_RM_REG, M | B | ROW_LOCK },
	[0xc1] = { OP_XADD, FORM_RM_REG, M | ROW_LOCK },
	[0xc3] = { OP_MOV, FORM_RM_REG, M | ROW_PLAIN | ROW_MEMORY },
	[0xe7] = { OP_MOV_XMM, FORM_RM_XMM, M | ROW_66 | ROW_ALIGNED | ROW_MEMORY },
};

#define IMMEDIATE(flags)                                             \
	{                                                            \
		{ OP_ADD, FORM_RM_IMM, (flags) | ROW_LOCK },         \
			{ OP_OR, FORM_RM_IMM, (flags) | ROW_LOCK },  \
			{ OP_ADC, FORM_RM_IMM, (flags) | ROW_LOCK }, \
			{ OP_SBB, FORM_RM_IMM, (flags) | ROW_LOCK }, \
			{ OP_AND, FORM_RM_IMM, (flags) | ROW_LOCK }, \
			{ OP_SUB, FORM_RM_IMM, (flags) | ROW_LOCK }, \
			{ OP_XOR, FORM_RM_IMM, (flags) | ROW_LOCK }, \
			{ OP_CMP, FORM_RM_IMM, (flags) },            \
	}

/* By ModRM.reg; the numbers are those of AMD APM vol. 3, A.1.1. */
static const struct emul_row groups[][8] = {
	[GROUP_1_BYTE] = IMMEDIATE(B | ROW_IMM8),
	[GROUP_1] = IMMEDIATE(ROW_IMM),
	[GROUP_1_IMM8] = IMMEDIATE(ROW_IMM8),
	[GROUP_1A] = { { OP_MOV, FORM_RM_POP, ROW_STACK } },
	[GROUP_3_BYTE] = { { OP_TEST, FORM_RM_IMM, B | ROW_IMM8 },
			   { OP_TEST, FORM_RM_IMM, B | ROW_IMM8 },
			   { OP_NOT, FORM_RM, B | ROW_LOCK },
			   { OP_NEG, FORM_RM, B | ROW_LOCK } },
	[GROUP_3] = { { OP_TEST, FORM_RM_IMM, ROW_IMM },
		      { OP_TEST, FORM_RM_IMM, ROW_IMM },
		      { OP_NOT, FORM_RM, ROW_LOCK },
		      { OP_NEG, FORM_RM, ROW_LOCK } },
	[GROUP_4] = { { OP_INC, FORM_RM, B | ROW_LOCK }, { OP_DEC, FORM_RM, B | ROW_LOCK } },
	[GROUP_5] = { { OP_INC, FORM_RM, ROW_LOCK },
		      { OP_DEC, FORM_RM, ROW_LOCK },
		      [6] = { OP_MOV, FORM_PUSH_RM, ROW_STACK } },
	[GROUP_8] = { [4] = { OP_BT, FORM_RM_IMM, ROW_IMM8 },
		      { OP_BTS, FORM_RM_IMM, ROW_IMM8 | ROW_LOCK },
		      { OP_BTR, FORM_RM_IMM, ROW_IMM8 | ROW_LOCK },
		      { OP_BTC, FORM_RM_IMM, ROW_IMM8 | ROW_LOCK } },
	[GROUP_11_BYTE] = { { OP_MOV, FORM_RM_IMM, B | ROW_IMM8 } },
	[GROUP_11] = { { OP_MOV, FORM_RM_IMM, ROW_IMM } },
};

static const struct emul_row *known(const struct emul_row *row)
{
	return row->form == FORM_NONE ? NULL : row;
}

const struct emul_row *carve_emul_row(bool is_0f, u8 opcode)
{
	return known(is_0f ? &two_bytes[opcode] : &one_byte[opcode]);
}

const struct emul_row *carve_emul_group(const struct emul_row *row, u8 reg)
{
	return row->form == FORM_GROUP ? known(&groups[row->op][reg & 7]) : row;
}
