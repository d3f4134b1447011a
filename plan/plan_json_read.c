// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan back from JSON (docs/formats/plan.md). Strict: each member is there and in range, and the
 * parts agree with each other, so that nobody after this has to check. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/state.h"
#include "plan/guest_tables.h"
#include "plan/json_members.h"
#include "plan/plan_json_virtio.h"

#define MAX_DEVICES 256
#define MAX_RANGES 4096
#define MAX_CLIQUE 15
#define MAX_LINK 65535	      /* speed or width of a link */
#define MAX_BYTES (1LL << 61) /* of BARs */
#define MAX_STEPS 4096
#define MAX_REASONS 65536
#define MAX_ID 65535 /* of a guest topology id or a host node */

static int read_head(const json_t *j, struct plan *p)
{
	int r = member_text(j, "name", p->name, sizeof(p->name));

	if (r == 0 && !cv_name_is_valid(p->name))
		r = -EINVAL;
	r = r ?: member_text(j, "user", p->user, sizeof(p->user));
	r = r ?: member_text(j, "backend", p->backend, sizeof(p->backend));
	r = r ?: member_text(j, "hypervisor", p->hypervisor, sizeof(p->hypervisor));
	r = r ?: member_text(j, "cpu_vendor", p->cpu_vendor, sizeof(p->cpu_vendor));
	r = r ?: member_list(j, "host_cpus", &p->host_cpus);
	return r ?: member_list(j, "vmm_cpus", &p->vmm_cpus);
}

/* Not there: normal policy. */
static int read_rt(const json_t *j, struct plan *p)
{
	int priority = 0;
	int r = json_object_get(j, "rt_priority")
			? member_int(j, "rt_priority", 1, PLAN_RT_MAX, &priority)
			: 0;

	p->rt_priority = (unsigned int)priority;
	return r;
}

static int read_limits(const json_t *j, struct plan *p)
{
	return plan_limits_from_json(json_object_get(j, "limits"), &p->limits);
}

static int read_cpu(const json_t *j, struct plan *p)
{
	const json_t *c = json_object_get(j, "cpu");
	int r = member_int(c, "family", -1, MAX_ID, &p->cpu_family);

	r = r ?: member_int(c, "model", -1, MAX_ID, &p->cpu_model);
	r = r ?: member_size(c, "l1d", MAX_BYTES, &p->caches.l1d);
	r = r ?: member_size(c, "l1i", MAX_BYTES, &p->caches.l1i);
	r = r ?: member_size(c, "l2", MAX_BYTES, &p->caches.l2);
	return r ?: member_size(c, "l3", MAX_BYTES, &p->caches.l3);
}

static int read_boot(const json_t *j, struct plan *p)
{
	const json_t *b = json_object_get(j, "boot");
	int r = member_copy(b, "kernel", &p->kernel);

	r = r ?: member_copy(b, "initrd", &p->initrd);
	return r ?: member_copy(b, "cmdline", &p->cmdline);
}

static int read_topology(const json_t *j, struct plan *p)
{
	const json_t *t = json_object_get(j, "topology");
	int r = member_int(t, "packages", 1, CV_CPU_MAX, &p->packages);

	r = r ?: member_int(t, "dies", 1, CV_CPU_MAX, &p->dies);
	r = r ?: member_int(t, "cores", 1, CV_CPU_MAX, &p->cores);
	return r ?: member_int(t, "threads", 1, CV_CPU_MAX, &p->threads);
}

static int read_vcpu(const json_t *v, size_t i, struct plan_vcpu *ret)
{
	int index;
	int r = member_int(v, "vcpu", (int64_t)i, (int64_t)i, &index);

	r = r ?: member_int(v, "host_cpu", 0, CV_CPU_MAX - 1, &ret->host_cpu);
	r = r ?: member_int(v, "node", 0, PLAN_MAX_NODES - 1, &ret->guest_node);
	r = r ?: member_int(v, "package", 0, MAX_ID, &ret->package);
	r = r ?: member_int(v, "die", 0, MAX_ID, &ret->die);
	r = r ?: member_int(v, "core", 0, MAX_ID, &ret->core);
	r = r ?: member_int(v, "thread", 0, MAX_ID, &ret->thread);
	return r ?: member_int(v, "l3", 0, MAX_ID, &ret->l3);
}

static int read_vcpus(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = member_array(j, "vcpus", sizeof(*p->vcpus), CV_CPU_MAX, &a, (void **)&p->vcpus,
			     &p->n_vcpus);

	for (size_t i = 0; i < p->n_vcpus && r == 0; i++)
		r = read_vcpu(json_array_get(a, i), i, &p->vcpus[i]);
	return r;
}

static int read_distances(const json_t *v, size_t n, int *ret)
{
	const json_t *a = json_object_get(v, "distances");

	if (json_array_size(a) != n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(a, i);

		if (!json_is_integer(d) || json_integer_value(d) < 10 ||
		    json_integer_value(d) > 255)
			return -EINVAL;
		ret[i] = (int)json_integer_value(d);
	}
	return 0;
}

static int read_node(const json_t *v, size_t i, size_t n, struct plan_node *ret)
{
	int index;
	int r = member_int(v, "node", (int64_t)i, (int64_t)i, &index);

	r = r ?: member_int(v, "host_node", 0, MAX_ID, &ret->host_node);
	r = r ?: member_u64(v, "memory", &ret->memory);
	r = r ?: member_u64(v, "page_size", &ret->page_size);
	r = r ?: member_u64(v, "pages", &ret->pages);
	r = r ?: member_list(v, "vcpus", &ret->vcpus);
	r = r ?: read_distances(v, n, ret->distances);
	if (r == 0 && (ret->memory % ret->page_size || ret->memory / ret->page_size != ret->pages))
		r = -EINVAL;
	return r;
}

static int read_nodes(const json_t *j, struct plan *p)
{
	const json_t *a = json_object_get(j, "nodes");
	int r = 0;

	p->n_nodes = json_array_size(a);
	if (p->n_nodes == 0 || p->n_nodes > PLAN_MAX_NODES) {
		p->n_nodes = 0;
		return -EINVAL;
	}
	for (size_t i = 0; i < p->n_nodes && r == 0; i++)
		r = read_node(json_array_get(a, i), i, p->n_nodes, &p->nodes[i]);
	return r;
}

static int read_link(const json_t *v, unsigned int *ret_speed, unsigned int *ret_width)
{
	int speed, width;
	int r = member_int(v, "link_speed", 0, MAX_LINK, &speed);

	r = r ?: member_int(v, "link_width", 0, MAX_LINK, &width);
	if (r < 0)
		return r;
	*ret_speed = (unsigned int)speed;
	*ret_width = (unsigned int)width;
	return 0;
}

static int read_bridge(const json_t *v, const struct plan *p, int i, struct plan_bridge *ret)
{
	int bus = 0, kind = 0;
	int r = member_text(v, "id", ret->id, sizeof(ret->id));

	r = r ?: member_word(v, "kind", plan_port_words, PLAN_PORTS, &kind);
	r = r ?: member_int(v, "parent", -1, i - 1, &ret->parent);
	r = r ?: member_int(v, "node", 0, (int64_t)p->n_nodes - 1, &ret->guest_node);
	r = r ?: member_int(v, "bus", 1, 255, &bus);
	r = r ?: read_link(v, &ret->link_speed, &ret->link_width);
	ret->kind = (enum plan_port)kind;
	ret->bus = (uint8_t)bus;
	ret->has_host = json_object_get(v, "host_port") != NULL;
	if (r == 0 && ret->has_host)
		r = member_bdf(v, "host_port", &ret->host);
	if (r == 0 && ret->kind != PLAN_HOST_BRIDGE)
		r = member_bdf(v, "guest", &ret->bdf);
	return r;
}

static int read_bridges(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = member_array(j, "bridges", sizeof(*p->bridges), PLAN_MAX_BUSES, &a,
			     (void **)&p->bridges, &p->n_bridges);

	for (size_t i = 0; i < p->n_bridges && r == 0; i++)
		r = read_bridge(json_array_get(a, i), p, (int)i, &p->bridges[i]);
	return r;
}

static int read_accept(const json_t *v, unsigned int *ret)
{
	const json_t *a = json_object_get(v, "accept");
	unsigned int bits = 0;

	if (!json_is_array(a))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(a); i++) {
		const char *word = json_string_value(json_array_get(a, i));
		unsigned int bit = 0;

		while (bit < PLAN_ACCEPT_BITS && (!word || strcmp(word, plan_accept_words[bit])))
			bit++;
		if (bit == PLAN_ACCEPT_BITS)
			return -EINVAL;
		bits |= 1u << bit;
	}
	*ret = bits;
	return 0;
}

static int read_vf(const json_t *v, struct plan_device *d)
{
	int r = member_bool(v, "vf", &d->is_vf);

	r = r ?: member_bool(v, "create", &d->is_new);
	d->vf_index = -1;
	if (r < 0 || !d->is_vf)
		return r < 0 || d->is_new ? -EINVAL : 0;
	r = member_bdf(v, "pf", &d->pf);
	return r ?: member_int(v, "vf_index", 0, MAX_ID, &d->vf_index);
}

static int read_mac(const json_t *v, struct plan_device *d)
{
	uint8_t mac[6];

	if (!json_object_get(v, "mac"))
		return 0;
	int r = member_text(v, "mac", d->mac, sizeof(d->mac));
	return r ?: cv_parse_mac(d->mac, mac);
}

static int read_ids(const json_t *v, struct plan_device *d)
{
	uint64_t vendor, device, class;
	int r = member_hex(v, "vendor", 0xffff, &vendor);

	r = r ?: member_hex(v, "device", 0xffff, &device);
	r = r ?: member_hex(v, "class_code", 0xffffff, &class);
	if (r < 0)
		return r;
	d->vendor = (uint16_t)vendor;
	d->device = (uint16_t)device;
	d->class = (uint32_t) class;
	r = member_text(v, "class", d->class_name, sizeof(d->class_name));
	return r ?: member_text(v, "driver", d->driver, sizeof(d->driver));
}

static int read_device(const json_t *v, const struct plan *p, struct plan_device *d)
{
	int r = member_text(v, "id", d->id, sizeof(d->id));

	r = r ?: member_bdf(v, "host", &d->host);
	r = r ?: member_bdf(v, "guest", &d->guest);
	r = r ?: member_int(v, "bridge", 0, (int64_t)p->n_bridges - 1, &d->bridge);
	r = r ?: member_int(v, "host_node", -1, MAX_ID, &d->host_node);
	r = r ?: member_int(v, "node", 0, (int64_t)p->n_nodes - 1, &d->guest_node);
	r = r ?: read_vf(v, d);
	r = r ?: read_ids(v, d);
	r = r ?: member_size(v, "mmio32", MAX_BYTES, &d->mmio32);
	r = r ?: member_size(v, "mmio64", MAX_BYTES, &d->mmio64);
	r = r ?: read_link(v, &d->link_speed, &d->link_width);
	r = r ?: member_int(v, "clique", -1, MAX_CLIQUE, &d->clique);
	r = r ?: read_mac(v, d);
	r = r ?: member_int(v, "vlan", 0, 4094, &d->vlan);
	return r ?: read_accept(v, &d->accept);
}

static int read_devices(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = member_array(j, "devices", sizeof(*p->devices), MAX_DEVICES, &a,
			     (void **)&p->devices, &p->n_devices);

	for (size_t i = 0; i < p->n_devices && r == 0; i++)
		r = read_device(json_array_get(a, i), p, &p->devices[i]);
	return r;
}

static int read_range(const json_t *v, const struct plan *p, struct plan_range *ret)
{
	int kind = 0;
	int r = member_word(v, "kind", plan_range_words, PLAN_RANGE_KINDS, &kind);

	r = r ?: member_size(v, "start", MAX_BYTES, &ret->start);
	r = r ?: member_size(v, "size", MAX_BYTES, &ret->size);
	r = r ?: member_int(v, "node", -1, (int64_t)p->n_nodes - 1, &ret->guest_node);
	r = r ?: member_text(v, "why", ret->why, sizeof(ret->why));
	ret->kind = (enum plan_range_kind)kind;
	return r == 0 && ret->size == 0 ? -EINVAL : r;
}

static int read_memory_map(const json_t *j, struct plan *p)
{
	const json_t *m = json_object_get(j, "memory_map"), *a;
	int bits = 0, limit = 0;
	int r = member_int(m, "phys_bits", 32, 64, &bits);

	r = r ?: member_int(m, "phys_bits_limit", 0, 64, &limit);
	p->phys_bits = (unsigned int)bits;
	p->phys_bits_limit = (unsigned int)limit;
	r = r ?: member_size(m, "low_limit", PLAN_4G, &p->low_limit);
	r = r ?: member_size(m, "memlock", MAP_MEMLOCK_MAX, &p->memlock);
	r = r
		    ?: member_array(m, "ranges", sizeof(*p->ranges), MAX_RANGES, &a,
				    (void **)&p->ranges, &p->n_ranges);
	for (size_t i = 0; i < p->n_ranges && r == 0; i++)
		r = read_range(json_array_get(a, i), p, &p->ranges[i]);
	return r;
}

static int read_step(const json_t *v, size_t i, struct cv_step *s)
{
	int seq = 0;
	int r = member_int(v, "seq", (int64_t)i + 1, (int64_t)i + 1, &seq);

	s->seq = (unsigned int)seq;
	r = r ?: member_copy(v, "kind", (char **)&s->kind);
	r = r ?: member_copy(v, "object", (char **)&s->object);
	r = r ?: member_copy(v, "value", (char **)&s->value);
	return r ?: member_copy(v, "why", (char **)&s->why);
}

static int read_steps(const json_t *j, struct plan *p)
{
	const json_t *a;
	int r = member_array(j, "steps", sizeof(*p->steps), MAX_STEPS, &a, (void **)&p->steps,
			     &p->n_steps);

	for (size_t i = 0; i < p->n_steps && r == 0; i++)
		r = read_step(json_array_get(a, i), i, &p->steps[i]);
	return r;
}

static int read_reason_list(const json_t *j, const char *key, struct plan_reason **ret,
			    size_t *ret_n)
{
	const json_t *a;
	int r = member_array(j, key, sizeof(**ret), MAX_REASONS, &a, (void **)ret, ret_n);

	for (size_t i = 0; i < *ret_n && r == 0; i++) {
		const json_t *v = json_array_get(a, i);

		r = member_copy(v, "object", &(*ret)[i].object);
		r = r ?: member_copy(v, "why", &(*ret)[i].text);
	}
	return r;
}

static int read_reasons(const json_t *j, struct plan *p)
{
	int r = read_reason_list(j, "reasons", &p->reasons, &p->n_reasons);

	return r ?: read_reason_list(j, "rejected", &p->rejected, &p->n_rejected);
}

/* ---- all of it ---- */

static const struct {
	const char *name;
	int (*read)(const json_t *j, struct plan *p);
} parts[] = {
	{ "head", read_head },
	{ "rt_priority", read_rt },
	{ "cpu", read_cpu },
	{ "boot", read_boot },
	{ "topology", read_topology },
	{ "vcpus", read_vcpus },
	{ "nodes", read_nodes },
	{ "bridges", read_bridges },
	{ "devices", read_devices },
	{ "disks", plan_read_disks },
	{ "net", plan_read_nets },
	{ "shares", plan_read_shares },
	{ "vsock_cid", plan_read_vsock },
	{ "memory_map", read_memory_map },
	{ "steps", read_steps },
	{ "reasons", read_reasons },
	{ "limits", read_limits },
};

static int bad(int r, const char *origin, const char *part, struct cv_error *err)
{
	if (r == -ENOMEM)
		return cv_fail_errno(err, r, origin, "cannot read the plan");
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_PLAN", origin, "not a valid plan");
	cv_error_found(err,
		       "%s: a member is missing, of another type, out of range, or "
		       "contradicts another",
		       part);
	cv_error_wanted(err, "the output of carve plan --json");
	cv_error_hint(err, "make the plan again with carve plan SPEC --json");
	return -EINVAL;
}

int plan_from_json(const json_t *j, const char *origin, struct plan *ret, struct cv_error *err)
{
	_cleanup_plan_ struct plan p = { 0 };
	int r = cv_json_version(j, "carve_plan", PLAN_VERSION, origin, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < CV_ARRAY_SIZE(parts); i++) {
		r = parts[i].read(j, &p);
		if (r < 0)
			return bad(r, origin, parts[i].name, err);
	}
	const char *part = plan_contradiction(&p);
	if (part)
		return bad(-EINVAL, origin, part, err);
	*ret = p;
	p = (struct plan){ 0 };
	return 0;
}
