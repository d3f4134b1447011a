// SPDX-License-Identifier: GPL-2.0-or-later
/* What the VMM demands of a hypervisor, on one that answers as the test says: each capability is missed by
 * its name, before a VM is made. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/core/hypervisor.h"
#include "vmm/core/layout.h"

#define FD 77 /* no descriptor: only a number that the answers know */
#define CAPS 512
#define CALLS_MAX 64
#define TSC_DEADLINE (1U << 24)

/** struct fake - @fails: request that ends with @error */
struct fake {
	struct vmm_vm_call call;
	int version, caps[CAPS], run_size, vm_fd;
	unsigned long fails;
	int error;
	unsigned long calls[CALLS_MAX];
	size_t n_calls;
	uint64_t wide_ids, disabled_exits;
};

static const int needed[] = {
	KVM_CAP_IRQCHIP,	KVM_CAP_USER_MEMORY,	KVM_CAP_EXT_CPUID, KVM_CAP_IRQ_ROUTING,
	KVM_CAP_IRQFD,		KVM_CAP_IRQFD_RESAMPLE, KVM_CAP_IOEVENTFD, KVM_CAP_SIGNAL_MSI,
	KVM_CAP_IMMEDIATE_EXIT, KVM_CAP_MP_STATE,
};

static int fill_cpuid(struct kvm_cpuid2 *c)
{
	if (c->nent < 2)
		return -E2BIG;
	c->entries[0] = (struct kvm_cpuid_entry2){ .function = 0, .eax = 1 };
	c->entries[1] = (struct kvm_cpuid_entry2){ .function = 1, .ecx = 1 };
	c->nent = 2;
	return 0;
}

static int enable_cap(struct fake *f, const struct kvm_enable_cap *c)
{
	assert_int_equal(c->flags, 0);
	if (c->cap == KVM_CAP_X2APIC_API)
		f->wide_ids = c->args[0];
	else if (c->cap == KVM_CAP_X86_DISABLE_EXITS)
		f->disabled_exits = c->args[0];
	else
		fail_msg("capability %u", c->cap);
	return 0;
}

static int answer_system(struct fake *f, unsigned long request, void *arg)
{
	uintptr_t number = (uintptr_t)arg;

	switch (request) {
	case KVM_GET_API_VERSION:
		return f->version;
	case KVM_CHECK_EXTENSION:
		assert_true(number < CAPS);
		return f->caps[number];
	case KVM_GET_VCPU_MMAP_SIZE:
		return f->run_size;
	case KVM_GET_SUPPORTED_CPUID:
		return fill_cpuid(arg);
	case KVM_CREATE_VM:
		return f->vm_fd;
	}
	fail_msg("system call %lx", request);
	return -ENOTTY;
}

static int answer_vm(struct fake *f, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_SET_IDENTITY_MAP_ADDR:
		assert_int_equal(*(const uint64_t *)arg, VMM_IDENTITY_MAP);
		return 0;
	case KVM_SET_TSS_ADDR:
		assert_int_equal((uintptr_t)arg, VMM_TSS);
		return 0;
	case KVM_ENABLE_CAP:
		return enable_cap(f, arg);
	case KVM_CREATE_IRQCHIP:
		return 0;
	}
	fail_msg("call of the VM %lx", request);
	return -ENOTTY;
}

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	struct fake *f = ctx;

	assert_true(f->n_calls < CALLS_MAX);
	f->calls[f->n_calls++] = request;
	if (request == f->fails)
		return f->error;
	if (fd == FD)
		return answer_system(f, request, arg);
	assert_int_equal(fd, f->vm_fd);
	return answer_vm(f, request, arg);
}

static void init(struct fake *f)
{
	*f = (struct fake){ .version = KVM_API_VERSION,
			    .run_size = 3 * 4096,
			    .vm_fd = dup(STDIN_FILENO), /* it is closed with the hypervisor */
			    .call = { .fd = FD, .call = answer } };
	assert_true(f->vm_fd >= 0);
	f->call.ctx = f;
	for (size_t i = 0; i < CV_ARRAY_SIZE(needed); i++)
		f->caps[needed[i]] = 1;
	f->caps[KVM_CAP_NR_MEMSLOTS] = 32764;
	f->caps[KVM_CAP_MAX_VCPUS] = 288;
	f->caps[KVM_CAP_IRQ_ROUTING] = 4096;
}

static void open_fake(struct fake *f, struct vmm_hypervisor *h)
{
	struct cv_error err = { 0 };

	if (vmm_hypervisor_open_on(&f->call, h, &err) < 0)
		fail_msg("%s: %s: %s", err.object, err.what, err.found);
}

static bool was_called(const struct fake *f, unsigned long request)
{
	for (size_t i = 0; i < f->n_calls; i++)
		if (f->calls[i] == request)
			return true;
	return false;
}

/* ---- descriptors that are something else ---- */

static void assert_no_hypervisor(int fd)
{
	struct vmm_hypervisor h = { 0 };
	struct cv_error err = { 0 };

	assert_int_equal(vmm_hypervisor_open(fd, &h, &err), -ENODEV);
	assert_string_equal(err.code, "NO_HYPERVISOR");
	assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
	assert_string_equal(err.wanted, "version 12");
	assert_true(strlen(err.found) > 0);
	assert_null(h.cpuid);
}

static void test_other_files(void **state)
{
	static const char *const paths[] = { "/dev/null", "/dev/zero", "/", "/proc/self/exe" };
	int ends[2];

	for (size_t i = 0; i < CV_ARRAY_SIZE(paths); i++) {
		_cleanup_close_ int fd = open(paths[i], O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_no_hypervisor(fd);
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_no_hypervisor(ends[0]);
	close(ends[0]);
	assert_no_hypervisor(ends[0]); /* closed */
	close(ends[1]);
	assert_no_hypervisor(-1);
}

static void test_version(void **state)
{
	struct vmm_hypervisor h;
	struct cv_error err = { 0 };
	struct fake f;

	init(&f);
	f.version = 11;
	assert_int_equal(vmm_hypervisor_open_on(&f.call, &h, &err), -ENODEV);
	assert_string_equal(err.found, "version 11");
	assert_int_equal(f.n_calls, 1);
	close(f.vm_fd);
}

/* ---- capabilities ---- */

/* 0 and an error are both a lack; it is named, and no VM was asked for. */
static void test_capabilities(void **state)
{
	static const int lacks[] = { 0, -EINVAL };

	for (size_t i = 0; i < 2 * CV_ARRAY_SIZE(needed); i++) {
		struct vmm_hypervisor h = { 0 };
		struct cv_error err = { 0 };
		struct fake f;

		init(&f);
		f.caps[needed[i / 2]] = lacks[i % 2];
		assert_int_equal(vmm_hypervisor_open_on(&f.call, &h, &err), -EOPNOTSUPP);
		assert_string_equal(err.code, "NO_CAPABILITY");
		assert_memory_equal(err.object, "KVM_CAP_", 8);
		assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
		assert_false(was_called(&f, KVM_CREATE_VM));
		assert_null(h.cpuid);
		close(f.vm_fd);
	}
}

static void test_capability_names(void **state)
{
	struct vmm_hypervisor h;
	struct cv_error err = { 0 };
	struct fake f;

	init(&f);
	f.caps[KVM_CAP_IRQFD_RESAMPLE] = 0;
	assert_int_equal(vmm_hypervisor_open_on(&f.call, &h, &err), -EOPNOTSUPP);
	assert_string_equal(err.object, "KVM_CAP_IRQFD_RESAMPLE");
	assert_string_equal(err.found, "0");
	assert_string_equal(err.wanted, "1 or more");
	assert_non_null(strstr(err.what, "INTx"));
	close(f.vm_fd);
}

static void test_limits(void **state)
{
	struct vmm_hypervisor h;
	struct fake f;

	init(&f);
	f.caps[KVM_CAP_BINARY_STATS_FD] = 1;
	open_fake(&f, &h);
	assert_int_equal(h.fd, FD);
	assert_int_equal(h.vm_fd, -1);
	assert_int_equal(h.max_slots, 32764);
	assert_int_equal(h.max_vcpus, 288);
	assert_int_equal(h.max_routes, 4096);
	assert_int_equal(h.run_size, 3 * 4096);
	assert_true(h.has_stats_fd);
	assert_false(h.has_ext_dest_id);
	assert_false(h.has_tsc_deadline);
	vmm_hypervisor_done(&h);
	close(f.vm_fd);
}

/* One that does not tell has what the ABI promises (api.rst 4.4, KVM_CAP_NR_VCPUS). */
static void test_least_limits(void **state)
{
	struct vmm_hypervisor h;
	struct fake f;

	init(&f);
	f.caps[KVM_CAP_NR_MEMSLOTS] = 0;
	f.caps[KVM_CAP_MAX_VCPUS] = -EINVAL;
	open_fake(&f, &h);
	assert_int_equal(h.max_slots, 32);
	assert_int_equal(h.max_vcpus, 4);
	vmm_hypervisor_done(&h);
	close(f.vm_fd);
}

static void test_run_size(void **state)
{
	static const int sizes[] = { 0, 1, (int)sizeof(struct kvm_run) - 1, -EINVAL };

	for (size_t i = 0; i < CV_ARRAY_SIZE(sizes); i++) {
		struct vmm_hypervisor h;
		struct cv_error err = { 0 };
		struct fake f;

		init(&f);
		f.run_size = sizes[i];
		assert_int_equal(vmm_hypervisor_open_on(&f.call, &h, &err), -ENODEV);
		assert_string_equal(err.code, "NO_HYPERVISOR");
		close(f.vm_fd);
	}
}

/* ---- CPUID ---- */

static void test_deadline_timer(void **state)
{
	for (int has = 0; has < 2; has++) {
		struct vmm_hypervisor h;
		struct fake f;

		init(&f);
		f.caps[KVM_CAP_TSC_DEADLINE_TIMER] = has;
		open_fake(&f, &h);
		assert_int_equal(h.cpuid->nent, 2);
		assert_int_equal(h.cpuid->entries[0].ecx, 0);
		assert_int_equal(h.cpuid->entries[1].ecx, has ? TSC_DEADLINE | 1 : 1);
		vmm_hypervisor_done(&h);
		close(f.vm_fd);
	}
}

static void test_no_cpuid(void **state)
{
	struct vmm_hypervisor h = { 0 };
	struct cv_error err = { 0 };
	struct fake f;

	init(&f);
	f.fails = KVM_GET_SUPPORTED_CPUID;
	f.error = -E2BIG;
	assert_int_equal(vmm_hypervisor_open_on(&f.call, &h, &err), -E2BIG);
	assert_string_equal(err.object, "KVM_GET_SUPPORTED_CPUID");
	assert_null(h.cpuid);
	close(f.vm_fd);
}

/* ---- the VM ---- */

static void test_make_vm(void **state)
{
	struct vmm_hypervisor h;
	struct fake f;

	init(&f);
	f.caps[KVM_CAP_X2APIC_API] = 3;
	f.caps[KVM_CAP_X86_DISABLE_EXITS] = KVM_X86_DISABLE_EXITS_MWAIT | KVM_X86_DISABLE_EXITS_HLT;
	open_fake(&f, &h);
	assert_int_equal(vmm_hypervisor_make_vm(&h, NULL), 0);
	assert_int_equal(h.vm_fd, f.vm_fd);
	assert_true(h.has_ext_dest_id);
	assert_int_equal(f.wide_ids, 3);
	/* what it can of what is wanted: MWAIT is the host's */
	assert_int_equal(f.disabled_exits, KVM_X86_DISABLE_EXITS_HLT);
	assert_int_equal(f.calls[f.n_calls - 1], KVM_CREATE_IRQCHIP);
	vmm_hypervisor_done(&h);
	assert_int_equal(fcntl(f.vm_fd, F_GETFD), -1);
}

/* Whatever else is refused, the VM is made without it. */
static void test_make_plain_vm(void **state)
{
	static const unsigned long optional[] = { KVM_ENABLE_CAP, KVM_SET_TSS_ADDR,
						  KVM_SET_IDENTITY_MAP_ADDR };

	for (size_t i = 0; i < CV_ARRAY_SIZE(optional); i++) {
		struct vmm_hypervisor h;
		struct fake f;

		init(&f);
		f.caps[KVM_CAP_X2APIC_API] = 3;
		f.fails = optional[i];
		f.error = -EINVAL;
		open_fake(&f, &h);
		assert_int_equal(vmm_hypervisor_make_vm(&h, NULL), 0);
		assert_int_equal(h.has_ext_dest_id, optional[i] != KVM_ENABLE_CAP);
		assert_true(was_called(&f, KVM_CREATE_IRQCHIP));
		vmm_hypervisor_done(&h);
	}
}

static void test_no_vm(void **state)
{
	static const unsigned long needed_calls[] = { KVM_CREATE_VM, KVM_CREATE_IRQCHIP };
	static const char *const names[] = { "KVM_CREATE_VM", "KVM_CREATE_IRQCHIP" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(needed_calls); i++) {
		struct vmm_hypervisor h;
		struct cv_error err = { 0 };
		struct fake f;

		init(&f);
		open_fake(&f, &h);
		f.fails = needed_calls[i];
		f.error = -EBUSY;
		assert_int_equal(vmm_hypervisor_make_vm(&h, &err), -EBUSY);
		assert_string_equal(err.object, names[i]);
		vmm_hypervisor_done(&h);
		if (i == 0)
			close(f.vm_fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_files),   cmocka_unit_test(test_version),
		cmocka_unit_test(test_capabilities),  cmocka_unit_test(test_capability_names),
		cmocka_unit_test(test_limits),	      cmocka_unit_test(test_least_limits),
		cmocka_unit_test(test_run_size),      cmocka_unit_test(test_deadline_timer),
		cmocka_unit_test(test_no_cpuid),      cmocka_unit_test(test_make_vm),
		cmocka_unit_test(test_make_plain_vm), cmocka_unit_test(test_no_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
