// SPDX-License-Identifier: GPL-2.0-or-later
/* Around the search for devices: its memory, the order of entries, a bound on what can be had at all,
 * and its outcome as functions. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/assign.h"

#define MAX_MEMO 1024 /* candidates whose hops to each other are remembered */

/* Exact functions first, then VFs of a named PF, then free choices, then those that follow another. */
static int rank(const struct assign_guest *g, const struct spec *s, const bool *done, size_t i)
{
	const struct spec_device *d = &s->devices[i];

	if (d->select == SPEC_BY_BDF)
		return 0;
	if (d->select == SPEC_BY_VF && d->has_pf)
		return 1;
	for (size_t k = 0; d->near[0] && k < g->n; k++)
		if (strcmp(s->devices[k].id, d->near) == 0 && !done[k])
			return 3;
	return 2;
}

static int rank_entries(struct assign *a, unsigned int guest)
{
	const struct assign_guest *g = &a->guests[guest];
	const struct spec *s = &a->specs[guest];
	_cleanup_free_ bool *done = calloc(g->n + 1, sizeof(*done));

	if (!done)
		return -ENOMEM;
	for (size_t n = 0; n < g->n; n++) {
		int best = INT32_MAX;
		size_t at = 0;

		for (size_t i = 0; i < g->n; i++) {
			int r = done[i] ? INT32_MAX : rank(g, s, done, i);

			if (r < best) {
				best = r;
				at = i;
			}
		}
		done[at] = true;
		a->rank[g->first + n] = (unsigned int)(g->first + at);
	}
	return 0;
}

static int allocate_state(struct assign *a)
{
	size_t n_devs = a->p->inv->n_devs + 1, n = a->n_entries + 1;

	a->rank = calloc(n, sizeof(*a->rank));
	a->order = calloc(n, sizeof(*a->order));
	a->depth = calloc(n, sizeof(*a->depth));
	a->chosen = malloc(n * sizeof(*a->chosen));
	a->best = malloc(n * sizeof(*a->best));
	a->rest = calloc(n, sizeof(*a->rest));
	a->seen = calloc(a->n_lists * a->n_lists + 1, sizeof(*a->seen));
	a->used = calloc(a->n_cands + 1, sizeof(*a->used));
	a->dev_used = calloc(6 * n_devs, sizeof(*a->dev_used));
	a->home_n = calloc((a->n_guests + 1) * (a->p->inv->n_nodes + 1), sizeof(*a->home_n));
	if (a->n_cands <= MAX_MEMO && a->tree_matters)
		a->hops = calloc(a->n_cands * a->n_cands + 1, sizeof(*a->hops));
	if (!a->rank || !a->order || !a->depth || !a->chosen || !a->best || !a->rest || !a->seen ||
	    !a->used || !a->dev_used || !a->home_n)
		return -ENOMEM;
	a->pf_vfs = a->dev_used + n_devs;
	a->slot_n = a->pf_vfs + n_devs;
	a->slot_guest = a->slot_n + n_devs;
	a->slot_whole = a->slot_guest + n_devs;
	a->slot_vfs = a->slot_whole + n_devs;
	memset(a->chosen, 0xff, n * sizeof(*a->chosen));
	memset(a->best, 0xff, n * sizeof(*a->best));
	return 0;
}

int assign_init(struct assign *a, const struct place *p, const struct spec *specs, size_t n)
{
	*a = (struct assign){ .p = p, .specs = specs, .n_guests = n };
	int r = assign_read_candidates(a);

	if (r == 0)
		r = allocate_state(a);
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = rank_entries(a, i);
	if (r < 0)
		assign_done(a);
	return r;
}

void assign_done(struct assign *a)
{
	for (size_t i = 0; a->lists && i < a->n_lists; i++) {
		free(a->lists[i].cands);
		free(a->lists[i].nodes);
	}
	for (size_t i = 0; a->seen && i < a->n_lists * a->n_lists; i++)
		free(a->seen[i]);
	free(a->guests);
	free(a->entries);
	free(a->rank);
	free(a->pairs);
	free(a->lists);
	free(a->cands);
	free(a->dev_cand);
	free(a->pf_pool);
	free(a->seen);
	free(a->hops);
	free(a->chosen);
	free(a->best);
	free(a->used);
	free(a->dev_used);
	free(a->order);
	free(a->depth);
	free(a->home_n);
	free(a->rest);
	*a = (struct assign){ 0 };
}

/* ---- is there enough? A matching of entries and functions, whatever else stands in the way ---- */

/**
 * struct matching - @owner: entry that has each place of a candidate, -1 none; @at: the first place of
 * each candidate; @seen: looked at for the present entry
 */
struct matching {
	const struct assign *a;
	int *owner;
	size_t *at;
	bool *seen;
};

static bool match_entry(struct matching *m, unsigned int entry)
{
	const struct assign_list *l = &m->a->lists[m->a->entries[entry].list];

	for (size_t i = 0; i < l->n; i++) {
		unsigned int c = l->cands[i];

		if (m->seen[c])
			continue;
		m->seen[c] = true;
		for (size_t k = m->at[c]; k < m->at[c + 1]; k++) {
			if (m->owner[k] >= 0 && !match_entry(m, (unsigned int)m->owner[k]))
				continue;
			m->owner[k] = (int)entry;
			return true;
		}
	}
	return false;
}

static bool match_guest(struct matching *m, unsigned int guest)
{
	const struct assign_guest *g = &m->a->guests[guest];

	for (size_t i = g->first; i < g->first + g->n; i++) {
		memset(m->seen, 0, m->a->n_cands * sizeof(*m->seen));
		if (!match_entry(m, (unsigned int)i))
			return false;
	}
	return true;
}

bool assign_could_serve(struct assign *a, const unsigned int *guests, size_t n)
{
	_cleanup_free_ size_t *at = calloc(a->n_cands + 2, sizeof(*at));
	_cleanup_free_ bool *seen = calloc(a->n_cands + 1, sizeof(*seen));
	bool could = true;

	for (size_t c = 0; at && c < a->n_cands; c++)
		at[c + 1] = at[c] + a->cands[c].capacity;
	_cleanup_free_ int *owner = at ? malloc((at[a->n_cands] + 1) * sizeof(*owner)) : NULL;
	if (!owner || !seen)
		return true; /* the search will tell */
	memset(owner, 0xff, (at[a->n_cands] + 1) * sizeof(*owner));
	struct matching m = { a, owner, at, seen };
	for (size_t i = 0; i < n && could; i++)
		could = match_guest(&m, guests[i]);
	return could;
}

/* ---- the outcome ---- */

static int fill_entry(const struct assign *a, size_t entry, int *next_vf, struct place_dev *ret)
{
	const struct assign_cand *c = &a->cands[a->chosen[entry]];
	const struct inventory *inv = a->p->inv;
	struct place_dev d = { .dev = c->dev, .pf = c->pf, .vf_index = -1, .clique = -1 };

	if (c->dev < 0) {
		int *vf = &next_vf[a->chosen[entry]];

		d.vf_index = *vf = assign_pool_vf(a, c, *vf, &d.dev);
		if (d.vf_index < 0)
			return -EIO; /* more than its capacity: never */
	} else if (c->pf >= 0) {
		d.vf_index = inv->devs[c->dev].vf_index;
	}
	if (d.dev >= 0)
		d.bdf = inv->devs[d.dev].bdf;
	else
		inv_vf_bdf(&inv->devs[d.pf], (unsigned int)d.vf_index, &d.bdf);
	d.node = inv->devs[d.dev >= 0 ? d.dev : d.pf].node;
	*ret = d;
	return 0;
}

/* Those that reach each other below one switch have one clique: a number within the guest. */
static void fill_cliques(const struct assign *a, const struct assign_guest *g,
			 struct place_dev *devs)
{
	int n = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (!a->entries[g->first + i].want->p2p)
			continue;
		for (size_t k = 0; k < i && devs[i].clique < 0; k++)
			if (devs[k].clique >= 0 &&
			    assign_is_path(a, (unsigned int)a->chosen[g->first + i],
					   (unsigned int)a->chosen[g->first + k]))
				devs[i].clique = devs[k].clique;
		if (devs[i].clique < 0)
			devs[i].clique = n++;
	}
}

int assign_fill(const struct assign *a, struct place_choice *choices)
{
	_cleanup_free_ int *next_vf = malloc((a->n_cands + 1) * sizeof(*next_vf));
	int r = 0;

	if (!next_vf)
		return -ENOMEM;
	memset(next_vf, 0xff, (a->n_cands + 1) * sizeof(*next_vf));
	for (size_t i = 0; i < a->n_guests && r == 0; i++) {
		const struct assign_guest *g = &a->guests[i];
		struct place_dev *devs = calloc(g->n + 1, sizeof(*devs));

		if (!devs)
			return -ENOMEM;
		choices[i].devs = devs;
		choices[i].n_devs = g->n;
		for (size_t k = 0; k < g->n && r == 0; k++)
			r = fill_entry(a, g->first + k, next_vf, &devs[k]);
		if (r == 0)
			fill_cliques(a, g, devs);
	}
	return r;
}
