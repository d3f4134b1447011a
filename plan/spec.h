/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The spec: what one guest shall be, read from YAML (carve-spec(5)). */
#ifndef CARVE_PLAN_SPEC_H
#define CARVE_PLAN_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/error.h"
#include "plan/guest_limits.h"

#define SPEC_VERSION 1
#define SPEC_MAX_MEMORY (UINT64_C(1) << 50) /* bytes of one guest */

enum spec_smt {
	SPEC_SMT_SIBLINGS,     /* all threads of each core become vCPUs */
	SPEC_SMT_ONE_PER_CORE, /* one vCPU per core, the siblings stay idle */
};

/** enum spec_split - how a guest of several nodes is divided */
enum spec_split {
	SPEC_SPLIT_EVEN,    /* the same number of cores and pages on each node */
	SPEC_SPLIT_DEVICES, /* the nodes of its devices, in proportion to their number there */
};

/** enum spec_accept - risks a spec may accept by name; bits */
enum spec_accept {
	SPEC_ACCEPT_NO_RESET = 1,
	SPEC_ACCEPT_SHARED_GROUP = 2,
	SPEC_ACCEPT_NO_INTREMAP = 4,
};

/** enum spec_select - how a device is named */
enum spec_select {
	SPEC_BY_BDF,   /* bdf: exactly this function */
	SPEC_BY_CLASS, /* class: any free function of the class */
	SPEC_BY_VF,    /* vf: a VF of the PF at a BDF, or of any PF of a class */
};

/**
 * struct spec_device - one entry of devices:
 * @id:    name for near:, default "devN"
 * @class: class word for SPEC_BY_CLASS, and for SPEC_BY_VF with vf: {class: net}
 * @pf:    valid for SPEC_BY_VF when @has_pf
 * @near:  id of another entry that this one shall sit next to, "" none
 * @mac:   valid when @has_mac
 * @vlan:  1..4094, 0 none
 */
struct spec_device {
	char id[32];
	enum spec_select select;
	struct cv_bdf bdf;
	char class[32];
	struct cv_bdf pf;
	bool has_pf;
	char near[32];
	uint8_t mac[6];
	bool has_mac;
	int vlan;
	bool p2p;
	unsigned int accept;
};

#define SPEC_MAX_DISKS 8
#define SPEC_DISK_SERIAL 20

/**
 * struct spec_disk - one entry of disks:
 * @path:   a raw file or a block device, absolute; or the socket of a vhost-user back end; owned
 * @serial: "" none
 * @is_vhost_user: who serves at the socket decides all but @path
 */
struct spec_disk {
	char *path;
	bool is_vhost_user;
	char serial[SPEC_DISK_SERIAL + 1];
	bool is_readonly;
	bool has_discard;
};

#define SPEC_MAX_NETS 8
#define SPEC_MAX_FORWARDS 16
#define SPEC_NET_QUEUES_MAX 16

/** enum spec_net_kind - what a virtual network interface leads to; each is one key of an entry */
enum spec_net_kind {
	SPEC_NET_BRIDGE, /* bridge: a Linux bridge of the host */
	SPEC_NET_OVS,	 /* ovs: a bridge of Open vSwitch */
	SPEC_NET_PASST,	 /* passt: true: the host's own network, without a privilege (passt(1)) */
	SPEC_NET_VHOST_USER, /* vhost_user: a socket on which a switch serves (OVS-DPDK, testpmd) */
};

/** struct spec_forward - a port of the host that leads into the guest (passt) */
struct spec_forward {
	bool is_udp;
	uint16_t host, guest;
};

/**
 * struct spec_net - one entry of net:
 * @id:     default "netN"
 * @to:     bridge name, or the absolute path of the socket; "" for passt; owned
 * @vlan:   1..4094 (ovs: the port's tag), 0 none
 * @mtu:    bytes, 0: the bridge's, or 1500
 * @queues: pairs, 0: as many as vCPUs, up to 4; one to a vhost-user switch
 */
struct spec_net {
	char id[32];
	enum spec_net_kind kind;
	char *to;
	uint8_t mac[6];
	bool has_mac;
	int vlan;
	unsigned int mtu, queues;
	struct spec_forward forwards[SPEC_MAX_FORWARDS];
	size_t n_forwards;
};

#define SPEC_MAX_SHARES 8
#define SPEC_SHARE_TAG 36 /* bytes (Virtio 1.2 section 5.11.4) */

/**
 * struct spec_share - one entry of shares: a directory of the host that the guest mounts as virtiofs
 * @path: absolute; owned
 * @tag:  what the guest mounts
 */
struct spec_share {
	char *path;
	char tag[SPEC_SHARE_TAG + 1];
	bool is_readonly;
};

/**
 * struct spec - strings are owned; zero or "" means: not given
 * @origin:    file name for messages
 * @cpus:      whole cores
 * @memory:    bytes
 * @page_size: bytes, 2M or 1G; 0: not given, the site's applies
 * @nodes:     host NUMA nodes to use; empty: planner chooses
 * @split:     how cores and memory are divided over the nodes
 * @l3_ways:   cache ways of each L3 of the guest reserved for it alone, 0: shared with all (resctrl)
 * @memory_bandwidth: percent of the memory bandwidth at most, 0: no limit (resctrl)
 * @rt_priority: SCHED_FIFO priority of the vCPU threads, 1 to 98; 0: normal policy
 * @vsock_cid: valid with @has_vsock; 0: chosen by name (vsock: auto)
 */
struct spec {
	char *origin;
	char name[64];
	char user[64];
	unsigned int cpus;
	enum spec_smt smt;
	uint64_t memory;
	uint64_t page_size;
	int nodes[16];
	size_t n_nodes;
	enum spec_split split;
	unsigned int l3_ways;
	unsigned int memory_bandwidth;
	unsigned int rt_priority;
	struct spec_device *devices;
	size_t n_devices;
	struct spec_disk *disks;
	size_t n_disks;
	struct spec_net *nets;
	size_t n_nets;
	struct spec_share *shares;
	size_t n_shares;
	bool has_vsock;
	uint32_t vsock_cid;
	struct plan_limits limits;
	char *kernel;
	char *initrd;
	char *cmdline;
	char backend[16];    /* "qemu" */
	char hypervisor[64]; /* "auto", "kvm", "carve" or a path */
};

/**
 * spec_parse() - YAML text to spec; strict
 * @origin: file name for messages
 *
 * Unknown key, wrong type, bad value: -EINVAL with @err: object "FILE:LINE:COL", what, found, wanted.
 * name, cpus and memory are required; version defaults to 1; newer is -EPROTONOSUPPORT.
 */
int spec_parse(const char *text, size_t len, const char *origin, struct spec *ret,
	       struct cv_error *err);
void spec_done(struct spec *s);

struct inv_dev;
/** spec_wants() - could @d, or a VF of it, be chosen for an entry of one of @n specs? */
bool spec_wants(const struct spec *specs, size_t n, const struct inv_dev *d);
#define _cleanup_spec_ __attribute__((cleanup(spec_done)))

struct vf_policy;

/**
 * struct site - /etc/carve/carve.yaml and conf.d/ (files in name order, later ones override)
 * @housekeeping: cores of each node that are never given away (count), default 1
 * @user:         VMM user when a spec names none
 * @kernel, @initrd, @cmdline: boot default of specs without boot:
 * @lock_wait_s:  seconds to wait for the node lock
 * @vfs:          @n_vfs entries: what VFs the PFs shall have (carve vf policy); the last file that has
 *                the list gives all of it
 */
struct site {
	unsigned int housekeeping;
	char user[64];
	char *kernel;
	char *initrd;
	char *cmdline;
	char backend[16];
	char hypervisor[64];
	uint64_t page_size;
	unsigned int lock_wait_s;
	struct vf_policy *vfs;
	size_t n_vfs;
};

/** site_default() - the built-in values. */
void site_default(struct site *ret);
/** site_parse() - override @s with what one file gives; same strictness as spec_parse(). */
int site_parse(const char *text, size_t len, const char *origin, struct site *s,
	       struct cv_error *err);
void site_done(struct site *s);
#define _cleanup_site_ __attribute__((cleanup(site_done)))

#endif
