/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of passed-through devices are delivered where the guest's vCPUs run. */
#ifndef CARVE_NUMA_IRQ_GUEST_H
#define CARVE_NUMA_IRQ_GUEST_H

#include "numa/irq.h"
#include "plan/plan.h"

/** struct nu_guest_irq - @wanted: the host CPU of a vCPU on the guest node of the device */
struct nu_guest_irq {
	struct nu_irq irq;
	int wanted;
};

/**
 * nu_irq_parse_vfio() - function and vector of a handler's name, "vfio-msix[3](0000:81:10.0)"
 * Return: 0, -EINVAL.
 */
int nu_irq_parse_vfio(const char *name, struct cv_bdf *ret_bdf, unsigned int *ret_vector);

/**
 * nu_guest_irqs() - interrupts that VFIO handles for devices of @plan
 *
 * Vector N of the guest's device number D goes to the vCPU number D + N, modulo their number, of those
 * on the node of the device. They vanish with the device, and new ones come whenever the driver in
 * the guest switches MSI on again.
 * Return: 0 and a heap array, -errno.
 */
int nu_guest_irqs(struct cv_sysroot *root, const struct plan *plan, struct nu_guest_irq **ret,
		  size_t *ret_n, struct cv_error *err);

/**
 * nu_guest_irqs_place() - move each to its CPU
 *
 * A line (INTx) outlives the guest: it is noted in the ledger first, so that the undo of the step
 * "irq-affinity" brings it back.
 * Context: the node lock is held.
 * Return: number of interrupts moved, or the first error; the others are moved all the same.
 */
int nu_guest_irqs_place(struct cv_sysroot *root, const struct plan *plan, struct cv_error *err);

#endif
