// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner: for each guest the fewest nodes, nearest to its devices, with least fragmentation,
 * lowest ids first. Pure and deterministic. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/state.h"
#include "plan/placement.h"

#define MAX_SETS 4096 /* node sets of one size looked at: large machines have millions */

/* ---- what a node lacks ---- */

/* One share of a guest: what each node of a set has to give. */
struct share {
	unsigned int cores;
	uint64_t pages;
	uint64_t page_size;
};

static struct share share_of(const struct spec *s, size_t nodes)
{
	return (struct share){ s->cpus / (unsigned int)nodes, s->memory / s->page_size / nodes,
			       s->page_size };
}

static bool divides(const struct spec *s, size_t nodes)
{
	return s->cpus % nodes == 0 && s->memory / s->page_size % nodes == 0;
}

static bool node_fits(const struct place *p, const struct share *want, int node)
{
	struct place_pages have = place_free_pages(p, node, want->page_size);

	return place_free_cores(p, node) >= want->cores && have.free + have.room >= want->pages;
}

static void add_fact(char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add_fact(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list ap;

	if (used && used + 2 < size) {
		memcpy(text + used, "; ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(text + used, size - used, fmt, ap);
	va_end(ap);
}

/* Appends what @node has too little of; nothing when the share fits. */
static void add_shortage(const struct place *p, const struct share *want, int node, char *text,
			 size_t size)
{
	struct place_pages have = place_free_pages(p, node, want->page_size);
	unsigned int cores = place_free_cores(p, node);
	int id = p->inv->nodes[node].id;
	char unit[CV_SIZE_MAX];

	cv_format_size(want->page_size, unit);
	if (cores < want->cores)
		add_fact(text, size, "node %d has %u free cores, %u needed", id, cores,
			 want->cores);
	if (have.free + have.room >= want->pages)
		return;
	if (!have.has_pool)
		add_fact(text, size, "node %d has no %s pages, %llu needed", id, unit,
			 (unsigned long long)want->pages);
	else
		add_fact(text, size,
			 "node %d has %llu free %s pages and room for %llu more, %llu needed", id,
			 (unsigned long long)have.free, unit, (unsigned long long)have.room,
			 (unsigned long long)want->pages);
}

/* ---- one set of nodes ---- */

static int pick_cores(const struct place *p, const struct spec *s, struct place_choice *c)
{
	unsigned int each = s->cpus / (unsigned int)c->n_nodes;

	c->cores = calloc(s->cpus + 1, sizeof(*c->cores));
	if (!c->cores)
		return -ENOMEM;
	c->n_cores = s->cpus;
	c->slack = 0;
	for (size_t i = 0; i < c->n_nodes; i++) {
		int r = place_pick_cores(p, c->nodes[i], each, c->cores + i * each);

		if (r < 0)
			return r;
		c->slack += place_free_cores(p, c->nodes[i]) - each;
	}
	return 0;
}

static uint64_t spread_of(const struct inventory *inv, const struct place_choice *c)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < c->n_nodes; i++)
		for (size_t j = 0; j < c->n_nodes; j++)
			if (i != j)
				sum += (uint64_t)inv->nodes[c->nodes[i]].distances[c->nodes[j]];
	return sum;
}

static bool is_better(const struct place_choice *a, const struct place_choice *b)
{
	if (a->distance != b->distance)
		return a->distance < b->distance;
	if (a->spread != b->spread)
		return a->spread < b->spread;
	return a->slack < b->slack; /* equal: the earlier one has the lower ids */
}

/**
 * struct hunt - the search for the best set of nodes
 * @shortage:     what the nodes named by the spec, or each node alone, lack
 * @device_error: the devices were refused, @err says why: no other nodes change that
 */
struct hunt {
	const struct place *p;
	const struct spec *s;
	struct place_choice best;
	bool found;
	unsigned int n_sets;
	char shortage[512];
	struct cv_error *err;
	int device_error;
};

static void keep_or_drop(struct hunt *h, struct place_choice *c)
{
	if (h->found && !is_better(c, &h->best)) {
		place_choice_done(c);
		return;
	}
	place_choice_done(&h->best);
	h->best = *c;
	h->found = true;
}

/* A set of nodes of which each has its share free. */
static int try_nodes(struct hunt *h, const int *nodes, size_t n)
{
	struct place_choice c = { .n_nodes = n };

	memcpy(c.nodes, nodes, n * sizeof(*nodes));
	c.spread = spread_of(h->p->inv, &c);
	int r = place_pick_devices(h->p, h->s, &c, NULL, h->err);
	if (r < 0) {
		h->device_error = r;
		place_choice_done(&c);
		return r;
	}
	r = pick_cores(h->p, h->s, &c);
	if (r < 0) {
		place_choice_done(&c);
		return r;
	}
	keep_or_drop(h, &c);
	return 0;
}

/* All sets of @size of the @n nodes in @from, in order. */
static int try_sets(struct hunt *h, const int *from, size_t n, int *set, size_t have, size_t size)
{
	if (have == size)
		return h->n_sets++ < MAX_SETS ? try_nodes(h, set, size) : 0;
	for (size_t i = 0; i + (size - have) <= n && h->n_sets < MAX_SETS; i++) {
		set[have] = from[i];
		int r = try_sets(h, from + i + 1, n - i - 1, set, have + 1, size);

		if (r < 0)
			return r;
	}
	return 0;
}

static int try_size(struct hunt *h, size_t size)
{
	size_t n = h->p->inv->n_nodes, n_fit = 0;
	struct share want = share_of(h->s, size);
	int set[PLAN_MAX_NODES];

	if (!divides(h->s, size))
		return 0;
	_cleanup_free_ int *fit = calloc(n + 1, sizeof(*fit));
	if (!fit)
		return -ENOMEM;
	for (int i = 0; i < (int)n; i++) {
		if (node_fits(h->p, &want, i))
			fit[n_fit++] = i;
		else if (size == 1)
			add_shortage(h->p, &want, i, h->shortage, sizeof(h->shortage));
	}
	h->n_sets = 0;
	return try_sets(h, fit, n_fit, set, 0, size);
}

static int no_such_node(const struct hunt *h, int node)
{
	const struct inventory *inv = h->p->inv;
	struct cv_cpuset ids = { 0 };

	for (size_t i = 0; i < inv->n_nodes; i++)
		cv_cpuset_add(&ids, inv->nodes[i].id);
	_cleanup_free_ char *list = cv_format_cpulist(&ids);
	cv_fail(h->err, -ENODEV, CV_EXIT_NOT_FOUND, "NO_NODE",
		h->s->origin ? h->s->origin : h->s->name, "this host has no NUMA node %d", node);
	cv_error_found(h->err, "nodes %s", list ? list : "?");
	cv_error_wanted(h->err, "node %d", node);
	cv_error_hint(h->err, "carve topo shows the nodes");
	return -ENODEV;
}

static int try_named(struct hunt *h)
{
	int nodes[PLAN_MAX_NODES];
	size_t n = h->s->n_nodes;
	struct share want = share_of(h->s, n);

	for (size_t i = 0; i < n; i++) {
		nodes[i] = inv_find_node(h->p->inv, h->s->nodes[i]);
		if (nodes[i] < 0)
			return no_such_node(h, h->s->nodes[i]);
	}
	if (!divides(h->s, n))
		return 0;
	for (size_t i = 0; i < n; i++)
		add_shortage(h->p, &want, nodes[i], h->shortage, sizeof(h->shortage));
	return h->shortage[0] ? 0 : try_nodes(h, nodes, n);
}

static int hunt_nodes(struct hunt *h)
{
	if (h->s->n_nodes)
		return try_named(h);
	for (size_t size = 1; size <= h->p->inv->n_nodes && size <= PLAN_MAX_NODES; size++) {
		int r = try_size(h, size);

		if (r < 0 || h->found)
			return r;
	}
	return 0;
}

static int does_not_fit(const struct hunt *h)
{
	const struct spec *s = h->s;
	char size[CV_SIZE_MAX], page[CV_SIZE_MAX];
	const char *of = s->n_nodes ? "the nodes named by the spec do not have"
				    : "no NUMA node, and no even split over several, has";

	cv_format_size(s->memory, size);
	cv_format_size(s->page_size, page);
	cv_fail(h->err, -ENOSPC, CV_EXIT_PRECONDITION, "DOES_NOT_FIT", s->name,
		"%s %u free cores and %s in %s pages together", of, s->cpus, size, page);
	if (h->shortage[0])
		cv_error_found(h->err, "%s", h->shortage);
	else
		cv_error_found(h->err, "%u cores and %s do not divide by %zu nodes", s->cpus, size,
			       s->n_nodes);
	cv_error_wanted(h->err, "%u cores and %s in %s pages", s->cpus, size, page);
	cv_error_hint(h->err,
		      "ask for less, stop another guest (carve list), or reserve huge pages "
		      "at boot; carve topo shows what is free");
	return -ENOSPC;
}

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

	if (s->cpus && s->page_size && s->memory && s->memory % s->page_size == 0)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_SIZE", s->name,
		"a guest has at least one core, and memory in whole pages");
	cv_error_found(err, "%u cores, %s", s->cpus, cv_format_size(s->memory, size));
	cv_error_wanted(err, "a multiple of %s", cv_format_size(s->page_size, page));
	cv_error_hint(err, "change cpus:, memory: or page_size:");
	return -EINVAL;
}

static int set_strings(struct plan *plan, const struct spec *s, const struct place *p)
{
	const struct site *site = p->site;
	const char *kernel = s->kernel ? s->kernel : site->kernel;
	const char *initrd = s->kernel ? s->initrd : site->initrd;
	const char *cmdline = s->cmdline ? s->cmdline : site->cmdline;

	snprintf(plan->name, sizeof(plan->name), "%s", s->name);
	snprintf(plan->user, sizeof(plan->user), "%s", s->user[0] ? s->user : site->user);
	snprintf(plan->backend, sizeof(plan->backend), "%s",
		 s->backend[0] ? s->backend : site->backend);
	snprintf(plan->hypervisor, sizeof(plan->hypervisor), "%s",
		 s->hypervisor[0] ? s->hypervisor : site->hypervisor);
	snprintf(plan->cpu_vendor, sizeof(plan->cpu_vendor), "%s", p->inv->host.cpu_vendor);
	plan->kernel = strdup(kernel ? kernel : "");
	plan->initrd = strdup(initrd ? initrd : "");
	plan->cmdline = strdup(cmdline ? cmdline : "");
	return plan->kernel && plan->initrd && plan->cmdline ? 0 : -ENOMEM;
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

/* Devices that are on no node of this host: each added PLACE_NO_DISTANCE to the sum. */
static size_t count_nowhere(const struct inventory *inv, const struct place_choice *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_devs; i++)
		n += c->devs[i].node < 0 || inv_find_node(inv, c->devs[i].node) < 0;
	return n;
}

static int explain_distance(struct plan *plan, const char *object, const struct place_choice *c,
			    size_t nowhere)
{
	unsigned long long sum = c->distance - nowhere * PLACE_NO_DISTANCE;

	if (nowhere)
		return plan_add_reason(plan, object,
				       "nearest to the devices: summed distance %llu, without %zu "
				       "of them (node unknown)",
				       sum, nowhere);
	return plan_add_reason(plan, object, "nearest to the devices: summed distance %llu", sum);
}

static int explain_node(struct plan *plan, const struct hunt *h, int id)
{
	const struct place_choice *c = &h->best;
	size_t nowhere = count_nowhere(h->p->inv, c);
	const struct spec *s = h->s;
	char object[24];

	snprintf(object, sizeof(object), "node %d", id);
	if (s->n_nodes)
		return plan_add_reason(plan, object, "named by the spec");
	if (nowhere < c->n_devs)
		return explain_distance(plan, object, c, nowhere);
	return plan_add_reason(plan, object,
			       "cores, pages and devices fit together with %llu cores left, the "
			       "fewest of all nodes that fit%s",
			       (unsigned long long)c->slack,
			       nowhere ? "; node unknown of every device" : "");
}

static int explain_nodes(struct plan *plan, const struct hunt *h)
{
	const struct place_choice *c = &h->best;
	int r = 0;

	for (size_t i = 0; i < c->n_nodes && r == 0; i++)
		r = explain_node(plan, h, h->p->inv->nodes[c->nodes[i]].id);
	if (r == 0 && c->n_nodes > 1 && h->shortage[0])
		r = plan_add_reason(plan, "nodes", "no fewer than %zu do: %s", c->n_nodes,
				    h->shortage);
	return r;
}

static bool is_chosen_node(const struct place_choice *c, int node)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i] == node)
			return true;
	return false;
}

/* The nodes that were not chosen, with what they lack. */
static int explain_others(struct plan *plan, const struct hunt *h)
{
	const struct spec *s = h->s;
	struct share want = share_of(s, h->best.n_nodes);
	int r = 0;

	for (int n = 0; n < (int)h->p->inv->n_nodes && r == 0; n++) {
		char text[256] = "", object[24];

		if (is_chosen_node(&h->best, n))
			continue;
		snprintf(object, sizeof(object), "node %d", h->p->inv->nodes[n].id);
		add_shortage(h->p, &want, n, text, sizeof(text));
		if (!text[0])
			add_fact(text, sizeof(text), "%s",
				 s->n_nodes	? "not named by the spec"
				 : s->n_devices ? "fits, but is farther from the devices or leaves "
						  "more cores unused"
						: "fits as well; leaves more cores unused or has a "
						  "higher id");
		r = plan_add_rejected(plan, object, "%s", text);
	}
	return r;
}

/* Chooses the devices once more with the plan at hand, so that it records those refused. */
static int explain_devices(struct plan *plan, const struct hunt *h)
{
	struct place_choice again = { .n_nodes = h->best.n_nodes };

	memcpy(again.nodes, h->best.nodes, sizeof(again.nodes));
	int r = place_pick_devices(h->p, h->s, &again, plan, h->err);
	place_choice_done(&again);
	return r;
}

static int finish(struct plan *plan, const struct hunt *h)
{
	int r = set_strings(plan, h->s, h->p);

	if (r == 0)
		r = explain_devices(plan, h);
	if (r == 0)
		r = explain_nodes(plan, h);
	if (r == 0)
		r = explain_others(plan, h);
	if (r == 0)
		r = plan_set_topology(plan, h->p, h->s, &h->best, h->err);
	return r == 0 ? plan_set_devices(plan, h->p, h->s, &h->best, h->err) : r;
}

static int plan_one(struct place *p, const struct spec *s, struct plan *plan, struct cv_error *err)
{
	struct hunt h = { .p = p, .s = s, .err = err };
	int r = check_memory(s, err);

	if (r == 0)
		r = check_boot(s, p->site, err);
	if (r == 0)
		r = check_allowance(p, s, err);
	if (r == 0)
		r = hunt_nodes(&h);
	if (r == 0 && !h.found)
		r = does_not_fit(&h);
	if (r == 0)
		r = finish(plan, &h);
	if (r == 0)
		r = place_take(p, s, &h.best);
	place_choice_done(&h.best);
	return r;
}

static int plan_all(struct place *p, const struct spec *specs, size_t n, struct plan *plans,
		    struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct spec s = specs[i]; /* borrows: only the default page size is filled in */

		if (!s.page_size)
			s.page_size = p->site->page_size;
		r = plan_one(p, &s, &plans[i], err);
	}
	/* last, because the number of VFs to make depends on all plans */
	for (size_t i = 0; i < n && r == 0; i++)
		r = plan_set_steps(&plans[i], p);
	return r;
}

int plan_make(const struct inventory *inv, const struct site *site, const struct spec *specs,
	      size_t n, const struct plan_allowance *allow, struct plan *plans,
	      struct cv_error *err)
{
	struct place p;

	memset(plans, 0, n * sizeof(*plans));
	int r = place_init(&p, inv, site, allow);
	if (r == 0)
		r = plan_all(&p, specs, n, plans, err);
	for (size_t i = 0; i < n && r < 0; i++)
		plan_done(&plans[i]);
	if (r == -ENOMEM)
		cv_fail_errno(err, r, NULL, "cannot plan");
	place_done(&p);
	return r;
}
