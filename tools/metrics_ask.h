/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One VMM asked for its state and statistics within a deadline. */
#ifndef CARVE_TOOLS_METRICS_ASK_H
#define CARVE_TOOLS_METRICS_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/json.h"

/**
 * struct metrics_answer - what a VMM said; zeroed before use; metrics_answer_done()
 * @tids:      of the vCPUs, @n of them, by number
 * @stats:     of query-carve-stats, NULL: it has none
 * @kvm_stats: as metrics_guest.kvm_stats, NULL: it has none
 * @counts:    [{"vcpu": 0, "kvm": {"exits": 9, ...}}]: all that KVM counts of vCPUs; NULL or empty: none
 * @vm_counts: {"pages_4k": 3, ...}: of the VM; NULL none
 */
struct metrics_answer {
	bool is_running;
	pid_t *tids;
	size_t n;
	json_t *stats, *kvm_stats, *counts, *vm_counts;
};

/**
 * metrics_ask() - state, threads and statistics of a VMM
 * @path:        of its control socket
 * @deadline_ms: for all of it
 * Return: 0; -EACCES, -EPERM the caller may not ask; -ETIMEDOUT, -errno: it does not answer.
 */
int metrics_ask(const char *path, unsigned int deadline_ms, struct metrics_answer *ret);
void metrics_answer_done(struct metrics_answer *a);

#endif
