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
#include "plan_cases.h"

static const struct plan_qemu qemu = {
	.binary = "/usr/bin/qemu-system-x86_64",
	.vm_dir = "/run/carve/vm/demo",
	.kvm_fd = -1,
};

static void golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };
		_cleanup_strv_ struct cv_strv argv = { 0 };
		char name[64];

		plan_case(plan_cases[i], &p);
		assert_int_equal(plan_qemu_argv(&p, &qemu, &argv), 0);
		cv_strv_add(&argv, "");
		_cleanup_free_ char *text = cv_strv_join(&argv, "\n");
		snprintf(name, sizeof(name), "qemu/%s.argv", plan_cases[i]);
		golden_check(name, text);
	}
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

/* Firmware gives the ports of a host bridge the buses after its own, in slot order. */
static void judge_devices(const struct plan *p, const struct cv_strv *argv)
{
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		const struct plan_bridge *port = &p->bridges[d->bridge];
		const struct plan_bridge *host = &p->bridges[port->parent];
		char want[160], bdf[CV_BDF_MAX];

		assert_int_equal(host->parent, -1);
		assert_int_equal(host->guest_node, d->guest_node);
		assert_int_equal(port->bdf.bus, host->bus);
		assert_int_equal(d->guest.bus, host->bus + port->bdf.dev);
		snprintf(want, sizeof(want),
			 "pxb-pcie,id=%s,bus=pcie.0,addr=0x%x,bus_nr=%u,numa_node=%d", host->id,
			 8 + d->guest_node, host->bus, d->guest_node);
		assert_has(argv, "-device", want);
		snprintf(want, sizeof(want), "pcie-root-port,id=%s,bus=%s,addr=0x%x,chassis=%d",
			 port->id, host->id, port->bdf.dev, d->bridge + 1);
		assert_has(argv, "-device", want);
		snprintf(want, sizeof(want), "vfio-pci,id=vfio-%s,host=%s,bus=%s,addr=0x0", d->id,
			 cv_format_bdf(d->host, bdf), port->id);
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
		cmocka_unit_test(numbers_agree_with_the_plan),
		cmocka_unit_test(vendor_decides_topoext),
		cmocka_unit_test(commas_in_paths_are_escaped),
		cmocka_unit_test(each_cpu_range_is_an_option),
		cmocka_unit_test(every_vcpu_clears_memory_up_to_16),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
