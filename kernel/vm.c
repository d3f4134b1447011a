// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VM: its file, its slots of memory, its list of vCPUs.
 */
#define pr_fmt(fmt) "carve: " fmt

#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "carve.h"

static void ack(void *unused)
{
}

/**
 * carve_vm_flush() - no vCPU uses an old translation once this returns
 * @vm: the VM
 *
 * vCPUs inside the guest are taken out by an interrupt; every one flushes before it enters again.
 *
 * Context: process; vm->lock.
 */
void carve_vm_flush(struct carve_vm *vm)
{
	struct carve_vcpu *vcpu;
	cpumask_var_t cpus;
	unsigned int i;

	WRITE_ONCE(vm->tlb_generation, vm->tlb_generation + 1);
	/*
	 * Pairs with the barrier of carve_svm_prepare(): a vCPU is seen in_guest, or it sees the
	 * number.
	 */
	smp_mb();
	if (!zalloc_cpumask_var(&cpus, GFP_KERNEL)) {
		on_each_cpu(ack, NULL, 1);
		return;
	}
	for (i = 0; i < vm->vcpu_count; i++) {
		vcpu = vm->vcpu[i];
		if (READ_ONCE(vcpu->in_guest))
			cpumask_set_cpu(READ_ONCE(vcpu->cpu), cpus);
	}
	preempt_disable();
	smp_call_function_many(cpus, ack, NULL, true);
	preempt_enable();
	free_cpumask_var(cpus);
}

static struct carve_slots *slots_of(struct carve_vm *vm)
{
	return rcu_dereference_protected(vm->slots, lockdep_is_held(&vm->lock));
}

static struct carve_slots *slots_new(unsigned int count)
{
	struct carve_slots *slots;

	slots = kvzalloc(struct_size(slots, slot, count), GFP_KERNEL_ACCOUNT);
	if (slots)
		slots->count = count;
	return slots;
}

static struct carve_slot *find_slot(struct carve_slots *slots, u32 id)
{
	unsigned int i;

	for (i = 0; i < slots->count; i++) {
		if (slots->slot[i].id == id)
			return &slots->slot[i];
	}
	return NULL;
}

/* Another slot than @wanted's own lies where it is to be. */
static bool overlaps(const struct carve_slots *slots, const struct carve_slot *wanted)
{
	const struct carve_slot *slot;
	unsigned int i;

	for (i = 0; i < slots->count; i++) {
		slot = &slots->slot[i];
		if (slot->id != wanted->id && slot->gpa < wanted->gpa + wanted->bytes &&
		    wanted->gpa < slot->gpa + slot->bytes)
			return true;
	}
	return false;
}

/* The slots without @id and with @added (NULL: without any more), in order. */
static struct carve_slots *slots_changed(const struct carve_slots *old, u32 id,
					 const struct carve_slot *added)
{
	struct carve_slots *slots = slots_new(old->count + 1);
	unsigned int i, count = 0;

	if (!slots)
		return NULL;
	for (i = 0; i < old->count; i++) {
		if (added && added->gpa < old->slot[i].gpa) {
			slots->slot[count++] = *added;
			added = NULL;
		}
		if (old->slot[i].id != id)
			slots->slot[count++] = old->slot[i];
	}
	if (added)
		slots->slot[count++] = *added;
	slots->count = count;
	return slots;
}

/* Nobody reads the old slots once this returns. */
static void publish(struct carve_vm *vm, struct carve_slots *slots)
{
	struct carve_slots *old = slots_of(vm);

	rcu_assign_pointer(vm->slots, slots);
	synchronize_rcu_expedited();
	kvfree(old);
}

static void unmap(struct carve_vm *vm, u64 gpa, u64 bytes)
{
	LIST_HEAD(unused);

	carve_npt_unmap(&vm->npt, gpa, bytes, &unused);
	carve_vm_flush(vm);
	carve_npt_free(&unused);
}

static int map(struct carve_vm *vm, const struct carve_slot *slot)
{
	int ret = carve_npt_map(&vm->npt, slot->gpa, slot->pin, !(slot->flags & KVM_MEM_READONLY));

	if (ret)
		unmap(vm, slot->gpa, slot->bytes);
	return ret;
}

static int add_slot(struct carve_vm *vm, struct carve_slot *slot)
{
	struct carve_slots *slots;
	int ret = -ENOMEM;

	if (slots_of(vm)->count == CARVE_MAX_SLOTS)
		return -ENOSPC;
	slot->pin = carve_pin_new(slot->hva, slot->bytes >> PAGE_SHIFT,
				  slot->flags & KVM_MEM_READONLY);
	if (IS_ERR(slot->pin))
		return PTR_ERR(slot->pin);
	slots = slots_changed(slots_of(vm), slot->id, slot);
	if (!slots)
		goto unpin;
	ret = map(vm, slot);
	if (ret)
		goto free_slots;
	publish(vm, slots);
	return 0;

free_slots:
	kvfree(slots);
unpin:
	carve_pin_free(slot->pin);
	return ret;
}

static int delete_slot(struct carve_vm *vm, const struct carve_slot *slot)
{
	struct carve_slots *slots = slots_changed(slots_of(vm), slot->id, NULL);
	struct carve_slot gone = *slot; /* slot lies in what publish() frees */

	if (!slots)
		return -ENOMEM;
	publish(vm, slots);
	unmap(vm, gone.gpa, gone.bytes);
	carve_pin_free(gone.pin);
	return 0;
}

/* The same memory elsewhere, or with other flags that change nothing in the tables. */
static int change_slot(struct carve_vm *vm, const struct carve_slot *old, struct carve_slot *wanted)
{
	struct carve_slots *slots;
	u64 old_gpa = old->gpa;
	int ret = 0;

	wanted->pin = old->pin;
	slots = slots_changed(slots_of(vm), wanted->id, wanted);
	if (!slots)
		return -ENOMEM;
	if (wanted->gpa != old_gpa) {
		unmap(vm, old_gpa, wanted->bytes);
		ret = map(vm, wanted);
	}
	if (ret) {
		/* The tables held more a moment ago: there is memory for what was there. */
		kvfree(slots);
		carve_npt_map(&vm->npt, old_gpa, wanted->pin, !(wanted->flags & KVM_MEM_READONLY));
		return ret;
	}
	publish(vm, slots);
	return 0;
}

/* What KVM refuses of a region by itself: virt/kvm/api.rst, KVM_SET_USER_MEMORY_REGION. */
static int check_region(const struct kvm_userspace_memory_region *region)
{
	u64 bytes = region->memory_size, gpa = region->guest_phys_addr,
	    hva = region->userspace_addr;

	if (region->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if (region->slot >= CARVE_MAX_SLOTS)
		return -EINVAL;
	if (!PAGE_ALIGNED(bytes) || !PAGE_ALIGNED(gpa) || !PAGE_ALIGNED(hva))
		return -EINVAL;
	if (!access_ok((void __user *)hva, bytes))
		return -EINVAL;
	if (gpa + bytes < gpa || gpa + bytes > carve_npt_max())
		return -EINVAL;
	return (bytes >> PAGE_SHIFT) > (1ULL << 31) - 1 ? -EINVAL : 0;
}

static int set_region_locked(struct carve_vm *vm, struct carve_slot *wanted)
{
	struct carve_slot *old = find_slot(slots_of(vm), wanted->id);

	if (!wanted->bytes)
		return old ? delete_slot(vm, old) : -EINVAL;
	if (old && (old->hva != wanted->hva || old->bytes != wanted->bytes ||
		    ((old->flags ^ wanted->flags) & KVM_MEM_READONLY)))
		return -EINVAL;
	if (overlaps(slots_of(vm), wanted))
		return -EEXIST;
	if (!old)
		return add_slot(vm, wanted);
	if (old->gpa == wanted->gpa && old->flags == wanted->flags)
		return 0;
	return change_slot(vm, old, wanted);
}

static int set_region(struct carve_vm *vm, const void __user *user)
{
	struct kvm_userspace_memory_region region;
	struct carve_slot wanted;
	int ret;

	if (copy_from_user(&region, user, sizeof(region)))
		return -EFAULT;
	ret = check_region(&region);
	if (ret)
		return ret;
	wanted = (struct carve_slot){ .id = region.slot,
				      .gpa = region.guest_phys_addr,
				      .bytes = region.memory_size,
				      .hva = region.userspace_addr,
				      .flags = region.flags };
	mutex_lock(&vm->lock);
	ret = set_region_locked(vm, &wanted);
	mutex_unlock(&vm->lock);
	return ret;
}

/* Nothing is logged: every page may have been written, which is what a superset says. */
static int get_dirty_log(struct carve_vm *vm, const void __user *user)
{
	struct kvm_dirty_log log;
	struct carve_slot *slot;
	u64 bytes = 0;
	u8 __user *bitmap;

	if (copy_from_user(&log, user, sizeof(log)))
		return -EFAULT;
	if (log.slot >= CARVE_MAX_SLOTS)
		return -EINVAL;
	mutex_lock(&vm->lock);
	slot = find_slot(slots_of(vm), log.slot);
	if (slot && (slot->flags & KVM_MEM_LOG_DIRTY_PAGES))
		bytes = BITS_TO_LONGS(slot->bytes >> PAGE_SHIFT) * sizeof(long);
	mutex_unlock(&vm->lock);
	if (!bytes)
		return -ENOENT;
	for (bitmap = log.dirty_bitmap; bytes; bitmap++, bytes--) {
		if (put_user(0xff, bitmap))
			return -EFAULT;
	}
	return 0;
}

/* AMD needs no page of its own for real mode; the address is kept as KVM would. */
static int set_identity_map(struct carve_vm *vm, const void __user *user)
{
	u64 address;
	int ret = 0;

	if (copy_from_user(&address, user, sizeof(address)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	if (vm->vcpu_count)
		ret = -EINVAL;
	else
		vm->identity_map = address;
	mutex_unlock(&vm->lock);
	return ret;
}

/* Three pages below 4 GiB: what does not fit is refused, though nothing lies there on AMD. */
static int set_tss_address(unsigned long address)
{
	return address > (u32)(-3 * PAGE_SIZE) ? -EINVAL : 0;
}

static long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct carve_vm *vm = file->private_data;
	void __user *user = (void __user *)arg;

	/* Memory is that of the process that made the VM: nobody else may give any. */
	if (vm->mm != current->mm)
		return -EIO;
	switch (cmd) {
	case KVM_CREATE_VCPU:
		return carve_vcpu_create(vm, arg);
	case KVM_SET_USER_MEMORY_REGION:
		return set_region(vm, user);
	case KVM_GET_DIRTY_LOG:
		return get_dirty_log(vm, user);
	case KVM_SET_TSS_ADDR:
		return set_tss_address(arg);
	case KVM_SET_IDENTITY_MAP_ADDR:
		return set_identity_map(vm, user);
	case KVM_CHECK_EXTENSION:
		return carve_check_extension(arg);
	default:
		return -ENOTTY;
	}
}

static int vm_release(struct inode *inode, struct file *file)
{
	carve_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_ops = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static void free_slots(struct carve_vm *vm)
{
	struct carve_slots *slots = rcu_dereference_protected(vm->slots, true);
	unsigned int i;

	for (i = 0; i < slots->count; i++)
		carve_pin_free(slots->slot[i].pin);
	kvfree(slots);
}

/* The last file is closed: no vCPU runs, and nobody can reach the VM. */
static void vm_free(struct kref *refs)
{
	struct carve_vm *vm = container_of(refs, struct carve_vm, refs);
	unsigned int i;

	for (i = 0; i < vm->vcpu_count; i++)
		carve_vcpu_free(vm->vcpu[i]);
	carve_npt_done(&vm->npt);
	free_slots(vm);
	mmdrop(vm->mm);
	kvfree(vm);
	carve_vm_end();
}

/**
 * carve_vm_put() - gives one reference back; the last one frees the VM
 * @vm: the VM
 *
 * Context: process; sleeps.
 */
void carve_vm_put(struct carve_vm *vm)
{
	kref_put(&vm->refs, vm_free);
}

static struct carve_vm *vm_new(void)
{
	struct carve_vm *vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	struct carve_slots *slots;

	if (!vm)
		return NULL;
	slots = slots_new(0);
	if (!slots || carve_npt_init(&vm->npt)) {
		kvfree(slots);
		kvfree(vm);
		return NULL;
	}
	kref_init(&vm->refs);
	mutex_init(&vm->lock);
	rcu_assign_pointer(vm->slots, slots);
	vm->tlb_generation = 1;
	/* The guest's counter begins at 0 when the VM does, and is one for all vCPUs. */
	vm->tsc_offset = -rdtsc();
	vm->mm = current->mm;
	mmgrab(vm->mm);
	return vm;
}

/**
 * carve_vm_create() - KVM_CREATE_VM
 *
 * Return: the file descriptor of a new VM, -EBUSY while the machine suspends or reboots, -ENOMEM,
 * -EMFILE.
 */
int carve_vm_create(void)
{
	struct carve_vm *vm;
	int ret = carve_vm_begin();

	if (ret)
		return ret;
	vm = vm_new();
	if (!vm) {
		carve_vm_end();
		return -ENOMEM;
	}
	ret = anon_inode_getfd("carve-vm", &vm_ops, vm, O_RDWR | O_CLOEXEC);
	if (ret < 0)
		carve_vm_put(vm);
	return ret;
}
