/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUs: packages, dies, caches, cores and SMT threads. */
#ifndef CARVE_NUMA_TOPOLOGY_H
#define CARVE_NUMA_TOPOLOGY_H

#include "base/error.h"
#include "plan/inventory.h"

/**
 * nu_topology_read() - fill @inv->cpus: one entry per CPU of @inv->host.online
 * @inv: host lists and nodes are filled already
 *
 * Cores and caches are numbered in the order in which the CPUs, by id, meet them.
 * Return: 0; -ENOMEM; -EIO when the library that reads the topology fails; -EINVAL when an online
 * CPU has no topology.
 */
int nu_topology_read(struct inventory *inv, struct cv_error *err);

#endif
