/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the hypervisor counts of a VM or vCPU (Documentation/virt/kvm/api.rst 4.133, KVM_GET_STATS_FD). */
#ifndef CARVE_VMM_STATS_H
#define CARVE_VMM_STATS_H

#include "vmm/core/vm_call.h"

struct json_t;

/**
 * vmm_stats_open() - the descriptor that tells, of the VM or a vCPU
 * Context: that of a vCPU is made when it is not in the guest: the hypervisor waits until then.
 * Return: a descriptor, -errno: the hypervisor does not count.
 */
int vmm_stats_open(const struct vmm_vm_call *of);
/**
 * vmm_stats_read() - all single numbers by the hypervisor's own names; histograms are left out
 * Return: a new reference, NULL: not such a descriptor, or memory is out.
 */
struct json_t *vmm_stats_read(int fd);

#endif
