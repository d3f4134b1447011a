// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/inventory.h"

#include "numa/buddyinfo.h"
#include "numa/cpus.h"
#include "numa/host.h"
#include "numa/import.h"
#include "numa/isolation.h"
#include "numa/memory.h"
#include "numa/noise.h"
#include "numa/partition.h"

/* Each part stands on the one before: online CPUs, then their nodes, then their cores. */
static int read_sysfs(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	int r = nu_online_read(root, inv, err);

	if (r == 0)
		r = nu_memory_read(root, inv, err);
	if (r == 0)
		r = nu_cpus_new(inv, err);
	return r < 0 ? r : nu_cpus_read(root, inv, err);
}

int nu_inventory_read(struct cv_sysroot *root, const struct nu_depth *depth, struct inventory *inv,
		      struct cv_error *err)
{
	int r;

	nu_host_read(root, depth->noise, &inv->host);
	r = depth->hwloc_xml ? nu_topology_import(depth->hwloc_xml, inv, err)
			     : read_sysfs(root, inv, err);
	if (r == 0)
		r = nu_partitions_read(root, inv, err);
	if (r == 0 && depth->noise)
		r = nu_irq_counts_read(root, inv, err);
	if (r < 0)
		return r;
	if (depth->noise)
		nu_free_blocks_read(root, inv);
	nu_isolation_mark(inv);
	return 0;
}
