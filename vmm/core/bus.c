// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges sorted by start. An access takes a reference on the entry under the lock and calls its owner
 * after it has let the lock go; who removes an entry waits until the others gave theirs back. */
#include "vmm/core/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/**
 * struct vmm_bus_entry - freed with its last reference
 * @range: its start is guarded by the bus's lock, the rest is constant
 * @refs:  atomic: one of the bus while it is in the list, one for each access that runs
 */
struct vmm_bus_entry {
	struct vmm_range range;
	unsigned int refs;
};

/** struct access - one that the thread is within; the innermost first */
struct access {
	const struct vmm_bus_entry *entry;
	const struct access *outer;
};

/* How often this thread is within a range is a fact of the thread, not of a device. */
static __thread const struct access *within;

static unsigned int own_refs(const struct vmm_bus_entry *e)
{
	unsigned int n = 0;

	for (const struct access *a = within; a; a = a->outer)
		n += a->entry == e;
	return n;
}

/* ---- references ---- */

static void entry_unref(struct vmm_bus_entry *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_SEQ_CST) == 0)
		free(e);
}

/* Either a waiter sees the reference gone, or this sees the waiter: both sides are SEQ_CST. */
static void access_ended(struct vmm_bus *b, struct vmm_bus_entry *e)
{
	entry_unref(e);
	if (__atomic_load_n(&b->waiting, __ATOMIC_SEQ_CST) == 0)
		return;
	pthread_mutex_lock(&b->idle_lock);
	pthread_cond_broadcast(&b->idle);
	pthread_mutex_unlock(&b->idle_lock);
}

/* Until only the caller's own references are left; it holds that of the bus. */
static void wait_idle(struct vmm_bus *b, const struct vmm_bus_entry *e)
{
	unsigned int own = 1 + own_refs(e);

	__atomic_add_fetch(&b->waiting, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&b->idle_lock);
	while (__atomic_load_n(&e->refs, __ATOMIC_SEQ_CST) != own)
		pthread_cond_wait(&b->idle, &b->idle_lock);
	pthread_mutex_unlock(&b->idle_lock);
	__atomic_sub_fetch(&b->waiting, 1, __ATOMIC_SEQ_CST);
}

/* ---- the list; the lock is held ---- */

/* The number of entries that start at @addr or below. */
static size_t count_up_to_locked(const struct vmm_bus *b, uint64_t addr)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (b->entries[middle]->range.start <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Return: index, -ENOENT. */
static ssize_t find_start_locked(const struct vmm_bus *b, uint64_t start)
{
	size_t n = count_up_to_locked(b, start);

	if (n == 0 || b->entries[n - 1]->range.start != start)
		return -ENOENT;
	return (ssize_t)n - 1;
}

/* [@start, @start + @size), its last byte within the address space, between its neighbours. */
static bool is_free_locked(const struct vmm_bus *b, uint64_t start, uint64_t size)
{
	size_t n = count_up_to_locked(b, start);

	if (n < b->n && b->entries[n]->range.start - start < size)
		return false;
	return n == 0 || start - b->entries[n - 1]->range.start >= b->entries[n - 1]->range.size;
}

static void insert_locked(struct vmm_bus *b, struct vmm_bus_entry *e)
{
	size_t at = count_up_to_locked(b, e->range.start);

	memmove(&b->entries[at + 1], &b->entries[at], (b->n - at) * sizeof(struct vmm_bus_entry *));
	b->entries[at] = e;
	b->n++;
}

static struct vmm_bus_entry *take_locked(struct vmm_bus *b, size_t at)
{
	struct vmm_bus_entry *e = b->entries[at];

	b->n--;
	memmove(&b->entries[at], &b->entries[at + 1], (b->n - at) * sizeof(struct vmm_bus_entry *));
	return e;
}

static int add_locked(struct vmm_bus *b, struct vmm_bus_entry *e)
{
	struct vmm_bus_entry **grown;

	if (!is_free_locked(b, e->range.start, e->range.size))
		return -EEXIST;
	grown = reallocarray(b->entries, b->n + 1, sizeof(struct vmm_bus_entry *));
	if (!grown)
		return -ENOMEM;
	b->entries = grown;
	insert_locked(b, e);
	return 0;
}

/* What does not fit goes back to where it was: nobody saw it gone. */
static int move_locked(struct vmm_bus *b, uint64_t start, uint64_t to)
{
	ssize_t at = find_start_locked(b, start);
	struct vmm_bus_entry *e;
	int r = 0;

	if (at < 0)
		return (int)at;
	e = b->entries[at];
	if (e->range.size - 1 > UINT64_MAX - to)
		return -EINVAL;
	e = take_locked(b, (size_t)at);
	if (is_free_locked(b, to, e->range.size))
		e->range.start = to;
	else
		r = -EEXIST;
	insert_locked(b, e);
	return r;
}

/* ---- ranges come and go ---- */

int vmm_bus_init(struct vmm_bus *b)
{
	pthread_rwlockattr_t attr;
	int r;

	*b = (struct vmm_bus){ 0 };
	r = pthread_rwlockattr_init(&attr);
	if (r)
		return -r;
	/* vCPUs that poll a register do not keep out who changes the list; no reader nests */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	r = pthread_rwlock_init(&b->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	if (r)
		return -r;
	pthread_mutex_init(&b->idle_lock, NULL);
	pthread_cond_init(&b->idle, NULL);
	return 0;
}

void vmm_bus_done(struct vmm_bus *b)
{
	for (size_t i = 0; i < b->n; i++)
		entry_unref(b->entries[i]);
	free(b->entries);
	pthread_cond_destroy(&b->idle);
	pthread_mutex_destroy(&b->idle_lock);
	pthread_rwlock_destroy(&b->lock);
	*b = (struct vmm_bus){ 0 };
}

int vmm_bus_add(struct vmm_bus *b, const struct vmm_range *range)
{
	_cleanup_free_ struct vmm_bus_entry *e = NULL;
	int r;

	if (range->size == 0 || range->size - 1 > UINT64_MAX - range->start)
		return -EINVAL;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	*e = (struct vmm_bus_entry){ .range = *range, .refs = 1 };
	pthread_rwlock_wrlock(&b->lock);
	r = add_locked(b, e);
	pthread_rwlock_unlock(&b->lock);
	if (r < 0)
		return r;
	TAKE_PTR(e);
	return 0;
}

int vmm_bus_move(struct vmm_bus *b, uint64_t start, uint64_t to)
{
	int r;

	pthread_rwlock_wrlock(&b->lock);
	r = move_locked(b, start, to);
	pthread_rwlock_unlock(&b->lock);
	return r;
}

/* Out of the list; the reference of the bus is the caller's then. */
static struct vmm_bus_entry *take(struct vmm_bus *b, uint64_t start)
{
	struct vmm_bus_entry *e = NULL;
	ssize_t at;

	pthread_rwlock_wrlock(&b->lock);
	at = find_start_locked(b, start);
	if (at >= 0)
		e = take_locked(b, (size_t)at);
	pthread_rwlock_unlock(&b->lock);
	return e;
}

int vmm_bus_remove(struct vmm_bus *b, uint64_t start)
{
	struct vmm_bus_entry *e = take(b, start);

	if (!e)
		return -ENOENT;
	wait_idle(b, e);
	entry_unref(e);
	return 0;
}

int vmm_bus_detach(struct vmm_bus *b, uint64_t start)
{
	struct vmm_bus_entry *e = take(b, start);

	if (!e)
		return -ENOENT;
	access_ended(b, e);
	return 0;
}

/* ---- accesses ---- */

static bool is_width(unsigned int len)
{
	return len == 1 || len == 2 || len == 4 || len == 8;
}

static struct vmm_bus_entry *find_locked(const struct vmm_bus *b, uint64_t addr, unsigned int len)
{
	size_t n = count_up_to_locked(b, addr);
	struct vmm_bus_entry *e = n > 0 ? b->entries[n - 1] : NULL;
	uint64_t offset = e ? addr - e->range.start : 0;

	if (!e || offset >= e->range.size || e->range.size - offset < len)
		return NULL;
	return e;
}

static struct vmm_bus_entry *find_ref(struct vmm_bus *b, uint64_t addr, unsigned int len,
				      uint64_t *ret_offset)
{
	struct vmm_bus_entry *e;

	pthread_rwlock_rdlock(&b->lock);
	e = find_locked(b, addr, len);
	if (e) {
		__atomic_add_fetch(&e->refs, 1, __ATOMIC_SEQ_CST);
		*ret_offset = addr - e->range.start;
	}
	pthread_rwlock_unlock(&b->lock);
	return e;
}

bool vmm_bus_access(struct vmm_bus *b, uint64_t addr, void *data, unsigned int len, bool is_write)
{
	struct vmm_bus_entry *e;
	uint64_t offset = 0;

	if (!is_write)
		memset(data, 0xff, len);
	e = is_width(len) ? find_ref(b, addr, len, &offset) : NULL;
	if (!e)
		return false;

	struct access a = { .entry = e, .outer = within };

	within = &a;
	e->range.access(e->range.ctx, offset, data, len, is_write);
	within = a.outer;
	access_ended(b, e);
	return true;
}
