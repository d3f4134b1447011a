// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/audit_checks.h"

#define HOST(member) .offset = offsetof(struct inv_host, member)

static const struct audit_flag virt = {
	.check = "virt",
	HOST(has_virt),
	.want = true,
	.bad = AUDIT_FAIL,
	.evidence = { "/proc/cpuinfo: neither svm nor vmx among the flags",
		      "/proc/cpuinfo: svm or vmx among the flags" },
	.effect = { "no guest can run", "guests run on hardware virtualisation" },
	.fix = "turn on SVM or VT-x in the firmware; in a VM, nested virtualisation of its host",
};

static const struct audit_flag npt = {
	.check = "npt",
	HOST(has_npt),
	.want = true,
	.bad = AUDIT_WARN,
	.evidence = { "/proc/cpuinfo: neither npt nor ept among the flags",
		      "/proc/cpuinfo: npt or ept among the flags" },
	.effect = { "page tables are shadowed: guests are slow",
		    "guest memory is translated by the hardware" },
	.fix = "turn on nested paging in the firmware",
};

static const struct audit_flag kvm = {
	.check = "kvm",
	HOST(has_kvm),
	.want = true,
	.bad = AUDIT_FAIL,
	.evidence = { "/dev/kvm: is not there", "/dev/kvm: is there" },
	.effect = { "no guest can run", "the kernel's hypervisor can be used" },
	.fix = "modprobe kvm-amd or kvm-intel; dmesg says why if it refuses",
};

static const struct audit_flag unsafe_interrupts = {
	.check = "unsafe-interrupts",
	HOST(unsafe_interrupts),
	.want = false,
	.bad = AUDIT_WARN,
	.evidence = { "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts: not set",
		      "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts: Y" },
	.effect = { "devices without interrupt remapping are refused",
		    "a guest's device may send any interrupt to the host" },
	.fix = "load vfio_iommu_type1 without allow_unsafe_interrupts=1",
};

static const struct audit_flag vfio_pci = {
	.check = "vfio-pci",
	HOST(has_vfio_pci),
	.want = true,
	.bad = AUDIT_FAIL,
	.evidence = { "vfio-pci: not loaded, not built in, not in /lib/modules",
		      "vfio-pci: loaded, built in or in /lib/modules" },
	.effect = { "no device can be given to a guest", "devices can be bound to vfio-pci" },
	.fix = "install a kernel with CONFIG_VFIO_PCI",
};

static const struct audit_flag iommufd = {
	.check = "iommufd",
	HOST(has_iommufd),
	.want = true,
	.bad = AUDIT_WARN,
	.evidence = { "/dev/iommu: is not there", "/dev/iommu: is there" },
	.effect = { "type1 containers are used; all works", "iommufd can be used" },
	.fix = "nothing needed; a kernel with CONFIG_IOMMUFD has it",
};

static const struct audit_flag cgroup2 = {
	.check = "cgroup2",
	HOST(has_cgroup2),
	.want = true,
	.bad = AUDIT_FAIL,
	.evidence = { "/sys/fs/cgroup: no cgroup v2 is mounted", "/sys/fs/cgroup: cgroup v2" },
	.effect = { "cores cannot be taken from the host", "cores can be taken from the host" },
	.fix = "boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 there",
};

static const struct audit_flag cpuset = {
	.check = "cpuset",
	HOST(has_cpuset),
	.want = true,
	.bad = AUDIT_FAIL,
	.evidence = { "/sys/fs/cgroup/cgroup.controllers: without cpuset",
		      "/sys/fs/cgroup/cgroup.controllers: with cpuset" },
	.effect = { "cores cannot be taken from the host", "cores can be isolated by partitions" },
	.fix = "unmount the cgroup v1 hierarchy that holds cpuset, or boot without cgroup_disable",
};

static const struct audit_flag cpuset_exclusive = {
	.check = "cpuset-exclusive",
	HOST(has_cpuset_exclusive),
	.want = true,
	.bad = AUDIT_FAIL,
	.evidence = { "Linux before 6.7, without cpuset.cpus.isolated in /sys/fs/cgroup",
		      "Linux 6.7 or later, or cpuset.cpus.isolated in /sys/fs/cgroup" },
	.effect = { "cores cannot be taken from the host",
		    "cores can be reserved for one partition" },
	.fix = "Linux 6.7 or later",
};

static const struct audit_flag *const first_flags[] = { &virt, &npt, &kvm };
static const struct audit_flag *const vfio_flags[] = { &unsafe_interrupts, &vfio_pci };
static const struct audit_flag *const last_flags[] = { &iommufd, &cgroup2, &cpuset,
						       &cpuset_exclusive };

static int add_flags(const struct audit_flag *const *flags, size_t n, const struct inventory *inv,
		     struct audit *a)
{
	for (size_t i = 0; i < n; i++) {
		int rc = audit_add_flag(flags[i], inv, a);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_first(const struct inventory *inv, struct audit *a)
{
	return add_flags(first_flags, CV_ARRAY_SIZE(first_flags), inv, a);
}

static int check_vfio(const struct inventory *inv, struct audit *a)
{
	return add_flags(vfio_flags, CV_ARRAY_SIZE(vfio_flags), inv, a);
}

static int check_last(const struct inventory *inv, struct audit *a)
{
	return add_flags(last_flags, CV_ARRAY_SIZE(last_flags), inv, a);
}

/* By its effect: a unit that is there and not in use makes no groups. */
static int check_iommu(const struct inventory *inv, struct audit *a)
{
	const struct inv_host *h = &inv->host;
	struct audit_finding *f;

	f = audit_add(a, "iommu", h->n_iommu_groups > 0 ? AUDIT_PASS : AUDIT_FAIL, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/kernel/iommu_groups: %d groups%s%s", h->n_iommu_groups,
		       h->iommu_domain[0] ? ", domains of type " : "", h->iommu_domain);
	audit_effect(f, "%s",
		     f->verdict == AUDIT_PASS ? "devices reach only the memory of their guest"
					      : "no device can be given to a guest");
	if (f->verdict != AUDIT_PASS)
		audit_fix(f, "turn on VT-d or AMD-Vi in the firmware%s",
			  h->iommu == INV_IOMMU_AMD ? "" : " and boot with intel_iommu=on");
	return 0;
}

static int check_intremap(const struct inventory *inv, struct audit *a)
{
	const struct inv_host *h = &inv->host;
	struct audit_finding *f;

	f = audit_add(a, "intremap", h->has_intremap ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "interrupt remapping is %sin effect", h->has_intremap ? "" : "not ");
	if (h->has_intremap) {
		audit_effect(f, "devices of a guest can send only their own interrupts");
		return 0;
	}
	audit_effect(f, "a device is refused unless its spec has accept: [no-intremap]");
	audit_fix(f,
		  "turn on interrupt remapping (with VT-d or AMD-Vi, x2APIC) in the firmware; boot "
		  "without intremap=off");
	return 0;
}

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

static int check_memlock(const struct inventory *inv, struct audit *a)
{
	uint64_t limit = inv->host.memlock_limit;
	char size[CV_SIZE_MAX];
	struct audit_finding *f;

	f = audit_add(a, "memlock", limit == UINT64_MAX ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	if (limit == UINT64_MAX) {
		audit_evidence(f, "RLIMIT_MEMLOCK: unlimited");
		audit_effect(f, "guests of any size can be pinned for DMA");
		return 0;
	}
	audit_evidence(f, "RLIMIT_MEMLOCK: %s", cv_format_size(limit, size));
	audit_effect(f, "carve run raises it for the VM where it is root; elsewhere larger guests "
			"cannot be pinned for DMA");
	audit_fix(f, "set memlock to unlimited in limits.conf or the unit of the job");
	return 0;
}

static int check_smt(const struct inventory *inv, struct audit *a)
{
	struct audit_finding *f = audit_add(a, "smt", AUDIT_PASS, "");

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/cpu/smt/active: %d", inv->host.smt_active);
	audit_effect(f, "%s",
		     inv->host.smt_active ? "both siblings of a core go to the same guest"
					  : "each core has one CPU");
	return 0;
}

static int check_node_memory(const struct inv_node *n, struct audit *a)
{
	char object[32];
	struct audit_finding *f;

	snprintf(object, sizeof(object), "node%d", n->id);
	f = audit_add(a, "node-memory", n->mem_total ? AUDIT_PASS : AUDIT_WARN, object);
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/node/node%d/meminfo: %llu of %llu MiB free", n->id,
		       (unsigned long long)(n->mem_free >> 20),
		       (unsigned long long)(n->mem_total >> 20));
	audit_effect(f, "%s",
		     n->mem_total ? "guests can have memory near its cores"
				  : "guests on its cores would have remote memory only");
	if (!n->mem_total)
		audit_fix(f, "fill the memory slots of this socket, or do not use the node");
	return 0;
}

static uint64_t describe_pools(const struct inv_node *n, char *buf, size_t size)
{
	uint64_t free_pages = 0;
	char unit[CV_SIZE_MAX];
	size_t len = 0;

	snprintf(buf, size, "none");
	for (size_t i = 0; i < n->n_pools && len < size; i++) {
		const struct inv_pool *p = &n->pools[i];

		free_pages += p->free;
		len += (size_t)snprintf(buf + len, size - len, "%s%llu of %llu x %s free",
					len ? ", " : "", (unsigned long long)p->free,
					(unsigned long long)p->total,
					cv_format_size(p->page_size, unit));
	}
	return free_pages;
}

static int check_hugepages(const struct inv_node *n, struct audit *a)
{
	char object[32], pools[160];
	uint64_t free_pages = describe_pools(n, pools, sizeof(pools));
	struct audit_finding *f;

	snprintf(object, sizeof(object), "node%d", n->id);
	f = audit_add(a, "hugepages", free_pages ? AUDIT_PASS : AUDIT_WARN, object);
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/node/node%d/hugepages: %s", n->id, pools);
	if (free_pages) {
		audit_effect(f, "guests start with pages that are already there");
		return 0;
	}
	audit_effect(f, "pages are reserved when a guest starts; fragmented memory may refuse, 1G "
			"pages above all");
	audit_fix(f, "reserve them at boot: hugepagesz=1G hugepages=%d:N", n->id);
	return 0;
}

static int check_nodes(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < inv->n_nodes; i++) {
		int rc = check_hugepages(&inv->nodes[i], a);

		if (!rc)
			rc = check_node_memory(&inv->nodes[i], a);
		if (rc)
			return rc;
	}
	return 0;
}

static int (*const host_checks[])(const struct inventory *inv, struct audit *a) = {
	check_first, check_iommu, check_intremap, check_vfio, check_container,
	check_last,  check_nodes, check_memlock,  check_smt,
};

int audit_host(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(host_checks); i++) {
		int rc = host_checks[i](inv, a);

		if (rc)
			return rc;
	}
	return 0;
}
