// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device and the VM's file: versions, capabilities, making and ending, arguments that are
 * wrong.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

GUEST(hlt);

static int open_device(void)
{
	int fd = open(device_path, O_RDWR | O_CLOEXEC);

	check(fd >= 0, "%s: %s", device_path, strerror(errno));
	return fd;
}

static void test_version(void)
{
	int device = open_device();

	check_is(call(device, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	check_is(call(device, KVM_GET_API_VERSION, 1), -EINVAL);
	check_is(call(device, KVM_GET_VCPU_MMAP_SIZE, 1), -EINVAL);
	check(call(device, KVM_GET_VCPU_MMAP_SIZE, 0) >= 2 * 4096, "no room for port data");
	check_is(call(device, _IO(KVMIO, 0xfe), 0), -EINVAL);
	close(device);
}

static void test_capabilities(void)
{
	static const int there[] = { KVM_CAP_USER_MEMORY,
				     KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
				     KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
				     KVM_CAP_SET_TSS_ADDR,
				     KVM_CAP_SET_IDENTITY_MAP_ADDR,
				     KVM_CAP_EXT_CPUID,
				     KVM_CAP_MP_STATE,
				     KVM_CAP_DEBUGREGS,
				     KVM_CAP_XSAVE,
				     KVM_CAP_XCRS,
				     KVM_CAP_VCPU_EVENTS,
				     KVM_CAP_IMMEDIATE_EXIT,
				     KVM_CAP_READONLY_MEM,
				     KVM_CAP_HLT,
				     KVM_CAP_INTERNAL_ERROR_DATA,
				     KVM_CAP_CHECK_EXTENSION_VM };
	struct machine machine = machine_open(&hlt);

	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		check(call(machine.device, KVM_CHECK_EXTENSION, (unsigned long)there[i]) > 0, "%d",
		      there[i]);
		check(call(machine.vm, KVM_CHECK_EXTENSION, (unsigned long)there[i]) > 0, "%d",
		      there[i]);
	}
	check(call(machine.device, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS) >= 509,
	      "too few slots");
	check(call(machine.device, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) >= 255, "too few vCPUs");
	check_is(call(machine.device, KVM_CHECK_EXTENSION, 0xffff), 0);
	machine_close(&machine);
}

static void test_create(void)
{
	struct machine machine = machine_open(&hlt);
	long most = call(machine.device, KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPU_ID);
	long second = call(machine.vm, KVM_CREATE_VCPU, 1);

	check(second >= 0, "second vCPU: %ld", second);
	check_is(call(machine.vm, KVM_CREATE_VCPU, 1), -EEXIST);
	check_is(call(machine.vm, KVM_CREATE_VCPU, (unsigned long)most + 1), -EINVAL);
	check_is(call(machine.vm, KVM_CREATE_VCPU, ~0UL), -EINVAL);
	close((int)second);
	/* The vCPU is the VM's, not the file's. */
	check_is(call(machine.vm, KVM_CREATE_VCPU, 1), -EEXIST);
	check_is(call(machine.device, KVM_CREATE_VM, 0x7777), -EINVAL);
	machine_close(&machine);
}

/* The files may be closed in any order. */
static void test_close(void)
{
	struct machine machine = machine_open(&hlt);

	close(machine.vm);
	close(machine.device);
	machine.vm = machine.device = -1;
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
	for (int i = 0; i < 50; i++) {
		machine = machine_open(&hlt);
		machine_close(&machine);
	}
}

/* Memory belongs to the process that made the VM: another one gets nowhere with the files. */
static void test_other_process(void)
{
	struct machine machine = machine_open(&hlt);
	struct kvm_regs regs;
	int status = -1;
	pid_t child = fork();

	if (!child) {
		bool refused = call_with(machine.vcpu, KVM_GET_REGS, &regs) == -EIO &&
			       call(machine.vcpu, KVM_RUN, 0) == -EIO &&
			       set_slot(machine.vm, 0, 0, 0, 0, NULL) == -EIO;

		_exit(refused ? 0 : 1);
	}
	waitpid(child, &status, 0);
	check_is(status, 0);
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
}

/* Pointers to nothing. */
static void test_bad_pointers(void)
{
	static const unsigned long of_device[] = { KVM_GET_SUPPORTED_CPUID, KVM_GET_MSR_INDEX_LIST,
						   KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_GET_MSRS };
	static const unsigned long of_vm[] = { KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG };
	static const unsigned long of_vcpu[] = {
		KVM_GET_REGS,	     KVM_SET_REGS,	  KVM_GET_SREGS,     KVM_SET_SREGS,
		KVM_GET_MSRS,	     KVM_SET_MSRS,	  KVM_SET_CPUID2,    KVM_GET_CPUID2,
		KVM_GET_FPU,	     KVM_SET_FPU,	  KVM_GET_XSAVE,     KVM_SET_XSAVE,
		KVM_GET_XCRS,	     KVM_SET_XCRS,	  KVM_GET_MP_STATE,  KVM_SET_MP_STATE,
		KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
		KVM_INTERRUPT
	};
	struct machine machine = machine_open(&hlt);

	for (size_t i = 0; i < sizeof(of_device) / sizeof(of_device[0]); i++)
		check(call(machine.device, of_device[i], 8) == -EFAULT, "device ioctl %zu", i);
	for (size_t i = 0; i < sizeof(of_vm) / sizeof(of_vm[0]); i++)
		check(call(machine.vm, of_vm[i], 8) == -EFAULT, "VM ioctl %zu", i);
	for (size_t i = 0; i < sizeof(of_vcpu) / sizeof(of_vcpu[0]); i++)
		check(call(machine.vcpu, of_vcpu[i], 8) == -EFAULT, "vCPU ioctl %zu", i);
	expect_exit(&machine, KVM_EXIT_HLT);
	machine_close(&machine);
}

static void test_bad_arguments(void)
{
	struct machine machine = machine_open(&hlt);
	uint64_t identity = 0xfffbc000;

	check_is(call(machine.vm, _IO(KVMIO, 0xfe), 0), -ENOTTY);
	check_is(call(machine.vcpu, _IO(KVMIO, 0xfe), 0), -EINVAL);
	check_is(call(machine.vcpu, _IO(0x11, 0x80), 0), -EINVAL);
	check_is(call(machine.vcpu, KVM_RUN, 1), -EINVAL);
	check_is(call(machine.vm, KVM_SET_TSS_ADDR, 0xfffbd000), 0);
	check_is(call(machine.vm, KVM_SET_TSS_ADDR, 0xfffff000), -EINVAL);
	/* Only before the first vCPU. */
	check_is(call_with(machine.vm, KVM_SET_IDENTITY_MAP_ADDR, &identity), -EINVAL);
	machine_close(&machine);
}

const struct test system_tests[] = {
	{ "version", test_version },
	{ "capabilities", test_capabilities },
	{ "create", test_create },
	{ "close in any order", test_close },
	{ "another process", test_other_process },
	{ "bad pointers", test_bad_pointers },
	{ "bad arguments", test_bad_arguments },
	{ NULL, NULL },
};
