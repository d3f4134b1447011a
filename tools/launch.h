/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The launch step: VMM started paused, every vCPU pinned and verified, then the first guest
 * instruction. */
#ifndef CARVE_TOOLS_LAUNCH_H
#define CARVE_TOOLS_LAUNCH_H

#include <stdbool.h>

#include "base/step.h"
#include "plan/plan.h"

/*
 * kind "launch", own scope; object: VM name, value: backend. env->launch is a struct launch.
 * Its revert kills every process in the VM's cgroup and waits until they are gone.
 */
extern const struct cv_step_ops cmd_step_launch;

#define LAUNCH_MAX_PHASES 8

/** struct launch_phase - one timed phase of the start, milliseconds */
struct launch_phase {
	const char *name;
	unsigned int ms;
};

/**
 * struct launch - handed to the step through cv_step_env.launch
 * @hypervisor_fd: opened and checked hypervisor device; borrowed
 */
struct launch {
	const struct plan *plan;
	int hypervisor_fd;
	uid_t uid;
	gid_t gid;
	struct launch_phase phases[LAUNCH_MAX_PHASES];
	size_t n_phases;
};

/**
 * launch_is_interrupted() - has SIGINT, SIGTERM or SIGHUP come while they were blocked?
 *
 * The step looks before it starts the VMM and while it waits for it.
 */
bool launch_is_interrupted(void);
/** launch_fail_interrupted() - fill the error of a start that was interrupted. Return: -EINTR. */
int launch_fail_interrupted(const char *vm, struct cv_error *err);

#endif
