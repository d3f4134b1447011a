/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of devices: routes of the in-kernel interrupt controllers and the eventfds that raise
 * them (Documentation/virt/kvm/api.rst 4.52 KVM_SET_GSI_ROUTING, 4.75 KVM_IRQFD). */
#ifndef CARVE_VMM_IRQ_H
#define CARVE_VMM_IRQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vmm_irqs;
struct vmm_vm_call;

/** vmm_irqs_new() - routes of the I/O APIC and PIC; @vm_fd is borrowed. Return: 0, -errno. */
int vmm_irqs_new(int vm_fd, unsigned int max_routes, struct vmm_irqs **ret);
/** vmm_irqs_new_on() - like vmm_irqs_new(), by way of @vm (copied). */
int vmm_irqs_new_on(const struct vmm_vm_call *vm, unsigned int max_routes, struct vmm_irqs **ret);
/** vmm_irqs_free() - closes the eventfds. Context: the VM runs no more. */
void vmm_irqs_free(struct vmm_irqs *q);

/** vmm_irqs_save() - read the PICs and the I/O APIC as they are at power-on. Return: 0, -errno. */
int vmm_irqs_save(struct vmm_irqs *q);
/**
 * vmm_irqs_restore() - the PICs and the I/O APIC as they were saved: what the guest before a reset had
 * unmasked there raises no vector that the next one does not know
 * Context: no vCPU runs. Return: 0, -ENODATA (nothing was saved), -errno.
 */
int vmm_irqs_restore(struct vmm_irqs *q);

/** struct vmm_msi - as PCI carries it */
struct vmm_msi {
	uint64_t address;
	uint32_t data;
};

/**
 * vmm_irq_add() - a new route with an eventfd that raises it; nothing is delivered until it is set
 * @ret_fd: eventfd, owned by the route; VFIO or a device thread writes 8 bytes to it
 * Return: the route's number (>= 0), -ENOSPC, -errno.
 */
int vmm_irq_add(struct vmm_irqs *q, int *ret_fd);
/** vmm_irq_remove() - the eventfd is closed. */
void vmm_irq_remove(struct vmm_irqs *q, int route);
/**
 * vmm_irq_set() - where it goes from now on; NULL: masked, what is raised waits in the eventfd and is
 * delivered when it is set again
 * Nothing is called in the kernel when neither address nor data nor mask changed. Bits 11:5 of the
 * address are bits 14:8 of the destination (Documentation/virt/kvm/x86/cpuid.rst,
 * KVM_FEATURE_MSI_EXT_DEST_ID).
 * Return: 0, -EINVAL (no address of a local APIC: it is masked), -errno.
 */
int vmm_irq_set(struct vmm_irqs *q, int route, const struct vmm_msi *msi);
/**
 * vmm_irq_hold() - until vmm_irq_commit(), routes that are set do not become live one by one: all of
 * them do with one new table then; holds nest
 * Return (commit): 0, -errno of the first that could not.
 */
void vmm_irq_hold(struct vmm_irqs *q);
int vmm_irq_commit(struct vmm_irqs *q);
/** vmm_irq_pending() - was it raised while it was masked? Does not consume it. */
bool vmm_irq_pending(struct vmm_irqs *q, int route);
/** vmm_irq_count() - how many routes have been raised by the VMM itself is not known: 0; statistics of
 * the kernel are read elsewhere. Number of routes in use. */
size_t vmm_irq_count(struct vmm_irqs *q);

/** vmm_irq_line() - level of pin @gsi of the I/O APIC (KVM_IRQ_LINE). Return: 0, -errno. */
int vmm_irq_line(struct vmm_irqs *q, unsigned int gsi, bool level);
/**
 * vmm_irq_resample() - a level-triggered line raised by @trigger_fd; after the guest's EOI the kernel
 * lowers it and writes @resample_fd (api.rst 4.75)
 * Return: 0, -errno. vmm_irq_unresample() takes it back.
 */
int vmm_irq_resample(struct vmm_irqs *q, unsigned int gsi, int trigger_fd, int resample_fd);
void vmm_irq_unresample(struct vmm_irqs *q, unsigned int gsi, int trigger_fd);

#endif
