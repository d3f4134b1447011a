/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What travels between interrupt controllers: a message, and who it is for. IPIs, MSIs and the pins
 * of the IOAPIC all become one. Pure functions over data: callable in any context.
 */
#ifndef CARVE_KERNEL_APIC_MSG_H
#define CARVE_KERNEL_APIC_MSG_H

#include "pure.h"

/* Delivery modes: Intel SDM vol. 3, 11.5.1 and 11.6.1; AMD APM vol. 2, 16.5 */
enum carve_apic_delivery {
	CARVE_APIC_FIXED = 0,
	CARVE_APIC_LOWEST = 1,
	CARVE_APIC_SMI = 2,
	CARVE_APIC_REMOTE_READ = 3,
	CARVE_APIC_NMI = 4,
	CARVE_APIC_INIT = 5,
	CARVE_APIC_STARTUP = 6,
	CARVE_APIC_EXTINT = 7,
};

/* Destination shorthands of an ICR: SDM vol. 3, 11.6.1 */
enum carve_apic_shorthand {
	CARVE_APIC_DEST_FIELD = 0,
	CARVE_APIC_DEST_SELF = 1,
	CARVE_APIC_DEST_ALL = 2,
	CARVE_APIC_DEST_OTHERS = 3,
};

enum carve_apic_mode { CARVE_APIC_OFF, CARVE_APIC_XAPIC, CARVE_APIC_X2APIC };

/**
 * struct carve_apic_msg - an interrupt on its way
 * @dest: destination field, not looked at where a shorthand is used
 * @vector: for fixed and lowest priority; for a startup IPI the page to start at
 * @delivery: enum carve_apic_delivery
 * @shorthand: enum carve_apic_shorthand; always CARVE_APIC_DEST_FIELD in MSIs and from the IOAPIC
 * @logical: @dest is a logical destination, not an APIC ID
 * @level: triggered by level
 * @wide: @dest has 32 bits, as x2APIC senders and extended MSIs have it; all ones are then the
 *	broadcast. An 8-bit destination has its broadcast at 0xff.
 */
struct carve_apic_msg {
	u32 dest;
	u8 vector;
	u8 delivery;
	u8 shorthand;
	bool logical;
	bool level;
	bool wide;
};

/**
 * struct carve_apic_addr - what a local APIC is reached by
 * @id: APIC ID
 * @ldr: logical destination: of 8 bits in xAPIC mode, of 32 in x2APIC mode
 * @mode: enum carve_apic_mode; nothing reaches one that is off
 * @cluster: xAPIC mode only: the destination format is the cluster model
 *
 * Another CPU may read it while its owner writes: one message then meets the old or the new
 * address, as on hardware.
 */
struct carve_apic_addr {
	u32 id;
	u32 ldr;
	u8 mode;
	bool cluster;
};

/**
 * carve_apic_x2apic_ldr() - logical x2APIC ID
 * @id: APIC ID
 *
 * Source: SDM vol. 3, 11.12.10.2: cluster in the upper half, one of 16 bits in the lower.
 */
static inline u32 carve_apic_x2apic_ldr(u32 id)
{
	return (id >> 4) << 16 | 1U << (id & 0xf);
}

/**
 * carve_apic_matches() - whether a destination field names this APIC
 * @who: the APIC
 * @msg: its @shorthand is not looked at
 *
 * Source: SDM vol. 3, 11.6.2 (physical, flat, cluster) and 11.12.10 (x2APIC); AMD APM vol. 2,
 * 16.6.1.
 */
bool carve_apic_matches(const struct carve_apic_addr *who, const struct carve_apic_msg *msg);

/**
 * carve_apic_is_for() - whether a message is for this APIC, with shorthands
 * @who: the APIC
 * @msg: the message
 * @is_sender: @who sent it
 *
 * Source: SDM vol. 3, 11.6.1.
 */
bool carve_apic_is_for(const struct carve_apic_addr *who, const struct carve_apic_msg *msg,
		       bool is_sender);

/**
 * carve_apic_is_broadcast() - whether a message is for every APIC
 * @msg: the message; one for all but the sender is not
 */
bool carve_apic_is_broadcast(const struct carve_apic_msg *msg);

/**
 * carve_apic_pick_lowest() - who takes a lowest-priority interrupt
 * @ppr: processor priority of each APIC that the destination names
 * @n: how many, 1 or more
 * @vector: spreads vectors over those of equal priority, so that a vector stays where it was
 *
 * Source: SDM vol. 3, 11.6.2.4.
 *
 * Return: an index below @n.
 */
size_t carve_apic_pick_lowest(const u8 *ppr, size_t n, u8 vector);

#endif
