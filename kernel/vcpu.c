// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vCPU: its file, the page it shares with the user, its ioctls.
 */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "carve.h"

static int get_regs(struct carve_vcpu *vcpu, void *data)
{
	carve_get_regs(vcpu, data);
	return 0;
}

static int set_regs(struct carve_vcpu *vcpu, void *data)
{
	carve_set_regs(vcpu, data);
	return 0;
}

static int get_sregs(struct carve_vcpu *vcpu, void *data)
{
	carve_get_sregs(vcpu, data);
	return 0;
}

static int set_sregs(struct carve_vcpu *vcpu, void *data)
{
	return carve_set_sregs(vcpu, data);
}

static int get_debugregs(struct carve_vcpu *vcpu, void *data)
{
	carve_get_debugregs(vcpu, data);
	return 0;
}

static int set_debugregs(struct carve_vcpu *vcpu, void *data)
{
	return carve_set_debugregs(vcpu, data);
}

static int get_events(struct carve_vcpu *vcpu, void *data)
{
	carve_get_events(vcpu, data);
	return 0;
}

static int set_events(struct carve_vcpu *vcpu, void *data)
{
	return carve_set_events(vcpu, data);
}

static int get_fpu(struct carve_vcpu *vcpu, void *data)
{
	carve_fpu_get(vcpu, data);
	return 0;
}

static int set_fpu(struct carve_vcpu *vcpu, void *data)
{
	return carve_fpu_set(vcpu, data);
}

static int get_xsave(struct carve_vcpu *vcpu, void *data)
{
	carve_fpu_get_xsave(vcpu, data);
	return 0;
}

static int set_xsave(struct carve_vcpu *vcpu, void *data)
{
	return carve_fpu_set_xsave(vcpu, data);
}

static int get_xcrs(struct carve_vcpu *vcpu, void *data)
{
	struct kvm_xcrs *xcrs = data;

	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].value = vcpu->xcr0;
	return 0;
}

static int set_xcrs(struct carve_vcpu *vcpu, void *data)
{
	const struct kvm_xcrs *xcrs = data;
	u32 i;

	if (xcrs->nr_xcrs > KVM_MAX_XCRS || xcrs->flags)
		return -EINVAL;
	for (i = 0; i < xcrs->nr_xcrs; i++) {
		if (!xcrs->xcrs[i].xcr)
			return carve_fpu_set_xcr0(vcpu, xcrs->xcrs[i].value);
	}
	return 0;
}

static int get_mp_state(struct carve_vcpu *vcpu, void *data)
{
	struct kvm_mp_state *state = data;

	state->mp_state = vcpu->mp_state;
	return 0;
}

/* Without an interrupt controller in the kernel a vCPU only ever runs. */
static int set_mp_state(struct carve_vcpu *vcpu, void *data)
{
	const struct kvm_mp_state *state = data;

	return state->mp_state == KVM_MP_STATE_RUNNABLE ? 0 : -EINVAL;
}

static int interrupt(struct carve_vcpu *vcpu, void *data)
{
	const struct kvm_interrupt *irq = data;

	if (irq->irq > 255)
		return -EINVAL;
	vcpu->user_interrupt = irq->irq;
	return 0;
}

static int nmi(struct carve_vcpu *vcpu, void *data)
{
	vcpu->nmi_pending = true;
	return 0;
}

static int tsc_khz_of(struct carve_vcpu *vcpu, void *data)
{
	return tsc_khz;
}

/*
 * The ioctls whose argument is one structure of a fixed size: copied in and out as the number says,
 * with vcpu->lock held.
 */
static const struct {
	unsigned int cmd;
	int (*call)(struct carve_vcpu *vcpu, void *data);
} calls[] = {
	{ KVM_GET_REGS, get_regs },
	{ KVM_SET_REGS, set_regs },
	{ KVM_GET_SREGS, get_sregs },
	{ KVM_SET_SREGS, set_sregs },
	{ KVM_GET_DEBUGREGS, get_debugregs },
	{ KVM_SET_DEBUGREGS, set_debugregs },
	{ KVM_GET_VCPU_EVENTS, get_events },
	{ KVM_SET_VCPU_EVENTS, set_events },
	{ KVM_GET_FPU, get_fpu },
	{ KVM_SET_FPU, set_fpu },
	{ KVM_GET_XSAVE, get_xsave },
	{ KVM_SET_XSAVE, set_xsave },
	{ KVM_GET_XCRS, get_xcrs },
	{ KVM_SET_XCRS, set_xcrs },
	{ KVM_GET_MP_STATE, get_mp_state },
	{ KVM_SET_MP_STATE, set_mp_state },
	{ KVM_INTERRUPT, interrupt },
	{ KVM_NMI, nmi },
	{ KVM_GET_TSC_KHZ, tsc_khz_of },
};

static int call_with(struct carve_vcpu *vcpu, size_t i, void __user *user)
{
	unsigned int cmd = calls[i].cmd;
	void *data;
	int ret;

	if (!_IOC_SIZE(cmd))
		return calls[i].call(vcpu, NULL);
	data = kzalloc(_IOC_SIZE(cmd), GFP_KERNEL_ACCOUNT);
	if (!data)
		return -ENOMEM;
	ret = (_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(data, user, _IOC_SIZE(cmd)) ? -EFAULT
											 : 0;
	if (!ret)
		ret = calls[i].call(vcpu, data);
	if (ret >= 0 && (_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, data, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	kfree(data);
	return ret;
}

static long vcpu_ioctl_locked(struct carve_vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	size_t i;

	switch (cmd) {
	case KVM_RUN:
		return arg ? -EINVAL : carve_vcpu_run(vcpu);
	case KVM_SET_CPUID2:
		return carve_cpuid_set(vcpu, user);
	case KVM_GET_CPUID2:
		return carve_cpuid_get(vcpu, user);
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return carve_msr_io(vcpu, user, cmd == KVM_SET_MSRS);
	}
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].cmd == cmd)
			return call_with(vcpu, i, user);
	}
	return -EINVAL;
}

static long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct carve_vcpu *vcpu = file->private_data;
	long ret;

	if (vcpu->vm->mm != current->mm)
		return -EIO;
	if (_IOC_TYPE(cmd) != KVMIO)
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->lock))
		return -EINTR;
	ret = vcpu_ioctl_locked(vcpu, cmd, arg);
	mutex_unlock(&vcpu->lock);
	return ret;
}

static vm_fault_t run_fault(struct vm_fault *fault)
{
	struct carve_vcpu *vcpu = fault->vma->vm_file->private_data;

	if (fault->pgoff >= CARVE_RUN_PAGES)
		return VM_FAULT_SIGBUS;
	get_page(vcpu->run_page[fault->pgoff]);
	fault->page = vcpu->run_page[fault->pgoff];
	return 0;
}

static const struct vm_operations_struct run_ops = { .fault = run_fault };

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &run_ops;
	return 0;
}

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct carve_vcpu *vcpu = file->private_data;

	carve_vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_ops = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

/**
 * carve_vcpu_free() - frees a vCPU
 * @vcpu: consumed; may be half made
 *
 * Context: process; nobody can reach it.
 */
void carve_vcpu_free(struct carve_vcpu *vcpu)
{
	unsigned int i;

	carve_svm_vcpu_free(vcpu);
	carve_fpu_free(vcpu);
	kvfree(vcpu->cpuid);
	for (i = 0; i < CARVE_RUN_PAGES; i++) {
		if (vcpu->run_page[i])
			__free_page(vcpu->run_page[i]);
	}
	kfree(vcpu);
}

static int vcpu_init(struct carve_vcpu *vcpu)
{
	unsigned int i;
	int ret;

	for (i = 0; i < CARVE_RUN_PAGES; i++) {
		vcpu->run_page[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!vcpu->run_page[i])
			return -ENOMEM;
	}
	vcpu->run = page_address(vcpu->run_page[CARVE_RUN_PAGE]);
	ret = carve_svm_vcpu_new(vcpu);
	if (!ret)
		ret = carve_fpu_new(vcpu);
	if (ret)
		return ret;
	mutex_init(&vcpu->lock);
	vcpu->cpu = -1;
	carve_vcpu_reset(vcpu);
	return 0;
}

static struct carve_vcpu *vcpu_new(struct carve_vm *vm, u32 id)
{
	struct carve_vcpu *vcpu = kzalloc(sizeof(*vcpu), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	ret = vcpu_init(vcpu);
	if (!ret)
		return vcpu;
	carve_vcpu_free(vcpu);
	return ERR_PTR(ret);
}

/* Makes the vCPU known to its VM and to the user; both or none. */
static int vcpu_publish(struct carve_vm *vm, struct carve_vcpu *vcpu)
{
	int fd;

	kref_get(&vm->refs);
	fd = anon_inode_getfd("carve-vcpu", &vcpu_ops, vcpu, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		carve_vm_put(vm);
		return fd;
	}
	return fd;
}

static int vcpu_create_locked(struct carve_vm *vm, u32 id)
{
	struct carve_vcpu *vcpu;
	unsigned int i;
	int fd;

	if (vm->vcpu_count == CARVE_MAX_VCPUS)
		return -EINVAL;
	for (i = 0; i < vm->vcpu_count; i++) {
		if (vm->vcpu[i]->id == id)
			return -EEXIST;
	}
	vcpu = vcpu_new(vm, id);
	if (IS_ERR(vcpu))
		return PTR_ERR(vcpu);
	/*
	 * In the list first: once the file is there the user may close all, which frees the list's
	 * vCPUs.
	 */
	vm->vcpu[vm->vcpu_count++] = vcpu;
	fd = vcpu_publish(vm, vcpu);
	if (fd < 0) {
		vm->vcpu[--vm->vcpu_count] = NULL;
		carve_vcpu_free(vcpu);
	}
	return fd;
}

/**
 * carve_vcpu_create() - KVM_CREATE_VCPU
 * @vm: the VM
 * @id: the vCPU's number, which is its APIC ID
 *
 * Return: the file descriptor; -EINVAL for a number too large, -EEXIST for one that is taken,
 * -ENOMEM.
 */
int carve_vcpu_create(struct carve_vm *vm, unsigned long id)
{
	int ret;

	if (id >= CARVE_MAX_VCPUS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	ret = vcpu_create_locked(vm, id);
	mutex_unlock(&vm->lock);
	return ret;
}
