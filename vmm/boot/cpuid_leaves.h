/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the making of a CPUID table: leaves that are made as a whole. Not a public header of vmm/. */
#ifndef CARVE_VMM_CPUID_LEAVES_H
#define CARVE_VMM_CPUID_LEAVES_H

#include "plan/apic_id.h"
#include "vmm/boot/cpuid.h"

#define LEAF_CACHES_INTEL 4
#define LEAF_TOPOLOGY 0xb
#define LEAF_TOPOLOGY_V2 0x1f
#define LEAF_CACHES_AMD 0x8000001d
#define LEAF_UNIT_AMD 0x8000001e
#define LEAF_TOPOLOGY_AMD 0x80000026

/**
 * struct cpuid_maker - one table while it is made
 * @is_amd: AMD or Hygon, as leaf 0 says
 */
struct cpuid_maker {
	const struct plan *plan;
	const struct kvm_cpuid_entry2 *supported;
	size_t n_supported;
	uint32_t apic_id;
	struct plan_apic_fields fields;
	bool is_amd, has_topology_v2;
	struct vmm_cpuid *out;
	int error; /* -E2BIG sticks */
};

void cpuid_add(struct cpuid_maker *m, struct kvm_cpuid_entry2 e);
/** cpuid_add_caches() - leaf 4 or 0x8000001d: sizes and sharing of the plan. */
void cpuid_add_caches(struct cpuid_maker *m);

#endif
