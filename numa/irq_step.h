/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's interrupts are kept off the CPUs of guests. */
#ifndef CARVE_NUMA_IRQ_STEP_H
#define CARVE_NUMA_IRQ_STEP_H

#include "base/step.h"
#include "numa/irq_ledger.h"

#define NU_IRQ_DIR "/proc/irq"

/*
 * Kind "irq-affinity", own scope; object NU_IRQ_DIR, value "off=2-3 on=0,4": no interrupt of the host is
 * delivered to the CPUs of "off" any more, nor a new one (default_smp_affinity). Each keeps what is left
 * of its CPUs; one without any goes to the CPUs of "on", those of its own node first.
 *
 * Guests share interrupts. Where each one was before the first guest is in a file of the node
 * (numa/irq_ledger.h); what it may use now follows from that and from all guests that are there. So a
 * revert gives back this guest's CPUs only, and the last one leaves everything as it was. The step is
 * the first of a plan and undone last: interrupts that a driver makes anew in between are seen, too.
 */
extern const struct cv_step_ops nu_step_irq_affinity;

/**
 * nu_irqs_keep_off() - move what came to the guests' CPUs since the step (a driver spread its vectors)
 * Context: the node lock is held.
 * Return: number of interrupts moved, -errno.
 */
int nu_irqs_keep_off(struct cv_sysroot *root, struct cv_error *err);

struct nu_irq;
/**
 * nu_irq_is_astray() - is it delivered to a guest's CPUs though it could be moved?
 * @ret_wanted: where it may be delivered; may be NULL
 */
bool nu_irq_is_astray(struct cv_sysroot *root, const struct nu_irq_ledger *l,
		      const struct nu_irq_policy *p, const struct nu_irq *irq,
		      struct cv_cpuset *ret_wanted);

#endif
