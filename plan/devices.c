// SPDX-License-Identifier: GPL-2.0-or-later
/* The device side of placement: which function of those that may be given away is nearest. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

struct candidate {
	struct place_dev dev;
	unsigned int distance; /* SLIT distance to the nearest node of the guest */
	unsigned int apart;    /* hops to the devices that near: ties it to */
	unsigned int foreseen; /* hops to what those that follow it could have */
};

static bool vf_is_taken(const struct place *p, int pf, int index)
{
	for (size_t i = 0; i < p->n_vfs; i++)
		if (p->vfs[i].pf == pf && p->vfs[i].vf_index == index)
			return true;
	return false;
}

static bool already_chosen(const struct place_choice *c, struct cv_bdf bdf)
{
	for (size_t i = 0; i < c->n_devs; i++)
		if (place_is_chosen(&c->devs[i]) && cv_bdf_cmp(c->devs[i].bdf, bdf) == 0)
			return true;
	return false;
}

static unsigned int node_distance(const struct place *p, const struct place_choice *c, int node)
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

static int chain(const struct inventory *inv, int dev, int *ret, int max)
{
	int n = 0;

	for (int d = dev; d >= 0 && n < max; d = inv->devs[d].parent)
		ret[n++] = d;
	return n;
}

/* Hops between two functions over their lowest common bridge; 64 more through the host bridge, 128
 * more between host bridges. */
static unsigned int hops(const struct inventory *inv, int a, int b)
{
	int ca[32], cb[32];
	int na = chain(inv, a, ca, 32), nb = chain(inv, b, cb, 32);

	for (int i = 0; i < na; i++)
		for (int j = 0; j < nb; j++)
			if (ca[i] == cb[j])
				return (unsigned int)(i + j);
	bool same_root = strcmp(inv->devs[a].root, inv->devs[b].root) == 0;
	return (unsigned int)(na + nb) + (same_root ? 64 : 192);
}

/* Hops to every function chosen before that is named by near:, in either direction. */
static unsigned int apart_from_near(const struct place *p, const struct spec *s,
				    const struct place_choice *c, const struct spec_device *want,
				    int dev)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < s->n_devices; i++) {
		const struct spec_device *other = &s->devices[i];

		if (!place_is_chosen(&c->devs[i]) ||
		    (strcmp(other->id, want->near) != 0 && strcmp(other->near, want->id) != 0))
			continue;
		sum += hops(p->inv, dev, c->devs[i].dev >= 0 ? c->devs[i].dev : c->devs[i].pf);
	}
	return sum;
}

struct search {
	const struct place *p;
	const struct spec *s;
	const struct spec_device *want;
	struct place_choice *c;
	struct plan *plan;
	struct candidate best;
	bool found;
	struct cv_error first; /* of the first refusal */
	bool refused;
	bool all_leased; /* no refusal but for a lease */
	struct cv_error *err;
};

static bool is_nearer(const struct candidate *a, const struct candidate *b)
{
	if (a->apart != b->apart)
		return a->apart < b->apart;
	if (a->foreseen != b->foreseen)
		return a->foreseen < b->foreseen;
	if (a->distance != b->distance)
		return a->distance < b->distance;
	return cv_bdf_cmp(a->dev.bdf, b->dev.bdf) < 0;
}

static bool is_wanted_pf(const struct spec_device *want, const struct inv_dev *d)
{
	if (d->sriov.total == 0)
		return false;
	return want->has_pf ? cv_bdf_cmp(d->bdf, want->pf) == 0
			    : strcmp(inv_class_name(d), want->class) == 0;
}

static bool is_wanted_class(const struct spec_device *want, const struct inv_dev *d)
{
	return d->pf < 0 && !inv_is_bridge(d) && strcmp(inv_class_name(d), want->class) == 0;
}

/* An entry by address names a function, or a PF; a group that is taken whole is the reader's matter. */
static bool may_want(const struct spec_device *want, const struct inv_dev *d)
{
	switch (want->select) {
	case SPEC_BY_BDF:
		return cv_bdf_cmp(want->bdf, d->bdf) == 0;
	case SPEC_BY_CLASS:
		return is_wanted_class(want, d);
	case SPEC_BY_VF:
		break;
	}
	return is_wanted_pf(want, d);
}

bool spec_wants(const struct spec *specs, size_t n, const struct inv_dev *d)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < specs[i].n_devices; k++)
			if (may_want(&specs[i].devices[k], d))
				return true;
	return false;
}

/* Could @dev, or a VF of it, be chosen for @want? */
static bool could_serve(const struct search *x, const struct spec_device *want, int dev)
{
	const struct inv_dev *d = &x->p->inv->devs[dev];
	struct place_dev cand = { dev, -1, -1, d->bdf, d->node };

	if (want->select == SPEC_BY_VF) {
		if (!is_wanted_pf(want, d))
			return false;
		cand = (struct place_dev){ -1, dev, 0, { 0 }, d->node };
		if (d->sriov.num || inv_vf_bdf(d, 0, &cand.bdf) < 0)
			return d->sriov.num;
	} else if (!is_wanted_class(want, d)) {
		return false;
	}
	return place_check_device(x->p, x->s, x->c, want, cand, NULL) == 0;
}

/* Hops to the nearest function for each entry that will have to follow this one. */
static unsigned int apart_from_followers(const struct search *x, int dev)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < x->s->n_devices; i++) {
		const struct spec_device *follower = &x->s->devices[i];
		unsigned int best = 0;

		if (strcmp(follower->near, x->want->id) != 0 || place_is_chosen(&x->c->devs[i]))
			continue;
		for (int k = 0; k < (int)x->p->inv->n_devs; k++) {
			unsigned int n = k == dev || !could_serve(x, follower, k)
						 ? 0
						 : hops(x->p->inv, dev, k);

			if (n && (!best || n < best))
				best = n;
		}
		sum += best;
	}
	return sum;
}

enum offer { OFFER_KNOWN, OFFER_REFUSED, OFFER_FREE };

static void note_refusal(struct search *x, struct cv_bdf bdf, const struct cv_error *refusal)
{
	char text[CV_BDF_MAX];

	if (!x->refused)
		x->first = *refusal;
	x->refused = true;
	x->all_leased &= strcmp(refusal->code, "EBUSY_LEASE") == 0;
	if (x->plan)
		plan_add_rejected(x->plan, cv_format_bdf(bdf, text), "%s%s%s", refusal->what,
				  refusal->found[0] ? "; " : "", refusal->found);
}

/* The better of two candidates stays; the other one is noted with the reason. */
static void keep_nearer(struct search *x, const struct candidate *cand)
{
	bool is_better = !x->found || is_nearer(cand, &x->best);
	const struct candidate *loser = is_better ? &x->best : cand;
	const struct candidate *winner = is_better ? cand : &x->best;
	char bdf[CV_BDF_MAX];

	if (x->found && x->plan)
		plan_add_rejected(
			x->plan, cv_format_bdf(loser->dev.bdf, bdf),
			loser->apart != winner->apart || loser->foreseen != winner->foreseen
				? "not as near as asked by near:"
			: loser->distance != winner->distance ? "farther from the cores"
							      : "as near; higher address");
	if (is_better)
		x->best = *cand;
	x->found = true;
}

static enum offer offer(struct search *x, struct place_dev dev)
{
	int anchor = dev.dev >= 0 ? dev.dev : dev.pf; /* what stands for it in the tree */
	struct cv_error refusal = { 0 };

	if (already_chosen(x->c, dev.bdf))
		return OFFER_KNOWN;
	dev.node = x->p->inv->devs[anchor].node;
	if (place_check_device(x->p, x->s, x->c, x->want, dev, &refusal) < 0) {
		note_refusal(x, dev.bdf, &refusal);
		return OFFER_REFUSED;
	}
	struct candidate cand = { .dev = dev };
	cand.distance = node_distance(x->p, x->c, dev.node);
	cand.apart = apart_from_near(x->p, x->s, x->c, x->want, anchor);
	cand.foreseen = apart_from_followers(x, anchor);
	keep_nearer(x, &cand);
	return OFFER_FREE;
}

static int existing_vf(const struct inventory *inv, int pf, int index)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].pf == pf && inv->devs[i].vf_index == index)
			return (int)i;
	return -1;
}

/* The first VF of a PF that nobody has; VFs to come are possible only while the PF has none. */
static void offer_vf_of(struct search *x, int pf)
{
	const struct inventory *inv = x->p->inv;
	const struct inv_dev *d = &inv->devs[pf];
	bool is_future = d->sriov.num == 0;
	unsigned int count = is_future ? d->sriov.total : d->sriov.num;

	for (unsigned int i = 0; i < count; i++) {
		struct place_dev dev = { .dev = -1, .pf = pf, .vf_index = (int)i };

		if (vf_is_taken(x->p, pf, (int)i) || inv_vf_bdf(d, i, &dev.bdf) < 0)
			continue;
		if (!is_future)
			dev.dev = existing_vf(inv, pf, (int)i);
		if (!is_future && dev.dev < 0)
			continue;
		enum offer r = offer(x, dev);
		if (r == OFFER_FREE || (is_future && r == OFFER_REFUSED))
			return;
	}
}

static void offer_vfs(struct search *x)
{
	for (size_t i = 0; i < x->p->inv->n_devs; i++)
		if (is_wanted_pf(x->want, &x->p->inv->devs[i]))
			offer_vf_of(x, (int)i);
}

static void offer_class(struct search *x)
{
	for (size_t i = 0; i < x->p->inv->n_devs; i++) {
		const struct inv_dev *d = &x->p->inv->devs[i];

		if (is_wanted_class(x->want, d))
			offer(x, (struct place_dev){ (int)i, -1, -1, d->bdf, d->node });
	}
}

static int no_such_device(const struct inventory *inv, struct cv_bdf bdf, struct cv_error *err)
{
	char text[CV_BDF_MAX];

	cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "NO_DEVICE", cv_format_bdf(bdf, text),
		"this host has no such PCI device");
	cv_error_found(err, "%zu functions, none at this address", inv->n_devs);
	cv_error_wanted(err, "the address of a PCI function");
	cv_error_hint(err, "carve topo lists the devices with their addresses");
	return -ENODEV;
}

static int offer_bdf(struct search *x)
{
	int i = inv_find_dev(x->p->inv, x->want->bdf);

	if (i < 0)
		return no_such_device(x->p->inv, x->want->bdf, x->err);
	const struct inv_dev *d = &x->p->inv->devs[i];
	offer(x, (struct place_dev){ i, d->pf, d->vf_index, d->bdf, d->node });
	return 0;
}

static int check_pf(struct search *x)
{
	int i = inv_find_dev(x->p->inv, x->want->pf);
	char bdf[CV_BDF_MAX];

	if (i < 0)
		return no_such_device(x->p->inv, x->want->pf, x->err);
	if (x->p->inv->devs[i].sriov.total > 0)
		return 0;
	cv_fail(x->err, -EINVAL, CV_EXIT_USAGE, "NOT_A_PF", cv_format_bdf(x->want->pf, bdf),
		"the device cannot make VFs");
	cv_error_found(x->err, "%s%sno SR-IOV capability", x->p->inv->devs[i].name,
		       x->p->inv->devs[i].name[0] ? ": " : "");
	cv_error_wanted(x->err, "a PF");
	cv_error_hint(x->err, "carve topo shows the PFs with their VF counts");
	return -EINVAL;
}

/* The PF that @want names has VFs, all of them taken, and could have had more. */
static const struct inv_dev *find_exhausted_pf(const struct search *x)
{
	const struct spec_device *want = x->want;
	int pf = want->select == SPEC_BY_VF && want->has_pf ? inv_find_dev(x->p->inv, want->pf)
							    : -1;
	const struct inv_sriov *sriov = pf < 0 ? NULL : &x->p->inv->devs[pf].sriov;

	if (!sriov || !x->all_leased || sriov->num == 0 || sriov->num >= sriov->total)
		return NULL;
	return &x->p->inv->devs[pf];
}

static int fail_exhausted(const struct search *x, const struct inv_dev *pf)
{
	char bdf[CV_BDF_MAX];

	cv_fail(x->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_VF_COUNT", cv_format_bdf(pf->bdf, bdf),
		"the PF was made with %u of %u VFs, and none of them is free", pf->sriov.num,
		pf->sriov.total);
	if (x->refused)
		cv_error_found(x->err, "%s: %s", x->first.object, x->first.found);
	else
		cv_error_found(x->err, "all of them given to other entries of this plan");
	cv_error_wanted(x->err, "a VF that no VM has");
	cv_error_hint(x->err,
		      "the count can only change while nobody uses the VFs: stop those guests "
		      "(carve list), then make more VFs by hand or plan all guests in one call");
	return -EBUSY;
}

static int nothing_offered(const struct search *x)
{
	const struct inv_dev *exhausted = find_exhausted_pf(x);
	const struct spec_device *want = x->want;
	char from[CV_BDF_MAX];

	if (exhausted)
		return fail_exhausted(x, exhausted);
	if (x->refused) {
		if (x->err)
			*x->err = x->first;
		return x->first.err;
	}
	if (want->has_pf)
		cv_format_bdf(want->pf, from);
	cv_fail(x->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_FREE_DEVICE", want->id,
		"no free %s%s%s on this host", want->class, want->class[0] ? " " : "",
		want->select == SPEC_BY_VF ? "VF" : "device");
	cv_error_found(x->err, "none, or all of them given to other entries of this plan");
	cv_error_wanted(x->err, "%s of %s%s", want->select == SPEC_BY_VF ? "a VF" : "a device",
			want->has_pf ? from : "class ", want->class);
	cv_error_hint(x->err, "carve topo lists what is there and who has it");
	return -ENODEV;
}

static int pick_one(const struct place *p, const struct spec *s, size_t i, struct place_choice *c,
		    struct plan *plan, struct cv_error *err)
{
	struct search x = {
		.p = p,
		.s = s,
		.want = &s->devices[i],
		.c = c,
		.plan = plan,
		.err = err,
		.all_leased = true,
	};
	int r = 0;

	if (x.want->select == SPEC_BY_BDF)
		r = offer_bdf(&x);
	else if (x.want->select == SPEC_BY_VF && x.want->has_pf)
		r = check_pf(&x);
	if (r < 0)
		return r;
	if (x.want->select == SPEC_BY_VF)
		offer_vfs(&x);
	else if (x.want->select == SPEC_BY_CLASS)
		offer_class(&x);
	if (!x.found)
		return nothing_offered(&x);
	c->devs[i] = x.best.dev;
	c->distance += x.best.distance;
	return 0;
}

/* Exact functions first, then VFs of a named PF, then free choices, then those that follow another. */
static int rank(const struct spec *s, const struct place_choice *c, size_t i)
{
	const struct spec_device *d = &s->devices[i];

	if (d->select == SPEC_BY_BDF)
		return 0;
	if (d->select == SPEC_BY_VF && d->has_pf)
		return 1;
	for (size_t k = 0; d->near[0] && k < s->n_devices; k++)
		if (strcmp(s->devices[k].id, d->near) == 0 && !place_is_chosen(&c->devs[k]))
			return 3;
	return 2;
}

/* The entry to choose next: of lowest rank as things stand, first in the spec. -1: none is left. */
static int next_entry(const struct spec *s, const struct place_choice *c)
{
	int best = -1, best_rank = INT32_MAX;

	for (size_t i = 0; i < s->n_devices; i++) {
		int r = place_is_chosen(&c->devs[i]) ? INT32_MAX : rank(s, c, i);

		if (r < best_rank) {
			best = (int)i;
			best_rank = r;
		}
	}
	return best;
}

int place_pick_devices(const struct place *p, const struct spec *s, struct place_choice *c,
		       struct plan *plan, struct cv_error *err)
{
	c->devs = calloc(s->n_devices + 1, sizeof(*c->devs));
	if (!c->devs)
		return -ENOMEM;
	c->n_devs = s->n_devices;
	c->distance = 0;
	for (size_t i = 0; i < s->n_devices; i++)
		c->devs[i].node = INT32_MIN; /* not chosen yet */
	for (int i = next_entry(s, c); i >= 0; i = next_entry(s, c)) {
		int r = pick_one(p, s, (size_t)i, c, plan, err);

		if (r < 0)
			return r;
	}
	return 0;
}
