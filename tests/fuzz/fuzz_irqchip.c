// SPDX-License-Identifier: GPL-2.0-or-later
/* The interrupt controllers and the timer of carve.ko, wired as in a PC with two CPUs, under a
 * guest that writes anything to any register while lines change and time passes, and a VMM that
 * sets states it made up. What the CPUs are given stays lawful, what user space can read back stays
 * what it was, and hosts are not asked to call in the past for ever. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/ioapic.h"
#include "kernel/lapic.h"
#include "kernel/pic.h"
#include "kernel/pit.h"

#define N_CPUS 2
#define N_STEPS_MAX 2048
#define GSI_TIMER 2 /* of IRQ 0 at the IOAPIC */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** struct cpu - a local APIC and its page */
struct cpu {
	struct carve_lapic lapic;
	uint32_t page[1024];
	uint64_t armed_at;
	unsigned int n_nmis;
};

/** struct machine - all of it; @depth: of EOIs within EOIs */
struct machine {
	struct cpu cpus[N_CPUS];
	struct carve_ioapic ioapic;
	struct carve_pic pic;
	struct carve_pit pit;
	uint64_t now;
	uint64_t pit_armed_at;
	bool intr;
	unsigned int depth;
};

/** struct input - what is left of it */
struct input {
	const uint8_t *data;
	size_t left;
};

/** struct step - one thing that happens, 8 bytes of input */
struct step {
	uint8_t what;
	uint8_t who;
	uint16_t at;
	uint32_t value;
};

static struct machine m;

static void need(bool ok)
{
	if (!ok)
		abort();
}

/* What is not there is zero. */
static void take(struct input *in, void *ret, size_t n)
{
	size_t have = in->left < n ? in->left : n;

	memset(ret, 0, n);
	if (have)
		memcpy(ret, in->data, have);
	in->data += have;
	in->left -= have;
}

/* --- the machine --- */

static uint64_t on_now(void *ctx)
{
	return m.now;
}

static uint64_t on_tsc(void *ctx)
{
	return m.now * 2;
}

static void on_lapic_arm(void *ctx, uint64_t deadline_ns)
{
	need(deadline_ns < (uint64_t)INT64_MAX);
	((struct cpu *)ctx)->armed_at = deadline_ns;
}

static void on_lapic_disarm(void *ctx)
{
	((struct cpu *)ctx)->armed_at = 0;
}

static void on_kick(void *ctx)
{
}

static void on_nmi(void *ctx)
{
	((struct cpu *)ctx)->n_nmis++;
}

static bool accept(struct cpu *cpu, const struct carve_apic_msg *msg)
{
	switch (msg->delivery) {
	case CARVE_APIC_FIXED:
	case CARVE_APIC_LOWEST:
		return carve_lapic_post(&cpu->lapic, msg->vector, msg->level);
	case CARVE_APIC_INIT:
		carve_lapic_reset(&cpu->lapic, true);
		return true;
	case CARVE_APIC_NMI:
		on_nmi(cpu);
		return true;
	default:
		return false;
	}
}

static bool send(const struct carve_apic_msg *msg, const struct cpu *sender)
{
	bool taken = false;

	for (unsigned int i = 0; i < N_CPUS; i++) {
		struct cpu *cpu = &m.cpus[i];

		if (carve_apic_is_for(&cpu->lapic.addr, msg, cpu == sender))
			taken |= accept(cpu, msg);
	}
	return taken;
}

static void on_ipi(void *ctx, const struct carve_apic_msg *msg)
{
	need(msg->shorthand <= CARVE_APIC_DEST_OTHERS && msg->delivery <= CARVE_APIC_EXTINT);
	send(msg, ctx);
}

static void on_eoi_broadcast(void *ctx, uint8_t vector)
{
	carve_ioapic_eoi(&m.ioapic, vector);
}

static bool on_deliver(void *ctx, const struct carve_apic_msg *msg)
{
	need(msg->shorthand == CARVE_APIC_DEST_FIELD);
	return send(msg, NULL);
}

/* Every other source has had enough. */
static void on_resample(void *ctx, unsigned int pin)
{
	need(pin < CARVE_IOAPIC_PINS);
	if (pin & 1)
		carve_ioapic_set_line(&m.ioapic, pin, 0, false);
}

static void on_output(void *ctx, bool high)
{
	need(m.intr != high);
	m.intr = high;
}

static void on_pic_eoi(void *ctx, unsigned int pin)
{
	need(pin < CARVE_PIC_PINS && m.depth < 4);
	m.depth++;
	if (pin & 1)
		carve_pic_set_line(&m.pic, pin, 0, false);
	m.depth--;
}

static void on_pit_arm(void *ctx, uint64_t deadline_ns)
{
	m.pit_armed_at = deadline_ns;
}

static void on_pit_disarm(void *ctx)
{
	m.pit_armed_at = 0;
}

static void on_pit_irq(void *ctx)
{
	for (int high = 1; high >= 0; high--) {
		carve_pic_set_line(&m.pic, 0, 0, high);
		carve_ioapic_set_line(&m.ioapic, GSI_TIMER, 0, high);
	}
}

static const struct carve_lapic_ops lapic_ops = {
	.now_ns = on_now,
	.tsc = on_tsc,
	.arm = on_lapic_arm,
	.disarm = on_lapic_disarm,
	.kick = on_kick,
	.ipi = on_ipi,
	.nmi = on_nmi,
	.eoi_broadcast = on_eoi_broadcast,
};

static const struct carve_ioapic_ops ioapic_ops = {
	.deliver = on_deliver,
	.resample = on_resample,
};

static const struct carve_pic_ops pic_ops = { .output = on_output, .eoi = on_pic_eoi };

static const struct carve_pit_ops pit_ops = {
	.now_ns = on_now,
	.arm = on_pit_arm,
	.disarm = on_pit_disarm,
	.irq = on_pit_irq,
};

static void make_cpu(unsigned int id)
{
	const struct carve_lapic_config config = {
		.ops = &lapic_ops,
		.ctx = &m.cpus[id],
		.id = id,
		.tsc_khz = 2000000,
		.cycle_ns = 1,
		.min_period_ns = 100000,
		.phys_bits = 46,
		.is_bsp = id == 0,
		.has_x2apic = true,
		.has_deadline = true,
	};

	carve_lapic_init(&m.cpus[id].lapic, m.cpus[id].page, &config);
}

static void make_machine(void)
{
	memset(&m, 0, sizeof(m));
	m.now = 1000000;
	for (unsigned int i = 0; i < N_CPUS; i++)
		make_cpu(i);
	carve_ioapic_init(&m.ioapic, &ioapic_ops, NULL);
	carve_pic_init(&m.pic, &pic_ops, NULL);
	carve_pit_init(&m.pit, &pit_ops, NULL);
}

/* --- what must hold --- */

static void judge_lapic(const struct carve_lapic *l)
{
	int vector = carve_lapic_pending(l);

	need(l->isr_top >= -1 && l->isr_top <= 255);
	need(vector == -ENOENT || (vector >= 16 && vector >> 4 > carve_lapic_ppr(l) >> 4));
	need(carve_lapic_ppr(l) >> 4 >= carve_lapic_tpr(l) >> 4);
	need(l->addr.mode != CARVE_APIC_OFF || vector == -ENOENT);
	need(!carve_lapic_has_mmio(l, l->base) || l->addr.mode == CARVE_APIC_XAPIC);
}

static void judge_ioapic(void)
{
	need(m.ioapic.irr < 1U << CARVE_IOAPIC_PINS);
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++) {
		uint64_t entry = m.ioapic.table[pin];

		need((entry & 0x00fffffffffe1000) == 0);
		need(!(entry & CARVE_IOAPIC_REMOTE_IRR) || (entry & CARVE_IOAPIC_LEVEL));
		need(!m.ioapic.lines[pin] || (m.ioapic.irr >> pin & 1) ||
		     !(entry & CARVE_IOAPIC_LEVEL) || (entry >> 8 & 7) > 1);
	}
}

static void judge(void)
{
	for (unsigned int i = 0; i < N_CPUS; i++)
		judge_lapic(&m.cpus[i].lapic);
	judge_ioapic();
	need(m.intr == m.pic.output);
	for (unsigned int i = 0; i < 2; i++)
		need(m.pic.chips[i].priority_add < 8 && m.pic.chips[i].init_state < 4);
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++)
		need(m.pit.channels[i].count >= 1 && m.pit.channels[i].count <= 65536);
}

/* A timer that was stopped by a change of its mode starts again with the state: not compared. */
static void lapic_twice(struct carve_lapic *l)
{
	struct kvm_lapic_state s, again;

	carve_lapic_state_get(l, true, &s);
	need(carve_lapic_state_set(l, true, &s) == 0);
	carve_lapic_state_get(l, true, &again);
	memset(s.regs + CARVE_LAPIC_CURRENT, 0, 4);
	memset(again.regs + CARVE_LAPIC_CURRENT, 0, 4);
	need(memcmp(&s, &again, sizeof(s)) == 0);
}

static void pic_twice(uint32_t chip)
{
	struct kvm_pic_state s, again;

	need(carve_pic_state_get(&m.pic, chip, &s) == 0);
	need(carve_pic_state_set(&m.pic, chip, &s) == 0);
	need(carve_pic_state_get(&m.pic, chip, &again) == 0);
	need(memcmp(&s, &again, sizeof(s)) == 0);
}

/* Counter 2 may be stopped, in whole clocks. */
static void pit_twice(void)
{
	struct kvm_pit_state2 s, again;

	carve_pit_state_get(&m.pit, &s);
	need(carve_pit_state_set(&m.pit, &s) == 0);
	carve_pit_state_get(&m.pit, &again);
	s.channels[2].count_load_time = 0;
	again.channels[2].count_load_time = 0;
	need(memcmp(&s, &again, sizeof(s)) == 0);
}

/* --- what happens --- */

static void interrupt_cpu(struct carve_lapic *l)
{
	int vector = carve_lapic_pending(l);
	uint8_t taken = carve_lapic_ack(l);

	need(vector < 0 || (taken == vector && l->isr_top == vector));
}

static void write_msr(struct carve_lapic *l, const struct step *s)
{
	uint64_t value = 0;
	uint32_t msr = CARVE_LAPIC_MSR + (s->at & 0xff);
	int r = carve_lapic_msr_write(l, msr, s->value | (uint64_t)(s->at >> 8) << 32);

	need(r == 0 || r == -EINVAL);
	need(r == -EINVAL || l->addr.mode == CARVE_APIC_X2APIC);
	r = carve_lapic_msr_read(l, msr, &value);
	need(r == 0 || r == -EINVAL);
}

static void write_base(struct carve_lapic *l, const struct step *s, bool is_host)
{
	uint64_t value = s->value & 0xfffffd00;

	if (is_host)
		carve_lapic_base_set(l, value);
	else
		carve_lapic_base_write(l, value);
}

static void set_lapic(struct carve_lapic *l, struct input *in, bool wide)
{
	struct kvm_lapic_state s;

	take(in, &s, sizeof(s));
	carve_lapic_state_set(l, wide, &s);
}

static void on_lapic_step(const struct step *s, struct input *in)
{
	struct carve_lapic *l = &m.cpus[s->who % N_CPUS].lapic;

	switch (s->what >> 4) {
	case 0:
		carve_lapic_write(l, s->at & 0xfff, 4, s->value);
		break;
	case 1:
		carve_lapic_read(l, s->at & 0xfff, s->value & 15);
		break;
	case 2:
		write_msr(l, s);
		break;
	case 3:
		interrupt_cpu(l);
		break;
	case 4:
		carve_lapic_eoi(l);
		break;
	case 5:
		carve_lapic_post(l, (uint8_t)s->at, s->value & 1);
		break;
	case 6:
		write_base(l, s, s->at & 1);
		break;
	case 7:
		carve_lapic_deadline_write(l, s->value ? m.now * 2 + s->value : s->at);
		break;
	case 8:
		carve_lapic_reset(l, s->at & 1);
		break;
	case 9:
		set_lapic(l, in, s->at & 1);
		break;
	case 10:
		lapic_twice(l);
		break;
	case 11:
		carve_lapic_local(l, CARVE_LAPIC_LVT_THERMAL + s->at % 5 * 16);
		break;
	default:
		carve_lapic_tpr_set(l, (uint8_t)s->at);
		break;
	}
}

static void set_ioapic(struct input *in)
{
	struct kvm_ioapic_state s;

	take(in, &s, sizeof(s));
	s.base_address &= 0xfffff000;
	need(carve_ioapic_state_set(&m.ioapic, &s) == 0);
}

static void on_ioapic_step(const struct step *s, struct input *in)
{
	switch (s->what >> 4 & 3) {
	case 0:
		carve_ioapic_write(&m.ioapic, CARVE_IOAPIC_SELECT, s->at);
		carve_ioapic_write(&m.ioapic, CARVE_IOAPIC_WINDOW, s->value);
		carve_ioapic_read(&m.ioapic, CARVE_IOAPIC_WINDOW);
		break;
	case 1:
		carve_ioapic_set_line(&m.ioapic, s->at % 26, s->who % 66, s->value & 1);
		break;
	case 2:
		carve_ioapic_write(&m.ioapic, CARVE_IOAPIC_EOI, s->value);
		break;
	default:
		set_ioapic(in);
		break;
	}
}

static void on_pic_step(const struct step *s, struct input *in)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22, 0 };
	struct kvm_pic_state state;

	switch (s->what >> 4 & 7) {
	case 0:
	case 1:
		carve_pic_write(&m.pic, ports[s->at & 7], (uint8_t)s->value);
		break;
	case 2:
		carve_pic_read(&m.pic, ports[s->at & 7]);
		break;
	case 3:
		carve_pic_set_line(&m.pic, s->at % 18, s->who % 66, s->value & 1);
		break;
	case 4:
		carve_pic_ack(&m.pic);
		break;
	case 5:
		take(in, &state, sizeof(state));
		carve_pic_state_set(&m.pic, s->who & 1, &state);
		break;
	case 6:
		carve_pic_reset(&m.pic);
		break;
	default:
		pic_twice(s->who & 1);
		break;
	}
}

static void set_pit(struct input *in)
{
	struct kvm_pit_state2 s;

	take(in, &s, sizeof(s));
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++)
		s.channels[i].count &= 0x1ffff;
	carve_pit_state_set(&m.pit, &s);
}

static void on_pit_step(const struct step *s, struct input *in)
{
	uint16_t port = s->at % 5 == 4 ? 0x61 : (uint16_t)(0x40 + s->at % 5);

	switch (s->what >> 4 & 3) {
	case 0:
		carve_pit_write(&m.pit, port, (uint8_t)s->value);
		break;
	case 1:
		carve_pit_read(&m.pit, port);
		break;
	case 2:
		set_pit(in);
		break;
	default:
		pit_twice();
		break;
	}
}

/* After a timer was brought up to now it asks for a time to come. */
static void run_timers(void)
{
	for (unsigned int i = 0; i < N_CPUS; i++) {
		struct cpu *cpu = &m.cpus[i];

		if (cpu->armed_at && cpu->armed_at <= m.now)
			carve_lapic_timer_run(&cpu->lapic);
		need(!cpu->armed_at || cpu->armed_at > m.now);
	}
	if (m.pit_armed_at && m.pit_armed_at <= m.now)
		carve_pit_run(&m.pit);
	need(!m.pit_armed_at || m.pit_armed_at > m.now);
}

static void happen(const struct step *s, struct input *in)
{
	switch (s->what & 15) {
	case 0:
	case 1:
		m.now += (uint64_t)s->value << (s->at & 7);
		run_timers();
		break;
	case 2:
	case 3:
		on_ioapic_step(s, in);
		break;
	case 4:
	case 5:
		on_pic_step(s, in);
		break;
	case 6:
	case 7:
		on_pit_step(s, in);
		break;
	default:
		on_lapic_step(s, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct step s;

	make_machine();
	for (unsigned int i = 0; in.left && i < N_STEPS_MAX; i++) {
		take(&in, &s, sizeof(s));
		happen(&s, &in);
		judge();
	}
	return 0;
}
