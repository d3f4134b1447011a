// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's registers as the user reads and writes them, and as RESET leaves them.
 */
#include <linux/kvm.h>
#include <linux/string.h>
#include <asm/apicdef.h>
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/processor-flags.h>
#include <asm/svm.h>

#include "carve.h"

#define CR0_ALL                                                                        \
	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | X86_CR0_NE | \
	 X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | X86_CR0_PG)
#define EFER_ALL (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX | EFER_FFXSR)
#define DR6_RESET 0xffff0ff0
#define DR7_RESET 0x400
#define PAT_RESET 0x0007040600070406ULL

/**
 * carve_is_long() - the guest executes 64-bit code
 * @vcpu: the vCPU
 */
bool carve_is_long(const struct carve_vcpu *vcpu)
{
	const struct vmcb_save_area *save = &vcpu->vmcb->save;

	return (save->efer & EFER_LMA) && (save->cs.attrib & SVM_SELECTOR_L_MASK);
}

static struct vmcb_seg reset_segment(u16 attrib)
{
	return (struct vmcb_seg){ .attrib = attrib, .limit = 0xffff };
}

/* AMD APM vol. 2, table 14-1: the first instruction is at 0xfffffff0. */
static void reset_segments(struct vmcb_save_area *save)
{
	/* Present, and read-write data or read-execute code, accessed. */
	save->es = reset_segment(0x93);
	save->ss = reset_segment(0x93);
	save->ds = reset_segment(0x93);
	save->fs = reset_segment(0x93);
	save->gs = reset_segment(0x93);
	save->cs = (struct vmcb_seg){
		.selector = 0xf000, .attrib = 0x9b, .limit = 0xffff, .base = 0xffff0000
	};
	save->gdtr = reset_segment(0);
	save->idtr = reset_segment(0);
	save->ldtr = reset_segment(0x82);
	save->tr = reset_segment(0x8b);
	save->cpl = 0;
}

/**
 * carve_vcpu_reset() - every register as RESET leaves it
 * @vcpu: does not run
 */
void carve_vcpu_reset(struct carve_vcpu *vcpu)
{
	struct vmcb_save_area *save = &vcpu->vmcb->save;

	memset(save, 0, sizeof(*save));
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
	memset(vcpu->dr, 0, sizeof(vcpu->dr));
	reset_segments(save);
	/* Family, model and stepping, as on a CPU that tested itself. */
	vcpu->regs[REG_RDX] = 0x600;
	save->rip = 0xfff0;
	save->rflags = X86_EFLAGS_FIXED;
	save->cr0 = X86_CR0_CD | X86_CR0_NW | X86_CR0_ET;
	save->efer = EFER_SVME;
	save->dr6 = DR6_RESET;
	save->dr7 = DR7_RESET;
	save->g_pat = PAT_RESET;
	vcpu->vmcb->control.int_state = 0;
	vcpu->vmcb->control.event_inj = 0;
	carve_svm_watch_dr(vcpu, true);
	carve_svm_watch_window(vcpu, false);
	carve_svm_watch_iret(vcpu, false);
	carve_fpu_reset(vcpu);
	vcpu->event.pending = false;
	vcpu->nmi_pending = false;
	vcpu->nmi_blocked = false;
	vcpu->user_interrupt = -1;
	vcpu->io.completion = CARVE_DONE;
	vcpu->cr8 = 0;
	vcpu->mp_state = KVM_MP_STATE_RUNNABLE;
	carve_msr_reset(vcpu);
}

/**
 * carve_get_regs() - KVM_GET_REGS
 * @vcpu: the vCPU
 * @regs: receives, or holds, the registers
 */
void carve_get_regs(struct carve_vcpu *vcpu, struct kvm_regs *regs)
{
	const u64 *from = vcpu->regs;

	*regs = (struct kvm_regs){ .rax = from[REG_RAX],
				   .rbx = from[REG_RBX],
				   .rcx = from[REG_RCX],
				   .rdx = from[REG_RDX],
				   .rsi = from[REG_RSI],
				   .rdi = from[REG_RDI],
				   .rsp = from[REG_RSP],
				   .rbp = from[REG_RBP],
				   .r8 = from[8],
				   .r9 = from[9],
				   .r10 = from[10],
				   .r11 = from[11],
				   .r12 = from[12],
				   .r13 = from[13],
				   .r14 = from[14],
				   .r15 = from[15],
				   .rip = vcpu->vmcb->save.rip,
				   .rflags = vcpu->vmcb->save.rflags };
}

/**
 * carve_set_regs() - KVM_SET_REGS; an exception that waits is forgotten
 * @vcpu: the vCPU
 * @regs: receives, or holds, the registers
 */
void carve_set_regs(struct carve_vcpu *vcpu, const struct kvm_regs *regs)
{
	u64 *to = vcpu->regs;

	to[REG_RAX] = regs->rax;
	to[REG_RBX] = regs->rbx;
	to[REG_RCX] = regs->rcx;
	to[REG_RDX] = regs->rdx;
	to[REG_RSI] = regs->rsi;
	to[REG_RDI] = regs->rdi;
	to[REG_RSP] = regs->rsp;
	to[REG_RBP] = regs->rbp;
	to[8] = regs->r8;
	to[9] = regs->r9;
	to[10] = regs->r10;
	to[11] = regs->r11;
	to[12] = regs->r12;
	to[13] = regs->r13;
	to[14] = regs->r14;
	to[15] = regs->r15;
	vcpu->vmcb->save.rip = regs->rip;
	vcpu->vmcb->save.rflags = regs->rflags | X86_EFLAGS_FIXED;
	if (vcpu->event.type == SVM_EVTINJ_TYPE_EXEPT)
		vcpu->event.pending = false;
}

/* The attributes of a segment are bits 40-47 and 52-55 of its descriptor, side by side: 15.5.1. */
static struct kvm_segment segment_of(const struct vmcb_seg *from)
{
	u16 attrib = from->attrib;

	return (struct kvm_segment){ .base = from->base,
				     .limit = from->limit,
				     .selector = from->selector,
				     .type = attrib & SVM_SELECTOR_TYPE_MASK,
				     .s = attrib >> SVM_SELECTOR_S_SHIFT & 1,
				     .dpl = attrib >> SVM_SELECTOR_DPL_SHIFT & 3,
				     .present = attrib >> SVM_SELECTOR_P_SHIFT & 1,
				     .avl = attrib >> SVM_SELECTOR_AVL_SHIFT & 1,
				     .l = attrib >> SVM_SELECTOR_L_SHIFT & 1,
				     .db = attrib >> SVM_SELECTOR_DB_SHIFT & 1,
				     /* The CPU need not keep G: the limit is in bytes. */
				     .g = from->limit > 0xfffff,
				     .unusable = !(attrib & SVM_SELECTOR_P_MASK) };
}

static struct vmcb_seg segment_from(const struct kvm_segment *from)
{
	u16 attrib = (from->type & SVM_SELECTOR_TYPE_MASK) | (from->s & 1) << SVM_SELECTOR_S_SHIFT |
		     (from->dpl & 3) << SVM_SELECTOR_DPL_SHIFT |
		     ((from->present & 1) && !from->unusable) << SVM_SELECTOR_P_SHIFT |
		     (from->avl & 1) << SVM_SELECTOR_AVL_SHIFT |
		     (from->l & 1) << SVM_SELECTOR_L_SHIFT |
		     (from->db & 1) << SVM_SELECTOR_DB_SHIFT |
		     (from->g & 1) << SVM_SELECTOR_G_SHIFT;

	return (struct vmcb_seg){ .selector = from->selector,
				  .attrib = attrib,
				  .limit = from->limit,
				  .base = from->base };
}

static struct kvm_dtable table_of(const struct vmcb_seg *from)
{
	return (struct kvm_dtable){ .base = from->base, .limit = from->limit };
}

static struct vmcb_seg table_from(const struct kvm_dtable *from)
{
	return (struct vmcb_seg){ .base = from->base, .limit = from->limit };
}

/**
 * carve_get_sregs() - KVM_GET_SREGS
 * @vcpu: the vCPU
 * @sregs: receives, or holds, the registers
 */
void carve_get_sregs(struct carve_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct vmcb_save_area *save = &vcpu->vmcb->save;

	*sregs = (struct kvm_sregs){ .cs = segment_of(&save->cs),
				     .ds = segment_of(&save->ds),
				     .es = segment_of(&save->es),
				     .fs = segment_of(&save->fs),
				     .gs = segment_of(&save->gs),
				     .ss = segment_of(&save->ss),
				     .tr = segment_of(&save->tr),
				     .ldt = segment_of(&save->ldtr),
				     .gdt = table_of(&save->gdtr),
				     .idt = table_of(&save->idtr),
				     .cr0 = save->cr0,
				     .cr2 = save->cr2,
				     .cr3 = save->cr3,
				     .cr4 = save->cr4,
				     .cr8 = vcpu->cr8,
				     .efer = save->efer & ~EFER_SVME,
				     .apic_base = vcpu->msrs.apic_base };
	/* The CPU's TR is always busy; its privilege is CPL, which SS.DPL is elsewhere. */
	sregs->tr.type |= 2;
	sregs->ss.dpl = save->cpl;
	if (vcpu->event.pending && vcpu->event.type == SVM_EVTINJ_TYPE_INTR)
		sregs->interrupt_bitmap[vcpu->event.vector / 64] |= BIT_ULL(vcpu->event.vector %
									    64);
}

/* What no guest can have loaded, and VMRUN would refuse: AMD APM vol. 2, 15.5.1. */
static bool is_valid(const struct kvm_sregs *sregs)
{
	u64 cr0 = sregs->cr0, efer = sregs->efer;

	if ((cr0 & ~CR0_ALL) || (sregs->cr4 & ~carve_cr4_features()) || (efer & ~EFER_ALL))
		return false;
	if (((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD)) ||
	    ((cr0 & X86_CR0_PG) && !(cr0 & X86_CR0_PE)))
		return false;
	if (sregs->cr8 & ~0xfULL)
		return false;
	if ((efer & EFER_LME) && (cr0 & X86_CR0_PG))
		return (sregs->cr4 & X86_CR4_PAE) && (efer & EFER_LMA) &&
		       sregs->cr3 < carve_npt_max() && !(sregs->cs.l && sregs->cs.db);
	return !(efer & EFER_LMA) && !sregs->cs.l;
}

static void set_segments(struct vmcb_save_area *save, const struct kvm_sregs *sregs)
{
	save->cs = segment_from(&sregs->cs);
	save->ds = segment_from(&sregs->ds);
	save->es = segment_from(&sregs->es);
	save->fs = segment_from(&sregs->fs);
	save->gs = segment_from(&sregs->gs);
	save->ss = segment_from(&sregs->ss);
	save->tr = segment_from(&sregs->tr);
	save->ldtr = segment_from(&sregs->ldt);
	save->gdtr = table_from(&sregs->gdt);
	save->idtr = table_from(&sregs->idt);
	/* The stack's privilege is the CPU's: 15.5.1. */
	save->cpl = sregs->ss.dpl & 3;
}

static int highest_interrupt(const struct kvm_sregs *sregs)
{
	int word;

	for (word = ARRAY_SIZE(sregs->interrupt_bitmap) - 1; word >= 0; word--) {
		if (sregs->interrupt_bitmap[word])
			return word * 64 + fls64(sregs->interrupt_bitmap[word]) - 1;
	}
	return -1;
}

/**
 * carve_set_sregs() - KVM_SET_SREGS
 * @vcpu: the vCPU
 * @sregs: receives, or holds, the registers
 *
 * Return: 0, -EINVAL for what no guest can have loaded; nothing is changed then.
 */
int carve_set_sregs(struct carve_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct vmcb_save_area *save = &vcpu->vmcb->save;

	if (!is_valid(sregs) || carve_msr_write(vcpu, MSR_IA32_APICBASE, sregs->apic_base, false))
		return -EINVAL;
	set_segments(save, sregs);
	save->cr0 = sregs->cr0 | X86_CR0_ET;
	save->cr2 = sregs->cr2;
	save->cr3 = sregs->cr3;
	save->cr4 = sregs->cr4;
	save->efer = sregs->efer | EFER_SVME;
	vcpu->cr8 = sregs->cr8;
	vcpu->run->cr8 = sregs->cr8;
	/* What the TLB holds came from other tables. */
	vcpu->tlb_generation = 0;
	if (highest_interrupt(sregs) >= 0)
		vcpu->user_interrupt = highest_interrupt(sregs);
	return 0;
}

/**
 * carve_set_efer() - a write of EFER: AMD APM vol. 2, 3.1.7
 * @vcpu: does not run
 * @efer: wanted
 * @from_guest: LMA is then not for the writer to decide
 *
 * Return: 0, -EINVAL for what the CPU answers with #GP.
 */
int carve_set_efer(struct carve_vcpu *vcpu, u64 efer, bool from_guest)
{
	struct vmcb_save_area *save = &vcpu->vmcb->save;

	if (efer & ~EFER_ALL)
		return -EINVAL;
	if (from_guest) {
		if (((save->efer ^ efer) & EFER_LME) && (save->cr0 & X86_CR0_PG))
			return -EINVAL;
		efer = (efer & ~EFER_LMA) | (save->efer & EFER_LMA);
	}
	save->efer = efer | EFER_SVME;
	/* NX changes what translations mean. */
	vcpu->tlb_generation = 0;
	return 0;
}

/**
 * carve_get_debugregs() - KVM_GET_DEBUGREGS
 * @vcpu: the vCPU
 * @debug: receives, or holds, the registers
 */
void carve_get_debugregs(struct carve_vcpu *vcpu, struct kvm_debugregs *debug)
{
	memset(debug, 0, sizeof(*debug));
	memcpy(debug->db, vcpu->dr, sizeof(debug->db));
	debug->dr6 = vcpu->vmcb->save.dr6;
	debug->dr7 = vcpu->vmcb->save.dr7;
}

/**
 * carve_set_debugregs() - KVM_SET_DEBUGREGS
 * @vcpu: the vCPU
 * @debug: receives, or holds, the registers
 *
 * Return: 0, -EINVAL for flags, or bits that DR6 and DR7 do not have.
 */
int carve_set_debugregs(struct carve_vcpu *vcpu, const struct kvm_debugregs *debug)
{
	if (debug->flags || (debug->dr6 >> 32) || (debug->dr7 >> 32))
		return -EINVAL;
	memcpy(vcpu->dr, debug->db, sizeof(vcpu->dr));
	vcpu->vmcb->save.dr6 = debug->dr6;
	vcpu->vmcb->save.dr7 = debug->dr7;
	/* Breakpoints work only with the guest's addresses loaded. */
	carve_svm_watch_dr(vcpu, false);
	return 0;
}

/**
 * carve_get_events() - KVM_GET_VCPU_EVENTS
 * @vcpu: the vCPU
 * @events: receives, or holds, what waits
 */
void carve_get_events(struct carve_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	const struct carve_event *event = &vcpu->event;
	bool exception = event->pending && event->type == SVM_EVTINJ_TYPE_EXEPT;
	bool interrupt = event->pending && event->type == SVM_EVTINJ_TYPE_INTR;

	memset(events, 0, sizeof(*events));
	events->exception.injected = exception;
	events->exception.nr = exception ? event->vector : 0;
	events->exception.has_error_code = exception && event->has_error;
	events->exception.error_code = exception ? event->error : 0;
	events->interrupt.injected = interrupt || vcpu->user_interrupt >= 0;
	events->interrupt.nr = interrupt ? event->vector : max(vcpu->user_interrupt, 0);
	if (vcpu->vmcb->control.int_state & SVM_INTERRUPT_SHADOW_MASK)
		events->interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS | KVM_X86_SHADOW_INT_STI;
	events->nmi.injected = event->pending && event->type == SVM_EVTINJ_TYPE_NMI;
	events->nmi.pending = vcpu->nmi_pending;
	events->nmi.masked = vcpu->nmi_blocked;
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
}

static void set_event(struct carve_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct carve_event *event = &vcpu->event;

	event->pending = false;
	if (events->exception.injected)
		*event = (struct carve_event){ .pending = true,
					       .type = SVM_EVTINJ_TYPE_EXEPT,
					       .vector = events->exception.nr,
					       .has_error = events->exception.has_error_code,
					       .error = events->exception.error_code };
	else if (events->nmi.injected)
		*event = (struct carve_event){ .pending = true,
					       .type = SVM_EVTINJ_TYPE_NMI,
					       .vector = 2 };
	vcpu->user_interrupt = events->interrupt.injected ? events->interrupt.nr : -1;
}

/**
 * carve_set_events() - KVM_SET_VCPU_EVENTS
 * @vcpu: the vCPU
 * @events: receives, or holds, what waits
 *
 * Return: 0, -EINVAL for flags or exceptions that do not exist.
 */
int carve_set_events(struct carve_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	const u32 known = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			  KVM_VCPUEVENT_VALID_SIPI_VECTOR;

	if (events->flags & ~known)
		return -EINVAL;
	/* Vector 2 is an NMI, which has its own fields. */
	if (events->exception.injected && (events->exception.nr > 31 || events->exception.nr == 2))
		return -EINVAL;
	set_event(vcpu, events);
	vcpu->nmi_blocked = events->nmi.masked;
	carve_svm_watch_iret(vcpu, vcpu->nmi_blocked);
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		vcpu->nmi_pending = events->nmi.pending;
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW) {
		vcpu->vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
		if (events->interrupt.shadow)
			vcpu->vmcb->control.int_state |= SVM_INTERRUPT_SHADOW_MASK;
	}
	return 0;
}
