/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC of a vCPU: xAPIC and x2APIC, local vectors, timer.
 *
 * Locking: the vCPU's lock is held around every function here, that is, its thread runs or an ioctl
 * has taken its place. The exceptions are named: carve_lapic_post() may be called by anyone at any
 * time. Callbacks are called in the caller's context; of these only kick() comes from
 * carve_lapic_post(). One that arrives while the vCPU is reset, switched off or given another state
 * belongs to the old state or the new one.
 *
 * The registers lie in a page as the guest sees it in xAPIC mode, a register each 16 bytes, because
 * that is also the form of the KVM ABI and of a hardware-assisted APIC's backing page.
 */
#ifndef CARVE_KERNEL_LAPIC_H
#define CARVE_KERNEL_LAPIC_H

#include <linux/kvm.h>

#include "apic_msg.h"
#include "pure.h"

/* Registers, by offset: SDM vol. 3, table 11-1; AMD APM vol. 2, table 16-2 */
#define CARVE_LAPIC_ID 0x20
#define CARVE_LAPIC_VERSION 0x30
#define CARVE_LAPIC_TPR 0x80
#define CARVE_LAPIC_APR 0x90
#define CARVE_LAPIC_PPR 0xa0
#define CARVE_LAPIC_EOI 0xb0
#define CARVE_LAPIC_RRD 0xc0
#define CARVE_LAPIC_LDR 0xd0
#define CARVE_LAPIC_DFR 0xe0
#define CARVE_LAPIC_SVR 0xf0
#define CARVE_LAPIC_ISR 0x100
#define CARVE_LAPIC_TMR 0x180
#define CARVE_LAPIC_IRR 0x200
#define CARVE_LAPIC_ESR 0x280
#define CARVE_LAPIC_ICR 0x300
#define CARVE_LAPIC_ICR2 0x310
#define CARVE_LAPIC_LVT_TIMER 0x320
#define CARVE_LAPIC_LVT_THERMAL 0x330
#define CARVE_LAPIC_LVT_PERF 0x340
#define CARVE_LAPIC_LVT_LINT0 0x350
#define CARVE_LAPIC_LVT_LINT1 0x360
#define CARVE_LAPIC_LVT_ERROR 0x370
#define CARVE_LAPIC_INITIAL 0x380
#define CARVE_LAPIC_CURRENT 0x390
#define CARVE_LAPIC_DIVIDE 0x3e0
#define CARVE_LAPIC_SELF_IPI 0x3f0

#define CARVE_LAPIC_SVR_ENABLE (1U << 8)
#define CARVE_LAPIC_LVT_MASKED (1U << 16)
#define CARVE_LAPIC_LVT_PERIODIC (1U << 17)
#define CARVE_LAPIC_LVT_DEADLINE (2U << 17)

/* Errors: SDM vol. 3, 11.5.3 */
#define CARVE_LAPIC_ESR_SEND_VECTOR (1U << 5)
#define CARVE_LAPIC_ESR_RECEIVE_VECTOR (1U << 6)
#define CARVE_LAPIC_ESR_REGISTER (1U << 7)

/* IA32_APIC_BASE: SDM vol. 3, 11.4.4 and 11.12.1 */
#define CARVE_LAPIC_BASE_BSP (1U << 8)
#define CARVE_LAPIC_BASE_X2APIC (1U << 10)
#define CARVE_LAPIC_BASE_ENABLE (1U << 11)
#define CARVE_LAPIC_BASE_DEFAULT 0xfee00000ULL

#define CARVE_LAPIC_MSR 0x800 /* the first of x2APIC mode, for the register at offset 0 */
#define CARVE_LAPIC_MSR_LAST 0x8ff

/**
 * struct carve_lapic_ops - what a local APIC asks of the vCPU
 * @now_ns: a clock that never goes back
 * @tsc: the guest's time stamp counter
 * @arm: call carve_lapic_timer_run() once @now_ns has reached @deadline_ns; replaces what was armed
 *	before
 * @disarm: forget that
 * @kick: an interrupt was set that was not yet: the vCPU is to look. The only one that may come
 *	from another thread or an interrupt.
 * @ipi: deliver; by a shorthand or to itself as well. Fixed interrupts to itself by shorthand do
 *	not come here.
 * @nmi: this vCPU has an NMI, from a local vector
 * @eoi_broadcast: a level-triggered interrupt ended: the IOAPICs are to know
 */
struct carve_lapic_ops {
	u64 (*now_ns)(void *ctx);
	u64 (*tsc)(void *ctx);
	void (*arm)(void *ctx, u64 deadline_ns);
	void (*disarm)(void *ctx);
	void (*kick)(void *ctx);
	void (*ipi)(void *ctx, const struct carve_apic_msg *msg);
	void (*nmi)(void *ctx);
	void (*eoi_broadcast)(void *ctx, u8 vector);
};

/**
 * struct carve_lapic_config - what the VM decides
 * @ops: borrowed
 * @ctx: what @ops are called with
 * @id: x2APIC ID; its low 8 bits are that of xAPIC mode
 * @tsc_khz: of the guest's TSC
 * @cycle_ns: of the timer's input clock, 1 to CARVE_LAPIC_CYCLE_MAX
 * @min_period_ns: a periodic timer is not faster than that, for the host's sake; 0: no bound
 * @phys_bits: width of a guest-physical address
 * @is_bsp: the one that starts
 * @has_x2apic: CPUID 1 ECX[21]
 * @has_deadline: CPUID 1 ECX[24]
 */
struct carve_lapic_config {
	const struct carve_lapic_ops *ops;
	void *ctx;
	u32 id;
	u32 tsc_khz;
	u32 cycle_ns;
	u32 min_period_ns;
	u8 phys_bits;
	bool is_bsp;
	bool has_x2apic;
	bool has_deadline;
};

#define CARVE_LAPIC_CYCLE_MAX 1000000

/**
 * struct carve_lapic_timer - the timer between register accesses
 * @is_running: counts, or waits for the TSC
 * @is_armed: the host was told to call
 * @deadline_ns: when it ends, not in TSC-deadline mode
 * @tsc_deadline: IA32_TSC_DEADLINE
 */
struct carve_lapic_timer {
	bool is_running;
	bool is_armed;
	u64 deadline_ns;
	u64 tsc_deadline;
};

/**
 * struct carve_lapic - one local APIC
 * @config: may be changed while the vCPU does not run, but @config.id
 * @regs: the page, 4 KiB, borrowed; the IRR and TMR in it are also written by carve_lapic_post()
 * @base: IA32_APIC_BASE
 * @addr: how it is reached, kept up to date; may be read by anyone
 * @isr_top: highest vector in service, -1: none
 * @errors: seen since the guest last wrote to the ESR
 */
struct carve_lapic {
	struct carve_lapic_config config;
	u32 *regs;
	u64 base;
	struct carve_apic_addr addr;
	int isr_top;
	u32 errors;
	struct carve_lapic_timer timer;
};

/**
 * carve_lapic_init() - a local APIC as after power-up
 * @l: to fill
 * @regs: 4 KiB, zeroed, borrowed for the life of @l
 * @config: copied
 */
void carve_lapic_init(struct carve_lapic *l, u32 *regs, const struct carve_lapic_config *config);

/**
 * carve_lapic_reset() - RESET or INIT
 * @l: local APIC
 * @is_init: an INIT: IA32_APIC_BASE, and with it the mode, stays
 *
 * After a RESET LINT0 of the BSP lets the PIC through, as firmware of KVM guests expects.
 *
 * Source: SDM vol. 3, 11.4.7.1, 11.4.7.3 and 11.12.5.1; AMD APM vol. 2, 16.3.2.
 */
void carve_lapic_reset(struct carve_lapic *l, bool is_init);

/**
 * carve_lapic_base_write() - the guest writes IA32_APIC_BASE
 * @l: local APIC
 * @value: the BSP flag in it is ignored
 *
 * Source: SDM vol. 3, 11.4.3, 11.4.4 and 11.12.5 (figure 11-27).
 *
 * Return: 0, -EINVAL (#GP) for a reserved bit or a transition that there is not.
 */
int carve_lapic_base_write(struct carve_lapic *l, u64 value);

/**
 * carve_lapic_base_set() - user space sets IA32_APIC_BASE
 * @l: local APIC
 * @value: from any valid mode to any
 *
 * Return: 0, -EINVAL for a reserved bit or x2APIC mode while disabled.
 */
int carve_lapic_base_set(struct carve_lapic *l, u64 value);

/**
 * carve_lapic_has_mmio() - whether an address is in the register page
 * @l: local APIC
 * @gpa: guest-physical address
 *
 * Return: true in xAPIC mode for its 4 KiB.
 */
bool carve_lapic_has_mmio(const struct carve_lapic *l, u64 gpa);

/**
 * carve_lapic_read() - the guest reads the register page
 * @l: local APIC in xAPIC mode
 * @offset: within the page
 * @len: bytes
 *
 * Only aligned accesses of 32 bits are defined; this one also gives parts of a register, and zero
 * for what is beyond. A register that there is not is an error the guest can read in the ESR.
 *
 * Source: SDM vol. 3, 11.4.1 and 11.5.3.
 */
u32 carve_lapic_read(struct carve_lapic *l, u32 offset, u32 len);

/**
 * carve_lapic_write() - the guest writes to the register page
 * @l: local APIC in xAPIC mode
 * @offset: within the page
 * @len: bytes; all but aligned accesses of 32 bits are dropped
 * @value: to write
 *
 * Source: SDM vol. 3, 11.4.1; AMD APM vol. 2, 16.3.2.
 */
void carve_lapic_write(struct carve_lapic *l, u32 offset, u32 len, u32 value);

/**
 * carve_lapic_msr_read() - the guest reads an MSR of 800h to 8FFh
 * @l: local APIC
 * @msr: number
 * @ret: value
 *
 * Source: SDM vol. 3, 11.12.1.2 and table 11-6.
 *
 * Return: 0, -EINVAL (#GP) outside x2APIC mode or for what cannot be read.
 */
int carve_lapic_msr_read(struct carve_lapic *l, u32 msr, u64 *ret);

/**
 * carve_lapic_msr_write() - the guest writes an MSR of 800h to 8FFh
 * @l: local APIC
 * @msr: number
 * @value: to write
 *
 * Source: SDM vol. 3, 11.12.1.2, 11.12.1.3 and table 11-6.
 *
 * Return: 0, -EINVAL (#GP) outside x2APIC mode, for what cannot be written, or a reserved bit.
 */
int carve_lapic_msr_write(struct carve_lapic *l, u32 msr, u64 value);

/**
 * carve_lapic_post() - an interrupt arrives
 * @l: local APIC
 * @vector: 16 to 255; a lower one is dropped
 * @level: triggered by level: its end is broadcast
 *
 * Context: any, without the vCPU's lock: the bit is set atomically, TMR before IRR. kick() follows
 * only where the vector was not pending.
 *
 * Source: SDM vol. 3, 11.8.4; AMD APM vol. 2, 16.6.3.
 *
 * Return: false where it is not taken: switched off by hardware or software, or no vector.
 */
bool carve_lapic_post(struct carve_lapic *l, u8 vector, bool level);

/**
 * carve_lapic_pending() - the interrupt that the CPU would take
 * @l: local APIC
 *
 * Return: its vector, -ENOENT where none is above the processor priority.
 */
int carve_lapic_pending(const struct carve_lapic *l);

/**
 * carve_lapic_ack() - the CPU takes it
 * @l: local APIC
 *
 * Source: SDM vol. 3, 11.8.3 and 11.9 (spurious).
 *
 * Return: the vector of carve_lapic_pending(), now in service; the spurious vector where there is
 * none, which is not in service then.
 */
u8 carve_lapic_ack(struct carve_lapic *l);

/**
 * carve_lapic_eoi() - the highest interrupt in service ends
 * @l: local APIC
 *
 * Source: SDM vol. 3, 11.8.5; AMD APM vol. 2, 16.6.5.
 */
void carve_lapic_eoi(struct carve_lapic *l);

/** carve_lapic_ppr() - processor priority: SDM vol. 3, 11.8.3.1 */
u8 carve_lapic_ppr(const struct carve_lapic *l);

/** carve_lapic_tpr() - task priority; CR8 is its upper half */
u8 carve_lapic_tpr(const struct carve_lapic *l);

/** carve_lapic_tpr_set() - write the task priority */
void carve_lapic_tpr_set(struct carve_lapic *l, u8 tpr);

/**
 * carve_lapic_local() - a local interrupt source fires
 * @l: local APIC
 * @lvt: offset of its entry, CARVE_LAPIC_LVT_TIMER to CARVE_LAPIC_LVT_ERROR
 *
 * The performance counters' entry masks itself thereby. Local sources are taken as edges.
 *
 * Source: SDM vol. 3, 11.5.1 and 20.6.3.5.8 (performance counters).
 *
 * Return: whether something was delivered; not for ExtINT, which carve_lapic_accepts_extint()
 * answers.
 */
bool carve_lapic_local(struct carve_lapic *l, u32 lvt);

/**
 * carve_lapic_accepts_extint() - whether the PIC reaches this CPU
 * @l: local APIC
 *
 * Return: true where LINT0 is an open ExtINT, or the local APIC is off and LINT0 is the CPU's INTR
 * pin.
 *
 * Source: SDM vol. 3, 11.4.3 and 11.5.1.
 */
bool carve_lapic_accepts_extint(const struct carve_lapic *l);

/**
 * carve_lapic_timer_run() - bring the timer up to now
 * @l: local APIC
 *
 * Harmless at any time: an early call arms anew. Periods that went by unseen make one interrupt,
 * and the next ones keep their phase.
 *
 * Source: SDM vol. 3, 11.5.4.
 *
 * Return: whether it ended.
 */
bool carve_lapic_timer_run(struct carve_lapic *l);

/** carve_lapic_deadline_read() - IA32_TSC_DEADLINE, 0 in other timer modes */
u64 carve_lapic_deadline_read(const struct carve_lapic *l);

/**
 * carve_lapic_deadline_write() - the guest writes IA32_TSC_DEADLINE
 * @l: local APIC
 * @tsc: 0 stops the timer; what has passed fires now; ignored in other timer modes
 *
 * Source: SDM vol. 3, 11.5.4.1.
 */
void carve_lapic_deadline_write(struct carve_lapic *l, u64 tsc);

/**
 * carve_lapic_tsc_changed() - the guest's TSC or its frequency was set
 * @l: local APIC
 */
void carve_lapic_tsc_changed(struct carve_lapic *l);

/**
 * carve_lapic_state_get() - KVM_GET_LAPIC
 * @l: local APIC
 * @wide_ids: KVM_X2APIC_API_USE_32BIT_IDS: in x2APIC mode the ID has 32 bits
 * @ret: state
 */
void carve_lapic_state_get(struct carve_lapic *l, bool wide_ids, struct kvm_lapic_state *ret);

/**
 * carve_lapic_state_set() - KVM_SET_LAPIC
 * @l: local APIC
 * @wide_ids: as in carve_lapic_state_get()
 * @state: of any content: reserved bits are dropped, ID and version are not taken over
 *
 * The timer goes on from the current count.
 *
 * Return: 0, -EINVAL for another ID in the 32-bit format; nothing has changed then.
 */
int carve_lapic_state_set(struct carve_lapic *l, bool wide_ids,
			  const struct kvm_lapic_state *state);

#endif
