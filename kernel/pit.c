// SPDX-License-Identifier: GPL-2.0-only
#include "pit_parts.h"

#define REFRESH_NS 15085U /* half a period of bit 4 of port 61h */

#define CONTROL_CHANNEL(v) ((v) >> 6)
#define CONTROL_ACCESS(v) ((v) >> 4 & 3)
#define CONTROL_MODE(v) ((v) >> 1 & 7)
#define CONTROL_BCD 0x01
#define READ_BACK 3
#define READ_BACK_NO_COUNT 0x20
#define READ_BACK_NO_STATUS 0x10

#define STATUS_OUTPUT 0x80
#define STATUS_NULL_COUNT 0x40

#define SPEAKER_GATE 0x01
#define SPEAKER_DATA 0x02
#define SPEAKER_REFRESH 0x10
#define SPEAKER_OUTPUT 0x20

static u64 now_ns(const struct carve_pit *pit)
{
	return pit->ops->now_ns(pit->ctx);
}

static bool is_periodic(const struct carve_pit_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

static u64 passed(const struct carve_pit *pit, const struct carve_pit_channel *c)
{
	if (!c->gate && !carve_pit_is_triggered(c))
		return c->stopped_at;
	return carve_pit_clocks_of(now_ns(pit) - c->loaded_ns);
}

bool carve_pit_output(const struct carve_pit *pit, unsigned int channel)
{
	const struct carve_pit_channel *c = &pit->channels[channel];
	u64 t = passed(pit, c);

	if (!c->is_counting)
		return c->mode != 0;
	if (is_periodic(c) && !c->gate)
		return true;
	switch (c->mode) {
	case 0:
	case 1:
		return t >= c->count;
	case 2:
		return t % c->count != c->count - 1;
	case 3:
		return t % c->count < (c->count + 1) / 2;
	default:
		return t != c->count;
	}
}

static u16 to_bcd(u32 n)
{
	return (u16)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static u32 from_bcd(u16 n)
{
	return (n >> 12) * 1000U + (n >> 8 & 15) * 100U + (n >> 4 & 15) * 10U + (n & 15);
}

/*
 * Mode 3 counts down by two, twice in a period. After its end a counter of another mode goes on
 * around.
 */
static u32 count_now(const struct carve_pit *pit, const struct carve_pit_channel *c)
{
	u32 wrap = c->bcd ? PIT_BCD_MAX : PIT_BINARY_MAX;
	u64 t = c->is_counting ? passed(pit, c) : 0;

	switch (c->mode) {
	case 2:
		return c->count - (u32)(t % c->count);
	case 3:
		return c->count - (u32)(t * 2 % c->count);
	default:
		return (c->count + wrap - (u32)(t % wrap)) % wrap;
	}
}

static u16 count_seen(const struct carve_pit *pit, const struct carve_pit_channel *c)
{
	u32 count = count_now(pit, c);

	return c->bcd ? to_bcd(count) : (u16)count;
}

static bool interrupts(const struct carve_pit *pit)
{
	return !pit->is_replaced && pit->channels[0].is_counting;
}

static u64 edge_ns(const struct carve_pit *pit)
{
	const struct carve_pit_channel *c = &pit->channels[0];

	return c->loaded_ns + carve_pit_ns_of(pit->edge * c->count);
}

static void arm(struct carve_pit *pit)
{
	bool wants = interrupts(pit) && (is_periodic(&pit->channels[0]) || pit->edge == 1);

	if (wants)
		pit->ops->arm(pit->ctx, edge_ns(pit));
	else if (pit->is_armed)
		pit->ops->disarm(pit->ctx);
	pit->is_armed = wants;
}

/*
 * The next rise of the output that has not gone by, and not sooner than the host may be asked for.
 */
static void next_edge(struct carve_pit *pit)
{
	const struct carve_pit_channel *c = &pit->channels[0];
	u64 from = now_ns(pit) - c->loaded_ns;

	if (!is_periodic(c)) {
		pit->edge = 2;
		return;
	}
	if (carve_pit_ns_of(c->count) < CARVE_PIT_MIN_PERIOD_NS)
		from += CARVE_PIT_MIN_PERIOD_NS;
	pit->edge = carve_pit_clocks_of(from) / c->count + 1;
}

bool carve_pit_run(struct carve_pit *pit)
{
	bool is_time = pit->is_armed && now_ns(pit) >= edge_ns(pit);

	if (is_time) {
		pit->ops->irq(pit->ctx);
		next_edge(pit);
	}
	arm(pit);
	return is_time;
}

void carve_pit_resume(struct carve_pit *pit)
{
	const struct carve_pit_channel *c = &pit->channels[0];
	u64 edges = carve_pit_clocks_of(now_ns(pit) - c->loaded_ns) / c->count;

	pit->edge = edges + 1;
	arm(pit);
}

/* From now on. */
static void start(struct carve_pit *pit, unsigned int channel)
{
	struct carve_pit_channel *c = &pit->channels[channel];

	c->is_counting = true;
	c->loaded_ns = now_ns(pit);
	c->stopped_at = 0;
	if (channel != 0)
		return;
	pit->edge = 1;
	arm(pit);
}

static void stop(struct carve_pit *pit, unsigned int channel)
{
	pit->channels[channel].is_counting = false;
	if (channel == 0)
		arm(pit);
}

/*
 * A new count of modes 1 and 5 waits for the gate. What are no decimal digits make at most the
 * longest count.
 */
static void load(struct carve_pit *pit, unsigned int channel, u16 value)
{
	struct carve_pit_channel *c = &pit->channels[channel];
	u32 max = c->bcd ? PIT_BCD_MAX : PIT_BINARY_MAX, count = c->bcd ? from_bcd(value) : value;

	c->count = count && count < max ? count : max;
	if (carve_pit_is_triggered(c))
		stop(pit, channel);
	else
		start(pit, channel);
}

void carve_pit_set_gate(struct carve_pit *pit, unsigned int channel, bool gate)
{
	struct carve_pit_channel *c = &pit->channels[channel];

	if (c->gate == gate)
		return;
	if (!gate)
		c->stopped_at = passed(pit, c);
	c->gate = gate;
	if (!gate || (!c->is_counting && !carve_pit_is_triggered(c)))
		return;
	if (carve_pit_is_triggered(c) || is_periodic(c))
		start(pit, channel);
	else
		c->loaded_ns = now_ns(pit) - carve_pit_ns_of(c->stopped_at);
}

static void latch_count(struct carve_pit *pit, struct carve_pit_channel *c)
{
	if (c->latched_left)
		return; /* the first one stays until it is read */
	c->latched = count_seen(pit, c);
	c->latched_left = c->access;
}

static void latch_status(struct carve_pit *pit, unsigned int channel)
{
	struct carve_pit_channel *c = &pit->channels[channel];

	if (c->has_status)
		return;
	c->status = (u8)(c->access << 4 | c->mode << 1 | c->bcd);
	if (carve_pit_output(pit, channel))
		c->status |= STATUS_OUTPUT;
	if (!c->is_counting)
		c->status |= STATUS_NULL_COUNT;
	c->has_status = true;
}

static void read_back(struct carve_pit *pit, u8 value)
{
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++) {
		if (!(value & 2 << i))
			continue;
		if (!(value & READ_BACK_NO_COUNT))
			latch_count(pit, &pit->channels[i]);
		if (!(value & READ_BACK_NO_STATUS))
			latch_status(pit, i);
	}
}

/* Modes 6 and 7 are 2 and 3: one bit of them is not looked at. */
static void write_control(struct carve_pit *pit, u8 value)
{
	unsigned int channel = CONTROL_CHANNEL(value);
	struct carve_pit_channel *c;

	if (channel == READ_BACK) {
		read_back(pit, value);
		return;
	}
	c = &pit->channels[channel];
	if (CONTROL_ACCESS(value) == PIT_LATCH) {
		latch_count(pit, c);
		return;
	}
	c->access = CONTROL_ACCESS(value);
	c->read_state = c->access;
	c->write_state = c->access;
	c->mode = CONTROL_MODE(value) > PIT_MODE_MAX ? CONTROL_MODE(value) - 4
						     : CONTROL_MODE(value);
	c->bcd = value & CONTROL_BCD;
	if (c->bcd && c->count > PIT_BCD_MAX)
		c->count = PIT_BCD_MAX; /* what is read until a count is written */
	c->latched_left = 0;
	c->has_status = false;
	stop(pit, channel);
}

static void write_count(struct carve_pit *pit, unsigned int channel, u8 value)
{
	struct carve_pit_channel *c = &pit->channels[channel];

	switch (c->write_state) {
	case PIT_HIGH:
		load(pit, channel, (u16)(value << 8));
		break;
	case PIT_LOW_HIGH:
		c->write_low = value;
		c->write_state = PIT_HIGH_NEXT;
		if (c->mode == 0)
			stop(pit, channel);
		break;
	case PIT_HIGH_NEXT:
		c->write_state = PIT_LOW_HIGH;
		load(pit, channel, (u16)(value << 8 | c->write_low));
		break;
	default:
		load(pit, channel, value);
		break;
	}
}

/* Return: the byte of @count that @state says, which becomes the next one of the two. */
static u8 next_byte(u16 count, u8 *state)
{
	switch (*state) {
	case PIT_HIGH:
		return (u8)(count >> 8);
	case PIT_LOW_HIGH:
		*state = PIT_HIGH_NEXT;
		return (u8)count;
	case PIT_HIGH_NEXT:
		*state = PIT_LOW_HIGH;
		return (u8)(count >> 8);
	default:
		return (u8)count;
	}
}

static u8 read_latched(struct carve_pit_channel *c)
{
	u8 byte = c->latched_left == PIT_HIGH ? (u8)(c->latched >> 8) : (u8)c->latched;

	c->latched_left = c->latched_left == PIT_LOW_HIGH ? PIT_HIGH : 0;
	return byte;
}

static u8 read_count(struct carve_pit *pit, struct carve_pit_channel *c)
{
	if (c->has_status) {
		c->has_status = false;
		return c->status;
	}
	return c->latched_left ? read_latched(c) : next_byte(count_seen(pit, c), &c->read_state);
}

static u8 read_speaker(struct carve_pit *pit)
{
	u8 value = pit->speaker ? SPEAKER_DATA : 0;

	if (pit->channels[2].gate)
		value |= SPEAKER_GATE;
	if (now_ns(pit) / REFRESH_NS & 1)
		value |= SPEAKER_REFRESH;
	if (carve_pit_output(pit, 2))
		value |= SPEAKER_OUTPUT;
	return value;
}

u8 carve_pit_read(struct carve_pit *pit, u16 port)
{
	if (port == CARVE_PIT_PORT_SPEAKER)
		return read_speaker(pit);
	if (port < CARVE_PIT_PORT || port >= CARVE_PIT_PORT_CONTROL)
		return 0xff;
	return read_count(pit, &pit->channels[port - CARVE_PIT_PORT]);
}

void carve_pit_write(struct carve_pit *pit, u16 port, u8 value)
{
	if (port == CARVE_PIT_PORT_SPEAKER) {
		pit->speaker = value & SPEAKER_DATA;
		carve_pit_set_gate(pit, 2, value & SPEAKER_GATE);
	} else if (port == CARVE_PIT_PORT_CONTROL) {
		write_control(pit, value);
	} else if (port >= CARVE_PIT_PORT && port < CARVE_PIT_PORT_CONTROL) {
		write_count(pit, port - CARVE_PIT_PORT, value);
	}
}

void carve_pit_reset(struct carve_pit *pit)
{
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++)
		pit->channels[i] = (struct carve_pit_channel){
			.count = PIT_BINARY_MAX,
			.read_state = PIT_LOW_HIGH,
			.write_state = PIT_LOW_HIGH,
			.access = PIT_LOW_HIGH,
			.mode = 3,
			.gate = i != 2,
		};
	pit->speaker = false;
	pit->is_replaced = false;
	arm(pit);
}

void carve_pit_init(struct carve_pit *pit, const struct carve_pit_ops *ops, void *ctx)
{
	memset(pit, 0, sizeof(*pit));
	pit->ops = ops;
	pit->ctx = ctx;
	carve_pit_reset(pit);
}
