// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/sysroot.h"
#include "tests/fake/golden.h"

static struct cv_sysroot *open_golden(void)
{
	const char *source = getenv("CARVE_SOURCE_DIR");
	char path[CV_PATH_MAX];
	struct cv_sysroot *r;

	if (!source)
		fail_msg("set CARVE_SOURCE_DIR to the source directory");
	if (cv_sysroot_open(cv_pathf(path, "%s/tests/golden", source), &r, NULL))
		fail_msg("%s cannot be opened", path);
	return r;
}

char *golden_read(const char *name)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = open_golden();
	char path[CV_PATH_MAX];
	char *text = NULL;
	size_t len;

	if (cv_read(r, cv_pathf(path, "/%s", name), &text, &len))
		fail_msg("tests/golden/%s is missing", name);
	return text;
}

static bool is_update(void)
{
	const char *update = getenv("CARVE_GOLDEN_UPDATE");

	return update && strcmp(update, "1") == 0;
}

static void golden_write(const char *name, const char *text)
{
	char path[CV_PATH_MAX];
	_cleanup_fclose_ FILE *f = fopen(
		cv_pathf(path, "%s/tests/golden/%s", getenv("CARVE_SOURCE_DIR"), name), "we");

	if (!f || fputs(text, f) < 0)
		fail_msg("tests/golden/%s cannot be written", name);
}

void golden_check(const char *name, const char *text)
{
	_cleanup_free_ char *wanted = NULL;

	if (is_update())
		golden_write(name, text);
	wanted = golden_read(name);
	if (strcmp(wanted, text))
		fail_msg("differs from tests/golden/%s; written now:\n%s", name, text);
}

char *golden_next_version(const char *name, const char *marker)
{
	_cleanup_free_ char *text = golden_read(name);
	char *at = strstr(text, marker);

	if (!at)
		fail_msg("no %s in tests/golden/%s", marker, name);
	at += strcspn(at, "123456789");
	++*at;
	return TAKE_PTR(text);
}
