/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers of a vCPU: at its start, and after a reset. Not a public header of vmm/core. */
#ifndef CARVE_VMM_VCPU_STATE_H
#define CARVE_VMM_VCPU_STATE_H

#include <linux/kvm.h>

#include "base/error.h"
#include "vmm/boot/loader.h"

/** struct vmm_power_on - what a reset brings back */
struct vmm_power_on {
	struct kvm_lapic_state lapic;
};

/** vmm_state_begin() - a new vCPU: memory types, and what a reset will need. Return: 0, -errno. */
int vmm_state_begin(int vcpu_fd, struct vmm_power_on *ret, struct cv_error *err);
/** vmm_state_enter() - vCPU 0 begins at @e. Return: 0, -errno. */
int vmm_state_enter(int vcpu_fd, const struct vmm_entry *e, struct cv_error *err);
/** vmm_state_reset() - back to power-on; @is_first: it runs, else it waits for INIT and SIPI. */
int vmm_state_reset(int vcpu_fd, const struct vmm_power_on *p, bool is_first, struct cv_error *err);

#endif
