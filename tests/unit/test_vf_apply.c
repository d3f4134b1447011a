// SPDX-License-Identifier: GPL-2.0-or-later
/* carve vf policy apply on two PFs: refused before anything is changed, and told what became of each. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "base/step_shared.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"
#include "tools/operation.h"
#include "tools/vf_change.h"

#define PF2 "0000:43:00.0"

const struct cmd_verb *const cmd_verbs[] = { NULL };
static const struct cmd_verb verb = { .name = "test" };

/** struct applied - the end of one apply */
struct applied {
	int r;
	struct cv_error err;
	json_t *said; /* NULL: nothing */
};

static int make(void **state)
{
	static const struct fake_pci second = {
		PF2, "pci0000:40", "0x8086 0x10c9 0x020000", "igb", 4, 0
	};
	static const struct fake_sriov sriov = { 7, 128, 2, "0x8086 0x10ca 0x020000", "igbvf", 40 };
	int r = sriov_host_make(state);
	struct host *h = *state;

	fake_pci_device(h->fake, &second);
	fake_pci_sriov(h->fake, PF2, &sriov);
	return r;
}

static struct vf_policy policy_of(const char *pf, int count)
{
	struct vf_policy p = { .has_pf = true, .count = count };

	vf_settings_none(&p.settings);
	assert_int_equal(cv_parse_bdf(pf, &p.pf), 0);
	return p;
}

/* As carve does, with what it prints on stdout. */
static struct applied apply_both(struct host *h, int first, int second)
{
	const struct vf_policy policy[] = { policy_of(PF, first), policy_of(PF2, second) };
	struct cmd c = { .verb = &verb, .root = h->root, .sysroot = "/", .json = true };
	_cleanup_free_ struct vf_target *t = NULL;
	struct vf_host host = { .lock = -1 };
	struct applied end = { 0 };
	char text[8192] = "";
	FILE *out = tmpfile();
	int saved = dup(STDOUT_FILENO), n;

	read_inventory(h, &host.inv);
	n = vf_policy_resolve(&host.inv, policy, 2, &t, &c.err);
	assert_int_equal(n, 2);
	fflush(stdout);
	assert_true(out && saved >= 0 && dup2(fileno(out), STDOUT_FILENO) >= 0);
	end.r = vf_policy_apply(&c, &host, t, (size_t)n);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	assert_true(pread(fileno(out), text, sizeof(text) - 1, 0) >= 0);
	fclose(out);
	inventory_done(&host.inv);
	end.err = c.err;
	end.said = text[0] ? json_loads(text, 0, NULL) : NULL;
	return end;
}

static void assert_counts(struct host *h, const char *first, const char *second)
{
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), first);
	assert_string_equal(fake_text(h->fake, DEV PF2 "/sriov_numvfs"), second);
}

static const json_t *entry(const struct applied *a, size_t i)
{
	const json_t *e = json_array_get(json_object_get(a->said, "pfs"), i);

	assert_non_null(e);
	return e;
}

static void assert_entry(const struct applied *a, size_t i, const char *pf, bool ok, bool changed)
{
	const json_t *e = entry(a, i);

	assert_string_equal(cv_json_str(e, "pf", ""), pf);
	assert_int_equal(cv_json_bool(e, "ok", -1), ok);
	assert_int_equal(cv_json_bool(e, "changed", -1), changed);
}

/* Refused as a whole: the first PF has nothing in its way and stays as it is all the same. */
static void assert_refused(struct host *h, const char *code, const char *object)
{
	struct applied a = apply_both(h, 2, 5);

	assert_int_not_equal(a.r, 0);
	assert_string_equal(a.err.code, code);
	assert_string_equal(a.err.object, object);
	assert_null(a.said);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "0");
}

static void both_are_brought_to_it(void **state)
{
	struct host *h = *state;
	struct applied a = apply_both(h, 2, 5);

	assert_int_equal(a.r, 0);
	assert_counts(h, "2", "5");
	assert_entry(&a, 0, PF, true, true);
	assert_entry(&a, 1, PF2, true, true);
	assert_true(json_is_null(json_object_get(entry(&a, 1), "error")));
	json_decref(a.said);
	a = apply_both(h, 2, 5);
	assert_entry(&a, 1, PF2, true, false);
	json_decref(a.said);
}

static void a_leftover_keeps_all_as_they_are(void **state)
{
	struct host *h = *state;

	fake_dir(h->fake, CV_OPERATION_DIR "/vf-0000-43-00-0");
	assert_refused(h, "OPERATION_EXISTS", "vf-0000-43-00-0");
}

static void a_lease_keeps_all_as_they_are(void **state)
{
	struct host *h = *state;
	struct cv_bdf bdf;
	struct cv_lease l = {
		.name = "vm2", .owner = { .user = "alice" }, .devices = &bdf, .n_devices = 1
	};

	assert_int_equal(cv_parse_bdf(PF2, &bdf), 0);
	assert_int_equal(cv_boot_id_read(h->root, l.owner.boot_id, NULL), 0);
	assert_int_equal(cv_lease_write(h->root, &l, &h->err), 0);
	assert_refused(h, "EBUSY_LEASE", PF2);
}

static void a_vm_that_needs_them_keeps_all_as_they_are(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *none = json_pack("{si}", "num", 0);
	struct applied a = apply_both(h, 0, 3);

	json_decref(a.said);
	assert_counts(h, "0", "3");
	assert_int_equal(cv_shared_add(h->root, "numvfs", PF2, "3", none, "vm7", &h->err), 0);
	assert_refused(h, "EBUSY_SHARED", PF2);
	assert_counts(h, "0", "3");
}

/* What nobody could foresee: the others are done, and all of it is told. */
static void one_that_fails_is_told_among_the_others(void **state)
{
	struct host *h = *state;
	const json_t *error;
	struct applied a;

	fake_pci_partial(h->fake, PF, 1, 2);
	a = apply_both(h, 2, 5);
	assert_int_equal(a.r, -ENODEV);
	assert_string_equal(a.err.code, "EPARTIAL");
	assert_counts(h, "0", "5");
	assert_entry(&a, 0, PF, false, false);
	assert_entry(&a, 1, PF2, true, true);
	error = json_object_get(entry(&a, 0), "error");
	assert_string_equal(cv_json_str(error, "code", ""), "EPARTIAL");
	assert_string_equal(cv_json_str(error, "object", ""), PF);
	json_decref(a.said);
}

#define with_pfs(test) cmocka_unit_test_setup_teardown(test, make, sriov_host_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pfs(both_are_brought_to_it),
		with_pfs(a_leftover_keeps_all_as_they_are),
		with_pfs(a_lease_keeps_all_as_they_are),
		with_pfs(a_vm_that_needs_them_keeps_all_as_they_are),
		with_pfs(one_that_fails_is_told_among_the_others),
	};

	return cmocka_run_group_tests_name("vf_apply", tests, NULL, NULL);
}
