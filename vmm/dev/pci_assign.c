// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/dev/pci_assign.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"

/** struct item - what lies on one bus: a BAR, or the window of a port; @number keeps the order */
struct item {
	uint64_t size, align;
	uint64_t *address;
	size_t number;
};

static uint64_t align_up(uint64_t value, uint64_t to)
{
	return to ? (value + to - 1) / to * to : value;
}

/* ---- one bus ---- */

static int by_need(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->align != y->align)
		return x->align > y->align ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static size_t collect(struct vmm_assign *a, size_t node, enum vmm_space space, struct item *items)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_bars; i++) {
		struct vmm_assign_bar *b = &a->bars[i];

		if (b->node != (int)node || b->space != space)
			continue;
		items[n] = (struct item){ b->size, b->size, &b->address, n };
		n++;
	}
	for (size_t i = node + 1; i < a->n_nodes; i++) {
		struct vmm_assign_node *c = &a->nodes[i];

		if (c->parent != (int)node || !c->need[space])
			continue;
		items[n] = (struct item){ c->need[space], c->align[space], &c->window[space].start,
					  n };
		n++;
	}
	qsort(items, n, sizeof(*items), by_need);
	return n;
}

/* The largest alignment first: from an aligned @base on, no gap is larger than a port's window. */
static uint64_t lay_out(const struct item *items, size_t n, uint64_t base)
{
	uint64_t at = base;

	for (size_t i = 0; i < n; i++) {
		at = align_up(at, items[i].align);
		*items[i].address = at;
		at += items[i].size;
	}
	return at;
}

static void measure(struct vmm_assign *a, size_t node, enum vmm_space space, struct item *items)
{
	struct vmm_assign_node *k = &a->nodes[node];
	size_t n = collect(a, node, space, items);

	k->need[space] = align_up(lay_out(items, n, 0), VMM_ASSIGN_UNIT);
	k->align[space] = n && items[0].align > VMM_ASSIGN_UNIT ? items[0].align : VMM_ASSIGN_UNIT;
}

static void place(struct vmm_assign *a, size_t node, enum vmm_space space, struct item *items)
{
	struct vmm_assign_node *k = &a->nodes[node];
	size_t n;

	if (k->parent >= 0)
		k->window[space].size = k->need[space];
	if (!k->need[space])
		return;
	n = collect(a, node, space, items);
	lay_out(items, n, k->window[space].start);
}

/* ---- host bridges ---- */

static uint64_t total_need(const struct vmm_assign *a)
{
	uint64_t total = 0;

	for (size_t i = 0; i < a->n_nodes; i++)
		if (a->nodes[i].parent < 0)
			total += a->nodes[i].need[VMM_LOW];
	return total;
}

/* Each as much of @spare as it has of the need. Return: the end of the last. */
static uint64_t share(struct vmm_assign *a, struct vmm_window low, uint64_t spare)
{
	uint64_t total = total_need(a), at = low.start;

	for (size_t i = 0; i < a->n_nodes; i++) {
		struct vmm_assign_node *k = &a->nodes[i];
		uint64_t more;

		if (k->parent >= 0)
			continue;
		k->window[VMM_LOW] = (struct vmm_window){ 0, 0 };
		if (!k->need[VMM_LOW])
			continue;
		more = (uint64_t)((unsigned __int128)spare * k->need[VMM_LOW] / total);
		more -= more % VMM_ASSIGN_UNIT;
		k->window[VMM_LOW].start = align_up(at, k->align[VMM_LOW]);
		k->window[VMM_LOW].size = k->need[VMM_LOW] + more;
		at = k->window[VMM_LOW].start + k->window[VMM_LOW].size;
	}
	return at;
}

static void share_low(struct vmm_assign *a, struct vmm_window low)
{
	uint64_t end = low.start + low.size, least = share(a, low, 0);

	if (least < end && share(a, low, end - least) > end)
		share(a, low, 0); /* alignment took more than there was to share */
}

static void align_high(struct vmm_assign_node *k)
{
	struct vmm_window *w = &k->window[VMM_HIGH];
	uint64_t start = align_up(w->start, k->align[VMM_HIGH]), end = w->start + w->size;

	if (k->parent < 0 && w->size)
		*w = (struct vmm_window){ start, start < end ? end - start : 0 };
}

int vmm_assign_run(struct vmm_assign *a, struct vmm_window low)
{
	_cleanup_free_ struct item *items = calloc(a->n_nodes + a->n_bars + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = a->n_nodes; i-- > 0;)
		for (int s = 0; s < VMM_SPACES; s++)
			measure(a, i, s, items);
	share_low(a, low);
	for (size_t i = 0; i < a->n_nodes; i++) {
		align_high(&a->nodes[i]);
		for (int s = 0; s < VMM_SPACES; s++)
			place(a, i, s, items);
	}
	return 0;
}

int vmm_assign_find_excess(const struct vmm_assign *a, struct vmm_window low, size_t *ret_root)
{
	for (size_t i = 0; i < a->n_bars; i++) {
		const struct vmm_assign_bar *b = &a->bars[i];
		const struct vmm_window *w;
		int root = b->node;

		while (a->nodes[root].parent >= 0)
			root = a->nodes[root].parent;
		w = b->space == VMM_LOW ? &low : &a->nodes[root].window[b->space];
		if (b->address >= w->start && b->size <= w->size &&
		    b->address - w->start <= w->size - b->size)
			continue;
		*ret_root = (size_t)root;
		return (int)i;
	}
	return -ENOENT;
}
