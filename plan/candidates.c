// SPDX-License-Identifier: GPL-2.0-or-later
/* Candidates: each function is judged once for all entries that ask for the same, and VFs that are alike
 * are one candidate with a number. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/assign.h"

/* ---- entries ---- */

static bool names_functions(const struct spec *s)
{
	for (size_t i = 0; i < s->n_devices; i++)
		if (s->devices[i].select == SPEC_BY_BDF)
			return true;
	return false;
}

static bool same_selection(const struct spec_device *a, const struct spec_device *b)
{
	if (a->select != b->select || a->has_pf != b->has_pf)
		return false;
	if (a->select == SPEC_BY_BDF)
		return cv_bdf_cmp(a->bdf, b->bdf) == 0;
	return a->has_pf ? cv_bdf_cmp(a->pf, b->pf) == 0 : strcmp(a->class, b->class) == 0;
}

/* What the regions of a group leave depends on it: place_check_regions(). */
static bool same_memory(const struct spec *a, const struct spec *b)
{
	return a->memory == b->memory && a->page_size == b->page_size &&
	       strcmp(a->backend, b->backend) == 0;
}

/* The functions that a spec names do not stand in each other's way: lists of such a spec are its own. */
static bool asks_for_same(const struct assign_list *l, const struct spec *s,
			  const struct spec_device *want)
{
	return same_selection(l->want, want) && l->want->accept == want->accept &&
	       (l->want->has_mac || l->want->vlan) == (want->has_mac || want->vlan) &&
	       (l->s == s ||
		(same_memory(l->s, s) && !names_functions(l->s) && !names_functions(s)));
}

static unsigned int find_list(struct assign *a, const struct spec *s,
			      const struct spec_device *want)
{
	for (unsigned int i = 0; i < a->n_lists; i++)
		if (asks_for_same(&a->lists[i], s, want))
			return i;
	a->lists[a->n_lists] = (struct assign_list){ .s = s, .want = want };
	return (unsigned int)a->n_lists++;
}

static bool is_pair(const struct spec_device *a, const struct spec_device *b)
{
	return (b->near[0] && strcmp(a->id, b->near) == 0) ||
	       (a->near[0] && strcmp(b->id, a->near) == 0);
}

static bool same_relations(const struct spec *s, size_t i, size_t k)
{
	if (is_pair(&s->devices[i], &s->devices[k]))
		return false;
	for (size_t o = 0; o < s->n_devices; o++)
		if (o != i && o != k &&
		    is_pair(&s->devices[i], &s->devices[o]) !=
			    is_pair(&s->devices[k], &s->devices[o]))
			return false;
	return s->devices[i].p2p == s->devices[k].p2p;
}

static int find_twin(const struct assign *a, const struct assign_guest *g, size_t index)
{
	const struct assign_entry *e = &a->entries[g->first + index];
	const struct spec *s = &a->specs[e->guest];

	for (size_t k = index; k-- > 0;)
		if (a->entries[g->first + k].list == e->list && same_relations(s, index, k))
			return (int)(g->first + k);
	return -1;
}

static void read_entries(struct assign *a, unsigned int guest)
{
	struct assign_guest *g = &a->guests[guest];
	const struct spec *s = &a->specs[guest];

	for (unsigned int i = 0; i < s->n_devices; i++) {
		struct assign_entry *e = &a->entries[g->first + i];

		*e = (struct assign_entry){ .guest = guest, .index = i, .want = &s->devices[i] };
		e->list = find_list(a, s, e->want);
		e->twin = find_twin(a, g, i);
		e->takes_group = e->want->accept & SPEC_ACCEPT_SHARED_GROUP;
		g->has_p2p |= e->want->p2p;
		a->tree_matters |= e->want->p2p || e->want->near[0];
		for (unsigned int k = 0; k < i; k++)
			if (is_pair(&s->devices[k], e->want)) {
				a->pairs[a->n_pairs++] = (struct assign_pair){
					(unsigned int)g->first + k, (unsigned int)g->first + i
				};
				g->n_pairs++;
			}
	}
}

static size_t count_pairs(const struct spec *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_devices; i++)
		for (size_t k = 0; s->devices[i].near[0] && k < s->n_devices; k++)
			n += strcmp(s->devices[i].near, s->devices[k].id) == 0;
	return n;
}

static int allocate_entries(struct assign *a)
{
	size_t n_pairs = 0;

	for (size_t i = 0; i < a->n_guests; i++) {
		a->n_entries += a->specs[i].n_devices;
		n_pairs += count_pairs(&a->specs[i]);
	}
	a->guests = calloc(a->n_guests + 1, sizeof(*a->guests));
	a->entries = calloc(a->n_entries + 1, sizeof(*a->entries));
	a->lists = calloc(a->n_entries + 1, sizeof(*a->lists));
	a->pairs = calloc(n_pairs + 1, sizeof(*a->pairs));
	return a->guests && a->entries && a->lists && a->pairs ? 0 : -ENOMEM;
}

/* ---- functions ---- */

static int group_slot(const struct place *p, int dev)
{
	size_t n;

	place_group(p, dev, &n);
	return n > 1 ? p->group_at[dev] : -1;
}

static int add_candidate(struct assign *a, struct assign_cand c)
{
	const struct inv_dev *d = &a->p->inv->devs[c.dev >= 0 ? c.dev : c.pf];

	c.anchor = c.pf >= 0 ? c.pf : c.dev;
	c.at = d->node < 0 ? -1 : inv_find_node(a->p->inv, d->node);
	c.like = (unsigned int)a->n_cands;
	a->cands[a->n_cands] = c;
	return (int)a->n_cands++;
}

static int candidate_of(struct assign *a, int dev)
{
	const struct inv_dev *d = &a->p->inv->devs[dev];

	if (a->dev_cand[dev] < 0)
		a->dev_cand[dev] = add_candidate(
			a, (struct assign_cand){ .dev = dev,
						 .pf = d->pf,
						 .slot = group_slot(a->p, dev),
						 .pf_slot = -1,
						 .capacity = 1 });
	return a->dev_cand[dev];
}

static bool is_named(const struct assign *a, struct cv_bdf bdf)
{
	for (size_t i = 0; i < a->n_lists; i++)
		if (a->lists[i].want->select == SPEC_BY_BDF &&
		    cv_bdf_cmp(a->lists[i].want->bdf, bdf) == 0)
			return true;
	return false;
}

/* A VF in a group of its own, that nobody names: as good as any other such VF of its PF. */
static bool is_pool_vf(const struct assign *a, int vf)
{
	return place_is_idle(a->p, vf) && group_slot(a->p, vf) < 0 &&
	       !is_named(a, a->p->inv->devs[vf].bdf);
}

static int next_existing(const struct assign *a, int pf, int from, int *ret_dev)
{
	const struct place *p = a->p;

	for (int i = p->vf_at[pf]; i < p->vf_at[pf + 1]; i++) {
		int index = p->inv->devs[p->by_pf[i]].vf_index;

		if (index > from && is_pool_vf(a, p->by_pf[i])) {
			*ret_dev = p->by_pf[i];
			return index;
		}
	}
	return -1;
}

/* VFs are made from the first on: what is in the way of one is in the way of all after it. */
static int next_future(const struct assign *a, int pf, int from)
{
	const struct inventory *inv = a->p->inv;
	struct cv_bdf bdf;

	if (inv_vf_bdf(&inv->devs[pf], (unsigned int)(from + 1), &bdf) < 0 ||
	    inv_device_lease(inv, bdf) || inv_find_dev(inv, bdf) >= 0)
		return -1;
	return from + 1;
}

int assign_pool_vf(const struct assign *a, const struct assign_cand *pool, int from, int *ret_dev)
{
	*ret_dev = -1;
	return pool->is_future ? next_future(a, pool->pf, from)
			       : next_existing(a, pool->pf, from, ret_dev);
}

static int pool_of(struct assign *a, int pf)
{
	struct assign_cand c = { .dev = -1, .pf = pf, .slot = -1, .pf_slot = -1 };
	int vf = -1, dev;

	if (a->pf_pool[pf] != -1)
		return a->pf_pool[pf];
	c.is_future = a->p->inv->devs[pf].sriov.num == 0;
	if (c.is_future)
		c.pf_slot = a->p->group_at[pf];
	while (c.capacity < a->n_entries && (vf = assign_pool_vf(a, &c, vf, &dev)) >= 0)
		c.capacity++;
	a->pf_pool[pf] = c.capacity ? add_candidate(a, c) : -2;
	return a->pf_pool[pf];
}

/* ---- lists ---- */

static bool is_fit(const struct assign *a, const struct assign_list *l, int dev, int pf, int vf)
{
	const struct inventory *inv = a->p->inv;
	struct place_dev d = { .dev = dev, .pf = pf, .vf_index = vf };

	if (dev >= 0)
		d.bdf = inv->devs[dev].bdf;
	else if (inv_vf_bdf(&inv->devs[pf], (unsigned int)vf, &d.bdf) < 0)
		return false;
	return place_check_device(a->p, l->s, NULL, l->want, d, NULL) == 0;
}

static void list_add(struct assign_list *l, int cand)
{
	l->cands[l->n++] = (unsigned int)cand;
}

static void list_function(struct assign *a, struct assign_list *l, int dev)
{
	if (is_fit(a, l, dev, a->p->inv->devs[dev].pf, a->p->inv->devs[dev].vf_index))
		list_add(l, candidate_of(a, dev));
}

static void list_vfs(struct assign *a, struct assign_list *l, int pf)
{
	const struct place *p = a->p;
	int pool = pool_of(a, pf), dev = -1, vf = -1;

	if (pool >= 0)
		vf = assign_pool_vf(a, &a->cands[pool], -1, &dev);
	if (vf >= 0 && is_fit(a, l, dev, pf, vf))
		list_add(l, pool);
	for (int i = p->vf_at[pf]; p->inv->devs[pf].sriov.num && i < p->vf_at[pf + 1]; i++)
		if (!is_pool_vf(a, p->by_pf[i]))
			list_function(a, l, p->by_pf[i]);
}

/* Names of classes are looked up once for each class that there is. */
static void list_class(struct assign *a, struct assign_list *l)
{
	const struct inventory *inv = a->p->inv;
	uint32_t class = UINT32_MAX;
	bool is_class = false;

	for (int i = 0; i < (int)inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];
		bool is_vf = l->want->select == SPEC_BY_VF;

		if (is_vf ? d->sriov.total == 0
			  : d->pf >= 0 || inv_is_bridge(d) || inv_is_bmc_display(d))
			continue;
		if (d->class != class)
			is_class = strcmp(inv_class_name(d), l->want->class) == 0;
		class = d->class;
		if (is_class && is_vf)
			list_vfs(a, l, i);
		else if (is_class)
			list_function(a, l, i);
	}
}

static void fill_list(struct assign *a, struct assign_list *l)
{
	bool is_named = l->want->select == SPEC_BY_BDF || l->want->has_pf;
	int dev = is_named ? inv_find_dev(a->p->inv, l->want->has_pf ? l->want->pf : l->want->bdf)
			   : -1;

	if (!is_named)
		list_class(a, l);
	else if (dev >= 0 && l->want->select == SPEC_BY_BDF)
		list_function(a, l, dev);
	else if (dev >= 0 && a->p->inv->devs[dev].sriov.total)
		list_vfs(a, l, dev);
}

static int read_list(struct assign *a, struct assign_list *l)
{
	size_t n_nodes = a->p->inv->n_nodes;

	l->cands = calloc(2 * a->p->inv->n_devs + 1, sizeof(*l->cands));
	l->nodes = calloc(n_nodes + 1, sizeof(*l->nodes));
	if (!l->cands || !l->nodes)
		return -ENOMEM;
	fill_list(a, l);
	for (size_t i = 0; i < l->n; i++) {
		int at = a->cands[l->cands[i]].at;

		l->nodes[at < 0 ? n_nodes : (size_t)at] = true;
	}
	return 0;
}

/* ---- functions that stand in for each other ---- */

/* The place in the tree that decides about hops: the parent, or, alone below its port, the switch. */
static int position(const struct assign *a, const struct assign_cand *c,
		    const unsigned int *children)
{
	const struct inv_dev *devs = a->p->inv->devs;
	int parent = devs[c->dev].parent;

	if (!a->tree_matters)
		return -1;
	if (parent >= 0 && children[parent] == 1 && devs[parent].parent >= 0 &&
	    devs[devs[parent].parent].port == INV_PORT_UPSTREAM)
		return devs[parent].parent;
	return parent >= 0 ? parent : INT32_MIN + c->dev;
}

static bool is_plain(const struct assign *a, const struct assign_cand *c)
{
	return c->dev >= 0 && c->pf < 0 && c->slot < 0 && a->pf_pool[c->dev] < 0;
}

static bool in_same_lists(const uint64_t *lists, unsigned int x, unsigned int y)
{
	return lists[x] == lists[y];
}

static void find_alike(struct assign *a, const uint64_t *lists, const unsigned int *children)
{
	for (unsigned int i = 1; i < a->n_cands; i++) {
		struct assign_cand *c = &a->cands[i];

		for (unsigned int k = i; k-- > 0 && i - k < 64 && is_plain(a, c);) {
			struct assign_cand *o = &a->cands[k];

			if (!is_plain(a, o) || o->at != c->at || !in_same_lists(lists, i, k) ||
			    position(a, o, children) != position(a, c, children))
				continue;
			c->like = o->like;
			break;
		}
	}
}

static int group_alike(struct assign *a)
{
	_cleanup_free_ uint64_t *lists = calloc(a->n_cands + 1, sizeof(*lists));
	_cleanup_free_ unsigned int *children = calloc(a->p->inv->n_devs + 1, sizeof(*children));

	if (!lists || !children)
		return -ENOMEM;
	for (size_t l = 0; l < a->n_lists; l++)
		for (size_t i = 0; i < a->lists[l].n; i++)
			lists[a->lists[l].cands[i]] |= 1ULL << (l % 64);
	for (size_t i = 0; i < a->p->inv->n_devs && a->tree_matters; i++)
		if (a->p->inv->devs[i].parent >= 0)
			children[a->p->inv->devs[i].parent]++;
	if (a->n_lists <= 64)
		find_alike(a, lists, children);
	return 0;
}

int assign_read_candidates(struct assign *a)
{
	size_t n = a->p->inv->n_devs + 1;
	int r = allocate_entries(a);

	a->cands = calloc(2 * n, sizeof(*a->cands));
	a->dev_cand = malloc(n * sizeof(*a->dev_cand));
	a->pf_pool = malloc(n * sizeof(*a->pf_pool));
	if (r < 0 || !a->cands || !a->dev_cand || !a->pf_pool)
		return -ENOMEM;
	memset(a->dev_cand, 0xff, n * sizeof(*a->dev_cand));
	memset(a->pf_pool, 0xff, n * sizeof(*a->pf_pool));
	for (unsigned int i = 0, first = 0; i < a->n_guests; i++) {
		a->guests[i].first = first;
		a->guests[i].n = a->specs[i].n_devices;
		a->guests[i].pairs = a->n_pairs;
		read_entries(a, i);
		first += (unsigned int)a->specs[i].n_devices;
	}
	for (size_t i = 0; i < a->n_lists && r == 0; i++)
		r = read_list(a, &a->lists[i]);
	return r < 0 ? r : group_alike(a);
}
