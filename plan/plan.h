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

#define PLAN_VERSION 1
#define PLAN_MAX_NODES 16

/** struct plan_vcpu - vCPU number = index; guest topology ids as the guest shall see them */
struct plan_vcpu {
	int host_cpu;
	int guest_node, package, die, core, thread, l3; /* core: unique within the guest */
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

/** struct plan_bridge - a host bridge or port of the guest's PCIe tree */
struct plan_bridge {
	char id[32]; /* "pxb0", "rp0" */
	int parent;  /* index into bridges, -1: the root complex */
	int guest_node;
	uint8_t bus;	   /* pxb: its bus number */
	struct cv_bdf bdf; /* root port: its guest address */
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
	char class_name[16];
	char driver[64]; /* bound now, "" none */
	char mac[18];	 /* "" not a NIC */
	int vlan;
	unsigned int accept;
};

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
	char cpu_vendor[64]; /* of the host: decides how caches are shown to the guest */
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
	struct cv_step *steps; /* strings owned by the plan */
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

/** plan_text() - for people: placement, devices, host writes with undo, reasons. Heap string. */
char *plan_text(const struct plan *p, const struct cv_step_table *table, bool explain);

/**
 * struct plan_qemu - what the QEMU projection needs beside the plan
 * @binary:    path of qemu-system-x86_64
 * @vm_dir:    "/run/carve/vm/NAME"
 * @kvm_fd:    number of an inherited descriptor of the hypervisor device, -1: QEMU opens it
 */
struct plan_qemu {
	const char *binary;
	const char *vm_dir;
	int kvm_fd;
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
