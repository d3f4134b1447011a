/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fake host with a NIC that has 7 VFs, alone in its group behind a root port, and a disk that
 * shares its group. */
#ifndef CARVE_TESTS_SRIOV_HOST_H
#define CARVE_TESTS_SRIOV_HOST_H

#include "base/json.h"
#include "base/step.h"
#include "plan/inventory.h"
#include "tests/fake/fake_sysroot.h"

#define PORT "0000:40:00.0"
#define PF "0000:41:00.0"
#define VF1 "0000:41:10.2"
#define DISK "0000:42:00.0"
#define MATE "0000:42:00.1"
#define DEV "/sys/bus/pci/devices/"
/* where the files are: the fake builds by real path only */
#define REAL_PF "/sys/devices/pci0000:40/" PORT "/" PF
#define REAL_DISK "/sys/devices/pci0000:40/" DISK

struct host {
	struct fake *fake;
	struct cv_sysroot *root;
	struct cv_step_env env;
	struct cv_error err;
};

/** sriov_host_make(), sriov_host_drop() - cmocka's setup and teardown; *@state is a struct host. */
int sriov_host_make(void **state);
int sriov_host_drop(void **state);
#define with_host(test) cmocka_unit_test_setup_teardown(test, sriov_host_make, sriov_host_drop)

/** step_begin() - record and apply. Return: what they do. */
int step_begin(struct host *h, const struct cv_step_ops *ops, const char *object, const char *value,
	       json_t **ret_prior);
/** step_end() - revert. */
int step_end(struct host *h, const struct cv_step_ops *ops, const char *object, const char *value,
	     const json_t *prior);

/** assert_state() - all of the fake, but what it keeps for itself, is as in @before (fake_dump()). */
void assert_state(struct host *h, const char *before);
void assert_driver(struct host *h, const char *bdf, const char *driver);
/** read_inventory() - everything, with holders. */
void read_inventory(struct host *h, struct inventory *inv);
/** device_at() - a function that has to be there. */
const struct inv_dev *device_at(const struct inventory *inv, const char *bdf);

#endif
