/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The child's side of starting a VMM: from its birth to execve(2). Only for vmm/spawn.c. */
#ifndef CARVE_VMM_SPAWN_CHILD_H
#define CARVE_VMM_SPAWN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/spawn.h"

/** enum spawn_step - what the child does, in this order */
enum spawn_step {
	SPAWN_STEP_SIGNALS,
	SPAWN_STEP_SESSION,
	SPAWN_STEP_STDIO,
	SPAWN_STEP_LIMITS,
	SPAWN_STEP_BOUNDING,
	SPAWN_STEP_USER,
	SPAWN_STEP_CAPABILITIES,
	SPAWN_STEP_DESCRIPTORS,
	SPAWN_STEP_EXECUTE,
	SPAWN_STEPS,
};

/**
 * struct spawn_child - all the child needs, prepared by the parent
 * @is_switching: the caller is root and the child becomes spawn->uid
 * @pair:         [0] the parent's end, [1] the child's: a byte says go, a closed peer says end
 */
struct spawn_child {
	const struct vmm_spawn *spawn;
	bool is_switching;
	gid_t groups[VMM_GROUPS_MAX];
	size_t n_groups;
	int log_fd;
	int null_fd;
	int pair[2];
};

/** struct spawn_report - sent by a child that failed; @err is -errno */
struct spawn_report {
	int step;
	int err;
};

/** spawn_child_main() - waits for the go, then becomes the VMM or reports and ends. */
void spawn_child_main(const struct spawn_child *c) __attribute__((noreturn));
/** spawn_step_name() - "switch to the user", for any value. */
const char *spawn_step_name(int step);

#endif
