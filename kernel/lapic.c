// SPDX-License-Identifier: GPL-2.0-only
/* Of the local APIC: its registers, by page and by MSR. */
#include "lapic_parts.h"

#define SLOT 16 /* bytes from one register to the next */
#define AT(offset) ((offset) / SLOT)
#define N_RULES (AT(CARVE_LAPIC_SELF_IPI) + 1)

#define ICR_DELIVERY(icr) ((icr) >> 8 & 7)
#define ICR_LOGICAL (1U << 11)
#define ICR_BUSY (1U << 12)
#define ICR_ASSERT (1U << 14)
#define ICR_LEVEL (1U << 15)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
/*
 * SDM vol. 3, figure 11-28: 13, 17:16 and 31:20. 12, which no longer tells anything, may be
 * written.
 */
#define ICR_X2APIC_RESERVED 0xfff32000U

/* PAGE: in xAPIC mode; MSR: in x2APIC mode */
#define R_PAGE 1
#define W_PAGE 2
#define R_MSR 4
#define W_MSR 8
#define R_BOTH (R_PAGE | R_MSR)
#define W_BOTH (W_PAGE | W_MSR)
#define RW_BOTH (R_BOTH | W_BOTH)

#define LVT_STATUS (1U << 12)	  /* read-only */
#define LVT_REMOTE_IRR (1U << 14) /* read-only */
#define LVT_RULE(w, i)                                             \
	{                                                          \
		.access = RW_BOTH, .writable = (w), .ignored = (i) \
	}

/**
 * struct rule - what may be done with a register
 * @access: R_*, W_*; nothing: there is none
 * @writable: bits that software sets
 * @ignored: bits that it may write to no effect; the others are reserved, which only x2APIC mode
 *	checks
 */
struct rule {
	u32 writable;
	u32 ignored;
	u8 access;
};

/* SDM vol. 3, tables 11-1 and 11-6, figures 11-8, 11-18 and 11-23 */
static const struct rule rules[N_RULES] = {
	[AT(CARVE_LAPIC_ID)] = { .access = R_BOTH | W_PAGE },
	[AT(CARVE_LAPIC_VERSION)] = { .access = R_BOTH },
	[AT(CARVE_LAPIC_TPR)] = { .access = RW_BOTH, .writable = 0xff },
	[AT(CARVE_LAPIC_APR)] = { .access = R_PAGE },
	[AT(CARVE_LAPIC_PPR)] = { .access = R_BOTH },
	[AT(CARVE_LAPIC_EOI)] = { .access = W_BOTH },
	[AT(CARVE_LAPIC_RRD)] = { .access = R_PAGE },
	[AT(CARVE_LAPIC_LDR)] = { .access = R_BOTH | W_PAGE, .writable = 0xff000000 },
	[AT(CARVE_LAPIC_DFR)] = { .access = R_PAGE | W_PAGE, .writable = 0xf0000000 },
	[AT(CARVE_LAPIC_SVR)] = { .access = RW_BOTH, .writable = 0x3ff },
	[AT(CARVE_LAPIC_ISR)... AT(CARVE_LAPIC_ESR) - 1] = { .access = R_BOTH },
	[AT(CARVE_LAPIC_ESR)] = { .access = RW_BOTH },
	[AT(CARVE_LAPIC_ICR)] = { .access = RW_BOTH, .writable = ~ICR_BUSY },
	[AT(CARVE_LAPIC_ICR2)] = { .access = R_PAGE | W_PAGE, .writable = 0xff000000 },
	[AT(CARVE_LAPIC_LVT_TIMER)] = LVT_RULE(0x700ff, LVT_STATUS),
	[AT(CARVE_LAPIC_LVT_THERMAL)] = LVT_RULE(0x107ff, LVT_STATUS),
	[AT(CARVE_LAPIC_LVT_PERF)] = LVT_RULE(0x107ff, LVT_STATUS),
	[AT(CARVE_LAPIC_LVT_LINT0)] = LVT_RULE(0x1a7ff, LVT_STATUS | LVT_REMOTE_IRR),
	[AT(CARVE_LAPIC_LVT_LINT1)] = LVT_RULE(0x1a7ff, LVT_STATUS | LVT_REMOTE_IRR),
	[AT(CARVE_LAPIC_LVT_ERROR)] = LVT_RULE(0x100ff, LVT_STATUS),
	[AT(CARVE_LAPIC_INITIAL)] = { .access = RW_BOTH, .writable = 0xffffffff },
	[AT(CARVE_LAPIC_CURRENT)] = { .access = R_BOTH },
	[AT(CARVE_LAPIC_DIVIDE)] = { .access = RW_BOTH, .writable = 0xb },
	[AT(CARVE_LAPIC_SELF_IPI)] = { .access = W_MSR, .writable = 0xff },
};

u32 carve_lapic_writable(const struct carve_lapic *l, u32 offset)
{
	u32 writable = rules[AT(offset)].writable;

	if (offset == CARVE_LAPIC_LVT_TIMER && !l->config.has_deadline)
		writable &= ~CARVE_LAPIC_LVT_DEADLINE;
	return writable;
}

static u32 read_reg(const struct carve_lapic *l, u32 offset)
{
	switch (offset) {
	case CARVE_LAPIC_PPR:
		return carve_lapic_ppr(l);
	case CARVE_LAPIC_CURRENT:
		return carve_lapic_timer_count(l);
	default:
		return __atomic_load_n(&l->regs[offset / 4], __ATOMIC_RELAXED);
	}
}

/* Fixed interrupts to itself, the most frequent ones, need nobody else. */
static void self_ipi(struct carve_lapic *l, u8 vector)
{
	if (vector < LAPIC_VECTOR_MIN)
		carve_lapic_error(l, CARVE_LAPIC_ESR_SEND_VECTOR);
	else if (carve_lapic_takes_fixed(l))
		carve_lapic_irr_set(l, vector, false);
}

/* An INIT of level de-assert had a meaning for APICs on a serial bus only: SDM vol. 3, 11.6.1. */
static bool is_nothing(u32 icr)
{
	switch (ICR_DELIVERY(icr)) {
	case CARVE_APIC_REMOTE_READ:
	case CARVE_APIC_EXTINT:
		return true;
	case CARVE_APIC_INIT:
		return (icr & ICR_LEVEL) && !(icr & ICR_ASSERT);
	default:
		return false;
	}
}

/* Fixed IPIs are edges, whatever the trigger mode says: SDM vol. 3, 11.6.1. */
static void send(struct carve_lapic *l, u32 icr, u32 dest)
{
	struct carve_apic_msg msg = {
		.dest = dest,
		.vector = (u8)icr,
		.delivery = ICR_DELIVERY(icr),
		.shorthand = ICR_SHORTHAND(icr),
		.logical = icr & ICR_LOGICAL,
		.wide = l->addr.mode == CARVE_APIC_X2APIC,
	};

	if (is_nothing(icr))
		return;
	if (msg.delivery <= CARVE_APIC_LOWEST && msg.vector < LAPIC_VECTOR_MIN)
		carve_lapic_error(l, CARVE_LAPIC_ESR_SEND_VECTOR);
	else if (msg.delivery == CARVE_APIC_FIXED && msg.shorthand == CARVE_APIC_DEST_SELF)
		self_ipi(l, msg.vector);
	else
		l->config.ops->ipi(l->config.ctx, &msg);
}

/*
 * Software disable masks all local vectors, and they stay so: SDM vol. 3, 11.4.7.2. A timer that
 * has ended by then is still delivered.
 */
static void write_svr(struct carve_lapic *l, u32 value)
{
	if (!(value & CARVE_LAPIC_SVR_ENABLE)) {
		carve_lapic_timer_lvt(l,
				      lapic_reg(l, CARVE_LAPIC_LVT_TIMER) | CARVE_LAPIC_LVT_MASKED);
		for (u32 lvt = CARVE_LAPIC_LVT_THERMAL; lvt <= CARVE_LAPIC_LVT_ERROR; lvt += SLOT)
			lapic_reg_set(l, lvt, lapic_reg(l, lvt) | CARVE_LAPIC_LVT_MASKED);
	}
	lapic_reg_set(l, CARVE_LAPIC_SVR, value);
}

static u32 lvt_value(const struct carve_lapic *l, u32 value)
{
	if (lapic_reg(l, CARVE_LAPIC_SVR) & CARVE_LAPIC_SVR_ENABLE)
		return value;
	return value | CARVE_LAPIC_LVT_MASKED;
}

/* The ESR shows what was found up to the last write to it: SDM vol. 3, 11.5.3. */
static void write_esr(struct carve_lapic *l)
{
	lapic_reg_set(l, CARVE_LAPIC_ESR, l->errors);
	l->errors = 0;
}

/* @value has no bits but writable ones. */
static void write_reg(struct carve_lapic *l, u32 offset, u32 value)
{
	switch (offset) {
	case CARVE_LAPIC_EOI:
		carve_lapic_eoi(l);
		break;
	case CARVE_LAPIC_LDR:
		lapic_reg_set(l, offset, value);
		carve_lapic_addr_changed(l);
		break;
	case CARVE_LAPIC_DFR:
		lapic_reg_set(l, offset, value | 0x0fffffff);
		carve_lapic_addr_changed(l);
		break;
	case CARVE_LAPIC_SVR:
		write_svr(l, value);
		break;
	case CARVE_LAPIC_ESR:
		write_esr(l);
		break;
	case CARVE_LAPIC_ICR:
		lapic_reg_set(l, offset, value);
		send(l, value, lapic_reg(l, CARVE_LAPIC_ICR2) >> 24);
		break;
	case CARVE_LAPIC_LVT_TIMER:
		carve_lapic_timer_lvt(l, lvt_value(l, value));
		break;
	case CARVE_LAPIC_LVT_THERMAL ... CARVE_LAPIC_LVT_ERROR:
		lapic_reg_set(l, offset, lvt_value(l, value));
		break;
	case CARVE_LAPIC_INITIAL:
		carve_lapic_timer_initial(l, value);
		break;
	case CARVE_LAPIC_DIVIDE:
		carve_lapic_timer_divide(l, value);
		break;
	case CARVE_LAPIC_SELF_IPI:
		self_ipi(l, (u8)value);
		break;
	case CARVE_LAPIC_TPR:
	case CARVE_LAPIC_ICR2:
		lapic_reg_set(l, offset, value);
		break;
	default:
		break; /* the ID and others that never change */
	}
}

/* Whether there is such a register at all in the page. */
static bool is_in_page(struct carve_lapic *l, u32 offset)
{
	u32 slot = AT(offset);

	if (slot < N_RULES && (rules[slot].access & (R_PAGE | W_PAGE)))
		return true;
	carve_lapic_error(l, CARVE_LAPIC_ESR_REGISTER);
	return false;
}

u32 carve_lapic_read(struct carve_lapic *l, u32 offset, u32 len)
{
	u32 byte = offset % SLOT, value;

	if (!is_in_page(l, offset) || len == 0 || len > 4 || byte + len > 4)
		return 0;
	if (!(rules[AT(offset)].access & R_PAGE))
		return 0;
	value = read_reg(l, offset - byte) >> byte * 8;
	return len == 4 ? value : value & ((1U << len * 8) - 1);
}

void carve_lapic_write(struct carve_lapic *l, u32 offset, u32 len, u32 value)
{
	if (len != 4 || offset % SLOT || !is_in_page(l, offset))
		return;
	if (rules[AT(offset)].access & W_PAGE)
		write_reg(l, offset, value & carve_lapic_writable(l, offset));
}

/* Return: the rule of an MSR that may be accessed so, NULL where it may not. */
static const struct rule *msr_rule(const struct carve_lapic *l, u32 msr, u8 access)
{
	u32 slot = msr - CARVE_LAPIC_MSR;

	if (l->addr.mode != CARVE_APIC_X2APIC || slot >= N_RULES || !(rules[slot].access & access))
		return NULL;
	return &rules[slot];
}

int carve_lapic_msr_read(struct carve_lapic *l, u32 msr, u64 *ret)
{
	u32 slot = msr - CARVE_LAPIC_MSR;

	if (!msr_rule(l, msr, R_MSR))
		return -EINVAL;
	*ret = read_reg(l, slot * SLOT);
	if (slot == AT(CARVE_LAPIC_ICR))
		*ret |= (u64)lapic_reg(l, CARVE_LAPIC_ICR2) << 32;
	return 0;
}

static int write_x2apic_icr(struct carve_lapic *l, u64 value)
{
	if (value & ICR_X2APIC_RESERVED)
		return -EINVAL;
	lapic_reg_set(l, CARVE_LAPIC_ICR, (u32)value & ~ICR_BUSY);
	lapic_reg_set(l, CARVE_LAPIC_ICR2, (u32)(value >> 32));
	send(l, (u32)value, (u32)(value >> 32));
	return 0;
}

int carve_lapic_msr_write(struct carve_lapic *l, u32 msr, u64 value)
{
	const struct rule *rule = msr_rule(l, msr, W_MSR);
	u32 offset = (msr - CARVE_LAPIC_MSR) * SLOT, writable;

	if (!rule)
		return -EINVAL;
	if (offset == CARVE_LAPIC_ICR)
		return write_x2apic_icr(l, value);
	writable = carve_lapic_writable(l, offset);
	if (value & ~(u64)(writable | rule->ignored))
		return -EINVAL;
	write_reg(l, offset, (u32)value & writable);
	return 0;
}
