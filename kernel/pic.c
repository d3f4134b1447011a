// SPDX-License-Identifier: GPL-2.0-only
#include "pic.h"

#define FIRST 0
#define SECOND 1
#define CASCADE 2 /* pin of the first that the second drives */
#define SPURIOUS 7
#define NONE 8 /* no pin, or the priority of no pin */

/* First byte to the port with A0 clear */
#define ICW1 0x10
#define ICW1_ICW4 0x01
#define OCW3 0x08
#define OCW3_READ 0x02
#define OCW3_READ_ISR 0x01
#define OCW3_POLL 0x04
#define OCW3_SET_MASK 0x40
#define OCW3_MASK 0x20
#define ICW4_AUTO_EOI 0x02
#define ICW4_NESTED 0x10

/* Upper three bits of OCW2 */
enum ocw2 {
	CLEAR_ROTATE_IN_AUTO_EOI = 0,
	EOI = 1,
	SPECIFIC_EOI = 3,
	SET_ROTATE_IN_AUTO_EOI = 4,
	ROTATE_ON_EOI = 5,
	SET_PRIORITY = 6,
	ROTATE_ON_SPECIFIC_EOI = 7,
};

/* What the port with A0 set takes next */
enum init_state { READY, WANTS_ICW2, WANTS_ICW3, WANTS_ICW4 };

/* Timer, keyboard, cascade, clock and FPU are edges: PIIX3, 2.5.5. */
static const u8 elcr_masks[2] = { 0xf8, 0xde };

static u8 bit(unsigned int irq)
{
	return (u8)(1U << irq);
}

/* Return: the pin of highest priority in @mask, NONE where it is empty. */
static unsigned int first_of(const struct kvm_pic_state *s, u8 mask)
{
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int irq = (i + s->priority_add) & 7;

		if (mask & bit(irq))
			return irq;
	}
	return NONE;
}

static unsigned int priority_of(const struct kvm_pic_state *s, unsigned int irq)
{
	return irq == NONE ? NONE : (irq - s->priority_add) & 7;
}

/* In special mask mode what is masked holds nothing back. */
static u8 in_service(const struct kvm_pic_state *s)
{
	return s->special_mask ? s->isr & (u8)~s->imr : s->isr;
}

/* Return: the pin that a PIC interrupts for, NONE. */
static unsigned int request_of(const struct carve_pic *pic, unsigned int chip)
{
	const struct kvm_pic_state *s = &pic->chips[chip];
	unsigned int irq = first_of(s, s->irr & (u8)~s->imr);
	u8 held = in_service(s);

	/* The second may have something of higher priority than what it has in service. */
	if (chip == FIRST && s->special_fully_nested_mode)
		held &= (u8)~bit(CASCADE);
	return priority_of(s, irq) < priority_of(s, first_of(s, held)) ? irq : NONE;
}

/*
 * The second's INT is the cascade pin; it falls and rises with each INTA, so that it is a level
 * here.
 */
static void update(struct carve_pic *pic)
{
	struct kvm_pic_state *first = &pic->chips[FIRST];
	bool high;

	first->irr &= (u8)~bit(CASCADE);
	first->last_irr &= (u8)~bit(CASCADE);
	if (request_of(pic, SECOND) != NONE) {
		first->irr |= bit(CASCADE);
		first->last_irr |= bit(CASCADE);
	}
	high = request_of(pic, FIRST) != NONE;
	if (high == pic->output)
		return;
	pic->output = high;
	pic->ops->output(pic->ctx, high);
}

static int change_pin(struct kvm_pic_state *s, unsigned int irq, bool high)
{
	bool waited = s->irr & bit(irq), was_high = s->last_irr & bit(irq);

	if (high) {
		s->last_irr |= bit(irq);
		if (!was_high || (s->elcr & bit(irq)))
			s->irr |= bit(irq);
	} else {
		s->last_irr &= (u8)~bit(irq);
		if (s->elcr & bit(irq))
			s->irr &= (u8)~bit(irq);
	}
	if (s->imr & bit(irq))
		return -1;
	return !high || (!waited && (s->irr & bit(irq)));
}

int carve_pic_set_line(struct carve_pic *pic, unsigned int pin, unsigned int source, bool high)
{
	int r;

	if (pin >= CARVE_PIC_PINS || source >= CARVE_PIC_SOURCES)
		return -EINVAL;
	if (pin == CASCADE)
		return -1;
	if (high)
		pic->lines[pin] |= 1ULL << source;
	else
		pic->lines[pin] &= ~(1ULL << source);
	r = change_pin(&pic->chips[pin / 8], pin % 8, pic->lines[pin]);
	update(pic);
	return r;
}

/* The hook may change lines: it comes last. */
static void end(struct carve_pic *pic, unsigned int chip, unsigned int irq)
{
	pic->chips[chip].isr &= (u8)~bit(irq);
	if (pic->ops->eoi)
		pic->ops->eoi(pic->ctx, chip * 8 + irq);
}

/* A level stays in the IRR for as long as it is there. */
static void acknowledge(struct carve_pic *pic, unsigned int chip, unsigned int irq)
{
	struct kvm_pic_state *s = &pic->chips[chip];

	s->isr |= bit(irq);
	if (!(s->elcr & bit(irq)))
		s->irr &= (u8)~bit(irq);
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (irq + 1) & 7;
	end(pic, chip, irq);
}

static u8 ack_chip(struct carve_pic *pic, unsigned int chip)
{
	unsigned int irq = request_of(pic, chip);
	u8 vector;

	if (irq == NONE)
		return pic->chips[chip].irq_base + SPURIOUS;
	if (chip == FIRST && irq == CASCADE)
		vector = ack_chip(pic, SECOND);
	else
		vector = (u8)(pic->chips[chip].irq_base + irq);
	acknowledge(pic, chip, irq);
	return vector;
}

u8 carve_pic_ack(struct carve_pic *pic)
{
	u8 vector = ack_chip(pic, FIRST);

	update(pic);
	return vector;
}

/*
 * "Initialization command words": edges are forgotten, and a line that is high must fall and rise
 * again; without an ICW4 its functions are zero.
 */
static void write_icw1(struct kvm_pic_state *s, u8 value)
{
	s->irr &= s->elcr;
	s->imr = 0;
	s->isr = 0;
	s->priority_add = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	s->poll = 0;
	s->auto_eoi = 0;
	s->rotate_on_auto_eoi = 0;
	s->special_fully_nested_mode = 0;
	s->init4 = value & ICW1_ICW4;
	s->init_state = WANTS_ICW2;
}

static void write_ocw3(struct kvm_pic_state *s, u8 value)
{
	if (value & OCW3_POLL)
		s->poll = 1;
	if (value & OCW3_READ)
		s->read_reg_select = value & OCW3_READ_ISR;
	if (value & OCW3_SET_MASK)
		s->special_mask = !!(value & OCW3_MASK);
}

static void end_some(struct carve_pic *pic, unsigned int chip, unsigned int irq, bool rotate)
{
	if (irq == NONE)
		return;
	if (rotate)
		pic->chips[chip].priority_add = (irq + 1) & 7;
	if (pic->chips[chip].isr & bit(irq))
		end(pic, chip, irq);
}

static void write_ocw2(struct carve_pic *pic, unsigned int chip, u8 value)
{
	struct kvm_pic_state *s = &pic->chips[chip];
	unsigned int irq = value & 7;

	switch (value >> 5) {
	case CLEAR_ROTATE_IN_AUTO_EOI:
	case SET_ROTATE_IN_AUTO_EOI:
		s->rotate_on_auto_eoi = value >> 7;
		break;
	case EOI:
	case ROTATE_ON_EOI:
		end_some(pic, chip, first_of(s, in_service(s)), value >> 7);
		break;
	case SPECIFIC_EOI:
	case ROTATE_ON_SPECIFIC_EOI:
		end_some(pic, chip, irq, value >> 7);
		break;
	case SET_PRIORITY:
		s->priority_add = (irq + 1) & 7;
		break;
	default:
		break;
	}
}

static void write_command(struct carve_pic *pic, unsigned int chip, u8 value)
{
	if (value & ICW1)
		write_icw1(&pic->chips[chip], value);
	else if (value & OCW3)
		write_ocw3(&pic->chips[chip], value);
	else
		write_ocw2(pic, chip, value);
}

/* The cascade of a PC is wired: what ICW3 says about it changes nothing. */
static void write_data(struct kvm_pic_state *s, u8 value)
{
	switch (s->init_state) {
	case WANTS_ICW2:
		s->irq_base = value & 0xf8;
		s->init_state = WANTS_ICW3;
		break;
	case WANTS_ICW3:
		s->init_state = s->init4 ? WANTS_ICW4 : READY;
		break;
	case WANTS_ICW4:
		s->special_fully_nested_mode = !!(value & ICW4_NESTED);
		s->auto_eoi = !!(value & ICW4_AUTO_EOI);
		s->init_state = READY;
		break;
	default:
		s->imr = value;
		break;
	}
}

static void write_elcr(struct kvm_pic_state *s, u8 value)
{
	u8 elcr = value & s->elcr_mask, changed = elcr ^ s->elcr;

	s->elcr = elcr;
	s->irr &= (u8)~changed;
	s->irr |= s->last_irr & elcr & changed;
}

void carve_pic_write(struct carve_pic *pic, u16 port, u8 value)
{
	switch (port) {
	case CARVE_PIC_PORT_FIRST:
	case CARVE_PIC_PORT_SECOND:
		write_command(pic, port == CARVE_PIC_PORT_SECOND, value);
		break;
	case CARVE_PIC_PORT_FIRST + 1:
	case CARVE_PIC_PORT_SECOND + 1:
		write_data(&pic->chips[port == CARVE_PIC_PORT_SECOND + 1], value);
		break;
	case CARVE_PIC_PORT_ELCR:
	case CARVE_PIC_PORT_ELCR + 1:
		write_elcr(&pic->chips[port & 1], value);
		break;
	default:
		return;
	}
	update(pic);
}

/* "Poll command": the read is the INTA. */
static u8 poll(struct carve_pic *pic, unsigned int chip)
{
	unsigned int irq = request_of(pic, chip);

	pic->chips[chip].poll = 0;
	if (irq == NONE)
		return 0;
	acknowledge(pic, chip, irq);
	update(pic);
	return (u8)(0x80 | irq);
}

static u8 read_chip(struct carve_pic *pic, unsigned int chip, bool a0)
{
	const struct kvm_pic_state *s = &pic->chips[chip];

	if (s->poll)
		return poll(pic, chip);
	if (a0)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

u8 carve_pic_read(struct carve_pic *pic, u16 port)
{
	switch (port) {
	case CARVE_PIC_PORT_FIRST:
	case CARVE_PIC_PORT_FIRST + 1:
		return read_chip(pic, FIRST, port & 1);
	case CARVE_PIC_PORT_SECOND:
	case CARVE_PIC_PORT_SECOND + 1:
		return read_chip(pic, SECOND, port & 1);
	case CARVE_PIC_PORT_ELCR:
	case CARVE_PIC_PORT_ELCR + 1:
		return pic->chips[port & 1].elcr;
	default:
		return 0xff;
	}
}

/*
 * A source that holds its line still does, whatever was set: a level then waits, an edge was
 * before.
 */
static void hold_lines(struct carve_pic *pic)
{
	for (unsigned int pin = 0; pin < CARVE_PIC_PINS; pin++) {
		struct kvm_pic_state *s = &pic->chips[pin / 8];

		if (!pic->lines[pin])
			continue;
		s->last_irr |= bit(pin % 8);
		s->irr |= s->elcr & bit(pin % 8);
	}
	update(pic);
}

void carve_pic_reset(struct carve_pic *pic)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(pic->chips); i++) {
		memset(&pic->chips[i], 0, sizeof(pic->chips[i]));
		pic->chips[i].elcr_mask = elcr_masks[i];
	}
	hold_lines(pic);
}

void carve_pic_init(struct carve_pic *pic, const struct carve_pic_ops *ops, void *ctx)
{
	memset(pic, 0, sizeof(*pic));
	pic->ops = ops;
	pic->ctx = ctx;
	carve_pic_reset(pic);
}

int carve_pic_state_get(const struct carve_pic *pic, u32 chip, struct kvm_pic_state *ret)
{
	if (chip >= ARRAY_SIZE(pic->chips))
		return -EINVAL;
	*ret = pic->chips[chip];
	return 0;
}

int carve_pic_state_set(struct carve_pic *pic, u32 chip, const struct kvm_pic_state *state)
{
	struct kvm_pic_state s = *state;

	if (chip >= ARRAY_SIZE(pic->chips))
		return -EINVAL;
	s.priority_add &= 7;
	s.irq_base &= 0xf8;
	s.init_state &= 3;
	s.read_reg_select = !!s.read_reg_select;
	s.poll = !!s.poll;
	s.special_mask = !!s.special_mask;
	s.auto_eoi = !!s.auto_eoi;
	s.rotate_on_auto_eoi = !!s.rotate_on_auto_eoi;
	s.special_fully_nested_mode = !!s.special_fully_nested_mode;
	s.init4 = !!s.init4;
	s.elcr_mask = elcr_masks[chip];
	s.elcr &= s.elcr_mask;
	pic->chips[chip] = s;
	hold_lines(pic);
	return 0;
}

static_assert(KVM_IRQCHIP_PIC_MASTER == FIRST && KVM_IRQCHIP_PIC_SLAVE == SECOND, "index of chips");
