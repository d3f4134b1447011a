// SPDX-License-Identifier: GPL-2.0-or-later
/* /proc, and what is one per host. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/fake/machine_model.h"

#define POOLS "sys/kernel/mm/hugepages"

static const char *flags_of(const struct machine_host *h)
{
	if (strcmp(h->vendor, "AuthenticAMD") == 0)
		return "fpu vme de pse tsc msr pae cx8 apic sep pge cmov pat clflush mmx fxsr sse "
		       "sse2 ht syscall nx pdpe1gb rdtscp lm constant_tsc nonstop_tsc x2apic svm "
		       "topoext npt lbrv svm_lock nrip_save avic v_vmsave_vmload";
	return "fpu vme de pse tsc msr pae cx8 apic sep pge cmov pat clflush mmx fxsr sse sse2 ht "
	       "syscall nx pdpe1gb rdtscp lm constant_tsc nonstop_tsc vmx x2apic tpr_shadow "
	       "flexpriority ept vpid ept_ad";
}

static void put_x86_cpu(const struct machine *m, FILE *out, int i)
{
	const struct machine_host *h = &m->host;
	const struct machine_cpu *c = &m->cpus[i];

	fprintf(out, "processor\t: %d\nvendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\n", i,
		h->vendor, h->family, h->model_id);
	fprintf(out, "model name\t: %s\nstepping\t: 1\nphysical id\t: %d\ncore id\t\t: %d\n",
		h->model, c->package, c->core_id);
	fprintf(out, "flags\t\t: %s\naddress sizes\t: %d bits physical, %d bits virtual\n\n",
		flags_of(h), h->phys_bits, h->virt_bits);
}

static void put_arm_cpu(FILE *out, int i)
{
	fprintf(out,
		"processor\t: %d\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd aes sha2 crc32 "
		"atomics sve\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: "
		"0x0\nCPU part\t: 0xd4f\nCPU revision\t: 0\n\n",
		i);
}

static void put_cpuinfo(const struct machine *m, struct machine_out *o)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	for (int i = 0; i < m->n_cpus; i++) {
		if (m->host.arch == MACHINE_X86)
			put_x86_cpu(m, out, i);
		else
			put_arm_cpu(out, i);
	}
	fclose(out);
	machine_put(o, text, "proc/cpuinfo");
}

static void put_meminfo(const struct machine *m, struct machine_out *o)
{
	uint64_t total = 0, available = 0;
	char text[256];

	for (int i = 0; i < MACHINE_MAX_NODES; i++) {
		total += m->nodes[i].memory;
		available += m->nodes[i].free;
	}
	snprintf(text, sizeof(text),
		 "MemTotal:       %llu kB\nMemFree:        %llu kB\nMemAvailable:   %llu kB\n",
		 (unsigned long long)total >> 10, (unsigned long long)available >> 10,
		 (unsigned long long)available >> 10);
	machine_put(o, text, "proc/meminfo");
}

/* Free memory in the largest blocks that it can be made of: a host that was just started. */
static void put_buddyinfo(const struct machine *m, struct machine_out *o)
{
	char text[MACHINE_MAX_NODES * 160] = "", *p = text;

	for (int i = 0; i < MACHINE_MAX_NODES; i++) {
		uint64_t blocks = m->nodes[i].free >> 22; /* order 10 */

		if (m->nodes[i].memory == 0)
			continue;
		p += sprintf(p, "Node %d, zone   Normal ", i);
		for (int order = 0; order < 10; order++)
			p += sprintf(p, "%6d ", order % 3);
		p += sprintf(p, "%6llu \n", (unsigned long long)(blocks ? blocks - 1 : 0));
	}
	machine_put(o, text, "proc/buddyinfo");
}

static void put_global_pool(struct machine_out *o, unsigned long long kib,
			    const struct machine_pool *p)
{
	machine_put_int(o, (long long)p->total, POOLS "/hugepages-%llukB/nr_hugepages", kib);
	machine_put_int(o, (long long)p->free, POOLS "/hugepages-%llukB/free_hugepages", kib);
	machine_put_int(o, (long long)p->surplus, POOLS "/hugepages-%llukB/surplus_hugepages", kib);
	machine_put_int(o, 0, POOLS "/hugepages-%llukB/resv_hugepages", kib);
	machine_put_int(o, 0, POOLS "/hugepages-%llukB/nr_overcommit_hugepages", kib);
}

static void add_pool(struct machine_pool *sum, const struct machine_pool *p)
{
	sum->total += p->total;
	sum->free += p->free;
	sum->surplus += p->surplus;
}

static void put_pools(const struct machine *m, struct machine_out *o)
{
	struct machine_pool small = { 0 }, large = { 0 };

	for (int i = 0; i < MACHINE_MAX_NODES; i++) {
		add_pool(&small, &m->nodes[i].small);
		add_pool(&large, &m->nodes[i].large);
	}
	put_global_pool(o, 2048, &small);
	put_global_pool(o, 1048576, &large);
}

static void put_line(struct machine_out *o, const char *text, const char *path)
{
	char line[1100];

	snprintf(line, sizeof(line), "%s\n", text);
	machine_put(o, line, "%s", path);
}

/* Facts that are the same on all machines that are made */
static void put_constants(struct machine_out *o)
{
	static const struct {
		const char *path, *text;
	} files[] = {
		{ "proc/1/mountinfo", "" },
		{ "proc/self/mountinfo", "" },
		{ "proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" },
		{ "proc/self/net/if_inet6", "" },
		{ "proc/self/net/route",
		  "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\t"
		  "Window\tIRTT\n" },
		{ "proc/self/limits",
		  "Limit                     Soft Limit           Hard Limit           Units     \n"
		  "Max locked memory         unlimited            unlimited            bytes     "
		  "\n" },
		{ "proc/sys/kernel/numa_balancing", "0" },
		{ "proc/sys/kernel/nmi_watchdog", "0" },
		{ "proc/sys/kernel/timer_migration", "1" },
		{ "proc/sys/kernel/random/boot_id", "6e0a3c6e-5b0f-4c5c-9a6b-0b1d6d6b7a10" },
		{ "proc/sys/vm/stat_interval", "1" },
		{ "proc/sys/vm/swappiness", "60" },
		{ "proc/sys/vm/zone_reclaim_mode", "0" },
		{ "proc/sys/vm/compaction_proactiveness", "20" },
		{ "sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc" },
		{ "sys/fs/cgroup/cgroup.controllers",
		  "cpuset cpu io memory hugetlb pids rdma misc" },
		{ "sys/fs/cgroup/cpuset.cpus.isolated", "" },
		{ "sys/kernel/mm/ksm/run", "0" },
		{ "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never" },
		{ "sys/kernel/mm/transparent_hugepage/defrag",
		  "always defer defer+madvise [madvise] never" },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(files); i++)
		if (files[i].text[0] && files[i].text[strlen(files[i].text) - 1] == '\n')
			machine_put(o, files[i].text, "%s", files[i].path);
		else
			put_line(o, files[i].text, files[i].path);
	machine_put_link(o, "self/net", "proc/net");
	machine_put(o, "", "dev/kvm");
}

static void put_interrupts(const struct machine *m, struct machine_out *o)
{
	const struct cv_cpuset all = machine_all_cpus(m);
	const char *chip = m->host.arch == MACHINE_ARM64 ? "GICv3"
			   : m->host.has_intremap	 ? "IR-PCI-MSIX"
							 : "PCI-MSIX";

	put_line(o, chip, "sys/kernel/irq/24/chip_name");
	machine_put_mask(o, &all, m->n_cpus, "proc/irq/default_smp_affinity");
	machine_put_mask(o, &all, m->n_cpus, "sys/devices/virtual/workqueue/cpumask");
}

void machine_write_host(const struct machine *m, struct machine_out *o)
{
	put_cpuinfo(m, o);
	put_meminfo(m, o);
	put_buddyinfo(m, o);
	put_pools(m, o);
	put_constants(o);
	put_interrupts(m, o);
	put_line(o, m->host.cmdline, "proc/cmdline");
	put_line(o, m->host.kernel, "proc/sys/kernel/osrelease");
}
