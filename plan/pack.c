// SPDX-License-Identifier: GPL-2.0-or-later
/* Which cores of a node a guest gets: quiet ones, whole L3s, then the fullest L3 that fits. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

/**
 * struct pick - cores of one node for one share
 * @l3s:        working copies of the L3s of the node
 * @quiet_only: there are enough quiet cores, so that no others are looked at
 * @has_ways:   L3s that have enough ways left are enough, so that no others are looked at
 */
struct pick {
	const struct place *p;
	const struct place_share *share;
	struct place_l3 *l3s;
	size_t n_l3s;
	bool quiet_only;
	bool has_ways;
};

static bool is_kind(const struct pick *k, int kind)
{
	return k->share->kind == PLACE_ANY_KIND || k->share->kind == kind;
}

static unsigned int count(const struct pick *k, const struct place_l3 *l3, bool quiet_only)
{
	unsigned int n = 0;

	if (k->has_ways && l3->l3 >= 0 && l3->ways + k->share->ways > k->p->max_ways)
		return 0;
	for (int kind = 0; kind < (int)k->p->n_kinds; kind++)
		if (is_kind(k, kind))
			n += l3->free[kind][1] + (quiet_only ? 0 : l3->free[kind][0]);
	return n;
}

static unsigned int count_all(const struct pick *k, bool quiet_only)
{
	unsigned int n = 0;

	for (size_t i = 0; i < k->n_l3s; i++)
		n += count(k, &k->l3s[i], quiet_only);
	return n;
}

/* The L3 that holds @want with least left over; when none does, the one with most free cores. */
static struct place_l3 *best_l3(const struct pick *k, unsigned int want)
{
	struct place_l3 *best = NULL;
	unsigned int best_free = 0;

	for (size_t i = 0; i < k->n_l3s; i++) {
		unsigned int n = k->l3s[i].planned ? 0 : count(k, &k->l3s[i], k->quiet_only);
		bool fits = n >= want, best_fits = best_free >= want;

		if (n == 0 ||
		    (best && fits == best_fits && (fits ? n >= best_free : n <= best_free)))
			continue;
		if (best && best_fits && !fits)
			continue;
		best = &k->l3s[i];
		best_free = n;
	}
	return best;
}

static void forget(const struct pick *k)
{
	for (size_t i = 0; i < k->n_l3s; i++)
		k->l3s[i].planned = 0;
}

/*
 * Plans up to @each cores of one L3 after the other until there are @n.
 * Return: number of L3s; 0: an L3 has fewer than @each, and @is_even asks for all (or too few in all).
 */
static unsigned int plan_by_l3(const struct pick *k, unsigned int n, unsigned int each,
			       bool is_even)
{
	unsigned int n_l3s = 0;

	forget(k);
	while (n > 0) {
		unsigned int want = n < each ? n : each, have;
		struct place_l3 *l3 = best_l3(k, want);

		if (!l3)
			return 0;
		have = count(k, l3, k->quiet_only);
		if (is_even && have < each)
			return 0;
		l3->planned = have < want ? have : want;
		n -= l3->planned;
		n_l3s++;
	}
	return n_l3s;
}

/* The fewest L3s, or one more when the guest then has the same number of cores in each. */
static unsigned int plan_l3s(const struct pick *k)
{
	unsigned int n = k->share->cores, fewest = plan_by_l3(k, n, n, false);

	for (unsigned int i = fewest; fewest > 1 && i <= fewest + 1; i++)
		if (n % i == 0 && plan_by_l3(k, n, n / i, true))
			return i;
	return fewest > 1 ? plan_by_l3(k, n, n, false) : fewest;
}

static void plan_kinds(const struct pick *k, struct place_l3 *l3)
{
	unsigned int left = l3->planned;

	for (int kind = 0; kind < (int)k->p->n_kinds; kind++)
		for (int quiet = 1; quiet >= 0; quiet--) {
			unsigned int n = l3->free[kind][quiet];

			if (!is_kind(k, kind) || (k->quiet_only && !quiet))
				n = 0;
			l3->take[kind][quiet] = n < left ? n : left;
			left -= l3->take[kind][quiet];
		}
}

/* Lowest cores first; those given before are at the front of each kind, counted by what is missing. */
static int *name_cores(const struct pick *k, const struct place_l3 *l3, int *ret)
{
	const struct place_l3 *whole = &k->p->l3s[l3 - k->p->scratch];
	unsigned int skip[PLACE_MAX_KINDS][2], take[PLACE_MAX_KINDS][2];

	memcpy(take, l3->take, sizeof(take));
	for (int kind = 0; kind < PLACE_MAX_KINDS; kind++)
		for (int quiet = 0; quiet < 2; quiet++)
			skip[kind][quiet] = whole->free[kind][quiet] - l3->free[kind][quiet];
	for (size_t i = 0; i < whole->n_cores; i++) {
		int core = k->p->by_l3[whole->cores + i];
		const struct place_core *c = &k->p->cores[core];

		if (c->why[0])
			continue;
		if (skip[c->kind][c->is_quiet]) {
			skip[c->kind][c->is_quiet]--;
		} else if (take[c->kind][c->is_quiet]) {
			take[c->kind][c->is_quiet]--;
			*ret++ = core;
		}
	}
	return ret;
}

static void take_share(const struct pick *k, struct place_packing *sum)
{
	int *ret = k->share->ret;

	sum->l3s += plan_l3s(k);
	for (size_t i = 0; i < k->n_l3s; i++) {
		struct place_l3 *l3 = &k->l3s[i];

		if (!l3->planned)
			continue;
		plan_kinds(k, l3);
		l3->ways += k->share->ways;
		if (ret)
			ret = name_cores(k, l3, ret);
		for (int kind = 0; kind < (int)k->p->n_kinds; kind++)
			for (int quiet = 0; quiet < 2; quiet++) {
				l3->free[kind][quiet] -= l3->take[kind][quiet];
				sum->noisy += quiet || !k->p->has_quiet ? 0 : l3->take[kind][0];
			}
	}
}

static unsigned int count_free(const struct place *p, const struct place_l3 *l3)
{
	unsigned int n = 0;

	for (unsigned int kind = 0; kind < p->n_kinds; kind++)
		n += l3->free[kind][0] + l3->free[kind][1];
	return n;
}

static void add_left_over(const struct place *p, const struct place_node *node,
			  struct place_packing *sum)
{
	for (size_t l = node->l3s; l < node->l3s + node->n_l3s; l++) {
		unsigned int now = count_free(p, &p->scratch[l]);

		sum->left_node += now;
		if (now != count_free(p, &p->l3s[l]))
			sum->left_l3 += now;
	}
}

/* Cores of one kind are asked for before any kind: those can do with what is left. */
static int by_size(const void *a, const void *b)
{
	const struct place_share *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if ((x->kind == PLACE_ANY_KIND) != (y->kind == PLACE_ANY_KIND))
		return x->kind == PLACE_ANY_KIND ? 1 : -1;
	if (x->cores != y->cores)
		return x->cores > y->cores ? -1 : 1;
	return x->guest < y->guest ? -1 : x->guest > y->guest;
}

static void sort_shares(struct place_share *shares, size_t n)
{
	for (size_t i = 1; i < n; i++) { /* few, and sorted mostly */
		struct place_share x = shares[i];
		size_t k = i;

		for (; k > 0 && by_size(&x, &shares[k - 1]) < 0; k--)
			shares[k] = shares[k - 1];
		shares[k] = x;
	}
}

void place_pack(const struct place *p, struct place_share *shares, size_t n,
		struct place_packing *ret)
{
	struct place_packing sum = { 0 };

	sort_shares(shares, n);
	for (size_t i = 0; i < n; i++) {
		const struct place_node *node = &p->nodes[shares[i].node];
		struct pick k = { p,	       &shares[i], p->scratch + node->l3s,
				  node->n_l3s, false,	   shares[i].ways > 0 };

		if (i == 0 || shares[i - 1].node != shares[i].node)
			memcpy(k.l3s, p->l3s + node->l3s, node->n_l3s * sizeof(*k.l3s));
		k.has_ways = k.has_ways && count_all(&k, false) >= shares[i].cores;
		k.quiet_only = count_all(&k, true) >= shares[i].cores;
		take_share(&k, &sum);
		if (i + 1 == n || shares[i + 1].node != shares[i].node)
			add_left_over(p, node, &sum);
	}
	*ret = sum;
}
