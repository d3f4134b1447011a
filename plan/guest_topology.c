// SPDX-License-Identifier: GPL-2.0-or-later
/* What the guest sees: its nodes, packages, dies, L3s, cores and threads, and its PCIe tree. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/state.h"
#include "plan/placement.h"

#define PXB_FIRST_BUS 0x20 /* below: the buses of pcie.0 */
#define PXB_FIRST_SLOT 1

/* ---- CPUs ---- */

static unsigned int threads_of(const struct place_choice *c, const struct place *p,
			       const struct spec *s, bool *ret_mixed)
{
	unsigned int n = 0;

	*ret_mixed = false;
	for (size_t i = 0; i < c->n_cores; i++) {
		unsigned int t = (unsigned int)cv_cpuset_count(&p->cores[c->cores[i]].threads);

		if (n && t != n)
			*ret_mixed = true;
		if (!n || t < n)
			n = t;
	}
	return s->smt == SPEC_SMT_ONE_PER_CORE ? 1 : n;
}

/* Position of @value in a list of seen host ids, appended when new: guest ids count up from 0. */
static int seen(int *ids, int *n, int value)
{
	for (int i = 0; i < *n; i++)
		if (ids[i] == value)
			return i;
	ids[*n] = value;
	return (*n)++;
}

static void fill_vcpus(struct plan *plan, const struct place *p, const struct place_choice *c,
		       unsigned int threads)
{
	size_t each = c->n_cores / c->n_nodes;
	size_t v = 0;

	for (size_t i = 0; i < c->n_cores; i++) {
		const struct place_core *core = &p->cores[c->cores[i]];
		int cpu = -1;

		cv_cpuset_or(&plan->host_cpus, &core->threads);
		for (unsigned int t = 0; t < threads; t++) {
			cpu = cv_cpuset_next(&core->threads, cpu);
			plan->vcpus[v++] = (struct plan_vcpu){
				.host_cpu = cpu,
				.guest_node = (int)(i / each),
				.package = core->package,
				.core = (int)i,
				.thread = (int)t,
				.l3 = core->l3,
			};
		}
	}
}

/* Host package and L3 numbers become guest numbers in order of appearance. */
static int renumber(struct plan *plan)
{
	_cleanup_free_ int *packages = calloc(plan->n_vcpus + 1, sizeof(int));
	_cleanup_free_ int *l3s = calloc(plan->n_vcpus + 1, sizeof(int));
	int n_packages = 0, n_l3s = 0;

	if (!packages || !l3s)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_vcpus; i++) {
		struct plan_vcpu *v = &plan->vcpus[i];

		v->package = seen(packages, &n_packages, v->package);
		v->l3 = seen(l3s, &n_l3s, v->l3);
	}
	plan->packages = n_packages;
	plan->dies = n_l3s;
	return 0;
}

/* Equal L3s per package and equal cores per L3, in order: what a regular topology can express. */
static bool is_regular(const struct plan *plan, int n_l3s)
{
	size_t per_l3 = n_l3s ? plan->n_vcpus / (size_t)n_l3s : 0;
	size_t per_package = plan->n_vcpus / (size_t)plan->packages;

	if (!per_l3 || plan->n_vcpus % (size_t)n_l3s || plan->n_vcpus % (size_t)plan->packages ||
	    per_package % per_l3)
		return false;
	for (size_t i = 0; i < plan->n_vcpus; i++)
		if (plan->vcpus[i].l3 != (int)(i / per_l3) ||
		    plan->vcpus[i].package != (int)(i / per_package))
			return false;
	return true;
}

/* Falls back to one package and one L3 per guest node when the host's grouping is not regular. */
static int shape(struct plan *plan, unsigned int threads)
{
	int l3s = plan->dies, r = 0;
	size_t per_node = plan->n_vcpus / plan->n_nodes;

	if (!is_regular(plan, l3s)) {
		r = plan_add_reason(
			plan, "guest topology",
			"the chosen cores share L3s unevenly: shown to the guest as one "
			"package with one L3 per node");
		for (size_t i = 0; i < plan->n_vcpus; i++)
			plan->vcpus[i].package = plan->vcpus[i].l3 = (int)(i / per_node);
		plan->packages = l3s = (int)plan->n_nodes;
	}
	plan->threads = (int)threads;
	plan->dies = l3s / plan->packages;
	plan->cores = (int)(plan->n_vcpus / threads) / l3s;
	for (size_t i = 0; i < plan->n_vcpus; i++)
		plan->vcpus[i].die = plan->vcpus[i].l3 % plan->dies;
	return r;
}

static void fill_nodes(struct plan *plan, const struct place *p, const struct spec *s,
		       const struct place_choice *c)
{
	plan->n_nodes = c->n_nodes;
	for (size_t i = 0; i < c->n_nodes; i++) {
		const struct inv_node *host = &p->inv->nodes[c->nodes[i]];
		struct plan_node *n = &plan->nodes[i];

		n->host_node = host->id;
		n->memory = s->memory / c->n_nodes;
		n->page_size = s->page_size;
		n->pages = n->memory / s->page_size;
		for (size_t j = 0; j < c->n_nodes; j++)
			n->distances[j] = host->distances[c->nodes[j]];
	}
	for (size_t v = 0; v < plan->n_vcpus; v++)
		cv_cpuset_add(&plan->nodes[plan->vcpus[v].guest_node].vcpus, (int)v);
}

/* The VMM's own threads: housekeeping cores of the guest's nodes, else of all nodes. */
static int fill_vmm_cpus(struct plan *plan, const struct place *p, const struct place_choice *c,
			 struct cv_error *err)
{
	struct cv_cpuset all = { 0 };

	for (size_t i = 0; i < p->n_cores; i++) {
		const struct place_core *core = &p->cores[i];

		if (!core->is_housekeeping)
			continue;
		cv_cpuset_or(&all, &core->threads);
		for (size_t n = 0; n < c->n_nodes; n++)
			if (core->node == c->nodes[n])
				cv_cpuset_or(&plan->vmm_cpus, &core->threads);
	}
	if (cv_cpuset_is_empty(&plan->vmm_cpus))
		plan->vmm_cpus = all;
	if (!cv_cpuset_is_empty(&plan->vmm_cpus))
		return 0;
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "NO_HOUSEKEEPING", plan->name,
		"no core is left for the host and the VMM's own threads");
	cv_error_found(err, "0 housekeeping cores");
	cv_error_wanted(err, "at least one housekeeping core");
	cv_error_hint(err, "node: {housekeeping_cores: 1} in " CV_ETC_DIR "/carve.yaml");
	return -ENOSPC;
}

static int explain_cores(struct plan *plan, const struct place *p, const struct place_choice *c)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&plan->host_cpus);
	_cleanup_free_ char *vmm = cv_format_cpulist(&plan->vmm_cpus);
	int r = plan_add_reason(plan, "cpus", "%s: whole cores, fewest L3s first",
				cpus ? cpus : "?");

	if (r == 0)
		r = plan_add_reason(plan, "vmm threads", "%s: housekeeping cores of the same nodes",
				    vmm ? vmm : "?");
	for (size_t i = 0; i < p->n_cores && r == 0; i++) {
		char object[32];
		bool here = false;

		for (size_t n = 0; n < c->n_nodes; n++)
			here |= p->cores[i].node == c->nodes[n];
		if (!here || !p->cores[i].why[0])
			continue;
		snprintf(object, sizeof(object), "core %zu", i);
		r = plan_add_rejected(plan, object, "%s", p->cores[i].why);
	}
	return r;
}

int plan_set_topology(struct plan *plan, const struct place *p, const struct spec *s,
		      const struct place_choice *c, struct cv_error *err)
{
	bool mixed;
	unsigned int threads = threads_of(c, p, s, &mixed);

	plan->n_vcpus = c->n_cores * threads;
	plan->vcpus = calloc(plan->n_vcpus + 1, sizeof(*plan->vcpus));
	if (!plan->vcpus)
		return -ENOMEM;
	fill_vcpus(plan, p, c, threads);
	fill_nodes(plan, p, s, c);
	int r = renumber(plan);
	if (r == 0)
		r = shape(plan, threads);
	if (r == 0 && mixed)
		r = plan_add_reason(plan, "smt", "cores with different numbers of threads: %u used",
				    threads);
	if (r == 0)
		r = fill_vmm_cpus(plan, p, c, err);
	return r == 0 ? explain_cores(plan, p, c) : r;
}

/* ---- devices ---- */

static int guest_node_of(const struct plan *plan, const struct place *p, int host_node)
{
	int from = host_node < 0 ? -1 : inv_find_node(p->inv, host_node);
	int best = 0, best_distance = INT32_MAX;

	for (size_t i = 0; from >= 0 && i < plan->n_nodes; i++) {
		int to = inv_find_node(p->inv, plan->nodes[i].host_node);
		int d = p->inv->nodes[from].distances[to];

		if (d < best_distance) {
			best = (int)i;
			best_distance = d;
		}
	}
	return best;
}

static void default_mac(const struct plan *plan, const char *id, char mac[CV_MAC_MAX])
{
	/* FNV-1a of VM and device name: stable over runs; locally administered, unicast */
	uint64_t h = 0xcbf29ce484222325ULL;
	char text[128];

	snprintf(text, sizeof(text), "%s/%s", plan->name, id);
	for (const char *c = text; *c; c++)
		h = (h ^ (unsigned char)*c) * 0x100000001b3ULL;
	uint8_t bytes[6] = { 0x02,
			     (uint8_t)(h >> 32),
			     (uint8_t)(h >> 24),
			     (uint8_t)(h >> 16),
			     (uint8_t)(h >> 8),
			     (uint8_t)h };
	cv_format_mac(bytes, mac);
}

static void fill_device(struct plan *plan, const struct place *p, const struct spec_device *want,
			const struct place_dev *dev, struct plan_device *d)
{
	const struct inv_dev *host = &p->inv->devs[dev->dev >= 0 ? dev->dev : dev->pf];

	snprintf(d->id, sizeof(d->id), "%s", want->id);
	d->host = dev->bdf;
	d->host_node = dev->node;
	d->guest_node = guest_node_of(plan, p, dev->node);
	d->is_vf = dev->pf >= 0;
	d->is_new = dev->dev < 0;
	d->vf_index = dev->vf_index;
	d->vendor = host->vendor;
	d->device = d->is_new ? host->sriov.vf_device : host->device;
	d->vlan = want->vlan;
	d->accept = want->accept;
	snprintf(d->class_name, sizeof(d->class_name), "%s", inv_class_name(host));
	if (!d->is_new)
		snprintf(d->driver, sizeof(d->driver), "%s", host->driver);
	if (d->is_vf)
		d->pf = p->inv->devs[dev->pf].bdf;
	if (want->has_mac)
		cv_format_mac(want->mac, d->mac);
	else if (d->is_vf && strcmp(d->class_name, "net") == 0)
		default_mac(plan, want->id, d->mac);
}

static int explain_device(struct plan *plan, const struct place *p, const struct plan_device *d)
{
	char bdf[CV_BDF_MAX], pf[CV_BDF_MAX];
	const struct plan_node *node = &plan->nodes[d->guest_node];
	int from = inv_find_node(p->inv, d->host_node), to = inv_find_node(p->inv, node->host_node);

	cv_format_bdf(d->host, bdf);
	if (d->host_node < 0)
		return plan_add_reason(plan, bdf,
				       "for %s; its NUMA node is unknown (-1): placed on "
				       "guest node 0",
				       d->id);
	if (d->is_vf)
		return plan_add_reason(plan, bdf,
				       "for %s: VF %d of %s, node %d, distance %d to the cores",
				       d->id, d->vf_index, cv_format_bdf(d->pf, pf), d->host_node,
				       from < 0 ? -1 : p->inv->nodes[from].distances[to]);
	return plan_add_reason(plan, bdf, "for %s: node %d, distance %d to the cores", d->id,
			       d->host_node, from < 0 ? -1 : p->inv->nodes[from].distances[to]);
}

/* One host bridge (pxb) per guest node that has devices, one root port per device. Firmware numbers
 * the buses behind the ports of one host bridge in slot order, so guest addresses are known here. */
static int add_bridges(struct plan *plan, struct cv_error *err)
{
	unsigned int stride = 0xe0 / (unsigned int)plan->n_nodes;

	stride = stride > 0x20 ? 0x20 : stride;
	plan->bridges = calloc(plan->n_nodes + plan->n_devices + 1, sizeof(*plan->bridges));
	if (!plan->bridges)
		return -ENOMEM;
	for (size_t n = 0; n < plan->n_nodes; n++) {
		struct plan_bridge *pxb = &plan->bridges[plan->n_bridges];
		int parent = (int)plan->n_bridges;
		unsigned int port = 0;

		*pxb = (struct plan_bridge){ .parent = -1, .guest_node = (int)n };
		pxb->bus = (uint8_t)(PXB_FIRST_BUS + n * stride);
		snprintf(pxb->id, sizeof(pxb->id), "pxb%zu", n);
		plan->n_bridges++;
		for (size_t i = 0; i < plan->n_devices; i++) {
			struct plan_device *d = &plan->devices[i];

			if (d->guest_node != (int)n)
				continue;
			struct plan_bridge *rp = &plan->bridges[plan->n_bridges];
			*rp = (struct plan_bridge){ .parent = parent, .guest_node = (int)n };
			snprintf(rp->id, sizeof(rp->id), "rp%zu", i);
			rp->bdf = (struct cv_bdf){ 0, pxb->bus, (uint8_t)(PXB_FIRST_SLOT + port),
						   0 };
			d->bridge = (int)plan->n_bridges++;
			d->guest = (struct cv_bdf){ 0, (uint8_t)(pxb->bus + 1 + port), 0, 0 };
			port++;
		}
		if (port == 0)
			plan->n_bridges--;
		if (port + 1 < stride)
			continue;
		cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "TOO_MANY_DEVICES", plan->name,
			"more devices on one guest node than it has bus numbers");
		cv_error_found(err, "%u", port);
		cv_error_wanted(err, "at most %u", stride - 2);
		cv_error_hint(err, "give the guest fewer devices, or more NUMA nodes");
		return -ENOSPC;
	}
	return 0;
}

int plan_set_devices(struct plan *plan, const struct place *p, const struct spec *s,
		     const struct place_choice *c, struct cv_error *err)
{
	plan->devices = calloc(c->n_devs + 1, sizeof(*plan->devices));
	if (!plan->devices)
		return -ENOMEM;
	plan->n_devices = c->n_devs;
	for (size_t i = 0; i < c->n_devs; i++) {
		fill_device(plan, p, &s->devices[i], &c->devs[i], &plan->devices[i]);
		int r = explain_device(plan, p, &plan->devices[i]);
		if (r < 0)
			return r;
	}
	return add_bridges(plan, err);
}
