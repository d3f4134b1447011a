/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the guest begins (64-bit entry of Linux: zero page in rsi), where its other CPUs begin, and what
 * an exception or an interrupt leads to. */
#include "tests/node/hostile/places.h"

	.section .note.GNU-stack, "", @progbits

	.section .text.start, "ax"
	.code64
	.globl	_start
_start:
	cli
	leaq	stacks + STACK_BYTES(%rip), %rsp
	xorl	%ebp, %ebp
	movq	%rsi, %rdi
	call	begin_first
1:	hlt
	jmp	1b

/* A CPU that was started: copied to TRAMPOLINE, real mode, cs = TRAMPOLINE >> 4. */
	.section .rodata
	.globl	trampoline, trampoline_bytes
	.balign	16
trampoline:
	.code16
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	TRAMPOLINE + (low_gdt_pointer - trampoline)
	movl	%cr4, %eax
	orl	$0x20, %eax			/* PAE */
	movl	%eax, %cr4
	movl	TRAMPOLINE + (low_cr3 - trampoline), %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER */
	rdmsr
	orl	$0x100, %eax			/* LME */
	wrmsr
	movl	$0x80000011, %eax		/* PG, ET, PE */
	movl	%eax, %cr0
	ljmpl	$0x8, $(TRAMPOLINE + (low_long - trampoline))
	.code64
low_long:
	movw	$0x10, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$1, %eax
	lock xaddl %eax, TRAMPOLINE + (low_count - trampoline)
	incl	%eax				/* 0 is the first CPU */
	cmpl	$CPUS_MAX, %eax
	jae	1f
	movl	%eax, %edi
	incl	%eax
	imull	$STACK_BYTES, %eax
	movabsq	$stacks, %rsp
	addq	%rax, %rsp
	movabsq	$begin_other, %rax
	call	*%rax
1:	hlt
	jmp	1b
	.balign	8
low_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
low_gdt_pointer:
	.word	low_gdt_pointer - low_gdt - 1
	.long	TRAMPOLINE + (low_gdt - trampoline)
	.balign	4
low_cr3:
	.long	tables
low_count:
	.long	0
trampoline_end:
	.balign	4
trampoline_bytes:
	.long	trampoline_end - trampoline

	.text
/* Whatever it was: the CPU begins with its next random thing. gs: struct cpu, its stack first. */
	.globl	on_fault
on_fault:
	movq	%gs:0, %rsp
	xorl	%ebp, %ebp
	cld
	call	go_on
1:	hlt
	jmp	1b

/* End of interrupt, if there still is a local APIC. */
	.globl	on_interrupt
on_interrupt:
	pushq	%rax
	movl	$LAPIC + 0xb0, %eax
	movl	$0, (%rax)
	popq	%rax
	iretq

	.bss
	.balign	4096
	.globl	tables, stacks
tables:	.skip	TABLES_BYTES
stacks:	.skip	STACK_BYTES * CPUS_MAX
