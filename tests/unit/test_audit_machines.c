// SPDX-License-Identifier: GPL-2.0-or-later
/* The audit of machines of tests/machines: golden files, and what holds on each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/strv.h"
#include "plan/audit.h"
#include "plan/distance.h"
#include "tests/fake/golden.h"
#include "tests/fake/machine.h"

static void judge(const char *name, enum audit_intent intent, struct audit *ret)
{
	_cleanup_inventory_ struct inventory inv = { 0 };

	machine_inventory(name, &inv);
	assert_int_equal(audit_run(&inv, intent, ret), 0);
}

static void check_golden(const char *name, enum audit_intent intent, const char *word)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	struct audit a = { 0 };
	char path[96];

	judge(name, intent, &a);
	j = audit_json(&a);
	assert_non_null(j);
	text = cv_json_text(j);
	assert_non_null(text);
	snprintf(path, sizeof(path), "audit/%s%s.json", name, word);
	golden_check(path, text);
	audit_done(&a);
}

static void test_golden(void **state)
{
	check_golden("dgx-h100", AUDIT_ISOLATE, "");
	check_golden("dgx-h100", AUDIT_P2P, "-p2p");
	check_golden("epyc-2s-nps4", AUDIT_ISOLATE, "");
}

/* Each says what, with evidence; what is no pass says what to do; the same twice. */
static void check_machine(const char *name)
{
	_cleanup_free_ char *plan = NULL, *again = NULL;
	struct audit a = { 0 }, b = { 0 };

	judge(name, AUDIT_ISOLATE, &a);
	judge(name, AUDIT_ISOLATE, &b);
	assert_true(a.n > 0 && a.n == b.n);
	for (size_t i = 0; i < a.n; i++) {
		const struct audit_finding *f = &a.findings[i];

		if (!f->evidence[0] || !f->effect[0] || !f->fix[0] != (f->verdict == AUDIT_PASS))
			fail_msg("%s: %s %s: \"%s\" \"%s\" \"%s\"", name, f->check, f->object,
				 f->evidence, f->effect, f->fix);
	}
	plan = audit_fix_plan(&a);
	again = audit_fix_plan(&b);
	assert_true(plan && again);
	assert_string_equal(plan, again);
	audit_done(&a);
	audit_done(&b);
}

static void test_all_machines(void **state)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	assert_int_equal(machine_names(&names), 0);
	assert_true(names.n > 4);
	for (size_t i = 0; i < names.n; i++)
		check_machine(names.v[i]);
}

/* ---- distances of a machine with switches ---- */

static bool is_class(const struct inv_dev *d, const char *word)
{
	return d->pf < 0 && strcmp(inv_class_name(d), word) == 0;
}

static size_t count_near(const struct inventory *inv, int gpu, enum inv_distance farthest)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_devs; i++)
		if ((is_class(&inv->devs[i], "net") || is_class(&inv->devs[i], "ib")) &&
		    inv_distance(inv, gpu, (int)i) <= farthest)
			n++;
	return n;
}

/* Each GPU of a DGX has a network function below its switch. */
static void test_gpu_and_nic(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	size_t gpus = 0;

	machine_inventory("dgx-h100", &inv);
	for (size_t i = 0; i < inv.n_devs; i++) {
		if (!is_class(&inv.devs[i], "gpu") || inv.devs[i].class >> 8 != 0x0302)
			continue;
		gpus++;
		assert_true(count_near(&inv, (int)i, INV_PXB) >= 1);
	}
	assert_int_equal(gpus, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_all_machines),
		cmocka_unit_test(test_gpu_and_nic),
	};

	return cmocka_run_group_tests_name("audit_machines", tests, NULL, NULL);
}
