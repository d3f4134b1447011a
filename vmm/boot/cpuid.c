// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/boot/cpuid.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/boot/cpuid_leaves.h"

/* Leaf 1. */
#define EDX_HTT (1U << 28)
#define ECX_HYPERVISOR (1U << 31)
#define ECX_VMX (1U << 5)
#define CLFLUSH_SHIFT 8
#define CLFLUSH_64 8 /* units of 8 bytes */

/* Leaf 0x80000001. */
#define ECX_CMP_LEGACY (1U << 1)
#define ECX_SVM (1U << 2)
#define ECX_TOPOEXT (1U << 22)

#define LEAF_SVM 0x8000000a

/* Levels of the leaves 0xb and 0x1f. */
#define LEVEL_SMT 1
#define LEVEL_CORE 2
#define LEVEL_DIE 5

/* Leaf 0x40000001 (Documentation/virt/kvm/x86/cpuid.rst). */
#define KVM_LEAF_FEATURES 0x40000001
#define MSI_EXT_DEST_ID (1U << 15)
#define HINTS_REALTIME (1U << 0)

uint32_t vmm_apic_id(const struct plan *p, size_t vcpu)
{
	return plan_apic_id(p, vcpu);
}

bool vmm_needs_ext_dest_id(const struct plan *p)
{
	return plan_needs_ext_dest_id(p);
}

void cpuid_add(struct cpuid_maker *m, struct kvm_cpuid_entry2 e)
{
	if (m->out->n == VMM_CPUID_MAX)
		m->error = -E2BIG;
	if (m->error == 0)
		m->out->entries[m->out->n++] = e;
}

/* vCPUs of a package. */
static unsigned int per_package(const struct plan *p)
{
	return (unsigned int)(p->dies * p->cores * p->threads);
}

static uint32_t at_most(uint32_t v, uint32_t max)
{
	return v < max ? v : max;
}

static void raise_to(uint32_t *v, uint32_t least)
{
	if (*v < least)
		*v = least;
}

/* ---- leaves that the hypervisor supports, changed ---- */

static void patch_max_leaf(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e)
{
	raise_to(&e->eax, m->has_topology_v2 ? LEAF_TOPOLOGY_V2 : LEAF_TOPOLOGY);
}

static void patch_max_extended(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e)
{
	if (m->is_amd)
		raise_to(&e->eax, LEAF_UNIT_AMD);
}

/* EBX: APIC ID, IDs of a package (Intel) or CPUs of a package (AMD), CLFLUSH. */
static void patch_features(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e)
{
	uint32_t n = m->is_amd ? per_package(m->plan) : 1U << m->fields.package;
	uint32_t clflush = e->ebx >> CLFLUSH_SHIFT & 0xff;

	e->ebx = (m->apic_id & 0xff) << 24 | at_most(n, 255) << 16 |
		 (clflush ? clflush : CLFLUSH_64) << CLFLUSH_SHIFT | (e->ebx & 0xff);
	e->ecx |= ECX_HYPERVISOR;
	e->ecx &= ~ECX_VMX;
	e->edx &= ~EDX_HTT;
	if (per_package(m->plan) > 1)
		e->edx |= EDX_HTT;
}

static void patch_extended_features(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e)
{
	e->ecx &= ~ECX_SVM;
	if (!m->is_amd)
		return;
	e->ecx &= ~ECX_CMP_LEGACY;
	e->ecx |= ECX_TOPOEXT;
	if (per_package(m->plan) > 1)
		e->ecx |= ECX_CMP_LEGACY;
}

/* EAX: physical address bits, and those of the guest's own guests. ECX: CPUs of a package, bits of
 * their IDs. */
static void patch_sizes(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e)
{
	uint32_t limit = m->plan->phys_bits_limit;

	if (limit) {
		e->eax = (e->eax & ~0xffU) | at_most(e->eax & 0xff, limit);
		e->eax = (e->eax & ~0xff0000U) | at_most(e->eax >> 16 & 0xff, limit) << 16;
	}
	if (m->is_amd)
		e->ecx = (e->ecx & ~0xf0ffU) | m->fields.package << 12 |
			 at_most(per_package(m->plan) - 1, 255);
}

/* vCPUs are pinned, and no two share a CPU: the guest need not yield to another. */
static void patch_kvm_features(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e)
{
	if (plan_needs_ext_dest_id(m->plan))
		e->eax |= MSI_EXT_DEST_ID;
	e->edx |= HINTS_REALTIME;
}

static const struct {
	uint32_t leaf;
	void (*patch)(const struct cpuid_maker *m, struct kvm_cpuid_entry2 *e);
} patches[] = {
	{ 0, patch_max_leaf },
	{ 1, patch_features },
	{ KVM_LEAF_FEATURES, patch_kvm_features },
	{ 0x80000000, patch_max_extended },
	{ 0x80000001, patch_extended_features },
	{ 0x80000008, patch_sizes },
};

/* ---- leaves of the plan ---- */

static const uint32_t made[] = { LEAF_CACHES_INTEL, LEAF_TOPOLOGY, LEAF_TOPOLOGY_V2,
				 LEAF_CACHES_AMD,   LEAF_UNIT_AMD, LEAF_TOPOLOGY_AMD };

static void add_level(struct cpuid_maker *m, uint32_t leaf, uint32_t index, uint32_t type,
		      unsigned int shift, unsigned int cpus)
{
	cpuid_add(m, (struct kvm_cpuid_entry2){
			     .function = leaf,
			     .index = index,
			     .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			     .eax = shift,
			     .ebx = cpus,
			     .ecx = type << 8 | index,
			     .edx = m->apic_id,
		     });
}

/* Leaf 0xb has no dies: a core's field reaches up to the package. */
static void add_topology(struct cpuid_maker *m)
{
	const struct plan *p = m->plan;
	unsigned int threads = (unsigned int)p->threads, per_die = (unsigned int)p->cores * threads;

	add_level(m, LEAF_TOPOLOGY, 0, LEVEL_SMT, m->fields.core, threads);
	add_level(m, LEAF_TOPOLOGY, 1, LEVEL_CORE, m->fields.package, per_package(p));
	add_level(m, LEAF_TOPOLOGY, 2, 0, 0, 0);
	if (!m->has_topology_v2)
		return;
	add_level(m, LEAF_TOPOLOGY_V2, 0, LEVEL_SMT, m->fields.core, threads);
	add_level(m, LEAF_TOPOLOGY_V2, 1, LEVEL_CORE, m->fields.die, per_die);
	add_level(m, LEAF_TOPOLOGY_V2, 2, LEVEL_DIE, m->fields.package, per_package(p));
	add_level(m, LEAF_TOPOLOGY_V2, 3, 0, 0, 0);
}

/* EBX: core within its package; ECX: a node is a die, as QEMU shows it, and a package has 8 at most. */
static void add_unit(struct cpuid_maker *m)
{
	uint32_t in_package = m->apic_id & ((1U << m->fields.package) - 1);

	if (!m->is_amd)
		return;
	cpuid_add(m, (struct kvm_cpuid_entry2){
			     .function = LEAF_UNIT_AMD,
			     .eax = m->apic_id,
			     .ebx = (uint32_t)(m->plan->threads - 1) << 8 |
				    (in_package >> m->fields.core & 0xff),
			     .ecx = at_most((uint32_t)m->plan->dies - 1, 7) << 8 |
				    (m->apic_id >> m->fields.die & 0xff),
		     });
}

/* ---- the table ---- */

/* Guests have no guests of their own: what a guest of a guest left would outlive a reset, and no plan
 * asks for it. */
static const uint32_t hidden[] = { LEAF_SVM };

static bool is_among(const uint32_t *leaves, size_t n, uint32_t leaf)
{
	for (size_t i = 0; i < n; i++)
		if (leaves[i] == leaf)
			return true;
	return false;
}

static void add_supported(struct cpuid_maker *m, struct kvm_cpuid_entry2 e)
{
	if (is_among(made, CV_ARRAY_SIZE(made), e.function) ||
	    is_among(hidden, CV_ARRAY_SIZE(hidden), e.function))
		return;
	for (size_t i = 0; i < CV_ARRAY_SIZE(patches); i++)
		if (patches[i].leaf == e.function)
			patches[i].patch(m, &e);
	cpuid_add(m, e);
}

static bool has_vendor(const struct kvm_cpuid_entry2 *e, const char *name)
{
	uint32_t text[3] = { e->ebx, e->edx, e->ecx };

	return memcmp(text, name, sizeof(text)) == 0;
}

static void look_at(struct cpuid_maker *m)
{
	m->has_topology_v2 = m->plan->dies > 1;
	for (size_t i = 0; i < m->n_supported; i++) {
		const struct kvm_cpuid_entry2 *e = &m->supported[i];

		m->has_topology_v2 |= e->function == LEAF_TOPOLOGY_V2;
		if (e->function == 0)
			m->is_amd = has_vendor(e, "AuthenticAMD") || has_vendor(e, "HygonGenuine");
	}
}

int vmm_cpuid_make(const struct plan *p, size_t vcpu, const struct kvm_cpuid_entry2 *supported,
		   size_t n_supported, struct vmm_cpuid *ret)
{
	struct cpuid_maker m = {
		.plan = p,
		.supported = supported,
		.n_supported = n_supported,
		.apic_id = plan_apic_id(p, vcpu),
		.fields = plan_apic_fields(p),
		.out = ret,
	};

	ret->n = 0;
	look_at(&m);
	for (size_t i = 0; i < n_supported; i++)
		add_supported(&m, supported[i]);
	cpuid_add_caches(&m);
	add_topology(&m);
	add_unit(&m);
	return m.error;
}
