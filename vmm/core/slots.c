// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/slots.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "vmm/core/vm_call.h"

struct vmm_slots {
	struct vmm_vm_call vm;
	unsigned int max;
	pthread_mutex_t lock;
	bool *is_used; /* guarded by @lock */
	size_t n;      /* of @is_used, guarded by @lock */
};

int vmm_slots_new_on(const struct vmm_vm_call *vm, unsigned int max, struct vmm_slots **ret)
{
	struct vmm_slots *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->vm = *vm;
	s->max = max;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

int vmm_slots_new(int vm_fd, unsigned int max, struct vmm_slots **ret)
{
	const struct vmm_vm_call vm = { .fd = vm_fd };

	return vmm_slots_new_on(&vm, max, ret);
}

void vmm_slots_free(struct vmm_slots *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s->is_used);
	free(s);
}

/* A slot that was given back first: numbers stay low. Return: its number, -ENOSPC, -ENOMEM. */
static int find_slot_locked(struct vmm_slots *s)
{
	bool *grown;

	for (size_t i = 0; i < s->n; i++)
		if (!s->is_used[i])
			return (int)i;
	if (s->n >= s->max)
		return -ENOSPC;
	grown = reallocarray(s->is_used, s->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	s->is_used = grown;
	grown[s->n] = false;
	return (int)s->n++;
}

static int add_locked(struct vmm_slots *s, struct kvm_userspace_memory_region *region)
{
	int slot = find_slot_locked(s), r;

	if (slot < 0)
		return slot;
	region->slot = (uint32_t)slot;
	r = vmm_vm_call(&s->vm, KVM_SET_USER_MEMORY_REGION, region);
	if (r < 0)
		return r;
	s->is_used[slot] = true;
	return slot;
}

int vmm_slots_add(struct vmm_slots *s, uint64_t gpa, void *host, uint64_t size, bool is_readonly)
{
	struct kvm_userspace_memory_region region = {
		.flags = is_readonly ? KVM_MEM_READONLY : 0,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};
	int r;

	if (size == 0) /* that is how a slot is taken away */
		return -EINVAL;
	pthread_mutex_lock(&s->lock);
	r = add_locked(s, &region);
	pthread_mutex_unlock(&s->lock);
	return r;
}

void vmm_slots_remove(struct vmm_slots *s, int slot)
{
	struct kvm_userspace_memory_region region = { .slot = (uint32_t)slot };

	pthread_mutex_lock(&s->lock);
	if (slot >= 0 && (size_t)slot < s->n && s->is_used[slot] &&
	    vmm_vm_call(&s->vm, KVM_SET_USER_MEMORY_REGION, &region) >= 0)
		s->is_used[slot] = false;
	pthread_mutex_unlock(&s->lock);
}
