// SPDX-License-Identifier: GPL-2.0-or-later
/* The 8254 of carve.ko: what its counters show and when they interrupt, as firmware and kernels use
 * them, and states that a user process made up. */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/pit.h"

#define START 5000000000ULL /* ns */
#define SECOND 1000000000ULL

/** struct fixture - one timer, its host, and what it asked for */
struct fixture {
	struct carve_pit pit;
	uint64_t now;
	uint64_t armed_at; /* 0: not */
	unsigned int n_irqs;
};

static struct fixture x;

static uint64_t on_now(void *ctx)
{
	return x.now;
}

static void on_arm(void *ctx, uint64_t deadline_ns)
{
	x.armed_at = deadline_ns;
}

static void on_disarm(void *ctx)
{
	x.armed_at = 0;
}

static void on_irq(void *ctx)
{
	x.n_irqs++;
}

static const struct carve_pit_ops ops = {
	.now_ns = on_now,
	.arm = on_arm,
	.disarm = on_disarm,
	.irq = on_irq,
};

static void out(uint16_t port, uint8_t value)
{
	carve_pit_write(&x.pit, port, value);
}

static uint8_t in(uint16_t port)
{
	return carve_pit_read(&x.pit, port);
}

static void load(unsigned int channel, uint8_t mode, uint16_t count)
{
	out(0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out((uint16_t)(0x40 + channel), (uint8_t)count);
	out((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static uint16_t read_word(unsigned int channel)
{
	uint8_t low = in((uint16_t)(0x40 + channel));

	return (uint16_t)(in((uint16_t)(0x40 + channel)) << 8 | low);
}

/* In clocks of the timer, rounded up. */
static uint64_t ns(uint64_t clocks)
{
	return (clocks * SECOND + CARVE_PIT_HZ - 1) / CARVE_PIT_HZ;
}

static void at(uint64_t clocks)
{
	x.now = START + ns(clocks);
}

/* Time goes on, and the host calls when it was told to. */
static void pass_until(uint64_t end)
{
	while (x.armed_at && x.armed_at <= end) {
		x.now = x.armed_at > x.now ? x.armed_at : x.now;
		carve_pit_run(&x.pit);
	}
	x.now = end;
}

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	x.now = START;
	carve_pit_init(&x.pit, &ops, &x);
	return 0;
}

static void test_nobody_programmed_it(void **state)
{
	assert_int_equal(x.armed_at, 0);
	pass_until(START + 100 * SECOND);
	assert_int_equal(x.n_irqs, 0);
	assert_int_equal(in(0x43), 0xff);
	assert_int_equal(in(0x44), 0xff);
	assert_int_equal(in(0x3f), 0xff);
	out(0x44, 0x12); /* not ours */
	out(0x3f, 0x12);
	assert_int_equal(read_word(0), 0);
	out(0x43, 0x34);
	assert_int_equal(read_word(0), 0); /* as yet 65536 */
	out(0x43, 0x35);
	assert_int_equal(read_word(0), 0); /* 10000 */
}

static void test_rate_generator(void **state)
{
	load(0, 2, 11932); /* 100 Hz */
	assert_int_equal(read_word(0), 11932);
	at(932);
	assert_int_equal(read_word(0), 11000);
	assert_true(carve_pit_output(&x.pit, 0));
	at(11931);
	assert_false(carve_pit_output(&x.pit, 0));
	at(11932);
	assert_true(carve_pit_output(&x.pit, 0));
	assert_int_equal(read_word(0), 11932);
	assert_true(carve_pit_run(&x.pit));
	assert_false(carve_pit_run(&x.pit));
	assert_int_equal(x.n_irqs, 1);
}

static void test_square_wave(void **state)
{
	load(0, 3, 10001);
	assert_true(carve_pit_output(&x.pit, 0));
	at(5000);
	assert_true(carve_pit_output(&x.pit, 0));
	at(5001);
	assert_false(carve_pit_output(&x.pit, 0));
	at(10001);
	assert_true(carve_pit_output(&x.pit, 0));
	load(0, 3, 10000);
	x.now += ns(1000);
	assert_int_equal(read_word(0), 8000); /* by two */
	x.now += ns(5000);
	assert_int_equal(read_word(0), 8000); /* the second time round */
}

static void test_interrupts_do_not_drift(void **state)
{
	load(0, 2, 11932);
	for (unsigned int i = 1; i <= 1000; i++) {
		assert_true(x.armed_at == START + ns(11932ULL * i));
		x.now = x.armed_at + 777; /* the host is always late */
		assert_true(carve_pit_run(&x.pit));
	}
	/* ten seconds, and a part of a clock */
	assert_true(x.now - START > 10 * SECOND && x.now - START < 10 * SECOND + 1000000);
	assert_int_equal(x.n_irqs, 1000);
}

static void test_missed_periods_are_one_interrupt_in_phase(void **state)
{
	load(0, 3, 11932);
	at(11932 * 7 + 5);
	assert_true(carve_pit_run(&x.pit));
	assert_false(carve_pit_run(&x.pit));
	assert_int_equal(x.n_irqs, 1);
	assert_true(x.armed_at == START + ns(11932ULL * 8));
}

static void test_a_count_of_zero_is_the_longest(void **state)
{
	load(0, 3, 0);
	assert_true(x.armed_at == START + ns(65536));
	assert_int_equal(read_word(0), 0);
	load(0, 2, 0);
	at(1);
	assert_int_equal(read_word(0), 0xffff);
}

static void test_the_host_is_not_flooded(void **state)
{
	load(0, 2, 2);
	pass_until(START + SECOND / 100);
	assert_true(x.n_irqs > 90 && x.n_irqs <= 101);
	load(0, 2, 1);
	pass_until(x.now + SECOND / 100);
	assert_true(x.n_irqs > 180 && x.n_irqs <= 202);
}

static void test_interrupt_on_terminal_count(void **state)
{
	load(0, 0, 1000);
	assert_false(carve_pit_output(&x.pit, 0));
	at(999);
	assert_int_equal(read_word(0), 1);
	assert_false(carve_pit_output(&x.pit, 0));
	at(1000);
	assert_true(carve_pit_output(&x.pit, 0));
	assert_true(carve_pit_run(&x.pit));
	assert_int_equal(x.armed_at, 0);
	/* goes on around, and interrupts no more */
	at(1001);
	assert_int_equal(read_word(0), 0xffff);
	pass_until(START + SECOND);
	assert_int_equal(x.n_irqs, 1);
}

static void test_the_first_byte_of_two_stops_mode_0(void **state)
{
	load(0, 0, 1000);
	out(0x40, 0xe8);
	assert_int_equal(x.armed_at, 0);
	at(5000);
	out(0x40, 0x03);
	assert_true(x.armed_at == x.now + ns(1000));
	assert_false(carve_pit_output(&x.pit, 0));
}

static void test_software_strobe(void **state)
{
	load(0, 4, 1000);
	assert_true(carve_pit_output(&x.pit, 0));
	at(1000);
	assert_false(carve_pit_output(&x.pit, 0));
	assert_true(carve_pit_run(&x.pit));
	at(1001);
	assert_true(carve_pit_output(&x.pit, 0));
	pass_until(START + SECOND);
	assert_int_equal(x.n_irqs, 1);
}

static void test_a_new_control_word_stops(void **state)
{
	load(0, 2, 11932);
	out(0x43, 0x34);
	assert_int_equal(x.armed_at, 0);
	assert_true(carve_pit_output(&x.pit, 0));
	out(0x43, 0x30);
	assert_false(carve_pit_output(&x.pit, 0));
	out(0x40, 0x10);
	assert_int_equal(x.armed_at, 0); /* one byte of two */
	out(0x40, 0x27);
	assert_true(x.armed_at == START + ns(10000));
}

static void test_modes_6_and_7_are_2_and_3(void **state)
{
	load(0, 6, 1000);
	assert_int_equal(x.pit.channels[0].mode, 2);
	load(0, 7, 1000);
	assert_int_equal(x.pit.channels[0].mode, 3);
}

static void test_bytes_of_a_count(void **state)
{
	out(0x43, 0x14); /* low byte only, mode 2 */
	out(0x40, 0x80);
	assert_true(x.armed_at == START + ns(0x80));
	assert_int_equal(in(0x40), 0x80);
	assert_int_equal(in(0x40), 0x80);
	out(0x43, 0x24); /* high byte only */
	out(0x40, 0x12);
	assert_true(x.armed_at == START + ns(0x1200));
	assert_int_equal(in(0x40), 0x12);
	at(1);
	assert_int_equal(in(0x40), 0x11);
}

static void test_bcd(void **state)
{
	out(0x43, 0x35); /* mode 2, BCD */
	out(0x40, 0x34);
	out(0x40, 0x12);
	assert_true(x.armed_at == START + ns(1234));
	assert_int_equal(read_word(0), 0x1234);
	at(235);
	assert_int_equal(read_word(0), 0x0999);
	out(0x40, 0);
	out(0x40, 0);
	assert_true(x.armed_at == x.now + ns(10000));
	out(0x40, 0xff); /* no digits: no harm */
	out(0x40, 0xff);
	assert_true(x.armed_at == x.now + ns(10000));
	out(0x43, 0x31); /* mode 0: around from zero to 9999 */
	out(0x40, 0x05);
	out(0x40, 0);
	x.now += ns(6);
	assert_int_equal(read_word(0), 0x9999);
	load(0, 2, 20000); /* no digits any more */
	out(0x43, 0x34);
	assert_int_equal(read_word(0), 20000);
}

static void test_latch(void **state)
{
	load(0, 2, 1000);
	at(100);
	out(0x43, 0x00);
	at(200);
	out(0x43, 0x00); /* the first one stays */
	at(300);
	assert_int_equal(read_word(0), 900);
	assert_int_equal(read_word(0), 700);
	/* a control word forgets it */
	out(0x43, 0x80);
	out(0x43, 0xb4);
	assert_int_equal(x.pit.channels[2].latched_left, 0);
	/* half read, then latched again: the rest is of the first */
	out(0x43, 0x00);
	assert_int_equal(in(0x40), 700 & 0xff);
	at(400);
	out(0x43, 0x00);
	assert_int_equal(in(0x40), 700 >> 8);
	assert_int_equal(read_word(0), 600);
}

static void test_read_back(void **state)
{
	load(0, 2, 1000);
	load(2, 0, 500);
	at(100);
	out(0x43, 0xc2); /* count and status of 0 */
	assert_int_equal(in(0x40), 0x80 | 0x30 | 2 << 1);
	at(150);
	assert_int_equal(read_word(0), 900);
	assert_int_equal(read_word(0), 850);
	out(0x43, 0xea); /* status of 0 and 2 */
	out(0x43, 0xea);
	assert_int_equal(in(0x42), 0x30);
	assert_int_equal(in(0x40), 0xb4);
	assert_int_equal(read_word(0), 850); /* nothing was latched twice */
	out(0x43, 0xd2);		     /* count of 0 */
	at(160);
	assert_int_equal(read_word(0), 850);
	out(0x43, 0x34);
	out(0x43, 0xe2);
	assert_int_equal(in(0x40), 0x80 | 0x40 | 0x34); /* no count yet */
}

/* As kernels find out how fast the TSC is. */
static void test_calibration_with_channel_2(void **state)
{
	out(0x61, 0x01);
	load(2, 0, 11932);
	assert_int_equal(in(0x61) & 0x21, 0x01);
	at(11931);
	assert_int_equal(in(0x61) & 0x20, 0);
	at(11932);
	assert_int_equal(in(0x61) & 0x20, 0x20);
	assert_int_equal(x.n_irqs + x.armed_at, 0);
}

static void test_the_gate_stops_and_resumes(void **state)
{
	out(0x61, 0x01);
	load(2, 0, 1000);
	at(400);
	out(0x61, 0x00);
	at(5000);
	assert_int_equal(read_word(2), 600);
	assert_int_equal(in(0x61) & 0x20, 0);
	out(0x61, 0x03);
	x.now += ns(599);
	assert_int_equal(read_word(2), 1);
	x.now += ns(1);
	assert_int_equal(in(0x61) & 0x23, 0x23);
}

static void test_the_gate_starts_periods_anew(void **state)
{
	out(0x61, 0x01);
	load(2, 3, 1000);
	at(700);
	assert_false(carve_pit_output(&x.pit, 2));
	out(0x61, 0x00);
	assert_true(carve_pit_output(&x.pit, 2)); /* at once */
	at(9000);
	out(0x61, 0x01);
	assert_int_equal(read_word(2), 1000);
	/* a count that is loaded while the gate is low waits */
	out(0x61, 0x00);
	load(2, 2, 500);
	at(9900);
	assert_int_equal(read_word(2), 500);
}

static void test_the_gate_triggers(void **state)
{
	load(2, 1, 1000);
	assert_true(carve_pit_output(&x.pit, 2));
	at(5000);
	assert_true(carve_pit_output(&x.pit, 2));
	out(0x61, 0x01);
	assert_false(carve_pit_output(&x.pit, 2));
	out(0x61, 0x00); /* its fall does nothing */
	at(5999);
	assert_false(carve_pit_output(&x.pit, 2));
	out(0x61, 0x01); /* again, from the start */
	at(6500);
	assert_false(carve_pit_output(&x.pit, 2));
	at(7000);
	assert_true(carve_pit_output(&x.pit, 2));
	out(0x61, 0x00);
	load(2, 5, 100);
	assert_true(carve_pit_output(&x.pit, 2));
	out(0x61, 0x01);
	x.now += ns(100);
	assert_false(carve_pit_output(&x.pit, 2));
	/* counter 0 has no gate to trigger it */
	load(0, 1, 100);
	assert_int_equal(x.armed_at, 0);
}

static void test_refresh_toggles(void **state)
{
	uint8_t last = in(0x61) & 0x10;
	unsigned int n = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		uint8_t now;

		x.now += 1000;
		now = in(0x61) & 0x10;
		n += now != last;
		last = now;
	}
	assert_in_range(n, 65, 67); /* each 15 us in a millisecond */
}

static void test_a_state_moves(void **state)
{
	struct kvm_pit_state2 s, again;

	load(0, 2, 11932);
	out(0x61, 0x03);
	load(2, 0, 1000);
	out(0x43, 0xce); /* latch all there is */
	out(0x42, 0x11); /* half a count */
	at(11932 * 3 + 1000);
	out(0x61, 0x02);
	carve_pit_run(&x.pit);
	carve_pit_state_get(&x.pit, &s);
	assert_int_equal(s.channels[0].count, 11932);
	assert_true(s.channels[0].count_load_time == (int64_t)START);
	assert_int_equal(s.channels[1].count_load_time, 0);
	assert_int_equal(s.flags, KVM_PIT_FLAGS_SPEAKER_DATA_ON);
	carve_pit_init(&x.pit, &ops, &x);
	x.armed_at = 0;
	x.n_irqs = 0;
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	carve_pit_state_get(&x.pit, &again);
	assert_memory_equal(&s, &again, sizeof(s));
	assert_true(x.armed_at == START + ns(11932ULL * 4));
	assert_int_equal(x.n_irqs, 0);
	assert_int_equal(in(0x40), 0xb4);
	assert_int_equal(read_word(0), 11932);
	assert_int_equal(read_word(0), 10932);
}

static void test_a_stopped_counter_moves(void **state)
{
	struct kvm_pit_state2 s;

	out(0x61, 0x01);
	load(2, 0, 1000);
	at(400);
	out(0x61, 0x00);
	at(7000);
	carve_pit_state_get(&x.pit, &s);
	carve_pit_init(&x.pit, &ops, &x);
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	x.now += SECOND;
	assert_in_range(read_word(2), 599, 600);
}

static void test_a_one_shot_that_has_fired_does_not_again(void **state)
{
	struct kvm_pit_state2 s;

	load(0, 0, 1000);
	at(2000);
	carve_pit_run(&x.pit);
	carve_pit_state_get(&x.pit, &s);
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	assert_int_equal(x.armed_at, 0);
	assert_true(carve_pit_output(&x.pit, 0));
}

static void test_reset_forgets(void **state)
{
	struct kvm_pit_state2 s;

	load(0, 2, 11932);
	out(0x61, 0x03);
	carve_pit_reset(&x.pit);
	assert_int_equal(x.armed_at, 0);
	carve_pit_state_get(&x.pit, &s);
	assert_int_equal(s.flags, 0);
	assert_int_equal(s.channels[2].gate, 0);
	assert_int_equal(s.channels[0].count, 65536);
	assert_int_equal(s.channels[0].count_load_time, 0);
	/* those of 0 and 1 are wired, whatever is set */
	s.channels[0].gate = 0;
	s.channels[1].gate = 0;
	s.channels[2].mode = 5;
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	carve_pit_state_get(&x.pit, &s);
	assert_int_equal(s.channels[0].gate + s.channels[1].gate, 2);
	assert_int_equal(s.channels[2].mode, 5);
}

static void test_an_hpet_takes_its_place(void **state)
{
	struct kvm_pit_state2 s;

	load(0, 2, 11932);
	carve_pit_state_get(&x.pit, &s);
	s.flags = KVM_PIT_FLAGS_HPET_LEGACY;
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	assert_int_equal(x.armed_at, 0);
	load(0, 2, 11932);
	assert_int_equal(x.armed_at, 0);
	s.flags = 0;
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	assert_true(x.armed_at != 0);
}

static void test_a_hostile_state_is_cut_to_shape(void **state)
{
	struct kvm_pit_state2 s, got;

	memset(&s, 0xff, sizeof(s));
	assert_int_equal(carve_pit_state_set(&x.pit, &s), -EINVAL);
	assert_int_equal(x.pit.channels[0].is_counting, false);
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++) {
		s.channels[i].count = 65536;
		s.channels[i].count_load_time = INT64_MAX;
	}
	s.channels[2].mode = 2;
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	carve_pit_state_get(&x.pit, &got);
	assert_int_equal(got.channels[0].mode, 3);
	assert_int_equal(got.channels[0].count_load_time, 0);
	assert_int_equal(got.channels[0].count, 10000); /* BCD */
	assert_int_equal(got.channels[0].count_latched, 0);
	assert_int_equal(got.channels[0].read_state, 3);
	assert_true(got.channels[2].count_load_time == (int64_t)START);
	assert_int_equal(got.flags, 3);
	assert_int_equal(got.reserved[8], 0);
}

static void test_times_of_a_hostile_state(void **state)
{
	struct kvm_pit_state2 s = { .channels[0] = {
					    .count = 1, .mode = 2, .count_load_time = 1 } };

	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	pass_until(START + SECOND / 100);
	assert_true(x.n_irqs > 0 && x.n_irqs <= 101);
	x.now = (uint64_t)INT64_MAX;
	assert_true(carve_pit_run(&x.pit));
	assert_true(x.armed_at > x.now && x.armed_at < x.now + SECOND);
	s.channels[0].count = 0;
	s.channels[0].count_load_time = INT64_MIN;
	assert_int_equal(carve_pit_state_set(&x.pit, &s), 0);
	assert_true(x.armed_at == x.now + ns(65536));
}

#define TEST(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_programmed_it),
		TEST(test_rate_generator),
		TEST(test_square_wave),
		TEST(test_interrupts_do_not_drift),
		TEST(test_missed_periods_are_one_interrupt_in_phase),
		TEST(test_a_count_of_zero_is_the_longest),
		TEST(test_the_host_is_not_flooded),
		TEST(test_interrupt_on_terminal_count),
		TEST(test_the_first_byte_of_two_stops_mode_0),
		TEST(test_software_strobe),
		TEST(test_a_new_control_word_stops),
		TEST(test_modes_6_and_7_are_2_and_3),
		TEST(test_bytes_of_a_count),
		TEST(test_bcd),
		TEST(test_latch),
		TEST(test_read_back),
		TEST(test_calibration_with_channel_2),
		TEST(test_the_gate_stops_and_resumes),
		TEST(test_the_gate_starts_periods_anew),
		TEST(test_the_gate_triggers),
		TEST(test_refresh_toggles),
		TEST(test_a_state_moves),
		TEST(test_a_stopped_counter_moves),
		TEST(test_a_one_shot_that_has_fired_does_not_again),
		TEST(test_reset_forgets),
		TEST(test_an_hpet_takes_its_place),
		TEST(test_a_hostile_state_is_cut_to_shape),
		TEST(test_times_of_a_hostile_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
