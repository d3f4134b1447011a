/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who answers at which address: one bus for ports, one for memory-mapped registers. */
#ifndef CARVE_VMM_BUS_H
#define CARVE_VMM_BUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct vmm_range - [@start, @start + @size) belongs to somebody
 * @access: @offset from @start; @data has @len bytes (1, 2, 4 or 8), little endian. Reads have been
 *          filled with ones before. Called by any vCPU thread, several at once: locks are its own
 */
struct vmm_range {
	const char *name;
	uint64_t start, size;
	void (*access)(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write);
	void *ctx;
};

struct vmm_bus_entry;

/**
 * struct vmm_bus - entries ascend by start
 *
 * The lock is held to find the owner of an address, not while it is called: an access may itself add,
 * move and take away ranges of the same bus (a BAR that the guest moves by way of ECAM).
 */
struct vmm_bus {
	pthread_rwlock_t lock;
	struct vmm_bus_entry **entries; /* guarded by @lock */
	size_t n;			/* guarded by @lock */
	pthread_mutex_t idle_lock;
	pthread_cond_t idle;  /* an access ended while somebody waits */
	unsigned int waiting; /* atomic: threads that wait for the end of accesses */
};

int vmm_bus_init(struct vmm_bus *b);
/** vmm_bus_done() - Context: no access runs any more. */
void vmm_bus_done(struct vmm_bus *b);
/**
 * vmm_bus_add() - Return: 0, -EEXIST (overlaps another one), -EINVAL (empty or past the end), -ENOMEM.
 * Context: any thread, within an access of the same bus too.
 */
int vmm_bus_add(struct vmm_bus *b, const struct vmm_range *r);
/**
 * vmm_bus_move() - the range that starts at @start starts at @to from the next access on
 * Accesses that run already end with the offset they began with.
 * Return: 0, -ENOENT, -EEXIST (overlaps another one, nothing was moved), -EINVAL (past the end).
 * Context: any thread, within an access of the same bus too; never waits for an access.
 */
int vmm_bus_move(struct vmm_bus *b, uint64_t start, uint64_t to);
/**
 * vmm_bus_remove() - @access is not called any more when it returns, other than by the caller itself:
 * waits for accesses of the range in other threads
 * Return: 0, -ENOENT.
 * Context: any thread, within an access of the same bus too; with no lock held that the range's access
 * takes, and no two ranges may remove each other from within their accesses: vmm_bus_detach() then.
 */
int vmm_bus_remove(struct vmm_bus *b, uint64_t start);
/**
 * vmm_bus_detach() - like vmm_bus_remove(), without waiting: accesses in other threads that began before
 * may still run, @ctx has to outlive them
 * Return: 0, -ENOENT.
 */
int vmm_bus_detach(struct vmm_bus *b, uint64_t start);
/**
 * vmm_bus_access() - one access of the guest
 * An access that crosses the end of a range, or that nobody owns, reads ones and is not written.
 * Return: true when somebody owned it.
 */
bool vmm_bus_access(struct vmm_bus *b, uint64_t addr, void *data, unsigned int len, bool is_write);

#endif
