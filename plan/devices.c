// SPDX-License-Identifier: GPL-2.0-or-later
/* Which functions an entry of devices: can mean, and how far they are from each other and the cores. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

#define MAX_DEPTH 32 /* bridges above a function that are looked at */

bool place_wants_pf(const struct spec_device *want, const struct inv_dev *d)
{
	if (d->sriov.total == 0)
		return false;
	return want->has_pf ? cv_bdf_cmp(d->bdf, want->pf) == 0
			    : strcmp(inv_class_name(d), want->class) == 0;
}

/* The display of a management controller is nobody's GPU; its address still names it. */
bool place_wants_class(const struct spec_device *want, const struct inv_dev *d)
{
	return d->pf < 0 && !inv_is_bridge(d) && !inv_is_bmc_display(d) &&
	       strcmp(inv_class_name(d), want->class) == 0;
}

/* An entry by address names a function, or a PF; a group that is taken whole is the reader's matter. */
static bool may_want(const struct spec_device *want, const struct inv_dev *d)
{
	switch (want->select) {
	case SPEC_BY_BDF:
		return cv_bdf_cmp(want->bdf, d->bdf) == 0;
	case SPEC_BY_CLASS:
		return place_wants_class(want, d);
	case SPEC_BY_VF:
		break;
	}
	return place_wants_pf(want, d);
}

bool spec_wants(const struct spec *specs, size_t n, const struct inv_dev *d)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < specs[i].n_devices; k++)
			if (may_want(&specs[i].devices[k], d))
				return true;
	return false;
}

static int chain(const struct inventory *inv, int dev, int *ret, int max)
{
	int n = 0;

	for (int d = dev; d >= 0 && n < max; d = inv->devs[d].parent)
		ret[n++] = d;
	return n;
}

unsigned int place_hops(const struct inventory *inv, int a, int b)
{
	int ca[MAX_DEPTH], cb[MAX_DEPTH];
	int na = chain(inv, a, ca, MAX_DEPTH), nb = chain(inv, b, cb, MAX_DEPTH);

	for (int i = 0; i < na; i++)
		for (int j = 0; j < nb; j++)
			if (ca[i] == cb[j])
				return (unsigned int)(i + j);
	bool same_root = strcmp(inv->devs[a].root, inv->devs[b].root) == 0;
	return (unsigned int)(na + nb) + (same_root ? 64 : 192);
}

unsigned int place_distance(const struct place *p, const struct place_choice *c, int node)
{
	int from = node < 0 ? -1 : inv_find_node(p->inv, node);
	unsigned int best = PLACE_NO_DISTANCE;

	for (size_t i = 0; from >= 0 && i < c->n_nodes; i++) {
		unsigned int d = (unsigned int)p->inv->nodes[from].distances[c->nodes[i]];

		if (d < best)
			best = d;
	}
	return best;
}

/* ---- the indices of groups and VFs ---- */

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Keys are what to sort by, with the device index in the low bits: inv_dev is too large to visit twice. */
#define KEY_DEV 0xffffffULL

static void sort_keys(uint64_t *keys, size_t n)
{
	size_t i = 1;

	while (i < n && keys[i - 1] < keys[i])
		i++;
	if (i < n)
		qsort(keys, n, sizeof(*keys), by_key);
}

static void index_groups(struct place *p, uint64_t *keys)
{
	const struct inv_dev *devs = p->inv->devs;
	size_t n = 0;

	for (size_t i = 0; i < p->inv->n_devs; i++) {
		p->group_at[i] = -1;
		if (devs[i].group >= 0 && !inv_is_bridge(&devs[i]) && devs[i].class >> 8 != 0x0600)
			keys[n++] = (uint64_t)devs[i].group << 24 | i;
	}
	sort_keys(keys, n);
	for (size_t i = 0; i < n; i++) {
		p->by_group[i] = (int)(keys[i] & KEY_DEV);
		p->group_at[p->by_group[i]] = i && keys[i - 1] >> 24 == keys[i] >> 24
						      ? p->group_at[p->by_group[i - 1]]
						      : (int)i;
	}
	p->n_grouped = n;
}

static void index_vfs(struct place *p, uint64_t *keys)
{
	const struct inv_dev *devs = p->inv->devs;
	size_t n = 0, k = 0;

	for (size_t i = 0; i < p->inv->n_devs; i++)
		if (devs[i].pf >= 0)
			keys[n++] = (uint64_t)devs[i].pf << 40 |
				    (uint64_t)(devs[i].vf_index & 0xffff) << 24 | i;
	sort_keys(keys, n);
	for (size_t i = 0; i <= p->inv->n_devs; i++) {
		for (; k < n && keys[k] >> 40 < i; k++)
			p->by_pf[k] = (int)(keys[k] & KEY_DEV);
		p->vf_at[i] = (int)k;
	}
}

int place_init_devices(struct place *p)
{
	size_t n = p->inv->n_devs + 1;
	_cleanup_free_ uint64_t *keys = calloc(n, sizeof(*keys));

	p->dev_taken = calloc(n, sizeof(*p->dev_taken));
	p->by_group = calloc(n, sizeof(*p->by_group));
	p->group_at = calloc(n, sizeof(*p->group_at));
	p->by_pf = calloc(n, sizeof(*p->by_pf));
	p->vf_at = calloc(n, sizeof(*p->vf_at));
	if (!keys || !p->dev_taken || !p->by_group || !p->group_at || !p->by_pf || !p->vf_at)
		return -ENOMEM;
	index_groups(p, keys);
	index_vfs(p, keys);
	return 0;
}

const int *place_group(const struct place *p, int dev, size_t *ret_n)
{
	int at = p->group_at[dev];
	size_t n = 0;

	if (at < 0) {
		*ret_n = 0;
		return p->by_group;
	}
	while ((size_t)at + n < p->n_grouped && p->group_at[p->by_group[(size_t)at + n]] == at)
		n++;
	*ret_n = n;
	return p->by_group + at;
}
