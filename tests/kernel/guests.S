/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests of a few instructions. Each is copied to CODE and started there in real mode, with all
 * segments at 0: AT() is where a label of it lies then.
 */
#define CODE 0x1000
#define TABLES 0x10000
#define AT(guest, label) (CODE + label - guest_##guest)

.macro guest name
	.globl guest_\name, guest_\name\()_end
	.balign 16
guest_\name:
.endm

.macro end name
guest_\name\()_end:
.endm

	.section .rodata
	.code16

guest hlt
	hlt
	hlt
end hlt

guest out
	mov $0x12, %al
	out %al, $0x10
	mov $0x3456, %ax
	out %ax, $0x20
	mov $0x789abcde, %eax
	mov $0x1234, %dx
	out %eax, %dx
	hlt
end out

/* Each width over a register full of other bits. */
guest in
	mov $0xaaaaaaaa, %eax
	in $0x10, %al
	mov %eax, 0x2000
	mov $0xaaaaaaaa, %eax
	in $0x20, %ax
	mov %eax, 0x2004
	mov $0x1234, %dx
	in %dx, %eax
	mov %eax, 0x2008
	hlt
end in

/* Leaf and index come in EAX and ECX. */
guest cpuid
	cpuid
	hlt
end cpuid

guest rdmsr
	rdmsr
	hlt
end rdmsr

guest wrmsr
	wrmsr
	hlt
end wrmsr

guest spin
1:	incl 0x2000
	jmp 1b
end spin

/* The vector table of real mode has what comes in SI at 13: a handler that says so. */
guest gp
	movw $AT(gp, 1f), 13 * 4
	movw $0, 13 * 4 + 2
	rdmsr
	hlt
1:	mov $13, %al
	out %al, $0x10
	hlt
end gp

/* Waits for an interrupt; 0x40 is taken. */
guest interrupt
	movw $AT(interrupt, 1f), 0x40 * 4
	movw $0, 0x40 * 4 + 2
	mov $1, %al
	out %al, $0x10
	sti
2:	jmp 2b
1:	mov $0x40, %al
	out %al, $0x10
	iret
end interrupt

guest tsc
	rdtsc
	mov %eax, 0x2000
	mov %edx, 0x2004
	mov $1000, %cx
1:	loop 1b
	rdtsc
	mov %eax, 0x2008
	mov %edx, 0x200c
	hlt
end tsc

guest vmmcall
	vmmcall
	hlt
end vmmcall

guest vmrun
	movw $AT(vmrun, 1f), 6 * 4
	movw $0, 6 * 4 + 2
	.byte 0x0f, 0x01, 0xd8
	hlt
1:	mov $6, %al
	out %al, $0x10
	hlt
end vmrun

/* What SSE holds must be there after an exit. */
guest sse
	mov %cr4, %eax
	or $0x200, %eax
	mov %eax, %cr4
	movups 0x2000, %xmm0
	movups 0x2010, %xmm7
	out %al, $0x10
	movups %xmm0, 0x2020
	movups %xmm7, 0x2030
	hlt
end sse

guest debug
	mov $0x1122334, %eax
	mov %eax, %dr0
	mov $0x5566778, %eax
	mov %eax, %dr3
	out %al, $0x10
	mov %dr0, %eax
	mov %dr3, %ebx
	hlt
end debug

/* Reads one word, and writes it elsewhere: addresses in SI and DI. */
guest copy
	movl (%si), %eax
	out %al, $0x10
	movl %eax, (%di)
	hlt
end copy

/* From real to protected to long mode, then one exception after the other. */
guest long_mode
	cli
	lgdtl AT(long_mode, 9f)
	mov %cr0, %eax
	or $1, %eax
	mov %eax, %cr0
	ljmpl $8, $AT(long_mode, 1f)
	.code32
1:	mov $0x10, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x32, %al
	out %al, $0x10
	mov %cr4, %eax
	or $0x20, %eax
	mov %eax, %cr4
	mov $TABLES, %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx
	rdmsr
	or $0x100, %eax
	wrmsr
	mov %cr0, %eax
	or $0x80000000, %eax
	mov %eax, %cr0
	ljmp $0x18, $AT(long_mode, 2f)
	.code64
2:	mov $0x8000, %esp
	mov $0x64, %al
	out %al, $0x10
	/* Above 4 GiB, the half that a 32-bit guest does not have. */
	movabs $0x1122334455667788, %rax
	shr $32, %rax
	out %eax, $0x10
	mov $0xc0000080, %ecx
	rdmsr
	out %eax, $0x10
	lidt AT(long_mode, 8f)
	/* 6 without a code, 13 with one, 14 with CR2, 0, 3 behind its instruction. */
	ud2
	mov $0xdead, %ecx
	rdmsr
	movabs 0x12345678, %al
	xor %ecx, %ecx
	div %ecx
	int3
	hlt

	/* Handlers by vector, 16 bytes apart: without a code, with one. */
	.balign 16
7:
	.set vector, 0
	.rept 15
	.balign 16
	.if vector < 10 && vector != 8
	push $-1
	.endif
	push $vector
	jmp 6f
	.set vector, vector + 1
	.endr
6:	pop %rax
	out %eax, $0x10
	pop %rbx
	cmp $14, %eax
	mov %ebx, %eax
	out %eax, $0x11
	jne 5f
	mov %cr2, %rax
	out %eax, $0x12
5:	pop %rax
	/* Where it happened; the user says where it goes on. */
	out %eax, $0x13
	in $0x14, %eax
	push %rax
	iretq

	.balign 8
8:	.word 16 * 15 - 1
	.quad TABLES + 0x4000
	.balign 8
9:	.word 4 * 8 - 1
	.long AT(long_mode, 4f)
	.balign 8
4:	.quad 0
	.quad 0x00cf9b000000ffff
	.quad 0x00cf93000000ffff
	.quad 0x00af9b000000ffff
end long_mode
	.globl guest_long_mode_handlers
	.set guest_long_mode_handlers, 7b

	.section .note.GNU-stack, "", @progbits
