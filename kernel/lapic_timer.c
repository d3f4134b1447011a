// SPDX-License-Identifier: GPL-2.0-only
/*
 * Of the local APIC: the timer. It is never counted: a running one is the time at which it ends.
 * The host is asked to call only while the guest has the local vector open, so that a masked timer
 * costs nothing.
 */
#include "lapic_parts.h"

#define MODE(lvt) ((lvt) >> 17 & 3)
#define NS_PER_MS 1000000ULL
#define WAIT_MAX_NS (1ULL << 61) /* some 70 years */

enum timer_mode { ONE_SHOT, PERIODIC, DEADLINE, RESERVED };

static enum timer_mode timer_mode(const struct carve_lapic *l)
{
	return MODE(lapic_reg(l, CARVE_LAPIC_LVT_TIMER));
}

static u64 now_ns(const struct carve_lapic *l)
{
	return l->config.ops->now_ns(l->config.ctx);
}

static u64 guest_tsc(const struct carve_lapic *l)
{
	return l->config.ops->tsc(l->config.ctx);
}

/* Of one count. 000b divides by 2, 110b by 128, 111b by 1: SDM vol. 3, figure 11-10 */
static u64 count_ns(const struct carve_lapic *l)
{
	u32 divide = lapic_reg(l, CARVE_LAPIC_DIVIDE);
	u32 code = (divide & 3) | (divide & 8) >> 1;

	return (u64)l->config.cycle_ns << ((code + 1) & 7);
}

static u64 period_ns(const struct carve_lapic *l)
{
	u64 period = lapic_reg(l, CARVE_LAPIC_INITIAL) * count_ns(l);

	return period > l->config.min_period_ns ? period : l->config.min_period_ns;
}

static void disarm(struct carve_lapic *l)
{
	if (l->timer.is_armed)
		l->config.ops->disarm(l->config.ctx);
	l->timer.is_armed = false;
}

static u64 tsc_wait_ns(const struct carve_lapic *l, u64 ticks)
{
	u32 khz = l->config.tsc_khz ? l->config.tsc_khz : 1;
	u64 ms = ticks / khz;

	if (ms >= WAIT_MAX_NS / NS_PER_MS)
		return WAIT_MAX_NS;
	return ms * NS_PER_MS + (ticks % khz * NS_PER_MS + khz - 1) / khz;
}

static bool has_ended(const struct carve_lapic *l)
{
	if (timer_mode(l) == DEADLINE)
		return guest_tsc(l) >= l->timer.tsc_deadline;
	return now_ns(l) >= l->timer.deadline_ns;
}

static u64 host_deadline(const struct carve_lapic *l)
{
	u64 tsc;

	if (timer_mode(l) != DEADLINE)
		return l->timer.deadline_ns;
	tsc = guest_tsc(l);
	if (tsc >= l->timer.tsc_deadline)
		return now_ns(l);
	return now_ns(l) + tsc_wait_ns(l, l->timer.tsc_deadline - tsc);
}

static void arm(struct carve_lapic *l)
{
	if (!l->timer.is_running || !lapic_is_open(l, CARVE_LAPIC_LVT_TIMER)) {
		disarm(l);
		return;
	}
	l->timer.is_armed = true;
	l->config.ops->arm(l->config.ctx, host_deadline(l));
}

/* Ended: stop, or go on with the first period that has not gone by. */
static void next_period(struct carve_lapic *l)
{
	u64 period = period_ns(l), late;

	l->timer.tsc_deadline = 0;
	if (timer_mode(l) != PERIODIC || !lapic_reg(l, CARVE_LAPIC_INITIAL)) {
		l->timer.is_running = false;
		return;
	}
	late = now_ns(l) - l->timer.deadline_ns;
	l->timer.deadline_ns += period * (late < period ? 1 : late / period + 1);
}

bool carve_lapic_timer_run(struct carve_lapic *l)
{
	bool ended = l->timer.is_running && has_ended(l);

	if (ended) {
		carve_lapic_local(l, CARVE_LAPIC_LVT_TIMER);
		next_period(l);
	}
	arm(l);
	return ended;
}

void carve_lapic_timer_stop(struct carve_lapic *l)
{
	l->timer.is_running = false;
	l->timer.tsc_deadline = 0;
	disarm(l);
}

void carve_lapic_timer_start(struct carve_lapic *l, u32 count)
{
	u64 wait = count * count_ns(l);

	if (!count || !lapic_reg(l, CARVE_LAPIC_INITIAL) || timer_mode(l) >= DEADLINE) {
		carve_lapic_timer_stop(l);
		return;
	}
	if (timer_mode(l) == PERIODIC && count == lapic_reg(l, CARVE_LAPIC_INITIAL))
		wait = period_ns(l);
	l->timer.is_running = true;
	l->timer.deadline_ns = now_ns(l) + wait;
	arm(l);
}

/* One that has ended but was not yet looked after is 0, or in its next period. */
u32 carve_lapic_timer_count(const struct carve_lapic *l)
{
	u64 initial = lapic_reg(l, CARVE_LAPIC_INITIAL), now, left, count;

	if (!l->timer.is_running || timer_mode(l) >= DEADLINE || !initial)
		return 0;
	now = now_ns(l);
	if (now < l->timer.deadline_ns)
		left = l->timer.deadline_ns - now;
	else if (timer_mode(l) == PERIODIC)
		left = period_ns(l) - (now - l->timer.deadline_ns) % period_ns(l);
	else
		return 0;
	count = (left + count_ns(l) - 1) / count_ns(l);
	return (u32)(count < initial ? count : initial);
}

void carve_lapic_timer_lvt(struct carve_lapic *l, u32 value)
{
	enum timer_mode old = timer_mode(l);

	carve_lapic_timer_run(l);
	lapic_reg_set(l, CARVE_LAPIC_LVT_TIMER, value);
	/* SDM vol. 3, 11.5.4.1: to or from TSC-deadline mode disarms. */
	if (timer_mode(l) != old && (old >= DEADLINE || timer_mode(l) >= DEADLINE)) {
		lapic_reg_set(l, CARVE_LAPIC_INITIAL, 0);
		carve_lapic_timer_stop(l);
		return;
	}
	arm(l);
}

void carve_lapic_timer_initial(struct carve_lapic *l, u32 count)
{
	if (timer_mode(l) >= DEADLINE)
		return;
	lapic_reg_set(l, CARVE_LAPIC_INITIAL, count);
	carve_lapic_timer_start(l, count);
}

/* The count that is left goes on at the new speed. */
void carve_lapic_timer_divide(struct carve_lapic *l, u32 value)
{
	u32 count;

	if (timer_mode(l) >= DEADLINE) {
		lapic_reg_set(l, CARVE_LAPIC_DIVIDE, value);
		return;
	}
	carve_lapic_timer_run(l);
	count = carve_lapic_timer_count(l);
	lapic_reg_set(l, CARVE_LAPIC_DIVIDE, value);
	carve_lapic_timer_start(l, count);
}

u64 carve_lapic_deadline_read(const struct carve_lapic *l)
{
	return timer_mode(l) == DEADLINE ? l->timer.tsc_deadline : 0;
}

void carve_lapic_deadline_write(struct carve_lapic *l, u64 tsc)
{
	if (timer_mode(l) != DEADLINE)
		return;
	if (!tsc) {
		carve_lapic_timer_stop(l);
		return;
	}
	l->timer.is_running = true;
	l->timer.tsc_deadline = tsc;
	carve_lapic_timer_run(l);
}

void carve_lapic_tsc_changed(struct carve_lapic *l)
{
	if (timer_mode(l) == DEADLINE)
		carve_lapic_timer_run(l);
}
