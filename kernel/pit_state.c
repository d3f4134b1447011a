// SPDX-License-Identifier: GPL-2.0-only
/* The state of the timer as user space keeps it: KVM_GET_PIT2 and KVM_SET_PIT2. */
#include "pit_parts.h"

/* Of a counter that its gate stopped, one from which as much time has passed as it has counted. */
static u64 load_time(const struct carve_pit_channel *c, u64 now)
{
	u64 ago = carve_pit_ns_of(c->stopped_at);

	if (!c->is_counting)
		return 0;
	if (c->gate || carve_pit_is_triggered(c))
		return c->loaded_ns;
	return ago < now ? now - ago : 1;
}

static void give_channel(const struct carve_pit_channel *c, u64 now,
			 struct kvm_pit_channel_state *ret)
{
	*ret = (struct kvm_pit_channel_state){
		.count = c->count,
		.latched_count = c->latched,
		.count_latched = c->latched_left,
		.status_latched = c->has_status,
		.status = c->status,
		.read_state = c->read_state,
		.write_state = c->write_state,
		.write_latch = c->write_low,
		.rw_mode = c->access,
		.mode = c->mode,
		.bcd = c->bcd,
		.gate = c->gate,
		.count_load_time = (s64)load_time(c, now),
	};
}

void carve_pit_state_get(const struct carve_pit *pit, struct kvm_pit_state2 *ret)
{
	u64 now = pit->ops->now_ns(pit->ctx);

	memset(ret, 0, sizeof(*ret));
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++)
		give_channel(&pit->channels[i], now, &ret->channels[i]);
	ret->flags = (pit->is_replaced ? KVM_PIT_FLAGS_HPET_LEGACY : 0) |
		     (pit->speaker ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0);
}

static u8 byte_state(u8 state, u8 access)
{
	return state >= PIT_LOW && state <= PIT_HIGH_NEXT ? state : access;
}

static u32 count_of(const struct kvm_pit_channel_state *s)
{
	u32 max = s->bcd ? PIT_BCD_MAX : PIT_BINARY_MAX;

	return s->count && s->count < max ? s->count : max;
}

/* Modes above 5 are of counters that nobody has programmed. */
static void take_channel(const struct kvm_pit_channel_state *s, u64 now,
			 struct carve_pit_channel *ret)
{
	u64 loaded = (u64)s->count_load_time;
	u8 access = s->rw_mode & 3 ? s->rw_mode & 3 : PIT_LOW_HIGH;

	if (s->count_load_time < 0 || loaded > now)
		loaded = now;
	*ret = (struct carve_pit_channel){
		.count = count_of(s),
		.loaded_ns = loaded,
		.latched = s->latched_count,
		.latched_left = s->count_latched <= PIT_LOW_HIGH ? s->count_latched : 0,
		.status = s->status,
		.has_status = s->status_latched,
		.read_state = byte_state(s->read_state, access),
		.write_state = byte_state(s->write_state, access),
		.write_low = s->write_latch,
		.access = access,
		.mode = s->mode <= PIT_MODE_MAX ? s->mode : 3,
		.bcd = s->bcd,
		.gate = s->gate,
		.is_counting = s->count_load_time && s->mode <= PIT_MODE_MAX,
	};
	if (!s->gate)
		ret->stopped_at = carve_pit_clocks_of(now - loaded);
}

int carve_pit_state_set(struct carve_pit *pit, const struct kvm_pit_state2 *state)
{
	u64 now = pit->ops->now_ns(pit->ctx);

	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++)
		if (state->channels[i].count > PIT_BINARY_MAX)
			return -EINVAL;
	for (unsigned int i = 0; i < CARVE_PIT_CHANNELS; i++)
		take_channel(&state->channels[i], now, &pit->channels[i]);
	pit->channels[0].gate = true; /* these two are wired high */
	pit->channels[1].gate = true;
	pit->speaker = state->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	pit->is_replaced = state->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	carve_pit_resume(pit);
	return 0;
}
