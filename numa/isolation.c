// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/isolation.h"

#include <string.h>

#include "base/cleanup.h"
#include "numa/binding.h"
#include "numa/cputext.h"
#include "numa/facts.h"

#define CPU_DIR "/sys/devices/system/cpu"

/* A list that may be absent, empty, or "(null)": nohz_full of a kernel without the option */
static void add_list(struct cv_sysroot *root, const char *path, struct cv_cpuset *set)
{
	struct cv_cpuset found;

	if (cv_read_cpulist(root, path, &found) == 0)
		cv_cpuset_or(set, &found);
}

static int last_possible(struct cv_sysroot *root)
{
	struct cv_cpuset possible;
	int last = 0;

	if (cv_read_cpulist(root, CPU_DIR "/possible", &possible) < 0)
		return CV_CPU_MAX - 1;
	CV_CPUSET_FOREACH(id, &possible)
	last = id;
	return last;
}

static void add_boot_list(struct cv_sysroot *root, const char *cmdline, const char *key,
			  struct cv_cpuset *set)
{
	_cleanup_free_ char *text = NULL;
	struct cv_cpuset found;
	const char *value;
	ptrdiff_t len = nu_boot_value(cmdline, key, &value);

	if (len <= 0)
		return;
	text = strndup(value, (size_t)len);
	if (text && nu_parse_boot_cpulist(text, last_possible(root), &found) == 0)
		cv_cpuset_or(set, &found);
}

void nu_isolation_read(struct cv_sysroot *root, const char *cmdline, struct inv_host *host)
{
	add_list(root, CPU_DIR "/isolated", &host->isolated);
	add_list(root, NU_CGROUP_MOUNT "/cpuset.cpus.isolated", &host->isolated);
	add_list(root, CPU_DIR "/nohz_full", &host->nohz_full);
	add_boot_list(root, cmdline, "rcu_nocbs=", &host->rcu_nocbs);
	cv_cpuset_or(&host->rcu_nocbs, &host->nohz_full);
}

void nu_isolation_mark(struct inventory *inv)
{
	struct inv_host *host = &inv->host;

	for (size_t i = 0; i < inv->n_partitions; i++)
		if (inv->partitions[i].is_isolated)
			cv_cpuset_or(&host->isolated, &inv->partitions[i].cpus);
	for (size_t i = 0; i < inv->n_cpus; i++) {
		struct inv_cpu *cpu = &inv->cpus[i];

		cpu->is_isolated = cv_cpuset_has(&host->isolated, cpu->id);
		cpu->is_nohz_full = cv_cpuset_has(&host->nohz_full, cpu->id);
		cpu->is_rcu_nocbs = cv_cpuset_has(&host->rcu_nocbs, cpu->id);
	}
}
