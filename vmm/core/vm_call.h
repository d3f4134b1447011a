/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one way to the descriptors of the hypervisor and its VM for who asks what they can, and sets up
 * interrupts and memslots; tests put their own answer there. */
#ifndef CARVE_VMM_VM_CALL_H
#define CARVE_VMM_VM_CALL_H

/**
 * struct vmm_vm_call - @fd borrowed
 * @call: NULL: ioctl(2). Returns 0 or more, -errno
 */
struct vmm_vm_call {
	int fd;
	int (*call)(void *ctx, int fd, unsigned long request, void *arg);
	void *ctx;
};

/** vmm_vm_call() - Return: what the call returned, -errno. */
int vmm_vm_call(const struct vmm_vm_call *vm, unsigned long request, void *arg);

#endif
