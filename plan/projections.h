/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a plan looks like to others: texts made from the plan alone, for tools that are not Carve's. */
#ifndef CARVE_PLAN_PROJECTIONS_H
#define CARVE_PLAN_PROJECTIONS_H

#include "plan/inventory.h"
#include "plan/plan.h"

/* Each returns a heap string that the caller owns, or NULL when out of memory. Equal plans give equal
 * bytes. */

/** plan_libvirt_xml() - a libvirt domain: numatune, cputune, hugepages, hostdev managed='no'. */
char *plan_libvirt_xml(const struct plan *p);
/** plan_nccl_xml() - NCCL_TOPO_FILE of the guest: its PCI tree by guest addresses. */
char *plan_nccl_xml(const struct plan *p);
/** plan_hwloc_xml() - what hwloc finds in the guest, in the format of hwloc 2 (lstopo -i). */
char *plan_hwloc_xml(const struct plan *p);

/**
 * plan_cmdline() - kernel command line advice, with a comment line ("# ...") for the reason of each word
 * Host: isolcpus, nohz_full, rcu_nocbs, irqaffinity and hugepages for @n plans, iommu; guest: per plan.
 */
char *plan_cmdline(const struct inventory *inv, const struct plan *plans, size_t n);

/** enum plan_draw - form of a drawing */
enum plan_draw { PLAN_DRAW_TEXT, PLAN_DRAW_SVG };

/**
 * plan_draw() - the host's nodes, L3s, cores and devices, and which guest gets which
 * @width: columns of the text form, 0: 100
 */
char *plan_draw(const struct inventory *inv, const struct plan *plans, size_t n,
		enum plan_draw form, unsigned int width);

#endif
