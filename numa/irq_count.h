/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many interrupts came, by CPU, and by vector of passed-through devices (/proc/interrupts). */
#ifndef CARVE_NUMA_IRQ_COUNT_H
#define CARVE_NUMA_IRQ_COUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/cpulist.h"
#include "base/sysroot.h"

/** struct nu_vector - of a function that VFIO has; @count: on all CPUs */
struct nu_vector {
	struct cv_bdf bdf;
	unsigned int number;
	uint32_t count;
};

/**
 * struct nu_irq_counts - since boot, modulo 2^32 as the kernel counts; zeroed before use
 * @cpus:   CPUs that are counted
 * @host:   by CPU: of the host, timers and such included
 * @device: by CPU: of passed-through devices, posted ones included (label "PIN")
 */
struct nu_irq_counts {
	struct cv_cpuset cpus;
	uint32_t *host, *device;
	struct nu_vector *vectors;
	size_t n_vectors;
};
void nu_irq_counts_done(struct nu_irq_counts *c);
#define _cleanup_irq_counts_ __attribute__((cleanup(nu_irq_counts_done)))

/** nu_irq_counts_parse() - Return: 0, -EINVAL (not that file), -ENOMEM. */
int nu_irq_counts_parse(const char *text, struct nu_irq_counts *ret);
/** nu_irq_counts_now() - of the running host. Return: 0, -EINVAL, -ENOMEM, -errno. */
int nu_irq_counts_now(struct cv_sysroot *root, struct nu_irq_counts *ret);

#endif
