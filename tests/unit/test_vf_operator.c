// SPDX-License-Identifier: GPL-2.0-or-later
/* A policy, the host that is read for it, the steps and what they leave: on a fake host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "base/step_shared.h"
#include "plan/vf_policy.h"
#include "sriov/steps.h"
#include "tests/unit/sriov_host.h"

#define AUTOPROBE DEV PF "/sriov_drivers_autoprobe"

static const struct cv_step_ops *const ops[] = { &cv_step_attr, &cv_step_attr_shared,
						 &sr_step_numvfs, &sr_step_numvfs_set };
static const struct cv_step_table table = { ops, CV_ARRAY_SIZE(ops) };

/* As carve does: a journal, and for a change of the operator its end once it is complete. */
static void apply(struct host *h, const char *name, const struct cv_step *steps, size_t n)
{
	_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
	struct cv_step_env env = { h->root, name, 10000, NULL };
	struct cv_owner owner = { .boot_id = "11111111-2222-3333-4444-555555555555" };
	char path[CV_PATH_MAX];
	int r;

	cv_pathf(path, CV_RUN_DIR "/%s.journal", name);
	cv_unlink(h->root, path);
	assert_int_equal(cv_journal_create(h->root, path, name, &owner, &journal, &h->err), 0);
	r = cv_steps_apply(&env, &table, journal, steps, n, NULL, &h->err);
	if (r)
		fail_msg("%s: %s, found %s", h->err.object, h->err.what, h->err.found);
}

static void undo(struct host *h, const char *name)
{
	struct cv_step_env env = { h->root, name, 10000, NULL };
	char path[CV_PATH_MAX];

	cv_pathf(path, CV_RUN_DIR "/%s.journal", name);
	assert_true(cv_steps_revert(&env, &table, path, &h->err) >= 0);
}

/* Brings the PF to @count VFs. Return: number of steps that it took. */
static int bring_to(struct host *h, int count, bool autoprobe)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_free_ struct vf_target *t = NULL;
	struct vf_policy p = { .has_pf = true, .count = count, .autoprobe = autoprobe };
	_cleanup_step_list_ struct cv_step_list steps = { 0 };

	vf_settings_none(&p.settings);
	assert_int_equal(cv_parse_bdf(PF, &p.pf), 0);
	read_inventory(h, &inv);
	assert_int_equal(vf_policy_resolve(&inv, &p, 1, &t, &h->err), 1);
	assert_int_equal(vf_policy_steps(&inv, t, 1, &steps, &h->err), 0);
	if (steps.n > 0)
		apply(h, "vf-0000-41-00-0", steps.v, steps.n);
	return (int)steps.n;
}

static void assert_vfs(struct host *h, const char *count, const char *autoprobe)
{
	_cleanup_strv_ struct cv_strv shared = { 0 };

	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), count);
	assert_string_equal(fake_text(h->fake, AUTOPROBE), autoprobe);
	if (cv_list(h->root, CV_SHARED_DIR, &shared) == 0)
		assert_int_equal(shared.n, 0);
}

static void what_is_wanted_is_made_once(void **state)
{
	struct host *h = *state;
	unsigned int writes;

	assert_vfs(h, "0", "1");
	assert_int_equal(bring_to(h, 4, false), 2);
	assert_vfs(h, "4", "0");
	assert_driver(h, VF1, "");
	writes = fake_writes(h->fake);
	assert_int_equal(bring_to(h, 4, false), 0);
	assert_int_equal(fake_writes(h->fake), writes);
}

static void another_count_and_none(void **state)
{
	struct host *h = *state;

	bring_to(h, 4, false);
	assert_int_equal(bring_to(h, -1, false), 1);
	assert_vfs(h, "7", "0");
	assert_int_equal(bring_to(h, 0, true), 2);
	assert_vfs(h, "0", "1");
	assert_int_equal(bring_to(h, 0, true), 0);
}

/* Nobody is noted as a holder of what the operator made, and a VM leaves it as it came. */
static void a_vm_leaves_the_vfs_of_the_operator(void **state)
{
	static const struct cv_step run[] = {
		{ 1, "attr-shared", AUTOPROBE, "0", "" },
		{ 2, "numvfs", PF, "7", "" },
	};
	struct host *h = *state;
	struct cv_shared s = { 0 };

	bring_to(h, 7, false);
	apply(h, "vm0", run, 2);
	apply(h, "vm1", run, 2);
	assert_int_equal(cv_shared_read(h->root, "numvfs", PF, &s, NULL), 0);
	assert_int_equal(s.holders.n, 2);
	cv_shared_done(&s);
	undo(h, "vm0");
	undo(h, "vm1");
	assert_vfs(h, "7", "0");
	bring_to(h, 0, true);
	assert_vfs(h, "0", "1");
}

/* Without the operator the VM's VFs go with it, as before. */
static void a_vm_takes_its_own_vfs_away(void **state)
{
	static const struct cv_step run[] = {
		{ 1, "attr-shared", AUTOPROBE, "0", "" },
		{ 2, "numvfs", PF, "7", "" },
	};
	struct host *h = *state;

	apply(h, "vm0", run, 2);
	assert_int_equal(bring_to(h, 7, false),
			 0); /* nothing to write: they are not the operator's */
	undo(h, "vm0");
	assert_vfs(h, "0", "1");
}

/* Killed in the middle: carve recover undoes it. */
static void an_unfinished_change_is_undone(void **state)
{
	struct host *h = *state;

	bring_to(h, 4, false);
	undo(h, "vf-0000-41-00-0");
	assert_vfs(h, "0", "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(what_is_wanted_is_made_once),
		with_host(another_count_and_none),
		with_host(a_vm_leaves_the_vfs_of_the_operator),
		with_host(a_vm_takes_its_own_vfs_away),
		with_host(an_unfinished_change_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
