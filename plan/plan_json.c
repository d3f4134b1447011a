// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan as JSON (docs/formats/plan.md): one function per part, put together at the end. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/placement.h"
#include "plan/plan_json_virtio.h"

static json_t *list_json(const struct cv_cpuset *s)
{
	_cleanup_free_ char *text = cv_format_cpulist(s);

	return text ? json_string(text) : NULL;
}

static json_t *bdf_json(struct cv_bdf b)
{
	char text[CV_BDF_MAX];

	return json_string(cv_format_bdf(b, text));
}

static json_t *vcpus_json(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i];

		json_array_append_new(a,
				      json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "vcpu", (int)i,
						"host_cpu", v->host_cpu, "node", v->guest_node,
						"package", v->package, "die", v->die, "core",
						v->core, "thread", v->thread, "l3", v->l3));
	}
	return a;
}

static json_t *topology_json(const struct plan *p)
{
	return json_pack("{s:i,s:i,s:i,s:i}", "packages", p->packages, "dies", p->dies, "cores",
			 p->cores, "threads", p->threads);
}

static json_t *nodes_json(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_nodes; i++) {
		const struct plan_node *n = &p->nodes[i];
		json_t *d = json_array();

		for (size_t j = 0; j < p->n_nodes; j++)
			json_array_append_new(d, json_integer(n->distances[j]));
		json_array_append_new(
			a, json_pack("{s:i,s:i,s:I,s:I,s:I,s:o,s:o}", "node", (int)i, "host_node",
				     n->host_node, "memory", (json_int_t)n->memory, "page_size",
				     (json_int_t)n->page_size, "pages", (json_int_t)n->pages,
				     "vcpus", list_json(&n->vcpus), "distances", d));
	}
	return a;
}

static json_t *bridges_json(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_bridges; i++) {
		const struct plan_bridge *b = &p->bridges[i];
		json_t *j = json_pack("{s:s,s:s,s:i,s:i,s:i}", "id", b->id, "kind",
				      plan_port_words[b->kind], "parent", b->parent, "node",
				      b->guest_node, "bus", (int)b->bus);

		if (b->kind != PLAN_HOST_BRIDGE)
			json_object_set_new(j, "guest", bdf_json(b->bdf));
		if (b->has_host)
			json_object_set_new(j, "host_port", bdf_json(b->host));
		json_object_set_new(j, "link_speed", json_integer(b->link_speed));
		json_object_set_new(j, "link_width", json_integer(b->link_width));
		json_array_append_new(a, j);
	}
	return a;
}

static json_t *accept_json(unsigned int accept)
{
	json_t *a = json_array();

	for (size_t i = 0; i < PLAN_ACCEPT_BITS; i++)
		if (accept & (1u << i))
			json_array_append_new(a, json_string(plan_accept_words[i]));
	return a;
}

static json_t *devices_json(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		char vendor[8], device[8], class[8];
		json_t *j = json_pack("{s:s,s:o,s:o,s:i,s:i,s:i,s:b,s:b}", "id", d->id, "host",
				      bdf_json(d->host), "guest", bdf_json(d->guest), "bridge",
				      d->bridge, "host_node", d->host_node, "node", d->guest_node,
				      "vf", d->is_vf, "create", d->is_new);

		snprintf(vendor, sizeof(vendor), "%04x", d->vendor);
		snprintf(device, sizeof(device), "%04x", d->device);
		if (d->is_vf) {
			json_object_set_new(j, "pf", bdf_json(d->pf));
			json_object_set_new(j, "vf_index", json_integer(d->vf_index));
		}
		json_object_set_new(j, "vendor", json_string(vendor));
		json_object_set_new(j, "device", json_string(device));
		snprintf(class, sizeof(class), "%06x", d->class & 0xffffff);
		json_object_set_new(j, "class", json_string(d->class_name));
		json_object_set_new(j, "class_code", json_string(class));
		json_object_set_new(j, "mmio32", json_integer((json_int_t)d->mmio32));
		json_object_set_new(j, "mmio64", json_integer((json_int_t)d->mmio64));
		json_object_set_new(j, "link_speed", json_integer(d->link_speed));
		json_object_set_new(j, "link_width", json_integer(d->link_width));
		json_object_set_new(j, "clique", json_integer(d->clique));
		json_object_set_new(j, "driver", json_string(d->driver));
		if (d->mac[0])
			json_object_set_new(j, "mac", json_string(d->mac));
		json_object_set_new(j, "vlan", json_integer(d->vlan));
		json_object_set_new(j, "accept", accept_json(d->accept));
		json_array_append_new(a, j);
	}
	return a;
}

static json_t *memory_map_json(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];

		json_array_append_new(
			a, json_pack("{s:s,s:I,s:I,s:i,s:s}", "kind", plan_range_words[r->kind],
				     "start", (json_int_t)r->start, "size", (json_int_t)r->size,
				     "node", r->guest_node, "why", r->why));
	}
	return json_pack("{s:i,s:i,s:I,s:I,s:o}", "phys_bits", (int)p->phys_bits, "phys_bits_limit",
			 (int)p->phys_bits_limit, "low_limit", (json_int_t)p->low_limit, "memlock",
			 (json_int_t)p->memlock, "ranges", a);
}

static json_t *cpu_json(const struct plan *p)
{
	return json_pack("{s:i,s:i,s:I,s:I,s:I,s:I}", "family", p->cpu_family, "model",
			 p->cpu_model, "l1d", (json_int_t)p->caches.l1d, "l1i",
			 (json_int_t)p->caches.l1i, "l2", (json_int_t)p->caches.l2, "l3",
			 (json_int_t)p->caches.l3);
}

static json_t *steps_json(const struct plan *p)
{
	json_t *a = json_array();

	for (size_t i = 0; i < p->n_steps; i++) {
		const struct cv_step *s = &p->steps[i];

		json_array_append_new(
			a, json_pack("{s:i,s:s,s:o,s:o,s:o}", "seq", (int)s->seq, "kind", s->kind,
				     "object", cv_json_string(s->object), "value",
				     cv_json_string(s->value), "why", cv_json_string(s->why)));
	}
	return a;
}

static json_t *reasons_json(const struct plan_reason *r, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a,
				      json_pack("{s:o,s:o}", "object", cv_json_string(r[i].object),
						"why", cv_json_string(r[i].text)));
	return a;
}

static json_t *boot_json(const struct plan *p)
{
	return json_pack("{s:s,s:s,s:s}", "kernel", p->kernel, "initrd", p->initrd, "cmdline",
			 p->cmdline);
}

/* NULL, and then no member, for the normal policy. */
static json_t *rt_json(const struct plan *p)
{
	return p->rt_priority ? json_integer(p->rt_priority) : NULL;
}

json_t *plan_json(const struct plan *p)
{
	return json_pack(
		"{s:i,s:s,s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o*,s:o*,s:o,s:o,s:o,s:o*,"
		"s:o*,s:o*,s:o*,s:o,s:o,s:o,s:o}",
		"carve_plan", PLAN_VERSION, "name", p->name, "user", p->user, "backend", p->backend,
		"hypervisor", p->hypervisor, "cpu_vendor", p->cpu_vendor, "cpu", cpu_json(p),
		"boot", boot_json(p), "topology", topology_json(p), "vcpus", vcpus_json(p),
		"host_cpus", list_json(&p->host_cpus), "vmm_cpus", list_json(&p->vmm_cpus),
		"rt_priority", rt_json(p), "limits", plan_limits_json(&p->limits), "nodes",
		nodes_json(p), "bridges", bridges_json(p), "devices", devices_json(p), "disks",
		plan_disks_json(p), "net", plan_nets_json(p), "shares", plan_shares_json(p),
		"vsock_cid", plan_vsock_json(p), "memory_map", memory_map_json(p), "steps",
		steps_json(p), "reasons", reasons_json(p->reasons, p->n_reasons), "rejected",
		reasons_json(p->rejected, p->n_rejected));
}
