// SPDX-License-Identifier: GPL-2.0-or-later
/* CPUID of vCPUs, decoded as Linux does (arch/x86/kernel/cpu: topology_ext.c, topology_amd.c,
 * cacheinfo.c): what the guest finds is the plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "guest_builder.h"
#include "plan/apic_id.h"
#include "plan_cases.h"
#include "vmm/boot/cpuid.h"

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX
#define CACHE(type, level) ((type) | (level) << 5 | 1 << 8)
#define WAYS(n) (((n)-1U) << 22 | 63)
#define TSC_DEADLINE (1U << 24)
#define X2APIC (1U << 21)
#define VMX (1U << 5)
#define SVM (1U << 2)

/* A host of each vendor: 64 CPUs, whose topology must not be seen. */
static const struct kvm_cpuid_entry2 amd[] = {
	{ 0, 0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 1, 0, 0, 0x00a10f11, 0x3f400800, X2APIC | TSC_DEADLINE, 0x178bfbff },
	{ 4, 0, INDEXED },
	{ 0xb, 0, INDEXED, 1, 2, 0x100, 63 },
	{ 0xb, 1, INDEXED, 7, 64, 0x201, 63 },
	{ 0xd, 0, INDEXED, 7, 0x340, 0x340, 0 },
	{ 0xd, 2, INDEXED, 0x100, 0x240, 0, 0 },
	{ 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d },
	{ 0x40000001, 0, 0, 0x01007efb, 0, 0, 0 },
	{ 0x80000000, 0, 0, 0x80000008, 0x68747541, 0x444d4163, 0x69746e65 },
	{ 0x80000001, 0, 0, 0x00a10f11, 0x40000000, 0x004003f1 | SVM, 0x2fd3fbff },
	{ 0x80000008, 0, 0, 0x00003030, 0x111ef657, 0x0001707f, 0 },
	{ 0x8000000a, 0, 0, 1, 0x8000, 0, 0x1019b4ff },
	{ 0x8000001d, 0, INDEXED, CACHE(1, 1) | 1 << 14, WAYS(8), 63, 0 },
	{ 0x8000001d, 1, INDEXED, CACHE(2, 1) | 1 << 14, WAYS(8), 63, 0 },
	{ 0x8000001d, 2, INDEXED, CACHE(3, 2) | 1 << 14, WAYS(8), 2047, 2 },
	{ 0x8000001d, 3, INDEXED, CACHE(3, 3) | 15 << 14, WAYS(16), 32767, 1 },
	{ 0x8000001d, 4, INDEXED },
	{ 0x8000001e, 0, 0, 63, 0x11f, 0, 0 },
};

static const struct kvm_cpuid_entry2 intel[] = {
	{ 0, 0, 0, 0x20, 0x756e6547, 0x6c65746e, 0x49656e69 },
	{ 1, 0, 0, 0x000806f8, 0x3f400800, X2APIC | TSC_DEADLINE | VMX, 0x0f8bfbff },
	{ 4, 0, INDEXED, CACHE(1, 1) | 1 << 14 | 63U << 26, WAYS(12), 63, 0 },
	{ 4, 1, INDEXED, CACHE(2, 1) | 1 << 14 | 63U << 26, WAYS(8), 63, 0 },
	{ 4, 2, INDEXED, CACHE(3, 2) | 1 << 14 | 63U << 26, WAYS(16), 2047, 0 },
	{ 4, 3, INDEXED, CACHE(3, 3) | 127 << 14 | 63U << 26, WAYS(15), 114687, 4 },
	{ 4, 4, INDEXED },
	{ 0xb, 0, INDEXED, 1, 2, 0x100, 63 },
	{ 0xb, 1, INDEXED, 7, 64, 0x201, 63 },
	{ 0x15, 0, 0, 2, 160, 25000000, 0 },
	{ 0x1f, 0, INDEXED, 1, 2, 0x100, 63 },
	{ 0x1f, 1, INDEXED, 7, 64, 0x201, 63 },
	{ 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d },
	{ 0x40000001, 0, 0, 0x01007efb, 0, 0, 0 },
	{ 0x80000000, 0, 0, 0x80000008, 0, 0, 0 },
	{ 0x80000001, 0, 0, 0, 0, 0x121, 0x2c100800 },
	{ 0x80000008, 0, 0, 0x0000392e, 0, 0, 0 },
};

/* ---- Linux ---- */

/* What the guest's kernel makes of one vCPU. */
struct found {
	uint32_t apic_id, core, package, l3, l2;
	unsigned int siblings; /* threads of a core */
};

static const struct kvm_cpuid_entry2 *find(const struct vmm_cpuid *c, uint32_t leaf, uint32_t index)
{
	const struct kvm_cpuid_entry2 *hit = NULL;

	for (size_t i = 0; i < c->n; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];

		if (e->function != leaf || ((e->flags & INDEXED) && e->index != index))
			continue;
		if (hit)
			fail_msg("leaf 0x%x index %u twice", leaf, index);
		hit = e;
	}
	return hit;
}

static const struct kvm_cpuid_entry2 *need(const struct vmm_cpuid *c, uint32_t leaf, uint32_t index)
{
	const struct kvm_cpuid_entry2 *e = find(c, leaf, index);

	if (!e)
		fail_msg("no leaf 0x%x index %u", leaf, index);
	return e;
}

static unsigned int order_of(uint32_t n)
{
	unsigned int bits = 0;

	while (1U << bits < n)
		bits++;
	return bits;
}

/* The levels of leaf 0xb or 0x1f: shifts ascend, the last one leads to the package. */
static void decode_levels(const struct vmm_cpuid *c, uint32_t leaf, struct found *f)
{
	unsigned int last = 0;

	for (uint32_t i = 0;; i++) {
		const struct kvm_cpuid_entry2 *e = need(c, leaf, i);
		unsigned int type = e->ecx >> 8 & 0xff;

		assert_int_equal(e->ecx & 0xff, i);
		assert_int_equal(e->edx, need(c, leaf, 0)->edx);
		if (type == 0)
			break;
		assert_true(e->ebx > 0 && e->eax >= last);
		last = e->eax;
		if (type == 1) {
			f->siblings = e->ebx;
			f->core = e->edx >> e->eax;
		}
		f->apic_id = e->edx;
	}
	f->package = f->apic_id >> last;
	assert_true(need(c, 0, 0)->eax >= leaf);
}

static void decode_caches(const struct vmm_cpuid *c, uint32_t leaf, struct found *f)
{
	for (uint32_t i = 0;; i++) {
		uint32_t eax = need(c, leaf, i)->eax;
		uint32_t id = f->apic_id >> order_of((eax >> 14 & 0xfff) + 1);

		if ((eax & 0x1f) == 0)
			break;
		if ((eax >> 5 & 7) == 2)
			f->l2 = id;
		if ((eax >> 5 & 7) == 3)
			f->l3 = id;
	}
}

/* ---- against the plan ---- */

static void make(const struct plan *p, size_t vcpu, bool is_amd, struct vmm_cpuid *ret)
{
	assert_int_equal(vmm_cpuid_make(p, vcpu, is_amd ? amd : intel,
					is_amd ? CV_ARRAY_SIZE(amd) : CV_ARRAY_SIZE(intel), ret),
			 0);
}

static void decode(const struct plan *p, size_t vcpu, bool is_amd, struct found *f)
{
	struct vmm_cpuid c = { 0 };
	struct found v2 = { 0 };

	make(p, vcpu, is_amd, &c);
	decode_levels(&c, 0xb, f);
	decode_caches(&c, is_amd ? 0x8000001d : 4, f);
	assert_int_equal(find(&c, 0x1f, 0) != NULL, !is_amd || p->dies > 1);
	if (find(&c, 0x1f, 0)) {
		decode_levels(&c, 0x1f, &v2);
		assert_int_equal(v2.core, f->core);
		assert_int_equal(v2.package, f->package);
		assert_int_equal(v2.siblings, f->siblings);
	}
	assert_int_equal(f->apic_id, vmm_apic_id(p, vcpu));
	assert_int_equal(need(&c, 1, 0)->ebx >> 24, f->apic_id & 0xff);
}

static void same(bool found, bool planned, const char *what, size_t i, size_t k)
{
	if (found != planned)
		fail_msg("vCPUs %zu and %zu: one %s %d, planned %d", i, k, what, found, planned);
}

static void judge(const struct plan *p, bool is_amd)
{
	_cleanup_free_ struct found *f = calloc(p->n_vcpus, sizeof(*f));

	assert_non_null(f);
	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i];

		decode(p, i, is_amd, &f[i]);
		assert_int_equal(f[i].package, v->package);
		assert_int_equal(f[i].siblings, p->threads);
		for (size_t k = 0; k < i; k++) {
			const struct plan_vcpu *o = &p->vcpus[k];

			assert_int_not_equal(f[i].apic_id, f[k].apic_id);
			same(f[i].core == f[k].core, v->core == o->core, "core", i, k);
			same(f[i].l2 == f[k].l2, v->core == o->core, "L2", i, k);
			same(f[i].l3 == f[k].l3, v->l3 == o->l3, "L3", i, k);
		}
	}
}

static void linux_finds_the_planned_topology(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };

		plan_case(plan_cases[i], &p);
		judge(&p, true);
		judge(&p, false);
	}
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct gb b;

		guest_case(guest_cases[i], &b);
		judge(&b.plan, true);
		judge(&b.plan, false);
		gb_done(&b);
	}
}

/* A plan of a given shape, vCPUs counted as the planner does. */
static void shape(struct plan *p, int packages, int dies, int cores, int threads)
{
	plan_case("smt", p);
	p->n_vcpus = (size_t)(packages * dies * cores * threads);
	p->vcpus = reallocarray(p->vcpus, p->n_vcpus, sizeof(*p->vcpus));
	assert_non_null(p->vcpus);
	p->packages = packages;
	p->dies = dies;
	p->cores = cores;
	p->threads = threads;
	for (int i = 0; i < (int)p->n_vcpus; i++)
		p->vcpus[i] = (struct plan_vcpu){
			.package = i / threads / cores / dies,
			.die = i / threads / cores % dies,
			.core = i / threads,
			.thread = i % threads,
			.l3 = i / threads / cores,
		};
}

/* Numbers that are no powers of two leave gaps in the APIC IDs. */
static void shapes_with_gaps(void **state)
{
	static const int rows[][4] = { { 1, 1, 1, 1 }, { 1, 1, 1, 2 },	{ 3, 3, 9, 2 },
				       { 2, 5, 3, 1 }, { 2, 12, 7, 2 }, { 4, 1, 6, 1 } };

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		_cleanup_plan_ struct plan p = { 0 };

		shape(&p, rows[i][0], rows[i][1], rows[i][2], rows[i][3]);
		judge(&p, true);
		judge(&p, false);
	}
}

/* The leaves that older kernels, and tools, look at on AMD. */
static void amd_leaves(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&p, 2, 3, 5, 2);
	for (size_t i = 0; i < p.n_vcpus; i++) {
		make(&p, i, true, &c);
		const struct kvm_cpuid_entry2 *unit = need(&c, 0x8000001e, 0);
		const struct kvm_cpuid_entry2 *size = need(&c, 0x80000008, 0);

		assert_int_equal(unit->eax, vmm_apic_id(&p, i));
		assert_int_equal(unit->ebx >> 8, 1); /* threads - 1 */
		assert_int_equal(unit->ebx & 0xff, p.vcpus[i].die * 8 + p.vcpus[i].core % p.cores);
		assert_int_equal(unit->ecx, 2 << 8 | (p.vcpus[i].package * 4 + p.vcpus[i].die));
		assert_int_equal(size->ecx & 0xff, 29);
		assert_int_equal(unit->eax >> (size->ecx >> 12 & 0xf), p.vcpus[i].package);
		assert_int_equal(size->ecx & 0xf0000, 0x10000); /* performance counters: as is */
		assert_int_equal(need(&c, 1, 0)->ebx >> 16 & 0xff, 30);
	}
	assert_true(need(&c, 0x80000000, 0)->eax >= 0x8000001e);
	assert_int_equal(need(&c, 0x80000001, 0)->ecx & 0x400002, 0x400002);
	assert_null(find(&c, 4, 0));
	assert_null(find(&c, 0x80000026, 0));
}

static void intel_leaves(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&p, 2, 1, 6, 2);
	make(&p, 0, false, &c);
	assert_int_equal(need(&c, 1, 0)->ebx, 0x00100800);
	assert_int_equal(need(&c, 4, 0)->eax >> 26, 7);
	assert_int_equal(need(&c, 4, 0)->eax >> 14 & 0xfff, 1);
	assert_int_equal(need(&c, 4, 3)->eax >> 14 & 0xfff, 15);
	assert_null(find(&c, 0x8000001d, 0));
	assert_null(find(&c, 0x8000001e, 0));
	assert_int_equal(need(&c, 0x80000001, 0)->ecx, 0x121);
	assert_int_equal(need(&c, 0x80000008, 0)->ecx, 0);
	assert_memory_equal(need(&c, 0x15, 0), &intel[9], sizeof(intel[9]));
	assert_int_equal(need(&c, 0, 0)->eax, 0x20);
}

static uint64_t size_of(const struct kvm_cpuid_entry2 *e)
{
	return (uint64_t)((e->ebx >> 22) + 1) * ((e->ebx >> 12 & 0x3ff) + 1) *
	       ((e->ebx & 0xfff) + 1) * ((uint64_t)e->ecx + 1);
}

/* The sizes of the plan, on the ways of the processor; without any told, on usual ones. */
static void caches_have_planned_sizes(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&p, 1, 2, 4, 2);
	p.caches = (struct plan_caches){ 48 << 10, 32 << 10, 2 << 20, 96 << 20 };
	make(&p, 0, true, &c);
	assert_true(size_of(need(&c, 0x8000001d, 3)) == 96 << 20);
	assert_int_equal(need(&c, 0x8000001d, 3)->ebx, WAYS(16));
	for (int is_amd = 0; is_amd < 2; is_amd++) {
		uint32_t leaf = is_amd ? 0x8000001d : 4;

		assert_int_equal(vmm_cpuid_make(&p, 0, is_amd ? amd : intel, 2, &c), 0);
		assert_true(size_of(need(&c, leaf, 0)) == 48 << 10);
		assert_true(size_of(need(&c, leaf, 1)) == 32 << 10);
		assert_true(size_of(need(&c, leaf, 2)) == 2 << 20);
		assert_true(size_of(need(&c, leaf, 3)) == 96 << 20);
		assert_int_equal(need(&c, leaf, 3)->eax >> 14 & 0xfff, 7);
		assert_int_equal(need(&c, leaf, 4)->eax, 0);
	}
	p.caches = (struct plan_caches){ 0 };
	make(&p, 0, true, &c);
	assert_true(size_of(need(&c, 0x8000001d, 3)) == 32 << 20);
}

static void features(void **state)
{
	_cleanup_plan_ struct plan p = { 0 }, one = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&p, 1, 1, 2, 1);
	make(&p, 1, true, &c);
	assert_int_equal(need(&c, 1, 0)->ecx, 1U << 31 | X2APIC | TSC_DEADLINE);
	assert_int_equal(need(&c, 1, 0)->edx, 0x178bfbff | 1 << 28);
	assert_int_equal(need(&c, 1, 0)->ebx, 0x01020800);
	assert_memory_equal(need(&c, 0xd, 2), &amd[6], sizeof(amd[6]));
	shape(&one, 2, 1, 1, 1);
	make(&one, 1, true, &c);
	assert_int_equal(need(&c, 1, 0)->edx, 0x178bfbff & ~(1 << 28));
	assert_int_equal(need(&c, 0x80000001, 0)->ecx & 2, 0);
}

/* Guests have no guests, whatever the hypervisor could do for them. */
static void nested_is_hidden(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&p, 1, 1, 2, 1);
	make(&p, 0, true, &c);
	assert_int_equal(need(&c, 0x80000001, 0)->ecx & SVM, 0);
	assert_int_equal(need(&c, 0x80000001, 0)->ecx & 0x3f1, 0x3f1); /* the rest as it is */
	assert_null(find(&c, 0x8000000a, 0));
	make(&p, 0, false, &c);
	assert_int_equal(need(&c, 1, 0)->ecx & VMX, 0);
	assert_int_equal(need(&c, 1, 0)->ecx & X2APIC, X2APIC);
}

static void paravirtual_features(void **state)
{
	_cleanup_plan_ struct plan few = { 0 }, many = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&few, 1, 1, 255, 1);
	make(&few, 254, true, &c);
	assert_false(vmm_needs_ext_dest_id(&few));
	assert_memory_equal(need(&c, 0x40000000, 0), &amd[7], sizeof(amd[7]));
	assert_int_equal(need(&c, 0x40000001, 0)->eax, 0x01007efb);
	assert_int_equal(need(&c, 0x40000001, 0)->edx, 1);
	shape(&many, 1, 1, 256, 1);
	make(&many, 0, true, &c);
	assert_true(vmm_needs_ext_dest_id(&many));
	assert_int_equal(need(&c, 0x40000001, 0)->eax, 0x0100fefb);
}

static void address_bits_are_limited(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_cpuid c = { 0 };

	(void)state;
	shape(&p, 1, 1, 2, 1);
	p.phys_bits_limit = 39;
	make(&p, 0, true, &c);
	assert_int_equal(need(&c, 0x80000008, 0)->eax, 0x3027);
	p.phys_bits_limit = 52;
	make(&p, 0, true, &c);
	assert_int_equal(need(&c, 0x80000008, 0)->eax, 0x3030);
}

static void too_many_entries_are_refused(void **state)
{
	static struct kvm_cpuid_entry2 all[VMM_CPUID_MAX];
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_cpuid c = { 0 };
	size_t made;

	(void)state;
	shape(&p, 1, 1, 2, 1);
	for (uint32_t i = 0; i < VMM_CPUID_MAX; i++)
		all[i] = (struct kvm_cpuid_entry2){ .function = 0x1000 + i };
	assert_int_equal(vmm_cpuid_make(&p, 0, all, 1, &c), 0);
	made = c.n - 1;
	assert_int_equal(vmm_cpuid_make(&p, 0, all, VMM_CPUID_MAX - made, &c), 0);
	assert_int_equal(c.n, VMM_CPUID_MAX);
	assert_int_equal(vmm_cpuid_make(&p, 0, all, VMM_CPUID_MAX - made + 1, &c), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_finds_the_planned_topology),
		cmocka_unit_test(shapes_with_gaps),
		cmocka_unit_test(amd_leaves),
		cmocka_unit_test(intel_leaves),
		cmocka_unit_test(caches_have_planned_sizes),
		cmocka_unit_test(features),
		cmocka_unit_test(nested_is_hidden),
		cmocka_unit_test(paravirtual_features),
		cmocka_unit_test(address_bits_are_limited),
		cmocka_unit_test(too_many_entries_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
