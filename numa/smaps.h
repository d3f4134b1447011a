/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory as the page tables of its VMM have it (/proc/PID/smaps). */
#ifndef CARVE_NUMA_SMAPS_H
#define CARVE_NUMA_SMAPS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/sysroot.h"
#include "plan/certify.h"

/**
 * nu_smaps_parse() - bytes of all memory files that are mapped, by the size of the leaves that map them
 * (MMUPageSize, see Documentation/filesystems/proc.rst section 1.1); a size between two counts as the
 * smaller one
 * Return: 0; -EINVAL: a mapping without its size, or not that file; -ENODATA: no memory file.
 */
int nu_smaps_parse(const char *text, uint64_t ret[CERTIFY_LEAVES]);
/** nu_smaps_read() - of a process. Return: the same, -EACCES, -ENOENT, -ESRCH, -errno. */
int nu_smaps_read(struct cv_sysroot *root, pid_t pid, uint64_t ret[CERTIFY_LEAVES]);

#endif
