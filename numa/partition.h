/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpuset partitions of the host, whoever made them. */
#ifndef CARVE_NUMA_PARTITION_H
#define CARVE_NUMA_PARTITION_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_partitions_read() - @inv->partitions: cgroups that read "root" or "isolated", by path
 *
 * Only cgroups that have the cpuset controller are looked into, NU_PARTITION_DEPTH levels deep
 * (Documentation/admin-guide/cgroup-v2.rst, "cpuset.cpus.partition"). One that vanishes meanwhile,
 * or whose path is longer than the inventory holds, is left out; the root cgroup is no entry.
 * Return: 0, -ENOMEM with @err.
 */
#define NU_PARTITION_DEPTH 8
int nu_partitions_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

#endif
