// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/what_if.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define MAX_CPUS 65536
#define MAX_HOUSEKEEPING 1024

/**
 * struct assignment - one KEY=VALUE while it is read
 * @object: the part of the key that names something: "0000:65:00.0", "1"
 * @detail: what follows the last word of the key: "1G" of node.1.pages.1G
 * @wanted: what the value could have been, for the error; set by the row that refuses
 */
struct assignment {
	struct what_if *w;
	char object[64];
	const char *detail;
	const char *value;
	char wanted[160];
};

static int wanted(struct assignment *a, const char *text)
{
	snprintf(a->wanted, sizeof(a->wanted), "%s", text);
	return -EINVAL;
}

static int number(struct assignment *a, uint64_t min, uint64_t max, const char *what, uint64_t *ret)
{
	uint64_t n;

	if (cv_parse_u64(a->value, &n) < 0 || n < min || n > max) {
		snprintf(a->wanted, sizeof(a->wanted), "%s: %llu to %llu", what,
			 (unsigned long long)min, (unsigned long long)max);
		return -EINVAL;
	}
	*ret = n;
	return 0;
}

static int size_of(struct assignment *a, uint64_t *ret)
{
	if (cv_parse_size(a->value, ret) < 0)
		return wanted(a, "a size such as 16G");
	return 0;
}

/* ---- specs ---- */

static int set_cpus(struct assignment *a)
{
	uint64_t n;
	int r = number(a, 1, MAX_CPUS, "whole cores", &n);

	for (size_t i = 0; r == 0 && i < a->w->n_specs; i++)
		a->w->specs[i].cpus = (unsigned int)n;
	return r;
}

static int set_memory(struct assignment *a)
{
	uint64_t bytes;
	int r = size_of(a, &bytes);

	if (r == 0 && (bytes == 0 || bytes > SPEC_MAX_MEMORY))
		return wanted(a, "a size such as 16G, at most 1024T");
	for (size_t i = 0; r == 0 && i < a->w->n_specs; i++)
		a->w->specs[i].memory = bytes;
	return r;
}

static int set_page_size(struct assignment *a)
{
	uint64_t bytes;

	if (size_of(a, &bytes) < 0 || (bytes != 2ULL << 20 && bytes != 1ULL << 30))
		return wanted(a, "2M or 1G");
	for (size_t i = 0; i < a->w->n_specs; i++)
		a->w->specs[i].page_size = bytes;
	return 0;
}

static int set_smt(struct assignment *a)
{
	bool siblings = strcmp(a->value, "siblings") == 0;

	if (!siblings && strcmp(a->value, "one-per-core") != 0)
		return wanted(a, "siblings or one-per-core");
	for (size_t i = 0; i < a->w->n_specs; i++)
		a->w->specs[i].smt = siblings ? SPEC_SMT_SIBLINGS : SPEC_SMT_ONE_PER_CORE;
	return 0;
}

static int set_split(struct assignment *a)
{
	bool even = strcmp(a->value, "even") == 0;

	if (!even && strcmp(a->value, "devices") != 0)
		return wanted(a, "even or devices");
	for (size_t i = 0; i < a->w->n_specs; i++)
		a->w->specs[i].split = even ? SPEC_SPLIT_EVEN : SPEC_SPLIT_DEVICES;
	return 0;
}

static int set_nodes(struct assignment *a)
{
	struct spec *specs = a->w->specs;
	struct cv_cpuset set = { 0 };
	int max = (int)CV_ARRAY_SIZE(specs->nodes);

	if (strcmp(a->value, "any") != 0 &&
	    (cv_parse_cpulist(a->value, &set) < 0 || cv_cpuset_is_empty(&set) ||
	     cv_cpuset_count(&set) > max))
		return wanted(a, "a list of 1 to 16 nodes such as 0,1 or 0-3, or any");
	for (size_t i = 0; i < a->w->n_specs; i++) {
		specs[i].n_nodes = 0;
		CV_CPUSET_FOREACH(node, &set)
		specs[i].nodes[specs[i].n_nodes++] = node;
	}
	return 0;
}

/* ---- site ---- */

static int set_housekeeping(struct assignment *a)
{
	uint64_t n;
	int r = number(a, 1, MAX_HOUSEKEEPING, "cores of each node", &n);

	if (r == 0)
		a->w->site->housekeeping = (unsigned int)n;
	return r;
}

/* ---- inventory ---- */

static int is_none(struct assignment *a)
{
	return strcmp(a->value, "none") == 0 ? 0 : wanted(a, "none");
}

/* Its pages are in the pools again, as after carve stop. */
static void drop_lease(struct inventory *inv, size_t index)
{
	struct cv_lease *l = &inv->leases[index];

	for (size_t i = 0; i < l->n_pages; i++) {
		int node = inv_find_node(inv, l->pages[i].node);

		for (size_t p = 0; node >= 0 && p < inv->nodes[node].n_pools; p++) {
			struct inv_pool *pool = &inv->nodes[node].pools[p];

			if (pool->page_size != l->pages[i].page_size)
				continue;
			pool->free += l->pages[i].pages;
			if (pool->free > pool->total)
				pool->free = pool->total;
		}
	}
	cv_lease_done(l);
	inv->n_leases--;
	memmove(l, l + 1, (inv->n_leases - index) * sizeof(*l));
}

static int set_leases(struct assignment *a)
{
	int r = is_none(a);

	while (r == 0 && a->w->inv->n_leases)
		drop_lease(a->w->inv, a->w->inv->n_leases - 1);
	return r;
}

static int set_lease(struct assignment *a)
{
	struct inventory *inv = a->w->inv;

	for (size_t i = 0; i < inv->n_leases; i++) {
		if (strcmp(inv->leases[i].name, a->object) != 0)
			continue;
		if (is_none(a) < 0)
			return -EINVAL;
		drop_lease(inv, i);
		return 0;
	}
	return wanted(a, "lease.NAME of a VM that carve list shows");
}

static int set_quarantine(struct assignment *a)
{
	int r = is_none(a);

	for (size_t i = 0; r == 0 && i < a->w->inv->n_devs; i++)
		a->w->inv->devs[i].is_quarantined = false;
	return r;
}

static int set_intremap(struct assignment *a)
{
	if (strcmp(a->value, "on") != 0 && strcmp(a->value, "off") != 0)
		return wanted(a, "on or off");
	a->w->inv->host.has_intremap = strcmp(a->value, "on") == 0;
	return 0;
}

static struct inv_node *node_named(struct assignment *a)
{
	uint64_t id;
	int i = cv_parse_u64(a->object, &id) < 0 || id > INT32_MAX
			? -1
			: inv_find_node(a->w->inv, (int)id);

	if (i >= 0)
		return &a->w->inv->nodes[i];
	wanted(a, "node.N of a node that carve topo shows");
	return NULL;
}

static int set_obtainable(struct assignment *a)
{
	struct inv_node *n = node_named(a);

	return n ? size_of(a, &n->obtainable) : -EINVAL;
}

static struct inv_pool *pool_of(struct inv_node *n, uint64_t page_size)
{
	for (size_t i = 0; i < n->n_pools; i++)
		if (n->pools[i].page_size == page_size)
			return &n->pools[i];
	if (n->n_pools >= INV_MAX_POOLS)
		return NULL;
	n->pools[n->n_pools] = (struct inv_pool){ .page_size = page_size };
	return &n->pools[n->n_pools++];
}

/* Those count as taken, touched or not: what is free is free beside them. */
static uint64_t leased_pages(const struct inventory *inv, int node, uint64_t page_size)
{
	uint64_t sum = 0;

	for (size_t l = 0; l < inv->n_leases; l++)
		for (size_t i = 0; i < inv->leases[l].n_pages; i++) {
			const struct cv_lease_pages *p = &inv->leases[l].pages[i];

			sum += p->node == node && p->page_size == page_size ? p->pages : 0;
		}
	return sum;
}

static int set_pages(struct assignment *a)
{
	uint64_t bytes, pages;
	int r = number(a, 0, UINT32_MAX, "free pages", &pages);

	if (r < 0)
		return r;
	struct inv_node *n = node_named(a);
	if (!n)
		return -EINVAL;
	if (cv_parse_size(a->detail, &bytes) < 0 || (bytes != 2ULL << 20 && bytes != 1ULL << 30))
		return wanted(a, "node.N.pages.2M or node.N.pages.1G");
	struct inv_pool *pool = pool_of(n, bytes);
	if (!pool)
		return wanted(a, "a page size that the node has");
	uint64_t leased = leased_pages(a->w->inv, n->id, bytes);
	pool->free = pages;
	if (pool->total < pages + leased)
		pool->total = pages + leased;
	return 0;
}

static struct inv_dev *device_named(struct assignment *a)
{
	struct cv_bdf bdf;
	int i = cv_parse_bdf(a->object, &bdf) < 0 ? -1 : inv_find_dev(a->w->inv, bdf);

	if (i >= 0)
		return &a->w->inv->devs[i];
	wanted(a, "device.BDF of a device that carve topo shows");
	return NULL;
}

static int set_device_node(struct assignment *a)
{
	struct inv_dev *d = device_named(a);
	int node;

	if (!d)
		return -EINVAL;
	if (cv_parse_int(a->value, &node) < 0 || (node != -1 && inv_find_node(a->w->inv, node) < 0))
		return wanted(a, "a node that carve topo shows, or -1");
	d->node = node;
	return 0;
}

static int set_device_driver(struct assignment *a)
{
	struct inv_dev *d = device_named(a);
	const char *name = strcmp(a->value, "none") == 0 ? "" : a->value;

	if (!d)
		return -EINVAL;
	if (cv_copy_text(d->driver, sizeof(d->driver), name) < 0)
		return wanted(a, "a driver's name, or none");
	return 0;
}

static int set_device_holder(struct assignment *a)
{
	struct inv_dev *d = device_named(a);

	if (!d || is_none(a) < 0)
		return -EINVAL;
	d->holder_kind = INV_HOLDER_NONE;
	d->holder[0] = '\0';
	return 0;
}

/* ---- the table ---- */

/**
 * struct key - KEY is "first", "first.OBJECT", "first.OBJECT.last" or "first.OBJECT.last.DETAIL"
 * @apply: Return: 0, -EINVAL with wanted set
 */
struct key {
	const char *first;
	const char *last;
	bool has_object, has_detail;
	int (*apply)(struct assignment *a);
};

static const struct key keys[] = {
	{ "cpus", NULL, false, false, set_cpus },
	{ "memory", NULL, false, false, set_memory },
	{ "page_size", NULL, false, false, set_page_size },
	{ "smt", NULL, false, false, set_smt },
	{ "nodes", NULL, false, false, set_nodes },
	{ "split", NULL, false, false, set_split },
	{ "housekeeping", NULL, false, false, set_housekeeping },
	{ "leases", NULL, false, false, set_leases },
	{ "lease", NULL, true, false, set_lease },
	{ "quarantine", NULL, false, false, set_quarantine },
	{ "intremap", NULL, false, false, set_intremap },
	{ "node", "pages", true, true, set_pages },
	{ "node", "obtainable", true, false, set_obtainable },
	{ "device", "node", true, false, set_device_node },
	{ "device", "driver", true, false, set_device_driver },
	{ "device", "holder", true, false, set_device_holder },
};

static const char all_keys[] =
	"cpus memory page_size smt nodes split housekeeping leases lease.NAME quarantine intremap "
	"node.N.pages.SIZE node.N.obtainable device.BDF.node device.BDF.driver device.BDF.holder";

/* Fills object and detail of @a where @key has the form of @k. An object may have dots in it. */
static bool matches(const struct key *k, const char *key, struct assignment *a)
{
	size_t first = strlen(k->first), last = k->last ? strlen(k->last) + 1 : 0;
	const char *rest = key + first, *end;

	if (strncmp(key, k->first, first) != 0 || *rest != (k->has_object ? '.' : '\0'))
		return false;
	if (!k->has_object)
		return true;
	rest++;
	end = rest + strlen(rest);
	if (k->has_detail) {
		end = strrchr(rest, '.');
		a->detail = end ? end + 1 : NULL;
	}
	if (!end || (size_t)(end - rest) <= last || end[-(ptrdiff_t)last] != (last ? '.' : *end) ||
	    (last && strncmp(end - last + 1, k->last, last - 1) != 0))
		return false;
	return (size_t)snprintf(a->object, sizeof(a->object), "%.*s", (int)(end - last - rest),
				rest) < sizeof(a->object);
}

static const struct key *find_key(const char *key, struct assignment *a)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(keys); i++)
		if (matches(&keys[i], key, a))
			return &keys[i];
	return NULL;
}

int plan_what_if(const char *text, struct what_if *w, struct cv_error *err)
{
	struct assignment a = { .w = w };
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key = strndup(text, equals ? (size_t)(equals - text) : strlen(text));

	if (!key)
		return cv_fail_errno(err, -ENOMEM, text, "cannot read the assignment");
	const struct key *k = find_key(key, &a);
	if (!k || !equals) {
		cv_fail(err, -EINVAL, CV_EXIT_USAGE, k ? "NO_VALUE" : "UNKNOWN_KEY", text,
			k ? "a what-if is KEY=VALUE" : "no such key of a what-if");
		cv_error_found(err, "%s", key);
		cv_error_wanted(err, "%s", k ? "KEY=VALUE" : all_keys);
		cv_error_hint(err, "carve(1) lists the keys with their values");
		return -EINVAL;
	}
	a.value = equals + 1;
	if (k->apply(&a) == 0)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_WHAT_IF", text, "cannot suppose that");
	cv_error_found(err, "%s", text);
	cv_error_wanted(err, "%s", a.wanted);
	cv_error_hint(err, "carve(1) lists the keys with their values");
	return -EINVAL;
}
