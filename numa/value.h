/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values of steps that hold CPU lists: "vcpu=2-3 vmm=0,4". */
#ifndef CARVE_NUMA_VALUE_H
#define CARVE_NUMA_VALUE_H

#include "base/cpulist.h"

/**
 * nu_value_list() - one "KEY=LIST" at the start of *@p
 * @key: with its '='
 * @end: what must follow the list: ' ', or '\0' for the last one; *@p moves behind it
 * Return: 0; -EINVAL (another key, no such end, an empty list), -ERANGE, -ENOMEM.
 */
int nu_value_list(const char **p, const char *key, char end, struct cv_cpuset *ret);

#endif
