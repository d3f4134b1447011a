// SPDX-License-Identifier: GPL-2.0-or-later
/* What a node must have before any guest can run on it. */
#include <errno.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

#define HOST(member) .offset = offsetof(struct inv_host, member)

static const struct audit_flag x86_flags[] = {
	{
		.check = "virt",
		HOST(has_virt),
		.want = true,
		.bad = AUDIT_FAIL,
		.evidence = { "/proc/cpuinfo: neither svm nor vmx among the flags",
			      "/proc/cpuinfo: svm or vmx among the flags" },
		.effect = { "no guest can run", "guests run on hardware virtualisation" },
		.fix = "turn on SVM or VT-x in the firmware; in a VM, nested virtualisation of its host",
		.change = { AUDIT_FIRMWARE, .value = "virtualisation (SVM or VT-x): enabled" },
	},
	{
		.check = "npt",
		HOST(has_npt),
		.want = true,
		.bad = AUDIT_WARN,
		.evidence = { "/proc/cpuinfo: neither npt nor ept among the flags",
			      "/proc/cpuinfo: npt or ept among the flags" },
		.effect = { "page tables are shadowed: guests are slow",
			    "guest memory is translated by the hardware" },
		.fix = "turn on nested paging in the firmware",
		.change = { AUDIT_FIRMWARE, .value = "nested paging (NPT or EPT): enabled" },
	},
};

static const struct audit_flag flags[] = {
	{
		.check = "kvm",
		HOST(has_kvm),
		.want = true,
		.bad = AUDIT_FAIL,
		.evidence = { "/dev/kvm: is not there", "/dev/kvm: is there" },
		.effect = { "no guest can run", "the kernel's hypervisor can be used" },
		.fix = "modprobe kvm-amd or kvm-intel; dmesg says why if it refuses",
	},
	{
		.check = "vfio-pci",
		HOST(has_vfio_pci),
		.want = true,
		.bad = AUDIT_FAIL,
		.evidence = { "vfio-pci: not loaded, not built in, not in /lib/modules",
			      "vfio-pci: loaded, built in or in /lib/modules" },
		.effect = { "no device can be given to a guest",
			    "devices can be bound to vfio-pci" },
		.fix = "install a kernel with CONFIG_VFIO_PCI",
	},
	{
		.check = "iommufd",
		HOST(has_iommufd),
		.want = true,
		.bad = AUDIT_WARN,
		.evidence = { "/dev/iommu: is not there", "/dev/iommu: is there" },
		.effect = { "type1 containers are used; all works",
			    "type1 containers are used here, too: every kernel has them" },
		.fix = "nothing needed; a kernel with CONFIG_IOMMUFD has it",
	},
	{
		.check = "cgroup2",
		HOST(has_cgroup2),
		.want = true,
		.bad = AUDIT_FAIL,
		.evidence = { "/sys/fs/cgroup: no cgroup v2 is mounted",
			      "/sys/fs/cgroup: cgroup v2" },
		.effect = { "cores cannot be taken from the host",
			    "cores can be taken from the host" },
		.fix = "boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 there",
		.change = { AUDIT_CMDLINE, .value = "systemd.unified_cgroup_hierarchy=1" },
	},
	{
		.check = "cpuset",
		HOST(has_cpuset),
		.want = true,
		.bad = AUDIT_FAIL,
		.evidence = { "/sys/fs/cgroup/cgroup.controllers: without cpuset",
			      "/sys/fs/cgroup/cgroup.controllers: with cpuset" },
		.effect = { "cores cannot be taken from the host",
			    "cores can be isolated by partitions" },
		.fix = "unmount the cgroup v1 hierarchy that holds cpuset, or boot without "
		       "cgroup_disable",
	},
	{
		.check = "cpuset-exclusive",
		HOST(has_cpuset_exclusive),
		.want = true,
		.bad = AUDIT_FAIL,
		.evidence = { "Linux before 6.7, without cpuset.cpus.isolated in /sys/fs/cgroup",
			      "Linux 6.7 or later, or cpuset.cpus.isolated in /sys/fs/cgroup" },
		.effect = { "cores cannot be taken from the host",
			    "cores can be reserved for one partition" },
		.fix = "Linux 6.7 or later",
	},
};

/* The node appears with the vfio module: missing alone it stops nothing. */
static int check_container(const struct inventory *inv, struct audit *a)
{
	const struct inv_host *h = &inv->host;
	enum audit_verdict bad = h->has_vfio_pci ? AUDIT_WARN : AUDIT_FAIL;
	struct audit_finding *f;

	f = audit_add(a, "vfio-container", h->has_vfio_container ? AUDIT_PASS : bad, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/dev/vfio/vfio: is %sthere", h->has_vfio_container ? "" : "not ");
	if (h->has_vfio_container) {
		audit_effect(f, "type1 containers can be used");
		return 0;
	}
	audit_effect(f, "%s",
		     h->has_vfio_pci ? "appears when the vfio module is loaded"
				     : "no device can be given to a guest");
	audit_fix(f, "modprobe vfio-pci");
	return 0;
}

int audit_host(const struct inventory *inv, struct audit *a)
{
	int rc = 0;

	/* Arm has no such flags: there /dev/kvm tells all */
	if (inv->host.iommu != INV_IOMMU_ARM)
		rc = audit_add_flags(x86_flags, CV_ARRAY_SIZE(x86_flags), inv, a);
	if (!rc)
		rc = audit_add_flags(flags, CV_ARRAY_SIZE(flags), inv, a);
	return rc ? rc : check_container(inv, a);
}
