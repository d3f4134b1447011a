// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's ACPI tables: as iasl reads them, and that their numbers are those of the plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include "acpi_machine.h"
#include "base/cleanup.h"
#include "guest_builder.h"
#include "plan/apic_id.h"
#include "plan_cases.h"
#include "tests/fake/golden.h"
#include "vmm/core/layout.h"

/* Its text is that of the golden files; others word some fields differently. */
#define REFERENCE_IASL "version 20200925"

static const char *const iasl_cases[] = { "one-node-one-vf", "two-nodes" };

/* ---- iasl, in a folder of its own ---- */

struct folder {
	char path[64];
};

static void folder_init(struct folder *f)
{
	snprintf(f->path, sizeof(f->path), "/tmp/carve-acpi-XXXXXX");
	assert_non_null(mkdtemp(f->path));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void folder_done(struct folder *f)
{
	assert_int_equal(nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void put_file(const struct folder *f, const char *name, const void *data, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
}

static char *get_file(const struct folder *f, const char *name, size_t *ret_len)
{
	char path[128], *text = calloc(1, 1 << 20);

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(text);
	*ret_len = fread(text, 1, (1 << 20) - 1, file);
	return text;
}

static int run(const struct folder *f, const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "cd %s && %s >log 2>&1", f->path, command);
	return system(line);
}

/* Ends the test, as skipped, when there is no iasl. */
static void need_iasl(struct folder *f)
{
	if (run(f, "iasl -v") == 0)
		return;
	folder_done(f);
	print_message("no iasl (package acpica-tools): scripts/install-deps check\n");
	skip();
}

static bool is_reference(const struct folder *f)
{
	size_t len;

	assert_int_equal(run(f, "iasl -v"), 0);
	_cleanup_free_ char *text = get_file(f, "log", &len);
	return strstr(text, REFERENCE_IASL) != NULL;
}

static void need_quiet(const struct folder *f, const char *what)
{
	static const char *const bad[] = { "Error", "Warning", "Invalid", "Unknown", "Remark" };
	static const char *const good = "0 Errors, 0 Warnings, 0 Remarks";
	size_t len;
	_cleanup_free_ char *text = get_file(f, "log", &len);

	for (char *at; (at = strstr(text, good));)
		memset(at, ' ', strlen(good));
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		if (strstr(text, bad[i]))
			fail_msg("iasl about %s:\n%s", what, text);
}

/* The text of a table, without the comment at its beginning, which names version, file and date, and
 * without the bytes at its end. */
static char *disassembled(const struct folder *f, const struct acpi_table *t)
{
	char aml[16], dsl[16], command[64];
	size_t len;

	snprintf(aml, sizeof(aml), "%s.aml", t->name);
	snprintf(dsl, sizeof(dsl), "%s.dsl", t->name);
	snprintf(command, sizeof(command), "iasl -d %s", aml);
	put_file(f, aml, t->data, t->len);
	if (run(f, command) != 0)
		fail_msg("iasl -d %s failed", t->name);
	need_quiet(f, t->name);
	_cleanup_free_ char *text = get_file(f, dsl, &len);
	char *start = strstr(text, "*/\n"), *raw = strstr(text, "\nRaw Table Data");
	assert_non_null(start);
	if (raw)
		raw[0] = '\0';
	return strdup(start + 3 + strspn(start + 3, "\n"));
}

static char *all_disassembled(const struct folder *f, const struct acpi_machine *m)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	for (size_t i = 0; i < m->n_tables; i++) {
		_cleanup_free_ char *one = disassembled(f, &m->tables[i]);

		fprintf(out, "---- %s ----\n%s", m->tables[i].name, one);
	}
	fclose(out);
	return text;
}

static void iasl_reads_every_table(void **state)
{
	struct folder f = { 0 };
	bool is_golden;

	(void)state;
	folder_init(&f);
	need_iasl(&f);
	is_golden = is_reference(&f);
	for (size_t i = 0; i < CV_ARRAY_SIZE(iasl_cases); i++) {
		_cleanup_plan_ struct plan p = { 0 };
		struct acpi_machine m;
		char file[64];

		plan_case(iasl_cases[i], &p);
		acpi_machine_init(&m, &p, true);
		_cleanup_free_ char *text = all_disassembled(&f, &m);
		snprintf(file, sizeof(file), "acpi/%s.dsl", iasl_cases[i]);
		if (is_golden)
			golden_check(file, text);
		acpi_machine_done(&m);
	}
	folder_done(&f);
	if (!is_golden) {
		print_message("golden files not compared: they are of iasl " REFERENCE_IASL "\n");
		skip();
	}
}

/* iasl finds nothing to say about the text, and makes of it the very bytes that it came from: names and
 * lengths are as short as they can be. */
static void check_recompiled(const struct folder *f, const struct acpi_table *t)
{
	_cleanup_free_ char *text = disassembled(f, t);
	size_t len;

	if (run(f, "iasl -we -oa -p again DSDT.dsl") != 0) {
		_cleanup_free_ char *log = get_file(f, "log", &len);
		fail_msg("%s", log);
	}
	need_quiet(f, "the DSDT");
	_cleanup_free_ char *again = get_file(f, "again.aml", &len);
	assert_int_equal(len, t->len);
	/* the header names the compiler */
	assert_memory_equal(again + 36, t->data + 36, t->len - 36);
}

static void the_dsdt_compiles_to_itself(void **state)
{
	struct folder f = { 0 };

	(void)state;
	folder_init(&f);
	need_iasl(&f);
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct acpi_machine m;
		struct gb b;

		guest_case(guest_cases[i], &b);
		acpi_machine_init(&m, &b.plan, i % 2 == 0);
		check_recompiled(&f, acpi_machine_find(&m, "DSDT"));
		acpi_machine_done(&m);
		gb_done(&b);
	}
	folder_done(&f);
}

/* ---- read by ourselves ---- */

static void write_madt_entry(FILE *out, const uint8_t *e)
{
	switch (e[0]) {
	case 0:
		fprintf(out, "local APIC: uid %u id %u flags %u\n", e[2], e[3],
			(unsigned int)table_le(e, 4, 4));
		break;
	case 1:
		fprintf(out, "I/O APIC: id %u address 0x%08x gsi %u\n", e[2],
			(unsigned int)table_le(e, 4, 4), (unsigned int)table_le(e, 8, 4));
		break;
	case 4:
		fprintf(out, "local APIC NMI: uid %u LINT%u\n", e[2], e[5]);
		break;
	case 9:
		fprintf(out, "x2APIC: uid %u id %u flags %u\n", (unsigned int)table_le(e, 12, 4),
			(unsigned int)table_le(e, 4, 4), (unsigned int)table_le(e, 8, 4));
		break;
	case 10:
		fprintf(out, "x2APIC NMI: uid 0x%x LINT%u\n", (unsigned int)table_le(e, 4, 4),
			e[8]);
		break;
	default:
		fail_msg("entry of type %u", e[0]);
	}
}

/* More than 255 vCPUs: which kind of entry each has (row T6). */
static void madt_of_many_vcpus(void **state)
{
	struct acpi_machine m;
	struct gb b;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_non_null(out);
	guest_case("many-vcpus", &b);
	acpi_machine_init(&m, &b.plan, true);
	const struct acpi_table *t = acpi_machine_find(&m, "APIC");
	for (size_t at = 44; at < t->len; at += t->data[at + 1])
		write_madt_entry(out, t->data + at);
	fclose(out);
	golden_check("acpi/many-vcpus.madt", text);
	free(text);
	acpi_machine_done(&m);
	gb_done(&b);
}

struct affinities {
	size_t vcpus, ranges;
};

static size_t vcpu_of(const struct plan *p, uint32_t id)
{
	for (size_t i = 0; i < p->n_vcpus; i++)
		if (plan_apic_id(p, i) == id)
			return i;
	fail_msg("no vCPU has APIC ID %u", id);
	return 0;
}

static void check_memory(const struct plan *p, const uint8_t *e)
{
	uint64_t start = table_le(e, 8, 8), size = table_le(e, 16, 8);

	assert_int_equal(table_le(e, 28, 4), 1);
	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_RAM && p->ranges[i].start == start) {
			assert_true(p->ranges[i].size == size);
			assert_int_equal(p->ranges[i].guest_node, table_le(e, 2, 4));
			return;
		}
	fail_msg("no memory at 0x%llx", (unsigned long long)start);
}

static void check_affinity(const struct plan *p, const uint8_t *e, struct affinities *n)
{
	if (e[0] == 1) {
		check_memory(p, e);
		n->ranges++;
		return;
	}
	bool is_wide = e[0] == 2;
	uint32_t id = is_wide ? (uint32_t)table_le(e, 8, 4) : e[3];
	uint32_t node = is_wide ? (uint32_t)table_le(e, 4, 4) : e[2];

	assert_true(is_wide || e[0] == 0);
	assert_int_equal(is_wide, id > 254);
	assert_int_equal(p->vcpus[vcpu_of(p, id)].guest_node, node);
	assert_int_equal(table_le(e, is_wide ? 12 : 4, 4), 1);
	n->vcpus++;
}

static void check_distances(const struct plan *p, const struct acpi_table *slit)
{
	assert_int_equal(table_le(slit->data, 36, 8), p->n_nodes);
	assert_int_equal(slit->len, 44 + p->n_nodes * p->n_nodes);
	for (size_t i = 0; i < p->n_nodes; i++)
		for (size_t k = 0; k < p->n_nodes; k++)
			assert_int_equal(slit->data[44 + i * p->n_nodes + k],
					 p->nodes[i].distances[k]);
}

static void check_numa(const struct plan *p)
{
	struct affinities n = { 0 };
	size_t ranges = 0;
	struct acpi_machine m;

	acpi_machine_init(&m, p, true);
	const struct acpi_table *srat = acpi_machine_find(&m, "SRAT");
	for (size_t at = 48; at < srat->len; at += srat->data[at + 1])
		check_affinity(p, srat->data + at, &n);
	for (size_t i = 0; i < p->n_ranges; i++)
		ranges += p->ranges[i].kind == PLAN_RAM;
	assert_int_equal(n.vcpus, p->n_vcpus);
	assert_int_equal(n.ranges, ranges);
	check_distances(p, acpi_machine_find(&m, "SLIT"));
	acpi_machine_done(&m);
}

static void affinities_are_the_plans(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };

		plan_case(plan_cases[i], &p);
		check_numa(&p);
	}
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct gb b;

		guest_case(guest_cases[i], &b);
		check_numa(&b.plan);
		gb_done(&b);
	}
}

static bool has_bytes(const struct acpi_table *t, const char *text)
{
	return memmem(t->data, t->len, text, strlen(text)) != NULL;
}

static void no_serial_port_no_console_table(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct acpi_machine with, without;

	(void)state;
	plan_case("smt", &p);
	acpi_machine_init(&with, &p, true);
	acpi_machine_init(&without, &p, false);
	assert_non_null(acpi_machine_find(&with, "SPCR"));
	assert_true(has_bytes(acpi_machine_find(&with, "DSDT"), "COM1"));
	assert_null(acpi_machine_find(&without, "SPCR"));
	assert_false(has_bytes(acpi_machine_find(&without, "DSDT"), "COM1"));
	assert_int_equal(with.n_tables, without.n_tables + 1);
	acpi_machine_done(&with);
	acpi_machine_done(&without);
}

static void same_plan_same_bytes(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct acpi_machine a, b;

	(void)state;
	plan_case("epyc", &p);
	acpi_machine_init(&a, &p, true);
	acpi_machine_init(&b, &p, true);
	assert_int_equal(a.bytes.len, b.bytes.len);
	assert_memory_equal(a.bytes.data, b.bytes.data, a.bytes.len);
	acpi_machine_done(&a);
	acpi_machine_done(&b);
}

/* The most vCPUs and nodes that a plan can have fit; a table that would end too high is refused. */
static void tables_end_where_smbios_begins(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct acpi_machine m;
	struct vmm_bytes none = { 0 };

	(void)state;
	plan_case("smt", &p);
	acpi_machine_init(&m, &p, true);
	m.in.base = (VMM_ACPI_END - m.bytes.len) & ~15ULL;
	acpi_machine_done(&m);
	assert_int_equal(vmm_acpi_make(&m.in, &m.bytes), 0);
	m.in.base += 16;
	assert_int_equal(vmm_acpi_make(&m.in, &none), -E2BIG);
	assert_null(none.data);
	acpi_machine_done(&m);
}

static void the_largest_plan_fits(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct acpi_machine m;

	(void)state;
	plan_case("smt", &p);
	p.vcpus = reallocarray(p.vcpus, CV_CPU_MAX, sizeof(*p.vcpus));
	assert_non_null(p.vcpus);
	p.n_vcpus = CV_CPU_MAX;
	p.packages = 2;
	p.dies = 8;
	p.cores = CV_CPU_MAX / 32;
	p.threads = 2;
	for (int i = 0; i < CV_CPU_MAX; i++)
		p.vcpus[i] = (struct plan_vcpu){
			.package = i / (CV_CPU_MAX / 2),
			.die = i / (CV_CPU_MAX / 16) % 8,
			.core = i / 2,
			.thread = i % 2,
		};
	acpi_machine_init(&m, &p, true);
	for (size_t i = m.in.n_roots; i < ACPI_MACHINE_ROOTS; i++)
		m.roots[i] = (struct vmm_root){ .uid = (unsigned int)i, .bus = (uint8_t)(100 + i) };
	m.in.n_roots = ACPI_MACHINE_ROOTS;
	acpi_machine_done(&m);
	assert_int_equal(vmm_acpi_make(&m.in, &m.bytes), 0);
	acpi_machine_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iasl_reads_every_table),
		cmocka_unit_test(the_dsdt_compiles_to_itself),
		cmocka_unit_test(madt_of_many_vcpus),
		cmocka_unit_test(affinities_are_the_plans),
		cmocka_unit_test(no_serial_port_no_console_table),
		cmocka_unit_test(same_plan_same_bytes),
		cmocka_unit_test(tables_end_where_smbios_begins),
		cmocka_unit_test(the_largest_plan_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
