/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a linear address of the guest to a guest-physical one, through the guest's own page tables.
 */
#ifndef CARVE_KERNEL_WALK_H
#define CARVE_KERNEL_WALK_H

#include "pure.h"

/* Control register bits that decide on paging: AMD APM vol. 2, 3.1 and 5.1 */
#define WALK_CR0_PE BIT(0)
#define WALK_CR0_WP BIT(16)
#define WALK_CR0_PG BIT(31)
#define WALK_CR4_PSE BIT(4)
#define WALK_CR4_PAE BIT(5)
#define WALK_CR4_LA57 BIT(12)
#define WALK_CR4_SMEP BIT(20)
#define WALK_CR4_SMAP BIT(21)
#define WALK_CR4_PKE BIT(22)
#define WALK_EFER_LMA BIT(10)
#define WALK_EFER_NXE BIT(11)

/* Error code of #PF: AMD APM vol. 2, 8.4.2 */
#define WALK_PF_P BIT(0)
#define WALK_PF_W BIT(1)
#define WALK_PF_U BIT(2)
#define WALK_PF_RSV BIT(3)
#define WALK_PF_ID BIT(4)
#define WALK_PF_PK BIT(5)

/* What an access is: the first three are the bits of the error code. */
#define WALK_WRITE WALK_PF_W
#define WALK_USER WALK_PF_U
#define WALK_FETCH WALK_PF_ID
#define WALK_AC BIT(8)	 /* RFLAGS.AC: a supervisor may touch pages of the user despite SMAP */
#define WALK_PEEK BIT(9) /* leave accessed and dirty bits alone */

/**
 * struct guest_memory_ops - memory of the guest, by guest-physical address
 * @read: copy @len bytes (1-16, within one page) out of the guest
 * @write: copy @len bytes (1-16, within one page) into the guest
 * @cmpxchg: replace @len bytes (1, 2, 4 or 8, aligned) in one atomic step, where they are
 *	still @old
 *
 * Return: 0; -EAGAIN from @cmpxchg alone: they are no longer @old; anything else: there is no
 * memory that can be accessed so.
 * Guarantees: called in the caller's context; never kept beyond a call.
 */
struct guest_memory_ops {
	int (*read)(void *vm, u64 gpa, void *data, unsigned int len);
	int (*write)(void *vm, u64 gpa, const void *data, unsigned int len);
	int (*cmpxchg)(void *vm, u64 gpa, u64 old, u64 replacement, unsigned int len);
};

/**
 * struct walk_paging - how a guest's CPU translates
 * @ops: borrowed
 * @vm: what @ops is called with, borrowed
 * @cr0: and @cr3, @cr4, @efer, @pkru: as the guest sees them
 * @phys_bits: width of a guest-physical address, CPUID 8000_0008h EAX[7:0]
 * @has_1g: CPUID 8000_0001h EDX[26]
 */
struct walk_paging {
	const struct guest_memory_ops *ops;
	void *vm;
	u64 cr0, cr3, cr4, efer;
	u32 pkru;
	u8 phys_bits;
	bool has_1g;
};

#define WALK_LEVELS_MAX 5

/**
 * struct walk_trace - a walk that came through
 * @leaf: level of the entry that has the page; 1 is the lowest
 * @levels: how many there are; 0: no paging
 * @at: guest-physical address of the entry of each level, by level - 1
 * @entry: what was read there
 */
struct walk_trace {
	u64 gpa;
	u8 leaf, levels, entry_size;
	u64 at[WALK_LEVELS_MAX], entry[WALK_LEVELS_MAX];
};

/**
 * carve_walk - translate one linear address
 * @p: borrowed
 * @linear: upper half ignored unless long mode is active
 * @access: WALK_*
 * @ret_gpa: on success
 * @ret_error: error code of the #PF, on -EFAULT
 *
 * Checks what AMD APM vol. 2, 5.2-5.6 say on presence, reserved bits and rights; sets accessed and
 * dirty bits as 5.4.2 says, after all checks have passed. Page directory pointers of PAE are read
 * from memory each time, as the CPU does with nested paging (15.25.10).
 *
 * Return: 0; -EFAULT: page fault; -ERANGE: not canonical; -ENXIO: a table lies outside memory;
 * -EAGAIN: somebody else keeps changing the tables, have the guest try again.
 * Context: any that @ops can be called in.
 */
int carve_walk(const struct walk_paging *p, u64 linear, u32 access, u64 *ret_gpa, u32 *ret_error);

/** carve_walk_trace - carve_walk() that tells how; @ret is undefined on failure */
int carve_walk_trace(const struct walk_paging *p, u64 linear, u32 access, struct walk_trace *ret,
		     u32 *ret_error);

/**
 * carve_walk_is_same - whether the same walk would come through again
 * @p: as it was for carve_walk_trace(), with the same address and access in mind
 * @t: of a read or a fetch: those mark nothing that is not marked in the entries already
 *
 * Reads the entries alone, with none of the checks that led from one to the next: what they said
 * depends on the entries and on @p.
 *
 * Context: as carve_walk().
 */
bool carve_walk_is_same(const struct walk_paging *p, const struct walk_trace *t);

/**
 * carve_walk_is_canonical - whether the upper bits repeat the highest one that is translated
 * @p: tells 48 bits from 57
 * @linear: address in 64-bit mode
 */
bool carve_walk_is_canonical(const struct walk_paging *p, u64 linear);

#endif
