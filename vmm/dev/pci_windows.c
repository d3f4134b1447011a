// SPDX-License-Identifier: GPL-2.0-or-later
/* From the plan's ranges and the functions' BARs to addresses in registers. Bus n of the computation is
 * that below bridge n - 1 of the plan; 0 is bus 0. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "vmm/core/layout.h"
#include "vmm/dev/pci_assign.h"
#include "vmm/dev/pci_tree.h"

/* ---- what there is ---- */

/* The largest part of [VMM_MMIO32_START, VMM_MMIO32_END) without memory or reserved addresses; ranges
 * of a plan ascend. */
static struct vmm_window find_low(const struct plan *p)
{
	struct vmm_window best = { 0, 0 };
	uint64_t at = VMM_MMIO32_START;

	for (size_t i = 0; i <= p->n_ranges && at < VMM_MMIO32_END; i++) {
		const struct plan_range *r = i < p->n_ranges ? &p->ranges[i] : NULL;
		uint64_t end = r && r->start < VMM_MMIO32_END ? r->start : VMM_MMIO32_END;

		if (r && r->kind != PLAN_RAM && r->kind != PLAN_RESERVED)
			continue;
		end -= end % VMM_ASSIGN_UNIT;
		if (end > at && end - at > best.size)
			best = (struct vmm_window){ at, end - at };
		if (r && r->start + r->size > at)
			at = (r->start + r->size + VMM_ASSIGN_UNIT - 1) & ~(VMM_ASSIGN_UNIT - 1);
	}
	return best;
}

static struct vmm_window find_high(const struct plan *p, int guest_node)
{
	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_MMIO64 && p->ranges[i].guest_node == guest_node)
			return (struct vmm_window){ p->ranges[i].start, p->ranges[i].size };
	return (struct vmm_window){ 0, 0 };
}

/* ---- what is needed ---- */

static size_t root_of(const struct vmm_assign *a, size_t node)
{
	while (a->nodes[node].parent >= 0)
		node = (size_t)a->nodes[node].parent;
	return node;
}

/* Behind a port only what is prefetchable may lie above 4 GiB (PCI-to-PCI Bridge 1.2 section
 * 3.2.5.9); bus 0 has no window there. */
static enum vmm_space space_of(const struct vmm_assign *a, size_t node, enum vmm_bar_kind kind)
{
	bool is_on_root = a->nodes[node].parent < 0;

	if (!a->nodes[root_of(a, node)].window[VMM_HIGH].size)
		return VMM_LOW;
	if (kind == VMM_BAR_64_PREF || (kind == VMM_BAR_64 && is_on_root))
		return VMM_HIGH;
	return VMM_LOW;
}

static void collect_nodes(const struct vmm_pci *pci, struct vmm_assign *a)
{
	a->nodes[0] = (struct vmm_assign_node){ .parent = -1 };
	for (size_t i = 0; i < pci->plan->n_bridges; i++) {
		const struct plan_bridge *b = &pci->plan->bridges[i];
		struct vmm_assign_node *k = &a->nodes[i + 1];

		*k = (struct vmm_assign_node){ .parent = b->parent < 0 ? -1 : b->parent + 1 };
		if (b->kind == PLAN_HOST_BRIDGE)
			k->window[VMM_HIGH] = find_high(pci->plan, b->guest_node);
	}
	a->n_nodes = pci->plan->n_bridges + 1;
}

/** struct bar_of - which BAR of which function a BAR of the computation is */
struct bar_of {
	struct vmm_pci_function *f;
	unsigned int bar;
};

static void collect_bars(const struct vmm_pci *pci, struct vmm_assign *a, struct bar_of *of)
{
	for (size_t i = 0; i < pci->n_places; i++) {
		struct vmm_pci_function *f = pci->places[i]->f;
		size_t node = (size_t)(f->bridge + 1);

		for (unsigned int bar = 0; bar < VMM_PCI_BARS; bar++) {
			if (!f->bars[bar].size)
				continue;
			of[a->n_bars] = (struct bar_of){ f, bar };
			a->bars[a->n_bars++] = (struct vmm_assign_bar){
				.node = (int)node,
				.space = space_of(a, node, f->bars[bar].kind),
				.size = f->bars[bar].size,
			};
		}
	}
}

/* ---- the answer ---- */

static int refuse(const struct vmm_assign *a, const struct bar_of *of, size_t i, size_t root,
		  struct vmm_window low, struct cv_error *err)
{
	const struct vmm_assign_bar *b = &a->bars[i];
	uint64_t room = b->space == VMM_LOW ? low.size : a->nodes[root].window[VMM_HIGH].size;
	char bdf[CV_BDF_MAX], found[CV_SIZE_MAX], size[CV_SIZE_MAX], need[CV_SIZE_MAX];

	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "BAR_ROOM", of[i].f->name,
		"BAR %u of %s (%s) has no room in the guest's address space", of[i].bar,
		of[i].f->name, cv_format_bdf(of[i].f->bdf, bdf));
	cv_error_found(err, "%s %s", cv_format_size(room, found),
		       b->space == VMM_LOW ? "below 4G for all devices"
					   : "in the window of its NUMA node");
	cv_error_wanted(err, "%s for this BAR, %s with those beside it",
			cv_format_size(b->size, size),
			cv_format_size(a->nodes[root].need[b->space], need));
	cv_error_hint(err, "give the guest fewer devices; a resizable BAR can be made smaller");
	return -ENOSPC;
}

static void put_bars(const struct vmm_assign *a, const struct bar_of *of)
{
	for (size_t i = 0; i < a->n_bars; i++) {
		pthread_mutex_lock(&of[i].f->lock);
		vmm_bar_put_address(of[i].f, of[i].bar, a->bars[i].address);
		pthread_mutex_unlock(&of[i].f->lock);
	}
}

static void put_ports(struct vmm_pci *pci, const struct vmm_assign *a)
{
	for (size_t i = 0; i < pci->plan->n_bridges; i++) {
		struct vmm_pci_port *port = &pci->ports[i];
		const struct vmm_assign_node *k = &a->nodes[i + 1];

		if (pci->plan->bridges[i].kind == PLAN_HOST_BRIDGE)
			continue;
		pthread_mutex_lock(&port->f.lock);
		vmm_port_set_windows(port, k->window[VMM_LOW], k->window[VMM_HIGH]);
		port->f.config[PCI_COMMAND] |= PCI_COMMAND_MEMORY;
		pthread_mutex_unlock(&port->f.lock);
	}
}

/* The roots are in the order of the host bridges. */
static void put_roots(struct vmm_pci *pci, const struct vmm_assign *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_nodes; i++) {
		if (a->nodes[i].parent >= 0)
			continue;
		pci->roots[n].mmio32 = a->nodes[i].window[VMM_LOW];
		pci->roots[n++].mmio64 = a->nodes[i].window[VMM_HIGH];
	}
}

static void keep_initial(struct vmm_pci *pci)
{
	for (size_t i = 0; i < pci->n_places; i++) {
		struct vmm_pci_function *f = pci->places[i]->f;

		pthread_mutex_lock(&f->lock);
		memcpy(pci->places[i]->initial, f->config, VMM_PCI_CONFIG);
		pthread_mutex_unlock(&f->lock);
	}
}

static int assign(struct vmm_pci *pci, struct vmm_assign *a, struct bar_of *of,
		  struct cv_error *err)
{
	struct vmm_window low = find_low(pci->plan);
	size_t root = 0;
	int r, excess;

	collect_nodes(pci, a);
	collect_bars(pci, a, of);
	r = vmm_assign_run(a, low);
	if (r < 0)
		return cv_fail_errno(err, r, pci->plan->name, "cannot give out addresses");
	excess = vmm_assign_find_excess(a, low, &root);
	if (excess >= 0)
		return refuse(a, of, (size_t)excess, root, low, err);
	put_bars(a, of);
	put_ports(pci, a);
	put_roots(pci, a);
	keep_initial(pci);
	return 0;
}

int vmm_pci_assign(struct vmm_pci *pci, struct cv_error *err)
{
	_cleanup_free_ struct vmm_assign_node *nodes = NULL;
	_cleanup_free_ struct vmm_assign_bar *bars = NULL;
	_cleanup_free_ struct bar_of *of = NULL;

	nodes = calloc(pci->plan->n_bridges + 1, sizeof(*nodes));
	bars = calloc(pci->n_places * VMM_PCI_BARS + 1, sizeof(*bars));
	of = calloc(pci->n_places * VMM_PCI_BARS + 1, sizeof(*of));
	if (!nodes || !bars || !of)
		return cv_fail_errno(err, -ENOMEM, pci->plan->name, "cannot give out addresses");

	struct vmm_assign a = { .nodes = nodes, .bars = bars };

	return assign(pci, &a, of, err);
}
