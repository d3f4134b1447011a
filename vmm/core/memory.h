/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's RAM: a memfd of huge pages per guest node, bound to its host node. The threads of the
 * node's vCPUs fill it before anything is mapped for DMA. */
#ifndef CARVE_VMM_MEMORY_H
#define CARVE_VMM_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "plan/plan.h"

/** struct vmm_ram - one piece of guest RAM; pieces ascend by @gpa and do not overlap */
struct vmm_ram {
	uint64_t gpa, size; /* bytes */
	uint8_t *host;	    /* in the VMM */
	int guest_node;
	int fd;		 /* memfd of the node, owned by the vmm_memory */
	uint64_t offset; /* of the piece in @fd */
};

/** struct vmm_memory - zeroed before use; vmm_memory_done() */
struct vmm_memory {
	struct vmm_ram *rams;
	size_t n;
	int fds[PLAN_MAX_NODES];
	void *maps[PLAN_MAX_NODES];
	uint64_t sizes[PLAN_MAX_NODES];
	uint64_t page_sizes[PLAN_MAX_NODES];
	size_t n_nodes;
};

/**
 * vmm_memory_make() - memfds of the plan's page size, MPOL_BIND to the host nodes, mapped; nothing is
 * filled yet, but the pages are promised (hugetlb reserves them when it maps)
 * The mapping of a node begins at a multiple of 1 GiB, so that the largest leaves fit.
 * Return: 0; -ENOMEM with @err NO_PAGES (node, wanted): the pages are gone; -errno.
 */
int vmm_memory_make(const struct plan *p, struct vmm_memory *ret, struct cv_error *err);
/**
 * vmm_memory_fill() - allocate and clear part @part of @parts of a guest node's memory
 * Context: a thread that runs on that node; parts can be filled at the same time. Pages that were
 * written to before stay as they are.
 * Return: 0; -ENOMEM: the host node has no page left; -errno.
 */
int vmm_memory_fill(const struct vmm_memory *m, size_t node, unsigned int part, unsigned int parts);
void vmm_memory_done(struct vmm_memory *m);

/**
 * vmm_memory_at() - where [@gpa, @gpa + @len) is in the VMM, when all of it is one piece of RAM
 * Return: a pointer, NULL.
 */
void *vmm_memory_at(const struct vmm_memory *m, uint64_t gpa, uint64_t len);
/**
 * vmm_memory_ready() - the pages of [@gpa, @gpa + @len) are there: what is written next to it is no bus
 * error
 * Context: before vmm_memory_fill(); afterwards it changes nothing.
 * Return: 0, -ENOMEM (the host node has no page left), -EFAULT (not all of it is RAM), -errno.
 */
int vmm_memory_ready(const struct vmm_memory *m, uint64_t gpa, uint64_t len);
/** vmm_memory_write(), vmm_memory_read() - across pieces. Return: 0, -EFAULT (not all of it is RAM). */
int vmm_memory_write(const struct vmm_memory *m, uint64_t gpa, const void *data, uint64_t len);
int vmm_memory_read(const struct vmm_memory *m, uint64_t gpa, void *data, uint64_t len);

#endif
