// SPDX-License-Identifier: GPL-2.0-or-later
/* The timer of the local APIC of a vCPU of carve.ko, and states that a user process made up. */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lapic_cpu.h"

#define MSR(reg) (CARVE_LAPIC_MSR + (reg) / 16)

static struct lapic_cpu x;

static void write_reg(uint32_t reg, uint32_t value)
{
	lapic_cpu_write(&x, reg, value);
}

static uint32_t read_reg(uint32_t reg)
{
	return lapic_cpu_read(&x, reg);
}

static int setup(void **state)
{
	lapic_cpu_enable(&x);
	return 0;
}

static int setup_x2apic(void **state)
{
	setup(state);
	return carve_lapic_base_write(&x.l, x.l.base | CARVE_LAPIC_BASE_X2APIC);
}

static uint64_t read_msr(uint32_t reg)
{
	uint64_t value = 0;

	assert_int_equal(carve_lapic_msr_read(&x.l, MSR(reg), &value), 0);
	return value;
}

static void make(uint32_t id, bool is_bsp)
{
	lapic_cpu_init(&x, id, is_bsp);
}

/* --- timer --- */

static void test_one_shot(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb); /* by 1 */
	write_reg(CARVE_LAPIC_INITIAL, 500);
	assert_int_equal(x.armed_at, 1500);
	x.now += 100;
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 400);
	assert_false(carve_lapic_timer_run(&x.l)); /* early */
	assert_int_equal(x.armed_at, 1500);
	assert_int_equal(lapic_cpu_pass(&x, 399), 0);
	assert_int_equal(lapic_cpu_pass(&x, 1), 1);
	assert_int_equal(carve_lapic_ack(&x.l), 0xe1);
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 0);
	assert_int_equal(lapic_cpu_pass(&x, 10000), 0);
	assert_int_equal(x.armed_at, 0);
}

static void test_dividers(void **state)
{
	static const struct {
		uint32_t code;
		unsigned int by;
	} dividers[] = { { 0, 2 },  { 1, 4 },  { 2, 8 },    { 3, 16 },
			 { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 } };

	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	for (size_t i = 0; i < 8; i++) {
		write_reg(CARVE_LAPIC_INITIAL, 0);
		write_reg(CARVE_LAPIC_DIVIDE, dividers[i].code);
		write_reg(CARVE_LAPIC_INITIAL, 1000);
		assert_int_equal(x.armed_at - x.now, 1000 * dividers[i].by);
	}
}

static void test_a_new_divider_keeps_the_count(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	x.now += 400;
	write_reg(CARVE_LAPIC_DIVIDE, 0); /* by 2 */
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 600);
	assert_int_equal(x.armed_at, x.now + 1200);
}

static void test_periods_do_not_drift(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	for (unsigned int i = 1; i <= 1000; i++) {
		x.now = x.armed_at + 37; /* the host is always late */
		assert_true(carve_lapic_timer_run(&x.l));
		assert_int_equal(x.armed_at, 1000 + 1000 * (i + 1));
		assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 963);
		assert_int_equal(carve_lapic_ack(&x.l), 0xe1);
		carve_lapic_eoi(&x.l);
	}
}

static void test_missed_periods_are_one_interrupt_in_phase(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	x.now = 1000 + 5300;
	/* nobody has called yet: the count is that of the sixth period */
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 700);
	assert_true(carve_lapic_timer_run(&x.l));
	assert_int_equal(x.armed_at, 1000 + 6000);
	assert_false(carve_lapic_timer_run(&x.l));
	assert_int_equal(carve_lapic_ack(&x.l), 0xe1);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
}

static void test_a_masked_timer_costs_nothing_and_counts(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | CARVE_LAPIC_LVT_MASKED | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	assert_int_equal(x.armed_at, 0);
	x.now += 2300;
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 700);
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT); /* what it missed is gone */
	assert_int_equal(x.armed_at, 4000);
	/* one that ended before it is masked is delivered */
	x.now = 4100;
	write_reg(CARVE_LAPIC_SVR, 0xff);
	assert_int_equal(carve_lapic_pending(&x.l), 0xe1);
	assert_int_equal(x.armed_at, 0);
}

static void test_a_count_of_zero_stops(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	assert_true(x.armed_at != 0);
	write_reg(CARVE_LAPIC_INITIAL, 0);
	assert_int_equal(x.armed_at, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 0);
}

static void test_the_host_is_not_flooded(void **state)
{
	x.l.config.min_period_ns = 100000;
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1);
	assert_int_equal(lapic_cpu_pass(&x, 10000000), 100);
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1); /* the guest itself must arm this one each time */
	write_reg(CARVE_LAPIC_INITIAL, 1);
	assert_int_equal(x.armed_at, x.now + 1);
}

static void test_the_longest_count_fits(void **state)
{
	x.l.config.cycle_ns = CARVE_LAPIC_CYCLE_MAX;
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xa); /* by 128 */
	write_reg(CARVE_LAPIC_INITIAL, 0xffffffff);
	assert_true(x.armed_at == 1000 + 0xffffffffULL * 128 * CARVE_LAPIC_CYCLE_MAX);
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 0xffffffff);
}

static void test_tsc_deadline(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe2);
	carve_lapic_deadline_write(&x.l, lapic_cpu_tsc(&x) + 2 * 5000); /* 5 us */
	assert_int_equal(x.armed_at, 6000);
	assert_true(carve_lapic_deadline_read(&x.l) == 12000);
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 0);
	assert_int_equal(lapic_cpu_pass(&x, 4999), 0);
	assert_int_equal(lapic_cpu_pass(&x, 1), 1);
	assert_int_equal(carve_lapic_ack(&x.l), 0xe2);
	assert_true(carve_lapic_deadline_read(&x.l) == 0);
	carve_lapic_eoi(&x.l);
	/* one that has passed fires at once */
	carve_lapic_deadline_write(&x.l, 1);
	assert_int_equal(carve_lapic_ack(&x.l), 0xe2);
	assert_int_equal(x.armed_at, 0);
	/* the initial count does nothing in this mode */
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	assert_int_equal(read_reg(CARVE_LAPIC_INITIAL), 0);
	assert_int_equal(x.armed_at, 0);
}

static void test_deadlines_at_the_end_of_time(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe2);
	carve_lapic_deadline_write(&x.l, ~0ULL);
	assert_true(x.armed_at > x.now && x.armed_at < (uint64_t)INT64_MAX);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_deadline_write(&x.l, 0);
	assert_int_equal(x.armed_at, 0);
	x.l.config.tsc_khz = 1;
	carve_lapic_deadline_write(&x.l, ~0ULL);
	assert_true(x.armed_at > x.now && x.armed_at < (uint64_t)INT64_MAX);
}

static void test_a_change_to_deadline_mode_stops(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	carve_lapic_deadline_write(&x.l, 77); /* not in this mode */
	assert_true(carve_lapic_deadline_read(&x.l) == 0);
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe1);
	assert_int_equal(x.armed_at, 0);
	carve_lapic_deadline_write(&x.l, 1000000);
	assert_true(x.armed_at != 0);
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	assert_int_equal(x.armed_at, 0);
	assert_true(carve_lapic_deadline_read(&x.l) == 0);
	assert_int_equal(lapic_cpu_pass(&x, 1000000), 0);
}

static void test_periodic_to_one_shot_ends_with_this_period(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	assert_int_equal(lapic_cpu_pass(&x, 2500), 2);
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	assert_int_equal(x.armed_at, 4000);
	assert_int_equal(lapic_cpu_pass(&x, 10000), 1);
}

static void test_init_stops_the_timer(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe2);
	carve_lapic_deadline_write(&x.l, 1000000);
	carve_lapic_reset(&x.l, true);
	assert_int_equal(x.armed_at, 0);
	x.now = 1000000;
	assert_false(carve_lapic_timer_run(&x.l));
}

static void test_switching_off_stops_the_timer(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	assert_int_equal(carve_lapic_base_write(&x.l, CARVE_LAPIC_BASE_DEFAULT), 0);
	assert_int_equal(x.armed_at, 0);
	assert_int_equal(lapic_cpu_pass(&x, 100000), 0);
}

static void test_counts_and_dividers_over_modes(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe1);
	assert_int_equal(read_reg(CARVE_LAPIC_INITIAL), 0);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb); /* for later */
	carve_lapic_deadline_write(&x.l, 1000000);
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 0);
	write_reg(CARVE_LAPIC_DIVIDE, 0xa);
	assert_true(carve_lapic_deadline_read(&x.l) == 1000000);
	assert_int_equal(read_reg(CARVE_LAPIC_DIVIDE), 0xa);
}

static void test_an_end_before_a_new_divider_counts(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	x.now += 1500; /* the host has not called yet */
	write_reg(CARVE_LAPIC_DIVIDE, 0);
	assert_int_equal(carve_lapic_pending(&x.l), 0xe1);
	assert_int_equal(x.armed_at, 0);
}

static void test_the_tsc_is_set(void **state)
{
	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe2);
	carve_lapic_deadline_write(&x.l, 12000);
	assert_int_equal(x.armed_at, 6000);
	x.l.config.tsc_khz = TSC_KHZ / 2;
	carve_lapic_tsc_changed(&x.l);
	assert_int_equal(x.armed_at, 11000);
	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe2);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	x.armed_at = 0;
	carve_lapic_tsc_changed(&x.l); /* has nothing to do with this mode */
	assert_int_equal(x.armed_at, 0);
}

/* --- states --- */

static uint32_t state_reg(const struct kvm_lapic_state *s, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, s->regs + offset, sizeof(value));
	return value;
}

static void state_reg_set(struct kvm_lapic_state *s, uint32_t offset, uint32_t value)
{
	memcpy(s->regs + offset, &value, sizeof(value));
}

static void test_a_state_moves_to_another_vcpu(void **state)
{
	struct kvm_lapic_state s, again;

	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_PERIODIC | 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	write_reg(CARVE_LAPIC_LDR, 0x08000000);
	write_reg(CARVE_LAPIC_ICR2, 0x08000000);
	write_reg(CARVE_LAPIC_ICR, 0x4500);
	write_reg(CARVE_LAPIC_TPR, 0x30);
	carve_lapic_post(&x.l, 0x81, true);
	carve_lapic_ack(&x.l);
	carve_lapic_post(&x.l, 0x92, false);
	x.now += 300;
	carve_lapic_state_get(&x.l, false, &s);
	assert_int_equal(state_reg(&s, CARVE_LAPIC_CURRENT), 700);
	assert_int_equal(state_reg(&s, CARVE_LAPIC_PPR), 0x80);
	make(3, false);
	x.now = 50000;
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(x.armed_at, 50700);
	carve_lapic_state_get(&x.l, false, &again);
	assert_memory_equal(&s, &again, sizeof(s));
	assert_int_equal(carve_lapic_ack(&x.l), 0x92);
	carve_lapic_eoi(&x.l);
	carve_lapic_eoi(&x.l);
	assert_int_equal(x.eoi, 0x81);
}

static void test_a_state_has_what_ended_and_what_failed(void **state)
{
	struct kvm_lapic_state s;

	write_reg(CARVE_LAPIC_LVT_TIMER, 0xe1);
	write_reg(CARVE_LAPIC_DIVIDE, 0xb);
	write_reg(CARVE_LAPIC_INITIAL, 1000);
	read_reg(0);
	write_reg(CARVE_LAPIC_ESR, 0);
	x.now += 1000; /* the host has not called yet */
	carve_lapic_state_get(&x.l, false, &s);
	assert_int_equal(state_reg(&s, CARVE_LAPIC_IRR + 0x70), 1 << 1);
	assert_int_equal(state_reg(&s, CARVE_LAPIC_CURRENT), 0);
	make(3, false);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_REGISTER);
	assert_int_equal(carve_lapic_pending(&x.l), 0xe1);
}

static void test_formats_of_the_id(void **state)
{
	struct kvm_lapic_state s;

	carve_lapic_state_get(&x.l, false, &s);
	assert_int_equal(state_reg(&s, CARVE_LAPIC_ID), 3 << 24);
	state_reg_set(&s, CARVE_LAPIC_ID, 99U << 24); /* as the guest's own write: without effect */
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(read_msr(CARVE_LAPIC_ID), 3);
	carve_lapic_state_get(&x.l, true, &s);
	assert_int_equal(state_reg(&s, CARVE_LAPIC_ID), 3);
	state_reg_set(&s, CARVE_LAPIC_LDR, 0x55); /* follows from the ID */
	assert_int_equal(carve_lapic_state_set(&x.l, true, &s), 0);
	assert_int_equal(read_msr(CARVE_LAPIC_LDR), 8);
	state_reg_set(&s, CARVE_LAPIC_ID, 4);
	state_reg_set(&s, CARVE_LAPIC_TPR, 0x50);
	assert_int_equal(carve_lapic_state_set(&x.l, true, &s), -EINVAL);
	assert_int_equal(read_msr(CARVE_LAPIC_TPR), 0);
	state_reg_set(&s, CARVE_LAPIC_ICR2, 0xdeadbeef);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_true(read_msr(CARVE_LAPIC_ICR) == 0xdeadbeefULL << 32);
	assert_int_equal(x.n_ipis, 0);
}

static void test_a_hostile_state_is_cut_to_shape(void **state)
{
	struct kvm_lapic_state s, got;

	memset(&s, 0xff, sizeof(s));
	assert_int_equal(carve_lapic_state_set(&x.l, true, &s), 0);
	carve_lapic_state_get(&x.l, true, &got);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_ID), 3 << 24);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_VERSION), 0x50014);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_TPR), 0xff);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_SVR), 0x3ff);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_LVT_TIMER), 0x700ff);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_DIVIDE), 0xb);
	assert_int_equal(state_reg(&got, 0x3f0), 0);
	assert_int_equal(x.armed_at, 0); /* there is no timer mode 3 */
	/* vectors of exceptions can be set, but are never given to the CPU */
	memset(&s, 0, sizeof(s));
	state_reg_set(&s, CARVE_LAPIC_IRR, 0xffff);
	state_reg_set(&s, CARVE_LAPIC_ISR, 0x8000);
	assert_int_equal(carve_lapic_state_set(&x.l, true, &s), 0);
	carve_lapic_state_get(&x.l, true, &got);
	assert_int_equal(state_reg(&got, CARVE_LAPIC_IRR), 0xffff);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_eoi(&x.l);
	assert_int_equal(x.l.isr_top, -1);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
}

static void test_counts_of_a_hostile_state(void **state)
{
	struct kvm_lapic_state s;

	carve_lapic_state_get(&x.l, false, &s);
	state_reg_set(&s, CARVE_LAPIC_DIVIDE, 0xb);
	state_reg_set(&s, CARVE_LAPIC_LVT_TIMER, 0xe1);
	state_reg_set(&s, CARVE_LAPIC_INITIAL, 100);
	state_reg_set(&s, CARVE_LAPIC_CURRENT, 0xffffffff);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(read_reg(CARVE_LAPIC_CURRENT), 100);
	assert_int_equal(x.armed_at, x.now + 100);
	/* a one-shot timer that had ended does not fire again */
	state_reg_set(&s, CARVE_LAPIC_CURRENT, 0);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(x.armed_at, 0);
	/* nor does one of TSC-deadline mode have a count */
	state_reg_set(&s, CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe1);
	state_reg_set(&s, CARVE_LAPIC_CURRENT, 50);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(x.armed_at, 0);
	/* without an initial count there is none */
	state_reg_set(&s, CARVE_LAPIC_INITIAL, 0);
	state_reg_set(&s, CARVE_LAPIC_CURRENT, 5);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(x.armed_at, 0);
}

static void test_a_deadline_outlives_the_state(void **state)
{
	struct kvm_lapic_state s;

	write_reg(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE | 0xe2);
	carve_lapic_deadline_write(&x.l, 12000);
	carve_lapic_state_get(&x.l, false, &s);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_int_equal(x.armed_at, 6000);
	assert_int_equal(lapic_cpu_pass(&x, 5000), 1);
}

static void test_a_software_disabled_state_keeps_lint0(void **state)
{
	struct kvm_lapic_state s;

	make(0, false);
	carve_lapic_state_get(&x.l, false, &s);
	state_reg_set(&s, CARVE_LAPIC_LVT_LINT0, CARVE_APIC_EXTINT << 8);
	assert_int_equal(carve_lapic_state_set(&x.l, false, &s), 0);
	assert_true(carve_lapic_accepts_extint(&x.l));
}

#define IN_XAPIC(test) cmocka_unit_test_setup(test, setup)
#define IN_X2APIC(test) cmocka_unit_test_setup(test, setup_x2apic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_XAPIC(test_one_shot),
		IN_XAPIC(test_dividers),
		IN_XAPIC(test_a_new_divider_keeps_the_count),
		IN_XAPIC(test_periods_do_not_drift),
		IN_XAPIC(test_missed_periods_are_one_interrupt_in_phase),
		IN_XAPIC(test_a_masked_timer_costs_nothing_and_counts),
		IN_XAPIC(test_a_count_of_zero_stops),
		IN_XAPIC(test_the_host_is_not_flooded),
		IN_XAPIC(test_the_longest_count_fits),
		IN_XAPIC(test_tsc_deadline),
		IN_XAPIC(test_deadlines_at_the_end_of_time),
		IN_XAPIC(test_a_change_to_deadline_mode_stops),
		IN_XAPIC(test_periodic_to_one_shot_ends_with_this_period),
		IN_XAPIC(test_init_stops_the_timer),
		IN_XAPIC(test_switching_off_stops_the_timer),
		IN_XAPIC(test_counts_and_dividers_over_modes),
		IN_XAPIC(test_an_end_before_a_new_divider_counts),
		IN_XAPIC(test_the_tsc_is_set),
		IN_XAPIC(test_a_state_moves_to_another_vcpu),
		IN_XAPIC(test_a_state_has_what_ended_and_what_failed),
		IN_X2APIC(test_formats_of_the_id),
		IN_XAPIC(test_a_hostile_state_is_cut_to_shape),
		IN_XAPIC(test_counts_of_a_hostile_state),
		IN_XAPIC(test_a_deadline_outlives_the_state),
		IN_XAPIC(test_a_software_disabled_state_keeps_lint0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
