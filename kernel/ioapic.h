/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOAPIC: 24 pins that become messages to local APICs.
 *
 * Locking: the owner of struct carve_ioapic holds one lock around every function here; callbacks
 * come under it. Lines are levels of sources: high is asserted whatever the polarity bit says, as
 * the lines of KVM_IRQ_LINE are logical ones.
 *
 * Source: Intel 82093AA data sheet, 3.0 to 3.3; the EOI register: ICH10 data sheet, 13.5.7.
 */
#ifndef CARVE_KERNEL_IOAPIC_H
#define CARVE_KERNEL_IOAPIC_H

#include <linux/kvm.h>

#include "apic_msg.h"
#include "pure.h"

#define CARVE_IOAPIC_PINS KVM_IOAPIC_NUM_PINS
#define CARVE_IOAPIC_BASE 0xfec00000ULL
#define CARVE_IOAPIC_SIZE 0x100
#define CARVE_IOAPIC_SOURCES 64

/* Of the register page */
#define CARVE_IOAPIC_SELECT 0x00
#define CARVE_IOAPIC_WINDOW 0x10
#define CARVE_IOAPIC_EOI 0x40

/* Behind the window */
#define CARVE_IOAPIC_REG_ID 0x00
#define CARVE_IOAPIC_REG_VERSION 0x01
#define CARVE_IOAPIC_REG_ARBITRATION 0x02
#define CARVE_IOAPIC_REG_TABLE 0x10 /* two for each pin, the lower half first */

/* A redirection entry */
#define CARVE_IOAPIC_LOGICAL (1ULL << 11)
#define CARVE_IOAPIC_REMOTE_IRR (1ULL << 14)
#define CARVE_IOAPIC_LEVEL (1ULL << 15)
#define CARVE_IOAPIC_MASKED (1ULL << 16)

/* What became of a line's change, as KVM_IRQ_LINE_STATUS reports it */
#define CARVE_IRQ_IGNORED (-1)
#define CARVE_IRQ_COALESCED 0
#define CARVE_IRQ_DELIVERED 1

/**
 * struct carve_ioapic_ops - what an IOAPIC asks of the VM
 * @deliver: give the message to the local APICs. Return: true where at least one took it.
 * @resample: a level-triggered interrupt of a pin ended: sources may lower their line, by
 *	carve_ioapic_set_line() from within, before the pin is looked at again. May be NULL.
 */
struct carve_ioapic_ops {
	bool (*deliver)(void *ctx, const struct carve_apic_msg *msg);
	void (*resample)(void *ctx, unsigned int pin);
};

/**
 * struct carve_ioapic - one IOAPIC
 * @ops: borrowed
 * @ctx: what @ops are called with
 * @base: of the register page; the module maps it
 * @select: IOREGSEL
 * @id: 4 bits
 * @irr: pins that wait: level-triggered ones that are asserted, edges that nobody took
 * @lines: sources, by ID, that assert each pin
 * @table: redirection entries
 */
struct carve_ioapic {
	const struct carve_ioapic_ops *ops;
	void *ctx;
	u64 base;
	u32 select;
	u32 id;
	u32 irr;
	u64 lines[CARVE_IOAPIC_PINS];
	u64 table[CARVE_IOAPIC_PINS];
};

/**
 * carve_ioapic_init() - an IOAPIC as after power-up, with all lines low
 * @io: to fill
 * @ops: borrowed
 * @ctx: what @ops are called with
 */
void carve_ioapic_init(struct carve_ioapic *io, const struct carve_ioapic_ops *ops, void *ctx);

/**
 * carve_ioapic_reset() - all pins masked; lines stay as their sources hold them
 * @io: IOAPIC
 */
void carve_ioapic_reset(struct carve_ioapic *io);

/**
 * carve_ioapic_set_line() - a source raises or lowers its line to a pin
 * @io: IOAPIC
 * @pin: number
 * @source: its ID; the pin is asserted while any source asserts it
 * @high: asserted
 *
 * An edge to a masked pin is lost. Lowering is never ignored.
 *
 * Source: 82093AA, 3.2.4 (interrupt mask, remote IRR).
 *
 * Return: CARVE_IRQ_DELIVERED, CARVE_IRQ_COALESCED where it was already asserted, CARVE_IRQ_IGNORED
 * where it could not go out: masked, one is in service, or nobody took it. -EINVAL: no such pin or
 * source.
 */
int carve_ioapic_set_line(struct carve_ioapic *io, unsigned int pin, unsigned int source,
			  bool high);

/**
 * carve_ioapic_eoi() - a level-triggered interrupt ended
 * @io: IOAPIC
 * @vector: of it; ends that of each pin with this vector
 *
 * Source: 82093AA, 3.2.4 (remote IRR).
 */
void carve_ioapic_eoi(struct carve_ioapic *io, u8 vector);

/**
 * carve_ioapic_read() - the guest reads the register page
 * @io: IOAPIC
 * @offset: within it
 *
 * Return: 32 bits; the caller takes as many bytes as were asked for.
 */
u32 carve_ioapic_read(const struct carve_ioapic *io, u32 offset);

/**
 * carve_ioapic_write() - the guest writes to the register page
 * @io: IOAPIC
 * @offset: within it
 * @value: to write, widened to 32 bits
 */
void carve_ioapic_write(struct carve_ioapic *io, u32 offset, u32 value);

/**
 * carve_ioapic_msg() - what a redirection entry sends
 * @entry: the entry
 * @ret: message
 */
void carve_ioapic_msg(u64 entry, struct carve_apic_msg *ret);

/**
 * carve_ioapic_state_get() - KVM_GET_IRQCHIP of KVM_IRQCHIP_IOAPIC
 * @io: IOAPIC
 * @ret: state
 */
void carve_ioapic_state_get(const struct carve_ioapic *io, struct kvm_ioapic_state *ret);

/**
 * carve_ioapic_state_set() - KVM_SET_IRQCHIP of KVM_IRQCHIP_IOAPIC
 * @io: IOAPIC
 * @state: of any content: reserved bits are dropped. What waits in it is delivered, where it can
 *	be.
 *
 * Return: 0, -EINVAL for a base address that is not a page below 4 GiB; nothing has changed then.
 */
int carve_ioapic_state_set(struct carve_ioapic *io, const struct kvm_ioapic_state *state);

#endif
