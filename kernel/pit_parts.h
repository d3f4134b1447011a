/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the interval timer have of each other. */
#ifndef CARVE_KERNEL_PIT_PARTS_H
#define CARVE_KERNEL_PIT_PARTS_H

#include "pit.h"

#define PIT_NS_PER_S 1000000000ULL
#define PIT_BINARY_MAX 65536U
#define PIT_BCD_MAX 10000U
#define PIT_MODE_MAX 5

/* Bytes of a count, as in the control word and the KVM ABI; HIGH_NEXT: the second of LOW_HIGH */
enum carve_pit_access {
	PIT_LATCH = 0,
	PIT_LOW = 1,
	PIT_HIGH = 2,
	PIT_LOW_HIGH = 3,
	PIT_HIGH_NEXT = 4,
};

static inline u64 carve_pit_clocks_of(u64 ns)
{
	return ns / PIT_NS_PER_S * CARVE_PIT_HZ + ns % PIT_NS_PER_S * CARVE_PIT_HZ / PIT_NS_PER_S;
}

/* Rounded up: when that many clocks have passed. */
static inline u64 carve_pit_ns_of(u64 clocks)
{
	return clocks / CARVE_PIT_HZ * PIT_NS_PER_S +
	       (clocks % CARVE_PIT_HZ * PIT_NS_PER_S + CARVE_PIT_HZ - 1) / CARVE_PIT_HZ;
}

/* Modes 1 and 5 start by the gate; it does not stop them. */
static inline bool carve_pit_is_triggered(const struct carve_pit_channel *c)
{
	return c->mode == 1 || c->mode == 5;
}

/** carve_pit_resume() - after the counters were set: interrupt from the next edge on */
void carve_pit_resume(struct carve_pit *pit);

#endif
