// SPDX-License-Identifier: GPL-2.0-only
/*
 * What ended the guest's run, and what is done about it: AMD APM vol. 2, appendix C. A handler
 * returns 1 to enter the guest again, 0 for an exit to the user, -errno. Preemption is off, nothing
 * sleeps.
 */
#define pr_fmt(fmt) "carve: " fmt

#include <linux/kvm.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <asm/fpu/xcr.h>
#include <asm/mce.h>
#include <asm/processor.h>
#include <asm/ptrace.h>
#include <asm/svm.h>

#include "carve.h"

#define UD_VECTOR 6
#define GP_VECTOR 13
#define DB_VECTOR 1
#define AC_VECTOR 17

static int inject_ud(struct carve_vcpu *vcpu)
{
	carve_inject(vcpu, UD_VECTOR, false, 0);
	return 1;
}

static int inject_gp(struct carve_vcpu *vcpu)
{
	carve_inject(vcpu, GP_VECTOR, true, 0);
	return 1;
}

/* What the host must do has been done when interrupts came on again. */
static int for_the_host(struct carve_vcpu *vcpu)
{
	return 1;
}

static int exit_db(struct carve_vcpu *vcpu)
{
	/* DR6 and DR7 are as the guest's handler wants them: 15.12.2. */
	carve_inject(vcpu, DB_VECTOR, false, 0);
	return 1;
}

static int exit_ac(struct carve_vcpu *vcpu)
{
	carve_inject(vcpu, AC_VECTOR, true, 0);
	return 1;
}

/* The error is the machine's; the host's handler looks at it as if it had come from user space. */
static int exit_mc(struct carve_vcpu *vcpu)
{
	struct pt_regs regs = { .cs = 3, .flags = X86_EFLAGS_IF };

	do_machine_check(&regs);
	return 1;
}

/* The guest may use its debug registers from now on; the instruction runs again. */
static int exit_dr(struct carve_vcpu *vcpu)
{
	carve_svm_unload(vcpu);
	carve_svm_watch_dr(vcpu, false);
	carve_svm_load(vcpu);
	return 1;
}

static int exit_cpuid(struct carve_vcpu *vcpu)
{
	u64 *regs = vcpu->regs;
	u32 eax = regs[REG_RAX], ebx, ecx = regs[REG_RCX], edx;

	carve_cpuid(vcpu, &eax, &ebx, &ecx, &edx);
	regs[REG_RAX] = eax;
	regs[REG_RBX] = ebx;
	regs[REG_RCX] = ecx;
	regs[REG_RDX] = edx;
	return carve_skip(vcpu, 2);
}

static int exit_msr(struct carve_vcpu *vcpu)
{
	u64 *regs = vcpu->regs, value;
	u32 index = regs[REG_RCX];

	if (vcpu->vmcb->control.exit_info_1) {
		value = (u32)regs[REG_RAX] | regs[REG_RDX] << 32;
		if (carve_msr_write(vcpu, index, value, true))
			return inject_gp(vcpu);
	} else {
		if (carve_msr_read(vcpu, index, &value, true))
			return inject_gp(vcpu);
		regs[REG_RAX] = (u32)value;
		regs[REG_RDX] = value >> 32;
	}
	return carve_skip(vcpu, 2);
}

/* Without an interrupt controller in the kernel the user decides what wakes the vCPU. */
static int exit_hlt(struct carve_vcpu *vcpu)
{
	carve_skip(vcpu, 1);
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

static int internal_error(struct carve_vcpu *vcpu, u32 suberror)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = suberror;
	run->internal.ndata = 1;
	run->internal.data[0] = vcpu->vmcb->control.exit_code;
	return 0;
}

/* EXITINFO1 and 2 of IOIO: 15.10.2. */
static int exit_io(struct carve_vcpu *vcpu)
{
	u32 info = vcpu->vmcb->control.exit_info_1;
	struct kvm_run *run = vcpu->run;
	bool in = info & SVM_IOIO_TYPE_MASK;

	if (info & SVM_IOIO_STR_MASK)
		return internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
	vcpu->io = (struct carve_io){ .completion = in ? CARVE_PORT_IN : CARVE_PORT_OUT,
				      .bytes = (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT,
				      .next_rip = vcpu->vmcb->control.exit_info_2,
				      .linear_rip = carve_linear_rip(vcpu) };
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = vcpu->io.bytes;
	run->io.port = info >> 16;
	run->io.count = 1;
	run->io.data_offset = CARVE_PIO_PAGE * PAGE_SIZE;
	if (!in)
		memcpy(page_address(vcpu->run_page[CARVE_PIO_PAGE]), &vcpu->regs[REG_RAX],
		       vcpu->io.bytes);
	return 0;
}

/* A third fault. What the control block holds now is undefined: 15.14.3. */
static int exit_shutdown(struct carve_vcpu *vcpu)
{
	vcpu->shutdown = true;
	return 0;
}

/*
 * The guest can take an interrupt now: ours goes in at the next entry, or the user is asked for
 * one.
 */
static int exit_window(struct carve_vcpu *vcpu)
{
	carve_svm_watch_window(vcpu, false);
	if (vcpu->user_interrupt >= 0 || !vcpu->run->request_interrupt_window)
		return 1;
	vcpu->run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
	return 0;
}

/* The end of the guest's NMI handler: the next NMI waits for one instruction more, IRET itself. */
static int exit_iret(struct carve_vcpu *vcpu)
{
	vcpu->nmi_blocked = false;
	carve_svm_watch_iret(vcpu, false);
	vcpu->vmcb->control.int_state |= SVM_INTERRUPT_SHADOW_MASK;
	return 1;
}

/* XSETBV at CPL 0 only, which the CPU has checked; ECX and the value it has not. */
static int exit_xsetbv(struct carve_vcpu *vcpu)
{
	u64 value = (u32)vcpu->regs[REG_RAX] | vcpu->regs[REG_RDX] << 32;

	if ((u32)vcpu->regs[REG_RCX] || carve_fpu_set_xcr0(vcpu, value))
		return inject_gp(vcpu);
	xsetbv(XCR_XFEATURE_ENABLED_MASK, value);
	return carve_skip(vcpu, 3);
}

/* No hypercall is offered: the answer is that of KVM to an unknown one, -ENOSYS of its ABI. */
static int exit_vmmcall(struct carve_vcpu *vcpu)
{
	vcpu->regs[REG_RAX] = carve_is_long(vcpu) ? -1000UL : (u32)-1000;
	return carve_skip(vcpu, 3);
}

/* Done, as far as a guest may: MONITOR, MWAIT, INVD. */
static int do_nothing_3(struct carve_vcpu *vcpu)
{
	return carve_skip(vcpu, 3);
}

static int do_nothing_2(struct carve_vcpu *vcpu)
{
	return carve_skip(vcpu, 2);
}

/* RAM never faults here: the address belongs to a device, or to nothing. */
static int exit_npf(struct carve_vcpu *vcpu)
{
	return internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
}

static int exit_task_switch(struct carve_vcpu *vcpu)
{
	return internal_error(vcpu, KVM_INTERNAL_ERROR_EMULATION);
}

static int (*const handlers[])(struct carve_vcpu *vcpu) = {
	[SVM_EXIT_READ_DR0... SVM_EXIT_READ_DR7] = exit_dr,
	[SVM_EXIT_WRITE_DR0... SVM_EXIT_WRITE_DR7] = exit_dr,
	[SVM_EXIT_EXCP_BASE + DB_VECTOR] = exit_db,
	[SVM_EXIT_EXCP_BASE + AC_VECTOR] = exit_ac,
	[SVM_EXIT_EXCP_BASE + 18] = exit_mc,
	[SVM_EXIT_INTR] = for_the_host,
	[SVM_EXIT_NMI] = for_the_host,
	[SVM_EXIT_SMI] = for_the_host,
	[SVM_EXIT_INIT] = for_the_host,
	[SVM_EXIT_VINTR] = exit_window,
	[SVM_EXIT_RDPMC] = inject_gp,
	[SVM_EXIT_CPUID] = exit_cpuid,
	[SVM_EXIT_IRET] = exit_iret,
	[SVM_EXIT_INVD] = do_nothing_2,
	[SVM_EXIT_HLT] = exit_hlt,
	[SVM_EXIT_INVLPGA] = inject_ud,
	[SVM_EXIT_IOIO] = exit_io,
	[SVM_EXIT_MSR] = exit_msr,
	[SVM_EXIT_TASK_SWITCH] = exit_task_switch,
	[SVM_EXIT_SHUTDOWN] = exit_shutdown,
	[SVM_EXIT_VMRUN] = inject_ud,
	[SVM_EXIT_VMMCALL] = exit_vmmcall,
	[SVM_EXIT_VMLOAD] = inject_ud,
	[SVM_EXIT_VMSAVE] = inject_ud,
	[SVM_EXIT_STGI] = inject_ud,
	[SVM_EXIT_CLGI] = inject_ud,
	[SVM_EXIT_SKINIT] = inject_ud,
	[SVM_EXIT_MONITOR] = do_nothing_3,
	[SVM_EXIT_MWAIT] = do_nothing_3,
	[SVM_EXIT_XSETBV] = exit_xsetbv,
	[SVM_EXIT_RDPRU] = inject_ud,
};

/*
 * The checks of VMRUN that a wrong register can fail: 15.5.1, "Canonicalization and consistency
 * checks".
 */
static const char *find_fault(const struct vmcb_save_area *save)
{
	bool long_mode = (save->efer & EFER_LME) && (save->cr0 & X86_CR0_PG);

	if (!(save->efer & EFER_SVME))
		return "EFER.SVME is clear";
	if (!(save->cr0 & X86_CR0_CD) && (save->cr0 & X86_CR0_NW))
		return "CR0.NW without CR0.CD";
	if (save->cr0 >> 32)
		return "upper half of CR0";
	if ((save->dr6 >> 32) || (save->dr7 >> 32))
		return "upper half of DR6 or DR7";
	if (long_mode && !(save->cr4 & X86_CR4_PAE))
		return "long mode without CR4.PAE";
	if (long_mode && !(save->cr0 & X86_CR0_PE))
		return "long mode without CR0.PE";
	if (long_mode && (save->cs.attrib & (1 << SVM_SELECTOR_L_SHIFT)) &&
	    (save->cs.attrib & (1 << SVM_SELECTOR_DB_SHIFT)))
		return "CS.L and CS.D";
	return "reserved bits of CR3, CR4 or EFER, or an event of no type";
}

static int fail_entry(struct carve_vcpu *vcpu)
{
	const struct vmcb_save_area *save = &vcpu->vmcb->save;
	struct kvm_run *run = vcpu->run;

	pr_err_ratelimited("vCPU %u: VMRUN refused: %s\n", vcpu->id, find_fault(save));
	pr_err_ratelimited(
		"cr0 %llx cr3 %llx cr4 %llx efer %llx cs %x:%x rip %llx rflags %llx event %x asid %u\n",
		save->cr0, save->cr3, save->cr4, save->efer, save->cs.selector, save->cs.attrib,
		save->rip, save->rflags, vcpu->vmcb->control.event_inj, vcpu->vmcb->control.asid);
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = vcpu->vmcb->control.exit_code;
	run->fail_entry.cpu = vcpu->cpu;
	return 0;
}

/**
 * carve_svm_exit() - handles what ended the guest's run
 * @vcpu: has left its guest, and is still loaded
 *
 * Return: 1 to enter again, 0 for an exit to the user, -errno.
 * Context: preemption off, irqs on.
 */
int carve_svm_exit(struct carve_vcpu *vcpu)
{
	/* QEMU stores VMEXIT_INVALID in 32 bits, the CPU in 64. */
	u32 code = vcpu->vmcb->control.exit_code;
	int ret;

	if (code == (u32)SVM_EXIT_ERR)
		return fail_entry(vcpu);
	if (code == SVM_EXIT_NPF)
		ret = exit_npf(vcpu);
	else if (code < ARRAY_SIZE(handlers) && handlers[code])
		ret = handlers[code](vcpu);
	else
		ret = internal_error(vcpu, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	return vcpu->shutdown ? 0 : ret;
}
