// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module: parameters, /dev/carve, and the ioctls that belong to no VM.
 * The numbers and structures of every ioctl are those of <linux/kvm.h>.
 */
#define pr_fmt(fmt) "carve: " fmt

#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/miscdevice.h>
#include <linux/module.h>

#include "carve.h"

module_param_named(share, carve_share, bool, 0444);
MODULE_PARM_DESC(share,
		 "Use the SVM that kvm-amd switched on instead of refusing to load beside it");

/*
 * What KVM_CHECK_EXTENSION answers; anything else is 0. Deliberately 0: KVM_CAP_SYNC_MMU, for
 * memory is pinned, not followed.
 */
static const struct {
	u32 cap;
	u32 value;
} capabilities[] = {
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_NR_VCPUS, 0 }, /* the CPUs that are online */
	{ KVM_CAP_NR_MEMSLOTS, CARVE_MAX_SLOTS },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XCRS, 1 },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_X86_ROBUST_SINGLESTEP, 1 },
	{ KVM_CAP_MAX_VCPUS, CARVE_MAX_VCPUS },
	{ KVM_CAP_MAX_VCPU_ID, CARVE_MAX_VCPUS },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
};

/**
 * carve_check_extension() - the answer of KVM_CHECK_EXTENSION
 * @cap: KVM_CAP_*
 *
 * Return: 0 for what is not there, else what KVM's documentation gives that capability as value.
 */
long carve_check_extension(unsigned long cap)
{
	size_t i;

	if (cap == KVM_CAP_NR_VCPUS)
		return min_t(unsigned int, num_online_cpus(), CARVE_MAX_VCPUS);
	for (i = 0; i < ARRAY_SIZE(capabilities); i++) {
		if (capabilities[i].cap == cap)
			return capabilities[i].value;
	}
	return 0;
}

/* Ioctls that take no argument refuse one. */
static long without_argument(unsigned long arg, long value)
{
	return arg ? -EINVAL : value;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case KVM_GET_API_VERSION:
		return without_argument(arg, KVM_API_VERSION);
	case KVM_CREATE_VM:
		return without_argument(arg, 0) ?: carve_vm_create();
	case KVM_CHECK_EXTENSION:
		return carve_check_extension(arg);
	case KVM_GET_VCPU_MMAP_SIZE:
		return without_argument(arg, CARVE_RUN_PAGES * PAGE_SIZE);
	case KVM_GET_SUPPORTED_CPUID:
		return carve_cpuid_supported(user);
	case KVM_GET_MSR_INDEX_LIST:
		return carve_msr_index_list(user);
	case KVM_GET_MSR_FEATURE_INDEX_LIST:
		return carve_msr_feature_list(user);
	case KVM_GET_MSRS:
		return carve_msr_features(user);
	default:
		/* What KVM answers to a number that it does not know on this kind of file. */
		return -EINVAL;
	}
}

static const struct file_operations device_ops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "carve",
	.fops = &device_ops,
};

static int __init carve_init(void)
{
	int ret = carve_cpus_init();

	if (ret)
		return ret;
	ret = carve_svm_init();
	if (ret)
		goto stop_cpus;
	ret = misc_register(&device);
	if (ret)
		goto stop_svm;
	pr_info("AMD SVM on %u CPUs%s\n", num_online_cpus(),
		carve_share ? ", shared with kvm-amd" : "");
	return 0;

stop_svm:
	carve_svm_done();
stop_cpus:
	carve_cpus_done();
	return ret;
}

static void __exit carve_exit(void)
{
	misc_deregister(&device);
	carve_svm_done();
	carve_cpus_done();
}

module_init(carve_init);
module_exit(carve_exit);
MODULE_DESCRIPTION("Carve hypervisor with the KVM ABI");
MODULE_LICENSE("GPL");
