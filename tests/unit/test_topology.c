// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader of sysfs, hwloc on the same tree, and an XML file of that tree say the same. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/dirroot.h"
#include "base/sysroot.h"
#include "numa/import.h"
#include "numa/inventory.h"
#include "numa/topology.h"
#include "tests/fake/machine.h"

/** struct fixture - one root, and a file beside it */
struct fixture {
	const char *name;
	struct cv_sysroot *root;
	char xml[64];
};

/* Of PCI devices neither side wants to know: without them a large machine unpacks in no time. */
static bool is_wanted(const char *line)
{
	static const char *const others[] = { "sys/devices/pci", "sys/bus/", "sys/class/",
					      "sys/kernel/i",	 "lib/",     "usr/" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(others); i++)
		if (strncmp(line + strcspn(line, " ") + 1, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

static size_t keep_wanted(char *text)
{
	size_t kept = 0;

	for (char *line = text, *next; *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (!is_wanted(line))
			continue;
		memmove(text + kept, line, (size_t)(next - line));
		kept += (size_t)(next - line);
	}
	text[kept] = '\0';
	return kept;
}

static void fixture_open(const char *name, struct fixture *f)
{
	_cleanup_free_ char *text = NULL;
	struct cv_error err = { 0 };
	size_t len;
	int fd;

	f->name = name;
	if (machine_manifest(name, &text, &len, NULL, &err) < 0 ||
	    machine_open_text(text, keep_wanted(text), &f->root, &err) < 0)
		fail_msg("%s: %s: %s", name, err.object, err.what);
	snprintf(f->xml, sizeof(f->xml), "/tmp/carve-test-topology-XXXXXX");
	fd = mkstemp(f->xml);
	assert_true(fd >= 0);
	close(fd);
	setenv("HWLOC_FSROOT", cv_sysroot_dir(f->root), 1);
}

static void fixture_close(struct fixture *f)
{
	unlink(f->xml);
	cv_sysroot_close(f->root);
}

/* ---- comparing ---- */

/** struct partition - what puts CPUs together: equal in @member, and in @within unless ALONE */
struct partition {
	const char *name;
	size_t member, within;
};

#define ALONE SIZE_MAX
#define MEMBER(m) offsetof(struct inv_cpu, m)

static const struct partition partitions[] = {
	{ "package", MEMBER(package), ALONE }, { "die", MEMBER(die), MEMBER(package) },
	{ "core", MEMBER(core), ALONE },       { "L2", MEMBER(l2), ALONE },
	{ "L3", MEMBER(l3), ALONE },	       { "kind", MEMBER(kind), ALONE },
};

static int number_at(const struct inv_cpu *cpu, size_t member)
{
	int n;

	if (member == ALONE)
		return 0;
	memcpy(&n, (const char *)cpu + member, sizeof(n));
	return n;
}

static bool is_together(const struct partition *p, const struct inv_cpu *a, const struct inv_cpu *b)
{
	return number_at(a, p->member) == number_at(b, p->member) &&
	       number_at(a, p->within) == number_at(b, p->within);
}

/* Index of the first CPU that is together with the one at @i. */
static size_t first_of(const struct inventory *inv, const struct partition *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_together(p, &inv->cpus[k], &inv->cpus[i]))
			return k;
	return i;
}

static void compare_partition(const struct fixture *f, const struct partition *p,
			      const struct inventory *a, const struct inventory *b)
{
	for (size_t i = 0; i < a->n_cpus; i++)
		if (first_of(a, p, i) != first_of(b, p, i))
			fail_msg("%s: %s of CPU %d: with CPU %d, not with CPU %d", f->name, p->name,
				 a->cpus[i].id, a->cpus[first_of(a, p, i)].id,
				 a->cpus[first_of(b, p, i)].id);
}

/* What a sysfs tree and hwloc both give a number to, or both do not have. */
static void compare_cpu(const struct fixture *f, const struct inv_cpu *a, const struct inv_cpu *b)
{
	if (a->id != b->id || a->node != b->node || a->package != b->package ||
	    a->core != b->core || a->thread != b->thread || a->l2 != b->l2 || a->l3 != b->l3)
		fail_msg(
			"%s: CPU %d: node %d package %d core %d thread %d L2 %d L3 %d, and CPU %d: "
			"node %d package %d core %d thread %d L2 %d L3 %d",
			f->name, a->id, a->node, a->package, a->core, a->thread, a->l2, a->l3,
			b->id, b->node, b->package, b->core, b->thread, b->l2, b->l3);
}

static void compare_node(const struct fixture *f, const struct inventory *a,
			 const struct inventory *b, size_t i)
{
	const struct inv_node *x = &a->nodes[i], *y = &b->nodes[i];

	if (x->id != y->id || x->mem_total != y->mem_total)
		fail_msg("%s: node %d of %" PRIu64 " bytes, and node %d of %" PRIu64, f->name,
			 x->id, x->mem_total, y->id, y->mem_total);
	if (!cv_cpuset_equal(&x->cpus, &y->cpus))
		fail_msg("%s: node %d: %d CPUs, not %d", f->name, x->id, cv_cpuset_count(&x->cpus),
			 cv_cpuset_count(&y->cpus));
	for (size_t k = 0; k < a->n_nodes; k++)
		if (x->distances[k] != y->distances[k])
			fail_msg("%s: node %d: distance %zu: %d, not %d", f->name, x->id, k,
				 x->distances[k], y->distances[k]);
	for (size_t k = 0; k < x->n_pools; k++) {
		const struct inv_pool *p = inv_find_pool(y, x->pools[k].page_size);

		if (!p || p->total != x->pools[k].total || p->free != p->total)
			fail_msg("%s: node %d: pool %zu differs", f->name, x->id, k);
	}
}

static void compare(const struct fixture *f, const struct inventory *a, const struct inventory *b)
{
	if (a->n_cpus != b->n_cpus || a->n_nodes != b->n_nodes)
		fail_msg("%s: %zu CPUs on %zu nodes, and %zu on %zu", f->name, a->n_cpus,
			 a->n_nodes, b->n_cpus, b->n_nodes);
	assert_true(cv_cpuset_equal(&a->host.online, &b->host.online));
	for (size_t i = 0; i < a->n_cpus; i++)
		compare_cpu(f, &a->cpus[i], &b->cpus[i]);
	for (size_t i = 0; i < CV_ARRAY_SIZE(partitions); i++)
		compare_partition(f, &partitions[i], a, b);
	for (size_t i = 0; i < a->n_nodes; i++)
		compare_node(f, a, b, i);
}

static void read_sysfs(const struct fixture *f, struct inventory *ret)
{
	struct cv_error err = { 0 };

	if (nu_inventory_read(f->root, &(struct nu_depth){ 0 }, ret, &err) < 0)
		fail_msg("%s: %s: %s", f->name, err.object, err.what);
}

static int read_xml(const struct fixture *f, struct inventory *ret, struct cv_error *err)
{
	return nu_inventory_read(f->root, &(struct nu_depth){ .hwloc_xml = f->xml }, ret, err);
}

static void compare_with_hwloc(const struct fixture *f)
{
	_cleanup_inventory_ struct inventory ours = { 0 }, theirs = { 0 };
	struct cv_error err = { 0 };

	read_sysfs(f, &ours);
	if (nu_topology_discover(&theirs, &err) < 0)
		fail_msg("%s: %s: %s", f->name, err.object, err.what);
	compare(f, &ours, &theirs);
}

/* Return: exit code of lstopo on the fixture's tree, -1 when there is no lstopo. */
static int run_lstopo(const struct fixture *f)
{
	const char *argv[] = { "lstopo-no-graphics", "--of", "xml", "--force", f->xml, NULL };
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ) != 0)
		return -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void compare_with_xml(const struct fixture *f)
{
	_cleanup_inventory_ struct inventory ours = { 0 }, theirs = { 0 };
	struct cv_error err = { 0 };

	if (run_lstopo(f) != 0)
		fail_msg("%s: lstopo failed", f->name);
	read_sysfs(f, &ours);
	if (read_xml(f, &theirs, &err) < 0)
		fail_msg("%s: %s: %s", f->name, err.object, err.what);
	compare(f, &ours, &theirs);
	assert_string_equal(ours.host.kernel, theirs.host.kernel);
	for (size_t i = 0; i < ours.n_cpus; i++)
		assert_int_equal(ours.cpus[i].is_isolated, theirs.cpus[i].is_isolated);
}

static bool has_lstopo(void)
{
	return system("lstopo-no-graphics --version >/dev/null 2>&1") == 0;
}

/* All in one: a machine of 512 CPUs is unpacked once. */
static void test_agreement(void **state)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	bool with_xml = has_lstopo();

	(void)state;
	assert_int_equal(machine_names(&names), 0);
	assert_true(names.n >= 4);
	for (size_t i = 0; i < names.n; i++) {
		struct fixture f = { 0 };

		fixture_open(names.v[i], &f);
		compare_with_hwloc(&f);
		if (with_xml)
			compare_with_xml(&f);
		fixture_close(&f);
	}
	if (!with_xml) {
		print_message("no XML: lstopo-no-graphics is not here: scripts/install-deps\n");
		skip();
	}
}

static void write_xml(const struct fixture *f, const char *text, size_t len)
{
	_cleanup_fclose_ FILE *file = fopen(f->xml, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
}

/* Whatever the file holds: read, or refused by name. */
static int import(const struct fixture *f, const char *text, size_t len)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct cv_error err = { 0 };
	int r;

	write_xml(f, text, len);
	r = read_xml(f, &inv, &err);
	if (r < 0) {
		assert_int_equal(err.err, r);
		assert_string_equal(err.object, f->xml);
		assert_true(err.what[0] != '\0');
	} else {
		assert_int_equal(inv.n_cpus, cv_cpuset_count(&inv.host.online));
	}
	return r;
}

static char *xml_of(const struct fixture *f, size_t *ret_len)
{
	_cleanup_close_ int fd = -1;
	char *text;

	assert_int_equal(run_lstopo(f), 0);
	fd = open(f->xml, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(cv_read_fd(fd, 1 << 24, &text, ret_len), 0);
	return text;
}

/* @from is replaced by @to at its first place. */
static int import_edited(const struct fixture *f, const char *text, const char *from,
			 const char *to)
{
	_cleanup_free_ char *edited = NULL;
	const char *at = strstr(text, from);

	assert_non_null(at);
	assert_true(asprintf(&edited, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >
		    0);
	return import(f, edited, strlen(edited));
}

static void check_truncated(const struct fixture *f, const char *text, size_t len)
{
	const char *end = strstr(text, "</topology>");

	assert_non_null(end);
	for (size_t cut = 0; cut < (size_t)(end - text); cut += len / 60 + 1)
		if (import(f, text, cut) != -EINVAL)
			fail_msg("%zu of %zu bytes were accepted", cut, len);
}

static void check_edited(const struct fixture *f, const char *text)
{
	assert_int_equal(import(f, text, strlen(text)), 0);
	assert_int_equal(import_edited(f, text, "<topology ", "<topologies "), -EINVAL);
	assert_int_equal(import_edited(f, text, "type=\"PU\" os_index=\"0\"",
				       "type=\"PU\" os_index=\"7000000\""),
			 -EINVAL);
	assert_int_equal(import(f, "", 0), -EINVAL);
	assert_int_equal(import(f, "\0\0\0", 3), -EINVAL);
	assert_int_equal(import(f, "<?xml version=\"1.0\"?><topology version=\"2.0\"/>", 47),
			 -EINVAL);
}

/* One byte at a time becomes another one: the file may still be right, and is never fatal. */
static void check_mutated(const struct fixture *f, char *text, size_t len)
{
	static const char bytes[] = "0f9\"<>/x,- ";

	for (size_t i = 0; i < 120; i++) {
		size_t at = (i * 7919 + 31) % len;
		char saved = text[at];

		text[at] = bytes[i % (sizeof(bytes) - 1)];
		import(f, text, len);
		text[at] = saved;
	}
}

static void test_hostile_xml(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct fixture f = { 0 };
	size_t len;

	(void)state;
	if (!has_lstopo()) {
		print_message("lstopo-no-graphics is not here: scripts/install-deps\n");
		skip();
	}
	fixture_open("2n-2igb-2nvme-1sw-smt", &f);
	text = xml_of(&f, &len);
	check_edited(&f, text);
	check_truncated(&f, text, len);
	check_mutated(&f, text, len);
	fixture_close(&f);
}

static void test_missing_xml(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct cv_error err = { 0 };

	(void)state;
	assert_int_equal(nu_topology_import("/nonexistent.xml", &inv, &err), -ENOENT);
	assert_string_equal(err.object, "/nonexistent.xml");
	assert_int_equal(nu_topology_import("/", &inv, &err), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),
		cmocka_unit_test(test_hostile_xml),
		cmocka_unit_test(test_missing_xml),
	};

	setenv("HWLOC_COMPONENTS", "linux,stop", 1);
	setenv("HWLOC_HIDE_ERRORS", "2", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
