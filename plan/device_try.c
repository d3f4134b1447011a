// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices chosen one entry after the other: where no choice serves all, the refusal to tell. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

struct candidate {
	struct place_dev dev;
	unsigned int apart;    /* hops to the devices that near: ties it to */
	unsigned int distance; /* SLIT distance to the nearest node of the guest */
};

/**
 * struct attempt - the choice for one entry
 * @first:      the first refusal
 * @all_leased: no refusal but for a lease
 */
struct attempt {
	const struct place *p;
	const struct spec *s;
	const struct spec_device *want;
	struct place_choice *c;
	struct candidate best;
	bool found;
	struct cv_error first;
	bool refused;
	bool all_leased;
	struct cv_error *err;
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
		sum += place_hops(p->inv, dev, place_anchor(&c->devs[i]));
	}
	return sum;
}

static bool is_nearer(const struct candidate *a, const struct candidate *b)
{
	if (a->apart != b->apart)
		return a->apart < b->apart;
	if (a->distance != b->distance)
		return a->distance < b->distance;
	return cv_bdf_cmp(a->dev.bdf, b->dev.bdf) < 0;
}

enum offer { OFFER_KNOWN, OFFER_REFUSED, OFFER_FREE };

static void note_refusal(struct attempt *x, const struct cv_error *refusal)
{
	if (!x->refused)
		x->first = *refusal;
	x->refused = true;
	x->all_leased &= strcmp(refusal->code, "EBUSY_LEASE") == 0;
}

static enum offer offer(struct attempt *x, struct place_dev dev)
{
	int anchor = place_anchor(&dev);
	struct cv_error refusal = { 0 };

	if (already_chosen(x->c, dev.bdf))
		return OFFER_KNOWN;
	dev.node = x->p->inv->devs[dev.dev >= 0 ? dev.dev : dev.pf].node;
	dev.clique = -1;
	if (place_check_device(x->p, x->s, x->c, x->want, dev, &refusal) < 0) {
		note_refusal(x, &refusal);
		return OFFER_REFUSED;
	}
	struct candidate cand = { .dev = dev };
	cand.distance = place_distance(x->p, x->c, dev.node);
	cand.apart = apart_from_near(x->p, x->s, x->c, x->want, anchor);
	if (!x->found || is_nearer(&cand, &x->best))
		x->best = cand;
	x->found = true;
	return OFFER_FREE;
}

static int existing_vf(const struct place *p, int pf, int index)
{
	for (int i = p->vf_at[pf]; i < p->vf_at[pf + 1]; i++)
		if (p->inv->devs[p->by_pf[i]].vf_index == index)
			return p->by_pf[i];
	return -1;
}

/* The first VF of a PF that nobody has; VFs to come are possible only while the PF has none. */
static void offer_vf_of(struct attempt *x, int pf)
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
			dev.dev = existing_vf(x->p, pf, (int)i);
		if (!is_future && dev.dev < 0)
			continue;
		enum offer r = offer(x, dev);
		if (r == OFFER_FREE || (is_future && r == OFFER_REFUSED))
			return;
	}
}

static void offer_vfs(struct attempt *x)
{
	for (size_t i = 0; i < x->p->inv->n_devs; i++)
		if (place_wants_pf(x->want, &x->p->inv->devs[i]))
			offer_vf_of(x, (int)i);
}

static void offer_class(struct attempt *x)
{
	for (size_t i = 0; i < x->p->inv->n_devs; i++) {
		const struct inv_dev *d = &x->p->inv->devs[i];

		if (place_wants_class(x->want, d))
			offer(x, (struct place_dev){ (int)i, -1, -1, d->bdf, d->node, -1 });
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

static int offer_bdf(struct attempt *x)
{
	int i = inv_find_dev(x->p->inv, x->want->bdf);

	if (i < 0)
		return no_such_device(x->p->inv, x->want->bdf, x->err);
	const struct inv_dev *d = &x->p->inv->devs[i];
	offer(x, (struct place_dev){ i, d->pf, d->vf_index, d->bdf, d->node, -1 });
	return 0;
}

static int check_pf(struct attempt *x)
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
static const struct inv_dev *find_exhausted_pf(const struct attempt *x)
{
	const struct spec_device *want = x->want;
	int pf = want->select == SPEC_BY_VF && want->has_pf ? inv_find_dev(x->p->inv, want->pf)
							    : -1;
	const struct inv_sriov *sriov = pf < 0 ? NULL : &x->p->inv->devs[pf].sriov;

	if (!sriov || !x->all_leased || sriov->num == 0 || sriov->num >= sriov->total)
		return NULL;
	return &x->p->inv->devs[pf];
}

static int fail_exhausted(const struct attempt *x, const struct inv_dev *pf)
{
	char bdf[CV_BDF_MAX];

	cv_fail(x->err, -EBUSY, CV_EXIT_BUSY, "EBUSY_VF_COUNT", cv_format_bdf(pf->bdf, bdf),
		"the PF was made with %u of %u VFs, and none of them is free", pf->sriov.num,
		pf->sriov.total);
	if (x->refused)
		cv_error_found(x->err, "%s: %s", x->first.object, x->first.found);
	else
		cv_error_found(x->err, "all of them given to other entries of this plan");
	cv_error_wanted(x->err, "a VF that nobody has leased");
	cv_error_hint(x->err,
		      "the count can only change while nobody uses the VFs: stop those guests "
		      "(carve list), then make more VFs by hand or plan all guests in one call");
	return -EBUSY;
}

/* Nothing refused it, and it was not free: an entry before it is the same. */
static int fail_twice(const struct attempt *x)
{
	char bdf[CV_BDF_MAX];

	cv_fail(x->err, -EINVAL, CV_EXIT_USAGE, "DEVICE_TWICE", cv_format_bdf(x->want->bdf, bdf),
		"the spec names the device twice");
	cv_error_found(x->err, "%s, and another entry with the same address", x->want->id);
	cv_error_wanted(x->err, "each device once");
	cv_error_hint(x->err, "take one of the entries out of devices:");
	return -EINVAL;
}

static int nothing_offered(const struct attempt *x)
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
	if (want->select == SPEC_BY_BDF)
		return fail_twice(x);
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
		    struct cv_error *err)
{
	struct attempt x = {
		.p = p,
		.s = s,
		.want = &s->devices[i],
		.c = c,
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

int place_try_devices(const struct place *p, const struct spec *s, struct place_choice *c,
		      struct cv_error *err)
{
	free(c->devs);
	c->devs = calloc(s->n_devices + 1, sizeof(*c->devs));
	if (!c->devs)
		return -ENOMEM;
	c->n_devs = s->n_devices;
	for (size_t i = 0; i < s->n_devices; i++)
		c->devs[i].node = INT32_MIN; /* not chosen yet */
	for (int i = next_entry(s, c); i >= 0; i = next_entry(s, c)) {
		int r = pick_one(p, s, (size_t)i, c, err);

		if (r < 0)
			return r;
	}
	return 0;
}
