// SPDX-License-Identifier: GPL-2.0-or-later
/* Why guests cannot be placed: the fewest facts that make it so, found by taking one kind of them away
 * after the other. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/distance.h"
#include "plan/search.h"

#define MAX_NAMED 6 /* nodes named in one message */

void place_add_fact(char *text, size_t size, const char *fmt, ...)
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

/* ---- what a node lacks ---- */

static uint64_t share_of_pages(const struct spec *s, size_t n_nodes)
{
	return s->memory / s->page_size / n_nodes;
}

unsigned int place_lacks(const struct place *p, const struct spec *s, size_t n_nodes, int node)
{
	struct place_pages have = place_free_pages(p, node, s->page_size);
	uint64_t pages = share_of_pages(s, n_nodes);
	unsigned int lacks = 0;

	if (place_free_cores(p, node) < s->cpus / n_nodes)
		lacks |= PLACE_LACKS_CORES;
	if (!have.has_pool || have.free + have.room < pages)
		lacks |= PLACE_LACKS_PAGES;
	return lacks;
}

void place_add_shortage(const struct place *p, const struct spec *s, size_t n_nodes, int node,
			unsigned int kinds, char *text, size_t size)
{
	struct place_pages have = place_free_pages(p, node, s->page_size);
	unsigned long long pages = share_of_pages(s, n_nodes);
	unsigned int lacks = kinds & place_lacks(p, s, n_nodes, node);
	int id = p->inv->nodes[node].id;
	char unit[CV_SIZE_MAX];

	cv_format_size(s->page_size, unit);
	if (lacks & PLACE_LACKS_CORES)
		place_add_fact(text, size, "node %d has %u free cores, %u needed", id,
			       place_free_cores(p, node), s->cpus / (unsigned int)n_nodes);
	if (!(lacks & PLACE_LACKS_PAGES))
		return;
	if (!have.has_pool)
		place_add_fact(text, size, "node %d has no %s pages, %llu needed", id, unit, pages);
	else
		place_add_fact(text, size,
			       "node %d has %llu free %s pages and room for %llu more, %llu needed",
			       id, (unsigned long long)have.free, unit,
			       (unsigned long long)have.room, pages);
}

/**
 * struct refusal - the guest that cannot be added to those before it
 * @choices: of those before it
 * @n:       how many those are
 */
struct refusal {
	struct place *p;
	const struct spec *specs;
	size_t n;
	const struct spec *s;
	struct place_choice *choices;
	uint64_t steps;
	struct cv_error *err;
};

/* Could all of them be placed, if there were more of something? */
static int would_do(const struct refusal *f, unsigned int relax, bool *ret)
{
	struct search x;
	int r = search_init(&x, f->p, f->specs, f->n + 1, relax);

	if (r == 0)
		r = search_run(&x, true);
	if (r < 0)
		return r;
	*ret = x.found;
	search_done(&x);
	return 0;
}

/* ---- who has the rest ---- */

static uint64_t held_by(const struct refusal *f, size_t guest, int node, bool is_cores)
{
	const struct place_choice *c = &f->choices[guest];

	for (size_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i] == node &&
		    (is_cores || f->specs[guest].page_size == f->s->page_size))
			return is_cores ? c->node_cores[i] : c->node_pages[i];
	return 0;
}

static void add_holders(const struct refusal *f, int node, bool is_cores, uint64_t have, char *text,
			size_t size)
{
	char names[160] = "";
	uint64_t sum = 0;
	size_t n = 0, named = 0;

	for (size_t i = 0; i < f->n; i++)
		n += held_by(f, i, node, is_cores) > 0;
	for (size_t i = 0; i < f->n; i++) {
		uint64_t held = held_by(f, i, node, is_cores);
		size_t used = strlen(names);

		sum += held;
		if (held == 0)
			continue;
		snprintf(names + used, sizeof(names) - used, "%s%s",
			 named == 0	  ? ""
			 : named + 1 == n ? " and "
					  : ", ",
			 f->specs[i].name);
		named++;
	}
	if (n)
		place_add_fact(text, size, "%s take%s %llu of %llu", names, n == 1 ? "s" : "",
			       (unsigned long long)sum, (unsigned long long)(have + sum));
}

static void add_node(const struct refusal *f, size_t n_nodes, int node, unsigned int kinds,
		     char *text, size_t size)
{
	struct place_pages pages = place_free_pages(f->p, node, f->s->page_size);
	unsigned int lacks = kinds & place_lacks(f->p, f->s, n_nodes, node);

	if (lacks & PLACE_LACKS_CORES) {
		place_add_shortage(f->p, f->s, n_nodes, node, PLACE_LACKS_CORES, text, size);
		add_holders(f, node, true, place_free_cores(f->p, node), text, size);
	}
	if (lacks & PLACE_LACKS_PAGES) {
		place_add_shortage(f->p, f->s, n_nodes, node, PLACE_LACKS_PAGES, text, size);
		add_holders(f, node, false, pages.free + pages.room, text, size);
	}
}

static bool is_named(const struct spec *s, const struct inv_node *node)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (s->nodes[i] == node->id)
			return true;
	return s->n_nodes == 0;
}

/* How many kinds a node lacks, when it lacks one of @kinds; else 0. */
static unsigned int count_lacks(const struct refusal *f, size_t n_nodes, int node,
				unsigned int kinds)
{
	unsigned int lacks = place_lacks(f->p, f->s, n_nodes, node);

	if (!is_named(f->s, &f->p->inv->nodes[node]) || !(lacks & kinds))
		return 0;
	return (unsigned int)__builtin_popcount(lacks);
}

/* The nodes that lack least; of nodes named by the spec, all that lack anything. */
static void list_nodes(const struct refusal *f, unsigned int kinds, char *text, size_t size)
{
	size_t n_nodes = f->s->n_nodes ? f->s->n_nodes : 1, n = 0;
	unsigned int least = UINT32_MAX;

	for (int i = 0; i < (int)f->p->inv->n_nodes; i++) {
		unsigned int lacks = count_lacks(f, n_nodes, i, kinds);

		if (lacks && lacks < least)
			least = lacks;
	}
	for (int i = 0; i < (int)f->p->inv->n_nodes; i++) {
		unsigned int lacks = count_lacks(f, n_nodes, i, kinds);

		if (!lacks || (!f->s->n_nodes && lacks > least))
			continue;
		if (n++ < MAX_NAMED)
			add_node(f, n_nodes, i, kinds, text, size);
	}
	if (n > MAX_NAMED)
		place_add_fact(text, size, "%zu more nodes lack the like", n - MAX_NAMED);
}

static int no_room(const struct refusal *f, unsigned int kinds)
{
	const struct spec *s = f->s;
	char size[CV_SIZE_MAX], page[CV_SIZE_MAX], facts[sizeof(f->err->found)] = "";
	const char *of = s->n_nodes ? "the nodes named by the spec do not have"
				    : "no NUMA node, and no even split over several, has";

	cv_format_size(s->memory, size);
	cv_format_size(s->page_size, page);
	list_nodes(f, kinds, facts, sizeof(facts));
	if (!facts[0]) /* as the others sit here; as they sit elsewhere it is the other kind */
		list_nodes(f, PLACE_LACKS_CORES | PLACE_LACKS_PAGES, facts, sizeof(facts));
	if (!facts[0] && !f->steps && !s->n_nodes)
		place_add_fact(facts, sizeof(facts),
			       "no choice of devices leads to shares that their nodes can give");
	if (!facts[0] && s->n_nodes && !f->steps)
		place_add_fact(facts, sizeof(facts), "%u cores and %s do not divide by %zu nodes",
			       s->cpus, size, s->n_nodes);
	if (f->steps)
		place_add_fact(facts, sizeof(facts), "search ended after %llu steps",
			       (unsigned long long)f->steps);
	cv_fail(f->err, -ENOSPC, CV_EXIT_PRECONDITION, "DOES_NOT_FIT", s->name,
		"%s %u free cores and %s in %s pages together%s", of, s->cpus, size, page,
		f->n ? ", beside the guests planned with it" : "");
	cv_error_found(f->err, "%s", facts);
	cv_error_wanted(f->err, "%u cores and %s in %s pages", s->cpus, size, page);
	cv_error_hint(f->err,
		      "ask for less, stop another guest (carve list), or reserve huge pages "
		      "at boot; carve topo shows what is free");
	return -ENOSPC;
}

/* ---- peer to peer ---- */

static bool wants_path(const struct spec *s, size_t i, size_t k)
{
	return i != k && s->devices[i].p2p && s->devices[k].p2p;
}

static enum inv_distance path_of(const struct refusal *f, const struct place_choice *c, size_t i,
				 size_t k)
{
	return inv_distance(f->p->inv, place_anchor(&c->devs[i]), place_anchor(&c->devs[k]));
}

/* The nearest p2p partner of an entry. Return: its number, -1 none; @ret: how near. */
static int nearest_partner(const struct refusal *f, const struct place_choice *c, size_t entry,
			   enum inv_distance *ret)
{
	int best = -1;

	for (size_t k = 0; k < c->n_devs; k++) {
		enum inv_distance d;

		if (!wants_path(f->s, entry, k))
			continue;
		d = path_of(f, c, entry, k);
		if (best >= 0 && d >= *ret)
			continue;
		best = (int)k;
		*ret = d;
	}
	return best;
}

static int no_path(const struct refusal *f, const struct place_choice *c)
{
	char bdf[CV_BDF_MAX], other[CV_BDF_MAX];
	enum inv_distance d = INV_SYS;
	int partner = -1;
	size_t i = 0;

	for (; i < c->n_devs; i++) {
		partner = nearest_partner(f, c, i, &d);
		if (f->s->devices[i].p2p && (partner < 0 || d > INV_PXB))
			break;
	}
	if (i == c->n_devs)
		return 0;
	cv_fail(f->err, -EPERM, CV_EXIT_PRECONDITION, "NO_P2P_PATH", f->s->devices[i].id,
		"p2p: no other p2p device of the guest is below the same switch");
	cv_format_bdf(c->devs[i].bdf, bdf);
	if (partner < 0)
		cv_error_found(f->err, "%s is the only entry with p2p: true (%s)",
			       f->s->devices[i].id, bdf);
	else
		cv_error_found(f->err, "%s between %s and %s", inv_distance_name(d), bdf,
			       cv_format_bdf(c->devs[partner].bdf, other));
	cv_error_wanted(f->err, "a common switch (PIX or PXB)");
	cv_error_hint(f->err, "leave p2p: out where devices talk through the host bridge, or ask "
			      "for devices of one switch; carve topo shows the distances");
	return -EPERM;
}

/* ---- devices ---- */

static int no_choice(const struct refusal *f)
{
	cv_fail(f->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_FREE_DEVICE", f->s->name,
		"no choice of functions serves all entries together");
	cv_error_found(f->err, "each entry alone could be served%s",
		       f->steps ? "; the search ended at its limit" : "");
	cv_error_wanted(f->err, "a function for each entry");
	cv_error_hint(f->err, "carve topo lists what is there and who has it");
	return -ENODEV;
}

static int tell_devices(const struct refusal *f)
{
	struct place_choice c = { 0 };
	int r = place_try_devices(f->p, f->s, &c, f->err);

	if (r == 0)
		r = no_path(f, &c);
	place_choice_done(&c);
	return r < 0 ? r : no_choice(f);
}

/**
 * struct diagnosis - what would make it feasible: more of everything but @has_room, @has_devices
 * @kinds: enum place_lack: more of each of these alone, or of both where neither is enough
 */
struct diagnosis {
	bool has_room, has_devices;
	unsigned int kinds;
};

static int diagnose(const struct refusal *f, struct diagnosis *ret)
{
	bool cores = false, pages = false;
	int r = would_do(f, SEARCH_ANY_DEVICES, &ret->has_room);

	if (r == 0)
		r = would_do(f, SEARCH_ANY_CORES | SEARCH_ANY_PAGES | SEARCH_ANY_SHARES,
			     &ret->has_devices);
	if (r < 0 || ret->has_room)
		return r;
	r = would_do(f, SEARCH_ANY_DEVICES | SEARCH_ANY_CORES, &cores);
	if (r == 0)
		r = would_do(f, SEARCH_ANY_DEVICES | SEARCH_ANY_PAGES, &pages);
	ret->kinds = (cores || !pages ? PLACE_LACKS_CORES : 0U) |
		     (pages || !cores ? PLACE_LACKS_PAGES : 0U);
	return r;
}

static int tell(const struct refusal *f, const struct diagnosis *d)
{
	if (!d->has_room || d->has_devices)
		return no_room(f, d->kinds);
	return tell_devices(f);
}

/* ---- which guest ---- */

/* The first of the guests that those before it leave no place for; their choices are kept. */
static int find_first(struct refusal *f, size_t n)
{
	for (f->n = 0; f->n < n; f->n++) {
		struct search x;
		int r = search_init(&x, f->p, f->specs, f->n + 1, 0);

		if (r == 0)
			r = search_run(&x, true);
		if (r < 0)
			return r;
		bool found = x.found;
		f->steps = x.is_ended ? x.steps : 0;
		for (size_t i = 0; found && i <= f->n; i++)
			place_choice_done(&f->choices[i]);
		r = found ? search_choices(&x, f->choices) : 0;
		search_done(&x);
		if (r < 0 || !found)
			return r;
	}
	f->n = n - 1; /* found now and not before: only a limit can do that */
	return 0;
}

/* Alone it does not fit either: the others are no part of the reason. */
static int leave_others_out(struct refusal *f)
{
	struct refusal alone = { .p = f->p, .specs = f->s, .s = f->s, .err = f->err };
	bool fits = false;
	int r = would_do(&alone, 0, &fits);

	if (r < 0 || fits)
		return r;
	f->specs = f->s;
	f->n = 0;
	return 0;
}

int place_refuse(struct place *p, const struct spec *specs, size_t n, struct cv_error *err)
{
	_cleanup_free_ struct place_choice *choices = calloc(n + 1, sizeof(*choices));
	struct refusal f = { .p = p, .specs = specs, .choices = choices, .err = err };
	int r = choices ? find_first(&f, n) : -ENOMEM;

	f.s = &specs[f.n];
	if (r == 0 && f.n > 0)
		r = leave_others_out(&f);
	struct diagnosis d = { 0 };
	if (r == 0)
		r = diagnose(&f, &d);
	for (size_t i = 0; i < f.n && r == 0; i++)
		r = place_take(p, &specs[i], &choices[i]);
	if (r == 0)
		r = tell(&f, &d);
	for (size_t i = 0; choices && i < n; i++)
		place_choice_done(&choices[i]);
	return r < 0 ? r : -ENOSPC;
}
