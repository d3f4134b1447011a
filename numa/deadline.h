/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded waiting for something the kernel finishes on its own time. */
#ifndef CARVE_NUMA_DEADLINE_H
#define CARVE_NUMA_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/** struct nu_deadline - a plain value; @end: CLOCK_MONOTONIC in milliseconds, @nap: next pause */
struct nu_deadline {
	uint64_t end;
	unsigned int nap;
};

/** nu_deadline_start() - @ms from now. */
struct nu_deadline nu_deadline_start(unsigned int ms);
/**
 * nu_deadline_wait() - pause for a moment (1 ms, doubling up to 50 ms)
 * Return: true after the pause, false at once when the deadline has passed.
 */
bool nu_deadline_wait(struct nu_deadline *d);

#endif
