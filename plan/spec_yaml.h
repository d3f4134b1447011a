/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shape of spec and site files (libcyaml): which keys there are and what is below them. All
 * values are text here; plan/value.h judges them. */
#ifndef CARVE_PLAN_SPEC_YAML_H
#define CARVE_PLAN_SPEC_YAML_H

#include <stddef.h>

#include "plan/source.h"

#define SPEC_MAX_DEVICES 256
#define SPEC_MAX_NODES 16

/* In all of these NULL means: the key is not given. */

struct raw_vf {
	char *pf, *class;
};

struct raw_device {
	char *id, *bdf, *class;
	struct raw_vf *vf;
	char *near, *mac, *vlan, *p2p;
	char **accept;
	unsigned int accept_count;
};

struct raw_disk {
	char *path, *vhost_user, *readonly, *serial, *discard, *format;
};

struct raw_net {
	char *id, *bridge, *ovs, *passt, *vhost_user, *mac, *vlan, *mtu, *queues;
	char **forward;
	unsigned int forward_count;
};

struct raw_share {
	char *path, *tag, *readonly;
};

struct raw_boot {
	char *kernel, *initrd, *cmdline;
};

struct raw_cache {
	char *l3_ways, *memory_bandwidth;
};

struct raw_limits {
	char *exits_per_second, *off_core, *page_leaf, *irqs_per_second;
};

struct raw_spec {
	char *version, *name, *user, *cpus, *smt, *memory, *page_size;
	char **nodes;
	unsigned int nodes_count;
	char *split;
	struct raw_cache *cache;
	char *rt_priority;
	struct raw_device *devices;
	unsigned int devices_count;
	struct raw_disk *disks;
	unsigned int disks_count;
	struct raw_net *net;
	unsigned int net_count;
	struct raw_share *shares;
	unsigned int shares_count;
	char *vsock;
	struct raw_limits *limits;
	struct raw_boot *boot;
	char *backend, *hypervisor;
};

struct raw_site_node {
	char *housekeeping_cores;
};

struct raw_vm_defaults {
	char *user, *page_size, *backend, *hypervisor;
};

struct raw_vf_policy {
	char *pf, *vendor, *device, *count, *autoprobe, *vlan, *qos, *trust, *spoofchk, *link,
		*min_rate, *max_rate, *queues, *interrupts;
};

struct raw_site {
	char *version;
	struct raw_site_node *node;
	struct raw_vm_defaults *vm_defaults;
	struct raw_boot *boot;
	struct raw_vf_policy *vfs;
	unsigned int vfs_count;
	char *lock_wait;
};

/**
 * raw_spec_open() - check the shape of a spec and load it
 * Return: 0; -EINVAL with the source's error filled (unknown key, missing key, wrong type); -ENOMEM.
 */
int raw_spec_open(const struct source *s, struct raw_spec **ret);
void raw_spec_free(struct raw_spec *r);
static inline void raw_spec_freep(struct raw_spec **r)
{
	if (*r)
		raw_spec_free(*r);
}

/** raw_site_open() - the same for a site file. */
int raw_site_open(const struct source *s, struct raw_site **ret);
void raw_site_free(struct raw_site *r);
static inline void raw_site_freep(struct raw_site **r)
{
	if (*r)
		raw_site_free(*r);
}

#endif
