// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "lapic_cpu.h"

static uint64_t on_now(void *ctx)
{
	return ((struct lapic_cpu *)ctx)->now;
}

uint64_t lapic_cpu_tsc(const struct lapic_cpu *cpu)
{
	return cpu->now * (TSC_KHZ / 1000) / 1000;
}

static uint64_t on_tsc(void *ctx)
{
	return lapic_cpu_tsc(ctx);
}

static void on_arm(void *ctx, uint64_t deadline_ns)
{
	((struct lapic_cpu *)ctx)->armed_at = deadline_ns;
}

static void on_disarm(void *ctx)
{
	((struct lapic_cpu *)ctx)->armed_at = 0;
}

/* From any thread. */
static void on_kick(void *ctx)
{
	__atomic_fetch_add(&((struct lapic_cpu *)ctx)->kicks, 1, __ATOMIC_RELAXED);
}

static void on_ipi(void *ctx, const struct carve_apic_msg *msg)
{
	struct lapic_cpu *cpu = ctx;

	cpu->n_ipis++;
	cpu->ipi = *msg;
}

static void on_nmi(void *ctx)
{
	((struct lapic_cpu *)ctx)->nmis++;
}

static void on_eoi(void *ctx, uint8_t vector)
{
	struct lapic_cpu *cpu = ctx;

	cpu->n_eois++;
	cpu->eoi = vector;
}

static const struct carve_lapic_ops ops = {
	.now_ns = on_now,
	.tsc = on_tsc,
	.arm = on_arm,
	.disarm = on_disarm,
	.kick = on_kick,
	.ipi = on_ipi,
	.nmi = on_nmi,
	.eoi_broadcast = on_eoi,
};

void lapic_cpu_init(struct lapic_cpu *cpu, uint32_t id, bool is_bsp)
{
	const struct carve_lapic_config config = {
		.ops = &ops,
		.ctx = cpu,
		.id = id,
		.tsc_khz = TSC_KHZ,
		.cycle_ns = 1,
		.phys_bits = 48,
		.is_bsp = is_bsp,
		.has_x2apic = true,
		.has_deadline = true,
	};

	memset(cpu, 0, sizeof(*cpu));
	cpu->now = 1000;
	carve_lapic_init(&cpu->l, cpu->page, &config);
}

void lapic_cpu_enable(struct lapic_cpu *cpu)
{
	lapic_cpu_init(cpu, 3, false);
	lapic_cpu_write(cpu, CARVE_LAPIC_SVR, CARVE_LAPIC_SVR_ENABLE | 0xff);
}

void lapic_cpu_write(struct lapic_cpu *cpu, uint32_t reg, uint32_t value)
{
	carve_lapic_write(&cpu->l, reg, 4, value);
}

uint32_t lapic_cpu_read(struct lapic_cpu *cpu, uint32_t reg)
{
	return carve_lapic_read(&cpu->l, reg, 4);
}

unsigned int lapic_cpu_pass(struct lapic_cpu *cpu, uint64_t ns)
{
	uint64_t end = cpu->now + ns;
	unsigned int n = 0;

	while (cpu->armed_at && cpu->armed_at <= end) {
		cpu->now = cpu->armed_at > cpu->now ? cpu->armed_at : cpu->now;
		n += carve_lapic_timer_run(&cpu->l);
	}
	cpu->now = end;
	return n;
}
