/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake host of sriov_host.h with functions that can be reset: the disk on a root bus, and the NIC and
 * a mate of it behind one port. */
#ifndef CARVE_TESTS_RESET_HOST_H
#define CARVE_TESTS_RESET_HOST_H

#include <string.h>

#include "sriov/reset.h"
#include "tests/fake/fake_faults.h"
#include "tests/unit/sriov_host.h"

/* behind the port of PF, on the same bus */
#define NIC_MATE "0000:41:01.0"
#define REAL_NIC_MATE "/sys/devices/pci0000:40/" PORT "/" NIC_MATE

/** reset_host_make() - setup; sriov_host_drop() is its teardown */
int reset_host_make(void **state);
/** reset_host_make_watched() - the same, with a hook that comes before those of the fake. */
int reset_host_make_watched(void **state, const struct fake_hook *hook);
/** reset_host_add_mate() - NIC_MATE, bound to igb. */
void reset_host_add_mate(struct host *h);
#define with_faults(test) cmocka_unit_test_setup_teardown(test, reset_host_make, sriov_host_drop)

static inline struct sr_ladder ladder_of(const enum sr_rung *rungs, size_t n)
{
	struct sr_ladder l = { .n = n };

	memcpy(l.rungs, rungs, n * sizeof(*rungs));
	return l;
}
#define LADDER(...)                                      \
	ladder_of((const enum sr_rung[]){ __VA_ARGS__ }, \
		  sizeof((const enum sr_rung[]){ __VA_ARGS__ }) / sizeof(enum sr_rung))

void assert_quarantined(struct host *h, const char *bdf, const char *reason, const char *evidence);
/** give_to_vfio() - from its host driver to vfio-pci, as carve device bind does. */
void give_to_vfio(struct host *h, const char *bdf, const char *driver);

#endif
