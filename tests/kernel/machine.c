// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

const char *device_path = "/dev/kvm";

/* No test takes a second, but the machine may be an emulated one. */
#define SECONDS_EACH 20

static bool failed;

long call(int fd, unsigned long request, unsigned long argument)
{
	long ret = ioctl(fd, request, argument);

	return ret < 0 ? -errno : ret;
}

void check_at(bool good, const char *what, int line, const char *format, ...)
{
	va_list args;

	if (good)
		return;
	failed = true;
	printf("# line %d: %s: ", line, what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

int set_slot(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t bytes,
	     const void *memory)
{
	struct kvm_userspace_memory_region region = { .slot = slot,
						      .flags = flags,
						      .guest_phys_addr = gpa,
						      .memory_size = bytes,
						      .userspace_addr = (uintptr_t)memory };

	return (int)call_with(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static long must(long ret, const char *what)
{
	if (ret < 0)
		errx(1, "%s: %s", what, strerror((int)-ret));
	return ret;
}

/* All that is offered: KVM looks there before it lets a guest set LME. */
static void set_cpuid(const struct machine *machine)
{
	const uint32_t room = 256;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));

	must(cpuid ? 0 : -ENOMEM, "calloc");
	cpuid->nent = room;
	must(call_with(machine->device, KVM_GET_SUPPORTED_CPUID, cpuid), "KVM_GET_SUPPORTED_CPUID");
	must(call_with(machine->vcpu, KVM_SET_CPUID2, cpuid), "KVM_SET_CPUID2");
	free(cpuid);
}

struct machine machine_open(const struct guest *guest)
{
	struct machine machine = { .device = open(device_path, O_RDWR | O_CLOEXEC) };

	must(machine.device < 0 ? -errno : 0, device_path);
	machine.vm = (int)must(call(machine.device, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	machine.memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(machine.memory == MAP_FAILED ? -errno : 0, "mmap");
	must(set_slot(machine.vm, 0, 0, 0, MEMORY_BYTES, machine.memory),
	     "KVM_SET_USER_MEMORY_REGION");
	machine.vcpu = (int)must(call(machine.vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	machine.run_bytes = (size_t)must(call(machine.device, KVM_GET_VCPU_MMAP_SIZE, 0),
					 "mmap size");
	machine.run = mmap(NULL, machine.run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			   machine.vcpu, 0);
	must(machine.run == MAP_FAILED ? -errno : 0, "mmap of the vCPU");
	set_cpuid(&machine);
	machine_start(&machine, guest);
	return machine;
}

void machine_close(struct machine *machine)
{
	munmap(machine->run, machine->run_bytes);
	close(machine->vcpu);
	close(machine->vm);
	close(machine->device);
	munmap(machine->memory, MEMORY_BYTES);
}

void machine_start(struct machine *machine, const struct guest *guest)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 2 };
	struct kvm_sregs sregs;

	memcpy(machine->memory + CODE, guest->start,
	       (size_t)((const char *)guest->end - (const char *)guest->start));
	must(call_with(machine->vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	must(call_with(machine->vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(call_with(machine->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

int machine_run(struct machine *machine)
{
	long ret = call(machine->vcpu, KVM_RUN, 0);

	return ret < 0 ? (int)ret : (int)machine->run->exit_reason;
}

void expect_exit(struct machine *machine, int reason)
{
	int got = machine_run(machine);

	check(got == reason, "exit %d, wanted %d; suberror %u at rip %#llx", got, reason,
	      machine->run->internal.suberror, machine_regs(machine).rip);
}

static uint8_t *expect_port(struct machine *machine, uint16_t port, unsigned int size,
			    int direction)
{
	const struct kvm_run *run = machine->run;

	expect_exit(machine, KVM_EXIT_IO);
	check_is(run->io.port, port);
	check_is(run->io.size, size);
	check_is(run->io.direction, direction);
	check_is(run->io.count, 1);
	check(run->io.data_offset + size <= machine->run_bytes, "%llu", run->io.data_offset);
	return (uint8_t *)run +
	       (run->io.data_offset < machine->run_bytes ? run->io.data_offset : 0);
}

uint32_t expect_out(struct machine *machine, uint16_t port, unsigned int size)
{
	uint32_t data = 0;

	memcpy(&data, expect_port(machine, port, size, KVM_EXIT_IO_OUT), size);
	return data;
}

void expect_in(struct machine *machine, uint16_t port, unsigned int size, uint32_t data)
{
	memcpy(expect_port(machine, port, size, KVM_EXIT_IO_IN), &data, size);
}

struct kvm_regs machine_regs(const struct machine *machine)
{
	struct kvm_regs regs;

	must(call_with(machine->vcpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	return regs;
}

static void on_alarm(int number)
{
	(void)number;
}

int run_tests(const struct test *const *lists, const char *only)
{
	/* A guest that does not end by itself is taken out: its test fails, the others go on. */
	struct sigaction action = { .sa_handler = on_alarm };
	int count = 0, bad = 0;

	sigaction(SIGALRM, &action, NULL);
	for (; *lists; lists++) {
		for (const struct test *test = *lists; test->name; test++) {
			if (only && strcmp(only, test->name))
				continue;
			failed = false;
			alarm(SECONDS_EACH);
			test->run();
			bad += failed;
			printf("%sok %d - %s\n", failed ? "not " : "", ++count, test->name);
			fflush(stdout);
		}
	}
	printf("1..%d\n", count);
	return count ? bad : 1;
}
