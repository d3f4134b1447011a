// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/cpus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/kinds.h"

#define CPU_DIR "/sys/devices/system/cpu"
#define MAX_KINDS 8
#define MAX_CACHES 16

/** struct layout - the cache/indexN that is the cache of a level; -1 without */
struct layout {
	int l2, l3;
};

/**
 * struct reader - state of one reading
 * @index:   by CPU id: its place in @inv->cpus
 * @layouts: by kind of core: what one of its CPUs has, they all have at the same place
 */
struct reader {
	struct cv_sysroot *root;
	struct inventory *inv;
	struct cv_error *err;
	size_t *index;
	struct layout layouts[MAX_KINDS];
};

static void reader_done(struct reader *rd)
{
	free(rd->index);
}

static int reader_init(struct reader *rd)
{
	const struct inventory *inv = rd->inv;

	rd->index = calloc(CV_CPU_MAX, sizeof(*rd->index));
	if (!rd->index)
		return cv_fail_errno(rd->err, -ENOMEM, CPU_DIR, "cannot read the CPU topology");
	for (size_t i = 0; i < inv->n_cpus; i++)
		rd->index[inv->cpus[i].id] = i;
	return 0;
}

static struct inv_cpu *cpu_of(const struct reader *rd, int id)
{
	return &rd->inv->cpus[rd->index[id]];
}

static int read_list(const struct reader *rd, int id, const char *file, struct cv_cpuset *ret)
{
	char path[CV_PATH_MAX];

	return cv_read_cpulist(rd->root, cv_pathf(path, CPU_DIR "/cpu%d/%s", id, file), ret);
}

static int bad_core(const struct reader *rd, int id, const struct cv_cpuset *set,
		    const char *wanted)
{
	_cleanup_free_ char *list = cv_format_cpulist(set);
	char path[CV_PATH_MAX];

	cv_fail(rd->err, -EINVAL, CV_EXIT_FAILED, "EINVAL_CONTENT",
		cv_pathf(path, CPU_DIR "/cpu%d/topology/core_cpus_list", id),
		"the core of CPU %d makes no sense", id);
	cv_error_found(rd->err, "CPUs %.100s", list ? list : "?");
	cv_error_wanted(rd->err, "%s", wanted);
	return -EINVAL;
}

/* thread_siblings_list is the name that older kernels know. */
static int read_siblings(const struct reader *rd, int id, struct cv_cpuset *ret)
{
	char path[CV_PATH_MAX];
	int r = read_list(rd, id, "topology/core_cpus_list", ret);

	if (r == -ENOENT)
		r = read_list(rd, id, "topology/thread_siblings_list", ret);
	if (r == 0)
		return 0;
	cv_pathf(path, CPU_DIR "/cpu%d/topology", id);
	if (r == -ENOENT)
		return cv_fail(rd->err, -EINVAL, CV_EXIT_FAILED, "EINVAL_TOPOLOGY", path,
			       "CPU %d is online but has no topology", id);
	return cv_fail_errno(rd->err, r, path, "cannot read which CPUs share a core with CPU %d",
			     id);
}

/* Siblings that disagree about their core could be given to two guests: refused. */
static int read_cores(struct reader *rd)
{
	struct cv_cpuset left = rd->inv->host.online;
	int core = 0;

	CV_CPUSET_FOREACH(id, &left)
	{
		struct cv_cpuset set, others;
		int thread = 0, r = read_siblings(rd, id, &set);

		if (r < 0)
			return r;
		cv_cpuset_and(&set, &rd->inv->host.online);
		if (!cv_cpuset_has(&set, id))
			return bad_core(rd, id, &set, "a list with the CPU itself");
		others = set;
		cv_cpuset_andnot(&others, &left);
		if (!cv_cpuset_is_empty(&others))
			return bad_core(rd, id, &set, "CPUs that no other core has");
		CV_CPUSET_FOREACH(sibling, &set)
		{
			cpu_of(rd, sibling)->core = core;
			cpu_of(rd, sibling)->thread = thread++;
		}
		core++;
		cv_cpuset_andnot(&left, &set);
	}
	return 0;
}

/** struct grouping - CPUs that share something to which the kernel gives a number */
struct grouping {
	const char *list, *old_list; /* files: who shares; the second one of older kernels */
	const char *number;
	size_t member; /* of struct inv_cpu */
};

static const struct grouping groupings[] = {
	{ "topology/package_cpus_list", "topology/core_siblings_list",
	  "topology/physical_package_id", offsetof(struct inv_cpu, package) },
	{ "topology/die_cpus_list", "topology/die_cpus_list", "topology/die_id",
	  offsetof(struct inv_cpu, die) },
};

static void assign(const struct reader *rd, const struct cv_cpuset *set, size_t member, int value)
{
	CV_CPUSET_FOREACH(id, set)
	memcpy((char *)cpu_of(rd, id) + member, &value, sizeof(value));
}

/* Takes those of @set that are in @left, and @id in any case, out of @left into *@ret. */
static void take(struct cv_cpuset *left, const struct cv_cpuset *set, int id, struct cv_cpuset *ret)
{
	*ret = *set;
	cv_cpuset_and(ret, left);
	cv_cpuset_add(ret, id);
	cv_cpuset_andnot(left, ret);
}

/* A kernel that has neither list nor number for one CPU has none for all: it stays unknown. */
static void read_grouping(const struct reader *rd, const struct grouping *g)
{
	struct cv_cpuset left = rd->inv->host.online;

	CV_CPUSET_FOREACH(id, &left)
	{
		struct cv_cpuset set = { 0 };
		char path[CV_PATH_MAX];
		int number = -1, listed = read_list(rd, id, g->list, &set);
		int r;

		if (listed == -ENOENT && g->old_list != g->list)
			listed = read_list(rd, id, g->old_list, &set);
		r = cv_read_int(rd->root, cv_pathf(path, CPU_DIR "/cpu%d/%s", id, g->number),
				&number);
		if (listed == -ENOENT && r == -ENOENT)
			return;
		take(&left, &set, id, &set);
		assign(rd, &set, g->member, number < 0 ? -1 : number);
	}
}

static struct layout read_layout(const struct reader *rd, int id)
{
	struct layout l = { -1, -1 };

	for (int i = 0; i < MAX_CACHES; i++) {
		char path[CV_PATH_MAX];
		int level;

		if (cv_read_int(rd->root,
				cv_pathf(path, CPU_DIR "/cpu%d/cache/index%d/level", id, i),
				&level) < 0)
			break;
		if (level == 2)
			l.l2 = i;
		else if (level == 3)
			l.l3 = i;
	}
	return l;
}

static int kind_of(const struct inv_cpu *cpu)
{
	return cpu->kind < MAX_KINDS ? cpu->kind : MAX_KINDS - 1;
}

/* The CPU that speaks for its kind may be one of few that lack a cache the others have. */
static void borrow_layouts(struct reader *rd)
{
	struct layout any = { -1, -1 };

	for (int kind = MAX_KINDS - 1; kind >= 0; kind--) {
		any.l2 = rd->layouts[kind].l2 < 0 ? any.l2 : rd->layouts[kind].l2;
		any.l3 = rd->layouts[kind].l3 < 0 ? any.l3 : rd->layouts[kind].l3;
	}
	for (int kind = 0; kind < MAX_KINDS; kind++) {
		struct layout *l = &rd->layouts[kind];

		l->l2 = l->l2 < 0 ? any.l2 : l->l2;
		l->l3 = l->l3 < 0 ? any.l3 : l->l3;
	}
}

static void read_layouts(struct reader *rd)
{
	const struct inventory *inv = rd->inv;
	bool known[MAX_KINDS] = { false };

	for (int kind = 0; kind < MAX_KINDS; kind++)
		rd->layouts[kind] = (struct layout){ -1, -1 };
	for (size_t i = 0; i < inv->n_cpus; i++) {
		int kind = kind_of(&inv->cpus[i]);

		if (known[kind])
			continue;
		known[kind] = true;
		rd->layouts[kind] = read_layout(rd, inv->cpus[i].id);
	}
	borrow_layouts(rd);
}

/* A hypervisor may show sets of CPUs that contradict each other: the lowest id is right. */
static void read_caches(const struct reader *rd, bool is_l3)
{
	struct cv_cpuset left = rd->inv->host.online;
	int n = 0;

	CV_CPUSET_FOREACH(id, &left)
	{
		const struct layout *l = &rd->layouts[kind_of(cpu_of(rd, id))];
		int index = is_l3 ? l->l3 : l->l2;
		struct cv_cpuset set;
		char file[48];

		snprintf(file, sizeof(file), "cache/index%d/shared_cpu_list", index);
		if (index < 0 || read_list(rd, id, file, &set) < 0)
			continue;
		take(&left, &set, id, &set);
		assign(rd, &set,
		       is_l3 ? offsetof(struct inv_cpu, l3) : offsetof(struct inv_cpu, l2), n++);
	}
}

static uint64_t *cache_member(struct inv_caches *c, int level, const char *type)
{
	if (level == 1)
		return strcmp(type, "Instruction") == 0 ? &c->l1i : &c->l1d;
	if (level == 2)
		return &c->l2;
	return level == 3 ? &c->l3 : NULL;
}

static void read_cache_sizes(const struct reader *rd, int id)
{
	for (int i = 0; i < MAX_CACHES; i++) {
		char path[CV_PATH_MAX], dir[CV_PATH_MAX], type[16], size[24];
		uint64_t *member, bytes;
		int level;

		cv_pathf(dir, CPU_DIR "/cpu%d/cache/index%d", id, i);
		if (cv_read_int(rd->root, cv_pathf(path, "%.400s/level", dir), &level) < 0)
			return;
		if (cv_read_into(rd->root, cv_pathf(path, "%.400s/type", dir), type, sizeof(type)) <
			    0 ||
		    cv_read_into(rd->root, cv_pathf(path, "%.400s/size", dir), size, sizeof(size)) <
			    0)
			continue;
		member = cache_member(&rd->inv->host.caches, level, type);
		if (member && cv_parse_size(size, &bytes) == 0)
			*member = bytes;
	}
}

int nu_online_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	int r = cv_read_cpulist(root, CPU_DIR "/online", &inv->host.online);

	if (r < 0)
		return cv_fail_errno(err, r, CPU_DIR "/online", "cannot read the online CPUs");
	if (cv_cpuset_is_empty(&inv->host.online))
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_CONTENT", CPU_DIR "/online",
			       "no CPU is online");
	return 0;
}

static int node_of(const struct inventory *inv, int cpu)
{
	for (size_t i = 0; i < inv->n_nodes; i++)
		if (cv_cpuset_has(&inv->nodes[i].cpus, cpu))
			return inv->nodes[i].id;
	return -1;
}

int nu_cpus_new(struct inventory *inv, struct cv_error *err)
{
	size_t n = (size_t)cv_cpuset_count(&inv->host.online);

	inv->cpus = calloc(n, sizeof(*inv->cpus));
	if (!inv->cpus)
		return cv_fail_errno(err, -ENOMEM, CPU_DIR, "cannot store %zu CPUs", n);
	CV_CPUSET_FOREACH(id, &inv->host.online)
	{
		inv->cpus[inv->n_cpus++] = (struct inv_cpu){
			.id = id,
			.node = node_of(inv, id),
			.package = -1,
			.die = -1,
			.core = -1,
			.l2 = -1,
			.l3 = -1,
			.irqs = -1,
		};
	}
	return 0;
}

int nu_cpus_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	_cleanup_(reader_done) struct reader rd = { .root = root, .inv = inv, .err = err };
	int r = reader_init(&rd);

	if (r == 0)
		r = read_cores(&rd);
	if (r == 0)
		r = nu_kinds_read(root, inv, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < CV_ARRAY_SIZE(groupings); i++)
		read_grouping(&rd, &groupings[i]);
	read_layouts(&rd);
	read_caches(&rd, false);
	read_caches(&rd, true);
	read_cache_sizes(&rd, inv->cpus[0].id);
	return 0;
}
