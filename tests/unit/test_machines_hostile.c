// SPDX-License-Identifier: GPL-2.0-or-later
/* Descriptions and snapshots that lie: an error that says what, or an inventory that holds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "plan/distance.h"
#include "plan/inventory.h"
#include "tests/fake/machine.h"

/** struct sound - the manifest that is damaged */
struct sound {
	char *text;
	size_t len;
};

static int setup(void **state)
{
	struct sound *s = calloc(1, sizeof(*s));

	*state = s;
	return s ? machine_manifest("desktop-1s", &s->text, &s->len, NULL, NULL) : -1;
}

static int teardown(void **state)
{
	struct sound *s = *state;

	free(s->text);
	free(s);
	return 0;
}

/* ---- what must hold ---- */

static void check_chain(const struct inventory *inv, size_t i)
{
	size_t hops = 0;

	for (int d = (int)i; d >= 0; d = inv->devs[d].parent) {
		assert_true(d < (int)inv->n_devs);
		assert_true(hops++ <= inv->n_devs);
	}
}

static void check_inventory(const struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		check_chain(inv, i);
		assert_true(inv->devs[i].node >= -1);
		assert_true(inv->devs[i].pf < (int)inv->n_devs);
		inv_distance(inv, (int)i, (int)(inv->n_devs - 1 - i));
	}
	for (size_t i = 0; i < inv->n_cpus; i++) {
		assert_true(inv->cpus[i].core >= 0 && inv->cpus[i].core < (int)inv->n_cpus);
		assert_true(inv->cpus[i].node == -1 || inv_find_node(inv, inv->cpus[i].node) >= 0);
	}
}

static void check_error(const struct cv_error *err, int r, const char *what)
{
	if (err->err != r || !err->what[0] || !err->object[0])
		fail_msg("%s: %d without an error that says what", what, r);
}

/* Return: 0 when an inventory came out of it, or the error. */
static int survive(const char *text, size_t len, const char *what)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct cv_error err = { 0 };
	int r;

	assert_int_equal(machine_open_memory(text, len, &root), 0);
	r = machine_read(root, &inv, &err);
	if (r < 0)
		check_error(&err, r, what);
	else
		check_inventory(&inv);
	return r;
}

/* ---- damage ---- */

/* Whether the entry's path ends in @ending */
static bool is_entry(const char *line, size_t len, const char *ending)
{
	const char *end = len > 2 ? memchr(line + 2, ' ', len - 2) : NULL;
	size_t path = (size_t)((end ? end : line + len) - line), tail = strlen(ending);

	return path > tail && strncmp(line + path - tail, ending, tail) == 0 &&
	       strchr("/ ", line[path - tail - 1]);
}

/* The manifest with each entry that ends in @ending replaced by @data, or left out for NULL.
 * @kind: of the new entry */
static char *damaged(const struct sound *s, const char *ending, char kind, const char *data,
		     size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);
	size_t changed = 0;

	assert_non_null(out);
	for (const char *line = s->text; *line;) {
		size_t len = strcspn(line, "\n");
		size_t path = 2 + strcspn(line + 2, " \n");

		if (!is_entry(line, len, ending))
			fprintf(out, "%.*s\n", (int)len, line);
		else if (data)
			fprintf(out, "%c%.*s %s\n", kind, (int)path - 1, line + 1, data);
		changed += is_entry(line, len, ending);
		line += len + (line[len] == '\n');
	}
	assert_int_equal(fclose(out), 0);
	if (changed == 0)
		fail_msg("no entry ends in %s", ending);
	return TAKE_PTR(text);
}

static int survive_damage(const struct sound *s, const char *ending, char kind, const char *data)
{
	size_t len;
	_cleanup_free_ char *text = damaged(s, ending, kind, data, &len);

	return survive(text, len, ending);
}

#define LINK "sys/bus/pci/devices/0000:02:00.0"
#define ROOT "../../../devices/pci0000:00"

static void test_loops(void **state)
{
	static const char *const targets[] = {
		ROOT "/0000:00:02.1/0000:03:00.0/0000:02:00.0", /* below its own child */
		ROOT "/0000:02:00.0/0000:02:00.0",
		ROOT "/0000:00:02.1/0000:02:00.0/0000:03:00.0/0000:04:00.0/0000:02:00.0",
		ROOT "/0000:ff:1f.7/0000:02:00.0",
		ROOT,
		"../../../../../../etc",
		"0000:02:00.0", /* the link itself */
		"/",
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(targets); i++)
		assert_int_equal(survive_damage(*state, LINK, 'l', targets[i]), 0);
}

static void test_huge_numbers(void **state)
{
	static const struct {
		const char *ending, *data;
	} lies[] = {
		{ "cpu/online", "\"0-4095\\n\"" },
		{ "cpu/online", "\"0-99999999999\\n\"" },
		{ "cpu/online", "\"\\n\"" },
		{ "node/online", "\"0-4095\\n\"" },
		{ "node/online", "\"4294967296\\n\"" },
		{ "node0/cpulist", "\"0-4095\\n\"" },
		{ "physical_package_id", "\"2147483647\\n\"" },
		{ "core_id", "\"-2147483648\\n\"" },
		{ "die_id", "\"99999999999999999999\\n\"" },
		{ "core_cpus", "\"ffffffff,ffffffff,ffffffff,ffffffff\\n\"" },
		{ "core_cpus_list", "\"0-4095\\n\"" },
		{ "thread_siblings_list", "\"4095\\n\"" },
		{ "shared_cpu_list", "\"0-4095\\n\"" },
		{ "level", "\"2147483647\\n\"" },
		{ "distance", "\"10 10 10 10 10 10 10 10 10\\n\"" },
		{ "distance", "\"99999999999\\n\"" },
		{ "node0/meminfo", "\"Node 0 MemTotal: 99999999999999999999 kB\\n\"" },
		{ "nr_hugepages", "\"18446744073709551615\\n\"" },
		{ "numa_node", "\"2147483647\\n\"" },
		{ "class", "\"0xffffffffffffffff\\n\"" },
		{ "resource", "\"0xffffffffffffffff 0x0 0xffffffffffffffff\\n\"" },
		{ "resource", "\"0x0 0xffffffffffffffff 0x40200\\n\"" },
		{ "current_link_speed", "\"99999999999.9 GT/s\\n\"" },
		{ "current_link_width", "\"4294967295\\n\"" },
		{ "reserved_regions", "\"0xffffffffffffffff 0x0 msi\\n\"" },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(lies); i++)
		survive_damage(*state, lies[i].ending, 'f', lies[i].data);
}

static void test_group_numbers(void **state)
{
	assert_int_equal(survive_damage(*state, "0000:06:00.0/iommu_group", 'l',
					"../../../../kernel/iommu_groups/99999999999"),
			 0);
	assert_int_equal(survive_damage(*state, "0000:06:00.0/iommu_group", 'l', "/"), 0);
}

/* ---- every kind of file missing, empty, not text ---- */

static void last_part(const char *line, char *buf, size_t size)
{
	size_t path = 2 + strcspn(line + 2, " \n"), start = path;

	while (start > 2 && line[start - 1] != '/')
		start--;
	snprintf(buf, size, "%.*s", (int)(path - start), line + start);
}

/* The names of files, each once; addresses and numbered directories are names of links only. */
static void file_names(const struct sound *s, struct cv_strv *ret)
{
	for (const char *line = s->text; *line; line += strcspn(line, "\n") + 1) {
		char name[64];
		bool known = false;

		if (*line != 'f' && *line != 'b')
			continue;
		last_part(line, name, sizeof(name));
		for (size_t i = 0; !known && i < ret->n; i++)
			known = strcmp(ret->v[i], name) == 0;
		if (!known)
			cv_strv_add(ret, name);
	}
}

static void test_each_file(void **state)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	file_names(*state, &names);
	assert_true(names.n > 60);
	for (size_t i = 0; i < names.n; i++) {
		survive_damage(*state, names.v[i], 'f', NULL);
		survive_damage(*state, names.v[i], 'f', "\"\"");
		survive_damage(*state, names.v[i], 'f', "\"-1 x\\n\\n\"");
		survive_damage(*state, names.v[i], 'b', "ff00feff0a00");
	}
}

/* What no host lacks is an error, what some lack is not. */
static void test_missing(void **state)
{
	static const char *const needed[] = { "cpu/online", "node/online", "node0/meminfo" };
	static const char *const optional[] = { "numa_node",   "config",       "resource",
						"die_id",      "cluster_id",   "distance",
						"iommu_group", "nr_hugepages", "reset_method" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(needed); i++)
		assert_int_equal(survive_damage(*state, needed[i], 'f', NULL), -ENOENT);
	for (size_t i = 0; i < CV_ARRAY_SIZE(optional); i++)
		if (strcmp(optional[i], "nr_hugepages") != 0)
			assert_int_equal(survive_damage(*state, optional[i], 'f', NULL), 0);
}

/* ---- config space ---- */

static unsigned int next_random(unsigned int *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Some hex digits of every config space become others: capability chains then lead anywhere. */
static void test_config(void **state)
{
	const struct sound *s = *state;
	unsigned int seed = 1;

	for (int round = 0; round < 40; round++) {
		_cleanup_free_ char *text = strdup(s->text);

		assert_non_null(text);
		for (char *p = strstr(text, "/config "); p; p = strstr(p, "/config ")) {
			size_t len;

			p += strlen("/config ");
			len = strcspn(p, "\n");
			for (int i = 0; i < 20; i++) {
				size_t at = next_random(&seed) % len;

				p[i % 2 ? at : at % 0x340] =
					"0123456789abcdef"[next_random(&seed) % 16];
			}
		}
		assert_int_equal(survive(text, s->len, "config"), 0);
	}
}

/* ---- the manifest and the description themselves ---- */

static void test_truncated(void **state)
{
	const struct sound *s = *state;

	for (size_t i = 0; i < 12; i++) {
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
		struct cv_error err = { 0 };
		size_t len = s->len / 997 * (83 * i + 1);
		int r;

		while (s->text[len - 1] == '\n' || s->text[len] == '\n')
			len--; /* within a line */
		r = machine_open_text(s->text, len, &root, &err);
		if (r < 0)
			check_error(&err, r, "truncated");
		else
			survive(s->text, len, "truncated");
	}
}

static void refuse(const char *text, const char *where)
{
	_cleanup_free_ char *manifest = NULL;
	struct cv_error err = { 0 };
	size_t len;

	assert_int_equal(machine_compile(text, strlen(text), "x.machine", &manifest, &len, NULL,
					 &err),
			 -EINVAL);
	assert_string_equal(err.object, where);
	assert_true(err.what[0]);
}

#define START "carve-machine 1\n"
#define ONE_CPU START "host iommu=none\nnode 0 memory=1G\npackage {\ncores 1 node=0\n}\n"

static void test_descriptions(void **state)
{
	refuse("carve-machine 2\n", "x.machine:1");
	refuse(START, "x.machine");
	refuse(START "computer\n", "x.machine:2");
	refuse(START "package\n", "x.machine:2");
	refuse(START "package {\n", "x.machine:2");
	refuse(START "}\n", "x.machine:2");
	refuse(START "host iommu=none colour=red\n", "x.machine:2");
	refuse(START "host iommu=maybe\n", "x.machine:2");
	refuse(START "repeat i x {\n}\n", "x.machine:2");
	refuse(START "repeat i 2 {\nnode $(j)\n}\n", "x.machine:3");
	refuse(START "node $(1/0)\n", "x.machine:2");
	refuse(START "node $((((((((((((((((((1))))))))))))))))))\n", "x.machine:2");
	refuse(START "node 0\nnode 0\n", "x.machine:3");
	refuse(START "node 0 memory=1G 1G=2\n", "x.machine:2");
	refuse(ONE_CPU "root 0000:00 {\nfunction toaster\n}\n", "x.machine:8");
	refuse(ONE_CPU "root 0000:00 {\ndown {\n}\n}\n", "x.machine:8");
	refuse(ONE_CPU "root 0000:00 {\nfunction plain vfs=1\n}\n", "x.machine:8");
	refuse(ONE_CPU "root 0000:00 {\nfunction plain at=0.0\n}\n", "x.machine:8");
	refuse(ONE_CPU "root 0000:00 {\nfunction plain at=00.0\nfunction plain at=00.0\n}\n",
	       "0000:00:00.0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loops),	      cmocka_unit_test(test_huge_numbers),
		cmocka_unit_test(test_group_numbers), cmocka_unit_test(test_each_file),
		cmocka_unit_test(test_missing),	      cmocka_unit_test(test_config),
		cmocka_unit_test(test_truncated),     cmocka_unit_test(test_descriptions),
	};

	return cmocka_run_group_tests_name("machines_hostile", tests, setup, teardown);
}
