// SPDX-License-Identifier: GPL-2.0-or-later
/* The only file that knows hwloc. */
#include "numa/topology.h"

#include <errno.h>
#include <stdlib.h>

#include <hwloc.h>
#include <hwloc/distances.h>

#include "base/cleanup.h"
#include "numa/cpus.h"

#define PAGE_HUGE (UINT64_C(64) << 10) /* sizes from here on are pools; below, base pages */
#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20

/**
 * struct numbering - hwloc's logical indexes of one object type in the order we meet them
 * @map:  by logical index: our number + 1, 0 not met yet
 * @next: our next number
 */
struct numbering {
	int *map;
	int next;
};

/**
 * struct walk - state while the CPUs are filled by ascending id
 * @origin:  the file, or hwloc itself
 * @threads: by our core number: CPUs of it met so far
 */
struct walk {
	hwloc_topology_t topology;
	const char *origin;
	struct inventory *inv;
	struct cv_error *err;
	struct numbering core, l2, l3;
	int *threads;
};

static void destroy_topology(hwloc_topology_t *t)
{
	if (*t)
		hwloc_topology_destroy(*t);
}

static void walk_done(struct walk *w)
{
	destroy_topology(&w->topology);
	free(w->core.map);
	free(w->l2.map);
	free(w->l3.map);
	free(w->threads);
}

/*
 * No I/O objects: sriov/ reads PCI, and hwloc's own discovery would touch every config space. No
 * x86 component: it binds itself to each CPU in turn, which would disturb isolated ones.
 */
static int configure(hwloc_topology_t t)
{
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED |
			      HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;

	if (hwloc_topology_set_flags(t, flags) < 0)
		return -EINVAL;
	if (hwloc_topology_set_io_types_filter(t, HWLOC_TYPE_FILTER_KEEP_NONE) < 0 ||
	    hwloc_topology_set_icache_types_filter(t, HWLOC_TYPE_FILTER_KEEP_ALL) < 0)
		return -EINVAL;
	hwloc_topology_set_components(t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
	return 0;
}

/* @xml: a whole document, NULL for the machine. */
static int load(const char *xml, size_t len, hwloc_topology_t *ret)
{
	_cleanup_(destroy_topology) hwloc_topology_t t = NULL;
	int r;

	if (hwloc_topology_init(&t) < 0)
		return -ENOMEM;
	r = configure(t);
	if (r < 0)
		return r;
	if (xml && hwloc_topology_set_xmlbuffer(t, xml, (int)len + 1) < 0)
		return -EINVAL;
	if (hwloc_topology_load(t) < 0)
		return xml ? -EINVAL : -EIO;
	*ret = TAKE_PTR(t);
	return 0;
}

static int numbering_init(struct numbering *n, hwloc_topology_t t, hwloc_obj_type_t type)
{
	int objects = hwloc_get_nbobjs_by_type(t, type);

	n->map = calloc(objects > 0 ? (size_t)objects : 1, sizeof(*n->map));
	return n->map ? 0 : -ENOMEM;
}

static int walk_init(struct walk *w)
{
	int r;

	w->threads = calloc(w->inv->n_cpus, sizeof(*w->threads));
	if (!w->threads)
		return -ENOMEM;
	r = numbering_init(&w->core, w->topology, HWLOC_OBJ_CORE);
	if (r == 0)
		r = numbering_init(&w->l2, w->topology, HWLOC_OBJ_L2CACHE);
	if (r == 0)
		r = numbering_init(&w->l3, w->topology, HWLOC_OBJ_L3CACHE);
	return r;
}

static int bad_index(const struct walk *w, const char *what, int found)
{
	cv_fail(w->err, -EINVAL, CV_EXIT_USAGE, "EINVAL_TOPOLOGY", w->origin,
		"the topology has %s that cannot be", what);
	cv_error_found(w->err, "%d", found);
	cv_error_wanted(w->err, "0 to %d", CV_CPU_MAX - 1);
	return -EINVAL;
}

/* @what: "CPUs" or "nodes"; an empty or unlimited set has no last member. */
static int copy_set(const struct walk *w, hwloc_const_bitmap_t from, const char *what,
		    struct cv_cpuset *ret)
{
	int last = from ? hwloc_bitmap_last(from) : -1;

	if (last < 0 || last >= CV_CPU_MAX)
		return bad_index(w, what, last);
	for (int id = hwloc_bitmap_first(from); id >= 0; id = hwloc_bitmap_next(from, id))
		cv_cpuset_add(ret, id);
	return 0;
}

/* ---- nodes ---- */

static void add_pages(struct inv_node *node, uint64_t size, uint64_t count)
{
	uint64_t bytes;

	if (size >= PAGE_HUGE && node->n_pools < INV_MAX_POOLS) {
		node->pools[node->n_pools++] = (struct inv_pool){ .page_size = size,
								  .total = count,
								  .free = count };
	} else if (size > 0 && size < PAGE_HUGE && !__builtin_mul_overflow(size, count, &bytes)) {
		node->mem_free = node->obtainable = bytes;
	}
}

static void fill_node(hwloc_obj_t obj, struct inv_node *node)
{
	const struct hwloc_numanode_attr_s *a = &obj->attr->numanode;

	node->id = (int)obj->os_index;
	node->free_blocks = INV_UNKNOWN;
	node->mem_total = a->local_memory;
	node->mem_free = node->obtainable = a->local_memory;
	for (unsigned int i = 0; i < a->page_types_len; i++)
		add_pages(node, a->page_types[i].size, a->page_types[i].count);
	for (int id = hwloc_bitmap_first(obj->cpuset); id >= 0;
	     id = hwloc_bitmap_next(obj->cpuset, id))
		cv_cpuset_add(&node->cpus, id);
}

/* A CPU is on one node. hwloc lends a node without CPUs those nearest to it; kernels number
 * such nodes (memory of GPUs, CXL) after those with CPUs. */
static int fill_nodes(struct walk *w)
{
	struct inventory *inv = w->inv;
	struct cv_cpuset seen = { 0 };
	struct cv_cpuset ids = { 0 };
	int r = copy_set(w, hwloc_topology_get_topology_nodeset(w->topology), "nodes", &ids);

	if (r < 0)
		return r;
	inv->nodes = calloc((size_t)cv_cpuset_count(&ids), sizeof(*inv->nodes));
	if (!inv->nodes)
		return -ENOMEM;
	CV_CPUSET_FOREACH(id, &ids)
	{
		hwloc_obj_t obj = hwloc_get_numanode_obj_by_os_index(w->topology, (unsigned int)id);

		if (!obj)
			return bad_index(w, "nodes", id);
		fill_node(obj, &inv->nodes[inv->n_nodes]);
		cv_cpuset_andnot(&inv->nodes[inv->n_nodes].cpus, &seen);
		cv_cpuset_or(&seen, &inv->nodes[inv->n_nodes++].cpus);
	}
	return 0;
}

/* Of the latencies, one matrix; NULL without. To be released. */
static struct hwloc_distances_s *get_latencies(hwloc_topology_t t)
{
	struct hwloc_distances_s *d = NULL;
	unsigned int n = 1;

	if (hwloc_distances_get_by_type(t, HWLOC_OBJ_NUMANODE, &n, &d,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0 ||
	    n == 0)
		return NULL;
	return d;
}

static int distance(const struct hwloc_distances_s *d, const struct inventory *inv, size_t from,
		    size_t to)
{
	int i = -1, k = -1;

	for (unsigned int n = 0; d && n < d->nbobjs; n++) {
		int id = d->objs[n] ? (int)d->objs[n]->os_index : -1;

		i = id == inv->nodes[from].id ? (int)n : i;
		k = id == inv->nodes[to].id ? (int)n : k;
	}
	if (i >= 0 && k >= 0) {
		hwloc_uint64_t value = d->values[(unsigned int)i * d->nbobjs + (unsigned int)k];

		if (value >= DISTANCE_LOCAL && value <= UINT8_MAX)
			return (int)value;
	}
	return from == to ? DISTANCE_LOCAL : DISTANCE_REMOTE;
}

static int fill_distances(struct walk *w)
{
	struct hwloc_distances_s *d = get_latencies(w->topology);
	struct inventory *inv = w->inv;
	int r = 0;

	for (size_t i = 0; i < inv->n_nodes && r == 0; i++) {
		inv->nodes[i].distances = calloc(inv->n_nodes, sizeof(int));
		if (!inv->nodes[i].distances)
			r = -ENOMEM;
		for (size_t k = 0; k < inv->n_nodes && r == 0; k++)
			inv->nodes[i].distances[k] = distance(d, inv, i, k);
	}
	if (d)
		hwloc_distances_release(w->topology, d);
	return r;
}

/* ---- CPUs ---- */

static int number_of(struct numbering *n, hwloc_obj_t obj)
{
	if (!obj)
		return -1;
	if (n->map[obj->logical_index] == 0)
		n->map[obj->logical_index] = ++n->next;
	return n->map[obj->logical_index] - 1;
}

static hwloc_obj_t above(const struct walk *w, hwloc_obj_t pu, hwloc_obj_type_t type)
{
	return hwloc_get_ancestor_obj_by_type(w->topology, type, pu);
}

/* The kernel's id; hwloc makes no object for the only die of a package, the kernel calls it 0. */
static int kernel_id(hwloc_obj_t obj, int absent)
{
	if (!obj)
		return absent;
	return obj->os_index == HWLOC_UNKNOWN_INDEX ? -1 : (int)obj->os_index;
}

/* hwloc ranks kinds from the slowest; -1 where it cannot. */
static int kind_of(const struct walk *w, hwloc_obj_t pu)
{
	int n = hwloc_cpukinds_get_nr(w->topology, 0);
	int i = hwloc_cpukinds_get_by_cpuset(w->topology, pu->cpuset, 0);
	int efficiency;

	if (n <= 0 || i < 0 ||
	    hwloc_cpukinds_get_info(w->topology, (unsigned int)i, NULL, &efficiency, NULL, NULL,
				    0) < 0 ||
	    efficiency < 0 || efficiency >= n)
		return 0;
	return n - 1 - efficiency;
}

static void fill_cpu(struct walk *w, hwloc_obj_t pu, struct inv_cpu *cpu)
{
	hwloc_obj_t core = above(w, pu, HWLOC_OBJ_CORE);

	cpu->package = kernel_id(above(w, pu, HWLOC_OBJ_PACKAGE), -1);
	cpu->die = kernel_id(above(w, pu, HWLOC_OBJ_DIE), 0);
	cpu->core = core ? number_of(&w->core, core) : w->core.next++; /* unknown: a core alone */
	cpu->thread = w->threads[cpu->core]++;
	cpu->l2 = number_of(&w->l2, above(w, pu, HWLOC_OBJ_L2CACHE));
	cpu->l3 = number_of(&w->l3, above(w, pu, HWLOC_OBJ_L3CACHE));
	cpu->kind = kind_of(w, pu);
}

static uint64_t cache_size(const struct walk *w, hwloc_obj_t pu, hwloc_obj_type_t type)
{
	hwloc_obj_t cache = above(w, pu, type);

	return cache ? cache->attr->cache.size : 0;
}

static int fill_cpus(struct walk *w)
{
	struct inventory *inv = w->inv;
	hwloc_obj_t pu = NULL;

	for (size_t i = inv->n_cpus; i-- > 0;) {
		pu = hwloc_get_pu_obj_by_os_index(w->topology, (unsigned int)inv->cpus[i].id);
		if (!pu)
			return bad_index(w, "CPUs", inv->cpus[i].id);
	}
	for (size_t i = 0; i < inv->n_cpus; i++)
		fill_cpu(w,
			 hwloc_get_pu_obj_by_os_index(w->topology, (unsigned int)inv->cpus[i].id),
			 &inv->cpus[i]);
	inv->host.caches = (struct inv_caches){
		.l1d = cache_size(w, pu, HWLOC_OBJ_L1CACHE),
		.l1i = cache_size(w, pu, HWLOC_OBJ_L1ICACHE),
		.l2 = cache_size(w, pu, HWLOC_OBJ_L2CACHE),
		.l3 = cache_size(w, pu, HWLOC_OBJ_L3CACHE),
	};
	return 0;
}

static int fill(struct walk *w)
{
	struct inventory *inv = w->inv;
	int r;

	inv->host.online = (struct cv_cpuset){ 0 };
	r = copy_set(w, hwloc_topology_get_topology_cpuset(w->topology), "CPUs", &inv->host.online);
	if (r == 0)
		r = fill_nodes(w);
	if (r == 0)
		r = fill_distances(w);
	if (r == 0)
		r = nu_cpus_new(inv, w->err);
	if (r == 0)
		r = walk_init(w);
	return r < 0 ? r : fill_cpus(w);
}

/* -EINVAL is explained already where a thing of the topology was wrong. */
static int fill_from(struct walk *w)
{
	int r = fill(w);

	if (r == -ENOMEM)
		return cv_fail_errno(w->err, r, w->origin, "cannot store the topology");
	return r;
}

int nu_topology_parse(const char *xml, size_t len, const char *origin, struct inventory *inv,
		      struct cv_error *err)
{
	_cleanup_(walk_done) struct walk w = { .origin = origin, .inv = inv, .err = err };
	int r = load(xml, len, &w.topology);

	if (r == 0)
		return fill_from(&w);
	if (r != -EINVAL)
		return cv_fail_errno(err, r, origin, "cannot import the topology");
	cv_fail(err, r, CV_EXIT_USAGE, "EINVAL_HWLOC_XML", origin,
		"not a topology that hwloc reads");
	cv_error_wanted(err, "XML of hwloc 2");
	cv_error_hint(err, "write it again: lstopo --of xml FILE");
	return r;
}

int nu_topology_discover(struct inventory *inv, struct cv_error *err)
{
	_cleanup_(walk_done) struct walk w = { .origin = "hwloc", .inv = inv, .err = err };
	int r = load(NULL, 0, &w.topology);

	if (r < 0)
		return cv_fail_errno(err, r, "hwloc", "cannot discover the topology");
	return fill_from(&w);
}
