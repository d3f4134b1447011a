/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUs, caches and nodes from an hwloc XML file of somebody else. */
#ifndef CARVE_NUMA_IMPORT_H
#define CARVE_NUMA_IMPORT_H

#include "base/error.h"
#include "plan/inventory.h"

/**
 * nu_topology_import() - @inv->host.online and caches, @inv->cpus and nodes from a file
 * @path: of the caller, not below a root (lstopo --of xml PATH)
 *
 * hwloc reads it in a child process: what makes hwloc crash or never end is an error here.
 * Return: 0; as nu_topology_parse(); -EFBIG, -ETIMEDOUT, -errno of the file. @err names the file.
 */
int nu_topology_import(const char *path, struct inventory *inv, struct cv_error *err);

#endif
