/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host as a tree for people: packages, nodes, caches and cores, and the PCI functions at each. */
#ifndef CARVE_TOOLS_TOPO_TREE_H
#define CARVE_TOOLS_TOPO_TREE_H

#include "base/table.h"
#include "plan/inventory.h"

/** enum topo_part - what the tree shows; bits */
enum topo_part {
	TOPO_CPUS = 1,
	TOPO_DEVICES = 2,
};

/**
 * topo_tree() - the table of "carve topo"
 * @parts: enum topo_part bits
 * Return: 0, -ENOMEM.
 */
int topo_tree(const struct inventory *inv, unsigned int parts, struct cv_table **ret);

/** topo_add_bus() - rows of the PCI functions on a node (-1: unknown) below row @parent. */
int topo_add_bus(struct cv_table *t, const struct inventory *inv, int node, int parent);

#define TOPO_SIZE_MAX 16
/** topo_size() - about how much: "5.8G". Return: @buf. */
const char *topo_size(uint64_t bytes, char buf[TOPO_SIZE_MAX]);

enum topo_column {
	TOPO_OBJECT,
	TOPO_NODE,
	TOPO_GROUP,
	TOPO_DRIVER,
	TOPO_VFS,
	TOPO_BARS,
	TOPO_LINK,
	TOPO_ACCESS, /* ACS of ports, ATS and PASID of the others */
	TOPO_INFO,
	TOPO_N_COLUMNS,
};

#endif
