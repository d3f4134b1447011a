/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fake host of sriov_host.h with a disk whose health can be told. */
#ifndef CARVE_TESTS_HEALTH_HOST_H
#define CARVE_TESTS_HEALTH_HOST_H

#include "tests/fake/fake_faults.h"
#include "tests/unit/sriov_host.h"

#define REAL_VF1 "/sys/devices/pci0000:40/" PORT "/" VF1

extern const struct fake_pci health_disk;

/** health_host_make() - setup; sriov_host_drop() is its teardown */
int health_host_make(void **state);
#define with_disk(test) cmocka_unit_test_setup_teardown(test, health_host_make, sriov_host_drop)

/** make_vf() - 7 VFs of PF, VF1 with a config space. */
void make_vf(struct host *h, json_t **prior);
void assert_quarantined(struct host *h, const char *bdf, const char *reason, const char *evidence);

#endif
