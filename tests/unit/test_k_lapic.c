// SPDX-License-Identifier: GPL-2.0-or-later
/* The local APIC of a vCPU of carve.ko: priorities, both register interfaces, modes, and IPIs. */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
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

static int write_msr(uint32_t reg, uint64_t value)
{
	return carve_lapic_msr_write(&x.l, MSR(reg), value);
}

static void make(uint32_t id, bool is_bsp)
{
	lapic_cpu_init(&x, id, is_bsp);
}

/* --- priorities --- */

static void test_the_highest_vector_comes_first(void **state)
{
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	assert_true(carve_lapic_post(&x.l, 0x31, false));
	assert_true(carve_lapic_post(&x.l, 0xe0, false));
	assert_true(carve_lapic_post(&x.l, 0x80, false));
	assert_int_equal(x.kicks, 3);
	assert_int_equal(carve_lapic_pending(&x.l), 0xe0);
	assert_int_equal(carve_lapic_ack(&x.l), 0xe0);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_eoi(&x.l);
	assert_int_equal(carve_lapic_ack(&x.l), 0x80);
	carve_lapic_eoi(&x.l);
	assert_int_equal(carve_lapic_ack(&x.l), 0x31);
}

static void test_one_that_pends_is_not_kicked_for_twice(void **state)
{
	carve_lapic_post(&x.l, 0x50, false);
	carve_lapic_post(&x.l, 0x50, false);
	assert_int_equal(x.kicks, 1);
	carve_lapic_ack(&x.l);
	/* in service, and once more in the IRR */
	carve_lapic_post(&x.l, 0x50, false);
	assert_int_equal(x.kicks, 2);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_eoi(&x.l);
	assert_int_equal(carve_lapic_pending(&x.l), 0x50);
}

static void test_a_higher_class_preempts_the_same_class_waits(void **state)
{
	carve_lapic_post(&x.l, 0x51, false);
	carve_lapic_ack(&x.l);
	carve_lapic_post(&x.l, 0x5f, false);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_post(&x.l, 0x60, false);
	assert_int_equal(carve_lapic_ack(&x.l), 0x60);
	assert_int_equal(carve_lapic_ppr(&x.l), 0x60);
	carve_lapic_eoi(&x.l); /* of 60h */
	assert_int_equal(carve_lapic_ppr(&x.l), 0x50);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_eoi(&x.l); /* of 51h */
	assert_int_equal(carve_lapic_pending(&x.l), 0x5f);
}

static void test_the_task_priority_holds_back(void **state)
{
	carve_lapic_post(&x.l, 0x45, false);
	write_reg(CARVE_LAPIC_TPR, 0x40);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	assert_int_equal(read_reg(CARVE_LAPIC_PPR), 0x40);
	write_reg(CARVE_LAPIC_TPR, 0x3f);
	assert_int_equal(carve_lapic_pending(&x.l), 0x45);
	assert_int_equal(read_reg(CARVE_LAPIC_PPR), 0x3f);
	carve_lapic_ack(&x.l);
	/* the class in service is above: its lower half is zero */
	assert_int_equal(read_reg(CARVE_LAPIC_PPR), 0x40);
	/* the same class: that of the task priority, as it is */
	carve_lapic_tpr_set(&x.l, 0x4c);
	assert_int_equal(read_reg(CARVE_LAPIC_PPR), 0x4c);
	assert_int_equal(carve_lapic_tpr(&x.l), 0x4c);
}

static void test_an_interrupt_gone_before_the_ack_is_spurious(void **state)
{
	write_reg(CARVE_LAPIC_SVR, CARVE_LAPIC_SVR_ENABLE | 0xef);
	carve_lapic_post(&x.l, 0x45, false);
	write_reg(CARVE_LAPIC_TPR, 0x50);
	assert_int_equal(carve_lapic_ack(&x.l), 0xef);
	assert_int_equal(x.l.isr_top, -1);
	write_reg(CARVE_LAPIC_TPR, 0);
	assert_int_equal(carve_lapic_ack(&x.l), 0x45);
}

static void test_vectors_of_exceptions_are_not_taken(void **state)
{
	assert_false(carve_lapic_post(&x.l, 15, false));
	assert_true(carve_lapic_post(&x.l, 16, false));
	assert_int_equal(carve_lapic_ack(&x.l), 16);
}

static void test_registers_show_what_pends_and_is_served(void **state)
{
	carve_lapic_post(&x.l, 0x41, true);
	assert_int_equal(read_reg(CARVE_LAPIC_IRR + 0x20), 1 << 1);
	assert_int_equal(read_reg(CARVE_LAPIC_TMR + 0x20), 1 << 1);
	carve_lapic_ack(&x.l);
	assert_int_equal(read_reg(CARVE_LAPIC_IRR + 0x20), 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ISR + 0x20), 1 << 1);
	write_reg(CARVE_LAPIC_EOI, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ISR + 0x20), 0);
}

#define N_POSTS 2000

/** struct poster - a thread that posts one vector, each time after the last one was taken */
struct poster {
	pthread_t thread;
	uint8_t vector;
	unsigned int taken;
};

static void *post_all(void *arg)
{
	struct poster *p = arg;

	for (unsigned int i = 0; i < N_POSTS; i++) {
		carve_lapic_post(&x.l, p->vector, p->vector & 1);
		while (__atomic_load_n(&p->taken, __ATOMIC_ACQUIRE) == i)
			sched_yield();
	}
	return NULL;
}

/* Their bits lie in the same words: were one lost, this would never end. */
static void test_other_threads_post(void **state)
{
	struct poster posters[2] = { { .vector = 0x41 }, { .vector = 0x42 } };
	unsigned int n = 0;

	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]),
				 0);
	while (n < 2 * N_POSTS) {
		uint8_t vector;

		if (carve_lapic_pending(&x.l) < 0) {
			sched_yield();
			continue;
		}
		vector = carve_lapic_ack(&x.l);
		assert_true(vector == 0x41 || vector == 0x42);
		carve_lapic_eoi(&x.l);
		__atomic_fetch_add(&posters[vector - 0x41].taken, 1, __ATOMIC_RELEASE);
		n++;
	}
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(posters[i].thread, NULL);
	assert_int_equal(x.kicks, 2 * N_POSTS);
	assert_int_equal(x.n_eois, N_POSTS); /* the odd one is a level */
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
}

/* --- EOI --- */

static void test_only_level_interrupts_are_broadcast(void **state)
{
	carve_lapic_post(&x.l, 0x41, true);
	carve_lapic_post(&x.l, 0x51, false);
	carve_lapic_ack(&x.l);
	carve_lapic_eoi(&x.l);
	assert_int_equal(x.n_eois, 0);
	carve_lapic_ack(&x.l);
	write_reg(CARVE_LAPIC_EOI, 0);
	assert_int_equal(x.n_eois, 1);
	assert_int_equal(x.eoi, 0x41);
	/* the same vector as an edge: its trigger mode is that of the last arrival */
	carve_lapic_post(&x.l, 0x41, false);
	carve_lapic_ack(&x.l);
	write_reg(CARVE_LAPIC_EOI, 0);
	assert_int_equal(x.n_eois, 1);
}

static void test_eois_end_the_highest_first(void **state)
{
	carve_lapic_post(&x.l, 0x41, true);
	carve_lapic_ack(&x.l);
	carve_lapic_post(&x.l, 0x91, true);
	carve_lapic_ack(&x.l);
	carve_lapic_eoi(&x.l);
	assert_int_equal(x.eoi, 0x91);
	carve_lapic_eoi(&x.l);
	assert_int_equal(x.eoi, 0x41);
	carve_lapic_eoi(&x.l); /* one too many */
	assert_int_equal(x.n_eois, 2);
}

/* --- the page --- */

static void test_registers_after_power_up(void **state)
{
	make(3, false);
	assert_int_equal(read_reg(CARVE_LAPIC_ID), 3 << 24);
	assert_int_equal(read_reg(CARVE_LAPIC_VERSION), 0x50014);
	assert_int_equal(read_reg(CARVE_LAPIC_SVR), 0xff);
	assert_int_equal(read_reg(CARVE_LAPIC_DFR), 0xffffffff);
	assert_int_equal(read_reg(CARVE_LAPIC_LDR), 0);
	for (uint32_t lvt = CARVE_LAPIC_LVT_TIMER; lvt <= CARVE_LAPIC_LVT_ERROR; lvt += 16)
		assert_int_equal(read_reg(lvt), CARVE_LAPIC_LVT_MASKED);
	assert_true(carve_lapic_has_mmio(&x.l, 0xfee00fff));
	assert_false(carve_lapic_has_mmio(&x.l, 0xfee01000));
	assert_false(carve_lapic_has_mmio(&x.l, 0x1fee00000));
}

static void test_reserved_bits_and_read_only_registers_stay(void **state)
{
	write_reg(CARVE_LAPIC_TPR, 0xffffffff);
	assert_int_equal(read_reg(CARVE_LAPIC_TPR), 0xff);
	write_reg(CARVE_LAPIC_LVT_LINT0, 0xffffffff);
	assert_int_equal(read_reg(CARVE_LAPIC_LVT_LINT0), 0x1a7ff);
	write_reg(CARVE_LAPIC_DIVIDE, 0xffffffff);
	assert_int_equal(read_reg(CARVE_LAPIC_DIVIDE), 0xb);
	write_reg(CARVE_LAPIC_DFR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_DFR), 0x0fffffff);
	write_reg(CARVE_LAPIC_ID, 0x55000000);
	assert_int_equal(read_reg(CARVE_LAPIC_ID), 3 << 24);
	write_reg(CARVE_LAPIC_VERSION, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_VERSION), 0x50014);
	write_reg(CARVE_LAPIC_IRR, ~0U);
	assert_int_equal(read_reg(CARVE_LAPIC_IRR), 0);
}

static void test_only_aligned_words_are_written(void **state)
{
	carve_lapic_write(&x.l, CARVE_LAPIC_TPR, 1, 0x20);
	carve_lapic_write(&x.l, CARVE_LAPIC_TPR, 8, 0x20);
	carve_lapic_write(&x.l, CARVE_LAPIC_TPR + 4, 4, 0x20);
	assert_int_equal(read_reg(CARVE_LAPIC_TPR), 0);
	assert_int_equal(carve_lapic_read(&x.l, CARVE_LAPIC_VERSION, 1), 0x14);
	assert_int_equal(carve_lapic_read(&x.l, CARVE_LAPIC_VERSION + 2, 2), 5);
	assert_int_equal(carve_lapic_read(&x.l, CARVE_LAPIC_VERSION + 2, 4), 0);
	assert_int_equal(carve_lapic_read(&x.l, CARVE_LAPIC_VERSION, 8), 0);
	assert_int_equal(carve_lapic_read(&x.l, CARVE_LAPIC_VERSION, 0), 0);
	assert_int_equal(carve_lapic_read(&x.l, 0xffc, 4), 0);
}

static void test_a_register_that_is_none_is_an_error(void **state)
{
	write_reg(CARVE_LAPIC_LVT_ERROR, 0xfe);
	assert_int_equal(read_reg(0x0), 0);
	assert_int_equal(carve_lapic_ack(&x.l), 0xfe);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), 0); /* not before a write */
	write_reg(CARVE_LAPIC_ESR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_REGISTER);
	write_reg(CARVE_LAPIC_ESR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), 0);
	write_reg(CARVE_LAPIC_SELF_IPI, 0x40); /* of x2APIC mode only */
	write_reg(CARVE_LAPIC_ESR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_REGISTER);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
}

/* --- software disable, local vectors --- */

static void test_software_disable_masks_and_refuses(void **state)
{
	write_reg(CARVE_LAPIC_LVT_LINT1, CARVE_APIC_NMI << 8);
	for (uint32_t lvt = CARVE_LAPIC_LVT_TIMER; lvt <= CARVE_LAPIC_LVT_PERF; lvt += 16)
		write_reg(lvt, 0x55);
	write_reg(CARVE_LAPIC_LVT_ERROR, 0x55);
	carve_lapic_post(&x.l, 0x77, false);
	write_reg(CARVE_LAPIC_SVR, 0xff);
	for (uint32_t lvt = CARVE_LAPIC_LVT_TIMER; lvt <= CARVE_LAPIC_LVT_ERROR; lvt += 16)
		assert_true(read_reg(lvt) & CARVE_LAPIC_LVT_MASKED);
	assert_int_equal(read_reg(CARVE_LAPIC_LVT_LINT1),
			 CARVE_APIC_NMI << 8 | CARVE_LAPIC_LVT_MASKED);
	write_reg(CARVE_LAPIC_LVT_LINT1, CARVE_APIC_NMI << 8);
	assert_true(read_reg(CARVE_LAPIC_LVT_LINT1) & CARVE_LAPIC_LVT_MASKED);
	assert_false(carve_lapic_post(&x.l, 0x78, false));
	/* what pends is still to be taken */
	assert_int_equal(carve_lapic_pending(&x.l), 0x77);
	/* it can still send */
	write_reg(CARVE_LAPIC_ICR2, 1U << 24);
	write_reg(CARVE_LAPIC_ICR, 0x4500);
	assert_int_equal(x.ipi.delivery, CARVE_APIC_INIT);
	/* enabling opens nothing */
	write_reg(CARVE_LAPIC_SVR, 0x1ff);
	assert_true(read_reg(CARVE_LAPIC_LVT_LINT1) & CARVE_LAPIC_LVT_MASKED);
}

static void test_local_sources(void **state)
{
	assert_false(carve_lapic_local(&x.l, CARVE_LAPIC_LVT_LINT1));
	write_reg(CARVE_LAPIC_LVT_LINT1, CARVE_APIC_NMI << 8);
	assert_true(carve_lapic_local(&x.l, CARVE_LAPIC_LVT_LINT1));
	assert_int_equal(x.nmis, 1);
	write_reg(CARVE_LAPIC_LVT_THERMAL, 0x66);
	assert_true(carve_lapic_local(&x.l, CARVE_LAPIC_LVT_THERMAL));
	assert_int_equal(carve_lapic_ack(&x.l), 0x66);
	carve_lapic_eoi(&x.l);
	assert_int_equal(x.n_eois, 0); /* an edge */
	write_reg(CARVE_LAPIC_LVT_PERF, CARVE_APIC_NMI << 8);
	assert_true(carve_lapic_local(&x.l, CARVE_LAPIC_LVT_PERF));
	assert_false(carve_lapic_local(&x.l, CARVE_LAPIC_LVT_PERF));
	assert_int_equal(x.nmis, 2);
	write_reg(CARVE_LAPIC_LVT_THERMAL, 0x05);
	assert_false(carve_lapic_local(&x.l, CARVE_LAPIC_LVT_THERMAL));
	write_reg(CARVE_LAPIC_ESR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_RECEIVE_VECTOR);
}

static void test_an_error_about_the_error_vector_ends(void **state)
{
	write_reg(CARVE_LAPIC_LVT_ERROR, 0x03);
	read_reg(0x3d0);
	write_reg(CARVE_LAPIC_ESR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_REGISTER);
}

static void test_who_takes_the_pic(void **state)
{
	assert_false(carve_lapic_accepts_extint(&x.l));
	write_reg(CARVE_LAPIC_LVT_LINT0, CARVE_APIC_EXTINT << 8);
	assert_true(carve_lapic_accepts_extint(&x.l));
	write_reg(CARVE_LAPIC_LVT_LINT0, CARVE_APIC_EXTINT << 8 | CARVE_LAPIC_LVT_MASKED);
	assert_false(carve_lapic_accepts_extint(&x.l));
	assert_int_equal(carve_lapic_base_write(&x.l, CARVE_LAPIC_BASE_DEFAULT), 0);
	assert_true(carve_lapic_accepts_extint(&x.l));
	make(0, true); /* the firmware's one, before anybody touched it */
	assert_true(carve_lapic_accepts_extint(&x.l));
	carve_lapic_reset(&x.l, true);
	assert_false(carve_lapic_accepts_extint(&x.l));
}

/* --- modes --- */

static void test_transitions_of_the_base(void **state)
{
	const uint64_t off = CARVE_LAPIC_BASE_DEFAULT, xapic = off | CARVE_LAPIC_BASE_ENABLE,
		       x2apic = xapic | CARVE_LAPIC_BASE_X2APIC,
		       bad = off | CARVE_LAPIC_BASE_X2APIC;

	assert_int_equal(carve_lapic_base_write(&x.l, bad), -EINVAL);
	assert_int_equal(carve_lapic_base_write(&x.l, x2apic), 0);
	assert_int_equal(carve_lapic_base_write(&x.l, xapic), -EINVAL);
	assert_int_equal(carve_lapic_base_write(&x.l, bad), -EINVAL);
	assert_true(x.l.base == x2apic);
	assert_int_equal(carve_lapic_base_write(&x.l, off), 0);
	assert_int_equal(carve_lapic_base_write(&x.l, x2apic), -EINVAL);
	assert_int_equal(carve_lapic_base_write(&x.l, xapic), 0);
	assert_int_equal(carve_lapic_base_write(&x.l, xapic | 1ULL << 48), -EINVAL);
	assert_int_equal(carve_lapic_base_write(&x.l, xapic | 1ULL << 9), -EINVAL);
	assert_int_equal(carve_lapic_base_write(&x.l, xapic | 1), -EINVAL);
	x.l.config.has_x2apic = false;
	assert_int_equal(carve_lapic_base_write(&x.l, x2apic), -EINVAL);
}

static void test_user_space_sets_any_valid_mode(void **state)
{
	const uint64_t off = CARVE_LAPIC_BASE_DEFAULT, xapic = off | CARVE_LAPIC_BASE_ENABLE;

	assert_int_equal(carve_lapic_base_set(&x.l, off), 0);
	assert_int_equal(carve_lapic_base_set(&x.l, xapic | CARVE_LAPIC_BASE_X2APIC), 0);
	assert_int_equal(carve_lapic_base_set(&x.l, xapic | CARVE_LAPIC_BASE_BSP), 0);
	assert_true(x.l.base & CARVE_LAPIC_BASE_BSP);
	assert_int_equal(carve_lapic_base_set(&x.l, off | CARVE_LAPIC_BASE_X2APIC), -EINVAL);
	/* the guest does not choose who starts */
	assert_int_equal(carve_lapic_base_write(&x.l, xapic), 0);
	assert_true(x.l.base & CARVE_LAPIC_BASE_BSP);
}

static void test_switching_off_loses_what_pends(void **state)
{
	carve_lapic_post(&x.l, 0x77, false);
	carve_lapic_ack(&x.l);
	carve_lapic_post(&x.l, 0x99, false);
	assert_int_equal(carve_lapic_base_write(&x.l, CARVE_LAPIC_BASE_DEFAULT), 0);
	assert_false(carve_lapic_post(&x.l, 0x78, false));
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	assert_false(carve_lapic_has_mmio(&x.l, CARVE_LAPIC_BASE_DEFAULT));
	assert_int_equal(carve_lapic_base_write(&x.l,
						CARVE_LAPIC_BASE_DEFAULT | CARVE_LAPIC_BASE_ENABLE),
			 0);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	assert_int_equal(read_reg(CARVE_LAPIC_SVR), 0xff);
	assert_int_equal(x.l.isr_top, -1);
}

static void test_the_page_moves(void **state)
{
	assert_int_equal(carve_lapic_base_write(&x.l, 0x12345000 | CARVE_LAPIC_BASE_ENABLE), 0);
	assert_true(carve_lapic_has_mmio(&x.l, 0x12345020));
	assert_false(carve_lapic_has_mmio(&x.l, CARVE_LAPIC_BASE_DEFAULT));
	/* interrupts stay */
	assert_int_equal(read_reg(CARVE_LAPIC_SVR), 0x1ff);
}

static void test_init_keeps_the_mode(void **state)
{
	write_msr(CARVE_LAPIC_TPR, 0x20);
	carve_lapic_post(&x.l, 0x77, false);
	carve_lapic_reset(&x.l, true);
	assert_int_equal(x.l.addr.mode, CARVE_APIC_X2APIC);
	assert_int_equal(read_msr(CARVE_LAPIC_TPR), 0);
	assert_int_equal(read_msr(CARVE_LAPIC_ID), 3);
	assert_int_equal(read_msr(CARVE_LAPIC_LDR), 1 << 3);
	assert_int_equal(read_msr(CARVE_LAPIC_SVR), 0xff);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	carve_lapic_reset(&x.l, false);
	assert_int_equal(x.l.addr.mode, CARVE_APIC_XAPIC);
}

/* --- x2APIC --- */

static void test_msrs_are_there_in_x2apic_mode_only(void **state)
{
	uint64_t value;

	assert_int_equal(carve_lapic_msr_read(&x.l, MSR(CARVE_LAPIC_ID), &value), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_EOI, 0), -EINVAL);
	assert_int_equal(carve_lapic_base_write(&x.l, x.l.base | CARVE_LAPIC_BASE_X2APIC), 0);
	assert_int_equal(read_msr(CARVE_LAPIC_ID), 3);
	assert_int_equal(write_msr(CARVE_LAPIC_EOI, 0), 0);
	assert_false(carve_lapic_has_mmio(&x.l, CARVE_LAPIC_BASE_DEFAULT));
}

static void test_msrs_that_cannot_be_read(void **state)
{
	const uint32_t none[] = { 0x800, 0x801, 0x804, 0x809, 0x80b, 0x80c, 0x80e, 0x829,
				  0x82f, 0x831, 0x83a, 0x83f, 0x840, 0x8ff, 0x7ff };
	uint64_t value;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(carve_lapic_msr_read(&x.l, none[i], &value), -EINVAL);
	for (uint32_t msr = 0x810; msr <= 0x828; msr++)
		assert_int_equal(carve_lapic_msr_read(&x.l, msr, &value), 0);
}

static void test_msrs_that_cannot_be_written(void **state)
{
	const uint32_t none[] = { 0x800, 0x802, 0x803, 0x80a, 0x80d, 0x80e, 0x810, 0x817,
				  0x818, 0x827, 0x82f, 0x831, 0x839, 0x840, 0x8ff };

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(carve_lapic_msr_write(&x.l, none[i], 0), -EINVAL);
}

static void test_reserved_bits_of_msrs_fault(void **state)
{
	assert_int_equal(write_msr(CARVE_LAPIC_EOI, 1), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_ESR, 1), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_TPR, 0x100), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_TPR, 1ULL << 32), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_SELF_IPI, 0x140), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_SVR, 1 << 12), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_DIVIDE, 4), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_LVT_TIMER, 1 << 8), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_LVT_TIMER, 1 << 12 | 0x40), 0);
	assert_int_equal(read_msr(CARVE_LAPIC_LVT_TIMER), 0x40);
	assert_int_equal(write_msr(CARVE_LAPIC_INITIAL, 1ULL << 32), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_ICR, 1 << 13), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_ICR, 1 << 16), -EINVAL);
	assert_int_equal(write_msr(CARVE_LAPIC_ICR, 1 << 20), -EINVAL);
	assert_int_equal(x.n_ipis, 0);
	x.l.config.has_deadline = false;
	assert_int_equal(write_msr(CARVE_LAPIC_LVT_TIMER, CARVE_LAPIC_LVT_DEADLINE), -EINVAL);
}

static void test_the_icr_has_64_bits(void **state)
{
	assert_int_equal(write_msr(CARVE_LAPIC_ICR, 0x12345678ULL << 32 | 0x1840), 0);
	assert_true(read_msr(CARVE_LAPIC_ICR) == (0x12345678ULL << 32 | 0x840));
	assert_int_equal(x.n_ipis, 1);
	assert_int_equal(x.ipi.dest, 0x12345678);
	assert_int_equal(x.ipi.vector, 0x40);
	assert_true(x.ipi.wide && x.ipi.logical);
	assert_int_equal(x.ipi.delivery, CARVE_APIC_FIXED);
}

static void test_destinations_do_not_outlive_the_mode(void **state)
{
	write_reg(CARVE_LAPIC_LDR, 0x08000000);
	write_reg(CARVE_LAPIC_ICR2, 0x5a000000);
	assert_int_equal(carve_lapic_base_write(&x.l, x.l.base | CARVE_LAPIC_BASE_X2APIC), 0);
	assert_true(read_msr(CARVE_LAPIC_ICR) >> 32 == 0);
	assert_int_equal(read_msr(CARVE_LAPIC_LDR), 8);
	assert_int_equal(carve_lapic_base_set(&x.l, x.l.base & ~(uint64_t)CARVE_LAPIC_BASE_X2APIC),
			 0);
	assert_int_equal(read_reg(CARVE_LAPIC_LDR), 0);
	assert_int_equal(x.l.addr.ldr, 0);
}

static void test_self_ipis_need_nobody(void **state)
{
	assert_int_equal(write_msr(CARVE_LAPIC_SELF_IPI, 0x44), 0);
	assert_int_equal(carve_lapic_ack(&x.l), 0x44);
	carve_lapic_eoi(&x.l);
	assert_int_equal(write_msr(CARVE_LAPIC_ICR, 1 << 18 | 0x45), 0);
	assert_int_equal(carve_lapic_ack(&x.l), 0x45);
	carve_lapic_eoi(&x.l);
	assert_int_equal(write_msr(CARVE_LAPIC_SELF_IPI, 0x04), 0);
	assert_int_equal(carve_lapic_pending(&x.l), -ENOENT);
	assert_int_equal(write_msr(CARVE_LAPIC_ESR, 0), 0);
	assert_int_equal(read_msr(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_SEND_VECTOR);
	assert_int_equal(x.n_ipis + x.kicks, 0);
	/* an NMI is for the vCPU to deliver */
	assert_int_equal(write_msr(CARVE_LAPIC_ICR, 1 << 18 | CARVE_APIC_NMI << 8), 0);
	assert_int_equal(x.ipi.shorthand, CARVE_APIC_DEST_SELF);
	assert_int_equal(x.ipi.delivery, CARVE_APIC_NMI);
}

/* --- IPIs --- */

static void test_the_icr_is_decoded(void **state)
{
	write_reg(CARVE_LAPIC_ICR2, 0x5afffff0);
	assert_int_equal(read_reg(CARVE_LAPIC_ICR2), 0x5a000000);
	write_reg(CARVE_LAPIC_ICR, 3U << 18 | 1U << 14 | CARVE_APIC_STARTUP << 8 | 0x9f);
	assert_int_equal(x.n_ipis, 1);
	assert_int_equal(x.ipi.dest, 0x5a);
	assert_int_equal(x.ipi.shorthand, CARVE_APIC_DEST_OTHERS);
	assert_int_equal(x.ipi.delivery, CARVE_APIC_STARTUP);
	assert_int_equal(x.ipi.vector, 0x9f);
	assert_false(x.ipi.logical || x.ipi.wide);
	/* never busy */
	write_reg(CARVE_LAPIC_ICR, 1U << 12 | 0x840);
	assert_int_equal(read_reg(CARVE_LAPIC_ICR), 0x840);
	assert_true(x.ipi.logical);
}

static void test_what_is_not_sent(void **state)
{
	write_reg(CARVE_LAPIC_ICR, 1U << 15 | CARVE_APIC_INIT << 8); /* de-assert */
	write_reg(CARVE_LAPIC_ICR, CARVE_APIC_REMOTE_READ << 8 | 0x40);
	write_reg(CARVE_LAPIC_ICR, CARVE_APIC_EXTINT << 8 | 0x40);
	write_reg(CARVE_LAPIC_ICR, 0x0f);
	write_reg(CARVE_LAPIC_ICR, CARVE_APIC_LOWEST << 8 | 0x0f);
	assert_int_equal(x.n_ipis, 0);
	write_reg(CARVE_LAPIC_ESR, 0);
	assert_int_equal(read_reg(CARVE_LAPIC_ESR), CARVE_LAPIC_ESR_SEND_VECTOR);
	write_reg(CARVE_LAPIC_ICR, 1U << 15 | 1U << 14 | CARVE_APIC_INIT << 8);
	assert_int_equal(x.n_ipis, 1);
}

/** struct match_case - who a destination names */
struct match_case {
	const char *what;
	struct carve_apic_addr who;
	struct carve_apic_msg msg;
	bool is_for;
};

static const struct match_case match_cases[] = {
	{ "physical", { 5, 0, CARVE_APIC_XAPIC, false }, { .dest = 5 }, true },
	{ "physical, another", { 5, 0, CARVE_APIC_XAPIC, false }, { .dest = 4 }, false },
	{ "broadcast", { 5, 0, CARVE_APIC_XAPIC, false }, { .dest = 0xff }, true },
	{ "to one that is off", { 5, 0, CARVE_APIC_OFF, false }, { .dest = 0xff }, false },
	{ "flat", { 5, 0x12, CARVE_APIC_XAPIC, false }, { .dest = 2, .logical = true }, true },
	{ "flat, no bit",
	  { 5, 0x12, CARVE_APIC_XAPIC, false },
	  { .dest = 4, .logical = true },
	  false },
	{ "flat, nobody's",
	  { 5, 0, CARVE_APIC_XAPIC, false },
	  { .dest = 4, .logical = true },
	  false },
	{ "cluster", { 5, 0x32, CARVE_APIC_XAPIC, true }, { .dest = 0x36, .logical = true }, true },
	{ "other cluster",
	  { 5, 0x32, CARVE_APIC_XAPIC, true },
	  { .dest = 0x26, .logical = true },
	  false },
	{ "cluster, no bit",
	  { 5, 0x32, CARVE_APIC_XAPIC, true },
	  { .dest = 0x34, .logical = true },
	  false },
	{ "cluster, all",
	  { 5, 0x32, CARVE_APIC_XAPIC, true },
	  { .dest = 0xff, .logical = true },
	  true },
	{ "x2APIC",
	  { 0x105, 0x100020, CARVE_APIC_X2APIC, false },
	  { .dest = 0x105, .wide = true },
	  true },
	{ "x2APIC, 0xff is an ID",
	  { 5, 0x20, CARVE_APIC_X2APIC, false },
	  { .dest = 0xff, .wide = true },
	  false },
	{ "x2APIC, 0xff of 8 bits", { 5, 0x20, CARVE_APIC_X2APIC, false }, { .dest = 0xff }, true },
	{ "x2APIC, all",
	  { 5, 0x20, CARVE_APIC_X2APIC, false },
	  { .dest = 0xffffffff, .wide = true },
	  true },
	{ "x2APIC cluster",
	  { 0x105, 0x100020, CARVE_APIC_X2APIC, false },
	  { .dest = 0x100021, .logical = true, .wide = true },
	  true },
	{ "x2APIC, other cluster",
	  { 0x105, 0x100020, CARVE_APIC_X2APIC, false },
	  { .dest = 0x110020, .logical = true, .wide = true },
	  false },
	{ "x2APIC cluster, no bit",
	  { 0x105, 0x100020, CARVE_APIC_X2APIC, false },
	  { .dest = 0x100010, .logical = true, .wide = true },
	  false },
	{ "wide, to flat",
	  { 5, 0x12, CARVE_APIC_XAPIC, false },
	  { .dest = 0x10002, .logical = true, .wide = true },
	  false },
};

static void test_destinations(void **state)
{
	for (size_t i = 0; i < sizeof(match_cases) / sizeof(match_cases[0]); i++) {
		const struct match_case *c = &match_cases[i];

		if (carve_apic_is_for(&c->who, &c->msg, false) != c->is_for)
			fail_msg("%s", c->what);
	}
}

static void test_shorthands(void **state)
{
	const struct carve_apic_addr who = { .id = 5, .mode = CARVE_APIC_XAPIC };
	struct carve_apic_msg msg = { .dest = 9, .shorthand = CARVE_APIC_DEST_SELF };

	assert_true(carve_apic_is_for(&who, &msg, true));
	assert_false(carve_apic_is_for(&who, &msg, false));
	assert_false(carve_apic_is_broadcast(&msg));
	msg.shorthand = CARVE_APIC_DEST_ALL;
	assert_true(carve_apic_is_for(&who, &msg, true));
	assert_true(carve_apic_is_for(&who, &msg, false));
	assert_true(carve_apic_is_broadcast(&msg));
	msg.shorthand = CARVE_APIC_DEST_OTHERS;
	assert_false(carve_apic_is_for(&who, &msg, true));
	assert_true(carve_apic_is_for(&who, &msg, false));
}

static void test_the_address_follows_the_registers(void **state)
{
	write_reg(CARVE_LAPIC_LDR, 0x42ffffff);
	assert_int_equal(read_reg(CARVE_LAPIC_LDR), 0x42000000);
	assert_int_equal(x.l.addr.ldr, 0x42);
	assert_false(x.l.addr.cluster);
	write_reg(CARVE_LAPIC_DFR, 0);
	assert_true(x.l.addr.cluster);
	make(0x123, false);
	assert_int_equal(carve_lapic_base_write(&x.l, x.l.base | CARVE_LAPIC_BASE_X2APIC), 0);
	assert_int_equal(x.l.addr.id, 0x123);
	assert_int_equal(x.l.addr.ldr, 0x120008);
	assert_int_equal(read_msr(CARVE_LAPIC_LDR), 0x120008);
}

static void test_lowest_priority_takes_the_lowest(void **state)
{
	const uint8_t ppr[] = { 0x50, 0x20, 0x30, 0x20 }, equal[] = { 0, 0, 0 };
	bool seen[3] = { false };

	assert_true(ppr[carve_apic_pick_lowest(ppr, 4, 0x40)] == 0x20);
	assert_true(ppr[carve_apic_pick_lowest(ppr, 4, 0x43)] == 0x20);
	assert_int_equal(carve_apic_pick_lowest(ppr, 1, 0xff), 0);
	for (unsigned int v = 0x40; v < 0x43; v++)
		seen[carve_apic_pick_lowest(equal, 3, (uint8_t)v)] = true;
	assert_true(seen[0] && seen[1] && seen[2]);
}

#define IN_XAPIC(test) cmocka_unit_test_setup(test, setup)
#define IN_X2APIC(test) cmocka_unit_test_setup(test, setup_x2apic)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_XAPIC(test_the_highest_vector_comes_first),
		IN_XAPIC(test_one_that_pends_is_not_kicked_for_twice),
		IN_XAPIC(test_a_higher_class_preempts_the_same_class_waits),
		IN_XAPIC(test_the_task_priority_holds_back),
		IN_XAPIC(test_an_interrupt_gone_before_the_ack_is_spurious),
		IN_XAPIC(test_vectors_of_exceptions_are_not_taken),
		IN_XAPIC(test_registers_show_what_pends_and_is_served),
		IN_XAPIC(test_other_threads_post),
		IN_XAPIC(test_only_level_interrupts_are_broadcast),
		IN_XAPIC(test_eois_end_the_highest_first),
		IN_XAPIC(test_registers_after_power_up),
		IN_XAPIC(test_reserved_bits_and_read_only_registers_stay),
		IN_XAPIC(test_only_aligned_words_are_written),
		IN_XAPIC(test_a_register_that_is_none_is_an_error),
		IN_XAPIC(test_software_disable_masks_and_refuses),
		IN_XAPIC(test_local_sources),
		IN_XAPIC(test_an_error_about_the_error_vector_ends),
		IN_XAPIC(test_who_takes_the_pic),
		IN_XAPIC(test_transitions_of_the_base),
		IN_XAPIC(test_user_space_sets_any_valid_mode),
		IN_XAPIC(test_switching_off_loses_what_pends),
		IN_XAPIC(test_the_page_moves),
		IN_X2APIC(test_init_keeps_the_mode),
		IN_XAPIC(test_msrs_are_there_in_x2apic_mode_only),
		IN_X2APIC(test_msrs_that_cannot_be_read),
		IN_X2APIC(test_msrs_that_cannot_be_written),
		IN_X2APIC(test_reserved_bits_of_msrs_fault),
		IN_X2APIC(test_the_icr_has_64_bits),
		IN_XAPIC(test_destinations_do_not_outlive_the_mode),
		IN_X2APIC(test_self_ipis_need_nobody),
		IN_XAPIC(test_the_icr_is_decoded),
		IN_XAPIC(test_what_is_not_sent),
		IN_XAPIC(test_destinations),
		IN_XAPIC(test_shorthands),
		IN_XAPIC(test_the_address_follows_the_registers),
		IN_XAPIC(test_lowest_priority_takes_the_lowest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
