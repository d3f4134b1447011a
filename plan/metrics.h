/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What carve metrics tells of a node: pure, from the inventory and what was found of each guest. */
#ifndef CARVE_PLAN_METRICS_H
#define CARVE_PLAN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "plan/inventory.h"

struct json_t;

/**
 * struct metrics_guest - a guest as it was found; strings borrowed
 * @is_asked:    its VMM was asked; if not, @has_answered means nothing
 * @pinned:      vCPU threads that may run on their planned CPU and nowhere else; -1 not looked at
 * @since:       seconds since the epoch, 0 unknown
 * @stats:       answer to query-carve-stats, NULL none (docs/formats/metrics.md); borrowed
 * @kvm_stats:   array of {"vcpu", "reason", "exits"}, NULL none; borrowed
 * @timings:     the file timings.json, NULL none; borrowed
 */
struct metrics_guest {
	const char *name, *state, *backend, *user, *job;
	bool is_asked, has_answered;
	size_t vcpus;
	int pinned;
	uint64_t memory;
	int64_t since;
	const struct json_t *stats, *kvm_stats, *timings;
};

/**
 * struct metrics_node - everything that is told of; borrowed
 * @states: every state a guest can have, so that a count of 0 is told, too
 */
struct metrics_node {
	const char *version, *build;
	const struct inventory *inv;
	const char *const *states;
	size_t n_states;
	const struct metrics_guest *guests;
	size_t n_guests;
};

/** metrics_of() - the text for node_exporter. Return: heap string, NULL when memory is out. */
char *metrics_of(const struct metrics_node *n);

#endif
