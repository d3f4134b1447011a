// SPDX-License-Identifier: GPL-2.0-or-later
/* The IOAPIC of carve.ko: edges and levels, remote IRR, what is masked, and states that a user
 * process made up. */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/ioapic.h"

#define PIN 5
#define VECTOR 0x41

/** struct fixture - one IOAPIC, and what it sent */
struct fixture {
	struct carve_ioapic io;
	bool refuses; /* no local APIC takes anything */
	bool lowers;  /* the source lowers its line when it is asked */
	bool raises;  /* and raises it again */
	unsigned int n_sent;
	struct carve_apic_msg sent; /* the last */
	unsigned int n_resamples;
	unsigned int resampled; /* the last pin */
};

static struct fixture x;

static bool on_deliver(void *ctx, const struct carve_apic_msg *msg)
{
	assert_ptr_equal(ctx, &x);
	if (x.refuses)
		return false;
	x.n_sent++;
	x.sent = *msg;
	return true;
}

static void on_resample(void *ctx, unsigned int pin)
{
	x.n_resamples++;
	x.resampled = pin;
	if (x.lowers)
		carve_ioapic_set_line(&x.io, pin, 0, false);
	if (x.raises)
		carve_ioapic_set_line(&x.io, pin, 0, true);
}

static const struct carve_ioapic_ops ops = { .deliver = on_deliver, .resample = on_resample };

static void write_reg(uint32_t reg, uint32_t value)
{
	carve_ioapic_write(&x.io, CARVE_IOAPIC_SELECT, reg);
	carve_ioapic_write(&x.io, CARVE_IOAPIC_WINDOW, value);
}

static uint32_t read_reg(uint32_t reg)
{
	carve_ioapic_write(&x.io, CARVE_IOAPIC_SELECT, reg);
	return carve_ioapic_read(&x.io, CARVE_IOAPIC_WINDOW);
}

static void route(uint32_t lower)
{
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * PIN, lower);
}

static uint32_t lower_half(void)
{
	return read_reg(CARVE_IOAPIC_REG_TABLE + 2 * PIN);
}

static bool in_service(void)
{
	return lower_half() & CARVE_IOAPIC_REMOTE_IRR;
}

static int set_line(bool high)
{
	return carve_ioapic_set_line(&x.io, PIN, 0, high);
}

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	carve_ioapic_init(&x.io, &ops, &x);
	return 0;
}

static void test_registers_after_power_up(void **state)
{
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_ID), 0);
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_VERSION), 0x170020);
	for (uint32_t pin = 0; pin < CARVE_IOAPIC_PINS; pin++) {
		assert_int_equal(read_reg(CARVE_IOAPIC_REG_TABLE + 2 * pin), CARVE_IOAPIC_MASKED);
		assert_int_equal(read_reg(CARVE_IOAPIC_REG_TABLE + 2 * pin + 1), 0);
	}
	assert_int_equal(read_reg(0x40), 0); /* behind the last pin */
	assert_int_equal(read_reg(0xff), 0);
	write_reg(0x40, 0xffffffff);
	assert_int_equal(set_line(true), CARVE_IRQ_IGNORED);
}

static void test_what_can_be_written(void **state)
{
	write_reg(CARVE_IOAPIC_REG_ID, 0xffffffff);
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_ID), 0x0f000000);
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_ARBITRATION), 0x0f000000);
	write_reg(CARVE_IOAPIC_REG_VERSION, 0);
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_VERSION), 0x170020);
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * PIN + 1, 0xffffffff);
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_TABLE + 2 * PIN + 1), 0xff000000);
	route(0xffffffff);
	assert_int_equal(lower_half(), 0x1afff); /* no status, no remote IRR */
	assert_int_equal(read_reg(CARVE_IOAPIC_REG_TABLE + 2 * PIN + 1), 0xff000000);
	carve_ioapic_write(&x.io, CARVE_IOAPIC_SELECT, 0xfffff001);
	assert_int_equal(carve_ioapic_read(&x.io, CARVE_IOAPIC_SELECT), 1);
	assert_int_equal(carve_ioapic_read(&x.io, 0x20), 0);
}

static void test_the_message_of_an_entry(void **state)
{
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * PIN + 1, 0x5a000000);
	route(CARVE_IOAPIC_LOGICAL | CARVE_APIC_LOWEST << 8 | CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(set_line(true), CARVE_IRQ_DELIVERED);
	assert_int_equal(x.sent.dest, 0x5a);
	assert_int_equal(x.sent.vector, VECTOR);
	assert_int_equal(x.sent.delivery, CARVE_APIC_LOWEST);
	assert_true(x.sent.logical && x.sent.level);
	assert_false(x.sent.wide);
	assert_int_equal(x.sent.shorthand, CARVE_APIC_DEST_FIELD);
}

static void test_an_edge_is_sent_once(void **state)
{
	route(VECTOR);
	assert_int_equal(set_line(true), CARVE_IRQ_DELIVERED);
	assert_int_equal(set_line(true), CARVE_IRQ_COALESCED);
	route(VECTOR); /* rewriting the entry is no edge */
	assert_int_equal(x.n_sent, 1);
	assert_false(in_service());
	set_line(false);
	assert_int_equal(set_line(true), CARVE_IRQ_DELIVERED);
	assert_int_equal(x.n_sent, 2);
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_resamples, 0);
}

static void test_an_edge_to_a_masked_pin_is_lost(void **state)
{
	route(CARVE_IOAPIC_MASKED | VECTOR);
	assert_int_equal(set_line(true), CARVE_IRQ_IGNORED);
	route(VECTOR);
	assert_int_equal(x.n_sent, 0);
	set_line(false);
	set_line(true);
	assert_int_equal(x.n_sent, 1);
}

static void test_a_masked_level_waits(void **state)
{
	route(CARVE_IOAPIC_MASKED | CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(set_line(true), CARVE_IRQ_IGNORED);
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(x.n_sent, 1);
	assert_true(in_service());
	set_line(false);
	carve_ioapic_eoi(&x.io, VECTOR);
	/* one that is lowered while masked is none */
	route(CARVE_IOAPIC_MASKED | CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	set_line(false);
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(x.n_sent, 1);
}

static void test_a_level_is_sent_again_after_its_end(void **state)
{
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(set_line(true), CARVE_IRQ_DELIVERED);
	assert_true(in_service());
	set_line(false);
	assert_int_equal(set_line(true), CARVE_IRQ_IGNORED);
	assert_int_equal(x.n_sent, 1);
	carve_ioapic_eoi(&x.io, VECTOR + 1);
	assert_true(in_service());
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 2);
	assert_true(in_service());
	set_line(false);
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 2);
	assert_false(in_service());
}

static void test_the_eoi_register(void **state)
{
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	set_line(false);
	carve_ioapic_write(&x.io, CARVE_IOAPIC_EOI, VECTOR);
	assert_false(in_service());
	assert_int_equal(carve_ioapic_read(&x.io, CARVE_IOAPIC_EOI), 0);
}

static void test_an_end_with_the_line_high_while_masked(void **state)
{
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	route(CARVE_IOAPIC_MASKED | CARVE_IOAPIC_LEVEL | VECTOR);
	assert_true(in_service()); /* a write does not end it */
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_false(in_service());
	assert_int_equal(x.n_sent, 1);
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(x.n_sent, 2);
}

static void test_sources_are_asked_before_the_pin_is_looked_at(void **state)
{
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	x.lowers = true;
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_resamples, 1);
	assert_int_equal(x.resampled, PIN);
	assert_int_equal(x.n_sent, 1);
	/* the device has more: its line is up again before the hook returns, and is sent once */
	set_line(true);
	assert_int_equal(x.n_sent, 2);
	x.raises = true;
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 3);
	assert_true(in_service());
}

static void test_all_pins_of_a_vector_end(void **state)
{
	x.lowers = true;
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * 9, CARVE_IOAPIC_LEVEL | VECTOR);
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	carve_ioapic_set_line(&x.io, 9, 0, true);
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_resamples, 2);
	assert_int_equal(x.n_sent, 2);
}

static void test_a_pin_is_high_while_any_source_is(void **state)
{
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(carve_ioapic_set_line(&x.io, PIN, 0, true), CARVE_IRQ_DELIVERED);
	assert_int_equal(carve_ioapic_set_line(&x.io, PIN, 63, true), CARVE_IRQ_COALESCED);
	carve_ioapic_set_line(&x.io, PIN, 0, false);
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 2);
	carve_ioapic_set_line(&x.io, PIN, 1, true);
	carve_ioapic_set_line(&x.io, PIN, 63, false);
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 3);
	carve_ioapic_set_line(&x.io, PIN, 1, false);
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 3);
}

static void test_pins_and_sources_that_there_are_not(void **state)
{
	assert_int_equal(carve_ioapic_set_line(&x.io, 24, 0, true), -EINVAL);
	assert_int_equal(carve_ioapic_set_line(&x.io, ~0U, 0, true), -EINVAL);
	assert_int_equal(carve_ioapic_set_line(&x.io, 0, 64, true), -EINVAL);
}

static void test_what_nobody_takes_waits(void **state)
{
	x.refuses = true;
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(set_line(true), CARVE_IRQ_IGNORED);
	assert_false(in_service());
	x.refuses = false;
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(x.n_sent, 1);
	assert_true(in_service());
}

static void test_an_entry_made_an_edge_forgets(void **state)
{
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	route(VECTOR);
	assert_false(in_service());
	assert_int_equal(x.n_sent, 1); /* a line that stays high is no edge */
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(x.n_sent, 2); /* but it is a level */
	assert_true(in_service());
}

static void test_nmis_do_not_wait_for_an_end(void **state)
{
	route(CARVE_IOAPIC_LEVEL | CARVE_APIC_NMI << 8 | VECTOR);
	set_line(true);
	assert_int_equal(x.sent.delivery, CARVE_APIC_NMI);
	assert_false(x.sent.level);
	assert_false(in_service());
	set_line(false);
	set_line(true);
	assert_int_equal(x.n_sent, 2);
}

static void test_reset_masks_and_keeps_lines(void **state)
{
	struct kvm_ioapic_state s;

	route(CARVE_IOAPIC_LEVEL | VECTOR);
	set_line(true);
	write_reg(CARVE_IOAPIC_REG_ID, 0x05000000);
	carve_ioapic_reset(&x.io);
	carve_ioapic_state_get(&x.io, &s);
	assert_true(s.base_address == CARVE_IOAPIC_BASE);
	assert_int_equal(s.irr, 0);
	assert_int_equal(s.id, 0);
	assert_int_equal(s.ioregsel, 0);
	assert_int_equal(lower_half(), CARVE_IOAPIC_MASKED);
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	assert_int_equal(x.n_sent, 2);
}

static void test_a_state_moves(void **state)
{
	struct kvm_ioapic_state s, again;

	write_reg(CARVE_IOAPIC_REG_ID, 0x07000000);
	route(CARVE_IOAPIC_LEVEL | VECTOR);
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * 9, 0x10000 | CARVE_IOAPIC_LEVEL | 0x51);
	set_line(true);
	carve_ioapic_set_line(&x.io, 9, 0, true);
	carve_ioapic_state_get(&x.io, &s);
	assert_int_equal(s.irr, 1 << PIN | 1 << 9);
	s.base_address = 0xfed00000;
	assert_int_equal(s.redirtbl[PIN].fields.remote_irr, 1);
	assert_int_equal(s.id, 7);
	setup(NULL);
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), 0);
	carve_ioapic_state_get(&x.io, &again);
	assert_memory_equal(&s, &again, sizeof(s));
	assert_int_equal(x.n_sent, 0); /* one is in service, one is masked */
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, 1);
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * 9, CARVE_IOAPIC_LEVEL | 0x51);
	assert_int_equal(x.n_sent, 2);
	carve_ioapic_set_line(&x.io, 9, 0, false); /* as its source does after the move */
	carve_ioapic_eoi(&x.io, 0x51);
	assert_int_equal(x.n_sent, 2);
}

static void test_an_edge_of_a_state_is_delivered_once(void **state)
{
	struct kvm_ioapic_state s;

	route(VECTOR);
	x.refuses = true;
	set_line(true);
	carve_ioapic_state_get(&x.io, &s);
	assert_int_equal(s.irr, 1 << PIN);
	x.refuses = false;
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), 0);
	assert_int_equal(x.n_sent, 1);
	carve_ioapic_state_get(&x.io, &s);
	assert_int_equal(s.irr, 0);
}

static void test_sources_hold_their_lines_over_a_state(void **state)
{
	struct kvm_ioapic_state s;

	route(CARVE_IOAPIC_LEVEL | VECTOR);
	write_reg(CARVE_IOAPIC_REG_TABLE + 2 * 9, CARVE_IOAPIC_LEVEL | 0x51);
	carve_ioapic_state_get(&x.io, &s);
	assert_int_equal(s.irr, 0);
	set_line(true);
	carve_ioapic_set_line(&x.io, 9, 0, true);
	assert_int_equal(x.n_sent, 2);
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), 0);
	assert_int_equal(x.n_sent, 4);
	assert_true(in_service());
}

static void test_a_hostile_state_is_cut_to_shape(void **state)
{
	struct kvm_ioapic_state s, got;

	carve_ioapic_state_get(&x.io, &s);
	memset(&s, 0xff, sizeof(s));
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), -EINVAL);
	s.base_address = 1ULL << 32;
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), -EINVAL);
	assert_int_equal(lower_half(), CARVE_IOAPIC_MASKED);
	s.base_address = CARVE_IOAPIC_BASE;
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), 0);
	carve_ioapic_state_get(&x.io, &got);
	assert_int_equal(got.irr, 0xffffff);
	assert_int_equal(got.id, 0xf);
	assert_int_equal(got.ioregsel, 0xff);
	assert_int_equal(got.pad, 0);
	/* ExtINT: nothing has a remote IRR */
	assert_true(got.redirtbl[0].bits == 0xff0000000001afff);
	assert_int_equal(carve_ioapic_read(&x.io, CARVE_IOAPIC_WINDOW), 0);
	assert_int_equal(x.n_sent, 0);
	/* all pins at once, of one vector, with lines that nobody holds */
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++)
		s.redirtbl[pin].bits = CARVE_IOAPIC_LEVEL | VECTOR;
	assert_int_equal(carve_ioapic_state_set(&x.io, &s), 0);
	assert_int_equal(x.n_sent, CARVE_IOAPIC_PINS);
	x.lowers = true;
	carve_ioapic_eoi(&x.io, VECTOR);
	assert_int_equal(x.n_sent, CARVE_IOAPIC_PINS);
	assert_int_equal(x.io.irr, 0);
}

#define TEST(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_registers_after_power_up),
		TEST(test_what_can_be_written),
		TEST(test_the_message_of_an_entry),
		TEST(test_an_edge_is_sent_once),
		TEST(test_an_edge_to_a_masked_pin_is_lost),
		TEST(test_a_masked_level_waits),
		TEST(test_a_level_is_sent_again_after_its_end),
		TEST(test_the_eoi_register),
		TEST(test_an_end_with_the_line_high_while_masked),
		TEST(test_sources_are_asked_before_the_pin_is_looked_at),
		TEST(test_all_pins_of_a_vector_end),
		TEST(test_a_pin_is_high_while_any_source_is),
		TEST(test_pins_and_sources_that_there_are_not),
		TEST(test_what_nobody_takes_waits),
		TEST(test_an_entry_made_an_edge_forgets),
		TEST(test_nmis_do_not_wait_for_an_end),
		TEST(test_reset_masks_and_keeps_lines),
		TEST(test_a_state_moves),
		TEST(test_an_edge_of_a_state_is_delivered_once),
		TEST(test_sources_hold_their_lines_over_a_state),
		TEST(test_a_hostile_state_is_cut_to_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
