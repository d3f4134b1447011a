// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"

static void *grown(void *list, size_t n, size_t size)
{
	void *p = reallocarray(list, n + 1, size);

	assert_non_null(p);
	return p;
}

/* ---- the machine ---- */

static void make_cpus(struct inventory *inv, const struct gb_shape *s)
{
	int cores = s->nodes * s->cores, per_package = s->per_package ? s->per_package : 1;

	inv->n_cpus = (size_t)(cores * s->threads);
	inv->cpus = calloc(inv->n_cpus, sizeof(*inv->cpus));
	assert_non_null(inv->cpus);
	for (int i = 0; i < cores * s->threads; i++) {
		int core = i % cores;

		inv->cpus[i] = (struct inv_cpu){
			.id = i,
			.node = core / s->cores,
			.package = core / s->cores / per_package,
			.core = core,
			.thread = i / cores,
			.l3 = core / s->per_l3,
			.l2 = core,
			.irqs = -1,
		};
		cv_cpuset_add(&inv->host.online, i);
	}
}

static void make_nodes(struct inventory *inv, int n)
{
	inv->n_nodes = (size_t)n;
	inv->nodes = calloc((size_t)n, sizeof(*inv->nodes));
	assert_non_null(inv->nodes);
	for (int i = 0; i < n; i++) {
		struct inv_node *node = &inv->nodes[i];

		*node = (struct inv_node){ .id = i, .mem_total = 4 * GB_1T, .n_pools = 2 };
		node->pools[0] = (struct inv_pool){ GB_2M, 1 << 20, 1 << 20, 0 };
		node->pools[1] = (struct inv_pool){ GB_1G, 2048, 2048, 0 };
		node->distances = calloc((size_t)n, sizeof(int));
		assert_non_null(node->distances);
		for (int j = 0; j < n; j++)
			node->distances[j] = i == j ? 10 : 20 + abs(i - j);
		for (size_t c = 0; c < inv->n_cpus; c++)
			if (inv->cpus[c].node == i)
				cv_cpuset_add(&node->cpus, inv->cpus[c].id);
	}
}

void gb_init(struct gb *b, const struct gb_shape *shape)
{
	struct inv_host *h = &b->inv.host;

	*b = (struct gb){ .shape = *shape };
	snprintf(h->cpu_vendor, sizeof(h->cpu_vendor), "%s", shape->vendor);
	h->cpu_family = 25;
	h->cpu_model_id = 17;
	h->phys_bits = shape->phys_bits;
	h->caches = (struct inv_caches){ 32 << 10, 32 << 10, 1 << 20, 32 << 20 };
	make_cpus(&b->inv, shape);
	make_nodes(&b->inv, shape->nodes);
	b->site = ib_site();
	b->spec = ib_spec("guest", 1, GB_1G, GB_1G);
}

void gb_done(struct gb *b)
{
	plan_done(&b->plan);
	free(b->choice.cores);
	free(b->choice.devs);
	place_done(&b->place);
	spec_done(&b->spec);
	site_done(&b->site);
	inventory_done(&b->inv);
}

struct inv_dev *gb_dev(struct gb *b, const char *bdf, const char *parent, int node,
		       enum inv_port port)
{
	struct inventory *inv = &b->inv;

	inv->devs = grown(inv->devs, inv->n_devs, sizeof(*inv->devs));
	struct inv_dev *d = &inv->devs[inv->n_devs++];
	*d = (struct inv_dev){
		.bdf = ib_bdf(bdf),
		.parent = -1,
		.vendor = 0x15b3,
		.device = 0x1021,
		.class = port == INV_PORT_ENDPOINT ? 0x020000 : 0x060400,
		.port = port,
		.group = (int)inv->n_devs,
		.node = node,
		.pf = -1,
		.vf_index = -1,
		.link = { 160, 16, 320, 16 },
	};
	if (parent[0])
		d->parent = inv_find_dev(inv, ib_bdf(parent));
	return d;
}

struct inv_dev *gb_gpu(struct gb *b, const char *bdf, const char *parent, int node, uint64_t bar)
{
	struct inv_dev *d = gb_dev(b, bdf, parent, node, INV_PORT_ENDPOINT);

	d->vendor = 0x10de;
	d->device = 0x2330;
	d->class = 0x030200;
	d->bars[0] = (struct inv_bar){ .size = 16 << 20 };
	d->bars[1] = (struct inv_bar){ .size = bar, .is_64bit = true, .is_prefetchable = true };
	return d;
}

void gb_region(struct gb *b, int group, uint64_t start, uint64_t end, const char *type)
{
	struct inventory *inv = &b->inv;
	size_t i = 0;

	while (i < inv->n_groups && inv->groups[i].id != group)
		i++;
	if (i == inv->n_groups) {
		inv->groups = grown(inv->groups, inv->n_groups, sizeof(*inv->groups));
		inv->groups[inv->n_groups++] = (struct inv_group){ .id = group };
	}
	struct inv_group *g = &inv->groups[i];
	struct inv_region *r = &g->regions[g->n_regions++];
	*r = (struct inv_region){ start, end, "" };
	snprintf(r->type, sizeof(r->type), "%s", type);
}

/* ---- the guest ---- */

/* Core indices are in inventory order: node by node. */
static int first_core(const struct gb *b, int node)
{
	for (size_t i = 0; i < b->inv.n_cpus; i++)
		if (b->inv.cpus[i].node == node)
			return b->inv.cpus[i].core;
	fail_msg("node %d has no cores", node);
	return -1;
}

void gb_take(struct gb *b, int node, unsigned int cores, uint64_t pages, uint64_t page)
{
	struct place_choice *c = &b->choice;
	unsigned int per_l3 = (unsigned int)b->shape.per_l3;
	bool whole = cores % per_l3 == 0 && cores + per_l3 <= (unsigned int)b->shape.cores;
	int first = first_core(b, node) + (whole ? (int)per_l3 : 1);

	c->nodes[c->n_nodes] = node;
	c->node_cores[c->n_nodes] = cores;
	c->node_pages[c->n_nodes++] = pages;
	for (unsigned int i = 0; i < cores; i++) {
		c->cores = grown(c->cores, c->n_cores, sizeof(*c->cores));
		c->cores[c->n_cores++] = first + (int)i;
	}
	b->spec.page_size = page;
}

static struct place_dev *take(struct gb *b, const char *id)
{
	struct place_choice *c = &b->choice;

	ib_want_bdf(&b->spec, id);
	c->devs = grown(c->devs, c->n_devs, sizeof(*c->devs));
	struct place_dev *d = &c->devs[c->n_devs++];
	*d = (struct place_dev){ .dev = -1, .pf = -1, .vf_index = -1, .clique = -1 };
	return d;
}

void gb_take_dev(struct gb *b, const char *bdf)
{
	int i = inv_find_dev(&b->inv, ib_bdf(bdf));
	struct place_dev *d = take(b, bdf);

	assert_true(i >= 0);
	d->dev = i;
	d->bdf = b->inv.devs[i].bdf;
	d->node = b->inv.devs[i].node;
}

void gb_take_vf(struct gb *b, const char *pf, int index)
{
	int i = inv_find_dev(&b->inv, ib_bdf(pf));
	struct place_dev *d = take(b, pf);

	assert_true(i >= 0);
	d->pf = i;
	d->vf_index = index;
	d->node = b->inv.devs[i].node;
	assert_int_equal(inv_vf_bdf(&b->inv.devs[i], (unsigned int)index, &d->bdf), 0);
}

static int set_strings(struct plan *p, const struct gb *b)
{
	snprintf(p->name, sizeof(p->name), "%s", b->spec.name);
	snprintf(p->backend, sizeof(p->backend), "qemu");
	snprintf(p->hypervisor, sizeof(p->hypervisor), "auto");
	snprintf(p->cpu_vendor, sizeof(p->cpu_vendor), "%s", b->inv.host.cpu_vendor);
	p->kernel = strdup("/boot/vmlinuz");
	p->initrd = strdup("");
	p->cmdline = strdup("");
	return p->kernel && p->initrd && p->cmdline ? 0 : -1;
}

int gb_plan(struct gb *b)
{
	assert_int_equal(place_init(&b->place, &b->inv, &b->site, NULL), 0);
	assert_int_equal(set_strings(&b->plan, b), 0);
	int r = plan_set_topology(&b->plan, &b->place, &b->spec, &b->choice, &b->err);
	return r ?: plan_set_devices(&b->plan, &b->place, &b->spec, &b->choice, &b->err);
}

/* ---- cases of the golden files ---- */

const char *const guest_cases[] = { "switch", "nested-switches", "eight-gpus", "many-vcpus" };
const size_t n_guest_cases = CV_ARRAY_SIZE(guest_cases);

static const struct gb_shape intel = { "GenuineIntel", 2, 16, 2, 16, 0, 46 };
static const struct gb_shape amd = { "AuthenticAMD", 2, 96, 2, 8, 0, 48 };

/* A GPU and two VFs of the NIC beside it below one switch, a disk on the other node without one. */
static void one_switch(struct gb *b)
{
	gb_init(b, &intel);
	gb_dev(b, "0000:10:00.0", "", 0, INV_PORT_ROOT);
	gb_dev(b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_ENDPOINT)->class = 0x010802;
	gb_dev(b, "0000:80:01.0", "", 1, INV_PORT_ROOT);
	gb_dev(b, "0000:81:00.0", "0000:80:01.0", 1, INV_PORT_UPSTREAM);
	gb_dev(b, "0000:82:00.0", "0000:81:00.0", 1, INV_PORT_DOWNSTREAM);
	gb_dev(b, "0000:82:01.0", "0000:81:00.0", 1, INV_PORT_DOWNSTREAM);
	gb_gpu(b, "0000:83:00.0", "0000:82:00.0", 1, 64 * GB_1G);
	struct inv_dev *nic = gb_dev(b, "0000:84:00.0", "0000:82:01.0", 1, INV_PORT_ENDPOINT);
	nic->sriov = (struct inv_sriov){ 8, 0, 1, 1, 0x101e, true };
	nic->sriov.vf_bars[0] = (struct inv_bar){ .size = 1 << 20,
						  .is_64bit = true,
						  .is_prefetchable = true };
	gb_region(b, 7, 0xfee00000, 0xfeefffff, "msi");
	gb_take(b, 0, 4, 2, GB_1G);
	gb_take(b, 1, 4, 2, GB_1G);
	gb_take_dev(b, "0000:83:00.0");
	gb_take_vf(b, "0000:84:00.0", 0);
	gb_take_vf(b, "0000:84:00.0", 1);
	gb_take_dev(b, "0000:11:00.0");
	b->choice.devs[0].clique = 0;
}

/* One switch below another: a device of each, and a second one below the inner. */
static void nested(struct gb *b)
{
	gb_init(b, &intel);
	gb_dev(b, "0000:10:00.0", "", 0, INV_PORT_ROOT);
	gb_dev(b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_UPSTREAM);
	gb_dev(b, "0000:12:00.0", "0000:11:00.0", 0, INV_PORT_DOWNSTREAM);
	gb_dev(b, "0000:12:01.0", "0000:11:00.0", 0, INV_PORT_DOWNSTREAM);
	gb_dev(b, "0000:13:00.0", "0000:12:00.0", 0, INV_PORT_UPSTREAM);
	gb_dev(b, "0000:14:00.0", "0000:13:00.0", 0, INV_PORT_DOWNSTREAM);
	gb_dev(b, "0000:14:01.0", "0000:13:00.0", 0, INV_PORT_DOWNSTREAM);
	gb_dev(b, "0000:15:00.0", "0000:14:00.0", 0, INV_PORT_ENDPOINT);
	gb_dev(b, "0000:16:00.0", "0000:14:01.0", 0, INV_PORT_ENDPOINT);
	gb_dev(b, "0000:17:00.0", "0000:12:01.0", 0, INV_PORT_ENDPOINT);
	gb_take(b, 0, 4, 512, GB_2M);
	gb_take_dev(b, "0000:15:00.0");
	gb_take_dev(b, "0000:17:00.0");
	gb_take_dev(b, "0000:16:00.0");
}

/* As in large GPU servers: a switch of two on each root port, BARs of 128 GiB, AMD, 1.25 TiB. */
static void eight_gpus(struct gb *b)
{
	char root[16], up[16], down[16], gpu[CV_BDF_MAX];

	gb_init(b, &amd);
	for (int i = 0; i < 4; i++) {
		snprintf(root, sizeof(root), "0000:%02x:00.0", 0x10 + 0x20 * i);
		snprintf(up, sizeof(up), "0000:%02x:00.0", 0x11 + 0x20 * i);
		gb_dev(b, root, "", i / 2, INV_PORT_ROOT);
		gb_dev(b, up, root, i / 2, INV_PORT_UPSTREAM);
		for (int k = 0; k < 2; k++) {
			snprintf(down, sizeof(down), "0000:%02x:%02x.0", 0x12 + 0x20 * i, k);
			gb_dev(b, down, up, i / 2, INV_PORT_DOWNSTREAM);
		}
		for (int k = 0; k < 2; k++) {
			snprintf(down, sizeof(down), "0000:%02x:%02x.0", 0x12 + 0x20 * i, k);
			snprintf(gpu, sizeof(gpu), "0000:%02x:00.0", 0x13 + k + 0x20 * i);
			gb_gpu(b, gpu, down, i / 2, 128 * GB_1G);
		}
	}
	gb_take(b, 0, 64, 640, GB_1G);
	gb_take(b, 1, 64, 640, GB_1G);
	for (size_t i = 0; i < b->inv.n_devs; i++)
		if (b->inv.devs[i].vendor == 0x10de)
			gb_take_dev(b, cv_format_bdf(b->inv.devs[i].bdf, gpu));
	for (size_t i = 0; i < b->choice.n_devs; i++)
		b->choice.devs[i].clique = (int)i / 2;
}

/* More vCPUs than an interrupt can name without help. */
static void many_vcpus(struct gb *b)
{
	gb_init(b, &amd);
	gb_dev(b, "0000:10:00.0", "", 0, INV_PORT_ROOT);
	gb_dev(b, "0000:11:00.0", "0000:10:00.0", 0, INV_PORT_ENDPOINT);
	gb_take(b, 0, 88, 8, GB_1G);
	gb_take(b, 1, 88, 8, GB_1G);
	gb_take_dev(b, "0000:11:00.0");
}

void guest_case(const char *name, struct gb *ret)
{
	static void (*const makers[])(struct gb * b) = { one_switch, nested, eight_gpus,
							 many_vcpus };

	for (size_t i = 0; i < n_guest_cases; i++)
		if (strcmp(guest_cases[i], name) == 0)
			makers[i](ret);
	if (gb_plan(ret) < 0)
		fail_msg("%s: %s (%s)", name, ret->err.what, ret->err.found);
}
