// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/inventory.h"

#define TOPO_VERSION 1

static const char *port_name(enum inv_port port)
{
	static const char *const names[] = {
		[INV_PORT_ENDPOINT] = "endpoint",
		[INV_PORT_ROOT_ENDPOINT] = "root-endpoint",
		[INV_PORT_ROOT] = "root-port",
		[INV_PORT_UPSTREAM] = "upstream",
		[INV_PORT_DOWNSTREAM] = "downstream",
		[INV_PORT_BRIDGE] = "bridge",
		[INV_PORT_CONVENTIONAL] = "conventional",
	};

	return names[port];
}

static const char *iommu_name(enum inv_iommu iommu)
{
	static const char *const names[] = {
		[INV_IOMMU_NONE] = "none", [INV_IOMMU_INTEL] = "intel", [INV_IOMMU_AMD] = "amd",
		[INV_IOMMU_ARM] = "arm",   [INV_IOMMU_OTHER] = "other",
	};

	return names[iommu];
}

static const char *holder_name(enum inv_holder_kind kind)
{
	static const char *const names[] = {
		[INV_HOLDER_NONE] = "none",	  [INV_HOLDER_MOUNT] = "mount",
		[INV_HOLDER_NETDEV] = "netdev",	  [INV_HOLDER_PROCESS] = "process",
		[INV_HOLDER_FOREIGN] = "foreign",
	};

	return names[kind];
}

/* Text from the machine may hold any byte; jansson takes UTF-8 only. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);
	char clean[1100];
	size_t n = 0;

	if (j)
		return j;
	for (; n < sizeof(clean) - 1 && s[n]; n++)
		clean[n] = (unsigned char)s[n] < 0x80 ? s[n] : '?';
	clean[n] = '\0';
	return json_string(clean);
}

static json_t *number_or_null(int value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *cpulist(const struct cv_cpuset *set)
{
	_cleanup_free_ char *list = cv_format_cpulist(set);

	return list ? json_string(list) : NULL;
}

static json_t *bdf_or_null(const struct inventory *inv, int dev)
{
	char buf[CV_BDF_MAX];

	if (dev < 0 || (size_t)dev >= inv->n_devs)
		return json_null();
	return json_string(cv_format_bdf(inv->devs[dev].bdf, buf));
}

/* An array of @n elements; NULL as soon as one of them cannot be made. */
static json_t *array_of(size_t n, json_t *(*make)(const struct inventory *, size_t),
			const struct inventory *inv)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++) {
		if (json_array_append_new(list, make(inv, i)))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *machine_json(const struct inv_host *h)
{
	return json_pack("{so so so so so so so so so}", "kernel", text(h->kernel), "boot_id",
			 text(h->boot_id), "cpu_vendor", text(h->cpu_vendor), "cpu_model",
			 text(h->cpu_model), "cmdline", text(h->cmdline), "container",
			 text(h->container), "online_cpus", cpulist(&h->online), "isolated_cpus",
			 cpulist(&h->isolated), "nohz_full_cpus", cpulist(&h->nohz_full));
}

static json_t *iommu_json(const struct inv_host *h)
{
	return json_pack("{ss si so sb sb}", "kind", iommu_name(h->iommu), "groups",
			 h->n_iommu_groups, "domain", text(h->iommu_domain), "interrupt_remapping",
			 h->has_intremap, "unsafe_interrupts", h->unsafe_interrupts);
}

static json_t *features_json(const struct inv_host *h)
{
	return json_pack("{sb sb sb sb sb sb sb sb sb sb sb sb sb so}", "kvm", h->has_kvm, "virt",
			 h->has_virt, "nested_paging", h->has_npt, "vfio_container",
			 h->has_vfio_container, "vfio_pci", h->has_vfio_pci, "iommufd",
			 h->has_iommufd, "cgroup2", h->has_cgroup2, "cpuset", h->has_cpuset,
			 "cpuset_exclusive", h->has_cpuset_exclusive, "smt", h->smt_active, "ksm",
			 h->ksm_run, "numa_balancing", h->numa_balancing, "thp_always",
			 h->thp_always, "governor", text(h->governor));
}

static json_t *host_json(const struct inv_host *h)
{
	json_t *j = machine_json(h);

	/* -1 stands for unlimited: JSON integers are signed here. */
	if (json_object_set_new(j, "memlock_limit", json_integer((json_int_t)h->memlock_limit)) ||
	    json_object_set_new(j, "iommu", iommu_json(h)) ||
	    json_object_set_new(j, "features", features_json(h))) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static json_t *cpu_json(const struct inventory *inv, size_t i)
{
	const struct inv_cpu *c = &inv->cpus[i];

	return json_pack("{si so so so so so so so sb sb}", "id", c->id, "node",
			 number_or_null(c->node), "package", number_or_null(c->package), "die",
			 number_or_null(c->die), "l3", number_or_null(c->l3), "l2",
			 number_or_null(c->l2), "core", number_or_null(c->core), "thread",
			 number_or_null(c->thread), "isolated", c->is_isolated, "nohz_full",
			 c->is_nohz_full);
}

static json_t *pools_json(const struct inv_node *node)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; list && i < node->n_pools; i++) {
		const struct inv_pool *p = &node->pools[i];

		if (json_array_append_new(list, json_pack("{sI sI sI sI}", "page_size",
							  (json_int_t)p->page_size, "total",
							  (json_int_t)p->total, "free",
							  (json_int_t)p->free, "surplus",
							  (json_int_t)p->surplus)))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *distances_json(const struct inventory *inv, const struct inv_node *node)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; list && node->distances && i < inv->n_nodes; i++) {
		if (json_array_append_new(list, json_integer(node->distances[i])))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *node_json(const struct inventory *inv, size_t i)
{
	const struct inv_node *node = &inv->nodes[i];

	return json_pack("{si so sI sI so so}", "id", node->id, "cpus", cpulist(&node->cpus),
			 "mem_total", (json_int_t)node->mem_total, "mem_free",
			 (json_int_t)node->mem_free, "distances", distances_json(inv, node),
			 "pools", pools_json(node));
}

static json_t *bars_json(const struct inv_dev *d)
{
	_cleanup_json_ json_t *list = json_array();

	for (int i = 0; list && i < INV_MAX_BARS; i++) {
		const struct inv_bar *b = &d->bars[i];

		if (b->size == 0)
			continue;
		if (json_array_append_new(list, json_pack("{si sI sb sb sb}", "bar", i, "size",
							  (json_int_t)b->size, "64bit", b->is_64bit,
							  "prefetchable", b->is_prefetchable, "io",
							  b->is_io)))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *link_json(const struct inv_link *l)
{
	if (l->width == 0 && l->max_width == 0)
		return json_null();
	return json_pack("{si si si si}", "speed", (int)l->speed, "width", (int)l->width,
			 "max_speed", (int)l->max_speed, "max_width", (int)l->max_width);
}

static json_t *sriov_json(const struct inv_sriov *s)
{
	if (s->total == 0)
		return json_null();
	return json_pack("{si si si si si sb}", "total", (int)s->total, "num", (int)s->num,
			 "offset", (int)s->offset, "stride", (int)s->stride, "vf_device",
			 (int)s->vf_device, "autoprobe", s->autoprobe);
}

static json_t *netdev_json(const struct inv_dev *d)
{
	if (!d->netdev[0])
		return json_null();
	return json_pack("{so sb sb}", "name", text(d->netdev), "up", d->net_up, "carrier",
			 d->net_carrier);
}

static json_t *identity_json(const struct inventory *inv, const struct inv_dev *d)
{
	char buf[CV_BDF_MAX];

	return json_pack("{ss so ss ss so si si si si si so}", "bdf", cv_format_bdf(d->bdf, buf),
			 "parent", bdf_or_null(inv, d->parent), "root", d->root, "class_name",
			 inv_class_name(d), "name", text(d->name), "class", (int)d->class, "vendor",
			 (int)d->vendor, "device", (int)d->device, "subvendor", (int)d->subvendor,
			 "subdevice", (int)d->subdevice, "serial", text(d->serial));
}

static json_t *place_json(const struct inventory *inv, const struct inv_dev *d)
{
	return json_pack("{ss so so so so so so so so so}", "port", port_name(d->port), "node",
			 number_or_null(d->node), "group", number_or_null(d->group), "driver",
			 text(d->driver), "driver_override", text(d->driver_override), "pf",
			 bdf_or_null(inv, d->pf), "vf_index", number_or_null(d->vf_index), "sriov",
			 sriov_json(&d->sriov), "link", link_json(&d->link), "netdev",
			 netdev_json(d));
}

static json_t *state_json(const struct inv_dev *d)
{
	return json_pack("{so so si sb sb sb sb ss so so}", "bars", bars_json(d), "reset_methods",
			 text(d->reset_methods), "acs_ctrl", (int)d->acs_ctrl, "acs", d->has_acs,
			 "ats", d->has_ats, "multifunction", d->is_multifunction, "unreadable",
			 d->is_unreadable, "holder_kind", holder_name(d->holder_kind), "holder",
			 text(d->holder), "quarantine",
			 d->is_quarantined ? text(d->quarantine) : json_null());
}

static json_t *dev_json(const struct inventory *inv, size_t i)
{
	const struct inv_dev *d = &inv->devs[i];
	_cleanup_json_ json_t *j = identity_json(inv, d);
	_cleanup_json_ json_t *place = place_json(inv, d);
	_cleanup_json_ json_t *state = state_json(d);

	if (!j || !place || !state || json_object_update(j, place) || json_object_update(j, state))
		return NULL;
	if (json_object_set_new(j, "lease", json_null()))
		return NULL;
	const struct cv_lease *lease = inv_device_lease(inv, d->bdf);
	if (lease && json_object_set_new(j, "lease", text(lease->name)))
		return NULL;
	return TAKE_PTR(j);
}

static json_t *lease_devices(const struct cv_lease *lease)
{
	_cleanup_json_ json_t *list = json_array();
	char buf[CV_BDF_MAX];

	for (size_t i = 0; list && i < lease->n_devices; i++) {
		if (json_array_append_new(list, json_string(cv_format_bdf(lease->devices[i], buf))))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *lease_json(const struct inventory *inv, size_t i)
{
	const struct cv_lease *l = &inv->leases[i];

	return json_pack("{so so si so sI so so}", "name", text(l->name), "user",
			 text(l->owner.user), "uid", (int)l->owner.uid, "job", text(l->owner.job),
			 "since", (json_int_t)l->since, "cpus", cpulist(&l->cpus), "devices",
			 lease_devices(l));
}

json_t *inventory_json(const struct inventory *inv)
{
	return json_pack("{si so so so so so}", "carve_topo", TOPO_VERSION, "host",
			 host_json(&inv->host), "cpus", array_of(inv->n_cpus, cpu_json, inv),
			 "nodes", array_of(inv->n_nodes, node_json, inv), "devices",
			 array_of(inv->n_devs, dev_json, inv), "leases",
			 array_of(inv->n_leases, lease_json, inv));
}
