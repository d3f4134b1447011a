// SPDX-License-Identifier: GPL-2.0-only
#include "ioapic.h"

#define VERSION 0x20U /* the first with an EOI register */
#define ID_SHIFT 24

#define DELIVERY(entry) ((entry) >> 8 & 7)
#define DEST(entry) ((u32)((entry) >> 56))
#define DELIVERY_STATUS (1ULL << 12)
#define READ_ONLY (DELIVERY_STATUS | CARVE_IOAPIC_REMOTE_IRR)
#define ENTRY_BITS 0xff0000000001ffffULL

/* Only these wait for their end; NMI, INIT and the like are edges whatever the entry says. */
static bool is_level(u64 entry)
{
	return (entry & CARVE_IOAPIC_LEVEL) && DELIVERY(entry) <= CARVE_APIC_LOWEST;
}

void carve_ioapic_msg(u64 entry, struct carve_apic_msg *ret)
{
	*ret = (struct carve_apic_msg){
		.dest = DEST(entry),
		.vector = (u8)entry,
		.delivery = DELIVERY(entry),
		.logical = entry & CARVE_IOAPIC_LOGICAL,
		.level = is_level(entry),
	};
}

static bool waits(const struct carve_ioapic *io, unsigned int pin)
{
	return io->irr >> pin & 1;
}

/* Send what waits at a pin, if it may be sent. */
static int service(struct carve_ioapic *io, unsigned int pin)
{
	u64 *entry = &io->table[pin];
	struct carve_apic_msg msg;

	if (*entry & (CARVE_IOAPIC_MASKED | CARVE_IOAPIC_REMOTE_IRR))
		return CARVE_IRQ_IGNORED;
	carve_ioapic_msg(*entry, &msg);
	if (!io->ops->deliver(io->ctx, &msg))
		return CARVE_IRQ_IGNORED;
	if (msg.level)
		*entry |= CARVE_IOAPIC_REMOTE_IRR;
	else
		io->irr &= ~(1U << pin);
	return CARVE_IRQ_DELIVERED;
}

static int raise_line(struct carve_ioapic *io, unsigned int pin)
{
	u64 entry = io->table[pin];

	if (!is_level(entry) && (entry & CARVE_IOAPIC_MASKED))
		return CARVE_IRQ_IGNORED; /* lost */
	io->irr |= 1U << pin;
	return service(io, pin);
}

int carve_ioapic_set_line(struct carve_ioapic *io, unsigned int pin, unsigned int source, bool high)
{
	bool was_high;

	if (pin >= CARVE_IOAPIC_PINS || source >= CARVE_IOAPIC_SOURCES)
		return -EINVAL;
	was_high = io->lines[pin];
	if (!high) {
		io->lines[pin] &= ~(1ULL << source);
		if (!io->lines[pin])
			io->irr &= ~(1U << pin);
		return CARVE_IRQ_DELIVERED;
	}
	io->lines[pin] |= 1ULL << source;
	return was_high ? CARVE_IRQ_COALESCED : raise_line(io, pin);
}

/*
 * The sources are asked before remote IRR is cleared: one that lowers its line now does not
 * interrupt again, and one that raises it again waits for the end of this.
 */
static void end_pin(struct carve_ioapic *io, unsigned int pin)
{
	if (io->ops->resample)
		io->ops->resample(io->ctx, pin);
	io->table[pin] &= ~CARVE_IOAPIC_REMOTE_IRR;
	if (waits(io, pin))
		service(io, pin);
}

void carve_ioapic_eoi(struct carve_ioapic *io, u8 vector)
{
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++) {
		u64 entry = io->table[pin];

		if ((u8)entry == vector && (entry & CARVE_IOAPIC_REMOTE_IRR))
			end_pin(io, pin);
	}
}

/*
 * An entry that is made an edge forgets its remote IRR: with it, kernels end an interrupt without
 * an EOI. What a line still asserts counts for an entry that is made level-triggered.
 */
static void write_entry(struct carve_ioapic *io, unsigned int pin, u64 value)
{
	u64 entry = (value & ENTRY_BITS & ~READ_ONLY) | (io->table[pin] & READ_ONLY);

	if (!is_level(entry))
		entry &= ~CARVE_IOAPIC_REMOTE_IRR;
	else if (io->lines[pin])
		io->irr |= 1U << pin;
	/* A line that stays high when its pin is made an edge is no edge. */
	if (is_level(io->table[pin]) && !is_level(entry))
		io->irr &= ~(1U << pin);
	io->table[pin] = entry;
	if (waits(io, pin))
		service(io, pin);
}

static void write_half(struct carve_ioapic *io, unsigned int pin, bool is_upper, u32 value)
{
	u64 entry = io->table[pin];

	if (is_upper)
		write_entry(io, pin, (u32)entry | (u64)value << 32);
	else
		write_entry(io, pin, (entry & ~0xffffffffULL) | value);
}

static u32 read_window(const struct carve_ioapic *io)
{
	unsigned int at = io->select - CARVE_IOAPIC_REG_TABLE;

	switch (io->select) {
	case CARVE_IOAPIC_REG_ID:
	case CARVE_IOAPIC_REG_ARBITRATION:
		return io->id << ID_SHIFT;
	case CARVE_IOAPIC_REG_VERSION:
		return (CARVE_IOAPIC_PINS - 1) << 16 | VERSION;
	default:
		if (at >= 2 * CARVE_IOAPIC_PINS)
			return 0;
		return (u32)(io->table[at / 2] >> (at & 1) * 32);
	}
}

static void write_window(struct carve_ioapic *io, u32 value)
{
	unsigned int at = io->select - CARVE_IOAPIC_REG_TABLE;

	if (io->select == CARVE_IOAPIC_REG_ID)
		io->id = value >> ID_SHIFT & 0xf;
	else if (at < 2 * CARVE_IOAPIC_PINS)
		write_half(io, at / 2, at & 1, value);
}

u32 carve_ioapic_read(const struct carve_ioapic *io, u32 offset)
{
	switch (offset) {
	case CARVE_IOAPIC_SELECT:
		return io->select;
	case CARVE_IOAPIC_WINDOW:
		return read_window(io);
	default:
		return 0;
	}
}

void carve_ioapic_write(struct carve_ioapic *io, u32 offset, u32 value)
{
	switch (offset) {
	case CARVE_IOAPIC_SELECT:
		io->select = value & 0xff;
		break;
	case CARVE_IOAPIC_WINDOW:
		write_window(io, value);
		break;
	case CARVE_IOAPIC_EOI:
		carve_ioapic_eoi(io, (u8)value);
		break;
	default:
		break;
	}
}

void carve_ioapic_reset(struct carve_ioapic *io)
{
	io->base = CARVE_IOAPIC_BASE;
	io->select = 0;
	io->id = 0;
	io->irr = 0;
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++)
		io->table[pin] = CARVE_IOAPIC_MASKED;
}

void carve_ioapic_init(struct carve_ioapic *io, const struct carve_ioapic_ops *ops, void *ctx)
{
	memset(io, 0, sizeof(*io));
	io->ops = ops;
	io->ctx = ctx;
	carve_ioapic_reset(io);
}

void carve_ioapic_state_get(const struct carve_ioapic *io, struct kvm_ioapic_state *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->base_address = io->base;
	ret->ioregsel = io->select;
	ret->id = io->id;
	ret->irr = io->irr;
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++)
		ret->redirtbl[pin].bits = io->table[pin];
}

/* A source that holds its line still does, whatever the state says. */
static void take_entry(struct carve_ioapic *io, unsigned int pin, u64 bits)
{
	io->table[pin] = bits & ENTRY_BITS & ~DELIVERY_STATUS;
	if (!is_level(bits))
		io->table[pin] &= ~CARVE_IOAPIC_REMOTE_IRR;
	else if (io->lines[pin])
		io->irr |= 1U << pin;
}

int carve_ioapic_state_set(struct carve_ioapic *io, const struct kvm_ioapic_state *state)
{
	if (state->base_address & 0xfff || state->base_address >> 32)
		return -EINVAL;
	io->base = state->base_address;
	io->select = state->ioregsel & 0xff;
	io->id = state->id & 0xf;
	io->irr = state->irr & ((1U << CARVE_IOAPIC_PINS) - 1);
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++)
		take_entry(io, pin, state->redirtbl[pin].bits);
	for (unsigned int pin = 0; pin < CARVE_IOAPIC_PINS; pin++)
		if (waits(io, pin))
			service(io, pin);
	return 0;
}
