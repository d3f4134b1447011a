// SPDX-License-Identifier: GPL-2.0-or-later
/* A vector has a route and an eventfd from the first time that it is unmasked, or raised. While it is
 * masked its route is, so that its eventfd keeps what was raised: that is the pending bit. */
#include "vmm/dev/msix.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"

#define CAP_SIZE 12
#define ENTRY_SIZE 16
#define PBA_ALIGN 8
#define CONTROL_WRITABLE (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)

/* ---- vectors; the table's lock is held ---- */

static bool is_enabled(const struct vmm_msix *m)
{
	return m->control & PCI_MSIX_FLAGS_ENABLE;
}

/* vmm_msix_is_enabled() looks without the lock. */
static void set_control(struct vmm_msix *m, uint16_t value)
{
	__atomic_store_n(&m->control, value, __ATOMIC_RELAXED);
}

static bool is_masked(const struct vmm_msix *m, unsigned int vector)
{
	return !is_enabled(m) || m->control & PCI_MSIX_FLAGS_MASKALL ||
	       m->entries[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static void close_vector(struct vmm_msix *m, unsigned int vector)
{
	struct vmm_msix_entry *e = &m->entries[vector];

	if (e->route < 0)
		return;
	if (m->changed)
		m->changed(m->ctx, vector, -1);
	vmm_irq_remove(m->irqs, e->route);
	e->route = e->fd = -1;
}

static int open_vector(struct vmm_msix *m, unsigned int vector)
{
	struct vmm_msix_entry *e = &m->entries[vector];
	int fd = -1, r;

	if (e->route >= 0)
		return 0;
	r = vmm_irq_add(m->irqs, &fd);
	if (r < 0)
		return r;
	e->route = r;
	e->fd = fd;
	r = m->changed ? m->changed(m->ctx, vector, fd) : 0;
	if (r >= 0)
		return 0;
	vmm_irq_remove(m->irqs, e->route);
	e->route = e->fd = -1;
	return r;
}

static int sync_source(struct vmm_msix *m, const struct vmm_msix_source *s)
{
	const struct vmm_msix_entry *e = s->vector < m->n ? &m->entries[s->vector] : NULL;

	if (!e || is_masked(m, s->vector))
		return vmm_irq_set(m->irqs, s->route, NULL);
	return vmm_irq_set(m->irqs, s->route, &(struct vmm_msi){ e->address, e->data });
}

static int sync_own(struct vmm_msix *m, unsigned int vector)
{
	struct vmm_msix_entry *e = &m->entries[vector];
	const struct vmm_msi msi = { e->address, e->data };
	int r;

	if (is_masked(m, vector))
		return e->route < 0 ? 0 : vmm_irq_set(m->irqs, e->route, NULL);
	r = open_vector(m, vector);
	return r < 0 ? r : vmm_irq_set(m->irqs, e->route, &msi);
}

/* Its routes are as the table says: one new table of routes for all of them. */
static int sync_vector(struct vmm_msix *m, unsigned int vector)
{
	int first, r;

	vmm_irq_hold(m->irqs);
	first = sync_own(m, vector);
	for (const struct vmm_msix_source *s = m->sources; s; s = s->next)
		if (s->vector == vector) {
			r = sync_source(m, s);
			first = first ?: r;
		}
	r = vmm_irq_commit(m->irqs);
	return first ?: r;
}

static void sync_and_tell(struct vmm_msix *m, unsigned int vector)
{
	int r = sync_vector(m, vector);

	if (r < 0)
		vmm_log_of(&m->log, "%s: interrupt %u cannot be delivered: %s", m->f->name, vector,
			   strerror(-r));
}

/* All at once: one new table of routes. */
static void sync_all(struct vmm_msix *m)
{
	int r;

	vmm_irq_hold(m->irqs);
	for (unsigned int i = 0; i < m->n; i++)
		sync_and_tell(m, i);
	r = vmm_irq_commit(m->irqs);
	if (r < 0)
		vmm_log_of(&m->log, "%s: interrupts cannot be delivered: %s", m->f->name,
			   strerror(-r));
}

/* What other sources raise is kept. */
static void close_all(struct vmm_msix *m)
{
	for (unsigned int i = 0; i < m->n; i++)
		close_vector(m, i);
	for (const struct vmm_msix_source *s = m->sources; s; s = s->next)
		(void)vmm_irq_set(m->irqs, s->route, NULL);
}

/* ---- the capability ---- */

static void put_le(uint8_t *at, uint32_t value, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static bool is_in_bar(const struct vmm_pci_function *f, unsigned int bar, uint32_t offset,
		      uint64_t size)
{
	return bar < VMM_PCI_BARS && offset % PBA_ALIGN == 0 && size <= f->bars[bar].size &&
	       offset <= f->bars[bar].size - size;
}

static uint64_t pba_size(unsigned int n)
{
	return (n + 63) / 64 * sizeof(uint64_t);
}

static int find_cap(struct vmm_pci_function *f, int cap_at)
{
	if (cap_at == 0)
		return vmm_pci_add_cap(f, PCI_CAP_ID_MSIX, NULL, CAP_SIZE);
	return cap_at > 0 && cap_at <= VMM_PCI_CONFIG - CAP_SIZE ? cap_at : -EINVAL;
}

static void fill_cap(struct vmm_msix *m)
{
	uint8_t *at = &m->f->config[m->cap], *mask = &m->f->mask[m->cap];

	put_le(&at[PCI_MSIX_FLAGS], m->n - 1U, 2);
	put_le(&at[PCI_MSIX_TABLE], m->table_offset | m->table_bar, 4);
	put_le(&at[PCI_MSIX_PBA], m->pba_offset | m->pba_bar, 4);
	memset(mask, 0, CAP_SIZE);
	put_le(&mask[PCI_MSIX_FLAGS], CONTROL_WRITABLE, 2);
}

static void clear_entries(struct vmm_msix *m)
{
	for (unsigned int i = 0; i < m->n; i++)
		m->entries[i] = (struct vmm_msix_entry){
			.control = PCI_MSIX_ENTRY_CTRL_MASKBIT,
			.route = -1,
			.fd = -1,
		};
}

int vmm_msix_init(struct vmm_msix *m, struct vmm_pci_function *f, struct vmm_irqs *irqs,
		  unsigned int n, unsigned int table_bar, uint32_t table_offset,
		  unsigned int pba_bar, uint32_t pba_offset, int cap_at)
{
	struct vmm_msix_entry *entries;
	int cap;

	if (n == 0 || n > VMM_MSIX_MAX ||
	    !is_in_bar(f, table_bar, table_offset, (uint64_t)n * ENTRY_SIZE) ||
	    !is_in_bar(f, pba_bar, pba_offset, pba_size(n)))
		return -EINVAL;
	entries = calloc(n, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	cap = find_cap(f, cap_at);
	if (cap < 0) {
		free(entries);
		return cap;
	}
	*m = (struct vmm_msix){ .f = f, .irqs = irqs, .n = (uint16_t)n, .cap = (uint16_t)cap };
	m->table_bar = table_bar;
	m->table_offset = table_offset;
	m->pba_bar = pba_bar;
	m->pba_offset = pba_offset;
	m->entries = entries;
	pthread_mutex_init(&m->lock, NULL);
	clear_entries(m);
	fill_cap(m);
	return 0;
}

void vmm_msix_done(struct vmm_msix *m)
{
	if (!m->entries)
		return;
	close_all(m);
	free(m->entries);
	pthread_mutex_destroy(&m->lock);
	m->entries = NULL;
}

void vmm_msix_config_written(struct vmm_msix *m, uint16_t offset, unsigned int len)
{
	uint16_t at = (uint16_t)(m->cap + PCI_MSIX_FLAGS), old;

	if (offset >= at + 2 || offset + len <= at)
		return;
	pthread_mutex_lock(&m->lock);
	old = m->control;
	set_control(m, vmm_pci_word(m->f, at) & CONTROL_WRITABLE);
	if (!is_enabled(m))
		close_all(m);
	else if (m->control != old)
		sync_all(m);
	pthread_mutex_unlock(&m->lock);
}

/* ---- the table and the pending bits ---- */

/* What of 8 bytes at @offset is read: 16 bytes for each vector. */
static uint64_t read_table(const struct vmm_msix *m, uint64_t offset)
{
	const struct vmm_msix_entry *e = &m->entries[offset / ENTRY_SIZE];

	return offset % ENTRY_SIZE < 8 ? e->address : e->data | (uint64_t)e->control << 32;
}

static bool is_pending(const struct vmm_msix *m, unsigned int vector)
{
	int route = m->entries[vector].route;
	bool is_pending = route >= 0 && vmm_irq_pending(m->irqs, route);

	for (const struct vmm_msix_source *s = m->sources; s && !is_pending; s = s->next)
		is_pending = s->vector == vector && vmm_irq_pending(m->irqs, s->route);
	return is_pending;
}

static uint64_t read_pending(const struct vmm_msix *m, uint64_t offset)
{
	unsigned int first = (unsigned int)offset * 8;
	uint64_t bits = 0;

	for (unsigned int i = 0; i < 64 && first + i < m->n; i++)
		if (is_pending(m, first + i))
			bits |= 1ULL << i;
	return bits;
}

/* Section 7.7.2.1: accesses of 4 and 8 bytes, aligned; others are undefined. */
static void write_word(struct vmm_msix_entry *e, unsigned int word, uint32_t value)
{
	switch (word) {
	case 0:
		e->address = (e->address & ~0xffffffffULL) | (value & ~3U);
		break;
	case 1:
		e->address = (uint32_t)e->address | (uint64_t)value << 32;
		break;
	case 2:
		e->data = value;
		break;
	case 3:
		e->control = value & PCI_MSIX_ENTRY_CTRL_MASKBIT;
		break;
	}
}

static void write_table(struct vmm_msix *m, uint64_t offset, const void *data, unsigned int len)
{
	unsigned int vector = (unsigned int)(offset / ENTRY_SIZE);

	for (unsigned int i = 0; i < len; i += 4) {
		uint32_t value;

		memcpy(&value, (const uint8_t *)data + i, sizeof(value));
		write_word(&m->entries[vector], (unsigned int)(offset + i) % ENTRY_SIZE / 4, value);
	}
	sync_and_tell(m, vector);
}

static void table_accessed_locked(struct vmm_msix *m, uint64_t offset, void *data, unsigned int len,
				  bool is_write)
{
	uint64_t value = read_table(m, offset);

	if (!is_write)
		memcpy(data, (uint8_t *)&value + offset % 8, len);
	else if (len >= 4)
		write_table(m, offset, data, len);
}

static bool is_within(unsigned int at, unsigned int bar, uint64_t offset, uint64_t start,
		      uint64_t size)
{
	return at == bar && offset >= start && offset - start < size;
}

bool vmm_msix_access(struct vmm_msix *m, unsigned int bar, uint64_t offset, void *data,
		     unsigned int len, bool is_write)
{
	bool is_table = is_within(bar, m->table_bar, offset, m->table_offset,
				  (uint64_t)m->n * ENTRY_SIZE);
	uint64_t value;

	if (!is_table && !is_within(bar, m->pba_bar, offset, m->pba_offset, pba_size(m->n)))
		return false;
	if (len > 8 || len == 0 || offset % len)
		return true;
	pthread_mutex_lock(&m->lock);
	if (is_table) {
		table_accessed_locked(m, offset - m->table_offset, data, len, is_write);
	} else if (!is_write) {
		value = read_pending(m, (offset - m->pba_offset) & ~7ULL);
		memcpy(data, (uint8_t *)&value + offset % 8, len);
	}
	pthread_mutex_unlock(&m->lock);
	return true;
}

/* ---- raising ---- */

bool vmm_msix_is_enabled(const struct vmm_msix *m)
{
	return __atomic_load_n(&m->control, __ATOMIC_RELAXED) & PCI_MSIX_FLAGS_ENABLE;
}

/* Masked, and never unmasked before: its eventfd is made to keep it. */
void vmm_msix_raise(struct vmm_msix *m, unsigned int vector)
{
	const uint64_t one = 1;

	if (vector >= m->n)
		return;
	pthread_mutex_lock(&m->lock);
	if (is_enabled(m) && open_vector(m, vector) == 0 &&
	    write(m->entries[vector].fd, &one, sizeof(one)) < 0)
		vmm_log_of(&m->log, "%s: interrupt %u is lost", m->f->name, vector);
	pthread_mutex_unlock(&m->lock);
}

static void sync_source_and_tell(struct vmm_msix *m, const struct vmm_msix_source *s)
{
	int r = sync_source(m, s);

	if (r < 0)
		vmm_log_of(&m->log, "%s: interrupt %u cannot be delivered: %s", m->f->name,
			   s->vector, strerror(-r));
}

int vmm_msix_source_add(struct vmm_msix *m, struct vmm_msix_source *s, unsigned int vector)
{
	int r;

	pthread_mutex_lock(&m->lock);
	r = vmm_irq_add(m->irqs, &s->fd);
	if (r >= 0) {
		s->route = r;
		s->vector = vector;
		s->next = m->sources;
		m->sources = s;
		sync_source_and_tell(m, s);
	}
	pthread_mutex_unlock(&m->lock);
	return r < 0 ? r : 0;
}

void vmm_msix_source_move(struct vmm_msix *m, struct vmm_msix_source *s, unsigned int vector)
{
	pthread_mutex_lock(&m->lock);
	s->vector = vector;
	sync_source_and_tell(m, s);
	pthread_mutex_unlock(&m->lock);
}

void vmm_msix_source_remove(struct vmm_msix *m, struct vmm_msix_source *s)
{
	struct vmm_msix_source **at = &m->sources;

	pthread_mutex_lock(&m->lock);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	vmm_irq_remove(m->irqs, s->route);
	pthread_mutex_unlock(&m->lock);
}

/* The configuration space is put back by who resets it; the enable bit goes with the state here. */
void vmm_msix_reset(struct vmm_msix *m)
{
	uint8_t *flags = &m->f->config[m->cap + PCI_MSIX_FLAGS + 1];

	pthread_mutex_lock(&m->lock);
	close_all(m);
	clear_entries(m);
	set_control(m, 0);
	__atomic_fetch_and(flags, (uint8_t) ~(CONTROL_WRITABLE >> 8), __ATOMIC_RELAXED);
	pthread_mutex_unlock(&m->lock);
}
