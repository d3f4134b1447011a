// SPDX-License-Identifier: GPL-2.0-or-later
/* Caches: leaf 4 (Intel SDM vol. 2A, CPUID) and 0x8000001d (AMD APM vol. 3, E.4.15), which share a
 * layout. */
#include "base/cleanup.h"
#include "vmm/boot/cpuid_leaves.h"

#define TYPE_DATA 1
#define TYPE_CODE 2
#define TYPE_BOTH 3

#define EAX_TYPE 0x1fU
#define EAX_LEVEL_SHIFT 5
#define EAX_SELF_INIT (1U << 8)
#define EAX_SHARING_SHIFT 14 /* 12 bits */
#define EAX_CORES_SHIFT 26   /* 6 bits, Intel alone */
#define LINE_SIZE 64

static unsigned int level_of(uint32_t eax)
{
	return eax >> EAX_LEVEL_SHIFT & 7;
}

static uint64_t planned_size(const struct plan_caches *c, uint32_t eax)
{
	if (level_of(eax) == 1)
		return (eax & EAX_TYPE) == TYPE_CODE ? c->l1i : c->l1d;
	return level_of(eax) == 2 ? c->l2 : level_of(eax) == 3 ? c->l3 : 0;
}

static uint32_t low_bits(unsigned int n, uint32_t max)
{
	uint32_t v = n < 31 ? (1U << n) - 1 : max;

	return v < max ? v : max;
}

/* The field says how many APIC IDs share the cache: a power of two, at which the IDs of a core, or of
 * an L3's cores, begin. */
static uint32_t sharing_of(const struct cpuid_maker *m, uint32_t eax)
{
	unsigned int shift = level_of(eax) <= 2 ? m->fields.core : m->fields.die;
	uint32_t cores = m->is_amd ? 0 : low_bits(m->fields.package - m->fields.core, 63);

	return cores << EAX_CORES_SHIFT | low_bits(shift, 4095) << EAX_SHARING_SHIFT;
}

/* Bytes for each set: ways, partitions and line size, each less one. */
static uint64_t bytes_per_set(uint32_t ebx)
{
	return ((uint64_t)(ebx >> 22) + 1) * ((ebx >> 12 & 0x3ff) + 1) * ((ebx & 0xfff) + 1);
}

static void add_cache(struct cpuid_maker *m, struct kvm_cpuid_entry2 e)
{
	uint64_t size = planned_size(&m->plan->caches, e.eax), per_set = bytes_per_set(e.ebx);

	e.eax = (e.eax & ((1U << EAX_SHARING_SHIFT) - 1)) | sharing_of(m, e.eax);
	if (size && size % per_set == 0)
		e.ecx = (uint32_t)(size / per_set - 1);
	cpuid_add(m, e);
}

/* What the processor has, shared as planned. Return: how many there are. */
static uint32_t add_supported(struct cpuid_maker *m, uint32_t leaf)
{
	uint32_t n = 0;

	for (size_t i = 0; i < m->n_supported; i++) {
		const struct kvm_cpuid_entry2 *e = &m->supported[i];

		if (e->function != leaf || (e->eax & EAX_TYPE) == 0)
			continue;
		add_cache(m, *e);
		n++;
	}
	return n;
}

/* The hypervisor tells nothing about caches: those of the plan, with ways as usual. */
static uint32_t add_planned(struct cpuid_maker *m, uint32_t leaf)
{
	static const struct {
		uint32_t type, level, ways;
	} caches[] = {
		{ TYPE_DATA, 1, 8 }, { TYPE_CODE, 1, 8 }, { TYPE_BOTH, 2, 8 }, { TYPE_BOTH, 3, 16 }
	};
	uint32_t n = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(caches); i++) {
		struct kvm_cpuid_entry2 e = {
			.function = leaf,
			.index = n,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
			.eax = caches[i].type | caches[i].level << EAX_LEVEL_SHIFT | EAX_SELF_INIT,
			.ebx = (caches[i].ways - 1) << 22 | (LINE_SIZE - 1),
		};

		if (planned_size(&m->plan->caches, e.eax) < bytes_per_set(e.ebx))
			continue;
		add_cache(m, e);
		n++;
	}
	return n;
}

void cpuid_add_caches(struct cpuid_maker *m)
{
	uint32_t leaf = m->is_amd ? LEAF_CACHES_AMD : LEAF_CACHES_INTEL;
	uint32_t n = add_supported(m, leaf);

	if (n == 0)
		n = add_planned(m, leaf);
	cpuid_add(m, (struct kvm_cpuid_entry2){
			     .function = leaf,
			     .index = n,
			     .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		     });
}
