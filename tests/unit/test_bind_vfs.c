// SPDX-License-Identifier: GPL-2.0-or-later
/* VFs that are made to be bound, and VFs that others made: whatever fails, and whoever ends first, the
 * host is as it was. */
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
#include "base/parse.h"
#include "base/state.h"
#include "sriov/steps.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"
#include "tools/bind_functions.h"
#include "tools/device_steps.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define VF0 "0000:41:10.0"
#define VF2 "0000:41:10.4"
#define POOL "/sys/devices/system/node/node1/hugepages/hugepages-2048kB"
#define MAX_CHANGES 600

const struct cmd_verb *const cmd_verbs[] = { NULL };
static const struct cmd_verb verb = { .name = "test" };
static const struct site site = { .lock_wait_s = 50 };

/** struct bind - what one carve device bind decides on */
struct bind {
	struct cmd c;
	struct inventory inv;
	struct bind_functions f;
	struct device_take *take;
	struct cv_bdf *bdfs;
	struct cv_step_list steps;
	struct operation op;
};

static struct cmd cmd_on(struct cv_sysroot *root)
{
	/* with JSON there is no progress on stderr */
	return (struct cmd){ .verb = &verb, .root = root, .sysroot = "/", .json = true };
}

/* Return: of bind_functions(), with @b ready for the steps. */
static int name_functions(struct host *h, const char *const *args, struct bind *b)
{
	struct bind_args list = { 0 };
	int r = 0;

	*b = (struct bind){ .c = cmd_on(h->root) };
	read_inventory(h, &b->inv);
	for (size_t i = 0; args[i] && r == 0; i++) {
		struct bind_arg arg;

		r = bind_arg_read(&b->c, args[i], &arg);
		if (r == 0)
			r = bind_args_add(&b->c, &list, &arg);
	}
	return r < 0 ? r : bind_functions(&b->c, &b->inv, &list, true, &b->f);
}

static void drop_bind(struct bind *b)
{
	bind_functions_done(&b->f);
	cv_step_list_done(&b->steps);
	inventory_done(&b->inv);
	free(b->take);
	free(b->bdfs);
}

static void make_bind(struct host *h, const char *const *args, const struct cv_lease_pages *pages,
		      size_t n_pages, struct bind *b)
{
	assert_int_equal(name_functions(h, args, b), 0);
	b->take = calloc(b->f.n + 1, sizeof(*b->take));
	b->bdfs = calloc(b->f.n + 1, sizeof(*b->bdfs));
	for (size_t i = 0; i < b->f.n; i++) {
		b->take[i].f = b->f.v[i];
		b->bdfs[i] = b->f.v[i].bdf;
		snprintf(b->take[i].driver, sizeof(b->take[i].driver), "vfio-pci");
	}
	const struct device_wish wish = { &b->inv, b->take, b->f.n, pages, n_pages, "" };
	assert_int_equal(device_steps(&wish, &b->steps), 0);
	b->op = (struct operation){ .title = "bind",
				    .devices = b->bdfs,
				    .n_devices = b->f.n,
				    .pages = pages,
				    .n_pages = n_pages,
				    .steps = b->steps.v,
				    .n_steps = b->steps.n,
				    .is_held = true,
				    .user = "" };
	operation_name(b->op.name, "dev", b->bdfs[0]);
}

/* The first lock leaves files that stay. */
static char *start_state(struct host *h)
{
	struct cmd c = cmd_on(h->root);
	int lock = -1;

	assert_int_equal(vm_lock(&c, &site, &lock), 0);
	close(lock);
	return fake_dump(h->fake, "/.fake");
}

/* ---- steps ---- */

static void assert_steps(const struct bind *b, const char *const (*want)[3], size_t n)
{
	for (size_t i = 0; i < n && i < b->steps.n; i++) {
		assert_string_equal(b->steps.v[i].kind, want[i][0]);
		assert_string_equal(b->steps.v[i].object, want[i][1]);
		assert_string_equal(b->steps.v[i].value, want[i][2]);
	}
	assert_int_equal(b->steps.n, n);
}

static void steps_of_vfs_to_come(void **state)
{
	static const char *const args[] = { PF "=2", NULL };
	static const char *const want[][3] = {
		{ "module", "vfio-pci", "loaded" },
		{ "attr-shared", DEV PF "/sriov_drivers_autoprobe", "0" },
		{ "numvfs", PF, "2" },
		{ "hugepages", "node1/2M", "3" },
		{ "health", VF0, "" },
		{ "health", VF1, "" },
		{ "hooks", "bind", VF0 " " VF1 },
		{ "bind", VF0, "vfio-pci" },
		{ "bind", VF1, "vfio-pci" },
		{ "group-owner", VF0, "0" },
		{ "group-owner", VF1, "0" },
		{ "hooks", "ready", VF0 " " VF1 },
	};
	const struct cv_lease_pages pages = { 1, 2 << 20, 3 };
	struct bind b;

	make_bind(*state, args, &pages, 1, &b);
	assert_string_equal(b.op.name, "dev-0000-41-10-0");
	assert_int_equal(b.f.v[1].dev, -1);
	assert_int_equal(b.f.v[1].vf_index, 1);
	assert_steps(&b, want, CV_ARRAY_SIZE(want));
	drop_bind(&b);
}

/* d3cold_allowed is there for every function: a VF has no power of its own. */
static void steps_of_vfs_that_are_there(void **state)
{
	static const char *const args[] = { VF1, DISK, NULL };
	static const char *const want[][3] = {
		{ "module", "vfio-pci", "loaded" }, { "numvfs", PF, "3" },
		{ "health", VF1, "igbvf" },	    { "health", DISK, "nvme" },
		{ "hooks", "bind", VF1 " " DISK },  { "attr", DEV DISK "/d3cold_allowed", "0" },
		{ "bind", VF1, "vfio-pci" },	    { "bind", DISK, "vfio-pci" },
		{ "group-owner", VF1, "0" },	    { "group-owner", DISK, "0" },
		{ "hooks", "ready", VF1 " " DISK },
	};
	struct host *h = *state;
	struct bind b;

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	fake_file(h->fake, "/sys/devices/pci0000:40/" PORT "/" VF1 "/d3cold_allowed", "1");
	fake_file(h->fake, REAL_DISK "/d3cold_allowed", "1");
	make_bind(h, args, NULL, 0, &b);
	assert_steps(&b, want, CV_ARRAY_SIZE(want));
	drop_bind(&b);
}

static void all_of_a_pf(void **state)
{
	static const char *const all[] = { PF "=all", NULL }, *const two[] = { PF "=2", NULL };
	struct host *h = *state;
	struct bind b;

	make_bind(h, all, NULL, 0, &b);
	assert_int_equal(b.f.n, 7);
	drop_bind(&b);
	/* more than are wanted: the count stays */
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "5"), 0);
	make_bind(h, two, NULL, 0, &b);
	assert_int_equal(b.f.n, 2);
	assert_true(b.f.v[1].dev >= 0);
	assert_string_equal(b.steps.v[1].kind, "numvfs");
	assert_string_equal(b.steps.v[1].value, "5");
	drop_bind(&b);
}

/* ---- what is refused ---- */

static void assert_refused(struct host *h, const char *const *args, const char *code,
			   const char *hint)
{
	struct bind b;

	assert_true(name_functions(h, args, &b) < 0);
	assert_string_equal(b.c.err.code, code);
	assert_non_null(strstr(b.c.err.hint, hint));
	drop_bind(&b);
}

static void bad_arguments_are_refused(void **state)
{
	static const char *const bad[][3] = {
		{ PF "=0", "BAD_COUNT", "carve vf list" },
		{ PF "=", "BAD_COUNT", "carve vf list" },
		{ PF "=two", "BAD_COUNT", "carve vf list" },
		{ PF "=70000", "BAD_COUNT", "carve vf list" },
		{ "eth0=2", "BAD_ADDRESS", "carve device list" },
		{ "0000:41:00.0:with:a:long:tail:of:more:words=2", "BAD_ADDRESS", "carve device" },
		{ PF "=8", "TOO_MANY_VFS", "" },
		{ DISK "=1", "NOT_A_PF", "carve vf list" },
		{ PORT "=1", "NOT_A_PF", "carve vf list" },
		{ "0000:ff:00.0=1", "ENODEV", "carve vf list" },
		{ VF0, "ENODEV", "carve device list" },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		const char *const args[] = { bad[i][0], NULL };

		assert_refused(*state, args, bad[i][1], bad[i][2]);
	}
}

static void fewer_vfs_are_refused(void **state)
{
	static const char *const five[] = { PF "=5", NULL }, *const all[] = { PF "=all", NULL };
	static const char *const twice[] = { PF "=2", VF1, NULL };
	static const char *const pf_twice[] = { PF "=2", PF "=3", NULL };
	struct host *h = *state;

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	assert_refused(h, five, "FEWER_VFS", "carve vf create " PF " 5");
	assert_refused(h, all, "FEWER_VFS", "carve vf create " PF " 7");
	assert_refused(h, twice, "GIVEN_TWICE", "once");
	assert_refused(h, pf_twice, "GIVEN_TWICE", "once");
}

/* An address where something is already cannot be a VF's. */
static void rules_hold_for_vfs_to_come(void **state)
{
	static const char *const args[] = { PF "=2", NULL };
	struct host *h = *state;
	struct bind b;

	assert_int_equal(name_functions(h, args, &b), 0);
	b.inv.host.iommu = INV_IOMMU_INTEL;
	b.inv.host.n_iommu_groups = 3;
	assert_int_equal(plan_check_functions(&b.inv, &site, b.f.v, b.f.n, &h->err), 0);
	b.inv.devs[b.f.v[0].pf].is_quarantined = true;
	assert_int_equal(plan_check_functions(&b.inv, &site, b.f.v, b.f.n, &h->err), -EPERM);
	assert_string_equal(h->err.code, "QUARANTINED");
	b.inv.devs[b.f.v[0].pf].is_quarantined = false;
	b.f.v[1].bdf = b.inv.devs[0].bdf;
	assert_int_equal(plan_check_functions(&b.inv, &site, b.f.v, b.f.n, &h->err), -EEXIST);
	/* the PF together with its VFs */
	b.f.v[1] = (struct plan_function){ b.inv.devs[b.f.v[0].pf].bdf, b.f.v[0].pf, -1, -1 };
	assert_int_equal(plan_check_functions(&b.inv, &site, b.f.v, b.f.n, &h->err), -EBUSY);
	assert_string_equal(h->err.code, "EBUSY_VFS");
	drop_bind(&b);
}

/* ---- pages ---- */

/* A pool gives what is asked of it; pages that leave it were free. */
static int write_pool(struct fake *f, const char *path, const char *text, void *ctx)
{
	uint64_t now = 0, left = 0, wanted = 0;

	if (cv_parse_u64(text, &wanted) < 0 ||
	    cv_parse_u64(fake_text(f, POOL "/nr_hugepages"), &now) < 0 ||
	    cv_parse_u64(fake_text(f, POOL "/free_hugepages"), &left) < 0)
		return -EINVAL;
	fake_filef(f, POOL "/nr_hugepages", "%u", (unsigned int)wanted);
	fake_filef(f, POOL "/free_hugepages", "%u", (unsigned int)(left + wanted - now));
	return 1;
}

static void add_pool(struct host *h)
{
	static const struct fake_hook hook = { .pattern = POOL "/nr_hugepages",
					       .write = write_pool };

	fake_file(h->fake, POOL "/nr_hugepages", "4");
	fake_file(h->fake, POOL "/free_hugepages", "1");
	fake_file(h->fake, POOL "/surplus_hugepages", "0");
	fake_hook(h->fake, &hook);
}

static void pages_are_judged_before(void **state)
{
	struct inv_node node = { .id = 1, .obtainable = 1ULL << 30, .n_pools = 1 };
	const struct inventory inv = { .nodes = &node, .n_nodes = 1 };
	static const struct {
		struct cv_lease_pages pages;
		int r;
		const char *code;
	} cases[] = {
		{ { 1, 2 << 20, 1 }, 0, "" },
		{ { 1, 2 << 20, 385 }, 0, "" },
		{ { 1, 2 << 20, 386 }, -ENOMEM, "TOO_FEW_PAGES" },
		{ { 9, 2 << 20, 1 }, -ENODEV, "NO_NODE" },
		{ { 1, 1 << 30, 1 }, -ENOENT, "NO_PAGE_SIZE" },
	};
	int distance = 10;

	node.distances = &distance;
	/* 256 MiB stay with the host: 384 pages can be made, one is there */
	node.pools[0] = (struct inv_pool){ .page_size = 2 << 20, .total = 4, .free = 1 };
	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		struct cv_error err = { 0 };

		assert_int_equal(plan_check_pages(&inv, &site, &cases[i].pages, 1, &err),
				 cases[i].r);
		assert_string_equal(err.code, cases[i].code);
		assert_true(cases[i].r == 0 || (err.found[0] && err.wanted[0] && err.hint[0]));
	}
}

/* ---- on a host ---- */

static const char *const three[] = { PF "=3", NULL };
static const struct cv_lease_pages three_pages = { 1, 2 << 20, 3 };

static void vfs_are_made_and_given_back(void **state)
{
	struct host *h = *state;
	_cleanup_(cv_lease_done) struct cv_lease lease = { 0 };
	_cleanup_free_ char *before = NULL;
	char buf[64];
	struct bind b;

	add_pool(h);
	before = start_state(h);
	make_bind(h, three, &three_pages, 1, &b);
	assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "3");
	assert_string_equal(fake_pci_bound(h->fake, VF0, buf), "vfio-pci");
	assert_string_equal(fake_pci_bound(h->fake, VF2, buf), "vfio-pci");
	/* one was free, two came, and the ledger is the operation's */
	assert_string_equal(fake_text(h->fake, POOL "/nr_hugepages"), "6");
	assert_non_null(
		fake_text(h->fake, CV_OPERATION_DIR "/dev-0000-41-10-0/hugepages-node1-2M"));
	assert_false(cv_exists(h->root, CV_VM_DIR "/dev-0000-41-10-0"));
	assert_int_equal(cv_lease_read(h->root, b.op.name, &lease, NULL), 0);
	assert_int_equal(lease.n_devices, 3);
	assert_int_equal(lease.n_pages, 1);
	assert_int_equal(lease.pages[0].pages, 3);
	assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
	assert_state(h, before);
	drop_bind(&b);
}

static void recover(struct host *h)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cmd c = cmd_on(h->root);

	assert_int_equal(operation_names(&c, &names), 0);
	for (size_t i = 0; i < names.n; i++)
		assert_int_equal(operation_release(&c, &site, names.v[i]), 0);
}

static void a_failure_anywhere_leaves_nothing(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = NULL;
	unsigned int n = 1, failures = 0;
	int r = -1;

	add_pool(h);
	before = start_state(h);
	for (; r < 0 && n < MAX_CHANGES; n++) {
		unsigned int changes = fake_changes(h->fake);
		struct bind b;

		make_bind(h, three, &three_pages, 1, &b);
		fake_fail_change(h->fake, n, -EIO);
		r = operation_run(&b.c, &site, &b.op);
		fake_fail_change(h->fake, 0, 0);
		failures += r < 0;
		if (r == 0 && fake_changes(h->fake) - changes >= n)
			r = -EAGAIN; /* it got over that one: go on */
		recover(h);
		assert_state(h, before);
		drop_bind(&b);
	}
	assert_int_equal(r, 0);
	assert_true(failures > 40);
}

/* ---- VFs of a VM ---- */

static void start_vm(struct host *h, const char *vfs)
{
	static const struct cv_owner owner = { .user = "root", .boot_id = "b" };
	const struct cv_step steps[] = {
		{ 1, "attr-shared", DEV PF "/sriov_drivers_autoprobe", "0", "" },
		{ 2, "numvfs", PF, vfs, "" },
	};
	struct cv_journal *journal = NULL;

	fake_dir(h->fake, CV_VM_DIR "/vm1");
	assert_int_equal(cv_journal_create(h->root, CV_VM_DIR "/vm1/journal", "vm1", &owner,
					   &journal, NULL),
			 0);
	assert_int_equal(cv_steps_apply(&h->env, &cmd_steps, journal, steps, CV_ARRAY_SIZE(steps),
					NULL, &h->err),
			 0);
	cv_journal_close(journal);
}

static int end_vm(struct host *h)
{
	int r = cv_steps_revert(&h->env, &cmd_steps, CV_VM_DIR "/vm1/journal", &h->err);

	fake_remove(h->fake, CV_VM_DIR "/vm1");
	return r;
}

static void a_vm_that_ends_leaves_the_vfs(void **state)
{
	static const char *const args[] = { VF1, NULL };
	struct host *h = *state;
	_cleanup_free_ char *before = start_state(h);
	struct bind b;

	start_vm(h, "7");
	make_bind(h, args, NULL, 0, &b);
	assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
	assert_int_equal(end_vm(h), 2);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "7");
	assert_driver(h, VF1, "vfio-pci");
	/* the last one takes them away */
	assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "0");
	assert_state(h, before);
	drop_bind(&b);
}

static void a_vm_keeps_vfs_that_were_bound_first(void **state)
{
	static const char *const args[] = { PF "=2", NULL };
	struct host *h = *state;
	_cleanup_free_ char *before = start_state(h);
	struct bind b;

	make_bind(h, args, NULL, 0, &b);
	assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
	start_vm(h, "2");
	assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "2");
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_drivers_autoprobe"), "0");
	assert_driver(h, VF1, "");
	assert_int_equal(end_vm(h), 2);
	assert_state(h, before);
	drop_bind(&b);
}

/* VFs that were there before everybody stay, and the PF keeps what was set up meanwhile. */
static void vfs_of_the_operator_stay(void **state)
{
	static const char *const args[] = { VF1, NULL };
	struct host *h = *state;
	_cleanup_free_ char *before = NULL;
	struct bind b;

	fake_file(h->fake, REAL_PF "/msi_irqs/40", "msix");
	fake_file(h->fake, "/proc/irq/40/smp_affinity_list", "0");
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	make_bind(h, args, NULL, 0, &b);
	assert_int_equal(operation_run(&b.c, &site, &b.op), 0);
	fake_file(h->fake, "/proc/irq/40/smp_affinity_list", "2-3");
	assert_int_equal(operation_release(&b.c, &site, b.op.name), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "3");
	assert_string_equal(fake_text(h->fake, "/proc/irq/40/smp_affinity_list"), "2-3");
	assert_driver(h, VF1, "igbvf");
	drop_bind(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(steps_of_vfs_to_come),
		with_host(steps_of_vfs_that_are_there),
		with_host(all_of_a_pf),
		with_host(bad_arguments_are_refused),
		with_host(fewer_vfs_are_refused),
		with_host(rules_hold_for_vfs_to_come),
		cmocka_unit_test(pages_are_judged_before),
		with_host(vfs_are_made_and_given_back),
		with_host(a_failure_anywhere_leaves_nothing),
		with_host(a_vm_that_ends_leaves_the_vfs),
		with_host(a_vm_keeps_vfs_that_were_bound_first),
		with_host(vfs_of_the_operator_stay),
	};

	return cmocka_run_group_tests_name("bind_vfs", tests, NULL, NULL);
}
