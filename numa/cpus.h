/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUs from sysfs: packages, dies, caches, cores and SMT threads. */
#ifndef CARVE_NUMA_CPUS_H
#define CARVE_NUMA_CPUS_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/** nu_online_read() - @inv->host.online. Return: 0, -EINVAL when it is empty, -errno. */
int nu_online_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

/**
 * nu_cpus_new() - @inv->cpus: one entry per CPU of @inv->host.online, of which only the node is known
 * Return: 0, -ENOMEM.
 */
int nu_cpus_new(struct inventory *inv, struct cv_error *err);

/**
 * nu_cpus_read() - the topology of @inv->cpus, and the caches of the first one
 *
 * Every group of CPUs is read once, of the CPU with the lowest id in it. Cores and caches are
 * numbered in the order in which the CPUs, by id, meet them; packages and dies by the kernel.
 * Return: 0; -EINVAL when an online CPU has no topology, or cores overlap; -errno.
 */
int nu_cpus_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

#endif
