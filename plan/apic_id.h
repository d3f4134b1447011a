/* SPDX-License-Identifier: GPL-2.0-or-later */
/* APIC IDs of a guest's vCPUs, the same under each backend. */
#ifndef CARVE_PLAN_APIC_ID_H
#define CARVE_PLAN_APIC_ID_H

#include "plan/plan.h"

/**
 * struct plan_apic_fields - first bit of each level's field in an APIC ID; thread numbers begin at bit
 * 0. Each field is as wide as its largest number (Intel SDM vol. 3 section 10.9.1).
 */
struct plan_apic_fields {
	unsigned int core, die, package;
};

struct plan_apic_fields plan_apic_fields(const struct plan *p);
/** plan_apic_id() - of vCPU @vcpu, below @p->n_vcpus. */
uint32_t plan_apic_id(const struct plan *p, size_t vcpu);
/**
 * plan_needs_ext_dest_id() - does an APIC ID lie above 254?
 *
 * Those need x2APIC, and interrupts of devices that reach them: 8 bits of an MSI address name a CPU.
 * Without an IOMMU in the guest that is the extended destination ID of KVM (7 more bits:
 * Documentation/virt/kvm/x86/cpuid.rst, KVM_FEATURE_MSI_EXT_DEST_ID).
 */
bool plan_needs_ext_dest_id(const struct plan *p);

#endif
