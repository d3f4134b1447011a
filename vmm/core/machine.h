/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The native VMM as a whole: a plan and descriptors in, a guest that runs until it ends. */
#ifndef CARVE_VMM_MACHINE_H
#define CARVE_VMM_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"

#define VMM_DEVICE_FDS_MAX 256

/**
 * struct vmm_machine_input - what a VMM process gets
 * @plan:          borrowed
 * @dir:           VM_DIR: sockets and logs are made there, by the user that the VMM runs as
 * @hypervisor_fd: speaks the KVM ABI
 * @vfio_fd:       container of the devices, -1 when there are none
 * @device_fds:    of plan->devices, by index; owned by the machine
 * @links:         networks, shares and vsock of the plan (plan/plan.h); their fds owned by the machine;
 *                 carve-vmm gets each as --link ID=FD[,FD...]
 * @start_us:      CLOCK_MONOTONIC when the process began, microseconds: phases are told from there
 * @has_sandbox:   threads are locked in (vmm/core/sandbox.h); false for developers alone
 */
struct vmm_machine_input {
	const struct plan *plan;
	const char *dir;
	int hypervisor_fd, vfio_fd;
	const int *device_fds;
	const struct plan_link *links;
	size_t n_links;
	uint64_t start_us;
	bool has_sandbox;
};

/**
 * vmm_machine_main() - make the machine, serve QMP, run the guest when told to, until it ends
 * Return: 0: powered off or quit; 1..255: what the guest wrote to the test exit port, as QEMU's
 * isa-debug-exit tells it; -errno with @err: it could not be made, or could not go on.
 */
int vmm_machine_main(const struct vmm_machine_input *in, struct cv_error *err);

#endif
