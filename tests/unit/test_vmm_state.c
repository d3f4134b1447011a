// SPDX-License-Identifier: GPL-2.0-or-later
/* A vCPU at power-on and after a reset: what is read once, what is set again, and in which order. */
#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/core/vcpu_state.h"

#define SYSTEM 3
#define VCPU 4
#define CALLS_MAX 64
#define MSRS_MAX 1024
#define APIC_FIRST (1U << 8)
#define MSR_TSC 0x10
#define MSR_MISC 0x1a0
#define MSR_GONE 0x17
#define MSR_MTRR_DEF 0x2ff
#define MSR_VP_INDEX 0x40000002

/** struct vcpu - that keeps what it is told; MSR values by position in @msrs */
struct vcpu {
	struct vmm_vm_call system, call;
	unsigned long calls[CALLS_MAX];
	size_t n_calls;
	unsigned long fails;
	int error;
	struct kvm_msr_entry msrs[MSRS_MAX];
	size_t n_msrs;
	uint32_t gone; /* this MSR can be neither read nor set */
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_lapic_state lapic;
	struct kvm_vcpu_events events;
	struct kvm_xcrs xcrs;
	uint8_t xsave[4096];
	uint32_t mp_state;
};

/* What the hypervisor names: two that are of the vCPU, and two that are not to be touched. */
static const uint32_t named[] = { MSR_MISC, MSR_GONE, MSR_TSC, MSR_VP_INDEX, 0xc0000081 };

static struct kvm_msr_entry *msr(struct vcpu *v, uint32_t index)
{
	for (size_t i = 0; i < v->n_msrs; i++)
		if (v->msrs[i].index == index)
			return &v->msrs[i];
	assert_true(v->n_msrs < MSRS_MAX);
	v->msrs[v->n_msrs] = (struct kvm_msr_entry){ .index = index };
	return &v->msrs[v->n_msrs++];
}

static int answer_msrs(struct vcpu *v, struct kvm_msrs *m, bool is_set)
{
	assert_true(m->nmsrs < 256); /* MAX_IO_MSRS of KVM */
	for (uint32_t i = 0; i < m->nmsrs; i++) {
		if (m->entries[i].index == v->gone)
			return (int)i;
		if (is_set)
			msr(v, m->entries[i].index)->data = m->entries[i].data;
		else
			m->entries[i].data = msr(v, m->entries[i].index)->data;
	}
	return (int)m->nmsrs;
}

static int name_msrs(struct kvm_msr_list *list)
{
	assert_true(list->nmsrs >= CV_ARRAY_SIZE(named));
	list->nmsrs = CV_ARRAY_SIZE(named);
	memcpy(list->indices, named, sizeof(named));
	return 0;
}

static int keep(void *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return 0;
}

static int answer_vcpu(struct vcpu *v, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_SET_MSRS:
		return answer_msrs(v, arg, true);
	case KVM_GET_MSRS:
		return answer_msrs(v, arg, false);
	case KVM_GET_SREGS:
		return keep(arg, &v->sregs, sizeof(v->sregs));
	case KVM_SET_SREGS:
		return keep(&v->sregs, arg, sizeof(v->sregs));
	case KVM_SET_REGS:
		return keep(&v->regs, arg, sizeof(v->regs));
	case KVM_SET_LAPIC:
		return keep(&v->lapic, arg, sizeof(v->lapic));
	case KVM_SET_VCPU_EVENTS:
		return keep(&v->events, arg, sizeof(v->events));
	case KVM_SET_XCRS:
		return keep(&v->xcrs, arg, sizeof(v->xcrs));
	case KVM_SET_XSAVE:
		return keep(v->xsave, arg, sizeof(v->xsave));
	case KVM_SET_MP_STATE:
		return keep(&v->mp_state, arg, sizeof(v->mp_state));
	case KVM_SET_DEBUGREGS:
		return 0;
	}
	fail_msg("unknown call %lx", request);
	return -ENOTTY;
}

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	struct vcpu *v = ctx;

	assert_true(v->n_calls < CALLS_MAX);
	v->calls[v->n_calls++] = request;
	if (request == v->fails)
		return v->error;
	if (fd == VCPU)
		return answer_vcpu(v, request, arg);
	assert_int_equal(fd, SYSTEM);
	assert_int_equal(request, KVM_GET_MSR_INDEX_LIST);
	return name_msrs(arg);
}

#define APIC_ID 5

/** struct fixture - a first vCPU that has begun, and what was saved of it */
struct fixture {
	struct vcpu v;
	struct vmm_power_on p;
	struct vmm_entry entry;
};

static int setup(void **state)
{
	static struct fixture f;
	struct cv_error err = { 0 };

	memset(&f, 0, sizeof(f));
	f.v.system = (struct vmm_vm_call){ .fd = SYSTEM, .call = answer, .ctx = &f.v };
	f.v.call = (struct vmm_vm_call){ .fd = VCPU, .call = answer, .ctx = &f.v };
	f.v.gone = MSR_GONE;
	f.v.sregs = (struct kvm_sregs){ .cr0 = 0x60000010, .apic_base = 0xfee00800 | APIC_FIRST };
	f.v.sregs.cs.base = 0xffff0000;
	msr(&f.v, MSR_MISC)->data = 0x850089;
	msr(&f.v, MSR_TSC)->data = 1000;
	f.entry = (struct vmm_entry){ .rip = 0x1000200, .rsi = 0x7000, .cr3 = 0x9000 };
	f.entry.mode = VMM_MODE_LONG;
	assert_int_equal(vmm_state_begin(&f.v.call, &err), 0);
	assert_int_equal(f.v.n_calls, 1); /* with creation and CPUID: 3 per vCPU */
	assert_int_equal(vmm_state_save(&f.v.system, &f.v.call, &f.p, &err), 0);
	assert_int_equal(vmm_state_enter(&f.v.call, NULL, &f.p, &f.entry, &err), 0);
	f.v.n_calls = 0;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vmm_power_on_done(&f->p);
	return 0;
}

/* A guest that turned everything over. */
static void run_guest(struct fixture *f)
{
	f->v.sregs.cr3 = 0xdead000;
	f->v.sregs.efer = 0x1d01;
	f->v.sregs.apic_base = 0xfee00c00 | APIC_FIRST; /* x2APIC mode */
	memset(&f->v.lapic, 0xa5, sizeof(f->v.lapic));
	memset(&f->v.events, 0xa5, sizeof(f->v.events));
	f->v.mp_state = KVM_MP_STATE_HALTED;
	msr(&f->v, MSR_MISC)->data = 0xbad;
	msr(&f->v, MSR_TSC)->data = 5000;
	msr(&f->v, MSR_VP_INDEX)->data = 7;
	msr(&f->v, MSR_MTRR_DEF)->data = 0;
	msr(&f->v, 0x200)->data = 0x6;
	msr(&f->v, MSR_KVM_SYSTEM_TIME_NEW)->data = 0x1234001;
}

static void reset(struct fixture *f, bool is_first)
{
	struct cv_error err = { 0 };

	assert_int_equal(vmm_state_reset(&f->v.call, &f->p, APIC_ID, is_first, &err), 0);
}

static uint32_t apic(const struct fixture *f, unsigned int reg)
{
	uint32_t value;

	memcpy(&value, &f->v.lapic.regs[reg], sizeof(value));
	return value;
}

/* Registers by their numbers in the Intel SDM vol. 3, table 11-1. */
static void test_lapic(void **state)
{
	struct fixture *f = *state;

	run_guest(f);
	reset(f, true);
	assert_int_equal(apic(f, 0x20), (uint32_t)APIC_ID << 24);
	assert_int_equal(apic(f, 0x80), 0);
	assert_int_equal(apic(f, 0xd0), 0);
	assert_int_equal(apic(f, 0xe0), UINT32_MAX);
	assert_int_equal(apic(f, 0xf0), 0xff);
	for (unsigned int reg = 0x100; reg < 0x280; reg += 0x10)
		assert_int_equal(apic(f, reg), 0);
	assert_int_equal(apic(f, 0x320), 0x10000);
	assert_int_equal(apic(f, 0x350), 0x700);
	assert_int_equal(apic(f, 0x360), 0x10000);
	assert_int_equal(apic(f, 0x380), 0);
	run_guest(f);
	reset(f, false);
	assert_int_equal(apic(f, 0x350), 0x10000);
}

static void test_msrs(void **state)
{
	struct fixture *f = *state;

	run_guest(f);
	reset(f, true);
	assert_int_equal(msr(&f->v, MSR_MISC)->data, 0x850089);
	assert_int_equal(msr(&f->v, MSR_MTRR_DEF)->data, 0x806);
	assert_int_equal(msr(&f->v, 0x200)->data, 0);
	assert_int_equal(msr(&f->v, MSR_KVM_SYSTEM_TIME_NEW)->data, 0);
	/* goes on, and the vCPU's own number stays */
	assert_int_equal(msr(&f->v, MSR_TSC)->data, 5000);
	assert_int_equal(msr(&f->v, MSR_VP_INDEX)->data, 7);
}

static void test_registers(void **state)
{
	struct fixture *f = *state;

	run_guest(f);
	reset(f, true);
	assert_int_equal(f->v.sregs.cr3, 0);
	assert_int_equal(f->v.sregs.efer, 0);
	assert_int_equal(f->v.sregs.cs.base, 0xffff0000);
	assert_int_equal(f->v.sregs.apic_base, 0xfee00800 | APIC_FIRST);
	assert_int_equal(f->v.mp_state, KVM_MP_STATE_RUNNABLE);
	assert_int_equal(f->v.xcrs.nr_xcrs, 1);
	assert_int_equal(f->v.xcrs.xcrs[0].value, 1);
	run_guest(f);
	reset(f, false);
	assert_int_equal(f->v.sregs.apic_base, 0xfee00800);
	assert_int_equal(f->v.mp_state, KVM_MP_STATE_UNINITIALIZED);
}

static void test_events(void **state)
{
	static const struct kvm_vcpu_events none = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW |
			 KVM_VCPUEVENT_VALID_SMM,
	};
	struct fixture *f = *state;
	uint16_t fcw;

	run_guest(f);
	memset(f->v.xsave, 0xa5, sizeof(f->v.xsave));
	reset(f, true);
	assert_memory_equal(&f->v.events, &none, sizeof(none));
	memcpy(&fcw, f->v.xsave, sizeof(fcw));
	assert_int_equal(fcw, 0x37f);
	for (size_t i = 512; i < 512 + 64; i++) /* the header: every component initial */
		assert_int_equal(f->v.xsave[i], 0);
}

static void test_order(void **state)
{
	static const unsigned long wanted[] = {
		KVM_SET_VCPU_EVENTS, KVM_SET_SREGS, KVM_SET_LAPIC,     KVM_SET_XCRS,
		KVM_SET_XSAVE,	     KVM_SET_MSRS,  KVM_SET_DEBUGREGS, KVM_SET_MP_STATE,
	};
	struct fixture *f = *state;

	reset(f, true);
	assert_int_equal(f->v.n_calls, CV_ARRAY_SIZE(wanted));
	for (size_t i = 0; i < CV_ARRAY_SIZE(wanted); i++)
		assert_int_equal(f->v.calls[i], wanted[i]);
}

/* The place where a guest begins is from its state at power-on, not from the one before. */
static void test_enter(void **state)
{
	struct fixture *f = *state;
	struct cv_error err = { 0 };

	run_guest(f);
	reset(f, true);
	assert_int_equal(vmm_state_enter(&f->v.call, NULL, &f->p, &f->entry, &err), 0);
	assert_int_equal(f->v.regs.rip, 0x1000200);
	assert_int_equal(f->v.sregs.cr3, 0x9000);
	assert_int_equal(f->v.sregs.apic_base, 0xfee00800 | APIC_FIRST);
}

/* The same without a call, where the hypervisor takes them from the shared page. */
static void test_enter_shared(void **state)
{
	struct fixture *f = *state;
	struct kvm_run run = { 0 };
	struct cv_error err = { 0 };

	run_guest(f);
	reset(f, true);
	f->v.n_calls = 0;
	assert_int_equal(vmm_state_enter(&f->v.call, &run, &f->p, &f->entry, &err), 0);
	assert_int_equal(f->v.n_calls, 0);
	assert_int_equal(run.kvm_dirty_regs, KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);
	assert_int_equal(run.s.regs.regs.rip, 0x1000200);
	assert_int_equal(run.s.regs.sregs.cr3, 0x9000);
	assert_int_equal(run.s.regs.sregs.apic_base, 0xfee00800 | APIC_FIRST);
}

/* Each call fails once, and is named. A CPU without XSAVE has no XCR0. */
static void test_failures(void **state)
{
	static const unsigned long calls[] = { KVM_SET_VCPU_EVENTS, KVM_SET_SREGS,
					       KVM_SET_LAPIC,	    KVM_SET_XSAVE,
					       KVM_SET_MSRS,	    KVM_SET_DEBUGREGS,
					       KVM_SET_MP_STATE };
	struct fixture *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(calls); i++) {
		struct cv_error err = { 0 };

		f->v.fails = calls[i];
		f->v.error = -EINVAL;
		assert_int_equal(vmm_state_reset(&f->v.call, &f->p, APIC_ID, true, &err), -EINVAL);
		assert_int_equal(strncmp(err.object, "KVM_SET_", 8), 0);
	}
	f->v.fails = KVM_SET_XCRS;
	reset(f, true);
	f->v.error = -EFAULT;
	assert_int_equal(vmm_state_reset(&f->v.call, &f->p, APIC_ID, true, NULL), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_msrs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lapic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_enter_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
	};

	return cmocka_run_group_tests_name("vmm_state", tests, NULL, NULL);
}
