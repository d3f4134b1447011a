// SPDX-License-Identifier: GPL-2.0-or-later
#include "brute_force.h"

#include <stdlib.h>
#include <string.h>

#define MARGIN (256ULL << 20)
#define FAR 1000
#define MAX_VECTORS 4096
#define MAX_CHAIN 16

/** struct pick - a function for an entry; a VF to come has dev -1 */
struct pick {
	int dev, pf, vf;
};

/** struct vector - what of a choice of devices matters to nodes: where each sits, and the hops */
struct vector {
	int at[BRUTE_MAX_ENTRIES];
	unsigned int hops;
};

struct brute {
	const struct inventory *inv;
	const struct site *site;
	const struct spec *specs;
	size_t n;
	/* devices */
	const struct spec_device *entries[BRUTE_MAX_ENTRIES];
	size_t guest[BRUTE_MAX_ENTRIES];
	size_t n_entries;
	struct pick picks[BRUTE_MAX_ENTRIES];
	struct vector *vectors;
	size_t n_vectors;
	/* nodes */
	unsigned int free_cores[BRUTE_MAX_NODES];
	uint64_t free_pages[BRUTE_MAX_NODES][2], used_pages[BRUTE_MAX_NODES][2];
	unsigned int used_cores[BRUTE_MAX_NODES];
	unsigned int sets[BRUTE_MAX_GUESTS];
	const struct vector *vector;
	struct brute_answer best;
};

int brute_compare(const struct brute_answer *a, const struct brute_answer *b)
{
	if (a->nodes != b->nodes)
		return a->nodes < b->nodes ? -1 : 1;
	if (a->hops != b->hops)
		return a->hops < b->hops ? -1 : 1;
	return a->distance < b->distance ? -1 : a->distance > b->distance;
}

/* ---- single functions ---- */

static bool is_leased(const struct inventory *inv, struct cv_bdf bdf)
{
	for (size_t i = 0; i < inv->n_leases; i++)
		for (size_t k = 0; k < inv->leases[i].n_devices; k++)
			if (cv_bdf_cmp(inv->leases[i].devices[k], bdf) == 0)
				return true;
	return false;
}

static bool is_bridge(const struct inv_dev *d)
{
	return d->class >> 16 == 6;
}

static bool is_idle(const struct brute *b, const struct inv_dev *d)
{
	return d->holder_kind == INV_HOLDER_NONE && !d->is_quarantined && !d->is_unreadable &&
	       !is_leased(b->inv, d->bdf);
}

static bool is_class(const struct inv_dev *d, const char *class)
{
	return strcmp(inv_class_name(d), class) == 0;
}

static bool is_asked_for(const struct brute *b, const struct spec_device *e, const struct pick *p)
{
	const struct inv_dev *pf = p->pf >= 0 ? &b->inv->devs[p->pf] : NULL;

	switch (e->select) {
	case SPEC_BY_BDF:
		return p->dev >= 0 && cv_bdf_cmp(b->inv->devs[p->dev].bdf, e->bdf) == 0;
	case SPEC_BY_CLASS:
		return p->dev >= 0 && !pf && is_class(&b->inv->devs[p->dev], e->class);
	case SPEC_BY_VF:
		break;
	}
	return pf && (e->has_pf ? cv_bdf_cmp(pf->bdf, e->pf) == 0 : is_class(pf, e->class));
}

static bool may_be_given(const struct brute *b, const struct spec_device *e, const struct pick *p)
{
	const struct inv_dev *d = &b->inv->devs[p->dev >= 0 ? p->dev : p->pf];

	if (is_bridge(d) || d->group < 0 || d->is_quarantined || d->is_unreadable ||
	    is_leased(b->inv, d->bdf))
		return false;
	if (p->dev < 0)
		return d->driver[0] && strcmp(d->driver, "vfio-pci") != 0 && d->sriov.num == 0;
	if (!is_idle(b, d) || d->sriov.num)
		return false;
	return p->pf >= 0 || d->reset_methods[0] || (e->accept & SPEC_ACCEPT_NO_RESET);
}

/* ---- functions together ---- */

static bool is_named(const struct brute *b, size_t guest, const struct inv_dev *d)
{
	for (size_t i = 0; i < b->n_entries; i++)
		if (b->guest[i] == guest && b->entries[i]->select == SPEC_BY_BDF &&
		    cv_bdf_cmp(b->entries[i]->bdf, d->bdf) == 0)
			return true;
	return false;
}

static bool has_vfs_promised(const struct brute *b, int pf)
{
	for (size_t i = 0; i < b->n_entries; i++)
		if (b->picks[i].pf == pf)
			return true;
	return false;
}

static bool is_given_to_other(const struct brute *b, size_t guest, int group)
{
	for (size_t i = 0; i < b->n_entries; i++)
		if (b->guest[i] != guest && b->picks[i].dev >= 0 &&
		    b->inv->devs[b->picks[i].dev].group == group)
			return true;
	return false;
}

/* Every other member of the group: named by the same guest, or idle and accepted. */
static bool group_is_fine(const struct brute *b, size_t entry)
{
	const struct pick *p = &b->picks[entry];
	const struct inv_dev *d = &b->inv->devs[p->dev];

	if (is_given_to_other(b, b->guest[entry], d->group))
		return false;
	for (int i = 0; i < (int)b->inv->n_devs; i++) {
		const struct inv_dev *m = &b->inv->devs[i];

		if (i == p->dev || m->group != d->group || is_bridge(m))
			continue;
		if (strcmp(m->driver, "vfio-pci") == 0) {
			if (is_leased(b->inv, m->bdf))
				return false;
			continue;
		}
		if (is_named(b, b->guest[entry], m))
			continue;
		if (!(b->entries[entry]->accept & SPEC_ACCEPT_SHARED_GROUP) || i == p->pf ||
		    m->holder_kind != INV_HOLDER_NONE || m->sriov.num ||
		    is_leased(b->inv, m->bdf) || has_vfs_promised(b, i))
			return false;
	}
	return true;
}

static bool has_bridge_above(const struct inventory *inv, int dev, int bridge)
{
	for (int d = inv->devs[dev].parent; d >= 0; d = inv->devs[d].parent)
		if (d == bridge)
			return true;
	return false;
}

static int stands_for(const struct pick *p)
{
	return p->pf >= 0 ? p->pf : p->dev;
}

static bool have_path(const struct brute *b, size_t x, size_t y)
{
	int a = stands_for(&b->picks[x]), c = stands_for(&b->picks[y]);

	if (a == c)
		return true;
	for (int d = b->inv->devs[a].parent; d >= 0; d = b->inv->devs[d].parent)
		if (has_bridge_above(b->inv, c, d))
			return true;
	return false;
}

static bool p2p_is_fine(const struct brute *b, size_t entry)
{
	if (!b->entries[entry]->p2p)
		return true;
	for (size_t i = 0; i < b->n_entries; i++)
		if (i != entry && b->guest[i] == b->guest[entry] && b->entries[i]->p2p &&
		    have_path(b, entry, i))
			return true;
	return false;
}

static bool pair_is_fine(const struct pick *x, const struct pick *y)
{
	if (x->dev >= 0 && x->dev == y->dev)
		return false;
	if (x->pf >= 0 && x->pf == y->pf && x->vf == y->vf)
		return false;
	return !(x->pf >= 0 && x->pf == y->dev) && !(y->pf >= 0 && y->pf == x->dev);
}

static bool all_is_fine(const struct brute *b)
{
	for (size_t i = 0; i < b->n_entries; i++)
		if ((b->picks[i].dev >= 0 && !group_is_fine(b, i)) || !p2p_is_fine(b, i))
			return false;
	return true;
}

/* ---- hops ---- */

static int chain(const struct inventory *inv, int dev, int ret[MAX_CHAIN])
{
	int n = 0;

	for (int d = dev; d >= 0 && n < MAX_CHAIN; d = inv->devs[d].parent)
		ret[n++] = d;
	return n;
}

unsigned int brute_hops(const struct inventory *inv, int a, int b)
{
	int ca[MAX_CHAIN], cb[MAX_CHAIN], na = chain(inv, a, ca), nb = chain(inv, b, cb);
	bool same_root = strcmp(inv->devs[a].root, inv->devs[b].root) == 0;
	int common = 0;

	while (common < na && common < nb && ca[na - 1 - common] == cb[nb - 1 - common])
		common++;
	if (common)
		return (unsigned int)(na + nb - 2 * common);
	return (unsigned int)(na + nb) + (same_root ? 64 : 192);
}

static unsigned int count_hops(const struct brute *b)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < b->n_entries; i++)
		for (size_t k = 0; k < b->n_entries; k++)
			if (b->guest[i] == b->guest[k] && b->entries[i]->near[0] &&
			    strcmp(b->entries[i]->near, b->entries[k]->id) == 0)
				sum += brute_hops(b->inv, stands_for(&b->picks[i]),
						  stands_for(&b->picks[k]));
	return sum;
}

/* ---- all choices of devices ---- */

static void add_vector(struct brute *b)
{
	struct vector v = { .hops = count_hops(b) };

	for (size_t i = 0; i < b->n_entries; i++) {
		const struct pick *p = &b->picks[i];

		v.at[i] = inv_find_node(b->inv, b->inv->devs[p->dev >= 0 ? p->dev : p->pf].node);
	}
	for (size_t i = 0; i < b->n_vectors; i++)
		if (memcmp(&b->vectors[i], &v, sizeof(v)) == 0)
			return;
	if (b->n_vectors == MAX_VECTORS)
		abort();
	b->vectors[b->n_vectors++] = v;
}

static void all_devices(struct brute *b, size_t entry);

static void try_pick(struct brute *b, size_t entry, struct pick p)
{
	if (!is_asked_for(b, b->entries[entry], &p) || !may_be_given(b, b->entries[entry], &p))
		return;
	for (size_t i = 0; i < entry; i++)
		if (!pair_is_fine(&b->picks[i], &p))
			return;
	b->picks[entry] = p;
	all_devices(b, entry + 1);
	b->picks[entry] = (struct pick){ -1, -1, -1 };
}

static void all_devices(struct brute *b, size_t entry)
{
	const struct inventory *inv = b->inv;

	if (entry == b->n_entries) {
		if (all_is_fine(b))
			add_vector(b);
		return;
	}
	for (int i = 0; i < (int)inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];

		try_pick(b, entry, (struct pick){ i, d->pf, d->vf_index });
		for (int vf = 0; d->sriov.num == 0 && vf < (int)d->sriov.total; vf++) {
			struct cv_bdf bdf;

			if (inv_vf_bdf(d, (unsigned int)vf, &bdf) < 0 || is_leased(inv, bdf))
				break; /* VFs are made from the first on */
			try_pick(b, entry, (struct pick){ -1, i, vf });
		}
	}
}

/* ---- nodes ---- */

static bool core_is_free(const struct inventory *inv, int core)
{
	for (size_t i = 0; i < inv->n_cpus; i++) {
		if (inv->cpus[i].core != core)
			continue;
		for (size_t l = 0; l < inv->n_leases; l++)
			if (cv_cpuset_has(&inv->leases[l].cpus, inv->cpus[i].id))
				return false;
		for (size_t k = 0; k < inv->n_partitions; k++)
			if (cv_cpuset_has(&inv->partitions[k].cpus, inv->cpus[i].id))
				return false;
	}
	return true;
}

static void count_cores(struct brute *b)
{
	const struct inventory *inv = b->inv;

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].thread == 0 && core_is_free(inv, inv->cpus[i].core))
			b->free_cores[inv_find_node(inv, inv->cpus[i].node)]++;
	for (size_t n = 0; n < inv->n_nodes; n++)
		b->free_cores[n] -= b->free_cores[n] < b->site->housekeeping
					    ? b->free_cores[n]
					    : b->site->housekeeping;
}

static void count_pages(struct brute *b)
{
	for (size_t n = 0; n < b->inv->n_nodes; n++)
		for (int k = 0; k < 2; k++) {
			const struct inv_pool *pool = &b->inv->nodes[n].pools[k];
			uint64_t total = pool->total;

			for (size_t l = 0; l < b->inv->n_leases; l++)
				for (size_t i = 0; i < b->inv->leases[l].n_pages; i++) {
					const struct cv_lease_pages *p = &b->inv->leases[l].pages[i];

					if (p->node == b->inv->nodes[n].id &&
					    p->page_size == pool->page_size)
						total -= p->pages < total ? p->pages : total;
				}
			b->free_pages[n][k] = pool->free < total ? pool->free : total;
		}
}

static bool node_holds(const struct brute *b, size_t n)
{
	const struct inv_node *node = &b->inv->nodes[n];
	uint64_t added = 0;

	for (int k = 0; k < 2; k++)
		if (b->used_pages[n][k] > b->free_pages[n][k])
			added += (b->used_pages[n][k] - b->free_pages[n][k]) *
				 node->pools[k].page_size;
	return b->used_cores[n] <= b->free_cores[n] &&
	       (added == 0 || added + MARGIN <= node->obtainable);
}

static void judge(struct brute *b)
{
	struct brute_answer a = { .is_feasible = true, .hops = b->vector->hops };

	for (size_t g = 0; g < b->n; g++)
		a.nodes += (unsigned int)__builtin_popcount(b->sets[g]);
	for (size_t e = 0; e < b->n_entries; e++) {
		unsigned int best = FAR;

		for (size_t n = 0; n < b->inv->n_nodes && b->vector->at[e] >= 0; n++) {
			unsigned int d = (unsigned int)b->inv->nodes[b->vector->at[e]].distances[n];

			if (b->sets[b->guest[e]] >> n & 1 && d < best)
				best = d;
		}
		a.distance += best;
	}
	if (!b->best.is_feasible || brute_compare(&a, &b->best) < 0)
		b->best = a;
}

static void all_nodes(struct brute *b, size_t guest);

static void try_shares(struct brute *b, size_t guest, unsigned int set, const unsigned int *cores,
		       const uint64_t *pages)
{
	int size = b->specs[guest].page_size == b->inv->nodes[0].pools[1].page_size;
	bool holds = true;

	for (size_t n = 0; n < b->inv->n_nodes; n++) {
		b->used_cores[n] += cores[n];
		b->used_pages[n][size] += pages[n];
		holds &= node_holds(b, n);
	}
	b->sets[guest] = set;
	if (holds)
		all_nodes(b, guest + 1);
	for (size_t n = 0; n < b->inv->n_nodes; n++) {
		b->used_cores[n] -= cores[n];
		b->used_pages[n][size] -= pages[n];
	}
}

static void try_even(struct brute *b, size_t guest, unsigned int set)
{
	const struct spec *s = &b->specs[guest];
	unsigned int k = (unsigned int)__builtin_popcount(set), cores[BRUTE_MAX_NODES] = { 0 };
	uint64_t all = s->memory / s->page_size, pages[BRUTE_MAX_NODES] = { 0 };

	if (s->cpus % k || all % k)
		return;
	for (size_t n = 0; n < b->inv->n_nodes; n++)
		if (set >> n & 1) {
			cores[n] = s->cpus / k;
			pages[n] = all / k;
		}
	try_shares(b, guest, set, cores, pages);
}

/* Shares in proportion to @weights by largest remainder, lowest node first; at least one each. */
static bool divide(const struct brute *b, unsigned int set, const unsigned int *weights,
		   uint64_t total, uint64_t *ret)
{
	uint64_t sum = 0, given = 0;
	unsigned int done = 0;

	for (size_t n = 0; n < b->inv->n_nodes; n++)
		sum += weights[n];
	if (total < (uint64_t)__builtin_popcount(set))
		return false;
	for (size_t n = 0; n < b->inv->n_nodes; n++)
		given += ret[n] = total * weights[n] / sum;
	while (given < total) {
		size_t best = BRUTE_MAX_NODES;

		for (size_t n = 0; n < b->inv->n_nodes; n++)
			if (set >> n & 1 && !(done >> n & 1) &&
			    (best == BRUTE_MAX_NODES ||
			     total * weights[n] % sum > total * weights[best] % sum))
				best = n;
		done |= 1U << best;
		ret[best]++;
		given++;
	}
	for (size_t n = 0; n < b->inv->n_nodes; n++) {
		size_t most = 0;

		for (size_t k = 1; k < b->inv->n_nodes; k++)
			most = ret[k] > ret[most] ? k : most;
		if (set >> n & 1 && ret[n] == 0) {
			ret[n]++;
			ret[most]--;
		}
	}
	return true;
}

static bool has_cpus(const struct brute *b, size_t node)
{
	for (size_t i = 0; i < b->inv->n_cpus; i++)
		if (b->inv->cpus[i].node == b->inv->nodes[node].id)
			return true;
	return false;
}

static size_t home_of(const struct brute *b, size_t at)
{
	size_t best = BRUTE_MAX_NODES;
	const int *d = b->inv->nodes[at].distances;

	for (size_t n = 0; n < b->inv->n_nodes; n++)
		if (has_cpus(b, n) &&
		    (best == BRUTE_MAX_NODES || d[n] < d[best] || (d[n] == d[best] && n == at)))
			best = n;
	return best;
}

static void try_split(struct brute *b, size_t guest, const unsigned int *weights, unsigned int set)
{
	const struct spec *s = &b->specs[guest];
	uint64_t parts[BRUTE_MAX_NODES] = { 0 }, pages[BRUTE_MAX_NODES] = { 0 };
	unsigned int cores[BRUTE_MAX_NODES] = { 0 };

	if (!divide(b, set, weights, s->cpus, parts) ||
	    !divide(b, set, weights, s->memory / s->page_size, pages))
		return;
	for (size_t n = 0; n < b->inv->n_nodes; n++)
		cores[n] = (unsigned int)parts[n];
	try_shares(b, guest, set, cores, pages);
}

static void all_nodes(struct brute *b, size_t guest)
{
	const struct spec *s = &b->specs[guest];
	unsigned int weights[BRUTE_MAX_NODES] = { 0 }, split = 0, named = 0;

	if (guest == b->n) {
		judge(b);
		return;
	}
	for (size_t e = 0; e < b->n_entries && s->split == SPEC_SPLIT_DEVICES; e++)
		if (b->guest[e] == guest && b->vector->at[e] >= 0) {
			size_t home = home_of(b, (size_t)b->vector->at[e]);

			weights[home]++;
			split |= 1U << home;
		}
	for (size_t i = 0; i < s->n_nodes; i++)
		named |= 1U << inv_find_node(b->inv, s->nodes[i]);
	if (split && !named) {
		try_split(b, guest, weights, split);
		return;
	}
	for (unsigned int set = 1; set < 1U << b->inv->n_nodes; set++)
		if (!named || set == named)
			try_even(b, guest, set);
}

void brute_force(const struct inventory *inv, const struct site *site, const struct spec *specs,
		 size_t n, struct brute_answer *ret)
{
	struct brute b = { .inv = inv, .site = site, .specs = specs, .n = n };

	b.vectors = calloc(MAX_VECTORS, sizeof(*b.vectors));
	if (!b.vectors || inv->n_nodes > BRUTE_MAX_NODES || n > BRUTE_MAX_GUESTS)
		abort();
	for (size_t g = 0; g < n; g++)
		for (size_t i = 0; i < specs[g].n_devices; i++) {
			if (b.n_entries == BRUTE_MAX_ENTRIES)
				abort();
			b.picks[b.n_entries] = (struct pick){ -1, -1, -1 };
			b.guest[b.n_entries] = g;
			b.entries[b.n_entries++] = &specs[g].devices[i];
		}
	count_cores(&b);
	count_pages(&b);
	all_devices(&b, 0);
	for (size_t i = 0; i < b.n_vectors; i++) {
		b.vector = &b.vectors[i];
		all_nodes(&b, 0);
	}
	free(b.vectors);
	*ret = b.best;
}
