// SPDX-License-Identifier: GPL-2.0-only
/* Of the local APIC: reset, mode, and its state as user space keeps it. */
#include "lapic_parts.h"

#define PAGE_BYTES 4096
#define VERSION 0x00050014U /* 14h: integrated; 6 local vectors */
#define SVR_RESET 0xffU
#define LINT0_EXTINT (CARVE_APIC_EXTINT << 8)
#define BASE_MODE (CARVE_LAPIC_BASE_ENABLE | CARVE_LAPIC_BASE_X2APIC)
#define BASE_RESERVED 0x2ffULL /* 7:0 and 9 */
#define ICR_BUSY (1U << 12)

/* Registers that KVM_SET_LAPIC takes over by their writable bits. */
static const u16 plain_regs[] = {
	CARVE_LAPIC_TPR,      CARVE_LAPIC_SVR,	     CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_THERMAL,
	CARVE_LAPIC_LVT_PERF, CARVE_LAPIC_LVT_LINT0, CARVE_LAPIC_LVT_LINT1, CARVE_LAPIC_LVT_ERROR,
	CARVE_LAPIC_INITIAL,  CARVE_LAPIC_DIVIDE,
};

static_assert(sizeof(struct kvm_lapic_state) == CARVE_LAPIC_SELF_IPI + 16, "the page of the ABI");

static u8 mode_of(u64 base)
{
	switch (base & BASE_MODE) {
	case BASE_MODE:
		return CARVE_APIC_X2APIC;
	case CARVE_LAPIC_BASE_ENABLE:
		return CARVE_APIC_XAPIC;
	default:
		return CARVE_APIC_OFF;
	}
}

void carve_lapic_addr_changed(struct carve_lapic *l)
{
	struct carve_apic_addr *a = &l->addr;

	a->mode = mode_of(l->base);
	a->id = l->config.id;
	if (a->mode == CARVE_APIC_X2APIC)
		lapic_reg_set(l, CARVE_LAPIC_LDR, carve_apic_x2apic_ldr(a->id));
	lapic_reg_set(l, CARVE_LAPIC_ID, a->mode == CARVE_APIC_X2APIC ? a->id : a->id << 24);
	a->ldr = lapic_reg(l, CARVE_LAPIC_LDR) >> (a->mode == CARVE_APIC_X2APIC ? 0 : 24);
	a->cluster = lapic_reg(l, CARVE_LAPIC_DFR) >> 28 == 0;
}

static void reset_regs(struct carve_lapic *l)
{
	memset(l->regs, 0, sizeof(struct kvm_lapic_state));
	lapic_reg_set(l, CARVE_LAPIC_VERSION, VERSION);
	lapic_reg_set(l, CARVE_LAPIC_DFR, 0xffffffff);
	lapic_reg_set(l, CARVE_LAPIC_SVR, SVR_RESET);
	for (u32 lvt = CARVE_LAPIC_LVT_TIMER; lvt <= CARVE_LAPIC_LVT_ERROR; lvt += 16)
		lapic_reg_set(l, lvt, CARVE_LAPIC_LVT_MASKED);
	l->isr_top = -1;
	l->errors = 0;
	carve_lapic_addr_changed(l);
}

void carve_lapic_reset(struct carve_lapic *l, bool is_init)
{
	carve_lapic_timer_stop(l);
	if (!is_init)
		l->base = CARVE_LAPIC_BASE_DEFAULT | CARVE_LAPIC_BASE_ENABLE |
			  (l->config.is_bsp ? CARVE_LAPIC_BASE_BSP : 0);
	reset_regs(l);
	if (!is_init && l->config.is_bsp)
		lapic_reg_set(l, CARVE_LAPIC_LVT_LINT0, LINT0_EXTINT);
}

void carve_lapic_init(struct carve_lapic *l, u32 *regs, const struct carve_lapic_config *config)
{
	memset(l, 0, sizeof(*l));
	l->config = *config;
	l->regs = regs;
	carve_lapic_reset(l, false);
}

static bool is_valid_base(const struct carve_lapic *l, u64 value)
{
	u64 reserved = BASE_RESERVED |
		       (l->config.phys_bits < 64 ? ~0ULL << l->config.phys_bits : 0);

	if (!l->config.has_x2apic)
		reserved |= CARVE_LAPIC_BASE_X2APIC;
	return !(value & reserved) && (value & BASE_MODE) != CARVE_LAPIC_BASE_X2APIC;
}

/* What was pending is lost when it is switched off: SDM vol. 3, 11.4.3. */
static void base_changed(struct carve_lapic *l, u64 value)
{
	u8 old = l->addr.mode;

	l->base = value;
	if (mode_of(value) == old)
		return;
	if (mode_of(value) == CARVE_APIC_OFF) {
		carve_lapic_timer_stop(l);
		reset_regs(l);
		return;
	}
	/* Neither has the destination of the other mode. */
	lapic_reg_set(l, CARVE_LAPIC_ICR2, 0);
	lapic_reg_set(l, CARVE_LAPIC_LDR, 0);
	carve_lapic_addr_changed(l);
}

int carve_lapic_base_set(struct carve_lapic *l, u64 value)
{
	if (!is_valid_base(l, value))
		return -EINVAL;
	base_changed(l, value);
	return 0;
}

int carve_lapic_base_write(struct carve_lapic *l, u64 value)
{
	u8 old = l->addr.mode, next = mode_of(value);

	if (!is_valid_base(l, value))
		return -EINVAL;
	if (old == CARVE_APIC_X2APIC && next == CARVE_APIC_XAPIC)
		return -EINVAL;
	if (old == CARVE_APIC_OFF && next == CARVE_APIC_X2APIC)
		return -EINVAL;
	base_changed(l, (value & ~(u64)CARVE_LAPIC_BASE_BSP) | (l->base & CARVE_LAPIC_BASE_BSP));
	return 0;
}

bool carve_lapic_has_mmio(const struct carve_lapic *l, u64 gpa)
{
	return l->addr.mode == CARVE_APIC_XAPIC && (gpa ^ l->base) / PAGE_BYTES == 0;
}

static u32 state_reg(const struct kvm_lapic_state *s, u32 offset)
{
	u32 value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static void state_reg_set(struct kvm_lapic_state *s, u32 offset, u32 value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

/* API of KVM_GET_LAPIC: without 32-bit IDs the ID is where xAPIC mode has it, in either mode. */
void carve_lapic_state_get(struct carve_lapic *l, bool wide_ids, struct kvm_lapic_state *ret)
{
	carve_lapic_timer_run(l);
	memcpy(ret, l->regs, sizeof(*ret));
	if (l->addr.mode == CARVE_APIC_X2APIC && !wide_ids)
		state_reg_set(ret, CARVE_LAPIC_ID, l->addr.id << 24);
	state_reg_set(ret, CARVE_LAPIC_PPR, carve_lapic_ppr(l));
	state_reg_set(ret, CARVE_LAPIC_CURRENT, carve_lapic_timer_count(l));
}

static void take_vectors(struct carve_lapic *l, const struct kvm_lapic_state *s)
{
	for (u32 offset = CARVE_LAPIC_ISR; offset < CARVE_LAPIC_ESR; offset += 16)
		lapic_reg_set(l, offset, state_reg(s, offset));
	carve_lapic_isr_changed(l);
}

static void take_dest(struct carve_lapic *l, const struct kvm_lapic_state *s)
{
	bool wide = l->addr.mode == CARVE_APIC_X2APIC;

	lapic_reg_set(l, CARVE_LAPIC_LDR, state_reg(s, CARVE_LAPIC_LDR) & 0xff000000);
	lapic_reg_set(l, CARVE_LAPIC_DFR, state_reg(s, CARVE_LAPIC_DFR) | 0x0fffffff);
	lapic_reg_set(l, CARVE_LAPIC_ICR, state_reg(s, CARVE_LAPIC_ICR) & ~ICR_BUSY);
	lapic_reg_set(l, CARVE_LAPIC_ICR2,
		      state_reg(s, CARVE_LAPIC_ICR2) & (wide ? 0xffffffff : 0xff000000));
	carve_lapic_addr_changed(l);
}

/*
 * One-shot and periodic timers go on from the current count, one in TSC-deadline mode from the MSR,
 * which is not part of this state.
 */
static void take_timer(struct carve_lapic *l, const struct kvm_lapic_state *s, u64 tsc_deadline)
{
	u32 initial = lapic_reg(l, CARVE_LAPIC_INITIAL);
	u32 count = state_reg(s, CARVE_LAPIC_CURRENT);
	bool is_periodic = lapic_reg(l, CARVE_LAPIC_LVT_TIMER) & CARVE_LAPIC_LVT_PERIODIC;

	if (count > initial || (!count && is_periodic))
		count = initial;
	carve_lapic_timer_start(l, count);
	carve_lapic_deadline_write(l, tsc_deadline);
}

int carve_lapic_state_set(struct carve_lapic *l, bool wide_ids, const struct kvm_lapic_state *state)
{
	u64 tsc_deadline = l->timer.tsc_deadline;

	if (wide_ids && l->addr.mode == CARVE_APIC_X2APIC &&
	    state_reg(state, CARVE_LAPIC_ID) != l->config.id)
		return -EINVAL;
	carve_lapic_timer_stop(l);
	for (size_t i = 0; i < ARRAY_SIZE(plain_regs); i++)
		lapic_reg_set(l, plain_regs[i],
			      state_reg(state, plain_regs[i]) &
				      carve_lapic_writable(l, plain_regs[i]));
	lapic_reg_set(l, CARVE_LAPIC_ESR, state_reg(state, CARVE_LAPIC_ESR) & 0xff);
	l->errors = 0;
	take_vectors(l, state);
	take_dest(l, state);
	take_timer(l, state, tsc_deadline);
	return 0;
}
