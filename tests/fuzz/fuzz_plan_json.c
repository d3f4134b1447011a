// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a plan: refused with its reason, or read, projected and written back the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(int ok)
{
	if (!ok)
		abort();
}

static void project(const struct plan *p)
{
	static const struct plan_qemu qemu = { "qemu", "/run/carve/vm/a", -1 };
	_cleanup_strv_ struct cv_strv argv = { 0 }, diffs = { 0 };
	_cleanup_json_ json_t *report = json_pack("{si}", "carve_guest_report", 1);
	_cleanup_free_ char *text = plan_text(p, NULL, true);
	struct cv_error err = { 0 };

	need(text != NULL);
	need(plan_qemu_argv(p, &qemu, &argv) == 0);
	need(plan_compare_guest(p, report, &diffs, &err) == 0);
}

/* What was read once is written and read again without change. */
static void round_trip(const struct plan *p)
{
	_cleanup_json_ json_t *first = plan_json(p), *second = NULL;
	_cleanup_plan_ struct plan again = { 0 };
	struct cv_error err = { 0 };

	need(first && plan_from_json(first, "again", &again, &err) == 0);
	second = plan_json(&again);
	need(json_equal(first, second));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = strndup((const char *)data, size);
	_cleanup_json_ json_t *j = NULL;
	_cleanup_plan_ struct plan p = { 0 };
	struct cv_error err = { 0 };

	if (!text || cv_json_parse(text, "fuzz.json", &j, &err) < 0)
		return 0;
	err = (struct cv_error){ 0 };
	int r = plan_from_json(j, "fuzz.json", &p, &err);
	if (r < 0) {
		need(err.err == r && err.what[0] && err.object[0]);
		return 0;
	}
	round_trip(&p);
	project(&p);
	return 0;
}
