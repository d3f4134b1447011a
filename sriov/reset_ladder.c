// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sriov/reset.h"

#define BIT(rung) (1U << (rung))

/** struct climb - who stands on the ladder */
struct climb {
	const struct inventory *inv;
	int dev;
	const int *ours;
	size_t n_ours;
	struct sr_ladder *ladder;
};

static bool is_ours(const struct climb *c, int dev)
{
	for (size_t i = 0; i < c->n_ours; i++)
		if (c->ours[i] == dev)
			return true;
	return dev == c->dev;
}

static bool is_below(const struct inventory *inv, int dev, int bridge)
{
	/* A chain of parents has an end, but a file from elsewhere may say otherwise. */
	for (size_t i = 0; dev >= 0 && i <= inv->n_devs; i++) {
		dev = inv->devs[dev].parent;
		if (dev == bridge)
			return true;
	}
	return false;
}

/* The first reason is kept: what is less far up matters more. */
static void __attribute__((format(printf, 2, 3)))
leave_out(const struct climb *c, const char *fmt, ...)
{
	va_list ap;

	if (c->ladder->left_out[0])
		return;
	va_start(ap, fmt);
	vsnprintf(c->ladder->left_out, sizeof(c->ladder->left_out), fmt, ap);
	va_end(ap);
}

/* The rungs that the kernel has a method for. */
static unsigned int parse_methods(const char *text)
{
	char copy[INV_TEXT], *save = NULL;
	unsigned int rungs = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		enum sr_rung rung;

		if (sr_rung_parse(word, &rung) == 0 && rung <= SR_RUNG_BUS)
			rungs |= BIT(rung);
	}
	return rungs;
}

/* Index of a function behind the bridge that would be reset as well and is not ours, -1 none. */
static int find_stranger(const struct climb *c, int bridge)
{
	for (size_t i = 0; i < c->inv->n_devs; i++)
		if (!is_ours(c, (int)i) && is_below(c->inv, (int)i, bridge))
			return (int)i;
	return -1;
}

/* Index of one of ours behind the bridge that does not survive what the rung does there, -1 none. */
static int find_victim(const struct climb *c, int bridge, enum sr_rung rung)
{
	for (size_t i = 0; i < c->inv->n_devs; i++) {
		const struct sr_reset_rule *rule = sr_reset_rule_find(&c->inv->devs[i]);

		if ((int)i != c->dev && rule && (rule->refused & BIT(rung)) &&
		    is_below(c->inv, (int)i, bridge))
			return (int)i;
	}
	return -1;
}

/* What is deeper than the function's own bus would not be bound again after a slot had no power. */
static bool is_flat(const struct climb *c, int bridge)
{
	for (size_t i = 0; i < c->inv->n_devs; i++)
		if (c->inv->devs[i].parent != bridge && is_below(c->inv, (int)i, bridge))
			return false;
	return true;
}

static unsigned int rungs_of_bus(const struct climb *c, unsigned int offered)
{
	int bridge = c->inv->devs[c->dev].parent;
	unsigned int rungs = offered & BIT(SR_RUNG_BUS);
	char bdf[CV_BDF_MAX];
	int stranger, victim;

	if (bridge < 0)
		return 0;
	stranger = find_stranger(c, bridge);
	victim = find_victim(c, bridge, SR_RUNG_BUS);
	if (victim >= 0)
		leave_out(c, "bus: %s behind the same bridge does not survive it",
			  cv_format_bdf(c->inv->devs[victim].bdf, bdf));
	if (stranger < 0 && victim < 0)
		return rungs | (is_flat(c, bridge) ? BIT(SR_RUNG_SLOT) : 0);
	if (stranger < 0)
		return 0;
	leave_out(c, "%s: %s behind the same bridge would be reset as well, and is not named",
		  offered & BIT(SR_RUNG_BUS) ? "bus" : "slot",
		  cv_format_bdf(c->inv->devs[stranger].bdf, bdf));
	return 0;
}

/* Index of a VF of the function that is not ours, -1 none. */
static int find_foreign_vf(const struct climb *c)
{
	for (size_t i = 0; i < c->inv->n_devs; i++)
		if (c->inv->devs[i].pf == c->dev && !is_ours(c, (int)i))
			return (int)i;
	return -1;
}

static unsigned int possible_rungs(const struct climb *c)
{
	const struct inv_dev *d = &c->inv->devs[c->dev];
	unsigned int offered = parse_methods(d->reset_methods);
	unsigned int rungs = offered & ~BIT(SR_RUNG_BUS);
	int vf = find_foreign_vf(c);
	char bdf[CV_BDF_MAX];

	if (inv_is_bridge(d)) {
		leave_out(c, "all: a bridge is not reset, what is behind it is");
		return 0;
	}
	if (vf >= 0) {
		leave_out(c, "all: its VF %s would be gone",
			  cv_format_bdf(c->inv->devs[vf].bdf, bdf));
		return 0;
	}
	if (d->pf >= 0)
		return rungs;
	rungs |= rungs_of_bus(c, offered);
	if (d->sriov.num == 0)
		rungs |= BIT(SR_RUNG_REMOVE);
	else
		leave_out(c, "remove: its VFs would be gone");
	return rungs;
}

static void add(struct sr_ladder *l, unsigned int rungs)
{
	for (unsigned int i = 0; i < SR_RUNGS; i++)
		if (rungs & BIT(i))
			l->rungs[l->n++] = (enum sr_rung)i;
}

/* In the order in which the kernel would try them. */
static void list_methods(const char *offered, unsigned int rungs, char *buf, size_t size)
{
	char copy[INV_TEXT], *save = NULL;
	size_t used = 0;

	buf[0] = '\0';
	snprintf(copy, sizeof(copy), "%s", offered);
	for (char *word = strtok_r(copy, " \n", &save); word && used < size;
	     word = strtok_r(NULL, " \n", &save)) {
		enum sr_rung rung;

		if (sr_rung_parse(word, &rung) == 0 && (rungs & BIT(rung)))
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
						 word);
	}
}

void sr_reset_limit(struct inv_dev *d)
{
	const struct sr_reset_rule *rule = sr_reset_rule_find(d);
	unsigned int offered = parse_methods(d->reset_methods), left;

	d->is_reset_limited = false;
	d->reset_allowed[0] = '\0';
	d->reset_why = d->reset_source = NULL;
	if (!rule)
		return;
	left = offered & ~rule->refused;
	/* a VF is never reset by its bus; anything else without a method that works is, if it can be */
	if (!left && d->pf < 0 && (rule->refused & BIT(SR_RUNG_BUS))) {
		d->reset_why = rule->why;
		d->reset_source = rule->source;
		return;
	}
	d->is_reset_limited = left != offered;
	list_methods(d->reset_methods, left, d->reset_allowed, sizeof(d->reset_allowed));
}

void sr_ladder_make(const struct inventory *inv, int dev, const int *ours, size_t n_ours,
		    struct sr_ladder *ret)
{
	const struct sr_reset_rule *rule = sr_reset_rule_find(&inv->devs[dev]);
	struct sr_ladder l = { 0 };
	const struct climb c = { inv, dev, ours, n_ours, &l };
	unsigned int rungs = possible_rungs(&c), first = 0;

	if (rule && (rungs & rule->refused))
		l.refused_by = rule;
	if (rule)
		rungs &= ~rule->refused;
	if (rule && rule->first < SR_RUNGS)
		first = rungs & BIT(rule->first);
	add(&l, first);
	add(&l, rungs & ~first);
	*ret = l;
}
