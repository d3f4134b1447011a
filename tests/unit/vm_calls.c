// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm_calls.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static int set_table(struct vm_calls *c, const struct kvm_irq_routing *table)
{
	assert_true(table->nr <= VC_MAX_ROUTES);
	assert_int_equal(table->flags, 0);
	for (unsigned int i = 0; i < table->nr; i++)
		if (table->entries[i].type == KVM_IRQ_ROUTING_MSI &&
		    table->entries[i].u.msi.address_hi & 0xff)
			return -EINVAL;
	memcpy(c->entries, table->entries, table->nr * sizeof(c->entries[0]));
	c->n_entries = table->nr;
	c->n_tables++;
	return 0;
}

/* As virt/kvm/eventfd.c: one that waits is delivered when the eventfd comes, and its count stays. */
static int set_irqfd(struct vm_calls *c, const struct kvm_irqfd *f)
{
	struct vc_irqfd *at = &c->irqfds[f->gsi];

	assert_true(f->gsi < VC_MAX_ROUTES);
	if (f->flags & KVM_IRQFD_FLAG_DEASSIGN) {
		assert_int_equal(at->fd, f->fd);
		at->fd = -1;
		c->n_deassigned++;
		return 0;
	}
	if (at->fd >= 0)
		return -EBUSY;
	at->fd = (int)f->fd;
	at->resample_fd = f->flags & KVM_IRQFD_FLAG_RESAMPLE ? (int)f->resamplefd : -1;
	c->delivered[f->gsi] += is_readable(at->fd);
	c->n_assigned++;
	return 0;
}

static int set_slot(struct vm_calls *c, const struct kvm_userspace_memory_region *r)
{
	if (r->slot >= VC_MAX_SLOTS)
		return -EINVAL;
	for (unsigned int i = 0; r->memory_size && i < VC_MAX_SLOTS; i++)
		if (i != r->slot &&
		    r->guest_phys_addr < c->slots[i].guest_phys_addr + c->slots[i].memory_size &&
		    c->slots[i].guest_phys_addr < r->guest_phys_addr + r->memory_size)
			return -EEXIST;
	c->slots[r->slot] = *r;
	return 0;
}

/* The chips' state is no more than bytes here. */
static int access_chip(struct vm_calls *c, struct kvm_irqchip *chip, bool is_set)
{
	if (chip->chip_id >= VC_CHIPS)
		return -EINVAL;
	if (is_set)
		c->chips[chip->chip_id] = *chip;
	else
		*chip = c->chips[chip->chip_id];
	return 0;
}

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	struct vm_calls *c = ctx;
	const struct kvm_irq_level *line = arg;

	c->n_calls++;
	if (c->fail_at && --c->fail_at == 0)
		return c->error;
	switch (request) {
	case KVM_SET_GSI_ROUTING:
		return set_table(c, arg);
	case KVM_IRQFD:
		return set_irqfd(c, arg);
	case KVM_SET_USER_MEMORY_REGION:
		return set_slot(c, arg);
	case KVM_GET_IRQCHIP:
	case KVM_SET_IRQCHIP:
		return access_chip(c, arg, request == KVM_SET_IRQCHIP);
	case KVM_IRQ_LINE:
		assert_true(line->irq < VC_LINES);
		c->lines[line->irq] = line->level;
		return 0;
	}
	fail_msg("unknown call %lx", request);
	return -ENOTTY;
}

void vc_init(struct vm_calls *c)
{
	memset(c, 0, sizeof(*c));
	c->vm = (struct vmm_vm_call){ .fd = -1, .call = answer, .ctx = c };
	for (unsigned int i = 0; i < VC_MAX_ROUTES; i++)
		c->irqfds[i].fd = c->irqfds[i].resample_fd = -1;
	for (unsigned int i = 0; i < VC_CHIPS; i++)
		c->chips[i].chip_id = i;
}

void vc_run(struct vm_calls *c)
{
	uint64_t count;

	for (unsigned int i = 0; i < VC_MAX_ROUTES; i++)
		if (c->irqfds[i].fd >= 0 && is_readable(c->irqfds[i].fd) &&
		    read(c->irqfds[i].fd, &count, sizeof(count)) == sizeof(count))
			c->delivered[i]++;
}

const struct kvm_irq_routing_entry *vc_route(const struct vm_calls *c, unsigned int gsi)
{
	const struct kvm_irq_routing_entry *found = NULL;

	for (unsigned int i = 0; i < c->n_entries; i++) {
		if (c->entries[i].gsi != gsi || c->entries[i].type != KVM_IRQ_ROUTING_MSI)
			continue;
		assert_null(found);
		found = &c->entries[i];
	}
	return found;
}
