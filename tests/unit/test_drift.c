// SPDX-License-Identifier: GPL-2.0-or-later
/* What runs, compared with the plan, on a /proc made by hand. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "numa/drift.h"
#include "tests/fake/fake_sysroot.h"

#define CG "/sys/fs/cgroup/carve/vm"
#define PID 100

struct host {
	struct fake *fake;
	struct cv_sysroot *root;
	struct plan plan;
};

/* Two cores, CPUs 2 and 3, memory on node 1, one function. */
static struct plan_vcpu vcpus[] = { { .host_cpu = 2 }, { .host_cpu = 3 } };
static struct plan_device devices[] = { { .host = { 0, 0x81, 0x10, 0 } } };
static const pid_t tids[] = { 101, 102 };

/* Fields 39 to 41 of /proc/TID/stat are the CPU, the real-time priority and the policy. */
static void put_stat(struct host *h, int tid, int cpu, int priority, int policy)
{
	char path[64], fields[256] = "";

	for (int i = 4; i < 39; i++)
		strcat(fields, "0 ");
	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	fake_filef(h->fake, path, "%d (a ) b) R %s%d %d %d 0", tid, fields, cpu, priority, policy);
}

static void put_thread(struct host *h, int tid, const char *name, const char *cpus, int cpu,
		       const char *folder)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", PID, tid);
	fake_file(h->fake, path, name);
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	fake_filef(h->fake, path, "Name:\t%s\nState:\tR\nCpus_allowed_list:\t%s\n", name, cpus);
	put_stat(h, tid, cpu, 0, SCHED_OTHER);
	snprintf(path, sizeof(path), "/proc/%d/cgroup", tid);
	fake_filef(h->fake, path, "0::/carve/vm/%s", folder);
}

static void put_irq(struct host *h, int number, const char *actions, const char *cpus)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/irq/%d/actions", number);
	fake_file(h->fake, path, actions);
	snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity_list", number);
	fake_file(h->fake, path, cpus);
}

static void put_pages(struct host *h, const char *text)
{
	fake_filef(h->fake, "/proc/100/numa_maps",
		   "55d0 default file=/usr/bin/qemu mapped=9 N0=9\n"
		   "7f00 default anon=3 dirty=3 N0=3\n%s",
		   text);
}

#define GOOD_PAGES \
	"7f12 bind:1 file=/memfd:ram0\\040(deleted) huge dirty=256 N1=256 kernelpagesize_kB=2048\n"

static void put_host(struct host *h)
{
	fake_file(h->fake, "/sys/devices/system/cpu/online", "0-7");
	put_thread(h, 100, "qemu", "0,4", 0, "vmm");
	put_thread(h, 101, "CPU 0/KVM", "2", 2, "vcpu");
	put_thread(h, 102, "CPU 1/KVM", "3", 3, "vcpu");
	put_thread(h, 103, "worker", "0,4", 4, "vmm");
	fake_file(h->fake, CG "/vcpu/cgroup.threads", "101\n102\n");
	fake_file(h->fake, CG "/vcpu/cpuset.cpus.partition", "isolated");
	fake_file(h->fake, CG "/vcpu/cpuset.cpus.exclusive", "2-3");
	fake_file(h->fake, CG "/vcpu/cpuset.cpus", "2-3");
	fake_file(h->fake, CG "/vmm/cpuset.cpus", "0,4");
	fake_file(h->fake, "/proc/irq/default_smp_affinity", "f3");
	put_irq(h, 9, "acpi", "0-1,4-7");
	put_irq(h, 30, "nvme0q3", "3");
	put_irq(h, 40, "vfio-msix[0](0000:81:10.0)", "2");
	put_irq(h, 41, "vfio-msix[1](0000:81:10.0)", "3");
	fake_file(h->fake, CV_SHARED_DIR "/irq-affinity.json",
		  "{\"carve_irq_affinity\":1,\"holders\":{\"vm\":\"off=2-3 on=0,4\"},"
		  "\"default\":\"ff\",\"irqs\":{\"9\":\"0-7\"},\"managed\":{\"30\":\"nvme0q3\"}}");
	put_pages(h, GOOD_PAGES);
}

static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	if (!h || fake_new(&h->fake, &h->root) < 0)
		return -1;
	h->plan = (struct plan){
		.name = "vm", .vcpus = vcpus, .n_vcpus = 2, .devices = devices, .n_devices = 1
	};
	h->plan.nodes[0] = (struct plan_node){ .host_node = 1, .pages = 256 };
	h->plan.n_nodes = 1;
	cv_parse_cpulist("2-3", &h->plan.host_cpus);
	cv_parse_cpulist("0,4", &h->plan.vmm_cpus);
	put_host(h);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	cv_sysroot_close(h->root);
	free(h);
	return 0;
}

static void look(struct host *h, struct nu_drifts *ret)
{
	struct nu_running vm = { &h->plan, PID, tids, true };

	assert_int_equal(nu_drift_find(h->root, &vm, ret, NULL), 0);
}

static void assert_drift(const struct nu_drift *d, enum nu_drift_kind kind, const char *object,
			 const char *found, const char *wanted)
{
	assert_string_equal(nu_drift_names[d->kind], nu_drift_names[kind]);
	assert_string_equal(d->object, object);
	assert_string_equal(d->found, found);
	assert_string_equal(d->wanted, wanted);
}

/* Exactly one difference, this one. */
static void assert_one(struct host *h, enum nu_drift_kind kind, const char *object,
		       const char *found, const char *wanted)
{
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	look(h, &d);
	assert_int_equal(d.n, 1);
	assert_drift(&d.v[0], kind, object, found, wanted);
}

static void test_none(void **state)
{
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	look(*state, &d);
	assert_int_equal(d.n, 0);
}

static void test_vcpu_affinity(void **state)
{
	struct host *h = *state;

	put_thread(h, 102, "CPU 1/KVM", "0-7", 6, "vcpu");
	assert_one(h, NU_DRIFT_VCPU_AFFINITY, "vCPU 1 (thread 102)", "0-7", "3");
}

/* Swapped pins are two differences, each with its own CPU. */
static void test_vcpus_swapped(void **state)
{
	struct host *h = *state;
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	put_thread(h, 101, "CPU 0/KVM", "3", 3, "vcpu");
	put_thread(h, 102, "CPU 1/KVM", "2", 2, "vcpu");
	look(h, &d);
	assert_int_equal(d.n, 2);
	assert_drift(&d.v[0], NU_DRIFT_VCPU_AFFINITY, "vCPU 0 (thread 101)", "3", "2");
	assert_drift(&d.v[1], NU_DRIFT_VCPU_AFFINITY, "vCPU 1 (thread 102)", "2", "3");
}

static void test_vcpu_cpu(void **state)
{
	struct host *h = *state;

	put_thread(h, 102, "CPU 1/KVM", "3", 6, "vcpu");
	assert_one(h, NU_DRIFT_VCPU_CPU, "vCPU 1 (thread 102)", "6", "3");
}

static void test_vcpu_cgroup(void **state)
{
	struct host *h = *state;

	put_thread(h, 101, "CPU 0/KVM", "2", 2, "vmm");
	assert_one(h, NU_DRIFT_VCPU_CGROUP, "vCPU 0 (thread 101)", "/carve/vm/vmm",
		   "/carve/vm/vcpu");
}

static void test_vcpu_policy(void **state)
{
	struct host *h = *state;

	put_stat(h, 101, 2, 0, SCHED_BATCH); /* not real-time: as good as planned */
	put_stat(h, 102, 3, 7, SCHED_RR);
	assert_one(h, NU_DRIFT_VCPU_POLICY, "vCPU 1 (thread 102)", "RR 7", "other");
	h->plan.rt_priority = 7;
	put_stat(h, 101, 2, 7, SCHED_FIFO);
	assert_one(h, NU_DRIFT_VCPU_POLICY, "vCPU 1 (thread 102)", "RR 7", "FIFO 7");
	put_stat(h, 102, 3, 6, SCHED_FIFO);
	assert_one(h, NU_DRIFT_VCPU_POLICY, "vCPU 1 (thread 102)", "FIFO 6", "FIFO 7");
}

static void test_vmm_policy(void **state)
{
	struct host *h = *state;

	put_thread(h, 103, "worker", "0", 0, "vmm");
	put_stat(h, 103, 0, 1, SCHED_FIFO);
	assert_one(h, NU_DRIFT_VMM_POLICY, "thread 103 (worker)", "FIFO 1", "other");
}

static void test_vmm_thread(void **state)
{
	struct host *h = *state;
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	put_thread(h, 103, "worker", "3", 3, "vcpu");
	look(h, &d);
	assert_int_equal(d.n, 2);
	assert_drift(&d.v[0], NU_DRIFT_VMM_AFFINITY, "thread 103 (worker)", "3", "0,4");
	assert_drift(&d.v[1], NU_DRIFT_VMM_CGROUP, "thread 103 (worker)", "/carve/vm/vcpu",
		     "/carve/vm/vmm");
}

static void test_foreign_thread(void **state)
{
	struct host *h = *state;

	fake_file(h->fake, CG "/vcpu/cgroup.threads", "101\n102\n7\n8\n");
	fake_file(h->fake, "/proc/7/status", "Name:\tintruder\nCpus_allowed_list:\t2-3\n");
	assert_one(h, NU_DRIFT_FOREIGN, "thread 7 (intruder)", "in the partition of the guest",
		   "vCPU threads only");
}

static void test_partition(void **state)
{
	struct host *h = *state;

	fake_file(h->fake, CG "/vcpu/cpuset.cpus.partition",
		  "isolated invalid (Cpu list in cpuset.cpus not exclusive)");
	assert_one(h, NU_DRIFT_PARTITION, CG "/vcpu/cpuset.cpus.partition",
		   "isolated invalid (Cpu list in cpuset.cpus not exclusive)", "isolated");
	fake_file(h->fake, CG "/vcpu/cpuset.cpus.partition", "isolated");
	fake_file(h->fake, CG "/vcpu/cpuset.cpus", "");
	assert_one(h, NU_DRIFT_PARTITION, CG "/vcpu/cpuset.cpus", "none", "2-3");
	fake_file(h->fake, CG "/vcpu/cpuset.cpus", "2-3");
	fake_file(h->fake, CG "/vmm/cpuset.cpus", "0,4-5");
	assert_one(h, NU_DRIFT_PARTITION, CG "/vmm/cpuset.cpus", "0,4-5", "0,4");
}

static void test_memory(void **state)
{
	struct host *h = *state;
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	put_pages(h, "7f12 bind:1 file=/memfd:ram0 huge dirty=256 N0=3 N1=253\n");
	assert_one(h, NU_DRIFT_MEMORY, "memory of node 1",
		   "253 pages there, 3 on nodes that are not planned", "256 pages");
	put_pages(h, "7f12 default file=/memfd:ram0 huge dirty=256 N1=256\n");
	assert_one(h, NU_DRIFT_MEMORY, "memory on node 1", "policy default",
		   "policy bind to one node of the plan");
	put_pages(h, "7f12 bind:0 file=/memfd:ram0 huge dirty=256 N0=256\n");
	look(h, &d);
	assert_int_equal(d.n, 2);
}

/* Another user's pages cannot be seen: nothing is said of them. */
static void test_memory_unreadable(void **state)
{
	struct host *h = *state;
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	fake_remove(h->fake, "/proc/100/numa_maps");
	look(h, &d);
	assert_int_equal(d.n, 0);
}

static void test_guest_irq(void **state)
{
	struct host *h = *state;

	put_irq(h, 41, "vfio-msix[1](0000:81:10.0)", "0-1,4-7");
	assert_one(h, NU_DRIFT_GUEST_IRQ, "interrupt 41 (vfio-msix[1](0000:81:10.0))", "0-1,4-7",
		   "3");
}

static void test_host_irq(void **state)
{
	struct host *h = *state;

	put_irq(h, 9, "acpi", "2");
	assert_one(h, NU_DRIFT_HOST_IRQ, "interrupt 9 (acpi)", "2", "0-1,4-7");
	put_irq(h, 9, "acpi", "7"); /* elsewhere, but on no core of a guest: not ours */
	fake_file(h->fake, "/proc/irq/default_smp_affinity", "ff");
	assert_one(h, NU_DRIFT_HOST_IRQ, "new interrupts (/proc/irq/default_smp_affinity)", "0-7",
		   "0-1,4-7");
}

/* A guest that was started without the step makes no claim. */
static void test_without_step(void **state)
{
	struct host *h = *state;
	_cleanup_drifts_ struct nu_drifts d = { 0 };

	fake_remove(h->fake, CV_SHARED_DIR "/irq-affinity.json");
	fake_file(h->fake, "/proc/irq/default_smp_affinity", "ff");
	look(h, &d);
	assert_int_equal(d.n, 0);
}

static void test_gone(void **state)
{
	struct host *h = *state;
	struct nu_running vm = { &h->plan, 999, tids, true };
	struct nu_drifts d = { 0 };

	assert_int_equal(nu_drift_find(h->root, &vm, &d, NULL), -ESRCH);
}

/* The same difference is told once; another value is another event. */
static void test_has(void **state)
{
	struct host *h = *state;
	_cleanup_drifts_ struct nu_drifts first = { 0 }, second = { 0 };

	put_thread(h, 101, "CPU 0/KVM", "0", 0, "vcpu");
	look(h, &first);
	assert_true(nu_drift_has(&first, &first.v[0]));
	put_thread(h, 101, "CPU 0/KVM", "1", 1, "vcpu");
	look(h, &second);
	assert_false(nu_drift_has(&first, &second.v[0]));
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_none),
		HOST_TEST(test_vcpu_affinity),
		HOST_TEST(test_vcpus_swapped),
		HOST_TEST(test_vcpu_cpu),
		HOST_TEST(test_vcpu_cgroup),
		HOST_TEST(test_vcpu_policy),
		HOST_TEST(test_vmm_policy),
		HOST_TEST(test_vmm_thread),
		HOST_TEST(test_foreign_thread),
		HOST_TEST(test_partition),
		HOST_TEST(test_memory),
		HOST_TEST(test_memory_unreadable),
		HOST_TEST(test_guest_irq),
		HOST_TEST(test_host_irq),
		HOST_TEST(test_without_step),
		HOST_TEST(test_gone),
		HOST_TEST(test_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
