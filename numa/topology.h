/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUs, caches and nodes by hwloc: from XML, or by its own discovery. */
#ifndef CARVE_NUMA_TOPOLOGY_H
#define CARVE_NUMA_TOPOLOGY_H

#include "base/error.h"
#include "plan/inventory.h"

/**
 * nu_topology_parse() - @inv->host.online and caches, @inv->cpus and nodes of a document
 * @xml:    of hwloc 2, @len bytes and a NUL; hwloc does not survive all that looks like it, so
 *          whoever does not know where it comes from calls nu_topology_import() (numa/import.h)
 * @origin: named in errors
 *
 * The document knows no free memory: huge pages and all else count as free.
 * Return: 0; -EINVAL when it is no such document, or names CPUs or nodes beyond CV_CPU_MAX;
 * -ENOMEM.
 */
int nu_topology_parse(const char *xml, size_t len, const char *origin, struct inventory *inv,
		      struct cv_error *err);

/**
 * nu_topology_discover() - the same from sysfs by hwloc itself, below HWLOC_FSROOT where it is set
 * What the readers of sysfs are held against: numa/cpus.h and numa/memory.h are faster.
 * Return: 0, -EIO, and as above.
 */
int nu_topology_discover(struct inventory *inv, struct cv_error *err);

#endif
