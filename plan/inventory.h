/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inventory: everything about a host that placement and audit decide on, as plain data.
 * numa/ fills CPUs, nodes and host facts, sriov/ fills PCI; plan/ only reads it. */
#ifndef CARVE_PLAN_INVENTORY_H
#define CARVE_PLAN_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/cpulist.h"
#include "base/lease.h"
#include "base/quarantine.h"

#define INV_MAX_POOLS 4
#define INV_MAX_BARS 6
#define INV_MAX_REGIONS 8
#define INV_TEXT 64
#define INV_UNKNOWN UINT64_MAX

/** struct inv_cpu - a logical CPU; ids are the kernel's, -1 where the kernel says nothing */
struct inv_cpu {
	int id;
	int node;
	int package;
	int die;
	int core;   /* index of the physical core in inventory order, unique on the host */
	int thread; /* 0 for the first SMT sibling, 1 for the next */
	int l3;	    /* index of the L3 in inventory order, -1 without L3 */
	int l2;
	int kind; /* hybrid machines: 0 for the fastest kind of core, 1 for the next; else 0 */
	bool is_isolated; /* isolcpus= or an isolated cpuset partition */
	bool is_nohz_full;
	bool is_rcu_nocbs;
	int irqs; /* host interrupts delivered here (effective affinity), -1 not read */
};

/** struct inv_caches - bytes of one cache of each level, as CPU 0 has them; 0 unknown */
struct inv_caches {
	uint64_t l1d, l1i, l2, l3;
};

/** struct inv_pool - huge pages of one size on one node */
struct inv_pool {
	uint64_t page_size; /* bytes */
	uint64_t total;	    /* pages, with surplus */
	uint64_t free;
	uint64_t surplus;
};

struct inv_node {
	int id;
	struct cv_cpuset cpus; /* online */
	uint64_t mem_total;    /* bytes */
	uint64_t mem_free;
	uint64_t obtainable;  /* bytes: free, or held by what the kernel can drop or write back */
	uint64_t free_blocks; /* bytes free in blocks of 2 MiB and more, INV_UNKNOWN not read */
	struct inv_pool pools[INV_MAX_POOLS];
	size_t n_pools;
	int *distances; /* SLIT, one per node in inventory order; owned */
};

struct inv_bar {
	uint64_t size;	    /* bytes, 0: not implemented */
	uint64_t address;   /* on the host's bus, 0: the firmware found no room */
	uint64_t resizable; /* Resizable BAR (PCIe Base 6.0 section 7.8.6): bit n: 2^(20 + n) bytes */
	bool is_64bit;
	bool is_prefetchable;
	bool is_io;
};

/** enum inv_port - PCIe device/port type (PCIe Base 6.0 section 7.5.3.2), or conventional PCI */
enum inv_port {
	INV_PORT_ENDPOINT,
	INV_PORT_ROOT_ENDPOINT, /* root complex integrated endpoint */
	INV_PORT_ROOT,
	INV_PORT_UPSTREAM,
	INV_PORT_DOWNSTREAM,
	INV_PORT_BRIDGE,       /* PCIe-PCI or conventional bridge */
	INV_PORT_CONVENTIONAL, /* no PCIe capability */
};

/** struct inv_link - PCIe link; speed in units of 0.1 GT/s (25 = 2.5 GT/s), 0 unknown */
struct inv_link {
	unsigned int speed, width;	   /* now */
	unsigned int max_speed, max_width; /* capability */
};

/** struct inv_sriov - SR-IOV of a PF (SR-IOV 1.1 section 3.3); total 0: not a PF */
struct inv_sriov {
	unsigned int total;
	unsigned int num;
	unsigned int offset; /* First VF Offset as it stands now (depends on num on some devices) */
	unsigned int stride;
	uint16_t vf_device;
	bool autoprobe;
	struct inv_bar vf_bars[INV_MAX_BARS]; /* of one VF */
};

/** enum inv_holder - who uses a device on the host; see inv_dev.holder */
enum inv_holder_kind {
	INV_HOLDER_NONE,
	INV_HOLDER_MOUNT,   /* block device mounted, swap, or held by md/dm */
	INV_HOLDER_NETDEV,  /* interface up with an address, a route, a bridge or a bond */
	INV_HOLDER_PROCESS, /* open file descriptor of a device node */
	INV_HOLDER_FOREIGN, /* bound to vfio-pci, uio or pci-stub by somebody else */
};

/** struct inv_dev - one PCI function; arrays are in BDF order */
struct inv_dev {
	struct cv_bdf bdf;
	int parent;    /* index of the upstream bridge, -1 on a root bus */
	char root[16]; /* host bridge, "pci0000:40" */
	uint16_t vendor, device, subvendor, subdevice;
	uint32_t class; /* 24 bits: base, sub, interface */
	enum inv_port port;
	char driver[INV_TEXT]; /* "" unbound */
	char driver_override[INV_TEXT];
	int group; /* IOMMU group, -1 without IOMMU */
	int node;  /* NUMA node, -1 unknown: never read as 0 */
	struct inv_bar bars[INV_MAX_BARS];
	struct inv_link link;
	char reset_methods[INV_TEXT]; /* "flr bus", "" none */
	bool is_reset_limited;	      /* VFIO may reset it by reset_allowed only, which is less */
	char reset_allowed[INV_TEXT]; /* as reset_method wants them, "" none */
	const char *reset_why;	  /* every reset by VFIO would be its end: how; constant; NULL */
	const char *reset_source; /* where that is written */
	bool has_acs;		  /* an ACS capability (PCIe Base 6.0 section 7.7.11) */
	uint16_t acs_cap;	  /* what it can do: the bits that acs_ctrl can have */
	uint16_t acs_ctrl;	  /* ACS control bits as set */
	bool has_ats, ats_enabled;
	bool has_pasid, pasid_enabled;
	bool is_multifunction;
	bool is_unreadable; /* config space reads all ones */
	bool is_shallow; /* only address, tree, class, ids and group were read: see sriov/inventory.h */
	struct inv_sriov sriov;
	int pf;	      /* VF: index of its PF, else -1 */
	int vf_index; /* VF: number below its PF, else -1 */
	char netdev[INV_TEXT];
	bool net_up, net_carrier;
	bool has_d3cold;   /* the kernel may cut its power: d3cold_allowed is there */
	bool is_switchdev; /* PF: its VFs are ports of a switch that is managed by others */
	char name[96];	   /* pci.ids names, "" unknown */
	char serial[INV_TEXT];
	enum inv_holder_kind holder_kind;
	char holder[160]; /* plain words: "/dev/nvme0n1p1 mounted on /scratch" */
	bool is_quarantined;
	char quarantine[160]; /* reason */
	bool is_silent;	      /* it did not answer in time: in quarantine, but has no entry there */
};

/** struct inv_region - IOVAs a group must not use for memory; @end is the last byte */
struct inv_region {
	uint64_t start, end;
	char type[24]; /* direct, direct-relaxable, msi, reserved */
};

/** struct inv_group - an IOMMU group; members are the devices that name it */
struct inv_group {
	int id;
	char domain[24]; /* DMA, DMA-FQ, identity; "" not read */
	struct inv_region regions[INV_MAX_REGIONS];
	size_t n_regions;
};

/** struct inv_partition - a cpuset partition (cgroup v2) that somebody made */
struct inv_partition {
	char path[128]; /* below the cgroup mount: "/carve/vm0" */
	struct cv_cpuset cpus;
	bool is_isolated;
};

/**
 * struct inv_noise - what disturbs a pinned guest; read for the audit only (@is_read)
 *
 * Texts are "" and numbers -1 where the kernel shows nothing.
 */
struct inv_noise {
	bool is_read;
	struct cv_cpuset workqueue;   /* /sys/devices/virtual/workqueue/cpumask: unbound work */
	struct cv_cpuset irq_default; /* /proc/irq/default_smp_affinity */
	bool irqbalance;	      /* runs */
	char idle_driver[INV_TEXT];   /* cpuidle */
	char idle_deepest[INV_TEXT];  /* name of the deepest enabled idle state of CPU 0 */
	int idle_latency_us;	      /* its exit latency */
	char thp_defrag[INV_TEXT];    /* the chosen word */
	char nx_huge_pages[INV_TEXT]; /* kvm parameter as it prints */
	int halt_poll_ns;
	int ple_gap;	       /* kvm_intel, or pause_filter_count of kvm_amd */
	char apicv[INV_TEXT];  /* kvm_intel enable_apicv, kvm_amd avic */
	char kvmclock_sync[8]; /* kvm kvmclock_periodic_sync */
	int dma_entry_limit;   /* vfio_iommu_type1 */
	int zone_reclaim_mode;
	int stat_interval; /* vm.stat_interval, seconds */
	int nmi_watchdog;
	int timer_migration;
	int compaction_proactiveness;
	int swappiness;
	char clocksource[INV_TEXT];
	char mitigations[INV_TEXT]; /* the word after mitigations= on the command line */
};

/** struct inv_resctrl - cache and memory bandwidth allocation (Documentation/arch/x86/resctrl.rst) */
struct inv_resctrl {
	bool is_mounted;
	bool has_l3, has_mb;
	uint64_t l3_mask;	      /* cbm_mask */
	unsigned int l3_min_bits;     /* min_cbm_bits */
	unsigned int l3_closids;      /* groups that can exist */
	unsigned int mb_min, mb_step; /* percent */
};

enum inv_iommu { INV_IOMMU_NONE, INV_IOMMU_INTEL, INV_IOMMU_AMD, INV_IOMMU_ARM, INV_IOMMU_OTHER };

/** struct inv_host - facts of the node, each read by its effect */
struct inv_host {
	char kernel[INV_TEXT];
	char boot_id[40];
	char cpu_vendor[INV_TEXT];
	char cpu_model[INV_TEXT];
	int cpu_family, cpu_model_id; /* CPUID, -1 unknown */
	unsigned int phys_bits;	      /* physical address bits of the CPU, 0 unknown */
	struct inv_caches caches;
	char cmdline[1024];
	char container[INV_TEXT]; /* not used to decide, only shown */
	enum inv_iommu iommu;
	int n_iommu_groups;
	char iommu_domain[INV_TEXT]; /* default domain type of the first group: DMA, DMA-FQ, identity */
	bool has_intremap;	     /* interrupt remapping in effect */
	bool unsafe_interrupts;	     /* vfio_iommu_type1 allow_unsafe_interrupts=Y */
	bool has_kvm;		     /* /dev/kvm is there */
	bool has_virt;		     /* svm or vmx among the CPU flags */
	bool has_npt;		     /* npt or ept */
	bool has_vfio_container;     /* /dev/vfio/vfio is there */
	bool has_vfio_pci;	     /* module loaded, built in or on disk */
	bool has_iommufd;
	bool has_cgroup2;	   /* cgroup v2 mounted on /sys/fs/cgroup */
	bool has_cpuset;	   /* cpuset among the root's controllers */
	bool has_cpuset_exclusive; /* the kernel has cpuset.cpus.exclusive (Linux 6.7) */
	bool smt_active;
	bool ksm_run;
	bool numa_balancing;
	bool thp_always;
	char governor[INV_TEXT]; /* cpufreq of CPU 0, "" none */
	uint64_t memlock_limit;	 /* bytes, hard limit of this process, UINT64_MAX unlimited */
	struct cv_cpuset online, isolated, nohz_full, rcu_nocbs;
	struct inv_noise noise;
	struct inv_resctrl resctrl;
};

/**
 * struct inventory - all of it; release with inventory_done()
 * @cpus:    by id
 * @nodes:   by id; distances index this array
 * @devs:    by BDF
 * @groups:  by id; those of functions that are not shallow
 * @by_group: indices of devices in a group, by group and then index; see inv_index_groups()
 * @partitions: by path
 * @leases:  of this boot, by name
 */
struct inventory {
	struct inv_host host;
	struct inv_cpu *cpus;
	size_t n_cpus;
	struct inv_node *nodes;
	size_t n_nodes;
	struct inv_dev *devs;
	size_t n_devs;
	struct inv_group *groups;
	size_t n_groups;
	int *by_group;
	size_t n_by_group;
	struct inv_partition *partitions;
	size_t n_partitions;
	struct cv_lease *leases;
	size_t n_leases;
};

void inventory_done(struct inventory *inv);
#define _cleanup_inventory_ __attribute__((cleanup(inventory_done)))

/** inv_find_dev() - Return: index of the device at @bdf, or -1. */
int inv_find_dev(const struct inventory *inv, struct cv_bdf bdf);
/** inv_find_cpu() - Return: index in @inv->cpus of kernel CPU @id, or -1. */
int inv_find_cpu(const struct inventory *inv, int id);
/** inv_find_node() - Return: index in @inv->nodes of node @id, or -1. */
int inv_find_node(const struct inventory *inv, int id);
/** inv_find_pool() - Return: the pool of @page_size on a node, or NULL. */
const struct inv_pool *inv_find_pool(const struct inv_node *node, uint64_t page_size);
/** inv_find_group() - Return: the IOMMU group @id, or NULL. */
const struct inv_group *inv_find_group(const struct inventory *inv, int id);
/** inv_is_bridge() - true for root, up- and downstream ports and bridges. */
bool inv_is_bridge(const struct inv_dev *d);
/** inv_device_lease() - Return: the lease that holds a device, or NULL. */
const struct cv_lease *inv_device_lease(const struct inventory *inv, struct cv_bdf bdf);
/** inv_class_name() - short class word for people and specs: "gpu" "net" "nvme" "bridge" ... */
const char *inv_class_name(const struct inv_dev *d);
/** inv_is_bmc_display() - the display of a management controller: of class "gpu", and none. */
bool inv_is_bmc_display(const struct inv_dev *d);

/**
 * inv_vf_bdf() - address a VF has or will have (SR-IOV 1.1 section 2.1.2)
 * Return: 0, -ERANGE when @vf_index >= total or offset/stride are unknown (0).
 */
int inv_vf_bdf(const struct inv_dev *pf, unsigned int vf_index, struct cv_bdf *ret);

/**
 * inv_group_blockers() - other functions that make a device's group not viable for VFIO
 *
 * Bridges and functions on vfio-pci do not count (Documentation/driver-api/vfio.rst, "viable"); a
 * function without driver does count here: it would go to the guest's reach unseen.
 * For a VF that does not exist yet pass its PF and @is_future_vf: the group is predicted from the
 * ports above the PF: a port without ACS puts the VF into the PF's group.
 * Return: number of blockers; the first @max indices are written to @ret.
 */
size_t inv_group_blockers(const struct inventory *inv, int dev, bool is_future_vf, int *ret,
			  size_t max);

/**
 * inv_index_groups() - makes inv_group_blockers() fast on a host of many functions; to be called again
 * after a device or its group changed. Without it everything works, by a walk over all devices.
 * Return: 0, -ENOMEM.
 */
int inv_index_groups(struct inventory *inv);

/** inventory_json() - the body of "carve topo --json" (docs/formats/topo.md). New ref or NULL. */
struct json_t *inventory_json(const struct inventory *inv);

#endif
