/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The descriptors of a plan's devices for a VMM that opens none itself. */
#ifndef CARVE_TOOLS_LAUNCH_DEVICES_H
#define CARVE_TOOLS_LAUNCH_DEVICES_H

#include "base/sysroot.h"
#include "plan/plan.h"
#include "vfio-ext/user/vfio.h"
#include "vmm/backend/backend.h"

/** struct launch_devices - zeroed before use; launch_devices_done() */
struct launch_devices {
	struct vx_open open;
	int *fds;
	size_t n;
};

/**
 * launch_devices_open() - open the groups of @p's devices, and the devices, as root
 * Return: 0, -EBUSY (a group is open elsewhere), -EPERM (a function of the group has a host driver),
 * -errno.
 */
int launch_devices_open(struct cv_sysroot *root, const struct plan *p, struct launch_devices *ret,
			struct cv_error *err);
void launch_devices_done(struct launch_devices *d);

#endif
