// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

#define HOST(member) .offset = offsetof(struct inv_host, member)

static const struct audit_flag flags[] = {
	{
		.check = "ksm",
		HOST(ksm_run),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { "/sys/kernel/mm/ksm/run: 0", "/sys/kernel/mm/ksm/run: 1" },
		.effect = { "no page scanning", "ksmd scans memory and takes time from cores" },
		.fix = "echo 2 > /sys/kernel/mm/ksm/run",
	},
	{
		.check = "numa-balancing",
		HOST(numa_balancing),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { "/proc/sys/kernel/numa_balancing: 0",
			      "/proc/sys/kernel/numa_balancing: 1" },
		.effect = { "pages stay where they are bound",
			    "the kernel unmaps pages to see who uses them: faults in the VMM" },
		.fix = "sysctl kernel.numa_balancing=0",
	},
	{
		.check = "thp",
		HOST(thp_always),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { "/sys/kernel/mm/transparent_hugepage/enabled: not always",
			      "/sys/kernel/mm/transparent_hugepage/enabled: always" },
		.effect = { "huge pages are used where asked for",
			    "khugepaged compacts memory and takes time from cores" },
		.fix = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
	},
};

static int check_governor(const struct inventory *inv, struct audit *a)
{
	static const char path[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
	const char *governor = inv->host.governor;
	bool is_good = !governor[0] || !strcmp(governor, "performance");
	struct audit_finding *f;

	f = audit_add(a, "governor", is_good ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s: %s", path, governor[0] ? governor : "is not there");
	audit_effect(f, "%s",
		     is_good ? "the kernel does not slow cores down"
			     : "cores of a guest change speed with their load");
	if (!is_good)
		audit_fix(f, "cpupower frequency-set -g performance");
	return 0;
}

static int check_nohz_full(const struct inventory *inv, struct audit *a)
{
	bool is_empty = cv_cpuset_is_empty(&inv->host.nohz_full);
	struct audit_finding *f = audit_add(a, "nohz-full", is_empty ? AUDIT_WARN : AUDIT_PASS, "");

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/cpu/nohz_full: %d CPUs",
		       cv_cpuset_count(&inv->host.nohz_full));
	audit_effect(f, "%s",
		     is_empty ? "the timer tick interrupts every vCPU"
			      : "vCPUs on these CPUs run without timer tick");
	if (is_empty)
		audit_fix(f, "boot with nohz_full= and rcu_nocbs= for the cores of guests");
	return 0;
}

int audit_noise(const struct inventory *inv, struct audit *a)
{
	int rc;

	for (size_t i = 0; i < CV_ARRAY_SIZE(flags); i++) {
		rc = audit_add_flag(&flags[i], inv, a);
		if (rc)
			return rc;
	}
	rc = check_governor(inv, a);
	return rc ? rc : check_nohz_full(inv, a);
}
