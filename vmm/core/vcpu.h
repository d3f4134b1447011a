/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vCPU threads: pinned before the first KVM_RUN, run until they are told to pause or to end. */
#ifndef CARVE_VMM_VCPU_H
#define CARVE_VMM_VCPU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "vmm/boot/cpuid.h"
#include "vmm/boot/loader.h"
#include "vmm/core/bus.h"
#include "vmm/core/hypervisor.h"

/** enum vmm_end - why the guest is over */
enum vmm_end {
	VMM_END_NONE,
	VMM_END_POWER_OFF, /* ACPI sleep state 5 */
	VMM_END_RESET,	   /* reset register, triple fault, KVM_EXIT_SHUTDOWN */
	VMM_END_TEST,	   /* isa-debug-exit: the value is in vmm_vcpus_end() */
	VMM_END_FAILED, /* the hypervisor could not go on: KVM_EXIT_FAIL_ENTRY, _INTERNAL_ERROR */
};

/** struct vmm_vcpu_stats - counted by the vCPU's thread, read by any */
struct vmm_vcpu_stats {
	uint64_t exits, io, mmio, interrupted, other;
};

struct vmm_vcpus;

/** struct vmm_vcpus_input - borrowed while the vCPUs live */
struct vmm_vcpus_input {
	const struct plan *plan;
	const struct vmm_hypervisor *hypervisor;
	struct vmm_bus *pio, *mmio;
	const struct vmm_entry *entry; /* of vCPU 0; the others wait for INIT and SIPI */
	void (*ended)(void *ctx, enum vmm_end why, uint32_t value); /* any vCPU thread, once */
	void *ctx;
};

/**
 * vmm_vcpus_new() - descriptors, CPUID, MSRs and registers, and a thread for each, waiting (paused)
 * Guarantees: 3 ioctls per vCPU before its first KVM_RUN (KVM_CREATE_VCPU, KVM_SET_CPUID2,
 * KVM_SET_MSRS), where the hypervisor has KVM_CAP_SYNC_REGS, and two more that read the reset state from
 * vCPU 0: the rest is the hypervisor's.
 */
int vmm_vcpus_new(const struct vmm_vcpus_input *in, struct vmm_vcpus **ret, struct cv_error *err);
/** vmm_vcpus_free() - ends all threads. */
void vmm_vcpus_free(struct vmm_vcpus *v);
/** vmm_vcpus_tids() - thread ids by vCPU number, valid as long as @v. */
const pid_t *vmm_vcpus_tids(const struct vmm_vcpus *v, size_t *ret_n);
void vmm_vcpus_run(struct vmm_vcpus *v);
/** vmm_vcpus_pause() - returns when none is in the guest. Context: no vCPU thread. */
void vmm_vcpus_pause(struct vmm_vcpus *v);
bool vmm_vcpus_are_running(const struct vmm_vcpus *v);
/**
 * vmm_vcpus_begin() - call @fn in every vCPU thread at once, on the core where it is pinned
 * Context: they are paused; the loop's thread, which may do something else until vmm_vcpus_finish().
 */
void vmm_vcpus_begin(struct vmm_vcpus *v, int (*fn)(void *ctx, size_t vcpu), void *ctx);
/** vmm_vcpus_finish() - when all of them are through. Return: 0, or the first error. */
int vmm_vcpus_finish(struct vmm_vcpus *v);
/** vmm_vcpus_each() - both. */
int vmm_vcpus_each(struct vmm_vcpus *v, int (*fn)(void *ctx, size_t vcpu), void *ctx);
/** vmm_vcpus_reset() - all to power-on, vCPU 0 to @entry; they stay paused. */
int vmm_vcpus_reset(struct vmm_vcpus *v, struct cv_error *err);
/**
 * vmm_vcpus_tell_stopped() - the guest's watchdogs are told that time went by without it
 * (Documentation/virt/kvm/api.rst 4.70, KVM_KVMCLOCK_CTRL)
 * Context: they are paused; before vmm_vcpus_run() after a stop.
 */
void vmm_vcpus_tell_stopped(struct vmm_vcpus *v);
void vmm_vcpus_stats(const struct vmm_vcpus *v, size_t vcpu, struct vmm_vcpu_stats *ret);
struct json_t;
/** vmm_vcpus_open_stats() - what vmm_vcpus_kvm_stats() reads from. Context: they are paused. */
void vmm_vcpus_open_stats(struct vmm_vcpus *v);
bool vmm_vcpus_have_stats(const struct vmm_vcpus *v);
/** vmm_vcpus_kvm_stats() - what the hypervisor counts, as vmm_stats_read(); NULL before they are opened */
struct json_t *vmm_vcpus_kvm_stats(const struct vmm_vcpus *v, size_t vcpu);

#endif
