/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages per node: strict, checked before, given back after. */
#ifndef CARVE_NUMA_HUGEPAGES_H
#define CARVE_NUMA_HUGEPAGES_H

#include "base/step.h"

/*
 * Kind "hugepages", own scope. Object "node1/2M" (also "node0/1G"); value: pages this VM needs.
 *
 * Pages that are free and not leased by another VM are used first (1G pages are mostly reserved at
 * boot and cannot be added later); only the rest is added to the node's pool:
 *	usable = min(free - mapped but untouched, all pages of the pool - leased by other VMs)
 *	added  = value - usable, at least 0
 * A lease counts whether its pages are in use yet or not.
 *
 * apply: adds the pages in writes of at most 1 GiB (the kernel may give fewer at first: the node is
 * compacted and the write tried again, until three in a row gain nothing); short of it: -ENOMEM with
 * "node 1 has N free 2M pages after trying, M needed" and the pool back at its size. More than the
 * node's free and reclaimable memory could give is refused before anything is changed.
 * record: {"nr": persistent pages before}, for people: it is not what revert goes by.
 * revert: takes away exactly the pages that this VM added, whatever other VMs or the admin did to the
 * pool in between; pages that the kernel frees later are waited for, -EBUSY when some stay in use.
 *
 * Ledger: CV_VM_DIR/NAME/hugepages-nodeN-SIZE, of carve device bind CV_OPERATION_DIR/NAME/...,
 * written before each change and gone after the revert: {"carve_hugepages":1,"added":2}; while a change
 * is under way also "base" (persistent pages to go back to when it does not end) and "surplus". Each
 * apply and revert first settles the changes that a crash left under way on its pool, of whichever VM:
 * so each is undone exactly once.
 */
extern const struct cv_step_ops nu_step_hugepages;

#endif
