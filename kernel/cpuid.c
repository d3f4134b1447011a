// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID: what may be offered to a guest, and what the user has set for it. A feature is offered
 * when the CPU has it and this module switches the state behind it.
 */
#include <linux/kvm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "carve.h"

#define ALL 0xffffffffu
#define KVM_SIGNATURE_LEAF 0x40000000

/*
 * What is offered of each leaf: the CPU's own answer under these masks. By index means that ECX
 * selects a part; parts that are not listed are not offered.
 */
static const struct leaf {
	u32 function;
	u32 index;
	bool by_index;
	u32 eax, ebx, ecx, edx;
} leaves[] = {
	{ 0x0, 0, false, ALL, ALL, ALL, ALL },
	/*
	 * ecx: SSE3 PCLMUL SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND; not
	 * MONITOR.
	 * edx: all that x86-64 has, not DS, ACPI, HTT, TM, PBE.
	 */
	{ 0x1, 0, false, ALL, 0xff00, 0x76d83203, 0x078bfbff },
	/*
	 * ebx: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS INVPCID RDSEED ADX SMAP CLFLUSHOPT CLWB SHA and
	 * AVX-512.
	 * ecx: UMIP PKU LA57 RDPID, vector extensions; edx: FSRM.
	 */
	{ 0x7, 0, true, 0, 0xf1bf07a9, 0x00415f4e, 0x00000010 },
	{ 0xd, 0, true, ALL, ALL, ALL, ALL },
	/* XSAVEOPT, XSAVEC, XGETBV with ECX=1; not XSAVES. */
	{ 0xd, 1, true, 0x7, ALL, 0, 0 },
	{ 0xd, 2, true, ALL, ALL, 0, 0 },
	{ 0xd, 5, true, ALL, ALL, 0, 0 },
	{ 0xd, 6, true, ALL, ALL, 0, 0 },
	{ 0xd, 7, true, ALL, ALL, 0, 0 },
	{ 0xd, 9, true, ALL, ALL, 0, 0 },
	{ 0x80000000, 0, false, ALL, ALL, ALL, ALL },
	/*
	 * ecx: LAHF CR8 ABM SSE4A misaligned SSE, PREFETCH, XOP, FMA4, TBM, topology extensions;
	 * not SVM.
	 */
	{ 0x80000001, 0, false, ALL, 0, 0x006109f1, 0x2fd3fbff },
	{ 0x80000002, 0, false, ALL, ALL, ALL, ALL },
	{ 0x80000003, 0, false, ALL, ALL, ALL, ALL },
	{ 0x80000004, 0, false, ALL, ALL, ALL, ALL },
	{ 0x80000005, 0, false, ALL, ALL, ALL, ALL },
	{ 0x80000006, 0, false, ALL, ALL, ALL, ALL },
	/* The time stamp counter does not change its rate. */
	{ 0x80000007, 0, false, 0, 0, 0, 0x100 },
	/* ebx: CLZERO, XSAVEERPTR, WBNOINVD. */
	{ 0x80000008, 0, false, ALL, 0x205, 0, 0 },
	{ 0x80000019, 0, false, ALL, ALL, 0, 0 },
	{ 0x8000001a, 0, false, ALL, 0, 0, 0 },
	{ 0x8000001d, 0, true, ALL, ALL, ALL, ALL },
	{ 0x8000001d, 1, true, ALL, ALL, ALL, ALL },
	{ 0x8000001d, 2, true, ALL, ALL, ALL, ALL },
	{ 0x8000001d, 3, true, ALL, ALL, ALL, ALL },
	{ 0x8000001e, 0, false, ALL, ALL, ALL, 0 },
};

/* CR4 bits and the feature that each belongs to; X86_FEATURE_ALWAYS: every CPU with SVM has it. */
static const struct {
	u64 bit;
	u16 feature;
} cr4_bits[] = {
	{ X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PSE | X86_CR4_PAE |
		  X86_CR4_MCE | X86_CR4_PGE | X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT,
	  X86_FEATURE_ALWAYS },
	{ X86_CR4_UMIP, X86_FEATURE_UMIP },
	{ X86_CR4_LA57, X86_FEATURE_LA57 },
	{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
	{ X86_CR4_PCIDE, X86_FEATURE_PCID },
	{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
	{ X86_CR4_SMEP, X86_FEATURE_SMEP },
	{ X86_CR4_SMAP, X86_FEATURE_SMAP },
	{ X86_CR4_PKE, X86_FEATURE_PKU },
};

/**
 * carve_cr4_features() - the bits of CR4 a guest may set
 */
u64 carve_cr4_features(void)
{
	u64 bits = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cr4_bits); i++) {
		if (cr4_bits[i].feature == X86_FEATURE_ALWAYS || boot_cpu_has(cr4_bits[i].feature))
			bits |= cr4_bits[i].bit;
	}
	return bits;
}

/* What the masks alone cannot say. */
static void adjust(struct kvm_cpuid_entry2 *entry)
{
	u64 features = carve_fpu_features();

	switch (entry->function) {
	case 0x0:
		entry->eax = min(entry->eax, 0xdu);
		break;
	case 0x7:
		/* The adjustment of the counter is kept by us, whatever the CPU has. */
		entry->ebx |= BIT(1);
		break;
	case 0xd:
		if (entry->index == 0) {
			entry->eax = features;
			entry->edx = features >> 32;
			entry->ebx = carve_fpu_bytes(1);
			entry->ecx = carve_fpu_bytes(features);
		} else if (entry->index > 1 && !(features & BIT_ULL(entry->index))) {
			entry->eax = entry->ebx = 0;
		}
		break;
	case 0x80000000:
		entry->eax = min(entry->eax, 0x8000001eu);
		break;
	case 0x80000008:
		/* Guest addresses are what the nested tables can map. */
		entry->eax = (entry->eax & ~0xffu) | min_t(u32, entry->eax & 0xff, 48);
		break;
	}
}

static void fill(struct kvm_cpuid_entry2 *entry, const struct leaf *leaf)
{
	*entry = (struct kvm_cpuid_entry2){ .function = leaf->function,
					    .index = leaf->index,
					    .flags = leaf->by_index
							     ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX
							     : 0 };
	cpuid_count(leaf->function, leaf->index, &entry->eax, &entry->ebx, &entry->ecx,
		    &entry->edx);
	entry->eax &= leaf->eax;
	entry->ebx &= leaf->ebx;
	entry->ecx &= leaf->ecx;
	entry->edx &= leaf->edx;
	adjust(entry);
}

static bool is_offered(const struct leaf *leaf)
{
	u32 base = leaf->function & 0x80000000;

	return leaf->function <= cpuid_eax(base);
}

/* The leaves by which guests know KVM; no paravirtual feature yet. */
static unsigned int fill_signature(struct kvm_cpuid_entry2 *entry)
{
	entry[0] = (struct kvm_cpuid_entry2){ .function = KVM_SIGNATURE_LEAF,
					      .eax = KVM_SIGNATURE_LEAF + 1,
					      .ebx = 0x4b4d564b,
					      .ecx = 0x564b4d56,
					      .edx = 0x4d };
	entry[1] = (struct kvm_cpuid_entry2){ .function = KVM_SIGNATURE_LEAF + 1 };
	return 2;
}

/* The list goes out with its length; -E2BIG when the user has no room for it. */
static int copy_list(struct kvm_cpuid2 __user *user, const struct kvm_cpuid_entry2 *list, u32 count)
{
	struct kvm_cpuid2 head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent < count)
		return -E2BIG;
	head.nent = count;
	if (copy_to_user(user, &head, sizeof(head)) ||
	    copy_to_user(user->entries, list, count * sizeof(*list)))
		return -EFAULT;
	return 0;
}

/**
 * carve_cpuid_supported() - KVM_GET_SUPPORTED_CPUID
 * @user: the user's structure
 *
 * Return: 0, -E2BIG when there is no room for all, -EFAULT, -ENOMEM.
 */
int carve_cpuid_supported(struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *list = kcalloc(ARRAY_SIZE(leaves) + 2, sizeof(*list), GFP_KERNEL);
	u32 count = 0;
	size_t i;
	int ret;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		if (is_offered(&leaves[i]))
			fill(&list[count++], &leaves[i]);
	}
	count += fill_signature(&list[count]);
	ret = copy_list(user, list, count);
	kfree(list);
	return ret;
}

/**
 * carve_cpuid_set() - KVM_SET_CPUID2
 * @vcpu: the vCPU
 * @user: the user's structure
 *
 * Return: 0, -E2BIG for more than CARVE_MAX_CPUID entries, -EFAULT, -ENOMEM, -EINVAL for a width of
 * linear addresses that does not exist.
 */
int carve_cpuid_set(struct carve_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	struct kvm_cpuid_entry2 *list;
	struct kvm_cpuid2 head;
	u32 i, bits;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nent > CARVE_MAX_CPUID)
		return -E2BIG;
	list = vmemdup_user(user->entries, array_size(head.nent, sizeof(*list)));
	if (IS_ERR(list))
		return PTR_ERR(list);
	for (i = 0; i < head.nent; i++) {
		bits = list[i].eax >> 8 & 0xff;
		if (list[i].function == 0x80000008 && bits && bits != 48 && bits != 57) {
			kvfree(list);
			return -EINVAL;
		}
	}
	kvfree(vcpu->cpuid);
	vcpu->cpuid = list;
	vcpu->cpuid_count = head.nent;
	return 0;
}

/**
 * carve_cpuid_get() - KVM_GET_CPUID2
 * @vcpu: the vCPU
 * @user: the user's structure
 *
 * Return: 0, -E2BIG when there is no room, -EFAULT.
 */
int carve_cpuid_get(struct carve_vcpu *vcpu, struct kvm_cpuid2 __user *user)
{
	return copy_list(user, vcpu->cpuid, vcpu->cpuid_count);
}

/**
 * carve_cpuid_find() - the entry the user set for a leaf
 * @vcpu: the vCPU
 * @function: the leaf, EAX
 * @index: the part of it, ECX
 *
 * Return: the entry, or NULL.
 */
const struct kvm_cpuid_entry2 *carve_cpuid_find(const struct carve_vcpu *vcpu, u32 function,
						u32 index)
{
	const struct kvm_cpuid_entry2 *entry;
	unsigned int i;

	for (i = 0; i < vcpu->cpuid_count; i++) {
		entry = &vcpu->cpuid[i];
		if (entry->function == function &&
		    (entry->index == index || !(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return entry;
	}
	return NULL;
}

/* Bits that mirror registers of the guest: AMD APM vol. 3, appendix E. */
static void mirror(const struct carve_vcpu *vcpu, u32 function, u32 index,
		   struct kvm_cpuid_entry2 *entry)
{
	u64 cr4 = vcpu->vmcb->save.cr4;

	if (function == 1) {
		entry->ecx = (entry->ecx & ~BIT(27)) | (cr4 & X86_CR4_OSXSAVE ? BIT(27) : 0);
		if (!(vcpu->msrs.apic_base & MSR_IA32_APICBASE_ENABLE))
			entry->edx &= ~BIT(9);
	} else if (function == 7 && !index) {
		entry->ecx = (entry->ecx & ~BIT(4)) | (cr4 & X86_CR4_PKE ? BIT(4) : 0);
	} else if (function == 0xd && !index) {
		entry->ebx = carve_fpu_bytes(vcpu->xcr0);
	}
}

/**
 * carve_cpuid() - the guest's CPUID instruction
 * @vcpu: the vCPU
 * @eax: leaf in, answer out
 * @ebx: answer
 * @ecx: index in, answer out
 * @edx: answer
 *
 * A leaf that the user did not set answers zeroes, as on a CPU of AMD.
 */
void carve_cpuid(struct carve_vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	const struct kvm_cpuid_entry2 *set = carve_cpuid_find(vcpu, *eax, *ecx);
	struct kvm_cpuid_entry2 entry = {};

	if (set) {
		entry = *set;
		mirror(vcpu, *eax, *ecx, &entry);
	}
	*eax = entry.eax;
	*ebx = entry.ebx;
	*ecx = entry.ecx;
	*edx = entry.edx;
}
