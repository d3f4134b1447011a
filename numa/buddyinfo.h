/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much free memory lies in blocks that a huge page fits into. */
#ifndef CARVE_NUMA_BUDDYINFO_H
#define CARVE_NUMA_BUDDYINFO_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_free_blocks_read() - free_blocks of @inv->nodes from /proc/buddyinfo
 *
 * Counted are blocks of 2 MiB and more outside zone DMA (16 MiB that huge pages do not come from).
 * Nodes that the file does not name, and all on kernels with pages of other than 4 KiB, stay
 * INV_UNKNOWN.
 */
void nu_free_blocks_read(struct cv_sysroot *root, struct inventory *inv);

#endif
