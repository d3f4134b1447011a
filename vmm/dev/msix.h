/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MSI-X table of a function (PCIe Base 6.0 section 7.7.2): kept by the VMM, its vectors are routes. */
#ifndef CARVE_VMM_MSIX_H
#define CARVE_VMM_MSIX_H

#include "vmm/core/irq.h"
#include "vmm/core/log.h"
#include "vmm/dev/pci.h"

#define VMM_MSIX_MAX 2048

/**
 * struct vmm_msix_source - something else that raises a vector: who has @fd writes 8 bytes to it, another
 * process or the kernel; embedded in who asks for it
 * @vector: none when there is no such
 * @fd:     eventfd, stays the same one while it is moved; keeps what comes while the vector is masked
 */
struct vmm_msix_source {
	struct vmm_msix_source *next;
	unsigned int vector;
	int route, fd;
};

/** struct vmm_msix - embedded in a device model */
struct vmm_msix {
	struct vmm_pci_function *f;
	struct vmm_irqs *irqs;
	uint16_t n, cap;
	unsigned int table_bar, pba_bar;
	uint32_t table_offset, pba_offset;
	struct vmm_msix_entry {
		uint64_t address;
		uint32_t data, control;
		int route, fd; /* -1 until the guest first unmasks it */
	} * entries;
	/* told when a vector gets its eventfd (VFIO: KVM gets it, the device is told), and with @fd -1
	 * before it is closed; NULL: nobody. Less than 0: the vector stays dead until it is masked and
	 * unmasked again. Context: the table's lock is held: no call of vmm_msix within */
	int (*changed)(void *ctx, unsigned int vector, int fd);
	void *ctx;
	struct vmm_log_budget log;
	struct vmm_msix_source *sources;
	pthread_mutex_t lock; /* of entries, sources and control; after the function's own */
	uint16_t control;     /* message control as the guest wrote it last */
};

/**
 * vmm_msix_init() - add the capability: @n vectors, table and pending bits in BARs
 * @cap_at: offset of a capability that is there already (VFIO), 0: add one
 * Clears @m: set @changed afterwards.
 * Return: 0, -EINVAL (count, BARs, alignment), -ENOSPC, -ENOMEM.
 */
int vmm_msix_init(struct vmm_msix *m, struct vmm_pci_function *f, struct vmm_irqs *irqs,
		  unsigned int n, unsigned int table_bar, uint32_t table_offset,
		  unsigned int pba_bar, uint32_t pba_offset, int cap_at);
/** vmm_msix_done() - Context: nobody raises a vector any more. */
void vmm_msix_done(struct vmm_msix *m);
/** vmm_msix_access() - of BAR @bar at @offset. Return: true when it was table or pending bits. */
bool vmm_msix_access(struct vmm_msix *m, unsigned int bar, uint64_t offset, void *data,
		     unsigned int len, bool is_write);
/** vmm_msix_config_written() - after a write to configuration space: enable and function mask.
 * Context: from config_write. Disabled: all eventfds are closed. */
void vmm_msix_config_written(struct vmm_msix *m, uint16_t offset, unsigned int len);
bool vmm_msix_is_enabled(const struct vmm_msix *m);
/** vmm_msix_raise() - a vector of an emulated device. Context: any thread. */
void vmm_msix_raise(struct vmm_msix *m, unsigned int vector);
/** vmm_msix_source_add() - Return: 0, -ENOSPC (no more routes), -errno. */
int vmm_msix_source_add(struct vmm_msix *m, struct vmm_msix_source *s, unsigned int vector);
/** vmm_msix_source_move() - it raises @vector from now on. */
void vmm_msix_source_move(struct vmm_msix *m, struct vmm_msix_source *s, unsigned int vector);
/** vmm_msix_source_remove() - @s->fd is closed. */
void vmm_msix_source_remove(struct vmm_msix *m, struct vmm_msix_source *s);
/** vmm_msix_reset() - disabled, all masked. Context: with the function's lock or without. */
void vmm_msix_reset(struct vmm_msix *m);

#endif
