// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "inventory_builder.h"

#define SMALL_ENTRIES 4 /* of all guests of a small round together */

static uint64_t seed;

void random_seed(uint64_t start)
{
	seed = start;
}

unsigned int random_below(unsigned int n)
{
	seed ^= seed << 13; /* xorshift64 */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)((seed >> 16) % n);
}

unsigned int random_rounds(unsigned int n)
{
	const char *text = getenv("CARVE_PROPERTY_ROUNDS");
	uint64_t rounds;

	if (!text || cv_parse_u64(text, &rounds) < 0 || rounds == 0 || rounds > UINT32_MAX)
		return n;
	return (unsigned int)rounds;
}

static bool chance(unsigned int one_in)
{
	return random_below(one_in) == 0;
}

/* ---- hosts of inventory_builder.h ---- */

static void random_inventory(struct inventory *inv)
{
	switch (random_below(4)) {
	case 0:
		ib_epyc(inv);
		break;
	case 1:
		ib_cpuless(inv);
		break;
	default:
		ib_emulated(inv, chance(2));
		if (chance(2))
			ib_make_vfs(inv, IB_IGB1, 1 + random_below(7), chance(2) ? "igbvf" : "");
		break;
	}
	for (size_t i = 0; i < inv->n_nodes; i++) {
		inv->nodes[i].obtainable = random_below(4) * IB_1G;
		for (int k = 0; k < 2; k++)
			inv->nodes[i].pools[k].free = random_below(
				(unsigned int)inv->nodes[i].pools[k].total + 1);
	}
}

static void lease_cores(struct inventory *inv, struct cv_lease *l, unsigned int n)
{
	for (; n > 0; n--) {
		int core = inv->cpus[random_below((unsigned int)inv->n_cpus)].core;

		for (size_t c = 0; c < inv->n_cpus; c++)
			if (inv->cpus[c].core == core)
				cv_cpuset_add(&l->cpus, inv->cpus[c].id);
	}
}

static void random_lease(struct inventory *inv)
{
	struct cv_lease *l = ib_lease(inv, "old", "ann", "");

	lease_cores(inv, l, random_below(4));
	if (chance(2))
		ib_lease_device(l, inv_find_dev(inv, ib_bdf("0000:81:10.0")) >= 0 ? "0000:81:10.0"
										  : IB_EDU);
	if (chance(2))
		ib_lease_pages(l, (int)random_below((unsigned int)inv->n_nodes), IB_2M,
			       random_below(256));
}

static void random_partition(struct inventory *inv)
{
	struct inv_partition *part = calloc(1, sizeof(*part));

	assert_non_null(part);
	snprintf(part->path, sizeof(part->path), "/other");
	for (size_t c = 0; c < inv->n_cpus; c++)
		if (inv->cpus[c].core == (int)random_below(4))
			cv_cpuset_add(&part->cpus, inv->cpus[c].id);
	free(inv->partitions);
	inv->partitions = part;
	inv->n_partitions = 1;
}

static void random_isolation(struct inventory *inv)
{
	for (size_t c = 0; c < inv->n_cpus; c++) {
		inv->cpus[c].is_isolated = inv->cpus[c].core % 4 > 1;
		inv->cpus[c].is_nohz_full = inv->cpus[c].is_isolated;
	}
}

static void random_device(struct spec *s)
{
	static const char *const bdfs[] = { IB_EDU, IB_EDU_ROOT, IB_IGB0, IB_SW_IVSHMEM, IB_NVME };

	switch (random_below(5)) {
	case 0:
		ib_want_bdf(s, bdfs[random_below(CV_ARRAY_SIZE(bdfs))])->accept = random_below(8);
		break;
	case 1:
		ib_want_vf(s, chance(2) ? IB_IGB0 : IB_IGB1);
		break;
	case 2:
		ib_want_class(s, chance(2) ? "net" : "gpu");
		break;
	default:
		ib_want_vf_class(s, random_below(3) ? "net" : "nvme");
		break;
	}
	if (s->n_devices > 1 && chance(2))
		snprintf(s->devices[s->n_devices - 1].near, sizeof(s->devices[0].near), "dev0");
}

static void name_nodes(struct spec *s, size_t n_nodes)
{
	s->nodes[s->n_nodes++] = (int)random_below((unsigned int)n_nodes);
	if (chance(2) && n_nodes > 1)
		s->nodes[s->n_nodes++] = (s->nodes[0] + 1) % (int)n_nodes;
}

static struct spec random_guest(unsigned int index, unsigned int cores, unsigned int pages_2m,
				unsigned int pages_1g)
{
	uint64_t page = random_below(3) ? IB_2M : IB_1G;
	uint64_t pages = 1 + random_below(page == IB_2M ? pages_2m : pages_1g);
	char name[8];

	snprintf(name, sizeof(name), "vm%u", index);
	struct spec s = ib_spec(name, 1 + random_below(cores), pages * page, page);
	s.smt = chance(2) ? SPEC_SMT_SIBLINGS : SPEC_SMT_ONE_PER_CORE;
	return s;
}

static void random_spec(struct spec *s, unsigned int index, size_t n_nodes)
{
	*s = random_guest(index, 6, 1024, 4);
	for (unsigned int i = random_below(4); i > 0 && chance(2); i--)
		random_device(s);
	if (chance(5))
		name_nodes(s, n_nodes);
	else if (chance(6))
		s->split = SPEC_SPLIT_DEVICES;
}

void random_round_init(struct random_round *x)
{
	*x = (struct random_round){ .site = ib_site(), .n = 1 + random_below(RANDOM_SPECS) };
	random_inventory(&x->inv);
	x->site.housekeeping = 1 + random_below(2);
	if (chance(3))
		random_lease(&x->inv);
	if (chance(8))
		random_partition(&x->inv);
	if (chance(4))
		random_isolation(&x->inv);
	for (size_t i = 0; i < x->n; i++)
		random_spec(&x->specs[i], (unsigned int)i, x->inv.n_nodes);
}

/* ---- small hosts ---- */

static const uint32_t classes[] = { 0x030200, 0x020000, 0x010802 };
static const char *const class_words[] = { "gpu", "net", "nvme" };

static void random_distances(struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_nodes; i++)
		for (size_t k = 0; k < i; k++)
			inv->nodes[i].distances[k] = inv->nodes[k].distances[i] = 11 +
										  (int)random_below(
											  3) *
											  5;
}

static void random_pools(struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_nodes; i++) {
		struct inv_node *n = &inv->nodes[i];

		n->obtainable = random_below(4) * (IB_1G / 2);
		n->pools[0].free = n->pools[0].total = random_below(600);
		n->pools[1].free = n->pools[1].total = random_below(3);
	}
}

static void vary_function(struct inv_dev *d, bool is_pf)
{
	if (is_pf && chance(2))
		d->sriov = (struct inv_sriov){ 1 + random_below(3), 0, 8, 1, 0x10ca, true };
	if (chance(8))
		d->holder_kind = INV_HOLDER_MOUNT;
	snprintf(d->holder, sizeof(d->holder), "mounted on /scratch");
	d->is_quarantined = chance(10);
	snprintf(d->quarantine, sizeof(d->quarantine), "it did not come back");
	if (chance(8))
		d->reset_methods[0] = '\0';
	if (chance(12))
		snprintf(d->driver, sizeof(d->driver), "vfio-pci");
	if (chance(12))
		d->driver[0] = '\0';
}

/* Functions behind ports with ACS, some of them behind a common port, some in a common group. */
static void random_functions(struct inventory *inv)
{
	unsigned int n = 1 + random_below(7), bus = 0;
	char port[CV_BDF_MAX] = "", bdf[CV_BDF_MAX];
	int node = -1;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int class = random_below(CV_ARRAY_SIZE(classes));
		int group = chance(4) && i ? 100 + (int)random_below(i) : 100 + (int)i;

		if (i > 0 && chance(3)) { /* beside the last one */
			cv_format_bdf((struct cv_bdf){ 0, (uint8_t)(bus + 1), (uint8_t)(0x10 + i),
						       0 },
				      bdf);
			vary_function(ib_add_function(inv, bdf, port, node, group, classes[class]),
				      false);
			continue;
		}
		bus = 0x20 * (i + 1);
		node = (int)random_below((unsigned int)inv->n_nodes + 1) - 1;
		cv_format_bdf((struct cv_bdf){ 0, (uint8_t)bus, 0, 0 }, port);
		cv_format_bdf((struct cv_bdf){ 0, (uint8_t)(bus + 1), 0, 0 }, bdf);
		ib_add_port(inv, port, NULL, node, (int)i, INV_PORT_ROOT);
		vary_function(ib_add_function(inv, bdf, port, node, group, classes[class]),
			      class != 0);
	}
}

static void small_device(struct random_round *x, struct spec *s)
{
	const struct inv_dev *d = &x->inv.devs[random_below((unsigned int)x->inv.n_devs)];
	struct spec_device *e;
	char bdf[CV_BDF_MAX];

	if (chance(3) && d->class >> 16 != 6)
		e = ib_want_bdf(s, cv_format_bdf(d->bdf, bdf));
	else if (chance(3) && d->sriov.total)
		e = ib_want_vf(s, cv_format_bdf(d->bdf, bdf));
	else if (chance(2))
		e = ib_want_class(s, class_words[random_below(CV_ARRAY_SIZE(class_words))]);
	else
		e = ib_want_vf_class(s, class_words[1 + random_below(2)]);
	e->accept = random_below(3) ? 7 : random_below(8);
	e->p2p = chance(8);
	if (s->n_devices > 1 && chance(3))
		snprintf(e->near, sizeof(e->near), "dev%u",
			 random_below((unsigned int)s->n_devices - 1));
}

static void small_lease(struct inventory *inv)
{
	struct cv_lease *l = ib_lease(inv, "old", "ann", "");
	char bdf[CV_BDF_MAX];

	lease_cores(inv, l, random_below(3));
	if (chance(2))
		ib_lease_device(
			l,
			cv_format_bdf(inv->devs[random_below((unsigned int)inv->n_devs)].bdf, bdf));
	if (chance(2))
		ib_lease_pages(l, (int)random_below((unsigned int)inv->n_nodes), IB_2M,
			       random_below(256));
}

void random_small_init(struct random_round *x)
{
	unsigned int left = SMALL_ENTRIES;

	*x = (struct random_round){ .site = ib_site(), .n = 1 + random_below(RANDOM_SPECS) };
	ib_machine(&x->inv, 1 + (int)random_below(4), 2 + (int)random_below(5),
		   1 + (int)random_below(2));
	random_distances(&x->inv);
	random_pools(&x->inv);
	random_functions(&x->inv);
	if (chance(4))
		small_lease(&x->inv);
	if (chance(8))
		random_partition(&x->inv);
	if (chance(4))
		random_isolation(&x->inv);
	for (size_t i = 0; i < x->n; i++) {
		struct spec *s = &x->specs[i];

		*s = random_guest((unsigned int)i, 4, 600, 2);
		for (; left > 0 && chance(2); left--)
			small_device(x, s);
		if (chance(6))
			name_nodes(s, x->inv.n_nodes);
		else if (chance(4))
			s->split = SPEC_SPLIT_DEVICES;
	}
}

/* ---- any host ---- */

static void any_device(struct random_round *x, struct spec *s)
{
	for (int i = 0; i < 20; i++) {
		const struct inv_dev *d = &x->inv.devs[random_below((unsigned int)x->inv.n_devs)];
		struct spec_device *e;
		char bdf[CV_BDF_MAX];

		if (d->class >> 16 == 6)
			continue;
		if (chance(6))
			e = ib_want_bdf(s, cv_format_bdf(d->bdf, bdf));
		else if (d->sriov.total && chance(2))
			e = ib_want_vf(s, cv_format_bdf(d->bdf, bdf));
		else if (d->sriov.total)
			e = ib_want_vf_class(s, inv_class_name(d));
		else
			e = ib_want_class(s, inv_class_name(d));
		e->accept = random_below(3) ? 7 : random_below(8);
		e->p2p = chance(12);
		if (s->n_devices > 1 && chance(2))
			snprintf(e->near, sizeof(e->near), "dev0");
		return;
	}
}

static unsigned int cores_per_node(const struct inventory *inv)
{
	unsigned int n = 0;

	for (size_t i = 0; i < inv->n_cpus; i++)
		n += inv->cpus[i].thread == 0;
	return n / (unsigned int)inv->n_nodes;
}

void random_specs_for(struct random_round *x)
{
	unsigned int per_node = cores_per_node(&x->inv);

	x->n = 1 + random_below(RANDOM_SPECS);
	for (size_t i = 0; i < x->n; i++) {
		struct spec *s = &x->specs[i];
		uint64_t page = chance(2) ? IB_2M : IB_1G;
		char name[24];

		snprintf(name, sizeof(name), "vm%zu", i);
		*s = ib_spec(name, 1 + random_below(per_node * 3 / 4 + 1),
			     page * (1 + random_below(8)), page);
		for (unsigned int k = random_below(4); x->inv.n_devs && k > 0 && chance(2); k--)
			any_device(x, s);
		if (chance(4))
			s->split = SPEC_SPLIT_DEVICES;
		else if (chance(6))
			s->nodes[s->n_nodes++] =
				x->inv.nodes[random_below((unsigned int)x->inv.n_nodes)].id;
	}
}

const char *random_growth(struct random_round *x)
{
	struct inventory *inv = &x->inv;
	unsigned int node = random_below((unsigned int)inv->n_nodes), pool = random_below(2);

	switch (random_below(5)) {
	case 0:
		ib_add_core(inv, (int)node, 1 + (int)random_below(2));
		return "a core";
	case 1:
		inv->nodes[node].pools[pool].free++;
		inv->nodes[node].pools[pool].total++;
		return "a page";
	case 2:
		inv->nodes[node].obtainable += IB_1G;
		return "memory";
	case 3:
		ib_add_function(inv, "0000:fe:00.0", NULL, (int)node, 900,
				classes[random_below(CV_ARRAY_SIZE(classes))]);
		return "a function";
	default:
		ib_add_node(inv, random_below(4) * IB_1G, 10 + (int)random_below(40));
		if (chance(2))
			ib_add_core(inv, (int)inv->n_nodes - 1, 1);
		return "a node";
	}
}

void random_round_done(struct random_round *x)
{
	inventory_done(&x->inv);
	site_done(&x->site);
	for (size_t i = 0; i < x->n; i++) {
		spec_done(&x->specs[i]);
		plan_done(&x->plans[i]);
	}
}
