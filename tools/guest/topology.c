// SPDX-License-Identifier: GPL-2.0-or-later
/* CPUs, caches, NUMA nodes and page pools, as sysfs shows them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define CPU_DIR "sys/devices/system/cpu"
#define NODE_DIR "sys/devices/system/node"

/* The number behind a prefix: "node3" gives 3, "nodes" gives -EINVAL. */
static int name_number(const char *name, const char *prefix, uint64_t *ret_number)
{
	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return -EINVAL;
	return guest_parse_uint(name + strlen(prefix), 10, ret_number);
}

static long long cpu_value(const struct guest *g, uint64_t cpu, const char *attribute)
{
	long long value;

	if (guest_read_int(g, &value, CPU_DIR "/cpu%" PRIu64 "/topology/%s", cpu, attribute) < 0)
		return -1;
	return value;
}

static long long cpu_node(const struct guest *g, uint64_t cpu)
{
	_cleanup_names_ struct guest_names names = {};
	uint64_t node;

	if (guest_list(g, &names, "node", CPU_DIR "/cpu%" PRIu64, cpu) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		if (name_number(names.names[i], "node", &node) == 0)
			return node;
	return -1;
}

/* First CPU of a list such as "4-7,12": the name of a cache that has no id file. */
static long long first_cpu(const char *list)
{
	char digits[24];
	uint64_t cpu;

	snprintf(digits, sizeof(digits), "%.*s", (int)strcspn(list, ",-"), list);
	return guest_parse_uint(digits, 10, &cpu) < 0 ? -1 : (long long)cpu;
}

/* Adds l3 and l3_cpus; -1 and "" when the CPU shows no level 3 cache. */
static int add_l3(const struct guest *g, uint64_t cpu, json_t *object)
{
	_cleanup_names_ struct guest_names names = {};
	char shared[GUEST_TEXT_MAX] = "";
	long long level, id = -1;

	(void)guest_list(g, &names, "index", CPU_DIR "/cpu%" PRIu64 "/cache", cpu);
	for (size_t i = 0; i < names.count; i++) {
		const char *index = names.names[i];

		if (guest_read_int(g, &level, CPU_DIR "/cpu%" PRIu64 "/cache/%s/level", cpu,
				   index) < 0 ||
		    level != 3)
			continue;
		if (guest_read_text(g, shared, sizeof(shared),
				    CPU_DIR "/cpu%" PRIu64 "/cache/%s/shared_cpu_list", cpu,
				    index) < 0)
			shared[0] = '\0';
		if (guest_read_int(g, &id, CPU_DIR "/cpu%" PRIu64 "/cache/%s/id", cpu, index) < 0)
			id = first_cpu(shared);
	}
	if (json_object_set_new(object, "l3", json_integer(id)) < 0)
		return -ENOMEM;
	return json_object_set_new(object, "l3_cpus", json_string(shared)) < 0 ? -ENOMEM : 0;
}

/* NULL for a CPU that is offline: it has no topology folder. */
static json_t *cpu_object(const struct guest *g, uint64_t cpu)
{
	char threads[GUEST_TEXT_MAX];
	json_t *object;

	if (guest_read_text(g, threads, sizeof(threads),
			    CPU_DIR "/cpu%" PRIu64 "/topology/thread_siblings_list", cpu) < 0)
		return NULL;
	object = json_pack("{sI sI sI sI sI ss}", "cpu", (json_int_t)cpu, "package",
			   (json_int_t)cpu_value(g, cpu, "physical_package_id"), "die",
			   (json_int_t)cpu_value(g, cpu, "die_id"), "core",
			   (json_int_t)cpu_value(g, cpu, "core_id"), "node",
			   (json_int_t)cpu_node(g, cpu), "threads", threads);
	if (object && add_l3(g, cpu, object) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *guest_cpus(const struct guest *g)
{
	_cleanup_names_ struct guest_names names = {};
	json_t *cpus = json_array();
	uint64_t cpu;

	(void)guest_list(g, &names, "cpu", CPU_DIR);
	for (size_t i = 0; i < names.count; i++) {
		json_t *object;

		if (name_number(names.names[i], "cpu", &cpu) < 0)
			continue;
		object = cpu_object(g, cpu);
		if (object)
			json_array_append_new(cpus, object);
	}
	return cpus;
}

/* "Node 0 MemTotal:  1234 kB" of the node's own meminfo. */
static long long node_memory_kib(const struct guest *g, uint64_t node)
{
	char text[GUEST_TEXT_MAX], digits[24];
	const char *at;
	uint64_t kib;

	if (guest_read_text(g, text, sizeof(text), NODE_DIR "/node%" PRIu64 "/meminfo", node) < 0)
		return 0;
	at = strstr(text, "MemTotal:");
	if (!at)
		return 0;
	at += strlen("MemTotal:");
	at += strspn(at, " ");
	snprintf(digits, sizeof(digits), "%.*s", (int)strspn(at, "0123456789"), at);
	return guest_parse_uint(digits, 10, &kib) < 0 ? 0 : (long long)kib;
}

static json_t *node_distances(const struct guest *g, uint64_t node)
{
	json_t *distances = json_array();
	char text[GUEST_TEXT_MAX];
	char *rest, *word;
	uint64_t distance;

	if (guest_read_text(g, text, sizeof(text), NODE_DIR "/node%" PRIu64 "/distance", node) < 0)
		return distances;
	for (word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (guest_parse_uint(word, 10, &distance) == 0)
			json_array_append_new(distances, json_integer(distance));
	return distances;
}

/* "hugepages-2048kB" gives 2048. */
static int pool_size_kib(const char *name, uint64_t *ret_kib)
{
	static const char prefix[] = "hugepages-", suffix[] = "kB";
	size_t length = strlen(name);
	char digits[24];

	if (length <= strlen(prefix) + strlen(suffix) ||
	    strcmp(name + length - strlen(suffix), suffix) != 0)
		return -EINVAL;
	snprintf(digits, sizeof(digits), "%.*s", (int)(length - strlen(prefix) - strlen(suffix)),
		 name + strlen(prefix));
	return guest_parse_uint(digits, 10, ret_kib);
}

static json_t *node_hugepages(const struct guest *g, uint64_t node)
{
	_cleanup_names_ struct guest_names names = {};
	json_t *pools = json_array();
	long long total;
	uint64_t kib;

	(void)guest_list(g, &names, "hugepages-", NODE_DIR "/node%" PRIu64 "/hugepages", node);
	for (size_t i = 0; i < names.count; i++) {
		if (pool_size_kib(names.names[i], &kib) < 0 ||
		    guest_read_int(g, &total, NODE_DIR "/node%" PRIu64 "/hugepages/%s/nr_hugepages",
				   node, names.names[i]) < 0)
			continue;
		json_array_append_new(pools, json_pack("{sI sI}", "size_kib", (json_int_t)kib,
						       "total", (json_int_t)total));
	}
	return pools;
}

json_t *guest_nodes(const struct guest *g)
{
	_cleanup_names_ struct guest_names names = {};
	json_t *nodes = json_array();
	char cpus[GUEST_TEXT_MAX];
	uint64_t node;

	(void)guest_list(g, &names, "node", NODE_DIR);
	for (size_t i = 0; i < names.count; i++) {
		if (name_number(names.names[i], "node", &node) < 0)
			continue;
		if (guest_read_text(g, cpus, sizeof(cpus), NODE_DIR "/%s/cpulist", names.names[i]) <
		    0)
			cpus[0] = '\0';
		json_array_append_new(nodes, json_pack("{sI ss sI so so}", "node", (json_int_t)node,
						       "cpus", cpus, "memory_kib",
						       (json_int_t)node_memory_kib(g, node),
						       "distances", node_distances(g, node),
						       "hugepages", node_hugepages(g, node)));
	}
	return nodes;
}
