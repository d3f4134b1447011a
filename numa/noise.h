/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What disturbs pinned guests: for the audit. */
#ifndef CARVE_NUMA_NOISE_H
#define CARVE_NUMA_NOISE_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_noise_read() - @host->noise; what the kernel does not show is "" or -1
 * @cmdline: of the kernel, whole
 */
void nu_noise_read(struct cv_sysroot *root, const char *cmdline, struct inv_host *host);

/**
 * nu_irq_counts_read() - irqs of @inv->cpus: the host's interrupts by their effective affinity, without
 * those of passed-through devices; -1 where /proc/irq cannot be listed
 * Return: 0, -ENOMEM.
 */
int nu_irq_counts_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

#endif
