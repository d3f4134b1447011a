// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/inventory.h"

#include "numa/host.h"
#include "numa/memory.h"
#include "numa/topology.h"

/* Each part stands on the one before: online CPUs, then their nodes, then their cores. */
int nu_inventory_read(struct cv_sysroot *root, const struct nu_depth *depth, struct inventory *inv,
		      struct cv_error *err)
{
	int r;

	r = nu_host_read(root, &inv->host, err);
	if (r < 0)
		return r;
	r = nu_memory_read(root, inv, err);
	if (r < 0)
		return r;
	return nu_topology_read(inv, err);
}
