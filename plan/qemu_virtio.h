/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio devices on bus 0 of a QEMU command line: disks, networks, shares and vsock. */
#ifndef CARVE_PLAN_QEMU_VIRTIO_H
#define CARVE_PLAN_QEMU_VIRTIO_H

#include "plan/plan.h"

/** qemu_escaped() - text as a value of QEMU's options, which double a comma. Heap string or NULL. */
char *qemu_escaped(const char *s);

/** qemu_virtio() - append the options for all of them. Return: 0, -ENOMEM. */
int qemu_virtio(const struct plan *p, const struct plan_qemu *q, struct cv_strv *a);

#endif
