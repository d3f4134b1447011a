// SPDX-License-Identifier: GPL-2.0-or-later
/* The pair of 8259A of carve.ko: as a PC programs them, the orders of priority, and states that a
 * user process made up. */
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/pic.h"

#define EOI 0x20

/** struct fixture - the pair, and what it told */
struct fixture {
	struct carve_pic pic;
	bool intr;
	unsigned int n_changes;
	unsigned int n_ends;
	unsigned int ended; /* the last pin */
	bool lowers;	    /* the source lowers its line when its interrupt ends */
};

static struct fixture x;

static void on_output(void *ctx, bool high)
{
	assert_ptr_equal(ctx, &x);
	assert_true(x.intr != high);
	x.intr = high;
	x.n_changes++;
}

static void on_eoi(void *ctx, unsigned int pin)
{
	x.n_ends++;
	x.ended = pin;
	if (x.lowers)
		carve_pic_set_line(&x.pic, pin, 0, false);
}

static const struct carve_pic_ops ops = { .output = on_output, .eoi = on_eoi };

static void out(uint16_t port, uint8_t value)
{
	carve_pic_write(&x.pic, port, value);
}

static uint8_t in(uint16_t port)
{
	return carve_pic_read(&x.pic, port);
}

static int raise_line(unsigned int pin)
{
	return carve_pic_set_line(&x.pic, pin, 0, true);
}

static int lower_line(unsigned int pin)
{
	return carve_pic_set_line(&x.pic, pin, 0, false);
}

static void pulse(unsigned int pin)
{
	raise_line(pin);
	lower_line(pin);
}

/* As firmware does, with vectors from 8 and from 70h. */
static void program(uint8_t icw4_first, uint8_t icw4_second)
{
	out(0x20, 0x11);
	out(0x21, 0x08);
	out(0x21, 0x04);
	out(0x21, icw4_first);
	out(0xa0, 0x11);
	out(0xa1, 0x70);
	out(0xa1, 0x02);
	out(0xa1, icw4_second);
}

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	carve_pic_init(&x.pic, &ops, &x);
	program(1, 1);
	return 0;
}

static void test_one_interrupt(void **state)
{
	assert_int_equal(raise_line(3), 1);
	assert_true(x.intr);
	assert_int_equal(in(0x20), 1 << 3);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0b);
	assert_false(x.intr);
	assert_int_equal(in(0x20), 0);
	out(0x20, 0x0b); /* show the ISR */
	assert_int_equal(in(0x20), 1 << 3);
	out(0x20, EOI);
	assert_int_equal(in(0x20), 0);
	assert_int_equal(x.n_ends, 1);
	assert_int_equal(x.ended, 3);
	assert_int_equal(raise_line(3), 0); /* it never fell */
	assert_false(x.intr);
}

static void test_the_lower_pin_comes_first(void **state)
{
	pulse(5);
	pulse(1);
	assert_int_equal(carve_pic_ack(&x.pic), 0x09);
	assert_false(x.intr);
	pulse(0); /* above 1 */
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x08);
	out(0x20, EOI);
	assert_int_equal(x.ended, 0);
	assert_false(x.intr);
	out(0x20, EOI);
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0d);
}

static void test_masks(void **state)
{
	out(0x21, 0xff);
	assert_int_equal(in(0x21), 0xff);
	assert_int_equal(raise_line(4), -1);
	assert_false(x.intr);
	lower_line(4);
	/* an edge is kept */
	out(0x21, 0xef);
	assert_true(x.intr);
	out(0x21, 0xff);
	assert_false(x.intr);
	out(0x21, 0);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0c);
}

static void test_the_second_is_at_pin_2(void **state)
{
	pulse(8 + 4);
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x74);
	assert_false(x.intr);
	pulse(3); /* below 2 */
	assert_false(x.intr);
	pulse(1);
	assert_int_equal(carve_pic_ack(&x.pic), 0x09);
	out(0x20, EOI);
	pulse(8 + 1); /* above 4 of the second, but the first has its pin in service */
	assert_false(x.intr);
	out(0xa0, EOI);
	assert_int_equal(x.ended, 12);
	assert_false(x.intr);
	out(0x20, EOI);
	assert_int_equal(carve_pic_ack(&x.pic), 0x71);
	out(0xa0, EOI);
	out(0x20, EOI);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0b);
	assert_int_equal(carve_pic_set_line(&x.pic, 2, 0, true), -1);
	assert_int_equal(in(0x20) & 4, 0);
}

static void test_special_fully_nested_mode(void **state)
{
	program(0x11, 1);
	pulse(8 + 4);
	assert_int_equal(carve_pic_ack(&x.pic), 0x74);
	pulse(8 + 6);
	assert_false(x.intr);
	pulse(8 + 1); /* above 4 of the second: passes */
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x71);
}

static void test_what_is_gone_is_spurious(void **state)
{
	out(0x4d0, 0x20); /* 5 by level */
	raise_line(5);
	assert_true(x.intr);
	lower_line(5);
	assert_false(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0f);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0); /* nothing in service: no EOI */
	assert_int_equal(x.n_ends, 0);
	pulse(7); /* the real one has its bit */
	assert_int_equal(carve_pic_ack(&x.pic), 0x0f);
	assert_int_equal(in(0x20), 0x80);
}

static void test_a_level_comes_again(void **state)
{
	out(0x4d1, 0x08); /* 11 */
	assert_int_equal(in(0x4d1), 0x08);
	assert_int_equal(raise_line(11), 1);
	assert_int_equal(carve_pic_ack(&x.pic), 0x73);
	out(0xa0, EOI);
	out(0x20, EOI);
	assert_true(x.intr);
	carve_pic_ack(&x.pic);
	x.lowers = true;
	out(0xa0, EOI);
	out(0x20, EOI);
	assert_false(x.intr);
}

static void test_pins_that_are_never_levels(void **state)
{
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	assert_int_equal(in(0x4d0), 0xf8);
	assert_int_equal(in(0x4d1), 0xde);
	out(0x4d0, 0);
	assert_int_equal(in(0x4d0), 0);
}

static void test_a_line_that_is_high_when_its_pin_changes_kind(void **state)
{
	raise_line(5);
	carve_pic_ack(&x.pic);
	out(0x20, EOI);
	assert_false(x.intr);
	out(0x4d0, 0x20);
	assert_true(x.intr);
	out(0x4d0, 0);
	assert_false(x.intr);
}

static void test_several_sources_of_a_pin(void **state)
{
	out(0x4d0, 0x20);
	carve_pic_set_line(&x.pic, 5, 0, true);
	carve_pic_set_line(&x.pic, 5, 63, true);
	carve_pic_set_line(&x.pic, 5, 0, false);
	assert_true(x.intr);
	carve_pic_set_line(&x.pic, 5, 0, true);
	carve_pic_set_line(&x.pic, 5, 63, false);
	assert_true(x.intr);
	carve_pic_set_line(&x.pic, 5, 0, false);
	assert_false(x.intr);
	raise_line(3);
	raise_line(4);
	raise_line(5);
	lower_line(5);
	assert_int_equal(raise_line(3), 0); /* 4 and 5 are no edge of it */
	assert_int_equal(in(0x20), 3 << 3);
	assert_int_equal(carve_pic_set_line(&x.pic, 16, 0, true), -EINVAL);
	assert_int_equal(carve_pic_set_line(&x.pic, 5, 64, true), -EINVAL);
}

static void test_auto_eoi(void **state)
{
	program(3, 1);
	pulse(3);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0b);
	assert_int_equal(x.n_ends, 1);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 0);
	pulse(4); /* nothing holds it back */
	assert_int_equal(carve_pic_ack(&x.pic), 0x0c);
}

static void test_rotation_in_auto_eoi_mode(void **state)
{
	program(3, 1);
	out(0x20, 0x80);
	pulse(3);
	carve_pic_ack(&x.pic);
	pulse(1);
	pulse(4);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0c); /* 3 is the lowest now, 4 the highest */
	out(0x20, 0x00);
	assert_int_equal(carve_pic_ack(&x.pic), 0x09);
	pulse(5);
	pulse(3);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0d); /* still after 4 */
}

static void test_rotation_by_eoi(void **state)
{
	pulse(3);
	carve_pic_ack(&x.pic);
	out(0x20, 0xa0); /* rotate on non-specific EOI */
	pulse(0);
	pulse(5);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0d);
	out(0x20, 0xe5); /* rotate on specific EOI: 6 is the highest */
	pulse(6);
	pulse(5);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0e);
	out(0x20, EOI);
	out(0x20, 0xc3); /* set priority: 3 is the lowest, 4 the highest */
	assert_int_equal(carve_pic_ack(&x.pic), 0x0d);
	out(0x20, 0xa0);
	out(0x20, 0xa0); /* with nothing in service: nothing rotates */
	pulse(5);
	assert_int_equal(carve_pic_ack(&x.pic), 0x08);
}

static void test_a_specific_eoi_out_of_order(void **state)
{
	pulse(4);
	carve_pic_ack(&x.pic);
	pulse(1);
	carve_pic_ack(&x.pic);
	out(0x20, 0x64);
	assert_int_equal(x.ended, 4);
	out(0x20, 0x0b);
	assert_int_equal(in(0x20), 1 << 1);
	out(0x20, 0x66); /* not in service */
	assert_int_equal(x.n_ends, 1);
}

static void test_special_mask_mode(void **state)
{
	pulse(1);
	carve_pic_ack(&x.pic);
	pulse(4);
	assert_false(x.intr);
	out(0x20, 0x68); /* on */
	assert_false(x.intr);
	out(0x21, 1 << 1); /* what is masked holds nothing back */
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x0c);
	out(0x20, EOI); /* ends 4: 1 is masked */
	assert_int_equal(x.ended, 4);
	pulse(6);
	assert_true(x.intr);
	out(0x20, 0x48); /* off */
	assert_false(x.intr);
	out(0x20, EOI);
	assert_int_equal(x.ended, 1);
}

static void test_poll(void **state)
{
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0);
	assert_int_equal(in(0x20), 0); /* the IRR: one read per poll */
	pulse(6);
	assert_int_equal(in(0x20), 1 << 6);
	out(0x20, 0x0c);
	assert_int_equal(in(0x21), 0x86);
	assert_false(x.intr);
	out(0x20, EOI);
	assert_int_equal(x.ended, 6);
	/* both, by hand */
	pulse(8 + 3);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0x82);
	out(0xa0, 0x0c);
	assert_int_equal(in(0xa0), 0x83);
	assert_int_equal(in(0x20), 0);
}

static void test_icw1_starts_over(void **state)
{
	pulse(3);
	carve_pic_ack(&x.pic);
	raise_line(4);
	out(0x20, 0xc3);
	out(0x20, 0x68);
	out(0x20, 0x0b);
	out(0x21, 0xaa);
	out(0x20, 0x10); /* no ICW4 */
	assert_false(x.intr);
	assert_int_equal(in(0x21), 0);
	out(0x21, 0x28);
	out(0x21, 0x04);
	out(0x21, 0x7f); /* the mask already */
	assert_int_equal(in(0x21), 0x7f);
	out(0x21, 0);
	assert_int_equal(raise_line(4), 0); /* high all along: no edge */
	assert_false(x.intr);
	lower_line(4);
	raise_line(4);
	assert_int_equal(carve_pic_ack(&x.pic), 0x2c);
}

static void test_icw1_leaves_nothing(void **state)
{
	const struct kvm_pic_state want = {
		.init_state = 1,
		.elcr = 0x20,
		.elcr_mask = 0xf8,
		.irq_base = 0x08,
	};
	struct kvm_pic_state got;

	program(0x13, 1); /* auto EOI, special fully nested */
	out(0x4d0, 0x20);
	out(0x20, 0x80); /* rotation in auto EOI mode */
	out(0x20, 0xc3); /* a priority */
	out(0x20, 0x6f); /* special mask, poll, show the ISR */
	out(0x20, 0x10);
	assert_int_equal(carve_pic_state_get(&x.pic, KVM_IRQCHIP_PIC_MASTER, &got), 0);
	assert_memory_equal(&got, &want, sizeof(want));
}

static void test_vectors_are_multiples_of_8(void **state)
{
	out(0x20, 0x11);
	out(0x21, 0x37);
	out(0x21, 0x04);
	out(0x21, 0x01);
	pulse(1);
	assert_int_equal(carve_pic_ack(&x.pic), 0x31);
	assert_int_equal(in(0x22), 0xff);
	out(0x22, 0xff);
	assert_int_equal(in(0x21), 0);
}

static void test_reset_keeps_lines(void **state)
{
	raise_line(4);
	out(0x4d0, 0x20);
	carve_pic_reset(&x.pic);
	assert_false(x.intr);
	assert_int_equal(in(0x4d0), 0);
	assert_int_equal(raise_line(4), 0);
	assert_false(x.intr);
}

static void test_a_state_moves(void **state)
{
	struct kvm_pic_state first, second, again;

	out(0x4d1, 0x08);
	raise_line(11);
	pulse(3);
	carve_pic_ack(&x.pic);
	assert_int_equal(carve_pic_state_get(&x.pic, KVM_IRQCHIP_PIC_MASTER, &first), 0);
	assert_int_equal(carve_pic_state_get(&x.pic, KVM_IRQCHIP_PIC_SLAVE, &second), 0);
	assert_int_equal(second.elcr, 8);
	memset(&x, 0, sizeof(x));
	carve_pic_init(&x.pic, &ops, &x);
	assert_int_equal(carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_MASTER, &first), 0);
	assert_int_equal(carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_SLAVE, &second), 0);
	carve_pic_state_get(&x.pic, KVM_IRQCHIP_PIC_SLAVE, &again);
	assert_memory_equal(&second, &again, sizeof(again));
	/* 11 is in service; 3, that waits, is below it */
	assert_false(x.intr);
	out(0xa0, EOI);
	out(0x20, EOI);
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0x73);
}

static void test_sources_hold_their_lines_over_a_state(void **state)
{
	struct kvm_pic_state s;

	out(0x4d0, 0x20);
	carve_pic_state_get(&x.pic, KVM_IRQCHIP_PIC_MASTER, &s);
	raise_line(4);
	raise_line(5);
	assert_int_equal(carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_MASTER, &s), 0);
	assert_int_equal(carve_pic_ack(&x.pic),
			 0x0d); /* the level; the edge is gone with its state */
	lower_line(5);
	out(0x20, EOI);
	assert_false(x.intr);
	assert_int_equal(raise_line(4), 0);
}

static void test_a_hostile_state_is_cut_to_shape(void **state)
{
	const struct kvm_pic_state want = {
		.last_irr = 0xff,
		.irr = 0xff,
		.imr = 0xff,
		.isr = 0xff,
		.priority_add = 7,
		.irq_base = 0xf8,
		.read_reg_select = 1,
		.poll = 1,
		.special_mask = 1,
		.init_state = 3,
		.auto_eoi = 1,
		.rotate_on_auto_eoi = 1,
		.special_fully_nested_mode = 1,
		.init4 = 1,
		.elcr = 0xde,
		.elcr_mask = 0xde,
	};
	struct kvm_pic_state s, got;

	memset(&s, 0xff, sizeof(s));
	assert_int_equal(carve_pic_state_set(&x.pic, KVM_IRQCHIP_IOAPIC, &s), -EINVAL);
	assert_int_equal(carve_pic_state_get(&x.pic, KVM_IRQCHIP_IOAPIC, &s), -EINVAL);
	assert_int_equal(carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_MASTER, &s), 0);
	assert_int_equal(carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_SLAVE, &s), 0);
	carve_pic_state_get(&x.pic, KVM_IRQCHIP_PIC_SLAVE, &got);
	assert_memory_equal(&got, &want, sizeof(want));
	assert_false(x.intr); /* all is masked */
	s.imr = 0;
	s.isr = 0;
	carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_SLAVE, &s);
	carve_pic_state_set(&x.pic, KVM_IRQCHIP_PIC_MASTER, &s);
	assert_true(x.intr);
	assert_int_equal(carve_pic_ack(&x.pic), 0xff); /* 7 is the highest */
	assert_int_equal(carve_pic_ack(&x.pic), 0xf8);
}

#define TEST(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_interrupt),
		TEST(test_the_lower_pin_comes_first),
		TEST(test_masks),
		TEST(test_the_second_is_at_pin_2),
		TEST(test_special_fully_nested_mode),
		TEST(test_what_is_gone_is_spurious),
		TEST(test_a_level_comes_again),
		TEST(test_pins_that_are_never_levels),
		TEST(test_a_line_that_is_high_when_its_pin_changes_kind),
		TEST(test_several_sources_of_a_pin),
		TEST(test_auto_eoi),
		TEST(test_rotation_in_auto_eoi_mode),
		TEST(test_rotation_by_eoi),
		TEST(test_a_specific_eoi_out_of_order),
		TEST(test_special_mask_mode),
		TEST(test_poll),
		TEST(test_icw1_starts_over),
		TEST(test_icw1_leaves_nothing),
		TEST(test_vectors_are_multiples_of_8),
		TEST(test_reset_keeps_lines),
		TEST(test_a_state_moves),
		TEST(test_sources_hold_their_lines_over_a_state),
		TEST(test_a_hostile_state_is_cut_to_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
