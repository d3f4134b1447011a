// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/vcpu_state.h"

#include <asm/kvm_para.h>
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

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

/* Model-specific registers (Intel SDM vol. 4, AMD64 APM vol. 2 appendix A). */
#define MSR_TSC 0x10
#define MSR_APICBASE 0x1b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SYSCALL_MASK 0xc0000084
#define MSR_KERNEL_GS_BASE 0xc0000102

#define PAT_DEFAULT 0x0007040600070406ULL
#define MTRR_ENABLED_WB \
	0x806 /* ranges off, default write-back: without it Linux turns the PAT off */

/** struct msrs - struct kvm_msrs with room */
struct msrs {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[24];
};

static const struct kvm_msr_entry begin_msrs[] = {
	{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WB },
};

/* What a guest has set and the next one must not find: above all addresses that KVM writes to. */
static const struct kvm_msr_entry reset_msrs[] = {
	{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WB },
	{ .index = MSR_PAT, .data = PAT_DEFAULT },
	{ .index = MSR_SYSENTER_CS },
	{ .index = MSR_SYSENTER_ESP },
	{ .index = MSR_SYSENTER_EIP },
	{ .index = MSR_STAR },
	{ .index = MSR_LSTAR },
	{ .index = MSR_CSTAR },
	{ .index = MSR_SYSCALL_MASK },
	{ .index = MSR_KERNEL_GS_BASE },
	{ .index = MSR_TSC_DEADLINE },
	{ .index = MSR_KVM_SYSTEM_TIME_NEW },
	{ .index = MSR_KVM_WALL_CLOCK_NEW },
	{ .index = MSR_KVM_ASYNC_PF_EN },
	{ .index = MSR_KVM_STEAL_TIME },
	{ .index = MSR_KVM_PV_EOI_EN },
};

/* An MSR that this hypervisor does not have is left out: the rest follows. */
static int set_msrs(int fd, const struct kvm_msr_entry *list, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct msrs m = { .head.nmsrs = (uint32_t)(n - done) };
		int r;

		memcpy(m.entries, &list[done], (n - done) * sizeof(*list));
		r = ioctl(fd, KVM_SET_MSRS, &m);
		if (r < 0)
			return -errno;
		done += (size_t)r < n - done ? (size_t)r + 1 : (size_t)r;
	}
	return 0;
}

int vmm_state_begin(int vcpu_fd, struct vmm_power_on *ret, struct cv_error *err)
{
	int r = set_msrs(vcpu_fd, begin_msrs, CV_ARRAY_SIZE(begin_msrs));

	if (r < 0)
		return cv_fail_errno(err, r, "KVM_SET_MSRS", "cannot set the memory types");
	if (ioctl(vcpu_fd, KVM_GET_LAPIC, &ret->lapic) < 0)
		return cv_fail_errno(err, -errno, "KVM_GET_LAPIC", "cannot read the local APIC");
	return 0;
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

int vmm_state_enter(int vcpu_fd, const struct vmm_entry *e, struct cv_error *err)
{
	struct kvm_regs regs = {
		.rip = e->rip,
		.rax = e->rax,
		.rbx = e->rbx,
		.rsi = e->rsi,
		.rflags = RFLAGS_ONE,
	};
	struct kvm_sregs s;

	if (ioctl(vcpu_fd, KVM_GET_SREGS, &s) < 0)
		return cv_fail_errno(err, -errno, "KVM_GET_SREGS", "cannot read registers");
	set_segments(&s, e);
	set_control(&s, e);
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &s) < 0)
		return cv_fail_errno(err, -errno, "KVM_SET_SREGS", "cannot set registers");
	if (ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return cv_fail_errno(err, -errno, "KVM_SET_REGS", "cannot set registers");
	return 0;
}

/* ---- reset ---- */

/* Exceptions and interrupts that were on their way are forgotten. */
static int drop_events(int fd)
{
	struct kvm_vcpu_events e = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING |
					      KVM_VCPUEVENT_VALID_SHADOW };
	struct kvm_debugregs d = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	struct kvm_fpu f = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	if (ioctl(fd, KVM_SET_VCPU_EVENTS, &e) < 0 || ioctl(fd, KVM_SET_DEBUGREGS, &d) < 0 ||
	    ioctl(fd, KVM_SET_FPU, &f) < 0)
		return -errno;
	return 0;
}

/* x2APIC mode is left before the state of the power-on APIC can be set (AMD64 APM vol. 2 section 16.9). */
static int reset_apic(int fd, const struct vmm_power_on *p, bool is_first)
{
	struct kvm_lapic_state lapic = p->lapic;
	struct kvm_sregs s;

	if (ioctl(fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.apic_base = 0xfee00000 | 1U << 11 | (is_first ? 1U << 8 : 0);
	s.cr8 = 0;
	memset(s.interrupt_bitmap, 0, sizeof(s.interrupt_bitmap));
	if (ioctl(fd, KVM_SET_SREGS, &s) < 0 || ioctl(fd, KVM_SET_LAPIC, &lapic) < 0)
		return -errno;
	return 0;
}

int vmm_state_reset(int vcpu_fd, const struct vmm_power_on *p, bool is_first, struct cv_error *err)
{
	struct kvm_mp_state mp = { .mp_state = is_first ? KVM_MP_STATE_RUNNABLE
							: KVM_MP_STATE_UNINITIALIZED };
	int r = drop_events(vcpu_fd);

	r = r ?: reset_apic(vcpu_fd, p, is_first);
	r = r ?: set_msrs(vcpu_fd, reset_msrs, CV_ARRAY_SIZE(reset_msrs));
	if (r == 0 && ioctl(vcpu_fd, KVM_SET_MP_STATE, &mp) < 0)
		r = -errno;
	return r < 0 ? cv_fail_errno(err, r, "vCPU", "cannot be reset") : 0;
}
