// SPDX-License-Identifier: GPL-2.0-or-later
/* The ordered host writes of a plan. Kinds are documented where their ops live: base/step.h,
 * numa/binding.h, numa/hugepages.h, numa/irq_step.h, numa/resctrl_step.h, sriov/steps.h,
 * tools/launch.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/step_list.h"
#include "plan/placement.h"

#define VF_COUNT_MAX 8 /* VFs made on first use of a PF: enough for several guests, quick to make */

static int add_step(struct plan *plan, const char *kind, const char *object, const char *value,
		    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int add_step(struct plan *plan, const char *kind, const char *object, const char *value,
		    const char *fmt, ...)
{
	struct cv_step_list l = { plan->steps, plan->n_steps };
	va_list ap;

	va_start(ap, fmt);
	int r = cv_step_list_vadd(&l, kind, object, value, fmt, ap);
	va_end(ap);
	plan->steps = l.v;
	plan->n_steps = l.n;
	return r;
}

static bool pf_was_seen(const struct plan *plan, size_t upto, struct cv_bdf pf)
{
	for (size_t i = 0; i < upto; i++)
		if (plan->devices[i].is_vf && cv_bdf_cmp(plan->devices[i].pf, pf) == 0)
			return true;
	return false;
}

/* One count for all plans of a run: the number can only be set while there are no VFs. */
static unsigned int vf_count(const struct place *p, int pf)
{
	const struct inv_sriov *sriov = &p->inv->devs[pf].sriov;
	unsigned int count = sriov->total < VF_COUNT_MAX ? sriov->total : VF_COUNT_MAX;

	if (sriov->num)
		return sriov->num;
	for (size_t i = 0; i < p->n_vfs; i++)
		if (p->vfs[i].pf == pf && (unsigned int)p->vfs[i].vf_index >= count)
			count = (unsigned int)p->vfs[i].vf_index + 1;
	return count;
}

static int add_autoprobe(struct plan *plan, const struct place *p, const struct plan_device *d)
{
	char bdf[CV_BDF_MAX], path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_drivers_autoprobe",
		 cv_format_bdf(d->pf, bdf));
	return add_step(plan, "attr-shared", path, "0", "no host driver shall touch the VFs");
}

static int add_count(struct plan *plan, const struct place *p, const struct plan_device *d)
{
	char bdf[CV_BDF_MAX], value[16];

	cv_format_bdf(d->pf, bdf);
	snprintf(value, sizeof(value), "%u", vf_count(p, inv_find_dev(p->inv, d->pf)));
	return add_step(plan, "numvfs", bdf, value, "VFs of %s for %s", bdf, d->id);
}

static int add_vf_settings(struct plan *plan, const struct plan_device *d)
{
	char pf[CV_BDF_MAX], object[40], value[64];

	snprintf(object, sizeof(object), "%s/%d", cv_format_bdf(d->pf, pf), d->vf_index);
	if (strcmp(d->class_name, "net") == 0) {
		snprintf(value, sizeof(value), "mac=%s vlan=%d", d->mac, d->vlan);
		return add_step(plan, "vf-net", object, value, "address and VLAN of %s", d->id);
	}
	if (strcmp(d->class_name, "nvme") == 0)
		return add_step(plan, "vf-nvme", object, "vq=2 vi=1",
				"an admin and an I/O queue with one interrupt for %s", d->id);
	return 0;
}

/* @add: for the first VF of each PF */
static int add_per_pf(struct plan *plan, const struct place *p,
		      int (*add)(struct plan *plan, const struct place *p,
				 const struct plan_device *d))
{
	int r = 0;

	for (size_t i = 0; i < plan->n_devices && r == 0; i++) {
		const struct plan_device *d = &plan->devices[i];

		if (d->is_vf && !pf_was_seen(plan, i, d->pf))
			r = add(plan, p, d);
	}
	return r;
}

/* One kind after the other: counts that follow each other are set at the same time. */
static int add_vfs(struct plan *plan, const struct place *p)
{
	int r = add_per_pf(plan, p, add_autoprobe);

	if (r == 0)
		r = add_per_pf(plan, p, add_count);
	for (size_t i = 0; i < plan->n_devices && r == 0; i++)
		if (plan->devices[i].is_vf)
			r = add_vf_settings(plan, &plan->devices[i]);
	return r;
}

static int add_memory(struct plan *plan)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_nodes && r == 0; i++) {
		const struct plan_node *n = &plan->nodes[i];
		char size[CV_SIZE_MAX], object[48], pages[24];

		snprintf(object, sizeof(object), "node%d/%s", n->host_node,
			 cv_format_size(n->page_size, size));
		snprintf(pages, sizeof(pages), "%llu", (unsigned long long)n->pages);
		r = add_step(plan, "hugepages", object, pages, "memory of guest node %zu", i);
	}
	return r;
}

/** struct taken - a function that changes hands; @id: of the plan's device, NULL: it goes with one */
struct taken {
	struct cv_bdf bdf;
	const char *id;
};

/** struct takes - all of them, each once, those of the plan first; done with takes_done() */
struct takes {
	struct taken *v;
	size_t n;
};

static void takes_done(struct takes *t)
{
	free(t->v);
}

static void take(struct takes *t, struct cv_bdf bdf, const char *id)
{
	for (size_t i = 0; i < t->n; i++)
		if (cv_bdf_cmp(t->v[i].bdf, bdf) == 0)
			return;
	t->v[t->n++] = (struct taken){ bdf, id };
}

/* A group that was accepted as shared is taken whole. */
static void take_group_mates(struct takes *t, const struct place *p, const struct plan_device *d)
{
	int dev = inv_find_dev(p->inv, d->host), members[PLACE_GROUP_MAX];
	size_t n = 0;

	if (dev >= 0 && (d->accept & SPEC_ACCEPT_SHARED_GROUP))
		n = inv_group_blockers(p->inv, dev, false, members, PLACE_GROUP_MAX);
	for (size_t i = 0; i < n && i < PLACE_GROUP_MAX; i++)
		take(t, p->inv->devs[members[i]].bdf, NULL);
}

static int take_all(const struct plan *plan, const struct place *p, struct takes *ret)
{
	ret->v = calloc(plan->n_devices * (PLACE_GROUP_MAX + 1), sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_devices; i++)
		take(ret, plan->devices[i].host, plan->devices[i].id);
	for (size_t i = 0; i < plan->n_devices; i++)
		take_group_mates(ret, p, &plan->devices[i]);
	return 0;
}

/* Before all that is done with a function itself: its revert is the last, and judges the result. */
static int add_health(struct plan *plan, const struct place *p, const struct takes *t)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		int dev = inv_find_dev(p->inv, t->v[i].bdf);
		char bdf[CV_BDF_MAX];

		r = add_step(plan, "health", cv_format_bdf(t->v[i].bdf, bdf),
			     dev < 0 ? "" : p->inv->devs[dev].driver,
			     "%s comes back as good as it was",
			     t->v[i].id ?: "this member of a group");
	}
	return r;
}

static int add_hooks(struct plan *plan, const struct takes *t, const char *object, const char *why)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *value = NULL;
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < t->n; i++)
		if (cv_strv_add(&names, cv_format_bdf(t->v[i].bdf, bdf)) < 0)
			return -ENOMEM;
	value = cv_strv_join(&names, " ");
	return value ? add_step(plan, "hooks", object, value, "%s", why) : -ENOMEM;
}

/* A function that slept deeply may not wake up under a driver that knows nothing of it. A VF has no
 * power states of its own (SR-IOV 1.1 section 2.4). */
static int add_power(struct plan *plan, const struct place *p)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_devices && r == 0; i++) {
		int dev = inv_find_dev(p->inv, plan->devices[i].host);
		char bdf[CV_BDF_MAX], path[96];

		if (dev < 0 || plan->devices[i].is_vf || !p->inv->devs[dev].has_d3cold)
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/d3cold_allowed",
			 cv_format_bdf(plan->devices[i].host, bdf));
		r = add_step(plan, "attr", path, "0", "%s stays awake while nobody uses it",
			     plan->devices[i].id);
	}
	return r;
}

/* Before VFIO has it, which resets what it opens and closes by any method that is left. */
static int add_reset_methods(struct plan *plan, const struct place *p, const struct takes *t)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		int dev = inv_find_dev(p->inv, t->v[i].bdf);
		char bdf[CV_BDF_MAX];

		if (dev >= 0 && p->inv->devs[dev].is_reset_limited)
			r = add_step(plan, "reset-method", cv_format_bdf(t->v[i].bdf, bdf),
				     p->inv->devs[dev].reset_allowed,
				     "the model does not survive its other resets");
	}
	return r;
}

static int add_binding(struct plan *plan, const struct takes *t)
{
	int r = 0;

	for (size_t i = 0; i < t->n && r == 0; i++) {
		char bdf[CV_BDF_MAX];

		r = add_step(plan, "bind", cv_format_bdf(t->v[i].bdf, bdf), "vfio-pci", "%s",
			     t->v[i].id ?: "member of a group taken whole");
	}
	if (!plan_vmm_opens_groups(plan->backend))
		return r;
	for (size_t i = 0; i < plan->n_devices && r == 0; i++) {
		char bdf[CV_BDF_MAX];

		r = add_step(plan, "group-owner", cv_format_bdf(plan->devices[i].host, bdf),
			     plan->user, "the VMM opens the group as this user");
	}
	return r;
}

static int add_devices(struct plan *plan, const struct place *p)
{
	_cleanup_(takes_done) struct takes t = { 0 };
	int r;

	if (!plan->n_devices)
		return 0;
	r = take_all(plan, p, &t);
	if (r == 0)
		r = add_health(plan, p, &t);
	if (r == 0)
		r = add_hooks(plan, &t, "bind", "what the site does before devices change hands");
	if (r == 0)
		r = add_power(plan, p);
	if (r == 0)
		r = add_reset_methods(plan, p, &t);
	if (r == 0)
		r = add_binding(plan, &t);
	return r == 0 ? add_hooks(plan, &t, "ready",
				  "what the site does with devices that are ready")
		      : r;
}

static int add_cpus(struct plan *plan)
{
	_cleanup_free_ char *vcpu = cv_format_cpulist(&plan->host_cpus);
	_cleanup_free_ char *vmm = cv_format_cpulist(&plan->vmm_cpus);
	_cleanup_free_ char *object = NULL, *value = NULL;

	if (!vcpu || !vmm || asprintf(&object, "/sys/fs/cgroup/carve/%s", plan->name) < 0 ||
	    asprintf(&value, "vcpu=%s vmm=%s", vcpu, vmm) < 0)
		return -ENOMEM;
	int r = add_step(plan, "cgroup-root", "/sys/fs/cgroup/carve", "cpuset",
			 "parent of all guests' partitions");
	return r < 0 ? r
		     : add_step(
			       plan, "cgroup-vm", object, value,
			       "vCPU cores in an isolated partition, VMM threads on housekeeping cores");
}

/* What makes the device nodes that the launcher opens. */
static int add_modules(struct plan *plan)
{
	bool has_tap = false;
	int r = 0;

	for (size_t i = 0; i < plan->n_nets; i++)
		has_tap |= plan_net_has_tap(&plan->nets[i]);
	if (has_tap)
		r = add_step(plan, "module", "tun", "loaded", "interfaces of the guest's networks");
	if (has_tap && r == 0)
		r = add_step(plan, "module", "vhost_net", "loaded",
			     "the kernel moves the guest's packets");
	if (plan->vsock_cid && r == 0)
		r = add_step(plan, "module", "vhost_vsock", "loaded", "vsock of the guest");
	return r;
}

/* Each is a port of its bridge before the VMM starts, and belongs to the VMM's user (sriov/steps.h). */
static int add_taps(struct plan *plan)
{
	int r = 0;

	for (size_t i = 0; i < plan->n_nets && r == 0; i++) {
		const struct plan_net *n = &plan->nets[i];
		char value[160];

		if (!plan_net_has_tap(n))
			continue;
		snprintf(value, sizeof(value), "user=%s %s=%s vlan=%d mtu=%u queues=%u", plan->user,
			 plan_net_words[n->kind], n->to, n->vlan, n->mtu, n->queues);
		r = add_step(plan, "tap", n->tap, value, "network %s of the guest, a port of %s",
			     n->id, n->to);
	}
	return r;
}

/* The first step: what drivers make anew while devices change hands stays off the cores, too; undone
 * last, it finds all interrupts where they belong. */
static int add_irqs(struct plan *plan)
{
	_cleanup_free_ char *off = cv_format_cpulist(&plan->host_cpus);
	_cleanup_free_ char *on = cv_format_cpulist(&plan->vmm_cpus);
	_cleanup_free_ char *value = NULL;

	if (!off || !on || asprintf(&value, "off=%s on=%s", off, on) < 0)
		return -ENOMEM;
	return add_step(plan, "irq-affinity", "/proc/irq", value,
			"no interrupt of the host disturbs the guest's cores");
}

static int add_cache(struct plan *plan)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&plan->host_cpus);
	_cleanup_free_ char *object = NULL, *value = NULL;

	if (!plan->l3_ways && !plan->memory_bandwidth)
		return 0;
	if (!cpus || asprintf(&object, "/sys/fs/resctrl/carve-%s", plan->name) < 0 ||
	    asprintf(&value, "cpus=%s l3=%u mb=%u", cpus, plan->l3_ways, plan->memory_bandwidth) <
		    0)
		return -ENOMEM;
	return add_step(plan, "resctrl", object, value,
			"the guest's share of the L3 caches and the memory bandwidth");
}

int plan_set_steps(struct plan *plan, const struct place *p)
{
	int r = add_irqs(plan);

	if (r == 0 && plan->n_devices)
		r = add_step(plan, "module", "vfio-pci", "loaded",
			     "driver of passed-through devices");
	if (r == 0)
		r = add_vfs(plan, p);
	if (r == 0)
		r = add_memory(plan);
	if (r == 0)
		r = add_devices(plan, p);
	if (r == 0)
		r = add_modules(plan);
	if (r == 0)
		r = add_taps(plan);
	if (r == 0)
		r = add_cpus(plan);
	if (r == 0)
		r = add_cache(plan);
	return r < 0 ? r
		     : add_step(plan, "launch", plan->name, plan->backend,
				"the VMM, paused until every vCPU is pinned");
}
