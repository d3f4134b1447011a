/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of cores of machines that mix fast and economic ones. */
#ifndef CARVE_NUMA_KINDS_H
#define CARVE_NUMA_KINDS_H

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * nu_kinds_read() - the kind of each of @inv->cpus, whose cores are known: 0 is the fastest
 *
 * x86 lists the CPUs of each kind beside their event counters; elsewhere the scheduler's
 * cpu_capacity tells them apart (Documentation/scheduler/sched-capacity.rst). Where neither is, all are 0.
 * Return: 0, -ENOMEM.
 */
int nu_kinds_read(struct cv_sysroot *root, struct inventory *inv, struct cv_error *err);

#endif
