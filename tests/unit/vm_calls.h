/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM descriptor that keeps what it is told: routes, irqfds, memslots and lines, as KVM does. */
#ifndef CARVE_TESTS_VM_CALLS_H
#define CARVE_TESTS_VM_CALLS_H

#include <linux/kvm.h>
#include <stdbool.h>

#include "vmm/core/vm_call.h"

#define VC_MAX_ROUTES 4096
#define VC_MAX_SLOTS 16
#define VC_LINES 24
#define VC_CHIPS 3

/** struct vc_irqfd - by which a GSI is raised */
struct vc_irqfd {
	int fd, resample_fd; /* -1: not assigned */
};

/** struct vm_calls - @fail_at: the n-th call from now on fails with @error; 0: none does */
struct vm_calls {
	struct vmm_vm_call vm;
	struct kvm_irq_routing_entry entries[VC_MAX_ROUTES];
	unsigned int n_entries;
	struct vc_irqfd irqfds[VC_MAX_ROUTES]; /* by GSI */
	unsigned int delivered[VC_MAX_ROUTES];
	struct kvm_userspace_memory_region slots[VC_MAX_SLOTS];
	bool lines[VC_LINES];
	struct kvm_irqchip chips[VC_CHIPS];
	unsigned int n_calls, n_tables, n_assigned, n_deassigned;
	unsigned int fail_at;
	int error;
};

void vc_init(struct vm_calls *c);
/** vc_run() - the kernel looks at its eventfds: what was written is delivered, and gone. */
void vc_run(struct vm_calls *c);
/** vc_route() - the table's only MSI entry of @gsi, NULL. */
const struct kvm_irq_routing_entry *vc_route(const struct vm_calls *c, unsigned int gsi);

#endif
