/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts of the host: which there are, where they may be delivered, moved elsewhere. */
#ifndef CARVE_NUMA_IRQ_H
#define CARVE_NUMA_IRQ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpulist.h"
#include "base/error.h"
#include "base/sysroot.h"

#define NU_IRQ_KEY 44
#define NU_IRQ_DEFAULT "/proc/irq/default_smp_affinity"

/**
 * struct nu_irq - one interrupt that somebody handles
 * @key:      what it stays known by when it is made anew: "0000:81:00.0/2" (function, number of the MSI
 *            vector), else its number
 * @actions:  names of its handlers, "nvme0q1"
 * @cpus:     where it may be delivered
 * @node:     NUMA node of its device, -1 unknown
 * @is_msi:   made for one function, and gone with its driver
 * @is_guest: all its handlers are VFIO's: it belongs to a guest
 */
struct nu_irq {
	int number;
	char key[NU_IRQ_KEY];
	char actions[96];
	struct cv_cpuset cpus;
	int node;
	bool is_msi;
	bool is_guest;
};

struct nu_irqs {
	struct nu_irq *v;
	size_t n;
};

/** nu_irqs_read() - all interrupts with a handler, by number. Return: 0, -ENOMEM, -errno. */
int nu_irqs_read(struct cv_sysroot *root, struct nu_irqs *ret, struct cv_error *err);
void nu_irqs_done(struct nu_irqs *irqs);
#define _cleanup_irqs_ __attribute__((cleanup(nu_irqs_done)))

/**
 * nu_irq_move() - write where an interrupt may be delivered, and read it back
 *
 * Writes nothing when it is so already. One that vanished is as good as moved.
 * Return: 0; 1 when the kernel manages the interrupt itself and refuses; -errno with @err filled.
 */
int nu_irq_move(struct cv_sysroot *root, const struct nu_irq *irq, const struct cv_cpuset *cpus,
		struct cv_error *err);

/** nu_irq_is_vfio() - are these handlers VFIO's alone, "vfio-msix[0](0000:81:10.0)"? */
bool nu_irq_is_vfio(const char *actions);

/** nu_mask_format() - what nu_parse_cpumask() reads, "ff" or "3,ffffffff". Return: heap string or NULL. */
char *nu_mask_format(const struct cv_cpuset *s);

#endif
