// SPDX-License-Identifier: GPL-2.0-or-later
/* Registers in and out: what is set is what is read, and what no guest can have is refused. */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

GUEST(hlt);

static void test_reset(void)
{
	struct machine machine = machine_open(&hlt);
	struct machine fresh = machine;
	struct kvm_sregs sregs;

	fresh.vcpu = (int)call(machine.vm, KVM_CREATE_VCPU, 1);
	check_is(machine_regs(&fresh).rip, 0xfff0);
	check_is(machine_regs(&fresh).rflags, 2);
	check_is(call_with(fresh.vcpu, KVM_GET_SREGS, &sregs), 0);
	check_is(sregs.cs.base, 0xffff0000);
	check_is(sregs.cs.selector, 0xf000);
	check_is(sregs.cs.limit, 0xffff);
	check_is(sregs.cr0, 0x60000010);
	check_is(sregs.cr4, 0);
	check_is(sregs.efer, 0);
	check_is(sregs.ds.present, 1);
	check_is(sregs.ds.unusable, 0);
	machine_close(&machine);
}

static void test_regs(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_regs set, got;

	for (size_t i = 0; i < sizeof(set) / 8; i++)
		((uint64_t *)&set)[i] = 0x0101010101010101 * (i + 1);
	set.rflags = 0x202;
	check_is(call_with(machine.vcpu, KVM_SET_REGS, &set), 0);
	check_is(call_with(machine.vcpu, KVM_GET_REGS, &got), 0);
	check(!memcmp(&set, &got, sizeof(set)), "not what was set");
	machine_close(&machine);
}

static void long_mode(struct kvm_sregs *sregs)
{
	sregs->cr0 = 0x80050033;
	sregs->cr4 = 0x20;
	sregs->cr3 = TABLES;
	sregs->efer = 0x500;
	sregs->cs.l = 1;
	sregs->cs.db = 0;
}

static void test_sregs(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_sregs set, got;

	check_is(call_with(machine.vcpu, KVM_GET_SREGS, &set), 0);
	long_mode(&set);
	set.cr2 = 0xffff800000001000;
	set.fs.base = 0x7fff00001000;
	set.gs.base = 0xffff888000000000;
	set.gdt.base = 0x3000;
	set.gdt.limit = 0x7f;
	set.ds.selector = 0x2b;
	set.ds.dpl = 3;
	set.ds.limit = 0xffffffff;
	set.ds.g = 1;
	check_is(call_with(machine.vcpu, KVM_SET_SREGS, &set), 0);
	check_is(call_with(machine.vcpu, KVM_GET_SREGS, &got), 0);
	check_is(got.cr0, set.cr0);
	check_is(got.cr2, set.cr2);
	check_is(got.cr3, set.cr3);
	check_is(got.cr4, set.cr4);
	check_is(got.efer, set.efer);
	check(!memcmp(&got.fs, &set.fs, sizeof(got.fs)), "FS");
	check(!memcmp(&got.gs, &set.gs, sizeof(got.gs)), "GS");
	check(!memcmp(&got.ds, &set.ds, sizeof(got.ds)), "DS");
	check(!memcmp(&got.cs, &set.cs, sizeof(got.cs)), "CS");
	check(!memcmp(&got.gdt, &set.gdt, sizeof(got.gdt)), "GDT");
	machine_close(&machine);
}

static void refused(int vcpu, const struct kvm_sregs *good, size_t offset, uint64_t value, int line)
{
	struct kvm_sregs bad = *good;

	memcpy((char *)&bad + offset, &value, sizeof(value));
	check_at(call_with(vcpu, KVM_SET_SREGS, &bad) == -EINVAL, "refused", line, "%#lx was taken",
		 value);
}

#define REFUSED(field, value) \
	refused(machine.vcpu, &good, offsetof(struct kvm_sregs, field), value, __LINE__)

static void test_bad_sregs(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_sregs good;

	check_is(call_with(machine.vcpu, KVM_GET_SREGS, &good), 0);
	REFUSED(cr0, 0x80000010); /* paging without protection */
	REFUSED(cr0, 0x20000011); /* NW without CD */
	REFUSED(cr0, 0x100000011);
	REFUSED(cr4, 1ULL << 63);
	REFUSED(efer, 0x400); /* LMA without paging */
	long_mode(&good);
	check_is(call_with(machine.vcpu, KVM_SET_SREGS, &good), 0);
	REFUSED(efer, 0x100); /* LME and paging without LMA */
	REFUSED(cr4, 0);      /* long mode without PAE */
	machine_close(&machine);
}

static void test_debugregs(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_debugregs set, got;

	check_is(call_with(machine.vcpu, KVM_GET_DEBUGREGS, &set), 0);
	check_is(set.dr6, 0xffff0ff0);
	check_is(set.dr7, 0x400);
	set.db[1] = 0x1234;
	check_is(call_with(machine.vcpu, KVM_SET_DEBUGREGS, &set), 0);
	check_is(call_with(machine.vcpu, KVM_GET_DEBUGREGS, &got), 0);
	check(!memcmp(&set, &got, sizeof(set)), "not what was set");
	set.flags = 1;
	check_is(call_with(machine.vcpu, KVM_SET_DEBUGREGS, &set), -EINVAL);
	set.flags = 0;
	set.dr7 = 1ULL << 40;
	check_is(call_with(machine.vcpu, KVM_SET_DEBUGREGS, &set), -EINVAL);
	machine_close(&machine);
}

/* Offsets of the XSAVE area in words: MXCSR, XMM15, which components it holds. */
enum { MXCSR = 24 / 4, XMM15 = 400 / 4, XSTATE_BV = 512 / 4 };

static void test_fpu(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_xsave *xsave = calloc(1, sizeof(*xsave));
	struct kvm_fpu fpu = { 0 };

	check_is(call_with(machine.vcpu, KVM_GET_XSAVE, xsave), 0);
	xsave->region[MXCSR] = 0x1fa0;
	memset(&xsave->region[XMM15], 0x55, 16);
	xsave->region[XSTATE_BV] |= 3;
	check_is(call_with(machine.vcpu, KVM_SET_XSAVE, xsave), 0);
	expect_exit(&machine, KVM_EXIT_HLT);
	memset(xsave, 0, sizeof(*xsave));
	check_is(call_with(machine.vcpu, KVM_GET_XSAVE, xsave), 0);
	check_is(xsave->region[MXCSR], 0x1fa0);
	check_is(xsave->region[XMM15], 0x55555555);
	/* The same state by its other name. */
	check_is(call_with(machine.vcpu, KVM_GET_FPU, &fpu), 0);
	check(!memcmp(fpu.xmm[15], &xsave->region[XMM15], 16), "XMM15");
	check_is(call_with(machine.vcpu, KVM_SET_FPU, &fpu), 0);
	xsave->region[MXCSR] = 0xffffffff;
	check_is(call_with(machine.vcpu, KVM_SET_XSAVE, xsave), -EINVAL);
	free(xsave);
	machine_close(&machine);
}

static void test_xcrs(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_xcrs xcrs;

	check_is(call_with(machine.vcpu, KVM_GET_XCRS, &xcrs), 0);
	check_is(xcrs.nr_xcrs, 1);
	check_is(xcrs.xcrs[0].value, 1);
	xcrs.xcrs[0].value = 2;
	check_is(call_with(machine.vcpu, KVM_SET_XCRS, &xcrs), -EINVAL);
	xcrs.nr_xcrs = 17;
	check_is(call_with(machine.vcpu, KVM_SET_XCRS, &xcrs), -EINVAL);
	machine_close(&machine);
}

static void test_mp_state(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_mp_state state = { 77 };

	check_is(call_with(machine.vcpu, KVM_GET_MP_STATE, &state), 0);
	check_is(state.mp_state, KVM_MP_STATE_RUNNABLE);
	check_is(call_with(machine.vcpu, KVM_SET_MP_STATE, &state), 0);
	state.mp_state = KVM_MP_STATE_HALTED;
	check_is(call_with(machine.vcpu, KVM_SET_MP_STATE, &state), -EINVAL);
	machine_close(&machine);
}

static void test_events(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_vcpu_events events;

	check_is(call_with(machine.vcpu, KVM_GET_VCPU_EVENTS, &events), 0);
	check_is(events.exception.injected, 0);
	check_is(events.nmi.pending, 0);
	check_is(call_with(machine.vcpu, KVM_SET_VCPU_EVENTS, &events), 0);
	events.exception.injected = 1;
	events.exception.nr = 2;
	check_is(call_with(machine.vcpu, KVM_SET_VCPU_EVENTS, &events), -EINVAL);
	events.exception.nr = 32;
	check_is(call_with(machine.vcpu, KVM_SET_VCPU_EVENTS, &events), -EINVAL);
	machine_close(&machine);
}

static void test_supported_cpuid(void)
{
	const size_t room = 256;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));
	struct machine machine = machine_open(&hlt);
	bool long_mode_there = false;

	cpuid->nent = 1;
	check_is(call_with(machine.device, KVM_GET_SUPPORTED_CPUID, cpuid), -E2BIG);
	cpuid->nent = room;
	check_is(call_with(machine.device, KVM_GET_SUPPORTED_CPUID, cpuid), 0);
	check(cpuid->nent > 10 && cpuid->nent < room, "%u leaves", cpuid->nent);
	for (uint32_t i = 0; i < cpuid->nent; i++)
		long_mode_there |= cpuid->entries[i].function == 0x80000001 &&
				   (cpuid->entries[i].edx & 1 << 29);
	check(long_mode_there, "no long mode");
	/* What is offered can be set, and is read again. */
	check_is(call_with(machine.vcpu, KVM_SET_CPUID2, cpuid), 0);
	check_is(call_with(machine.vcpu, KVM_GET_CPUID2, cpuid), 0);
	cpuid->nent = 1;
	check_is(call_with(machine.vcpu, KVM_GET_CPUID2, cpuid), -E2BIG);
	cpuid->nent = 100000;
	check_is(call_with(machine.vcpu, KVM_SET_CPUID2, cpuid), -E2BIG);
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
	free(cpuid);
}

/* Every register of the list can be read, and written back. */
static void test_msr_list(void)
{
	const size_t room = 512;
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + room * sizeof(list->indices[0]));
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + room * sizeof(msrs->entries[0]));
	struct machine machine = machine_open(&hlt);

	list->nmsrs = 0;
	check_is(call_with(machine.device, KVM_GET_MSR_INDEX_LIST, list), -E2BIG);
	check(list->nmsrs > 10 && list->nmsrs < room, "%u registers", list->nmsrs);
	check_is(call_with(machine.device, KVM_GET_MSR_INDEX_LIST, list), 0);
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		msrs->nmsrs = 1;
		msrs->entries[0].index = list->indices[i];
		check(call_with(machine.vcpu, KVM_GET_MSRS, msrs) == 1, "reading %#x",
		      list->indices[i]);
		/* Those of KVM's own are written only where CPUID offers what they are for. */
		if (list->indices[i] >> 16 == 0x4b56)
			continue;
		check(call_with(machine.vcpu, KVM_SET_MSRS, msrs) == 1, "writing %#x",
		      list->indices[i]);
	}
	/* Up to the first that is none. */
	msrs->nmsrs = 3;
	msrs->entries[0].index = 0xc0000081;
	msrs->entries[1].index = 0xdead;
	msrs->entries[2].index = 0xc0000082;
	check_is(call_with(machine.vcpu, KVM_GET_MSRS, msrs), 1);
	msrs->nmsrs = 256;
	check_is(call_with(machine.vcpu, KVM_GET_MSRS, msrs), -E2BIG);
	free(list);
	free(msrs);
	machine_close(&machine);
}

const struct test state_tests[] = {
	{ "registers after reset", test_reset },
	{ "regs", test_regs },
	{ "sregs", test_sregs },
	{ "bad sregs", test_bad_sregs },
	{ "debugregs", test_debugregs },
	{ "fpu and xsave", test_fpu },
	{ "xcrs", test_xcrs },
	{ "mp_state", test_mp_state },
	{ "events", test_events },
	{ "supported cpuid", test_supported_cpuid },
	{ "msr list", test_msr_list },
	{ NULL, NULL },
};
