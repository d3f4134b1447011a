/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings whose pages can go away while they are used: huge pages that were taken, memory that the
 * host's hardware lost, BARs of a device that is off. Who touches them gets SIGBUS: the log says what it
 * was, and the process ends. */
#ifndef CARVE_VMM_MEMORY_LOST_H
#define CARVE_VMM_MEMORY_LOST_H

#include <stdint.h>

#define VMM_LOST_MAX 512 /* mappings that can be named */

/** vmm_lost_catch() - SIGBUS is this file's from now on. Context: before threads. Return: 0, -errno. */
int vmm_lost_catch(void);
/** vmm_lost_name() - [@at, @at + @size) is @name (copied, may be cut); one too many stays without.
 * Context: any thread. */
void vmm_lost_name(const void *at, uint64_t size, const char *name);
/** vmm_lost_forget() - the mapping at @at goes. */
void vmm_lost_forget(const void *at);

#endif
