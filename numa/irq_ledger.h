/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which guests keep interrupts off their CPUs, and where each interrupt was before the first of them
 * (docs/formats/journal.md). One file for the node: guests come and go in any order. */
#ifndef CARVE_NUMA_IRQ_LEDGER_H
#define CARVE_NUMA_IRQ_LEDGER_H

#include <stdbool.h>

#include "base/cpulist.h"
#include "base/error.h"
#include "base/json.h"
#include "base/sysroot.h"

#define NU_IRQ_LEDGER_VERSION 1

/**
 * struct nu_irq_ledger - all members are owned, none is NULL once read
 * @holders: VM name to the value of its step, "off=2-3 on=0,4"
 * @irqs:    key of an interrupt (struct nu_irq) to its CPU list before
 * @managed: key of an interrupt that the kernel does not let go, to its handlers
 * @dflt:    text of /proc/irq/default_smp_affinity before; JSON null: not known
 */
struct nu_irq_ledger {
	json_t *holders;
	json_t *irqs;
	json_t *managed;
	json_t *dflt;
};

/** struct nu_irq_policy - what the holders want together */
struct nu_irq_policy {
	struct cv_cpuset off;	 /* no interrupt of the host here */
	struct cv_cpuset on;	 /* where those go that could be nowhere else */
	struct cv_cpuset online; /* CPUs of the host */
};

/** nu_irq_ledger_read() - no file: no holders. Return: 0, -EINVAL, -EPROTONOSUPPORT, -errno. */
int nu_irq_ledger_read(struct cv_sysroot *root, struct nu_irq_ledger *ret, struct cv_error *err);
/** nu_irq_ledger_write() - durable; without holders the file goes. */
int nu_irq_ledger_write(struct cv_sysroot *root, const struct nu_irq_ledger *l,
			struct cv_error *err);
void nu_irq_ledger_done(struct nu_irq_ledger *l);
#define _cleanup_irq_ledger_ __attribute__((cleanup(nu_irq_ledger_done)))

/** nu_irq_value() - the value of a step, "off=LIST on=LIST". Return: 0, -EINVAL. */
int nu_irq_value(const char *value, struct cv_cpuset *ret_off, struct cv_cpuset *ret_on);
/** nu_irq_policy() - of all holders but @without (NULL: all). Return: 0, -errno. */
int nu_irq_policy(struct cv_sysroot *root, const struct nu_irq_ledger *l, const char *without,
		  struct nu_irq_policy *ret, struct cv_error *err);
/** nu_irq_before() - CPUs of an interrupt before the first guest. Return: is it known? */
bool nu_irq_before(const struct nu_irq_ledger *l, const char *key, struct cv_cpuset *ret);
/** nu_irq_default_before() - CPUs of new interrupts before the first guest. Return: is it known? */
bool nu_irq_default_before(const struct nu_irq_ledger *l, struct cv_cpuset *ret);
/** nu_irq_remember() - @cpus as those before the first guest. Return: 0, -ENOMEM. */
int nu_irq_remember(json_t *irqs, const char *key, const struct cv_cpuset *cpus);
/**
 * nu_irq_allowed() - where an interrupt that was on @before may be delivered now
 * @node: of its device, -1 unknown: when none of @before is left, CPUs of this node are taken first
 */
void nu_irq_allowed(struct cv_sysroot *root, const struct nu_irq_policy *p, int node,
		    const struct cv_cpuset *before, struct cv_cpuset *ret);

#endif
