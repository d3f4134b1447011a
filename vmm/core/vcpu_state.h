/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of a vCPU: at its start, and after a reset. Not a public header of vmm/core. */
#ifndef CARVE_VMM_VCPU_STATE_H
#define CARVE_VMM_VCPU_STATE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "vmm/boot/loader.h"
#include "vmm/core/vm_call.h"

/** struct vmm_power_on - what a reset brings back in every vCPU; read from the first, zeroed before use */
struct vmm_power_on {
	struct kvm_sregs sregs;
	struct kvm_msr_entry *msrs;
	size_t n_msrs;
};

/**
 * vmm_state_begin() - a new vCPU, after its CPUID: memory types
 * @vcpu: its descriptor
 * Return: 0, -errno.
 */
int vmm_state_begin(const struct vmm_vm_call *vcpu, struct cv_error *err);
/**
 * vmm_state_save() - what all vCPUs have at power-on, read from the first before it is told where to begin
 * @system: the hypervisor's descriptor
 * Return: 0 with @ret owned: vmm_power_on_done(); -errno.
 */
int vmm_state_save(const struct vmm_vm_call *system, const struct vmm_vm_call *vcpu,
		   struct vmm_power_on *ret, struct cv_error *err);
void vmm_power_on_done(struct vmm_power_on *p);
/**
 * vmm_state_enter() - vCPU 0, as it was at power-on, begins at @e
 * @run: its shared page, when the hypervisor takes registers from there at the next KVM_RUN
 *       (KVM_CAP_SYNC_REGS); NULL: they are set by ioctls
 * Return: 0, -errno.
 */
int vmm_state_enter(const struct vmm_vm_call *vcpu, struct kvm_run *run,
		    const struct vmm_power_on *p, const struct vmm_entry *e, struct cv_error *err);
/**
 * vmm_state_reset() - back to power-on
 * @apic_id:  of its local APIC
 * @is_first: it runs, else it waits for INIT and SIPI
 * The time-stamp counters go on: set one by one they would differ.
 */
int vmm_state_reset(const struct vmm_vm_call *vcpu, const struct vmm_power_on *p, uint32_t apic_id,
		    bool is_first, struct cv_error *err);

#endif
