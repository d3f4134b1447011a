/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of CPUs in the two formats of the kernel that are not its plain list. */
#ifndef CARVE_NUMA_CPUTEXT_H
#define CARVE_NUMA_CPUTEXT_H

#include "base/cpulist.h"

/**
 * nu_parse_cpumask() - "ff" or "f,00000000,ffffffff": groups of 32 bits, the highest first
 * Return: 0, -EINVAL (not a mask), -ERANGE (a CPU over CV_CPU_MAX-1).
 */
int nu_parse_cpumask(const char *s, struct cv_cpuset *ret);

/**
 * nu_parse_boot_cpulist() - a list as boot parameters have it
 * @last: what "N" stands for: the highest possible CPU
 *
 * Documentation/admin-guide/kernel-parameters.rst, "cpu lists": ranges may end in N, "all" is
 * all of them, and "0-31:2/8" is the first 2 of each 8.
 * Return: 0, -EINVAL (not a list), -ERANGE (a number over CV_CPU_MAX-1, or a range reversed).
 */
int nu_parse_boot_cpulist(const char *s, int last, struct cv_cpuset *ret);

#endif
