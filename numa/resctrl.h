/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Masks of cache ways and the schemata text of resctrl (Documentation/arch/x86/resctrl.rst); pure. */
#ifndef CARVE_NUMA_RESCTRL_H
#define CARVE_NUMA_RESCTRL_H

#include <stdbool.h>
#include <stdint.h>

/**
 * nu_schemata_find() - value of one domain of a resource
 * @resource: "L3" (values are masks, hexadecimal) or "MB" (percent, decimal)
 * Return: 0, -ENOENT (no such resource or domain), -EINVAL.
 */
int nu_schemata_find(const char *text, const char *resource, int domain, uint64_t *ret);

/**
 * nu_schemata_is_percent() - is memory bandwidth told in percent?
 *
 * AMD counts in eighths of GB/s, a mount with mba_MBps in MB/s: then some value is over 100.
 * @text: of the default group. Return: true also when it says nothing of bandwidth.
 */
bool nu_schemata_is_percent(const char *text);

/** nu_longest_run() - the longest run of adjacent bits of @mask, the highest of equal ones. */
uint64_t nu_longest_run(uint64_t mask);

/**
 * struct nu_ways - what a mask is chosen from, for one cache
 * @full:     all ways
 * @used:     by other groups
 * @hardware: also filled by devices (shareable_bits)
 * @dflt:     of the default group, before
 * @min_bits: of a mask
 */
struct nu_ways {
	uint64_t full, used, hardware, dflt;
	unsigned int min_bits;
};

/**
 * nu_ways_choose() - @n adjacent ways that no other group uses
 *
 * Ways that devices fill are taken last, then the default group keeps as long a run as it can, then the
 * lowest.
 * Return: 0; -ENOSPC when there are none, or nothing would be left to the default group.
 */
int nu_ways_choose(const struct nu_ways *w, unsigned int n, uint64_t *ret);

#endif
