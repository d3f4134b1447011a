// SPDX-License-Identifier: GPL-2.0-or-later
/* The only file that knows hwloc. */
#include "numa/topology.h"

#include <errno.h>
#include <stdlib.h>

#include <hwloc.h>

#include "base/cleanup.h"

#define CPU_DIR "/sys/devices/system/cpu"

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
 * @threads: by our core number: CPUs of it met so far
 */
struct walk {
	hwloc_topology_t topology;
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
 * No I/O objects: sriov/ reads PCI, and hwloc's own discovery would touch every config space. No x86
 * component: it binds itself to each CPU in turn, which would disturb isolated ones.
 */
static int configure(hwloc_topology_t t)
{
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED |
			      HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS |
			      HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS;

	if (hwloc_topology_set_flags(t, flags) < 0)
		return -EINVAL;
	if (hwloc_topology_set_io_types_filter(t, HWLOC_TYPE_FILTER_KEEP_NONE) < 0)
		return -EINVAL;
	hwloc_topology_set_components(t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
	return 0;
}

static int load(hwloc_topology_t *ret)
{
	_cleanup_(destroy_topology) hwloc_topology_t t = NULL;
	int r;

	if (hwloc_topology_init(&t) < 0)
		return -ENOMEM;
	r = configure(t);
	if (r < 0)
		return r;
	if (hwloc_topology_load(t) < 0)
		return -EIO;
	*ret = TAKE_PTR(t);
	return 0;
}

static int numbering_init(struct numbering *n, hwloc_topology_t t, hwloc_obj_type_t type)
{
	int objects = hwloc_get_nbobjs_by_type(t, type);

	n->map = calloc(objects > 0 ? (size_t)objects : 1, sizeof(*n->map));
	return n->map ? 0 : -ENOMEM;
}

static int walk_init(struct walk *w, size_t n_cpus)
{
	int r;

	r = load(&w->topology);
	if (r < 0)
		return r;
	w->threads = calloc(n_cpus, sizeof(*w->threads));
	if (!w->threads)
		return -ENOMEM;
	r = numbering_init(&w->core, w->topology, HWLOC_OBJ_CORE);
	if (r == 0)
		r = numbering_init(&w->l2, w->topology, HWLOC_OBJ_L2CACHE);
	if (r == 0)
		r = numbering_init(&w->l3, w->topology, HWLOC_OBJ_L3CACHE);
	return r;
}

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

static int node_of(const struct inventory *inv, int cpu)
{
	for (size_t i = 0; i < inv->n_nodes; i++)
		if (cv_cpuset_has(&inv->nodes[i].cpus, cpu))
			return inv->nodes[i].id;
	return -1;
}

static void fill_cpu(struct walk *w, const struct inventory *inv, hwloc_obj_t pu,
		     struct inv_cpu *cpu)
{
	hwloc_obj_t core = above(w, pu, HWLOC_OBJ_CORE);

	cpu->node = node_of(inv, cpu->id);
	cpu->package = kernel_id(above(w, pu, HWLOC_OBJ_PACKAGE), -1);
	cpu->die = kernel_id(above(w, pu, HWLOC_OBJ_DIE), 0);
	cpu->core = core ? number_of(&w->core, core) : w->core.next++; /* unknown: a core alone */
	cpu->thread = w->threads[cpu->core]++;
	cpu->l2 = number_of(&w->l2, above(w, pu, HWLOC_OBJ_L2CACHE));
	cpu->l3 = number_of(&w->l3, above(w, pu, HWLOC_OBJ_L3CACHE));
	cpu->is_isolated = cv_cpuset_has(&inv->host.isolated, cpu->id);
	cpu->is_nohz_full = cv_cpuset_has(&inv->host.nohz_full, cpu->id);
}

static int fill_cpus(struct walk *w, struct inventory *inv, struct cv_error *err)
{
	CV_CPUSET_FOREACH(id, &inv->host.online)
	{
		hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(w->topology, (unsigned int)id);

		if (!pu) {
			char path[CV_PATH_MAX];

			return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_TOPOLOGY",
				       cv_pathf(path, CPU_DIR "/cpu%d/topology", id),
				       "CPU %d is online but has no topology", id);
		}
		inv->cpus[inv->n_cpus].id = id;
		fill_cpu(w, inv, pu, &inv->cpus[inv->n_cpus]);
		inv->n_cpus++;
	}
	return 0;
}

int nu_topology_read(struct inventory *inv, struct cv_error *err)
{
	_cleanup_(walk_done) struct walk w = { 0 };
	size_t n = (size_t)cv_cpuset_count(&inv->host.online);
	int r;

	inv->cpus = calloc(n, sizeof(*inv->cpus));
	if (!inv->cpus)
		return cv_fail_errno(err, -ENOMEM, CPU_DIR, "cannot store %zu CPUs", n);
	r = walk_init(&w, n);
	if (r < 0)
		return cv_fail_errno(err, r, CPU_DIR, "cannot read the CPU topology");
	return fill_cpus(&w, inv, err);
}
