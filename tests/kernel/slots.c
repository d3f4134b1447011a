// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory slots: which are refused, and what a guest sees of the others. */
#include "machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define HIGH 0x100000000UL

GUEST(hlt);
GUEST(copy);

static void *pages(size_t count)
{
	return mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void test_refused(void)
{
	struct machine machine = machine_open(&hlt);
	uint8_t *memory = pages(16);
	int vm = machine.vm;

	check_is(set_slot(vm, 1, 0, HIGH, PAGE + 1, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, HIGH + 1, PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, HIGH, PAGE, memory + 1), -EINVAL);
	check_is(set_slot(vm, 1, 0x80, HIGH, PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 0xffff, 0, HIGH, PAGE, memory), -EINVAL);
	/* An address space that no CPU has: KVM has two, one of them for system management mode. */
	check_is(set_slot(vm, 2 << 16, 0, HIGH, PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, -PAGE, 2 * PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, 1UL << 60, PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, HIGH, PAGE, (void *)0xffff800000000000), -EINVAL);
	/* There is none to delete. */
	check_is(set_slot(vm, 1, 0, HIGH, 0, memory), -EINVAL);
	munmap(memory, 16 * PAGE);
	machine_close(&machine);
}

static void test_overlap(void)
{
	struct machine machine = machine_open(&hlt);
	uint8_t *memory = pages(16);
	int vm = machine.vm;

	check_is(set_slot(vm, 1, 0, HIGH, 8 * PAGE, memory), 0);
	check_is(set_slot(vm, 2, 0, HIGH + 7 * PAGE, PAGE, memory), -EEXIST);
	check_is(set_slot(vm, 2, 0, HIGH - PAGE, 2 * PAGE, memory), -EEXIST);
	check_is(set_slot(vm, 2, 0, HIGH + 8 * PAGE, 2 * PAGE, memory), 0);
	/* The same again is nothing; other memory or size is refused; elsewhere is a move. */
	check_is(set_slot(vm, 1, 0, HIGH, 8 * PAGE, memory), 0);
	check_is(set_slot(vm, 1, 0, HIGH, 4 * PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, HIGH, 8 * PAGE, memory + PAGE), -EINVAL);
	check_is(set_slot(vm, 1, KVM_MEM_READONLY, HIGH, 8 * PAGE, memory), -EINVAL);
	check_is(set_slot(vm, 1, 0, HIGH + 9 * PAGE, 8 * PAGE, memory), -EEXIST);
	check_is(set_slot(vm, 1, 0, HIGH + 10 * PAGE, 8 * PAGE, memory), 0);
	check_is(set_slot(vm, 1, 0, 0, 0, NULL), 0);
	check_is(set_slot(vm, 1, 0, 0, 0, NULL), -EINVAL);
	check_is(set_slot(vm, 2, 0, 0, 0, NULL), 0);
	munmap(memory, 16 * PAGE);
	machine_close(&machine);
}

static void run_copy(struct machine *machine, uint16_t from, uint16_t to)
{
	struct kvm_regs regs;

	machine_start(machine, &copy);
	regs = machine_regs(machine);
	regs.rsi = from;
	regs.rdi = to;
	call_with(machine->vcpu, KVM_SET_REGS, &regs);
	expect_out(machine, 0x10, 1);
}

/* The guest reads what the user wrote, and the other way round, whichever pages lie behind it. */
static void test_shared(void)
{
	struct machine machine = machine_open(&hlt);
	uint32_t *word = (uint32_t *)(machine.memory + 0x2000);

	word[0] = 0x12345678;
	run_copy(&machine, 0x2000, 0x2004);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(word[1], 0x12345678);
	word[0] = 0x9abcdef0;
	run_copy(&machine, 0x2000, 0x2004);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(word[1], (uint32_t)0x9abcdef0);
	machine_close(&machine);
}

/* A slot that is replaced: the guest sees the new memory at the same address, at once. */
static void test_replaced(void)
{
	struct machine machine = machine_open(&hlt);
	uint32_t *first = pages(1), *second = pages(1);

	/* The big slot makes room for three small ones. */
	check_is(set_slot(machine.vm, 0, 0, 0, 0, NULL), 0);
	check_is(set_slot(machine.vm, 0, 0, 0, 3 * PAGE, machine.memory), 0);
	check_is(set_slot(machine.vm, 1, 0, 3 * PAGE, PAGE, first), 0);
	first[0] = 0x1111;
	second[0] = 0x2222;
	run_copy(&machine, 3 * PAGE, 0x2000);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(*(uint32_t *)(machine.memory + 0x2000), 0x1111);
	check_is(set_slot(machine.vm, 1, 0, 0, 0, NULL), 0);
	check_is(set_slot(machine.vm, 1, 0, 3 * PAGE, PAGE, second), 0);
	run_copy(&machine, 3 * PAGE, 0x2000);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(*(uint32_t *)(machine.memory + 0x2000), 0x2222);
	/* Moved: the same memory elsewhere. */
	check_is(set_slot(machine.vm, 1, 0, 5 * PAGE, PAGE, second), 0);
	run_copy(&machine, 5 * PAGE, 0x2004);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(*(uint32_t *)(machine.memory + 0x2004), 0x2222);
	machine_close(&machine);
	munmap(first, PAGE);
	munmap(second, PAGE);
}

/* A guest reads a read-only slot, be its memory writable for the user or not. */
static void test_read_only(void)
{
	struct machine machine = machine_open(&hlt);
	uint32_t *rom = pages(1), *fixed = pages(1);

	fixed[0] = 0x4444;
	mprotect(fixed, PAGE, PROT_READ);
	check_is(set_slot(machine.vm, 0, 0, 0, 0, NULL), 0);
	check_is(set_slot(machine.vm, 0, 0, 0, 3 * PAGE, machine.memory), 0);
	check_is(set_slot(machine.vm, 1, KVM_MEM_READONLY, 3 * PAGE, PAGE, rom), 0);
	check_is(set_slot(machine.vm, 2, KVM_MEM_READONLY, 4 * PAGE, PAGE, fixed), 0);
	/* Written by the user after the slot was made. */
	rom[0] = 0x3333;
	run_copy(&machine, 3 * PAGE, 0x2000);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(*(uint32_t *)(machine.memory + 0x2000), 0x3333);
	run_copy(&machine, 4 * PAGE, 0x2004);
	expect_exit(&machine, KVM_EXIT_HLT);
	check_is(*(uint32_t *)(machine.memory + 0x2004), 0x4444);
	machine_close(&machine);
	munmap(rom, PAGE);
	munmap(fixed, PAGE);
}

static void test_dirty_log(void)
{
	struct machine machine = machine_open(&hlt);
	uint64_t bitmap = 0;
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = &bitmap };
	uint32_t *memory = pages(8);

	check_is(call_with(machine.vm, KVM_GET_DIRTY_LOG, &log), -ENOENT);
	check_is(set_slot(machine.vm, 1, 0, HIGH, 8 * PAGE, memory), 0);
	check_is(call_with(machine.vm, KVM_GET_DIRTY_LOG, &log), -ENOENT);
	check_is(set_slot(machine.vm, 1, KVM_MEM_LOG_DIRTY_PAGES, HIGH, 8 * PAGE, memory), 0);
	check_is(call_with(machine.vm, KVM_GET_DIRTY_LOG, &log), 0);
	log.slot = 0xffff;
	check_is(call_with(machine.vm, KVM_GET_DIRTY_LOG, &log), -EINVAL);
	machine_close(&machine);
	munmap(memory, 8 * PAGE);
}

struct churn {
	int vm;
	atomic_bool stop;
	int failed;
	int rounds;
};

static void *churn(void *data)
{
	struct churn *churn = data;
	void *memory = pages(64);

	while (!atomic_load(&churn->stop) && !churn->failed) {
		churn->failed = set_slot(churn->vm, 5, 0, HIGH, 64 * PAGE, memory);
		if (!churn->failed)
			churn->failed = set_slot(churn->vm, 5, 0, 0, 0, NULL);
		churn->rounds++;
	}
	munmap(memory, 64 * PAGE);
	return NULL;
}

/* Slots come and go while the vCPU exits again and again. */
static void test_churn(void)
{
	struct machine machine = machine_open(&hlt);
	struct churn with = { .vm = machine.vm };
	pthread_t thread;

	check_is(pthread_create(&thread, NULL, churn, &with), 0);
	for (int i = 0; i < 300 || with.rounds < 20; i++) {
		run_copy(&machine, 0x2000, 0x2004);
		expect_exit(&machine, KVM_EXIT_HLT);
	}
	atomic_store(&with.stop, true);
	pthread_join(thread, NULL);
	check_is(with.failed, 0);
	machine_close(&machine);
}

const struct test slot_tests[] = {
	{ "slots refused", test_refused },	     { "slots overlap and move", test_overlap },
	{ "memory is shared", test_shared },	     { "slots replaced", test_replaced },
	{ "read-only slots", test_read_only },	     { "dirty log", test_dirty_log },
	{ "slots change under a vCPU", test_churn }, { NULL, NULL },
};
