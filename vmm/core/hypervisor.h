/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor: any descriptor that speaks the KVM ABI (Linux Documentation/virt/kvm/api.rst). */
#ifndef CARVE_VMM_HYPERVISOR_H
#define CARVE_VMM_HYPERVISOR_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vmm/core/vm_call.h"

/** struct vmm_hypervisor - @system is the way to @fd, which is borrowed; @vm_fd owned */
struct vmm_hypervisor {
	struct vmm_vm_call system;
	int fd, vm_fd;
	unsigned int max_slots, max_vcpus, max_routes;
	size_t run_size; /* bytes of a vCPU's mapped kvm_run */
	bool has_immediate_exit, has_ext_dest_id, has_tsc_deadline, has_stats_fd;
	bool has_sync_regs;	  /* general and special registers are taken from kvm_run */
	struct kvm_cpuid2 *cpuid; /* supported; owned */
};

/**
 * vmm_hypervisor_open() - check the API version and the capabilities that cannot be done without
 * Return: 0; -EOPNOTSUPP with @err NO_CAPABILITY: its name, what needs it; -ENODEV: not the KVM ABI.
 */
int vmm_hypervisor_open(int fd, struct vmm_hypervisor *ret, struct cv_error *err);
/** vmm_hypervisor_open_on() - like vmm_hypervisor_open(), by way of @system (copied). */
int vmm_hypervisor_open_on(const struct vmm_vm_call *system, struct vmm_hypervisor *ret,
			   struct cv_error *err);
/** vmm_hypervisor_make_vm() - the VM with in-kernel PIC, I/O APIC and local APICs, no PIT. */
int vmm_hypervisor_make_vm(struct vmm_hypervisor *h, struct cv_error *err);
void vmm_hypervisor_done(struct vmm_hypervisor *h);

#endif
