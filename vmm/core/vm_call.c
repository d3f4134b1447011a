// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/vm_call.h"

#include <errno.h>
#include <sys/ioctl.h>

int vmm_vm_call(const struct vmm_vm_call *vm, unsigned long request, void *arg)
{
	int r;

	if (vm->call)
		return vm->call(vm->ctx, vm->fd, request, arg);
	r = ioctl(vm->fd, request, arg);
	return r < 0 ? -errno : r;
}
