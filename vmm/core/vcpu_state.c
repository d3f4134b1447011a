// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/vcpu_state.h"

#include <asm/kvm_para.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Control registers (AMD64 APM vol. 2 section 3.1). */
#define CR0_PE (1ULL << 0)
#define CR0_ET (1ULL << 4)
#define CR0_NE (1ULL << 5)
#define CR0_PG (1ULL << 31)
#define CR4_PAE (1ULL << 5)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)
#define RFLAGS_ONE 2ULL
#define XCR0_POWER_ON 1ULL /* x87 (AMD64 APM vol. 2 section 11.5.2) */

/* Model-specific registers (Intel SDM vol. 4, AMD64 APM vol. 2 appendix A). */
#define MSR_TSC 0x10
#define MSR_APICBASE_FIRST (1U << 8)
#define MSR_PAT 0x277
#define MSR_MTRR_PHYS 0x200 /* and 15 more */
#define MSR_MTRR_PHYS_LAST 0x20f
#define MSR_MTRR_FIX64K 0x250
#define MSR_MTRR_FIX16K 0x258 /* and 1 more */
#define MSR_MTRR_FIX4K 0x268  /* and 7 more */
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_TSC_DEADLINE 0x6e0
/* Hyper-V's: no guest is told of them, and one is the number of the vCPU. */
#define MSR_HYPERV 0x40000000
#define MSR_HYPERV_LAST 0x40000fff

/* Registers of the local APIC (Intel SDM vol. 3 table 11-1). */
#define APIC_ID 0x20
#define APIC_DFR 0xe0
#define APIC_SPURIOUS 0xf0
#define APIC_LVT_CMCI 0x2f0
#define APIC_LVT_TIMER 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PMC 0x340
#define APIC_LVT_LINT0 0x350
#define APIC_LVT_LINT1 0x360
#define APIC_LVT_ERROR 0x370
#define APIC_MASKED (1U << 16)
#define APIC_EXTINT (7U << 8)

#define MTRR_ENABLED_WB \
	0x806 /* ranges off, default write-back: without it Linux turns the PAT off */

#define INDEXES_MAX 1024 /* that a hypervisor may name */
#define EXTRA_MAX 32
#define MSRS_AT_ONCE 128   /* KVM takes 255 at most */
#define XSAVE_MAX 16384	   /* a hypervisor reads as much as the guest may have: 11 KiB with AMX */
#define XSAVE_FEATURES 512 /* offset of XSTATE_BV (AMD64 APM vol. 2 section 11.5.3) */
#define XSAVE_MXCSR 24
#define FCW_POWER_ON 0x37f
#define MXCSR_POWER_ON 0x1f80

/** struct msrs - struct kvm_msrs with room */
struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[MSRS_AT_ONCE];
};

static const struct kvm_msr_entry begin_msrs[] = {
	{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WB },
};

/* What a guest sets and a hypervisor may not name: above all addresses that KVM writes to. */
static const uint32_t extra_msrs[] = {
	MSR_PAT,
	MSR_MTRR_DEF_TYPE,
	MSR_MTRR_FIX64K,
	MSR_MTRR_FIX16K,
	MSR_MTRR_FIX16K + 1,
	MSR_MTRR_FIX4K,
	MSR_MTRR_FIX4K + 1,
	MSR_MTRR_FIX4K + 2,
	MSR_MTRR_FIX4K + 3,
	MSR_MTRR_FIX4K + 4,
	MSR_MTRR_FIX4K + 5,
	MSR_MTRR_FIX4K + 6,
	MSR_MTRR_FIX4K + 7,
	MSR_TSC_DEADLINE,
	MSR_KVM_SYSTEM_TIME_NEW,
	MSR_KVM_WALL_CLOCK_NEW,
	MSR_KVM_ASYNC_PF_EN,
	MSR_KVM_STEAL_TIME,
	MSR_KVM_PV_EOI_EN,
};

/* ---- model-specific registers ---- */

static size_t batch(struct msrs *m, const struct kvm_msr_entry *list, size_t left)
{
	size_t n = left < MSRS_AT_ONCE ? left : MSRS_AT_ONCE;

	m->head = (struct kvm_msrs){ .nmsrs = (uint32_t)n };
	memcpy(m->entries, list, n * sizeof(*list));
	return n;
}

/* An MSR that this hypervisor does not have is left out: the rest follows. */
static int set_msrs(const struct vmm_vm_call *vcpu, const struct kvm_msr_entry *list, size_t n)
{
	struct msrs m;

	for (size_t done = 0; done < n;) {
		size_t wanted = batch(&m, &list[done], n - done);
		int r = vmm_vm_call(vcpu, KVM_SET_MSRS, &m);

		if (r < 0)
			return r;
		done += (size_t)r < wanted ? (size_t)r + 1 : wanted;
	}
	return 0;
}

/* Those that cannot be read leave the list. */
static int get_msrs(const struct vmm_vm_call *vcpu, struct kvm_msr_entry *list, size_t *n)
{
	size_t kept = 0;
	struct msrs m;

	for (size_t done = 0; done < *n;) {
		size_t wanted = batch(&m, &list[done], *n - done);
		int r = vmm_vm_call(vcpu, KVM_GET_MSRS, &m);

		if (r < 0)
			return r;
		memcpy(&list[kept], m.entries, (size_t)r * sizeof(*list));
		kept += (size_t)r;
		done += (size_t)r < wanted ? (size_t)r + 1 : wanted;
	}
	*n = kept;
	return 0;
}

static bool is_kept_out(uint32_t index)
{
	return index == MSR_TSC || (index >= MSR_HYPERV && index <= MSR_HYPERV_LAST);
}

static bool is_listed(const struct kvm_msr_list *list, uint32_t index)
{
	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (list->indices[i] == index)
			return true;
	return false;
}

/* What the hypervisor names, and the rest of what is known here; once each. */
static size_t name_msrs(const struct kvm_msr_list *list, struct kvm_msr_entry *to)
{
	size_t n = 0;

	for (uint32_t i = 0; i < list->nmsrs; i++)
		if (!is_kept_out(list->indices[i]))
			to[n++].index = list->indices[i];
	for (uint32_t i = MSR_MTRR_PHYS; i <= MSR_MTRR_PHYS_LAST; i++)
		if (!is_listed(list, i))
			to[n++].index = i;
	for (size_t i = 0; i < CV_ARRAY_SIZE(extra_msrs); i++)
		if (!is_listed(list, extra_msrs[i]))
			to[n++].index = extra_msrs[i];
	return n;
}

static int save_msrs(const struct vmm_vm_call *system, const struct vmm_vm_call *vcpu,
		     struct vmm_power_on *p)
{
	_cleanup_free_ struct kvm_msr_list *list = calloc(
		1, sizeof(*list) + INDEXES_MAX * sizeof(list->indices[0]));
	int r;

	p->msrs = calloc(INDEXES_MAX + EXTRA_MAX + MSR_MTRR_PHYS_LAST - MSR_MTRR_PHYS + 1,
			 sizeof(*p->msrs));
	if (!list || !p->msrs)
		return -ENOMEM;
	list->nmsrs = INDEXES_MAX;
	r = vmm_vm_call(system, KVM_GET_MSR_INDEX_LIST, list);
	if (r < 0)
		return r;
	p->n_msrs = name_msrs(list, p->msrs);
	return get_msrs(vcpu, p->msrs, &p->n_msrs);
}

/* ---- a new vCPU ---- */

int vmm_state_begin(const struct vmm_vm_call *vcpu, struct cv_error *err)
{
	int r = set_msrs(vcpu, begin_msrs, CV_ARRAY_SIZE(begin_msrs));

	return r < 0 ? cv_fail_errno(err, r, "KVM_SET_MSRS", "cannot set the memory types") : 0;
}

int vmm_state_save(const struct vmm_vm_call *system, const struct vmm_vm_call *vcpu,
		   struct vmm_power_on *ret, struct cv_error *err)
{
	int r = vmm_vm_call(vcpu, KVM_GET_SREGS, &ret->sregs);

	if (r < 0)
		return cv_fail_errno(err, r, "KVM_GET_SREGS", "cannot read registers");
	r = save_msrs(system, vcpu, ret);
	if (r >= 0)
		return 0;
	vmm_power_on_done(ret);
	return cv_fail_errno(err, r, "KVM_GET_MSRS", "cannot read registers for a reset");
}

void vmm_power_on_done(struct vmm_power_on *p)
{
	free(p->msrs);
	*p = (struct vmm_power_on){ 0 };
}

/* ---- the first instruction ---- */

static struct kvm_segment segment(uint16_t selector, uint8_t type, bool is_long)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = is_long,
		.db = !is_long,
	};
}

static void set_segments(struct kvm_sregs *s, const struct vmm_entry *e)
{
	struct kvm_segment data = segment(0x18, 3, false);

	s->cs = segment(0x10, 0xb, e->mode == VMM_MODE_LONG);
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	s->tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1 };
	s->gdt.base = e->gdt;
	s->gdt.limit = e->gdt_limit;
	s->idt.base = 0;
	s->idt.limit = 0;
}

static void set_control(struct kvm_sregs *s, const struct vmm_entry *e)
{
	s->cr0 = CR0_PE | CR0_ET | CR0_NE;
	s->cr4 = 0;
	s->efer = 0;
	if (e->mode != VMM_MODE_LONG)
		return;
	s->cr0 |= CR0_PG;
	s->cr3 = e->cr3;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
}

int vmm_state_enter(const struct vmm_vm_call *vcpu, struct kvm_run *run,
		    const struct vmm_power_on *p, const struct vmm_entry *e, struct cv_error *err)
{
	struct kvm_regs regs = {
		.rip = e->rip,
		.rax = e->rax,
		.rbx = e->rbx,
		.rsi = e->rsi,
		.rflags = RFLAGS_ONE,
	};
	struct kvm_sregs s = p->sregs;
	int r;

	set_segments(&s, e);
	set_control(&s, e);
	if (run) {
		run->s.regs.regs = regs;
		run->s.regs.sregs = s;
		run->kvm_dirty_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
		return 0;
	}
	r = vmm_vm_call(vcpu, KVM_SET_SREGS, &s);
	if (r < 0)
		return cv_fail_errno(err, r, "KVM_SET_SREGS", "cannot set registers");
	r = vmm_vm_call(vcpu, KVM_SET_REGS, &regs);
	return r < 0 ? cv_fail_errno(err, r, "KVM_SET_REGS", "cannot set registers") : 0;
}

/* ---- reset ---- */

/** struct resetting - one vCPU's */
struct resetting {
	const struct vmm_vm_call *vcpu;
	const struct vmm_power_on *p;
	uint32_t apic_id;
	bool is_first;
};

/* Exceptions and interrupts that were on their way are forgotten; system management mode is left. */
static int drop_events(const struct resetting *r)
{
	struct kvm_vcpu_events e = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
					      KVM_VCPUEVENT_VALID_SHADOW |
					      KVM_VCPUEVENT_VALID_SMM };

	return vmm_vm_call(r->vcpu, KVM_SET_VCPU_EVENTS, &e);
}

static int reset_registers(const struct resetting *r)
{
	struct kvm_sregs s = r->p->sregs;

	s.apic_base &= ~(uint64_t)MSR_APICBASE_FIRST;
	if (r->is_first)
		s.apic_base |= MSR_APICBASE_FIRST;
	return vmm_vm_call(r->vcpu, KVM_SET_SREGS, &s);
}

static void set_apic(struct kvm_lapic_state *s, unsigned int reg, uint32_t value)
{
	memcpy(&s->regs[reg], &value, sizeof(value));
}

/* As the specification has it after power-up (Intel SDM vol. 3 section 11.4.7.1, AMD64 APM vol. 2 section
 * 16.3): nothing pending, all of the local vector table masked. The version is the hypervisor's. */
static int reset_lapic(const struct resetting *r)
{
	static const unsigned int vectors[] = { APIC_LVT_CMCI, APIC_LVT_TIMER, APIC_LVT_THERMAL,
						APIC_LVT_PMC,  APIC_LVT_LINT0, APIC_LVT_LINT1,
						APIC_LVT_ERROR };
	struct kvm_lapic_state s = { 0 };

	set_apic(&s, APIC_ID, r->apic_id << 24); /* 8 bits, until the guest turns x2APIC mode on */
	set_apic(&s, APIC_DFR, UINT32_MAX);
	set_apic(&s, APIC_SPURIOUS, 0xff);
	for (size_t i = 0; i < CV_ARRAY_SIZE(vectors); i++)
		set_apic(&s, vectors[i], APIC_MASKED);
	/* the PIC's interrupts, as firmware leaves it on the first CPU */
	if (r->is_first)
		set_apic(&s, APIC_LVT_LINT0, APIC_EXTINT);
	return vmm_vm_call(r->vcpu, KVM_SET_LAPIC, &s);
}

/* A CPU without XSAVE has no XCR0. */
static int reset_xcrs(const struct resetting *r)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs[0].value = XCR0_POWER_ON };
	int err = vmm_vm_call(r->vcpu, KVM_SET_XCRS, &x);

	return err == -EINVAL ? 0 : err;
}

/* Every component in its initial state: none is said to be there. */
static int reset_fpu(const struct resetting *r)
{
	_cleanup_free_ uint8_t *image = calloc(1, XSAVE_MAX);
	const uint16_t fcw = FCW_POWER_ON;
	const uint32_t mxcsr = MXCSR_POWER_ON;

	if (!image)
		return -ENOMEM;
	memcpy(image, &fcw, sizeof(fcw));
	memcpy(&image[XSAVE_MXCSR], &mxcsr, sizeof(mxcsr));
	return vmm_vm_call(r->vcpu, KVM_SET_XSAVE, image);
}

static int reset_msrs(const struct resetting *r)
{
	return set_msrs(r->vcpu, r->p->msrs, r->p->n_msrs);
}

static int reset_debug(const struct resetting *r)
{
	struct kvm_debugregs d = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };

	return vmm_vm_call(r->vcpu, KVM_SET_DEBUGREGS, &d);
}

static int reset_running(const struct resetting *r)
{
	struct kvm_mp_state mp = { .mp_state = r->is_first ? KVM_MP_STATE_RUNNABLE
							   : KVM_MP_STATE_UNINITIALIZED };

	return vmm_vm_call(r->vcpu, KVM_SET_MP_STATE, &mp);
}

/* The order: x2APIC mode is left (a register of KVM_SET_SREGS) before the APIC of power-on can be set
 * (AMD64 APM vol. 2 section 16.9), its timer's mode is set before its deadline, and nothing may run
 * before all is set. */
static const struct {
	const char *name;
	int (*reset)(const struct resetting *r);
} resets[] = {
	{ "KVM_SET_VCPU_EVENTS", drop_events }, { "KVM_SET_SREGS", reset_registers },
	{ "KVM_SET_LAPIC", reset_lapic },	{ "KVM_SET_XCRS", reset_xcrs },
	{ "KVM_SET_XSAVE", reset_fpu },		{ "KVM_SET_MSRS", reset_msrs },
	{ "KVM_SET_DEBUGREGS", reset_debug },	{ "KVM_SET_MP_STATE", reset_running },
};

int vmm_state_reset(const struct vmm_vm_call *vcpu, const struct vmm_power_on *p, uint32_t apic_id,
		    bool is_first, struct cv_error *err)
{
	const struct resetting one = { vcpu, p, apic_id, is_first };

	for (size_t i = 0; i < CV_ARRAY_SIZE(resets); i++) {
		int r = resets[i].reset(&one);

		if (r < 0)
			return cv_fail_errno(err, r, resets[i].name,
					     "a vCPU cannot be brought back to power-on");
	}
	return 0;
}
