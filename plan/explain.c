// SPDX-License-Identifier: GPL-2.0-or-later
/* Why a guest is where it is, and why not elsewhere: nodes, L3s and functions that were not taken. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/placement.h"

#define MAX_REJECTED 64 /* told per guest; the rest is counted */

/**
 * struct telling - @left: how many candidates may still be told; @more: those that were not
 */
struct telling {
	struct plan *plan;
	const struct place *p;
	const struct spec *s;
	const struct place_choice *c;
	size_t left, more;
};

/* ---- why ---- */

/* Devices that are on no node of this host: each added PLACE_NO_DISTANCE to the sum. */
static size_t count_nowhere(const struct telling *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->c->n_devs; i++)
		n += t->c->devs[i].node < 0 || inv_find_node(t->p->inv, t->c->devs[i].node) < 0;
	return n;
}

static uint64_t slack_of(const struct telling *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < t->c->n_nodes; i++)
		sum += place_free_cores(t->p, t->c->nodes[i]) - t->c->node_cores[i];
	return sum;
}

static int explain_distance(const struct telling *t, const char *object, size_t nowhere)
{
	unsigned long long sum = t->c->distance - nowhere * PLACE_NO_DISTANCE;

	if (nowhere)
		return plan_add_reason(t->plan, object,
				       "nearest to the devices: summed distance %llu, without %zu "
				       "of them (node unknown)",
				       sum, nowhere);
	return plan_add_reason(t->plan, object, "nearest to the devices: summed distance %llu",
			       sum);
}

static int explain_node(const struct telling *t, int id)
{
	size_t nowhere = count_nowhere(t);
	char object[24];

	snprintf(object, sizeof(object), "node %d", id);
	if (t->s->n_nodes)
		return plan_add_reason(t->plan, object, "named by the spec");
	if (nowhere < t->c->n_devs)
		return explain_distance(t, object, nowhere);
	return plan_add_reason(t->plan, object,
			       "cores, pages and devices fit together with %llu cores left; of "
			       "nodes that fit, the fewest L3s, then the fewest cores left "
			       "decide%s",
			       (unsigned long long)slack_of(t),
			       nowhere ? "; node unknown of every device" : "");
}

/* What each node alone lacks: the reason for several. */
static int explain_number(const struct telling *t)
{
	char text[512] = "";

	if (t->c->n_nodes < 2 || t->s->n_nodes)
		return 0;
	for (int n = 0; n < (int)t->p->inv->n_nodes && strlen(text) < sizeof(text) / 2; n++)
		place_add_shortage(t->p, t->s, 1, n, PLACE_LACKS_CORES | PLACE_LACKS_PAGES, text,
				   sizeof(text));
	if (!text[0])
		return 0;
	return plan_add_reason(t->plan, "nodes", "no fewer than %zu do: %s", t->c->n_nodes, text);
}

static int explain_split(const struct telling *t)
{
	int r = 0;

	for (size_t i = 0; i < t->c->n_nodes && r == 0; i++)
		if (t->s->split == SPEC_SPLIT_DEVICES)
			r = plan_add_reason(t->plan, "split",
					    "node %d gives %u cores and %llu pages, by the number "
					    "of devices",
					    t->p->inv->nodes[t->c->nodes[i]].id,
					    t->c->node_cores[i],
					    (unsigned long long)t->c->node_pages[i]);
	return r;
}

static int explain_cores(const struct telling *t, const char *ended)
{
	int r = 0;

	if (t->c->is_mixed)
		r = plan_add_reason(t->plan, "cores",
				    "of several kinds: there are not enough of one kind");
	if (r == 0 && ended)
		r = plan_add_reason(t->plan, "search", "%s", ended);
	return r;
}

static int explain_choice(const struct telling *t, const char *ended)
{
	int r = 0;

	for (size_t i = 0; i < t->c->n_nodes && r == 0; i++)
		r = explain_node(t, t->p->inv->nodes[t->c->nodes[i]].id);
	if (r == 0)
		r = explain_number(t);
	if (r == 0)
		r = explain_split(t);
	return r == 0 ? explain_cores(t, ended) : r;
}

/* ---- why not: nodes and L3s ---- */

static bool may_tell(struct telling *t)
{
	if (t->left == 0) {
		t->more++;
		return false;
	}
	t->left--;
	return true;
}

static bool is_chosen_node(const struct place_choice *c, int node)
{
	for (size_t i = 0; i < c->n_nodes; i++)
		if (c->nodes[i] == node)
			return true;
	return false;
}

static int reject_node(struct telling *t, int n)
{
	const struct spec *s = t->s;
	char text[256] = "", object[24];

	if (!may_tell(t))
		return 0;
	snprintf(object, sizeof(object), "node %d", t->p->inv->nodes[n].id);
	place_add_shortage(t->p, s, t->c->n_nodes, n, PLACE_LACKS_CORES | PLACE_LACKS_PAGES, text,
			   sizeof(text));
	if (!text[0])
		place_add_fact(text, sizeof(text), "%s",
			       s->n_nodes     ? "not named by the spec"
			       : s->n_devices ? "fits, but is farther from the devices or leaves "
						"more cores unused"
					      : "fits as well; takes more L3s, leaves more cores "
						"unused or has a higher id");
	return plan_add_rejected(t->plan, object, "%s", text);
}

static unsigned int count_used(const struct telling *t, const struct place_l3 *l3)
{
	unsigned int n = 0;

	for (size_t i = 0; i < t->c->n_cores; i++) {
		const struct place_core *core = &t->p->cores[t->c->cores[i]];

		n += core->node == l3->node && core->l3 == l3->l3;
	}
	return n;
}

static unsigned int count_free(const struct place *p, const struct place_l3 *l3)
{
	unsigned int n = 0;

	for (unsigned int kind = 0; kind < p->n_kinds; kind++)
		n += l3->free[kind][0] + l3->free[kind][1];
	return n;
}

static int reject_l3(struct telling *t, const struct place_l3 *l3, unsigned int share)
{
	unsigned int n = count_free(t->p, l3);
	char object[24];

	if (l3->l3 < 0 || count_used(t, l3) || !may_tell(t))
		return 0;
	snprintf(object, sizeof(object), "L3 %d", l3->l3);
	if (n == 0)
		return plan_add_rejected(t->plan, object, "no free core");
	if (n < share)
		return plan_add_rejected(t->plan, object, "%u free cores, %u needed", n, share);
	return plan_add_rejected(
		t->plan, object,
		"fits as well with %u free cores; more of them would be left over, "
		"or others go first",
		n);
}

static int reject_places(struct telling *t)
{
	int r = 0;

	for (int n = 0; n < (int)t->p->inv->n_nodes && r == 0; n++)
		if (!is_chosen_node(t->c, n))
			r = reject_node(t, n);
	for (size_t i = 0; i < t->c->n_nodes && r == 0; i++) {
		const struct place_node *node = &t->p->nodes[t->c->nodes[i]];

		for (size_t l = node->l3s; l < node->l3s + node->n_l3s && r == 0; l++)
			if (node->n_l3s > 1)
				r = reject_l3(t, &t->p->l3s[l], t->c->node_cores[i]);
	}
	return r;
}

/* ---- why not: functions ---- */

static bool is_chosen(const struct place_choice *c, struct cv_bdf bdf)
{
	for (size_t i = 0; i < c->n_devs; i++)
		if (cv_bdf_cmp(c->devs[i].bdf, bdf) == 0)
			return true;
	return false;
}

static bool was_told(const struct plan *plan, const char *object)
{
	for (size_t i = 0; i < plan->n_rejected; i++)
		if (strcmp(plan->rejected[i].object, object) == 0)
			return true;
	return false;
}

static unsigned int hops_to_near(const struct telling *t, size_t entry, const struct place_dev *dev)
{
	const struct spec_device *want = &t->s->devices[entry];
	unsigned int sum = 0;

	for (size_t i = 0; i < t->s->n_devices; i++) {
		const struct spec_device *other = &t->s->devices[i];

		if (i != entry && ((want->near[0] && strcmp(other->id, want->near) == 0) ||
				   (other->near[0] && strcmp(want->id, other->near) == 0)))
			sum += place_hops(t->p->inv, place_anchor(dev),
					  place_anchor(&t->c->devs[i]));
	}
	return sum;
}

static const char *why_not(const struct telling *t, size_t entry, const struct place_dev *dev)
{
	const struct place_dev *won = &t->c->devs[entry];
	unsigned int hops = hops_to_near(t, entry, dev), best = hops_to_near(t, entry, won);
	unsigned int far = place_distance(t->p, t->c, dev->node);
	unsigned int near = place_distance(t->p, t->c, won->node);

	if (hops != best)
		return hops > best ? "not as near as asked by near:"
				   : "nearer, but then others could not sit as near";
	if (far != near)
		return far > near ? "farther from the cores"
				  : "nearer, but then others would be farther";
	return cv_bdf_cmp(dev->bdf, won->bdf) > 0
		       ? "as near; higher address"
		       : "as near; left to others that can have no other one";
}

/* Its own choice does not stand in the way of another function for the same entry. */
static int check_beside(const struct telling *t, size_t entry, struct place_dev dev,
			struct cv_error *err)
{
	struct place_dev *own = &t->c->devs[entry];
	int node = own->node;

	own->node = INT32_MIN;
	int r = place_check_device(t->p, t->s, t->c, &t->s->devices[entry], dev, err);
	own->node = node;
	return r;
}

/* Return: 0, 1 when the function could be had; -ENOMEM. */
static int reject_function(struct telling *t, size_t entry, struct place_dev dev)
{
	struct cv_error refusal = { 0 };
	char bdf[CV_BDF_MAX];
	int r;

	cv_format_bdf(dev.bdf, bdf);
	if (is_chosen(t->c, dev.bdf) || was_told(t->plan, bdf) || !may_tell(t))
		return 0;
	dev.node = t->p->inv->devs[dev.dev >= 0 ? dev.dev : dev.pf].node;
	if (check_beside(t, entry, dev, &refusal) < 0)
		return plan_add_rejected(t->plan, bdf, "%s%s%s", refusal.what,
					 refusal.found[0] ? "; " : "", refusal.found);
	r = plan_add_rejected(t->plan, bdf, "%s", why_not(t, entry, &dev));
	return r < 0 ? r : 1;
}

static bool is_promised(const struct place *p, int pf, int index)
{
	for (size_t i = 0; i < p->n_vfs; i++)
		if (p->vfs[i].pf == pf && p->vfs[i].vf_index == index)
			return true;
	return false;
}

/* The VFs of a PF up to the first that could be had; of one that was chosen those before it. */
static int reject_vfs(struct telling *t, size_t entry, int pf)
{
	const struct inventory *inv = t->p->inv;
	const struct inv_dev *d = &inv->devs[pf];
	bool is_own = t->c->devs[entry].pf == pf;
	int r = 0;

	for (int i = t->p->vf_at[pf]; d->sriov.num && i < t->p->vf_at[pf + 1] && r == 0; i++) {
		int dev = t->p->by_pf[i], index = inv->devs[dev].vf_index;

		if (is_own && index >= t->c->devs[entry].vf_index)
			return 0;
		if (!is_promised(t->p, pf, index))
			r = reject_function(t, entry,
					    (struct place_dev){ dev, pf, index, inv->devs[dev].bdf,
								0, -1 });
	}
	for (int i = 0; !is_own && !d->sriov.num && i < (int)d->sriov.total; i++) {
		struct place_dev dev = { .dev = -1, .pf = pf, .vf_index = i };

		if (!is_promised(t->p, pf, i) && inv_vf_bdf(d, (unsigned int)i, &dev.bdf) == 0)
			return reject_function(t, entry, dev);
	}
	return r;
}

static int reject_class(struct telling *t, size_t entry)
{
	const struct spec_device *want = &t->s->devices[entry];
	const struct inventory *inv = t->p->inv;
	int r = 0;

	for (int i = 0; i < (int)inv->n_devs && r >= 0; i++) {
		const struct inv_dev *d = &inv->devs[i];

		if (want->select == SPEC_BY_VF) {
			if (d->sriov.total && place_wants_pf(want, d))
				r = reject_vfs(t, entry, i);
		} else if (d->pf < 0 && place_wants_class(want, d)) {
			r = reject_function(t, entry,
					    (struct place_dev){ i, -1, -1, d->bdf, 0, -1 });
		}
	}
	return r < 0 ? r : 0;
}

static bool was_asked_before(const struct spec *s, size_t entry)
{
	const struct spec_device *d = &s->devices[entry];

	for (size_t i = 0; i < entry; i++) {
		const struct spec_device *o = &s->devices[i];

		if (o->select == d->select && o->has_pf == d->has_pf && !d->near[0] &&
		    !o->near[0] && strcmp(o->class, d->class) == 0 && o->accept == d->accept &&
		    cv_bdf_cmp(o->pf, d->pf) == 0)
			return true;
	}
	return false;
}

static int reject_functions(struct telling *t)
{
	int r = 0;

	for (size_t i = 0; i < t->s->n_devices && r == 0; i++)
		if (t->s->devices[i].select != SPEC_BY_BDF && !was_asked_before(t->s, i))
			r = reject_class(t, i);
	return r;
}

int plan_explain(struct plan *plan, const struct place *p, const struct spec *s,
		 const struct place_choice *c, const char *ended)
{
	struct telling t = { .plan = plan, .p = p, .s = s, .c = c, .left = MAX_REJECTED };
	int r = reject_functions(&t);

	if (r == 0)
		r = explain_choice(&t, ended);
	if (r == 0)
		r = reject_places(&t);
	if (r == 0 && t.more)
		r = plan_add_rejected(plan, "others", "and %zu more candidates", t.more);
	return r;
}
