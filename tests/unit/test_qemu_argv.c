// SPDX-License-Identifier: GPL-2.0-or-later
/* The QEMU command line of a plan: golden files, and that the numbers in it are those of the plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/fake/golden.h"
#include "guest_builder.h"
#include "plan_cases.h"

static const struct plan_qemu qemu = {
	.binary = "/usr/bin/qemu-system-x86_64",
	.vm_dir = "/run/carve/vm/demo",
	.kvm_fd = -1,
};

/* Descriptors as the launcher opens them for the case "networks". */
static const struct plan_link links[] = {
	{ "lan", { 10, 11, 12, 13 }, 4 },
	{ "net1", { 14, 15 }, 2 },
	{ "net2", { 16 }, 1 },
	{ "net3", { 17 }, 1 },
	{ "share0", { 18 }, 1 },
	{ "share1", { 19 }, 1 },
	{ PLAN_VSOCK_ID, { 20 }, 1 },
};

static void check_golden(const struct plan *p, const char *name)
{
	_cleanup_strv_ struct cv_strv argv = { 0 };
	char file[64];

	assert_int_equal(plan_qemu_argv(p, &qemu, &argv), 0);
	cv_strv_add(&argv, "");
	_cleanup_free_ char *text = cv_strv_join(&argv, "\n");
	snprintf(file, sizeof(file), "qemu/%s.argv", name);
	golden_check(file, text);
}

static void golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };

		plan_case(plan_cases[i], &p);
		check_golden(&p, plan_cases[i]);
	}
	for (size_t i = 0; i < n_guest_cases; i++) {
		struct gb b;

		guest_case(guest_cases[i], &b);
		check_golden(&b.plan, guest_cases[i]);
		gb_done(&b);
	}
}

static void golden_of_links(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_strv_ struct cv_strv argv = { 0 };
	struct plan_qemu q = qemu;

	(void)state;
	plan_case("networks", &p);
	q.links = links;
	q.n_links = CV_ARRAY_SIZE(links);
	assert_int_equal(plan_qemu_argv(&p, &q, &argv), 0);
	cv_strv_add(&argv, "");
	_cleanup_free_ char *text = cv_strv_join(&argv, "\n");
	golden_check("qemu/networks-links.argv", text);
}

/* The value of the @nth option @name. */
static const char *option(const struct cv_strv *argv, const char *name, unsigned int nth)
{
	for (size_t i = 0; i + 1 < argv->n; i++)
		if (strcmp(argv->v[i], name) == 0 && nth-- == 0)
			return argv->v[i + 1];
	return NULL;
}

static void assert_has(const struct cv_strv *argv, const char *name, const char *value)
{
	const char *v;

	for (unsigned int i = 0; (v = option(argv, name, i)); i++)
		if (strcmp(v, value) == 0)
			return;
	fail_msg("no %s %s", name, value);
}

static void judge_cpus(const struct plan *p, const struct cv_strv *argv)
{
	int n, sockets, dies, cores, threads, max;

	assert_int_equal(sscanf(option(argv, "-smp", 0),
				"%d,sockets=%d,dies=%d,cores=%d,threads=%d,maxcpus=%d", &n,
				&sockets, &dies, &cores, &threads, &max),
			 6);
	assert_int_equal(n, p->n_vcpus);
	assert_int_equal(max, n);
	assert_int_equal(sockets * dies * cores * threads, n);
	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i];

		/* QEMU counts threads first, then cores, dies, sockets */
		assert_int_equal(v->thread, (int)i % threads);
		assert_int_equal(v->core, (int)i / threads);
		assert_int_equal(v->die, (int)i / threads / cores % dies);
		assert_int_equal(v->package, (int)i / threads / cores / dies);
	}
}

static void judge_memory(const struct plan *p, const struct cv_strv *argv)
{
	uint64_t sum = 0, size;
	unsigned int n = 0;
	const char *object;

	for (; (object = option(argv, "-object", n)); n++) {
		assert_int_equal(sscanf(strstr(object, "size="), "size=%" SCNu64, &size), 1);
		assert_int_equal(size, p->nodes[n].memory);
		assert_non_null(strstr(object, "policy=bind"));
		sum += size;
	}
	assert_int_equal(n, p->n_nodes);
	assert_int_equal(sscanf(option(argv, "-m", 0), "size=%" SCNu64 "M", &size), 1);
	assert_int_equal(size << 20, sum);
}

static void judge_numa(const struct plan *p, const struct cv_strv *argv)
{
	for (size_t i = 0; i < p->n_nodes; i++) {
		_cleanup_free_ char *cpus = cv_format_cpulist(&p->nodes[i].vcpus);
		char want[128];

		snprintf(want, sizeof(want), "node,nodeid=%zu,memdev=ram%zu,cpus=%s", i, i, cpus);
		assert_has(argv, "-numa", want);
		for (size_t k = 0; k < p->n_nodes; k++) {
			snprintf(want, sizeof(want), "dist,src=%zu,dst=%zu,val=%d", i, k,
				 p->nodes[i].distances[k]);
			if (i != k)
				assert_has(argv, "-numa", want);
		}
	}
}

static void judge_bridge(const struct plan *p, const struct plan_bridge *b,
			 const struct cv_strv *argv)
{
	static const char *const models[] = { "pxb-pcie", "pcie-root-port", "x3130-upstream",
					      "xio3130-downstream" };
	char start[96];
	const char *v;

	if (b->kind == PLAN_HOST_BRIDGE) {
		snprintf(start, sizeof(start),
			 "pxb-pcie,id=%s,bus=pcie.0,addr=0x%x,bus_nr=%u,numa_node=%d", b->id,
			 8 + b->guest_node, b->bus, b->guest_node);
		assert_has(argv, "-device", start);
		return;
	}
	snprintf(start, sizeof(start), "%s,id=%s,bus=%s,addr=0x%x", models[b->kind], b->id,
		 p->bridges[b->parent].id, b->bdf.dev);
	for (unsigned int i = 0; (v = option(argv, "-device", i)); i++)
		if (strncmp(v, start, strlen(start)) == 0)
			return;
	fail_msg("no -device %s...", start);
}

/* Each bridge before what is below it, no chassis and slot number twice. */
static void judge_devices(const struct plan *p, const struct cv_strv *argv)
{
	bool is_used[256] = { false };
	const char *v;

	for (size_t i = 0; i < p->n_bridges; i++)
		judge_bridge(p, &p->bridges[i], argv);
	for (unsigned int i = 0; (v = option(argv, "-device", i)); i++) {
		const char *at = strstr(v, ",chassis=");
		unsigned int chassis, slot;

		if (!at)
			continue;
		assert_int_equal(sscanf(at, ",chassis=%u,slot=%u", &chassis, &slot), 2);
		assert_int_equal(chassis, slot);
		assert_true(chassis > 0 && chassis < 256 && !is_used[chassis]);
		is_used[chassis] = true;
	}
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		char want[160], bdf[CV_BDF_MAX];

		snprintf(want, sizeof(want), "vfio-pci,id=vfio-%s,host=%s,bus=%s,addr=0x0", d->id,
			 cv_format_bdf(d->host, bdf), p->bridges[d->bridge].id);
		if (d->vendor != 0x10de)
			assert_has(argv, "-device", want);
	}
}

static void numbers_agree_with_the_plan(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		_cleanup_strv_ struct cv_strv argv = { 0 };

		plan_case(plan_cases[i], &p);
		assert_int_equal(plan_qemu_argv(&p, &qemu, &argv), 0);
		judge_cpus(&p, &argv);
		judge_memory(&p, &argv);
		judge_numa(&p, &argv);
		judge_devices(&p, &argv);
	}
}

/* Made plans as well: trees with switches, and more numbers. */
static void numbers_of_guest_cases_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_guest_cases; i++) {
		_cleanup_strv_ struct cv_strv argv = { 0 };
		struct gb b;

		guest_case(guest_cases[i], &b);
		assert_int_equal(plan_qemu_argv(&b.plan, &qemu, &argv), 0);
		judge_cpus(&b.plan, &argv);
		judge_memory(&b.plan, &argv);
		judge_devices(&b.plan, &argv);
		gb_done(&b);
	}
}

static void make_argv(const char *name, struct cv_strv *argv)
{
	struct gb b;

	guest_case(name, &b);
	assert_int_equal(plan_qemu_argv(&b.plan, &qemu, argv), 0);
	gb_done(&b);
}

/* Row P2: a clique for NVIDIA GPUs, and for nothing else. */
static void gpus_have_their_clique(void **state)
{
	_cleanup_strv_ struct cv_strv argv = { 0 };

	(void)state;
	make_argv("eight-gpus", &argv);
	assert_has(&argv, "-device",
		   "vfio-pci,id=vfio-dev7,host=0000:74:00.0,bus=dn7,addr=0x0,"
		   "x-nv-gpudirect-clique=3");
	struct gb b;
	_cleanup_strv_ struct cv_strv other = { 0 };
	guest_case("eight-gpus", &b);
	b.plan.devices[7].clique = -1;
	b.plan.devices[6].vendor = 0x1002;
	assert_int_equal(plan_qemu_argv(&b.plan, &qemu, &other), 0);
	assert_has(&other, "-device", "vfio-pci,id=vfio-dev7,host=0000:74:00.0,bus=dn7,addr=0x0");
	assert_has(&other, "-device", "vfio-pci,id=vfio-dev6,host=0000:73:00.0,bus=dn6,addr=0x0");
	gb_done(&b);
}

/* Row T6: APIC IDs above 254. They have gaps: fewer vCPUs can reach them. */
static void many_vcpus_have_extended_ids(void **state)
{
	static const struct {
		int packages, dies, cores, threads;
		bool is_split;
	} rows[] = {
		{ 1, 1, 127, 2, false }, { 1, 1, 128, 2, true }, { 1, 1, 255, 1, false },
		{ 1, 1, 256, 1, true },	 { 3, 3, 9, 2, true },	 { 2, 3, 9, 2, false },
		{ 2, 8, 8, 2, true },	 { 2, 8, 7, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		_cleanup_plan_ struct plan p = { 0 };
		_cleanup_strv_ struct cv_strv argv = { 0 };

		plan_case("smt", &p);
		p.packages = rows[i].packages;
		p.dies = rows[i].dies;
		p.cores = rows[i].cores;
		p.threads = rows[i].threads;
		assert_int_equal(plan_qemu_argv(&p, &qemu, &argv), 0);
		bool split = strstr(option(&argv, "-machine", 0), ",kernel-irqchip=split") != NULL;
		bool ids = strstr(option(&argv, "-cpu", 0), ",kvm-msi-ext-dest-id=on") != NULL;
		if (split != rows[i].is_split || ids != rows[i].is_split)
			fail_msg("row %zu: split %d, ids %d", i, split, ids);
	}
}

static const char *global_of(const char *name, struct cv_strv *argv)
{
	make_argv(name, argv);
	return option(argv, "-global", 0);
}

/* The hole for 64-bit BARs grows only when QEMU's own 32 GiB do not do. */
static void the_hole_holds_the_windows(void **state)
{
	_cleanup_strv_ struct cv_strv few = { 0 }, many = { 0 };

	(void)state;
	assert_null(global_of("nested-switches", &few));
	assert_string_equal(global_of("eight-gpus", &many), "q35-pcihost.pci-hole64-size=4196352M");
}

static void low_memory_is_limited_when_planned(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_strv_ struct cv_strv as_is = { 0 }, lower = { 0 };

	(void)state;
	plan_case("smt", &p);
	assert_int_equal(plan_qemu_argv(&p, &qemu, &as_is), 0);
	assert_string_equal(option(&as_is, "-machine", 0),
			    "q35,smm=off,vmport=off,usb=off,graphics=off");
	p.low_limit = 0x3e200000;
	p.phys_bits_limit = 39;
	assert_int_equal(plan_qemu_argv(&p, &qemu, &lower), 0);
	assert_string_equal(option(&lower, "-machine", 0),
			    "q35,smm=off,vmport=off,usb=off,graphics=off,"
			    "max-ram-below-4g=1042284544");
	assert_non_null(strstr(option(&lower, "-cpu", 0), ",host-phys-bits-limit=39"));
}

/* More ports than slots: functions, each of a slot that says so. */
static void ports_share_slots_when_they_must(void **state)
{
	static const struct gb_shape host = { "GenuineIntel", 1, 16, 1, 16, 0, 46 };
	_cleanup_strv_ struct cv_strv argv = { 0 };
	struct gb b;

	(void)state;
	gb_init(&b, &host);
	gb_dev(&b, "0000:10:00.0", "", 0, INV_PORT_ROOT);
	gb_dev(&b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_ENDPOINT)
		->sriov = (struct inv_sriov){ 64, 0, 1, 1, 0x101e, true };
	gb_take(&b, 0, 2, 1, GB_1G);
	for (int i = 0; i < 40; i++)
		gb_take_vf(&b, "0000:11:00.0", i);
	assert_int_equal(gb_plan(&b), 0);
	assert_int_equal(plan_qemu_argv(&b.plan, &qemu, &argv), 0);
	judge_devices(&b.plan, &argv);
	assert_has(&argv, "-device",
		   "pcie-root-port,id=rp9,bus=pxb0,addr=0x1.0x1,multifunction=on,chassis=10,"
		   "slot=10");
	gb_done(&b);
}

static void vendor_decides_topoext(void **state)
{
	_cleanup_plan_ struct plan amd = { 0 }, intel = { 0 };
	_cleanup_strv_ struct cv_strv a = { 0 }, i = { 0 };

	(void)state;
	plan_case("one-node-one-vf", &amd);
	plan_case("intel", &intel);
	assert_int_equal(plan_qemu_argv(&amd, &qemu, &a), 0);
	assert_int_equal(plan_qemu_argv(&intel, &qemu, &i), 0);
	assert_non_null(strstr(option(&a, "-cpu", 0), "topoext=on"));
	assert_null(strstr(option(&i, "-cpu", 0), "topoext"));
}

/* A comma ends an option value; in a path it is doubled. Kernel and command line are no options. */
static void commas_in_paths_are_escaped(void **state)
{
	struct plan_qemu q = qemu;
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_strv_ struct cv_strv argv = { 0 };

	(void)state;
	plan_case("smt", &p);
	free(p.cmdline);
	p.cmdline = strdup("console=ttyS0,115200 root=/dev/vda");
	q.vm_dir = "/run/a,b";
	q.kvm_fd = 7;
	assert_int_equal(plan_qemu_argv(&p, &q, &argv), 0);
	assert_has(&argv, "-chardev", "socket,id=qmp,path=/run/a,,b/qmp.sock,server=on,wait=off");
	assert_has(&argv, "-chardev",
		   "socket,id=carve,path=/run/a,,b/carve.sock,server=on,wait=off");
	assert_has(&argv, "-mon", "chardev=qmp,mode=control");
	assert_has(&argv, "-mon", "chardev=carve,mode=control");
	assert_has(&argv, "-append", "console=ttyS0,115200 root=/dev/vda");
	assert_has(&argv, "-add-fd", "fd=7,set=1");
	assert_has(&argv, "-accel", "kvm,device=/dev/fdset/1");
}

/* Ranges of a node that are not contiguous become one cpus= each. */
static void each_cpu_range_is_an_option(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_strv_ struct cv_strv argv = { 0 };

	(void)state;
	plan_case("two-nodes", &p);
	assert_int_equal(cv_parse_cpulist("0,2", &p.nodes[0].vcpus), 0);
	assert_int_equal(plan_qemu_argv(&p, &qemu, &argv), 0);
	assert_has(&argv, "-numa", "node,nodeid=0,memdev=ram0,cpus=0,cpus=2");
}

static const char *memory_of(struct plan *p, const char *vcpus, struct cv_strv *argv)
{
	p->nodes[0].vcpus = (struct cv_cpuset){ 0 };
	if (vcpus[0])
		assert_int_equal(cv_parse_cpulist(vcpus, &p->nodes[0].vcpus), 0);
	assert_int_equal(plan_qemu_argv(p, &qemu, argv), 0);
	return option(argv, "-object", 0);
}

static void every_vcpu_clears_memory_up_to_16(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_strv_ struct cv_strv few = { 0 }, many = { 0 };

	(void)state;
	plan_case("two-nodes", &p);
	assert_non_null(strstr(memory_of(&p, "0-5", &few), ",prealloc-threads=6,"));
	assert_non_null(strstr(memory_of(&p, "0-63", &many), ",prealloc-threads=16,"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(golden_of_links),
		cmocka_unit_test(numbers_agree_with_the_plan),
		cmocka_unit_test(numbers_of_guest_cases_agree),
		cmocka_unit_test(gpus_have_their_clique),
		cmocka_unit_test(many_vcpus_have_extended_ids),
		cmocka_unit_test(the_hole_holds_the_windows),
		cmocka_unit_test(low_memory_is_limited_when_planned),
		cmocka_unit_test(ports_share_slots_when_they_must),
		cmocka_unit_test(vendor_decides_topoext),
		cmocka_unit_test(commas_in_paths_are_escaped),
		cmocka_unit_test(each_cpu_range_is_an_option),
		cmocka_unit_test(every_vcpu_clears_memory_up_to_16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
