// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/inventory.h"
#include "plan/inventory_json.h"

#define TOPO_VERSION 1

static const char *iommu_name(enum inv_iommu iommu)
{
	static const char *const names[] = {
		[INV_IOMMU_NONE] = "none", [INV_IOMMU_INTEL] = "intel", [INV_IOMMU_AMD] = "amd",
		[INV_IOMMU_ARM] = "arm",   [INV_IOMMU_OTHER] = "other",
	};

	return names[iommu];
}

json_t *inv_json_number(int value)
{
	return value < 0 ? json_null() : json_integer(value);
}

static json_t *cpulist(const struct cv_cpuset *set)
{
	_cleanup_free_ char *list = cv_format_cpulist(set);

	return list ? json_string(list) : NULL;
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
	return json_pack("{so so so so so so so so so so}", "kernel", cv_json_string(h->kernel),
			 "boot_id", cv_json_string(h->boot_id), "cpu_vendor",
			 cv_json_string(h->cpu_vendor), "cpu_model", cv_json_string(h->cpu_model),
			 "cmdline", cv_json_string(h->cmdline), "container",
			 cv_json_string(h->container), "online_cpus", cpulist(&h->online),
			 "isolated_cpus", cpulist(&h->isolated), "nohz_full_cpus",
			 cpulist(&h->nohz_full), "rcu_nocbs_cpus", cpulist(&h->rcu_nocbs));
}

static json_t *size_or_null(uint64_t bytes)
{
	return bytes == 0 ? json_null() : json_integer((json_int_t)bytes);
}

static json_t *cpu_facts_json(const struct inv_host *h)
{
	return json_pack("{so so so s{so so so so}}", "family", inv_json_number(h->cpu_family),
			 "model", inv_json_number(h->cpu_model_id), "phys_bits",
			 size_or_null(h->phys_bits), "caches", "l1d", size_or_null(h->caches.l1d),
			 "l1i", size_or_null(h->caches.l1i), "l2", size_or_null(h->caches.l2), "l3",
			 size_or_null(h->caches.l3));
}

static json_t *resctrl_json(const struct inv_resctrl *r)
{
	return json_pack("{sb sb sb sI si si si si}", "mounted", r->is_mounted, "l3", r->has_l3,
			 "mb", r->has_mb, "l3_mask", (json_int_t)r->l3_mask, "l3_min_bits",
			 (int)r->l3_min_bits, "l3_closids", (int)r->l3_closids, "mb_min",
			 (int)r->mb_min, "mb_step", (int)r->mb_step);
}

static json_t *iommu_json(const struct inv_host *h)
{
	return json_pack("{ss si so sb sb}", "kind", iommu_name(h->iommu), "groups",
			 h->n_iommu_groups, "domain", cv_json_string(h->iommu_domain),
			 "interrupt_remapping", h->has_intremap, "unsafe_interrupts",
			 h->unsafe_interrupts);
}

static json_t *features_json(const struct inv_host *h)
{
	return json_pack("{sb sb sb sb sb sb sb sb sb sb sb sb sb so}", "kvm", h->has_kvm, "virt",
			 h->has_virt, "nested_paging", h->has_npt, "vfio_container",
			 h->has_vfio_container, "vfio_pci", h->has_vfio_pci, "iommufd",
			 h->has_iommufd, "cgroup2", h->has_cgroup2, "cpuset", h->has_cpuset,
			 "cpuset_exclusive", h->has_cpuset_exclusive, "smt", h->smt_active, "ksm",
			 h->ksm_run, "numa_balancing", h->numa_balancing, "thp_always",
			 h->thp_always, "governor", cv_json_string(h->governor));
}

static json_t *host_json(const struct inv_host *h)
{
	json_t *j = machine_json(h);

	/* -1 stands for unlimited: JSON integers are signed here. */
	if (json_object_set_new(j, "memlock_limit", json_integer((json_int_t)h->memlock_limit)) ||
	    json_object_set_new(j, "cpu", cpu_facts_json(h)) ||
	    json_object_set_new(j, "resctrl", resctrl_json(&h->resctrl)) ||
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

	return json_pack("{si so so so so so so so si so sb sb sb}", "id", c->id, "node",
			 inv_json_number(c->node), "package", inv_json_number(c->package), "die",
			 inv_json_number(c->die), "l3", inv_json_number(c->l3), "l2",
			 inv_json_number(c->l2), "core", inv_json_number(c->core), "thread",
			 inv_json_number(c->thread), "kind", c->kind, "irqs",
			 inv_json_number(c->irqs), "isolated", c->is_isolated, "nohz_full",
			 c->is_nohz_full, "rcu_nocbs", c->is_rcu_nocbs);
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

static json_t *blocks_json(const struct inv_node *node)
{
	if (node->free_blocks == INV_UNKNOWN)
		return json_null();
	return json_integer((json_int_t)node->free_blocks);
}

static json_t *node_json(const struct inventory *inv, size_t i)
{
	const struct inv_node *node = &inv->nodes[i];

	return json_pack("{si so sI sI sI so so so}", "id", node->id, "cpus", cpulist(&node->cpus),
			 "mem_total", (json_int_t)node->mem_total, "mem_free",
			 (json_int_t)node->mem_free, "obtainable", (json_int_t)node->obtainable,
			 "free_blocks", blocks_json(node), "distances", distances_json(inv, node),
			 "pools", pools_json(node));
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

	return json_pack("{so so si so sI so so}", "name", cv_json_string(l->name), "user",
			 cv_json_string(l->owner.user), "uid", (int)l->owner.uid, "job",
			 cv_json_string(l->owner.job), "since", (json_int_t)l->since, "cpus",
			 cpulist(&l->cpus), "devices", lease_devices(l));
}

static json_t *region_json(const struct inv_region *r)
{
	char start[24], end[24];

	/* as text: JSON integers are signed here, and end at 2^64 - 1 */
	snprintf(start, sizeof(start), "0x%llx", (unsigned long long)r->start);
	snprintf(end, sizeof(end), "0x%llx", (unsigned long long)r->end);
	return json_pack("{ss ss so}", "start", start, "end", end, "type", cv_json_string(r->type));
}

static json_t *group_json(const struct inventory *inv, size_t i)
{
	const struct inv_group *g = &inv->groups[i];
	_cleanup_json_ json_t *regions = json_array();

	for (size_t r = 0; regions && r < g->n_regions; r++)
		if (json_array_append_new(regions, region_json(&g->regions[r])))
			return NULL;
	return json_pack("{si so sO}", "id", g->id, "domain", cv_json_string(g->domain), "regions",
			 regions);
}

static json_t *partition_json(const struct inventory *inv, size_t i)
{
	const struct inv_partition *p = &inv->partitions[i];

	return json_pack("{so so sb}", "path", cv_json_string(p->path), "cpus", cpulist(&p->cpus),
			 "isolated", p->is_isolated);
}

json_t *inventory_json(const struct inventory *inv)
{
	return json_pack("{si so so so so so so so}", "carve_topo", TOPO_VERSION, "host",
			 host_json(&inv->host), "cpus", array_of(inv->n_cpus, cpu_json, inv),
			 "nodes", array_of(inv->n_nodes, node_json, inv), "devices",
			 array_of(inv->n_devs, inv_dev_json, inv), "groups",
			 array_of(inv->n_groups, group_json, inv), "partitions",
			 array_of(inv->n_partitions, partition_json, inv), "leases",
			 array_of(inv->n_leases, lease_json, inv));
}
