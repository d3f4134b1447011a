/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which CPUs the kernel keeps its own work away from. */
#ifndef CARVE_NUMA_ISOLATION_H
#define CARVE_NUMA_ISOLATION_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_isolation_read() - @host->isolated, nohz_full and rcu_nocbs
 * @cmdline: of the kernel, whole: only it says which CPUs rcu_nocbs= named
 *
 * By effect: nohz_full takes the RCU callbacks away too (Documentation/timers/no_hz.rst), and a
 * list that the kernel refused is no isolation.
 */
void nu_isolation_read(struct cv_sysroot *root, const char *cmdline, struct inv_host *host);

/** nu_isolation_mark() - the marks of @inv->cpus; isolated partitions count as isolated. */
void nu_isolation_mark(struct inventory *inv);

#endif
