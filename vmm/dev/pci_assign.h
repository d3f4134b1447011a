/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First addresses of BARs and port windows, as firmware gives them. Pure: computes over its arrays. */
#ifndef CARVE_VMM_PCI_ASSIGN_H
#define CARVE_VMM_PCI_ASSIGN_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/boot/acpi.h"

#define VMM_ASSIGN_UNIT \
	(1ULL << 20) /* of a port's window (PCI-to-PCI Bridge 1.2 section 3.2.5.8) */

/** enum vmm_space - below 4 GiB, and the 64-bit window */
enum vmm_space { VMM_LOW, VMM_HIGH, VMM_SPACES };

/**
 * struct vmm_assign_node - a bus: that of a host bridge, or the one below a port
 * @parent: index of the bus above, always a lower one; -1: a host bridge
 * @need, @align: what it needs with all below it; out
 * @window: addresses that it decodes, out; size 0: none. Of a host bridge, high: in, the room there is
 */
struct vmm_assign_node {
	int parent;
	uint64_t need[VMM_SPACES], align[VMM_SPACES];
	struct vmm_window window[VMM_SPACES];
};

/** struct vmm_assign_bar - @address: out */
struct vmm_assign_bar {
	int node;
	enum vmm_space space;
	uint64_t size, address;
};

struct vmm_assign {
	struct vmm_assign_node *nodes;
	size_t n_nodes;
	struct vmm_assign_bar *bars;
	size_t n_bars;
};

/**
 * vmm_assign_run() - needs, windows and addresses
 * @low: the room below 4 GiB, shared out among the host bridges in their order in proportion to need
 *
 * On each bus the largest goes first; nothing is out of its natural alignment. What has no room gets
 * an address all the same, behind the end: vmm_assign_find_excess() tells.
 * Return: 0, -ENOMEM.
 */
int vmm_assign_run(struct vmm_assign *a, struct vmm_window low);
/**
 * vmm_assign_find_excess() - the first BAR that is not within the window of its host bridge
 * @ret_root: that host bridge
 * Return: its index, -ENOENT: all fit.
 */
int vmm_assign_find_excess(const struct vmm_assign *a, struct vmm_window low, size_t *ret_root);

#endif
