/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plan: every pin, page, device, host write, guest table and reason of one guest, as data.
 * Serialised to JSON (docs/formats/plan.md); everything after planning executes or projects it. */
#ifndef CARVE_PLAN_PLAN_H
#define CARVE_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/cpulist.h"
#include "base/error.h"
#include "base/step.h"
#include "base/strv.h"
#include "plan/guest_limits.h"

#define PLAN_VERSION 1
#define PLAN_MAX_NODES 16
#define PLAN_RT_MAX 98 /* real-time priority; 99 is for threads of the kernel (migration) */

/* AMD systems reserve IOVAs for HyperTransport: 0xfd_0000_0000-0xff_ffff_ffff (AMD IOMMU
 * specification 48882, section 2.1.2): no memory and no BAR of a guest may lie there. */
#define PLAN_AMD_HOLE_START 0xfd00000000ULL
#define PLAN_AMD_HOLE_END 0x10000000000ULL

/** struct plan_vcpu - vCPU number = index; guest topology ids as the guest shall see them */
struct plan_vcpu {
	int host_cpu;
	int guest_node, package, die, core, thread, l3; /* core, l3: unique within the guest */
};

struct plan_caches {
	uint64_t l1d, l1i, l2, l3; /* bytes of one cache, 0 unknown */
};

/** struct plan_node - one guest NUMA node */
struct plan_node {
	int host_node;
	uint64_t memory; /* bytes */
	uint64_t page_size;
	uint64_t pages;
	struct cv_cpuset vcpus;
	int distances[PLAN_MAX_NODES];
};

enum plan_port {
	PLAN_HOST_BRIDGE, /* one per guest node with devices (QEMU: pxb-pcie) */
	PLAN_ROOT_PORT,
	PLAN_SWITCH_UP,
	PLAN_SWITCH_DOWN,
};

/** plan_port_words - names of enum plan_port: "host-bridge" "root-port" "switch-up" "switch-down" */
#define PLAN_PORTS 4
extern const char *const plan_port_words[PLAN_PORTS];

/**
 * struct plan_bridge - a host bridge or port of the guest's PCIe tree
 *
 * Parents come before children. A switch of the host is shown with each of its levels that lead to a
 * device of the guest: devices below one host switch are below one guest switch.
 */
struct plan_bridge {
	char id[32]; /* "pxb0", "rp0", "up0", "dn0" */
	enum plan_port kind;
	int parent; /* index into bridges, -1: a host bridge */
	int guest_node;
	uint8_t bus; /* the bus below it: root bus of a host bridge, secondary bus of a port */
	struct cv_bdf bdf;  /* port: its guest address */
	struct cv_bdf host; /* the port of the host that it stands for, when @has_host */
	bool has_host;
	unsigned int link_speed, link_width; /* of the host's port; 0.1 GT/s, lanes; 0 unknown */
};

enum plan_range_kind {
	PLAN_RAM,
	PLAN_MMIO32,   /* below 4 GiB: BARs of 32 bits, ECAM, interrupt controllers */
	PLAN_MMIO64,   /* window of a host bridge for 64-bit BARs */
	PLAN_RESERVED, /* IOVAs that the host reserves: neither memory nor BAR may lie there */
};

/** plan_range_words - names of enum plan_range_kind: "ram" "mmio32" "mmio64" "reserved" */
#define PLAN_RANGE_KINDS 4
extern const char *const plan_range_words[PLAN_RANGE_KINDS];

/** struct plan_range - a part of guest physical address space; ranges ascend and do not overlap */
struct plan_range {
	enum plan_range_kind kind;
	uint64_t start, size;
	int guest_node; /* RAM, MMIO64; else -1 */
	char why[48];	/* "node 0", "msi", "AMD HyperTransport" */
};

/** struct plan_device - one passed-through function */
struct plan_device {
	char id[32]; /* from the spec */
	struct cv_bdf host;
	struct cv_bdf guest;
	int bridge; /* index into bridges: the port it sits behind */
	int host_node;
	int guest_node;
	bool is_vf;
	bool is_new; /* the VF does not exist yet: created by a step */
	struct cv_bdf pf;
	int vf_index;
	uint16_t vendor, device; /* as the guest will see them */
	uint32_t class;		 /* 24 bits */
	uint64_t mmio32, mmio64; /* bytes of its BARs, each rounded up to its alignment */
	unsigned int link_speed, link_width; /* 0.1 GT/s, lanes; of the PF for a VF; 0 unknown */
	int clique; /* peer-to-peer clique (QEMU x-nv-gpudirect-clique), -1 none */
	char class_name[16];
	char driver[64]; /* bound now, "" none */
	char mac[18];	 /* "" not a NIC */
	int vlan;
	unsigned int accept;
};

#define PLAN_MAX_DISKS 8
#define PLAN_DISK_SERIAL 20 /* bytes (Virtio 1.2 section 5.2.6) */

/**
 * struct plan_disk - a raw file or block device as a virtio disk of the guest
 * @id:    "disk0": the first of disks:
 * @path:  absolute; owned by the plan
 * @is_vhost_user: @path is the socket of the program that serves it (vhost-user-blk), and says all else
 * @guest: on bus 0, in the order of the spec: the guest's vda, vdb, ...
 */
struct plan_disk {
	char id[16];
	char *path;
	bool is_vhost_user;
	char serial[PLAN_DISK_SERIAL + 1]; /* "" none */
	bool is_readonly;
	bool has_discard; /* what the guest discards is given back to the host */
	struct cv_bdf guest;
};

/** plan_disk_slot() - the slot of disk @i on the guest's bus 0, for every backend */
unsigned int plan_disk_slot(size_t i);
/**
 * plan_disk_is_device() - does @path name a block device? The planner looks at no file: what is below
 * /dev is one, but for /dev/shm. The launcher checks that it is so.
 */
bool plan_disk_is_device(const char *path);
struct plan;
/**
 * plan_writes_files() - is a disk of the guest a file that it writes to? The VMM may then write files as
 * long as that; a VMM that cannot limit its console log by itself writes none.
 */
bool plan_writes_files(const struct plan *p);

#define PLAN_MAX_NETS 8
#define PLAN_NET_QUEUES_MAX 16
#define PLAN_MAX_FORWARDS 16

enum plan_net_kind {
	PLAN_NET_BRIDGE,
	PLAN_NET_OVS,
	PLAN_NET_PASST,
	PLAN_NET_VHOST_USER,
};

/** plan_net_words - names of enum plan_net_kind: "bridge" "ovs" "passt" "vhost-user" */
#define PLAN_NET_KINDS 4
extern const char *const plan_net_words[PLAN_NET_KINDS];

/** struct plan_forward - a port of the host that leads into the guest (passt) */
struct plan_forward {
	bool is_udp;
	uint16_t host, guest;
};

/**
 * struct plan_net - a virtual network interface of the guest (virtio-net)
 * @id:     from the spec
 * @to:     name of the bridge, or path of the socket; "" for passt; owned by the plan
 * @tap:    interface of the host that a "tap" step makes (bridge, ovs), "" none: 12 characters, from the
 *          guest's name, so that the same spec gives the same name
 * @mac:    from the spec, or made from the guest's name and @id (locally administered)
 * @vlan:   tag of the port (ovs), 0 none
 * @mtu:    bytes, 0: as the bridge, or 1500
 * @queues: pairs
 * @guest:  on bus 0: slot PLAN_NET_SLOT, function = index
 */
struct plan_net {
	char id[32];
	enum plan_net_kind kind;
	char *to;
	char tap[16];
	char mac[18];
	int vlan;
	unsigned int mtu, queues;
	struct plan_forward forwards[PLAN_MAX_FORWARDS];
	size_t n_forwards;
	struct cv_bdf guest;
};

#define PLAN_MAX_SHARES 8
#define PLAN_SHARE_TAG 36

/**
 * struct plan_share - a directory of the host as virtiofs (served by virtiofsd)
 * @id:    "share0": the first of shares:
 * @path:  owned by the plan
 * @guest: on bus 0: slot PLAN_SHARE_SLOT, function = index
 */
struct plan_share {
	char id[16];
	char *path;
	char tag[PLAN_SHARE_TAG + 1];
	bool is_readonly;
	struct cv_bdf guest;
};

/* Slots of bus 0 that no backend uses for anything else (see plan/disks.c). Functions of one slot ascend
 * from 0 without a gap; function 0 says "multi-function" when there is another. */
#define PLAN_NET_SLOT 28
#define PLAN_SHARE_SLOT 29
#define PLAN_VSOCK_SLOT 30
#define PLAN_VSOCK_ID "vsock"

/** struct plan_reason - why something was chosen, or why a candidate was not */
struct plan_reason {
	char *object;
	char *text;
};

/**
 * struct plan - heap members owned; release with plan_done()
 * @vmm_cpus: host CPUs of the VMM's own threads (housekeeping)
 */
struct plan {
	char name[64];
	char user[64];
	char backend[16];
	char hypervisor[64];
	char cpu_vendor[64];	   /* of the host: decides how caches are shown to the guest */
	int cpu_family, cpu_model; /* CPUID of the host, -1 unknown */
	struct plan_caches caches;
	char *kernel, *initrd, *cmdline;
	struct plan_vcpu *vcpus;
	size_t n_vcpus;
	int packages, dies, cores, threads; /* guest totals: packages, dies per package, ... */
	struct cv_cpuset vmm_cpus;
	struct cv_cpuset host_cpus; /* all CPUs given away, idle siblings included */
	struct plan_node nodes[PLAN_MAX_NODES];
	size_t n_nodes;
	struct plan_bridge *bridges;
	size_t n_bridges;
	struct plan_device *devices;
	size_t n_devices;
	struct plan_disk disks[PLAN_MAX_DISKS];
	size_t n_disks;
	struct plan_net nets[PLAN_MAX_NETS];
	size_t n_nets;
	struct plan_share shares[PLAN_MAX_SHARES];
	size_t n_shares;
	uint32_t vsock_cid; /* 0: no vsock; else 3 and above, unique on the host */
	struct plan_range *ranges;
	size_t n_ranges;
	unsigned int phys_bits;	      /* physical address bits the guest needs */
	unsigned int phys_bits_limit; /* ... and may be shown at most, 0: the host's */
	uint64_t low_limit;	      /* RAM below 4 GiB ends here at the latest */
	uint64_t memlock;	      /* bytes the VMM may have to pin: RLIMIT_MEMLOCK */
	unsigned int l3_ways; /* of each L3, and percent; 0: as all. Only the step carries them on */
	unsigned int memory_bandwidth;
	unsigned int rt_priority;  /* SCHED_FIFO of the vCPU threads, 0: normal policy */
	struct plan_limits limits; /* what carve certify judges by */
	struct cv_step *steps;	   /* strings owned by the plan */
	size_t n_steps;
	struct plan_reason *reasons;
	size_t n_reasons;
	struct plan_reason *rejected;
	size_t n_rejected;
};

void plan_done(struct plan *p);
#define _cleanup_plan_ __attribute__((cleanup(plan_done)))

/** plan_json() - new reference or NULL; byte-identical for equal plans. */
struct json_t *plan_json(const struct plan *p);
/** plan_from_json() - Return: 0, -EINVAL, -EPROTONOSUPPORT (newer version). */
int plan_from_json(const struct json_t *j, const char *origin, struct plan *ret,
		   struct cv_error *err);

struct inventory;
struct spec;
struct site;

/**
 * struct plan_allowance - what may be used at most, such as a job's share of the node
 * @has_cpus: only CPUs of @cpus
 * @memory:   bytes, 0: no limit
 */
struct plan_allowance {
	bool has_cpus;
	struct cv_cpuset cpus;
	uint64_t memory;
};

/**
 * plan_make() - place guests; pure: same inventory and specs, same plans
 * @plans: array of @n, filled in spec order; all or nothing
 *
 * Return: 0; -ENOSPC when it does not fit (@err: the smallest facts that make it so: "node 1 has 3
 * free 1G pages, 8 needed"); -EBUSY when a device is held; -ENODEV unknown BDF; -EPERM isolation that
 * cannot be had and was not accepted.
 */
int plan_make(const struct inventory *inv, const struct site *site, const struct spec *specs,
	      size_t n, const struct plan_allowance *allow, struct plan *plans,
	      struct cv_error *err);

/**
 * plan_vmm_opens_groups() - does the VMM @backend open the IOMMU groups itself, as its user?
 * If not, the launcher opens the devices and hands them over.
 */
bool plan_vmm_opens_groups(const char *backend);

/** plan_text() - for people: placement, devices, host writes with undo, reasons. Heap string. */
char *plan_text(const struct plan *p, const struct cv_step_table *table, bool explain);

#define PLAN_LINK_FDS_MAX (2 * PLAN_NET_QUEUES_MAX)
#define PLAN_LINKS_MAX (PLAN_MAX_DISKS + PLAN_MAX_NETS + PLAN_MAX_SHARES + 1)

/**
 * struct plan_link - descriptors that the launcher opened for a disk, a network, a share or vsock of the plan
 * @id:  of the plan_disk, plan_net or plan_share, or PLAN_VSOCK_ID; borrowed
 * @fds: bridge, ovs: one of the tap for each queue pair, then as many of /dev/vhost-net;
 *       passt: a connected stream socket that speaks frames, each after its length (4 bytes, big endian);
 *       vhost-user (disk or network), share: a connected stream socket on which the other side is a vhost-user back end;
 *       vsock: /dev/vhost-vsock, nothing set yet
 */
struct plan_link {
	const char *id;
	int fds[PLAN_LINK_FDS_MAX];
	size_t n;
};

/** plan_find_link() - Return: the one of @id, NULL. */
const struct plan_link *plan_find_link(const struct plan_link *links, size_t n, const char *id);

/**
 * struct plan_qemu - what the QEMU projection needs beside the plan
 * @binary:    path of qemu-system-x86_64
 * @vm_dir:    "/run/carve/vm/NAME"
 * @kvm_fd:    number of an inherited descriptor of the hypervisor device, -1: QEMU opens it
 * @links:     inherited descriptors of networks, shares and vsock; without any the arguments name what a
 *             person would start QEMU with by hand (ifname=, path=). Those of vhost-user networks are not
 *             used: QEMU connects to the socket itself
 */
struct plan_qemu {
	const char *binary;
	const char *vm_dir;
	int kvm_fd;
	const struct plan_link *links;
	size_t n_links;
};

/** plan_qemu_argv() - the QEMU command line of a plan; pure. Return: 0, -ENOMEM. */
int plan_qemu_argv(const struct plan *p, const struct plan_qemu *q, struct cv_strv *ret);

/**
 * plan_compare_guest() - compare a guest report with the plan (docs/formats/guest-report.md)
 * @ret_diffs: one sentence per difference: object, found, planned; empty when equal
 * Return: 0, -EINVAL not a guest report, -EPROTONOSUPPORT.
 */
int plan_compare_guest(const struct plan *p, const struct json_t *report, struct cv_strv *ret_diffs,
		       struct cv_error *err);

#endif
