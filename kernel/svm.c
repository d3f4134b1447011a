// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual machine control block, AMD APM vol. 2, 15.5 and appendix B: what a guest may do by
 * itself, and what is loaded around its run.
 */
#include <linux/context_tracking.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/processor.h>
#include <asm/svm.h>

#include "carve.h"
#include "compat.h"

#define IOPM_ORDER 2 /* 12 KiB are used */
#define MSRPM_ORDER 1

/* One of each for all guests: every port, and every MSR but those below, ends the guest's run. */
static struct page *io_map;
static struct page *msr_map;

/* MSRs that VMRUN, or VMLOAD and VMSAVE, swap: the guest reads and writes its own. */
static const u32 open_msrs[] = {
	MSR_FS_BASE,
	MSR_GS_BASE,
	MSR_KERNEL_GS_BASE,
	MSR_STAR,
	MSR_LSTAR,
	MSR_CSTAR,
	MSR_SYSCALL_MASK,
	MSR_IA32_SYSENTER_CS,
	MSR_IA32_SYSENTER_ESP,
	MSR_IA32_SYSENTER_EIP,
};

/*
 * What ends a guest's run. Not in the list, so that it costs nothing: CR0, CR3, CR4, RDTSC, INVLPG,
 * WBINVD, PAUSE, #PF and #UD. HLT is: without it a guest that waits would keep its CPU.
 */
static const u16 intercepts[] = {
	INTERCEPT_INTR,
	INTERCEPT_NMI,
	INTERCEPT_SMI,
	INTERCEPT_INIT,
	INTERCEPT_RDPMC,
	INTERCEPT_CPUID,
	INTERCEPT_INVD,
	INTERCEPT_HLT,
	INTERCEPT_INVLPGA,
	INTERCEPT_IOIO_PROT,
	INTERCEPT_MSR_PROT,
	INTERCEPT_TASK_SWITCH,
	INTERCEPT_SHUTDOWN,
	INTERCEPT_VMRUN,
	INTERCEPT_VMMCALL,
	INTERCEPT_VMLOAD,
	INTERCEPT_VMSAVE,
	INTERCEPT_STGI,
	INTERCEPT_CLGI,
	INTERCEPT_SKINIT,
	INTERCEPT_MONITOR,
	INTERCEPT_MWAIT,
	INTERCEPT_XSETBV,
	INTERCEPT_RDPRU,
	/*
	 * A guest could make these two recur for ever inside one instruction: CVE-2015-5307, -8104.
	 */
	INTERCEPT_EXCEPTION_OFFSET + 1,
	INTERCEPT_EXCEPTION_OFFSET + 17,
	INTERCEPT_EXCEPTION_OFFSET + 18 /* #MC is the host's */,
};

static void watch(struct carve_vcpu *vcpu, unsigned int bit, bool on)
{
	u32 *word = &vcpu->vmcb->control.intercepts[bit / 32];

	*word = on ? *word | BIT(bit % 32) : *word & ~BIT(bit % 32);
}

/* Two bits for each MSR, read and write, in three ranges: 15.11. */
static void open_msr(u8 *map, u32 msr)
{
	u32 range = msr >= 0xc0010000 ? 2 : msr >= 0xc0000000 ? 1 : 0;
	u32 bit = 2 * (msr & 0x1fff);

	map[range * 0x800 + bit / 8] &= ~(3 << (bit % 8));
}

/**
 * carve_svm_init() - the maps that all guests share
 *
 * Return: 0, -ENOMEM, -EOPNOTSUPP without XSAVE.
 */
int carve_svm_init(void)
{
	size_t i;
	int ret = carve_fpu_init();

	if (ret)
		return ret;
	io_map = alloc_pages(GFP_KERNEL, IOPM_ORDER);
	msr_map = alloc_pages(GFP_KERNEL, MSRPM_ORDER);
	if (!io_map || !msr_map) {
		carve_svm_done();
		return -ENOMEM;
	}
	memset(page_address(io_map), 0xff, PAGE_SIZE << IOPM_ORDER);
	memset(page_address(msr_map), 0xff, PAGE_SIZE << MSRPM_ORDER);
	for (i = 0; i < ARRAY_SIZE(open_msrs); i++)
		open_msr(page_address(msr_map), open_msrs[i]);
	return 0;
}

/**
 * carve_svm_done() - frees the maps
 */
void carve_svm_done(void)
{
	if (io_map)
		__free_pages(io_map, IOPM_ORDER);
	if (msr_map)
		__free_pages(msr_map, MSRPM_ORDER);
	io_map = NULL;
	msr_map = NULL;
}

static void init_control(struct carve_vcpu *vcpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(intercepts); i++)
		watch(vcpu, intercepts[i], true);
	carve_svm_watch_dr(vcpu, true);
	control->iopm_base_pa = __sme_set(page_to_phys(io_map));
	control->msrpm_base_pa = __sme_set(page_to_phys(msr_map));
	control->int_ctl = V_INTR_MASKING_MASK;
	control->nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
	control->nested_cr3 = __sme_set(__pa(vcpu->vm->npt.root));
	control->tsc_offset = vcpu->vm->tsc_offset;
}

/**
 * carve_svm_vcpu_new() - a vCPU's control block
 * @vcpu: the vCPU
 *
 * Return: 0, -ENOMEM.
 */
int carve_svm_vcpu_new(struct carve_vcpu *vcpu)
{
	struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

	if (!page)
		return -ENOMEM;
	vcpu->vmcb = page_address(page);
	vcpu->vmcb_pa = __sme_set(page_to_phys(page));
	init_control(vcpu);
	return 0;
}

/**
 * carve_svm_vcpu_free() - frees the control block
 * @vcpu: the vCPU
 */
void carve_svm_vcpu_free(struct carve_vcpu *vcpu)
{
	free_page((unsigned long)vcpu->vmcb);
	vcpu->vmcb = NULL;
}

/**
 * carve_svm_watch_dr() - whether the guest's next use of a debug register ends its run
 * @vcpu: the vCPU
 * @watch_it: until its first use a guest's DR0-3 are not loaded at all
 */
void carve_svm_watch_dr(struct carve_vcpu *vcpu, bool watch_it)
{
	/* DR0-7, reads and writes. */
	vcpu->vmcb->control.intercepts[INTERCEPT_DR] = watch_it ? 0x00ff00ff : 0;
	vcpu->dr_live = !watch_it;
}

/**
 * carve_svm_watch_window() - the guest's run ends as soon as it can take an interrupt
 * @vcpu: the vCPU
 * @watch_it: asks for that by a virtual interrupt that is never delivered: 15.21.4
 */
void carve_svm_watch_window(struct carve_vcpu *vcpu, bool watch_it)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;

	watch(vcpu, INTERCEPT_VINTR, watch_it);
	control->int_ctl &= ~V_IRQ_INJECTION_BITS_MASK;
	if (watch_it)
		control->int_ctl |= V_IRQ_MASK | V_INTR_PRIO_MASK | V_IGN_TPR_MASK;
	control->int_vector = 0;
}

/**
 * carve_svm_watch_iret() - whether the guest's next IRET ends its run, which ends its NMI
 * @vcpu: the vCPU
 * @watch_it: whether it does
 */
void carve_svm_watch_iret(struct carve_vcpu *vcpu, bool watch_it)
{
	watch(vcpu, INTERCEPT_IRET, watch_it);
}

/**
 * carve_svm_can_interrupt() - whether the guest takes an interrupt at the next entry
 * @vcpu: the vCPU
 */
bool carve_svm_can_interrupt(const struct carve_vcpu *vcpu)
{
	return (vcpu->vmcb->save.rflags & X86_EFLAGS_IF) &&
	       !(vcpu->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK) && !vcpu->event.pending;
}

static u8 flush_command(void)
{
	return boot_cpu_has(X86_FEATURE_FLUSHBYASID) ? TLB_CONTROL_FLUSH_ASID
						     : TLB_CONTROL_FLUSH_ALL_ASID;
}

/*
 * An ASID that the TLB of this CPU knows nothing of. Beside kvm-amd, which counts its own from the
 * lowest upwards, always the highest, flushed at every entry.
 */
static void take_asid(struct carve_vcpu *vcpu, struct carve_cpu *cpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;

	if (carve_share) {
		control->asid = carve_asids - 1;
		control->tlb_ctl = flush_command();
		return;
	}
	if (vcpu->asid_generation == cpu->asid_generation)
		return;
	if (cpu->next_asid >= carve_asids) {
		cpu->asid_generation++;
		cpu->next_asid = 1;
		control->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
	}
	control->asid = cpu->next_asid++;
	vcpu->asid_generation = cpu->asid_generation;
}

static void load_tsc_aux(struct carve_vcpu *vcpu)
{
	if (!boot_cpu_has(X86_FEATURE_RDTSCP))
		return;
	carve_rdmsr(MSR_TSC_AUX, vcpu->host_tsc_aux);
	carve_wrmsr(MSR_TSC_AUX, vcpu->msrs.tsc_aux);
}

static void load_dr(struct carve_vcpu *vcpu)
{
	set_debugreg(vcpu->dr[0], 0);
	set_debugreg(vcpu->dr[1], 1);
	set_debugreg(vcpu->dr[2], 2);
	set_debugreg(vcpu->dr[3], 3);
}

static void save_dr(struct carve_vcpu *vcpu)
{
	get_debugreg(vcpu->dr[0], 0);
	get_debugreg(vcpu->dr[1], 1);
	get_debugreg(vcpu->dr[2], 2);
	get_debugreg(vcpu->dr[3], 3);
}

/**
 * carve_svm_load() - what VMRUN does not swap, the host's out and the guest's in
 * @vcpu: about to run on this CPU
 *
 * Context: preemption off until carve_svm_unload().
 */
void carve_svm_load(struct carve_vcpu *vcpu)
{
	struct carve_cpu *cpu = this_cpu_ptr(&carve_cpus);

	if (vcpu->cpu != smp_processor_id()) {
		vcpu->asid_generation = 0;
		WRITE_ONCE(vcpu->cpu, smp_processor_id());
	}
	take_asid(vcpu, cpu);
	load_tsc_aux(vcpu);
	if (vcpu->dr_live)
		load_dr(vcpu);
	/* FS, GS, TR, LDTR and the SYSCALL MSRs of this task on this CPU: 15.5.2. */
	asm volatile("vmsave %0" : : "a"(__sme_set(page_to_phys(cpu->host_state))) : "memory");
}

/**
 * carve_svm_unload() - the host's registers back
 * @vcpu: has run on this CPU
 *
 * Context: preemption off.
 */
void carve_svm_unload(struct carve_vcpu *vcpu)
{
	if (vcpu->dr_live)
		save_dr(vcpu);
	/* #VMEXIT leaves DR7 disarmed: 15.6. */
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
	if (boot_cpu_has(X86_FEATURE_RDTSCP))
		carve_wrmsr(MSR_TSC_AUX, vcpu->host_tsc_aux);
}

static void inject_event(struct carve_vcpu *vcpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;
	const struct carve_event *event = &vcpu->event;

	control->event_inj = SVM_EVTINJ_VALID | event->type | event->vector |
			     (event->has_error ? SVM_EVTINJ_VALID_ERR : 0);
	control->event_inj_err = event->error;
	vcpu->event.pending = false;
}

/*
 * One event an entry: what was interrupted while it was delivered, then an NMI, then an interrupt.
 */
static void inject(struct carve_vcpu *vcpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;

	if (vcpu->event.pending) {
		inject_event(vcpu);
	} else if (vcpu->nmi_pending && !vcpu->nmi_blocked &&
		   !(control->int_state & SVM_INTERRUPT_SHADOW_MASK)) {
		control->event_inj = SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_NMI | 2;
		vcpu->nmi_pending = false;
		vcpu->nmi_blocked = true;
		carve_svm_watch_iret(vcpu, true);
	} else if (vcpu->user_interrupt >= 0 && carve_svm_can_interrupt(vcpu)) {
		control->event_inj = SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_INTR | vcpu->user_interrupt;
		vcpu->user_interrupt = -1;
	}
	if (vcpu->user_interrupt >= 0 || vcpu->run->request_interrupt_window)
		carve_svm_watch_window(vcpu, true);
}

/**
 * carve_svm_prepare() - the last changes to the control block before an entry
 * @vcpu: loaded, and marked in_guest
 *
 * Context: irqs off.
 */
void carve_svm_prepare(struct carve_vcpu *vcpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;
	u64 generation;

	/* in_guest is seen before this is read: carve_vm_flush() does the opposite. */
	smp_mb();
	generation = READ_ONCE(vcpu->vm->tlb_generation);
	if (vcpu->tlb_generation != generation) {
		vcpu->tlb_generation = generation;
		if (control->tlb_ctl != TLB_CONTROL_FLUSH_ALL_ASID)
			control->tlb_ctl = flush_command();
	}
	inject(vcpu);
	control->int_ctl = (control->int_ctl & ~V_TPR_MASK) | vcpu->cr8;
	vcpu->vmcb->save.rax = vcpu->regs[REG_RAX];
	vcpu->vmcb->save.rsp = vcpu->regs[REG_RSP];
}

/* RCU does not watch while the guest runs: a CPU that does nothing else must not be waited for. */
static noinstr void enter_guest(struct carve_vcpu *vcpu, u64 host_pa)
{
	if (!context_tracking_guest_enter()) {
		instrumentation_begin();
		rcu_virt_note_context_switch();
		instrumentation_end();
	}
	carve_svm_switch(vcpu->vmcb_pa, vcpu->regs, host_pa);
	context_tracking_guest_exit();
}

/* An event whose delivery the exit cut short is delivered at the next entry: 15.7.2. */
static void requeue(struct carve_vcpu *vcpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;
	u32 info = control->exit_int_info, type = info & SVM_EXITINTINFO_TYPE_MASK;
	u8 vector = info & SVM_EXITINTINFO_VEC_MASK;

	if (!(info & SVM_EXITINTINFO_VALID))
		return;
	/* INT n, INT3 and INTO are executed once more: RIP is still theirs. */
	if (type == SVM_EXITINTINFO_TYPE_SOFT ||
	    (type == SVM_EXITINTINFO_TYPE_EXEPT && (vector == 3 || vector == 4)))
		return;
	vcpu->event = (struct carve_event){ .pending = true,
					    .type = type,
					    .vector = vector,
					    .has_error = info & SVM_EXITINTINFO_VALID_ERR,
					    .error = control->exit_int_info_err };
	/* In the array of types NMI is 2; it was counted as delivered. */
	if (type == SVM_EXITINTINFO_TYPE_NMI)
		vcpu->nmi_blocked = true;
}

/**
 * carve_svm_enter() - runs the guest until something ends its run
 * @vcpu: prepared
 *
 * Context: irqs off.
 */
void carve_svm_enter(struct carve_vcpu *vcpu)
{
	struct vmcb_control_area *control = &vcpu->vmcb->control;

	enter_guest(vcpu, __sme_set(page_to_phys(this_cpu_ptr(&carve_cpus)->host_state)));
	vcpu->regs[REG_RAX] = vcpu->vmcb->save.rax;
	vcpu->regs[REG_RSP] = vcpu->vmcb->save.rsp;
	vcpu->cr8 = control->int_ctl & V_TPR_MASK;
	control->tlb_ctl = carve_share ? flush_command() : TLB_CONTROL_DO_NOTHING;
	control->event_inj = 0;
	requeue(vcpu);
	vcpu->exits++;
}
