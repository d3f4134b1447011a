/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pair of 8259A interrupt controllers of a PC, the second one cascaded at IR2 of the first.
 *
 * Locking: the owner of struct carve_pic holds one lock around every function here; callbacks come
 * under it.
 *
 * Source: Intel 8259A data sheet (231468-003), "Interrupt sequence" and "Programming the 8259A";
 * edge/level control registers: 82371SB (PIIX3) data sheet, 2.5.5.
 */
#ifndef CARVE_KERNEL_PIC_H
#define CARVE_KERNEL_PIC_H

#include <linux/kvm.h>

#include "pure.h"

#define CARVE_PIC_PINS 16
#define CARVE_PIC_SOURCES 64

/* I/O ports; of each pair the second is the one with A0 set */
#define CARVE_PIC_PORT_FIRST 0x20
#define CARVE_PIC_PORT_SECOND 0xa0
#define CARVE_PIC_PORT_ELCR 0x4d0

/**
 * struct carve_pic_ops - what the PICs ask of the VM
 * @output: INTR has risen or fallen
 * @eoi: the interrupt of a pin is no longer in service; sources may lower their line, by
 *	carve_pic_set_line() from within. May be NULL.
 */
struct carve_pic_ops {
	void (*output)(void *ctx, bool high);
	void (*eoi)(void *ctx, unsigned int pin);
};

/**
 * struct carve_pic - the pair
 * @ops: borrowed
 * @ctx: what @ops are called with
 * @chips: registers, in the form of the KVM ABI
 * @lines: sources, by ID, that assert each pin
 * @output: level of INTR
 */
struct carve_pic {
	const struct carve_pic_ops *ops;
	void *ctx;
	struct kvm_pic_state chips[2];
	u64 lines[CARVE_PIC_PINS];
	bool output;
};

/**
 * carve_pic_init() - the pair as after power-up, with all lines low
 * @pic: to fill
 * @ops: borrowed
 * @ctx: what @ops are called with
 */
void carve_pic_init(struct carve_pic *pic, const struct carve_pic_ops *ops, void *ctx);

/**
 * carve_pic_reset() - forget what was programmed; lines stay as their sources hold them
 * @pic: the pair
 */
void carve_pic_reset(struct carve_pic *pic);

/**
 * carve_pic_set_line() - a source raises or lowers its line to a pin
 * @pic: the pair
 * @pin: 0 to 15; at 2 there is the second PIC and no source
 * @source: its ID
 * @high: asserted; a pin is high while any source asserts it
 *
 * An edge is kept until it is acknowledged, also where the line falls before: sources here pulse.
 *
 * Return: 1: it waits; 0: it already did; -1: it is masked; as KVM_IRQ_LINE_STATUS has it. -EINVAL:
 * no such pin or source.
 */
int carve_pic_set_line(struct carve_pic *pic, unsigned int pin, unsigned int source, bool high);

/**
 * carve_pic_ack() - the CPU takes the interrupt: both INTA cycles
 * @pic: the pair
 *
 * Return: its vector; that of IR7 of the PIC that has nothing any more, with nothing in service
 * there.
 */
u8 carve_pic_ack(struct carve_pic *pic);

/**
 * carve_pic_read() - the guest reads a port
 * @pic: the pair
 * @port: one of the six; any other reads as ones
 *
 * A read after the poll command acknowledges.
 */
u8 carve_pic_read(struct carve_pic *pic, u16 port);

/**
 * carve_pic_write() - the guest writes to a port
 * @pic: the pair
 * @port: one of the six
 * @value: to write
 */
void carve_pic_write(struct carve_pic *pic, u16 port, u8 value);

/**
 * carve_pic_state_get() - KVM_GET_IRQCHIP of one PIC
 * @pic: the pair
 * @chip: KVM_IRQCHIP_PIC_MASTER or KVM_IRQCHIP_PIC_SLAVE
 * @ret: state
 *
 * Return: 0, -EINVAL for another chip.
 */
int carve_pic_state_get(const struct carve_pic *pic, u32 chip, struct kvm_pic_state *ret);

/**
 * carve_pic_state_set() - KVM_SET_IRQCHIP of one PIC
 * @pic: the pair
 * @chip: KVM_IRQCHIP_PIC_MASTER or KVM_IRQCHIP_PIC_SLAVE
 * @state: of any content: what there is not is dropped
 *
 * Return: 0, -EINVAL for another chip.
 */
int carve_pic_state_set(struct carve_pic *pic, u32 chip, const struct kvm_pic_state *state);

#endif
