// SPDX-License-Identifier: GPL-2.0-or-later
/* carve state and carve snapshot on a host where reading of a function never returns. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/sriov_host.h"
#include "tools/capture_view.h"
#include "tools/hoststate.h"

static const char *value_of(const json_t *state, const char *key)
{
	return json_string_value(json_object_get(json_object_get(state, "values"), key));
}

static void state_tells_who_does_not_answer(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *j = NULL;

	fake_block_read(h->fake, REAL_PF "/sriov_numvfs");
	assert_int_equal(hoststate_read(h->root, &j, &h->err), 0);
	assert_string_equal(value_of(j, "pci/" PF "/numvfs"), "no answer");
	assert_string_equal(value_of(j, "pci/" PF "/driver_override"), "");
	assert_string_equal(value_of(j, "pci/" DISK "/driver_override"), "");
	assert_null(value_of(j, "pci/" DISK "/numvfs"));
}

static void snapshot_leaves_it_out(void **state)
{
	struct host *h = *state;
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *view = NULL;
	char text[64];

	assert_int_equal(capture_view_open(h->root, &view, &h->err), 0);
	assert_int_equal(cv_read_into(view, REAL_PF "/sriov_numvfs", text, sizeof(text)), 0);
	assert_string_equal(text, "0");
	fake_block_read(h->fake, REAL_PF "/sriov_numvfs");
	assert_int_equal(cv_read_into(view, REAL_PF "/sriov_numvfs", text, sizeof(text)),
			 -ETIMEDOUT);
	assert_int_equal(cv_read_into(view, REAL_PF "/driver_override", text, sizeof(text)), 0);
	assert_string_equal(text, "(null)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(state_tells_who_does_not_answer),
		with_host(snapshot_leaves_it_out),
	};

	return cmocka_run_group_tests_name("locked_reads", tests, NULL, NULL);
}
