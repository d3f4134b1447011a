// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_RUN: from the user into the guest and back, and what the user answered to the exit before.
 */
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>

#include "carve.h"

/* Exceptions that make a double fault of one before them: AMD APM vol. 2, table 8-6. */
static bool is_contributory(u8 vector)
{
	return vector == 0 || (vector >= 10 && vector <= 13);
}

static bool makes_double_fault(u8 first, u8 second)
{
	if (first == 14)
		return second == 14 || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

/**
 * carve_inject() - an exception for the guest's current instruction
 * @vcpu: has left its guest
 * @vector: which
 * @has_error: it pushes an error code
 * @error: the code
 *
 * An exception that could not be delivered becomes a double fault with this one, and a third fault
 * shuts the vCPU down as the CPU would.
 */
void carve_inject(struct carve_vcpu *vcpu, u8 vector, bool has_error, u32 error)
{
	struct carve_event *event = &vcpu->event;

	if (event->pending && event->type == SVM_EVTINJ_TYPE_EXEPT) {
		if (event->vector == 8) {
			vcpu->shutdown = true;
			return;
		}
		if (makes_double_fault(event->vector, vector)) {
			vector = 8;
			has_error = true;
			error = 0;
		}
	}
	*event = (struct carve_event){ .pending = true,
				       .type = SVM_EVTINJ_TYPE_EXEPT,
				       .vector = vector,
				       .has_error = has_error,
				       .error = error };
}

/**
 * carve_skip() - moves RIP behind the instruction that ended the guest's run
 * @vcpu: has left its guest
 * @bytes: the instruction's length, for CPUs that do not save the next RIP
 *
 * Return: 1: the guest goes on.
 */
int carve_skip(struct carve_vcpu *vcpu, unsigned int bytes)
{
	struct vmcb *vmcb = vcpu->vmcb;
	u64 next = vmcb->save.rip + bytes;

	if (boot_cpu_has(X86_FEATURE_NRIPS) && vmcb->control.next_rip)
		next = vmcb->control.next_rip;
	vmcb->save.rip = carve_is_long(vcpu) ? next : (u32)next;
	vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
	/* The CPU would have trapped behind the instruction: DR6.BS. */
	if (vmcb->save.rflags & X86_EFLAGS_TF) {
		vmcb->save.dr6 |= BIT(14);
		carve_inject(vcpu, 1, false, 0);
	}
	return 1;
}

/**
 * carve_linear_rip() - where the guest's next instruction lies, before paging
 * @vcpu: the vCPU
 */
u64 carve_linear_rip(const struct carve_vcpu *vcpu)
{
	const struct vmcb_save_area *save = &vcpu->vmcb->save;

	return carve_is_long(vcpu) ? save->rip : (u32)(save->cs.base + save->rip);
}

/* What a port read brought, in the width it had: upper halves stay, but 32 bits clear theirs. */
static void take_port_data(struct carve_vcpu *vcpu)
{
	const void *data = page_address(vcpu->run_page[CARVE_PIO_PAGE]);
	u64 *rax = &vcpu->regs[REG_RAX];

	switch (vcpu->io.bytes) {
	case 1:
		*rax = (*rax & ~0xffULL) | *(const u8 *)data;
		break;
	case 2:
		*rax = (*rax & ~0xffffULL) | *(const u16 *)data;
		break;
	default:
		*rax = *(const u32 *)data;
	}
}

/*
 * The instruction that went to the user ends when the user comes back, unless the user moved the
 * guest elsewhere meanwhile: a port write may have reset the machine.
 */
static void complete_io(struct carve_vcpu *vcpu)
{
	enum carve_completion completion = vcpu->io.completion;

	vcpu->io.completion = CARVE_DONE;
	if (completion == CARVE_DONE || vcpu->io.linear_rip != carve_linear_rip(vcpu))
		return;
	if (completion == CARVE_PORT_IN)
		take_port_data(vcpu);
	carve_skip(vcpu, vcpu->io.next_rip - vcpu->vmcb->save.rip);
}

/*
 * Into the guest again and again, until an exit is for the user or Linux wants the CPU.
 * Return: 1 to come again, 0 for an exit to the user, -errno.
 */
static int run_guest(struct carve_vcpu *vcpu)
{
	int ret;

	carve_fpu_load(vcpu);
	carve_svm_load(vcpu);
	do {
		local_irq_disable();
		WRITE_ONCE(vcpu->in_guest, true);
		ret = carve_cpus_stopped() ? -EIO : 1;
		if (ret > 0 && !carve_task_must_leave()) {
			carve_svm_prepare(vcpu);
			carve_svm_enter(vcpu);
			smp_store_release(&vcpu->in_guest, false);
			/* The interrupt that ended the run is taken here. */
			local_irq_enable();
			ret = carve_svm_exit(vcpu);
			continue;
		}
		WRITE_ONCE(vcpu->in_guest, false);
		local_irq_enable();
		break;
	} while (ret > 0);
	carve_svm_unload(vcpu);
	carve_fpu_unload(vcpu);
	return ret;
}

static int shut_down(struct carve_vcpu *vcpu)
{
	vcpu->shutdown = false;
	carve_vcpu_reset(vcpu);
	vcpu->run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static int run_until_exit(struct carve_vcpu *vcpu)
{
	int ret;

	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	do {
		ret = carve_task_work();
		if (ret) {
			vcpu->run->exit_reason = KVM_EXIT_INTR;
			return -EINTR;
		}
		ret = run_guest(vcpu);
		if (vcpu->shutdown)
			ret = shut_down(vcpu);
	} while (ret > 0);
	return ret;
}

/* What the user finds in its page after every exit. */
static void fill_run(struct carve_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	run->if_flag = !!(vcpu->vmcb->save.rflags & X86_EFLAGS_IF);
	run->cr8 = vcpu->cr8;
	run->apic_base = vcpu->msrs.apic_base;
	run->flags = 0;
	run->ready_for_interrupt_injection = carve_svm_can_interrupt(vcpu) &&
					     vcpu->user_interrupt < 0;
}

/**
 * carve_vcpu_run() - KVM_RUN
 * @vcpu: the vCPU
 *
 * Return: 0 with an exit reason for the user; -EINTR for a signal or immediate_exit; -EINVAL for
 * what the shared page may not hold; -EIO when the machine reboots.
 * Context: process; vcpu->lock.
 */
int carve_vcpu_run(struct carve_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int ret;

	if (READ_ONCE(run->kvm_valid_regs) || READ_ONCE(run->kvm_dirty_regs))
		return -EINVAL;
	if (READ_ONCE(run->cr8) & ~0xfULL)
		return -EINVAL;
	vcpu->cr8 = READ_ONCE(run->cr8) & 0xf;
	complete_io(vcpu);
	if (READ_ONCE(run->immediate_exit__unsafe))
		ret = -EINTR;
	else
		ret = run_until_exit(vcpu);
	fill_run(vcpu);
	return ret;
}
