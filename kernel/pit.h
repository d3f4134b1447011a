/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 8254 interval timer of a PC: counter 0 interrupts, counter 1 refreshed memory once, counter 2
 * makes sounds and is timed by kernels at port 61h.
 *
 * Locking: the owner of struct carve_pit holds one lock around every function here; callbacks come
 * under it. Nothing counts: a counter is the time at which its count was loaded.
 *
 * Source: Intel 82C54 data sheet (231244-006), "Programming" and "Mode definitions"; port 61h:
 * ICH10 data sheet, 13.7.1.
 */
#ifndef CARVE_KERNEL_PIT_H
#define CARVE_KERNEL_PIT_H

#include <linux/kvm.h>

#include "pure.h"

#define CARVE_PIT_HZ 1193182U
#define CARVE_PIT_CHANNELS 3
#define CARVE_PIT_MIN_PERIOD_NS 100000U /* between interrupts, for the host's sake */

#define CARVE_PIT_PORT 0x40 /* of counter 0; 1 and 2 follow */
#define CARVE_PIT_PORT_CONTROL 0x43
#define CARVE_PIT_PORT_SPEAKER 0x61

/**
 * struct carve_pit_ops - what the timer asks of the VM
 * @now_ns: a clock that never goes back; that of count_load_time in the KVM ABI
 * @arm: call carve_pit_run() once @now_ns has reached @deadline_ns; replaces what was armed before
 * @disarm: forget that
 * @irq: the output of counter 0 rises: pulse IRQ 0
 */
struct carve_pit_ops {
	u64 (*now_ns)(void *ctx);
	void (*arm)(void *ctx, u64 deadline_ns);
	void (*disarm)(void *ctx);
	void (*irq)(void *ctx);
};

/**
 * struct carve_pit_channel - one counter
 * @count: what it counts from, 1 to 65536, or to 10000 in BCD
 * @loaded_ns: when it began to, while @is_counting
 * @stopped_at: clocks that had passed when the gate stopped it
 * @latched: count that was latched
 * @latched_left: how the latched count is still to be read: enum carve_pit_access, 0: none is
 * @status: status that was latched
 * @has_status: until it is read
 * @read_state: byte that is read next, as @latched_left
 * @write_state: byte that is written next
 * @write_low: first byte of two
 * @access: bytes a count has, as in the control word
 * @mode: 0 to 5
 * @bcd: counts in decimal digits
 * @gate: level
 * @is_counting: a count was loaded and, in modes 1 and 5, the gate rose since
 */
struct carve_pit_channel {
	u32 count;
	u64 loaded_ns;
	u64 stopped_at;
	u16 latched;
	u8 latched_left;
	u8 status;
	bool has_status;
	u8 read_state;
	u8 write_state;
	u8 write_low;
	u8 access;
	u8 mode;
	bool bcd;
	bool gate;
	bool is_counting;
};

/**
 * struct carve_pit - the timer
 * @ops: borrowed
 * @ctx: what @ops are called with
 * @channels: counters
 * @speaker: bit 1 of port 61h
 * @is_replaced: an HPET has taken the place of counter 0 (KVM_PIT_FLAGS_HPET_LEGACY): it does not
 *	interrupt
 * @is_armed: the host was told to call
 * @edge: number, from the load on, of the rise of output 0 that comes next
 */
struct carve_pit {
	const struct carve_pit_ops *ops;
	void *ctx;
	struct carve_pit_channel channels[CARVE_PIT_CHANNELS];
	bool speaker;
	bool is_replaced;
	bool is_armed;
	u64 edge;
};

/**
 * carve_pit_init() - a timer that nobody has programmed
 * @pit: to fill
 * @ops: borrowed
 * @ctx: what @ops are called with
 */
void carve_pit_init(struct carve_pit *pit, const struct carve_pit_ops *ops, void *ctx);

/** carve_pit_reset() - as after carve_pit_init() */
void carve_pit_reset(struct carve_pit *pit);

/**
 * carve_pit_read() - the guest reads a port
 * @pit: timer
 * @port: CARVE_PIT_PORT and the two after it, or CARVE_PIT_PORT_SPEAKER; any other reads as ones
 */
u8 carve_pit_read(struct carve_pit *pit, u16 port);

/**
 * carve_pit_write() - the guest writes to a port
 * @pit: timer
 * @port: CARVE_PIT_PORT to CARVE_PIT_PORT_CONTROL, or CARVE_PIT_PORT_SPEAKER
 * @value: to write
 *
 * A new count of modes 2 and 3 counts at once, not from the end of the period.
 */
void carve_pit_write(struct carve_pit *pit, u16 port, u8 value);

/**
 * carve_pit_run() - interrupt, if it is time
 * @pit: timer
 *
 * Harmless at any time. Periods that went by unseen make one interrupt, and the next ones keep
 * their phase.
 *
 * Return: whether it interrupted.
 */
bool carve_pit_run(struct carve_pit *pit);

/** carve_pit_output() - level of a counter's output */
bool carve_pit_output(const struct carve_pit *pit, unsigned int channel);

/** carve_pit_set_gate() - level of a counter's gate; those of 0 and 1 are wired high */
void carve_pit_set_gate(struct carve_pit *pit, unsigned int channel, bool gate);

/**
 * carve_pit_state_get() - KVM_GET_PIT2
 * @pit: timer
 * @ret: state; a counter that does not count has the load time 0
 */
void carve_pit_state_get(const struct carve_pit *pit, struct kvm_pit_state2 *ret);

/**
 * carve_pit_state_set() - KVM_SET_PIT2
 * @pit: timer
 * @state: of any content: what there is not is dropped; counters go on from their load time, or
 *	from now where that is yet to come
 *
 * Return: 0, -EINVAL for a count above 65536; nothing has changed then.
 */
int carve_pit_state_set(struct carve_pit *pit, const struct kvm_pit_state2 *state);

#endif
