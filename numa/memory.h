/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NUMA nodes: memory, distances, huge page pools, and which CPUs belong to them. */
#ifndef CARVE_NUMA_MEMORY_H
#define CARVE_NUMA_MEMORY_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_memory_read() - fill @inv->nodes from /sys/devices/system/node
 * @inv: @inv->host.online is read; a kernel without NUMA gets one node 0 that holds it all
 *
 * Return: 0 or -errno with @err naming the path; what was filled so far stays with @inv.
 */
int nu_memory_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

/**
 * nu_meminfo_bytes() - one field ("MemFree:") of the text of a meminfo file, in bytes
 * Return: 0, -EINVAL when it is not there, -ERANGE.
 */
int nu_meminfo_bytes(const char *text, const char *field, uint64_t *ret);

/**
 * nu_meminfo_obtainable() - bytes that huge pages could be made of at the very most
 * @text: of a node's meminfo
 *
 * MemFree + FilePages - Shmem + SReclaimable: what is free, and what the kernel can drop or write back.
 * A field that is not there counts as 0.
 */
uint64_t nu_meminfo_obtainable(const char *text);

#endif
