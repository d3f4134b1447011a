/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU isolation by cgroup v2 cpuset partitions, and pinning of threads. */
#ifndef CARVE_NUMA_BINDING_H
#define CARVE_NUMA_BINDING_H

#include "base/step.h"

#define NU_CGROUP_MOUNT "/sys/fs/cgroup"
#define NU_CGROUP_ROOT NU_CGROUP_MOUNT "/carve"

/*
 * Kinds of steps:
 *  "cgroup-root" shared  object NU_CGROUP_ROOT, value "cpuset": the cpuset controller enabled for
 *                        children of the mount and of carve/, carve/ made
 *  "cgroup-vm"   own     object NU_CGROUP_ROOT/NAME, value "vcpu=2-3 vmm=0,4": threaded domain NAME with
 *                        NAME/vcpu (isolated partition of the vCPU cores, idle SMT siblings included)
 *                        and NAME/vmm (housekeeping). Its revert kills whatever still runs inside
 *                        (cgroup.kill), waits until it is empty, and removes it.
 */
extern const struct cv_step_ops nu_step_cgroup_root;
extern const struct cv_step_ops nu_step_cgroup_vm;

/**
 * nu_cgroup_open() - fd of the VM's cgroup directory for clone3(CLONE_INTO_CGROUP)
 *
 * NAME is a threaded domain: the kernel lets a process live there although cpuset is switched on for
 * its children (Documentation/admin-guide/cgroup-v2.rst, "Threads"). It may run on every CPU of the
 * host that no partition has until nu_cgroup_enter_vmm().
 */
int nu_cgroup_open(struct cv_sysroot *root, const char *vm, int *ret_fd, struct cv_error *err);
/** nu_cgroup_enter_vmm() - move process @pid with all its threads to NAME/vmm. */
int nu_cgroup_enter_vmm(struct cv_sysroot *root, const char *vm, pid_t pid, struct cv_error *err);
/**
 * nu_pin_vcpu() - move one thread to NAME/vcpu, set its affinity to exactly @host_cpu, and verify by
 * /proc/TID/status (Cpus_allowed_list)
 */
int nu_pin_vcpu(struct cv_sysroot *root, const char *vm, pid_t tid, int host_cpu,
		struct cv_error *err);
/**
 * nu_place_vmm_thread() - move one thread to NAME/vmm, allowed on all its CPUs, with normal policy
 */
int nu_place_vmm_thread(struct cv_sysroot *root, const char *vm, pid_t tid, struct cv_error *err);
/**
 * nu_evict_others() - move every thread in NAME/vcpu that is not one of @tids to NAME/vmm
 *
 * KVM makes a helper thread for the VM when the first vCPU runs first ("kvm-nx-lpage-recovery", since
 * Linux 6.14 and its stable backports), as a child of that vCPU's thread: on its core.
 * Return: number of threads moved, or -errno.
 */
int nu_evict_others(struct cv_sysroot *root, const char *vm, const pid_t *tids, size_t n,
		    struct cv_error *err);
/** nu_cgroup_pids() - number of processes inside the VM's cgroup, 0 when it is gone. */
int nu_cgroup_pids(struct cv_sysroot *root, const char *vm);

#endif
