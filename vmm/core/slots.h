/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memslots: what of the VMM's address space the guest sees at which guest address. */
#ifndef CARVE_VMM_SLOTS_H
#define CARVE_VMM_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vmm_slots;
struct vmm_vm_call;

int vmm_slots_new(int vm_fd, unsigned int max, struct vmm_slots **ret);
/** vmm_slots_new_on() - like vmm_slots_new(), by way of @vm (copied). */
int vmm_slots_new_on(const struct vmm_vm_call *vm, unsigned int max, struct vmm_slots **ret);
/** vmm_slots_free() - the guest keeps what it sees: for the end of the VM. */
void vmm_slots_free(struct vmm_slots *s);
/** vmm_slots_add() - Context: any thread. Return: the slot, -ENOSPC, -errno. */
int vmm_slots_add(struct vmm_slots *s, uint64_t gpa, void *host, uint64_t size, bool is_readonly);
void vmm_slots_remove(struct vmm_slots *s, int slot);

#endif
