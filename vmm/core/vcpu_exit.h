/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done when a vCPU leaves the guest. Not a public header of vmm/core. */
#ifndef CARVE_VMM_VCPU_EXIT_H
#define CARVE_VMM_VCPU_EXIT_H

#include <linux/kvm.h>

#include "vmm/core/vcpu.h"

/**
 * vmm_exit_handle() - one return of KVM_RUN, by its reason
 * @ret_value: of VMM_END_TEST: what the guest wrote
 * Return: VMM_END_NONE: run on.
 */
enum vmm_end vmm_exit_handle(struct kvm_run *run, struct vmm_bus *pio, struct vmm_bus *mmio,
			     struct vmm_vcpu_stats *stats, uint32_t *ret_value);
/**
 * vmm_exit_explain() - log why a vCPU cannot go on: reason, what the hypervisor said, registers
 * @run: NULL: KVM_RUN itself failed, with @error
 */
void vmm_exit_explain(size_t vcpu, int vcpu_fd, const struct kvm_run *run, int error);

#endif
