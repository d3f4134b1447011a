/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hypervisor is told which devices of the host its guest has. */
#ifndef CARVE_VMM_VFIO_HYPERVISOR_H
#define CARVE_VMM_VFIO_HYPERVISOR_H

#include <stddef.h>

#include "vmm/core/vm_call.h"

/**
 * vmm_vfio_announce() - a device of KVM_DEV_TYPE_VFIO with @fds in it
 *
 * A hypervisor that knows heeds what DMA leaves in no cache (the guest's WBINVD and its memory types)
 * and clears CPU buffers that registers of devices could be read from (Linux
 * Documentation/virt/kvm/devices/vfio.rst).
 * @vm:  the VM's descriptor
 * @fds: of VFIO groups, or, since Linux 6.6, of devices; borrowed
 * Context: before the guest runs.
 * Return: a descriptor to be closed when the VM has gone; -ENODEV (it has no such device); -errno of the
 * first that it did not take.
 */
int vmm_vfio_announce(const struct vmm_vm_call *vm, const int *fds, size_t n);
/**
 * vmm_vfio_withdraw() - the hypervisor lets go of @fd, which it holds open
 * @device: like the one of the VM, with the descriptor that vmm_vfio_announce() returned
 * Return: 0, -errno.
 */
int vmm_vfio_withdraw(const struct vmm_vm_call *device, int fd);

#endif
