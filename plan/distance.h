/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far two PCI functions are from each other, in the classes of "nvidia-smi topo -m". */
#ifndef CARVE_PLAN_DISTANCE_H
#define CARVE_PLAN_DISTANCE_H

#include "plan/inventory.h"

/**
 * enum inv_distance - nearest first; what a transfer between two functions crosses
 *
 * The words and their meaning are those of the legend that nvidia-smi prints. A switch counts as one
 * bridge: functions right below one switch are PIX.
 */
enum inv_distance {
	INV_SELF, /* the same function */
	INV_PIX,  /* at most one PCIe bridge; a VF and its PF, two functions of one device */
	INV_PXB,  /* several PCIe bridges, but no host bridge */
	INV_PHB,  /* a PCIe host bridge */
	INV_NODE, /* host bridges of one NUMA node */
	INV_SYS,  /* NUMA nodes, or a node is unknown */
};

/** inv_distance() - class of two functions (indices of @inv->devs). */
enum inv_distance inv_distance(const struct inventory *inv, int a, int b);
/** inv_distance_name() - "X" "PIX" "PXB" "PHB" "NODE" "SYS". */
const char *inv_distance_name(enum inv_distance d);

/**
 * inv_common_port() - the lowest bridge that both functions are below
 * Return: index, or -1 when only a host bridge joins them, or nothing does.
 */
int inv_common_port(const struct inventory *inv, int a, int b);

#endif
