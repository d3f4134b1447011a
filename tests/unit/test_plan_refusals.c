// SPDX-License-Identifier: GPL-2.0-or-later
/* What the planner refuses: for each case the exact code, and that object, found value, wanted value
 * and next step are named; and that accept: lifts exactly the risk it names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"

struct bench {
	struct inventory inv;
	struct site site;
	struct spec spec;
	struct plan_allowance allow;
};

static void unknown_bdf(struct bench *b)
{
	ib_want_bdf(&b->spec, "0000:99:00.0");
}

static void unknown_pf(struct bench *b)
{
	ib_want_vf(&b->spec, "0000:99:00.0");
}

static void bridge(struct bench *b)
{
	ib_want_bdf(&b->spec, IB_PORT);
}

static void host_bridge(struct bench *b)
{
	ib_want_bdf(&b->spec, "0000:00:00.0");
}

static void shared_group(struct bench *b)
{
	ib_want_bdf(&b->spec, IB_SW_IVSHMEM);
}

static void shared_group_vf(struct bench *b)
{
	ib_want_vf(&b->spec, IB_SW_NVME);
}

/* A VF can never be had without its PF: nothing to accept. */
static void shared_group_vf_accepted(struct bench *b)
{
	ib_want_vf(&b->spec, IB_SW_NVME)->accept = SPEC_ACCEPT_SHARED_GROUP;
}

static void shared_group_busy(struct bench *b)
{
	struct inv_dev *d = ib_dev(&b->inv, IB_SW_NVME);

	d->holder_kind = INV_HOLDER_MOUNT;
	snprintf(d->holder, sizeof(d->holder), "/dev/nvme1n1 mounted on /scratch");
	ib_want_bdf(&b->spec, IB_SW_IVSHMEM)->accept = SPEC_ACCEPT_SHARED_GROUP;
}

static void no_reset(struct bench *b)
{
	ib_want_bdf(&b->spec, IB_EDU_ROOT);
}

static void no_iommu(struct bench *b)
{
	b->inv.host.iommu = INV_IOMMU_NONE;
	b->inv.host.n_iommu_groups = 0;
	ib_want_bdf(&b->spec, IB_EDU);
}

static void no_group(struct bench *b)
{
	ib_dev(&b->inv, IB_EDU)->group = -1;
	ib_want_bdf(&b->spec, IB_EDU);
}

static void no_intremap(struct bench *b)
{
	b->inv.host.has_intremap = false;
	ib_want_bdf(&b->spec, IB_EDU);
}

static void quarantined(struct bench *b)
{
	struct inv_dev *d = ib_dev(&b->inv, IB_EDU);

	d->is_quarantined = true;
	snprintf(d->quarantine, sizeof(d->quarantine), "reset did not come back");
	ib_want_bdf(&b->spec, IB_EDU);
}

static void silent(struct bench *b)
{
	quarantined(b);
	ib_dev(&b->inv, IB_EDU)->is_silent = true;
}

static void unreadable(struct bench *b)
{
	ib_dev(&b->inv, IB_EDU)->is_unreadable = true;
	ib_want_bdf(&b->spec, IB_EDU);
}

static void leased(struct bench *b)
{
	ib_lease_device(ib_lease(&b->inv, "sim", "ann", "42"), IB_EDU);
	ib_want_bdf(&b->spec, IB_EDU);
}

/* The VF of a crashed run: leased, and not there any more. */
static void leased_future(struct bench *b)
{
	struct cv_lease *l = ib_lease(&b->inv, "sim", "ann", "");

	ib_lease_device(l, "0000:21:10.0");
	ib_want_vf(&b->spec, IB_IGB0);
}

static void leased_pf(struct bench *b)
{
	ib_lease_device(ib_lease(&b->inv, "sim", "ann", ""), IB_IGB0);
	ib_want_vf(&b->spec, IB_IGB0);
}

static void twice(struct bench *b)
{
	ib_want_bdf(&b->spec, IB_IGB0);
	ib_want_vf(&b->spec, IB_IGB0);
}

static void pf_and_its_vf(struct bench *b)
{
	ib_want_vf(&b->spec, IB_IGB0);
	ib_want_class(&b->spec, "net");
	ib_dev(&b->inv, IB_IGB1)->class = 0;
}

static void held(struct bench *b)
{
	struct inv_dev *d = ib_dev(&b->inv, IB_IGB0);

	d->holder_kind = INV_HOLDER_NETDEV;
	snprintf(d->holder, sizeof(d->holder), "eth0 is up with 192.0.2.1/24");
	ib_want_bdf(&b->spec, IB_IGB0);
}

static void held_foreign(struct bench *b)
{
	struct inv_dev *d = ib_dev(&b->inv, IB_EDU);

	d->holder_kind = INV_HOLDER_FOREIGN;
	snprintf(d->holder, sizeof(d->holder), "bound to vfio-pci by somebody else");
	ib_want_bdf(&b->spec, IB_EDU);
}

static void pf_with_vfs(struct bench *b)
{
	ib_make_vfs(&b->inv, IB_IGB0, 7, "igbvf");
	ib_want_bdf(&b->spec, IB_IGB0);
}

static void not_a_pf(struct bench *b)
{
	ib_want_vf(&b->spec, IB_EDU);
}

static void pf_without_driver(struct bench *b)
{
	ib_dev(&b->inv, IB_IGB0)->driver[0] = '\0';
	ib_want_vf(&b->spec, IB_IGB0);
}

static void no_free_vf(struct bench *b)
{
	for (int i = 0; i < 8; i++)
		ib_want_vf(&b->spec, IB_IGB0);
}

/* All that the device can have are there. */
static void all_vfs_leased(struct bench *b)
{
	ib_dev(&b->inv, IB_NVME)->sriov.total = 1;
	ib_make_vfs(&b->inv, IB_NVME, 1, "");
	ib_lease_device(ib_lease(&b->inv, "sim", "ann", ""), "0000:82:00.1");
	ib_want_vf(&b->spec, IB_NVME);
}

static void made_with_few_vfs(struct bench *b)
{
	ib_make_vfs(&b->inv, IB_NVME, 1, "");
	ib_lease_device(ib_lease(&b->inv, "sim", "ann", ""), "0000:82:00.1");
	ib_want_vf(&b->spec, IB_NVME);
}

static void more_than_the_vfs_made(struct bench *b)
{
	ib_make_vfs(&b->inv, IB_NVME, 1, "");
	ib_want_vf(&b->spec, IB_NVME);
	ib_want_vf(&b->spec, IB_NVME);
}

/* The VF of another reason than a lease: that reason stands. */
static void few_vfs_and_a_sick_one(struct bench *b)
{
	ib_make_vfs(&b->inv, IB_NVME, 1, "");
	ib_dev(&b->inv, "0000:82:00.1")->is_unreadable = true;
	ib_want_vf(&b->spec, IB_NVME);
}

/* First VF Offset leads to an address where something is already. */
static void vf_on_another_function(struct bench *b)
{
	ib_dev(&b->inv, IB_NVME)->sriov.offset = 0x100;
	ib_want_vf(&b->spec, IB_NVME);
}

static void no_such_class(struct bench *b)
{
	ib_want_class(&b->spec, "gpu");
}

static void node_missing(struct bench *b)
{
	b->spec.nodes[0] = 7;
	b->spec.n_nodes = 1;
}

static void too_many_cores(struct bench *b)
{
	b->spec.cpus = 7;
}

static void too_few_pages(struct bench *b)
{
	for (int n = 0; n < 2; n++)
		b->inv.nodes[n].obtainable = 0;
	b->spec.page_size = IB_1G;
	b->spec.memory = 3 * IB_1G;
	b->spec.cpus = 1;
}

static void no_such_pages(struct bench *b)
{
	for (int n = 0; n < 2; n++)
		b->inv.nodes[n].n_pools = 1;
	b->spec.page_size = b->spec.memory = IB_1G;
}

static void odd_split(struct bench *b)
{
	b->spec.cpus = 3;
	b->spec.nodes[1] = 1;
	b->spec.n_nodes = 2;
}

static void named_node_too_small(struct bench *b)
{
	b->spec.cpus = 4;
	b->spec.nodes[0] = 1;
	b->spec.n_nodes = 1;
}

static void over_allowance(struct bench *b)
{
	b->allow.memory = IB_1G / 2;
}

static void no_boot(struct bench *b)
{
	site_done(&b->site);
	site_default(&b->site);
}

static void no_housekeeping(struct bench *b)
{
	b->site.housekeeping = 0;
}

/* Real-time vCPUs would leave nothing to the host on their node. */
static void realtime_without_housekeeping(struct bench *b)
{
	b->spec.rt_priority = 1;
	b->site.housekeeping = 0;
}

static void too_many_devices(struct bench *b)
{
	ib_dev(&b->inv, IB_IGB0)->sriov.total = 256;
	for (int i = 0; i < 255; i++)
		ib_want_vf(&b->spec, IB_IGB0);
}

static void mac_of_a_whole_function(struct bench *b)
{
	ib_want_bdf(&b->spec, IB_IGB0)->has_mac = true;
}

static void vlan_of_a_disk(struct bench *b)
{
	ib_want_vf(&b->spec, IB_NVME)->vlan = 7;
}

static void no_memory(struct bench *b)
{
	b->spec.memory = 0;
}

static const struct refusal {
	const char *name;
	void (*prepare)(struct bench *b);
	const char *code;
	enum cv_exit exit;
	int err;
	const char *object;
	const char *found, *wanted, *hint; /* parts of */
} refusals[] = {
	{ "unknown BDF", unknown_bdf, "NO_DEVICE", CV_EXIT_NOT_FOUND, -ENODEV, "0000:99:00.0",
	  "none at this address", "PCI function", "carve topo" },
	{ "unknown PF", unknown_pf, "NO_DEVICE", CV_EXIT_NOT_FOUND, -ENODEV, "0000:99:00.0",
	  "none at this address", "PCI function", "carve topo" },
	{ "bridge", bridge, "NOT_AN_ENDPOINT", CV_EXIT_USAGE, -EINVAL, IB_PORT,
	  "QEMU PCIe Root port", "endpoint", "carve topo" },
	{ "host bridge", host_bridge, "NOT_AN_ENDPOINT", CV_EXIT_USAGE, -EINVAL, "0000:00:00.0",
	  "PCI bridge", "endpoint", "carve topo" },
	{ "shared group", shared_group, "SHARED_GROUP", CV_EXIT_PRECONDITION, -EPERM, IB_SW_IVSHMEM,
	  IB_SW_NVME " (nvme)", "group of its own", "ACS" },
	{ "VF in the group of its PF", shared_group_vf, "SHARED_GROUP", CV_EXIT_PRECONDITION,
	  -EPERM, IB_SW_NVME, IB_SW_IVSHMEM " (no driver)", "group of its own", "ACS" },
	{ "VF in the group of its PF, accepted", shared_group_vf_accepted, "SHARED_GROUP",
	  CV_EXIT_PRECONDITION, -EPERM, IB_SW_NVME, IB_SW_NVME, "group of its own",
	  "a VF cannot leave the group of its PF" },
	{ "shared group in use, accepted", shared_group_busy, "SHARED_GROUP", CV_EXIT_PRECONDITION,
	  -EPERM, IB_SW_IVSHMEM, IB_SW_NVME, "group of its own", "every other member idle" },
	{ "no reset", no_reset, "NO_RESET", CV_EXIT_PRECONDITION, -EPERM, IB_EDU_ROOT,
	  "empty reset_method", "flr", "no-reset" },
	{ "no IOMMU", no_iommu, "NO_IOMMU", CV_EXIT_PRECONDITION, -EPERM, IB_EDU, "0 groups",
	  "IOMMU group", "VT-d" },
	{ "no group", no_group, "NO_GROUP", CV_EXIT_PRECONDITION, -EPERM, IB_EDU,
	  "in no IOMMU group", "IOMMU group", "carve audit" },
	{ "no interrupt remapping", no_intremap, "NO_INTREMAP", CV_EXIT_PRECONDITION, -EPERM,
	  IB_EDU, "interrupt remapping off", "in effect", "no-intremap" },
	{ "quarantined", quarantined, "QUARANTINED", CV_EXIT_PRECONDITION, -EPERM, IB_EDU,
	  "reset did not come back", "not in quarantine", "carve device clear" },
	{ "silent", silent, "SILENT", CV_EXIT_PRECONDITION, -EPERM, IB_EDU,
	  "reset did not come back", "answers", "dmesg" },
	{ "unreadable", unreadable, "UNREADABLE", CV_EXIT_PRECONDITION, -EIO, IB_EDU, "ffff",
	  "answers", "power-cycle" },
	{ "leased", leased, "EBUSY_LEASE", CV_EXIT_BUSY, -EBUSY, IB_EDU,
	  "lease of VM sim, user ann, job 42", "nobody has leased", "carve stop" },
	{ "leased VF that is gone", leased_future, "EBUSY_LEASE", CV_EXIT_BUSY, -EBUSY, IB_IGB0,
	  "lease of VM sim, user ann", "nobody has leased", "carve list" },
	{ "VF of a leased PF", leased_pf, "EBUSY_LEASE", CV_EXIT_BUSY, -EBUSY, IB_IGB0,
	  "lease of VM sim", "nobody has leased", "carve list" },
	{ "PF and a VF of it", twice, "EBUSY_LEASE", CV_EXIT_BUSY, -EBUSY, IB_IGB0,
	  "another device entry", "nobody has leased", "carve list" },
	{ "VF and its PF", pf_and_its_vf, "EBUSY_VFS", CV_EXIT_BUSY, -EBUSY, IB_IGB0, "1 VFs",
	  "PF without VFs", "vf: {pf: " IB_IGB0 "}" },
	{ "holder", held, "EBUSY_HOLDER", CV_EXIT_BUSY, -EBUSY, IB_IGB0,
	  "eth0 is up with 192.0.2.1/24", "nobody uses", "ip link set down" },
	{ "foreign holder", held_foreign, "EBUSY_HOLDER", CV_EXIT_BUSY, -EBUSY, IB_EDU,
	  "vfio-pci by somebody", "nobody uses", "tool that bound it" },
	{ "PF with VFs", pf_with_vfs, "EBUSY_VFS", CV_EXIT_BUSY, -EBUSY, IB_IGB0, "7 VFs",
	  "PF without VFs", "vf: {pf: " IB_IGB0 "}" },
	{ "not a PF", not_a_pf, "NOT_A_PF", CV_EXIT_USAGE, -EINVAL, IB_EDU, "no SR-IOV", "a PF",
	  "carve topo" },
	{ "PF without driver", pf_without_driver, "PF_NO_DRIVER", CV_EXIT_PRECONDITION, -ENODEV,
	  IB_IGB0, "no driver", "host driver", "load" },
	{ "no free VF left", no_free_vf, "NO_FREE_DEVICE", CV_EXIT_PRECONDITION, -ENODEV, "dev7",
	  "all of them given", "a VF of " IB_IGB0, "carve topo" },
	{ "all VFs leased", all_vfs_leased, "EBUSY_LEASE", CV_EXIT_BUSY, -EBUSY, "0000:82:00.1",
	  "lease of VM sim", "nobody has leased", "carve list" },
	{ "all VFs of those made leased", made_with_few_vfs, "EBUSY_VF_COUNT", CV_EXIT_BUSY, -EBUSY,
	  IB_NVME, "0000:82:00.1: lease of VM sim", "nobody has leased", "carve list" },
	{ "more VFs than were made", more_than_the_vfs_made, "EBUSY_VF_COUNT", CV_EXIT_BUSY, -EBUSY,
	  IB_NVME, "other entries", "nobody has leased", "in one call" },
	{ "the only VF unreadable", few_vfs_and_a_sick_one, "UNREADABLE", CV_EXIT_PRECONDITION,
	  -EIO, "0000:82:00.1", "ffff", "answers", "power-cycle" },
	{ "VF on another function", vf_on_another_function, "VF_ADDRESS_TAKEN",
	  CV_EXIT_PRECONDITION, -EEXIST, IB_NVME, IB_EDU ": other (no driver)",
	  "no function at " IB_EDU, "another PF" },
	{ "none of the class", no_such_class, "NO_FREE_DEVICE", CV_EXIT_PRECONDITION, -ENODEV,
	  "dev0", "none", "a device of class gpu", "carve topo" },
	{ "node missing", node_missing, "NO_NODE", CV_EXIT_NOT_FOUND, -ENODEV, "test.yaml",
	  "nodes 0-1", "node 7", "carve topo" },
	{ "too many cores", too_many_cores, "DOES_NOT_FIT", CV_EXIT_PRECONDITION, -ENOSPC, "vm",
	  "node 0 has 3 free cores, 7 needed; node 1 has 3 free cores, 7 needed", "7 cores",
	  "ask for less" },
	{ "too few pages", too_few_pages, "DOES_NOT_FIT", CV_EXIT_PRECONDITION, -ENOSPC, "vm",
	  "node 1 has 2 free 1G pages and room for 0 more, 3 needed", "3G in 1G pages",
	  "reserve huge pages" },
	{ "no pages of that size", no_such_pages, "DOES_NOT_FIT", CV_EXIT_PRECONDITION, -ENOSPC,
	  "vm", "node 0 has no 1G pages, 1 needed", "1G in 1G pages", "ask for less" },
	{ "odd split", odd_split, "DOES_NOT_FIT", CV_EXIT_PRECONDITION, -ENOSPC, "vm",
	  "3 cores and 1G do not divide by 2 nodes", "3 cores", "ask for less" },
	{ "named node too small", named_node_too_small, "DOES_NOT_FIT", CV_EXIT_PRECONDITION,
	  -ENOSPC, "vm", "node 1 has 3 free cores, 4 needed", "4 cores", "ask for less" },
	{ "over the allowance", over_allowance, "OVER_ALLOWANCE", CV_EXIT_PRECONDITION, -ENOSPC,
	  "vm", "1G", "at most 512M", "larger job" },
	{ "nothing to boot", no_boot, "NO_BOOT", CV_EXIT_USAGE, -EINVAL, "test.yaml", "no kernel",
	  "boot: {kernel", "/etc/carve/carve.yaml" },
	{ "no housekeeping", no_housekeeping, "NO_HOUSEKEEPING", CV_EXIT_PRECONDITION, -ENOSPC,
	  "vm", "0 housekeeping cores", "at least one", "housekeeping_cores" },
	{ "real time without housekeeping", realtime_without_housekeeping, "NO_HOUSEKEEPING",
	  CV_EXIT_PRECONDITION, -ENOSPC, "vm", "0 housekeeping cores", "at least one",
	  "housekeeping_cores" },
	{ "too many devices", too_many_devices, "TOO_MANY_DEVICES", CV_EXIT_PRECONDITION, -ENOSPC,
	  "vm", "256 bus numbers for 255 devices", "at most 255", "fewer devices" },
	{ "MAC of a whole function", mac_of_a_whole_function, "NOT_A_NIC_VF", CV_EXIT_USAGE,
	  -EINVAL, IB_IGB0, "a whole function of class net", "VF of a network device",
	  "vf: {class: net}" },
	{ "VLAN of a disk", vlan_of_a_disk, "NOT_A_NIC_VF", CV_EXIT_USAGE, -EINVAL, IB_NVME,
	  "a VF of class nvme", "VF of a network device", "vf: {class: net}" },
	{ "no memory", no_memory, "BAD_SIZE", CV_EXIT_USAGE, -EINVAL, "vm", "2 cores, 0",
	  "multiple of 2M", "memory:" },
};

static void bench_init(struct bench *b)
{
	*b = (struct bench){ .site = ib_site(), .spec = ib_spec("vm", 2, IB_1G, IB_2M) };
	ib_emulated(&b->inv, false);
}

static void bench_done(struct bench *b)
{
	inventory_done(&b->inv);
	site_done(&b->site);
	spec_done(&b->spec);
}

static int bench_plan(struct bench *b, struct plan *plan, struct cv_error *err)
{
	return plan_make(&b->inv, &b->site, &b->spec, 1, &b->allow, plan, err);
}

static void assert_part(const char *name, const char *what, const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("%s: %s is \"%s\", expected \"%s\" in it", name, what, text, part);
}

static void each_is_refused_in_full(void **state)
{
	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(refusals); i++) {
		const struct refusal *x = &refusals[i];
		struct cv_error err = { 0 };
		struct plan plan;
		struct bench b;

		bench_init(&b);
		x->prepare(&b);
		int r = bench_plan(&b, &plan, &err);
		if (r != x->err || err.err != r || err.exit != x->exit || strcmp(err.code, x->code))
			fail_msg("%s: got %d, %s (%s; %s), exit %d", x->name, r, err.code, err.what,
				 err.found, err.exit);
		assert_string_equal(err.object, x->object);
		assert_part(x->name, "found", err.found, x->found);
		assert_part(x->name, "wanted", err.wanted, x->wanted);
		assert_part(x->name, "hint", err.hint, x->hint);
		assert_null(plan.vcpus);
		bench_done(&b);
	}
}

/* Each risk with its bit: every other bit set does not help, that one does. */
static void accept_lifts_one_risk(void **state)
{
	static const struct {
		void (*prepare)(struct bench *b);
		unsigned int bit;
	} risks[] = {
		{ no_reset, SPEC_ACCEPT_NO_RESET },
		{ shared_group, SPEC_ACCEPT_SHARED_GROUP },
		{ no_intremap, SPEC_ACCEPT_NO_INTREMAP },
	};

	(void)state;
	for (size_t i = 0; i < 2 * CV_ARRAY_SIZE(risks); i++) {
		unsigned int bit = risks[i / 2].bit;
		struct cv_error err = { 0 };
		struct plan plan;
		struct bench b;

		bench_init(&b);
		risks[i / 2].prepare(&b);
		b.spec.devices[0].accept = i % 2 ? bit : 7 & ~bit;
		int r = bench_plan(&b, &plan, &err);
		if (r != (i % 2 ? 0 : -EPERM))
			fail_msg("risk %u, accepted %u: %d, %s", bit, b.spec.devices[0].accept, r,
				 err.code);
		plan_done(&plan);
		bench_done(&b);
	}
}

/* A class asks for any of them: one that is refused is passed over, and the error stays empty. */
static void a_class_passes_over_what_is_refused(void **state)
{
	struct cv_error err = { 0 };
	struct plan plan;
	struct bench b;

	(void)state;
	bench_init(&b);
	held(&b);
	b.spec.n_devices = 0;
	ib_want_class(&b.spec, "net");
	assert_int_equal(bench_plan(&b, &plan, &err), 0);
	assert_int_equal(cv_bdf_cmp(plan.devices[0].host, ib_bdf(IB_IGB1)), 0);
	assert_int_equal(err.err, 0);
	plan_done(&plan);
	bench_done(&b);
}

/* Every VF has FLR (SR-IOV 1.1 section 2.2.2), whatever sysfs lists. */
static void a_vf_needs_no_reset_method(void **state)
{
	struct cv_error err = { 0 };
	struct plan plan;
	struct bench b;

	(void)state;
	bench_init(&b);
	ib_make_vfs(&b.inv, IB_NVME, 1, "");
	ib_dev(&b.inv, "0000:82:00.1")->reset_methods[0] = '\0';
	ib_want_bdf(&b.spec, "0000:82:00.1");
	assert_int_equal(bench_plan(&b, &plan, &err), 0);
	plan_done(&plan);
	bench_done(&b);
}

/* VFIO resets what it opens: a model that dies of it is refused, one that survives some gets those. */
static void a_model_that_dies_of_resets_is_refused(void **state)
{
	struct cv_error err = { 0 };
	struct plan plan;
	struct bench b;
	bool is_limited = false;

	(void)state;
	bench_init(&b);
	ib_want_bdf(&b.spec, IB_NVME);
	ib_dev(&b.inv, IB_NVME)->reset_why = "it dies";
	ib_dev(&b.inv, IB_NVME)->reset_source = "https://example.org/25";
	assert_int_equal(bench_plan(&b, &plan, &err), -EPERM);
	assert_string_equal(err.code, "RESET_FATAL");
	assert_non_null(strstr(err.what, "it dies"));
	assert_string_equal(err.hint, "https://example.org/25");
	ib_dev(&b.inv, IB_NVME)->reset_why = NULL;
	ib_dev(&b.inv, IB_NVME)->is_reset_limited = true;
	snprintf(ib_dev(&b.inv, IB_NVME)->reset_allowed, INV_TEXT, "flr");
	assert_int_equal(bench_plan(&b, &plan, &err), 0);
	for (size_t i = 0; i < plan.n_steps; i++) {
		/* before VFIO has it */
		if (strcmp(plan.steps[i].kind, "bind") == 0)
			assert_true(is_limited);
		is_limited |= strcmp(plan.steps[i].kind, "reset-method") == 0 &&
			      strcmp(plan.steps[i].object, IB_NVME) == 0 &&
			      strcmp(plan.steps[i].value, "flr") == 0;
	}
	assert_true(is_limited);
	plan_done(&plan);
	bench_done(&b);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_refused_in_full),
		cmocka_unit_test(accept_lifts_one_risk),
		cmocka_unit_test(a_vf_needs_no_reset_method),
		cmocka_unit_test(a_model_that_dies_of_resets_is_refused),
		cmocka_unit_test(a_class_passes_over_what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
