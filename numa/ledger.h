/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VM or an operation added to a huge page pool, on disk (the file is described in
 * numa/hugepages.h). */
#ifndef CARVE_NUMA_LEDGER_H
#define CARVE_NUMA_LEDGER_H

#include <stdbool.h>

#include "numa/pool.h"

#define NU_LEDGER_VERSION 1

/**
 * struct nu_ledger - a plain value
 * @added:     pages the VM has added, once no change is under way
 * @is_moving: a change is under way; if it did not end, the pool goes back to @base
 * @base:      persistent pages
 * @surplus:   surplus pages when the change began
 */
struct nu_ledger {
	uint64_t added;
	bool is_moving;
	uint64_t base;
	uint64_t surplus;
};

/** nu_ledger_path() - @vm: of a VM, or of an operation that is there. Return: @buf. */
const char *nu_ledger_path(char buf[CV_PATH_MAX], struct cv_sysroot *root, const char *vm,
			   struct nu_pool_id id);
/** nu_ledger_read() - an absent file reads as all zero. Return: 0, -EINVAL, -EPROTONOSUPPORT. */
int nu_ledger_read(struct cv_sysroot *root, const char *vm, struct nu_pool_id id,
		   struct nu_ledger *ret, struct cv_error *err);
/** nu_ledger_write() - durable; nothing added and nothing moving removes the file. */
int nu_ledger_write(struct cv_sysroot *root, const char *vm, struct nu_pool_id id,
		    const struct nu_ledger *l, struct cv_error *err);

#endif
