/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio devices on bus 0 of a libvirt domain: disks, networks, shares and vsock. */
#ifndef CARVE_PLAN_LIBVIRT_VIRTIO_H
#define CARVE_PLAN_LIBVIRT_VIRTIO_H

#include <stdbool.h>

#include "plan/plan.h"
#include "plan/xml.h"

/** libvirt_put_virtio() - all of them, inside devices. */
void libvirt_put_virtio(struct xml *x, const struct plan *p);

/**
 * libvirt_put_address() - where a device is in the guest
 * @controller: index of the one that the device sits behind
 * @is_shared:  it is function 0 and there are others
 */
void libvirt_put_address(struct xml *x, unsigned int controller, struct cv_bdf guest,
			 bool is_shared);

#endif
