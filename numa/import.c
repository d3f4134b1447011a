// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/dirroot.h"
#include "numa/topology.h"

#define XML_MAX (64UL << 20)
#define NODES_MAX 1024 /* MAX_NUMNODES of the largest kernels */
#define DEADLINE_MS 60000

/** struct imported - what the child found, in memory shared with it */
struct imported {
	struct cv_error err;
	struct cv_cpuset online;
	struct inv_caches caches;
	size_t n_cpus, n_nodes;
	struct inv_cpu cpus[CV_CPU_MAX];
	struct inv_node nodes[NODES_MAX]; /* their distances follow below */
	int distances[NODES_MAX * NODES_MAX];
};

/** struct job - for the child; @xml has a NUL behind its @len bytes */
struct job {
	const char *path;
	const char *xml;
	size_t len;
	struct imported *found;
};

static void unmap(struct imported **found)
{
	if (*found != MAP_FAILED)
		munmap(*found, sizeof(**found));
}

static int pack(const struct inventory *inv, const char *path, struct imported *out)
{
	size_t n = inv->n_nodes;

	if (n > NODES_MAX)
		return cv_fail(&out->err, -EINVAL, CV_EXIT_USAGE, "EINVAL_TOPOLOGY", path,
			       "%zu nodes are more than a kernel can have", n);
	out->online = inv->host.online;
	out->caches = inv->host.caches;
	out->n_cpus = inv->n_cpus;
	out->n_nodes = n;
	memcpy(out->cpus, inv->cpus, inv->n_cpus * sizeof(*inv->cpus));
	memcpy(out->nodes, inv->nodes, n * sizeof(*inv->nodes));
	for (size_t i = 0; i < n; i++) {
		out->nodes[i].distances = NULL;
		memcpy(&out->distances[i * n], inv->nodes[i].distances, n * sizeof(int));
	}
	return 0;
}

/* In the child: what it leaves behind goes away with it. */
static int parse(void *arg)
{
	const struct job *job = arg;
	struct inventory inv = { 0 };
	int r = nu_topology_parse(job->xml, job->len, job->path, &inv, &job->found->err);

	return r < 0 ? r : pack(&inv, job->path, job->found);
}

/* The child worked on something hostile: its numbers are believed only where they can be. */
static bool is_sane(const struct imported *f)
{
	int n = (int)f->n_cpus, last = -1;

	if (f->n_cpus == 0 || f->n_cpus > CV_CPU_MAX || f->n_nodes == 0 || f->n_nodes > NODES_MAX)
		return false;
	for (size_t i = 0; i < f->n_cpus; i++) {
		const struct inv_cpu *c = &f->cpus[i];

		if (c->id <= last || !cv_cpuset_has(&f->online, c->id) || c->core < 0 ||
		    c->core >= n || c->l2 < -1 || c->l2 >= n || c->l3 < -1 || c->l3 >= n)
			return false;
		last = c->id;
	}
	for (size_t i = 0; i < f->n_nodes; i++)
		if (f->nodes[i].n_pools > INV_MAX_POOLS || f->nodes[i].distances)
			return false;
	return cv_cpuset_count(&f->online) == n;
}

static int unpack(const struct imported *f, struct inventory *inv)
{
	size_t n = f->n_nodes;

	inv->cpus = calloc(f->n_cpus, sizeof(*inv->cpus));
	inv->nodes = calloc(n, sizeof(*inv->nodes));
	if (!inv->cpus || !inv->nodes)
		return -ENOMEM;
	inv->host.online = f->online;
	inv->host.caches = f->caches;
	inv->n_cpus = f->n_cpus;
	memcpy(inv->cpus, f->cpus, f->n_cpus * sizeof(*inv->cpus));
	for (; inv->n_nodes < n; inv->n_nodes++) {
		struct inv_node *node = &inv->nodes[inv->n_nodes];

		*node = f->nodes[inv->n_nodes];
		node->distances = calloc(n, sizeof(int));
		if (!node->distances)
			return -ENOMEM;
		memcpy(node->distances, &f->distances[inv->n_nodes * n], n * sizeof(int));
	}
	return 0;
}

static int crashed(const char *path, struct cv_error *err)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EINVAL_HWLOC_XML", path,
		"not a topology that hwloc reads");
	cv_error_found(err, "hwloc crashed on it");
	cv_error_wanted(err, "XML of hwloc 2");
	cv_error_hint(err, "write it again: lstopo --of xml FILE");
	return -EINVAL;
}

static int run(struct job *job, struct inventory *inv, struct cv_error *err)
{
	int result, r = cv_child_run(parse, job, DEADLINE_MS, &result);

	if (r < 0)
		return cv_fail_errno(err, r, job->path, "cannot import the topology");
	if (result == -EIO || (result == 0 && !is_sane(job->found)))
		return crashed(job->path, err);
	if (result < 0) {
		if (err)
			*err = job->found->err;
		return result;
	}
	r = unpack(job->found, inv);
	return r < 0 ? cv_fail_errno(err, r, job->path, "cannot store the topology") : 0;
}

static int read_document(const char *path, char **ret, size_t *ret_len, struct cv_error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r = fd < 0 ? -errno : cv_read_fd(fd, XML_MAX, ret, ret_len);

	return r < 0 ? cv_fail_errno(err, r, path, "cannot read the hwloc XML file") : 0;
}

int nu_topology_import(const char *path, struct inventory *inv, struct cv_error *err)
{
	_cleanup_(unmap) struct imported *found = MAP_FAILED;
	_cleanup_free_ char *xml = NULL;
	struct job job = { .path = path };
	int r = read_document(path, &xml, &job.len, err);

	if (r < 0)
		return r;
	found = mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (found == MAP_FAILED)
		return cv_fail_errno(err, -errno, path, "cannot import the topology");
	job.xml = xml;
	job.found = found;
	return run(&job, inv, err);
}
