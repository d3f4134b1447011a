// SPDX-License-Identifier: GPL-2.0-only
/* Of the local APIC: which interrupt is next, and the way of one through IRR and ISR. */
#include "lapic_parts.h"

#define PRIORITY_CLASS 0xf0U

#define LVT_VECTOR 0xffU
#define LVT_DELIVERY(lvt) ((lvt) >> 8 & 7)

static u32 *vector_word(const struct carve_lapic *l, u32 set, u8 vector)
{
	return &l->regs[set / 4 + (vector / 32U) * 4];
}

static u32 vector_bit(u8 vector)
{
	return 1U << vector % 32;
}

/* Other threads set bits of the IRR while this looks. */
static int highest(const struct carve_lapic *l, u32 set)
{
	for (unsigned int i = LAPIC_N_VECTOR_WORDS; i-- > 0;) {
		u32 word = __atomic_load_n(&l->regs[set / 4 + i * 4], __ATOMIC_ACQUIRE);

		if (word)
			return (int)(i * 32 + 31 - (unsigned int)__builtin_clz(word));
	}
	return -1;
}

bool carve_lapic_irr_set(struct carve_lapic *l, u8 vector, bool level)
{
	u32 *tmr = vector_word(l, CARVE_LAPIC_TMR, vector);
	u32 bit = vector_bit(vector);

	if (level)
		__atomic_or_fetch(tmr, bit, __ATOMIC_SEQ_CST);
	else if (__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit)
		__atomic_and_fetch(tmr, ~bit, __ATOMIC_SEQ_CST);
	return !(__atomic_fetch_or(vector_word(l, CARVE_LAPIC_IRR, vector), bit, __ATOMIC_SEQ_CST) &
		 bit);
}

bool carve_lapic_takes_fixed(const struct carve_lapic *l)
{
	return l->addr.mode != CARVE_APIC_OFF &&
	       (lapic_reg(l, CARVE_LAPIC_SVR) & CARVE_LAPIC_SVR_ENABLE);
}

bool carve_lapic_post(struct carve_lapic *l, u8 vector, bool level)
{
	if (vector < LAPIC_VECTOR_MIN || !carve_lapic_takes_fixed(l))
		return false;
	if (carve_lapic_irr_set(l, vector, level))
		l->config.ops->kick(l->config.ctx);
	return true;
}

void carve_lapic_isr_changed(struct carve_lapic *l)
{
	l->isr_top = highest(l, CARVE_LAPIC_ISR);
}

u8 carve_lapic_tpr(const struct carve_lapic *l)
{
	return (u8)lapic_reg(l, CARVE_LAPIC_TPR);
}

void carve_lapic_tpr_set(struct carve_lapic *l, u8 tpr)
{
	lapic_reg_set(l, CARVE_LAPIC_TPR, tpr);
}

u8 carve_lapic_ppr(const struct carve_lapic *l)
{
	u32 in_service = l->isr_top < 0 ? 0 : (u32)l->isr_top & PRIORITY_CLASS;
	u32 tpr = lapic_reg(l, CARVE_LAPIC_TPR);

	return (u8)((tpr & PRIORITY_CLASS) >= in_service ? tpr : in_service);
}

int carve_lapic_pending(const struct carve_lapic *l)
{
	int vector;

	if (l->addr.mode == CARVE_APIC_OFF)
		return -ENOENT;
	vector = highest(l, CARVE_LAPIC_IRR);
	if (vector < 0 || ((u32)vector & PRIORITY_CLASS) <= (carve_lapic_ppr(l) & PRIORITY_CLASS))
		return -ENOENT;
	return vector;
}

u8 carve_lapic_ack(struct carve_lapic *l)
{
	int vector = carve_lapic_pending(l);

	if (vector < 0)
		return (u8)lapic_reg(l, CARVE_LAPIC_SVR);
	__atomic_and_fetch(vector_word(l, CARVE_LAPIC_IRR, (u8)vector), ~vector_bit((u8)vector),
			   __ATOMIC_SEQ_CST);
	*vector_word(l, CARVE_LAPIC_ISR, (u8)vector) |= vector_bit((u8)vector);
	l->isr_top = vector; /* its class is above that of all in service */
	return (u8)vector;
}

void carve_lapic_eoi(struct carve_lapic *l)
{
	u8 vector = (u8)l->isr_top;

	if (l->isr_top < 0)
		return;
	*vector_word(l, CARVE_LAPIC_ISR, vector) &= ~vector_bit(vector);
	carve_lapic_isr_changed(l);
	if (__atomic_load_n(vector_word(l, CARVE_LAPIC_TMR, vector), __ATOMIC_RELAXED) &
	    vector_bit(vector))
		l->config.ops->eoi_broadcast(l->config.ctx, vector);
}

/* The vCPU's own thread looks at the IRR before it enters the guest: no kick. */
static bool deliver_fixed(struct carve_lapic *l, u8 vector)
{
	if (!carve_lapic_takes_fixed(l))
		return false;
	if (vector < LAPIC_VECTOR_MIN) {
		carve_lapic_error(l, CARVE_LAPIC_ESR_RECEIVE_VECTOR);
		return false;
	}
	carve_lapic_irr_set(l, vector, false);
	return true;
}

static bool deliver_local(struct carve_lapic *l, u32 lvt)
{
	switch (LVT_DELIVERY(lvt)) {
	case CARVE_APIC_FIXED:
		return deliver_fixed(l, (u8)(lvt & LVT_VECTOR));
	case CARVE_APIC_NMI:
		l->config.ops->nmi(l->config.ctx);
		return true;
	default:
		return false;
	}
}

bool carve_lapic_local(struct carve_lapic *l, u32 lvt)
{
	u32 entry = lapic_reg(l, lvt);

	if (l->addr.mode == CARVE_APIC_OFF || (entry & CARVE_LAPIC_LVT_MASKED))
		return false;
	if (lvt == CARVE_LAPIC_LVT_PERF)
		lapic_reg_set(l, lvt, entry | CARVE_LAPIC_LVT_MASKED);
	return deliver_local(l, entry);
}

void carve_lapic_error(struct carve_lapic *l, u32 error)
{
	bool is_new = !(l->errors & error);
	u32 entry = lapic_reg(l, CARVE_LAPIC_LVT_ERROR);

	l->errors |= error;
	/* An error vector that is no vector would be an error without end. */
	if (is_new && (entry & LVT_VECTOR) >= LAPIC_VECTOR_MIN)
		carve_lapic_local(l, CARVE_LAPIC_LVT_ERROR);
}

bool carve_lapic_accepts_extint(const struct carve_lapic *l)
{
	u32 entry = lapic_reg(l, CARVE_LAPIC_LVT_LINT0);

	if (l->addr.mode == CARVE_APIC_OFF)
		return true;
	return !(entry & CARVE_LAPIC_LVT_MASKED) && LVT_DELIVERY(entry) == CARVE_APIC_EXTINT;
}
