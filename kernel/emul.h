/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One instruction of a guest, carried out by software: what touched an address without memory, and
 * string I/O.
 *
 * carve_emul_start() takes the state of the CPU as it is before the instruction; carve_emul_run()
 * is then called until it answers something other than EMUL_IO. Registers, RIP and RFLAGS in the
 * context change when the instruction, or one element of a repeated one, is complete, and not
 * before.
 */
#ifndef CARVE_KERNEL_EMUL_H
#define CARVE_KERNEL_EMUL_H

#include "pure.h"
#include "walk.h"

#define EMUL_INSN_MAX 15 /* AMD APM vol. 3, 1.1 */
#define EMUL_IO_MAX 8

/* Bits of RFLAGS */
#define EMUL_CF BIT(0)
#define EMUL_PF BIT(2)
#define EMUL_AF BIT(4)
#define EMUL_ZF BIT(6)
#define EMUL_SF BIT(7)
#define EMUL_TF BIT(8)
#define EMUL_DF BIT(10)
#define EMUL_OF BIT(11)
#define EMUL_IOPL (3UL << 12)
#define EMUL_RF BIT(16)
#define EMUL_VM BIT(17)
#define EMUL_AC BIT(18)

/* Exceptions that come out of here: AMD APM vol. 2, 8.2 */
#define EMUL_UD 6
#define EMUL_NM 7
#define EMUL_SS 12
#define EMUL_GP 13
#define EMUL_PAGE_FAULT 14

/* Registers and segments by their numbers in an instruction */
enum emul_reg { EMUL_RAX, EMUL_RCX, EMUL_RDX, EMUL_RBX, EMUL_RSP, EMUL_RBP, EMUL_RSI, EMUL_RDI };
enum emul_seg_no { EMUL_SEG_ES, EMUL_SEG_CS, EMUL_SEG_SS, EMUL_SEG_DS, EMUL_SEG_FS, EMUL_SEG_GS };

/**
 * struct emul_seg - a segment register as the VMCB keeps it: AMD APM vol. 2, 15.5.1 and table B-2
 * @selector: not used here
 * @attrib: type 3:0, S 4, DPL 6:5, P 7, AVL 8, L 9, D/B 10, G 11
 * @limit: in bytes, whatever G says
 * @base: all 64 bits, for FS and GS
 */
struct emul_seg {
	u16 selector;
	u16 attrib;
	u32 limit;
	u64 base;
};

/**
 * struct emul_ops - the rest of the guest
 * @read_xmm: copy the 16 bytes of XMM register @n; NULL: 16-byte moves are not supported
 * @write_xmm: set them; NULL with @read_xmm
 */
struct emul_ops {
	void (*read_xmm)(void *vm, unsigned int n, void *data);
	void (*write_xmm)(void *vm, unsigned int n, const void *data);
};

/**
 * enum emul_result - what came of a step
 * @EMUL_DONE: the instruction is complete; the caller ends an interrupt shadow, and raises #DB
 *	where RFLAGS.TF was set
 * @EMUL_REPEAT: one element of a repeated string instruction is complete and RIP still at it:
 *	call again at once, or enter the guest, which goes on by itself
 * @EMUL_IO: @io says what is wanted; call again with the answer in it
 * @EMUL_EXCEPTION: @fault is to be raised; nothing has changed
 * @EMUL_RETRY: memory changed in between: enter the guest, which tries again; nothing has changed
 * @EMUL_UNSUPPORTED: not one of the instructions known here; @insn has its bytes
 */
enum emul_result {
	EMUL_DONE,
	EMUL_REPEAT,
	EMUL_IO,
	EMUL_EXCEPTION,
	EMUL_RETRY,
	EMUL_UNSUPPORTED,
};

/**
 * struct emul_io - an access that no memory answers
 * @is_port: @addr is a port, else a guest-physical address
 * @is_locked: part of an access with LOCK: whoever answers sees a read and a write, not one step
 * @len: bytes, 1-8; never across a page
 * @data: to be written, or the place for what is read
 */
struct emul_io {
	bool is_port, is_write, is_locked;
	u8 len;
	u64 addr;
	u8 data[EMUL_IO_MAX];
};

/** struct emul_fault - an exception; @cr2 for #PF alone */
struct emul_fault {
	u8 vector;
	bool has_error;
	u32 error;
	u64 cr2;
};

/**
 * struct emul_cause - what the CPU has said on the exit, so that it need not be found out again
 * @has_gpa: a nested page fault on the final address of an access to data (EXITINFO1 bit 32 set, bit
 *	4 clear) at @gpa
 * @is_write: that access was a write
 * @has_port: an intercepted INS or OUTS; the CPU has checked the right to do I/O
 *	(AMD APM vol. 2, 15.10.2)
 * @port: and @port_len: of it
 *
 * An address at @gpa is not walked to again: accessed and dirty bits stay as the CPU has left them.
 */
struct emul_cause {
	bool has_gpa, is_write, has_port;
	u8 port_len;
	u16 port;
	u64 gpa;
};

enum emul_mode { EMUL_REAL, EMUL_VM86, EMUL_PROT16, EMUL_PROT32, EMUL_LONG };

/**
 * struct emul_insn - an instruction taken apart by carve_emul_decode()
 * @bytes: as fetched; @fetched of them are there, @len belong to it
 * @op: enum emul_op, @flags: of its row
 * @form: where its operands are, enum emul_form
 * @op_size: and @addr_size, @stack_size: in bytes
 * @src_size: bytes of the source of MOVZX and MOVSX, else @op_size
 * @seg: of the memory operand
 * @reg: ModRM.reg and @rm: ModRM.rm with their REX bits; @rm counts only without @is_mem
 * @base: and @index: register or EMUL_NO_REG
 * @disp: displacement, or the whole address of a MOV with offset
 */
struct emul_insn {
	u8 bytes[EMUL_INSN_MAX];
	u8 fetched, len;
	u8 op, form;
	u16 flags;
	u8 op_size, addr_size, stack_size, src_size;
	u8 seg, rex, modrm, reg, rm, base, index, scale;
	bool is_mem, is_rip_relative, has_lock, has_rep, has_repne, has_66;
	s64 disp;
	u64 imm;
};

#define EMUL_NO_REG 0xff

#define EMUL_MEMOS 8

/**
 * struct emul_memo - an instruction met in 64-bit mode, and what it depends on
 * @code: the walk to it
 * @bytes: its bytes, zeros behind them
 */
struct emul_memo {
	bool is_valid;
	u8 cpl;
	u64 rip, cr0, cr3, cr4, efer;
	struct walk_trace code;
	u64 bytes[2];
	struct emul_insn insn;
};

/**
 * struct emul_operand - a value that is read, written or both
 * @kind: enum emul_kind
 * @len: bytes
 * @first: bytes that lie in its first page
 * @done: bytes read or written so far
 * @was_io: some of it is no memory
 * @reg: register, @is_high: bits 15:8 of it
 * @linear: where it lies, @gpa: where its pages do
 */
struct emul_operand {
	u8 kind, len, first, done, reg;
	bool is_high, is_read, is_write, was_io;
	u64 linear;
	u64 gpa[2];
	union {
		u64 v[2];
		u8 b[16];
	};
};

/**
 * struct emul_ctx - a CPU of the guest in the middle of an instruction
 * @reg: RAX, RCX, ... R15
 * @rip: of the instruction; EIP or IP outside of 64-bit mode
 * @seg: ES to GS in the order of enum emul_seg_no, borrowed: the VMCB's own will do
 * @cpl: 3 in virtual-8086 mode
 * @paging: control registers and memory; its vm is what @ops is called with, too
 * @cause: cleared, or what is known
 * @memo: EMUL_MEMOS places for instructions met before, of this CPU alone; zeroed at first and when
 *	its CPUID changes; or NULL
 * @io: valid after EMUL_IO
 * @fault: valid after EMUL_EXCEPTION
 *
 * What follows @insn belongs to the emulator. The caller fills all above but @io, @fault and @insn
 * before carve_emul_start(), and again if the guest has run since.
 */
struct emul_ctx {
	u64 reg[16];
	u64 rip, rflags;
	const struct emul_seg *seg;
	u8 cpl;
	struct walk_paging paging;
	const struct emul_ops *ops;
	struct emul_cause cause;
	struct emul_memo *memo;
	struct emul_io io;
	struct emul_fault fault;
	struct emul_insn insn;

	u8 mode, phase;
	bool is_waiting, is_given;
	struct emul_operand dst, src;
	u64 old, flags;
};

/**
 * carve_emul_start - forget what was begun, look at a new instruction
 * @c: filled by the caller, see there
 * @bytes: instruction bytes that the CPU has handed over (decode assists); NULL: fetch them
 * @n: how many; may be fewer than the instruction has
 */
void carve_emul_start(struct emul_ctx *c, const u8 *bytes, unsigned int n);

/**
 * carve_emul_run - one step
 * @c: started; after EMUL_IO with the answer in @c->io
 *
 * Handles the instructions listed in emul_table.c. Not handled: alignment checks (the CPU has
 * made them before it exits) and the debug registers.
 *
 * Return: enum emul_result.
 * Context: any that the memory operations can be called in.
 */
enum emul_result carve_emul_run(struct emul_ctx *c);

#endif
