/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One huge page pool of the kernel: a page size on a NUMA node. */
#ifndef CARVE_NUMA_POOL_H
#define CARVE_NUMA_POOL_H

#include <stdint.h>

#include "base/sysroot.h"
#include "plan/inventory.h"

/** struct nu_pool_id - which pool; a plain value; @page_size in bytes */
struct nu_pool_id {
	int node;
	uint64_t page_size;
};

/** nu_pool_parse() - "node1/2M". Return: 0, -EINVAL, -ERANGE. */
int nu_pool_parse(const char *object, struct nu_pool_id *ret);
/** nu_pool_path() - path of the pool's attribute @attr ("nr_hugepages"). Return: @buf. */
const char *nu_pool_path(char buf[CV_PATH_MAX], struct nu_pool_id id, const char *attr);
/** nu_pool_read() - sizes as they are now. Return: 0, -ENOENT when there is no such pool, -errno. */
int nu_pool_read(struct cv_sysroot *root, struct nu_pool_id id, struct inv_pool *ret);
/** nu_pool_persistent() - pages of the pool that stay when unused: what nr_hugepages asks for. */
static inline uint64_t nu_pool_persistent(const struct inv_pool *p)
{
	return p->total > p->surplus ? p->total - p->surplus : 0;
}

#endif
