/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What carve metrics finds of each guest: from its files, /proc, and its VMM within a deadline. */
#ifndef CARVE_TOOLS_METRICS_GUESTS_H
#define CARVE_TOOLS_METRICS_GUESTS_H

#include "plan/metrics.h"
#include "tools/metrics_ask.h"
#include "tools/vm.h"

/** struct metrics_found - a VM, and what is told of it, which borrows from the rest */
struct metrics_found {
	struct vm vm;
	struct metrics_answer answer;
	json_t *timings;
	struct metrics_guest guest;
};

/**
 * metrics_guests_read() - all VMs of this boot; one that went away meanwhile is left out
 *
 * No VMM is waited for longer than a second, all of them together not longer than five: who comes after
 * that is not asked. On another host's snapshot none is asked.
 * Return: 0 with an array of *@ret_n, -errno with c->err.
 */
int metrics_guests_read(struct cmd *c, struct metrics_found **ret, size_t *ret_n);
void metrics_guests_free(struct metrics_found *found, size_t n);

#endif
