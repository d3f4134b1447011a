// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/dev/vfio_hypervisor.h"

#include <linux/kvm.h>
#include <stdint.h>

#include "base/cleanup.h"

/* KVM_DEV_VFIO_FILE and _FILE_ADD have the numbers that groups had. */
static int change(const struct vmm_vm_call *device, uint64_t what, int fd)
{
	const int32_t file = fd;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = what,
		.addr = (uintptr_t)&file,
	};

	return vmm_vm_call(device, KVM_SET_DEVICE_ATTR, &attr);
}

int vmm_vfio_announce(const struct vmm_vm_call *vm, const int *fds, size_t n)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	struct vmm_vm_call device = *vm;
	_cleanup_close_ int fd = -1;
	int r = vmm_vm_call(vm, KVM_CREATE_DEVICE, &create);

	if (r < 0)
		return r;
	device.fd = fd = (int)create.fd;
	for (size_t i = 0; i < n; i++) {
		r = change(&device, KVM_DEV_VFIO_GROUP_ADD, fds[i]);
		if (r < 0)
			return r;
	}
	return TAKE_FD(fd);
}

int vmm_vfio_withdraw(const struct vmm_vm_call *device, int fd)
{
	int r = change(device, KVM_DEV_VFIO_GROUP_DEL, fd);

	return r < 0 ? r : 0;
}
