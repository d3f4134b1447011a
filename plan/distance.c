// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/distance.h"

#include <string.h>

#include "base/cleanup.h"

static const char *const names[] = { "X", "PIX", "PXB", "PHB", "NODE", "SYS" };

const char *inv_distance_name(enum inv_distance d)
{
	return (size_t)d < CV_ARRAY_SIZE(names) ? names[d] : "?";
}

/* What stands for a function in the tree: a VF is where its PF is. */
static int anchor(const struct inventory *inv, int dev)
{
	return inv->devs[dev].pf >= 0 ? inv->devs[dev].pf : dev;
}

static bool is_below(const struct inventory *inv, int dev, int port)
{
	size_t left = inv->n_devs;

	for (int d = inv->devs[dev].parent; d >= 0 && left > 0; d = inv->devs[d].parent, left--)
		if (d == port)
			return true;
	return false;
}

int inv_common_port(const struct inventory *inv, int a, int b)
{
	size_t left = inv->n_devs;

	a = anchor(inv, a);
	b = anchor(inv, b);
	for (int d = inv->devs[a].parent; d >= 0 && left > 0; d = inv->devs[d].parent, left--)
		if (is_below(inv, b, d))
			return d;
	return -1;
}

/* Bridges between a function and @port, which is above it; a switch is one bridge: its own ports are
 * not counted one by one. */
static unsigned int bridges_below(const struct inventory *inv, int dev, int port)
{
	unsigned int n = 0;

	for (int d = inv->devs[dev].parent; d >= 0 && d != port; d = inv->devs[d].parent)
		n += inv->devs[d].port != INV_PORT_DOWNSTREAM;
	return n;
}

/* Right below the same switch, or the same port, there is nothing in between but that one. */
static bool is_one_bridge(const struct inventory *inv, int a, int b, int port)
{
	return bridges_below(inv, anchor(inv, a), port) == 0 &&
	       bridges_below(inv, anchor(inv, b), port) == 0;
}

static bool same_node(const struct inv_dev *a, const struct inv_dev *b)
{
	return a->node >= 0 && a->node == b->node;
}

static bool same_device(const struct inv_dev *a, const struct inv_dev *b)
{
	return a->bdf.domain == b->bdf.domain && a->bdf.bus == b->bdf.bus &&
	       a->bdf.dev == b->bdf.dev;
}

enum inv_distance inv_distance(const struct inventory *inv, int a, int b)
{
	const struct inv_dev *x = &inv->devs[anchor(inv, a)], *y = &inv->devs[anchor(inv, b)];
	int port;

	if (a == b)
		return INV_SELF;
	if (same_device(x, y))
		return INV_PIX;
	port = inv_common_port(inv, a, b);
	if (port >= 0)
		return is_one_bridge(inv, a, b, port) ? INV_PIX : INV_PXB;
	if (x->root[0] && strcmp(x->root, y->root) == 0)
		return INV_PHB;
	return same_node(x, y) ? INV_NODE : INV_SYS;
}
