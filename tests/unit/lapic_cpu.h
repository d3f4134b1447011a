/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU of carve.ko as far as its local APIC goes: for tests of it. */
#ifndef CARVE_TESTS_LAPIC_CPU_H
#define CARVE_TESTS_LAPIC_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/lapic.h"

#define TSC_KHZ 2000000

/**
 * struct lapic_cpu - one local APIC, its host, and what it asked for
 * @now: the host's time, ns; the TSC starts with it
 * @armed_at: when the host is to call, 0: not
 * @ipi: the last one sent
 * @eoi: the last one broadcast
 */
struct lapic_cpu {
	struct carve_lapic l;
	uint32_t page[1024];
	uint64_t now;
	uint64_t armed_at;
	unsigned int kicks;
	unsigned int nmis;
	unsigned int n_ipis;
	struct carve_apic_msg ipi;
	unsigned int n_eois;
	uint8_t eoi;
};

/** lapic_cpu_init() - as after power-up, at 1000 ns */
void lapic_cpu_init(struct lapic_cpu *cpu, uint32_t id, bool is_bsp);

/** lapic_cpu_enable() - as lapic_cpu_init() for ID 3, and switched on by software */
void lapic_cpu_enable(struct lapic_cpu *cpu);

/** lapic_cpu_write() - write a register of the page */
void lapic_cpu_write(struct lapic_cpu *cpu, uint32_t reg, uint32_t value);

/** lapic_cpu_read() - read a register of the page */
uint32_t lapic_cpu_read(struct lapic_cpu *cpu, uint32_t reg);

/** lapic_cpu_tsc() - the guest's TSC now */
uint64_t lapic_cpu_tsc(const struct lapic_cpu *cpu);

/** lapic_cpu_pass() - time goes on, the host calls as told. Return: how often the timer ended */
unsigned int lapic_cpu_pass(struct lapic_cpu *cpu, uint64_t ns);

#endif
