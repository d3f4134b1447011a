/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a drawing of host and guests shows; text and SVG only render it. Not a public header of plan/. */
#ifndef CARVE_PLAN_DRAW_H
#define CARVE_PLAN_DRAW_H

#include "plan/inventory.h"
#include "plan/plan.h"

/** enum draw_owner - who has a core or a device; DRAW_GUEST + N: the guest of plan N */
enum draw_owner { DRAW_FREE, DRAW_HOUSEKEEPING, DRAW_LEASED, DRAW_GUEST };

/** struct draw_core - a physical core */
struct draw_core {
	struct cv_cpuset cpus;
	int node; /* index in the inventory, -1 unknown */
	int package;
	int l3;
	int owner;
};

/** struct draw_line - a device, or a switch above devices */
struct draw_line {
	char *text;
	int node;  /* index in the inventory, -1 unknown */
	int depth; /* lines above that it is below */
	int owner;
	bool is_switch;
};

/**
 * struct draw - the layout
 * @cores: by node, L3, number; those of one L3 of one node stand together
 * @lines: by node (unknown last), then as the tree
 */
struct draw {
	const struct inventory *inv;
	const struct plan *plans;
	size_t n_plans;
	struct draw_core *cores;
	size_t n_cores;
	struct draw_line *lines;
	size_t n_lines;
};

/** draw_make() - Return: 0, -ENOMEM. */
int draw_make(struct draw *d, const struct inventory *inv, const struct plan *plans, size_t n);
void draw_done(struct draw *d);

/** draw_mark() - one letter for an owner: '.', 'h', '-', 'A' for the first guest; '+' from the 27th. */
char draw_mark(int owner);
/** draw_group() - end of the cores from @from on that are of the same node and L3. */
size_t draw_group(const struct draw *d, size_t from);
/** draw_node_package() - package of a node's first core, -1 without cores. */
int draw_node_package(const struct draw *d, int node);
/** draw_taken() - bytes that plan @plan takes on a node. */
uint64_t draw_taken(const struct draw *d, size_t plan, int node);
/** draw_pages() - "1G: 400 of 512 free, A takes 64" of all page sizes, joined by "; ". Heap, NULL. */
char *draw_pages(const struct draw *d, int node);
/** draw_guest() - "train0: 16 cores, 128G, 2 devices". Heap string or NULL. */
char *draw_guest(const struct draw *d, size_t plan);
/** draw_host() - "2 packages, 2 nodes, 112 cores, 224 CPUs". Heap string or NULL. */
char *draw_host(const struct draw *d);
/** draw_node() - "node 0, package 0, 1007G". Heap string or NULL. */
char *draw_node(const struct draw *d, int node);

/** draw_text(), draw_svg() - the two forms. Heap string or NULL. */
char *draw_text(const struct draw *d, unsigned int width);
char *draw_svg(const struct draw *d);

#endif
