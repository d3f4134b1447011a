/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID of each vCPU: what the hypervisor supports, with the topology and caches of the plan. Pure. */
#ifndef CARVE_VMM_CPUID_H
#define CARVE_VMM_CPUID_H

#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/plan.h"

#define VMM_CPUID_MAX 256

/** struct vmm_cpuid - one vCPU's table, in the layout of KVM_SET_CPUID2 */
struct vmm_cpuid {
	uint32_t n;
	struct kvm_cpuid_entry2 entries[VMM_CPUID_MAX];
};

/**
 * vmm_apic_id() - of vCPU @vcpu: package, die, core and thread numbers, each level in a field as wide
 * as its largest number (Intel SDM vol. 3 section 10.9.1; the same QEMU uses)
 */
uint32_t vmm_apic_id(const struct plan *p, size_t vcpu);
/** vmm_needs_ext_dest_id() - does an APIC ID lie above 254? (KVM_FEATURE_MSI_EXT_DEST_ID) */
bool vmm_needs_ext_dest_id(const struct plan *p);

/**
 * vmm_cpuid_make() - the table of vCPU @vcpu
 * @supported: what KVM_GET_SUPPORTED_CPUID answered
 * Leaves 1 (APIC ID, HTT, hypervisor bit, x2APIC, TSC deadline as given), 4, 0xb, 0x1f, 0x80000001
 * (TOPOEXT), 0x80000008 (address bits limited to @plan's when it limits them, core count),
 * 0x8000001d/1e (AMD), 0x40000000.. (KVM: passed through, with KVM_FEATURE_MSI_EXT_DEST_ID where needed)
 * are from the plan; SVM and VMX are hidden; the rest is as supported. Sources: AMD APM vol. 3 appendix E, Intel SDM vol. 2A.
 * Return: 0, -E2BIG (more than VMM_CPUID_MAX).
 */
int vmm_cpuid_make(const struct plan *p, size_t vcpu, const struct kvm_cpuid_entry2 *supported,
		   size_t n_supported, struct vmm_cpuid *ret);

#endif
