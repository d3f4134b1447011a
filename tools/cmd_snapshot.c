// SPDX-License-Identifier: GPL-2.0-or-later
/* carve snapshot: this host as a text file, for a bug report or a test. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/manifest.h"
#include "numa/binding.h"
#include "numa/partition.h"
#include "numa/resctrl_info.h"
#include "tools/capture_view.h"
#include "tools/cmd.h"

#define MANIFEST_NAME "manifest.sysroot"
#define CPU_DIR "/sys/devices/system/cpu"
#define NODE_DIR "/sys/devices/system/node"
#define FUNCTION "/sys/bus/pci/devices/*"

/* All that numa/, sriov/ and the state directories read for topo, audit and plan; lstopo gets what it
 * would find of CPUs and memory, to compare. */
static const struct cv_capture patterns[] = {
	{ "/dev/iommu", 0 },
	{ "/dev/kvm", 0 },
	{ "/dev/vfio", 1 },
	{ "/etc/carve/carve.yaml", 0 },
	{ "/etc/carve/conf.d", 1 },
	{ "/lib/modules/*/modules.builtin", 0 },
	{ "/lib/modules/*/modules.dep", 0 },
	{ "/proc/*/comm", 0 },
	{ "/proc/*/fd/*", 0 },
	{ "/proc/1/mountinfo", 0 },
	{ "/proc/buddyinfo", 0 },
	{ "/proc/cmdline", 0 },
	{ "/proc/cpuinfo", 0 },
	{ "/proc/interrupts", 0 },
	{ "/proc/irq/*/effective_affinity_list", 0 },
	{ "/proc/irq/default_smp_affinity", 0 },
	{ "/proc/meminfo", 0 },
	{ "/proc/net/if_inet6", 0 },
	{ "/proc/net/route", 0 },
	{ "/proc/self/limits", 0 },
	{ "/proc/self/mountinfo", 0 },
	{ "/proc/swaps", 0 },
	{ "/proc/sys/kernel/nmi_watchdog", 0 },
	{ "/proc/sys/kernel/numa_balancing", 0 },
	{ "/proc/sys/kernel/osrelease", 0 },
	{ "/proc/sys/kernel/random/boot_id", 0 },
	{ "/proc/sys/kernel/timer_migration", 0 },
	{ "/proc/sys/vm/compaction_proactiveness", 0 },
	{ "/proc/sys/vm/stat_interval", 0 },
	{ "/proc/sys/vm/swappiness", 0 },
	{ "/proc/sys/vm/zone_reclaim_mode", 0 },
	{ "/run/carve/leases", 1 },
	{ "/run/carve/operations/*/*", 0 },
	{ "/run/carve/vm/*/*", 0 },
	{ "/run/systemd/container", 0 },
	{ "/sys/bus/pci/drivers/vfio-pci", 0 },
	{ FUNCTION, 0 },
	{ FUNCTION "/*", 0 },
	{ FUNCTION "/net/*", 0 },
	{ "/sys/class/block/*", 0 },
	{ "/sys/class/block/*/dev", 0 },
	{ "/sys/class/block/*/holders/*", 0 },
	{ "/sys/class/drm/*", 0 },
	{ "/sys/class/infiniband_mad/*", 0 },
	{ "/sys/class/infiniband_verbs/*", 0 },
	{ "/sys/class/iommu/*", 0 },
	{ "/proc/driver/nvidia/gpus/*/information", 0 },
	{ "/sys/class/net/*", 0 },
	{ "/sys/class/net/*/carrier", 0 },
	{ "/sys/class/net/*/flags", 0 },
	{ "/sys/class/net/*/master", 0 },
	{ "/sys/class/net/*/phys_port_name", 0 },
	{ "/sys/class/net/*/phys_switch_id", 0 },
	{ "/sys/class/net/*/upper_*", 0 },
	{ "/sys/class/nvme-generic/*", 0 },
	{ "/sys/class/nvme-subsystem/*/*", 0 },
	{ "/sys/class/nvme/*", 0 },
	{ "/sys/class/uio/*", 0 },
	{ "/sys/class/vfio-dev/*", 0 },
	{ CPU_DIR "/*/cache", 2 },
	{ CPU_DIR "/*/cpu_capacity", 0 },
	{ CPU_DIR "/*/online", 0 },
	{ CPU_DIR "/*/topology", 1 },
	{ CPU_DIR "/cpu0/cpufreq/scaling_governor", 0 },
	{ CPU_DIR "/cpu0/cpuidle/*/disable", 0 },
	{ CPU_DIR "/cpu0/cpuidle/*/latency", 0 },
	{ CPU_DIR "/cpu0/cpuidle/*/name", 0 },
	{ CPU_DIR "/cpuidle/current_driver", 0 },
	{ CPU_DIR "/isolated", 0 },
	{ CPU_DIR "/nohz_full", 0 },
	{ CPU_DIR "/online", 0 },
	{ CPU_DIR "/possible", 0 },
	{ CPU_DIR "/present", 0 },
	{ CPU_DIR "/smt/active", 0 },
	{ NODE_DIR "/*/cpulist", 0 },
	{ NODE_DIR "/*/cpumap", 0 },
	{ NODE_DIR "/*/distance", 0 },
	{ NODE_DIR "/*/hugepages", 2 },
	{ NODE_DIR "/*/meminfo", 0 },
	{ NODE_DIR "/online", 0 },
	{ NODE_DIR "/possible", 0 },
	{ "/sys/devices/cpu_atom/cpus", 0 },
	{ "/sys/devices/cpu_core/cpus", 0 },
	{ "/sys/devices/cpu_lowpower/cpus", 0 },
	{ "/sys/devices/system/clocksource/clocksource0/current_clocksource", 0 },
	{ "/sys/devices/virtual/workqueue/cpumask", 0 },
	{ NU_CGROUP_MOUNT, NU_PARTITION_DEPTH + 1 },
	{ NU_CGROUP_MOUNT "/cgroup.controllers", 0 },
	{ NU_CGROUP_MOUNT "/cpuset.cpus.isolated", 0 },
	{ NU_RESCTRL_MOUNT "/info", 2 },
	{ NU_RESCTRL_MOUNT "/schemata", 0 },
	{ "/sys/kernel/iommu_groups/*", 0 },
	{ "/sys/kernel/iommu_groups/*/reserved_regions", 0 },
	{ "/sys/kernel/iommu_groups/*/type", 0 },
	{ "/sys/kernel/irq/*/actions", 0 },
	{ "/sys/kernel/irq/*/chip_name", 0 },
	{ "/sys/kernel/mm/hugepages", 2 },
	{ "/sys/kernel/mm/ksm/run", 0 },
	{ "/sys/kernel/mm/transparent_hugepage/defrag", 0 },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", 0 },
	{ "/sys/module/kvm/parameters/halt_poll_ns", 0 },
	{ "/sys/module/kvm/parameters/kvmclock_periodic_sync", 0 },
	{ "/sys/module/kvm/parameters/nx_huge_pages", 0 },
	{ "/sys/module/kvm_amd/parameters/avic", 0 },
	{ "/sys/module/kvm_amd/parameters/pause_filter_count", 0 },
	{ "/sys/module/kvm_intel/parameters/enable_apicv", 0 },
	{ "/sys/module/kvm_intel/parameters/ple_gap", 0 },
	{ "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", 0 },
	{ "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit", 0 },
	{ "/var/lib/carve/quarantine", 1 },
};

static int create_manifest(struct cmd *c, const char *path, FILE **ret)
{
	int fd;

	if (mkdir(c->args[0], 0755) < 0 && errno != EEXIST)
		return cv_fail_errno(&c->err, -errno, c->args[0], "cannot make the directory");
	/* Never over an older snapshot: a bug report is worth more than a repetition. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return cv_fail_errno(&c->err, -errno, path, "cannot create the manifest");
	*ret = fdopen(fd, "w");
	if (*ret)
		return 0;
	close(fd);
	return cv_fail_errno(&c->err, -ENOMEM, path, "cannot create the manifest");
}

static int capture(struct cmd *c, FILE *out)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *view = NULL;
	int r = capture_view_open(c->root, &view, &c->err);

	if (r < 0)
		return r;
	return cv_manifest_capture(view, patterns, CV_ARRAY_SIZE(patterns), out, &c->err);
}

static int run_snapshot(struct cmd *c)
{
	_cleanup_fclose_ FILE *out = NULL;
	char path[CV_PATH_MAX];
	int n, r;

	if (c->dry_run) {
		cmd_print("would write %s/" MANIFEST_NAME "\n", c->args[0]);
		return 0;
	}
	if (!cv_pathf(path, "%s/" MANIFEST_NAME, c->args[0])[0])
		return cv_fail_errno(&c->err, -ENAMETOOLONG, c->args[0], "cannot use this path");
	r = create_manifest(c, path, &out);
	if (r < 0)
		return r;
	n = capture(c, out);
	if (n < 0) {
		unlink(path);
		return n;
	}
	if (geteuid() != 0)
		cmd_note(c, "not root: a PCI function shows 64 bytes of its config space only");
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:s,s:i}", "carve_snapshot", 1, "manifest",
						   path, "entries", n));
	cmd_print("%s: %d entries; carve topo --sysroot %s\n", path, n, c->args[0]);
	return 0;
}

const struct cmd_verb cmd_snapshot = {
	.name = "snapshot",
	.args = "DIR",
	.summary = "write what carve reads of this host to DIR, for --sysroot and bug reports",
	.min_args = 1,
	.max_args = 1,
	.complete = "file",
	.run = run_snapshot,
};
