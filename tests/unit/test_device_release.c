// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device release of several devices: each is told, and one that stays does not keep the others. */
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
#include "tests/unit/sriov_host.h"
#include "tools/device_release.h"
#include "tools/operation.h"

const struct cmd_verb *const cmd_verbs[] = { NULL };
static const struct cmd_verb verb = { .name = "test" };
static const char *const bdfs[] = { DISK, PF };

/** struct end - of one release; @text: what it printed, @said: as JSON, NULL when it is none */
struct end {
	int r;
	struct cv_error err;
	char text[8192];
	json_t *said;
};

static struct cmd cmd_on(struct host *h)
{
	return (struct cmd){ .verb = &verb, .root = h->root, .sysroot = "/", .json = true };
}

static const char *knob(size_t i)
{
	return i == 0 ? "/sys/knob0" : "/sys/knob1";
}

/* One operation for each of bdfs, that changes a file. */
static void hold(struct host *h, size_t i, struct cv_strv *names)
{
	const struct cv_step step = { 1, "attr", (char *)(uintptr_t)knob(i), "1", "" };
	struct operation op = {
		.title = "bind", .steps = &step, .n_steps = 1, .is_held = true, .user = ""
	};
	struct cmd c = cmd_on(h);
	struct cv_bdf bdf;

	assert_int_equal(cv_parse_bdf(bdfs[i], &bdf), 0);
	fake_file(h->fake, knob(i), "0");
	op.devices = &bdf;
	op.n_devices = 1;
	operation_name(op.name, "dev", bdf);
	assert_int_equal(operation_run_locked(&c, &op), 0);
	assert_int_equal(cv_strv_add(names, op.name), 0);
}

/* What it prints is no line of this test's report. */
static void release_quietly(struct cmd *c, const struct device_release *x, struct end *end)
{
	FILE *out = tmpfile();
	int saved = dup(STDOUT_FILENO);

	fflush(stdout);
	assert_true(out && saved >= 0 && dup2(fileno(out), STDOUT_FILENO) >= 0);
	end->r = device_release_each(c, x);
	fflush(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	assert_true(pread(fileno(out), end->text, sizeof(end->text) - 1, 0) >= 0);
	fclose(out);
	end->said = json_loads(end->text, 0, NULL);
	end->err = c->err;
}

static void read_leases(struct host *h, const struct cv_strv *names, struct inventory *inv)
{
	inv->leases = calloc(names->n, sizeof(*inv->leases));
	for (; inv->n_leases < names->n; inv->n_leases++)
		assert_int_equal(cv_lease_read(h->root, names->v[inv->n_leases],
					       &inv->leases[inv->n_leases], NULL),
				 0);
}

/* @spoilt: index of the operation whose journal cannot be read, of both -1: none is, 2: both are */
static struct end release_both(struct host *h, int spoilt, bool is_json)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cv_bdf devices[2];
	struct inventory inv = { 0 };
	struct cmd c = cmd_on(h);
	struct end end = { 0 };

	for (size_t i = 0; i < 2; i++) {
		char path[CV_PATH_MAX];

		hold(h, i, &names);
		assert_int_equal(cv_parse_bdf(bdfs[i], &devices[i]), 0);
		if (spoilt == 2 || spoilt == (int)i)
			fake_file(h->fake, operation_path(path, names.v[i], "journal"), "{}\n{}\n");
	}
	read_leases(h, &names, &inv);
	c.json = is_json;
	release_quietly(&c, &(struct device_release){ &inv, devices, 2, &names }, &end);
	inventory_done(&inv);
	return end;
}

static void assert_device(const struct end *end, size_t i, bool given_back)
{
	const json_t *d = json_array_get(json_object_get(end->said, "devices"), i);

	assert_non_null(d);
	assert_string_equal(cv_json_str(d, "bdf", ""), bdfs[i]);
	assert_int_equal(cv_json_bool(d, "given_back", !given_back), given_back);
	assert_int_equal(json_is_null(json_object_get(d, "error")), given_back);
}

static void both_are_given_back(void **state)
{
	struct host *h = *state;
	struct end end = release_both(h, -1, true);

	assert_int_equal(end.r, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_device(&end, i, true);
		assert_string_equal(fake_text(h->fake, knob(i)), "0");
	}
	json_decref(end.said);
}

static void assert_one_stays(struct host *h, int stays)
{
	struct end end = release_both(h, stays, true);

	assert_int_not_equal(end.r, 0);
	assert_int_equal(end.err.exit, CV_EXIT_PARTIAL);
	assert_non_null(strstr(end.err.hint, "carve recover dev-"));
	for (int i = 0; i < 2; i++) {
		assert_device(&end, (size_t)i, i != stays);
		assert_string_equal(fake_text(h->fake, knob((size_t)i)), i == stays ? "1" : "0");
	}
	json_decref(end.said);
}

static void the_first_stays(void **state)
{
	assert_one_stays(*state, 0);
}

static void the_second_stays(void **state)
{
	assert_one_stays(*state, 1);
}

static void a_person_is_told_what_went_back(void **state)
{
	struct host *h = *state;
	struct end end = release_both(h, 0, false);

	assert_int_not_equal(end.r, 0);
	assert_non_null(strstr(end.text, PF ": given back\n"));
	assert_null(strstr(end.text, DISK));
}

static void both_stay(void **state)
{
	struct host *h = *state;
	struct end end = release_both(h, 2, true);

	assert_int_not_equal(end.r, 0);
	assert_int_equal(end.err.exit, CV_EXIT_PARTIAL);
	assert_device(&end, 0, false);
	assert_device(&end, 1, false);
	json_decref(end.said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(both_are_given_back), with_host(the_first_stays),
		with_host(the_second_stays),	with_host(a_person_is_told_what_went_back),
		with_host(both_stay),
	};

	return cmocka_run_group_tests_name("device_release", tests, NULL, NULL);
}
