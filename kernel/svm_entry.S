/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch, AMD APM vol. 2, 15.5. Between the guest's VMLOAD and the host's, GS belongs to
 * the guest: nothing there may touch per-CPU data, hence assembler.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/nospec-branch.h>

/* Offsets into the array of general registers; RAX and RSP travel in the VMCB. */
#define RCX 8
#define RDX 16
#define RBX 24
#define RBP 40
#define RSI 48
#define RDI 56
#define R(n) (8 * (n))

.section .noinstr.text, "ax"

/*
 * void carve_svm_switch(u64 vmcb_pa, u64 *regs, u64 host_pa)
 * Irqs are off on entry and on return. host_pa: where the host's VMSAVE lies.
 */
SYM_FUNC_START(carve_svm_switch)
	push %rbp
	push %r15
	push %r14
	push %r13
	push %r12
	push %rbx
	push %rdx
	push %rdi
	push %rsi

	/*
	 * With V_INTR_MASKING the host's IF decides whether an interrupt ends the guest: it is set
	 * here, where GIF holds everything back. The loads below keep STI and VMRUN apart, for
	 * STI's shadow would become the guest's.
	 */
	clgi
	sti
	mov %rdi, %rax
	vmload %rax

	mov RCX(%rsi), %rcx
	mov RDX(%rsi), %rdx
	mov RBX(%rsi), %rbx
	mov RBP(%rsi), %rbp
	mov RDI(%rsi), %rdi
	mov R(8)(%rsi), %r8
	mov R(9)(%rsi), %r9
	mov R(10)(%rsi), %r10
	mov R(11)(%rsi), %r11
	mov R(12)(%rsi), %r12
	mov R(13)(%rsi), %r13
	mov R(14)(%rsi), %r14
	mov R(15)(%rsi), %r15
	mov RSI(%rsi), %rsi

	VM_CLEAR_CPU_BUFFERS
	vmrun %rax
	cli

	/* RAX and RSP are the host's again; all else is the guest's. */
	xchg %rsi, (%rsp)
	mov %rcx, RCX(%rsi)
	mov %rdx, RDX(%rsi)
	mov %rbx, RBX(%rsi)
	mov %rbp, RBP(%rsi)
	mov %rdi, RDI(%rsi)
	mov %r8, R(8)(%rsi)
	mov %r9, R(9)(%rsi)
	mov %r10, R(10)(%rsi)
	mov %r11, R(11)(%rsi)
	mov %r12, R(12)(%rsi)
	mov %r13, R(13)(%rsi)
	mov %r14, R(14)(%rsi)
	mov %r15, R(15)(%rsi)
	pop %rax
	mov %rax, RSI(%rsi)

	pop %rax
	vmsave %rax
	pop %rax
	vmload %rax

	/* Branch predictions that the guest trained: before the first return. */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT
	UNTRAIN_RET_VM
	stgi

	/* What the guest left in registers is not for the host to speculate on. */
	xor %ecx, %ecx
	xor %edx, %edx
	xor %edi, %edi
	xor %esi, %esi
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d

	pop %rbx
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	pop %rbp
	RET
SYM_FUNC_END(carve_svm_switch)
