// SPDX-License-Identifier: GPL-2.0-or-later
/* How an operator brings a PF to another number of VFs, on a fake host, and what stops him. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/state.h"
#include "base/step_shared.h"
#include "sriov/steps.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"

#define COUNT DEV PF "/sriov_numvfs"
#define AUTOPROBE DEV PF "/sriov_drivers_autoprobe"

static void assert_count(struct host *h, const char *count)
{
	assert_string_equal(fake_text(h->fake, COUNT), count);
}

static int set(struct host *h, const char *value, json_t **ret_prior)
{
	return step_begin(h, &sr_step_numvfs_set, PF, value, ret_prior);
}

static void make(struct host *h, const char *count)
{
	assert_int_equal(cv_write_str(h->root, COUNT, count), 0);
}

static void another_count_goes_through_zero(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *again = NULL;
	unsigned int writes;

	make(h, "3");
	assert_int_equal(set(h, "5 replace", &prior), 0);
	assert_count(h, "5");
	writes = fake_writes(h->fake);
	assert_int_equal(set(h, "5 replace", &again), 0);
	assert_int_equal(fake_writes(h->fake), writes);
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", prior), 0);
	assert_count(h, "3");
	assert_driver(h, VF1, "igbvf");
}

static void all_are_taken_away_and_come_back(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	make(h, "3");
	assert_int_equal(set(h, "0 replace", &prior), 0);
	assert_count(h, "0");
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "0 replace", prior), 0);
	assert_count(h, "3");
}

/* Also the driver that somebody took off, and those that autoprobe would not give. */
static void vfs_come_back_with_their_drivers(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	make(h, "2");
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/igbvf/unbind", VF1), 0);
	assert_int_equal(set(h, "4 replace", &prior), 0);
	assert_driver(h, VF1, "igbvf");
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "4 replace", prior), 0);
	assert_driver(h, VF1, "");
	assert_driver(h, "0000:41:10.0", "igbvf");
	json_decref(prior);
	prior = NULL;
	assert_int_equal(cv_write_str(h->root, AUTOPROBE, "0"), 0);
	assert_int_equal(set(h, "4 replace", &prior), 0);
	assert_driver(h, "0000:41:10.0", "");
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "4 replace", prior), 0);
	assert_driver(h, "0000:41:10.0", "igbvf");
	assert_string_equal(fake_text(h->fake, DEV "0000:41:10.0/driver_override"), "(null)");
}

static void only_the_operator_replaces(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *a = NULL, *b = NULL;

	make(h, "3");
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "5 replace", &a), -EINVAL);
	assert_int_equal(set(h, "5", &b), -EBUSY);
	assert_string_equal(h->err.code, "EBUSY_NUMVFS");
	assert_count(h, "3");
}

static void values_are_checked(void **state)
{
	static const char *const bad[] = {
		"",	      " replace",  "5 ",	 "5 replace ",
		"5  replace", "5 Replace", "-1 replace", "65536 replace"
	};
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		_cleanup_json_ json_t *prior = NULL;

		assert_int_equal(set(h, bad[i], &prior), -EINVAL);
		assert_null(prior);
	}
	_cleanup_json_ json_t *prior = NULL;
	make(h, "3");
	assert_int_equal(set(h, "8 replace", &prior), -ERANGE);
	assert_count(h, "3");
}

/* 4 of 5 VFs: once more, then an error, and what was there comes back. */
static void partial_creation_is_retried_once(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *broken = NULL, *shared = NULL;

	fake_pci_partial(h->fake, PF, 4, 1);
	assert_int_equal(set(h, "5", &prior), 0);
	assert_count(h, "5");
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5", prior), 0);
	make(h, "2");
	fake_pci_partial(h->fake, PF, 4, 2);
	assert_int_equal(set(h, "5 replace", &broken), -ENODEV);
	assert_string_equal(h->err.code, "EPARTIAL");
	assert_string_equal(h->err.found, "4 VFs");
	assert_string_equal(h->err.wanted, "5 VFs");
	assert_count(h, "0");
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", broken), 0);
	assert_count(h, "2");
	make(h, "0");
	fake_pci_partial(h->fake, PF, 4, 2);
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "5", &shared), -ENODEV);
	assert_count(h, "0");
}

/* A leased VF, by another name than ours */
static void a_lease_keeps_its_vf(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	struct cv_bdf bdf;
	struct cv_lease l = {
		.name = "vm2",
		.owner = { .uid = 1000, .user = "alice", .job = "77" },
		.devices = &bdf,
		.n_devices = 1,
	};

	assert_int_equal(cv_parse_bdf(VF1, &bdf), 0);
	assert_int_equal(cv_boot_id_read(h->root, l.owner.boot_id, NULL), 0);
	make(h, "3");
	assert_int_equal(cv_lease_write(h->root, &l, &h->err), 0);
	assert_int_equal(set(h, "5 replace", &prior), -EBUSY);
	assert_string_equal(h->err.code, "EBUSY_LEASE");
	assert_string_equal(h->err.object, VF1);
	assert_non_null(strstr(h->err.found, "vm2"));
	assert_non_null(strstr(h->err.found, "alice"));
	assert_non_null(strstr(h->err.found, "77"));
	assert_count(h, "3");
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", prior), 0);
	h->env.vm = "vm2"; /* our own does not stand in the way */
	json_decref(prior);
	prior = NULL;
	assert_int_equal(set(h, "5 replace", &prior), 0);
	h->env.vm = "vm1";
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", prior), -EBUSY);
	assert_count(h, "5");
}

static void a_vm_keeps_the_count_it_needs(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *none = json_pack("{si}", "num", 0);

	make(h, "3");
	assert_int_equal(cv_shared_add(h->root, "numvfs", PF, "3", none, "vm7", &h->err), 0);
	assert_int_equal(set(h, "5 replace", &prior), -EBUSY);
	assert_string_equal(h->err.code, "EBUSY_SHARED");
	assert_non_null(strstr(h->err.found, "vm7"));
	assert_count(h, "3");
}

static void a_vf_in_use_stays(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *bound = NULL, *a = NULL, *b = NULL;

	make(h, "3");
	assert_int_equal(step_begin(h, &sr_step_bind, VF1, "vfio-pci", &bound), 0);
	assert_int_equal(set(h, "5 replace", &a), -EBUSY);
	assert_string_equal(h->err.object, VF1);
	assert_non_null(strstr(h->err.found, "vfio-pci by somebody else"));
	fake_link(h->fake, "/proc/4711/fd/9", "/dev/vfio/21");
	fake_file(h->fake, "/proc/4711/comm", "dpdk-testpmd");
	assert_int_equal(set(h, "5 replace", &b), -EBUSY);
	assert_string_equal(h->err.found, "pid 4711 (dpdk-testpmd)");
	assert_count(h, "3");
}

static void a_killed_replacement_is_undone(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	make(h, "3");
	assert_int_equal(sr_step_numvfs_set.record(&h->env, PF, "5 replace", &prior, &h->err), 0);
	make(h, "0"); /* as far as it got */
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", prior), 0);
	assert_count(h, "3");
	make(h, "0");
	make(h, "4"); /* ours, in part */
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", prior), 0);
	assert_count(h, "3");
	make(h, "0");
	make(h, "6"); /* neither ours nor what was before */
	assert_int_equal(step_end(h, &sr_step_numvfs_set, PF, "5 replace", prior), -EBUSY);
	assert_count(h, "6");
}

static void a_killed_creation_is_undone(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(sr_step_numvfs.record(&h->env, PF, "5", &prior, &h->err), 0);
	make(h, "6");
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "5", prior), -EBUSY);
	assert_count(h, "6");
	make(h, "0");
	make(h, "4"); /* as far as the driver got */
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "5", prior), 0);
	assert_count(h, "0");
}

/* What cannot be noted could not be brought back: nothing is taken away. */
static void vfs_that_cannot_be_noted_stay(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	make(h, "3");
	fake_remove(h->fake, "/sys/devices/pci0000:40/" PORT "/" VF1 "/driver_override");
	fake_link(h->fake, "/sys/devices/pci0000:40/" PORT "/" VF1 "/driver_override",
		  "driver_override");
	assert_int_equal(set(h, "5 replace", &prior), -ELOOP);
	assert_null(prior);
	assert_count(h, "3");
}

/* create -> configure -> bind, each change failing once: the host is then as it was. */
static void sweep(struct host *h, const struct cv_step *steps, size_t n_steps)
{
	static const struct cv_step_ops *const ops[] = {
		&cv_step_attr, &sr_step_numvfs_set,  &sr_step_numvfs,
		&sr_step_bind, &sr_step_group_owner,
	};
	const struct cv_step_table table = { ops, CV_ARRAY_SIZE(ops) };
	_cleanup_free_ char *before = fake_dump_host(h->fake);
	bool is_done = false;

	for (unsigned int n = 1; n < 300 && !is_done; n++) {
		_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
		_cleanup_free_ char *after = NULL;
		struct cv_owner owner = { 0 };
		char path[64];

		snprintf(path, sizeof(path), "/run/carve/journal%u", n);
		if (cv_journal_create(h->root, path, "vm1", &owner, &journal, NULL) == -EROFS)
			skip(); /* this fake gives no descriptors */
		fake_fail_change(h->fake, n, -EIO);
		is_done = cv_steps_apply(&h->env, &table, journal, steps, n_steps, NULL, NULL) == 0;
		fake_fail_change(h->fake, 0, 0);
		assert_true(cv_steps_revert(&h->env, &table, path, NULL) >= 0);
		after = fake_dump_host(h->fake);
		assert_string_equal(after, before);
	}
	assert_true(is_done);
}

static void every_failure_of_a_replacement_is_undone(void **state)
{
	static const struct cv_step steps[] = {
		{ 1, "attr", AUTOPROBE, "0", "" },
		{ 2, "numvfs-set", PF, "5 replace", "" },
		{ 3, "bind", VF1, "vfio-pci", "" },
		{ 4, "group-owner", VF1, "1000", "" },
	};
	struct host *h = *state;

	make(h, "3");
	sweep(h, steps, CV_ARRAY_SIZE(steps));
}

static void every_failure_of_a_creation_is_undone(void **state)
{
	static const struct cv_step steps[] = {
		{ 1, "attr", AUTOPROBE, "0", "" },
		{ 2, "numvfs-set", PF, "7", "" },
		{ 3, "bind", VF1, "vfio-pci", "" },
	};

	sweep(*state, steps, CV_ARRAY_SIZE(steps));
}

static void every_failure_of_a_removal_is_undone(void **state)
{
	static const struct cv_step steps[] = {
		{ 1, "numvfs-set", PF, "0 replace", "" },
		{ 2, "attr", AUTOPROBE, "0", "" },
	};
	struct host *h = *state;

	make(h, "4");
	sweep(h, steps, CV_ARRAY_SIZE(steps));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(another_count_goes_through_zero),
		with_host(all_are_taken_away_and_come_back),
		with_host(vfs_come_back_with_their_drivers),
		with_host(only_the_operator_replaces),
		with_host(values_are_checked),
		with_host(partial_creation_is_retried_once),
		with_host(a_lease_keeps_its_vf),
		with_host(a_vm_keeps_the_count_it_needs),
		with_host(a_vf_in_use_stays),
		with_host(a_killed_replacement_is_undone),
		with_host(a_killed_creation_is_undone),
		with_host(vfs_that_cannot_be_noted_stay),
		with_host(every_failure_of_a_replacement_is_undone),
		with_host(every_failure_of_a_creation_is_undone),
		with_host(every_failure_of_a_removal_is_undone),
	};

	return cmocka_run_group_tests_name("vf_count", tests, NULL, NULL);
}
