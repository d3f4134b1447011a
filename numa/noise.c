// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/noise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "numa/cputext.h"
#include "numa/facts.h"
#include "numa/irq.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define IDLE_DIR CPU_DIR "/cpu0/cpuidle"
#define IRQ_DIR "/proc/irq"
#define MODULE "/sys/module/"
#define TEXT(path, member) NU_TEXT(path, struct inv_noise, member)
#define NUMBER(path, member) NU_NUMBER(path, struct inv_noise, member)

/* Only one of kvm_intel and kvm_amd is there. */
static const struct nu_fact facts[] = {
	TEXT(CPU_DIR "/cpuidle/current_driver", idle_driver),
	TEXT("/sys/kernel/mm/transparent_hugepage/defrag", thp_defrag),
	TEXT(MODULE "kvm/parameters/nx_huge_pages", nx_huge_pages),
	NUMBER(MODULE "kvm/parameters/halt_poll_ns", halt_poll_ns),
	TEXT(MODULE "kvm/parameters/kvmclock_periodic_sync", kvmclock_sync),
	NUMBER(MODULE "kvm_intel/parameters/ple_gap", ple_gap),
	NUMBER(MODULE "kvm_amd/parameters/pause_filter_count", ple_gap),
	TEXT(MODULE "kvm_intel/parameters/enable_apicv", apicv),
	TEXT(MODULE "kvm_amd/parameters/avic", apicv),
	NUMBER(MODULE "vfio_iommu_type1/parameters/dma_entry_limit", dma_entry_limit),
	NUMBER("/proc/sys/vm/zone_reclaim_mode", zone_reclaim_mode),
	NUMBER("/proc/sys/vm/stat_interval", stat_interval),
	NUMBER("/proc/sys/kernel/nmi_watchdog", nmi_watchdog),
	NUMBER("/proc/sys/kernel/timer_migration", timer_migration),
	NUMBER("/proc/sys/vm/compaction_proactiveness", compaction_proactiveness),
	NUMBER("/proc/sys/vm/swappiness", swappiness),
	TEXT("/sys/devices/system/clocksource/clocksource0/current_clocksource", clocksource),
};

static void set_unknown(struct inv_noise *noise)
{
	const int unknown = -1;

	for (size_t i = 0; i < CV_ARRAY_SIZE(facts); i++)
		if (facts[i].size == 0)
			memcpy((char *)noise + facts[i].offset, &unknown, sizeof(unknown));
	noise->idle_latency_us = -1;
}

static void read_mask(struct cv_sysroot *root, const char *path, struct cv_cpuset *ret)
{
	_cleanup_free_ char *text = NULL;

	if (cv_read_str(root, path, &text) == 0)
		nu_parse_cpumask(text, ret);
}

/* "always defer [madvise] never": the word in brackets, in place */
static void keep_chosen(char *text, size_t size)
{
	const char *open = strchr(text, '['), *close = strchr(text, ']');
	size_t len = open && close > open ? (size_t)(close - open - 1) : 0;

	if (len >= size || !open)
		return;
	memmove(text, open + 1, len);
	text[len] = '\0';
}

/* Return: true when the state at @dir is enabled and has a name. */
static bool read_idle_state(struct cv_sysroot *root, const char *name, struct inv_noise *noise)
{
	char path[CV_PATH_MAX], label[INV_TEXT];
	uint64_t disabled = 0;
	int latency;

	if (cv_read_u64(root, cv_pathf(path, IDLE_DIR "/%s/disable", name), &disabled) == 0 &&
	    disabled != 0)
		return false;
	if (cv_read_into(root, cv_pathf(path, IDLE_DIR "/%s/name", name), label, sizeof(label)) < 0)
		return false;
	if (cv_read_int(root, cv_pathf(path, IDLE_DIR "/%s/latency", name), &latency) == 0)
		noise->idle_latency_us = latency;
	nu_copy_text(noise->idle_deepest, sizeof(noise->idle_deepest), label, strlen(label));
	return true;
}

/* The kernel numbers the states from the shallowest to the deepest. */
static void read_idle(struct cv_sysroot *root, struct inv_noise *noise)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(root, IDLE_DIR, &names) < 0)
		return;
	for (size_t i = names.n; i-- > 0;)
		if (strncmp(names.v[i], "state", 5) == 0 &&
		    read_idle_state(root, names.v[i], noise))
			return;
}

static bool is_number(const char *name)
{
	return *name != '\0' && name[strspn(name, "0123456789")] == '\0';
}

static bool has_process(struct cv_sysroot *root, const char *wanted)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(root, "/proc", &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		char path[CV_PATH_MAX], comm[32];

		if (is_number(names.v[i]) &&
		    cv_read_into(root, cv_pathf(path, "/proc/%s/comm", names.v[i]), comm,
				 sizeof(comm)) == 0 &&
		    strcmp(comm, wanted) == 0)
			return true;
	}
	return false;
}

void nu_noise_read(struct cv_sysroot *root, const char *cmdline, struct inv_host *host)
{
	struct inv_noise *noise = &host->noise;
	const char *value;
	ptrdiff_t len = nu_boot_value(cmdline, "mitigations=", &value);

	*noise = (struct inv_noise){ .is_read = true };
	set_unknown(noise);
	nu_facts_read(root, facts, CV_ARRAY_SIZE(facts), noise);
	keep_chosen(noise->thp_defrag, sizeof(noise->thp_defrag));
	read_mask(root, "/sys/devices/virtual/workqueue/cpumask", &noise->workqueue);
	read_mask(root, IRQ_DIR "/default_smp_affinity", &noise->irq_default);
	read_idle(root, noise);
	noise->irqbalance = has_process(root, "irqbalance");
	if (len > 0)
		nu_copy_text(noise->mitigations, sizeof(noise->mitigations), value, (size_t)len);
}

/* An interrupt of a passed-through device is on its guest's core by intent. */
static bool is_of_guest(struct cv_sysroot *root, const char *number)
{
	char path[CV_PATH_MAX], actions[96];

	return cv_read_into(root, cv_pathf(path, "/sys/kernel/irq/%s/actions", number), actions,
			    sizeof(actions)) == 0 &&
	       nu_irq_is_vfio(actions);
}

int nu_irq_counts_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ int *counts = calloc(CV_CPU_MAX, sizeof(*counts));

	if (!counts)
		return cv_fail_errno(err, -ENOMEM, IRQ_DIR, "cannot count interrupts");
	if (cv_list(root, IRQ_DIR, &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		char path[CV_PATH_MAX];
		struct cv_cpuset set;

		if (!is_number(names.v[i]) ||
		    cv_read_cpulist(
			    root, cv_pathf(path, IRQ_DIR "/%s/effective_affinity_list", names.v[i]),
			    &set) < 0 ||
		    cv_cpuset_is_empty(&set) || is_of_guest(root, names.v[i]))
			continue;
		CV_CPUSET_FOREACH(id, &set)
		counts[id]++;
	}
	for (size_t i = 0; i < inv->n_cpus; i++)
		inv->cpus[i].irqs = counts[inv->cpus[i].id];
	return 0;
}
