// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/draw.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/projections.h"

#define MAX_DEPTH 32

static const char *const shown_classes[] = { "gpu", "net", "ib", "nvme", "accel" };

/* ---- cores ---- */

static int owner_of_cpus(const struct draw *d, const struct cv_cpuset *cpus)
{
	for (size_t i = 0; i < d->n_plans; i++)
		if (cv_cpuset_intersects(&d->plans[i].host_cpus, cpus))
			return DRAW_GUEST + (int)i;
	for (size_t i = 0; i < d->inv->n_leases; i++)
		if (cv_cpuset_intersects(&d->inv->leases[i].cpus, cpus))
			return DRAW_LEASED;
	for (size_t i = 0; i < d->n_plans; i++)
		if (cv_cpuset_intersects(&d->plans[i].vmm_cpus, cpus))
			return DRAW_HOUSEKEEPING;
	return DRAW_FREE;
}

static int by_place(const void *a, const void *b)
{
	const struct draw_core *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->l3 != y->l3)
		return x->l3 < y->l3 ? -1 : 1;
	return cv_cpuset_next(&x->cpus, -1) - cv_cpuset_next(&y->cpus, -1);
}

static int add_cores(struct draw *d)
{
	const struct inventory *inv = d->inv;
	size_t n = 0;

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].core >= (int)n)
			n = (size_t)inv->cpus[i].core + 1;
	d->cores = calloc(n + 1, sizeof(*d->cores));
	if (!d->cores)
		return -ENOMEM;
	for (size_t i = 0; i < inv->n_cpus; i++) {
		const struct inv_cpu *cpu = &inv->cpus[i];

		if (cpu->core < 0)
			continue;
		struct draw_core *c = &d->cores[cpu->core];
		c->node = inv_find_node(inv, cpu->node);
		c->package = cpu->package;
		c->l3 = cpu->l3;
		cv_cpuset_add(&c->cpus, cpu->id);
	}
	for (size_t i = 0; i < n; i++) {
		if (cv_cpuset_is_empty(&d->cores[i].cpus))
			continue;
		d->cores[i].owner = owner_of_cpus(d, &d->cores[i].cpus);
		d->cores[d->n_cores++] = d->cores[i];
	}
	qsort(d->cores, d->n_cores, sizeof(*d->cores), by_place);
	return 0;
}

/* ---- devices ---- */

static int add_line(struct draw *d, const struct draw_line *line)
{
	struct draw_line *grown = reallocarray(d->lines, d->n_lines + 1, sizeof(*grown));

	if (!line->text || !grown) {
		free(line->text);
		d->lines = grown ? grown : d->lines;
		return -ENOMEM;
	}
	d->lines = grown;
	d->lines[d->n_lines++] = *line;
	return 0;
}

static const struct plan_device *given_as(const struct draw *d, struct cv_bdf bdf, int *ret_owner)
{
	for (size_t i = 0; i < d->n_plans; i++)
		for (size_t j = 0; j < d->plans[i].n_devices; j++)
			if (cv_bdf_cmp(d->plans[i].devices[j].host, bdf) == 0) {
				*ret_owner = DRAW_GUEST + (int)i;
				return &d->plans[i].devices[j];
			}
	*ret_owner = inv_device_lease(d->inv, bdf) ? DRAW_LEASED : DRAW_FREE;
	return NULL;
}

static bool is_shown(const struct draw *d, const struct inv_dev *dev)
{
	const char *class = inv_class_name(dev);
	int owner;

	if (inv_is_bridge(dev))
		return false;
	if (given_as(d, dev->bdf, &owner) || owner == DRAW_LEASED)
		return true;
	for (size_t i = 0; i < CV_ARRAY_SIZE(shown_classes); i++)
		if (dev->pf < 0 && strcmp(class, shown_classes[i]) == 0)
			return true;
	return false;
}

/** struct chain - the switches above a device, from the top down, and the root port above them */
struct chain {
	int switches[MAX_DEPTH];
	int n;
	int root_port; /* -1 none */
};

/* A switch is its upstream port: the downstream ports say nothing more. */
static void chain_of(const struct inventory *inv, const struct inv_dev *dev, struct chain *ret)
{
	struct chain up = { .root_port = -1 };

	for (int i = dev->parent; i >= 0; i = inv->devs[i].parent) {
		if (inv->devs[i].port == INV_PORT_ROOT)
			up.root_port = i;
		else if (inv->devs[i].port == INV_PORT_UPSTREAM && up.n < MAX_DEPTH)
			up.switches[up.n++] = i;
	}
	*ret = up;
	for (int i = 0; i < up.n; i++)
		ret->switches[i] = up.switches[up.n - 1 - i];
}

static char *switch_text(const struct inventory *inv, const struct chain *chain, int i)
{
	char bdf[CV_BDF_MAX], root[CV_BDF_MAX];
	bool is_top = i == 0 && chain->root_port >= 0;
	char *text = NULL;

	cv_format_bdf(inv->devs[chain->switches[i]].bdf, bdf);
	if (is_top)
		cv_format_bdf(inv->devs[chain->root_port].bdf, root);
	return asprintf(&text, "%s switch%s%s", bdf, is_top ? ", root port " : "",
			is_top ? root : "") < 0
		       ? NULL
		       : text;
}

/* The switches of @chain that the device before was not below. Return: switches above, -ENOMEM. */
static int add_switches(struct draw *d, int node, const struct chain *chain, struct chain *last)
{
	int same = 0;

	while (same < chain->n && same < last->n && chain->switches[same] == last->switches[same])
		same++;
	for (int i = same; i < chain->n; i++) {
		struct draw_line line = { .node = node, .depth = i, .is_switch = true };

		line.text = switch_text(d->inv, chain, i);
		if (add_line(d, &line) < 0)
			return -ENOMEM;
	}
	*last = *chain;
	return chain->n;
}

static void put_state(FILE *out, const struct inventory *inv, const struct inv_dev *dev)
{
	const struct cv_lease *lease = inv_device_lease(inv, dev->bdf);

	if (lease)
		fprintf(out, ", leased to %s", lease->name);
	if (dev->is_quarantined)
		fprintf(out, ", quarantined");
	if (dev->holder_kind != INV_HOLDER_NONE)
		fprintf(out, ", in use: %s", dev->holder);
	if (dev->sriov.num)
		fprintf(out, ", %u of %u VFs", dev->sriov.num, dev->sriov.total);
}

static void put_guest_side(FILE *out, const struct plan_device *given)
{
	char bdf[CV_BDF_MAX];

	fprintf(out, " -> %s at %s, guest node %d", given->id, cv_format_bdf(given->guest, bdf),
		given->guest_node);
}

static char *device_text(const struct inventory *inv, const struct inv_dev *dev,
			 const struct plan_device *given)
{
	char bdf[CV_BDF_MAX];
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s %s", cv_format_bdf(dev->bdf, bdf), inv_class_name(dev));
	if (dev->vf_index >= 0)
		fprintf(out, " VF %d", dev->vf_index);
	if (given)
		put_guest_side(out, given);
	else
		put_state(out, inv, dev);
	if (dev->name[0])
		fprintf(out, " (%s)", dev->name);
	fclose(out);
	return text;
}

/* VFs of @pf that a plan makes: they are on no list of the host yet. */
static int add_new_vfs(struct draw *d, const struct inv_dev *pf, int node, int depth)
{
	for (size_t i = 0; i < d->n_plans; i++)
		for (size_t j = 0; j < d->plans[i].n_devices; j++) {
			const struct plan_device *v = &d->plans[i].devices[j];
			struct draw_line line = { .node = node, .depth = depth };
			char bdf[CV_BDF_MAX], guest[CV_BDF_MAX];

			if (!v->is_new || cv_bdf_cmp(v->pf, pf->bdf) != 0)
				continue;
			line.owner = DRAW_GUEST + (int)i;
			if (asprintf(&line.text, "%s %s VF %d, new -> %s at %s, guest node %d",
				     cv_format_bdf(v->host, bdf), v->class_name, v->vf_index, v->id,
				     cv_format_bdf(v->guest, guest), v->guest_node) < 0)
				line.text = NULL;
			if (add_line(d, &line) < 0)
				return -ENOMEM;
		}
	return 0;
}

static int add_device(struct draw *d, const struct inv_dev *dev, int node, struct chain *last)
{
	struct draw_line line = { .node = node };
	struct chain chain;

	chain_of(d->inv, dev, &chain);
	line.depth = add_switches(d, node, &chain, last);
	if (line.depth < 0)
		return line.depth;
	const struct plan_device *given = given_as(d, dev->bdf, &line.owner);
	line.text = device_text(d->inv, dev, given);
	int r = add_line(d, &line);
	return r == 0 ? add_new_vfs(d, dev, node, line.depth + 1) : r;
}

static int add_devices(struct draw *d, int node)
{
	struct chain last = { 0 };
	int r = 0;

	for (size_t i = 0; i < d->inv->n_devs && r == 0; i++) {
		const struct inv_dev *dev = &d->inv->devs[i];
		int on = dev->node < 0 ? -1 : inv_find_node(d->inv, dev->node);

		if (on == node && is_shown(d, dev))
			r = add_device(d, dev, node, &last);
	}
	return r;
}

int draw_make(struct draw *d, const struct inventory *inv, const struct plan *plans, size_t n)
{
	*d = (struct draw){ .inv = inv, .plans = plans, .n_plans = n };
	int r = add_cores(d);

	for (size_t i = 0; i < inv->n_nodes && r == 0; i++)
		r = add_devices(d, (int)i);
	if (r == 0)
		r = add_devices(d, -1);
	if (r < 0)
		draw_done(d);
	return r;
}

void draw_done(struct draw *d)
{
	for (size_t i = 0; i < d->n_lines; i++)
		free(d->lines[i].text);
	free(d->lines);
	free(d->cores);
	*d = (struct draw){ 0 };
}

/* ---- what both forms say ---- */

char draw_mark(int owner)
{
	static const char marks[] = { '.', 'h', '-' };

	if (owner < DRAW_GUEST)
		return marks[owner];
	return owner - DRAW_GUEST < 26 ? (char)('A' + owner - DRAW_GUEST) : '+';
}

size_t draw_group(const struct draw *d, size_t from)
{
	size_t to = from;

	while (to < d->n_cores && d->cores[to].node == d->cores[from].node &&
	       d->cores[to].l3 == d->cores[from].l3)
		to++;
	return to;
}

int draw_node_package(const struct draw *d, int node)
{
	for (size_t i = 0; i < d->n_cores; i++)
		if (d->cores[i].node == node)
			return d->cores[i].package;
	return -1;
}

static const struct plan_node *part_on(const struct draw *d, size_t plan, int node)
{
	for (size_t i = 0; i < d->plans[plan].n_nodes; i++)
		if (d->plans[plan].nodes[i].host_node == d->inv->nodes[node].id)
			return &d->plans[plan].nodes[i];
	return NULL;
}

uint64_t draw_taken(const struct draw *d, size_t plan, int node)
{
	const struct plan_node *n = part_on(d, plan, node);

	return n ? n->memory : 0;
}

static void put_takers(FILE *out, const struct draw *d, int node, uint64_t page_size)
{
	for (size_t i = 0; i < d->n_plans; i++) {
		const struct plan_node *n = part_on(d, i, node);

		if (n && n->page_size == page_size)
			fprintf(out, ", %c takes %" PRIu64, draw_mark(DRAW_GUEST + (int)i),
				n->pages);
	}
}

static bool is_taken(const struct draw *d, int node, uint64_t page_size)
{
	for (size_t i = 0; i < d->n_plans; i++) {
		const struct plan_node *n = part_on(d, i, node);

		if (n && n->page_size == page_size)
			return true;
	}
	return false;
}

/* Sizes of a guest that have no pool yet come from new pages: 0 of 0 free. */
static void put_pool(FILE *out, const struct draw *d, int node, uint64_t page_size, bool *is_first)
{
	const struct inv_pool *pool = inv_find_pool(&d->inv->nodes[node], page_size);
	char size[CV_SIZE_MAX];

	if (!(pool && pool->total) && !is_taken(d, node, page_size))
		return;
	fprintf(out, "%s%s: %" PRIu64 " of %" PRIu64 " free", *is_first ? "" : "; ",
		cv_format_size(page_size, size), pool ? pool->free : 0, pool ? pool->total : 0);
	put_takers(out, d, node, page_size);
	*is_first = false;
}

char *draw_pages(const struct draw *d, int node)
{
	static const uint64_t sizes[] = { 2ULL << 20, 1ULL << 30 };
	bool is_first = true;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < CV_ARRAY_SIZE(sizes); i++)
		put_pool(out, d, node, sizes[i], &is_first);
	if (is_first)
		fputs("none", out);
	fclose(out);
	return text;
}

#define COUNT_MAX 48

/* "1 core", "2 cores" */
static const char *count(size_t n, const char *what, char buf[COUNT_MAX])
{
	snprintf(buf, COUNT_MAX, "%zu %s%s", n, what, n == 1 ? "" : "s");
	return buf;
}

char *draw_guest(const struct draw *d, size_t plan)
{
	const struct plan *p = &d->plans[plan];
	char size[CV_SIZE_MAX], n_cores[COUNT_MAX], vcpus[COUNT_MAX], devices[COUNT_MAX];
	uint64_t memory = 0;
	size_t cores = 0;
	char *text = NULL;

	for (size_t i = 0; i < p->n_nodes; i++)
		memory += p->nodes[i].memory;
	for (size_t i = 0; i < d->n_cores; i++)
		cores += d->cores[i].owner == DRAW_GUEST + (int)plan;
	return asprintf(&text, "%s: %s, %s, %s, %s", p->name, count(cores, "core", n_cores),
			count(p->n_vcpus, "vCPU", vcpus), cv_format_size(memory, size),
			count(p->n_devices, "device", devices)) < 0
		       ? NULL
		       : text;
}

char *draw_host(const struct draw *d)
{
	char n_packages[COUNT_MAX], nodes[COUNT_MAX], cores[COUNT_MAX], cpus[COUNT_MAX];
	struct cv_cpuset packages = { 0 };
	char *text = NULL;

	for (size_t i = 0; i < d->n_cores; i++)
		cv_cpuset_add(&packages, d->cores[i].package);
	return asprintf(&text, "%s, %s, %s, %s",
			count((size_t)cv_cpuset_count(&packages), "package", n_packages),
			count(d->inv->n_nodes, "node", nodes), count(d->n_cores, "core", cores),
			count(d->inv->n_cpus, "CPU", cpus)) < 0
		       ? NULL
		       : text;
}

char *draw_node(const struct draw *d, int node)
{
	const struct inv_node *n = &d->inv->nodes[node];
	int package = draw_node_package(d, node);
	bool is_large = n->mem_total >= 64ULL << 30;
	char where[32] = "no CPUs";
	char *text = NULL;

	if (package >= 0)
		snprintf(where, sizeof(where), "package %d", package);
	return asprintf(&text, "node %d, %s, %" PRIu64 "%s", n->id, where,
			n->mem_total >> (is_large ? 30 : 20), is_large ? "G" : "M") < 0
		       ? NULL
		       : text;
}

char *plan_draw(const struct inventory *inv, const struct plan *plans, size_t n,
		enum plan_draw form, unsigned int width)
{
	struct draw d;

	if (draw_make(&d, inv, plans, n) < 0)
		return NULL;
	char *text = form == PLAN_DRAW_SVG ? draw_svg(&d) : draw_text(&d, width ? width : 100);
	draw_done(&d);
	return text;
}
