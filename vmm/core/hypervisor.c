// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/hypervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/layout.h"

#define CPUID_ENTRIES_MAX 256
#define SYNCED (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS)
#define TSC_DEADLINE (1U << 24) /* CPUID leaf 1 ECX (Intel SDM vol. 3 section 11.5.4.1) */

/** struct need - a capability without which no guest runs; @least: value of KVM_CHECK_EXTENSION */
static const struct need {
	int cap, least;
	const char *name, *why;
} needs[] = {
	{ KVM_CAP_IRQCHIP, 1, "KVM_CAP_IRQCHIP", "local APICs and I/O APIC" },
	{ KVM_CAP_USER_MEMORY, 1, "KVM_CAP_USER_MEMORY", "memory of the VMM as the guest's" },
	{ KVM_CAP_EXT_CPUID, 1, "KVM_CAP_EXT_CPUID", "the planned topology in CPUID" },
	{ KVM_CAP_IRQ_ROUTING, 1, "KVM_CAP_IRQ_ROUTING", "MSI routes" },
	{ KVM_CAP_IRQFD, 1, "KVM_CAP_IRQFD", "interrupts of devices" },
	{ KVM_CAP_IRQFD_RESAMPLE, 1, "KVM_CAP_IRQFD_RESAMPLE", "INTx of devices" },
	{ KVM_CAP_IOEVENTFD, 1, "KVM_CAP_IOEVENTFD", "doorbells of devices" },
	{ KVM_CAP_SIGNAL_MSI, 1, "KVM_CAP_SIGNAL_MSI", "MSI" },
	{ KVM_CAP_IMMEDIATE_EXIT, 1, "KVM_CAP_IMMEDIATE_EXIT", "pausing without a race" },
	{ KVM_CAP_MP_STATE, 1, "KVM_CAP_MP_STATE", "resetting the guest" },
};

/* Arguments that are numbers. Return: what the call returned, -errno. */
static int ask(const struct vmm_vm_call *to, unsigned long request, unsigned long arg)
{
	return vmm_vm_call(to, request, (void *)(uintptr_t)arg);
}

static struct vmm_vm_call vm_of(const struct vmm_hypervisor *h)
{
	struct vmm_vm_call vm = h->system;

	vm.fd = h->vm_fd;
	return vm;
}

/* ---- what it can do ---- */

static int fail_capability(const struct need *n, int found, struct cv_error *err)
{
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_CAPABILITY", n->name,
		"the hypervisor lacks what a guest needs: %s", n->why);
	cv_error_found(err, "%d", found);
	cv_error_wanted(err, "%d or more", n->least);
	cv_error_hint(err, "use another hypervisor: hypervisor: kvm in the spec");
	return -EOPNOTSUPP;
}

static int check_version(const struct vmm_vm_call *system, struct cv_error *err)
{
	int version = ask(system, KVM_GET_API_VERSION, 0);

	if (version == KVM_API_VERSION)
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "NO_HYPERVISOR", "hypervisor",
		"the descriptor does not speak the KVM ABI");
	if (version < 0)
		cv_error_found(err, "%s", strerror(-version));
	else
		cv_error_found(err, "version %d", version);
	cv_error_wanted(err, "version %d", KVM_API_VERSION);
	return -ENODEV;
}

static int check_needs(const struct vmm_vm_call *system, struct cv_error *err)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(needs); i++) {
		int found = ask(system, KVM_CHECK_EXTENSION, (unsigned long)needs[i].cap);

		if (found < needs[i].least)
			return fail_capability(&needs[i], found, err);
	}
	return 0;
}

/* Return: the value, at least @least. */
static unsigned int limit(const struct vmm_vm_call *system, unsigned long cap, unsigned int least)
{
	int found = ask(system, KVM_CHECK_EXTENSION, cap);

	return found > (int)least ? (unsigned int)found : least;
}

/* The timer that needs no calibration is not in the table: whoever makes the local APIC in the kernel may
 * show it (Documentation/virt/kvm/api.rst 4.46). */
static void add_deadline_timer(struct vmm_hypervisor *h)
{
	for (uint32_t i = 0; i < h->cpuid->nent; i++)
		if (h->cpuid->entries[i].function == 1)
			h->cpuid->entries[i].ecx |= TSC_DEADLINE;
}

static int read_cpuid(struct vmm_hypervisor *h, struct cv_error *err)
{
	int r;

	h->cpuid = calloc(1,
			  sizeof(*h->cpuid) + CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2));
	if (!h->cpuid)
		return cv_fail_errno(err, -ENOMEM, "hypervisor", "cannot read its CPUID");
	h->cpuid->nent = CPUID_ENTRIES_MAX;
	r = vmm_vm_call(&h->system, KVM_GET_SUPPORTED_CPUID, h->cpuid);
	if (r < 0)
		return cv_fail_errno(err, r, "KVM_GET_SUPPORTED_CPUID",
				     "the hypervisor does not tell what its CPUs can do");
	if (h->has_tsc_deadline)
		add_deadline_timer(h);
	return 0;
}

static bool has(const struct vmm_vm_call *system, unsigned long cap)
{
	return ask(system, KVM_CHECK_EXTENSION, cap) > 0;
}

static void read_limits(struct vmm_hypervisor *h)
{
	const struct vmm_vm_call *system = &h->system;

	h->max_slots = limit(system, KVM_CAP_NR_MEMSLOTS, 32);
	h->max_vcpus = limit(system, KVM_CAP_MAX_VCPUS, 4);
	h->max_routes = limit(system, KVM_CAP_IRQ_ROUTING, 64);
	h->has_tsc_deadline = has(system, KVM_CAP_TSC_DEADLINE_TIMER);
	h->has_sync_regs = (limit(system, KVM_CAP_SYNC_REGS, 0) & SYNCED) == SYNCED;
	h->has_stats_fd = has(system, KVM_CAP_BINARY_STATS_FD);
	h->has_ext_dest_id = has(system, KVM_CAP_X2APIC_API);
}

int vmm_hypervisor_open_on(const struct vmm_vm_call *system, struct vmm_hypervisor *ret,
			   struct cv_error *err)
{
	struct vmm_hypervisor h = { .system = *system, .fd = system->fd, .vm_fd = -1 };
	int size, r = check_version(system, err);

	r = r ?: check_needs(system, err);
	if (r < 0)
		return r;
	size = ask(system, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "NO_HYPERVISOR", "hypervisor",
			       "its vCPUs share %d bytes with the VMM, %zu are needed", size,
			       sizeof(struct kvm_run));
	h.run_size = (size_t)size;
	read_limits(&h);
	r = read_cpuid(&h, err);
	if (r < 0) {
		free(h.cpuid);
		return r;
	}
	*ret = h;
	return 0;
}

int vmm_hypervisor_open(int fd, struct vmm_hypervisor *ret, struct cv_error *err)
{
	const struct vmm_vm_call system = { .fd = fd };

	return vmm_hypervisor_open_on(&system, ret, err);
}

/* ---- the VM ---- */

/* Every APIC ID has 32 bits then, in routes, too; broadcasts to 0xff are for 8-bit IDs only (api.rst 7.7). */
static int enable_wide_ids(const struct vmm_vm_call *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X2APIC_API,
		.args = { KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
	};

	return vmm_vm_call(vm, KVM_ENABLE_CAP, &cap);
}

/* A vCPU has its core alone: that it waits need not be told to the host. A hypervisor that cannot, lets it
 * be told. */
static void keep_idle_inside(const struct vmm_hypervisor *h, const struct vmm_vm_call *vm)
{
	int can = ask(&h->system, KVM_CHECK_EXTENSION, KVM_CAP_X86_DISABLE_EXITS);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_DISABLE_EXITS };

	if (can <= 0)
		return;
	cap.args[0] = (uint64_t)can & (KVM_X86_DISABLE_EXITS_HLT | KVM_X86_DISABLE_EXITS_PAUSE);
	(void)vmm_vm_call(vm, KVM_ENABLE_CAP, &cap);
}

/* Only Intel needs them, and only for guests without paging; others refuse or ignore it. */
static void set_own_pages(const struct vmm_vm_call *vm)
{
	uint64_t map = VMM_IDENTITY_MAP;

	(void)vmm_vm_call(vm, KVM_SET_IDENTITY_MAP_ADDR, &map);
	(void)ask(vm, KVM_SET_TSS_ADDR, VMM_TSS);
}

int vmm_hypervisor_make_vm(struct vmm_hypervisor *h, struct cv_error *err)
{
	struct vmm_vm_call vm;
	int r = ask(&h->system, KVM_CREATE_VM, 0);

	if (r < 0)
		return cv_fail_errno(err, r, "KVM_CREATE_VM", "the hypervisor makes no VM");
	h->vm_fd = r;
	vm = vm_of(h);
	set_own_pages(&vm);
	if (h->has_ext_dest_id && enable_wide_ids(&vm) < 0)
		h->has_ext_dest_id = false;
	keep_idle_inside(h, &vm);
	r = ask(&vm, KVM_CREATE_IRQCHIP, 0);
	return r < 0 ? cv_fail_errno(err, r, "KVM_CREATE_IRQCHIP",
				     "the hypervisor makes no interrupt controllers")
		     : 0;
}

void vmm_hypervisor_done(struct vmm_hypervisor *h)
{
	if (h->vm_fd >= 0)
		close(h->vm_fd);
	free(h->cpuid);
	*h = (struct vmm_hypervisor){ .fd = -1, .vm_fd = -1 };
}
