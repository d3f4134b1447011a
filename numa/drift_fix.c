// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/drift.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/strv.h"
#include "numa/binding.h"
#include "numa/irq_guest.h"
#include "numa/irq_step.h"
#include "numa/thread.h"

/** struct repair - in progress; @first: the first error, told once */
struct repair {
	const struct cv_step_env *env;
	const struct nu_running *vm;
	struct cv_error *err;
	int first;
};

static void note(struct repair *f, int r, const struct cv_error *err)
{
	if (r >= 0 || f->first)
		return;
	f->first = r;
	if (f->err)
		*f->err = *err;
}

static bool has_any(const struct nu_drifts *d, enum nu_drift_kind from, enum nu_drift_kind to)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind >= from && d->v[i].kind <= to)
			return true;
	return false;
}

/* The step that made the partition makes it again: it writes only what is different. */
static void fix_partition(struct repair *f)
{
	const struct plan *p = f->vm->plan;
	struct cv_error err = { 0 };

	for (size_t i = 0; i < p->n_steps; i++)
		if (strcmp(p->steps[i].kind, nu_step_cgroup_vm.kind) == 0)
			note(f,
			     nu_step_cgroup_vm.apply(f->env, p->steps[i].object, p->steps[i].value,
						     NULL, &err),
			     &err);
}

/* Threads can only be moved within the VM's cgroup: when one has left it, all come back together. */
static void fix_home(struct repair *f)
{
	struct cv_error err = { 0 };
	char home[CV_PATH_MAX];
	struct nu_thread t;

	cv_pathf(home, "/carve/%s/", f->vm->plan->name);
	if (nu_thread_read(f->env->root, f->vm->pid, &t) < 0 ||
	    strncmp(t.cgroup, home, strlen(home)) == 0)
		return;
	note(f, nu_cgroup_enter_vmm(f->env->root, f->vm->plan->name, f->vm->pid, &err), &err);
}

static bool is_vcpu(const struct nu_running *vm, pid_t tid)
{
	for (size_t i = 0; i < vm->plan->n_vcpus; i++)
		if (vm->tids[i] == tid)
			return true;
	return false;
}

/* Threads that went away meanwhile need nothing. */
static void fix_vmm_threads(struct repair *f)
{
	_cleanup_strv_ struct cv_strv tids = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(f->env->root, cv_pathf(path, "/proc/%d/task", f->vm->pid), &tids) < 0)
		return;
	for (size_t i = 0; i < tids.n; i++) {
		struct cv_error err = { 0 };
		struct nu_thread t;
		int tid, r = 0;

		if (cv_parse_int(tids.v[i], &tid) < 0 || is_vcpu(f->vm, tid) ||
		    nu_thread_read(f->env->root, tid, &t) < 0)
			continue;
		if (!strstr(t.cgroup, "/vmm") || nu_thread_is_realtime(&t) ||
		    cv_cpuset_intersects(&t.cpus, &f->vm->plan->host_cpus))
			r = nu_place_vmm_thread(f->env->root, f->vm->plan->name, tid, &err);
		note(f, r == -ESRCH ? 0 : r, &err);
	}
}

static void fix_threads(struct repair *f)
{
	const struct plan *p = f->vm->plan;
	struct cv_error err = { 0 };

	fix_home(f);
	for (size_t i = 0; i < p->n_vcpus; i++) {
		note(f,
		     nu_pin_vcpu(f->env->root, p->name, f->vm->tids[i], p->vcpus[i].host_cpu, &err),
		     &err);
		note(f, nu_thread_set_policy(f->env->root, f->vm->tids[i], p->rt_priority, &err),
		     &err);
	}
	fix_vmm_threads(f);
	note(f, nu_evict_others(f->env->root, p->name, f->vm->tids, p->n_vcpus, &err), &err);
}

int nu_drift_fix(const struct cv_step_env *env, const struct nu_running *vm,
		 const struct nu_drifts *found, struct cv_error *err)
{
	struct repair f = { .env = env, .vm = vm, .err = err };
	struct cv_error one = { 0 };

	if (has_any(found, NU_DRIFT_PARTITION, NU_DRIFT_PARTITION))
		fix_partition(&f);
	if (has_any(found, NU_DRIFT_VCPU_AFFINITY, NU_DRIFT_PARTITION))
		fix_threads(&f);
	if (has_any(found, NU_DRIFT_HOST_IRQ, NU_DRIFT_HOST_IRQ))
		note(&f, nu_irqs_keep_off(env->root, &one), &one);
	if (has_any(found, NU_DRIFT_GUEST_IRQ, NU_DRIFT_GUEST_IRQ))
		note(&f, nu_guest_irqs_place(env->root, vm->plan, &one), &one);
	return f.first;
}
