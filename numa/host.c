// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/binding.h"
#include "numa/cpuinfo.h"
#include "numa/facts.h"
#include "numa/isolation.h"
#include "numa/noise.h"
#include "numa/resctrl_info.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define TEXT(path, member) NU_TEXT(path, struct inv_host, member)

static const struct nu_fact facts[] = {
	TEXT("/proc/sys/kernel/osrelease", kernel),
	TEXT("/proc/sys/kernel/random/boot_id", boot_id),
	TEXT("/run/systemd/container", container),
	TEXT(CPU_DIR "/cpu0/cpufreq/scaling_governor", governor),
};

static bool is_set(struct cv_sysroot *root, const char *path)
{
	uint64_t v;

	return cv_read_u64(root, path, &v) == 0 && v != 0;
}

static bool file_has_word(struct cv_sysroot *root, const char *path, const char *word)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	if (cv_read_str(root, path, &text) < 0)
		return false;
	for (char *w = strtok_r(text, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save))
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

/* "6.12.1-amd64": at least Linux @major.@minor? */
static bool is_release_from(const char *release, int major, int minor)
{
	char text[INV_TEXT], *save = NULL;
	int found[2] = { 0, 0 };

	snprintf(text, sizeof(text), "%s", release);
	for (int i = 0; i < 2; i++) {
		const char *word = strtok_r(i ? NULL : text, ".-+", &save);

		if (!word || cv_parse_int(word, &found[i]) < 0)
			return false;
	}
	return found[0] > major || (found[0] == major && found[1] >= minor);
}

/* Below the root only: the root itself shows cpuset.cpus.isolated, which came after it, also in
 * distribution kernels of older numbers that have both. */
static bool has_cpuset_exclusive(struct cv_sysroot *root, const struct inv_host *host)
{
	return cv_exists(root, NU_CGROUP_MOUNT "/cpuset.cpus.isolated") ||
	       is_release_from(host->kernel, 6, 7);
}

static void read_tuning(struct cv_sysroot *root, struct inv_host *host)
{
	uint64_t ksm;

	host->has_kvm = cv_exists(root, "/dev/kvm");
	host->has_cgroup2 = cv_exists(root, NU_CGROUP_MOUNT "/cgroup.controllers");
	host->has_cpuset = file_has_word(root, NU_CGROUP_MOUNT "/cgroup.controllers", "cpuset");
	host->has_cpuset_exclusive = has_cpuset_exclusive(root, host);
	host->smt_active = is_set(root, CPU_DIR "/smt/active");
	host->ksm_run = cv_read_u64(root, "/sys/kernel/mm/ksm/run", &ksm) == 0 && ksm == 1;
	host->numa_balancing = is_set(root, "/proc/sys/kernel/numa_balancing");
	host->thp_always = file_has_word(root, "/sys/kernel/mm/transparent_hugepage/enabled",
					 "[always]");
}

/* "Max locked memory         8388608              8388608              bytes" */
static uint64_t read_memlock(struct cv_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	const char *p;
	char hard[24];
	uint64_t bytes;

	if (cv_read_str(root, "/proc/self/limits", &text) < 0)
		return 0;
	p = strstr(text, "Max locked memory ");
	if (!p || sscanf(p, "Max locked memory %*s %23s", hard) != 1)
		return 0;
	if (strcmp(hard, "unlimited") == 0)
		return UINT64_MAX;
	return cv_parse_u64(hard, &bytes) == 0 ? bytes : 0;
}

void nu_host_read(struct cv_sysroot *root, bool is_noise, struct inv_host *host)
{
	_cleanup_free_ char *text = NULL;
	const char *cmdline = cv_read_str(root, "/proc/cmdline", &text) == 0 ? text : "";

	nu_copy_text(host->cmdline, sizeof(host->cmdline), cmdline, strlen(cmdline));
	nu_facts_read(root, facts, CV_ARRAY_SIZE(facts), host);
	nu_cpuinfo_read(root, host);
	nu_isolation_read(root, cmdline, host);
	nu_resctrl_info_read(root, &host->resctrl);
	read_tuning(root, host);
	host->memlock_limit = read_memlock(root);
	if (is_noise)
		nu_noise_read(root, cmdline, host);
}
