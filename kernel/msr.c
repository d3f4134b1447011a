// SPDX-License-Identifier: GPL-2.0-only
/*
 * Model-specific registers, as a table: where each is kept, and who may write what. A guest that
 * uses one that is not here gets #GP.
 */
#include <linux/kvm.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/mtrr.h>
#include <asm/processor.h>
#include <asm/svm.h>
#include <asm/tsc.h>

#include "carve.h"
#include "compat.h"

/* As KVM: more in one call is refused. */
#define MAX_IO_MSRS 256

enum rule_kind {
	RULE_STORED, /* a word of struct carve_msrs */
	RULE_SAVED,  /* a word of the VMCB's save area */
	RULE_ZERO,   /* reads 0; what is written is forgotten */
	RULE_CALLED, /* has functions of its own */
};

struct msr_rule {
	u32 first;
	u32 count; /* words that follow each other in index and in memory */
	enum rule_kind kind;
	bool unlisted;	       /* not for KVM_GET_MSR_INDEX_LIST: need not be migrated */
	bool guest_reads_only; /* what a guest writes is forgotten */
	u16 offset;
	u64 allowed; /* bits a write may set; 0: all */
	int (*read)(struct carve_vcpu *vcpu, u32 index, u64 *value);
	int (*write)(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest);
};

static int read_efer(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	*value = vcpu->vmcb->save.efer & ~EFER_SVME;
	return 0;
}

static int write_efer(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	return carve_set_efer(vcpu, value, from_guest);
}

static int read_tsc(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	*value = rdtsc() + vcpu->vmcb->control.tsc_offset;
	return 0;
}

/*
 * A guest moves the counter of one vCPU, and its adjustment with it. A user sets all vCPUs one
 * after the other, at different times, and means the same: within a second of what the VM's counter
 * shows, the vCPU gets the VM's.
 */
static int write_tsc(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;
	u64 now = rdtsc();
	s64 apart;

	if (from_guest) {
		vcpu->msrs.tsc_adjust += value - (now + control->tsc_offset);
		control->tsc_offset = value - now;
		return 0;
	}
	apart = value - (now + READ_ONCE(vcpu->vm->tsc_offset));
	if (value && abs(apart) > (s64)tsc_khz * 1000)
		WRITE_ONCE(vcpu->vm->tsc_offset, value - now);
	control->tsc_offset = READ_ONCE(vcpu->vm->tsc_offset);
	return 0;
}

static int read_tsc_adjust(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	*value = vcpu->msrs.tsc_adjust;
	return 0;
}

static int write_tsc_adjust(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	if (from_guest)
		vcpu->vmcb->control.tsc_offset += value - vcpu->msrs.tsc_adjust;
	vcpu->msrs.tsc_adjust = value;
	return 0;
}

static int read_tsc_aux(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	*value = vcpu->msrs.tsc_aux;
	return 0;
}

static int write_tsc_aux(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	if (value >> 32)
		return -EINVAL;
	vcpu->msrs.tsc_aux = value;
	/* A guest that runs has its own loaded. */
	if (from_guest)
		carve_wrmsr(MSR_TSC_AUX, value);
	return 0;
}

static int read_pat(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	*value = vcpu->vmcb->save.g_pat;
	return 0;
}

/* Eight types; 2, 3 and what is above 7 are none: AMD APM vol. 2, 7.8.1. */
static int write_pat(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	unsigned int i;
	u8 type;

	for (i = 0; i < 8; i++) {
		type = value >> (8 * i);
		if (type > 7 || type == 2 || type == 3)
			return -EINVAL;
	}
	vcpu->vmcb->save.g_pat = value;
	return 0;
}

static int read_mtrr_cap(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	/* Eight variable ranges, the fixed ones, write combining. */
	*value = 0x508;
	return 0;
}

static int refuse_write(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	return -EINVAL;
}

/* Bank registers in fours: CTL takes all ones or none, STATUS only 0 from a guest. */
static int write_mce_bank(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	u32 word = index - MSR_IA32_MC0_CTL;

	if (word % 4 == 0 && value && value != ~0ULL)
		return -EINVAL;
	if (word % 4 == 1 && value && from_guest)
		return -EINVAL;
	vcpu->msrs.mce_bank[word] = value;
	return 0;
}

static int read_mce_bank(struct carve_vcpu *vcpu, u32 index, u64 *value)
{
	*value = vcpu->msrs.mce_bank[index - MSR_IA32_MC0_CTL];
	return 0;
}

#define STORED(field) .kind = RULE_STORED, .offset = offsetof(struct carve_msrs, field)
#define SAVED(field) .kind = RULE_SAVED, .offset = offsetof(struct vmcb_save_area, field)
#define ONE(index) .first = index, .count = 1

static const struct msr_rule rules[] = {
	{ ONE(MSR_IA32_TSC), .kind = RULE_CALLED, .read = read_tsc, .write = write_tsc },
	{ ONE(MSR_IA32_APICBASE), STORED(apic_base), .allowed = 0x000ffffffffff900 },
	{ ONE(MSR_IA32_TSC_ADJUST), .kind = RULE_CALLED, .read = read_tsc_adjust,
	  .write = write_tsc_adjust },
	{ ONE(MSR_IA32_UCODE_REV), STORED(patch_level), .guest_reads_only = true },
	{ ONE(MSR_MTRRcap), .kind = RULE_CALLED, .unlisted = true, .read = read_mtrr_cap,
	  .write = refuse_write },
	{ ONE(MSR_IA32_SYSENTER_CS), SAVED(sysenter_cs) },
	{ ONE(MSR_IA32_SYSENTER_ESP), SAVED(sysenter_esp) },
	{ ONE(MSR_IA32_SYSENTER_EIP), SAVED(sysenter_eip) },
	{ ONE(MSR_IA32_MCG_CAP), STORED(mcg_cap), .guest_reads_only = true, .unlisted = true },
	{ ONE(MSR_IA32_MCG_STATUS), STORED(mcg_status) },
	{ ONE(MSR_IA32_MCG_CTL), STORED(mcg_ctl) },
	{ ONE(MSR_IA32_MISC_ENABLE), STORED(misc_enable) },
	/* Branch records are not offered: nothing can be switched on. */
	{ ONE(MSR_IA32_DEBUGCTLMSR), .kind = RULE_ZERO, .unlisted = true },
	{ .first = MSR_IA32_LASTBRANCHFROMIP, .count = 4, .kind = RULE_ZERO, .unlisted = true },
	{ .first = MTRRphysBase_MSR(0), .count = 16, STORED(mtrr_variable), .unlisted = true },
	{ ONE(MSR_MTRRfix64K_00000), STORED(mtrr_fixed[0]), .unlisted = true },
	{ .first = MSR_MTRRfix16K_80000, .count = 2, STORED(mtrr_fixed[1]), .unlisted = true },
	{ .first = MSR_MTRRfix4K_C0000, .count = 8, STORED(mtrr_fixed[3]), .unlisted = true },
	{ ONE(MSR_IA32_CR_PAT), .kind = RULE_CALLED, .read = read_pat, .write = write_pat },
	{ ONE(MSR_MTRRdefType), STORED(mtrr_def), .allowed = 0xcff, .unlisted = true },
	{ .first = MSR_IA32_MC0_CTL,
	  .count = 32 * 4,
	  .kind = RULE_CALLED,
	  .unlisted = true,
	  .read = read_mce_bank,
	  .write = write_mce_bank },
	{ ONE(MSR_EFER), .kind = RULE_CALLED, .unlisted = true, .read = read_efer,
	  .write = write_efer },
	{ ONE(MSR_STAR), SAVED(star) },
	{ ONE(MSR_LSTAR), SAVED(lstar) },
	{ ONE(MSR_CSTAR), SAVED(cstar) },
	{ ONE(MSR_SYSCALL_MASK), SAVED(sfmask) },
	{ ONE(MSR_FS_BASE), SAVED(fs.base), .unlisted = true },
	{ ONE(MSR_GS_BASE), SAVED(gs.base), .unlisted = true },
	{ ONE(MSR_KERNEL_GS_BASE), SAVED(kernel_gs_base) },
	{ ONE(MSR_TSC_AUX), .kind = RULE_CALLED, .read = read_tsc_aux, .write = write_tsc_aux },
	/* Counters of K7: Linux looks whether they count. */
	{ .first = MSR_K7_EVNTSEL0, .count = 8, .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_AMD64_SYSCFG), STORED(syscfg), .guest_reads_only = true, .unlisted = true },
	{ ONE(MSR_K7_HWCR), STORED(hwcr) },
	{ ONE(MSR_AMD64_NB_CFG), .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_AMD64_PATCH_LOADER), .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_K8_INT_PENDING_MSG), .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_AMD64_LS_CFG), .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_AMD64_DC_CFG), .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_AMD64_DE_CFG), .kind = RULE_ZERO, .unlisted = true },
	{ ONE(MSR_AMD64_BU_CFG2), .kind = RULE_ZERO, .unlisted = true },
};

static const struct msr_rule *find(u32 index)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		if (index - rules[i].first < rules[i].count)
			return &rules[i];
	}
	return NULL;
}

static u64 *word_of(struct carve_vcpu *vcpu, const struct msr_rule *rule, u32 index)
{
	void *base = rule->kind == RULE_STORED ? (void *)&vcpu->msrs : (void *)&vcpu->vmcb->save;

	return (u64 *)(base + rule->offset) + (index - rule->first);
}

/**
 * carve_msr_read() - reads a register of the guest
 * @vcpu: has left its guest
 * @index: which
 * @value: receives it
 * @from_guest: by RDMSR, not by the user
 *
 * Return: 0, -EINVAL where there is none.
 */
int carve_msr_read(struct carve_vcpu *vcpu, u32 index, u64 *value, bool from_guest)
{
	const struct msr_rule *rule = find(index);

	if (!rule)
		return -EINVAL;
	if (rule->kind == RULE_CALLED)
		return rule->read(vcpu, index, value);
	*value = rule->kind == RULE_ZERO ? 0 : *word_of(vcpu, rule, index);
	return 0;
}

/**
 * carve_msr_write() - writes a register of the guest
 * @vcpu: has left its guest; still loaded if @from_guest
 * @index: which
 * @value: what
 * @from_guest: by WRMSR, not by the user
 *
 * Return: 0, -EINVAL where there is none, or the value is not one for it.
 */
int carve_msr_write(struct carve_vcpu *vcpu, u32 index, u64 value, bool from_guest)
{
	const struct msr_rule *rule = find(index);

	if (!rule || (rule->allowed && (value & ~rule->allowed)))
		return -EINVAL;
	if (rule->kind == RULE_CALLED)
		return rule->write(vcpu, index, value, from_guest);
	if (rule->kind != RULE_ZERO && !(from_guest && rule->guest_reads_only))
		*word_of(vcpu, rule, index) = value;
	return 0;
}

/**
 * carve_msr_reset() - every register as RESET leaves it
 * @vcpu: the vCPU
 */
void carve_msr_reset(struct carve_vcpu *vcpu)
{
	vcpu->msrs = (struct carve_msrs){
		.apic_base = 0xfee00000 | MSR_IA32_APICBASE_ENABLE |
			     (vcpu->id ? 0 : MSR_IA32_APICBASE_BSP),
		/* Fast strings. */
		.misc_enable = 1,
		.mcg_cap = 32,
		.patch_level = boot_cpu_data.microcode,
	};
}

/* A list of numbers goes out with its length, which is told even when there is no room. */
static int copy_list(struct kvm_msr_list __user *user, const u32 *list, u32 count)
{
	u32 room;

	if (get_user(room, &user->nmsrs) || put_user(count, &user->nmsrs))
		return -EFAULT;
	if (room < count)
		return -E2BIG;
	return copy_to_user(user->indices, list, count * sizeof(*list)) ? -EFAULT : 0;
}

/**
 * carve_msr_index_list() - KVM_GET_MSR_INDEX_LIST
 * @user: the user's structure
 *
 * Return: 0, -E2BIG when there is no room (the length is written all the same), -EFAULT.
 */
int carve_msr_index_list(struct kvm_msr_list __user *user)
{
	u32 list[ARRAY_SIZE(rules)], count = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!rules[i].unlisted)
			list[count++] = rules[i].first;
	}
	return copy_list(user, list, count);
}

/* What a user may ask of the machine before there is a vCPU. */
static const u32 feature_msrs[] = { MSR_IA32_UCODE_REV, MSR_AMD64_DE_CFG };

/**
 * carve_msr_feature_list() - KVM_GET_MSR_FEATURE_INDEX_LIST
 * @user: the user's structure
 *
 * Return: 0, -E2BIG, -EFAULT.
 */
int carve_msr_feature_list(struct kvm_msr_list __user *user)
{
	return copy_list(user, feature_msrs, ARRAY_SIZE(feature_msrs));
}

static int read_feature(struct carve_vcpu *unused, struct kvm_msr_entry *entry)
{
	switch (entry->index) {
	case MSR_IA32_UCODE_REV:
		entry->data = boot_cpu_data.microcode;
		return 0;
	case MSR_AMD64_DE_CFG:
		/* LFENCE waits for what is before it: Linux has seen to that. */
		entry->data = boot_cpu_has(X86_FEATURE_LFENCE_RDTSC)
				      ? MSR_AMD64_DE_CFG_LFENCE_SERIALIZE
				      : 0;
		return 0;
	default:
		return -EINVAL;
	}
}

static int read_one(struct carve_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return carve_msr_read(vcpu, entry->index, &entry->data, false);
}

static int write_one(struct carve_vcpu *vcpu, struct kvm_msr_entry *entry)
{
	return carve_msr_write(vcpu, entry->index, entry->data, false);
}

/* Entries in order, up to the first that fails. Return: how many, or -errno. */
static int for_each_entry(struct carve_vcpu *vcpu, struct kvm_msrs __user *user, bool copy_back,
			  int (*call)(struct carve_vcpu *vcpu, struct kvm_msr_entry *entry))
{
	struct kvm_msr_entry *entries;
	struct kvm_msrs head;
	int done = 0;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.nmsrs >= MAX_IO_MSRS)
		return -E2BIG;
	entries = memdup_user(user->entries, head.nmsrs * sizeof(*entries));
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	while (done < head.nmsrs && !call(vcpu, &entries[done]))
		done++;
	if (copy_back && copy_to_user(user->entries, entries, head.nmsrs * sizeof(*entries)))
		done = -EFAULT;
	kfree(entries);
	return done;
}

/**
 * carve_msr_features() - KVM_GET_MSRS of the device
 * @user: the user's structure
 *
 * Return: how many were read, -E2BIG, -EFAULT, -ENOMEM.
 */
int carve_msr_features(struct kvm_msrs __user *user)
{
	return for_each_entry(NULL, user, true, read_feature);
}

/**
 * carve_msr_io() - KVM_GET_MSRS and KVM_SET_MSRS of a vCPU
 * @vcpu: the vCPU
 * @user: the user's structure
 * @write: KVM_SET_MSRS
 *
 * Return: how many were read or written, -E2BIG, -EFAULT, -ENOMEM.
 */
int carve_msr_io(struct carve_vcpu *vcpu, struct kvm_msrs __user *user, bool write)
{
	return for_each_entry(vcpu, user, !write, write ? write_one : read_one);
}
