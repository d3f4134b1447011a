// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What guests do that ends in an exit, or must not: ports, CPUID, MSRs, modes, exceptions,
 * interrupts.
 */
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

GUEST(hlt);
GUEST(out);
GUEST(in);
GUEST(cpuid);
GUEST(rdmsr);
GUEST(wrmsr);
GUEST(spin);
GUEST(gp);
GUEST(interrupt);
GUEST(tsc);
GUEST(vmmcall);
GUEST(vmrun);
GUEST(sse);
GUEST(debug);
GUEST(long_mode);

extern const char guest_long_mode_handlers[];

static uint32_t *word_at(struct machine *machine, size_t address)
{
	return (uint32_t *)(machine->memory + address);
}

static void set_gprs(struct machine *machine, uint64_t rax, uint64_t rcx, uint64_t rdx)
{
	struct kvm_regs regs = machine_regs(machine);

	regs.rax = rax;
	regs.rcx = rcx;
	regs.rdx = rdx;
	check_is(call_with(machine->vcpu, KVM_SET_REGS, &regs), 0);
}

static void test_hlt(void)
{
	struct machine machine = machine_open(&hlt);

	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(machine_regs(&machine).rip, CODE + 1);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(machine_regs(&machine).rip, CODE + 2);
	machine_close(&machine);
}

static void test_out(void)
{
	struct machine machine = machine_open(&out);

	check_is(expect_out(&machine, 0x10, 1), 0x12);
	check_is(expect_out(&machine, 0x20, 2), 0x3456);
	check_is(expect_out(&machine, 0x1234, 4), 0x789abcde);
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
}

static void test_in(void)
{
	struct machine machine = machine_open(&in);

	expect_in(&machine, 0x10, 1, 0x11);
	expect_in(&machine, 0x20, 2, 0x2222);
	expect_in(&machine, 0x1234, 4, 0x33333333);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(*word_at(&machine, 0x2000), 0xaaaaaa11);
	check_is(*word_at(&machine, 0x2004), 0xaaaa2222);
	check_is(*word_at(&machine, 0x2008), 0x33333333);
	machine_close(&machine);
}

/* A port write may reset the machine: where the user puts the guest, there it goes on. */
static void test_out_and_move(void)
{
	struct machine machine = machine_open(&out);

	expect_out(&machine, 0x10, 1);
	machine_start(&machine, &hlt);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(machine_regs(&machine).rip, CODE + 1);
	machine_close(&machine);
}

static void test_cpuid(void)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[3];
	} cpuids = { .head = { .nent = 3 },
		     .entries = {
			     { .function = 0, .eax = 0xd, .ebx = 1, .ecx = 2, .edx = 3 },
			     { .function = 4, .index = 0, .flags = 1, .eax = 0x40 },
			     { .function = 4, .index = 1, .flags = 1, .eax = 0x41, .edx = 7 } } };
	struct machine machine = machine_open(&cpuid);

	check_is(call_with(machine.vcpu, KVM_SET_CPUID2, &cpuids), 0);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(machine_regs(&machine).rbx, 1);
	check_is(machine_regs(&machine).rcx, 2);
	check_is(machine_regs(&machine).rdx, 3);
	machine_start(&machine, &cpuid);
	set_gprs(&machine, 0xffffffff00000004, 0xffffffff00000001, ~0ULL);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(machine_regs(&machine).rax, 0x41);
	check_is(machine_regs(&machine).rdx, 7);
	machine_close(&machine);
}

static struct kvm_regs run_msr(struct machine *machine, const struct guest *guest, uint32_t index,
			       uint64_t value)
{
	machine_start(machine, guest);
	set_gprs(machine, (uint32_t)value, index, value >> 32);
	expect_exit(machine, KVM_EXIT_HLT);
	return machine_regs(machine);
}

/* What the guest writes is what it reads, and what the user reads. */
static void test_msrs(void)
{
	static const struct {
		uint32_t index;
		uint64_t value;
	} msrs[] = { { 0xc0000081, 0x1122334455667788 }, /* STAR */
		     { 0xc0000082, 0xffff800012345678 }, /* LSTAR */
		     { 0xc0000102, 0x00007fff12345678 }, /* KERNEL_GS_BASE */
		     { 0x174, 0x10 },			 /* SYSENTER_CS */
		     { 0x175, 0x12345678 },
		     { 0x277, 0x0007010600070106 }, /* PAT */
		     { 0x2ff, 0xc06 } };	    /* MTRRdefType */
	struct machine machine = machine_open(&hlt);

	for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
		struct {
			struct kvm_msrs head;
			struct kvm_msr_entry entry;
		} msr = { .head = { .nmsrs = 1 }, .entry = { .index = msrs[i].index } };
		struct kvm_regs regs;

		run_msr(&machine, &wrmsr, msrs[i].index, msrs[i].value);
		regs = run_msr(&machine, &rdmsr, msrs[i].index, 0);
		check(regs.rax == (uint32_t)msrs[i].value && regs.rdx == msrs[i].value >> 32,
		      "MSR %#x reads %llx:%llx", msrs[i].index, regs.rdx, regs.rax);
		check_is(call_with(machine.vcpu, KVM_GET_MSRS, &msr), 1);
		check_is(msr.entry.data, msrs[i].value);
	}
	machine_close(&machine);
}

static void test_unknown_msr(void)
{
	struct machine machine = machine_open(&gp);

	set_gprs(&machine, 0, 0xdead, 0);
	check_is(expect_out(&machine, 0x10, 1), 13);
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
}

static void test_tsc(void)
{
	struct machine machine = machine_open(&tsc);
	uint64_t first, second;

	expect_exit(&machine, KVM_EXIT_HLT);
	memcpy(&first, machine.memory + 0x2000, sizeof(first));
	memcpy(&second, machine.memory + 0x2008, sizeof(second));
	check(second > first, "%#lx, then %#lx", first, second);
	/* The counter is the VM's, which has just been made: well below an hour of 10 GHz. */
	check(first < 36000000000000, "begins at %#lx", first);
	machine_close(&machine);
}

static void test_vmmcall(void)
{
	struct machine machine = machine_open(&vmmcall);

	set_gprs(&machine, 0x7777, 0, 0);
	expect_exit(&machine, KVM_EXIT_HLT);
	/* No such hypercall. */
	check_is((int32_t)machine_regs(&machine).rax, -1000);
	machine_close(&machine);
}

/* SVM itself is not offered: VMRUN is no instruction. */
static void test_vmrun(void)
{
	struct machine machine = machine_open(&vmrun);

	check_is(expect_out(&machine, 0x10, 1), 6);
	machine_close(&machine);
}

/* Identity-mapped 2 MiB, and an IDT whose handlers lie 16 bytes apart. */
static void build_tables(struct machine *machine)
{
	uint64_t *table = (uint64_t *)(machine->memory + TABLES);
	uint32_t handlers = CODE + (uint32_t)((uintptr_t)guest_long_mode_handlers -
					      (uintptr_t)guest_long_mode);
	uint32_t *idt = word_at(machine, TABLES + 0x4000);

	memset(table, 0, 0x5000);
	table[0] = (TABLES + 0x1000) | 3;
	table[512] = (TABLES + 0x2000) | 3;
	table[1024] = 0x83;
	for (uint32_t vector = 0; vector < 15; vector++) {
		uint32_t handler = handlers + 16 * vector;

		idt[4 * vector] = (handler & 0xffff) | 0x18 << 16;
		idt[4 * vector + 1] = (handler & 0xffff0000) | 0x8e00;
	}
}

/*
 * One exception: its vector, its code (-1: none), how far the guest goes on. Return: CR2 of a page
 * fault.
 */
static uint64_t expect_exception(struct machine *machine, uint32_t vector, uint32_t code,
				 uint32_t bytes)
{
	uint32_t cr2 = 0, rip;

	check_is(expect_out(machine, 0x10, 4), vector);
	check_is(expect_out(machine, 0x11, 4), code);
	if (vector == 14)
		cr2 = expect_out(machine, 0x12, 4);
	rip = expect_out(machine, 0x13, 4);
	expect_in(machine, 0x14, 4, rip + bytes);
	return cr2;
}

static void test_long_mode(void)
{
	struct machine machine = machine_open(&long_mode);

	build_tables(&machine);
	check_is(expect_out(&machine, 0x10, 1), 0x32);
	check_is(expect_out(&machine, 0x10, 1), 0x64);
	check_is(expect_out(&machine, 0x10, 4), 0x11223344);
	/* LME and LMA; no trace of what the hypervisor itself needs there. */
	check_is(expect_out(&machine, 0x10, 4), 0x500);
	machine_close(&machine);
}

static void test_exceptions(void)
{
	struct machine machine = machine_open(&long_mode);

	build_tables(&machine);
	expect_out(&machine, 0x10, 1);
	expect_out(&machine, 0x10, 1);
	expect_out(&machine, 0x10, 4);
	expect_out(&machine, 0x10, 4);
	expect_exception(&machine, 6, ~0U, 2);
	expect_exception(&machine, 13, 0, 2);
	check_is(expect_exception(&machine, 14, 0, 9), 0x12345678);
	expect_exception(&machine, 0, ~0U, 2);
	expect_exception(&machine, 3, ~0U, 0);
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
}

/*
 * No handler is present, not even that of the double fault. From long mode: KVM of 6.12 forgets its
 * nested tables when a vCPU that does not page shuts down.
 */
static void test_shutdown(void)
{
	struct machine machine = machine_open(&long_mode);

	build_tables(&machine);
	memset(machine.memory + TABLES + 0x4000, 0, 256);
	for (int i = 0; i < 2; i++)
		expect_out(&machine, 0x10, 1);
	for (int i = 0; i < 2; i++)
		expect_out(&machine, 0x10, 4);
	expect_exit(&machine, KVM_EXIT_SHUTDOWN);
	machine_close(&machine);
}

static void test_immediate_exit(void)
{
	struct machine machine = machine_open(&in);

	machine.run->immediate_exit = 1;
	check_is(machine_run(&machine), -EINTR);
	check_is(machine_regs(&machine).rip, CODE);
	machine.run->immediate_exit = 0;
	expect_in(&machine, 0x10, 1, 0x77);
	/* What the user answered is taken before the run ends. */
	machine.run->immediate_exit = 1;
	check_is(machine_run(&machine), -EINTR);
	check_is(machine_regs(&machine).rax & 0xff, 0x77);
	machine.run->immediate_exit = 0;
	expect_in(&machine, 0x20, 2, 0);
	machine_close(&machine);
}

static void on_signal(int number)
{
	(void)number;
}

/* A signal ends the run of a guest that does nothing by itself. */
static void test_signal(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerspec in_a_while = { .it_value = { .tv_nsec = 50000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct machine machine = machine_open(&spin);
	timer_t timer;

	sigaction(SIGUSR1, &action, NULL);
	check_is(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	for (int i = 0; i < 5; i++) {
		uint32_t before = *word_at(&machine, 0x2000);

		timer_settime(timer, 0, &in_a_while, NULL);
		check_is(machine_run(&machine), -EINTR);
		check_is(machine.run->exit_reason, KVM_EXIT_INTR);
		check(*word_at(&machine, 0x2000) != before, "the guest stood still");
	}
	timer_delete(timer);
	machine_close(&machine);
}

static void *run_thread(void *data)
{
	struct machine *machine = data;

	return (void *)(long)machine_run(machine);
}

/* The user's interrupts go in when the guest lets them, and the window is told. */
static void test_interrupt(void)
{
	struct kvm_interrupt irq = { .irq = 0x40 };
	struct machine machine = machine_open(&interrupt);

	check_is(expect_out(&machine, 0x10, 1), 1);
	check_is(machine.run->if_flag, 0);
	check_is(machine.run->ready_for_interrupt_injection, 0);
	machine.run->request_interrupt_window = 1;
	expect_exit(&machine, KVM_EXIT_IRQ_WINDOW_OPEN);
	check_is(machine.run->if_flag, 1);
	check_is(machine.run->ready_for_interrupt_injection, 1);
	machine.run->request_interrupt_window = 0;
	check_is(call_with(machine.vcpu, KVM_INTERRUPT, &irq), 0);
	check_is(expect_out(&machine, 0x10, 1), 0x40);
	irq.irq = 256;
	check_is(call_with(machine.vcpu, KVM_INTERRUPT, &irq), -EINVAL);
	machine_close(&machine);
}

/* Two vCPUs of a VM run at once, and both can be taken out. */
static void test_two_vcpus(void)
{
	struct machine machine = machine_open(&spin), second = machine;
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t threads[2];
	void *ret;

	sigaction(SIGUSR1, &action, NULL);
	second.vcpu = (int)call(machine.vm, KVM_CREATE_VCPU, 1);
	machine_start(&second, &spin);
	check_is(pthread_create(&threads[0], NULL, run_thread, &machine), 0);
	check_is(pthread_create(&threads[1], NULL, run_thread, &second), 0);
	usleep(200000);
	for (int i = 0; i < 2; i++) {
		check_is(pthread_kill(threads[i], SIGUSR1), 0);
		pthread_join(threads[i], &ret);
		check_is((long)ret, -EINTR);
	}
	check(*word_at(&machine, 0x2000) > 100, "counted to %u", *word_at(&machine, 0x2000));
	close(second.vcpu);
	machine_close(&machine);
}

/* The guest's vector registers outlive an exit, whatever the host does with its own. */
static void test_sse(void)
{
	struct machine machine = machine_open(&sse);
	double mine[4] = { 1.5, 2.5, 3.5, 4.5 };

	for (int i = 0; i < 32; i++)
		machine.memory[0x2000 + i] = (uint8_t)(0xa0 + i);
	expect_out(&machine, 0x10, 1);
	for (volatile int i = 0; i < 4; i++)
		mine[i] = mine[i] * mine[3 - i];
	check(mine[0] == 6.75, "the host's own: %f", mine[0]);
	expect_exit(&machine, KVM_EXIT_HLT);
	check(!memcmp(machine.memory + 0x2000, machine.memory + 0x2020, 32),
	      "other bytes than before");
	machine_close(&machine);
}

static void test_debug_registers(void)
{
	struct machine machine = machine_open(&debug);
	struct kvm_debugregs debugregs;

	expect_out(&machine, 0x10, 1);
	check_is(call_with(machine.vcpu, KVM_GET_DEBUGREGS, &debugregs), 0);
	check_is(debugregs.db[0], 0x1122334);
	check_is(debugregs.db[3], 0x5566778);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(machine_regs(&machine).rax, 0x1122334);
	check_is(machine_regs(&machine).rbx, 0x5566778);
	machine_close(&machine);
}

const struct test guest_tests[] = {
	{ "hlt", test_hlt },
	{ "port writes", test_out },
	{ "port reads", test_in },
	{ "port write, then elsewhere", test_out_and_move },
	{ "cpuid", test_cpuid },
	{ "rdmsr and wrmsr", test_msrs },
	{ "unknown msr", test_unknown_msr },
	{ "time stamp counter", test_tsc },
	{ "unknown hypercall", test_vmmcall },
	{ "no svm inside", test_vmrun },
	{ "triple fault", test_shutdown },
	{ "real to long mode", test_long_mode },
	{ "exceptions in long mode", test_exceptions },
	{ "immediate exit", test_immediate_exit },
	{ "signals", test_signal },
	{ "interrupts of the user", test_interrupt },
	{ "two vcpus", test_two_vcpus },
	{ "sse state", test_sse },
	{ "debug registers", test_debug_registers },
	{ NULL, NULL },
};
