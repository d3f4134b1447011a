/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What runs, compared with the plan: pins, partition, memory, interrupts. */
#ifndef CARVE_NUMA_DRIFT_H
#define CARVE_NUMA_DRIFT_H

#include <stdbool.h>

#include "base/step.h"
#include "plan/plan.h"

enum nu_drift_kind {
	NU_DRIFT_VCPU_AFFINITY, /* a vCPU thread may run elsewhere */
	NU_DRIFT_VCPU_CPU,	/* it does run elsewhere */
	NU_DRIFT_VCPU_CGROUP,	/* it is not in the partition */
	NU_DRIFT_VCPU_POLICY,	/* it has another scheduling policy or priority */
	NU_DRIFT_VMM_AFFINITY,	/* another thread of the VMM may run on the guest's cores */
	NU_DRIFT_VMM_CGROUP,
	NU_DRIFT_VMM_POLICY, /* another thread of the VMM is real-time, on cores of the host */
	NU_DRIFT_FOREIGN,    /* a thread that is not the VMM's is in the partition */
	NU_DRIFT_PARTITION,
	NU_DRIFT_MEMORY,
	NU_DRIFT_GUEST_IRQ, /* an interrupt of the guest's devices is not on its vCPU's core */
	NU_DRIFT_HOST_IRQ,  /* one of the host is delivered to the guest's cores */
	NU_N_DRIFTS,
};

/** nu_drift_names - words of the kinds: "vcpu-affinity" ... */
extern const char *const nu_drift_names[NU_N_DRIFTS];

/** struct nu_drift - one difference; texts are for people */
struct nu_drift {
	enum nu_drift_kind kind;
	char object[128];
	char found[160];
	char wanted[128];
};

struct nu_drifts {
	struct nu_drift *v;
	size_t n;
};

void nu_drifts_done(struct nu_drifts *d);
#define _cleanup_drifts_ __attribute__((cleanup(nu_drifts_done)))

/**
 * struct nu_running - a guest that runs; all borrowed
 * @tids:   thread of each vCPU of @plan
 * @memory: look at the pages as well: the kernel walks all page tables for it
 */
struct nu_running {
	const struct plan *plan;
	pid_t pid;
	const pid_t *tids;
	bool memory;
};

/**
 * nu_drift_find() - all differences, in the order of enum nu_drift_kind as far as it goes
 *
 * What the caller may not read (pages of another user's process) is left out.
 * Return: 0; -ESRCH when the VMM is gone; -errno.
 */
int nu_drift_find(struct cv_sysroot *root, const struct nu_running *vm, struct nu_drifts *ret,
		  struct cv_error *err);

/**
 * nu_drift_has() - is the same difference (kind, object and what was found) among @d?
 */
bool nu_drift_has(const struct nu_drifts *d, const struct nu_drift *one);

/**
 * nu_drift_fix() - repair what can be: all but pages on the wrong node
 *
 * Look again afterwards: what the kernel refused is still there.
 * Context: the node lock is held.
 * Return: 0, or the first error; the rest is repaired all the same.
 */
int nu_drift_fix(const struct cv_step_env *env, const struct nu_running *vm,
		 const struct nu_drifts *found, struct cv_error *err);

#endif
