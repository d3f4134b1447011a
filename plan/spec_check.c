// SPDX-License-Identifier: GPL-2.0-or-later
/* Specs that ask for what contradicts itself or the host, before anything is placed. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/state.h"
#include "plan/placement.h"

static int check_allowance(const struct place *p, const struct spec *s, struct cv_error *err)
{
	char want[CV_SIZE_MAX], have[CV_SIZE_MAX];
	uint64_t limit = p->allow ? p->allow->memory : 0;

	if (!limit || (s->memory <= limit && p->mem_given <= limit - s->memory))
		return 0;
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "OVER_ALLOWANCE", s->name,
		"the guest asks for more memory than is allowed here");
	cv_error_found(err, "%s%s", cv_format_size(p->mem_given + s->memory, want),
		       p->mem_given ? " with the guests planned before it" : "");
	cv_error_wanted(err, "at most %s", cv_format_size(limit, have));
	cv_error_hint(err, "ask for less memory, or for a larger job");
	return -ENOSPC;
}

/* The spec reader sees to this; specs made by programs are checked here. */
static int check_memory(const struct spec *s, struct cv_error *err)
{
	char size[CV_SIZE_MAX], page[CV_SIZE_MAX];

	if (s->cpus && s->page_size && s->memory && s->memory <= SPEC_MAX_MEMORY &&
	    s->memory % s->page_size == 0)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_SIZE", s->name,
		"a guest has at least one core, and memory in whole pages");
	cv_error_found(err, "%u cores, %s", s->cpus, cv_format_size(s->memory, size));
	cv_error_wanted(err, "a multiple of %s, at most 1024T", cv_format_size(s->page_size, page));
	cv_error_hint(err, "change cpus:, memory: or page_size:");
	return -EINVAL;
}

static int check_boot(const struct spec *s, const struct site *site, struct cv_error *err)
{
	if (s->kernel || site->kernel)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NO_BOOT", s->origin ? s->origin : s->name,
		"nothing to boot: the spec has no boot: and the site has no default");
	cv_error_found(err, "no kernel");
	cv_error_wanted(err, "boot: {kernel: PATH, initrd: PATH, cmdline: TEXT}");
	cv_error_hint(err, "add boot: to the spec, or to " CV_ETC_DIR "/carve.yaml for all");
	return -EINVAL;
}

static int no_such_node(const struct place *p, const struct spec *s, int node, struct cv_error *err)
{
	struct cv_cpuset ids = { 0 };

	for (size_t i = 0; i < p->inv->n_nodes; i++)
		cv_cpuset_add(&ids, p->inv->nodes[i].id);
	_cleanup_free_ char *list = cv_format_cpulist(&ids);
	cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "NO_NODE", s->origin ? s->origin : s->name,
		"this host has no NUMA node %d", node);
	cv_error_found(err, "nodes %s", list ? list : "?");
	cv_error_wanted(err, "node %d", node);
	cv_error_hint(err, "carve topo shows the nodes");
	return -ENODEV;
}

static int node_without_cpus(const struct spec *s, int node, struct cv_error *err)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NODE_WITHOUT_CPUS", s->name,
		"nodes: names node %d, which has no cores: each node of a guest gives cores and "
		"memory",
		node);
	cv_error_found(err, "node %d with memory only", node);
	cv_error_wanted(err, "nodes with cores");
	cv_error_hint(err, "take node %d out of nodes:; carve topo shows which have cores", node);
	return -EINVAL;
}

static int node_twice(const struct spec *s, int node, struct cv_error *err)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NODE_TWICE", s->name, "nodes: names node %d twice",
		node);
	cv_error_found(err, "node %d, and node %d again", node, node);
	cv_error_wanted(err, "each node once");
	cv_error_hint(err, "take one of them out of nodes:");
	return -EINVAL;
}

static int check_nodes(const struct place *p, const struct spec *s, struct cv_error *err)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		int node = inv_find_node(p->inv, s->nodes[i]);

		if (node < 0)
			return no_such_node(p, s, s->nodes[i], err);
		if (!p->nodes[node].has_cores)
			return node_without_cpus(s, s->nodes[i], err);
		for (size_t k = 0; k < i; k++)
			if (s->nodes[k] == s->nodes[i])
				return node_twice(s, s->nodes[i], err);
	}
	return 0;
}

static int find_id(const struct spec *s, const char *id)
{
	for (size_t i = 0; id[0] && i < s->n_devices; i++)
		if (strcmp(s->devices[i].id, id) == 0)
			return (int)i;
	return -1;
}

static int check_near(const struct spec *s, size_t start, struct cv_error *err)
{
	const struct spec_device *d = &s->devices[start];
	int next = find_id(s, d->near);

	for (size_t hops = 1; next >= 0 && hops <= s->n_devices; hops++) {
		if (next != (int)start) {
			next = find_id(s, s->devices[next].near);
			continue;
		}
		cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NEAR_CYCLE", d->id,
			"near: leads back to the entry it starts from");
		cv_error_found(err, "%s near %s, and %zu entries on %s again", d->id, d->near, hops,
			       d->id);
		cv_error_wanted(err, "one entry that the others are near to");
		cv_error_hint(err, "take near: out of one entry: it works in both directions");
		return -EINVAL;
	}
	return 0;
}

int place_check_spec(const struct place *p, const struct spec *s, struct cv_error *err)
{
	int r = check_memory(s, err);

	if (r == 0)
		r = check_boot(s, p->site, err);
	if (r == 0)
		r = check_allowance(p, s, err);
	if (r == 0)
		r = check_nodes(p, s, err);
	for (size_t i = 0; i < s->n_devices && r == 0; i++)
		r = check_near(s, i, err);
	return r;
}
