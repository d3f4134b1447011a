// SPDX-License-Identifier: GPL-2.0-or-later
/* The statements of a description: CPUs and nodes here, the PCI tree in machine_pci.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "tests/fake/machine_model.h"

#define MAX_DEPTH 32

/** enum in - what a block is; a statement says in which ones it may stand */
enum in { IN_TOP = 1, IN_PACKAGE = 2, IN_L3 = 4, IN_TREE = 8 };

/** struct level - an open block; @place only for IN_TREE */
struct level {
	enum in in;
	struct machine_place place;
};

struct parser {
	struct machine *m;
	struct level levels[MAX_DEPTH];
	size_t depth; /* levels[depth] is the block we are in */
	int package, die, l3, next_core_id;
	uint64_t l3_size, l1d, l1i;
	bool has_host;
};

struct statement {
	const char *name;
	unsigned int in; /* bits of enum in */
	enum in opens;	 /* 0: no block */
	int (*run)(struct parser *p, const struct machine_line *l, struct level *next,
		   struct cv_error *err);
};

/* host */

static int read_iommu(const struct machine_line *l, enum inv_iommu *ret, struct cv_error *err)
{
	static const char *const names[] = { "none", "intel", "amd", "arm" };
	const char *text = machine_line_value(l, "iommu");

	for (size_t i = 0; text && i < CV_ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum inv_iommu)i;
			return 0;
		}
	}
	return machine_line_fail(l, err, "iommu= is none, intel, amd or arm");
}

static int read_host_texts(struct machine_host *h, const struct machine_line *l,
			   struct cv_error *err)
{
	const struct {
		const char *key;
		char *buf;
		size_t size;
	} texts[] = {
		{ "vendor", h->vendor, sizeof(h->vendor) },
		{ "model", h->model, sizeof(h->model) },
		{ "kernel", h->kernel, sizeof(h->kernel) },
		{ "governor", h->governor, sizeof(h->governor) },
		{ "cmdline", h->cmdline, sizeof(h->cmdline) },
		{ "isolated", h->isolated, sizeof(h->isolated) },
		{ "nohz-full", h->nohz_full, sizeof(h->nohz_full) },
		{ "domain", h->domain, sizeof(h->domain) },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < CV_ARRAY_SIZE(texts); i++)
		r = machine_line_text(l, texts[i].key, texts[i].buf, texts[i].size, err);
	return r;
}

static int read_host_numbers(struct machine_host *h, const struct machine_line *l,
			     struct cv_error *err)
{
	int r = machine_line_int(l, "family", &h->family, err);

	if (r == 0)
		r = machine_line_int(l, "model-id", &h->model_id, err);
	if (r == 0)
		r = machine_line_int(l, "phys-bits", &h->phys_bits, err);
	if (r == 0)
		r = machine_line_int(l, "virt-bits", &h->virt_bits, err);
	return r;
}

static int host(struct parser *p, const struct machine_line *l, struct level *next,
		struct cv_error *err)
{
	static const char *const keys[] = { "vendor",  "model",	   "kernel",	"governor",
					    "cmdline", "isolated", "nohz-full", "domain",
					    "family",  "model-id", "phys-bits", "virt-bits",
					    "iommu",   "intremap", "threads",	"arch",
					    NULL };
	struct machine_host *h = &p->m->host;
	const char *threads = machine_line_value(l, "threads");
	const char *remap = machine_line_value(l, "intremap");
	const char *arch = machine_line_value(l, "arch");
	int r = machine_line_keys(l, keys, 0, err);

	if (r == 0)
		r = read_host_texts(h, l, err);
	if (r == 0)
		r = read_host_numbers(h, l, err);
	if (r == 0)
		r = read_iommu(l, &h->iommu, err);
	h->threads_adjacent = threads && strcmp(threads, "adjacent") == 0;
	h->has_intremap = h->iommu != INV_IOMMU_NONE && !(remap && strcmp(remap, "off") == 0);
	h->arch = arch && strcmp(arch, "arm64") == 0 ? MACHINE_ARM64 : MACHINE_X86;
	p->has_host = true;
	return r;
}

static int expect(struct parser *p, const struct machine_line *l, struct level *next,
		  struct cv_error *err)
{
	struct machine_counts *c = &p->m->expect;
	const struct {
		const char *key;
		int *value;
	} counts[] = {
		{ "packages", &c->packages }, { "nodes", &c->nodes },
		{ "l3s", &c->l3s },	      { "cores", &c->cores },
		{ "cpus", &c->cpus },	      { "functions", &c->functions },
		{ "vfs", &c->vfs },	      { "bridges", &c->bridges },
		{ "gpus", &c->gpus },	      { "nics", &c->nics },
		{ "nvmes", &c->nvmes },	      { "groups", &c->groups },
	};
	const char *keys[CV_ARRAY_SIZE(counts) + 1] = { 0 };
	int r = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(counts); i++)
		keys[i] = counts[i].key;
	r = machine_line_keys(l, keys, 0, err);
	for (size_t i = 0; r == 0 && i < CV_ARRAY_SIZE(counts); i++)
		r = machine_line_int(l, counts[i].key, counts[i].value, err);
	return r;
}

/* CPUs */

static int package(struct parser *p, const struct machine_line *l, struct level *next,
		   struct cv_error *err)
{
	static const char *const keys[] = { NULL };

	p->package = p->m->n_packages++;
	p->die = 0;
	p->next_core_id = 0;
	p->l3 = -1;
	return machine_line_keys(l, keys, 0, err);
}

static int next_die(struct parser *p, const struct machine_line *l, struct level *next,
		    struct cv_error *err)
{
	static const char *const keys[] = { NULL };

	p->die++;
	return machine_line_keys(l, keys, 0, err);
}

static int l3(struct parser *p, const struct machine_line *l, struct level *next,
	      struct cv_error *err)
{
	static const char *const keys[] = { NULL };
	int r = machine_line_keys(l, keys, 1, err);

	if (r < 0)
		return r;
	p->l3 = p->m->n_l3++;
	if (cv_parse_size(l->words[1].value, &p->l3_size) < 0)
		return machine_line_fail(l, err, "%s is not a size", l->words[1].value);
	return 0;
}

static int add_cpu(struct machine *m, const struct machine_cpu *c)
{
	if (m->n_cpus == MACHINE_MAX_CPUS)
		return -E2BIG;
	m->cpus[m->n_cpus++] = *c;
	return 0;
}

/** struct row - a "cores" line: @count cores of @smt threads, @per_l2 of them at one L2 */
struct row {
	int count, smt, per_l2, step;
	struct machine_cpu cpu; /* what is the same for all of them */
};

static int read_row(const struct machine_line *l, struct row *row, struct cv_error *err)
{
	struct machine_cpu *c = &row->cpu;

	if (cv_parse_int(l->words[1].value, &row->count) < 0 || row->count < 1)
		return machine_line_fail(l, err, "%s is not a number of cores", l->words[1].value);
	return machine_line_int(l, "node", &c->node, err)
		       ?: machine_line_int(l, "smt", &row->smt, err)
		       ?: machine_line_int(l, "l2-cores", &row->per_l2, err)
		       ?: machine_line_int(l, "core-step", &row->step, err)
		       ?: machine_line_int(l, "kind", &c->kind, err)
		       ?: machine_line_size(l, "l2", &c->l2_size, err)
		       ?: machine_line_size(l, "l1d", &c->l1d, err)
		       ?: machine_line_size(l, "l1i", &c->l1i, err);
}

static bool is_sound(const struct parser *p, const struct row *row)
{
	int node = row->cpu.node;

	return row->per_l2 > 0 && row->step > 0 && row->smt > 0 && row->smt <= 8 &&
	       row->cpu.kind >= 0 && row->cpu.kind < MACHINE_KINDS && node >= 0 &&
	       node < MACHINE_MAX_NODES && p->m->nodes[node].is_there;
}

static int add_row(struct parser *p, struct row *row)
{
	struct machine_cpu *c = &row->cpu;
	int r = 0;

	p->m->nodes[c->node].package = p->package;
	for (int i = 0; r == 0 && i < row->count; i++, p->next_core_id += row->step) {
		c->core = p->m->n_cores++;
		c->core_id = p->next_core_id;
		if (i % row->per_l2 == 0)
			c->l2 = p->m->n_l2++;
		for (c->thread = 0; r == 0 && c->thread < row->smt; c->thread++)
			r = add_cpu(p->m, c);
	}
	return r;
}

static int cores(struct parser *p, const struct machine_line *l, struct level *next,
		 struct cv_error *err)
{
	static const char *const keys[] = { "node", "smt",  "l2",	 "l2-cores", "l1d",
					    "l1i",  "kind", "core-step", NULL };
	struct row row = { .smt = 1, .per_l2 = 1, .step = 1 };
	int r = machine_line_keys(l, keys, 1, err);

	row.cpu = (struct machine_cpu){
		.package = p->package, .die = p->die, .l3 = -1, .l1d = 32 << 10, .l1i = 32 << 10
	};
	if (p->levels[p->depth].in == IN_L3) {
		row.cpu.l3 = p->l3;
		row.cpu.l3_size = p->l3_size;
	}
	r = r ?: read_row(l, &row, err);
	if (r < 0)
		return r;
	if (!is_sound(p, &row))
		return machine_line_fail(l, err,
					 "a node that is not there, or a number out of range");
	row.cpu.has_siblings = row.smt > 1;
	if (add_row(p, &row) < 0)
		return machine_line_fail(l, err, "more than %d CPUs", MACHINE_MAX_CPUS);
	return 0;
}

/* nodes */

/* "TOTAL", "TOTAL:FREE" or "TOTAL:FREE:SURPLUS" pages */
static int read_pool(const struct machine_line *l, const char *key, struct machine_pool *ret,
		     struct cv_error *err)
{
	const char *text = machine_line_value(l, key);
	_cleanup_free_ char *copy = strdup(text ? text : "0");
	uint64_t *fields[] = { &ret->total, &ret->free, &ret->surplus };
	char *save = NULL, *part = copy ? strtok_r(copy, ":", &save) : NULL;

	for (size_t i = 0; part && i < 3; i++, part = strtok_r(NULL, ":", &save)) {
		if (cv_parse_u64(part, fields[i]) < 0)
			return machine_line_fail(l, err, "%s=%s is no TOTAL:FREE:SURPLUS", key,
						 text);
		if (i == 0)
			ret->free = ret->total;
	}
	if (part || ret->free > ret->total || ret->surplus > ret->total)
		return machine_line_fail(l, err, "%s=%s is no TOTAL:FREE:SURPLUS", key, text);
	return 0;
}

/* Free is what the pools left, less a little that the host uses, unless the line says it. */
static int read_free(const struct machine_line *l, struct machine_node *n, struct cv_error *err)
{
	uint64_t pools = (n->small.total << 21) + (n->large.total << 30);
	int r;

	if (pools > n->memory)
		return machine_line_fail(l, err, "the pools are larger than the memory");
	n->free = (n->memory - pools) / 100 * 95 / 4096 * 4096;
	r = machine_line_size(l, "free", &n->free, err);
	if (r == 0 && n->free > n->memory - pools)
		return machine_line_fail(l, err, "more is free than the pools leave");
	return r;
}

static int node(struct parser *p, const struct machine_line *l, struct level *next,
		struct cv_error *err)
{
	static const char *const keys[] = { "memory", "free", "2M", "1G", NULL };
	int id = -1, r = machine_line_keys(l, keys, 1, err);
	struct machine_node *n;

	if (r < 0)
		return r;
	if (cv_parse_int(l->words[1].value, &id) < 0 || id < 0 || id >= MACHINE_MAX_NODES ||
	    p->m->nodes[id].is_there)
		return machine_line_fail(l, err, "node %s is out of range or twice",
					 l->words[1].value);
	n = &p->m->nodes[id];
	n->is_there = true;
	n->package = -1;
	r = machine_line_size(l, "memory", &n->memory, err);
	if (r == 0)
		r = read_pool(l, "2M", &n->small, err);
	if (r == 0)
		r = read_pool(l, "1G", &n->large, err);
	return r == 0 ? read_free(l, n, err) : r;
}

/* "distance near=12 far=32", "distance 0 1 80": the latter both ways */
static int distance(struct parser *p, const struct machine_line *l, struct level *next,
		    struct cv_error *err)
{
	static const char *const keys[] = { "near", "far", NULL };
	int v[3], r = machine_line_keys(l, keys, l->n_words == 4 ? 3 : 0, err);

	if (r == 0)
		r = machine_line_int(l, "near", &p->m->near, err);
	if (r == 0)
		r = machine_line_int(l, "far", &p->m->far, err);
	if (r < 0 || l->n_words != 4)
		return r;
	for (size_t i = 0; i < 3; i++) {
		if (cv_parse_int(l->words[i + 1].value, &v[i]) < 0 || v[i] < 0 ||
		    v[i] >= (i < 2 ? MACHINE_MAX_NODES : 256))
			return machine_line_fail(l, err, "distance is \"NODE NODE DISTANCE\"");
	}
	p->m->nodes[v[0]].distances[v[1]] = p->m->nodes[v[1]].distances[v[0]] = v[2];
	return 0;
}

/* PCI */

static int root(struct parser *p, const struct machine_line *l, struct level *next,
		struct cv_error *err)
{
	return machine_pci_root(p->m, l, &next->place, err);
}

static int port(struct parser *p, const struct machine_line *l, struct level *next,
		struct cv_error *err)
{
	const char *name = l->words[0].value;
	enum inv_port type = strcmp(name, "port") == 0	   ? INV_PORT_ROOT
			     : strcmp(name, "down") == 0   ? INV_PORT_DOWNSTREAM
			     : strcmp(name, "switch") == 0 ? INV_PORT_UPSTREAM
							   : INV_PORT_BRIDGE;

	return machine_pci_port(p->m, l, type, &p->levels[p->depth].place, &next->place, err);
}

static int function(struct parser *p, const struct machine_line *l, struct level *next,
		    struct cv_error *err)
{
	return machine_pci_function(p->m, l, &p->levels[p->depth].place, err);
}

static const struct statement statements[] = {
	{ "host", IN_TOP, 0, host },
	{ "expect", IN_TOP, 0, expect },
	{ "node", IN_TOP, 0, node },
	{ "distance", IN_TOP, 0, distance },
	{ "package", IN_TOP, IN_PACKAGE, package },
	{ "next-die", IN_PACKAGE, 0, next_die },
	{ "l3", IN_PACKAGE, IN_L3, l3 },
	{ "cores", IN_PACKAGE | IN_L3, 0, cores },
	{ "root", IN_TOP, IN_TREE, root },
	{ "port", IN_TREE, IN_TREE, port },
	{ "switch", IN_TREE, IN_TREE, port },
	{ "down", IN_TREE, IN_TREE, port },
	{ "bridge", IN_TREE, IN_TREE, port },
	{ "function", IN_TREE, 0, function },
};

static int dispatch(struct parser *p, const struct statement *s, const struct machine_line *l,
		    struct cv_error *err)
{
	struct level next = { .in = s->opens };
	int r;

	if (!(s->in & p->levels[p->depth].in))
		return machine_line_fail(l, err, "%s cannot stand here", s->name);
	if (l->opens != (s->opens != 0))
		return machine_line_fail(l, err, "%s %s a block", s->name,
					 s->opens ? "needs" : "has not");
	if (l->opens && p->depth + 1 == MAX_DEPTH)
		return machine_line_fail(l, err, "more than %d blocks in each other", MAX_DEPTH);
	r = s->run(p, l, &next, err);
	if (r == 0 && l->opens)
		p->levels[++p->depth] = next;
	return r;
}

static int run(void *ctx, const struct machine_line *l, struct cv_error *err)
{
	struct parser *p = ctx;

	if (!l) {
		p->depth--;
		return 0;
	}
	for (size_t i = 0; i < CV_ARRAY_SIZE(statements); i++)
		if (strcmp(statements[i].name, l->words[0].value) == 0)
			return dispatch(p, &statements[i], l, err);
	return machine_line_fail(l, err, "unknown statement %s", l->words[0].value);
}

/* numbering */

static int by_thread(const void *a, const void *b)
{
	const struct machine_cpu *x = a, *y = b;

	if (x->thread != y->thread)
		return x->thread < y->thread ? -1 : 1;
	return x->core < y->core ? -1 : x->core > y->core;
}

static void number_cpus(struct machine *m)
{
	if (!m->host.threads_adjacent)
		qsort(m->cpus, (size_t)m->n_cpus, sizeof(*m->cpus), by_thread);
	for (int i = 0; i < m->n_cpus; i++)
		cv_cpuset_add(&m->nodes[m->cpus[i].node].cpus, i);
}

static int default_distance(const struct machine *m, int a, int b)
{
	if (a == b)
		return 10;
	return m->nodes[a].package >= 0 && m->nodes[a].package == m->nodes[b].package ? m->near
										      : m->far;
}

static void fill_distances(struct machine *m)
{
	for (int a = 0; a < MACHINE_MAX_NODES; a++)
		for (int b = 0; b < MACHINE_MAX_NODES; b++)
			if (m->nodes[a].distances[b] == 0)
				m->nodes[a].distances[b] = default_distance(m, a, b);
}

static void set_defaults(struct machine *m)
{
	m->host = (struct machine_host){ .vendor = "GenuineIntel",
					 .model = "CPU",
					 .family = 6,
					 .phys_bits = 46,
					 .virt_bits = 48,
					 .kernel = "6.12.1",
					 .governor = "performance",
					 .domain = "DMA-FQ",
					 .cmdline = "quiet" };
	m->near = 12;
	m->far = 32;
	m->expect = (struct machine_counts){ -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
}

int machine_parse(const char *text, size_t len, const char *origin, struct machine *m,
		  struct cv_error *err)
{
	struct parser p = { .m = m, .levels[0].in = IN_TOP };
	const struct machine_sink sink = { run, &p };
	int r;

	set_defaults(m);
	m->cpus = calloc(MACHINE_MAX_CPUS, sizeof(*m->cpus));
	m->fns = calloc(MACHINE_MAX_FUNCTIONS, sizeof(*m->fns));
	if (!m->cpus || !m->fns)
		return cv_fail_errno(err, -ENOMEM, origin, "cannot read the description");
	r = machine_script(text, len, origin, &sink, err);
	if (r == -ENOMEM)
		return cv_fail_errno(err, r, origin, "cannot read the description");
	if (r < 0)
		return r;
	if (!p.has_host || m->n_cpus == 0)
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EMACHINE", origin,
			       "a machine needs a host line and CPUs");
	number_cpus(m);
	fill_distances(m);
	return machine_pci_finish(m, err);
}

void machine_free(struct machine *m)
{
	free(m->cpus);
	free(m->fns);
}
