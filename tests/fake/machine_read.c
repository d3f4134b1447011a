// SPDX-License-Identifier: GPL-2.0-or-later
/* Fixtures by name, captured and made, as manifests, roots and inventories. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "numa/inventory.h"
#include "sriov/inventory.h"
#include "tests/fake/machine.h"

#define DESCRIPTIONS "tests/machines"
#define CAPTURES "tests/sysroots"

static const char *source_dir(void)
{
	const char *dir = getenv("CARVE_SOURCE_DIR");

	return dir ? dir : ".";
}

static const char *fixture_path(char buf[CV_PATH_MAX], const char *dir, const char *name,
				const char *ending)
{
	return cv_pathf(buf, "%s/%s/%s%s", source_dir(), dir, name, ending);
}

/* Names in @dir that end in @ending, without it */
static int add_names(struct cv_strv *names, const char *dir, const char *ending)
{
	char path[CV_PATH_MAX];
	DIR *d = opendir(fixture_path(path, dir, "", ""));
	struct dirent *entry;
	int r = d ? 0 : -errno;

	while (r == 0 && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name), tail = strlen(ending);

		if (len > tail && strcmp(entry->d_name + len - tail, ending) == 0)
			r = cv_strv_addf(names, "%.*s", (int)(len - tail), entry->d_name);
	}
	if (d)
		closedir(d);
	return r;
}

int machine_names(struct cv_strv *ret)
{
	int r = add_names(ret, DESCRIPTIONS, ".machine");

	if (r == 0)
		r = add_names(ret, CAPTURES, ".sysroot");
	cv_strv_sort(ret);
	return r;
}

bool machine_is_captured(const char *name)
{
	char path[CV_PATH_MAX];

	return access(fixture_path(path, CAPTURES, name, ".sysroot"), R_OK) == 0;
}

static int read_file(const char *path, char **ret, size_t *ret_len, struct cv_error *err)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	char block[4096];
	size_t n;
	FILE *out;

	if (!in)
		return cv_fail_errno(err, -errno, path, "cannot read the fixture");
	out = open_memstream(&text, ret_len);
	if (!out)
		return cv_fail_errno(err, -ENOMEM, path, "cannot read the fixture");
	while ((n = fread(block, 1, sizeof(block), in)) > 0)
		fwrite(block, 1, n, out);
	if (fclose(out) != 0)
		return cv_fail_errno(err, -ENOMEM, path, "cannot read the fixture");
	*ret = TAKE_PTR(text);
	return 0;
}

int machine_manifest(const char *name, char **ret, size_t *ret_len, struct machine_counts *counts,
		     struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	size_t len;
	int r;

	if (machine_is_captured(name)) {
		if (counts)
			memset(counts, 0xff, sizeof(*counts)); /* all -1 */
		return read_file(fixture_path(path, CAPTURES, name, ".sysroot"), ret, ret_len, err);
	}
	r = read_file(fixture_path(path, DESCRIPTIONS, name, ".machine"), &text, &len, err);
	return r < 0 ? r : machine_compile(text, len, path, ret, ret_len, counts, err);
}

int machine_read(struct cv_sysroot *root, struct inventory *ret, struct cv_error *err)
{
	struct inventory inv = { 0 };
	int r;

	r = nu_inventory_read(root, &(struct nu_depth){ .noise = true }, &inv, err);
	if (r == 0)
		r = sr_inventory_read(root, &(struct sr_depth){ .holders = true }, &inv, err);
	if (r < 0)
		inventory_done(&inv);
	else
		*ret = inv;
	return r;
}

void machine_inventory(const char *name, struct inventory *ret)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	_cleanup_free_ char *text = NULL, *manifest = NULL;
	struct cv_error err = { 0 };
	size_t len;

	if (machine_manifest(name, &manifest, &len, NULL, &err) == 0 &&
	    machine_open_memory(manifest, len, &root) == 0 && machine_read(root, ret, &err) == 0)
		return;
	text = cv_error_format(&err);
	fail_msg("%s: %s", name, text ? text : "out of memory");
}
