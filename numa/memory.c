// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/pool.h"

#define NODE_DIR "/sys/devices/system/node"

/* ACPI 6.5 section 5.2.17 (SLIT): 10 is local, values below 10 are reserved, 255 is unreachable. */
#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20
#define DISTANCE_MAX 255

static int bad_content(struct cv_error *err, const char *path, const char *found,
		       const char *wanted)
{
	cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_CONTENT", path, "unexpected content");
	cv_error_found(err, "%.100s", found);
	cv_error_wanted(err, "%s", wanted);
	return -EINVAL;
}

/* "Node 0 MemTotal:   6083852 kB" of a node, "MemTotal:   6083852 kB" of the host */
int nu_meminfo_bytes(const char *text, const char *field, uint64_t *ret)
{
	const char *p = strstr(text, field);
	char number[24];
	uint64_t kib;
	size_t len;
	int r;

	if (!p)
		return -EINVAL;
	p += strlen(field);
	p += strspn(p, " \t");
	len = strspn(p, "0123456789");
	if (len == 0 || len >= sizeof(number) || strncmp(p + len, " kB", 3) != 0)
		return -EINVAL;
	memcpy(number, p, len);
	number[len] = '\0';
	r = cv_parse_u64(number, &kib);
	if (r < 0)
		return r;
	if (kib > UINT64_MAX / 1024)
		return -ERANGE;
	*ret = kib * 1024;
	return 0;
}

static uint64_t bytes_or_zero(const char *text, const char *field)
{
	uint64_t n;

	return nu_meminfo_bytes(text, field, &n) == 0 ? n : 0;
}

/* The kernel prints pages: a sum of a few fields is far from overflow, unless somebody made it up. */
static uint64_t add(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t nu_meminfo_obtainable(const char *text)
{
	uint64_t files = bytes_or_zero(text, "FilePages:");
	uint64_t shmem = bytes_or_zero(text, "Shmem:"); /* counted among the file pages */

	files = files > shmem ? files - shmem : 0;
	return add(add(bytes_or_zero(text, "MemFree:"), files),
		   bytes_or_zero(text, "SReclaimable:"));
}

static int read_meminfo(struct cv_sysroot *root, const char *path, struct inv_node *node,
			struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = cv_read_str(root, path, &text);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read the memory of node %d", node->id);
	if (nu_meminfo_bytes(text, "MemTotal:", &node->mem_total) < 0 ||
	    nu_meminfo_bytes(text, "MemFree:", &node->mem_free) < 0)
		return bad_content(err, path, text, "MemTotal: and MemFree: in kB");
	node->obtainable = nu_meminfo_obtainable(text);
	return 0;
}

static void default_distances(const struct inventory *inv, struct inv_node *node)
{
	for (size_t i = 0; i < inv->n_nodes; i++)
		node->distances[i] = node == &inv->nodes[i] ? DISTANCE_LOCAL : DISTANCE_REMOTE;
}

static int parse_distances(char *text, int *distances, size_t n)
{
	char *save = NULL;
	size_t i = 0;

	for (char *w = strtok_r(text, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save)) {
		if (i == n || cv_parse_int(w, &distances[i]) < 0)
			return -EINVAL;
		if (distances[i] < DISTANCE_LOCAL || distances[i] > DISTANCE_MAX)
			return -ERANGE;
		i++;
	}
	return i == n ? 0 : -EINVAL;
}

/* The kernel prints one distance per online node, in the order of their ids: ours. */
static int read_distances(struct cv_sysroot *root, const struct inventory *inv,
			  struct inv_node *node, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL, *copy = NULL;
	char path[CV_PATH_MAX];
	int r;

	node->distances = calloc(inv->n_nodes, sizeof(*node->distances));
	if (!node->distances)
		return cv_fail_errno(err, -ENOMEM, NODE_DIR, "cannot store distances");
	cv_pathf(path, NODE_DIR "/node%d/distance", node->id);
	r = cv_read_str(root, path, &text);
	if (r == -ENOENT) {
		default_distances(inv, node);
		return 0;
	}
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read distances");
	copy = strdup(text);
	if (!copy)
		return cv_fail_errno(err, -ENOMEM, path, "cannot read distances");
	if (parse_distances(copy, node->distances, inv->n_nodes) < 0)
		return bad_content(err, path, text, "one distance of 10..255 per online node");
	return 0;
}

/* "hugepages-2048kB" */
static int parse_pool_name(const char *name, uint64_t *ret_bytes)
{
	static const char prefix[] = "hugepages-";
	char size[24];
	size_t len;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return -EINVAL;
	name += strlen(prefix);
	len = strlen(name);
	if (len < 3 || len >= sizeof(size) || strcmp(name + len - 2, "kB") != 0)
		return -EINVAL;
	memcpy(size, name, len - 2);
	size[len - 2] = 'K';
	size[len - 1] = '\0';
	return cv_parse_size(size, ret_bytes);
}

static int by_page_size(const void *a, const void *b)
{
	const struct inv_pool *x = a, *y = b;

	return (x->page_size > y->page_size) - (x->page_size < y->page_size);
}

/* No kernel of today has more page sizes than INV_MAX_POOLS; one that does shows the first ones. */
static int read_pools(struct cv_sysroot *root, struct inv_node *node, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct nu_pool_id id = { .node = node->id };
	char path[CV_PATH_MAX];
	int r;

	r = cv_list(root, cv_pathf(path, NODE_DIR "/node%d/hugepages", node->id), &names);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot list huge page pools");
	for (size_t i = 0; i < names.n && node->n_pools < INV_MAX_POOLS; i++) {
		if (parse_pool_name(names.v[i], &id.page_size) < 0 || id.page_size == 0)
			continue;
		r = nu_pool_read(root, id, &node->pools[node->n_pools]);
		if (r < 0)
			return cv_fail_errno(err, r,
					     cv_pathf(path, NODE_DIR "/node%d/hugepages/%s",
						      node->id, names.v[i]),
					     "cannot read the huge page pool");
		node->n_pools++;
	}
	qsort(node->pools, node->n_pools, sizeof(node->pools[0]), by_page_size);
	return 0;
}

static int read_node(struct cv_sysroot *root, const struct inventory *inv, struct inv_node *node,
		     struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r;

	cv_pathf(path, NODE_DIR "/node%d/cpulist", node->id);
	r = cv_read_cpulist(root, path, &node->cpus);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read the CPUs of node %d", node->id);
	cv_cpuset_and(&node->cpus, &inv->host.online);
	cv_pathf(path, NODE_DIR "/node%d/meminfo", node->id);
	r = read_meminfo(root, path, node, err);
	if (r < 0)
		return r;
	r = read_distances(root, inv, node, err);
	if (r < 0)
		return r;
	return read_pools(root, node, err);
}

static int alloc_nodes(struct inventory *inv, const struct cv_cpuset *ids, struct cv_error *err)
{
	size_t n = (size_t)cv_cpuset_count(ids);

	inv->nodes = calloc(n, sizeof(*inv->nodes));
	if (!inv->nodes)
		return cv_fail_errno(err, -ENOMEM, NODE_DIR, "cannot store %zu nodes", n);
	CV_CPUSET_FOREACH(id, ids)
	{
		inv->nodes[inv->n_nodes].free_blocks = INV_UNKNOWN;
		inv->nodes[inv->n_nodes++].id = id;
	}
	return 0;
}

/* CONFIG_NUMA=n: /sys/devices/system/node is not there. */
static int read_single(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	struct cv_cpuset zero = { 0 };
	int r;

	cv_cpuset_add(&zero, 0);
	r = alloc_nodes(inv, &zero, err);
	if (r < 0)
		return r;
	inv->nodes[0].cpus = inv->host.online;
	inv->nodes[0].distances = calloc(1, sizeof(int));
	if (!inv->nodes[0].distances)
		return cv_fail_errno(err, -ENOMEM, NODE_DIR, "cannot store distances");
	default_distances(inv, &inv->nodes[0]);
	return read_meminfo(root, "/proc/meminfo", &inv->nodes[0], err);
}

int nu_memory_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err)
{
	struct cv_cpuset ids;
	int r;

	if (!cv_exists(root, NODE_DIR))
		return read_single(root, inv, err);
	r = cv_read_cpulist(root, NODE_DIR "/online", &ids);
	if (r < 0)
		return cv_fail_errno(err, r, NODE_DIR "/online", "cannot read the NUMA nodes");
	if (cv_cpuset_is_empty(&ids))
		return bad_content(err, NODE_DIR "/online", "", "a list of nodes");
	r = alloc_nodes(inv, &ids, err);
	for (size_t i = 0; r == 0 && i < inv->n_nodes; i++)
		r = read_node(root, inv, &inv->nodes[i], err);
	return r;
}
