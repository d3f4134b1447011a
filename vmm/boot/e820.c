// SPDX-License-Identifier: GPL-2.0-or-later
/* The memory map that the guest is told: RAM of the plan, and what it must keep away from. */
#include <errno.h>
#include <stdlib.h>

#include "vmm/boot/formats.h"
#include "vmm/core/layout.h"

#define TYPE_RAM 1
#define TYPE_RESERVED 2

/** struct table - filled up to its end; @is_full: something was left out */
struct table {
	struct vmm_boot_region *regions;
	size_t n;
	bool is_full;
};

static void add(struct table *t, uint32_t type, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	if (t->n == VMM_BOOT_REGIONS) {
		t->is_full = true;
		return;
	}
	t->regions[t->n++] = (struct vmm_boot_region){ start, end - start, type };
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* RAM without the ROM area of a PC, where the tables of the firmware are. */
static void add_ram(struct table *t, const struct plan_range *r)
{
	uint64_t end = r->start + r->size;

	add(t, TYPE_RAM, r->start, min(end, VMM_LOW_RESERVED));
	add(t, TYPE_RAM, max(r->start, VMM_BOOT_1M), end);
}

static int by_start(const void *a, const void *b)
{
	const struct vmm_boot_region *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int vmm_boot_regions(const struct vmm_boot *b, struct vmm_boot_region ret[VMM_BOOT_REGIONS],
		     size_t *ret_n)
{
	const struct plan *p = b->in->plan;
	struct table t = { .regions = ret };

	add(&t, TYPE_RESERVED, VMM_LOW_RESERVED, VMM_BOOT_1M);
	add(&t, TYPE_RESERVED, VMM_ECAM, VMM_ECAM + VMM_ECAM_SIZE);
	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_RAM)
			add_ram(&t, &p->ranges[i]);
	if (t.is_full)
		return cv_fail(b->err, -E2BIG, CV_EXIT_PRECONDITION, "MEMORY_MAP", p->name,
			       "the guest's memory is in more than %d pieces", VMM_BOOT_REGIONS);
	qsort(ret, t.n, sizeof(*ret), by_start);
	*ret_n = t.n;
	return 0;
}
