// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/apic_id.h"

static unsigned int width_of(int count)
{
	unsigned int bits = 0;

	while (1 << bits < count)
		bits++;
	return bits;
}

struct plan_apic_fields plan_apic_fields(const struct plan *p)
{
	struct plan_apic_fields f;

	f.core = width_of(p->threads);
	f.die = f.core + width_of(p->cores);
	f.package = f.die + width_of(p->dies);
	return f;
}

static uint32_t joined(const struct plan *p, int package, int die, int core, int thread)
{
	struct plan_apic_fields f = plan_apic_fields(p);

	return (uint32_t)package << f.package | (uint32_t)die << f.die | (uint32_t)core << f.core |
	       (uint32_t)thread;
}

/* The plan counts cores over the whole guest. */
uint32_t plan_apic_id(const struct plan *p, size_t vcpu)
{
	const struct plan_vcpu *v = &p->vcpus[vcpu];

	return joined(p, v->package, v->die, v->core % p->cores, v->thread);
}

bool plan_needs_ext_dest_id(const struct plan *p)
{
	return joined(p, p->packages - 1, p->dies - 1, p->cores - 1, p->threads - 1) > 254;
}
