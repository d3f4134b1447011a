/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the local APIC have of each other. The vCPU's lock is held around all of it. */
#ifndef CARVE_KERNEL_LAPIC_PARTS_H
#define CARVE_KERNEL_LAPIC_PARTS_H

#include "lapic.h"

#define LAPIC_N_VECTOR_WORDS 8 /* of 32 vectors each, in ISR, TMR and IRR */
#define LAPIC_VECTOR_MIN 16    /* below are exceptions: SDM vol. 3, 11.5.2 */

static inline u32 lapic_reg(const struct carve_lapic *l, u32 offset)
{
	return l->regs[offset / 4];
}

static inline void lapic_reg_set(struct carve_lapic *l, u32 offset, u32 value)
{
	l->regs[offset / 4] = value;
}

static inline bool lapic_is_open(const struct carve_lapic *l, u32 lvt)
{
	return !(lapic_reg(l, lvt) & CARVE_LAPIC_LVT_MASKED);
}

/** carve_lapic_irr_set() - all that sets IRR bits; any context; true: it was not set before */
bool carve_lapic_irr_set(struct carve_lapic *l, u8 vector, bool level);

/** carve_lapic_takes_fixed() - neither hardware nor software has switched it off; any context */
bool carve_lapic_takes_fixed(const struct carve_lapic *l);

/** carve_lapic_isr_changed() - find the highest vector in service after the ISR was written */
void carve_lapic_isr_changed(struct carve_lapic *l);

/** carve_lapic_error() - note an error of CARVE_LAPIC_ESR_*, and tell the guest */
void carve_lapic_error(struct carve_lapic *l, u32 error);

/** carve_lapic_addr_changed() - after ID, LDR, DFR or the base were written */
void carve_lapic_addr_changed(struct carve_lapic *l);

/** carve_lapic_writable() - bits of a register, by offset, that software may set */
u32 carve_lapic_writable(const struct carve_lapic *l, u32 offset);

/** carve_lapic_timer_stop() - as after reset */
void carve_lapic_timer_stop(struct carve_lapic *l);

/** carve_lapic_timer_start() - count down from @count, within the initial count that is set */
void carve_lapic_timer_start(struct carve_lapic *l, u32 count);

/** carve_lapic_timer_count() - the current count */
u32 carve_lapic_timer_count(const struct carve_lapic *l);

/** carve_lapic_timer_lvt() - write the timer's local vector */
void carve_lapic_timer_lvt(struct carve_lapic *l, u32 value);

/** carve_lapic_timer_initial() - write the initial count */
void carve_lapic_timer_initial(struct carve_lapic *l, u32 count);

/** carve_lapic_timer_divide() - write the divide configuration */
void carve_lapic_timer_divide(struct carve_lapic *l, u32 value);

#endif
