/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of /proc/interrupts (Documentation/filesystems/proc.rst, section 1.2). */
#ifndef CARVE_BASE_INTERRUPTS_H
#define CARVE_BASE_INTERRUPTS_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct cv_interrupt - one line; borrowed for the call
 * @label:  "37", "LOC"
 * @counts: since boot, of CPU @cpus[i]; the kernel counts with 32 bits. @n of them: what is counted for
 *          the whole machine ("ERR", "MIS") has one
 * @what:   chip and handlers: "IR-PCI-MSIX-0000:81:10.0 3-edge vfio-msix[3](0000:81:10.0)"; blanks are
 *          as the kernel wrote them
 */
struct cv_interrupt {
	const char *label;
	const int *cpus;
	const uint64_t *counts;
	size_t n;
	const char *what;
};

/**
 * cv_interrupts_each() - each line in its order
 * @fn: called with each; less than 0 ends it
 * Return: 0; -EINVAL: not that file (a line without a label, or no line of CPUs); -ENOMEM; of @fn.
 */
int cv_interrupts_each(const char *text, int (*fn)(void *ctx, const struct cv_interrupt *line),
		       void *ctx);

#endif
